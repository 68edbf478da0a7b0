//! How a connection begins: whose it is, by its address or by the PROXY protocol header of a trusted proxy, and whether there is a
//! seat for it. Nothing of what follows the header is read here.

use super::Reason;
use super::caps::Seat;
use crate::gateway::client;
use crate::gateway::core::Core;
use crate::kernel::request::proxied::{Announced, NotProxied, Origin, PREFIX};
use std::io;
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a PROXY protocol header may take: proxies send it with the first segment.
const HEADER: Duration = Duration::from_secs(5);

/// A connection that may go on.
pub(in crate::gateway) struct Arrival {
    /// Who is at its other end, or behind the proxy there.
    pub(in crate::gateway) peer: IpAddr,
    /// A trusted proxy said so in a PROXY protocol header.
    pub(in crate::gateway) proxied: bool,
    pub(in crate::gateway) seat: Seat,
}

enum Fault {
    Header(NotProxied),
    /// The connection ended, or nothing came in time.
    Silent,
}

impl From<NotProxied> for Fault {
    fn from(wrong: NotProxied) -> Self {
        Self::Header(wrong)
    }
}

impl From<io::Error> for Fault {
    fn from(_: io::Error) -> Self {
        Self::Silent
    }
}

/// Finds out whose a connection is. `None` when it is refused: it is then closed at once, without a word.
pub(in crate::gateway) async fn receive(
    core: &Core,
    stream: &mut TcpStream,
    from: IpAddr,
    seat: Seat,
) -> Option<Arrival> {
    match arrive(core, stream, from, seat).await {
        Ok(arrival) => Some(arrival),
        Err(reason) => {
            core.shared.guard.turn_away(reason, core.shared.clock.since_boot());
            close(stream);
            None
        }
    }
}

/// Closes at once: nothing is left in the kernel for a connection that nobody serves.
pub(in crate::gateway) fn close(stream: &TcpStream) {
    // A socket that refuses is gone anyway.
    drop(stream.set_zero_linger());
}

async fn arrive(core: &Core, stream: &mut TcpStream, from: IpAddr, mut seat: Seat) -> Result<Arrival, Reason> {
    let (required, is_proxy) = {
        let table = core.table.load();
        (table.proxy_protocol, client::is_trusted(from, &table.trusted))
    };
    let origin = match (required, is_proxy) {
        (false, _) => Origin::Proxy,
        (true, false) => return Err(Reason::Proxy),
        (true, true) => {
            let _greeting = core.shared.guard.caps.greet().ok_or(Reason::Handshakes)?;
            announced(core, stream, from).await?
        }
    };
    let (peer, proxied) = match origin {
        Origin::Proxy => (from, false),
        Origin::Client(address) => (address, true),
    };
    let is_proxy = if proxied { client::is_trusted(peer, &core.table.load().trusted) } else { is_proxy };
    if !is_proxy && !seat.belongs_to(peer) {
        return Err(Reason::Client);
    }
    Ok(Arrival { peer, proxied, seat })
}

async fn announced(core: &Core, stream: &mut TcpStream, from: IpAddr) -> Result<Origin, Reason> {
    match timeout(HEADER, header(stream)).await {
        Ok(Ok(origin)) => Ok(origin),
        Ok(Err(Fault::Header(wrong))) => {
            if core.shared.guard.may_say(core.shared.clock.since_boot()) {
                tracing::warn!(proxy = %from, %wrong, "a connection of a trusted proxy was closed");
            }
            Err(Reason::Proxy)
        }
        Ok(Err(Fault::Silent)) | Err(_) => Err(Reason::Proxy),
    }
}

async fn header(stream: &mut TcpStream) -> Result<Origin, Fault> {
    let mut prefix = [0; PREFIX];
    stream.read_exact(&mut prefix).await?;
    let announced = Announced::parse(&prefix)?;
    let mut rest = vec![0; announced.length()];
    stream.read_exact(&mut rest).await?;
    Ok(announced.origin(&rest)?)
}
