//! Which origin a request is for, and whose it is: one authority, known exactly, under this connection's certificate (rules M8, M29).

use super::answer::{self, Answer};
use super::client;
use super::connection::{Line, Listener};
use super::table::{Entry, Misdirected, Table};
use super::upload::RequestBody;
use crate::kernel::request::path::NormalPath;
use http::header::{self, HeaderValue};
use http::{Request, StatusCode};
use std::net::IpAddr;
use std::sync::Arc;

/// Why a request has no place here.
pub(super) enum Elsewhere {
    /// A machine asks whether we live; on any host.
    Health,
    Malformed,
    /// Not ours, another port, or not under this connection's certificate.
    Misdirected,
    /// Plain HTTP from somebody else than a trusted proxy.
    Untrusted,
    /// Plain HTTP: the same place over TLS.
    NotTls(String),
    /// An authority asks who we are, and this is the answer (RFC 8555 §8.3).
    Challenge(String),
}

impl Elsewhere {
    pub(super) fn answer(&self, request_id: &HeaderValue) -> Answer {
        let id = request_id.to_str().unwrap_or("-");
        match self {
            Self::Health => answer::healthy(),
            Self::Malformed => answer::plain(StatusCode::BAD_REQUEST, "the request has no single meaning", id),
            Self::Misdirected => answer::plain(StatusCode::MISDIRECTED_REQUEST, "this host is not served here", id),
            Self::Untrusted => {
                answer::plain(StatusCode::FORBIDDEN, "only trusted proxies may speak plain HTTP here", id)
            }
            Self::Challenge(text) => answer::key_authorization(text),
            Self::NotTls(location) => answer::redirect(StatusCode::PERMANENT_REDIRECT, location, id),
        }
    }
}

/// The origin and client of a request (rules M8, M29).
pub(super) fn locate(
    line: &Line,
    table: &Table,
    request: &Request<RequestBody>,
) -> Result<(Arc<Entry>, IpAddr), Elsewhere> {
    let path = request.uri().path();
    if path == "/.fedgate/healthz" {
        return Err(Elsewhere::Health);
    }
    let authority = authority(request).ok_or(Elsewhere::Malformed)?;
    if line.listener == Listener::Redirect {
        let entry = table.find_host(authority).map_err(refused)?;
        let challenge = challenge(line, entry.origin.host(), path);
        return Err(challenge.map_or(Elsewhere::NotTls(secure_url(entry, request)?), Elsewhere::Challenge));
    }
    let entry = place(line, table, authority, request)?;
    if line.listener == Listener::Plain {
        if !line.proxied && !client::is_trusted(line.peer, &table.trusted) {
            return Err(Elsewhere::Untrusted);
        }
        if !client::came_by_tls(request.headers()) {
            return Err(Elsewhere::NotTls(secure_url(&entry, request)?));
        }
    }
    Ok((entry, client::address(line.peer, request.headers(), &table.trusted)))
}

/// The origin that an authority names, if this connection's certificate covers it.
fn place(line: &Line, table: &Table, authority: &str, request: &Request<RequestBody>) -> Result<Arc<Entry>, Elsewhere> {
    if let Some(entry) = line.recall.place(table, authority) {
        return Ok(entry);
    }
    let entry = match table.find(authority) {
        Ok(entry) => entry,
        Err(misdirected) => described(line, table, request).ok_or_else(|| refused(misdirected))?,
    };
    if line.names.as_ref().is_some_and(|names| !names.contains(entry.origin.host())) {
        return Err(Elsewhere::Misdirected);
    }
    line.recall.remember_place(entry);
    Ok(Arc::clone(entry))
}

/// The answer to an authority's challenge, where that token is awaited. Others are redirected like everything else.
fn challenge(line: &Line, host: &str, path: &str) -> Option<String> {
    line.core.shared.issued.http_answer(host, path.strip_prefix("/.well-known/acme-challenge/")?)
}

/// Some proxies ask at `/.fedgate/auth` under the gateway's own address: the origin is then the one that they say, once.
fn described<'t>(line: &Line, table: &'t Table, request: &Request<RequestBody>) -> Option<&'t Arc<Entry>> {
    if request.uri().path() != "/.fedgate/auth" || !client::is_trusted(line.peer, &table.trusted) {
        return None;
    }
    table.find(client::forwarded_host(request.headers()).ok()??).ok()
}

fn refused(misdirected: Misdirected) -> Elsewhere {
    match misdirected {
        Misdirected::Malformed => Elsewhere::Malformed,
        Misdirected::Unknown => Elsewhere::Misdirected,
    }
}

fn secure_url(entry: &Entry, request: &Request<RequestBody>) -> Result<String, Elsewhere> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let path = NormalPath::parse(target).map_err(|_| Elsewhere::Malformed)?;
    Ok(format!("{}{}", entry.url, path.target()))
}

/// The one authority of a request: `:authority` or absolute form and `Host` must say the same (RFC 9112 §3.2.2).
fn authority(request: &Request<RequestBody>) -> Option<&str> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    match (request.uri().authority(), host) {
        (Some(authority), Some(host)) => authority.as_str().eq_ignore_ascii_case(host).then_some(host),
        (Some(authority), None) => Some(authority.as_str()),
        (None, host) => host,
    }
}
