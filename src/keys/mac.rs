//! Keyed hashes: look-up keys of sessions, MACs of session rows, CSRF tokens (rule H12).
//!
//! A MAC covers everything that is fixed when a session is made. What changes in its life (`last_seen`, `ask_before`) can only
//! shorten it or is covered by its limits.

use super::canonical::Canonical;
use super::{Generations, Keys, Raw};
use crate::kernel::app::RefreshToken;
use crate::kernel::model::{Grant, LoginSession, Personal, ProductSession, Scope, Thumbprint};
use crate::kernel::values::{DirectoryId, ProductName, SessionKey, Token};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// An HMAC-SHA-256 key with its two pads hashed already.
pub(super) struct MacKey(hmac::Key);

impl MacKey {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "kinds of keys are made by functions of one type, and others can fail"
    )]
    pub(super) fn new(raw: &Raw) -> Option<Self> {
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, raw.as_ref())))
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&self.0, bytes).as_ref());
        mac
    }
}

impl Generations<MacKey> {
    /// Whether a living generation made this MAC; compared in constant time.
    pub(super) fn holds(&self, bytes: &[u8], mac: &[u8]) -> bool {
        self.iter().any(|(_, key)| hmac::verify(&key.0, bytes, mac).is_ok())
    }
}

impl Keys {
    /// What a cookie's token is looked up by.
    pub fn session_key(&self, token: &Token) -> SessionKey {
        SessionKey(self.ring.load().token.newest().sign(token.bytes()))
    }

    /// Look-up keys under earlier generations, newest first, for sessions from before a rotation.
    pub fn earlier_session_keys(&self, token: &Token) -> Vec<SessionKey> {
        let ring = self.ring.load();
        ring.token.iter().rev().skip(1).map(|(_, key)| SessionKey(key.sign(token.bytes()))).collect()
    }

    /// What an app's access token is looked up by, together with the key that it is bound to: with another key, or none, it finds nothing,
    /// and neither does it as a cookie (rule H16).
    pub fn access_key(&self, token: &Token, bound_to: Option<Thumbprint>) -> SessionKey {
        let bytes = Canonical::new("fedgate access token 1").bytes(token.bytes()).bytes(bound(&bound_to)).finish();
        SessionKey(self.ring.load().token.newest().sign(&bytes))
    }

    /// What a personal token is looked up by: with another scope it finds nothing, and neither does it as a cookie or as an app's token.
    pub fn personal_key(&self, token: &Token, scope: Scope) -> SessionKey {
        SessionKey(self.ring.load().token.newest().sign(&personal_bytes(token, scope)))
    }

    /// Look-up keys under earlier generations, newest first: a personal token outlives a rotation.
    pub fn earlier_personal_keys(&self, token: &Token, scope: Scope) -> Vec<SessionKey> {
        let (ring, bytes) = (self.ring.load(), personal_bytes(token, scope));
        ring.token.iter().rev().skip(1).map(|(_, key)| SessionKey(key.sign(&bytes))).collect()
    }

    /// The refresh token of an app's session that holds when it has turned so often.
    pub fn refresh_token(&self, session: &LoginSession, turn: u32) -> RefreshToken {
        let mac = self.ring.load().row.newest().sign(&refresh_bytes(session, turn));
        RefreshToken { grant: session.id, turn, mac }
    }

    /// Whether a refresh token of this session was made here; whether it still holds is another matter.
    pub fn made_refresh(&self, session: &LoginSession, token: &RefreshToken) -> bool {
        token.grant == session.id && self.ring.load().row.holds(&refresh_bytes(session, token.turn), &token.mac)
    }

    /// The MAC of a new login session.
    pub fn mac_login(&self, session: &LoginSession) -> [u8; 32] {
        self.ring.load().row.newest().sign(&login_bytes(session))
    }

    /// Whether a login session's row is as it was made. If not, somebody wrote to the store: refuse it and raise the alarm.
    pub fn holds_login(&self, session: &LoginSession) -> bool {
        self.ring.load().row.holds(&login_bytes(session), &session.mac)
    }

    /// The MAC of a new product session.
    pub fn mac_product(&self, session: &ProductSession) -> [u8; 32] {
        self.ring.load().row.newest().sign(&product_bytes(session))
    }

    /// Whether a product session's row is as it was made.
    pub fn holds_product(&self, session: &ProductSession) -> bool {
        self.ring.load().row.holds(&product_bytes(session), &session.mac)
    }

    /// What a new session is found by when its directory's provider logs a NameID out.
    pub fn name_key(&self, directory: DirectoryId, name: &str) -> [u8; 32] {
        self.ring.load().row.newest().sign(&name_bytes(directory, name))
    }

    /// The same under every generation that still lives, for sessions from before a rotation.
    pub fn name_keys(&self, directory: DirectoryId, name: &str) -> Vec<[u8; 32]> {
        let bytes = name_bytes(directory, name);
        self.ring.load().row.iter().map(|(_, key)| key.sign(&bytes)).collect()
    }

    /// A form's CSRF token: 43 characters, good for one `binding` (a session's or a login's own cookie, and the form's path).
    pub fn csrf(&self, binding: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.ring.load().csrf.newest().sign(&csrf_bytes(binding)))
    }

    /// Whether a form's token was made for this binding.
    pub fn csrf_holds(&self, binding: &[u8], token: &str) -> bool {
        let mac = URL_SAFE_NO_PAD.decode(token).ok();
        mac.is_some_and(|mac| self.ring.load().csrf.holds(&csrf_bytes(binding), &mac))
    }
}

fn name_bytes(directory: DirectoryId, name: &str) -> Vec<u8> {
    Canonical::new("fedgate saml name 1").bytes(&directory.to_bytes()).text(name).finish()
}

fn csrf_bytes(binding: &[u8]) -> Vec<u8> {
    Canonical::new("fedgate csrf 1").bytes(binding).finish()
}

/// Destructured, so that a new field is a compile error here: cover it, or say why not.
fn login_bytes(session: &LoginSession) -> Vec<u8> {
    let LoginSession {
        id,
        key,
        account,
        directory,
        method,
        amr,
        groups,
        auth_time,
        browser,
        provider_session,
        logout_hint: _, // Sealed, with its own authentication.
        name_key,
        created_at,
        last_seen: _, // Moves with activity; `abs_at` is the end of it.
        idle_millis,
        abs_at,
        account_epoch,
        ask_before: _, // Removing an entry saves a click, no more.
        confined_to,
        stepped_at,
        device: _, // Shown to its owner alone, and decides nothing.
        grant,
        personal,
        mac: _,
    } = session;
    let made = Canonical::new("fedgate login session 2")
        .bytes(&id.to_bytes())
        .bytes(&key.0)
        .bytes(&account.to_bytes())
        .bytes(&directory.to_bytes())
        .text(method.code())
        .list(amr)
        .list(groups)
        .signed(auth_time.millis())
        .bytes(browser)
        .optional(provider_session.as_deref())
        .signed(created_at.millis())
        .number(*idle_millis)
        .signed(abs_at.millis())
        .number((*account_epoch).into())
        .optional(confined_to.as_ref().map(ProductName::as_str))
        .optional(stepped_at.map(|at| at.millis().to_string()).as_deref());
    // Sessions of other directories, and those of before there was one, read as they were made.
    let made = match name_key {
        Some(name_key) => made.bytes(name_key),
        None => made,
    };
    // And so do browsers' sessions.
    let made = match grant.as_deref() {
        Some(Grant { app, bound_to, turn, turned_at }) => {
            let made = made.text("app").text(app.as_str()).bytes(bound(bound_to));
            made.number((*turn).into()).signed(turned_at.millis())
        }
        None => made,
    };
    match personal.as_deref() {
        Some(Personal { label, scope }) => made.text("personal").text(scope.code()).text(label.as_str()).finish(),
        None => made.finish(),
    }
}

fn personal_bytes(token: &Token, scope: Scope) -> Vec<u8> {
    Canonical::new("fedgate personal token 1").bytes(token.bytes()).text(scope.code()).finish()
}

/// A key's thumbprint, or nothing.
fn bound(key: &Option<Thumbprint>) -> &[u8] {
    key.as_ref().map_or(&[], |key| key.0.as_slice())
}

/// The random `key` of the session's row goes in: a key of ours that leaked is not enough, nor is a copy of the store.
fn refresh_bytes(session: &LoginSession, turn: u32) -> Vec<u8> {
    let bound_to = session.grant.as_ref().and_then(|grant| grant.bound_to);
    let made = Canonical::new("fedgate refresh token 1").bytes(&session.id.to_bytes()).bytes(&session.key.0);
    made.number(turn.into()).bytes(bound(&bound_to)).finish()
}

fn product_bytes(session: &ProductSession) -> Vec<u8> {
    let ProductSession {
        id,
        key,
        parent,
        product,
        host,
        account,
        product_account,
        created_at,
        last_seen: _, // Moves with activity; `abs_at` is the end of it.
        idle_millis,
        abs_at,
        account_epoch,
        mac: _,
    } = session;
    Canonical::new("fedgate product session 1")
        .bytes(&id.to_bytes())
        .bytes(&key.0)
        .bytes(&parent.to_bytes())
        .text(product.as_str())
        .text(&host.to_string())
        .bytes(&account.to_bytes())
        .bytes(&product_account.to_bytes())
        .signed(created_at.millis())
        .number(*idle_millis)
        .signed(abs_at.millis())
        .number((*account_epoch).into())
        .finish()
}
