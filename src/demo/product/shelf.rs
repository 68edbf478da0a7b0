//! What a product holds: places (lists, recordings) and the items that people put there (cards, comments). In memory, bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use minijinja::{Value, context};
use tokio::sync::broadcast;

use super::Kind;
use crate::pages::legible;

/// Items kept at one place; the oldest goes first.
const MOST_ITEMS: usize = 30;
/// Longest text of an item, in characters.
const LONGEST_TEXT: usize = 140;
/// Activities that a new visitor sees.
const MOST_RECENT: usize = 6;

/// A list of the board, or a recording.
#[derive(Clone, Debug)]
pub(super) struct Place {
    title: &'static str,
    /// Who made it and how long it is; empty for lists.
    note: &'static str,
    items: VecDeque<Item>,
}

/// A card, or a comment.
#[derive(Clone, Debug)]
pub(super) struct Item {
    text: String,
    by: String,
}

impl Place {
    /// For the template.
    pub(super) fn shown(&self) -> Value {
        let item = |item: &Item| context! { text => item.text.as_str(), by => item.by.as_str() };
        context! { title => self.title, note => self.note, items => self.items.iter().map(item).collect::<Vec<_>>() }
    }
}

/// The places and the activity feed of one product.
pub(super) struct Shelf {
    places: Mutex<Vec<Place>>,
    recent: Mutex<VecDeque<String>>,
    activity: broadcast::Sender<String>,
}

impl Shelf {
    pub(super) fn of(kind: Kind) -> Self {
        let places = match kind {
            Kind::Board => board(),
            Kind::Video => recordings(),
        };
        Self { places: Mutex::new(places), recent: Mutex::default(), activity: broadcast::channel(32).0 }
    }

    pub(super) fn places(&self) -> Vec<Place> {
        lock(&self.places).clone()
    }

    /// False where there is no such place or the text is blank.
    pub(super) fn add(&self, place: usize, text: &str, by: &str) -> bool {
        let text: String = legible(text.trim()).chars().take(LONGEST_TEXT).collect();
        let mut places = lock(&self.places);
        let Some(place) = places.get_mut(place).filter(|_| !text.is_empty()) else { return false };
        let activity = format!("{by} added “{text}” to {}", place.title);
        place.items.push_back(Item { text, by: by.to_owned() });
        if place.items.len() > MOST_ITEMS {
            place.items.pop_front();
        }
        drop(places);
        self.tell(activity);
        true
    }

    /// The latest activities, oldest first.
    pub(super) fn recent(&self) -> Vec<String> {
        lock(&self.recent).iter().cloned().collect()
    }

    /// The activities from now on.
    pub(super) fn follow(&self) -> broadcast::Receiver<String> {
        self.activity.subscribe()
    }

    fn tell(&self, activity: String) {
        let mut recent = lock(&self.recent);
        recent.push_back(activity.clone());
        if recent.len() > MOST_RECENT {
            recent.pop_front();
        }
        // An error only says that nobody has the page open.
        let _ = self.activity.send(activity);
    }
}

/// What a panicking request left behind is still a whole list: nothing here is changed in two steps that must agree.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(title: &'static str, note: &'static str, items: &[(&str, &str)]) -> Place {
    let items = items.iter().map(|(text, by)| Item { text: (*text).to_owned(), by: (*by).to_owned() }).collect();
    Place { title, note, items }
}

fn board() -> Vec<Place> {
    vec![
        place(
            "To do",
            "",
            &[("Draft the spring launch page", "Ann Archer"), ("Ask legal about the new logo", "Bob Baker")],
        ),
        place("Doing", "", &[("Record the product tour", "Carl Castillo")]),
        place("Done", "", &[("Pick a date for the launch", "Ann Archer"), ("Book the room", "Uma Underhill")]),
    ]
}

fn recordings() -> Vec<Place> {
    vec![
        place("Product tour, first take", "Carl Castillo · 4:12", &[("The ending is great!", "Ann Archer")]),
        place("Launch page walkthrough", "Ann Archer · 2:38", &[("Could the text be larger?", "Bob Baker")]),
        place("Weekly update", "Bob Baker · 6:05", &[]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_stays_bounded_and_takes_only_real_places() {
        let shelf = Shelf::of(Kind::Board);
        assert!(!shelf.add(3, "x", "Ann") && !shelf.add(0, "  ", "Ann"));
        assert!(shelf.add(0, "one\n\ndata: forged", "Ann"));
        assert!(
            shelf.recent().iter().all(|activity| !activity.contains('\n')),
            "an activity is one line of the event stream"
        );
        for number in 0..100 {
            assert!(shelf.add(0, &format!("{number} {}", "é".repeat(500)), "Ann"));
        }
        let first = &shelf.places()[0];
        assert_eq!(first.items.len(), MOST_ITEMS);
        assert!(first.items.iter().all(|item| item.text.chars().count() == LONGEST_TEXT));
        assert_eq!(shelf.recent().len(), MOST_RECENT);
    }
}
