//! HTTP/1.1 to an upstream, spoken by ourselves for what most requests are: GET without a body. The head is written as it is made
//! and the answer is read by the task that waits for it; hyper has a task, two channels and a map of fields for that, which
//! cost more than all our checks.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the connection, and one exchange on it |
//! | `reply.rs` | the head of an answer, and how its body is framed |
//! | `chunks.rs` | the chunked coding |
//! | `body.rs` | the body, and the connection back into its pool |
//!
//! Deliberately absent: bodies of requests, upgrades, HEAD, TLS: all that goes by hyper. A connection is used again only after an
//! answer whose end was plain, with nothing behind it.

mod body;
mod chunks;
mod reply;

pub(in crate::gateway) use body::Reply;
pub(in crate::gateway) use reply::Head;

use super::pool::Lane;
use crate::gateway::guard::caps::Descriptor;
use crate::gateway::options::Upstream;
use bytes::BytesMut;
use http::HeaderMap;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::io::poll_read_buf;

/// What is read at once of a head, and at most of a body, in bytes.
const ROOM: usize = 8 * 1024;
const MOST: usize = 128 * 1024;

/// So far a head that comes in pieces is read again at each, in bytes.
const SHORT: usize = 256;

/// A connection, and the timer for its answers: pushing a timer's end out is cheap, making one is not.
pub(in crate::gateway) struct Direct {
    pub(in crate::gateway) wire: Wire,
    pub(in crate::gateway) patience: Pin<Box<Sleep>>,
    /// When its last answer ended; `None` before the first.
    pub(in crate::gateway) since: Option<Instant>,
    /// Counts it.
    _descriptor: Descriptor,
}

/// The connection itself, with one request under way at most.
pub(in crate::gateway) struct Wire {
    stream: Stream,
    inbox: BytesMut,
    /// The request's head; kept for the room that it has.
    pub(in crate::gateway) outbox: Vec<u8>,
    sent: usize,
    /// Bytes that came since the request was begun, those of interim answers among them.
    heard: usize,
    /// Whether the inbox has had more room than heads need.
    is_large: bool,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::gateway) struct Cut {
    pub(in crate::gateway) cause: io::Error,
    /// Whether any of the request was sent.
    pub(in crate::gateway) sent: bool,
    /// Whether any of an answer came.
    pub(in crate::gateway) heard: bool,
}

/// Whether upstreams of this kind are spoken to like this.
pub(super) fn suits(upstream: &Upstream) -> bool {
    matches!(upstream, Upstream::Http { .. } | Upstream::Unix(_))
}

/// Opens a connection.
pub(super) async fn open(lane: &Lane, limit: Duration, descriptor: Descriptor) -> io::Result<Direct> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "connecting to the upstream took too long");
    let stream = match &lane.upstream {
        Upstream::Http { host, port } => {
            let stream = timeout(limit, TcpStream::connect((host.as_str(), *port))).await.map_err(late)??;
            stream.set_nodelay(true)?;
            Stream::Tcp(stream)
        }
        Upstream::Unix(path) => Stream::Unix(timeout(limit, UnixStream::connect(path)).await.map_err(late)??),
        _ => return Err(io::Error::other("this upstream is not spoken to directly")),
    };
    let wire = Wire { stream, inbox: BytesMut::new(), outbox: Vec::new(), sent: 0, heard: 0, is_large: false };
    Ok(Direct { wire, patience: Box::pin(sleep(limit)), since: None, _descriptor: descriptor })
}

impl Direct {
    /// Whether nothing came since the last answer: an end, an error or bytes that nobody asked for make it useless.
    pub(super) fn is_silent(&self) -> bool {
        let mut byte = [0];
        // Asks the kernel only if the loop has heard of something.
        let read = match &self.wire.stream {
            Stream::Tcp(stream) => stream.try_read(&mut byte),
            Stream::Unix(stream) => stream.try_read(&mut byte),
        };
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Wire {
    /// A new request: its head is to be written into the outbox.
    pub(in crate::gateway) fn begin(&mut self) -> &mut Vec<u8> {
        (self.sent, self.heard) = (0, 0);
        self.outbox.clear();
        &mut self.outbox
    }

    /// Sends the outbox, and reads the head of its answer. `headers` receives its fields, and is left alone until it is whole.
    pub(in crate::gateway) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        headers: &mut HeaderMap,
    ) -> Poll<Result<Head, Cut>> {
        while let Some(rest) = self.outbox.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(self.stream.poll_write(cx, rest)) {
                Ok(0) => return Poll::Ready(Err(self.cut(io::ErrorKind::WriteZero.into()))),
                Ok(written) => self.sent += written,
                Err(error) => return Poll::Ready(Err(self.cut(error))),
            }
        }
        loop {
            match ready!(self.poll_read(cx, ROOM)) {
                Ok(0) => return Poll::Ready(Err(self.cut(io::ErrorKind::UnexpectedEof.into()))),
                Ok(read) => {
                    self.heard += read;
                    // A head in many pieces is read again while it is short, and at each end of a line, of which there are not many:
                    // what is malformed is seen at once, and a long head in single bytes costs little.
                    let before = self.inbox.len() - read;
                    let ends_line = self.inbox.get(before..).is_some_and(|piece| piece.contains(&b'\n'));
                    if before > SHORT && self.heard < reply::LARGEST && !ends_line {
                        continue;
                    }
                }
                Err(error) => return Poll::Ready(Err(self.cut(error))),
            }
            let malformed = match reply::read(&mut self.inbox, headers) {
                // Interim answers count: nothing else ends them, because a loop that always finds something to read never comes to
                // look at its timer.
                Ok(None) if self.heard < reply::LARGEST => continue,
                Ok(None) => reply::Malformed::TooLarge,
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Err(malformed) => malformed,
            };
            return Poll::Ready(Err(self.cut(io::Error::new(io::ErrorKind::InvalidData, malformed))));
        }
    }

    /// Keeps no more room than the next head needs.
    fn shrink(&mut self) {
        if std::mem::take(&mut self.is_large) {
            self.inbox = BytesMut::new();
        }
    }

    fn cut(&self, cause: io::Error) -> Cut {
        Cut { cause, sent: self.sent > 0, heard: self.heard > 0 }
    }

    /// Reads at most so many bytes into the inbox.
    fn poll_read(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<usize>> {
        self.inbox.reserve(most);
        match &mut self.stream {
            Stream::Tcp(stream) => poll_read_buf(Pin::new(stream), cx, &mut self.inbox),
            Stream::Unix(stream) => poll_read_buf(Pin::new(stream), cx, &mut self.inbox),
        }
    }
}

impl Stream {
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }
}
