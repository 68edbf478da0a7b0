//! `[languages]`: what people read, and catalogues of the operator's own.

use super::Reader;
use crate::config::file::{At, File, Languages};
use crate::config::finding::Code;
use crate::kernel::values::Language;
use crate::language::{Catalogue, LanguageOptions, shipped};
use std::path::{Path, PathBuf};

const NAMED: &str = "name the file by its language: catalogues = [\"languages/fr.ftl\"]";

impl Reader<'_> {
    /// `[languages]`; without it, English and what comes with the program.
    pub(super) fn languages(&mut self, file: &File) -> LanguageOptions {
        let absent = Languages::default();
        let written = file.languages.as_deref().unwrap_or(&absent);
        let named = written.catalogues.as_deref().map(Vec::as_slice).unwrap_or_default();
        let mut added: Vec<Catalogue> = Vec::new();
        for one in named {
            for path in self.files_of(one) {
                let Some(catalogue) = self.catalogue(one, &path) else { continue };
                if added.iter().any(|known| known.language() == catalogue.language()) {
                    let what = format!("{} is a second catalogue of {}", path.display(), catalogue.language().as_str());
                    self.say.error(Code::Language, one.span(), what, "keep one of them");
                    continue;
                }
                added.push(catalogue);
            }
        }
        let default = written.default.as_ref().and_then(|tag| self.default_language(tag, &added));
        LanguageOptions { default: default.unwrap_or_else(Language::english), added }
    }

    fn default_language(&mut self, written: &At<String>, added: &[Catalogue]) -> Option<Language> {
        let ours = shipped().unwrap_or_default();
        // Without a world no catalogue was read.
        let unread = self.world.is_none();
        let known = |language: &Language| unread || ours.iter().chain(added).any(|one| one.language() == language);
        let language = Language::parse(written).ok().filter(known);
        if language.is_none() {
            let what = format!("nothing is written in {:?}", written.as_str());
            self.say.error(Code::Language, written.span(), what, "write default = \"de\", or add a catalogue of it");
        }
        language
    }

    /// The file that is named, or every catalogue of the folder that is, in the order of their names.
    fn files_of(&mut self, written: &At<String>) -> Vec<PathBuf> {
        let path = self.path_of(written);
        let Some(world) = self.world.filter(|_| written.ends_with('/')) else { return vec![path] };
        let mut names = match world.folder(&path) {
            Ok(names) => names,
            Err(why) => {
                let what = format!("{} cannot be read: {why}", path.display());
                self.say.error(Code::Language, written.span(), what, "put the catalogues there");
                return Vec::new();
            }
        };
        // What an editor leaves behind while somebody writes is none.
        names.retain(|name| name.ends_with(".ftl") && !name.starts_with('.'));
        names.sort();
        if names.is_empty() {
            let what = format!("no catalogue lies in {}", path.display());
            self.say.error(Code::Language, written.span(), what, NAMED);
        }
        names.iter().map(|name| path.join(name)).collect()
    }

    fn catalogue(&mut self, written: &At<String>, path: &Path) -> Option<Catalogue> {
        // Without a world a folder's files are not known.
        if self.world.is_none() && written.ends_with('/') {
            return None;
        }
        let Some(language) = language_of(path) else {
            let what = format!("{} does not say which language it is in", path.display());
            self.say.error(Code::Language, written.span(), what, NAMED);
            return None;
        };
        // Without a world only the file itself is judged.
        let bytes = match self.world?.file(path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let what = format!("{} cannot be read: {why}", path.display());
                self.say.error(Code::Language, written.span(), what, "put the catalogue there");
                return None;
            }
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(fault) => {
                let what = format!("{} is not UTF-8 from byte {} on", path.display(), fault.valid_up_to());
                self.say.error(Code::Language, written.span(), what, "save it as UTF-8");
                return None;
            }
        };
        match Catalogue::parse(&language, text) {
            Ok(catalogue) => {
                self.oddities(written, path, &catalogue);
                Some(catalogue)
            }
            Err(bad) => {
                for mistake in bad.mistakes {
                    let what = format!("{}, {mistake}", path.display());
                    self.say.error(Code::Language, written.span(), what, "see docs/languages.md");
                }
                None
            }
        }
    }

    /// Ids that nothing says are most likely misspelt, or of another version: no reason not to start.
    fn oddities(&mut self, written: &At<String>, path: &Path, catalogue: &Catalogue) {
        let ours = shipped().unwrap_or_default();
        let Some(english) = ours.first() else { return };
        for oddity in catalogue.oddities(english) {
            let what = format!("{}: {oddity}", path.display());
            self.say.warning(Code::WCatalogue, written.span(), what, "compare it with the English catalogue");
        }
    }
}

/// `languages/pt-BR.ftl` is in Brazilian Portuguese.
fn language_of(path: &Path) -> Option<Language> {
    let is_ftl = path.extension().is_some_and(|ending| ending == "ftl");
    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_ftl)?;
    Language::parse(stem).ok()
}
