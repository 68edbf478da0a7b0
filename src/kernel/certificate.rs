//! When a certificate ends: the one field of X.509 that is read here. Reads DER, verifies nothing.

use super::values::Timestamp;
use chrono::NaiveDateTime;

/// `notAfter` of a DER certificate (RFC 5280 §4.1.2.5), `None` for what does not read.
pub fn not_after(der: &[u8]) -> Option<Timestamp> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // version [0] (absent in v1), serial number, signature algorithm, issuer, then the validity.
    if rest.first() == Some(&0xa0) {
        rest = element(rest)?.2;
    }
    for _ in 0..3 {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
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

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = not_after(&bytes); // only that it returns matters here
        }
    }
}
