//! The short reference that stands on every refusal page and in its audit event.

use std::fmt;

/// Eight characters that can be read out over the phone, like `7K3M-9QX2`: 40 random bits without I, L, O and U.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference([u8; 8]);

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl Reference {
    /// From 40 random bits.
    pub fn new(random: [u8; 5]) -> Self {
        let bits = random.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        Self(std::array::from_fn(|place| {
            let digit = usize::try_from((bits >> (35 - 5 * place)) & 31).unwrap_or(0);
            ALPHABET.get(digit).copied().unwrap_or(b'0')
        }))
    }

    /// Reads what a person typed: case and the dash do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: Vec<u8> = text.bytes().filter(|b| *b != b'-').map(|b| b.to_ascii_uppercase()).collect();
        let all_known = bytes.iter().all(|b| ALPHABET.contains(b));
        if all_known { bytes.try_into().ok().map(Self) } else { None }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if place == 4 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*byte))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote_in_any_case() {
        let reference = Reference::new([0x12, 0x34, 0x56, 0x78, 0x9a]);
        assert_eq!(reference.to_string().len(), 9);
        assert_eq!(Reference::parse(&reference.to_string().to_lowercase()), Some(reference));
        assert_eq!(Reference::parse("7K3M-9QX"), None);
        assert_eq!(Reference::parse("7K3M-9QXU"), None);
    }
}
