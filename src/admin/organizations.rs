//! Organizations: list, make, change, remove.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::directories::refuse_another_directory;
use super::scope::Scope;
use super::shapes::{NewOrganization, Organization, OrganizationChange, Page, people};
use crate::kernel::event::Action;
use crate::kernel::journal::{Batch, OrganizationVersion, Reach};
use crate::kernel::values::OrgName;
use crate::orgs::change::{Outlook, People, Proposal};
use crate::orgs::{Document, DraftOrg, Stored};
use http::StatusCode;
use serde_json::Value;

/// People are counted up to this many.
pub(super) const COUNTED: usize = 100_000;

impl Admin {
    pub(super) async fn list_organizations(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (limit, after) = (call.limit()?, call.after(|text| OrgName::parse(text).ok())?);
        let effective = self.world.orgs.effective();
        let mut seen: Vec<&DraftOrg> = effective
            .orgs
            .iter()
            .filter(|org| call.who.may_at(Scope::OrgsRead, &Reach::Org(org.name.clone())))
            .collect();
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        seen.retain(|org| after.as_ref().is_none_or(|after| org.name > *after));
        let stored = Stored::load(self.world.store.as_ref()).await?;
        let mut items = Vec::new();
        for org in seen.iter().take(limit) {
            items.push(self.shown(org, &stored).await?);
        }
        let next = (seen.len() > limit).then(|| items.last().map(|last| last.name.clone())).flatten();
        Reply::of(&Page { items, next })
    }

    pub(super) async fn show_organization(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        self.organization_reply(call.org()?).await
    }

    pub(super) async fn create_organization(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        if !call.who.is_operator() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "role", "Operators make organizations."));
        }
        let wanted: NewOrganization = call.body()?;
        let name = OrgName::parse(&wanted.name).map_err(|why| Problem::invalid(format!("`name`: {why}.")))?;
        if self.world.orgs.effective().orgs.iter().any(|known| known.name == name) {
            return Err(Problem::new(StatusCode::CONFLICT, "exists", "There is an organization of that name."));
        }
        let mut document = Document::default();
        if let Some(label) = wanted.label {
            document.put(&["label"], label.into());
        }
        document.put(&["admins"], wanted.admins.into());
        let proposal = Proposal { on: None, ..proposal(&name, document, "organization made") };
        self.make(call, proposal).await?;
        Ok(self.organization_reply(&name).await?.created())
    }

    pub(super) async fn put_organization(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, wanted) = (call.org()?.clone(), call.body::<OrganizationChange>()?);
        let mut document = self.document(&org).await?;
        let written: [(&str, Option<Value>); 3] = [
            ("label", wanted.label.map(Into::into)),
            ("admins", wanted.admins.map(Into::into)),
            ("auditors", wanted.auditors.map(Into::into)),
        ];
        for (key, value) in written {
            if let Some(value) = value {
                document.put(&[key], value);
            }
        }
        let proposal =
            Proposal { confirmed: wanted.confirm, on: call.on, ..proposal(&org, document, "organization changed") };
        self.make(call, proposal).await?;
        self.organization_reply(&org).await
    }

    pub(super) async fn remove_organization(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let org = call.org()?;
        if !call.who.is_operator() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "role", "Operators remove organizations."));
        }
        if self.is_in_file(org) {
            let detail = "The operator's file names it: it is removed there, with `fedgate reload`.";
            return Err(Problem::new(StatusCode::CONFLICT, "E-FLOOR", detail));
        }
        let confirmed = call.query.get("confirm").cloned();
        let mut gone = proposal(org, Document::default(), "organization removed");
        gone.document = None;
        let with = self.domains.given_up(org, &call.who.author(call.request).actor).await?;
        self.make(call, Proposal { confirmed, on: call.on, with, ..gone }).await?;
        Ok(Reply::done())
    }

    /// Makes a change of a token, and has the new catalog in force before it is answered: who reads next reads what was written.
    /// Every write of a token comes through here, and none puts another directory in the place of one.
    pub(super) async fn make(&self, call: &Call<'_>, proposal: Proposal) -> Result<OrganizationVersion, Problem> {
        let outlook = self.look(call, &proposal).await?;
        self.make_looked_at(call, outlook, &proposal).await
    }

    /// The same, where it was looked at already.
    pub(super) async fn make_looked_at(
        &self,
        call: &Call<'_>,
        outlook: Outlook,
        proposal: &Proposal,
    ) -> Result<OrganizationVersion, Problem> {
        refuse_another_directory(&outlook)?;
        let store = self.world.store.as_ref();
        let version = self.world.orgs.carry_out(store, outlook, proposal, call.request.now).await?;
        self.world.rebuild().await?;
        Ok(version)
    }

    /// Looks at a change without making it.
    pub(super) async fn look(&self, call: &Call<'_>, proposal: &Proposal) -> Result<Outlook, Problem> {
        let ground = (self.world.store.as_ref(), &self.world.kek);
        let author = call.who.author(call.request);
        Ok(self.world.orgs.look(ground, proposal, &author, call.request.now).await?)
    }

    /// The newest document of an organization; one without has an empty one.
    pub(super) async fn document(&self, org: &OrgName) -> Result<Document, Problem> {
        let stored = Stored::load(self.world.store.as_ref()).await?;
        let documents = stored.documents(&self.world.kek).map_err(|why| Problem::fault(&why))?;
        Ok(documents.into_iter().find(|(name, _)| name == org).map(|(_, document)| document).unwrap_or_default())
    }

    pub(super) fn is_in_file(&self, org: &OrgName) -> bool {
        self.world.orgs.floor().orgs.iter().any(|known| known.name == *org)
    }

    pub(super) async fn organization_reply(&self, name: &OrgName) -> Result<Reply, Problem> {
        let effective = self.world.orgs.effective();
        let org = effective.orgs.iter().find(|known| known.name == *name).ok_or_else(Problem::not_found)?;
        let stored = Stored::load(self.world.store.as_ref()).await?;
        let shown = self.shown(org, &stored).await?;
        Ok(Reply::of(&shown)?.at(shown.version))
    }

    async fn shown(&self, org: &DraftOrg, stored: &Stored) -> Result<Organization, Problem> {
        let mut count = 0;
        for (domain, _) in &org.domains {
            count += self.world.store.count_accounts_of_domain(domain, COUNTED).await?;
        }
        let texts = |list: &[crate::kernel::values::EmailAddress]| list.iter().map(ToString::to_string).collect();
        Ok(Organization {
            name: org.name.to_string(),
            label: org.label.clone(),
            in_file: self.is_in_file(&org.name),
            version: stored.version_of(&org.name),
            domains: org.domains.iter().map(|(domain, _)| domain.to_string()).collect(),
            directories: org.directories.iter().map(ToString::to_string).collect(),
            admins: texts(&org.admins),
            auditors: texts(&org.auditors),
            people: people(if count == 0 { People::Unknown } else { People::Known(count) }),
        })
    }
}

/// A change of an organization's document, with nothing else in its commit.
pub(super) fn proposal(org: &OrgName, document: Document, what: &str) -> Proposal {
    Proposal {
        org: org.clone(),
        on: None,
        document: Some(document),
        what: what.to_owned(),
        action: Action::OrganizationUpdated,
        secrets: Vec::new(),
        with: Batch::default(),
        confirmed: None,
        accept_lockout: false,
    }
}
