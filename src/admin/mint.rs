//! Making, listing and ending tokens. Reached by the control socket alone: no token makes tokens (rule M19).

use super::scope::Scope;
use super::{Admin, token};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::journal::{AdminChange, ApiToken, Batch, Change, Reach};
use crate::kernel::model::{Account, AccountStatus};
use crate::kernel::values::{ApiTokenId, EmailAddress, EventId, Network, Secret, SessionKey, Timestamp, Token};
use crate::orgs::roles::held;
use serde_json::json;
use std::time::Duration;

/// No token lives longer (rule M19).
pub const LONGEST: Duration = Duration::from_secs(90 * 86_400);
/// Tokens of one owner that are in force at once.
const AT_ONCE: usize = 20;

/// A token that is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose it will be.
    pub owner: EmailAddress,
    /// What it may do at most.
    pub scopes: Vec<Scope>,
    /// What it sees at most, of what its owner does.
    pub reach: Reach,
    /// How long it lives.
    pub expires: Duration,
    /// What for, for people.
    pub label: String,
    /// Networks that it may be used from; empty: any.
    pub networks: Vec<String>,
}

impl Admin {
    /// Makes a token for somebody who has a role for it. Its text is shown once.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn mint(&self, wanted: Wanted, by: &Actor, now: Timestamp) -> Result<(ApiToken, Secret), String> {
        if wanted.scopes.is_empty() || wanted.expires.is_zero() || wanted.expires > LONGEST {
            return Err("a token has a --scope and lives at most 90 days".to_owned());
        }
        if let Some(wrong) = wanted.networks.iter().find(|written| Network::parse(written).is_none()) {
            return Err(format!("{wrong:?} is not an address range: write 10.0.0.0/8 or one address"));
        }
        let owner = self.owner(&wanted, now).await?;
        let secret = Token::new(random());
        let mut made = ApiToken {
            id: ApiTokenId::mint(now, random()),
            key: self.key(&secret),
            owner: owner.id,
            label: wanted.label.chars().filter(|c| !c.is_control()).take(64).collect(),
            scopes: wanted.scopes.iter().map(|scope| scope.code().to_owned()).collect(),
            reach: wanted.reach,
            networks: wanted.networks,
            created_at: now,
            expires_at: now.plus(wanted.expires),
            last_used: None,
            mac: [0; 32],
        };
        made.mac = self.world.keys.mac_api_token(&made);
        let mut batch = Batch::default();
        batch.changes.push(Change::Admin(AdminChange::CreateToken(made.clone())));
        batch.events.push(told(Action::ApiTokenCreated, &made, Some(&owner), by, now));
        self.world.store.commit(batch).await.map_err(|why| why.to_string())?;
        Ok((made, Secret::new(token::write(&secret).to_string())))
    }

    /// All tokens in force, oldest first.
    ///
    /// # Errors
    /// A sentence: the store does not answer.
    pub async fn tokens(&self, now: Timestamp) -> Result<Vec<ApiToken>, String> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.world.store.api_tokens(after, 500).await.map_err(|why| why.to_string())?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.id);
            all.extend(page.into_iter().filter(|token| token.expires_at > now));
        }
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// A sentence: there is none, or the store does not answer.
    pub async fn end_token(&self, id: ApiTokenId, by: &Actor, now: Timestamp) -> Result<(), String> {
        let token = self.tokens(now).await?.into_iter().find(|token| token.id == id);
        let token = token.ok_or_else(|| format!("there is no token {id}"))?;
        let batch = Batch {
            changes: vec![Change::Admin(AdminChange::EndToken(id))],
            events: vec![told(Action::ApiTokenRevoked, &token, None, by, now)],
            ..Batch::default()
        };
        self.world.store.commit(batch).await.map(|_| ()).map_err(|why| why.to_string())
    }

    fn key(&self, secret: &Token) -> SessionKey {
        self.world.keys.api_token_key(secret)
    }

    /// The person, with a role that has every scope of the token.
    async fn owner(&self, wanted: &Wanted, now: Timestamp) -> Result<Account, String> {
        let email = &wanted.owner;
        let known = self.world.store.accounts_by_email(email).await.map_err(|why| why.to_string())?;
        let mut live = known.into_iter().filter(|one| one.email_verified && one.status == AccountStatus::Active);
        let owner = live.next().filter(|_| live.next().is_none());
        let owner = owner.ok_or_else(|| format!("nobody has logged in as {email} yet: a token is somebody's"))?;
        let pins = self.world.store.role_pins_of(owner.id).await.map_err(|why| why.to_string())?;
        let pins: Vec<_> = pins.into_iter().filter(|pin| self.world.keys.holds_pin(pin)).collect();
        let roles = held(&self.world.orgs.effective(), &pins, owner.id);
        for scope in &wanted.scopes {
            if !roles.iter().any(|held| held.reach.covers(&wanted.reach) && scope.is_of(held.role)) {
                return Err(format!(
                    "{email} has no role with {}: name the address in [admin] or in `admins` of the organization or enterprise, and log in with it \
                     once",
                    scope.code()
                ));
            }
        }
        let own = self.tokens(now).await?.iter().filter(|token| token.owner == owner.id).count();
        if own >= AT_ONCE { Err(format!("{email} has {own} tokens: end one first")) } else { Ok(owner) }
    }
}

fn told(action: Action, token: &ApiToken, owner: Option<&Account>, by: &Actor, now: Timestamp) -> AuditEvent {
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
    event.actor = Some(by.clone());
    event.org = token.reach.org().map(ToString::to_string);
    event.subject = Subject {
        account: Some(token.owner.to_string()),
        email: owner.and_then(|owner| owner.email.as_ref()).map(ToString::to_string),
        ..Subject::default()
    };
    event.after = Some(json!({
        "id": token.id.to_string(),
        "scopes": token.scopes,
        "over": token.reach.code(),
        "networks": token.networks,
        "expires": token.expires_at.to_string(),
    }));
    event
}
