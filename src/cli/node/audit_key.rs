//! The audit log's key lives a day (rule H13): its successor is named in its last statement, and then it is destroyed, so that
//! whoever steals a key cannot rewrite what was before it.
//!
//! The public keys stand in `state/audit.pub`, oldest first. Verification begins with the first line, so a copy of it belongs
//! somewhere that nobody who can write to the store can write to.

use super::NotStarted;
use crate::audit::{CheckpointError, Log, Pen, Pens, Signer, VerifyingKey};
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::journal::{Batch, Change, KeyRow, Revocation};
use crate::kernel::values::Origin;
use crate::keys::{Kek, Keys, Kind};
use crate::store::{NotCommitted, Store, Unavailable};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a key signs.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// The setting that holds the log's name.
const NAME: &str = "audit_log";
/// How often its age is looked at; a key is never older than both together while the store answers.
const LOOK: Duration = Duration::from_secs(600);

/// The file of the public keys.
pub(crate) fn file(state: &Path) -> PathBuf {
    state.join("audit.pub")
}

/// Adds a public key to the file unless it stands there. Whether the file is new.
pub(super) fn publish(path: &Path, key: &VerifyingKey) -> io::Result<bool> {
    let line = key.to_string();
    let known = match std::fs::read_to_string(path) {
        Ok(known) => known,
        Err(why) if why.kind() == io::ErrorKind::NotFound => String::new(),
        Err(why) => return Err(why),
    };
    if known.lines().any(|known| known == line) {
        return Ok(false);
    }
    let mut file = OpenOptions::new().create(true).append(true).mode(0o644).open(path)?;
    // One write, so that a line is there whole or not at all.
    let newline = if known.is_empty() || known.ends_with('\n') { "" } else { "\n" };
    file.write_all(format!("{newline}{line}\n").as_bytes())?;
    file.sync_all()?;
    Ok(known.is_empty())
}

/// The name that the log signs under: the login host at its first start. It stays when that changes, or what was signed before
/// would be another log's.
pub(super) async fn log_name(store: &dyn Store, login: &Origin) -> Result<String, NotStarted> {
    let stored = store.setting(NAME).await.map_err(|why| NotStarted::new("the audit log's name", &why))?;
    if let Some(name) = stored.and_then(|bytes| String::from_utf8(bytes).ok()) {
        return Ok(name);
    }
    let name = login.to_string();
    let value = name.clone().into_bytes();
    let batch = Batch { changes: vec![Change::PutSetting { name: NAME.to_owned(), value }], ..Batch::default() };
    store.commit(batch).await.map_err(|why| NotStarted::new("the audit log's name", &why))?;
    Ok(name)
}

/// The newest key at each statement: another node may have replaced the one before.
pub(super) fn pens(keys: &Keys, name: &str) -> Pens {
    let (keys, name) = (keys.clone(), name.to_owned());
    Box::new(move || pen(&keys, &name).map_err(|why| why.to_string()))
}

/// The signer of checkpoints with the newest key.
pub(super) fn pen(keys: &Keys, name: &str) -> Result<Pen, NotStarted> {
    let (generation, key) = keys.audit_signer();
    let public = key.public_key();
    // A signature that cannot be made is all zeros, which no verifier accepts.
    let sign = Arc::new(move |bytes: &[u8]| key.sign(bytes).unwrap_or([0; 64]));
    let signer = Signer::new(name, public, sign).map_err(|why| NotStarted::new("the audit log's key", &why))?;
    Ok(Pen { kind: Kind::Audit.to_string(), generation, signer })
}

/// What a change of keys needs.
pub(super) struct AuditKey {
    pub store: Arc<dyn Store>,
    pub kek: Kek,
    pub keys: Keys,
    pub clock: Clock,
    /// See [`log_name`].
    pub name: String,
    /// See [`file`].
    pub file: PathBuf,
}

impl AuditKey {
    /// Replaces the key each day, until stopped.
    pub(super) async fn keep_young(self, log: Arc<Log>, stop: CancellationToken) {
        loop {
            match self.replace_if_old(&log).await {
                Ok(true) => tracing::info!("the audit log has a new key; the old one signed for it and is destroyed"),
                Ok(false) => {}
                Err(why) => tracing::error!(%why, "the audit log keeps its old key"),
            }
            if let Err(why) = self.publish_newest() {
                tracing::error!(%why, "audit.pub lacks the newest key");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Writes down what another node made too.
    fn publish_newest(&self) -> Result<(), NotStarted> {
        let newest = pen(&self.keys, &self.name)?;
        let published = publish(&self.file, newest.signer.key());
        published.map(|_| ()).map_err(|why| NotStarted::new("audit.pub cannot be written", &why))
    }

    /// Replaces the key if it has signed for a day. Whether it did; of several nodes one does.
    async fn replace_if_old(&self, log: &Log) -> Result<bool, NotStarted> {
        let unread = |why: Unavailable| NotStarted::new("the keys cannot be read", &why);
        let kind = Kind::Audit.to_string();
        let (old, others): (Vec<KeyRow>, Vec<KeyRow>) =
            self.store.keys().await.map_err(unread)?.into_iter().partition(|row| row.kind == kind);
        let now = self.clock.now();
        let newest = old.iter().max_by_key(|row| row.generation);
        let Some(newest) = newest.filter(|row| now.since(row.created_at) >= LIFE) else { return Ok(false) };
        let generation = newest.generation.saturating_add(1);
        let next = Keys::next(&self.kek, Kind::Audit, generation, now, &mut || random())
            .map_err(|why| NotStarted::new("no new key", &why))?;
        let opened: Vec<KeyRow> = others.into_iter().chain([next.clone()]).collect();
        let opened = Keys::open(&self.kek, &opened).map_err(|why| NotStarted::new("the new key", &why))?;
        let signer = pen(&opened, &self.name)?.signer;
        let mut batch = Batch { revocations: vec![Revocation::Keys], ..Batch::default() };
        batch.changes.push(Change::PutKey(next));
        let dropped = |row: &KeyRow| Change::DropKey { kind: row.kind.clone(), generation: row.generation };
        batch.changes.extend(old.iter().map(dropped));
        match log.succeed(&signer, batch).await {
            Ok(_) => {}
            Err(CheckpointError::Store(NotCommitted::Conflict(_))) => return Ok(false),
            Err(why) => return Err(NotStarted::new("the old key did not sign", &why)),
        }
        // Read again: a reload may have added keys meanwhile.
        let rows = self.store.keys().await.map_err(unread)?;
        self.keys.reopen(&self.kek, &rows).map_err(|why| NotStarted::new("the new key cannot be used", &why))?;
        self.publish_newest()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::verify_store;
    use crate::clock::TimeSource;
    use crate::store;
    use std::sync::atomic::{AtomicI64, Ordering};

    /// A clock that the test moves.
    struct Moved(Arc<AtomicI64>);

    impl TimeSource for Moved {
        fn wall_millis(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }
        fn since_boot(&self) -> Duration {
            Duration::ZERO
        }
    }

    const DAY: i64 = 24 * 3_600_000;

    #[tokio::test]
    async fn h13_a_key_lives_a_day_and_its_successor_follows_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store::open("sqlite:fedgate.db", folder.path()).unwrap();
        let millis = Arc::new(AtomicI64::new(DAY));
        let clock = Clock::from_source(Arc::new(Moved(Arc::clone(&millis))));
        let kek = Kek::create(&folder.path().join("kek"), [7; 32]).unwrap();
        let rows = Keys::missing(&kek, &[], &Keys::wanted([]), clock.now(), &mut || random()).unwrap();
        let keys = Keys::open(&kek, &rows).unwrap();
        let made = rows.into_iter().map(Change::PutKey).collect();
        store.commit(Batch { changes: made, ..Batch::default() }).await.unwrap();
        let login = Origin::parse("id.example.com").unwrap();
        let name = log_name(store.as_ref(), &login).await.unwrap();
        let first_key = pen(&keys, &name).unwrap().signer.key().clone();
        let file = file(folder.path());
        assert!(publish(&file, &first_key).unwrap() && !publish(&file, &first_key).unwrap());
        let log = Log::new(Arc::clone(&store), clock.clone(), "one", pens(&keys, &name));
        let key = AuditKey { store: Arc::clone(&store), kek, keys, clock, name, file };
        millis.store(2 * DAY - 1, Ordering::SeqCst);
        assert!(!key.replace_if_old(&log).await.unwrap(), "it is not a day old");
        for day in 2..=3 {
            millis.store(day * DAY, Ordering::SeqCst);
            assert!(key.replace_if_old(&log).await.unwrap());
            log.checkpoint().await.unwrap();
        }
        let kinds = store.keys().await.unwrap().into_iter().filter(|row| row.kind == "audit");
        assert_eq!(kinds.map(|row| row.generation).collect::<Vec<_>>(), [3], "old ones are destroyed");
        let public: Vec<_> = std::fs::read_to_string(&key.file).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((public.len(), public[0].as_str()), (3, first_key.to_string().as_str()));
        let now = key.clock.now();
        let verdict = verify_store(store.as_ref(), &[first_key], None, now).await.unwrap();
        assert!(verdict.is_consistent() && verdict.signed == verdict.size, "{verdict}");
        let last = VerifyingKey::parse(&public[2]).unwrap();
        let verdict = verify_store(store.as_ref(), &[last], None, now).await.unwrap();
        assert!(!verdict.is_consistent(), "a later key says nothing about what was before it");
    }

    #[tokio::test]
    async fn the_log_keeps_its_name_when_the_login_host_changes() {
        let folder = tempfile::tempdir().unwrap();
        let store = store::open("sqlite:fedgate.db", folder.path()).unwrap();
        for login in ["id.example.com", "login.example.com"] {
            let name = log_name(store.as_ref(), &Origin::parse(login).unwrap()).await.unwrap();
            assert_eq!(name, "id.example.com");
        }
    }
}
