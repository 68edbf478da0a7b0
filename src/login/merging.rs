//! Two accounts of one person at one product become one (rows L10, L11): offered after a login, proved on both sides, committed in one batch.
//!
//! ```text
//! login host: callback → the provider's own address is another account's here → /login/merge: merge, keep apart, later
//! product:    /.fedgate/prove?t → that account's password, second step
//! login host: /login/merge/review?t → both are named → POST → COMMIT → handover
//! ```
//! The survivor is the account that the provider opens. Of the loser nothing is left that opens anything: password, second steps, links,
//! proofs under way and sessions go in the batch that gives its record up, and both epochs rise (rule H14, §4 #2, #13, #17). What the
//! product hears follows from the journal's row, as with a move. Nothing acts by `GET`.

mod pages;

pub use pages::{MergeAsks, MergeStep};

use super::answer::{Answer, Step, Towards};
use super::begin::Leaving;
use super::both_sides::{Wanted, begun_at_door};
use super::codec::{Reader, Writer};
use super::cookies::{self, CrossSite};
use super::current::Current;
use super::moving::begun;
use super::record::Circumstances;
use super::session::Made;
use super::ticket::{Errand, FRESH_PROOF, TARGET_LIFE, Target, sha256};
use super::world::Visitor;
use super::{Login, Stop, TRIES};
use crate::entropy::random;
use crate::kernel::admit::{Admitted, Outcome as Decided, decide};
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, CredentialChange, MigrationChange};
use crate::kernel::merging::{Merge, Opened, Overlap, Side, Sides, merge, overlap};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::model::{
    Account, Catalog, IdentityKey, LoginSession, MigrationPhase, MigrationStep, Product, ProductAccount,
    ProductAccountState, RemovedAlias, Trigger,
};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{DirectoryId, EmailAddress, LoginSessionId, ProductAccountId, Timestamp, Token};
use crate::keys::Purpose;
use crate::mail::{self, Letter};
use crate::store::{NotCommitted, Unavailable};
use std::sync::Arc;
use std::time::Duration;

/// What the offer is sealed for.
const OFFER: &[u8] = b"merge offer";
/// "Later" is asked again after so long.
const LATER: Duration = Duration::from_secs(14 * 86_400);

/// An offer to merge, sealed into a form and, while the other side is proved, into a cookie.
pub(super) struct Offer {
    made_at: Timestamp,
    secret: [u8; 32],
    /// The login that it was made after; nothing else may take it up.
    session: LoginSessionId,
    /// The record that would be given up.
    record: ProductAccountId,
    /// The address that both have.
    email: EmailAddress,
    target: Target,
}

impl Offer {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().time(self.made_at).raw(&self.secret).raw(&self.session.to_bytes());
        self.target.write(writer.raw(&self.record.to_bytes()).text(self.email.as_str())).done()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (made_at, secret) = (reader.time()?, reader.raw()?);
        let session = LoginSessionId::from_bytes(reader.raw()?);
        let record = ProductAccountId::from_bytes(reader.raw()?);
        let email = EmailAddress::parse(reader.text()?).ok()?;
        let target = Target::read(&mut reader)?;
        reader.ended()?;
        Some(Self { made_at, secret, session, record, email, target })
    }
}

/// Both accounts as the store has them.
struct Pair {
    product: Arc<Product>,
    survivor: (Account, ProductAccount, Vec<EmailAddress>, bool),
    loser: (Account, ProductAccount, Vec<EmailAddress>, bool),
    has_more: bool,
}

impl Pair {
    fn sides<'a>(&'a self, catalog: &'a Catalog, email: &'a EmailAddress, directory: DirectoryId) -> Sides<'a> {
        fn side((account, record, proved, enrolled): &(Account, ProductAccount, Vec<EmailAddress>, bool)) -> Side<'_> {
            Side { account, record, proved, enrolled: *enrolled }
        }
        let (survivor, loser) = (side(&self.survivor), side(&self.loser));
        Sides { catalog, product: &self.product, email, directory, survivor, loser, has_more: self.has_more }
    }
}

/// An offer that was taken up where it may be, read anew.
pub(super) struct Taken {
    offer: Offer,
    current: Current,
    pair: Pair,
    catalog: Arc<Catalog>,
}

impl Taken {
    fn overlap(&self) -> Overlap {
        overlap(&self.pair.sides(&self.catalog, &self.offer.email, self.current.session.directory))
    }

    /// The identity that opened the survivor.
    fn identity(&self) -> Option<&IdentityKey> {
        let directory = self.current.session.directory;
        let link = self.current.identities.iter().find(|link| link.key.directory == directory && !link.suspended)?;
        Some(&link.key)
    }
}

impl Login {
    /// Where a login goes on that shows two accounts of one person at the product; `None`: it shows none, or the person said what becomes
    /// of them.
    pub(super) async fn merge_offer(
        &self,
        visitor: &Visitor,
        (made, admitted): (&Made, &Admitted),
        target: Option<&Target>,
    ) -> Result<Option<String>, Stop> {
        let terms = admitted.terms();
        let (Some(target), Some(record), Some(email)) = (target, &made.record, &terms.own_address) else {
            return Ok(None);
        };
        let Some(pair) = self.pair(&made.account, record, email).await? else { return Ok(None) };
        let catalog = self.world.catalog.load_full();
        if overlap(&pair.sides(&catalog, email, made.session.directory)) == Overlap::None {
            return Ok(None);
        }
        let loser = pair.loser.1.id;
        if self.world.store.setting(&answered(loser)).await?.is_some_and(|said| holds(&said, record.id, visitor.now)) {
            return Ok(None);
        }
        let offer = Offer {
            made_at: visitor.now,
            secret: random(),
            session: made.session.id,
            record: loser,
            email: email.clone(),
            target: target.clone(),
        };
        Ok(Some(format!("/login/merge?to={}", self.world.seal(Purpose::Local, OFFER, &offer.encode()))))
    }

    /// The record of the product that has this address, beside the person's own.
    async fn pair(
        &self,
        account: &Account,
        record: &ProductAccount,
        email: &EmailAddress,
    ) -> Result<Option<Pair>, Stop> {
        let store = &self.world.store;
        let catalog = self.world.catalog.load_full();
        let Some(product) = catalog.products.get(&record.product) else { return Ok(None) };
        let other = store.product_account_by_address(&record.product, email).await?;
        let Some(other) = other.filter(|other| other.id != record.id) else { return Ok(None) };
        let Some(loser) = store.account(other.account).await? else { return Ok(None) };
        let mut has_more = false;
        for elsewhere in catalog.products.values().filter(|known| known.name != product.name) {
            let record = store.product_account(&elsewhere.name, loser.id).await?;
            has_more |= record.is_some_and(|record| {
                !matches!(record.state, ProductAccountState::Merged(_) | ProductAccountState::Closed)
            });
        }
        Ok(Some(Pair {
            product: Arc::clone(product),
            survivor: self.side(account.clone(), record.clone()).await?,
            loser: self.side(loser, other).await?,
            has_more,
        }))
    }

    async fn side(
        &self,
        account: Account,
        record: ProductAccount,
    ) -> Result<(Account, ProductAccount, Vec<EmailAddress>, bool), Stop> {
        let store = &self.world.store;
        let mut proved = store.proved_addresses_of(account.id).await?;
        proved.extend(account.email.clone().filter(|_| account.email_verified));
        let factors = store.factors_of(account.id).await?;
        let enrolled = factors.iter().any(|factor| factor.kind.is_second_step());
        Ok((account, record, proved, enrolled))
    }

    /// An offer of this browser's own live session, with both accounts as they are now. `None`: it is over.
    async fn take_up(&self, visitor: &Visitor, text: &str) -> Result<Option<Taken>, Stop> {
        let bytes = self.world.unseal(Purpose::Local, OFFER, text);
        let Some(offer) = bytes.and_then(|bytes| Offer::decode(&bytes)) else { return Ok(None) };
        let Some(current) = self.current(visitor).await? else { return Ok(None) };
        if current.session.id != offer.session || visitor.now.since(offer.made_at) > TARGET_LIFE {
            return Ok(None);
        }
        let own = self.world.store.product_account(&offer.target.product, current.account.id).await?;
        let Some(own) = own else { return Ok(None) };
        let Some(pair) = self.pair(&current.account, &own, &offer.email).await? else { return Ok(None) };
        if pair.loser.1.id != offer.record {
            return Ok(None);
        }
        Ok(Some(Taken { offer, current, pair, catalog: self.world.catalog.load_full() }))
    }

    /// `GET /login/merge?to=…`: both accounts, and what may become of them.
    pub async fn ask_merge(&self, visitor: &Visitor, to: &str) -> Answer {
        let answer = match self.take_up(visitor, to).await {
            Ok(Some(taken)) => Ok(self.merge_page(visitor, &taken, to)),
            Ok(None) => return self.home(visitor).await,
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    fn merge_page(&self, visitor: &Visitor, taken: &Taken, to: &str) -> Answer {
        let asks = match taken.overlap() {
            Overlap::Blocked(why) => MergeAsks::Blocked(why),
            Overlap::Offered => MergeAsks::Offered {
                later: taken.pair.product.migration.phase_at(visitor.now) != MigrationPhase::Forced,
            },
            // Settled meanwhile, in another tab.
            Overlap::None => return Answer::of(Step::Go(taken.offer.target.path())),
        };
        self.merge_step(visitor, taken, (asks, to.to_owned()))
    }

    /// `POST /login/merge`: what the person chose.
    pub async fn choose_merge(&self, visitor: &Visitor, (csrf, to): (&str, &str), act: &str) -> Answer {
        if !self.world.csrf_holds(visitor, csrf) {
            return self.home(visitor).await;
        }
        let answer = match self.take_up(visitor, to).await {
            Ok(Some(taken)) => self.try_choose(visitor, &taken, (to, act)).await,
            Ok(None) => return self.home(visitor).await,
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    async fn try_choose(&self, visitor: &Visitor, taken: &Taken, (to, act): (&str, &str)) -> Result<Answer, Stop> {
        let later = taken.pair.product.migration.phase_at(visitor.now) != MigrationPhase::Forced;
        match (act, taken.overlap()) {
            ("merge", Overlap::Offered) => self.ask_loser(visitor, taken, to).await,
            ("later", Overlap::Offered) if later => self.decline(visitor, taken, Some(visitor.now.plus(LATER))).await,
            ("apart", Overlap::Offered | Overlap::Blocked(_)) => self.decline(visitor, taken, None).await,
            _ => Ok(self.merge_page(visitor, taken, to)),
        }
    }

    /// The accounts stay two: not asked again until then, or ever, of these two.
    async fn decline(&self, visitor: &Visitor, taken: &Taken, until: Option<Timestamp>) -> Result<Answer, Stop> {
        let (survivor, loser) = (&taken.pair.survivor.1, &taken.pair.loser.1);
        let until_millis = until.map_or(i64::MAX, Timestamp::millis);
        let value = [survivor.id.to_bytes().as_slice(), &until_millis.to_be_bytes()].concat();
        let mut event = visitor.event(Action::MergeDeclined, Outcome::Success);
        event.subject = subject(&taken.pair.survivor.0, survivor);
        event.product = Some(survivor.product.to_string());
        event.reason = Some(if until.is_some() { "later" } else { "apart" }.to_owned());
        event.after = Some(serde_json::json!({ "other": loser.id.to_string() }));
        let changes = vec![Change::PutSetting { name: answered(loser.id), value }];
        self.world.store.commit(Batch { changes, events: vec![event], ..Batch::default() }).await?;
        Ok(self.on_to_product(&taken.offer.target))
    }

    pub(super) fn on_to_product(&self, target: &Target) -> Answer {
        let url = format!("{}{}", self.world.catalog.load().login.url(), target.path());
        let product = self.world.product_of(Some(target));
        let towards = Towards::Product;
        Answer::of(Step::Leave { towards, provider: String::new(), url, product, by_form: true })
    }

    /// On to the product's door, which asks for the loser's own password and step; the offer waits in a cookie.
    async fn ask_loser(&self, visitor: &Visitor, taken: &Taken, to: &str) -> Result<Answer, Stop> {
        let Taken { offer, current, .. } = taken;
        // Both must be of just now: the provider's proof, and the second step of whoever enrolled one (rule H1).
        let stepped = current.session.stepped_at.is_some_and(|at| visitor.now.since(at) <= PROOF_LIFE);
        let demands_step = taken.pair.survivor.3 && !stepped;
        if demands_step || visitor.now.since(current.session.auth_time) > PROOF_LIFE {
            let hint = current.account.email.clone();
            let leaving = Leaving { hint, max_age: Some(FRESH_PROOF), by_form: true, errand: Errand::Merge };
            return self.leave(visitor, current.session.directory, Some(&offer.target), leaving).await;
        }
        let over = || Stop::refuse(Refusal::NotUnderWay);
        let directory = self.world.directory(current.session.directory).ok_or_else(over)?;
        let identity = taken.identity().ok_or_else(over)?.clone();
        let wanted = Wanted {
            challenge: sha256(&offer.secret),
            target: offer.target.clone(),
            record: offer.record,
            identity_key: identity,
            email: offer.email.clone(),
            provider: directory.label.clone(),
            identity: offer.email.to_string(),
            may_begin_anew: false,
            merges: true,
            made_at: visitor.now,
        };
        let product = Some(Arc::clone(&taken.pair.product));
        let url = begun_at_door(self, &wanted);
        let (towards, provider) = (Towards::Product, String::new());
        let answer = Answer::of(Step::Leave { towards, provider, url, product, by_form: true });
        Ok(answer.with_cookie(cookies::set(cookies::MERGE, to, Some(PROOF_LIFE), CrossSite::Lax)))
    }

    /// `GET /login/merge/review?t=…`: both sides are proved; the page names both and waits for its button.
    pub async fn review_merge(&self, visitor: &Visitor, ticket: &str) -> Answer {
        let answer = self.try_merge(visitor, ticket, None).await;
        self.settle(visitor, None, answer).await
    }

    /// `POST /login/merge/review`: the person's word, for what the page showed.
    pub async fn confirm_merge(&self, visitor: &Visitor, csrf: &str, to: &str) -> Answer {
        let Some((shown, ticket)) = to.split_once('~').filter(|_| self.world.csrf_holds(visitor, csrf)) else {
            return self.home(visitor).await;
        };
        let answer = self.try_merge(visitor, ticket, Some(shown)).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_merge(&self, visitor: &Visitor, ticket: &str, shown: Option<&str>) -> Result<Answer, Stop> {
        let over = || Stop::refuse(Refusal::NotUnderWay);
        for _ in 0..TRIES {
            let offer = visitor.cookies.one(cookies::MERGE).ok_or_else(over)?;
            let taken = self.take_up(visitor, offer).await?.ok_or_else(over)?;
            let challenge = sha256(&taken.offer.secret);
            let owner = self.owned_for(visitor, &challenge, ticket).ok_or_else(over)?;
            let session = &taken.current.session;
            // Whoever may not enter the product by this login now merges nothing there.
            let facts =
                self.world.facts_of_session(visitor, &taken.catalog, &taken.pair.product, &taken.current).await?;
            match decide(&facts).outcome {
                Decided::Session(_) => {}
                Decided::Need(need) => return Err(refused(need.refusal(), &taken)),
                Decided::Refuse(refusal) => return Err(refused(refusal, &taken)),
                Decided::Link(_) | Decided::Create(_) | Decided::Reroute(_) => return Err(over()),
            }
            let opened = Opened { now: visitor.now, auth_time: session.auth_time, stepped_at: session.stepped_at };
            let sides = taken.pair.sides(&taken.catalog, &taken.offer.email, session.directory);
            let merged = merge(&sides, opened, Some(owner)).map_err(|refusal| refused(refusal, &taken))?;
            let print = self.merge_print(&taken, ticket);
            if shown != Some(print.as_str()) {
                let asks = MergeAsks::Review { changed: shown.is_some() };
                return Ok(self.merge_step(visitor, &taken, (asks, format!("{print}~{ticket}"))));
            }
            match self.commit_merge(visitor, &taken, &merged).await {
                Ok(token) => {
                    let session = cookies::set(cookies::SESSION, &token.expose(), None, CrossSite::Lax);
                    let answer = self.on_to_product(&taken.offer.target).with_cookie(session);
                    return Ok(answer.with_cookie(cookies::expire(cookies::MERGE)));
                }
                Err(NotCommitted::Conflict(_)) => {}
                Err(NotCommitted::Unavailable(fault)) => return Err(fault.into()),
            }
        }
        Err(Stop::Fault("other commits were first too often".into()))
    }

    /// Everything of a merge that the gateway does, in one batch, and the session that goes on.
    async fn commit_merge(&self, visitor: &Visitor, taken: &Taken, merged: &Merge) -> Result<Token, NotCommitted> {
        let store = &self.world.store;
        let (survivor, loser) = (merged.survivor(), merged.loser());
        let (person, given_up) = (&taken.pair.survivor.0, &taken.pair.loser.0);
        let mut batch = Batch::default();
        // A move of the loser that had begun ends with it: its journal's row makes room for this one.
        if let Some(intent) = store.migration_of(loser.id).await? {
            batch.changes.push(Change::Migration(MigrationChange::Cancel(intent.id)));
        }
        batch.changes.push(Change::Migration(MigrationChange::Move(loser.id, merged.line())));
        let Some(target) = taken.identity().cloned() else {
            return Err(NotCommitted::Unavailable(Unavailable("the session's own identity is gone".into())));
        };
        let step = (MigrationStep::SetAuthMode, visitor.now);
        let journal = begun((loser.product.clone(), loser.id), Trigger::Merge, target, step);
        let id = journal.id;
        batch.changes.push(Change::Migration(MigrationChange::Begin(journal)));
        let mut retired = Vec::new();
        for address in store.addresses_of(loser.id).await? {
            let gone = CredentialChange::DropAddress(loser.id, address.email.clone());
            batch.changes.push(Change::Credential(gone));
            if address.email == taken.offer.email {
                continue;
            }
            let mut alias = RemovedAlias {
                product: loser.product.clone(),
                email: address.email.clone(),
                // Who asks for it is told of the account that is left.
                product_account: survivor.id,
                verified_when_removed: address.verified,
                removed_at: visitor.now,
                mac: [0; 32],
            };
            alias.mac = self.world.keys.mac_alias(&alias);
            batch.changes.push(Change::Migration(MigrationChange::Retire(alias)));
            retired.push((address.email, address.verified));
        }
        batch.changes.push(Change::Migration(MigrationChange::Inherit {
            product: loser.product.clone(),
            from: loser.sub.clone(),
            to: survivor.sub.clone(),
        }));
        self.strip(given_up, loser, &mut batch).await?;
        // Whoever was in either account before is out; the login that proved both goes on under a new id (rule H14).
        batch.end_everything_of(given_up.id);
        batch.end_everything_of(person.id);
        let token = Token::new(random());
        let session = self.renewed(visitor, &taken.current.session, (person, &token));
        let carried = self.world.carried_grant(taken.current.session.id, session.id).await?;
        batch.changes.push(Change::CreateLoginSession(session));
        batch.changes.extend(carried);
        let directory = self.world.directory(taken.current.session.directory);
        let provider = directory.as_ref().map(|directory| directory.label.clone()).unwrap_or_default();
        let told = [taken.offer.email.clone()].into_iter();
        let told = told.chain(retired.iter().filter(|(_, verified)| *verified).map(|(email, _)| email.clone()));
        let letter = || Letter::Merged { product: loser.product.clone(), provider: provider.clone() };
        let letters: Vec<(EmailAddress, Letter)> = told.map(|email| (email, letter())).collect();
        let queued = mail::queue(&self.world.keys, visitor.now, &letters, Some(person.id));
        batch.changes.push(queued.map_err(|fault| NotCommitted::Unavailable(Unavailable(fault.to_string())))?);
        let mut event = visitor.event(Action::MergeCommitted, Outcome::Success);
        event.subject = subject(given_up, loser);
        event.product = Some(loser.product.to_string());
        event.method = Some(taken.current.session.method.code().to_owned());
        event.directory = directory.map(|directory| directory.name.to_string());
        event.txn = Some(id.to_string());
        let removed: Vec<String> = retired.iter().map(|(email, _)| email.to_string()).collect();
        event.before = Some(serde_json::json!({ "sub": loser.sub, "addresses_removed": removed }));
        event.after = Some(serde_json::json!({
            "state": "merged", "into": survivor.id.to_string(), "account": person.id.to_string(), "sub": survivor.sub,
        }));
        batch.events.push(event);
        store.commit(batch).await?;
        Ok(token)
    }

    /// What could open the loser's account: password, second steps, recovery codes, proofs under way, links, its address.
    async fn strip(&self, account: &Account, record: &ProductAccount, batch: &mut Batch) -> Result<(), Unavailable> {
        let mut credential = |change| batch.changes.push(Change::Credential(change));
        credential(CredentialChange::DropPassword(record.id));
        credential(CredentialChange::EndMailboxProofsOf(record.id));
        for factor in self.world.store.factors_of(account.id).await? {
            credential(CredentialChange::DropFactor(account.id, factor.id));
        }
        credential(CredentialChange::PutRecoveryCodes(account.id, Vec::new()));
        batch.changes.push(Change::UnlinkAll(account.id));
        let stripped = Account { email: None, email_verified: false, email_proved_at: None, ..account.clone() };
        batch.changes.push(Change::UpdateAccount(stripped));
        Ok(())
    }

    fn renewed(&self, visitor: &Visitor, old: &LoginSession, (account, token): (&Account, &Token)) -> LoginSession {
        let mut session = LoginSession {
            id: LoginSessionId::mint(visitor.now, random()),
            key: self.world.keys.session_key(token),
            account_epoch: account.epoch.saturating_add(1),
            created_at: visitor.now,
            last_seen: visitor.now,
            mac: [0; 32],
            ..old.clone()
        };
        session.mac = self.world.keys.mac_login(&session);
        session
    }
}

fn refused(refusal: Refusal, taken: &Taken) -> Stop {
    let product = Some(taken.pair.product.name.to_string());
    let subject = subject(&taken.pair.survivor.0, &taken.pair.survivor.1);
    Stop::refused(refusal, Circumstances { product, subject, known: true, ..Circumstances::default() })
}

fn subject(account: &Account, record: &ProductAccount) -> Subject {
    Subject {
        account: Some(account.id.to_string()),
        product_account: Some(record.id.to_string()),
        email: account.email.as_ref().map(ToString::to_string),
    }
}

/// Where it stands that a person keeps this record apart from theirs: that record's id and until when it holds.
fn answered(loser: ProductAccountId) -> String {
    format!("merge.apart.{loser}")
}

fn holds(said: &[u8], survivor: ProductAccountId, now: Timestamp) -> bool {
    let Some((whose, until)) = said.split_first_chunk::<16>() else { return false };
    let Ok(until) = <[u8; 8]>::try_from(until) else { return false };
    *whose == survivor.to_bytes() && now.millis() < i64::from_be_bytes(until)
}
