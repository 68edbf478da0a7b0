//! What admins do about a change of provider: open a window for it or end one, move links by a map, take moves back. Whoever runs a
//! command does it on the store, a gateway may serve meanwhile; each act is one batch with its event.

mod route;

pub use route::Route;

use super::clean_name;
use super::relink::{letter, moved, shown};
use super::session::subject;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, RelinkChange};
use crate::kernel::model::{
    Account, AccountStatus, Catalog, IdentityKey, LONGEST_WINDOW, LinkedBy, LinkedIdentity, Relinked, Relinking,
};
use crate::kernel::standing::{Groups, managements, proved_addresses};
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, EventId, OrgName, RelinkId, Timestamp};
use crate::keys::Keys;
use crate::mail;
use crate::store::{Conflict, NotCommitted, Store, Unavailable};
use serde_json::json;
use std::time::Duration;

/// People who are looked at together.
const PAGE: usize = 500;
/// Changes of provider that one list shows at most.
const LISTED: usize = 200;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotRelinked {
    /// What was asked for cannot be; the sentence says why and what can.
    #[error("{0}")]
    Refused(String),
    /// The store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a person's link is not moved. Nothing was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unmoved {
    /// Nobody is found.
    #[error("nobody is known by that")]
    Nobody,
    /// The address names more than one account.
    #[error("several people are known by that: name the account")]
    Several,
    /// Deleted, or put aside.
    #[error("the account is closed")]
    Closed,
    /// Another organization, or nobody, manages the person.
    #[error("the person is not managed by this organization alone")]
    NotManaged,
    /// There is nothing to move.
    #[error("the person has no usable link in the old directory")]
    NoLink,
    /// The person is known at the new directory as somebody else.
    #[error("the person is linked to another subject of the new directory already")]
    LinkedOtherwise,
    /// The new subject is somebody else's.
    #[error("the new subject is linked to somebody else")]
    SubjectTaken,
    /// It was moved, and taken back: the same change does not move it again.
    #[error("it was moved by this change before, and taken back")]
    TakenBack,
}

/// What becomes of one line of a map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Became {
    /// The link is moved, or would be.
    Moved(AccountId),
    /// It is where the map wants it.
    Present(AccountId),
    /// It stays.
    Stays(Unmoved),
}

/// Whom a line of a map means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Whom {
    /// By the id of the account.
    Account(AccountId),
    /// By the live address.
    Email(EmailAddress),
}

/// Who changes what, on a store.
pub struct Relinker<'a> {
    store: &'a dyn Store,
    keys: &'a Keys,
    catalog: &'a Catalog,
    actor: Actor,
    now: Timestamp,
}

impl<'a> Relinker<'a> {
    /// Over a store and the configuration that its gateway has.
    pub fn new((store, keys): (&'a dyn Store, &'a Keys), catalog: &'a Catalog, actor: Actor, now: Timestamp) -> Self {
        Self { store, keys, catalog, actor, now }
    }

    /// Opens a window.
    ///
    /// # Errors
    /// [`NotRelinked`].
    pub async fn open(&self, route: &Route, length: Duration) -> Result<Relinking, NotRelinked> {
        if length.is_zero() || length > LONGEST_WINDOW {
            return Err(refused("a window stands open for 30 days at most".to_owned()));
        }
        self.begin(route, self.now.plus(length)).await
    }

    /// A map that is about to be carried out: no login moves anything by it.
    ///
    /// # Errors
    /// [`NotRelinked`].
    pub async fn begin_map(&self, route: &Route) -> Result<Relinking, NotRelinked> {
        self.begin(route, self.now).await
    }

    async fn begin(&self, route: &Route, until: Timestamp) -> Result<Relinking, NotRelinked> {
        let relinking = self.keys.signed_relinking(Relinking {
            id: RelinkId::mint(self.now, random()),
            org: route.org.clone(),
            from: route.from,
            to: route.to.id,
            only: route.only.as_ref().map(|only| only.id),
            opened_at: self.now,
            until,
            by: self.by(),
            mac: [0; 32],
        });
        let mut event = self.event(Action::RelinkOpened, &relinking);
        event.after = Some(json!({
            "from": self.name_of(relinking.from), "from_id": relinking.from.to_string(), "to": route.to.name.to_string(),
            "to_id": relinking.to.to_string(), "until": until.to_string(), "map": until == self.now,
        }));
        if let Some(only) = &route.only {
            event.subject = subject(only);
        }
        let changes = vec![Change::Relink(RelinkChange::Open(relinking.clone()))];
        self.write(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(relinking)
    }

    /// Ends a window now.
    ///
    /// # Errors
    /// [`NotRelinked`].
    pub async fn close(&self, id: RelinkId) -> Result<Relinking, NotRelinked> {
        let relinking = self.known(id).await?;
        if relinking.until <= self.now {
            return Err(refused("it has ended already".to_owned()));
        }
        let closed = self.keys.signed_relinking(Relinking { until: self.now, ..relinking });
        let mut event = self.event(Action::RelinkClosed, &closed);
        event.after = Some(json!({ "until": closed.until.to_string() }));
        let changes = vec![Change::Relink(RelinkChange::Close(closed.clone()))];
        self.write(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(closed)
    }

    /// One line of a map. `relinking`: none, to say only what would happen.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn follow(
        &self,
        (route, relinking): (&Route, Option<&Relinking>),
        (whom, new): (&Whom, &str),
    ) -> Result<Became, NotRelinked> {
        let source = route.to.subjects().ok_or_else(|| {
            refused(format!(
                "{} has its subjects in a NameID whose format its provider chooses: a map cannot name them; open a window",
                route.to.name
            ))
        })?;
        let account = match self.found(whom).await? {
            Ok(account) => account,
            Err(why) => return Ok(Became::Stays(why)),
        };
        let new = IdentityKey { directory: route.to.id, source, subject: new.to_owned() };
        if let Some(owner) = self.store.identity(&new).await? {
            let is_own = owner.account == account.id;
            return Ok(if is_own { Became::Present(account.id) } else { Became::Stays(Unmoved::SubjectTaken) });
        }
        let old = match self.movable(route, &account).await? {
            Ok(old) => old,
            Err(why) => return Ok(Became::Stays(why)),
        };
        let Some(relinking) = relinking else { return Ok(Became::Moved(account.id)) };
        if self.store.relinked(relinking.id, account.id).await?.is_some() {
            return Ok(Became::Stays(Unmoved::TakenBack));
        }
        let batch = self.of_move((route, relinking), (&account, &old), &new)?;
        match self.store.commit(batch).await {
            Ok(_) => Ok(Became::Moved(account.id)),
            Err(NotCommitted::Conflict(Conflict::Identity)) => Ok(Became::Stays(Unmoved::SubjectTaken)),
            Err(NotCommitted::Conflict(other)) => Err(Unavailable(format!("a move met {other:?}")).into()),
            Err(NotCommitted::Unavailable(why)) => Err(why.into()),
        }
    }

    fn of_move(
        &self,
        (route, relinking): (&Route, &Relinking),
        (account, old): (&Account, &LinkedIdentity),
        new: &IdentityKey,
    ) -> Result<Batch, NotRelinked> {
        let mut batch = Batch::default();
        batch.changes.push(moved(self.keys, relinking.id, (old, new), self.now));
        batch.changes.push(Change::Link(LinkedIdentity {
            key: new.clone(),
            account: account.id,
            by: LinkedBy::Relink,
            linked_at: self.now,
            suspended: false,
        }));
        batch.end_everything_of(account.id);
        if let Some((letter, email)) = letter(&route.to, self.now).zip(account.email.clone()) {
            let queued = mail::queue(self.keys, self.now, &[(email, letter)], Some(account.id));
            batch.changes.push(queued.map_err(|fault| Unavailable(fault.to_string()))?);
        }
        let mut event = self.event(Action::IdentityRelinked, relinking);
        event.subject = subject(account);
        event.reason = Some("map".to_owned());
        event.before = Some(shown(self.catalog, &old.key));
        event.after = Some(shown(self.catalog, new));
        batch.events.push(event);
        Ok(batch)
    }

    /// The link that can be moved, or why there is none.
    async fn movable(&self, route: &Route, account: &Account) -> Result<Result<LinkedIdentity, Unmoved>, Unavailable> {
        match account.status {
            AccountStatus::Active | AccountStatus::Deactivated | AccountStatus::PendingDelete(_) => {}
            AccountStatus::Quarantined | AccountStatus::Deleted => return Ok(Err(Unmoved::Closed)),
        }
        let further = self.store.proved_addresses_of(account.id).await?;
        let held = managements(self.catalog, &proved_addresses(account, &further), Groups::Unknown);
        if held.is_empty() || held.iter().any(|held| held.org.name != route.org) {
            return Ok(Err(Unmoved::NotManaged));
        }
        if route.from != route.to.id && self.link(account.id, route.to.id).await?.is_some() {
            return Ok(Err(Unmoved::LinkedOtherwise));
        }
        let old = self.link(account.id, route.from).await?.filter(|link| !link.suspended);
        Ok(old.ok_or(Unmoved::NoLink))
    }

    /// Takes moves of a change back, of one person or of everybody: the old link stands again, unless somebody else has it by now.
    /// Each is told with why it stays, where it does.
    ///
    /// # Errors
    /// [`NotRelinked`].
    pub async fn undo(
        &self,
        id: RelinkId,
        only: Option<&EmailAddress>,
        mut told: impl FnMut(AccountId, Result<(), &'static str>),
    ) -> Result<(), NotRelinked> {
        let relinking = self.known(id).await?;
        let only = match only {
            Some(email) => {
                let found = self.found(&Whom::Email(email.clone())).await?;
                Some(found.map_err(|why| refused(why.to_string()))?.id)
            }
            None => None,
        };
        let mut after = None;
        loop {
            let page = self.store.relinked_by(id, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.account);
            for row in page.iter().filter(|row| !row.undone && only.is_none_or(|only| only == row.account)) {
                told(row.account, self.take_back(&relinking, row).await?);
            }
        }
    }

    async fn take_back(&self, relinking: &Relinking, row: &Relinked) -> Result<Result<(), &'static str>, NotRelinked> {
        if !self.keys.holds_relinked(row) {
            return Ok(Err("the row was written by another hand"));
        }
        if row.undoable_until() <= self.now {
            return Ok(Err("it was moved more than 30 days ago"));
        }
        let Some(account) = self.store.account(row.account).await? else { return Ok(Err("the account is gone")) };
        let mut batch = Batch::default();
        batch.changes.push(Change::Relink(RelinkChange::Undo(row.relinking, row.account)));
        batch.changes.push(Change::Link(LinkedIdentity {
            key: row.old.clone(),
            account: row.account,
            by: row.old_by,
            linked_at: row.old_at,
            suspended: false,
        }));
        batch.end_everything_of(row.account);
        let mut event = self.event(Action::RelinkUndone, relinking);
        event.subject = subject(&account);
        event.before = Some(shown(self.catalog, &row.new));
        event.after = Some(shown(self.catalog, &row.old));
        batch.events.push(event);
        match self.store.commit(batch).await {
            Ok(_) => Ok(Ok(())),
            Err(NotCommitted::Conflict(_)) => Ok(Err("the links are others by now")),
            Err(NotCommitted::Unavailable(why)) => Err(why.into()),
        }
    }

    /// Changes of provider that were made, the newest first, with how many links each moved.
    ///
    /// # Errors
    /// [`Unavailable`]: the store does not answer.
    pub async fn list(&self, org: Option<&OrgName>) -> Result<Vec<(Relinking, u64)>, Unavailable> {
        let mut listed = Vec::new();
        for relinking in self.store.relinkings(LISTED).await? {
            if org.is_some_and(|org| relinking.org != *org) {
                continue;
            }
            let (mut count, mut after) = (0, None);
            loop {
                let page = self.store.relinked_by(relinking.id, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.account);
                count += u64::try_from(page.iter().filter(|row| !row.undone).count()).unwrap_or(u64::MAX);
            }
            listed.push((relinking, count));
        }
        Ok(listed)
    }

    /// What a directory is called, or was.
    pub fn name_of(&self, id: DirectoryId) -> String {
        let known = self.catalog.directories.get(&id);
        known.map_or_else(|| id.to_string(), |directory| directory.name.to_string())
    }

    async fn known(&self, id: RelinkId) -> Result<Relinking, NotRelinked> {
        let row = self.store.relinking(id).await?;
        let row = row.ok_or_else(|| refused(format!("there is no change of provider {id}")))?;
        if self.keys.holds_relinking(&row) {
            Ok(row)
        } else {
            Err(refused("its row was written by another hand".to_owned()))
        }
    }

    async fn found(&self, whom: &Whom) -> Result<Result<Account, Unmoved>, Unavailable> {
        let found = match whom {
            Whom::Account(id) => self.store.account(*id).await?,
            Whom::Email(email) => {
                let named = self.store.accounts_by_email(email).await?;
                let mut live = named.into_iter().filter(|account| account.email.as_ref() == Some(email));
                let first = live.next();
                if live.next().is_some() {
                    return Ok(Err(Unmoved::Several));
                }
                first
            }
        };
        Ok(found.ok_or(Unmoved::Nobody))
    }

    async fn link(&self, account: AccountId, at: DirectoryId) -> Result<Option<LinkedIdentity>, Unavailable> {
        Ok(self.store.identities_of(account).await?.into_iter().find(|link| link.key.directory == at))
    }

    async fn write(&self, batch: Batch) -> Result<(), NotRelinked> {
        match self.store.commit(batch).await {
            Ok(_) => Ok(()),
            Err(NotCommitted::Conflict(_)) => Err(refused("somebody else was faster: look again".to_owned())),
            Err(NotCommitted::Unavailable(why)) => Err(why.into()),
        }
    }

    fn event(&self, action: Action, of: &Relinking) -> AuditEvent {
        let mut event = AuditEvent::new(EventId::mint(self.now, random()), self.now, action, Outcome::Success);
        event.actor = Some(self.actor.clone());
        event.org = Some(of.org.to_string());
        event.directory = Some(self.name_of(of.to));
        event.txn = Some(of.id.to_string());
        event
    }

    fn by(&self) -> String {
        let Actor { kind, id, address } = &self.actor;
        let who = address.as_ref().or(id.as_ref());
        let said = who.map_or_else(|| kind.clone(), |who| format!("{kind} {who}"));
        clean_name(&said).unwrap_or_default()
    }
}

fn refused(why: String) -> NotRelinked {
    NotRelinked::Refused(why)
}
