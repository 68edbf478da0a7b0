//! Extended CONNECT (RFC 8441): a WebSocket over one stream of HTTP/2, turned into the upgrade that HTTP/1.1 would carry.

use super::super::answer;
use super::super::body::Broken;
use super::super::connection::Line;
use super::super::guard::caps::Seat;
use super::super::guard::{self, Reason};
use super::super::handle::handle;
use super::super::pace::{Busy, Delivery};
use super::Opened;
use crate::entropy;
use crate::gateway::upload::RequestBody;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::{CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use hyper::ext::Protocol;
use std::sync::Arc;

/// Answers a CONNECT. Without `:protocol` it goes the way of every request, and is refused there.
pub(in super::super) async fn tunnel(
    busy: Busy,
    mut request: Box<Request<RequestBody>>,
) -> Result<Response<Delivery>, Broken> {
    match request.extensions().get::<Protocol>().map(AsRef::<[u8]>::as_ref) {
        None => return handle(busy, request).await,
        Some(protocol) if !protocol.eq_ignore_ascii_case(b"websocket") => {
            return Ok(instead(StatusCode::NOT_IMPLEMENTED, "only WebSockets are tunnelled here", busy));
        }
        Some(_) => {}
    }
    match seat(busy.line()) {
        // Kept by whoever opens the WebSocket; any other end of the request gives it back.
        Ok(seat) => drop(request.extensions_mut().insert(Arc::new(seat))),
        Err(reason) => return Ok(turned_away(reason, busy)),
    }
    if ask_upgrade(request.headers_mut()).is_err() {
        return Ok(instead(StatusCode::BAD_REQUEST, "the request has no single meaning", busy));
    }
    *request.method_mut() = Method::GET;
    let answer = handle(busy, request).await?;
    // Over HTTP/2 any success opens the tunnel (RFC 9110 §9.3.6): one that no upstream granted must not look like one.
    if answer.status().is_success() && answer.extensions().get::<Opened>().is_none() {
        let line = Arc::clone(answer.body().line());
        drop(answer);
        return Ok(instead(StatusCode::BAD_GATEWAY, "no WebSocket is served here", Busy::new(line)));
    }
    Ok(answer)
}

/// A WebSocket on a stream counts as a connection of its client: it costs the product one.
fn seat(line: &Line) -> Result<Seat, Reason> {
    let mut seat = line.core.shared.guard.caps.tunnel().ok_or(Reason::Connections)?;
    // A trusted proxy's connections are not limited either.
    let fits = line.seat.client().is_none() || seat.belongs_to(line.peer);
    fits.then_some(seat).ok_or(Reason::Client)
}

fn turned_away(reason: Reason, busy: Busy) -> Response<Delivery> {
    let core = &busy.line().core;
    core.shared.guard.turn_away(reason, core.shared.clock.since_boot());
    let id = core.ids.next();
    guard::busy(reason, id.to_str().unwrap_or("-")).map(|body| Delivery::new(body, busy, None))
}

/// The fields of the handshake that HTTP/2 does not have; the key is ours, and so is the check of its answer.
fn ask_upgrade(headers: &mut HeaderMap) -> Result<(), http::header::InvalidHeaderValue> {
    let key = HeaderValue::try_from(STANDARD.encode(entropy::random::<16>()))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    Ok(())
}

fn instead(status: StatusCode, text: &str, busy: Busy) -> Response<Delivery> {
    let id = busy.line().core.ids.next();
    answer::plain(status, text, id.to_str().unwrap_or("-")).map(|body| Delivery::new(body, busy, None))
}
