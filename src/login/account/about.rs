//! What kind of account somebody has, who manages it, where it is changed, and what is asked of it.

use super::super::handover::ProductHost;
use super::super::stepping::OWN_STEPS;
use super::super::world::{Visitor, World};
use super::super::{Login, Stop};
use super::Own;
use crate::kernel::app::lets_tokens_be_made;
use crate::kernel::live::{Live as Standing, LiveFacts, live};
use crate::kernel::model::{
    Account, ApiTokens, Catalog, Method, MigrationPhase, Passwords, Product, ProductAccount, ProductAccountState,
    SecondStep as Demanded,
};
use crate::kernel::standing::{self, Groups, Management};
use crate::kernel::values::{AccountId, OrgName, Timestamp};
use crate::mail::mask;
use crate::store::Unavailable;
use crate::web::LiveSession;
use std::sync::atomic::Ordering;

/// What an account is logged in by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A product's own password or passkey, good there alone.
    Local,
    /// The account that people have everywhere.
    Issuer,
    /// The person's organization.
    Organization,
    /// Somebody like Google.
    ThirdParty,
    /// The emergency door.
    Emergency,
}

impl Kind {
    /// The stable name in `/.fedgate/session`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Issuer => "issuer",
            Self::Organization => "organization",
            Self::ThirdParty => "third_party",
            Self::Emergency => "emergency",
        }
    }

    const fn of(method: Method) -> Self {
        match method {
            Method::OrgSso => Self::Organization,
            Method::Issuer => Self::Issuer,
            Method::ThirdParty => Self::ThirdParty,
            Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter => Self::Local,
            Method::Emergency => Self::Emergency,
        }
    }
}

/// The organization that manages an account (row L06).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manager {
    /// What people call it.
    pub label: String,
    /// One of its admins, masked as in letters (rule M13); none where the configuration names none.
    pub contact: Option<String>,
}

/// Who manages an account at a product: the organization, of the account; the product's enterprise, of who may enter the product. Neither is
/// above the other (rows T20, T37).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Managers {
    /// The organization.
    Org(Manager),
    /// The enterprise.
    Enterprise(Manager),
    /// Both.
    Both {
        /// The organization.
        org: Manager,
        /// The enterprise.
        enterprise: Manager,
    },
}

impl Managers {
    /// `None` where nobody does.
    pub(in crate::login) fn of(org: Option<Manager>, enterprise: Option<Manager>) -> Option<Self> {
        match (org, enterprise) {
            (None, None) => None,
            (Some(org), None) => Some(Self::Org(org)),
            (None, Some(enterprise)) => Some(Self::Enterprise(enterprise)),
            (Some(org), Some(enterprise)) => Some(Self::Both { org, enterprise }),
        }
    }

    /// Why a change was refused, in events.
    pub(in crate::login) const fn reason(&self) -> &'static str {
        match self {
            Self::Org(_) => "managed",
            Self::Enterprise(_) => "managed-by-enterprise",
            Self::Both { .. } => "managed-by-both",
        }
    }
}

/// The move to the one account that is offered to, or asked of, a person (rows T02, T21).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Update {
    /// Whether nothing else opens the product at the next login.
    pub required: bool,
    /// When that becomes so by itself; none where no day is set.
    pub by: Option<Timestamp>,
    /// What people call the one account.
    pub provider: String,
    /// Where it begins.
    pub url: String,
    /// The product's enterprise that asked the person to.
    pub asked_by: Option<String>,
}

/// Our own second step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecondStep {
    /// Whether the person has one.
    pub enrolled: bool,
    /// Whether a policy requires it.
    pub required: bool,
    /// When it was taken in this session.
    pub taken_at: Option<Timestamp>,
}

/// What an account is, and where it is changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct About {
    /// What it is logged in by.
    pub kind: Kind,
    /// What people call that; none for the emergency door.
    pub provider: Option<String>,
    /// What people call the one account, where this one is linked to it.
    pub issuer: Option<String>,
    /// Who manages it; none: the person.
    pub manager: Option<Manager>,
    /// The product's enterprise that says whether the person may enter the product that asks.
    pub enterprise: Option<String>,
    /// Where name and address are changed: at the one account, as configured (row T03); for nobody who is managed (row L06).
    pub profile_url: Option<String>,
    /// Where the password is changed; for nobody who is managed.
    pub password_url: Option<String>,
    /// Where a forgotten password is replaced; for nobody who is managed.
    pub reset_url: Option<String>,
    /// Where second steps are added and taken away; none where a provider asks for its own.
    pub security_url: Option<String>,
    /// Whether the person may make API tokens for anything.
    pub takes_tokens: bool,
    /// The account page.
    pub account_url: String,
    /// The move that is offered.
    pub update: Option<Update>,
    /// Our own second step.
    pub second_step: SecondStep,
}

/// What `/.fedgate/session` tells of a session.
#[derive(Debug)]
pub struct Told {
    /// The person.
    pub account: Account,
    /// The record at the product.
    pub record: ProductAccount,
    /// What the account is.
    pub about: About,
    /// When the session ends if nobody uses it any more.
    pub expires_at: Timestamp,
    /// When it ends at the latest.
    pub ends_at: Timestamp,
}

impl Login {
    /// What a product may show of a live session. Asking is no activity of the person. `None`: it ended meanwhile.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer, or what it says does not hold.
    pub async fn tell_session(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        session: &LiveSession,
    ) -> Result<Option<Told>, Unavailable> {
        self.try_tell_session(visitor, at, session).await.map_err(|stop| match stop {
            Stop::Unavailable(fault) => fault,
            other => Unavailable(format!("{other:?}")),
        })
    }

    async fn try_tell_session(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        session: &LiveSession,
    ) -> Result<Option<Told>, Stop> {
        let Some(own) = self.own_at(session).await? else { return Ok(None) };
        let Some(mut row) = self.world.store.product_session_by_id(session.sid).await? else { return Ok(None) };
        row.last_seen = row.last_seen.max(Timestamp::from_millis(session.last_seen.load(Ordering::Relaxed)));
        let about = self.about(visitor, Some(at), &own).await?;
        let catalog = self.world.catalog.load_full();
        let login = self.live.with_activity(own.session);
        let facts = LiveFacts {
            now: visitor.now,
            catalog: &catalog,
            product: &at.product,
            login: &login,
            session: &row,
            account: &own.account,
            product_account: own.record.as_ref(),
            further: &own.further,
        };
        let Standing::Continue { until } = live(&facts) else { return Ok(None) };
        let (ends_at, account) = (row.abs_at, own.account);
        Ok(own.record.map(|record| Told { account, record, about, expires_at: until, ends_at }))
    }

    /// What an account is; `at` is the product host that asks, none on the login host.
    pub(in crate::login) async fn about(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        own: &Own,
    ) -> Result<About, Stop> {
        let enrolled = !self.world.factors(visitor, own.account.id).await?.is_empty();
        let catalog = self.world.catalog.load_full();
        let proved = standing::proved_addresses(&own.account, &own.further);
        let asserted_by = catalog.directories.get(&own.session.directory).and_then(|directory| directory.org());
        let held = standing::managements(&catalog, &proved, Groups::of(asserted_by, &own.session.groups));
        let required = standing::second_step(&catalog, &held) == Demanded::Required;
        let second_step = SecondStep { enrolled, required, taken_at: own.session.stepped_at };
        let update = at.and_then(|at| update(&catalog, at, own, visitor.now));
        let mut about = About { second_step, update, ..shape(&catalog, at, own, held.first()) };
        // An organization's own directory answers for its people: ours is shown to them where it counts for something.
        let ours = match about.kind {
            Kind::Issuer | Kind::ThirdParty => true,
            Kind::Organization => enrolled || required,
            Kind::Local | Kind::Emergency => false,
        };
        if ours {
            about.security_url = Some(format!("{}{OWN_STEPS}", catalog.login.url()));
        }
        let allowed = held.iter().all(|held| held.policy().api_tokens == ApiTokens::Allow);
        let some_take = catalog.products.values().any(|product| product.token.is_some());
        about.takes_tokens = at.is_none() && allowed && some_take && lets_tokens_be_made(&own.session);
        Ok(about)
    }
}

impl World {
    /// Who manages a person, by their proved addresses; the first of several.
    pub(in crate::login) async fn manager_of(&self, account: AccountId) -> Result<Option<Manager>, Stop> {
        let Some(account) = self.store.account(account).await? else { return Ok(None) };
        let further = self.store.proved_addresses_of(account.id).await?;
        let catalog = self.catalog.load();
        let proved = standing::proved_addresses(&account, &further);
        Ok(standing::managements(&catalog, &proved, Groups::Unknown).first().map(manager))
    }
}

impl World {
    /// The organization, as people who ask its admins are told.
    pub(in crate::login) fn manager_named(&self, org: &OrgName) -> Option<Manager> {
        let catalog = self.catalog.load();
        let org = catalog.orgs.get(org)?;
        Some(Manager { label: org.label.clone(), contact: org.admins.first().map(mask) })
    }
}

/// The enterprise of a record, as people who ask its admins are told; none where the configuration does not name it any more.
pub(in crate::login) fn enterprise(product: &Product, record: &ProductAccount) -> Option<Manager> {
    let enterprise = product.enterprise(record.enterprise.as_ref()?)?;
    Some(Manager { label: enterprise.label.clone(), contact: enterprise.admins.first().map(mask) })
}

fn manager(held: &Management<'_>) -> Manager {
    Manager { label: held.org.label.clone(), contact: held.org.admins.first().map(mask) }
}

fn shape(catalog: &Catalog, at: Option<&ProductHost>, own: &Own, held: Option<&Management<'_>>) -> About {
    let kind = Kind::of(own.session.method);
    let label = |id| catalog.directories.get(id).map(|directory| directory.label.clone());
    let is_issuers = own.identities.iter().any(|link| Some(link.key.directory) == catalog.issuer && !link.suspended);
    let issuer = catalog.issuer.as_ref().filter(|_| is_issuers).and_then(label);
    let manager = held.map(manager);
    let mut about = About {
        kind,
        provider: match kind {
            Kind::Local => at.map(|at| at.product.label.clone()),
            Kind::Issuer | Kind::Organization | Kind::ThirdParty => label(&own.session.directory),
            Kind::Emergency => None,
        },
        enterprise: at
            .zip(own.record.as_ref())
            .and_then(|(at, record)| enterprise(&at.product, record))
            .map(|one| one.label),
        profile_url: None,
        password_url: None,
        reset_url: None,
        security_url: None,
        takes_tokens: false,
        account_url: format!("{}/account", catalog.login.url()),
        update: None,
        second_step: SecondStep { enrolled: false, required: false, taken_at: None },
        manager,
        issuer,
    };
    if let Some(at) = at.filter(|_| own.is_confined()) {
        about.account_url = format!("{}/.fedgate/account", at.host.url());
        about.security_url = Some(format!("{}/.fedgate/security", at.host.url()));
    }
    if about.manager.is_some() {
        return about;
    }
    match (kind, at) {
        (Kind::Local, Some(at)) => match at.product.passwords {
            Passwords::Here => {
                about.password_url = Some(format!("{}/.fedgate/security/password", at.host.url()));
                about.reset_url = Some(format!("{}/.fedgate/reset", at.host.url()));
            }
            Passwords::Product => {
                let url = at.product.adapter.as_ref().and_then(|adapter| adapter.reset_url.clone());
                (about.password_url, about.reset_url) = (url.clone(), url);
            }
            Passwords::None => {}
        },
        _ if about.issuer.is_some() => {
            about.profile_url.clone_from(&catalog.profile_url);
            about.password_url = catalog.reset_url.clone().or_else(|| catalog.profile_url.clone());
            about.reset_url.clone_from(&catalog.reset_url);
        }
        _ => {}
    }
    about
}

/// Whether a record may move, or must: the banner of products.
fn update(catalog: &Catalog, at: &ProductHost, own: &Own, now: Timestamp) -> Option<Update> {
    let record = own.record.as_ref()?;
    let is_local = matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating);
    let plan = &at.product.migration;
    let required = match plan.phase_at(now) {
        MigrationPhase::Off => return None,
        MigrationPhase::Optional => false,
        MigrationPhase::Forced => true,
    };
    let provider = catalog.directories.get(&catalog.issuer?)?.label.clone();
    let url = format!("{}/.fedgate/move", at.host.url());
    let by =
        plan.deadline.as_ref().filter(|deadline| deadline.then == MigrationPhase::Forced).map(|deadline| deadline.at);
    let asked_by = record.asked_at.and_then(|_| enterprise(&at.product, record)).map(|one| one.label);
    is_local.then_some(Update { required, by, provider, url, asked_by })
}
