//! Domains proved against real name servers and a web server, over a real store, with a clock that is moved (rule C6).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedgate::clock::{Clock, TimeSource};
use fedgate::dns::{Answer, Dns, DnsOptions, Said};
use fedgate::domains::{Asked, Contacts, Domains, Listed, NotDone, Ports, RECORD};
use fedgate::kernel::domain::{ClaimMode, NotClaimable, ProofMethod, State};
use fedgate::kernel::event::Actor;
use fedgate::kernel::journal::{Batch, Change, DomainRow, Revocation};
use fedgate::kernel::model::{Account, AccountStatus};
use fedgate::kernel::values::{AccountId, DomainName, EmailAddress, OrgName, Timestamp};
use fedgate::keys::{Kek, Keys, Kind};
use fedgate::outbound::{Outbound, OutboundOptions};
use fedgate::store::{Sqlite, Store};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

use super::support::authority::Authority;
use super::support::names::Names;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

fn org(name: &str) -> OrgName {
    OrgName::parse(name).expect("a name")
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).expect("a domain")
}

fn admin() -> Actor {
    Actor { kind: "person".to_owned(), id: None, address: Some("it@acme.com".to_owned()) }
}

/// Somebody with a proved address.
fn person(number: u8, address: &str) -> Change {
    Change::CreateAccount(Account {
        id: AccountId::from_bytes([number; 16]),
        status: AccountStatus::Active,
        email: Some(EmailAddress::parse(address).expect("an address")),
        email_verified: true,
        email_proved_at: None,
        name: None,
        epoch: 1,
        created_at: Timestamp::from_seconds(0),
        last_login_at: None,
    })
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

/// Everybody's admins are `it@ORG.example`.
struct Everybody;

impl Contacts for Everybody {
    fn admins(&self, org: &OrgName) -> Vec<EmailAddress> {
        vec![EmailAddress::parse(&format!("it@{org}.example")).expect("an address")]
    }

    fn operators(&self) -> Vec<EmailAddress> {
        vec![EmailAddress::parse("ops@gate.example").expect("an address")]
    }
}

/// Pages by host and path: the status, a `Location`, the body.
type Shelf = Arc<Mutex<HashMap<String, (u16, String, String)>>>;

/// A web server for `acme.example.test` and its `www`.
struct Pages {
    authority: Authority,
    address: SocketAddr,
    shelf: Shelf,
}

impl Pages {
    async fn start() -> Self {
        let authority = Authority::new();
        let leaf = authority.issue(&["acme.example.test", "www.acme.example.test"]);
        let chain = CertificateDer::pem_file_iter(&leaf.cert).expect("readable").map(|one| one.expect("a certificate"));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain.collect(), PrivateKeyDer::from_pem_file(&leaf.key).expect("a key"))
            .expect("a certificate with its key");
        let (tls, shelf) = (TlsAcceptor::from(Arc::new(config)), Shelf::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port of the loopback");
        let address = listener.local_addr().expect("bound");
        let kept = Arc::clone(&shelf);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, shelf) = (tls.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    let Ok(mut stream) = tls.accept(stream).await else { return };
                    let mut head = vec![0; 4_096];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    let answer = answer(&String::from_utf8_lossy(&head[..read]), &shelf);
                    // A client that has gone wants no answer.
                    let _written = stream.write_all(answer.as_bytes()).await;
                    let _closed = stream.shutdown().await;
                });
            }
        });
        Self { authority, address, shelf }
    }

    fn put(&self, page: &str, status: u16, location: &str, body: &str) {
        let page = (page.to_owned(), (status, location.to_owned(), body.to_owned()));
        self.shelf.lock().expect("not poisoned").extend([page]);
    }
}

fn answer(head: &str, shelf: &Shelf) -> String {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let host = head.lines().find_map(|line| line.to_lowercase().strip_prefix("host: ").map(str::to_owned));
    let page = format!("{}{path}", host.unwrap_or_default().trim());
    let (status, location, body) =
        shelf.lock().expect("not poisoned").get(&page).cloned().unwrap_or((404, String::new(), "none".to_owned()));
    let location = if location.is_empty() { location } else { format!("Location: {location}\r\n") };
    format!("HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// A gateway's part that proves domains.
struct World {
    names: Names,
    pages: Pages,
    hand: Hand,
    store: Arc<dyn Store>,
    domains: Arc<Domains>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let (names, pages) = (Names::start(&[]), Pages::start().await);
        let folder = tempfile::tempdir().expect("a temporary directory");
        let hand = Hand(Arc::new(AtomicI64::new(1_795_000_000_000)));
        let clock = Clock::from_source(Arc::new(hand.clone()));
        let store: Arc<dyn Store> =
            Arc::new(Sqlite::open(&folder.path().join("fedgate.db"), clock.clone()).expect("a store"));
        let kek = Kek::new([3; 32]);
        let rows = Keys::missing(&kek, &[], &Kind::EVERYWHERE, clock.now(), &mut || [5; 32]).expect("keys");
        let keys = Keys::open(&kek, &rows).expect("the keys open");
        let contacts = Arc::new(Everybody);
        let asked = asked(&names, &pages, &[names.own(), names.resolver()]);
        let domains = Arc::new(Domains::new(Ports { store: Arc::clone(&store), keys, clock, contacts }, asked));
        Self { names, pages, hand, store, domains, _folder: folder }
    }

    fn pass(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).expect("a span");
        self.hand.0.fetch_add(millis, Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.hand.wall_millis())
    }

    async fn add(&self, org_name: &str) -> Listed {
        self.domains.add(&org(org_name), &domain("acme.example.test"), ClaimMode::Auto, &admin()).await.expect("added")
    }

    async fn verify(&self, org_name: &str) -> Listed {
        self.domains.verify_now(&org(org_name), &domain("acme.example.test"), &admin()).await.expect("checked")
    }

    async fn state(&self, org_name: &str) -> State {
        let listed = self.domains.list(Some(&org(org_name))).await.expect("it reads");
        listed.into_iter().next().expect("a domain").proof.state
    }

    /// The record of an organization, and nothing else.
    fn show(&mut self, listed: &Listed) {
        self.names.set(&[&format!("acme 0 IN TXT \"{}\"", listed.instructions.value)]);
    }

    /// Rounds as the back room makes them, an hour apart.
    async fn days(&self, days: u32) {
        for _ in 0..days * 24 {
            self.pass(HOUR);
            self.domains.round().await;
        }
    }

    async fn claimed(&mut self, org_name: &str) -> Listed {
        let listed = self.add(org_name).await;
        self.show(&listed);
        self.verify(org_name).await;
        self.pass(HOUR);
        let claimed = self.verify(org_name).await;
        assert_eq!(claimed.proof.state, State::Claimed, "{:?}", claimed.heard);
        claimed
    }

    /// Kinds of mails, by recipient.
    async fn mails(&self) -> Vec<(String, String)> {
        let due = self.store.mail_due(self.now().plus(400 * DAY), 100).await.expect("it reads");
        due.into_iter().map(|mail| (mail.to.to_string(), mail.parameters)).collect()
    }

    async fn events(&self) -> String {
        let log = self.store.log(0, 1_000).await.expect("it reads");
        log.iter().map(|event| String::from_utf8_lossy(&event.bytes).into_owned() + "\n").collect()
    }

    async fn told_nodes(&self, org_name: &str) -> usize {
        let feed = self.store.feed(0).await.expect("it reads");
        feed.rows.iter().filter(|row| row.revocation == Revocation::Organization(org(org_name))).count()
    }
}

fn options(names: &Names, servers: &[SocketAddr]) -> DnsOptions {
    let may_ask = Arc::new(|address: std::net::IpAddr| address.is_loopback());
    DnsOptions { servers: servers.to_vec(), authority_port: names.own().port(), may_ask }
}

fn asked(names: &Names, pages: &Pages, servers: &[SocketAddr]) -> Asked {
    let pem = std::fs::read(pages.authority.ca_file()).expect("the authority's file");
    let overrides = ["acme.example.test", "www.acme.example.test"].map(|name| (name.to_owned(), pages.address));
    let outbound =
        OutboundOptions { extra_roots_pem: Some(pem), overrides: overrides.into(), ..OutboundOptions::default() };
    let outbound = Outbound::new(outbound).expect("a client");
    Asked { dns: Dns::new(options(names, servers)), outbound, record: RECORD.to_owned() }
}

#[tokio::test]
async fn each_name_server_says_what_it_knows() {
    let mut names = Names::start(&[
        "acme 0 IN TXT \"one\"",
        "acme 0 IN TXT \"two \" \"parts\"",
        "empty 0 IN A 127.0.0.1",
        "alias 0 IN CNAME acme",
    ]);
    let both = Dns::new(options(&names, &[names.own(), names.resolver()]));
    let said = async |name: &str| {
        let mut answers: Vec<Said> = both.texts(&domain(name)).await.into_iter().map(|answer| answer.said).collect();
        for answer in &mut answers {
            if let Said::Texts(texts) = answer {
                texts.sort();
            }
        }
        answers.dedup();
        answers
    };
    assert_eq!(said("acme.example.test").await, [Said::Texts(vec![b"one".to_vec(), b"two parts".to_vec()])]);
    assert_eq!(said("empty.example.test").await, [Said::NoRecord]);
    assert_eq!(said("alias.example.test").await, [Said::NoRecord], "what a CNAME leads to is another's");
    assert_eq!(said("nothing.example.test").await, [Said::NoName]);
    let resolver = names.resolver();
    let servers = |answers: &[Answer]| answers.iter().map(|answer| answer.server).collect::<Vec<_>>();
    let alone = Dns::new(options(&names, &[resolver])).texts(&domain("acme.example.test")).await;
    assert_eq!(servers(&alone).len(), 2, "the domain's own server is asked beside one resolver: {alone:?}");
    let forbidden = DnsOptions { may_ask: Arc::new(|_| false), ..options(&names, &[resolver]) };
    let alone = Dns::new(forbidden).texts(&domain("acme.example.test")).await;
    assert_eq!(servers(&alone), [resolver], "m16: not where nobody may ask");
    names.stop_own();
    let answers = both.texts(&domain("acme.example.test")).await;
    assert!(!answers.is_empty() && answers.iter().all(|answer| matches!(answer.said, Said::Unclear(_))), "{answers:?}");
}

#[tokio::test]
async fn c6_a_domain_is_proved_by_its_record_an_hour_apart() {
    let mut world = World::new().await;
    let listed = world.add("acme").await;
    assert_eq!(listed.instructions.record_name, "acme.example.test");
    assert_eq!(listed.instructions.value.len(), RECORD.len() + 1 + 64);
    assert_eq!(world.add("acme").await.proof.token, listed.proof.token, "the same while it is under way");
    assert_eq!(world.verify("acme").await.proof.state, State::Pending, "no record yet");
    world.show(&listed);
    world.pass(Duration::from_secs(60));
    let seen = world.verify("acme").await;
    assert_eq!((seen.proof.state, seen.proof.seen_at), (State::Pending, Some(world.now())), "{:?}", seen.heard);
    world.pass(HOUR - Duration::from_secs(1));
    assert_eq!(world.verify("acme").await.proof.state, State::Pending);
    world.pass(Duration::from_secs(30));
    let claimed = world.verify("acme").await.proof;
    assert_eq!((claimed.state, claimed.method), (State::Claimed, Some(ProofMethod::Dns)));
    assert_eq!(claimed.claimed_at, Some(world.now()), "authority begins now");
    let events = world.events().await;
    for action in ["domain.added", "domain.verified", "domain.claimed"] {
        assert!(events.contains(action), "{action} in {events}");
    }
    assert_eq!(world.told_nodes("acme").await, 1, "every node hears of it");
}

#[tokio::test]
async fn a_token_is_one_organizations_and_never_used_again() {
    let mut world = World::new().await;
    let acme = world.claimed("acme").await;
    world.add("mallory").await;
    world.pass(2 * HOUR);
    assert_eq!(world.verify("mallory").await.proof.seen_at, None, "acme's record is not mallory's");
    world.domains.remove(&org("acme"), &domain("acme.example.test"), &admin()).await.expect("given up");
    assert_eq!(world.told_nodes("acme").await, 2);
    let again = world.add("acme").await;
    assert_ne!(again.proof.token, acme.proof.token);
    world.pass(HOUR);
    assert_eq!(world.verify("acme").await.proof.seen_at, None, "the old record proves nothing");
}

#[tokio::test]
async fn a_file_proves_a_domain_by_one_redirect_at_most() {
    let mut world = World::new().await;
    world.names.set(&["acme 0 IN A 127.0.0.1"]);
    let listed = world.add("acme").await;
    assert_eq!(listed.instructions.file, format!("https://acme.example.test/{RECORD}.html"));
    let (value, path) = (listed.instructions.value.clone(), format!("/{RECORD}.html"));
    let (own, www) = (format!("acme.example.test{path}"), format!("www.acme.example.test{path}"));
    let look = async |world: &World| {
        world.pass(Duration::from_secs(60));
        world.verify("acme").await.proof.seen_at.is_some()
    };
    let padded = format!("{}{value}", " ".repeat(70_000));
    for (status, location, body) in [
        (404, "", value.as_str()),
        (500, "", &value),
        (200, "", "<p>proof</p>"),
        (200, "", &format!("{value}\nand a comment")),
        (200, "", &padded),
        (302, "https://evil.example.test/", &value),
        (302, &format!("http://{www}"), &value),
        (302, &format!("https://{www}?x=1"), &value),
    ] {
        world.pages.put(&own, status, location, body);
        assert!(!look(&world).await, "{status} {location}");
    }
    world.pages.put(&own, 301, &format!("https://{www}"), "");
    world.pages.put(&www, 302, &format!("https://{own}"), &value);
    assert!(!look(&world).await, "a second redirect");
    world.pages.put(&www, 200, "", &format!("{value}\r\n"));
    assert!(look(&world).await, "one redirect to www, at the same path");
    world.pass(HOUR);
    let proof = world.verify("acme").await.proof;
    assert_eq!((proof.state, proof.method), (State::Claimed, Some(ProofMethod::Https)));
    // A server that fails is no loss; one that says that there is no file is.
    world.pages.put(&own, 503, "", "");
    world.days(2).await;
    assert_eq!(world.state("acme").await, State::Claimed);
    world.pages.put(&own, 404, "", "");
    world.days(2).await;
    assert_eq!(world.state("acme").await, State::AtRisk);
}

#[tokio::test]
async fn c6_lapsed_bought_proved() {
    let mut world = World::new().await;
    world.claimed("acme").await;
    for (number, address) in (1..).zip(["ann@acme.example.test", "bob@sub.acme.example.test"]) {
        world.store.commit(Batch { changes: vec![person(number, address)], ..Batch::default() }).await.expect("made");
    }
    let first = world.domains.list(None).await.expect("it reads")[0].proof.claimed_at;
    // The start-up dies, its zone goes; 13 days later somebody buys the name and proves it.
    world.names.set(&[]);
    world.days(13).await;
    assert_eq!(world.state("acme").await, State::AtRisk);
    let buyer = world.add("mallory").await;
    world.show(&buyer);
    world.days(1).await;
    assert_eq!((world.state("mallory").await, world.state("acme").await), (State::Disputed, State::AtRisk));
    let mails = world.mails().await;
    let disputed: Vec<&str> =
        mails.iter().filter(|(_, what)| what.contains("disputed")).map(|(to, _)| to.as_str()).collect();
    for to in ["it@acme.example", "it@mallory.example", "ops@gate.example"] {
        assert!(disputed.contains(&to), "{to} in {disputed:?}");
    }
    // Weeks go by, with the buyer's record in place all the time: nothing passes to it.
    world.days(3).await;
    assert_eq!((world.state("mallory").await, world.state("acme").await), (State::Disputed, State::Suspended));
    world.days(32).await;
    assert_eq!((world.state("mallory").await, world.state("acme").await), (State::Disputed, State::Unclaimed));
    let told: Vec<String> =
        world.mails().await.into_iter().filter(|(_, what)| what.contains("\"no\"")).map(|(to, _)| to).collect();
    assert_eq!(told, ["ann@acme.example.test"], "nobody manages the account any more");
    // The operator decides, and authority begins there and then.
    let settled = world.domains.settle(&org("mallory"), &domain("acme.example.test"), &admin()).await.expect("settled");
    assert_eq!((settled.proof.state, settled.proof.claimed_at), (State::Claimed, Some(world.now())));
    assert!(settled.proof.claimed_at > first);
}

#[tokio::test]
async fn c6_a_dispute_with_the_holders_record_absent_leaves_the_holder_its_clock() {
    let mut world = World::new().await;
    world.claimed("acme").await;
    // Mallory has the DNS for a day, and takes acme's record out.
    let other = world.add("mallory").await;
    world.show(&other);
    world.verify("mallory").await;
    world.pass(HOUR);
    let disputed = world.verify("mallory").await.proof;
    assert_eq!((disputed.state, disputed.claimed_at), (State::Disputed, None));
    let holder = world.domains.list(Some(&org("acme"))).await.expect("it reads").remove(0).proof;
    assert_eq!(holder.state, State::AtRisk);
    assert!(holder.deadline() >= Some(world.now().plus(13 * DAY)), "its whole clock");
    let claim = world.domains.claim(&org("mallory"), &domain("acme.example.test"), disputed.version, &admin()).await;
    assert_eq!(claim, Err(NotDone::State(State::Disputed)), "only the operator settles it");
    // The operator sides with the holder by leaving it; its record comes back.
    let acme = world.domains.list(Some(&org("acme"))).await.expect("it reads").remove(0);
    world.show(&acme);
    world.days(2).await;
    assert_eq!((world.state("acme").await, world.state("mallory").await), (State::Claimed, State::Unclaimed));
}

#[tokio::test]
async fn c6_what_the_file_states_is_not_taken_by_a_proof() {
    let mut world = World::new().await;
    let row =
        DomainRow { domain: domain("acme.example.test"), org: org("globex"), claimed_at: world.now(), mac: [0; 32] };
    let batch = Batch { changes: vec![Change::PutDomain(row)], ..Batch::default() };
    world.store.commit(batch).await.expect("committed");
    let listed = world.add("acme").await;
    world.show(&listed);
    world.verify("acme").await;
    world.pass(HOUR);
    assert_eq!(world.verify("acme").await.proof.state, State::Disputed);
    let settled = world.domains.settle(&org("acme"), &domain("acme.example.test"), &admin()).await;
    assert_eq!(settled, Err(NotDone::Held), "the file is changed in the file");
}

#[tokio::test]
async fn c6_servers_that_do_not_answer_take_nothing_away() {
    let mut world = World::new().await;
    world.claimed("acme").await;
    world.names.stop_own();
    world.pass(2 * DAY);
    world.domains.round().await;
    let proof = world.domains.list(None).await.expect("it reads").remove(0).proof;
    assert_eq!((proof.state, proof.checked_at), (State::Claimed, Some(world.now())), "checked, and nothing clear");
}

#[tokio::test]
async fn c6_nobody_adds_what_belongs_to_everybody() {
    let world = World::new().await;
    for (name, why) in [("gmail.com", NotClaimable::PublicMail), ("co.uk", NotClaimable::PublicSuffix)] {
        let added = world.domains.add(&org("acme"), &domain(name), ClaimMode::Auto, &admin()).await;
        assert_eq!(added, Err(NotDone::NotClaimable(why)), "{name}");
    }
    assert_eq!(world.domains.list(None).await.expect("it reads"), []);
}

#[tokio::test]
async fn of_two_nodes_one_checks() {
    let mut world = World::new().await;
    let listed = world.add("acme").await;
    world.show(&listed);
    let (one, other) = tokio::join!(world.domains.round(), world.domains.round());
    assert_eq!((one, other), (1, 1), "both saw it due");
    let proof = world.domains.list(None).await.expect("it reads").remove(0).proof;
    assert_eq!(proof.version, 2, "one lease and one result");
}
