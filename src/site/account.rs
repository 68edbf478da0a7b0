//! A person's own account: `/account` on the login host, `/.fedgate/account` on hosts of products, and what a product is told of a session.

use super::Site;
use super::forms::Fields;
use super::login_host::is_page_navigation;
use super::render::{self, At, brand, form, person};
use crate::kernel::model::{Product, ProductAccountState, Scope};
use crate::kernel::refusal::Refusal;
use crate::language::{Fact, Text};
use crate::login::{
    About, AccountChange, AccountPage, AccountStep, Kind, Manager, Overview, OwnTokens, ProductHost, SeenBy,
    SeenSession, SeenToken, TokenWish, Told, Visitor,
};
use crate::pages::{
    Account, AccountWay, Brand, By, Confirm, Device, Href, Link, Local, Name, Notice, Page, Statement, Token, Tokens,
    Utc,
};
use crate::web::{LiveSession, PageRequest};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// On the login host.
pub(super) const ACCOUNT: &str = "/account";
/// On the login host: ends sessions.
const SESSIONS: &str = "/account/sessions";
/// On the login host: on to where name and address are changed.
const PROFILE: &str = "/account/profile";
/// On the login host: on to where the password is changed.
const PASSWORD: &str = "/account/password";
/// On the login host: API tokens.
const TOKENS: &str = "/account/tokens";
/// On the login host: the account's end.
const DELETE: &str = "/account/delete";
/// On the login host: takes a deletion back.
pub(super) const RESTORE: &str = "/login/restore";
/// On a product's host.
pub(super) const HERE: &str = "/.fedgate/account";
/// On a product's host: ends sessions.
pub(super) const SESSIONS_HERE: &str = "/.fedgate/account/sessions";
/// On a product's host: ends an account that is nothing but a password of that product.
pub(super) const DELETE_HERE: &str = "/.fedgate/account/delete";
/// And takes that back.
pub(super) const RESTORE_HERE: &str = "/.fedgate/account/restore";
/// Everything of a person's own account on a product's host.
pub(super) const ALL_HERE: [&str; 4] = [HERE, SESSIONS_HERE, DELETE_HERE, RESTORE_HERE];

impl Site {
    /// `/account…` on the login host.
    pub(super) async fn on_account(&self, request: &PageRequest, visitor: &Visitor) -> Response<Bytes> {
        let login = &self.login;
        let answer = match (request.head.method.as_str(), request.head.uri.path()) {
            ("GET" | "HEAD", _) if !is_page_navigation(request) => {
                return self.refuse_request(request, visitor, Refusal::CrossSite).await;
            }
            ("GET" | "HEAD", ACCOUNT) => login.account(visitor, None, has_ended(request)).await,
            // Reached by the back button or a reload: the page that the form stood on.
            ("GET" | "HEAD", SESSIONS) => login.account(visitor, None, false).await,
            ("GET" | "HEAD", PROFILE) => login.change_elsewhere(visitor, AccountChange::Profile).await,
            ("GET" | "HEAD", PASSWORD) => login.change_elsewhere(visitor, AccountChange::Password).await,
            ("GET" | "HEAD", DELETE) => login.ask_delete(visitor, None).await,
            ("POST", DELETE) => {
                let form = Fields::of_form(request);
                login.delete_own(visitor, None, (form.text("csrf"), form.text("to"))).await
            }
            ("GET" | "HEAD", TOKENS) => login.own_tokens(visitor).await,
            ("POST", TOKENS) => self.change_tokens(request, visitor).await,
            ("POST", SESSIONS) => self.end_sessions(request, visitor, None).await,
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Login, visitor)
    }

    /// `/.fedgate/account…` on a product's host.
    pub(super) async fn on_account_here(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Response<Bytes> {
        let answer = match (request.head.method.as_str(), request.head.uri.path()) {
            ("GET" | "HEAD", _) if !is_page_navigation(request) => {
                return self.refuse_request(request, visitor, Refusal::CrossSite).await;
            }
            ("GET" | "HEAD", HERE) => self.login.account(visitor, Some(at), has_ended(request)).await,
            ("GET" | "HEAD", SESSIONS_HERE) => self.login.account(visitor, Some(at), false).await,
            ("POST", SESSIONS_HERE) => self.end_sessions(request, visitor, Some(at)).await,
            ("GET" | "HEAD", DELETE_HERE) => self.login.ask_delete(visitor, Some(at)).await,
            ("POST", DELETE_HERE) => {
                let form = Fields::of_form(request);
                self.login.delete_own(visitor, Some(at), (form.text("csrf"), form.text("to"))).await
            }
            // Reached by a reload: what the form was about is asked anew, at the door.
            ("GET" | "HEAD", RESTORE_HERE) => self.login.account(visitor, Some(at), false).await,
            ("POST", RESTORE_HERE) => {
                let form = Fields::of_form(request);
                self.login.restore(visitor, Some(at), (form.text("csrf"), form.text("to"))).await
            }
            _ => return self.not_found(request),
        };
        self.respond(answer, At::Product, visitor)
    }

    async fn end_sessions(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: Option<&ProductHost>,
    ) -> crate::login::Answer {
        let form = Fields::of_form(request);
        self.login.end_sessions(visitor, at, (form.text("csrf"), form.text("to")), form.text("act")).await
    }

    async fn change_tokens(&self, request: &PageRequest, visitor: &Visitor) -> crate::login::Answer {
        let form = Fields::of_form(request);
        let wish = TokenWish { label: form.text("label"), days: form.text("days") };
        self.login.change_own_tokens(visitor, form.text("csrf"), form.text("act"), wish).await
    }

    /// What a product is told of a live session, as JSON.
    pub(super) async fn describe(&self, visitor: &Visitor, at: &ProductHost, session: &LiveSession) -> Response<Bytes> {
        match self.login.tell_session(visitor, at, session).await {
            Ok(Some(told)) => render::json(told_of(session, &told).to_string()),
            Ok(None) => nobody(at),
            Err(fault) => {
                tracing::warn!(%fault, request = visitor.request_id, "a session could not be told of");
                render::empty(StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }
}

/// Nobody is logged in at a product.
pub(super) fn nobody(at: &ProductHost) -> Response<Bytes> {
    let body = json!({
        "type": "about:blank", "title": "Nobody is logged in here", "status": 401,
        "login_url": format!("{}/.fedgate/login", at.host.url()),
    });
    render::problem(StatusCode::UNAUTHORIZED, &body)
}

/// docs/session.md describes it.
fn told_of(session: &LiveSession, told: &Told) -> Value {
    let Told { account, record, about, expires_at, ends_at } = told;
    let step = &about.second_step;
    let update = about.update.as_ref();
    json!({
        "sub": record.sub,
        "sid": session.sid.to_string(),
        "email": account.email.as_ref().map(ToString::to_string),
        "name": account.name,
        "kind": about.kind.code(),
        "provider": about.provider,
        "linked": matches!(record.state, ProductAccountState::Linked | ProductAccountState::Merged(_)),
        "managed": about.manager.is_some(),
        "managed_by": about.manager.as_ref().map(|manager| &manager.label),
        "enterprise": about.enterprise,
        "account_url": about.account_url,
        "profile_url": about.profile_url,
        "password_url": about.password_url,
        "reset_url": about.reset_url,
        "security_url": about.security_url,
        "move_url": update.map(|_| super::local::paths::MOVE),
        "move_by": update.and_then(|update| update.by).map(|by| by.to_string()),
        "update": update.map(|update| json!({
            "required": update.required, "provider": update.provider, "url": update.url, "asked_by": update.asked_by,
        })),
        "second_step": {
            "enrolled": step.enrolled, "required": step.required,
            "taken_at": step.taken_at.map(|at| at.to_string()),
        },
        "expires_at": expires_at.to_string(),
        "ends_at": ends_at.to_string(),
    })
}

/// The page says so once; whoever makes it up tells nobody but themselves.
fn has_ended(request: &PageRequest) -> bool {
    Fields::of_query(request).text("ended") == "1"
}

/// The page of a step. `host` stands where a product's name does elsewhere. `None` only when an address of ours does not parse.
pub(super) fn page(step: AccountStep, host: &str) -> Option<Page> {
    let AccountStep { product, page } = step;
    let named = || product.as_deref().map_or_else(|| Brand { name: Name::configured(host), colour: None }, brand);
    match page {
        AccountPage::Overview(overview) => overview_page(*overview, product.as_deref()),
        AccountPage::Tokens(tokens) => tokens_page(*tokens, named()),
        AccountPage::AskAdmin(manager) => ask_admin(named(), &manager, if product.is_some() { HERE } else { ACCOUNT }),
        AccountPage::Delete { form: fields, at } => {
            let text = vec![Text::of("delete-until").and("day", Fact::Day(at.seconds())), Text::of("delete-after")];
            let (delete, account) = if product.is_some() { (DELETE_HERE, HERE) } else { (DELETE, ACCOUNT) };
            agree(named(), form(&fields, delete)?, ("delete-title", text, "delete-go"), ("delete-keep", account))
        }
        AccountPage::Restore { form: fields, at } => {
            let text = vec![Text::of("restore-when").and("day", Fact::Day(at.seconds())), Text::of("restore-keep")];
            let restore = if product.is_some() { RESTORE_HERE } else { RESTORE };
            agree(named(), form(&fields, restore)?, ("restore-title", text, "restore-go"), ("restore-leave", "/"))
        }
        AccountPage::Deleting { at } => {
            let text = Text::of("deleting-text").and("day", Fact::Day(at.seconds()));
            said(named(), ("deleting-title", text), ("back-to-start", "/"))
        }
        AccountPage::Restored => said(named(), ("restored-title", Text::of("restored-text")), ("log-in", "/")),
        AccountPage::LogInAgain => {
            said(named(), ("again-title", Text::of("again-text")), ("log-out", "/.fedgate/logout"))
        }
        AccountPage::NotFound => {
            let href = Href::parse(if product.is_some() { HERE } else { ACCOUNT }).ok()?;
            let next = Link { label: Text::of("back-to-account"), href };
            let (title, text) = (Text::of("nothing-here-title"), Text::of("nothing-here-text"));
            let notice = Notice { brand: named(), status: StatusCode::NOT_FOUND.as_u16(), title, text, next };
            Some(Page::Local(Box::new(Local::Notice(notice))))
        }
    }
}

fn agree(
    brand: Brand,
    form: crate::pages::Form,
    (title, text, label): (&'static str, Vec<Text>, &'static str),
    (stay, href): (&'static str, &str),
) -> Option<Page> {
    let stay = Link { label: Text::of(stay), href: Href::parse(href).ok()? };
    let (title, label) = (Text::of(title), Text::of(label));
    Some(Page::Local(Box::new(Local::Confirm(Confirm { brand, form, title, text, label, stay }))))
}

fn said(brand: Brand, (title, text): (&'static str, Text), (label, href): (&'static str, &str)) -> Option<Page> {
    let next = Link { label: Text::of(label), href: Href::parse(href).ok()? };
    let (status, title) = (StatusCode::OK.as_u16(), Text::of(title));
    Some(Page::Local(Box::new(Local::Notice(Notice { brand, status, title, text, next }))))
}

/// MSG-ASK-ADMIN.
pub(super) fn ask_admin(brand: Brand, manager: &Manager, back: &str) -> Option<Page> {
    let org = Name::organization(&manager.label).shown();
    let text = match &manager.contact {
        Some(contact) => Text::of("ask-admin-text-contact").with("contact", contact),
        None => Text::of("ask-admin-text"),
    };
    let notice = Notice {
        brand,
        status: StatusCode::FORBIDDEN.as_u16(),
        title: Text::of("ask-admin-title"),
        text: text.with("org", &capital(&org)),
        next: Link { label: Text::of("back-to-account"), href: Href::parse(back).ok()? },
    };
    Some(Page::Local(Box::new(Local::Notice(notice))))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn overview_page(overview: Overview, product: Option<&Product>) -> Option<Page> {
    let Overview { form: fields, person: whose, about, records, logins, sessions, more, ended } = overview;
    let (action, logout) = match product {
        Some(_) => (SESSIONS_HERE, "/.fedgate/logout"),
        None => (SESSIONS, "/logout"),
    };
    Some(Page::Account(Box::new(Account {
        brand: product.map(brand),
        person: person(&whose),
        statements: statements(&about),
        ways: ways(&about)?,
        products: records.into_iter().map(|(label, local)| (Name::configured(&label), local)).collect(),
        logins: logins.into_iter().map(|(label, since)| (Name::configured(&label), Utc::from(since))).collect(),
        sessions: sessions.into_iter().map(device).collect(),
        more,
        form: form(&fields, action)?,
        logout: Href::parse(logout).ok()?,
        back: Href::parse("/").ok()?,
        ended,
    })))
}

fn tokens_page(tokens: OwnTokens, brand: Brand) -> Option<Page> {
    let OwnTokens { form: fields, products, tokens, made, fresh, failed } = tokens;
    let named = |(label, name, days): (String, String, u64)| (Name::configured(&label), name, days);
    let seen = |token: SeenToken| Token {
        id: token.id,
        label: token.label,
        product: Name::configured(&token.product),
        reads: token.scope == Scope::Read,
        last_seen: token.last_seen.map(Utc::from),
        ends: Utc::from(token.ends),
    };
    Some(Page::Local(Box::new(Local::Tokens(Tokens {
        brand,
        form: form(&fields, TOKENS)?,
        products: products.into_iter().map(named).collect(),
        tokens: tokens.into_iter().map(seen).collect(),
        made,
        fresh,
        failed,
        account: Href::parse(ACCOUNT).ok()?,
    }))))
}

fn device(session: SeenSession) -> Device {
    Device {
        id: session.id,
        seen_as: session.device,
        app: session.app.as_deref().map(Name::configured),
        products: session.products.iter().map(|label| Name::configured(label)).collect(),
        by: match session.by {
            SeenBy::Provider(Some(label)) => By::Provider(Name::configured(&label)),
            SeenBy::Provider(None) => By::Words("by-provider"),
            SeenBy::Password => By::Words("by-password"),
            SeenBy::Passkey => By::Words("by-passkey"),
            SeenBy::Recovery => By::Words("by-recovery"),
            SeenBy::Emergency => By::Words("by-emergency"),
        },
        since: Utc::from(session.since),
        last_seen: Utc::from(session.last_seen),
        this: session.this,
    }
}

fn statements(about: &About) -> Vec<Statement> {
    let mut found = Vec::new();
    match (&about.issuer, about.kind, &about.provider) {
        (_, Kind::Local, Some(product)) => found.push(Statement::Local(Name::configured(product))),
        (Some(issuer), _, _) if about.manager.is_none() => found.push(Statement::Linked(Name::configured(issuer))),
        (_, Kind::Organization, Some(org)) => found.push(Statement::By(Name::organization(org))),
        (_, _, Some(provider)) => found.push(Statement::By(Name::configured(provider))),
        (_, _, None) => {}
    }
    if let Some(manager) = &about.manager {
        found.push(Statement::Managed(Name::organization(&manager.label), manager.contact.clone()));
    }
    if let Some(enterprise) = &about.enterprise {
        found.push(Statement::Enterprise(Name::configured(enterprise)));
    }
    if let Some(update) = &about.update {
        if let Some(enterprise) = &update.asked_by {
            let (by, to) = (Name::configured(enterprise), Name::configured(&update.provider));
            found.push(Statement::AskedToMove(by, to.shown()));
        }
        found.push(Statement::Move(Name::configured(&update.provider), update.required));
    }
    if about.second_step.required && !about.second_step.enrolled && about.kind == Kind::Local {
        found.push(Statement::SecondStepMissing);
    }
    found
}

fn ways(about: &About) -> Option<Vec<AccountWay>> {
    let mut found = Vec::new();
    let mut add = |label: &'static str, url: Option<&str>| -> Option<()> {
        if let Some(url) = url {
            found.push(AccountWay { label: Text::of(label), href: Href::parse(url).ok()? });
        }
        Some(())
    };
    add("account-move", about.update.as_ref().map(|update| update.url.as_str()))?;
    let is_local = about.kind == Kind::Local;
    add("account-profile", about.profile_url.as_ref().map(|_| PROFILE))?;
    let password = about.password_url.as_deref().map(|url| if is_local { url } else { PASSWORD });
    add("account-password", password)?;
    add("account-security", about.security_url.as_deref())?;
    add("account-tokens", about.takes_tokens.then_some(TOKENS))?;
    let delete = if is_local { DELETE_HERE } else { DELETE };
    add("account-delete", about.manager.is_none().then_some(delete))?;
    Some(found)
}
