//! Every kind of letter as it reads, and the course of things over a real store with a way that only notes.

use super::letter::Proof;
use super::words::{Rendered, Words};
use super::*;
use crate::clock::{Clock, TimeSource};
use crate::kernel::journal::mail::{MailChange, OutboxRow};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::values::{AccountId, Language, OrgName, Origin, ProductName, Secret, Timestamp};
use crate::keys::{Kek, Keys, Kind};
use crate::language::Languages;
use crate::seeing::Seeing;
use crate::store::{Sqlite, Store};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn start() -> Timestamp {
    Timestamp::from_seconds(1_795_340_000)
}

fn keys() -> Keys {
    let kek = Kek::new([7; 32]);
    let rows = Keys::missing(&kek, &[], &Kind::EVERYWHERE, start(), &mut || [9; 32]).unwrap();
    Keys::open(&kek, &rows).unwrap()
}

fn proof(link: Option<&str>) -> Proof {
    let secret = |text: &str| Secret::new(text.to_owned());
    Proof { code: secret("40125839"), link: link.map(secret) }
}

/// One of each kind, some in all their forms.
fn samples() -> Vec<(&'static str, Letter)> {
    let (org, product) = (OrgName::parse("acme").unwrap(), ProductName::parse("trello").unwrap());
    let (at, until) = (start(), start().plus(15 * MINUTE));
    let person = address("ann@acme.com");
    let link = || proof(Some("/login/reset?token=Zm9v"));
    let domain = |trouble| Letter::Domain { org: org.clone(), domain: "acme.com".to_owned(), trouble };
    let managed = |managed| Letter::Managed { org: org.clone(), address: person.clone(), managed };
    let key = |ended| Letter::KeyExpiry { org: org.clone(), directory: "acme/okta".to_owned(), at, ended };
    let moved = |by_login| Letter::Moved {
        product: product.clone(),
        provider: "Atlassian".to_owned(),
        kept: person.clone(),
        by_login,
    };
    let deadline = |passed| Letter::Deadline { product: product.clone(), provider: "Atlassian".to_owned(), at, passed };
    let announcement = |text: &str| Letter::Announcement { org: org.clone(), at, text: text.to_owned() };
    vec![
        ("managed", managed(true)),
        ("merged", Letter::Merged { product: product.clone(), provider: "Atlassian".to_owned() }),
        ("managed-no-longer", managed(false)),
        (
            "move-requested",
            Letter::MoveRequested {
                product: product.clone(),
                enterprise: "Big Company".to_owned(),
                provider: "Atlassian".to_owned(),
            },
        ),
        ("address-retired", Letter::AddressRetired { product: product.clone(), kept: address("ann@gmail.com") }),
        ("address-change", Letter::AddressChange { product: product.clone(), wanted: address("new@acme.com"), at }),
        ("deactivated", Letter::Deactivated { org: Some(org.clone()) }),
        ("deactivated-by-nobody", Letter::Deactivated { org: None }),
        ("deletion-scheduled", Letter::DeletionScheduled { org: Some(org.clone()), at }),
        ("key-expiry", key(false)),
        ("key-expired", key(true)),
        ("provider-key", Letter::ProviderKey { org: org.clone(), directory: "acme/okta".to_owned(), at }),
        ("domain-at-risk", domain(DomainTrouble::AtRisk(at))),
        ("domain-suspended", domain(DomainTrouble::Suspended(at))),
        ("domain-lost", domain(DomainTrouble::Lost)),
        ("domain-recovered", domain(DomainTrouble::Recovered)),
        ("domain-disputed", domain(DomainTrouble::Disputed)),
        ("domain-settled", domain(DomainTrouble::Settled)),
        (
            "break-glass",
            Letter::BreakGlass {
                org: org.clone(),
                person: address("root@acme.com"),
                at,
                address: "203.0.113.9".to_owned(),
            },
        ),
        ("announcement", announcement("We move to Okta.\nAsk <b>IT</b> & friends\u{202e}!")),
        ("announcement-without-text", announcement("")),
        ("reset", Letter::Reset { product: product.clone(), proof: link(), until }),
        ("mailbox-proof", Letter::MailboxProof { product: product.clone(), proof: link(), until }),
        ("step-proof", Letter::StepProof { proof: Proof { link: None, ..link() }, until }),
        ("factor-enrolled", Letter::FactorEnrolled { factor: Factor::Passkey, at }),
        ("factor-removed", Letter::FactorRemoved { factor: Factor::RecoveryCodes, at }),
        ("moved-by-login", moved(true)),
        ("moved", moved(false)),
        ("deadline", deadline(false)),
        ("deadline-passed", deadline(true)),
        (
            "owner-proof",
            Letter::OwnerProof {
                product: product.clone(),
                provider: "Atlassian".to_owned(),
                identity: "ann@gmail.com".to_owned(),
                proof: proof(None),
                until,
            },
        ),
        ("quarantined", Letter::Quarantined { product: product.clone(), at }),
        ("relinked", Letter::Relinked { org: org.clone(), provider: "Acme login".to_owned(), at }),
        ("token-made", Letter::TokenMade { product: product.clone(), at }),
        ("password-changed", Letter::PasswordChanged { product, at }),
        ("sessions-ended", Letter::SessionsEnded { count: 1, at }),
        ("sessions-ended-many", Letter::SessionsEnded { count: 3, at }),
        ("set-up-code", Letter::SetUpCode { org: org.clone(), proof: proof(None), until }),
        ("set-up-reused", Letter::SetUpReused { org, at }),
    ]
}

fn spoken() -> Arc<Languages> {
    Arc::new(Languages::shipped(&[]).unwrap())
}

fn rendered(letter: &Letter) -> Rendered {
    let words = Words::new(spoken()).unwrap();
    words
        .render((letter.kind(), &letter.facts()), letter.proof(), ("https://id.example.com", &Language::english()))
        .unwrap()
}

#[test]
fn every_kind_reads_as_recorded() {
    for (name, letter) in samples() {
        let mail = rendered(&letter);
        insta::assert_snapshot!(name, format!("Subject: {}\n\n{}", mail.subject, *mail.text));
    }
    for name in ["reset", "announcement"] {
        let (_, letter) = samples().into_iter().find(|(known, _)| *known == name).unwrap();
        insta::assert_snapshot!(format!("{name}-html"), *rendered(&letter).html);
    }
}

#[test]
fn a_code_is_in_the_mail_and_not_in_its_subject() {
    for (name, letter) in samples().iter().filter(|(_, letter)| letter.proof().is_some()) {
        let mail = rendered(letter);
        assert!(mail.text.contains("40125839") && mail.html.contains("40125839"), "{name}");
        assert!(!mail.subject.contains("40125839"), "{name}: locked screens show subjects");
    }
}

#[test]
fn m26_what_others_wrote_stays_text() {
    let hostile = "<script>\u{202e}x\r\nSubject: y [link: z]\n\n[code]\n\n{{ org }}".to_owned();
    let letter = Letter::Announcement { org: OrgName::parse("acme").unwrap(), at: start(), text: hostile };
    let mail = rendered(&letter);
    assert!(mail.html.contains("&lt;script&gt;") && !mail.html.contains("<script>"), "{}", *mail.html);
    for part in [&*mail.text, &*mail.html] {
        assert!(!part.contains('\u{202e}') && part.contains("\\u{202e}"), "{part}");
        assert!(part.contains("[code]") && part.contains("{{ org }}"), "filled in once: {part}");
    }
    assert!(mail.text.contains("\n> Subject: y [link: z]\n"), "{}", *mail.text);
    assert_eq!(mail.subject.lines().count(), 1);
}

#[test]
fn h1_links_lead_to_the_login_host_alone() {
    let product = ProductName::parse("trello").unwrap();
    let check = |link: &str, goes: bool| {
        let letter = Letter::Reset { product: product.clone(), proof: proof(Some(link)), until: start() };
        let queued = queue(&keys(), start(), &[(address("ann@acme.com"), letter)], None);
        assert_eq!(queued.is_ok(), goes, "{link}");
    };
    check("/login/reset?token=abc", true);
    for link in ["", "https://evil.example/", "//evil.example", "/a b", "/a\"b", "/a\nb", "/\\evil", "login", "/a<b"] {
        check(link, false);
    }
}

#[test]
fn m13_a_masked_address_shows_two_letters() {
    assert_eq!(mask(&address("ann@gmail.com")), "a•••@g•••");
    assert_eq!(mask(&address("z@x.example")), "z•••@x•••");
}

/// A clock that a test moves.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl TimeSource for Hand {
    fn wall_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Duration {
        Duration::ZERO
    }
}

/// Notes what it was given, and answers as told.
#[derive(Clone, Default)]
struct Noted {
    mails: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Option<Undelivered>>>,
}

#[async_trait]
impl Transport for Noted {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        self.mails.lock().unwrap().push(String::from_utf8(message.mail.formatted()).unwrap());
        self.answer.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

struct World {
    hand: Hand,
    store: Arc<dyn Store>,
    way: Noted,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hand = Hand(Arc::new(AtomicI64::new(start().millis())));
        let clock = Clock::from_source(Arc::new(hand.clone()));
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&folder.path().join("fedgate.db"), clock).unwrap());
        Self { hand, store, way: Noted::default(), folder }
    }

    fn post(&self) -> Arc<Post> {
        let (store, seeing) = (Arc::clone(&self.store), Seeing::new());
        let ports = Ports {
            store,
            keys: keys(),
            clock: Clock::from_source(Arc::new(self.hand.clone())),
            seeing,
            languages: spoken(),
        };
        let transport = Box::new(self.way.clone());
        let login = Origin::parse("id.example.com").unwrap();
        Arc::new(Post::new(ports, Setup { transport, from: address("login@example.com"), login }).unwrap())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.hand.wall_millis())
    }

    fn pass(&self, span: Duration) {
        self.hand.0.store(self.now().plus(span).millis(), Ordering::SeqCst);
    }

    async fn queue(&self, letter: Letter) {
        let change = queue(&keys(), self.now(), &[(address("ann@acme.com"), letter)], None).unwrap();
        self.store.commit(Batch { changes: vec![change], ..Batch::default() }).await.unwrap();
    }

    async fn reset(&self) {
        let product = ProductName::parse("trello").unwrap();
        let until = self.now().plus(15 * MINUTE);
        self.queue(Letter::Reset { product, proof: proof(Some("/login/reset?token=Zm9v")), until }).await;
    }

    fn sent(&self) -> usize {
        self.way.mails.lock().unwrap().len()
    }

    fn answer(&self, answer: Option<Undelivered>) {
        *self.way.answer.lock().unwrap() = answer;
    }

    async fn row(&self) -> OutboxRow {
        self.store.mail_due(self.now().plus(100 * 24 * 60 * MINUTE), 1).await.unwrap().remove(0)
    }
}

fn run(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[test]
fn a_letter_is_sent_once_and_leaves_nothing() {
    run(async {
        let world = World::new();
        world.reset().await;
        let (one, other) = (world.post(), world.post());
        let (first, second) = tokio::join!(one.turn(), other.turn());
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(world.sent(), 1, "two nodes");
        assert_eq!(one.turn().await, Ok(0));
        let mail = world.way.mails.lock().unwrap()[0].clone();
        for line in ["From: login@example.com\r\n", "To: ann@acme.com\r\n", "Auto-Submitted: auto-generated\r\n"] {
            assert!(mail.contains(line), "{line} in {mail}");
        }
        assert!(mail.contains("Date: Sun, 22 Nov 2026") && mail.contains("@id.example.com>\r\n"), "{mail}");
        assert!(mail.contains("https://id.example.com/login/reset?token=3DZm9v"), "{mail}");
        assert_eq!(world.store.mail_count().await.unwrap().waiting, 0);
    });
}

#[test]
fn h12_the_store_holds_no_code_and_no_link() {
    run(async {
        let world = World::new();
        world.reset().await;
        world.store.close().await;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(world.folder.path()).unwrap() {
            found.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        let holds = |text: &str| found.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(holds("ann@acme.com"), "the file was read");
        assert!(!holds("40125839") && !holds("Zm9v") && !holds("Choose a new password"));
    });
}

#[test]
fn a_refusal_for_now_is_tried_again_under_the_same_id_until_the_code_is_dead() {
    run(async {
        let world = World::new();
        world.reset().await;
        world.answer(Some(Undelivered::Later("421 busy".to_owned())));
        let post = world.post();
        let mut last = world.now();
        while world.store.mail_count().await.unwrap().waiting > 0 {
            let before = world.sent();
            post.turn().await.unwrap();
            if world.sent() > before {
                last = world.now();
            }
            world.pass(Duration::from_secs(1));
        }
        let end = start().plus(15 * MINUTE);
        assert!(end.since(last) < Duration::from_secs(12), "the last try was {:?} before the end", end.since(last));
        assert!((6..40).contains(&world.sent()), "{} tries", world.sent());
        let id = |mail: &String| mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned();
        let mut ids: Vec<String> = world.way.mails.lock().unwrap().iter().map(id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let dead = world.store.mail_dead(9).await.unwrap();
        assert_eq!((dead.len(), dead[0].kind.as_str()), (1, "reset"));
    });
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    run(async {
        let world = World::new();
        world.reset().await;
        world.answer(Some(Undelivered::Never("550 no such mailbox".to_owned())));
        world.post().turn().await.unwrap();
        world.pass(MINUTE);
        world.post().turn().await.unwrap();
        assert_eq!(world.sent(), 1);
        assert_eq!(world.store.mail_dead(9).await.unwrap()[0].fault, "550 no such mailbox");
    });
}

#[test]
fn what_is_too_late_is_not_sent() {
    run(async {
        let world = World::new();
        world.reset().await;
        world.pass(15 * MINUTE);
        world.post().turn().await.unwrap();
        assert_eq!((world.sent(), world.store.mail_count().await.unwrap().dead), (0, 1));
    });
}

#[test]
fn a_node_that_died_leaves_its_letter_to_the_others() {
    run(async {
        let world = World::new();
        world.reset().await;
        let row = world.row().await;
        let lease = MailChange::Lease { id: row.id, attempts: 0, until: world.now().plus(2 * MINUTE) };
        world.store.commit(Batch { changes: vec![Change::Mail(lease)], ..Batch::default() }).await.unwrap();
        world.post().turn().await.unwrap();
        assert_eq!(world.sent(), 0);
        world.pass(2 * MINUTE);
        world.post().turn().await.unwrap();
        assert_eq!(world.sent(), 1);
    });
}

/// A row as somebody with the database could write it.
fn h12_forged(change: impl FnOnce(&mut OutboxRow)) {
    run(async {
        let world = World::new();
        world.reset().await;
        let mut row = world.row().await;
        world
            .store
            .commit(Batch { changes: vec![Change::Mail(MailChange::Sent { id: row.id })], ..Batch::default() })
            .await
            .unwrap();
        change(&mut row);
        let forged = MailChange::Queue { letters: vec![(row, Vec::new())], limits: Vec::new() };
        world.store.commit(Batch { changes: vec![Change::Mail(forged)], ..Batch::default() }).await.unwrap();
        world.post().turn().await.unwrap();
        assert_eq!((world.sent(), world.store.mail_count().await.unwrap().dead), (0, 1));
        let log = world.store.log(0, 9).await.unwrap();
        assert!(String::from_utf8_lossy(&log[0].bytes).contains("integrity.violated"), "the alarm");
    });
}

#[test]
fn h12_a_letter_turned_to_another_recipient_is_not_sent() {
    h12_forged(|row| row.to = address("mallory@evil.example"));
}

#[test]
fn h12_a_letter_with_another_text_is_not_sent() {
    h12_forged(|row| row.parameters = row.parameters.replace("trello", "call-us"));
    h12_forged(|row| row.kind = "mailbox-proof".to_owned());
}

#[test]
fn h12_a_dead_code_is_not_brought_back() {
    h12_forged(|row| row.until = row.until.plus(MINUTE));
}

#[test]
fn h12_a_secret_of_one_letter_does_not_open_in_another() {
    h12_forged(|row| row.id = crate::kernel::values::MailId::from_bytes([1; 16]));
}

#[test]
fn m13_a_recipient_gets_few_codes_in_an_hour() {
    run(async {
        let world = World::new();
        for _ in 0..9 {
            world.reset().await;
        }
        world.post().turn().await.unwrap();
        assert_eq!((world.sent(), world.store.mail_count().await.unwrap().dropped), (5, 4));
        world.pass(61 * MINUTE);
        world.reset().await;
        world.post().turn().await.unwrap();
        assert_eq!(world.sent(), 6);
    });
}

#[test]
fn t18_a_retired_address_is_told_once_a_day_and_three_times_a_week() {
    run(async {
        let world = World::new();
        let person = AccountId::from_bytes([3; 16]);
        let product = ProductName::parse("trello").unwrap();
        let tell = async || {
            let letter = || Letter::AddressRetired { product: product.clone(), kept: address("ann@acme.com") };
            let both = [(address("ann@acme.com"), letter()), (address("old@acme.com"), letter())];
            let change = queue(&keys(), world.now(), &both, Some(person)).unwrap();
            world.store.commit(Batch { changes: vec![change], ..Batch::default() }).await.unwrap();
            world.post().turn().await.unwrap();
            world.sent()
        };
        let mut sent = Vec::new();
        for _ in 0..7 {
            sent.push(tell().await);
            world.pass(12 * 60 * MINUTE + MINUTE);
        }
        assert_eq!(sent, [2, 2, 4, 4, 6, 6, 6], "both addresses, every 24 hours, three times");
    });
}

#[test]
fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    run(async {
        let world = World::new();
        world.reset().await;
        let folder = world.folder.path().join("outbox");
        let post = world.post();
        let login = Origin::parse("id.example.com").unwrap();
        let transport = Box::new(Files::new(folder.clone()));
        post.replace(Setup { transport, from: address("login@example.com"), login });
        post.turn().await.unwrap();
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1);
        assert!(std::fs::read_to_string(&files[0]).unwrap().contains("40125839"));
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&files[0]), mode(&folder), files[0].extension().unwrap().to_str()),
            (0o600, 0o700, Some("eml"))
        );
    });
}
