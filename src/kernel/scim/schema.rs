//! Which attributes are kept, and the one form of a resource: names spelled as RFC 7643 spells them, booleans as booleans, nothing
//! that is empty, nothing unknown.

use super::filter::{CORE, ENTERPRISE, member};
use super::{Attributes, Complaint};
use serde_json::{Map, Value, json};

/// Characters of one text, at most: twice an address.
const LONGEST: usize = 512;
/// Values of one attribute of a user, at most.
const MOST: usize = 20;

/// What an attribute holds.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text.
    Text,
    /// Yes or no; Entra writes them as texts.
    Flag,
    /// Parts.
    Parts(&'static [Attribute]),
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// As RFC 7643 spells it.
    pub name: &'static str,
    kind: Kind,
    several: bool,
    required: bool,
    about: &'static str,
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    Attribute { name, kind: Kind::Text, several: false, required: false, about }
}

const fn flag(name: &'static str, about: &'static str) -> Attribute {
    Attribute { name, kind: Kind::Flag, several: false, required: false, about }
}

/// What a user has (RFC 7643 §4.1), as far as it is kept.
pub const USER: &[Attribute] = &[
    Attribute {
        required: true,
        ..text("userName", "What the provider calls the person; an address, where emails has none.")
    },
    text("externalId", "The provider's own id of the person. It never changes hands."),
    Attribute {
        kind: Kind::Parts(&[
            text("formatted", "The whole name."),
            text("familyName", "The family name."),
            text("givenName", "The given name."),
            text("middleName", "Further names."),
            text("honorificPrefix", "What stands before the name."),
            text("honorificSuffix", "What stands after the name."),
        ]),
        ..text("name", "The person's name in its parts.")
    },
    text("displayName", "The name that is shown."),
    text("nickName", "What friends say."),
    text("title", "The person's job."),
    text("userType", "How the person belongs to the organization."),
    text("preferredLanguage", "In which language the person wants to read."),
    text("locale", "How the person writes dates and numbers."),
    text("timezone", "Where the person's clock is."),
    flag("active", "Whether the person may act."),
    Attribute {
        kind: Kind::Parts(&[
            text("value", "The address."),
            text("display", "How it is shown."),
            text("type", "What it is for, such as work."),
            flag("primary", "Whether it is the one that counts."),
        ]),
        several: true,
        ..text("emails", "Addresses; the primary one is the account's, else the one for work.")
    },
];

/// What the enterprise extension adds (RFC 7643 §4.3).
pub const EXTENSION: &[Attribute] = &[
    text("employeeNumber", "The organization's number of the person."),
    text("costCenter", "Who pays."),
    text("organization", "Where in the organization."),
    text("division", "Which division."),
    text("department", "Which department."),
    Attribute {
        kind: Kind::Parts(&[text("value", "Whom the person answers to."), text("displayName", "Their name.")]),
        ..text("manager", "Whom the person answers to.")
    },
];

/// What a group has (RFC 7643 §4.2). Its members are rows of their own.
pub const GROUP: &[Attribute] = &[
    Attribute { required: true, ..text("displayName", "What allow and policies name it by.") },
    text("externalId", "The provider's own id of the group."),
    Attribute {
        kind: Kind::Parts(&[text("value", "The id of a user."), text("$ref", "Where the user is.")]),
        several: true,
        ..text("members", "Who is in it.")
    },
];

/// What is shown of a user's groups, and never taken (RFC 7643 §4.1.2).
const GROUPS: Attribute = Attribute {
    kind: Kind::Parts(&[
        text("value", "The id of a group."),
        text("display", "The group's name."),
        text("$ref", "Where the group is."),
    ]),
    several: true,
    ..text("groups", "The groups that the person is in.")
};

/// What RFC 7643 knows and nobody here needs: taken without a word, and not kept.
const NOT_KEPT: [&str; 10] = [
    "profileUrl",
    "password",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
    "schemas",
];

/// What only we say.
pub const OURS: [&str; 3] = ["id", "meta", "groups"];

/// Whether texts of an attribute are compared letter by letter.
pub(super) fn is_exact(name: &str) -> bool {
    ["id", "externalId"].iter().any(|exact| name.eq_ignore_ascii_case(exact))
}

/// Whether an attribute is known and not kept.
pub(super) fn is_dropped(name: &str) -> bool {
    NOT_KEPT.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// An attribute by its name, whatever its case.
pub(super) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

impl Attribute {
    /// Its parts; none where it has none.
    pub(super) fn parts(&self) -> &'static [Attribute] {
        match self.kind {
            Kind::Parts(parts) => parts,
            Kind::Text | Kind::Flag => &[],
        }
    }

    /// Whether it has several values.
    pub(super) fn is_several(&self) -> bool {
        self.several
    }

    /// A value in its one form; `None`: there is none.
    ///
    /// # Errors
    /// A [`Complaint`] of kind `invalidValue`.
    pub(super) fn read(&self, value: &Value, most: usize) -> Result<Option<Value>, Complaint> {
        if !self.several {
            return self.read_one(value);
        }
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        if list.len() > most {
            return Err(Complaint::value(format!("{} has too many values", self.name)));
        }
        let read: Result<Vec<Option<Value>>, Complaint> = list.iter().map(|one| self.read_one(one)).collect();
        let mut values: Vec<Value> = Vec::new();
        for value in read?.into_iter().flatten() {
            // Said twice is said once; members are many, and are told apart where they are looked up.
            if most > MOST || !values.contains(&value) {
                values.push(value);
            }
        }
        if values.iter().filter(|value| value["primary"] == Value::Bool(true)).count() > 1 {
            return Err(Complaint::value(format!("{} has more than one primary value", self.name)));
        }
        Ok((!values.is_empty()).then_some(Value::Array(values)))
    }

    fn read_one(&self, value: &Value) -> Result<Option<Value>, Complaint> {
        let wrong = || Complaint::value(format!("{} has a value of another kind", self.name));
        match (self.kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::Text, Value::String(text)) if text.is_empty() => Ok(None),
            (Kind::Text, Value::String(text)) => {
                let fits = text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
                if fits {
                    Ok(Some(value.clone()))
                } else {
                    Err(Complaint::value(format!("{} is too long or has control characters", self.name)))
                }
            }
            (Kind::Flag, Value::Bool(_)) => Ok(Some(value.clone())),
            (Kind::Flag, Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true.into())),
            (Kind::Flag, Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false.into())),
            (Kind::Parts(parts), Value::Object(given)) => {
                let read = read(parts, given, MOST)?;
                Ok((!read.is_empty()).then_some(Value::Object(read)))
            }
            // Entra writes a manager, and some write an address, as the text that its `value` is.
            (Kind::Parts(parts), Value::String(text)) if find(parts, "value").is_some() => {
                Ok((!text.is_empty()).then(|| json!({ "value": text })))
            }
            (Kind::Text | Kind::Flag | Kind::Parts(_), _) => Err(wrong()),
        }
    }
}

fn read(attributes: &'static [Attribute], given: &Attributes, most: usize) -> Result<Attributes, Complaint> {
    let mut one_form = Map::new();
    for attribute in attributes {
        if given.keys().filter(|name| name.eq_ignore_ascii_case(attribute.name)).count() > 1 {
            return Err(Complaint::syntax(format!("{} is said twice", attribute.name)));
        }
        let value = member(given, attribute.name).map(|value| attribute.read(value, most)).transpose()?.flatten();
        if let Some(value) = value {
            one_form.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(one_form)
}

/// A user in its one form.
///
/// # Errors
/// A [`Complaint`]: what is missing or of another kind.
pub fn user(given: &Attributes) -> Result<Attributes, Complaint> {
    let mut user = read(USER, given, MOST)?;
    if !user.contains_key("userName") {
        return Err(Complaint::value("userName is missing"));
    }
    if let Some(extension) = member(given, ENTERPRISE) {
        let extension = extension.as_object().ok_or_else(|| Complaint::value("the extension is no object"))?;
        let extension = read(EXTENSION, extension, MOST)?;
        if !extension.is_empty() {
            user.insert(ENTERPRISE.to_owned(), Value::Object(extension));
        }
    }
    Ok(user)
}

/// A group in its one form, with at most `most` members.
///
/// # Errors
/// A [`Complaint`]: what is missing or of another kind.
pub fn group(given: &Attributes, most: usize) -> Result<Attributes, Complaint> {
    let group = read(GROUP, given, most)?;
    if group.contains_key("displayName") { Ok(group) } else { Err(Complaint::value("displayName is missing")) }
}

/// What `/Schemas` says.
pub fn schemas() -> Vec<Value> {
    let schema = |id: &str, name: &str, attributes: &[Attribute]| {
        let shown = Some(&GROUPS).filter(|_| id == CORE[0]);
        let attributes = attributes.iter().chain(shown);
        let attributes: Vec<Value> = attributes.map(|one| one.described(one.mutability(id == CORE[1]))).collect();
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id, "name": name, "description": name, "attributes": attributes,
        })
    };
    vec![
        schema(CORE[0], "User", USER),
        schema(CORE[1], "Group", GROUP),
        schema(ENTERPRISE, "EnterpriseUser", EXTENSION),
    ]
}

impl Attribute {
    /// Who may say it: members come and go and never change, and groups are shown.
    fn mutability(&self, of_group: bool) -> &'static str {
        match self.name {
            "groups" => "readOnly",
            "value" | "$ref" if of_group => "immutable",
            _ => "readWrite",
        }
    }

    fn within(&self, whole: &str, mutability: &'static str) -> &'static str {
        match whole {
            "members" => self.mutability(true),
            _ => mutability,
        }
    }

    fn described(&self, mutability: &'static str) -> Value {
        let is_reference = self.name == "$ref";
        let kind = match self.kind {
            Kind::Text if is_reference => "reference",
            Kind::Text => "string",
            Kind::Flag => "boolean",
            Kind::Parts(_) => "complex",
        };
        let unique = if self.name == "userName" { "server" } else { "none" };
        let mut described = json!({
            "name": self.name, "type": kind, "multiValued": self.several, "description": self.about,
            "required": self.required, "caseExact": is_exact(self.name), "returned": "default", "uniqueness": unique,
            "mutability": mutability,
        });
        if let Some(table) = described.as_object_mut().filter(|_| is_reference) {
            let kind = if mutability == "readOnly" { "Group" } else { "User" };
            table.insert("referenceTypes".to_owned(), json!([kind]));
        }
        if let (Kind::Parts(parts), Some(table)) = (self.kind, described.as_object_mut()) {
            let parts: Vec<Value> =
                parts.iter().map(|part| part.described(part.within(self.name, mutability))).collect();
            table.insert("subAttributes".to_owned(), parts.into());
        }
        described
    }
}
