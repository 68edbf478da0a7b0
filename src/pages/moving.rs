//! Pages for an account that moves: asked to, proved on both sides, reviewed. They speak of what stays.

use minijinja::{Value, context};

use super::href::Href;
use super::name::{Name, legible};
use super::page::{Brand, Form};
use super::utc::Utc;
use super::view;

/// The password was right, and the account must move before anything else (B11). `POST`.
#[derive(Clone, Debug)]
pub struct Move {
    /// The product.
    pub brand: Brand,
    /// Goes on to the provider.
    pub form: Form,
    /// The address that was typed.
    pub email: String,
    /// What people call the provider.
    pub provider: Name,
    /// Nothing else opens the product; else the person asked for it and may stay.
    pub must: bool,
    /// The last day on which the password opens the product, where one is set.
    pub last_day: Option<Utc>,
    /// Back to the product.
    pub stay: Href,
}

/// Whether the account at the product is the person's (B22). `POST` with the fields `password` and `code`.
#[derive(Clone, Debug)]
pub struct Prove {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries what is asked.
    pub form: Form,
    /// The account's address at the product.
    pub email: String,
    /// What people call the provider.
    pub provider: Name,
    /// The address that the provider said; empty where it said none.
    pub identity: String,
    /// What is needed was shown a moment ago and is not asked for again.
    pub known: bool,
    /// Only the code of the second step is missing.
    pub first: bool,
    /// Asks for a code by mail instead of the password. `POST`.
    pub by_mail: Form,
    /// The account is not the person's: a new one instead (B21). `POST`.
    pub anew: Option<Form>,
    /// It did not work.
    pub failed: bool,
    /// Away, with nothing changed.
    pub stay: Href,
}

/// Both sides are proved; the button connects them (row T12). `POST`.
#[derive(Clone, Debug)]
pub struct Review {
    /// The product.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// The address that the account has then.
    pub kept: String,
    /// Addresses that log in no longer.
    pub removed: Vec<String>,
    /// What people call the provider.
    pub provider: Name,
    /// Who the person is there.
    pub identity: String,
    /// The organization that manages the address.
    pub work: Option<Name>,
    /// Where another address is chosen; none for who is managed (row T20).
    pub another: Option<Href>,
    /// The facts changed since the page was shown: 409.
    pub changed: bool,
    /// Away, with nothing changed.
    pub stay: Href,
}

/// The person begins anew with an address that an older account has and never proved (B21), or had once (B23). `POST`.
#[derive(Clone, Debug)]
pub struct Anew {
    /// The product.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// The new account's address.
    pub email: String,
    /// What people call the provider.
    pub provider: Name,
    /// Who the person is there.
    pub identity: String,
    /// An older account is put aside for it.
    pub set_aside: bool,
    /// The facts changed since the page was shown: 409.
    pub changed: bool,
    /// Away, with nothing changed: to log in the way the person did before.
    pub stay: Href,
}

impl Anew {
    pub(super) fn status(&self) -> u16 {
        if self.changed { 409 } else { 200 }
    }

    pub(super) fn values(&self) -> Value {
        context! {
            form => view::form(&self.form), email => legible(&self.email), provider => self.provider.shown(),
            identity => legible(&self.identity), set_aside => self.set_aside, changed => self.changed,
            stay => self.stay.as_str(),
        }
    }
}

impl Move {
    pub(super) fn values(&self) -> Value {
        context! {
            form => view::form(&self.form), email => legible(&self.email), provider => self.provider.shown(),
            must => self.must, last_day => self.last_day.map(|at| at.0), stay => self.stay.as_str(),
        }
    }
}

impl Prove {
    pub(super) fn values(&self) -> Value {
        context! {
            form => view::form(&self.form), email => legible(&self.email), provider => self.provider.shown(),
            identity => legible(&self.identity), known => self.known, first => self.first, by_mail => view::form(&self.by_mail), anew => self.anew.as_ref().map(view::form), failed => self.failed, stay => self.stay.as_str(),
        }
    }
}

impl Review {
    pub(super) fn status(&self) -> u16 {
        if self.changed { 409 } else { 200 }
    }

    pub(super) fn values(&self) -> Value {
        context! {
            form => view::form(&self.form), kept => legible(&self.kept), provider => self.provider.shown(),
            removed => self.removed.iter().map(|address| legible(address)).collect::<Vec<_>>(),
            identity => legible(&self.identity), work => self.work.as_ref().map(Name::shown), changed => self.changed,
            another => self.another.as_ref().map(Href::as_str), stay => self.stay.as_str(),
        }
    }
}
