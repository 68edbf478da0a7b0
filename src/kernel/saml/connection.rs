//! What one SAML directory is: its provider, what we are to it, and how its attributes are read.

use super::SamlFault;
use super::assertion::Attribute;
use super::subject::SubjectChoice;
use crate::kernel::values::{DirectoryId, EmailAddress, Timestamp};
use aws_lc_rs::digest::{Context, SHA256};
use std::time::Duration;

/// One provider and what we are to it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The provider's entity id, compared byte for byte and never looked up (rule C1).
    pub provider: String,
    /// Our entity id at this directory, which is its metadata's address (rule H20).
    pub entity_id: String,
    /// Where responses arrive: AssertionConsumerServiceURL, Destination and Recipient.
    pub acs: String,
    /// How attributes are read.
    pub mapping: Mapping,
    /// AuthnContextClassRefs of which one must be asserted; empty: not asked.
    pub contexts: Vec<String>,
}

impl Connection {
    /// The first half of SHA-256 over what makes the connection, for the departure to remember (rule M4).
    pub fn binding(&self) -> [u8; 16] {
        let mut context = Context::new(&SHA256);
        for text in [&self.provider, &self.entity_id, &self.acs] {
            context.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(text.as_bytes());
        }
        let hash = context.finish();
        std::array::from_fn(|place| hash.as_ref().get(place).copied().unwrap_or(0))
    }
}

/// What was true when the request left. It travels in the sealed cookie of the login under way (rule H10).
#[derive(Clone, Debug)]
pub struct Expected {
    /// Which directory was left for.
    pub directory: DirectoryId,
    /// The request's `ID`: [`Seed::request_id`](crate::kernel::oidc::Seed::request_id).
    pub request_id: String,
    /// When it left.
    pub left_at: Timestamp,
    /// How old the provider's authentication may have been then; zero with ForceAuthn, none where it was not asked (rule M6).
    pub max_age: Option<Duration>,
    /// [`Connection::binding`] at departure.
    pub binding: [u8; 16],
}

impl Expected {
    /// Whether the directory is still the one that was left for.
    pub(super) fn holds(&self, directory: DirectoryId, connection: &Connection) -> Result<(), SamlFault> {
        // An empty id would be answered by an empty one.
        let same = !self.request_id.is_empty() && self.directory == directory && self.binding == connection.binding();
        if same { Ok(()) } else { Err(SamlFault::Directory) }
    }
}

/// Names of the attributes that are read; of each list the first that is there counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapping {
    /// The subject.
    pub subject: SubjectChoice,
    /// The address.
    pub email: Vec<String>,
    /// The whole name.
    pub name: Vec<String>,
    /// The given name, where there is no whole one.
    pub given_name: Vec<String>,
    /// The family name likewise.
    pub family_name: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// Attribute names of a kind of provider, as it sends them when nobody changed anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Preset {
    /// Okta.
    Okta,
    /// Microsoft Entra ID.
    Entra,
    /// Google Workspace.
    Google,
    /// Active Directory Federation Services.
    Adfs,
    /// PingFederate and PingOne.
    Ping,
    /// Shibboleth.
    Shibboleth,
    /// SimpleSAMLphp.
    SimpleSamlPhp,
    /// Keycloak.
    Keycloak,
}

/// Claim types of Microsoft and of the information cards before them.
macro_rules! xmlsoap {
    ($name:literal) => {
        concat!("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/", $name)
    };
}
const OBJECT_IDENTIFIER: &str = "http://schemas.microsoft.com/identity/claims/objectidentifier";
const PRIMARY_SID: &str = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarysid";
/// OIDs of inetOrgPerson, eduPerson and RFC 4524.
const OID_MAIL: &str = "urn:oid:0.9.2342.19200300.100.1.3";
const OID_DISPLAY_NAME: &str = "urn:oid:2.16.840.1.113730.3.1.241";
const OID_GIVEN_NAME: &str = "urn:oid:2.5.4.42";
const OID_SURNAME: &str = "urn:oid:2.5.4.4";
const OID_IS_MEMBER_OF: &str = "urn:oid:1.3.6.1.4.1.5923.1.5.1.1";

impl Preset {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Okta,
        Self::Entra,
        Self::Google,
        Self::Adfs,
        Self::Ping,
        Self::Shibboleth,
        Self::SimpleSamlPhp,
        Self::Keycloak,
    ];

    /// The name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Okta => "okta",
            Self::Entra => "entra",
            Self::Google => "google",
            Self::Adfs => "adfs",
            Self::Ping => "ping",
            Self::Shibboleth => "shibboleth",
            Self::SimpleSamlPhp => "simplesamlphp",
            Self::Keycloak => "keycloak",
        }
    }

    /// By its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The attributes that such a provider sends.
    pub fn mapping(self) -> Mapping {
        let bare = |groups: &[&str]| {
            let names =
                (&["displayName", "name"][..], &["firstName", "givenName"][..], &["lastName", "surname", "sn"][..]);
            mapping(SubjectChoice::NameId(None), &["email", "mail"], names, groups)
        };
        let oid = |groups: &[&str]| {
            let names = (
                &[OID_DISPLAY_NAME, "displayName", "cn"][..],
                &[OID_GIVEN_NAME, "givenName"][..],
                &[OID_SURNAME, "sn"][..],
            );
            mapping(
                SubjectChoice::NameId(Some(super::subject::PERSISTENT.to_owned())),
                &[OID_MAIL, "mail"],
                names,
                groups,
            )
        };
        let microsoft = |subject: &str, email: &[&str], name: &[&str], groups: &[&str]| {
            let names = (name, &[xmlsoap!("givenname")][..], &[xmlsoap!("surname")][..]);
            mapping(SubjectChoice::Attribute(subject.to_owned()), email, names, groups)
        };
        match self {
            Self::Okta | Self::Google | Self::Ping => bare(&["groups", "memberOf"]),
            Self::Entra => microsoft(
                OBJECT_IDENTIFIER,
                &[xmlsoap!("emailaddress")],
                &["http://schemas.microsoft.com/identity/claims/displayname"],
                &["http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"],
            ),
            Self::Adfs => microsoft(
                PRIMARY_SID,
                &[xmlsoap!("emailaddress")],
                &["http://schemas.xmlsoap.org/claims/CommonName"],
                &["http://schemas.xmlsoap.org/claims/Group"],
            ),
            Self::Shibboleth | Self::SimpleSamlPhp => oid(&[OID_IS_MEMBER_OF, "isMemberOf", "groups"]),
            Self::Keycloak => oid(&["groups", "Role"]),
        }
    }
}

fn mapping(subject: SubjectChoice, email: &[&str], names: (&[&str], &[&str], &[&str]), groups: &[&str]) -> Mapping {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Mapping {
        subject,
        email: list(email),
        name: list(names.0),
        given_name: list(names.1),
        family_name: list(names.2),
        groups: list(groups),
    }
}

/// Characters of a name or a group that are kept, and groups.
const TEXT_LIMIT: usize = 256;
const GROUPS_LIMIT: usize = 1_000;

impl Mapping {
    /// The values of the first of these names that has one. A FriendlyName is asked where no `Name` fits: some providers send
    /// numbers as names and leave the other one to people (SAML Core §2.7.3.1).
    fn values<'a>(attributes: &'a [Attribute], names: &[String]) -> &'a [String] {
        let with = |is_it: &dyn Fn(&Attribute, &String) -> bool| {
            names.iter().find_map(|name| {
                attributes
                    .iter()
                    .find(|one| is_it(one, name) && !one.values.is_empty())
                    .map(|one| one.values.as_slice())
            })
        };
        with(&|attribute, name| attribute.name == *name)
            .or_else(|| with(&|attribute, name| attribute.friendly_name.as_ref() == Some(name)))
            .unwrap_or_default()
    }

    /// The first value that is an address.
    pub(super) fn email_of(&self, attributes: &[Attribute]) -> Option<EmailAddress> {
        Self::values(attributes, &self.email).iter().find_map(|text| EmailAddress::parse(text).ok())
    }

    /// The whole name, or the given and the family name.
    pub(super) fn name_of(&self, attributes: &[Attribute]) -> Option<String> {
        let first = |names: &[String]| {
            Self::values(attributes, names).first().map(|text| text.trim()).filter(|text| !text.is_empty())
        };
        let parts = [first(&self.given_name), first(&self.family_name)];
        let joined = || parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let name = first(&self.name).map_or_else(joined, str::to_owned);
        (!name.is_empty()).then(|| cut(&name))
    }

    /// The groups, at most [`GROUPS_LIMIT`].
    pub(super) fn groups_of(&self, attributes: &[Attribute]) -> Vec<String> {
        Self::values(attributes, &self.groups).iter().take(GROUPS_LIMIT).map(|group| cut(group)).collect()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_LIMIT).collect()
}
