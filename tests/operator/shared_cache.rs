//! A shared cache in front of everything (rule H8): nginx, told to keep whatever it may.

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;

use super::front::Front;
use super::ground::log_in;
use super::provider::LightOp;
use super::support::agent::UserAgent;
use super::support::answer::Answer;
use super::support::authority::Authority;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::ports;
use super::support::upstream::Upstream;

const HOST: &str = "trello.example.test";

/// What a careless operator writes: cache by address alone, for ten minutes whatever says nothing else.
fn cache(port: u16, gateway: u16, authority: &Authority) -> String {
    let leaf = authority.issue(&[HOST]);
    format!(
        "proxy_cache_path cache keys_zone=shared:1m;\n\
         server {{\n listen 127.0.0.1:{port} ssl;\n ssl_certificate {};\n ssl_certificate_key {};\n\
         location / {{\n proxy_pass http://127.0.0.1:{gateway};\n proxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-Proto https;\n proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_cache shared;\n proxy_cache_key $request_uri;\n proxy_cache_valid any 10m;\n\
         add_header X-Cache $upstream_cache_status always;\n }}\n}}\n",
        leaf.cert.display(),
        leaf.key.display()
    )
}

struct World {
    _gateway: Gateway,
    product: Upstream,
    port: u16,
    _cache: Front,
}

impl World {
    async fn open(&self, agent: &UserAgent, path: &str) -> Response<Bytes> {
        let mut request = Request::get(self.url(path));
        if let Some(cookie) = agent.cookie_header(&self.url(path)) {
            request = request.header("cookie", cookie);
        }
        agent.raw(&self.url("/"), request.body(Full::default()).expect("a request")).await
    }

    fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.port)
    }
}

#[tokio::test]
async fn h8_a_shared_cache_keeps_nothing_of_one_person_for_another() {
    let (op, product, authority) = (LightOp::start(), Upstream::start(), Authority::new());
    let (port, plain) = (ports::free(), ports::free());
    let file = Configuration::new()
        .trust(&op.ca_file())
        .listen(&format!("plain = \"127.0.0.1:{plain}\""))
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .table(&format!(
            "[product.trello]\nhost = \"{HOST}:{port}\"\nupstream = \"{}\"\npublic = [\"/assets/*\"]\noptional = [\"/share/*\"]",
            product.url()
        ))
        .organization("acme", "acme.example.test", op.issuer(), "a secret");
    let gateway = Gateway::start(&file);
    let browser = || gateway.agent(&[&op.ca_file(), &authority.ca_file()]);
    let (ann, bob, stranger) = (browser(), browser(), browser());
    let front = Front::nginx(&cache(port, plain, &authority), port);
    let world = World { _gateway: gateway, product, port, _cache: front };
    for (agent, name) in [(&ann, "ann"), (&bob, "bob")] {
        assert_eq!(log_in(agent, &world.url("/page"), name).await.status, 200);
    }
    // Everything by which a product can say "keep this", on an address that looks like a file (cache deception).
    let keeps: [&[(&str, &str)]; 8] = [
        &[],
        &[("cache-control", "public, max-age=600")],
        &[("cache-control", "max-age=600"), ("cache-control", "s-maxage=600")],
        &[("Cache-Control", "PUBLIC")],
        &[("expires", "Thu, 31 Dec 2099 23:59:59 GMT")],
        &[("x-accel-expires", "600")],
        &[("surrogate-control", "max-age=600"), ("cdn-cache-control", "max-age=600")],
        &[("x-accel-expires", "@4102444800"), ("cache-control", "public")],
    ];
    for (count, fields) in keeps.iter().enumerate() {
        for path in [format!("/account/{count}.css"), format!("/share/{count}.js")] {
            world.product.answer(&path, Answer::new(200, fields, "x"));
            for (agent, who) in [(&ann, "ann@acme.example.test"), (&bob, "bob@acme.example.test")] {
                world.product.take();
                let answer = world.open(agent, &path).await;
                assert_eq!((answer.status().as_u16(), &answer.headers()["x-cache"]), (200, &"MISS".parse().unwrap()));
                assert_eq!(world.product.last(&path).head.first("x-fedgate-email"), Some(who), "{path} {fields:?}");
            }
        }
        let path = format!("/account/{count}.css");
        assert_eq!(world.open(&stranger, &path).await.status(), 401, "{fields:?}");
    }
    // Nor is the way to the login kept for those who are in, nor a refusal.
    assert_eq!(world.open(&stranger, "/later.css").await.status(), 401);
    assert_eq!(world.open(&ann, "/later.css").await.status(), 200);
    // A public path is everybody's, and may be kept.
    world.product.answer("/assets/a.css", Answer::new(200, &[("cache-control", "public, max-age=600")], "x"));
    assert_eq!(world.open(&ann, "/assets/a.css").await.headers()["x-cache"], "MISS");
    assert_eq!(world.open(&stranger, "/assets/a.css").await.headers()["x-cache"], "HIT");
}
