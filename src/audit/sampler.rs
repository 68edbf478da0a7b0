//! Refusals of strangers: the first few of a source are written whole, the rest counted, so that nobody can fill the log from
//! outside (rule M15). What a person's login or a change did is never sampled.

use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::values::{EventId, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Written whole per (code, source, minute): enough to see what is tried.
const WHOLE: u32 = 5;

/// Sources remembered within a minute (about 200 KiB); all others share one bucket.
const SOURCES: usize = 4096;

/// What becomes of a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sampled {
    /// Write the event.
    Whole,
    /// It was counted; write nothing.
    Counted,
}

/// A stranger's network: an IPv4 /24 or an IPv6 /64, or everybody for whom there was no room.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
enum Source {
    V4([u8; 3]),
    V6([u16; 4]),
    Others,
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Refusals that were not written whole, of whole minutes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counted {
    codes: BTreeMap<&'static str, u64>,
}

impl Counted {
    /// The one event that stands for them.
    pub fn event(&self, id: EventId, now: Timestamp) -> AuditEvent {
        let mut event = AuditEvent::new(id, now, Action::RequestRefusedCount, Outcome::Refused);
        event.after = Some(serde_json::json!({ "counts": self.codes }));
        event
    }
}

#[derive(Default)]
struct Minute {
    number: i64,
    seen: HashMap<(&'static str, Source), u32>,
    counted: Counted,
    /// Of earlier minutes, not yet written.
    earlier: Counted,
}

/// Decides which refusals are written. Shared by all cores; the lock is held for one look-up.
#[derive(Default)]
pub struct Sampler(Mutex<Minute>);

impl Sampler {
    /// One that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What becomes of a refusal with this code (a refusal's stable one) from this address at this time.
    pub fn take(&self, code: &'static str, source: IpAddr, now: Timestamp) -> Sampled {
        let mut minute = self.at(now);
        let key = (code, Source::of(source));
        let room = minute.seen.len() < SOURCES || minute.seen.contains_key(&key);
        let seen = minute.seen.entry(if room { key } else { (code, Source::Others) }).or_default();
        if *seen < WHOLE {
            *seen += 1;
            return Sampled::Whole;
        }
        *minute.counted.codes.entry(code).or_default() += 1;
        Sampled::Counted
    }

    /// Takes what was counted in minutes that are over; nothing when nothing was.
    pub fn flush(&self, now: Timestamp) -> Option<Counted> {
        let earlier = std::mem::take(&mut self.at(now).earlier);
        (!earlier.codes.is_empty()).then_some(earlier)
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, counted: Counted) {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        minute.earlier.add(counted);
    }

    fn at(&self, now: Timestamp) -> MutexGuard<'_, Minute> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.seconds().div_euclid(60);
        if minute.number != number {
            minute.number = number;
            minute.seen.clear();
            let over = std::mem::take(&mut minute.counted);
            minute.earlier.add(over);
        }
        minute
    }
}

impl Counted {
    fn add(&mut self, other: Self) {
        for (code, count) in other.codes {
            let sum = self.codes.entry(code).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}
