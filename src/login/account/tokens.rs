//! A person's own API tokens, on the login host: listed, made, revoked.
//!
//! A token is a login session of its own, confined to one product, with one child that the token alone finds: whatever ends sessions ends
//! it, and phase C is asked of each of its requests. Making one asks for a login of just now, and for the second step that is enrolled
//! (rules H1, M6); revoking asks for nothing more, since whoever finds a session open can do no harm by it.

use super::super::answer::{Answer, Form};
use super::super::begin::Leaving;
use super::super::entry::Rows;
use super::super::session::subject;
use super::super::ticket::{Errand, FRESH_PROOF};
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::page::account_answer;
use super::{AccountPage, Own};
use crate::entropy::random;
use crate::kernel::app::{
    LONGEST_PERSONAL_LIFE, PERSONAL_LIFE, PERSONAL_TOKENS, PersonalToken, lets_tokens_be_made, personal_ends,
};
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::live::step_up::is_fresh;
use crate::kernel::live::{Live as Standing, LoginFacts, meets_policies};
use crate::kernel::model::{LoginSession, Personal, Product, ProductSession, Scope, TokenLabel};
use crate::kernel::standing::{Bounds, Groups, managements, proved_addresses};
use crate::kernel::values::{LoginSessionId, ProductSessionId, SessionKey, Timestamp, Token};
use crate::mail::{self, Letter};
use crate::store::NotCommitted;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The page of a person's tokens, on the login host.
pub(in crate::login) const OWN_TOKENS: &str = "/account/tokens";
/// What a day has.
const DAY: Duration = Duration::from_secs(86_400);

/// A person's own tokens.
#[derive(Debug)]
pub struct OwnTokens {
    /// The form of its buttons.
    pub form: Form,
    /// Products for which one can be made: what people call it, its name, and for how many days at most.
    pub products: Vec<(String, String, u64)>,
    /// Those that there are, the newest first.
    pub tokens: Vec<SeenToken>,
    /// The one that was made just now: it is shown this once.
    pub made: Option<Zeroizing<String>>,
    /// The person was proved just now; else one button asks for that.
    pub fresh: bool,
    /// What was asked for could not be made.
    pub failed: bool,
}

/// A token as its person sees it.
#[derive(Debug)]
pub struct SeenToken {
    /// Its id, for the button.
    pub id: String,
    /// What its person calls it.
    pub label: String,
    /// What people call the product.
    pub product: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub since: Timestamp,
    /// When it was used last; none: never.
    pub last_seen: Option<Timestamp>,
    /// When it ends.
    pub ends: Timestamp,
}

/// What was typed into the form.
#[derive(Clone, Copy, Debug)]
pub struct TokenWish<'a> {
    /// What to call it.
    pub label: &'a str,
    /// For how many days; empty: 90.
    pub days: &'a str,
}

/// What a wish comes to.
struct Wanted {
    label: TokenLabel,
    product: Arc<Product>,
    scope: Scope,
    life: Duration,
}

impl Login {
    /// `GET /account/tokens`.
    pub async fn own_tokens(&self, visitor: &Visitor) -> Answer {
        let answer = match self.own_session(visitor, None).await {
            Ok(Some(own)) => self.tokens_page(visitor, &own, (None, false)).await,
            Ok(None) => Ok(self.nobody_here(visitor, None).await),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// `POST /account/tokens`: `act` is `confirm`; `read` or `full` and a product's name; `all`; or `end` and a token's id.
    pub async fn change_own_tokens(&self, visitor: &Visitor, csrf: &str, act: &str, wish: TokenWish<'_>) -> Answer {
        let answer = self.try_tokens(visitor, csrf, (act, wish)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_tokens(
        &self,
        visitor: &Visitor,
        csrf: &str,
        (act, wish): (&str, TokenWish<'_>),
    ) -> Result<Answer, Stop> {
        let Some(own) = self.own_session(visitor, None).await? else {
            return Ok(self.nobody_here(visitor, None).await);
        };
        if !self.world.csrf_holds(visitor, csrf) || !self.may_act(visitor, &own) {
            return self.tokens_page(visitor, &own, (None, false)).await;
        }
        match act.split_once(' ') {
            None if act == "confirm" => self.prove_for_tokens(visitor, &own).await,
            None if act == "all" => self.end_tokens(visitor, &own, None).await,
            Some(("end", id)) => match LoginSessionId::parse(id) {
                Ok(id) => self.end_tokens(visitor, &own, Some(id)).await,
                Err(_) => Ok(account_answer(None, AccountPage::NotFound)),
            },
            Some((scope, product)) => match Scope::from_code(scope) {
                Some(scope) => self.make_token(visitor, &own, (scope, product, wish)).await,
                None => self.tokens_page(visitor, &own, (None, false)).await,
            },
            None => self.tokens_page(visitor, &own, (None, false)).await,
        }
    }

    async fn prove_for_tokens(&self, visitor: &Visitor, own: &Own) -> Result<Answer, Stop> {
        let hint = own.account.email.clone();
        let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: true, errand: Errand::Tokens };
        self.leave(visitor, own.session.directory, None, leaving).await
    }

    /// Whether the person was proved just now, and took the second step that is enrolled.
    async fn is_proved_for_tokens(&self, visitor: &Visitor, own: &Own) -> Result<bool, Stop> {
        if !is_fresh(Some(own.session.auth_time), FRESH_PROOF, visitor.now) {
            return Ok(false);
        }
        let stepped = is_fresh(own.session.stepped_at, FRESH_PROOF, visitor.now);
        Ok(stepped || self.world.factors(visitor, own.account.id).await?.is_empty())
    }

    async fn tokens_page(
        &self,
        visitor: &Visitor,
        own: &Own,
        (made, failed): (Option<Zeroizing<String>>, bool),
    ) -> Result<Answer, Stop> {
        let browser = Browser::of(visitor);
        let mut products = Vec::new();
        for product in self.world.catalog.load_full().products.values() {
            if let Some(rows) = self.token_rows(visitor, own, (product, LONGEST_PERSONAL_LIFE)).await? {
                let days = rows.login.abs_at.since(visitor.now).as_secs() / DAY.as_secs();
                products.push((product.label.clone(), product.name.to_string(), days));
            }
        }
        products.sort();
        let tokens = OwnTokens {
            form: self.form(visitor, None, &browser),
            products,
            tokens: self.tokens_seen(visitor, own).await?,
            made,
            fresh: self.is_proved_for_tokens(visitor, own).await?,
            failed,
        };
        let mut answer = account_answer(None, AccountPage::Tokens(Box::new(tokens)));
        answer.cookies.extend(browser.cookie());
        answer.cookies.push(self.acts_cookie(own));
        Ok(answer)
    }

    async fn tokens_seen(&self, visitor: &Visitor, own: &Own) -> Result<Vec<SeenToken>, Stop> {
        let catalog = self.world.catalog.load_full();
        let mut tokens = Vec::new();
        for session in self.live_sessions(visitor, own).await? {
            let (Some(personal), Some(name)) = (&session.personal, &session.confined_to) else { continue };
            let product = catalog.products.get(name);
            tokens.push(SeenToken {
                id: session.id.to_string(),
                label: personal.label.to_string(),
                product: product.map_or_else(|| name.to_string(), |product| product.label.clone()),
                scope: personal.scope,
                since: session.created_at,
                last_seen: (session.last_seen > session.created_at).then_some(session.last_seen),
                ends: session.abs_at,
            });
        }
        tokens.sort_by_key(|token| std::cmp::Reverse(token.since));
        Ok(tokens)
    }

    /// What was typed, if it says what a token must say.
    fn wanted_token(&self, (scope, product, wish): (Scope, &str, TokenWish<'_>)) -> Option<Wanted> {
        let catalog = self.world.catalog.load();
        let product = catalog.products.values().find(|one| one.name.as_str() == product)?;
        let days = match wish.days.trim() {
            "" => PERSONAL_LIFE,
            days => DAY * days.parse::<u16>().ok().filter(|days| *days > 0)?.into(),
        };
        Some(Wanted {
            label: TokenLabel::parse(wish.label).ok()?,
            product: Arc::clone(product),
            scope,
            life: days.min(LONGEST_PERSONAL_LIFE),
        })
    }

    async fn make_token(
        &self,
        visitor: &Visitor,
        own: &Own,
        wish: (Scope, &str, TokenWish<'_>),
    ) -> Result<Answer, Stop> {
        if !self.is_proved_for_tokens(visitor, own).await? {
            return self.prove_for_tokens(visitor, own).await;
        }
        let failed = || self.tokens_page(visitor, own, (None, true));
        let Some(wanted) = self.wanted_token(wish) else { return failed().await };
        if self.tokens_seen(visitor, own).await?.len() >= PERSONAL_TOKENS {
            return failed().await;
        }
        let Some(rows) = self.token_rows(visitor, own, (&wanted.product, wanted.life)).await? else {
            return failed().await;
        };
        let token = PersonalToken { scope: wanted.scope, token: Token::new(random()) };
        let batch = self.token_batch(visitor, own, (rows, &token, wanted)).await?;
        match self.world.store.commit(batch).await {
            Ok(_) => self.tokens_page(visitor, own, (Some(token.expose()), false)).await,
            Err(NotCommitted::Conflict(_)) => failed().await,
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// The rows of a new token of the person's for a product, without name and secret. `None` where phase C would not let it live, or the
    /// session that asks only lives in the grace of a change: what is not let in is not made.
    async fn token_rows(
        &self,
        visitor: &Visitor,
        own: &Own,
        (product, life): (&Arc<Product>, Duration),
    ) -> Result<Option<Rows>, Stop> {
        let (catalog, now) = (self.world.catalog.load_full(), visitor.now);
        let login = &own.session;
        let facts = LoginFacts { now, catalog: &catalog, login, account: &own.account, further: &own.further };
        if product.token.is_none() || !lets_tokens_be_made(login) || !meets_policies(&facts) {
            return Ok(None);
        }
        let Some(record) = self.world.store.product_account(&product.name, own.account.id).await? else {
            return Ok(None);
        };
        let Some(host) = product.hosts.first().cloned() else { return Ok(None) };
        let login = self.token_session(visitor, own, (product, life));
        let session = ProductSession {
            id: ProductSessionId::mint(now, random()),
            key: SessionKey([0; 32]),
            parent: login.id,
            product: product.name.clone(),
            host,
            account: login.account,
            product_account: record.id,
            created_at: now,
            last_seen: now,
            idle_millis: login.idle_millis,
            abs_at: login.abs_at,
            account_epoch: login.account_epoch,
            mac: [0; 32],
        };
        let rows = Rows { session, login, account: own.account.clone(), record, further: own.further.clone() };
        let standing = rows.stand(&catalog, now);
        let lives = standing.is_some_and(|(standing, whence)| {
            matches!(standing, Standing::Continue { .. }) && whence.admits(visitor.client)
        });
        Ok(lives.then_some(rows))
    }

    /// The login session of a new token: its person's, confined to the product. The provider's own session is not its: who logs out of a
    /// browser there has not revoked a program.
    fn token_session(&self, visitor: &Visitor, own: &Own, (product, life): (&Product, Duration)) -> LoginSession {
        let (catalog, now) = (self.world.catalog.load(), visitor.now);
        let directory = catalog.directories.get(&own.session.directory);
        let groups = Groups::of(directory.and_then(|directory| directory.org()), &own.session.groups);
        let managed = managements(&catalog, &proved_addresses(&own.account, &own.further), groups);
        let abs_at = personal_ends(now, life, Bounds::of_token(product, &managed));
        LoginSession {
            id: LoginSessionId::mint(now, random()),
            // Never told to anybody.
            key: SessionKey(random()),
            browser: random(),
            provider_session: None,
            name_key: None,
            logout_hint: None,
            created_at: now,
            last_seen: now,
            idle_millis: u64::try_from(abs_at.since(now).as_millis()).unwrap_or(u64::MAX),
            abs_at,
            ask_before: Vec::new(),
            confined_to: Some(product.name.clone()),
            device: None,
            // Judged as what may do least; the name and what it may do come before anything is written.
            personal: Some(Box::new(Personal { label: TokenLabel::unnamed(), scope: Scope::Read })),
            mac: [0; 32],
            ..own.session.clone()
        }
    }

    async fn token_batch(
        &self,
        visitor: &Visitor,
        own: &Own,
        (rows, token, wanted): (Rows, &PersonalToken, Wanted),
    ) -> Result<Batch, Stop> {
        let Rows { mut session, mut login, record, .. } = rows;
        let keys = &self.world.keys;
        let mut event = visitor.event(Action::TokenMade, Outcome::Success);
        event.subject = subject(&own.account);
        event.subject.product_account = Some(record.id.to_string());
        event.product = Some(wanted.product.name.to_string());
        event.txn = Some(login.id.to_string());
        event.after = Some(serde_json::json!({
            "label": wanted.label.as_str(), "scope": wanted.scope.code(), "abs_at": login.abs_at.to_string(),
        }));
        login.personal = Some(Box::new(Personal { label: wanted.label, scope: wanted.scope }));
        login.mac = keys.mac_login(&login);
        session.key = keys.personal_key(&token.token, token.scope);
        session.mac = keys.mac_product(&session);
        let mut batch = Batch { events: vec![event], ..Batch::default() };
        batch.changes.push(Change::CreateLoginSession(login));
        if let Some(email) = own.account.email.clone().filter(|_| own.account.email_verified) {
            let (product, sub) = (record.product.clone(), record.sub.clone());
            batch.changes.push(Change::AssertAddress { product, email, sub });
        }
        batch.changes.push(Change::CreateProductSession(session));
        if let Some(email) = self.address_of(own).await? {
            let letter = Letter::TokenMade { product: record.product, at: visitor.now };
            let queued = mail::queue(keys, visitor.now, &[(email, letter)], Some(own.account.id));
            batch.changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        }
        Ok(batch)
    }

    /// Ends one token of the person's, or all of them.
    async fn end_tokens(&self, visitor: &Visitor, own: &Own, only: Option<LoginSessionId>) -> Result<Answer, Stop> {
        let mut sessions = self.live_sessions(visitor, own).await?;
        // Somebody else's is no different from one that there never was.
        sessions.retain(|session| session.personal.is_some() && only.is_none_or(|only| only == session.id));
        if sessions.is_empty() && only.is_some() {
            return Ok(account_answer(None, AccountPage::NotFound));
        }
        if !sessions.is_empty() {
            self.end_own(visitor, None, own, &sessions).await?;
        }
        self.tokens_page(visitor, own, (None, false)).await
    }
}
