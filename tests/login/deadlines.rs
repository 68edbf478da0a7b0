//! The day on which a product's own passwords end (rows T08, T13, N8): it comes for everybody at once, everybody hears of it before, and
//! nobody twice, whatever dies on the way.

use std::process::Stdio;
use std::time::Duration;

use chrono::NaiveDate;
use fedgate::clock::Clock;
use fedgate::kernel::journal::{Batch, Change, CredentialChange};
use fedgate::kernel::model::{Account, AccountStatus, Address, ProductAccount, ProductAccountState};
use fedgate::kernel::values::{AccountId, EmailAddress, ProductAccountId, ProductName, Timestamp};
use fedgate::login::reminders::Reminders;
use fedgate::store::{self, Store};
use serde_json::{Value, json};

use crate::doors::PASSWORD;
use crate::moves::Ground;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::gateway::{Gateway, program};
use crate::support::upstream::Upstream;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";

/// `migration` with a deadline so many days from the day of `now`.
fn plan(now: Timestamp, days: i64) -> String {
    let day = NaiveDate::from_num_days_from_ce_opt(719_163 + i32::try_from(now.seconds() / 86_400 + days).unwrap());
    format!("migration = {{ phase = \"optional\", deadline = {} }}", day.expect("a day"))
}

/// A person of `trello` with a password there, as far as the store knows.
fn person(number: u32, email: &str, verified: bool) -> (Batch, ProductAccount) {
    let now = Timestamp::from_seconds(1_700_000_000);
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    let email = EmailAddress::parse(email).unwrap();
    let account = Account {
        id: AccountId::mint(now, random),
        status: AccountStatus::Active,
        email: Some(email.clone()),
        email_verified: verified,
        email_proved_at: None,
        name: None,
        epoch: 0,
        created_at: now,
        last_login_at: None,
    };
    let record = ProductAccount {
        id: ProductAccountId::mint(now, random),
        product: ProductName::parse("trello").unwrap(),
        account: account.id,
        sub: format!("u-{number}"),
        state: ProductAccountState::Local,
        off: false,
        created_at: now,
        enterprise: None,
        off_by: None,
        asked_at: None,
    };
    let address = Address {
        product_account: record.id,
        email,
        verified,
        verified_at: None,
        primary: true,
        added_at: now,
        last_login_at: None,
    };
    let changes = vec![
        Change::CreateAccount(account),
        Change::CreateProductAccount(record.clone()),
        Change::Credential(CredentialChange::PutAddress(address)),
    ];
    (Batch { changes, ..Batch::default() }, record)
}

/// People number `0..count`, all with proved addresses.
async fn crowd(store: &dyn Store, count: u32) {
    for first in (0..count).step_by(500) {
        let mut batch = Batch::default();
        for number in first..count.min(first + 500) {
            batch.changes.extend(person(number, &format!("p{number}@free.example.test"), true).0.changes);
        }
        store.commit(batch).await.expect("people");
    }
}

#[tokio::test]
async fn t08_t13_the_deadline_comes_by_itself_and_a_password_leads_to_the_move() {
    let now = Clock::system().now();
    let ground = Ground::open(&plan(now, -3)).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(page.text().contains("Continue with Example"), "{}", page.describe());
    assert!(!ground.inside(&ann).await, "the password opens nothing");
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t02_t13_before_the_deadline_the_password_opens_the_product_and_the_banner_knows_the_day() {
    let now = Clock::system().now();
    let ground = Ground::open(&plan(now, 3)).await;
    ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!(who["move_url"], "/.fedgate/move");
    let page = ann.visit(&ground.doors.url("trello", "/.fedgate/move")).await;
    let last = NaiveDate::from_num_days_from_ce_opt(719_163 + i32::try_from(now.seconds() / 86_400 + 3).unwrap());
    let last = last.expect("a day").format("%-d %b %Y");
    assert!(page.text().contains(&format!("Until {last} you may also go on")), "{}", page.describe());
    let midnight = Timestamp::from_seconds((now.seconds() / 86_400 + 4) * 86_400);
    assert_eq!(who["move_by"], midnight.to_string(), "the end of the day that the file names");
    ground.doors.close().await;
}

#[tokio::test]
async fn n8_m13_everybody_who_has_a_password_to_lose_is_told_once_by_whoever_is_at_it() {
    let now = Clock::system().now();
    let ground = Ground::open(&plan(now, 3)).await;
    let world = ground.doors.node.login.world();
    crowd(ground.store(), 450).await;
    // Who hears nothing: never proved, switched off at the product, moved already, a company's that logs its people in itself.
    let (stranger, _) = person(1_000, "doubtful@free.example.test", false);
    let (mut off, _) = person(1_001, "off@free.example.test", true);
    for change in &mut off.changes {
        if let Change::CreateProductAccount(record) = change {
            record.off = true;
        }
    }
    let (moved, moved_record) = person(1_002, "moved@free.example.test", true);
    let (company, _) = person(1_003, "cara@globex.example.test", true);
    for batch in [stranger, off, moved, company] {
        ground.store().commit(batch).await.unwrap();
    }
    ground.doors.moved(&moved_record, &[], now).await;
    let catalog = world.catalog.load_full();
    let product = &catalog.products[&ProductName::parse("trello").unwrap()];
    let reminders = Reminders::new(ground.store(), &world.keys, &catalog);
    let due = reminders.due(product, now).expect("the reminder of seven days before");
    assert_eq!(due.before, Duration::from_secs(7 * 86_400));
    let foreseen = reminders.foresee(product, due).await.unwrap();
    assert_eq!((foreseen.letters, foreseen.without), (450, 3));
    assert_eq!(world.store.mail_count().await.unwrap().waiting, 0, "nothing is written for the asking");
    // Two at a time, as two nodes.
    let to_the_end = async || while !reminders.step(product, due, now).await.expect("a page").done {};
    tokio::join!(to_the_end(), to_the_end());
    let told = reminders.step(product, due, now).await.unwrap();
    assert_eq!((told.letters, told.without, told.done), (450, 3, true));
    let letters = || ground.doors.letters("Subject: Move your Trello login");
    eventually("all of them are sent", Duration::from_secs(60), || letters() == 450).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(letters(), 450, "each once");
    for to in ["p0@", "p199@", "p200@", "p449@"] {
        assert_eq!(ground.doors.letters(&format!("To: {to}free.example.test")), 1, "{to}");
    }
    for to in ["doubtful@free", "off@free", "moved@free", "cara@globex"] {
        assert_eq!(ground.doors.letters(&format!("To: {to}.example.test")), 0, "{to}");
    }
    // Mistake 32: a batch tells people and links nobody.
    let still = ground.store().local_records(&product.name, None, 1_000).await.unwrap();
    assert_eq!(still.len(), 453, "everybody who had not moved");
    let known = ground.store().identities_of(still[0].account).await.unwrap();
    assert_eq!(known, []);
    let events = ground.events("migration.reminded");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["after"]["letters"], &events[0]["after"]["days_before"]), (&json!(450), &json!(7)));
    ground.doors.close().await;
}

/// A gateway that has made its store and is not running, `trello` with a deadline in three days, and so many people with a password.
async fn standing(count: u32) -> (Gateway, Vec<Upstream>) {
    standing_with(count, "").await
}

/// The same with more tables.
async fn standing_with(count: u32, more: &str) -> (Gateway, Vec<Upstream>) {
    let (trello, loom) = (Upstream::start(), Upstream::start());
    let keys = format!("passwords = \"here\"\n{}", plan(Clock::system().now(), 3));
    let file = Configuration::new()
        .product("trello", &trello.url(), &keys)
        .product("loom", &loom.url(), "allow = { people = [\"p0@free.example.test\"] }")
        .table(
            "[issuer]\nname = \"Example\"\noidc = \"https://127.0.0.1:9\"\nclient_id = \"c\"\nclient_auth = \"none\"",
        )
        .table(more);
    let mut gateway = Gateway::start(&file);
    gateway.stop();
    let store = store::open("sqlite:fedgate.db", &gateway.directory().join("state")).expect("the store");
    crowd(&*store, count).await;
    store.close().await;
    (gateway, vec![trello, loom])
}

/// Letters in the outbox, and people whom they are for.
fn queued(gateway: &Gateway) -> (i64, i64) {
    let db = rusqlite::Connection::open(gateway.directory().join("state/fedgate.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    let sql = "SELECT count(*), count(DISTINCT recipient) FROM outbox WHERE kind = 'deadline'";
    db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("a count")
}

/// Runs `migrate run`, kills it each time that some pages more are queued, and lets it come to its end.
fn run_and_kill(gateway: &Gateway, kills: usize) -> String {
    for _ in 0..kills {
        let mut command = program();
        command.args(["migrate", "run", "--product", "trello", "--config"]).arg(gateway.config_file());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
        let before = queued(gateway).0;
        while queued(gateway).0 < before + 400 && child.try_wait().expect("our own child").is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().expect("our own child");
        child.wait().expect("our own child");
    }
    let (status, out, err) = gateway.command(&["migrate", "run", "--product", "trello", "--json"]);
    assert!(status.success(), "{out}{err}");
    out
}

#[tokio::test]
async fn t13_n8_a_batch_that_is_killed_goes_on_where_it_was_and_tells_nobody_twice() {
    const PEOPLE: u32 = 3_000;
    let (gateway, _upstreams) = standing(PEOPLE).await;
    let (status, out, err) = gateway.command(&["migrate", "run", "--dry-run", "--json"]);
    assert!(status.success(), "{out}{err}");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&said["reminded"]["letters"], queued(&gateway).0), (&json!(PEOPLE), 0));
    let out = run_and_kill(&gateway, 3);
    let said: Value = serde_json::from_str(out.trim()).expect("JSON");
    assert_eq!((&said["reminded"]["letters"], &said["reminded"]["done"]), (&json!(PEOPLE), &json!(true)));
    assert_eq!(queued(&gateway), (i64::from(PEOPLE), i64::from(PEOPLE)), "each once");
    // Once more is nothing more, and the status knows.
    gateway.command(&["migrate", "run"]);
    assert_eq!(queued(&gateway).0, i64::from(PEOPLE));
    let (_, out, _) = gateway.command(&["migrate", "status"]);
    assert!(out.contains("becomes forced at") && out.contains("3000 letters queued"), "{out}");
}

#[tokio::test]
async fn t08_the_status_says_who_of_which_company_still_has_a_password_and_what_keeps_whom() {
    let company = |name: &str, sso: &str| {
        format!(
            "[org.{name}]\ndomains = [\"{name}.example.test\"]\nadmins = [\"it@free.example.test\"]\n\
             sso = {{ oidc = \"https://127.0.0.1:9\", client_id = \"{name}\", client_auth = \"none\" }}\n\
             [org.{name}.policy]\nsso = \"{sso}\"\n"
        )
    };
    let orgs = format!("{}{}", company("acme", "off"), company("globex", "enforced"));
    let (gateway, _upstreams) = standing_with(2, &orgs).await;
    let store = store::open("sqlite:fedgate.db", &gateway.directory().join("state")).expect("the store");
    let (both, both_record) = person(20, "both@acme.example.test", true);
    let (aside, _) = person(21, "aside@free.example.test", false);
    let (mut gone, _) = person(22, "gone@free.example.test", true);
    for change in &mut gone.changes {
        if let Change::CreateAccount(account) = change {
            account.status = AccountStatus::Deactivated;
        }
    }
    let mut aside = aside;
    for change in &mut aside.changes {
        if let Change::CreateAccount(account) = change {
            (account.status, account.email) = (AccountStatus::Quarantined, None);
        }
    }
    let people = [
        person(10, "ann@acme.example.test", true).0,
        person(11, "bea@acme.example.test", true).0,
        person(12, "cara@globex.example.test", true).0,
        // Never proved: no company's (§4 #18).
        person(13, "dan@acme.example.test", false).0,
    ];
    for batch in people.into_iter().chain([both, aside, gone]) {
        store.commit(batch).await.expect("a person");
    }
    let second = Address {
        product_account: both_record.id,
        email: EmailAddress::parse("both@globex.example.test").unwrap(),
        verified: true,
        verified_at: None,
        primary: false,
        added_at: Timestamp::from_seconds(1),
        last_login_at: None,
    };
    let change = Change::Credential(CredentialChange::PutAddress(second));
    store.commit(Batch { changes: vec![change], ..Batch::default() }).await.expect("an address");
    store.close().await;
    let (status, out, err) = gateway.command(&["migrate", "status", "--json", "--org", "acme"]);
    assert!(status.success(), "{out}{err}");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&said["accounts"]["local"], &said["accounts"]["put_aside"]), (&json!(8), &json!(1)), "{out}");
    let people = json!({ "proved": 2, "unproved": 1, "two_organizations": 1, "inactive": 1 });
    assert_eq!(said["people"], people, "{out}");
    let acme = json!({ "org": "acme", "by_password": 2, "sso_enforced": 0 });
    let globex = json!({ "org": "globex", "by_password": 0, "sso_enforced": 1 });
    assert_eq!(said["organizations"], json!([acme, globex]), "{out}");
    let mut still: Vec<&str> =
        said["still"].as_array().expect("a list").iter().filter_map(|one| one["email"].as_str()).collect();
    still.sort_unstable();
    assert_eq!(still, ["ann@acme.example.test", "bea@acme.example.test"], "{out}");
    let (_, out, _) = gateway.command(&["migrate", "status"]);
    assert!(out.contains("acme: 2 still by password") && out.contains("1 put aside"), "{out}");
    assert!(!out.contains("ann@acme"), "nobody is named unasked: {out}");
    let (status, _, err) = gateway.command(&["migrate", "status", "--org", "initech"]);
    assert!(!status.success() && err.contains("no organization called initech"), "{err}");
    let (_, out, _) = gateway.command(&["migrate", "phase", "trello", "forced", "--dry-run"]);
    assert!(out.contains("4 with a proved address, 1 without, 1 of companies"), "{out}");
}

#[tokio::test]
#[ignore = "a hundred thousand people take minutes: by hand, with --nocapture"]
async fn a_batch_of_a_hundred_thousand_by_hand() {
    const PEOPLE: u32 = 100_000;
    let (gateway, _upstreams) = standing(PEOPLE).await;
    let clock = Clock::system();
    let begun = clock.since_boot();
    run_and_kill(&gateway, 5);
    println!("{PEOPLE} people, killed 5 times: {:.1} s", (clock.since_boot() - begun).as_secs_f64());
    assert_eq!(queued(&gateway), (i64::from(PEOPLE), i64::from(PEOPLE)), "each once");
}
