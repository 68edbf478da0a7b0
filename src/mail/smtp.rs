//! Mail by SMTP (RFC 5321): over TLS from the first byte (RFC 8314), or by STARTTLS, which is then required (rule M27).

use super::{Message, Transport, Undelivered};
use crate::kernel::values::{Secret, legible};
use crate::outbound::Roots;
use async_trait::async_trait;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// One whole delivery. RFC 5321 §4.5.3.2 allows minutes for each step, which no mail of ours is worth: it is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS: required, and the name is verified.
    StartTls,
    /// None. Only to this machine.
    Plain,
}

/// A mail server.
#[derive(Clone)]
pub struct SmtpOptions {
    /// Its name, which its certificate must have.
    pub host: String,
    /// 465, 587 or 25 where none is written.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Name and password, where it wants them.
    pub login: Option<(String, Secret)>,
}

impl fmt::Debug for SmtpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpOptions({:?} {}:{})", self.security, self.host, self.port)
    }
}

/// A server cannot be used as configured.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotAServer {
    /// Plain SMTP to another machine.
    #[error("mail goes to another machine over TLS only")]
    Plain,
    /// Its TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Sends by a mail server, with one connection for each mail: they are few.
pub struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    /// `roots` are the authorities that the server's certificate must lead to. `hello` is how we call ourselves.
    ///
    /// # Errors
    /// [`NotAServer`].
    pub fn new(options: &SmtpOptions, roots: &Roots, hello: &str) -> Result<Self, NotAServer> {
        let tls = match options.security {
            Security::Tls => Tls::Wrapper(parameters(&options.host, roots)?),
            Security::StartTls => Tls::Required(parameters(&options.host, roots)?),
            Security::Plain if is_this_machine(&options.host) => Tls::None,
            Security::Plain => return Err(NotAServer::Plain),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(options.host.clone())
            .port(options.port)
            .tls(tls)
            .hello_name(ClientId::Domain(hello.to_owned()))
            .timeout(Some(PATIENCE));
        if let Some((name, password)) = &options.login {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose().to_owned()));
        }
        Ok(Self(builder.build()))
    }
}

/// Whether plain SMTP may go there.
pub fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn parameters(host: &str, roots: &Roots) -> Result<TlsParameters, NotAServer> {
    let wrong = |why: lettre::transport::smtp::Error| NotAServer::Tls(why.to_string());
    let store = if roots.mozillas { CertificateStore::WebpkiRoots } else { CertificateStore::None };
    let mut builder = TlsParameters::builder(host.to_owned()).certificate_store(store);
    for root in &roots.certificates {
        builder = builder.add_root_certificate(Certificate::from_der(root.to_vec()).map_err(wrong)?);
    }
    builder.build_rustls().map_err(wrong)
}

#[async_trait]
impl Transport for Smtp {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let bytes = message.mail.formatted();
        match tokio::time::timeout(PATIENCE, self.0.send_raw(message.mail.envelope(), &bytes)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(undelivered(&why)),
            Err(_) => Err(Undelivered::Later("no answer in time".to_owned())),
        }
    }
}

fn undelivered(why: &lettre::transport::smtp::Error) -> Undelivered {
    let said = cut(&why.to_string());
    match why.status() {
        // 530 to 538 are about us, not about this mail (RFC 4954 §6): the operator corrects them.
        Some(code) if why.is_permanent() && !code.to_string().starts_with("53") => Undelivered::Never(said),
        _ => Undelivered::Later(said),
    }
}

/// A server's words, for operators.
fn cut(text: &str) -> String {
    legible(text).chars().take(200).collect()
}
