//! From which directory to which, and whose links: found by what an admin writes.

use super::{NotRelinked, PAGE, Relinker, Whom, refused};
use crate::kernel::model::{Account, Directory};
use crate::kernel::values::{DirectoryId, DirectoryName, EmailAddress, OrgName};
use crate::store::Unavailable;
use std::sync::Arc;

/// From where to where, and whose.
#[derive(Clone, Debug)]
pub struct Route {
    /// Whose people.
    pub org: OrgName,
    /// The directory with the links; it may be gone from the configuration.
    pub from: DirectoryId,
    /// The one that takes them over.
    pub to: Arc<Directory>,
    /// This person alone.
    pub only: Option<Account>,
}

impl Relinker<'_> {
    /// Finds both directories. The old one is named as in the configuration, or by its id; where both have one name, the old one is
    /// the connection that had the name before. With one person, who is linked at the new one already, it is the new one itself: the
    /// provider made the person anew.
    ///
    /// # Errors
    /// [`NotRelinked`].
    pub async fn route(
        &self,
        org: &OrgName,
        (from, to): (&str, &str),
        only: Option<&EmailAddress>,
    ) -> Result<Route, NotRelinked> {
        let name = |text: &str| own_name(org, text);
        let to_name = name(to)?;
        let known = self.catalog.directory_names.get(&to_name).and_then(|id| self.catalog.directories.get(id));
        let to =
            Arc::clone(known.ok_or_else(|| refused(format!("{org} has no directory {to:?} in the configuration")))?);
        let only = match only {
            Some(email) => {
                Some(self.found(&Whom::Email(email.clone())).await?.map_err(|why| refused(why.to_string()))?)
            }
            None => None,
        };
        let linked_there = match &only {
            Some(account) => self.link(account.id, to.id).await?.is_some(),
            None => false,
        };
        let from = match DirectoryId::parse(from) {
            Ok(id) => self.owned(org, id).await?,
            Err(_) if name(from)? != to_name => match self.catalog.directory_names.get(&name(from)?) {
                Some(id) => *id,
                None => self.before(&name(from)?, to.id).await?,
            },
            Err(_) if linked_there => to.id,
            Err(_) => self.before(&to_name, to.id).await?,
        };
        if from == to.id && only.is_none() {
            return Err(refused("both are one directory: that is for one person alone (--only)".to_owned()));
        }
        Ok(Route { org: org.clone(), from, to, only })
    }

    /// The newest connection that had this name and is not `but`.
    async fn before(&self, name: &DirectoryName, but: DirectoryId) -> Result<DirectoryId, NotRelinked> {
        let shown = name.to_string();
        let rows = self.store.directories().await?;
        let had = rows.into_iter().filter(|row| row.name == shown && row.id != but);
        let newest = had.max_by_key(|row| row.created_at).map(|row| row.id);
        newest.ok_or_else(|| refused(format!("no connection was called {shown} before this one: nothing to move from")))
    }

    /// A directory by its id, where it is or was this organization's.
    async fn owned(&self, org: &OrgName, id: DirectoryId) -> Result<DirectoryId, NotRelinked> {
        let row = self.store.directories().await?.into_iter().find(|row| row.id == id);
        let (main, prefix) = (org.to_string(), format!("{org}/"));
        let is_own = row.is_some_and(|row| row.name == main || row.name.starts_with(&prefix));
        if is_own { Ok(id) } else { Err(refused(format!("{id} is no directory of {org}"))) }
    }

    /// How many people it would concern: linked in the old directory, active, managed by the organization alone.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn concerned(&self, route: &Route) -> Result<u64, Unavailable> {
        if let Some(only) = &route.only {
            return Ok(u64::from(self.movable(route, only).await?.is_ok()));
        }
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.identities_at(route.from, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.account);
            for link in &page {
                let Some(account) = self.store.account(link.account).await? else { continue };
                count += u64::from(self.movable(route, &account).await?.is_ok());
            }
        }
    }
}

/// The name of a directory of the organization: `okta`, or as displayed: `acme`, `acme/okta`.
fn own_name(org: &OrgName, text: &str) -> Result<DirectoryName, NotRelinked> {
    let own = match text.split_once('/') {
        Some((of, own)) if of == org.as_str() => own,
        Some(_) => return Err(refused(format!("{text:?} is no directory of {org}"))),
        None if text == org.as_str() => "main",
        None => text,
    };
    DirectoryName::of_org(org.clone(), own).map_err(|why| refused(format!("{text:?}: {why}")))
}
