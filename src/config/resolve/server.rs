//! Sections about the gateway itself.

use super::values::text;
use super::{KeySource, LogFormat, Outbound, Reader};
use crate::config::KeySources;
use crate::config::file::{At, File, Listen as WrittenListen, Span, Text};
use crate::config::finding::Code;
use crate::gateway::options::{Listen, Tls};
use crate::kernel::values::Secret;
use crate::store::server_address;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Reader<'_> {
    /// `[listen]`.
    pub(super) fn listen(&mut self, file: &File) -> Listen {
        let absent = WrittenListen::default();
        let written = file.listen.as_deref().unwrap_or(&absent);
        let https = self.address("https", &written.https, Some(SocketAddr::new(ANY, 443)));
        let http = self.address("http", &written.http, Some(SocketAddr::new(ANY, 80)));
        let plain = self.address("plain", &written.plain, None);
        let ops = self.address("ops", &written.ops, Some(SocketAddr::new(LOOPBACK, 9180)));
        let trusted_proxies = self.networks(&written.trusted_proxies);
        self.one_each(&[(&written.https, https), (&written.http, http), (&written.plain, plain), (&written.ops, ops)]);
        self.listen_checks(written, (plain, ops), trusted_proxies.is_empty());
        let listens = text(&written.https) != Some("off");
        let tls = if listens { self.tls(written) } else { Tls::Off };
        let access_log = file.log.as_ref().and_then(|log| text(&log.access)) == Some("stdout");
        Listen {
            https,
            http,
            plain,
            ops,
            tls,
            proxy_protocol: self.proxy_protocol(written, trusted_proxies.is_empty()),
            trusted_proxies,
            crowd: self.crowd(written),
            patience: self.patience(written),
            state: self.state.clone(),
            access_log,
        }
    }

    fn listen_checks(
        &mut self,
        written: &WrittenListen,
        (plain, ops): (Option<SocketAddr>, Option<SocketAddr>),
        nobody_trusted: bool,
    ) {
        if let (Some(_), true, Some(key)) = (plain, nobody_trusted, &written.plain) {
            let what = "`plain` without `trusted_proxies`: anybody could say that a request came over https";
            self.say.error(
                Code::Plain,
                key.span(),
                what,
                "write trusted_proxies = [\"10.0.0.0/8\"] with the addresses of what ends TLS",
            );
        }
        if plain.is_none() && text(&written.https) == Some("off") {
            let span = written.https.as_ref().map_or(Self::top(), |key| key.span());
            self.say.error(
                Code::Missing,
                span,
                "neither `https` nor `plain` listens",
                "write https = \"0.0.0.0:443\" or plain = \"…\"",
            );
        }
        if let (Some(ops), Some(key)) = (ops, &written.ops)
            && !ops.ip().is_loopback()
        {
            let what = "metrics and health answer whoever reaches this address";
            self.say.warning(
                Code::WOpsOpen,
                key.span(),
                what,
                "write ops = \"127.0.0.1:9180\", or keep strangers off by a firewall",
            );
        }
    }

    /// Two listeners cannot have one address; port 0 is any free one.
    fn one_each(&mut self, listeners: &[(&Text, Option<SocketAddr>)]) {
        for (at, (written, address)) in listeners.iter().enumerate() {
            let taken = listeners.iter().take(at).any(|(_, other)| other == address);
            if let (Some(address), true) = (address.filter(|address| address.port() != 0), taken) {
                let span = written.as_ref().map_or(Self::top(), |written| written.span());
                let what = format!("two listeners want {address}");
                self.say.error(
                    Code::Address,
                    span,
                    what,
                    "give each of https, http, plain and ops a port of its own, or \"off\"",
                );
            }
        }
    }

    /// `key_file` or `key_env`, and what is to follow.
    pub(super) fn keys(&mut self, file: &File) -> KeySources {
        let now = self.key(("key_file", &file.key_file), ("key_env", &file.key_env));
        let next = self.key(("next_key_file", &file.next_key_file), ("next_key_env", &file.next_key_env));
        let now = now.unwrap_or_else(|| KeySource::File(self.state.join("kek")));
        if let (true, Some(written)) =
            (next.as_ref() == Some(&now), file.next_key_file.as_ref().or(file.next_key_env.as_ref()))
        {
            let write = "name another file: fedgate makes none, openssl rand -base64 32 does";
            self.say.error(Code::Either, written.span(), "the key that is to follow is the one that is there", write);
        }
        KeySources { now, next }
    }

    fn key(&mut self, (in_file, path): (&str, &Text), (in_env, variable): (&str, &Text)) -> Option<KeySource> {
        match (path, variable) {
            (Some(_), Some(variable)) => {
                let what = format!("`{in_file}` and `{in_env}` are both written");
                self.say.error(Code::Either, variable.span(), what, "leave one of them");
                None
            }
            (Some(path), None) => Some(KeySource::File(self.path_of(path))),
            (None, Some(variable)) => Some(KeySource::Variable(variable.to_string())),
            (None, None) => None,
        }
    }

    /// `[store]`: the address, of a file with an absolute path.
    pub(super) fn store(&mut self, file: &File) -> Secret {
        let default = Secret::new(format!("sqlite:{}", self.state.join("fedgate.db").display()));
        let Some(written) = file.store.as_ref() else { return default };
        let secret = self.secret("url", &written.url_file, &written.url_env);
        if let (Some(url), Some(_)) = (&written.url, &secret) {
            let what = "`url` is written, and where to find it too";
            self.say.error(Code::Either, url.span(), what, "leave one of them");
            return default;
        }
        match (&written.url, secret) {
            (Some(url), None) if url.starts_with("sqlite:") => self.embedded(url).unwrap_or(default),
            (Some(url), None) => {
                let instead = "write url_file = \"…\" with the whole address in that file";
                if self.url(url, instead).is_none() {
                    return default;
                }
                self.server_store(file, Secret::new(url.to_string()), url.span())
            }
            // In a check of the syntax nothing was read.
            (None, Some((url, span))) if self.world.is_some() => self.server_store(file, url, span),
            _ => default,
        }
    }

    fn embedded(&mut self, url: &At<String>) -> Option<Secret> {
        let path = url.strip_prefix("sqlite:")?;
        if !path.is_empty() && !path.starts_with("//") && !path.contains('?') {
            return Some(Secret::new(format!("sqlite:{}", self.state.join(path).display())));
        }
        let what = "a sqlite address is `sqlite:` and a file";
        let write = "write \"sqlite:fedgate.db\" (in the state folder) or \"sqlite:/path/file.db\"";
        self.say.error(Code::Url, url.span(), what, write);
        None
    }

    /// The address of a server, as far as it can be told without asking it.
    fn server_store(&mut self, file: &File, url: Secret, span: Span) -> Secret {
        if file.key_file.is_none() && file.key_env.is_none() {
            let write =
                "write key_file = \"…\" or key_env = \"…\" beside `login`: all gateways of one store have the same key";
            self.say.error(Code::Missing, span.clone(), "a store on a server without `key_file`", write);
        }
        // What an address names is read with it, which a check of the syntax does not.
        if self.world.is_some()
            && let Err(fault) = server_address(url.expose(), &self.state)
        {
            self.say.error(Code::Url, span, fault.to_string(), "write postgres://USER@HOST/DATABASE");
        }
        url
    }

    /// `[log] format`.
    pub(super) fn log_format(file: &File) -> LogFormat {
        match file.log.as_ref().and_then(|log| text(&log.format)) {
            Some("text") => LogFormat::Text,
            Some(_) => LogFormat::Json,
            None => LogFormat::ByTerminal,
        }
    }

    /// `[outbound]`.
    pub(super) fn outbound(&mut self, file: &File) -> Outbound {
        let Some(written) = &file.outbound else { return Outbound::default() };
        let ca_file = written.ca_file.as_ref().map(|path| (self.path_of(path), path.span()));
        if let Some((path, span)) = &ca_file {
            self.roots(path, span.clone());
        }
        Outbound { ca_file: ca_file.map(|(path, _)| path), allow: self.networks(&written.allow) }
    }

    pub(super) fn roots(&mut self, path: &Path, span: Span) {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let Some(world) = self.world else { return };
        let wrong = match world.file(path) {
            Ok(pem) if CertificateDer::pem_slice_iter(&pem).any(|found| found.is_ok()) => return,
            Ok(_) => format!("{} holds no certificate in PEM", path.display()),
            Err(why) => format!("{} cannot be read: {why}", path.display()),
        };
        self.say.error(Code::Tls, span, wrong, "write the path of a PEM file with the authority's root certificate");
    }
}
