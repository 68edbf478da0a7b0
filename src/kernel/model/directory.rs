//! Directories: connections to providers that say who people are.

use super::SubjectSource;
use crate::kernel::saml::{Mapping, SigningKeys};
use crate::kernel::scim::token::ScimToken;
use crate::kernel::values::{DirectoryId, DirectoryName, DomainName, EmailAddress, OrgName, Secret, Timestamp};
use std::path::PathBuf;
use std::time::Duration;

/// One connection to one provider, of one organization, of the issuer or of a third party.
#[derive(Clone, Debug)]
pub struct Directory {
    /// Ours, and the scope of every identity from it (rule C1).
    pub id: DirectoryId,
    /// What the configuration calls it.
    pub name: DirectoryName,
    /// What people read: "Atlassian", "Acme".
    pub label: String,
    /// Domains that it may speak for; exact matches only (rule B3). Empty for the issuer and third parties.
    pub domains: Vec<DomainName>,
    /// How to talk to it.
    pub protocol: Protocol,
    /// Where its subjects are read from.
    pub subject_source: SubjectSource,
    /// The claim that lists groups, if it is used.
    pub groups_claim: Option<String>,
    /// Of its domains these people alone, by address: a second provider beside the domains' own. None: everybody whom no other
    /// directory of the organization names.
    pub members: Option<Vec<EmailAddress>>,
    /// How its provider provisions people here; none: it does not.
    pub scim: Option<Provisioner>,
    /// What is known of the transmitter of its provider's security events; none: somebody set a stream up that pushes them, or nobody did.
    pub transmitter: Option<Transmitter>,
}

/// A transmitter of security events (OpenID Shared Signals Framework 1.0).
#[derive(Clone, Debug)]
pub struct Transmitter {
    /// The bearer token that it is asked with.
    pub token: Secret,
    /// The audience that it writes into events, where it is not the address of the directory's door.
    pub audience: Option<String>,
    /// Where events are fetched; none: they are pushed.
    pub polled: Option<Polled>,
}

/// An endpoint where security events are fetched (RFC 8936).
#[derive(Clone, Debug)]
pub struct Polled {
    /// Its address.
    pub url: String,
    /// How long between two questions, where it answers at once with nothing.
    pub every: Duration,
}

/// A provider's provisioning client.
#[derive(Clone, Debug)]
pub struct Provisioner {
    /// What it shows; two while one is changed for another.
    pub tokens: Vec<ScimToken>,
    /// Its `externalId` is the very subject by which people log in: the link is there before the first login.
    pub external_id_is_subject: bool,
}

/// Where a local directory reads its subjects from: they are the texts of account ids.
pub const ACCOUNT_SOURCE: &str = "account";

impl Directory {
    /// The name space of its people's subjects, where it is known before one of them logs in: not for a NameID of a format that the
    /// provider chooses.
    pub fn subjects(&self) -> Option<SubjectSource> {
        match &self.protocol {
            Protocol::Saml(settings) => settings.mapping.subject.name_space(),
            Protocol::Oidc(_) | Protocol::Oauth2Userinfo(..) | Protocol::Local => Some(self.subject_source.clone()),
        }
    }

    /// The organization it belongs to; none for the issuer and third parties.
    pub fn org(&self) -> Option<&OrgName> {
        match &self.name {
            DirectoryName::Org(org, _) => Some(org),
            DirectoryName::Issuer | DirectoryName::ThirdParty(_) | DirectoryName::Local(_) | DirectoryName::Here => {
                None
            }
        }
    }
}

/// How to talk to a provider.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// OpenID Connect with discovery.
    Oidc(OidcSettings),
    /// OAuth 2.0 with a user-info address and no id_token (real Atlassian: `read:me`, `/me`).
    Oauth2Userinfo(OidcSettings, OauthEndpoints),
    /// SAML 2.0 web browser SSO; organizations only.
    Saml(Box<SamlSettings>),
    /// No provider: credentials that are kept here or at the product.
    Local,
}

impl Protocol {
    /// What providers of OAuth and OpenID Connect have; none of SAML, and none where there is no provider.
    pub fn settings(&self) -> Option<&OidcSettings> {
        match self {
            Self::Oidc(settings) | Self::Oauth2Userinfo(settings, _) => Some(settings),
            Self::Saml(_) | Self::Local => None,
        }
    }

    /// Whether its replies are cross-site POSTs, which carry no Lax cookie (rule H10).
    pub fn replies_by_post(&self) -> bool {
        match self {
            Self::Saml(_) => true,
            Self::Oidc(settings) | Self::Oauth2Userinfo(settings, _) => {
                settings.response_mode == ResponseMode::FormPost
            }
            Self::Local => false,
        }
    }

    /// What a SAML provider has.
    pub fn saml(&self) -> Option<&SamlSettings> {
        match self {
            Self::Saml(settings) => Some(settings),
            Self::Oidc(_) | Self::Oauth2Userinfo(..) | Self::Local => None,
        }
    }
}

/// What a SAML service provider needs to know of one identity provider. Its entity id is not written: it is the one of the first
/// metadata that was read, and stays it (rule C1).
#[derive(Clone, Debug)]
pub struct SamlSettings {
    /// Where the provider's metadata is.
    pub metadata: MetadataAt,
    /// The keys of which one must have signed it; none: metadata is taken as its address says it.
    pub signer: Option<SigningKeys>,
    /// How its attributes are read.
    pub mapping: Mapping,
    /// AuthnContextClassRefs of which one must be asserted, from `require_amr`; empty: not asked.
    pub contexts: Vec<String>,
    /// What becomes of a key whose certificate has ended.
    pub expired_keys: ExpiredKeys,
}

/// Where metadata is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MetadataAt {
    /// An https address, asked again every hour.
    Url(String),
    /// A file that the operator's file names, read again at each reload. Documents of organizations have none (rule M16).
    File(PathBuf),
}

impl std::fmt::Display for MetadataAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Url(url) => f.write_str(url),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What becomes of a provider's key whose certificate has ended: the dates bind nobody (OASIS Metadata Interoperability Profile
/// §2.6.1), and refusing them locks a company out for a formality.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ExpiredKeys {
    /// It is used, with a warning in the log.
    #[default]
    Warn,
    /// It is not used.
    Refuse,
}

/// What an OAuth or OIDC client needs.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// The issuer identifier, compared byte for byte; for `oauth2` the authorization endpoint's origin, for display only.
    pub issuer: String,
    /// Our identifier at the provider.
    pub client_id: String,
    /// How we prove that we are that client.
    pub client_auth: ClientAuth,
    /// Scopes to ask for; `openid` is always among them for OIDC.
    pub scopes: Vec<String>,
    /// `query`, or `form_post` where the provider insists (Apple).
    pub response_mode: ResponseMode,
    /// Signature algorithms accepted for id_tokens, e.g. `RS256`; asymmetric only, fixed at set-up.
    pub algorithms: Vec<String>,
    /// Values that must all stand in `amr`, such as `mfa`; empty: not asked.
    pub require_amr: Vec<String>,
    /// How often the provider is asked by a refresh token whether a login still stands; none: it is not asked, and no token is kept.
    pub revalidate: Option<Duration>,
}

/// How a client proves itself at the token endpoint.
#[derive(Clone, Debug)]
pub enum ClientAuth {
    /// A public client: PKCE alone.
    None,
    /// `client_secret_basic` (RFC 6749 §2.3.1).
    Basic(Secret),
    /// `client_secret_post`.
    Post(Secret),
    /// `private_key_jwt` (RFC 7523) with this directory's own key (rule H20).
    PrivateKeyJwt,
}

impl ClientAuth {
    /// Whether the client has a key of its own, which its provider must be able to fetch.
    pub const fn is_by_key(&self) -> bool {
        matches!(self, Self::PrivateKeyJwt)
    }
}

/// Where the reply's parameters travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResponseMode {
    /// In the query of a GET.
    Query,
    /// In a cross-site POST (rule H10: its cookie needs SameSite=None).
    FormPost,
}

/// Addresses and claim names of a provider without discovery.
#[derive(Clone, Debug)]
pub struct OauthEndpoints {
    /// Authorization endpoint.
    pub authorize: String,
    /// Token endpoint.
    pub token: String,
    /// User-info endpoint, asked with the access token.
    pub userinfo: String,
    /// An `audience` parameter for the authorization request (Atlassian: `api.atlassian.com`).
    pub audience: Option<String>,
    /// The member that holds the subject (Atlassian: `account_id`).
    pub sub_claim: String,
    /// The member that holds the address.
    pub email_claim: String,
    /// The member that holds the name.
    pub name_claim: String,
}

/// The store's row of a directory: which configured connection has which id. The fingerprint covers issuer, client id and
/// subject source, so that a changed connection gets a new id and inherits no link (rule C1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectoryRow {
    /// Ours.
    pub id: DirectoryId,
    /// What the configuration calls it, as displayed.
    pub name: String,
    /// SHA-256 over what makes it this connection; unique with `name`.
    pub fingerprint: [u8; 32],
    /// When it was first configured.
    pub created_at: Timestamp,
}
