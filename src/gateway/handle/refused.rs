//! What is said to whom does not get through: to a login, a refusal, over a limit.

use super::Step;
use super::asked::{Asked, asks_upgrade, declared};
use crate::gateway::answer::{self, Answer};
use crate::gateway::body::Outgoing;
use crate::gateway::guard::{self, Reason};
use crate::gateway::table::Target;
use crate::gateway::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::intent::{self, Declared};
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Wishes;
use crate::web::Turned;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode};
use std::sync::Arc;

impl Step<'_> {
    /// Nobody: a person is led to the login, a script is told where it is. `Authorization` is no session (rule C7).
    pub(in crate::gateway) fn to_login(
        &self,
        request: &Request<RequestBody>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
    ) -> Answer {
        let said = declared(request.headers());
        let credential = request.headers().contains_key(header::AUTHORIZATION);
        if !said.is_navigation() || credential || asks_upgrade(request.headers()) {
            return self.refuse(Refusal::LoginRequired, &said, Some(target));
        }
        self.redirect_to_login(intent::is_safe(request.method().as_str()), path)
    }

    fn redirect_to_login(&self, safe: bool, path: &NormalPath<'_>) -> Answer {
        let return_to = way_back(safe, path);
        let status = if safe { StatusCode::FOUND } else { StatusCode::SEE_OTHER };
        answer::redirect(status, &login_path(&return_to), self.id())
    }

    pub(in crate::gateway) fn refuse(
        &self,
        refusal: Refusal,
        said: &Declared<'_>,
        target: Option<&Arc<Target>>,
    ) -> Answer {
        let turned = Turned {
            refusal,
            product: target.map(|target| Arc::clone(&target.site.product)),
            page: said.is_navigation() && refusal != Refusal::LoginRequired,
            login_url: target.map(|_| format!("{}/.fedgate/login", self.entry.url)),
            kept: None,
            client: self.client,
            request_id: self.id().to_owned(),
            now: self.now,
            wishes: Wishes::of(said.picked, "", said.accept_language),
        };
        answer::page(self.line.core.shared.routes.refuse(turned))
    }

    /// Lets a script of a listed origin read our refusal; answers of the product carry its own fields.
    pub(super) fn open_refusal_to(&self, answer: &mut Response<Outgoing>, origin: HeaderValue) {
        if matches!(answer.body(), Outgoing::Ours(_)) {
            let headers = answer.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }

    /// The session ended before the product had answered. What is left of the request is not waited for.
    pub(super) fn ended(&self, asked: Asked, path: &NormalPath<'_>, target: &Arc<Target>) -> Answer {
        let mut answer = match asked.page {
            true => self.redirect_to_login(asked.safe, path),
            false => self.refuse(Refusal::LoginRequired, &Declared::default(), Some(target)),
        };
        if self.line.turns.is_none() {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// Over a limit.
    pub(in crate::gateway) fn turn_away(&self, reason: Reason) -> Answer {
        self.count(reason);
        guard::busy(reason, self.id())
    }

    pub(super) fn count(&self, reason: Reason) {
        let shared = &self.line.core.shared;
        shared.guard.turn_away(reason, shared.clock.since_boot());
    }
}

/// Where a person comes back to: where they were going, if only to look.
pub(in crate::gateway) fn way_back(safe: bool, path: &NormalPath<'_>) -> String {
    if safe { path.target() } else { "/".to_owned() }
}

/// The login on this very host, with the way back.
pub(in crate::gateway) fn login_path(return_to: &str) -> String {
    let mut path = String::from("/.fedgate/login?return_to=");
    for byte in return_to.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_one_parameter() {
        assert_eq!(login_path("/a/b?x=1&y=%20"), "/.fedgate/login?return_to=/a/b%3Fx%3D1%26y%3D%2520");
    }
}
