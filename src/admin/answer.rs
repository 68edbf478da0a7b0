//! Answers: JSON, or a problem (RFC 9457) with a reference that the log knows.

use crate::kernel::values::{Reference, Timestamp};
use crate::orgs::Fault;
use crate::orgs::change::Refused;
use crate::store::{NotCommitted, Unavailable};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

/// What was asked for, or what was done.
pub struct Reply {
    /// 200, 201 or 204.
    pub status: StatusCode,
    /// The body; none with 204.
    pub body: Option<Value>,
    /// The version that a write must name (`If-Match`).
    pub version: Option<u32>,
}

impl Reply {
    /// 200 with a body.
    pub fn of(body: &impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|why| Problem::fault(&why))?;
        Ok(Self { status: StatusCode::OK, body: Some(body), version: None })
    }

    /// 204.
    pub const fn done() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, version: None }
    }

    /// It has this version.
    #[must_use]
    pub fn at(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// It was made.
    #[must_use]
    pub fn created(mut self) -> Self {
        self.status = StatusCode::CREATED;
        self
    }

    pub(super) fn response(self) -> Response<Bytes> {
        let body = self.body.map(|body| body.to_string()).unwrap_or_default();
        let mut response = plain(self.status, "application/json", body);
        if let Some(tag) = self.version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok()) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// Why something was not done.
#[derive(Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// Its stable code, as `E-LOOSER` or `not-found`.
    pub code: &'static str,
    /// What happened and what to do.
    pub detail: String,
    /// Further members.
    pub more: Vec<(&'static str, Value)>,
}

impl Problem {
    /// A problem.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: Vec::new() }
    }

    /// Not there, or not yours: nobody can tell which.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here that this token may see.")
    }

    /// The body or a parameter is wrong.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// A fault of ours; the log says more.
    pub fn fault(why: &dyn std::fmt::Display) -> Self {
        tracing::error!(%why, "the admin API failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "fault",
            "Something is wrong here. The reference finds it in the log.",
        )
    }

    /// Needs a person at the gateway's machine (rule M19).
    pub fn step_up(what: &str) -> Self {
        let detail = format!("A token cannot {what}. The operator does it at the gateway: `fedgate org put`.");
        Self::new(StatusCode::FORBIDDEN, "E-STEP-UP", detail)
    }

    pub(super) fn response(self, reference: Reference, now: Timestamp) -> Response<Bytes> {
        let mut body = json!({
            "type": format!("urn:fedgate:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "ref": reference.to_string(),
            "time": now.to_string(),
        });
        for (key, value) in self.more {
            if let Some(table) = body.as_object_mut() {
                table.insert(key.to_owned(), value);
            }
        }
        let status = self.status;
        let mut response = plain(status, "application/problem+json", body.to_string());
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"fedgate\""));
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        response
    }
}

/// Never kept by anybody on the way, never taken for anything but what it says it is.
fn plain(status: StatusCode, kind: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let fields = response.headers_mut();
    if status != StatusCode::NO_CONTENT {
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    response
}

impl From<Unavailable> for Problem {
    fn from(fault: Unavailable) -> Self {
        tracing::error!(%fault, "the admin API cannot reach the store");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The store does not answer. Nothing was changed; try again.",
        )
    }
}

impl From<NotCommitted> for Problem {
    fn from(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Unavailable(fault) => fault.into(),
            NotCommitted::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "Somebody else changed it at the same moment. Read it again.",
            ),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(fault) => fault.into(),
            Fault::NotCommitted(fault) => fault.into(),
            other => Self::fault(&other),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Stale(version) => {
                let detail = "Somebody else changed it meanwhile. Read it again, and decide on what holds now.";
                let mut problem = Self::new(StatusCode::PRECONDITION_FAILED, "stale", detail);
                problem.more.push(("version", version.into()));
                problem
            }
            Refused::Mistakes(mistakes) => {
                let taken = mistakes.iter().any(|mistake| mistake.code == "E-DOMAIN-TWICE");
                let status = if taken { StatusCode::CONFLICT } else { StatusCode::UNPROCESSABLE_ENTITY };
                let code = if taken { "E-DOMAIN-CONFLICT" } else { "invalid" };
                let detail =
                    mistakes.first().map(|first| format!("{}; {}", first.what, first.write)).unwrap_or_default();
                let mut problem = Self::new(status, code, detail);
                let list = mistakes.iter().map(|one| json!({ "code": one.code, "what": one.what, "write": one.write }));
                problem.more.push(("errors", list.collect()));
                problem
            }
            Refused::Looser(outlook) => {
                let mut problem = Self::new(StatusCode::CONFLICT, "E-LOOSER", outlook.told());
                let list = outlook.loosens.iter().map(ToString::to_string).collect::<Vec<_>>();
                problem.more.push(("loosens", list.into()));
                problem.more.push(("people", super::shapes::people(outlook.people)));
                problem.more.push(("confirm", outlook.code.clone().into()));
                problem
            }
            Refused::Lockout(why) => Self::new(StatusCode::CONFLICT, "E-LOCKOUT", why),
            Refused::DryRun(why) => Self::new(StatusCode::CONFLICT, "E-DRY-RUN", why),
            Refused::Fault(fault) => fault.into(),
        }
    }
}
