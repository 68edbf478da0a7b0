//! The emergency door of the login host, and the page by which the operator lets somebody enrol for it.

use super::Site;
use super::forms::Fields;
use super::login_host::is_page_navigation;
use super::render::{At, form};
use crate::kernel::refusal::Refusal;
use crate::language::Text;
use crate::login::{EmergencyPage, EmergencyStep, Visitor};
use crate::pages::{Brand, Ceremony, Href, Link, Local, Name, Notice, Page, Passkey};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{Method, Response, StatusCode};

/// The door.
pub(super) const ENTER: &str = "/login/emergency";
/// Where people enrol from a session of their own.
pub(super) const OWN: &str = "/login/emergency/enrol";
/// Where the operator's link leads.
pub(super) const NEW: &str = "/login/emergency/new";

impl Site {
    pub(super) async fn on_emergency(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (method, path): (&Method, &str),
    ) -> Response<Bytes> {
        let posted = || Fields::of_form(request);
        let answer = match (method.as_str(), path) {
            ("GET", _) if !is_page_navigation(request) => {
                return self.refuse_request(request, visitor, Refusal::CrossSite).await;
            }
            ("GET", ENTER) => self.login.ask_emergency(visitor),
            ("GET", OWN) => self.login.ask_own_emergency(visitor).await,
            ("GET", NEW) => self.login.ask_new_emergency(visitor, Fields::of_query(request).text("start")).await,
            ("POST", ENTER) => {
                let form = posted();
                let sealed = (form.text("csrf"), form.text("to"));
                self.login.take_emergency(visitor, sealed, form.text("credential")).await
            }
            ("POST", NEW) => {
                let form = posted();
                let sealed = (form.text("csrf"), form.text("to"));
                self.login.take_new_emergency(visitor, sealed, (form.text("credential"), form.text("label"))).await
            }
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }
}

/// The page of a step of the door. `host` stands where a product's name does elsewhere.
pub(super) fn page(step: EmergencyStep, host: &str) -> Option<Page> {
    let brand = Brand { name: Name::configured(host), colour: None };
    let (ceremony, action) = match step.page {
        EmergencyPage::Enter => (Ceremony::Emergency, ENTER),
        EmergencyPage::Enrol(email) => (Ceremony::EmergencyEnrol { email }, NEW),
        EmergencyPage::Enrolled => {
            let (title, text) = ("emergency-enrolled", "emergency-enrolled-text");
            return notice(brand, (StatusCode::OK, title, text), "/");
        }
        EmergencyPage::Over => {
            let (title, text) = ("emergency-over", "emergency-over-text");
            return notice(brand, (StatusCode::BAD_REQUEST, title, text), "/");
        }
        EmergencyPage::NotHere => {
            let (title, text) = ("emergency-not-here", "emergency-not-here-text");
            return notice(brand, (StatusCode::FORBIDDEN, title, text), "/");
        }
        EmergencyPage::TooMany => {
            let (title, text) = ("said-too-many", "emergency-too-many-text");
            return notice(brand, (StatusCode::TOO_MANY_REQUESTS, title, text), ENTER);
        }
    };
    let form = form(&step.form, action)?;
    let (options, failed, other) = (step.options, step.failed, Href::parse("/").ok()?);
    Some(Page::Local(Box::new(Local::Passkey(Passkey { brand, form, ceremony, options, other, failed }))))
}

fn notice(brand: Brand, (status, title, text): (StatusCode, &'static str, &'static str), href: &str) -> Option<Page> {
    let next = Link { label: Text::of("emergency-go"), href: Href::parse(href).ok()? };
    let notice = Notice { brand, status: status.as_u16(), title: Text::of(title), text: Text::of(text), next };
    Some(Page::Local(Box::new(Local::Notice(notice))))
}
