//! What `fedgate demo` puts behind the gateway: two sample products as plain HTTP servers on
//! loopback, and beside it three sample providers.
//!
//! Owned here: the products ([`product`]), the OpenID Providers ([`issuer`]), a company's SAML provider ([`saml`]), the sample people
//! ([`people`]) and the small HTTP and
//! WebSocket code that they share. The products know the gateway only by what it sends them: they verify `Fedgate-Assertion`
//! against its published keys, as a real product should.
//!
//! Deliberately absent: certificates, host names and the gateway itself (the command that starts the demonstration wires them),
//! anything kept on disk, and any use outside a demonstration: passwords stand on the login page, and the discovery document says
//! `fedgate_demo` so that a real gateway refuses it (rule M17).
//!
//! # Adding one
//! A sample product: a kind in `product/mod.rs` and its template. A person: a row in `people.rs`. A path of the provider: a file in
//! `issuer/` and a line in its `answer`.

mod assertion;
mod http;
pub mod issuer;
mod jose;
pub mod people;
pub mod product;
pub mod saml;
mod shell;
#[cfg(test)]
mod tests;
mod websocket;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::clock::Clock;

use http::Entrance;

pub use jose::NoKey;

/// Fetches the gateway's key set (`https://{login}/.well-known/jwks.json`, RFC 7517) as bytes; the text of an error is logged.
pub type FetchKeys = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>> + Send + Sync>;

/// Everything that the demonstration must be told.
pub struct Options {
    /// The time: the gateway's own clock.
    pub clock: Clock,
    /// The gateway's keys.
    pub keys: FetchKeys,
    /// `iss` that the products expect in an assertion: `https://{login}`.
    pub assertion_issuer: String,
    /// The board.
    pub board: product::Options,
    /// The video app.
    pub video: product::Options,
    /// The account that people have everywhere.
    pub issuer: issuer::Options,
    /// A company's own provider.
    pub company: issuer::Options,
    /// Another company's, which speaks SAML.
    pub saml: saml::Options,
}

/// The servers under way. They end when this value is dropped or [`Running::stop`] is called.
pub struct Running {
    /// Upstream of the board.
    pub board: SocketAddr,
    /// Upstream of the video app.
    pub video: SocketAddr,
    /// The issuer.
    pub issuer: SocketAddr,
    /// The company's provider.
    pub company: SocketAddr,
    /// The other company's.
    pub saml: SocketAddr,
    stop: DropGuard,
}

/// Why the demonstration could not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// No loopback port could be opened.
    #[error("the sample servers cannot listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
    /// A key could not be made.
    #[error("the sample provider's keys cannot be made")]
    Keys(#[from] NoKey),
    /// A template of ours is broken.
    #[error("a sample page does not compile: {0}")]
    Template(#[from] minijinja::Error),
}

/// Starts all five servers on 127.0.0.1, on the current tokio runtime.
pub async fn start(options: Options) -> Result<Running, NotStarted> {
    let stop = CancellationToken::new();
    let door = Arc::new(assertion::Door::new(options.assertion_issuer, options.keys, options.clock.clone()));
    let (board, video) = (Entrance::open(0, None).await?, Entrance::open(0, None).await?);
    let issuer = Entrance::open(options.issuer.port, options.issuer.tls.clone()).await?;
    let company = Entrance::open(options.company.port, options.company.tls.clone()).await?;
    let saml = Entrance::open(options.saml.port, options.saml.tls.clone()).await?;
    let running = Running {
        board: board.address()?,
        video: video.address()?,
        issuer: issuer.address()?,
        company: company.address()?,
        saml: saml.address()?,
        stop: stop.clone().drop_guard(),
    };
    product::serve(board, product::Kind::Board, options.board, door.clone(), stop.clone())?;
    product::serve(video, product::Kind::Video, options.video, door, stop.clone())?;
    issuer::serve(issuer, options.issuer, options.clock.clone(), stop.clone())?;
    issuer::serve(company, options.company, options.clock.clone(), stop.clone())?;
    saml::serve(saml, options.saml, options.clock, stop)?;
    Ok(running)
}

impl Running {
    /// Ends every server; open sockets are told first (close code 1001).
    pub fn stop(self) {
        drop(self.stop);
    }
}
