//! `password_api` of a product: its own JSON logins for apps.

use super::Reader;
use super::paths::For;
use super::values::{each, text};
use crate::config::file::{ApiRefusal as WrittenRefusal, At, PasswordApi as WrittenApi, Product as Written, Text};
use crate::config::finding::Code;
use crate::kernel::model::{ApiRefusal, PasswordApi};

impl Reader<'_> {
    /// The paths at which apps log in. Without local passwords nobody could.
    pub(super) fn password_api(&mut self, place: &str, written: &At<Written>) -> Vec<PasswordApi> {
        let Some(listed) = &written.password_api else { return Vec::new() };
        if !matches!(text(&written.passwords), Some("here" | "product")) {
            let write =
                "write passwords = \"product\" with an adapter, or passwords = \"here\", or remove password_api";
            self.missing(listed.span(), place, "passwords", write);
        }
        let mut found: Vec<PasswordApi> = Vec::new();
        for one in listed.iter() {
            let Some(api) = self.one_api(place, one, written) else { continue };
            if found.iter().any(|other| other.path == api.path) {
                let what = format!("{:?} is written twice", api.path);
                self.say.error(Code::Path, one.span(), what, "leave one of them");
            } else {
                found.push(api);
            }
        }
        found
    }

    fn one_api(&mut self, place: &str, one: &At<WrittenApi>, written: &At<Written>) -> Option<PasswordApi> {
        let place = format!("{place} password_api");
        let (Some(path), Some(email)) = (&one.path, &one.email) else {
            let (key, write) = match one.path {
                None => ("path", "write path = \"/1/authentication\""),
                Some(_) => ("email", "write email = \"/user\": where the address stands in the body"),
            };
            self.missing(one.span(), &place, key, write);
            return None;
        };
        if !self.path(path, For::Door) {
            return None;
        }
        let doors = written.doors.as_ref();
        let lists = doors.map(|doors| [&doors.login, &doors.logout, &doors.reset, &doors.signup]);
        if lists.into_iter().flatten().flat_map(each).any(|door| door.as_str() == path.as_str()) {
            let what = format!("{:?} is a door already", path.as_str());
            self.say.error(Code::Path, path.span(), what, "leave it in one of them");
            return None;
        }
        let password = self.pointer(&one.password).unwrap_or_else(|| "/password".to_owned());
        let email = self.pointer(&Some(email.clone()))?;
        let refuse = self.api_refusal(one.refuse.as_ref());
        Some(PasswordApi { path: path.to_string(), email, password, refuse })
    }

    /// A JSON Pointer to something inside the body (RFC 6901 §3).
    fn pointer(&mut self, written: &Text) -> Option<String> {
        let written = written.as_ref()?;
        let text = written.as_str();
        let escapes = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        if !text.starts_with('/') || !escapes {
            let what = format!("{text:?} is not a JSON Pointer");
            self.say.error(
                Code::Value,
                written.span(),
                what,
                "write \"/user\", or \"/login/email\" for a member of a member",
            );
        }
        Some(text.to_owned())
    }

    fn api_refusal(&mut self, written: Option<&At<WrittenRefusal>>) -> ApiRefusal {
        let usual = ApiRefusal::default();
        let Some(written) = written else { return usual };
        let mut status = usual.status;
        if let Some(asked) = &written.status {
            status = **asked;
            if !(400..=499).contains(&status) {
                let what = format!("{status} is not the status of a refusal");
                self.say.error(Code::Value, asked.span(), what, "write a status from 400 to 499");
            }
        }
        let Some(body) = &written.body else { return ApiRefusal { status, ..usual } };
        let refusal = ApiRefusal { status, body: body.to_string() };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(&refusal.with(text)).is_ok();
        if !json("a") || !json("a \"b\" \\") {
            let what = "the body of a refusal is not JSON once a sentence stands in it";
            self.say.error(Code::Value, body.span(), what, "write body = '{\"message\":\"{text}\"}'");
        }
        refusal
    }
}
