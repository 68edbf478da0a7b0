//! Proofs of domains: one table, see `domains.sql`.

use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::domain::{ClaimMode, DomainProof, ProofMethod, State};
use crate::kernel::journal::domain::DomainChange;
use crate::kernel::values::{DomainName, OrgName, Timestamp};
use crate::store::{Conflict, DomainProofs, Unavailable};
use async_trait::async_trait;

const COLUMNS: &str = "org, domain, token, state, claim, method, added_at, seen_at, verified_at, claimed_at, last_ok_at, \
     failing_since, due_since, checked_at, next_check_at, version, mac";

impl At<'_> {
    pub(super) fn domain_proof(&self, change: &DomainChange) -> Result<(), Halt> {
        match change {
            DomainChange::Add(proof) => self.add_proof(proof),
            DomainChange::Put(proof) => self.put_proof(proof),
            DomainChange::Remove { org, domain, version } => self.must(
                "DELETE FROM domain_proof WHERE org = ? AND domain = ? AND version = ?",
                params![org.as_str(), domain.as_str(), version],
                Conflict::Row,
            ),
        }
    }

    fn add_proof(&self, p: &DomainProof) -> Result<(), Halt> {
        let sql = format!(
            "INSERT INTO domain_proof ({COLUMNS}, holds, is_over)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?18, ?19, ?16, ?17)
             ON CONFLICT DO NOTHING"
        );
        self.write_proof(&sql, p)
    }

    fn put_proof(&self, p: &DomainProof) -> Result<(), Halt> {
        // A claim that another has makes the unique index of holders refuse, which is a conflict as well.
        self.write_proof(
            "UPDATE domain_proof SET state = ?4, claim = ?5, method = ?6, seen_at = ?8, verified_at = ?9, claimed_at = ?10,
             last_ok_at = ?11, failing_since = ?12, due_since = ?13, checked_at = ?14, next_check_at = ?15, holds = ?16,
             is_over = ?17, version = ?18, mac = ?19
             WHERE org = ?1 AND domain = ?2 AND token = ?3 AND added_at = ?7 AND version = ?18 - 1",
            p,
        )
    }

    fn write_proof(&self, sql: &str, p: &DomainProof) -> Result<(), Halt> {
        let millis = |time: Option<Timestamp>| time.map(Timestamp::millis);
        let all = params![
            p.org.as_str(),
            p.domain.as_str(),
            p.token,
            p.state.code(),
            p.claim.code(),
            p.method.map(ProofMethod::code),
            p.added_at.millis(),
            millis(p.seen_at),
            millis(p.verified_at),
            millis(p.claimed_at),
            millis(p.last_ok_at),
            millis(p.failing_since),
            millis(p.due_since),
            millis(p.checked_at),
            p.next_check_at.millis(),
            p.state.holds(),
            p.state.is_over(),
            p.version,
            p.mac,
        ];
        self.must(sql, all, Conflict::Row)
    }
}

#[async_trait]
impl<D: Tables> DomainProofs for D {
    async fn domain_proofs(&self) -> Result<Vec<DomainProof>, Unavailable> {
        self.all(&format!("SELECT {COLUMNS} FROM domain_proof ORDER BY org, domain"), params![], proof).await
    }

    async fn domain_proof(&self, org: &OrgName, domain: &DomainName) -> Result<Option<DomainProof>, Unavailable> {
        let sql = format!("SELECT {COLUMNS} FROM domain_proof WHERE org = ? AND domain = ?");
        Ok(self.all(&sql, params![org.as_str(), domain.as_str()], proof).await?.pop())
    }

    async fn domain_proofs_due(&self, now: Timestamp, limit: usize) -> Result<Vec<DomainProof>, Unavailable> {
        let sql = format!(
            "SELECT {COLUMNS} FROM domain_proof WHERE is_over = 0 AND next_check_at <= ? ORDER BY next_check_at LIMIT ?"
        );
        self.all(&sql, params![now.millis(), i64::try_from(limit).unwrap_or(i64::MAX)], proof).await
    }
}

fn proof(row: &Row<'_>) -> Read<DomainProof> {
    let time = |column| row.get::<Option<i64>>(column).map(|millis| millis.map(Timestamp::from_millis));
    let method = |text: &str| ProofMethod::from_code(text).ok_or("method of a proof");
    let has_method = !row.is_null(5)?;
    Ok(DomainProof {
        org: rows::parsed(row, 0, OrgName::parse)?,
        domain: rows::parsed(row, 1, DomainName::parse)?,
        token: row.get(2)?,
        state: rows::parsed(row, 3, |text| State::from_code(text).ok_or("state of a domain"))?,
        claim: rows::parsed(row, 4, |text| ClaimMode::from_code(text).ok_or("mode of a claim"))?,
        method: if has_method { Some(rows::parsed(row, 5, method)?) } else { None },
        added_at: rows::time(row, 6)?,
        seen_at: time(7)?,
        verified_at: time(8)?,
        claimed_at: time(9)?,
        last_ok_at: time(10)?,
        failing_since: time(11)?,
        due_since: time(12)?,
        checked_at: time(13)?,
        next_check_at: rows::time(row, 14)?,
        version: row.get(15)?,
        mac: row.get(16)?,
    })
}
