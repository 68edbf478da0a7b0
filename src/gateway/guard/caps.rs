//! Seats: how many connections there may be, how many of one client, and how many that have not said yet what they want. A WebSocket
//! over HTTP/2 takes a seat too: it costs the product a connection, as one over HTTP/1.1 does.
//!
//! Descriptors are counted besides, for clients and for HTTP/1.1 connections to upstreams, so that the process always has some left
//! for everything else. HTTP/2 connections to upstreams are few, and not counted.

use super::queue::Queue;
use crate::gateway::bounds::Crowd;
use rustix::process::{Resource, getrlimit};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Descriptors that are not for clients: listeners, the database, connections to providers, files.
const OTHERS: u64 = 256;

/// What clients may have of all other descriptors: two of three, the rest is left to connections to upstreams.
const CLIENTS_SHARE: (usize, usize) = (2, 3);

/// Of the seats, those that connections without a finished handshake may have. A flood of them leaves the rest alone.
const GREETING_SHARE: usize = 4;

/// Locks over the clients, so that cores seldom wait for each other.
const SHARDS: usize = 16;

/// Pages that one client may have under way or waiting: an office behind one address logs in at once, a flood does not.
const PAGES: usize = 64;

/// Large responses of providers that one client may have in memory at once, how many more may wait, and for how long: their bodies come
/// in seconds at most, from an office too.
const REPLIES: usize = 4;
const REPLIES_WAITING: usize = 60;
const REPLIES_PATIENCE: Duration = Duration::from_secs(2);

/// Counts connections.
pub(in crate::gateway) struct Caps {
    open: AtomicUsize,
    greeting: AtomicUsize,
    connections: AtomicUsize,
    per_client: AtomicUsize,
    /// Descriptors in use, and how many may be.
    descriptors: AtomicUsize,
    room: AtomicUsize,
    clients: [Mutex<HashMap<Key, Weak<Client>>>; SHARDS],
}

/// A client as far as limits go: an IPv4 address, or an IPv6 /64, which one customer has whole.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Key {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.octets()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d])
            }
        }
    }

    fn shard(self) -> usize {
        let folded = match self {
            Self::V4(bytes) => bytes.iter().fold(0, |sum, byte| sum ^ usize::from(*byte)),
            Self::V6(words) => words.iter().fold(0, |sum, word| sum ^ usize::from(*word)),
        };
        folded % SHARDS
    }
}

/// What one client has at once. It leaves the table with whoever holds it last: a connection, a request under way, a page.
pub(in crate::gateway) struct Client {
    caps: Arc<Caps>,
    key: Key,
    connections: AtomicUsize,
    /// Requests to products under way.
    pub(in crate::gateway) requests: AtomicUsize,
    pages: AtomicUsize,
    /// Its large responses of providers.
    pub(in crate::gateway) replies: Queue,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Entry::Occupied(place) = self.caps.shard(self.key).entry(self.key)
            // Another connection of it may have come meanwhile, and made it known anew.
            && place.get().strong_count() == 0
        {
            place.remove();
        }
    }
}

/// A known client.
pub(in crate::gateway) struct Guest(Arc<Client>);

impl Guest {
    pub(in crate::gateway) fn client(&self) -> &Arc<Client> {
        &self.0
    }
}

/// A descriptor in use, until its connection is closed.
pub(in crate::gateway) struct Descriptor(Arc<Caps>);

impl Drop for Descriptor {
    fn drop(&mut self) {
        self.0.descriptors.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open connection's place, or that of a WebSocket over HTTP/2.
pub(in crate::gateway) struct Seat {
    caps: Arc<Caps>,
    guest: Option<Guest>,
    /// A connection's own; the one that a WebSocket costs is counted where its product is connected to.
    _descriptor: Option<Descriptor>,
}

impl Seat {
    /// Counts the connection as this client's; false when it has too many.
    pub(in crate::gateway) fn belongs_to(&mut self, client: IpAddr) -> bool {
        let guest = self.caps.guest(client);
        let fits = raise(&guest.0.connections, self.caps.per_client.load(Ordering::Relaxed));
        if fits {
            self.guest = Some(guest);
        }
        fits
    }

    /// The client of a direct connection; `None` of a trusted proxy's.
    pub(in crate::gateway) fn client(&self) -> Option<&Arc<Client>> {
        self.guest.as_ref().map(Guest::client)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.caps.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(guest) = &self.guest {
            guest.0.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A connection that has not finished its handshake.
pub(in crate::gateway) struct Greeting(Arc<Caps>);

impl Drop for Greeting {
    fn drop(&mut self) {
        self.0.greeting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of a client's pages under way.
pub(in crate::gateway) struct Page(Guest);

impl Drop for Page {
    fn drop(&mut self) {
        self.0.0.pages.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Caps {
    pub(in crate::gateway) fn new(crowd: Crowd) -> Self {
        let caps = Self {
            open: AtomicUsize::new(0),
            greeting: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            per_client: AtomicUsize::new(0),
            descriptors: AtomicUsize::new(0),
            room: AtomicUsize::new(0),
            clients: std::array::from_fn(|_| Mutex::default()),
        };
        caps.set(crowd);
        caps
    }

    /// New limits; who is in stays.
    pub(in crate::gateway) fn set(&self, crowd: Crowd) {
        let room = usize::try_from(descriptors().saturating_sub(OTHERS)).unwrap_or(usize::MAX).max(24);
        let (share, whole) = CLIENTS_SHARE;
        let most = room / whole * share;
        if most < crowd.connections {
            tracing::info!(
                wanted = crowd.connections,
                room = most,
                "connections are limited by the descriptors that the process may have (ulimit -n)"
            );
        }
        self.connections.store(crowd.connections.min(most), Ordering::Relaxed);
        self.room.store(room, Ordering::Relaxed);
        self.per_client.store(crowd.per_client, Ordering::Relaxed);
    }

    /// A seat for a connection, unless all are taken.
    pub(in crate::gateway) fn seat(self: &Arc<Self>) -> Option<Seat> {
        self.descriptor().and_then(|descriptor| self.sit(Some(descriptor)))
    }

    /// A seat for a WebSocket over HTTP/2, unless all are taken.
    pub(in crate::gateway) fn tunnel(self: &Arc<Self>) -> Option<Seat> {
        self.sit(None)
    }

    fn sit(self: &Arc<Self>, descriptor: Option<Descriptor>) -> Option<Seat> {
        let most = self.connections.load(Ordering::Relaxed);
        raise(&self.open, most).then(|| Seat { caps: Arc::clone(self), guest: None, _descriptor: descriptor })
    }

    /// A descriptor for a connection to an upstream, unless all are in use.
    pub(in crate::gateway) fn descriptor(self: &Arc<Self>) -> Option<Descriptor> {
        let most = self.room.load(Ordering::Relaxed);
        raise(&self.descriptors, most).then(|| Descriptor(Arc::clone(self)))
    }

    /// Counts a connection until its handshake is over, unless too many are under way.
    pub(in crate::gateway) fn greet(self: &Arc<Self>) -> Option<Greeting> {
        let most = (self.connections.load(Ordering::Relaxed) / GREETING_SHARE).max(1);
        raise(&self.greeting, most).then(|| Greeting(Arc::clone(self)))
    }

    /// Counts a page of ours as this client's, unless it has too many under way.
    pub(in crate::gateway) fn page(self: &Arc<Self>, client: IpAddr) -> Option<Page> {
        let guest = self.guest(client);
        raise(&guest.0.pages, PAGES).then(|| Page(guest))
    }

    /// The client at this address.
    pub(in crate::gateway) fn guest(self: &Arc<Self>, address: IpAddr) -> Guest {
        let key = Key::of(address);
        let mut clients = self.shard(key);
        if let Some(known) = clients.get(&key).and_then(Weak::upgrade) {
            return Guest(known);
        }
        let client = Arc::new(Client {
            caps: Arc::clone(self),
            key,
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            pages: AtomicUsize::new(0),
            replies: Queue::new(REPLIES, REPLIES_WAITING, REPLIES_PATIENCE),
        });
        clients.insert(key, Arc::downgrade(&client));
        Guest(client)
    }

    fn shard(&self, key: Key) -> std::sync::MutexGuard<'_, HashMap<Key, Weak<Client>>> {
        let [first, ..] = &self.clients;
        self.clients.get(key.shard()).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One more, if that is not more than `most`.
pub(in crate::gateway) fn raise(count: &AtomicUsize, most: usize) -> bool {
    let fits = count.fetch_add(1, Ordering::Relaxed) < most;
    if !fits {
        count.fetch_sub(1, Ordering::Relaxed);
    }
    fits
}

/// How many descriptors the process may have.
fn descriptors() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(connections: usize, per_client: usize) -> Arc<Caps> {
        Arc::new(Caps::new(Crowd { connections, per_client }))
    }

    fn known(caps: &Caps) -> usize {
        caps.clients.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }

    #[test]
    fn seats_are_given_back() {
        let caps = caps(2, 2);
        let seats: Vec<Seat> = std::iter::from_fn(|| caps.seat()).collect();
        assert_eq!(seats.len(), 2);
        drop(seats);
        assert!(caps.seat().is_some());
    }

    #[test]
    fn one_client_has_its_share_and_others_theirs() {
        let caps = caps(16, 2);
        let sit = |address: &str| {
            let mut seat = caps.seat().unwrap();
            seat.belongs_to(address.parse().unwrap()).then_some(seat)
        };
        let one = sit("192.0.2.1");
        let two = sit("::ffff:192.0.2.1");
        assert!(one.is_some() && two.is_some() && sit("192.0.2.1").is_none());
        let other = sit("192.0.2.2");
        assert!(other.is_some());
        let six = (sit("2001:db8::1"), sit("2001:db8::2:3"));
        assert!(six.0.is_some() && six.1.is_some() && sit("2001:db8::4").is_none() && sit("2001:db8:0:1::1").is_some());
        drop(one);
        assert!(sit("192.0.2.1").is_some());
    }

    #[test]
    fn a_client_without_connections_is_forgotten() {
        let caps = caps(16, 16);
        for last in 0..=255 {
            let mut seat = caps.seat().unwrap();
            assert!(seat.belongs_to(IpAddr::from([192, 0, 2, last])));
            let page = caps.page(IpAddr::from([192, 0, 2, last]));
            drop(seat);
            assert_eq!(known(&caps), 1);
            drop(page);
        }
        assert_eq!(known(&caps), 0);
    }

    #[test]
    fn a_client_that_many_leave_at_once_is_forgotten() {
        let caps = caps(16, 16);
        let address = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..200 {
            let barrier = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    let (guest, barrier) = (caps.guest(address), &barrier);
                    scope.spawn(move || {
                        let client = Arc::clone(guest.client());
                        barrier.wait();
                        drop(guest);
                        // A request may outlive its connection.
                        drop(client);
                    });
                }
            });
            assert_eq!(known(&caps), 0);
        }
    }

    #[test]
    fn descriptors_are_counted_for_clients_and_upstreams_together() {
        let caps = caps(usize::MAX, 16);
        caps.room.store(4, Ordering::Relaxed);
        let seats = [caps.seat(), caps.seat()];
        let upstreams = [caps.descriptor(), caps.descriptor()];
        assert!(seats.iter().all(Option::is_some) && upstreams.iter().all(Option::is_some));
        assert!(caps.seat().is_none() && caps.descriptor().is_none());
        // A WebSocket's descriptor is its connection to the product.
        assert!(caps.tunnel().is_some());
        drop(upstreams);
        assert!(caps.seat().is_some() && caps.descriptor().is_some());
        drop(seats);
        assert_eq!((caps.descriptors.load(Ordering::Relaxed), caps.open.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn clients_leave_descriptors_for_upstreams() {
        let caps = caps(usize::MAX, usize::MAX);
        let (room, most) = (caps.room.load(Ordering::Relaxed), caps.connections.load(Ordering::Relaxed));
        assert!(most < room && room - most >= room / 3, "{most} of {room}");
    }

    #[test]
    fn handshakes_have_a_quarter_of_the_seats() {
        let caps = caps(16, 16);
        let greetings: Vec<Greeting> = std::iter::from_fn(|| caps.greet()).collect();
        assert_eq!(greetings.len(), 4);
        drop(greetings);
        assert!(caps.greet().is_some());
    }
}
