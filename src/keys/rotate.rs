//! The next generation of a kind of our keys, and what becomes of those before it (rule M23).
//!
//! A newest row carries, under its seal, the oldest generation that is still believed: a row that was taken away and is put back by
//! whoever writes to the store opens nothing.

use super::{KEY_BYTES, Kek, KeyFault, Keys, Kind};
use crate::kernel::journal::{Change, KeyRow};
use crate::kernel::values::Timestamp;
use zeroize::Zeroizing;

/// What replaces the keys of a kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotation {
    /// The kind.
    pub kind: Kind,
    /// New rows, the newest last.
    pub made: Vec<KeyRow>,
    /// Generations that are refused from now on.
    pub dropped: Vec<u32>,
}

impl Rotation {
    /// What a commit does to the store.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let kind = self.kind.to_string();
        let drop = move |generation: &u32| Change::DropKey { kind: kind.clone(), generation: *generation };
        self.made.iter().cloned().map(Change::PutKey).chain(self.dropped.iter().map(drop))
    }

    /// Rows as they are named in events: `cookie#3`.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        let name = |generation: u32| format!("{}#{generation}", self.kind);
        let made = self.made.iter().map(|row| name(row.generation)).collect();
        (made, self.dropped.iter().map(|generation| name(*generation)).collect())
    }
}

impl Keys {
    /// The next keys of a kind. Where somebody else has the old ones, none of them is believed any more and all are made anew; otherwise the
    /// generation before the newest is kept, and of keys that others must fetch first the one before that as well.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`] when sealing fails.
    pub fn rotation(
        kek: &Kek,
        kind: Kind,
        (rows, compromised): (&[KeyRow], bool),
        now: Timestamp,
        random: &mut dyn FnMut() -> [u8; 32],
    ) -> Result<Rotation, KeyFault> {
        kek.settle(rows);
        let name = kind.to_string();
        let mut were: Vec<u32> = rows.iter().filter(|row| row.kind == name).map(|row| row.generation).collect();
        were.sort_unstable();
        let first = were.last().map_or(1, |newest| newest.saturating_add(1));
        let (count, kept) = if compromised { (kind.generations(), 0) } else { (1, kind.generations()) };
        let dropped: Vec<u32> = were.iter().copied().take(were.len().saturating_sub(kept)).collect();
        let floor = were.get(dropped.len()).copied().unwrap_or(first);
        let mut made = Vec::with_capacity(count);
        for generation in (first..).take(count) {
            made.push(Self::next_above(kek, (kind, generation, floor), now, random)?);
        }
        Ok(Rotation { kind, made, dropped })
    }
}

/// What a row holds: the key, and from the first rotation on the oldest generation that is believed beside it.
pub(super) fn content(raw: &[u8; KEY_BYTES], floor: u32) -> Zeroizing<Vec<u8>> {
    let mut content = Zeroizing::new(raw.to_vec());
    if floor > 0 {
        content.extend_from_slice(&floor.to_be_bytes());
    }
    content
}

/// Reads [`content`] back.
pub(super) fn read(content: &[u8]) -> Option<(Zeroizing<[u8; KEY_BYTES]>, u32)> {
    let (raw, floor) = content.split_first_chunk::<KEY_BYTES>()?;
    let floor = match floor {
        [] => 0,
        floor => u32::from_be_bytes(floor.try_into().ok()?),
    };
    Some((Zeroizing::new(*raw), floor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Purpose;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    struct World {
        kek: Kek,
        rows: Vec<KeyRow>,
        drawn: u8,
    }

    impl World {
        fn new() -> Self {
            let kek = Kek::new([1; 32]);
            let mut drawn = 0;
            let mut random = || {
                drawn += 1;
                [drawn; 32]
            };
            let rows = Keys::missing(&kek, &[], &Keys::wanted([]), NOW, &mut random).unwrap();
            Self { kek, rows, drawn }
        }

        fn keys(&self) -> Keys {
            Keys::open(&self.kek, &self.rows).unwrap()
        }

        /// Rotates, and gives the rows that went.
        fn rotate(&mut self, kind: Kind, compromised: bool) -> Vec<KeyRow> {
            let drawn = &mut self.drawn;
            let mut random = || {
                *drawn += 1;
                [*drawn; 32]
            };
            let rotation = Keys::rotation(&self.kek, kind, (&self.rows, compromised), NOW, &mut random).unwrap();
            let gone = |row: &KeyRow| row.kind == kind.to_string() && rotation.dropped.contains(&row.generation);
            let (went, stay): (Vec<_>, Vec<_>) = self.rows.drain(..).partition(gone);
            self.rows = stay;
            self.rows.extend(rotation.made);
            went
        }
    }

    #[test]
    fn what_was_sealed_opens_through_one_rotation_and_not_through_two() {
        let mut world = World::new();
        let sealed = world.keys().seal(Purpose::Flow, b"a", b"b").unwrap();
        world.rotate(Kind::Cookie, false);
        assert!(world.keys().unseal(Purpose::Flow, b"a", &sealed).is_some());
        world.rotate(Kind::Cookie, false);
        assert!(world.keys().unseal(Purpose::Flow, b"a", &sealed).is_none());
    }

    #[test]
    fn m23_what_a_compromised_key_sealed_dies_at_once_and_its_row_put_back_opens_nothing() {
        let mut world = World::new();
        let sealed = world.keys().seal(Purpose::Flow, b"a", b"b").unwrap();
        let went = world.rotate(Kind::Cookie, true);
        assert_eq!(went.len(), 1);
        assert!(world.keys().unseal(Purpose::Flow, b"a", &sealed).is_none());
        world.rows.extend(went);
        assert!(world.keys().unseal(Purpose::Flow, b"a", &sealed).is_none(), "a row that was put back");
        // Also after the next rotations, which keep what was believed.
        world.rotate(Kind::Cookie, false);
        assert!(world.keys().unseal(Purpose::Flow, b"a", &sealed).is_none());
    }

    #[test]
    fn m23_of_keys_that_others_fetch_the_next_is_announced_before_it_signs() {
        let mut world = World::new();
        let named = |world: &World| world.keys().jwks().unwrap().matches("\"kid\"").count();
        assert_eq!(named(&world), 2);
        world.rotate(Kind::Assertion, false);
        assert_eq!(named(&world), 3, "the one that signed, the one that signs, the next");
        world.rotate(Kind::Assertion, false);
        assert_eq!(named(&world), 3);
        let before = world.keys().jwks().unwrap();
        world.rotate(Kind::Assertion, true);
        assert_eq!(named(&world), 2);
        let kids = |jwks: &str| -> Vec<String> {
            jwks.split("\"kid\":\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
        };
        assert!(kids(&world.keys().jwks().unwrap()).iter().all(|kid| !kids(&before).contains(kid)), "all anew");
    }

    #[test]
    fn m23_a_process_that_has_opened_nothing_yet_makes_keys_under_the_key_that_follows() {
        let mut world = World::new();
        let (old, new) = (world.kek.clone(), Kek::new([2; 32]));
        let both = || old.clone().followed_by(new.clone()).unwrap();
        let by = both();
        for row in &mut world.rows {
            *row = by.sealed_anew(row).unwrap().unwrap();
        }
        world.kek = both();
        world.rotate(Kind::Cookie, false);
        let wanted = [Kind::Client(crate::kernel::values::DirectoryId::from_bytes([1; 16]))];
        world.rows.extend(Keys::missing(&both(), &world.rows, &wanted, NOW, &mut || [9; 32]).unwrap());
        assert!(Keys::open(&new, &world.rows).is_ok(), "without the old one");
    }

    #[test]
    fn a_content_reads_back_and_an_odd_one_is_none() {
        for floor in [0, 1, u32::MAX] {
            let (raw, read) = read(&content(&[7; 32], floor)).unwrap();
            assert_eq!((*raw, read), ([7; 32], floor));
        }
        for length in [0, 31, 33, 35, 37, 64] {
            assert!(read(&vec![7; length]).is_none(), "{length}");
        }
    }
}
