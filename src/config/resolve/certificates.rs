//! TLS: which certificates, and whether they cover the names that browsers will ask for.

use super::Reader;
use crate::config::Surroundings;
use crate::config::file::{At, Listen, WordOr};
use crate::config::finding::Code;
use crate::gateway::options::{CertFiles, Tls};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use std::path::Path;

const CHOICES: &str = "write tls = \"acme\" (ordered from an authority, the default), tls = \"internal\" (own CA, its root in state/ca.pem) or tls = { cert = \"…\", key = \"…\" }; \
                       https = \"off\" with plain = \"…\" stands behind someone else's TLS";

impl Reader<'_> {
    /// `tls`, for a file whose https listener is on.
    pub(super) fn tls(&mut self, listen: &Listen) -> Tls {
        let Some(written) = &listen.tls else { return Tls::Acme };
        let pairs = match &**written {
            WordOr::Word(word) if word == "internal" => return Tls::Internal,
            WordOr::Word(word) if word == "acme" => return Tls::Acme,
            WordOr::Word(word) => {
                self.say.error(Code::Tls, written.span(), format!("tls does not know {word:?}"), CHOICES);
                return Tls::Off;
            }
            WordOr::Table(pair) => std::slice::from_ref(pair),
            WordOr::List(pairs) => pairs.as_slice(),
        };
        let mut files = Vec::new();
        for pair in pairs {
            match (&pair.cert, &pair.key) {
                (Some(cert), Some(key)) => {
                    self.pair(cert, key);
                    files.push(CertFiles { cert: self.path_of(cert), key: self.path_of(key) });
                }
                _ => self.missing(
                    written.span(),
                    "`tls`",
                    "cert` and `key",
                    "write tls = { cert = \"chain.pem\", key = \"key.pem\" }",
                ),
            }
        }
        if files.is_empty() && pairs.is_empty() {
            self.say.error(Code::Tls, written.span(), "`tls` is an empty list", CHOICES);
        }
        self.tls_span = Some(written.span());
        Tls::Files(files)
    }

    /// Reads one pair; its leaf is kept for [`Self::covered`].
    fn pair(&mut self, cert: &At<String>, key: &At<String>) {
        let Some(world) = self.world else { return };
        let chain = chain(world, &self.path_of(cert));
        let secret = private_key(world, &self.path_of(key));
        if let (Ok(chain), Ok(secret)) = (chain.as_ref(), secret.as_ref()) {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            if let Err(why) = CertifiedKey::from_der(chain.clone(), secret.clone_key(), &provider) {
                let what = format!("{} and {} do not belong together: {why}", cert.as_str(), key.as_str());
                self.say.error(Code::Tls, key.span(), what, "write the chain, leaf first, and the key of that leaf");
            }
            self.leaves.extend(chain.first().cloned());
        }
        for (wrong, span) in [(chain.err(), cert.span()), (secret.err(), key.span())] {
            if let Some(what) = wrong {
                let write = "write the paths of the PEM files of the chain and of its key";
                self.say.error(Code::Tls, span, what, write);
            }
        }
    }

    /// Whether one of the certificates that were read covers the name; true when none was read.
    fn covers(&self, host: &str) -> bool {
        let Ok(name) = ServerName::try_from(host) else { return false };
        let covers = |leaf: &CertificateDer<'_>| {
            ParsedCertificate::try_from(leaf).is_ok_and(|leaf| verify_server_name(&leaf, &name).is_ok())
        };
        self.leaves.is_empty() || self.leaves.iter().any(covers)
    }

    /// Every public origin must be covered: the login host, or nobody logs in; a product, or it cannot be opened.
    pub(super) fn covered(&mut self, login: Option<&str>) {
        let Some(span) = self.tls_span.clone() else { return };
        let uncovered: Vec<String> =
            self.hosts.iter().map(|(origin, _)| origin.host().to_owned()).filter(|host| !self.covers(host)).collect();
        for host in uncovered {
            let what = format!("no certificate of `tls` covers {host}");
            let write = format!(
                "get a certificate whose subjectAltName lists {host}, and write it as a further pair: tls = [{{ cert, key }}, …]"
            );
            match login {
                Some(login) if login == host => self.say.error(Code::CertLogin, span.clone(), what, write),
                _ => self.say.warning(Code::WCertProduct, span.clone(), what, write),
            }
        }
    }
}

fn chain(world: &dyn Surroundings, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = world.file(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    chain.ok_or_else(|| format!("{} holds no certificates in PEM", path.display()))
}

fn private_key(world: &dyn Surroundings, path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let pem = world.file(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| format!("{} holds no private key in PEM", path.display()))
}
