//! What a person agrees to before a move (row T12): a page that names both sides and the address that stays, and its button.
//!
//! Nothing of it is kept by us: what was proved travels in the browser, sealed, and everything else is read anew by each request. A
//! page whose facts have changed is shown again, so that two tabs, or a change meanwhile, never commit what nobody saw.

use super::account::enterprise;
use super::another::ADDRESS;
use super::answer::{Answer, Step};
use super::cookies;
use super::local::{LocalPage, LocalStep};
use super::moving::{Chosen, Moving};
use super::record::Circumstances;
use super::session::Along;
use super::standing::Standing;
use super::ticket::Target;
use super::world::{Browser, Visitor};
use super::{Login, Stop, TRIES};
use crate::kernel::admit::{Admitted, Outcome, Person, Record, decide};
use crate::kernel::model::{Directory, Product};
use crate::kernel::proof::Proof;
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::management;
use crate::kernel::values::{EmailAddress, Origin};
use crate::keys::Lookup;
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;

/// Both sides, proved and decided about; what would be committed.
pub(super) struct Weighed {
    pub standing: Standing,
    /// Where its person was going: such a move is on the way to a product.
    pub target: Target,
    pub place: (Arc<Product>, Origin),
    pub directory: Arc<Directory>,
    pub admitted: Admitted,
    pub about: Circumstances,
    /// Its owner showed that the record is theirs; else the person begins anew.
    pub by_owner: bool,
    /// The address that the person chose, and that still stands.
    pub chosen: Option<Chosen>,
}

impl Login {
    /// `GET /login/link?t=…`: both sides are proved; the page names both and waits for its button (row T12, §4 #14).
    pub async fn review(&self, visitor: &Visitor, ticket: &str) -> Answer {
        let answer = self.try_review(visitor, ticket, None).await;
        self.settle(visitor, None, answer).await
    }

    /// `POST /login/link`: the person's word, for what the page showed.
    pub async fn confirm_link(&self, visitor: &Visitor, csrf: &str, to: &str) -> Answer {
        let Some((shown, ticket)) = to.split_once('~').filter(|_| self.world.csrf_holds(visitor, csrf)) else {
            return self.home(visitor).await;
        };
        let answer = self.try_review(visitor, ticket, Some(shown)).await;
        self.settle(visitor, None, answer).await
    }

    /// Decides anew about what stands in this browser. `ticket` is what the product's door gave it, and behind a dot the address that the
    /// person chose since.
    pub(super) async fn weigh(&self, visitor: &Visitor, ticket: &str) -> Result<Weighed, Stop> {
        let over = || Stop::refuse(Refusal::NotUnderWay);
        let standing = self.standing(visitor).ok_or_else(over)?;
        let (owned, choice) = ticket.split_once('.').map_or((ticket, None), |(owned, chosen)| (owned, Some(chosen)));
        let word = self.word(visitor, &standing, owned).ok_or_else(over)?;
        let chosen = match choice {
            Some(choice) => Some(self.chosen(visitor, &standing, choice).ok_or_else(over)?),
            None => None,
        };
        let (proof, by_owner) = (&standing.proof, word.0.is_some());
        let target = standing.target.clone().ok_or_else(over)?;
        let place = self.world.place(&target).ok_or_else(over)?;
        let directory = self.world.directory(proof.claims().identity.directory).ok_or_else(over)?;
        let catalog = self.world.catalog.load_full();
        let mut facts = self.world.facts_of_proof(visitor, &catalog, Some(&place.0), proof, word).await?;
        facts.local.step = self.waiting_step(visitor, &standing);
        let decision = decide(&facts);
        let about = self.circumstances(&directory, proof, decision.trace);
        let admitted = match decision.outcome {
            Outcome::Session(admitted) | Outcome::Link(admitted) if admitted.terms().moves.is_some() => admitted,
            Outcome::Create(admitted) if word.1.is_some() => admitted,
            // It moved meanwhile, or what was proved is not enough any more: a fresh login says so.
            Outcome::Session(_) | Outcome::Link(_) | Outcome::Create(_) | Outcome::Reroute(_) => return Err(over()),
            Outcome::Need(need) => return Err(Stop::refused(need.refusal(), about)),
            Outcome::Refuse(refusal) => return Err(Stop::refused(refusal, about)),
        };
        Ok(Weighed { standing, target, place, directory, admitted, about, by_owner, chosen })
    }

    async fn try_review(&self, visitor: &Visitor, ticket: &str, shown: Option<&str>) -> Result<Answer, Stop> {
        for _ in 0..TRIES {
            let weighed = match self.weigh(visitor, ticket).await {
                Err(Stop::Refused(Refusal::SecondStep, about)) => {
                    return self.ask_second_for_link(visitor, ticket, *about).await;
                }
                weighed => weighed?,
            };
            let Weighed { standing, target, admitted, about, chosen, .. } = &weighed;
            let proof = &standing.proof;
            let moving = match self.world.moving(admitted, proof, (about, chosen.as_ref())).await {
                // None of its addresses is proved: the person chooses one, and proves it (row T16).
                Err(Stop::Refused(Refusal::EmailProof, _)) if chosen.is_none() => {
                    return Ok(Answer::of(Step::Go(format!("{ADDRESS}?t={ticket}"))));
                }
                moving => moving?,
            };
            let aside = self.world.aside(admitted).await?;
            let says = Says::of(admitted, moving.as_ref(), proof);
            let print = self.print(&says, ticket);
            if shown != Some(print.as_str()) {
                return Ok(self.review_page(visitor, &weighed, (&says, &print, ticket), shown.is_some()));
            }
            let mark = Some(standing.mark(visitor));
            let along = Along { moving: moving.as_ref(), aside: aside.as_ref(), mark, ..Along::default() };
            match self.commit_login(visitor, admitted, proof, (about.clone(), along)).await {
                Ok(made) => {
                    let aim = (Some(target), Some(weighed.place.clone()));
                    let answer = self.logged_in(visitor, made, aim, admitted, true)?;
                    let answer = answer.with_cookie(cookies::expire(cookies::STANDING));
                    return Ok(answer.with_cookie(cookies::expire(cookies::STEPPED)));
                }
                // Its button was pressed before, here or in another tab.
                Err(NotCommitted::Conflict(Conflict::Taken(_))) => return Ok(self.on_to_product(target)),
                Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// A keyed digest of what a review page says: a page whose facts have changed is shown again (row T12).
    fn print(&self, says: &Says, ticket: &str) -> String {
        let text = format!("{says:?}");
        let hash = self.world.keys.lookup(Lookup::Steps, &[b"review", text.as_bytes(), ticket.as_bytes()]);
        hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    fn review_page(
        &self,
        visitor: &Visitor,
        weighed: &Weighed,
        (says, print, ticket): (&Says, &str, &str),
        changed: bool,
    ) -> Answer {
        let (product, provider) = (&weighed.place.0, weighed.directory.label.clone());
        let browser = Browser::of(visitor);
        let mut form = self.form(visitor, None, &browser);
        form.to = format!("{print}~{ticket}");
        let catalog = self.world.catalog.load();
        let work = EmailAddress::parse(&says.kept)
            .ok()
            .and_then(|kept| management(&catalog, &kept).map(|held| held.org.label.clone()));
        let host = product.hosts.first().map(Origin::url).unwrap_or_default();
        let (identity, stay) = (says.identity.clone(), host + "/");
        let page = if let Some(set_aside) = says.anew {
            LocalPage::Anew { form, email: says.kept.clone(), provider, identity, set_aside, changed, stay }
        } else {
            let is_managed = work.is_some()
                || weighed.admitted.terms().managed_by.is_some()
                || weighed.admitted.known_record().is_some_and(|record| enterprise(product, record).is_some());
            let another = (!is_managed).then(|| format!("{ADDRESS}?t={ticket}"));
            let (kept, removed) = (says.kept.clone(), says.removed.clone());
            LocalPage::Review { form, kept, removed, provider, identity, work, another, changed, stay }
        };
        let mut answer = Answer::of(Step::Local(Box::new(LocalStep { product: Arc::clone(product), page })));
        answer.cookies.extend(browser.cookie());
        answer
    }
}

/// What a review page says: what the person agrees to.
#[derive(Debug)]
struct Says {
    kept: String,
    removed: Vec<String>,
    identity: String,
    /// The person begins anew, and whether an older account is put aside for it.
    anew: Option<bool>,
    #[expect(dead_code, reason = "part of the digest by its Debug form")]
    account: String,
}

impl Says {
    fn of(admitted: &Admitted, moving: Option<&Moving>, proof: &Proof) -> Self {
        let terms = admitted.terms();
        let record = terms.entry.as_ref().map(|entry| match &entry.record {
            Record::Known(record) => record.id.to_string(),
            Record::New => String::new(),
        });
        let account = match &terms.person {
            Person::Known(account) => format!("{} {}", account.id, account.epoch),
            Person::New(_) => String::new(),
        };
        let aside = terms.sets_aside.as_ref().map(|old| format!("{} {}", old.id, old.epoch));
        let claims = proof.claims();
        let name = claims.name.clone().unwrap_or_default();
        Self {
            kept: match (moving, &terms.person) {
                (Some(moving), _) => moving.kept().to_string(),
                (None, Person::New(draft)) => draft.email.to_string(),
                (None, Person::Known(_)) => String::new(),
            },
            removed: moving.into_iter().flat_map(Moving::removed).map(ToString::to_string).collect(),
            anew: matches!(terms.person, Person::New(_)).then_some(aside.is_some()),
            identity: claims.email.as_ref().map_or(name, ToString::to_string),
            account: format!("{account} {record:?} {aside:?} {:?}", claims.identity),
        }
    }
}
