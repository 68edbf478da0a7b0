//! A proof of just now, for paths that ask for one and for changes of one's own credentials (rule M6, behaviour §3.3).
//!
//! Whoever logs in by a credential that is kept here takes the second step again, at the door; whoever comes from a provider goes
//! there again, with `max_age`. Both end in a new session, under a new id (security: ids are renewed at a step up), that carries the
//! old one's limits.

use super::answer::{Answer, Step};
use super::current::Current;
use super::handover::{ProductHost, session_token};
use super::ticket::Target;
use super::world::Visitor;
use super::{Login, Stop};
use crate::kernel::live::step_up::{is_fresh, proved_at};
use crate::kernel::local::Steps;
use crate::kernel::model::{LoginSession, Method};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::EmailAddress;
use crate::web::{Admission, Ask, LiveSession, Sessions as _};
use std::sync::Arc;
use std::time::Duration;

impl Login {
    /// `GET /.fedgate/step-up`: asks for the proof, and goes on to `return_to` then. `within`: how old one may be that is there.
    pub async fn step_up(&self, visitor: &Visitor, at: &ProductHost, return_to: &str, within: Duration) -> Answer {
        let answer = self.try_step_up(visitor, at, return_to, within).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_step_up(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        return_to: &str,
        within: Duration,
    ) -> Result<Answer, Stop> {
        let Some((live, session)) = self.session_here(visitor, at).await? else {
            return Ok(self.leave_product(visitor, at, return_to, 0).await);
        };
        if is_fresh(proved_at(&session), within, visitor.now) {
            return Ok(Answer::of(Step::Go(return_to.to_owned())));
        }
        let (target, flow) = self.begin_flow(visitor, at, return_to, 0);
        let mut answer = match session.method {
            Method::OrgSso | Method::Issuer | Method::ThirdParty => {
                let login = self.world.catalog.load().login.url();
                Answer::of(Step::Go(format!("{login}{}&fresh={}", target.path(), within.as_secs())))
            }
            Method::Password | Method::Passkey | Method::Reset | Method::Recovery | Method::Adapter => {
                let addresses = self.world.store.addresses_of(live.product_account).await?;
                let email = addresses.first().map(|address| &address.email);
                let email = email.ok_or_else(|| Stop::refuse(Refusal::StepUp))?;
                let steps = self.steps_of_session(visitor, at, (email, &session)).await?;
                self.ask_step(visitor, at, &target, &steps).await?
            }
            // An emergency is no reason to ask for less (rule H3), and nobody can ask for more.
            Method::Emergency => return Err(Stop::refuse(Refusal::StepUp)),
        };
        answer.cookies.extend(flow);
        Ok(answer)
    }

    /// The live session that the request has here, and its login session, read from the store now.
    pub(super) async fn session_here(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Result<Option<(Arc<LiveSession>, LoginSession)>, Stop> {
        let Some(token) = session_token(visitor) else { return Ok(None) };
        let ask = Ask {
            token: &token,
            key: None,
            product: &at.product.name,
            host: &at.host,
            client: visitor.client,
            now: visitor.now,
            active: true,
        };
        let Admission::Admitted(live) = self.live.admit(&ask).await else { return Ok(None) };
        let session = self.world.store.login_session_by_id(live.login).await?;
        Ok(session.filter(|session| self.world.keys.holds_login(session)).map(|session| (live, session)))
    }

    /// Whether a login session must be proved anew before it is handed over, because the product's path asked for it.
    pub(super) async fn anew(
        &self,
        visitor: &Visitor,
        current: &Current,
        (target, within): (&Target, Duration),
    ) -> Result<Option<Answer>, Stop> {
        if is_fresh(proved_at(&current.session), within, visitor.now) {
            return Ok(None);
        }
        let leaving = super::begin::Leaving {
            hint: current.account.email.clone(),
            max_age: Some(within),
            by_form: false,
            ..Default::default()
        };
        self.leave(visitor, current.session.directory, Some(target), leaving).await.map(Some)
    }

    /// The steps that stand behind a session, for one more: worth nothing once that session has ended.
    async fn steps_of_session(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (email, session): (&EmailAddress, &LoginSession),
    ) -> Result<Steps, Stop> {
        let known = self.claimant_at(at, email).await?;
        known
            .and_then(|claimant| Steps::of_session(&claimant, session, visitor.now))
            .ok_or_else(|| Stop::refuse(Refusal::StepUp))
    }
}
