//! A receiver of events over HTTPS: Splunk's HTTP Event Collector, a collector of OpenTelemetry, or any other program by a signed webhook. Which one it is, its
//! address says.
//!
//! A request is answered with 2xx (Splunk's with `"code":0` besides) or it counts for nothing and comes again, the same to the byte
//! and under the same id. Events are JSON, one a line, so no text in one of them begins another.

use super::format::{Format, View};
use super::ocsf::Unmappable;
use super::otlp;
use super::people::PseudonymKey;
use super::sink::{Line, Sink, SinkOptions};
use crate::clock::Clock;
use crate::kernel::oidc::is_loopback;
use crate::kernel::values::Secret;
use crate::outbound::{Answer, Ask, Kind, Outbound};
use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use std::fmt::Display;
use std::io;
use url::Url;

/// Splunk's paths for events begin so, behind whatever a proxy puts before them.
const COLLECTOR: &str = "/services/collector";

/// The least that a webhook's key may have, as the Standard Webhooks specification asks for.
const SHORTEST_KEY: usize = 24;

/// How much of a receiver's own words is shown in the log.
const WORDS: usize = 200;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// What goes out with it: the client, the clock of signatures, and the name of this machine.
#[derive(Clone)]
pub struct Way {
    /// The client; the sink's own authority is among its roots.
    pub outbound: Outbound,
    /// Times of signatures.
    pub clock: Clock,
    /// This machine's name, which Splunk calls `host`.
    pub host: String,
}

/// Whether addresses of this kind are meant for [`Https`].
pub(super) fn is_meant(url: &str) -> bool {
    otlp::address(url).is_some()
        || Url::parse(url).is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)))
}

enum Receiver {
    Webhook(Box<hmac::Key>),
    Splunk(HeaderValue),
    /// Collectors on the same machine commonly ask for no token.
    Collector(Option<HeaderValue>),
}

/// A receiver over HTTPS.
pub(super) struct Https {
    url: Url,
    name: String,
    receiver: Receiver,
    view: View,
    way: Way,
}

impl Https {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// One sentence: no address, no token, or one that cannot be used.
    pub(super) fn new(options: &SinkOptions, key: PseudonymKey, way: Way) -> Result<Self, String> {
        let token = options.token.as_ref();
        let needed = || token.ok_or("it has no token");
        let (url, receiver) = if let Some(url) = otlp::address(&options.url) {
            (url, Receiver::Collector(token.map(|token| field("Bearer", token)).transpose()?))
        } else {
            let url = Url::parse(&options.url).map_err(|why| why.to_string())?;
            let receiver = if url.path().contains(COLLECTOR) {
                Receiver::Splunk(field("Splunk", needed()?)?)
            } else {
                let key = webhook_key(needed()?.expose())?;
                Receiver::Webhook(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key)))
            };
            (url, receiver)
        };
        Ok(Self { url, name: options.url.clone(), receiver, view: View::clear(options, key), way })
    }

    fn line(&self, line: &Line) -> Result<Value, Unmappable> {
        let (value, millis, kind) = match line {
            Line::Event(logged) => {
                let seen = self.view.event(logged)?;
                let kind = if self.view.format == Format::Ocsf { "fedgate:ocsf" } else { "fedgate:audit" };
                (seen.value, seen.millis, kind)
            }
            Line::Checkpoint(row) => (json!({ "checkpoint": row.note }), row.at.millis(), "fedgate:checkpoint"),
        };
        Ok(match &self.receiver {
            Receiver::Webhook(_) => value,
            Receiver::Collector(_) => otlp::record(&value, millis, kind),
            Receiver::Splunk(_) => json!({
                // Seconds with three places, as a text: a float could move an event by a millisecond.
                "time": format!("{}.{:03}", millis.div_euclid(1000), millis.rem_euclid(1000)),
                "host": self.way.host,
                "source": "fedgate",
                "sourcetype": kind,
                "event": value,
            }),
        })
    }

    fn body(&self, lines: &[Line]) -> io::Result<Bytes> {
        let lines: Vec<Value> =
            lines.iter().map(|line| self.line(line)).collect::<Result<_, _>>().map_err(io::Error::other)?;
        if let Receiver::Collector(_) = &self.receiver {
            return Ok(serde_json::to_vec(&otlp::request(&lines, &self.way.host))?.into());
        }
        let mut body = Vec::new();
        for line in &lines {
            serde_json::to_writer(&mut body, line)?;
            body.push(b'\n');
        }
        Ok(body.into())
    }

    fn headers(&self, body: &[u8]) -> io::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        match &self.receiver {
            Receiver::Splunk(token) => {
                headers.insert(header::AUTHORIZATION, token.clone());
                headers.insert(header::CONTENT_TYPE, JSON);
            }
            Receiver::Collector(token) => {
                headers.extend(token.clone().map(|token| (header::AUTHORIZATION, token)));
                headers.insert(header::CONTENT_TYPE, JSON);
            }
            Receiver::Webhook(key) => {
                let (id, at) = (batch_id(body), self.way.clock.now().seconds().to_string());
                let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
                let signature = format!("v1,{}", STANDARD.encode(hmac::sign(key, &signed)));
                headers.insert(header::CONTENT_TYPE, LINES);
                for (name, value) in [("id", id), ("timestamp", at), ("signature", signature)] {
                    let name =
                        HeaderName::from_bytes(format!("webhook-{name}").as_bytes()).map_err(io::Error::other)?;
                    headers.insert(name, HeaderValue::try_from(value).map_err(io::Error::other)?);
                }
            }
        }
        Ok(headers)
    }

    fn judge(&self, answer: &Answer) -> io::Result<()> {
        let taken = answer.status.is_success()
            && match &self.receiver {
                Receiver::Webhook(_) => true,
                Receiver::Collector(_) => !otlp::rejects(&answer.body),
                Receiver::Splunk(_) => {
                    serde_json::from_slice::<Value>(&answer.body).is_ok_and(|said| said.get("code") == Some(&json!(0)))
                }
            };
        if taken { Ok(()) } else { Err(refused(answer.status, &answer.body)) }
    }
}

#[async_trait]
impl Sink for Https {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn write(&mut self, lines: &[Line]) -> io::Result<()> {
        let body = self.body(lines)?;
        let headers = self.headers(&body)?;
        let ask = Ask {
            kind: Kind::Operator { named: self.url.clone() },
            url: &self.url,
            method: Method::POST,
            headers,
            body,
            accept: "application/json, */*",
        };
        self.judge(&self.way.outbound.fetch(ask).await.map_err(io::Error::other)?)
    }
}

/// An `Authorization` that no log shows.
fn field(scheme: &str, token: &Secret) -> Result<HeaderValue, String> {
    let mut field = HeaderValue::from_str(&format!("{scheme} {}", token.expose()))
        .map_err(|_| "the token has characters that no header may have")?;
    field.set_sensitive(true);
    Ok(field)
}

/// The same for the same bytes: whoever gets a batch twice tells by this.
fn batch_id(body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, body);
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("audit_{hex}")
}

/// The key's bytes: what stands behind `whsec_` in base64, as Standard Webhooks writes keys, else the text itself.
fn webhook_key(secret: &str) -> Result<Vec<u8>, String> {
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| "what follows `whsec_` in the token is not base64")?,
        None => secret.as_bytes().to_vec(),
    };
    if key.len() < SHORTEST_KEY {
        return Err(format!("the key of a webhook has at least {SHORTEST_KEY} bytes: `openssl rand -base64 32`"));
    }
    Ok(key)
}

fn refused(status: impl Display, body: &[u8]) -> io::Error {
    let words: String = String::from_utf8_lossy(body).chars().take(WORDS).collect();
    io::Error::other(format!("it answered {status}: {words:?}"))
}
