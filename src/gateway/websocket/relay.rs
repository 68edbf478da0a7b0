//! Bytes relayed both ways. Frames are counted toward the browser, so that a session's end can be said with a close frame (1008) at
//! a frame boundary.
//!
//! An idle WebSocket holds no buffer: bytes are read into one that the whole core shares, and only what the other side does not
//! take at once is kept.

use super::frames::Frames;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

/// How long the last frame may take to its end after the session has ended; then the connection is cut.
const LAST_FRAME: Duration = Duration::from_millis(50);

/// How long the last bytes may take when the product has closed.
const FAREWELL: Duration = Duration::from_secs(10);

/// How long a browser may take nothing; as long as a socket may (`patient.rs`), which does not see one stream of many.
const STALL: Duration = Duration::from_secs(60);

/// An unmasked close frame with status 1008, policy violation (RFC 6455 §5.5.1, §7.4.1).
const POLICY_VIOLATION: [u8; 4] = [0x88, 0x02, 0x03, 0xf0];

/// Bytes that a WebSocket moves at once.
const AT_ONCE: usize = 16 * 1024;

/// What the WebSockets of a core read into, one after the other.
#[derive(Clone)]
pub(in super::super) struct Scratch(Arc<Mutex<Box<[u8]>>>);

impl Default for Scratch {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(vec![0; AT_ONCE].into_boxed_slice())))
    }
}

/// One side of a WebSocket.
pub(super) trait Side: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Side for S {}

/// What one direction has read and not yet written.
#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    start: usize,
    unflushed: bool,
}

impl Waiting {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// So many bytes were written; with the last one the buffer goes.
    fn written(&mut self, count: usize) {
        self.start += count;
        self.unflushed = true;
        if self.start >= self.bytes.len() {
            self.bytes = Vec::new();
            self.start = 0;
        }
    }

    /// Writes what waits, and flushes. `note` sees what went by.
    fn poll_out(
        &mut self,
        to: &mut impl Side,
        cx: &mut Context<'_>,
        note: &mut impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        while !self.rest().is_empty() {
            let count = ready!(Pin::new(&mut *to).poll_write(cx, self.rest()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            note(self.rest().get(..count).unwrap_or_default());
            self.written(count);
        }
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Moves what can be moved now. Ready at the end of `from`.
    fn poll_through(
        &mut self,
        (from, to): (&mut impl Side, &mut impl Side),
        cx: &mut Context<'_>,
        shared: &mut [u8],
        mut note: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_out(to, cx, &mut note))?;
            let mut buffer = ReadBuf::new(shared);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = match Pin::new(&mut *to).poll_write(cx, read) {
                Poll::Ready(count) => count?,
                Poll::Pending => 0,
            };
            let (went, left) = read.split_at(count.min(read.len()));
            note(went);
            self.bytes = left.to_vec();
            self.unflushed = true;
        }
    }
}

/// One open WebSocket.
pub(super) struct Relay<C, U> {
    client: C,
    upstream: U,
    up: Waiting,
    down: Waiting,
    /// The browser has closed its side, and the product was told.
    up_over: bool,
    frames: Frames,
    /// Armed only while the browser takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    scratch: Scratch,
}

impl<C: Side, U: Side> Relay<C, U> {
    pub(super) fn new(client: C, upstream: U, scratch: Scratch) -> Self {
        Self {
            client,
            upstream,
            up: Waiting::default(),
            down: Waiting::default(),
            up_over: false,
            frames: Frames::default(),
            stall: None,
            patience: STALL,
            scratch,
        }
    }

    /// Until the product closes, either side breaks, or the session ends.
    pub(super) async fn run(mut self, ended: impl Future<Output = ()>) {
        let by_session = tokio::select! {
            biased;
            () = ended => true,
            // A broken side ends the relay like a closed one.
            _ = poll_fn(|cx| self.poll(cx)) => false,
        };
        // Whatever comes of it, the connection or stream is cut next.
        if by_session {
            drop(timeout(LAST_FRAME, self.say_goodbye()).await);
        } else {
            drop(timeout(FAREWELL, self.client.shutdown()).await);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let scratch = self.scratch.clone();
        let mut shared = scratch.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.up_over
            && let Poll::Ready(over) = self.poll_up(cx, &mut shared)
        {
            over?;
            self.up_over = true;
        }
        let (down, frames) = (&mut self.down, &mut self.frames);
        let went = |bytes: &[u8]| frames.advance(bytes);
        if let Poll::Ready(over) = down.poll_through((&mut self.upstream, &mut self.client), cx, &mut shared, went) {
            return Poll::Ready(over);
        }
        self.poll_stall(cx)
    }

    fn poll_up(&mut self, cx: &mut Context<'_>, shared: &mut [u8]) -> Poll<io::Result<()>> {
        ready!(self.up.poll_through((&mut self.client, &mut self.upstream), cx, shared, |_| {}))?;
        Pin::new(&mut self.upstream).poll_shutdown(cx)
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.down.rest().is_empty() && !self.down.unflushed {
            self.stall = None;
            return Poll::Pending;
        }
        let patience = self.patience;
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(patience)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Lets the frame under way end, then says why, then closes.
    async fn say_goodbye(&mut self) -> io::Result<()> {
        while !self.frames.at_boundary() {
            poll_fn(|cx| self.poll_frame_end(cx)).await?;
        }
        self.client.write_all(&POLICY_VIOLATION).await?;
        self.client.flush().await?;
        self.client.shutdown().await
    }

    /// Writes on, but not beyond the end of the frame under way.
    fn poll_frame_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.down.rest().is_empty() {
            let scratch = self.scratch.clone();
            let mut shared = scratch.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut buffer = ReadBuf::new(&mut shared);
            ready!(Pin::new(&mut self.upstream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.down.bytes = buffer.filled().to_vec();
        }
        let until = self.frames.until_boundary(self.down.rest());
        let rest = self.down.rest().get(..until).unwrap_or_default();
        let count = ready!(Pin::new(&mut self.client).poll_write(cx, rest))?;
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.frames.advance(rest.get(..count).unwrap_or_default());
        self.down.written(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, DuplexStream, duplex};
    use tokio_util::sync::CancellationToken;

    /// A relay whose sides are pipes of so many bytes, with their other ends.
    fn relay(bytes: usize) -> (Relay<DuplexStream, DuplexStream>, DuplexStream, DuplexStream) {
        let ((client, browser), (upstream, product)) = (duplex(bytes), duplex(bytes));
        let mut relay = Relay::new(client, upstream, Scratch::default());
        relay.patience = Duration::from_millis(100);
        (relay, browser, product)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_an_idle_relay_keeps_none() {
        let (mut relay, mut browser, mut product) = relay(100);
        let sent = vec![7; 100_000];
        let exchange = async {
            let (mut up, mut down) = (vec![0; sent.len()], vec![0; sent.len()]);
            let (mut from_browser, mut to_browser) = tokio::io::split(&mut browser);
            let (mut from_product, mut to_product) = tokio::io::split(&mut product);
            tokio::try_join!(
                to_browser.write_all(&sent),
                to_product.write_all(&sent),
                from_browser.read_exact(&mut down),
                from_product.read_exact(&mut up)
            )
            .unwrap();
            assert!(up == sent && down == sent);
        };
        tokio::select! {
            over = poll_fn(|cx| relay.poll(cx)) => panic!("{over:?}"),
            () = exchange => {}
        }
        assert_eq!((relay.up.bytes.capacity(), relay.down.bytes.capacity(), relay.stall.is_some()), (0, 0, false));
    }

    #[tokio::test]
    async fn a_product_hears_that_the_browser_closed_and_may_still_speak() {
        let (relay, mut browser, mut product) = relay(100);
        let running = tokio::spawn(relay.run(std::future::pending()));
        browser.write_all(b"last").await.unwrap();
        browser.shutdown().await.unwrap();
        let mut heard = Vec::new();
        product.read_to_end(&mut heard).await.unwrap();
        product.write_all(b"\x88\x00").await.unwrap();
        drop(product);
        let mut said = Vec::new();
        browser.read_to_end(&mut said).await.unwrap();
        assert_eq!((&heard[..], &said[..]), (&b"last"[..], &b"\x88\x00"[..]));
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_browser_that_takes_nothing_is_given_up_and_one_that_is_only_quiet_is_not() {
        let (relay, _browser, mut product) = relay(10);
        let running = tokio::spawn(relay.run(std::future::pending()));
        timeout(Duration::from_millis(300), product.read_u8()).await.unwrap_err();
        assert!(!running.is_finished());
        product.write_all(&[7; 10]).await.unwrap();
        product.write_all(&[7; 10]).await.unwrap();
        timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_said_at_the_end_of_a_frame() {
        let (relay, mut browser, mut product) = relay(1000);
        let ended = CancellationToken::new();
        let running = tokio::spawn(relay.run(ended.clone().cancelled_owned()));
        product.write_all(b"\x82\x04ab").await.unwrap();
        browser.read_exact(&mut [0; 4]).await.unwrap();
        ended.cancel();
        product.write_all(b"cd\x82\x02no").await.unwrap();
        let mut said = Vec::new();
        browser.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, [&b"cd"[..], &POLICY_VIOLATION].concat());
        running.await.unwrap();
    }
}
