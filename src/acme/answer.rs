//! What an authority is shown: from the record in the store, on every node the same.

use super::Challenge;
use super::fault::Fault;
use super::vault::AnswerRecord;
use crate::web::issued::Answer;
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The most that a token may have; real ones have 43 characters.
const TOKEN: usize = 256;

/// Whether a token may stand in a path (RFC 8555 §8.3: base64url, at least 128 bits).
pub(super) fn is_token(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    plain && (22..=TOKEN).contains(&text.len())
}

/// What is served for a record.
pub(super) fn served(record: &AnswerRecord) -> Result<Answer, Fault> {
    let host = record.host.clone();
    match record.challenge {
        Challenge::Http => Ok(Answer::Http { host, token: record.token.clone(), text: record.text.clone() }),
        Challenge::TlsAlpn => {
            let certificate = Arc::new(certificate(&host, &record.text)?);
            Ok(Answer::Tls { host, certificate })
        }
    }
}

/// RFC 8737 §3: self-signed, the one name, and the digest of the key authorization in a critical extension.
fn certificate(host: &str, text: &str) -> Result<CertifiedKey, Fault> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let digest = digest(&SHA256, text.as_bytes());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest.as_ref())];
    let certificate = params.self_signed(&key)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = any_supported_type(&key).map_err(|why| Fault::Key(why.to_string()))?;
    // Not `from_der`: that reads the certificate as a client would, and no client knows the critical extension.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_plain_and_long_enough() {
        let good = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
        assert!(is_token(good));
        for bad in
            ["", "short", "../../../../etc/passwd-and-more", "evaGxfADs6pSRb2LAv9IZf17\r\nX: y", &"a".repeat(257)]
        {
            assert!(!is_token(bad), "{bad}");
        }
    }

    #[test]
    fn the_certificate_says_the_digest_in_a_critical_extension() {
        let record = |text: &str| AnswerRecord {
            host: "a.example".to_owned(),
            challenge: Challenge::TlsAlpn,
            token: String::new(),
            text: text.to_owned(),
        };
        let der = |text: &str| match served(&record(text)).unwrap() {
            Answer::Tls { certificate, .. } => certificate.cert[0].to_vec(),
            Answer::Http { .. } => panic!("not asked for"),
        };
        let digest = digest(&SHA256, b"token.thumb");
        // id-pe-acmeIdentifier, critical, an octet string in an octet string.
        let id = [6, 8, 0x2b, 6, 1, 5, 5, 7, 1, 0x1f, 1, 1, 0xff, 4, 34, 4, 32];
        let expected = [&id[..], digest.as_ref()].concat();
        let has = |der: &[u8]| der.windows(expected.len()).any(|window| window == expected);
        assert!(has(&der("token.thumb")) && !has(&der("another")));
    }
}
