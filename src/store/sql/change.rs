//! Applies one batch inside the writer's transaction. Unique constraints decide races: an insert that changes no row lost one.

use super::super::Conflict;
use super::{Params, Read, Row, params, rows};
use crate::kernel::event::leaf_hash;
use crate::kernel::journal::{Batch, Change, CheckpointRow, DomainRow, KeyRow, PolicyRow, ReplayMark};
use crate::kernel::model::{
    Account, AccountStatus, DirectoryRow, LinkedIdentity, LoginSession, ProductAccount, ProductSession,
};
use crate::kernel::values::{AccountId, EmailAddress, EnterpriseName, LoginSessionId, ProductName, Timestamp};
use std::time::Duration;

/// Marks and revocations outlive their use by this long: a clock that jumps by a day reopens nothing (rule M3).
pub(super) const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a batch stops.
#[derive(Debug)]
pub(in crate::store) enum Halt {
    /// This batch lost; the others of its group go on.
    Conflict(Conflict),
    /// The database does not take this batch's values, whatever is in the tables; the others of its group go on.
    Refused(String),
    /// The database cannot be written: the whole group is lost.
    Fault(Lost),
}

/// A group that cannot be committed.
#[derive(Debug)]
pub(in crate::store) struct Lost {
    /// Why.
    pub fault: String,
    /// Whether the same may do once more: nothing of it is or will be in the tables.
    pub again: bool,
}

impl Lost {
    /// For good.
    pub(in crate::store) fn for_good(fault: impl ToString) -> Self {
        Self { fault: fault.to_string(), again: false }
    }
}

/// A connection inside the writer's transaction.
pub(in crate::store) trait Writing {
    /// Runs a statement and says how many rows it changed.
    fn execute(&self, sql: &str, row: Params<'_>) -> Result<u64, Halt>;
    /// Runs a query and shows each row.
    fn query(&self, sql: &str, key: Params<'_>, each: &mut dyn FnMut(&Row<'_>) -> Read<()>) -> Result<(), Halt>;
    /// Runs a statement that must change a row, where `otherwise` is said; what it comes to may be told later, by whichever statement is
    /// run next and by [`Writing::settle`] at the latest.
    fn demand(&self, sql: &str, row: Params<'_>, otherwise: Option<Conflict>) -> Result<(), Halt> {
        match (self.execute(sql, row)?, otherwise) {
            (0, Some(conflict)) => Err(Halt::Conflict(conflict)),
            _ => Ok(()),
        }
    }
    /// The same of a query that must find a row.
    fn find(&self, sql: &str, key: Params<'_>, otherwise: Conflict) -> Result<(), Halt> {
        let mut is_found = false;
        self.query(sql, key, &mut |_| {
            is_found = true;
            Ok(())
        })?;
        if is_found { Ok(()) } else { Err(Halt::Conflict(otherwise)) }
    }
    /// What is still to be told of statements that were run.
    fn settle(&self) -> Result<(), Halt> {
        Ok(())
    }
    /// `DELETE` of the rows of a table for which this holds; what deletes too many for one transaction leaves some.
    fn delete(&self, table: &str, when: &str) -> String;
}

/// Where the writer stands while it applies a batch.
pub(in crate::store) struct At<'a> {
    /// The connection, inside a transaction.
    pub db: &'a dyn Writing,
    /// The store's clock.
    pub now: Timestamp,
    /// The latest time this store ever saw (rule M3).
    pub high_water: Timestamp,
    /// The log's size before the batch.
    pub log_size: u64,
}

impl At<'_> {
    /// Writes the whole batch and returns the log's size after it.
    pub(super) fn apply(&self, batch: &Batch) -> Result<u64, Halt> {
        for mark in &batch.marks {
            self.mark(mark)?;
        }
        for change in &batch.changes {
            self.change(change)?;
        }
        if !batch.revocations.is_empty() {
            // Their positions are drawn for good: not by a batch that has lost already.
            self.db.settle()?;
        }
        for revocation in &batch.revocations {
            let (kind, subject, detail) = rows::revocation_columns(revocation);
            let row = params![self.now.millis(), kind, subject, detail];
            self.any("INSERT INTO revocation (at, kind, subject, detail) VALUES (?, ?, ?, ?)", row)?;
        }
        let mut position = self.log_size;
        for event in &batch.events {
            let bytes = event.bytes().map_err(|fault| Halt::Refused(fault.to_string()))?;
            let row = params![position.cast_signed(), leaf_hash(&bytes), event.reference, bytes, event.org];
            self.any("INSERT INTO event (position, leaf, reference, bytes, org) VALUES (?, ?, ?, ?, ?)", row)?;
            for about in event.about() {
                let row = params![about, position.cast_signed()];
                self.any("INSERT INTO event_about (about, position) VALUES (?, ?)", row)?;
            }
            position += 1;
        }
        Ok(position)
    }

    /// The first row of a query.
    pub(super) fn first<T>(
        &self,
        sql: &str,
        key: Params<'_>,
        mut decode: impl FnMut(&Row<'_>) -> Read<T>,
    ) -> Result<Option<T>, Halt> {
        let mut found = None;
        self.db.query(sql, key, &mut |row| {
            if found.is_none() {
                found = Some(decode(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Runs a statement that must change a row.
    pub(super) fn must(&self, sql: &str, row: Params<'_>, otherwise: Conflict) -> Result<(), Halt> {
        self.db.demand(sql, row, Some(otherwise))
    }

    fn mark(&self, mark: &ReplayMark) -> Result<(), Halt> {
        // Counted from the high-water clock: after a jump back, a sweep by that clock must not take a fresh mark.
        let keep_until = mark.until.max(self.high_water).plus(KEPT);
        self.must(
            "INSERT INTO mark (kind, digest, keep_until) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            params![mark.kind.code(), mark.digest, keep_until.millis()],
            Conflict::Taken(mark.kind),
        )
    }

    fn change(&self, change: &Change) -> Result<(), Halt> {
        match change {
            Change::CreateAccount(account) => self.create_account(account),
            Change::UpdateAccount(account) => self.update_account(account),
            Change::SetAccountStatus(id, status) => self.set_status(*id, *status),
            Change::RaiseEpoch(id) => {
                let raise = "UPDATE account SET epoch = epoch + 1 WHERE id = ?";
                self.must(raise, params![id.to_bytes()], Conflict::Row)
            }
            Change::CreateProductAccount(account) => self.create_product_account(account),
            Change::Access(change) => self.access(change),
            Change::Link(link) => self.link(link),
            Change::UnlinkAll(account) => {
                self.any("DELETE FROM linked_identity WHERE account = ?", params![account.to_bytes()])
            }
            Change::AssertAddress { product, email, sub } => self.assert_address(product, email, sub),
            Change::CreateLoginSession(session) => self.create_login_session(session),
            Change::CreateProductSession(session) => self.create_product_session(session),
            // Ending what has ended is done already: a logout must not fail because another was faster.
            Change::EndLoginSession(id) => self.any("DELETE FROM login_session WHERE id = ?", params![id.to_bytes()]),
            Change::EndProductSession(id) => {
                self.any("DELETE FROM product_session WHERE id = ?", params![id.to_bytes()])
            }
            Change::EndSessionsOf(account) => {
                self.any("DELETE FROM login_session WHERE account = ?", params![account.to_bytes()])
            }
            Change::AskBefore { session, product, ask } => self.ask_before(*session, product, *ask),
            Change::TurnGrant { session, from, grant, mac } => {
                let is_there = "SELECT 1 FROM login_session WHERE id = ?";
                self.db.find(is_there, params![session.to_bytes()], Conflict::Ended)?;
                self.must(
                    "UPDATE login_session SET app_turn = ?3, app_turned_at = ?4, mac = ?5, \
                         last_seen = CASE WHEN last_seen < ?4 THEN ?4 ELSE last_seen END \
                     WHERE id = ?1 AND app IS NOT NULL AND app_turn = ?2",
                    params![session.to_bytes(), *from, grant.turn, grant.turned_at.millis(), mac],
                    Conflict::State,
                )
            }
            Change::RegisterDirectory(directory) => self.register(directory),
            Change::PutDomain(row) => self.put_domain(row),
            Change::DropDomain(domain) => {
                self.must("DELETE FROM domain WHERE domain = ?", params![domain.as_str()], Conflict::Row)
            }
            Change::PutPolicy(row) => self.put_policy(row),
            Change::PutKey(row) => self.put_key(row),
            Change::DropKey { kind, generation } => {
                let key = params![kind, generation];
                self.must("DELETE FROM key WHERE kind = ? AND generation = ?", key, Conflict::Row)
            }
            Change::MaySign { kind, generation, size } => {
                let sql = "SELECT 1 FROM key WHERE kind = ?1 AND generation = ?2
                           AND NOT EXISTS (SELECT 1 FROM checkpoint WHERE size > ?3)";
                self.db.find(sql, params![kind, generation, size.cast_signed()], Conflict::Row)
            }
            Change::PutCheckpoint(row) => self.put_checkpoint(row),
            Change::Organization(change) => self.organization(change),
            Change::Admin(change) => self.admin(change),
            Change::Credential(change) => self.credential(change),
            Change::Migration(change) => self.migration(change),
            Change::Deletion(change) => self.deletion(change),
            Change::Profile(change) => self.profile(change),
            Change::Grant(change) => self.grant(change),
            Change::Relink(change) => self.relink(change),
            Change::Restore(change) => self.restore(*change),
            Change::Scim(change) => self.scim(change),
            Change::Domain(change) => self.domain_proof(change),
            Change::Mail(change) => self.mail(change),
            Change::PutSetting { name, value } => self.any(
                "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                params![name, value],
            ),
            Change::ReplaceSetting { name, was: None, value } => self.must(
                "INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
                params![name, value],
                Conflict::Row,
            ),
            Change::ReplaceSetting { name, was: Some(was), value } => self.must(
                "UPDATE setting SET value = ?3 WHERE name = ?1 AND value = ?2",
                params![name, was, value],
                Conflict::Row,
            ),
        }
    }

    fn register(&self, d: &DirectoryRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO directory (id, name, fingerprint, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![d.id.to_bytes(), d.name, d.fingerprint, d.created_at.millis()],
            Conflict::Row,
        )
    }

    /// A claim never passes to another organization by being written over (rule C6c): it is dropped first.
    fn put_domain(&self, d: &DomainRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO domain (domain, org, claimed_at, mac) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (domain) DO UPDATE SET claimed_at = ?3, mac = ?4 WHERE domain.org = ?2",
            params![d.domain.as_str(), d.org.as_str(), d.claimed_at.millis(), d.mac],
            Conflict::Row,
        )
    }

    /// An epoch only rises: of two nodes that saw the same change, the slower decides again.
    fn put_policy(&self, p: &PolicyRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO policy (org, name, fingerprint, epoch, changed_at, since, mac) VALUES (?1, ?5, ?2, ?3, ?4, ?6, ?7)
             ON CONFLICT (org, name) DO UPDATE SET fingerprint = ?2, epoch = ?3, changed_at = ?4, since = ?6, mac = ?7
             WHERE policy.epoch < ?3",
            params![
                p.org.as_str(),
                p.fingerprint,
                p.epoch,
                p.changed_at.millis(),
                p.name.as_str(),
                rows::times_json(&p.since),
                p.mac
            ],
            Conflict::Row,
        )
    }

    fn put_key(&self, k: &KeyRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO key (kind, generation, sealed, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![k.kind, k.generation, k.sealed, k.created_at.millis()],
            Conflict::Row,
        )
    }

    /// Without events the size stays and time moves on: the last statement about a size is the one to keep.
    fn put_checkpoint(&self, c: &CheckpointRow) -> Result<(), Halt> {
        self.must(
            "INSERT INTO checkpoint (size, at, note) VALUES (?1, ?2, ?3)
             ON CONFLICT (size) DO UPDATE SET at = ?2, note = ?3",
            params![c.size.cast_signed(), c.at.millis(), c.note],
            Conflict::Row,
        )
    }

    pub(super) fn any(&self, sql: &str, row: Params<'_>) -> Result<(), Halt> {
        self.db.demand(sql, row, None)
    }

    fn create_account(&self, a: &Account) -> Result<(), Halt> {
        let (status, delete_at) = rows::status_columns(a.status);
        let sql = insert("INSERT INTO account (", rows::ACCOUNT, 10);
        let row = params![
            a.id.to_bytes(),
            status,
            delete_at,
            a.email.as_ref().map(EmailAddress::as_str),
            a.email_verified,
            a.email_proved_at.map(Timestamp::millis),
            a.name,
            a.epoch,
            a.created_at.millis(),
            a.last_login_at.map(Timestamp::millis),
        ];
        self.must(&sql, row, Conflict::Row)
    }

    fn update_account(&self, a: &Account) -> Result<(), Halt> {
        self.must(
            "UPDATE account SET email = ?2, email_verified = ?3, email_proved_at = ?4, name = ?5, last_login_at = ?6
             WHERE id = ?1",
            params![
                a.id.to_bytes(),
                a.email.as_ref().map(EmailAddress::as_str),
                a.email_verified,
                a.email_proved_at.map(Timestamp::millis),
                a.name,
                a.last_login_at.map(Timestamp::millis),
            ],
            Conflict::Row,
        )
    }

    fn set_status(&self, id: AccountId, status: AccountStatus) -> Result<(), Halt> {
        let (status, delete_at) = rows::status_columns(status);
        self.must(
            "UPDATE account SET status = ?2, delete_at = ?3, epoch = epoch + 1 WHERE id = ?1",
            params![id.to_bytes(), status, delete_at],
            Conflict::Row,
        )
    }

    fn create_product_account(&self, p: &ProductAccount) -> Result<(), Halt> {
        let (state, merged_into) = rows::state_columns(p.state);
        let sql = insert("INSERT INTO product_account (", rows::PRODUCT_ACCOUNT, 11);
        let row = params![
            p.id.to_bytes(),
            p.product.as_str(),
            p.account.to_bytes(),
            p.sub,
            state,
            merged_into,
            p.off,
            p.created_at.millis(),
            p.enterprise.as_ref().map(EnterpriseName::as_str),
            p.off_by.as_ref().map(EnterpriseName::as_str),
            p.asked_at.map(Timestamp::millis),
        ];
        self.must(&sql, row, Conflict::ProductAccount)
    }

    fn link(&self, l: &LinkedIdentity) -> Result<(), Halt> {
        let sql = insert("INSERT INTO linked_identity (", rows::IDENTITY, 7);
        let row = params![
            l.key.directory.to_bytes(),
            l.key.source.0,
            l.key.subject,
            l.account.to_bytes(),
            rows::linked_by_column(l.by),
            l.linked_at.millis(),
            l.suspended,
        ];
        self.must(&sql, row, Conflict::Identity)
    }

    fn assert_address(&self, product: &ProductName, email: &EmailAddress, sub: &str) -> Result<(), Halt> {
        // The same pair again is no news and no write: it is what nearly every login says.
        self.any(
            "INSERT INTO asserted_address (product, email, sub) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            params![product.as_str(), email.as_str(), sub],
        )?;
        self.db.find(
            "SELECT 1 FROM asserted_address WHERE product = ? AND email = ? AND sub = ?",
            params![product.as_str(), email.as_str(), sub],
            Conflict::Address,
        )
    }

    /// An account whose epoch has risen since the decision ends the session before it begins.
    fn epoch_is_current(&self, account: AccountId, decided_on: u32) -> Result<(), Halt> {
        let is_there = "SELECT 1 FROM account WHERE id = ?";
        self.db.find(is_there, params![account.to_bytes()], Conflict::Row)?;
        let is_current = "SELECT 1 FROM account WHERE id = ? AND epoch = ?";
        self.db.find(is_current, params![account.to_bytes(), decided_on], Conflict::Ended)
    }

    fn create_login_session(&self, s: &LoginSession) -> Result<(), Halt> {
        self.epoch_is_current(s.account, s.account_epoch)?;
        let sql = insert("INSERT INTO login_session (", rows::LOGIN_SESSION, 28);
        let row = params![
            s.id.to_bytes(),
            s.key.0,
            s.account.to_bytes(),
            s.directory.to_bytes(),
            s.method.code(),
            rows::json(&s.amr),
            rows::json(&s.groups),
            s.auth_time.millis(),
            s.browser,
            s.provider_session,
            s.logout_hint,
            s.created_at.millis(),
            s.last_seen.millis(),
            s.idle_millis.cast_signed(),
            s.abs_at.millis(),
            s.account_epoch,
            rows::products_json(&s.ask_before),
            s.mac,
            s.confined_to.as_ref().map(ProductName::as_str),
            s.stepped_at.map(Timestamp::millis),
            s.name_key,
            s.device.map(|device| device.code()),
            s.grant.as_ref().map(|grant| grant.app.as_str()),
            s.grant.as_ref().and_then(|grant| grant.bound_to).map(|key| key.0),
            s.grant.as_ref().map(|grant| grant.turn),
            s.grant.as_ref().map(|grant| grant.turned_at.millis()),
            s.personal.as_ref().map(|personal| personal.scope.code()),
            s.personal.as_ref().map(|personal| personal.label.as_str()),
        ];
        self.must(&sql, row, Conflict::Row)
    }

    fn create_product_session(&self, s: &ProductSession) -> Result<(), Halt> {
        self.epoch_is_current(s.account, s.account_epoch)?;
        let parent = params![s.parent.to_bytes(), s.account.to_bytes()];
        let sql = "SELECT 1 FROM login_session WHERE id = ? AND account = ?";
        self.db.find(sql, parent, Conflict::Ended)?;
        let sql = insert("INSERT INTO product_session (", rows::PRODUCT_SESSION, 13);
        let row = params![
            s.id.to_bytes(),
            s.key.0,
            s.parent.to_bytes(),
            s.product.as_str(),
            s.host.to_string(),
            s.account.to_bytes(),
            s.product_account.to_bytes(),
            s.created_at.millis(),
            s.last_seen.millis(),
            s.idle_millis.cast_signed(),
            s.abs_at.millis(),
            s.account_epoch,
            s.mac,
        ];
        self.must(&sql, row, Conflict::Row)
    }

    fn ask_before(&self, session: LoginSessionId, product: &ProductName, ask: bool) -> Result<(), Halt> {
        let sql = "SELECT ask_before FROM login_session WHERE id = ?";
        let found = self.first(sql, params![session.to_bytes()], |row| rows::products(row, 0))?;
        let mut products = found.ok_or(Halt::Conflict(Conflict::Ended))?;
        products.retain(|name| name != product);
        if ask {
            products.push(product.clone());
        }
        self.must(
            "UPDATE login_session SET ask_before = ?2 WHERE id = ?1",
            params![session.to_bytes(), rows::products_json(&products)],
            Conflict::Ended,
        )
    }
}

/// An insert of `count` columns that does nothing where a row is in the way.
fn insert(start: &str, columns: &str, count: usize) -> String {
    let places = vec!["?"; count].join(", ");
    format!("{start}{columns}) VALUES ({places}) ON CONFLICT DO NOTHING")
}
