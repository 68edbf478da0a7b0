//! To a product and back: send on a pooled connection, wait no longer than the session lives, filter, stream.

use super::answer::{self, Answer};
use super::body::{self, Broken, Download, OpenStream, Outgoing, Progress, Upload, Watched};
use super::connection::Line;
use super::filter;
use super::head::{self, Passage};
use super::pool::{self, Connection, Lane};
use super::websocket;
use crate::web::LiveSession;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long an upstream may take to the head of its answer, after the request's body has been sent.
const ANSWER: Duration = Duration::from_secs(60);

/// From this announced length on a response is watched: shorter ones are in the socket before anybody could end the session.
const WATCHED: u64 = 64 * 1024;

/// How long a client that grants no window may keep a stream whose session has ended (it cannot be reset until then).
const OWED: Duration = Duration::from_secs(1);

/// A request that may go to its product.
pub(super) struct Admitted {
    pub(super) live: Option<Arc<LiveSession>>,
    pub(super) public: bool,
}

enum Fault {
    /// No upstream answered.
    Down,
    /// Its answer took too long.
    Late,
    /// The session ended meanwhile.
    Ended,
}

/// Forwards a request and gives back the answer to stream. An error ends the stream or connection without an answer.
pub(super) async fn forward(
    line: &Arc<Line>,
    mut request: Box<Request<Incoming>>,
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    let client = passage.upgrade.then(|| hyper::upgrade::on(&mut *request));
    let (mut parts, body) = request.into_parts();
    let chunked = !body.is_end_stream() && body.size_hint().exact().is_none();
    parts.extensions.clear();
    let (upload, progress) = Upload::new(body);
    if head::prepare(&mut parts, passage).is_err() {
        return Ok(fault_answer(StatusCode::BAD_REQUEST, passage));
    }
    if chunked {
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let is_head = parts.method == Method::HEAD;
    let outgoing = Request::from_parts(parts, upload);
    match send(line, outgoing, passage, admitted, progress.as_ref()).await {
        Ok(sent) if sent.response.status() == StatusCode::SWITCHING_PROTOCOLS => match client {
            Some(client) if websocket::is_websocket(sent.response.headers()) => {
                Ok(websocket::open(line, client, sent.response, passage, admitted.live.clone()))
            }
            _ => Ok(down(line, passage)),
        },
        Ok(sent) => Ok(receive(line, sent, passage, admitted, progress, is_head)),
        Err(Fault::Down) if progress.is_some_and(|upload| upload.is_broken()) => {
            Ok(fault_answer(StatusCode::BAD_REQUEST, passage))
        }
        Err(Fault::Down) => Ok(down(line, passage)),
        Err(Fault::Late) => Ok(fault_answer(StatusCode::GATEWAY_TIMEOUT, passage)),
        Err(Fault::Ended) => Err(body::cancelled()),
    }
}

struct Sent {
    response: Response<Incoming>,
    connection: Connection,
    lane: Option<Arc<Lane>>,
}

/// Sends on a ready connection or a new one. A request is sent again only if nothing of it was sent.
async fn send(
    line: &Arc<Line>,
    mut request: Request<Upload>,
    passage: &Passage<'_>,
    admitted: &Admitted,
    progress: Option<&Arc<Progress>>,
) -> Result<Sent, Fault> {
    let upstreams = &passage.target.site.upstreams;
    let turn = if upstreams.len() > 1 { passage.target.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
    for place in 0..upstreams.len() {
        let Some(upstream) = upstreams.get((turn.wrapping_add(place)) % upstreams.len()) else { break };
        let lane = (!passage.upgrade).then(|| line.core.pool.lane(upstream));
        let mut reused = lane.as_ref().and_then(|lane| lane.take());
        loop {
            let was_reused = reused.is_some();
            let mut connection = match reused.take() {
                Some(connection) => connection,
                None => match Box::pin(pool::connect(upstream, passage.upgrade)).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        tracing::warn!(?upstream, %error, "upstream cannot be reached");
                        break;
                    }
                },
            };
            let answered = connection.sender.try_send_request(request);
            match within_session(&mut connection, answered, admitted, progress).await? {
                Ok(response) => return Ok(Sent { response, connection, lane }),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if was_reused => request = unsent,
                    _ => {
                        tracing::warn!(?upstream, error = %error.error(), "upstream did not answer");
                        return Err(Fault::Down);
                    }
                },
            }
        }
    }
    Err(Fault::Down)
}

/// Waits for the head of the answer, until the session ends, at most [`ANSWER`] after the body was sent.
async fn within_session<T>(
    connection: &mut Connection,
    answered: impl Future<Output = T>,
    admitted: &Admitted,
    progress: Option<&Arc<Progress>>,
) -> Result<T, Fault> {
    tokio::pin!(answered);
    let ended = admitted.live.as_ref().map(|live| live.ended.cancelled());
    tokio::pin!(ended);
    connection.allow(ANSWER);
    // One poll for all three: each future around another would copy the answer once more.
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answered.as_mut().poll(cx) {
            return Poll::Ready(Ok(answer));
        }
        if ended.as_mut().as_pin_mut().is_some_and(|ended| ended.poll(cx).is_ready()) {
            return Poll::Ready(Err(Fault::Ended));
        }
        while connection.poll_late(cx).is_ready() {
            // An upload that is still moving has its own limits.
            if progress.is_none_or(|upload| upload.is_sent()) {
                return Poll::Ready(Err(Fault::Late));
            }
            connection.allow(ANSWER);
        }
        Poll::Pending
    })
    .await
}

/// Filters the head and wraps the body.
fn receive(
    line: &Arc<Line>,
    sent: Sent,
    passage: &Passage<'_>,
    admitted: &Admitted,
    progress: Option<Arc<Progress>>,
    is_head: bool,
) -> Answer {
    let (mut parts, inner) = sent.response.into_parts();
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    filter::clean(&mut parts.headers, passage.target, admitted.public);
    let length = inner.size_hint().exact();
    let watched =
        (length.is_none_or(|length| length > WATCHED) && !is_head).then(|| watch(line, admitted.live.as_ref()));
    let mut download = Download {
        back: sent.lane.map(|lane| (sent.connection, lane)),
        inner,
        upload: progress,
        session: admitted.live.clone(),
        ended: None,
        watched,
        stall: None,
    };
    if download.inner.is_end_stream() {
        download.finish();
    }
    Response::from_parts(parts, Outgoing::Theirs(Box::new(download)))
}

/// Closes the connection when its session has ended and the stream still could not be reset: a client that reads nothing would
/// otherwise keep the upstream's stream open.
fn watch(line: &Arc<Line>, live: Option<&Arc<LiveSession>>) -> Watched {
    let over = CancellationToken::new();
    if let Some(live) = live {
        let (live, over, close) = (Arc::clone(live), over.clone(), line.close.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = over.cancelled() => return,
                () = live.ended.cancelled() => {}
            }
            tokio::select! {
                () = over.cancelled() => {}
                () = sleep(OWED) => close.cancel(),
            }
        });
    }
    Watched { _over: over.drop_guard(), _open: OpenStream::new(&line.core.shared.seeing.open_streams) }
}

fn down(line: &Line, passage: &Passage<'_>) -> Answer {
    line.core.shared.seeing.upstream_failures.inc();
    fault_answer(StatusCode::BAD_GATEWAY, passage)
}

fn fault_answer(status: StatusCode, passage: &Passage<'_>) -> Answer {
    let text = match status {
        StatusCode::GATEWAY_TIMEOUT => "the product did not answer in time",
        StatusCode::BAD_GATEWAY => "the product cannot be reached now",
        _ => "the request has no single meaning",
    };
    answer::plain(status, text, passage.request_id.to_str().unwrap_or("-"))
}
