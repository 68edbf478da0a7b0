//! Whether a login still stands, asked of its provider by a refresh token (RFC 6749 §6, OpenID Connect Core §12).

use super::{ProviderUnavailable, Providers, Unproved, configured, no_provider};
use crate::kernel::model::{Directory, Protocol};
use crate::kernel::oidc::{REFRESH_LIMIT, judge_refresh};
use crate::kernel::proof::Refreshable;
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{Secret, Timestamp};

/// Answers by which a provider says that nobody is logged in by this token any more (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6). Every
/// other refusal is about us, our client or the request: nothing is known of the login then.
const OVER: [&str; 5] =
    ["invalid_grant", "interaction_required", "login_required", "consent_required", "access_denied"];

/// Why a login was not confirmed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unrefreshed {
    /// The provider says that it is over, by this code; or its answer is about somebody else, or does not hold.
    #[error("the login is over at the provider: {0}")]
    Over(String),
    /// Nothing is known.
    #[error(transparent)]
    Unavailable(#[from] ProviderUnavailable),
}

impl Providers {
    /// Asks. What comes back is the token for the next time, where the provider gave another one.
    ///
    /// # Errors
    /// [`Unrefreshed`]. After [`Unrefreshed::Unavailable`] the token may have been used up, which the next answer says.
    pub async fn refresh(
        &self,
        directory: &Directory,
        refreshable: &Refreshable,
        now: Timestamp,
    ) -> Result<Option<Secret>, Unrefreshed> {
        let Protocol::Oidc(settings) = &directory.protocol else { return Err(no_provider().into()) };
        let provider = self.provider(&settings.issuer).await?;
        let named = configured(&settings.issuer)?;
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refreshable.token.expose())];
        let tokens = self.tokens(directory, (&provider.metadata.token, &named), &grant).await.map_err(of_refusal)?;
        if let Some(id_token) = &tokens.id_token {
            let judge = |keys| judge_refresh(settings, keys, id_token, &refreshable.sub, now);
            let mut judged = judge(&provider.keys);
            if matches!(judged, Err(ProofFault::UnknownKey))
                && let Some(newer) = self.0.memory.refetch(&settings.issuer, &provider).await
            {
                judged = judge(&newer.keys);
            }
            judged.map_err(|fault| Unrefreshed::Over(fault.code().to_owned()))?;
        }
        let kept = |token: &Secret| token.expose().len() <= REFRESH_LIMIT;
        match tokens.refresh_token {
            Some(token) if !kept(&token) => Err(Unrefreshed::Over("refresh-token-too-large".to_owned())),
            other => Ok(other),
        }
    }
}

fn of_refusal(why: Unproved) -> Unrefreshed {
    match why {
        Unproved::Rejected(code) if OVER.contains(&code.as_str()) => Unrefreshed::Over(code),
        Unproved::Unavailable(why) => Unrefreshed::Unavailable(why),
        other => Unrefreshed::Unavailable(ProviderUnavailable(other.to_string())),
    }
}
