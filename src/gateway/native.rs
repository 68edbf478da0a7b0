//! Requests with an access token of one of the product's own apps (rule H16): a session like any other, shown in `Authorization`.
//!
//! The token is the request's one credential: our cookie beside it is refused. It never reaches the product, which is told who the person
//! is as of a browser's request. Nothing that a browser brings by itself is in play, so no origin is asked.

use super::answer::{self, Answer};
use super::body::Broken;
use super::forward::Admitted;
use super::handle::{Step, Trace, declared, way_back};
use super::recall::Cookies;
use super::table::Target;
use super::upload::RequestBody;
use crate::kernel::app::{ACCESS, PERSONAL};
use crate::kernel::refusal::Refusal;
use crate::kernel::request::cookies::SessionCookie;
use crate::kernel::request::intent;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Token;
use crate::web::{Admission, AppAsk};
use http::Request;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use std::sync::Arc;

const DPOP: HeaderName = HeaderName::from_static("dpop");

/// What a request brings of ours in `Authorization`.
pub(super) enum Shown {
    /// A token by the Bearer scheme.
    Bearer(String),
    /// A person's own API token.
    Personal(String),
    /// A token by the DPoP scheme, and its one proof.
    Bound(String, String),
    /// Something of ours, and no one credential.
    Odd,
}

/// Looks for a token of ours. Another credential is the product's matter, or nobody's.
pub(super) fn shown(headers: &HeaderMap) -> Option<Shown> {
    let split = |value: &HeaderValue| {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        Some((scheme.to_ascii_lowercase(), token.trim_start().to_owned()))
    };
    let of_ours = |token: &str| token.starts_with(ACCESS) || token.starts_with(PERSONAL);
    let is_ours = |value: &HeaderValue| split(value).is_some_and(|(_, token)| of_ours(&token));
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let one = values.next()?;
    if values.next().is_some() {
        return headers.get_all(AUTHORIZATION).iter().any(is_ours).then_some(Shown::Odd);
    }
    let (scheme, token) = split(one).filter(|(_, token)| of_ours(token))?;
    let mut proofs = headers.get_all(DPOP).iter();
    Some(match (scheme.as_str(), proofs.next(), proofs.next()) {
        ("bearer", None, _) if token.starts_with(PERSONAL) => Shown::Personal(token),
        ("bearer", None, _) => Shown::Bearer(token),
        ("dpop", Some(proof), None) if token.starts_with(ACCESS) => match proof.to_str() {
            Ok(proof) => Shown::Bound(token, proof.to_owned()),
            Err(_) => Shown::Odd,
        },
        _ => Shown::Odd,
    })
}

/// Takes ours out of what a product receives.
pub(super) fn strip(headers: &mut HeaderMap) {
    headers.remove(AUTHORIZATION);
    headers.remove(DPOP);
}

impl Step<'_> {
    pub(super) async fn native(
        &self,
        mut request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
        (cookies, shown, trace): (Cookies, Shown, &mut Trace),
    ) -> Result<Answer, Broken> {
        if !matches!(cookies.session, SessionCookie::None) {
            return Ok(self.refuse(Refusal::Credential, &declared(request.headers()), Some(target)));
        }
        let (text, proof) = match &shown {
            Shown::Bearer(token) => (token, None),
            Shown::Bound(token, proof) => (token, Some(proof.as_str())),
            Shown::Personal(token) => {
                let with = (cookies.rest, token.as_str(), trace);
                return Box::pin(self.personal(request, path, target, with)).await;
            }
            Shown::Odd => return Ok(self.challenge(target, Challenge::Proof)),
        };
        let token = text.strip_prefix(ACCESS).and_then(|text| Token::parse(text.as_bytes()));
        let Some(token) = token else { return Ok(self.challenge(target, Challenge::Token)) };
        let ask = AppAsk {
            token: &token,
            shown: text,
            proof,
            method: request.method().as_str(),
            host: &self.entry.origin,
            path: path.path(),
            now: self.now,
        };
        let Some(key) = self.line.core.shared.sessions.app_key(&ask) else {
            return Ok(self.challenge(target, Challenge::Proof));
        };
        let live = match self.admit_app(&token, key.session, target, request.headers()).await {
            Admission::Admitted(live) if !live.ended.is_cancelled() => live,
            Admission::Admitted(_) | Admission::Nobody => return Ok(self.challenge(target, Challenge::Token)),
            Admission::Refused(refusal) => {
                return Ok(self.refuse(refusal, &declared(request.headers()), Some(target)));
            }
            Admission::Unavailable => return Ok(answer::unavailable(self.id())),
        };
        if !self.line.core.shared.sessions.is_first(&key) {
            return Ok(self.challenge(target, Challenge::Proof));
        }
        trace.sid = trace.wanted.then(|| live.sid.to_string());
        if target.asks_step(path) {
            let back = way_back(intent::is_safe(request.method().as_str()), path);
            let asked = (request.method(), request.headers());
            if let Some(answer) = self.step_up(asked, (path, &back), target, &live) {
                return Ok(answer);
            }
        }
        strip(request.headers_mut());
        self.forward(request, path, target, cookies.rest, Admitted { live: Some(live), public: false }).await
    }

    /// 401 with what is wrong, for programs (RFC 6750 §3, RFC 9449 §7.1).
    pub(super) fn challenge(&self, target: &Arc<Target>, why: Challenge) -> Answer {
        let mut answer = self.refuse(Refusal::LoginRequired, &declared(&HeaderMap::new()), Some(target));
        let (bearer, bound) = match why {
            Challenge::Token => ("Bearer error=\"invalid_token\"", "DPoP error=\"invalid_token\", algs=\"ES256\""),
            Challenge::Proof => ("Bearer", "DPoP error=\"invalid_dpop_proof\", algs=\"ES256\""),
        };
        for said in [bound, bearer] {
            answer.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(said));
        }
        answer
    }
}

/// What is wrong.
pub(super) enum Challenge {
    Token,
    Proof,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &str)]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        shown(&headers).map(|shown| match shown {
            Shown::Bearer(_) => "bearer",
            Shown::Personal(_) => "personal",
            Shown::Bound(..) => "bound",
            Shown::Odd => "odd",
        })
    }

    #[test]
    fn a_token_of_ours_is_known_and_everything_else_is_not_ours() {
        let authorization = "authorization";
        assert_eq!(of(&[(authorization, "Bearer fga_x")]), Some("bearer"));
        assert_eq!(of(&[(authorization, "bEARER  fga_x")]), Some("bearer"));
        assert_eq!(of(&[(authorization, "DPoP fga_x"), ("dpop", "p")]), Some("bound"));
        assert_eq!(of(&[(authorization, "Bearer fg_pat_x")]), Some("personal"));
        for odd in [
            &[(authorization, "DPoP fga_x")][..],
            &[(authorization, "DPoP fg_pat_x"), ("dpop", "p")],
            &[(authorization, "Bearer fg_pat_x"), ("dpop", "p")],
            &[(authorization, "Bearer fg_pat_x"), (authorization, "Bearer y")],
            &[(authorization, "Basic fg_pat_x")],
            &[(authorization, "Bearer fga_x"), ("dpop", "p")],
            &[(authorization, "DPoP fga_x"), ("dpop", "p"), ("dpop", "q")],
            &[(authorization, "Bearer fga_x"), (authorization, "Bearer fga_y")],
            &[(authorization, "Bearer other"), (authorization, "Bearer fga_y")],
            &[(authorization, "Basic fga_x")],
        ] {
            assert_eq!(of(odd), Some("odd"), "{odd:?}");
        }
        for other in [
            &[][..],
            &[(authorization, "Bearer x")],
            &[(authorization, "fga_x")],
            &[(authorization, "Bearer x"), (authorization, "Bearer y")],
            &[("dpop", "p")],
            &[("x-token", "fga_x")],
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
