//! Answers of a login as responses: a page with its headers, or a redirect, and the cookies.

use super::Site;
use super::local::paths;
use super::texts;
use crate::kernel::model::Product;
use crate::kernel::refusal::Refusal;
use crate::language::Text;
use crate::login::{Answer, Form, Person, Refused, Step, There, Towards, Visitor};
use crate::pages::{
    App, Brand, Choice, Colour, ConfirmLogout, Email, Fault, Form as PageForm, Go, Home, Hop, Href, Html, Link, Loop,
    Name, Page, Person as PagePerson, ProductLink, Reader, Reenter, Reference, Refusal as RefusalPage, SignedOut,
    Submit, There as PageThere, Towards as PageTowards, Utc, Way,
};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

/// Where the answer is shown.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum At {
    /// On the login host.
    Login,
    /// On a product host.
    Product,
}

impl Site {
    /// The response of an answer.
    pub(super) fn respond(&self, answer: Answer, at: At, visitor: &Visitor) -> Response<Bytes> {
        self.respond_to(answer, at, &reader(visitor, at))
    }

    /// The response of an answer, for somebody whose wishes are known.
    pub(super) fn respond_to(&self, answer: Answer, at: At, reader: &Reader) -> Response<Bytes> {
        let Answer { step, cookies, clear_site } = answer;
        match step {
            Step::Go(to) => redirect(&to, &cookies, clear_site),
            Step::Leave { url, by_form: false, .. } => redirect(&url, &cookies, clear_site),
            step => match self.page(step, at) {
                Some(page) => html(self.pages.render(&page, reader), &cookies),
                None => {
                    tracing::error!("a page could not be put together");
                    empty(StatusCode::INTERNAL_SERVER_ERROR)
                }
            },
        }
    }

    fn page(&self, step: Step, at: At) -> Option<Page> {
        Some(match step {
            Step::Go(_) => return None,
            Step::Account(step) => {
                let host = self.login.world().catalog.load().login.host().to_owned();
                super::account::page(*step, &host)?
            }
            Step::Emergency(step) => {
                let host = self.login.world().catalog.load().login.host().to_owned();
                super::emergency::page(*step, &host)?
            }
            Step::Stepping(step) => {
                let host = self.login.world().catalog.load().login.host().to_owned();
                super::stepping::page(*step, &host)?
            }
            Step::Console(step) => {
                let host = self.login.world().catalog.load().login.host().to_owned();
                super::console::door_page(step, &host)?
            }
            Step::AskEmail(ask) => Page::Email(Email {
                brand: ask.product.as_deref().map(brand),
                form: form(&ask.form, identify_action(at))?,
                prefill: ask.prefill,
                invalid: ask.invalid,
                passkey: ask.passkey.map(|url| Href::parse(&url)).transpose().ok()?,
            }),
            Step::Choose(choose) => Page::Choice(Choice {
                brand: choose.product.as_deref().map(brand),
                change: Href::parse(&format!("{}?to={}", first_page(at), choose.form.to)).ok()?,
                form: form(&choose.form, depart_action(at))?,
                email: choose.email.to_string(),
                ways: choose
                    .ways
                    .into_iter()
                    .enumerate()
                    .map(|(place, way)| Way {
                        name: if way.first { Name::organization(&way.label) } else { Name::configured(&way.label) },
                        go: Go::Post(way.name),
                        primary: place == 0,
                    })
                    .collect(),
            }),
            Step::Local(step) => return super::local::page(*step),
            Step::Leave { towards, provider, url, product, .. } => Page::Hop(Hop {
                brand: product.as_deref().map(brand),
                towards: page_towards(towards, &provider),
                href: Href::parse(&url).ok()?,
            }),
            Step::Submit { towards, provider, posting, product } => Page::Submit(Submit {
                brand: product.as_deref().map(brand),
                towards: page_towards(towards, &provider),
                action: posting.action,
                field: posting.field,
                message: posting.message,
                relay_state: posting.relay_state,
            }),
            Step::Reenter { product, person: who, form: fields } => Page::Reenter(Reenter {
                brand: brand(&product),
                person: person(&who),
                other: Href::parse(&format!("/login?to={}", fields.to)).ok()?,
                form: form(&fields, "/login/continue")?,
            }),
            Step::Home { person: who, products, emergency, console, form: fields } => Page::Home(Home {
                console: console.then(|| Href::parse(crate::login::CONSOLE).ok()).flatten(),
                person: person(&who),
                emergency: emergency.then(|| Href::parse(super::emergency::OWN).ok()).flatten(),
                account: Href::parse(super::account::ACCOUNT).ok()?,
                products: products.iter().filter_map(|product| product_link(product)).collect(),
                logout: form(&fields, "/logout")?,
            }),
            Step::ConfirmLogout { product, person: who, form: fields } => Page::ConfirmLogout(ConfirmLogout {
                brand: product.as_deref().map(brand),
                person: person(&who),
                form: form(&fields, logout_action(at))?,
                stay: Href::parse("/").ok()?,
            }),
            Step::SignedOut { product, everywhere, there } => Page::SignedOut(SignedOut {
                brand: product.as_ref().map(|(product, _)| brand(product)),
                again: Href::parse("/").ok()?,
                everywhere: match everywhere {
                    Some(fields) => Some(form(&fields, logout_action(at))?),
                    None => None,
                },
                there: there.map(|(provider, there)| {
                    let there = match there {
                        There::Over => PageThere::Over,
                        There::Partly => PageThere::Partly,
                        There::Unknown => PageThere::Unknown,
                    };
                    (Name::configured(&provider), there)
                }),
            }),
            Step::App(step) => Page::App(App {
                brand: brand(&step.product),
                app: Name::configured(&step.app),
                person: person(&step.person),
                form: form(&step.form, super::native::AUTHORIZE)?,
                goes_to: step.goes_to,
            }),
            Step::Refused(refused) => self.refusal(&refused, at)?,
            Step::Loop(refused) => Page::Loop(Loop {
                brand: refused.product.as_deref().map(brand),
                reference: reference(&refused),
                again: again(&refused)?,
            }),
            Step::Fault { reference, at, outage } => {
                let reference = Reference { code: reference.to_string(), at: Utc(at.seconds()) };
                if outage { outage_page(reference)? } else { Page::Fault(Fault { reference }) }
            }
        })
    }

    fn refusal(&self, refused: &Refused, at: At) -> Option<Page> {
        let texts = texts::of(refused);
        let other = refused.to.as_ref().filter(|_| at == At::Login).map(|to| format!("/login?to={to}"));
        let actions = match (texts.other_account, other) {
            // Trying again as the same person would end here again.
            (true, Some(other)) => vec![
                Link { label: Text::of("use-other-account"), href: Href::parse(&other).ok()? },
                Link { label: Text::of("log-out"), href: Href::parse("/logout").ok()? },
            ],
            // What came from a provider cannot be tried again from here.
            _ if matches!(refused.refusal, Refusal::Logout(_)) => {
                vec![Link { label: Text::of("log-out"), href: Href::parse("/logout").ok()? }]
            }
            _ => vec![Link { label: Text::of("try-again"), href: again(refused)? }],
        };
        Some(Page::Refusal(RefusalPage {
            status: texts.status.as_u16(),
            brand: refused.product.as_deref().map(brand),
            title: texts.title,
            what: texts.what,
            can_do: texts.can_do,
            ask: texts.ask,
            reference: reference(refused),
            actions,
        }))
    }
}

/// The store is out: nobody new gets in, and trying again later helps (rule M2).
fn outage_page(reference: Reference) -> Option<Page> {
    let [title, what, can_do, ask] = texts::OUTAGE;
    Some(Page::Refusal(RefusalPage {
        status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        brand: None,
        title,
        what,
        can_do,
        ask,
        reference,
        actions: vec![Link { label: Text::of("try-again"), href: Href::parse("/").ok()? }],
    }))
}

/// Who reads an answer's page.
pub(super) fn reader(visitor: &Visitor, at: At) -> Reader {
    Reader { language: visitor.language.clone(), picker: super::languages::picker(visitor, at) }
}

fn page_towards(towards: Towards, provider: &str) -> PageTowards {
    match towards {
        Towards::Provider => PageTowards::Provider(Name::configured(provider)),
        Towards::Product => PageTowards::Product,
        Towards::Review => PageTowards::Review,
        Towards::Logout => PageTowards::Logout,
    }
}

fn reference(refused: &Refused) -> Reference {
    Reference { code: refused.reference.to_string(), at: Utc(refused.at.seconds()) }
}

/// Where a fresh login begins: at the product, which remembers where the person wanted to go, else at the login host.
fn again(refused: &Refused) -> Option<Href> {
    let url = refused.again.as_ref().map_or_else(|| "/".to_owned(), |target| format!("{}/", target.host.url()));
    Href::parse(&url).ok()
}

fn logout_action(at: At) -> &'static str {
    match at {
        At::Login => "/logout",
        At::Product => "/.fedgate/logout",
    }
}

fn identify_action(at: At) -> &'static str {
    match at {
        At::Login => "/login/identify",
        At::Product => paths::IDENTIFY,
    }
}

fn depart_action(at: At) -> &'static str {
    match at {
        At::Login => "/login/depart",
        At::Product => paths::DEPART,
    }
}

/// Where the address is typed again.
fn first_page(at: At) -> &'static str {
    match at {
        At::Login => "/login",
        At::Product => paths::SIGN_IN,
    }
}

pub(super) fn brand(product: &Product) -> Brand {
    let colour = product.colour.map(|[red, green, blue]| Colour::new(red, green, blue));
    Brand { name: Name::configured(&product.label), colour }
}

fn product_link(product: &Product) -> Option<ProductLink> {
    let host = product.hosts.first()?;
    Some(ProductLink { brand: brand(product), href: Href::parse(&format!("{}/", host.url())).ok()? })
}

pub(super) fn person(person: &Person) -> PagePerson {
    PagePerson { name: person.name.clone(), email: person.email.clone() }
}

pub(super) fn form(form: &Form, action: &str) -> Option<PageForm> {
    Some(PageForm { action: Href::parse(action).ok()?, csrf: form.csrf.clone(), to: form.to.clone() })
}

fn set_cookies(response: &mut Response<Bytes>, cookies: &[String]) {
    for cookie in cookies {
        match HeaderValue::from_str(cookie) {
            Ok(value) => {
                response.headers_mut().append(SET_COOKIE, value);
            }
            Err(_) => tracing::error!("a cookie could not be written"),
        }
    }
}

/// A page with its fixed headers.
pub(super) fn html(html: Html, cookies: &[String]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(html.body));
    *response.status_mut() = StatusCode::from_u16(html.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = html.headers;
    set_cookies(&mut response, cookies);
    response
}

/// 303 to a path of this host or a URL of ours. `clear_site` makes the browser forget the person before this one (rule H8).
pub(super) fn redirect(to: &str, cookies: &[String], clear_site: bool) -> Response<Bytes> {
    let Ok(location) = HeaderValue::from_str(to) else {
        tracing::error!("a redirect could not be written");
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, location);
    if clear_site {
        let value = HeaderValue::from_static("\"cache\", \"storage\"");
        response.headers_mut().insert(HeaderName::from_static("clear-site-data"), value);
    }
    set_cookies(&mut response, cookies);
    response
}

/// An answer without a body, never cached.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// JSON text, never cached.
pub(super) fn json(text: String) -> Response<Bytes> {
    let mut response = empty(StatusCode::OK);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Bytes::from(text);
    response
}

/// `application/problem+json` (RFC 9457).
pub(super) fn problem(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = json(body.to_string());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
