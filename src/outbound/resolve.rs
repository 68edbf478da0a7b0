//! Names to addresses.

use async_trait::async_trait;
use std::io;
use std::net::IpAddr;

/// Who knows addresses. A test brings its own, to answer differently each time.
#[async_trait]
pub trait Resolve: Send + Sync + 'static {
    /// All addresses of a name.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver, with its hosts file.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}
