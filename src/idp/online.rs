//! What `check --online` finds out about a provider: asked now, nothing remembered.

use super::fetch::{self, Provider};
use super::saml::{HeldTo, Word, ask};
use super::{ProviderUnavailable, Providers, configured};
use crate::kernel::certificate::not_after;
use crate::kernel::model::{ClientAuth, Directory, MetadataAt, OidcSettings, Protocol, SamlSettings};
use crate::kernel::oidc::Metadata;
use crate::kernel::values::Timestamp;
use crate::outbound::{Answer, Ask, Kind};
use bytes::Bytes;
use chrono::DateTime;
use http::header::DATE;
use http::{HeaderMap, Method};
use url::Url;

/// One provider, looked at from here.
#[derive(Clone, Debug)]
pub struct OnlineReport {
    /// Which address was asked.
    pub asked: String,
    /// Whether everything that a login needs was found; the fault is for the operator.
    pub usable: Result<(), ProviderUnavailable>,
    /// Where the configuration and what the provider says of itself do not fit: sentences for the operator.
    pub mismatches: Vec<String>,
    /// How many of its keys we can use; none for a provider without discovery.
    pub keys: Option<usize>,
    /// Its clock minus ours in whole seconds, by its `Date` field. Over 60 no token is accepted.
    pub clock_offset: Option<i64>,
    /// When the certificate of the address that was asked ends.
    pub certificate_ends: Option<Timestamp>,
}

impl Providers {
    /// Asks a directory's provider for its documents (or, without discovery, whether its token endpoint answers).
    pub async fn online(&self, directory: &Directory) -> OnlineReport {
        match &directory.protocol {
            Protocol::Oidc(settings) => {
                let asked = match (fetch::discovery_address(&settings.issuer), configured(&settings.issuer)) {
                    (Ok(asked), Ok(_)) => asked,
                    (_, Err(fault)) => return OnlineReport::failed(settings.issuer.clone(), fault),
                    (Err(fault), _) => return OnlineReport::failed(settings.issuer.clone(), fault.into()),
                };
                let mut report = self.look(&asked).await;
                if report.usable.is_ok() {
                    let (now, allow_demo) = (self.0.clock.now(), self.0.memory.allows_demo());
                    match Provider::fetch(&self.0.outbound, &settings.issuer, now, allow_demo).await {
                        Ok(provider) => {
                            report.keys = Some(provider.keys.count());
                            report.mismatches = mismatches(settings, &provider.metadata);
                        }
                        Err(fault) => report.usable = Err(fault.into()),
                    }
                }
                report
            }
            Protocol::Oauth2Userinfo(_, endpoints) => match configured(&endpoints.token) {
                Ok(asked) => self.look(&asked).await,
                Err(fault) => OnlineReport::failed(endpoints.token.clone(), fault),
            },
            Protocol::Saml(settings) => self.online_saml(settings).await,
            Protocol::Local => OnlineReport::failed(String::new(), super::no_provider()),
        }
    }

    /// Asks for a SAML provider's metadata.
    async fn online_saml(&self, settings: &SamlSettings) -> OnlineReport {
        let now = self.0.clock.now();
        let (mut report, document) = match &settings.metadata {
            MetadataAt::Url(address) => match configured(address) {
                Ok(url) => (self.look(&url).await, ask(&self.0.outbound, address, Word::Operator).await),
                Err(fault) => return OnlineReport::failed(address.clone(), fault),
            },
            MetadataAt::File(path) => {
                let report = OnlineReport {
                    asked: path.display().to_string(),
                    usable: Ok(()),
                    mismatches: Vec::new(),
                    keys: None,
                    clock_offset: None,
                    certificate_ends: None,
                };
                (report, super::saml::from_file(path).await)
            }
        };
        if report.usable.is_ok() {
            let held_to = HeldTo { settings, entity: None, allow_demo: self.0.memory.allows_demo() };
            match document.and_then(|document| super::saml::Provider::read(held_to, document, now, now)) {
                Ok(provider) => report.keys = Some(provider.metadata.keys.known().count()),
                Err(fault) => report.usable = Err(fault.into()),
            }
        }
        report
    }

    /// Clock and certificate of an address; any answer will do.
    async fn look(&self, url: &Url) -> OnlineReport {
        let ask = Ask {
            kind: Kind::Operator { named: url.clone() },
            url,
            method: Method::GET,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            accept: "application/json",
        };
        match self.0.outbound.fetch(ask).await {
            Err(fault) => OnlineReport::failed(url.to_string(), ProviderUnavailable(format!("{url}: {fault}"))),
            Ok(answer) => OnlineReport {
                asked: url.to_string(),
                usable: Ok(()),
                mismatches: Vec::new(),
                keys: None,
                clock_offset: date(&answer).map(|date| date.seconds().saturating_sub(self.0.clock.now().seconds())),
                certificate_ends: answer.certificate.as_deref().and_then(not_after),
            },
        }
    }
}

impl OnlineReport {
    fn failed(asked: String, fault: ProviderUnavailable) -> Self {
        Self {
            asked,
            usable: Err(fault),
            mismatches: Vec::new(),
            keys: None,
            clock_offset: None,
            certificate_ends: None,
        }
    }
}

fn mismatches(settings: &OidcSettings, metadata: &Metadata) -> Vec<String> {
    let method = match settings.client_auth {
        ClientAuth::None => "none",
        ClientAuth::Basic(_) => "client_secret_basic",
        ClientAuth::Post(_) => "client_secret_post",
        ClientAuth::PrivateKeyJwt => "private_key_jwt",
    };
    let mut found = Vec::new();
    if !metadata.client_auth.iter().any(|offered| offered == method) {
        found.push(format!(
            "it does not offer {method} at its token endpoint, only {}",
            metadata.client_auth.join(", ")
        ));
    }
    let signs = |name: &String| settings.algorithms.is_empty() || settings.algorithms.contains(name);
    if !metadata.algorithms.is_empty() && !metadata.algorithms.iter().any(signs) {
        found.push(format!("it signs with {}, and none of these is accepted here", metadata.algorithms.join(", ")));
    }
    found
}

fn date(answer: &Answer) -> Option<Timestamp> {
    let text = answer.headers.get(DATE)?.to_str().ok()?;
    Some(Timestamp::from_seconds(DateTime::parse_from_rfc2822(text).ok()?.timestamp()))
}
