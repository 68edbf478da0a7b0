//! Products' own apps (rule H16, row T14): the authorization server that lets a person's app in as the person.
//!
//! - here: `/.fedgate/oauth/authorize` on the product's host. Whoever has no session there logs in first, as always; then one page names
//!   app and product and asks, unless nobody but the app can get the answer.
//! - `tokens`: `/oauth/PRODUCT/token` and `…/revoke` on the login host, where nothing that a browser brings by itself counts.
//! - `grant`: the login session of an app and its access tokens.
//! - `ticket`: what travels: the question between page and button, and the one-time code.
//!
//! What an app may do is a login session of its own, confined to the product, and its access tokens are that session's children: whatever
//! ends sessions ends them, and phase C is asked of each request as of a browser's.

mod grant;
mod ticket;
mod tokens;

pub use tokens::{AppTokens, TokenAsk as AppTokenAsk, TokenFault, TokenGrant};

use super::answer::{Answer, Form, Person, Step};
use super::current::person;
use super::handover::ProductHost;
use super::world::Visitor;
use super::{Login, Stop};
use crate::entropy::random;
use crate::kernel::app::{AppAsk, BadAsk, judge_ask, lets_apps_in};
use crate::kernel::model::{LoginSession, Product};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::LoginSessionId;
use crate::keys::Purpose;
use crate::web::LiveSession;
use std::sync::Arc;
use std::time::Duration;
use ticket::{Code, Question};
use url::Url;

/// How long the page may be looked at.
const QUESTION_LIFE: Duration = Duration::from_secs(600);

/// Parameters of a request; more have no meaning.
const PARAMETERS: usize = 40;

/// The page that asks whether an app may act for its person.
#[derive(Debug)]
pub struct AppStep {
    /// The product.
    pub product: Arc<Product>,
    /// What people call the app.
    pub app: String,
    /// Whose account it would act in.
    pub person: Person,
    /// The form; `to` carries the question.
    pub form: Form,
    /// Where the answer goes: the form leads there and nowhere else.
    pub goes_to: Url,
}

/// The issuer identifier of a product's authorization server (RFC 8414 §2), on the login host's origin.
pub fn issuer(login: &str, product: &Product) -> String {
    format!("{login}/oauth/{}", product.name)
}

impl Login {
    /// `GET /.fedgate/oauth/authorize` (RFC 6749 §4.1.1). `query` as it came; `here` is the same request as a path of this host, for the
    /// way back from a login.
    pub async fn authorize_app(&self, visitor: &Visitor, at: &ProductHost, (query, here): (&str, &str)) -> Answer {
        let answer = self.try_authorize(visitor, at, (query, here)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_authorize(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (query, here): (&str, &str),
    ) -> Result<Answer, Stop> {
        let parameters: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().take(PARAMETERS).collect();
        let ask = match judge_ask(&parameters, &at.product.apps) {
            Ok(ask) => ask,
            Err(BadAsk::Nowhere) => return Err(Stop::refuse(Refusal::UnknownApp)),
            Err(BadAsk::Told { to, state, fault }) => {
                let (error, description) = fault.told();
                return self.tell(at, (&to, state.as_deref()), &[("error", error), ("error_description", description)]);
            }
        };
        let back = (ask.to.as_str(), ask.state.as_deref());
        let Some((live, session)) = self.session_here(visitor, at).await? else {
            if ask.silent {
                return self.tell(at, back, &[("error", "login_required")]);
            }
            return Ok(self.leave_product(visitor, at, here, 0).await);
        };
        if !lets_apps_in(&session) {
            return self.tell(at, back, &[("error", "access_denied")]);
        }
        if ask.redirect.is_claimed() {
            return self.answer_app(visitor, at, &Question::of(&ask, live.sid, visitor.now), (&live, &session));
        }
        if ask.silent {
            // Another app could have sent the person here (RFC 8252 §8.6).
            return self.tell(at, back, &[("error", "interaction_required")]);
        }
        self.ask_person(visitor, at, &ask, &live).await
    }

    async fn ask_person(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        ask: &AppAsk<'_>,
        live: &LiveSession,
    ) -> Result<Answer, Stop> {
        let account = self.world.store.account(live.account).await?;
        let account = account.ok_or_else(|| Stop::refuse(Refusal::LoginRequired))?;
        let question = Question::of(ask, live.sid, visitor.now);
        let to = self.world.seal(Purpose::App, &binding(at, "question"), &question.encode());
        let goes_to = Url::parse(&ask.to).map_err(|fault| Stop::Fault(fault.to_string()))?;
        Ok(Answer::of(Step::App(Box::new(AppStep {
            product: Arc::clone(&at.product),
            app: ask.app.label.clone(),
            person: person(&account),
            form: Form { csrf: String::new(), to },
            goes_to,
        }))))
    }

    /// `POST /.fedgate/oauth/authorize`: the person let the app in, or did not.
    pub async fn answer_for_app(&self, visitor: &Visitor, at: &ProductHost, (to, act): (&str, &str)) -> Answer {
        let answer = self.try_answer_for_app(visitor, at, (to, act)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_answer_for_app(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (to, act): (&str, &str),
    ) -> Result<Answer, Stop> {
        let bytes = self.world.unseal(Purpose::App, &binding(at, "question"), to);
        let question = bytes.and_then(|bytes| Question::decode(&bytes));
        let question = question.filter(|question| visitor.now.since(question.asked_at) <= QUESTION_LIFE);
        let question = question.ok_or_else(|| Stop::refuse(Refusal::NotUnderWay))?;
        // Configured still: a redirect that was taken away meanwhile gets nothing.
        let app = at.product.apps.iter().find(|app| app.name == question.app);
        let holds = app.is_some_and(|app| app.redirects.iter().any(|redirect| redirect.holds(&question.to)));
        if !holds {
            return Err(Stop::refuse(Refusal::UnknownApp));
        }
        // In the very session that was asked.
        let here = self.session_here(visitor, at).await?.filter(|(live, _)| live.sid == question.session);
        let (live, session) = here.ok_or_else(|| Stop::refuse(Refusal::NotUnderWay))?;
        if act != "allow" {
            return self.tell(at, (&question.to, question.state.as_deref()), &[("error", "access_denied")]);
        }
        self.answer_app(visitor, at, &question, (&live, &session))
    }

    /// The one-time code, on its way to the app (RFC 6749 §4.1.2).
    fn answer_app(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        question: &Question,
        (live, session): (&LiveSession, &LoginSession),
    ) -> Result<Answer, Stop> {
        let code = Code {
            jti: random(),
            grant: LoginSessionId::mint(visitor.now, random()),
            app: question.app.clone(),
            to: ticket::digest(&question.to),
            challenge: question.challenge,
            bound_to: question.bound_to,
            source: session.id,
            account: live.account,
            product_account: live.product_account,
            epoch: session.account_epoch,
            made_at: visitor.now,
        };
        let sealed = self.world.seal(Purpose::App, &code_binding(&at.product), &code.encode());
        self.tell(at, (&question.to, question.state.as_deref()), &[("code", &sealed)])
    }

    /// An answer to an app, with who says it (RFC 9207): a code for one server is never taken to another.
    fn tell(&self, at: &ProductHost, (to, state): (&str, Option<&str>), said: &[(&str, &str)]) -> Result<Answer, Stop> {
        let mut url = Url::parse(to).map_err(|fault| Stop::Fault(fault.to_string()))?;
        let issuer = issuer(&self.world.catalog.load().login.url(), &at.product);
        url.query_pairs_mut()
            .extend_pairs(said)
            .extend_pairs(state.map(|state| ("state", state)))
            .append_pair("iss", &issuer);
        Ok(Answer::of(Step::Go(url.into())))
    }
}

fn binding(at: &ProductHost, what: &str) -> Vec<u8> {
    format!("{what} {} {}", at.product.name, at.host).into_bytes()
}

/// A code is redeemed on the login host, whichever of the product's hosts it was made on.
fn code_binding(product: &Product) -> Vec<u8> {
    format!("code {}", product.name).into_bytes()
}
