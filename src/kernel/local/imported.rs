//! The hashes that products bring: read, capped (rule H18) and computed again for the password that somebody types.
//!
//! A hash is never kept as it came: [`StoredPassword::wrap`](super::StoredPassword::wrap) puts argon2id over it. What rests is the
//! [`Scheme`], its parameters and salt.

use super::password::Typed;
use aws_lc_rs::pbkdf2;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD_NO_PAD};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

/// Why an imported hash is refused. It carries nothing of the hash.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotImportable {
    /// None of the known spellings.
    #[error(
        "not a known hash: bcrypt ($2b$…), argon2 ($argon2id$…), scrypt ($scrypt$ln=…) or PBKDF2 ($pbkdf2-sha256$…)"
    )]
    Unknown,
    /// A known spelling with parts that do not parse.
    #[error("a damaged hash")]
    Damaged,
    /// It would cost more to check than a login may cost: a hostile row is a denial of service (rule H18).
    #[error("too costly: bcrypt up to 14, PBKDF2 up to 2,000,000 rounds, argon2 and scrypt up to 256 MiB")]
    TooCostly,
}

/// The most that bcrypt may cost (rule H18).
const MAX_BCRYPT: u32 = 14;
/// The most rounds of PBKDF2 (rule H18).
const MAX_ROUNDS: u32 = 2_000_000;
/// The most memory of argon2 and scrypt in KiB (rule H18).
const MAX_KIB: u64 = 256 * 1024;
/// The most passes times memory in KiB, and the most lanes: memory alone does not bound the time.
const MAX_WORK: u64 = 1024 * 1024;
const MAX_LANES: u32 = 16;
/// Longer salts and digests than any library writes.
const MAX_PART: usize = 128;

/// How an imported hash was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// `$2a$`, `$2b$`, `$2y$`: the password up to 72 bytes with its NUL.
    Bcrypt {
        /// log2 of its rounds.
        cost: u32,
        /// Its salt.
        salt: [u8; 16],
    },
    /// RFC 7914.
    Scrypt {
        /// log2 of N.
        log_n: u8,
        /// Block size.
        r: u32,
        /// Parallelization.
        p: u32,
        /// Its salt.
        salt: Vec<u8>,
        /// Bytes of its digest.
        length: usize,
    },
    /// RFC 8018.
    Pbkdf2 {
        /// 1, 256 or 512.
        sha: u16,
        /// Rounds.
        rounds: NonZeroU32,
        /// Its salt.
        salt: Vec<u8>,
        /// Bytes of its digest.
        length: usize,
    },
    /// RFC 9106.
    Argon2 {
        /// `d`, `i` or `id`.
        variant: argon2::Algorithm,
        /// 0x10 or 0x13.
        version: argon2::Version,
        /// Memory in KiB.
        memory: u32,
        /// Passes.
        passes: u32,
        /// Lanes.
        lanes: u32,
        /// Its salt.
        salt: Vec<u8>,
        /// Bytes of its digest.
        length: usize,
    },
}

/// What a hash said: how it was made, and its digest.
pub(super) type Read = (Scheme, Zeroizing<Vec<u8>>);

/// Reads a hash in the spellings of PHC strings, crypt(3), passlib and Django.
pub(super) fn read(hash: &str) -> Result<Read, NotImportable> {
    let parts: Vec<&str> = hash.trim_ascii().split('$').collect();
    match parts.as_slice() {
        ["", "2a" | "2b" | "2y", cost, rest] => bcrypt(cost, rest),
        ["", "argon2d" | "argon2i" | "argon2id", ..] => argon2(&parts),
        ["", "scrypt", parameters, salt, digest] => scrypt(parameters, salt, digest),
        ["", kind, rounds, salt, digest] if kind.starts_with("pbkdf2") => {
            let sha = match kind.strip_prefix("pbkdf2") {
                Some("" | "-sha1") => 1,
                Some("-sha256") => 256,
                Some("-sha512") => 512,
                _ => return Err(NotImportable::Unknown),
            };
            // passlib writes the number alone, PHC strings `i=…,l=…`.
            let rounds = rounds.strip_prefix("i=").and_then(|rest| rest.split(',').next()).unwrap_or(rounds);
            pbkdf2_of(sha, rounds, unpadded(salt)?, unpadded(digest)?)
        }
        [kind @ ("pbkdf2_sha1" | "pbkdf2_sha256"), rounds, salt, digest] => {
            let sha = if *kind == "pbkdf2_sha1" { 1 } else { 256 };
            pbkdf2_of(sha, rounds, salt.as_bytes().to_vec(), unpadded(digest)?)
        }
        _ => Err(NotImportable::Unknown),
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, NotImportable> {
    if text.starts_with('+') { Err(NotImportable::Damaged) } else { text.parse().map_err(|_| NotImportable::Damaged) }
}

/// Base64 with or without padding, with `.` for `+` as passlib writes it.
fn unpadded(text: &str) -> Result<Vec<u8>, NotImportable> {
    let text = text.trim_end_matches('=').replace('.', "+");
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|_| NotImportable::Damaged)?;
    if bytes.len() > MAX_PART { Err(NotImportable::Damaged) } else { Ok(bytes) }
}

fn bcrypt(cost: &str, rest: &str) -> Result<Read, NotImportable> {
    let cost: u32 = number(cost)?;
    if cost > MAX_BCRYPT {
        return Err(NotImportable::TooCostly);
    }
    let (salt, digest) = rest.split_at_checked(22).ok_or(NotImportable::Damaged)?;
    // The spare bits of the last digit are whatever the library left there.
    let lax = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let engine = GeneralPurpose::new(&alphabet::BCRYPT, lax);
    let bytes = |text: &str| engine.decode(text).map_err(|_| NotImportable::Damaged);
    let salt = <[u8; 16]>::try_from(bytes(salt)?).map_err(|_| NotImportable::Damaged)?;
    let digest = Zeroizing::new(bytes(digest)?);
    let whole = cost >= 4 && digest.len() == 23;
    if whole { Ok((Scheme::Bcrypt { cost, salt }, digest)) } else { Err(NotImportable::Damaged) }
}

fn argon2(parts: &[&str]) -> Result<Read, NotImportable> {
    let (variant, version, parameters, salt, digest) = match parts {
        ["", variant, version, parameters, salt, digest] => {
            let version = version.strip_prefix("v=").ok_or(NotImportable::Damaged)?;
            (variant, number::<u32>(version)?, parameters, salt, digest)
        }
        ["", variant, parameters, salt, digest] => (variant, 0x10, parameters, salt, digest),
        _ => return Err(NotImportable::Damaged),
    };
    let [memory, passes, lanes] = parameters_of(parameters, ["m", "t", "p"])?;
    let digest = Zeroizing::new(unpadded(digest)?);
    let scheme = Scheme::Argon2 {
        variant: argon2::Algorithm::new(variant).map_err(|_| NotImportable::Unknown)?,
        version: argon2::Version::try_from(version).map_err(|_| NotImportable::Unknown)?,
        memory,
        passes,
        lanes,
        salt: unpadded(salt)?,
        length: digest.len(),
    };
    scheme.within_caps().map(|scheme| (scheme, digest))
}

fn scrypt(parameters: &str, salt: &str, digest: &str) -> Result<Read, NotImportable> {
    let [log_n, r, p] = parameters_of(parameters, ["ln", "r", "p"])?;
    let log_n = u8::try_from(log_n).map_err(|_| NotImportable::TooCostly)?;
    let digest = Zeroizing::new(unpadded(digest)?);
    let scheme = Scheme::Scrypt { log_n, r, p, salt: unpadded(salt)?, length: digest.len() };
    scheme.within_caps().map(|scheme| (scheme, digest))
}

fn pbkdf2_of(sha: u16, rounds: &str, salt: Vec<u8>, digest: Vec<u8>) -> Result<Read, NotImportable> {
    let rounds = NonZeroU32::new(number(rounds)?).ok_or(NotImportable::Damaged)?;
    let scheme = Scheme::Pbkdf2 { sha, rounds, salt, length: digest.len() };
    scheme.within_caps().map(|scheme| (scheme, Zeroizing::new(digest)))
}

/// `m=65536,t=3,p=4` by these names in this order.
fn parameters_of(text: &str, names: [&str; 3]) -> Result<[u32; 3], NotImportable> {
    let mut found = [0; 3];
    let mut given = text.split(',');
    for (place, name) in found.iter_mut().zip(names) {
        let value = given.next().and_then(|part| part.strip_prefix(name)?.strip_prefix('='));
        *place = number(value.ok_or(NotImportable::Damaged)?)?;
    }
    if given.next().is_some() { Err(NotImportable::Damaged) } else { Ok(found) }
}

impl Scheme {
    /// Refuses what costs more than a login may (rule H18), and what its library would refuse later.
    fn within_caps(self) -> Result<Self, NotImportable> {
        let (dear, sound) = match &self {
            Self::Bcrypt { cost, .. } => (*cost > MAX_BCRYPT, *cost >= 4),
            Self::Scrypt { log_n, r, p, length, .. } => {
                let kib = 1_u64.checked_shl(u32::from(*log_n)).map(|n| n.saturating_mul(u64::from(*r)) / 8);
                let work = kib.map(|kib| kib.saturating_mul(u64::from(*p)));
                let dear = *log_n > 30 || *r > 1024 || kib.is_none_or(|kib| kib > MAX_KIB);
                let dear = dear || *p > MAX_LANES || work.is_none_or(|work| work > MAX_WORK);
                (dear, *log_n > 0 && *r > 0 && *p > 0 && (16..=MAX_PART).contains(length))
            }
            Self::Pbkdf2 { rounds, length, .. } => {
                // A digest longer than its hash's costs one more run of all rounds for each block.
                (rounds.get() > MAX_ROUNDS, (16..=64).contains(length))
            }
            Self::Argon2 { memory, passes, lanes, salt, length, .. } => {
                let work = u64::from(*memory).saturating_mul(u64::from(*passes));
                let dear = u64::from(*memory) > MAX_KIB || work > 4 * MAX_WORK || *lanes > MAX_LANES;
                let sound = salt.len() >= 8 && (16..=MAX_PART).contains(length);
                (dear, sound && argon2::Params::new(*memory, *passes, (*lanes).max(1), None).is_ok() && *lanes > 0)
            }
        };
        match (dear, sound) {
            (true, _) => Err(NotImportable::TooCostly),
            (false, false) => Err(NotImportable::Damaged),
            (false, true) => Ok(self),
        }
    }

    /// The digest that this scheme makes of a password. Nothing where a library refuses its parameters, which [`read`] excludes.
    pub(super) fn digest(&self, typed: &Typed) -> Option<Zeroizing<Vec<u8>>> {
        let password = typed.bytes();
        match self {
            Self::Bcrypt { cost, salt } => {
                let mut key = Zeroizing::new(password.to_vec());
                key.push(0);
                key.truncate(72);
                Some(Zeroizing::new(bcrypt::bcrypt(*cost, *salt, &key).get(..23)?.to_vec()))
            }
            Self::Scrypt { log_n, r, p, salt, length } => {
                let parameters = scrypt::Params::new(*log_n, *r, *p).ok()?;
                let mut out = Zeroizing::new(vec![0; *length]);
                scrypt::scrypt(password, salt, &parameters, &mut out).ok()?;
                Some(out)
            }
            Self::Pbkdf2 { sha, rounds, salt, length } => {
                let algorithm = match sha {
                    1 => pbkdf2::PBKDF2_HMAC_SHA1,
                    256 => pbkdf2::PBKDF2_HMAC_SHA256,
                    _ => pbkdf2::PBKDF2_HMAC_SHA512,
                };
                let mut out = Zeroizing::new(vec![0; *length]);
                pbkdf2::derive(algorithm, *rounds, salt, password, &mut out);
                Some(out)
            }
            Self::Argon2 { variant, version, memory, passes, lanes, salt, length } => {
                let parameters = argon2::Params::new(*memory, *passes, *lanes, Some(*length)).ok()?;
                let mut out = Zeroizing::new(vec![0; *length]);
                let hasher = argon2::Argon2::new(*variant, *version, parameters);
                hasher.hash_password_into(password, salt, &mut out).ok()?;
                Some(out)
            }
        }
    }

    /// Reads what `Display` wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let salted = |salt: &str| URL_SAFE_NO_PAD.decode(salt).ok();
        let scheme = match parts.as_slice() {
            ["bcrypt", cost, salt] => {
                Self::Bcrypt { cost: cost.parse().ok()?, salt: <[u8; 16]>::try_from(salted(salt)?).ok()? }
            }
            ["scrypt", log_n, r, p, salt, length] => Self::Scrypt {
                log_n: log_n.parse().ok()?,
                r: r.parse().ok()?,
                p: p.parse().ok()?,
                salt: salted(salt)?,
                length: length.parse().ok()?,
            },
            ["pbkdf2", sha, rounds, salt, length] => Self::Pbkdf2 {
                sha: sha.parse().ok()?,
                rounds: rounds.parse().ok()?,
                salt: salted(salt)?,
                length: length.parse().ok()?,
            },
            ["argon2", variant, version, memory, passes, lanes, salt, length] => Self::Argon2 {
                variant: argon2::Algorithm::new(variant).ok()?,
                version: argon2::Version::try_from(version.parse::<u32>().ok()?).ok()?,
                memory: memory.parse().ok()?,
                passes: passes.parse().ok()?,
                lanes: lanes.parse().ok()?,
                salt: salted(salt)?,
                length: length.parse().ok()?,
            },
            _ => return None,
        };
        scheme.within_caps().ok()
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |salt: &[u8]| URL_SAFE_NO_PAD.encode(salt);
        match self {
            Self::Bcrypt { cost, salt } => write!(f, "bcrypt${cost}${}", text(salt)),
            Self::Scrypt { log_n, r, p, salt, length } => write!(f, "scrypt${log_n}${r}${p}${}${length}", text(salt)),
            Self::Pbkdf2 { sha, rounds, salt, length } => write!(f, "pbkdf2${sha}${rounds}${}${length}", text(salt)),
            Self::Argon2 { variant, version, memory, passes, lanes, salt, length } => {
                let (variant, version, salt) = (variant.as_str(), u32::from(*version), text(salt));
                write!(f, "argon2${variant}${version}${memory}${passes}${lanes}${salt}${length}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
