//! The owner's side of a link (B22), and the one way on where a product's accounts must move (B11): pages of the product's own door.
//!
//! A password that was right where everybody must move opens nothing but this (row T13): what it proved stands for ten minutes in this
//! browser, on this host, and leads to the provider and back to the review. It is no session.

use super::super::answer::{Answer, Form, Step};
use super::super::both_sides::Wanted;
use super::super::cookies::{self, CrossSite};
use super::super::handover::ProductHost;
use super::super::record::Circumstances;
use super::super::ticket::{Errand, Target};
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::answer::{LocalPage, Said, Shown};
use super::attempts::Attempt;
use super::door::{Judged, said, start_again};
use super::reset::For;
use super::second::bound_to;
use crate::kernel::local::{Claimant, Steps};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{MigrationPhase, ProductAccountState};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EmailAddress, ProductAccountId};

impl Shown {
    fn of(standing: Option<&(Steps, bool)>) -> Self {
        match standing {
            None => Self::Nothing,
            Some((_, false)) => Self::First,
            Some((_, true)) => Self::Enough,
        }
    }
}

impl Login {
    /// B11: the password was right, and the account must move before anything else.
    pub(super) fn move_page(&self, visitor: &Visitor, at: &ProductHost, target: &Target, steps: &Steps) -> Answer {
        let provider = self.issuer_label();
        let email = steps.claimant().email.clone();
        self.page_with_steps(visitor, at, target, steps, |form| LocalPage::Move {
            form,
            email,
            provider,
            must: true,
            ends: None,
        })
    }

    /// `GET /.fedgate/move`: whoever is logged in by a password here may move (rows T02, T21). Nothing happens by it.
    pub async fn ask_move(&self, visitor: &Visitor, at: &ProductHost) -> Answer {
        let answer = match self.mover(visitor, at).await {
            Ok(Some((email, _))) => {
                let (target, provider) = (self.door_target(at), self.issuer_label());
                let plan = &at.product.migration;
                let ends = plan.deadline.as_ref().filter(|deadline| deadline.then == MigrationPhase::Forced);
                let ends = ends.map(|deadline| deadline.at);
                let page = |form| LocalPage::Move { form, email, provider, must: false, ends };
                Ok(self.local_page(visitor, at, Some(&target), "", page))
            }
            // Moved already, or nowhere to move to: there is nothing to do here.
            Ok(None) => Ok(start_again()),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// The address and the record of the person who is logged in here, if their account may move.
    async fn mover(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Result<Option<(EmailAddress, ProductAccountId)>, Stop> {
        if at.product.migration.phase_at(visitor.now) == MigrationPhase::Off
            || self.world.catalog.load().issuer.is_none()
        {
            return Ok(None);
        }
        let Some((live, _)) = self.session_here(visitor, at).await? else { return Ok(None) };
        let record = self.world.store.product_account_by_id(live.product_account).await?;
        let is_local = |state| matches!(state, ProductAccountState::Local | ProductAccountState::Migrating);
        if !record.is_some_and(|record| is_local(record.state)) {
            return Ok(None);
        }
        let addresses = self.world.store.addresses_of(live.product_account).await?;
        Ok(addresses.into_iter().next().map(|address| (address.email, live.product_account)))
    }

    /// From a session: to the provider, and back to the review with the password once more. A session is no proof of the record.
    async fn leave_for_move(&self, visitor: &Visitor, at: &ProductHost) -> Result<Answer, Stop> {
        let Some((email, record)) = self.mover(visitor, at).await? else { return Ok(start_again()) };
        let Some(issuer) = self.world.catalog.load().issuer else { return Ok(start_again()) };
        let (target, flow) = self.begin_flow(visitor, at, "/", 0);
        let mut answer = self.hop_for(visitor, &target, (&email, Errand::Move(record)), issuer);
        answer.cookies.extend(flow);
        Ok(answer)
    }

    fn issuer_label(&self) -> String {
        let catalog = self.world.catalog.load();
        let issuer = catalog.issuer.and_then(|id| catalog.directories.get(&id));
        issuer.map(|issuer| issuer.label.clone()).unwrap_or_default()
    }

    /// `POST /.fedgate/move`: on to the provider. What was proved stays in this browser.
    pub async fn begin_move(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let Some(target) = self.posted_target(visitor, at, csrf, to) else { return start_again() };
        let Some(steps) = self.posted_steps(visitor, at, to) else {
            let answer = self.leave_for_move(visitor, at).await;
            return self.settle(visitor, Some(&target), answer).await;
        };
        let Some(issuer) = self.world.catalog.load().issuer else {
            let gone = Err(Stop::refuse(Refusal::ProviderUnavailable));
            return self.settle(visitor, Some(&target), gone).await;
        };
        let text = steps.to_text(&self.world.steps_key(), &bound_to(at, &Browser::of(visitor)));
        let Claimant { email, record, .. } = steps.claimant();
        let answer = self.hop_for(visitor, &target, (email, Errand::Move(*record)), issuer);
        answer.with_cookie(cookies::set(cookies::OWNER, &text, Some(PROOF_LIFE), CrossSite::Lax))
    }

    /// What the owner of a record proved in this browser a moment ago, and whether it is enough to link the record: whoever enrolled a
    /// second step must have taken it (rule H1).
    async fn standing_steps(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        wanted: &Wanted,
    ) -> Result<Option<(Steps, bool)>, Stop> {
        let bound = bound_to(at, &Browser::of(visitor));
        let text = visitor.cookies.one(cookies::OWNER);
        let steps = text.and_then(|text| Steps::open(text, &self.world.steps_key(), &bound, visitor.now));
        let Some(steps) = steps.filter(|steps| steps.claimant().record == wanted.record) else { return Ok(None) };
        let Some(owner) = steps.owner() else { return Ok(None) };
        let enough = owner.stepped() || self.world.factors(visitor, steps.claimant().account).await?.is_empty();
        Ok(Some((steps, enough)))
    }

    /// `GET /.fedgate/prove?t=…`: names both sides and asks for the record's own proof. Nothing happens by it.
    pub async fn ask_prove(&self, visitor: &Visitor, at: &ProductHost, ticket: &str) -> Answer {
        let answer = match self.wanted(visitor, at, ticket) {
            Some(wanted) => match self.standing_steps(visitor, at, &wanted).await {
                Ok(known) => Ok(self.prove_page(visitor, at, (&wanted, ticket), (Shown::of(known.as_ref()), false))),
                Err(stop) => Err(stop),
            },
            None => Ok(start_again()),
        };
        self.settle(visitor, None, answer).await
    }

    fn prove_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (wanted, ticket): (&Wanted, &str),
        (shown, failed): (Shown, bool),
    ) -> Answer {
        self.local_page(visitor, at, Some(&wanted.target), ticket, |form: Form| LocalPage::Prove {
            form,
            email: wanted.email.clone(),
            provider: wanted.provider.clone(),
            identity: wanted.identity.clone(),
            shown,
            may_begin_anew: wanted.may_begin_anew,
            failed,
        })
    }

    /// `POST /.fedgate/prove/anew`: the record is not the person's (B21). A page of the login host says what follows from that.
    pub async fn begin_anew(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let ticket = to.split_once('~').map(|(_, ticket)| ticket).unwrap_or_default();
        let wanted = self.wanted(visitor, at, ticket).filter(|_| self.world.csrf_holds(visitor, csrf));
        let answer = match wanted.filter(|wanted| wanted.may_begin_anew) {
            Some(wanted) => Ok(self.disown(visitor, &wanted)),
            None => Ok(start_again()),
        };
        self.settle(visitor, None, answer).await
    }

    /// `POST /.fedgate/prove`: the password, and a code where a second step is enrolled.
    pub async fn prove(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        (password, code): (String, &str),
    ) -> Answer {
        let begun = self.world.clock.since_boot();
        let ticket = to.split_once('~').map(|(_, ticket)| ticket).unwrap_or_default();
        let wanted = self.wanted(visitor, at, ticket).filter(|_| self.world.csrf_holds(visitor, csrf));
        let Some(wanted) = wanted else { return start_again() };
        let answer = self.try_prove(visitor, at, (&wanted, ticket), (password, code)).await;
        let answer = self.settle(visitor, Some(&wanted.target), answer).await;
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_prove(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (wanted, ticket): (&Wanted, &str),
        (password, code): (String, &str),
    ) -> Result<Answer, Stop> {
        let standing = self.standing_steps(visitor, at, wanted).await?;
        if let Some((steps, true)) = &standing {
            let answer = self.give_owned(visitor, wanted, steps, Vec::new()).await?;
            return Ok(answer.with_cookie(cookies::expire(cookies::OWNER)));
        }
        if let Some((steps, false)) = &standing {
            let answer = self.second_of_owner(visitor, at, (wanted, ticket), (steps, code, Shown::First)).await?;
            return Ok(answer);
        }
        let known = self.world.known(at, &wanted.email).await?.filter(|known| known.record.id == wanted.record);
        let steps = match self.judge_password(visitor, at, (&wanted.email, known.as_ref()), password).await? {
            Judged::Right(steps, _) => *steps,
            Judged::Wrong => {
                let about = Circumstances {
                    product: Some(at.product.name.to_string()),
                    method: Some("password".to_owned()),
                    known: true,
                    ..Circumstances::default()
                };
                self.world.record_refusal(visitor, Refusal::WrongPassword, about).await;
                return Ok(self.prove_page(visitor, at, (wanted, ticket), (Shown::Nothing, true)));
            }
            Judged::TooMany => return Ok(said(at, Said::TooMany)),
            Judged::Busy => return Ok(said(at, Said::Busy)),
            Judged::Away => return Ok(said(at, Said::Away)),
        };
        if self.world.factors(visitor, steps.claimant().account).await?.is_empty() {
            return self.give_owned(visitor, wanted, &steps, Vec::new()).await;
        }
        self.second_of_owner(visitor, at, (wanted, ticket), (&steps, code, Shown::Nothing)).await
    }

    /// The enrolled second step of the record's owner, asked for whatever the policy says (rule H1).
    async fn second_of_owner(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (wanted, ticket): (&Wanted, &str),
        (steps, code, shown): (&Steps, &str, Shown),
    ) -> Result<Answer, Stop> {
        let device = self.world.device(visitor, wanted.record);
        let place = (&at.product.name, wanted.email.as_str());
        if !self.world.may_try(Attempt::Second, visitor, place, device.as_ref()).await? {
            return Ok(said(at, Said::TooMany));
        }
        let Some((steps, used)) = self.add_second(visitor, steps, code).await? else {
            return Ok(self.prove_page(visitor, at, (wanted, ticket), (shown, true)));
        };
        let answer = self.give_owned(visitor, wanted, &steps, vec![used]).await?;
        Ok(answer.with_cookie(cookies::expire(cookies::OWNER)))
    }

    /// `POST /.fedgate/prove/mail`: a code to the record's own address, for who has no password any more.
    pub async fn prove_by_mail(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let begun = self.world.clock.since_boot();
        let ticket = to.split_once('~').map(|(_, ticket)| ticket).unwrap_or_default();
        let wanted = self.wanted(visitor, at, ticket).filter(|_| self.world.csrf_holds(visitor, csrf));
        let Some(wanted) = wanted else { return start_again() };
        let answer = self.try_prove_by_mail(visitor, at, (&wanted, ticket)).await;
        let answer = self.settle(visitor, Some(&wanted.target), answer).await;
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_prove_by_mail(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (wanted, ticket): (&Wanted, &str),
    ) -> Result<Answer, Stop> {
        if !self.world.may_try(Attempt::Mail, visitor, (&at.product.name, wanted.email.as_str()), None).await? {
            return Ok(said(at, Said::TooMany));
        }
        // The address that is stored now, of the very record that was asked about: else nobody gets a mail.
        let known = self.world.known(at, &wanted.email).await?.filter(|known| known.record.id == wanted.record);
        let asked = (For::Owner(wanted, ticket), wanted.email.clone(), known.as_ref());
        self.begin_proof(visitor, at, &wanted.target, asked).await
    }

    /// The mailbox of the record is the person's: that stands in this browser, and the page asks for what is missing.
    pub(super) fn owner_by_mailbox(&self, visitor: &Visitor, at: &ProductHost, steps: &Steps, ticket: &str) -> Answer {
        let wanted = self.wanted(visitor, at, ticket).filter(|wanted| wanted.record == steps.claimant().record);
        if wanted.is_none() {
            return start_again();
        }
        let text = steps.to_text(&self.world.steps_key(), &bound_to(at, &Browser::of(visitor)));
        let url = format!("/.fedgate/prove?t={ticket}");
        Answer::of(Step::Go(url)).with_cookie(cookies::set(cookies::OWNER, &text, Some(PROOF_LIFE), CrossSite::Lax))
    }
}
