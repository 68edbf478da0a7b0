//! Accounts that were put aside, see `quarantine.sql`.

use super::super::{Conflict, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::model::Quarantine;
use crate::kernel::values::{AccountId, EmailAddress, ProductName};

const COLUMNS: &str = "account, email, product, by_account, at, until, kept";

impl At<'_> {
    /// Takes everything away that an account could be logged in with, and keeps the row.
    pub(super) fn set_aside(&self, kept: &Quarantine, epoch: u32) -> Result<(), Halt> {
        let account = kept.account.to_bytes();
        self.must(
            "UPDATE account SET email = NULL, email_proved_at = NULL
             WHERE id = ? AND email = ? AND email_verified = 0 AND epoch = ?",
            params![account, kept.email.as_str(), epoch],
            Conflict::Row,
        )?;
        for table in ["password", "address", "mailbox_proof"] {
            self.any(
                &format!(
                    "DELETE FROM {table} WHERE product_account IN (SELECT id FROM product_account WHERE account = ?)"
                ),
                params![account],
            )?;
        }
        self.any("DELETE FROM linked_identity WHERE account = ?", params![account])?;
        self.must(
            "INSERT INTO quarantine (account, email, product, by_account, at, until, kept) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
            params![
                account,
                kept.email.as_str(),
                kept.product.as_str(),
                kept.by.to_bytes(),
                kept.at.millis(),
                kept.until.millis(),
                kept.kept,
            ],
            Conflict::Row,
        )
    }
}

fn row(row: &Row<'_>) -> Read<Quarantine> {
    Ok(Quarantine {
        account: AccountId::from_bytes(row.get(0)?),
        email: rows::parsed(row, 1, EmailAddress::parse)?,
        product: rows::parsed(row, 2, ProductName::parse)?,
        by: AccountId::from_bytes(row.get(3)?),
        at: rows::time(row, 4)?,
        until: rows::time(row, 5)?,
        kept: row.get(6)?,
    })
}

pub(super) async fn one(db: &impl Tables, account: AccountId) -> Result<Option<Quarantine>, Unavailable> {
    db.one(&format!("SELECT {COLUMNS} FROM quarantine WHERE account = ?"), params![account.to_bytes()], row).await
}

pub(super) async fn all(
    db: &impl Tables,
    after: Option<AccountId>,
    limit: usize,
) -> Result<Vec<Quarantine>, Unavailable> {
    let sql = format!("SELECT {COLUMNS} FROM quarantine WHERE account > ? ORDER BY account LIMIT ?");
    let after = after.map(|id| id.to_bytes().to_vec()).unwrap_or_default();
    db.all(&sql, params![after, i64::try_from(limit).unwrap_or(i64::MAX)], row).await
}
