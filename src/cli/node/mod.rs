//! One gateway process put together: configuration → ports → serve → drain. `run` and `demo` both start here.
//!
//! - `state`: the state folder, its lock, the key-encryption key.
//! - `acme`: certificates from an authority, where the configuration wants them.
//! - `audit_key`: the audit log's key and name; a new key each day.
//! - `back_room`: a thread of its own for the revocation log, the audit log and its sinks, never on a loop with requests.
//! - `mail`: what sends letters. `domains`: what proves organizations' domains.
//! - `descriptors`: as many open files as the machine allows.
//! - `seen`: how far the audit log was, beside the store: whether that went back in time.
//! - `control`: signals, the control socket and the file watch; reload and drain.

mod acme;
pub(super) mod audit_key;
mod back_room;
pub mod control;
mod descriptors;
mod domains;
mod mail;
pub(super) mod seen;
pub mod state;

pub(super) use acme::wanted;

use crate::accounts::Adapters;
use crate::acme::Acme;
use crate::admin::Admin;
use crate::audit::{Sampler, Waiting};
use crate::clock::Clock;
use crate::config::{AuditSink, Config, Documents, LogFormat, Machine, SinkPlace, read};
use crate::entropy::random;
use crate::gateway::options::Options;
use crate::gateway::{Gateway, Ports, Readiness, Running};
use crate::idp::saml::SamlProviders;
use crate::idp::{ClientAssertions, ProviderOptions, Providers};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::values::{DirectoryId, EventId, Timestamp};
use crate::keys::Keys;
use crate::language::Languages;
use crate::login::local::{Bench, Breached, Shares, Slots};
use crate::login::{Live, Login, Shadow, Tally, World};
use crate::mail::Post;
use crate::orgs::{DraftCatalog, Enrolled, Mode, Orgs};
use crate::outbound::{Identity, Outbound, OutboundOptions, Range};
use crate::pages::Pages;
use crate::seeing::Seeing;
use crate::seeing::logs::{self, Format};
use crate::site::Site;
use crate::store::{self, Store, Unavailable};
use arc_swap::ArcSwap;
use back_room::Beside;
use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Why a process cannot start or take a new configuration: a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotStarted(pub String);

impl NotStarted {
    /// A sentence with its cause.
    pub fn new(what: &str, why: &dyn std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// What `demo`, and programs that have the gateway inside, do differently.
#[derive(Default)]
pub struct Extras {
    /// Accept issuers that say they are for demonstration only (rule M17).
    pub allow_demo: bool,
    /// Names that are on this machine.
    pub overrides: HashMap<String, SocketAddr>,
    /// More roots for outbound requests, PEM.
    pub roots: Vec<u8>,
    /// Other moments for answers than a quarter of a second: for whoever measures what they are for.
    pub slots: Option<Arc<Slots>>,
    /// A store that is open already, instead of the one that the configuration names.
    pub store: Option<Arc<dyn Store>>,
    /// Another clock than this machine's; the store must keep the same.
    pub clock: Option<Clock>,
}

/// A gateway at work.
pub struct Node {
    /// The login and everything under it.
    pub login: Login,
    /// The data path.
    pub running: Running,
    /// The admin API, and what the operator does over the control socket.
    pub admin: Arc<Admin>,
    /// What asks providers.
    outbound: Outbound,
    acme: Option<Arc<Acme>>,
    post: Arc<Post>,
    domains: domains::Registry,
    extras: Extras,
    back_room: back_room::BackRoom,
    _lock: state::Lock,
}

/// Whether this process can do its work, for `/readyz`.
struct Ready {
    live: Arc<Live>,
    world: Arc<World>,
}

impl Readiness for Ready {
    fn is_ready(&self, strict: bool) -> bool {
        // A store that was restored lets nobody in before its operator says so.
        if self.world.orgs.is_shut() {
            return false;
        }
        if self.live.is_fresh() {
            return true;
        }
        // While some product is within its grace the process still serves (storage: `/readyz` stays 200 during the grace).
        let lapsed = self.live.lapsed_for();
        let catalog = self.world.catalog.load();
        !strict
            && catalog.products.values().any(|product| match product.on_store_outage {
                crate::kernel::model::Outage::Grace(grace) => lapsed.is_some_and(|lapsed| lapsed <= grace),
                crate::kernel::model::Outage::Deny => false,
            })
    }
}

/// Client assertions by the store's keys.
struct Assertions(Keys);

impl ClientAssertions for Assertions {
    fn assertion(&self, directory: DirectoryId, audience: &str, client_id: &str, now: Timestamp) -> String {
        // An empty assertion is refused by every provider, so a missing key lets nobody in.
        self.0.client_assertion(directory, audience, client_id, now, random()).unwrap_or_else(|fault| {
            tracing::error!(%fault, %directory, "no client assertion");
            String::new()
        })
    }
}

/// Sets the log up as the configuration says. `FEDGATE_LOG` takes filter directives, `info` without it.
pub fn init_log(config: &Config) {
    let format = match config.log {
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
        LogFormat::ByTerminal if std::io::stderr().is_terminal() => Format::Text,
        LogFormat::ByTerminal => Format::Json,
    };
    let directives = std::env::var("FEDGATE_LOG").unwrap_or_else(|_| "info".to_owned());
    if logs::init(format, &directives).is_err() {
        tracing::debug!("the log was set up before");
    }
}

/// Where documents may lead although the addresses are not public.
fn ranges(config: &Config) -> Vec<Range> {
    config.outbound.allow.iter().map(|network| Range { address: network.address, prefix: network.prefix }).collect()
}

pub(super) fn outbound(config: &Config, extras: &Extras) -> Result<Outbound, NotStarted> {
    client(config, extras, config.outbound.ca_file.as_deref(), (None, None))
}

/// The composition's roots and a file's, PEM.
fn extra_roots(extras: &Extras, ca_file: Option<&Path>) -> Result<Option<Vec<u8>>, NotStarted> {
    let mut roots = extras.roots.clone();
    if let Some(file) = ca_file {
        let more =
            std::fs::read(file).map_err(|why| NotStarted::new(&format!("{} cannot be read", file.display()), &why))?;
        roots.extend_from_slice(&more);
    }
    Ok((!roots.is_empty()).then_some(roots))
}

/// A client that trusts one more file of roots; with another deadline and a certificate of ours where they are given.
fn client(
    config: &Config,
    extras: &Extras,
    ca_file: Option<&Path>,
    (deadline, identity): (Option<Duration>, Option<Identity>),
) -> Result<Outbound, NotStarted> {
    Outbound::new(OutboundOptions {
        extra_roots_pem: extra_roots(extras, ca_file)?,
        allow: ranges(config),
        overrides: extras.overrides.clone(),
        deadline,
        identity,
        ..OutboundOptions::default()
    })
    .map_err(|why| NotStarted::new("the HTTP client cannot be set up", &why))
}

/// A client for each sink, with the sink's own roots. Its address is the operator's word, and nobody else's are asked with it.
fn ways(config: &Config, extras: &Extras) -> Result<Vec<Outbound>, NotStarted> {
    let way = |sink: &AuditSink| {
        let (ca_file, identity) = match &sink.place {
            SinkPlace::Receiver { ca_file, identity, .. } => (ca_file.as_deref(), identity.clone()),
            SinkPlace::File(_) => (None, None),
        };
        client(config, extras, ca_file.or(config.outbound.ca_file.as_deref()), (None, identity))
    };
    config.sinks.iter().map(way).collect()
}

impl Node {
    /// Starts everything; returns once requests are served. Runs on a multi-purpose tokio runtime of the caller's.
    ///
    /// # Errors
    /// [`NotStarted`]: one sentence.
    pub async fn start(config: Config, extras: Extras) -> Result<Self, NotStarted> {
        let clock = extras.clock.clone().unwrap_or_else(Clock::system);
        let lock = state::open(&config.state)?;
        let kek = state::kek(&config.key)?;
        let store = match &extras.store {
            Some(store) => Arc::clone(store),
            None => store::open(config.store.expose(), &config.state)
                .map_err(|why| NotStarted::new("the store cannot be opened", &why))?,
        };
        seen::check(store.as_ref(), &kek, &config.state, clock.now()).await?;
        // First where the log of revocations stands, then what they are about: what another node changes from here on is heard, and at
        // worst read twice.
        let unread = |why: Unavailable| NotStarted::new("the store cannot be read", &why);
        let cursor = store.feed(u64::MAX).await.map_err(unread)?.cursor;
        let Config { catalog: draft, gateway: options, .. } = config.clone();
        let orgs = Orgs::new(draft, Arc::new(Documents));
        let enrolled = orgs.enrol((store.as_ref(), &kek), &orgs.floor(), Mode::Lead, clock.now()).await;
        let enrolled = enrolled.map_err(|why| NotStarted(why.to_string()))?;
        tell_broken(&enrolled);
        orgs.put_effective(&enrolled);
        let keys = Keys::open(&kek, &enrolled.keys)
            .map_err(|why| NotStarted::new("the stored keys cannot be opened", &why))?;
        let outbound = outbound(&config, &extras)?;
        outbound.operator_names(orgs.floor().addresses());
        let providers_of = outbound.clone();
        let adapters = Adapters::new(outbound.clone());
        let seeing = Seeing::new();
        let providers = Providers::new(ProviderOptions {
            outbound,
            cache_dir: config.state.join("providers"),
            clock: clock.clone(),
            assertions: Arc::new(Assertions(keys.clone())),
            allow_demo: extras.allow_demo,
            background: tokio::runtime::Handle::current(),
        });
        let background = tokio::runtime::Handle::current();
        let saml = SamlProviders::new(Arc::clone(&store), kek.clone(), providers_of.clone(), clock.clone(), background);
        saml.second_opinion(config.second_opinion);
        let sampler = Arc::new(Sampler::new());
        let world = Arc::new(World {
            store: Arc::clone(&store),
            kek,
            keys,
            catalog: ArcSwap::from_pointee(enrolled.catalog(1)),
            orgs,
            shadow: Shadow::default(),
            providers,
            adapters,
            saml,
            clock: clock.clone(),
            sampler,
            tally: Tally::new(&seeing),
            bench: Bench::start(cores()).map_err(|why| NotStarted::new("no thread for passwords", &why))?,
            slots: extras.slots.clone().unwrap_or_default(),
            shares: Shares::default(),
            breached: breached(&config)?,
        });
        world.saml.write_by(mail::key_letters(&world));
        if extras.allow_demo {
            world.saml.believe_demo();
        }
        retire_metadata(&world).await?;
        world.shadow.put(shadow(&config));
        world.rebuild_shadow().await;
        let live = Arc::new(Live::new(Arc::clone(&world)));
        live.begin().await.map_err(unread)?;
        let login = Login::new(Arc::clone(&world), Arc::clone(&live));
        let languages = languages(&config)?;
        let pages = Pages::new(&config.login.to_string(), Arc::clone(&languages))
            .map_err(|why| NotStarted::new("pages", &why))?;
        let log_name = audit_key::log_name(store.as_ref(), &config.login).await?;
        let issued = Arc::default();
        let acme = acme::start(&config, &extras, &world, (&issued, &seeing)).await?;
        let post = mail::start(&config, &extras, &world, (&seeing, &languages))?;
        let domains = domains::Registry::start(&config, &extras, &world)?;
        let admin = Arc::new(Admin::new(login.clone(), Arc::clone(&domains.domains)));
        let beside = Beside {
            acme: acme.clone(),
            post: Arc::clone(&post),
            domains: Arc::clone(&domains.domains),
            login: login.clone(),
            waiting: Waiting::new(&seeing),
            ways: ways(&config, &extras)?,
        };
        let back_room = back_room::BackRoom::open(&config, &world, &live, (cursor, log_name), beside)?;
        let ports = Ports {
            sessions: Arc::clone(&live) as _,
            routes: Arc::new(Site::new(login.clone(), Arc::clone(&live), pages, Arc::clone(&admin))),
            readiness: Arc::new(Ready { live, world: Arc::clone(&world) }),
            clock,
            seeing,
            issued,
        };
        record_start(&world).await?;
        let options = Options { version: 1, ..options };
        descriptors::raise();
        if has_saml(&login) {
            let world = Arc::clone(&world);
            tokio::task::spawn_blocking(move || world.saml.try_second_opinion());
        }
        let running = Gateway::start(options, ports, cores()).map_err(|why| NotStarted(why.to_string()))?;
        Ok(Self { login, running, admin, outbound: providers_of, acme, post, domains, extras, back_room, _lock: lock })
    }

    /// Applies a configuration whole or not at all, without dropping a request.
    ///
    /// # Errors
    /// [`NotStarted`]: one sentence; the old configuration goes on.
    pub async fn apply(&self, config: Config) -> Result<(), NotStarted> {
        let world = self.login.world();
        let _turn = world.orgs.turn().await;
        let version = world.catalog.load().version + 1;
        let wanted = acme::wanted(&config, &self.extras)?;
        let setup = mail::setup(&config, &self.extras)?;
        let asked = domains::asked(&config, &self.extras)?;
        let beside = shadow(&config);
        let operators = config.catalog.staff.operators.clone();
        let Config { catalog: draft, gateway: options, second_opinion, .. } = config;
        // First what can fail without a trace: addresses, certificates. The old table still knows only the old products, so
        // between the two stores a new product answers 421 and nothing is served under half a configuration.
        let ground = (world.store.as_ref(), &world.kek);
        let broken = world.orgs.broken_by(ground, &draft, world.clock.now()).await;
        if let Some((org, mistakes)) = broken.map_err(|why| NotStarted(why.to_string()))?.first() {
            let first = mistakes.first().map(|one| format!("{}: {}; {}", one.code, one.what, one.write));
            return Err(NotStarted(format!(
                "the document of organization {org} would not fit this file: {}",
                first.unwrap_or_default()
            )));
        }
        let enrolled = world.orgs.enrol(ground, &draft, Mode::Lead, world.clock.now()).await;
        let enrolled = enrolled.map_err(|why| NotStarted(why.to_string()))?;
        tell_broken(&enrolled);
        self.running.reload(Options { version, ..options }).map_err(|why| NotStarted(why.to_string()))?;
        self.outbound.operator_names(draft.addresses());
        world.saml.second_opinion(second_opinion);
        world.orgs.put_floor(draft);
        world.orgs.put_effective(&enrolled);
        world.catalog.store(Arc::new(enrolled.catalog(version)));
        retire_metadata(world).await?;
        let rows = world.store.keys().await.map_err(|why| NotStarted(why.to_string()))?;
        world.keys.reopen(&world.kek, &rows).map_err(|why| NotStarted(why.to_string()))?;
        if let (Some(acme), Some(wanted)) = (&self.acme, wanted) {
            acme.want(wanted);
        }
        world.shadow.put(beside);
        world.rebuild_shadow().await;
        self.post.replace(setup);
        self.domains.replace(asked, operators);
        Ok(())
    }

    /// Lets requests end, then everything else: streams have until `deadline`.
    pub async fn drain(self, deadline: Duration) {
        self.running.drain(deadline).await;
        let store = Arc::clone(&self.login.world().store);
        self.back_room.close();
        store.close().await;
    }
}

/// What was remembered of SAML providers whose directories are no longer configured counts no more.
async fn retire_metadata(world: &World) -> Result<(), NotStarted> {
    let retired = world.saml.retire_all_but(&world.catalog.load().directories).await;
    retired.map_err(|why| NotStarted::new("metadata of directories that were taken out cannot be retired", &why))
}

/// Whether people log in by SAML here, so that what guards that is looked at now and not at the first login.
fn has_saml(login: &Login) -> bool {
    login.world().catalog.load().directories.values().any(|directory| directory.protocol.saml().is_some())
}

/// Organizations that are shut because their documents cannot be read any more.
fn tell_broken(enrolled: &Enrolled) {
    for (org, mistakes) in &enrolled.broken {
        for mistake in mistakes {
            tracing::error!(%org, "{}: {}; {}: nobody enters by this organization", mistake.code, mistake.what, mistake.write);
        }
    }
}

async fn record_start(world: &World) -> Result<(), NotStarted> {
    let now = world.clock.now();
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::NodeStarted, Outcome::Success);
    event.after = Some(serde_json::json!({ "version": env!("CARGO_PKG_VERSION") }));
    let batch = Batch { events: vec![event], ..Batch::default() };
    world.store.commit(batch).await.map_err(|why| NotStarted::new("the start cannot be recorded", &why))?;
    Ok(())
}

/// The configuration in shadow. One that cannot be read stops nothing: it decides nothing.
fn shadow(config: &Config) -> Option<DraftCatalog> {
    let path = config.shadow.as_ref()?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(why) => {
            tracing::error!(%why, path = %path.display(), "the configuration in shadow cannot be read: nothing is recorded of it");
            return None;
        }
    };
    let (read, report) = read(&text, path, &Machine);
    if read.is_none() {
        tracing::error!("the configuration in shadow is wrong, and nothing is recorded of it:\n{}", report.plain());
    }
    read.map(|config| config.catalog)
}

/// Our catalogues and the operator's.
fn languages(config: &Config) -> Result<Arc<Languages>, NotStarted> {
    let languages = Languages::shipped(&config.languages.added).map_err(|why| NotStarted::new("languages", &why))?;
    Ok(Arc::new(languages.by_default(&config.languages.default)))
}

/// The operator's list of breached passwords.
fn breached(config: &Config) -> Result<Option<Arc<Breached>>, NotStarted> {
    let Some(path) = &config.breached else { return Ok(None) };
    let what = format!("[people] password.breached_file {}", path.display());
    Breached::open(path).map(|list| Some(Arc::new(list))).map_err(|why| NotStarted::new(&what, &why))
}

/// A data-path thread per core.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}
