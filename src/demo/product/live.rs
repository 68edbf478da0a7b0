//! What stays open: a clock over WebSocket and the activity feed as server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::{Request, StatusCode, upgrade};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::demo::Clock;
use crate::demo::http::{Response, with};
use crate::demo::websocket::{self, Socket};

/// A comment line this often keeps the feed from looking idle to what stands between.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Tells the time every second until either side leaves.
pub(super) fn clock(mut request: Request<Incoming>, clock: Clock, stop: CancellationToken) -> Response {
    let response = websocket::accept(request.headers());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return response;
    }
    let upgrading = upgrade::on(&mut request);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => match tell_time(Socket::new(upgraded), clock, stop).await {
                Ok(()) => {}
                Err(error) => tracing::debug!(%error, "a clock's socket broke"),
            },
            Err(error) => tracing::debug!(%error, "a clock's socket was never opened"),
        }
    });
    response
}

async fn tell_time(mut socket: Socket, clock: Clock, stop: CancellationToken) -> std::io::Result<()> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return socket.close(1001).await,
            left = socket.has_left() => if left? { return Ok(()) },
            _ = second.tick() => {
                let now = clock().rem_euclid(86_400);
                socket.send_text(&format!("{:02}:{:02}:{:02} UTC", now / 3600, now / 60 % 60, now % 60)).await?;
            }
        }
    }
}

/// The latest activities and all that follow, one event each.
pub(super) fn feed(recent: Vec<String>, following: broadcast::Receiver<String>, stop: CancellationToken) -> Response {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(pump(recent, following, sender, stop));
    let mut response = Response::new(Feed(receiver).boxed());
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    with(response, CACHE_CONTROL, "no-store")
}

/// Ends when the visitor leaves (the channel closes), the product stops or the activity's source is gone.
async fn pump(
    recent: Vec<String>,
    mut following: broadcast::Receiver<String>,
    sender: mpsc::Sender<Bytes>,
    stop: CancellationToken,
) {
    let opening = recent.iter().map(|text| event(text)).collect::<String>();
    let mut next = Bytes::from(format!("retry: 3000\n: open\n\n{opening}"));
    loop {
        if sender.send(next).await.is_err() {
            return;
        }
        next = tokio::select! {
            () = stop.cancelled() => return,
            () = sender.closed() => return,
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b": still here\n\n"),
            activity = following.recv() => match activity {
                Ok(text) => Bytes::from(event(&text)),
                Err(broadcast::error::RecvError::Lagged(missed)) => Bytes::from(event(&format!("{missed} more"))),
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
    }
}

/// One event; the text holds no line break, for [`crate::pages::legible`] writes control characters out.
fn event(text: &str) -> String {
    format!("event: activity\ndata: {text}\n\n")
}

struct Feed(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
