//! A sample SAML identity provider of a company: web browser SSO and single logout, for demonstration only.
//!
//! It answers one service provider, the gateway, at that one's registered addresses and nowhere else, whatever a request says;
//! that is why it need not verify requests. What it says is signed by a key that is made at start. What it keeps is in memory and
//! bounded.
//!
//! Deliberately absent: encryption, requests by form, responses that nobody asked for, and any protection of passwords (they stand
//! on the login page).

mod message;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;
use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Method, Request, StatusCode};
use minijinja::{Value, context};
use rustls::ServerConfig;
use subtle::ConstantTimeEq as _;
use tokio_util::sync::CancellationToken;

use super::NotStarted;
use super::http::{self, Entrance, Fields, Response, answer, cookie, is_same_origin, see_other, text, with};
use super::issuer::Table;
use super::jose::random_handle;
use super::people::Person;
use super::shell::Shell;
use crate::clock::Clock;
use crate::pages::{Colour, Name};
use message::{Asked, Signer};

/// The provider's own session. `__Host-` keeps it on this host name (RFC 6265bis §4.1.3.2); it comes along when a gateway sends a
/// person here by a link.
const COOKIE: &str = "__Host-sample-company";
/// Posts the form with the response.
const POST_SCRIPT: &str = "document.forms[0].submit();\n";

/// What the provider must be told about itself.
#[derive(Debug)]
pub struct Options {
    /// Its origin without a slash at the end, as browsers and the gateway reach it. Its entity id is `/metadata` there.
    pub url: String,
    /// The port of 127.0.0.1 to listen on; 0 takes a free one.
    pub port: u16,
    /// Its certificate; none: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Its name for people.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Who can log in.
    pub people: &'static [Person],
    /// The one service provider.
    pub party: Party,
}

/// The service provider that it answers.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its entity id.
    pub entity_id: String,
    /// Where responses go.
    pub acs: String,
    /// Where answers to logouts go.
    pub slo: String,
}

/// A browser in which someone logged in.
#[derive(Clone, Debug)]
struct Session {
    person: &'static Person,
    /// When the password was typed, milliseconds.
    at: i64,
    /// `SessionIndex`.
    index: String,
}

struct Provider {
    options: Options,
    signer: Signer,
    shell: Shell,
    clock: Clock,
    sessions: Mutex<Table<Session>>,
}

/// Serves the provider until `stop`.
pub(super) fn serve(
    entrance: Entrance,
    options: Options,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), NotStarted> {
    let (shell, signer) = (Shell::new(options.colour)?, Signer::make()?);
    let provider = Arc::new(Provider { shell, signer, clock, sessions: Mutex::default(), options });
    http::serve(entrance, stop, move |request| {
        let provider = provider.clone();
        async move { provider.answer(request).await }
    });
    Ok(())
}

impl Provider {
    async fn answer(&self, request: Request<Incoming>) -> Response {
        let (parts, body) = request.into_parts();
        let fields = match parts.method {
            Method::GET | Method::HEAD => Fields::parse(parts.uri.query().unwrap_or_default().as_bytes()),
            Method::POST => match Fields::of_body(body).await {
                Some(fields) => fields,
                None => return text(StatusCode::PAYLOAD_TOO_LARGE, "that form is too large\n"),
            },
            _ => return text(StatusCode::METHOD_NOT_ALLOWED, "not with this method\n"),
        };
        let headers = &parts.headers;
        match (parts.uri.path(), parts.method == Method::POST) {
            ("/metadata", false) => self.metadata(),
            ("/sso", false) => self.sign_on(headers, &fields),
            ("/login", true) => self.log_in(headers, &fields),
            ("/slo", false) => self.log_out(headers, &fields),
            ("/app.css", false) => self.shell.style(include_str!("../templates/issuer.css")),
            ("/post.js", false) => answer(StatusCode::OK, "text/javascript; charset=utf-8", POST_SCRIPT),
            ("/healthz", false) => text(StatusCode::OK, "ok\n"),
            ("/", false) => self.front(headers),
            _ => text(StatusCode::NOT_FOUND, "there is nothing here\n"),
        }
    }

    fn entity_id(&self) -> String {
        format!("{}/metadata", self.options.url)
    }

    fn metadata(&self) -> Response {
        let certificate = self.signer.certificate();
        let values = context! { entity_id => self.entity_id(), url => self.options.url.as_str(), certificate };
        match self.shell.document("saml_metadata.xml", values) {
            Some(document) => answer(StatusCode::OK, "application/samlmetadata+xml", document),
            None => broken(),
        }
    }

    /// `/sso`: a live session is enough, unless the request asks for a fresh login.
    fn sign_on(&self, headers: &HeaderMap, fields: &Fields) -> Response {
        let asked = match self.asked(fields) {
            Some(asked) => asked,
            None => return self.unknown(),
        };
        match self.session(headers).filter(|_| !asked.force) {
            Some((_, session)) => self.respond(&asked, Some(&session)),
            None => self.login_page(fields, None),
        }
    }

    /// A request of the one service provider.
    fn asked(&self, fields: &Fields) -> Option<Asked> {
        Asked::read(fields).filter(|asked| asked.issuer == self.options.party.entity_id)
    }

    fn unknown(&self) -> Response {
        let sentence = "This is no request of a service that this company knows.";
        self.message(StatusCode::BAD_REQUEST, "This login can’t go on", sentence)
    }

    fn login_page(&self, fields: &Fields, tried: Option<&str>) -> Response {
        let person = |person: &Person| context! { name => person.name, email => person.email, password => person.password, shows => person.shows };
        let people: Vec<Value> = self.options.people.iter().map(person).collect();
        let values = context! {
            issuer => self.frame(),
            request => fields.encode_without(&[]),
            email => tried.unwrap_or_default(),
            failed => tried.is_some(),
            known => Value::from(()),
            people,
        };
        self.shell.page(StatusCode::OK, "login.html", values)
    }

    /// The login form came back: fields `request`, `email`, `password`, or `cancel`.
    fn log_in(&self, headers: &HeaderMap, form: &Fields) -> Response {
        if !is_same_origin(headers, &self.options.url) {
            return text(StatusCode::FORBIDDEN, "this form was not sent from this site\n");
        }
        let fields = Fields::parse(form.one("request").unwrap_or_default().as_bytes());
        let asked = match self.asked(&fields) {
            Some(asked) => asked,
            None => return self.unknown(),
        };
        if form.one("cancel").is_some() {
            return self.respond(&asked, None);
        }
        let (email, password) = (form.one("email").unwrap_or_default(), form.one("password").unwrap_or_default());
        let person = self.options.people.iter().find(|person| person.email.eq_ignore_ascii_case(email.trim()));
        let Some(person) = person.filter(|person| bool::from(person.password.as_bytes().ct_eq(password.as_bytes())))
        else {
            return self.login_page(&fields, Some(email));
        };
        if let Some((old, _)) = self.session(headers) {
            self.sessions().remove(&old);
        }
        let session = Session { person, at: self.clock.now().millis(), index: format!("_{}", random_handle()) };
        let handle = random_handle();
        self.sessions().insert(handle.clone(), session.clone());
        let response = self.respond(&asked, Some(&session));
        with(response, SET_COOKIE, &format!("{COOKIE}={handle}; Path=/; Secure; HttpOnly; SameSite=Lax"))
    }

    /// A form that takes the signed response to the service provider; without a session it says that the person turned back.
    fn respond(&self, asked: &Asked, session: Option<&Session>) -> Response {
        let (now, party) = (self.clock.now(), &self.options.party);
        let values = message::response(&self.entity_id(), party, asked, session, now);
        let written = self.shell.document("saml_response.xml", values);
        match written.and_then(|document| self.signer.enveloped(document)) {
            Some(message) => {
                let (action, relay_state) = (party.acs.as_str(), asked.relay_state.as_deref());
                let values = context! { issuer => self.frame(), action, message, relay_state };
                self.shell.page(StatusCode::OK, "post.html", values)
            }
            None => broken(),
        }
    }

    /// `/slo`: the browser's session ends, and the service provider is told so.
    fn log_out(&self, headers: &HeaderMap, fields: &Fields) -> Response {
        let asked = match self.asked(fields) {
            Some(asked) => asked,
            None => return self.unknown(),
        };
        let handle = self.session(headers).map(|(handle, _)| handle);
        if let Some(handle) = handle {
            self.sessions().remove(&handle);
        }
        match self.signer.logout_response(&self.entity_id(), &self.options.party.slo, &asked, self.clock.now()) {
            Some(url) => see_other(&url),
            None => broken(),
        }
    }

    fn front(&self, headers: &HeaderMap) -> Response {
        match self.session(headers) {
            Some((_, session)) => {
                let who = format!("{} ({})", session.person.name, session.person.email);
                self.message(StatusCode::OK, "You’re logged in here", &who)
            }
            None => self.message(StatusCode::OK, "Nobody is logged in here", "Open one of the products to log in."),
        }
    }

    fn message(&self, status: StatusCode, title: &str, message: &str) -> Response {
        let values = context! { issuer => self.frame(), title, message, logout => false, request => "" };
        self.shell.page(status, "message.html", values)
    }

    fn frame(&self) -> Value {
        context! { name => self.options.name.as_str(), initial => Name::configured(&self.options.name).initial() }
    }

    /// The browser's session and its handle.
    fn session(&self, headers: &HeaderMap) -> Option<(String, Session)> {
        let handle = cookie(headers, COOKIE)?;
        let session = self.sessions().find(handle)?.clone();
        Some((handle.to_owned(), session))
    }

    /// What a panicking request left behind is usable: every change is one insertion or one removal.
    fn sessions(&self) -> MutexGuard<'_, Table<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A template or a key that does not do what it did when the demonstration started.
fn broken() -> Response {
    text(StatusCode::INTERNAL_SERVER_ERROR, "this sample provider is broken\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::people::INITECH;
    use crate::kernel::saml::{self as kernel, Head, Limits, Received, SignatureAlgorithm, SigningKeys, Trust};
    use crate::kernel::values::Timestamp;
    use http_body_util::BodyExt as _;
    use hyper::header::{COOKIE as COOKIE_FIELD, HeaderValue, LOCATION};
    use url::Url;

    const PARTY: &str = "https://id.example.test/saml/initech/metadata";

    fn provider() -> Provider {
        let party = |what: &str| format!("https://id.example.test/saml/initech/{what}");
        let options = Options {
            url: "https://initech.example.test".to_owned(),
            port: 0,
            tls: None,
            name: "Initech".to_owned(),
            colour: Colour::new(1, 2, 3),
            people: INITECH,
            party: Party { entity_id: party("metadata"), acs: party("acs"), slo: party("slo") },
        };
        let (shell, signer) = (Shell::new(options.colour).unwrap(), Signer::make().unwrap());
        Provider { shell, signer, clock: Clock::system(), sessions: Mutex::default(), options }
    }

    /// The fields of a request by redirect.
    fn asking(issuer: &str, force: bool) -> Fields {
        let destination = "https://initech.example.test/sso";
        let head = Head { id: "_asked", issued: Timestamp::from_seconds(1), destination, issuer };
        let request = kernel::authn_request(&head, "https://evil.example/acs", force, None);
        let query = kernel::query_to_sign(&request, true, Some("state"), SignatureAlgorithm::RsaSha256);
        Fields::parse(query.as_bytes())
    }

    async fn body(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    fn logging_in(fields: &Fields, password: &str) -> Fields {
        let request = fields.encode_without(&[]);
        let pairs = [("request", request.as_str()), ("email", "sam@initech.example"), ("password", password)];
        Fields::parse(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().as_bytes())
    }

    fn same_origin() -> HeaderMap {
        HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), HeaderValue::from_static("same-origin"))])
    }

    /// What a page of the provider posts, unescaped.
    fn posted(page: &str) -> Vec<u8> {
        let value =
            page.split("name=\"SAMLResponse\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        kernel::decode_post(value.replace("&#x2f;", "/").as_bytes(), Limits::MESSAGE).unwrap()
    }

    #[tokio::test]
    async fn what_it_says_of_a_person_is_signed_and_for_its_one_party_alone() {
        let provider = provider();
        let metadata = body(provider.metadata()).await;
        let metadata = kernel::ProviderMetadata::read(
            metadata.as_bytes(),
            None,
            None,
            crate::kernel::oidc::PlainHttp::Loopback,
            Timestamp::from_seconds(1),
        );
        let keys: SigningKeys = metadata.unwrap().keys;
        let fields = asking(PARTY, false);
        let wrong = body(provider.log_in(&same_origin(), &logging_in(&fields, "wrong"))).await;
        assert!(wrong.contains("don’t belong together") && !wrong.contains("SAMLResponse"), "{wrong}");
        let page = provider.log_in(&same_origin(), &logging_in(&fields, "initech-sam"));
        let cookie = page.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = body(page).await.replace("&#x2f;", "/");
        assert!(page.contains("action=\"https://id.example.test/saml/initech/acs\""), "{page}");
        assert!(page.contains("name=\"RelayState\" value=\"state\"") && !page.contains("evil.example"), "{page}");
        let trust = Trust { keys: &keys, decryption: None, cbc: false };
        let document = posted(&page);
        let received = Received::open(&document, &trust).expect("it holds");
        assert_eq!(received.name_id().expect("a name").value, INITECH[0].sub);
        assert!(received.signed_message().is_some());
        let altered = String::from_utf8(document).unwrap().replace("sam@initech", "mia@initech");
        assert!(Received::open(altered.as_bytes(), &trust).is_err());

        // The session is enough from then on, unless a fresh login is asked for; a stranger's request is none.
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE_FIELD, cookie.parse().unwrap());
        assert!(body(provider.sign_on(&headers, &fields)).await.contains("SAMLResponse"));
        assert!(!body(provider.sign_on(&headers, &asking(PARTY, true))).await.contains("SAMLResponse"));
        assert!(!body(provider.sign_on(&HeaderMap::new(), &fields)).await.contains("SAMLResponse"));
        let stranger = provider.sign_on(&headers, &asking("https://evil.example", false));
        assert_eq!(stranger.status(), StatusCode::BAD_REQUEST);
        // Another site's form logs nobody in.
        let foreign = provider.log_in(&HeaderMap::new(), &logging_in(&fields, "initech-sam"));
        assert_eq!(foreign.status(), StatusCode::FORBIDDEN);

        // A logout ends it, and the answer is signed.
        let answer = provider.log_out(&headers, &fields);
        let back = Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
        assert_eq!(back.path(), "/saml/initech/slo");
        let said = kernel::open_redirect(back.query().unwrap(), &keys).expect("it holds");
        assert!(!said.value().is_request && said.value().relay_state.as_deref() == Some("state"));
        assert!(!body(provider.sign_on(&headers, &fields)).await.contains("SAMLResponse"));
    }
}
