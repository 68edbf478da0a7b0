//! Public origins: where browsers meet us.

use super::DomainName;
use std::fmt;
use std::sync::Arc;

/// A public origin as the configuration names it: `name` or `name:port`; the scheme is always https.
///
/// Cookies ignore ports, so two origins on one host name are refused at set-up (`E-SAME-NAME`, rule H6).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Origin {
    /// Shared: every session names its host.
    host: Arc<str>,
    port: u16,
}

/// Not `name` or `name:port`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an origin is a host name, or a host name and a port, like id.example.com or id.example.com:8443")]
pub struct NotAnOrigin;

impl Origin {
    /// Parses what the configuration says. `localhost` is the one single label that is a host.
    ///
    /// # Errors
    /// [`NotAnOrigin`] for a scheme, a path, an address literal, or a bad name or port.
    pub fn parse(text: &str) -> Result<Self, NotAnOrigin> {
        let (host, port) = match text.rsplit_once(':') {
            None => (text, 443),
            Some((host, port)) => (host, Self::port_of(port)?),
        };
        if host.ends_with('.') {
            return Err(NotAnOrigin);
        }
        let host = match host {
            "localhost" => host.into(),
            _ => DomainName::parse(host).map_err(|_| NotAnOrigin)?.as_str().into(),
        };
        Ok(Self { host, port })
    }

    fn port_of(text: &str) -> Result<u16, NotAnOrigin> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        if digits { text.parse().map_err(|_| NotAnOrigin) } else { Err(NotAnOrigin) }
    }

    /// The host name, lower case, A-labels.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 443 when none was written.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `https://name` or `https://name:port`, as browsers write it in the `Origin` field.
    pub fn url(&self) -> String {
        format!("https://{self}")
    }
}

/// As a browser writes it in `Host`: the port only when it is not 443.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            443 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_browsers_write_it() {
        for (text, shown) in [
            ("id.example.com", "id.example.com"),
            ("ID.Example.com:443", "id.example.com"),
            ("id.example.com:8443", "id.example.com:8443"),
            ("localhost:1", "localhost:1"),
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn refuses_anything_else() {
        for text in [
            "",
            "https://id.example.com",
            "id.example.com/",
            "id.example.com:",
            "id.example.com:0",
            "id.example.com:65536",
            "10.0.0.1",
            "[::1]:443",
            "id",
            "id.example.com.",
            "a@id.example.com",
            "id.example.com:+1",
        ] {
            assert_eq!(Origin::parse(text), Err(NotAnOrigin), "{text:?}");
        }
    }
}
