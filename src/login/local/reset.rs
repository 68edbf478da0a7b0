//! A new password by mail (rule H1): eight digits for the page that waits, a link whose `GET` shows and whose `POST` acts, both good
//! once, for fifteen minutes, in the browser that began. Everybody sees the same pages, known or not (rule H18).

use super::super::another::OPENED;
use super::super::answer::{Answer, Step};
use super::super::both_sides::Wanted;
use super::super::handover::ProductHost;
use super::super::ticket::Target;
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::answer::{LocalPage, Said};
use super::attempts::Attempt;
use super::door::{said, said_page, start_again};
use super::enter::Decided;
use super::known::Known;
use super::product::{keeps_here, kept_by_product};
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::identify::Show;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::local::{Shown, Steps, by_mailbox};
use crate::kernel::model::{MailboxProof, MailboxPurpose, ProductAccountState};
use crate::kernel::values::{EmailAddress, MailboxProofId, ProductName, Secret, Timestamp, Token};
use crate::keys::Lookup;
use crate::mail::{Letter, Proof};
use crate::store::NotCommitted;
use std::time::Duration;

/// How long a proof lives.
pub(in crate::login) const LIFE: Duration = Duration::from_secs(15 * 60);
/// Codes that may be tried.
pub(in crate::login) const TRIES: u32 = 5;

/// What a mailbox is proved for, with what the page that waits must know.
pub(super) enum For<'a> {
    /// A new password.
    Reset,
    /// The first second step.
    Enrol,
    /// That a record is theirs (B22): what is asked, and the ticket that says so.
    Owner(&'a Wanted, &'a str),
}

impl For<'_> {
    const fn purpose(&self) -> MailboxPurpose {
        match self {
            Self::Reset => MailboxPurpose::Reset,
            Self::Enrol => MailboxPurpose::Enrol,
            Self::Owner(..) => MailboxPurpose::Owner,
        }
    }

    const fn ticket(&self) -> &str {
        match self {
            Self::Reset | Self::Enrol => "",
            Self::Owner(_, ticket) => ticket,
        }
    }
}

/// What a mail says.
pub(in crate::login) struct Secrets {
    /// Eight digits.
    pub code: String,
    /// The link's token.
    pub link: Token,
}

impl Secrets {
    pub(in crate::login) fn fresh() -> Self {
        let number = u64::from_be_bytes(random()) % 100_000_000;
        Self { code: format!("{number:08}"), link: Token::new(random()) }
    }

    /// What is written to the person. The link leads by the login host, whose name every mail knows (rule H1).
    fn letter(&self, at: &ProductHost, purpose: &For<'_>, until: Timestamp) -> Letter {
        let link = format!("/login/reset?token={}", *self.link.expose());
        let code = Secret::new(self.code.clone());
        let product = at.product.name.clone();
        match purpose {
            For::Reset => Letter::Reset { product, proof: Proof { code, link: Some(Secret::new(link)) }, until },
            For::Enrol => Letter::MailboxProof { product, proof: Proof { code, link: Some(Secret::new(link)) }, until },
            For::Owner(wanted, _) => Letter::OwnerProof {
                product,
                provider: wanted.provider.clone(),
                identity: wanted.identity.clone(),
                proof: Proof { code, link: None },
                until,
            },
        }
    }
}

impl Login {
    /// The product's reset door: asks for the address.
    pub fn ask_reset(&self, visitor: &Visitor, at: &ProductHost) -> Answer {
        if !keeps_here(at) {
            return kept_by_product(at);
        }
        let target = self.door_target(at);
        self.local_page(visitor, at, Some(&target), "", |form| LocalPage::AskReset { form, invalid: false })
    }

    /// A login that began at a door, without a flow cookie: it ends at the product's root.
    pub(in crate::login) fn door_target(&self, at: &ProductHost) -> Target {
        Target { product: at.product.name.clone(), host: at.host.clone(), challenge: [0; 32], again: 0 }
    }

    /// `POST /.fedgate/reset`: sends the mail, if there is anybody to send it to. The answer is one for all.
    pub async fn begin_reset(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        typed: &str,
    ) -> Answer {
        if !keeps_here(at) {
            return kept_by_product(at);
        }
        let begun = self.world.clock.since_boot();
        let answer = match self.posted_target(visitor, at, csrf, to) {
            None => start_again(),
            Some(target) => {
                let answer = self.try_begin_reset(visitor, at, &target, typed).await;
                self.settle(visitor, Some(&target), answer).await
            }
        };
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_begin_reset(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        typed: &str,
    ) -> Result<Answer, Stop> {
        let Ok(email) = EmailAddress::parse(typed) else {
            return Ok(
                self.local_page(visitor, at, Some(target), "", |form| LocalPage::AskReset { form, invalid: true })
            );
        };
        // Every address of a domain with enforced SSO is answered so, known or not (row T06).
        let shown = self.world.identified(visitor, at, typed).await?;
        if matches!(shown, Show::OrgSso(_) | Show::SsoUnavailable) {
            return Ok(said(at, Said::KeptElsewhere));
        }
        if !self.world.may_try(Attempt::Mail, visitor, (&at.product.name, email.as_str()), None).await? {
            return Ok(said(at, Said::TooMany));
        }
        let known = self.world.known(at, &email).await?;
        // Also while it moves: a new password ends a move that somebody else began (§4 #17).
        let is_local = |state| matches!(state, ProductAccountState::Local | ProductAccountState::Migrating);
        let owner = known.filter(|known| is_local(known.record.state) && !known.record.off);
        self.begin_proof(visitor, at, target, (For::Reset, email, owner.as_ref())).await
    }

    /// Writes a proof down, queues its mail, and shows the page that waits for the code.
    pub(super) async fn begin_proof(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (purpose, email, owner): (For<'_>, EmailAddress, Option<&Known>),
    ) -> Result<Answer, Stop> {
        let (world, browser) = (&self.world, Browser::of(visitor));
        let secrets = Secrets::fresh();
        let id = MailboxProofId::mint(visitor.now, random());
        let mut proof = MailboxProof {
            id,
            purpose: purpose.purpose(),
            product: at.product.name.clone(),
            product_account: owner.map(|known| known.record.id),
            email: email.clone(),
            code: world.keys.lookup(Lookup::MailCode, &[&id.to_bytes(), secrets.code.as_bytes()]),
            link: world.keys.lookup(Lookup::MailLink, &[secrets.link.bytes()]),
            browser: browser.digest(),
            account_epoch: owner.map_or(0, |known| known.claimant.epoch),
            created_at: visitor.now,
            expires_at: visitor.now.plus(LIFE),
            tries_left: TRIES,
            mac: [0; 32],
        };
        proof.mac = world.keys.mac_mailbox(&proof);
        let mut batch = Batch::default();
        batch.changes.push(Change::Credential(CredentialChange::BeginMailboxProof(proof)));
        let mut event = visitor.event(Action::PasswordResetRequested, Outcome::Success);
        event.product = Some(at.product.name.to_string());
        event.subject.email = Some(email.to_string());
        if let Some(known) = owner {
            event.subject.account = Some(known.claimant.account.to_string());
            event.subject.product_account = Some(known.record.id.to_string());
            let letter = secrets.letter(at, &purpose, visitor.now.plus(LIFE));
            batch.changes.push(world.letter(visitor, &known.claimant, letter)?);
        }
        batch.events.push(event);
        world.store.commit(batch).await?;
        let mut answer = self.mail_code_page(visitor, at, target, (id, purpose.ticket()), false);
        if let Some(cookie) = browser.cookie() {
            answer.cookies = vec![cookie];
        }
        Ok(answer)
    }

    fn mail_code_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (id, ticket): (MailboxProofId, &str),
        failed: bool,
    ) -> Answer {
        let state = [id.to_bytes().as_slice(), ticket.as_bytes()].concat();
        let state = self.world.seal_local(at, "mail", &state);
        self.local_page(visitor, at, Some(target), &state, |form| LocalPage::MailCode { form, failed })
    }

    /// `POST /.fedgate/reset/code`: the digits of the mail.
    pub async fn mailed_code(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        code: &str,
    ) -> Answer {
        let id = to.split_once('~').and_then(|(_, state)| self.world.open_local(at, "mail", state));
        let id = id.as_ref().and_then(|bytes| bytes.split_first_chunk::<16>());
        let id = id.and_then(|(id, ticket)| Some((MailboxProofId::from_bytes(*id), std::str::from_utf8(ticket).ok()?)));
        let (Some(target), Some((id, ticket))) = (self.posted_target(visitor, at, csrf, to), id) else {
            return start_again();
        };
        let answer = self.try_mailed_code(visitor, at, &target, (id, ticket, code)).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_mailed_code(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (id, ticket, code): (MailboxProofId, &str, &str),
    ) -> Result<Answer, Stop> {
        // A try is taken before it is judged.
        let change = Change::Credential(CredentialChange::TryMailboxProof(id));
        match self.world.store.commit(Batch { changes: vec![change], ..Batch::default() }).await {
            Ok(_) => {}
            Err(NotCommitted::Conflict(_)) => return Ok(said(at, Said::Over)),
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        let digits: String = code.chars().filter(|digit| !digit.is_whitespace()).take(9).collect();
        let hashes = self.world.keys.lookups(Lookup::MailCode, &[&id.to_bytes(), digits.as_bytes()]);
        let proof = self.world.store.mailbox_proof(id).await?;
        match self.judge_mailbox(visitor, at, proof, Shown::Code(&hashes)).await? {
            Some((steps, purpose)) => self.mailbox_proved(visitor, at, target, (steps, purpose, id, ticket)).await,
            None => Ok(self.mail_code_page(visitor, at, target, (id, ticket), true)),
        }
    }

    async fn judge_mailbox(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        proof: Option<MailboxProof>,
        shown: Shown<'_>,
    ) -> Result<Option<(Steps, MailboxPurpose)>, Stop> {
        let Some(proof) = proof.filter(|proof| proof.product == at.product.name) else { return Ok(None) };
        if !self.world.keys.holds_mailbox(&proof) {
            self.world.violated(visitor, "mailbox proof").await?;
            return Ok(None);
        }
        let Some(known) = self.world.known(at, &proof.email).await? else { return Ok(None) };
        let browser = Browser::of(visitor).digest();
        let steps = by_mailbox(&known.claimant, &proof, shown, &browser, visitor.now);
        Ok(steps.map(|steps| (steps, proof.purpose)))
    }

    /// The mailbox is the person's. The proof is used up, the address counts as verified, and the enrolled second step comes next.
    async fn mailbox_proved(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (steps, purpose, id, ticket): (Steps, MailboxPurpose, MailboxProofId, &str),
    ) -> Result<Answer, Stop> {
        let mut changes = vec![Change::Credential(CredentialChange::EndMailboxProof(id))];
        changes.extend(self.address_proved(visitor, &steps).await?);
        match self.world.store.commit(Batch { changes, ..Batch::default() }).await {
            Ok(_) => {}
            Err(NotCommitted::Conflict(_)) => return Ok(said(at, Said::Over)),
            Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
        }
        if purpose == MailboxPurpose::Owner {
            return Ok(self.owner_by_mailbox(visitor, at, &steps, ticket));
        }
        if purpose == MailboxPurpose::Enrol {
            return Ok(self.enrol_page(visitor, at, Some((target, &steps)), steps.claimant().account, false));
        }
        if !keeps_here(at) {
            // Begun while the gateway still kept them.
            return Ok(kept_by_product(at));
        }
        match self.decide_local(visitor, at, target, &steps).await? {
            Decided::Admitted(..) | Decided::NewPassword => {
                Ok(self.new_password_page(visitor, at, target, &steps, None))
            }
            Decided::Page(answer) => Ok(answer),
        }
    }

    async fn address_proved(&self, visitor: &Visitor, steps: &Steps) -> Result<Vec<Change>, Stop> {
        let claimant = steps.claimant();
        let store = &self.world.store;
        let own = store.addresses_of(claimant.record).await?;
        let mut changes = Vec::new();
        for mut address in own.into_iter().filter(|address| address.email == claimant.email && !address.verified) {
            (address.verified, address.verified_at) = (true, Some(visitor.now));
            changes.push(Change::Credential(CredentialChange::PutAddress(address)));
        }
        if let Some(mut account) = store.account(claimant.account).await?
            && account.email.as_ref() == Some(&claimant.email)
        {
            (account.email_verified, account.email_proved_at) = (true, Some(visitor.now));
            changes.push(Change::UpdateAccount(account));
        }
        Ok(changes)
    }

    /// `GET /.fedgate/reset/link?t=…`: shows what the link is for; nothing happens (rule H1: mail scanners open links).
    pub async fn show_link(&self, visitor: &Visitor, at: &ProductHost, token: &str) -> Answer {
        let found = self.by_link(at, token).await;
        let target = self.door_target(at);
        let answer = match found {
            Err(stop) => Err(stop),
            Ok(None) => Ok(said(at, Said::Over)),
            Ok(Some(proof)) => {
                let browser = Browser::of(visitor);
                let mut form = self.form(visitor, Some(&target), &browser);
                form.to = format!("{}~{token}", form.to);
                let own = proof.browser == browser.digest();
                let mut answer = said_page(at, LocalPage::Opened { go_on: own.then(|| form.clone()), not_me: form });
                answer.cookies.extend(browser.cookie());
                Ok(answer)
            }
        };
        self.settle(visitor, Some(&target), answer).await
    }

    async fn by_link(&self, at: &ProductHost, token: &str) -> Result<Option<MailboxProof>, Stop> {
        let found = self.find_link(token).await?;
        // What is mailed about an address that a record shall have is used where its review is.
        let here = |proof: &MailboxProof| proof.product == at.product.name && proof.purpose != MailboxPurpose::Address;
        Ok(found.filter(here))
    }

    pub(in crate::login) async fn find_link(&self, token: &str) -> Result<Option<MailboxProof>, Stop> {
        let Some(token) = Token::parse(token.as_bytes()) else { return Ok(None) };
        for hash in self.world.keys.lookups(Lookup::MailLink, &[token.bytes()]) {
            if let Some(proof) = self.world.store.mailbox_proof_by_link(&hash).await? {
                return Ok(Some(proof));
            }
        }
        Ok(None)
    }

    /// `GET /login/reset?token=…` on the login host: on to the product at whose door it began. A link that is over goes there too,
    /// if it can still be told where.
    pub async fn follow_link(&self, visitor: &Visitor, token: &str) -> Answer {
        match self.find_link(token).await {
            // Its review is open here.
            Ok(Some(proof)) if proof.purpose == MailboxPurpose::Address => {
                Answer::of(Step::Go(format!("{OPENED}?token={token}")))
            }
            Ok(Some(proof)) => {
                let host = self.product_url(&proof.product);
                Answer::of(Step::Go(format!("{host}/.fedgate/reset/link?token={token}")))
            }
            Ok(None) => self.home(visitor).await,
            Err(stop) => self.settle(visitor, None, Err(stop)).await,
        }
    }

    fn product_url(&self, product: &ProductName) -> String {
        let catalog = self.world.catalog.load();
        let host = catalog.products.get(product).and_then(|product| product.hosts.first());
        host.map(|host| host.url()).unwrap_or_default()
    }

    /// `POST /.fedgate/reset/link`: goes on, in the browser that began.
    pub async fn use_link(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let (Some(target), Some((_, token))) = (self.posted_target(visitor, at, csrf, to), to.split_once('~')) else {
            return start_again();
        };
        let answer = self.try_use_link(visitor, at, &target, token).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_use_link(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        token: &str,
    ) -> Result<Answer, Stop> {
        let Some(proof) = self.by_link(at, token).await? else { return Ok(said(at, Said::Over)) };
        let id = proof.id;
        let Some(shown) = Token::parse(token.as_bytes()) else { return Ok(said(at, Said::Over)) };
        let hashes = self.world.keys.lookups(Lookup::MailLink, &[shown.bytes()]);
        match self.judge_mailbox(visitor, at, Some(proof), Shown::Link(&hashes)).await? {
            Some((steps, purpose)) => self.mailbox_proved(visitor, at, target, (steps, purpose, id, "")).await,
            None => Ok(said(at, Said::Over)),
        }
    }

    /// `POST /.fedgate/reset/not-me`: whoever holds the mail ends the request, in any browser.
    pub async fn not_me(&self, visitor: &Visitor, at: &ProductHost, (csrf, to): (&str, &str)) -> Answer {
        let (Some(target), Some((_, token))) = (self.posted_target(visitor, at, csrf, to), to.split_once('~')) else {
            return start_again();
        };
        let answer = self.try_not_me(visitor, at, token).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_not_me(&self, visitor: &Visitor, at: &ProductHost, token: &str) -> Result<Answer, Stop> {
        let Some(proof) = self.by_link(at, token).await? else { return Ok(said(at, Said::Ended)) };
        let mut event = visitor.event(Action::PasswordResetRefused, Outcome::Refused);
        event.reason = Some("not-me".to_owned());
        event.product = Some(at.product.name.to_string());
        event.subject = Subject {
            product_account: proof.product_account.map(|id| id.to_string()),
            email: Some(proof.email.to_string()),
            ..Subject::default()
        };
        let changes = vec![Change::Credential(CredentialChange::EndMailboxProof(proof.id))];
        match self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await {
            // Ended by another click: it is ended.
            Ok(_) | Err(NotCommitted::Conflict(_)) => Ok(said(at, Said::Ended)),
            Err(NotCommitted::Unavailable(fault)) => Err(fault.into()),
        }
    }
}
