//! Domains of an organization: asked for, proved, let go. The rows are the proofs' own; the file's stand beside them.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::shapes::{Domain, Instructions, NewDomain, Page};
use crate::domains::{Listed, NotDone};
use crate::kernel::domain::ClaimMode;
use crate::kernel::event::Actor;
use crate::kernel::values::{DomainName, OrgName};
use crate::orgs::DraftOrg;
use crate::orgs::loosen::{Loosening, confirmation};
use crate::store::Unavailable;
use http::StatusCode;

impl Admin {
    pub(super) async fn list_domains(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, limit) = (call.org()?, call.limit()?);
        let after = call.after(|text| Some(text.to_owned()))?;
        let mut items = self.domains_shown(org).await?;
        items.retain(|item| after.as_ref().is_none_or(|after| item.domain > *after));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.domain.clone());
        Reply::of(&Page { items, next })
    }

    /// Stated by the operator, proved, or to be proved, in order.
    pub(super) async fn domains_shown(&self, org: &OrgName) -> Result<Vec<Domain>, Unavailable> {
        let proofs = self.domains.list(Some(org)).await?;
        let floor = self.world.orgs.floor();
        let stated = find(&floor.orgs, org).into_iter().flat_map(|org| org.domains.iter());
        let mut items: Vec<Domain> = stated.map(|(domain, _)| self.of_file(org, domain)).collect();
        items.extend(proofs.into_iter().map(|listed| self.proved(org, listed)));
        items.sort_by(|one, other| one.domain.cmp(&other.domain));
        Ok(items)
    }

    /// Says what to publish. Asked again, it says the same.
    pub(super) async fn add_domain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, wanted) = (call.org()?, call.body::<NewDomain>()?);
        let domain = DomainName::parse(&wanted.domain).map_err(|_| {
            Problem::invalid("`domain` is the part after the @ of its people's addresses, as acme.com.")
        })?;
        if let Some(holder) = self.world.orgs.floor().orgs.iter().find(|known| known.has(&domain)) {
            let own = holder.name == *org;
            let code = if own { "exists" } else { "E-DOMAIN-CONFLICT" };
            let detail =
                if own { "The operator states it already." } else { "The operator states it for somebody else." };
            return Err(Problem::new(StatusCode::CONFLICT, code, detail));
        }
        let actor = call.who.author(call.request).actor;
        let claim = match wanted.claim.as_deref() {
            None => ClaimMode::Auto,
            Some(code) => ClaimMode::from_code(code)
                .ok_or_else(|| Problem::invalid("`claim` is auto (held as soon as it is proved) or none."))?,
        };
        let listed = self.domains.add(org, &domain, claim, &actor).await?;
        Ok(Reply::of(&self.proved(org, listed))?.created())
    }

    pub(super) async fn verify_domain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, domain) = (call.org()?, self.named(call)?);
        if self.states(org, &domain) {
            return Reply::of(&self.of_file(org, &domain));
        }
        let actor = call.who.author(call.request).actor;
        let listed = self.domains.verify_now(org, &domain, &actor).await?;
        // What was claimed just now counts for whoever reads next.
        self.world.rebuild().await?;
        Reply::of(&self.proved(org, listed))
    }

    /// Holds what is proved, where that was left to an admin (`claim = "none"`).
    pub(super) async fn claim_domain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, domain) = (call.org()?, self.named(call)?);
        let actor = call.who.author(call.request).actor;
        let listed = self.domains.claim(org, &domain, call.on.unwrap_or_default(), &actor).await?;
        self.world.rebuild().await?;
        let version = listed.proof.version;
        Ok(Reply::of(&self.proved(org, listed))?.at(version))
    }

    /// The operator's decision of a dispute (rule C6c).
    pub(super) async fn settle_domain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, domain) = (call.org()?, self.named(call)?);
        if !call.who.is_operator() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "role", "Operators settle disputes."));
        }
        if self.states(org, &domain) {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                "E-FLOOR",
                "The operator's file states it: nothing is disputed.",
            ));
        }
        let proof = self.domains.list(Some(org)).await?.into_iter().find(|one| one.proof.domain == domain);
        let version = proof.ok_or_else(Problem::not_found)?.proof.version;
        if call.on != Some(version) {
            let mut stale =
                Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "It changed meanwhile. Read it again.");
            stale.more.push(("version", version.into()));
            return Err(stale);
        }
        let settled =
            self.settled(org, &domain, call.query.get("confirm"), &call.who.author(call.request).actor).await?;
        let version = settled.proof.version;
        Ok(Reply::of(&self.proved(org, settled))?.at(version))
    }

    /// Settles a dispute; where somebody loses a domain by it, the code that confirms that has to be repeated (E-LOOSER).
    pub(super) async fn settled(
        &self,
        org: &OrgName,
        domain: &DomainName,
        confirmed: Option<&String>,
        actor: &Actor,
    ) -> Result<Listed, Problem> {
        let all = self.domains.list(None).await?;
        let loses = |one: &&Listed| one.proof.domain == *domain && one.proof.org != *org && one.proof.state.holds();
        if let Some(loser) = all.iter().find(loses) {
            let given = Loosening::DomainRemoved(loser.proof.org.clone(), domain.clone());
            self.confirmed(domain, given, confirmed).await?;
        }
        let settled = self.domains.settle(org, domain, actor).await?;
        self.world.rebuild().await?;
        Ok(settled)
    }

    /// Refuses what gives a domain away until its code is repeated.
    async fn confirmed(&self, domain: &DomainName, given: Loosening, code: Option<&String>) -> Result<(), Problem> {
        let given = [given];
        let wanted = confirmation(&given);
        if code == Some(&wanted) {
            return Ok(());
        }
        let detail = "Its people would no longer be the organization's. Repeat it with ?confirm= and the code.";
        let mut looser = Problem::new(StatusCode::CONFLICT, "E-LOOSER", detail);
        looser.more.push(("loosens", vec![given.map(|one| one.to_string()).concat()].into()));
        looser.more.push(("people", self.people_of(domain).await?));
        looser.more.push(("confirm", wanted.into()));
        Err(looser)
    }

    pub(super) async fn remove_domain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, domain) = (call.org()?, self.named(call)?);
        if self.states(org, &domain) {
            let detail = "The operator's file states it: it is removed there, with `fedgate reload`.";
            return Err(Problem::new(StatusCode::CONFLICT, "E-FLOOR", detail));
        }
        let listed = self.domains.list(Some(org)).await?.into_iter().find(|one| one.proof.domain == domain);
        let proof = listed.ok_or_else(Problem::not_found)?.proof;
        if call.on != Some(proof.version) {
            let mut stale =
                Problem::new(StatusCode::PRECONDITION_FAILED, "stale", "It changed meanwhile. Read it again.");
            stale.more.push(("version", proof.version.into()));
            return Err(stale);
        }
        if proof.state.holds() {
            let given = Loosening::DomainRemoved(org.clone(), domain.clone());
            self.confirmed(&domain, given, call.query.get("confirm")).await?;
        }
        self.domains.remove(org, &domain, &call.who.author(call.request).actor).await?;
        self.world.rebuild().await?;
        Ok(Reply::done())
    }

    async fn people_of(&self, domain: &DomainName) -> Result<serde_json::Value, Problem> {
        let count = self.world.store.count_accounts_of_domain(domain, super::organizations::COUNTED).await?;
        Ok(if count == 0 { "unknown".into() } else { count.into() })
    }

    fn named(&self, call: &Call<'_>) -> Result<DomainName, Problem> {
        DomainName::parse(call.name(0)?).map_err(|_| Problem::not_found())
    }

    /// Whether the operator's file states it for this organization.
    fn states(&self, org: &OrgName, domain: &DomainName) -> bool {
        find(&self.world.orgs.floor().orgs, org).is_some_and(|org| org.has(domain))
    }

    fn of_file(&self, org: &OrgName, domain: &DomainName) -> Domain {
        let (counts, directory) = self.standing(org, domain);
        let state = "file".to_owned();
        let domain = domain.to_string();
        Domain { domain, state, counts, directory, version: None, heard: Vec::new(), instructions: None }
    }

    fn proved(&self, org: &OrgName, listed: Listed) -> Domain {
        let (counts, directory) = self.standing(org, &listed.proof.domain);
        let say = &listed.instructions;
        Domain {
            domain: listed.proof.domain.to_string(),
            state: listed.proof.state.code().to_owned(),
            counts,
            directory,
            version: Some(listed.proof.version),
            heard: listed.heard,
            instructions: (!listed.proof.state.is_over()).then(|| Instructions {
                record_name: say.record_name.clone(),
                value: say.value.clone(),
                file: say.file.clone(),
                until: say.until.to_string(),
            }),
        }
    }

    /// Whether it counts now, and whom its people are sent to.
    fn standing(&self, org: &OrgName, domain: &DomainName) -> (bool, Option<String>) {
        let effective = self.world.orgs.effective();
        let held = find(&effective.orgs, org).and_then(|org| org.domains.iter().find(|(known, _)| known == domain));
        (held.is_some(), held.and_then(|(_, directory)| directory.as_ref()).map(ToString::to_string))
    }
}

fn find<'a>(orgs: &'a [DraftOrg], name: &OrgName) -> Option<&'a DraftOrg> {
    orgs.iter().find(|known| known.name == *name)
}

impl From<NotDone> for Problem {
    fn from(why: NotDone) -> Self {
        let detail = format!("{why}.");
        match why {
            NotDone::Unknown => Self::not_found(),
            NotDone::NotClaimable(_) => Self::invalid(detail),
            NotDone::TooMany => Self::new(StatusCode::CONFLICT, "too-many-domains", detail),
            NotDone::State(_) => Self::new(StatusCode::CONFLICT, "state", detail),
            NotDone::Held => Self::new(StatusCode::CONFLICT, "E-DOMAIN-CONFLICT", detail),
            NotDone::Planted => Self::new(StatusCode::CONFLICT, "integrity", detail),
            NotDone::Raced => Self::new(StatusCode::CONFLICT, "conflict", detail),
            NotDone::Unavailable(fault) => fault.into(),
            NotDone::Untold(_) => Self::fault(&detail),
        }
    }
}
