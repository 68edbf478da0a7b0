//! A change of provider (behaviour, Relink; rule C1): links of an organization's people move from one of its directories to another,
//! because everybody's subject is another one at the new provider.
//!
//! An admin opens a window, and each login by the new directory then takes its person's link over once; or a map says who is who, and
//! all of them move in one go. Each move is one batch: the old link goes and is kept for 30 days, the new one is made, everything of
//! the account that is older ends (rule H14), the person is written to, and one event names both links. Deliberately absent: which
//! login a window is good for (`kernel::relink`), and what admins do (`relinking`).

use super::session::subject;
use super::world::{Visitor, World};
use super::{Login, Stop};
use crate::kernel::admit::{Admitted, Candidate, Person};
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, RelinkChange};
use crate::kernel::model::{Account, Catalog, Directory, IdentityKey, LinkedIdentity, Relinked};
use crate::kernel::proof::Proof;
use crate::kernel::relink::Window;
use crate::kernel::values::{RelinkId, Timestamp};
use crate::keys::Keys;
use crate::mail::{self, Letter};
use crate::store::{NotCommitted, Unavailable};
use serde_json::{Value, json};

impl World {
    /// Windows that concern a login: its directory is an organization's, nobody has its identity, and its address names somebody.
    pub(super) async fn relink_windows(
        &self,
        visitor: &Visitor,
        catalog: &Catalog,
        (proof, candidates): (&Proof, &[Candidate]),
    ) -> Result<Vec<Window>, Stop> {
        let to = proof.claims().identity.directory;
        if candidates.is_empty() || catalog.directories.get(&to).is_none_or(|directory| directory.org().is_none()) {
            return Ok(Vec::new());
        }
        let mut windows = Vec::new();
        for relinking in self.store.relink_windows(to, visitor.now).await? {
            if !self.keys.holds_relinking(&relinking) {
                self.violated(visitor, "change of provider").await?;
                continue;
            }
            let mut used = Vec::new();
            for candidate in candidates {
                let moved = self.store.relinked(relinking.id, candidate.account.id).await?;
                used.extend(moved.map(|moved| moved.account));
            }
            windows.push(Window { relinking, used });
        }
        Ok(windows)
    }
}

/// One move, for the batch of whoever makes it. It stands before the new link: an account has one in a directory.
pub(super) fn moved(keys: &Keys, by: RelinkId, (old, new): (&LinkedIdentity, &IdentityKey), at: Timestamp) -> Change {
    Change::Relink(RelinkChange::Move(keys.signed_relinked(Relinked {
        relinking: by,
        account: old.account,
        old: old.key.clone(),
        old_by: old.by,
        old_at: old.linked_at,
        new: new.clone(),
        at,
        undone: false,
        mac: [0; 32],
    })))
}

/// A link as events show it.
pub(super) fn shown(catalog: &Catalog, key: &IdentityKey) -> Value {
    let name = catalog.directories.get(&key.directory).map(|directory| directory.name.to_string());
    json!({ "directory": name, "directory_id": key.directory.to_string(), "subject": key.subject })
}

impl Login {
    /// The link that a login takes over, for its batch.
    pub(super) fn let_go(&self, visitor: &Visitor, admitted: &Admitted) -> Option<Change> {
        let terms = admitted.terms();
        let ((by, old), (new, _)) = (terms.relinks.as_ref()?, terms.link.as_ref()?);
        Some(moved(&self.world.keys, *by, (old, new), visitor.now))
    }

    /// The event of it, and the letter to its person.
    pub(super) fn tell_relinked(
        &self,
        visitor: &Visitor,
        (admitted, account): (&Admitted, &Account),
        batch: &mut Batch,
    ) -> Result<(), NotCommitted> {
        let terms = admitted.terms();
        let (Person::Known(_), Some((by, old)), Some((new, _))) = (&terms.person, &terms.relinks, &terms.link) else {
            return Ok(());
        };
        let catalog = self.world.catalog.load();
        let mut event = visitor.event(Action::IdentityRelinked, Outcome::Success);
        event.subject = subject(account);
        event.org = terms.managed_by.as_ref().map(ToString::to_string);
        event.before = Some(shown(&catalog, &old.key));
        event.after = Some(shown(&catalog, new));
        event.txn = Some(by.to_string());
        event.reason = Some("window".to_owned());
        batch.events.push(event);
        let directory = catalog.directories.get(&new.directory);
        let letter = directory.and_then(|directory| letter(directory, visitor.now)).zip(account.email.clone());
        if let Some((letter, email)) = letter {
            let queued = mail::queue(&self.world.keys, visitor.now, &[(email, letter)], Some(account.id));
            batch.changes.push(queued.map_err(|fault| Unavailable(fault.to_string()))?);
        }
        Ok(())
    }
}

pub(super) fn letter(directory: &Directory, at: Timestamp) -> Option<Letter> {
    let org = directory.org()?.clone();
    Some(Letter::Relinked { org, provider: directory.label.clone(), at })
}
