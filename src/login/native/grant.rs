//! What an app's login is made of: its person's session that it comes from, a session of its own, its access tokens, its events, its end.

use super::super::entry::Rows;
use super::super::session::subject;
use super::super::world::Visitor;
use super::super::{Login, Stop};
use super::ticket::Code;
use super::tokens::{Asked, TokenFault};
use crate::entropy::random;
use crate::kernel::app::{grant_ends, lets_apps_in};
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::live::{Live as Standing, LoginFacts, login_live, meets_policies};
use crate::kernel::model::{Account, Grant, LoginSession, Product, ProductSession};
use crate::kernel::standing::{Bounds, Groups, managements, proved_addresses};
use crate::kernel::values::{
    EmailAddress, LoginSessionId, Origin, ProductAccountId, ProductSessionId, SessionKey, Token,
};
use crate::store::NotCommitted;
use std::time::Duration;

/// How long an access token lives that opens something only together with a key of its app's.
const BOUND_LIFE: Duration = Duration::from_secs(3600);
/// How long one lives that whoever has it can use.
const BEARER_LIFE: Duration = Duration::from_secs(600);
/// How long an access token lives.
fn life(is_bound: bool) -> Duration {
    if is_bound { BOUND_LIFE } else { BEARER_LIFE }
}

impl Login {
    /// The login session of the person who let the app in, if it lives and lacks nothing that is asked of a login now.
    pub(super) async fn source(&self, visitor: &Visitor, code: &Code) -> Result<Option<Source>, Stop> {
        let store = &self.world.store;
        let Some(session) = store.login_session_by_id(code.source).await? else { return Ok(None) };
        let is_whose = session.account == code.account && session.account_epoch == code.epoch && lets_apps_in(&session);
        if !is_whose || !self.world.keys.holds_login(&session) {
            return Ok(None);
        }
        let Some(account) = store.account(session.account).await? else { return Ok(None) };
        let further = store.proved_addresses_of(account.id).await?;
        let catalog = self.world.catalog.load_full();
        let session = self.live.with_activity(session);
        let facts =
            LoginFacts { now: visitor.now, catalog: &catalog, login: &session, account: &account, further: &further };
        // A session that only lives in the grace of a change lets nothing new in.
        let lives = matches!(login_live(&facts), Standing::Continue { .. }) && meets_policies(&facts);
        Ok(lives.then_some(Source { session, account, further }))
    }

    /// The app's own login session: its person's, confined to the product, with the limits of apps.
    pub(super) fn grant_of(&self, asked: &Asked<'_>, source: Source, id: LoginSessionId) -> Option<LoginSession> {
        let now = asked.visitor.now;
        let Source { session: from, account, further } = source;
        if from.confined_to.as_ref().is_some_and(|only| *only != asked.product.name) {
            return None;
        }
        let grant =
            Grant { app: asked.app.name.clone(), bound_to: asked.held.map(|held| held.key), turn: 0, turned_at: now };
        let mut session = LoginSession {
            id,
            // Never told to anybody; the refresh tokens are made of it.
            key: SessionKey(random()),
            browser: random(),
            logout_hint: None,
            created_at: now,
            last_seen: now,
            ask_before: Vec::new(),
            confined_to: Some(asked.product.name.clone()),
            device: None,
            grant: Some(Box::new(grant)),
            mac: [0; 32],
            ..from
        };
        self.set_limits(asked, &mut session, (&account, &further));
        session.mac = self.world.keys.mac_login(&session);
        Some(session)
    }

    /// Everything of an app's session with a new access token. `None` when somebody is gone, or its time is over.
    pub(super) async fn rows_for(
        &self,
        asked: &Asked<'_>,
        login: LoginSession,
        record: ProductAccountId,
    ) -> Result<Option<(Rows, Token)>, Stop> {
        let (store, now) = (&self.world.store, asked.visitor.now);
        let Some(account) = store.account(login.account).await? else { return Ok(None) };
        let Some(record) = store.product_account_by_id(record).await? else { return Ok(None) };
        if record.account != account.id || record.product != asked.product.name {
            return Ok(None);
        }
        let further = store.proved_addresses_of(account.id).await?;
        let Some(host) = asked.product.hosts.first().cloned() else { return Ok(None) };
        let token = Token::new(random());
        let session = self.access_session(asked, &login, (record.id, host), &token);
        Ok(Some((Rows { session, login, account, record, further }, token))
            .filter(|(rows, _)| rows.session.abs_at > now))
    }

    fn set_limits(&self, asked: &Asked<'_>, login: &mut LoginSession, (account, further): (&Account, &[EmailAddress])) {
        let catalog = self.world.catalog.load();
        let directory = catalog.directories.get(&login.directory);
        let groups = Groups::of(directory.and_then(|directory| directory.org()), &login.groups);
        let managed = managements(&catalog, &proved_addresses(account, further), groups);
        let bounds = Bounds::of_app(&asked.product, &managed);
        login.idle_millis = u64::try_from(bounds.idle.as_millis()).unwrap_or(u64::MAX);
        login.abs_at = grant_ends(login, (Bounds::of_login(&managed), bounds));
    }

    fn access_session(
        &self,
        asked: &Asked<'_>,
        login: &LoginSession,
        (record, host): (ProductAccountId, Origin),
        token: &Token,
    ) -> ProductSession {
        let now = asked.visitor.now;
        let bound_to = login.grant.as_ref().and_then(|grant| grant.bound_to);
        let life = life(bound_to.is_some());
        let mut session = ProductSession {
            id: ProductSessionId::mint(now, random()),
            key: self.world.keys.access_key(token, bound_to),
            parent: login.id,
            product: asked.product.name.clone(),
            host,
            account: login.account,
            product_account: record,
            created_at: now,
            last_seen: now,
            idle_millis: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
            abs_at: login.abs_at.min(now.plus(life)),
            account_epoch: login.account_epoch,
            mac: [0; 32],
        };
        session.mac = self.world.keys.mac_product(&session);
        session
    }

    /// A new access token's row and its event, and the address that its product will be told.
    pub(super) fn write_access(&self, asked: &Asked<'_>, rows: &Rows, action: Action, batch: &mut Batch) {
        let mut event = self.event_of_app(asked.visitor, (&rows.login, &asked.product), (action, Outcome::Success));
        event.subject = subject(&rows.account);
        event.subject.product_account = Some(rows.record.id.to_string());
        event.after = Some(serde_json::json!({
            "app": asked.app.name.as_str(),
            "sid": rows.session.id.to_string(),
            "bound": rows.login.grant.as_ref().is_some_and(|grant| grant.bound_to.is_some()),
            "abs_at": rows.login.abs_at.to_string(),
        }));
        batch.events.push(event);
        batch.changes.push(Change::CreateProductSession(rows.session.clone()));
        if let Some(email) = rows.account.email.clone().filter(|_| rows.account.email_verified) {
            let (product, sub) = (rows.record.product.clone(), rows.record.sub.clone());
            batch.changes.push(Change::AssertAddress { product, email, sub });
        }
    }

    pub(super) fn event_of_app(
        &self,
        visitor: &Visitor,
        (session, product): (&LoginSession, &Product),
        (action, outcome): (Action, Outcome),
    ) -> AuditEvent {
        let mut event = visitor.event(action, outcome);
        event.subject.account = Some(session.account.to_string());
        event.product = Some(product.name.to_string());
        event.method = Some(session.method.code().to_owned());
        event.directory = self.world.directory(session.directory).map(|directory| directory.name.to_string());
        event.txn = Some(session.id.to_string());
        let app = session.grant.as_ref().map(|grant| grant.app.to_string());
        event.after = Some(serde_json::json!({ "app": app }));
        event
    }

    /// Ends all that came of an app's login, on every node.
    pub(super) async fn end_grant(
        &self,
        visitor: &Visitor,
        (session, product): (&LoginSession, &Product),
        why: &str,
    ) -> Result<(), TokenFault> {
        let is_theft = why.ends_with("-reused");
        let what =
            if is_theft { (Action::AppReused, Outcome::Refused) } else { (Action::SessionEnded, Outcome::Success) };
        let mut event = self.event_of_app(visitor, (session, product), what);
        event.reason = Some(why.to_owned());
        let mut batch = Batch { events: vec![event], ..Batch::default() };
        batch.end_login_session(session.id);
        match self.world.store.commit(batch).await {
            Ok(_) | Err(NotCommitted::Conflict(_)) => Ok(()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}

/// Who let the app in.
pub(super) struct Source {
    session: LoginSession,
    account: Account,
    further: Vec<EmailAddress>,
}
