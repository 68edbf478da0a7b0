//! The two requests that follow a reply: the code for tokens (RFC 6749 §4.1.3), the access token for claims.

use super::{ProviderUnavailable, Providers, Redeem, Unproved, no_provider};
use crate::kernel::model::{ClientAuth, Directory};
use crate::kernel::oidc::json::strict;
use crate::kernel::values::Secret;
use crate::outbound::{Answer, Ask, BODY_LIMIT, Kind};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;
use url::{Url, form_urlencoded};

/// What the token endpoint gave.
pub(super) struct Tokens {
    pub(super) id_token: Option<Secret>,
    /// Only of type `Bearer`.
    pub(super) access_token: Option<Secret>,
    pub(super) refresh_token: Option<Secret>,
}

impl Providers {
    /// Redeems the code at `endpoint`; `named` is the address that the operator's file gives for this provider.
    pub(super) async fn redeem(
        &self,
        directory: &Directory,
        endpoint: &Url,
        named: &Url,
        redeem: Redeem<'_>,
    ) -> Result<Tokens, Unproved> {
        let verifier = redeem.expected.seed().verifier();
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", redeem.reply.code.expose()),
            ("redirect_uri", redeem.redirect_uri),
            ("code_verifier", verifier.expose()),
        ];
        self.tokens(directory, (endpoint, named), &grant).await
    }

    /// Asks the token endpoint with a grant (RFC 6749 §4.1.3 and §6).
    pub(super) async fn tokens(
        &self,
        directory: &Directory,
        (endpoint, named): (&Url, &Url),
        grant: &[(&str, &str)],
    ) -> Result<Tokens, Unproved> {
        let (headers, body) = self.token_request(directory, grant)?;
        let kind = Kind::Operator { named: named.clone() };
        let ask = Ask { kind, url: endpoint, method: Method::POST, headers, body, accept: "application/json" };
        let answer = self.0.outbound.fetch(ask).await.map_err(|fault| unavailable(endpoint, &fault.to_string()))?;
        read_tokens(endpoint, &answer)
    }

    /// Apart from the call, since the form writer may not live across an await.
    fn token_request(
        &self,
        directory: &Directory,
        grant: &[(&str, &str)],
    ) -> Result<(HeaderMap, Bytes), ProviderUnavailable> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in grant {
            form.append_pair(name, value);
        }
        self.authenticate(directory, &mut headers, &mut form)?;
        Ok((headers, Bytes::from(form.finish())))
    }

    /// Proves that we are the client (RFC 6749 §2.3, OpenID Connect Core §9).
    fn authenticate(
        &self,
        directory: &Directory,
        headers: &mut HeaderMap,
        form: &mut form_urlencoded::Serializer<'_, String>,
    ) -> Result<(), ProviderUnavailable> {
        let settings = directory.protocol.settings().ok_or_else(no_provider)?;
        let client_id = settings.client_id.as_str();
        match &settings.client_auth {
            ClientAuth::Basic(secret) => {
                // Both are form-encoded before they are joined (RFC 6749 §2.3.1).
                let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let joined = STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret.expose())));
                let mut value = HeaderValue::from_str(&format!("Basic {joined}"))
                    .map_err(|_| ProviderUnavailable("the client secret does not fit a header".into()))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            ClientAuth::None => {
                form.append_pair("client_id", client_id);
            }
            ClientAuth::Post(secret) => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            }
            ClientAuth::PrivateKeyJwt => {
                // The audience is the issuer, never an address out of a document: an assertion that one provider was made to
                // ask for is then of no use at another (CVE-2025-27370, RFC 7523bis).
                let now = self.0.clock.now();
                let assertion = self.0.assertions.assertion(directory.id, &settings.issuer, client_id, now);
                form.append_pair("client_id", client_id)
                    .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    .append_pair("client_assertion", &assertion);
            }
        }
        Ok(())
    }

    /// Asks for claims with an access token (OpenID Connect Core §5.3.1).
    pub(super) async fn userinfo(
        &self,
        endpoint: &Url,
        named: &Url,
        access_token: &Secret,
    ) -> Result<Bytes, ProviderUnavailable> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", access_token.expose()))
            .map_err(|_| unavailable(endpoint, "the access token does not fit a header"))?;
        value.set_sensitive(true);
        let ask = Ask {
            kind: Kind::Operator { named: named.clone() },
            url: endpoint,
            method: Method::GET,
            headers: HeaderMap::from_iter([(AUTHORIZATION, value)]),
            body: Bytes::new(),
            accept: "application/json",
        };
        let answer = self.0.outbound.fetch(ask).await.map_err(|fault| unavailable(endpoint, &fault.to_string()))?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(unavailable(endpoint, &format!("answered {status}"))),
        }
    }
}

fn unavailable(endpoint: &Url, what: &str) -> ProviderUnavailable {
    ProviderUnavailable(format!("{endpoint}: {what}"))
}

fn read_tokens(endpoint: &Url, answer: &Answer) -> Result<Tokens, Unproved> {
    let body = strict(&answer.body, BODY_LIMIT).ok();
    let text = |name: &str| body.as_ref().and_then(|body| body.get(name)).and_then(Value::as_str);
    match answer.status {
        StatusCode::OK => {
            let bearer = text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
            let secret = |name| text(name).filter(|text| !text.is_empty()).map(|text| Secret::new(text.to_owned()));
            if body.is_none() {
                return Err(unavailable(endpoint, "the answer is not JSON without repeated members").into());
            }
            Ok(Tokens {
                id_token: secret("id_token"),
                access_token: secret("access_token").filter(|_| bearer),
                refresh_token: secret("refresh_token"),
            })
        }
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let known = |error: &&str| {
                (1..=64).contains(&error.len()) && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            Err(Unproved::Rejected(text("error").filter(known).unwrap_or("other").to_owned()))
        }
        status => Err(unavailable(endpoint, &format!("answered {status}")).into()),
    }
}
