//! Connections to providers: `[issuer]`, `[third_party.NAME]`, `sso = { … }` and `[org.NAME.directory.NAME]`.

use super::{At, Members, Text, Texts};
use schemars::JsonSchema;
use serde::Deserialize;

/// A connection to a provider: `oidc`, `oauth2` or `saml`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// The OpenID Connect issuer, exactly as its discovery document writes it.
    pub oidc: Text,
    /// A provider without discovery: its addresses and claim names.
    pub oauth2: Option<At<Oauth2>>,
    /// The metadata of a SAML identity provider, an https address or a file; organizations only.
    pub saml: Text,
    /// Our identifier at the provider.
    pub client_id: Text,
    /// File with our secret at the provider.
    pub client_secret_file: Text,
    /// Environment variable with our secret at the provider.
    pub client_secret_env: Text,
    /// How we prove ourselves at the token endpoint. Default `basic`.
    #[schemars(extend("enum" = ["basic", "post", "private_key_jwt", "none"]))]
    pub client_auth: Text,
    /// Scopes to ask for. Default openid, email, profile.
    pub scopes: Texts,
    /// Signature algorithms accepted for id_tokens. Default RS256, PS256, ES256, EdDSA.
    pub algorithms: Texts,
    /// Where the reply's parameters travel: `query` (default), or `form_post` where the provider insists.
    #[schemars(extend("enum" = ["query", "form_post"]))]
    pub response_mode: Text,
    /// What people read on the button.
    pub label: Text,
    /// What people read on the button; for `[issuer]` the usual spelling of `label`.
    pub name: Text,
    /// The claim that names the person and never changes. Default `sub`. With `saml` the attribute; default as `preset` says, else
    /// the NameID.
    pub subject: Text,
    /// Says that `subject` is an address on purpose: without it, a policy cannot enforce this directory. An address changes, and who gets
    /// it next gets the account.
    pub i_know_subject_is_an_address: Option<bool>,
    /// The claim or attribute that lists the person's groups.
    pub groups: Text,
    /// Values that must all stand in `amr`, such as `mfa`. With `saml` the AuthnContextClassRefs of which one must be asserted.
    pub require_amr: Texts,
    /// How often the provider is asked by a refresh token whether a login still stands, `1s` to `24h`; a provider that says no ends it. With
    /// `oidc` only. Default: it is not asked.
    pub revalidate: Text,
    /// Where people manage their account; `[issuer]` only.
    pub profile_url: Text,
    /// Where people reset their password; `[issuer]` only.
    pub reset_url: Text,
    /// Domains that this directory serves. Default: all of the organization's.
    pub domains: Texts,
    /// Attribute names of a known kind of SAML provider.
    #[schemars(extend("enum" = ["okta", "entra", "google", "adfs", "ping", "shibboleth", "simplesamlphp", "keycloak"]))]
    pub preset: Text,
    /// Who of its domains uses this directory: `{ people = ["ann@acme.com"] }`. Everybody else uses another one that serves the domain.
    /// An organization's second directory only.
    pub members: Option<At<Members>>,
    /// Its provider's provisioning (SCIM 2.0): `{ token_file = "…" }`. The operator's file only.
    pub scim: Option<At<Scim>>,
    /// The transmitter of its provider's security events: `{ token_file = "…" }`, with `poll = "https://…"` where it does not push them. The
    /// operator's file only.
    pub signals: Option<At<Signals>>,
    /// What becomes of a SAML provider's key whose certificate has ended: `warn` (default), as the dates bind nobody, or `refuse`.
    #[schemars(extend("enum" = ["warn", "refuse"]))]
    pub expired_keys: Text,
    /// Who signs a SAML provider's metadata, as a federation's operator does: a PEM file of certificates, or the certificates
    /// themselves. Metadata that none of their keys signed is not used, whatever the certificates' dates say.
    pub metadata_signer: Text,
}

/// A provider's provisioning client.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scim {
    /// File with the client's token, as `fedgate scim-token` prints it; a second line is a second one, while one is changed for another.
    pub token_file: Text,
    /// Environment variable with it.
    pub token_env: Text,
    /// What `externalId` is: `own` (default), an id of the provider's own, or `subject`, the very value of the claim that names people at
    /// their login. With `oidc` only.
    #[schemars(extend("enum" = ["own", "subject"]))]
    pub external_id: Text,
}

/// A transmitter of security events: how its stream is set up (`fedgate signals`), and where they are fetched (RFC 8936).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// Its polling endpoint, https. Without it the transmitter pushes.
    pub poll: Text,
    /// The audience of its events, where the transmitter chose one of its own: no other is taken then. Default: the address of the door.
    pub audience: Text,
    /// File with the bearer token that it is asked with. Required, or `token_env`.
    pub token_file: Text,
    /// Environment variable with it.
    pub token_env: Text,
    /// With `poll`: how long between two questions where it answers at once with nothing, `1s` to `5m`. Default `2s`.
    pub every: Text,
}

/// A provider without discovery (real Atlassian: `read:me`, `/me`).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Oauth2 {
    /// Authorization endpoint.
    pub authorize: Text,
    /// Token endpoint.
    pub token: Text,
    /// Address that tells who the person is, asked with the access token.
    pub userinfo: Text,
    /// Scopes, separated by spaces.
    pub scope: Text,
    /// The `audience` parameter of the authorization request, where the provider wants one.
    pub audience: Text,
    /// Names of the members that hold subject, address and name.
    pub claims: ClaimNames,
}

/// Names of the members of a user-info reply.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimNames {
    /// Holds the subject. Default `sub`.
    pub sub: Text,
    /// Holds the address. Default `email`.
    pub email: Text,
    /// Holds the name. Default `name`.
    pub name: Text,
}
