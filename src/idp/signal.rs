//! What a provider says outside logins, verified with its keys: as many tokens at once and in a minute as one directory may send
//! (rule H5), and its keys read again for one that is new, by the same rules as at a login.

use super::saml::turns::LogoutTurns;
use super::{ProviderUnavailable, Providers};
use crate::kernel::model::{Directory, Protocol};
use crate::kernel::oidc::{Signal, SignalDoor, SignalFault, judge_signal};
use crate::kernel::values::{DirectoryId, Timestamp};
use moka::sync::Cache;
use std::sync::Arc;

/// Directories whose turns are remembered; a directory that was forgotten begins its minute anew.
const DIRECTORIES: u64 = 10_000;

/// Turns of each directory, apart from those of its logins.
pub(super) struct SignalTurns(Cache<DirectoryId, Arc<LogoutTurns>>);

impl Default for SignalTurns {
    fn default() -> Self {
        Self(Cache::new(DIRECTORIES))
    }
}

/// Why a token was not heard.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unheard {
    /// It does not hold.
    #[error(transparent)]
    Fault(#[from] SignalFault),
    /// The provider's keys are not to be had: nothing is known of the token.
    #[error(transparent)]
    Unavailable(#[from] ProviderUnavailable),
}

impl Providers {
    /// Verifies what a directory's provider sent to one of its doors.
    ///
    /// # Errors
    /// [`Unheard`]; the token is not used up by any.
    pub async fn hear(
        &self,
        directory: &Directory,
        door: SignalDoor<'_>,
        token: &str,
        now: Timestamp,
    ) -> Result<Signal, Unheard> {
        let Protocol::Oidc(settings) = &directory.protocol else { return Err(super::no_provider().into()) };
        let turns = self.0.signals.0.get_with(directory.id, Arc::default);
        let turn = turns.turn().await.ok_or(SignalFault::Rate)?;
        let provider = self.provider(&settings.issuer).await?;
        let mut judged = judge_signal(settings, &provider.keys, door, token, now);
        if matches!(judged, Err(SignalFault::UnknownKey))
            && let Some(newer) = self.0.memory.refetch(&settings.issuer, &provider).await
        {
            judged = judge_signal(settings, &newer.keys, door, token, now);
        }
        drop(turn);
        let signal = judged?;
        if turns.may_end(&signal.id, self.0.clock.since_boot()) { Ok(signal) } else { Err(SignalFault::Rate.into()) }
    }
}
