//! Evidence: who was proved, how, by which directory, and when.
//!
//! A [`Proof`] is made by the judges of this layer alone (its constructor is `pub(in crate::kernel)`), from a reply whose
//! signature or channel they checked themselves. There is no constructor for tests: tests judge real replies.

mod standing;
mod stepped;

use super::model::{IdentityKey, Method};
use super::saml::NameId;
use super::values::{AccountId, EmailAddress, ProductAccountId, Secret, Timestamp};

/// A judged reply of a provider.
#[derive(Clone, Debug)]
pub struct Proof {
    claims: Claims,
}

/// What a judged reply says.
#[derive(Clone, Debug)]
pub struct Claims {
    /// Who, in that directory's name space (rule C1).
    pub identity: IdentityKey,
    /// Which kind of directory it was.
    pub method: Method,
    /// The asserted address.
    pub email: Option<EmailAddress>,
    /// What the provider said about it.
    pub email_verified: Vouched,
    /// Google's `hd`: the hosted domain of the account.
    pub hosted_domain: Option<String>,
    /// The asserted name, as sent.
    pub name: Option<String>,
    /// Groups from the configured claim.
    pub groups: Vec<String>,
    /// Authentication methods (RFC 8176).
    pub amr: Vec<String>,
    /// Authentication context class.
    pub acr: Option<String>,
    /// When the person authenticated; the reply's own time where the provider does not say.
    pub auth_time: Timestamp,
    /// The provider's session.
    pub provider_session: Option<String>,
    /// Our session ends then at the latest, where the provider says so (SAML `SessionNotOnOrAfter`).
    pub session_until: Option<Timestamp>,
    /// The NameID of a SAML assertion, by which single logout names the person.
    pub name_id: Option<NameId>,
    /// The raw id_token, kept sealed as a hint for logout at the provider.
    pub id_token: Option<Secret>,
    /// By what the provider is asked again whether the login stands, where the directory wants that and the provider gave it.
    pub refreshable: Option<Refreshable>,
}

/// A refresh token, and whom its answers must be about.
#[derive(Clone, Debug)]
pub struct Refreshable {
    /// The token (RFC 6749 §1.5).
    pub token: Secret,
    /// The `sub` that came with it, whichever claim names the person here.
    pub sub: String,
}

/// What a provider says about an address: only an explicit JSON `true` counts as verified (rule B17, behaviour §4 #1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vouched {
    /// `email_verified: true`.
    Yes,
    /// `email_verified: false`, or anything that is not a JSON boolean.
    No,
    /// It said nothing.
    Silent,
}

impl Proof {
    /// Only the judges call this.
    pub(in crate::kernel) fn new(claims: Claims) -> Self {
        Self { claims }
    }

    /// The same proof for where there is no room for a refresh token.
    #[must_use]
    pub fn without_refresh(&self) -> Self {
        let mut claims = self.claims.clone();
        claims.refreshable = None;
        Self { claims }
    }

    /// What was proved.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

/// Whose second step it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stepper {
    /// This account's.
    Account(AccountId),
    /// Of who has no account yet and gets one by the login that the step belongs to: of whoever has this identity.
    Newcomer(IdentityKey),
}

/// Our own second step, taken by somebody: a code of an app, a passkey, a recovery code. Made by the judges of factors alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecondStepProof {
    stepper: Stepper,
    at: Timestamp,
}

impl SecondStepProof {
    /// Only the judges call this.
    pub(in crate::kernel) fn new(stepper: Stepper, at: Timestamp) -> Self {
        Self { stepper, at }
    }

    /// Whose factor it was.
    pub fn stepper(&self) -> &Stepper {
        &self.stepper
    }

    /// When it was taken.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// The owner of a record at a product has just shown that it is theirs, by what the record itself opens with (B22). Made by the judges
/// of local proofs alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OwnerProof {
    account: AccountId,
    record: ProductAccountId,
    epoch: u32,
    stepped_at: Option<Timestamp>,
}

impl OwnerProof {
    /// Only the judges call this.
    pub(in crate::kernel) fn new(
        account: AccountId,
        record: ProductAccountId,
        epoch: u32,
        stepped_at: Option<Timestamp>,
    ) -> Self {
        Self { account, record, epoch, stepped_at }
    }

    /// Whose record it is.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Whether it is of this account as it is now, and of this record of it: what was proved before the epoch rose is worth nothing
    /// (rule H14).
    pub fn is_of(&self, account: AccountId, epoch: u32, record: ProductAccountId) -> bool {
        (self.account, self.epoch, self.record) == (account, epoch, record)
    }

    /// Whether our own second step was taken with it.
    pub fn stepped(&self) -> bool {
        self.stepped_at.is_some()
    }

    /// When it was.
    pub fn stepped_at(&self) -> Option<Timestamp> {
        self.stepped_at
    }
}
