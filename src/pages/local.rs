//! Pages for what people prove to us themselves: passwords, mailed codes, second steps. Served at products' own doors.

use minijinja::{Value, context};

use super::address::{AddressCode, AddressOpened, WhichAddress};
use super::href::Href;
use super::merging::Merge;
use super::moving::{Anew, Move, Prove, Review};
use super::name::{Name, legible};
use super::page::{Brand, Form, Go, Link, Way};
use super::passkey::Passkey;
use super::tokens::{self, Tokens};
use super::view;
use crate::language::Text;

/// A page of a local login.
#[derive(Clone, Debug)]
pub enum Local {
    /// The password for a typed address, beside the deployment's other ways in.
    Password(Password),
    /// A code: from a mail, or from an app.
    Code(Code),
    /// The address of who forgot the password.
    AskReset(AskReset),
    /// A new password.
    NewPassword(NewPassword),
    /// A mailed link was opened. `GET` shows, `POST` acts (rule H1).
    Opened(Opened),
    /// A fixed sentence and where to go on.
    Notice(Notice),
    /// A new second step: what the app must know, and its first code.
    Enrol(Enrol),
    /// A ceremony with an authenticator.
    Passkey(Passkey),
    /// Recovery codes, shown once.
    Recovery(Recovery),
    /// What a person has enrolled.
    Security(Security),
    /// The same of who logs in by a provider.
    Steps(Steps),
    /// Their API tokens.
    Tokens(Tokens),
    /// The account must move before anything else.
    Move(Move),
    /// Whether an account is the person's.
    Prove(Prove),
    /// A new account in place of an older one, before its button.
    Anew(Anew),
    /// Both sides of a link, before its button.
    Review(Review),
    /// Which address stays.
    WhichAddress(WhichAddress),
    /// The digits that were mailed to it.
    AddressCode(AddressCode),
    /// The link of that mail.
    AddressOpened(AddressOpened),
    /// Two accounts of one person.
    Merge(Merge),
    /// One thing to agree to.
    Confirm(Confirm),
}

/// `POST` with the fields `email`, `password`, `csrf`, `to`.
#[derive(Clone, Debug)]
pub struct Password {
    /// The product whose password it is.
    pub brand: Brand,
    /// Carries the password.
    pub form: Form,
    /// Carries the ways that are posted.
    pub ways_form: Form,
    /// Asks for a mail with a code.
    pub reset_form: Form,
    /// The address that was typed.
    pub email: String,
    /// Back to the e-mail page.
    pub change: Href,
    /// Other ways in, in the order shown; the company's own stands before the password.
    pub ways: Vec<Way>,
    /// With a passkey instead.
    pub passkey: Href,
    /// It did not work: one text for wrong, unknown and removed.
    pub failed: bool,
}

/// `POST` with the field `code`.
#[derive(Clone, Debug)]
pub struct Code {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries the step.
    pub form: Form,
    /// Where the code comes from.
    pub from: CodeFrom,
    /// Asks for the passkey instead, where there is one.
    pub passkey: Option<Form>,
    /// The last one was not right.
    pub failed: bool,
}

/// Where a code comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CodeFrom {
    /// Eight digits in a mail, if the address is known.
    Mail,
    /// Eight digits in a mail to this address, which is the person's.
    Mailbox(String),
    /// Six digits of an app, or a recovery code.
    App,
    /// A recovery code: there is no app.
    Recovery,
}

/// `POST` with the field `email`.
#[derive(Clone, Debug)]
pub struct AskReset {
    /// The product.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// What was typed was not an address.
    pub invalid: bool,
}

/// `POST` with the field `password`, and `current` where the old one is asked for.
#[derive(Clone, Debug)]
pub struct NewPassword {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries the step.
    pub form: Form,
    /// Whose password, for password managers.
    pub email: String,
    /// Whether the old one is asked for.
    pub asks_current: bool,
    /// What was wrong with the last one.
    pub wrong: Option<Text>,
}

/// A mailed link.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The product.
    pub brand: Brand,
    /// Goes on, in the browser that began; none elsewhere.
    pub go_on: Option<Form>,
    /// "This was not me": ends the request.
    pub not_me: Form,
}

/// A fixed sentence.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The product.
    pub brand: Brand,
    /// HTTP status.
    pub status: u16,
    /// Heading.
    pub title: Text,
    /// What happened and what to do.
    pub text: Text,
    /// Where to go on.
    pub next: Link,
}

/// What one button does. `POST`.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The product, or the login host.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// Heading.
    pub title: Text,
    /// What happens, a paragraph each.
    pub text: Vec<Text>,
    /// What the button says.
    pub label: Text,
    /// Away, with nothing changed.
    pub stay: Link,
}

/// A new second step.
#[derive(Clone, Debug)]
pub struct Enrol {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries the seed, sealed.
    pub form: Form,
    /// The `otpauth` address as a QR code: the size in modules and an SVG path over the dark ones.
    pub qr: (u32, String),
    /// The key to type in where there is no camera.
    pub key: String,
    /// Whether a passkey may be enrolled instead: the button posts `act=passkey`.
    pub passkey: bool,
    /// The last code was not right.
    pub failed: bool,
}

/// Recovery codes.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// The product.
    pub brand: Brand,
    /// As they are written down.
    pub codes: Vec<String>,
    /// Where to go on.
    pub next: Href,
}

/// What a person has enrolled, and the forms to change it.
#[derive(Clone, Debug)]
pub struct Security {
    /// The product.
    pub brand: Brand,
    /// The address.
    pub email: String,
    /// Second steps: what they are called, and the value that removes them.
    pub factors: Vec<(String, String)>,
    /// Recovery codes left.
    pub recovery_left: u32,
    /// The only one has to stay: a policy requires one.
    pub last_stays: bool,
    /// Whether a code is asked for, where a second step is enrolled.
    pub asks_code: bool,
    /// Asks for the passkey, which spares the code.
    pub passkey: Option<Href>,
    /// Posts `act`.
    pub form: Form,
    /// Where the password is changed; none where an organization manages the person.
    pub password: Option<Href>,
    /// The person's account page.
    pub account: Href,
    /// The password or the code was not right.
    pub failed: bool,
    /// Back to the product.
    pub back: Href,
}

/// A person's own second steps, on the login host. Its form posts `act`.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The login host.
    pub brand: Brand,
    /// Posts `act`.
    pub form: Form,
    /// What they are called, and the value that removes them.
    pub factors: Vec<(String, String)>,
    /// Recovery codes left.
    pub recovery_left: u32,
    /// The only one has to stay: a policy requires one.
    pub last_stays: bool,
    /// The person was proved just now; else there is one button, which asks for that.
    pub fresh: bool,
    /// There may be more.
    pub may_add: bool,
    /// The person's account page.
    pub account: Href,
}

impl Local {
    pub(super) fn brand(&self) -> &Brand {
        match self {
            Self::Password(page) => &page.brand,
            Self::Code(page) => &page.brand,
            Self::AskReset(page) => &page.brand,
            Self::NewPassword(page) => &page.brand,
            Self::Opened(page) => &page.brand,
            Self::Notice(page) => &page.brand,
            Self::Enrol(page) => &page.brand,
            Self::Passkey(page) => &page.brand,
            Self::Recovery(page) => &page.brand,
            Self::Security(page) => &page.brand,
            Self::Steps(page) => &page.brand,
            Self::Tokens(page) => &page.brand,
            Self::Move(page) => &page.brand,
            Self::Prove(page) => &page.brand,
            Self::Anew(page) => &page.brand,
            Self::Review(page) => &page.brand,
            Self::WhichAddress(page) => &page.brand,
            Self::AddressCode(page) => &page.brand,
            Self::AddressOpened(page) => &page.brand,
            Self::Merge(page) => &page.brand,
            Self::Confirm(page) => &page.brand,
        }
    }

    /// Template, status and values.
    pub(super) fn view(&self) -> (&'static str, u16, Value) {
        match self {
            Self::Password(page) => ("local/password.html", 200, password(page)),
            Self::Code(page) => ("local/code.html", 200, code(page)),
            Self::AskReset(page) => ("local/ask_reset.html", 200, ask_reset(page)),
            Self::NewPassword(page) => ("local/new_password.html", 200, new_password(page)),
            Self::Opened(page) => ("local/opened.html", 200, opened(page)),
            Self::Notice(page) => ("local/notice.html", page.status, notice(page)),
            Self::Enrol(page) => ("local/enrol.html", 200, enrol(page)),
            Self::Passkey(page) => ("local/passkey.html", 200, page.values()),
            Self::Recovery(page) => ("local/recovery.html", 200, recovery(page)),
            Self::Security(page) => ("local/security.html", 200, security(page)),
            Self::Steps(page) => ("local/steps.html", 200, steps(page)),
            Self::Tokens(page) => ("local/tokens.html", 200, tokens::tokens(page)),
            Self::Move(page) => ("local/move.html", 200, page.values()),
            Self::Prove(page) => ("local/prove.html", 200, page.values()),
            Self::Anew(page) => ("local/anew.html", page.status(), page.values()),
            Self::Review(page) => ("local/review.html", page.status(), page.values()),
            Self::WhichAddress(page) => ("local/which_address.html", 200, page.values()),
            Self::AddressCode(page) => ("local/address_code.html", 200, page.values()),
            Self::AddressOpened(page) => ("local/address_opened.html", 200, page.values()),
            Self::Confirm(page) => ("local/confirm.html", 200, confirm(page)),
            Self::Merge(page) => {
                let (template, status) = page.kind();
                (template, status, page.values())
            }
        }
    }
}

fn password(page: &Password) -> Value {
    let way = |way: &Way| {
        let value = match &way.go {
            Go::Post(value) => value.as_str(),
            Go::Link(_) => "",
        };
        context! { name => way.name.shown(), value, primary => way.primary }
    };
    let (first, others): (Vec<&Way>, Vec<&Way>) = page.ways.iter().partition(|way| way.primary);
    context! {
        form => view::form(&page.form), ways_form => view::form(&page.ways_form), reset_form => view::form(&page.reset_form),
        email => legible(&page.email), change => page.change.as_str(), failed => page.failed,
        passkey => page.passkey.as_str(),
        first => first.into_iter().map(way).collect::<Vec<_>>(), others => others.into_iter().map(way).collect::<Vec<_>>(),
    }
}

fn code(page: &Code) -> Value {
    let mailbox = match &page.from {
        CodeFrom::Mailbox(email) => Some(legible(email)),
        CodeFrom::Mail | CodeFrom::App | CodeFrom::Recovery => None,
    };
    context! {
        form => view::form(&page.form), mail => page.from == CodeFrom::Mail || mailbox.is_some(), mailbox,
        app => page.from == CodeFrom::App,
        passkey => page.passkey.as_ref().map(view::form), failed => page.failed,
    }
}

fn ask_reset(page: &AskReset) -> Value {
    context! { form => view::form(&page.form), invalid => page.invalid }
}

fn new_password(page: &NewPassword) -> Value {
    context! {
        form => view::form(&page.form), email => legible(&page.email), asks_current => page.asks_current,
        wrong => page.wrong.as_ref().map(view::said),
    }
}

fn opened(page: &Opened) -> Value {
    context! { go_on => page.go_on.as_ref().map(view::form), not_me => view::form(&page.not_me) }
}

fn notice(page: &Notice) -> Value {
    context! {
        title => view::said(&page.title), text => view::said(&page.text), label => view::said(&page.next.label),
        href => page.next.href.as_str(),
    }
}

fn confirm(page: &Confirm) -> Value {
    context! {
        form => view::form(&page.form), title => view::said(&page.title), label => view::said(&page.label),
        text => page.text.iter().map(view::said).collect::<Vec<_>>(),
        stay => page.stay.href.as_str(), stay_label => view::said(&page.stay.label),
    }
}

fn enrol(page: &Enrol) -> Value {
    let (size, path) = &page.qr;
    context! { form => view::form(&page.form), size, path, key => legible(&page.key), passkey => page.passkey, failed => page.failed }
}

fn recovery(page: &Recovery) -> Value {
    context! { codes => page.codes.iter().map(|code| legible(code)).collect::<Vec<_>>(), next => page.next.as_str() }
}

fn factor((label, value): &(String, String)) -> Value {
    let name = Name::configured(label);
    context! { name => name.shown(), value }
}

fn steps(page: &Steps) -> Value {
    context! {
        factors => page.factors.iter().map(factor).collect::<Vec<_>>(), recovery_left => page.recovery_left,
        last_stays => page.last_stays, fresh => page.fresh, may_add => page.may_add, form => view::form(&page.form),
        account => page.account.as_str(),
    }
}

fn security(page: &Security) -> Value {
    context! {
        email => legible(&page.email), factors => page.factors.iter().map(factor).collect::<Vec<_>>(),
        recovery_left => page.recovery_left, last_stays => page.last_stays, asks_code => page.asks_code, passkey => page.passkey.as_ref().map(Href::as_str), failed => page.failed, form => view::form(&page.form), password => page.password.as_ref().map(Href::as_str),
        account => page.account.as_str(),
        back => page.back.as_str(),
    }
}
