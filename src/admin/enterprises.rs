//! Enterprises of a product (rows T20, T37): who belongs to them, said by the product; and their asking members to move to the one
//! account, which is a letter and a banner and forces nobody (behaviour §3.7).

use super::Admin;
use super::access::{about, must_be_operator};
use super::answer::{Problem, Reply};
use super::call::{Call, MOST, enterprise};
use super::shapes::{Member, MoveRequest, MoveRequested, Page, WantedMember};
use crate::kernel::event::Action;
use crate::kernel::journal::{AccessChange, Batch, Change};
use crate::kernel::model::{MigrationPhase, Product, ProductAccount, ProductAccountState};
use crate::kernel::values::{EnterpriseName, ProductAccountId, ProductName, Timestamp};
use crate::login::reminders::Reminders;
use crate::mail::{Letter, queue};
use crate::store::{Conflict, NotCommitted};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A member is asked to move at most this often.
const ASK_EVERY: Duration = Duration::from_secs(7 * 86_400);

/// What came of asking one member.
enum Asking {
    Asked,
    AskedWithoutLetter,
    AskedBefore,
}

impl Admin {
    /// Whether the configuration names it.
    pub(super) fn has_enterprise(&self, product: &ProductName, name: &EnterpriseName) -> bool {
        self.world.catalog.load().products.get(product).is_some_and(|product| product.has_enterprise(name))
    }

    pub(super) async fn list_members(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (product, name) = enterprise(&call.names)?;
        let (limit, after) = (call.limit()?, call.after(|text| ProductAccountId::parse(text).ok())?);
        let mut found = self.world.store.enterprise_members((&product, &name), after, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().map(|record| record.id.to_string()).filter(|_| more);
        let mut items = Vec::with_capacity(found.len());
        for record in &found {
            items.push(self.shown_member(record).await?);
        }
        Reply::of(&Page { items, next })
    }

    /// Whoever is a member of another enterprise leaves it: a product knows a person as one company's.
    pub(super) async fn put_member(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        must_be_operator(call)?;
        let (_, name) = enterprise(&call.names)?;
        let WantedMember { sub, member } = call.body()?;
        let record = self.record(call, &sub).await?;
        let to = match (member, record.enterprise.as_ref() == Some(&name)) {
            (true, false) => Some(name),
            (false, true) => None,
            (true, true) | (false, false) => return Reply::of(&self.shown_member(&record).await?),
        };
        let mut event = about(call, Action::EnterpriseMemberChanged, &record);
        event.before = Some(json!({ "enterprise": record.enterprise.as_ref().map(EnterpriseName::as_str) }));
        event.after = Some(json!({ "enterprise": to.as_ref().map(EnterpriseName::as_str) }));
        let change = AccessChange::Belong { record: record.id, from: record.enterprise.clone(), to };
        let changes = vec![Change::Access(change)];
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Reply::of(&self.shown_member(&self.record(call, &sub).await?).await?)
    }

    /// Each member that still has a password gets a letter, where one can reach them, and a banner at the product.
    pub(super) async fn ask_to_move(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (product, name) = enterprise(&call.names)?;
        let MoveRequest { subs } = call.body()?;
        if subs.is_empty() || subs.len() > MOST {
            return Err(Problem::invalid(format!("`subs` names 1 to {MOST} members.")));
        }
        let known = self.world.catalog.load().products.get(&product).cloned().ok_or_else(Problem::not_found)?;
        if known.migration.phase_at(call.request.now) == MigrationPhase::Off {
            let detail = "Nobody can move yet: the product's operators have not begun its migration.";
            return Err(Problem::new(StatusCode::CONFLICT, "phase-off", detail));
        }
        let mut said = MoveRequested {
            asked: Vec::new(),
            moved: Vec::new(),
            asked_before: Vec::new(),
            without_letter: Vec::new(),
            unknown: Vec::new(),
        };
        for sub in subs {
            let record = self.world.store.product_account_by_sub(&product, &sub).await?;
            let member = record.filter(|record| record.enterprise.as_ref() == Some(&name));
            let list = match member {
                None => &mut said.unknown,
                Some(record) if !has_password(&record) => &mut said.moved,
                Some(record) => match self.ask(call, (&known, &name), &record).await? {
                    Asking::Asked => &mut said.asked,
                    Asking::AskedWithoutLetter => &mut said.without_letter,
                    Asking::AskedBefore => &mut said.asked_before,
                },
            };
            list.push(sub);
        }
        Reply::of(&said)
    }

    async fn ask(
        &self,
        call: &Call<'_>,
        (product, by): (&Arc<Product>, &EnterpriseName),
        record: &ProductAccount,
    ) -> Result<Asking, Problem> {
        let (catalog, now) = (self.world.catalog.load_full(), call.request.now);
        let reminders = Reminders::new(self.world.store.as_ref(), &self.world.keys, &catalog);
        let to = reminders.recipient(record).await?;
        let issuer = catalog.issuer.and_then(|issuer| catalog.directories.get(&issuer));
        let issuer =
            issuer.ok_or_else(|| Problem::new(StatusCode::CONFLICT, "no-issuer", "There is nowhere to move to."))?;
        let asked = AccessChange::AskToMove { record: record.id, by: by.clone(), at: now, since: now.minus(ASK_EVERY) };
        let mut event = about(call, Action::MigrationAsked, record);
        event.after = Some(json!({ "enterprise": by.as_str(), "letter": to.is_some() }));
        let mut batch = Batch { changes: vec![Change::Access(asked)], events: vec![event], ..Batch::default() };
        let how = if to.is_some() { Asking::Asked } else { Asking::AskedWithoutLetter };
        if let Some(to) = to {
            let letter = Letter::MoveRequested {
                product: product.name.clone(),
                enterprise: product.enterprise(by).map(|one| one.label.clone()).unwrap_or_default(),
                provider: issuer.label.clone(),
            };
            let queued = queue(&self.world.keys, now, &[(to, letter)], Some(record.account));
            batch.changes.push(queued.map_err(|why| Problem::fault(&why))?);
        }
        match self.world.store.commit(batch).await {
            Ok(_) => Ok(how),
            Err(NotCommitted::Conflict(Conflict::State)) => Ok(Asking::AskedBefore),
            Err(other) => Err(other.into()),
        }
    }

    async fn shown_member(&self, record: &ProductAccount) -> Result<Member, Problem> {
        let account = self.world.store.account(record.account).await?;
        let account = account.ok_or_else(|| Problem::fault(&"a record without an account"))?;
        // What an enterprise closed whose member the person was before is the product's to open, like what it closed itself.
        let own = record.off_by.is_some() && record.off_by == record.enterprise;
        let off_by = record.off.then_some(if own { "enterprise" } else { "product" });
        Ok(Member {
            sub: record.sub.clone(),
            enterprise: record.enterprise.as_ref().map(ToString::to_string),
            email: account.email.as_ref().map(ToString::to_string),
            state: state(record).to_owned(),
            off: record.off,
            off_by: off_by.map(str::to_owned),
            asked_at: record.asked_at.map(shown_time),
            last_login_at: account.last_login_at.map(shown_time),
        })
    }
}

fn shown_time(time: Timestamp) -> String {
    time.to_string()
}

fn has_password(record: &ProductAccount) -> bool {
    matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating)
}

const fn state(record: &ProductAccount) -> &'static str {
    match record.state {
        ProductAccountState::Local => "local",
        ProductAccountState::Migrating => "migrating",
        ProductAccountState::Linked => "linked",
        ProductAccountState::Merged(_) => "merged",
        ProductAccountState::Closed => "closed",
    }
}
