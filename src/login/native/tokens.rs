//! An app's tokens: a code redeemed, a refresh token turned, either given back (RFC 6749 §4.1.3 and §6, RFC 7009, RFC 9449).

use super::super::entry::Rows;
use super::super::ticket::sha256;
use super::super::world::Visitor;
use super::super::{Login, Stop};
use super::code_binding;
use super::ticket::{self, CODE_LIFE, Code};
use crate::kernel::app::{
    ACCESS, DpopHeld, DpopWanted, REFRESH, RefreshToken, Turn, judge_dpop, may_refresh, turn, verifies,
};
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, MarkKind, ReplayMark};
use crate::kernel::live::{Live as Standing, Why};
use crate::kernel::model::{App, Grant, LoginSession, Product};
use crate::kernel::values::{ProductName, Token};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How often a refresh is tried again because another use of the token was faster.
const TRIES: usize = 4;

/// A request to the token or the revocation endpoint.
#[derive(Clone, Copy, Debug)]
pub struct TokenAsk<'a> {
    /// Whose app it says it is.
    pub client: &'a str,
    /// The `DPoP` field; `Err` where there are several.
    pub proof: Result<Option<&'a str>, ()>,
    /// The request's own path.
    pub path: &'a str,
}

/// What tokens are asked for with.
#[derive(Clone, Copy, Debug)]
pub enum TokenGrant<'a> {
    /// A code.
    Code {
        /// The code.
        code: &'a str,
        /// The redirect that it was sent to.
        to: &'a str,
        /// The PKCE verifier.
        verifier: &'a str,
    },
    /// A refresh token.
    Refresh(&'a str),
}

/// Tokens for an app.
#[derive(Debug)]
pub struct AppTokens {
    /// Opens the product.
    pub access: Zeroizing<String>,
    /// Whether only with proofs of the app's key.
    pub is_bound: bool,
    /// How long.
    pub life: Duration,
    /// Turns into the next pair.
    pub refresh: Zeroizing<String>,
}

/// Why there are none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TokenFault {
    /// No such product, or it has no such app.
    Client,
    /// The code or the refresh token does not hold, or does not hold any more.
    Grant,
    /// The proof that the app holds its key is missing, does not hold, or came before.
    Proof,
    /// The person may not be let in from where the app is.
    Network,
    /// The store does not answer, or something that every judgement rests on is known to be of before a change.
    Later,
}

impl From<Stop> for TokenFault {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(..) => Self::Grant,
            Stop::Unavailable(fault) => {
                tracing::warn!(%fault, "an app's tokens could not be made");
                Self::Later
            }
            Stop::Fault(fault) => {
                tracing::error!(fault, "an app's tokens could not be made");
                Self::Later
            }
        }
    }
}

impl From<crate::store::Unavailable> for TokenFault {
    fn from(fault: crate::store::Unavailable) -> Self {
        Stop::from(fault).into()
    }
}

/// What a request is judged by, once its app is known.
pub(super) struct Asked<'a> {
    pub product: Arc<Product>,
    pub app: App,
    pub held: Option<DpopHeld>,
    pub visitor: &'a Visitor,
}

impl Asked<'_> {
    /// A proof comes once (RFC 9449 §11.1), in the whole cluster.
    fn mark(&self) -> Option<ReplayMark> {
        self.held.map(|held| ReplayMark { kind: MarkKind::Dpop, digest: held.id, until: held.until })
    }
}

impl Login {
    /// `POST /oauth/PRODUCT/token`.
    ///
    /// # Errors
    /// [`TokenFault`]: what the app is told.
    pub async fn app_tokens(
        &self,
        visitor: &Visitor,
        product: &ProductName,
        (ask, grant): (TokenAsk<'_>, TokenGrant<'_>),
    ) -> Result<AppTokens, TokenFault> {
        self.world.must_be_current()?;
        let asked = self.of_app(visitor, product, ask)?;
        match grant {
            TokenGrant::Code { code, to, verifier } => self.redeem(&asked, (code, to, verifier)).await,
            TokenGrant::Refresh(token) => self.refresh(&asked, token).await,
        }
    }

    fn of_app<'a>(
        &self,
        visitor: &'a Visitor,
        product: &ProductName,
        ask: TokenAsk<'_>,
    ) -> Result<Asked<'a>, TokenFault> {
        let catalog = self.world.catalog.load();
        let product = catalog.products.get(product).ok_or(TokenFault::Client)?;
        let app = product.apps.iter().find(|app| app.name.as_str() == ask.client).ok_or(TokenFault::Client)?;
        let proof = ask.proof.map_err(|()| TokenFault::Proof)?;
        let wanted =
            DpopWanted { method: "POST", origin: &catalog.login, path: ask.path, token: None, now: visitor.now };
        let held = proof.map(|proof| judge_dpop(proof, &wanted)).transpose();
        let held = held.map_err(|fault| {
            tracing::debug!(%fault, product = %product.name, "an app's proof does not hold");
            TokenFault::Proof
        })?;
        Ok(Asked { product: Arc::clone(product), app: app.clone(), held, visitor })
    }

    async fn redeem(
        &self,
        asked: &Asked<'_>,
        (code, to, verifier): (&str, &str, &str),
    ) -> Result<AppTokens, TokenFault> {
        let (visitor, product) = (asked.visitor, &asked.product);
        let bytes = self.world.unseal(Purpose::App, &code_binding(product), code).ok_or(TokenFault::Grant)?;
        let code = Code::decode(&bytes).ok_or(TokenFault::Grant)?;
        let redirect = asked.app.redirects.iter().find(|redirect| redirect.holds(to)).ok_or(TokenFault::Grant)?;
        let is_whose = code.app == asked.app.name && code.to == ticket::digest(to);
        let is_young = visitor.now.since(code.made_at) <= CODE_LIFE;
        if !is_whose || !is_young || !verifies(verifier, &code.challenge) {
            return Err(TokenFault::Grant);
        }
        // Where another app could have got the code, only a key makes the tokens this one's (rule H16).
        let key = asked.held.map(|held| held.key);
        let must_bind = code.bound_to.is_some() || !redirect.is_claimed();
        if (must_bind && key.is_none()) || (code.bound_to.is_some() && code.bound_to != key) {
            return Err(TokenFault::Proof);
        }
        if let Some(session) = self.world.store.login_session_by_id(code.grant).await? {
            return self.code_came_twice(asked, &session).await;
        }
        let source = self.source(visitor, &code).await?.ok_or(TokenFault::Grant)?;
        let session = self.grant_of(asked, source, code.grant).ok_or(TokenFault::Grant)?;
        let (rows, token) = self.rows_for(asked, session, code.product_account).await?.ok_or(TokenFault::Grant)?;
        self.stands(asked, &rows)?.map_err(|_| TokenFault::Grant)?;
        let (kind, digest) = (MarkKind::AppCode, sha256(&code.jti));
        let mark = ReplayMark { kind, digest, until: code.made_at.plus(CODE_LIFE) };
        let mut batch = Batch { marks: std::iter::once(mark).chain(asked.mark()).collect(), ..Batch::default() };
        batch.changes.push(Change::CreateLoginSession(rows.login.clone()));
        self.write_access(asked, &rows, Action::AppAuthorized, &mut batch);
        match self.world.store.commit(batch).await {
            Ok(_) => Ok(self.tokens(&rows, &token)),
            Err(NotCommitted::Conflict(Conflict::Taken(MarkKind::AppCode))) => {
                self.code_came_twice(asked, &rows.login).await
            }
            Err(NotCommitted::Conflict(Conflict::Taken(_))) => Err(TokenFault::Proof),
            Err(NotCommitted::Conflict(_)) => Err(TokenFault::Grant),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// Somebody has the code who should not (RFC 6749 §4.1.2): what came of it ends.
    async fn code_came_twice<T>(&self, asked: &Asked<'_>, session: &LoginSession) -> Result<T, TokenFault> {
        self.end_grant(asked.visitor, (session, &asked.product), "code-reused").await?;
        Err(TokenFault::Grant)
    }

    /// Phase C, and where the app may be.
    fn stands(&self, asked: &Asked<'_>, rows: &Rows) -> Result<Result<(), String>, TokenFault> {
        let catalog = self.world.catalog.load_full();
        let Some((standing, whence)) = rows.stand(&catalog, asked.visitor.now) else {
            return Ok(Err("product".to_owned()));
        };
        match standing {
            Standing::Continue { .. } => {}
            Standing::Login(why) => return Ok(Err(why.code().to_owned())),
            Standing::End(refusal) => return Ok(Err(refusal.code().to_owned())),
        }
        if let Err(refusal) = may_refresh(&asked.product, &rows.record, &rows.login, asked.visitor.now) {
            return Ok(Err(refusal.code().to_owned()));
        }
        if whence.admits(asked.visitor.client) { Ok(Ok(())) } else { Err(TokenFault::Network) }
    }

    async fn refresh(&self, asked: &Asked<'_>, text: &str) -> Result<AppTokens, TokenFault> {
        let token = RefreshToken::parse(text).ok_or(TokenFault::Grant)?;
        for _ in 0..TRIES {
            if let Some(tokens) = self.try_refresh(asked, &token).await? {
                return Ok(tokens);
            }
        }
        Err(TokenFault::Later)
    }

    /// `None` when another use of the token was faster.
    async fn try_refresh(&self, asked: &Asked<'_>, token: &RefreshToken) -> Result<Option<AppTokens>, TokenFault> {
        let (visitor, now) = (asked.visitor, asked.visitor.now);
        let session = self.granted(asked, token).await?.ok_or(TokenFault::Grant)?;
        let grant = session.grant.clone().ok_or(TokenFault::Grant)?;
        if grant.bound_to.is_some() && grant.bound_to != asked.held.map(|held| held.key) {
            return Err(TokenFault::Proof);
        }
        let is_next = match turn(&grant, token.turn, now) {
            Turn::Next => true,
            Turn::Again => false,
            Turn::Reused => {
                self.end_grant(visitor, (&session, &asked.product), "refresh-reused").await?;
                return Err(TokenFault::Grant);
            }
        };
        let record = self.world.store.product_account(&asked.product.name, session.account).await?;
        let record = record.ok_or(TokenFault::Grant)?.id;
        let session = self.live.with_activity(session);
        let Some((mut rows, access)) = self.rows_for(asked, session.clone(), record).await? else {
            self.end_grant(visitor, (&session, &asked.product), Why::Absolute.code()).await?;
            return Err(TokenFault::Grant);
        };
        if let Err(why) = self.stands(asked, &rows)? {
            self.end_grant(visitor, (&session, &asked.product), &why).await?;
            return Err(TokenFault::Grant);
        }
        let mut batch = Batch { marks: asked.mark().into_iter().collect(), ..Batch::default() };
        if is_next {
            let turned = Grant { turn: grant.turn.saturating_add(1), turned_at: now, ..*grant.clone() };
            rows.login.grant = Some(Box::new(turned.clone()));
            rows.login.mac = self.world.keys.mac_login(&rows.login);
            let (session, mac) = (session.id, rows.login.mac);
            batch.changes.push(Change::TurnGrant { session, from: grant.turn, grant: turned, mac });
        }
        self.write_access(asked, &rows, Action::AppRefreshed, &mut batch);
        match self.world.store.commit(batch).await {
            Ok(_) => Ok(Some(self.tokens(&rows, &access))),
            Err(NotCommitted::Conflict(Conflict::State)) => Ok(None),
            Err(NotCommitted::Conflict(Conflict::Taken(_))) => Err(TokenFault::Proof),
            Err(NotCommitted::Conflict(_)) => Err(TokenFault::Grant),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// The session that a refresh token was made for, if the token is genuine and this app's.
    async fn granted(&self, asked: &Asked<'_>, token: &RefreshToken) -> Result<Option<LoginSession>, Stop> {
        let Some(session) = self.world.store.login_session_by_id(token.grant).await? else { return Ok(None) };
        let is_whose = session.grant.as_ref().is_some_and(|grant| grant.app == asked.app.name)
            && session.confined_to.as_ref() == Some(&asked.product.name);
        if !is_whose || !self.world.keys.made_refresh(&session, token) {
            return Ok(None);
        }
        if !self.world.keys.holds_login(&session) {
            self.world.violated(asked.visitor, "login session").await?;
            return Ok(None);
        }
        Ok(Some(session))
    }

    fn tokens(&self, rows: &Rows, access: &Token) -> AppTokens {
        let (turn, is_bound) = rows.login.grant.as_ref().map_or((0, false), |it| (it.turn, it.bound_to.is_some()));
        AppTokens {
            access: Zeroizing::new(format!("{ACCESS}{}", *access.expose())),
            is_bound,
            life: rows.session.abs_at.since(rows.session.created_at),
            refresh: self.world.keys.refresh_token(&rows.login, turn).expose(),
        }
    }

    /// `POST /oauth/PRODUCT/revoke` (RFC 7009): a refresh token ends all that came of the login, an access token itself alone. What is not
    /// a token of this app's is no error.
    ///
    /// # Errors
    /// [`TokenFault`]: the client, the proof, or the store.
    pub async fn revoke_app_token(
        &self,
        visitor: &Visitor,
        product: &ProductName,
        (ask, token): (TokenAsk<'_>, &str),
    ) -> Result<(), TokenFault> {
        let asked = self.of_app(visitor, product, ask)?;
        if token.starts_with(REFRESH) {
            let Some(token) = RefreshToken::parse(token) else { return Ok(()) };
            return match self.granted(&asked, &token).await? {
                Some(session) => self.end_grant(visitor, (&session, &asked.product), "revoked-by-app").await,
                None => Ok(()),
            };
        }
        let Some(token) = token.strip_prefix(ACCESS).and_then(|text| Token::parse(text.as_bytes())) else {
            return Ok(());
        };
        let key = self.world.keys.access_key(&token, asked.held.map(|held| held.key));
        let Some(session) = self.world.store.product_session(&key).await? else { return Ok(()) };
        let parent = self.world.store.login_session_by_id(session.parent).await?;
        let is_of_app = |parent: &LoginSession| parent.grant.as_ref().is_some_and(|grant| grant.app == asked.app.name);
        let Some(parent) = parent.filter(|parent| is_of_app(parent) && session.product == asked.product.name) else {
            return Ok(());
        };
        let mut event = self.event_of_app(visitor, (&parent, &asked.product), (Action::SessionEnded, Outcome::Success));
        event.reason = Some("revoked-by-app".to_owned());
        let mut batch = Batch { events: vec![event], ..Batch::default() };
        batch.end_product_session(session.id);
        match self.world.store.commit(batch).await {
            Ok(_) | Err(NotCommitted::Conflict(_)) => Ok(()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}
