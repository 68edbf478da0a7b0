//! The second step of who logs in by a provider: what is enrolled here, judged by itself, without a first step of ours beside it.

use super::{Presence, Seed, Step};
use crate::kernel::proof::{SecondStepProof, Stepper};
use crate::kernel::values::{AccountId, Timestamp};
use subtle::ConstantTimeEq as _;

/// A one-time code, and the step of time that is used up with it.
pub fn second_by_code(
    account: AccountId,
    seed: &Seed,
    (code, last): (&str, Step),
    now: Timestamp,
) -> Option<(SecondStepProof, Step)> {
    let used = seed.accepts(code, now, Some(last))?;
    Some((SecondStepProof::new(Stepper::Account(account), now), used))
}

/// A recovery code: `shown` are its keyed hashes under all living keys, `stored` the one that the store has of them, which must be
/// used up in the same commit.
pub fn second_by_recovery(
    account: AccountId,
    shown: &[[u8; 32]],
    stored: &[u8; 32],
    now: Timestamp,
) -> Option<SecondStepProof> {
    let held = shown.iter().fold(false, |held, hash| held | bool::from(hash.ct_eq(stored)));
    held.then(|| SecondStepProof::new(Stepper::Account(account), now))
}

/// A passkey of this account.
pub fn second_by_passkey(account: AccountId, presence: &Presence, now: Timestamp) -> Option<SecondStepProof> {
    (presence.account() == account).then(|| SecondStepProof::new(Stepper::Account(account), now))
}

/// The first code of an app that is enrolled by this very login, and the step of time that is used up with it.
pub fn second_by_first_code(
    stepper: Stepper,
    seed: &Seed,
    code: &str,
    now: Timestamp,
) -> Option<(SecondStepProof, Step)> {
    let used = seed.accepts(code, now, None)?;
    Some((SecondStepProof::new(stepper, now), used))
}

/// A passkey that is enrolled by this very login: its authenticator has just verified the person
/// ([`register`](super::register) holds it to that).
pub fn second_by_new_passkey(account: AccountId, _made: &super::NewPasskey, now: Timestamp) -> SecondStepProof {
    SecondStepProof::new(Stepper::Account(account), now)
}
