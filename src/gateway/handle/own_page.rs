//! Requests for pages of ours: read whole, within limits, and handed to the site.

use super::Step;
use super::asked::declared;
use crate::gateway::answer::{self, Answer};
use crate::gateway::guard::queue;
use crate::gateway::table::Target;
use crate::gateway::upload::RequestBody;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::cookies;
use crate::kernel::request::path::NormalPath;
use crate::web::{PENDING_COOKIE, PageRequest};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Request, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The most that a form or an assertion to one of our own pages may have.
const PAGE_BODY: usize = 64 * 1024;

/// The most that a SAML response may have: 256 KiB of XML are 342 KiB of base64, and some of that is percent-encoded. Only a browser
/// that says it has a login under way may send as much. Anybody can say so, so that few of them are held at once, and fewer of one
/// client (rule H10).
const RESPONSE_BODY: usize = 512 * 1024;

/// How long it may take to arrive.
const PAGE_BODY_TIME: Duration = Duration::from_secs(10);

impl Step<'_> {
    /// `/.fedgate/…` and doors. What acts there must come from this host (rule H6).
    pub(super) async fn own_page(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: &Arc<Target>,
    ) -> Answer {
        if request.headers().get("service-worker").is_some_and(|value| value == "script") {
            return answer::plain(StatusCode::NOT_FOUND, "no service worker may stand here", self.id());
        }
        let found = cookies::session(request.headers().get_all(header::COOKIE).iter().map(HeaderValue::as_bytes));
        if let Some(refusal) = self.objection(&request, &found, target) {
            return self.refuse(refusal, &declared(request.headers()), Some(target));
        }
        self.page(request, path, Some(target)).await
    }

    pub(super) async fn page(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: Option<&Arc<Target>>,
    ) -> Answer {
        let core = &self.line.core;
        let guard = &core.shared.guard;
        // Kept until the answer is made: so long the response is in memory.
        let guest = brings_response(&request, path, target).then(|| guard.caps.guest(self.client));
        let _room = match &guest {
            Some(guest) => match queue::reply(&guard.replies, guest).await {
                Ok(room) => Some(room),
                Err(reason) => return self.turn_away(reason),
            },
            None => None,
        };
        let most = if guest.is_some() { RESPONSE_BODY } else { PAGE_BODY };
        let page = match self.read_within(most, request, path, target).await {
            Ok(page) => page,
            Err(answer) => return answer,
        };
        // What a proxy of the operator's own asks for each request of a live session waits behind no login.
        if path.is("/.fedgate/auth") {
            return answer::page(core.shared.routes.answer(page).await);
        }
        match queue::page(&guard.pages, &guard.caps, self.client).await {
            Ok(_room) => answer::page(core.errands.run(core.shared.routes.answer(page)).await),
            Err(reason) => self.turn_away(reason),
        }
    }

    /// A request for a page of ours with its body, or why there is none.
    pub(in crate::gateway) async fn read_page(
        &self,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: Option<&Arc<Target>>,
    ) -> Result<PageRequest, Answer> {
        self.read_within(PAGE_BODY, request, path, target).await
    }

    async fn read_within(
        &self,
        most: usize,
        request: Box<Request<RequestBody>>,
        path: &NormalPath<'_>,
        target: Option<&Arc<Target>>,
    ) -> Result<PageRequest, Answer> {
        let (mut head, body) = request.into_parts();
        let body = match timeout(PAGE_BODY_TIME, Limited::new(body, most).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(_)) => {
                // A tile of a company's portal may bring more than is read of a stranger: people get a page.
                return Err(self.refuse(Refusal::TooLarge, &declared(&head.headers), target));
            }
            Err(_) => return Err(answer::plain(StatusCode::REQUEST_TIMEOUT, "the form did not arrive", self.id())),
        };
        let Ok(uri) = path.target().parse() else {
            return Err(answer::plain(StatusCode::BAD_REQUEST, "the request has no single meaning", self.id()));
        };
        head.uri = uri;
        Ok(PageRequest {
            head,
            body,
            place: self.entry.place(target.map(|target| &**target)),
            door: target.and_then(|target| target.door(path)),
            client: self.client,
            request_id: self.id().to_owned(),
            now: self.now,
        })
    }
}

/// Whether a request brings a provider's response that is larger than a form, or does not say how large it is.
fn brings_response(request: &Request<RequestBody>, path: &NormalPath<'_>, target: Option<&Arc<Target>>) -> bool {
    let form = u64::try_from(PAGE_BODY).unwrap_or(u64::MAX);
    let is_larger = request.body().size_hint().upper().is_none_or(|length| length > form);
    is_larger && target.is_none() && path.target().starts_with("/saml/") && has_login_under_way(request.headers())
}

/// Whether the browser says that it has a login under way.
fn has_login_under_way(fields: &HeaderMap) -> bool {
    let name = PENDING_COOKIE.as_bytes();
    fields.get_all(header::COOKIE).iter().any(|line| line.as_bytes().windows(name.len()).any(|found| found == name))
}
