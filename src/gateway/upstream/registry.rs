//! What all cores share about upstreams: one standing for each product and address, one retry budget for each product.

use super::retry::Budget;
use super::standing::Standing;
use crate::gateway::options::{Options, Upstream};
use crate::kernel::values::ProductName;
use crate::seeing::Seeing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Written by reloads alone.
pub(in crate::gateway) struct Registry {
    known: Mutex<Known>,
    state: Family<Labels, Gauge>,
    faults: Family<Labels, Counter>,
    /// A reload has changed what there is.
    pub(super) changed: Notify,
}

#[derive(Default)]
struct Known {
    standings: HashMap<(ProductName, Upstream), Arc<Standing>>,
    budgets: HashMap<ProductName, Arc<Budget>>,
}

/// Both from the configuration, so strangers cannot make any (rule M26).
#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct Labels {
    product: String,
    upstream: String,
}

impl Labels {
    fn of(product: &ProductName, upstream: &Upstream) -> Self {
        Self { product: product.to_string(), upstream: upstream.to_string() }
    }
}

impl Registry {
    pub(in crate::gateway) fn new(seeing: &Seeing) -> Self {
        let (state, faults) = (Family::<Labels, Gauge>::default(), Family::<Labels, Counter>::default());
        seeing.register("upstream_in", "1 while an upstream is given requests, 0 while it is out", state.clone());
        seeing.register("upstream_faults", "Connections to an upstream that failed before an answer", faults.clone());
        Self { known: Mutex::default(), state, faults, changed: Notify::new() }
    }

    pub(in crate::gateway) fn standing(&self, product: &ProductName, upstream: &Upstream) -> Arc<Standing> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let labels = Labels::of(product, upstream);
            let (state, faults) =
                (self.state.get_or_create(&labels).clone(), self.faults.get_or_create(&labels).clone());
            Arc::new(Standing::new(state, faults))
        };
        Arc::clone(known.standings.entry((product.clone(), upstream.clone())).or_insert_with(make))
    }

    pub(super) fn budget(&self, product: &ProductName) -> Arc<Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.budgets.entry(product.clone()).or_default())
    }

    /// After a reload: forgets what is not there any more, and begins to ask what is new.
    pub(in crate::gateway) fn keep(&self, options: &Options) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.budgets.retain(|product, _| options.sites.contains_key(product));
        known.standings.retain(|(product, upstream), _| {
            let kept = options.sites.get(product).is_some_and(|site| site.upstreams.contains(upstream));
            if !kept {
                let labels = Labels::of(product, upstream);
                self.state.remove(&labels);
                self.faults.remove(&labels);
            }
            kept
        });
        self.changed.notify_one();
    }
}
