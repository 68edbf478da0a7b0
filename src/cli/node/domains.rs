//! What proves organizations' domains, and who is told of it.

use super::{Extras, NotStarted, outbound, ranges};
use crate::config::Config;
use crate::dns::{Dns, DnsOptions};
use crate::domains::{Asked, Contacts, Domains, Ports};
use crate::kernel::values::{EmailAddress, OrgName};
use crate::login::World;
use crate::outbound::is_public;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Domains' own servers listen there.
const DNS: u16 = 53;

/// The room with what a reload replaces in it.
pub(super) struct Registry {
    pub domains: Arc<Domains>,
    people: Arc<People>,
}

/// Organizations' admins as the catalog has them, and the operators of the file.
struct People {
    world: Arc<World>,
    operators: ArcSwap<Vec<EmailAddress>>,
}

impl Contacts for People {
    fn admins(&self, org: &OrgName) -> Vec<EmailAddress> {
        self.world.catalog.load().orgs.get(org).map(|org| org.admins.clone()).unwrap_or_default()
    }

    fn operators(&self) -> Vec<EmailAddress> {
        self.operators.load().as_ref().clone()
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
    pub fn start(config: &Config, extras: &Extras, world: &Arc<World>) -> Result<Self, NotStarted> {
        let operators = ArcSwap::from_pointee(config.catalog.staff.operators.clone());
        let people = Arc::new(People { world: Arc::clone(world), operators });
        let ports = Ports {
            store: Arc::clone(&world.store),
            keys: world.keys.clone(),
            clock: world.clock.clone(),
            contacts: Arc::clone(&people) as Arc<dyn Contacts>,
        };
        Ok(Self { domains: Arc::new(Domains::new(ports, asked(config, extras)?)), people })
    }

    /// From now on these are asked, and these operators are told.
    pub fn replace(&self, asked: Asked, operators: Vec<EmailAddress>) {
        self.domains.replace(asked);
        self.people.operators.store(Arc::new(operators));
    }
}
