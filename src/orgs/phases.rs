//! Phases of products that were set at run time (row T08), laid over the file, which stays the floor: a phase only moves forward.
//!
//! One row, under a MAC: whoever writes into the database moves nobody (rule H12). Who set what is in the audit trail, each version.

use crate::kernel::model::{Deadline, MigrationPhase, MigrationPlan, Product};
use crate::kernel::values::Timestamp;
use crate::keys::{Keys, Lookup};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The name of the row.
pub const SETTING: &str = "migration.phases";
/// When people are reminded of a deadline that was set here, where the file names no days (N8).
const REMIND: [u64; 3] = [30, 7, 1];

/// The row: text, and the MAC over it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    text: String,
    mac: [u8; 32],
}

/// What was set, by product.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Phases {
    /// Counts changes up.
    pub version: u64,
    products: BTreeMap<String, Set>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Set {
    phase: String,
    /// Milliseconds since 1970, and the phase from then on.
    deadline: Option<(i64, String)>,
}

/// The row was written by somebody else, or cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the stored phases of products were not written by this gateway: take the row `migration.phases` out of the store's table `setting`, \
     where the file's phases hold again, and set them anew with `fedgate migrate phase`"
)]
pub struct NotOurs;

impl Phases {
    /// Reads the row; none is none set.
    ///
    /// # Errors
    /// [`NotOurs`].
    pub fn open(row: Option<&[u8]>, keys: &Keys) -> Result<Self, NotOurs> {
        let Some(bytes) = row else { return Ok(Self::default()) };
        let row: Row = serde_json::from_slice(bytes).map_err(|_| NotOurs)?;
        if !keys.lookups(Lookup::Phases, &[row.text.as_bytes()]).contains(&row.mac) {
            return Err(NotOurs);
        }
        let read: Self = serde_json::from_str(&row.text).map_err(|_| NotOurs)?;
        let is_read = read.products.values().all(|set| set.plan(Vec::new()).is_some());
        is_read.then_some(read).ok_or(NotOurs)
    }

    /// The row for it.
    ///
    /// # Errors
    /// Never in practice: it is plain data.
    pub fn seal(&self, keys: &Keys) -> Result<Vec<u8>, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        let mac = keys.lookup(Lookup::Phases, &[text.as_bytes()]);
        serde_json::to_vec(&Row { text, mac })
    }

    /// What was set for a product, with its reminders.
    pub fn of(&self, product: &Product) -> Option<MigrationPlan> {
        let named = product.migration.deadline.as_ref().map(|deadline| deadline.remind.clone());
        let remind = named.unwrap_or_else(|| REMIND.map(|days| Duration::from_secs(days * 86_400)).to_vec());
        self.products.get(product.name.as_str())?.plan(remind)
    }

    /// Sets a product's, in place of what was set.
    pub fn set(&mut self, product: &Product, plan: &MigrationPlan) {
        let deadline = plan.deadline.as_ref().map(|it| (it.at.millis(), it.then.code().to_owned()));
        let set = Set { phase: plan.phase.code().to_owned(), deadline };
        self.products.insert(product.name.to_string(), set);
        self.version = self.version.saturating_add(1);
    }

    /// Lays it over the file's products.
    pub(super) fn over(&self, products: &mut [Arc<Product>]) {
        for product in products {
            if let Some(set) = self.of(product) {
                let migration = product.migration.joined(&set);
                *product = Arc::new(Product { migration, ..(**product).clone() });
            }
        }
    }
}

impl Set {
    fn plan(&self, remind: Vec<Duration>) -> Option<MigrationPlan> {
        let deadline = match &self.deadline {
            None => None,
            Some((at, then)) => {
                Some(Deadline { at: Timestamp::from_millis(*at), then: MigrationPhase::from_code(then)?, remind })
            }
        };
        Some(MigrationPlan { phase: MigrationPhase::from_code(&self.phase)?, deadline })
    }
}
