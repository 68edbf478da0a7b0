//! Phase A: what the first page does with a typed address. Total, and blind to who may act.
//!
//! Where a product has no local passwords it reads the configuration and nothing else, so the answer for a stranger's address is the
//! answer for a colleague's (H18). Where it has, the record at the product says whether a password is asked for, and a stranger is
//! given the page that as many known people get. Break-glass addresses get what every address of their domain gets (rule H3); who
//! was switched off is nowhere asked (A-rules). What this never does: name a password or another way beside an enforced directory.
//!
//! One row of behaviour §3.1 is one function below; [`ROWS`] has their order.

use super::model::{Catalog, MigrationPhase, Passwords, Product, ProductAccountState};
use super::standing::{Demand, management};
use super::values::{DirectoryId, EmailAddress, Timestamp};

/// What phase A is told.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The configuration of now.
    pub catalog: &'a Catalog,
    /// The product that asks; none at the login host alone.
    pub product: Option<&'a Product>,
    /// The store's clock: a product's phase is that of the moment.
    pub now: Timestamp,
    /// As typed.
    pub typed: &'a str,
    /// What the store knows of the address. Not looked at where the product has no passwords.
    pub known: Known,
    /// What a stranger is given.
    pub lot: Lot,
}

impl<'a> Asked<'a> {
    /// A question that no record is looked up for: at the login host, and for products without passwords.
    pub fn of_nobody(catalog: &'a Catalog, product: Option<&'a Product>, typed: &'a str, now: Timestamp) -> Self {
        Self { catalog, product, now, typed, known: Known::Nobody, lot: Lot { draw: 0, local: 0, others: 0 } }
    }
}

/// What the store knows of a typed address. Nothing in it says whether anybody may act.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known {
    /// Nothing.
    Nobody,
    /// An address that an account gave up; no account has it now.
    Removed,
    /// An account without a record at the product.
    Account,
    /// An account with a record there.
    Record(ProductAccountState),
}

/// A stranger's lot (rule H18 a): the same for an address each time, and over all addresses in the proportion of the product.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lot {
    /// A MAC over the address under a key of this installation.
    pub draw: u64,
    /// People of the product who log in by a local password.
    pub local: u64,
    /// All its other people.
    pub others: u64,
}

impl Lot {
    /// Whether this stranger is asked for a password.
    fn is_local(self) -> bool {
        self.local > 0 && self.draw % self.local.saturating_add(self.others) < self.local
    }
}

/// What is shown next, and by which row. The row is for explanations, never for the page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identified {
    /// `A1` to `A10`.
    pub row: &'static str,
    /// What the page shows.
    pub show: Show,
}

/// What the page shows next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Show {
    /// Not an address; the same form again.
    Invalid,
    /// This directory and no other way.
    OrgSso(DirectoryId),
    /// Single sign-on is enforced and no directory can serve it. Never another way.
    SsoUnavailable,
    /// A password, typed at the product's own door, and the other ways beside it.
    Password(Ways),
    /// The ways that this deployment has.
    Ways(Ways),
    /// There is neither an issuer nor a third party nor a password, and no organization claims the domain.
    UseWorkAddress,
}

impl Show {
    /// In a word, for people who compare two decisions: `password`, `directory acme`.
    pub fn word(&self, catalog: &Catalog) -> String {
        match self {
            Self::Invalid => "invalid".to_owned(),
            Self::OrgSso(directory) => match catalog.directories.get(directory) {
                Some(directory) => format!("directory {}", directory.name),
                None => "another directory".to_owned(),
            },
            Self::SsoUnavailable => "sso-unavailable".to_owned(),
            Self::Password(_) => "password".to_owned(),
            Self::Ways(_) => "ways".to_owned(),
            Self::UseWorkAddress => "work-address".to_owned(),
        }
    }
}

/// Ways in: the deployment's, not the member's (rule H18 e).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ways {
    /// The organization's own directory, offered before the others.
    pub first: Option<DirectoryId>,
    /// The issuer, then third parties in the file's order.
    pub others: Vec<DirectoryId>,
}

/// Decides what the page shows for a typed address. First match wins.
pub fn identify(asked: &Asked<'_>) -> Identified {
    let Ok(address) = EmailAddress::parse(asked.typed) else { return Identified { row: "A1", show: Show::Invalid } };
    let demand = management(asked.catalog, &address).map_or(Demand::Off, |held| held.demand(asked.catalog));
    let first = match demand {
        Demand::Enforced(directory) => return Identified { row: "A2", show: Show::OrgSso(directory) },
        Demand::Unusable => return Identified { row: "A3", show: Show::SsoUnavailable },
        Demand::Offered(directory) => Some(directory),
        Demand::Off => None,
    };
    let others = asked.catalog.issuer.iter().chain(&asked.catalog.third_parties).copied().collect();
    let (row, way) = ROWS.iter().find_map(|(row, way)| Some((*row, way(asked)?))).unwrap_or(("A10", Way::Others));
    let ways = Ways { first, others };
    let nothing = ways.first.is_none() && ways.others.is_empty();
    let show = match way {
        Way::Password => Show::Password(ways),
        Way::Others if nothing => Show::UseWorkAddress,
        Way::Others => Show::Ways(ways),
    };
    Identified { row, show }
}

/// What a row says that single sign-on left to it.
#[derive(Clone, Copy)]
enum Way {
    Password,
    Others,
}

type Row = (&'static str, fn(&Asked<'_>) -> Option<Way>);

/// A4 to A9 in their order; A10 is what they leave.
const ROWS: [Row; 7] = [
    ("A4", removed),
    ("A5", linked),
    ("A6", migrating),
    ("A7", forced),
    ("A8", local),
    ("A9", known),
    ("A10", stranger),
];

/// A removed address gets the page of a stranger's: no page tells that it was removed.
fn removed(asked: &Asked<'_>) -> Option<Way> {
    (has_passwords(asked) && asked.known == Known::Removed).then(|| lot(asked))
}

fn linked(asked: &Asked<'_>) -> Option<Way> {
    match state(asked)? {
        ProductAccountState::Linked | ProductAccountState::Merged(_) => Some(Way::Others),
        // Deleted for good: the address is as unknown as any.
        ProductAccountState::Closed => Some(lot(asked)),
        ProductAccountState::Local | ProductAccountState::Migrating => None,
    }
}

fn migrating(asked: &Asked<'_>) -> Option<Way> {
    (state(asked)? == ProductAccountState::Migrating).then_some(Way::Password)
}

fn forced(asked: &Asked<'_>) -> Option<Way> {
    let forced = asked.product.is_some_and(|product| product.migration.phase_at(asked.now) == MigrationPhase::Forced);
    (forced && state(asked)? == ProductAccountState::Local).then_some(Way::Password)
}

fn local(asked: &Asked<'_>) -> Option<Way> {
    (state(asked)? == ProductAccountState::Local).then_some(Way::Password)
}

fn known(asked: &Asked<'_>) -> Option<Way> {
    (has_passwords(asked) && asked.known == Known::Account).then_some(Way::Others)
}

fn stranger(asked: &Asked<'_>) -> Option<Way> {
    has_passwords(asked).then(|| lot(asked))
}

/// The record's state, where the product has local accounts at all.
fn state(asked: &Asked<'_>) -> Option<ProductAccountState> {
    match asked.known {
        Known::Record(state) if has_passwords(asked) => Some(state),
        Known::Record(_) | Known::Account | Known::Removed | Known::Nobody => None,
    }
}

fn has_passwords(asked: &Asked<'_>) -> bool {
    asked.product.is_some_and(|product| match product.passwords {
        Passwords::None => false,
        Passwords::Here | Passwords::Product => true,
    })
}

/// A10: the page that as many known people get; never a password once everybody is asked to move (rule H18 a).
fn lot(asked: &Asked<'_>) -> Way {
    let forced = asked.product.is_some_and(|product| product.migration.phase_at(asked.now) == MigrationPhase::Forced);
    if asked.lot.is_local() && !forced { Way::Password } else { Way::Others }
}

#[cfg(test)]
mod tests;
