//! Another address than the one that a move would keep, chosen in its review (rows T12, T16, T19, T20, T22).
//!
//! ```text
//! login host: review → /login/link/address: one of the record's own that is proved, or the issuer's ──────────┐
//!                                          or any other → a mail to it, and a notice to those of before (N5)  │
//!             the page that waits: eight digits; or the mail's link, whose button acts in this browser alone ─┤
//!             review with that address → its button → COMMIT                                       ←──────────┘
//! ```
//! Whoever gets here has just shown that the record is theirs, by its password or its mailbox, and by the second step that they
//! enrolled: that stands in for a mailbox that nobody reads any more. A choice is written down nowhere: it travels sealed, for ten minutes,
//! bound to this review and to the account as it is now, so that any change of the account ends it (§4 #17). An address that
//! cannot be chosen gets the same page as any other, and no mail: nobody learns here who has an address (rule H18).

mod pages;

pub use pages::{AddressAsks, AddressStep};

use super::account::{Managers, enterprise};
use super::answer::{Answer, Form, Step};
use super::codec::{Reader, Writer};
use super::cookies::{self, CrossSite};
use super::local::{LIFE, LocalPage, LocalStep, Secrets, TRIES};
use super::moving::Chosen;
use super::review::Weighed;
use super::standing::Standing;
use super::world::{Browser, Visitor};
use super::{Login, Stop};
use crate::entropy::random;
use crate::kernel::admit::Person;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{ProvedAddress, Shown, address_by_mailbox};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{Account, Address, MailboxProof, MailboxPurpose, Product, ProductAccount};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EmailAddress, MailboxProofId, Secret, Token};
use crate::keys::{Lookup, Purpose};
use crate::mail::{self, Letter, Proof};
use crate::store::NotCommitted;
use std::sync::Arc;

/// Where an address is chosen, on the login host.
pub(super) const ADDRESS: &str = "/login/link/address";
/// Where a mailed link leads.
pub(super) const OPENED: &str = "/login/link/address/opened";

/// What the address that was chosen is sealed for.
const CHOSEN: &[u8] = b"chosen address";
/// And a review that waits for a mailbox.
const WAITING: &[u8] = b"address under way";

/// A review in which an address may be chosen.
struct Room {
    weighed: Weighed,
    account: Account,
    record: ProductAccount,
    addresses: Vec<Address>,
    /// What the product's door gave the review.
    owned: String,
}

/// The review that waits for a mailbox, and the proof that it waits for.
struct Waiting {
    id: MailboxProofId,
    owned: String,
    email: EmailAddress,
}

impl Waiting {
    fn encode(&self) -> Vec<u8> {
        Writer::default().raw(&self.id.to_bytes()).text(&self.owned).text(self.email.as_str()).done()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let id = MailboxProofId::from_bytes(reader.raw()?);
        let (owned, email) = (reader.text()?.to_owned(), EmailAddress::parse(reader.text()?).ok()?);
        reader.ended()?;
        Some(Self { id, owned, email })
    }
}

fn over() -> Stop {
    Stop::refuse(Refusal::NotUnderWay)
}

impl Login {
    /// The choice that a review's ticket carries, if it was made for the proof that stands in this browser.
    pub(super) fn chosen(&self, visitor: &Visitor, standing: &Standing, text: &str) -> Option<Chosen> {
        let bytes = self.world.unseal(Purpose::Local, CHOSEN, text)?;
        let mut reader = Reader::new(&bytes);
        let (made_at, challenge): (_, [u8; 32]) = (reader.time()?, reader.raw()?);
        let chosen = match reader.byte()? {
            0 => Chosen::Own(EmailAddress::parse(reader.text()?).ok()?),
            1 => {
                let key = self.world.steps_key();
                Chosen::Mailbox(ProvedAddress::open(reader.text()?, &key, &challenge, visitor.now)?)
            }
            _ => return None,
        };
        reader.ended()?;
        let same = challenge == standing.challenge() && visitor.now.since(made_at) <= PROOF_LIFE;
        same.then_some(chosen)
    }

    /// Back to the review, with a choice.
    fn to_review_with(&self, visitor: &Visitor, room: &Room, chosen: &Chosen) -> Answer {
        let challenge = room.weighed.standing.challenge();
        let writer = Writer::default().time(visitor.now).raw(&challenge);
        let bytes = match chosen {
            Chosen::Own(email) => writer.byte(0).text(email.as_str()).done(),
            Chosen::Mailbox(proved) => writer.byte(1).text(&proved.to_text(&self.world.steps_key(), &challenge)).done(),
        };
        let chosen = self.world.seal(Purpose::Local, CHOSEN, &bytes);
        Answer::of(Step::Go(format!("/login/link?t={}.{chosen}", room.owned)))
    }

    /// The review that this ticket opens, read anew, if it is one that keeps an address. A choice of before is no part of it.
    async fn room(&self, visitor: &Visitor, ticket: &str) -> Result<Room, Stop> {
        let owned = ticket.split_once('.').map_or(ticket, |(owned, _)| owned).to_owned();
        let weighed = self.weigh(visitor, &owned).await?;
        let terms = weighed.admitted.terms();
        let record = weighed.admitted.known_record().cloned();
        let (Person::Known(account), Some(record), true) = (&terms.person, record, weighed.by_owner) else {
            return Err(over());
        };
        let account = account.clone();
        let addresses = self.world.addresses_to_reduce(&record, &account).await?;
        Ok(Room { weighed, account, record, addresses, owned })
    }

    /// Who is managed, by an organization or the product's enterprise, chooses nothing (row T20): the page that says by whom, and an event.
    async fn kept_by_admin(&self, visitor: &Visitor, room: &Room) -> Result<Option<Answer>, Stop> {
        let managed_by = room.weighed.admitted.terms().managed_by.as_ref();
        let named = managed_by.and_then(|org| self.world.manager_named(org));
        let org = match named {
            None => self.world.manager_of(room.account.id).await?,
            named => named,
        };
        let managers = Managers::of(org, enterprise(&room.weighed.place.0, &room.record));
        let Some(managers) = managers else { return Ok(None) };
        let mut event = self.address_event(visitor, room, Action::EmailChangeRequested);
        (event.outcome, event.reason) = (Outcome::Refused, Some(managers.reason().to_owned()));
        self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(Some(self.address_page(visitor, room, |_| AddressAsks::AskAdmin(managers))))
    }

    fn address_event(&self, visitor: &Visitor, room: &Room, action: Action) -> AuditEvent {
        let mut event = visitor.event(action, Outcome::Success);
        event.product = Some(room.record.product.to_string());
        event.subject.account = Some(room.account.id.to_string());
        event.subject.product_account = Some(room.record.id.to_string());
        event.subject.email = room.account.email.as_ref().map(ToString::to_string);
        event
    }

    fn address_page(&self, visitor: &Visitor, room: &Room, asks: impl FnOnce(Form) -> AddressAsks) -> Answer {
        self.page_about_address(visitor, &room.weighed.place.0, (&room.owned, asks))
    }

    /// The page; its form's `to` is the ticket, unless `asks` puts another there.
    fn page_about_address(
        &self,
        visitor: &Visitor,
        product: &Arc<Product>,
        (ticket, asks): (&str, impl FnOnce(Form) -> AddressAsks),
    ) -> Answer {
        let browser = Browser::of(visitor);
        let mut form = self.form(visitor, None, &browser);
        form.to = ticket.to_owned();
        let page = LocalPage::Address(AddressStep { asks: asks(form), back: format!("/login/link?t={ticket}") });
        let mut answer = Answer::of(Step::Local(Box::new(LocalStep { product: Arc::clone(product), page })));
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// `GET /login/link/address?t=…`: which address. Nothing happens by it.
    pub async fn ask_address(&self, visitor: &Visitor, ticket: &str) -> Answer {
        let answer = self.try_ask_address(visitor, ticket).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_ask_address(&self, visitor: &Visitor, ticket: &str) -> Result<Answer, Stop> {
        let room = self.room(visitor, ticket).await?;
        match self.kept_by_admin(visitor, &room).await? {
            Some(page) => Ok(page),
            None => self.which_page(visitor, &room, false).await,
        }
    }

    async fn which_page(&self, visitor: &Visitor, room: &Room, invalid: bool) -> Result<Answer, Stop> {
        let proved = self.proved_choices(room).await?;
        let others = room.addresses.iter().map(|address| address.email.clone());
        let unproved = others.filter(|email| !proved.contains(email)).collect();
        Ok(self.address_page(visitor, room, |form| AddressAsks::Which { form, proved, unproved, invalid }))
    }

    /// What may be kept without a mail: the record's own proved addresses, and the one that the issuer proved.
    async fn proved_choices(&self, room: &Room) -> Result<Vec<EmailAddress>, Stop> {
        let proof = &room.weighed.standing.proof;
        let own = room.addresses.iter().filter(|address| address.verified).map(|address| address.email.clone());
        let mut proved = Vec::new();
        for email in own.chain(self.world.issuers_address(proof)) {
            let is_free = self.world.may_keep(&room.record, &email, &proof.claims().identity).await?;
            if is_free && !proved.contains(&email) {
                proved.push(email);
            }
        }
        Ok(proved)
    }

    /// `POST /login/link/address`: one that is proved goes back to the review; any other gets a mail.
    pub async fn choose_address(&self, visitor: &Visitor, (csrf, to): (&str, &str), typed: &str) -> Answer {
        if !self.world.csrf_holds(visitor, csrf) {
            return self.home(visitor).await;
        }
        let begun = self.world.clock.since_boot();
        let answer = self.try_choose_address(visitor, to, typed).await;
        let answer = self.settle(visitor, None, answer).await;
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_choose_address(&self, visitor: &Visitor, ticket: &str, typed: &str) -> Result<Answer, Stop> {
        let room = self.room(visitor, ticket).await?;
        if let Some(page) = self.kept_by_admin(visitor, &room).await? {
            return Ok(page);
        }
        let Ok(email) = EmailAddress::parse(typed) else { return self.which_page(visitor, &room, true).await };
        if self.proved_choices(&room).await?.contains(&email) {
            return Ok(self.to_review_with(visitor, &room, &Chosen::Own(email)));
        }
        self.begin_address(visitor, &room, email).await
    }

    /// Writes the proof down, queues the mails, and shows the page that waits: the same for an address that cannot be had.
    async fn begin_address(&self, visitor: &Visitor, room: &Room, email: EmailAddress) -> Result<Answer, Stop> {
        let (world, product) = (&self.world, &room.record.product);
        // A person's own limit stands beside the address's: the notices of many requests would flood the addresses of before.
        if !world.may_mail(visitor, product, [email.as_str(), &room.record.id.to_string()]).await? {
            return Err(Stop::refuse(Refusal::TooMany));
        }
        let identity = &room.weighed.standing.proof.claims().identity;
        let is_free = world.may_keep(&room.record, &email, identity).await?;
        let (browser, secrets) = (Browser::of(visitor), Secrets::fresh());
        let id = MailboxProofId::mint(visitor.now, random());
        // What the provider proved stands for ten minutes: no code is worth more than the review that it is for.
        let until = visitor.now.plus(LIFE).min(room.weighed.standing.made_at.plus(PROOF_LIFE));
        let mut proof = MailboxProof {
            id,
            purpose: MailboxPurpose::Address,
            product: product.clone(),
            product_account: is_free.then_some(room.record.id),
            email: email.clone(),
            code: world.keys.lookup(Lookup::MailCode, &[&id.to_bytes(), secrets.code.as_bytes()]),
            link: world.keys.lookup(Lookup::MailLink, &[secrets.link.bytes()]),
            browser: browser.digest(),
            account_epoch: room.account.epoch,
            created_at: visitor.now,
            expires_at: until,
            tries_left: TRIES,
            mac: [0; 32],
        };
        proof.mac = world.keys.mac_mailbox(&proof);
        let mut batch = Batch::default();
        batch.changes.push(Change::Credential(CredentialChange::BeginMailboxProof(proof)));
        let mut event = self.address_event(visitor, room, Action::EmailChangeRequested);
        event.after = Some(serde_json::json!({ "address": email.to_string() }));
        if is_free {
            let product = product.clone();
            let link = Secret::new(format!("/login/reset?token={}", *secrets.link.expose()));
            let proof = Proof { code: Secret::new(secrets.code), link: Some(link) };
            let mut letters = vec![(email.clone(), Letter::MailboxProof { product: product.clone(), proof, until })];
            // Whoever reads the addresses of before hears of it, whoever asked (N5).
            letters.extend(room.addresses.iter().filter(|known| known.email != email).map(|known| {
                let letter = Letter::AddressChange { product: product.clone(), wanted: email.clone(), at: visitor.now };
                (known.email.clone(), letter)
            }));
            let queued = mail::queue(&world.keys, visitor.now, &letters, Some(room.account.id));
            batch.changes.push(queued.map_err(|fault| Stop::Fault(fault.to_string()))?);
        } else {
            (event.outcome, event.reason) = (Outcome::Refused, Some("not-free".to_owned()));
        }
        batch.events.push(event);
        world.store.commit(batch).await?;
        let waiting = Waiting { id, owned: room.owned.clone(), email };
        let sealed = world.seal(Purpose::Local, WAITING, &waiting.encode());
        let answer = self.code_page(visitor, room, (&waiting, &sealed), false);
        Ok(answer.with_cookie(cookies::set(cookies::ADDRESS, &sealed, Some(PROOF_LIFE), CrossSite::Lax)))
    }

    fn code_page(&self, visitor: &Visitor, room: &Room, (waiting, sealed): (&Waiting, &str), failed: bool) -> Answer {
        let (email, to) = (waiting.email.clone(), sealed.to_owned());
        self.address_page(visitor, room, |form| AddressAsks::Code { form: Form { to, ..form }, email, failed })
    }

    fn waiting(&self, sealed: &str) -> Option<Waiting> {
        Waiting::decode(&self.world.unseal(Purpose::Local, WAITING, sealed)?)
    }

    /// `POST /login/link/address/code`: the digits of the mail.
    pub async fn mailed_address(&self, visitor: &Visitor, (csrf, to): (&str, &str), code: &str) -> Answer {
        let waiting = self.waiting(to).filter(|_| self.world.csrf_holds(visitor, csrf));
        let Some(waiting) = waiting else { return self.home(visitor).await };
        let answer = self.try_mailed_address(visitor, (&waiting, to), code).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_mailed_address(
        &self,
        visitor: &Visitor,
        (waiting, sealed): (&Waiting, &str),
        code: &str,
    ) -> Result<Answer, Stop> {
        let room = self.room(visitor, &waiting.owned).await?;
        // A claim that came meanwhile ends it (row L05).
        if let Some(page) = self.kept_by_admin(visitor, &room).await? {
            return Ok(page);
        }
        let id = waiting.id;
        // A try is taken before it is judged.
        self.spend(CredentialChange::TryMailboxProof(id), None).await?;
        let digits: String = code.chars().filter(|digit| !digit.is_whitespace()).take(9).collect();
        let hashes = self.world.keys.lookups(Lookup::MailCode, &[&id.to_bytes(), digits.as_bytes()]);
        let proof = self.world.store.mailbox_proof(id).await?;
        match self.judge_address(visitor, &room, proof, Shown::Code(&hashes)).await? {
            Some(proved) => self.address_is_proved(visitor, &room, (id, proved)).await,
            None => Ok(self.code_page(visitor, &room, (waiting, sealed), true)),
        }
    }

    async fn judge_address(
        &self,
        visitor: &Visitor,
        room: &Room,
        proof: Option<MailboxProof>,
        shown: Shown<'_>,
    ) -> Result<Option<ProvedAddress>, Stop> {
        let Some(proof) = proof else { return Ok(None) };
        if !self.world.keys.holds_mailbox(&proof) {
            self.world.violated(visitor, "mailbox proof").await?;
            return Ok(None);
        }
        let whose = (room.record.id, room.account.epoch);
        Ok(address_by_mailbox(whose, &proof, shown, &Browser::of(visitor).digest(), visitor.now))
    }

    /// The proof is used up, and the review shows the address.
    async fn address_is_proved(
        &self,
        visitor: &Visitor,
        room: &Room,
        (id, proved): (MailboxProofId, ProvedAddress),
    ) -> Result<Answer, Stop> {
        let mut event = self.address_event(visitor, room, Action::EmailChangeConfirmed);
        event.after = Some(serde_json::json!({ "address": proved.email().to_string() }));
        self.spend(CredentialChange::EndMailboxProof(id), Some(event)).await?;
        let answer = self.to_review_with(visitor, room, &Chosen::Mailbox(proved));
        Ok(answer.with_cookie(cookies::expire(cookies::ADDRESS)))
    }

    /// A conflict: it was used up, or ended, by another request.
    async fn spend(&self, change: CredentialChange, event: Option<AuditEvent>) -> Result<(), Stop> {
        let (changes, events) = (vec![Change::Credential(change)], event.into_iter().collect());
        match self.world.store.commit(Batch { changes, events, ..Batch::default() }).await {
            Ok(_) => Ok(()),
            Err(NotCommitted::Conflict(_)) => Err(over()),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }

    /// `GET /login/link/address/opened?token=…`: shows what the link is for; nothing happens (rule H1: mail scanners open links).
    pub async fn show_address_link(&self, visitor: &Visitor, token: &str) -> Answer {
        let answer = self.try_show_address_link(visitor, token).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_show_address_link(&self, visitor: &Visitor, token: &str) -> Result<Answer, Stop> {
        let (proof, product) = self.address_link(token).await?;
        let own = proof.browser == Browser::of(visitor).digest() && self.waits_for(visitor, &proof).is_some();
        let asks = |form: Form| AddressAsks::Opened { go_on: own.then(|| form.clone()), not_me: form };
        Ok(self.page_about_address(visitor, &product, (token, asks)))
    }

    /// The proof that a mailed link is of, and the product at which it began.
    async fn address_link(&self, token: &str) -> Result<(MailboxProof, Arc<Product>), Stop> {
        let proof = self.find_link(token).await?.filter(|proof| proof.purpose == MailboxPurpose::Address);
        let proof = proof.ok_or_else(over)?;
        let product = self.world.catalog.load().products.get(&proof.product).cloned().ok_or_else(over)?;
        Ok((proof, product))
    }

    /// The review in this browser that waits for this very proof.
    fn waits_for(&self, visitor: &Visitor, proof: &MailboxProof) -> Option<Waiting> {
        let waiting = self.waiting(visitor.cookies.one(cookies::ADDRESS)?)?;
        (waiting.id == proof.id).then_some(waiting)
    }

    /// `POST /login/link/address/opened`: goes on, in the browser that began.
    pub async fn use_address_link(&self, visitor: &Visitor, (csrf, token): (&str, &str)) -> Answer {
        if !self.world.csrf_holds(visitor, csrf) {
            return self.home(visitor).await;
        }
        let answer = self.try_use_address_link(visitor, token).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_use_address_link(&self, visitor: &Visitor, token: &str) -> Result<Answer, Stop> {
        let (proof, _) = self.address_link(token).await?;
        let waiting = self.waits_for(visitor, &proof).ok_or_else(over)?;
        let room = self.room(visitor, &waiting.owned).await?;
        if let Some(page) = self.kept_by_admin(visitor, &room).await? {
            return Ok(page);
        }
        let shown = Token::parse(token.as_bytes()).ok_or_else(over)?;
        let hashes = self.world.keys.lookups(Lookup::MailLink, &[shown.bytes()]);
        let id = proof.id;
        match self.judge_address(visitor, &room, Some(proof), Shown::Link(&hashes)).await? {
            Some(proved) => self.address_is_proved(visitor, &room, (id, proved)).await,
            None => Err(over()),
        }
    }

    /// `POST /login/link/address/not-me`: whoever holds the mail ends the request, in any browser.
    pub async fn disown_address(&self, visitor: &Visitor, (csrf, token): (&str, &str)) -> Answer {
        if !self.world.csrf_holds(visitor, csrf) {
            return self.home(visitor).await;
        }
        let answer = self.try_disown_address(visitor, token).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_disown_address(&self, visitor: &Visitor, token: &str) -> Result<Answer, Stop> {
        let (proof, product) = self.address_link(token).await?;
        let mut event = visitor.event(Action::EmailChangeCancelled, Outcome::Success);
        event.reason = Some("not-me".to_owned());
        event.product = Some(proof.product.to_string());
        event.subject.product_account = proof.product_account.map(|id| id.to_string());
        event.subject.email = Some(proof.email.to_string());
        self.spend(CredentialChange::EndMailboxProof(proof.id), Some(event)).await?;
        Ok(self.page_about_address(visitor, &product, ("", |_| AddressAsks::Ended)))
    }
}
