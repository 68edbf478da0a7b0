//! Keyed hashes of what administers: tokens' look-up keys, and MACs of the rows that give power (rule H12).
//!
//! A database writer can still take a row away or put an older one of the same thing back. He cannot make one.

use super::Keys;
use super::canonical::Canonical;
use crate::kernel::domain::{DomainProof, ProofMethod};
use crate::kernel::journal::{ApiToken, DomainRow, OrganizationHead, OrganizationVersion, PolicyRow, RolePin};
use crate::kernel::values::{DirectoryId, OrgName, SessionKey, Timestamp, Token};
use aws_lc_rs::constant_time::verify_slices_are_equal;

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

    /// Whether what a provisioning client shows is one of these tokens of a directory: keyed hashes are compared, in constant time, and
    /// every one of them.
    pub fn is_scim_token(&self, shown: &Token, directory: DirectoryId, held: &[&Token]) -> bool {
        let ring = self.ring.load();
        let hash = |token: &Token| {
            let bytes = Canonical::new("fedgate scim token 1").bytes(&directory.to_bytes()).bytes(token.bytes());
            ring.token.newest().sign(&bytes.finish())
        };
        let shown = hash(shown);
        held.iter().fold(false, |found, token| found | verify_slices_are_equal(&hash(token), &shown).is_ok())
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

    /// The head of an organization whose newest version this is.
    pub fn head_of(&self, version: &OrganizationVersion) -> OrganizationHead {
        let (org, version) = (version.org.clone(), version.version);
        let mac = self.ring.load().row.newest().sign(&head_bytes(&org, version));
        OrganizationHead { org, version, mac }
    }

    /// Whether an organization's head is as it was written.
    pub fn holds_head(&self, head: &OrganizationHead) -> bool {
        self.ring.load().row.holds(&head_bytes(&head.org, head.version), &head.mac)
    }

    /// A domain's proof with the MAC of the row that it will be.
    pub fn signed_domain(&self, proof: DomainProof) -> DomainProof {
        let mac = self.ring.load().row.newest().sign(&domain_bytes(&proof));
        DomainProof { mac, ..proof }
    }

    /// Whether a domain's row is as it was written.
    pub fn holds_domain(&self, proof: &DomainProof) -> bool {
        self.ring.load().row.holds(&domain_bytes(proof), &proof.mac)
    }

    /// A domain of the file with the MAC of the row that it will be.
    pub fn signed_claim(&self, row: DomainRow) -> DomainRow {
        let mac = self.ring.load().row.newest().sign(&claim_bytes(&row));
        DomainRow { mac, ..row }
    }

    /// Whether the row of a domain of the file is as it was written.
    pub fn holds_claim(&self, row: &DomainRow) -> bool {
        self.ring.load().row.holds(&claim_bytes(row), &row.mac)
    }

    /// A policy's state with the MAC of the row that it will be.
    pub fn signed_policy(&self, row: PolicyRow) -> PolicyRow {
        let mac = self.ring.load().row.newest().sign(&policy_bytes(&row));
        PolicyRow { mac, ..row }
    }

    /// Whether the row of a policy's state is as it was written.
    pub fn holds_policy(&self, row: &PolicyRow) -> bool {
        self.ring.load().row.holds(&policy_bytes(row), &row.mac)
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
        reach,
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
        .optional(reach.code().as_deref())
        .list(networks)
        .signed(created_at.millis())
        .signed(expires_at.millis())
        .finish()
}

fn pin_bytes(pin: &RolePin) -> Vec<u8> {
    let RolePin { role, reach, email, account, at, mac: _ } = pin;
    Canonical::new("fedgate role 1")
        .text(role.code())
        .optional(reach.code().as_deref())
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

fn head_bytes(org: &OrgName, version: u32) -> Vec<u8> {
    Canonical::new("fedgate organization head 1").text(org.as_str()).number(version.into()).finish()
}

fn claim_bytes(row: &DomainRow) -> Vec<u8> {
    let DomainRow { domain, org, claimed_at, mac: _ } = row;
    Canonical::new("fedgate domain 1").text(domain.as_str()).text(org.as_str()).signed(claimed_at.millis()).finish()
}

fn policy_bytes(row: &PolicyRow) -> Vec<u8> {
    let PolicyRow { org, name, fingerprint, epoch, changed_at, since, mac: _ } = row;
    let fixed = Canonical::new("fedgate policy 1")
        .text(org.as_str())
        .text(name.as_str())
        .bytes(fingerprint)
        .number((*epoch).into())
        .signed(changed_at.millis())
        .number(u64::try_from(since.len()).unwrap_or(u64::MAX));
    since.iter().fold(fixed, |bytes, (demand, time)| bytes.text(demand).signed(time.millis())).finish()
}

fn domain_bytes(proof: &DomainProof) -> Vec<u8> {
    let DomainProof {
        org,
        domain,
        token,
        state,
        claim,
        method,
        added_at,
        seen_at,
        verified_at,
        claimed_at,
        last_ok_at,
        failing_since,
        due_since,
        checked_at,
        next_check_at,
        version,
        mac: _,
    } = proof;
    let times = [seen_at, verified_at, claimed_at, last_ok_at, failing_since, due_since, checked_at];
    let fixed = Canonical::new("fedgate domain proof 1")
        .text(org.as_str())
        .text(domain.as_str())
        .text(token)
        .text(state.code())
        .text(claim.code())
        .optional(method.map(ProofMethod::code))
        .signed(added_at.millis())
        .signed(next_check_at.millis())
        .number((*version).into());
    let moved = times.into_iter().map(|time| time.map(Timestamp::millis));
    moved.fold(fixed, |bytes, time| bytes.optional(time.map(|millis| millis.to_string()).as_deref())).finish()
}
