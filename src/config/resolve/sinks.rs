//! `[[audit.sink]]`: where audit events go besides the store.

use super::values::text;
use super::{AuditSink, PeopleIn, Reader, SinkPlace};
use crate::config::file::{At, File, Sink, Span};
use crate::config::finding::Code;
use crate::kernel::oidc::is_loopback;
use crate::outbound::{Identity, LastWord};
use url::Url;

const WRITE: &str = "write url = \"jsonl:/var/log/fedgate/audit.jsonl\" or url = \"https://…\"";

impl Reader<'_> {
    /// All of them.
    pub(super) fn sinks(&mut self, file: &File) -> Vec<AuditSink> {
        let written = file.audit.as_ref().map(|audit| audit.sink.as_slice()).unwrap_or_default();
        if written.is_empty() && !self.misshapen {
            let what = "audit events are in the store only: who can write to it can roll the log back unseen";
            let write = "write [[audit.sink]] with url = \"jsonl:/path\" on another machine's disk";
            self.say.advice(Code::WUnanchored, Self::top(), what, write);
        }
        written.iter().filter_map(|sink| self.sink(sink, sink.span())).collect()
    }

    fn sink(&mut self, sink: &Sink, span: Span) -> Option<AuditSink> {
        let Some(url) = &sink.url else {
            self.missing(span, "[[audit.sink]]", "url", WRITE);
            return None;
        };
        let (place, people) = match url.strip_prefix("jsonl:") {
            Some(path) if path.is_empty() || path.starts_with("//") => {
                self.say.error(Code::Url, url.span(), "a jsonl sink is `jsonl:` and a file", WRITE);
                return None;
            }
            Some(path) => (self.sink_file(sink, path), PeopleIn::Pseudonym),
            None => (self.receiver(sink, url)?, PeopleIn::Clear),
        };
        let people = match text(&sink.people) {
            Some("clear") => PeopleIn::Clear,
            Some(_) => PeopleIn::Pseudonym,
            None => people,
        };
        let is_ocsf = text(&sink.format) == Some("ocsf");
        Some(AuditSink { place, people, is_ocsf })
    }

    fn sink_file(&mut self, sink: &Sink, path: &str) -> SinkPlace {
        let unused = [&sink.token_file, &sink.token_env, &sink.ca_file, &sink.cert, &sink.key];
        let unused = unused.into_iter().flatten().map(At::span);
        for span in unused.chain(sink.unsigned_close.as_ref().map(At::span)) {
            self.say.error(Code::Either, span, "a file of lines has no use for this", "remove it");
        }
        SinkPlace::File(self.path_of(path))
    }

    fn receiver(&mut self, sink: &Sink, written: &At<String>) -> Option<SinkPlace> {
        let url = self.receiver_url(written)?;
        let is_syslog = url.scheme() == "syslog+tls";
        if !is_syslog && let Some(written) = &sink.unsigned_close {
            self.say.error(Code::Either, written.span(), "only syslog has no other answer than an end", "remove it");
        }
        let ca_file = sink.ca_file.as_ref().map(|file| (self.path_of(file), file.span()));
        if let Some((path, span)) = &ca_file {
            self.roots(path, span.clone());
        }
        let identity = self.identity(sink)?;
        let token = self.secret("token", &sink.token_file, &sink.token_env).map(|(token, span)| {
            if is_syslog {
                self.say.error(Code::Either, span, "syslog has no place for a token", "write cert and key, or nothing");
            }
            token
        });
        if token.is_none() && matches!(url.scheme(), "http" | "https") {
            let write = "write token_file = \"…\", with Splunk's token or the key of a webhook's signatures";
            self.missing(written.span(), "[[audit.sink]]", "token_file", write);
            return None;
        }
        let unsigned = sink.unsigned_close.as_ref().is_some_and(|written| **written);
        Some(SinkPlace::Receiver {
            url: url.to_string(),
            token,
            ca_file: ca_file.map(|(path, _)| path),
            identity,
            end: if unsigned { LastWord::Unsigned } else { LastWord::Signed },
        })
    }

    /// An address that may be shown and that nobody on the way reads what is sent to.
    fn receiver_url(&mut self, written: &At<String>) -> Option<Url> {
        let url = self.url(written, "write token_file = \"…\"")?;
        if !url.username().is_empty() || url.query().is_some() || url.fragment().is_some() {
            self.say.mask(written.span());
            let what = "a sink's address is shown in logs and metrics; a user name, or what follows `?` or `#`, may be a secret";
            self.say.error(Code::SecretInUrl, written.span(), what, "write token_file = \"…\"");
            return None;
        }
        match url.scheme() {
            "https" | "otlp" => return Some(url),
            "http" if is_loopback(&url) => return Some(url),
            "syslog+tls" if url.host().is_some() && matches!(url.path(), "" | "/") => return Some(url),
            "syslog+tls" => {
                let write = "write url = \"syslog+tls://siem.example.com:6514\"";
                self.say.error(Code::Url, written.span(), "a receiver of syslog is a host and a port", write);
            }
            "http" => {
                let write = "write https://…, or http://127.0.0.1 for a program on this machine";
                self.say.error(Code::Url, written.span(), "events would be readable on the way", write);
            }
            "syslog" | "syslog+tcp" | "syslog+udp" => {
                let write = "write url = \"syslog+tls://siem.example.com:6514\"";
                self.say.error(Code::Url, written.span(), "events would be readable on the way", write);
            }
            scheme => self.say.not_yet(written.span(), &format!("audit sink {scheme}:"), WRITE),
        }
        None
    }

    /// The certificate that we show; `None` where it cannot be used.
    fn identity(&mut self, sink: &Sink) -> Option<Option<Identity>> {
        let (cert, key) = match (&sink.cert, &sink.key) {
            (None, None) => return Some(None),
            (Some(cert), Some(key)) => (cert, key),
            (Some(one), None) | (None, Some(one)) => {
                let write = "write both: cert = \"chain.pem\" and key = \"key.pem\"";
                self.say.error(Code::Tls, one.span(), "`cert` and `key` belong together", write);
                return None;
            }
        };
        // A check of the syntax reads no files.
        let Some(world) = self.world else { return Some(None) };
        let read = |path: &At<String>| {
            let path = self.path_of(path);
            world.file(&path).map_err(|why| format!("{} cannot be read: {why}", path.display()))
        };
        let identity = read(cert).and_then(|chain| Ok((chain, read(key)?)));
        let identity = identity.and_then(|(chain, key)| Identity::read(&chain, &key).map_err(|why| why.to_string()));
        let write = "write the path of the PEM file with the chain, leaf first, and the path of that leaf's key";
        identity.map(Some).map_err(|wrong| self.say.error(Code::Tls, cert.span(), wrong, write)).ok()
    }
}
