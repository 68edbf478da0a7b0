//! Requests with a personal API token: a session like any other, shown in `Authorization` by the Bearer scheme.
//!
//! The token is the request's one credential and never reaches the product, as an app's. What it may do is in its text, and in what it is
//! looked up by.

use super::answer::Answer;
use super::body::Broken;
use super::forward::Admitted;
use super::handle::{Step, Trace, asks_upgrade, declared, way_back};
use super::native::Challenge;
use super::recall::Rest;
use super::table::Target;
use super::upload::RequestBody;
use super::{answer, native};
use crate::kernel::app::{PersonalToken, permits};
use crate::kernel::refusal::Refusal;
use crate::kernel::request::intent;
use crate::kernel::request::path::NormalPath;
use crate::web::Admission;
use http::Request;
use http::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use std::sync::Arc;

/// Fields by which frameworks take a request for one of another method: what reads may not say so.
const OTHER_METHOD: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-method-override"),
];

fn says_another_method(headers: &HeaderMap) -> bool {
    OTHER_METHOD.iter().any(|name| headers.contains_key(name))
}

impl Step<'_> {
    pub(super) async fn personal(
        &self,
        mut request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        (rest, text, trace): (Rest, &str, &mut Trace),
    ) -> Result<Answer, Broken> {
        let Some(shown) = PersonalToken::parse(text) else { return Ok(self.challenge(target, Challenge::Token)) };
        let live = match self.admit_personal(&shown, target, request.headers()).await {
            Admission::Admitted(live) if !live.ended.is_cancelled() => live,
            Admission::Admitted(_) | Admission::Nobody => return Ok(self.challenge(target, Challenge::Token)),
            Admission::Refused(refusal) => {
                return Ok(self.refuse(refusal, &declared(request.headers()), Some(target)));
            }
            Admission::Unavailable => return Ok(answer::unavailable(self.id())),
        };
        trace.sid = trace.wanted.then(|| live.sid.to_string());
        let (method, headers) = (request.method().as_str(), request.headers());
        if !permits(shown.scope, method, asks_upgrade(headers) || says_another_method(headers)) {
            return Ok(self.too_little(target));
        }
        if target.asks_step(path) {
            let back = way_back(intent::is_safe(request.method().as_str()), path);
            let asked = (request.method(), request.headers());
            if let Some(answer) = self.step_up(asked, (path, &back), target, &live) {
                return Ok(answer);
            }
        }
        native::strip(request.headers_mut());
        self.forward(request, path, target, rest, Admitted { live: Some(live), public: false }).await
    }

    /// By the keys of now, and by those of before a rotation: a token outlives one.
    async fn admit_personal(&self, shown: &PersonalToken, target: &Target, headers: &HeaderMap) -> Admission {
        for key in self.line.core.shared.sessions.personal_keys(shown) {
            match self.admit_app(&shown.token, key, target, headers).await {
                Admission::Nobody => {}
                admission => return admission,
            }
        }
        Admission::Nobody
    }

    /// 403 for a token that only reads (RFC 6750 §3.1).
    fn too_little(&self, target: &Arc<Target>) -> Answer {
        let mut answer = self.refuse(Refusal::NotAllowed, &declared(&HeaderMap::new()), Some(target));
        let said = "Bearer error=\"insufficient_scope\", scope=\"full\"";
        answer.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(said));
        answer
    }
}
