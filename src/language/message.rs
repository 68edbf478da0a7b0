//! A message before it is said: its id and the facts that it speaks of.

use crate::kernel::values::legible;
use minijinja::value::{Object, ObjectRepr};
use std::sync::Arc;

/// A message that is said when the reader's language is known. Its id is one of ours, never a text of somebody else; facts of others
/// are made legible when they are put in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Text {
    pub(super) id: &'static str,
    pub(super) facts: Vec<(&'static str, Fact)>,
}

/// What a message speaks of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// A name or an address, already legible.
    Shown(String),
    /// Another message, in the same language.
    Said(Text),
    /// A day, by a second of it since 1970.
    Day(i64),
    /// A size in bytes.
    Bytes(u64),
}

impl Fact {
    /// A text of somebody else, made legible.
    pub fn shown(text: &str) -> Self {
        Self::Shown(legible(text))
    }
}

impl Text {
    /// A message of the room's catalogue.
    pub const fn of(id: &'static str) -> Self {
        Self { id, facts: Vec::new() }
    }

    /// With a text of somebody else, which becomes legible.
    #[must_use]
    pub fn with(self, name: &'static str, text: &str) -> Self {
        self.and(name, Fact::shown(text))
    }

    /// With a fact.
    #[must_use]
    pub fn and(mut self, name: &'static str, fact: Fact) -> Self {
        self.facts.push((name, fact));
        self
    }
}

/// A template says it by handing it to its speaker.
impl Object for Text {
    /// Not a map: an empty one would count as nothing where a template asks whether there is a text.
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}
