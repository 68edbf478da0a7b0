//! Requests under way per product: one count for all cores, so that the limit is the limit whichever core serves.

use super::Reason;
use super::caps::{Client, Guest, raise};
use crate::gateway::bounds::InFlight;
use crate::kernel::values::ProductName;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A count on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Count(AtomicUsize);

/// The counts of all products; they outlive reloads, as requests do.
#[derive(Default)]
pub(in crate::gateway) struct Loads(Mutex<HashMap<ProductName, Arc<Count>>>);

impl Loads {
    /// A product's load.
    pub(in crate::gateway) fn of(&self, product: &ProductName, most: InFlight) -> Load {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Load { count: Arc::clone(known.entry(product.clone()).or_default()), most }
    }
}

/// A product's load, and its limits.
pub(in crate::gateway) struct Load {
    count: Arc<Count>,
    most: InFlight,
}

/// Whose request it is.
pub(in crate::gateway) enum Asker {
    /// The client of the connection.
    Direct(Arc<Client>),
    /// Somebody behind a proxy; the connection remembers the last one.
    Named(Arc<Guest>),
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
        if !raise(&self.count.0, self.most.all) {
            return Err(Reason::Product);
        }
        if !raise(&asker.client().requests, self.most.per_client) {
            self.count.0.fetch_sub(1, Ordering::Relaxed);
            return Err(Reason::ClientRequests);
        }
        Ok(Place { count: Arc::clone(&self.count), asker })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::bounds::Crowd;
    use crate::gateway::guard::caps::Caps;

    fn asker(caps: &Arc<Caps>, last: u8) -> Asker {
        Asker::Named(Arc::new(caps.guest([192, 0, 2, last].into())))
    }

    #[test]
    fn a_product_has_its_limit_whichever_core_serves() {
        let (loads, caps) = (Loads::default(), Arc::new(Caps::new(Crowd::default())));
        let name = ProductName::parse("trello").unwrap();
        let most = InFlight { all: 4, per_client: 4 };
        let cores = [(); 2].map(|()| loads.of(&name, most));
        let mut places: Vec<Place> = (0..4).map(|last| cores[0].enter(asker(&caps, last)).ok().unwrap()).collect();
        for core in &cores {
            assert_eq!(core.enter(asker(&caps, 9)).err(), Some(Reason::Product));
        }
        // After a reload the same requests are still under way.
        assert_eq!(loads.of(&name, most).enter(asker(&caps, 9)).err(), Some(Reason::Product));
        places.pop();
        assert!(cores[1].enter(asker(&caps, 9)).is_ok());
    }

    #[test]
    fn a_client_has_its_limit_and_gets_its_places_back() {
        let (loads, caps) = (Loads::default(), Arc::new(Caps::new(Crowd::default())));
        let load = loads.of(&ProductName::parse("trello").unwrap(), InFlight { all: 100, per_client: 2 });
        let places: Vec<Place> = (0..2).map(|_| load.enter(asker(&caps, 1)).ok().unwrap()).collect();
        assert_eq!(load.enter(asker(&caps, 1)).err(), Some(Reason::ClientRequests));
        assert!(load.enter(asker(&caps, 2)).is_ok());
        drop(places);
        assert!(load.enter(asker(&caps, 1)).is_ok());
    }
}
