//! What providers must be asked: discovery, keys, the token endpoint, userinfo; and what of it is remembered.
//!
//! Nothing here decides anything about people: it fetches, remembers and hands bytes to the judges of `kernel::oidc`. No network
//! at start; a provider that is down is served from memory or disk for 24 h. Deliberately absent: refresh tokens, dynamic
//! registration, pushed requests. A new protocol gets its own file beside `redeem.rs`.

mod disk;
mod fetch;
mod memory;
mod online;
mod redeem;
mod refresh;
pub mod saml;
mod signal;
mod stream;
#[cfg(test)]
mod tests;

pub use memory::Health;
pub use online::OnlineReport;
pub use refresh::Unrefreshed;
pub use signal::Unheard;
pub use stream::{StreamManagement, Unmanaged};

use crate::clock::Clock;
use crate::kernel::model::{Directory, Protocol};
use crate::kernel::oidc::{self, CodeReply, Departure, Expected, PlainHttp, Redeemed};
use crate::kernel::proof::Proof;
use crate::kernel::refusal::{ProofFault, Refusal};
use crate::kernel::values::{DirectoryId, Secret, Timestamp};
use crate::outbound::Outbound;
use fetch::Provider;
use memory::Memory;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::runtime::Handle;
use url::Url;

/// Makes the signed assertions of `private_key_jwt`; every directory has its own key (rule H20).
pub trait ClientAssertions: Send + Sync + 'static {
    /// A client assertion (RFC 7523 §3): `iss` and `sub` are the client, `aud` the audience, one use, at most a minute long.
    fn assertion(&self, directory: DirectoryId, audience: &str, client_id: &str, now: Timestamp) -> String;
}

/// How [`Providers`] is set up.
pub struct ProviderOptions {
    /// The HTTP client.
    pub outbound: Outbound,
    /// Where discovery documents and keys are kept for a start while a provider is down. Made when missing, mode 0700.
    pub cache_dir: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// For `private_key_jwt`.
    pub assertions: Arc<dyn ClientAssertions>,
    /// Whether issuers that say `fedgate_demo: true` are accepted; `run` never does (rule M17).
    pub allow_demo: bool,
    /// Where refreshes run behind the requests.
    pub background: Handle,
}

/// The provider could not be reached or did not answer usably. The text is for logs and operators.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the provider is unavailable: {0}")]
pub struct ProviderUnavailable(pub String);

/// Why a reply proved nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unproved {
    /// The reply does not hold.
    #[error("{}", .0.code())]
    Fault(ProofFault),
    /// The token endpoint refused the code: its `error`, `[a-z_]{1,64}` or `other`.
    #[error("the provider refused the code: {0}")]
    Rejected(String),
    /// The provider could not be asked.
    #[error(transparent)]
    Unavailable(#[from] ProviderUnavailable),
}

impl From<ProofFault> for Unproved {
    fn from(fault: ProofFault) -> Self {
        Self::Fault(fault)
    }
}

impl Unproved {
    /// How the person is turned away: a code that is used or too old means a fresh login, any other rejection is a matter
    /// between us and the provider.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Fault(fault) => Refusal::Proof(*fault),
            Self::Rejected(error) if error == "invalid_grant" => Refusal::NotUnderWay,
            Self::Rejected(_) | Self::Unavailable(_) => Refusal::ProviderUnavailable,
        }
    }
}

/// A code to redeem, after its login was taken (once, cluster-wide).
#[derive(Clone, Copy, Debug)]
pub struct Redeem<'a> {
    /// What the browser brought.
    pub reply: &'a CodeReply,
    /// What was remembered at departure.
    pub expected: &'a Expected,
    /// The directory's redirect URI now; the departure's must be the same.
    pub redirect_uri: &'a str,
}

/// A logout at the provider (OpenID Connect RP-Initiated Logout 1.0 §2).
#[derive(Clone, Copy, Debug)]
pub struct EndSession<'a> {
    /// The id_token of the session that ends.
    pub id_token_hint: Option<&'a Secret>,
    /// A fixed path of ours, registered at the provider.
    pub post_logout_redirect_uri: &'a str,
    /// Comes back with the browser.
    pub state: &'a str,
}

/// All providers. Cheap to clone.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

struct Inner {
    outbound: Outbound,
    clock: Clock,
    assertions: Arc<dyn ClientAssertions>,
    memory: Memory,
    /// How much each directory may say outside logins.
    signals: signal::SignalTurns,
}

impl Providers {
    /// Sets up; asks nobody.
    pub fn new(options: ProviderOptions) -> Self {
        let memory = Memory::new(&options);
        let ProviderOptions { outbound, clock, assertions, .. } = options;
        Self(Arc::new(Inner { outbound, clock, assertions, memory, signals: signal::SignalTurns::default() }))
    }

    /// The address that a login leaves by.
    ///
    /// # Errors
    /// [`ProviderUnavailable`] when the provider's metadata is neither remembered nor to be had.
    pub async fn depart(&self, directory: &Directory, departure: &Departure<'_>) -> Result<Url, ProviderUnavailable> {
        let endpoint = match &directory.protocol {
            Protocol::Oidc(settings) => self.provider(&settings.issuer).await?.metadata.authorization.clone(),
            Protocol::Oauth2Userinfo(_, endpoints) => configured(&endpoints.authorize)?,
            Protocol::Saml(_) | Protocol::Local => return Err(no_provider()),
        };
        oidc::depart(directory, &endpoint, departure).ok_or_else(no_provider)
    }

    /// Redeems a code and judges what comes of it.
    ///
    /// The directory of the departure is checked, and the `iss` parameter, before the code goes anywhere (rule C5).
    ///
    /// # Errors
    /// [`Unproved`]; the code is spent then, whatever the reason.
    pub async fn prove(&self, directory: &Directory, redeem: Redeem<'_>, now: Timestamp) -> Result<Proof, Unproved> {
        redeem.expected.holds(directory, redeem.redirect_uri)?;
        let (settings, endpoints) = match &directory.protocol {
            Protocol::Oidc(settings) => return self.prove_by_token(directory, settings, redeem, now).await,
            Protocol::Oauth2Userinfo(settings, endpoints) => (settings, endpoints),
            Protocol::Saml(_) | Protocol::Local => return Err(ProofFault::Directory.into()),
        };
        if redeem.reply.iss.as_ref().is_some_and(|issuer| *issuer != settings.issuer) {
            return Err(ProofFault::IssuerParameter.into());
        }
        let (token, userinfo) = (configured(&endpoints.token)?, configured(&endpoints.userinfo)?);
        let tokens = self.redeem(directory, &token, &token, redeem).await?;
        let access_token = tokens.access_token.ok_or_else(|| ProviderUnavailable("no access_token came".into()))?;
        let body = self.userinfo(&userinfo, &userinfo, &access_token).await?;
        Ok(oidc::judge_userinfo(directory, endpoints, redeem.expected, &body, now)?)
    }

    async fn prove_by_token(
        &self,
        directory: &Directory,
        settings: &crate::kernel::model::OidcSettings,
        redeem: Redeem<'_>,
        now: Timestamp,
    ) -> Result<Proof, Unproved> {
        let mut provider = self.provider(&settings.issuer).await?;
        oidc::check_issuer(redeem.reply.iss.as_deref(), &provider.metadata)?;
        let named = configured(&settings.issuer)?;
        let tokens = self.redeem(directory, &provider.metadata.token, &named, redeem).await?;
        let id_token = tokens.id_token.ok_or(ProofFault::Shape)?;
        let mut redeemed = Redeemed {
            id_token: &id_token,
            access_token: tokens.access_token.as_ref(),
            code: &redeem.reply.code,
            userinfo: None,
            refresh_token: tokens.refresh_token.as_ref(),
        };
        let mut judged = oidc::judge(directory, &provider.keys, redeem.expected, &redeemed, now);
        if matches!(judged, Err(ProofFault::UnknownKey))
            && let Some(newer) = self.0.memory.refetch(&settings.issuer, &provider).await
        {
            provider = newer;
            judged = oidc::judge(directory, &provider.keys, redeem.expected, &redeemed, now);
        }
        let proof = judged?;
        let (Some(userinfo), Some(access_token), None) =
            (&provider.metadata.userinfo, &tokens.access_token, &proof.claims().email)
        else {
            return Ok(proof);
        };
        let body = self.userinfo(userinfo, &named, access_token).await?;
        redeemed.userinfo = Some(&body);
        Ok(oidc::judge(directory, &provider.keys, redeem.expected, &redeemed, now)?)
    }

    /// Where to send a browser that logs out everywhere; `None` where the provider has no such address or is not known yet.
    pub fn end_session(&self, directory: &Directory, end: &EndSession<'_>) -> Option<Url> {
        let Protocol::Oidc(settings) = &directory.protocol else { return None };
        let mut url = self.0.memory.remembered(&settings.issuer)?.metadata.end_session.clone()?;
        let mut query = url.query_pairs_mut();
        if let Some(hint) = end.id_token_hint {
            query.append_pair("id_token_hint", hint.expose());
        }
        query
            .append_pair("client_id", &settings.client_id)
            .append_pair("post_logout_redirect_uri", end.post_logout_redirect_uri)
            .append_pair("state", end.state);
        drop(query);
        Some(url)
    }

    /// How a directory's provider fares, for metrics; none where there is no provider. Asks nobody.
    pub fn health(&self, directory: &Directory) -> Option<Health> {
        Some(self.0.memory.health(&directory.protocol.settings()?.issuer))
    }

    async fn provider(&self, issuer: &str) -> Result<Arc<Provider>, ProviderUnavailable> {
        self.0.memory.provider(issuer).await
    }
}

/// A directory without a provider was asked for one: no path of ours leads here.
fn no_provider() -> ProviderUnavailable {
    ProviderUnavailable("this directory has no provider".into())
}

/// An address of the operator's file.
fn configured(text: &str) -> Result<Url, ProviderUnavailable> {
    oidc::endpoint(text, PlainHttp::Loopback)
        .ok_or_else(|| ProviderUnavailable(format!("{text} is not an https address")))
}
