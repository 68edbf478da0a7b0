//! The evidence that a session may be made: an [`Admitted`] comes out of [`decide`](super::decide) and from nowhere else.

use super::{Evidence, Facts, Outcome};
use crate::kernel::event::PolicyStamp;
use crate::kernel::linking::{Linking, takes_over};
use crate::kernel::model::{Account, IdentityKey, LinkedBy, LinkedIdentity, Method, ProductAccount, Trigger};
use crate::kernel::standing::{Bounds, Management};
use crate::kernel::values::{
    DirectoryId, DirectoryName, EmailAddress, LoginSessionId, OrgName, ProductName, RelinkId, Timestamp,
};

/// A person who was let in, and on which terms.
#[derive(Clone, Debug)]
pub struct Admitted {
    terms: Terms,
}

/// What the login room records and makes sessions from.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who.
    pub person: Person,
    /// The identity to link to that person in the same commit, and how the link came to be.
    pub link: Option<(IdentityKey, LinkedBy)>,
    /// The link that this one takes over from, and by which window (behaviour, Relink).
    pub relinks: Option<(RelinkId, LinkedIdentity)>,
    /// The record at the product moves to the one account in the same commit, and why (B14, B20, B22).
    pub moves: Option<Trigger>,
    /// The account that is put aside in the same commit (B21).
    pub sets_aside: Option<Account>,
    /// The product that may be entered; none for a login at the login host only.
    pub entry: Option<Entry>,
    /// What the login session is made from.
    pub proved: Proved,
    /// The one product that the login session is good for; none for proofs that open the login host.
    pub confined_to: Option<ProductName>,
    /// The session that this admission stands on; none for a fresh proof.
    pub session: Option<LoginSessionId>,
    /// Limits of the login session. Its `abs_at` is `auth_time` plus `absolute`.
    pub bounds: Bounds,
    /// The policy that was applied; none for people whom nobody manages.
    pub policy: Option<PolicyStamp>,
    /// The organization that manages the person.
    pub managed_by: Option<OrgName>,
    /// Whether this proof proves the live address anew: store `now` as the time of its proof (rule C6).
    pub proves_address: bool,
    /// An asserted address that is not the live one: ignored, to be flagged in the event.
    pub ignored_address: Option<EmailAddress>,
    /// The asserted address, where the directory has authority over it: a mailbox of the person's, whether or not it is the live one.
    pub own_address: Option<EmailAddress>,
}

/// Who was let in.
#[derive(Clone, Debug)]
pub enum Person {
    /// An existing account, as it was read. Its epoch goes into the sessions.
    Known(Account),
    /// An account to be made.
    New(Draft),
}

/// An account to be made by a first login.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Draft {
    /// The asserted address. It was proved, or there would be no draft (B17).
    pub email: EmailAddress,
    /// The asserted name, as sent; cut and cleaned where it is stored (rule M26).
    pub name: Option<String>,
}

/// A product that may be entered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Which.
    pub product: ProductName,
    /// The person's record there.
    pub record: Record,
    /// Limits of the product session. Its `abs_at` is the earlier of the login session's and `auth_time` plus `absolute`.
    pub bounds: Bounds,
}

/// A person's record at a product.
#[derive(Clone, Debug)]
pub enum Record {
    /// It exists.
    Known(ProductAccount),
    /// To be made, born linked, with a minted `sub` (rule H19).
    New,
}

/// What was proved, as sessions carry it.
#[derive(Clone, Debug)]
pub struct Proved {
    /// By which directory.
    pub directory: DirectoryId,
    /// How.
    pub method: Method,
    /// Authentication methods that the provider stated.
    pub amr: Vec<String>,
    /// Groups that the provider stated.
    pub groups: Vec<String>,
    /// When the provider says the person authenticated.
    pub auth_time: Timestamp,
    /// When our own second step was taken.
    pub stepped_at: Option<Timestamp>,
    /// The provider's session.
    pub provider_session: Option<String>,
}

impl Admitted {
    /// Only the decision calls this.
    pub(in crate::kernel) fn new(terms: Terms) -> Self {
        Self { terms }
    }

    /// On which terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The record at the product that is entered, where it exists.
    pub fn known_record(&self) -> Option<&ProductAccount> {
        match &self.terms.entry.as_ref()?.record {
            Record::Known(record) => Some(record),
            Record::New => None,
        }
    }
}

/// Turns an unopposed linking decision into the outcome.
pub(super) fn outcome(facts: &Facts<'_>, linking: Linking) -> Outcome {
    match linking {
        Linking::Use(account) => Outcome::Session(admit(facts, Person::Known(account), None, None)),
        Linking::Link(account, key) => {
            Outcome::Link(admit(facts, Person::Known(account), Some((key, LinkedBy::Authority)), None))
        }
        Linking::Move(account, Some((key, by)), trigger) => {
            Outcome::Link(admit(facts, Person::Known(account), Some((key, by)), Some(trigger)))
        }
        Linking::Move(account, None, trigger) => {
            Outcome::Session(admit(facts, Person::Known(account), None, Some(trigger)))
        }
        Linking::Create(draft, key) => {
            Outcome::Create(admit(facts, Person::New(draft), Some((key, LinkedBy::FirstLogin)), None))
        }
        Linking::Replace(old, draft, key) => {
            let admitted = admit(facts, Person::New(draft), Some((key, LinkedBy::FirstLogin)), None);
            let terms = admitted.terms;
            // What the old account has at the product stays its own.
            let entry = terms.entry.map(|entry| Entry { record: Record::New, ..entry });
            Outcome::Create(Admitted::new(Terms { sets_aside: Some(old), entry, ..terms }))
        }
        Linking::Need(need) => Outcome::Need(need),
        Linking::Refuse(refusal) => Outcome::Refuse(refusal),
    }
}

fn admit(facts: &Facts<'_>, person: Person, link: Option<(IdentityKey, LinkedBy)>, moves: Option<Trigger>) -> Admitted {
    let managed = facts.managed();
    let live = match &person {
        Person::Known(account) => account.email.as_ref(),
        Person::New(draft) => Some(&draft.email),
    };
    let asserted = facts.asserted();
    let terms = Terms {
        relinks: link.as_ref().and_then(|_| facts.relinks(&person)),
        link,
        moves,
        sets_aside: None,
        entry: entry(facts, &managed),
        proved: proved(facts),
        confined_to: confined_to(facts),
        session: match facts.evidence {
            Evidence::Proof(_) => None,
            Evidence::Session { session, .. } => Some(session.id),
        },
        bounds: Bounds::of_login(&managed),
        policy: managed.first().map(Management::stamp),
        managed_by: managed.first().map(|held| held.org.name.clone()),
        proves_address: asserted.is_some() && asserted == live && facts.has_authority_over_asserted(),
        ignored_address: asserted.filter(|_| asserted != live).cloned(),
        own_address: asserted.filter(|_| facts.has_authority_over_asserted()).cloned(),
        person,
    };
    Admitted::new(terms)
}

impl Facts<'_> {
    /// The link that is let go for the one that is made, where a window says so.
    fn relinks(&self, person: &Person) -> Option<(RelinkId, LinkedIdentity)> {
        let Person::Known(account) = person else { return None };
        let candidate = self.candidates().find(|candidate| candidate.account.id == account.id)?;
        let (window, old) = takes_over(self, candidate, self.asserted()?)?;
        Some((window.id, old.clone()))
    }
}

fn entry(facts: &Facts<'_>, managed: &[Management<'_>]) -> Option<Entry> {
    let product = facts.product?;
    let record = facts.record().cloned().map_or(Record::New, Record::Known);
    Some(Entry { product: product.name.clone(), record, bounds: Bounds::of_product(&product.limits, managed) })
}

fn proved(facts: &Facts<'_>) -> Proved {
    Proved {
        directory: facts.directory_id(),
        method: facts.method(),
        amr: facts.amr().to_vec(),
        groups: facts.groups().to_vec(),
        auth_time: facts.auth_time(),
        stepped_at: facts.stepped_at(),
        provider_session: match facts.evidence {
            Evidence::Proof(proof) => proof.claims().provider_session.clone(),
            Evidence::Session { session, .. } => session.provider_session.clone(),
        },
    }
}

/// A product's local credential opens that product and makes no login for the browser.
fn confined_to(facts: &Facts<'_>) -> Option<ProductName> {
    match &facts.directory()?.name {
        DirectoryName::Local(product) => Some(product.clone()),
        DirectoryName::Issuer | DirectoryName::ThirdParty(_) | DirectoryName::Org(..) | DirectoryName::Here => None,
    }
}

/// The limits that an old proof must still fit: the product's where one is entered, else the login session's.
pub(super) fn strictest(facts: &Facts<'_>) -> Bounds {
    let managed = facts.managed();
    match facts.product {
        Some(product) => Bounds::of_product(&product.limits, &managed),
        None => Bounds::of_login(&managed),
    }
}
