//! Shadow mode: what another configuration would have decided, recorded beside what was decided. Nothing that it comes to, or cannot
//! come to, changes anything: it is asked after the decision, of the same facts, and its fault is a line in the log.
//!
//! All three moments are asked. Of logins (B) both answers are recorded, so that a report can say of how many. Of what is shown for a
//! typed address (A) and of sessions under way (C) only a difference is: strangers type addresses (so it is sampled, rule M15), and a
//! session is met with every request (so it is told once). A session is asked what becomes of it once the grace of the change is over.

use super::entry::Rows;
use super::record::Circumstances;
use super::world::{Visitor, World};
use crate::audit::Sampled;
use crate::entropy::random;
use crate::kernel::admit::{Facts, Outcome, decide};
use crate::kernel::event::{Action, AuditEvent, Outcome as Ended};
use crate::kernel::identify::{Asked, Show, identify};
use crate::kernel::journal::Batch;
use crate::kernel::live::Live;
use crate::kernel::model::{Catalog, OnChange, Policy};
use crate::kernel::values::{EmailAddress, EventId, LoginSessionId, Timestamp};
use crate::orgs::enrol::join;
use crate::orgs::{DraftCatalog, Fault, Mode, Stored};
use arc_swap::ArcSwapOption;
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The other configuration, and what it comes to with what organizations say at run time.
#[derive(Default)]
pub struct Shadow {
    floor: ArcSwapOption<DraftCatalog>,
    catalog: ArcSwapOption<Catalog>,
    /// The same without graces.
    settled: ArcSwapOption<Catalog>,
    /// Sessions that were told of.
    told: Mutex<HashSet<LoginSessionId>>,
}

/// Sessions that are told of in the life of one configuration in shadow: more say nothing new.
const TOLD: usize = 100_000;

impl Shadow {
    /// From now on this one is asked beside; none: no one is.
    pub fn put(&self, floor: Option<DraftCatalog>) {
        self.floor.store(floor.map(Arc::new));
        self.keep(None);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn keep(&self, catalog: Option<Catalog>) {
        let settled = catalog.as_ref().map(without_grace);
        self.catalog.store(catalog.map(Arc::new));
        self.settled.store(settled.map(Arc::new));
    }

    /// Whether a session is told of for the first time.
    fn is_news(&self, session: LoginSessionId) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < TOLD && told.insert(session)
    }
}

impl World {
    /// Joins the other configuration with the store, as the one in force was. Nothing of it is written: a directory that only it has
    /// gets an id that is forgotten again.
    pub async fn rebuild_shadow(&self) {
        let Some(floor) = self.shadow.floor.load_full() else { return };
        let built = async {
            let stored = Stored::load(self.store.as_ref()).await?;
            let joined = join(&stored, &self.kek, (&floor, self.orgs.reads()), Mode::Lead, self.clock.now())?;
            Ok::<_, Fault>(joined.catalog(0))
        };
        match built.await {
            Ok(catalog) => self.shadow.keep(Some(catalog)),
            Err(fault) => {
                tracing::error!(%fault, "the configuration in shadow cannot be joined with the store: nothing is recorded of it");
                self.shadow.keep(None);
            }
        }
    }

    /// Asks the other configuration about a login that was decided, and records both answers.
    pub(super) fn foreshadow(
        &self,
        visitor: &Visitor,
        facts: &Facts<'_>,
        (decided, about): (&Outcome, &Circumstances),
    ) {
        let Some(catalog) = self.shadow.catalog.load_full() else { return };
        let live = decided.word(facts.catalog);
        let product = facts.product.map(|product| (product, catalog.products.get(&product.name)));
        let (would, trace) = match product {
            Some((_, None)) => ("no-such-product".to_owned(), Vec::new()),
            Some((_, Some(product))) => shadowed(&Facts { catalog: &catalog, product: Some(product), ..facts.clone() }),
            None => shadowed(&Facts { catalog: &catalog, ..facts.clone() }),
        };
        let mut event = visitor.event(Action::PolicyShadowed, Ended::Success);
        event.subject = about.subject.clone();
        event.product.clone_from(&about.product);
        if event.product.is_none() {
            event.product = facts.product.map(|product| product.name.to_string());
        }
        event.directory.clone_from(&about.directory);
        event.method.clone_from(&about.method);
        event.trace = trace;
        self.put_shadowed(event, "login", (&live, &would));
    }

    /// Asks the other configuration what it would show for a typed address.
    pub(super) fn foreshadow_page(&self, visitor: &Visitor, asked: &Asked<'_>, shown: &Show) {
        let Some(catalog) = self.shadow.catalog.load_full() else { return };
        let Ok(email) = EmailAddress::parse(asked.typed) else { return };
        let would = match asked.product.map(|product| catalog.products.get(&product.name)) {
            Some(None) => "no-such-product".to_owned(),
            found => {
                let product = found.flatten().map(Arc::as_ref);
                identify(&Asked { catalog: &catalog, product, ..*asked }).show.word(&catalog)
            }
        };
        let live = shown.word(asked.catalog);
        if live == would || self.sampler.take("policy-shadowed", visitor.client, visitor.now) == Sampled::Counted {
            return;
        }
        let mut event = visitor.event(Action::PolicyShadowed, Ended::Success);
        event.subject.email = Some(email.to_string());
        event.product = asked.product.map(|product| product.name.to_string());
        self.put_shadowed(event, "identify", (&live, &would));
    }

    /// Asks the other configuration about a session that goes on.
    pub(super) fn foreshadow_session(&self, rows: &Rows, now: Timestamp) {
        let Some(catalog) = self.shadow.settled.load_full() else { return };
        let would = match rows.stand(&catalog, now).map(|(standing, _)| standing) {
            Some(Live::Continue { .. }) => return,
            Some(Live::Login(why)) => why.code(),
            Some(Live::End(refusal)) => refusal.code(),
            None => "no-such-product",
        };
        if !self.shadow.is_news(rows.login.id) {
            return;
        }
        let id = EventId::mint(now, random());
        let mut event = AuditEvent::new(id, now, Action::PolicyShadowed, Ended::Success);
        event.subject.account = Some(rows.account.id.to_string());
        event.subject.email = rows.account.email.as_ref().map(ToString::to_string);
        event.product = Some(rows.session.product.to_string());
        event.method = Some(rows.login.method.code().to_owned());
        event.txn = Some(rows.login.id.to_string());
        self.put_shadowed(event, "session", ("continue", would));
    }

    /// Beside what it is about, which neither waits for this nor fails with it.
    fn put_shadowed(&self, mut event: AuditEvent, phase: &str, (live, would): (&str, &str)) {
        event.before = Some(json!({ "decision": live, "phase": phase }));
        event.after = Some(json!({ "decision": would, "differs": live != would }));
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(fault) = store.commit(Batch { events: vec![event], ..Batch::default() }).await {
                tracing::warn!(%fault, "what the configuration in shadow would have decided could not be recorded");
            }
        });
    }
}

/// As it is once every change has reached the sessions that it meets.
fn without_grace(catalog: &Catalog) -> Catalog {
    let mut catalog = catalog.clone();
    let at_once = |policy: &mut Policy| {
        if matches!(policy.on_change, OnChange::After { .. }) {
            policy.on_change = OnChange::IMMEDIATE;
        }
    };
    for org in catalog.orgs.values_mut() {
        let org = Arc::make_mut(org);
        at_once(&mut org.policy);
        org.policies.iter_mut().for_each(|named| at_once(&mut named.policy));
    }
    catalog
}

fn shadowed(facts: &Facts<'_>) -> (String, Vec<String>) {
    let decision = decide(facts);
    (decision.outcome.word(facts.catalog), decision.trace)
}
