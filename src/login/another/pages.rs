//! What a person meets who chooses another address.

use super::super::account::Managers;
use super::super::answer::Form;
use crate::kernel::values::EmailAddress;

/// A page about another address.
#[derive(Debug)]
pub struct AddressStep {
    /// What is on it.
    pub asks: AddressAsks,
    /// Back to the review.
    pub back: String,
}

/// What is on it.
#[derive(Debug)]
pub enum AddressAsks {
    /// Which one.
    Which {
        /// The form; `to` carries the review.
        form: Form,
        /// Those that are proved.
        proved: Vec<EmailAddress>,
        /// Those that get a code first.
        unproved: Vec<EmailAddress>,
        /// What was typed is no address.
        invalid: bool,
    },
    /// The digits of the mail.
    Code {
        /// The form; `to` carries what waits.
        form: Form,
        /// The address that was typed.
        email: EmailAddress,
        /// They were not right.
        failed: bool,
    },
    /// A mailed link was opened.
    Opened {
        /// Goes on; only in the browser that began (rule H1).
        go_on: Option<Form>,
        /// "This was not me".
        not_me: Form,
    },
    /// The request was ended by who reads the mailbox.
    Ended,
    /// MSG-ASK-ADMIN (row T20).
    AskAdmin(Managers),
}
