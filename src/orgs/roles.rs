//! Who administers: invitations by address, taken up once by an account (rule H3).
//!
//! An address in the file or in a document is an invitation. The first login with it, by the directory of the organization that
//! holds its domain or by the issuer with a verified address, pins the account; from then on the account has the role, whatever
//! its address becomes, and nobody else gets it by that address. A role ends when its invitation is withdrawn or the account is.

use super::draft::DraftCatalog;
use crate::kernel::journal::{Reach, Role, RolePin};
use crate::kernel::model::Enterprise;
use crate::kernel::values::{AccountId, EmailAddress};

/// Invitations to roles over the whole installation: `[admin]`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Staff {
    /// They may change everything.
    pub operators: Vec<EmailAddress>,
    /// They read everything.
    pub auditors: Vec<EmailAddress>,
    /// They read the one line of an explanation.
    pub support: Vec<EmailAddress>,
}

/// What an address is invited to.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Invitation {
    /// The role.
    pub role: Role,
    /// Over what.
    pub reach: Reach,
}

/// A role that somebody has.
pub type Held = Invitation;

/// Everything that an address is invited to.
pub fn invitations(draft: &DraftCatalog, email: &EmailAddress) -> Vec<Invitation> {
    let staff = &draft.staff;
    let everywhere =
        [(Role::Operator, &staff.operators), (Role::Auditor, &staff.auditors), (Role::Support, &staff.support)];
    let everywhere = everywhere.into_iter().map(|(role, list)| (role, Reach::Everywhere, list));
    let of_orgs = draft.orgs.iter().flat_map(|org| {
        let reach = || Reach::Org(org.name.clone());
        [(Role::Admin, reach(), &org.admins), (Role::Auditor, reach(), &org.auditors)]
    });
    let of_enterprises = draft.products.iter().flat_map(|product| {
        let reach = |enterprise: &Enterprise| Reach::Enterprise(product.name.clone(), enterprise.name.clone());
        product.enterprises.iter().map(move |one| (Role::Enterprise, reach(one), &one.admins))
    });
    let invited = everywhere.chain(of_orgs).chain(of_enterprises).filter(|(_, _, list)| list.contains(email));
    invited.map(|(role, reach, _)| Invitation { role, reach }).collect()
}

/// The roles that an account has: those it took up, as far as their invitations stand.
pub fn held(draft: &DraftCatalog, pins: &[RolePin], account: AccountId) -> Vec<Held> {
    let own = pins.iter().filter(|pin| pin.account == account);
    let stands = |pin: &&RolePin| {
        let invited = Invitation { role: pin.role, reach: pin.reach.clone() };
        invitations(draft, &pin.email).contains(&invited)
    };
    own.filter(stands).map(|pin| Held { role: pin.role, reach: pin.reach.clone() }).collect()
}

/// Whether a domain is the operator's to speak for: no organization can prove its way to the roles over the whole installation.
pub fn is_of_file(floor: &DraftCatalog, email: &EmailAddress) -> bool {
    floor.orgs.iter().any(|org| org.has(email.domain()))
}
