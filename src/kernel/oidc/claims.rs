//! From a provider's JSON to what a proof says. Reads, and decides nothing but spelling.

use crate::kernel::model::{Directory, IdentityKey, Method};
use crate::kernel::proof::Vouched;
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{DirectoryName, EmailAddress, Timestamp};
use serde_json::{Map, Value};

/// Characters of a name, a group or an authentication method that are kept. Real ones have under 100.
const TEXT_LIMIT: usize = 256;
/// Groups that are kept: a token of 64 KiB holds no more real ones.
const GROUPS_LIMIT: usize = 1000;
/// Authentication methods that are kept.
const METHODS_LIMIT: usize = 32;

/// Members of a verified object.
pub(super) type Members = Map<String, Value>;

/// The directory's kind of login. A directory without a provider has no replies to judge.
pub(super) fn method(directory: &Directory) -> Result<Method, ProofFault> {
    match directory.name {
        DirectoryName::Issuer => Ok(Method::Issuer),
        DirectoryName::ThirdParty(_) => Ok(Method::ThirdParty),
        DirectoryName::Org(..) => Ok(Method::OrgSso),
        DirectoryName::Local(_) | DirectoryName::Here => Err(ProofFault::Directory),
    }
}

/// A subject: 1 to 255 printable ASCII characters (OpenID Connect Core §2).
pub(super) fn subject(members: &Members, claim: &str) -> Result<String, ProofFault> {
    members
        .get(claim)
        .and_then(Value::as_str)
        .filter(|text| (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte)))
        .map(str::to_owned)
        .ok_or(ProofFault::Subject)
}

/// The identity that a subject stands for (rule C1).
pub(super) fn identity(directory: &Directory, subject: String) -> IdentityKey {
    IdentityKey { directory: directory.id, source: directory.subject_source.clone(), subject }
}

/// The asserted address and what is said about it. They are read from one object, never mixed; one that is no address is none.
pub(super) fn email(members: &Members, claim: &str) -> (Option<EmailAddress>, Vouched) {
    let email = members.get(claim).and_then(Value::as_str).and_then(|text| EmailAddress::parse(text).ok());
    let vouched = match members.get("email_verified") {
        Some(Value::Bool(true)) => Vouched::Yes,
        None | Some(Value::Null) => Vouched::Silent,
        Some(_) => Vouched::No,
    };
    (email, vouched)
}

/// A text claim, cut to [`TEXT_LIMIT`].
pub(super) fn text(members: &Members, claim: &str) -> Option<String> {
    members.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty()).map(cut)
}

/// Groups: an array of texts, or one text.
pub(super) fn groups(directory: &Directory, members: &Members) -> Vec<String> {
    directory.groups_claim.as_deref().map_or_else(Vec::new, |claim| texts(members, claim, GROUPS_LIMIT))
}

/// Authentication methods (RFC 8176).
pub(super) fn methods(members: &Members) -> Vec<String> {
    texts(members, "amr", METHODS_LIMIT)
}

fn texts(members: &Members, claim: &str, limit: usize) -> Vec<String> {
    match members.get(claim) {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).take(limit).map(cut).collect(),
        Some(Value::String(one)) => vec![cut(one)],
        _ => Vec::new(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}

/// A NumericDate (RFC 7519 §2): whole or fractional seconds from 1970 to the year 9999.
pub(super) fn time(members: &Members, claim: &str) -> Result<Option<Timestamp>, ()> {
    /// 9999-12-31T23:59:59Z.
    const LAST: i64 = 253_402_300_799;
    let seconds = match members.get(claim) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole,
            (None, Some(parts)) if parts.is_finite() && (0.0..1e12).contains(&parts) => {
                // Cut, not rounded: some providers send auth_time with milliseconds behind the point.
                format!("{:.0}", parts.trunc()).parse::<i64>().map_err(|_| ())?
            }
            _ => return Err(()),
        },
        Some(_) => return Err(()),
    };
    if (0..=LAST).contains(&seconds) { Ok(Some(Timestamp::from_seconds(seconds))) } else { Err(()) }
}
