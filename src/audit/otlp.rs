//! Events as log records of OpenTelemetry, OTLP/HTTP in JSON (<https://opentelemetry.io/docs/specs/otlp/>, 1.5).
//!
//! The body of a record is the event's JSON as one text, so that a collector neither reorders nor renames what is in it; what one
//! searches by stands beside it as attributes.

use serde_json::{Value, json};
use url::Url;

/// Where a collector takes log records unless its address says otherwise.
const PATH: &str = "/v1/logs";

/// INFO of the log data model: what happened is the event's to say.
const SEVERITY: u8 = 9;

/// The address to ask behind `otlp://…`: over TLS, and without it where the collector is on this machine.
pub(super) fn address(written: &str) -> Option<Url> {
    let rest = written.strip_prefix("otlp://")?;
    let mut url = Url::parse(&format!("https://{rest}")).ok()?;
    if crate::kernel::oidc::is_loopback(&url) {
        url.set_scheme("http").ok()?;
        // It was dropped as the usual one of https, and is not that of http.
        if url.port().is_none() && rest.contains(":443") {
            url.set_port(Some(443)).ok()?;
        }
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    Some(url)
}

/// One record. `kind` names its form.
pub(super) fn record(value: &Value, millis: i64, kind: &str) -> Value {
    let mut attributes = vec![text("event.name", kind)];
    let position = value.get("position").or_else(|| value.pointer("/metadata/sequence"));
    if let Some(position) = position.and_then(Value::as_u64) {
        // 64 bits are texts in protobuf's JSON.
        attributes.push(json!({ "key": "fedgate.position", "value": { "intValue": position.to_string() } }));
    }
    json!({
        "timeUnixNano": (i128::from(millis) * 1_000_000).to_string(),
        "severityNumber": SEVERITY,
        "severityText": "INFO",
        "body": { "stringValue": value.to_string() },
        "attributes": attributes,
    })
}

/// The whole request.
pub(super) fn request(records: &[Value], host: &str) -> Value {
    json!({ "resourceLogs": [{
        "resource": { "attributes": [text("service.name", "fedgate"), text("host.name", host)] },
        "scopeLogs": [{ "scope": { "name": "fedgate.audit" }, "logRecords": records }],
    }] })
}

/// Whether an answer says that some records were not taken. The specification would have them dropped; here none is.
pub(super) fn rejects(body: &[u8]) -> bool {
    let Ok(said) = serde_json::from_slice::<Value>(body) else { return false };
    match said.pointer("/partialSuccess/rejectedLogRecords") {
        None | Some(Value::Null) => false,
        Some(Value::String(count)) => count != "0",
        Some(count) => count.as_u64() != Some(0),
    }
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_asked_over_tls_unless_it_is_here() {
        for (written, asked) in [
            ("otlp://otel.example.com:4318", "https://otel.example.com:4318/v1/logs"),
            ("otlp://otel.example.com/own/path", "https://otel.example.com/own/path"),
            ("otlp://127.0.0.1:4318", "http://127.0.0.1:4318/v1/logs"),
            ("otlp://127.0.0.1:443/", "http://127.0.0.1:443/v1/logs"),
        ] {
            assert_eq!(address(written).as_ref().map(Url::as_str), Some(asked));
        }
        assert_eq!((address("otlp://"), address("https://a.example")), (None, None));
    }

    #[test]
    fn what_was_not_taken_is_known() {
        for taken in ["", "{}", "{\"partialSuccess\":{}}", "{\"partialSuccess\":{\"rejectedLogRecords\":\"0\"}}"] {
            assert!(!rejects(taken.as_bytes()), "{taken}");
        }
        for lost in ["\"2\"", "2", "-1", "true"] {
            assert!(rejects(format!("{{\"partialSuccess\":{{\"rejectedLogRecords\":{lost}}}}}").as_bytes()), "{lost}");
        }
    }
}
