//! `/.fedgate/auth`: the decision about a request, told to a proxy that forwards it by itself (nginx `auth_request`, Caddy
//! `forward_auth`, Traefik ForwardAuth, Envoy ext_authz over HTTP).
//!
//! The question describes a request: its method and path by `X-Forwarded-Method` and `X-Forwarded-Uri` (Envoy writes them into the
//! question's own line as well, behind our path; they must agree), its fields as they are. It goes through the very steps of every
//! request and ends where one would be forwarded. Only products with `forward_auth` are asked about, and only by trusted proxies:
//! to all others there is nothing here.
//!
//! Deliberately absent: bodies, streams and what the product answers. They never come here, so nothing of them is checked, kept for
//! a login or ended with a session.

use super::super::answer::{self, Answer};
use super::super::body::{Broken, Outgoing};
use super::super::table::Target;
use super::super::{client, head};
use super::{Step, Trace, declared};
use crate::gateway::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::path::NormalPath;
use crate::web::{IDENTITY_FIELDS, LiveSession};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use std::pin::Pin;
use std::sync::Arc;

const AUTH: &str = "/.fedgate/auth";
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const NOTHING: HeaderValue = HeaderValue::from_static("");

/// Who reads the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reader {
    /// A proxy that keeps 200 to itself and sends everything else on to the browser.
    Either,
    /// `?as=status`: a proxy that knows 200, 401 and 403 and reads no bodies (nginx).
    Proxy,
    /// `?as=answer`: the browser, after such a 401 or 403. Never 200: that one carries who somebody is.
    Browser,
}

/// The request that is asked about.
#[derive(Debug, Eq, PartialEq)]
struct Question {
    method: Method,
    target: String,
    reader: Reader,
}

impl Question {
    /// `None` unless exactly one request is described.
    fn read(method: &Method, raw: &str, headers: &HeaderMap) -> Option<Self> {
        let target = client::once(headers, &FORWARDED_URI).ok()??;
        let said = Method::from_bytes(client::once(headers, &FORWARDED_METHOD).ok()??.as_bytes()).ok()?;
        // Our own path is not taken in another spelling: what follows it is somebody else's.
        let reader = match raw.strip_prefix(AUTH)? {
            "" => Reader::Either,
            "?as=status" => Reader::Proxy,
            "?as=answer" => Reader::Browser,
            // Asked by a browser through the proxy, the field names our own path, and the two differ.
            behind if behind == target && said == *method => Reader::Either,
            _ => return None,
        };
        Some(Self { method: said, target: target.to_owned(), reader })
    }
}

impl Step<'_> {
    /// Whether this asks about another request, and may.
    pub(super) fn is_question(&self, path: &NormalPath<'_>, target: &Target) -> bool {
        let ours = path.path().strip_prefix(AUTH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        ours && !self.described
            && target.site.forward_auth
            && client::is_trusted(self.line.peer, &self.line.core.table.load().trusted)
    }

    /// Answers a question: 200 with the identity fields, or what the browser is to be told instead.
    pub(super) async fn judge_for_another(
        &self,
        mut request: Box<Request<RequestBody>>,
        target: &Arc<Target>,
        trace: &mut Trace,
    ) -> Result<Answer, Broken> {
        trace.described = true;
        let raw = request.uri().path_and_query().map_or("", |target| target.as_str());
        let Some(question) = Question::read(request.method(), raw, request.headers()) else {
            let write = "ask with X-Forwarded-Method and X-Forwarded-Uri, once each";
            return Ok(answer::plain(StatusCode::FORBIDDEN, write, self.id()));
        };
        let Some(path) = self.described_path(&question, request.headers()) else {
            let refused = self.refuse(Refusal::Malformed, &declared(request.headers()), Some(target));
            return Ok(self.told(refused, &question));
        };
        // We cannot remove from here what only we may say, and the proxy in front removes the names it knows.
        if request.headers().keys().any(|name| target.mapped.identifies(name.as_str())) {
            let refused = self.refuse(Refusal::Credential, &declared(request.headers()), Some(target));
            return Ok(self.told(refused, &question));
        }
        *request.method_mut() = question.method.clone();
        mark_upgrade(request.headers_mut());
        let step = Step { described: true, ..*self };
        let answer = step.decide(request, &path, target, trace).await?;
        Ok(self.told(answer, &question))
    }

    /// The path that will be forwarded, if it is its own normal form and on this host.
    fn described_path<'q>(&self, question: &'q Question, headers: &HeaderMap) -> Option<NormalPath<'q>> {
        let table = self.line.core.table.load();
        let here = match client::forwarded_host(headers).ok()? {
            Some(host) => table.find(host).is_ok_and(|entry| entry.origin == self.entry.origin),
            None => true,
        };
        let path = NormalPath::parse(&question.target).ok()?;
        (here && path.target() == question.target && question.method != Method::CONNECT).then_some(path)
    }

    /// [`Step::product`], as a type of its own: it is the caller's caller.
    fn decide<'s>(
        &'s self,
        request: Box<Request<RequestBody>>,
        path: &'s NormalPath<'s>,
        target: &'s Arc<Target>,
        trace: &'s mut Trace,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Broken>> + Send + 's>> {
        Box::pin(self.product(request, path, target, trace))
    }

    /// The answer as its reader takes it.
    fn told(&self, mut answer: Answer, question: &Question) -> Answer {
        // Proxies complete an address by the one that they asked.
        let local = answer.headers().get(header::LOCATION).filter(|to| to.as_bytes().starts_with(b"/"));
        if let Some(Ok(to)) = local.map(|to| HeaderValue::try_from([self.entry.url.as_bytes(), to.as_bytes()].concat()))
        {
            answer.headers_mut().insert(header::LOCATION, to);
        }
        // Whatever else is a success to some reader of its own is none here.
        if answer.extensions_mut().remove::<Vouched>().is_none() && answer.status().is_success() {
            answer = answer::plain(StatusCode::FORBIDDEN, "this request cannot be vouched for", self.id());
        }
        let status = answer.status();
        match question.reader {
            Reader::Proxy => {
                *answer.status_mut() = match status {
                    StatusCode::OK => StatusCode::OK,
                    StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
                    _ => StatusCode::FORBIDDEN,
                };
                answer
            }
            // Logged in meanwhile: once more, with method and body.
            Reader::Browser if status == StatusCode::OK => {
                let to = format!("{}{}", self.entry.url, question.target);
                answer::redirect(StatusCode::TEMPORARY_REDIRECT, &to, self.id())
            }
            Reader::Either | Reader::Browser => answer,
        }
    }
}

/// Marks the one answer by which a request goes on to the product.
#[derive(Clone, Copy)]
struct Vouched;

/// Proxies drop `Upgrade` from a question, and rule M30 hangs on it.
fn mark_upgrade(headers: &mut HeaderMap) {
    let mode = headers.get("sec-fetch-mode").is_some_and(|mode| mode == "websocket");
    if mode || headers.keys().any(|name| name.as_str().starts_with("sec-websocket-")) {
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
}

/// 200 with every identity field, empty where there is nothing to say, so that copying them overwrites a client's. `Cookie` and
/// `Authorization` are there as the product may have them.
pub(super) fn vouch(asked: &HeaderMap, target: &Target, live: Option<&LiveSession>) -> Answer {
    let mut asked = asked.clone();
    head::remove_our_cookies(&mut asked);
    let mut answer = Response::new(Outgoing::empty());
    answer.extensions_mut().insert(Vouched);
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(header::COOKIE, asked.remove(header::COOKIE).unwrap_or(NOTHING));
    let authorization =
        asked.remove(header::AUTHORIZATION).filter(|_| live.is_some() && target.site.keep_authorization);
    fields.insert(header::AUTHORIZATION, authorization.unwrap_or(NOTHING));
    let mapped = target.site.product.identity_fields.iter();
    let mapped = mapped.filter_map(|(name, _)| HeaderName::from_bytes(name.as_bytes()).ok());
    for name in IDENTITY_FIELDS.into_iter().chain(mapped) {
        fields.insert(name, NOTHING);
    }
    if let Some(live) = live {
        for (name, value) in live.identity.load().fields() {
            fields.insert(name, value);
        }
    }
    answer
}
