//! A person's own account: what it is, who manages it, where it is logged in.
//!
//! - `about`: what kind of account it is, whose word changes what, and what is asked of it.
//! - `page`: the account page, on the login host and on hosts of products that have passwords.
//! - `sessions`: where a person is logged in, and ending that.
//! - `tokens`: personal API tokens: made, listed, revoked.
//!
//! Whoever logs in by a provider has a session on the login host, and the page there. A password typed at a product makes a session of
//! that product alone, so its person has the page on the product's host. Deliberately absent: any way from a linked account back to a
//! password (row T10), unlinking (behaviour §3.7: nobody's own affair), and changes of what an organization manages (row L06).

mod about;
mod page;
mod sessions;
mod tokens;

pub(super) use about::enterprise;
pub use about::{About, Kind, Manager, Managers, SecondStep, Told, Update};
pub use page::AccountChange;
pub(super) use page::account_answer;
pub(super) use tokens::OWN_TOKENS;
pub use tokens::{OwnTokens, SeenToken, TokenWish};

use super::answer::{Form, Person};
use super::current::Current;
use super::handover::ProductHost;
use super::world::Visitor;
use super::{Login, Stop};
use crate::kernel::model::{Account, LinkedIdentity, LoginSession, Product, ProductAccount};
use crate::kernel::values::{Device, EmailAddress, Timestamp};
use crate::web::LiveSession;
use std::sync::Arc;

/// A page about a person's own account.
#[derive(Debug)]
pub struct AccountStep {
    /// The product on whose host it stands; none on the login host.
    pub product: Option<Arc<Product>>,
    /// What is on it.
    pub page: AccountPage,
}

/// What is on such a page.
#[derive(Debug)]
pub enum AccountPage {
    /// Everything about the account.
    Overview(Box<Overview>),
    /// Its API tokens.
    Tokens(Box<OwnTokens>),
    /// An organization manages the account: its admins change that (row L06).
    AskAdmin(Manager),
    /// There is no such session, or no such page.
    NotFound,
    /// What deleting the account would do.
    Delete {
        /// The form.
        form: Form,
        /// When it would be gone for good.
        at: Timestamp,
    },
    /// The account is to be deleted, and logged out.
    Deleting {
        /// When it is gone for good.
        at: Timestamp,
    },
    /// The account is to be deleted, and its person is here.
    Restore {
        /// The form that takes it back.
        form: Form,
        /// When it is gone for good.
        at: Timestamp,
    },
    /// The account stays.
    Restored,
    /// The login was too long ago for what was asked: the person logs in again first.
    LogInAgain,
}

/// Everything about an account that its person may see.
#[derive(Debug)]
pub struct Overview {
    /// The form of its buttons.
    pub form: Form,
    /// Whose account.
    pub person: Person,
    /// What it is.
    pub about: About,
    /// Records at products, and whether each still has a password of its own.
    pub records: Vec<(String, bool)>,
    /// Logins that open it: what people call the provider, and since when.
    pub logins: Vec<(String, Timestamp)>,
    /// Where it is logged in, this session first, then the newest.
    pub sessions: Vec<SeenSession>,
    /// How many more sessions there are than are shown.
    pub more: usize,
    /// Sessions were ended a moment ago.
    pub ended: bool,
}

/// What a session was logged in by, as its person is told.
#[derive(Debug)]
pub enum SeenBy {
    /// A provider, by its name where it is still there.
    Provider(Option<String>),
    /// A product's own password.
    Password,
    /// A passkey of ours.
    Passkey,
    /// A recovery code.
    Recovery,
    /// A passkey for emergencies.
    Emergency,
}

/// A session as its person sees it.
#[derive(Debug)]
pub struct SeenSession {
    /// Its id, for the button.
    pub id: String,
    /// The browser, coarsely; none where that was not recorded.
    pub device: Option<Device>,
    /// What people call the app whose session it is; none: a browser's (rule H16).
    pub app: Option<String>,
    /// Products that are open in it.
    pub products: Vec<String>,
    /// What it was logged in by.
    pub by: SeenBy,
    /// When.
    pub since: Timestamp,
    /// When it was last used.
    pub last_seen: Timestamp,
    /// Whether it is the one that asks.
    pub this: bool,
}

/// A live session and its person, read from the store now.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub session: LoginSession,
    pub account: Account,
    pub further: Vec<EmailAddress>,
    pub identities: Vec<LinkedIdentity>,
    /// The record at the product on whose host the request came; none on the login host.
    pub record: Option<ProductAccount>,
}

impl Own {
    fn of_login_host(current: Current) -> Self {
        let Current { session, account, identities, further } = current;
        Self { session, account, further, identities, record: None }
    }

    /// Whether the session is one of a product's own password: it is good there alone, and the login host knows nobody by it.
    pub(super) fn is_confined(&self) -> bool {
        self.session.confined_to.is_some()
    }
}

impl Login {
    /// The person of a live session of a product. `None`: it ended meanwhile.
    async fn own_at(&self, live: &LiveSession) -> Result<Option<Own>, Stop> {
        let store = &self.world.store;
        let session =
            store.login_session_by_id(live.login).await?.filter(|session| self.world.keys.holds_login(session));
        let (Some(session), Some(account)) = (session, store.account(live.account).await?) else { return Ok(None) };
        if session.account != account.id {
            return Ok(None);
        }
        let further = store.proved_addresses_of(account.id).await?;
        let identities = store.identities_of(account.id).await?;
        let record = store.product_account_by_id(live.product_account).await?;
        Ok(record.map(|record| Own { session, account, further, identities, record: Some(record) }))
    }

    /// Whose account pages a request opens: by the login session, or by the session of a product's own password.
    pub(super) async fn own_session(&self, visitor: &Visitor, at: Option<&ProductHost>) -> Result<Option<Own>, Stop> {
        match at {
            None => Ok(self.current(visitor).await?.map(Own::of_login_host)),
            Some(at) => match self.session_here(visitor, at).await? {
                Some((live, _)) => self.own_at(&live).await,
                None => Ok(None),
            },
        }
    }

    /// The address that letters about an account go to: its live one, or its record's first.
    async fn address_of(&self, own: &Own) -> Result<Option<EmailAddress>, Stop> {
        match (&own.account.email, &own.record) {
            (Some(email), _) => Ok(Some(email.clone())),
            (None, Some(record)) => {
                let addresses = self.world.store.addresses_of(record.id).await?;
                Ok(addresses.into_iter().next().map(|address| address.email))
            }
            (None, None) => Ok(None),
        }
    }
}
