//! What a user's resource says of an account.

use super::{Attributes, Complaint};
use crate::kernel::values::EmailAddress;
use serde_json::Value;

/// What is read of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// The account's address.
    pub email: EmailAddress,
    /// The name to show, as sent.
    pub name: Option<String>,
    /// Whether the person may act; none where nothing is said: then it stays as it is.
    pub active: Option<bool>,
    /// `userName` as it is compared: without regard to case (RFC 7643 §4.1.1).
    pub user_name: String,
    /// `externalId`, letter by letter.
    pub external_id: Option<String>,
}

/// Reads a user in its one form. The address is the primary one, else the one for work, else the only one, else `userName`.
///
/// # Errors
/// A [`Complaint`]: there is no address.
pub fn read(user: &Attributes) -> Result<Person, Complaint> {
    let text = |name: &str| user.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let user_name = text("userName").ok_or_else(|| Complaint::value("userName is missing"))?;
    let address = address(user).unwrap_or(&user_name);
    let email = EmailAddress::parse(address).map_err(|_| {
        Complaint::value("neither emails nor userName has an e-mail address that people can log in with")
    })?;
    let name = user.get("name").and_then(Value::as_object);
    let part = |part: &str| name.and_then(|name| name.get(part)).and_then(Value::as_str);
    let joined = [part("givenName"), part("familyName")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Ok(Person {
        email,
        name: text("displayName")
            .or_else(|| part("formatted").map(ToOwned::to_owned))
            .or_else(|| (!joined.is_empty()).then_some(joined)),
        active: user.get("active").and_then(Value::as_bool),
        user_name: user_name.to_lowercase(),
        external_id: text("externalId"),
    })
}

fn address(user: &Attributes) -> Option<&str> {
    let emails: Vec<&Attributes> = user.get("emails")?.as_array()?.iter().filter_map(Value::as_object).collect();
    let first = |meant: &dyn Fn(&Attributes) -> bool| emails.iter().find(|one| meant(one)).copied();
    let is_work = |one: &Attributes| {
        one.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
    };
    let chosen = first(&|one| one.get("primary") == Some(&Value::Bool(true)))
        .or_else(|| first(&is_work))
        .or_else(|| emails.first().copied().filter(|_| emails.len() == 1));
    chosen?.get("value")?.as_str()
}
