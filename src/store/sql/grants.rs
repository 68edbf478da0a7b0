//! Providers' grants in their table, see `provider_grant.sql`.

use super::super::{Conflict, ProviderGrants, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::GrantChange;
use crate::kernel::model::{GrantLease, ProviderGrant};
use crate::kernel::values::{DirectoryId, LoginSessionId, Timestamp};
use async_trait::async_trait;

impl At<'_> {
    /// Applies one change.
    pub(super) fn grant(&self, change: &GrantChange) -> Result<(), Halt> {
        match change {
            GrantChange::Keep(g) => self.must(
                "INSERT INTO provider_grant (login_session, directory, sealed, turn, due, good_at)
                 VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                params![
                    g.session.to_bytes(),
                    g.directory.to_bytes(),
                    g.sealed,
                    g.turn,
                    g.due.millis(),
                    g.good_at.millis(),
                ],
                Conflict::Row,
            ),
            GrantChange::Lease { session, turn, lease, now } => self.must(
                "UPDATE provider_grant SET lease_by = ?3, lease_until = ?4
                 WHERE login_session = ?1 AND turn = ?2 AND (lease_until IS NULL OR lease_until <= ?5)",
                params![session.to_bytes(), turn, lease.by, lease.until.millis(), now.millis()],
                Conflict::Row,
            ),
            GrantChange::Settle { grant: g, by } => self.must(
                "UPDATE provider_grant SET sealed = ?4, turn = turn + 1, due = ?5, good_at = ?6, lease_by = NULL, lease_until = NULL
                 WHERE login_session = ?1 AND turn = ?2 - 1 AND lease_by = ?3",
                params![g.session.to_bytes(), g.turn, by, g.sealed, g.due.millis(), g.good_at.millis()],
                Conflict::Row,
            ),
            GrantChange::Later { session, by, due } => self.must(
                "UPDATE provider_grant SET due = ?3, lease_by = NULL, lease_until = NULL
                 WHERE login_session = ?1 AND lease_by = ?2",
                params![session.to_bytes(), by, due.millis()],
                Conflict::Row,
            ),
            GrantChange::Drop { session, by } => self.must(
                "DELETE FROM provider_grant WHERE login_session = ? AND lease_by = ?",
                params![session.to_bytes(), by],
                Conflict::Row,
            ),
        }
    }
}

const GRANT: &str = "login_session, directory, sealed, turn, due, good_at, lease_by, lease_until";

fn grant(row: &Row<'_>) -> Read<ProviderGrant> {
    let lease = row.get::<Option<[u8; 16]>>(6)?.zip(row.get::<Option<i64>>(7)?);
    Ok(ProviderGrant {
        session: LoginSessionId::from_bytes(row.get(0)?),
        directory: DirectoryId::from_bytes(row.get(1)?),
        sealed: row.get(2)?,
        turn: row.get(3)?,
        due: rows::time(row, 4)?,
        good_at: rows::time(row, 5)?,
        lease: lease.map(|(by, until)| GrantLease { by, until: Timestamp::from_millis(until) }),
    })
}

#[async_trait]
impl<D: Tables> ProviderGrants for D {
    async fn due_grants(&self, now: Timestamp, limit: usize) -> Result<Vec<ProviderGrant>, Unavailable> {
        let sql = format!(
            "SELECT {GRANT} FROM provider_grant WHERE due <= ?1 AND (lease_until IS NULL OR lease_until <= ?1) ORDER BY due LIMIT ?2"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(&sql, params![now.millis(), limit], grant).await
    }

    async fn provider_grant(&self, session: LoginSessionId) -> Result<Option<ProviderGrant>, Unavailable> {
        let sql = format!("SELECT {GRANT} FROM provider_grant WHERE login_session = ?");
        self.one(&sql, params![session.to_bytes()], grant).await
    }
}
