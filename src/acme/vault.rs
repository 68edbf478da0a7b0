//! What is kept in the store: the account, certificates, answers under way. Key rows of our own kinds, sealed (rule H12).
//!
//! Every write also changes one small setting, so that other nodes see by one short read whether there is something new.

use super::due::{TRIES_IN_AN_HOUR, TURN};
use super::fault::Fault;
use super::{Challenge, answer};
use crate::entropy::random;
use crate::kernel::event::AuditEvent;
use crate::kernel::journal::{Batch, Change, KeyRow, MarkKind, ReplayMark};
use crate::kernel::values::Timestamp;
use crate::keys::Kek;
use crate::store::{Conflict, NotCommitted, Store, Unavailable};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const ACCOUNT: &str = "acme.account";
const CERTIFICATE: &str = "acme.certificate.";
const ANSWER: &str = "acme.answer.";
/// The setting that every write changes.
const CHANGED: &str = "acme.changed";

/// An answer that nobody took away is forgotten after this: a node ended during its order.
const ANSWER_LIFE: Duration = Duration::from_secs(3_600);

/// The rows and what opens them.
pub(super) struct Vault {
    pub(super) store: Arc<dyn Store>,
    pub(super) kek: Kek,
}

/// All that is there.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) account: Option<Kept<AccountRecord>>,
    pub(super) certificates: HashMap<String, Kept<Certificate>>,
    pub(super) answers: Vec<Kept<AnswerRecord>>,
}

/// A value and its row.
pub(super) struct Kept<T> {
    pub(super) generation: u32,
    pub(super) value: T,
}

/// The account at an authority.
#[derive(Deserialize, Serialize)]
pub(super) struct AccountRecord {
    /// Whose.
    pub(super) directory: String,
    /// As the authority was told.
    pub(super) contact: Vec<String>,
    /// Its id and private key, as the ACME client writes them.
    pub(super) credentials: String,
}

/// An issued certificate.
pub(super) struct Certificate {
    /// Who issued it.
    pub(super) directory: String,
    /// PEM, leaf first.
    pub(super) chain: String,
    pub(super) key: PrivatePkcs8KeyDer<'static>,
    pub(super) issued_at: Timestamp,
    pub(super) ends_at: Timestamp,
}

/// How a certificate stands in its sealed row.
#[derive(Deserialize, Serialize)]
struct CertificateRecord {
    directory: String,
    chain: String,
    key: String,
    issued_at: i64,
    ends_at: i64,
}

/// The answer to a challenge under way; what is served is made of it.
#[derive(Deserialize, Serialize)]
pub(super) struct AnswerRecord {
    pub(super) host: String,
    pub(super) challenge: Challenge,
    pub(super) token: String,
    /// The key authorization (RFC 8555 §8.1).
    pub(super) text: String,
}

impl Vault {
    /// Different after every write of any node.
    pub(super) async fn marker(&self) -> Result<Option<Vec<u8>>, Unavailable> {
        self.store.setting(CHANGED).await
    }

    /// Reads everything. A row that does not open is none, and said.
    pub(super) async fn read(&self, now: Timestamp) -> Result<Contents, Unavailable> {
        let mut contents = Contents::default();
        for row in self.store.keys().await?.iter().filter(|row| row.kind.starts_with("acme.")) {
            if let Err(why) = self.take_in(row, now, &mut contents) {
                tracing::error!(kind = row.kind, generation = row.generation, %why, "a row of ACME cannot be used");
            }
        }
        Ok(contents)
    }

    /// Rows come oldest generation first: the newest stays.
    fn take_in(&self, row: &KeyRow, now: Timestamp, contents: &mut Contents) -> Result<(), String> {
        let plain = self.kek.open_item(row).map_err(|why| why.to_string())?;
        // The words of a JSON error could quote what was sealed.
        let unread = |_| "it does not read".to_owned();
        let generation = row.generation;
        if row.kind == ACCOUNT {
            let value = serde_json::from_slice(&plain).map_err(unread)?;
            contents.account = Some(Kept { generation, value });
        } else if let Some(host) = row.kind.strip_prefix(CERTIFICATE) {
            let record: CertificateRecord = serde_json::from_slice(&plain).map_err(unread)?;
            let value = record.open().ok_or("its key does not read")?;
            contents.certificates.insert(host.to_owned(), Kept { generation, value });
        } else if row.kind.starts_with(ANSWER) && now.since(row.created_at) < ANSWER_LIFE {
            let value: AnswerRecord = serde_json::from_slice(&plain).map_err(unread)?;
            contents.answers.push(Kept { generation, value });
        }
        Ok(())
    }

    /// Whether this node may try this name now: nobody else has its turn, and the hour's tries are not used up.
    pub(super) async fn take_turn(&self, host: &str, now: Timestamp) -> Result<bool, Unavailable> {
        let mark = |what: String, until: Timestamp| ReplayMark {
            kind: MarkKind::Order,
            digest: sha256(&format!("{host} {what}")),
            until,
        };
        let turn_seconds = i64::try_from(TURN.as_secs()).unwrap_or(i64::MAX);
        let (turn, hour) = (now.seconds().div_euclid(turn_seconds), now.seconds().div_euclid(3_600));
        for number in 0..TRIES_IN_AN_HOUR {
            let marks = vec![
                mark(format!("turn {turn}"), now.plus(TURN)),
                mark(format!("hour {hour} try {number}"), now.plus(Duration::from_secs(3_600))),
            ];
            match self.store.commit(Batch { marks, ..Batch::default() }).await {
                Ok(_) => return Ok(true),
                Err(NotCommitted::Conflict(Conflict::Taken(_))) => {}
                Err(NotCommitted::Conflict(other)) => return Err(Unavailable(format!("a mark met {other:?}"))),
                Err(NotCommitted::Unavailable(fault)) => return Err(fault),
            }
        }
        Ok(false)
    }

    /// Puts the account in the place of the one before.
    pub(super) async fn put_account(
        &self,
        account: &AccountRecord,
        before: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let plain = json(account)?;
        self.replace(ACCOUNT, &plain, (before, now), Vec::new()).await
    }

    /// Forgets an account that the authority no longer knows.
    pub(super) async fn drop_account(&self, generation: u32) -> Result<(), Fault> {
        self.commit(vec![Change::DropKey { kind: ACCOUNT.to_owned(), generation }], Vec::new()).await
    }

    /// Puts a certificate in the place of the one before, and records that.
    pub(super) async fn put_certificate(
        &self,
        host: &str,
        certificate: &Certificate,
        before: Option<u32>,
        event: AuditEvent,
    ) -> Result<(), Fault> {
        let record = CertificateRecord {
            directory: certificate.directory.clone(),
            chain: certificate.chain.clone(),
            key: STANDARD.encode(certificate.key.secret_pkcs8_der()),
            issued_at: certificate.issued_at.millis(),
            ends_at: certificate.ends_at.millis(),
        };
        let plain = json(&record)?;
        self.replace(&format!("{CERTIFICATE}{host}"), &plain, (before, certificate.issued_at), vec![event]).await
    }

    /// Shows every node the answer.
    pub(super) async fn put_answer(&self, record: &AnswerRecord, now: Timestamp) -> Result<(), Fault> {
        if !answer::is_token(&record.token) {
            return Err(Fault::Authority("its token is none (RFC 8555 §8.3)".to_owned()));
        }
        // Never a generation that an earlier answer had.
        let generation = u32::try_from(now.seconds()).unwrap_or(u32::MAX);
        let row = self.sealed(&format!("{ANSWER}{}", record.host), generation, &json(record)?, now)?;
        self.commit(vec![Change::PutKey(row)], Vec::new()).await
    }

    /// Takes away every answer for this name, and those that nobody took away in time.
    pub(super) async fn drop_answers(&self, host: &str, now: Timestamp) -> Result<(), Fault> {
        let own = format!("{ANSWER}{host}");
        let stale = |row: &KeyRow| row.kind.starts_with(ANSWER) && now.since(row.created_at) >= ANSWER_LIFE;
        let rows = self.store.keys().await?;
        let gone = rows.into_iter().filter(|row| row.kind == own || stale(row));
        let changes: Vec<Change> =
            gone.map(|row| Change::DropKey { kind: row.kind, generation: row.generation }).collect();
        if changes.is_empty() { Ok(()) } else { self.commit(changes, Vec::new()).await }
    }

    /// Destroys the keys of names that are not wanted any more, once their certificates have ended: another node may still want
    /// them while it has an older configuration.
    pub(super) async fn drop_spent(&self, contents: &Contents, hosts: &[String], now: Timestamp) -> Result<(), Fault> {
        let spent = |(host, kept): &(&String, &Kept<Certificate>)| !hosts.contains(host) && kept.value.ends_at <= now;
        let drop = |(host, kept): (&String, &Kept<Certificate>)| Change::DropKey {
            kind: format!("{CERTIFICATE}{host}"),
            generation: kept.generation,
        };
        let changes: Vec<Change> = contents.certificates.iter().filter(spent).map(drop).collect();
        if changes.is_empty() { Ok(()) } else { self.commit(changes, Vec::new()).await }
    }

    /// Records an attempt that failed.
    pub(super) async fn record(&self, event: AuditEvent) -> Result<(), Fault> {
        self.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(())
    }

    /// The next generation, and away with the one before.
    async fn replace(
        &self,
        kind: &str,
        plain: &[u8],
        (before, now): (Option<u32>, Timestamp),
        events: Vec<AuditEvent>,
    ) -> Result<(), Fault> {
        let generation = before.map_or(1, |before| before.saturating_add(1));
        let mut changes = vec![Change::PutKey(self.sealed(kind, generation, plain, now)?)];
        changes.extend(before.map(|generation| Change::DropKey { kind: kind.to_owned(), generation }));
        self.commit(changes, events).await
    }

    fn sealed(&self, kind: &str, generation: u32, plain: &[u8], now: Timestamp) -> Result<KeyRow, Fault> {
        self.kek.seal_item(kind, generation, plain, now).map_err(|why| Fault::Key(why.to_string()))
    }

    async fn commit(&self, mut changes: Vec<Change>, events: Vec<AuditEvent>) -> Result<(), Fault> {
        changes.push(Change::PutSetting { name: CHANGED.to_owned(), value: random::<16>().to_vec() });
        self.store.commit(Batch { changes, events, ..Batch::default() }).await?;
        Ok(())
    }
}

impl CertificateRecord {
    fn open(self) -> Option<Certificate> {
        let key = STANDARD.decode(Zeroizing::new(self.key).as_bytes()).ok()?;
        Some(Certificate {
            directory: self.directory,
            chain: self.chain,
            key: PrivatePkcs8KeyDer::from(key),
            issued_at: Timestamp::from_millis(self.issued_at),
            ends_at: Timestamp::from_millis(self.ends_at),
        })
    }
}

fn json(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Fault> {
    serde_json::to_vec(value).map(Zeroizing::new).map_err(|why| Fault::Key(why.to_string()))
}

fn sha256(text: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests;
