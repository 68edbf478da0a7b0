//! The catalogues of the pages. A shipped language is one file in `locales` and one line in [`CATALOGUES`].

use crate::language::{BadCatalogue, Catalogue, Languages, Text, Unsaid};
use std::sync::Arc;

/// Our catalogues by language. English is the first: the others are held against it.
pub const CATALOGUES: [(&str, &str); 1] = [("en", include_str!("locales/en.ftl"))];

/// Our catalogues, parsed.
///
/// # Errors
/// [`BadCatalogue`]: a defect of the program.
pub fn shipped() -> Result<Vec<Catalogue>, BadCatalogue> {
    CATALOGUES.iter().map(|(tag, source)| Catalogue::shipped(tag, source)).collect()
}

/// Ours, and what the operator added.
pub(super) fn all(added: &[Catalogue]) -> Result<Languages, BadCatalogue> {
    let [(_, english), ..] = CATALOGUES;
    let mut others: Vec<Catalogue> = shipped()?.split_off(1);
    others.extend(added.iter().cloned());
    Languages::new(english, &others)
}

/// A message in English, for the operator's terminal. Parses the catalogue: nothing for a path that is taken often.
///
/// # Errors
/// [`Unsaid`]: a defect of ours.
pub fn english(text: &Text) -> Result<String, Unsaid> {
    match all(&[]) {
        Ok(languages) => Arc::new(languages).english(text),
        Err(why) => Err(Unsaid::of(text, &why)),
    }
}
