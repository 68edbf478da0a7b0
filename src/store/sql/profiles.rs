//! Profiles that products have yet to hear of, see `profile.sql`.

use super::super::{Conflict, Unavailable};
use super::change::{At, Halt};
use super::{Tables, params, rows};
use crate::kernel::journal::ProfileChange;
use crate::kernel::model::ProfilePush;
use crate::kernel::values::{ProductAccountId, Timestamp};

impl At<'_> {
    /// Applies one change.
    pub(super) fn profile(&self, change: &ProfileChange) -> Result<(), Halt> {
        match change {
            ProfileChange::Tell(id, due_at) => self.any(
                "INSERT INTO profile_push (product_account, version, told, due_at, attempts) VALUES (?1, 1, 0, ?2, 0)
                 ON CONFLICT (product_account) DO UPDATE SET
                     version = profile_push.version + 1,
                     due_at = CASE WHEN profile_push.told < profile_push.version THEN profile_push.due_at ELSE ?2 END,
                     attempts = CASE WHEN profile_push.told < profile_push.version THEN profile_push.attempts ELSE 0 END",
                params![id.to_bytes(), due_at.millis()],
            ),
            ProfileChange::Try { id, read: (version, attempts), attempts: now, due_at, fault } => self.must(
                "UPDATE profile_push SET attempts = ?4, due_at = ?5, fault = ?6
                 WHERE product_account = ?1 AND version = ?2 AND attempts = ?3 AND told < version",
                params![id.to_bytes(), version.cast_signed(), attempts, now, due_at.millis(), fault],
                Conflict::Profile,
            ),
            ProfileChange::Told(id, version, due_at) => self.any(
                "UPDATE profile_push SET told = CASE WHEN told < ?2 THEN ?2 ELSE told END, attempts = 0, due_at = ?3, fault = NULL
                 WHERE product_account = ?1",
                params![id.to_bytes(), version.cast_signed(), due_at.millis()],
            ),
        }
    }
}

pub(super) async fn due(db: &impl Tables, now: Timestamp, limit: usize) -> Result<Vec<ProfilePush>, Unavailable> {
    let sql = "SELECT product_account, version, due_at, attempts, fault FROM profile_push
                   WHERE told < version AND due_at <= ? ORDER BY due_at, product_account LIMIT ?";
    db.all(sql, params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
        Ok(ProfilePush {
            product_account: ProductAccountId::from_bytes(row.get(0)?),
            version: row.get::<i64>(1)?.cast_unsigned(),
            due_at: rows::time(row, 2)?,
            attempts: row.get(3)?,
            fault: row.get(4)?,
        })
    })
    .await
}
