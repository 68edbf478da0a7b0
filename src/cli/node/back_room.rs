//! A thread of its own for what must go on beside requests: the revocation log and the lease, the audit log, its sinks,
//! certificates, mail, domains.

use super::audit_key::{self, AuditKey};
use super::{NotStarted, seen, state};
use crate::acme::Acme;
use crate::audit::{self, Format, Log, People, PseudonymKey, Sink, SinkOptions, Waiting, Way};
use crate::config::{AuditSink, Config, PeopleIn, SinkPlace};
use crate::domains::Domains;
use crate::kernel::values::Token;
use crate::login::{Live, Login, World};
use crate::mail::Post;
use crate::outbound::Outbound;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Work of other rooms that goes on there.
pub(super) struct Beside {
    pub acme: Option<Arc<Acme>>,
    pub post: Arc<Post>,
    pub domains: Arc<Domains>,
    pub login: Login,
    pub waiting: Waiting,
    /// The client for each sink of the file.
    pub ways: Vec<Outbound>,
}

/// The thread, until it is closed.
pub(super) struct BackRoom {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl BackRoom {
    /// Opens sinks and starts the thread.
    ///
    /// `at` is the revocation log's cursor and the audit log's name.
    pub(super) fn open(
        config: &Config,
        world: &Arc<World>,
        live: &Arc<Live>,
        at: (u64, String),
        beside: Beside,
    ) -> Result<Self, NotStarted> {
        let (cursor, name) = at;
        let (log, key) = audit_log(config, world, name)?;
        let node = state::name(&config.state)?;
        let sinks = sinks(config, world, beside.ways)?;
        let stop = CancellationToken::new();
        let (world, live, stopped) = (Arc::clone(world), Arc::clone(live), stop.clone());
        let state = config.state.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|why| NotStarted::new("no runtime", &why))?;
        let work = async move {
            let tasks = TaskTracker::new();
            tasks.spawn(live.keep_true(cursor, stopped.clone()));
            let log = Arc::new(log);
            tasks.spawn(key.keep_young(Arc::clone(&log), stopped.clone()));
            tasks.spawn(audit::run(log, Arc::clone(&world.sampler), stopped.clone()));
            for sink in sinks {
                tasks.spawn({
                    let (store, waiting) = (Arc::clone(&world.store), beside.waiting.clone());
                    audit::deliver(store, node.clone(), sink, waiting, stopped.clone())
                });
            }
            tasks.spawn(seen::keep_writing(Arc::clone(&world.store), state, world.clock.clone(), stopped.clone()));
            if let Some(acme) = beside.acme {
                tasks.spawn(acme.keep_valid(stopped.clone()));
            }
            tasks.spawn(beside.login.clone().keep_polling(stopped.clone()));
            tasks.spawn(beside.login.keep_revalidating(stopped.clone()));
            tasks.spawn(beside.post.keep_sending(stopped.clone()));
            tasks.spawn(Arc::clone(&world).keep_telling(stopped.clone()));
            tasks.spawn(Arc::clone(&world).keep_reminding(stopped.clone()));
            let known = Arc::clone(&world);
            let directories = move || known.catalog.load().directories.values().cloned().collect();
            tasks.spawn(world.saml.clone().keep_watching(directories, stopped.clone()));
            tasks.spawn(beside.domains.keep_checking(stopped.clone()));
            tasks.close();
            tasks.wait().await;
        };
        let thread = std::thread::Builder::new().name("back-room".to_owned()).spawn(move || runtime.block_on(work));
        let thread = thread.map_err(|why| NotStarted::new("no thread", &why))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells the thread to finish what it holds, and waits for it.
    pub(super) fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.cancel();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the back room had panicked");
        }
    }
}

impl Drop for BackRoom {
    fn drop(&mut self) {
        self.end();
    }
}

/// The audit log with its signer, whose public key is in the state folder from its first statement on.
fn audit_log(config: &Config, world: &World, name: String) -> Result<(Log, AuditKey), NotStarted> {
    let first = audit_key::pen(&world.keys, &name)?.signer;
    let file = audit_key::file(&config.state);
    let is_new = audit_key::publish(&file, first.key())
        .map_err(|why| NotStarted::new(&format!("{} cannot be written", file.display()), &why))?;
    if is_new {
        tracing::info!(key = %first.key(), "the audit log's first public key; keep a copy of it elsewhere");
    }
    let log =
        Log::new(Arc::clone(&world.store), world.clock.clone(), &node_name(), audit_key::pens(&world.keys, &name));
    let (store, kek, keys) = (Arc::clone(&world.store), world.kek.clone(), world.keys.clone());
    Ok((log, AuditKey { store, kek, keys, clock: world.clock.clone(), name, file }))
}

fn sinks(config: &Config, world: &World, ways: Vec<Outbound>) -> Result<Vec<Box<dyn Sink>>, NotStarted> {
    let key = pseudonym_key(world);
    let open = |(written, outbound): (&AuditSink, Outbound)| {
        let way = Way { outbound, clock: world.clock.clone(), host: node_name() };
        audit::open(sink(written), &key, &way).map_err(|why| NotStarted(why.to_string()))
    };
    config.sinks.iter().zip(ways).map(open).collect()
}

fn sink(sink: &AuditSink) -> SinkOptions {
    let people = match sink.people {
        PeopleIn::Clear => People::Clear,
        PeopleIn::Pseudonym => People::Pseudonym,
    };
    let options = match &sink.place {
        SinkPlace::File(path) => SinkOptions::new(&format!("jsonl:{}", path.display())),
        SinkPlace::Receiver { url, token, end, .. } => {
            SinkOptions { token: token.clone(), end: *end, ..SinkOptions::new(url) }
        }
    };
    let format = if sink.is_ocsf { Format::Ocsf } else { Format::Own };
    SinkOptions { people: Some(people), format, ..options }
}

/// The key of pseudonyms: derived, so that it lives and dies with the keys in the store.
fn pseudonym_key(world: &World) -> PseudonymKey {
    PseudonymKey::new(&world.keys.session_key(&Token::new(*b"fedgate pseudonyms in sinks, v01")).0)
}

/// This process in the log's roster: the machine's name, where it has one.
fn node_name() -> String {
    let name = rustix::system::uname();
    let name = name.nodename().to_string_lossy();
    let clean: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    if clean.is_empty() { "node".to_owned() } else { clean }
}
