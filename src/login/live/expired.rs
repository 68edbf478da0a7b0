//! Requests of expired sessions (rule H9): whose they were, whether they may still be sent, and their one-use mark.

use super::Live;
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::live::{LiveFacts, expired};
use crate::kernel::model::AccountStatus;
use crate::kernel::values::{AccountId, Timestamp};
use crate::keys::Purpose;
use crate::store;
use crate::web::{Ask, Expired, Replays, Taken};
use async_trait::async_trait;

#[async_trait]
impl Replays for Live {
    async fn expired(&self, ask: &Ask<'_>) -> Option<Expired> {
        let key = self.world.keys.session_key(ask.token);
        // What was ended has no row any more, and a row whose MAC does not hold is nobody's.
        let rows = match self.read(ask, &key).await {
            Ok(rows) => rows?,
            Err(fault) => {
                tracing::debug!(%fault, "an expired session could not be read");
                return None;
            }
        };
        let catalog = self.world.catalog.load();
        let product = catalog.products.get(&rows.session.product)?;
        let rows = self.with_activity_of(rows);
        let facts = LiveFacts {
            now: ask.now,
            catalog: &catalog,
            product,
            login: &rows.login,
            session: &rows.session,
            account: &rows.account,
            product_account: Some(&rows.record),
            further: &rows.further,
        };
        expired(&facts)?;
        Some(Expired { sid: rows.session.id, account: rows.account.id, epoch: rows.account.epoch })
    }

    async fn epoch(&self, account: AccountId) -> Option<u32> {
        match self.world.store.account(account).await {
            Ok(account) => account.filter(|account| account.status == AccountStatus::Active).map(|found| found.epoch),
            Err(fault) => {
                tracing::debug!(%fault, "an account could not be read");
                None
            }
        }
    }

    async fn take(&self, digest: [u8; 32], until: Timestamp) -> Taken {
        match self.world.store.take_once(ReplayMark { kind: MarkKind::Replay, digest, until }).await {
            Ok(store::Taken::First) => Taken::First,
            Ok(store::Taken::Again) => Taken::Again,
            Err(fault) => {
                tracing::warn!(%fault, "a kept request could not be marked as sent");
                Taken::Unavailable
            }
        }
    }

    fn seal(&self, bound: &[u8], bytes: &[u8]) -> Option<String> {
        let sealed = self.world.seal(Purpose::Replay, bound, bytes);
        (!sealed.is_empty()).then_some(sealed)
    }

    fn open(&self, bound: &[u8], text: &str) -> Option<Vec<u8>> {
        self.world.unseal(Purpose::Replay, bound, text)
    }
}
