//! The judge of userinfo answers: beside an id_token, and for OAuth 2.0 providers that have nothing else (real Atlassian).

use super::claims::{self, Members};
use super::expected::Expected;
use super::json::strict;
use crate::kernel::model::{Directory, OauthEndpoints};
use crate::kernel::proof::{Claims, Proof};
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::Timestamp;
use serde_json::Value;

/// Bytes of an answer; real ones have under 8 KiB, with many groups 30.
const ANSWER_LIMIT: usize = 256 * 1024;

/// Judges the answer of an OAuth 2.0 provider's userinfo endpoint to an access token that was redeemed for `expected`.
///
/// The channel is the evidence: our own request, over TLS, to the directory's own address. An absent `email_verified` is
/// silence, which verifies nothing. There is no `auth_time` here, so a departure that asked for a fresh proof is refused
/// (rule M6).
///
/// # Errors
/// The first [`ProofFault`].
pub fn judge_userinfo(
    directory: &Directory,
    endpoints: &OauthEndpoints,
    expected: &Expected,
    body: &[u8],
    now: Timestamp,
) -> Result<Proof, ProofFault> {
    if expected.directory() != directory.id {
        return Err(ProofFault::Directory);
    }
    if expected.max_age().is_some() {
        return Err(ProofFault::AuthTime);
    }
    let members = object(body)?;
    let subject = claims::subject(&members, &endpoints.sub_claim)?;
    let (email, email_verified) = claims::email(&members, &endpoints.email_claim);
    Ok(Proof::new(Claims {
        identity: claims::identity(directory, subject),
        method: claims::method(directory)?,
        email,
        email_verified,
        hosted_domain: None,
        name: claims::text(&members, &endpoints.name_claim),
        groups: claims::groups(directory, &members),
        amr: Vec::new(),
        acr: None,
        auth_time: now,
        provider_session: None,
        id_token: None,
        refreshable: None,
        name_id: None,
        session_until: None,
    }))
}

/// The answer that goes with an id_token: it must name the token's subject (OpenID Connect Core §5.3.2).
pub(super) fn of_subject(body: &[u8], subject: &str) -> Result<Members, ProofFault> {
    let members = object(body)?;
    if claims::subject(&members, "sub").is_ok_and(|named| named == subject) {
        Ok(members)
    } else {
        Err(ProofFault::UserinfoSubject)
    }
}

fn object(body: &[u8]) -> Result<Members, ProofFault> {
    match strict(body, ANSWER_LIMIT) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(ProofFault::Shape),
    }
}
