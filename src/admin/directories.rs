//! Directories of an organization: seen, and added. What is there is replaced by nobody with a token (rule M19).

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::organizations::proposal;
use super::shapes::{Directory, NewDirectory, Page};
use crate::kernel::event::Action;
use crate::kernel::model::Protocol;
use crate::kernel::values::{DirectoryName, OrgName, PolicyName, Secret};
use crate::orgs::change::{Outlook, Proposal};
use crate::orgs::{DraftDirectory, DraftOrg};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::HashMap;
use url::Url;

impl Admin {
    pub(super) async fn list_directories(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, limit) = (call.org()?, call.limit()?);
        let after = call.after(|text| Some(text.to_owned()))?;
        let effective = self.world.orgs.effective();
        let mut items: Vec<Directory> = effective
            .directories
            .iter()
            .filter(|one| one.org() == Some(org))
            .filter_map(|one| self.shown_directory(one))
            .collect();
        items.sort_by(|one, other| one.name.cmp(&other.name));
        items.retain(|one| after.as_ref().is_none_or(|after| one.name > *after));
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.name.clone());
        Reply::of(&Page { items, next })
    }

    pub(super) fn show_directory(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let name = DirectoryName::of_org(call.org()?.clone(), call.name(0)?).map_err(|_| Problem::not_found())?;
        Reply::of(&self.directory(&name)?)
    }

    pub(super) async fn create_directory(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, wanted) = (call.org()?, call.body::<NewDirectory>()?);
        let name = DirectoryName::of_org(org.clone(), &wanted.name);
        let name = name.map_err(|why| Problem::invalid(format!("`name`: {why}.")))?;
        let effective = self.world.orgs.effective();
        if effective.directories.iter().any(|known| known.name == name) {
            return Err(Problem::new(StatusCode::CONFLICT, "exists", "There is a directory of that name."));
        }
        match (&wanted.oidc, &wanted.saml) {
            (Some(oidc), None) if call.who.is_operator() || is_public(oidc) => {}
            (None, Some(saml)) if call.who.is_operator() || is_public(saml) => {}
            (Some(_), None) => return Err(Problem::invalid("`oidc` is an https address on port 443.")),
            (None, Some(_)) => return Err(Problem::invalid("`saml` is an https address on port 443.")),
            _ => return Err(Problem::invalid("Write `oidc` or `saml`, and not both.")),
        }
        let served = self.refuse_served_domains(org, &wanted);
        let mut document = self.document(org).await?;
        document.put(&["directory", &wanted.name], written(&wanted));
        let secrets = wanted.client_secret.map(|secret| (wanted.name.clone(), Secret::new(secret)));
        let proposal = Proposal {
            on: call.on,
            action: Action::DirectoryCreated,
            secrets: secrets.into_iter().collect(),
            ..proposal(org, document, &format!("directory {} added", wanted.name))
        };
        // What is wrong with it is said first: it is the writer's to mend, this is not.
        let outlook = self.look(call, &proposal).await?;
        served?;
        if let Some(saml) = &wanted.saml {
            // A provider that nothing could be verified of is no directory: said now, not at somebody's first login.
            let looked = self.world.saml.look_at(saml).await;
            looked.map_err(|why| Problem::invalid(format!("`saml`: {why}.")))?;
        }
        let version = self.make_looked_at(call, outlook, &proposal).await?;
        Ok(Reply::of(&self.directory(&name)?)?.created().at(version.version))
    }

    /// A directory speaks for the addresses of every domain that it lists. One that a token adds beside another may list those
    /// alone that no directory serves (rule M19).
    fn refuse_served_domains(&self, org: &OrgName, wanted: &NewDirectory) -> Result<(), Problem> {
        let effective = self.world.orgs.effective();
        let Some(known) = effective.orgs.iter().find(|known| known.name == *org) else { return Ok(()) };
        if known.directories.is_empty() {
            return Ok(());
        }
        let is_free = |wanted: &String| {
            known.domains.iter().any(|(domain, serving)| domain.as_str() == wanted && serving.is_none())
        };
        match &wanted.domains {
            Some(domains) if !domains.is_empty() && domains.iter().all(is_free) => Ok(()),
            _ => Err(Problem::step_up("let another directory speak for a domain that one serves")),
        }
    }

    fn directory(&self, name: &DirectoryName) -> Result<Directory, Problem> {
        let effective = self.world.orgs.effective();
        let found = effective.directories.iter().find(|known| known.name == *name);
        found.and_then(|found| self.shown_directory(found)).ok_or_else(Problem::not_found)
    }

    pub(super) fn shown_directory(&self, directory: &DraftDirectory) -> Option<Directory> {
        let DirectoryName::Org(_, name) = &directory.name else { return None };
        let login = self.world.catalog.load().login.url();
        let (settings, saml) = (directory.protocol.settings(), directory.protocol.saml());
        let of_saml = |what: &str| saml.map(|_| format!("{login}{}", directory.name.saml_path(what)));
        let protocol = match &directory.protocol {
            Protocol::Oidc(_) => "oidc",
            Protocol::Oauth2Userinfo(..) => "oauth2",
            Protocol::Saml(_) => "saml",
            Protocol::Local => return None,
        };
        Some(Directory {
            name: name.clone(),
            label: directory.label.clone(),
            in_file: self.world.orgs.floor().directories.iter().any(|known| known.name == directory.name),
            protocol: protocol.to_owned(),
            issuer: settings.map(|settings| settings.issuer.clone()),
            client_id: settings.map(|settings| settings.client_id.clone()),
            redirect_uri: settings.map(|_| format!("{login}{}", directory.name.callback_path())),
            saml: saml.map(|settings| settings.metadata.to_string()),
            entity_id: of_saml("metadata"),
            acs: of_saml("acs"),
            slo: of_saml("slo"),
            domains: directory.domains.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Whose proof opens the accounts of a domain may not be changed by a token: neither for a domain that a directory serves, nor by a
/// policy that names one (rule M19). The first directory of an organization takes nobody's place, and a policy may name the one
/// that serves all of its domains.
pub(super) fn refuse_another_directory(outlook: &Outlook) -> Result<(), Problem> {
    let (Some(before), Some(after)) = (&outlook.before, &outlook.after) else { return Ok(()) };
    if before.directories.is_empty() {
        return Ok(());
    }
    let moved = before.domains.iter().any(|(domain, serving)| {
        let now = after.domains.iter().find(|(known, _)| known == domain);
        serving.is_some() && now.is_some_and(|(_, now)| now != serving)
    });
    let named = |org: &DraftOrg| -> HashMap<PolicyName, DirectoryName> {
        let all = std::iter::once(&org.policy).chain(org.policies.iter().map(|(_, policy)| policy));
        all.filter_map(|policy| Some((policy.name.clone(), policy.directory.clone()?))).collect()
    };
    let serves_all = |name: &DirectoryName| before.domains.iter().all(|(_, serving)| serving.as_ref() == Some(name));
    let (was, is) = (named(before), named(after));
    let mut changed = was.iter().filter(|(name, directory)| is.get(*name) != Some(*directory));
    let mut news = is.iter().filter(|(name, directory)| was.get(*name) != Some(*directory));
    let renamed =
        changed.any(|(_, directory)| !serves_all(directory)) || news.any(|(_, directory)| !serves_all(directory));
    if moved || renamed { Err(Problem::step_up("put another directory in the place of one")) } else { Ok(()) }
}

/// What the organization names is asked over the open network and nowhere else (rule M16); that the address is a public one is
/// seen when it is asked.
fn is_public(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.scheme() == "https" && url.port().is_none() && url.domain().is_some())
}

/// In the words of `[org.NAME.directory.NAME]`.
fn written(wanted: &NewDirectory) -> Value {
    json!({
        "oidc": wanted.oidc,
        "saml": wanted.saml,
        "preset": wanted.preset,
        "client_id": wanted.client_id,
        "label": wanted.label,
        "client_auth": wanted.client_auth,
        "subject": wanted.subject,
        "groups": wanted.groups,
        "require_amr": wanted.require_amr,
        "domains": wanted.domains,
    })
}
