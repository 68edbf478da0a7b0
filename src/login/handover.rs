//! From the login host to a product (HANDOVER): `/.fedgate/login` → `/login/to` → one-time code → `/.fedgate/finish`.
//!
//! The code is worthless without the flow cookie of the browser that began on that product host, and the other way round. The
//! parent is read from the store, not from memory, so that what ended a moment ago on another node has ended here.

use super::answer::{Answer, Step};
use super::cookies::{self, CrossSite};
use super::current::Current;
use super::entry::Rows;
use super::record::Circumstances;
use super::ticket::{CODE_LIFE, Code, FLOW_LIFE, Flow, Target, sha256, tag};
use super::world::Visitor;
use super::{Login, Stop};
use crate::entropy::random;
use crate::kernel::admit::{Outcome as Decided, decide};
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change, MarkKind, ReplayMark};
use crate::kernel::live::{Live as Standing, LiveFacts, live};
use crate::kernel::model::{Product, ProductAccount, ProductSession};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::Bounds;
use crate::kernel::values::{Origin, ProductSessionId, SessionKey, Timestamp, Token};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted};
use crate::web::{Admission, Ask, Sessions as _};
use std::sync::Arc;
use std::time::Duration;

/// A return to the same address this soon after its login was finished counts towards a loop.
const SOON: Duration = Duration::from_secs(10);
/// How often that may happen in a row before it is explained instead of repeated.
const SOON_AT_MOST: u32 = 4;

/// What fresh starts of one way may cost together: one for no reason that is known here (HANDOVER 4), or three because other tabs that
/// log in at the same time replaced the login session that a code was made from.
const RESTARTS: u8 = 3;
/// A fresh start without a known reason.
const LOST: u8 = 2;
/// A fresh start because the login session has ended.
const REPLACED: u8 = 1;

/// Where the data path offers what a person was sending.
const REPLAY: &str = "/.fedgate/replay";

/// Flow cookies that one browser may have on one product host, and their bytes: well inside the 64 KiB of a request's header.
const FLOWS_AT_MOST: usize = 60;
const FLOWS_BYTES: usize = 16 * 1024;

/// The product host that a request came to.
#[derive(Clone, Debug)]
pub struct ProductHost {
    /// The product.
    pub product: Arc<Product>,
    /// The host, exactly as configured.
    pub host: Origin,
    /// The domain that the product may set cookies for, besides this host.
    pub cookie_domain: Option<String>,
}

/// A path of the login host, which has no cookie of the language that was picked here.
pub(super) fn spoken(path: String, visitor: &Visitor) -> String {
    match visitor.wishes.ui_locales() {
        Some(languages) => format!("{path}&ui_locales={}", languages.replace(' ', "+")),
        None => path,
    }
}

impl Login {
    /// `GET /.fedgate/login`: remembers where the person wanted to go and sends them to the login host (HANDOVER 1).
    ///
    /// `return_to` is a path and query of this host, already in normal form and neither ours nor a door; `again` counts restarts.
    pub async fn leave_product(&self, visitor: &Visitor, at: &ProductHost, return_to: &str, again: u8) -> Answer {
        if self.is_inside(visitor, at).await {
            return Answer::of(Step::Go(return_to.to_owned()));
        }
        if again > RESTARTS || self.came_back_too_often(visitor, at, return_to) {
            let target =
                Target { product: at.product.name.clone(), host: at.host.clone(), challenge: [0; 32], again: 0 };
            let answer = self.refused(visitor, Refusal::Loop, Some(&target), Circumstances::default()).await;
            return answer.with_cookie(cookies::expire(cookies::LAST));
        }
        let (target, cookies) = self.begin_flow(visitor, at, return_to, again);
        let login = self.world.catalog.load().login.url();
        let mut answer = Answer::of(Step::Go(format!("{login}{}", spoken(target.path(), visitor))));
        answer.cookies = cookies;
        answer
    }

    /// A flow of this host that ends at `return_to`, and the cookies that must be set for it: its own, after room was made (HANDOVER 1).
    pub(super) fn begin_flow(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        return_to: &str,
        again: u8,
    ) -> (Target, Vec<String>) {
        let flow = Flow { secret: random(), return_to: return_to.to_owned(), made_at: visitor.now };
        let challenge = flow.challenge();
        let name = flow_name(&challenge);
        let value = self.world.seal(Purpose::Flow, &flow_binding(&name, &at.host), &flow.encode());
        let mut cookies = self.make_flow_room(visitor, &at.host);
        cookies.push(cookies::set(&name, &value, Some(FLOW_LIFE), CrossSite::Lax));
        (Target { product: at.product.name.clone(), host: at.host.clone(), challenge, again }, cookies)
    }

    /// Whether the browser already has a live session of this product.
    async fn is_inside(&self, visitor: &Visitor, at: &ProductHost) -> bool {
        let Some(token) = session_token(visitor) else { return false };
        let ask = Ask {
            token: &token,
            key: None,
            product: &at.product.name,
            host: &at.host,
            client: visitor.client,
            now: visitor.now,
            active: true,
        };
        matches!(self.live.admit(&ask).await, Admission::Admitted(_))
    }

    /// Notices a product host that sends people to log in again right after they did: its session cookie does not stick.
    fn came_back_too_often(&self, visitor: &Visitor, at: &ProductHost, return_to: &str) -> bool {
        self.last(visitor, at, return_to)
            .is_some_and(|(when, count)| visitor.now.since(when) <= SOON && count >= SOON_AT_MOST)
    }

    /// When the last login for this address was finished here, and how many such logins followed each other.
    fn last(&self, visitor: &Visitor, at: &ProductHost, return_to: &str) -> Option<(Timestamp, u32)> {
        let sealed = visitor.cookies.one(cookies::LAST)?;
        let bytes = self.world.unseal(Purpose::Flow, &flow_binding(cookies::LAST, &at.host), sealed)?;
        let mut reader = super::codec::Reader::new(&bytes);
        let (when, count, digest) = (reader.time()?, reader.number()?, reader.raw::<32>()?);
        (digest == sha256(return_to.as_bytes())).then_some((when, count))
    }

    fn remember_last(&self, visitor: &Visitor, at: &ProductHost, return_to: &str) -> String {
        let before = self.last(visitor, at, return_to).filter(|(when, _)| visitor.now.since(*when) <= SOON);
        let count = before.map_or(1, |(_, count)| count.saturating_add(1));
        let writer = super::codec::Writer::default().time(visitor.now).number(count);
        let bytes = writer.raw(&sha256(return_to.as_bytes())).done();
        let value = self.world.seal(Purpose::Flow, &flow_binding(cookies::LAST, &at.host), &bytes);
        cookies::set(cookies::LAST, &value, Some(SOON), CrossSite::Lax)
    }

    /// Expires the oldest flow cookies of this host, so that one more fits. A person who opens fifty tabs at once has as many
    /// logins under way, and a tab whose cookie went would have to begin again: what counts is what the browser must send.
    fn make_flow_room(&self, visitor: &Visitor, host: &Origin) -> Vec<String> {
        let mut known: Vec<_> = visitor
            .cookies
            .beginning(cookies::FLOW)
            .map(|(name, value)| {
                let bytes = self.world.unseal(Purpose::Flow, &flow_binding(name, host), value);
                let made_at = bytes.and_then(|bytes| Flow::decode(&bytes)).map(|flow| flow.made_at);
                (made_at, name, name.len() + value.len())
            })
            .collect();
        // Newest first; what does not unseal is the oldest.
        known.sort();
        known.reverse();
        let mut sent = 0;
        let over = known.iter().enumerate().filter(|(place, (made_at, _, size))| {
            sent += size;
            made_at.is_none() || sent > FLOWS_BYTES || *place >= FLOWS_AT_MOST
        });
        over.map(|(_, (_, name, _))| cookies::expire(name)).collect()
    }

    /// Issues the one-time code for a decided entry (HANDOVER 3).
    pub(super) fn hand_over(
        &self,
        visitor: &Visitor,
        current: &Current,
        target: &Target,
        entry: (Bounds, &ProductAccount),
    ) -> Answer {
        let (limits, account) = entry;
        let code = Code {
            jti: random(),
            target: target.clone(),
            session: current.session.id,
            account: current.account.id,
            product_account: account.id,
            epoch: current.account.epoch,
            made_at: visitor.now,
            idle_seconds: u32::try_from(limits.idle.as_secs()).unwrap_or(u32::MAX),
            abs_at: current.session.abs_at.min(current.session.auth_time.plus(limits.absolute)),
        };
        let sealed = self.world.seal(Purpose::Handover, target.host.to_string().as_bytes(), &code.encode());
        Answer::of(Step::Go(format!("{}/.fedgate/finish?code={sealed}", target.host.url())))
    }

    /// `GET /.fedgate/finish`: the code and this browser's flow cookie make a product session (HANDOVER 4).
    pub async fn finish_at_product(&self, visitor: &Visitor, at: &ProductHost, sealed: &str) -> Answer {
        let Some((code, flow, name)) = self.match_flow(visitor, at, sealed) else {
            return self.restart(visitor, at, sealed, ("/", LOST)).await;
        };
        match self.enter_product(visitor, at, &code).await {
            Ok(Entered::Fresh(token)) => self.entered(visitor, at, (&code, &flow, &name), &token),
            Ok(Entered::Before) if self.is_inside(visitor, at).await => Answer::of(Step::Go(flow.return_to)),
            Ok(Entered::Before) => self.restart(visitor, at, sealed, (&flow.return_to, LOST)).await,
            Ok(Entered::Ended) => self.restart(visitor, at, sealed, (&flow.return_to, REPLACED)).await,
            Err(stop) => self.settle(visitor, Some(&code.target), Err(stop)).await,
        }
    }

    /// The code, if it is for this host and young, and the one flow cookie that it was made for.
    fn match_flow(&self, visitor: &Visitor, at: &ProductHost, sealed: &str) -> Option<(Code, Flow, String)> {
        let code = self.read_code(at, sealed)?;
        if visitor.now.since(code.made_at) > CODE_LIFE {
            return None;
        }
        let (flow, name) = self.flow_of(visitor, at, &code.target)?;
        Some((code, flow, name))
    }

    /// The one flow cookie of this browser that a target was made for, and its name, if it is young.
    fn flow_of(&self, visitor: &Visitor, at: &ProductHost, target: &Target) -> Option<(Flow, String)> {
        let name = flow_name(&target.challenge);
        let value = visitor.cookies.one(&name)?;
        let flow = Flow::decode(&self.world.unseal(Purpose::Flow, &flow_binding(&name, &at.host), value)?)?;
        let young = visitor.now.since(flow.made_at) <= FLOW_LIFE;
        (young && flow.challenge() == target.challenge).then_some((flow, name))
    }

    fn read_code(&self, at: &ProductHost, sealed: &str) -> Option<Code> {
        let bytes = self.world.unseal(Purpose::Handover, at.host.to_string().as_bytes(), sealed)?;
        let code = Code::decode(&bytes)?;
        (code.target.product == at.product.name && code.target.host == at.host).then_some(code)
    }

    /// A fresh start; after [`RESTARTS`] the loop page explains (HANDOVER 4).
    async fn restart(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        sealed: &str,
        (return_to, costs): (&str, u8),
    ) -> Answer {
        let before = self.read_code(at, sealed).map_or(0, |code| code.target.again);
        self.leave_product(visitor, at, return_to, before.saturating_add(costs)).await
    }

    async fn enter_product(&self, visitor: &Visitor, at: &ProductHost, code: &Code) -> Result<Entered, Stop> {
        let store = &self.world.store;
        let before = self.live.applied();
        let Some(parent) = store.login_session_by_id(code.session).await? else { return Ok(Entered::Ended) };
        let Some(current) = self.resume(visitor, parent).await? else { return Ok(Entered::Ended) };
        let Some(account) = store.product_account_by_id(code.product_account).await? else { return Ok(Entered::Ended) };
        let is_whose = current.account.id == code.account && account.account == code.account;
        if !is_whose || account.product != at.product.name || current.account.epoch != code.epoch {
            return Ok(Entered::Ended);
        }
        let catalog = self.world.catalog.load_full();
        // A minute is long enough for a policy to change: it is asked again, for this product, now. A session that only lives
        // in the grace of a change gets no new children; the fresh start says what is missing.
        let record = (&*at.product, Some(account.clone()));
        let facts = self.world.facts_of_record(visitor, &catalog, record, &current).await?;
        if matches!(decide(&facts).outcome, Decided::Reroute(_) | Decided::Need(_) | Decided::Refuse(_)) {
            return Ok(Entered::Ended);
        }
        let token = Token::new(random());
        let session = self.new_product_session(visitor, at, code, &current, &token);
        let facts = LiveFacts {
            now: visitor.now,
            catalog: &catalog,
            product: &at.product,
            login: &current.session,
            session: &session,
            account: &current.account,
            product_account: Some(&account),
            further: &current.further,
        };
        match live(&facts) {
            Standing::Continue { .. } => {}
            Standing::End(refusal) => return Err(Stop::refuse(refusal)),
            Standing::Login(_) => return Ok(Entered::Ended),
        }
        let made = (session.clone(), &current, &account);
        let entered = self.commit_product_session(visitor, made, code, token).await?;
        if let Entered::Fresh(token) = &entered {
            let Current { session: login, account: person, further, .. } = current;
            let ask = Ask {
                token,
                key: None,
                product: &at.product.name,
                host: &at.host,
                client: visitor.client,
                now: visitor.now,
                active: false,
            };
            self.live.remember(Rows { session, login, account: person, record: account, further }, &ask, before);
        }
        Ok(entered)
    }

    pub(super) fn new_product_session(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        code: &Code,
        current: &Current,
        token: &Token,
    ) -> ProductSession {
        let mut session = ProductSession {
            id: ProductSessionId::mint(visitor.now, random()),
            key: self.world.keys.session_key(token),
            parent: current.session.id,
            product: at.product.name.clone(),
            host: at.host.clone(),
            account: current.account.id,
            product_account: code.product_account,
            created_at: visitor.now,
            last_seen: visitor.now,
            idle_millis: u64::from(code.idle_seconds).saturating_mul(1000),
            abs_at: code.abs_at.min(current.session.abs_at),
            account_epoch: current.account.epoch,
            mac: [0; 32],
        };
        session.mac = self.world.keys.mac_product(&session);
        session
    }

    async fn commit_product_session(
        &self,
        visitor: &Visitor,
        made: (ProductSession, &Current, &ProductAccount),
        code: &Code,
        token: Token,
    ) -> Result<Entered, Stop> {
        let mark =
            ReplayMark { kind: MarkKind::Handover, digest: sha256(&code.jti), until: code.made_at.plus(CODE_LIFE) };
        let mut batch = Batch { marks: vec![mark], ..Batch::default() };
        self.add_product_session(visitor, made, &mut batch);
        match self.world.store.commit(batch).await {
            Ok(_) => Ok(Entered::Fresh(token)),
            Err(NotCommitted::Conflict(Conflict::Taken(_))) => Ok(Entered::Before),
            Err(NotCommitted::Conflict(Conflict::Ended)) => Ok(Entered::Ended),
            Err(NotCommitted::Conflict(Conflict::Address)) => Err(Stop::refuse(Refusal::Conflict)),
            Err(other) => Err(other.into()),
        }
    }

    /// A new product session, its event, and the address that its product will be told.
    pub(super) fn add_product_session(
        &self,
        visitor: &Visitor,
        made: (ProductSession, &Current, &ProductAccount),
        batch: &mut Batch,
    ) {
        let (session, current, account) = made;
        let mut event = visitor.event(Action::SessionCreated, Outcome::Success);
        event.subject = Subject {
            account: Some(current.account.id.to_string()),
            product_account: Some(account.id.to_string()),
            email: current.account.email.as_ref().map(ToString::to_string),
        };
        event.product = Some(session.product.to_string());
        event.method = Some(current.session.method.code().to_owned());
        event.directory = self.world.directory(current.session.directory).map(|directory| directory.name.to_string());
        event.txn = Some(current.session.id.to_string());
        event.after = Some(serde_json::json!({ "sid": session.id.to_string(), "abs_at": session.abs_at.to_string() }));
        batch.changes.push(Change::CreateProductSession(session));
        if let Some(email) = current.account.email.clone().filter(|_| current.account.email_verified) {
            let sub = account.sub.clone();
            batch.changes.push(Change::AssertAddress { product: account.product.clone(), email, sub });
        }
        batch.events.push(event);
    }

    /// Whether this browser has the flow cookie of a login that began here.
    pub(super) fn has_flow(&self, visitor: &Visitor, at: &ProductHost, target: &Target) -> bool {
        self.flow_of(visitor, at, target).is_some()
    }

    /// A session that was made on this very host: on to where its browser wanted to go, if it began here and still knows.
    pub(super) fn enter_without_code(&self, visitor: &Visitor, at: &ProductHost, code: &Code, token: &Token) -> Answer {
        let (flow, name) = self.flow_of(visitor, at, &code.target).unwrap_or_else(|| {
            let nowhere = Flow { secret: [0; 32], return_to: "/".to_owned(), made_at: visitor.now };
            (nowhere, flow_name(&code.target.challenge))
        });
        self.entered(visitor, at, (code, &flow, &name), token)
    }

    fn entered(&self, visitor: &Visitor, at: &ProductHost, ticket: (&Code, &Flow, &str), token: &Token) -> Answer {
        let (code, flow, name) = ticket;
        // A login that lost its way back ends at the root; a request that waits for it must not be forgotten (rule H9).
        let waits = flow.return_to == "/" && visitor.cookies.beginning(cookies::SENT).next().is_some();
        let to = if waits { REPLAY } else { &flow.return_to };
        let mut answer = Answer::of(Step::Go(to.to_owned()));
        answer.cookies.push(cookies::expire(name));
        answer.cookies.push(cookies::set(cookies::SESSION, &token.expose(), None, CrossSite::Lax));
        answer.cookies.push(self.remember_last(visitor, at, &flow.return_to));
        let who = self.world.keys.csrf(&[b"who".as_slice(), &code.account.to_bytes()].concat());
        let before = visitor.cookies.one(cookies::WHO).map(ToOwned::to_owned);
        answer.cookies.push(cookies::set(cookies::WHO, &who, Some(Duration::from_secs(365 * 86_400)), CrossSite::Lax));
        if before.is_some_and(|before| before != who) {
            // Another person than the last one on this host: nothing of the last one's may be left (rule H8).
            answer.clear_site = true;
            for name in visitor.cookies.foreign().filter(|name| is_token(name)) {
                answer.cookies.push(expire_foreign(name, None));
                answer.cookies.extend(at.cookie_domain.as_deref().map(|domain| expire_foreign(name, Some(domain))));
            }
        }
        self.world.tally.product_session_created(at.product.name.as_str());
        answer
    }

    /// The key of the product session that the request's cookie names.
    pub(super) fn product_key(&self, visitor: &Visitor) -> Option<SessionKey> {
        session_token(visitor).map(|token| self.world.keys.session_key(&token))
    }
}

/// How a code was taken.
enum Entered {
    /// By this request.
    Fresh(Token),
    /// By an earlier one.
    Before,
    /// Not at all: the login session it came from has ended.
    Ended,
}

pub(super) fn session_token(visitor: &Visitor) -> Option<Token> {
    visitor.cookies.one(cookies::SESSION).and_then(|text| Token::parse(text.as_bytes()))
}

fn flow_name(challenge: &[u8; 32]) -> String {
    format!("{}{}", cookies::FLOW, tag(challenge))
}

fn flow_binding(name: &str, host: &Origin) -> Vec<u8> {
    format!("{name} {host}").into_bytes()
}

/// RFC 6265 §4.1.1: what a cookie's name may be; anything else cannot be sent back.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A cookie of one name may be the host's and the domain's: each goes by a line of its own (RFC 6265 §5.3).
fn expire_foreign(name: &str, domain: Option<&str>) -> String {
    let secure = if name.starts_with("__") { "; Secure" } else { "" };
    let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    format!("{name}=; Path=/; Max-Age=0{domain}{secure}")
}
