//! The judge of id_tokens (OpenID Connect Core §3.1.3.7).
//!
//! openidconnect checks signature, `iss`, `aud`, `exp`, `nonce`, algorithm and type, with our keys and our time. Ours are the
//! shape, repeated members, the header's other members, `azp`, `iat`, `nbf`, `at_hash`, `c_hash`, `sub` and `auth_time`. To add
//! a check, add a function here, a line in [`judge`], and a row in `tests.rs`.

use super::claims::{self, Members};
use super::expected::Expected;
use super::json::strict;
use super::keys::{KeySet, VerifyingKey};
use super::userinfo;
use crate::kernel::model::{Directory, OidcSettings};
use crate::kernel::proof::{Claims, Proof, Refreshable};
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{Secret, Timestamp};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use openidconnect::core::{CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm};
use openidconnect::{
    ClaimsVerificationError, ClientId, EmptyAdditionalClaims, IdToken, IdTokenVerifier, IssuerUrl, JsonWebKey as _,
    JsonWebKeySet, Nonce, SignatureVerificationError,
};
use serde_json::Value;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// Bytes of an id_token; real ones have under 8 KiB, with many groups 30.
const TOKEN_LIMIT: usize = 64 * 1024;
/// Bytes of a refresh token that is kept; real ones have under 2 KiB.
pub const REFRESH_LIMIT: usize = 4 * 1024;
/// Allowed difference between the provider's clock and ours, both ways.
pub(super) const SKEW: Duration = Duration::from_secs(60);

type Token =
    IdToken<EmptyAdditionalClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// What a provider gave for a code.
#[derive(Clone, Copy, Debug)]
pub struct Redeemed<'a> {
    /// The compact JWS.
    pub id_token: &'a Secret,
    /// The access token that came with it.
    pub access_token: Option<&'a Secret>,
    /// The code that was redeemed.
    pub code: &'a Secret,
    /// The userinfo endpoint's answer to that access token, where it was asked.
    pub userinfo: Option<&'a [u8]>,
    /// The refresh token that came with it.
    pub refresh_token: Option<&'a Secret>,
}

/// Judges the answer of an OpenID Provider to a code that was redeemed for `expected`.
///
/// The caller has checked [`Expected::holds`] before the code was redeemed; the directory is checked here again.
///
/// # Errors
/// The first [`ProofFault`]. [`ProofFault::UnknownKey`] alone may be cured by fetching the provider's keys again.
pub fn judge(
    directory: &Directory,
    keys: &KeySet,
    expected: &Expected,
    redeemed: &Redeemed<'_>,
    now: Timestamp,
) -> Result<Proof, ProofFault> {
    if expected.directory() != directory.id {
        return Err(ProofFault::Directory);
    }
    let settings = directory.protocol.settings().ok_or(ProofFault::Directory)?;
    let (header, members) = open(redeemed.id_token.expose())?;
    check_header(&header, settings)?;
    let token: Token = redeemed.id_token.expose().parse().map_err(|_| ProofFault::Shape)?;
    let verifier = verifier(settings, keys, now)?;
    let nonce = Nonce::new(expected.seed().nonce());
    token.claims(&verifier, &nonce).map_err(|error| fault(&error))?;
    check_parties(&members, settings)?;
    let issued_at = check_times(&members, expected, now)?;
    check_hashes(&token, &verifier, &members, redeemed)?;
    let auth_time = check_auth_time(&members, expected, now)?.unwrap_or(issued_at);
    let subject = claims::subject(&members, "sub")?;
    let userinfo = redeemed.userinfo.map(|body| userinfo::of_subject(body, &subject)).transpose()?;
    let mut claims = assemble(directory, &members, userinfo.as_ref(), auth_time.min(now))?;
    claims.id_token = Some(redeemed.id_token.clone());
    let kept =
        redeemed.refresh_token.filter(|token| token.expose().len() <= REFRESH_LIMIT && settings.revalidate.is_some());
    claims.refreshable = kept.map(|token| Refreshable { token: token.clone(), sub: subject });
    Ok(Proof::new(claims))
}

/// Judges the id_token of a refresh (OpenID Connect Core §12.2): of the same issuer, about the same person, for us. It has no nonce to
/// hold, and its `auth_time` changes nothing here: a refresh is no login.
///
/// # Errors
/// The first [`ProofFault`]. [`ProofFault::UnknownKey`] alone may be cured by fetching the provider's keys again.
pub fn judge_refresh(
    settings: &OidcSettings,
    keys: &KeySet,
    id_token: &Secret,
    sub: &str,
    now: Timestamp,
) -> Result<(), ProofFault> {
    let (header, members) = open(id_token.expose())?;
    check_header(&header, settings)?;
    let token: Token = id_token.expose().parse().map_err(|_| ProofFault::Shape)?;
    let verifier = verifier(settings, keys, now)?;
    token.claims(&verifier, |_: Option<&Nonce>| Ok(())).map_err(|error| fault(&error))?;
    check_parties(&members, settings)?;
    let issued_at = claims::time(&members, "iat").map_err(|()| ProofFault::IssuedAt)?.ok_or(ProofFault::IssuedAt)?;
    if issued_at > now.plus(SKEW) {
        return Err(ProofFault::IssuedAt);
    }
    if claims::subject(&members, "sub")? == sub { Ok(()) } else { Err(ProofFault::Subject) }
}

/// Takes the token apart: three parts of strict base64url, header and payload JSON objects without repeated members.
pub(super) fn open(token: &str) -> Result<(Members, Members), ProofFault> {
    if token.len() > TOKEN_LIMIT {
        return Err(ProofFault::Shape);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(ProofFault::Shape);
    };
    // openidconnect would read spare bits as zero: one token would have several spellings.
    URL_SAFE_NO_PAD.decode(signature).map_err(|_| ProofFault::Shape)?;
    Ok((object(header)?, object(payload)?))
}

fn object(part: &str) -> Result<Members, ProofFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| ProofFault::Shape)?;
    match strict(&bytes, TOKEN_LIMIT) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(ProofFault::Shape),
    }
}

/// The header may choose among the directory's algorithms and its provider's keys, and nothing else: `jwk`, `jku`, `x5c` and
/// `x5u` are ignored, what changes how the rest is read is refused (RFC 7515 §4, RFC 7797 §6).
pub(super) fn check_header(header: &Members, settings: &OidcSettings) -> Result<(), ProofFault> {
    if ["crit", "b64", "zip", "enc", "cty", "p2c"].iter().any(|name| header.contains_key(*name)) {
        return Err(ProofFault::Header);
    }
    let named = header.get("alg").and_then(Value::as_str).ok_or(ProofFault::Algorithm)?;
    let allowed = algorithms(settings).into_iter().any(|algorithm| name_of(&algorithm).as_deref() == Some(named));
    if allowed { Ok(()) } else { Err(ProofFault::Algorithm) }
}

/// The directory's algorithms, without symmetric ones and `none`; RS256 where it names none (OpenID Connect Core §2).
pub(super) fn algorithms(settings: &OidcSettings) -> Vec<CoreJwsSigningAlgorithm> {
    use CoreJwsSigningAlgorithm as Alg;
    if settings.algorithms.is_empty() {
        return vec![Alg::RsaSsaPkcs1V15Sha256];
    }
    let read = |name: &String| serde_json::from_value::<Alg>(Value::String(name.clone())).ok();
    let asymmetric = |alg: &Alg| {
        !matches!(alg, Alg::HmacSha256 | Alg::HmacSha384 | Alg::HmacSha512 | Alg::EcdsaP521Sha512 | Alg::None)
    };
    settings.algorithms.iter().filter_map(read).filter(asymmetric).collect()
}

pub(super) fn name_of(algorithm: &CoreJwsSigningAlgorithm) -> Option<String> {
    serde_json::to_value(algorithm).ok().and_then(|value| value.as_str().map(str::to_owned))
}

/// One verifier a token: it carries the time, and its keys are shared, so that making it costs a hundredth of a signature.
fn verifier(
    settings: &OidcSettings,
    keys: &KeySet,
    now: Timestamp,
) -> Result<IdTokenVerifier<'static, VerifyingKey>, ProofFault> {
    let issuer = IssuerUrl::new(settings.issuer.clone()).map_err(|_| ProofFault::Issuer)?;
    let latest = DateTime::<Utc>::from_timestamp_millis(now.minus(SKEW).millis()).ok_or(ProofFault::Expired)?;
    let keys = JsonWebKeySet::new(keys.keys());
    Ok(IdTokenVerifier::new_public_client(ClientId::new(settings.client_id.clone()), issuer, keys)
        .set_allowed_algs(algorithms(settings))
        // `azp` decides about other audiences, in `check_parties`.
        .set_other_audience_verifier_fn(|_| true)
        .set_time_fn(move || latest))
}

/// openidconnect's words in ours.
fn fault(error: &ClaimsVerificationError) -> ProofFault {
    use SignatureVerificationError as Signature;
    match error {
        ClaimsVerificationError::Expired(_) => ProofFault::Expired,
        ClaimsVerificationError::InvalidAudience(_) => ProofFault::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => ProofFault::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => ProofFault::Nonce,
        ClaimsVerificationError::InvalidSubject(_) => ProofFault::Subject,
        ClaimsVerificationError::InvalidAuthTime(_) => ProofFault::AuthTime,
        ClaimsVerificationError::Unsupported(_) => ProofFault::Header,
        ClaimsVerificationError::SignatureVerification(error) => match error {
            Signature::NoMatchingKey | Signature::AmbiguousKeyId(_) => ProofFault::UnknownKey,
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) | Signature::NoSignature => {
                ProofFault::Algorithm
            }
            _ => ProofFault::Signature,
        },
        _ => ProofFault::Shape,
    }
}

/// `azp` is us where it is sent, and must be sent where the token is for others too (OpenID Connect Core §3.1.3.7, 4 and 5).
fn check_parties(members: &Members, settings: &OidcSettings) -> Result<(), ProofFault> {
    let several = members.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
    match members.get("azp") {
        None if several => Err(ProofFault::Audience),
        None => Ok(()),
        Some(party) if party == settings.client_id.as_str() => Ok(()),
        Some(_) => Err(ProofFault::AuthorizedParty),
    }
}

/// `iat` lies between the departure and now, `nbf` not after now, 60 s of skew each. Answers `iat`.
fn check_times(members: &Members, expected: &Expected, now: Timestamp) -> Result<Timestamp, ProofFault> {
    let read = |claim| claims::time(members, claim).map_err(|()| ProofFault::IssuedAt);
    let latest = now.plus(SKEW);
    let issued_at = read("iat")?.ok_or(ProofFault::IssuedAt)?;
    // Rounded down to whole seconds, as the token's times are.
    let earliest = Timestamp::from_seconds(expected.left_at().minus(SKEW).seconds());
    let early = read("nbf")?.is_some_and(|not_before| not_before > latest);
    if issued_at > latest || issued_at < earliest || early { Err(ProofFault::IssuedAt) } else { Ok(issued_at) }
}

/// `auth_time` is never in the future, and where an age was asked for it is there and young enough (rule M6).
fn check_auth_time(members: &Members, expected: &Expected, now: Timestamp) -> Result<Option<Timestamp>, ProofFault> {
    let auth_time = claims::time(members, "auth_time").map_err(|()| ProofFault::AuthTime)?;
    if auth_time.is_some_and(|time| time > now.plus(SKEW)) {
        return Err(ProofFault::AuthTime);
    }
    let Some(max_age) = expected.max_age() else { return Ok(auth_time) };
    let oldest = Timestamp::from_seconds(expected.left_at().minus(max_age).minus(SKEW).seconds());
    if auth_time.is_some_and(|time| time >= oldest) { Ok(auth_time) } else { Err(ProofFault::AuthTime) }
}

/// `at_hash` and `c_hash` belong to what came with the token, where they are sent (OpenID Connect Core §3.1.3.6, §3.3.2.11).
fn check_hashes(
    token: &Token,
    verifier: &IdTokenVerifier<'_, VerifyingKey>,
    members: &Members,
    redeemed: &Redeemed<'_>,
) -> Result<(), ProofFault> {
    let algorithm = token.signing_alg().map_err(|_| ProofFault::Algorithm)?;
    let key = token.signing_key(verifier).map_err(|_| ProofFault::UnknownKey)?;
    let pairs = [("at_hash", redeemed.access_token), ("c_hash", Some(redeemed.code))];
    for (claim, secret) in pairs {
        let (Some(claimed), Some(secret)) = (members.get(claim), secret) else { continue };
        let hash = key.hash_bytes(secret.expose().as_bytes(), algorithm).map_err(|_| ProofFault::AccessTokenHash)?;
        let half = URL_SAFE_NO_PAD.encode(hash.get(..hash.len() / 2).unwrap_or_default());
        let same = claimed.as_str().is_some_and(|claimed| bool::from(claimed.as_bytes().ct_eq(half.as_bytes())));
        if !same {
            return Err(ProofFault::AccessTokenHash);
        }
    }
    Ok(())
}

/// What the token says, and where it is silent the userinfo answer of the same subject.
fn assemble(
    directory: &Directory,
    members: &Members,
    userinfo: Option<&Members>,
    auth_time: Timestamp,
) -> Result<Claims, ProofFault> {
    let source = directory.subject_source.0.as_str();
    let (mut email, mut email_verified) = claims::email(members, "email");
    let mut name = claims::text(members, "name");
    let mut groups = claims::groups(directory, members);
    if let Some(userinfo) = userinfo {
        if members.get("email").is_none_or(Value::is_null) {
            (email, email_verified) = claims::email(userinfo, "email");
        }
        name = name.or_else(|| claims::text(userinfo, "name"));
        if groups.is_empty() {
            groups = claims::groups(directory, userinfo);
        }
    }
    Ok(Claims {
        identity: claims::identity(directory, claims::subject(members, source)?),
        method: claims::method(directory)?,
        email,
        email_verified,
        hosted_domain: claims::text(members, "hd"),
        name,
        groups,
        amr: claims::methods(members),
        acr: claims::text(members, "acr"),
        auth_time,
        provider_session: claims::text(members, "sid"),
        id_token: None,
        refreshable: None,
        name_id: None,
        session_until: None,
    })
}
