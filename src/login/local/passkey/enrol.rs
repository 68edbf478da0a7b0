//! A new passkey. The door asked for the password, and for a second step where one is enrolled (rules H1, H15).

use super::super::super::answer::Answer;
use super::super::super::world::Visitor;
use super::super::super::{Login, Stop};
use super::super::answer::{LocalPage, Said};
use super::super::door::{said, said_page};
use super::super::known::Known;
use super::super::security::FACTORS;
use super::ticket::{Aim, CHALLENGE_LIFE, Shown, Way};
use crate::entropy::random;
use crate::kernel::event::Action;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{Ceremony, Claimant, NewPasskey, Steps, register};
use crate::kernel::model::{Factor, FactorKind};
use crate::kernel::values::FactorId;
use crate::login::session::clean_name;
use crate::mail::{self, Letter};
use crate::store::{Conflict, NotCommitted};

/// What a passkey is called whose owner calls it nothing.
const UNNAMED: &str = "Passkey";

impl Login {
    /// `POST /login/passkey/new`: the new credential, and what its owner calls it.
    pub async fn take_new_passkey(
        &self,
        visitor: &Visitor,
        (csrf, to): (&str, &str),
        (credential, label): (&str, &str),
    ) -> Answer {
        let Some(shown) = self.shown(visitor, csrf, to).filter(|shown| shown.start.aim == Aim::Enrol) else {
            return self.home(visitor).await;
        };
        let answer = self.try_new_passkey(visitor, &shown, (credential, label)).await;
        self.settle(visitor, Some(&shown.start.target), answer).await
    }

    async fn try_new_passkey(
        &self,
        visitor: &Visitor,
        shown: &Shown,
        (credential, label): (&str, &str),
    ) -> Result<Answer, Stop> {
        let start = &shown.start;
        let at = self.world.door_of(&start.target)?;
        let steps = self.world.steps_of(&start.steps, &start.browser, Way::There, visitor.now);
        let Some(steps) = steps else { return Ok(said(&at, Said::EnrolmentOver)) };
        let known = self.world.known(&at, &steps.claimant().email).await?;
        // Whether the address is proved may have changed on the way here: a mailbox proof is what the door asked for.
        let then = Claimant { email_verified: true, ..steps.claimant().clone() };
        let known = known.filter(|known| Claimant { email_verified: true, ..known.claimant.clone() } == then);
        let Some(known) = known else { return Ok(said(&at, Said::EnrolmentOver)) };
        let enrolled = self.world.factors(visitor, known.claimant.account).await?;
        // Whoever enrolled one since the door asked is asked for it first (rule H1).
        if enrolled.len() >= FACTORS || (!enrolled.is_empty() && steps.second().is_none()) {
            return Ok(said(&at, Said::EnrolmentOver));
        }
        let login = self.world.catalog.load().login.clone();
        let young = visitor.now.since(shown.shown_at) <= CHALLENGE_LIFE;
        match register(credential, Ceremony { challenge: &shown.challenge, login: &login }) {
            Ok(made) if young => self.add_passkey(visitor, &at, (shown, &known, &steps), (made, label)).await,
            Ok(_) => self.ceremony_page(visitor, start, true).await,
            Err(fault) => {
                self.refuse_passkey(visitor, &at, fault, Some(known.claimant.account)).await;
                self.ceremony_page(visitor, start, true).await
            }
        }
    }

    async fn add_passkey(
        &self,
        visitor: &Visitor,
        at: &super::ProductHost,
        (shown, known, steps): (&Shown, &Known, &Steps),
        (made, label): (NewPasskey, &str),
    ) -> Result<Answer, Stop> {
        let account = steps.claimant().account;
        let mut factor = Factor {
            id: FactorId::mint(visitor.now, random()),
            account,
            kind: FactorKind::Passkey,
            label: clean_name(label).unwrap_or_else(|| UNNAMED.to_owned()),
            secret: made.key,
            handle: Some(made.handle),
            counter: made.counter,
            created_at: visitor.now,
            last_used_at: None,
            mac: [0; 32],
        };
        factor.mac = self.world.keys.mac_factor(&factor);
        let mut changes = vec![Change::Credential(CredentialChange::AddFactor(factor))];
        // A lost authenticator must not be a lost account: the first one comes with codes to write down.
        let codes = match self.world.store.recovery_codes_left(account).await? {
            0 => {
                let (codes, put) = self.recovery_codes(account);
                changes.push(Change::Credential(put));
                Some(codes)
            }
            _ => None,
        };
        let letter = Letter::FactorEnrolled { factor: mail::Factor::Passkey, at: visitor.now };
        changes.push(self.world.letter(visitor, &known.claimant, letter)?);
        let event = self.factor_event(visitor, at, known, (Action::FactorEnrolled, FactorKind::Passkey.code()));
        let batch = Batch { marks: vec![shown.mark()], changes, events: vec![event], ..Batch::default() };
        match self.world.store.commit(batch).await {
            Ok(_) => {}
            // The challenge was used, or somebody has this very credential.
            Err(NotCommitted::Conflict(Conflict::Taken(_) | Conflict::Credential)) => {
                return self.ceremony_page(visitor, &shown.start, true).await;
            }
            Err(other) => return Err(other.into()),
        }
        let next = format!("{}/.fedgate/security", at.host.url());
        Ok(match codes {
            Some(codes) => said_page(at, LocalPage::Recovery { codes, next }),
            None => said_page(at, LocalPage::Enrolled { next }),
        })
    }
}
