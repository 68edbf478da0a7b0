//! `[mail]`: who writes, and how it gets away.

use super::Reader;
use crate::config::file::{At, File, Mail};
use crate::config::finding::Code;
use crate::kernel::values::{EmailAddress, Origin, Secret};
use crate::mail::{MailOptions, Security, SmtpOptions, Way, is_this_machine};
use url::Url;

const SMTP: &str = "write smtp = \"smtps://user@mail.example.com\" or \"smtp+starttls://user@mail.example.com\"";

impl Reader<'_> {
    /// `[mail]`; without it, files in the state folder by a sender at the login host.
    pub(super) fn mail(&mut self, file: &File, login: &Origin) -> Option<MailOptions> {
        let absent = Mail::default();
        let written = file.mail.as_deref().unwrap_or(&absent);
        let from = written.from.as_ref().and_then(|from| self.sender(from));
        let ours = || EmailAddress::parse(&format!("login@{}", login.host())).ok();
        let nobody = || EmailAddress::parse("login@fedgate.invalid").ok();
        let from = from.or_else(ours).or_else(nobody)?;
        let password = self.secret("password", &written.password_file, &written.password_env);
        let Some(smtp) = &written.smtp else {
            if let Some((_, span)) = password {
                self.say.error(Code::Missing, span, "a password without a mail server", SMTP);
            }
            return Some(MailOptions { from, way: Way::Files(self.state.join("outbox")) });
        };
        if let (None, Some(section)) = (&written.from, &file.mail) {
            self.missing(section.span(), "[mail]", "from", "write from = \"login@example.com\"");
        }
        let way = self.server(smtp, password.map(|(secret, _)| secret)).map_or_else(
            // Wrong, and said: the file is not used.
            || Way::Files(self.state.join("outbox")),
            Way::Smtp,
        );
        Some(MailOptions { from, way })
    }

    fn sender(&mut self, written: &At<String>) -> Option<EmailAddress> {
        let address = EmailAddress::parse(written);
        if address.is_err() {
            let what = format!("{:?} is not an e-mail address", written.as_str());
            self.say.error(Code::Email, written.span(), what, "write from = \"login@example.com\"");
        }
        address.ok()
    }

    fn server(&mut self, written: &At<String>, password: Option<Secret>) -> Option<SmtpOptions> {
        let url = self.url(written, "write smtp = \"smtps://user@host\" and password_file = \"…\"")?;
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp+starttls" => (Security::StartTls, 587),
            "smtp" => (Security::Plain, 25),
            _ => {
                let what = format!("{:?} is no address of a mail server", written.as_str());
                self.say.error(Code::Url, written.span(), what, SMTP);
                return None;
            }
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if host.is_empty() || !bare {
            let what = "a mail server is a name, with a port where it is not the usual one";
            self.say.error(Code::Url, written.span(), what, SMTP);
            return None;
        }
        if security == Security::Plain && !is_this_machine(&host) {
            let what = "mail would cross the network in the clear, codes and links with it";
            self.say.error(Code::MailPlain, written.span(), what, SMTP);
            return None;
        }
        let login = self.mail_login(&url, written, password)?;
        Some(SmtpOptions { host, port: url.port().unwrap_or(port), security, login })
    }

    /// Both or neither; the inner none is no login.
    #[expect(clippy::option_option, reason = "wrong, none, or one")]
    fn mail_login(
        &mut self,
        url: &Url,
        written: &At<String>,
        password: Option<Secret>,
    ) -> Option<Option<(String, Secret)>> {
        let user = percent_decoded(url.username());
        match (user.is_empty(), password) {
            (true, None) => Some(None),
            (false, Some(password)) => Some(Some((user, password))),
            (false, None) => {
                let write = "write password_file = \"/run/secrets/mail\", or the address without the user";
                self.say.error(Code::Missing, written.span(), "a user without a password", write);
                None
            }
            (true, Some(_)) => {
                self.say.error(Code::Missing, written.span(), "a password without a user", SMTP);
                None
            }
        }
    }
}

/// A user name is often an address, whose `@` stands as `%40` in a URL.
fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.replace('+', "%2B").as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}
