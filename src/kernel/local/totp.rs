//! One-time codes by time (RFC 6238: HMAC-SHA-1, six digits, 30 s), as every authenticator app makes them.

use aws_lc_rs::hmac;
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::kernel::values::Timestamp;

/// Bytes of a seed (RFC 4226 §4 recommends 160 bits).
pub const SEED_BYTES: usize = 20;
/// Seconds of a step.
const STEP: i64 = 30;
const DIGITS: u32 = 6;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A 30-second step since 1970. A step is used once: the store keeps the last one.
pub type Step = i64;

/// What an authenticator app and we share.
#[derive(Clone)]
pub struct Seed(Zeroizing<[u8; SEED_BYTES]>);

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

impl Seed {
    /// Wraps random bytes.
    pub fn new(random: [u8; SEED_BYTES]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// Reads unsealed bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::new)
    }

    /// The bytes, to be sealed.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The text key that a person types into an app: base32 without padding.
    pub fn to_base32(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(32));
        for five in self.0.chunks(5) {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                let digit = usize::try_from(bits >> (place * 5) & 31).unwrap_or(0);
                text.push(char::from(BASE32.get(digit).copied().unwrap_or(b'A')));
            }
        }
        text
    }

    /// The `otpauth` address for a QR code. `issuer` and `account` are what the app shows.
    pub fn to_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (escaped(issuer), escaped(account));
        Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", *self.to_base32()))
    }

    /// The step whose code this is, among the present one and its two neighbours, if it is later than the last one used.
    pub fn accepts(&self, code: &str, now: Timestamp, last: Option<Step>) -> Option<Step> {
        let digits: String = code.chars().filter(|digit| !digit.is_ascii_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let present = now.seconds().div_euclid(STEP);
        // All three are computed, whichever fits.
        let steps = [present, present.saturating_sub(1), present.saturating_add(1)];
        let fits = steps.map(|step| bool::from(self.code(step).as_bytes().ct_eq(digits.as_bytes())));
        let mut fitting = steps.into_iter().zip(fits).filter(|(_, fits)| *fits).map(|(step, _)| step);
        fitting.find(|step| last.is_none_or(|last| *step > last))
    }

    /// The code of a step.
    pub fn code(&self, step: Step) -> Zeroizing<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.bytes());
        let mac = hmac::sign(&key, &step.to_be_bytes());
        // RFC 4226 §5.3: the last four bits say where to read 31 bits.
        let place = usize::from(mac.as_ref().last().copied().unwrap_or(0) & 15);
        let four = mac.as_ref().iter().skip(place).take(4);
        let number = four.fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) & 0x7fff_ffff;
        Zeroizing::new(format!("{:06}", number % 10_u32.pow(DIGITS)))
    }
}

/// Percent-encodes everything but letters, digits and `-._~`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of RFC 6238, appendix B.
    fn seed() -> Seed {
        Seed::new(*b"12345678901234567890")
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(*seed().code(seconds / 30), code, "{seconds}");
            assert_eq!(seed().accepts(code, at(seconds), None), Some(seconds / 30));
        }
    }

    #[test]
    fn one_step_of_skew_and_each_step_once() {
        let step = 1_111_111_109 / 30;
        let code = seed().code(step);
        for (seconds, accepted) in [(-31, false), (-30, true), (0, true), (29, true), (59, true), (60, false)] {
            let now = at(step * 30 + seconds);
            assert_eq!(seed().accepts(&code, now, None).is_some(), accepted, "{seconds}");
        }
        let now = at(step * 30);
        assert_eq!(seed().accepts(&code, now, Some(step)), None, "used");
        assert_eq!(seed().accepts(&code, now, Some(step + 1)), None, "older than the last");
        assert_eq!(seed().accepts(&code, now, Some(step - 1)), Some(step));
        let spaced = format!("{} {}", &code[..3], &code[3..]);
        assert_eq!(seed().accepts(&spaced, now, None), Some(step));
        for other in ["", "000000", "08180", "0818044", "08180a", "٠٨١٨٠٤"] {
            assert_eq!(seed().accepts(other, now, None), None, "{other}");
        }
    }

    #[test]
    fn apps_are_told_the_seed_in_base32() {
        assert_eq!(*seed().to_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        let uri = seed().to_uri("Board & Co", "ann@acme.com");
        let expected = "otpauth://totp/Board%20%26%20Co:ann%40acme.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Board%20%26%20Co";
        assert_eq!(*uri, expected);
        assert_eq!(format!("{:?}", seed()), "Seed(…)");
    }
}
