//! Phase C: may this session go on? Asked for every request (cached until the answer may change), in the order of behaviour §3.6.
//!
//! Only the store's facts, the configuration of now and the time decide; nothing that a client declares is an argument (rule H15).
//! Limits that were shortened bite at once. A stricter policy meets sessions as its `on_change` says.

mod expired;
pub mod step_up;
pub mod token;
mod whence;

pub use expired::{VOUCHES_FOR, expired};
pub use whence::Whence;

use super::admit::{third_party_allows, third_party_of};
use super::model::{
    Account, ApiTokens, Catalog, Grant, LoginSession, Method, OnChange, Product, ProductAccount, ProductAccountState,
    ProductSession, SecondStep, Sso, demand,
};
use super::refusal::Refusal;
use super::standing::{self, Bounds, Demand, Entrant, Groups, Management};
use super::values::{EmailAddress, LoginSessionId, Timestamp};
use std::time::Duration;

/// What is asked about a session at a product.
#[derive(Clone, Copy, Debug)]
pub struct LiveFacts<'a> {
    /// The store's clock.
    pub now: Timestamp,
    /// The configuration of now.
    pub catalog: &'a Catalog,
    /// The product that the request is for, as it is configured now.
    pub product: &'a Product,
    /// The parent.
    pub login: &'a LoginSession,
    /// The session, its MAC checked.
    pub session: &'a ProductSession,
    /// The account that both name.
    pub account: &'a Account,
    /// Its record at the product; none when the row is gone.
    pub product_account: Option<&'a ProductAccount>,
    /// As in [`Facts::further`](super::admit::Facts::further).
    pub further: &'a [EmailAddress],
}

/// What is asked about a login session alone.
#[derive(Clone, Copy, Debug)]
pub struct LoginFacts<'a> {
    /// The store's clock.
    pub now: Timestamp,
    /// The configuration of now.
    pub catalog: &'a Catalog,
    /// The session, its MAC checked.
    pub login: &'a LoginSession,
    /// Its account.
    pub account: &'a Account,
    /// As in [`LiveFacts::further`].
    pub further: &'a [EmailAddress],
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Live {
    /// It does, and this answer holds until `until` at the latest: then ask again. Activity since can only have moved it later.
    Continue {
        /// The earliest time at which the answer may change by itself.
        until: Timestamp,
    },
    /// It has ended; a login may begin anew.
    Login(Why),
    /// It has ended, and so has the person's access.
    End(Refusal),
}

/// Whether a login session goes on.
pub type LoginLive = Live;

/// Why a session ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// The rows do not belong together. Never for honest rows.
    Mismatch,
    /// Its absolute limit has passed: a new proof is needed, with `max_age` (HANDOVER 5).
    Absolute,
    /// The login session was idle for too long: a new proof is needed.
    LoginIdle,
    /// Only this product session was idle for too long: the login session may renew it silently.
    Idle,
    /// The account's epoch rose: everything older is dead.
    Epoch,
    /// Another organization manages the account now, or two that both enforce (rules C2, C3).
    Manager,
    /// The policy asks for another proof than the one that the session was made from, and its grace is over.
    Policy,
    /// The policy asks for our own second step, which was not taken in this session, and its grace is over (rule H15).
    SecondStep,
    /// The session is an app's that the product has no more (rule H16).
    App,
}

impl Why {
    /// The stable reason in `session.ended` events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Absolute => "absolute",
            Self::LoginIdle => "login-idle",
            Self::Idle => "idle",
            Self::Epoch => "epoch",
            Self::Manager => "manager",
            Self::Policy => "policy",
            Self::SecondStep => "second-step",
            Self::App => "app",
        }
    }
}

/// Whether a session at a product goes on. First match wins.
pub fn live(facts: &LiveFacts<'_>) -> Live {
    answer(product_ends(facts, &of_login(facts)))
}

fn of_login<'a>(facts: &LiveFacts<'a>) -> LoginFacts<'a> {
    LoginFacts {
        now: facts.now,
        catalog: facts.catalog,
        login: facts.login,
        account: facts.account,
        further: facts.further,
    }
}

/// Whether a login session goes on. First match wins.
pub fn login_live(facts: &LoginFacts<'_>) -> LoginLive {
    answer(login_ends(facts, facts.login.last_seen))
}

/// Whether a login session that goes on lacks nothing that is asked of a login now: it does not live in the grace of a change. Only such
/// a one lets something new in.
pub fn meets_policies(facts: &LoginFacts<'_>) -> bool {
    facts
        .governing()
        .iter()
        .all(|held| unmet_since(facts, held).is_none() && has_stepped(facts, held.policy().second_step, Some(held)))
}

/// `Ok` carries the time until which the answer holds.
type Ends = Result<Timestamp, Live>;

fn answer(ends: Ends) -> Live {
    match ends {
        Ok(until) => Live::Continue { until },
        Err(end) => end,
    }
}

fn product_ends(facts: &LiveFacts<'_>, login: &LoginFacts<'_>) -> Ends {
    let session = facts.session;
    let one = session.parent == facts.login.id
        && session.account == facts.login.account
        && session.product == facts.product.name
        && facts.login.confined_to.as_ref().is_none_or(|only| *only == session.product)
        && facts.product_account.is_none_or(|record| record.id == session.product_account);
    require(one, Live::Login(Why::Mismatch))?;
    let managed = login.managed();
    let bounds = match kind(facts.login) {
        Kind::App => Bounds::of_live_app(facts.product, &managed),
        Kind::Token => Bounds::of_token(facts.product, &managed),
        Kind::Browser => Bounds::of(&facts.product.limits).stricter(Bounds::of_live(&managed)),
    };
    let abs_at = session.abs_at.min(counts_from(facts.login).plus(bounds.absolute));
    let idle_at = idle_at(session.last_seen, session.idle_millis, bounds.idle);
    require(facts.now < abs_at, Live::Login(Why::Absolute))?;
    // Activity in a child moves the parent; the parent's row may lag behind it.
    let parent_seen = facts.login.last_seen.max(session.last_seen);
    let parent = expiry(login, parent_seen)?;
    require(facts.now < idle_at, Live::Login(Why::Idle))?;
    // The operator took the app away: nobody knows it any more (rule H16).
    let known = |grant: &Grant| facts.product.apps.iter().any(|app| app.name == grant.app);
    require(facts.login.grant.as_deref().is_none_or(known), Live::Login(Why::App))?;
    let record = facts.product_account.ok_or(Live::End(Refusal::Inactive))?;
    let acts = standing::is_active(facts.account, Some(record)) && fits(facts.login.method, record.state);
    require(acts, Live::End(Refusal::Inactive))?;
    require(session.account_epoch == facts.account.epoch, Live::Login(Why::Epoch))?;
    let policy = after_expiry(login)?;
    let configured = facts.catalog.products.contains_key(&facts.product.name);
    require(configured && may_enter(facts, &managed), Live::End(Refusal::NotAllowed))?;
    Ok(abs_at.min(idle_at).min(parent).min(policy))
}

/// Whether a session by this method may go on at a record in this state: what is linked is closed to local credentials (B6), and
/// what is local to providers (B14).
fn fits(method: Method, state: ProductAccountState) -> bool {
    match state {
        ProductAccountState::Linked => !method.is_local(),
        ProductAccountState::Local | ProductAccountState::Migrating => !method.is_by_provider(),
        ProductAccountState::Merged(_) | ProductAccountState::Closed => false,
    }
}

fn login_ends(facts: &LoginFacts<'_>, last_seen: Timestamp) -> Ends {
    let expiry = expiry(facts, last_seen)?;
    Ok(expiry.min(after_expiry(facts)?))
}

/// Absolute and idle limits of a login session, those of now or those of its making, whichever end it first.
fn expiry(facts: &LoginFacts<'_>, last_seen: Timestamp) -> Ends {
    let managed = facts.managed();
    // Its product is gone: nothing vouches for an app or a token.
    let product = facts.login.confined_to.as_ref().and_then(|name| facts.catalog.products.get(name));
    let bounds = match kind(facts.login) {
        Kind::Browser => Bounds::of_live(&managed),
        Kind::App => product.map_or(Bounds::NOTHING, |product| Bounds::of_live_app(product, &managed)),
        Kind::Token => product.map_or(Bounds::NOTHING, |product| Bounds::of_token(product, &managed)),
    };
    let abs_at = facts.login.abs_at.min(counts_from(facts.login).plus(bounds.absolute));
    let idle_at = idle_at(last_seen, facts.login.idle_millis, bounds.idle);
    require(facts.login.account == facts.account.id, Live::Login(Why::Mismatch))?;
    require(facts.now < abs_at, Live::Login(Why::Absolute))?;
    require(facts.now < idle_at, Live::Login(Why::LoginIdle))?;
    Ok(abs_at.min(idle_at))
}

/// Whose a login session is.
enum Kind {
    Browser,
    App,
    Token,
}

fn kind(login: &LoginSession) -> Kind {
    match (&login.personal, &login.grant) {
        (Some(_), _) => Kind::Token,
        (None, Some(_)) => Kind::App,
        (None, None) => Kind::Browser,
    }
}

/// What an absolute limit counts from: the proof; of a token that its person sees the age of, its making.
fn counts_from(login: &LoginSession) -> Timestamp {
    match kind(login) {
        Kind::Token => login.created_at,
        Kind::Browser | Kind::App => login.auth_time,
    }
}

fn idle_at(last_seen: Timestamp, stored_millis: u64, bound: Duration) -> Timestamp {
    last_seen.plus(bound.min(Duration::from_millis(stored_millis)))
}

/// Everything after expiry that concerns the person: status, epoch, manager, policy.
fn after_expiry(facts: &LoginFacts<'_>) -> Ends {
    require(standing::is_active(facts.account, None), Live::End(Refusal::Inactive))?;
    require(facts.login.account_epoch == facts.account.epoch, Live::Login(Why::Epoch))?;
    let governing = facts.governing();
    require(has_one_manager(facts), Live::Login(Why::Manager))?;
    // The directory or its kind is gone from the configuration: nothing vouches for this session any more (rule M4).
    let vouched = facts.catalog.directories.get(&facts.login.directory);
    let vouched = vouched.is_some_and(|directory| standing::vouches(directory, facts.login.method));
    require(vouched, Live::Login(Why::Policy))?;
    // The emergency door is open to whom a policy names and as long as it does: a name taken away is no change with a grace (rule H3).
    let proved = standing::proved_addresses(facts.account, facts.further);
    let named = facts.login.method != Method::Emergency || governing.iter().any(|held| held.breaks_glass(&proved));
    require(named, Live::Login(Why::Policy))?;
    // Forbidden is forbidden at once, and until it is allowed again: a token has no next login to wait for.
    let blocks = |held: &Management<'_>| held.policy().api_tokens == ApiTokens::Block;
    let passes = !matches!(kind(facts.login), Kind::Token) || !governing.iter().any(blocks);
    require(passes, Live::End(Refusal::Credential))?;
    let ends = |unmet: &dyn Fn(&Management<'_>) -> Option<Timestamp>| {
        let graces = governing.iter().filter_map(|held| unmet(held).map(|since| grace_ends(facts, held, since)));
        graces.min().unwrap_or(Timestamp::from_millis(i64::MAX))
    };
    let policy = ends(&|held| unmet_since(facts, held));
    require(facts.now < policy, Live::Login(Why::Policy))?;
    let step = ends(&|held| {
        let stepped = has_stepped(facts, held.policy().second_step, Some(held));
        (!stepped).then(|| held.policy().since(demand::SECOND_STEP))
    });
    let unmanaged = !governing.is_empty() || has_stepped(facts, facts.catalog.people.second_step, None);
    require(facts.now < step && unmanaged, Live::Login(Why::SecondStep))?;
    Ok(policy.min(step))
}

/// Whether what a session was made from, and what was done in it, satisfies a policy's second step (B9).
fn has_stepped(facts: &LoginFacts<'_>, policy: SecondStep, held: Option<&Management<'_>>) -> bool {
    let required = match policy {
        SecondStep::Required => true,
        SecondStep::Optional | SecondStep::Off => false,
    };
    let by_policy = held.is_some_and(|held| match held.demand(facts.catalog) {
        Demand::Enforced(named) | Demand::Offered(named) => named == facts.login.directory,
        Demand::Off | Demand::Unusable => false,
    });
    !required || facts.login.stepped_at.is_some() || by_policy || facts.login.method == Method::Passkey
}

/// Whether the session is not another organization's (rule C2), and no two organizations enforce (rule C3).
fn has_one_manager(facts: &LoginFacts<'_>) -> bool {
    let managed = facts.managed();
    let owner = facts.catalog.directories.get(&facts.login.directory).and_then(|directory| directory.org());
    let foreign = owner.is_some_and(|owner| !managed.is_empty() && managed.iter().all(|held| held.org.name != *owner));
    let enforcing = managed.iter().filter(|held| held.policy().sso == Sso::Enforced).count();
    !foreign && enforcing < 2
}

/// Since when a login by the way this session came would not have satisfied the policy; none: it does. Of several things that it
/// lacks, the first that was demanded.
fn unmet_since(facts: &LoginFacts<'_>, held: &Management<'_>) -> Option<Timestamp> {
    let policy = held.policy();
    let proved = standing::proved_addresses(facts.account, facts.further);
    let emergency = facts.login.method == Method::Emergency && held.breaks_glass(&proved);
    let directory = match held.demand(facts.catalog) {
        Demand::Enforced(named) => named == facts.login.directory || emergency,
        Demand::Unusable => emergency,
        Demand::Off | Demand::Offered(_) => true,
    };
    let way = match facts.login.method {
        Method::OrgSso | Method::Issuer => true,
        Method::ThirdParty => {
            let directory = facts.catalog.directories.get(&facts.login.directory);
            let name = directory.and_then(|directory| third_party_of(&directory.name));
            // From before the claim: it was never asked whether the identity is the organization's (rule M7).
            third_party_allows(&policy.third_party, name) && facts.login.created_at >= held.claim.claimed_at
        }
        Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter => true,
        Method::Emergency => emergency,
    };
    let stepped = facts.login.method == Method::Passkey
        || (!facts.login.method.is_by_provider() && facts.login.stepped_at.is_some());
    let said = |value: &String| facts.login.amr.contains(value) || (stepped && value == "mfa");
    let mut since = Vec::new();
    if !directory {
        since.push(directory_since(facts, held));
    }
    if !way {
        let demanded = policy.since.iter().find(|(name, _)| name.starts_with(demand::THIRD_PARTY));
        since.push(demanded.map_or(policy.changed_at, |(_, since)| *since));
    }
    if !emergency {
        let missing = policy.require_amr.iter().filter(|value| !said(value));
        since.extend(missing.map(|value| policy.since(&demand::amr(value))));
    }
    since.into_iter().min()
}

/// Since when this directory's word, or a password's, is not enough: a session from another directory of the organization met single
/// sign-on until the directory was changed.
fn directory_since(facts: &LoginFacts<'_>, held: &Management<'_>) -> Timestamp {
    let name = |id| facts.catalog.directories.get(&id).map(|directory| &directory.name);
    let own = facts.catalog.directories.get(&facts.login.directory).and_then(|directory| directory.org());
    let policy = held.policy();
    match policy.directory.and_then(name).filter(|_| own == Some(&held.org.name)) {
        Some(name) => policy.since(&demand::directory(name)),
        None if own == Some(&held.org.name) => policy.changed_at,
        None => policy.since(demand::SSO),
    }
}

/// When a session that does not meet what is demanded `since` then ends: after the policy's grace, at its own place in the spread, or
/// never by that. A session from after it has no grace: nothing made it that the policy would have let through.
fn grace_ends(facts: &LoginFacts<'_>, held: &Management<'_>, since: Timestamp) -> Timestamp {
    let policy = held.policy();
    if facts.login.created_at >= since {
        return Timestamp::from_millis(i64::MIN);
    }
    match policy.on_change {
        OnChange::After { grace, spread } => since.plus(grace).plus(place_in(spread, facts.login.id)),
        OnChange::NextLogin => Timestamp::from_millis(i64::MAX),
    }
}

/// A session's place in a span: even over sessions, the same each time it is asked. The low bits of an id are random.
fn place_in(spread: Duration, id: LoginSessionId) -> Duration {
    let [.., a, b, c, d] = id.to_bytes();
    let share = u128::from(u32::from_be_bytes([a, b, c, d]));
    let millis = spread.as_millis().saturating_mul(share) / u128::from(u32::MAX);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn may_enter(facts: &LiveFacts<'_>, managed: &[Management<'_>]) -> bool {
    let directory = facts.catalog.directories.get(&facts.login.directory);
    let entrant = Entrant {
        managed,
        addresses: &standing::proved_addresses(facts.account, facts.further),
        groups: &facts.login.groups,
        asserted_by: directory.and_then(|directory| directory.org()),
    };
    entrant.may_enter(&facts.product.allow)
}

impl<'a> LoginFacts<'a> {
    fn managed(&self) -> Vec<Management<'a>> {
        standing::managements(self.catalog, &standing::proved_addresses(self.account, self.further), self.groups())
    }

    /// Groups, as far as a directory of an organization said them when the session was made.
    fn groups(&self) -> Groups<'a> {
        let directory = self.catalog.directories.get(&self.login.directory);
        Groups::of(directory.and_then(|directory| directory.org()), &self.login.groups)
    }

    /// As in phase B: an address that was never proved must not loosen anything.
    fn governing(&self) -> Vec<Management<'a>> {
        let proved = standing::proved_addresses(self.account, self.further);
        if !proved.is_empty() {
            return standing::managements(self.catalog, &proved, self.groups());
        }
        let claimed: Vec<&EmailAddress> = self.account.email.iter().collect();
        standing::managements(self.catalog, &claimed, self.groups())
    }
}

fn require(holds: bool, otherwise: Live) -> Result<(), Live> {
    if holds { Ok(()) } else { Err(otherwise) }
}

#[cfg(test)]
mod tests;
