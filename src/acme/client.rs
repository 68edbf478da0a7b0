//! How the authority is asked: by the one outbound client. The directory may be anywhere, because the operator named it; what it
//! names on another origin obeys the address filter.

use super::Wanted;
use crate::outbound::{Ask, Kind, Outbound};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use serde_json::Value;
use std::pin::Pin;
use url::Url;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// Longer than an order may take, and short enough to be added to any time.
const LONGEST_RETRY: u64 = 3_600;

/// The client of one authority.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) outbound: Outbound,
    pub(super) directory: Url,
}

impl HttpClient for Client {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move { client.ask(request).await })
    }
}

impl Client {
    /// A plain GET, whose answer must be good.
    pub(super) async fn read(&self, address: &str) -> Result<Bytes, String> {
        let request = Request::get(address).body(BodyWrapper::default()).map_err(|why| why.to_string())?;
        let mut answer = self.ask(request).await.map_err(|why| why.to_string())?;
        let status = answer.parts.status;
        if !status.is_success() {
            return Err(format!("it answers {status}"));
        }
        answer.body.into_bytes().await.map_err(|why| why.to_string())
    }

    async fn ask(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string()).map_err(|why| Error::Other(why.into()))?;
        // The body is in memory already: collecting it cannot fail.
        let body = body.collect().await.map_err(|why| Error::Other(why.into()))?.to_bytes();
        let mut headers = HeaderMap::new();
        headers.extend(parts.headers.get(CONTENT_TYPE).map(|value| (CONTENT_TYPE, value.clone())));
        let kind = Kind::Operator { named: self.directory.clone() };
        let ask = Ask { kind, url: &url, method: parts.method, headers, body, accept: "*/*" };
        let answer = self.outbound.fetch(ask).await.map_err(|why| Error::Other(why.into()))?;
        if url == self.directory && answer.status.is_success() && !is_directory(&answer.body) {
            return Err(Error::Str("the address answers, and not with an ACME directory"));
        }
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = harmless(&answer.headers);
        Ok(BytesResponse::from(response))
    }
}

/// Whether the authority's directory can be read from here; the fault is for the operator.
///
/// # Errors
/// What is wrong, in a sentence.
pub async fn reachable(wanted: &Wanted) -> Result<(), String> {
    let client = Client { outbound: wanted.outbound.clone(), directory: wanted.options.directory.clone() };
    client.read(wanted.options.directory.as_str()).await.map(drop)
}

/// What the ACME client reads, without a time that it could not add to another.
fn harmless(from: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in [REPLAY_NONCE, LOCATION, RETRY_AFTER] {
        let value = from.get(&name).filter(|value| name != RETRY_AFTER || is_seconds(value.to_str().unwrap_or("")));
        kept.extend(value.map(|value| (name, value.clone())));
    }
    kept
}

fn is_seconds(text: &str) -> bool {
    text.parse::<u64>().is_ok_and(|seconds| seconds <= LONGEST_RETRY)
}

/// Whether the addresses that every order needs are there and are addresses (RFC 8555 §7.1.1); the ACME client takes that for
/// granted.
fn is_directory(body: &[u8]) -> bool {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return false };
    ["newNonce", "newAccount", "newOrder"].iter().all(|name| {
        let text = members.get(*name).and_then(Value::as_str).unwrap_or("");
        text.parse::<Uri>().is_ok() && Url::parse(text).is_ok_and(|url| url.has_host())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::OutboundOptions;

    #[test]
    fn a_directory_names_what_orders_need() {
        let check = |nonce: &str, good: bool| {
            let text = format!(
                r#"{{"newNonce":{nonce},"newAccount":"https://a.example/a","newOrder":"https://a.example/o"}}"#
            );
            assert_eq!(is_directory(text.as_bytes()), good, "{text}");
        };
        check("\"https://a.example/n\"", true);
        check("\"/n\"", false);
        check("\"https://a.example/ n\"", false);
        check("\"\"", false);
        check("7", false);
        assert!(!is_directory(b"<html>") && !is_directory(b"{}"));
    }

    #[tokio::test]
    async fn m16_what_a_directory_names_elsewhere_obeys_the_address_filter() {
        let inside = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("https://{}", inside.local_addr().unwrap());
        let check = async |directory: &str, expected: &str| {
            let outbound = Outbound::new(OutboundOptions::default()).unwrap();
            let client = Client { outbound, directory: Url::parse(directory).unwrap() };
            let request = Request::get(format!("{at}/new-nonce")).body(BodyWrapper::default()).unwrap();
            let fault = client.ask(request).await.err().unwrap().to_string();
            assert!(fault.contains(expected), "{directory}: {fault}");
        };
        check("https://ca.example.com/directory", "not public").await;
        let reached = tokio::time::timeout(std::time::Duration::from_millis(50), inside.accept()).await;
        assert!(reached.is_err(), "nobody came");
        // The operator's own authority may be anywhere.
        drop(inside);
        check(&format!("{at}/directory"), "no connection").await;
    }

    #[test]
    fn no_answer_names_a_time_that_cannot_be_added() {
        for (value, kept) in
            [("3", true), ("3600", true), ("3601", false), ("18446744073709551615", false), ("-1", false)]
        {
            let from = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap()), (LOCATION, "x".parse().unwrap())]);
            let headers = harmless(&from);
            assert_eq!((headers.contains_key(RETRY_AFTER), headers.contains_key(LOCATION)), (kept, true), "{value}");
        }
    }
}
