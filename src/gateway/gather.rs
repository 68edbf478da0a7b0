//! An HTTP/2 connection's stream that sends together what was written together. h2 flushes after each DATA frame, which would
//! cost every small answer a TLS record and a system call of its own.
//!
//! What is written is held, up to [`HELD`], until the owner of the [`Outbox`] sends it: once after each poll of the connection.
//! Deliberately absent: holding across polls (nothing waits for company), and holding large frames (they are not copied).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most that is held: what one TLS record can carry.
const HELD: usize = 16 * 1024;

/// From this size on a write goes through uncopied.
const LARGE: usize = 8 * 1024;

/// What a connection keeps for its next answers; more is given back when it was sent.
const KEPT: usize = 8 * 1024;

struct Inner<S> {
    stream: S,
    held: Vec<u8>,
    sent: usize,
}

impl<S: AsyncWrite + Unpin> Inner<S> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.held.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.sent = 0;
        self.held.clear();
        if self.held.capacity() > KEPT {
            self.held = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length: usize = bytes.iter().map(|part| part.len()).sum();
        if self.held.len() + length > HELD || length >= LARGE {
            ready!(self.poll_send(cx))?;
        }
        if length >= LARGE {
            return Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        }
        for part in bytes {
            self.held.extend_from_slice(part);
        }
        Poll::Ready(Ok(length))
    }
}

/// What the connection reads from and writes to. Only its own task uses it, so the lock never waits.
pub(super) struct Gather<S>(Arc<Mutex<Inner<S>>>);

/// The other end: sends what is held.
pub(super) struct Outbox<S>(Arc<Mutex<Inner<S>>>);

fn locked<S>(inner: &Mutex<Inner<S>>) -> MutexGuard<'_, Inner<S>> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stream whose writes are held, and what sends them.
pub(super) fn gather<S>(stream: S) -> (Gather<S>, Outbox<S>) {
    let inner = Arc::new(Mutex::new(Inner { stream, held: Vec::new(), sent: 0 }));
    (Gather(Arc::clone(&inner)), Outbox(inner))
}

impl<S: AsyncWrite + Unpin> Outbox<S> {
    /// Sends what is held and flushes. Ready with an error when the client is gone.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = locked(&self.0);
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_flush(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut locked(&self.0).stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        locked(&self.0).poll_write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        locked(&self.0).poll_write(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Done by the [`Outbox`], right after this poll of the connection.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = locked(&self.0);
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    async fn read(from: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        from.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    fn is_quiet(from: &mut (impl AsyncRead + Unpin)) -> bool {
        let mut byte = [0; 1];
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(from).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
    }

    #[tokio::test]
    async fn small_writes_leave_when_they_are_sent_and_in_their_order() {
        let (near, mut far) = duplex(64 * 1024);
        let (mut stream, outbox) = gather(near);
        stream.write_all(b"one ").await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(b"two").await.unwrap();
        assert!(is_quiet(&mut far));
        poll_fn(|cx| outbox.poll_send(cx)).await.unwrap();
        assert_eq!(read(&mut far, 7).await, b"one two");
        stream.write_all(b"small ").await.unwrap();
        stream.write_all(&[b'x'; LARGE]).await.unwrap();
        assert_eq!(
            read(&mut far, 6 + LARGE).await.first_chunk(),
            Some(b"small x"),
            "before the large one, and with it"
        );
    }

    #[tokio::test]
    async fn no_more_is_held_than_a_record_and_a_client_that_reads_nothing_stops_it() {
        let (near, _far) = duplex(1);
        let (mut stream, _outbox) = gather(near);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut taken = 0;
        while let Poll::Ready(Ok(more)) = Pin::new(&mut stream).poll_write(&mut cx, &[0; 1000]) {
            taken += more;
            assert!(taken <= HELD, "{taken}");
        }
        assert_eq!(taken, 16_000);
    }

    #[tokio::test]
    async fn the_end_sends_what_is_held() {
        let (near, mut far) = duplex(64);
        let (mut stream, _outbox) = gather(near);
        stream.write_all(b"last").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"last");
    }
}
