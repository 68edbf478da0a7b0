//! The one form in which passwords rest: argon2id at one cost, over an imported hash where there was one (rule H18).

use super::imported::{self, NotImportable, Scheme};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The cost of every stored password: 19 MiB, two passes, one lane (OWASP's first choice). A dearer one later is a new number
/// in the stored form; passwords move to it at their next login.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Salt of 128 bits.
pub type Salt = [u8; 16];
/// The longest password in bytes.
const MAX: usize = 512;
const DIGEST: usize = 32;
/// The stored form's version.
const FORM: &str = "1";

/// Empty, longer than 512 bytes, or with a NUL inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a password has 1 to 512 bytes")]
pub struct TooLong;

/// A password as somebody typed it. Shown nowhere, not trimmed, not folded.
#[derive(Clone)]
pub struct Typed(Zeroizing<String>);

impl Typed {
    /// Takes what was typed.
    ///
    /// # Errors
    /// [`TooLong`]: empty, over 512 bytes, or with a NUL, at which older libraries stop reading.
    pub fn new(text: String) -> Result<Self, TooLong> {
        let text = Zeroizing::new(text);
        let sound = !text.is_empty() && text.len() <= MAX && !text.contains('\0');
        if sound { Ok(Self(text)) } else { Err(TooLong) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The text, for a product's adapter and for judging its strength.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}

/// A password at rest. Its text form is for the store, where a MAC covers it.
#[derive(Clone, Eq, PartialEq)]
pub struct StoredPassword {
    salt: Salt,
    digest: [u8; DIGEST],
    imported: Option<Scheme>,
}

impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredPassword(…)")
    }
}

impl StoredPassword {
    /// A new password's resting form. `salt` is fresh. Costs about 20 ms.
    pub fn of(typed: &Typed, salt: Salt) -> Option<Self> {
        Some(Self { salt, digest: stretch(typed.bytes(), &salt)?, imported: None })
    }

    /// Puts argon2id over a hash that a product brought.
    ///
    /// # Errors
    /// [`NotImportable`] says what about it.
    pub fn wrap(hash: &str, salt: Salt) -> Result<Self, NotImportable> {
        let (scheme, inner) = imported::read(hash)?;
        let digest = stretch(&inner, &salt).ok_or(NotImportable::Damaged)?;
        Ok(Self { salt, digest, imported: Some(scheme) })
    }

    /// Whether [`Self::wrap`] would take a hash, without its cost.
    ///
    /// # Errors
    /// [`NotImportable`] says what about it.
    pub fn takes(hash: &str) -> Result<(), NotImportable> {
        imported::read(hash).map(drop)
    }

    /// A password that nobody knows, checked where there is none, at the same cost. `salt` and `digest` are random.
    pub fn decoy(salt: Salt, digest: [u8; 32]) -> Self {
        Self { salt, digest, imported: None }
    }

    /// Whether this is the password. Costs one argon2id, and the imported scheme where there is one. Compared in constant time.
    pub fn is(&self, typed: &Typed) -> bool {
        let inner = match &self.imported {
            None => Zeroizing::new(typed.bytes().to_vec()),
            Some(scheme) => match scheme.digest(typed) {
                Some(inner) => inner,
                None => return false,
            },
        };
        stretch(&inner, &self.salt).is_some_and(|digest| digest.ct_eq(&self.digest).into())
    }

    /// Whether an older scheme is below it: the next right password is stored anew, without it.
    pub fn is_wrapped(&self) -> bool {
        self.imported.is_some()
    }

    /// How the hash below it was made.
    pub fn imported(&self) -> Option<&Scheme> {
        self.imported.as_ref()
    }

    /// The text for the store.
    pub fn to_text(&self) -> String {
        let (memory, passes, lanes) = COST;
        let (salt, digest) = (URL_SAFE_NO_PAD.encode(self.salt), URL_SAFE_NO_PAD.encode(self.digest));
        let imported = self.imported.as_ref().map_or_else(|| "-".to_owned(), Scheme::to_string);
        format!("{FORM}|{memory},{passes},{lanes}|{salt}|{digest}|{imported}")
    }

    /// Reads [`Self::to_text`]. Nothing for anything else, another cost included.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('|').collect();
        let [FORM, cost, salt, digest, imported] = parts.as_slice() else { return None };
        let (memory, passes, lanes) = COST;
        if *cost != format!("{memory},{passes},{lanes}") {
            return None;
        }
        Some(Self {
            salt: URL_SAFE_NO_PAD.decode(salt).ok()?.try_into().ok()?,
            digest: URL_SAFE_NO_PAD.decode(digest).ok()?.try_into().ok()?,
            imported: if *imported == "-" { None } else { Some(Scheme::parse(imported)?) },
        })
    }
}

fn stretch(secret: &[u8], salt: &Salt) -> Option<[u8; DIGEST]> {
    let (memory, passes, lanes) = COST;
    let parameters = Params::new(memory, passes, lanes, Some(DIGEST)).ok()?;
    let mut digest = [0; DIGEST];
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    hasher.hash_password_into(secret, salt, &mut digest).ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Typed {
        Typed::new(text.to_owned()).unwrap()
    }

    #[test]
    fn only_the_password_itself_is_right() {
        let stored = StoredPassword::of(&typed("correct horse"), [1; 16]).unwrap();
        assert!(stored.is(&typed("correct horse")));
        for other in ["correct hors", "correct horse ", "Correct horse", "x"] {
            assert!(!stored.is(&typed(other)), "{other:?}");
        }
        assert_ne!(stored, StoredPassword::of(&typed("correct horse"), [2; 16]).unwrap());
        assert!(!StoredPassword::decoy([1; 16], [9; 32]).is(&typed("correct horse")));
    }

    #[test]
    fn the_stored_text_reads_back_and_anything_else_does_not() {
        let plain = StoredPassword::of(&typed("one"), [1; 16]).unwrap();
        let hash = "$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
        let wrapped = StoredPassword::wrap(hash, [3; 16]).unwrap();
        for stored in [plain.clone(), wrapped] {
            assert_eq!(StoredPassword::parse(&stored.to_text()), Some(stored));
        }
        let text = plain.to_text();
        let cheaper = text.replace("19456,2,1", "8,1,1");
        for other in ["", "1", &text[1..], &format!("{text}x"), &cheaper, &text.replace("|-", "|bcrypt$31$AAAA")] {
            assert_eq!(StoredPassword::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_typed_is_bounded_and_shown_nowhere() {
        for bad in [String::new(), "a\0b".to_owned(), "x".repeat(MAX + 1)] {
            assert_eq!(Typed::new(bad).unwrap_err(), TooLong);
        }
        assert_eq!(format!("{:?}", typed("hunter2")), "Typed(…)");
        assert_eq!(format!("{:?}", StoredPassword::decoy([0; 16], [0; 32])), "StoredPassword(…)");
    }
}
