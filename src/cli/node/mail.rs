//! What sends letters: by the configured server, or as files in the state folder.

use super::{Extras, NotStarted, extra_roots};
use crate::config::Config;
use crate::idp::saml::{KeyLetters, KeyNews};
use crate::kernel::values::EmailAddress;
use crate::language::Languages;
use crate::login::World;
use crate::mail::{Files, Letter, Ports, Post, Setup, Smtp, Transport, Way, queue};
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
    (seeing, languages): (&Arc<Seeing>, &Arc<Languages>),
) -> Result<Arc<Post>, NotStarted> {
    let ports = Ports {
        store: Arc::clone(&world.store),
        keys: world.keys.clone(),
        clock: world.clock.clone(),
        seeing: Arc::clone(seeing),
        languages: Arc::clone(languages),
    };
    let post = Post::new(ports, setup(config, extras)?).map_err(|why| NotStarted(why.to_string()))?;
    Ok(Arc::new(post))
}

/// What admins read about a provider's keys (rule M5, N9): those of its organization, and the operators.
pub(super) fn key_letters(world: &Arc<World>) -> KeyLetters {
    // The world owns the providers that call this: held strongly, it would never be let go.
    let world = Arc::downgrade(world);
    Arc::new(move |directory, news, now| {
        let (Some(world), Some(org)) = (world.upgrade(), directory.org()) else { return Ok(Vec::new()) };
        let effective = world.orgs.effective();
        let admins = effective.orgs.iter().filter(|known| known.name == *org).flat_map(|known| &known.admins);
        let mut to: Vec<EmailAddress> = admins.chain(&effective.staff.operators).cloned().collect();
        to.sort();
        to.dedup();
        let (org, directory) = (org.clone(), directory.name.to_string());
        let letter = match news {
            KeyNews::New => Letter::ProviderKey { org, directory, at: now },
            KeyNews::Ends { at, ended } => Letter::KeyExpiry { org, directory, at, ended },
        };
        let letters: Vec<_> = to.into_iter().map(|admin| (admin, letter.clone())).collect();
        if letters.is_empty() {
            return Ok(Vec::new());
        }
        queue(&world.keys, now, &letters, None).map(|change| vec![change]).map_err(|fault| fault.to_string())
    })
}
