//! Ends what is open in sessions that end by themselves. Streams make no requests at which that would be noticed (rule H15).

use super::entry::Entry;
use super::live::Live;
use crate::kernel::live::Live as Standing;
use crate::kernel::model::{Outage, Product};
use crate::kernel::values::Timestamp;
use crate::store::Unavailable;
use std::sync::Arc;
use std::time::Duration;

impl Live {
    /// Ends what is open in sessions that no longer stand under the configuration and at the time of now: the grace of a policy,
    /// an idle or a shortened limit. Only sessions with something open are read again: the others meet their next request.
    pub(super) async fn end_fallen(&self, now: Timestamp) -> usize {
        let mut ended = 0;
        for entry in self.due(now) {
            match self.stands(&entry, now).await {
                Ok(true) => {}
                Ok(false) => ended += usize::from(self.registry.end(entry.live.sid)),
                // What the outage's grace allows is ended by `end_outlived`.
                Err(fault) => tracing::debug!(%fault, "an open session could not be read again"),
            }
        }
        ended
    }

    /// The open sessions whose answer does not hold any more.
    fn due(&self, now: Timestamp) -> Vec<Arc<Entry>> {
        let catalog = self.world.catalog.load();
        self.registry.all_where(|entry| entry.is_open() && !entry.still_holds(&catalog, now))
    }

    async fn stands(&self, entry: &Entry, now: Timestamp) -> Result<bool, Unavailable> {
        let Some(session) = self.world.store.product_session_by_id(entry.live.sid).await? else { return Ok(false) };
        let Some(rows) = self.rows_of(session).await? else { return Ok(false) };
        let rows = self.with_activity_of(rows);
        let catalog = self.world.catalog.load();
        let Some((Standing::Continue { until }, whence)) = rows.stand(&catalog, now) else { return Ok(false) };
        self.registry.holds(entry, &catalog, until, whence);
        Ok(true)
    }

    /// Ends what is open at products whose grace is over (rule M2: streams close when the grace ends).
    pub(super) fn end_outlived(&self, lapsed: Duration) -> usize {
        let catalog = self.world.catalog.load();
        let over = |product: &Arc<Product>| match product.on_store_outage {
            Outage::Grace(grace) => lapsed > grace,
            Outage::Deny => true,
        };
        // Only they: other products may be within their own grace, and live by what is cached.
        self.registry.end_where(|entry| catalog.products.get(&entry.live.product).is_none_or(over))
    }
}
