//! Mail through a real SMTP server: every kind arrives, TLS is what it says, and nothing goes out without it (rule M27).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fedgate::cli::node::{Extras, Node};
use fedgate::clock::Clock;
use fedgate::config::{Config, Machine, read};
use fedgate::kernel::journal::Batch;
use fedgate::kernel::values::{EmailAddress, OrgName, Origin, ProductName, Secret, Timestamp};
use fedgate::keys::{Kek, Keys, Kind};
use fedgate::mail::{
    DomainTrouble, Factor, Letter, NotAServer, Ports, Post, Proof, Security, Setup, Smtp, SmtpOptions, queue,
};
use fedgate::outbound::Roots;
use fedgate::seeing::Seeing;
use fedgate::store::{Store, open};
use serde_json::{Value, json};

use super::support::authority::{Authority, Leaf};
use super::support::catcher::Catcher;
use super::support::clock::eventually;
use super::support::configuration::{self as listening, Configuration};
use super::support::ports;

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("an address")
}

/// A store with mail in it, and what sends it.
struct Office {
    store: Arc<dyn Store>,
    keys: Keys,
    clock: Clock,
    seeing: Arc<Seeing>,
    _folder: tempfile::TempDir,
}

impl Office {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let store = open("sqlite:fedgate.db", folder.path()).expect("a store");
        let (kek, clock) = (Kek::new([3; 32]), Clock::system());
        let rows = Keys::missing(&kek, &[], &Kind::EVERYWHERE, clock.now(), &mut || [5; 32]).expect("keys");
        let keys = Keys::open(&kek, &rows).expect("the keys open");
        Self { store, keys, clock, seeing: Seeing::new(), _folder: folder }
    }

    async fn queue(&self, letters: &[(EmailAddress, Letter)]) {
        let change = queue(&self.keys, self.clock.now(), letters, None).expect("a letter");
        self.store.commit(Batch { changes: vec![change], ..Batch::default() }).await.expect("committed");
    }

    /// One turn by this server.
    async fn send(&self, options: &SmtpOptions, ca: &Path) {
        let pem = std::fs::read(ca).expect("the authority's file");
        let roots = Roots::read(Some(&pem)).expect("its certificate");
        let transport = Box::new(Smtp::new(options, &roots, "id.example.com").expect("a server"));
        let login = Origin::parse("id.example.com").expect("an origin");
        let setup = Setup { transport, from: address("login@example.com"), login };
        let (store, keys) = (Arc::clone(&self.store), self.keys.clone());
        let ports = Ports {
            store,
            keys,
            clock: self.clock.clone(),
            seeing: Arc::clone(&self.seeing),
            languages: Arc::new(fedgate::language::Languages::shipped(&[]).expect("our catalogues")),
        };
        let post = Arc::new(Post::new(ports, setup).expect("the templates compile"));
        post.turn().await.expect("the outbox reads");
    }

    /// How many wait and how many are dead.
    async fn left(&self) -> (u64, u64) {
        let count = self.store.mail_count().await.expect("it counts");
        (count.waiting, count.dead)
    }
}

fn reset(now: Timestamp) -> Letter {
    let secret = |text: &str| Secret::new(text.to_owned());
    let proof = Proof { code: secret("40125839"), link: Some(secret("/login/reset?token=Zm9v")) };
    let until = now.plus(Duration::from_secs(900));
    Letter::Reset { product: ProductName::parse("trello").expect("a name"), proof, until }
}

/// One of each kind.
fn letters(at: Timestamp) -> Vec<Letter> {
    let org = OrgName::parse("acme").expect("a name");
    let product = ProductName::parse("trello").expect("a name");
    let Letter::Reset { proof, until, .. } = reset(at) else { unreachable!("a reset") };
    let person = address("ann@acme.com");
    vec![
        Letter::Managed { org: org.clone(), address: person.clone(), managed: true },
        Letter::AddressRetired { product: product.clone(), kept: person.clone() },
        Letter::AddressChange { product: product.clone(), wanted: person.clone(), at },
        Letter::Deactivated { org: Some(org.clone()) },
        Letter::DeletionScheduled { org: None, at },
        Letter::KeyExpiry { org: org.clone(), directory: "acme/okta".to_owned(), at, ended: false },
        Letter::Domain { org: org.clone(), domain: "acme.com".to_owned(), trouble: DomainTrouble::Disputed },
        Letter::BreakGlass { org: org.clone(), person, at, address: "203.0.113.9".to_owned() },
        Letter::Announcement { org: org.clone(), at, text: "Grüße — 🎉".to_owned() },
        Letter::MailboxProof { product: product.clone(), proof: proof.clone(), until },
        Letter::FactorEnrolled { factor: Factor::Authenticator, at },
        Letter::FactorRemoved { factor: Factor::Passkey, at },
        Letter::PasswordChanged { product, at },
        Letter::SetUpCode { org: org.clone(), proof, until },
        Letter::SetUpReused { org, at },
        reset(at),
    ]
}

fn secured(mode: &str, leaf: &Leaf) -> Value {
    json!({ "mode": mode, "cert": leaf.cert, "key": leaf.key })
}

fn server(catcher: &Catcher, security: Security) -> SmtpOptions {
    SmtpOptions { host: "127.0.0.1".to_owned(), port: catcher.port(), security, login: None }
}

#[tokio::test]
async fn every_kind_arrives_by_starttls_in_two_parts() {
    let authority = Authority::new();
    let catcher = Catcher::start(&secured("starttls", &authority.issue(&["127.0.0.1"])));
    let office = Office::new();
    let letters: Vec<_> =
        letters(office.clock.now()).into_iter().map(|letter| (address("ann@acme.com"), letter)).collect();
    office.queue(&letters).await;
    office.send(&server(&catcher, Security::StartTls), &authority.ca_file()).await;
    let mails = catcher.wait_for(letters.len()).await;
    assert_eq!((mails.len(), office.left().await), (16, (0, 0)));
    for mail in &mails {
        assert_eq!((&mail["tls"], &mail["to"]), (&json!(true), &json!(["ann@acme.com"])), "{mail}");
        let headers = &mail["headers"];
        assert_eq!(
            (&headers["auto-submitted"], &headers["from"]),
            (&json!("auto-generated"), &json!("login@example.com"))
        );
        assert!(headers["message-id"].as_str().is_some_and(|id| id.ends_with("@id.example.com>")), "{headers}");
        assert!(mail["parts"]["text/plain"].as_str().is_some_and(|text| text.len() > 150), "{mail}");
        assert!(mail["parts"]["text/html"].as_str().is_some_and(|html| html.starts_with("<!doctype html>")), "{mail}");
    }
    let text = |subject: &str| {
        let mail =
            mails.iter().find(|mail| mail["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {mails:?}"));
        mail["parts"]["text/plain"].as_str().expect("text").replace("\r\n", "\n")
    };
    let reset = text("Choose a new password for Trello");
    assert!(
        reset.contains("    40125839\n") && reset.contains("\nhttps://id.example.com/login/reset?token=Zm9v\n"),
        "{reset}"
    );
    assert!(text("“acme” changes how you log in").contains("> Grüße — 🎉"));
}

#[tokio::test]
async fn mail_goes_by_tls_with_a_login() {
    let authority = Authority::new();
    let mut options = secured("tls", &authority.issue(&["127.0.0.1"]));
    options["login"] = json!({ "user": "login@example.com", "password": "pa ss" });
    let catcher = Catcher::start(&options);
    let office = Office::new();
    office.queue(&[(address("ann@acme.com"), reset(office.clock.now()))]).await;
    let mut server = server(&catcher, Security::Tls);
    server.login = Some(("login@example.com".to_owned(), Secret::new("wrong".to_owned())));
    office.send(&server, &authority.ca_file()).await;
    assert_eq!((catcher.lines().len(), office.left().await), (0, (1, 0)), "a wrong password is corrected, mail waits");

    let office = Office::new();
    office.queue(&[(address("ann@acme.com"), reset(office.clock.now()))]).await;
    server.login = Some(("login@example.com".to_owned(), Secret::new("pa ss".to_owned())));
    office.send(&server, &authority.ca_file()).await;
    let mails = catcher.wait_for(1).await;
    assert_eq!((&mails[0]["user"], &mails[0]["hello"]), (&json!("login@example.com"), &json!("id.example.com")));
}

/// Nothing is sent, and the letter waits.
async fn m27_not_sent(catcher: &Catcher, security: Security, ca: &Path) {
    let office = Office::new();
    office.queue(&[(address("ann@acme.com"), reset(office.clock.now()))]).await;
    office.send(&server(catcher, security), ca).await;
    assert_eq!((catcher.lines().len(), office.left().await), (0, (1, 0)));
}

#[tokio::test]
async fn m27_nothing_is_sent_where_starttls_was_taken_out() {
    let authority = Authority::new();
    let catcher = Catcher::start(&json!({ "mode": "stripped" }));
    m27_not_sent(&catcher, Security::StartTls, &authority.ca_file()).await;
    m27_not_sent(&catcher, Security::Tls, &authority.ca_file()).await;
    // The same server takes mail in the clear, so it was we who did not send.
    let office = Office::new();
    office.queue(&[(address("ann@acme.com"), reset(office.clock.now()))]).await;
    office.send(&server(&catcher, Security::Plain), &authority.ca_file()).await;
    assert_eq!(catcher.wait_for(1).await[0]["tls"], json!(false));
}

#[tokio::test]
async fn m27_the_servers_name_and_authority_are_verified() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for mode in [("starttls", Security::StartTls), ("tls", Security::Tls)] {
        let other_name = Catcher::start(&secured(mode.0, &authority.issue(&["mail.example.com"])));
        m27_not_sent(&other_name, mode.1, &authority.ca_file()).await;
        let other_authority = Catcher::start(&secured(mode.0, &stranger.issue(&["127.0.0.1"])));
        m27_not_sent(&other_authority, mode.1, &authority.ca_file()).await;
    }
}

#[test]
fn m27_plain_smtp_goes_to_this_machine_alone() {
    let roots = Roots::read(None).expect("the system's");
    for (host, goes) in [
        ("127.0.0.1", true),
        ("::1", true),
        ("localhost", true),
        ("10.0.0.1", false),
        ("localhost.evil.example", false),
    ] {
        let options = SmtpOptions { host: host.to_owned(), port: 25, security: Security::Plain, login: None };
        let made = Smtp::new(&options, &roots, "id.example.com").map(|_| ());
        assert_eq!(made, if goes { Ok(()) } else { Err(NotAServer::Plain) }, "{host}");
    }
}

#[tokio::test]
async fn a_refusal_for_now_waits_and_a_refusal_for_good_does_not() {
    let authority = Authority::new();
    let catcher = Catcher::start(&json!({ "mode": "plain", "refuse": { "code": 451, "times": 1 } }));
    let office = Office::new();
    office.queue(&[(address("ann@acme.com"), reset(office.clock.now()))]).await;
    office.send(&server(&catcher, Security::Plain), &authority.ca_file()).await;
    assert_eq!((catcher.wait_for(1).await, office.left().await), (vec![json!({ "refused": 451 })], (1, 0)));
    office.queue(&[(address("nobody@acme.com"), reset(office.clock.now()))]).await;
    office.send(&server(&catcher, Security::Plain), &authority.ca_file()).await;
    assert_eq!(office.left().await, (1, 1), "550 for the recipient");
    let dead = office.store.mail_dead(9).await.expect("it reads").remove(0);
    assert!(dead.to.as_str() == "nobody@acme.com" && dead.fault.contains("no such mailbox"), "{dead:?}");
}

/// A whole gateway, inside this process, with `[mail]` as written.
async fn gateway(mail: &str, ca: std::path::PathBuf) -> (Node, tempfile::TempDir, impl Fn(&str) -> Config + use<>) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let directory = folder.path().to_owned();
    let listen = listening::Ports { https: ports::free(), http: ports::free(), ops: ports::free() };
    let configured = move |mail: &str| {
        let text = Configuration::new()
            .trust(&ca)
            .product("trello", "http://127.0.0.1:9", "")
            .organization("acme", "acme.example.test", "https://127.0.0.1:9", "a secret")
            .table(mail)
            .render(listen, &directory);
        let (config, report) = read(&text, &directory.join("fedgate.toml"), &Machine);
        config.unwrap_or_else(|| panic!("{}", report.plain()))
    };
    let node = Node::start(configured(mail), Extras::default()).await.expect("it starts");
    (node, folder, configured)
}

/// Queues a letter as any room would.
async fn tell(node: &Node, to: &str) {
    let world = node.login.world();
    let letters = [(address(to), reset(world.clock.now()))];
    let change = queue(&world.keys, world.clock.now(), &letters, None).expect("a letter");
    world.store.commit(Batch { changes: vec![change], ..Batch::default() }).await.expect("committed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_writes_files_until_a_reload_names_a_server() {
    let authority = Authority::new();
    let catcher = Catcher::start(&secured("starttls", &authority.issue(&["127.0.0.1"])));
    let (node, folder, configured) = gateway("", authority.ca_file()).await;
    tell(&node, "ann@acme.example.test").await;
    let outbox = folder.path().join("state/outbox");
    let files = || {
        let entries = std::fs::read_dir(&outbox).into_iter().flatten();
        let paths = entries.map(|entry| entry.expect("readable").path());
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).collect::<Vec<_>>()
    };
    eventually("a file", Duration::from_secs(20), || files().len() == 1).await;
    let file = std::fs::read_to_string(&files()[0]).expect("text");
    assert!(file.contains("From: login@id.example.test\r\n") && file.contains("40125839"), "{file}");
    let server =
        format!("[mail]\nfrom = \"gate@example.com\"\nsmtp = \"smtp+starttls://127.0.0.1:{}\"", catcher.port());
    node.apply(configured(&server)).await.expect("reloaded");
    tell(&node, "bob@acme.example.test").await;
    let mails = catcher.wait_for(1).await;
    assert_eq!((&mails[0]["to"], &mails[0]["tls"]), (&json!(["bob@acme.example.test"]), &json!(true)));
    assert_eq!((&mails[0]["headers"]["from"], files().len()), (&json!("gate@example.com"), 1));
    node.drain(Duration::from_secs(1)).await;
}
