//! `adapter` of a product: whom to ask about passwords that the product keeps.

use super::Reader;
use super::values::text;
use crate::config::file::{Adapter as WrittenAdapter, At, File, Product as Written};
use crate::config::finding::Code;
use crate::gateway::options::{PathRule, Site};
use crate::kernel::model::{Adapter, AdapterKey};
use crate::kernel::oidc::is_loopback;
use std::ops::RangeInclusive;
use std::time::Duration;
use url::Url;

/// Less, and an honest hash on a busy day is refused; more, and the HTTP client gives up first.
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(4);

impl Reader<'_> {
    /// The adapter, where the product keeps its passwords.
    pub(super) fn adapter(&mut self, place: &str, written: &At<Written>) -> Option<Adapter> {
        let by_product = text(&written.passwords) == Some("product");
        match (&written.passwords, &written.adapter) {
            (Some(word), None) if by_product => {
                let write = "write adapter = { url = \"https://trello.internal/fedgate\", key_file = \"…\" }";
                self.missing(word.span(), place, "adapter", write);
                None
            }
            (_, Some(adapter)) => {
                if !by_product && written.api.is_none() {
                    let what = "an adapter is asked about passwords only where the product keeps them";
                    self.say.warning(
                        Code::WNoEffect,
                        adapter.span(),
                        what,
                        "write passwords = \"product\", or remove it",
                    );
                }
                self.read_adapter(place, adapter)
            }
            (_, None) => None,
        }
    }

    /// Whoever forgot the password is a stranger: a page for a new one that asks them to log in first leads nowhere.
    pub(super) fn reset_pages(&mut self, file: &File, sites: &[Site]) {
        for site in sites {
            let Some(url) = site.product.adapter.as_ref().and_then(|adapter| adapter.reset_url.as_ref()) else {
                continue;
            };
            let Ok(url) = Url::parse(url) else { continue };
            let own = site.product.hosts.iter().any(|host| url.origin().ascii_serialization() == host.url());
            let path = url.path();
            let is_open = !site.doors.all().any(|door| door == path)
                && site.public.iter().chain(&site.optional).any(|rule| match rule {
                    PathRule::Exact(exact) => exact == path,
                    PathRule::Below(prefix) => path.starts_with(prefix.as_str()),
                });
            let written = file.product.0.iter().find(|(name, _)| name.as_str() == site.product.name.as_str());
            let adapter = written.and_then(|(_, product)| product.adapter.as_ref());
            if let (true, Some(key)) = (own && !is_open, adapter.and_then(|adapter| adapter.reset_url.as_ref())) {
                let what = "strangers cannot open the page for a new password: the gateway asks them to log in first";
                let write =
                    format!("add \"{path}\" to `public` of [product.{}], and let it be no door", site.product.name);
                self.say.warning(Code::WNoEffect, key.span(), what, write);
            }
        }
    }

    fn read_adapter(&mut self, place: &str, written: &At<WrittenAdapter>) -> Option<Adapter> {
        let place = format!("{place} adapter");
        let url = self.adapter_url(&place, written);
        let key = self.adapter_key(&place, written);
        let timeout = self.duration(&written.timeout, Adapter::TIMEOUT);
        if let (Some(key), false) = (&written.timeout, TIMES.contains(&timeout)) {
            let what = format!("{:?} is no usable time to wait for an adapter", key.as_str());
            self.say.error(Code::Limit, key.span(), what, "write a duration from \"1s\" to \"4s\"");
        }
        let reset_url = self.https(&written.reset_url);
        Some(Adapter { url: url?, key: key?, timeout, reset_url })
    }

    /// People's passwords go there: https, or a program on this machine, by its loopback address or its socket.
    fn adapter_url(&mut self, place: &str, written: &At<WrittenAdapter>) -> Option<String> {
        let Some(address) = &written.url else {
            self.missing(written.span(), place, "url", "write url = \"https://trello.internal/fedgate\"");
            return None;
        };
        if let Some(socket) = address.strip_prefix("unix:") {
            if socket.starts_with('/') && !socket.contains('\0') {
                return Some(address.to_string());
            }
            let what = format!("{:?} names no socket", address.as_str());
            self.say.error(Code::Url, address.span(), what, "write its whole path: unix:/run/trello/fedgate.sock");
            return None;
        }
        let url = self.url(address, "remove it: calls are signed with key_file")?;
        let closed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        let plain = url.query().is_none() && url.fragment().is_none();
        if closed && plain {
            return Some(address.to_string());
        }
        let (what, write) = if closed {
            ("an adapter's address has no query and no fragment".to_owned(), "write it up to the ?")
        } else {
            let what = format!("{:?}: passwords would be readable on the way", address.as_str());
            (what, "write https://…, or http://127.0.0.1:… or unix:/… for a program on this machine")
        };
        self.say.error(Code::Url, address.span(), what, write);
        None
    }

    fn adapter_key(&mut self, place: &str, written: &At<WrittenAdapter>) -> Option<AdapterKey> {
        let Some((secret, span)) = self.secret("key", &written.key_file, &written.key_env) else {
            if written.key_file.is_none() || written.key_env.is_none() {
                let write = "write key_file = \"…\" or key_env = \"…\": a random text that the adapter has too";
                self.missing(written.span(), place, "key_file", write);
            }
            return None;
        };
        // Nothing was read: a check of the syntax, or a finding of its own.
        if secret.expose().is_empty() {
            return AdapterKey::parse(&"-".repeat(32)).ok();
        }
        AdapterKey::parse(secret.expose())
            .map_err(|why| {
                let write = "make one: openssl rand -base64 32";
                self.say.error(Code::SecretUnreadable, span, why.to_string(), write);
            })
            .ok()
    }
}
