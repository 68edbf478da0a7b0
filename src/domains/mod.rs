//! Domains of organizations at run time: added, proved, checked every day, lost, settled.
//!
//! `kernel::domain` says what a check means; here is who is asked, when, by which node, and who is told. Each change is one batch: the
//! proof's row, the word to every node, the audit event, the mails. Deliberately absent: domains that the operator's file states
//! (they are taken as proved), and what a held domain does to a login (the catalog is made of these rows).
//!
//! `acts` is what admins do, `check` one check of one proof, `observe` what is asked and heard, `told` the events and mails of a
//! change, `people` who else is told of a loss, `course` the daily round, `trusted` which rows are believed.

mod acts;
mod check;
mod course;
mod observe;
mod people;
mod told;
mod trusted;

pub use acts::{Listed, NotDone};

use crate::clock::Clock;
use crate::dns::Dns;
use crate::kernel::values::{EmailAddress, OrgName};
use crate::keys::Keys;
use crate::outbound::Outbound;
use crate::store::Store;
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex};

/// The name of the record and of the file where the configuration names none (behaviour §3.4).
pub const RECORD: &str = "atlassian-domain-verification";

/// Domains that one organization may have under way or hold.
pub const MOST: usize = 500;

/// Who is told. The room knows organizations by name alone.
pub trait Contacts: Send + Sync {
    /// An organization's admins.
    fn admins(&self, org: &OrgName) -> Vec<EmailAddress>;
    /// Who operates the gateway.
    fn operators(&self) -> Vec<EmailAddress>;
}

/// What checks ask and tell.
pub struct Ports {
    /// Where proofs are.
    pub store: Arc<dyn Store>,
    /// What seals letters.
    pub keys: Keys,
    /// The process's clock.
    pub clock: Clock,
    /// Who is told.
    pub contacts: Arc<dyn Contacts>,
}

/// Who is asked; a reload replaces it.
pub struct Asked {
    /// Name servers.
    pub dns: Dns,
    /// Web servers.
    pub outbound: Outbound,
    /// The name of the record and of the file.
    pub record: String,
}

/// Organizations' domains.
pub struct Domains {
    store: Arc<dyn Store>,
    keys: Keys,
    clock: Clock,
    contacts: Arc<dyn Contacts>,
    asked: ArcSwap<Asked>,
    told: Mutex<trusted::Told>,
}

impl Domains {
    /// Nothing is checked yet.
    pub fn new(ports: Ports, asked: Asked) -> Self {
        let Ports { store, keys, clock, contacts } = ports;
        Self { store, keys, clock, contacts, asked: ArcSwap::from_pointee(asked), told: Mutex::default() }
    }

    /// From now on these are asked.
    pub fn replace(&self, asked: Asked) {
        self.asked.store(Arc::new(asked));
    }
}
