//! What people read, in their language: catalogues of messages (Project Fluent), parsed once when the process starts.
//!
//! Each room that writes to people has a catalogue of its own in English, which is what every other language is held against
//! (`pages/locales`, `mail/locales`). A message that a language lacks, or that its catalogue cannot fill in, is said in English.
//! Values are plain text: escaping is the template engine's, and no message can make an element.
//!
//! Deliberately absent: where a request's wishes are read (`kernel::values::Wishes`), files, and any choice by account: pages
//! follow the request alone (rule H18).
//!
//! # Adding a message
//! A line in the room's `locales/en.ftl` and one in each other shipped language; `tests/languages.rs` names what is missing.

mod catalogue;
mod message;
mod speaker;
#[cfg(test)]
mod tests;

pub use catalogue::{BadCatalogue, Catalogue, Mistake, Oddity};
pub use message::{Fact, Text};
pub use speaker::Speaker;

use crate::kernel::values::{Language, Wishes};
use catalogue::Spoken;
use std::sync::Arc;

/// The languages of one room. English is the first of them.
#[derive(Debug)]
pub struct Languages {
    spoken: Vec<Spoken>,
}

/// No message of that id, or a variable that it needs was not given: a defect of ours, which a test finds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the message {id} cannot be said: {why}")]
pub struct Unsaid {
    id: String,
    why: String,
}

impl Unsaid {
    /// Not even its catalogue can be read.
    pub fn of(text: &Text, why: &BadCatalogue) -> Self {
        Self { id: text.id.to_owned(), why: why.to_string() }
    }
}

impl Languages {
    /// English, and what else there is. A catalogue of a language that is there already goes before it, message by message.
    ///
    /// # Errors
    /// [`BadCatalogue`], for the English one too.
    pub fn new(english: &str, others: &[Catalogue]) -> Result<Self, BadCatalogue> {
        let english = Catalogue::shipped("en", english)?;
        let mut spoken = vec![Spoken::of(&english)?];
        for catalogue in others {
            match spoken.iter_mut().find(|spoken| spoken.language == catalogue.language) {
                Some(known) => known.overlay(catalogue)?,
                None => spoken.push(Spoken::of(catalogue)?),
            }
        }
        Ok(Self { spoken })
    }

    /// The first wish that is spoken here, itself or a wider one (RFC 4647 §3.4: `de-AT`, then `de`); else English.
    pub fn choose(&self, wishes: &Wishes) -> Language {
        let spoken = |wish: &Language| self.spoken.iter().find(|spoken| spoken.language == *wish);
        let nearest = |wish: &Language| {
            let mut wish = Some(wish.clone());
            while let Some(tag) = wish {
                if let Some(spoken) = spoken(&tag) {
                    return Some(spoken.language.clone());
                }
                wish = tag.wider();
            }
            None
        };
        wishes.wanted().iter().find_map(nearest).unwrap_or_else(Language::english)
    }

    /// What there is to choose from: tags, and what each language calls itself.
    pub fn all(&self) -> impl Iterator<Item = (&Language, &str)> {
        self.spoken.iter().map(|spoken| (&spoken.language, spoken.name.as_str()))
    }

    /// Says messages in a language; in English where it is not spoken here.
    pub fn speaker(self: &Arc<Self>, language: &Language) -> Speaker {
        let at = self.spoken.iter().position(|spoken| spoken.language == *language).unwrap_or(0);
        Speaker::new(Arc::clone(self), at)
    }

    /// A message in English, for programs and operators.
    ///
    /// # Errors
    /// [`Unsaid`].
    pub fn english(self: &Arc<Self>, text: &Text) -> Result<String, Unsaid> {
        Speaker::new(Arc::clone(self), 0).text(text)
    }
}
