//! What people read, in their language: catalogues of messages (Project Fluent), parsed once when the process starts.
//!
//! A language is a folder in `locales`: what pages say and what mails say. English is what every other one is held against. A message that a language lacks, or that its catalogue cannot fill in, is said in English.
//! Values are plain text: escaping is the template engine's, and no message can make an element.
//!
//! Deliberately absent: where a request's wishes are read (`kernel::values::Wishes`), files, and any choice by account: pages
//! follow the request alone (rule H18).
//!
//! # Adding a message
//! A line in `locales/en` and one in each other shipped language; `tests/languages.rs` names what is missing.

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

/// The languages that are spoken. English is the first of them.
#[derive(Debug)]
pub struct Languages {
    spoken: Vec<Spoken>,
    default: Language,
}

/// What an operator adds.
#[derive(Clone, Debug)]
pub struct LanguageOptions {
    /// Where nothing that is spoken is wished for, and in mails.
    pub default: Language,
    /// Catalogues of the operator's own; they go before ours, message by message.
    pub added: Vec<Catalogue>,
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

/// Our catalogues by language, one for pages and mails alike. English is the first: the others are held against it.
pub const CATALOGUES: [(&str, &str); 2] = [
    ("en", concat!(include_str!("locales/en/pages.ftl"), "\n", include_str!("locales/en/mail.ftl"))),
    ("de", concat!(include_str!("locales/de/pages.ftl"), "\n", include_str!("locales/de/mail.ftl"))),
];

/// Our catalogues, parsed.
///
/// # Errors
/// [`BadCatalogue`]: a defect of the program.
pub fn shipped() -> Result<Vec<Catalogue>, BadCatalogue> {
    CATALOGUES.iter().map(|(tag, source)| Catalogue::shipped(tag, source)).collect()
}

/// A message in English, for the operator's terminal. Parses the catalogue: nothing for a path that is taken often.
///
/// # Errors
/// [`Unsaid`]: a defect of ours.
pub fn in_english(text: &Text) -> Result<String, Unsaid> {
    let [(_, english), ..] = CATALOGUES;
    match Languages::new(english, &[]) {
        Ok(languages) => Arc::new(languages).english(text),
        Err(why) => Err(Unsaid::of(text, &why)),
    }
}

impl Languages {
    /// Ours, and what the operator added.
    ///
    /// # Errors
    /// [`BadCatalogue`]: a defect of the program, since `added` parsed.
    pub fn shipped(added: &[Catalogue]) -> Result<Self, BadCatalogue> {
        let [(_, english), ..] = CATALOGUES;
        let mut others = shipped()?.split_off(1);
        others.extend(added.iter().cloned());
        Self::new(english, &others)
    }

    /// Speaks this one where nothing that is spoken here is wished for, and in mails. One that is not spoken changes nothing.
    #[must_use]
    pub fn by_default(mut self, language: &Language) -> Self {
        if self.speaks(language) {
            self.default = language.clone();
        }
        self
    }

    /// What is spoken where nothing else is wished for.
    pub fn default(&self) -> &Language {
        &self.default
    }

    /// Whether there is a catalogue of it.
    pub fn speaks(&self, language: &Language) -> bool {
        self.spoken.iter().any(|spoken| spoken.language == *language)
    }

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
        Ok(Self { spoken, default: Language::english() })
    }

    /// The first wish that is spoken here, itself or a wider one (RFC 4647 §3.4: `de-AT`, then `de`); else the default.
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
        wishes.wanted().iter().find_map(nearest).unwrap_or_else(|| self.default.clone())
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
