//! Answers in the forms of RFC 7644: resources with their version, lists, errors with a `scimType`.

use crate::kernel::scim::Complaint;
use crate::mail::NotQueued;
use crate::store::{NotCommitted, Unavailable};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

/// What was asked for, or what was done.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub body: Option<Value>,
    pub version: Option<u32>,
    pub location: Option<String>,
}

impl Reply {
    /// 200 with a body.
    pub fn of(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), version: None, location: None }
    }

    /// A resource in this version, at its own address.
    pub fn resource(body: Value, version: u32) -> Self {
        let location = body.pointer("/meta/location").and_then(Value::as_str).map(ToOwned::to_owned);
        Self { version: Some(version), location, ..Self::of(body) }
    }

    /// Without a body.
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, body: None, version: None, location: None }
    }

    /// It was made.
    #[must_use]
    pub fn created(mut self) -> Self {
        self.status = StatusCode::CREATED;
        self
    }

    pub fn response(self) -> Response<Bytes> {
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let mut response = plain(self.status, body);
        let fields = response.headers_mut();
        if let Some(tag) = self.version.and_then(|version| HeaderValue::from_str(&tag(version)).ok()) {
            fields.insert(ETAG, tag);
        }
        if let Some(location) = self.location.and_then(|location| HeaderValue::from_str(&location).ok()) {
            fields.insert(LOCATION, location);
        }
        response
    }
}

/// A version as an ETag.
pub(super) fn tag(version: u32) -> String {
    format!("W/\"{version}\"")
}

/// A list (RFC 7644 §3.4.2).
pub(super) fn list(total: usize, start: usize, resources: Vec<Value>) -> Reply {
    Reply::of(json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources,
    }))
}

/// Why something was not done.
#[derive(Debug)]
pub(super) struct Problem(pub Complaint);

impl Problem {
    pub fn new(status: StatusCode, detail: &str) -> Self {
        Self(Complaint { status: status.as_u16(), kind: None, detail: detail.to_owned() })
    }

    /// Not there, or another directory's: nobody can tell which.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is nothing here that this token may see.")
    }

    pub fn stale() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "It changed meanwhile. Read it again.")
    }

    pub fn fault(why: &dyn std::fmt::Display) -> Self {
        tracing::error!(%why, "provisioning failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Something is wrong here. Nothing was changed; the log says more.")
    }

    pub fn response(self) -> Response<Bytes> {
        let Complaint { status, kind, detail } = self.0;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.as_str(), "detail": detail,
        });
        if let (Some(kind), Some(table)) = (kind, body.as_object_mut()) {
            table.insert("scimType".to_owned(), kind.into());
        }
        let mut response = plain(status, body.to_string());
        match status {
            StatusCode::UNAUTHORIZED => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fedgate\""));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            }
            _ => {}
        }
        response
    }
}

/// Never kept by anybody on the way, never taken for anything but what it says it is.
fn plain(status: StatusCode, body: String) -> Response<Bytes> {
    let has_body = !body.is_empty();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    if has_body {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    }
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

impl From<Complaint> for Problem {
    fn from(complaint: Complaint) -> Self {
        Self(complaint)
    }
}

impl From<Unavailable> for Problem {
    fn from(fault: Unavailable) -> Self {
        tracing::error!(%fault, "provisioning cannot reach the store");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The store does not answer. Nothing was changed; try again.")
    }
}

impl From<NotCommitted> for Problem {
    fn from(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Unavailable(fault) => fault.into(),
            NotCommitted::Conflict(_) => {
                Self(Complaint::taken("Somebody else changed it at the same moment. Read it again."))
            }
        }
    }
}

impl From<NotQueued> for Problem {
    fn from(fault: NotQueued) -> Self {
        Self::fault(&fault)
    }
}
