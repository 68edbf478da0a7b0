//! Pages on which a person chooses another address before the account moves (rows T12, T16, T19).

use minijinja::{Value, context};

use super::href::Href;
use super::name::legible;
use super::page::{Brand, Form};
use super::view;

/// Which address stays. `POST` with the field `email`: each proved one has a button of its own.
#[derive(Clone, Debug)]
pub struct WhichAddress {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries the review.
    pub form: Form,
    /// Addresses that are proved.
    pub proved: Vec<String>,
    /// Addresses of the account that get a code first.
    pub unproved: Vec<String>,
    /// What was typed is no address.
    pub invalid: bool,
    /// Back to the review; none where there is nothing to review without a choice.
    pub back: Option<Href>,
}

/// The digits of the mail to the address that was chosen. `POST` with the field `code`.
#[derive(Clone, Debug)]
pub struct AddressCode {
    /// The product.
    pub brand: Brand,
    /// The form; `to` carries what waits.
    pub form: Form,
    /// The address that was typed.
    pub email: String,
    /// They were not right.
    pub failed: bool,
    /// Another address.
    pub another: Href,
}

/// The link of that mail. `GET` shows, `POST` acts (rule H1).
#[derive(Clone, Debug)]
pub struct AddressOpened {
    /// The product.
    pub brand: Brand,
    /// Goes on, in the browser that began; none elsewhere.
    pub go_on: Option<Form>,
    /// "This was not me": ends the request.
    pub not_me: Form,
}

impl WhichAddress {
    pub(super) fn values(&self) -> Value {
        let shown = |addresses: &[String]| addresses.iter().map(|address| legible(address)).collect::<Vec<_>>();
        context! {
            form => view::form(&self.form), proved => shown(&self.proved), unproved => shown(&self.unproved),
            invalid => self.invalid, back => self.back.as_ref().map(Href::as_str),
        }
    }
}

impl AddressCode {
    pub(super) fn values(&self) -> Value {
        context! {
            form => view::form(&self.form), email => legible(&self.email), failed => self.failed,
            another => self.another.as_str(),
        }
    }
}

impl AddressOpened {
    pub(super) fn values(&self) -> Value {
        context! { go_on => self.go_on.as_ref().map(view::form), not_me => view::form(&self.not_me) }
    }
}
