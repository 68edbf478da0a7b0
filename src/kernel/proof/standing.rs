//! A provider's proof that stands for some minutes, while its person shows at the product that the record there is theirs (B22, §3.3):
//! text for a sealed cookie, under a MAC that is checked here, so that no other layer can make a proof of its own.

use super::{Claims, Proof, Refreshable, Vouched};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{IdentityKey, Method, SubjectSource};
use crate::kernel::saml::NameId;
use crate::kernel::values::{DirectoryId, EmailAddress, Secret, Timestamp};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// What a kept proof says, without the raw id_token: a logout at the provider is asked once more.
#[derive(Deserialize, Serialize)]
struct Kept {
    directory: String,
    source: String,
    subject: String,
    method: String,
    email: Option<String>,
    /// `None`: it said nothing.
    vouched: Option<bool>,
    hosted_domain: Option<String>,
    name: Option<String>,
    groups: Vec<String>,
    amr: Vec<String>,
    acr: Option<String>,
    auth_time: i64,
    provider_session: Option<String>,
    /// Text, format and the two qualifiers.
    name_id: Option<(String, String, Option<String>, Option<String>)>,
    session_until: Option<i64>,
    /// Token and `sub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refreshable: Option<(String, String)>,
    kept_at: i64,
}

impl Proof {
    /// The text, under a key of the gateway. `bound` is what it may be used for.
    pub fn to_text(&self, key: &[u8; 32], bound: &[u8], now: Timestamp) -> String {
        let c = &self.claims;
        let kept = Kept {
            directory: c.identity.directory.to_string(),
            source: c.identity.source.0.clone(),
            subject: c.identity.subject.clone(),
            method: c.method.code().to_owned(),
            email: c.email.as_ref().map(ToString::to_string),
            vouched: match c.email_verified {
                Vouched::Yes => Some(true),
                Vouched::No => Some(false),
                Vouched::Silent => None,
            },
            hosted_domain: c.hosted_domain.clone(),
            name: c.name.clone(),
            groups: c.groups.clone(),
            amr: c.amr.clone(),
            acr: c.acr.clone(),
            auth_time: c.auth_time.millis(),
            provider_session: c.provider_session.clone(),
            name_id: c.name_id.clone().map(|id| (id.value, id.format, id.name_qualifier, id.sp_name_qualifier)),
            session_until: c.session_until.map(Timestamp::millis),
            refreshable: c.refreshable.as_ref().map(|one| (one.token.expose().to_owned(), one.sub.clone())),
            kept_at: now.millis(),
        };
        let body = serde_json::to_vec(&kept).unwrap_or_default();
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound));
        format!("{}.{}", URL_SAFE_NO_PAD.encode(body), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Reads [`Self::to_text`] back, no later than ten minutes after.
    pub fn open(text: &str, key: &[u8; 32], bound: &[u8], now: Timestamp) -> Option<Self> {
        let (body, mac) = text.split_once('.')?;
        let (body, mac) = (URL_SAFE_NO_PAD.decode(body).ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound), &mac).ok()?;
        let kept: Kept = serde_json::from_slice(&body).ok()?;
        let kept_at = Timestamp::from_millis(kept.kept_at);
        let young = kept_at <= now && now.since(kept_at) <= PROOF_LIFE;
        let claims = Claims {
            identity: IdentityKey {
                directory: DirectoryId::parse(&kept.directory).ok()?,
                source: SubjectSource(kept.source),
                subject: kept.subject,
            },
            method: Method::from_code(&kept.method).filter(|method| method.is_by_provider())?,
            email: kept.email.map(|email| EmailAddress::parse(&email)).transpose().ok()?,
            email_verified: match kept.vouched {
                Some(true) => Vouched::Yes,
                Some(false) => Vouched::No,
                None => Vouched::Silent,
            },
            hosted_domain: kept.hosted_domain,
            name: kept.name,
            groups: kept.groups,
            amr: kept.amr,
            acr: kept.acr,
            auth_time: Timestamp::from_millis(kept.auth_time),
            provider_session: kept.provider_session,
            name_id: kept.name_id.map(|(value, format, name_qualifier, sp_name_qualifier)| NameId {
                value,
                format,
                name_qualifier,
                sp_name_qualifier,
            }),
            session_until: kept.session_until.map(Timestamp::from_millis),
            id_token: None,
            refreshable: kept.refreshable.map(|(token, sub)| Refreshable { token: Secret::new(token), sub }),
        };
        young.then(|| Self::new(claims))
    }
}

/// What the MAC covers: the body, and what it is bound to with its length before it.
fn mac_input(body: &[u8], bound: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bound.len()).unwrap_or(u64::MAX);
    [b"fedgate standing proof 1".as_slice(), &length.to_be_bytes(), bound, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn proof(method: Method) -> Proof {
        Proof::new(Claims {
            identity: IdentityKey {
                directory: DirectoryId::from_bytes([1; 16]),
                source: SubjectSource("sub".to_owned()),
                subject: "a|b".to_owned(),
            },
            method,
            email: EmailAddress::parse("ann@free.example").ok(),
            email_verified: Vouched::Yes,
            hosted_domain: None,
            name: Some("Ann".to_owned()),
            groups: vec!["staff".to_owned()],
            amr: vec!["pwd".to_owned()],
            acr: None,
            auth_time: NOW,
            provider_session: Some("sid".to_owned()),
            name_id: Some(NameId {
                value: "ann".to_owned(),
                format: "persistent".to_owned(),
                name_qualifier: None,
                sp_name_qualifier: Some("sp".to_owned()),
            }),
            session_until: None,
            id_token: None,
            refreshable: Some(Refreshable { token: Secret::new("r".to_owned()), sub: "ann".to_owned() }),
        })
    }

    #[test]
    fn b22_a_standing_proof_comes_back_whole_in_time_and_where_it_belongs_or_not_at_all() {
        let key = [5; 32];
        let text = proof(Method::Issuer).to_text(&key, b"browser", NOW);
        let open = |text: &str, key, bound: &[u8], at| {
            Proof::open(text, key, bound, at).map(|proof| format!("{:?}", proof.claims()))
        };
        let whole = Some(format!("{:?}", proof(Method::Issuer).claims()));
        assert_eq!(open(&text, &key, b"browser", NOW), whole);
        assert_eq!(open(&text, &key, b"browser", NOW.plus(PROOF_LIFE)), whole);
        assert_eq!(open(&text, &key, b"browser", NOW.plus(PROOF_LIFE + Duration::from_millis(1))), None);
        assert_eq!(open(&text, &key, b"browser", NOW.minus(Duration::from_millis(1))), None);
        assert_eq!(open(&text, &[6; 32], b"browser", NOW), None);
        assert_eq!(open(&text, &key, b"other", NOW), None);
        assert_eq!(open(&proof(Method::Password).to_text(&key, b"browser", NOW), &key, b"browser", NOW), None);
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(open(&changed, &key, b"browser", NOW).is_none_or(|proof| Some(proof) == whole), "{place}");
        }
    }
}
