//! Who an assertion is about: the value that never changes, and where it was read from (rule C1).

use super::SamlFault;
use super::assertion::{Assertion, Attribute, NameId};
use super::connection::Connection;
use crate::kernel::model::SubjectSource;
use crate::kernel::values::EmailAddress;
use serde_json::json;

/// NameID formats (SAML Core §8.3).
pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
/// The value is an e-mail address, which is given to another person one day.
pub const EMAIL: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";
/// The value stays the same for this provider and us.
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// The value is another one at each login: never a subject.
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

/// Where a directory's subjects are read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SubjectChoice {
    /// The NameID, of this format if one is given. `…:transient` is refused whatever is given.
    NameId(Option<String>),
    /// The one value of the attribute with this `Name`.
    Attribute(String),
}

impl SubjectChoice {
    /// The name space of the subjects, as far as it is known before one is read: a NameID's has a format, and qualifiers only where
    /// the provider writes unusual ones.
    pub fn name_space(&self) -> Option<SubjectSource> {
        match self {
            Self::Attribute(name) => Some(SubjectSource(json!(["attribute", name]).to_string())),
            Self::NameId(Some(format)) => {
                let none: Option<&str> = None;
                Some(SubjectSource(json!(["nameid", format, none, none]).to_string()))
            }
            Self::NameId(None) => None,
        }
    }
}

/// Something that an administrator should know about a login that was let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Warning {
    /// The subject is an e-mail address: who gets the address later would get the account.
    SubjectIsEmail,
}

impl Warning {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::SubjectIsEmail => "saml-subject-is-email",
        }
    }
}

/// A subject in its name space.
pub(super) struct Subject {
    pub(super) source: SubjectSource,
    pub(super) value: String,
    pub(super) warning: Option<Warning>,
}

impl Subject {
    /// Reads the subject that the connection chose.
    pub(super) fn of(assertion: &Assertion, connection: &Connection) -> Result<Self, SamlFault> {
        let (source, value, format) = match &connection.mapping.subject {
            SubjectChoice::NameId(wanted) => {
                let name_id = assertion.name_id.as_ref().ok_or(SamlFault::Subject)?;
                let format = name_id.format.as_str();
                if format == TRANSIENT || wanted.as_deref().is_some_and(|wanted| wanted != format) {
                    return Err(SamlFault::SubjectFormat);
                }
                (name_space(name_id, connection), &name_id.value, Some(format))
            }
            SubjectChoice::Attribute(name) => {
                (SubjectSource(json!(["attribute", name]).to_string()), only(&assertion.attributes, name)?, None)
            }
        };
        let clean = (1..=255).contains(&value.len()) && value.trim() == value && !value.chars().any(char::is_control);
        if !clean {
            return Err(SamlFault::Subject);
        }
        let is_email = format == Some(EMAIL) || EmailAddress::parse(value).is_ok();
        Ok(Self { source, value: value.clone(), warning: is_email.then_some(Warning::SubjectIsEmail) })
    }
}

/// The name space of a NameID: its format and qualifiers. A qualifier that says what its absence says (§8.3.7: the provider, and
/// us) is left out, so that a provider that begins to write it keeps its people.
fn name_space(name_id: &NameId, connection: &Connection) -> SubjectSource {
    let but = |qualifier: &Option<String>, usual: &str| qualifier.clone().filter(|qualifier| qualifier != usual);
    let provider = but(&name_id.name_qualifier, &connection.provider);
    let party = but(&name_id.sp_name_qualifier, &connection.entity_id);
    SubjectSource(json!(["nameid", name_id.format, provider, party]).to_string())
}

/// The only value of the only attribute of that name.
fn only<'a>(attributes: &'a [Attribute], name: &str) -> Result<&'a String, SamlFault> {
    let mut values = attributes.iter().filter(|attribute| attribute.name == name).flat_map(|found| &found.values);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(SamlFault::Subject),
    }
}
