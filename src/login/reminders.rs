//! Deadlines of products (rows T08, T13): everybody who still logs in by a password is told in time, and once more when it has passed
//! (N8).
//!
//! The deadline itself needs no batch: which phase holds is asked at each login. The letters do. They are queued page by page, each
//! page in one commit with how far the work came and with a mark that only one commit can take: a process that dies, a second node or
//! the command beside a node queue no letter twice. What a mail server takes twice carries one Message-ID, derived from product,
//! deadline, reminder, record and address.

use super::ticket::sha256;
use super::world::World;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, MarkKind, ReplayMark};
use crate::kernel::model::{AccountStatus, Catalog, MigrationPhase, Passwords, Product, ProductAccount, Reminder};
use crate::kernel::standing::{Demand, management};
use crate::kernel::values::{EmailAddress, EventId, MailId, ProductAccountId, ProductName, Timestamp};
use crate::keys::{Keys, Lookup};
use crate::mail::{self, Letter};
use crate::store::{Conflict, NotCommitted, Store, Unavailable};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// People of one commit: few enough that a login beside it waits for milliseconds.
const PAGE: usize = 200;
/// How often a node looks.
const POLL: Duration = Duration::from_secs(15);
/// A node queues no more while so many letters wait: the disk is not the outbox of a whole product.
const WAITING: u64 = 2_000;
/// What a clock says counts when it says it so much later again, by the machine's own count (rule M3).
const CONFIRMED: Duration = Duration::from_secs(600);
/// The mark of a page is kept so long after the deadline: longer than anybody is reminded.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// How far the telling of one reminder came.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The deadline, milliseconds since 1970, and how many seconds before it.
    deadline: i64,
    before: u64,
    /// The last record that was looked at.
    after: Option<[u8; 16]>,
    /// Letters that were queued.
    pub letters: u64,
    /// People whom no letter is for: no proved address, switched off, or their company's own login is what counts.
    pub without: u64,
    /// Everybody was looked at.
    pub done: bool,
}

impl Told {
    fn of(reminder: Reminder) -> Self {
        Self { deadline: reminder.deadline.millis(), before: reminder.before.as_secs(), ..Self::default() }
    }

    /// Of which reminder.
    pub fn reminder(&self) -> Reminder {
        let before = Duration::from_secs(self.before);
        Reminder { deadline: Timestamp::from_millis(self.deadline), before }
    }
}

/// Who tells people of deadlines: a node, or the command.
pub struct Reminders<'a> {
    store: &'a dyn Store,
    keys: &'a Keys,
    catalog: &'a Catalog,
}

impl<'a> Reminders<'a> {
    /// With what the login has.
    pub fn new(store: &'a dyn Store, keys: &'a Keys, catalog: &'a Catalog) -> Self {
        Self { store, keys, catalog }
    }

    /// What people of a product are to be told at a time; none where nothing ends for them.
    pub fn due(&self, product: &Product, now: Timestamp) -> Option<Reminder> {
        let deadline = product.migration.deadline.as_ref()?;
        let ends = deadline.then == MigrationPhase::Forced && product.passwords != Passwords::None;
        deadline.reminder_at(now).filter(|_| ends && self.catalog.issuer.is_some())
    }

    async fn reached(&self, product: &ProductName, reminder: Reminder) -> Result<Told, Unavailable> {
        let last = last(self.store, product).await?.filter(|last| last.reminder() == reminder);
        Ok(last.unwrap_or_else(|| Told::of(reminder)))
    }

    /// Queues one page of letters, and says how far the work is then. Nothing is queued twice, whoever else is at it.
    ///
    /// # Errors
    /// [`NotCommitted::Unavailable`]: nothing of the page was written.
    pub async fn step(&self, product: &Product, reminder: Reminder, now: Timestamp) -> Result<Told, NotCommitted> {
        let reached = self.reached(&product.name, reminder).await?;
        if reached.done {
            return Ok(reached);
        }
        let (next, letters) = self.page(product, &reached).await?;
        let queued = mail::queue_once(self.keys, now, &letters);
        let queued = queued.map_err(|why| NotCommitted::Unavailable(Unavailable(why.to_string())))?;
        let value = serde_json::to_vec(&next).map_err(|why| Unavailable(why.to_string()))?;
        let place = format!("{} {} {} {:?}", product.name, reached.deadline, reached.before, reached.after);
        let until = reminder.deadline.max(now).plus(KEPT);
        let batch = Batch {
            marks: vec![ReplayMark { kind: MarkKind::Reminder, digest: sha256(place.as_bytes()), until }],
            changes: vec![queued, Change::PutSetting { name: setting(&product.name), value }],
            events: if next.done { vec![told(product, &next, now)] } else { Vec::new() },
            ..Batch::default()
        };
        match self.store.commit(batch).await {
            Ok(_) => Ok(next),
            Err(NotCommitted::Conflict(Conflict::Taken(_))) => {
                let now_there = self.reached(&product.name, reminder).await?;
                if now_there == reached {
                    let why = "a page of reminders is marked as queued, and the work did not go on";
                    return Err(NotCommitted::Unavailable(Unavailable(why.to_owned())));
                }
                Ok(now_there)
            }
            Err(other) => Err(other),
        }
    }

    /// What a whole run would come to; nothing is written.
    ///
    /// # Errors
    /// [`Unavailable`].
    pub async fn foresee(&self, product: &Product, reminder: Reminder) -> Result<Told, Unavailable> {
        let mut reached = self.reached(&product.name, reminder).await?;
        while !reached.done {
            reached = self.page(product, &reached).await?.0;
        }
        Ok(reached)
    }

    async fn page(
        &self,
        product: &Product,
        reached: &Told,
    ) -> Result<(Told, Vec<(MailId, EmailAddress, Letter)>), Unavailable> {
        let after = reached.after.map(ProductAccountId::from_bytes);
        let records = self.store.local_records(&product.name, after, PAGE).await?;
        let mut next = reached.clone();
        let mut letters = Vec::new();
        for record in &records {
            match self.recipient(record).await? {
                Some(to) => {
                    next.letters += 1;
                    letters.push(self.letter(product, reached, (record, to)));
                }
                None => next.without += 1,
            }
        }
        next.after = records.last().map(|record| record.id.to_bytes()).or(reached.after);
        next.done = records.len() < PAGE;
        Ok((next, letters))
    }

    /// Where a person is told: a proved address and nothing else, for whoever is behind another one may be a stranger (§4 #15). People
    /// whose company's own login is enforced have no password to lose.
    pub async fn recipient(&self, record: &ProductAccount) -> Result<Option<EmailAddress>, Unavailable> {
        let account = self.store.account(record.account).await?;
        let Some(account) = account.filter(|account| account.status == AccountStatus::Active && !record.off) else {
            return Ok(None);
        };
        let addresses = self.store.addresses_of(record.id).await?;
        let proved = addresses.into_iter().find(|address| address.verified).map(|address| address.email);
        let live = account.email.filter(|_| account.email_verified);
        let Some(to) = proved.or(live) else { return Ok(None) };
        let mut held: Vec<EmailAddress> = self.store.proved_addresses_of(record.account).await?;
        held.push(to.clone());
        let enforced = |address: &EmailAddress| {
            let demand = management(self.catalog, address).map(|held| held.demand(self.catalog));
            matches!(demand, Some(Demand::Enforced(_) | Demand::Unusable))
        };
        Ok((!held.iter().any(enforced)).then_some(to))
    }

    fn letter(
        &self,
        product: &Product,
        reached: &Told,
        (record, to): (&ProductAccount, EmailAddress),
    ) -> (MailId, EmailAddress, Letter) {
        let reminder = reached.reminder();
        let parts: [&[u8]; 5] = [
            product.name.as_str().as_bytes(),
            &reached.deadline.to_be_bytes(),
            &reached.before.to_be_bytes(),
            &record.id.to_bytes(),
            to.as_str().as_bytes(),
        ];
        let hash = self.keys.lookup(Lookup::Reminder, &parts);
        let [a, b, c, d, e, f, g, h, i, j, ..] = hash;
        let id = MailId::mint(reminder.deadline.minus(reminder.before), [a, b, c, d, e, f, g, h, i, j]);
        let issuer = self.catalog.issuer.and_then(|issuer| self.catalog.directories.get(&issuer));
        let letter = Letter::Deadline {
            product: product.name.clone(),
            provider: issuer.map(|issuer| issuer.label.clone()).unwrap_or_default(),
            at: reminder.deadline,
            passed: reminder.before.is_zero(),
        };
        (id, to, letter)
    }
}

/// How far a product's last reminder came; none before the first.
///
/// # Errors
/// [`Unavailable`]; also where what is stored cannot be read.
pub async fn last(store: &dyn Store, product: &ProductName) -> Result<Option<Told>, Unavailable> {
    let stored = store.setting(&setting(product)).await?;
    let read = |bytes: Vec<u8>| serde_json::from_slice(&bytes).map_err(|why| Unavailable(why.to_string()));
    stored.map(read).transpose()
}

fn setting(product: &ProductName) -> String {
    format!("migration.reminded.{product}")
}

fn told(product: &Product, told: &Told, now: Timestamp) -> AuditEvent {
    let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::MigrationReminded, Outcome::Success);
    event.product = Some(product.name.to_string());
    let reminder = told.reminder();
    event.after = Some(serde_json::json!({
        "deadline": reminder.deadline.to_string(), "days_before": reminder.before.as_secs() / 86_400,
        "letters": told.letters, "without": told.without,
    }));
    event
}

/// What was seen as due, and since when by the machine's own count: a clock that jumps ahead and is set right reminds nobody (rule M3).
#[derive(Debug, Default)]
pub struct Sightings(HashMap<(ProductName, Reminder), Duration>);

impl Sightings {
    /// Whether what is due now was due ten minutes ago as well. What is not due any more is forgotten.
    fn confirmed(&mut self, due: Vec<(ProductName, Reminder)>, since_boot: Duration) -> Vec<(ProductName, Reminder)> {
        self.0.retain(|known, _| due.contains(known));
        let old_enough = |sighting: &(ProductName, Reminder)| {
            let first = *self.0.entry(sighting.clone()).or_insert(since_boot);
            since_boot.saturating_sub(first) >= CONFIRMED
        };
        due.into_iter().filter(old_enough).collect()
    }
}

impl World {
    /// Tells people of deadlines, until stopped.
    pub async fn keep_reminding(self: Arc<Self>, stop: CancellationToken) {
        let mut sightings = Sightings::default();
        while !stop.is_cancelled() {
            match self.remind(&mut sightings, &stop).await {
                Ok(pages) => tracing::trace!(pages, "pages of reminders were queued"),
                Err(fault) => tracing::warn!(%fault, "people could not be reminded of a deadline"),
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Queues what is due and was due ten minutes ago, while the outbox has room; how many pages that was.
    async fn remind(&self, sightings: &mut Sightings, stop: &CancellationToken) -> Result<usize, NotCommitted> {
        let (catalog, now) = (self.catalog.load_full(), self.clock.now());
        let reminders = Reminders::new(self.store.as_ref(), &self.keys, &catalog);
        let due = catalog.products.values();
        let due = due.filter_map(|product| Some((product.name.clone(), reminders.due(product, now)?))).collect();
        let mut pages = 0;
        for (name, reminder) in sightings.confirmed(due, self.clock.since_boot()) {
            let Some(product) = catalog.products.get(&name) else { continue };
            while !stop.is_cancelled() && self.store.mail_count().await?.waiting < WAITING {
                let told = reminders.step(product, reminder, now).await?;
                pages += 1;
                if told.done {
                    break;
                }
            }
        }
        Ok(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m3_a_clock_that_jumps_ahead_and_back_reminds_nobody() {
        let product = ProductName::parse("trello").unwrap();
        let reminder = Reminder { deadline: Timestamp::from_seconds(1_000), before: Duration::ZERO };
        let due = || vec![(product.clone(), reminder)];
        let at = Duration::from_secs;
        let mut sightings = Sightings::default();
        assert_eq!(sightings.confirmed(due(), at(50)), []);
        assert_eq!(sightings.confirmed(due(), at(649)), []);
        assert_eq!(sightings.confirmed(due(), at(650)), due());
        // Seen, gone, seen again: the count begins anew.
        assert_eq!(sightings.confirmed(Vec::new(), at(700)), []);
        assert_eq!(sightings.confirmed(due(), at(5_000)), []);
        // Another one is another one.
        let other = Reminder { before: Duration::from_secs(86_400), ..reminder };
        assert_eq!(sightings.confirmed(vec![(product.clone(), other)], at(9_000)), []);
    }
}
