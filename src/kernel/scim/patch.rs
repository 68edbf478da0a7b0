//! PATCH (RFC 7644 §3.5.2), in the dialects that are spoken: Entra writes `"op": "Add"`, values without a path whose members are paths,
//! and `"value": [{"value": "…"}]` for members that go; Okta sends an object with our own `id` in it.

use super::filter::{ENTERPRISE, Filter, Operator};
use super::path::Path;
use super::schema::{self, Attribute, EXTENSION, GROUP, OURS, USER};
use super::{Attributes, Complaint};
use serde_json::{Map, Value};

/// Operations of one request, at most: Entra sends below 20.
const MOST: usize = 200;

/// Which attributes a resource has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Of {
    /// A user.
    User,
    /// A group.
    Group,
}

impl Of {
    fn find(self, path: &Path) -> Option<&'static Attribute> {
        let attributes = match (self, path.extension) {
            (Self::User, false) => USER,
            (Self::User, true) => EXTENSION,
            (Self::Group, false) => GROUP,
            (Self::Group, true) => return None,
        };
        schema::find(attributes, &path.name)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Act {
    Add,
    Replace,
    Remove,
}

/// Applies the operations of a message to a resource in its one form; the outcome is to be brought into that form again.
///
/// # Errors
/// A [`Complaint`]; nothing is applied then.
pub fn apply(of: Of, (own, before): (&str, &Attributes), message: &Attributes) -> Result<Attributes, Complaint> {
    let operations = super::filter::member(message, "Operations").and_then(Value::as_array);
    let operations = operations.ok_or_else(|| Complaint::syntax("Operations is missing"))?;
    if operations.is_empty() || operations.len() > MOST {
        return Err(Complaint::syntax(format!("a message has 1 to {MOST} operations")));
    }
    let mut patch = Patch { of, own, resource: before.clone() };
    for operation in operations {
        let operation = operation.as_object().ok_or_else(|| Complaint::syntax("an operation is no object"))?;
        patch.operation(operation)?;
    }
    Ok(patch.resource)
}

struct Patch<'a> {
    of: Of,
    own: &'a str,
    resource: Attributes,
}

impl Patch<'_> {
    fn operation(&mut self, operation: &Attributes) -> Result<(), Complaint> {
        let act = match super::filter::member(operation, "op").and_then(Value::as_str) {
            Some(op) if op.eq_ignore_ascii_case("add") => Act::Add,
            Some(op) if op.eq_ignore_ascii_case("replace") => Act::Replace,
            Some(op) if op.eq_ignore_ascii_case("remove") => Act::Remove,
            _ => return Err(Complaint::syntax("op is none of add, replace and remove")),
        };
        let value = super::filter::member(operation, "value");
        match (super::filter::member(operation, "path"), act, value) {
            (Some(Value::String(path)), act, value) => self.at(&Path::parse(path)?, act, value),
            (None | Some(Value::Null), Act::Remove, _) => Err(Complaint::of("noTarget", "a remove has no path")),
            (None | Some(Value::Null), act, Some(Value::Object(members))) => {
                members.iter().try_for_each(|(name, value)| self.at(&Path::parse(name)?, act, Some(value)))
            }
            (None | Some(Value::Null), ..) => {
                Err(Complaint::value("an operation without a path has no object as its value"))
            }
            (Some(_), ..) => Err(Complaint::of("invalidPath", "a path is no text")),
        }
    }

    fn at(&mut self, path: &Path, act: Act, value: Option<&Value>) -> Result<(), Complaint> {
        if path.extension && path.name.is_empty() {
            return self.extension(act, value);
        }
        if !path.extension && OURS.iter().any(|ours| ours.eq_ignore_ascii_case(&path.name)) {
            // Okta repeats the id of what it means; to say another is to rename it.
            let same = path.name.eq_ignore_ascii_case("id") && value.and_then(Value::as_str) == Some(self.own);
            let kind = Complaint::of("mutability", format!("{} cannot be changed", path.name));
            return if same && act != Act::Remove { Ok(()) } else { Err(kind) };
        }
        let Some(attribute) = self.of.find(path) else {
            let dropped =
                schema::is_dropped(&path.name) && (!path.extension || path.name.eq_ignore_ascii_case("schemas"));
            return if dropped {
                Ok(())
            } else {
                Err(Complaint::of("invalidPath", "a path names an attribute that is unknown here"))
            };
        };
        let part = match &path.sub {
            Some(sub) => Some(
                schema::find(attribute.parts(), sub)
                    .ok_or_else(|| Complaint::of("invalidPath", "a path names a part that is unknown here"))?,
            ),
            None => None,
        };
        if act != Act::Remove && value.is_none() {
            return Err(Complaint::value("an operation has no value"));
        }
        let value = value.filter(|value| !value.is_null());
        let scope = self.scope(path.extension).ok_or_else(|| Complaint::value("the extension is no object"))?;
        let old = scope.remove(attribute.name);
        let new = match (&path.which, attribute.is_several()) {
            (None, true) if part.is_none() => many(attribute, old, act, value)?,
            (which, true) => some((attribute, part), old, which.as_ref(), (act, value))?,
            (None, false) => single((attribute, part), old, act, value)?,
            (Some(_), false) => return Err(Complaint::of("invalidPath", format!("{} has one value", attribute.name))),
        };
        if let Some(new) = new {
            scope.insert(attribute.name.to_owned(), new);
        }
        Ok(())
    }

    fn extension(&mut self, act: Act, value: Option<&Value>) -> Result<(), Complaint> {
        match (act, value) {
            (Act::Remove, _) => {
                self.resource.remove(ENTERPRISE);
                Ok(())
            }
            (act, Some(Value::Object(members))) => members.iter().try_for_each(|(name, value)| {
                let path = Path { extension: true, ..Path::parse(name)? };
                self.at(&path, act, Some(value))
            }),
            _ => Err(Complaint::value("the extension is no object")),
        }
    }

    fn scope(&mut self, extension: bool) -> Option<&mut Attributes> {
        if !extension {
            return Some(&mut self.resource);
        }
        self.resource.entry(ENTERPRISE).or_insert_with(|| Value::Object(Map::new())).as_object_mut()
    }
}

/// One value, or one part of it.
fn single(
    (attribute, part): (&'static Attribute, Option<&'static Attribute>),
    old: Option<Value>,
    act: Act,
    value: Option<&Value>,
) -> Result<Option<Value>, Complaint> {
    let mut parts = match old {
        Some(Value::Object(parts)) => parts,
        _ => Map::new(),
    };
    let (Act::Add | Act::Replace, Some(value)) = (act, value) else {
        // Nothing, said as null, is a removal (RFC 7644 §3.5.2.3).
        let Some(part) = part else { return Ok(None) };
        parts.remove(part.name);
        return Ok(Some(Value::Object(parts)));
    };
    match part {
        Some(part) => match part.read(value, 1)? {
            Some(value) => drop(parts.insert(part.name.to_owned(), value)),
            None => drop(parts.remove(part.name)),
        },
        None => match attribute.read(value, 1)? {
            // Parts that are not named stay (RFC 7644 §3.5.2.3).
            Some(Value::Object(given)) => parts.extend(given),
            other => return Ok(other),
        },
    }
    Ok(Some(Value::Object(parts)))
}

/// All values of an attribute.
fn many(
    attribute: &'static Attribute,
    old: Option<Value>,
    act: Act,
    value: Option<&Value>,
) -> Result<Option<Value>, Complaint> {
    let mut values = list(old);
    let given = value.map(|value| attribute.read(value, usize::MAX)).transpose()?.flatten();
    let given = list(given);
    match act {
        Act::Replace => values = given,
        Act::Remove if value.is_none() => values.clear(),
        // Entra names the members that go in the value.
        Act::Remove => {
            let gone: std::collections::HashSet<&str> = given.iter().filter_map(|one| one["value"].as_str()).collect();
            values.retain(|one| one["value"].as_str().is_none_or(|value| !gone.contains(value)));
        }
        Act::Add => {
            // The new primary value takes the place of the one before (RFC 7644 §3.5.2).
            if given.iter().any(is_primary) {
                values.iter_mut().for_each(unset_primary);
            }
            let known: std::collections::HashSet<String> = values.iter().map(Value::to_string).collect();
            values.extend(given.into_iter().filter(|one| !known.contains(&one.to_string())));
        }
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// Those values that meet a condition, or one part of all of them.
fn some(
    (attribute, part): (&'static Attribute, Option<&'static Attribute>),
    old: Option<Value>,
    which: Option<&Filter>,
    (act, value): (Act, Option<&Value>),
) -> Result<Option<Value>, Complaint> {
    let mut values = list(old);
    let meets = |one: &Value| which.is_none_or(|which| one.as_object().is_some_and(|parts| which.holds(parts)));
    if act == Act::Remove || value.is_none() {
        match part {
            None => values.retain(|one| !meets(one)),
            Some(part) => {
                for one in values.iter_mut().filter(|one| meets(one)) {
                    if let Some(parts) = one.as_object_mut() {
                        parts.remove(part.name);
                    }
                }
            }
        }
        return Ok((!values.is_empty()).then_some(Value::Array(values)));
    }
    let mut given = Map::new();
    match (part, value) {
        (Some(part), Some(value)) => given.extend(part.read(value, 1)?.map(|value| (part.name.to_owned(), value))),
        (None, Some(Value::Object(_))) => {
            let read = list(value.map(|value| attribute.read(value, 1)).transpose()?.flatten()).pop();
            given.extend(read.and_then(|read| read.as_object().cloned()).unwrap_or_default());
        }
        _ => return Err(Complaint::value(format!("a value of {} is no object", attribute.name))),
    }
    if given.get("primary") == Some(&Value::Bool(true)) {
        values.iter_mut().for_each(unset_primary);
    }
    if !values.iter().any(meets) {
        // Entra sets the work address of somebody who has none: the condition says what the new value is.
        let mut new = Map::new();
        let tells = which.is_none_or(|which| told(which, attribute, &mut new));
        if !tells {
            return Err(Complaint::of("noTarget", format!("no value of {} is meant", attribute.name)));
        }
        values.push(Value::Object(new));
    }
    for one in values.iter_mut().filter(|one| meets(one)) {
        if let Some(parts) = one.as_object_mut() {
            parts.extend(given.clone());
        }
    }
    Ok(Some(Value::Array(values)))
}

/// What a value must be to meet a condition, where that is said in so many words.
fn told(which: &Filter, attribute: &'static Attribute, new: &mut Attributes) -> bool {
    match which {
        Filter::And(one, other) => told(one, attribute, new) && told(other, attribute, new),
        Filter::Compare(named, Operator::Eq, value) if named.sub.is_none() && !named.extension => {
            let part = schema::find(attribute.parts(), &named.name);
            let value = part.and_then(|part| Some((part, part.read(value, 1).ok()??)));
            value.map(|(part, value)| new.insert(part.name.to_owned(), value)).is_some()
        }
        _ => false,
    }
}

fn list(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

fn is_primary(value: &Value) -> bool {
    value["primary"] == Value::Bool(true)
}

fn unset_primary(value: &mut Value) {
    if is_primary(value)
        && let Some(parts) = value.as_object_mut()
    {
        parts.remove("primary");
    }
}
