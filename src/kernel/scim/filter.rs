//! Filters (RFC 7644 §3.4.2.2): read by a parser with limits, printed, and asked of a resource.

use super::schema::is_exact;
use super::{Attributes, Complaint};
use serde_json::Value;
use std::fmt;

/// The longest filter, in bytes: what clients send is below 200.
const LONGEST: usize = 1024;
/// Brackets and negations within each other, at most.
const DEEPEST: usize = 16;
/// Comparisons in one filter, at most.
const MOST: usize = 32;

/// The extension whose attributes are kept beside the core ones (RFC 7643 §4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The core schemas: their attributes may be written with them in front.
pub const CORE: [&str; 2] =
    ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"];

/// Names an attribute: `userName`, `name.givenName`, or one of the enterprise extension.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribute {
    /// Of the enterprise extension.
    pub extension: bool,
    /// Its name as written; compared without regard to case (RFC 7643 §2.1).
    pub name: String,
    /// A part of it.
    pub sub: Option<String>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater; of texts in their order.
    Gt,
    /// Greater or equal.
    Ge,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
}

const OPERATORS: [(&str, Operator); 9] = [
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("co", Operator::Co),
    ("sw", Operator::Sw),
    ("ew", Operator::Ew),
    ("gt", Operator::Gt),
    ("ge", Operator::Ge),
    ("lt", Operator::Lt),
    ("le", Operator::Le),
];

/// A condition on a resource, or on one of an attribute's values.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Both.
    And(Box<Filter>, Box<Filter>),
    /// One of them.
    Or(Box<Filter>, Box<Filter>),
    /// The contrary.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(Attribute),
    /// A value of the attribute compares so with a text, number, boolean or null.
    Compare(Attribute, Operator, Value),
    /// One value of the attribute meets all of this.
    Each(Attribute, Box<Filter>),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A [`Complaint`] of kind `invalidFilter`.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let mut reader = Reader::new(text)?;
        let filter = reader.either(0)?;
        if reader.rest.trim_start().is_empty() { Ok(filter) } else { Err(wrong("something stands after its end")) }
    }

    /// Whether a resource meets it.
    pub fn holds(&self, resource: &Attributes) -> bool {
        match self {
            Self::And(one, other) => one.holds(resource) && other.holds(resource),
            Self::Or(one, other) => one.holds(resource) || other.holds(resource),
            Self::Not(one) => !one.holds(resource),
            Self::Present(attribute) => values(attribute, resource).iter().any(|value| is_present(value)),
            Self::Compare(attribute, operator, wanted) => {
                let found = values(attribute, resource);
                let exact = is_exact(&attribute.name);
                match operator {
                    // What is not there is different from every value, and the same as none.
                    Operator::Ne => !found.iter().any(|value| compares(value, Operator::Eq, wanted, exact)),
                    Operator::Eq if wanted.is_null() => !found.iter().any(|value| is_present(value)),
                    operator => found.iter().any(|value| compares(value, *operator, wanted, exact)),
                }
            }
            Self::Each(attribute, inner) => values(attribute, resource)
                .iter()
                .any(|value| value.as_object().is_some_and(|parts| inner.holds(parts))),
        }
    }

    /// What an attribute must be equal to, where the filter is that and nothing else: it is then looked up.
    pub fn equal_to(&self, name: &str) -> Option<&str> {
        match self {
            Self::Compare(attribute, Operator::Eq, Value::String(wanted))
                if !attribute.extension && attribute.sub.is_none() && attribute.name.eq_ignore_ascii_case(name) =>
            {
                Some(wanted)
            }
            _ => None,
        }
    }
}

/// The values of an attribute, each of several on its own; of an attribute with parts, asked without one, its `value` as well.
fn values<'a>(attribute: &Attribute, resource: &'a Attributes) -> Vec<&'a Value> {
    let scope =
        if attribute.extension { member(resource, ENTERPRISE).and_then(Value::as_object) } else { Some(resource) };
    let Some(found) = scope.and_then(|scope| member(scope, &attribute.name)) else { return Vec::new() };
    let each: Vec<&Value> = found.as_array().map_or_else(|| vec![found], |list| list.iter().collect());
    match &attribute.sub {
        Some(sub) => each.iter().filter_map(|value| member(value.as_object()?, sub)).collect(),
        None => each,
    }
}

/// A member by its name, whatever its case.
pub(super) fn member<'a>(resource: &'a Attributes, name: &str) -> Option<&'a Value> {
    resource
        .get(name)
        .or_else(|| resource.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(parts) => !parts.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn compares(found: &Value, operator: Operator, wanted: &Value, exact: bool) -> bool {
    // `emails eq "ann@acme.com"` means the value of one of them (RFC 7643 §2.4).
    let found = found.as_object().and_then(|parts| parts.get("value")).unwrap_or(found);
    match (found, wanted) {
        (Value::String(found), Value::String(wanted)) if exact => compare_texts(found, operator, wanted),
        (Value::String(found), Value::String(wanted)) => {
            compare_texts(&found.to_lowercase(), operator, &wanted.to_lowercase())
        }
        (Value::Bool(found), Value::Bool(wanted)) => operator == Operator::Eq && found == wanted,
        // Entra writes booleans as texts.
        (Value::Bool(found), Value::String(wanted)) => {
            operator == Operator::Eq && wanted.eq_ignore_ascii_case(if *found { "true" } else { "false" })
        }
        (Value::Number(found), Value::Number(wanted)) => operator == Operator::Eq && found == wanted,
        _ => false,
    }
}

fn compare_texts(found: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Eq => found == wanted,
        Operator::Ne => found != wanted,
        Operator::Co => found.contains(wanted),
        Operator::Sw => found.starts_with(wanted),
        Operator::Ew => found.ends_with(wanted),
        Operator::Gt => found > wanted,
        Operator::Ge => found >= wanted,
        Operator::Lt => found < wanted,
        Operator::Le => found <= wanted,
    }
}

fn wrong(what: &str) -> Complaint {
    Complaint::of("invalidFilter", format!("the filter cannot be read: {what}"))
}

/// Reads from the front.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a str,
    terms: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Complaint> {
        if text.len() > LONGEST { Err(wrong("it is too long")) } else { Ok(Self { rest: text, terms: 0 }) }
    }

    /// `or` binds least.
    pub(super) fn either(&mut self, depth: usize) -> Result<Filter, Complaint> {
        let mut left = self.both(depth)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Ok(left)
    }

    fn both(&mut self, depth: usize) -> Result<Filter, Complaint> {
        let mut left = self.term(depth)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.term(depth)?));
        }
        Ok(left)
    }

    fn term(&mut self, depth: usize) -> Result<Filter, Complaint> {
        if depth >= DEEPEST {
            return Err(wrong("it is too deep"));
        }
        self.terms += 1;
        if self.terms > MOST {
            return Err(wrong("it is too long"));
        }
        if self.sign('(') {
            return self.closed(depth);
        }
        if self.is_negation() {
            return Ok(Filter::Not(Box::new(self.closed(depth)?)));
        }
        let attribute = self.attribute()?;
        if self.sign('[') {
            if attribute.sub.is_some() {
                return Err(wrong("a condition in brackets follows a whole attribute"));
            }
            let inner = self.either(depth + 1)?;
            return match self.sign(']') {
                true => Ok(Filter::Each(attribute, Box::new(inner))),
                false => Err(wrong("`]` is missing")),
            };
        }
        if self.word("pr") {
            return Ok(Filter::Present(attribute));
        }
        let operator = OPERATORS.iter().find(|(word, _)| self.word(word)).map(|(_, operator)| *operator);
        let operator = operator.ok_or_else(|| wrong("an operator is missing"))?;
        Ok(Filter::Compare(attribute, operator, self.literal()?))
    }

    fn closed(&mut self, depth: usize) -> Result<Filter, Complaint> {
        let inner = self.either(depth + 1)?;
        if self.sign(')') { Ok(inner) } else { Err(wrong("`)` is missing")) }
    }

    /// `not (`: without the bracket it is an attribute's name.
    fn is_negation(&mut self) -> bool {
        let before = self.rest;
        let negates = self.word("not") && self.sign('(');
        if !negates {
            self.rest = before;
        }
        negates
    }

    /// `name`, `name.part`, or either after the name of a schema.
    pub(super) fn attribute(&mut self) -> Result<Attribute, Complaint> {
        self.rest = self.rest.trim_start();
        let mut extension = false;
        for (schema, is_extension) in [(ENTERPRISE, true), (CORE[0], false), (CORE[1], false)] {
            let head = self.rest.get(..schema.len()).filter(|head| head.eq_ignore_ascii_case(schema));
            if let Some(rest) = head.and_then(|_| self.rest.get(schema.len()..)?.strip_prefix(':')) {
                (self.rest, extension) = (rest, is_extension);
                break;
            }
        }
        let name = self.name()?;
        let sub = match self.rest.strip_prefix('.') {
            Some(rest) => {
                self.rest = rest;
                Some(self.name()?)
            }
            None => None,
        };
        Ok(Attribute { extension, name, sub })
    }

    /// A letter or `$`, then letters, digits, `-`, `_` (RFC 7643 §2.1).
    pub(super) fn name(&mut self) -> Result<String, Complaint> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$');
        let end = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$') {
            return Err(wrong("an attribute's name is missing"));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    /// A value as JSON writes it.
    fn literal(&mut self) -> Result<Value, Complaint> {
        self.rest = self.rest.trim_start();
        let end = match self.rest.strip_prefix('"') {
            Some(inside) => end_of_text(inside).map(|end| end + 1),
            None => Some(self.rest.find([' ', ')', ']']).unwrap_or(self.rest.len())),
        };
        let (text, rest) =
            end.and_then(|end| self.rest.split_at_checked(end)).ok_or_else(|| wrong("a value has no end"))?;
        let value: Value =
            serde_json::from_str(text).map_err(|_| wrong("a value is no JSON; texts stand in quotes"))?;
        if value.is_array() || value.is_object() {
            return Err(wrong("a value is a text, a number, true, false or null"));
        }
        self.rest = rest;
        Ok(value)
    }

    pub(super) fn sign(&mut self, sign: char) -> bool {
        match self.rest.trim_start().strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A whole word, whatever its case.
    fn word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some((head, after)) = rest.split_at_checked(word.len()) else { return false };
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$' | '.' | ':'));
        let is_it = head.eq_ignore_ascii_case(word) && ends;
        if is_it {
            self.rest = after;
        }
        is_it
    }
}

/// After the quote that ends a text, counted from behind the one that began it.
fn end_of_text(inside: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.extension {
            write!(f, "{ENTERPRISE}:")?;
        }
        f.write_str(&self.name)?;
        self.sub.as_ref().map_or(Ok(()), |sub| write!(f, ".{sub}"))
    }
}

/// What reads back as the same filter.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Both join from the left, so that only what stands on the right, or binds less, needs brackets.
        let side = |f: &mut fmt::Formatter<'_>, side: &Self, bare: bool| {
            if bare { write!(f, "{side}") } else { write!(f, "({side})") }
        };
        match self {
            Self::And(one, other) => {
                side(f, one, !matches!(**one, Self::Or(..)))?;
                f.write_str(" and ")?;
                side(f, other, !matches!(**other, Self::Or(..) | Self::And(..)))
            }
            Self::Or(one, other) => {
                side(f, one, true)?;
                f.write_str(" or ")?;
                side(f, other, !matches!(**other, Self::Or(..)))
            }
            Self::Not(one) => write!(f, "not ({one})"),
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::Compare(attribute, operator, wanted) => {
                let word = OPERATORS.iter().find(|(_, known)| known == operator).map_or("eq", |(word, _)| word);
                write!(f, "{attribute} {word} {wanted}")
            }
            Self::Each(attribute, inner) => write!(f, "{attribute}[{inner}]"),
        }
    }
}
