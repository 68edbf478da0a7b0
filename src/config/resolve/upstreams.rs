//! Where a product is and how it is reached: addresses, TLS, patience, sizes, health.

use super::Reader;
use super::values::size;
use crate::config::file::{At, Health as WrittenHealth, Product as Written, Text};
use crate::config::finding::Code;
use crate::gateway::options::{Health, Reach, Sizes, Timeouts, TlsParts, Upstream, UpstreamTls, UpstreamTlsFault};
use http::uri::PathAndQuery;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const ADDRESSES: &str =
    "write \"http://host:port\", \"https://host\", \"h2c://host:port\", \"unix:/path\" or \"unix+h2c:/path\"";

impl Reader<'_> {
    /// The addresses. Whoever reaches one that is not loopback, a socket file or TLS with our certificate can send any identity
    /// to the product (rule M22).
    pub(super) fn upstreams(&mut self, place: &str, written: &At<Written>) -> Vec<Upstream> {
        let listed = written.upstream.as_ref().map(|upstreams| upstreams.0.as_slice()).unwrap_or_default();
        if listed.is_empty() {
            self.missing(written.span(), place, "upstream", "write upstream = \"http://127.0.0.1:3000\"");
        }
        let shows_certificate = written.upstream_tls.as_ref().is_some_and(|tls| tls.cert.is_some());
        let verifies = written.verifies_assertion.unwrap_or(false);
        let mut warned = verifies;
        let mut upstreams = Vec::new();
        for text in listed {
            let Some((upstream, is_closed)) = self.upstream(text) else { continue };
            let is_closed = is_closed || (shows_certificate && matches!(upstream, Upstream::Https { .. }));
            if !is_closed && !warned {
                warned = true;
                let what = "whoever reaches this address can send any identity to the product";
                let write = "use a loopback or unix: address, or https with upstream_tls = { cert, key } that the product \
                             asks for, or let the product check Fedgate-Assertion and write verifies_assertion = true";
                self.say.warning(Code::WUpstreamOpen, text.span(), what, write);
            }
            upstreams.push(upstream);
        }
        upstreams
    }

    /// An address, and whether only this machine reaches it.
    fn upstream(&mut self, written: &At<String>) -> Option<(Upstream, bool)> {
        let text = written.as_str();
        for (scheme, http2) in [("unix:", false), ("unix+h2c:", true)] {
            let Some(path) = text.strip_prefix(scheme) else { continue };
            if Path::new(path).is_absolute() {
                let path = PathBuf::from(path);
                return Some((if http2 { Upstream::UnixH2c(path) } else { Upstream::Unix(path) }, true));
            }
            let what = "a socket's path is absolute";
            self.say.error(Code::Url, written.span(), what, format!("write \"{scheme}/run/product.sock\""));
            return None;
        }
        let url = self.url(written, "remove it: products know people by Fedgate-Assertion")?;
        if !matches!(url.scheme(), "http" | "https" | "h2c") {
            self.say.error(Code::Url, written.span(), format!("{text:?} is not an upstream"), ADDRESSES);
            return None;
        }
        let port = url.port_or_known_default().unwrap_or(80);
        let (host, own) = host_of(&url)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            let bare = format!("{}://{}:{port}", url.scheme(), url.host_str().unwrap_or("host"));
            let what = "an upstream has no path: requests keep the path that they came with";
            self.say.error(Code::Url, written.span(), what, format!("write \"{bare}\""));
            return None;
        }
        let upstream = match url.scheme() {
            "https" => Upstream::Https { host, port },
            "h2c" => Upstream::H2c { host, port },
            _ => Upstream::Http { host, port },
        };
        Some((upstream, own))
    }

    /// How they are reached.
    pub(super) fn reach(&mut self, written: &Written, upstreams: &[Upstream]) -> Reach {
        Reach {
            tls: self.upstream_tls(written, upstreams),
            timeouts: self.timeouts(written),
            sizes: self.sizes(written),
            health: written.health.as_ref().and_then(|health| self.health(health)),
            verifies_assertion: written.verifies_assertion.unwrap_or(false),
        }
    }

    fn upstream_tls(&mut self, written: &Written, upstreams: &[Upstream]) -> Option<Arc<UpstreamTls>> {
        let is_https = upstreams.iter().any(|upstream| matches!(upstream, Upstream::Https { .. }));
        let Some(said) = &written.upstream_tls else {
            return if is_https { self.default_tls(written) } else { None };
        };
        if !is_https {
            let what = "upstream_tls has no effect without an https upstream";
            self.say.warning(Code::WNoEffect, said.span(), what, "write upstream = \"https://host\", or remove it");
        }
        let (cert, key) = (said.cert.as_ref(), said.key.as_ref());
        if cert.is_some() != key.is_some() {
            let write = "write both: upstream_tls = { cert = \"chain.pem\", key = \"key.pem\" }";
            self.say.error(Code::UpstreamTls, said.span(), "`cert` and `key` belong together", write);
            return None;
        }
        // A check of the syntax reads no files.
        self.world?;
        let parts = TlsParts {
            ca: self.pem(&said.ca)?,
            name: said.name.as_ref().map(|name| name.to_string()),
            client: self.pem(&said.cert)?.zip(self.pem(&said.key)?),
            http2: said.http2.unwrap_or(false),
        };
        match UpstreamTls::new(&parts) {
            Ok(tls) => Some(Arc::new(tls)),
            Err(fault) => {
                let (wrong, write) = match fault {
                    UpstreamTlsFault::Roots => {
                        (&said.ca, "write the path of a PEM file with the authority's certificate")
                    }
                    UpstreamTlsFault::Name => (&said.name, "write a host name: name = \"trello.internal\""),
                    UpstreamTlsFault::Chain => (&said.cert, "write the path of a PEM file with the chain, leaf first"),
                    UpstreamTlsFault::Key => (&said.key, "write the path of the PEM file of the certificate's key"),
                    UpstreamTlsFault::Client(_) => (&said.key, "write the chain, leaf first, and the key of that leaf"),
                };
                let span = wrong.as_ref().map_or_else(|| said.span(), At::span);
                self.say.error(Code::UpstreamTls, span, fault.to_string(), write);
                None
            }
        }
    }

    /// The system's authorities, the upstream's name, no certificate of ours.
    fn default_tls(&mut self, written: &Written) -> Option<Arc<UpstreamTls>> {
        let made = UpstreamTls::new(&TlsParts::default());
        let listed = written.upstream.as_ref().and_then(|upstreams| upstreams.0.first());
        if let (Err(fault), Some(upstream)) = (&made, listed) {
            let write = "write upstream_tls = { ca = \"…\" }";
            self.say.error(Code::UpstreamTls, upstream.span(), fault.to_string(), write);
        }
        made.ok().map(Arc::new)
    }

    /// A PEM file's bytes, if one is named; `None` when it cannot be read, which is said.
    fn pem(&mut self, written: &Text) -> Option<Option<Vec<u8>>> {
        let (Some(written), Some(world)) = (written, self.world) else { return Some(None) };
        let path = self.path_of(written);
        match world.file(&path) {
            Ok(bytes) => Some(Some(bytes)),
            Err(why) => {
                let what = format!("{} cannot be read: {why}", path.display());
                self.say.error(Code::UpstreamTls, written.span(), what, "write the path of a PEM file");
                None
            }
        }
    }

    fn timeouts(&mut self, written: &Written) -> Timeouts {
        let default = Timeouts::default();
        let Some(said) = &written.timeouts else { return default };
        let idle = said.idle.as_ref().map(|_| self.some_time(&said.idle, default.idle));
        Timeouts {
            connect: self.some_time(&said.connect, default.connect),
            upstream: self.some_time(&said.upstream, default.upstream),
            upload: idle.unwrap_or(default.upload),
            idle: idle.unwrap_or(default.idle),
            whole: match said.whole.as_ref().map(|text| text.as_str()) {
                None | Some("off") => None,
                Some(_) => Some(self.some_time(&said.whole, default.upstream)),
            },
        }
    }

    /// A duration above zero.
    fn some_time(&mut self, written: &Text, default: Duration) -> Duration {
        let found = self.duration(written, default);
        if let (Some(written), true) = (written, found.is_zero()) {
            let what = "nothing is that fast";
            self.say.error(Code::Duration, written.span(), what, "write \"1s\" or more");
        }
        found
    }

    fn sizes(&mut self, written: &Written) -> Sizes {
        let Some(said) = &written.limits else { return Sizes::default() };
        Sizes { body: self.size_or_off(&said.body), response: self.size_or_off(&said.response) }
    }

    fn size_or_off(&mut self, written: &Text) -> Option<u64> {
        let written = written.as_ref().filter(|text| text.as_str() != "off")?;
        let found = size(written);
        if found.is_none() {
            let what = format!("{:?} is not a size", written.as_str());
            self.say.error(Code::Size, written.span(), what, "write a whole number and a unit: \"25MiB\", or \"off\"");
        }
        found
    }

    fn health(&mut self, said: &At<WrittenHealth>) -> Option<Health> {
        let Some(path) = &said.path else {
            self.missing(said.span(), "`health`", "path", "write health = { path = \"/healthz\" }");
            return None;
        };
        if !path.starts_with('/') || PathAndQuery::try_from(path.as_str()).is_err() {
            let what = format!("{:?} is not a path", path.as_str());
            self.say.error(Code::Path, path.span(), what, "write \"/healthz\"");
        }
        let mut count = |written: &Option<At<u32>>, default| match written {
            Some(count) if !(1..=100).contains(&**count) => {
                self.say.error(Code::Value, count.span(), "this many in a row are not counted", "write 1 to 100");
                default
            }
            Some(count) => **count,
            None => default,
        };
        let (fails, passes) = (count(&said.fails, 3), count(&said.passes, 1));
        let status = said.status.as_ref().map_or(200, |status| **status);
        if let (Some(written), false) = (&said.status, (100..=599).contains(&status)) {
            self.say.error(Code::Value, written.span(), "this is no status", "write 200 or 204");
        }
        Some(Health {
            path: path.to_string(),
            every: self.some_time(&said.every, Duration::from_secs(10)),
            timeout: self.some_time(&said.timeout, Duration::from_secs(2)),
            fails,
            passes,
            status,
        })
    }
}

/// The host, and whether it is this machine. The parser of URLs knows nothing of `h2c`, so an address there is still a name.
fn host_of(url: &Url) -> Option<(String, bool)> {
    let host = Host::parse(url.host_str()?).ok()?;
    Some(match host {
        Host::Domain(name) => {
            let own = name == "localhost" || name.ends_with(".localhost");
            (name, own)
        }
        Host::Ipv4(address) => (address.to_string(), address.is_loopback()),
        Host::Ipv6(address) => (address.to_string(), address.is_loopback()),
    })
}
