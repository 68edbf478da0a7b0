//! Our own second step of people who log in by a provider (B9): on the login host, between the provider's proof and the login.
//!
//! ```text
//! callback → proof, second step missing → a cookie with the proof → page: code, passkey, recovery code → decided again → login
//!                                           └ none enrolled yet: a code to the mailbox, then an app or a passkey of their own
//! ```
//! Whoever has the provider's login alone enrols nothing for somebody who is known here: the mailbox must be theirs too, and the provider
//! must have asked them just now (rule H1). Who gets an account by this very login has shown nothing else yet and enrols at once; what
//! they enrolled goes into the commit that makes the account.
//!
//! - `asked`: what a page asks, sealed into its form. `ask`: who is asked for what. `code`, `passkey`: what is enrolled is taken.
//!   `first`: what is not enrolled yet is. `settled`: on with the login. `own`: a person's own second steps, from a session.

mod ask;
mod asked;
mod code;
mod first;
mod own;
mod passkey;
mod settled;

pub(super) use settled::Stepped;

use super::answer::Form;
use super::local::CeremonyFor;
use crate::kernel::model::Product;
use std::sync::Arc;

/// One page of a second step on the login host.
#[derive(Debug)]
pub struct SteppingStep {
    /// The product that its person is on the way to; none: to the login host itself.
    pub product: Option<Arc<Product>>,
    /// What is on it.
    pub page: SteppingPage,
}

/// The page of a person's own second steps.
pub(super) const OWN_STEPS: &str = "/account/steps";

/// What a person has enrolled, and may change.
#[derive(Debug)]
pub struct OwnSteps {
    /// The form of the buttons.
    pub form: Form,
    /// Labels and ids.
    pub factors: Vec<(String, String)>,
    /// Recovery codes left.
    pub recovery_left: u32,
    /// The only one has to stay: a policy requires one.
    pub last_stays: bool,
    /// The person was proved just now, with the second step that is enrolled: else there is one button, which does that.
    pub fresh: bool,
    /// There may be more.
    pub may_add: bool,
}

/// What is on a page.
#[derive(Debug)]
pub enum SteppingPage {
    /// A code of an app, a passkey, or a recovery code.
    Code {
        /// The form.
        form: Form,
        /// Whether the person has an app.
        app: bool,
        /// Whether the person has a passkey.
        passkey: bool,
        /// The last one was not right.
        failed: bool,
    },
    /// The digits of a mail, before the first second step is enrolled.
    Mailed {
        /// The form.
        form: Form,
        /// Where the mail went.
        email: String,
        /// The last ones were not right.
        failed: bool,
    },
    /// A new authenticator app.
    App {
        /// The form; `to` carries the seed, sealed.
        form: Form,
        /// The `otpauth` address, for a QR code.
        uri: String,
        /// The key in base32.
        key: String,
        /// Whether a passkey may be enrolled instead.
        passkey: bool,
        /// The last code was not right.
        failed: bool,
    },
    /// A ceremony with an authenticator.
    Passkey {
        /// The form; `to` carries the challenge, sealed.
        form: Form,
        /// What it is for.
        ceremony: CeremonyFor,
        /// What the browser is asked, as JSON.
        options: String,
        /// Begins the login anew.
        other: String,
        /// The last answer did not hold.
        failed: bool,
    },
    /// What a person has enrolled.
    Own(OwnSteps),
    /// A new app, from a session.
    OwnApp {
        /// The form; `to` carries the seed, sealed.
        form: Form,
        /// The `otpauth` address, for a QR code.
        uri: String,
        /// The key in base32.
        key: String,
        /// The last code was not right.
        failed: bool,
    },
    /// A new passkey, from a session.
    OwnPasskey {
        /// The form; `to` carries the challenge, sealed.
        form: Form,
        /// Whose.
        ceremony: CeremonyFor,
        /// What the browser is asked, as JSON.
        options: String,
        /// Back.
        other: String,
        /// The last answer did not hold.
        failed: bool,
    },
    /// Recovery codes, shown once.
    Recovery {
        /// The codes.
        codes: Vec<String>,
        /// Where the login goes on.
        next: String,
    },
    /// Too many tries.
    TooMany {
        /// Begins the login anew.
        again: String,
    },
    /// Its time is over, it was used, or what it was asked for has changed.
    Over {
        /// Begins the login anew.
        again: String,
    },
}
