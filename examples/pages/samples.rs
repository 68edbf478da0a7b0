//! One sample of every page and of every state that looks different. Shared by the gallery and the snapshot tests.

use super::language::{Fact, Text};
use super::pages::{
    AddressCode, AddressOpened, Anew, App, AskReset, Brand, Ceremony, Choice, Code, CodeFrom, Colour, Confirm,
    ConfirmLogout, Email, Enrol, Fault, Form, Go, Home, Hop, Href, Link, Local, Loop, Lost, Merge, MergeAsks, Move,
    Name, NewPassword, Notice, Opened, Page, Passkey, Password, Person, ProductLink, Prove, Recovery, Reenter,
    Reference, Refusal, Resend, Review, Security, SignedOut, Steps, Submit, There, Towards, Utc, Way, WhichAddress,
};

#[path = "account.rs"]
mod account;
#[path = "console.rs"]
mod console;

/// File name and page.
pub fn all() -> Vec<(&'static str, Page)> {
    let mut all = logins();
    all.extend(moves());
    all.extend(logouts());
    all.extend(refusals());
    all.extend(replays());
    all.extend(locals());
    all.extend(account::all());
    all.extend(console::all());
    all
}

fn logins() -> Vec<(&'static str, Page)> {
    let email = |brand, prefill: &str, invalid| {
        let passkey = None;
        Page::Email(Email { brand, form: form("/login/identify"), prefill: prefill.to_owned(), invalid, passkey })
    };
    let choice = |ways| {
        let email = "ann@acme.example".to_owned();
        Page::Choice(Choice {
            brand: Some(trello()),
            form: form("/login/identify"),
            email,
            change: href("/login?to=8hW2"),
            ways,
        })
    };
    let way = |name, go, primary| Way { name, go, primary };
    vec![
        ("email", email(Some(trello()), "", false)),
        ("email-invalid", email(Some(loom()), "ann@acme", true)),
        ("email-login-host", email(None, "", false)),
        (
            "choice",
            choice(vec![
                way(Name::organization("Acme"), Go::Link(href("/login/go/acme?to=8hW2")), true),
                way(Name::configured("Atlassian"), Go::Post("issuer".to_owned()), false),
                way(Name::configured("Google"), Go::Post("google".to_owned()), false),
            ]),
        ),
        ("choice-none", choice(Vec::new())),
        (
            "hop",
            Page::Hop(Hop {
                brand: Some(trello()),
                towards: Towards::Provider(Name::organization("Acme")),
                href: href("https://acme.okta.example/authorize?client_id=0oa1&state=x"),
            }),
        ),
        (
            "hop-product",
            Page::Hop(Hop { brand: Some(loom()), towards: Towards::Product, href: href("/login/to?product=loom") }),
        ),
        (
            "hop-logout",
            Page::Hop(Hop {
                brand: None,
                towards: Towards::Logout,
                href: href("https://auth.example.com/end_session"),
            }),
        ),
        (
            "reenter",
            Page::Reenter(Reenter {
                brand: loom(),
                person: ann(),
                form: form("/login/to"),
                other: href("/login?other=1"),
            }),
        ),
        (
            "app",
            Page::App(App {
                brand: trello(),
                app: Name::configured("Trello for phones"),
                person: ann(),
                form: form("/.fedgate/oauth/authorize"),
                goes_to: url::Url::parse("com.example.trello:/login").expect("a URL"),
            }),
        ),
        (
            "home",
            Page::Home(Home {
                person: ann(),
                products: vec![
                    ProductLink { brand: trello(), href: href("https://trello.example.com/") },
                    ProductLink { brand: loom(), href: href("https://loom.example.com/") },
                ],
                emergency: None,
                console: None,
                account: href("/account"),
                logout: form("/logout"),
            }),
        ),
        (
            "home-empty",
            Page::Home(Home {
                person: unnamed(),
                products: Vec::new(),
                emergency: None,
                console: None,
                account: href("/account"),
                logout: form("/logout"),
            }),
        ),
        (
            "home-emergency",
            Page::Home(Home {
                person: ann(),
                products: vec![ProductLink { brand: trello(), href: href("https://trello.example.com/") }],
                emergency: Some(href("/login/emergency/enrol")),
                console: Some(href("/admin/")),
                account: href("/account"),
                logout: form("/logout"),
            }),
        ),
    ]
}

fn locals() -> Vec<(&'static str, Page)> {
    let local = |page| Page::Local(Box::new(page));
    let password = |ways, failed| {
        local(Local::Password(Password {
            brand: trello(),
            form: form("/.fedgate/password"),
            ways_form: form("/.fedgate/depart"),
            reset_form: form("/.fedgate/reset"),
            email: "ann@acme.example".to_owned(),
            change: href("/.fedgate/sign-in?to=8hW2"),
            ways,
            passkey: href("https://id.example.com/login/passkey?start=8hW2"),
            failed,
        }))
    };
    let way = |name, value: &str, primary| Way { name, go: Go::Post(value.to_owned()), primary };
    let code = |from, failed| {
        local(Local::Code(Code { brand: loom(), form: form("/.fedgate/step"), from, passkey: None, failed }))
    };
    let code_or_passkey = |from| {
        let passkey = Some(form("/.fedgate/step/passkey"));
        local(Local::Code(Code { brand: loom(), form: form("/.fedgate/step"), from, passkey, failed: false }))
    };
    let passkey = |ceremony, failed| {
        let options = "{\"challenge\":\"AAAA\",\"allowCredentials\":[]}".to_owned();
        let other = href("https://trello.example.com/.fedgate/security");
        local(Local::Passkey(Passkey {
            brand: trello(),
            form: form("/login/passkey"),
            ceremony,
            options,
            other,
            failed,
        }))
    };
    let emergency = |ceremony, failed| {
        local(Local::Passkey(Passkey {
            brand: Brand { name: Name::configured("id.example.com"), colour: None },
            form: form("/login/emergency"),
            ceremony,
            options: "{\"challenge\":\"AAAA\",\"allowCredentials\":[]}".to_owned(),
            other: href("/"),
            failed,
        }))
    };
    let new_password = |asks_current, wrong: Option<&'static str>| {
        local(Local::NewPassword(NewPassword {
            brand: trello(),
            form: form("/.fedgate/reset/password"),
            email: "ann@acme.example".to_owned(),
            asks_current,
            wrong: wrong.map(Text::of),
        }))
    };
    let security = |factors, passkey: bool, last_stays| {
        local(Local::Security(Security {
            brand: trello(),
            email: "ann@acme.example".to_owned(),
            factors,
            recovery_left: 9,
            last_stays,
            asks_code: true,
            passkey: passkey.then(|| href("/.fedgate/step-up?for=security")),
            form: form("/.fedgate/security"),
            password: Some(href("/.fedgate/security/password")),
            account: href("/.fedgate/account"),
            failed: false,
            back: href("/"),
        }))
    };
    let steps = |factors: &[&str], fresh, last_stays| {
        local(Local::Steps(Steps {
            brand: Brand { name: Name::configured("id.example.com"), colour: None },
            form: form("/account/steps"),
            factors: factors.iter().map(|name| ((*name).to_owned(), "01JD".to_owned())).collect(),
            recovery_left: 9,
            last_stays,
            fresh,
            may_add: true,
            account: href("/account"),
        }))
    };
    let opened = |go_on: bool| {
        local(Local::Opened(Opened {
            brand: trello(),
            go_on: go_on.then(|| form("/.fedgate/reset/link")),
            not_me: form("/.fedgate/reset/not-me"),
        }))
    };
    vec![
        ("password", password(Vec::new(), false)),
        ("password-failed", password(Vec::new(), true)),
        (
            "password-offered",
            password(
                vec![
                    way(Name::organization("Acme"), "acme", true),
                    way(Name::configured("Atlassian"), "issuer", false),
                ],
                false,
            ),
        ),
        ("code-app", code(CodeFrom::App, false)),
        ("steps", steps(&["Authenticator app", "Ann’s phone"], true, false)),
        ("steps-confirm", steps(&["Authenticator app"], false, true)),
        ("steps-none", steps(&[], true, false)),
        ("code-mailbox", code(CodeFrom::Mailbox("ann@example.com".to_owned()), false)),
        ("code-mail-failed", code(CodeFrom::Mail, true)),
        (
            "ask-reset",
            local(Local::AskReset(AskReset { brand: loom(), form: form("/.fedgate/reset"), invalid: false })),
        ),
        ("new-password", new_password(false, None)),
        ("new-password-wrong", new_password(true, Some("weak-short"))),
        ("opened", opened(true)),
        ("opened-elsewhere", opened(false)),
        (
            "notice",
            local(Local::Notice(Notice {
                brand: trello(),
                status: 429,
                title: Text::of("said-too-many"),
                text: Text::of("said-too-many-text"),
                next: Link { label: Text::of("back-to-start"), href: href("/.fedgate/login") },
            })),
        ),
        (
            "enrol",
            local(Local::Enrol(Enrol {
                brand: trello(),
                form: form("/.fedgate/security/app"),
                qr: (29, "M4 4h1v1h-1zM6 4h1v1h-1z".to_owned()),
                key: "GEZD GNBV GY3T QOJQ".to_owned(),
                passkey: false,
                failed: false,
            })),
        ),
        (
            "enrol-or-passkey",
            local(Local::Enrol(Enrol {
                brand: trello(),
                form: form("/.fedgate/security/app"),
                qr: (29, "M4 4h1v1h-1zM6 4h1v1h-1z".to_owned()),
                key: "GEZD GNBV GY3T QOJQ".to_owned(),
                passkey: true,
                failed: false,
            })),
        ),
        (
            "recovery",
            local(Local::Recovery(Recovery {
                brand: trello(),
                codes: vec!["01234-ZYXWZ".to_owned(), "7K3M9-QX2A4".to_owned()],
                next: href("/.fedgate/security"),
            })),
        ),
        ("code-or-passkey", code_or_passkey(CodeFrom::App)),
        ("recovery-or-passkey", code_or_passkey(CodeFrom::Recovery)),
        ("passkey", passkey(Ceremony::First { email_form: form("/login/passkey/email") }, false)),
        ("passkey-second-failed", passkey(Ceremony::Second, true)),
        ("passkey-emergency", emergency(Ceremony::Emergency, false)),
        ("passkey-emergency-failed", emergency(Ceremony::Emergency, true)),
        (
            "passkey-emergency-enrol",
            emergency(Ceremony::EmergencyEnrol { email: "root@acme.example".to_owned() }, false),
        ),
        ("passkey-enrol", passkey(Ceremony::Enrol { email: "ann@acme.example".to_owned() }, false)),
        (
            "email-or-passkey",
            Page::Email(Email {
                brand: Some(trello()),
                form: form("/.fedgate/identify"),
                prefill: String::new(),
                invalid: false,
                passkey: Some(href("https://id.example.com/login/passkey?start=8hW2")),
            }),
        ),
        ("security", security(vec![("Authenticator app".to_owned(), "01J".to_owned())], false, false)),
        ("security-last-stays", security(vec![("Authenticator app".to_owned(), "01J".to_owned())], false, true)),
        ("security-passkey", security(vec![("Ann’s phone".to_owned(), "01J".to_owned())], true, false)),
        ("security-none", security(Vec::new(), false, false)),
    ]
}

fn moves() -> Vec<(&'static str, Page)> {
    let provider = || Name::configured("Atlassian");
    let local = |page| Page::Local(Box::new(page));
    let moves = |must| {
        let email = "ann@acme.example".to_owned();
        local(Local::Move(Move {
            brand: trello(),
            form: form("/.fedgate/move"),
            email,
            provider: provider(),
            must,
            last_day: (!must).then_some(Utc(1_798_761_599)),
            stay: href("/"),
        }))
    };
    let prove = |known, first, failed, anew: bool| {
        local(Local::Prove(Prove {
            brand: trello(),
            form: form("/.fedgate/prove"),
            email: "ann@acme.example".to_owned(),
            provider: provider(),
            identity: "ann.archer@mail.example".to_owned(),
            known,
            first,
            by_mail: form("/.fedgate/prove/mail"),
            anew: anew.then(|| form("/.fedgate/prove/anew")),
            failed,
            stay: href("/"),
        }))
    };
    let anew = |set_aside, changed| {
        local(Local::Anew(Anew {
            brand: trello(),
            form: form("/login/link"),
            email: "ann@acme.example".to_owned(),
            provider: provider(),
            identity: "ann@acme.example".to_owned(),
            set_aside,
            changed,
            stay: href("https://trello.example.com/"),
        }))
    };
    let review = |removed: &[&str], work: Option<Name>, changed| {
        local(Local::Review(Review {
            brand: trello(),
            form: form("/login/link"),
            kept: "ann@acme.example".to_owned(),
            removed: removed.iter().map(|text| (*text).to_owned()).collect(),
            provider: provider(),
            identity: "ann@acme.example".to_owned(),
            another: work.is_none().then(|| href("/login/link/address?t=8hW2")),
            work,
            changed,
            stay: href("https://trello.example.com/"),
        }))
    };
    let which = |proved: &[&str], unproved: &[&str], invalid| {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        local(Local::WhichAddress(WhichAddress {
            brand: trello(),
            form: form("/login/link/address"),
            back: (!proved.is_empty()).then(|| href("/login/link?t=8hW2")),
            proved: owned(proved),
            unproved: owned(unproved),
            invalid,
        }))
    };
    let address_code = |failed| {
        local(Local::AddressCode(AddressCode {
            brand: trello(),
            form: form("/login/link/address/code"),
            email: "ann@new.example".to_owned(),
            failed,
            another: href("/login/link/address?t=8hW2"),
        }))
    };
    let address_opened = |own: bool| {
        local(Local::AddressOpened(AddressOpened {
            brand: trello(),
            go_on: own.then(|| form("/login/link/address/opened")),
            not_me: form("/login/link/address/not-me"),
        }))
    };
    let merge = |asks, removed: &[&str]| {
        let review = matches!(asks, MergeAsks::Review { .. });
        local(Local::Merge(Merge {
            brand: trello(),
            form: form(if review { "/login/merge/review" } else { "/login/merge" }),
            asks,
            email: "ann@acme.example".to_owned(),
            stays: "ann.archer@mail.example".to_owned(),
            provider: provider(),
            removed: removed.iter().map(|text| (*text).to_owned()).collect(),
            stay: href("https://trello.example.com/"),
        }))
    };
    let blocked = Text::of("merge-not-managed");
    vec![
        (
            "confirm",
            local(Local::Confirm(Confirm {
                brand: trello(),
                form: form("/account/delete"),
                title: Text::of("delete-title"),
                text: vec![Text::of("delete-until").and("day", Fact::Day(1_796_521_927)), Text::of("delete-after")],
                label: Text::of("delete-go"),
                stay: Link { label: Text::of("delete-keep"), href: href("/account") },
            })),
        ),
        ("merge", merge(MergeAsks::Offered { later: true }, &[])),
        ("merge-forced", merge(MergeAsks::Offered { later: false }, &[])),
        ("merge-blocked", merge(MergeAsks::Blocked(blocked), &[])),
        ("merge-review", merge(MergeAsks::Review { changed: false }, &["ann@old.example"])),
        ("merge-review-changed", merge(MergeAsks::Review { changed: true }, &[])),
        ("move", moves(false)),
        ("move-must", moves(true)),
        ("prove", prove(false, false, false, false)),
        ("prove-failed", prove(false, false, true, false)),
        ("prove-known", prove(true, false, false, false)),
        ("prove-code-failed", prove(false, true, true, false)),
        ("prove-or-anew", prove(false, false, false, true)),
        ("anew", anew(true, false)),
        ("anew-given-up", anew(false, false)),
        ("anew-changed", anew(true, true)),
        ("review", review(&[], None, false)),
        (
            "review-changed",
            review(&["ann@old.example", "a.archer@older.example"], Some(Name::organization("Acme")), true),
        ),
        ("which-address", which(&["ann@acme.example", "ann@old.example"], &["a.archer@older.example"], false)),
        ("which-address-none", which(&[], &["a.archer@older.example"], true)),
        ("address-code", address_code(false)),
        ("address-code-failed", address_code(true)),
        ("address-opened", address_opened(true)),
        ("address-opened-elsewhere", address_opened(false)),
        (
            "hop-review",
            Page::Hop(Hop { brand: Some(trello()), towards: Towards::Review, href: href("/login/link?t=8hW2") }),
        ),
    ]
}

fn logouts() -> Vec<(&'static str, Page)> {
    let confirm =
        |brand, person| Page::ConfirmLogout(ConfirmLogout { brand, person, form: form("/logout"), stay: href("/") });
    let signed_out =
        |brand, everywhere| Page::SignedOut(SignedOut { brand, again: href("/login"), everywhere, there: None });
    let told = |there| {
        let there = Some((Name::organization("Acme"), there));
        Page::SignedOut(SignedOut { brand: None, again: href("/login"), everywhere: None, there })
    };
    let submit = |towards| {
        Page::Submit(Submit {
            brand: matches!(towards, Towards::Provider(_)).then(trello),
            towards,
            action: url::Url::parse("https://idp.acme.example/saml").expect("a URL"),
            field: "SAMLRequest",
            message: "PHNhbWxwOi4uLg==".to_owned(),
            relay_state: Some("8hW2".to_owned()),
        })
    };
    vec![
        ("confirm-logout", confirm(Some(trello()), ann())),
        ("confirm-logout-everywhere", confirm(None, unnamed())),
        ("signed-out", signed_out(Some(trello()), Some(form("/logout")))),
        ("signed-out-everywhere", signed_out(None, None)),
        ("signed-out-over-there", told(There::Over)),
        ("signed-out-partly", told(There::Partly)),
        ("signed-out-unknown", told(There::Unknown)),
        ("submit-provider", submit(Towards::Provider(Name::organization("Acme")))),
        ("submit-logout", submit(Towards::Logout)),
    ]
}

fn refusals() -> Vec<(&'static str, Page)> {
    let link = |label: &'static str, to| Link { label: Text::of(label), href: href(to) };
    vec![
        (
            "refusal",
            Page::Refusal(Refusal {
                status: 403,
                brand: Some(loom()),
                title: Text::of("refused-not-allowed"),
                what: Text::of("refused-not-allowed-what").with("product", "Loom"),
                can_do: Text::of("refused-not-allowed-do"),
                ask: Text::of("ask-it"),
                reference: reference(),
                actions: vec![link("use-other-account", "/login?other=1"), link("log-out", "/logout")],
            }),
        ),
        (
            "refusal-sso-down",
            Page::Refusal(Refusal {
                status: 503,
                brand: None,
                title: Text::of("refused-provider-unavailable"),
                what: Text::of("refused-provider-unavailable-what").with("provider", "Acme"),
                can_do: Text::of("refused-provider-unavailable-do"),
                ask: Text::of("ask-it"),
                reference: reference(),
                actions: Vec::new(),
            }),
        ),
        ("loop", Page::Loop(Loop { brand: Some(trello()), reference: reference(), again: href("/login?to=8hW2") })),
        ("fault", Page::Fault(Fault { reference: reference() })),
    ]
}

fn replays() -> Vec<(&'static str, Page)> {
    let resend = |brand, path: &str, size, failed| {
        let (form, method, at) = (form("/.fedgate/replay"), "POST".to_owned(), Utc(1_795_312_327));
        Page::Resend(Resend { brand, form, method, path: path.to_owned(), size, at, failed })
    };
    let long = "/workspaces/subsidiary-globex-example/boards/5f1c7b6a/cards/quarterly-report/attachments/upload";
    vec![
        ("resend", resend(trello(), "/boards", 2_100_000, false)),
        ("resend-failed", resend(loom(), long, 17, true)),
        (
            "lost",
            Page::Lost(Lost {
                brand: trello(),
                what: Text::of("lost-too-large").and("limit", Fact::Bytes(1024 * 1024)),
                can_do: Text::of("lost-do-again"),
                back: href("/"),
            }),
        ),
    ]
}

fn trello() -> Brand {
    Brand { name: Name::configured("Trello"), colour: Colour::parse("#0c66e4").ok() }
}

fn loom() -> Brand {
    Brand { name: Name::configured("Loom"), colour: Colour::parse("#e8e1ff").ok() }
}

fn ann() -> Person {
    Person { name: "Ann Archer".to_owned(), email: "ann@acme.example".to_owned() }
}

/// Without a name, and with an address that must wrap on a telephone.
fn unnamed() -> Person {
    Person {
        name: String::new(),
        email: "maximiliane-konstanze.von-hohenstein-wittgenstein@subsidiary.globex.example".to_owned(),
    }
}

fn form(action: &str) -> Form {
    Form { action: href(action), csrf: "sample-token".to_owned(), to: "8hW2".to_owned() }
}

fn reference() -> Reference {
    Reference { code: "7K3M-9QX2".to_owned(), at: Utc(1_795_312_327) }
}

fn href(text: &str) -> Href {
    Href::parse(text).expect("the samples' targets are well formed")
}
