//! Pages of the console, put together from what the admin layer found.

use super::console::PROVE;
use super::render::{form, person as person_shown};
use crate::admin::Scope;
use crate::admin::console::{Entry, Filter, Found, Log, Portrait, Story, may};
use crate::kernel::event::{AuditEvent, Outcome};
use crate::kernel::model::{Account, AccountStatus, LoginSession, ProductAccountState};
use crate::language::Text;
use crate::login::Steward;
use crate::pages::{Block, Cell, Console, Href, Page, Row, Utc};

/// Where somebody is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Place {
    Start,
    People,
    Organizations,
    Log,
}

pub(super) fn page(steward: &Steward, here: Place, title: Text, blocks: Vec<Block>) -> Option<Page> {
    let all = [
        (Place::Start, "console-start", "/admin/", Scope::ExplainRead),
        (Place::People, "console-people", "/admin/people", Scope::PeopleRead),
        (Place::Organizations, "console-organizations", "/admin/organizations", Scope::OrgsRead),
        (Place::Log, "console-log", "/admin/log", Scope::AuditRead),
    ];
    let mut places = Vec::new();
    for (place, label, href, _) in all.into_iter().filter(|(.., scope)| may(&steward.roles, *scope)) {
        places.push((Text::of(label), Href::parse(href).ok()?, place == here));
    }
    places.push((Text::of("console-own-account"), Href::parse("/account").ok()?, false));
    let person = person_shown(&steward.person());
    Some(Page::Console(Box::new(Console { status: 200, person, title, places, done: None, blocks })))
}

/// A search for people, one for references, and what happened last.
pub(super) fn start(steward: &Steward, log: Option<&Log>) -> Option<Page> {
    let mut blocks = Vec::new();
    if may(&steward.roles, Scope::PeopleRead) {
        blocks.push(seek_people("")?);
    }
    blocks.push(seek_reference("")?);
    if let Some(log) = log {
        blocks.push(entries(log, "console-latest", None)?);
    }
    page(steward, Place::Start, Text::of("console-title"), blocks)
}

fn seek_people(asked: &str) -> Option<Block> {
    Some(Block::Search {
        action: Href::parse("/admin/people").ok()?,
        fields: vec![("q", Text::of("console-seek-people"), asked.to_owned())],
        label: Text::of("console-seek"),
    })
}

fn seek_reference(asked: &str) -> Option<Block> {
    Some(Block::Search {
        action: Href::parse("/admin/ref/find").ok()?,
        fields: vec![("ref", Text::of("console-seek-reference"), asked.to_owned())],
        label: Text::of("console-explain"),
    })
}

/// Whom a search found.
pub(super) fn people(steward: &Steward, asked: &str, found: &Found) -> Option<Page> {
    let mut blocks = vec![seek_people(asked)?];
    if !asked.is_empty() {
        let mut rows = Vec::new();
        for account in &found.people {
            rows.push(Row {
                head: Cell::Shown(address(account)),
                href: Some(Href::parse(&format!("/admin/people/{}", account.id)).ok()?),
                tag: Some(status(account)),
                facts: vec![
                    fact("console-name", account.name.clone().map_or(Cell::Unknown, Cell::Shown)),
                    fact("console-last-login", moment(account.last_login_at.map(Utc::from))),
                ],
                act: None,
            });
        }
        let empty = Text::of("console-nobody");
        let title = Text::of("console-found");
        blocks.push(Block::Rows { id: "found", title, empty, rows, more: None, form: None });
        if found.more {
            blocks.push(Block::Said(vec![Text::of("console-found-more")]));
        }
    }
    page(steward, Place::People, Text::of("console-people"), blocks)
}

/// One person: what happened first, then what there is.
pub(super) fn person(steward: &Steward, portrait: &Portrait, (log, ended): (&Log, bool)) -> Option<Page> {
    let account = &portrait.account;
    let path = format!("/admin/people/{}", account.id);
    let (state, _) = status(account);
    let mut blocks = vec![Block::Facts {
        title: None,
        facts: vec![
            fact("console-address", Cell::Shown(address(account))),
            fact("console-name", account.name.clone().map_or(Cell::Unknown, Cell::Shown)),
            fact("console-state", Cell::Said(state)),
            fact("console-proved", Cell::Said(yes(account.email_verified))),
            fact("console-last-login", moment(account.last_login_at.map(Utc::from))),
            fact("console-account", Cell::Code(account.id.to_string())),
        ],
    }];
    blocks.push(entries(log, "console-time-line", Some(&path))?);
    blocks.extend(sessions(steward, portrait, &path)?);
    blocks.push(links(portrait));
    blocks.push(records(portrait));
    let title = Text::of("console-person").with("name", &address(account));
    let page = page(steward, Place::People, title, blocks)?;
    Some(match page {
        Page::Console(mut console) => {
            console.done = ended.then(|| Text::of("console-ended"));
            Page::Console(console)
        }
        other => other,
    })
}

fn sessions(steward: &Steward, portrait: &Portrait, path: &str) -> Option<Vec<Block>> {
    let can = portrait.may_end && steward.may_change;
    let row = |(session, directory): &(LoginSession, Option<String>)| Row {
        head: Cell::At(Utc::from(session.created_at)),
        href: None,
        tag: None,
        facts: vec![
            fact("console-method", Cell::Code(session.method.code().to_owned())),
            fact("console-directory", directory.clone().map_or(Cell::Unknown, Cell::Code)),
            fact("console-second-step", session.stepped_at.map_or(none(), |at| Cell::At(Utc::from(at)))),
            fact("console-last-seen", Cell::At(Utc::from(session.last_seen))),
            fact("console-ends", Cell::At(Utc::from(session.abs_at))),
        ],
        act: can.then(|| (Text::of("console-end"), format!("end {}", session.id))),
    };
    let form_here = if can { Some(form(&steward.form, &format!("{path}/sessions"))?) } else { None };
    let all = || Some((Text::of("console-end-all"), "all".to_owned()));
    let mut blocks = vec![Block::Rows {
        id: "sessions",
        title: Text::of("console-sessions"),
        empty: Text::of("console-no-sessions"),
        rows: portrait.sessions.iter().map(row).collect(),
        more: None,
        form: form_here.map(|form| (form, all())),
    }];
    if portrait.may_end && !can && !portrait.sessions.is_empty() {
        // Reading goes on for longer than changing does.
        let (text, label) = (Text::of("console-prove-first"), Text::of("console-prove-go"));
        blocks.push(Block::Ask { text, form: form(&steward.form, PROVE)?, label });
    }
    Some(blocks)
}

fn links(portrait: &Portrait) -> Block {
    let rows = portrait.links.iter().map(|(link, directory)| Row {
        head: directory.clone().map_or(Cell::Unknown, Cell::Code),
        href: None,
        tag: link.suspended.then(|| (Text::of("console-suspended"), true)),
        facts: vec![fact("console-since", Cell::At(Utc::from(link.linked_at)))],
        act: None,
    });
    let (title, empty) = (Text::of("console-links"), Text::of("console-no-links"));
    Block::Rows { id: "links", title, empty, rows: rows.collect(), more: None, form: None }
}

fn records(portrait: &Portrait) -> Block {
    let rows = portrait.records.iter().map(|(label, record)| Row {
        head: Cell::Shown(label.clone()),
        href: None,
        tag: record.off.then(|| (Text::of("console-closed"), true)),
        facts: vec![
            fact("console-record", Cell::Said(Text::of(record_state(record.state)))),
            fact("console-sub", Cell::Code(record.sub.clone())),
            fact("console-since", Cell::At(Utc::from(record.created_at))),
        ],
        act: None,
    });
    let (title, empty) = (Text::of("console-products"), Text::of("console-no-products"));
    Block::Rows { id: "products", title, empty, rows: rows.collect(), more: None, form: None }
}

const fn record_state(state: ProductAccountState) -> &'static str {
    match state {
        ProductAccountState::Local => "console-record-local",
        ProductAccountState::Migrating => "console-record-migrating",
        ProductAccountState::Linked => "console-record-linked",
        ProductAccountState::Merged(_) => "console-record-merged",
        ProductAccountState::Closed => "console-record-closed",
    }
}

/// A search of the log.
pub(super) fn log(steward: &Steward, filter: &Filter, found: &Log) -> Option<Page> {
    let fields = vec![
        ("person", Text::of("console-address"), filter.person.clone()),
        ("action", Text::of("console-action"), filter.action.clone()),
        ("outcome", Text::of("console-outcome"), filter.outcome.clone()),
    ];
    let (action, label) = (Href::parse("/admin/log").ok()?, Text::of("console-seek"));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("person", &filter.person), ("action", &filter.action), ("outcome", &filter.outcome)])
        .finish();
    let rows = entries(found, "console-found", Some(&format!("/admin/log?{query}")))?;
    page(steward, Place::Log, Text::of("console-log"), vec![Block::Search { action, fields, label }, rows])
}

/// `at`: the page that shows older ones, with `before`.
fn entries(log: &Log, title: &'static str, at: Option<&str>) -> Option<Block> {
    let mut rows = Vec::new();
    for entry in &log.entries {
        rows.push(row_of(entry)?);
    }
    let more = match (at, log.before) {
        (Some(at), Some(before)) => {
            let joint = if at.contains('?') { '&' } else { '?' };
            Some(Href::parse(&format!("{at}{joint}before={before}")).ok()?)
        }
        _ => None,
    };
    let empty = Text::of(if more.is_some() { "console-none-yet" } else { "console-none" });
    Some(Block::Rows { id: "events", title: Text::of(title), empty, rows, more, form: None })
}

fn row_of(entry: &Entry) -> Option<Row> {
    let event = &entry.event;
    let mut facts = vec![fact("console-action", Cell::Code(entry.action()))];
    let mut add = |label, value: &Option<String>, code: bool| {
        let cell = value.clone().map(if code { Cell::Code } else { Cell::Shown });
        facts.extend(cell.map(|cell| fact(label, cell)));
    };
    add("console-who", &event.subject.email, false);
    add("console-product", &event.product, true);
    add("console-method", &event.method, true);
    add("console-directory", &event.directory, true);
    add("console-from", &event.client.as_ref().map(|client| client.ip.clone()), false);
    add("console-by", &event.actor.as_ref().map(by), false);
    add("console-reason", &event.reason, true);
    if let Some(reference) = &event.reference {
        let href = Href::parse(&format!("/admin/ref/{reference}")).ok()?;
        facts.push(fact("reference", Cell::Link(reference.clone(), href)));
    }
    Some(Row { head: Cell::Shown(event.time.clone()), href: None, tag: Some(outcome(event)), facts, act: None })
}

fn by(actor: &crate::kernel::event::Actor) -> String {
    actor.address.clone().or_else(|| actor.id.clone()).unwrap_or_else(|| actor.kind.clone())
}

fn outcome(event: &AuditEvent) -> (Text, bool) {
    match event.outcome {
        Outcome::Success => (Text::of("console-success"), false),
        Outcome::Refused => (Text::of("console-refused"), true),
        Outcome::Failure => (Text::of("console-failure"), true),
    }
}

/// What stands behind a reference.
pub(super) fn story(steward: &Steward, asked: &str, story: Option<&Story>) -> Option<Page> {
    let mut blocks = vec![seek_reference(asked)?];
    match story {
        None if asked.is_empty() => {}
        None => blocks.push(Block::Said(vec![Text::of("console-no-reference")])),
        Some(Story::Line(line)) => {
            blocks.push(Block::Facts { title: None, facts: vec![fact("console-what", Cell::Shown(line.clone()))] });
        }
        Some(Story::Whole(events)) => {
            for event in events {
                blocks.extend(told(event)?);
            }
        }
    }
    page(steward, Place::Start, Text::of("console-explain-title"), blocks)
}

/// One event with each rule that was asked.
fn told(event: &AuditEvent) -> Option<Vec<Block>> {
    let entry = Entry { position: 0, event: event.clone() };
    let Row { head, mut facts, tag, .. } = row_of(&entry)?;
    facts.retain(|(label, _)| *label != Text::of("reference"));
    facts.insert(0, fact("time", head));
    if let Some((text, _)) = tag {
        facts.insert(1, fact("console-outcome", Cell::Said(text)));
    }
    facts.extend(
        event
            .policy
            .as_ref()
            .map(|policy| fact("console-policy", Cell::Code(format!("{} #{}", policy.id, policy.epoch)))),
    );
    if let Some(account) = &event.subject.account {
        let href = Href::parse(&format!("/admin/people/{account}")).ok()?;
        facts.push(fact("console-account", Cell::Link(account.clone(), href)));
    }
    let rule =
        |step: &String| Row { head: Cell::Code(step.clone()), href: None, tag: None, facts: Vec::new(), act: None };
    let (title, empty) = (Text::of("console-rules"), Text::of("console-no-rules"));
    let rows = event.trace.iter().map(rule).collect();
    Some(vec![
        Block::Facts { title: None, facts },
        Block::Rows { id: "rules", title, empty, rows, more: None, form: None },
    ])
}

pub(super) fn fact(label: &'static str, cell: Cell) -> (Text, Cell) {
    (Text::of(label), cell)
}

fn moment(at: Option<Utc>) -> Cell {
    at.map_or(Cell::Unknown, Cell::At)
}

fn none() -> Cell {
    Cell::Said(Text::of("console-not-taken"))
}

fn yes(is_so: bool) -> Text {
    Text::of(if is_so { "console-yes" } else { "console-no" })
}

/// What a person is called: their address, or their id where there is none.
fn address(account: &Account) -> String {
    account.email.as_ref().map_or_else(|| account.id.to_string(), ToString::to_string)
}

fn status(account: &Account) -> (Text, bool) {
    let (id, bad) = match account.status {
        AccountStatus::Active => ("console-active", false),
        AccountStatus::Deactivated => ("console-deactivated", true),
        AccountStatus::PendingDelete(_) => ("console-deleting", true),
        AccountStatus::Quarantined => ("console-quarantined", true),
        AccountStatus::Deleted => ("console-deleted", true),
    };
    (Text::of(id), bad)
}
