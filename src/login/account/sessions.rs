//! Where a person is logged in, and ending that. A session ends as at a logout: its rows, its children, its streams, on every node.

use super::super::answer::{Answer, Step};
use super::super::cookies;
use super::super::handover::ProductHost;
use super::super::session::subject;
use super::super::world::Visitor;
use super::super::{Login, Stop};
use super::SeenBy;
use super::page::{account_answer, twin_of};
use super::{AccountPage, Own, SeenSession};
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::model::{LoginSession, Method, ProductSession};
use crate::kernel::values::LoginSessionId;
use crate::mail::{self, Letter};
use std::time::Duration;

/// Sessions that are shown; nobody finds a device in a longer list, and all of them can be ended at once.
const SHOWN: usize = 50;
/// Why such a session ended, in events.
const REASON: &str = "revoked-by-person";

impl Login {
    /// Live sessions of the person, this one first, then the newest; and how many more there are.
    pub(super) async fn sessions_seen(&self, visitor: &Visitor, own: &Own) -> Result<(Vec<SeenSession>, usize), Stop> {
        let mut sessions = self.live_sessions(visitor, own).await?;
        sessions.sort_by_key(|session| (session.id != own.session.id, std::cmp::Reverse(session.created_at)));
        let more = sessions.len().saturating_sub(SHOWN);
        sessions.truncate(SHOWN);
        let children = self.world.store.product_sessions_of(own.account.id).await?;
        let seen = |session: &LoginSession| self.seen(visitor, own, (session, &children));
        Ok((sessions.iter().map(seen).collect(), more))
    }

    /// The person's sessions that are whole (rule H12) and not over, with the activity that this process saw in them. A session of one
    /// product's own password is asked on that product's host, where the product's own scripts read along: it knows and ends sessions of
    /// that product alone (rule H6).
    pub(super) async fn live_sessions(&self, visitor: &Visitor, own: &Own) -> Result<Vec<LoginSession>, Stop> {
        let stored = self.world.store.login_sessions_of(own.account.id).await?;
        let whole = stored.into_iter().filter(|session| self.world.keys.holds_login(session));
        let sessions = whole.map(|session| self.live.with_activity(session));
        let lives = |session: &LoginSession| {
            let idle_at = session.last_seen.plus(Duration::from_millis(session.idle_millis));
            let is_known = !own.is_confined() || session.confined_to == own.session.confined_to;
            is_known
                && session.account_epoch == own.account.epoch
                && visitor.now < session.abs_at
                && visitor.now < idle_at
        };
        Ok(sessions.filter(lives).collect())
    }

    fn seen(
        &self,
        visitor: &Visitor,
        own: &Own,
        (session, children): (&LoginSession, &[ProductSession]),
    ) -> SeenSession {
        let catalog = self.world.catalog.load();
        let open = |child: &&ProductSession| child.parent == session.id && visitor.now < child.abs_at;
        let label = |child: &ProductSession| {
            let product = catalog.products.get(&child.product);
            product.map_or_else(|| child.product.to_string(), |product| product.label.clone())
        };
        let product = session.confined_to.as_ref().and_then(|name| catalog.products.get(name));
        let app = session.grant.as_ref().map(|grant| {
            let known = product.and_then(|product| product.apps.iter().find(|app| app.name == grant.app));
            known.map_or_else(|| grant.app.to_string(), |app| app.label.clone())
        });
        let app = app.or_else(|| session.personal.as_ref().map(|personal| personal.label.to_string()));
        let mut products: Vec<String> = children.iter().filter(open).map(label).collect();
        if app.is_some() {
            // Also between two tokens of it.
            products.extend(product.map(|product| product.label.clone()));
        }
        products.sort();
        products.dedup();
        let by = match session.method {
            Method::OrgSso | Method::Issuer | Method::ThirdParty => {
                let directory = catalog.directories.get(&session.directory);
                SeenBy::Provider(directory.map(|directory| directory.label.clone()))
            }
            Method::Password | Method::Adapter | Method::Reset => SeenBy::Password,
            Method::Passkey => SeenBy::Passkey,
            Method::Recovery => SeenBy::Recovery,
            Method::Emergency => SeenBy::Emergency,
        };
        SeenSession {
            id: session.id.to_string(),
            device: session.device,
            app,
            products,
            by,
            since: session.created_at,
            last_seen: session.last_seen,
            this: session.id == own.session.id,
        }
    }

    /// `POST /account/sessions`, and `/.fedgate/account/sessions` on a product host: `act` is `others`, or `end` and a session's id.
    pub async fn end_sessions(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        (csrf, to): (&str, &str),
        act: &str,
    ) -> Answer {
        let answer = self.try_end_sessions(visitor, at, (csrf, to), act).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_end_sessions(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        (csrf, to): (&str, &str),
        act: &str,
    ) -> Result<Answer, Stop> {
        let Some(own) = self.own_session(visitor, at).await? else {
            return Ok(self.nobody_here(visitor, at).await);
        };
        let is_own = match at {
            None => self.world.csrf_holds(visitor, csrf) && self.may_act(visitor, &own),
            Some(at) => own.is_confined() && self.posted_target(visitor, at, csrf, to).is_some(),
        };
        if !is_own {
            return self.account_page(visitor, at, &own, false).await;
        }
        let mut sessions = self.live_sessions(visitor, &own).await?;
        match act.split_once(' ') {
            Some(("end", id)) => {
                let id = LoginSessionId::parse(id).ok();
                if id == Some(own.session.id) {
                    return Ok(Answer::of(Step::Go(logout(at).to_owned())));
                }
                // Somebody else's is no different from one that there never was.
                sessions.retain(|session| Some(session.id) == id);
                if sessions.is_empty() {
                    return Ok(account_answer(at, AccountPage::NotFound));
                }
            }
            None if act == "others" => sessions.retain(|session| session.id != own.session.id),
            _ => return self.account_page(visitor, at, &own, false).await,
        }
        if !sessions.is_empty() {
            self.end_own(visitor, at, &own, &sessions).await?;
        }
        let page = at.map_or("/account?ended=1", |_| "/.fedgate/account?ended=1");
        Ok(Answer::of(Step::Go(page.to_owned())))
    }

    /// Whether the request carries the cookie that comes with nothing but pages of this host (rule H6).
    pub(in crate::login) fn may_act(&self, visitor: &Visitor, own: &Own) -> bool {
        let twin = visitor.cookies.one(cookies::ACTS);
        twin.is_some_and(|twin| self.world.keys.csrf_holds(&twin_of(own), twin))
    }

    /// Ends sessions in one batch with an event each, and tells their person by mail.
    pub(super) async fn end_own(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        own: &Own,
        sessions: &[LoginSession],
    ) -> Result<(), Stop> {
        let mut batch = Batch::default();
        for session in sessions {
            batch.end_login_session(session.id);
            let mut event = visitor.event(Action::SessionEnded, Outcome::Success);
            event.subject = subject(&own.account);
            event.product = at.map(|at| at.product.name.to_string());
            event.reason = Some(REASON.to_owned());
            event.txn = Some(session.id.to_string());
            batch.events.push(event);
        }
        if let Some(email) = self.address_of(own).await? {
            let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
            let letter = Letter::SessionsEnded { count, at: visitor.now };
            let queued = mail::queue(&self.world.keys, visitor.now, &[(email, letter)], Some(own.account.id));
            batch.changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        }
        self.world.store.commit(batch).await?;
        Ok(())
    }
}

/// Where this very session is ended.
fn logout(at: Option<&ProductHost>) -> &'static str {
    at.map_or("/logout", |_| "/.fedgate/logout")
}
