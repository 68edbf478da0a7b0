//! What an app asks for at the authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9449 §10).

use super::bytes32;
use crate::kernel::model::{App, Redirect, Thumbprint};
use crate::kernel::values::AppName;

/// Characters of a `state`: more would not fit into the address that it goes back in.
const STATE_LIMIT: usize = 512;

/// A request that holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppAsk<'a> {
    /// Whose.
    pub app: &'a App,
    /// Which of its redirects.
    pub redirect: &'a Redirect,
    /// That redirect, as it was asked for: with its port.
    pub to: String,
    /// Goes back with the answer.
    pub state: Option<String>,
    /// SHA-256 of the verifier.
    pub challenge: [u8; 32],
    /// The key that the code shall be bound to, where the app says so beforehand.
    pub bound_to: Option<Thumbprint>,
    /// The app wants no page to be shown (`prompt=none`).
    pub silent: bool,
}

/// A request that does not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BadAsk {
    /// No app of this product, or no redirect of it: nobody is sent anywhere (RFC 6749 §4.1.2.1).
    Nowhere,
    /// The app is told.
    Told {
        /// Where.
        to: String,
        /// Its own `state`.
        state: Option<String>,
        /// What is wrong.
        fault: AskFault,
    },
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AskFault {
    /// A parameter comes twice, or is too long.
    Parameter,
    /// `response_type` is not `code`, or `response_mode` is not `query`.
    ResponseType,
    /// No `code_challenge` of 43 characters with `code_challenge_method=S256`.
    Challenge,
    /// `dpop_jkt` is no thumbprint.
    Key,
    /// There are no scopes.
    Scope,
    /// A request by value or by reference.
    Request,
    /// `prompt` is no word that is understood.
    Prompt,
}

impl AskFault {
    /// The error code of RFC 6749 §4.1.2.1 (and OpenID Connect Core §3.1.2.6), and a sentence for the app's developer.
    pub const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Parameter => ("invalid_request", "a parameter comes twice or is too long"),
            Self::ResponseType => ("unsupported_response_type", "response_type is code, response_mode is query"),
            Self::Challenge => ("invalid_request", "code_challenge with code_challenge_method=S256 is required"),
            Self::Key => ("invalid_request", "dpop_jkt is a SHA-256 thumbprint in base64url"),
            Self::Scope => ("invalid_scope", "there are no scopes: leave scope out"),
            Self::Request => ("request_not_supported", "parameters stand in the query"),
            Self::Prompt => ("invalid_request", "prompt is none, login or consent"),
        }
    }
}

/// Parameters, each once.
struct Parameters<'a>(&'a [(String, String)]);

impl Parameters<'_> {
    fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.next().filter(|_| found.next().is_none())
    }

    fn has_twice(&self) -> bool {
        self.0.iter().enumerate().any(|(place, (name, _))| self.0.iter().take(place).any(|(other, _)| other == name))
    }
}

/// Judges the parameters of a request, in their order, against the apps of the product at whose host it came in.
///
/// # Errors
/// [`BadAsk`]: who is told what.
pub fn judge_ask<'a>(parameters: &[(String, String)], apps: &'a [App]) -> Result<AppAsk<'a>, BadAsk> {
    let said = Parameters(parameters);
    let app = said.one("client_id").and_then(|id| AppName::parse(id).ok());
    let app = app.and_then(|id| apps.iter().find(|app| app.name == id)).ok_or(BadAsk::Nowhere)?;
    let to = said.one("redirect_uri").ok_or(BadAsk::Nowhere)?;
    let redirect = app.redirects.iter().find(|redirect| redirect.holds(to)).ok_or(BadAsk::Nowhere)?;
    let state = said.one("state").filter(|state| state.len() <= STATE_LIMIT).map(ToOwned::to_owned);
    let asked = rest(&said).map_err(|fault| BadAsk::Told { to: to.to_owned(), state: state.clone(), fault })?;
    let (challenge, bound_to, silent) = asked;
    Ok(AppAsk { app, redirect, to: to.to_owned(), state, challenge, bound_to, silent })
}

type Rest = ([u8; 32], Option<Thumbprint>, bool);

fn rest(said: &Parameters<'_>) -> Result<Rest, AskFault> {
    let is_long = said.one("state").is_some_and(|state| state.len() > STATE_LIMIT);
    if said.has_twice() || is_long {
        return Err(AskFault::Parameter);
    }
    if said.one("request").is_some() || said.one("request_uri").is_some() {
        return Err(AskFault::Request);
    }
    if said.one("response_type") != Some("code") || said.one("response_mode").is_some_and(|mode| mode != "query") {
        return Err(AskFault::ResponseType);
    }
    if said.one("scope").is_some_and(|scope| !scope.trim().is_empty()) {
        return Err(AskFault::Scope);
    }
    let is_s256 = said.one("code_challenge_method") == Some("S256");
    let challenge = said.one("code_challenge").and_then(bytes32).filter(|_| is_s256).ok_or(AskFault::Challenge)?;
    let bound_to = match said.one("dpop_jkt") {
        Some(text) => Some(Thumbprint::parse(text).ok_or(AskFault::Key)?),
        None => None,
    };
    let silent = match said.one("prompt") {
        Some("none") => true,
        None | Some("login" | "consent") => false,
        Some(_) => return Err(AskFault::Prompt),
    };
    Ok((challenge, bound_to, silent))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn apps() -> Vec<App> {
        let app = |name: &str, redirect: &str| App {
            name: AppName::parse(name).unwrap(),
            label: name.to_owned(),
            redirects: vec![Redirect::parse(redirect).unwrap()],
        };
        vec![app("phone", "com.example.board:/login"), app("desk", "http://127.0.0.1/cb")]
    }

    fn fine() -> Vec<(&'static str, &'static str)> {
        vec![
            ("response_type", "code"),
            ("client_id", "desk"),
            ("redirect_uri", "http://127.0.0.1:5004/cb"),
            ("state", "s"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    /// What becomes of a good request in which a parameter is set to something else, or taken away.
    fn with(name: &str, value: Option<&str>) -> Result<String, String> {
        let mut said = fine();
        said.retain(|(key, _)| *key != name);
        said.extend(value.map(|value| (name, value)));
        ask(&said)
    }

    fn ask(said: &[(&str, &str)]) -> Result<String, String> {
        let said: Vec<_> = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        match judge_ask(&said, &apps()) {
            Ok(ask) => Ok(format!("{} {} {}", ask.app.name, ask.to, ask.silent)),
            Err(BadAsk::Nowhere) => Err("nowhere".to_owned()),
            Err(BadAsk::Told { to, state, fault }) => {
                assert_eq!(to, "http://127.0.0.1:5004/cb");
                Err(format!("{} {}", fault.told().0, state.unwrap_or_default()))
            }
        }
    }

    #[test]
    fn h16_a_request_names_an_app_its_redirect_and_a_challenge() {
        assert_eq!(with("x", None).unwrap(), "desk http://127.0.0.1:5004/cb false");
        assert_eq!(with("prompt", Some("none")).unwrap(), "desk http://127.0.0.1:5004/cb true");
        assert_eq!(with("scope", Some("")).unwrap(), "desk http://127.0.0.1:5004/cb false");
        assert!(with("dpop_jkt", Some(CHALLENGE)).is_ok());
        let nowhere = Err("nowhere".to_owned());
        for (name, value) in [
            ("client_id", None),
            ("client_id", Some("nobody")),
            ("client_id", Some("phone")),
            ("redirect_uri", None),
            ("redirect_uri", Some("https://evil.example/cb")),
            ("redirect_uri", Some("com.example.board:/login")),
        ] {
            assert_eq!(with(name, value), nowhere, "{name} {value:?}");
        }
        for (name, value, told) in [
            ("response_type", None, "unsupported_response_type s"),
            ("response_type", Some("token"), "unsupported_response_type s"),
            ("response_mode", Some("fragment"), "unsupported_response_type s"),
            ("code_challenge", None, "invalid_request s"),
            ("code_challenge", Some("short"), "invalid_request s"),
            ("code_challenge_method", None, "invalid_request s"),
            ("code_challenge_method", Some("plain"), "invalid_request s"),
            ("dpop_jkt", Some("x"), "invalid_request s"),
            ("scope", Some("openid"), "invalid_scope s"),
            ("request", Some("e30"), "request_not_supported s"),
            ("request_uri", Some("https://a"), "request_not_supported s"),
            ("prompt", Some("select"), "invalid_request s"),
            ("state", Some(&"s".repeat(513)), "invalid_request "),
        ] {
            assert_eq!(with(name, value), Err(told.to_owned()), "{name} {value:?}");
        }
    }

    #[test]
    fn what_comes_twice_has_no_meaning() {
        let twice = |name: &'static str, value: &'static str| {
            let mut said = fine();
            said.push((name, value));
            ask(&said)
        };
        assert_eq!(twice("client_id", "desk"), Err("nowhere".to_owned()));
        assert_eq!(twice("redirect_uri", "http://127.0.0.1:5004/cb"), Err("nowhere".to_owned()));
        assert_eq!(twice("code_challenge", CHALLENGE), Err("invalid_request s".to_owned()));
        assert_eq!(twice("state", "t"), Err("invalid_request ".to_owned()));
    }
}
