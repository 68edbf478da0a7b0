//! A domain's own servers, found through the resolvers and asked directly.

use super::{Dns, PATIENCE, name, resolver};
use crate::kernel::values::DomainName;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use std::net::{IpAddr, SocketAddr};
use tokio::time::timeout;

/// Own servers that are asked.
const SERVERS: usize = 2;

/// Labels that are cut off in search of the zone: a domain that is held is rarely deeper.
const DEPTH: usize = 4;

impl Dns {
    /// None where they are not found, or may not be asked: then the resolvers decide alone.
    pub(super) async fn authorities(&self, domain: &DomainName) -> Vec<(SocketAddr, TokioResolver)> {
        let search = async {
            for (_, asked) in &self.resolvers {
                let servers = self.servers_of(asked, domain).await;
                if !servers.is_empty() {
                    return servers;
                }
            }
            Vec::new()
        };
        timeout(PATIENCE, search).await.unwrap_or_default()
    }

    async fn servers_of(&self, asked: &TokioResolver, domain: &DomainName) -> Vec<(SocketAddr, TokioResolver)> {
        let mut servers = Vec::new();
        for host in zone_servers(asked, domain.as_str()).await.into_iter().take(SERVERS) {
            let Some(address) = self.address(asked, &host).await else { continue };
            let server = SocketAddr::new(address, self.options.authority_port);
            if let Ok(own) = resolver(server, false) {
                servers.push((server, own));
            }
        }
        servers
    }

    /// The first address of a server, if all of its addresses may be asked.
    async fn address(&self, asked: &TokioResolver, host: &str) -> Option<IpAddr> {
        let found = timeout(PATIENCE, asked.lookup_ip(name(host)?)).await.ok()?.ok()?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        let all_may = addresses.iter().all(|address| (self.options.may_ask)(*address));
        addresses.into_iter().next().filter(|_| all_may)
    }
}

/// The names of the servers of the zone that the domain is in.
async fn zone_servers(asked: &TokioResolver, domain: &str) -> Vec<String> {
    let mut zone = domain;
    for _ in 0..DEPTH {
        let Some(name) = name(zone) else { return Vec::new() };
        if let Ok(Ok(found)) = timeout(PATIENCE, asked.lookup(name, RecordType::NS)).await {
            let mut hosts: Vec<String> = found
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::NS(host) => Some(host.0.to_ascii().trim_end_matches('.').to_owned()),
                    _ => None,
                })
                .collect();
            hosts.sort();
            if !hosts.is_empty() {
                return hosts;
            }
        }
        match zone.split_once('.') {
            // The servers of a top-level domain do not have the record.
            Some((_, parent)) if parent.contains('.') => zone = parent,
            _ => break,
        }
    }
    Vec::new()
}
