//! What the operator does at the gateway's machine, over the control socket: what no token may (rule M19), and taking back.

use super::Admin;
use super::answer::Problem;
use super::mint::Wanted;
use super::organizations::proposal;
use super::scope::Scope;
use crate::kernel::domain::DomainProof;
use crate::kernel::event::Actor;
use crate::kernel::journal::{ApiToken, Reach};
use crate::kernel::model::Quarantine;
use crate::kernel::values::{AccountId, ApiTokenId, DomainName, EmailAddress, OrgName, ProductName, Secret, Timestamp};
use crate::keys::Kind;
use crate::login::{Enrolled, Tombstone};
use crate::orgs::change::{Author, Proposal};
use crate::orgs::{Document, Stored};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Versions that one history shows at most.
const HISTORY: usize = 200;

/// One command.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Makes a token.
    TokenCreate {
        /// Whose, by address.
        owner: String,
        /// Scopes.
        scopes: Vec<String>,
        /// The one organization that it sees.
        org: Option<String>,
        /// The one enterprise that it sees: `PRODUCT/ENTERPRISE`.
        enterprise: Option<String>,
        /// Seconds that it lives.
        expires: u64,
        /// What for.
        label: String,
        /// Networks that it may be used from.
        networks: Vec<String>,
    },
    /// Lists tokens.
    TokenList,
    /// Ends a token.
    TokenRevoke {
        /// Its id.
        id: String,
    },
    /// Every version of an organization.
    PolicyHistory {
        /// Whose.
        org: String,
    },
    /// Brings an earlier version back.
    PolicyRevert {
        /// Whose.
        org: String,
        /// Which; none: the one before the newest.
        to: Option<u32>,
        /// The code that confirms what that gives away.
        loosen: Option<String>,
        /// Whether it may lock the organization out.
        accept_lockout: bool,
    },
    /// Every domain that organizations asked for, and where each stands.
    DomainList,
    /// Settles a dispute: this organization holds the domain.
    DomainSettle {
        /// Whose it is from now on.
        org: String,
        /// Which.
        domain: String,
        /// The code that confirms what another organization loses.
        loosen: Option<String>,
    },
    /// Removes a row that another hand wrote.
    DomainDrop {
        /// Whose it says it is.
        org: String,
        /// Which.
        domain: String,
    },
    /// Lets the person with this address enrol for the emergency door (rule H3).
    BreakglassEnrol {
        /// Whose.
        email: String,
    },
    /// Who is enrolled for the emergency door, and who is named without being so.
    BreakglassList,
    /// Takes the emergency passkeys of whoever has this address away.
    BreakglassRemove {
        /// Whose.
        email: String,
    },
    /// Accounts that were put aside (B21) and can be brought back.
    QuarantineList,
    /// Brings one back.
    QuarantineUndo {
        /// Its id.
        account: String,
    },
    /// Lets a product hear of an address for another user id (rule H19).
    QuarantineFree {
        /// The address.
        email: String,
        /// The product.
        product: String,
    },
    /// The deleted account that an address keeps out (rule H2).
    TombstoneShow {
        /// The address.
        email: String,
    },
    /// Lets whoever it was come anew.
    TombstoneLift {
        /// The address.
        email: String,
    },
    /// Makes our next keys at a directory: by SAML, or by OIDC with `private_key_jwt`.
    KeysRotate {
        /// The directory, as displayed.
        directory: String,
        /// Whether the keys before it are refused at once.
        compromised: bool,
    },
    /// Replaces our own keys of a kind.
    KeysReplace {
        /// The kind.
        kind: String,
        /// Whether the keys before it are refused at once.
        compromised: bool,
    },
    /// Seals everything under the key-encryption key's successor.
    KeysSealAnew {},
    /// An organization's document as it holds.
    OrgShow {
        /// Whose.
        org: String,
    },
    /// Puts a whole document: the way to replace a directory.
    OrgPut {
        /// Whose.
        org: String,
        /// The document, in the words of `[org.NAME]`.
        document: Map<String, Value>,
        /// Secrets of directories, by the directory's name.
        secrets: BTreeMap<String, String>,
        /// The code that confirms what that gives away.
        loosen: Option<String>,
        /// Whether it may lock the organization out.
        accept_lockout: bool,
    },
}

impl Admin {
    /// Does what the operator says; `uid` is theirs on this machine.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn operate(&self, command: Command, uid: u32) -> Result<Value, String> {
        let now = self.world.clock.now();
        let by = Actor { kind: "operator".to_owned(), id: Some(format!("uid {uid}")), address: None };
        match command {
            Command::TokenCreate { owner, scopes, org, enterprise, expires, label, networks } => {
                let wanted = Wanted {
                    owner: EmailAddress::parse(&owner).map_err(|why| why.to_string())?,
                    scopes: scopes.iter().map(|code| scope(code)).collect::<Result<_, _>>()?,
                    reach: self.reach(org.as_deref(), enterprise.as_deref())?,
                    expires: Duration::from_secs(expires),
                    label,
                    networks,
                };
                let (made, secret) = self.mint(wanted, &by, now).await?;
                Ok(json!({ "token": secret.expose(), "made": shown(&made) }))
            }
            Command::TokenList => {
                let tokens: Vec<Value> = self.tokens(now).await?.iter().map(shown).collect();
                Ok(json!({ "tokens": tokens }))
            }
            Command::TokenRevoke { id } => {
                let id = ApiTokenId::parse(&id).map_err(|why| why.to_string())?;
                self.end_token(id, &by, now).await?;
                Ok(json!({ "revoked": id.to_string() }))
            }
            Command::PolicyHistory { org } => self.history(&name(&org)?).await,
            Command::PolicyRevert { org, to, loosen, accept_lockout } => {
                let back = self.reverted(&name(&org)?, to).await.map_err(said)?;
                let proposal = Proposal { confirmed: loosen, accept_lockout, ..back };
                self.propose(proposal, by, now).await
            }
            Command::DomainList => {
                let listed = self.domains.list(None).await.map_err(|why| why.to_string())?;
                Ok(json!({ "domains": listed.iter().map(|one| held(&one.proof)).collect::<Vec<_>>() }))
            }
            Command::DomainSettle { org, domain, loosen } => {
                let settled = self.settled(&self.known(&org)?, &named(&domain)?, loosen.as_ref(), &by).await;
                settled.map(|one| held(&one.proof)).map_err(told)
            }
            Command::DomainDrop { org, domain } => {
                let (org, domain) = (name(&org)?, named(&domain)?);
                self.domains.drop_untrusted(&org, &domain, &by).await.map_err(|why| why.to_string())?;
                self.world.rebuild().await.map_err(|why| why.to_string())?;
                Ok(json!({ "dropped": domain.as_str(), "org": org.as_str() }))
            }
            Command::BreakglassEnrol { email } => {
                let email = EmailAddress::parse(&email).map_err(|why| why.to_string())?;
                let link = self.login.prepare_emergency(&email, &by, now).await.map_err(|why| why.to_string())?;
                Ok(json!({ "email": email.as_str(), "link": link, "minutes": 15 }))
            }
            Command::BreakglassList => {
                let listed = self.login.emergency_enrolments().await.map_err(|why| why.to_string())?;
                Ok(json!({ "enrolled": listed.iter().map(enrolled).collect::<Vec<_>>() }))
            }
            Command::BreakglassRemove { email } => {
                let email = EmailAddress::parse(&email).map_err(|why| why.to_string())?;
                let removed = self.login.remove_emergency(&email, &by, now).await?;
                let locked_out: Vec<&str> = removed.locked_out.iter().map(OrgName::as_str).collect();
                Ok(json!({ "email": email.as_str(), "removed": removed.passkeys, "locked_out": locked_out }))
            }
            Command::QuarantineList => {
                let listed = self.login.quarantined().await.map_err(|why| why.to_string())?;
                Ok(json!({ "quarantined": listed.iter().map(set_aside).collect::<Vec<_>>() }))
            }
            Command::QuarantineUndo { account } => {
                let account = AccountId::parse(&account).map_err(|why| why.to_string())?;
                let back = self.login.bring_back(account, &by, now).await?;
                let email = back.email.as_ref().map(EmailAddress::as_str);
                Ok(json!({ "restored": back.id.to_string(), "email": email }))
            }
            Command::QuarantineFree { email, product } => {
                let email = EmailAddress::parse(&email).map_err(|why| why.to_string())?;
                let product = ProductName::parse(&product).map_err(|why| why.to_string())?;
                let sub = self.login.free_address(&product, &email, &by, now).await?;
                Ok(json!({ "freed": email.as_str(), "product": product.as_str(), "sub": sub }))
            }
            Command::TombstoneShow { email } => {
                let email = EmailAddress::parse(&email).map_err(|why| why.to_string())?;
                let found = self.login.tombstone(&email).await.map_err(|why| why.to_string())?;
                Ok(found
                    .map_or_else(|| json!({ "email": email.as_str(), "tombstone": null }), |one| stone(&email, &one)))
            }
            Command::TombstoneLift { email } => {
                let email = EmailAddress::parse(&email).map_err(|why| why.to_string())?;
                let lifted = self.login.lift_tombstone(&email, &by, now).await?;
                Ok(stone(&email, &lifted))
            }
            Command::KeysRotate { directory, compromised } => {
                let catalog = self.world.catalog.load_full();
                let found = catalog.directories.values().find(|one| one.name.to_string() == directory);
                let found = found.ok_or_else(|| format!("there is no directory {directory:?}"))?;
                if found.protocol.settings().is_some_and(|settings| settings.client_auth.is_by_key()) {
                    let rotation = self.world.rotate((Kind::Client(found.id), compromised), by, now).await?;
                    let (made, refused) = rotation.names();
                    let keys = format!("{}{}", catalog.login.url(), found.name.jwks_path());
                    return Ok(json!({ "directory": directory, "made": made, "refused": refused, "keys": keys }));
                }
                if found.protocol.saml().is_none() {
                    return Err(format!("we have no keys at {directory:?}: it takes a secret, or nothing"));
                }
                let rolled = self.world.saml.roll(found, &catalog.login, compromised).await;
                let rolled = rolled.map_err(|why| why.to_string())?;
                Ok(json!({
                    "directory": directory,
                    "generation": rolled.generation,
                    "signs_from": rolled.signs_from.to_string(),
                    "old_until": rolled.old_until.map(|until| until.to_string()),
                    "metadata": format!("{}{}", catalog.login.url(), found.name.saml_path("metadata")),
                }))
            }
            Command::KeysReplace { kind, compromised } => {
                let parsed = Kind::parse(&kind).ok_or_else(|| format!("there are no keys {kind:?}"))?;
                let rotation = self.world.rotate((parsed, compromised), by, now).await?;
                let (made, refused) = rotation.names();
                Ok(json!({ "kind": kind, "made": made, "refused": refused }))
            }
            Command::KeysSealAnew {} => {
                let done = self.world.seal_anew(&by, now).await?;
                Ok(json!({ "sealed_anew": done.rows, "unreadable": done.unreadable }))
            }
            Command::OrgShow { org } => {
                let document = self.document(&self.known(&org)?).await.map_err(said)?;
                Ok(Value::Object(document.as_map().clone()))
            }
            Command::OrgPut { org, document, secrets, loosen, accept_lockout } => {
                let mut put = Document::default();
                document.into_iter().for_each(|(key, value)| put.put(&[&key], value));
                let secrets = secrets.into_iter().map(|(directory, secret)| (directory, Secret::new(secret))).collect();
                let proposal = proposal(&name(&org)?, put, "document put by the operator");
                self.propose(Proposal { secrets, confirmed: loosen, accept_lockout, ..proposal }, by, now).await
            }
        }
    }

    async fn propose(&self, proposal: Proposal, actor: Actor, now: Timestamp) -> Result<Value, String> {
        let by = actor.id.as_deref().map_or_else(|| actor.kind.clone(), |id| format!("{} {id}", actor.kind));
        let author = Author { actor, by, client: None, correlation: None };
        let ground = (self.world.store.as_ref(), &self.world.kek);
        let version = self.world.orgs.change(ground, &proposal, &author, now).await.map_err(String::from)?;
        self.world.rebuild().await.map_err(|why| why.to_string())?;
        Ok(json!({ "org": version.org.as_str(), "version": version.version, "what": version.what }))
    }

    /// What a token is to see: an organization or an enterprise that is there, or all that its owner does.
    fn reach(&self, org: Option<&str>, enterprise: Option<&str>) -> Result<Reach, String> {
        match (org, enterprise) {
            (None, None) => Ok(Reach::Everywhere),
            (Some(org), None) => Ok(Reach::Org(self.known(org)?)),
            (None, Some(written)) => match Reach::from_code(Some(written)) {
                Ok(Reach::Enterprise(product, name)) if self.has_enterprise(&product, &name) => {
                    Ok(Reach::Enterprise(product, name))
                }
                _ => {
                    Err(format!("there is no enterprise {written:?}: write PRODUCT/ENTERPRISE as in the configuration"))
                }
            },
            (Some(_), Some(_)) => Err("a token sees one organization or one enterprise, not both".to_owned()),
        }
    }

    async fn history(&self, org: &OrgName) -> Result<Value, String> {
        let unavailable = |why: crate::store::Unavailable| why.to_string();
        let versions = self.world.store.organization_versions(org, u32::MAX, HISTORY).await.map_err(unavailable)?;
        let policies = Stored::load(self.world.store.as_ref()).await.map_err(unavailable)?.policies;
        let epoch = policies.iter().find(|row| row.org == *org).map(|row| row.epoch);
        let versions: Vec<Value> = versions
            .iter()
            .map(|one| {
                json!({
                    "version": one.version,
                    "at": one.at.to_string(),
                    "by": one.by,
                    "what": one.what,
                    "ours": self.world.keys.holds_version(one),
                })
            })
            .collect();
        Ok(json!({ "org": org.as_str(), "epoch": epoch, "versions": versions }))
    }

    /// An organization that there is.
    fn known(&self, org: &str) -> Result<OrgName, String> {
        let org = name(org)?;
        let is_there = self.world.orgs.effective().orgs.iter().any(|known| known.name == org);
        if is_there { Ok(org) } else { Err(format!("there is no organization {org}")) }
    }
}

fn name(org: &str) -> Result<OrgName, String> {
    OrgName::parse(org).map_err(|why| why.to_string())
}

fn scope(code: &str) -> Result<Scope, String> {
    let all = || Scope::ALL.map(Scope::code).join(", ");
    Scope::from_code(code).ok_or_else(|| format!("there is no scope {code:?}: write some of {}", all()))
}

fn said(problem: Problem) -> String {
    problem.detail
}

/// The same where it may be a loosening: what is given away, and the code that confirms it.
fn told(problem: Problem) -> String {
    let find = |name: &str| problem.more.iter().find(|(member, _)| *member == name).map(|(_, value)| value);
    let (Some(Value::Array(loosens)), Some(Value::String(code))) = (find("loosens"), find("confirm")) else {
        return problem.detail;
    };
    let list: Vec<String> = loosens.iter().filter_map(Value::as_str).map(|one| format!("  - {one}")).collect();
    let people = find("people").map(Value::to_string).unwrap_or_default();
    format!(
        "{}: this gives away:\n{}\npeople: {people}\nIf that is meant, repeat it with the code {code}",
        problem.code,
        list.join("\n")
    )
}

fn named(domain: &str) -> Result<DomainName, String> {
    DomainName::parse(domain).map_err(|_| format!("{domain:?} is not a domain"))
}

fn held(proof: &DomainProof) -> Value {
    json!({ "domain": proof.domain.as_str(), "org": proof.org.as_str(), "state": proof.state.code(), "version": proof.version })
}

fn stone(email: &EmailAddress, tombstone: &Tombstone) -> Value {
    let known_to: Vec<&str> = tombstone.known_to.iter().map(ProductName::as_str).collect();
    json!({ "email": email.as_str(), "tombstone": tombstone.account.to_string(), "known_to": known_to })
}

fn set_aside(one: &Quarantine) -> Value {
    json!({
        "account": one.account.to_string(),
        "email": one.email.as_str(),
        "product": one.product.as_str(),
        "at": one.at.to_string(),
        "until": one.until.to_string(),
        "by": one.by.to_string(),
    })
}

fn enrolled(one: &Enrolled) -> Value {
    let passkey = one.passkey.as_ref();
    json!({
        "email": one.email.as_ref().map(EmailAddress::as_str),
        "named_by": one.named_by.iter().map(OrgName::as_str).collect::<Vec<_>>(),
        "state": match passkey {
            None => "not enrolled",
            Some(_) if !one.holds => "changed by another hand",
            Some(_) if one.named_by.is_empty() => "enrolled, not named",
            Some(_) => "enrolled",
        },
        "label": passkey.map(|passkey| passkey.label.as_str()),
        "enrolled": passkey.map(|passkey| passkey.created_at.to_string()),
        "last_used": passkey.map(|passkey| passkey.last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string())),
    })
}

fn shown(token: &ApiToken) -> Value {
    json!({
        "id": token.id.to_string(),
        "owner": token.owner.to_string(),
        "label": token.label,
        "scopes": token.scopes,
        "org": token.reach.org().map(OrgName::as_str),
        "over": token.reach.code(),
        "networks": token.networks,
        "created": token.created_at.to_string(),
        "expires": token.expires_at.to_string(),
        "last_used": token.last_used.map_or_else(|| "never".to_owned(), |at| at.to_string()),
    })
}
