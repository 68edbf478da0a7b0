//! The second opinion: a verifier that others wrote (samael, over libxml2, xmlsec1 and OpenSSL) is shown what has verified here, and
//! must read the same, or the login is refused (rule H11).
//!
//! It is C code that reads what a tenant signed, so it runs in processes of its own that hold nothing: the same program, started anew
//! with an empty environment, in a sandbox that the process closes around itself before it reads its first request. A few are kept;
//! each has one request in flight and is replaced after any fault. What it says can refuse a login and never make one.
//!
//! Deliberately absent: a way to choose another program, and any trust in a process that answered once.

#[cfg(feature = "samael")]
mod child;
#[cfg(feature = "samael")]
mod engine;
mod frame;
#[cfg(feature = "samael")]
mod sandbox;
#[cfg(test)]
mod tests;
mod worker;

use crate::clock::Clock;
use crate::kernel::saml::Opinion;
#[cfg(feature = "samael")]
pub use child::serve;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use worker::{NotStarted, Worker};

/// How long a process may take for one message: 57 KB take 80 ms, and the largest that some tenant may sign two seconds.
const DEADLINE: Duration = Duration::from_secs(2);
/// How long a process may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(20);
/// A process that is kept has answered less than this often, and for less than this long in all.
const ANSWERS: u32 = 1_000;
const BUSY: Duration = Duration::from_secs(60);
/// Requests of one directory that are in flight at once, so that one tenant leaves the others their turn.
pub(super) const OF_ONE_DIRECTORY: usize = 2;

/// How many logins get a second opinion: `[saml] second_opinion`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SecondOpinion {
    /// Each.
    #[default]
    All,
    /// One of sixteen, chosen by chance.
    Sample,
    /// None.
    Off,
}

/// Whether SAML logins get a second opinion, as trying one found out (rule H11: where there is none, that is said).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// A process answers in its sandbox.
    Runs,
    /// `[saml] second_opinion` is `"off"`.
    Off,
    /// This program was built without it.
    NotBuilt,
    /// The kernel gives no sandbox; why.
    NoSandbox(String),
    /// It does not start; why. Each SAML login is refused.
    Broken(String),
}

impl Standing {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Off => "off",
            Self::NotBuilt => "not-built",
            Self::NoSandbox(_) => "no-sandbox",
            Self::Broken(_) => "broken",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs => f.write_str("SAML logins get a second opinion by samael, in a sandboxed process"),
            Self::Off => f.write_str("SAML logins get no second opinion: [saml] second_opinion is \"off\""),
            Self::NotBuilt => {
                f.write_str("SAML logins get no second opinion: this program was built without it (feature `samael`)")
            }
            Self::NoSandbox(why) => {
                write!(f, "SAML logins get no second opinion: the kernel gives no sandbox: {why}")
            }
            Self::Broken(why) => write!(f, "SAML logins are refused: the second opinion does not start: {why}"),
        }
    }
}

/// Tries it outside of a gateway. Blocks.
pub fn tried(configured: SecondOpinion, clock: Clock) -> Standing {
    let opinions = Opinions::new(clock);
    opinions.set(configured);
    opinions.try_out()
}

/// Why a login that should have one got no second opinion, and is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Missing(String);

/// What came of asking.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nobody was asked: switched off, not chosen, not built in, or no sandbox here.
    Nobody,
    /// This is what it read.
    Read(Box<Opinion>),
    /// It does not verify there.
    Refused(String),
}

/// The program of a process.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) arguments: Vec<String>,
}

impl Program {
    /// This program itself, whatever stands at its path by now.
    fn own() -> Option<Self> {
        let arguments = vec![ARGUMENT.to_owned()];
        cfg!(feature = "samael").then(|| Self { path: PathBuf::from("/proc/self/exe"), arguments })
    }
}

/// The hidden command that the processes run.
pub const ARGUMENT: &str = "second-opinion";

const UNTRIED: u8 = 0;
const SANDBOXED: u8 = 1;
const NO_SANDBOX: u8 = 2;

/// The processes and their queue.
pub(super) struct Opinions {
    level: AtomicU8,
    program: Option<Program>,
    clock: Clock,
    idle: Mutex<Vec<Worker>>,
    turns: Arc<Semaphore>,
    sandbox: AtomicU8,
}

impl Opinions {
    /// At most one process per core, and three at least: a directory never has all of them.
    pub(super) fn new(clock: Clock) -> Self {
        Self::of(Program::own(), clock)
    }

    pub(super) fn of(program: Option<Program>, clock: Clock) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            level: AtomicU8::new(level(SecondOpinion::All)),
            program,
            clock,
            idle: Mutex::default(),
            turns: Arc::new(Semaphore::new(cores.max(OF_ONE_DIRECTORY + 1))),
            sandbox: AtomicU8::new(UNTRIED),
        }
    }

    pub(super) fn set(&self, to: SecondOpinion) {
        self.level.store(level(to), Ordering::Relaxed);
    }

    /// Starts one process and says what holds, in the log too. Blocks.
    pub(super) fn try_out(&self) -> Standing {
        let standing = match &self.program {
            _ if self.level.load(Ordering::Relaxed) == level(SecondOpinion::Off) => Standing::Off,
            None => Standing::NotBuilt,
            Some(program) => match self.start(program) {
                Ok(worker) => {
                    self.keep(worker);
                    Standing::Runs
                }
                Err(NotStarted::NoSandbox(why)) => {
                    self.has_no_sandbox(&why);
                    Standing::NoSandbox(why)
                }
                Err(NotStarted::Broken(why)) => Standing::Broken(why),
            },
        };
        match &standing {
            Standing::Runs => tracing::info!("{standing}"),
            Standing::Off | Standing::NotBuilt => tracing::warn!("{standing}"),
            // Said once, there.
            Standing::NoSandbox(_) => {}
            Standing::Broken(_) => tracing::error!("{standing}"),
        }
        standing
    }

    /// Asks for one message, `draw` being a random byte. Waits for a turn; the caller holds one of its directory.
    ///
    /// # Errors
    /// [`Missing`] where an answer was due and none came.
    pub(super) async fn ask(
        self: &Arc<Self>,
        document: String,
        certificates: Vec<Vec<u8>>,
        draw: u8,
    ) -> Result<Asked, Missing> {
        let wanted = match self.level.load(Ordering::Relaxed) {
            0 => true,
            1 => draw.is_multiple_of(16),
            _ => false,
        };
        if !wanted || self.program.is_none() || self.sandbox.load(Ordering::Relaxed) == NO_SANDBOX {
            return Ok(Asked::Nobody);
        }
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|why| Missing(why.to_string()))?;
        let opinions = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            opinions.ask_now(&document, &certificates)
        });
        asked.await.map_err(|why| Missing(why.to_string()))?
    }

    fn ask_now(&self, document: &str, certificates: &[Vec<u8>]) -> Result<Asked, Missing> {
        let mut worker = match self.worker() {
            Ok(worker) => worker,
            Err(NotStarted::NoSandbox(why)) => {
                self.has_no_sandbox(&why);
                // Where there was one before, a process that says so is no reason to do without.
                let is_off = self.sandbox.load(Ordering::Relaxed) == NO_SANDBOX;
                return if is_off { Ok(Asked::Nobody) } else { Err(Missing(why)) };
            }
            Err(why) => {
                tracing::error!(%why, "the second opinion does not start");
                return Err(Missing(why.to_string()));
            }
        };
        let request = frame::Request { document: document.to_owned(), certificates: certificates.to_vec() };
        match worker.ask(&request, &self.clock, DEADLINE) {
            Ok(answer) => {
                // One that refuses what was verified may say what somebody made it say: it is not asked again.
                let is_read = matches!(answer, frame::Answer::Read(_));
                if is_read && worker.answered < ANSWERS && worker.busy < BUSY {
                    self.keep(worker);
                }
                Ok(match answer {
                    frame::Answer::Read(opinion) => Asked::Read(opinion),
                    frame::Answer::Refused(why) => Asked::Refused(why),
                })
            }
            // The process ends with the worker, and the next one who asks gets another.
            Err(why) => {
                tracing::error!(%why, "the second opinion failed; its process is replaced");
                Err(Missing(why.to_string()))
            }
        }
    }

    /// Replaces every process that waits: one of them said something else than our own verifier.
    pub(super) fn dismiss(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        // Each ends with its process, which is waited for: outside the lock.
        drop(idle);
    }

    fn worker(&self) -> Result<Worker, NotStarted> {
        // One that ended while nobody asked, or spoke unasked, costs no login.
        let kept = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(Worker::is_waiting);
            idle.pop()
        };
        match (kept, &self.program) {
            (Some(worker), _) => Ok(worker),
            (None, Some(program)) => self.start(program),
            (None, None) => Err(NotStarted::Broken("it is not built in".to_owned())),
        }
    }

    fn keep(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    fn start(&self, program: &Program) -> Result<Worker, NotStarted> {
        // Beside processes that run the code of others, our own memory is nobody's to look into, dumps included.
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
            .map_err(|why| NotStarted::NoSandbox(why.to_string()))?;
        let worker = Worker::start(program, &self.clock, START)?;
        self.sandbox.store(SANDBOXED, Ordering::Relaxed);
        Ok(worker)
    }

    /// A kernel that gave a sandbox once does not stop: only the first process may find that there is none.
    fn has_no_sandbox(&self, why: &str) {
        let first = self.sandbox.compare_exchange(UNTRIED, NO_SANDBOX, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if first {
            tracing::warn!(why, "SAML logins get no second opinion: the kernel gives no sandbox");
        }
    }
}

const fn level(of: SecondOpinion) -> u8 {
    match of {
        SecondOpinion::All => 0,
        SecondOpinion::Sample => 1,
        SecondOpinion::Off => 2,
    }
}
