//! The sample people, one row each, with what each is there to show.

/// A person whom a sample provider knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Person {
    /// Never changes and is never re-used at its provider.
    pub sub: &'static str,
    /// The address; also what the person logs in with.
    pub email: &'static str,
    /// Whether the provider says that it verified the address.
    pub email_verified: bool,
    /// The name.
    pub name: &'static str,
    /// Shown on the login page: this is a demonstration.
    pub password: &'static str,
    /// The claim `groups`; empty: not sent.
    pub groups: &'static [&'static str],
    /// What this person is there to show, in the words of the login page.
    pub shows: &'static str,
}

/// People with an account at the provider that everybody may use.
pub const EVERYBODY: &[Person] = &[
    Person {
        sub: "712020:5f1c-bob",
        email: "bob@gmail.example",
        email_verified: true,
        name: "Bob Baker",
        password: "demo-bob",
        groups: &[],
        shows: "An ordinary person",
    },
    Person {
        sub: "712020:9a44-ann",
        email: "ann@acme.example",
        email_verified: true,
        name: "Ann Archer",
        password: "demo-ann",
        groups: &[],
        shows: "Her company has its own login and will be asked instead",
    },
    Person {
        sub: "712020:c0de-uma",
        email: "uma@startup.example",
        email_verified: false,
        name: "Uma Underhill",
        password: "demo-uma",
        groups: &[],
        shows: "Her address was never verified",
    },
    Person {
        sub: "712020:d0a7-dora",
        email: "dora@globex.example",
        email_verified: true,
        name: "Dora Dahl",
        password: "demo-dora",
        groups: &[],
        shows: "Her account is switched off at the company",
    },
];

/// People in the directory of the company "Acme".
pub const ACME: &[Person] = &[
    Person {
        sub: "00u1acmeann",
        email: "ann@acme.example",
        email_verified: true,
        name: "Ann Archer",
        password: "acme-ann",
        groups: &["everyone", "design"],
        shows: "Managed by Acme",
    },
    Person {
        sub: "00u2acmecarl",
        email: "carl@acme.example",
        email_verified: true,
        name: "Carl Castillo",
        password: "acme-carl",
        groups: &["everyone", "video"],
        shows: "Managed by Acme, new to both products",
    },
];

/// People in the directory of the company "Initech", which speaks SAML.
pub const INITECH: &[Person] = &[
    Person {
        sub: "b7e1c2f0-5a77-4d0e-9d1c-3f1b8a6e0042",
        email: "sam@initech.example",
        email_verified: true,
        name: "Sam Samson",
        password: "initech-sam",
        groups: &["everyone"],
        shows: "Managed by Initech, whose login speaks SAML",
    },
    Person {
        sub: "0c9d7a34-1be2-4f06-8f5e-77c0d4b3a917",
        email: "mia@initech.example",
        email_verified: true,
        name: "Mia Milton",
        password: "initech-mia",
        groups: &["everyone", "video"],
        shows: "Managed by Initech, new to both products",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_shares_a_subject_or_an_address_at_one_provider() {
        for people in [EVERYBODY, ACME, INITECH] {
            for (at, one) in people.iter().enumerate() {
                let same = |other: &Person| one.sub == other.sub || one.email == other.email;
                assert!(!people.iter().skip(at + 1).any(same), "{}", one.email);
                assert!(one.email.ends_with(".example"), "{} could be a real address", one.email);
            }
        }
    }
}
