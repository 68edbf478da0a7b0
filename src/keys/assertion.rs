//! What we sign for others: assertions for products, and client assertions for providers (RFC 7523).

use super::ec::{self, EcKey};
use super::{Generations, KeyFault, Keys, Kind};
use crate::kernel::values::{
    AccountId, DirectoryId, EmailAddress, OrgName, Origin, ProductName, ProductSessionId, Timestamp,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use std::time::Duration;

/// The longest life of an assertion: 5 minutes (interface, "What a product receives").
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// How long a provider may take to read a client assertion: a minute, plus the skew that everybody allows.
const CLIENT_LIFETIME: Duration = Duration::from_secs(120);

/// What an assertion says.
#[derive(Clone, Copy, Debug)]
pub struct AssertionClaims<'a> {
    /// The login host: `iss` is its URL.
    pub login: &'a Origin,
    /// The product: the first `aud`.
    pub product: &'a ProductName,
    /// The product's host that the request came to: `host`, and its URL the second `aud` (rule M21).
    pub host: &'a Origin,
    /// The product's own user id.
    pub sub: &'a str,
    /// The live address.
    pub email: Option<&'a EmailAddress>,
    /// The name.
    pub name: Option<&'a str>,
    /// The account.
    pub account: AccountId,
    /// The managing organization.
    pub org: Option<&'a OrgName>,
    /// Groups.
    pub groups: &'a [String],
    /// Authentication methods.
    pub amr: &'a [String],
    /// When the person authenticated.
    pub auth_time: Timestamp,
    /// The product session.
    pub sid: ProductSessionId,
    /// `iat`.
    pub now: Timestamp,
    /// From `iat` to `exp`; cut to [`MAX_LIFETIME`].
    pub lifetime: Duration,
}

#[derive(Serialize)]
struct Wire<'a> {
    iss: String,
    aud: [String; 2],
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<&'a str>,
    groups: &'a [String],
    amr: &'a [String],
    auth_time: i64,
    sid: String,
    host: String,
    iat: i64,
    exp: i64,
}

#[derive(Serialize)]
struct ClientWire<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: String,
    iat: i64,
    exp: i64,
}

impl Keys {
    /// A `Fedgate-Assertion`: ES256, `typ` `fedgate+jwt`.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when signing fails.
    pub fn mint(&self, claims: &AssertionClaims<'_>) -> Result<String, KeyFault> {
        let wire = Wire {
            iss: claims.login.url(),
            aud: [claims.product.as_str().to_owned(), claims.host.url()],
            sub: claims.sub,
            email: claims.email.map(EmailAddress::as_str),
            name: claims.name,
            account: claims.account.to_string(),
            org: claims.org.map(OrgName::as_str),
            groups: claims.groups,
            amr: claims.amr,
            auth_time: claims.auth_time.seconds(),
            sid: claims.sid.to_string(),
            host: claims.host.to_string(),
            iat: claims.now.seconds(),
            exp: claims.now.plus(claims.lifetime.min(MAX_LIFETIME)).seconds(),
        };
        self.ring.load().assertion.published().sign("fedgate+jwt", &wire).ok_or(KeyFault::Crypto)
    }

    /// The same statement anew: an assertion that [`Self::mint`] made in this process, with the times of now and under the key
    /// of now.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when it is none of ours in form, or signing fails.
    pub fn renew(&self, assertion: &[u8], now: Timestamp, lifetime: Duration) -> Result<String, KeyFault> {
        let payload = assertion.split(|byte| *byte == b'.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let mut claims = payload.and_then(|payload| String::from_utf8(payload).ok()).ok_or(KeyFault::Crypto)?;
        // The times are the last members of what `mint` wrote. No text inside it can look like this: its quotes are escaped.
        let times = claims.rfind(r#","iat":"#).ok_or(KeyFault::Crypto)?;
        claims.truncate(times);
        let exp = now.plus(lifetime.min(MAX_LIFETIME)).seconds();
        claims.push_str(&format!(r#","iat":{},"exp":{exp}}}"#, now.seconds()));
        let ring = self.ring.load();
        ring.assertion.published().sign_json("fedgate+jwt", claims.as_bytes()).ok_or(KeyFault::Crypto)
    }

    /// The public keys of assertions, all generations, for `/.well-known/jwks.json`.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when they cannot be written as JSON, which they always can.
    pub fn jwks(&self) -> Result<String, KeyFault> {
        public(&self.ring.load().assertion)
    }

    /// A client assertion for `private_key_jwt` at one directory's provider, under that directory's own key (rule H20).
    ///
    /// # Errors
    /// [`KeyFault::Missing`] when the directory has no key, [`KeyFault::Crypto`] when signing fails.
    pub fn client_assertion(
        &self,
        directory: DirectoryId,
        audience: &str,
        client_id: &str,
        now: Timestamp,
        jti: [u8; 16],
    ) -> Result<String, KeyFault> {
        let wire = ClientWire {
            iss: client_id,
            sub: client_id,
            aud: audience,
            jti: URL_SAFE_NO_PAD.encode(jti),
            iat: now.seconds(),
            exp: now.plus(CLIENT_LIFETIME).seconds(),
        };
        let ring = self.ring.load();
        let keys = ring.clients.get(&directory).ok_or_else(|| no_client(directory))?;
        keys.published().sign("JWT", &wire).ok_or(KeyFault::Crypto)
    }

    /// The public keys to register at a directory's provider.
    ///
    /// # Errors
    /// [`KeyFault::Missing`] when the directory has no key.
    pub fn client_jwks(&self, directory: DirectoryId) -> Result<String, KeyFault> {
        public(self.ring.load().clients.get(&directory).ok_or_else(|| no_client(directory))?)
    }
}

fn no_client(directory: DirectoryId) -> KeyFault {
    KeyFault::Missing(Kind::Client(directory).to_string())
}

fn public(keys: &Generations<EcKey>) -> Result<String, KeyFault> {
    ec::jwk_set(keys.iter().map(|(_, key)| key)).ok_or(KeyFault::Crypto)
}
