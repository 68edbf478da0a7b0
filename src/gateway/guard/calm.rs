//! An HTTP/2 client's frames, counted on their way in: a connection that sends floods of frames which ask for nothing, or asks and
//! takes back (CVE-2023-44487), is closed. The h2 crate bounds what each kind of frame may hold in memory; this bounds their work.
//!
//! Only the nine bytes of each frame's head are looked at (RFC 9113 §4.1). Deliberately absent: judging a frame; h2 does that.

use prometheus_client::metrics::counter::Counter;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The client's connection preface (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// Frames that ask for nothing: SETTINGS, PING, PRIORITY, empty DATA, unknown kinds. So many may come within [`CONTROL_SPAN`];
/// answering them takes a core about two hundredths of that. The most talkative honest clients, which measure their line by PING
/// at each round trip, stay below it.
const CONTROL: u32 = 10_000;
const CONTROL_SPAN: Duration = Duration::from_secs(1);

/// WINDOW_UPDATE beyond one for each so many bytes that were sent to the client; within [`CONTROL_SPAN`] as many as [`CONTROL`].
const BYTES_PER_UPDATE: u64 = 1024;

/// RST_STREAM: a hundred a second, over any five seconds. Pages that are left take back a few dozen requests; a flood of requests
/// taken back costs us an upstream's work each.
const RESETS: u32 = 500;
const RESETS_SPAN: Duration = Duration::from_secs(5);

/// A connection, above TLS, whose frames are counted.
pub(in crate::gateway) struct Calm<S> {
    stream: S,
    frames: Frames,
    written: u64,
    control: Rate,
    updates: Rate,
    resets: Rate,
    floods: Counter,
}

/// So many in a span, looked at whenever that many have come.
struct Rate {
    count: u32,
    since: Instant,
}

impl Rate {
    /// Whether these can be borne as well; `credit` of them are paid for.
    #[expect(clippy::disallowed_methods, reason = "how fast a client sends is measured by the runtime's clock")]
    fn bears(&mut self, more: u32, (most, span): (u32, Duration), credit: impl FnOnce() -> u32) -> bool {
        self.count = self.count.saturating_add(more);
        if self.count < most {
            return true;
        }
        let now = Instant::now();
        let free = self.count.saturating_sub(credit()) < most || now.duration_since(self.since) >= span;
        (self.count, self.since) = (0, now);
        free
    }
}

/// What came in one read.
#[derive(Debug, Default, Eq, PartialEq)]
struct Seen {
    control: u32,
    updates: u32,
    resets: u32,
}

/// Where in the stream of frames we are.
struct Frames {
    /// Bytes of the preface or of a payload still to come.
    skip: usize,
    head: [u8; 9],
    have: usize,
}

impl Frames {
    fn new() -> Self {
        Self { skip: PREFACE, head: [0; 9], have: 0 }
    }

    fn read(&mut self, mut bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return seen;
            }
            for (into, from) in self.head.iter_mut().skip(self.have).zip(bytes) {
                *into = *from;
            }
            let taken = (self.head.len() - self.have).min(bytes.len());
            self.have += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.have < self.head.len() {
                return seen;
            }
            self.have = 0;
            let [high, middle, low, kind, flags, ..] = self.head;
            self.skip = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            seen.count(kind, flags, self.skip);
        }
    }
}

impl Seen {
    fn count(&mut self, kind: u8, flags: u8, length: usize) {
        const END_STREAM: u8 = 1;
        match kind {
            // DATA that brings something, or ends a body; HEADERS and CONTINUATION, which h2 bounds.
            0x0 if length > 0 || flags & END_STREAM != 0 => {}
            0x1 | 0x9 => {}
            0x3 => self.resets += 1,
            0x8 => self.updates += 1,
            _ => self.control += 1,
        }
    }
}

impl<S> Calm<S> {
    #[expect(clippy::disallowed_methods, reason = "how fast a client sends is measured by the runtime's clock")]
    pub(in crate::gateway) fn new(stream: S, floods: Counter) -> Self {
        let now = Instant::now();
        let rate = || Rate { count: 0, since: now };
        let (control, updates, resets) = (rate(), rate(), rate());
        Self { stream, frames: Frames::new(), written: 0, control, updates, resets, floods }
    }

    fn judge(&mut self, bytes: &[u8]) -> io::Result<()> {
        let seen = self.frames.read(bytes);
        if seen == Seen::default() {
            return Ok(());
        }
        let written = &mut self.written;
        let credit = || u32::try_from(std::mem::take(written) / BYTES_PER_UPDATE).unwrap_or(u32::MAX);
        let calm = self.control.bears(seen.control, (CONTROL, CONTROL_SPAN), || 0)
            && self.updates.bears(seen.updates, (CONTROL, CONTROL_SPAN), credit)
            && self.resets.bears(seen.resets, (RESETS, RESETS_SPAN), || 0);
        if calm {
            return Ok(());
        }
        self.floods.inc();
        Err(io::Error::other(Flood))
    }
}

/// Why the connection is closed.
#[derive(Debug, thiserror::Error)]
#[error("a flood of HTTP/2 frames")]
pub(in crate::gateway) struct Flood;

impl<S: AsyncRead + Unpin> AsyncRead for Calm<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        match buffer.filled().get(before..) {
            Some(new) if !new.is_empty() => match self.judge(new) {
                Ok(()) => read,
                Err(flood) => Poll::Ready(Err(flood)),
            },
            _ => read,
        }
    }
}

impl<S: AsyncWrite + Unpin> Calm<S> {
    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = &written {
            self.written = self.written.saturating_add(u64::try_from(*count).unwrap_or(0));
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Calm<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[a, b, c, kind, flags, 0, 0, 0, 1][..], payload].concat()
    }

    fn mixed() -> (Vec<u8>, Seen) {
        let frames = [
            frame(4, 0, &[0; 6]),
            frame(1, 4, &[0x82; 40]),
            frame(0, 0, b"body"),
            frame(0, 0, b""),
            frame(0, 1, b""),
            frame(9, 4, &[1; 9]),
            frame(3, 0, &[0; 4]),
            frame(8, 0, &[0; 4]),
            frame(6, 0, &[0; 8]),
            frame(2, 0, &[0; 5]),
            frame(0x42, 0, &[7; 300]),
        ];
        let bytes = [&[b'P'; PREFACE][..], &frames.concat()].concat();
        (bytes, Seen { control: 5, updates: 1, resets: 1 })
    }

    proptest! {
        #[test]
        fn frames_are_counted_however_they_are_cut(cuts in proptest::collection::vec(1_usize..40, 1..60)) {
            let (bytes, expected) = mixed();
            let (mut frames, mut seen, mut rest) = (Frames::new(), Seen::default(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                let new = frames.read(piece);
                seen.control += new.control;
                seen.updates += new.updates;
                seen.resets += new.resets;
                rest = after;
            }
            prop_assert_eq!(seen, expected);
        }
    }

    /// How many of these frames are read before the connection is closed; `None` when all of them are.
    async fn stopped(frame: &[u8], count: usize, sent: usize) -> Option<usize> {
        let (mut client, server) = tokio::io::duplex(1 << 22);
        let mut calm = Calm::new(server, Counter::default());
        calm.written = u64::try_from(sent).unwrap();
        client.write_all(&[b'P'; PREFACE]).await.unwrap();
        let mut chunk = vec![0; frame.len() * 100];
        calm.read_exact(&mut [0; PREFACE]).await.unwrap();
        for turn in 0..count / 100 {
            client.write_all(&frame.repeat(100)).await.unwrap();
            if calm.read_exact(&mut chunk).await.is_err() {
                return Some(turn * 100);
            }
        }
        None
    }

    #[tokio::test]
    async fn a_flood_of_frames_ends_the_connection() {
        for kind in [0_u8, 2, 4, 6, 7, 0x42] {
            assert_eq!(stopped(&frame(kind, 0, &[]), 20_000, 0).await, Some(9_900), "kind {kind}");
        }
        assert_eq!(stopped(&frame(8, 0, &[0; 4]), 20_000, 0).await, Some(9_900));
        assert_eq!(stopped(&frame(3, 0, &[0; 4]), 2_000, 0).await, Some(400));
        assert_eq!(stopped(&frame(6, 0, &[0; 8]), 9_000, 0).await, None);
        assert_eq!(stopped(&frame(1, 4, &[0x82]), 20_000, 0).await, None, "requests are bounded elsewhere");
        assert_eq!(stopped(&frame(0, 0, b"x"), 20_000, 0).await, None, "bodies too");
    }

    #[tokio::test]
    async fn a_client_that_receives_much_may_open_its_window_often() {
        assert_eq!(stopped(&frame(8, 0, &[0; 4]), 19_000, 16_384 * 19_000).await, None);
    }
}
