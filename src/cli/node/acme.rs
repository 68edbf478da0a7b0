//! Certificates from an authority, where the configuration wants them.

use super::{Extras, NotStarted, client};
use crate::acme::{Acme, Ports, Wanted};
use crate::config::Config;
use crate::login::World;
use crate::seeing::Seeing;
use crate::web::issued::Issued;
use std::sync::Arc;
use std::time::Duration;

/// Authorities take longer than providers: some answer an order only when it is done.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the configuration wants ordered; nothing without `tls = "acme"`.
pub(in crate::cli) fn wanted(config: &Config, extras: &Extras) -> Result<Option<Wanted>, NotStarted> {
    let Some(options) = config.acme.clone() else { return Ok(None) };
    let outbound = client(config, extras, options.ca_file.as_deref(), (Some(DEADLINE), None))?;
    Ok(Some(Wanted { options, outbound, hosts: config.gateway.host_names() }))
}

/// Takes over what the store has; the rest is ordered in the back room.
pub(super) async fn start(
    config: &Config,
    extras: &Extras,
    world: &World,
    (issued, seeing): (&Arc<Issued>, &Arc<Seeing>),
) -> Result<Option<Arc<Acme>>, NotStarted> {
    let Some(wanted) = wanted(config, extras)? else { return Ok(None) };
    let ports = Ports {
        store: Arc::clone(&world.store),
        kek: world.kek.clone(),
        clock: world.clock.clone(),
        issued: Arc::clone(issued),
        seeing: Arc::clone(seeing),
    };
    let acme = Acme::new(ports, wanted);
    acme.read().await.map_err(|why| NotStarted::new("certificates in the store cannot be read", &why))?;
    Ok(Some(Arc::new(acme)))
}
