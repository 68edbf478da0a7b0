//! What phase B is told. The login room loads it; nothing here decides.

use crate::kernel::linking::{self, Linking};
use crate::kernel::model::{
    ACCOUNT_SOURCE, Account, Catalog, Directory, IdentityKey, LinkedIdentity, LoginSession, Method, Product,
    ProductAccount, ProductAccountState,
};
use crate::kernel::proof::{OwnerProof, Proof, SecondStepProof, Stepper, Vouched};
use crate::kernel::relink::Window;
use crate::kernel::standing::{self, Entrant, Groups, Management};
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, OrgName, ProductAccountId, Timestamp};
use std::net::IpAddr;

/// Where a request comes from (rule M29).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ComesFrom {
    /// From this address, through trusted proxies.
    Address(IpAddr),
    /// Nobody knows: where networks are named, that is not inside.
    Unknown,
    /// There is no request: what a login would come to is asked of somebody who comes from where they may.
    NoRequest,
}

/// Everything that phase B may look at, read at one time.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The store's clock.
    pub now: Timestamp,
    /// The configuration that holds now, not the one at departure (rule M4).
    pub catalog: &'a Catalog,
    /// Where the person wants to go; none when they only log in at the login host.
    pub product: Option<&'a Product>,
    /// Where the request came from.
    pub client: ComesFrom,
    /// How the person was proved.
    pub evidence: Evidence<'a>,
    /// What is known of the person's own credentials.
    pub local: LocalFacts,
    /// The link that the proof's identity key found; none for a session.
    pub linked: Option<LinkFact>,
    /// Every account whose live address is the asserted one: unverified, inactive and tombstones too (rule H2).
    pub candidates: Vec<Candidate>,
    /// The account that gave the asserted address up at `product`, where nobody has it live (B23). It is logged in by no proof of it.
    pub given_up: Option<Candidate>,
    /// The record at `product` of the linked account, or of the session's.
    pub product_account: Option<ProductAccount>,
    /// The `sub` that the store remembers at `product` for the address that this login would assert there: the live address of
    /// the linked account or of the session's, else the asserted address (rule H19).
    pub address_taken: Option<String>,
    /// Proved addresses of that account besides its live one (rule C3).
    pub further: Vec<EmailAddress>,
    /// Windows in which the proving directory takes links over from another one of its organization (behaviour, Relink).
    pub windows: Vec<Window>,
    /// Whether the proof's identity or the asserted address was somebody's who is deleted for good (rule H2).
    pub buried: bool,
}

/// What is known of the credentials that are kept here.
#[derive(Clone, Debug, Default)]
pub struct LocalFacts {
    /// The account that a local proof names by its id; none for other proofs, and where the row is gone.
    pub account: Option<Account>,
    /// Whether the account to be logged in enrolled a second step.
    pub enrolled: bool,
    /// The person is about to do what an enrolled second step is asked for, whatever the policy says of logins (rule H1: a merge).
    pub demands_step: bool,
    /// The second step that was taken now. It counts for its own account alone.
    pub step: Option<SecondStepProof>,
    /// The password that was typed; none for other methods.
    pub password: Option<PasswordState>,
    /// The proof of a record's owner, beside a provider's (B22).
    pub owner: Option<OwnerProof>,
    /// All groups, where the proving directory provisioned the account to be logged in with some: those and what the proof states.
    pub provisioned: Vec<String>,
    /// The record of which the person said, on a page that offered to prove it, that it is not theirs (B21, B23).
    pub disowned: Option<ProductAccountId>,
}

/// What is known of a local password that was just typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PasswordState {
    /// When it was set.
    pub set_at: Timestamp,
    /// Its score by zxcvbn, 0 to 4.
    pub score: u8,
}

/// How the person was proved.
#[derive(Clone, Copy, Debug)]
pub enum Evidence<'a> {
    /// A provider's reply, judged just now.
    Proof(&'a Proof),
    /// A login session (HANDOVER 2): what it was made from is asked again under the policy of now.
    Session {
        /// Read from the store, its MAC checked.
        session: &'a LoginSession,
        /// Whose it is.
        account: &'a Account,
        /// All links of that account.
        identities: &'a [LinkedIdentity],
    },
}

/// A link, and the account that it names.
#[derive(Clone, Debug)]
pub struct LinkFact {
    /// The link.
    pub link: LinkedIdentity,
    /// Its account; none when the row is gone (B16).
    pub account: Option<Account>,
}

/// An account that the asserted address might mean.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The account.
    pub account: Account,
    /// All its links.
    pub identities: Vec<LinkedIdentity>,
    /// Its record at the product.
    pub product_account: Option<ProductAccount>,
    /// Its proved addresses besides its live one (rule C3).
    pub further: Vec<EmailAddress>,
    /// Whether it enrolled a second step.
    pub enrolled: bool,
}

impl Candidate {
    /// Whether an address names it: its live one, or a proved one of its records.
    pub(in crate::kernel) fn is_named(&self, email: &EmailAddress) -> bool {
        self.account.email.as_ref() == Some(email) || self.further.contains(email)
    }
}

impl<'a> Facts<'a> {
    /// The directory that proved the person.
    pub(in crate::kernel) fn directory_id(&self) -> DirectoryId {
        match self.evidence {
            Evidence::Proof(proof) => proof.claims().identity.directory,
            Evidence::Session { session, .. } => session.directory,
        }
    }

    /// That directory, if the configuration of now still has it.
    pub(in crate::kernel) fn directory(&self) -> Option<&'a Directory> {
        self.catalog.directories.get(&self.directory_id()).map(AsRef::as_ref)
    }

    /// How the person was proved.
    pub(in crate::kernel) fn method(&self) -> Method {
        match self.evidence {
            Evidence::Proof(proof) => proof.claims().method,
            Evidence::Session { session, .. } => session.method,
        }
    }

    /// Authentication methods that the provider stated.
    pub(in crate::kernel) fn amr(&self) -> &'a [String] {
        match self.evidence {
            Evidence::Proof(proof) => &proof.claims().amr,
            Evidence::Session { session, .. } => &session.amr,
        }
    }

    /// Groups that the provider stated; where it provisioned any for this account, all of both.
    pub(in crate::kernel) fn groups(&self) -> &[String] {
        match self.evidence {
            Evidence::Proof(_) if !self.local.provisioned.is_empty() => &self.local.provisioned,
            Evidence::Proof(proof) => &proof.claims().groups,
            Evidence::Session { session, .. } => &session.groups,
        }
    }

    /// When the provider says the person authenticated.
    pub(in crate::kernel) fn auth_time(&self) -> Timestamp {
        match self.evidence {
            Evidence::Proof(proof) => proof.claims().auth_time,
            Evidence::Session { session, .. } => session.auth_time,
        }
    }

    /// The asserted address; a session asserts none.
    pub(in crate::kernel) fn asserted(&self) -> Option<&'a EmailAddress> {
        match self.evidence {
            Evidence::Proof(proof) => proof.claims().email.as_ref(),
            Evidence::Session { .. } => None,
        }
    }

    /// The link of exactly this proof's identity. A link with another key is not looked at, whoever put it here (rule C1).
    pub(in crate::kernel) fn link(&self) -> Option<&LinkFact> {
        let key = self.identity()?;
        self.linked.as_ref().filter(|fact| fact.link.key == *key)
    }

    /// The proof's identity key; a session has none of its own.
    pub(in crate::kernel) fn identity(&self) -> Option<&'a IdentityKey> {
        match self.evidence {
            Evidence::Proof(proof) => Some(&proof.claims().identity),
            Evidence::Session { .. } => None,
        }
    }

    /// The account to be logged in, where a link, a local proof or a session names it. Never one that only an address names.
    pub(in crate::kernel) fn account(&self) -> Option<&Account> {
        match self.evidence {
            Evidence::Proof(proof) if !self.method().is_by_provider() => {
                let key = &proof.claims().identity;
                let is_named = |account: &&Account| {
                    key.source.0 == ACCOUNT_SOURCE && AccountId::parse(&key.subject) == Ok(account.id)
                };
                self.local.account.as_ref().filter(is_named)
            }
            Evidence::Proof(_) => {
                let fact = self.link()?;
                fact.account.as_ref().filter(|account| account.id == fact.link.account)
            }
            Evidence::Session { account, .. } => Some(account),
        }
    }

    /// Whoever this login would enter: the account that a link names, else the one that the address can mean.
    pub fn whom(&self) -> Option<AccountId> {
        self.account().or_else(|| self.meant().map(|meant| &meant.account)).map(|account| account.id)
    }

    /// Candidates that the asserted address really names; none where a link already says who it is (B13 before B17).
    pub(in crate::kernel) fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        let asserted = self.asserted().filter(|_| self.method().is_by_provider() && self.link().is_none());
        self.candidates
            .iter()
            .filter(move |one| asserted.is_some_and(|email| one.is_named(email) || self.is_owners(one)))
    }

    /// Whether the person proved just now that this candidate's record is theirs (row T22: under whatever address).
    fn is_owners(&self, candidate: &Candidate) -> bool {
        let record = candidate.product_account.as_ref().map(|record| record.id);
        self.local
            .owner
            .zip(record)
            .is_some_and(|(owner, record)| owner.is_of(candidate.account.id, candidate.account.epoch, record))
    }

    /// Whoever gave the asserted address up, as far as nobody has it (B23).
    pub(in crate::kernel) fn given_up(&self) -> Option<&Candidate> {
        let asks = self.asserted().is_some() && self.method().is_by_provider() && self.link().is_none();
        self.given_up.as_ref().filter(|_| asks && self.candidates().next().is_none())
    }

    /// The one that an address can mean here: the only candidate, or of several the only one with a record at this product that still
    /// has a password, which its owner can prove (B18).
    pub(in crate::kernel) fn meant(&self) -> Option<&Candidate> {
        let mut candidates = self.candidates();
        let first = candidates.next()?;
        if candidates.next().is_none() {
            return Some(first);
        }
        let is_local = |record: &ProductAccount| {
            matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating)
        };
        let mut here = self.candidates().filter(|one| one.product_account.as_ref().is_some_and(is_local));
        here.next().filter(|_| here.next().is_none())
    }

    /// The record at the product of whoever would be logged in: the account's, else that of whom the address can mean.
    pub fn record(&self) -> Option<&ProductAccount> {
        let (account, record) = match (self.account(), self.meant()) {
            (Some(account), _) => (account, self.product_account.as_ref()?),
            (None, Some(meant)) => (&meant.account, meant.product_account.as_ref()?),
            (None, None) => return None,
        };
        let theirs = record.account == account.id && self.product.is_some_and(|product| product.name == record.product);
        theirs.then_some(record)
    }

    /// Whether the asserted address counts as proved (B17): the directory may speak for it, or it is not an organization's
    /// directory and says `true` in so many words.
    pub(in crate::kernel) fn asserted_is_proved(&self) -> bool {
        let Evidence::Proof(proof) = self.evidence else { return false };
        let Some(email) = self.asserted() else { return false };
        match self.method() {
            Method::OrgSso => self.authority(email).is_some(),
            Method::Issuer | Method::ThirdParty | Method::Reset => proof.claims().email_verified == Vouched::Yes,
            // Who knows a password has not shown that the mailbox is theirs.
            Method::Password | Method::Passkey | Method::Recovery | Method::Adapter | Method::Emergency => false,
        }
    }

    /// The claim by which the proving directory may speak for an address (rule B3).
    pub(in crate::kernel) fn authority(&self, email: &EmailAddress) -> Option<Management<'a>> {
        standing::speaks_for(self.catalog, self.directory()?, email)
    }

    /// Proved addresses of the person: the account's, or the asserted one of somebody who has no account yet.
    pub(in crate::kernel) fn addresses(&self) -> Vec<&EmailAddress> {
        match self.account() {
            Some(account) => standing::proved_addresses(account, &self.further),
            None => self.asserted().filter(|_| self.asserted_is_proved()).into_iter().collect(),
        }
    }

    /// Who manages the person (rule C3: by any proved address).
    pub(in crate::kernel) fn managed(&self) -> Vec<Management<'a>> {
        standing::managements(self.catalog, &self.addresses(), self.known_groups())
    }

    /// The person's groups, as far as a directory of an organization says them now.
    fn known_groups(&self) -> Groups<'_> {
        Groups::of(self.asserted_by(), self.groups())
    }

    /// Whose second step this login needs where one is needed: of the account that it enters as things are, or of nobody yet. `None`
    /// where it enters none.
    pub fn stepper(&self) -> Option<Stepper> {
        match linking::link(self).1 {
            Linking::Use(account) | Linking::Link(account, _) | Linking::Move(account, ..) => {
                Some(Stepper::Account(account.id))
            }
            Linking::Create(_, key) | Linking::Replace(_, _, key) => Some(Stepper::Newcomer(key)),
            Linking::Need(_) | Linking::Refuse(_) => None,
        }
    }

    /// Whether this account's second step was taken on the login host, in this login.
    pub(in crate::kernel) fn has_stepped(&self, account: AccountId) -> bool {
        self.local.step.as_ref().is_some_and(|step| *step.stepper() == Stepper::Account(account))
    }

    /// When our own second step was taken, in this login or in the session that stands for it; never somebody else's.
    pub(in crate::kernel) fn stepped_at(&self) -> Option<Timestamp> {
        let is_theirs = |stepper: &Stepper| match (stepper, self.account()) {
            (Stepper::Account(whose), Some(account)) => account.id == *whose,
            _ => self.method().is_by_provider() && self.stepper().as_ref() == Some(stepper),
        };
        let taken = self.local.step.as_ref().filter(|step| is_theirs(step.stepper())).map(SecondStepProof::at);
        // Taken at the product's door, by the owner of the record that this login moves (B22).
        let of_now = |owner: &OwnerProof| {
            let account = self.account().or(self.meant().map(|meant| &meant.account));
            let both = account.zip(self.record());
            both.is_some_and(|(account, record)| owner.is_of(account.id, account.epoch, record.id))
        };
        let owner = self.local.owner.filter(of_now);
        let by_owner = owner.filter(|owner| is_theirs(&Stepper::Account(owner.account())));
        let before = match self.evidence {
            Evidence::Proof(_) => by_owner.and_then(|owner| owner.stepped_at()),
            Evidence::Session { session, .. } => session.stepped_at,
        };
        taken.or(before)
    }

    /// Whose policies judge this login: the managers'; for somebody without a proved address whoever claims the asserted or the
    /// unproved address, because to be unproved must not loosen anything (rule C2).
    pub(in crate::kernel) fn governing(&self) -> Vec<Management<'a>> {
        let proved = self.addresses();
        if !proved.is_empty() {
            return standing::managements(self.catalog, &proved, self.known_groups());
        }
        let unproved = self.account().and_then(|account| account.email.as_ref());
        let claimed: Vec<&EmailAddress> = self.asserted().into_iter().chain(unproved).collect();
        standing::managements(self.catalog, &claimed, self.known_groups())
    }

    /// The organization whose directory proved the person.
    pub(in crate::kernel) fn asserted_by(&self) -> Option<&'a OrgName> {
        self.directory().and_then(Directory::org)
    }

    /// Asks something of the person as the products' `allow` sees them.
    pub(in crate::kernel) fn entrant<T>(&self, ask: impl FnOnce(&Entrant<'_>) -> T) -> T {
        let (managed, addresses) = (self.managed(), self.addresses());
        ask(&Entrant {
            managed: &managed,
            addresses: &addresses,
            groups: self.groups(),
            asserted_by: self.asserted_by(),
        })
    }
}
