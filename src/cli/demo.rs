//! `fedgate demo`: the gateway on embedded defaults, with sample products and sample providers beside it (rule M17).

use super::arguments::Demo;
use super::node::control::{Control, hangups};
use super::node::{Extras, Node, NotStarted, init_log};
use super::run::on_runtime;
use super::{Screen, WRONG};
use crate::clock::Clock;
use crate::config::{Config, Surroundings, read};
use crate::demo::{self, issuer, people, product, saml};
use crate::entropy::random;
use crate::gateway::internal_server;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::model::Address;
use crate::kernel::values::{EmailAddress, ProductName};
use crate::keys::Keys;
use crate::login::Login;
use crate::login::local::{NewLocal, NotCreated};
use crate::pages::Colour;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

const BLUE: Colour = Colour::new(0x0c, 0x66, 0xe4);
const VIOLET: Colour = Colour::new(0x62, 0x5d, 0xf5);
const NAVY: Colour = Colour::new(0x18, 0x2b, 0x4d);
const GREEN: Colour = Colour::new(0x1f, 0x6f, 0x4a);
const RED: Colour = Colour::new(0x9f, 0x2d, 0x20);

/// Where everything is.
struct Places {
    domain: String,
    listen: SocketAddr,
    state: PathBuf,
}

impl Places {
    fn host(&self, name: &str) -> String {
        format!("{name}.{}:{}", self.domain, self.listen.port())
    }

    fn url(&self, name: &str) -> String {
        format!("https://{}", self.host(name))
    }

    /// A provider has a port of its own: the gateway lets no stranger's `Authorization` through, and a token endpoint needs one.
    fn provider_port(&self, place: u16) -> u16 {
        self.listen.port().saturating_add(place)
    }

    fn provider(&self, name: &str, place: u16) -> String {
        format!("https://{name}.{}:{}", self.domain, self.provider_port(place))
    }
}

/// Client secrets of this run. The configuration names them as variables, which are read from here.
struct Secrets {
    issuer: String,
    company: String,
}

impl Surroundings for Secrets {
    fn file(&self, _: &Path) -> Result<Vec<u8>, String> {
        Err("the demonstration reads no files".to_owned())
    }

    fn folder(&self, _: &Path) -> Result<Vec<String>, String> {
        Err("the demonstration reads no folders".to_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "DEMO_ISSUER_SECRET" => Some(self.issuer.clone()),
            "DEMO_COMPANY_SECRET" => Some(self.company.clone()),
            _ => None,
        }
    }
}

/// Serves until told to stop.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Demo, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let state = std::env::current_dir()?.join("fedgate-demo");
    let places = Places { domain: arguments.domain.clone(), listen: arguments.listen, state };
    if places.listen.port() == 0 || places.listen.port() > 65_531 {
        writeln!(screen.err, "error: the demonstration needs a port and the four after it: --listen 127.0.0.1:8443")?;
        return Ok(ExitCode::from(WRONG));
    }
    if !places.listen.ip().is_loopback() {
        writeln!(screen.err, "warning: everybody who reaches {} can log in as anybody here", places.listen)?;
    }
    match on_runtime(serve(&places, screen)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => {
            writeln!(screen.err, "error: {why}")?;
            Ok(ExitCode::from(WRONG))
        }
    }
}

async fn serve(places: &Places, screen: &mut Screen<'_>) -> Result<(), NotStarted> {
    let secret = || URL_SAFE_NO_PAD.encode(random::<24>());
    let secrets = Secrets { issuer: secret(), company: secret() };
    let keys = Arc::new(OnceLock::new());
    let running = demo::start(options(places, &secrets, Arc::clone(&keys))?).await;
    let running = running.map_err(|why| NotStarted(why.to_string()))?;
    let text = configuration(places, &running);
    let (config, report) = read(&text, Path::new("the demonstration's configuration"), &secrets);
    let config = config.ok_or_else(|| NotStarted(report.plain()))?;
    init_log(&config);
    let hangup = hangups()?;
    let node = Node::start(config.clone(), extras(places)?).await?;
    // The sample products read the gateway's keys as a product would, only without the way over the network.
    drop(keys.set(node.login.world().keys.clone()));
    bring(&node.login).await?;
    greet(places, &config, screen).map_err(|why| NotStarted::new("the greeting", &why))?;
    Control { node, config, file: None, hangup }.serve(false).await
}

/// The people whom the products bring with passwords of their own; who is there from an earlier run stays as they left it.
async fn bring(login: &Login) -> Result<(), NotStarted> {
    let wrong = |why: &dyn std::fmt::Display| NotStarted(format!("a sample account: {why}"));
    for person in people::LOCAL {
        let new = NewLocal {
            product: ProductName::parse(person.product).map_err(|why| wrong(&why))?,
            email: EmailAddress::parse(person.email).map_err(|why| wrong(&why))?,
            verified: true,
            name: Some(person.name.to_owned()),
            hash: Some(person.hash.to_owned()),
            sub: Some(person.sub.to_owned()),
            actor: None,
        };
        let record = match login.create_local(new).await {
            Ok(record) => record,
            Err(NotCreated::Taken) => continue,
            Err(why) => return Err(wrong(&why)),
        };
        if person.further.is_empty() {
            continue;
        }
        let address = Address {
            product_account: record.id,
            email: EmailAddress::parse(person.further).map_err(|why| wrong(&why))?,
            verified: true,
            verified_at: None,
            primary: false,
            added_at: record.created_at,
            last_login_at: None,
        };
        let change = Change::Credential(CredentialChange::PutAddress(address));
        let batch = Batch { changes: vec![change], ..Batch::default() };
        login.world().store.commit(batch).await.map_err(|why| wrong(&why))?;
    }
    Ok(())
}

fn extras(places: &Places) -> Result<Extras, NotStarted> {
    let roots = std::fs::read(places.state.join("ca.pem")).map_err(|why| NotStarted::new("the internal CA", &why))?;
    let here = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let overrides = [("auth", 1), ("acme", 2), ("initech", 4)]
        .map(|(name, place)| (format!("{name}.{}", places.domain), here(places.provider_port(place))));
    Ok(Extras { allow_demo: true, overrides: overrides.into(), roots, ..Extras::default() })
}

fn options(places: &Places, secrets: &Secrets, keys: Arc<OnceLock<Keys>>) -> Result<demo::Options, NotStarted> {
    let published = move || -> Result<Vec<u8>, String> {
        let keys = keys.get().ok_or("the gateway is not up yet")?;
        keys.jwks().map(String::into_bytes).map_err(|why| why.to_string())
    };
    let published = Arc::new(published);
    Ok(demo::Options {
        clock: Clock::system(),
        keys: Arc::new(move || {
            let published = Arc::clone(&published);
            Box::pin(async move { published() })
        }),
        assertion_issuer: places.url("id"),
        board: product::Options {
            audience: "board".to_owned(),
            title: "Board".to_owned(),
            colour: BLUE,
            sibling_title: "Video".to_owned(),
            sibling_url: places.url("video"),
        },
        video: product::Options {
            audience: "video".to_owned(),
            title: "Video".to_owned(),
            colour: VIOLET,
            sibling_title: "Board".to_owned(),
            sibling_url: places.url("board"),
        },
        issuer: provider(places, ("auth", 1), ("Atlassian", NAVY, people::EVERYBODY), (&secrets.issuer, ""))?,
        company: provider(places, ("acme", 2), ("Acme", GREEN, people::ACME), (&secrets.company, "/acme"))?,
        saml: company(places)?,
    })
}

fn provider(
    places: &Places,
    at: (&str, u16),
    shown: (&str, Colour, &'static [people::Person]),
    client: (&str, &str),
) -> Result<issuer::Options, NotStarted> {
    let host = format!("{}.{}", at.0, places.domain);
    let tls = internal_server(&places.state, &host, Clock::system().now());
    let tls = tls.map_err(|why| NotStarted::new("the internal CA", &why))?;
    Ok(issuer::Options {
        url: places.provider(at.0, at.1),
        port: places.provider_port(at.1),
        tls: Some(Arc::new(tls)),
        name: shown.0.to_owned(),
        colour: shown.1,
        people: shown.2,
        clients: vec![issuer::Client {
            id: "fedgate-demo".to_owned(),
            secret: client.0.to_owned().into(),
            redirect_uris: vec![format!("{}/login/callback{}", places.url("id"), client.1)],
            post_logout_redirect_uris: vec![format!("{}/logout/done", places.url("id"))],
            alg: issuer::Alg::Es256,
        }],
    })
}

/// The company whose login speaks SAML.
fn company(places: &Places) -> Result<saml::Options, NotStarted> {
    let tls = internal_server(&places.state, &format!("initech.{}", places.domain), Clock::system().now());
    let tls = tls.map_err(|why| NotStarted::new("the internal CA", &why))?;
    let party = |what: &str| format!("{}/saml/initech/{what}", places.url("id"));
    Ok(saml::Options {
        url: places.provider("initech", 4),
        port: places.provider_port(4),
        tls: Some(Arc::new(tls)),
        name: "Initech".to_owned(),
        colour: RED,
        people: people::INITECH,
        party: saml::Party { entity_id: party("metadata"), acs: party("acs"), slo: party("slo") },
    })
}

/// The very configuration that an operator would write for this.
fn configuration(places: &Places, running: &demo::Running) -> String {
    let product = |name: &str, label: &str, colour: &str, upstream: SocketAddr| {
        let phase = if name == "board" { "optional" } else { "forced" };
        format!(
            "[product.{name}]\nlabel = \"{label}\"\ncolour = \"{colour}\"\nhost = \"{}\"\nupstream = \"http://{upstream}\"\n\
             public = [\"/app.css\", \"/app.js\"]\nsignup = \"open\"\ni_know_everyone_may_enter = true\n\
             passwords = \"here\"\nmigration = {{ phase = \"{phase}\" }}\n\n",
            places.host(name)
        )
    };
    format!(
        "login = \"{id}\"\nstate = {state:?}\n\n[listen]\nhttps = \"{listen}\"\nhttp = \"off\"\nops = \"127.0.0.1:{ops}\"\n\
         tls = \"internal\"\n\n\
         [issuer]\nname = \"Atlassian\"\noidc = \"{issuer}\"\nclient_id = \"fedgate-demo\"\n\
         client_secret_env = \"DEMO_ISSUER_SECRET\"\n\n{board}{video}\
         [org.acme]\nlabel = \"Acme\"\ndomains = [\"acme.example\"]\n\
         sso = {{ oidc = \"{company}\", client_id = \"fedgate-demo\", client_secret_env = \"DEMO_COMPANY_SECRET\", \
         scopes = [\"openid\", \"email\", \"profile\", \"groups\"], groups = \"groups\" }}\n\n\
         [org.acme.policy]\nsso = \"enforced\"\n\n\
         [org.initech]\nlabel = \"Initech\"\ndomains = [\"initech.example\"]\n\
         sso = {{ saml = \"{initech}/metadata\", groups = \"groups\" }}\n\n\
         [org.initech.policy]\nsso = \"enforced\"\n\n\
         [org.hooli]\nlabel = \"Hooli\"\ndomains = [\"hooli.example\"]\nadmins = [\"it@hooli.example\"]\n\n\
         [org.hooli.policy]\nsso = \"off\"\n",
        id = places.host("id"),
        state = places.state.display().to_string(),
        listen = places.listen,
        ops = places.provider_port(3),
        issuer = places.provider("auth", 1),
        company = places.provider("acme", 2),
        initech = places.provider("initech", 4),
        board = product("board", "Board", &BLUE.to_string(), running.board),
        video = product("video", "Video", &VIOLET.to_string(), running.video),
    )
}

fn greet(places: &Places, config: &Config, screen: &mut Screen<'_>) -> io::Result<()> {
    let out = &mut screen.out;
    let ca = config.state.join("ca.pem");
    writeln!(out, "fedgate demo. Data is kept in {}; delete the folder to forget it.\n", config.state.display())?;
    writeln!(out, "1. Trust the demonstration's CA (good for *.{} alone, for 30 days at most):", places.domain)?;
    writeln!(out, "     Firefox   Settings → Certificates → View → Authorities → Import {}", ca.display())?;
    writeln!(out, "     Chromium  certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n fedgate-demo -i {}", ca.display())?;
    writeln!(out, "     curl      curl --cacert {} {}/", ca.display(), places.url("board"))?;
    writeln!(out, "\n2. Open")?;
    writeln!(out, "     {}/   a board", places.url("board"))?;
    writeln!(out, "     {}/   videos: no second login", places.url("video"))?;
    writeln!(out, "     {}/      what you may open; /account is your account", places.url("id"))?;
    writeln!(out, "\n3. Be")?;
    for person in people::EVERYBODY {
        writeln!(out, "     {:<22} {:<12} {}", person.email, person.password, person.shows)?;
    }
    for person in people::LOCAL {
        writeln!(out, "     {:<22} {:<22} {}", person.email, person.password, person.shows)?;
    }
    for person in people::ACME {
        writeln!(out, "     {:<22} {:<12} {} (at Acme's own login)", person.email, person.password, person.shows)?;
    }
    for person in people::INITECH {
        let (email, password, shows) = (person.email, person.password, person.shows);
        writeln!(out, "     {email:<22} {password:<12} {shows} (at Initech's own login)")?;
    }
    writeln!(out, "\nMetrics: http://127.0.0.1:{}/metrics. End with Ctrl-C.", places.provider_port(3))?;
    out.flush()
}
