//! The console's routes. What is shown is the admin layer's, who may enter is the login's; here is which path is which.

use super::Site;
use super::forms::Fields;
use super::login_host::is_page_navigation;
use super::render::{self, At, form};
use super::{console_companies as companies, console_pages as shown};
use crate::admin::console::{ConsolePage, Filter, Nothing, may, page_of};
use crate::kernel::refusal::Refusal;
use crate::language::Text;
use crate::login::{CONSOLE, ConsoleStep, Door, Steward, Visitor, not_here};
use crate::pages::{Brand, Confirm, Href, Link, Local, Name, Notice, Page};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{Method, Response, StatusCode};

/// Asks for a proof of just now.
pub(super) const PROVE: &str = "/admin/prove";

impl Site {
    /// `/admin/…`.
    pub(super) async fn on_console(&self, request: &PageRequest, visitor: &Visitor) -> Response<Bytes> {
        let (method, path) = (request.head.method.as_str(), request.head.uri.path());
        if method != Method::POST && !is_page_navigation(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        if (method, path) == ("POST", PROVE) {
            let answer = self.login.prove_for_console(visitor, Fields::of_form(request).text("csrf")).await;
            return self.respond(answer, At::Login, visitor);
        }
        let posted = Fields::of_form(request);
        let changes = (method == Method::POST).then(|| posted.text("csrf"));
        let steward = match self.login.at_console(visitor, changes).await {
            Door::Open(steward) => steward,
            Door::Shut(answer) => return self.respond(*answer, At::Login, visitor),
        };
        if path == "/admin" {
            return render::redirect(CONSOLE, &steward.cookies, false);
        }
        let found = page_of(method, path).filter(|(page, _)| may(&steward.roles, page.scope));
        let answered = match found {
            Some((page, name)) => self.console_page(&steward, (page, name.unwrap_or_default()), request).await,
            None => Err(Nothing::NotHere),
        };
        self.console_answer(&steward, answered, visitor).await
    }

    async fn console_answer(
        &self,
        steward: &Steward,
        answered: Result<Shown, Nothing>,
        visitor: &Visitor,
    ) -> Response<Bytes> {
        match answered {
            Ok(Shown::Page(page)) => {
                let reader = render::reader(visitor, At::Login);
                render::html(self.pages.render(&page, &reader), &steward.cookies)
            }
            Ok(Shown::Go(to)) => render::redirect(&to, &steward.cookies, false),
            Err(Nothing::NotHere) => self.respond(not_here(), At::Login, visitor),
            Err(Nothing::Unavailable(fault)) => {
                self.respond(self.login.console_stopped(visitor, Ok(fault)).await, At::Login, visitor)
            }
            Err(Nothing::Fault(why)) => {
                self.respond(self.login.console_stopped(visitor, Err(why)).await, At::Login, visitor)
            }
        }
    }

    async fn console_page(
        &self,
        steward: &Steward,
        (page, name): (&ConsolePage, String),
        request: &PageRequest,
    ) -> Result<Shown, Nothing> {
        let (admin, query) = (&self.admin, Fields::of_query(request));
        let before = query.text("before").parse().ok();
        let page = match (page.method, page.path) {
            ("GET", "/admin/") if admin.is_support(steward) => shown::start(steward, None),
            ("GET", "/admin/") => shown::start(steward, Some(&admin.search_log(steward, &Filter::default()).await?)),
            ("GET", "/admin/people") => {
                let asked = query.text("q");
                shown::people(steward, asked, &admin.find_people(steward, asked).await?)
            }
            ("GET", "/admin/people/{account}") => {
                let portrait = admin.portrait(steward, &name).await?;
                let time_line = admin.time_line(steward, &portrait.account, before).await?;
                shown::person(steward, &portrait, (&time_line, query.text("ended") == "1"))
            }
            ("POST", "/admin/people/{account}/sessions") => {
                let form = Fields::of_form(request);
                match form.text("act") {
                    // Enter, and the button that asks for a proof of just now: the page again.
                    "" => {}
                    act => {
                        admin.end_sessions_of(steward, &name, act).await?;
                        return Ok(Shown::Go(format!("/admin/people/{name}?ended=1")));
                    }
                }
                return Ok(Shown::Go(format!("/admin/people/{name}")));
            }
            ("GET", "/admin/log") => {
                let text = |name: &str| query.text(name).trim().to_owned();
                let filter =
                    Filter { person: text("person"), action: text("action"), outcome: text("outcome"), before };
                shown::log(steward, &filter, &admin.search_log(steward, &filter).await?)
            }
            ("GET", "/admin/ref/{ref}") => {
                let asked = if name == "find" { query.text("ref").trim().to_owned() } else { name };
                match admin.story(steward, &asked).await {
                    Ok(story) => shown::story(steward, &asked, Some(&story)),
                    Err(Nothing::NotHere) => shown::story(steward, &asked, None),
                    Err(fault) => return Err(fault),
                }
            }
            ("GET", "/admin/organizations") => companies::all(steward, &admin.companies(steward)),
            ("GET", "/admin/organizations/{org}") => companies::one(steward, &admin.company(steward, &name).await?),
            _ => return Err(Nothing::NotHere),
        };
        page.map(|page| Shown::Page(Box::new(page)))
            .ok_or_else(|| Nothing::Fault("an address of ours does not parse".to_owned()))
    }
}

/// What a request of the console comes to.
enum Shown {
    Page(Box<Page>),
    Go(String),
}

/// A page of the door. `host` stands where a product's name does elsewhere.
pub(super) fn door_page(step: ConsoleStep, host: &str) -> Option<Page> {
    let brand = Brand { name: Name::configured(host), colour: None };
    let notice = |status: StatusCode, (title, text), (label, href): (&'static str, &str)| {
        let next = Link { label: Text::of(label), href: Href::parse(href).ok()? };
        let (title, text) = (Text::of(title), Text::of(text));
        let notice = Notice { brand: brand.clone(), status: status.as_u16(), title, text, next };
        Some(Page::Local(Box::new(Local::Notice(notice))))
    };
    match step {
        ConsoleStep::Prove { form: fields } => {
            let stay = Link { label: Text::of("back-to-start"), href: Href::parse("/").ok()? };
            let (title, label) = (Text::of("console-prove-title"), Text::of("console-prove-go"));
            let (form, text) = (form(&fields, PROVE)?, vec![Text::of("console-prove-text")]);
            Some(Page::Local(Box::new(Local::Confirm(Confirm { brand, form, title, text, label, stay }))))
        }
        ConsoleStep::Enrol => {
            let words = ("console-enrol-title", "console-enrol-text");
            notice(StatusCode::FORBIDDEN, words, ("console-enrol-go", super::stepping::OWN))
        }
        ConsoleStep::Emergency => {
            let words = ("console-prove-title", "console-emergency-text");
            notice(StatusCode::FORBIDDEN, words, ("console-prove-go", super::emergency::ENTER))
        }
        ConsoleStep::NotHere => {
            notice(StatusCode::NOT_FOUND, ("nothing-here-title", "console-nothing-text"), ("back-to-start", "/"))
        }
    }
}
