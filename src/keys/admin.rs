//! Keyed hashes of what administers: tokens' look-up keys, and MACs of the rows that give power (rule H12).

use super::Keys;
use super::canonical::Canonical;
use crate::kernel::journal::{ApiToken, OrganizationVersion, RolePin};
use crate::kernel::values::{OrgName, SessionKey, Token};

impl Keys {
    /// What a bearer token of the admin API is looked up by. Never the key of a session of the same bytes.
    pub fn api_token_key(&self, token: &Token) -> SessionKey {
        SessionKey(self.ring.load().token.newest().sign(&token_bytes(token)))
    }

    /// Look-up keys under earlier generations, newest first, for tokens from before a rotation.
    pub fn earlier_api_token_keys(&self, token: &Token) -> Vec<SessionKey> {
        let (ring, bytes) = (self.ring.load(), token_bytes(token));
        ring.token.iter().rev().skip(1).map(|(_, key)| SessionKey(key.sign(&bytes))).collect()
    }

    /// The MAC of a new token's row.
    pub fn mac_api_token(&self, token: &ApiToken) -> [u8; 32] {
        self.ring.load().row.newest().sign(&api_token_bytes(token))
    }

    /// Whether a token's row is as it was made.
    pub fn holds_api_token(&self, token: &ApiToken) -> bool {
        self.ring.load().row.holds(&api_token_bytes(token), &token.mac)
    }

    /// The MAC of a role that is taken up.
    pub fn mac_pin(&self, pin: &RolePin) -> [u8; 32] {
        self.ring.load().row.newest().sign(&pin_bytes(pin))
    }

    /// Whether a role's row is as it was made.
    pub fn holds_pin(&self, pin: &RolePin) -> bool {
        self.ring.load().row.holds(&pin_bytes(pin), &pin.mac)
    }

    /// The MAC of a new version of an organization.
    pub fn mac_version(&self, version: &OrganizationVersion) -> [u8; 32] {
        self.ring.load().row.newest().sign(&version_bytes(version))
    }

    /// Whether a version's row is as it was made.
    pub fn holds_version(&self, version: &OrganizationVersion) -> bool {
        self.ring.load().row.holds(&version_bytes(version), &version.mac)
    }
}

fn token_bytes(token: &Token) -> Vec<u8> {
    Canonical::new("fedgate api token key 1").bytes(token.bytes()).finish()
}

// All are destructured, so that a new field is a compile error here: cover it, or say why not.

fn api_token_bytes(token: &ApiToken) -> Vec<u8> {
    let ApiToken {
        id,
        key,
        owner,
        label,
        scopes,
        org,
        networks,
        created_at,
        expires_at,
        last_used: _, // Moves with use, and decides nothing.
        mac: _,
    } = token;
    Canonical::new("fedgate api token 1")
        .bytes(&id.to_bytes())
        .bytes(&key.0)
        .bytes(&owner.to_bytes())
        .text(label)
        .list(scopes)
        .optional(org.as_ref().map(OrgName::as_str))
        .list(networks)
        .signed(created_at.millis())
        .signed(expires_at.millis())
        .finish()
}

fn pin_bytes(pin: &RolePin) -> Vec<u8> {
    let RolePin { role, org, email, account, at, mac: _ } = pin;
    Canonical::new("fedgate role 1")
        .text(role.code())
        .optional(org.as_ref().map(OrgName::as_str))
        .text(email.as_str())
        .bytes(&account.to_bytes())
        .signed(at.millis())
        .finish()
}

fn version_bytes(version: &OrganizationVersion) -> Vec<u8> {
    let OrganizationVersion { org, version, at, by, what, document, mac: _ } = version;
    Canonical::new("fedgate organization version 1")
        .text(org.as_str())
        .number((*version).into())
        .signed(at.millis())
        .text(by)
        .text(what)
        .optional(document.as_deref())
        .finish()
}
