//! Apps of a product's own that people install: OAuth 2.0 clients without a secret (RFC 8252), and what a person let one do.

use crate::kernel::values::{AppName, Timestamp};
use std::fmt;
use std::net::IpAddr;
use url::{Host, Url};

/// An app of a product, as the operator names it. There is no other way to become one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct App {
    /// Its `client_id`, unique at its product.
    pub name: AppName,
    /// What people call it.
    pub label: String,
    /// Where its answers may go.
    pub redirects: Vec<Redirect>,
}

/// Where an app's answers may go. Compared as text, but for the port of a loopback address (RFC 8252 §7.3, RFC 9700 §2.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Redirect {
    /// An `https` address whose host the app has claimed with the operating system (RFC 8252 §7.2).
    Claimed(String),
    /// `http://127.0.0.1/…` or `http://[::1]/…`, on any port (§7.3).
    Loopback {
        /// The address.
        host: IpAddr,
        /// The path.
        path: String,
    },
    /// A scheme of the app's own, a reversed domain name: `com.example.board:/login` (§7.1). Any other app may claim it too.
    Private(String),
}

/// Why a text is no redirect of an app.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotARedirect {
    /// No absolute address, or one in another spelling than its own.
    #[error("it is no absolute address in its usual spelling")]
    Shape,
    /// A query, a fragment or a user name.
    #[error("it has a query, a fragment or a user name")]
    Parts,
    /// `http` to anything but a loopback literal: whoever is on the way, or resolves the name, reads the answer.
    #[error("http goes to http://127.0.0.1/… or http://[::1]/… alone, without a port")]
    Plain,
    /// A scheme without a full stop: any app may have it by accident, and some mean something to every browser.
    #[error("an app's own scheme is a reversed domain name: com.example.board:/login")]
    Scheme,
}

impl Redirect {
    /// Reads what the operator wrote.
    ///
    /// # Errors
    /// [`NotARedirect`], with what is wrong.
    pub fn parse(text: &str) -> Result<Self, NotARedirect> {
        let url = Url::parse(text).map_err(|_| NotARedirect::Shape)?;
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(NotARedirect::Parts);
        }
        // One spelling: what is compared as text must not have two.
        if url.as_str() != text || text.len() > 256 {
            return Err(NotARedirect::Shape);
        }
        match (url.scheme(), loopback(&url)) {
            ("https", _) => Ok(Self::Claimed(text.to_owned())),
            ("http", Some(host)) if url.port().is_none() => Ok(Self::Loopback { host, path: url.path().to_owned() }),
            ("http", _) => Err(NotARedirect::Plain),
            (scheme, _) if scheme.contains('.') => Ok(Self::Private(text.to_owned())),
            _ => Err(NotARedirect::Scheme),
        }
    }

    /// Whether an answer may go to what a request names.
    pub fn holds(&self, asked: &str) -> bool {
        match self {
            Self::Claimed(own) | Self::Private(own) => own == asked,
            Self::Loopback { host, path } => {
                let Ok(url) = Url::parse(asked) else { return false };
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                let host_text = match host {
                    IpAddr::V4(host) => host.to_string(),
                    IpAddr::V6(host) => format!("[{host}]"),
                };
                asked == format!("http://{host_text}{port}{path}")
            }
        }
    }

    /// Whether nobody but the app gets what is sent there. Where another app may, answers are worth nothing without a key that the app
    /// proves to hold (rule H16).
    pub fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed(_))
    }
}

fn loopback(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return None,
    };
    [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1_u16])].contains(&address).then_some(address)
}

/// The SHA-256 thumbprint of the key that an app proves to hold (RFC 7638, RFC 9449 §6.1).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Thumbprint(pub [u8; 32]);

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thumbprint(…)")
    }
}

/// What makes a login session that of an app: its cookie is never set, its refresh token stands for it (rule H16).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// Which app of the product that the session is confined to.
    pub app: AppName,
    /// The key without which its tokens open nothing; none where they are bearer tokens.
    pub bound_to: Option<Thumbprint>,
    /// How often its refresh token was used: the one that holds now bears this number.
    pub turn: u32,
    /// When it was used last.
    pub turned_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h16_a_redirect_is_claimed_a_loopback_literal_or_a_reversed_domain() {
        let read = |text| Redirect::parse(text).map(|redirect| redirect.is_claimed());
        assert_eq!(read("https://app.example.com/login"), Ok(true));
        assert_eq!(read("http://127.0.0.1/cb"), Ok(false));
        assert_eq!(read("http://[::1]/cb"), Ok(false));
        assert_eq!(read("com.example.board:/login"), Ok(false));
        for (text, fault) in [
            ("login", NotARedirect::Shape),
            ("HTTPS://app.example.com/login", NotARedirect::Shape),
            ("https://app.example.com:443/login", NotARedirect::Shape),
            ("https://app.example.com", NotARedirect::Shape),
            ("https://app.example.com/a/../login", NotARedirect::Shape),
            ("https://app.example.com/login?x=1", NotARedirect::Parts),
            ("https://app.example.com/login#x", NotARedirect::Parts),
            ("https://a@app.example.com/login", NotARedirect::Parts),
            ("http://localhost/cb", NotARedirect::Plain),
            ("http://127.0.0.2/cb", NotARedirect::Plain),
            ("http://127.0.0.1:8080/cb", NotARedirect::Plain),
            ("http://app.example.com/cb", NotARedirect::Plain),
            ("board:/login", NotARedirect::Scheme),
            ("javascript:alert(1)", NotARedirect::Scheme),
            ("data:text/html,x", NotARedirect::Scheme),
        ] {
            assert_eq!(Redirect::parse(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn h16_an_answer_goes_to_the_very_address_and_to_any_port_of_a_loopback() {
        let holds = |own, asked| Redirect::parse(own).unwrap().holds(asked);
        let claimed = "https://app.example.com/login";
        assert!(holds(claimed, claimed));
        for other in [
            "https://app.example.com/login/",
            "https://app.example.com/login?x=1",
            "https://app.example.com:444/login",
            "https://APP.example.com/login",
            "https://app.example.com.evil.example/login",
        ] {
            assert!(!holds(claimed, other), "{other}");
        }
        let loopback = "http://127.0.0.1/cb";
        for fine in ["http://127.0.0.1/cb", "http://127.0.0.1:51004/cb"] {
            assert!(holds(loopback, fine), "{fine}");
        }
        for other in [
            "http://127.0.0.1:51004/cb/x",
            "http://127.0.0.1:51004/cb?x=1",
            "http://a@127.0.0.1:51004/cb",
            "http://127.0.0.1:051004/cb",
            "http://localhost:51004/cb",
            "http://[::1]:51004/cb",
            "https://127.0.0.1:51004/cb",
        ] {
            assert!(!holds(loopback, other), "{other}");
        }
        assert!(holds("http://[::1]/cb", "http://[::1]:7/cb"));
        assert!(!holds("com.example.board:/login", "com.example.board:/login2"));
    }
}
