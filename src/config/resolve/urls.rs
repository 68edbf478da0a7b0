//! Addresses of other machines: providers, links. A secret in any of them is refused.

use super::Reader;
use super::values::each;
use crate::config::file::{At, Text, Texts};
use crate::config::finding::Code;
use url::Url;

impl Reader<'_> {
    /// A URL without a secret; `instead` says where the secret goes.
    pub(super) fn url(&mut self, written: &At<String>, instead: &str) -> Option<Url> {
        let text = written.as_str();
        let parsed = Url::parse(text);
        let user = match &parsed {
            Ok(url) => url.password().is_some() || (url.scheme().starts_with("http") && !url.username().is_empty()),
            Err(_) => text.contains("://") && text.contains('@'),
        };
        if user {
            self.say.mask(written.span());
            let what = "this URL carries a user name or a password";
            self.say.error(Code::SecretInUrl, written.span(), what, instead);
            return None;
        }
        parsed
            .map_err(|wrong| {
                let write = if text.contains("://") {
                    "write it as https://host/path"
                } else {
                    "write it with its scheme: \"https://…\""
                };
                self.say.error(Code::Url, written.span(), format!("{text:?} is not a URL: {wrong}"), write);
            })
            .ok()
    }

    /// An https URL of a provider, as written.
    pub(super) fn https(&mut self, written: &Text) -> Option<String> {
        let written = written.as_ref()?;
        let url = self.url(written, "remove it: providers are asked with client_id and client_secret_file")?;
        if url.scheme() != "https" {
            let what = format!("{:?} does not begin with https://", written.as_str());
            self.say.error(
                Code::Url,
                written.span(),
                what,
                "write https://…: what a provider says must not be readable on the way",
            );
            return None;
        }
        Some(written.to_string())
    }

    /// An OpenID Connect issuer, byte for byte as its discovery document writes it.
    pub(super) fn issuer(&mut self, written: &At<String>) -> Option<String> {
        let issuer = self.https(&Some(written.clone()))?;
        let url = Url::parse(&issuer).ok()?;
        let span = written.span();
        if let Some((base, _)) = issuer.split_once("/.well-known/") {
            self.say.error(
                Code::Url,
                span,
                "this is the discovery document, not the issuer",
                format!("write \"{base}\""),
            );
            return None;
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.say.error(Code::Url, span, "an issuer has no query and no fragment", "write it up to the ?");
            return None;
        }
        let first = url.path_segments().and_then(|mut segments| segments.next()).unwrap_or("");
        let microsoft = url.host_str() == Some("login.microsoftonline.com");
        if microsoft && ["common", "organizations", "consumers"].contains(&first) {
            let what = format!("`{first}` stands for every tenant, and tokens never carry it as their issuer");
            self.say.error(
                Code::Url,
                span,
                what,
                "write your tenant's id: https://login.microsoftonline.com/TENANT-ID/v2.0",
            );
            return None;
        }
        if issuer.ends_with('/') && !url.host_str().is_some_and(|host| host.ends_with(".auth0.com")) {
            let write = format!(
                "compare with `issuer` in {issuer}.well-known/openid-configuration; most write \"{}\"",
                issuer.trim_end_matches('/')
            );
            self.say.warning(
                Code::WIssuerSlash,
                span,
                "this issuer ends with a slash, and issuers are compared byte for byte",
                write,
            );
        }
        Some(issuer)
    }

    /// Origins of other sites, as browsers write them.
    pub(super) fn web_origins(&mut self, written: &Texts) -> Vec<String> {
        let mut origins = Vec::new();
        for origin in each(written) {
            let text = origin.as_str();
            let parsed =
                Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.host().is_some());
            match parsed.map(|url| url.origin().ascii_serialization()) {
                Some(serialized) if serialized == text.to_lowercase() => origins.push(serialized),
                Some(serialized) => {
                    let what = format!("{text:?} is not an origin as browsers write it");
                    self.say.error(Code::Origin, origin.span(), what, format!("write \"{serialized}\""));
                }
                None => {
                    let what =
                        format!("{text:?} is not an origin; each is written out, `*` and `null` never stand for any");
                    self.say.error(Code::Origin, origin.span(), what, "write \"https://app.example.com\"");
                }
            }
        }
        origins
    }
}
