//! Operators who keep their own proxy: nginx and Caddy by the recipes of the documents, asking at `/.fedgate/auth`.
//!
//! One scene for both: what a person, a script, a sibling and somebody who forges get, and what the product sees.

use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::front::{Front, Kind, Place};
use super::ground::log_in;
use super::provider::LightOp;
use super::support::agent::{Intent, Mode, UserAgent};
use super::support::authority::Authority;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::page::Page;
use super::support::ports;
use super::support::upstream::Upstream;
use super::support::websocket::{Frame, Opened, WebSocket};

const HOST: &str = "trello.example.test";

struct World {
    kind: Kind,
    gateway: Gateway,
    product: Upstream,
    authority: Authority,
    op: LightOp,
    port: u16,
    _front: Front,
}

impl World {
    fn start(kind: Kind) -> Self {
        let (op, product, authority) = (LightOp::start(), Upstream::start(), Authority::new());
        let (port, plain) = (ports::free(), ports::free());
        let table = format!(
            "[product.trello]\nhost = \"{HOST}:{port}\"\nupstream = \"{}\"\npublic = [\"/assets/*\"]\nforward_auth = true",
            product.url()
        );
        let file = Configuration::new()
            .trust(&op.ca_file())
            .listen(&format!("plain = \"127.0.0.1:{plain}\""))
            .listen("trusted_proxies = [\"127.0.0.1/32\"]")
            .table(&table)
            .organization("acme", "acme.example.test", op.issuer(), "a secret");
        let gateway = Gateway::start(&file);
        let leaf = authority.issue(&[HOST]);
        let place = Place { host: HOST, port, gateway: plain, product: product.address(), leaf: &leaf };
        let front = Front::start(kind, &place);
        Self { kind, gateway, product, authority, op, port, _front: front }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.port)
    }

    fn browser(&self) -> UserAgent {
        self.gateway.agent(&[&self.op.ca_file(), &self.authority.ca_file()])
    }

    async fn fetch(&self, agent: &UserAgent, from: &str, method: Method, path: &str) -> Page {
        let parse = |text: &str| Url::parse(text).expect("a URL");
        let intent = Intent::fetch(&parse(from), Mode::SameOrigin, method, parse(&self.url(path)));
        agent.load(intent.with_body("text/plain", "work of hours")).await
    }

    /// A request by hand, with this person's cookies.
    async fn by_hand(&self, agent: &UserAgent, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
        let mut request = Request::get(self.url(path));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        if let Some(cookie) = agent.cookie_header(&self.url("/")) {
            request = request.header("cookie", format!("{cookie}; theme=dark"));
        }
        agent.raw(&self.url("/"), request.body(Full::default()).expect("a request")).await
    }

    /// The status of a request whose line is sent byte for byte.
    async fn raw(&self, agent: &UserAgent, target: &str) -> u16 {
        let url = self.url("/");
        let mut stream = agent.wire().stream(&Url::parse(&url).expect("a URL")).await.expect("it listens");
        let cookie = agent.cookie_header(&url).expect("a session");
        let text = format!(
            "GET {target} HTTP/1.1\r\nHost: {HOST}:{}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(text.as_bytes()).await.expect("written");
        let mut reply = Vec::new();
        // A proxy that refuses may close without TLS's farewell.
        let _end = stream.read_to_end(&mut reply).await;
        let reply = String::from_utf8_lossy(&reply).into_owned();
        reply.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

#[tokio::test]
async fn nginx_asks_and_forwards() {
    scene(Kind::Nginx).await;
}

#[tokio::test]
async fn caddy_asks_and_forwards() {
    scene(Kind::Caddy).await;
}

async fn scene(kind: Kind) {
    let world = World::start(kind);
    let ann = world.browser();
    a_stranger_and_a_script(&world, &ann).await;
    assert_eq!(world.product.bytes(), 0, "{kind:?}: nothing reaches the product before the login");
    let page = log_in(&ann, &world.url("/boards?x=1"), "ann").await;
    assert_eq!(
        (page.status.as_u16(), page.url.as_str()),
        (200, world.url("/boards?x=1").as_str()),
        "{kind:?}: {page:?}"
    );
    who_it_is(&world, &ann).await;
    who_it_is_not(&world, &ann).await;
    what_acts(&world, &ann).await;
    sockets(&world, &ann).await;
    paths(&world, &ann).await;
    the_question_is_not_for_browsers(&world, &ann).await;
    the_end(&world, &ann).await;
}

async fn a_stranger_and_a_script(world: &World, agent: &UserAgent) {
    let page = agent.visit(&world.url("/boards?x=1")).await;
    assert!(page.url.as_str().starts_with(&world.gateway.url("id", "/login")), "{}", page.describe());
    let page = world.fetch(agent, &world.url("/page"), Method::POST, "/api").await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (401, Some("application/problem+json")));
    assert_eq!(page.json()["login_url"], world.url("/.fedgate/login"), "{}", page.describe());
    let page = agent.visit(&world.url("/.fedgate/session")).await;
    assert_eq!(page.status, 401, "{}", page.describe());
}

async fn who_it_is(world: &World, ann: &UserAgent) {
    let answer = world.by_hand(ann, "/who", &[("authorization", "Basic eDp5")]).await;
    assert_eq!(answer.status(), 200);
    let private = answer.headers().get_all("cache-control").iter().any(|value| value == "private");
    assert!(private && answer.headers().get("fedgate-assertion").is_none(), "{:?}", answer.headers());
    let head = world.product.last("/who").head;
    assert_eq!(head.all("x-fedgate-email"), ["ann@acme.example.test"]);
    assert_eq!(head.all("x-fedgate-org"), ["acme"]);
    assert_eq!(head.first("fedgate-assertion").map(|jwt| jwt.split('.').count()), Some(3));
    assert_eq!(head.all("cookie"), ["theme=dark"], "fedgate's own cookies stay behind");
    assert_eq!(head.first("authorization").unwrap_or(""), "");
    let host = format!("{HOST}:{}", world.port);
    assert_eq!(head.all("host"), [host.as_str()]);
}

/// Rule H7: in every spelling, removed or refused.
async fn who_it_is_not(world: &World, ann: &UserAgent) {
    let stranger = world.browser();
    for name in [
        "X-Fedgate-User",
        "x-fedgate-org",
        "X-FEDGATE-GROUPS",
        "X_Fedgate_User",
        "X.Fedgate.User",
        "X!Fedgate!User",
        "Fedgate-Assertion",
        "fedgate_assertion",
        "X-Original-URL",
        "X-HTTP-Method-Override",
        "X-Forwarded-User",
    ] {
        for (agent, path) in [(ann, "/forged"), (&stranger, "/assets/forged.css")] {
            world.product.take();
            let status = world.by_hand(agent, path, &[(name, "root"), ("x-own", "kept")]).await.status();
            let seen = world.product.take();
            let saw: Vec<_> = seen.iter().flat_map(|seen| &seen.head.headers).collect();
            assert!(saw.iter().all(|(_, value)| value != "root"), "{:?} {name} {path}: {saw:?}", world.kind);
            let reached = saw.iter().any(|(name, value)| name.eq_ignore_ascii_case("x-own") && value == "kept");
            assert_eq!(status == 200, reached, "{:?} {name} {path}: {status}", world.kind);
            assert!(status == 200 || status == 401, "{:?} {name} {path}: {status}", world.kind);
        }
    }
    // Nobody at all on a public path, with a session or without (rule M10).
    for agent in [ann, &stranger] {
        assert_eq!(world.by_hand(agent, "/assets/a.css", &[]).await.status(), 200);
        let head = world.product.last("/assets/a.css").head;
        for name in ["fedgate-assertion", "x-fedgate-user", "x-fedgate-email"] {
            assert_eq!(head.first(name).unwrap_or(""), "", "{:?} {name}", world.kind);
        }
    }
    assert_eq!(world.by_hand(&stranger, "/x", &[]).await.status(), 401);
}

/// Rule H6: unsafe requests come from the host itself, and arrive whole.
async fn what_acts(world: &World, ann: &UserAgent) {
    let own = world.fetch(ann, &world.url("/page"), Method::POST, "/act").await;
    assert_eq!(own.status, 200, "{}", own.describe());
    assert_eq!(world.product.last("/act").body, b"work of hours");
    world.product.take();
    for method in [Method::POST, Method::DELETE, Method::PATCH] {
        let sibling = world.fetch(ann, "https://loom.example.test/", method.clone(), "/act").await;
        assert_eq!(sibling.status, 403, "{:?} {method} {}", world.kind, sibling.describe());
        assert!(sibling.html().contains("cross-site"), "the answer says why: {}", sibling.describe());
    }
    assert!(world.product.take().is_empty());
}

/// Rule M30, although proxies leave `Upgrade` out of their questions.
async fn sockets(world: &World, ann: &UserAgent) {
    let url = Url::parse(&world.url("/live")).expect("a URL");
    let cookie = ann.cookie_header(url.as_str()).expect("a session");
    let open = async |origin: &str| {
        WebSocket::open(ann.wire(), &url, Some(origin), &[("Cookie", &cookie)]).await.expect("an answer")
    };
    match open("https://loom.example.test").await {
        Opened::Refused(status, _) => assert_eq!(status, 403, "{:?}", world.kind),
        Opened::Socket(_) => panic!("{:?}: a sibling's socket opened", world.kind),
    }
    let Opened::Socket(mut socket) = open(&url.origin().ascii_serialization()).await else { panic!("refused") };
    socket.send("hello").await.expect("sent");
    assert_eq!(socket.next().await, Frame::Text("hello".into()));
}

/// What the proxy, the gateway and the product could read differently goes no further.
async fn paths(world: &World, ann: &UserAgent) {
    assert_eq!(world.raw(ann, "/a%20b?q=%2f").await, 200);
    assert_eq!(world.product.last("/a").head.target, "/a%20b?q=%2f");
    world.product.take();
    for target in [
        "/assets/%2e%2e/admin",
        "/assets/../admin",
        "/assets/..;/admin",
        "/assets/..%2fadmin",
        "/a%2fb",
        "/%61dmin",
        "//admin",
        "/.fedgate/../admin",
        "/.fedgate/..%2fadmin",
        "/%2e./admin",
        "/a%5cb",
        "/a%00",
        "/.fedgate%2fauth",
    ] {
        let status = world.raw(ann, target).await;
        let reached: Vec<_> = world.product.take().into_iter().map(|seen| seen.head.target).collect();
        assert!(reached.is_empty() && (400..500).contains(&status), "{:?} {target}: {status} {reached:?}", world.kind);
    }
}

/// Whoever could read an answer to a proxy would have the assertion.
async fn the_question_is_not_for_browsers(world: &World, ann: &UserAgent) {
    for path in [
        "/.fedgate/auth",
        "/.fedgate/auth?as=status",
        "/.fedgate/auth/x",
        "/.fedgate/ask",
        "/.fedgate/auth/.fedgate/auth/x",
    ] {
        let answer = world.by_hand(ann, path, &[("x-forwarded-uri", "/x"), ("x-forwarded-method", "GET")]).await;
        let told = answer.headers().contains_key("fedgate-assertion") || answer.headers().contains_key("cookie");
        assert!(answer.status().is_client_error() && !told, "{:?} {path}: {answer:?}", world.kind);
    }
}

/// A gateway that is not told about the proxy in front answers nobody with a yes, whatever a client sends.
#[tokio::test]
async fn a_product_that_is_not_asked_about_lets_nobody_in() {
    let op = LightOp::start();
    let product = Upstream::start();
    let file = Configuration::new()
        .trust(&op.ca_file())
        .product("trello", &product.url(), "public = [\"/assets/*\"]")
        .organization("acme", "acme.example.test", op.issuer(), "a secret");
    let gateway = Gateway::start(&file);
    let agent = gateway.agent(&[]);
    for path in ["/.fedgate/auth", "/.fedgate/auth?as=status", "/.fedgate/auth/assets/a", "/.fedgate/authx"] {
        for (name, value) in [
            ("sec-purpose", "prefetch"),
            ("purpose", "prefetch"),
            ("accept", "text/html"),
            ("service-worker", "script"),
            ("content-type", "application/grpc"),
        ] {
            for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
                let request = Request::builder()
                    .method(&method)
                    .uri(gateway.url("trello", path))
                    .header("x-forwarded-method", "GET")
                    .header("x-forwarded-uri", "/assets/a")
                    .header("origin", gateway.url("trello", ""))
                    .header(name, value);
                let request = request.body(Full::default()).expect("a request");
                let status = agent.raw(&gateway.url("trello", "/"), request).await.status();
                assert!(status.is_client_error(), "{method} {path} {name}: {status}");
            }
        }
    }
    assert_eq!(product.bytes(), 0);
}

async fn the_end(world: &World, ann: &UserAgent) {
    let page = ann.visit(&world.url("/.fedgate/logout")).await;
    let page = ann.submit(&page, "/.fedgate/logout", &[]).await;
    assert_eq!(page.status, 200, "{}", page.describe());
    let page = ann.visit(&world.url("/boards")).await;
    assert!(page.url.as_str().starts_with(&world.gateway.url("id", "/")), "{}", page.describe());

    let bob = world.browser();
    let page = log_in(&bob, &world.url("/boards"), "bob").await;
    assert_eq!(page.status, 200, "{}", page.describe());
    let (status, out, err) = world.gateway.command(&["sessions", "revoke", "--person", "bob@acme.example.test"]);
    assert!(status.success(), "{out}{err}");
    let mut page = bob.visit(&world.url("/boards")).await;
    for _ in 0..100 {
        if page.url.as_str().starts_with(&world.gateway.url("id", "/login")) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        page = bob.visit(&world.url("/boards")).await;
    }
    panic!("{:?}: a revoked session goes on: {}", world.kind, page.describe());
}
