//! A gateway for measurements: a whole node as `fedgate run` starts it, with one person's session planted in its store, so that
//! what is measured is what ships (keyed hash of the token, look-up, judgement, a signed assertion, the lease kept by its thread).
//!
//! `bench_gateway HTTPS_PORT PLAIN_PORT UPSTREAM_PORT STATE_FOLDER [PEOPLE]` prints the cookie of each person's session, a line each
//! (one person unless said otherwise), and serves until killed. It uses the cores that it may run on (`taskset`). The state folder
//! must be new. `BENCH_ACCESS=stdout` turns the access log on; `BENCH_ISSUER`, with `BENCH_SECRET` and the PEM file `BENCH_CA`,
//! names a provider at which people can really log in.

use fedgate::cli::node::{Extras, Node};
use fedgate::config::{Machine, read};
use fedgate::entropy::random;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::model::{
    Account, AccountStatus, LoginSession, Method, ProductAccount, ProductAccountState, ProductSession,
};
use fedgate::kernel::values::{
    AccountId, EmailAddress, LoginSessionId, Origin, ProductAccountId, ProductName, ProductSessionId, Token,
};
use fedgate::login::World;
use mimalloc::MiMalloc;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

/// The program's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const DAY: Duration = Duration::from_secs(86_400);

/// How many people are entered in one commit.
const CROWD: usize = 500;

/// What may be said by the environment.
struct Wishes {
    access: String,
    issuer: Option<String>,
    secret: String,
    outbound: String,
}

impl Wishes {
    fn read() -> Self {
        let said = |name: &str| std::env::var(name).ok();
        let outbound = said("BENCH_CA")
            .map(|file| format!("[outbound]\nca_file = \"{file}\"\nallow = [\"127.0.0.0/8\"]\n"))
            .unwrap_or_default();
        Self {
            access: said("BENCH_ACCESS").unwrap_or_else(|| "off".to_owned()),
            issuer: said("BENCH_ISSUER"),
            secret: said("BENCH_SECRET").unwrap_or_else(|| "never used".to_owned()),
            outbound,
        }
    }

    /// Without an issuer the provider is never asked: the sessions are there already.
    fn provider(&self) -> (&str, &str) {
        self.issuer.as_deref().map_or(("https://idp.acme.com", "bench"), |issuer| (issuer, "fedgate"))
    }
}

fn configuration(ports: [u16; 3], state: &Path, wishes: &Wishes) -> String {
    let [https, plain, upstream] = ports;
    let (issuer, client) = wishes.provider();
    format!(
        r#"login = "id.bench.localhost:{https}"
state = "{}"
[listen]
https = "127.0.0.1:{https}"
http  = "off"
plain = "127.0.0.1:{plain}"
ops   = "off"
tls   = "internal"
trusted_proxies = ["127.0.0.0/8"]
max_connections = 15000
[log]
access = "{}"
[product.bench]
host     = "bench.localhost:{https}"
upstream = "http://127.0.0.1:{upstream}"
[org.acme]
domains = ["acme.com", "acme.example.test"]
sso     = {{ oidc = "{issuer}", client_id = "{client}", client_secret_file = "secret" }}
{}"#,
        state.display(),
        wishes.access,
        wishes.outbound,
    )
}

/// People of `acme.com` who logged in at their organization and are at work in the product; their cookies.
async fn plant(world: &World, host: &Origin, people: usize) -> Result<Vec<Token>, Box<dyn Error>> {
    let mut tokens = Vec::with_capacity(people);
    while tokens.len() < people {
        let mut changes = Vec::new();
        for number in tokens.len()..people.min(tokens.len() + CROWD) {
            let (token, of_one) = person(world, host, number)?;
            tokens.push(token);
            changes.extend(of_one);
        }
        world.store.commit(Batch { changes, ..Batch::default() }).await?;
    }
    Ok(tokens)
}

fn person(world: &World, host: &Origin, number: usize) -> Result<(Token, [Change; 4]), Box<dyn Error>> {
    let now = world.clock.now();
    let (login_token, token) = (Token::new(random()), Token::new(random()));
    // The organization's: products have directories of their own besides.
    let catalog = world.catalog.load();
    let of_org = catalog.directories.values().find(|directory| directory.org().is_some());
    let directory = of_org.ok_or("the configuration has no directory")?.id;
    let account = Account {
        id: AccountId::mint(now, random()),
        status: AccountStatus::Active,
        email: Some(EmailAddress::parse(&format!("ann.{number}@acme.com"))?),
        email_verified: true,
        email_proved_at: Some(now),
        name: Some("Ann Example".to_owned()),
        epoch: 0,
        created_at: now,
        last_login_at: Some(now),
    };
    let record = ProductAccount {
        id: ProductAccountId::mint(now, random()),
        product: ProductName::parse("bench")?,
        account: account.id,
        sub: format!("fg_ann_{number}"),
        state: ProductAccountState::Linked,
        off: false,
        created_at: now,
        enterprise: None,
        off_by: None,
        asked_at: None,
    };
    let mut login = LoginSession {
        id: LoginSessionId::mint(now, random()),
        key: world.keys.session_key(&login_token),
        account: account.id,
        directory,
        method: Method::OrgSso,
        amr: vec!["pwd".to_owned()],
        groups: vec![],
        auth_time: now,
        browser: random(),
        provider_session: None,
        logout_hint: None,
        name_key: None,
        created_at: now,
        last_seen: now,
        idle_millis: u64::try_from(DAY.as_millis())?,
        abs_at: now.plus(DAY),
        account_epoch: account.epoch,
        ask_before: vec![],
        confined_to: None,
        stepped_at: None,
        device: None,
        grant: None,
        personal: None,
        mac: [0; 32],
    };
    login.mac = world.keys.mac_login(&login);
    let mut session = ProductSession {
        id: ProductSessionId::mint(now, random()),
        key: world.keys.session_key(&token),
        parent: login.id,
        product: record.product.clone(),
        host: host.clone(),
        account: account.id,
        product_account: record.id,
        created_at: now,
        last_seen: now,
        idle_millis: login.idle_millis,
        abs_at: login.abs_at,
        account_epoch: account.epoch,
        mac: [0; 32],
    };
    session.mac = world.keys.mac_product(&session);
    let changes = [
        Change::CreateAccount(account),
        Change::CreateProductAccount(record),
        Change::CreateLoginSession(login),
        Change::CreateProductSession(session),
    ];
    Ok((token, changes))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| format!("{name} is missing"));
    let (https, plain): (u16, u16) = (next("HTTPS_PORT")?.parse()?, next("PLAIN_PORT")?.parse()?);
    let upstream = next("UPSTREAM_PORT")?.parse()?;
    let state = next("STATE_FOLDER")?;
    let people = next("PEOPLE").unwrap_or_else(|_| "1".to_owned()).parse()?;
    let (state, wishes) = (Path::new(&state), Wishes::read());
    fs::create_dir_all(state)?;
    fs::write(state.join("secret"), &wishes.secret)?;
    let text = configuration([https, plain, upstream], state, &wishes);
    let (config, report) = read(&text, &state.join("fedgate.toml"), &Machine);
    let config = config.ok_or_else(|| report.plain())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = Node::start(config, Extras::default()).await?;
        let host = Origin::parse(&format!("bench.localhost:{https}"))?;
        let mut out = std::io::stdout().lock();
        for token in plant(node.login.world(), &host, people).await? {
            writeln!(out, "__Host-fedgate={}", token.expose().as_str())?;
        }
        drop(out);
        std::future::pending::<()>().await;
        Ok(())
    })
}
