//! `/.fedgate/replay`: the page after the login, its one button, and the kept request on its way to the product (rule H9).
//!
//! Nothing is sent without the click: the page is a navigation's, and what acts comes from this host with the page's own token.

use super::read::{Opened, Reader, Unreadable};
use super::take::limit;
use super::ticket::{TRIES, Ticket, expire, release};
use crate::gateway::answer::{self, Answer};
use crate::gateway::body::{Broken, Outgoing};
use crate::gateway::bound;
use crate::gateway::forward::{self, Admitted};
use crate::gateway::handle::{Step, Trace, declared, login_path};
use crate::gateway::head::Passage;
use crate::gateway::table::Target;
use crate::gateway::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::cookies;
use crate::kernel::request::intent;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Wishes;
use crate::web::{Admission, LiveSession, Lost, Offer, Replays, Taken, Unsent};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::timeout;

/// The page's path.
pub(in crate::gateway) const PATH: &str = "/.fedgate/replay";

/// The most that its form may have, and how long it may take to arrive.
const FORM: usize = 4 * 1024;
const FORM_TIME: Duration = Duration::from_secs(10);

/// Whether a path is the page's.
pub(in crate::gateway) fn is_replay(path: &NormalPath<'_>) -> bool {
    path.is(PATH)
}

/// One visit of the page, by a person who is logged in.
struct Visit<'a> {
    step: &'a Step<'a>,
    target: &'a Arc<Target>,
    replays: &'a dyn Replays,
    live: Arc<LiveSession>,
    wishes: Wishes,
}

impl Step<'_> {
    /// The page, and its button.
    pub(in crate::gateway) async fn replay(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        trace: &mut Trace,
    ) -> Result<Answer, Broken> {
        let (mut head, body) = request.into_parts();
        if head.headers.contains_key("service-worker") {
            return Ok(answer::plain(StatusCode::NOT_FOUND, "no service worker may stand here", self.id()));
        }
        let said = declared(&head.headers);
        let acts = !intent::is_safe(head.method.as_str());
        if !said.is_navigation() || (acts && !said.is_same_origin(&self.entry.url, &[])) {
            return Ok(self.refuse(Refusal::CrossSite, &said, Some(target)));
        }
        let form = match head.method {
            Method::GET => Fields::parse(path.query().unwrap_or_default().as_bytes()),
            Method::POST => match timeout(FORM_TIME, Limited::new(body, FORM).collect()).await {
                Ok(Ok(body)) => Fields::parse(&body.to_bytes()),
                Ok(Err(_)) | Err(_) => return Ok(self.malformed()),
            },
            _ => return Ok(self.malformed()),
        };
        let handle = form.one(if acts { "to" } else { "id" });
        let live = match self.live_at(&head, target).await {
            Ok(live) => live,
            // The session ended again between the page and the click: the page comes back after the login.
            Err(Admission::Refused(refusal)) => return Ok(self.refuse(refusal, &said, Some(target))),
            Err(Admission::Unavailable) => return Ok(answer::unavailable(self.id())),
            Err(_) => return Ok(self.back_to_login(handle)),
        };
        trace.sid = trace.wanted.then(|| live.sid.to_string());
        let Some(replays) = self.line.core.shared.sessions.replays() else { return Ok(self.malformed()) };
        let wishes = Wishes::of(said.picked, "", said.accept_language);
        let visit = Visit { step: self, target, replays, live, wishes };
        if !acts {
            return Ok(visit.show(&head.headers, &form, handle).await);
        }
        head.extensions.clear();
        visit.act(head, &form, handle).await
    }

    async fn live_at(&self, head: &Parts, target: &Target) -> Result<Arc<LiveSession>, Admission> {
        let cookies = self.cookies(&head.headers);
        let admission = match cookies.session {
            cookies::SessionCookie::One(token) => self.admit(&token, cookies.key, target, &head.headers).await,
            cookies::SessionCookie::None => Admission::Nobody,
            cookies::SessionCookie::Several => Admission::Refused(Refusal::Credential),
        };
        match admission {
            Admission::Admitted(live) if !live.ended.is_cancelled() => Ok(live),
            other => Err(other),
        }
    }

    fn back_to_login(&self, handle: &str) -> Answer {
        let known = super::unhex::<16>(handle).is_some();
        let back = if known { page(handle) } else { "/".to_owned() };
        answer::redirect(StatusCode::SEE_OTHER, &login_path(&back), self.id())
    }

    fn malformed(&self) -> Answer {
        answer::plain(StatusCode::BAD_REQUEST, "the request has no single meaning", self.id())
    }
}

/// Why a kept request is not at hand.
enum Missing {
    Lost(Lost),
    /// It cannot be said now.
    Unavailable,
}

impl Visit<'_> {
    async fn show(&self, headers: &HeaderMap, form: &Fields, handle: &str) -> Answer {
        if path_only(form) {
            // A login that lost its way back leads here by the cookie alone; there may be nothing any more.
            let newest = Ticket::newest(headers, self.replays, &self.step.place(self.target));
            let to = newest.map_or_else(|| "/".to_owned(), |ticket| page(&ticket.handle()));
            return answer::redirect(StatusCode::SEE_OTHER, &to, self.step.id());
        }
        let request = match form.one("lost") {
            "size" => Err(Missing::Lost(Lost::TooLarge(limit(self.target)))),
            "room" => Err(Missing::Lost(Lost::NoRoom)),
            _ => self.find(headers, handle).await.map(|(ticket, opened)| unsent(&ticket, &opened)),
        };
        match request {
            Ok(unsent) => self.offer(Ok(unsent)),
            Err(missing) => self.missing(missing, handle),
        }
    }

    async fn act(&self, head: Parts, form: &Fields, handle: &str) -> Result<Answer, Broken> {
        let (ticket, opened) = match self.find(&head.headers, handle).await {
            Ok(found) => found,
            Err(missing) => return Ok(self.missing(missing, handle)),
        };
        if verify_slices_are_equal(form.one("csrf").as_bytes(), ticket.csrf().as_bytes()).is_err() {
            return Ok(self.step.refuse(Refusal::CrossSite, &declared(&head.headers), Some(self.target)));
        }
        match form.one("act") {
            "send" => {}
            "discard" => {
                self.remove(&ticket);
                let mut answer = answer::redirect(StatusCode::SEE_OTHER, "/", self.step.id());
                forget(&mut answer, &ticket);
                return Ok(answer);
            }
            _ => return Ok(self.step.malformed()),
        }
        // The click is the person's own navigation; what it sends is asked for what every request to that path is (rule H9).
        if let Ok(path) = NormalPath::parse(&opened.head.target)
            && let Some(answer) = {
                let (asked, back) = ((&head.method, &head.headers), page(handle));
                self.step.step_up(asked, (&path, &back), self.target, &self.live)
            }
        {
            return Ok(answer);
        }
        match self.replays.take(ticket.mark(), ticket.name().until()).await {
            Taken::First => self.send(head, ticket, opened).await,
            Taken::Again => Ok(self.missing(Missing::Lost(Lost::Sent), handle)),
            Taken::Unavailable => Ok(answer::unavailable(self.step.id())),
        }
    }

    /// The kept request of this browser, if it is this person's, of this release, and young.
    async fn find(&self, headers: &HeaderMap, handle: &str) -> Result<(Ticket, Opened), Missing> {
        let lost = |lost| Err(Missing::Lost(lost));
        let core = &self.step.line.core;
        let _room = core.shared.guard.cold.enter().await.ok_or(Missing::Unavailable)?;
        core.errands.wait().await;
        let Some(ticket) = Ticket::find(handle, headers, self.replays, &self.step.place(self.target)) else {
            return lost(Lost::Gone);
        };
        let why = match self.replays.epoch(self.live.account).await {
            _ if self.step.now >= ticket.name().until() => Some(Lost::Gone),
            _ if ticket.account != self.live.account => Some(Lost::Another),
            None => return Err(Missing::Unavailable),
            Some(epoch) if epoch != ticket.epoch => Some(Lost::Changed),
            Some(_) if release(self.target.site.spool.version.as_deref()) != ticket.release => Some(Lost::Changed),
            Some(_) => None,
        };
        if let Some(why) = why {
            self.remove(&ticket);
            return lost(why);
        }
        let spool = &self.step.line.core.shared.spool;
        match Opened::open(spool, &ticket).await {
            Ok(opened) if self.may_go(&opened) => Ok((ticket, opened)),
            Ok(_) => {
                self.remove(&ticket);
                lost(Lost::Changed)
            }
            Err(why) => {
                if !matches!(&why, Unreadable::Disk(fault) if fault.kind() == std::io::ErrorKind::NotFound) {
                    tracing::warn!(%why, "a kept request cannot be read");
                }
                lost(if spool.is_ours(ticket.node) { Lost::Gone } else { Lost::Elsewhere })
            }
        }
    }

    /// Whether the path still leads to the product: a door of now is ours.
    fn may_go(&self, opened: &Opened) -> bool {
        let Ok(path) = NormalPath::parse(&opened.head.target) else { return false };
        let ours = path.path().starts_with("/.fedgate/") || path.is("/.fedgate");
        !ours && self.target.door(&path).is_none()
    }

    async fn send(&self, mut head: Parts, ticket: Ticket, opened: Opened) -> Result<Answer, Broken> {
        let spool = &self.step.line.core.shared.spool;
        let target = opened.head.target.clone();
        let kept = opened.head.clone();
        let (Some(()), Ok(path)) = (kept.replace(&mut head, ticket.size), NormalPath::parse(&target)) else {
            self.remove(&ticket);
            return Ok(self.missing(Missing::Lost(Lost::Changed), &ticket.handle()));
        };
        let (body, touched) = opened.body(spool);
        let sent = self.forward(head, body, &path).await;
        let reached = touched.load(Ordering::Relaxed);
        tracing::info!(product = %self.target.site.product.name, sid = %self.live.sid, reached, "a kept request was sent");
        if !reached && ticket.tries < TRIES {
            return Ok(self.again(ticket));
        }
        self.remove(&ticket);
        let mut answer = sent?;
        if answer.extensions().get::<answer::SessionEnded>().is_some() {
            answer = self.step.back_to_login("");
        }
        forget(&mut answer, &ticket);
        resolve(&mut answer, &self.step.entry.url, &target);
        Ok(answer)
    }

    async fn forward(&self, head: Parts, body: Reader, path: &NormalPath<'_>) -> Result<Answer, Broken> {
        let step = self.step;
        let bound = bound::group(step.line, self.target, &self.live);
        let passage = Passage {
            line: step.line,
            entry: step.entry,
            target: self.target,
            group: bound.as_deref().unwrap_or(&self.target.upstreams),
            path,
            client: step.client,
            request_id: step.request_id,
            cookies: step.cookies(&head.headers).rest,
            live: Some(&self.live),
            by_token: false,
            upgrade: false,
        };
        let admitted = Admitted { live: Some(Arc::clone(&self.live)), public: false };
        Box::pin(forward::replay(step.line, (head, body), &passage, &admitted)).await
    }

    /// No upstream could be reached, so nothing was sent: the person may click again, with a handle of its own mark.
    fn again(&self, ticket: Ticket) -> Answer {
        let ticket = Ticket { tries: ticket.tries + 1, ..ticket };
        let Some(cookie) = ticket.cookie(self.replays, &self.step.place(self.target)) else {
            return self.missing(Missing::Unavailable, &ticket.handle());
        };
        let mut answer = answer::redirect(StatusCode::SEE_OTHER, &page(&ticket.handle()), self.step.id());
        answer.headers_mut().append(header::SET_COOKIE, cookie);
        answer
    }

    fn missing(&self, missing: Missing, handle: &str) -> Answer {
        match missing {
            Missing::Unavailable => answer::unavailable(self.step.id()),
            Missing::Lost(lost) => {
                let mut answer = self.offer(Err(lost));
                if let Some(cookie) = super::unhex(handle).and_then(|id| expire(&id)) {
                    answer.headers_mut().append(header::SET_COOKIE, cookie);
                }
                answer
            }
        }
    }

    fn offer(&self, request: Result<Unsent, Lost>) -> Answer {
        let product = Arc::clone(&self.target.site.product);
        answer::page(self.step.line.core.shared.routes.offer(Offer { product, request, wishes: self.wishes.clone() }))
    }

    fn remove(&self, ticket: &Ticket) {
        self.step.line.core.shared.spool.remove(&ticket.id);
    }
}

/// The page of one kept request.
fn page(handle: &str) -> String {
    format!("{PATH}?id={handle}")
}

fn path_only(query: &Fields) -> bool {
    query.0.is_empty()
}

fn unsent(ticket: &Ticket, opened: &Opened) -> Unsent {
    let path = opened.head.target.split('?').next().unwrap_or_default();
    Unsent {
        handle: ticket.handle(),
        csrf: ticket.csrf(),
        method: opened.head.method.clone(),
        path: path.to_owned(),
        size: ticket.size,
        at: ticket.at,
        failed: ticket.tries > 0,
    }
}

/// The browser's half goes with the request.
fn forget(answer: &mut Answer, ticket: &Ticket) {
    if let Some(cookie) = expire(&ticket.id) {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// A relative `Location` of the product is relative to its own path, not to our page's (RFC 9110 §10.2.2). One to another origin
/// is followed by a refresh: Chromium would hold our page's `form-action` against a redirect there (rule M12).
fn resolve(answer: &mut http::Response<Outgoing>, host: &str, target: &str) {
    let Some(location) = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok()) else { return };
    let Ok(base) = url::Url::parse(&format!("{host}{target}")) else { return };
    let Ok(absolute) = base.join(location) else { return };
    let elsewhere = absolute.origin() != base.origin() && answer.status().is_redirection();
    let text = if elsewhere { format!("0; url={absolute}") } else { absolute.to_string() };
    let Ok(value) = HeaderValue::from_str(&text) else { return };
    if elsewhere {
        *answer.status_mut() = StatusCode::OK;
        answer.headers_mut().remove(header::LOCATION);
        answer.headers_mut().insert(header::REFRESH, value);
    } else {
        answer.headers_mut().insert(header::LOCATION, value);
    }
}

/// A form's or query's fields. One that comes twice is absent.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().take(16).collect())
    }

    fn one(&self, name: &str) -> &str {
        let mut found = self.0.iter().filter(|(known, _)| known == name);
        let first = found.next().filter(|_| found.next().is_none());
        first.map_or("", |(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_products_redirect_leads_where_it_meant() {
        let check = |status: u16, location: &str, expected: (u16, &str, &str)| {
            let mut answer = Answer::new(Outgoing::empty());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer.headers_mut().insert(header::LOCATION, HeaderValue::from_str(location).unwrap());
            resolve(&mut answer, "https://trello.localhost", "/boards/new?x=1");
            let text = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
            assert_eq!(
                (answer.status().as_u16(), text(header::LOCATION), text(header::REFRESH)),
                expected,
                "{location}"
            );
        };
        check(303, "/b/7", (303, "https://trello.localhost/b/7", ""));
        check(302, "7?y=2", (302, "https://trello.localhost/boards/7?y=2", ""));
        check(201, "7", (201, "https://trello.localhost/boards/7", ""));
        check(303, "https://trello.localhost/b", (303, "https://trello.localhost/b", ""));
        check(303, "https://cdn.example/b", (200, "", "0; url=https://cdn.example/b"));
        check(201, "https://cdn.example/b", (201, "https://cdn.example/b", ""));
    }

    #[test]
    fn a_field_that_comes_twice_is_absent() {
        let fields = Fields::parse(b"a=1&b=%20&a=1");
        assert_eq!((fields.one("a"), fields.one("b"), fields.one("c")), ("", " ", ""));
    }
}
