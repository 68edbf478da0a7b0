//! Versions of an organization: what was, who changed it, and bringing it back.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::organizations::proposal;
use super::shapes::{Page, Revert, Version};
use crate::kernel::journal::OrganizationVersion;
use crate::kernel::values::OrgName;
use crate::orgs::Document;
use crate::orgs::change::Proposal;
use http::StatusCode;

impl Admin {
    pub(super) async fn list_versions(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (limit, below) = (call.limit()?, call.after(|text| text.parse().ok())?.unwrap_or(u32::MAX));
        let mut found = self.world.store.organization_versions(call.org()?, below, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.version.to_string());
        let items: Vec<Version> = found.iter().map(|version| shown(version, false)).collect();
        Reply::of(&Page { items, next })
    }

    pub(super) async fn show_version(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let number = call.name(0)?.parse().map_err(|_| Problem::not_found())?;
        let found = self.world.store.organization_version(call.org()?, number).await?;
        Reply::of(&shown(&found.ok_or_else(Problem::not_found)?, true))
    }

    pub(super) async fn revert(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, wanted) = (call.org()?, call.body::<Revert>()?);
        let back = self.reverted(org, wanted.to).await?;
        let proposal =
            Proposal { on: call.on, confirmed: wanted.confirm, accept_lockout: wanted.accept_lockout_risk, ..back };
        self.make(call, proposal).await?;
        self.organization_reply(org).await
    }

    /// The change that brings an earlier version back, as a new one. Directories stand as they are: whose identities count is no
    /// matter of versions (rule M19).
    pub(super) async fn reverted(&self, org: &OrgName, to: Option<u32>) -> Result<Proposal, Problem> {
        let store = &self.world.store;
        let newest = store.organization_versions(org, u32::MAX, 1).await?.pop();
        let newest =
            newest.ok_or_else(|| nothing("The organization has no versions: the operator's file alone holds."))?;
        let to = to.unwrap_or(newest.version.saturating_sub(1));
        let earlier = if to == 0 {
            None
        } else {
            Some(store.organization_version(org, to).await?.ok_or_else(Problem::not_found)?)
        };
        if earlier.as_ref().is_some_and(|earlier| !self.world.keys.holds_version(earlier)) {
            return Err(Problem::fault(&"a stored version's MAC does not hold: the database was written to"));
        }
        let read = |version: Option<&OrganizationVersion>| {
            version.and_then(|version| version.document.as_deref()).and_then(Document::parse)
        };
        let mut document = read(earlier.as_ref()).unwrap_or_default();
        let now = read(Some(&newest)).unwrap_or_default();
        document.remove(&["directory"]);
        if let Some(directories) = now.get(&["directory"]) {
            document.put(&["directory"], directories.clone());
        }
        Ok(proposal(org, document, &format!("reverted to {to}")))
    }
}

fn nothing(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "nothing", detail)
}

fn shown(version: &OrganizationVersion, whole: bool) -> Version {
    let document = version.document.as_deref().filter(|_| whole).and_then(|text| serde_json::from_str(text).ok());
    Version {
        version: version.version,
        at: version.at.to_string(),
        by: version.by.clone(),
        what: version.what.clone(),
        removed: version.document.is_none(),
        document,
    }
}
