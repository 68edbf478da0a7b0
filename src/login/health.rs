//! How providers and the session cache fare, for metrics: looked at by the back room, never by a request.

use super::live::Live;
use super::tally::Tally;
use super::world::World;

/// What is known of the providers, told to the metrics.
pub(super) fn tell(live: &Live, world: &World) {
    let tally: &Tally = &world.tally;
    for directory in world.catalog.load().directories.values() {
        let Some(health) = world.providers.health(directory) else { continue };
        let age = health.age.map_or(-1.0, |age| age.as_secs_f64());
        let failing = health.last_error.is_some_and(|(when, _)| health.last_ok.is_none_or(|ok| when > ok));
        tally.provider(&directory.name.to_string(), !failing, age);
    }
    tally.cached_sessions(live.cached_sessions());
}
