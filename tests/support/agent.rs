//! A browser without a screen: what Chromium would send, and where it would end up.
//!
//! It keeps cookies (`cookies.rs`), follows redirects, refreshes and self-posting forms, and sends `Sec-Fetch-*`, `Origin` and
//! `Referer` by the Fetch standard (`intent.rs`). Deliberately absent: scripts, frames, caches, and CORS preflights: a fetch goes out as it
//! would after a preflight that was granted, and with third-party cookies where a browser may block them: the worst case for a gateway.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use url::Url;

use super::clock::unix_seconds;
use super::cookies::{Context, Cookie, Jar};
use super::html::{self, Form};
pub use super::intent::{Intent, Mode, request};
use super::page::{Hop, Page};
use super::site::{self, Relation};
use super::wire::Wire;

/// The most redirects in a row that Chromium follows.
const REDIRECTS: usize = 20;
/// The most refreshes and self-posting forms in a row; a person would have given up.
const HANDOVERS: usize = 10;

/// One person's browser. Its methods take `&self`, so that tabs can race.
pub struct UserAgent {
    wire: Wire,
    jar: Mutex<Jar>,
    ahead: AtomicI64,
}

impl UserAgent {
    /// A fresh browser that trusts the authorities in these PEM files.
    pub fn new(authorities: &[&Path]) -> Self {
        Self { wire: Wire::trusting(authorities), jar: Mutex::default(), ahead: AtomicI64::new(0) }
    }

    /// The same browser speaking HTTP/2.
    #[must_use]
    pub fn with_h2(mut self) -> Self {
        self.wire = self.wire.with_h2();
        self
    }

    /// For requests that no browser would make, over the same connections.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Moves this browser's clock, so that its cookies expire.
    pub fn advance(&self, seconds: i64) {
        self.ahead.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Types an address and presses Enter.
    pub async fn visit(&self, url: &str) -> Page {
        self.load(Intent::navigation(None, parse(url))).await
    }

    /// Follows a link of the page; `href` as it would be written there.
    pub async fn click(&self, page: &Page, href: &str) -> Page {
        let url = page.url.join(href).unwrap_or_else(|error| panic!("{href}: {error}"));
        self.load(Intent { no_referrer: no_referrer(page), ..Intent::navigation(Some(&page.url), url) }).await
    }

    /// Fills in a form of the page and presses its first button; `which` names a field or a part of the action.
    pub async fn submit(&self, page: &Page, which: &str, fields: &[(&str, &str)]) -> Page {
        self.post(page, &page.form(which), fields, true).await
    }

    /// Loads what is asked and follows it: redirects, and for navigations refreshes and forms that post themselves.
    pub async fn load(&self, intent: Intent) -> Page {
        let navigation = intent.mode == Mode::Navigate;
        let mut page = self.follow(intent).await;
        for _ in 0..HANDOVERS {
            if !navigation || !is_html(&page) {
                return page;
            }
            let html = page.html();
            let mut next = if let Some(target) = html::refresh(&html) {
                let url = page.url.join(&target).unwrap_or_else(|error| panic!("{target}: {error}"));
                let intent = Intent {
                    activated: false,
                    no_referrer: no_referrer(&page),
                    ..Intent::navigation(Some(&page.url), url)
                };
                self.follow(intent).await
            } else if let Some(form) = posts_itself(&html) {
                self.follow(form_intent(&page, &form, &[], false)).await
            } else {
                return page;
            };
            next.trace.splice(0..0, std::mem::take(&mut page.trace));
            page = next;
        }
        panic!("the pages never end: {}", page.describe());
    }

    /// Sends exactly this request: no cookies, nothing added but `Host`.
    pub async fn raw(&self, url: &str, request: Request<Full<Bytes>>) -> Response<Bytes> {
        self.wire.exchange(&parse(url), request).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// The `Cookie` header that a request of the page's own origin would carry, for raw requests and WebSockets.
    pub fn cookie_header(&self, url: &str) -> Option<String> {
        let context = Context { same_site: true, top_level: true, safe_method: true, now: self.now() };
        self.jar.lock().expect("not poisoned").header(&parse(url), context)
    }

    /// The cookies kept for this host name.
    pub fn cookies(&self, host: &str) -> Vec<Cookie> {
        self.jar.lock().expect("not poisoned").of_host(host)
    }

    /// Puts a cookie into the jar as if it had always been there: what a thief does.
    pub fn plant(&self, cookie: Cookie) {
        self.jar.lock().expect("not poisoned").put(cookie);
    }

    /// Deletes the cookies that `which` names; says how many there were.
    pub fn forget(&self, which: impl Fn(&Cookie) -> bool) -> usize {
        self.jar.lock().expect("not poisoned").forget(which)
    }

    async fn post(&self, page: &Page, form: &Form, fields: &[(&str, &str)], activated: bool) -> Page {
        self.load(form_intent(page, form, fields, activated)).await
    }

    fn now(&self) -> i64 {
        unix_seconds() + self.ahead.load(Ordering::Relaxed)
    }

    /// One load with its redirects (Fetch §4.4).
    async fn follow(&self, mut intent: Intent) -> Page {
        let mut trace = Vec::new();
        let mut relation = None;
        for _ in 0..=REDIRECTS {
            relation = relation.max(intent.initiator.as_ref().map(|from| Relation::between(from, &intent.url)));
            let (hop, answer) = self.hop(&intent, relation).await;
            trace.push(hop);
            let target = answer.headers().get("location").filter(|_| answer.status().is_redirection() && intent.follow);
            let Some(target) = target else {
                let (head, body) = answer.into_parts();
                return Page { url: intent.url, status: head.status, headers: head.headers, body, trace };
            };
            let target = target.to_str().unwrap_or_else(|error| panic!("Location of {}: {error}", intent.url));
            let next = intent.url.join(target).unwrap_or_else(|error| panic!("Location {target}: {error}"));
            let rewrites = match answer.status().as_u16() {
                301 | 302 => intent.method == Method::POST,
                303 => !matches!(intent.method, Method::GET | Method::HEAD),
                _ => false,
            };
            if rewrites {
                intent.method = Method::GET;
                intent.body = None;
            }
            intent.no_referrer |= sets_no_referrer(answer.headers());
            intent.tainted |= next.origin() != intent.url.origin();
            intent.url = next;
        }
        let journey: Vec<_> = trace.iter().map(|hop| format!("{} {}", hop.status.as_u16(), hop.url)).collect();
        panic!("too many redirects:\n  {}", journey.join("\n  "));
    }

    /// One request and its answer, cookies kept.
    async fn hop(&self, intent: &Intent, relation: Option<Relation>) -> (Hop, Response<Bytes>) {
        let initiator = intent.initiator.as_ref();
        let context = Context {
            same_site: initiator.is_none_or(|from| site::same_site(from, &intent.url)),
            top_level: intent.mode == Mode::Navigate && intent.destination == "document",
            safe_method: matches!(intent.method, Method::GET | Method::HEAD),
            now: self.now(),
        };
        let cookie =
            intent.credentials.then(|| self.jar.lock().expect("not poisoned").header(&intent.url, context)).flatten();
        let fetch_site = relation.map_or("none", Relation::as_str);
        let request = request(intent, relation, cookie.as_deref());
        let answer =
            self.wire.exchange(&intent.url, request).await.unwrap_or_else(|error| panic!("{}: {error}", intent.url));
        let mut set_cookies = Vec::new();
        if intent.credentials {
            for line in answer.headers().get_all("set-cookie") {
                let line = String::from_utf8_lossy(line.as_bytes()).into_owned();
                let kept = self.jar.lock().expect("not poisoned").set(&intent.url, &line, context);
                set_cookies.push((line, kept));
            }
        }
        let (method, url, status) = (intent.method.clone(), intent.url.clone(), answer.status());
        let cleared = answer.headers().contains_key("clear-site-data");
        (Hop { method, url, status, fetch_site, cookie, set_cookies, cleared }, answer)
    }
}

fn form_intent(page: &Page, form: &Form, typed: &[(&str, &str)], activated: bool) -> Intent {
    let mut url = page.url.join(&form.action).unwrap_or_else(|error| panic!("action {}: {error}", form.action));
    let mut fields: Vec<(&str, &str)> =
        form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.retain(|(name, _)| !typed.iter().any(|(known, _)| known == name));
    fields.extend(typed);
    let button = form.buttons.first().filter(|(name, _)| activated && !name.is_empty());
    if let Some((name, value)) =
        button.filter(|_| !form.buttons.iter().any(|(name, _)| typed.iter().any(|(known, _)| known == name)))
    {
        fields.push((name, value));
    }
    let encoded = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let intent =
        Intent { activated, no_referrer: no_referrer(page), ..Intent::navigation(Some(&page.url), url.clone()) };
    if form.post {
        return Intent { method: Method::POST, ..intent }.with_body("application/x-www-form-urlencoded", encoded);
    }
    url.set_query(Some(&encoded));
    Intent { url, ..intent }
}

/// A page whose only form is sent by its script at once: SAML's POST binding and `form_post` look like this.
fn posts_itself(html: &str) -> Option<Form> {
    let mut forms = html::forms(html);
    (forms.len() == 1 && html.contains(".submit()")).then(|| forms.remove(0))
}

fn no_referrer(page: &Page) -> bool {
    sets_no_referrer(&page.headers)
}

fn sets_no_referrer(headers: &HeaderMap) -> bool {
    headers.get("referrer-policy").is_some_and(|policy| policy.as_bytes().ends_with(b"no-referrer"))
}

fn is_html(page: &Page) -> bool {
    page.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

fn parse(url: &str) -> Url {
    Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}
