//! Languages of people, as tags.

use std::fmt;

/// A language that a person reads, as a tag in canonical case: `de`, `pt-BR`, `zh-Hant` (RFC 5646 §2.1, without extensions).
///
/// At most 35 characters (RFC 5646 §4.4.1), ASCII letters, digits and hyphens: it may stand in a header, an attribute and a row.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Language(Box<str>);

/// The text is no tag of a language.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not the tag of a language, as `de` and `pt-BR` are")]
pub struct NotALanguage;

/// Longest tag, in bytes.
const LONGEST: usize = 35;

/// Wishes that are read of one request; the rest is left out.
const MOST: usize = 16;

impl Language {
    /// What every text is written in first, and what stands where a translation is missing.
    pub fn english() -> Self {
        Self("en".into())
    }

    /// Reads a tag, whatever its case.
    pub fn parse(text: &str) -> Result<Self, NotALanguage> {
        if text.len() > LONGEST {
            return Err(NotALanguage);
        }
        let mut tag = String::with_capacity(text.len());
        for (place, part) in text.split('-').enumerate() {
            let letters = part.bytes().all(|byte| byte.is_ascii_alphabetic());
            let fits = match place {
                0 => letters && (2..=3).contains(&part.len()),
                // A single letter begins an extension, which no catalogue is chosen by.
                _ => part.bytes().all(|byte| byte.is_ascii_alphanumeric()) && (2..=8).contains(&part.len()),
            };
            if !fits {
                return Err(NotALanguage);
            }
            match (place, part.len()) {
                (0, _) => tag.push_str(&part.to_ascii_lowercase()),
                (_, length) => {
                    tag.push('-');
                    tag.push_str(&cased(part, length));
                }
            }
        }
        Ok(Self(tag.into()))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same without its last part: `pt` of `pt-BR` (RFC 4647 §3.4).
    pub fn wider(&self) -> Option<Self> {
        self.0.rsplit_once('-').map(|(wider, _)| Self(wider.into()))
    }
}

/// Regions in capitals, scripts with a capital first, the rest in small letters (RFC 5646 §2.1.1).
fn cased(part: &str, length: usize) -> String {
    let small = part.to_ascii_lowercase();
    match length {
        2 => part.to_ascii_uppercase(),
        4 if part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
            small.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(small.chars().skip(1)).collect()
        }
        _ => small,
    }
}

impl fmt::Display for Language {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Languages that a request asks for, the most wanted first. Nothing of an account is in it, so that pages stay the same for every
/// account (rule H18).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wishes {
    wanted: Vec<Language>,
    /// So many of them, from the first on, are what the person picked and what the application asked for.
    said: usize,
}

impl Wishes {
    /// What the person picked, then what the application asked for (`ui_locales`, OpenID Connect Core §3.1.2.1), then what the
    /// browser prefers (`Accept-Language`, RFC 9110 §12.5.4). What is no tag is left out.
    pub fn of(picked: Option<&str>, ui_locales: &str, accept_language: Option<&str>) -> Self {
        let asked = ui_locales.split(' ').filter_map(|tag| Language::parse(tag).ok());
        let picked = picked.and_then(|tag| Language::parse(tag).ok());
        let mut wanted: Vec<_> = picked.into_iter().chain(asked).take(MOST).collect();
        let said = wanted.len();
        wanted.extend(accepted(accept_language.unwrap_or_default()));
        wanted.truncate(MOST);
        Self { wanted, said }
    }

    /// The most wanted first.
    pub fn wanted(&self) -> &[Language] {
        &self.wanted
    }

    /// What was said here, by the person or the application, at most three: what another host cannot know from the browser, as the value
    /// of `ui_locales` (OpenID Connect Core §3.1.2.1). None where nothing was.
    pub fn ui_locales(&self) -> Option<String> {
        let said = self.wanted.iter().take(self.said.min(3)).map(Language::as_str);
        let said = said.collect::<Vec<_>>().join(" ");
        (!said.is_empty()).then_some(said)
    }
}

/// By weight, and among equals by place. `*` and a weight of nothing wish for none.
fn accepted(header: &str) -> Vec<Language> {
    let mut found: Vec<(u16, Language)> = Vec::new();
    for range in header.split(',').take(MOST) {
        let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
        let Ok(language) = Language::parse(tag.trim()) else { continue };
        match weight(parameters.trim()) {
            None | Some(0) => {}
            Some(weight) => found.push((weight, language)),
        }
    }
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, language)| language).collect()
}

/// In thousandths (RFC 9110 §12.4.2); `None` for what is no weight.
fn weight(parameters: &str) -> Option<u16> {
    if parameters.is_empty() {
        return Some(1_000);
    }
    let value = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q="))?;
    let (whole, rest) = value.split_once('.').unwrap_or((value, ""));
    let digits = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths: u16 = if digits { format!("{rest:0<3}").parse().ok()? } else { return None };
    match (whole, thousandths) {
        ("0", _) => Some(thousandths),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, tag: Option<&str>) {
        assert_eq!(Language::parse(text).ok().as_ref().map(Language::as_str), tag, "{text}");
    }

    #[test]
    fn a_tag_has_one_spelling() {
        check("de", Some("de"));
        check("DE-at", Some("de-AT"));
        check("zh-hANT-hk", Some("zh-Hant-HK"));
        check("es-419", Some("es-419"));
        for bad in ["", "d", "german", "de_AT", "de-", "-de", "de--AT", "de-x-evil", "*", "de\n", "de\"", "12", "../de"]
        {
            check(bad, None);
        }
        check(&format!("de-{}", "abcdefgh-".repeat(4)), None);
    }

    fn wished(picked: Option<&str>, ui_locales: &str, accept: &str) -> String {
        let wishes = Wishes::of(picked, ui_locales, Some(accept));
        wishes.wanted().iter().map(Language::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_was_picked_goes_before_what_the_application_asked_for_and_that_before_the_browsers_own() {
        assert_eq!(wished(Some("fr"), "es de", "en"), "fr es de en");
        assert_eq!(wished(None, "", "da, en-gb;q=0.8, en;q=0.7"), "da en-GB en");
        assert_eq!(wished(None, "", "en;q=0.1, de;q=0.9, *;q=0.5, fr;q=0, it;q=2, es;q=0.9"), "de es en");
        assert_eq!(wished(Some("<b>"), "\u{202e} x", ";;,,q=1"), "");
        assert_eq!(Wishes::of(None, "", Some(&"de,".repeat(100_000))).wanted().len(), 16);
    }

    proptest! {
        #[test]
        fn nothing_but_tags_comes_out_of_any_header(header in "\\PC{0,60}") {
            for language in Wishes::of(Some(&header), &header, Some(&header)).wanted() {
                prop_assert!(language.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
                prop_assert_eq!(Language::parse(language.as_str()), Ok(language.clone()));
            }
        }
    }
}
