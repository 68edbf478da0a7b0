//! What we are to one provider: a signing key and a decryption key of our own for each directory (rule H20), made at first need and
//! kept sealed in the store.
//!
//! A new pair is announced for a week before it signs, and the pair before it opens what is encrypted to it for a week longer: a
//! provider that reads our metadata once in that time loses no login.

use super::Fault;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, KeyRow, Revocation};
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

/// How long a new pair stands in our metadata before it signs. Providers read metadata once a day or by an admin's hand.
const ANNOUNCED: Duration = Duration::from_secs(7 * 86_400);
/// How long the pair before it still opens what is encrypted to it, from when the new one signs.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Our keys at one provider.
pub(super) struct Own {
    signing: RsaKeyPair,
    /// DER, of the key that signs now.
    pub(super) signing_certificate: Vec<u8>,
    /// DER, of every key that signs or will; the one that signs now comes first.
    pub(super) signing_certificates: Vec<Vec<u8>>,
    pub(super) decryption: DecryptionKeys,
    /// DER, of the keys that providers are offered, the newest first; the key before them may open a while longer.
    pub(super) decryption_certificates: Vec<Vec<u8>>,
}

/// What came of a roll-over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rolled {
    /// The new generation.
    pub generation: u32,
    /// From when on it signs.
    pub signs_from: Timestamp,
    /// Until when the one before it still opens; none where it was taken back at once.
    pub old_until: Option<Timestamp>,
}

/// Which generations are used, by when each was made: the place of the one that signs, and how many live. Newest first.
fn in_force(made: &[Timestamp], now: Timestamp) -> (usize, usize) {
    let Some(newest) = made.first() else { return (0, 0) };
    let signs_from = newest.plus(ANNOUNCED);
    match made.len() {
        1 => (0, 1),
        _ if now < signs_from => (1, 2),
        _ if now < signs_from.plus(KEPT) => (0, 2),
        _ => (0, 1),
    }
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
        if let Some(own) = Self::read(store, kek, directory, now).await? {
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
            Ok(_) => Self::of_records(&[record], 0),
            Err(NotCommitted::Conflict(_)) => {
                let first = Self::read(store, kek, directory, now).await?;
                first.ok_or_else(|| Fault("another node made the keys, and they are not there".into()))
            }
            Err(NotCommitted::Unavailable(fault)) => Err(Fault::of(fault)),
        }
    }

    /// The directory's keys, if it has any.
    pub(super) async fn read(
        store: &dyn Store,
        kek: &Kek,
        directory: DirectoryId,
        now: Timestamp,
    ) -> Result<Option<Self>, Fault> {
        let rows = rows(store, directory).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let made: Vec<Timestamp> = rows.iter().map(|row| row.created_at).collect();
        let (signs, live) = in_force(&made, now);
        let records: Vec<Record> = rows.iter().take(live).map(|row| Record::of(kek, row)).collect::<Result<_, _>>()?;
        Self::of_records(&records, signs).map(Some)
    }

    /// Makes the next pair. `compromised`: the pairs before it are refused from now on, on every node, whatever logins that costs
    /// until the provider has read our metadata (rule M23).
    pub(super) async fn roll(
        (store, kek): (&dyn Store, &Kek),
        directory: DirectoryId,
        called: &str,
        compromised: bool,
        now: Timestamp,
    ) -> Result<Rolled, Fault> {
        let rows = rows(store, directory).await?;
        let made: Vec<Timestamp> = rows.iter().map(|row| row.created_at).collect();
        // Before the last one is over a further one would take away what the provider may still use.
        if !compromised && in_force(&made, now).1 > 1 {
            let signs_from = made.first().map_or(now, |newest| newest.plus(ANNOUNCED));
            let over = signs_from.plus(KEPT);
            return Err(Fault(format!(
                "a new key is announced already: it signs from {signs_from}, the next comes after {over}"
            )));
        }
        let generation = rows.first().map_or(0, |row| row.generation) + 1;
        let called = called.to_owned();
        let record = tokio::task::spawn_blocking(move || Record::make(&called, now)).await.map_err(Fault::of)??;
        let plain = Zeroizing::new(serde_json::to_vec(&record).map_err(Fault::of)?);
        let row = kek.seal_item(&kind(directory), generation, &plain, now).map_err(Fault::of)?;
        let mut rotated = AuditEvent::new(EventId::mint(now, random()), now, Action::KeysRotated, Outcome::Success);
        let kept = if compromised { 0 } else { 1 };
        let dropped: Vec<u32> = rows.iter().skip(kept).map(|row| row.generation).collect();
        rotated.reason = compromised.then(|| "compromised".to_owned());
        rotated.before = Some(serde_json::json!({ "dropped": dropped }));
        rotated.after = Some(serde_json::json!({ "made": [format!("{}#{generation}", row.kind)] }));
        let mut batch = Batch { changes: vec![Change::PutKey(row)], ..Batch::default() };
        let drop = |generation| Change::DropKey { kind: kind(directory), generation };
        batch.changes.extend(dropped.into_iter().map(drop));
        batch.revocations.push(Revocation::Keys);
        batch.events.push(rotated);
        store.commit(batch).await.map_err(Fault::of)?;
        let alone = compromised || made.is_empty();
        let signs_from = if alone { now } else { now.plus(ANNOUNCED) };
        Ok(Rolled { generation, signs_from, old_until: (!alone).then(|| signs_from.plus(KEPT)) })
    }

    /// The newest first; `signs` is the place of the one that signs.
    fn of_records(records: &[Record], signs: usize) -> Result<Self, Fault> {
        let der = |text: &str| STANDARD.decode(text).map(Zeroizing::new).map_err(Fault::of);
        let plain = |text: &str| Ok::<_, Fault>(der(text)?.to_vec());
        let signer = records.get(signs).ok_or_else(|| Fault("a directory has no key that signs".into()))?;
        let signing_certificate = plain(&signer.signing_certificate)?;
        let mut signing_certificates = vec![signing_certificate.clone()];
        // One that signs no more is no longer vouched for.
        for record in records.iter().take(signs) {
            signing_certificates.push(plain(&record.signing_certificate)?);
        }
        let keys: Vec<_> = records.iter().map(|record| der(&record.decryption)).collect::<Result<_, _>>()?;
        // One whose time to open is running out is offered no longer: who reads our metadata late in it would lose logins.
        let certificates = records.iter().take(signs + 1).map(|record| plain(&record.decryption_certificate));
        Ok(Self {
            signing: RsaKeyPair::from_pkcs8(&der(&signer.signing)?).map_err(Fault::of)?,
            signing_certificate,
            signing_certificates,
            decryption: DecryptionKeys::from_pkcs8(keys.iter().map(|key| key.as_slice())).map_err(Fault::of)?,
            decryption_certificates: certificates.collect::<Result<_, _>>()?,
        })
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

/// A directory's generations, the newest first.
async fn rows(store: &dyn Store, directory: DirectoryId) -> Result<Vec<KeyRow>, Fault> {
    let kind = kind(directory);
    let mut rows = store.keys().await.map_err(Fault::of)?;
    rows.retain(|row| row.kind == kind);
    rows.sort_by_key(|row| std::cmp::Reverse(row.generation));
    Ok(rows)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn m23_a_roll_over_keeps_what_is_under_way_and_a_compromised_key_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let kek = Kek::create(&folder.path().join("kek"), [7; 32]).unwrap();
        let store = crate::store::open("sqlite:keys.db", folder.path()).unwrap();
        let (store, directory) = (store.as_ref(), DirectoryId::from_bytes([1; 16]));
        let at = |days: u64| Timestamp::from_seconds(1_800_000_000).plus(Duration::from_secs(days * 86_400));
        let own = async |days| Own::of(store, &kek, directory, "https://id.example", at(days)).await.unwrap();
        let roll = async |days, compromised| {
            Own::roll((store, &kek), directory, "https://id.example", compromised, at(days)).await
        };
        let first = own(0).await;
        let rolled = roll(10, false).await.unwrap();
        assert_eq!((rolled.generation, rolled.signs_from, rolled.old_until), (2, at(17), Some(at(24))));
        // Announced: both stand in the metadata and open, the old one signs.
        let announced = own(10).await;
        assert_eq!(announced.signing_certificate, first.signing_certificate);
        assert_eq!(announced.signing_certificates.len(), 2);
        assert_eq!(announced.decryption_certificates.len(), 2);
        assert_eq!(announced.decryption_certificates[1], first.decryption_certificates[0]);
        // A second one at once would take the first one's week.
        assert!(roll(11, false).await.unwrap_err().to_string().contains("announced already"));
        // In use: the old one only opens.
        let used = own(17).await;
        assert_eq!(used.signing_certificates, [announced.signing_certificates[1].clone()]);
        assert_eq!(used.signing_certificate, announced.signing_certificates[1]);
        assert_eq!(
            used.decryption_certificates,
            announced.decryption_certificates[..1],
            "the old one is offered no longer"
        );
        assert_eq!(used.decryption.count(), 2, "and opens");
        assert!(roll(18, false).await.is_err(), "the old one still opens");
        let over = own(24).await;
        assert_eq!((over.decryption_certificates.len(), over.decryption.count()), (1, 1));
        // Stolen: the new one alone, at once, and the rows of the others are gone.
        let rolled = roll(25, true).await.unwrap();
        assert_eq!((rolled.signs_from, rolled.old_until), (at(25), None));
        let last = own(25).await;
        assert_eq!((last.signing_certificates.len(), last.decryption_certificates.len()), (1, 1));
        assert_ne!(last.signing_certificate, used.signing_certificate);
        assert_eq!(rows(store, directory).await.unwrap().len(), 1);
        store.close().await;
    }

    #[test]
    fn a_new_key_is_announced_then_signs_and_the_old_one_opens_a_while_longer() {
        let at = |days: u64| Timestamp::from_seconds(1_000_000).plus(Duration::from_secs(days * 86_400));
        let just_before = |time: Timestamp| time.minus(Duration::from_millis(1));
        assert_eq!(in_force(&[at(0)], at(3_650)), (0, 1), "a single one signs whatever its age");
        assert_eq!(in_force(&[], at(0)), (0, 0));
        let two = [at(100), at(0)];
        assert_eq!(in_force(&two, at(100)), (1, 2), "the old one signs on");
        assert_eq!(in_force(&two, just_before(at(107))), (1, 2));
        assert_eq!(in_force(&two, at(107)), (0, 2), "the new one signs, the old one opens");
        assert_eq!(in_force(&two, just_before(at(114))), (0, 2));
        assert_eq!(in_force(&two, at(114)), (0, 1), "the old one is over");
        // A third is made when the second signs alone; whatever is older has no say.
        assert_eq!(in_force(&[at(200), at(100), at(0)], at(203)), (1, 2));
    }
}
