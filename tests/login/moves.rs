//! Accounts that move to the one account: by a login whose word is enough, by a proof on both sides, because they must. What stays, what
//! dies, and what no trick moves.

use std::time::Duration;

use fedgate::kernel::journal::{Batch, Change, CredentialChange};
use fedgate::kernel::local::{SEED_BYTES, Seed};
use fedgate::kernel::model::{
    Address, Factor, FactorKind, IdentityKey, LinkedBy, LinkedIdentity, MigrationStep, ProductAccount,
    ProductAccountState, SubjectSource,
};
use fedgate::kernel::values::{DirectoryName, EmailAddress, FactorId, ThirdPartyName, Timestamp};
use fedgate::store::Store;
use serde_json::{Value, json};

use crate::doors::{Doors, PASSWORD, digits};
use crate::passwords::face;
use crate::support::adapter::{Adapter, Manner};
use crate::support::agent::UserAgent;
use crate::support::authority::Authority;
use crate::support::clock::eventually;
use crate::support::op::Op;
use crate::support::page::Page;
use crate::world::sign_in;

const ANN: &str = "ann@free.example.test";
const OPTIONAL: &str = "migration = { phase = \"optional\" }";
const FORCED: &str = "migration = { phase = \"forced\" }";

/// A product with passwords, an issuer and a third party of the same people, and a company.
pub struct Ground {
    pub doors: Doors,
    pub op: Op,
    authority: Authority,
}

impl Ground {
    pub async fn open(keys: &str) -> Self {
        Self::open_at(keys, None).await
    }

    /// The same, the passwords of `trello` kept by itself where there is an adapter.
    pub async fn open_at(keys: &str, adapter: Option<&Adapter>) -> Self {
        Self::open_with(keys, "", adapter).await
    }

    /// The same with more tables.
    pub async fn open_with(keys: &str, more: &str, adapter: Option<&Adapter>) -> Self {
        let authority = Authority::new();
        let person = |login: &str, email: &str, verified: bool| {
            json!({ "login": login, "password": format!("{login}-pw"), "email": email, "email_verified": verified,
                    "name": login })
        };
        let people = json!({
            "op-ann": person("ann", ANN, true),
            "op-mallory": person("mallory", "mallory@free.example.test", true),
            "op-liar": person("liar", ANN, false),
            "op-cara": person("cara", "cara@globex.example.test", true),
        });
        let op = Op::start_with(&authority, json!({ "people": people }));
        let tables = format!(
            "[issuer]\nname = \"Example\"\noidc = \"{issuer}\"\nclient_id = \"fedgate-public\"\nclient_auth = \"none\"\n\
             [third_party.other]\nlabel = \"Other\"\noidc = \"{issuer}\"\nclient_id = \"fedgate-es256\"\n\
             client_secret_file = \"{{dir}}/op.secret\"\nalgorithms = [\"ES256\"]\n\
             [org.globex]\ndomains = [\"globex.example.test\"]\n\
             sso = {{ oidc = \"{issuer}\", client_id = \"fedgate\", client_secret_file = \"{{dir}}/op.secret\" }}\n\
             [org.globex.policy]\nsso = \"enforced\"\n{more}",
            issuer = op.issuer()
        );
        let keys = match adapter {
            None => format!("passwords = \"here\"\n{keys}"),
            Some(adapter) => format!(
                "passwords = \"product\"\nadapter = {{ url = \"{}\", key_file = \"{{dir}}/adapter.key\", timeout = \"1s\" }}\n{keys}",
                adapter.url()
            ),
        };
        let doors = Doors::open_with_secret(&authority.ca_file(), &keys, &tables, op.client_secret()).await;
        let uris = ["/login/callback", "/login/callback/other", "/login/callback/globex"];
        let uris = uris.map(|path| doors.url("id", path));
        op.allow_redirects(&uris.each_ref().map(String::as_str), &[]).await;
        Self { doors, op, authority }
    }

    pub fn browser(&self) -> UserAgent {
        UserAgent::new(&[&self.doors.ca_file(), &self.authority.ca_file()])
    }

    pub fn store(&self) -> &dyn Store {
        self.doors.node.login.world().store.as_ref()
    }

    /// From a product's page to the end of the provider's form: `typed` at the door, then the way, then who it is there.
    pub async fn by_provider(&self, agent: &UserAgent, typed: &str, way: &str, login: &str) -> Page {
        let page = self.doors.identify(agent, typed).await;
        let page = agent.submit(&page, "/.fedgate/depart", &[("way", way)]).await;
        sign_in(agent, page, login).await
    }

    pub async fn state(&self, record: &ProductAccount) -> ProductAccountState {
        self.store().product_account_by_id(record.id).await.unwrap().expect("the record").state
    }

    /// An authenticator app, as its owner enrolled it.
    pub async fn enrolled(&self, record: &ProductAccount) -> Seed {
        let world = self.doors.node.login.world();
        let (now, seed) = (world.clock.now(), Seed::new([7; SEED_BYTES]));
        let id = FactorId::from_bytes([9; 16]);
        let mut factor = Factor {
            id,
            account: record.account,
            kind: FactorKind::Totp,
            label: "app".to_owned(),
            secret: world.keys.seal_seed(record.account, id, &seed).expect("sealed"),
            handle: None,
            counter: 0,
            created_at: now,
            last_used_at: None,
            mac: [0; 32],
        };
        factor.mac = world.keys.mac_factor(&factor);
        let change = Change::Credential(CredentialChange::AddFactor(factor));
        world.store.commit(Batch { changes: vec![change], ..Batch::default() }).await.expect("enrolled");
        seed
    }

    pub fn events(&self, action: &str) -> Vec<Value> {
        let db = self.doors.database();
        let mut rows = db.prepare("SELECT bytes FROM event ORDER BY position").expect("a table of events");
        let bytes = rows.query_map([], |row| row.get::<_, Vec<u8>>(0)).expect("readable");
        let all = bytes.map(|bytes| serde_json::from_slice::<Value>(&bytes.expect("readable")).expect("JSON"));
        all.filter(|event| event["action"] == action).collect()
    }

    /// Another address of a record.
    pub async fn another(&self, record: &ProductAccount, email: &str, verified: bool) {
        let address = Address {
            product_account: record.id,
            email: EmailAddress::parse(email).unwrap(),
            verified,
            verified_at: None,
            primary: false,
            added_at: Timestamp::from_seconds(1),
            last_login_at: None,
        };
        let change = Change::Credential(CredentialChange::PutAddress(address));
        self.store().commit(Batch { changes: vec![change], ..Batch::default() }).await.unwrap();
    }

    /// A login that the product had for its user before, as an import brings it.
    pub async fn linked(&self, record: &ProductAccount, subject: &str) {
        let name = DirectoryName::ThirdParty(ThirdPartyName::parse("other").unwrap());
        let directory = self.doors.node.login.world().catalog.load().directory_names[&name];
        let link = LinkedIdentity {
            key: IdentityKey { directory, source: SubjectSource("sub".to_owned()), subject: subject.to_owned() },
            account: record.account,
            by: LinkedBy::Import,
            linked_at: Timestamp::from_seconds(1),
            suspended: false,
        };
        self.store().commit(Batch { changes: vec![Change::Link(link)], ..Batch::default() }).await.unwrap();
    }

    pub fn is_at_product(&self, page: &Page) -> bool {
        page.url.as_str() == self.doors.url("trello", "/page")
    }

    pub async fn inside(&self, agent: &UserAgent) -> bool {
        self.doors.is_inside(agent, "trello").await
    }

    /// Everything of the record that a move must change, and nothing that it must not.
    pub async fn assert_moved(&self, record: &ProductAccount, kept: &str) {
        let now = self.store().product_account_by_id(record.id).await.unwrap().expect("the record");
        assert_eq!(now.state, ProductAccountState::Linked);
        let same = (&now.sub, now.account, now.created_at, now.off);
        assert_eq!(same, (&record.sub, record.account, record.created_at, record.off), "t11, t24: the same user");
        assert_eq!(self.store().password(record.id).await.unwrap(), None, "t30: the password is gone");
        let addresses = self.store().addresses_of(record.id).await.unwrap();
        let live: Vec<&str> = addresses.iter().map(|address| address.email.as_str()).collect();
        assert_eq!(live, [kept], "t15: one live address");
        let account = self.store().account(record.account).await.unwrap().expect("the account");
        assert_eq!(account.email.as_ref().map(EmailAddress::as_str), Some(kept));
        assert!(account.email_verified);
    }
}

#[tokio::test]
async fn t09_t11_a_login_by_a_linked_third_party_moves_the_account_once_and_kills_its_password() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.linked(&record, "op-mallory").await;
    // A session of before, which nobody may keep (H14).
    let before = ground.browser();
    assert_eq!(ground.doors.log_in(&before, ANN, PASSWORD).await.status, 200);
    assert!(ground.inside(&before).await);
    // The address that the third party says is another one: the subject counts.
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "other", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    assert_eq!(ground.doors.trello.last("/page").head.first("x-fedgate-user"), Some(record.sub.as_str()));
    ground.assert_moved(&record, ANN).await;
    assert!(!ground.inside(&before).await, "h14: what was before is dead");
    let letter = ground.doors.letter(&format!("To: {ANN}"), 1).await;
    assert!(letter.contains("Other"), "{letter}");
    let again = ground.browser();
    let page = ground.by_provider(&again, ANN, "other", "mallory").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let moved = ground.events("migration.committed");
    assert_eq!(moved.len(), 1, "once");
    assert_eq!((&moved[0]["reason"], &moved[0]["product"]), (&json!("third_party"), &json!("trello")));
    assert_eq!(ground.doors.letters(&format!("To: {ANN}")), 1);
    ground.doors.close().await;
}

#[tokio::test]
async fn c3_m7_what_a_linked_third_party_says_of_a_companys_address_makes_it_nobodys() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person("mallory@free.example.test").await;
    ground.another(&record, "cara@globex.example.test", false).await;
    ground.linked(&record, "op-cara").await;
    let mallory = ground.browser();
    let page = ground.by_provider(&mallory, "mallory@free.example.test", "other", "cara").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, "mallory@free.example.test").await;
    ground.doors.close().await;
}

#[tokio::test]
async fn t13_a_forgotten_password_is_set_anew_also_where_everybody_must_move() {
    let ground = Ground::open(FORCED).await;
    ground.doors.make(ANN, None).await;
    let ann = ground.browser();
    let page = ann.visit(&ground.doors.url("trello", "/forgot")).await;
    let page = ann.submit(&page, "email", &[("email", ANN)]).await;
    let code = digits(&ground.doors.letter(ANN, 1).await);
    let page = ann.submit(&page, "code", &[("code", &code)]).await;
    let done = ann.submit(&page, "password", &[("password", "orchid-tumble-44-granite")]).await;
    assert!(done.text().contains("Your password is changed"), "{}", done.describe());
    assert!(!ground.inside(&ann).await, "it opens nothing by itself");
    let page = ground.doors.log_in(&ann, ANN, "orchid-tumble-44-granite").await;
    assert!(page.text().contains("Continue with Example"), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_a_code_on_the_way_to_a_move_is_used_once() {
    let ground = Ground::open(FORCED).await;
    let record = ground.doors.person(ANN).await;
    let seed = ground.enrolled(&record).await;
    let code = seed.code(ground.doors.node.login.world().clock.now().seconds() / 30);
    for said in ["Continue with Example", "That code isn’t right"] {
        let agent = ground.browser();
        let page = ground.doors.log_in(&agent, ANN, PASSWORD).await;
        let page = agent.submit(&page, "code", &[("code", &code)]).await;
        assert!(page.text().contains(said), "{said}: {}", page.describe());
    }
    ground.doors.close().await;
}

#[tokio::test]
async fn b20_t15_t16_the_issuers_word_moves_an_account_and_leaves_one_address() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.another(&record, "old@free.example.test", true).await;
    ground.another(&record, "doubtful@free.example.test", false).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    let removed = ground.store().removed_aliases_of(record.id).await.unwrap();
    let removed: Vec<_> = removed.iter().map(|alias| (alias.email.as_str(), alias.verified_when_removed)).collect();
    assert_eq!(removed, [("doubtful@free.example.test", false), ("old@free.example.test", true)]);
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!((&who["linked"], &who["email"]), (&json!(true), &json!(ANN)));
    ground.doors.close().await;
}

#[tokio::test]
async fn t10_t30_no_door_takes_the_password_of_an_account_that_moved() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.doors.person("bob@free.example.test").await;
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    // The form of somebody else's page, with this address.
    let thief = ground.browser();
    let page = ground.doors.identify(&thief, "bob@free.example.test").await;
    let posted = thief.submit(&page, "password", &[("email", ANN), ("password", PASSWORD)]).await;
    assert!(!ground.is_at_product(&posted), "{}", posted.describe());
    // A reset asks nobody and sends nothing.
    let page = ground.doors.identify(&thief, "bob@free.example.test").await;
    thief.submit(&page, "/.fedgate/reset", &[("email", ANN)]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ground.doors.letters(&format!("To: {ANN}")), 1, "the one about the move");
    assert!(!ground.inside(&thief).await);
    // Nothing that the store can be told brings the password's state back.
    assert_eq!(ground.state(&record).await, ProductAccountState::Linked);
    ground.doors.close().await;
}

#[tokio::test]
async fn t08_nobody_moves_while_the_phase_is_off() {
    let ground = Ground::open("").await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(page.text().contains("There is already an account with this address"), "{}", page.describe());
    assert!(!ground.inside(&ann).await);
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.doors.close().await;
}

#[tokio::test]
async fn t35_a_company_that_enforces_sso_takes_its_people_along_whatever_the_phase() {
    let ground = Ground::open("").await;
    let record = ground.doors.person("cara@globex.example.test").await;
    // In use under the claim (C6): the account logged in a moment ago.
    let mut account = ground.store().account(record.account).await.unwrap().expect("the account");
    account.last_login_at = Some(ground.doors.node.login.world().clock.now());
    ground.store().commit(Batch { changes: vec![Change::UpdateAccount(account)], ..Batch::default() }).await.unwrap();
    let cara = ground.browser();
    let page = ground.doors.identify(&cara, "cara@globex.example.test").await;
    let page = sign_in(&cara, page, "cara").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, "cara@globex.example.test").await;
    assert_eq!(ground.events("migration.committed")[0]["reason"], "org_sso");
    ground.doors.close().await;
}

#[tokio::test]
async fn b17_t22_an_address_that_is_not_verified_or_is_another_moves_nothing() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    for login in ["liar", "mallory"] {
        let agent = ground.browser();
        let page = ground.by_provider(&agent, ANN, "issuer", login).await;
        assert!(page.status.is_client_error(), "{login}: {}", page.describe());
        assert!(!ground.inside(&agent).await, "{login}");
    }
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    assert_eq!(ground.events("migration.committed").len(), 0);
    ground.doors.close().await;
}

#[tokio::test]
async fn b22_t12_a_proof_on_both_sides_connects_them_after_a_review() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.another(&record, "old@free.example.test", true).await;
    // A third party has no authority over the address: the owner is asked.
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "other", "ann").await;
    assert!(asked.url.as_str().starts_with(&ground.doors.url("trello", "/.fedgate/prove?")), "{}", asked.describe());
    assert!(asked.text().contains("Other") && asked.text().contains(ANN), "h1: both are named: {}", asked.describe());
    let wrong = ann.submit(&asked, "password", &[("password", "not-the-password")]).await;
    assert!(wrong.text().contains("That didn’t work"), "{}", wrong.describe());
    let review = ann.submit(&wrong, "password", &[("password", PASSWORD)]).await;
    assert!(review.url.as_str().starts_with(&ground.doors.url("id", "/login/link?")), "{}", review.describe());
    for said in ["can’t be undone", ANN, "old@free.example.test", "Other"] {
        assert!(review.text().contains(said), "{said}: {}", review.describe());
    }
    // Both sides are proved, and nothing else has happened.
    assert_eq!(ground.state(&record).await, ProductAccountState::Migrating);
    assert!(!ground.inside(&ann).await);
    // Something changes meanwhile: the page is shown again (T12).
    ground.another(&record, "new@free.example.test", false).await;
    let stale = ann.submit(&review, "/login/link", &[]).await;
    assert_eq!(stale.status, 409, "{}", stale.describe());
    assert!(stale.text().contains("new@free.example.test"), "{}", stale.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Migrating);
    let page = ann.submit(&stale, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    assert_eq!(ground.doors.trello.last("/page").head.first("x-fedgate-user"), Some(record.sub.as_str()));
    // The same form again does nothing.
    let again = ann.submit(&stale, "/login/link", &[]).await;
    assert_ne!(again.status, 200, "{}", again.describe());
    assert_eq!(ground.events("migration.committed").len(), 1);
    ground.doors.close().await;
}

#[tokio::test]
async fn h1_mistake_14_what_one_browser_began_no_other_finishes() {
    let ground = Ground::open(OPTIONAL).await;
    ground.doors.person(ANN).await;
    // The attacker's own identity claims the victim's address; he sends the victim what he got.
    let attacker = ground.browser();
    let asked = ground.by_provider(&attacker, ANN, "other", "ann").await;
    let victim = ground.browser();
    let sent = victim.visit(asked.url.as_str()).await;
    assert!(sent.forms().iter().all(|form| form.action != "/.fedgate/prove"), "{}", sent.describe());
    // A victim who began a login of their own is asked nothing either: it was another one.
    ground.doors.identify(&victim, ANN).await;
    let sent = victim.visit(asked.url.as_str()).await;
    assert!(sent.forms().iter().all(|form| form.action != "/.fedgate/prove"), "{}", sent.describe());
    // And what the owner proved in one browser links nothing in another.
    let review = attacker.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert!(review.forms().iter().any(|form| form.action == "/login/link"), "{}", review.describe());
    let elsewhere = victim.visit(review.url.as_str()).await;
    assert!(elsewhere.forms().iter().all(|form| form.action != "/login/link"), "{}", elsewhere.describe());
    assert_eq!(ground.events("migration.committed").len(), 0);
    ground.doors.close().await;
}

#[tokio::test]
async fn t13_where_everybody_must_move_a_password_leads_to_the_move_and_nowhere_else() {
    let ground = Ground::open(FORCED).await;
    let record = ground.doors.person(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    assert!(page.text().contains("Continue with Example"), "{}", page.describe());
    assert!(!ground.inside(&ann).await, "nothing is opened by the password");
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "ann").await;
    // The issuer's word is enough for this address; else the review would come.
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn b11_what_was_typed_a_moment_ago_is_not_asked_for_again() {
    let ground = Ground::open(FORCED).await;
    // Never verified: the issuer's word alone moves nothing.
    let record = ground.doors.unverified(ANN).await;
    let ann = ground.browser();
    let page = ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "ann").await;
    assert!(page.url.as_str().starts_with(&ground.doors.url("trello", "/.fedgate/prove?")), "{}", page.describe());
    assert!(!page.html().contains("type=\"password\""), "m25: both are proved: {}", page.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    let review = ann.submit(&page, "/.fedgate/prove", &[]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    ground.doors.close().await;
}

#[tokio::test]
async fn h18_removed_and_linked_addresses_look_like_what_strangers_look_like() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    // How many are local is counted now, and the count is good for minutes: every stranger's lot is a password.
    ground.doors.identify(&ground.browser(), "nobody@free.example.test").await;
    ground.doors.person("local@free.example.test").await;
    ground.another(&record, "old@free.example.test", true).await;
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    let mut faces: [Vec<String>; 3] = Default::default();
    for typed in ["local@free.example.test", "nobody@free.example.test", "old@free.example.test"] {
        let agent = ground.browser();
        let page = ground.doors.identify(&agent, typed).await;
        faces[0].push(face(&page, typed));
        let wrong = agent.submit(&page, "password", &[("password", "not-the-password")]).await;
        faces[1].push(face(&wrong, typed));
        faces[2].push(face(&agent.submit(&page, "/.fedgate/reset", &[]).await, typed));
    }
    for faces in &faces {
        assert!(faces.iter().all(|face| *face == faces[0]), "{faces:#?}");
    }
    // A linked address's reset is everybody's; its other pages have a scene of their own.
    let agent = ground.browser();
    let page = ground.doors.identify(&agent, "local@free.example.test").await;
    let reset = agent.submit(&page, "/.fedgate/reset", &[("email", ANN)]).await;
    assert_eq!(face(&reset, ANN), faces[2][0]);
    ground.doors.close().await;
}

#[tokio::test]
async fn h18_a_linked_address_looks_like_the_strangers_who_get_its_page() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.person(ANN).await;
    ground.doors.person("local@free.example.test").await;
    ground.doors.moved(&record, &[], ground.doors.node.login.world().clock.now()).await;
    // One of two is local when it is counted: as many strangers are given the other ways.
    let linked = face(&ground.doors.identify(&ground.browser(), ANN).await, ANN);
    let mut stranger = None;
    for number in 0..100 {
        let typed = format!("nobody-{number}@free.example.test");
        let page = ground.doors.identify(&ground.browser(), &typed).await;
        if page.text().contains("Choose how to log in") {
            assert_eq!(face(&page, &typed), linked);
            stranger = Some(typed);
            break;
        }
    }
    let stranger = stranger.expect("half of the strangers");
    // A password that is posted past those pages, also the one that was right before the move.
    let mut faces = Vec::new();
    for (typed, password) in [(stranger.as_str(), "not-the-password"), (ANN, "not-the-password"), (ANN, PASSWORD)] {
        let agent = ground.browser();
        let page = ground.doors.identify(&agent, "local@free.example.test").await;
        let wrong = agent.submit(&page, "password", &[("email", typed), ("password", password)]).await;
        faces.push(face(&wrong, typed));
    }
    assert!(faces.iter().all(|face| *face == faces[0]) && faces[0].contains("Choose how to log in"), "{faces:#?}");
    ground.doors.close().await;
}

#[tokio::test]
async fn t02_t21_whoever_is_logged_in_by_a_password_may_move_by_their_own_choice() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.unverified(ANN).await;
    let ann = ground.browser();
    ground.doors.log_in(&ann, ANN, PASSWORD).await;
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!((&who["linked"], &who["move_url"]), (&json!(false), &json!("/.fedgate/move")));
    let page = ann.visit(&ground.doors.url("trello", "/.fedgate/move")).await;
    assert!(page.text().contains("can’t be undone"), "{}", page.describe());
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    let page = ann.submit(&page, "/.fedgate/move", &[]).await;
    let page = sign_in(&ann, page, "ann").await;
    // The session that lives is no proof of the record: its password is asked for once more.
    let review = ann.submit(&page, "password", &[("password", PASSWORD)]).await;
    let page = ann.submit(&review, "/login/link", &[]).await;
    assert_eq!(page.url.as_str(), ground.doors.url("trello", "/"), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    let who = ann.visit(&ground.doors.url("trello", "/.fedgate/session")).await.json();
    assert_eq!((&who["linked"], &who["move_url"]), (&json!(true), &Value::Null));
    // Whoever has moved, and whoever is a stranger, is asked nothing.
    for agent in [ann, ground.browser()] {
        let page = agent.visit(&ground.doors.url("trello", "/.fedgate/move")).await;
        assert!(page.forms().iter().all(|form| form.action != "/.fedgate/move"), "{}", page.describe());
    }
    ground.doors.close().await;
}

#[tokio::test]
async fn t23_t24_a_product_is_told_in_order_once_and_of_its_account_alone() {
    let adapter = Adapter::start();
    adapter.person(ANN, PASSWORD, "u-1");
    let ground = Ground::open_at(OPTIONAL, Some(&adapter)).await;
    let record = ground.doors.imported(ANN, "u-1").await;
    // It is out of order while the account moves: nobody waits for it (T30).
    adapter.be(Manner::Status(503, ""));
    let ann = ground.browser();
    let page = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    ground.assert_moved(&record, ANN).await;
    eventually("it was tried", Duration::from_secs(10), || !adapter.calls().is_empty()).await;
    assert_eq!(ground.store().migration_of(record.id).await.unwrap().unwrap().step, MigrationStep::SetAuthMode);
    // The password is dead although the product would still take it, and is not even asked.
    adapter.be(Manner::Honest);
    let thief = ground.browser();
    let page = ground.doors.identify(&thief, ANN).await;
    assert!(page.forms().iter().all(|form| form.action != "/.fedgate/password"), "{}", page.describe());
    eventually("it has heard of all", Duration::from_secs(30), || !ground.events("migration.completed").is_empty())
        .await;
    let migration = ground.store().migration_of(record.id).await.unwrap().unwrap();
    assert_eq!(migration.step, MigrationStep::Done);
    let calls = adapter.calls();
    let mut told: Vec<&str> = calls.iter().map(|call| call.path.trim_start_matches("/fedgate/")).collect();
    told.dedup();
    assert_eq!(told, ["set_auth_mode", "revoke_sessions", "set_profile"], "t24: nothing else, in order");
    for call in &calls {
        let step = call.path.trim_start_matches("/fedgate/");
        assert_eq!(call.idempotency_key, format!("{}/{step}", migration.id), "the same at each try");
        assert_eq!((&call.body["sub"], &call.body["product"]), (&json!("u-1"), &json!("trello")));
    }
    let profile = calls.last().unwrap();
    assert_eq!(profile.body["email"], json!(ANN));
    assert_eq!(adapter.faults(), Vec::<String>::new());
    ground.doors.close().await;
}

#[tokio::test]
async fn an_intent_is_taken_back_after_half_an_hour_and_keeps_others_out_meanwhile() {
    let ground = Ground::open(OPTIONAL).await;
    let record = ground.doors.unverified(ANN).await;
    let ann = ground.browser();
    let asked = ground.by_provider(&ann, ANN, "issuer", "ann").await;
    ann.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert_eq!(ground.state(&record).await, ProductAccountState::Migrating);
    let first = ground.store().migration_of(record.id).await.unwrap().expect("an intent");
    // The same again is the same move.
    let again = ground.browser();
    let asked = ground.by_provider(&again, ANN, "issuer", "ann").await;
    again.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert_eq!(ground.store().migration_of(record.id).await.unwrap(), Some(first.clone()));
    // Another identity is refused meanwhile.
    let other = ground.browser();
    let asked = ground.by_provider(&other, ANN, "other", "ann").await;
    let refused = other.submit(&asked, "password", &[("password", PASSWORD)]).await;
    assert!(refused.text().contains("already has another login"), "{}", refused.describe());
    // Its password still logs in: nothing was committed.
    assert!(ground.is_at_product(&ground.doors.log_in(&ground.browser(), ANN, PASSWORD).await));
    let half = i64::try_from(Duration::from_secs(1_801).as_millis()).unwrap();
    ground.doors.database().execute("UPDATE migration SET due_at = due_at - ?", [half]).expect("written");
    eventually("it is taken back", Duration::from_secs(10), || !ground.events("migration.rolled_back").is_empty())
        .await;
    assert_eq!(ground.state(&record).await, ProductAccountState::Local);
    assert_eq!(ground.store().migration_of(record.id).await.unwrap(), None);
    ground.doors.close().await;
}
