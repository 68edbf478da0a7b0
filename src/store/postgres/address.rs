//! The address of a server: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, what is encrypted and whom it must belong to.

use super::super::OpenError;
use super::tls::Tls;
use std::path::Path;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long a connection may take until it can be used. A login waits with it.
pub(super) const CONNECT: Duration = Duration::from_secs(3);

/// How long the server may leave what we sent unacknowledged before the connection counts as dead.
const UNANSWERED: Duration = Duration::from_secs(5);

/// Where the server is, and how to speak to it. Has no `Debug`: it holds the password.
#[derive(Clone)]
pub(super) struct Address {
    /// For the driver.
    pub config: Config,
    /// For its connections.
    pub tls: Tls,
    /// Whether passwords and rows cross a network in the clear.
    pub is_open: bool,
}

impl Address {
    /// Reads an address. `sslmode` is `verify-full` (the default unless the server is on this machine) or `disable`; `sslrootcert`
    /// a PEM file, relative to the state folder, of who may sign the server's certificate in place of the system's authorities.
    pub(super) fn parse(url: &str, state: &Path) -> Result<Self, OpenError> {
        let server = |fault: &str| OpenError::Server(fault.to_owned());
        let mut parsed = url::Url::parse(url).map_err(|fault| OpenError::Server(fault.to_string()))?;
        let (mut mode, mut authorities, mut others) = (None, None, Vec::new());
        for (name, value) in parsed.query_pairs().into_owned() {
            match name.as_str() {
                "sslmode" => mode = Some(value),
                "sslrootcert" => authorities = Some(value),
                _ => others.push((name, value)),
            }
        }
        let others = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(others).finish();
        // A plus is a plus to the driver, and a space is written otherwise.
        parsed.set_query((!others.is_empty()).then(|| others.replace('+', "%20")).as_deref());
        let mut config: Config =
            parsed.as_str().parse().map_err(|fault| OpenError::Server(super::words::said(&fault)))?;
        if config.get_hosts().is_empty() {
            return Err(server("no host is named: write postgres://USER@HOST/DATABASE"));
        }
        if config.get_dbname().is_none() {
            return Err(server("no database is named: write postgres://USER@HOST/DATABASE"));
        }
        let encrypted = match mode.as_deref() {
            None => !config.get_hosts().iter().all(is_here),
            Some("verify-full") => true,
            Some("disable") => false,
            Some(_) => return Err(server("sslmode is `verify-full` or `disable`: the others believe any server")),
        };
        let is_open = !encrypted && !config.get_hosts().iter().all(is_here);
        let tls = Tls::new(authorities.map(|file| state.join(file)).as_deref())?;
        config
            .ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable })
            .application_name("fedgate")
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNANSWERED)
            .keepalives_idle(Duration::from_secs(30))
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, tls, is_open })
    }
}

/// On this machine: nobody is in between.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, OpenError> {
        Address::parse(url, Path::new("/nowhere"))
    }

    #[test]
    fn a_server_elsewhere_is_verified_unless_it_is_said_otherwise() {
        for (url, mode, is_open) in [
            ("postgres://fed@db.example.com/fedgate", SslMode::Require, false),
            ("postgres://fed@db.example.com/fedgate?sslmode=verify-full", SslMode::Require, false),
            ("postgres://fed@db.example.com/fedgate?sslmode=disable", SslMode::Disable, true),
            ("postgres://fed@127.0.0.1,db.example.com/fedgate", SslMode::Require, false),
            ("postgres://fed@127.0.0.1:6432/fedgate", SslMode::Disable, false),
            ("postgres://fed@localhost/fedgate?sslmode=verify-full", SslMode::Require, false),
            ("postgres:///fedgate?host=/run/postgresql&user=fed", SslMode::Disable, false),
        ] {
            let address = parse(url).map_err(|fault| fault.to_string()).unwrap();
            assert_eq!((address.config.get_ssl_mode(), address.is_open), (mode, is_open), "{url}");
            assert_eq!(address.config.get_application_name(), Some("fedgate"));
        }
    }

    #[test]
    fn what_cannot_be_an_address_is_told_without_its_password() {
        for (url, what) in [
            ("postgres://fed:hunter2@db/fedgate?sslmode=prefer", "verify-full"),
            ("postgres://fed:hunter2@db/fedgate?sslmode=require", "verify-full"),
            ("postgres://fed:hunter2@db/fedgate?frobnicate=1", "frobnicate"),
            ("postgres://fed:hunter2@db:99999/fedgate", "port"),
            ("postgres://fed:hunter2@db/", "database"),
            ("postgres://fed:hunter2@db/fedgate?sslrootcert=missing.pem", "/nowhere/missing.pem"),
        ] {
            let fault = parse(url).map(|_| ()).unwrap_err().to_string();
            assert!(fault.contains(what) && !fault.contains("hunter2"), "{url}: {fault}");
        }
    }
}
