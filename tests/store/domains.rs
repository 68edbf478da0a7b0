//! The port's definition of domains' proofs.

use super::fixtures::*;
use fedgate::kernel::domain::{ClaimMode, DomainProof, ProofMethod, State};
use fedgate::kernel::journal::domain::DomainChange;
use fedgate::kernel::journal::{Batch, Change};
use fedgate::kernel::values::{DomainName, OrgName, Timestamp};
use fedgate::store::{Conflict, NotCommitted, Store};
use std::sync::Arc;

type AnyStore = Arc<dyn Store>;

const LOST: Result<(), NotCommitted> = Err(NotCommitted::Conflict(Conflict::Row));

fn proof(org: &str, domain: &str) -> DomainProof {
    let of = (OrgName::parse(org).unwrap(), DomainName::parse(domain).unwrap());
    DomainProof::added(of, format!("token of {org} {domain}"), ClaimMode::Auto, Timestamp::from_seconds(5))
}

async fn commit(store: &AnyStore, change: DomainChange) -> Result<(), NotCommitted> {
    store.commit(changes([Change::Domain(change)])).await.map(|_| ())
}

async fn read(store: &AnyStore, proof: &DomainProof) -> DomainProof {
    store.domain_proof(&proof.org, &proof.domain).await.unwrap().unwrap()
}

pub async fn a_proof_reads_back_as_written(store: AnyStore) {
    let (acme, other) = (proof("acme", "acme.com"), proof("globex", "acme.com"));
    for one in [&acme, &other] {
        commit(&store, DomainChange::Add(one.clone())).await.unwrap();
    }
    assert_eq!(store.domain_proofs().await.unwrap(), [acme.clone(), other], "two organizations may try");
    assert_eq!(commit(&store, DomainChange::Add(acme.clone())).await, LOST, "one row for each");
    let at = |seconds| Some(Timestamp::from_seconds(seconds));
    let full = DomainProof {
        state: State::AtRisk,
        claim: ClaimMode::None,
        method: Some(ProofMethod::Https),
        seen_at: at(1),
        verified_at: at(2),
        claimed_at: at(3),
        last_ok_at: at(4),
        failing_since: at(5),
        due_since: at(6),
        checked_at: at(7),
        next_check_at: Timestamp::from_seconds(8),
        version: 1,
        mac: [9; 32],
        ..acme.clone()
    };
    commit(&store, DomainChange::Put(full.clone())).await.unwrap();
    assert_eq!(read(&store, &acme).await, full);
    let none = store.domain_proof(&acme.org, &DomainName::parse("acme.de").unwrap()).await.unwrap();
    assert_eq!(none, None);
}

pub async fn of_two_nodes_one_writes_a_proof(store: AnyStore) {
    let acme = proof("acme", "acme.com");
    let put = |version, seconds| {
        let next_check_at = Timestamp::from_seconds(seconds);
        DomainChange::Put(DomainProof { version, next_check_at, ..acme.clone() })
    };
    commit(&store, DomainChange::Add(acme.clone())).await.unwrap();
    commit(&store, put(1, 500)).await.unwrap();
    assert_eq!(commit(&store, put(1, 600)).await, LOST, "the other node read the same row");
    assert_eq!(commit(&store, put(3, 600)).await, LOST);
    let leased = read(&store, &acme).await;
    assert_eq!((leased.version, leased.next_check_at), (1, Timestamp::from_seconds(500)));
    let next = DomainProof { version: 2, ..leased };
    assert_eq!(
        commit(&store, DomainChange::Put(DomainProof { token: "other".to_owned(), ..next.clone() })).await,
        LOST
    );
    commit(&store, DomainChange::Put(next)).await.unwrap();
    let remove = |version| DomainChange::Remove { org: acme.org.clone(), domain: acme.domain.clone(), version };
    assert_eq!(commit(&store, remove(1)).await, LOST);
    commit(&store, remove(2)).await.unwrap();
    assert_eq!(store.domain_proofs().await.unwrap(), []);
}

pub async fn c6_one_organization_holds_a_domain(store: AnyStore) {
    let held = |org: &str, state| DomainProof { state, version: 1, ..proof(org, "acme.com") };
    for org in ["acme", "globex"] {
        commit(&store, DomainChange::Add(proof(org, "acme.com"))).await.unwrap();
    }
    commit(&store, DomainChange::Put(held("acme", State::Suspended))).await.unwrap();
    for state in [State::Claimed, State::AtRisk, State::Suspended] {
        assert_eq!(commit(&store, DomainChange::Put(held("globex", state))).await, LOST, "{state:?}");
    }
    commit(&store, DomainChange::Put(held("globex", State::Disputed))).await.unwrap();
    // What the operator settles is one batch: the one gives up, the other takes.
    let gives = DomainProof { version: 2, ..held("acme", State::Unclaimed) };
    let takes = DomainProof { version: 2, ..held("globex", State::Claimed) };
    let batch = [gives, takes].map(|proof| Change::Domain(DomainChange::Put(proof)));
    store.commit(Batch { changes: batch.to_vec(), ..Batch::default() }).await.unwrap();
    assert_eq!(read(&store, &proof("globex", "acme.com")).await.state, State::Claimed);
}

pub async fn what_is_over_is_not_checked(store: AnyStore) {
    let due = async |at| {
        let found = store.domain_proofs_due(Timestamp::from_seconds(at), 9).await.unwrap();
        found.iter().map(|proof| proof.domain.to_string()).collect::<Vec<_>>()
    };
    for (number, domain) in ["a.com", "b.com", "c.com"].into_iter().enumerate() {
        let next_check_at = Timestamp::from_seconds(30 - i64::try_from(number).unwrap());
        commit(&store, DomainChange::Add(DomainProof { next_check_at, ..proof("acme", domain) })).await.unwrap();
    }
    assert_eq!((due(27).await.len(), due(29).await, due(30).await.len()), (0, vec!["c.com".into(), "b.com".into()], 3));
    for (domain, state) in [("c.com", State::Expired), ("b.com", State::Unclaimed)] {
        commit(&store, DomainChange::Put(DomainProof { state, version: 1, ..proof("acme", domain) })).await.unwrap();
    }
    assert_eq!(due(30).await, ["a.com"]);
    assert_eq!(store.domain_proofs_due(Timestamp::from_seconds(99), 0).await.unwrap(), []);
}
