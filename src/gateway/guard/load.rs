//! Requests under way per product, counted by each core for itself: a request touches what its own core counts and no other's,
//! until its core has more than its share.

use super::Reason;
use super::caps::{Client, Guest, raise};
use crate::gateway::bounds::InFlight;
use crate::kernel::values::ProductName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What one core counts, on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicUsize);

/// The counts of all products; they outlive reloads, as requests do.
#[derive(Default)]
pub(in crate::gateway) struct Loads(Mutex<HashMap<ProductName, Vec<Arc<Count>>>>);

impl Loads {
    /// A product's load as one of the cores sees it.
    pub(in crate::gateway) fn of(&self, product: &ProductName, place: (usize, usize), most: InFlight) -> Load {
        let (core, cores) = place;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = known.entry(product.clone()).or_insert_with(|| (0..cores).map(|_| Arc::default()).collect());
        let own = all.get(core).map(Arc::clone).unwrap_or_default();
        Load { own, all: all.clone(), share: most.all / cores.max(1), most }
    }
}

/// A product's load, and its limits.
pub(in crate::gateway) struct Load {
    own: Arc<Count>,
    all: Vec<Arc<Count>>,
    share: usize,
    most: InFlight,
}

/// Whose request it is.
pub(in crate::gateway) enum Asker {
    /// The client of the connection.
    Direct(Arc<Client>),
    /// Somebody behind a proxy.
    Named(Guest),
}

impl Asker {
    fn client(&self) -> &Client {
        match self {
            Self::Direct(client) => client,
            Self::Named(guest) => guest.client(),
        }
    }
}

/// A request under way, until its answer is delivered.
pub(in crate::gateway) struct Place {
    count: Arc<Count>,
    asker: Asker,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.count.0.fetch_sub(1, Ordering::Relaxed);
        self.asker.client().requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// A place for a request.
    pub(in crate::gateway) fn enter(&self, asker: Asker) -> Result<Place, Reason> {
        if self.is_full() {
            return Err(Reason::Product);
        }
        if !raise(&asker.client().requests, self.most.per_client) {
            return Err(Reason::ClientRequests);
        }
        self.own.0.fetch_add(1, Ordering::Relaxed);
        Ok(Place { count: Arc::clone(&self.own), asker })
    }

    fn is_full(&self) -> bool {
        self.own.0.load(Ordering::Relaxed) >= self.share
            && self.all.iter().map(|count| count.0.load(Ordering::Relaxed)).sum::<usize>() >= self.most.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::bounds::Crowd;
    use crate::gateway::guard::caps::Caps;

    fn asker(caps: &Arc<Caps>, last: u8) -> Asker {
        Asker::Named(caps.guest([192, 0, 2, last].into()))
    }

    #[test]
    fn a_product_has_its_limit_whichever_core_serves() {
        let (loads, caps) = (Loads::default(), Arc::new(Caps::new(Crowd::default())));
        let name = ProductName::parse("trello").unwrap();
        let most = InFlight { all: 4, per_client: 4 };
        let cores = [0, 1].map(|core| loads.of(&name, (core, 2), most));
        let mut places: Vec<Place> = (0..4).map(|last| cores[0].enter(asker(&caps, last)).ok().unwrap()).collect();
        for core in &cores {
            assert_eq!(
                core.enter(asker(&caps, 9)).err(),
                Some(Reason::Product).filter(|_| core.share == 2 && core.is_full())
            );
        }
        // After a reload the same requests are still under way.
        assert_eq!(loads.of(&name, (0, 2), most).enter(asker(&caps, 9)).err(), Some(Reason::Product));
        places.pop();
        assert!(cores[0].enter(asker(&caps, 9)).is_ok());
    }

    #[test]
    fn a_client_has_its_limit_and_gets_its_places_back() {
        let (loads, caps) = (Loads::default(), Arc::new(Caps::new(Crowd::default())));
        let load = loads.of(&ProductName::parse("trello").unwrap(), (0, 1), InFlight { all: 100, per_client: 2 });
        let places: Vec<Place> = (0..2).map(|_| load.enter(asker(&caps, 1)).ok().unwrap()).collect();
        assert_eq!(load.enter(asker(&caps, 1)).err(), Some(Reason::ClientRequests));
        assert!(load.enter(asker(&caps, 2)).is_ok());
        drop(places);
        assert!(load.enter(asker(&caps, 1)).is_ok());
    }
}
