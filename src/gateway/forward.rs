//! To a product and back: send on a pooled connection, wait no longer than the session lives, filter, stream.

use super::answer::{self, Answer};
use super::body::{self, Broken, Download, OpenStream, Outgoing, Progress, Upload, Watched};
use super::connection::Line;
use super::filter;
use super::head::{self, Passage};
use super::options::Upstream;
use super::pool::{self, Connection, Lane};
use super::spool::Reader;
use super::websocket;
use crate::web::LiveSession;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use std::future::poll_fn;
use std::pin::{Pin, pin};
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
    let is_head = *request.method() == Method::HEAD;
    let Ok((outgoing, progress)) = outgoing(request, passage) else {
        return Ok(fault_answer(StatusCode::BAD_REQUEST, passage));
    };
    let sending = Sending::new(line, passage, admitted, progress.as_ref());
    let (lane, reused) = sending.reuse(0);
    // Whatever waits below with the request itself in hand is boxed: the future of a request on a ready connection stays small.
    let sent = match reused {
        Some(mut connection) => {
            let answered = pin!(connection.sender.try_send_request(outgoing));
            match sending.within_session(&mut connection, answered).await {
                Ok(Ok(response)) => Ok(Sent { response, connection, lane }),
                Ok(Err(error)) => match unsent(error) {
                    Ok(request) => Box::pin(sending.anew(request)).await,
                    Err(fault) => Err(fault),
                },
                Err(fault) => Err(fault),
            }
        }
        None => Box::pin(sending.anew(outgoing)).await,
    };
    match sent {
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

/// Sends a request whose body was kept (rule H9): always on a new connection, so that it is never sent twice by itself.
pub(super) async fn replay(
    line: &Arc<Line>,
    (mut parts, body): (Parts, Reader),
    passage: &Passage<'_>,
    admitted: &Admitted,
) -> Result<Answer, Broken> {
    parts.extensions.clear();
    if head::prepare(&mut parts, passage).is_err() {
        return Ok(fault_answer(StatusCode::BAD_REQUEST, passage));
    }
    let (upload, progress) = Upload::kept(body);
    let sending = Sending::new(line, passage, admitted, Some(&progress));
    match sending.anew(Request::from_parts(parts, upload)).await {
        Ok(sent) if sent.response.status() == StatusCode::SWITCHING_PROTOCOLS => Ok(down(line, passage)),
        Ok(sent) => Ok(receive(line, sent, passage, admitted, Some(progress), false)),
        Err(Fault::Down) => Ok(down(line, passage)),
        Err(Fault::Late) => Ok(fault_answer(StatusCode::GATEWAY_TIMEOUT, passage)),
        Err(Fault::Ended) => Err(body::cancelled()),
    }
}

/// The request as its product receives it.
fn outgoing(
    request: Box<Request<Incoming>>,
    passage: &Passage<'_>,
) -> Result<(Request<Upload>, Option<Arc<Progress>>), http::Error> {
    let (mut parts, body) = request.into_parts();
    let chunked = !body.is_end_stream() && body.size_hint().exact().is_none();
    parts.extensions.clear();
    let (upload, progress) = Upload::new(body);
    head::prepare(&mut parts, passage)?;
    if chunked {
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    Ok((Request::from_parts(parts, upload), progress))
}

struct Sent {
    response: Response<Incoming>,
    connection: Connection,
    lane: Option<Arc<Lane>>,
}

/// The request again if nothing of it was sent; on a connection that was just ready, that is a server that closed it.
fn unsent(mut error: TrySendError<Request<Upload>>) -> Result<Request<Upload>, Fault> {
    error.take_message().ok_or_else(|| {
        tracing::warn!(error = %error.error(), "upstream did not answer");
        Fault::Down
    })
}

/// A request on its way: to whom, and what ends the waiting.
struct Sending<'a> {
    line: &'a Arc<Line>,
    passage: &'a Passage<'a>,
    admitted: &'a Admitted,
    progress: Option<&'a Arc<Progress>>,
    turn: usize,
}

impl<'a> Sending<'a> {
    fn new(
        line: &'a Arc<Line>,
        passage: &'a Passage<'a>,
        admitted: &'a Admitted,
        progress: Option<&'a Arc<Progress>>,
    ) -> Self {
        let target = passage.target;
        let turn = if target.site.upstreams.len() > 1 { target.turn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Self { line, passage, admitted, progress, turn }
    }

    fn upstream(&self, place: usize) -> Option<&'a Upstream> {
        let upstreams = &self.passage.target.site.upstreams;
        let count = upstreams.len().max(1);
        upstreams.get(self.turn.wrapping_add(place) % count)
    }

    /// The pool of the upstream at that place, and a connection from it that is ready. Upgrades are never pooled.
    fn reuse(&self, place: usize) -> (Option<Arc<Lane>>, Option<Connection>) {
        let upstream = self.upstream(place).filter(|_| !self.passage.upgrade);
        let lane = upstream.map(|upstream| self.line.core.pool.lane(upstream));
        let reused = lane.as_ref().and_then(|lane| lane.take());
        (lane, reused)
    }

    /// Sends on a new connection, or any of the other upstreams. A request is sent again only if nothing of it was sent.
    async fn anew(&self, mut request: Request<Upload>) -> Result<Sent, Fault> {
        for place in 0..self.passage.target.site.upstreams.len() {
            let Some(upstream) = self.upstream(place) else { break };
            let (lane, mut reused) = self.reuse_unless_first(place, upstream);
            loop {
                let was_reused = reused.is_some();
                let mut connection = match reused.take() {
                    Some(connection) => connection,
                    None => match pool::connect(upstream, self.passage.upgrade).await {
                        Ok(connection) => connection,
                        Err(error) => {
                            tracing::warn!(?upstream, %error, "upstream cannot be reached");
                            break;
                        }
                    },
                };
                let answered = pin!(connection.sender.try_send_request(request));
                match self.within_session(&mut connection, answered).await? {
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

    /// The first upstream's ready connection has been tried already.
    fn reuse_unless_first(&self, place: usize, upstream: &Upstream) -> (Option<Arc<Lane>>, Option<Connection>) {
        if place > 0 {
            return self.reuse(place);
        }
        ((!self.passage.upgrade).then(|| self.line.core.pool.lane(upstream)), None)
    }

    /// Waits for the head of the answer, until the session ends, at most [`ANSWER`] after the body was sent.
    async fn within_session<T>(
        &self,
        connection: &mut Connection,
        mut answered: Pin<&mut impl Future<Output = T>>,
    ) -> Result<T, Fault> {
        let mut ended = pin!(self.admitted.live.as_ref().map(|live| live.ended.cancelled()));
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
                if self.progress.is_none_or(|upload| upload.is_sent()) {
                    return Poll::Ready(Err(Fault::Late));
                }
                connection.allow(ANSWER);
            }
            Poll::Pending
        })
        .await
    }
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
