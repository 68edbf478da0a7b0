//! To a product and back: send (see `sending.rs`), filter, stream.

use super::answer::{self, Answer};
use super::body::{self, Broken, Download, Held, OpenStream, Outgoing, Watched};
use super::connection::Line;
use super::filter;
use super::guard::{self, Reason};
use super::head::{self, Passage};
use super::sending::{Fault, Missed, Ready, Sending, Sent};
use super::spool::Reader;
use super::upload::{Progress, RequestBody, Upload};
use super::upstream::form;
use super::websocket;
use crate::web::LiveSession;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// From this announced length on a response is watched: shorter ones are in the socket before anybody could end the session.
const WATCHED: u64 = 64 * 1024;

/// How long an HTTP/1.1 client that takes nothing may keep a response whose session has ended; then its connection is cut. (HTTP/2
/// streams are reset at once: `stream.rs`.)
const OWED: Duration = Duration::from_millis(25);

/// A request that may go to its product.
pub(super) struct Admitted {
    pub(super) live: Option<Arc<LiveSession>>,
    pub(super) public: bool,
}

/// Forwards a request and gives back the answer to stream. An error ends the stream or connection without an answer.
pub(super) async fn forward(
    line: &Arc<Line>,
    mut request: Box<Request<RequestBody>>,
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    let sizes = &passage.target.site.reach.sizes;
    if sizes.body.is_some_and(|most| request.body().size_hint().lower() > most) {
        return Ok(fault_answer(StatusCode::PAYLOAD_TOO_LARGE, passage));
    }
    let alone = Sending::new(line, passage, admitted, None);
    if let Some(peer) = alone.direct(&request) {
        return Ok(match alone.directly(&mut request, peer).await {
            Ok(sent) => answered(sent, passage, admitted, (None, alone.deadline()), false),
            Err(missed) => Box::pin(after(missed, request, &alone, passage, admitted)).await,
        });
    }
    Box::pin(by_hyper(line, request, passage, admitted)).await
}

/// What has a body, an upgrade or an upstream of another kind goes on hyper's connections.
async fn by_hyper(
    line: &Arc<Line>,
    mut request: Box<Request<RequestBody>>,
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    let opening = passage.upgrade.then(|| websocket::Opening::new(&mut request));
    let is_head = *request.method() == Method::HEAD;
    let Ok((outgoing, progress)) = outgoing(request, passage) else {
        return Ok(fault_answer(StatusCode::BAD_REQUEST, passage));
    };
    if let Some(progress) = progress.as_ref().filter(|_| line.turns.is_none()) {
        line.pace.uploads(progress);
    }
    let sending = Sending::new(line, passage, admitted, progress.as_ref());
    let deadline = sending.deadline();
    // Whatever waits below with the request itself in hand is boxed: the future of a request on a ready connection stays small.
    let sent = match sending.ready() {
        Some(ready) => {
            let Ready { mut connection, peer, since } = ready;
            let mut spare = None;
            let answered = pin!(sending.begin(&mut connection, outgoing, since, &mut spare));
            match sending.within_session(&mut connection.patience, answered).await {
                Ok(Ok(response)) => Ok(Sent::pooled(response, connection, peer)),
                Ok(Err(error)) => Box::pin(sending.once_more(error, spare, peer)).await,
                Err(fault) => Err(fault),
            }
        }
        None => Box::pin(sending.anew(outgoing)).await,
    };
    match sent {
        Ok(sent) if sent.response.status() == StatusCode::SWITCHING_PROTOCOLS => match opening {
            Some(opening) if opening.is_granted(sent.response.headers()) => Ok(opening.open(
                line,
                (sent.response, sent.held.and_then(Held::descriptor)),
                passage,
                admitted.live.clone(),
            )),
            _ => Ok(down(line, passage)),
        },
        Ok(sent) => Ok(answered(sent, passage, admitted, (progress, deadline), is_head)),
        Err(fault) => Ok(unanswered(fault, passage, admitted, progress.as_deref())),
    }
}

/// A request that a connection of our own brought no answer: where it may be sent once more, it is.
async fn after(
    missed: Missed,
    request: Box<Request<RequestBody>>,
    sending: &Sending<'_>,
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Answer {
    if let Missed::Final(fault) = missed {
        return unanswered(fault, passage, admitted, None);
    }
    let Ok((outgoing, _)) = outgoing(request, passage) else { return fault_answer(StatusCode::BAD_REQUEST, passage) };
    match sending.after(missed, outgoing).await {
        Ok(sent) => answered(sent, passage, admitted, (None, sending.deadline()), false),
        Err(fault) => unanswered(fault, passage, admitted, None),
    }
}

/// An answer that is no upgrade and not announced as too large.
fn answered(
    sent: Sent,
    passage: &Passage<'_>,
    admitted: &Admitted,
    under_way: (Option<Arc<Progress>>, Option<Instant>),
    is_head: bool,
) -> Answer {
    let most = passage.target.site.reach.sizes.response;
    let is_too_large = most.is_some_and(|most| sent.response.body().size_hint().lower() > most);
    if is_too_large || sent.response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return down(passage.line, passage);
    }
    receive(sent, passage, admitted, under_way, is_head)
}

/// Why there is no answer, in words.
fn unanswered(fault: Fault, passage: &Passage<'_>, admitted: &Admitted, upload: Option<&Progress>) -> Answer {
    match fault {
        // The request's body may have been cut first, which the upstream's connection says as a fault.
        _ if admitted.live.as_ref().is_some_and(|live| live.ended.is_cancelled()) => answer::session_ended(),
        Fault::Down if upload.is_some_and(Progress::is_too_large) => {
            fault_answer(StatusCode::PAYLOAD_TOO_LARGE, passage)
        }
        Fault::Down if upload.is_some_and(Progress::is_broken) => fault_answer(StatusCode::BAD_REQUEST, passage),
        Fault::Down => down(passage.line, passage),
        Fault::Late => fault_answer(StatusCode::GATEWAY_TIMEOUT, passage),
        Fault::Ended => answer::session_ended(),
        Fault::Crowded => crowded(passage.line, passage),
    }
}

/// Sends a request whose body was kept (rule H9).
pub(super) async fn replay(
    line: &Arc<Line>,
    (parts, body): (Parts, Reader),
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    let body = Upload::kept(body, &passage.target.site);
    send_whole(line, (parts, body), passage, admitted).await
}

/// Sends a request whose body is here whole. It has a progress even without a body, so that it is never sent twice by itself.
pub(super) async fn send_whole(
    line: &Arc<Line>,
    (mut parts, (upload, progress)): (Parts, (Upload, Arc<Progress>)),
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    parts.extensions.clear();
    if head::prepare(&mut parts, passage).is_err() {
        return Ok(fault_answer(StatusCode::BAD_REQUEST, passage));
    }
    let sending = Sending::new(line, passage, admitted, Some(&progress));
    let deadline = sending.deadline();
    match sending.anew(Request::from_parts(parts, upload)).await {
        Ok(sent) => Ok(answered(sent, passage, admitted, (Some(progress), deadline), false)),
        Err(fault) => Ok(unanswered(fault, passage, admitted, None)),
    }
}

/// The request as its product receives it.
fn outgoing(
    request: Box<Request<RequestBody>>,
    passage: &Passage<'_>,
) -> Result<(Request<Upload>, Option<Arc<Progress>>), http::Error> {
    let (mut parts, body) = request.into_parts();
    let chunked = !body.is_end_stream() && body.size_hint().exact().is_none();
    parts.extensions.clear();
    let (upload, progress) = Upload::new(body, &passage.target.site);
    head::prepare(&mut parts, passage)?;
    if chunked {
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    Ok((Request::from_parts(parts, upload), progress))
}

/// Filters the head and wraps the body.
fn receive(
    sent: Sent,
    passage: &Passage<'_>,
    admitted: &Admitted,
    (progress, deadline): (Option<Arc<Progress>>, Option<Instant>),
    is_head: bool,
) -> Answer {
    let (mut parts, inner) = sent.response.into_parts();
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    let length = inner.size_hint().exact();
    // Only a body without an announced length can have trailers.
    let trailers = if length.is_none() { body::announced_trailers(&parts.headers) } else { None };
    filter::clean(&mut parts.headers, passage.target, admitted.public, passage.is_bound());
    if let Some(trailers) = trailers {
        parts.headers.insert(header::TRAILER, trailers);
    }
    let watched =
        (length.is_none_or(|length| length > WATCHED) && !is_head).then(|| watch(passage.line, admitted.live.as_ref()));
    let reach = &passage.target.site.reach;
    let mut download = Download {
        held: sent.held,
        inner,
        left: reach.sizes.response.unwrap_or(u64::MAX),
        patience: reach.timeouts.idle,
        deadline: deadline.map(|deadline| Box::pin(sleep_until(deadline))),
        upload: progress,
        session: admitted.live.clone(),
        ended: None,
        watched,
        stall: None,
        grpc: passage.line.turns.is_some() && length.is_none() && form::is_grpc(&parts.headers),
    };
    if download.inner.is_end_stream() {
        download.finish();
    }
    Response::from_parts(parts, Outgoing::Theirs(Box::new(download)))
}

/// Closes an HTTP/1.1 connection when its session has ended and the response still could not be cut: hyper does not ask its body
/// while the client reads nothing, and the upstream's stream would stay open.
fn watch(line: &Line, live: Option<&Arc<LiveSession>>) -> Watched {
    let over = CancellationToken::new();
    if let Some(live) = live.filter(|_| line.turns.is_none()) {
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

/// The process has no descriptor left: more clients and streams than it can serve.
fn crowded(line: &Line, passage: &Passage<'_>) -> Answer {
    line.core.shared.guard.turn_away(Reason::Connections, line.core.shared.clock.since_boot());
    guard::busy(Reason::Connections, passage.request_id.to_str().unwrap_or("-"))
}

fn fault_answer(status: StatusCode, passage: &Passage<'_>) -> Answer {
    let text = match status {
        StatusCode::GATEWAY_TIMEOUT => "the product did not answer in time",
        StatusCode::BAD_GATEWAY => "the product cannot be reached now",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than the product allows",
        _ => "the request has no single meaning",
    };
    answer::plain(status, text, passage.request_id.to_str().unwrap_or("-"))
}
