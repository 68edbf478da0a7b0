//! What an app posts to a product's own JSON login (`password_api`): read so that the product cannot read somebody else in it.
//!
//! Parsers differ about repeated members (RFC 8259 §4), and some find a member whatever its case. A body of which two readers could
//! see two addresses or two passwords is refused.

use crate::kernel::model::PasswordApi;
use crate::kernel::oidc::json::strict;
use serde_json::Value;
use zeroize::Zeroizing;

/// The most that such a body may have.
pub const APP_BODY: usize = 16 * 1024;

/// What an app posted.
pub struct AppLogin {
    /// As typed.
    pub email: String,
    /// As typed.
    pub password: Zeroizing<String>,
}

/// Reads a body. `None`: it is no object of that shape, or has more than one reading.
pub fn read_app_login(api: &PasswordApi, body: &[u8]) -> Option<AppLogin> {
    let mut said = strict(body, APP_BODY).ok()?;
    if !said.is_object() || !has_one_reading(&said) {
        return None;
    }
    let password = match said.pointer_mut(&api.password).map(Value::take)? {
        Value::String(password) => Zeroizing::new(password),
        _ => return None,
    };
    let email = said.pointer(&api.email)?.as_str()?.to_owned();
    // Spaces around it are nothing to us, and may be to the product.
    (email.trim() == email).then_some(AppLogin { email, password })
}

/// Whether no object has two members that differ only in case.
fn has_one_reading(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            let mut names: Vec<String> = members.keys().map(|name| folded(name)).collect();
            names.sort();
            let count = names.len();
            names.dedup();
            names.len() == count && members.values().all(has_one_reading)
        }
        Value::Array(list) => list.iter().all(has_one_reading),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// As readers that ignore case compare: by upper case first, since `ſ` has no other lower case and folds to `s`.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::ApiRefusal;

    #[test]
    fn a_body_has_one_reading_or_none() {
        let api = PasswordApi {
            path: "/1/authentication".to_owned(),
            email: "/user".to_owned(),
            password: "/password".to_owned(),
            refuse: ApiRefusal::default(),
        };
        let check = |body: &str, expected: Option<(&str, &str)>| {
            let read = read_app_login(&api, body.as_bytes());
            let read = read.as_ref().map(|read| (read.email.as_str(), read.password.as_str()));
            assert_eq!(read, expected, "{body}");
        };
        check(r#"{"user":"ann@a.com","password":"p","device":{"name":"x"}}"#, Some(("ann@a.com", "p")));
        check(r#"{"user":"ann@a.com","password":"p","user":"bob@a.com"}"#, None);
        check(r#"{"user":"ann@a.com","password":"p","User":"bob@a.com"}"#, None);
        check(r#"{"user":"ann@a.com","password":"p","uſer":"bob@a.com"}"#, None);
        check("{\"password\":\"p\",\"user\":\"ann@a.com\",\"device\":{\"\u{212a}ey\":1,\"key\":2}}", None);
        check(r#"[{"user":"ann@a.com","password":"p"}]"#, None);
        check(r#"{"user":"ann@a.com"}"#, None);
        check(r#"{"user":["ann@a.com"],"password":"p"}"#, None);
        check(r#"{"user":"ann@a.com","password":7}"#, None);
        check(r#"{"user":" ann@a.com","password":"p"}"#, None);
        check(r#"{"user":"ann@a.com","password":"p"} x"#, None);
        check("", None);
        check(&format!(r#"{{"user":"ann@a.com","password":"{}"}}"#, "p".repeat(APP_BODY)), None);
    }
}
