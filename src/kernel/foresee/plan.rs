//! What a change of the configuration would do to one person: the same question, asked of two configurations.

use super::{Foreseen, Foresight, Verdict};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::Demand;
use crate::kernel::values::DirectoryId;

/// Whether the provider has the person, as far as somebody says: an export of its people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Listed {
    /// Nobody says.
    Unknown,
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Whether the person has an identity at the directory that the change sends them to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity {
    /// The account is linked there.
    Linked,
    /// The export names the person.
    Listed,
    /// The export does not name the person.
    Missing,
    /// Nobody knows. Never shown as 0 or no.
    Unknown,
}

/// Whether somebody gets in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Certainty {
    /// By a way that they are known to have.
    In,
    /// Only if a provider has them, which nobody knows.
    Unknown,
    /// By no way; why not by the one they would be sent to. None: there is no way at all, or the provider does not have them.
    Out(Option<Refusal>),
}

/// What a change would do to one person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outlook {
    /// The directory that single sign-on would be enforced by, where it was not before.
    pub moves_to: Option<DirectoryId>,
    /// Whether the person has an identity at the directory that is enforced after the change.
    pub identity: Option<Identity>,
    /// Whether they get in today.
    pub before: Certainty,
    /// Whether they get in after the change.
    pub after: Certainty,
}

impl Outlook {
    /// Whether the change locks the person out.
    pub fn is_locked_out(&self) -> bool {
        !matches!(self.before, Certainty::Out(_)) && matches!(self.after, Certainty::Out(_))
    }

    /// Accounts that cannot be told apart, or belong to somebody else: what must be settled before.
    pub fn conflict(&self) -> Option<Refusal> {
        match self.after {
            Certainty::Out(Some(
                refusal @ (Refusal::Conflict
                | Refusal::SeveralAccounts
                | Refusal::TwoOrganizations
                | Refusal::LocalProof),
            )) => Some(refusal),
            Certainty::In | Certainty::Unknown | Certainty::Out(_) => None,
        }
    }
}

/// Compares.
pub fn outlook(before: &Foresight, after: &Foresight, listed: Listed) -> Outlook {
    let enforced = |foresight: &Foresight| match foresight.demand {
        Some(Demand::Enforced(directory)) => Some(directory),
        Some(Demand::Off | Demand::Offered(_) | Demand::Unusable) | None => None,
    };
    let (was, is) = (enforced(before), enforced(after));
    Outlook {
        moves_to: is.filter(|_| was != is),
        identity: is.map(|directory| identity(after, directory, listed)),
        before: certainty(before, Listed::Unknown),
        after: certainty(after, listed),
    }
}

fn identity(foresight: &Foresight, directory: DirectoryId, listed: Listed) -> Identity {
    let linked = foresight.ways.iter().any(|way| way.directory == directory && way.has_it);
    match listed {
        _ if linked => Identity::Linked,
        Listed::Unknown => Identity::Unknown,
        Listed::Yes => Identity::Listed,
        Listed::No => Identity::Missing,
    }
}

/// An export is the word of the directory that the organization's people use; about the others nobody says anything.
fn certainty(foresight: &Foresight, listed: Listed) -> Certainty {
    let named = match foresight.demand {
        Some(Demand::Enforced(directory) | Demand::Offered(directory)) => Some(directory),
        Some(Demand::Off | Demand::Unusable) | None => None,
    };
    let has = |way: &Foreseen| match listed {
        _ if way.has_it => Some(true),
        Listed::Yes if named == Some(way.directory) => Some(true),
        Listed::No if named == Some(way.directory) => Some(false),
        Listed::Yes | Listed::No | Listed::Unknown => None,
    };
    let open: Vec<&Foreseen> = foresight.ways.iter().filter(|way| way.verdict.is_in()).collect();
    if open.iter().any(|way| has(way) == Some(true)) {
        return Certainty::In;
    }
    if open.iter().any(|way| has(way).is_none()) {
        return Certainty::Unknown;
    }
    let shown = foresight.ways.iter().filter(|way| named.is_none_or(|named| named == way.directory));
    let mut refusals = shown.filter_map(|way| match way.verdict {
        Verdict::Refused(refusal) => Some(refusal),
        Verdict::Enters | Verdict::Links | Verdict::Creates | Verdict::GoesTo(_) | Verdict::Needs(_) => None,
    });
    Certainty::Out(refusals.next())
}
