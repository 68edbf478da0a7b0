//! As much HTTP as the sample servers need: a listener, answers, forms, cookies.

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) type Body = BoxBody<Bytes, Infallible>;
pub(super) type Response = hyper::Response<Body>;

/// Largest form that is read, in bytes.
const LARGEST_FORM: usize = 64 * 1024;

/// Serves connections until `stop`, each in a task of its own.
pub(super) fn serve<H, F>(listener: TcpListener, stop: CancellationToken, handle: H)
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    tokio::spawn(async move {
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a sample server could not accept a connection");
                        continue;
                    }
                },
            };
            let (stop, handle) = (stop.clone(), handle.clone());
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let answer = handle(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let connection =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = stop.cancelled() => {}
                    ended = connection.with_upgrades() => if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to a sample server broke");
                    },
                }
            });
        }
    });
}

/// An answer with a body of one piece.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = hyper::Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Response {
    answer(status, "text/plain; charset=utf-8", body.into())
}

/// JSON that no cache keeps.
pub(super) fn json(status: StatusCode, value: &serde_json::Value) -> Response {
    with(answer(status, "application/json", value.to_string()), header::CACHE_CONTROL, "no-store")
}

/// 303 to a target that we made or that was compared with a registered one.
pub(super) fn see_other(target: &str) -> Response {
    let response = answer(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    with(with(response, header::LOCATION, target), header::CACHE_CONTROL, "no-store")
}

/// Adds a header; a value that no header can carry is left out and logged, for it would be a defect of the caller.
pub(super) fn with(mut response: Response, name: HeaderName, value: &str) -> Response {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(response.headers_mut().append(name, value)),
        Err(error) => tracing::warn!(%name, %error, "a sample server's header was left out"),
    }
    response
}

/// Fields of a query or a form, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// The body of a form of at most 64 KiB; None where it is larger or breaks off.
    pub(super) async fn of_body(body: Incoming) -> Option<Self> {
        let bytes = Limited::new(body, LARGEST_FORM).collect().await.ok()?.to_bytes();
        Some(Self::parse(&bytes))
    }

    /// The first field of that name, unless it is empty (RFC 6749 §3.1: a parameter without a value counts as left out).
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The same name twice (RFC 6749 §3.1 forbids it).
    pub(super) fn repeat(&self) -> bool {
        let mut seen = HashSet::new();
        !self.0.iter().all(|(name, _)| seen.insert(name))
    }

    /// As a query again, without the named fields.
    pub(super) fn encode_without(&self, left_out: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, _)| !left_out.contains(&name.as_str()));
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
    }
}

/// The value of a cookie; None when it is absent or there twice.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value);
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The browser says that the request was made by a page of this very origin (rule H6): by `Sec-Fetch-Site`, else by `Origin`.
pub(super) fn is_same_origin(headers: &HeaderMap, origin: &str) -> bool {
    match headers.get("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => headers.get(header::ORIGIN).is_some_and(|given| given == origin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_is_there_twice_is_not_believed() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; b=2"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=3"));
        assert_eq!(cookie(&headers, "b"), None);
        assert_eq!(cookie(&headers, "c"), None);
    }

    #[test]
    fn fields_keep_their_order_and_show_repetition() {
        let fields = Fields::parse(b"a=1&b=%26&c=");
        assert_eq!((fields.one("b"), fields.one("c"), fields.repeat()), (Some("&"), None, false));
        assert_eq!(fields.encode_without(&["a"]), "b=%26&c=");
        assert!(Fields::parse(b"a=1&b=2&a=1").repeat());
    }

    #[test]
    fn sec_fetch_site_decides_before_origin() {
        let check = |site: Option<&'static str>, origin: Option<&'static str>, expected| {
            let mut headers = HeaderMap::new();
            site.map(|site| headers.insert("sec-fetch-site", HeaderValue::from_static(site)));
            origin.map(|origin| headers.insert(header::ORIGIN, HeaderValue::from_static(origin)));
            assert_eq!(is_same_origin(&headers, "https://a.example"), expected, "{site:?} {origin:?}");
        };
        check(Some("same-origin"), Some("null"), true);
        check(Some("same-site"), Some("https://a.example"), false);
        check(Some("none"), None, false);
        check(None, Some("https://a.example"), true);
        check(None, Some("https://b.example"), false);
        check(None, None, false);
    }
}
