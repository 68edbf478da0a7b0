//! `[acme]`: whom certificates are ordered from, and whether it can issue them for these names.

use super::Reader;
use super::values::{each, text};
use crate::acme::{AcmeOptions, Challenge, ExternalAccount, LETS_ENCRYPT};
use crate::config::file::{Acme as Written, At, ExternalAccount as WrittenAccount, File, Text};
use crate::config::finding::Code;
use crate::gateway::options::{Listen, Tls};
use crate::kernel::values::EmailAddress;
use url::Url;

/// Names that no public authority issues for (RFC 2606, RFC 6761, RFC 6762, RFC 7686 and the like).
const NEVER_PUBLIC: [&str; 8] = ["localhost", "local", "internal", "test", "invalid", "example", "onion", "arpa"];

impl Reader<'_> {
    /// `[acme]` where the certificates are ordered; else none.
    pub(super) fn acme(&mut self, file: &File, listen: &Listen) -> Option<AcmeOptions> {
        let absent = Written::default();
        let written = file.acme.as_deref().unwrap_or(&absent);
        if listen.tls != Tls::Acme {
            if let Some(unused) = &file.acme {
                let what = "[acme] without tls = \"acme\": nothing is ordered";
                self.say.warning(
                    Code::WNoEffect,
                    unused.span(),
                    what,
                    "write tls = \"acme\" in [listen], or remove [acme]",
                );
            }
            return None;
        }
        let directory = self.directory(&written.directory);
        let ca_file = written.ca_file.as_ref().map(|path| (self.path_of(path), path.span()));
        if let Some((path, span)) = &ca_file {
            self.roots(path, span.clone());
        }
        let options = AcmeOptions {
            directory: directory?,
            ca_file: ca_file.map(|(path, _)| path),
            contact: self.contact(written),
            challenges: self.challenges(&written.challenge, listen.http.is_some()),
            external: written.eab.as_ref().and_then(|eab| self.external(eab)),
        };
        if options.directory.as_str() == LETS_ENCRYPT {
            self.publicly_issued();
        }
        Some(options)
    }

    fn directory(&mut self, written: &Text) -> Option<Url> {
        let Some(written) = written else { return Url::parse(LETS_ENCRYPT).ok() };
        let url = self.url(written, "remove it: an account is bound by eab = { kid, hmac_file }")?;
        if url.scheme() == "https" && url.has_host() {
            return Some(url);
        }
        let what = format!("{:?} does not begin with https://", written.as_str());
        self.say.error(
            Code::Url,
            written.span(),
            what,
            format!("write directory = \"{LETS_ENCRYPT}\", or another https://…"),
        );
        None
    }

    fn contact(&mut self, written: &Written) -> Vec<String> {
        let mut contact = Vec::new();
        for one in each(&written.contact) {
            match one.strip_prefix("mailto:").map(EmailAddress::parse) {
                Some(Ok(address)) => contact.push(format!("mailto:{address}")),
                _ => {
                    let what = format!("{:?} is not a contact", one.as_str());
                    self.say.error(Code::Email, one.span(), what, "write contact = [\"mailto:ops@example.com\"]");
                }
            }
        }
        contact
    }

    fn challenges(&mut self, written: &Text, port_80: bool) -> Vec<Challenge> {
        match (text(written), written) {
            (Some("tls-alpn-01"), _) => vec![Challenge::TlsAlpn],
            (Some("http-01"), Some(key)) if !port_80 => {
                let what = "http-01 is answered by the http listener, which is off";
                let write = "write http = \"0.0.0.0:80\" in [listen], or challenge = \"tls-alpn-01\"";
                self.say.error(Code::Tls, key.span(), what, write);
                vec![Challenge::Http]
            }
            (Some("http-01"), _) => vec![Challenge::Http],
            _ if port_80 => vec![Challenge::TlsAlpn, Challenge::Http],
            _ => vec![Challenge::TlsAlpn],
        }
    }

    fn external(&mut self, written: &At<WrittenAccount>) -> Option<ExternalAccount> {
        const WRITE: &str =
            "write eab = { kid = \"…\", hmac_file = \"/run/secrets/acme-hmac\" } as the authority gave them to you";
        let hmac = self.secret("hmac", &written.hmac_file, &written.hmac_env);
        let (Some(kid), Some((hmac, span))) = (&written.kid, hmac) else {
            let key = if written.kid.is_none() { "kid" } else { "hmac_file" };
            self.missing(written.span(), "`eab`", key, WRITE);
            return None;
        };
        let external = ExternalAccount { kid: kid.to_string(), hmac };
        if self.world.is_some() && external.key().is_none() {
            self.say.error(Code::SecretUnreadable, span, "the HMAC key is not base64url", WRITE);
        }
        Some(external)
    }

    /// Whether the default authority issues for every public host name: better said now than by an order that fails.
    fn publicly_issued(&mut self) {
        let never = |host: &str| {
            let last = host.rsplit('.').next().unwrap_or("");
            !host.contains('.') || NEVER_PUBLIC.contains(&last) || last.bytes().all(|byte| byte.is_ascii_digit())
        };
        let hosts: Vec<_> = self.hosts.iter().filter(|(origin, _)| never(origin.host())).cloned().collect();
        for (origin, span) in hosts {
            let what = format!("no public authority issues certificates for {}", origin.host());
            let write = "write tls = \"internal\" or tls = { cert, key } in [listen], or [acme] directory = \"…\" for an authority of your own";
            self.say.error(Code::Tls, span, what, write);
        }
    }
}
