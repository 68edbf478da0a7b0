//! Whether a login by a new directory may take a person's link over from an old one of the same organization (behaviour, Relink;
//! rule C1). An admin opens a window for it, 30 days at most; without one a new subject is nobody (B19, B22).
//!
//! The window says nothing by itself: the address must be the account's live, proved one, the new directory must speak for it, and
//! nobody else's word may stand beside the old link.

use super::model::{AccountStatus, Catalog, LONGEST_WINDOW, LinkedIdentity, Relinking};
use super::values::{AccountId, DirectoryId, OrgName, Timestamp};

/// A window, as one login sees it.
#[derive(Clone, Debug)]
pub struct Window {
    /// As it is stored; its MAC was checked.
    pub relinking: Relinking,
    /// Accounts among the candidates whose links it has moved already, also where that was taken back.
    pub used: Vec<AccountId>,
}

impl Window {
    /// Whether it lets this directory take over at this time, of whoever it is.
    fn is_open(&self, catalog: &Catalog, to: DirectoryId, now: Timestamp) -> bool {
        let Relinking { org, from, only, opened_at, until, .. } = &self.relinking;
        let owner = catalog.directories.get(&to).and_then(|directory| directory.org());
        self.relinking.to == to
            && owner == Some(org)
            && (*from != to || only.is_some())
            && *opened_at <= now
            && now < (*until).min(opened_at.plus(LONGEST_WINDOW))
            && is_of(catalog, *from, org)
    }

    /// The link of this person that it lets go: the one in the old directory, where there is none in the new one. A suspended link
    /// says that somebody else manages its person (rule C2); it is not brought over.
    fn lets_go<'l>(&self, account: AccountId, links: &'l [LinkedIdentity]) -> Option<&'l LinkedIdentity> {
        let Relinking { from, to, only, .. } = &self.relinking;
        let is_meant = only.is_none_or(|only| only == account) && !self.used.contains(&account);
        let arrived = from != to && links.iter().any(|link| link.key.directory == *to);
        let old = links.iter().find(|link| link.key.directory == *from && link.account == account);
        old.filter(|link| is_meant && !arrived && !link.suspended)
    }
}

/// Whether a directory was this organization's. One that is configured says so itself; of one that is gone, the admin who opened the
/// window chose it among the organization's own.
fn is_of(catalog: &Catalog, directory: DirectoryId, org: &OrgName) -> bool {
    catalog.directories.get(&directory).is_none_or(|known| known.org() == Some(org))
}

/// The window, and the link that a login by `to` takes over by it. The caller asks whether address and authority are right.
pub fn window_for<'w, 'l>(
    windows: &'w [Window],
    (catalog, to, now): (&Catalog, DirectoryId, Timestamp),
    (account, status, links): (AccountId, AccountStatus, &'l [LinkedIdentity]),
) -> Option<(&'w Relinking, &'l LinkedIdentity)> {
    if status != AccountStatus::Active {
        return None;
    }
    let open = windows.iter().filter(|window| window.is_open(catalog, to, now));
    open.filter_map(|window| Some((&window.relinking, window.lets_go(account, links)?))).next()
}
