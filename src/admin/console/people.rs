//! People, as the console finds and shows them.

use super::super::Admin;
use super::super::scope::Scope;
use super::{Nothing, may_everywhere};
use crate::kernel::event::{Action, Subject};
use crate::kernel::journal::Batch;
use crate::kernel::model::{Account, LinkedIdentity, LoginSession, ProductAccount};
use crate::kernel::values::{AccountId, DirectoryId, DomainName, EmailAddress, LoginSessionId};
use crate::login::Steward;

/// People of a domain that are listed at once.
const LISTED: usize = 50;
/// Why a session ended, in events.
const REASON: &str = "revoked-by-admin";

/// Whom a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Those whom the reader may see.
    pub people: Vec<Account>,
    /// There are more.
    pub more: bool,
}

/// One person, whole.
#[derive(Clone, Debug)]
pub struct Portrait {
    /// The account.
    pub account: Account,
    /// Logins that open it, with the directory's name where it is still there.
    pub links: Vec<(LinkedIdentity, Option<String>)>,
    /// Records at products, by the product's label.
    pub records: Vec<(String, ProductAccount)>,
    /// Where the person is logged in, newest first, with the directory's name.
    pub sessions: Vec<(LoginSession, Option<String>)>,
    /// Whether the reader may end sessions.
    pub may_end: bool,
}

impl Admin {
    /// People by an address, an account's id or a domain, as far as the reader may see them. There is no search by parts of a name:
    /// somebody who looks for a person has the address from their mail.
    pub async fn find_people(&self, steward: &Steward, asked: &str) -> Result<Found, Nothing> {
        let (store, asked) = (&self.world.store, asked.trim());
        let mut people = Vec::new();
        if let Ok(email) = EmailAddress::parse(asked) {
            people = store.accounts_by_email(&email).await?;
        } else if let Ok(id) = AccountId::parse(asked) {
            people.extend(store.account(id).await?);
        } else if let Ok(domain) = DomainName::parse(asked) {
            people = store.accounts_of_domain(&domain, None, LISTED + 1).await?;
        }
        people.retain(|account| self.may_with(steward, Scope::PeopleRead, account));
        let more = people.len() > LISTED;
        people.truncate(LISTED);
        Ok(Found { people, more })
    }

    /// One person.
    pub async fn portrait(&self, steward: &Steward, id: &str) -> Result<Portrait, Nothing> {
        let account = self.seen_account(steward, id, Scope::PeopleRead).await?;
        let (store, catalog) = (&self.world.store, self.world.catalog.load_full());
        let named = |id: &DirectoryId| catalog.directories.get(id).map(|known| known.name.to_string());
        let links = store.identities_of(account.id).await?;
        let links = links.into_iter().map(|link| (link.clone(), named(&link.key.directory))).collect();
        let mut records = Vec::new();
        for product in catalog.products.values() {
            if let Some(record) = store.product_account(&product.name, account.id).await? {
                records.push((product.label.clone(), record));
            }
        }
        let sessions = self.live_sessions_of(steward, &account).await?;
        let sessions = sessions.into_iter().map(|session| (session.clone(), named(&session.directory))).collect();
        let may_end = self.may_end(steward, &account);
        Ok(Portrait { account, links, records, sessions, may_end })
    }

    /// Ends sessions of a person: all of them, or the one of this id. Within a second they are over on every node.
    pub async fn end_sessions_of(&self, steward: &Steward, id: &str, which: &str) -> Result<usize, Nothing> {
        let account = self.seen_account(steward, id, Scope::PeopleRead).await?;
        if !steward.may_change || !self.may_end(steward, &account) {
            return Err(Nothing::NotHere);
        }
        let mut sessions = self.live_sessions_of(steward, &account).await?;
        match which.split_once(' ') {
            None if which == "all" => {}
            Some(("end", id)) => {
                let id = LoginSessionId::parse(id).map_err(|_| Nothing::NotHere)?;
                sessions.retain(|session| session.id == id);
                if sessions.is_empty() {
                    return Err(Nothing::NotHere);
                }
            }
            _ => return Err(Nothing::NotHere),
        }
        let mut batch = Batch::default();
        for session in &sessions {
            batch.end_login_session(session.id);
            let mut event = steward.event(Action::SessionEnded);
            event.subject = Subject {
                account: Some(account.id.to_string()),
                email: account.email.as_ref().map(ToString::to_string),
                ..Subject::default()
            };
            event.org = self.org_of(&account);
            event.reason = Some(REASON.to_owned());
            event.txn = Some(session.id.to_string());
            batch.events.push(event);
        }
        if !sessions.is_empty() {
            self.world.store.commit(batch).await?;
        }
        Ok(sessions.len())
    }

    async fn seen_account(&self, steward: &Steward, id: &str, scope: Scope) -> Result<Account, Nothing> {
        let id = AccountId::parse(id).map_err(|_| Nothing::NotHere)?;
        let account = self.world.store.account(id).await?.ok_or(Nothing::NotHere)?;
        if self.may_with(steward, scope, &account) { Ok(account) } else { Err(Nothing::NotHere) }
    }

    /// An organization manages nobody by an address that was never proved (§4 #18).
    fn may_end(&self, steward: &Steward, account: &Account) -> bool {
        let everywhere = may_everywhere(&steward.roles, Scope::PeopleWrite);
        everywhere || (account.email_verified && self.may_with(steward, Scope::PeopleWrite, account))
    }

    async fn live_sessions_of(&self, steward: &Steward, account: &Account) -> Result<Vec<LoginSession>, Nothing> {
        let mut sessions = self.world.store.login_sessions_of(account.id).await?;
        sessions.retain(|session| self.world.keys.holds_login(session) && session.abs_at > steward.now());
        // Newest first; ids sort by age.
        sessions.sort_by_key(|session| std::cmp::Reverse(session.id));
        Ok(sessions)
    }

    /// The organization that manages a person, for events.
    fn org_of(&self, account: &Account) -> Option<String> {
        let domain = account.email.as_ref()?.domain();
        let effective = self.world.orgs.effective();
        effective.orgs.iter().find(|org| org.has(domain)).map(|org| org.name.to_string())
    }
}
