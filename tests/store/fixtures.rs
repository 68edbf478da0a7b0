//! Rows for the suite. Numbers make ids, so that a case reads as a story about 1, 2 and 3.

use fedgate::kernel::event::{Action, AuditEvent, Outcome};
use fedgate::kernel::journal::{Batch, Change, MarkKind, ReplayMark};
use fedgate::kernel::model::{
    Account, AccountStatus, IdentityKey, LinkedBy, LinkedIdentity, LoginSession, Method, ProductAccount,
    ProductAccountState, ProductSession, SubjectSource,
};
use fedgate::kernel::values::{
    AccountId, Device, DirectoryId, EmailAddress, EventId, LoginSessionId, Origin, ProductAccountId, ProductName,
    ProductSessionId, Reference, SessionKey, Timestamp,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// An hour, the suite's usual span.
pub const HOUR: Duration = Duration::from_secs(3600);

/// A folder that goes when the test does.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(fault) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {fault}", self.0.display());
        }
    }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

pub fn bytes(number: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[15] = number;
    bytes
}

#[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
pub fn now() -> Timestamp {
    Timestamp::from_millis(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap())
}

pub fn product() -> ProductName {
    ProductName::parse("board").unwrap()
}

pub fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub fn person(number: u8) -> AccountId {
    AccountId::from_bytes(bytes(number))
}

pub fn login(number: u8) -> LoginSessionId {
    LoginSessionId::from_bytes(bytes(number))
}

pub fn account(number: u8) -> Account {
    Account {
        id: person(number),
        status: AccountStatus::Active,
        email: Some(email("ann@acme.com")),
        email_verified: true,
        email_proved_at: Some(Timestamp::from_seconds(5)),
        name: Some("Ann".to_owned()),
        epoch: 1,
        created_at: Timestamp::from_seconds(4),
        last_login_at: None,
    }
}

pub fn product_account(number: u8, account: u8) -> ProductAccount {
    ProductAccount {
        id: ProductAccountId::from_bytes(bytes(number)),
        product: product(),
        account: person(account),
        sub: format!("fg_{number}"),
        state: ProductAccountState::Linked,
        off: false,
        created_at: Timestamp::from_seconds(6),
        enterprise: None,
        off_by: None,
        asked_at: None,
    }
}

pub fn link(directory: u8, subject: &str, account: u8) -> LinkedIdentity {
    LinkedIdentity {
        key: IdentityKey {
            directory: DirectoryId::from_bytes(bytes(directory)),
            source: SubjectSource("sub".to_owned()),
            subject: subject.to_owned(),
        },
        account: person(account),
        by: LinkedBy::FirstLogin,
        linked_at: Timestamp::from_seconds(7),
        suspended: false,
    }
}

pub fn login_session(number: u8, account: u8) -> LoginSession {
    LoginSession {
        id: login(number),
        key: SessionKey([number; 32]),
        account: person(account),
        directory: DirectoryId::from_bytes(bytes(1)),
        method: Method::OrgSso,
        amr: vec!["mfa".to_owned(), "a \"quoted\" one".to_owned()],
        groups: Vec::new(),
        auth_time: now(),
        browser: bytes(9),
        provider_session: Some("sid".to_owned()),
        logout_hint: Some(vec![0, 1, 255]),
        name_key: Some([number; 32]),
        created_at: now(),
        last_seen: now(),
        idle_millis: u64::MAX,
        abs_at: now().plus(HOUR),
        account_epoch: 1,
        ask_before: vec![product()],
        confined_to: None,
        stepped_at: None,
        device: Some(Device::of("Firefox/128.0 (X11; Linux)")),
        grant: None,
        personal: None,
        mac: [3; 32],
    }
}

pub fn product_session(number: u8, parent: u8, account: u8) -> ProductSession {
    ProductSession {
        id: ProductSessionId::from_bytes(bytes(number)),
        key: SessionKey([number; 32]),
        parent: login(parent),
        product: product(),
        host: Origin::parse("board.example.com:8443").unwrap(),
        account: person(account),
        product_account: ProductAccountId::from_bytes(bytes(account)),
        created_at: now(),
        last_seen: now(),
        idle_millis: 60_000,
        abs_at: now().plus(HOUR),
        account_epoch: 1,
        mac: [4; 32],
    }
}

pub fn mark(number: u8, until: Timestamp) -> ReplayMark {
    ReplayMark { kind: MarkKind::State, digest: [number; 32], until }
}

pub fn event(number: u64) -> AuditEvent {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    let id = EventId::mint(now(), random);
    let event = AuditEvent::new(id, now(), Action::LoginSucceeded, Outcome::Success);
    event.with_reference(Reference::new([0, 0, 0, 0, u8::try_from(number % 256).unwrap()]))
}

pub fn changes(changes: impl IntoIterator<Item = Change>) -> Batch {
    Batch { changes: changes.into_iter().collect(), ..Batch::default() }
}

/// Person `n` with product account `n`, for n in 1..=3; logins 1 and 2 of person 1, product sessions 1 and 2 below them.
pub fn world() -> Batch {
    let mut batch = Batch::default();
    for number in 1..=3 {
        batch.changes.push(Change::CreateAccount(account(number)));
        batch.changes.push(Change::CreateProductAccount(product_account(number, number)));
    }
    for number in 1..=2 {
        batch.changes.push(Change::CreateLoginSession(login_session(number, 1)));
        batch.changes.push(Change::CreateProductSession(product_session(number, number, 1)));
    }
    batch
}
