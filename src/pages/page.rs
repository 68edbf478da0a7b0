//! The vocabulary: one struct for each page, holding facts and finished sentences.

use std::fmt;

use super::account::Account;
use super::colour::Colour;
use super::console::Console;
use super::href::Href;
use super::local::Local;
use super::name::Name;
use super::utc::Utc;
use crate::kernel::model::Product;
use crate::language::Text;
use url::Url;

/// Every page of the login host.
#[derive(Clone, Debug)]
pub enum Page {
    /// The first page of a login.
    Email(Email),
    /// The ways in for a typed address.
    Choice(Choice),
    /// On the way to another host.
    Hop(Hop),
    /// A form that leads to another host by itself.
    Submit(Submit),
    /// After a logout.
    SignedOut(SignedOut),
    /// Before a logout.
    ConfirmLogout(ConfirmLogout),
    /// One click before a product is entered again that the person logged out of.
    Reenter(Reenter),
    /// May an app act for its person?
    App(App),
    /// Turned away, with the reason.
    Refusal(Refusal),
    /// The login keeps coming back.
    Loop(Loop),
    /// Something is wrong on our side.
    Fault(Fault),
    /// The login host's own page of a person who is logged in.
    Home(Home),
    /// One click before what a person was sending is sent (rule H9).
    Resend(Resend),
    /// What a person was sending cannot be sent.
    Lost(Lost),
    /// What people prove to us themselves: passwords, codes.
    Local(Box<Local>),
    /// A person's own account.
    Account(Box<Account>),
    /// A page of the console.
    Console(Box<Console>),
}

impl Page {
    /// Whether the page runs our script.
    pub(super) fn has_script(&self) -> bool {
        matches!(self, Self::Local(page) if matches!(**page, Local::Passkey(_)))
    }
}

/// The product that a person is on the way to: its name and, where it has one, its colour.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brand {
    /// Shown beside the tile and in titles.
    pub name: Name,
    /// Colour of the tile. None: one is chosen by the name.
    pub colour: Option<Colour>,
}

impl From<&Product> for Brand {
    fn from(product: &Product) -> Self {
        Self { name: Name::configured(&product.label), colour: product.colour.map(Colour::from) }
    }
}

/// What every form of ours carries. `Debug` shows neither token nor handle.
#[derive(Clone, Eq, PartialEq)]
pub struct Form {
    /// Where the form is posted: a path of the login host.
    pub action: Href,
    /// The form's CSRF token, sent back in the field `csrf`.
    pub csrf: String,
    /// Opaque handle of the login under way, sent back in the field `to`. Empty: the field is left out.
    pub to: String,
}

impl fmt::Debug for Form {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Form").field("action", &self.action).finish_non_exhaustive()
    }
}

/// `POST` with the fields `email`, `csrf`, `to`.
#[derive(Clone, Debug)]
pub struct Email {
    /// None: the person came to the login host itself.
    pub brand: Option<Brand>,
    /// The form.
    pub form: Form,
    /// What the field holds already (an address typed before, or a hint), shown as typed up to 254 characters.
    pub prefill: String,
    /// The typed text is not an e-mail address (A1).
    pub invalid: bool,
    /// With a passkey instead, where the product keeps such.
    pub passkey: Option<Href>,
}

/// The ways in. Without any way the page says to use a work address.
#[derive(Clone, Debug)]
pub struct Choice {
    /// None: the person came to the login host itself.
    pub brand: Option<Brand>,
    /// Carries the ways that are posted; the address travels along in the field `email`.
    pub form: Form,
    /// The address that was typed.
    pub email: String,
    /// Back to the e-mail page.
    pub change: Href,
    /// In the order shown.
    pub ways: Vec<Way>,
}

/// One way in: "Continue with {name}".
#[derive(Clone, Debug)]
pub struct Way {
    /// The provider's name.
    pub name: Name,
    /// What the button does.
    pub go: Go,
    /// Filled instead of outlined; usually the first one only.
    pub primary: bool,
}

/// What a button does.
#[derive(Clone, Debug)]
pub enum Go {
    /// A plain link.
    Link(Href),
    /// Posts the page's form with this value in the field `way`.
    Post(String),
}

/// A 200 page that takes the browser on by refresh, and by a link where refresh is off (rule M12).
///
/// It answers every `POST` that ends on another host: Chromium holds `form-action` against each redirect after a form, so a
/// redirect there would be blocked by our own policy, or by that of the product whose form was posted.
#[derive(Clone, Debug)]
pub struct Hop {
    /// None: the person came to the login host itself.
    pub brand: Option<Brand>,
    /// What awaits the person.
    pub towards: Towards,
    /// Where it leads. Never with a code in it: a page is kept in the history where a redirect is not.
    pub href: Href,
}

/// A form that takes a message to a provider (SAML Bindings §3.5.4): a script posts it at once, and its button does without.
#[derive(Clone)]
pub struct Submit {
    /// None: the person came to the login host itself.
    pub brand: Option<Brand>,
    /// What awaits the person.
    pub towards: Towards,
    /// Where it is posted: the one place that the page's policy allows.
    pub action: Url,
    /// `SAMLRequest` or `SAMLResponse`.
    pub field: &'static str,
    /// The message.
    pub message: String,
    /// `RelayState`, where there is one.
    pub relay_state: Option<String>,
}

impl std::fmt::Debug for Submit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Submit")
            .field("action", &self.action.as_str())
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}

/// What became of a person's session at the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum There {
    /// The provider says that it is over.
    Over,
    /// It says that others may still have the person logged in.
    Partly,
    /// Nobody said so.
    Unknown,
}

/// What awaits a person after a hop.
#[derive(Clone, Debug)]
pub enum Towards {
    /// The provider's login.
    Provider(Name),
    /// The page's product.
    Product,
    /// The page that shows what a move changes.
    Review,
    /// The next step of a logout: the login host's, or the provider's.
    Logout,
}

/// After a logout.
#[derive(Clone, Debug)]
pub struct SignedOut {
    /// The product that was left; None: everywhere.
    pub brand: Option<Brand>,
    /// Log in again.
    pub again: Href,
    /// After leaving one product: "Log out everywhere" posts this with `scope=everywhere`.
    pub everywhere: Option<Form>,
    /// The provider that was told, and what came of it.
    pub there: Option<(Name, There)>,
}

/// `GET` shows it, `POST` acts: field `scope` is `product` or `everywhere`.
#[derive(Clone, Debug)]
pub struct ConfirmLogout {
    /// The product to leave; None: only "everywhere" is offered.
    pub brand: Option<Brand>,
    /// Who is logged in.
    pub person: Person,
    /// The form.
    pub form: Form,
    /// Back without logging out.
    pub stay: Href,
}

/// Who is logged in.
#[derive(Clone, Debug)]
pub struct Person {
    /// As the provider gave it; may be empty.
    pub name: String,
    /// The address.
    pub email: String,
}

/// After the logout of one product, entering it again takes one click (HANDOVER 6).
#[derive(Clone, Debug)]
pub struct Reenter {
    /// The product.
    pub brand: Brand,
    /// Who is logged in.
    pub person: Person,
    /// The form of the button.
    pub form: Form,
    /// Log in as someone else.
    pub other: Href,
}

/// Before an app of a product is let in (rule H16). `POST` with `act`: `allow`, or anything else.
#[derive(Clone, Debug)]
pub struct App {
    /// The product.
    pub brand: Brand,
    /// What people call the app.
    pub app: Name,
    /// Whose account it would act in.
    pub person: Person,
    /// The form of the buttons.
    pub form: Form,
    /// Where the answer goes.
    pub goes_to: url::Url,
}

/// What a person reads aloud to support.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Like `7K3M-9QX2`.
    pub code: String,
    /// When it happened.
    pub at: Utc,
}

/// A link at the foot of a refusal.
#[derive(Clone, Debug)]
pub struct Link {
    /// What it says: begins with a verb.
    pub label: Text,
    /// Where it leads.
    pub href: Href,
}

/// A login that was not let through. Its sentences are fixed text chosen by the refusal's code, never a provider's words.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// None where the product is not known.
    pub brand: Option<Brand>,
    /// Heading.
    pub title: Text,
    /// What happened.
    pub what: Text,
    /// What the person can do now.
    pub can_do: Text,
    /// Whom to ask.
    pub ask: Text,
    /// Reference and time.
    pub reference: Reference,
    /// The first is drawn as the main one.
    pub actions: Vec<Link>,
}

/// The same login began again and again in a short time.
#[derive(Clone, Debug)]
pub struct Loop {
    /// None where the product is not known.
    pub brand: Option<Brand>,
    /// Reference and time.
    pub reference: Reference,
    /// Begins one fresh login.
    pub again: Href,
}

/// A fault of ours: nothing but the reference is shown.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Reference and time.
    pub reference: Reference,
}

/// Who is logged in, what they may open, and the way out.
#[derive(Clone, Debug)]
pub struct Home {
    /// Who is logged in.
    pub person: Person,
    /// Products that the person may open, in the order shown.
    pub products: Vec<ProductLink>,
    /// Where the person enrols for the emergency door; none: not named for it.
    pub emergency: Option<Href>,
    /// The console; none: no role for it.
    pub console: Option<Href>,
    /// The person's own account.
    pub account: Href,
    /// "Log out everywhere" posts this with `scope=everywhere`.
    pub logout: Form,
}

/// A product that may be opened.
#[derive(Clone, Debug)]
pub struct ProductLink {
    /// The product.
    pub brand: Brand,
    /// Its own host.
    pub href: Href,
}

/// A request of an ended session, kept until its person has logged in. The button posts `act=send`, the other `act=discard`.
#[derive(Clone, Debug)]
pub struct Resend {
    /// The product that it was sent to.
    pub brand: Brand,
    /// The form; `to` is the handle.
    pub form: Form,
    /// Like `POST`.
    pub method: String,
    /// Its path at the product.
    pub path: String,
    /// Bytes of its body.
    pub size: u64,
    /// When it was first sent.
    pub at: Utc,
    /// The product could not be reached at the last click.
    pub failed: bool,
}

/// What a person was sending is not kept, or not any more. The sentences are fixed text.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The product that it was sent to.
    pub brand: Brand,
    /// What happened.
    pub what: Text,
    /// What the person can do now.
    pub can_do: Text,
    /// On to the product.
    pub back: Href,
}
