//! Addresses that people sign in with.

use super::DomainName;
use std::fmt;

/// An address a person signs in with, in its one canonical spelling.
///
/// Lower-cased, ASCII local part and A-label domain, so that two addresses are the same mailbox to us exactly when they are
/// `==`. No quoting, no comments, no dot or plus folding (behaviour §3.5). Identity never hangs on it: an address routes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EmailAddress {
    text: String,
    domain: DomainName,
}

/// Carries nothing: what people type into an e-mail box may be a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("that is not an e-mail address")]
pub struct NotAnEmail;

impl EmailAddress {
    /// Parses what a person typed or a provider asserted: ASCII spaces around it are dropped, 254 bytes at most.
    ///
    /// # Errors
    /// [`NotAnEmail`] for anything but `local@domain` with an RFC 5322 dot-atom of 1 to 64 ASCII bytes before the `@`.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim_matches(' ');
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
        let atoms_fit = local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
        if local.len() > 64 || !atoms_fit {
            return Err(NotAnEmail);
        }
        let domain = DomainName::parse(domain).map_err(|_| NotAnEmail)?;
        let text = format!("{}@{domain}", local.to_ascii_lowercase());
        if text.len() > 254 {
            return Err(NotAnEmail);
        }
        Ok(Self { text, domain })
    }

    /// The canonical spelling.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The domain after the `@`.
    pub fn domain(&self) -> &DomainName {
        &self.domain
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// RFC 5322 §3.2.3 `atext`.
fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(EmailAddress::parse(text).ok().as_ref().map(EmailAddress::as_str), expected, "{text:?}");
    }

    #[test]
    fn has_one_spelling() {
        check(" Ann.Lee@Acme.COM ", Some("ann.lee@acme.com"));
        check("ann+x@acme.com.", Some("ann+x@acme.com"));
        check("ann@bücher.example", Some("ann@xn--bcher-kva.example"));
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in [
            "",
            "ann",
            "@acme.com",
            "ann@",
            "ann@acme",
            "a@b@acme.com",
            "\"ann\"@acme.com",
            "ann@[10.0.0.1]",
            "ann @acme.com",
            "ann\n@acme.com",
            "ann\0@acme.com",
            ".ann@acme.com",
            "ann.@acme.com",
            "a..n@acme.com",
            "\u{212A}elvin@acme.com",
            "zo\u{eb}@acme.com",
            "ann\u{200b}@acme.com",
            "ann@acme.com\t",
            "(c)ann@acme.com",
        ] {
            check(text, None);
        }
        check(&format!("{}@acme.com", "a".repeat(65)), None);
    }

    proptest::proptest! {
        #[test]
        fn parsing_is_idempotent(text in "\\PC{0,30}@\\PC{0,30}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                proptest::prop_assert_eq!(EmailAddress::parse(address.as_str()).unwrap(), address);
            }
        }
    }
}
