//! Domains that no organization can hold, whoever says so: the operator's file too (rule C6e).

use crate::kernel::values::DomainName;

/// Sourced in its head.
const PUBLIC_MAIL: &str = include_str!("public_mail.txt");

/// Why nobody can hold a domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotClaimable {
    /// Others register names below it: `com`, `co.uk`, `github.io`.
    #[error("names below it belong to many")]
    PublicSuffix,
    /// Anybody gets a mailbox there.
    #[error("anybody gets a mailbox there")]
    PublicMail,
}

/// Whether an organization could hold this domain.
///
/// # Errors
/// [`NotClaimable`].
pub fn claimable(domain: &DomainName) -> Result<(), NotClaimable> {
    if psl::domain(domain.as_str().as_bytes()).is_none() {
        return Err(NotClaimable::PublicSuffix);
    }
    if PUBLIC_MAIL.lines().any(|line| line == domain.as_str()) { Err(NotClaimable::PublicMail) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(domain: &str, expected: Result<(), NotClaimable>) {
        assert_eq!(claimable(&DomainName::parse(domain).unwrap()), expected, "{domain}");
    }

    #[test]
    fn c6_nobody_holds_what_belongs_to_everybody() {
        for mail in
            ["gmail.com", "GMAIL.com.", "outlook.com", "proton.me", "qq.com", "gmx.de", "privaterelay.appleid.com"]
        {
            check(mail, Err(NotClaimable::PublicMail));
        }
        for suffix in ["co.uk", "github.io", "com.au", "xn--55qx5d.cn"] {
            check(suffix, Err(NotClaimable::PublicSuffix));
        }
        for company in ["acme.com", "mail.acme.com", "acme.co.uk", "acme.github.io", "notgmail.com", "faß.de"] {
            check(company, Ok(()));
        }
    }

    #[test]
    fn the_list_holds_canonical_domains_in_order() {
        let lines: Vec<&str> = PUBLIC_MAIL.lines().filter(|line| !line.starts_with('#')).collect();
        assert!(lines.len() > 4_000 && lines.is_sorted());
        for line in lines {
            assert_eq!(DomainName::parse(line).unwrap().as_str(), line);
        }
    }
}
