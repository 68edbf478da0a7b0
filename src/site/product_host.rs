//! `/.fedgate/…` on product hosts, and the products' own doors.

use super::forms::Fields;
use super::languages::keeping;
use super::login_host::is_page_navigation;
use super::render::{self, At};
use super::{Site, declared};
use crate::kernel::refusal::Refusal;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Token;
use crate::login::{Cookies, ProductHost, SESSION, Visitor};
use crate::web::{Admission, Ask, Door, PageRequest, Sessions as _};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};

impl Site {
    pub(super) async fn on_product_host(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        place: (&ProductHost, &[String]),
    ) -> Response<Bytes> {
        let (at, doors) = place;
        let path = request.head.uri.path();
        // A service worker must not live where it would see every code (rule H7).
        if request.head.headers.get("service-worker").is_some() {
            return render::empty(StatusCode::NOT_FOUND);
        }
        if request.door.is_none() && super::account::ALL_HERE.contains(&path) {
            return self.on_account_here(request, visitor, at).await;
        }
        if let Some(response) = self.on_local(request, visitor, at).await {
            return response;
        }
        let method = request.head.method.as_str();
        match (request.door, method, path) {
            (None, "GET", "/.fedgate/login") => self.leave_product(request, visitor, (at, doors)).await,
            (None, "GET", "/.fedgate/step-up") => self.step_up(request, visitor, (at, doors)).await,
            (None, "GET", "/.fedgate/finish") => self.finish(request, visitor, at).await,
            (None, "GET", super::native::AUTHORIZE) => self.ask_for_app(request, visitor, at).await,
            (None, "POST", super::native::AUTHORIZE) => self.answer_for_app(request, visitor, at).await,
            (None, "GET" | "HEAD", "/.fedgate/session") => self.who(visitor, at).await,
            (None, "GET" | "HEAD", "/.fedgate/logout") | (Some(Door::Logout), "GET" | "HEAD", _) => {
                let answer = self.login.confirm_product_logout(visitor, at).await;
                self.respond(answer, At::Product, visitor)
            }
            (None, "POST", "/.fedgate/logout") | (Some(Door::Logout), "POST", _) => {
                let form = Fields::of_form(request);
                let everywhere = form.text("scope") == "everywhere";
                let answer = self.login.leave_session(visitor, at, everywhere, form.text("to")).await;
                forget_pages(self.respond(answer, At::Product, visitor))
            }
            // The password is kept where people log in; the answer is the same for everybody (row T06).
            (Some(Door::Reset), "GET" | "HEAD" | "POST", _) => self.reset(),
            // A password typed into the product's own form goes nowhere (rule M11): the login begins instead.
            (Some(Door::Login | Door::Signup), "GET" | "HEAD" | "POST", _) => {
                render::redirect("/.fedgate/login?return_to=%2F", &[], false)
            }
            _ => self.not_found(request),
        }
    }

    /// A product's own password reset: on to the issuer's, or where there is none to the login.
    pub(super) fn reset(&self) -> Response<Bytes> {
        let catalog = self.login.world().catalog.load();
        let to = catalog.reset_url.as_deref().unwrap_or("/.fedgate/login?return_to=%2F");
        render::redirect(to, &[], false)
    }

    async fn leave_product(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        place: (&ProductHost, &[String]),
    ) -> Response<Bytes> {
        let (at, doors) = place;
        if !is_page_navigation(request) && !is_passed_on(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let fields = Fields::of_query(request);
        let return_to = return_to(doors, fields.text("return_to"));
        let again = fields.text("again").parse().unwrap_or(0);
        let answer = self.login.leave_product(visitor, at, &return_to, again).await;
        self.respond(keeping(answer, request, visitor), At::Product, visitor)
    }

    /// A path asks for a proof of just now; `for=security` asks for one before a person's own credentials are changed.
    async fn step_up(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        place: (&ProductHost, &[String]),
    ) -> Response<Bytes> {
        let (at, doors) = place;
        if !is_page_navigation(request) && !is_passed_on(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let fields = Fields::of_query(request);
        let (return_to, within) = match (fields.text("for"), &at.product.step_up) {
            ("security", _) => (super::local::paths::SECURITY.to_owned(), crate::login::JUST_NOW),
            (_, Some(asked)) => (return_to(doors, fields.text("return_to")), asked.within),
            (_, None) => return render::redirect(&return_to(doors, fields.text("return_to")), &[], false),
        };
        let answer = self.login.step_up(visitor, at, &return_to, within).await;
        self.respond(answer, At::Product, visitor)
    }

    async fn finish(&self, request: &PageRequest, visitor: &Visitor, at: &ProductHost) -> Response<Bytes> {
        if !is_page_navigation(request) && !is_passed_on(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let answer = self.login.finish_at_product(visitor, at, Fields::of_query(request).text("code")).await;
        self.respond(answer, At::Product, visitor)
    }

    /// `GET /.fedgate/session`: who is logged in, as JSON; 401 without a session.
    async fn who(&self, visitor: &Visitor, at: &ProductHost) -> Response<Bytes> {
        match self.session_of(&visitor.cookies, visitor, at).await {
            Admission::Admitted(session) => self.describe(visitor, at, &session).await,
            Admission::Unavailable => render::empty(StatusCode::SERVICE_UNAVAILABLE),
            Admission::Nobody | Admission::Refused(_) => super::account::nobody(at),
        }
    }

    async fn session_of(&self, cookies: &Cookies, visitor: &Visitor, at: &ProductHost) -> Admission {
        let token = cookies.one(SESSION).and_then(|text| Token::parse(text.as_bytes()));
        match token {
            None => Admission::Nobody,
            Some(token) => {
                let ask = Ask {
                    token: &token,
                    key: None,
                    product: &at.product.name,
                    host: &at.host,
                    client: visitor.client,
                    now: visitor.now,
                    active: false,
                };
                self.live.admit(&ask).await
            }
        }
    }

    pub(super) fn wants_page(request: &PageRequest) -> bool {
        declared(&request.head.headers).is_navigation()
    }
}

/// A navigation that this host's own service worker passes on, as products that work offline do (`fetch(event.request)`): Chromium
/// then names no destination. No script can make a request of this mode (Fetch §5.4), a sibling's neither, so that rule H6 holds: and
/// what a worker passes on for a frame comes no further than to the login host, whose requests no product's worker touches.
fn is_passed_on(request: &PageRequest) -> bool {
    let says = |name: &str, value: &str| request.head.headers.get(name).is_some_and(|said| said == value);
    says("sec-fetch-mode", "navigate") && says("sec-fetch-dest", "empty")
}

/// Whoever goes back after the person has left finds no page of theirs in the browser's cache (rule H8). What a tab keeps in its
/// memory nobody but its user can take away; the page says to close the browser on a shared computer.
fn forget_pages(mut response: Response<Bytes>) -> Response<Bytes> {
    let cache = HeaderValue::from_static("\"cache\"");
    response.headers_mut().insert(HeaderName::from_static("clear-site-data"), cache);
    response
}

/// Where the data path offers a kept request.
const REPLAY: &str = "/.fedgate/replay";

/// A path and query of this host in normal form; anything else becomes `/`. Never a door, never ours (rule M11) but [`REPLAY`].
fn return_to(doors: &[String], text: &str) -> String {
    let is_local = text.starts_with('/') && !text.starts_with("//") && text.len() <= 2048 && !text.contains('#');
    let parsed = if is_local { NormalPath::parse(text).ok() } else { None };
    match parsed {
        // The one page of ours to come back to: it only asks whether a kept request shall be sent (rule H9).
        Some(path) if path.is(REPLAY) => path.target(),
        Some(path) if path.path().to_ascii_lowercase().starts_with("/.fedgate") => "/".to_owned(),
        Some(path) if doors.iter().any(|door| path.is(door)) => "/".to_owned(),
        Some(path) => path.target(),
        None => "/".to_owned(),
    }
}
