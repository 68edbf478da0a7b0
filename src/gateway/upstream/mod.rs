//! A product's upstreams: which one a request goes to, the connections to it, and what became of it.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | a product's upstreams as one core sees them, and the choice: least requests in flight |
//! | `pool.rs`, `links.rs` | connections: HTTP/1.1 for one request at a time, HTTP/2 shared |
//! | `connect.rs`, `tls.rs` | opening them |
//! | `direct/` | HTTP/1.1 spoken by ourselves, for requests without a body |
//! | `hush.rs` | not waking them for nothing |
//! | `form.rs` | a request as HTTP/1.1 or HTTP/2 wants it |
//! | `standing.rs` | whether an upstream is out, by what its connections do |
//! | `probe.rs` | and by what its health checks say |
//! | `retry.rs` | when a request may be sent again |
//! | `registry.rs` | what all cores share |
//!
//! With one upstream nothing is counted and nothing is judged: it is always tried. Deliberately absent: weights, stickiness
//! (products keep their sessions where every upstream finds them), and a way to another product's upstreams. A further scheme is
//! a variant of `options::Upstream`, a line in `config`, and an arm in `connect.rs`.

mod connect;
mod direct;
pub(super) mod form;
mod hush;
mod links;
mod pool;
mod probe;
mod registry;
mod retry;
mod standing;
mod tls;

pub(super) use direct::{Cut, Direct, Reply};
pub(super) use links::{Found, Ride};
pub(super) use pool::{Connection, Lane, Pool};
pub(super) use probe::Probes;
pub use probe::{Probe, probe};
pub(super) use registry::Registry;
pub(super) use retry::{Spare, was_not_begun, was_stream_reset};
pub(super) use standing::Standing;
pub use tls::{TlsParts, UpstreamTls, UpstreamTlsFault};

use super::options::Site;
use retry::Budget;
use standing::Access;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A product's upstreams as one core uses them.
pub(super) struct Group {
    peers: Box<[Peer]>,
    /// Where the search begins, so that equals take turns.
    turn: AtomicUsize,
    budget: Arc<Budget>,
}

/// One of them.
pub(super) struct Peer {
    pub(super) lane: Arc<Lane>,
    pub(super) standing: Arc<Standing>,
}

/// A request's place at an upstream.
pub(super) struct Seat<'a> {
    pub(super) place: usize,
    pub(super) peer: &'a Peer,
    /// Whether this request decides if an upstream that was out is in again.
    pub(super) trial: bool,
    /// Counts the request while it lasts; `None` with a single upstream.
    pub(super) ticket: Option<Ticket>,
}

/// Counts a request at its upstream, until the answer has ended.
pub(super) struct Ticket(Arc<Standing>);

impl Ticket {
    fn new(standing: &Arc<Standing>) -> Self {
        standing.enter();
        Self(Arc::clone(standing))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Group {
    pub(super) fn new(site: &Site, registry: &Registry, pool: &Pool) -> Self {
        let name = &site.product.name;
        let peer = |upstream| Peer {
            lane: pool.lane(upstream, site.reach.tls.as_ref()),
            standing: registry.standing(name, upstream),
        };
        let peers = site.upstreams.iter().map(peer).collect();
        Self { peers, turn: AtomicUsize::new(0), budget: registry.budget(name) }
    }

    /// The upstream that would be chosen now, with connections of its own that nobody else is given.
    pub(super) fn bound(&self, now: Duration) -> Self {
        let alone = |peer: &Peer| Peer { lane: peer.lane.alone(), standing: Arc::clone(&peer.standing) };
        let peers = self.choose(&[], now).map(|seat| alone(seat.peer)).into_iter().collect();
        Self { peers, turn: AtomicUsize::new(0), budget: Arc::clone(&self.budget) }
    }

    /// The one upstream of a product that has one.
    pub(super) fn only(&self) -> Option<&Peer> {
        match &*self.peers {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Takes the upstream with the fewest requests in flight that is in and was not `tried`. When all of them are out, all are
    /// taken as if they were in: it is better to ask than to answer 502 unasked.
    pub(super) fn choose(&self, tried: &[usize], now: Duration) -> Option<Seat<'_>> {
        if let Some(peer) = self.only() {
            return tried.is_empty().then_some(Seat { place: 0, peer, trial: false, ticket: None });
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let seat = |place: usize, peer, trial| Seat { place, peer, trial, ticket: None };
        let mut lost_trial = false;
        loop {
            let may = |peer: &Peer| match peer.standing.access(now) {
                Access::In => true,
                Access::Trial => !lost_trial,
                Access::Out => false,
            };
            let Some((place, peer)) = self.least(turn, |place, peer| !tried.contains(&place) && may(peer)) else {
                break;
            };
            let trial = peer.standing.access(now) == Access::Trial;
            if trial && !peer.standing.claim(now) {
                lost_trial = true;
                continue;
            }
            return Some(Seat { ticket: Some(Ticket::new(&peer.standing)), ..seat(place, peer, trial) });
        }
        let (place, peer) = self.least(turn, |place, _| !tried.contains(&place))?;
        Some(Seat { ticket: Some(Ticket::new(&peer.standing)), ..seat(place, peer, false) })
    }

    fn least(&self, turn: usize, may: impl Fn(usize, &Peer) -> bool) -> Option<(usize, &Peer)> {
        let count = self.peers.len();
        let in_turn = (0..count).filter_map(|step| {
            let place = turn.wrapping_add(step) % count;
            self.peers.get(place).map(|peer| (place, peer))
        });
        in_turn.filter(|(place, peer)| may(*place, peer)).min_by_key(|(_, peer)| peer.standing.in_flight())
    }

    /// Whether something that was sent may be sent again now.
    pub(super) fn may_retry(&self, now: Duration) -> bool {
        let in_flight = self.peers.iter().map(|peer| peer.standing.in_flight()).sum();
        self.budget.take(now, in_flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::options::Upstream;

    fn group(count: u16) -> Group {
        let pool = Pool::default();
        let peer = |port| Peer {
            lane: pool.lane(&Upstream::Http { host: "127.0.0.1".into(), port }, None),
            standing: Arc::default(),
        };
        Group { peers: (1..=count).map(peer).collect(), turn: AtomicUsize::new(0), budget: Arc::default() }
    }

    fn now() -> Duration {
        Duration::from_secs(100)
    }

    #[test]
    fn equals_take_turns_and_the_least_busy_is_next() {
        let group = group(3);
        let places = |count| -> Vec<usize> { (0..count).map(|_| group.choose(&[], now()).unwrap().place).collect() };
        assert_eq!(places(4), [0, 1, 2, 0]);
        let held: Vec<_> = (0..3).map(|_| group.choose(&[], now()).unwrap().ticket).collect();
        let more = group.choose(&[], now()).unwrap();
        drop(held);
        for _ in 0..6 {
            assert_ne!(group.choose(&[], now()).unwrap().place, more.place, "it has one in flight, the others none");
        }
    }

    #[test]
    fn one_that_is_out_gets_nothing_and_when_all_are_each_is_tried() {
        let group = group(2);
        let fail = |place: usize| (0..3).for_each(|_| group.peers[place].standing.failed(now(), false));
        fail(0);
        assert!((0..4).all(|_| group.choose(&[], now()).unwrap().place == 1));
        assert_eq!(group.choose(&[1], now()).unwrap().place, 0, "the others were tried");
        fail(1);
        let places: Vec<_> = (0..2).map(|_| group.choose(&[], now()).unwrap().place).collect();
        assert!(places == [0, 1] || places == [1, 0], "{places:?}");
        assert!(group.choose(&[0, 1], now()).is_none());
    }

    #[test]
    fn one_trial_when_the_time_is_over() {
        let group = group(2);
        (0..3).for_each(|_| group.peers[0].standing.failed(now(), false));
        let later = now() + Duration::from_secs(10);
        let trials = (0..8).filter(|_| group.choose(&[], later).unwrap().trial).count();
        assert_eq!(trials, 1);
    }

    #[test]
    fn a_single_upstream_is_not_judged() {
        let group = group(1);
        (0..9).for_each(|_| group.peers[0].standing.failed(now(), false));
        let seat = group.choose(&[], now()).unwrap();
        assert!(seat.ticket.is_none());
        assert!(group.choose(&[0], now()).is_none());
    }
}
