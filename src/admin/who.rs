//! Whose request it is: one bearer token, its owner, and what the owner's roles allow now (rule M19).

use super::answer::Problem;
use super::scope::Scope;
use super::{Admin, token};
use crate::kernel::event::{Actor, Client};
use crate::kernel::journal::{AdminChange, ApiToken, Batch, Change, Reach, Role};
use crate::kernel::model::{Account, AccountStatus};
use crate::kernel::values::{Network, Timestamp};
use crate::orgs::change::Author;
use crate::orgs::roles::{Held, held};
use crate::web::PageRequest;
use http::{HeaderMap, StatusCode, header};
use std::net::IpAddr;
use std::time::Duration;

/// The last use is written at most this often.
const NOTE_USE_EVERY: Duration = Duration::from_secs(60);

/// An admitted caller.
pub struct Who {
    /// The token.
    pub token: ApiToken,
    /// Its owner.
    pub owner: Account,
    /// The owner's roles, as far as the token reaches.
    pub roles: Vec<Held>,
}

impl Who {
    /// Whether the caller may do this somewhere; what an enterprise may is said at its own routes alone (row T37).
    pub fn may(&self, scope: Scope) -> bool {
        let elsewhere = |held: &&Held| !matches!(held.reach, Reach::Enterprise(..));
        self.has(scope) && self.roles.iter().filter(elsewhere).any(|held| scope.is_of(held.role))
    }

    /// Whether the caller may do this to an organization or an enterprise.
    pub fn may_at(&self, scope: Scope, place: &Reach) -> bool {
        self.has(scope) && self.roles_at(place).any(|held| scope.is_of(held.role))
    }

    /// Whether the caller has any business with an organization or an enterprise: for anybody else it does not exist.
    pub fn sees(&self, place: &Reach) -> bool {
        self.roles_at(place).next().is_some()
    }

    /// Whether the caller may do this to all of the installation.
    pub fn may_everywhere(&self, scope: Scope) -> bool {
        self.has(scope) && self.roles.iter().any(|held| held.reach == Reach::Everywhere && scope.is_of(held.role))
    }

    /// Whether the caller is an operator.
    pub fn is_operator(&self) -> bool {
        self.roles.iter().any(|held| held.reach == Reach::Everywhere && held.role == Role::Operator)
    }

    fn has(&self, scope: Scope) -> bool {
        self.token.scopes.iter().any(|code| code == scope.code())
    }

    fn roles_at<'a>(&'a self, place: &'a Reach) -> impl Iterator<Item = &'a Held> {
        let reaches = self.token.reach.covers(place);
        self.roles.iter().filter(move |held| reaches && held.reach.covers(place))
    }

    /// For versions and events.
    pub fn author(&self, request: &PageRequest) -> Author {
        let address = self.owner.email.as_ref().map(ToString::to_string);
        let by = address.clone().unwrap_or_else(|| self.owner.id.to_string());
        let ua = request.head.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let ua = ua.map(|text| text.chars().filter(|c| !c.is_control()).take(256).collect());
        Author {
            actor: Actor {
                kind: "api_token".to_owned(),
                id: Some(format!("{}/{}", self.owner.id, self.token.id)),
                address,
            },
            by: format!("{by} by token {}", self.token.id),
            client: Some(Client { ip: request.client.to_string(), ua }),
            correlation: Some(request.request_id.clone()),
        }
    }
}

impl Admin {
    /// Admits a request, or says that it is nobody's. One answer for every reason, so that a token's fate is not told to whoever
    /// found it.
    pub(super) async fn admit(&self, request: &PageRequest) -> Result<Who, Problem> {
        let now = request.now;
        match self.find(&request.head.headers, request.client, now).await? {
            Some(who) if self.rates.token_may(who.token.id.to_bytes(), now) => {
                self.note_use(&who.token, now).await?;
                Ok(who)
            }
            Some(_) => {
                Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many requests. Wait a few seconds."))
            }
            None if self.rates.may_be_wrong(request.client, now) => {
                let detail = "Send `Authorization: Bearer fga_…` with a token that is in force. `fedgate token create` makes one.";
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail))
            }
            None => {
                Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", "Too many wrong tokens. Wait a minute."))
            }
        }
    }

    async fn find(&self, fields: &HeaderMap, client: IpAddr, now: Timestamp) -> Result<Option<Who>, Problem> {
        let Some(written) = bearer(fields).and_then(token::read) else { return Ok(None) };
        let (store, keys) = (&self.world.store, &self.world.keys);
        let mut found = store.api_token(&keys.api_token_key(&written)).await?;
        for key in keys.earlier_api_token_keys(&written) {
            if found.is_none() {
                found = store.api_token(&key).await?;
            }
        }
        let Some(token) = found.filter(|token| token.expires_at > now && comes_from(token, client)) else {
            return Ok(None);
        };
        if !keys.holds_api_token(&token) {
            tracing::error!(token = %token.id, "a stored token's MAC does not hold: the database was written to");
            return Ok(None);
        }
        let Some(owner) = store.account(token.owner).await?.filter(|owner| owner.status == AccountStatus::Active)
        else {
            return Ok(None);
        };
        let mut pins = store.role_pins_of(owner.id).await?;
        pins.retain(|pin| keys.holds_pin(pin));
        let mut roles = held(&self.world.orgs.effective(), &pins, owner.id);
        // A token of one organization or enterprise has no power over the installation, whatever its owner is.
        if token.reach != Reach::Everywhere {
            roles.retain(|held| held.reach.covers(&token.reach));
            roles.iter_mut().for_each(|held| held.reach = token.reach.clone());
        }
        Ok((!roles.is_empty()).then_some(Who { token, owner, roles }))
    }

    async fn note_use(&self, token: &ApiToken, now: Timestamp) -> Result<(), Problem> {
        if token.last_used.is_some_and(|used| now.since(used) < NOTE_USE_EVERY) {
            return Ok(());
        }
        let change = Change::Admin(AdminChange::TokenUsed(token.id, now));
        self.world.store.commit(Batch { changes: vec![change], ..Batch::default() }).await?;
        Ok(())
    }
}

/// The one bearer token of a request: another field of the same name makes it nobody's (rule C7).
fn bearer(fields: &HeaderMap) -> Option<&str> {
    let mut all = fields.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn comes_from(token: &ApiToken, client: IpAddr) -> bool {
    let covers = |written: &String| Network::parse(written).is_some_and(|network| network.holds(client));
    token.networks.is_empty() || token.networks.iter().any(covers)
}
