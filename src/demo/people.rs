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
        shows: "Her company is not in this demonstration: nobody manages her account",
    },
    Person {
        sub: "712020:1e4a-lena",
        email: "lena@mail.example",
        email_verified: true,
        name: "Lena Lind",
        password: "demo-lena",
        groups: &[],
        shows: "Has a password at the board too: this login moves it",
    },
    Person {
        sub: "712020:71a0-tia",
        email: "tia@mail.example",
        email_verified: true,
        name: "Tia Tran",
        password: "demo-tia",
        groups: &[],
        shows: "Has a password at the board too, with two addresses",
    },
    Person {
        sub: "712020:3030-mo",
        email: "mo@mail.example",
        email_verified: true,
        name: "Mo Malik",
        password: "demo-mo",
        groups: &[],
        shows: "Has a password at the video app too",
    },
];

/// A person with a password of one product's own, as the product brought it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Local {
    /// At which product: `board` or `video`.
    pub product: &'static str,
    /// The product's own id of the person.
    pub sub: &'static str,
    /// The address.
    pub email: &'static str,
    /// A second address of the same account; empty where there is none.
    pub further: &'static str,
    /// The name.
    pub name: &'static str,
    /// Shown in the greeting: this is a demonstration.
    pub password: &'static str,
    /// Its bcrypt hash, as the product kept it.
    pub hash: &'static str,
    /// What this person is there to show.
    pub shows: &'static str,
}

/// People of the products' own passwords. At the board the move to the one account is offered, at the video app it is asked for.
pub const LOCAL: &[Local] = &[
    Local {
        product: "board",
        sub: "u-1001",
        email: "lena@mail.example",
        further: "",
        name: "Lena Lind",
        password: "demo-lena-harbour-82",
        hash: "$2b$10$Oz3hrmhLMdGm1gKtziquMuSYKPq1WZ6ELVLjI6yfL7cA8bnughkEa",
        shows: "A password at the board; may move (/.fedgate/account)",
    },
    Local {
        product: "board",
        sub: "u-1002",
        email: "tia@mail.example",
        further: "tia@old.example",
        name: "Tia Tran",
        password: "demo-tia-cobalt-64",
        hash: "$2b$10$rf5HLSdONsEi0Wu3lKhImuZIUdCLbrdoUQzMQshHJFE/TfB/mx4nq",
        shows: "Two addresses at the board: the move keeps one, tia@old.example is told by mail",
    },
    Local {
        product: "board",
        sub: "u-1003",
        email: "olga@hooli.example",
        further: "",
        name: "Olga Orlov",
        password: "demo-olga-violin-93",
        hash: "$2b$10$5CUSJ8iKFqrhg5Qg0kfP/OcX96BohUO4CmzHqHcA.bspD1dUpCKcW",
        shows: "A password at the board, managed by Hooli: its admin changes it",
    },
    Local {
        product: "video",
        sub: "v-2001",
        email: "mo@mail.example",
        further: "",
        name: "Mo Malik",
        password: "demo-mo-lantern-71",
        hash: "$2b$10$J3NaDuCseifRhlnIF5jyw.aIspLfkC5QfK7rR9XrOS8WtBo1VP1Ry",
        shows: "A password at the video app, where everybody has to move",
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
    use crate::kernel::local::{StoredPassword, Typed, weakness};
    use crate::kernel::values::EmailAddress;

    #[test]
    fn a_products_hash_is_of_the_password_that_the_greeting_says() {
        for person in LOCAL {
            let typed = || Typed::new(person.password.to_owned()).unwrap();
            let stored = StoredPassword::wrap(person.hash, [7; 16]).unwrap();
            assert!(stored.is(&typed()), "{}", person.email);
            let email = EmailAddress::parse(person.email).unwrap();
            assert_eq!(weakness(&typed(), 3, &email, &["Board", "Video"], None), None, "{}", person.email);
        }
    }

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
