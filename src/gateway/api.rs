//! Requests with an API token of the product's own, on the paths that it declares (`api`): the product says whose the token is, and
//! the gateway whether its owner may use it (rule C7).
//!
//! The token is the request's one credential: cookies end here, no identity is said, and nothing is upgraded. What logs a person or
//! a connection in (Basic, Digest, NTLM, Negotiate) is no token and never passes.

use super::answer::{self, Answer};
use super::body::Broken;
use super::forward::{self, Admitted};
use super::handle::{Step, declared};
use super::head::Passage;
use super::recall::Rest;
use super::table::Target;
use super::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::fields::api_credentials;
use crate::kernel::request::path::NormalPath;
use crate::web::{Admission, TokenAsk};
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Request, StatusCode};
use std::sync::Arc;

/// What a request brings as its one credential, if that can be an API token.
fn credentials(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let said = values.next().filter(|_| values.next().is_none())?;
    api_credentials(said.as_bytes())
}

impl Step<'_> {
    pub(super) async fn api(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
    ) -> Result<Answer, Broken> {
        if self.described {
            // The proxy in front takes `Authorization` away, and would send the request on by itself.
            let write = "this path is judged by the gateway: send it there";
            return Ok(answer::plain(StatusCode::FORBIDDEN, write, self.id()));
        }
        let said = declared(request.headers());
        let Some(authorization) = credentials(request.headers()) else {
            return Ok(self.refuse(Refusal::Credential, &said, Some(target)));
        };
        let ask = TokenAsk { product: &target.site.product, authorization, client: self.client };
        let live = match self.line.core.shared.sessions.admit_token(&ask).await {
            Admission::Admitted(live) => live,
            Admission::Nobody => return Ok(self.refuse(Refusal::Credential, &said, Some(target))),
            Admission::Refused(refusal) => return Ok(self.refuse(refusal, &said, Some(target))),
            Admission::Unavailable => return Ok(answer::unavailable(self.id())),
        };
        let passage = Passage {
            line: self.line,
            entry: self.entry,
            target,
            group: &target.upstreams,
            path,
            client: self.client,
            request_id: self.request_id,
            cookies: Rest::Nothing,
            live: None,
            by_token: true,
            upgrade: false,
        };
        // It is cut when the token passes no more, as an answer to a session is.
        let admitted = Admitted { live: Some(live), public: false };
        let answer = Box::pin(forward::forward(self.line, request, &passage, &admitted)).await?;
        if answer.extensions().get::<answer::SessionEnded>().is_none() {
            return Ok(answer);
        }
        let nothing = HeaderMap::new();
        Ok(self.refuse(Refusal::Credential, &declared(&nothing), Some(target)))
    }
}
