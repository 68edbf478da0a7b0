//! An app's login at a product's own JSON path (`password_api`): judged by what its body says, then forwarded as it came.
//!
//! The password in the body is the request's one credential: cookies and `Authorization` end here, so that the product cannot find
//! another person in them (rule C7). A query would be a second body to some products: there is none.

use super::answer::{self, Answer};
use super::body::Broken;
use super::forward::{self, Admitted};
use super::guard::queue;
use super::handle::{Step, declared};
use super::head::Passage;
use super::recall::Rest;
use super::table::Target;
use super::upload::{RequestBody, Upload};
use crate::kernel::refusal::Refusal;
use crate::kernel::request::path::NormalPath;
use crate::web::{AppLogin, PageRequest};
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use std::sync::Arc;

impl Step<'_> {
    pub(super) async fn app_login(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
    ) -> Result<Answer, Broken> {
        if self.described {
            // The proxy in front would send it to the product without its body having been read.
            let write = "this path is judged by the gateway: send it there";
            return Ok(answer::plain(StatusCode::FORBIDDEN, write, self.id()));
        }
        let said = declared(request.headers());
        if !self.is_of_an_app(request.headers(), target) {
            return Ok(self.refuse(Refusal::CrossSite, &said, Some(target)));
        }
        if path.target().contains('?') || !is_json(request.headers()) {
            return Ok(self.refuse(Refusal::Malformed, &said, Some(target)));
        }
        let page = match self.read_page(request, path, Some(target)).await {
            Ok(page) => page,
            Err(answer) => return Ok(answer),
        };
        let (mut head, body) = (page.head.clone(), page.body.clone());
        match self.judge(page).await {
            Ok(AppLogin::Passed) => {}
            Ok(AppLogin::Refused(refusal)) => return Ok(answer::page(refusal)),
            Err(answer) => return Ok(answer),
        }
        for credential in [AUTHORIZATION, COOKIE] {
            head.headers.remove(credential);
        }
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
            by_token: false,
            upgrade: false,
        };
        let admitted = Admitted { live: None, public: false };
        let upload = Upload::read(body, &target.site);
        Box::pin(forward::send_whole(self.line, (head, upload), &passage, &admitted)).await
    }

    async fn judge(&self, page: PageRequest) -> Result<AppLogin, Answer> {
        let core = &self.line.core;
        let guard = &core.shared.guard;
        match queue::page(&guard.pages, &guard.caps, self.client).await {
            Ok(_room) => Ok(core.errands.run(core.shared.routes.judge_app_login(page)).await),
            Err(reason) => Err(self.turn_away(reason)),
        }
    }

    /// An app says nothing of sites; a browser must come from the product or an origin that it lists (rule H6).
    fn is_of_an_app(&self, headers: &HeaderMap, target: &Target) -> bool {
        let said = declared(headers);
        let by_browser = said.site.is_some() || said.origin.is_some();
        let listed = said.origin.is_some_and(|origin| target.site.origins.iter().any(|one| one == origin));
        !by_browser || listed || said.is_same_origin(&self.entry.url, &target.site.accept_from)
    }
}

/// Said once, plain and not compressed: another reading of the body would be the product's alone.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let kind = types.next().filter(|_| types.next().is_none()).map(HeaderValue::as_bytes).unwrap_or_default();
    let kind: Vec<u8> = kind.iter().filter(|byte| **byte != b' ').map(u8::to_ascii_lowercase).collect();
    let plain = matches!(kind.as_slice(), b"application/json" | b"application/json;charset=utf-8");
    plain && !headers.contains_key(CONTENT_ENCODING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_said_once_and_plainly() {
        let check = |fields: &[(&'static str, &'static str)], plain: bool| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_json(&headers), plain, "{fields:?}");
        };
        check(&[("content-type", "application/json")], true);
        check(&[("content-type", "Application/JSON; charset=UTF-8")], true);
        check(&[], false);
        check(&[("content-type", "text/plain")], false);
        check(&[("content-type", "application/json; charset=utf-16")], false);
        check(&[("content-type", "application/json"), ("content-type", "text/plain")], false);
        check(&[("content-type", "application/json"), ("content-encoding", "gzip")], false);
    }
}
