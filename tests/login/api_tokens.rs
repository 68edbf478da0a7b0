//! A product's own API tokens (`api`; rule C7): they pass on its paths alone, once its adapter named an owner whom phase C admits, and
//! end with their owner within a second.

use std::time::Duration;

use bytes::Bytes;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{AccountStatus, ProductAccount};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use url::Url;

use crate::doors::{Doors, PASSWORD};
use crate::moves::Ground;
use crate::support::adapter::{Adapter, Manner};
use crate::support::clock::eventually;

const ANN: &str = "ann@free.example.test";
const API: &str = "api = { paths = [\"/api/*\", \"/events\"], owner = \"adapter\" }";
const TOKEN: &str = "OAuth oauth_token=\"ann's\"";

async fn open(tables: &str) -> (Doors, Adapter) {
    let adapter = Adapter::start();
    let doors = Doors::open_at_product_with(&adapter, ", timeout = \"1s\"", API, tables).await;
    (doors, adapter)
}

async fn owner(doors: &Doors, adapter: &Adapter, email: &str, sub: &str, token: &str) -> ProductAccount {
    adapter.person(email, PASSWORD, sub);
    adapter.token(token, Some(sub));
    doors.imported(email, sub).await
}

/// The status of a request with these fields, and of how many the product heard by it.
async fn ask(doors: &Doors, method: Method, path: &str, fields: &[(&str, &str)]) -> (u16, usize) {
    let before = doors.trello.seen().len();
    let url = doors.url("trello", path);
    let mut request = Request::builder().method(method).uri(url.as_str());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::from(Bytes::new())).expect("a request");
    let status = doors.agent().raw(&url, request).await.status().as_u16();
    (status, doors.trello.seen().len() - before)
}

async fn status_of(doors: &Doors, token: &str) -> u16 {
    ask(doors, Method::GET, "/api/boards", &[("authorization", token)]).await.0
}

/// Asks until that is the answer: what is remembered is a second old at most.
async fn becomes(doors: &Doors, token: &str, status: u16) {
    for _ in 0..40 {
        if status_of(doors, token).await == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    panic!("{token} is answered {}, not {status}", status_of(doors, token).await);
}

#[tokio::test]
async fn c7_a_products_token_passes_on_its_paths_and_every_other_credential_nowhere() {
    let (doors, adapter) = open("").await;
    owner(&doors, &adapter, ANN, "u-1", TOKEN).await;
    adapter.token("Bearer ghost", Some("u-of-nobody"));
    let fields = [("authorization", TOKEN), ("cookie", "product=1"), ("x-fedgate-user", "root"), ("x-app", "7")];
    for method in [Method::GET, Method::POST, Method::DELETE] {
        assert_eq!(ask(&doors, method.clone(), "/api/boards", &fields).await, (200, 1), "{method}");
    }
    let seen = doors.trello.last("/api/boards");
    assert_eq!(seen.head.first("authorization"), Some(TOKEN), "as it came");
    assert_eq!(seen.head.first("x-app"), Some("7"));
    for gone in ["cookie", "x-fedgate-user", "x-fedgate-email", "fedgate-assertion"] {
        assert_eq!(seen.head.first(gone), None, "{gone}");
    }
    // Anything else is nobody's, and the product does not hear of it.
    let basic = "Basic YW5uOnB3";
    for path in ["/page", "/api", "/apix/boards", "/in", "/.fedgate/session"] {
        let (_, heard) = ask(&doors, Method::GET, path, &[("authorization", TOKEN)]).await;
        assert_eq!(heard, 0, "{path}");
    }
    for fields in [
        &[("authorization", basic)][..],
        &[("authorization", "Digest username=\"ann\"")],
        &[("authorization", "Negotiate abc")],
        &[("authorization", "Bearer unknown")],
        &[("authorization", "Bearer ghost")],
        &[("authorization", "Bearer")],
        &[("authorization", TOKEN), ("authorization", TOKEN)],
        &[("x-api-key", "abc")],
        &[("proxy-authorization", TOKEN)],
        &[],
    ] {
        let (status, heard) = ask(&doors, Method::GET, "/api/boards", fields).await;
        assert_eq!((status, heard), (401, 0), "{fields:?}");
    }
    // A cookie that is no session's makes the session the one credential, and there is none.
    let both = [("authorization", TOKEN), ("cookie", "__Host-fedgate=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")];
    assert_eq!(ask(&doors, Method::GET, "/api/boards", &both).await.1, 0);
    assert_eq!(adapter.faults(), Vec::<String>::new());
    doors.close().await;
}

#[tokio::test]
async fn c7_an_adapter_that_says_nothing_right_names_no_owner() {
    let (doors, adapter) = open("").await;
    owner(&doors, &adapter, ANN, "u-1", TOKEN).await;
    for (number, manner) in [
        Manner::Silent,
        Manner::Broken,
        Manner::Unsigned,
        Manner::Forged,
        Manner::AnotherCall,
        Manner::Yes("u-1"),
        Manner::Status(503, ""),
        Manner::Status(302, "location: /elsewhere\r\n"),
        Manner::Huge,
        Manner::Echo,
        Manner::Body("{\"owner\":\"u-1\"}"),
    ]
    .into_iter()
    .enumerate()
    {
        let said = format!("{manner:?}");
        adapter.be(manner);
        // A token of its own each time: what is remembered of one is a second old at most.
        let token = format!("Bearer {number}");
        adapter.token(&token, Some("u-1"));
        let (status, heard) = ask(&doors, Method::GET, "/api/boards", &[("authorization", &token)]).await;
        assert_eq!((status, heard), (401, 0), "{said}");
        adapter.be(Manner::Honest);
        becomes(&doors, &token, 200).await;
    }
    doors.close().await;
}

#[tokio::test]
async fn c7_a_companys_policy_says_whether_tokens_of_its_people_pass() {
    let (doors, adapter) = open(
        "[org.globex]\ndomains = [\"globex.example.test\"]\nsso = { oidc = \"https://127.0.0.1:9\", client_id = \"a\", \
         client_secret_file = \"{dir}/adapter.key\" }\n[org.globex.policy]\nsso = \"enforced\"\napi_tokens = \"allow\"",
    )
    .await;
    owner(&doors, &adapter, "ann@acme.example.test", "u-1", "Bearer acme").await;
    owner(&doors, &adapter, "bob@globex.example.test", "u-2", "Bearer globex").await;
    assert_eq!(status_of(&doors, "Bearer acme").await, 401, "blocked unless it says otherwise");
    assert_eq!(status_of(&doors, "Bearer globex").await, 200);
    doors.close().await;
}

#[tokio::test]
async fn c7_a_token_ends_with_its_owner_or_its_products_word_and_its_streams_with_it() {
    let (doors, adapter) = open("").await;
    let record = owner(&doors, &adapter, ANN, "u-1", TOKEN).await;
    owner(&doors, &adapter, "bob@free.example.test", "u-2", "Bearer bob's").await;
    let url = Url::parse(&doors.url("trello", "/events")).expect("a URL");
    let mut streams = Vec::new();
    for token in [TOKEN, "Bearer bob's"] {
        let request = Request::get(url.as_str()).header("authorization", token).body(Full::from(Bytes::new()));
        let answer = doors.agent().wire().send(&url, request.expect("a request")).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        streams.push(answer.into_body());
    }
    let [mut anns, mut bobs] = <[_; 2]>::try_from(streams).expect("two");
    anns.frame().await.expect("an event").expect("of the stream");
    bobs.frame().await.expect("an event").expect("of the stream");

    // Ann is switched off, Bob's token is taken back by the product.
    let off = Change::SetAccountStatus(record.account, AccountStatus::Deactivated);
    let store = &doors.node.login.world().store;
    store.commit(Batch { changes: vec![off], ..Batch::default() }).await.expect("off");
    adapter.token("Bearer bob's", None);
    for (whose, stream) in [("ann", &mut anns), ("bob", &mut bobs)] {
        let over =
            tokio::time::timeout(Duration::from_secs(10), async { while let Some(Ok(_)) = stream.frame().await {} });
        over.await.unwrap_or_else(|_| panic!("the stream of {whose} goes on"));
    }
    eventually("the product's side ends too", Duration::from_secs(10), || doors.trello.open_streams() == 0).await;
    assert_ne!(status_of(&doors, TOKEN).await, 200);
    assert_eq!(status_of(&doors, "Bearer bob's").await, 401);
    doors.close().await;
}

#[tokio::test]
async fn c7_after_a_move_old_tokens_wait_until_the_product_has_ended_what_it_must() {
    let adapter = Adapter::start();
    adapter.person(ANN, PASSWORD, "u-1");
    adapter.token(TOKEN, Some("u-1"));
    let ground = Ground::open_at(&format!("migration = {{ phase = \"optional\" }}\n{API}"), Some(&adapter)).await;
    ground.doors.imported(ANN, "u-1").await;
    assert_eq!(status_of(&ground.doors, TOKEN).await, 200);
    adapter.hold("revoke_sessions");
    let page = ground.by_provider(&ground.browser(), ANN, "issuer", "ann").await;
    assert!(ground.is_at_product(&page), "{}", page.describe());
    becomes(&ground.doors, TOKEN, 401).await;
    adapter.be(Manner::Honest);
    // The product has ended its tokens by its own word; one that it gives out afterwards passes.
    becomes(&ground.doors, TOKEN, 200).await;
    ground.doors.close().await;
}
