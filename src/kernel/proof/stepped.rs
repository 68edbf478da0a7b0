//! A second step that was taken and waits some minutes for the page that asked for it: text for a sealed cookie, under a MAC that is
//! checked here, so that no other layer can make a step of its own.

use super::{SecondStepProof, Stepper};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::values::{AccountId, Timestamp};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

impl SecondStepProof {
    /// The text, under a key of the gateway. `bound` is what it may be used for. `None` for a newcomer's, which belongs to the very
    /// login that it was taken in.
    pub fn to_text(&self, key: &[u8; 32], bound: &[u8]) -> Option<String> {
        let Stepper::Account(account) = &self.stepper else { return None };
        let body = format!("{account} {}", self.at.millis());
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(body.as_bytes(), bound));
        Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(body), URL_SAFE_NO_PAD.encode(mac)))
    }

    /// Reads [`Self::to_text`] back, no later than ten minutes after the step.
    pub fn open(text: &str, key: &[u8; 32], bound: &[u8], now: Timestamp) -> Option<Self> {
        let (body, mac) = text.split_once('.')?;
        let (body, mac) = (URL_SAFE_NO_PAD.decode(body).ok()?, URL_SAFE_NO_PAD.decode(mac).ok()?);
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound), &mac).ok()?;
        let (account, at) = std::str::from_utf8(&body).ok()?.split_once(' ')?;
        let at = Timestamp::from_millis(at.parse().ok()?);
        let young = at <= now && now.since(at) <= PROOF_LIFE;
        young.then_some(Self::new(Stepper::Account(AccountId::parse(account).ok()?), at))
    }
}

/// The length first, so that no other pair of body and binding reads the same.
fn mac_input(body: &[u8], bound: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bound.len()).unwrap_or(u64::MAX).to_be_bytes();
    [b"second step".as_slice(), &length, bound, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_step_that_waits_is_its_own_accounts_for_ten_minutes_and_for_what_it_was_taken() {
        let (key, now) = ([7; 32], Timestamp::from_seconds(1_000_000));
        let step = SecondStepProof::new(Stepper::Account(AccountId::from_bytes([1; 16])), now);
        let text = step.to_text(&key, b"here").unwrap();
        let late = |seconds| now.plus(Duration::from_secs(seconds));
        assert_eq!(SecondStepProof::open(&text, &key, b"here", late(600)).as_ref(), Some(&step));
        assert_eq!(SecondStepProof::open(&text, &key, b"here", late(601)), None, "too old");
        assert_eq!(SecondStepProof::open(&text, &key, b"there", now), None, "for something else");
        assert_eq!(SecondStepProof::open(&text, &[8; 32], b"here", now), None, "under another key");
        assert_eq!(SecondStepProof::open(&text, &key, b"here", now.minus(Duration::from_secs(1))), None, "of later");
        let (body, mac) = text.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode(format!("{} {}", AccountId::from_bytes([2; 16]), now.millis()));
        assert_eq!(SecondStepProof::open(&format!("{other}.{mac}"), &key, b"here", now), None, "somebody else's");
        assert_eq!(SecondStepProof::open(&format!("{body}."), &key, b"here", now), None);
    }
}
