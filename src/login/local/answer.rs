//! What a person meets in a local login.

use super::super::account::Manager;
use super::super::another::AddressStep;
use super::super::answer::{Form, Way};
use super::super::merging::MergeStep;
use crate::kernel::local::Weakness;
use crate::kernel::model::Product;
use crate::kernel::values::{EmailAddress, Timestamp};
use std::sync::Arc;

/// One page of a local login, at a product's own door.
#[derive(Debug)]
pub struct LocalStep {
    /// The product whose door it is.
    pub product: Arc<Product>,
    /// What is on it.
    pub page: LocalPage,
}

/// What is on a page.
#[derive(Debug)]
pub enum LocalPage {
    /// The password, beside the deployment's other ways in.
    Password {
        /// The form.
        form: Form,
        /// The address that was typed.
        email: EmailAddress,
        /// Other ways in.
        ways: Vec<Way>,
        /// Where a passkey is asked for instead.
        passkey: String,
        /// It did not work: wrong, unknown or removed, in one text.
        failed: bool,
    },
    /// A code from an app, a passkey, or a recovery code.
    AppCode {
        /// The form; `to` carries the first step.
        form: Form,
        /// Whether the person has an app.
        app: bool,
        /// Whether the person has a passkey.
        passkey: bool,
        /// The last one was not right.
        failed: bool,
    },
    /// A code from a mail.
    MailCode {
        /// The form; `to` carries the proof under way.
        form: Form,
        /// The last one was not right.
        failed: bool,
    },
    /// The address of who forgot the password.
    AskReset {
        /// The form.
        form: Form,
        /// It was not an address.
        invalid: bool,
    },
    /// A new password.
    NewPassword {
        /// The form; `to` carries what was proved.
        form: Form,
        /// Whose.
        email: EmailAddress,
        /// Asked of a person who is logged in: the old one too.
        asks_current: bool,
        /// What was wrong with the last one.
        wrong: Option<Wrong>,
    },
    /// A mailed link was opened.
    Opened {
        /// Goes on; only in the browser that began (rule H1).
        go_on: Option<Form>,
        /// "This was not me".
        not_me: Form,
    },
    /// A sentence, and where to go on.
    Said(Said),
    /// The password is kept by the product itself, and changed there.
    KeptByProduct {
        /// Where, if the product says so.
        url: Option<String>,
    },
    /// A new authenticator app.
    Enrol {
        /// The form; `to` carries the seed, sealed.
        form: Form,
        /// The `otpauth` address, for a QR code.
        uri: String,
        /// The key in base32.
        key: String,
        /// Whether a passkey may be enrolled instead: in a login that a policy holds up. Elsewhere it has a button of its own.
        passkey: bool,
        /// The last code was not right.
        failed: bool,
    },
    /// A ceremony with an authenticator, on the login host.
    Passkey {
        /// The form; `to` carries the challenge, sealed.
        form: Form,
        /// What it is for.
        ceremony: CeremonyFor,
        /// What the browser is asked, as JSON.
        options: String,
        /// Another way, at the product.
        other: String,
        /// The last answer did not hold.
        failed: bool,
    },
    /// A passkey was added.
    Enrolled {
        /// Where to go on, at the product.
        next: String,
    },
    /// Recovery codes, shown once.
    Recovery {
        /// The codes.
        codes: Vec<String>,
        /// Where to go on.
        next: String,
    },
    /// The password was right, and the account must move before anything else (B11).
    Move {
        /// The form; `to` carries what was proved.
        form: Form,
        /// The address.
        email: EmailAddress,
        /// What people call the provider.
        provider: String,
        /// Nothing else opens the product; else the person asked for it.
        must: bool,
        /// When the password ends by itself.
        ends: Option<Timestamp>,
    },
    /// Whether the account at this product is the person's, who came by a provider (B22).
    Prove {
        /// The form; `to` carries what is asked.
        form: Form,
        /// The account's address here.
        email: EmailAddress,
        /// What people call the provider.
        provider: String,
        /// The address that it said.
        identity: String,
        /// What of it was shown in this browser a moment ago.
        shown: Shown,
        /// The person may say that it is not theirs, and begin anew (B21).
        may_begin_anew: bool,
        /// The password or the code was not right.
        failed: bool,
    },
    /// The person begins anew; shown on the login host (B21, B23).
    Anew {
        /// The form; `to` carries what was shown.
        form: Form,
        /// The new account's address.
        email: String,
        /// What people call the provider.
        provider: String,
        /// Who the person is there.
        identity: String,
        /// An older account is put aside for it (B21); else one had the address once (B23).
        set_aside: bool,
        /// The facts are others than those that were shown.
        changed: bool,
        /// Back to the product, with nothing changed.
        stay: String,
    },
    /// Both sides are proved; shown on the login host (row T12).
    Review {
        /// The form; `to` carries what was shown and proved.
        form: Form,
        /// The address that the account has then.
        kept: String,
        /// Addresses that log in no longer.
        removed: Vec<String>,
        /// What people call the provider.
        provider: String,
        /// Who the person is there.
        identity: String,
        /// The organization that manages the address.
        work: Option<String>,
        /// Where another address is chosen; none for who is managed (row T20).
        another: Option<String>,
        /// The facts are others than those that were shown.
        changed: bool,
        /// Back to the product, with nothing changed.
        stay: String,
    },
    /// Another address for the review (rows T12, T16, T19); shown on the login host.
    Address(AddressStep),
    /// Two accounts of one person here (row L10); shown on the login host.
    Merge(MergeStep),
    /// What a person has enrolled.
    Security {
        /// The form.
        form: Form,
        /// The address.
        email: String,
        /// Labels and ids of second steps.
        factors: Vec<(String, String)>,
        /// Recovery codes left.
        recovery_left: u32,
        /// What is asked besides the password, where a second step is enrolled.
        proof: Asks,
        /// An organization manages the person: its admins change the password (row L06).
        managed: bool,
        /// The only second step has to stay: a policy requires one.
        last_stays: bool,
        /// The password or the code was not right.
        failed: bool,
    },
    /// An organization manages the person: its admins change that (row L06).
    AskAdmin(Manager),
}

/// How much of the proof of a record (B22) was given in this browser a moment ago.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// The password or the mailbox; the enrolled second step is missing.
    First,
    /// All that is needed.
    Enough,
}

/// What is asked besides the password before what is enrolled changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asks {
    /// A code.
    Code,
    /// A code, or the passkey first.
    CodeOrPasskey,
    /// Nothing: the session's own second step is of just now.
    Nothing,
}

/// What a ceremony is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CeremonyFor {
    /// The only step of a login.
    First,
    /// The second step of one.
    Second,
    /// A new credential.
    Enrol {
        /// Whose.
        email: EmailAddress,
    },
}

/// What was wrong with a new password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wrong {
    /// It is weak.
    Weak(Weakness),
    /// It is empty or too long.
    Length,
    /// The old one was not right.
    Current,
}

/// Fixed sentences; their words stand with the pages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Said {
    /// The password was changed; log in with it.
    Changed,
    /// The request for a new password was ended.
    Ended,
    /// Too many tries.
    TooMany,
    /// The proof is over, or was begun in another browser.
    Over,
    /// Passwords are being checked for too many people at once.
    Busy,
    /// The product, which keeps the passwords, cannot be reached.
    Away,
    /// A passkey was not added: what the door had asked for is over.
    EnrolmentOver,
    /// There is no sign-up here.
    NoSignup,
    /// The password is kept elsewhere (MSG-RESET-AT-ORG).
    KeptElsewhere,
}
