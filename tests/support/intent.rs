//! What a tab wants to load, and the request that Chromium makes of it: fetch metadata, `Origin`, `Referer`.

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use url::Url;

use super::site::{self, Relation};

/// `Sec-Fetch-Mode`, with what goes with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Navigate,
    Cors,
    NoCors,
    SameOrigin,
    WebSocket,
}

/// One thing that a tab wants to load. [`Intent::navigation`] and [`Intent::fetch`] make the usual ones; change fields for others.
#[derive(Clone, Debug)]
pub struct Intent {
    pub method: Method,
    pub url: Url,
    /// Content type and bytes.
    pub body: Option<(String, Bytes)>,
    /// The page that asks; none for the address bar.
    pub initiator: Option<Url>,
    pub mode: Mode,
    /// `Sec-Fetch-Dest`.
    pub destination: &'static str,
    /// A click or a key press began it.
    pub activated: bool,
    /// The asking page says `Referrer-Policy: no-referrer`: then a form's `Origin` is `null`, even at home (Fetch §3.1.4).
    pub no_referrer: bool,
    pub credentials: bool,
    /// Further headers, such as a fetch may set.
    pub headers: Vec<(String, String)>,
    /// A POST was sent on across origins: `Origin` is `null` from there on (Chromium).
    pub tainted: bool,
    /// Redirects are followed; a fetch with `redirect: "manual"` says no.
    pub follow: bool,
}

impl Intent {
    pub fn navigation(initiator: Option<&Url>, url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            body: None,
            initiator: initiator.cloned(),
            mode: Mode::Navigate,
            destination: "document",
            activated: true,
            no_referrer: false,
            credentials: true,
            headers: Vec::new(),
            tainted: false,
            follow: true,
        }
    }

    /// `fetch(url, { mode, method, credentials: "include" })` of a script on the page `from`.
    pub fn fetch(from: &Url, mode: Mode, method: Method, url: Url) -> Self {
        Self { method, mode, destination: "empty", activated: false, ..Self::navigation(Some(from), url) }
    }

    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// The request for one hop; `relation` is how the initiator stands to all of the way so far.
pub fn request(intent: &Intent, relation: Option<Relation>, cookie: Option<&str>) -> Request<Full<Bytes>> {
    let fetch_site = relation.map_or("none", Relation::as_str);
    let navigation = intent.mode == Mode::Navigate;
    let mut url = intent.url.clone();
    url.set_fragment(None);
    let mut request = Request::builder().method(&intent.method).uri(url.as_str());
    let accept = if navigation { "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" } else { "*/*" };
    request = request.header(
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    );
    request = request.header("accept", accept).header("accept-language", "en-GB,en;q=0.9");
    if site::trustworthy(&intent.url) {
        request = request.header("sec-fetch-site", fetch_site).header("sec-fetch-mode", mode_name(intent.mode));
        request = request.header("sec-fetch-dest", intent.destination);
        if navigation && intent.activated {
            request = request.header("sec-fetch-user", "?1");
        }
    }
    if let Some(origin) = origin(intent) {
        request = request.header("origin", origin);
    }
    if let Some(referer) = referer(intent, relation) {
        request = request.header("referer", referer);
    }
    for (name, value) in &intent.headers {
        request = request.header(name, value);
    }
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let body = intent.body.as_ref().map_or_else(Full::default, |(kind, body)| {
        request.headers_mut().expect("a sound request").insert("content-type", kind.parse().expect("a header value"));
        Full::new(body.clone())
    });
    request.body(body).unwrap_or_else(|error| panic!("{}: {error}", intent.url))
}

fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Navigate => "navigate",
        Mode::Cors => "cors",
        Mode::NoCors => "no-cors",
        Mode::SameOrigin => "same-origin",
        Mode::WebSocket => "websocket",
    }
}

/// `Origin` (Fetch §3.1.4): with CORS across origins and for every method that acts; `null` where the page hides its address.
fn origin(intent: &Intent) -> Option<String> {
    let from = intent.initiator.as_ref()?;
    let acts = !matches!(intent.method, Method::GET | Method::HEAD);
    let crosses = intent.mode == Mode::Cors && from.origin() != intent.url.origin();
    if !acts && !crosses && intent.mode != Mode::WebSocket {
        return None;
    }
    let downgrade = from.scheme() == "https" && intent.url.scheme() == "http";
    let hidden = matches!(intent.mode, Mode::Navigate | Mode::NoCors) && (intent.no_referrer || downgrade);
    Some(if hidden || intent.tainted { "null".to_owned() } else { from.origin().ascii_serialization() })
}

/// `Referer` under the default policy, strict-origin-when-cross-origin; cut to the origin once, it stays so.
fn referer(intent: &Intent, relation: Option<Relation>) -> Option<String> {
    let from = intent.initiator.as_ref().filter(|_| !intent.no_referrer)?;
    if relation == Some(Relation::SameOrigin) {
        let mut whole = from.clone();
        whole.set_fragment(None);
        return Some(whole.into());
    }
    (from.scheme() != "https" || intent.url.scheme() == "https")
        .then(|| format!("{}/", from.origin().ascii_serialization()))
}
