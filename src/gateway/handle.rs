//! The steps of one request, in their order: host, path, our own pages, public, preflight, same origin, session, forward.
//!
//! The first step that decides, answers. Anything that is not understood has no session.

mod asked;
mod forward_auth;
mod own_page;
mod refused;
mod step_up;

pub(super) use asked::{asks_upgrade, declared};
pub(super) use refused::login_path;

use self::asked::{Asked, echoes, is_listed_preflight, listed_origin};
pub(super) use self::refused::way_back;
use super::answer::{self, Answer};
use super::body::Broken;
use super::bound;
use super::connection::{Line, Listener};
use super::filter;
use super::forward::{self, Admitted};
use super::grpc;
use super::guard::Reason;
use super::guard::load::{Asker, Place};
use super::head::{Passage, REQUEST_ID};
use super::locate::locate;
use super::native;
use super::pace::{Busy, Delivery};
use super::recall::{Cookies, Rest};
use super::spool;
use super::table::{Entry, Kind, Target};
use super::upload::RequestBody;
use super::websocket;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::cookies::SessionCookie;
use crate::kernel::request::intent;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::{SessionKey, Timestamp, Token};
use crate::seeing::logs::{self, Access};
use crate::web::{Admission, Ask, LiveSession};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

/// What browsers say when they fetch ahead.
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");

/// One request: what every step may look at.
pub(super) struct Step<'a> {
    pub(super) line: &'a Arc<Line>,
    pub(super) entry: &'a Entry,
    pub(super) client: IpAddr,
    pub(super) request_id: &'a HeaderValue,
    pub(super) now: Timestamp,
    /// Whether the request is only described, by a proxy that will forward it itself; see `forward_auth`.
    pub(super) described: bool,
}

/// How a request went, for the access line.
pub(super) struct Trace {
    pub(super) wanted: bool,
    pub(super) sid: Option<String>,
    /// Whether the answer went to a proxy that asked about another request.
    pub(super) described: bool,
    /// Kept until the answer is delivered.
    pub(super) place: Option<Place>,
}

/// Answers one request. An error ends its stream or connection without an answer. The request comes boxed: each step below is a
/// future inside the one above it and would hold the whole request, and copy it on the way.
pub(super) async fn handle(busy: Busy, request: Box<Request<RequestBody>>) -> Result<Response<Delivery>, Broken> {
    let line = busy.line();
    let shared = &line.core.shared;
    let began = shared.clock.since_boot();
    let request_id = line.core.ids.next();
    let (entry, wanted) = {
        let table = line.core.table.load();
        let entry = locate(line, &table, &request).map_err(|elsewhere| (elsewhere, table.unknown.clone()));
        (entry, table.access_log)
    };
    // Boxed, because few requests have one, and every request's future would be larger for it.
    let call = grpc::call(&request).map(Box::new);
    let head = wanted.then(|| Box::new((request.method().clone(), request.uri().path().to_owned())));
    let mut trace = Trace { wanted, sid: None, described: false, place: None };
    let (result, meters, place) = match &entry {
        Ok((entry, client)) => {
            let step = Step {
                line,
                entry,
                client: *client,
                request_id: &request_id,
                now: shared.clock.now(),
                described: false,
            };
            let result = step.answer(request, &mut trace).await;
            let place = match &entry.kind {
                Kind::Product(target) => target.site.product.name.as_str(),
                Kind::Login => "login",
                Kind::Redirect(_) => "redirect",
            };
            (result, &entry.meters, place)
        }
        Err((elsewhere, unknown)) => (Ok(elsewhere.answer(&request_id)), unknown, "unknown"),
    };
    let took = shared.clock.since_boot().saturating_sub(began);
    let mut answer = result?;
    let status = answer.status().as_u16();
    meters.count(status, took);
    if let Some((method, path)) = head.map(|head| *head) {
        let path = if place == "login" { logs::login_path(&path) } else { &path };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let request_id = request_id.to_str().unwrap_or("-");
        logs::access(&Access {
            place,
            method: method.as_str(),
            path,
            status,
            sid: trace.sid.as_deref(),
            request_id,
            micros,
        });
    }
    if let (Some(kind), true) = (call, place != "unknown" && !trace.described) {
        grpc::translate(&mut answer, *kind);
    }
    // Different each time: kept out of HTTP/2's compression table, where it would only push out what repeats.
    let mut request_id = request_id;
    request_id.set_sensitive(true);
    answer.headers_mut().insert(REQUEST_ID, request_id);
    // Over plain HTTP it must not be said (RFC 6797 §7.2).
    if line.listener != Listener::Redirect {
        answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, filter::HSTS);
    }
    Ok(answer.map(|body| Delivery::new(body, busy, trace.place)))
}

impl Step<'_> {
    async fn answer(&self, request: Box<Request<RequestBody>>, trace: &mut Trace) -> Result<Answer, Broken> {
        let raw = request.uri().path_and_query().cloned();
        let raw = raw.as_ref().map_or("", |target| target.as_str());
        let scheme = request.uri().scheme_str().is_none_or(|scheme| matches!(scheme, "https" | "http"));
        let path = match NormalPath::parse(raw) {
            Ok(path) if scheme && *request.method() != Method::CONNECT && !echoes(request.method()) => path,
            _ => return Ok(self.refuse(Refusal::Malformed, &declared(request.headers()), None)),
        };
        match &self.entry.kind {
            Kind::Redirect(canonical) => {
                let location = format!("{canonical}{}", path.target());
                Ok(answer::redirect(StatusCode::PERMANENT_REDIRECT, &location, self.id()))
            }
            Kind::Login => Ok(Box::pin(self.page(request, &path, None)).await),
            Kind::Product(target) => {
                let origin = listed_origin(request.headers(), target);
                let mut result = self.product(request, &path, target, trace).await;
                if let (Ok(answer), Some(origin)) = (&mut result, origin) {
                    self.open_refusal_to(answer, origin);
                }
                result
            }
        }
    }

    async fn product(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        trace: &mut Trace,
    ) -> Result<Answer, Broken> {
        let ours = path.path().starts_with("/.fedgate/") || path.is("/.fedgate");
        if ours || target.door(path).is_some() {
            if self.described {
                // The proxy in front would send it to the product.
                let write = "this path is the gateway's own: send it there";
                return Ok(answer::plain(StatusCode::FORBIDDEN, write, self.id()));
            }
            if self.is_question(path, target) {
                return Box::pin(self.judge_for_another(request, target, trace)).await;
            }
            // Boxed, so that the futures of forwarded requests stay small.
            if spool::is_replay(path) {
                match self.enter(target) {
                    Ok(place) => trace.place = Some(place),
                    Err(reason) => return Ok(self.turn_away(reason)),
                }
                return Box::pin(self.replay(request, path, target, trace)).await;
            }
            return Ok(Box::pin(self.own_page(request, path, target)).await);
        }
        match self.enter(target) {
            Ok(place) => trace.place = Some(place),
            Err(reason) => return Ok(self.turn_away(reason)),
        }
        if target.is_app_login(request.method(), path) {
            return Box::pin(self.app_login(request, path, target)).await;
        }
        let cookies = self.cookies(request.headers());
        let asks_step = target.asks_step(path);
        if !asks_step && target.is_public(request.method(), path) {
            return self.forward(request, path, target, cookies.rest, Admitted { live: None, public: true }).await;
        }
        if is_listed_preflight(&request, target) {
            return self.forward(request, path, target, cookies.rest, Admitted { live: None, public: false }).await;
        }
        if let Some(shown) = native::shown(request.headers()) {
            return Box::pin(self.native(request, path, target, (cookies, shown, trace))).await;
        }
        if let Some(refusal) = self.objection(&request, &cookies.session, target) {
            return Ok(self.refuse(refusal, &declared(request.headers()), Some(target)));
        }
        if matches!(cookies.session, SessionCookie::None)
            && !asks_step
            && target.is_api(path)
            && request.headers().contains_key(header::AUTHORIZATION)
        {
            return Box::pin(self.api(request, path, target)).await;
        }
        let admission = match &cookies.session {
            SessionCookie::One(token) => self.admit(token, cookies.key, target, request.headers()).await,
            SessionCookie::None | SessionCookie::Several => Admission::Nobody,
        };
        match admission {
            Admission::Admitted(live) if !live.ended.is_cancelled() => {
                trace.sid = trace.wanted.then(|| live.sid.to_string());
                if asks_step {
                    let back = way_back(intent::is_safe(request.method().as_str()), path);
                    let asked = (request.method(), request.headers());
                    if let Some(answer) = self.step_up(asked, (path, &back), target, &live) {
                        return Ok(answer);
                    }
                }
                self.forward(request, path, target, cookies.rest, Admitted { live: Some(live), public: false }).await
            }
            Admission::Nobody | Admission::Admitted(_)
                if !asks_step && target.is_optional(path) && !asks_upgrade(request.headers()) =>
            {
                self.forward(request, path, target, cookies.rest, Admitted { live: None, public: false }).await
            }
            // An ended session that was still in a cache is none.
            Admission::Nobody | Admission::Admitted(_) => {
                Ok(Box::pin(self.keep_or_login(request, path, target, &cookies.session)).await)
            }
            Admission::Refused(refusal) => Ok(self.refuse(refusal, &declared(request.headers()), Some(target))),
            Admission::Unavailable => Ok(answer::unavailable(self.id())),
        }
    }

    /// Rules C7, H6, M30: what is refused whoever it is.
    fn objection(&self, request: &Request<RequestBody>, found: &SessionCookie, target: &Target) -> Option<Refusal> {
        match found {
            SessionCookie::Several => return Some(Refusal::Credential),
            SessionCookie::None => return None,
            SessionCookie::One(_) => {}
        }
        let (safe, upgrade) = (intent::is_safe(request.method().as_str()), asks_upgrade(request.headers()));
        if safe && !upgrade {
            return None;
        }
        let said = declared(request.headers());
        let may_upgrade = !upgrade || said.may_upgrade(&self.entry.url);
        let may_act = safe || said.is_same_origin(&self.entry.url, &target.site.accept_from);
        (!may_upgrade || !may_act).then_some(Refusal::CrossSite)
    }

    pub(super) fn cookies(&self, headers: &HeaderMap) -> Cookies {
        let sessions = &self.line.core.shared.sessions;
        self.line.recall.cookies(headers, |token| sessions.key(token))
    }

    pub(super) async fn admit(
        &self,
        token: &Token,
        key: Option<SessionKey>,
        target: &Target,
        headers: &HeaderMap,
    ) -> Admission {
        // A browser that fetches ahead is nobody's activity.
        let active = !headers.contains_key(SEC_PURPOSE);
        let (product, host) = (&target.site.product.name, &self.entry.origin);
        self.admit_by(Ask { token, key, product, host, client: self.client, now: self.now, active }).await
    }

    /// An app's session is its product's, on whichever of the product's hosts: it stands under the first one.
    pub(super) async fn admit_app(
        &self,
        token: &Token,
        key: SessionKey,
        target: &Target,
        headers: &HeaderMap,
    ) -> Admission {
        let active = !headers.contains_key(SEC_PURPOSE);
        let product = &target.site.product;
        let Some(host) = product.hosts.first() else { return Admission::Nobody };
        let (product, key) = (&product.name, Some(key));
        self.admit_by(Ask { token, key, product, host, client: self.client, now: self.now, active }).await
    }

    async fn admit_by(&self, ask: Ask<'_>) -> Admission {
        let sessions = &self.line.core.shared.sessions;
        match sessions.cached(&ask) {
            Some(admission) => admission,
            None => {
                self.line.recall.forget_cookies();
                // Boxed, so that the futures of requests in sessions that are in memory stay small.
                Box::pin(self.admit_cold(&ask)).await
            }
        }
    }

    /// A session that is not in memory is read when there is room for it.
    async fn admit_cold(&self, ask: &Ask<'_>) -> Admission {
        let Some(_room) = self.line.core.shared.guard.cold.enter().await else {
            self.count(Reason::Sessions);
            return Admission::Unavailable;
        };
        self.line.core.errands.wait().await;
        self.line.core.shared.sessions.admit(ask).await
    }

    /// A place among the product's requests.
    fn enter(&self, target: &Target) -> Result<Place, Reason> {
        let direct = self.line.seat.client().filter(|_| self.client == self.line.peer);
        let asker = match direct {
            Some(client) => Asker::Direct(Arc::clone(client)),
            None => Asker::Named(self.line.recall.guest(self.client, &self.line.core.shared.guard.caps)),
        };
        target.load.enter(asker)
    }

    pub(super) async fn forward(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        rest: Rest,
        admitted: Admitted,
    ) -> Result<Answer, Broken> {
        if self.described {
            return Ok(forward_auth::vouch(request.headers(), target, admitted.live.as_deref()));
        }
        let live: Option<Arc<LiveSession>> = admitted.live.clone();
        let bound = live.as_deref().and_then(|live| bound::group(self.line, target, live));
        let asked = live.is_some().then(|| Asked::of(&request));
        let upgrade = live.is_some() && *request.method() == Method::GET && websocket::is_websocket(request.headers());
        let passage = Passage {
            line: self.line,
            entry: self.entry,
            target,
            group: bound.as_deref().unwrap_or(&target.upstreams),
            path,
            client: self.client,
            request_id: self.request_id,
            cookies: rest,
            live: live.as_deref(),
            by_token: false,
            upgrade,
        };
        // Boxed for the allocator: two blocks that it has at hand (up to 1 KiB) cost a tenth of one for which it must search.
        let answer = Box::pin(forward::forward(self.line, request, &passage, &admitted)).await?;
        if answer.extensions().get::<answer::SessionEnded>().is_none() {
            return Ok(answer);
        }
        Ok(self.ended(asked.unwrap_or_default(), path, target))
    }

    pub(super) fn id(&self) -> &str {
        self.request_id.to_str().unwrap_or("-")
    }
}
