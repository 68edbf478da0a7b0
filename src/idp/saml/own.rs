//! What we are to one provider: a signing key and a decryption key of our own for each directory (rule H20), made at first need and
//! kept sealed in the store.

use super::Fault;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, KeyRow};
use crate::kernel::saml::DecryptionKeys;
use crate::kernel::values::{DirectoryId, EventId, Timestamp};
use crate::keys::Kek;
use crate::store::{NotCommitted, Store};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Datelike as _, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, PKCS_RSA_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// Rows of keys, each `saml.keys.` and the directory's id.
const KIND: &str = "saml.keys.";
/// How long our certificates say that they hold. Providers that look at the dates must not stop logins by themselves.
const LIFE: Duration = Duration::from_secs(20 * 365 * 86_400);

/// Our keys at one provider.
pub(super) struct Own {
    signing: RsaKeyPair,
    /// DER.
    pub(super) signing_certificate: Vec<u8>,
    pub(super) decryption: DecryptionKeys,
    /// DER.
    pub(super) decryption_certificate: Vec<u8>,
}

/// As it stands in its sealed row: base64 of DER.
#[derive(Deserialize, Serialize)]
struct Record {
    signing: String,
    signing_certificate: String,
    decryption: String,
    decryption_certificate: String,
}

impl Own {
    /// The directory's keys; made when there are none. Of two nodes that make them at once, one is first.
    pub(super) async fn of(
        store: &dyn Store,
        kek: &Kek,
        directory: DirectoryId,
        called: &str,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        if let Some(own) = Self::read(store, kek, directory).await? {
            return Ok(own);
        }
        let called = called.to_owned();
        let made = tokio::task::spawn_blocking(move || Record::make(&called, now)).await;
        let record = made.map_err(Fault::of)??;
        let plain = Zeroizing::new(serde_json::to_vec(&record).map_err(Fault::of)?);
        let row = kek.seal_item(&kind(directory), 1, &plain, now).map_err(Fault::of)?;
        let name = format!("{}#{}", row.kind, row.generation);
        let mut rotated = AuditEvent::new(EventId::mint(now, random()), now, Action::KeysRotated, Outcome::Success);
        rotated.after = Some(serde_json::json!({ "made": [name] }));
        let mut batch = Batch { changes: vec![Change::PutKey(row)], ..Batch::default() };
        batch.events.push(rotated);
        match store.commit(batch).await {
            Ok(_) => record.open(),
            Err(NotCommitted::Conflict(_)) => {
                let first = Self::read(store, kek, directory).await?;
                first.ok_or_else(|| Fault("another node made the keys, and they are not there".into()))
            }
            Err(NotCommitted::Unavailable(fault)) => Err(Fault::of(fault)),
        }
    }

    /// The directory's keys, if it has any.
    pub(super) async fn read(store: &dyn Store, kek: &Kek, directory: DirectoryId) -> Result<Option<Self>, Fault> {
        let kind = kind(directory);
        let rows = store.keys().await.map_err(Fault::of)?;
        let newest = rows.iter().filter(|row| row.kind == kind).max_by_key(|row| row.generation);
        newest.map(|row| Record::of(kek, row)?.open()).transpose()
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256, which every provider reads.
    #[expect(
        clippy::disallowed_methods,
        reason = "the library wants a source of randomness, and this signature draws nothing"
    )]
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut signature = vec![0; self.signing.public_modulus_len()];
        self.signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(Fault::of)?;
        Ok(signature)
    }
}

fn kind(directory: DirectoryId) -> String {
    format!("{KIND}{directory}")
}

impl Drop for Record {
    fn drop(&mut self) {
        self.signing.zeroize();
        self.decryption.zeroize();
    }
}

impl Record {
    /// Two new keys of 2048 bits with certificates that only carry them. Takes a while.
    fn make(called: &str, now: Timestamp) -> Result<Self, Fault> {
        let (signing, signing_certificate) = pair(called, now)?;
        let (decryption, decryption_certificate) = pair(called, now)?;
        Ok(Self { signing, signing_certificate, decryption, decryption_certificate })
    }

    fn of(kek: &Kek, row: &KeyRow) -> Result<Self, Fault> {
        let plain = kek.open_item(row).map_err(Fault::of)?;
        // The words of a JSON error could quote what was sealed.
        serde_json::from_slice(&plain).map_err(|_| Fault(format!("{} does not read", row.kind)))
    }

    fn open(&self) -> Result<Own, Fault> {
        let der = |text: &str| STANDARD.decode(text).map(Zeroizing::new).map_err(Fault::of);
        let (signing, decryption) = (der(&self.signing)?, der(&self.decryption)?);
        Ok(Own {
            signing: RsaKeyPair::from_pkcs8(&signing).map_err(Fault::of)?,
            signing_certificate: der(&self.signing_certificate)?.to_vec(),
            decryption: DecryptionKeys::from_pkcs8([decryption.as_slice()]).map_err(Fault::of)?,
            decryption_certificate: der(&self.decryption_certificate)?.to_vec(),
        })
    }
}

fn pair(called: &str, now: Timestamp) -> Result<(String, String), Fault> {
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(Fault::of)?;
    let der: Pkcs8V1Der<'_> = key.as_der().map_err(Fault::of)?;
    let document = PrivatePkcs8KeyDer::from(der.as_ref().to_vec());
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&document, &PKCS_RSA_SHA256).map_err(Fault::of)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, called);
    let (begin, end) = (day(now), day(now.plus(LIFE)));
    if let (Some((year, month, date)), Some((end_year, end_month, end_date))) = (begin, end) {
        parameters.not_before = rcgen::date_time_ymd(year, month, date);
        parameters.not_after = rcgen::date_time_ymd(end_year, end_month, end_date);
    }
    let certificate = parameters.self_signed(&key).map_err(Fault::of)?;
    Ok((STANDARD.encode(der.as_ref()), STANDARD.encode(certificate.der())))
}

fn day(at: Timestamp) -> Option<(i32, u8, u8)> {
    let date = DateTime::<Utc>::from_timestamp(at.seconds(), 0)?;
    Some((date.year(), u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?))
}
