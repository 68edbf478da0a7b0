//! Ceremonies with authenticators, the only pages with a script: a browser asks its authenticator for nobody else. Served by the
//! login host alone, from a file of ours that the policy of these pages names; every other page runs none.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Value, context};

use super::href::Href;
use super::name::legible;
use super::page::{Brand, Form};
use super::view;

/// The script, as it is served at [`SCRIPT_PATH`].
pub const SCRIPT: &str = include_str!("templates/passkey.js");

/// Where the login host serves the script.
pub const SCRIPT_PATH: &str = "/login/passkey.js";

/// A ceremony. The script posts `credential` with the form, and `label` of a new one.
#[derive(Clone, Debug)]
pub struct Passkey {
    /// The product that it is for.
    pub brand: Brand,
    /// The form of the answer; `to` carries the challenge, sealed.
    pub form: Form,
    /// What it is for.
    pub ceremony: Ceremony,
    /// What the browser is asked, as JSON (WebAuthn §5.4, §5.5).
    pub options: String,
    /// Another way in, or back.
    pub other: Href,
    /// The last answer did not hold.
    pub failed: bool,
}

/// What a ceremony is for.
#[derive(Clone, Debug)]
pub enum Ceremony {
    /// The only step of a login.
    First {
        /// Carries an address that is typed instead, in the field `email`.
        email_form: Form,
    },
    /// The second step of one.
    Second,
    /// A new credential.
    Enrol {
        /// Whose.
        email: String,
    },
}

impl Passkey {
    pub(super) fn values(&self) -> Value {
        let (kind, email_form, email) = match &self.ceremony {
            Ceremony::First { email_form } => ("first", Some(view::form(email_form)), None),
            Ceremony::Second => ("second", None, None),
            Ceremony::Enrol { email } => ("enrol", None, Some(legible(email))),
        };
        context! {
            form => view::form(&self.form), kind, email_form, email, options => legible(&self.options), other => self.other.as_str(),
            failed => self.failed, script => SCRIPT_PATH, integrity => integrity(),
        }
    }
}

/// The script's digest, for the browser to hold it against (Subresource Integrity §3.3).
fn integrity() -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, SCRIPT.as_bytes())))
}
