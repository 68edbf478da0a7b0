//! A sample OpenID Provider: code flow with PKCE, for demonstration only.
//!
//! Owned here: the provider's options and its paths. It may be started several times with other people and another colour. What
//! it keeps is in `state.rs`, in memory and bounded. It does what OpenID Connect Core, RFC 6749, 7636, 9207 and RP-Initiated
//! Logout ask of a provider for the code flow, so that a gateway can be tried against it without leniency.
//!
//! Deliberately absent: implicit and hybrid flows, refresh tokens, request objects, consent, dynamic registration, and any
//! protection of passwords (they stand on the login page).

mod authorize;
mod discovery;
mod end_session;
mod login;
mod request;
mod state;
mod token;
mod userinfo;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use minijinja::{Value, context};
use rustls::ServerConfig;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use super::NotStarted;
use super::http::{self, Entrance, Fields, Response, cookie, json, text};
use super::jose::Keys;
use super::people::Person;
use super::shell::Shell;
use crate::clock::Clock;
use crate::pages::{Colour, Name};
pub(super) use state::Table;
use state::{Session, State};

pub use super::jose::Alg;

/// The provider's own session. `__Host-` keeps it on this host name (RFC 6265bis §4.1.3.2).
const COOKIE: &str = "__Host-sample-issuer";

/// What a provider must be told about itself.
#[derive(Debug)]
pub struct Options {
    /// The issuer identifier: an origin without a slash at the end, as browsers and the gateway reach it.
    pub url: String,
    /// The port of 127.0.0.1 to listen on; 0 takes a free one (for a provider behind something that forwards to it).
    pub port: u16,
    /// Its certificate: the provider then speaks TLS itself, as a gateway has no way through for someone else's `Authorization`.
    /// None: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Its name for people.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Who can log in.
    pub people: &'static [Person],
    /// Who may ask.
    pub clients: Vec<Client>,
}

/// A registered relying party.
#[derive(Clone, Debug)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// `client_secret`, for `client_secret_basic` and `client_secret_post`.
    pub secret: SecretString,
    /// Compared exactly.
    pub redirect_uris: Vec<String>,
    /// Compared exactly.
    pub post_logout_redirect_uris: Vec<String>,
    /// What its ID tokens are signed with.
    pub alg: Alg,
}

struct Issuer {
    options: Options,
    keys: Keys,
    shell: Shell,
    clock: Clock,
    state: Mutex<State>,
}

/// Serves a provider until `stop`.
pub(super) fn serve(
    entrance: Entrance,
    options: Options,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), NotStarted> {
    let shell = Shell::new(options.colour)?;
    let issuer = Arc::new(Issuer { shell, keys: Keys::make()?, clock, state: Mutex::default(), options });
    http::serve(entrance, stop, move |request| {
        let issuer = issuer.clone();
        async move { issuer.answer(request).await }
    });
    Ok(())
}

impl Issuer {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let (parts, body) = request.into_parts();
        let query = Fields::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let fields = match parts.method {
            Method::GET | Method::HEAD => query,
            Method::POST => match Fields::of_body(body).await {
                Some(fields) => fields,
                None => return text(StatusCode::PAYLOAD_TOO_LARGE, "that form is too large\n"),
            },
            _ => return text(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n"),
        };
        self.route(&parts.method, parts.uri.path(), &parts.headers, &fields)
    }

    fn route(&self, method: &Method, path: &str, headers: &HeaderMap, fields: &Fields) -> Response {
        let is_post = method == Method::POST;
        match (path, is_post) {
            ("/.well-known/openid-configuration", false) => json(StatusCode::OK, &discovery::document(&self.options)),
            ("/jwks", false) => json(StatusCode::OK, &self.keys.public()),
            ("/authorize", _) => authorize::answer(self, headers, fields),
            ("/login", true) => login::answer(self, headers, fields),
            ("/token", true) => token::answer(self, headers, fields),
            ("/userinfo", _) => userinfo::answer(self, headers),
            ("/end_session", _) => end_session::answer(self, headers, fields),
            ("/end_session/confirm", true) => end_session::confirmed(self, headers, fields),
            ("/app.css", false) => self.shell.style(include_str!("../templates/issuer.css")),
            ("/healthz", false) => text(StatusCode::OK, "ok\n"),
            ("/", false) => self.front(headers),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    /// Who is logged in here; the gateway's `profile_url` in the demonstration.
    fn front(&self, headers: &HeaderMap) -> Response {
        let person = self.session(headers).map(|(_, session)| session.person);
        let title = if person.is_some() { "You’re logged in here" } else { "Nobody is logged in here" };
        let message = match person {
            Some(person) => format!("{} ({})", person.name, person.email),
            None => "Open one of the products to log in.".to_owned(),
        };
        self.message(StatusCode::OK, title, &message, context! { logout => person.is_some() })
    }

    /// A page that says one thing. `more` may hold `logout` (offer it) and `request` (fields to send along).
    fn message(&self, status: StatusCode, title: &str, message: &str, more: Value) -> Response {
        let frame = context! { issuer => self.frame(), title, message, logout => false, request => "" };
        self.shell.page(status, "message.html", context! { ..more, ..frame })
    }

    fn frame(&self) -> Value {
        context! { name => self.options.name.as_str(), initial => Name::configured(&self.options.name).initial() }
    }

    fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    /// The browser's session and its handle.
    fn session(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let handle = cookie(headers, COOKIE)?;
        let session = self.state().sessions.find(handle)?.clone();
        Some((handle.to_owned(), session))
    }

    fn client(&self, id: &str) -> Option<&Client> {
        self.options.clients.iter().find(|client| client.id == id)
    }

    /// What a panicking request left behind is usable: every change is one insertion or one removal.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
