//! `[dns]`: who is asked about organizations' domains, and for what.

use super::Reader;
use super::values::each;
use crate::config::Dns;
use crate::config::file::File;
use crate::config::finding::Code;
use crate::domains::RECORD;
use std::net::{IpAddr, SocketAddr};

impl Reader<'_> {
    /// `[dns]`; without it the system's resolvers.
    pub(super) fn dns(&mut self, file: &File) -> Dns {
        let written = file.dns.as_ref();
        let mut servers = Vec::new();
        for server in written.iter().flat_map(|dns| each(&dns.servers)) {
            let address = server.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 53));
            match address.or_else(|| server.parse().ok()) {
                Some(address) => servers.push(address),
                None if server.as_str() == "system" => {}
                None => {
                    let what = format!("{:?} is not the address of a name server", server.as_str());
                    let write = "write servers = [\"system\"] or addresses: [\"9.9.9.9\", \"149.112.112.112:53\"]";
                    self.say.error(Code::Address, server.span(), what, write);
                }
            }
        }
        let system = written.iter().flat_map(|dns| each(&dns.servers)).find(|server| server.as_str() == "system");
        if let (Some(system), false) = (system, servers.is_empty()) {
            let write = "write servers = [\"system\"], or addresses alone";
            self.say.error(Code::Either, system.span(), "`system` beside addresses of name servers", write);
        }
        Dns { servers, record: self.record(file) }
    }

    fn record(&mut self, file: &File) -> String {
        let Some(record) = file.dns.as_ref().and_then(|dns| dns.record.as_ref()) else { return RECORD.to_owned() };
        let fits = (1..=60).contains(&record.len())
            && record.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            let what = format!("{:?} cannot name a TXT record and a file", record.as_str());
            self.say.error(Code::Value, record.span(), what, format!("write record = \"{RECORD}\""));
        }
        record.to_string()
    }
}
