//! Directories that the configuration has no longer: what is remembered of their providers is retired.
//!
//! A directory that is taken out and put back under its name has its id and its people again (rule C1), but begins from what the
//! configuration says: its provider's metadata is read anew, and until it can be read nobody enters by it. Of the row stays what must
//! outlive the directory: the entity id that its people belong to, and the document, which says which keys are not new (rule M5).

use super::desk::row;
use super::provider::{Kept, NAME};
use super::{Desk, Fault, SamlProviders};
use crate::idp::ProviderUnavailable;
use crate::kernel::journal::{Batch, Change};
use crate::kernel::model::Directory;
use crate::kernel::values::{DirectoryId, Timestamp};
use crate::keys::Kek;
use crate::store::Store;
use std::collections::HashMap;
use std::sync::Arc;

/// Where retired metadata was read: nowhere that a configuration can name, so that no reader takes it for its own.
const NOWHERE: &str = "";

impl SamlProviders {
    /// Retires what is remembered of each directory that ever was and is not among these. Said at a start and at each reload, by the
    /// node that was told so: one that only follows may have another file.
    ///
    /// # Errors
    /// [`ProviderUnavailable`]: the store; what is left is retired the next time.
    pub async fn retire_all_but(
        &self,
        configured: &HashMap<DirectoryId, Arc<Directory>>,
    ) -> Result<(), ProviderUnavailable> {
        self.forget_all_but(configured);
        for row in self.0.store.directories().await.map_err(Fault::of)? {
            if !configured.contains_key(&row.id) {
                self.0.retire(row.id).await?;
            }
        }
        Ok(())
    }

    /// Forgets what this process has in memory of all other directories.
    pub fn forget_all_but(&self, configured: &HashMap<DirectoryId, Arc<Directory>>) {
        for (id, _) in &self.0.slots {
            if !configured.contains_key(&id) {
                self.0.slots.invalidate(&*id);
            }
        }
    }
}

/// Kept metadata under the key-encryption key's successor.
#[derive(Default)]
pub struct SealedAnew {
    /// What puts it into the store.
    pub changes: Vec<Change>,
    /// Names of what neither key opens.
    pub unreadable: Vec<String>,
}

impl SamlProviders {
    /// Seals what is remembered of every provider under the key-encryption key's successor (rule M23), what is under it already excepted.
    ///
    /// # Errors
    /// [`ProviderUnavailable`]: the store.
    pub async fn sealed_anew(&self) -> Result<SealedAnew, ProviderUnavailable> {
        let desk = &self.0;
        let mut found = SealedAnew::default();
        for directory in desk.store.directories().await.map_err(Fault::of)? {
            let name = format!("{NAME}{}", directory.id);
            let Some(was) = desk.store.setting(&name).await.map_err(Fault::of)? else { continue };
            match desk.kek.sealed_anew(&row(&name, was.clone())) {
                Ok(None) => {}
                Ok(Some(anew)) => {
                    found.changes.push(Change::ReplaceSetting { name, was: Some(was), value: anew.sealed });
                }
                Err(_) => found.unreadable.push(name),
            }
        }
        Ok(found)
    }
}

impl Desk {
    async fn retire(&self, directory: DirectoryId) -> Result<(), Fault> {
        let Some(change) = retired(self.store.as_ref(), &self.kek, directory, self.clock.now()).await? else {
            return Ok(());
        };
        let batch = Batch { changes: vec![change], ..Batch::default() };
        self.store.commit(batch).await.map_err(|fault| Fault(fault.to_string()))?;
        tracing::info!(%directory, "metadata of a provider whose directory was taken out is retired");
        Ok(())
    }
}

/// Retires what is remembered of every provider: in a store that was restored it may hold keys that their providers have given up since
/// (rule H17). Nobody enters by it before metadata was read anew.
///
/// # Errors
/// [`ProviderUnavailable`]: the store.
pub async fn retire_all(store: &dyn Store, kek: &Kek, now: Timestamp) -> Result<Vec<Change>, ProviderUnavailable> {
    let mut changes = Vec::new();
    for row in store.directories().await.map_err(Fault::of)? {
        changes.extend(retired(store, kek, row.id, now).await?);
    }
    Ok(changes)
}

/// The change that retires what is remembered of a directory's provider; none where nothing is, or it is retired already.
async fn retired(
    store: &dyn Store,
    kek: &Kek,
    directory: DirectoryId,
    now: Timestamp,
) -> Result<Option<Change>, Fault> {
    let name = format!("{NAME}{directory}");
    let Some(sealed) = store.setting(&name).await.map_err(Fault::of)? else { return Ok(None) };
    // What does not open is used by nobody either, and must not keep a gateway from starting.
    let mut kept = match Kept::open(kek, &name, sealed) {
        Ok(kept) if kept.at == NOWHERE => return Ok(None),
        Ok(kept) => kept,
        Err(fault) => {
            tracing::error!(%directory, %fault, "kept metadata that is to be retired cannot be read");
            return Ok(None);
        }
    };
    kept.at = NOWHERE.to_owned();
    let plain = serde_json::to_vec(&kept).map_err(Fault::of)?;
    let value = kek.seal_item(&name, 1, &plain, now).map_err(Fault::of)?.sealed;
    Ok(Some(Change::PutSetting { name, value }))
}
