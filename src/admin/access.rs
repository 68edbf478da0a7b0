//! A product's own word on who may enter it (row T37, behaviour §3.7): access to this one product, on or off, said by its operator or by
//! the product itself with an operator's token, and by an enterprise of the product of its own members. It stands beside what an
//! organization says of the account, and neither is above the other: whoever is off by either stays out. Nothing else of a person is
//! theirs to change: no address, no name, no status, no way to log in. What the product closed, its enterprises do not open.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::{Call, enterprise};
use super::shapes::{Access, WantedAccess};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{AccessChange, Batch, Change};
use crate::kernel::model::ProductAccount;
use crate::kernel::values::{EnterpriseName, EventId, ProductName};
use crate::store::{Conflict, NotCommitted};
use http::StatusCode;
use serde_json::json;

impl Admin {
    /// Whether a user of the product may enter it, as far as the product says.
    pub(super) async fn show_access(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        must_be_operator(call)?;
        Reply::of(&shown(&self.record(call, sub(call)?).await?))
    }

    /// The same, of a member of an enterprise.
    pub(super) async fn show_member_access(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        Reply::of(&shown(&self.member(call, sub(call)?).await?))
    }

    /// Switches it. Sessions at this product end within a second, open streams too; those at others go on. Again is no change.
    pub(super) async fn put_access(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        must_be_operator(call)?;
        let WantedAccess { sub, off } = call.body()?;
        let record = self.record(call, &sub).await?;
        // What an enterprise closed and the product closes too is the product's from now on.
        if record.off != off || record.off_by.is_some() {
            self.switch_access(call, (&record, off), None).await?;
        }
        Reply::of(&shown(&self.record(call, &sub).await?))
    }

    /// The same, by an enterprise of a member of its own.
    pub(super) async fn put_member_access(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let WantedAccess { sub, off } = call.body()?;
        let (_, by) = enterprise(&call.names)?;
        let record = self.member(call, &sub).await?;
        if !off && record.off && record.off_by.as_ref() != Some(&by) {
            let detail = "This enterprise did not close it: only the product's operators open it.";
            return Err(Problem::new(StatusCode::CONFLICT, "closed-by-product", detail));
        }
        if record.off != off {
            self.switch_access(call, (&record, off), Some(by)).await?;
        }
        Reply::of(&shown(&self.member(call, &sub).await?))
    }

    async fn switch_access(
        &self,
        call: &Call<'_>,
        (record, off): (&ProductAccount, bool),
        by: Option<EnterpriseName>,
    ) -> Result<(), Problem> {
        let mut batch = Batch::default();
        batch.changes.push(Change::Access(AccessChange::Switch { record: record.id, off, by: by.clone() }));
        if off {
            self.end_at_product(record, &mut batch).await?;
        }
        let action = if off { Action::AccessRemoved } else { Action::AccessRestored };
        let mut event = about(call, action, record);
        event.before =
            Some(json!({ "off": record.off, "enterprise": record.off_by.as_ref().map(EnterpriseName::as_str) }));
        event.after = Some(json!({ "off": off, "enterprise": by.as_ref().map(EnterpriseName::as_str) }));
        batch.events.push(event);
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            // Somebody else said the same meanwhile, or the person is nobody of the enterprise's any more.
            Err(NotCommitted::Conflict(Conflict::State)) => return Ok(()),
            Err(other) => return Err(other.into()),
        }
        if off {
            // A login that was decided on before is no way around it: what it made meanwhile ends as well.
            let mut late = Batch::default();
            self.end_at_product(record, &mut late).await?;
            if !late.changes.is_empty() {
                self.world.store.commit(late).await?;
            }
        }
        Ok(())
    }

    /// Its sessions, and logins that are good for it alone.
    async fn end_at_product(&self, record: &ProductAccount, batch: &mut Batch) -> Result<(), Problem> {
        let store = &self.world.store;
        for session in store.product_sessions_of(record.account).await? {
            if session.product_account == record.id {
                batch.end_product_session(session.id);
            }
        }
        for login in store.login_sessions_of(record.account).await? {
            if login.confined_to.as_ref() == Some(&record.product) {
                batch.end_login_session(login.id);
            }
        }
        Ok(())
    }

    /// The record of the product of the path with this user id of its own.
    pub(super) async fn record(&self, call: &Call<'_>, sub: &str) -> Result<ProductAccount, Problem> {
        let product = ProductName::parse(call.name(0)?).map_err(|_| Problem::not_found())?;
        let found = self.world.store.product_account_by_sub(&product, sub).await?;
        found.ok_or_else(Problem::not_found)
    }

    /// The same, of a member of the enterprise of the path: anybody else is not there.
    async fn member(&self, call: &Call<'_>, sub: &str) -> Result<ProductAccount, Problem> {
        let (_, name) = enterprise(&call.names)?;
        let record = self.record(call, sub).await?;
        if record.enterprise.as_ref() == Some(&name) { Ok(record) } else { Err(Problem::not_found()) }
    }
}

fn sub<'a>(call: &'a Call<'_>) -> Result<&'a String, Problem> {
    call.query.get("sub").ok_or_else(|| Problem::invalid("`sub` is missing: the product's own user id."))
}

/// An event about a record, by whoever calls.
pub(super) fn about(call: &Call<'_>, action: Action, record: &ProductAccount) -> AuditEvent {
    let now = call.request.now;
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, Outcome::Success);
    event.actor = Some(call.who.author(call.request).actor);
    event.product = Some(record.product.to_string());
    event.subject.account = Some(record.account.to_string());
    event.subject.product_account = Some(record.id.to_string());
    event
}

/// Before anything is read: nobody else learns whether there is such a user.
pub(super) fn must_be_operator(call: &Call<'_>) -> Result<(), Problem> {
    match call.who.is_operator() {
        true => Ok(()),
        false => Err(Problem::new(StatusCode::FORBIDDEN, "role", "This is for the product's operators to say.")),
    }
}

fn shown(record: &ProductAccount) -> Access {
    Access {
        product: record.product.to_string(),
        sub: record.sub.clone(),
        account: record.account.to_string(),
        off: record.off,
    }
}
