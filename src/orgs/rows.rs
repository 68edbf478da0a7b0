//! Since when: the rows of the file's domains and of all policies. Their times decide how far authority reaches back (rule C6) and how
//! much grace a session has, so a row that another hand wrote counts for nothing (rule H12): it is told, and written anew as if its
//! domain were held from now on and its policy had held for ever.
//!
//! A writer of the database can still take a row away: its domain is then held from now on, its policy is as one that is new.

use super::draft::{DraftOrg, DraftPolicy, demands, policy_fingerprint};
use super::enrol::event;
use crate::kernel::event::{Action, AuditEvent};
use crate::kernel::journal::{Batch, Change, DomainRow, PolicyRow, Revocation};
use crate::kernel::model::Since;
use crate::kernel::values::{DomainName, OrgName, PolicyName, Timestamp};
use crate::keys::Keys;
use std::collections::HashMap;
use std::iter;

/// A row that another hand wrote.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Violated {
    /// Whose.
    pub org: OrgName,
    /// What it is of: `organization`, `domain`, `policy`.
    pub what: &'static str,
    /// Which of them.
    pub name: Option<String>,
}

/// The rows whose MAC does not hold.
pub(super) fn violated(keys: &Keys, domains: &[DomainRow], policies: &[PolicyRow]) -> Vec<Violated> {
    let domains = domains.iter().filter(|row| !keys.holds_claim(row)).map(|row| Violated {
        org: row.org.clone(),
        what: "domain",
        name: Some(row.domain.to_string()),
    });
    let policies = policies.iter().filter(|row| !keys.holds_policy(row)).map(|row| Violated {
        org: row.org.clone(),
        what: "policy",
        name: Some(row.name.to_string()),
    });
    domains.chain(policies).collect()
}

/// Since when each domain of the file is held; what differs is put down. A row of another hand is written anew, and authority begins
/// now.
pub(super) fn domains(
    orgs: &[DraftOrg],
    rows: &[DomainRow],
    (keys, now): (&Keys, Timestamp),
    batch: &mut Batch,
) -> HashMap<DomainName, Timestamp> {
    let stored: HashMap<&DomainName, &DomainRow> = rows.iter().map(|row| (&row.domain, row)).collect();
    let mut held = HashMap::new();
    for (org, domain) in orgs.iter().flat_map(|org| org.domains.iter().map(move |(domain, _)| (org, domain))) {
        match stored.get(domain) {
            Some(row) if row.org == org.name && keys.holds_claim(row) => held.insert(domain.clone(), row.claimed_at),
            // New here, or another organization's until now: authority begins now and never reaches back (rule C6).
            other => {
                if other.is_some_and(|row| row.org != org.name) {
                    batch.changes.push(Change::DropDomain(domain.clone()));
                }
                let row = DomainRow { domain: domain.clone(), org: org.name.clone(), claimed_at: now, mac: [0; 32] };
                batch.changes.push(Change::PutDomain(keys.signed_claim(row)));
                batch.events.push(domain_event(now, Action::DomainClaimed, domain, &org.name));
                batch.revocations.push(Revocation::Organization(org.name.clone()));
                held.insert(domain.clone(), now)
            }
        };
    }
    for row in stored.values().filter(|row| !held.contains_key(&row.domain)) {
        batch.changes.push(Change::DropDomain(row.domain.clone()));
        batch.events.push(domain_event(now, Action::DomainUnclaimed, &row.domain, &row.org));
        batch.revocations.push(Revocation::Organization(row.org.clone()));
    }
    held
}

fn domain_event(now: Timestamp, action: Action, domain: &DomainName, org: &OrgName) -> AuditEvent {
    let mut event = event(now, action);
    event.org = Some(org.to_string());
    event.after = Some(serde_json::json!({ "domain": domain.as_str() }));
    event
}

/// Which policy: of whom, and its name.
pub(super) type Which = (OrgName, PolicyName);

/// Since when each policy holds, its epoch, and since when it makes each demand; what differs is put down.
pub(super) fn policies(
    orgs: &[DraftOrg],
    rows: &[PolicyRow],
    by: (&Keys, Timestamp),
    batch: &mut Batch,
) -> HashMap<Which, (Timestamp, u32, Since)> {
    let stored: HashMap<Which, &PolicyRow> =
        rows.iter().map(|row| ((row.org.clone(), row.name.clone()), row)).collect();
    let mut in_force = HashMap::new();
    for org in orgs {
        for policy in iter::once(&org.policy).chain(org.policies.iter().map(|(_, policy)| policy)) {
            let which = (org.name.clone(), policy.name.clone());
            let held = holds(&which, policy, stored.get(&which).copied(), by, batch);
            in_force.insert(which, held);
        }
    }
    in_force
}

/// Since when a policy holds, and its epoch; a change of it is put down.
fn holds(
    (org, name): &Which,
    policy: &DraftPolicy,
    before: Option<&PolicyRow>,
    (keys, now): (&Keys, Timestamp),
    batch: &mut Batch,
) -> (Timestamp, u32, Since) {
    let fingerprint = policy_fingerprint(policy);
    let ours = before.filter(|row| keys.holds_policy(row));
    if let Some(row) = ours.filter(|row| row.fingerprint == fingerprint) {
        return (row.changed_at, row.epoch, row.since.clone());
    }
    // What another hand wrote says nothing of since when. Every grace is over then: a session that does not meet the policy ends.
    let from = if before.is_some() && ours.is_none() { Timestamp::from_millis(0) } else { now };
    // What was demanded already goes on being so: whoever has been late for that is not given more time by another change.
    let known = |demand: &String| ours.and_then(|row| row.since.get(demand)).copied();
    let since: Since = demands(policy).into_iter().map(|name| (name.clone(), known(&name).unwrap_or(from))).collect();
    let epoch = before.map_or(1, |row| row.epoch.saturating_add(1));
    let row = PolicyRow {
        org: org.clone(),
        name: name.clone(),
        fingerprint,
        epoch,
        changed_at: from,
        since: since.clone(),
        mac: [0; 32],
    };
    batch.changes.push(Change::PutPolicy(keys.signed_policy(row)));
    let mut updated = event(now, Action::PolicyUpdated);
    updated.org = Some(org.to_string());
    updated.after = Some(serde_json::json!({
        "policy": name.as_str(), "epoch": epoch, "sso": format!("{:?}", policy.sso).to_lowercase(),
    }));
    batch.events.push(updated);
    batch.revocations.push(Revocation::Organization(org.clone()));
    (from, epoch, since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::random;
    use crate::keys::Kek;
    use std::slice::from_ref;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const EARLIER: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn keys() -> Keys {
        let kek = Kek::new([7; 32]);
        let rows = Keys::missing(&kek, &[], &Keys::wanted([]), NOW, &mut || random()).unwrap();
        Keys::open(&kek, &rows).unwrap()
    }

    fn draft() -> Vec<DraftOrg> {
        let domain = DomainName::parse("acme.com").unwrap();
        vec![DraftOrg::shut(OrgName::parse("acme").unwrap(), vec![(domain, None)])]
    }

    /// What is put down for the draft at a time, of nothing.
    fn written(keys: &Keys, at: Timestamp) -> (DomainRow, PolicyRow) {
        let mut batch = Batch::default();
        domains(&draft(), &[], (keys, at), &mut batch);
        policies(&draft(), &[], (keys, at), &mut batch);
        match <[Change; 2]>::try_from(batch.changes).unwrap() {
            [Change::PutDomain(domain), Change::PutPolicy(policy)] => (domain, policy),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn h12_rows_of_ours_say_since_when() {
        let keys = keys();
        let (domain, policy) = written(&keys, EARLIER);
        assert_eq!(violated(&keys, from_ref(&domain), from_ref(&policy)), []);
        let mut batch = Batch::default();
        assert_eq!(domains(&draft(), from_ref(&domain), (&keys, NOW), &mut batch)[&domain.domain], EARLIER);
        let held = policies(&draft(), from_ref(&policy), (&keys, NOW), &mut batch);
        assert_eq!(held[&(policy.org, policy.name)], (EARLIER, 1, policy.since));
        assert!(batch.changes.is_empty(), "{batch:?}");
    }

    /// Each field changed by another hand, and each row as of before there were MACs: nothing of it counts, and it is written anew.
    #[test]
    fn h12_a_planted_row_gives_neither_grace_nor_authority() {
        let keys = keys();
        let (domain, policy) = written(&keys, NOW);
        let day = Duration::from_secs(86_400);
        for planted in [
            DomainRow { claimed_at: EARLIER, ..domain.clone() },
            DomainRow { mac: [0; 32], ..domain.clone() },
            DomainRow { mac: policy.mac, ..domain.clone() },
        ] {
            assert_eq!(violated(&keys, from_ref(&planted), &[]).len(), 1, "{planted:?}");
            let mut batch = Batch::default();
            let later = NOW.plus(day);
            assert_eq!(domains(&draft(), &[planted], (&keys, later), &mut batch)[&domain.domain], later);
            assert!(matches!(batch.changes.as_slice(), [Change::PutDomain(row)] if keys.holds_claim(row)), "{batch:?}");
        }
        let since = policy.since.keys().map(|demand| (demand.clone(), NOW.plus(day))).collect();
        for planted in [
            PolicyRow { changed_at: NOW.plus(day), ..policy.clone() },
            PolicyRow { since, ..policy.clone() },
            PolicyRow { since: Since::new(), ..policy.clone() },
            PolicyRow { epoch: 7, ..policy.clone() },
            PolicyRow { fingerprint: [0; 32], ..policy.clone() },
            PolicyRow { name: PolicyName::default(), mac: [0; 32], ..policy.clone() },
        ] {
            assert_eq!(violated(&keys, &[], from_ref(&planted)).len(), 1, "{planted:?}");
            let mut batch = Batch::default();
            let held = policies(&draft(), from_ref(&planted), (&keys, NOW), &mut batch);
            let (changed_at, epoch, since) = &held[&(policy.org.clone(), policy.name.clone())];
            assert_eq!((changed_at.millis(), *epoch), (0, planted.epoch + 1), "{planted:?}");
            assert!(!since.is_empty() && since.values().all(|time| time.millis() == 0), "{since:?}");
            assert!(
                matches!(batch.changes.as_slice(), [Change::PutPolicy(row)] if keys.holds_policy(row)),
                "{batch:?}"
            );
        }
    }
}
