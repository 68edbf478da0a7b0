//! One process, from its parent's side: started, asked under a deadline, and ended with the value.

use super::Program;
use super::frame::{self, Answer, Hello, Request};
use crate::clock::Clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use std::fmt::Display;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// A process that is ready to be asked.
pub(super) struct Worker {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
    /// How often it answered.
    pub(super) answered: u32,
    /// How long it took for that.
    pub(super) busy: Duration,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStarted {
    #[error("no sandbox: {0}")]
    NoSandbox(String),
    #[error("{0}")]
    Broken(String),
}

/// Why an answer did not come. The process is of no use any more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failed(String);

/// All that the process finds in its environment: the program's allocator takes memory as it is needed, not a gibibyte ahead, which
/// would count against the sandbox's limit.
const ALLOCATOR: [(&str, &str); 2] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_EAGER_COMMIT", "0")];

impl Failed {
    fn of(why: impl Display) -> Self {
        Self(why.to_string())
    }
}

impl Worker {
    /// Starts a process with nothing but its two pipes, and hears whether its sandbox holds.
    pub(super) fn start(program: &Program, clock: &Clock, within: Duration) -> Result<Self, NotStarted> {
        let broken = |why: &dyn Display| NotStarted::Broken(why.to_string());
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).env_clear().envs(ALLOCATOR).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|why| broken(&why))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(NotStarted::Broken("it has no pipes".to_owned()));
        };
        let mut worker = Self { child, to, from, answered: 0, busy: Duration::ZERO };
        fcntl_setfl(&worker.to, OFlags::NONBLOCK).map_err(|why| broken(&why))?;
        fcntl_setfl(&worker.from, OFlags::NONBLOCK).map_err(|why| broken(&why))?;
        match worker.exchange(&[], clock, within).map_err(|why| broken(&why))? {
            Hello::Ready => Ok(worker),
            Hello::NoSandbox(why) => Err(NotStarted::NoSandbox(why)),
            Hello::Broken(why) => Err(NotStarted::Broken(why)),
        }
    }

    /// Whether it waits to be asked: it has not ended, and nothing is there that could pass for an answer.
    pub(super) fn is_waiting(&self) -> bool {
        let mut from = [PollFd::new(&self.from, PollFlags::IN)];
        poll(&mut from, Some(&Timespec::default())) == Ok(0)
    }

    /// One request and its answer.
    pub(super) fn ask(&mut self, request: &Request, clock: &Clock, within: Duration) -> Result<Answer, Failed> {
        let frame = frame::encode(request).ok_or_else(|| Failed("the message is too long for it".to_owned()))?;
        let begun = clock.since_boot();
        let answer = self.exchange(&frame, clock, within)?;
        self.answered += 1;
        self.busy += clock.since_boot().saturating_sub(begun);
        Ok(answer)
    }

    /// Writes all of `frame` and reads one frame, before the deadline: a process that reads nothing holds nobody up.
    fn exchange<T: serde::de::DeserializeOwned>(
        &mut self,
        mut frame: &[u8],
        clock: &Clock,
        within: Duration,
    ) -> Result<T, Failed> {
        let end = clock.since_boot() + within;
        let mut got = Vec::new();
        loop {
            let left = end.saturating_sub(clock.since_boot());
            if left.is_zero() {
                return Err(Failed(format!("it did not answer within {within:?}")));
            }
            if !self.wait(!frame.is_empty(), left)? {
                continue;
            }
            if !frame.is_empty() {
                match rustix::io::write(&self.to, frame) {
                    Ok(count) => frame = frame.get(count..).unwrap_or_default(),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(why) => return Err(Failed(format!("it does not read: {why}"))),
                }
            }
            let mut piece = vec![0; PIECE];
            match rustix::io::read(&self.from, &mut piece) {
                Ok(0) => return Err(Failed("it ended".to_owned())),
                Ok(count) => got.extend(piece.into_iter().take(count)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(why) => return Err(Failed(format!("it cannot be heard: {why}"))),
            }
            if let Some((head, body)) = got.split_first_chunk() {
                let length = frame::length(*head).ok_or_else(|| Failed("it says too much".to_owned()))?;
                if body.len() > length || (body.len() == length && !frame.is_empty()) {
                    return Err(Failed("it said more than one answer".to_owned()));
                }
                if body.len() == length {
                    return frame::decode(body).ok_or_else(|| Failed("what it says has no meaning".to_owned()));
                }
            }
        }
    }

    /// Waits until something can be done; whether it can.
    fn wait(&self, writes: bool, left: Duration) -> Result<bool, Failed> {
        let timeout =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(1), tv_nsec: left.subsec_nanos().into() };
        let to = if writes { PollFlags::OUT } else { PollFlags::empty() };
        let mut both = [PollFd::new(&self.from, PollFlags::IN), PollFd::new(&self.to, to)];
        match poll(&mut both, Some(&timeout)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(why) => Err(Failed::of(why)),
        }
    }
}

/// The process ends with its worker, whatever it is doing.
impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
