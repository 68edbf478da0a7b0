//! What proves organizations' domains, and who is told of it.

use super::{Extras, NotStarted, outbound, ranges};
use crate::config::Config;
use crate::dns::{Dns, DnsOptions};
use crate::domains::{Asked, Contacts, Domains, Ports};
use crate::kernel::values::{EmailAddress, OrgName};
use crate::login::World;
use crate::outbound::is_public;
use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;

/// Domains' own servers listen there.
const DNS: u16 = 53;

/// The room with what a reload replaces in it.
pub(super) struct Registry {
    pub domains: Arc<Domains>,
    people: Arc<Listed>,
}

/// The people that the file names.
#[derive(Default)]
pub(super) struct People {
    admins: HashMap<OrgName, Vec<EmailAddress>>,
    operators: Vec<EmailAddress>,
}

struct Listed(ArcSwap<People>);

impl People {
    pub fn of(config: &Config) -> Self {
        let admins = config.catalog.orgs.iter().map(|org| (org.name.clone(), org.admins.clone())).collect();
        Self { admins, operators: config.operators.clone() }
    }
}

impl Contacts for Listed {
    fn admins(&self, org: &OrgName) -> Vec<EmailAddress> {
        self.0.load().admins.get(org).cloned().unwrap_or_default()
    }

    fn operators(&self) -> Vec<EmailAddress> {
        self.0.load().operators.clone()
    }
}

/// Who is asked, by the configuration.
pub(super) fn asked(config: &Config, extras: &Extras) -> Result<Asked, NotStarted> {
    let allowed = ranges(config);
    let may_ask = move |address| is_public(address) || allowed.iter().any(|range| range.holds(address));
    let options = DnsOptions { servers: config.dns.servers.clone(), authority_port: DNS, may_ask: Arc::new(may_ask) };
    Ok(Asked { dns: Dns::new(options), outbound: outbound(config, extras)?, record: config.dns.record.clone() })
}

impl Registry {
    /// Ready; it begins in the back room.
    pub fn start(config: &Config, extras: &Extras, world: &World) -> Result<Self, NotStarted> {
        let people = Arc::new(Listed(ArcSwap::from_pointee(People::of(config))));
        let ports = Ports {
            store: Arc::clone(&world.store),
            keys: world.keys.clone(),
            clock: world.clock.clone(),
            contacts: Arc::clone(&people) as Arc<dyn Contacts>,
        };
        Ok(Self { domains: Arc::new(Domains::new(ports, asked(config, extras)?)), people })
    }

    /// From now on these are asked, and these are told.
    pub fn replace(&self, asked: Asked, people: People) {
        self.domains.replace(asked);
        self.people.0.store(Arc::new(people));
    }
}
