//! WebSockets over HTTP/1.1: bytes are relayed both ways, frames are counted toward the browser, so that a session's end can be
//! said with a close frame (1008) at a frame boundary.
//!
//! Deliberately absent: reading messages, and any other protocol to upgrade to.

use super::answer::Answer;
use super::body::{OpenStream, Outgoing};
use super::connection::Line;
use super::filter;
use super::head::Passage;
use crate::web::LiveSession;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, copy, split};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long the last frame may take to its end after the session has ended; then the connection is cut.
const LAST_FRAME: Duration = Duration::from_millis(50);

/// An unmasked close frame with status 1008, policy violation (RFC 6455 §5.5.1, §7.4.1).
const POLICY_VIOLATION: [u8; 4] = [0x88, 0x02, 0x03, 0xf0];

/// Whether the fields ask for, or grant, exactly a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(header::UPGRADE).iter();
    let named = upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && upgrades.next().is_none();
    // Nearly every request is done here.
    if !named {
        return false;
    }
    headers.get_all(header::CONNECTION).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })
}

/// Answers 101 and relays until either side or the session ends.
pub(super) fn open(
    line: &Arc<Line>,
    client: OnUpgrade,
    granted: Response<Incoming>,
    passage: &Passage<'_>,
    live: Option<Arc<LiveSession>>,
) -> Answer {
    let mut answer = Response::new(Outgoing::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.headers_mut() = granted.headers().clone();
    filter::clean(answer.headers_mut(), passage.target, false, passage.is_bound());
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let upstream = hyper::upgrade::on(granted);
    let open = OpenStream::new(&line.core.shared.seeing.open_streams);
    let kill = line.core.kill.clone();
    let relayed = async move {
        let _open = open;
        // Either side may be gone before the switch; then there is nothing to relay.
        let (Ok(client), Ok(upstream)) = (client.await, upstream.await) else { return };
        let ended = live.as_ref().map_or_else(CancellationToken::new, |live| live.ended.clone());
        tokio::select! {
            () = relay(client, upstream, ended) => {}
            () = kill.cancelled() => {}
        }
    };
    line.core.shared.open.spawn(relayed);
    answer
}

async fn relay(client: Upgraded, upstream: Upgraded, ended: CancellationToken) {
    let (mut from_client, to_client) = split(TokioIo::new(client));
    let (from_upstream, mut to_upstream) = split(TokioIo::new(upstream));
    let mut down = Down {
        from: from_upstream,
        to: to_client,
        buffer: vec![0; 16 * 1024],
        start: 0,
        end: 0,
        frames: Frames::default(),
    };
    let up = async {
        // A broken side ends the relay like a closed one.
        drop(copy(&mut from_client, &mut to_upstream).await);
        drop(to_upstream.shutdown().await);
    };
    let both = async {
        tokio::pin!(up);
        let flowing = async { while matches!(down.step(usize::MAX).await, Ok(true)) {} };
        tokio::pin!(flowing);
        tokio::select! {
            () = &mut up => flowing.await,
            () = &mut flowing => {}
        }
    };
    let by_session = tokio::select! {
        biased;
        () = ended.cancelled() => true,
        () = both => false,
    };
    if by_session {
        // Whatever comes of it, the connection is cut next.
        drop(timeout(LAST_FRAME, down.say_goodbye()).await);
    } else {
        drop(timeout(LAST_FRAME, down.to.shutdown()).await);
    }
}

/// The direction toward the browser. Each step can be dropped and taken up again: all state is here.
struct Down {
    from: ReadHalf<TokioIo<Upgraded>>,
    to: WriteHalf<TokioIo<Upgraded>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    frames: Frames,
}

impl Down {
    /// Reads or writes once, at most `limit` bytes. `Ok(false)` at the end.
    async fn step(&mut self, limit: usize) -> io::Result<bool> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.from.read(&mut self.buffer).await?;
            return Ok(self.end > 0);
        }
        let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
        let waiting = waiting.get(..limit.min(waiting.len())).unwrap_or_default();
        let written = self.to.write(waiting).await?;
        self.frames.advance(waiting.get(..written).unwrap_or_default());
        self.start += written;
        if self.start == self.end {
            self.to.flush().await?;
        }
        Ok(written > 0)
    }

    /// Lets the frame under way end, then says why, then closes.
    async fn say_goodbye(&mut self) -> io::Result<()> {
        while !self.frames.at_boundary() {
            let limit = self.frames.until_boundary(self.buffer.get(self.start..self.end).unwrap_or_default());
            if !self.step(limit).await? {
                break;
            }
        }
        if self.frames.at_boundary() {
            self.to.write_all(&POLICY_VIOLATION).await?;
        }
        self.to.flush().await?;
        self.to.shutdown().await
    }
}

/// Where in the stream of frames we are (RFC 6455 §5.2).
#[derive(Clone, Debug, Default)]
struct Frames {
    /// Bytes of the frame's head seen so far; at most 14.
    head: Vec<u8>,
    /// Bytes of its payload still to come.
    payload: u64,
}

impl Frames {
    fn at_boundary(&self) -> bool {
        self.head.is_empty() && self.payload == 0
    }

    /// Takes bytes that went by.
    fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let here = usize::try_from(self.payload).unwrap_or(usize::MAX).min(bytes.len());
                self.payload -= u64::try_from(here).unwrap_or(0);
                bytes = bytes.get(here..).unwrap_or_default();
                continue;
            }
            self.head.push(*first);
            bytes = rest;
            if let Some(payload) = payload_length(&self.head) {
                self.payload = payload;
                self.head.clear();
            }
        }
    }

    /// How many of the waiting bytes lead to the next boundary; all of them when it lies beyond.
    fn until_boundary(&self, waiting: &[u8]) -> usize {
        let mut ahead = self.clone();
        for (place, byte) in waiting.iter().enumerate() {
            ahead.advance(std::slice::from_ref(byte));
            if ahead.at_boundary() {
                return place + 1;
            }
        }
        waiting.len().max(1)
    }
}

/// The payload's length, once the head is complete.
fn payload_length(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if head.len() < 2 + extended + mask {
        return None;
    }
    let length = head.get(2..2 + extended)?;
    Some(match extended {
        0 => u64::from(second & 0x7f),
        _ => length.iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        let mut frame = match length {
            0..=125 => vec![0x82, u8::try_from(length).unwrap()],
            126..=0xffff => [&[0x82, 126][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
            _ => [&[0x82, 127][..], &u64::try_from(length).unwrap().to_be_bytes()].concat(),
        };
        frame.resize(frame.len() + length, 7);
        frame
    }

    proptest::proptest! {
        #[test]
        fn boundaries_are_where_frames_end(
            lengths in proptest::collection::vec(proptest::prop_oneof![0_usize..4, 120..130_usize, 65_530..65_540_usize], 1..5),
            cut in 1_usize..5_000,
        ) {
            let all: Vec<u8> = lengths.iter().flat_map(|length| frame(*length)).collect();
            let mut frames = Frames::default();
            for chunk in all.chunks(cut) {
                frames.advance(chunk);
            }
            proptest::prop_assert!(frames.at_boundary());
            frames.advance(&all[..1]);
            proptest::prop_assert!(!frames.at_boundary());
            proptest::prop_assert_eq!(frames.until_boundary(&all[1..]), frame(lengths[0]).len() - 1);
        }
    }
}
