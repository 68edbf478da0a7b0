//! Domain names in their one canonical spelling.

use std::fmt;

/// A DNS name as lower-case A-labels, without a trailing dot.
///
/// Two domains are the same exactly when they are `==`: there is no suffix matching anywhere (rules T32, B3; a sub-domain is
/// another domain). Made by UTS-46 non-transitional processing with STD3 rules, so `faß.de` is not `fass.de`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DomainName(String);

/// Not a domain name of two or more labels.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not a domain name")]
pub struct NotADomain;

impl DomainName {
    /// Parses a name as people write it (upper case, U-labels, one trailing dot allowed).
    ///
    /// # Errors
    /// [`NotADomain`] for an empty or single label, an address literal, a forbidden character, or more than 253 bytes.
    pub fn parse(text: &str) -> Result<Self, NotADomain> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let ascii = idna::domain_to_ascii_strict(text).map_err(|_| NotADomain)?;
        let labels: Vec<&str> = ascii.split('.').collect();
        let last_is_number = labels.last().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
        let fits = labels.iter().all(|label| !label.is_empty() && label.len() <= 63);
        if labels.len() < 2 || ascii.len() > 253 || last_is_number || !fits {
            return Err(NotADomain);
        }
        Ok(Self(ascii))
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(DomainName::parse(text).ok().as_ref().map(DomainName::as_str), expected, "{text:?}");
    }

    #[test]
    fn has_one_spelling() {
        check("Acme.COM", Some("acme.com"));
        check("acme.com.", Some("acme.com"));
        check("bücher.example", Some("xn--bcher-kva.example"));
        check("faß.de", Some("xn--fa-hia.de"));
    }

    #[test]
    fn refuses_what_is_not_a_domain() {
        for text in [
            "",
            ".",
            "acme",
            "acme..com",
            ".acme.com",
            "acme.com..",
            "a_b.com",
            "10.0.0.1",
            "[::1]",
            "a b.com",
            "acme.com\0",
        ] {
            check(text, None);
        }
        check(&format!("{}.com", "a".repeat(64)), None);
        check(&format!("{}com", "a.".repeat(126)), None);
    }

    proptest::proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,40}") {
            if let Ok(domain) = DomainName::parse(&text) {
                proptest::prop_assert_eq!(DomainName::parse(domain.as_str()).unwrap(), domain);
            }
        }
    }
}
