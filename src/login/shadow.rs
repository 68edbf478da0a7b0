//! Shadow mode: what another configuration would have decided about a login, recorded beside what was decided. Nothing that it comes
//! to, or cannot come to, changes a login: it is asked after the decision, of the same facts, and its fault is a line in the log.

use super::record::Circumstances;
use super::world::{Visitor, World};
use crate::kernel::admit::{Facts, Outcome, decide};
use crate::kernel::event::{Action, Outcome as Ended};
use crate::kernel::journal::Batch;
use crate::kernel::model::Catalog;
use crate::orgs::enrol::join;
use crate::orgs::{DraftCatalog, Fault, Mode, Stored};
use arc_swap::ArcSwapOption;
use serde_json::json;
use std::sync::Arc;

/// The other configuration, and what it comes to with what organizations say at run time.
#[derive(Default)]
pub struct Shadow {
    floor: ArcSwapOption<DraftCatalog>,
    catalog: ArcSwapOption<Catalog>,
}

impl Shadow {
    /// From now on this one is asked beside; none: no one is.
    pub fn put(&self, floor: Option<DraftCatalog>) {
        self.floor.store(floor.map(Arc::new));
        self.catalog.store(None);
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
            Ok(catalog) => self.shadow.catalog.store(Some(Arc::new(catalog))),
            Err(fault) => {
                tracing::error!(%fault, "the configuration in shadow cannot be joined with the store: nothing is recorded of it");
                self.shadow.catalog.store(None);
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
        event.before = Some(json!({ "decision": live }));
        event.after = Some(json!({ "decision": would, "differs": live != would }));
        event.trace = trace;
        let store = Arc::clone(&self.store);
        // Beside the login: it neither waits for this nor fails with it.
        tokio::spawn(async move {
            if let Err(fault) = store.commit(Batch { events: vec![event], ..Batch::default() }).await {
                tracing::warn!(%fault, "what the configuration in shadow would have decided could not be recorded");
            }
        });
    }
}

fn shadowed(facts: &Facts<'_>) -> (String, Vec<String>) {
    let decision = decide(facts);
    (decision.outcome.word(facts.catalog), decision.trace)
}
