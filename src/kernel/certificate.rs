//! The few fields of X.509 that are read here: when a certificate ends, and what names it. Reads DER, verifies nothing.

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

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            // Only that they return matters here.
            let _ = (not_after(&bytes), issuer_and_serial(&bytes));
        }
    }
}
