//! The outbox: three tables, see `outbox.sql`. Limits are asked in the writer, so that a flood of requests cannot pass
//! them by being parallel.

use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::mail::{DeadLetter, MailChange, MailLimit, OutboxCount, OutboxRow};
use crate::kernel::values::{EmailAddress, Language, MailId, Timestamp};
use crate::store::{Conflict, Outbox, Unavailable};
use async_trait::async_trait;
use std::time::Duration;

/// What sweeps take: letters that died so long ago, and the memory that limits need.
pub(super) const SWEPT: [(&str, &str, Duration); 2] =
    [("outbox", "dead_at < ?1", Duration::from_secs(30 * 86_400)), ("outbox_recent", "at < ?1", MailLimit::LONGEST)];

impl At<'_> {
    pub(super) fn mail(&self, change: &MailChange) -> Result<(), Halt> {
        match change {
            MailChange::Queue { letters, limits } => self.queue(letters, limits),
            // A row is written when it says something else than before, and not at each login.
            MailChange::Speaks { account, language } => self.any(
                "INSERT INTO mail_language (account, language) VALUES (?1, ?2)
                 ON CONFLICT (account) DO UPDATE SET language = excluded.language
                 WHERE mail_language.language <> excluded.language",
                params![account.to_bytes(), language.as_str()],
            ),
            MailChange::Lease { id, attempts, until } => self.must(
                "UPDATE outbox SET attempts = attempts + 1, due_at = ?3 WHERE id = ?1 AND attempts = ?2 AND dead_at IS NULL",
                params![id.to_bytes(), attempts, until.millis()],
                Conflict::Row,
            ),
            MailChange::Retry { id, attempts, due_at, fault } => self.must(
                "UPDATE outbox SET due_at = ?3, fault = ?4 WHERE id = ?1 AND attempts = ?2 AND dead_at IS NULL",
                params![id.to_bytes(), attempts, due_at.millis(), fault],
                Conflict::Row,
            ),
            MailChange::Sent { id } => self.any("DELETE FROM outbox WHERE id = ?", params![id.to_bytes()]),
            MailChange::Bury { id, at, fault } => self.any(
                "UPDATE outbox SET dead_at = ?2, fault = ?3, parameters = '', sealed = ?4 WHERE id = ?1",
                params![id.to_bytes(), at.millis(), fault, Vec::new()],
            ),
        }
    }

    fn queue(&self, letters: &[(OutboxRow, Vec<MailLimit>)], limits: &[MailLimit]) -> Result<(), Halt> {
        if self.reached(limits)? {
            return self.drop_letters(letters.len());
        }
        let mut queued = 0;
        for (letter, own) in letters {
            if self.reached(own)? {
                self.drop_letters(1)?;
            } else {
                self.insert_letter(letter)?;
                self.remember(own)?;
                queued += 1;
            }
        }
        if queued > 0 { self.remember(limits) } else { Ok(()) }
    }

    fn reached(&self, limits: &[MailLimit]) -> Result<bool, Halt> {
        let sql = "SELECT count(*) FROM outbox_recent WHERE key = ? AND at > ?";
        for limit in limits {
            let since = self.now.minus(limit.span).millis();
            let sent: Option<i64> = self.first(sql, params![limit.key, since], |row| row.get(0))?;
            if sent.unwrap_or(0) >= i64::from(limit.most) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Once for each key, also where several spans are asked of one.
    fn remember(&self, limits: &[MailLimit]) -> Result<(), Halt> {
        let mut keys: Vec<&str> = limits.iter().map(|limit| limit.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            self.any("INSERT INTO outbox_recent (key, at) VALUES (?, ?)", params![key, self.now.millis()])?;
        }
        Ok(())
    }

    fn drop_letters(&self, count: usize) -> Result<(), Halt> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.any("UPDATE outbox_dropped SET count = count + ?", params![count])
    }

    fn insert_letter(&self, letter: &OutboxRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO outbox (id, kind, recipient, parameters, sealed, created_at, until, due_at, attempts)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                letter.id.to_bytes(),
                letter.kind,
                letter.to.as_str(),
                letter.parameters,
                letter.sealed,
                letter.created_at.millis(),
                letter.until.millis(),
                letter.due_at.millis(),
                letter.attempts,
            ],
            Conflict::Row,
        )
    }
}

#[async_trait]
impl<D: Tables> Outbox for D {
    async fn mail_due(&self, now: Timestamp, limit: usize) -> Result<Vec<OutboxRow>, Unavailable> {
        let sql = "SELECT id, kind, recipient, parameters, sealed, created_at, until, due_at, attempts FROM outbox
                   WHERE dead_at IS NULL AND due_at <= ? ORDER BY until, due_at LIMIT ?";
        self.all(sql, params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], letter).await
    }

    async fn mail_language(&self, recipient: &EmailAddress) -> Result<Option<Language>, Unavailable> {
        let by_account = "SELECT l.language FROM account a JOIN mail_language l ON l.account = a.id
                          WHERE a.email = ? ORDER BY a.email_verified DESC, a.id LIMIT 1";
        // Addresses that a product knows its people by; one that nobody proved says nothing about who reads it.
        let by_address = "SELECT l.language FROM address d JOIN product_account p ON p.id = d.product_account
                          JOIN mail_language l ON l.account = p.account
                          WHERE d.email = ? AND d.verified = 1 ORDER BY p.id LIMIT 1";
        for sql in [by_account, by_address] {
            let language = |row: &Row<'_>| rows::parsed(row, 0, Language::parse);
            let found = self.one(sql, params![recipient.as_str()], language).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    async fn mail_dead(&self, limit: usize) -> Result<Vec<DeadLetter>, Unavailable> {
        let sql = "SELECT id, kind, recipient, dead_at, fault FROM outbox WHERE dead_at IS NOT NULL
                   ORDER BY dead_at DESC, id DESC LIMIT ?";
        self.all(sql, params![i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(DeadLetter {
                id: MailId::from_bytes(row.get(0)?),
                kind: row.get(1)?,
                to: rows::parsed(row, 2, EmailAddress::parse)?,
                dead_at: rows::time(row, 3)?,
                fault: row.get(4)?,
            })
        })
        .await
    }

    async fn mail_count(&self) -> Result<OutboxCount, Unavailable> {
        let sql = "SELECT count(*) FILTER (WHERE dead_at IS NULL), min(created_at) FILTER (WHERE dead_at IS NULL),
                   count(*) FILTER (WHERE dead_at IS NOT NULL), (SELECT count FROM outbox_dropped) FROM outbox";
        let count = self.one(sql, params![], count).await?;
        Ok(count.unwrap_or_default())
    }
}

fn letter(row: &Row<'_>) -> Read<OutboxRow> {
    Ok(OutboxRow {
        id: MailId::from_bytes(row.get(0)?),
        kind: row.get(1)?,
        to: rows::parsed(row, 2, EmailAddress::parse)?,
        parameters: row.get(3)?,
        sealed: row.get(4)?,
        created_at: rows::time(row, 5)?,
        until: rows::time(row, 6)?,
        due_at: rows::time(row, 7)?,
        attempts: row.get(8)?,
    })
}

fn count(row: &Row<'_>) -> Read<OutboxCount> {
    let number = |column| row.get::<i64>(column).map(i64::cast_unsigned);
    let oldest: Option<i64> = row.get(1)?;
    Ok(OutboxCount {
        waiting: number(0)?,
        oldest: oldest.map(Timestamp::from_millis),
        dead: number(2)?,
        dropped: number(3)?,
    })
}
