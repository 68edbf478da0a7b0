//! Bytes to a program that answers nothing but the end of the connection.
//!
//! Such a program says by ending TLS that it has read all that came before our own end: RFC 5425 §4.4 has receivers of syslog reply to
//! our `close_notify` with theirs. So each delivery has a connection of its own, and without that reply it counts for nothing.

use super::{Kind, Outbound, OutboundFault, exchange};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use url::Url;

/// What the end of a connection must be to say that everything was read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LastWord {
    /// The other side's `close_notify`, which nobody on the way can write.
    Signed,
    /// An end without one as well: some receivers close the connection and nothing more. Whoever is on the way can do that for them,
    /// and what they kept back would count as delivered.
    Unsigned,
}

impl Outbound {
    /// Sends these bytes over TLS to an address that the operator's file names, and waits until the other side has read them all.
    /// What it says meanwhile is not looked at.
    ///
    /// # Errors
    /// [`OutboundFault`]: it may have read all, a part or nothing.
    pub async fn deliver(&self, to: &Url, bytes: &[u8], end: LastWord) -> Result<(), OutboundFault> {
        let trust = self.trust(&Kind::Operator { named: to.clone() }, to)?;
        if to.scheme() != "https" {
            return Err(OutboundFault::Address);
        }
        let delivery = async {
            let addresses = self.addresses(to, trust).await?;
            // What goes out is not HTTP.
            let mut tls = ClientConfig::clone(&self.0.tls);
            tls.alpn_protocols.clear();
            let mut stream = exchange::secure(&Arc::new(tls), &addresses, to).await?;
            stream.write_all(bytes).await.map_err(|why| cut(&why))?;
            stream.shutdown().await.map_err(|why| cut(&why))?;
            let mut unread = [0; 512];
            loop {
                match stream.read(&mut unread).await {
                    Ok(0) => return Ok(()),
                    Ok(_) => {}
                    Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => return unsigned(end),
                    Err(why) => return Err(cut(&why)),
                }
            }
        };
        timeout(self.0.deadline, delivery).await.map_err(|_| OutboundFault::Deadline)?
    }
}

fn unsigned(end: LastWord) -> Result<(), OutboundFault> {
    match end {
        LastWord::Unsigned => Ok(()),
        LastWord::Signed => Err(OutboundFault::Unsigned),
    }
}

fn cut(why: &io::Error) -> OutboundFault {
    OutboundFault::Tls(why.to_string())
}
