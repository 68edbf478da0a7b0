//! The way out: from a request without a session to the provider.
//!
//! `/login/to` → a live login session is decided about at once; without one: e-mail first → the ways in → departure. Nothing is
//! written to the store here: what is under way lives sealed in the browser (rule H10).

use super::answer::{Answer, AskEmail, Choose, Form, Refused, Step, Towards, Way as Choice};
use super::cookies::{self, CrossSite};
use super::current::Current;
use super::record::Circumstances;
use super::ticket::{AT_MOST, Aim, Errand, FRESH_PROOF, PENDING_LIFE, Pending, Target, sha256, tag};
use super::world::{Browser, Visitor};
use super::{Login, Stop, TRIES};
use crate::entropy::random;
use crate::idp::ProviderUnavailable;
use crate::idp::saml::{SamlLeaving, Way};
use crate::kernel::admit::{Need, Outcome, decide};
use crate::kernel::identify::{Asked, Show, identify};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::model::{Directory, Passwords, Product};
use crate::kernel::oidc::{Departure, Expected, redirect_uri};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{DirectoryId, EmailAddress};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;
use std::time::Duration;

/// How a departure is made.
#[derive(Clone, Debug, Default)]
pub(super) struct Leaving {
    /// The address that was typed, as `login_hint`.
    pub hint: Option<EmailAddress>,
    /// The provider must have asked the person no longer ago than this (rule M6).
    pub max_age: Option<Duration>,
    /// What it is for besides a login.
    pub errand: Errand,
    /// Whether the request was a form.
    pub by_form: bool,
}

impl Login {
    /// `GET /login/to`: a product sent somebody here.
    ///
    /// `hint` is what a door of the product sealed of an address that was typed there: it is not asked for twice.
    /// `fresh`: a path of the product asks for a proof that is no older than this (rule M6).
    pub async fn enter(&self, visitor: &Visitor, target: Target, hint: &str, fresh: Option<Duration>) -> Answer {
        let answer = self.try_enter(visitor, &target, hint, fresh).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_enter(
        &self,
        visitor: &Visitor,
        target: &Target,
        hint: &str,
        fresh: Option<Duration>,
    ) -> Result<Answer, Stop> {
        let (product, _) = self.world.place(target).ok_or(Stop::refuse(Refusal::Malformed))?;
        match self.current(visitor).await? {
            None => self.begin(visitor, target, &product, hint).await,
            Some(current) => {
                if let Some(within) = fresh
                    && let Some(answer) = self.anew(visitor, &current, (target, within)).await?
                {
                    return Ok(answer);
                }
                for _ in 0..TRIES {
                    if let Some(answer) = self.reuse(visitor, &current, (target, &product)).await? {
                        return Ok(answer);
                    }
                }
                Err(Stop::Fault("other commits were first too often".into()))
            }
        }
    }

    /// Nobody is logged in here: the way that was chosen at the product's door, the door itself where people of the product may have
    /// passwords, else e-mail first.
    async fn begin(
        &self,
        visitor: &Visitor,
        target: &Target,
        product: &Arc<Product>,
        hint: &str,
    ) -> Result<Answer, Stop> {
        if let Some((email, way, errand)) = self.world.open_hint(hint, visitor.now) {
            let directory = {
                let catalog = self.world.catalog.load();
                let ways = catalog.directory_names.iter().filter(|(name, _)| name.is_provider());
                ways.into_iter().find(|(name, _)| name.to_string() == way).map(|(_, id)| *id)
            };
            if let Some(directory) = directory {
                let leaving = Leaving { hint: Some(email), errand, ..Leaving::default() };
                return self.leave(visitor, directory, Some(target), leaving).await;
            }
        }
        if product.passwords == Passwords::None {
            return Ok(self.ask_email(visitor, Some(target), String::new(), false));
        }
        let to = self.world.seal_aim(Some(target), visitor.now);
        Ok(Answer::of(Step::Go(format!("{}/.fedgate/sign-in?to={to}", target.host.url()))))
    }

    /// A live login session asks for a product: decided now, for this product, with the session as the proof (HANDOVER 2).
    /// `None`: another tab was first to make the person's account at the product.
    async fn reuse(
        &self,
        visitor: &Visitor,
        current: &Current,
        place: (&Target, &Arc<Product>),
    ) -> Result<Option<Answer>, Stop> {
        let (target, product) = place;
        let catalog = self.world.catalog.load_full();
        let facts = self.world.facts_of_session(visitor, &catalog, product, current).await?;
        let decision = decide(&facts);
        let about = self.about_session(current, decision.trace);
        self.world.foreshadow(visitor, &facts, (&decision.outcome, &about));
        let admitted = match decision.outcome {
            Outcome::Session(admitted) | Outcome::Link(admitted) | Outcome::Create(admitted) => admitted,
            Outcome::Reroute(to) => {
                self.record_reroute(visitor, Some(target), about).await?;
                let leaving = Leaving { hint: current.account.email.clone(), ..Leaving::default() };
                return self.leave(visitor, to, Some(target), leaving).await.map(Some);
            }
            Outcome::Refuse(Refusal::LoginRequired) => {
                return Ok(Some(self.ask_email(visitor, Some(target), String::new(), false)));
            }
            // The second step is taken after the provider's proof (B9): there its person is asked.
            Outcome::Refuse(Refusal::StaleProof) | Outcome::Need(Need::SecondStep)
                if current.session.method.is_by_provider() =>
            {
                let hint = current.account.email.clone();
                let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: false, ..Leaving::default() };
                return self.leave(visitor, current.session.directory, Some(target), leaving).await.map(Some);
            }
            Outcome::Need(need) => return Err(Stop::refused(need.refusal(), about)),
            Outcome::Refuse(refusal) => return Err(Stop::refused(refusal, about)),
        };
        if current.session.ask_before.contains(&product.name) {
            return Ok(Some(self.ask_reenter(visitor, current, target, Arc::clone(product))));
        }
        let record = match self.ensure_record(visitor, &admitted, &current.account).await {
            Err(NotCommitted::Conflict(Conflict::ProductAccount)) => return Ok(None),
            other => other?,
        };
        match (record, admitted.terms().entry.as_ref()) {
            (Some(record), Some(entry)) => Ok(Some(self.hand_over(visitor, current, target, (entry.bounds, &record)))),
            _ => Err(Stop::Fault("an admission to a product without its entry".into())),
        }
    }

    fn ask_reenter(&self, visitor: &Visitor, current: &Current, target: &Target, product: Arc<Product>) -> Answer {
        let browser = Browser::of(visitor);
        let form = self.form(visitor, Some(target), &browser);
        let mut answer = Answer::of(Step::Reenter { product, person: current.person(), form });
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// `POST /login/continue`: the one click after a product was left (HANDOVER 6).
    pub async fn reenter(&self, visitor: &Visitor, csrf: &str, to: &str) -> Answer {
        let target = match self.aim(visitor, csrf, to) {
            Ok(Aim { target: Some(target), .. }) => target,
            Err(Some(target)) => return self.enter(visitor, target, "", None).await,
            Ok(Aim { target: None, .. }) | Err(None) => return self.home(visitor).await,
        };
        let answer = self.try_reenter(visitor, &target).await;
        self.settle(visitor, Some(&target), answer).await
    }

    async fn try_reenter(&self, visitor: &Visitor, target: &Target) -> Result<Answer, Stop> {
        if let Some(current) = self.current(visitor).await? {
            let ask = Change::AskBefore { session: current.session.id, product: target.product.clone(), ask: false };
            self.world.store.commit(Batch { changes: vec![ask], ..Batch::default() }).await?;
        }
        // A form may not be answered by a redirect that ends on another host (rule M12), and a code has no place in a page: the
        // page goes back to where products send people, which now hands over.
        let product = self.world.product_of(Some(target));
        let url = format!("{}{}", self.world.catalog.load().login.url(), target.path());
        Ok(Answer::of(Step::Leave { towards: Towards::Product, provider: String::new(), url, product, by_form: true }))
    }

    /// `GET /login?to=…`: another address, or somebody else, although a session lives. Nothing changes by asking.
    pub async fn ask_again(&self, visitor: &Visitor, to: &str) -> Answer {
        match self.world.open_aim(to, visitor.now) {
            Some(aim) => self.ask_email(visitor, aim.target.as_ref(), String::new(), false),
            None => self.home(visitor).await,
        }
    }

    fn about_session(&self, current: &Current, trace: Vec<String>) -> Circumstances {
        let mut about = self
            .world
            .directory(current.session.directory)
            .map_or_else(Circumstances::default, |directory| Circumstances::of_directory(&directory));
        about.subject = super::session::subject(&current.account);
        about.method = Some(current.session.method.code().to_owned());
        about.trace = trace;
        about.known = true;
        about
    }

    /// `GET /login` or `/`: somebody came to the login host itself.
    pub async fn home(&self, visitor: &Visitor) -> Answer {
        let answer = match self.current(visitor).await {
            Ok(None) => Ok(self.ask_email(visitor, None, String::new(), false)),
            Ok(Some(current)) => {
                let roles = self.roles_of(current.account.id).await;
                roles.map(|roles| self.show_home(visitor, &current, !roles.is_empty()))
            }
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// The first page of a login.
    pub(super) fn ask_email(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        prefill: String,
        invalid: bool,
    ) -> Answer {
        let browser = Browser::of(visitor);
        let form = self.form(visitor, target, &browser);
        let product = self.world.product_of(target);
        let keeps = product.as_ref().is_some_and(|product| product.passwords == Passwords::Here);
        let passkey = target.filter(|_| keeps).map(|target| self.passkey_link(visitor, target, &browser));
        let mut answer = Answer::of(Step::AskEmail(AskEmail { product, form, prefill, invalid, passkey }));
        answer.cookies.extend(browser.cookie());
        answer
    }

    pub(super) fn form(&self, visitor: &Visitor, target: Option<&Target>, browser: &Browser) -> Form {
        Form { csrf: self.world.csrf(browser), to: self.world.seal_aim(target, visitor.now) }
    }

    /// What a posted form aims at. A form that is not this browser's, or too old, begins the login anew: `Err`, with where it
    /// was to lead where that can still be read.
    pub(super) fn aim(&self, visitor: &Visitor, csrf: &str, to: &str) -> Result<Aim, Option<Target>> {
        match self.world.open_aim(to, visitor.now) {
            Some(aim) if self.world.csrf_holds(visitor, csrf) => Ok(aim),
            aim => Err(aim.and_then(|aim| aim.target)),
        }
    }

    /// `POST /login/identify`: an address was typed (phase A). The answer never depends on whether it is known.
    pub async fn identify(&self, visitor: &Visitor, csrf: &str, to: &str, typed: &str) -> Answer {
        let aim = match self.aim(visitor, csrf, to) {
            Ok(aim) => aim,
            Err(target) => return self.ask_email(visitor, target.as_ref(), String::new(), false),
        };
        let answer = self.try_identify(visitor, aim.target.as_ref(), typed).await;
        self.settle(visitor, aim.target.as_ref(), answer).await
    }

    async fn try_identify(&self, visitor: &Visitor, target: Option<&Target>, typed: &str) -> Result<Answer, Stop> {
        let product = self.world.product_of(target);
        let catalog = self.world.catalog.load_full();
        let asked = Asked::of_nobody(&catalog, product.as_deref(), typed, visitor.now);
        let shown = identify(&asked).show;
        self.world.foreshadow_page(visitor, &asked, &shown);
        match shown {
            Show::Invalid => {
                let prefill = typed.chars().take(254).collect();
                Ok(self.ask_email(visitor, target, prefill, true))
            }
            Show::OrgSso(directory) => {
                let leaving = Leaving {
                    hint: EmailAddress::parse(typed).ok(),
                    max_age: None,
                    by_form: true,
                    ..Leaving::default()
                };
                self.leave(visitor, directory, target, leaving).await
            }
            Show::SsoUnavailable => Err(Stop::refuse(Refusal::ProviderUnavailable)),
            Show::Ways(_) | Show::Password(_) | Show::UseWorkAddress => {
                let ways = self.ways(&shown);
                Ok(self.choose(visitor, (target, product), typed, ways))
            }
        }
    }

    pub(super) fn ways(&self, shown: &Show) -> Vec<(DirectoryId, Choice)> {
        let (Show::Ways(ways) | Show::Password(ways)) = shown else { return Vec::new() };
        let catalog = self.world.catalog.load();
        let listed = ways.first.iter().map(|id| (*id, true)).chain(ways.others.iter().map(|id| (*id, false)));
        let named = listed.filter_map(|(id, first)| {
            let directory = catalog.directories.get(&id)?;
            Some((id, Choice { name: directory.name.to_string(), label: directory.label.clone(), first }))
        });
        named.collect()
    }

    pub(super) fn choose(
        &self,
        visitor: &Visitor,
        aim: (Option<&Target>, Option<Arc<Product>>),
        typed: &str,
        ways: Vec<(DirectoryId, Choice)>,
    ) -> Answer {
        let Ok(email) = EmailAddress::parse(typed) else {
            return self.ask_email(visitor, aim.0, String::new(), true);
        };
        let browser = Browser::of(visitor);
        let form = self.form(visitor, aim.0, &browser);
        let ways = ways.into_iter().map(|(_, way)| way).collect();
        let mut answer = Answer::of(Step::Choose(Choose { product: aim.1, form, email, ways }));
        answer.cookies.extend(browser.cookie());
        answer
    }

    /// `POST /login/depart`: a way in was chosen. It must be one that the address has.
    pub async fn take_way(&self, visitor: &Visitor, form: (&str, &str), typed: &str, way: &str) -> Answer {
        let aim = match self.aim(visitor, form.0, form.1) {
            Ok(aim) => aim,
            Err(target) => return self.ask_email(visitor, target.as_ref(), String::new(), false),
        };
        let target = aim.target.as_ref();
        let product = self.world.product_of(target);
        let shown = {
            let catalog = self.world.catalog.load();
            identify(&Asked::of_nobody(&catalog, product.as_deref(), typed, visitor.now)).show
        };
        let chosen = self.ways(&shown).into_iter().find(|(_, known)| known.name == way);
        let answer = match chosen {
            None => Ok(self.ask_email(visitor, target, String::new(), true)),
            Some((directory, _)) => {
                let leaving = Leaving {
                    hint: EmailAddress::parse(typed).ok(),
                    max_age: None,
                    by_form: true,
                    ..Leaving::default()
                };
                self.leave(visitor, directory, target, leaving).await
            }
        };
        self.settle(visitor, target, answer).await
    }

    /// Sends the person to a provider.
    pub(super) async fn leave(
        &self,
        visitor: &Visitor,
        directory: DirectoryId,
        target: Option<&Target>,
        leaving: Leaving,
    ) -> Result<Answer, Stop> {
        let directory = self.world.directory(directory).ok_or(Stop::refuse(Refusal::ProviderUnavailable))?;
        let unavailable = |why: ProviderUnavailable| {
            // For the operator alone: pages say only that the provider did not answer.
            let trace = vec![why.to_string()];
            Stop::refused(
                Refusal::ProviderUnavailable,
                Circumstances { trace, ..Circumstances::of_directory(&directory) },
            )
        };
        let max_age = leaving.max_age.map_or(u32::MAX, |age| u32::try_from(age.as_secs()).unwrap_or(u32::MAX - 1));
        let mut pending = Pending {
            directory: directory.id,
            seed: random(),
            left_at: visitor.now,
            max_age,
            errand: leaving.errand,
            binding: [0; 16],
            target: target.cloned(),
        };
        let login = self.world.catalog.load().login.clone();
        let state = pending.seed().state();
        let departed = if directory.protocol.saml().is_some() {
            let request_id = pending.seed().request_id();
            let (force, now) = (leaving.max_age.is_some(), visitor.now);
            let leaving = SamlLeaving { login: &login, request_id: &request_id, relay_state: &state, force, now };
            let departed = self.world.saml.depart(&directory, leaving).await;
            departed.map(|(way, binding)| {
                pending.binding = binding;
                way
            })
        } else {
            let languages = visitor.wishes.ui_locales();
            let departure = Departure {
                seed: &pending.seed(),
                redirect_uri: &redirect_uri(&login, &directory),
                login_hint: leaving.hint.as_ref(),
                ui_locales: languages.as_deref(),
                max_age: leaving.max_age,
                prompt_login: leaving.max_age.is_some(),
            };
            self.world.providers.depart(&directory, &departure).await.map(Way::Redirect)
        };
        let way = departed.map_err(unavailable)?;
        let cross = if directory.protocol.replies_by_post() { CrossSite::None } else { CrossSite::Lax };
        self.world.tally.departed(&directory.name.to_string());
        let (provider, product) = (directory.label.clone(), self.world.product_of(target));
        let mut answer = Answer::of(Step::taking(way, Towards::Provider, (provider, product), leaving.by_form));
        answer.cookies = self.make_room(visitor);
        let name = format!("{}{}", cookies::PENDING, tag(&sha256(state.as_bytes())));
        let value = self.world.seal(Purpose::LoginUnderWay, name.as_bytes(), &pending.encode());
        answer.cookies.push(cookies::set(&name, &value, Some(PENDING_LIFE), cross));
        Ok(answer)
    }

    /// What the reply to a departure is held against. Everything random in it comes from the seed.
    pub(super) fn expected(&self, directory: &Directory, redirect_uri: &str, pending: &Pending) -> Expected {
        Expected::from_seed(directory, redirect_uri, pending.seed(), pending.left_at, pending.fresh())
    }

    fn opened(&self, name: &str, value: &str) -> Option<Pending> {
        Pending::decode(&self.world.unseal(Purpose::LoginUnderWay, name.as_bytes(), value)?)
    }

    /// The logins under way of this browser, and their cookies' names.
    pub(super) fn under_way<'a>(&'a self, visitor: &'a Visitor) -> impl Iterator<Item = (Pending, &'a str)> {
        let all = visitor.cookies.beginning(cookies::PENDING);
        all.filter_map(|(name, value)| Some((self.opened(name, value)?, name)))
    }

    /// Expires the oldest departures of this browser, so that one more fits (rule H10: at most eight).
    fn make_room(&self, visitor: &Visitor) -> Vec<String> {
        let mut known: Vec<_> = visitor
            .cookies
            .beginning(cookies::PENDING)
            .map(|(name, value)| (self.opened(name, value).map(|pending| pending.left_at), name))
            .collect();
        // What does not unseal sorts first: it opens nothing any more.
        known.sort();
        let surplus = known.len().saturating_sub(AT_MOST - 1);
        known.into_iter().take(surplus).map(|(_, name)| cookies::expire(name)).collect()
    }

    /// A refusal page for a login.
    pub(super) async fn refused(
        &self,
        visitor: &Visitor,
        refusal: Refusal,
        target: Option<&Target>,
        about: Circumstances,
    ) -> Answer {
        let provider = about.provider.clone();
        let product = self.world.product_of(target);
        let about = Circumstances { product: target.map(|target| target.product.to_string()), ..about };
        let reference = self.world.record_refusal(visitor, refusal, about).await;
        let again = target.cloned();
        let to = Some(self.world.seal_aim(target, visitor.now));
        let refused = Refused { refusal, reference, at: visitor.now, product, provider, again, to };
        Answer::of(if refusal == Refusal::Loop { Step::Loop(refused) } else { Step::Refused(refused) })
    }
}
