//! Our events in the words of the Open Cybersecurity Schema Framework, for those who collect from many products.
//!
//! What the framework has a member for stands there; the rest stands under `unmapped` as it is in our own form, so nothing is
//! lost but the hash. The mapping is of the event alone: pseudonyms in it stay pseudonyms.

use super::ocsf_classes::{Class, class};
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use chrono::DateTime;
use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// The version of the schema that events are written by (<https://schema.ocsf.io/1.6.0/>).
pub const OCSF_VERSION: &str = "1.6.0";

/// What stands for the person of an event that knows none: no address and no id reads like it.
const NOBODY: &str = "unknown";

/// An event that the schema has no form for: its time does not read, which no event of this program does.
#[derive(Debug, thiserror::Error)]
pub enum Unmappable {
    /// The time is no RFC 3339 time.
    #[error("the event's time does not read: {0}")]
    Time(#[from] chrono::ParseError),
    /// It cannot be written as JSON.
    #[error("the event does not become JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Its action has no name.
    #[error("the event's action has no name")]
    Action,
    /// There is no room for it.
    #[error("the event cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// The event at this position of the log as an OCSF object.
///
/// # Errors
/// [`Unmappable`]; nothing is left out without a word.
pub fn ocsf(position: u64, event: &AuditEvent) -> Result<Value, Unmappable> {
    let (class, activity) = class(event.action);
    let name = serde_json::to_value(event.action)?;
    let uid = class.uid();
    let time = DateTime::parse_from_rfc3339(&event.time)?.timestamp_millis();
    let (status_id, status) = match event.outcome {
        Outcome::Success => (1, "Success"),
        Outcome::Refused | Outcome::Failure => (2, "Failure"),
    };
    let mut object = json!({
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "class_uid": uid,
        "class_name": class.name(),
        "activity_id": activity,
        "activity_name": name,
        "type_uid": uid * 100 + activity,
        "severity_id": severity(event),
        "time": time,
        "timezone_offset": 0,
        "status_id": status_id,
        "status": status,
        // A refusal by a rule and a technical failure are one status there.
        "status_detail": event.outcome,
        "metadata": metadata(position, event, &name),
        "unmapped": unmapped(event)?,
    });
    let class_members = match class {
        Class::Authentication => json!({
            "user": user(event),
            "service": { "name": event.product.as_deref().unwrap_or("fedgate") },
            "session": event.txn.as_ref().map(|txn| json!({ "uid": txn })),
        }),
        Class::AccountChange => json!({ "user": user(event) }),
        Class::AuthorizeSession => json!({
            "user": user(event),
            // The schema wants one: the product that was opened, or the right itself.
            "privileges": [event.product.as_ref().map_or_else(|| name.clone(), |product| json!(product))],
            "session": event.txn.as_ref().map(|txn| json!({ "uid": txn })),
        }),
        Class::EntityManagement(entity) => json!({ "entity": {
            "type_id": entity.type_id(),
            "type": entity.name(),
            "name": entity.subject(event).unwrap_or(NOBODY),
        } }),
    };
    let common = json!({
        "status_code": event.reason,
        "actor": event.actor.as_ref().map(actor),
        "src_endpoint": address(event).map(|ip| json!({ "ip": ip })),
        "http_request": request(event),
    });
    add(&mut object, class_members);
    add(&mut object, common);
    Ok(object)
}

/// Adds the members that are not null.
fn add(object: &mut Value, members: Value) {
    if let (Value::Object(object), Value::Object(members)) = (object, members) {
        object.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

fn metadata(position: u64, event: &AuditEvent, name: &Value) -> Value {
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": { "name": "fedgate", "vendor_name": "fedgate", "version": env!("CARGO_PKG_VERSION") },
        "log_name": "audit",
        "event_code": name,
        "uid": event.id,
        "sequence": position,
        "original_time": event.time,
    });
    add(&mut metadata, json!({ "correlation_uid": event.correlation, "tenant_uid": event.org }));
    metadata
}

/// What has no member of its own there, as it stands in our form.
fn unmapped(event: &AuditEvent) -> Result<Value, serde_json::Error> {
    let Value::Object(mut rest) = serde_json::to_value(event)? else { return Ok(Value::Object(Map::new())) };
    for mapped in ["id", "time", "action", "outcome", "reason", "org", "correlation", "client"] {
        rest.remove(mapped);
    }
    Ok(Value::Object(rest))
}

fn user(event: &AuditEvent) -> Value {
    let subject = &event.subject;
    let email = subject.email.as_deref();
    let mut user = json!({ "type_id": 0 });
    add(&mut user, json!({ "uid": subject.account, "uid_alt": subject.product_account, "name": email }));
    add(&mut user, json!({ "email_addr": email.filter(|email| is_plain_address(email)) }));
    if subject.account.is_none() && email.is_none() {
        add(&mut user, json!({ "name": subject.product_account.as_deref().unwrap_or(NOBODY) }));
    }
    add(&mut user, json!({ "org": event.org.as_ref().map(|org| json!({ "uid": org })) }));
    user
}

/// Whether the schema takes it for an address: a pseudonym is none, nor is one that only SMTPUTF8 carries.
fn is_plain_address(text: &str) -> bool {
    let local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let domain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    text.split_once('@').is_some_and(|(before, after)| {
        let labels = after.split_once('.');
        !before.is_empty()
            && before.chars().all(local)
            && after.chars().all(domain)
            && labels.is_some_and(|(first, rest)| !first.is_empty() && !rest.is_empty())
    })
}

/// People and operators are users; what acts by itself is a program.
fn actor(actor: &Actor) -> Value {
    let type_id = match actor.kind.as_str() {
        "person" => 1,
        "operator" => 2,
        _ => 0,
    };
    let mut acting = json!({ "app_name": actor.kind });
    if type_id == 0 || (actor.id.is_none() && actor.address.is_none()) {
        add(&mut acting, json!({ "app_uid": actor.id }));
        return acting;
    }
    let mut user = json!({ "type_id": type_id });
    add(&mut user, json!({ "uid": actor.id, "name": actor.address }));
    add(&mut user, json!({ "email_addr": actor.address.as_deref().filter(|text| is_plain_address(text)) }));
    add(&mut acting, json!({ "user": user }));
    acting
}

/// One spelling of the address; text that is none has no member there.
fn address(event: &AuditEvent) -> Option<String> {
    let ip: IpAddr = event.client.as_ref()?.ip.parse().ok()?;
    Some(ip.to_canonical().to_string())
}

fn request(event: &AuditEvent) -> Option<Value> {
    let agent = event.client.as_ref()?.ua.as_ref()?;
    Some(json!({ "user_agent": agent }))
}

/// `severity_id`: 1 informational, 2 low, 3 medium, 4 high, 5 critical.
pub(super) fn severity(event: &AuditEvent) -> u8 {
    match (event.action, event.outcome) {
        (Action::BreakGlassUsed | Action::VerifiersDiffer | Action::IntegrityViolated | Action::StoreRolledBack, _) => {
            5
        }
        (Action::OrganizationLockout | Action::AppReused | Action::DomainDispute | Action::BreakGlassPrepared, _) => 4,
        (_, Outcome::Failure) => 3,
        (_, Outcome::Refused) => 2,
        (_, Outcome::Success) => 1,
    }
}
