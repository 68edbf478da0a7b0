//! The few fields of X.509 that are read here: when a certificate ends, what names it, and its key. Reads DER, verifies nothing.

use super::values::Timestamp;
use chrono::NaiveDateTime;

/// `id-ce-authorityKeyIdentifier` (RFC 5280 §4.2.1.1).
const AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];

/// `notAfter` of a DER certificate (RFC 5280 §4.1.2.5), `None` for what does not read.
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    // After the serial number: signature algorithm, issuer, then the validity.
    let (_, rest) = serial(der)?;
    let (_, validity, _) = element(skip(rest, 2)?)?;
    let (kind, text, _) = element(element(validity)?.2)?;
    let text = std::str::from_utf8(text).ok()?;
    let full = match kind {
        // UTCTime: two digits of the year, 1950 to 2049.
        0x17 => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        0x18 => text.to_owned(),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()?;
    Some(Timestamp::from_seconds(time.and_utc().timestamp()))
}

/// The key identifier of who issued it, and its serial number as DER writes it: what names a certificate at its authority
/// (RFC 9773 §4.1). `None` for what does not read or has no key identifier.
pub fn issuer_and_serial(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (serial, rest) = serial(der)?;
    // Signature algorithm, issuer, validity, subject, public key; then what is optional, extensions last.
    let mut rest = skip(rest, 5)?;
    loop {
        let (tag, content, after) = element(rest)?;
        if tag == 0xa3 {
            return Some((authority_key(element(content)?.1)?, serial));
        }
        rest = after;
    }
}

/// The public key of a DER certificate, as a whole SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). `None` for what does not read.
pub fn public_key(der: &[u8]) -> Option<&[u8]> {
    // After the serial number: signature algorithm, issuer, validity, subject, then the key.
    let rest = skip(serial(der)?.1, 4)?;
    let (tag, _, after) = element(rest)?;
    (tag == 0x30).then(|| rest.get(..rest.len() - after.len())).flatten()
}

/// The kind of a public key in a SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyKind {
    /// RSA (RFC 3279 §2.3.1), with the bits of its modulus.
    Rsa(usize),
    /// ECDSA on P-256 (RFC 5480 §2.1.1.1).
    P256,
    /// ECDSA on P-384.
    P384,
}

/// `rsaEncryption`.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `id-ecPublicKey`.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// `secp256r1`.
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `secp384r1`.
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// Of which kind a SubjectPublicKeyInfo is; `None` for others, and for what does not read.
pub fn key_kind(info: &[u8]) -> Option<KeyKind> {
    let (_, algorithm, key) = element(element(info)?.1)?;
    let (_, id, parameters) = element(algorithm)?;
    if id == RSA {
        let (_, bits, _) = element(key)?;
        let (_, modulus, _) = element(element(bits.split_first()?.1)?.1)?;
        let (zeros, first) = modulus.iter().enumerate().find(|(_, byte)| **byte != 0)?;
        let bits = (modulus.len() - zeros) * 8 - usize::try_from(first.leading_zeros()).ok()?;
        return Some(KeyKind::Rsa(bits));
    }
    let curve = (id == EC).then(|| element(parameters)).flatten()?.1;
    match curve {
        SECP256R1 => Some(KeyKind::P256),
        SECP384R1 => Some(KeyKind::P384),
        _ => None,
    }
}

/// The key identifier in a list of extensions.
fn authority_key(mut extensions: &[u8]) -> Option<&[u8]> {
    loop {
        let (_, extension, after) = element(extensions)?;
        let (_, id, mut value) = element(extension)?;
        if id == AUTHORITY_KEY {
            if value.first() == Some(&0x01) {
                value = skip(value, 1)?; // critical
            }
            let (_, identifier, _) = element(element(value)?.1)?;
            let (tag, key, _) = element(identifier)?;
            return (tag == 0x80).then_some(key);
        }
        extensions = after;
    }
}

/// The serial number, and what follows it.
fn serial(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // version [0], absent in v1
    if rest.first() == Some(&0xa0) {
        rest = skip(rest, 1)?;
    }
    let (_, serial, rest) = element(rest)?;
    Some((serial, rest))
}

fn skip(der: &[u8], count: usize) -> Option<&[u8]> {
    (0..count).try_fold(der, |rest, _| element(rest).map(|(_, _, rest)| rest))
}

/// The first element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_end_in_both_forms_of_time() {
        for (year, expected) in [(2031, "2031-05-06T00:00:00.000Z"), (2060, "2060-05-06T00:00:00.000Z")] {
            let mut parameters = rcgen::CertificateParams::new(vec!["op.example".to_owned()]).unwrap();
            parameters.not_after = rcgen::date_time_ymd(year, 5, 6);
            let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(certificate.der()).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn rfc9773_a_certificate_is_named_by_its_issuers_key_and_its_serial_number() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![0x69, 0x88, 0x5b, 0x6b]);
        let issuer = rcgen::Issuer::new(authority, key);
        let mut parameters = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        parameters.use_authority_key_identifier_extension = true;
        // The leading zero keeps it positive and counts.
        parameters.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
        let leaf = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&leaf, &issuer).unwrap();
        let found = issuer_and_serial(certificate.der()).unwrap();
        assert_eq!(found, (&[0x69, 0x88, 0x5b, 0x6b][..], &[0, 0x87, 0x65, 0x43, 0x21][..]));
        let alone = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap().self_signed(&leaf).unwrap();
        assert_eq!(issuer_and_serial(alone.der()), None, "no key identifier");
    }

    #[test]
    fn a_key_is_found_in_its_certificate_and_its_kind_is_named() {
        for (algorithm, kind) in
            [(&rcgen::PKCS_ECDSA_P256_SHA256, KeyKind::P256), (&rcgen::PKCS_ECDSA_P384_SHA384, KeyKind::P384)]
        {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
            let info = public_key(certificate.der()).unwrap();
            assert_eq!(info, rcgen::PublicKeyData::subject_public_key_info(&key));
            assert_eq!(key_kind(info), Some(kind));
        }
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert_eq!(key_kind(&rcgen::PublicKeyData::subject_public_key_info(&key)), None);
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
        assert_eq!(key_kind(&rcgen::PublicKeyData::subject_public_key_info(&key)), Some(KeyKind::Rsa(2048)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            // Only that they return matters here.
            let _ = (not_after(&bytes), issuer_and_serial(&bytes), public_key(&bytes), key_kind(&bytes));
        }
    }
}
