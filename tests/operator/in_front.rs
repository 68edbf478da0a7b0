//! nginx in front of everything, by the recipe `deploy/front/nginx.conf`: logins, streams and uploads go through, and what a client
//! claims of itself does not.

use std::time::Duration;

use http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use url::Url;

use super::front::{Front, recipe};
use super::ground::log_in;
use super::provider::LightOp;
use super::support::authority::Authority;
use super::support::clock::eventually;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::ports;
use super::support::upstream::Upstream;
use super::support::websocket::{Frame, Opened, WebSocket};

const HOSTS: [&str; 2] = ["id.example.test", "trello.example.test"];

fn nginx(port: u16, redirects: u16, plain: u16, authority: &Authority) -> String {
    let leaf = authority.issue(&HOSTS);
    recipe(
        "front/nginx.conf",
        &[
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("listen 80", format!("listen 127.0.0.1:{redirects}")),
            ("server_name id.example.net trello.example.com", format!("server_name {}", HOSTS.join(" "))),
            ("server 127.0.0.1:8080", format!("server 127.0.0.1:{plain}")),
            ("/etc/ssl/fedgate.pem", leaf.cert.display().to_string()),
            ("/etc/ssl/fedgate.key", leaf.key.display().to_string()),
        ],
    )
}

#[tokio::test]
async fn m29_behind_nginx_people_log_in_stream_and_send_and_cannot_claim_to_be_others() {
    let (op, product, authority) = (LightOp::start(), Upstream::start(), Authority::new());
    let (port, redirects, plain) = (ports::free(), ports::free(), ports::free());
    let file = Configuration::new()
        .published_at(port)
        .trust(&op.ca_file())
        .listen(&format!("plain = \"127.0.0.1:{plain}\""))
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .product("trello", &product.url(), "")
        .organization("acme", "acme.example.test", op.issuer(), "a secret");
    let gateway = Gateway::start(&file);
    let _front = Front::nginx(&nginx(port, redirects, plain, &authority), port);
    let ann = gateway.agent(&[&op.ca_file(), &authority.ca_file()]);
    let url = |path: &str| format!("https://trello.example.test:{port}{path}");
    // Through the login host, which is behind nginx as well.
    let page = log_in(&ann, &url("/page"), "ann").await;
    assert_eq!((page.status.as_u16(), page.url.as_str()), (200, url("/page").as_str()), "{}", page.describe());
    // What a client claims.
    let cookie = ann.cookie_header(&url("/claims")).expect("a session");
    let claims = Request::get(url("/claims"))
        .header("cookie", &cookie)
        .header("x-forwarded-for", "192.0.2.9")
        .header("forwarded", "for=192.0.2.9;proto=http")
        .header("x-fedgate-email", "eve@acme.example.test")
        .header("fedgate-assertion", "eve");
    let answer = ann.raw(&url("/"), claims.body(Full::default()).expect("a request")).await;
    assert_eq!(answer.status(), 200);
    let seen = product.last("/claims").head;
    assert_eq!(seen.first("x-fedgate-email"), Some("ann@acme.example.test"));
    assert_eq!(seen.first("x-forwarded-for"), Some("127.0.0.1"));
    assert!(seen.first("fedgate-assertion").is_some_and(|assertion| assertion.len() > 100));
    // A body larger than nginx takes by itself, to its last byte.
    let body = Request::post(url("/upload"))
        .header("cookie", &cookie)
        .header("origin", url("").as_str())
        .body(Full::from(Bytes::from(vec![b'x'; 3 << 20])))
        .expect("a request");
    assert_eq!(ann.raw(&url("/"), body).await.status(), 200);
    assert_eq!(product.last("/upload").length, 3 << 20);
    // A socket, which ends when its session does.
    let (live, origin) = (Url::parse(&url("/live")).expect("a URL"), url(""));
    let opened = WebSocket::open(ann.wire(), &live, Some(&origin), &[("cookie", &cookie)]).await;
    let Ok(Opened::Socket(mut socket)) = opened else { panic!("no socket") };
    socket.send("hello").await.expect("sent");
    assert_eq!(socket.next().await, Frame::Text("hello".to_owned()));
    let (status, out, err) = gateway.command(&["sessions", "revoke", "--org", "acme"]);
    assert!(status.success(), "{out}{err}");
    eventually("the stream ends", Duration::from_secs(2), || product.open_streams() == 0).await;
    assert_ne!(ann.visit(&url("/page")).await.url.as_str(), url("/page"), "nobody is logged in");
}
