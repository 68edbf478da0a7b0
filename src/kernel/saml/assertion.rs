//! What an assertion says, read from the very nodes that were canonicalised for its digest.
//!
//! Plain values: what they must be is the judge's matter. What has two readings is refused here: repeated elements, texts with
//! elements inside, types that a schema would swap, times with a zone.

use super::SamlFault;
use super::xml::{self, Node, SAML, attribute, child, children, is, word};
use crate::kernel::values::Timestamp;
use chrono::NaiveDateTime;

/// `xsi:`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Attributes and values that are read; real assertions have under 60 attributes, and groups by the thousand.
const ATTRIBUTES: usize = 256;
const VALUES: usize = 4_096;

/// An assertion (SAML Core §2.3.3). Only [`Signed`](super::Signed) makes it evidence.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// `ID`: used once.
    pub id: String,
    /// `Version`.
    pub version: String,
    /// `IssueInstant`.
    pub issued: Timestamp,
    /// Issuer's text.
    pub issuer: String,
    /// Subject's NameID; an encrypted or other identifier is none.
    pub name_id: Option<NameId>,
    /// Subject's confirmations, in order.
    pub confirmations: Vec<Confirmation>,
    /// Conditions.
    pub conditions: Option<Conditions>,
    /// Statements of an authentication.
    pub authentications: Vec<Authentication>,
    /// All attributes of all statements, in order.
    pub attributes: Vec<Attribute>,
}

/// A NameID (§2.2.3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NameId {
    /// Its whole text.
    pub value: String,
    /// `Format`; `…:unspecified` where it is absent.
    pub format: String,
    /// `NameQualifier`.
    pub name_qualifier: Option<String>,
    /// `SPNameQualifier`.
    pub sp_name_qualifier: Option<String>,
}

/// A SubjectConfirmation and its data (§2.4.1.1).
#[derive(Clone, Debug)]
pub struct Confirmation {
    /// `Method`.
    pub method: String,
    /// `Recipient`.
    pub recipient: Option<String>,
    /// `InResponseTo`.
    pub in_response_to: Option<String>,
    /// `NotBefore`, which a bearer confirmation must not have.
    pub not_before: Option<Timestamp>,
    /// `NotOnOrAfter`.
    pub not_on_or_after: Option<Timestamp>,
}

/// Conditions (§2.5.1).
#[derive(Clone, Debug)]
pub struct Conditions {
    /// `NotBefore`.
    pub not_before: Option<Timestamp>,
    /// `NotOnOrAfter`.
    pub not_on_or_after: Option<Timestamp>,
    /// The audiences of each AudienceRestriction: all restrictions must hold, each by one of its audiences.
    pub audiences: Vec<Vec<String>>,
    /// Names of conditions that are not understood. OneTimeUse and ProxyRestriction are.
    pub unknown: Vec<String>,
}

/// An AuthnStatement (§2.7.2).
#[derive(Clone, Debug)]
pub struct Authentication {
    /// `AuthnInstant`.
    pub instant: Timestamp,
    /// `SessionIndex`.
    pub session_index: Option<String>,
    /// `SessionNotOnOrAfter`.
    pub session_not_on_or_after: Option<Timestamp>,
    /// AuthnContextClassRef.
    pub class: Option<String>,
}

/// An Attribute (§2.7.3.1).
#[derive(Clone, Debug)]
pub struct Attribute {
    /// `Name`.
    pub name: String,
    /// `FriendlyName`.
    pub friendly_name: Option<String>,
    /// The texts of its values; values with structure of their own are left out, but for a single NameID.
    pub values: Vec<String>,
}

impl Assertion {
    /// Reads a `saml:Assertion`. Whoever calls this has verified the node, and hands it out as [`Signed`](super::Signed).
    pub(super) fn read(node: Node<'_>) -> Result<Self, SamlFault> {
        refuse_other_types(node)?;
        let known = ["Issuer", "Subject", "Conditions", "Advice", "AuthnStatement", "AttributeStatement"];
        for part in xml::elements(node)? {
            let fits = known.iter().any(|name| is(part, SAML, name)) || is(part, xml::DS, "Signature");
            if !fits {
                return Err(SamlFault::Shape);
            }
        }
        let subject = child(node, SAML, "Subject")?;
        Ok(Self {
            id: needed(node, "ID")?,
            version: needed(node, "Version")?,
            issued: time(node, "IssueInstant")?.ok_or(SamlFault::Time)?,
            issuer: word(child(node, SAML, "Issuer")?.ok_or(SamlFault::Shape)?)?.to_owned(),
            name_id: subject.map(name_id).transpose()?.flatten(),
            confirmations: subject.map(confirmations).transpose()?.unwrap_or_default(),
            conditions: child(node, SAML, "Conditions")?.map(conditions).transpose()?,
            authentications: children(node, SAML, "AuthnStatement").map(authentication).collect::<Result<_, _>>()?,
            attributes: attributes(node)?,
        })
    }
}

/// `xsi:type` and `xsi:nil` would let a schema read an element as another; only values of attributes may have them.
fn refuse_other_types(node: Node<'_>) -> Result<(), SamlFault> {
    let typed = |node: &Node<'_>| {
        node.attributes()
            .any(|attribute| attribute.namespace() == Some(XSI) && matches!(attribute.name(), "type" | "nil"))
    };
    let other = node.descendants().find(|part| part.is_element() && !is(*part, SAML, "AttributeValue") && typed(part));
    if other.is_some() { Err(SamlFault::Shape) } else { Ok(()) }
}

pub(super) fn needed(node: Node<'_>, name: &str) -> Result<String, SamlFault> {
    attribute(node, name).map(str::to_owned).ok_or(SamlFault::Shape)
}

fn optional(node: Node<'_>, name: &str) -> Option<String> {
    attribute(node, name).map(str::to_owned)
}

/// The NameID in an element; an EncryptedID or BaseID is none, two identifiers are an error.
pub(super) fn name_id(parent: Node<'_>) -> Result<Option<NameId>, SamlFault> {
    let Some(node) = child(parent, SAML, "NameID")? else { return Ok(None) };
    if parent.children().any(|other| is(other, SAML, "EncryptedID") || is(other, SAML, "BaseID")) {
        return Err(SamlFault::Shape);
    }
    Ok(Some(NameId {
        value: xml::text(node)?.to_owned(),
        format: attribute(node, "Format").unwrap_or(super::subject::UNSPECIFIED).to_owned(),
        name_qualifier: optional(node, "NameQualifier"),
        sp_name_qualifier: optional(node, "SPNameQualifier"),
    }))
}

fn confirmations(subject: Node<'_>) -> Result<Vec<Confirmation>, SamlFault> {
    let read = |node| {
        let data = child(node, SAML, "SubjectConfirmationData")?;
        let text = |name| data.and_then(|data| optional(data, name));
        let at = |name| data.map_or(Ok(None), |data| time(data, name));
        Ok(Confirmation {
            method: needed(node, "Method")?,
            recipient: text("Recipient"),
            in_response_to: text("InResponseTo"),
            not_before: at("NotBefore")?,
            not_on_or_after: at("NotOnOrAfter")?,
        })
    };
    children(subject, SAML, "SubjectConfirmation").map(read).collect()
}

fn conditions(node: Node<'_>) -> Result<Conditions, SamlFault> {
    let mut audiences = Vec::new();
    let mut unknown = Vec::new();
    for part in xml::elements(node)? {
        if is(part, SAML, "AudienceRestriction") {
            let named = children(part, SAML, "Audience").map(|audience| word(audience).map(str::to_owned));
            audiences.push(named.collect::<Result<_, _>>()?);
        } else if !is(part, SAML, "OneTimeUse") && !is(part, SAML, "ProxyRestriction") {
            unknown.push(part.tag_name().name().to_owned());
        }
    }
    let not_before = time(node, "NotBefore")?;
    Ok(Conditions { not_before, not_on_or_after: time(node, "NotOnOrAfter")?, audiences, unknown })
}

fn authentication(node: Node<'_>) -> Result<Authentication, SamlFault> {
    let context = child(node, SAML, "AuthnContext")?;
    let class = context.map(|context| child(context, SAML, "AuthnContextClassRef")).transpose()?.flatten();
    Ok(Authentication {
        instant: time(node, "AuthnInstant")?.ok_or(SamlFault::Time)?,
        session_index: optional(node, "SessionIndex"),
        session_not_on_or_after: time(node, "SessionNotOnOrAfter")?,
        class: class.map(|class| word(class).map(str::to_owned)).transpose()?,
    })
}

fn attributes(node: Node<'_>) -> Result<Vec<Attribute>, SamlFault> {
    let mut found = Vec::new();
    let mut count = 0;
    let statements = children(node, SAML, "AttributeStatement");
    for attribute in statements.flat_map(|statement| children(statement, SAML, "Attribute")) {
        let values = values(attribute)?;
        count += values.len();
        if found.len() >= ATTRIBUTES || count > VALUES {
            return Err(SamlFault::Shape);
        }
        let friendly_name = optional(attribute, "FriendlyName");
        found.push(Attribute { name: needed(attribute, "Name")?, friendly_name, values });
    }
    Ok(found)
}

fn values(attribute: Node<'_>) -> Result<Vec<String>, SamlFault> {
    let mut found = Vec::new();
    for value in children(attribute, SAML, "AttributeValue") {
        if !value.children().any(|part| part.is_element()) {
            found.push(xml::text(value)?.to_owned());
        } else if let Ok([only]) = xml::elements(value).as_deref()
            && is(*only, SAML, "NameID")
        {
            // eduPersonTargetedID of Shibboleth.
            found.push(xml::text(*only)?.to_owned());
        }
    }
    Ok(found)
}

/// A time attribute: `xs:dateTime` in UTC with `Z` and at most nine digits of a second (SAML Core §1.3.3).
pub(super) fn time(node: Node<'_>, name: &str) -> Result<Option<Timestamp>, SamlFault> {
    attribute(node, name).map(|text| parse_time(text).ok_or(SamlFault::Time)).transpose()
}

pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = match text.strip_suffix('Z')?.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (text.strip_suffix('Z')?, "0"),
    };
    // chrono would take shorter and signed fields.
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let shape = whole.len() == 19
        && whole.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            _ => is_digit(byte),
        })
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(is_digit)
        // A leap second has no place in a count of seconds.
        && !whole.ends_with("60");
    let time = shape.then(|| NaiveDateTime::parse_from_str(whole, "%Y-%m-%dT%H:%M:%S").ok()).flatten()?;
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(Timestamp::from_millis(time.and_utc().timestamp_millis() + millis))
}

#[cfg(test)]
mod tests {
    use super::parse_time;

    #[test]
    fn a_time_has_one_form() {
        for (text, millis) in [
            ("2026-11-22T11:49:13Z", Some(1_795_348_153_000)),
            ("2026-11-22T11:49:13.5Z", Some(1_795_348_153_500)),
            ("2026-11-22T11:49:13.123456789Z", Some(1_795_348_153_123)),
            ("2026-11-22T11:49:13", None),
            ("2026-11-22T11:49:13+00:00", None),
            ("2026-11-22T11:49:13.Z", None),
            ("2026-11-22T11:49:60Z", None),
            ("2026-11-22T24:00:00Z", None),
            ("2026-02-30T11:49:13Z", None),
            ("2026-11-22t11:49:13Z", None),
            ("+026-11-22T11:49:13Z", None),
            (" 2026-11-22T11:49:13Z", None),
            ("2026-11-22T11:49:13ZZ", None),
        ] {
            assert_eq!(parse_time(text).map(|time| time.millis()), millis, "{text}");
        }
    }
}
