//! Security events that are fetched (RFC 8936), for directories whose transmitter does not push them: each is carried out as if it had come
//! to the door, with the address of that door as its audience.
//!
//! Every node asks. Which of them hears an event first does not matter: it counts once in the cluster, the others read the word of it in
//! the log of revocations, and an event that two of them got is acknowledged by both. What could not be carried out is not acknowledged,
//! and comes again.

use super::signal::{Acted, Arrived};
use super::world::Visitor;
use super::{Cookies, Login};
use crate::entropy::random;
use crate::kernel::model::{Directory, Polled};
use crate::kernel::oidc::{Settled, SignalDoor, SignalFault, SignalKind};
use crate::kernel::values::{DirectoryId, EventId, Language, Timestamp, Wishes};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often it is looked whether directories came or went.
const LOOK: Duration = Duration::from_secs(1);
/// Between two questions at least, whatever came.
const BREATH: Duration = Duration::from_millis(100);
/// After questions that failed one after the other, at most.
const LONGEST: Duration = Duration::from_secs(5);

impl Visitor {
    /// Nobody asked: what is done is done by this program, in a turn of this name.
    pub(super) fn program(now: Timestamp) -> Self {
        Self {
            cookies: Cookies::default(),
            client: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            user_agent: None,
            request_id: EventId::mint(now, random()).to_string(),
            now,
            language: Language::english(),
            wishes: Wishes::default(),
            back: None,
        }
    }
}

impl Login {
    /// Asks the transmitters of the configuration that holds, until stopped.
    pub async fn keep_polling(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let mut running: HashMap<DirectoryId, (Arc<Directory>, CancellationToken)> = HashMap::new();
        while !stop.is_cancelled() {
            let catalog = self.world.catalog.load_full();
            running.retain(|id, (asked, over)| {
                let same = catalog.directories.get(id).is_some_and(|now| Arc::ptr_eq(now, asked));
                if !same {
                    over.cancel();
                }
                same
            });
            for (id, directory) in &catalog.directories {
                if directory.transmitter.as_ref().is_some_and(|one| one.polled.is_some()) && !running.contains_key(id) {
                    let over = stop.child_token();
                    running.insert(*id, (Arc::clone(directory), over.clone()));
                    tasks.spawn(self.clone().poll(Arc::clone(directory), over));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = stop.cancelled() => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    async fn poll(self, directory: Arc<Directory>, stop: CancellationToken) {
        let Some(transmitter) = &directory.transmitter else { return };
        let Some(polled) = &transmitter.polled else { return };
        let (mut settled, mut failed) = (Settled::default(), None::<Duration>);
        loop {
            let began = self.world.clock.since_boot();
            let asked = tokio::select! {
                asked = self.world.providers.poll(transmitter, polled, &settled) => asked,
                () = stop.cancelled() => return,
            };
            let pause = match asked {
                Ok(found) => {
                    if failed.take().is_some() {
                        tracing::info!(directory = %directory.name, "the transmitter of security events answers again");
                    }
                    settled = self.settle_events(&directory, &found.events).await;
                    let came = !settled.is_empty() || (found.more && found.events.is_empty());
                    let passed = self.world.clock.since_boot().saturating_sub(began);
                    if came { BREATH } else { pause(polled, passed) }
                }
                Err(fault) => {
                    // Told once for each time that it fails, not for each question.
                    if failed.is_none() {
                        tracing::warn!(directory = %directory.name, %fault, "security events cannot be fetched");
                    }
                    let pause = failed.map_or(polled.every, |pause| pause.saturating_mul(2)).min(LONGEST);
                    failed = Some(pause);
                    pause
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Carries events out, one after the other, and says what became of each; what is not named comes again.
    async fn settle_events(&self, directory: &Directory, events: &[(String, String)]) -> Settled {
        let login = self.world.catalog.load().login.url();
        let address = format!("{login}{}", SignalKind::Event.path(&directory.name));
        let mut settled = Settled::default();
        for (name, token) in events {
            let door = SignalDoor { kind: SignalKind::Event, address: &address };
            let visitor = Visitor::program(self.world.clock.now());
            let acted = self.on_signal(&visitor, directory, Arrived { door, token, body: &[] }).await;
            settle(&mut settled, name, acted);
        }
        settled
    }
}

/// A transmitter that took its time is asked again at once.
fn pause(polled: &Polled, passed: Duration) -> Duration {
    polled.every.saturating_sub(passed).max(BREATH)
}

/// What the transmitter is told of an event. What could not be carried out is not named: it comes again.
fn settle(settled: &mut Settled, name: &str, acted: Acted) {
    match acted {
        // Delivered twice is delivered.
        Acted::Done | Acted::Refused(SignalFault::Replayed) => settled.done.push(name.to_owned()),
        Acted::Later | Acted::Refused(SignalFault::Rate) => {}
        Acted::Refused(fault) => {
            settled.refused.insert(name.to_owned(), (fault.err(), fault.code()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h5_only_what_is_durable_is_acknowledged_and_only_what_does_not_hold_is_refused() {
        let mut settled = Settled::default();
        for (name, acted) in [
            ("done", Acted::Done),
            ("again", Acted::Refused(SignalFault::Replayed)),
            ("later", Acted::Later),
            ("rate", Acted::Refused(SignalFault::Rate)),
            ("wrong", Acted::Refused(SignalFault::Signature)),
        ] {
            settle(&mut settled, name, acted);
        }
        assert_eq!(settled.done, ["done", "again"]);
        let refused: Vec<_> = settled.refused.iter().map(|(name, why)| (name.as_str(), why.0)).collect();
        assert_eq!(refused, [("wrong", "invalid_key")]);
    }
}
