//! The emergency door of the login host (rule H3): for people whom a policy names in `break_glass`, while their organization's own
//! provider is what keeps everybody out.
//!
//! - `prepare`: the operator's link, by which one person enrols a passkey for this door and for nothing else.
//! - `enter`: that passkey → decision → login session, with an alarm to everybody who administers.
//! - `own`: the same from a session by single sign-on, without the operator.
//! - `kept`: who is enrolled, and taking that away.
//! - `ticket`: the sealed values of both.
//!
//! A named address has no effect before its passkey was enrolled, and the passkey none once the policy no longer names the address,
//! the account is switched off or the address is another's: each login is decided like every other one. The page is one for all: it
//! asks for no address, so it tells nothing of any (rule H18).

mod enter;
mod kept;
mod own;
mod prepare;
mod ticket;

pub use kept::{Enrolled, Removed};
pub use prepare::NotPrepared;

use super::answer::Form;

/// A page of the emergency door.
#[derive(Debug)]
pub struct EmergencyStep {
    /// The form of the authenticator's answer.
    pub form: Form,
    /// What the browser is asked, as JSON.
    pub options: String,
    /// The last answer did not hold.
    pub failed: bool,
    /// What is on it.
    pub page: EmergencyPage,
}

/// What is on a page of the emergency door.
#[derive(Debug)]
pub enum EmergencyPage {
    /// Asks for the passkey.
    Enter,
    /// Asks for a new one of this address.
    Enrol(String),
    /// It is enrolled.
    Enrolled,
    /// The operator's link is over, or was used.
    Over,
    /// Whoever this is does not enrol from their own session.
    NotHere,
    /// Too many tries.
    TooMany,
}
