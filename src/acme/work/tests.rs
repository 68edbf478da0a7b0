//! What is due, from what is kept.

use super::*;
use crate::acme::{AcmeOptions, Ports};
use crate::clock::Clock;
use crate::keys::Kek;
use crate::outbound::{Outbound, OutboundOptions};
use crate::seeing::Seeing;
use crate::store::Sqlite;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;

const HOST: &str = "a.example";
const DIRECTORY: &str = "https://ca.example/directory";

fn wanted(directory: &str) -> Wanted {
    let options = AcmeOptions {
        directory: directory.parse().unwrap(),
        ca_file: None,
        contact: Vec::new(),
        challenges: vec![Challenge::Http],
        external: None,
    };
    let outbound = Outbound::new(OutboundOptions::default()).unwrap();
    Wanted { options, outbound, hosts: vec![HOST.to_owned()] }
}

/// With a certificate for the host that lasts from `issued` days ago to `ends` days ahead.
async fn acme(folder: &tempfile::TempDir, issued: u64, ends: u64) -> Acme {
    let (clock, days) = (Clock::system(), |days: u64| Duration::from_secs(days * 86_400));
    let store = Arc::new(Sqlite::open(&folder.path().join(format!("{issued}-{ends}")), clock.clone()).unwrap());
    let (kek, seeing, issued_here) = (Kek::new([1; 32]), Seeing::new(), Arc::default());
    let ports = Ports { store, kek, clock: clock.clone(), issued: issued_here, seeing };
    let acme = Acme::new(ports, wanted(DIRECTORY));
    let key = KeyPair::generate().unwrap();
    let certificate = Certificate {
        directory: DIRECTORY.to_owned(),
        chain: CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap().pem(),
        key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        issued_at: clock.now().minus(days(issued)),
        ends_at: clock.now().plus(days(ends)),
    };
    let event = acme.event(Action::CertificateIssued, Outcome::Success, HOST);
    acme.vault.put_certificate(HOST, &certificate, None, event).await.unwrap();
    acme.read().await.unwrap();
    acme
}

#[tokio::test]
async fn a_certificate_is_due_by_its_age_by_another_authority_or_by_the_authoritys_wish() {
    let folder = tempfile::tempdir().unwrap();
    let (young, old) = (acme(&folder, 10, 80).await, acme(&folder, 70, 20).await);
    assert!(!young.is_due(HOST, &wanted(DIRECTORY)) && old.is_due(HOST, &wanted(DIRECTORY)), "by its age");
    assert!(young.is_due("b.example", &wanted(DIRECTORY)), "there is none");
    assert!(young.is_due(HOST, &wanted("https://other.example/directory")), "another authority");
    let now = young.clock.now();
    young.advice.note((HOST, 1), Ok(Some(now.plus(Duration::from_secs(3_600)))), Duration::ZERO);
    assert!(!young.is_due(HOST, &wanted(DIRECTORY)), "not yet");
    young.advice.note((HOST, 1), Ok(Some(now)), Duration::ZERO);
    assert!(young.is_due(HOST, &wanted(DIRECTORY)), "its wish");
    // What is kept is served from the first handshake on.
    assert!(young.issued.certificates().contains_key(HOST));
}
