//! A restored store is cleansed (rule H17).

use super::change::{At, Halt};
use super::params;
use crate::kernel::journal::RestoreChange;

/// What nothing of survives; children first.
const GONE: [&str; 8] =
    ["product_session", "login_session", "mailbox_proof", "attempt", "outbox", "api_token", "relinked", "relinking"];

impl At<'_> {
    /// Applies it.
    pub(super) fn restore(&self, change: RestoreChange) -> Result<(), Halt> {
        match change {
            RestoreChange::Cleanse => {
                for table in GONE {
                    self.any(&format!("DELETE FROM {table}"), params![])?;
                }
                self.any("UPDATE account SET epoch = epoch + ?", params![RestoreChange::EPOCHS])
            }
        }
    }
}
