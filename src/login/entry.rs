//! What is kept in memory of a live session: its answer, and until when that holds. Its rows stay in the store: a million sessions
//! must fit.

use super::ticket::sha256;
use crate::kernel::live::{Live as Standing, LiveFacts, Whence, live};
use crate::kernel::model::{Account, Catalog, LoginSession, ProductAccount, ProductSession};
use crate::kernel::values::{EmailAddress, OrgName, Origin, SessionKey, Timestamp};
use crate::web::{Ask, LiveSession};
use arc_swap::ArcSwapOption;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// The rows of a session, their MACs checked.
pub(super) struct Rows {
    pub(super) session: ProductSession,
    pub(super) login: LoginSession,
    pub(super) account: Account,
    pub(super) record: ProductAccount,
    /// Proved addresses besides the account's live one (rule C3).
    pub(super) further: Vec<EmailAddress>,
}

impl Rows {
    /// Whether the session goes on, and where its person may come from; `None` when its product is not configured any more.
    pub(super) fn stand(&self, catalog: &Catalog, now: Timestamp) -> Option<(Standing, Whence)> {
        let product = catalog.products.get(&self.session.product)?;
        let facts = LiveFacts {
            now,
            catalog,
            product,
            login: &self.login,
            session: &self.session,
            account: &self.account,
            product_account: Some(&self.record),
            further: &self.further,
        };
        Some((live(&facts), Whence::of(&facts)))
    }
}

/// A session that was judged. The one place where it is kept; cache and registry point here.
pub(super) struct Entry {
    pub(super) live: Arc<LiveSession>,
    /// What it is found by.
    pub(super) key: SessionKey,
    /// Its latest possible end.
    pub(super) abs_at: Timestamp,
    /// Activity in the login session, shared by all its children here.
    pub(super) login_seen: Arc<AtomicI64>,
    pub(super) idle_millis: u64,
    /// When activity was last put down for the store.
    pub(super) written: AtomicI64,
    host: Origin,
    /// Which address the account had: only whether it is another one by now is ever asked.
    email: [u8; 16],
    /// The catalog that it was judged under, and until when that holds. [`BOUND`] where `whence` is to be asked.
    version: AtomicU64,
    until: AtomicI64,
    /// Where its person may come from; none for anywhere.
    whence: ArcSwapOption<Whence>,
}

/// Stands in `version`: what nobody limits costs a request nothing.
const BOUND: u64 = 1 << 63;

impl Entry {
    /// Whether rows that were read again say the same of whom the session is, and it has not ended.
    pub(super) fn is_same(&self, rows: &Rows, org: Option<&OrgName>) -> bool {
        let live = &self.live;
        !live.ended.is_cancelled()
            && live.org.as_ref() == org
            && self.key == rows.session.key
            && self.email == digest(rows.account.email.as_ref())
            && live.product_account == rows.record.id
    }

    /// Holds nothing yet.
    pub(super) fn new(live: Arc<LiveSession>, login_seen: Arc<AtomicI64>, rows: &Rows, host: &Origin) -> Self {
        let session = &rows.session;
        Self {
            live,
            key: session.key,
            abs_at: session.abs_at,
            login_seen,
            idle_millis: session.idle_millis,
            written: AtomicI64::new(session.last_seen.millis()),
            host: host.clone(),
            email: digest(rows.account.email.as_ref()),
            version: AtomicU64::new(u64::MAX),
            until: AtomicI64::new(0),
            whence: ArcSwapOption::empty(),
        }
    }

    /// Whether it was judged under a later catalog than this.
    pub(super) fn is_of_later(&self, catalog: &Catalog) -> bool {
        let version = self.version.load(Ordering::Acquire);
        version != u64::MAX && version & !BOUND > catalog.version
    }

    /// The answer under this catalog holds until then, for requests from there. One writer at a time: see
    /// [`Registry::holds`](super::registry::Registry::holds).
    pub(super) fn holds(&self, catalog: &Catalog, until: Timestamp, whence: Whence) {
        let bound = if whence.is_anywhere() { 0 } else { BOUND };
        self.whence.store((bound != 0).then(|| Arc::new(whence)));
        self.until.store(until.millis(), Ordering::Release);
        self.version.store(catalog.version | bound, Ordering::Release);
    }

    /// Whether its person may come from this address (rule M29).
    pub(super) fn admits(&self, client: IpAddr) -> bool {
        self.version.load(Ordering::Acquire) & BOUND == 0
            || self.whence.load().as_ref().is_some_and(|whence| whence.admits(client))
    }

    /// Whether it was judged under this catalog.
    pub(super) fn is_of(&self, catalog: &Catalog) -> bool {
        self.version.load(Ordering::Acquire) & !BOUND == catalog.version
    }

    /// Whether its answer holds now.
    pub(super) fn still_holds(&self, catalog: &Catalog, now: Timestamp) -> bool {
        self.is_of(catalog) && now.millis() < self.until.load(Ordering::Acquire)
    }

    /// Whether it is a session of the product and host that are asked for.
    pub(super) fn is_at(&self, ask: &Ask<'_>) -> bool {
        self.host == *ask.host && self.live.product == *ask.product
    }

    /// The last activity in it.
    pub(super) fn seen(&self) -> Timestamp {
        Timestamp::from_millis(self.live.last_seen.load(Ordering::Relaxed))
    }

    /// When its assertion was minted.
    pub(super) fn minted_at(&self) -> Timestamp {
        self.live.identity.load().minted_at
    }

    /// Whether a request or stream of it is open: something besides this entry holds it.
    pub(super) fn is_open(&self) -> bool {
        Arc::strong_count(&self.live) > 1
    }
}

fn digest(email: Option<&EmailAddress>) -> [u8; 16] {
    let mut digest = [0; 16];
    if let Some(email) = email {
        digest.copy_from_slice(&sha256(email.as_str().as_bytes())[..16]);
    }
    digest
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernel::values::{AccountId, LoginSessionId, ProductAccountId, ProductName, ProductSessionId};
    use crate::web::{End, Identity};
    use arc_swap::ArcSwap;

    /// A session with these ids (its own, its login's, its account's) that ends 100 s after the epoch.
    pub(in crate::login) fn entry(key: SessionKey, ids: [u8; 3], product: &str) -> Entry {
        let [sid, login, account] = ids;
        let said = ["signed", "", "", "", "", "", ""].map(str::to_owned);
        let identity = Identity::new(&said, vec![], Timestamp::from_seconds(1)).unwrap();
        let live = LiveSession {
            sid: ProductSessionId::from_bytes([sid; 16]),
            login: LoginSessionId::from_bytes([login; 16]),
            account: AccountId::from_bytes([account; 16]),
            product_account: ProductAccountId::from_bytes([account; 16]),
            product: ProductName::parse(product).unwrap(),
            org: None,
            proved_at: LiveSession::NEVER,
            identity: ArcSwap::from_pointee(identity),
            ended: End::default(),
            last_seen: AtomicI64::new(0),
        };
        Entry {
            live: Arc::new(live),
            key,
            abs_at: Timestamp::from_seconds(100),
            login_seen: Arc::default(),
            idle_millis: 0,
            written: AtomicI64::new(0),
            host: Origin::parse("host.example").unwrap(),
            email: digest(None),
            version: AtomicU64::new(u64::MAX),
            until: AtomicI64::new(0),
            whence: ArcSwapOption::empty(),
        }
    }

    #[test]
    fn what_is_kept_of_a_session_stays_small() {
        // Twice the counts of an `Arc`. A million of these must fit, and each field is a million fields.
        assert!(
            size_of::<Entry>() + size_of::<LiveSession>() + 32 <= 336,
            "{} {}",
            size_of::<Entry>(),
            size_of::<LiveSession>()
        );
    }
}
