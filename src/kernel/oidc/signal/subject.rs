//! Whom a signal is about (RFC 9493). A name is only ever looked up among the identities of the directory that said it (rule H5).

use super::{Members, SignalFault, Value, claims, strict};
use crate::kernel::values::EmailAddress;

/// Bytes of a request for the end of everything of one person; real ones have under 300.
const ASKED_LIMIT: usize = 4096;
/// Characters of a provider's session id; real ones have under 64.
const SESSION_LIMIT: usize = 255;

/// A person, or one session of theirs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// Who.
    pub who: Named,
    /// This session of the provider's alone.
    pub session: Option<String>,
}

/// A person in a provider's words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Named {
    /// By the provider's own subject.
    Subject(String),
    /// By an address, which names only people of domains that the directory speaks for.
    Email(EmailAddress),
}

/// The subject of a security event: `sub_id`, or inside the event, where drafts of SSF had it. A `sub` beside it would be a second
/// one (SSF 1.0 §4.1.3). None: in a format that names nobody here.
pub(super) fn of_event(members: &Members, payload: &Members, issuer: &str) -> Result<Option<Subject>, SignalFault> {
    if members.contains_key("sub") {
        return Err(SignalFault::Subject);
    }
    match (members.get("sub_id"), payload.get("subject")) {
        (Some(_), Some(_)) => Err(SignalFault::Subject),
        (Some(Value::Object(id)), None) | (None, Some(Value::Object(id))) => Ok(read(id, issuer)),
        _ => Err(SignalFault::Subject),
    }
}

/// The subject of a logout token. One with a `sid` alone is not followed: sessions are found by their person.
pub(super) fn of_logout(members: &Members) -> Result<Subject, SignalFault> {
    let who = Named::Subject(claims::subject(members, "sub").map_err(|_| SignalFault::Subject)?);
    let session = match members.get("sid") {
        None => None,
        Some(sid) => Some(session(sid).ok_or(SignalFault::Subject)?),
    };
    Ok(Subject { who, session })
}

/// The body of a request for the end of everything of one person: `{"sub_id": …}`.
///
/// # Errors
/// [`SignalFault::Shape`] for no such object, [`SignalFault::Subject`] for a format that its door does not know.
pub fn asked(body: &[u8], issuer: &str) -> Result<Named, SignalFault> {
    let Ok(Value::Object(members)) = strict(body, ASKED_LIMIT) else { return Err(SignalFault::Shape) };
    let Some(Value::Object(id)) = members.get("sub_id") else { return Err(SignalFault::Subject) };
    one(id, issuer).ok_or(SignalFault::Subject)
}

fn read(id: &Members, issuer: &str) -> Option<Subject> {
    let part = |name: &str| id.get(name).and_then(Value::as_object);
    if id.get("format").is_some_and(|format| format == "complex")
        || (id.contains_key("user") && !id.contains_key("format"))
    {
        let who = one(part("user")?, issuer)?;
        let named = |session: &Members| self::session(session.get("id")?);
        // A session that cannot be read is not left out: what names one session must not end all.
        let session = match id.get("session") {
            None => None,
            Some(_) => Some(named(part("session")?)?),
        };
        return Some(Subject { who, session });
    }
    Some(Subject { who: one(id, issuer)?, session: None })
}

fn one(id: &Members, issuer: &str) -> Option<Named> {
    match id.get("format").and_then(Value::as_str)? {
        "iss_sub" if id.get("iss").and_then(Value::as_str) == Some(issuer) => {
            claims::subject(id, "sub").ok().map(Named::Subject)
        }
        "opaque" => claims::subject(id, "id").ok().map(Named::Subject),
        "email" => EmailAddress::parse(id.get("email")?.as_str()?).ok().map(Named::Email),
        _ => None,
    }
}

fn session(sid: &Value) -> Option<String> {
    sid.as_str().filter(|sid| (1..=SESSION_LIMIT).contains(&sid.len())).map(str::to_owned)
}
