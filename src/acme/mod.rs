//! Certificates from an authority (ACME, RFC 8555), by HTTP-01 and TLS-ALPN-01 (RFC 8737).
//!
//! One certificate for each public host name, so that browsers never share a connection between products (rule M8). The account,
//! the certificates and the answers to challenges under way are in the store, sealed: any node serves them and answers for the
//! node that orders, and a restart orders nothing. What is there goes to the data path through [`Issued`].
//!
//! `work` is the course of things: read, serve, order what is due. `order` is one order, `account` who orders, `vault` the rows in
//! the store, `answer` what an authority is shown, `client` how it is asked, `due` and `advice` when. Deliberately absent: DNS-01 and
//! wildcards (a certificate for two products breaks rule M8), revocation, and a choice among an authority's chains.

mod account;
mod advice;
mod answer;
mod client;
mod due;
mod fault;
mod order;
mod tally;
mod vault;
mod work;

pub use client::reachable;

use crate::clock::Clock;
use crate::kernel::values::Secret;
use crate::keys::Kek;
use crate::outbound::Outbound;
use crate::seeing::Seeing;
use crate::store::Store;
use crate::web::issued::Issued;
use advice::Advice;
use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use tally::Tally;
use url::Url;
use vault::{Contents, Vault};

/// The authority that is asked where the configuration names none.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Whom to ask, and how.
#[derive(Clone, Debug)]
pub struct AcmeOptions {
    /// The authority's directory (RFC 8555 §7.1.1).
    pub directory: Url,
    /// PEM file with more roots, for an authority whose own TLS is private.
    pub ca_file: Option<PathBuf>,
    /// `mailto:` addresses at which the authority may reach the operator.
    pub contact: Vec<String>,
    /// Ways to show who we are; the first is tried first, the next one when it failed. Never empty.
    pub challenges: Vec<Challenge>,
    /// The account at an authority that knows its customers (RFC 8555 §7.3.4).
    pub external: Option<ExternalAccount>,
}

/// A way to show an authority that a host name is ours.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Challenge {
    /// A handshake for `acme-tls/1` at port 443 (RFC 8737).
    TlsAlpn,
    /// A file at port 80 (RFC 8555 §8.3).
    Http,
}

/// External account binding.
#[derive(Clone)]
pub struct ExternalAccount {
    /// The key's id at the authority.
    pub kid: String,
    /// The HMAC key, base64url without padding as authorities hand it out.
    pub hmac: Secret,
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalAccount({})", self.kid)
    }
}

/// What certificates are wanted, from whom. Replaced as a whole by a reload.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whom to ask.
    pub options: AcmeOptions,
    /// The client that asks it.
    pub outbound: Outbound,
    /// Public host names: A-labels in lower case.
    pub hosts: Vec<String>,
}

/// What ordering asks and tells.
pub struct Ports {
    /// Where accounts and certificates are kept.
    pub store: Arc<dyn Store>,
    /// What seals them there.
    pub kek: Kek,
    /// The process's clock.
    pub clock: Clock,
    /// Where the data path reads.
    pub issued: Arc<Issued>,
    /// The process's metrics.
    pub seeing: Arc<Seeing>,
}

/// Orders certificates, and keeps them valid.
pub struct Acme {
    vault: Vault,
    clock: Clock,
    issued: Arc<Issued>,
    tally: Tally,
    wanted: ArcSwap<Wanted>,
    contents: ArcSwap<Contents>,
    advice: Advice,
}

impl Acme {
    /// Nothing is asked yet: [`Acme::read`] takes over what the store has, [`Acme::keep_valid`] orders the rest.
    pub fn new(ports: Ports, wanted: Wanted) -> Self {
        Self {
            vault: Vault { store: ports.store, kek: ports.kek },
            clock: ports.clock,
            issued: ports.issued,
            tally: Tally::new(&ports.seeing),
            wanted: ArcSwap::from_pointee(wanted),
            contents: ArcSwap::default(),
            advice: Advice::default(),
        }
    }

    /// From now on these. Missing certificates are ordered at once, also those that had failed before.
    pub fn want(&self, wanted: Wanted) {
        self.wanted.store(Arc::new(wanted));
    }
}
