//! WebSockets: the handshake over HTTP/1.1 and over HTTP/2 (RFC 8441), and what is relayed afterwards.
//!
//! Toward a product every WebSocket is an HTTP/1.1 upgrade: it sees one kind of handshake, whatever the browser speaks. Over HTTP/2
//! the browser's request is turned into that upgrade first (`connect.rs`), so that both are judged by the same rules (M30).
//!
//! Deliberately absent: reading messages, compressing them, and any other protocol to upgrade to.

mod connect;
mod frames;
mod relay;

pub(super) use self::connect::tunnel;
pub(super) use self::relay::Scratch;

use self::relay::Relay;
use super::answer::Answer;
use super::body::{Inner, OpenStream, Outgoing};
use super::connection::Line;
use super::filter;
use super::guard::caps::{Descriptor, Seat};
use super::head::Passage;
use super::pace::Held;
use crate::gateway::upload::RequestBody;
use crate::web::LiveSession;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE as UPGRADE_FIELD,
};
use http::{Request, Response, StatusCode};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What a server adds to the key that it was sent (RFC 6455 §1.3).
const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whether the fields ask for, or grant, exactly a WebSocket.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut upgrades = headers.get_all(UPGRADE_FIELD).iter();
    let named = upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && upgrades.next().is_none();
    // Nearly every request is done here.
    if !named {
        return false;
    }
    headers.get_all(CONNECTION).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })
}

/// The one `Sec-WebSocket-Accept` that answers a key.
fn accept(key: &HeaderValue) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), SUFFIX].concat()))
}

/// Marks the answer that opens a tunnel over HTTP/2.
#[derive(Clone)]
struct Opened;

/// A WebSocket that was asked for.
pub(super) struct Opening {
    client: OnUpgrade,
    key: Option<HeaderValue>,
    /// Over HTTP/2: the answer is 200, and there is no connection to upgrade.
    tunnel: bool,
    /// Over HTTP/2: it counts as a connection.
    seat: Option<Arc<Seat>>,
}

impl Opening {
    /// Before the request is sent.
    pub(super) fn new(request: &mut Request<RequestBody>) -> Self {
        let mut keys = request.headers().get_all(SEC_WEBSOCKET_KEY).iter();
        let key = keys.next().filter(|_| keys.next().is_none()).cloned();
        let tunnel = request.extensions().get::<Protocol>().is_some();
        let seat = request.extensions_mut().remove();
        Self { client: hyper::upgrade::on(request), key, tunnel, seat }
    }

    /// Whether the upstream answered this very request: a 101 that was not asked for, or of something that only repeats bytes, is
    /// no WebSocket (RFC 6455 §4.1).
    pub(super) fn is_granted(&self, headers: &HeaderMap) -> bool {
        let mut accepts = headers.get_all(SEC_WEBSOCKET_ACCEPT).iter();
        let said = accepts.next().filter(|_| accepts.next().is_none());
        let key = self.key.as_ref();
        is_websocket(headers) && key.zip(said).is_some_and(|(key, said)| said.as_bytes() == accept(key).as_bytes())
    }

    /// Answers 101, or 200 over HTTP/2, and relays until either side or the session ends.
    pub(super) fn open(
        self,
        line: &Arc<Line>,
        (granted, descriptor): (Response<Inner>, Option<Descriptor>),
        passage: &Passage<'_>,
        live: Option<Arc<LiveSession>>,
    ) -> Answer {
        let over = CancellationToken::new();
        let answer = self.answer(line, granted.headers().clone(), passage, &over);
        let (client, upstream) = (self.client, hyper::upgrade::on(granted));
        let open = OpenStream::new(&line.core.shared.seeing.open_streams);
        let (core, held) = (Arc::clone(&line.core), Held::new(Arc::clone(line)));
        if !self.tunnel {
            line.pace.upgrade();
        }
        let relayed = async move {
            let _kept = (open, held, self.seat, descriptor);
            // However it ends, nothing of the stream remains.
            let _over = over.drop_guard();
            // Either side may be gone before the switch; then there is nothing to relay.
            let (Ok(client), Ok(upstream)) = (client.await, upstream.await) else { return };
            let ended = async {
                match live {
                    Some(live) => live.until_ended().await,
                    None => std::future::pending().await,
                }
            };
            let relay = Relay::new(TokioIo::new(client), TokioIo::new(upstream), core.relayed.clone());
            tokio::select! {
                () = relay.run(ended) => {}
                () = core.kill.cancelled() => {}
            }
        };
        line.core.shared.open.spawn(relayed);
        answer
    }

    fn answer(&self, line: &Line, fields: HeaderMap, passage: &Passage<'_>, over: &CancellationToken) -> Answer {
        let mut answer = Response::new(Outgoing::empty());
        *answer.headers_mut() = fields;
        filter::clean(answer.headers_mut(), passage.target, false, passage.is_bound());
        if self.tunnel {
            answer.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
            answer.extensions_mut().insert(Opened);
            if let Some(turns) = &line.turns {
                turns.tunnels(over);
            }
        } else {
            *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
            answer.headers_mut().insert(UPGRADE_FIELD, HeaderValue::from_static("websocket"));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_of_a_key_is_the_one_of_rfc_6455() {
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
