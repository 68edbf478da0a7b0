//! Recovery codes: ten, each good once, for people who lost their second step. Only keyed hashes of them rest (rule H12).

use std::fmt;
use zeroize::Zeroizing;

/// How many a person gets.
pub const RECOVERY_CODES: usize = 10;
/// Ten digits of five bits.
const DIGITS: usize = 10;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code in its one spelling: ten digits of Crockford's base32, 50 random bits.
#[derive(Clone, Eq, PartialEq)]
pub struct RecoveryCode(Zeroizing<[u8; DIGITS]>);

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

impl RecoveryCode {
    /// From random bytes, of which five bits each count.
    pub fn new(random: [u8; DIGITS]) -> Self {
        Self(Zeroizing::new(random.map(|byte| ALPHABET.get(usize::from(byte & 31)).copied().unwrap_or(b'0'))))
    }

    /// Reads what somebody typed: spaces and dashes anywhere, either case, `O` for 0, `I` and `L` for 1.
    pub fn parse(typed: &str) -> Option<Self> {
        let mut digits = Zeroizing::new([0; DIGITS]);
        let mut count = 0;
        for byte in typed.bytes().take(64) {
            let digit = match byte.to_ascii_uppercase() {
                b' ' | b'-' => continue,
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            if !ALPHABET.contains(&digit) {
                return None;
            }
            *digits.get_mut(count)? = digit;
            count += 1;
        }
        (count == DIGITS).then_some(Self(digits))
    }

    /// The bytes that are hashed under a key.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The spelling to write down: `7K3M9-QX2A4`.
    pub fn expose(&self) -> Zeroizing<String> {
        let text: String = self.0.iter().map(|digit| char::from(*digit)).collect();
        let text = Zeroizing::new(text);
        let (first, second) = text.split_at(DIGITS / 2);
        Zeroizing::new(format!("{first}-{second}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_however_it_is_typed() {
        let code = RecoveryCode::new([0, 1, 2, 3, 4, 31, 30, 29, 28, 255]);
        assert_eq!(*code.expose(), "01234-ZYXWZ");
        for typed in ["01234-ZYXWZ", "01234zyxwz", " 0 1 2 3 4 - z y x w z", "OI234-zyxwz", "0L234 ZYXWZ"] {
            assert_eq!(RecoveryCode::parse(typed), Some(code.clone()), "{typed}");
        }
        for typed in ["", "01234-ZYXW", "01234-ZYXWZ0", "01234-ZYXWU", "01234-ZYXW!", &"-".repeat(80)] {
            assert_eq!(RecoveryCode::parse(typed), None, "{typed}");
        }
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
    }
}
