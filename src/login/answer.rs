//! What a step of a login answers: facts for a page, or where to go, and the cookies that go with it.
//!
//! HTML, status codes and headers are made of it one layer up.

use super::ticket::Target;
use crate::idp::saml::{Posting, Way as ProviderWay};
use crate::kernel::model::Product;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EmailAddress, Origin, Reference, Timestamp};
use std::sync::Arc;

/// The answer to one request.
#[derive(Debug)]
pub struct Answer {
    /// What the person meets.
    pub step: Step,
    /// `Set-Cookie` values.
    pub cookies: Vec<String>,
    /// Tell the browser to forget what the person before this one left on this host (rule H8).
    pub clear_site: bool,
}

/// What the person meets.
#[derive(Debug)]
pub enum Step {
    /// The first page of a login.
    AskEmail(AskEmail),
    /// The ways in for an address. Without ways: use a work address.
    Choose(Choose),
    /// A page of a local login, at a product's own door.
    Local(Box<super::local::LocalStep>),
    /// A page about the person's own account.
    Account(Box<super::account::AccountStep>),
    /// A page of the emergency door.
    Emergency(Box<super::emergency::EmergencyStep>),
    /// A page of a second step on the login host.
    Stepping(Box<super::stepping::SteppingStep>),
    /// A page of the console's door.
    Console(super::console::ConsoleStep),
    /// Go to another host.
    Leave {
        /// What is there.
        towards: Towards,
        /// What people call it.
        provider: String,
        /// Its authorization request.
        url: String,
        /// The product on the way, for the page.
        product: Option<Arc<Product>>,
        /// Whether the request was a form: `form-action 'self'` then forbids a redirect (rule M12).
        by_form: bool,
    },
    /// Post a form to another host.
    Submit {
        /// What is there.
        towards: Towards,
        /// What people call it.
        provider: String,
        /// The form.
        posting: Posting,
        /// The product on the way, for the page.
        product: Option<Arc<Product>>,
    },
    /// Go there: a path of this host, or a URL of ours.
    Go(String),
    /// One click before a product is entered again (HANDOVER 6).
    Reenter {
        /// The product.
        product: Arc<Product>,
        /// The person.
        person: Person,
        /// The form.
        form: Form,
    },
    /// The login host's own page of a person who is logged in.
    Home {
        /// The person.
        person: Person,
        /// Products that the person may open.
        products: Vec<Arc<Product>>,
        /// Whether the person may enrol for the emergency door.
        emergency: bool,
        /// Whether the person has a role for the console.
        console: bool,
        /// The form of "sign out everywhere".
        form: Form,
    },
    /// A logout that waits for its button.
    ConfirmLogout {
        /// The product to leave; none on the login host.
        product: Option<Arc<Product>>,
        /// The person.
        person: Person,
        /// The form.
        form: Form,
    },
    /// Signed out.
    SignedOut {
        /// The product that was left; none: everywhere.
        product: Option<(Arc<Product>, Origin)>,
        /// The form of "sign out everywhere", where only a product was left.
        everywhere: Option<Form>,
        /// A provider that was, or could not be, told, and what came of it.
        there: Option<(String, There)>,
    },
    /// May an app act for the person?
    App(Box<super::native::AppStep>),
    /// Turned away.
    Refused(Refused),
    /// The same login came back twice.
    Loop(Refused),
    /// A fault of ours.
    Fault {
        /// For the person and the log.
        reference: Reference,
        /// When.
        at: Timestamp,
        /// The store does not answer: 503, nothing of ours is wrong that lasts (rule M2).
        outage: bool,
    },
}

/// What became of a person's session at the provider after a logout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum There {
    /// It says that it is over.
    Over,
    /// It says that others of its applications may still have the person logged in.
    Partly,
    /// It did not say so, or cannot be told.
    Unknown,
}

/// What is at the other end of a [`Step::Leave`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Towards {
    /// A provider that will ask who it is.
    Provider,
    /// The product.
    Product,
    /// The page that shows what a move changes, on the login host.
    Review,
    /// The next step of a logout.
    Logout,
}

/// The first page of a login.
#[derive(Debug)]
pub struct AskEmail {
    /// The product on the way.
    pub product: Option<Arc<Product>>,
    /// The form.
    pub form: Form,
    /// What was typed before.
    pub prefill: String,
    /// It was not an address.
    pub invalid: bool,
    /// Where a passkey is asked for instead, if the product keeps such; the same for everybody.
    pub passkey: Option<String>,
}

/// The ways in for an address.
#[derive(Debug)]
pub struct Choose {
    /// The product on the way.
    pub product: Option<Arc<Product>>,
    /// The form.
    pub form: Form,
    /// What was typed.
    pub email: EmailAddress,
    /// In the order shown.
    pub ways: Vec<Way>,
}

/// One way in.
#[derive(Debug)]
pub struct Way {
    /// The directory's name, as the form sends it.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// Whether it is the organization's own.
    pub first: bool,
}

/// What a form carries.
#[derive(Clone, Debug)]
pub struct Form {
    /// The token that binds it to this browser.
    pub csrf: String,
    /// The sealed aim of the login; empty where there is none.
    pub to: String,
}

/// Who is logged in.
#[derive(Clone, Debug)]
pub struct Person {
    /// The name, or nothing.
    pub name: String,
    /// The address, or nothing.
    pub email: String,
}

/// Turned away.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// For the person and the log.
    pub reference: Reference,
    /// When.
    pub at: Timestamp,
    /// The product on the way.
    pub product: Option<Arc<Product>>,
    /// What the provider is called, where one was involved.
    pub provider: Option<String>,
    /// Where a fresh login would begin.
    pub again: Option<Target>,
    /// The sealed aim of the login, to begin with another address although a session lives; on the login host alone.
    pub to: Option<String>,
}

impl Step {
    /// The step that takes a message to a provider; `about` is what people call the provider, and the product on the way.
    pub(super) fn taking(
        way: ProviderWay,
        towards: Towards,
        about: (String, Option<Arc<Product>>),
        by_form: bool,
    ) -> Self {
        let (provider, product) = about;
        match way {
            ProviderWay::Redirect(url) => Self::Leave { towards, provider, url: url.into(), product, by_form },
            ProviderWay::Post(posting) => Self::Submit { towards, provider, posting, product },
        }
    }

    /// Logged out of everything here.
    pub(super) fn signed_out(there: Option<(String, There)>) -> Self {
        Self::SignedOut { product: None, everywhere: None, there }
    }
}

impl Answer {
    /// An answer without cookies.
    pub(super) fn of(step: Step) -> Self {
        Self { step, cookies: Vec::new(), clear_site: false }
    }

    /// The same answer with one more cookie.
    #[must_use]
    pub fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }
}
