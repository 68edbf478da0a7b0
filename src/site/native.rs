//! Products' own apps over HTTP (rule H16): the authorization endpoint on the product's host, its page, and on the login host the token
//! endpoint, revocation (RFC 7009) and the metadata (RFC 8414).

use super::forms::Fields;
use super::login_host::is_page_navigation;
use super::render::{self, At};
use super::{Site, signal};
use crate::kernel::model::Product;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::ProductName;
use crate::login::{AppTokenAsk, AppTokens, ProductHost, TokenFault, TokenGrant, Visitor, issuer};
use crate::web::PageRequest;
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// The authorization endpoint, and the path of its form.
pub(super) const AUTHORIZE: &str = "/.fedgate/oauth/authorize";
/// Below it are the endpoints of each product: `PRODUCT/token`, `PRODUCT/revoke`.
pub(super) const ENDPOINTS: &str = "/oauth/";
/// Where the metadata of the issuer `https://LOGIN/oauth/PRODUCT` is (RFC 8414 §3.1).
pub(super) const METADATA: &str = "/.well-known/oauth-authorization-server/oauth/";

impl Site {
    pub(super) async fn ask_for_app(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Response<Bytes> {
        if at.product.apps.is_empty() {
            return self.not_found(request);
        }
        if !is_page_navigation(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let query = request.head.uri.query().unwrap_or_default();
        let here = request.head.uri.path_and_query().map_or(AUTHORIZE, |here| here.as_str());
        let answer = self.login.authorize_app(visitor, at, (query, here)).await;
        self.respond(answer, At::Product, visitor)
    }

    pub(super) async fn answer_for_app(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        at: &ProductHost,
    ) -> Response<Bytes> {
        // A script of the product's may not press the button, nor read what the answer says (rule H7).
        if at.product.apps.is_empty() || !is_page_navigation(request) {
            return self.refuse_request(request, visitor, Refusal::CrossSite).await;
        }
        let form = Fields::of_form(request);
        let answer = self.login.answer_for_app(visitor, at, (form.text("to"), form.text("act"))).await;
        self.respond(answer, At::Product, visitor)
    }

    /// `/oauth/PRODUCT/…` on the login host.
    pub(super) async fn on_app_endpoint(&self, request: &PageRequest, visitor: &Visitor) -> Response<Bytes> {
        let path = request.head.uri.path();
        let named = path.strip_prefix(ENDPOINTS).and_then(|rest| rest.split_once('/'));
        let found = named.and_then(|(name, end)| Some((self.product_with_apps(name)?, end)));
        let Some((product, end @ ("token" | "revoke"))) = found else { return self.not_found(request) };
        if request.head.method != Method::POST {
            return render::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let form = Fields::of_form(request);
        let ask = AppTokenAsk { client: form.text("client_id"), proof: proof(&request.head.headers), path };
        if end == "revoke" {
            let revoked = self.login.revoke_app_token(visitor, &product.name, (ask, form.text("token"))).await;
            return revoked.map_or_else(refused, |()| render::empty(StatusCode::OK));
        }
        let grant = match form.text("grant_type") {
            "authorization_code" => TokenGrant::Code {
                code: form.text("code"),
                to: form.text("redirect_uri"),
                verifier: form.text("code_verifier"),
            },
            "refresh_token" => TokenGrant::Refresh(form.text("refresh_token")),
            "" => return told(StatusCode::BAD_REQUEST, "invalid_request"),
            _ => return told(StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        let tokens = self.login.app_tokens(visitor, &product.name, (ask, grant)).await;
        tokens.map_or_else(refused, |tokens| issued(&tokens))
    }

    /// The metadata of a product's authorization server.
    pub(super) fn app_metadata(&self, request: &PageRequest, name: &str) -> Response<Bytes> {
        if !matches!(request.head.method, Method::GET | Method::HEAD) {
            return render::empty(StatusCode::METHOD_NOT_ALLOWED);
        }
        let Some(product) = self.product_with_apps(name) else { return self.not_found(request) };
        let Some(host) = product.hosts.first() else { return self.not_found(request) };
        let issuer = issuer(&self.login.world().catalog.load().login.url(), &product);
        let body = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{}{AUTHORIZE}", host.url()),
            "token_endpoint": format!("{issuer}/token"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "dpop_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": true,
        });
        let mut response = render::json(body.to_string());
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        response
    }

    fn product_with_apps(&self, name: &str) -> Option<Arc<Product>> {
        let catalog = self.login.world().catalog.load();
        let product = catalog.products.get(&ProductName::parse(name).ok()?)?;
        (!product.apps.is_empty()).then(|| Arc::clone(product))
    }
}

/// The `DPoP` field. Several are an error, not a choice (RFC 9449 §4.3, 1).
fn proof(fields: &HeaderMap) -> Result<Option<&str>, ()> {
    let mut found = fields.get_all("dpop").iter();
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

/// RFC 6749 §5.1.
fn issued(tokens: &AppTokens) -> Response<Bytes> {
    let kind = if tokens.is_bound { "DPoP" } else { "Bearer" };
    let body = json!({
        "access_token": *tokens.access, "token_type": kind, "expires_in": tokens.life.as_secs(),
        "refresh_token": *tokens.refresh,
    });
    render::json(body.to_string())
}

/// RFC 6749 §5.2.
fn refused(fault: TokenFault) -> Response<Bytes> {
    match fault {
        TokenFault::Client => told(StatusCode::UNAUTHORIZED, "invalid_client"),
        TokenFault::Grant => told(StatusCode::BAD_REQUEST, "invalid_grant"),
        TokenFault::Proof => told(StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
        TokenFault::Network => told(StatusCode::FORBIDDEN, "access_denied"),
        TokenFault::Later => {
            let mut response = told(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable");
            response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
    }
}

fn told(status: StatusCode, error: &str) -> Response<Bytes> {
    let body: Value = json!({ "error": error });
    signal::with_json(status, &body)
}
