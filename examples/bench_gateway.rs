//! A gateway for measurements: the real data path with a session check in memory that does the real one's work (keyed hash of
//! the token, a look-up in moka, a cached assertion).
//!
//! `bench_gateway HTTPS_PORT PLAIN_PORT UPSTREAM_PORT STATE_FOLDER [CORES]` prints the session's cookie and serves until killed.

use arc_swap::ArcSwap;
use async_trait::async_trait;
use aws_lc_rs::hmac;
use bytes::Bytes;
use fedgate::clock::Clock;
use fedgate::gateway::options::{Doors, Listen, Network, Options, Site, Tls, Upstream};
use fedgate::gateway::{Gateway, Ports, Readiness};
use fedgate::kernel::model::{Allow, Limits, Outage, Product, Signup};
use fedgate::kernel::values::{
    AccountId, LoginSessionId, Origin, ProductAccountId, ProductName, ProductSessionId, Timestamp, Token,
};
use fedgate::seeing::Seeing;
use fedgate::web::{Admission, Ask, Identity, LiveSession, PageRequest, Routes, Sessions, Turned};
use http::{HeaderName, HeaderValue, Response};
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio_util::sync::CancellationToken;

struct InMemory {
    key: hmac::Key,
    live: moka::sync::Cache<[u8; 32], Arc<LiveSession>>,
}

impl InMemory {
    fn find(&self, token: &Token) -> [u8; 32] {
        let tag = hmac::sign(&self.key, token.bytes());
        let mut key = [0; 32];
        key.copy_from_slice(tag.as_ref());
        key
    }
}

#[async_trait]
impl Sessions for InMemory {
    fn cached(&self, ask: &Ask<'_>) -> Option<Admission> {
        let live = self.live.get(&self.find(ask.token))?;
        if live.product != *ask.product || live.ended.is_cancelled() {
            return Some(Admission::Nobody);
        }
        if ask.active && ask.now.millis() - live.last_seen.load(Ordering::Relaxed) > 1_000 {
            live.last_seen.store(ask.now.millis(), Ordering::Relaxed);
        }
        Some(Admission::Admitted(live))
    }

    async fn admit(&self, _: &Ask<'_>) -> Admission {
        Admission::Nobody
    }
}

struct NoPages;

#[async_trait]
impl Routes for NoPages {
    async fn answer(&self, _: PageRequest) -> Response<Bytes> {
        Response::new(Bytes::new())
    }

    fn refuse(&self, turned: Turned) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(turned.refusal.code()));
        *response.status_mut() = http::StatusCode::FORBIDDEN;
        response
    }
}

struct Ready;

impl Readiness for Ready {
    fn is_ready(&self, _: bool) -> bool {
        true
    }
}

fn site(host: &Origin, upstream: u16) -> Result<Site, Box<dyn Error>> {
    let product = Product {
        name: ProductName::parse("bench")?,
        label: "Bench".into(),
        hosts: vec![host.clone()],
        allow: Allow::default(),
        signup: Signup::Closed,
        limits: Limits::default(),
        colour: None,
        identity_fields: vec![],
        on_store_outage: Outage::Deny,
    };
    Ok(Site {
        product: Arc::new(product),
        host: host.clone(),
        also: vec![],
        redirects: vec![],
        upstreams: vec![Upstream::Http { host: "127.0.0.1".into(), port: upstream }],
        upstream_host: None,
        public: vec![],
        optional: vec![],
        doors: Doors::default(),
        origins: vec![],
        accept_from: vec![],
        keep_authorization: false,
        cookie_domain: None,
        orgs: vec![],
    })
}

fn session() -> Result<LiveSession, Box<dyn Error>> {
    let now = Timestamp::from_millis(0);
    let assertion = HeaderValue::try_from("e".repeat(520))?;
    let fields = vec![
        (HeaderName::from_static("fedgate-assertion"), assertion),
        (HeaderName::from_static("x-fedgate-user"), HeaderValue::from_static("5f0c1d")),
        (HeaderName::from_static("x-fedgate-email"), HeaderValue::from_static("ann@example.com")),
        (HeaderName::from_static("x-fedgate-name"), HeaderValue::from_static("Ann")),
        (HeaderName::from_static("x-fedgate-account"), HeaderValue::from_static("01JABCDEFGHJKMNPQRSTVWXYZ0")),
    ];
    Ok(LiveSession {
        sid: ProductSessionId::mint(now, [1; 10]),
        login: LoginSessionId::mint(now, [1; 10]),
        account: AccountId::mint(now, [1; 10]),
        product_account: ProductAccountId::mint(now, [1; 10]),
        product: ProductName::parse("bench")?,
        org: None,
        email: None,
        identity: ArcSwap::from_pointee(Identity { fields, minted_at: now }),
        ended: CancellationToken::new(),
        last_seen: AtomicI64::new(0),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| format!("{name} is missing"));
    let (https, plain): (u16, u16) = (next("HTTPS_PORT")?.parse()?, next("PLAIN_PORT")?.parse()?);
    let upstream = next("UPSTREAM_PORT")?.parse()?;
    let state = next("STATE_FOLDER")?.into();
    let cores = next("CORES").unwrap_or_else(|_| "1".to_owned()).parse()?;
    let host = Origin::parse(&format!("bench.localhost:{https}"))?;
    let loopback = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
    let options = Options {
        listen: Listen {
            https: loopback(https),
            http: None,
            plain: loopback(plain),
            ops: None,
            tls: Tls::Internal,
            trusted_proxies: vec![Network { address: "127.0.0.0".parse()?, prefix: 8 }],
            state,
            access_log: false,
        },
        login: Origin::parse("id.localhost")?,
        sites: HashMap::from([(ProductName::parse("bench")?, Arc::new(site(&host, upstream)?))]),
        version: 1,
    };
    let sessions =
        InMemory { key: hmac::Key::new(hmac::HMAC_SHA256, &[9; 32]), live: moka::sync::Cache::new(1_000_000) };
    let token = Token::new([3; 32]);
    sessions.live.insert(sessions.find(&token), Arc::new(session()?));
    let ports = Ports {
        sessions: Arc::new(sessions),
        routes: Arc::new(NoPages),
        readiness: Arc::new(Ready),
        clock: Clock::system(),
        seeing: Seeing::new(),
    };
    let _running = Gateway::start(options, ports, cores)?;
    println!("__Host-fedgate={}", token.expose().as_str());
    loop {
        std::thread::park();
    }
}
