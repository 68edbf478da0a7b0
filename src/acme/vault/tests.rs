//! The rows in a real store.

use super::*;
use crate::clock::Clock;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::values::EventId;
use crate::store::Sqlite;

#[tokio::test]
async fn what_is_kept_reads_back_and_goes_when_it_is_spent() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&folder.path().join("db"), Clock::system()).unwrap());
    let vault = Vault { store: Arc::<Sqlite>::clone(&store), kek: Kek::new([1; 32]) };
    let at = Timestamp::from_seconds;
    for (host, end) in [("a.example", 100), ("b.example", 300), ("c.example", 100)] {
        let certificate = Certificate {
            directory: "https://ca.example/".to_owned(),
            chain: "chain".to_owned(),
            key: PrivatePkcs8KeyDer::from(vec![7; 40]),
            issued_at: at(1),
            ends_at: at(end),
        };
        let event = AuditEvent::new(EventId::mint(at(1), [1; 10]), at(1), Action::CertificateIssued, Outcome::Success);
        vault.put_certificate(host, &certificate, None, event).await.unwrap();
    }
    let marker = vault.marker().await.unwrap();
    let contents = vault.read(at(200)).await.unwrap();
    let kept = &contents.certificates["b.example"];
    assert_eq!((kept.generation, kept.value.ends_at, kept.value.key.secret_pkcs8_der()), (1, at(300), &[7; 40][..]));
    // One is wanted, one has not ended, one goes.
    vault.drop_spent(&contents, &["a.example".to_owned()], at(200)).await.unwrap();
    let contents = vault.read(at(200)).await.unwrap();
    let mut left: Vec<&String> = contents.certificates.keys().collect();
    left.sort();
    assert_eq!(left, ["a.example", "b.example"]);
    assert_ne!(vault.marker().await.unwrap(), marker, "other nodes see that something changed");
    let stranger = Vault { store, kek: Kek::new([2; 32]) };
    assert!(stranger.read(at(200)).await.unwrap().certificates.is_empty(), "another key-encryption key opens nothing");
}

#[tokio::test]
async fn an_answer_with_a_token_that_is_no_token_is_not_kept_and_others_are_forgotten_in_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&folder.path().join("db"), Clock::system()).unwrap());
    let vault = Vault { store, kek: Kek::new([1; 32]) };
    let (at, count) = (Timestamp::from_seconds, async |now| vault.read(now).await.unwrap().answers.len());
    let record = |token: &str| AnswerRecord {
        host: "a.example".to_owned(),
        challenge: Challenge::Http,
        token: token.to_owned(),
        text: "text".to_owned(),
    };
    assert!(vault.put_answer(&record("../../etc/passwd-and-so-on"), at(1)).await.is_err());
    vault.put_answer(&record(&"a".repeat(43)), at(1)).await.unwrap();
    vault.put_answer(&record(&"b".repeat(43)), at(2)).await.unwrap();
    assert_eq!((count(at(3_600)).await, count(at(3_601)).await, count(at(3_602)).await), (2, 1, 0));
    vault.drop_answers("b.example", at(5)).await.unwrap();
    assert_eq!(count(at(5)).await, 2, "another name's");
    vault.drop_answers("b.example", at(3_601)).await.unwrap();
    assert_eq!(count(at(5)).await, 1, "nobody took it away in time");
    vault.drop_answers("a.example", at(5)).await.unwrap();
    assert_eq!(count(at(5)).await, 0);
}
