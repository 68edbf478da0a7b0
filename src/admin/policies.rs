//! Policies of an organization.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::directories::refuse_another_directory;
use super::organizations::proposal;
use super::shapes::{Changed, InForce, Page, Policy, PolicyWords, people};
use crate::kernel::event::Action;
use crate::kernel::model::Sso;
use crate::orgs::change::{Outlook, Proposal};
use crate::orgs::{Document, DraftOrg, DraftPolicy};
use serde_json::json;

/// The name of the policy of everybody who is in no other one.
const DEFAULT: &str = "default";

impl Admin {
    pub(super) async fn list_policies(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let org = call.org()?;
        let document = self.document(org).await?;
        let effective = self.world.orgs.effective();
        let known = effective.orgs.iter().find(|known| known.name == *org).ok_or_else(Problem::not_found)?;
        let items = in_order(known).map(|policy| shown(&document, policy)).collect();
        Reply::of(&Page::<Policy> { items, next: None })
    }

    pub(super) async fn show_policy(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let org = call.org()?;
        let document = self.document(org).await?;
        let effective = self.world.orgs.effective();
        let known = effective.orgs.iter().find(|known| known.name == *org).ok_or_else(Problem::not_found)?;
        let name = call.name(0)?;
        let policy = in_order(known).find(|policy| policy.name.as_str() == name).ok_or_else(Problem::not_found)?;
        let shown = shown(&document, policy);
        let version = self.world.store.organization_versions(org, u32::MAX, 1).await?.pop();
        Ok(Reply::of(&shown)?.at(version.map_or(0, |version| version.version)))
    }

    pub(super) async fn put_policy(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, name, wanted) = (call.org()?, call.name(0)?, call.body::<PolicyWords>()?);
        if !wanted.policy.is_object() {
            return Err(Problem::invalid("`policy` is an object in the words of [org.NAME.policy]."));
        }
        let mut document = self.document(org).await?;
        let place = place(name);
        if wanted.policy.get("break_glass") != document.get(&[place.as_slice(), &["break_glass"]].concat()) {
            return Err(Problem::step_up("set break-glass"));
        }
        document.put(&place, wanted.policy);
        let proposal = Proposal {
            on: call.on,
            action: Action::PolicyUpdated,
            confirmed: wanted.confirm,
            accept_lockout: wanted.accept_lockout_risk,
            ..proposal(org, document, &format!("policy {name} put"))
        };
        let outlook = self.look(call, &proposal).await?;
        refuse_another_directory(&outlook)?;
        if call.is_on("dry_run")? {
            let refused = self.stands_in_the_way(&outlook, &proposal, call).await?;
            return Reply::of(&changed(&outlook, true, refused));
        }
        let made = changed(&outlook, false, None);
        let version = self.make_looked_at(call, outlook, &proposal).await?;
        Ok(Reply::of(&made)?.at(version.version))
    }

    pub(super) async fn remove_policy(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, name) = (call.org()?, call.name(0)?);
        let mut document = self.document(org).await?;
        let place = place(name);
        if document.has(&[place.as_slice(), &["break_glass"]].concat()) {
            return Err(Problem::step_up("set break-glass"));
        }
        if !document.remove(&place) {
            return Err(Problem::not_found());
        }
        let confirmed = call.query.get("confirm").cloned();
        let proposal = Proposal {
            on: call.on,
            action: Action::PolicyUpdated,
            confirmed,
            ..proposal(org, document, &format!("policy {name} removed"))
        };
        self.make(call, proposal).await?;
        Ok(Reply::done())
    }

    async fn stands_in_the_way(
        &self,
        outlook: &Outlook,
        proposal: &Proposal,
        call: &Call<'_>,
    ) -> Result<Option<String>, Problem> {
        let ground = self.world.store.as_ref();
        let refused = self.world.orgs.stands_in_the_way(ground, outlook, proposal, call.request.now).await?;
        Ok(refused.map(String::from))
    }
}

/// The default policy, then those for some people in the order in which they are asked; the file's among them.
pub(super) fn in_order(org: &DraftOrg) -> impl Iterator<Item = &DraftPolicy> {
    std::iter::once(&org.policy).chain(org.policies.iter().map(|(_, policy)| policy))
}

fn shown(document: &Document, policy: &DraftPolicy) -> Policy {
    let name = policy.name.as_str();
    let written = document.get(&place(name)).cloned();
    Policy { name: name.to_owned(), written: written.unwrap_or_else(|| json!({})), in_force: in_force(policy) }
}

/// Where a policy stands in the document.
fn place(name: &str) -> Vec<&str> {
    if name == DEFAULT { vec!["policy"] } else { vec!["policies", name] }
}

pub(super) fn in_force(policy: &DraftPolicy) -> InForce {
    let sso = match policy.sso {
        Sso::Off => "off",
        Sso::Offered => "offered",
        Sso::Enforced => "enforced",
    };
    InForce {
        sso: sso.to_owned(),
        directory: policy.directory.as_ref().map(ToString::to_string),
        idle: policy.limits.idle.map(|span| span.as_secs()),
        absolute: policy.limits.absolute.map(|span| span.as_secs()),
        require_amr: policy.require_amr.clone(),
    }
}

fn changed(outlook: &Outlook, dry_run: bool, refused: Option<String>) -> Changed {
    Changed {
        version: outlook.version.version,
        dry_run,
        loosens: outlook.loosens.iter().map(ToString::to_string).collect(),
        confirm: (!outlook.loosens.is_empty()).then(|| outlook.code.clone()),
        people: people(outlook.people),
        refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_has_its_place_in_the_document() {
        assert_eq!(place("default"), ["policy"]);
        assert_eq!(place("contractors"), ["policies", "contractors"]);
        let document = Document::parse(r#"{"policies":{"b":{},"a":{}}}"#).unwrap();
        assert_eq!(document.names(&["policies"]), ["a", "b"]);
    }
}
