//! What the data path, the login and the pages say to each other about HTTP: the session check and our own routes as two ports.
//!
//! The data path owns connections and bodies; it knows sessions and pages only through [`Sessions`] and [`Routes`], and what an
//! authority issued through [`issued::Issued`].

pub mod issued;

mod end;
mod identity;
mod replay;

pub use end::End;
pub use identity::{FIELDS, IDENTITY_FIELDS, Identity};
pub use replay::{Expired, Kept, Lost, Offer, Replays, Taken, Unsent};

use crate::kernel::app::PersonalToken;
use crate::kernel::model::Product;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{
    AccountId, LoginSessionId, OrgName, Origin, ProductAccountId, ProductName, ProductSessionId, SessionKey, Timestamp,
    Token, Wishes,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// What the data path asks for each request that carries a session cookie.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The cookie's token.
    pub token: &'a Token,
    /// What finds its session ([`Sessions::key`]), where the asker has remembered it.
    pub key: Option<SessionKey>,
    /// The product that the request is for.
    pub product: &'a ProductName,
    /// The host that it came to; a session of another host is no session.
    pub host: &'a Origin,
    /// Where it came from, through trusted proxies only.
    pub client: IpAddr,
    /// Read once per request.
    pub now: Timestamp,
    /// Whether the person caused this request (it then counts as activity).
    pub active: bool,
}

/// What the data path asks for a request that carries an API token of a product's own and no session (rule C7).
#[derive(Clone, Copy, Debug)]
pub struct TokenAsk<'a> {
    /// Whose token it would be.
    pub product: &'a Arc<Product>,
    /// The value of `Authorization`.
    pub authorization: &'a str,
    /// Where it came from, through trusted proxies only.
    pub client: IpAddr,
}

/// What the data path asks for a request that carries an access token of an app (rule H16).
#[derive(Clone, Copy, Debug)]
pub struct AppAsk<'a> {
    /// The token.
    pub token: &'a Token,
    /// The same, as it was shown.
    pub shown: &'a str,
    /// The `DPoP` field, where the token was shown by that scheme.
    pub proof: Option<&'a str>,
    /// The request's method.
    pub method: &'a str,
    /// The host that it came to.
    pub host: &'a Origin,
    /// Its path in normal form.
    pub path: &'a str,
    /// Read once per request.
    pub now: Timestamp,
}

/// What an app's token is found by.
#[derive(Clone, Copy, Debug)]
pub struct AppKey {
    /// For [`Ask::key`].
    pub session: SessionKey,
    /// SHA-256 that names the proof; none where the token was shown without one.
    pub proof: Option<[u8; 32]>,
}

/// The answer to [`Ask`] and [`TokenAsk`].
#[derive(Clone, Debug)]
pub enum Admission {
    /// Forward with this identity.
    Admitted(Arc<LiveSession>),
    /// Unknown, ended or expired: log in.
    Nobody,
    /// Known, and turned away.
    Refused(Refusal),
    /// It cannot be said now: the store is out and no grace covers it.
    Unavailable,
}

/// A session that is admitted at a product.
#[derive(Debug)]
pub struct LiveSession {
    /// The `sid` of assertions and access lines.
    pub sid: ProductSessionId,
    /// Its parent.
    pub login: LoginSessionId,
    /// Who.
    pub account: AccountId,
    /// The record at the product.
    pub product_account: ProductAccountId,
    /// The product.
    pub product: ProductName,
    /// The organization that manages the person.
    pub org: Option<OrgName>,
    /// When its person last proved themselves by more than a password (rule M6); none by `i64::MIN`, which spares a million sessions
    /// eight bytes each.
    pub proved_at: Timestamp,
    /// What is sent to the product; replaced before it expires.
    pub identity: ArcSwap<Identity>,
    /// Comes when the session ends, whichever way: every request and stream of it must end.
    pub ended: End,
    /// Milliseconds of the last activity, by [`Timestamp`].
    pub last_seen: AtomicI64,
}

impl LiveSession {
    /// What stands in `proved_at` for a person who never did.
    pub const NEVER: Timestamp = Timestamp::from_millis(i64::MIN);

    /// When its person last proved themselves by more than a password.
    pub fn proved_at(&self) -> Option<Timestamp> {
        (self.proved_at != Self::NEVER).then_some(self.proved_at)
    }
}

/// The session check of the data path.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// What finds a token's session, for whoever sees the token again: a keyed hash, which costs. `None` when it costs nothing.
    fn key(&self, _: &Token) -> Option<SessionKey> {
        None
    }

    /// What finds the session of an app's access token, and its proof; `None` when the proof does not hold. Who knows no apps finds none.
    fn app_key(&self, _: &AppAsk<'_>) -> Option<AppKey> {
        None
    }

    /// What finds the session of a personal token: by the keys of now, then by those of before. Who knows no such tokens finds none.
    fn personal_keys(&self, _: &PersonalToken) -> Vec<SessionKey> {
        Vec::new()
    }

    /// Whether a proof comes for the first time. To be asked once its token is known to be good: strangers fill no memory.
    fn is_first(&self, _: &AppKey) -> bool {
        false
    }

    /// Answers from memory, without waiting; `None` when the store must be asked (unknown token, lapsed lease, stale assertion).
    fn cached(&self, ask: &Ask<'_>) -> Option<Admission>;

    /// Answers from the store.
    async fn admit(&self, ask: &Ask<'_>) -> Admission;

    /// Answers for a product's own API token. Who knows no owner of tokens admits none.
    async fn admit_token(&self, _: &TokenAsk<'_>) -> Admission {
        Admission::Nobody
    }

    /// Whether what is remembered is known to be true now: not while the store is out.
    fn is_current(&self) -> bool {
        true
    }

    /// What is asked about requests of expired sessions; without it none is kept (rule H9).
    fn replays(&self) -> Option<&dyn Replays> {
        None
    }
}

/// Where a request for one of our own pages came in.
#[derive(Clone, Debug)]
pub enum Place {
    /// The login host.
    Login,
    /// A product host: `/.fedgate/…`, or one of its doors.
    Product {
        /// The product.
        product: Arc<Product>,
        /// The host, exactly as configured.
        host: Origin,
        /// The paths of all its doors; no login leads back to one (rule M11).
        doors: Arc<[String]>,
        /// The domain that the product may set cookies for, besides its hosts (rule H6).
        cookie_domain: Option<String>,
    },
}

/// How the names of cookies of logins under way begin (rule H10).
pub const PENDING_COOKIE: &str = "__Host-fedgate-in-";

/// A request for one of our own pages.
#[derive(Debug)]
pub struct PageRequest {
    /// Method, path and query in normal form, header fields as the client sent them.
    pub head: Parts,
    /// At most 64 KiB; 512 KiB for a SAML response in a browser with a login under way.
    pub body: Bytes,
    /// Where it came in.
    pub place: Place,
    /// Which of the product's doors it is, if it is one.
    pub door: Option<Door>,
    /// The client's address, through trusted proxies only.
    pub client: IpAddr,
    /// The id in `X-Request-Id` and logs.
    pub request_id: String,
    /// Read once.
    pub now: Timestamp,
}

/// A product's own door that we answer at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Door {
    /// Its login page.
    Login,
    /// Its logout.
    Logout,
    /// Its password reset.
    Reset,
    /// Its sign-up.
    Signup,
}

/// A refusal on the data path, to be recorded and shown.
#[derive(Clone, Debug)]
pub struct Turned {
    /// Why.
    pub refusal: Refusal,
    /// The product, where one is known.
    pub product: Option<Arc<Product>>,
    /// Whether a page (navigation) or `application/problem+json` is wanted.
    pub page: bool,
    /// Where to log in, for 401 answers.
    pub login_url: Option<String>,
    /// What became of a request of an expired session (rule H9); `None` where that was no question.
    pub kept: Option<Kept>,
    /// The client's address.
    pub client: IpAddr,
    /// The request id.
    pub request_id: String,
    /// Read once.
    pub now: Timestamp,
    /// Which languages the request asks for.
    pub wishes: Wishes,
}

/// What becomes of an app's login at a product's own JSON path (`password_api`).
#[derive(Debug)]
pub enum AppLogin {
    /// It goes on to the product as it came.
    Passed,
    /// It is answered here, in the product's own shape.
    Refused(Response<Bytes>),
}

/// Our own pages.
#[async_trait]
pub trait Routes: Send + Sync + 'static {
    /// Answers a request on the login host, under `/.fedgate/`, or at a door.
    async fn answer(&self, request: PageRequest) -> Response<Bytes>;

    /// Judges a request for a path of `password_api`. Who has no logins for apps passes none on.
    async fn judge_app_login(&self, _: PageRequest) -> AppLogin {
        let mut refusal = Response::new(Bytes::new());
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        AppLogin::Refused(refusal)
    }

    /// Records a refusal of the data path (sampled, rule M15) and renders it with its reference.
    fn refuse(&self, turned: Turned) -> Response<Bytes>;

    /// Asks the person whether a kept request shall be sent now, or says what became of it (rule H9).
    fn offer(&self, offer: Offer) -> Response<Bytes>;
}
