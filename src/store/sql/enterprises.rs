//! What products and their enterprises say of records (row T37).

use super::super::{Conflict, Unavailable};
use super::change::{At, Halt};
use super::organizations::count;
use super::{Tables, params, rows};
use crate::kernel::journal::AccessChange;
use crate::kernel::model::ProductAccount;
use crate::kernel::values::{EnterpriseName, ProductAccountId, ProductName};

impl At<'_> {
    /// Each holds what it was decided on once more: a member that left meanwhile is nobody's to switch off.
    pub(super) fn access(&self, change: &AccessChange) -> Result<(), Halt> {
        match change {
            AccessChange::Switch { record, off, by: None } => self.must(
                "UPDATE product_account SET off = ?2, off_by = NULL WHERE id = ?1 AND (off <> ?2 OR off_by IS NOT NULL)",
                params![record.to_bytes(), *off],
                Conflict::State,
            ),
            AccessChange::Switch { record, off: true, by: Some(by) } => self.must(
                "UPDATE product_account SET off = 1, off_by = ?2 WHERE id = ?1 AND enterprise = ?2 AND off = 0",
                params![record.to_bytes(), by.as_str()],
                Conflict::State,
            ),
            AccessChange::Switch { record, off: false, by: Some(by) } => self.must(
                "UPDATE product_account SET off = 0, off_by = NULL
                 WHERE id = ?1 AND enterprise = ?2 AND off = 1 AND off_by = ?2",
                params![record.to_bytes(), by.as_str()],
                Conflict::State,
            ),
            AccessChange::Belong { record, from, to } => self.must(
                "UPDATE product_account SET enterprise = ?3, asked_at = NULL
                 WHERE id = ?1 AND coalesce(enterprise, '') = ?2 AND coalesce(?3, '') <> ?2",
                params![
                    record.to_bytes(),
                    from.as_ref().map_or("", EnterpriseName::as_str),
                    to.as_ref().map(EnterpriseName::as_str)
                ],
                Conflict::State,
            ),
            AccessChange::AskToMove { record, by, at, since } => self.must(
                "UPDATE product_account SET asked_at = ?3
                 WHERE id = ?1 AND enterprise = ?2 AND state IN ('local', 'migrating') AND coalesce(asked_at, 0) <= ?4",
                params![record.to_bytes(), by.as_str(), at.millis(), since.millis()],
                Conflict::State,
            ),
        }
    }
}

/// Members of an enterprise, in the order of their ids, after one.
pub(super) async fn members<D: Tables>(
    tables: &D,
    (product, enterprise): (&ProductName, &EnterpriseName),
    after: Option<ProductAccountId>,
    limit: usize,
) -> Result<Vec<ProductAccount>, Unavailable> {
    let sql = format!(
        "SELECT {} FROM product_account WHERE product = ? AND enterprise = ? AND id > ? ORDER BY id LIMIT ?",
        rows::PRODUCT_ACCOUNT
    );
    // No id is smaller than nothing.
    let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
    tables.all(&sql, params![product.as_str(), enterprise.as_str(), after, count(limit)], rows::product_account).await
}
