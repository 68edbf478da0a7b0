//! What is on its way to a client: text that was written together, and at most one piece of a body behind it that is sent as it came.

use super::Spares;
use super::reply;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Up to here a piece of a body is copied behind what is there, in bytes: one buffer costs the kernel and TLS less than two.
const COPIED: usize = 4 * 1024;

/// From here on what was written together is sent, in bytes.
const GATHERED: usize = 16 * 1024;

/// The bytes to send. Nothing is added once some of them are sent and not all.
pub(super) struct Outbox<'a> {
    spares: &'a Spares,
    text: Vec<u8>,
    piece: Bytes,
    /// Behind the piece.
    end: &'static [u8],
    sent: usize,
}

impl<'a> Outbox<'a> {
    pub(super) fn new(spares: &'a Spares) -> Self {
        Self { spares, text: spares.text(), piece: Bytes::new(), end: b"", sent: 0 }
    }

    /// To write into. What is behind the text must have been sent.
    pub(super) fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Adds a piece of a body, as a chunk or as it is. A full box must be sent first.
    pub(super) fn push(&mut self, data: Bytes, chunked: bool) {
        if data.is_empty() {
            // It would be the last chunk.
            return;
        }
        if chunked {
            reply::size(&mut self.text, data.len());
        }
        let end: &'static [u8] = if chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED {
            self.text.extend_from_slice(&data);
            self.text.extend_from_slice(end);
        } else {
            (self.piece, self.end) = (data, end);
        }
    }

    /// Whether it must be sent before more is added.
    pub(super) fn is_full(&self) -> bool {
        !self.piece.is_empty() || self.text.len() >= GATHERED
    }

    /// Sends all of it.
    pub(super) fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut skipped = self.sent;
            let mut rest = |part: &mut &[u8]| {
                let gone = skipped.min(part.len());
                skipped -= gone;
                *part = part.get(gone..).unwrap_or_default();
            };
            let mut parts = [self.text.as_slice(), &self.piece, self.end];
            parts.iter_mut().for_each(&mut rest);
            let written = match parts {
                [[], [], []] => break,
                [text, [], []] => ready!(Pin::new(&mut *stream).poll_write(cx, text))?,
                parts => ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &parts.map(IoSlice::new)))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += written;
        }
        self.text.clear();
        (self.piece, self.end, self.sent) = (Bytes::new(), b"", 0);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Outbox<'_> {
    fn drop(&mut self) {
        self.spares.keep_text(std::mem::take(&mut self.text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    /// Takes so many bytes at a time, and nothing every other time.
    struct Narrow {
        taken: Vec<u8>,
        most: usize,
        ready: bool,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.ready = !self.ready;
            if !self.ready {
                return Poll::Pending;
            }
            let length = bytes.len().min(self.most);
            self.taken.extend_from_slice(&bytes[..length]);
            Poll::Ready(Ok(length))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_is_sent_is_what_was_pushed_in_whatever_pieces_it_goes() {
        let spares = Spares::default();
        for most in [1, 7, 4096, 1_000_000] {
            for length in [0, 1, COPIED, COPIED + 1, 100_000] {
                let mut outbox = Outbox::new(&spares);
                assert!(outbox.text().is_empty(), "nothing of another answer");
                outbox.text().extend_from_slice(b"head ");
                outbox.push(Bytes::from(vec![b'x'; length]), true);
                assert_eq!(outbox.is_full(), length > COPIED);
                let mut narrow = Narrow { taken: Vec::new(), most, ready: false };
                let mut cx = Context::from_waker(Waker::noop());
                while outbox.poll_send(&mut narrow, &mut cx).is_pending() {}
                let chunk =
                    if length == 0 { String::new() } else { format!("{length:x}\r\n{}\r\n", "x".repeat(length)) };
                assert!(narrow.taken == format!("head {chunk}").into_bytes(), "{most} {length}");
                assert!(outbox.text().is_empty() && !outbox.is_full());
                outbox.text().extend_from_slice(b"left behind");
            }
        }
    }
}
