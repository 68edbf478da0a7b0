//! The way back: from the provider's reply to a login session.
//!
//! cookie → unseal → taken once → only then is anything else of the reply used (rule H10) → redeem and judge → facts → decide →
//! one batch with accounts, links, session and events. Another commit that was first makes us decide again.

use super::answer::{Answer, Step, Towards};
use super::begin::Leaving;
use super::cookies::{self, CrossSite};
use super::current::Current;
use super::record::Circumstances;
use super::session::Along;
use super::standing::Standing;
use super::stepping::Stepped;
use super::ticket::{Errand, PENDING_LIFE, Pending, Target, sha256, tag};
use super::world::{Browser, Visitor};
use super::{Login, Stop, TRIES};
use crate::idp::{Redeem, Unproved};
use crate::kernel::admit::{Admitted, Facts, Need, Outcome, decide};
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::model::{Directory, Product};
use crate::kernel::oidc::{Reply, redirect_uri, reply};
use crate::kernel::proof::Proof;
use crate::kernel::refusal::{ProofFault, Refusal};
use crate::kernel::values::{DirectoryName, Origin};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted, Taken};
use std::sync::Arc;

/// How a login came to its proof.
#[derive(Clone, Debug)]
struct Begun<'a> {
    target: Option<&'a Target>,
    /// Its provider was told to ask the person anew: it is not told twice.
    was_fresh: bool,
    /// What it is for besides the login.
    errand: Errand,
    /// Taken in the commit, where the proof stood in the browser.
    mark: Option<ReplayMark>,
}

impl Login {
    /// `GET` or `POST /login/callback[/…]`: a provider's reply, its parameters as raw bytes.
    pub async fn finish(&self, visitor: &Visitor, directory: &DirectoryName, parameters: &[u8]) -> Answer {
        let (pending, name) = match self.pending_of(visitor, parameters) {
            Some(found) => found,
            // Stale, replayed, or begun in another browser: nothing was parsed or stored; a fresh login begins.
            None => return self.home(visitor).await,
        };
        let target = pending.target.clone();
        let answer = match self.take(visitor, &pending).await {
            Ok(Taken::First) => match self.try_finish(visitor, directory, &pending, parameters).await {
                Err(Stop::Refused(Refusal::NotUnderWay, about)) => {
                    self.once_more(visitor, target.as_ref(), *about).await
                }
                other => other,
            },
            Ok(Taken::Again) => Ok(self.back_to(target.as_ref())),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, target.as_ref(), answer).await.with_cookie(cookies::expire(&name))
    }

    /// The login under way that the reply's `state` names, from this browser's own cookie.
    fn pending_of(&self, visitor: &Visitor, parameters: &[u8]) -> Option<(Pending, String)> {
        self.pending_by(visitor, &state_of(parameters)?)
    }

    /// The login under way that was given this state.
    pub(super) fn pending_by(&self, visitor: &Visitor, state: &str) -> Option<(Pending, String)> {
        let name = format!("{}{}", cookies::PENDING, tag(&sha256(state.as_bytes())));
        let value = visitor.cookies.one(&name)?;
        let pending = Pending::decode(&self.world.unseal(Purpose::LoginUnderWay, name.as_bytes(), value)?)?;
        let is_its_state = pending.seed().state() == state;
        (is_its_state && visitor.now.since(pending.left_at) <= PENDING_LIFE).then_some((pending, name))
    }

    pub(super) async fn take(&self, visitor: &Visitor, pending: &Pending) -> Result<Taken, Stop> {
        let digest = sha256(pending.seed().state().as_bytes());
        let until = visitor.now.plus(PENDING_LIFE);
        Ok(self.world.store.take_once(ReplayMark { kind: MarkKind::State, digest, until }).await?)
    }

    /// The provider does not know its code any more, which happens when tabs race there. The way to the product is tried once
    /// more with the cookies of then: a tab that was faster has logged in, else a fresh login begins. The second time it is
    /// explained.
    async fn once_more(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        about: Circumstances,
    ) -> Result<Answer, Stop> {
        match target {
            Some(target) if target.again == 0 => {
                self.world.record_refusal(visitor, Refusal::NotUnderWay, about).await;
                Ok(Answer::of(Step::Go(Target { again: 1, ..target.clone() }.path())))
            }
            Some(_) | None => Err(Stop::refused(Refusal::NotUnderWay, about)),
        }
    }

    /// A reply that was used before, most often by the back button: on to the product, which knows whether it is logged in.
    pub(super) fn back_to(&self, target: Option<&Target>) -> Answer {
        match target {
            Some(target) => Answer::of(Step::Go(format!("{}/", target.host.url()))),
            None => Answer::of(Step::Go("/".to_owned())),
        }
    }

    async fn try_finish(
        &self,
        visitor: &Visitor,
        came_to: &DirectoryName,
        pending: &Pending,
        parameters: &[u8],
    ) -> Result<Answer, Stop> {
        let gone = || Stop::refuse(Refusal::Proof(ProofFault::Directory));
        let directory = self.world.directory(pending.directory).ok_or_else(gone)?;
        let about = || Circumstances::of_directory(&directory);
        // Each directory has its own path: a reply at another one is a mix-up (rule C5). Nothing of it is used.
        if directory.name != *came_to {
            return Err(Stop::refused(Refusal::Proof(ProofFault::Directory), about()));
        }
        let code = match reply(parameters).map_err(|fault| Stop::refused(Refusal::Proof(fault), about()))? {
            Reply::Code(code) => code,
            Reply::Refused { error, .. } => {
                let trace = vec![format!("provider: {error}")];
                return Err(Stop::refused(Refusal::RefusedAtProvider, Circumstances { trace, ..about() }));
            }
        };
        let uri = redirect_uri(&self.world.catalog.load().login, &directory);
        let expected = self.expected(&directory, &uri, pending);
        let redeem = Redeem { reply: &code, expected: &expected, redirect_uri: &uri };
        let unproved = |unproved: Unproved| {
            let trace = vec![unproved.to_string()];
            Stop::refused(unproved.refusal(), Circumstances { trace, ..about() })
        };
        let proof = self.world.providers.prove(&directory, redeem, visitor.now).await.map_err(unproved)?;
        self.admit(visitor, &directory, pending, &proof).await
    }

    /// Decides about a proof and carries the decision out.
    pub(super) async fn admit(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        pending: &Pending,
        proof: &Proof,
    ) -> Result<Answer, Stop> {
        let begun = Begun {
            target: pending.target.as_ref(),
            was_fresh: pending.max_age != u32::MAX,
            errand: pending.errand,
            mark: None,
        };
        self.admit_with(visitor, directory, (proof, begun), None).await
    }

    /// The same of a proof that stood while its person took a second step, by a form of ours.
    pub(super) async fn admit_stepped(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        (standing, errand): (&Standing, Errand),
        stepped: &Stepped,
    ) -> Result<Answer, Stop> {
        let mark = Some(standing.mark(visitor));
        let begun = Begun { target: standing.target.as_ref(), was_fresh: true, errand, mark };
        let mut answer = self.admit_with(visitor, directory, (&standing.proof, begun), Some(stepped)).await?;
        // A form is answered by no redirect to another host (rule M12).
        if let Step::Go(url) = &answer.step
            && !url.starts_with('/')
        {
            let product = self.world.product_of(standing.target.as_ref());
            let (towards, provider, url) = (Towards::Product, String::new(), url.clone());
            answer.step = Step::Leave { towards, provider, url, product, by_form: true };
        }
        Ok(answer)
    }

    async fn admit_with(
        &self,
        visitor: &Visitor,
        directory: &Arc<Directory>,
        (proof, begun): (&Proof, Begun<'_>),
        stepped: Option<&Stepped>,
    ) -> Result<Answer, Stop> {
        let (target, by_form) = (begun.target, stepped.is_some());
        let place = target.and_then(|target| self.world.place(target));
        if target.is_some() && place.is_none() {
            return Err(Stop::refused(Refusal::NotUnderWay, Circumstances::of_directory(directory)));
        }
        // The provider answered from an old session of its own: it is told to ask the person, once (rule M6).
        let errand = begun.errand;
        let afresh = Leaving { max_age: Some(super::ticket::FRESH_PROOF), by_form, errand, ..Leaving::default() };
        for _ in 0..TRIES {
            let catalog = self.world.catalog.load_full();
            let product = place.as_ref().map(|(product, _)| product.as_ref());
            let mut facts = self.world.facts_of_proof(visitor, &catalog, product, proof, (None, None)).await?;
            facts.local.step = stepped.map(|stepped| stepped.proof.clone());
            facts.local.demands_step = errand.demands_step();
            let decision = decide(&facts);
            let about = self.circumstances(directory, proof, decision.trace);
            self.world.foreshadow(visitor, &facts, (&decision.outcome, &about));
            // The address is nobody's here, and the person came for a record that it never named: its owner is asked (row T22).
            if let Errand::Move(record) = errand
                && is_of_nobody(&facts, &decision.outcome)
            {
                let record = Some((record, false));
                return self.ask_owner(visitor, directory, target, (proof, record, about)).await;
            }
            let admitted = match decision.outcome {
                Outcome::Session(admitted) | Outcome::Link(admitted) | Outcome::Create(admitted) => admitted,
                Outcome::Reroute(to) => {
                    self.record_reroute(visitor, target, about).await?;
                    let hint = proof.claims().email.clone();
                    let leaving = Leaving { hint, by_form, errand, max_age: None };
                    return self.leave(visitor, to, target, leaving).await;
                }
                Outcome::Refuse(Refusal::StaleProof) if !begun.was_fresh => {
                    return self.leave(visitor, directory.id, target, afresh).await;
                }
                Outcome::Need(need @ (Need::LocalProof | Need::LocalProofOrNew)) => {
                    let record = facts.record().map(|record| (record.id, need == Need::LocalProofOrNew));
                    return self.ask_owner(visitor, directory, target, (proof, record, about)).await;
                }
                Outcome::Need(Need::GivenUp) => {
                    let old = facts.given_up.as_ref().and_then(|old| old.product_account.as_ref());
                    let old = old.map(|record| record.id);
                    return self.ask_whether_anew(visitor, target, (proof, old, about)).await;
                }
                Outcome::Need(Need::SecondStep) => {
                    return match self.ask_second(visitor, (target, errand), (proof, facts.stepper(), about)).await {
                        Err(Stop::Refused(Refusal::StaleProof, _)) if !begun.was_fresh => {
                            self.leave(visitor, directory.id, target, afresh).await
                        }
                        asked => asked,
                    };
                }
                Outcome::Need(need) => return Err(Stop::refused(need.refusal(), about)),
                Outcome::Refuse(Refusal::Inactive) => match self.offer_restore(visitor, &facts).await? {
                    Some(answer) => {
                        self.world.record_refusal(visitor, Refusal::Inactive, about).await;
                        return Ok(answer);
                    }
                    None => return Err(Stop::refused(Refusal::Inactive, about)),
                },
                Outcome::Refuse(refusal) => return Err(Stop::refused(refusal, about)),
            };
            let moving = match self.world.moving(&admitted, proof, (&about, None)).await {
                // No address of the record is proved: whoever shows that it is theirs chooses one, and proves it (row T16).
                Err(Stop::Refused(Refusal::EmailProof, about)) if target.is_some() => {
                    let record = admitted.known_record().map(|record| (record.id, false));
                    return self.ask_owner(visitor, directory, target, (proof, record, *about)).await;
                }
                moving => moving?,
            };
            let along = Along { moving: moving.as_ref(), stepped, mark: begun.mark.clone(), ..Along::default() };
            match self.commit_login(visitor, &admitted, proof, (about, along)).await {
                Ok(made) => {
                    let offer = self.merge_offer(visitor, (&made, &admitted), target).await?;
                    let mut answer = self.logged_in(visitor, made, (target, place), &admitted, by_form)?;
                    if let Some(page) = errand.ends_at() {
                        answer.step = Step::Go(page.to_owned());
                    }
                    // The login is made; what becomes of the other account is asked before the way goes on.
                    answer.step = offer.map_or(answer.step, Step::Go);
                    return Ok(answer);
                }
                // The code was used meanwhile, or the proof made its login in another tab.
                Err(NotCommitted::Conflict(Conflict::Credential | Conflict::Taken(_))) if by_form => {
                    return Ok(self.stepping_over(target));
                }
                Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// The session's cookie, and on to the product. A form is answered by a page that goes on (rule M12).
    pub(super) fn logged_in(
        &self,
        visitor: &Visitor,
        made: super::session::Made,
        aim: (Option<&Target>, Option<(Arc<Product>, Origin)>),
        admitted: &Admitted,
        by_form: bool,
    ) -> Result<Answer, Stop> {
        let current =
            Current { session: made.session, account: made.account, identities: Vec::new(), further: Vec::new() };
        let mut answer = match (aim.0, made.record.as_ref(), admitted.terms().entry.as_ref()) {
            // A code has no place in a page: the page goes back to where products send people, which hands over.
            (Some(target), Some(_), Some(_)) if by_form => {
                let product = self.world.product_of(Some(target));
                let url = format!("{}{}", self.world.catalog.load().login.url(), target.path());
                Answer::of(Step::Leave {
                    towards: Towards::Product,
                    provider: String::new(),
                    url,
                    product,
                    by_form: true,
                })
            }
            (Some(target), Some(record), Some(entry)) => {
                self.hand_over(visitor, &current, target, (entry.bounds, record))
            }
            _ => Answer::of(Step::Go("/".to_owned())),
        };
        let browser = Browser::of(visitor);
        answer.cookies.extend(browser.cookie());
        if let Some(token) = made.token {
            answer.cookies.push(cookies::set(cookies::SESSION, &token.expose(), None, CrossSite::Lax));
        }
        Ok(answer)
    }

    pub(super) fn circumstances(&self, directory: &Directory, proof: &Proof, trace: Vec<String>) -> Circumstances {
        let claims = proof.claims();
        let mut about = Circumstances::of_directory(directory);
        about.method = Some(claims.method.code().to_owned());
        about.subject.email = claims.email.as_ref().map(ToString::to_string);
        about.trace = trace;
        about.known = true;
        about
    }
}

/// Whether neither the proof's identity nor its address, which is proved, names anybody, and no rule objects but that nobody new may come.
fn is_of_nobody(facts: &Facts<'_>, outcome: &Outcome) -> bool {
    let may_begin = match outcome {
        Outcome::Create(admitted) => admitted.terms().sets_aside.is_none(),
        Outcome::Refuse(refusal) => *refusal == Refusal::NoAccount,
        Outcome::Need(need) => *need == Need::GivenUp,
        Outcome::Session(_) | Outcome::Link(_) | Outcome::Reroute(_) => false,
    };
    may_begin && facts.whom().is_none()
}

/// The `state` of a reply, read without trusting anything else of it: exactly one, 22 characters.
fn state_of(parameters: &[u8]) -> Option<String> {
    let mut states = url::form_urlencoded::parse(parameters.get(..16 * 1024).unwrap_or(parameters))
        .filter(|(name, _)| name == "state")
        .map(|(_, value)| value.into_owned());
    let state = states.next()?;
    (states.next().is_none() && state.len() == 22).then_some(state)
}
