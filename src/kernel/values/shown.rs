//! Names that others chose, made safe to show (rule M26).

/// Longest name shown, in characters. Longer ones end in an ellipsis.
const LONGEST: usize = 64;

/// A display name, already legible: at most 64 characters, no control or direction characters.
///
/// Who chose it decides how it looks. The operator's names (products, the account that people have everywhere) stand bare; a name
/// that an organization gave itself stands in quotes, and one that carries an address or a telephone number is not shown at all,
/// because a page of ours would then carry a stranger's message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name {
    text: String,
    quoted: bool,
}

impl Name {
    /// A name from the operator's configuration.
    pub fn configured(text: &str) -> Self {
        Self { text: shortened(text), quoted: false }
    }

    /// A name that an organization's admins chose. Falls back to "your organization" where it looks like a message.
    pub fn organization(text: &str) -> Self {
        if text.trim().is_empty() || carries_contact(text) {
            return Self { text: "your organization".to_owned(), quoted: false };
        }
        Self { text: shortened(text), quoted: true }
    }

    /// The name as it stands in a sentence, with its quotes.
    pub fn shown(&self) -> String {
        if self.quoted { format!("“{}”", self.text) } else { self.text.clone() }
    }

    /// The letter or digit for the product's tile, upper case; a dot where the name has none.
    pub fn initial(&self) -> String {
        let first = self.text.chars().find(|letter| letter.is_alphanumeric()).unwrap_or('•');
        first.to_uppercase().collect()
    }

    /// The name without quotes.
    pub fn bare(&self) -> &str {
        &self.text
    }
}

/// Text in which every control, direction and invisible character is written out as `\u{…}`, so that what a person reads is what
/// is there.
pub fn legible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_deceptive(letter) { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

fn shortened(text: &str) -> String {
    let text = legible(text.trim());
    if text.chars().count() <= LONGEST {
        return text;
    }
    let mut short: String = text.chars().take(LONGEST - 1).collect();
    short.push('…');
    short
}

/// Control characters, line separators, direction marks and characters without width (Unicode TR 36 §3).
fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A URL, a domain, an address or a telephone number somewhere in the text.
fn carries_contact(text: &str) -> bool {
    let lower = text.to_lowercase();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let domain_like =
        lower.split(|letter: char| !letter.is_alphanumeric() && letter != '.' && letter != '-').any(|word| {
            word.rsplit_once('.').is_some_and(|(left, right)| {
                !left.is_empty() && right.chars().count() >= 2 && right.chars().all(char::is_alphabetic)
            })
        });
    lower.contains("://") || lower.contains("www.") || lower.contains('@') || digits >= 7 || domain_like
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(given: &str, shown: &str) {
        assert_eq!(Name::organization(given).shown(), shown, "{given:?}");
    }

    #[test]
    fn an_organizations_name_is_quoted_legible_and_carries_no_message() {
        check("Acme", "“Acme”");
        check("  Acme & Söhne GmbH ", "“Acme & Söhne GmbH”");
        check("Ac\u{202e}me", "“Ac\\u{202e}me”");
        check("Acme\r\nSet-Cookie", "“Acme\\u{d}\\u{a}Set-Cookie”");
        check("Call +1 (555) 010-9999 now", "your organization");
        check("Reset at https://evil", "your organization");
        check("Visit evil.example now", "your organization");
        check("help@evil", "your organization");
        check("", "your organization");
        check("Acme Inc.", "“Acme Inc.”");
        check("A. B. Smith", "“A. B. Smith”");
        check("Studio 54", "“Studio 54”");
    }

    #[test]
    fn a_long_name_is_cut_to_64_characters() {
        assert_eq!(Name::configured(&"é".repeat(65)).bare().chars().count(), 64);
        assert_eq!(Name::configured(&"é".repeat(64)).bare(), "é".repeat(64));
    }

    #[test]
    fn the_initial_is_the_first_letter_or_digit() {
        assert_eq!(Name::configured("“trello”").initial(), "T");
        assert_eq!(Name::configured("7pace").initial(), "7");
        assert_eq!(Name::configured("—").initial(), "•");
    }

    proptest! {
        #[test]
        fn what_is_shown_never_holds_a_deceptive_character(text in any::<String>()) {
            let shown = Name::organization(&text).shown();
            prop_assert!(!shown.chars().any(is_deceptive));
            prop_assert!(shown.chars().count() <= LONGEST + 2);
        }
    }
}
