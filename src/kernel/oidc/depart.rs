//! The address that a login leaves by (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1).

use super::expected::Seed;
use crate::kernel::model::{Directory, Protocol, ResponseMode};
use crate::kernel::values::EmailAddress;
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use std::time::Duration;
use url::Url;

/// One login that is about to leave. Every random value comes from the seed.
#[derive(Clone, Debug)]
pub struct Departure<'a> {
    /// `state`, `nonce` and the code verifier come from here.
    pub seed: &'a Seed,
    /// The directory's own (rule C5).
    pub redirect_uri: &'a str,
    /// The address that the person typed.
    pub login_hint: Option<&'a EmailAddress>,
    /// The languages that the person picked or the product asked for, as `ui_locales` has them.
    pub ui_locales: Option<&'a str>,
    /// How old the provider's authentication may be at most (rule M6).
    pub max_age: Option<Duration>,
    /// Ask the provider to ask the person again.
    pub prompt_login: bool,
}

/// The authorization request: code flow, PKCE S256, and for OpenID Connect a nonce. `endpoint` is the discovered one, or that
/// of the directory's [`OauthEndpoints`](crate::kernel::model::OauthEndpoints). None for a directory without a provider.
pub fn depart(directory: &Directory, endpoint: &Url, departure: &Departure<'_>) -> Option<Url> {
    let settings = directory.protocol.settings()?;
    let mut scopes: Vec<&str> = settings.scopes.iter().map(String::as_str).collect();
    let is_oidc = matches!(directory.protocol, Protocol::Oidc(_));
    if is_oidc && !scopes.contains(&"openid") {
        scopes.insert(0, "openid");
    }
    // OpenID Connect Core §11: what a refresh token is asked for by.
    if is_oidc && settings.revalidate.is_some() && !scopes.contains(&"offline_access") {
        scopes.push("offline_access");
    }
    let mut url = endpoint.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("response_type", "code")
        .append_pair("client_id", &settings.client_id)
        .append_pair("redirect_uri", departure.redirect_uri)
        .append_pair("scope", &scopes.join(" "))
        .append_pair("state", &departure.seed.state())
        .append_pair("code_challenge", &challenge(departure.seed))
        .append_pair("code_challenge_method", "S256");
    if is_oidc {
        query.append_pair("nonce", &departure.seed.nonce());
    }
    if settings.response_mode == ResponseMode::FormPost {
        query.append_pair("response_mode", "form_post");
    }
    if let Some(hint) = departure.login_hint {
        query.append_pair("login_hint", hint.as_str());
    }
    // No parameter of plain OAuth.
    if let Some(languages) = departure.ui_locales.filter(|_| is_oidc) {
        query.append_pair("ui_locales", languages);
    }
    if let Some(age) = departure.max_age {
        query.append_pair("max_age", &age.as_secs().to_string());
    }
    if departure.prompt_login {
        query.append_pair("prompt", "login");
    }
    if let Protocol::Oauth2Userinfo(_, oauth) = &directory.protocol
        && let Some(audience) = &oauth.audience
    {
        query.append_pair("audience", audience);
    }
    drop(query);
    Some(url)
}

fn challenge(seed: &Seed) -> String {
    // The verifier has 43 characters, which is what openidconnect asserts.
    let verifier = PkceCodeVerifier::new(seed.verifier().expose().to_owned());
    PkceCodeChallenge::from_code_verifier_sha256(&verifier).as_str().to_owned()
}
