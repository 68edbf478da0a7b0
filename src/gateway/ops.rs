//! The operators' listener: health, readiness, metrics. Never on a public address by itself, so it says nothing about people.

use super::core::Shared;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Whether the gateway can do its work; asked for each `/readyz`.
pub trait Readiness: Send + Sync + 'static {
    /// Whether requests can be served, a grace in a store outage included; `strict` leaves the grace out.
    fn is_ready(&self, strict: bool) -> bool;
}

/// Serves until killed; a drain is not ready.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    readiness: Arc<dyn Readiness>,
    drain: CancellationToken,
    kill: CancellationToken,
) {
    loop {
        let stream = tokio::select! {
            () = kill.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "the ops listener could not accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (shared, readiness, drain) = (Arc::clone(&shared), Arc::clone(&readiness), drain.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, &shared, &*readiness, drain.is_cancelled());
                async move { Ok::<_, Infallible>(answer) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(stream), service);
            // How a scraper leaves is its own affair.
            drop(connection.await);
        });
    }
}

fn answer(
    request: &Request<Incoming>,
    shared: &Shared,
    readiness: &dyn Readiness,
    draining: bool,
) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET\n".into());
    }
    let strict = request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|key| key == "strict" || key.starts_with("strict=")));
    match request.uri().path() {
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" if !draining && readiness.is_ready(strict) => text(StatusCode::OK, "ready\n".into()),
        "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".into()),
        "/metrics" => {
            let mut response = text(StatusCode::OK, shared.seeing.text());
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        _ => text(StatusCode::NOT_FOUND, "/healthz /readyz /metrics\n".into()),
    }
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
