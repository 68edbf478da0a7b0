//! The judge of what a provider says outside a login: security event tokens (RFC 8417, OpenID SSF 1.0, CAEP 1.0, RISC 1.0), logout
//! tokens (OpenID Connect Back-Channel Logout 1.0 §2.6) and the token of Okta's Universal Logout.
//!
//! It answers what was said and about whom; whose sessions end is decided elsewhere, and only ever inside the directory whose keys
//! signed it (rule H5). The three kinds of token are told apart by type, audience and members, so that none passes at another's
//! door, and no id_token at any. To add an event, add a line in [`what`] and a row in the tests.

mod poll;
pub mod stream;
mod subject;
#[cfg(test)]
mod tests;

pub use poll::{Fetched, Settled, fetched, question};
pub use subject::{Named, Subject, asked};

use super::claims::{self, Members};
use super::json::strict;
use super::keys::{KeySet, VerifyingKey};
use super::token::{SKEW, algorithms, check_header, name_of, open};
use crate::kernel::model::OidcSettings;
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{DirectoryName, Timestamp};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use openidconnect::{JsonWebKey as _, JsonWebKeyAlgorithm};
use serde_json::Value;
use std::time::Duration;

/// How old a security event may be: they carry no `exp` (SSF 1.0 §4.1.7), and transmitters repeat for hours what was not acknowledged.
const EVENT_AGE: Duration = Duration::from_secs(24 * 3600);
/// How long before now the other two kinds may have been made: they are sent at once.
const TOKEN_AGE: Duration = Duration::from_secs(3600);
/// Characters of a `jti`; real ones have under 64.
const ID_LIMIT: usize = 256;
/// Keys that are tried where the token names none.
const TRIED: usize = 8;
/// The events that something here follows from: what a stream is asked for. Verifications come without being asked for (SSF 1.0 §8.1.4).
pub const FOLLOWED: [&str; 6] = [
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/risc/event-type/account-purged",
    "https://schemas.openid.net/secevent/risc/event-type/identifier-changed",
];
/// The event of a logout token.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Which door a token came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignalKind {
    /// A security event token.
    Event,
    /// A logout token.
    Logout,
    /// The token that asks for the end of everything of one person, by Okta's Universal Logout.
    Revocation,
}

impl SignalKind {
    /// The path of a directory's door, in its one spelling: with the login host before it, the audience of what is sent there.
    pub fn path(self, directory: &DirectoryName) -> String {
        let callback = directory.callback_path();
        let name = callback.strip_prefix("/login/callback").unwrap_or_default();
        match self {
            Self::Event => format!("/signals{name}"),
            Self::Revocation => format!("/global-token-revocation{name}"),
            Self::Logout => format!("/oidc{name}/backchannel-logout"),
        }
    }
}

/// What a token must be made for.
#[derive(Clone, Copy, Debug)]
pub struct SignalDoor<'a> {
    /// The kind of token that it takes.
    pub kind: SignalKind,
    /// Its own address, which is the audience; of a logout token the audience is the client.
    pub address: &'a str,
}

/// What a provider said, verified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    /// One use, in its directory.
    pub id: String,
    /// Until when the same token would be in time.
    pub until: Timestamp,
    /// When the provider said it.
    pub issued: Timestamp,
    /// The event's URI; the empty text for a token that has none.
    pub event: String,
    /// What it means here.
    pub what: What,
    /// Of a verification: what whoever asked for it said, to know it again (SSF 1.0 §8.1.4).
    pub state: Option<String>,
    /// Whom it is about; none where that cannot be read, and then nothing follows from it.
    pub subject: Option<Subject>,
}

/// What an event means here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum What {
    /// The subject's sessions are over.
    Ended,
    /// The subject has another address at the provider: the admins' matter, never a change here (rule H5).
    IdentifierChanged,
    /// The transmitter tries its way to us.
    Verification,
    /// An event that nothing here follows from.
    Unknown,
}

/// Why a token says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", self.code())]
pub enum SignalFault {
    /// No JWS of a JSON object, too long, or with something said twice.
    Shape,
    /// Its header changes how it would be read.
    Header,
    /// Another kind of token.
    Type,
    /// An algorithm that the directory does not have.
    Algorithm,
    /// A key that the provider does not have.
    UnknownKey,
    /// The signature does not hold.
    Signature,
    /// Another issuer.
    Issuer,
    /// Made for somebody else.
    Audience,
    /// Too old, of the future, or with a time that its kind does not have.
    Time,
    /// No `jti`.
    Id,
    /// Not one event, or not the one of its kind.
    Events,
    /// Whom it is about is said where its kind says nothing, or not said at all.
    Subject,
    /// More than a directory may say in a minute.
    Rate,
    /// Said before.
    Replayed,
}

impl SignalFault {
    /// The error code of RFC 8935 §2.4, by which a transmitter of security events is told.
    pub const fn err(self) -> &'static str {
        match self {
            Self::Algorithm | Self::UnknownKey | Self::Signature => "invalid_key",
            Self::Issuer => "invalid_issuer",
            Self::Audience => "invalid_audience",
            _ => "invalid_request",
        }
    }

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shape => "signal-shape",
            Self::Header => "signal-header",
            Self::Type => "signal-type",
            Self::Algorithm => "signal-algorithm",
            Self::UnknownKey => "signal-unknown-key",
            Self::Signature => "signal-signature",
            Self::Issuer => "signal-issuer",
            Self::Audience => "signal-audience",
            Self::Time => "signal-time",
            Self::Id => "signal-jti",
            Self::Events => "signal-events",
            Self::Subject => "signal-subject",
            Self::Rate => "signal-rate",
            Self::Replayed => "signal-replayed",
        }
    }
}

impl From<ProofFault> for SignalFault {
    fn from(fault: ProofFault) -> Self {
        match fault {
            ProofFault::Header => Self::Header,
            ProofFault::Algorithm => Self::Algorithm,
            _ => Self::Shape,
        }
    }
}

/// Judges a token of a directory's provider. Nothing of it is used before its signature held.
///
/// # Errors
/// The first [`SignalFault`]. [`SignalFault::UnknownKey`] alone may be cured by fetching the provider's keys again.
pub fn judge_signal(
    settings: &OidcSettings,
    keys: &KeySet,
    door: SignalDoor<'_>,
    token: &str,
    now: Timestamp,
) -> Result<Signal, SignalFault> {
    let (header, members) = open(token)?;
    check_header(&header, settings)?;
    check_type(&header, door.kind)?;
    check_signature(&header, settings, keys, token)?;
    if members.get("iss").and_then(Value::as_str) != Some(settings.issuer.as_str()) {
        return Err(SignalFault::Issuer);
    }
    let audience = if door.kind == SignalKind::Logout { settings.client_id.as_str() } else { door.address };
    check_audience(&members, audience)?;
    let (issued, until) = check_times(&members, door.kind, now)?;
    let id = claims::subject(&members, "jti").map_err(|_| SignalFault::Id)?;
    if id.len() > ID_LIMIT {
        return Err(SignalFault::Id);
    }
    let said = |event: String, what, subject, state| Signal { id, until, issued, event, what, state, subject };
    match door.kind {
        SignalKind::Event => {
            let (event, payload) = one_event(&members)?;
            let subject = subject::of_event(&members, &payload, &settings.issuer)?;
            let what = what(&event, &payload);
            let state = payload.get("state").and_then(Value::as_str).filter(|_| what == What::Verification);
            // Longer than any that we said.
            let state = state.filter(|state| state.len() <= ID_LIMIT).map(ToOwned::to_owned);
            Ok(said(event, what, subject, state))
        }
        SignalKind::Logout => {
            // A nonce would make it an id_token to somebody else (Back-Channel Logout §2.4).
            let (event, _) = one_event(&members)?;
            if event != LOGOUT || members.contains_key("nonce") {
                return Err(SignalFault::Events);
            }
            let subject = subject::of_logout(&members)?;
            Ok(said(event, What::Ended, Some(subject), None))
        }
        // Whom it is about comes beside it.
        SignalKind::Revocation if members.contains_key("events") => Err(SignalFault::Events),
        SignalKind::Revocation => Ok(said(String::new(), What::Ended, None, None)),
    }
}

/// The type says which kind it is (RFC 8725 §3.11); `application/` may be left out (RFC 7515 §4.1.9). Logout tokens of older
/// providers have none, or `JWT`: their one event tells them apart.
fn check_type(header: &Members, kind: SignalKind) -> Result<(), SignalFault> {
    let named = header.get("typ").map(|typ| typ.as_str().unwrap_or("?").to_ascii_lowercase());
    let named = named.as_deref().map(|typ| typ.strip_prefix("application/").unwrap_or(typ));
    let fits = match kind {
        SignalKind::Event => named == Some("secevent+jwt"),
        SignalKind::Logout => matches!(named, None | Some("logout+jwt" | "jwt")),
        SignalKind::Revocation => named == Some("global-token-revocation+jwt"),
    };
    if fits { Ok(()) } else { Err(SignalFault::Type) }
}

/// One of the provider's keys, the one that the header names where it names one, made the signature.
fn check_signature(header: &Members, settings: &OidcSettings, keys: &KeySet, token: &str) -> Result<(), SignalFault> {
    let named = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    let algorithm = algorithms(settings).into_iter().find(|one| name_of(one).as_deref() == Some(named));
    let algorithm = algorithm.ok_or(SignalFault::Algorithm)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(SignalFault::Header),
    };
    let fits = |key: &VerifyingKey| {
        let is_named = kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
        let may = match key.signing_alg() {
            JsonWebKeyAlgorithm::Unspecified => true,
            JsonWebKeyAlgorithm::Algorithm(own) => *own == algorithm,
            JsonWebKeyAlgorithm::Unsupported => false,
        };
        is_named && may
    };
    let fitting: Vec<_> = keys.keys().into_iter().filter(fits).take(TRIED).collect();
    if fitting.is_empty() {
        return Err(SignalFault::UnknownKey);
    }
    let (input, signature) = token.rsplit_once('.').ok_or(SignalFault::Shape)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| SignalFault::Shape)?;
    let holds = |key: &VerifyingKey| key.verify_signature(&algorithm, input.as_bytes(), &signature).is_ok();
    if fitting.iter().any(holds) { Ok(()) } else { Err(SignalFault::Signature) }
}

/// We are the audience, alone: what is made for others too could be sent on by one of them.
fn check_audience(members: &Members, ours: &str) -> Result<(), SignalFault> {
    let is_ours = match members.get("aud") {
        Some(Value::String(one)) => one == ours,
        Some(Value::Array(several)) => matches!(several.as_slice(), [Value::String(one)] if one == ours),
        _ => false,
    };
    if is_ours { Ok(()) } else { Err(SignalFault::Audience) }
}

/// `iat` lies in the kind's bounds; a security event has no `exp` (SSF 1.0 §4.1.7), the other kinds have one that is not over.
/// Answers `iat`, and until when it would be taken.
fn check_times(members: &Members, kind: SignalKind, now: Timestamp) -> Result<(Timestamp, Timestamp), SignalFault> {
    let read = |claim| claims::time(members, claim).map_err(|()| SignalFault::Time);
    let issued = read("iat")?.ok_or(SignalFault::Time)?;
    let age = if kind == SignalKind::Event { EVENT_AGE } else { TOKEN_AGE };
    let last = issued.plus(age).plus(SKEW);
    let latest = now.plus(SKEW);
    if issued > latest || last < now || read("nbf")?.is_some_and(|not_before| not_before > latest) {
        return Err(SignalFault::Time);
    }
    match (kind, read("exp")?) {
        (SignalKind::Event, None) if !members.contains_key("exp") => Ok((issued, last)),
        (SignalKind::Logout | SignalKind::Revocation, Some(end)) if end.plus(SKEW) > now => Ok((issued, last)),
        _ => Err(SignalFault::Time),
    }
}

/// The one event: several of one token would be several facts with one receipt.
fn one_event(members: &Members) -> Result<(String, Members), SignalFault> {
    let Some(Value::Object(events)) = members.get("events") else { return Err(SignalFault::Events) };
    let mut events = events.iter();
    match (events.next(), events.next()) {
        (Some((event, Value::Object(payload))), None) if event.len() <= ID_LIMIT => {
            Ok((event.clone(), payload.clone()))
        }
        _ => Err(SignalFault::Events),
    }
}

fn what(event: &str, payload: &Members) -> What {
    match event {
        "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
        | "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked"
        | "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
        | "https://schemas.openid.net/secevent/risc/event-type/account-purged" => What::Ended,
        // A further credential takes nothing from anybody: all other changes do (CAEP 1.0 §3.3).
        "https://schemas.openid.net/secevent/caep/event-type/credential-change" => {
            if payload.get("change_type").is_some_and(|change| change == "create") {
                What::Unknown
            } else {
                What::Ended
            }
        }
        "https://schemas.openid.net/secevent/risc/event-type/identifier-changed" => What::IdentifierChanged,
        "https://schemas.openid.net/secevent/ssf/event-type/verification" => What::Verification,
        _ => What::Unknown,
    }
}
