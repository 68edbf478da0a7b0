//! A product's own door: e-mail first, then the password, typed on the product's host and never on the login host.
//!
//! Who exists stays unsaid (rule H18): a stranger's address gets the same page, costs the same hash, counts the same tries, and its
//! answer leaves at the same moment.

use super::super::answer::{Answer, Form, Step, Towards, Way};
use super::super::handover::{ProductHost, spoken};
use super::super::record::Circumstances;
use super::super::ticket::{Errand, Target};
use super::super::world::{Browser, Visitor, World};
use super::super::{Login, Stop};
use super::answer::{LocalPage, LocalStep, Said};
use super::attempts::Attempt;
use super::bench::Lane;
use super::known::Known;
use crate::entropy::random;
use crate::kernel::identify::Show;
use crate::kernel::local::{Claimant, Steps, StoredPassword, Typed, by_password};
use crate::kernel::model::{PasswordCredential, Passwords};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, ProductAccountId, Timestamp};
use crate::keys::{Lookup, Purpose};
use std::sync::Arc;

impl Login {
    /// Where people of a product with passwords begin: the login host found nobody logged in and sent them back here.
    /// `hint` is an address that was typed at the login host meanwhile.
    pub async fn sign_in(&self, visitor: &Visitor, at: &ProductHost, to: &str, hint: &str) -> Answer {
        let typed = self.world.open_hint(hint, visitor.now).map(|(email, ..)| email.to_string());
        match self.local_target(visitor, at, to) {
            Some(target) => self.ask_email(visitor, Some(&target), typed.unwrap_or_default(), false),
            None => start_again(),
        }
    }

    /// Where a form of this host leads, if it is this host's.
    pub(super) fn local_target(&self, visitor: &Visitor, at: &ProductHost, to: &str) -> Option<Target> {
        let aim = self.world.open_aim(to.split('~').next().unwrap_or_default(), visitor.now)?;
        aim.target.filter(|target| target.product == at.product.name && target.host == at.host)
    }

    /// The same for a posted form, whose token must be this browser's.
    pub(in crate::login) fn posted_target(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        csrf: &str,
        to: &str,
    ) -> Option<Target> {
        self.local_target(visitor, at, to).filter(|_| self.world.csrf_holds(visitor, csrf))
    }

    /// `POST /.fedgate/identify`: an address was typed at the door (phase A).
    pub async fn identify_at_door(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        typed: &str,
    ) -> Answer {
        let begun = self.world.clock.since_boot();
        let answer = match self.posted_target(visitor, at, csrf, to) {
            None => start_again(),
            Some(target) => {
                let answer = self.try_identify_at_door(visitor, at, &target, typed).await;
                self.settle(visitor, Some(&target), answer).await
            }
        };
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_identify_at_door(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        typed: &str,
    ) -> Result<Answer, Stop> {
        let shown = self.world.identified(visitor, at, typed).await?;
        let Ok(email) = EmailAddress::parse(typed) else {
            return Ok(self.ask_email(visitor, Some(target), typed.chars().take(254).collect(), true));
        };
        let ways = self.ways(&shown);
        match shown {
            Show::Invalid => Ok(self.ask_email(visitor, Some(target), email.to_string(), true)),
            Show::OrgSso(directory) => Ok(self.hop(visitor, target, &email, directory)),
            Show::SsoUnavailable => Err(Stop::refuse(Refusal::ProviderUnavailable)),
            Show::Password(_) => {
                let ways = ways.into_iter().map(|(_, way)| way).collect();
                Ok(self.password_page(visitor, at, target, (email, ways), false))
            }
            Show::Ways(_) | Show::UseWorkAddress => {
                Ok(self.choose(visitor, (Some(target), Some(Arc::clone(&at.product))), typed, ways))
            }
        }
    }

    fn password_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (email, ways): (EmailAddress, Vec<Way>),
        failed: bool,
    ) -> Answer {
        let passkey = self.passkey_link(visitor, target, &Browser::of(visitor));
        self.local_page(visitor, at, Some(target), "", |form| LocalPage::Password {
            form,
            email,
            ways,
            passkey,
            failed,
        })
    }

    /// A page of a local login. `state` goes into the form beside the aim.
    pub(super) fn local_page(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: Option<&Target>,
        state: &str,
        page: impl FnOnce(Form) -> LocalPage,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let mut form = self.form(visitor, target, &browser);
        if !state.is_empty() {
            form.to = format!("{}~{state}", form.to);
        }
        let mut answer = said_page(at, page(form));
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// To the login host, which knows the address by a sealed hint and asks nobody twice. A page, because a form may not end in a
    /// redirect to another host (rule M12).
    pub(super) fn hop(
        &self,
        visitor: &Visitor,
        target: &Target,
        email: &EmailAddress,
        directory: DirectoryId,
    ) -> Answer {
        self.hop_for(visitor, target, (email, Errand::None), directory)
    }

    /// The same, for more than a login.
    pub(super) fn hop_for(
        &self,
        visitor: &Visitor,
        target: &Target,
        (email, errand): (&EmailAddress, Errand),
        directory: DirectoryId,
    ) -> Answer {
        let directory = self.world.directory(directory);
        let name = directory.as_ref().map(|directory| directory.name.to_string()).unwrap_or_default();
        let provider = directory.map(|directory| directory.label.clone()).unwrap_or_default();
        let hint = self.world.seal_hint(email, (&name, errand), visitor.now);
        let path = spoken(target.path(), visitor);
        let url = format!("{}{path}&hint={hint}", self.world.catalog.load().login.url());
        let product = self.world.product_of(Some(target));
        Answer::of(Step::Leave { towards: Towards::Provider, provider, url, product, by_form: true })
    }

    /// `POST /.fedgate/depart`: one of the other ways.
    pub async fn depart_from_door(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        (typed, way): (&str, &str),
    ) -> Answer {
        let (Some(target), Ok(email)) = (self.posted_target(visitor, at, csrf, to), EmailAddress::parse(typed)) else {
            return start_again();
        };
        let known = {
            let catalog = self.world.catalog.load();
            catalog.directories.values().find(|directory| directory.name.to_string() == way).map(|known| known.id)
        };
        match known {
            Some(directory) => self.hop(visitor, &target, &email, directory),
            None => self.ask_email(visitor, Some(&target), String::new(), true),
        }
    }

    /// `POST /.fedgate/password`.
    pub async fn password_at_door(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (csrf, to): (&str, &str),
        (typed, password): (&str, String),
    ) -> Answer {
        let begun = self.world.clock.since_boot();
        let answer = match self.posted_target(visitor, at, csrf, to) {
            None => start_again(),
            Some(target) => {
                let answer = self.try_password(visitor, at, &target, (typed, password)).await;
                self.settle(visitor, Some(&target), answer).await
            }
        };
        self.world.slots.hold(&self.world.clock, begun).await;
        answer
    }

    async fn try_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        target: &Target,
        (typed, password): (&str, String),
    ) -> Result<Answer, Stop> {
        let Ok(email) = EmailAddress::parse(typed) else {
            return Ok(self.ask_email(visitor, Some(target), String::new(), true));
        };
        let shown = self.world.identified(visitor, at, typed).await?;
        // Decided again: the domain may have been claimed since the page was shown. Whoever posts a password past the page meets the
        // page that the address gets.
        if !matches!(shown, Show::Password(_)) {
            return self.try_identify_at_door(visitor, at, target, typed).await;
        }
        let known = self.world.known(at, &email).await?;
        match self.judge_password(visitor, at, (&email, known.as_ref()), password).await? {
            Judged::Right(steps, renewed) => {
                let answer = self.proceed(visitor, at, target, *steps, Vec::new()).await;
                self.store_anew(renewed);
                answer
            }
            Judged::TooMany => Ok(said(at, Said::TooMany)),
            Judged::Busy => Ok(said(at, Said::Busy)),
            Judged::Away => Ok(said(at, Said::Away)),
            Judged::Wrong => {
                let about = Circumstances {
                    product: Some(at.product.name.to_string()),
                    method: Some("password".to_owned()),
                    ..Circumstances::default()
                };
                // The event says no more than the page; it is sampled like every refusal of a stranger (rule M15).
                self.world.record_refusal(visitor, Refusal::WrongPassword, about).await;
                if known.is_none() {
                    self.tell_retired(visitor, at, &email);
                }
                let ways = self.ways(&shown).into_iter().map(|(_, way)| way).collect();
                Ok(self.password_page(visitor, at, target, (email, ways), true))
            }
        }
    }

    /// Counts, hashes and judges one password. Nobody known: a decoy at the same cost.
    pub(super) async fn judge_password(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        (email, known): (&EmailAddress, Option<&Known>),
        password: String,
    ) -> Result<Judged, Stop> {
        let world = &self.world;
        let device = known.and_then(|known| world.device(visitor, known.record.id));
        let place = (&at.product.name, email.as_str());
        if !world.may_try(Attempt::Password, visitor, place, device.as_ref()).await? {
            return Ok(Judged::TooMany);
        }
        match (at.product.passwords, &at.product.adapter) {
            (Passwords::Here, _) => {}
            (Passwords::Product, Some(adapter)) => {
                let asked = (password, device.is_some());
                return Ok(world.judge_by_product(visitor, (at, adapter), (email, known), asked).await);
            }
            (Passwords::Product | Passwords::None, _) => {
                return Err(Stop::Fault(format!("nobody checks the passwords of {}", at.product.name)));
            }
        }
        let credential = match known {
            Some(known) => world.password_of(visitor, known.record.id).await?,
            None => None,
        };
        let (claimant, credential) = match (known, credential) {
            (Some(known), Some(credential)) => (known.claimant.clone(), credential),
            _ => nobody(email, visitor.now),
        };
        let lane = if device.is_some() { Lane::Known } else { Lane::Stranger };
        // What cannot be a password is hashed like one.
        let (typed, possible) = match Typed::new(password) {
            Ok(typed) => (typed, true),
            Err(_) => match Typed::new("x".to_owned()) {
                Ok(typed) => (typed, false),
                Err(fault) => return Err(Stop::Fault(fault.to_string())),
            },
        };
        let now = visitor.now;
        let salt = random();
        let (clock, slots) = (world.clock.clone(), Arc::clone(&world.slots));
        let judge = move || {
            let begun = clock.since_boot();
            let steps = by_password(&claimant, &credential, &typed, now);
            slots.observe(clock.since_boot().saturating_sub(begun), begun);
            let steps = steps?;
            // The same password without the imported hash below it, from now on.
            let anew = credential.stored.is_wrapped().then(|| StoredPassword::of(&typed, salt)).flatten();
            let generation = credential.generation.saturating_add(1);
            Some((steps, anew.map(|stored| PasswordCredential { stored, generation, ..credential })))
        };
        let judged = world.bench.run(lane, judge).await;
        Ok(match judged {
            Err(_) => Judged::Busy,
            Ok(Some((steps, anew))) if possible => Judged::Right(Box::new(steps), anew.map(Box::new)),
            Ok(_) => Judged::Wrong,
        })
    }
}

/// What came of a password.
pub(super) enum Judged {
    /// What was proved, and the password to store anew, if it was imported.
    Right(Box<Steps>, Option<Box<PasswordCredential>>),
    Wrong,
    TooMany,
    Busy,
    /// The product that keeps it cannot be reached.
    Away,
}

/// A person and a password that do not exist.
pub(super) fn nobody(email: &EmailAddress, now: Timestamp) -> (Claimant, PasswordCredential) {
    let claimant = Claimant {
        directory: DirectoryId::from_bytes([0; 16]),
        account: AccountId::from_bytes([0; 16]),
        record: ProductAccountId::from_bytes([0; 16]),
        email: email.clone(),
        email_verified: false,
        epoch: 0,
    };
    let credential = PasswordCredential {
        // Another record than the claimant's: not even the right guess of random bytes would hold.
        product_account: ProductAccountId::from_bytes([1; 16]),
        stored: StoredPassword::decoy(random(), random()),
        generation: 0,
        set_at: now,
        mac: [0; 32],
    };
    (claimant, credential)
}

impl World {
    /// The key under which steps travel from page to page, and what they are bound to: this browser and this host.
    pub(in crate::login) fn steps_key(&self) -> [u8; 32] {
        self.keys.lookup(Lookup::Steps, &[])
    }

    /// Seals small values for a hidden field of this host.
    pub(super) fn seal_local(&self, at: &ProductHost, what: &str, bytes: &[u8]) -> String {
        self.seal(Purpose::Local, format!("{what} {}", at.host).as_bytes(), bytes)
    }

    /// Opens what [`Self::seal_local`] made.
    pub(super) fn open_local(&self, at: &ProductHost, what: &str, text: &str) -> Option<Vec<u8>> {
        self.unseal(Purpose::Local, format!("{what} {}", at.host).as_bytes(), text)
    }

    /// An address and a way for the login host, good for a few minutes.
    pub(super) fn seal_hint(&self, email: &EmailAddress, (way, errand): (&str, Errand), now: Timestamp) -> String {
        let writer = super::super::codec::Writer::default().time(now).text(email.as_str()).text(way);
        self.seal(Purpose::Local, b"hint", &errand.write(writer).done())
    }

    /// Reads [`Self::seal_hint`].
    pub(in crate::login) fn open_hint(&self, text: &str, now: Timestamp) -> Option<(EmailAddress, String, Errand)> {
        let bytes = self.unseal(Purpose::Local, b"hint", text)?;
        let mut reader = super::super::codec::Reader::new(&bytes);
        let (made_at, email, way) =
            (reader.time()?, EmailAddress::parse(reader.text()?).ok()?, reader.text()?.to_owned());
        let errand = Errand::read(&mut reader)?;
        reader.ended()?;
        (now.since(made_at) <= super::super::ticket::CODE_LIFE).then_some((email, way, errand))
    }
}

/// A page of the product's.
pub(super) fn said_page(at: &ProductHost, page: LocalPage) -> Answer {
    Answer::of(Step::Local(Box::new(LocalStep { product: Arc::clone(&at.product), page })))
}

/// A fixed sentence.
pub(super) fn said(at: &ProductHost, said: Said) -> Answer {
    said_page(at, LocalPage::Said(said))
}

/// A form that is not this browser's, or too old: the login begins anew.
pub(super) fn start_again() -> Answer {
    Answer::of(Step::Go("/.fedgate/login?return_to=%2F".to_owned()))
}
