//! The console's pages in their states.

use super::super::language::Text;
use super::super::pages::{Block, Cell, Console, Href, Page, Person, Row, Utc};
use super::{form, href};

pub fn all() -> Vec<(&'static str, Page)> {
    vec![
        ("console", page("console-title", 0, vec![people(""), references(), events("console-latest", false)])),
        ("console-person", person()),
        ("console-found", page("console-people", 1, vec![people("acme.example"), found()])),
        ("console-nobody", page("console-people", 1, vec![people("nobody@acme.example"), nobody()])),
        ("console-log", page("console-log", 3, vec![search(), events("console-found", true)])),
        ("console-organization", page("console-organizations", 2, vec![domains()])),
        ("console-reference", page("console-explain-title", 0, vec![references(), facts(), rules()])),
    ]
}

fn page(title: &'static str, here: usize, blocks: Vec<Block>) -> Page {
    Page::Console(Box::new(console(Text::of(title), here, blocks)))
}

fn console(title: Text, here: usize, blocks: Vec<Block>) -> Console {
    let all = [
        ("console-start", "/admin/"),
        ("console-people", "/admin/people"),
        ("console-organizations", "/admin/organizations"),
        ("console-log", "/admin/log"),
    ];
    let places = all.iter().enumerate().map(|(at, (label, to))| (Text::of(label), href(to), at == here)).collect();
    let person = Person { name: "Sam Auditor".to_owned(), email: "sam@acme.example".to_owned() };
    Console { status: 200, person, title, places, done: None, blocks }
}

fn fact(label: &'static str, cell: Cell) -> (Text, Cell) {
    (Text::of(label), cell)
}

fn shown(text: &str) -> Cell {
    Cell::Shown(text.to_owned())
}

fn code(text: &str) -> Cell {
    Cell::Code(text.to_owned())
}

fn people(asked: &str) -> Block {
    let fields = vec![("q", Text::of("console-seek-people"), asked.to_owned())];
    Block::Search { action: href("/admin/people"), fields, label: Text::of("console-seek") }
}

fn references() -> Block {
    let fields = vec![("ref", Text::of("console-seek-reference"), String::new())];
    Block::Search { action: href("/admin/ref/find"), fields, label: Text::of("console-explain") }
}

fn search() -> Block {
    let field = |name, label| (name, Text::of(label), String::new());
    let fields = vec![
        field("person", "console-address"),
        field("action", "console-action"),
        field("outcome", "console-outcome"),
    ];
    Block::Search { action: href("/admin/log"), fields, label: Text::of("console-seek") }
}

fn event(at: &str, action: &str, (tag, bad): (&'static str, bool), reference: Option<&str>) -> Row {
    let mut facts = vec![
        fact("console-action", code(action)),
        fact("console-who", shown("ann@acme.example")),
        fact("console-product", code("trello")),
        fact("console-method", code("org_sso")),
        fact("console-directory", code("acme")),
        fact("console-from", shown("203.0.113.7")),
    ];
    facts.extend(reference.map(|reference| {
        fact("reference", Cell::Link(reference.to_owned(), href(&format!("/admin/ref/{reference}"))))
    }));
    Row { head: shown(at), href: None, tag: Some((Text::of(tag), bad)), facts, act: None }
}

fn events(title: &'static str, more: bool) -> Block {
    let rows = vec![
        event("2026-11-22T01:52:07.113Z", "login.succeeded", ("console-success", false), None),
        event("2026-11-22T01:51:12.040Z", "login.denied", ("console-refused", true), Some("7K3M-9QX2")),
    ];
    let more = more.then(|| href("/admin/log?person=&action=&outcome=&before=118"));
    let (title, empty) = (Text::of(title), Text::of("console-none"));
    Block::Rows { id: "events", title, empty, rows, more, form: None }
}

fn found() -> Block {
    let row = |email: &str, (tag, bad)| Row {
        head: shown(email),
        href: Some(href("/admin/people/01KB3Z8Q4W9T5N7M2XJ6R0V1CD")),
        tag: Some((Text::of(tag), bad)),
        facts: vec![
            fact("console-name", shown("Ann Example")),
            fact("console-last-login", Cell::At(Utc(1_795_312_327))),
        ],
        act: None,
    };
    let rows = vec![
        row("ann@acme.example", ("console-active", false)),
        row(
            "a.person.with.quite.a.long.address@a-department-with-a-long-name.acme.example",
            ("console-deactivated", true),
        ),
    ];
    let (title, empty) = (Text::of("console-found"), Text::of("console-nobody"));
    Block::Rows { id: "found", title, empty, rows, more: None, form: None }
}

fn nobody() -> Block {
    let (title, empty) = (Text::of("console-found"), Text::of("console-nobody"));
    Block::Rows { id: "found", title, empty, rows: Vec::new(), more: None, form: None }
}

fn facts() -> Block {
    Block::Facts {
        title: None,
        facts: vec![
            fact("console-address", shown("ann@acme.example")),
            fact("console-name", Cell::Unknown),
            fact("console-state", Cell::Said(Text::of("console-active"))),
            fact("console-last-login", Cell::At(Utc(1_795_312_327))),
            fact("console-account", code("01KB3Z8Q4W9T5N7M2XJ6R0V1CD")),
        ],
    }
}

fn domains() -> Block {
    let proof = vec![
        fact("console-state", code("pending")),
        fact("console-counts", Cell::Said(Text::of("console-no"))),
        fact("console-txt", code("acme.example")),
        fact("console-value", code("fedgate-domain-verification=3q2M8h5tYw7Kx1Zs9Rb4Nc6Vd0Lf")),
        fact("console-file", code("https://acme.example/.well-known/fedgate-domain-verification.txt")),
        fact("console-until", shown("2026-11-29T01:52:07.000Z")),
    ];
    let row = Row { head: shown("acme.example"), href: None, tag: None, facts: proof, act: None };
    let (title, empty) = (Text::of("console-domains"), Text::of("console-no-domains"));
    Block::Rows { id: "domains", title, empty, rows: vec![row], more: None, form: None }
}

fn rules() -> Block {
    let rule = |text| Row { head: code(text), href: None, tag: None, facts: Vec::new(), act: None };
    let rows =
        vec![rule("proof: holds"), rule("authority: refuses, the address belongs to acme"), rule("network: holds")];
    let (title, empty) = (Text::of("console-rules"), Text::of("console-no-rules"));
    Block::Rows { id: "rules", title, empty, rows, more: None, form: None }
}

fn person() -> Page {
    let session = Row {
        head: Cell::At(Utc(1_795_312_327)),
        href: None,
        tag: None,
        facts: vec![
            fact("console-method", code("org_sso")),
            fact("console-second-step", Cell::Said(Text::of("console-not-taken"))),
        ],
        act: Some((Text::of("console-end"), "end 01KB3Z8Q4W9T5N7M2XJ6R0V1CD".to_owned())),
    };
    let here: Href = href("/admin/people/01KB3Z8Q4W9T5N7M2XJ6R0V1CD/sessions");
    let all = Some((Text::of("console-end-all"), "all".to_owned()));
    let sessions = Block::Rows {
        id: "sessions",
        title: Text::of("console-sessions"),
        empty: Text::of("console-no-sessions"),
        rows: vec![session],
        more: None,
        form: Some((form(here.as_str()), all)),
    };
    let title = Text::of("console-person").with("name", "ann@acme.example");
    let mut console = console(title, 1, vec![facts(), events("console-time-line", true), sessions]);
    console.done = Some(Text::of("console-ended"));
    Page::Console(Box::new(console))
}
