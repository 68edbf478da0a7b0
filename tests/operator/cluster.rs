//! Two gateway processes of one configuration over one PostgreSQL, behind one origin: what stands before them is told by the scene
//! which of them gets the next connection.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::provider::LightOp;
use super::server::{Server, name_of};
use super::support::agent::UserAgent;
use super::support::configuration::Configuration;
use super::support::gateway::Gateway;
use super::support::ports;
use super::support::upstream::Upstream;

/// How a node reaches the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Nudges {
    /// As it is.
    Come,
    /// Through something that lets no notification through, as a pooler does.
    AreLost,
}

/// The processes and what they need.
pub struct Cluster {
    pub nodes: [Gateway; 2],
    pub spreader: Spreader,
    pub op: LightOp,
    database: String,
    mute: Option<Mute>,
    _product: Upstream,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Both start at the same moment over an empty database.
    pub fn start(server: &Server, nudges: Nudges) -> Self {
        Self::start_with(server, nudges, |configuration, _| configuration)
    }

    /// The same with more in the file of each.
    pub fn start_with(server: &Server, nudges: Nudges, more: impl Fn(Configuration, usize) -> Configuration) -> Self {
        let (op, product, folder) = (LightOp::start(), Upstream::start(), tempfile::tempdir().expect("a folder"));
        let database = name_of(&server.database()).to_owned();
        let mute = (nudges == Nudges::AreLost).then(|| Mute::before(server.port()));
        let port = mute.as_ref().map_or(server.port(), |mute| mute.port);
        let kek = folder.path().join("kek").display().to_string();
        let public = ports::free();
        let nodes = [0, 1].map(|node| {
            let configuration = Configuration::new()
                .published_at(public)
                .top(&format!("key_file = {kek:?}"))
                .secret(&kek, &"5a".repeat(32))
                .trust(&op.ca_file())
                .product("trello", &product.url(), "")
                .organization("acme", "acme.example.test", op.issuer(), "a secret")
                .secret("{dir}/store", &format!("postgres://fedgate@127.0.0.1:{port}/{database}?sslmode=disable"))
                .table("[store]\nurl_file = \"{dir}/store\"");
            Gateway::prepare(&more(configuration, node))
        });
        let spreader = Spreader::start(public, [nodes[0].ports().https, nodes[1].ports().https]);
        let mut cluster = Self { nodes, spreader, op, database, mute, _product: product, _folder: folder };
        cluster.nodes.iter_mut().for_each(Gateway::launch);
        cluster.nodes.iter_mut().for_each(Gateway::wait_ready);
        cluster
    }

    /// The address that people type, whichever node answers.
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}.example.test:{}{path}", self.spreader.port)
    }

    /// A person's browser.
    pub fn agent(&self) -> UserAgent {
        let [one, other] = &self.nodes;
        UserAgent::new(&[&one.ca_file(), &other.ca_file(), &self.op.ca_file()])
    }

    /// The next connections go to this node.
    pub fn to(&self, node: usize) {
        self.spreader.node.store(node, Ordering::SeqCst);
    }

    /// The database's name, for questions to the server.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Notifications that did not come through.
    pub fn lost_nudges(&self) -> u64 {
        self.mute.as_ref().map_or(0, |mute| mute.dropped.load(Ordering::SeqCst))
    }

    /// Both processes' words, for a scene that failed.
    pub fn log(&self) -> String {
        let [one, other] = &self.nodes;
        format!("one:\n{}\nother:\n{}", one.log(), other.log())
    }
}

/// Takes connections at one port and hands each to the node that is named then.
pub struct Spreader {
    pub port: u16,
    node: Arc<AtomicUsize>,
    alternates: Arc<AtomicBool>,
    _stop: tokio_util::sync::DropGuard,
}

impl Spreader {
    fn start(port: u16, nodes: [u16; 2]) -> Self {
        let (node, alternates) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (named, each) = (Arc::clone(&node), Arc::clone(&alternates));
        let stop = relay(port, move |mut incoming| {
            let step = usize::from(each.load(Ordering::SeqCst));
            let to = nodes[named.fetch_add(step, Ordering::SeqCst) % 2];
            async move {
                // A node that is down refuses, as a balancer would see.
                let Ok(mut node) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                let _ended = copy_bidirectional(&mut incoming, &mut node).await;
            }
        });
        Self { port, node, alternates, _stop: stop }
    }

    /// Whether each connection goes to the other node than the one before it.
    pub fn alternate(&self, alternates: bool) {
        self.alternates.store(alternates, Ordering::SeqCst);
    }
}

/// Stands before the server and drops each `NotificationResponse` (PostgreSQL protocol 3.0, message `A`).
struct Mute {
    port: u16,
    dropped: Arc<AtomicU64>,
    _stop: tokio_util::sync::DropGuard,
}

impl Mute {
    fn before(server: u16) -> Self {
        let (port, dropped) = (ports::free(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&dropped);
        let stop = relay(port, move |incoming| {
            let count = Arc::clone(&count);
            async move {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                let (mut from_server, mut to_server) = server.into_split();
                let (mut from_node, to_node) = incoming.into_split();
                let up = async move {
                    let _ended = copy(&mut from_node, &mut to_server).await;
                };
                tokio::select! {
                    () = up => {}
                    _ended = answers(&mut from_server, to_node, &count) => {}
                }
            }
        });
        Self { port, dropped, _stop: stop }
    }
}

/// Each message is its kind, its length with these four bytes, and its content.
async fn answers(
    from: &mut (impl AsyncRead + Unpin),
    mut to: impl AsyncWrite + Unpin,
    dropped: &AtomicU64,
) -> std::io::Result<()> {
    let mut from = tokio::io::BufReader::new(from);
    loop {
        let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
        let mut message = vec![0; usize::try_from(length).expect("four bytes").saturating_sub(4)];
        from.read_exact(&mut message).await?;
        if kind == b'A' {
            dropped.fetch_add(1, Ordering::SeqCst);
            continue;
        }
        let head: Vec<u8> = [kind].into_iter().chain(length.to_be_bytes()).collect();
        to.write_all(&[head, message].concat()).await?;
    }
}

/// Serves a port of the loopback on a thread of its own until the guard is dropped.
fn relay<W: Future<Output = ()> + Send + 'static>(
    port: u16,
    serve: impl Fn(TcpStream) -> W + Send + 'static,
) -> tokio_util::sync::DropGuard {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).expect("a free port");
    listener.set_nonblocking(true).expect("a socket");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(stopped.run_until_cancelled(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                stream.set_nodelay(true).expect("a socket");
                tokio::spawn(serve(stream));
            }
        }));
    });
    stop.drop_guard()
}
