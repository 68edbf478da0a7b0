//! What name servers say about a domain: each asked by itself, so that they can be compared.
//!
//! Asked are the configured resolvers, each alone, and up to two of the domain's own servers directly, because answers are not
//! validated by DNSSEC (rule C6d). Nothing is cached. An answer is one of four: records, no such name, no such record, or unclear;
//! SERVFAIL, REFUSED, referrals, silence and nonsense are unclear. Deliberately absent: what an answer means (`kernel::domain`), and
//! the resolver that HTTP requests use (`outbound`, which judges addresses itself).

mod authority;

use crate::kernel::values::DomainName;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// One question to one server, all tries. A server that takes longer is unclear.
const PATIENCE: Duration = Duration::from_secs(5);

/// Resolvers that are asked, at most: more do not make it surer.
const RESOLVERS: usize = 4;

/// Who is asked.
#[derive(Clone)]
pub struct DnsOptions {
    /// Resolvers; none: the system's.
    pub servers: Vec<SocketAddr>,
    /// The port of domains' own servers: 53, but for tests.
    pub authority_port: u16,
    /// Which addresses of domains' own servers may be asked: whoever has a domain names them (rule M16).
    pub may_ask: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
}

impl fmt::Debug for DnsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsOptions({:?})", self.servers)
    }
}

/// What one server said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// Who.
    pub server: SocketAddr,
    /// What.
    pub said: Said,
}

/// An answer about TXT records.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// The records at this very name; each is its strings joined.
    Texts(Vec<Vec<u8>>),
    /// The name has none.
    NoRecord,
    /// There is no such name.
    NoName,
    /// It could not be told, and why.
    Unclear(String),
}

/// Asks name servers.
pub struct Dns {
    resolvers: Vec<(SocketAddr, TokioResolver)>,
    options: DnsOptions,
}

impl Dns {
    /// Nobody is asked yet. Where there is nobody to ask, every answer is unclear, and that is said: logins do not need it.
    pub fn new(options: DnsOptions) -> Self {
        let servers = if options.servers.is_empty() { system() } else { Ok(options.servers.clone()) };
        let servers = servers.map(|servers| servers.into_iter().collect::<BTreeSet<_>>());
        let of = |server: SocketAddr| Ok((server, resolver(server, true)?));
        let resolvers: Result<Vec<_>, NetError> =
            servers.and_then(|servers| servers.into_iter().take(RESOLVERS).map(of).collect());
        let resolvers = resolvers.unwrap_or_else(|why| {
            tracing::warn!(%why, "there is no name server to ask; domains cannot be proved");
            Vec::new()
        });
        Self { resolvers, options }
    }

    /// What each server says about the TXT records of a domain, all asked at once.
    pub async fn texts(&self, domain: &DomainName) -> Vec<Answer> {
        let Some(name) = name(domain.as_str()) else { return Vec::new() };
        let mut servers = self.resolvers.clone();
        for (server, own) in self.authorities(domain).await {
            // One server asked twice would be two that agree.
            if !servers.iter().any(|(asked, _)| *asked == server) {
                servers.push((server, own));
            }
        }
        let mut questions = tokio::task::JoinSet::new();
        for (server, resolver) in servers {
            let name = name.clone();
            questions.spawn(async move { Answer { server, said: ask(&resolver, name).await } });
        }
        let mut answers = questions.join_all().await;
        answers.sort_by_key(|answer| answer.server);
        answers
    }
}

/// The system's resolvers (`/etc/resolv.conf`).
fn system() -> Result<Vec<SocketAddr>, NetError> {
    let (config, _) = hickory_resolver::system_conf::read_system_conf()?;
    Ok(config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect())
}

/// One server alone; `recursive` asks it to find out, else it says what it knows itself.
fn resolver(server: SocketAddr, recursive: bool) -> Result<TokioResolver, NetError> {
    let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    udp.port = server.port();
    tcp.port = server.port();
    let config =
        ResolverConfig::from_parts(None, Vec::new(), vec![NameServerConfig::new(server.ip(), true, vec![udp, tcp])]);
    let mut options = ResolverOpts::default();
    options.timeout = Duration::from_secs(2);
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.recursion_desired = recursive;
    options.edns0 = true;
    let builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
    builder.build()
}

/// Fully qualified: search lists never apply.
fn name(domain: &str) -> Option<Name> {
    Name::from_ascii(format!("{domain}.")).ok()
}

async fn ask(resolver: &TokioResolver, name: Name) -> Said {
    match timeout(PATIENCE, resolver.lookup(name.clone(), RecordType::TXT)).await {
        Err(_) => Said::Unclear("no answer in time".to_owned()),
        Ok(Ok(found)) => texts(&found, &name),
        Ok(Err(why)) => refused(&why),
    }
}

/// Records at this very name: what a CNAME leads to is another name's, whose holder may be another one.
fn texts(found: &Lookup, name: &Name) -> Said {
    let own = found.answers().iter().filter(|record| record.name == *name);
    let texts: Vec<Vec<u8>> = own
        .filter_map(|record| match &record.data {
            RData::TXT(text) => Some(text.txt_data.concat()),
            _ => None,
        })
        .collect();
    if texts.is_empty() { Said::NoRecord } else { Said::Texts(texts) }
}

fn refused(why: &NetError) -> Said {
    match why {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Said::NoName,
            // Without the zone's own word it is a referral, or a server that does not know.
            ResponseCode::NoError if none.soa.is_some() => Said::NoRecord,
            code => Said::Unclear(format!("no records, {code}")),
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain)) => Said::NoName,
        other => Said::Unclear(other.to_string().chars().take(200).collect()),
    }
}
