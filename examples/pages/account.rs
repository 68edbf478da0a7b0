//! The account page in its states.

use super::super::language::Text;
use super::super::pages::{
    Account, AccountWay, Brand, By, Device, Link, Local, Name, Notice, Page, Person, Statement, Token, Tokens, Utc,
};
use super::{ann, form, href, trello};
use fedgate::kernel::values::Device as Seen;

/// File name and page.
pub fn all() -> Vec<(&'static str, Page)> {
    let issuer = || Name::configured("Atlassian");
    let products = || vec![(Name::configured("Loom"), false), (Name::configured("Trello"), false)];
    let mut alone = on_login_host(vec![Statement::Linked(issuer())], products());
    alone.sessions.truncate(1);
    alone.ended = true;
    let mut many = on_login_host(vec![Statement::Linked(issuer())], products());
    many.ways = vec![way("account-profile", "/account/profile"), way("account-password", "/account/password")];
    many.logins = vec![(Name::configured("Google"), Utc(1_763_776_000)), (issuer(), Utc(1_795_312_327))];
    many.more = 12;
    let managed = vec![
        Statement::By(Name::organization("Acme")),
        Statement::Managed(Name::organization("Acme"), Some("i•••@a•••".to_owned())),
    ];
    vec![
        ("account", page(many)),
        ("account-ended", page(alone)),
        ("account-managed", page(on_login_host(managed, products()))),
        ("account-local", page(at_product(false))),
        ("account-local-must-move", page(at_product(true))),
        ("account-ask-admin", ask_admin()),
        ("tokens", tokens(true, false)),
        ("tokens-failed", tokens(true, true)),
        ("tokens-made", made()),
        ("tokens-confirm", tokens(false, false)),
        ("tokens-none", Page::Local(Box::new(Local::Tokens(no_tokens())))),
    ]
}

fn page(account: Account) -> Page {
    Page::Account(Box::new(account))
}

fn no_tokens() -> Tokens {
    Tokens {
        brand: Brand { name: Name::configured("id.example.com"), colour: None },
        form: form("/account/tokens"),
        products: Vec::new(),
        tokens: Vec::new(),
        made: None,
        fresh: true,
        failed: false,
        account: href("/account"),
    }
}

fn some_tokens(fresh: bool, failed: bool) -> Tokens {
    let token = |label: &str, reads, last_seen| Token {
        id: "01JD".to_owned(),
        label: label.to_owned(),
        product: Name::configured("Trello"),
        reads,
        last_seen,
        ends: Utc(1_803_088_327),
    };
    let trello = (Name::configured("Trello"), "trello".to_owned(), 365);
    let loom = (Name::configured("Loom"), "loom".to_owned(), 90);
    let tokens = vec![token("Build server", false, Some(Utc(1_795_312_327))), token("Backup", true, None)];
    Tokens { products: vec![loom, trello], tokens, fresh, failed, ..no_tokens() }
}

fn tokens(fresh: bool, failed: bool) -> Page {
    Page::Local(Box::new(Local::Tokens(some_tokens(fresh, failed))))
}

fn made() -> Page {
    let text = "fg_pat_r_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc0T3rEQ".to_owned();
    Page::Local(Box::new(Local::Tokens(Tokens { made: Some(text.into()), ..some_tokens(true, false) })))
}

fn way(label: &'static str, to: &str) -> AccountWay {
    AccountWay { label: Text::of(label), href: href(to) }
}

fn on_login_host(statements: Vec<Statement>, products: Vec<(Name, bool)>) -> Account {
    let by = || By::Provider(Name::configured("Atlassian"));
    let here = device(("Firefox/Linux", true), &["Loom", "Trello"], by());
    let phone = device(("Chrome/Android", false), &["Loom"], by());
    let app = Some(Name::configured("Trello for phones"));
    Account {
        brand: None,
        person: ann(),
        statements,
        ways: Vec::new(),
        products,
        logins: Vec::new(),
        sessions: vec![
            here,
            phone,
            Device { app, ..device(("/", false), &["Trello"], by()) },
            device(("/", false), &[], by()),
        ],
        more: 0,
        form: form("/account/sessions"),
        logout: href("/logout"),
        back: href("/"),
        ended: false,
    }
}

/// A product's own password; `must`: the account has to move, and a policy requires a second step.
fn at_product(must: bool) -> Account {
    let mut statements = vec![Statement::Local(Name::configured("Trello"))];
    if !must {
        let enterprise = || Name::configured("Big Company");
        statements.push(Statement::Enterprise(enterprise()));
        statements.push(Statement::AskedToMove(enterprise(), Name::configured("Atlassian").shown()));
    }
    statements.push(Statement::Move(Name::configured("Atlassian"), must));
    statements.extend(must.then_some(Statement::SecondStepMissing));
    let by = || By::Words("by-password");
    Account {
        brand: Some(trello()),
        person: Person { name: String::new(), email: "lee@mail.example".to_owned() },
        statements,
        ways: vec![
            way("account-move", "https://trello.example.com/.fedgate/move"),
            way("account-password", "https://trello.example.com/.fedgate/security/password"),
            way("account-security", "https://trello.example.com/.fedgate/security"),
            way("account-delete", "/.fedgate/account/delete"),
        ],
        products: vec![(Name::configured("Trello"), true)],
        sessions: vec![
            device(("Safari/iPhone", true), &["Trello"], by()),
            device(("Edge/Windows", false), &["Trello"], by()),
        ],
        form: form("/.fedgate/account/sessions"),
        logout: href("/.fedgate/logout"),
        ..on_login_host(Vec::new(), Vec::new())
    }
}

fn device((name, this): (&str, bool), products: &[&str], by: By) -> Device {
    Device {
        id: format!("01JD{}", Seen::from_code(name).shown().len()),
        seen_as: Some(Seen::from_code(name)),
        app: None,
        products: products.iter().map(|product| Name::configured(product)).collect(),
        by,
        since: Utc(1_795_312_327),
        last_seen: Utc(1_795_340_000),
        this,
    }
}

fn ask_admin() -> Page {
    let text = Text::of("ask-admin-text-contact").with("org", "“Acme”").with("contact", "i•••@a•••");
    Page::Local(Box::new(Local::Notice(Notice {
        brand: Brand { name: Name::configured("id.example.com"), colour: None },
        status: 403,
        title: Text::of("ask-admin-title"),
        text,
        next: Link { label: Text::of("back-to-account"), href: href("/account") },
    })))
}
