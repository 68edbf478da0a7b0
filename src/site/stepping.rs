//! The second step of people who log in by a provider: its pages on the login host, and the paths of their forms.

use super::Site;
use super::forms::Fields;
use super::local::{grouped, qr};
use super::login_host::is_page_navigation;
use super::render::{At, brand, form};
use crate::kernel::refusal::Refusal;
use crate::language::Text;
use crate::login::local::CeremonyFor;
use crate::login::{SteppingPage, SteppingStep, Visitor};
use crate::pages::{
    Brand, Ceremony, Code, CodeFrom, Enrol, Href, Link, Local, Name, Notice, Page, Passkey, Recovery, Steps,
};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{Method, Response, StatusCode};

/// A code; every other path begins so.
pub(super) const STEP: &str = "/login/step";
/// On with the login, after the recovery codes.
const ON: &str = "/login/step/on";
const PASSKEY: &str = "/login/step/passkey";
const PASSKEY_ANSWER: &str = "/login/step/passkey/answer";
const PASSKEY_NEW: &str = "/login/step/passkey/new";
const MAIL: &str = "/login/step/mail";
const APP: &str = "/login/step/app";
/// A person's own second steps.
pub(super) const OWN: &str = "/account/steps";
const OWN_APP: &str = "/account/steps/app";
const OWN_PASSKEY: &str = "/account/steps/passkey";

impl Site {
    pub(super) async fn on_stepping(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (method, path): (&Method, &str),
    ) -> Response<Bytes> {
        let form = Fields::of_form(request);
        let (sealed, login) = ((form.text("csrf"), form.text("to")), &self.login);
        let answer = match (method.as_str(), path) {
            ("GET", ON) if is_page_navigation(request) => login.resume_stepped(visitor).await,
            ("GET", ON) => return self.refuse_request(request, visitor, Refusal::CrossSite).await,
            // Reached by the back button or a reload: begin where it began.
            ("GET", _) => login.home(visitor).await,
            ("POST", STEP) => login.take_second(visitor, sealed, form.text("code")).await,
            ("POST", PASSKEY) => login.ask_second_passkey(visitor, sealed).await,
            ("POST", PASSKEY_ANSWER) => login.take_second_passkey(visitor, sealed, form.text("credential")).await,
            ("POST", PASSKEY_NEW) => {
                let made = (form.text("credential"), form.text("label"));
                login.take_first_passkey(visitor, sealed, made).await
            }
            ("POST", MAIL) => login.take_step_mail(visitor, sealed, form.text("code")).await,
            ("POST", APP) => login.take_first(visitor, sealed, (form.text("act"), form.text("code"))).await,
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }

    /// `/account/steps…`.
    pub(super) async fn on_own_steps(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        (method, path): (&Method, &str),
    ) -> Response<Bytes> {
        let form = Fields::of_form(request);
        let login = &self.login;
        let answer = match (method.as_str(), path) {
            ("GET" | "HEAD", OWN | OWN_APP | OWN_PASSKEY) if is_page_navigation(request) => {
                login.own_steps(visitor).await
            }
            ("GET" | "HEAD", OWN | OWN_APP | OWN_PASSKEY) => {
                return self.refuse_request(request, visitor, Refusal::CrossSite).await;
            }
            ("POST", OWN) => login.change_own_steps(visitor, form.text("csrf"), form.text("act")).await,
            ("POST", OWN_APP | OWN_PASSKEY) => {
                let made = (form.text("code"), form.text("credential"), form.text("label"));
                login.add_own_step(visitor, (form.text("csrf"), form.text("to")), made).await
            }
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }
}

/// The page of a step. `host` stands where a product's name does elsewhere, where nobody is on the way to one.
pub(super) fn page(step: SteppingStep, host: &str) -> Option<Page> {
    let brand = match &step.product {
        Some(product) => brand(product),
        None => Brand { name: Name::configured(host), colour: None },
    };
    let local = match step.page {
        SteppingPage::Code { form: fields, app, passkey, failed } => Local::Code(Code {
            brand,
            form: form(&fields, STEP)?,
            from: if app { CodeFrom::App } else { CodeFrom::Recovery },
            passkey: if passkey { Some(form(&fields, PASSKEY)?) } else { None },
            failed,
        }),
        SteppingPage::Mailed { form: fields, email, failed } => {
            let from = CodeFrom::Mailbox(email);
            Local::Code(Code { brand, form: form(&fields, MAIL)?, from, passkey: None, failed })
        }
        SteppingPage::App { form: fields, uri, key, passkey, failed } => {
            let (form, qr, key) = (form(&fields, APP)?, qr(&uri)?, grouped(&key));
            Local::Enrol(Enrol { brand, form, qr, key, passkey, failed })
        }
        SteppingPage::Passkey { form: fields, ceremony, options, other, failed } => {
            let (ceremony, action) = match ceremony {
                CeremonyFor::Enrol { email } => (Ceremony::Enrol { email: email.to_string() }, PASSKEY_NEW),
                CeremonyFor::First | CeremonyFor::Second => (Ceremony::Second, PASSKEY_ANSWER),
            };
            let (form, other) = (form(&fields, action)?, Href::parse(&other).ok()?);
            Local::Passkey(Passkey { brand, form, ceremony, options, other, failed })
        }
        SteppingPage::Own(own) => Local::Steps(Steps {
            brand,
            form: form(&own.form, OWN)?,
            factors: own.factors,
            recovery_left: own.recovery_left,
            last_stays: own.last_stays,
            fresh: own.fresh,
            may_add: own.may_add,
            account: Href::parse(super::account::ACCOUNT).ok()?,
        }),
        SteppingPage::OwnApp { form: fields, uri, key, failed } => {
            let (form, qr, key) = (form(&fields, OWN_APP)?, qr(&uri)?, grouped(&key));
            Local::Enrol(Enrol { brand, form, qr, key, passkey: false, failed })
        }
        SteppingPage::OwnPasskey { form: fields, ceremony, options, other, failed } => {
            let ceremony = match ceremony {
                CeremonyFor::Enrol { email } => Ceremony::Enrol { email: email.to_string() },
                CeremonyFor::First | CeremonyFor::Second => Ceremony::Second,
            };
            let (form, other) = (form(&fields, OWN_PASSKEY)?, Href::parse(&other).ok()?);
            Local::Passkey(Passkey { brand, form, ceremony, options, other, failed })
        }
        SteppingPage::Recovery { codes, next } => {
            Local::Recovery(Recovery { brand, codes, next: Href::parse(&next).ok()? })
        }
        SteppingPage::TooMany { again } => {
            notice(brand, StatusCode::TOO_MANY_REQUESTS, ("said-too-many", "step-too-many-text"), &again)?
        }
        SteppingPage::Over { again } => {
            notice(brand, StatusCode::BAD_REQUEST, ("step-over", "step-over-text"), &again)?
        }
    };
    Some(Page::Local(Box::new(local)))
}

fn notice(brand: Brand, status: StatusCode, (title, text): (&'static str, &'static str), again: &str) -> Option<Local> {
    let next = Link { label: Text::of("step-again"), href: Href::parse(again).ok()? };
    Some(Local::Notice(Notice { brand, status: status.as_u16(), title: Text::of(title), text: Text::of(text), next }))
}
