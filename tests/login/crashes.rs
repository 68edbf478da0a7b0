//! kill -9 while a product is told of a move, a merge or an account that was put aside: at each step, alone and in pairs. The end is that of a run without a crash, and what is
//! said again is said under the same key.

use std::time::Duration;

use fedgate::clock::Clock;
use fedgate::kernel::journal::{Batch, Change, CredentialChange};
use fedgate::kernel::model::{
    Account, AccountStatus, Address, IdentityKey, LinkedBy, LinkedIdentity, MigrationStep, ProductAccount,
    ProductAccountState, SubjectSource,
};
use fedgate::kernel::values::{AccountId, DirectoryId, EmailAddress, ProductAccountId, ProductName};
use fedgate::store::{self, Store};
use serde_json::json;

use crate::doors::PASSWORD;
use crate::support::adapter::{ADAPTER_KEY, Adapter, Manner};
use crate::support::authority::Authority;
use crate::support::clock::eventually;
use crate::support::configuration::Configuration;
use crate::support::gateway::Gateway;
use crate::support::op::Op;
use crate::support::upstream::Upstream;
use crate::world::{World, sign_in};

/// What a product is told of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Move,
    Merge,
    Aside,
}

impl Act {
    /// The calls, in order.
    const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Move => &["set_auth_mode", "revoke_sessions", "set_profile"],
            Self::Merge => &["set_auth_mode", "revoke_sessions", "merge"],
            Self::Aside => &["revoke_sessions", "set_profile"],
        }
    }

    /// At which steps the process dies, in order; nowhere: the run that the others must end as.
    const fn kills(self) -> &'static [&'static [usize]] {
        match self {
            Self::Move | Self::Merge => &[&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2]],
            Self::Aside => &[&[], &[0], &[1], &[0, 1]],
        }
    }

    /// The events under the journal's own id.
    const fn events(self) -> &'static [&'static str] {
        match self {
            Self::Move => &["migration.committed", "migration.completed"],
            Self::Merge => &["merge.committed", "merge.completed"],
            Self::Aside => &["account.quarantine_synced"],
        }
    }
}

/// A person with a record at `trello` whose password the product keeps.
pub fn person(number: u8) -> (Batch, ProductAccount, String) {
    let now = Clock::system().now();
    let email = format!("person-{number}@free.example.test");
    let address = EmailAddress::parse(&email).unwrap();
    let account = Account {
        id: AccountId::mint(now, [number; 10]),
        status: AccountStatus::Active,
        email: Some(address.clone()),
        email_verified: true,
        email_proved_at: None,
        name: None,
        epoch: 0,
        created_at: now,
        last_login_at: None,
    };
    let record = ProductAccount {
        id: ProductAccountId::mint(now, [number; 10]),
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
        email: address,
        verified: true,
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
    (Batch { changes, ..Batch::default() }, record, email)
}

/// Nobody ever proved the address.
fn never_proved(batch: &mut Batch) {
    for change in &mut batch.changes {
        match change {
            Change::CreateAccount(account) => account.email_verified = false,
            Change::Credential(CredentialChange::PutAddress(address)) => address.verified = false,
            _ => {}
        }
    }
}

/// The file of the gateway, as another process opens it.
pub fn open(world: &World) -> std::sync::Arc<dyn Store> {
    store::open("sqlite:fedgate.db", &world.gateway.directory().join("state")).expect("the store")
}

/// What the product heard about a user, each run of the same once.
fn told(adapter: &Adapter, sub: &str) -> Vec<(String, String)> {
    let calls = adapter.calls().into_iter().filter(|call| call.body["sub"] == sub);
    let mut told: Vec<_> =
        calls.map(|call| (call.body["call"].as_str().unwrap().to_owned(), call.idempotency_key)).collect();
    told.dedup();
    told
}

/// The account that the person has at the product by the issuer, under another address, and its record.
fn other_account(number: u8, issuer: DirectoryId) -> (Batch, ProductAccount) {
    let (batch, _, _) = person(number);
    let (mut batch, mut made) = (batch, None);
    let email = EmailAddress::parse(&format!("other-{number}@free.example.test")).unwrap();
    let id = AccountId::from_bytes([100 + number; 16]);
    batch.changes.retain_mut(|change| match change {
        Change::CreateAccount(account) => {
            (account.id, account.email) = (id, Some(email.clone()));
            true
        }
        Change::CreateProductAccount(record) => {
            (record.id, record.account) = (ProductAccountId::from_bytes([100 + number; 16]), id);
            (record.sub, record.state) = (format!("other-{number}"), ProductAccountState::Linked);
            made = Some(record.clone());
            true
        }
        _ => false,
    });
    batch.changes.push(Change::Link(LinkedIdentity {
        key: IdentityKey {
            directory: issuer,
            source: SubjectSource("sub".to_owned()),
            subject: format!("op-{number}"),
        },
        account: id,
        by: LinkedBy::FirstLogin,
        linked_at: Clock::system().now(),
        suspended: false,
    }));
    (batch, made.expect("a record"))
}

#[tokio::test]
async fn t11_mistake_13_a_move_that_a_crash_cuts_ends_as_one_that_none_cuts() {
    cut(Act::Move).await;
}

#[tokio::test]
async fn l11_mistake_13_a_merge_that_a_crash_cuts_ends_as_one_that_none_cuts() {
    cut(Act::Merge).await;
}

#[tokio::test]
async fn b21_mistake_13_an_account_put_aside_in_a_crash_is_put_aside_as_without_one() {
    cut(Act::Aside).await;
}

async fn cut(act: Act) {
    let (steps, merges) = (act.steps(), act == Act::Merge);
    let authority = Authority::new();
    let adapter = Adapter::start();
    let people: serde_json::Map<String, serde_json::Value> = (0..act.kills().len())
        .map(|number| {
            let email = format!("person-{number}@free.example.test");
            let person = json!({ "login": format!("p{number}"), "password": format!("p{number}-pw"), "email": email,
                                 "email_verified": true });
            (format!("op-{number}"), person)
        })
        .collect();
    let op = Op::start_with(&authority, json!({ "people": people }));
    let (trello, loom) = (Upstream::start(), Upstream::start());
    let keys = format!(
        "passwords = \"product\"\nmigration = {{ phase = \"optional\" }}\n\
         signup = \"open\"\ni_know_everyone_may_enter = true\n\
         adapter = {{ url = \"{}\", key_file = \"{{dir}}/adapter.key\", timeout = \"1s\" }}",
        adapter.url()
    );
    let file = Configuration::new()
        .trust(&authority.ca_file())
        .product("trello", &trello.url(), &keys)
        .secret("{dir}/adapter.key", ADAPTER_KEY)
        .table(&format!(
            "[issuer]\nname = \"Example\"\noidc = \"{}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"",
            op.issuer()
        ));
    let gateway = Gateway::start(&file);
    let mut world = World { gateway, op, trello, loom, authority };
    world.op.allow_redirects(&[&world.url("id", "/login/callback")], &[]).await;
    for (number, kills) in act.kills().iter().enumerate() {
        let (mut batch, record, email) = person(u8::try_from(number).unwrap());
        if act == Act::Aside {
            never_proved(&mut batch);
        }
        let store = open(&world);
        store.commit(batch).await.expect("a person");
        let mut survivor = None;
        if merges {
            let issuer = store.directories().await.unwrap().into_iter().find(|row| row.name == "issuer");
            let (batch, kept) = other_account(u8::try_from(number).unwrap(), issuer.expect("the issuer").id);
            store.commit(batch).await.expect("an account more");
            adapter.person(&email, PASSWORD, &record.sub);
            survivor = Some(kept);
        }
        store.close().await;
        adapter.be(Manner::Honest);
        if let Some(first) = kills.first() {
            adapter.hold(steps[*first]);
        }
        let agent = world.browser();
        let page = agent.visit(&world.url("trello", "/page")).await;
        let page = agent.submit(&page, "email", &[("email", &email)]).await;
        let page = agent.submit(&page, "/.fedgate/depart", &[("way", "issuer")]).await;
        let mut page = sign_in(&agent, page, &format!("p{number}")).await;
        if merges {
            page = agent.submit(&page, "/login/merge", &[("act", "merge")]).await;
            page = agent.submit(&page, "/.fedgate/prove", &[("password", PASSWORD)]).await;
            page = agent.submit(&page, "/login/merge/review", &[]).await;
        }
        if act == Act::Aside {
            page = agent.submit(&page, "/.fedgate/prove/anew", &[]).await;
            page = agent.submit(&page, "/login/link", &[]).await;
        }
        // The person waits for nothing of it.
        assert_eq!(page.url.as_str(), world.url("trello", "/page"), "{kills:?}: {}", page.describe());
        for (place, step) in kills.iter().enumerate() {
            let step = steps[*step];
            let reached = || told(&adapter, &record.sub).iter().any(|(call, _)| call == step);
            eventually(&format!("{kills:?}: {step}"), Duration::from_secs(30), reached).await;
            world.gateway.kill();
            match kills.get(place + 1) {
                Some(next) => adapter.hold(steps[*next]),
                None => adapter.be(Manner::Honest),
            }
            // Instead of waiting for the dead process's lease to end.
            world.database().execute("UPDATE migration SET due_at = 0", []).expect("written");
            world.gateway.launch();
            world.gateway.wait_ready();
        }
        let done = || {
            let db = world.database();
            let sql = "SELECT step FROM migration WHERE product_account = ?";
            db.query_row(sql, [record.id.to_bytes()], |row| row.get::<_, String>(0)).expect("a move") == "done"
        };
        eventually(&format!("{kills:?}: done"), Duration::from_secs(30), done).await;
        let store = open(&world);
        let now = store.product_account_by_id(record.id).await.unwrap().expect("the record");
        let state = match (act, &survivor) {
            (Act::Aside, _) => ProductAccountState::Local,
            (_, None) => ProductAccountState::Linked,
            (_, Some(kept)) => ProductAccountState::Merged(kept.id),
        };
        assert_eq!((now.state, &now.sub), (state, &record.sub), "{kills:?}");
        let old = store.account(record.account).await.unwrap().expect("the account");
        assert_eq!(old.status == AccountStatus::Quarantined, act == Act::Aside, "{kills:?}: {:?}", old.status);
        let migration = store.migration_of(record.id).await.unwrap().expect("a move");
        assert_eq!(migration.step, MigrationStep::Done);
        store.close().await;
        let expected: Vec<_> =
            steps.iter().map(|step| ((*step).to_owned(), format!("{}/{step}", migration.id))).collect();
        let heard: Vec<_> = told(&adapter, &record.sub);
        assert_eq!(heard, expected, "{kills:?}: in order, each under its own key");
        let completed = world.events().into_iter().filter(|event| event["txn"] == migration.id.to_string().as_str());
        let completed: Vec<_> = completed.map(|event| event["action"].clone()).collect();
        assert_eq!(completed, act.events(), "{kills:?}: each once");
        let aside = world.events().into_iter().filter(|event| {
            event["action"] == "account.quarantined" && event["subject"]["account"] == json!(record.account.to_string())
        });
        assert_eq!(aside.count(), usize::from(act == Act::Aside), "{kills:?}");
        // Whoever has logged in is still logged in after the crash, by the session of the commit.
        assert!(world.who(&agent, "trello").await.is_some_and(|who| who["linked"] == true), "{kills:?}");
        let owners = world.database();
        let owners =
            owners.query_row("SELECT count(*) FROM account WHERE email = ?", [&email], |row| row.get::<_, i64>(0));
        assert_eq!(owners.expect("a count"), i64::from(!merges), "{kills:?}: the address is one account's");
    }
    assert_eq!(adapter.faults(), Vec::<String>::new());
}
