//! What the databases share: the tables' statements, how rows are read, what a batch does, the writer that commits in groups.
//!
//! A statement is written once, in the words that SQLite and PostgreSQL both understand: whole numbers for yes and no (0, 1), ids
//! and keys as bytes, times as milliseconds, `?` for values, and columns named with their table where `ON CONFLICT` could mean
//! two. What differs (connections, locks, the feed, the schema) is beside this folder, behind [`Tables`] and [`writer::Session`].

mod admins;
pub(super) mod change;
mod credentials;
mod deletions;
mod domains;
mod enterprises;
mod grants;
mod migrations;
mod organizations;
mod outbox;
mod profiles;
mod quarantine;
mod read;
mod relinks;
mod restore;
pub(super) mod rows;
mod scim;
pub(super) mod value;
pub(super) mod writer;

use super::{Committed, Feed, NotCommitted, Touch, Unavailable};
use crate::kernel::journal::Batch;
use crate::kernel::values::Timestamp;
use std::sync::Arc;
use tokio::sync::Notify;
pub(super) use value::{Damaged, Params, Read, Row, params};

/// Rows of one reading of the feed at most; the cursor then stands at the last of them and the next reading goes on.
pub(super) const FEED: u32 = 10_000;

/// A database with the tables: whatever is this is a store.
pub(super) trait Tables: Send + Sync + 'static {
    /// Runs a query and decodes its rows.
    fn all<T: Send>(
        &self,
        sql: &str,
        key: Params<'_>,
        decode: impl FnMut(&Row<'_>) -> Read<T> + Send,
    ) -> impl Future<Output = Result<Vec<T>, Unavailable>> + Send;

    /// The row of a query that finds one at most.
    fn one<T: Send>(
        &self,
        sql: &str,
        key: Params<'_>,
        decode: impl FnMut(&Row<'_>) -> Read<T> + Send,
    ) -> impl Future<Output = Result<Option<T>, Unavailable>> + Send {
        async move { Ok(self.all(sql, key, decode).await?.into_iter().next()) }
    }

    /// See [`Store::commit`](super::Store::commit).
    fn write(&self, batch: Batch) -> impl Future<Output = Result<Committed, NotCommitted>> + Send;
    /// See [`Store::touch`](super::Store::touch).
    fn write_touches(&self, touches: Vec<Touch>) -> impl Future<Output = Result<(), Unavailable>> + Send;
    /// See [`Store::sweep`](super::Store::sweep).
    fn remove_expired(&self, now: Timestamp) -> impl Future<Output = Result<u64, Unavailable>> + Send;
    /// See [`Store::feed`](super::Store::feed).
    fn read_feed(&self, after: u64) -> impl Future<Output = Result<Feed, Unavailable>> + Send;
    /// See [`Store::nudge`](super::Store::nudge).
    fn nudged(&self) -> Arc<Notify>;
    /// See [`Store::close`](super::Store::close).
    fn stop(&self) -> impl Future<Output = ()> + Send;
}
