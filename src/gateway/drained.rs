//! A TLS connection that is not asked again for what it said it has not: hyper looks for the end of a connection whenever the
//! answer to its request makes progress, and each look would go through all of TLS down to a silent socket.

use super::patient::Patient;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// What a stream stands on.
pub(super) trait Grounded {
    /// Ready when its socket has something to read, an end or an error among it; nothing is read.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Grounded for TlsStream<Patient> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_ref().0.poll_readable(cx)
    }
}

/// The stream, and whether everything that it holds was read. It may hold records, an end or an error although its socket is
/// silent: only a read that finds nothing says that it holds none of them.
pub(super) struct Drained<S> {
    stream: S,
    drained: bool,
}

impl<S> Drained<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, drained: false }
    }
}

impl<S: AsyncRead + Grounded + Unpin> AsyncRead for Drained<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.drained && self.stream.poll_readable(cx).is_pending() {
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.drained = read.is_pending();
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drained<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
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
    use std::collections::VecDeque;
    use std::task::Waker;

    /// Records that were read from the socket and not yet asked for, whether the socket has more, and how often it was asked.
    struct Tls {
        held: VecDeque<u8>,
        readable: bool,
        asked: usize,
    }

    impl Grounded for Tls {
        fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.readable { Poll::Ready(Ok(())) } else { Poll::Pending }
        }
    }

    impl AsyncRead for Tls {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            self.asked += 1;
            match self.held.pop_front() {
                Some(record) => {
                    buffer.put_slice(&[record]);
                    Poll::Ready(Ok(()))
                }
                None => Poll::Pending,
            }
        }
    }

    #[test]
    fn what_is_held_is_read_though_the_socket_is_silent_and_then_only_the_socket_is_asked() {
        let mut stream = Drained::new(Tls { held: [1, 2].into(), readable: false, asked: 0 });
        let mut cx = Context::from_waker(Waker::noop());
        let mut read = |stream: &mut Drained<Tls>| {
            let mut place = [0; 8];
            let mut buffer = ReadBuf::new(&mut place);
            let polled = Pin::new(&mut *stream).poll_read(&mut cx, &mut buffer);
            (polled.is_ready().then(|| buffer.filled().to_vec()), stream.stream.asked)
        };
        assert_eq!(read(&mut stream), (Some(vec![1]), 1));
        assert_eq!(read(&mut stream), (Some(vec![2]), 2), "the socket is silent, but TLS may hold more");
        assert_eq!(read(&mut stream), (None, 3));
        assert_eq!(read(&mut stream), (None, 3), "it has said that it holds nothing");
        stream.stream.readable = true;
        stream.stream.held.push_back(3);
        assert_eq!(read(&mut stream), (Some(vec![3]), 4));
        stream.stream.readable = false;
        assert_eq!(read(&mut stream), (None, 5), "after each piece it is asked once");
        assert_eq!(read(&mut stream), (None, 5));
    }
}
