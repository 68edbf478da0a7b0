//! A gateway for measurements: a whole node as `fedgate run` starts it, with one person's session planted in its store, so that
//! what is measured is what ships (keyed hash of the token, look-up, judgement, a signed assertion, the lease kept by its thread).
//!
//! `bench_gateway HTTPS_PORT PLAIN_PORT UPSTREAM_PORT STATE_FOLDER` prints the session's cookie and serves until killed. It uses
//! the cores that it may run on (`taskset`). The state folder must be new.

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
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// The provider is never asked: the session is there already.
fn configuration(https: u16, plain: u16, upstream: u16, state: &Path) -> String {
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
[product.bench]
host     = "bench.localhost:{https}"
upstream = "http://127.0.0.1:{upstream}"
[org.acme]
domains = ["acme.com"]
sso     = {{ oidc = "https://idp.acme.com", client_id = "bench", client_secret_file = "secret" }}
"#,
        state.display()
    )
}

/// A person of `acme.com` who logged in at their organization and is at work in the product.
async fn plant(world: &World, host: Origin) -> Result<Token, Box<dyn Error>> {
    let now = world.clock.now();
    let (login_token, token) = (Token::new(random()), Token::new(random()));
    let directory = *world.catalog.load().directories.keys().next().ok_or("the configuration has no directory")?;
    let account = Account {
        id: AccountId::mint(now, random()),
        status: AccountStatus::Active,
        email: Some(EmailAddress::parse("ann@acme.com")?),
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
        sub: "fg_ann".to_owned(),
        state: ProductAccountState::Linked,
        off: false,
        created_at: now,
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
        created_at: now,
        last_seen: now,
        idle_millis: u64::try_from(DAY.as_millis())?,
        abs_at: now.plus(DAY),
        account_epoch: account.epoch,
        ask_before: vec![],
        mac: [0; 32],
    };
    login.mac = world.keys.mac_login(&login);
    let mut session = ProductSession {
        id: ProductSessionId::mint(now, random()),
        key: world.keys.session_key(&token),
        parent: login.id,
        product: record.product.clone(),
        host,
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
    let changes = vec![
        Change::CreateAccount(account),
        Change::CreateProductAccount(record),
        Change::CreateLoginSession(login),
        Change::CreateProductSession(session),
    ];
    world.store.commit(Batch { changes, ..Batch::default() }).await?;
    Ok(token)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| format!("{name} is missing"));
    let (https, plain): (u16, u16) = (next("HTTPS_PORT")?.parse()?, next("PLAIN_PORT")?.parse()?);
    let upstream = next("UPSTREAM_PORT")?.parse()?;
    let state = next("STATE_FOLDER")?;
    let state = Path::new(&state);
    fs::create_dir_all(state)?;
    fs::write(state.join("secret"), "never used")?;
    let text = configuration(https, plain, upstream, state);
    let (config, report) = read(&text, &state.join("fedgate.toml"), &Machine);
    let config = config.ok_or_else(|| report.plain())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = Node::start(config, Extras::default()).await?;
        let token = plant(node.login.world(), Origin::parse(&format!("bench.localhost:{https}"))?).await?;
        println!("__Host-fedgate={}", token.expose().as_str());
        std::future::pending::<()>().await;
        Ok(())
    })
}
