//! How a running gateway is told things: signals, the control socket (`state/control.sock`, 0600), and the file watch.
//!
//! The socket takes one line, `reload`, `reload CODE` or `operate JSON`, and answers `ok …` or `error …`, then closes.

use super::{Node, NotStarted};
use crate::config::{Config, Loosening, Machine, confirmation, loosened, read};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::values::EventId;
use crate::orgs::change::{People, people};
use notify::{RecursiveMode, Watcher as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How long requests and streams may take to end.
const DRAIN: Duration = Duration::from_secs(30);
/// A file that was just written is read this long after, so that a half-written one is not.
const SETTLE: Duration = Duration::from_millis(300);

/// The socket in the state folder.
pub fn socket(state: &Path) -> PathBuf {
    state.join("control.sock")
}

/// The longest line that the socket takes: a whole document of an organization and more.
const LINE: u64 = 1024 * 1024;

/// Asks the gateway whose socket this is, and returns its answer.
///
/// # Errors
/// Nobody listens there, or does not answer in a minute.
pub fn ask(path: &Path, line: &str) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    writeln!(stream, "{line}")?;
    let mut answer = String::new();
    stream.take(LINE).read_to_string(&mut answer)?;
    Ok(answer)
}

/// A gateway with its configuration file.
pub struct Control {
    /// The gateway.
    pub node: Node,
    /// What is in force.
    pub config: Config,
    /// Where it came from; `demo` has none and cannot be reloaded.
    pub file: Option<PathBuf>,
    /// Hang-ups since before the node was started: one that comes in that moment is a reload, and ends nothing.
    pub hangup: Signal,
}

/// Hang-ups from now on.
///
/// # Errors
/// [`NotStarted`] when they cannot be had.
pub fn hangups() -> Result<Signal, NotStarted> {
    signal(SignalKind::hangup()).map_err(|why| NotStarted::new("hang-ups", &why))
}

impl Control {
    /// Serves until told to stop, then drains. A second signal cuts the drain short.
    ///
    /// # Errors
    /// [`NotStarted`] when signals or the socket cannot be had.
    pub async fn serve(mut self, watch: bool) -> Result<(), NotStarted> {
        let fault = |why: std::io::Error| NotStarted::new("signals and the control socket", &why);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(fault)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(fault)?;
        let path = socket(&self.config.state);
        let listener = listen(&path).map_err(fault)?;
        let (changed, mut changes) = mpsc::channel(1);
        let _watcher = match self.file.as_deref().filter(|_| watch) {
            Some(file) => Some(self.watch(file, changed)?),
            None => None,
        };
        loop {
            tokio::select! {
                _ = self.hangup.recv() => drop(self.reload_and_log(None).await),
                Some(()) = changes.recv() => {
                    tokio::time::sleep(SETTLE).await;
                    while changes.try_recv().is_ok() {}
                    drop(self.reload_and_log(None).await);
                }
                accepted = listener.accept() => if let Ok((stream, _)) = accepted { self.converse(stream).await },
                _ = interrupt.recv() => break,
                _ = terminate.recv() => break,
            }
        }
        tracing::info!("draining");
        // Whoever reloads from now on must be told that nobody listens.
        drop(listener);
        if let Err(why) = std::fs::remove_file(&path) {
            tracing::debug!(%why, "the control socket was gone already");
        }
        tokio::select! {
            () = self.node.drain(DRAIN) => {}
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }

    fn watch(&self, file: &Path, changed: mpsc::Sender<()>) -> Result<notify::RecommendedWatcher, NotStarted> {
        let name = file.file_name().map(ToOwned::to_owned);
        let told = move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            let is_write = event.kind.is_modify() || event.kind.is_create();
            let is_ours = is_write && event.paths.iter().any(|path| path.file_name() == name.as_deref());
            if is_ours && changed.try_send(()).is_err() {
                tracing::trace!("a reload is due already");
            }
        };
        let fault = |why: notify::Error| NotStarted::new("the configuration cannot be watched", &why);
        let mut watcher = notify::recommended_watcher(told).map_err(fault)?;
        // The folder, since editors replace files instead of writing into them.
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(fault)?;
        Ok(watcher)
    }

    /// Reads the file anew and applies it whole, or says why not.
    ///
    /// # Errors
    /// What to tell the operator.
    pub async fn reload(&mut self, confirmed: Option<&str>) -> Result<String, String> {
        let Some(file) = self.file.clone() else { return Err("this gateway has no configuration file".into()) };
        let text = std::fs::read_to_string(&file).map_err(|why| format!("{} cannot be read: {why}", file.display()))?;
        let (config, report) = read(&text, &file, &Machine);
        let Some(config) = config.filter(|_| !report.has_errors()) else { return Err(report.plain()) };
        if config.login != self.config.login
            || config.store.expose() != self.config.store.expose()
            || config.state != self.config.state
        {
            return Err("login, state and store need a restart".into());
        }
        let loosenings = loosened(&self.config, &config);
        if !loosenings.is_empty() {
            let code = confirmation(&loosenings);
            if confirmed != Some(code.as_str()) {
                let list: Vec<String> = loosenings.iter().map(|one| format!("  - {one}")).collect();
                let people = self.people(&config, &loosenings).await?;
                return Err(format!(
                    "E-LOOSER: the new file gives away:\n{}\npeople: {people}\nIf that is meant: fedgate reload --loosen {code}",
                    list.join("\n")
                ));
            }
        }
        self.node.apply(config.clone()).await.map_err(|why| why.to_string())?;
        self.config = config;
        // Named at each start and at each reload: what is doubtful does not become normal.
        let doubts = report.without_advice();
        if !doubts.findings().is_empty() {
            tracing::warn!("the configuration in force is doubtful:\n{}", doubts.plain());
        }
        Ok(format!("configuration {} is in force", self.node.login.world().catalog.load().version))
    }

    /// How many people a loosening is about, as far as they are known here.
    async fn people(&self, new: &Config, loosenings: &[Loosening]) -> Result<People, String> {
        let about: Vec<_> = loosenings.iter().filter_map(Loosening::org).collect();
        let orgs = self.config.catalog.orgs.iter().chain(&new.catalog.orgs);
        let orgs = orgs.filter(|org| about.contains(&&org.name)).map(Some);
        people(self.node.login.world().store.as_ref(), orgs).await.map_err(|why| why.to_string())
    }

    async fn reload_and_log(&mut self, confirmed: Option<&str>) -> Result<String, String> {
        let done = self.reload(confirmed).await;
        match &done {
            Ok(said) => tracing::info!("{said}"),
            Err(why) => tracing::error!("the configuration was refused, the old one goes on: {why}"),
        }
        let world = self.node.login.world();
        let now = world.clock.now();
        let (action, outcome) = match &done {
            Ok(_) => (Action::ConfigReloaded, Outcome::Success),
            Err(_) => (Action::ConfigRefused, Outcome::Refused),
        };
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, outcome);
        event.reason = confirmed.map(|_| "loosening confirmed".to_owned());
        if let Err(why) = world.store.commit(Batch { events: vec![event], ..Batch::default() }).await {
            tracing::error!(%why, "the reload could not be recorded");
        }
        done
    }

    async fn converse(&mut self, stream: UnixStream) {
        let uid = stream.peer_cred().map(|peer| peer.uid());
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        let mut reader = BufReader::new(read.take(LINE));
        let in_time = tokio::time::timeout(Duration::from_secs(2), reader.read_line(&mut line)).await;
        let answer = match (in_time, line.trim().split_once(' '), line.trim()) {
            (Ok(Ok(_)), None, "reload") => self.reload_and_log(None).await,
            (Ok(Ok(_)), Some(("reload", code)), _) => self.reload_and_log(Some(code)).await,
            (Ok(Ok(_)), Some(("operate", command)), _) => match (serde_json::from_str(command), uid) {
                (Ok(command), Ok(uid)) => self.node.admin.operate(command, uid).await.map(|answer| answer.to_string()),
                (Err(why), _) => Err(format!("that is no command: {why}")),
                (_, Err(why)) => Err(format!("who asks cannot be said: {why}")),
            },
            _ => Err("say `reload` or `reload CODE`".to_owned()),
        };
        let text = match answer {
            Ok(said) => format!("ok {said}\n"),
            Err(why) => format!("error {why}\n"),
        };
        if let Err(why) = write.write_all(text.as_bytes()).await {
            tracing::debug!(%why, "whoever asked over the control socket went away");
        }
    }
}

/// The socket, readable by its owner alone. A stale one of a killed process is replaced: the state folder's lock says that no
/// other process is there.
fn listen(path: &Path) -> std::io::Result<UnixListener> {
    if path.exists() {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
