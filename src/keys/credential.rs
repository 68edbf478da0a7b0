//! Keys of people's own credentials (rule H12): MACs of their rows, keyed hashes of what is looked up, and sealed seeds.
//!
//! A database writer can still put an old row of the same person back, take a second step away or give more tries. He cannot
//! plant a password, a second step or a mailbox proof.

use super::canonical::Canonical;
use super::{KeyFault, Keys, Purpose};
use crate::kernel::local::Seed;
use crate::kernel::model::{Factor, MailboxProof, PasswordCredential, RemovedAlias};
use crate::kernel::values::{AccountId, FactorId};

/// What a keyed hash is looked up for. One kind never gives another's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// A recovery code, together with its account.
    Recovery,
    /// The eight digits of a mailbox proof, together with its id.
    MailCode,
    /// The token of a mailbox proof's link.
    MailLink,
    /// What attempts are counted by.
    Attempt,
    /// What a person has proved between two pages of a local login: the key of its MAC.
    Steps,
    /// Which page a stranger's address gets (rule H18a).
    Decoy,
    /// The Message-ID of a letter that reminds somebody of a deadline.
    Reminder,
    /// An identity, or an address, of somebody who was deleted for good (rule H2).
    Tombstone,
    /// The MAC over phases that were set at run time (rule H12).
    Phases,
    /// The MAC over the word about a restore (rule H17).
    Restored,
}

impl Lookup {
    const fn name(self) -> &'static str {
        match self {
            Self::Recovery => "fedgate recovery code 1",
            Self::MailCode => "fedgate mail code 1",
            Self::MailLink => "fedgate mail link 1",
            Self::Attempt => "fedgate attempt 1",
            Self::Steps => "fedgate local steps 1",
            Self::Decoy => "fedgate decoy 1",
            Self::Reminder => "fedgate reminder 1",
            Self::Tombstone => "fedgate tombstone 1",
            Self::Phases => "fedgate phases 1",
            Self::Restored => "fedgate restored 1",
        }
    }

    fn bytes(self, parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().fold(Canonical::new(self.name()), |bytes, part| bytes.bytes(part)).finish()
    }
}

impl Keys {
    /// The keyed hash of some parts, under the newest key.
    pub fn lookup(&self, kind: Lookup, parts: &[&[u8]]) -> [u8; 32] {
        self.ring.load().credential.newest().sign(&kind.bytes(parts))
    }

    /// The keyed hashes under all living keys, newest first: for rows from before a rotation.
    pub fn lookups(&self, kind: Lookup, parts: &[&[u8]]) -> Vec<[u8; 32]> {
        let bytes = kind.bytes(parts);
        self.ring.load().credential.iter().rev().map(|(_, key)| key.sign(&bytes)).collect()
    }

    /// Whether a keyed hash is that of these parts; compared in constant time.
    pub fn lookup_holds(&self, kind: Lookup, parts: &[&[u8]], hash: &[u8; 32]) -> bool {
        self.ring.load().credential.holds(&kind.bytes(parts), hash)
    }

    /// The MAC of a new password.
    pub fn mac_password(&self, password: &PasswordCredential) -> [u8; 32] {
        self.ring.load().credential.newest().sign(&password_bytes(password))
    }

    /// Whether a password's row is as it was made.
    pub fn holds_password(&self, password: &PasswordCredential) -> bool {
        self.ring.load().credential.holds(&password_bytes(password), &password.mac)
    }

    /// The MAC of a new second step.
    pub fn mac_factor(&self, factor: &Factor) -> [u8; 32] {
        self.ring.load().credential.newest().sign(&factor_bytes(factor))
    }

    /// Whether a second step's row is as it was made.
    pub fn holds_factor(&self, factor: &Factor) -> bool {
        self.ring.load().credential.holds(&factor_bytes(factor), &factor.mac)
    }

    /// The MAC of a new mailbox proof.
    pub fn mac_mailbox(&self, proof: &MailboxProof) -> [u8; 32] {
        self.ring.load().credential.newest().sign(&mailbox_bytes(proof))
    }

    /// Whether a mailbox proof's row is as it was made.
    pub fn holds_mailbox(&self, proof: &MailboxProof) -> bool {
        self.ring.load().credential.holds(&mailbox_bytes(proof), &proof.mac)
    }

    /// The MAC of an address that is given up.
    pub fn mac_alias(&self, alias: &RemovedAlias) -> [u8; 32] {
        self.ring.load().credential.newest().sign(&alias_bytes(alias))
    }

    /// Whether the row of a given-up address is as it was made.
    pub fn holds_alias(&self, alias: &RemovedAlias) -> bool {
        self.ring.load().credential.holds(&alias_bytes(alias), &alias.mac)
    }

    /// Seals a seed for the row of this second step and no other.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when the library fails.
    pub fn seal_seed(&self, account: AccountId, id: FactorId, seed: &Seed) -> Result<Vec<u8>, KeyFault> {
        self.ring.load().factor.seal(Purpose::Seed, &seed_place(account, id), seed.bytes())
    }

    /// Opens what [`Self::seal_seed`] made for the same row.
    pub fn open_seed(&self, account: AccountId, id: FactorId, sealed: &[u8]) -> Option<Seed> {
        let opened = self.ring.load().factor.unseal(Purpose::Seed, &seed_place(account, id), sealed)?;
        Seed::from_bytes(&opened)
    }
}

fn seed_place(account: AccountId, id: FactorId) -> Vec<u8> {
    Canonical::new("factor").bytes(&account.to_bytes()).bytes(&id.to_bytes()).finish()
}

/// Destructured, so that a new field is a compile error here: cover it, or say why not.
fn password_bytes(password: &PasswordCredential) -> Vec<u8> {
    let PasswordCredential { product_account, stored, generation, set_at, mac: _ } = password;
    Canonical::new("fedgate password 1")
        .bytes(&product_account.to_bytes())
        .text(&stored.to_text())
        .number((*generation).into())
        .signed(set_at.millis())
        .finish()
}

fn factor_bytes(factor: &Factor) -> Vec<u8> {
    let Factor {
        id,
        account,
        kind,
        label: _, // Shown to its owner, no more.
        secret,
        handle,
        counter: _, // Rises with each use.
        created_at,
        last_used_at: _, // Moves with each use.
        mac: _,
    } = factor;
    Canonical::new("fedgate factor 1")
        .bytes(&id.to_bytes())
        .bytes(&account.to_bytes())
        .text(kind.code())
        .bytes(secret)
        .number(u64::from(handle.is_some()))
        .bytes(handle.as_deref().unwrap_or_default())
        .signed(created_at.millis())
        .finish()
}

fn mailbox_bytes(proof: &MailboxProof) -> Vec<u8> {
    let MailboxProof {
        id,
        purpose,
        product,
        product_account,
        email,
        code,
        link,
        browser,
        account_epoch,
        created_at,
        expires_at,
        tries_left: _, // Falls with each try.
        mac: _,
    } = proof;
    Canonical::new("fedgate mailbox proof 1")
        .bytes(&id.to_bytes())
        .text(purpose.code())
        .text(product.as_str())
        .bytes(&product_account.map(|id| id.to_bytes().to_vec()).unwrap_or_default())
        .text(email.as_str())
        .bytes(code)
        .bytes(link)
        .bytes(browser)
        .number((*account_epoch).into())
        .signed(created_at.millis())
        .signed(expires_at.millis())
        .finish()
}

fn alias_bytes(alias: &RemovedAlias) -> Vec<u8> {
    let RemovedAlias { product, email, product_account, verified_when_removed, removed_at, mac: _ } = alias;
    Canonical::new("fedgate removed alias 1")
        .text(product.as_str())
        .text(email.as_str())
        .bytes(&product_account.to_bytes())
        .number(u64::from(*verified_when_removed))
        .signed(removed_at.millis())
        .finish()
}
