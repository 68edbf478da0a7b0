//! A product's own API tokens (rule C7): whose they are says the product, whether they pass says phase C, at most a second ago.
//!
//! What is remembered of a token is found by its hash and is forgotten a minute after its last request. Whoever asks while it is being
//! judged waits for that one judgement. A response that is still under way is watched: its token is judged again every second, and
//! once it does not pass the response is cut as that of an ended session is.

use super::world::World;
use crate::accounts::NoAnswer;
use crate::entropy::random;
use crate::kernel::live::Whence;
use crate::kernel::live::token::{TokenFacts, token_passes};
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{AccountId, LoginSessionId, ProductAccountId, ProductName, ProductSessionId, Timestamp};
use crate::store::Unavailable;
use crate::web::{Admission, End, Identity, LiveSession, TokenAsk};
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// How old a judgement may be.
const FRESH: Duration = Duration::from_secs(1);
/// A token that nobody uses is forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// Tokens remembered; those that are used seldom go first.
const REMEMBERED: u64 = 20_000;

/// Tokens that came lately.
pub(super) struct Tokens(Cache<[u8; 32], Arc<Slot>>);

/// One token at one product.
struct Slot {
    authorization: Zeroizing<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Since boot.
    judged_at: Option<Duration>,
    verdict: Option<Verdict>,
    watched: bool,
}

enum Verdict {
    Passes(Arc<LiveSession>, Whence),
    Nobody,
    Refused(Refusal),
    Unavailable,
}

impl Default for Tokens {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build())
    }
}

impl Tokens {
    /// Whether a request with this token passes.
    pub(super) async fn admit(&self, world: &Arc<World>, ask: &TokenAsk<'_>) -> Admission {
        let slot = self.0.get_with(place(ask), || {
            let authorization = Zeroizing::new(ask.authorization.to_owned());
            Arc::new(Slot { authorization, state: Mutex::default() })
        });
        let mut state = slot.state.lock().await;
        slot.refresh(&mut state, world, &ask.product.name).await;
        let admission = match &state.verdict {
            Some(Verdict::Passes(live, whence)) if whence.admits(ask.client) => Admission::Admitted(Arc::clone(live)),
            Some(Verdict::Passes(..)) => Admission::Refused(Refusal::Network),
            Some(Verdict::Refused(refusal)) => Admission::Refused(*refusal),
            Some(Verdict::Nobody) => Admission::Nobody,
            Some(Verdict::Unavailable) | None => Admission::Unavailable,
        };
        if let (Admission::Admitted(_), false) = (&admission, state.watched) {
            state.watched = true;
            tokio::spawn(watch(Arc::clone(&slot), Arc::clone(world), ask.product.name.clone()));
        }
        admission
    }
}

/// Not by the token itself: what is remembered is keyed by what does not open anything.
fn place(ask: &TokenAsk<'_>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [ask.product.name.as_str(), "\0", ask.authorization] {
        context.update(part.as_bytes());
    }
    let mut place = [0; 32];
    place.copy_from_slice(context.finish().as_ref());
    place
}

/// Judges a token every second for as long as anything of it is under way.
async fn watch(slot: Arc<Slot>, world: Arc<World>, product: ProductName) {
    loop {
        tokio::time::sleep(FRESH).await;
        let mut state = slot.state.lock().await;
        let in_use = matches!(&state.verdict, Some(Verdict::Passes(live, _)) if Arc::strong_count(live) > 1);
        if !in_use {
            state.watched = false;
            return;
        }
        slot.refresh(&mut state, &world, &product).await;
    }
}

impl Slot {
    /// Judges the token unless that was done within the last second. What no longer passes, or only from elsewhere, is ended.
    async fn refresh(&self, state: &mut State, world: &World, product: &ProductName) {
        if state.judged_at.is_some_and(|at| world.clock.since_boot().saturating_sub(at) < FRESH) {
            return;
        }
        let known = matches!(state.verdict, Some(Verdict::Passes(..)));
        let judged = self.judge(world, product, known).await;
        let verdict = match (judged, state.verdict.take()) {
            (Ok(owner), Some(Verdict::Passes(live, whence)))
                if live.product_account == owner.record && whence == owner.whence =>
            {
                Verdict::Passes(live, whence)
            }
            (judged, before) => {
                if let Some(Verdict::Passes(live, _)) = before {
                    live.ended.cancel();
                }
                judged.map_or_else(|verdict| verdict, |owner| owner.passes(product, world.clock.now()))
            }
        };
        state.verdict = Some(verdict);
        state.judged_at = Some(world.clock.since_boot());
    }

    /// Asks the product and phase C, by what is configured now: what is under way outlives a reload.
    async fn judge(&self, world: &World, product: &ProductName, known: bool) -> Result<Owner, Verdict> {
        if world.orgs.is_behind() || world.keys.is_behind() {
            return Err(Verdict::Unavailable);
        }
        let catalog = world.catalog.load_full();
        let product = catalog.products.get(product).ok_or(Verdict::Nobody)?;
        let adapter = product.adapter.as_ref().ok_or(Verdict::Nobody)?;
        let asked = (&product.name, adapter);
        let said = world.adapters.token_owner(asked, (&self.authorization, known), world.clock.now()).await;
        let sub = match said {
            Ok(sub) => sub.ok_or(Verdict::Nobody)?,
            Err(fault) => {
                tracing::warn!(product = %product.name, "the owner of an API token was not named: {fault}");
                world.tally.adapter_failed(product.name.as_str());
                return Err(match fault {
                    NoAnswer::Busy | NoAnswer::Unreachable(_) => Verdict::Unavailable,
                    NoAnswer::Odd(_) | NoAnswer::AnotherUser => Verdict::Nobody,
                });
            }
        };
        let owned = async {
            let Some(record) = world.store.product_account_by_sub(&product.name, &sub).await? else { return Ok(None) };
            let Some(account) = world.store.account(record.account).await? else { return Ok(None) };
            let further = world.store.proved_addresses_of(account.id).await?;
            let migration = world.store.migration_of(record.id).await?;
            Ok(Some((record, account, further, migration)))
        };
        let owned: Result<_, Unavailable> = owned.await;
        let owned = owned.map_err(|fault| {
            tracing::warn!(product = %product.name, "an API token could not be judged: {fault}");
            Verdict::Unavailable
        })?;
        let (record, account, further, migration) = owned.ok_or(Verdict::Nobody)?;
        let facts = TokenFacts {
            catalog: &catalog,
            product,
            record: &record,
            account: &account,
            further: &further,
            migration: migration.as_ref(),
        };
        let whence = token_passes(&facts).map_err(Verdict::Refused)?;
        Ok(Owner { record: record.id, account: account.id, whence })
    }
}

/// Whose token it is, and from where it passes.
struct Owner {
    record: ProductAccountId,
    account: AccountId,
    whence: Whence,
}

impl Owner {
    fn passes(self, product: &ProductName, now: Timestamp) -> Verdict {
        let live = under_way(product, (self.record, self.account), now);
        live.map_or(Verdict::Unavailable, |live| Verdict::Passes(live, self.whence))
    }
}

/// What requests of the token hold on to. It is no session: nothing of it is stored, and no identity is said with it.
fn under_way(
    product: &ProductName,
    (record, account): (ProductAccountId, AccountId),
    now: Timestamp,
) -> Option<Arc<LiveSession>> {
    let identity = Identity::new(&Default::default(), Vec::new(), now)?;
    Some(Arc::new(LiveSession {
        sid: ProductSessionId::mint(now, random()),
        login: LoginSessionId::mint(now, random()),
        account,
        product_account: record,
        product: product.clone(),
        org: None,
        proved_at: LiveSession::NEVER,
        identity: ArcSwap::from_pointee(identity),
        ended: End::default(),
        last_seen: AtomicI64::new(now.millis()),
    }))
}
