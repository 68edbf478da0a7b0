//! Names that operators give: products, organizations, third parties and directories.

use std::fmt;
use std::sync::Arc;

/// Not `[a-z0-9-]{1,40}`, or a reserved word (rule M28).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a name is 1 to 40 of a-z, 0-9 and -, and none of: acs, slo, metadata, callback, v2, issuer, unreadable")]
pub struct NotAName;

/// The organization of domains whose rows cannot be trusted.
const UNREADABLE: &str = "unreadable";

/// Words that stand in our own paths: a name like these would make two paths read the same. And the name that nobody has.
const RESERVED: [&str; 7] = ["acs", "slo", "metadata", "callback", "v2", "issuer", UNREADABLE];

fn checked(text: &str) -> Result<Arc<str>, NotAName> {
    let fits = (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits && !RESERVED.contains(&text) { Ok(text.into()) } else { Err(NotAName) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the spelling.
            ///
            /// # Errors
            /// [`NotAName`] when it is not `[a-z0-9-]{1,40}` or is reserved.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                checked(text).map(Self)
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The operator's name of a product: `[product.NAME]`.
    ProductName
);
name!(
    /// The operator's name of an organization: `[org.NAME]`.
    OrgName
);
name!(
    /// The operator's name of a third party: `[third_party.NAME]`.
    ThirdPartyName
);

name!(
    /// The operator's name of an enterprise of a product: `[[product.NAME.enterprise]]`.
    EnterpriseName
);

name!(
    /// The operator's name of an app of a product: `[[product.NAME.app]]`, and the app's `client_id`.
    AppName
);

name!(
    /// The name of a policy of an organization: `[org.ORG.policies.NAME]`, or `default` for `[org.ORG.policy]`.
    PolicyName
);

impl OrgName {
    /// Whose the domains are of which the store says nothing that can be trusted: nobody's, and nobody enters by them (rule H12). No
    /// organization can have this name.
    pub fn unreadable() -> Self {
        Self(UNREADABLE.into())
    }
}

impl Default for PolicyName {
    fn default() -> Self {
        Self("default".into())
    }
}

impl PolicyName {
    /// Whether it is the organization's default policy.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How people name a connection to one provider. Names are for people and paths; look-ups use the `DirectoryId` (rule C1).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DirectoryName {
    /// `[issuer]`: the account that people have everywhere.
    Issuer,
    /// `[third_party.NAME]`.
    ThirdParty(ThirdPartyName),
    /// `[org.ORG]` `sso = …` (`main`) or `[org.ORG.directory.NAME]`.
    Org(OrgName, String),
    /// The local accounts of a product whose `passwords` are `here` or `product`: its own user records vouch for themselves, at
    /// that product and nowhere else.
    Local(ProductName),
    /// The gateway's own credentials of people at the login host: passkeys of accounts, emergency access.
    Here,
}

impl DirectoryName {
    /// A directory of an organization.
    ///
    /// # Errors
    /// [`NotAName`] when `name` is not a name.
    pub fn of_org(org: OrgName, name: &str) -> Result<Self, NotAName> {
        Ok(Self::Org(org, checked(name)?.as_ref().to_owned()))
    }

    /// The path of its redirect URI on the login host; every directory has its own (rule C5).
    pub fn callback_path(&self) -> String {
        match self {
            Self::Issuer => "/login/callback".to_owned(),
            // Nobody comes back from the last two, and no path that the site reads holds a colon.
            Self::ThirdParty(_) | Self::Org(..) | Self::Local(_) | Self::Here => format!("/login/callback/{self}"),
        }
    }

    /// The path of what it has as a SAML service provider on the login host: `metadata`, `acs` or `slo`.
    pub fn saml_path(&self, what: &str) -> String {
        format!("/saml/{self}/{what}")
    }

    /// Whether it is a connection to a provider: what people leave for and come back from.
    pub fn is_provider(&self) -> bool {
        match self {
            Self::Issuer | Self::ThirdParty(_) | Self::Org(..) => true,
            Self::Local(_) | Self::Here => false,
        }
    }

    /// The path of its client's public keys on the login host, where it authenticates by `private_key_jwt` (rule H20): what
    /// the provider is told as `jwks_uri` (RFC 7591 §2).
    pub fn jwks_path(&self) -> String {
        match self {
            Self::Issuer => "/oidc/jwks.json".to_owned(),
            Self::ThirdParty(_) | Self::Org(..) | Self::Local(_) | Self::Here => format!("/oidc/{self}/jwks.json"),
        }
    }
}

/// `issuer`, the third party's name, `ORG` (its only or main directory) or `ORG/NAME`. Unique, because the configuration
/// refuses an organization and a third party of one name and no name may be `issuer`. What is no connection to a provider has a
/// colon in it, which no name has: `local:PRODUCT`, `here:accounts`.
impl fmt::Display for DirectoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer => f.write_str("issuer"),
            Self::ThirdParty(name) => write!(f, "{name}"),
            Self::Org(org, name) if name == "main" => write!(f, "{org}"),
            Self::Org(org, name) => write!(f, "{org}/{name}"),
            Self::Local(product) => write!(f, "local:{product}"),
            Self::Here => f.write_str("here:accounts"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_short_and_not_reserved() {
        for good in ["a", "trello", "acme-2", &"a".repeat(40)] {
            assert!(ProductName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "Trello", "a_b", "a/b", "a.b", "acs", "metadata", "issuer", "é", &"a".repeat(41)] {
            assert_eq!(OrgName::parse(bad), Err(NotAName), "{bad}");
        }
    }

    #[test]
    fn every_directory_has_its_own_callback_path() {
        let org = OrgName::parse("acme").unwrap();
        let main = DirectoryName::of_org(org.clone(), "main").unwrap();
        let okta = DirectoryName::of_org(org, "okta").unwrap();
        let google = DirectoryName::ThirdParty(ThirdPartyName::parse("google").unwrap());
        assert_eq!(DirectoryName::Issuer.callback_path(), "/login/callback");
        assert_eq!(main.callback_path(), "/login/callback/acme");
        assert_eq!(okta.callback_path(), "/login/callback/acme/okta");
        assert_eq!(google.callback_path(), "/login/callback/google");
        assert_eq!(DirectoryName::Issuer.jwks_path(), "/oidc/jwks.json");
        assert_eq!(main.jwks_path(), "/oidc/acme/jwks.json");
        assert_eq!(okta.jwks_path(), "/oidc/acme/okta/jwks.json");
    }
}
