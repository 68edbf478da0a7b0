//! The emergency door of the login host, and the page by which the operator lets somebody enrol for it.

use super::Site;
use super::forms::Fields;
use super::login_host::is_page_navigation;
use super::render::{At, form};
use crate::kernel::refusal::Refusal;
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
        self.respond(answer, At::Login)
    }
}

/// The page of a step of the door. `host` stands where a product's name does elsewhere.
pub(super) fn page(step: EmergencyStep, host: &str) -> Option<Page> {
    let brand = Brand { name: Name::configured(host), colour: None };
    let (ceremony, action) = match step.page {
        EmergencyPage::Enter => (Ceremony::Emergency, ENTER),
        EmergencyPage::Enrol(email) => (Ceremony::EmergencyEnrol { email }, NEW),
        EmergencyPage::Enrolled => {
            let text = "It opens the emergency door of this login service, and nothing else. Everybody who administers your \
                        organization is told whenever it is used.";
            return notice(brand, (StatusCode::OK, "Your emergency passkey is enrolled", text), "/");
        }
        EmergencyPage::Over => {
            let text = "It was used, or its time is over. Ask the operator of this login service for a new one.";
            return notice(brand, (StatusCode::BAD_REQUEST, "This link has expired", text), "/");
        }
        EmergencyPage::NotHere => {
            let text = "Log in by your organization first. Whom it doesn’t name for emergencies enrols by a link from the operator of \
                        this login service, and so does who has a second step here.";
            return notice(brand, (StatusCode::FORBIDDEN, "You can’t enrol here", text), "/");
        }
        EmergencyPage::TooMany => {
            let text = "Wait a quarter of an hour and try again, or try from another network.";
            return notice(brand, (StatusCode::TOO_MANY_REQUESTS, "Too many tries", text), ENTER);
        }
    };
    let form = form(&step.form, action)?;
    let (options, failed, other) = (step.options, step.failed, Href::parse("/").ok()?);
    Some(Page::Local(Box::new(Local::Passkey(Passkey { brand, form, ceremony, options, other, failed }))))
}

fn notice(brand: Brand, (status, title, text): (StatusCode, &str, &str), href: &str) -> Option<Page> {
    let next = Link { label: "On to the login".to_owned(), href: Href::parse(href).ok()? };
    let notice = Notice { brand, status: status.as_u16(), title: title.to_owned(), text: text.to_owned(), next };
    Some(Page::Local(Box::new(Local::Notice(notice))))
}
