//! The data path: listen, route, check the session, forward.
//!
//! One current-thread runtime per core, each with its own SO_REUSEPORT listeners, routing table and upstream pool; what they
//! share is read without locks. Sessions and pages are known only as the ports [`Sessions`] and [`Routes`].
//!
//! Deliberately absent: who may enter (the port says), words for people (the port says), and HTTP/3.

mod answer;
mod api;
mod app_login;
mod body;
mod bound;
pub mod bounds;
mod client;
mod connection;
mod core;
mod drained;
mod filter;
mod forward;
mod front;
mod gather;
mod grpc;
mod guard;
mod handle;
mod head;
mod ids;
mod locate;
mod native;
mod ops;
pub mod options;
mod pace;
mod patient;
mod personal;
mod rarely;
mod recall;
mod sending;
mod spool;
mod stream;
mod table;
mod tls;
mod upload;
mod upstream;
mod watch;
mod websocket;

pub use front::head as bodiless;
pub use ops::Readiness;
pub use tls::{TlsFault, internal_server};
pub use upstream::{Probe, probe};

use self::connection::Listener;
use self::core::{Core, Shared};
use self::guard::Guard;
use self::options::Options;
use self::spool::Spool;
use self::table::Table;
use self::tls::{Tickets, TlsState};
use self::upstream::{Probes, Registry};
use crate::clock::Clock;
use crate::seeing::Seeing;
use crate::web::issued::Issued;
use crate::web::{Routes, Sessions};
use arc_swap::ArcSwapOption;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What the data path asks and tells.
pub struct Ports {
    /// The session check.
    pub sessions: Arc<dyn Sessions>,
    /// Our own pages.
    pub routes: Arc<dyn Routes>,
    /// Whether the process can do its work, for `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// The process's clock.
    pub clock: Clock,
    /// The process's metrics.
    pub seeing: Arc<Seeing>,
    /// What an authority issued; empty without ACME.
    pub issued: Arc<Issued>,
}

/// The data path, not yet running.
#[derive(Debug)]
pub struct Gateway;

/// Why the data path cannot start or take new options.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// A listening address changed: that takes a restart.
    #[error("[listen] changed an address, the state folder or the kind of certificates: restart to apply that")]
    NeedsRestart,
    /// The operating system gives no thread or runtime.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Where a running gateway listens; real ports, also where the options said 0.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Addresses {
    /// TLS.
    pub https: Option<SocketAddr>,
    /// Redirects.
    pub http: Option<SocketAddr>,
    /// Behind somebody else's TLS.
    pub plain: Option<SocketAddr>,
    /// Health and metrics.
    pub ops: Option<SocketAddr>,
}

/// The data path at work.
pub struct Running {
    shared: Arc<Shared>,
    cores: Vec<Arc<Core>>,
    addresses: Addresses,
    options: Arc<Mutex<Options>>,
    tickets: Tickets,
    drain: CancellationToken,
    kill: CancellationToken,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Gateway {
    /// Listens and serves on `cores` threads of its own, and one more for operators and certificate files. Returns once every
    /// address is bound.
    ///
    /// # Errors
    /// [`Fault`] when an address, a certificate or a thread cannot be had; nothing is left running then.
    pub fn start(options: Options, ports: Ports, cores: usize) -> Result<Running, Fault> {
        let tickets = Tickets::new()?;
        let tls = TlsState::load(&options, &ports.issued, &tickets, ports.clock.now())?;
        let (drain, kill) = (CancellationToken::new(), CancellationToken::new());
        let guard = Guard::new(options.listen.crowd, &ports.seeing);
        let shared = Arc::new(Shared {
            guard,
            sessions: ports.sessions,
            routes: ports.routes,
            spool: Spool::open(&options.listen.state, ports.clock.now()),
            clock: ports.clock,
            upstreams: Registry::new(&ports.seeing),
            seeing: ports.seeing,
            tls: ArcSwapOption::from(tls.map(Arc::new)),
            issued: ports.issued,
            open: TaskTracker::new(),
        });
        let cores = cores.max(1);
        let (listeners, mut addresses) = listen(&options, cores)?;
        let ops = options.listen.ops.map(bind).transpose()?;
        addresses.ops = ops.as_ref().map(TcpListener::local_addr).transpose()?;
        let core = |_| Arc::new(Core::new(Arc::clone(&shared), &options, [&drain, &kill]));
        let cores: Vec<Arc<Core>> = (0..cores).map(core).collect();
        let running = Running {
            shared,
            cores,
            addresses,
            options: Arc::new(Mutex::new(options)),
            tickets,
            drain,
            kill,
            threads: Mutex::default(),
        };
        running.run(listeners, ops, ports.readiness)?;
        Ok(running)
    }
}

impl Running {
    fn run(
        &self,
        listeners: Vec<Vec<(TcpListener, Listener)>>,
        ops: Option<TcpListener>,
        readiness: Arc<dyn Readiness>,
    ) -> Result<(), Fault> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, (core, listeners)) in self.cores.iter().zip(listeners).enumerate() {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let core = Arc::clone(core);
            let thread = thread::Builder::new().name(format!("core-{place}"));
            threads.push(thread.spawn(move || runtime.block_on(core.run(listeners)))?);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (shared, drain, kill) = (Arc::clone(&self.shared), self.drain.clone(), self.kill.clone());
        let certificates = watch::Certificates {
            shared: Arc::clone(&self.shared),
            options: Arc::clone(&self.options),
            tickets: self.tickets.clone(),
        };
        let probes = Probes { shared: Arc::clone(&self.shared), options: Arc::clone(&self.options) };
        let back = async move {
            let probing = tokio::spawn(probes.run(kill.clone()));
            let watching = tokio::spawn(certificates.keep_fresh(kill.clone()));
            let sweeping = tokio::spawn(Arc::clone(&shared.spool).keep_swept(shared.clock.clone(), kill.clone()));
            match ops.map(tokio::net::TcpListener::from_std) {
                Some(Ok(listener)) => ops::serve(listener, shared, readiness, drain, kill).await,
                Some(Err(error)) => tracing::error!(%error, "the ops listener cannot be used"),
                None => kill.cancelled().await,
            }
            watching.abort();
            sweeping.abort();
            probing.abort();
        };
        threads.push(thread::Builder::new().name("gateway-back".to_owned()).spawn(move || runtime.block_on(back))?);
        Ok(())
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Applies new options whole or not at all; requests under way end under the old ones. Certificates are loaded again.
    ///
    /// # Errors
    /// [`Fault::NeedsRestart`] when the listening part changed, [`Fault::Tls`] when certificates cannot be used.
    pub fn reload(&self, options: Options) -> Result<(), Fault> {
        let mut current = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        let (old, new) = (&current.listen, &options.listen);
        let moved = (old.https, old.http, old.plain, old.ops) != (new.https, new.http, new.plain, new.ops)
            || old.state != new.state
            || std::mem::discriminant(&old.tls) != std::mem::discriminant(&new.tls);
        if moved {
            return Err(Fault::NeedsRestart);
        }
        let tls = TlsState::load(&options, &self.shared.issued, &self.tickets, self.shared.clock.now())?;
        let tables: Vec<Table> = self.cores.iter().map(|core| core.compile(&options)).collect();
        self.shared.guard.caps.set(options.listen.crowd);
        self.shared.tls.store(tls.map(Arc::new));
        for (core, table) in self.cores.iter().zip(tables) {
            core.table.store(Arc::new(table));
        }
        *current = options;
        self.shared.upstreams.keep(&current);
        Ok(())
    }

    /// Stops accepting, lets requests and streams end (`Connection: close`, GOAWAY), and cuts what is left after `deadline`.
    /// Returns when everything has ended.
    pub async fn drain(&self, deadline: Duration) {
        self.drain.cancel();
        self.shared.open.close();
        if tokio::time::timeout(deadline, self.shared.open.wait()).await.is_err() {
            tracing::warn!(left = self.shared.open.len(), "the deadline cuts connections that are still open");
        }
        self.kill.cancel();
    }
}

impl Drop for Running {
    /// Whatever is still open is cut, and the threads are waited for.
    fn drop(&mut self) {
        self.drain.cancel();
        self.kill.cancel();
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the data path had panicked");
            }
        }
    }
}

/// The listening sockets of one core.
type PerCore = Vec<(TcpListener, Listener)>;

/// The sockets of each core, and where they are; port 0 becomes one real port for all cores.
fn listen(options: &Options, cores: usize) -> Result<(Vec<PerCore>, Addresses), Fault> {
    let listen = &options.listen;
    let mut addresses = Addresses::default();
    let mut listeners: Vec<Vec<(TcpListener, Listener)>> = (0..cores).map(|_| Vec::new()).collect();
    for (address, kind, bound) in [
        (listen.https, Listener::Tls, &mut addresses.https),
        (listen.http, Listener::Redirect, &mut addresses.http),
        (listen.plain, Listener::Plain, &mut addresses.plain),
    ] {
        for of_core in &mut listeners {
            let Some(address) = bound.or(address) else { break };
            let listener = bind(address)?;
            *bound = Some(listener.local_addr()?);
            of_core.push((listener, kind));
        }
    }
    Ok((listeners, addresses))
}

/// A listening socket that other cores can listen beside.
fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(1024)?;
        Ok(TcpListener::from(socket))
    };
    listen().map_err(|cause| Fault::Listen { address, cause })
}
