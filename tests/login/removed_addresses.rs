//! Addresses that an account gave up (rows T17, T18): they log nobody in, they look like any stranger's, and the people behind them
//! hear of it, and only they.

use std::time::Duration;

use fedgate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange};
use fedgate::kernel::migration::to_linked;
use fedgate::kernel::model::{ProductAccount, RemovedAlias};
use fedgate::kernel::values::{EmailAddress, Timestamp};

use crate::doors::{Doors, PASSWORD};
use crate::passwords::face;
use crate::support::clock::eventually;

fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

impl Doors {
    /// The record as it is once it has moved, and these addresses as ones that it gave up.
    pub async fn moved(&self, record: &ProductAccount, given_up: &[(&str, bool)], at: Timestamp) {
        let world = self.node.login.world();
        let lines = to_linked(record.state).expect("a local record");
        let lines = lines.into_iter().map(|line| Change::Migration(MigrationChange::Move(record.id, line)));
        let mut batch = Batch { changes: lines.collect(), ..Batch::default() };
        batch.changes.push(Change::Credential(CredentialChange::DropPassword(record.id)));
        for (text, verified) in given_up {
            let mut alias = RemovedAlias {
                product: record.product.clone(),
                email: email(text),
                product_account: record.id,
                verified_when_removed: *verified,
                removed_at: at,
                mac: [0; 32],
            };
            alias.mac = world.keys.mac_alias(&alias);
            batch.changes.push(Change::Migration(MigrationChange::Retire(alias)));
        }
        world.store.commit(batch).await.expect("moved");
    }

    /// How often a removed address was noticed.
    async fn noticed(&self) -> usize {
        let events = self.node.login.world().store.log(0, 10_000).await.unwrap();
        events.iter().filter(|event| event.bytes.windows(19).any(|text| text == b"login.removed_alias")).count()
    }

    /// Types a wrong or right password for an address, past whatever page it gets, and waits for what comes of it after the answer.
    async fn try_removed(&self, typed: &str, password: &str) -> String {
        let (agent, before) = (self.agent(), self.noticed().await);
        let page = self.identify(&agent, typed).await;
        let page = agent.submit(&page, "password", &[("password", password)]).await;
        assert!(!self.is_inside(&agent, "trello").await, "{}", page.describe());
        for _ in 0..100 {
            if self.noticed().await > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        face(&page, typed)
    }
}

/// A product whose strangers are asked for a password, a person who moved, and addresses that they gave up long and not so long ago.
async fn ground() -> (Doors, ProductAccount) {
    let doors = Doors::open("", "[org.globex]\ndomains = [\"globex.example.test\"]").await;
    let record = doors.person("kept@gmail.example.test").await;
    // How many are local is counted now, and the count is good for minutes: every stranger's lot is a password.
    doors.identify(&doors.agent(), "nobody@gmail.example.test").await;
    (doors, record)
}

#[tokio::test]
async fn t18_a_removed_address_is_told_of_by_mail_and_on_no_page() {
    let (doors, record) = ground().await;
    let now = doors.node.login.world().clock.now();
    let old =
        [("old@gmail.example.test", true), ("other@gmail.example.test", true), ("doubtful@gmail.example.test", false)];
    doors.moved(&record, &old, now).await;
    let company = [("ann@globex.example.test", true)];
    let ancient = [("ancient@gmail.example.test", true)];
    let world = doors.node.login.world();
    for (more, at) in [(company, now), (ancient, now.minus(Duration::from_secs(366 * 86_400)))] {
        let [(text, verified)] = more;
        let mut alias = RemovedAlias {
            product: record.product.clone(),
            email: email(text),
            product_account: record.id,
            verified_when_removed: verified,
            removed_at: at,
            mac: [0; 32],
        };
        alias.mac = world.keys.mac_alias(&alias);
        let retire = Change::Migration(MigrationChange::Retire(alias));
        world.store.commit(Batch { changes: vec![retire], ..Batch::default() }).await.unwrap();
    }
    let stranger = doors.try_removed("nobody@gmail.example.test", "not-the-password").await;
    assert_eq!(doors.noticed().await, 0, "a stranger is no removed address");
    let removed = doors.try_removed("old@gmail.example.test", PASSWORD).await;
    assert_eq!(removed, stranger, "one text for wrong, unknown and removed");
    assert_eq!(doors.noticed().await, 1);
    for told in ["kept@gmail.example.test", "old@gmail.example.test", "other@gmail.example.test"] {
        let letter = doors.letter(&format!("To: {told}"), 1).await;
        assert!(letter.contains("k•••@g•••") || letter.contains("k=E2=80=A2"), "masked: {letter}");
        assert!(!letter.contains("Use kept@"), "{letter}");
    }
    // The second try of a day sends nothing, whichever address is tried.
    doors.try_removed("other@gmail.example.test", PASSWORD).await;
    assert_eq!(doors.noticed().await, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (to, count) in [
        ("kept@gmail.example.test", 1),
        ("old@gmail.example.test", 1),
        ("other@gmail.example.test", 1),
        ("doubtful@gmail.example.test", 0),
        ("ann@globex.example.test", 0),
        ("ancient@gmail.example.test", 0),
        ("nobody@gmail.example.test", 0),
    ] {
        assert_eq!(doors.letters(&format!("To: {to}")), count, "{to}");
    }
    doors.close().await;
}

#[tokio::test]
async fn t17_mistake_15_mistake_16_a_removed_address_that_somebody_else_has_now_is_theirs() {
    let (doors, record) = ground().await;
    let now = doors.node.login.world().clock.now();
    doors.moved(&record, &[("old@gmail.example.test", true)], now).await;
    // Another person signs up with it: the old account is not found by it, nor told about it.
    let theirs = doors.person("old@gmail.example.test").await;
    assert_ne!(theirs.account, record.account);
    let agent = doors.agent();
    let page = doors.log_in(&agent, "old@gmail.example.test", PASSWORD).await;
    assert_eq!(page.url.as_str(), doors.url("trello", "/page"), "{}", page.describe());
    assert_eq!(doors.trello.last("/page").head.first("x-fedgate-user"), Some(theirs.sub.as_str()));
    let stranger = doors.agent();
    let page = doors.log_in(&stranger, "old@gmail.example.test", "not-the-password").await;
    assert!(page.text().contains("That didn’t work"), "{}", page.describe());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((doors.noticed().await, doors.letters("kept@gmail.example.test")), (0, 0));
    doors.close().await;
}

#[tokio::test]
async fn t06_a_removed_address_gets_no_reset_and_the_page_of_everybody() {
    let (doors, record) = ground().await;
    let now = doors.node.login.world().clock.now();
    doors.moved(&record, &[("old@gmail.example.test", true)], now).await;
    let mut faces = Vec::new();
    for typed in ["old@gmail.example.test", "nobody@gmail.example.test", "kept@gmail.example.test"] {
        let agent = doors.agent();
        let page = agent.visit(&doors.url("trello", "/forgot")).await;
        let asked = agent.submit(&page, "email", &[("email", typed)]).await;
        faces.push(face(&asked, typed));
    }
    assert!(faces.iter().all(|face| *face == faces[0]), "{faces:#?}");
    eventually("what was asked for is recorded", Duration::from_secs(5), || {
        let db = doors.database();
        let count = "SELECT count(*) FROM event WHERE bytes LIKE '%password.reset_requested%'";
        db.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count") == 3
    })
    .await;
    for to in ["old@gmail.example.test", "kept@gmail.example.test"] {
        assert_eq!(doors.letters(to), 0, "{to}");
    }
    doors.close().await;
}

#[tokio::test]
async fn h12_a_removed_address_that_another_hand_wrote_sends_nothing() {
    let (doors, record) = ground().await;
    doors.moved(&record, &[("old@gmail.example.test", true)], doors.node.login.world().clock.now()).await;
    let db = doors.database();
    db.execute("UPDATE removed_alias SET email = 'thief@gmail.example.test'", []).expect("written");
    let agent = doors.agent();
    let page = doors.identify(&agent, "thief@gmail.example.test").await;
    agent.submit(&page, "password", &[("password", "x")]).await;
    eventually("the alarm", Duration::from_secs(5), || {
        let count = "SELECT count(*) FROM event WHERE bytes LIKE '%integrity.violated%'";
        db.query_row(count, [], |row| row.get::<_, i64>(0)).expect("a count") == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!((doors.letters("kept@gmail.example.test"), doors.letters("thief@gmail.example.test")), (0, 0));
    doors.close().await;
}
