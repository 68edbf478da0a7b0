//! HTTP/1.1 from clients, spoken by ourselves for what most requests are: GET and HEAD without a body. hyper reads and writes these
//! well, but its state machine, its buffers for life and its channels for bodies cost more than all our checks.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | a connection: one request after the other |
//! | `head.rs` | the head of a request, or that it is not ours |
//! | `reply.rs` | the head of an answer, and how its body is framed |
//! | `outbox.rs` | what is on its way to the client |
//! | `spares.rs` | room that is used again, and the date |
//!
//! Requests go through `handle.rs` as those that hyper reads. At the first that is anything else the connection becomes hyper's for
//! good, with all that was received. Deliberately absent: bodies of requests, upgrades, HTTP/1.0, trailers, and refusals of malformed
//! heads. An idle connection holds no buffer.

pub mod head;
mod outbox;
mod reply;
mod spares;

pub(super) use spares::Spares;

use self::head::Read;
use self::outbox::Outbox;
use self::reply::{About, Framing};
use super::connection::Line;
use super::handle::handle;
use super::pace::{Busy, Delivery};
use super::upload::RequestBody;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body as _;
use std::future::{Future as _, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// What is read at once, in bytes: more than most heads have.
const ROOM: usize = 4 * 1024;

/// In how many pieces a head may come. Who sends it in more is hyper's, which looks only for its end in each.
const PIECES: usize = 6;

/// The connection is over: the client has left, or an answer could not be finished.
struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        // How a client leaves is its own affair.
        Self
    }
}

/// What comes next on a connection.
enum Next {
    Request(Box<Request<RequestBody>>),
    /// Nothing: it is to be closed.
    Nothing,
    /// What hyper must read.
    Other,
}

/// A connection that we speak on.
struct Front<'a, S> {
    stream: &'a mut S,
    line: &'a Arc<Line>,
    /// No request after the one under way.
    draining: &'a AtomicBool,
    /// Received and not yet read.
    received: Bytes,
    /// Whether it had a request.
    served: bool,
}

/// Serves a connection until it is over (`None`), or until something comes that hyper must read: what was received then. Once `draining` says so and this is polled again, what is under way is the last.
pub(super) async fn serve<S>(stream: &mut S, line: &Arc<Line>, draining: &AtomicBool) -> Option<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut front = Front { stream, line, draining, received: Bytes::new(), served: false };
    loop {
        let request = match front.next().await {
            Next::Request(request) => request,
            Next::Other => return Some(front.received),
            Next::Nothing => break,
        };
        front.served = true;
        let is_head = *request.method() == Method::HEAD;
        match front.answer(request, is_head).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(Over) => return None,
        }
    }
    drop(front.stream.shutdown().await);
    None
}

impl<S: AsyncRead + AsyncWrite + Unpin> Front<'_, S> {
    /// The next request. Nothing is kept while none comes.
    async fn next(&mut self) -> Next {
        for _ in 0..PIECES {
            if !self.received.is_empty() {
                match head::read(&self.received, self.line.core.fronts.map()) {
                    Read::Whole(head, length) => {
                        let rest = self.received.slice(length..);
                        self.received = if rest.is_empty() { Bytes::new() } else { rest };
                        return Next::Request(request(*head));
                    }
                    // It may have been read ahead, while the request before it was answered: its time begins now.
                    Read::Partial => self.line.pace.begin_head(),
                    Read::Other => return Next::Other,
                }
            }
            let read = poll_fn(|cx| {
                // A connection that had no request yet is waited for, as for its first.
                if self.served && self.draining.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(0));
                }
                poll_receive(self.stream, cx, &mut self.received)
            });
            if !matches!(read.await, Ok(1..)) {
                return Next::Nothing;
            }
        }
        Next::Other
    }

    /// Answers a request; whether another may come.
    async fn answer(&mut self, request: Box<Request<RequestBody>>, is_head: bool) -> Result<bool, Over> {
        let mut answering = Box::pin(handle(Busy::new(Arc::clone(self.line)), request));
        let answer = self.beside_client(|cx| answering.as_mut().poll(cx)).await?;
        drop(answering);
        // The stream ends without an answer.
        self.deliver(answer.map_err(|_| Over)?, is_head).await
    }

    /// Writes an answer; whether another may follow.
    async fn deliver(&mut self, answer: Response<Delivery>, is_head: bool) -> Result<bool, Over> {
        let line = Arc::clone(self.line);
        let spares = &line.core.fronts;
        let (head, body) = answer.into_parts();
        if head.status.is_informational() {
            return Err(Over);
        }
        let mut outbox = Outbox::new(spares);
        let date = spares.date(line.core.shared.clock.now());
        let about = About {
            is_head,
            is_empty: body.is_end_stream(),
            hint: body.size_hint(),
            closes: self.draining.load(Ordering::Relaxed),
            date: &date,
        };
        let (framing, last) = reply::write(outbox.text(), &head, &about);
        spares.keep_map(head.headers);
        match framing {
            Framing::Nothing => drop(body),
            framing => self.send(&mut outbox, body, framing).await?,
        }
        poll_fn(|cx| outbox.poll_send(self.stream, cx)).await?;
        poll_fn(|cx| Pin::new(&mut *self.stream).poll_flush(cx)).await?;
        Ok(!last)
    }

    /// Sends a body. What is there goes together; nothing is asked for that the client does not take.
    async fn send(&mut self, outbox: &mut Outbox<'_>, mut body: Delivery, mut framing: Framing) -> Result<(), Over> {
        while !body.is_end_stream() {
            let mut polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
            if polled.is_pending() {
                poll_fn(|cx| outbox.poll_send(self.stream, cx)).await?;
                poll_fn(|cx| Pin::new(&mut *self.stream).poll_flush(cx)).await?;
                polled = Poll::Ready(self.beside_client(|cx| Pin::new(&mut body).poll_frame(cx)).await?);
            }
            let Poll::Ready(Some(part)) = polled else { break };
            // A body that breaks off is not ended: the client must see that it is not whole.
            let Ok(data) = part.map_err(|_| Over)?.into_data() else { break };
            if let Framing::Length(left) = &mut framing {
                *left = u64::try_from(data.len()).ok().and_then(|length| left.checked_sub(length)).ok_or(Over)?;
            }
            outbox.push(data, framing == Framing::Chunked);
            if outbox.is_full() {
                poll_fn(|cx| outbox.poll_send(self.stream, cx)).await?;
            }
        }
        match framing {
            Framing::Chunked => outbox.text().extend_from_slice(b"0\r\n\r\n"),
            Framing::Length(0) | Framing::Nothing => {}
            // Shorter than it said.
            Framing::Length(_) => return Err(Over),
        }
        Ok(())
    }

    /// Waits for something of ours, until the client leaves. It may send one piece ahead; more stays in its socket.
    async fn beside_client<T>(&mut self, mut ours: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Result<T, Over> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = ours(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.received.is_empty()
                && let Poll::Ready(read) = poll_receive(self.stream, cx, &mut self.received)
                && !matches!(read, Ok(1..))
            {
                return Poll::Ready(Err(Over));
            }
            Poll::Pending
        })
        .await
    }
}

fn request(head: head::Head) -> Box<Request<RequestBody>> {
    let mut request = Box::new(Request::new(RequestBody::Nothing));
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;
    request
}

/// Receives a piece; 0 at the end. There is a buffer only while there is something to read.
fn poll_receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    cx: &mut Context<'_>,
    received: &mut Bytes,
) -> Poll<io::Result<usize>> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut buffer = ReadBuf::uninit(&mut room);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    let read = buffer.filled();
    *received = if received.is_empty() { Bytes::copy_from_slice(read) } else { Bytes::from([received, read].concat()) };
    Poll::Ready(Ok(read.len()))
}
