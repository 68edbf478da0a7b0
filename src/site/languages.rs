//! Languages of pages: what a request wishes for, and the picker.
//!
//! A page's language comes from its request alone, never from an account: else it would tell strangers which addresses there are
//! (rule H18). The picker's cookie is of one host, holds a tag and nothing else, and is not sent on to products.

use super::forms::Fields;
use super::local::paths;
use super::render::{self, At};
use super::{Site, account, another, stepping};
use crate::kernel::values::{Language, Wishes};
use crate::login::{Answer, Cookies, LANGUAGE, Visitor, language_cookie, language_for_now};
use crate::pages::{Href, Picker};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, header};

/// Where the picker posts on the login host.
pub(super) const PICK: &str = "/login/language";
/// The same on hosts of products.
pub(super) const PICK_HERE: &str = "/.fedgate/language";

impl Site {
    /// Who asks.
    pub(super) fn visitor(&self, request: &PageRequest) -> Visitor {
        let fields = &request.head.headers;
        let user_agent = fields.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let cookies = Cookies::of(fields);
        let wishes = wishes(fields, &cookies, Fields::of_query(request).text("ui_locales"));
        Visitor {
            language: self.pages.choose(&wishes),
            wishes,
            back: back(request),
            cookies,
            client: request.client,
            user_agent: user_agent.map(|text| text.chars().filter(|c| !c.is_control()).take(256).collect()),
            request_id: request.request_id.clone(),
            now: request.now,
        }
    }
}

/// The answer to a request that asks for a language: it is kept for the forms that follow, unless the person picked one here.
pub(super) fn keeping(answer: Answer, request: &PageRequest, visitor: &Visitor) -> Answer {
    let asks = !Fields::of_query(request).text("ui_locales").is_empty();
    match asks && visitor.cookies.one(LANGUAGE).is_none() && visitor.wishes.ui_locales().is_some() {
        true => answer.with_cookie(language_for_now(&visitor.language)),
        false => answer,
    }
}

fn wishes(fields: &HeaderMap, cookies: &Cookies, ui_locales: &str) -> Wishes {
    let accepted = fields.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Wishes::of(cookies.one(LANGUAGE), ui_locales, accepted)
}

/// The picker of a page, where its page can be shown again.
pub(super) fn picker(visitor: &Visitor, at: At) -> Option<Picker> {
    let action = if at == At::Login { PICK } else { PICK_HERE };
    let back = Href::parse(visitor.back.as_deref()?).ok()?;
    Some(Picker { action: Href::parse(action).ok()?, back })
}

impl Site {
    /// `POST /login/language` and `/.fedgate/language`: keeps the picked language, and shows the page again.
    pub(super) fn pick(&self, request: &PageRequest) -> Response<Bytes> {
        let form = Fields::of_form(request);
        let back = Some(form.text("back")).filter(|back| is_repeatable(back.split('?').next().unwrap_or_default()));
        let back = back.filter(|back| Href::parse(back).is_ok()).unwrap_or("/");
        let picked = Language::parse(form.text("language")).ok().filter(|language| self.pages.speaks(language));
        let cookies: Vec<String> = picked.iter().map(language_cookie).collect();
        render::redirect(back, &cookies, false)
    }
}

/// Longest address of a page that the picker comes back to, in bytes.
const LONGEST: usize = 2048;

/// Pages that show the same when they are asked for again: nothing is used up by them, and nothing is done.
const REPEATABLE: [&str; 20] = [
    "/",
    "/login",
    "/login/to",
    "/login/passkey",
    "/login/emergency",
    "/logout",
    "/logout/done",
    account::ACCOUNT,
    stepping::OWN,
    another::ADDRESS,
    paths::LINK,
    paths::MERGE,
    paths::SIGN_IN,
    paths::RESET,
    paths::SECURITY,
    paths::CHANGE,
    paths::MOVE,
    paths::PROVE,
    account::HERE,
    "/.fedgate/logout",
];

fn is_repeatable(path: &str) -> bool {
    REPEATABLE.contains(&path)
}

/// Where the page of a request is asked for again, so that the login under way goes on from there. The answer to a form leads back to
/// the page on which its address was typed, which keeps the handle of the login. None: what was asked for may happen once.
fn back(request: &PageRequest) -> Option<String> {
    let uri = &request.head.uri;
    let whole = uri.path_and_query().map_or("/", |text| text.as_str());
    match (&request.head.method, uri.path()) {
        (&Method::GET | &Method::HEAD, path) => {
            (is_repeatable(path) && whole.len() <= LONGEST).then(|| whole.to_owned())
        }
        (&Method::POST, path) => {
            let first = match path {
                "/login/identify" | "/login/depart" => "/login",
                paths::IDENTIFY | paths::DEPART | paths::PASSWORD => paths::SIGN_IN,
                _ => return None,
            };
            let form = Fields::of_form(request);
            let to = form.text("to");
            let is_handle = to.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
            (is_handle && !to.is_empty() && to.len() <= LONGEST).then(|| format!("{first}?to={to}"))
        }
        _ => None,
    }
}
