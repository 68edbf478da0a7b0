//! Whether a log is what was signed: every leaf against its hash, every root against its checkpoint, every key against the one
//! before it. Needs the events, the checkpoints and the first key, and nothing that is secret.

use super::export::read_folder;
use super::log::FINAL;
use super::note::{Checkpoint, VerifyingKey};
use super::tree::CompactRange;
use crate::kernel::event::{AuditEvent, leaf_hash};
use crate::kernel::values::Timestamp;
use crate::store::{Store, Unavailable};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Faults that are told; one is enough to distrust the log, and a broken one has very many.
const TOLD: usize = 100;

/// Events read at once.
const CHUNK: usize = 4096;

/// Something that an honest log never shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The event at this position is not the one whose hash was stored.
    Edited(u64),
    /// Where this position should come next, that one does.
    OutOfPlace {
        /// What should come.
        expected: u64,
        /// What comes.
        found: u64,
    },
    /// Between these sizes something was edited, removed or reordered: the root is not the signed one.
    Changed {
        /// The last size whose root is right.
        after: u64,
        /// The size whose root is wrong.
        until: u64,
    },
    /// A checkpoint states more events than there are.
    Truncated {
        /// What there is.
        found: u64,
        /// What was signed.
        signed: u64,
    },
    /// The checkpoint of this size does not read, or no key that was good then signed it.
    Signature(u64),
    /// The change of keys at this position does not follow from its predecessor.
    Succession(u64),
    /// There are events and no checkpoint.
    Unsigned,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited(position) => write!(f, "event {position} was edited"),
            Self::OutOfPlace { expected, found } => {
                write!(f, "event {expected} is missing or out of place: {found} stands there")
            }
            Self::Changed { after, until } => {
                write!(
                    f,
                    "among events {after} to {} something was edited, removed or reordered",
                    until.saturating_sub(1)
                )
            }
            Self::Truncated { found, signed } => {
                write!(f, "truncated: {signed} events were signed and {found} are there")
            }
            Self::Signature(size) => {
                write!(f, "the checkpoint of size {size} is not signed by a key that was good then")
            }
            Self::Succession(position) => {
                write!(f, "the change of keys in event {position} does not follow from its predecessor")
            }
            Self::Unsigned => f.write_str("there are events and no checkpoint"),
        }
    }
}

/// What verification found. `Display` is what the command prints.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Number of events.
    pub size: u64,
    /// How many of them the newest good checkpoint covers.
    pub signed: u64,
    /// When that one was signed.
    pub signed_at: Option<Timestamp>,
    /// The size that the anchor vouches for, when one was given and it fits.
    pub anchored: Option<u64>,
    /// What is wrong; empty for a good log.
    pub faults: Vec<Fault>,
    /// Whole minutes since the newest good checkpoint, at least 1.
    pub minutes: u64,
}

impl Verdict {
    /// Whether nothing is wrong, so far as can be seen.
    pub fn is_consistent(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        write!(f, "{} events, {} signed: ", self.size, self.signed)?;
        let minutes = self.minutes;
        match (self.is_consistent(), self.anchored) {
            (false, _) => f.write_str("NOT consistent"),
            (true, None) => {
                write!(f, "consistent, not anchored: the last {minutes} minutes or a whole rollback cannot be excluded")
            }
            (true, Some(size)) => write!(
                f,
                "consistent, and anchored up to event {}: of later ones, a rollback to there and the last {minutes} minutes \
                 cannot be excluded",
                size.saturating_sub(1)
            ),
        }
    }
}

/// Verifies the log in a store. `keys` are those known from outside, at least the first; `anchor` is a checkpoint from
/// somewhere that the store's keepers do not control.
///
/// # Errors
/// [`Unavailable`] when the store does not answer.
pub async fn verify_store(
    store: &dyn Store,
    keys: &[VerifyingKey],
    anchor: Option<&str>,
    now: Timestamp,
) -> Result<Verdict, Unavailable> {
    // Checkpoints first: events that come while this reads are then simply not signed yet.
    let notes = store.checkpoints().await?.into_iter().map(|row| row.note);
    let mut verifier = Verifier::new(keys, notes.collect(), anchor);
    let mut from = 0;
    loop {
        let events = store.log(from, CHUNK).await?;
        let Some(next) = events.last().map(|event| event.position.saturating_add(1)) else { break };
        let leaves = store.leaf_hashes(from, next).await?;
        for (place, event) in events.iter().enumerate() {
            verifier.event(event.position, &event.bytes, leaves.get(place).copied());
        }
        from = next;
    }
    Ok(verifier.finish(now))
}

/// Verifies what [`super::export()`] wrote.
///
/// # Errors
/// What the disk says.
pub fn verify_folder(
    folder: &Path,
    keys: &[VerifyingKey],
    anchor: Option<&str>,
    now: Timestamp,
) -> std::io::Result<Verdict> {
    read_folder(folder, |notes| Verifier::new(keys, notes, anchor)).map(|verifier| verifier.finish(now))
}

/// A key and the largest size it may sign for, once it has a successor.
struct Trusted {
    key: VerifyingKey,
    until: Option<u64>,
}

/// One pass over a log.
pub(super) struct Verifier {
    keys: Vec<Trusted>,
    /// Notes by size; true for the anchor.
    notes: BTreeMap<u64, Vec<(String, bool)>>,
    tree: CompactRange,
    /// The position that should come next. Where events are missing it runs ahead of the tree.
    next: u64,
    /// The newest good checkpoint.
    good: Option<Checkpoint>,
    anchored: Option<u64>,
    /// A root was wrong: all later ones are too, which is no news.
    broken: bool,
    faults: Vec<Fault>,
}

impl Verifier {
    fn new(keys: &[VerifyingKey], notes: Vec<String>, anchor: Option<&str>) -> Self {
        let mut verifier = Self {
            keys: keys.iter().map(|key| Trusted { key: key.clone(), until: None }).collect(),
            notes: BTreeMap::new(),
            tree: CompactRange::default(),
            next: 0,
            good: None,
            anchored: None,
            broken: false,
            faults: Vec::new(),
        };
        let anchor = anchor.map(|note| (note.to_owned(), true));
        for (note, is_anchor) in notes.into_iter().map(|note| (note, false)).chain(anchor) {
            match Checkpoint::read(&note) {
                Ok(checkpoint) => verifier.notes.entry(checkpoint.size).or_default().push((note, is_anchor)),
                Err(_) => verifier.fault(Fault::Signature(0)),
            }
        }
        verifier.check_notes();
        verifier
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }

    /// The next event, and its leaf hash as it was stored, if it was.
    pub(super) fn event(&mut self, position: u64, bytes: &[u8], stored: Option<[u8; 32]>) {
        let expected = self.next;
        if position != expected && !self.broken {
            self.fault(Fault::OutOfPlace { expected, found: position });
            self.broken = true;
        }
        let leaf = leaf_hash(bytes);
        if stored.is_some_and(|stored| stored != leaf) {
            self.fault(Fault::Edited(position));
        }
        self.tree.push(leaf);
        // A cheap look before the dear one; an event that only mentions it has no such member.
        if bytes.windows(FINAL.len()).any(|window| window == FINAL.as_bytes()) {
            self.succession(position, bytes);
        }
        self.next = self.next.max(position.saturating_add(1));
        self.check_notes();
    }

    fn good_keys(&self, size: u64) -> Vec<VerifyingKey> {
        let good = self.keys.iter().filter(|trusted| trusted.until.is_none_or(|until| size <= until));
        good.map(|trusted| trusted.key.clone()).collect()
    }

    /// A key becomes good by its predecessor's last statement, which must be about this very log (rule H13).
    fn succession(&mut self, position: u64, bytes: &[u8]) {
        let Ok(event) = serde_json::from_slice::<AuditEvent>(bytes) else { return };
        let Some(note) = event.after.as_ref().and_then(|after| after.get(FINAL)).and_then(|note| note.as_str()) else {
            return;
        };
        let keys = self.good_keys(position);
        let next = Checkpoint::open(note, &keys).ok().and_then(|(last, by)| {
            let about_this_log =
                self.good.as_ref().is_some_and(|good| (good.size, good.root) == (last.size, last.root));
            (about_this_log || self.broken).then_some((last.successor?, by.clone()))
        });
        let Some((next, by)) = next else { return self.fault(Fault::Succession(position)) };
        for trusted in self.keys.iter_mut().filter(|trusted| trusted.key == by) {
            trusted.until = Some(position);
        }
        // A key that was known from outside is not known twice.
        if self.keys.iter().all(|trusted| trusted.key != next) {
            self.keys.push(Trusted { key: next, until: None });
        }
    }

    /// What was signed about the sizes up to here.
    fn check_notes(&mut self) {
        while let Some(entry) = self.notes.first_entry().filter(|entry| *entry.key() <= self.next) {
            let (size, notes) = entry.remove_entry();
            for (note, is_anchor) in notes {
                self.check_note(size, &note, is_anchor);
            }
        }
    }

    fn check_note(&mut self, size: u64, note: &str, is_anchor: bool) {
        let keys = self.good_keys(size);
        match Checkpoint::open(note, &keys) {
            Err(_) => self.fault(Fault::Signature(size)),
            Ok(_) if self.broken => {}
            Ok((checkpoint, _)) if checkpoint.root == self.tree.root() => {
                if is_anchor {
                    self.anchored = Some(size);
                }
                self.good = Some(checkpoint);
            }
            Ok(_) => {
                let after = self.good.as_ref().map_or(0, |good| good.size);
                self.fault(Fault::Changed { after, until: size });
                self.broken = true;
            }
        }
    }

    fn finish(mut self, now: Timestamp) -> Verdict {
        let size = self.tree.size();
        if let Some(signed) = self.notes.keys().next_back().copied() {
            self.fault(Fault::Truncated { found: self.next, signed });
        }
        if size > 0 && self.good.is_none() && self.faults.is_empty() {
            self.fault(Fault::Unsigned);
        }
        let signed_at = self.good.as_ref().map(|good| good.at);
        Verdict {
            size,
            signed: self.good.as_ref().map_or(0, |good| good.size),
            signed_at,
            anchored: self.anchored,
            faults: self.faults,
            minutes: signed_at.map_or(0, |at| now.since(at).as_secs()).div_ceil(60).max(1),
        }
    }
}
