//! Organizations at run time: their documents, laid over the operator's file.
//!
//! The file is the floor: what it says holds, and a document can only demand more. [`draft`] is the configured world without the
//! store's part, [`document`] what an organization says of itself, [`overlay`] joins the two, [`strict`] says key by key what is
//! stricter, [`roles`] who is invited to administer, [`loosen`] what a change gives away, `lockout` what would keep everybody
//! out, [`change`] makes one, [`enrol`] gives what is named its rows in the store, [`rows`] says since when, [`phases`] what was set
//! of products' migration, [`restored`] whether the store went back in time. Documents are read by the rules of the file, through [`Reads`]: there is no second set. Deliberately
//! absent: who may change what (the admin API), and
//! how domains are proved. A new key of a policy is a line in [`strict::KEYS`].

pub mod change;
pub mod document;
pub mod draft;
pub mod enrol;
pub mod lockout;
pub mod loosen;
pub mod overlay;
pub mod phases;
pub mod restored;
pub mod roles;
pub mod rows;
pub mod strict;

pub use document::{Document, Mistake, Read, Reads, Written};
pub use draft::{DraftCatalog, DraftDirectory, DraftOrg, DraftPolicy};
pub use enrol::{Enrolled, Fault, Mode, Stored};

use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::values::{EventId, OrgName, Timestamp};
use crate::keys::Kek;
use crate::store::Store;
use arc_swap::ArcSwap;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use tokio::sync::{Mutex, MutexGuard};

/// The file in force and the way to read documents. One per process.
pub struct Orgs {
    floor: ArcSwap<DraftCatalog>,
    reads: Arc<dyn Reads>,
    turn: Mutex<()>,
    stale: AtomicBool,
    behind: AtomicBool,
    shut: AtomicBool,
    told: std::sync::Mutex<HashSet<rows::Violated>>,
    effective: ArcSwap<DraftCatalog>,
}

impl Orgs {
    /// Over the operator's file.
    pub fn new(floor: DraftCatalog, reads: Arc<dyn Reads>) -> Self {
        let effective = ArcSwap::from_pointee(floor.clone());
        Self {
            floor: ArcSwap::from_pointee(floor),
            reads,
            turn: Mutex::default(),
            stale: AtomicBool::new(false),
            behind: AtomicBool::new(false),
            shut: AtomicBool::new(false),
            told: std::sync::Mutex::default(),
            effective,
        }
    }

    /// The operator's file.
    pub fn floor(&self) -> Arc<DraftCatalog> {
        self.floor.load_full()
    }

    /// Another file is in force.
    pub fn put_floor(&self, floor: DraftCatalog) {
        self.floor.store(Arc::new(floor));
    }

    /// The file with the documents over it, as the catalog in force has it.
    pub fn effective(&self) -> Arc<DraftCatalog> {
        self.effective.load_full()
    }

    /// What was joined is in force. Whoever puts a catalog says so.
    pub fn put_effective(&self, enrolled: &Enrolled) {
        self.effective.store(Arc::new(enrolled.draft.clone()));
        self.shut.store(enrolled.shut_whole, Ordering::Release);
    }

    /// How documents are read.
    pub fn reads(&self) -> &dyn Reads {
        self.reads.as_ref()
    }

    /// Whoever replaces the catalog holds this, so that of two that were built at once the older is never put last.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Something was changed here or on another node: the catalog must be built again.
    pub fn mark_stale(&self) {
        self.stale.store(true, Ordering::Release);
    }

    /// Whether it must be; clears the mark. Whoever fails to build it marks it again.
    pub fn take_stale(&self) -> bool {
        self.stale.swap(false, Ordering::AcqRel)
    }

    /// Whether a change is known that could not be read.
    pub fn set_behind(&self, behind: bool) {
        self.behind.store(behind, Ordering::Release);
    }

    /// Whether what is in force is known to be of before a change, or the store was restored and not opened: nobody is let in by it.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire) || self.is_shut()
    }

    /// Whether the store was restored and the operator has not opened it (rule H17).
    pub fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }

    /// Organizations whose documents another file would break: they would be shut by it.
    ///
    /// # Errors
    /// [`Fault`]: the store or its keys.
    pub async fn broken_by(
        &self,
        (store, kek): (&dyn Store, &Kek),
        floor: &DraftCatalog,
        now: Timestamp,
    ) -> Result<Vec<(OrgName, Vec<Mistake>)>, Fault> {
        let stored = Stored::load(store).await?;
        let before = enrol::join(&stored, kek, (&self.floor(), self.reads()), Mode::Follow, now)?.broken;
        let mut after = enrol::join(&stored, kek, (floor, self.reads()), Mode::Follow, now)?.broken;
        after.retain(|(org, _)| !before.iter().any(|(known, _)| known == org));
        Ok(after)
    }

    /// An event of the highest severity for each document and each row that another hand wrote, once in the life of the process (rule H12).
    async fn tell_violated(&self, store: &dyn Store, violated: &[rows::Violated], now: Timestamp) -> Result<(), Fault> {
        for row in violated {
            if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(row.clone()) {
                continue;
            }
            tracing::error!(org = %row.org, what = row.what, name = row.name, "the database was written to by another hand");
            let id = EventId::mint(now, random());
            let mut event = AuditEvent::new(id, now, Action::IntegrityViolated, Outcome::Refused);
            event.reason = Some(row.what.to_owned());
            event.org = Some(row.org.to_string());
            event.after = row.name.as_ref().map(|name| serde_json::json!({ "name": name }));
            store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        }
        Ok(())
    }

    /// Joins a file with what the store has, and gives what is new its rows. Of two processes that do so at once the slower
    /// decides again.
    ///
    /// # Errors
    /// [`Fault`]: the store or its keys.
    pub async fn enrol(
        &self,
        (store, kek): (&dyn Store, &Kek),
        floor: &DraftCatalog,
        mode: Mode,
        now: Timestamp,
    ) -> Result<Enrolled, Fault> {
        let mut tries = 0;
        loop {
            let stored = Stored::load(store).await?;
            self.tell_violated(store, &stored.violated(kek)?, now).await?;
            let enrolled = enrol::join(&stored, kek, (floor, self.reads()), mode, now)?;
            if enrolled.batch.changes.is_empty() {
                return Ok(enrolled);
            }
            match store.commit(enrolled.batch.clone()).await {
                Ok(_) => return Ok(enrolled),
                Err(crate::store::NotCommitted::Conflict(_)) if tries < 4 => tries += 1,
                Err(why) => return Err(why.into()),
            }
        }
    }
}
