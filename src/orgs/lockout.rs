//! Who could still administer an organization, and whether what is to be enforced works (behaviour §3.6, §3.7).

use super::change::Refused;
use super::draft::{DraftCatalog, DraftOrg};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::model::{Account, AccountStatus, FactorKind, Sso};
use crate::kernel::values::{AccountId, DirectoryName, EmailAddress, OrgName, Timestamp};
use crate::store::{Store, Unavailable};
use std::time::Duration;

/// A directory that let somebody in, or was tried, within this long works.
const LATELY: Duration = Duration::from_secs(24 * 60 * 60);
/// Events of the organization that are looked through for that, newest first.
const LOOKED_THROUGH: usize = 20_000;
/// Read at once.
const PAGE: usize = 500;

/// Whether a change would lock an organization out. What the file alone enforces is the file's to take back.
pub(super) async fn check(
    store: &dyn Store,
    [below, before]: [Option<&DraftOrg>; 2],
    after: &DraftOrg,
    (accepted, now): (bool, Timestamp),
) -> Result<Option<Refused>, Unavailable> {
    let by_file = below.is_some_and(|below| below.policy.sso == Sso::Enforced);
    if by_file || !enforces(after) {
        return Ok(None);
    }
    let before = before.filter(|before| enforces(before));
    // Who has accepted it once is not asked with every change.
    let was_so = match before {
        Some(before) => !somebody_gets_in(store, before).await?,
        None => false,
    };
    if !accepted && !was_so && !somebody_gets_in(store, after).await? {
        let why = format!(
            "single sign-on would be enforced for organization {} and every admin of it depends on its provider; name an \
             admin with an address outside its domains, enrol one for emergencies (`break_glass`, fedgate breakglass enrol), or \
             repeat it with accept_lockout_risk",
            after.name
        );
        return Ok(Some(Refused::Lockout(why)));
    }
    // What is enforced already works, or is no matter of this change.
    let already = before.map(enforced).unwrap_or_default();
    for directory in enforced(after).into_iter().filter(|directory| !already.contains(directory)) {
        if !worked_lately(store, after, directory, now).await? {
            let why = format!(
                "nobody has logged in by {directory} within 24 hours; set sso = \"offered\", log in by it once, then enforce it"
            );
            return Ok(Some(Refused::DryRun(why)));
        }
    }
    Ok(None)
}

/// Whether the operator's file enforces single sign-on of an organization: the file is then the way in (interface, "What the short file
/// means").
pub fn is_of_file(floor: &DraftCatalog, org: &OrgName) -> bool {
    floor.orgs.iter().any(|below| below.name == *org && below.policy.sso == Sso::Enforced)
}

/// Whether single sign-on is enforced for an organization and no admin of it gets in without its provider.
///
/// # Errors
/// [`Unavailable`]: the store does not answer.
pub async fn is_locked_out(store: &dyn Store, org: &DraftOrg) -> Result<bool, Unavailable> {
    Ok(enforces(org) && !somebody_gets_in(store, org).await?)
}

/// Whether nobody would be left who can administer an organization without its provider, once this account is switched off: an address
/// that has not come yet counts as somebody who may.
///
/// # Errors
/// [`Unavailable`]: the store does not answer.
pub async fn leaves_nobody(store: &dyn Store, org: &DraftOrg, gone: AccountId) -> Result<bool, Unavailable> {
    if !enforces(org) || !somebody_gets_in(store, org).await? {
        return Ok(false); // It is so already, and was told or accepted.
    }
    // Whose emergency passkey is the only other way in is somebody as well.
    let mut was_among = needs_emergency_of(store, org, gone).await?;
    for admin in org.admins.iter().filter(|admin| !is_held(org, admin)) {
        let accounts = store.accounts_by_email(admin).await?;
        was_among |= accounts.iter().any(|account| account.id == gone);
        let acts = |account: &Account| account.id != gone && account.status == AccountStatus::Active;
        if accounts.iter().any(acts) || accounts.iter().all(|account| account.id != gone && !account.email_verified) {
            return Ok(false);
        }
    }
    Ok(was_among && !somebody_breaks_glass(store, org, Some(gone)).await?)
}

/// Whether this account's emergency passkey is what keeps an organization from being locked out.
///
/// # Errors
/// [`Unavailable`]: the store does not answer.
pub async fn needs_emergency_of(store: &dyn Store, org: &DraftOrg, whose: AccountId) -> Result<bool, Unavailable> {
    Ok(enforces(org)
        && !is_outside(org)
        && somebody_breaks_glass(store, org, None).await?
        && !somebody_breaks_glass(store, org, Some(whose)).await?)
}

/// Whether one of its policies enforces single sign-on.
fn enforces(org: &DraftOrg) -> bool {
    org.policy.sso == Sso::Enforced || org.policies.iter().any(|(_, policy)| policy.sso == Sso::Enforced)
}

/// Whether an admin does not depend on the organization's own provider, or is enrolled for the emergency door.
async fn somebody_gets_in(store: &dyn Store, org: &DraftOrg) -> Result<bool, Unavailable> {
    Ok(is_outside(org) || somebody_breaks_glass(store, org, None).await?)
}

/// Whether an admin is enrolled for the emergency door, whoever is gone.
async fn somebody_breaks_glass(
    store: &dyn Store,
    org: &DraftOrg,
    gone: Option<AccountId>,
) -> Result<bool, Unavailable> {
    for admin in org.admins.iter().filter(|admin| breaks_glass(org, admin)) {
        // As the door asks: the one active account with that proved address.
        let mut accounts = store.accounts_by_email(admin).await?;
        accounts.retain(|account| account.email_verified && account.status == AccountStatus::Active);
        if let [account] = accounts.as_slice()
            && Some(account.id) != gone
            && store.factors_of(account.id).await?.iter().any(|factor| factor.kind == FactorKind::Emergency)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether every policy that may hold for an admin names them for the emergency door.
fn breaks_glass(org: &DraftOrg, admin: &EmailAddress) -> bool {
    let named = org.policies.iter().filter(|(members, _)| !members.groups.is_empty() || members.people.contains(admin));
    std::iter::once(&org.policy).chain(named.map(|(_, policy)| policy)).all(|policy| policy.break_glass.contains(admin))
}

/// Whether an admin does not depend on the organization's own provider, as far as their addresses say. A policy by groups is under
/// suspicion of holding for everybody: whose groups nobody has stated is among its members.
fn is_outside(org: &DraftOrg) -> bool {
    org.admins.iter().any(|admin| !is_held(org, admin))
}

/// Whether an admin comes by the organization's provider or not at all.
fn is_held(org: &DraftOrg, admin: &EmailAddress) -> bool {
    let by_name = org.policies.iter().any(|(members, policy)| {
        policy.sso == Sso::Enforced && (!members.groups.is_empty() || members.people.contains(admin))
    });
    org.has(admin.domain()) && (org.policy.sso == Sso::Enforced || by_name)
}

/// The directories that its people could enter by and no other way: for each policy its own, else the domains', else the default
/// policy's.
fn enforced(org: &DraftOrg) -> Vec<&DirectoryName> {
    let mut found: Vec<&DirectoryName> = Vec::new();
    let by_domain = || org.domains.iter().filter_map(|(_, directory)| directory.as_ref());
    let all = std::iter::once((&org.policy, true)).chain(org.policies.iter().map(|(_, policy)| (policy, false)));
    for (policy, is_default) in all.filter(|(policy, _)| policy.sso == Sso::Enforced) {
        match policy.directory.as_ref().filter(|_| !is_default || by_domain().next().is_none()) {
            Some(own) => found.push(own),
            None if by_domain().next().is_some() => found.extend(by_domain()),
            None => found.extend(&org.policy.directory),
        }
    }
    found.sort_by_key(|name| name.to_string());
    found.dedup();
    found
}

async fn worked_lately(
    store: &dyn Store,
    org: &DraftOrg,
    directory: &DirectoryName,
    now: Timestamp,
) -> Result<bool, Unavailable> {
    let (name, since) = (directory.to_string(), now.minus(LATELY).to_string());
    let (mut before, mut seen) = (u64::MAX, 0);
    while seen < LOOKED_THROUGH {
        let page = store.events_of_org(&org.name, before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(false) };
        before = last.position;
        seen += page.len();
        for logged in &page {
            let Ok(event) = serde_json::from_slice::<AuditEvent>(&logged.bytes) else { continue };
            // RFC 3339 in UTC with milliseconds: it sorts as it reads.
            if event.time < since {
                return Ok(false);
            }
            if event.directory.as_ref() == Some(&name)
                && event.outcome == Outcome::Success
                && event.action == Action::LoginSucceeded
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
