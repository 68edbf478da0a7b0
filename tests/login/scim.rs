//! Provisioning by a company's provider (SCIM; rules H3, H4, row L09, mistakes 3, 11 and 31), from outside: a client with a directory's
//! token, and the people whom it provisions, who log in by the same directory.

use std::time::Duration;

use bytes::Bytes;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{Account, AccountStatus, ProductAccount, ProductAccountState};
use fedgate::kernel::scim::token::ScimToken;
use fedgate::kernel::values::{
    AccountId, DirectoryId, EmailAddress, LoginSessionId, ProductAccountId, ProductName, SessionKey, Timestamp, Token,
};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use url::Url;

use crate::support::adapter::{ADAPTER_KEY, Adapter};
use crate::support::clock::{Deadline, eventually, unix_seconds};
use crate::world::{ACME, SESSION, World};

#[path = "scim_restore.rs"]
mod restore;

const ANN: &str = "ann@acme.example.test";
const BOB: &str = "bob@acme.example.test";
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn token(byte: u8) -> String {
    let until = Timestamp::from_seconds(unix_seconds() + 86_400);
    ScimToken { secret: Token::new([byte; 32]), until }.write().to_string()
}

/// The organization `acme`, whose main directory provisions people, and `globex`, whose does as well.
struct Ground {
    world: World,
    acme: String,
    globex: String,
}

struct Answer {
    status: u16,
    body: Value,
    tag: Option<String>,
}

impl Answer {
    fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("{} {}", self.status, self.body))
    }
}

impl std::ops::Deref for Ground {
    type Target = World;
    fn deref(&self) -> &World {
        &self.world
    }
}

impl Ground {
    async fn open(product: &str, more: &str) -> Self {
        let (acme, globex) = (token(1), token(2));
        let (for_acme, for_globex) = (acme.clone(), globex.clone());
        let mut world = World::prepare_of(product, |file, op| {
            let (issuer, secret) = (op.issuer().to_owned(), op.client_secret().to_owned());
            file.secret("{dir}/op.secret", &secret)
                .secret("{dir}/adapter.key", ADAPTER_KEY)
                .secret("{dir}/acme.scim", &format!("{}\n{}", token(9), for_acme))
                .secret("{dir}/globex.scim", &for_globex)
                .table(&format!(
                    "[org.acme]\ndomains = [\"{ACME}\"]\n[org.acme.directory.main]\noidc = \"{issuer}\"\nclient_id = \"fedgate\"\n\
                     client_secret_file = \"{{dir}}/op.secret\"\nscopes = [\"openid\", \"email\", \"profile\", \"groups\"]\ngroups = \"groups\"\nscim = {{ token_file = \"{{dir}}/acme.scim\" }}\n\
                     [org.globex]\ndomains = [\"globex.example.test\"]\n[org.globex.directory.main]\noidc = \"{issuer}\"\n\
                     client_id = \"fedgate-public\"\nclient_auth = \"none\"\nscim = {{ token_file = \"{{dir}}/globex.scim\" }}\n{more}"
                ))
        })
        .await;
        world.gateway.launch();
        world.gateway.wait_ready();
        Self { world, acme, globex }
    }

    async fn ask(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(Some(token), method, &format!("/scim/acme/v2{path}"), body, &[]).await
    }

    async fn send(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
        body: Option<Value>,
        fields: &[(&str, &str)],
    ) -> Answer {
        let url = self.url("id", path);
        let mut request = Request::builder().method(method).uri(&url);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/scim+json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::from(body)).expect("a request");
        let agent = self.gateway.agent(&[]);
        let answer = agent.wire().exchange(&Url::parse(&url).expect("a URL"), request).await.expect("an answer");
        assert!(answer.headers().get("set-cookie").is_none());
        let tag = answer.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(ToOwned::to_owned);
        Answer {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
            tag,
        }
    }

    async fn post(&self, user: Value) -> Answer {
        self.ask(&self.acme, Method::POST, "/Users", Some(user)).await
    }

    async fn patch(&self, id: &str, operations: Value) -> Answer {
        let message = json!({ "schemas": [PATCH], "Operations": operations });
        self.ask(&self.acme, Method::PATCH, &format!("/Users/{id}"), Some(message)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&self.acme, Method::GET, path, None).await
    }

    async fn delete(&self, id: &str) -> Answer {
        self.ask(&self.acme, Method::DELETE, &format!("/Users/{id}"), None).await
    }

    fn store(&self) -> std::sync::Arc<dyn fedgate::store::Store> {
        fedgate::store::open("sqlite:fedgate.db", &self.gateway.directory().join("state")).expect("the store")
    }

    async fn account(&self, id: &str) -> Account {
        let id = AccountId::parse(id).expect("an id");
        self.store().account(id).await.expect("an answer").expect("the account")
    }

    /// The account of the newest login.
    fn logged_in_as(&self) -> String {
        let found = self.events().into_iter().rev().find(|event| event["action"] == "login.succeeded");
        found.expect("a login")["subject"]["account"].as_str().expect("an account").to_owned()
    }

    fn found(&self, action: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["action"] == action).collect()
    }
}

fn user(name: &str, external_id: &str) -> Value {
    json!({
        "schemas": [CORE], "userName": name, "externalId": external_id, "active": true,
        "name": { "givenName": "Ann", "familyName": "Lee" }, "emails": [{ "value": name, "type": "work", "primary": true }],
    })
}

#[tokio::test]
async fn h4_h12_a_token_opens_its_own_directory_and_nothing_else() {
    let ground = Ground::open("", "").await;
    let [users, config] = ["/Users", "/ServiceProviderConfig"].map(|path| format!("/scim/acme/v2{path}"));
    let almost = format!("{}x", &ground.acme[..ground.acme.len() - 1]);
    let ended = ScimToken { secret: Token::new([1; 32]), until: Timestamp::from_seconds(unix_seconds() - 1) }
        .write()
        .to_string();
    let long = ScimToken { secret: Token::new([1; 32]), until: Timestamp::from_seconds(unix_seconds() + 400 * 86_400) }
        .write()
        .to_string();
    for wrong in [None, Some("x"), Some(&ground.globex[..]), Some(&almost), Some(&token(3))] {
        for path in [&users, &config] {
            let answer = ground.send(wrong, Method::GET, path, None, &[]).await;
            assert_eq!(
                (answer.status, &answer.body["schemas"][0]),
                (401, &json!("urn:ietf:params:scim:api:messages:2.0:Error")),
                "{wrong:?}"
            );
        }
    }
    // What else a token says counts for nothing: the file says until when.
    for other in [&ended, &long] {
        assert_eq!(
            ground.send(Some(other), Method::GET, &users, None, &[]).await.status,
            200,
            "the file's own end holds"
        );
    }
    let twice = [("authorization", "Bearer x")];
    assert_eq!(
        ground.send(Some(&ground.acme), Method::GET, &users, None, &twice).await.status,
        401,
        "c7: one credential"
    );
    for nobody in
        ["/scim/nobody/v2/Users", "/scim/acme/other/v2/Users", "/scim/directory/01J00000000000000000000000/v2/Users"]
    {
        assert_eq!(ground.send(Some(&ground.acme), Method::GET, nobody, None, &[]).await.status, 401, "{nobody}");
    }
    for good in [&ground.acme, &token(9)] {
        assert_eq!(ground.send(Some(good), Method::GET, &users, None, &[]).await.status, 200);
    }
    let log = ground.gateway.log();
    assert!(!log.contains(&ground.acme[4..40]), "no token in the log");

    // Ids of one directory are nothing to another.
    let ann = ground.post(user(ANN, "a1")).await;
    assert_eq!(ann.status, 201, "{}", ann.body);
    let at = format!("/scim/globex/v2/Users/{}", ann.id());
    let body =
        Some(json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "active", "value": false }] }));
    for (method, body) in
        [(Method::GET, None), (Method::PATCH, body), (Method::PUT, Some(user(ANN, "a1"))), (Method::DELETE, None)]
    {
        let answer = ground.send(Some(&ground.globex), method.clone(), &at, body, &[]).await;
        assert_eq!(answer.status, 404, "{method}");
    }
    for filter in ["id eq \"ID\"", "userName eq \"ann@acme.example.test\"", "externalId eq \"a1\"", "userName pr"] {
        let filter =
            url::form_urlencoded::byte_serialize(filter.replace("ID", ann.id()).as_bytes()).collect::<String>();
        let of = async |directory: &str, token: &str| {
            let path = format!("/scim/{directory}/v2/Users?filter={filter}");
            ground.send(Some(token), Method::GET, &path, None, &[]).await.body["totalResults"].clone()
        };
        assert_eq!(
            (of("acme", &ground.acme).await, of("globex", &ground.globex).await),
            (json!(1), json!(0)),
            "{filter}"
        );
    }
    let group = json!({ "displayName": "g", "members": [{ "value": ann.id() }] });
    let answer = ground.send(Some(&ground.globex), Method::POST, "/scim/globex/v2/Groups", Some(group), &[]).await;
    assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")));
    assert_eq!(ground.account(ann.id()).await.status, AccountStatus::Active);
}

#[tokio::test]
async fn h4_a_provisioned_person_logs_in_as_that_account_and_is_out_within_a_second_when_switched_off() {
    let ground = Ground::open("", "").await;
    let made = ground.post(user(ANN, "00uA")).await;
    assert_eq!(
        (made.status, &made.body["active"], made.tag.as_deref()),
        (201, &json!(true), Some("W/\"1\"")),
        "{}",
        made.body
    );
    let agent = ground.logged_in("ann").await;
    assert_eq!(ground.logged_in_as(), made.id());
    let sub = ground.trello.last("/page").head.first("x-fedgate-user").expect("a user").to_owned();

    // What is open at the product, and what is asked of it anew: the session's own row is not all that lets people in.
    let at_product = async |path: &str| {
        let url = ground.url("trello", path);
        let request = Request::get(&url).header("cookie", agent.cookie_header(&url).unwrap_or_default());
        let request = request.body(Full::default()).expect("a request");
        agent.wire().send(&Url::parse(&url).expect("a URL"), request).await.expect("an answer")
    };
    let stream = at_product("/events").await;
    assert_eq!((stream.status(), ground.trello.open_streams()), (StatusCode::OK, 1));

    let second = Deadline::after(Duration::from_secs(1));
    let off = ground.patch(made.id(), json!([{ "op": "Replace", "path": "active", "value": "False" }])).await;
    assert_eq!((off.status, &off.body["active"]), (200, &json!(false)), "{}", off.body);
    while ground.trello.open_streams() > 0 || at_product("/page").await.status() == StatusCode::OK {
        assert!(!second.passed(), "still in: {} streams", ground.trello.open_streams());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(ground.who(&agent, "trello").await.is_none());
    drop(stream);
    let event = ground.found("scim.user_deactivated").pop().expect("an event");
    assert_eq!((&event["actor"]["id"], &event["subject"]["account"]), (&json!("acme"), &json!(made.id())));
    assert!(event["after"]["took_ms"].as_u64().is_some_and(|took| took < 1000), "{event}");
    let page = ground.log_in(&ground.browser(), "ann", &ground.url("trello", "/page")).await;
    ground.assert_refused(&page, "inactive").await;
    let outbox = ground.gateway.directory().join("state/outbox");
    let letters = || std::fs::read_dir(&outbox).map(Iterator::count).unwrap_or(0);
    eventually("N6", Duration::from_secs(10), || letters() > 0).await;

    // The directory takes its own word back, and the person is who they were.
    let on = ground.ask(&ground.acme, Method::PUT, &format!("/Users/{}", made.id()), Some(user(ANN, "00uA"))).await;
    assert_eq!((on.status, &on.body["active"]), (200, &json!(true)), "{}", on.body);
    ground.logged_in("ann").await;
    assert_eq!(ground.trello.last("/page").head.first("x-fedgate-user"), Some(sub.as_str()));
}

#[tokio::test]
async fn h4_mistake_11_active_undoes_only_what_the_directory_itself_switched_off() {
    let ground = Ground::open("", "").await;
    let id = ground.post(user(ANN, "00uA")).await.id().to_owned();
    let by_admin = async |status| {
        let mut batch = Batch::default();
        batch.set_account_status(AccountId::parse(&id).expect("an id"), status);
        ground.store().commit(batch).await.expect("committed");
    };
    by_admin(AccountStatus::Deactivated).await;
    let on = json!([{ "op": "replace", "value": { "active": true } }]);
    for answer in [
        ground.patch(&id, on.clone()).await,
        ground.ask(&ground.acme, Method::PUT, &format!("/Users/{id}"), Some(user(ANN, "00uA"))).await,
    ] {
        assert_eq!((answer.status, &answer.body["scimType"]), (409, &json!("mutability")), "{}", answer.body);
    }
    assert_eq!(ground.account(&id).await.status, AccountStatus::Deactivated);
    assert_eq!(ground.get(&format!("/Users/{id}")).await.body["active"], json!(false), "what holds is shown");

    // Switched off by the directory, on by an admin, off by an admin: not the directory's to undo any more.
    by_admin(AccountStatus::Active).await;
    assert_eq!(ground.patch(&id, json!([{ "op": "replace", "value": { "active": false } }])).await.status, 200);
    by_admin(AccountStatus::Active).await;
    by_admin(AccountStatus::Deactivated).await;
    assert_eq!(ground.patch(&id, on).await.status, 409);
    assert_eq!(ground.account(&id).await.status, AccountStatus::Deactivated);
    assert!(ground.found("scim.refused").len() >= 3);
}

#[tokio::test]
async fn h4_mistake_3_who_comes_after_a_deleted_user_gets_nothing_of_theirs() {
    let ground = Ground::open("", "").await;
    let old = ground.post(user(ANN, "00uA")).await.id().to_owned();
    let agent = ground.logged_in("ann").await;
    let old_sub = ground.trello.last("/page").head.first("x-fedgate-user").expect("a user").to_owned();
    assert_eq!(ground.delete(&old).await.status, 204);
    assert!(ground.who(&agent, "trello").await.is_none(), "ended");
    assert_eq!(ground.get(&format!("/Users/{old}")).await.status, 404);
    assert_eq!(ground.delete(&old).await.status, 404);
    assert_eq!(ground.account(&old).await.status, AccountStatus::Deactivated);
    assert!(
        ground.store().identities_of(AccountId::parse(&old).expect("an id")).await.expect("links").is_empty(),
        "unlinked"
    );
    // Before the provider says that there is somebody new, nobody comes in by the address.
    let page = ground.log_in(&ground.browser(), "ann", &ground.url("trello", "/page")).await;
    ground.assert_refused(&page, "inactive").await;

    let new = ground.post(user(ANN, "00uB")).await;
    assert_eq!(new.status, 201, "{}", new.body);
    assert_ne!(new.id(), old);
    assert_eq!(ground.account(&old).await.email, None, "the address is the new one's");
    // The product still takes the address for the one before: the operator frees it (H19).
    let page = ground.log_in(&ground.browser(), "ann", &ground.url("trello", "/page")).await;
    ground.assert_refused(&page, "conflict").await;
    let (status, out, err) = ground.gateway.command(&["quarantine", "free", ANN, "--product", "trello"]);
    assert!(status.success(), "{out}{err}");
    ground.logged_in("ann").await;
    assert_eq!(ground.logged_in_as(), new.id());
    assert_ne!(ground.trello.last("/page").head.first("x-fedgate-user"), Some(old_sub.as_str()));
    assert_eq!(ground.account(&old).await.status, AccountStatus::Deactivated, "and nobody is the old one");
}

#[tokio::test]
async fn h4_only_an_account_that_nobody_of_the_directory_was_behind_is_taken_on() {
    let ground = Ground::open("", "").await;
    // Logged in before provisioning began: linked in this directory.
    ground.logged_in("ann").await;
    let linked = ground.logged_in_as();
    let answer = ground.post(user(ANN, "00uA")).await;
    assert_eq!((answer.status, &answer.body["scimType"]), (409, &json!("uniqueness")), "{}", answer.body);
    let overlap = ground.found("scim.refused").pop().expect("an event");
    assert!(overlap["reason"].as_str().is_some_and(|reason| reason.starts_with("OVERLAP: ")), "{overlap}");
    assert!(!answer.body.to_string().contains(&linked), "whose it is is not said");

    // There before, proved, active, linked nowhere here: theirs. Unproved or switched off: nobody's.
    let plant = async |number: u8, email: &str, verified, status| {
        let at = Timestamp::from_seconds(unix_seconds());
        let account = Account {
            id: AccountId::mint(at, [number; 10]),
            status,
            email: Some(EmailAddress::parse(email).expect("an address")),
            email_verified: verified,
            email_proved_at: verified.then_some(at),
            name: None,
            epoch: 0,
            created_at: at,
            last_login_at: None,
        };
        ground
            .store()
            .commit(Batch { changes: vec![Change::CreateAccount(account.clone())], ..Batch::default() })
            .await
            .expect("committed");
        account.id.to_string()
    };
    let bob = plant(1, BOB, true, AccountStatus::Active).await;
    let adopted = ground.post(user(BOB, "00uB")).await;
    assert_eq!((adopted.status, adopted.id()), (201, bob.as_str()), "{}", adopted.body);
    assert_eq!(ground.account(&bob).await.name.as_deref(), Some("Ann Lee"));
    ground.logged_in("bob").await;
    assert_eq!(ground.logged_in_as(), bob);
    plant(2, "un@acme.example.test", false, AccountStatus::Active).await;
    plant(3, "off@acme.example.test", true, AccountStatus::Deactivated).await;
    for taken in ["un@acme.example.test", "off@acme.example.test"] {
        assert_eq!(ground.post(user(taken, taken)).await.status, 409, "{taken}");
    }
    for foreign in ["x@globex.example.test", "x@sub.acme.example.test", "x@gmail.com"] {
        let answer = ground.post(user(foreign, foreign)).await;
        assert_eq!((answer.status, &answer.body["scimType"]), (400, &json!("invalidValue")), "{foreign}");
    }
}

#[tokio::test]
async fn mistake_31_l09_an_address_that_lives_elsewhere_is_not_taken_and_a_free_one_is() {
    let ground = Ground::open("", "[admin]\noperators = [\"it@acme.example.test\"]\n").await;
    let ann = ground.post(user(ANN, "00uA")).await.id().to_owned();
    let bob = ground.post(user(BOB, "00uB")).await.id().to_owned();
    ground.logged_in("ann").await;
    let move_to = async |to: &str| {
        let set = json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": to }]);
        ground.patch(&ann, set).await
    };
    let rows = [
        (BOB, 409, "uniqueness", "OVERLAP: the address is another account's"),
        ("ann@globex.example.test", 400, "invalidValue", "FOREIGN-DOMAIN"),
        ("it@acme.example.test", 409, "mutability", "PINNED-ADMIN"),
    ];
    for (to, status, kind, reason) in rows {
        let answer = move_to(to).await;
        assert_eq!((answer.status, &answer.body["scimType"]), (status, &json!(kind)), "{to}");
        assert_eq!(ground.found("scim.refused").pop().expect("an event")["reason"], json!(reason), "{to}");
        let account = ground.account(&ann).await;
        assert_eq!(account.email.expect("an address").as_str(), ANN, "unaffected");
        let shown = ground.get(&format!("/Users/{ann}")).await;
        assert_eq!(shown.body["emails"][0]["value"], json!(ANN), "nothing of it was kept");
    }
    assert_eq!(ground.account(&bob).await.email.expect("an address").as_str(), BOB);
    ground.logged_in("ann").await;
    assert_eq!(ground.logged_in_as(), ann, "the subject is unaffected");

    // Ending somebody's access waits for nothing else of the message.
    let mut leaving = user(BOB, "00uA");
    (leaving["userName"], leaving["active"]) = (json!(ANN), json!(false));
    let answer = ground.ask(&ground.acme, Method::PUT, &format!("/Users/{ann}"), Some(leaving)).await;
    assert_eq!((answer.status, &answer.body["active"]), (200, &json!(false)), "{}", answer.body);
    let account = ground.account(&ann).await;
    assert_eq!((account.status, account.email.expect("an address").as_str()), (AccountStatus::Deactivated, ANN));
    let answer = ground.ask(&ground.acme, Method::PUT, &format!("/Users/{ann}"), Some(user(ANN, "00uA"))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);

    let new = "ann.lee@acme.example.test";
    let moved = move_to(new).await;
    assert_eq!(moved.status, 200, "{}", moved.body);
    assert_eq!(ground.account(&ann).await.email.expect("an address").as_str(), new);
    ground.logged_in("ann").await;
    assert_eq!(ground.logged_in_as(), ann, "found by the subject");
    let given_up = "SELECT count(*) FROM removed_alias WHERE email = ?";
    let count: i64 = ground.database().query_row(given_up, [ANN], |row| row.get(0)).expect("a count");
    assert!(count > 0, "the address before was given up");
}

#[tokio::test]
async fn h4_groups_decide_who_enters_and_a_change_is_felt_at_once() {
    let ground = Ground::open("allow = { groups = [\"Board users\"] }", "").await;
    let ann = ground.post(user(ANN, "00uA")).await.id().to_owned();
    let page = ground.log_in(&ground.browser(), "ann", &ground.url("trello", "/page")).await;
    ground.assert_refused(&page, "not-allowed").await;
    let made = ground
        .ask(&ground.acme, Method::POST, "/Groups", Some(json!({ "displayName": "Board users", "externalId": "g1" })))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let at = format!("/Groups/{}", made.id());
    let change = async |operation: Value| {
        let message = json!({ "schemas": [PATCH], "Operations": [operation] });
        ground.ask(&ground.acme, Method::PATCH, &at, Some(message)).await
    };
    let joined = change(json!({ "op": "Add", "path": "members", "value": [{ "value": ann }] })).await;
    assert_eq!((joined.status, &joined.body["members"][0]["value"]), (200, &json!(ann)), "{}", joined.body);
    let agent = ground.logged_in("ann").await;
    assert_eq!(ground.get(&format!("/Users/{ann}")).await.body["groups"][0]["display"], json!("Board users"));
    let seen = ground.trello.last("/page").head.first("x-fedgate-groups").expect("groups").to_owned();
    assert_eq!(seen, "Board users,staff,video", "with those of the login");
    // H5: a session that another directory proved is none of this one's matter.
    let own = ground.store().login_sessions_of(AccountId::parse(&ann).expect("an id")).await.expect("sessions");
    let mut elsewhere = own.first().expect("hers").clone();
    elsewhere.id = LoginSessionId::from_bytes([7; 16]);
    elsewhere.key = SessionKey([7; 32]);
    elsewhere.directory = DirectoryId::from_bytes([7; 16]);
    let made = Batch { changes: vec![Change::CreateLoginSession(elsewhere.clone())], ..Batch::default() };
    ground.store().commit(made).await.expect("committed");
    let left = change(json!({ "op": "Remove", "path": "members", "value": [{ "value": ann }] })).await;
    assert_eq!(left.status, 200, "{}", left.body);
    let open = ground.store().login_sessions_of(elsewhere.account).await.expect("sessions");
    assert_eq!(open.iter().map(|session| session.id).collect::<Vec<_>>(), [elsewhere.id]);
    let second = Deadline::after(Duration::from_secs(1));
    while ground.who(&agent, "trello").await.is_some() {
        assert!(!second.passed(), "still in");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let page = ground.log_in(&ground.browser(), "ann", &ground.url("trello", "/page")).await;
    ground.assert_refused(&page, "not-allowed").await;
    assert_eq!(ground.ask(&ground.acme, Method::DELETE, &at, None).await.status, 204);
    assert_eq!(ground.get(&at).await.status, 404);
    for action in ["scim.group_created", "scim.group_updated", "scim.group_deleted"] {
        assert!(!ground.found(action).is_empty(), "{action}");
    }
}

#[tokio::test]
async fn clients_find_page_and_guard_what_they_change() {
    let ground = Ground::open("", "").await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let made = ground.post(user(&format!("user{number}@acme.example.test"), &format!("e{number}"))).await;
        ids.push(made.id().to_owned());
    }
    let again = ground.post(user("USER1@acme.example.test", "other")).await;
    assert_eq!((again.status, &again.body["scimType"]), (409, &json!("uniqueness")));
    let page = ground.get("/Users?startIndex=2&count=2").await.body;
    assert_eq!(
        (&page["totalResults"], &page["startIndex"], &page["itemsPerPage"]),
        (&json!(5), &json!(2), &json!(2)),
        "{page}"
    );
    let named = |page: &Value| {
        page["Resources"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(named(&page), [json!(ids[1]), json!(ids[2])]);
    assert_eq!(ground.get("/Users?count=0").await.body["totalResults"], json!(5));
    for (filter, found) in [
        ("userName%20eq%20%22user3@ACME.example.test%22", 1),
        ("externalId%20eq%20%22E3%22", 0),
        ("emails%5Btype%20eq%20%22work%22%20and%20value%20sw%20%22user%22%5D", 5),
        ("active%20eq%20false", 0),
    ] {
        assert_eq!(ground.get(&format!("/Users?filter={filter}")).await.body["totalResults"], json!(found), "{filter}");
    }
    let wrong = ground.get("/Users?filter=userName%20eq").await;
    assert_eq!((wrong.status, &wrong.body["scimType"]), (400, &json!("invalidFilter")));

    let at = format!("/scim/acme/v2/Users/{}", ids[0]);
    let title =
        |title: &str| json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": title }] });
    let send = async |method: Method, body: Option<Value>, fields: &[(&str, &str)]| {
        ground.send(Some(&ground.acme), method, &at, body, fields).await
    };
    assert_eq!(send(Method::PATCH, Some(title("boss")), &[("if-match", "W/\"7\"")]).await.status, 412);
    let changed = send(Method::PATCH, Some(title("boss")), &[("if-match", "W/\"1\"")]).await;
    assert_eq!(
        (changed.status, changed.tag.as_deref(), &changed.body["title"]),
        (200, Some("W/\"2\""), &json!("boss"))
    );
    assert_eq!(send(Method::DELETE, None, &[("if-match", "W/\"1\"")]).await.status, 412);
    assert_eq!(send(Method::GET, None, &[("if-none-match", "W/\"2\"")]).await.status, 304);
    assert_eq!(send(Method::GET, None, &[("if-none-match", "W/\"1\"")]).await.status, 200);
    let renamed = ground.patch(&ids[0], json!([{ "op": "replace", "path": "id", "value": ids[1] }])).await;
    assert_eq!((renamed.status, &renamed.body["scimType"]), (400, &json!("mutability")));
    let twice = ground.patch(&ids[0], json!([{ "op": "replace", "path": "externalId", "value": "e1" }])).await;
    assert_eq!(twice.status, 409);
    assert_eq!(send(Method::POST, Some(json!({})), &[]).await.status, 405);
    assert_eq!(ground.get("/Bulk").await.status, 404);
    let half = ground.get(&format!("/Users/{}?attributes=userName", ids[0])).await.body;
    assert!(half.get("emails").is_none() && half["userName"].is_string() && half["id"].is_string(), "{half}");
    // A browser of a person brings nothing that counts here.
    let agent = ground.logged_in("bob").await;
    assert!(agent.cookie_header(&ground.url("id", "/")).is_some_and(|cookies| cookies.contains(SESSION)));
    assert_eq!(agent.visit(&ground.url("id", "/scim/acme/v2/Users")).await.status, 401);
}

#[tokio::test]
async fn l09_a_name_that_is_provisioned_reaches_the_product_once() {
    let adapter = Adapter::start();
    let keys = format!(
        "passwords = \"product\"\nadapter = {{ url = \"{}\", key_file = \"{{dir}}/adapter.key\" }}",
        adapter.url()
    );
    let ground = Ground::open(&keys, "").await;
    let ann = ground.post(user(ANN, "00uA")).await.id().to_owned();
    adapter.person(ANN, "no password of anybody", "u-ann");
    let at = Timestamp::from_seconds(unix_seconds());
    let record = ProductAccount {
        id: ProductAccountId::mint(at, [1; 10]),
        product: ProductName::parse("trello").expect("a name"),
        account: AccountId::parse(&ann).expect("an id"),
        sub: "u-ann".to_owned(),
        state: ProductAccountState::Linked,
        off: false,
        created_at: at,
        enterprise: None,
        off_by: None,
        asked_at: None,
    };
    let changes = vec![Change::CreateProductAccount(record)];
    ground.store().commit(Batch { changes, ..Batch::default() }).await.expect("committed");
    let profiles =
        || adapter.calls().into_iter().filter(|call| call.path == "/fedgate/set_profile").collect::<Vec<_>>();
    let before = profiles().len();
    let named =
        ground.patch(&ann, json!([{ "op": "replace", "path": "displayName", "value": "Anna\u{202e} Wu" }])).await;
    assert_eq!(named.status, 200, "{}", named.body);
    assert_eq!(ground.account(&ann).await.name.as_deref(), Some("Anna Wu"), "m26: no direction characters");
    eventually("the product has heard", Duration::from_secs(20), || profiles().len() > before).await;
    // Said again, it is no news.
    let again =
        ground.patch(&ann, json!([{ "op": "replace", "path": "displayName", "value": "Anna\u{202e} Wu" }])).await;
    assert_eq!(again.status, 200);
    eventually("it was acknowledged", Duration::from_secs(20), || !ground.found("profile.synced").is_empty()).await;
    let told = profiles().split_off(before);
    assert_eq!(told.len(), 1, "once");
    assert_eq!((&told[0].body["name"], &told[0].body["email"]), (&json!("Anna Wu"), &json!(ANN)));
}

#[tokio::test]
async fn a_conformance_tester_of_others_finds_nothing() {
    let ground = Ground::open("", "").await;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let done = std::process::Command::new(root.join("target/peers/venv/bin/python"))
        .arg(root.join("tests/peers/scim/check.py"))
        .arg(ground.url("id", "/scim/acme/v2"))
        .arg(ACME)
        .arg(ground.gateway.ca_file())
        .env("SCIM_TOKEN", &ground.acme)
        .output()
        .expect("./tests/run --install installs scim2-tester");
    let said: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    assert_eq!(said["findings"], json!([]), "{said:#}");
    assert!(said["good"].as_u64().is_some_and(|good| good > 100), "it looked at all of it: {}", said["good"]);
}
