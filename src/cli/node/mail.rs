//! What sends letters: by the configured server, or as files in the state folder.

use super::{Extras, NotStarted, extra_roots};
use crate::config::Config;
use crate::login::World;
use crate::mail::{Files, Ports, Post, Setup, Smtp, Transport, Way};
use crate::outbound::Roots;
use crate::seeing::Seeing;
use std::sync::Arc;

/// The way that the configuration names.
pub(super) fn setup(config: &Config, extras: &Extras) -> Result<Setup, NotStarted> {
    let transport: Box<dyn Transport> = match &config.mail.way {
        Way::Files(folder) => Box::new(Files::new(folder.clone())),
        Way::Smtp(options) => {
            let roots = extra_roots(extras, config.outbound.ca_file.as_deref())?;
            let wrong = |why: &dyn std::fmt::Display| NotStarted::new("mail cannot be sent", why);
            let roots = Roots::read(roots.as_deref()).map_err(|why| wrong(&why))?;
            Box::new(Smtp::new(options, &roots, config.login.host()).map_err(|why| wrong(&why))?)
        }
    };
    Ok(Setup { transport, from: config.mail.from.clone(), login: config.login.clone() })
}

/// Ready to send; it begins in the back room.
pub(super) fn start(
    config: &Config,
    extras: &Extras,
    world: &World,
    seeing: &Arc<Seeing>,
) -> Result<Arc<Post>, NotStarted> {
    let ports = Ports {
        store: Arc::clone(&world.store),
        keys: world.keys.clone(),
        clock: world.clock.clone(),
        seeing: Arc::clone(seeing),
    };
    let post = Post::new(ports, setup(config, extras)?).map_err(|why| NotStarted(why.to_string()))?;
    Ok(Arc::new(post))
}
