//! Who still has a password of a product, organization by organization, and what keeps whom from moving.

use super::super::stored::Wrong;
use crate::kernel::model::{Account, AccountStatus, Catalog, ProductAccount, ProductAccountState};
use crate::kernel::standing::{Demand, Groups, managements};
use crate::kernel::values::{EmailAddress, OrgName, ProductName, Timestamp};
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Records of one reading.
const PAGE: usize = 500;

/// People with a password of the product. Each is counted once, by the first of these that fits, in the order of the fields.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Put aside (B21): nobody logs in with it, and it moves nowhere. Of those, records that were on their way.
    pub aside: (u64, u64),
    /// Switched off, or to be deleted.
    pub inactive: u64,
    /// Proved addresses in domains of two organizations: nothing moves before one of them is given up (rule C3).
    pub two: u64,
    /// People of organizations.
    pub orgs: BTreeMap<OrgName, OfOrg>,
    /// Have a proved address: the issuer's word may be enough.
    pub proved: u64,
    /// Have none: they prove both sides, and an address.
    pub unproved: u64,
    /// Who they are, of the organization that was named.
    pub named: Vec<Still>,
}

/// People of one organization.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct OfOrg {
    /// The password still opens the product.
    pub password: u64,
    /// The company's own login is what counts already, and the next one moves them.
    pub enforced: u64,
}

/// Somebody who still uses a password.
#[derive(Debug)]
pub(super) struct Still {
    pub email: EmailAddress,
    pub last_login: Option<Timestamp>,
}

impl Census {
    /// Counts. Reads every record that still has a password; `named` is the organization whose people are listed.
    pub(super) async fn of(
        store: &dyn Store,
        catalog: &Catalog,
        product: &ProductName,
        named: Option<&OrgName>,
    ) -> Result<Self, Wrong> {
        let (mut census, mut after) = (Self::default(), None);
        loop {
            let records = store.local_records(product, after, PAGE).await?;
            let Some(last) = records.last() else { return Ok(census) };
            after = Some(last.id);
            for record in &records {
                let mut proved = store.proved_addresses_of(record.account).await?;
                let account = store.account(record.account).await?;
                let live = account.as_ref().filter(|account| account.email_verified);
                proved.extend(live.and_then(|account| account.email.clone()));
                census.count(catalog, (record, account.as_ref(), &proved), named);
            }
        }
    }

    fn count(
        &mut self,
        catalog: &Catalog,
        (record, account, proved): (&ProductAccount, Option<&Account>, &[EmailAddress]),
        named: Option<&OrgName>,
    ) {
        let status = account.map(|account| account.status);
        if status == Some(AccountStatus::Quarantined) {
            match record.state {
                ProductAccountState::Migrating => self.aside.1 += 1,
                _ => self.aside.0 += 1,
            }
            return;
        }
        if record.off || status != Some(AccountStatus::Active) {
            self.inactive += 1;
            return;
        }
        let addresses: Vec<&EmailAddress> = proved.iter().collect();
        let held = managements(catalog, &addresses, Groups::Unknown);
        match held.as_slice() {
            [] if proved.is_empty() => self.unproved += 1,
            [] => self.proved += 1,
            [one] => {
                let of = self.orgs.entry(one.org.name.clone()).or_default();
                if matches!(one.demand(catalog), Demand::Enforced(_) | Demand::Unusable) {
                    of.enforced += 1;
                } else {
                    of.password += 1;
                    let theirs = addresses.iter().find(|email| {
                        catalog.domains.get(email.domain()).is_some_and(|claim| claim.org == one.org.name)
                    });
                    if let Some(email) = theirs.filter(|_| named == Some(&one.org.name)) {
                        let last_login = account.and_then(|account| account.last_login_at);
                        self.named.push(Still { email: (*email).clone(), last_login });
                    }
                }
            }
            _ => self.two += 1,
        }
    }

    /// People whose company's own login is enforced.
    pub(super) fn companies(&self) -> u64 {
        self.orgs.values().map(|of| of.enforced).sum()
    }

    /// People with a proved address whom a password lets in.
    pub(super) fn with_proved(&self) -> u64 {
        self.proved + self.orgs.values().map(|of| of.password).sum::<u64>()
    }

    /// Those of no organization, and what keeps people from moving.
    pub(super) fn people(&self) -> Value {
        json!({ "proved": self.proved, "unproved": self.unproved, "two_organizations": self.two, "inactive": self.inactive })
    }

    /// Organizations by name.
    pub(super) fn organizations(&self) -> Value {
        let of = |(name, of): (&OrgName, &OfOrg)| json!({ "org": name.to_string(), "by_password": of.password, "sso_enforced": of.enforced });
        self.orgs.iter().map(of).collect()
    }

    /// The named ones.
    pub(super) fn still(&self) -> Value {
        let still = |one: &Still| json!({ "email": one.email.to_string(), "last_login": one.last_login.map(|at| at.to_string()) });
        self.named.iter().map(still).collect()
    }

    /// Lines of text: what is nought is left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let (proved, unproved) = (self.proved, self.unproved);
        let mut lines = vec![format!("of no organization: {proved} with a proved address, {unproved} without")];
        lines.extend(self.orgs.iter().map(|(name, of)| {
            let (password, enforced) = (of.password, of.enforced);
            format!("{name}: {password} still by password, {enforced} whom single sign-on moves at the next login")
        }));
        lines.extend((self.two > 0).then(|| {
            format!("{} with addresses of two organizations: they move when one of the addresses is gone", self.two)
        }));
        let waits = "they move when they are active again";
        lines.extend((self.inactive > 0).then(|| format!("{} switched off or to be deleted: {waits}", self.inactive)));
        lines.extend(self.named.iter().map(|one| {
            let last = one.last_login.map_or_else(|| "never".to_owned(), |at| at.to_string());
            format!("by password: {}, last login {last}", one.email)
        }));
        lines
    }
}
