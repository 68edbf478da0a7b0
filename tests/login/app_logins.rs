//! A product's own JSON login for apps (`password_api`): passed on unchanged for people who may use a password, answered in the
//! product's own shape for everybody else, and judged like the door.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use url::Url;

use crate::doors::{Doors, PASSWORD};
use crate::support::adapter::{Adapter, Manner};
use crate::support::answer::Answer;
use crate::support::wire::Connection;

const ANN: &str = "ann@gmail.example.test";
const PATH: &str = "/1/authentication";

/// An answer of the gateway, read whole.
struct Said {
    status: u16,
    body: Value,
    head: http::response::Parts,
}

async fn open(tables: &str) -> (Doors, Adapter) {
    let adapter = Adapter::start();
    let api = "password_api = [{ path = \"/1/authentication\", email = \"/user\", \
               refuse = { status = 422, body = '{\"error\":{\"message\":\"{text}\"}}' } }]";
    let doors = Doors::open_at_product_with(&adapter, ", timeout = \"1s\"", api, tables).await;
    doors.trello.answer(PATH, Answer::new(200, &[("content-type", "application/json")], r#"{"token":"t-1"}"#));
    adapter.person(ANN, PASSWORD, "u-1");
    doors.imported(ANN, "u-1").await;
    (doors, adapter)
}

async fn send(doors: &Doors, path: &str, fields: &[(&str, &str)], body: String) -> Said {
    let url = Url::parse(&doors.url("trello", path)).expect("a URL");
    let mut request = Request::post(url.as_str());
    if fields.iter().all(|(name, _)| *name != "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let Ok(Connection::H2(mut sender)) = doors.agent().with_h2().wire().connect(&url).await else {
        panic!("no connection")
    };
    sender.ready().await.expect("a connection");
    let answer: Response<_> =
        sender.send_request(request.body(Full::from(Bytes::from(body))).expect("a request")).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Said { status: head.status.as_u16(), body: serde_json::from_slice(&body).unwrap_or(Value::Null), head }
}

async fn post(doors: &Doors, email: &str, password: &str) -> Said {
    send(doors, PATH, &[], json!({ "user": email, "password": password }).to_string()).await
}

fn passed(doors: &Doors) -> usize {
    doors.trello.seen().iter().filter(|seen| seen.head.target.starts_with(PATH)).count()
}

#[tokio::test]
async fn an_apps_login_goes_on_to_the_product_as_it_came_and_carries_nobody_else() {
    let (doors, adapter) = open("").await;
    let body =
        json!({ "user": "Ann@Gmail.Example.TEST", "password": PASSWORD, "device": { "name": "phone" } }).to_string();
    let fields = [
        ("cookie", "product=1; __Host-fedgate=x"),
        ("authorization", "Bearer b"),
        ("x-fedgate-user", "root"),
        ("x-app", "7"),
    ];
    let said = send(&doors, PATH, &fields, body.clone()).await;
    assert_eq!((said.status, &said.body), (200, &json!({ "token": "t-1" })), "{:?}", said.head);
    let seen = doors.trello.last(PATH);
    assert_eq!(String::from_utf8_lossy(&seen.body), body, "unchanged");
    for gone in ["cookie", "authorization", "x-fedgate-user", "fedgate-assertion"] {
        assert_eq!(seen.head.first(gone), None, "{gone}");
    }
    assert_eq!(seen.head.first("x-app"), Some("7"));
    assert_eq!(adapter.calls().len(), 1);
    let events = doors.node.login.world().store.log(0, 1000).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let success = events.iter().map(|event| text(&event.bytes)).find(|event| event.contains("password_api"));
    assert!(success.is_some_and(|event| event.contains("login.succeeded")), "recorded before it was passed on");
    doors.holds_nowhere(PASSWORD);
    doors.close().await;
}

#[tokio::test]
async fn h18_an_app_is_told_nothing_of_who_exists() {
    let (doors, adapter) = open("").await;
    for manner in [Manner::Honest, Manner::Status(500, "")] {
        adapter.be(manner);
        let clock = doors.node.login.world().clock.clone();
        let mut answers = Vec::new();
        for email in [ANN, "who@gmail.example.test"] {
            let begun = clock.since_boot();
            let said = post(&doors, email, "not-the-password").await;
            assert!((clock.since_boot() - begun).as_millis() >= 1_250, "in its slot, whatever the adapter took");
            answers.push((said.status, said.body));
        }
        assert_eq!(answers[0], answers[1]);
        let told = json!({ "error": { "message": "That didn’t work. Check the address and the password." } });
        assert_eq!(answers[0], (422, told));
    }
    assert_eq!(passed(&doors), 0, "zero bytes of a wrong password reach the product's own login");
    doors.close().await;
}

#[tokio::test]
async fn h3_an_app_is_no_way_round_a_company_that_enforces_sso() {
    let (doors, adapter) = open("").await;
    adapter.person("bob@acme.example.test", PASSWORD, "u-3");
    doors.imported("bob@acme.example.test", "u-3").await;
    for email in ["bob@acme.example.test", "nobody@acme.example.test"] {
        let said = post(&doors, email, PASSWORD).await;
        assert_eq!(said.status, 422);
        let told = said.body["error"]["message"].as_str().unwrap_or_default();
        assert!(told.contains("in a browser"), "{told}");
    }
    // C3: by a private address of somebody whom the company manages by another one.
    let work = fedgate::kernel::model::Address {
        product_account: doors.imported("eve@gmail.example.test", "u-4").await.id,
        email: fedgate::kernel::values::EmailAddress::parse("eve@acme.example.test").unwrap(),
        verified: true,
        verified_at: None,
        primary: false,
        added_at: fedgate::kernel::values::Timestamp::from_seconds(1),
        last_login_at: None,
    };
    adapter.person("eve@gmail.example.test", PASSWORD, "u-4");
    let change = fedgate::kernel::journal::CredentialChange::PutAddress(work);
    let changes = vec![fedgate::kernel::journal::Change::Credential(change)];
    let batch = fedgate::kernel::journal::Batch { changes, ..Default::default() };
    doors.node.login.world().store.commit(batch).await.unwrap();
    assert_eq!(post(&doors, "eve@gmail.example.test", PASSWORD).await.status, 422);
    assert_eq!(passed(&doors), 0);
    doors.close().await;
}

#[tokio::test]
async fn an_app_is_refused_what_the_door_refuses() {
    let (doors, adapter) = open("[people]\nsecond_step = \"required\"").await;
    let said = post(&doors, ANN, PASSWORD).await;
    assert_eq!(said.status, 422);
    assert!(said.body.to_string().contains("second step"), "{}", said.body);
    assert_eq!(doors.letters(ANN), 0, "an app begins no enrolment");
    doors.database().execute("UPDATE product_account SET off = 1", []).unwrap();
    assert_eq!(post(&doors, ANN, PASSWORD).await.status, 422);
    doors.database().execute("UPDATE product_account SET off = 0, state = 'linked'", []).unwrap();
    let before = adapter.calls().len();
    assert_eq!(post(&doors, ANN, PASSWORD).await.status, 422);
    assert_eq!(
        (passed(&doors), adapter.calls().len()),
        (0, before),
        "t30: a linked account's password is not even asked about"
    );
    doors.close().await;
}

#[tokio::test]
async fn t30_an_app_gets_nothing_for_the_password_of_an_account_that_moved() {
    let (doors, adapter) = open("").await;
    assert_eq!(post(&doors, ANN, PASSWORD).await.status, 200, "it is right, and would still be to the product");
    let name = fedgate::kernel::values::ProductName::parse("trello").unwrap();
    let email = fedgate::kernel::values::EmailAddress::parse(ANN).unwrap();
    let world = doors.node.login.world();
    let record = world.store.product_account_by_address(&name, &email).await.unwrap().expect("the record");
    doors.moved(&record, &[], world.clock.now()).await;
    let before = (passed(&doors), adapter.calls().len());
    let said = post(&doors, ANN, PASSWORD).await;
    assert_eq!(said.status, 422, "{}", said.body);
    let stranger = post(&doors, "who@gmail.example.test", PASSWORD).await;
    assert_eq!(stranger.status, 422, "{}", stranger.body);
    assert_eq!(passed(&doors), before.0, "zero bytes of a dead password reach the product's own login");
    let asked = adapter.calls().into_iter().skip(before.1).filter(|call| call.body["email"] == ANN).count();
    assert_eq!(asked, 0, "the product is not asked about it");
    doors.close().await;
}

#[tokio::test]
async fn m14_apps_share_the_counters_of_the_door() {
    let (doors, adapter) = open("").await;
    let thief = doors.agent();
    let mut page = doors.identify(&thief, ANN).await;
    for guess in 0..6 {
        page = thief.submit(&page, "password", &[("password", &format!("guess {guess}"))]).await;
    }
    for guess in 6..10 {
        post(&doors, ANN, &format!("guess {guess}")).await;
    }
    let before = adapter.calls().len();
    let said = post(&doors, ANN, PASSWORD).await;
    assert!(said.body.to_string().contains("Too many tries"), "{}", said.body);
    let page = thief.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert_eq!((page.status.as_u16(), adapter.calls().len(), passed(&doors)), (429, before, 0));
    doors.close().await;
}

#[tokio::test]
async fn c7_a_body_with_two_readings_does_not_reach_the_product() {
    let (doors, adapter) = open("").await;
    let good = json!({ "user": ANN, "password": PASSWORD }).to_string();
    let bodies = [
        format!(r#"{{"user":"{ANN}","password":"{PASSWORD}","user":"victim@gmail.example.test"}}"#),
        format!(r#"{{"user":"{ANN}","password":"{PASSWORD}","USER":"victim@gmail.example.test"}}"#),
        format!(r#"{{"user":"{ANN}","password":"{PASSWORD}"}}{{"user":"victim@gmail.example.test"}}"#),
        format!("user={ANN}&password={PASSWORD}"),
        "[]".to_owned(),
        String::new(),
    ];
    for body in bodies {
        let said = send(&doors, PATH, &[], body.clone()).await;
        assert_eq!(said.status, 422, "{body}");
    }
    let heads: [(&str, &[(&str, &str)]); 7] = [
        ("/1/authentication?user=victim@gmail.example.test", &[]),
        (PATH, &[("content-type", "text/plain")]),
        (PATH, &[("content-type", "application/x-www-form-urlencoded")]),
        (PATH, &[("content-encoding", "gzip")]),
        (PATH, &[("origin", "https://evil.example")]),
        (PATH, &[("sec-fetch-site", "same-site")]),
        ("/1/authentication/", &[]),
    ];
    for (path, fields) in heads {
        let said = send(&doors, path, fields, good.clone()).await;
        assert!((400..500).contains(&said.status), "{path} {fields:?}: {}", said.status);
    }
    assert_eq!((passed(&doors), adapter.calls().len()), (0, 0));
    assert_eq!(
        send(&doors, PATH, &[("sec-fetch-site", "same-origin")], good).await.status,
        200,
        "the product's own page"
    );
    doors.close().await;
}
