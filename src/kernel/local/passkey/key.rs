//! The public key of a credential, as authenticators write it (COSE, RFC 9053; WebAuthn §6.5.1).
//!
//! §6.5.1 asks for the canonical CBOR of CTAP2, in which each kind of key has exactly one form: it is read as that form and nothing
//! else, so no CBOR of strangers is parsed.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};

/// The algorithms that are asked for, best first, by their COSE numbers: ES256, Ed25519, and RS256 for TPMs that know no other.
pub const ALGORITHMS: [i32; 3] = [-7, -8, -257];

/// {1: 2, 3: -7, -1: 1, -2: x, -3: y}, up to x.
const ES256: &[u8] = &[0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
/// From x to y.
const ES256_Y: &[u8] = &[0x22, 0x58, 0x20];
/// {1: 1, 3: -8, -1: 6, -2: x}, up to x.
const EDDSA: &[u8] = &[0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20];
/// {1: 3, 3: -257, -1: n, -2: e}, up to the length of n in two bytes.
const RS256: &[u8] = &[0xa4, 0x01, 0x03, 0x03, 0x39, 0x01, 0x00, 0x20, 0x59];
/// From n to e, which is 65537 in every TPM.
const RS256_E: &[u8] = &[0x21, 0x43, 0x01, 0x00, 0x01];

/// A key that verifies.
pub(super) enum CredentialKey {
    Parsed(ParsedPublicKey),
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
}

impl CredentialKey {
    /// One key and nothing after it.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        Self::split(bytes).filter(|(_, rest)| rest.is_empty()).map(|(key, _)| key)
    }

    /// A key and what follows it.
    pub(super) fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        if let Some(rest) = bytes.strip_prefix(ES256) {
            let (x, rest) = rest.split_first_chunk::<32>()?;
            let (y, rest) = rest.strip_prefix(ES256_Y)?.split_first_chunk::<32>()?;
            // SEC 1 §2.3.3, uncompressed; aws-lc checks that the point is on the curve.
            let point = [&[4], x.as_slice(), y].concat();
            return Some((Self::Parsed(ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()?), rest));
        }
        if let Some(rest) = bytes.strip_prefix(EDDSA) {
            let (x, rest) = rest.split_first_chunk::<32>()?;
            return Some((Self::Parsed(ParsedPublicKey::new(&ED25519, x).ok()?), rest));
        }
        let (length, rest) = bytes.strip_prefix(RS256)?.split_first_chunk::<2>()?;
        let (n, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let rest = rest.strip_prefix(RS256_E)?;
        // 2048 to 4096 bits, written without leading zeros.
        let fits = (256..=512).contains(&n.len()) && n.first().is_some_and(|first| *first != 0);
        fits.then(|| (Self::Rsa(RsaPublicKeyComponents { n: n.to_vec(), e: vec![1, 0, 1] }), rest))
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Parsed(key) => key.verify_sig(message, signature).is_ok(),
            Self::Rsa(key) => key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok(),
        }
    }
}
