//! A request's head on its way to a product: what could deceive it is removed, then what we vouch for is set (rules H7, C7).

use super::connection::Line;
use super::recall::{self, Rest};
use super::table::{self, Target};
use super::upstream::Group;
use crate::kernel::request::fields;
use crate::kernel::request::path::NormalPath;
use crate::web::LiveSession;
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Uri, Version};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Room for what a request usually carries and what we add, so that the map grows once.
const FIELDS: usize = 24;

/// How a client of a connection is introduced to products: written once, sent with each of its requests.
pub(super) struct Introduction {
    client: IpAddr,
    authority: HeaderValue,
    fields: [(HeaderName, HeaderValue); 4],
    /// The same as HTTP/1.1 writes them.
    written: Box<[u8]>,
}

impl Introduction {
    fn new(client: IpAddr, entry: &table::Entry) -> Result<Self, http::Error> {
        let node = match client {
            IpAddr::V4(_) => format!("for={client};host=\"{}\";proto=https", entry.origin),
            IpAddr::V6(_) => format!("for=\"[{client}]\";host=\"{}\";proto=https", entry.origin),
        };
        let fields = [
            (FORWARDED_FOR, HeaderValue::try_from(client.to_string())?),
            (FORWARDED_HOST, entry.authority.clone()),
            (FORWARDED_PROTO, HeaderValue::from_static("https")),
            (header::FORWARDED, HeaderValue::try_from(node)?),
        ];
        let mut written = Vec::new();
        fields.iter().for_each(|(name, value)| field(&mut written, name, value.as_bytes()));
        Ok(Self { client, authority: entry.authority.clone(), fields, written: written.into() })
    }
}

/// What a request is forwarded with.
pub(super) struct Passage<'a> {
    pub(super) line: &'a Line,
    pub(super) entry: &'a table::Entry,
    pub(super) target: &'a Arc<Target>,
    /// Its upstreams, with connections that all share or of this session's own.
    pub(super) group: &'a Group,
    pub(super) path: &'a NormalPath<'a>,
    pub(super) client: IpAddr,
    pub(super) request_id: &'a HeaderValue,
    /// What the product receives of the cookies.
    pub(super) cookies: Rest,
    /// The session, where there is one and the path may know it.
    pub(super) live: Option<&'a LiveSession>,
    /// Whether its credential is an API token of the product's own, which the product must see (rule C7).
    pub(super) by_token: bool,
    /// Whether the request asks for a WebSocket that may be opened.
    pub(super) upgrade: bool,
}

impl Passage<'_> {
    /// Whether the upstream's connection is one session's own (rule H8).
    pub(super) fn is_bound(&self) -> bool {
        self.live.is_some() && self.target.site.connection_auth
    }
}

/// Edits the head in place. Fails only when the normal form is no URI, which it always is.
pub(super) fn prepare(parts: &mut Parts, passage: &Passage<'_>) -> Result<(), http::Error> {
    retarget(&mut parts.uri, passage.path)?;
    parts.version = Version::HTTP_11;
    let headers = &mut parts.headers;
    let stripped = Stripped::of(headers, passage);
    // What is replaced may stay until then.
    let goes = |name: &&HeaderName| !is_replaced(name) && stripped.has(name);
    let doomed: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
    set_cookies(headers, &passage.cookies);
    set_ours(headers, passage)?;
    Ok(())
}

/// Writes the head of a GET without a body, as [`prepare`] would have it and HTTP/1.1 is spoken (RFC 9112 §3): the same fields
/// go, the same are set, and no map is made of them. `Content-Length` goes too: there is nothing to count. Fails as that does.
pub(super) fn write<B>(out: &mut Vec<u8>, request: &Request<B>, passage: &Passage<'_>) -> Result<(), http::Error> {
    let headers = request.headers();
    out.extend_from_slice(b"GET ");
    match request.uri().path_and_query() {
        Some(same) if passage.path.unchanged() => out.extend_from_slice(same.as_str().as_bytes()),
        _ => out.extend_from_slice(PathAndQuery::try_from(passage.path.target())?.as_str().as_bytes()),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let stripped = Stripped::of(headers, passage);
    let mut cookies = &Rest::AsItCame;
    for (name, value) in headers {
        if is_replaced(name) || stripped.has(name) || *name == header::CONTENT_LENGTH {
            continue;
        }
        if *name == header::COOKIE && passage.cookies != Rest::AsItCame {
            cookies = &passage.cookies;
        } else {
            field(out, name, value.as_bytes());
        }
    }
    if let Rest::Others(others) = cookies {
        field(out, &header::COOKIE, others.as_bytes());
    }
    field(out, &header::HOST, host(passage).as_bytes());
    field(out, &REQUEST_ID, passage.request_id.as_bytes());
    introduced(passage, |known| out.extend_from_slice(&known.written))?;
    if let Some(live) = passage.live {
        live.identity.load().each(|name, value| field(out, name, value));
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let name = name.as_str().as_bytes();
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Rule C7: where the product declares it; with `connection_auth` the schemes that log a connection in, and no other.
fn may_keep_authorization(headers: &HeaderMap, target: &Target) -> bool {
    let site = &target.site;
    let of_connection = |value: &HeaderValue| value.to_str().is_ok_and(fields::logs_connection_in);
    site.keep_authorization
        || (site.connection_auth && headers.get_all(header::AUTHORIZATION).iter().all(of_connection))
}

/// Origin form of the normal path; nothing is copied when it is that already.
fn retarget(uri: &mut Uri, path: &NormalPath<'_>) -> Result<(), http::Error> {
    if uri.authority().is_none() && path.unchanged() {
        return Ok(());
    }
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = Some(match uri.path_and_query() {
        Some(same) if path.unchanged() => same.clone(),
        _ => PathAndQuery::try_from(path.target())?,
    });
    *uri = Uri::from_parts(parts)?;
    Ok(())
}

/// What a product does not receive as it came: what ends at this hop, what `Connection` names, and every spelling of what only we
/// may say.
struct Stripped<'a> {
    target: &'a Target,
    keeps_authorization: bool,
    /// What `Connection` names.
    named: Vec<HeaderName>,
}

impl<'a> Stripped<'a> {
    fn of(headers: &HeaderMap, passage: &Passage<'a>) -> Self {
        let target: &'a Target = passage.target;
        let mut named = Vec::new();
        if headers.contains_key(header::CONNECTION) {
            for value in headers.get_all(header::CONNECTION) {
                let names = fields::named_by_connection(value.as_bytes());
                named.extend(names.filter_map(|name| HeaderName::from_bytes(name).ok()).filter(may_be_named));
            }
        }
        let keeps_authorization =
            passage.by_token || (passage.live.is_some() && may_keep_authorization(headers, target));
        Self { target, keeps_authorization, named }
    }

    fn has(&self, name: &HeaderName) -> bool {
        *name == header::CONNECTION
            || ends_here(name, self.target)
            || (!self.keeps_authorization && *name == header::AUTHORIZATION)
            || self.named.contains(name)
    }
}

/// hyper counts the body; taking its length away at a client's word would change how it is framed.
fn may_be_named(name: &HeaderName) -> bool {
    *name != header::CONTENT_LENGTH && *name != header::HOST
}

/// What every forwarded request has from us.
fn is_replaced(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::FORWARDED
        || (name.as_str().starts_with("x-")
            && [REQUEST_ID, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO].contains(name))
}

fn ends_here(name: &HeaderName, target: &Target) -> bool {
    // `Expect` is answered by us when the body is first asked for.
    fields::is_hop_by_hop(name.as_str())
        || target.mapped.removes(name.as_str())
        || fields::frames_anew(name.as_str())
        || *name == header::EXPECT
        || name == "http2-settings"
}

/// Takes our cookies out of a request that is not forwarded.
pub(super) fn remove_our_cookies(headers: &mut HeaderMap) {
    let rest = recall::rest_of(headers);
    set_cookies(headers, &rest);
}

fn set_cookies(headers: &mut HeaderMap, rest: &Rest) {
    match rest {
        Rest::AsItCame => {}
        Rest::Nothing => drop(headers.remove(header::COOKIE)),
        // Only where they still are: a client may have named them in `Connection`.
        Rest::Others(others) => {
            if let Entry::Occupied(mut field) = headers.entry(header::COOKIE) {
                field.insert(others.clone());
            }
        }
    }
}

fn set_ours(headers: &mut HeaderMap, passage: &Passage<'_>) -> Result<(), http::Error> {
    headers.reserve(FIELDS.saturating_sub(headers.len()));
    headers.insert(header::HOST, host(passage).clone());
    headers.insert(REQUEST_ID, passage.request_id.clone());
    introduced(passage, |known| {
        for (name, value) in &known.fields {
            headers.insert(name, value.clone());
        }
    })?;
    if passage.upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    if let Some(live) = passage.live {
        for (name, value) in live.identity.load().fields() {
            headers.insert(name, value);
        }
    }
    Ok(())
}

fn host<'a>(passage: &'a Passage<'_>) -> &'a HeaderValue {
    passage.target.upstream_host.as_ref().unwrap_or(&passage.entry.authority)
}

/// `X-Forwarded-*` and `Forwarded`. Behind a proxy a connection carries many clients: the last one's is kept.
fn introduced(passage: &Passage<'_>, say: impl FnOnce(&Introduction)) -> Result<(), http::Error> {
    let mut last = passage.line.introduced.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some(known) if known.client == passage.client && known.authority == passage.entry.authority => say(known),
        _ => say(last.insert(Introduction::new(passage.client, passage.entry)?)),
    }
    Ok(())
}
