//! The body of an answer. Its connection goes back into the pool when the body has ended as it said it would.

use super::chunks::Piece;
use super::reply::{Framing, Head};
use super::{Direct, MOST, ROOM};
use crate::gateway::body::Part;
use crate::gateway::upstream::Lane;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::Instant;

/// A body on its way.
pub(in crate::gateway) struct Reply {
    /// `None` when it was given back, or is not to be used again.
    direct: Option<Box<Direct>>,
    lane: Arc<Lane>,
    framing: Framing,
    /// Received and not yet passed on.
    rest: Bytes,
    room: Room,
    keeps: bool,
    over: bool,
    /// Why it ends too soon. Said at the second time of asking, so that the client receives first what came before.
    broken: Option<io::Error>,
}

/// How much is read at once of a body whose length is announced. That is only a word: room for much of it is made once as much came
/// at once as there was room for.
struct Room(usize);

impl Room {
    fn new() -> Self {
        Self(ROOM * 2)
    }

    /// For so many bytes that are still to come.
    fn of(&self, left: u64) -> usize {
        usize::try_from(left).unwrap_or(MOST).clamp(ROOM, self.0)
    }

    fn read(&mut self, read: usize, asked: usize) {
        if read >= asked && asked >= self.0 {
            self.0 = MOST;
        }
    }
}

impl Reply {
    pub(in crate::gateway) fn new(head: Head, direct: Box<Direct>, lane: Arc<Lane>) -> Self {
        let Head { framing, rest, keeps, .. } = head;
        let over = matches!(framing, Framing::Length(0));
        Self { direct: Some(direct), lane, framing, rest, room: Room::new(), keeps, over, broken: None }
    }

    pub(in crate::gateway) fn is_end_stream(&self) -> bool {
        self.over
    }

    pub(in crate::gateway) fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            Framing::Chunked(_) | Framing::UntilClosed if self.over => SizeHint::with_exact(0),
            Framing::Chunked(_) | Framing::UntilClosed => SizeHint::default(),
        }
    }

    /// Gives the connection back if it can serve another request: the body has ended, and nothing is behind it.
    #[expect(clippy::disallowed_methods, reason = "how long a connection lies idle is nobody's judgement")]
    pub(in crate::gateway) fn release(&mut self) {
        let Some(mut direct) = self.direct.take() else { return };
        if self.over && self.keeps && self.rest.is_empty() && direct.wire.inbox.is_empty() {
            direct.since = Some(Instant::now());
            direct.wire.shrink();
            self.lane.give_back_direct(direct);
        }
    }

    pub(in crate::gateway) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Part> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            if let Some(error) = self.broken.take() {
                return Poll::Ready(Some(Err(error.into())));
            }
            match self.received() {
                Ok(Some(frame)) => return Poll::Ready(frame.map(Ok)),
                Ok(None) => {}
                Err(error) => return self.fail(error, cx),
            }
            match ready!(self.poll_more(cx)) {
                Ok(0) if matches!(self.framing, Framing::UntilClosed) => self.over = true,
                Ok(0) => return self.fail(io::ErrorKind::UnexpectedEof.into(), cx),
                Ok(_) => {}
                Err(error) => return self.fail(error, cx),
            }
        }
    }

    /// What is there: a frame, or the end; `None` when more must be read.
    fn received(&mut self) -> io::Result<Option<Option<Frame<Bytes>>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        match &mut self.framing {
            Framing::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(self.rest.len());
                *left -= u64::try_from(length).unwrap_or(*left);
                self.over = *left == 0;
                Ok(Some(Some(Frame::data(self.rest.split_to(length)))))
            }
            Framing::UntilClosed => Ok(Some(Some(Frame::data(std::mem::take(&mut self.rest))))),
            Framing::Chunked(chunks) => match chunks.next(&mut self.rest) {
                Ok(None) => Ok(None),
                Ok(Some(Piece::Data(data))) => Ok(Some(Some(Frame::data(data)))),
                Ok(Some(Piece::End(trailers))) => {
                    self.over = true;
                    Ok(Some(trailers.map(Frame::trailers)))
                }
                Err(malformed) => Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
            },
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(direct) = &mut self.direct else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
        let most = match &self.framing {
            Framing::Length(left) => self.room.of(*left),
            // Of these many may be open for long and have little to say.
            Framing::Chunked(_) | Framing::UntilClosed => ROOM * 2,
        };
        direct.wire.is_large |= most > ROOM;
        let read = ready!(direct.wire.poll_read(cx, most))?;
        self.rest = direct.wire.inbox.split().freeze();
        self.room.read(read, most);
        Poll::Ready(Ok(read))
    }

    fn fail(&mut self, error: io::Error, cx: &Context<'_>) -> Poll<Part> {
        (self.direct, self.broken) = (None, Some(error));
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_length_gets_no_room_before_much_of_it_came_at_once() {
        let mut room = Room::new();
        assert_eq!((room.of(10), room.of(10_000), room.of(u64::MAX)), (ROOM, 10_000, ROOM * 2));
        room.read(10_000, 10_000);
        room.read(1, ROOM * 2);
        assert_eq!(room.of(u64::MAX), ROOM * 2, "a trickle");
        room.read(ROOM * 2, ROOM * 2);
        assert_eq!(room.of(u64::MAX), MOST);
    }
}
