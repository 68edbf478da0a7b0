//! Asking an upstream for its health: one loop in the whole process asks all of them, the cores read what it found.
//!
//! A probe carries no identity and opens a connection of its own: what is asked is whether a new client would be served.

use super::links::Found;
use super::pool::{Lane, Pool};
use super::standing::Standing;
use crate::gateway::core::Shared;
use crate::gateway::options::{Health, Options, Site, Upstream};
use crate::gateway::upload::Upload;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A question to an upstream outside the path of requests.
#[derive(Clone, Debug)]
pub struct Probe<'a> {
    /// Path and query to GET.
    pub path: &'a str,
    /// Fields besides `Host` and `User-Agent`.
    pub fields: Vec<(HeaderName, HeaderValue)>,
    /// How long the head of the answer may take, connecting included.
    pub timeout: Duration,
}

/// Asks one of a product's upstreams by a connection of its own. Needs a tokio runtime.
///
/// # Errors
/// No connection, no answer, or none in time.
pub async fn probe(site: &Site, upstream: &Upstream, probe: &Probe<'_>) -> io::Result<StatusCode> {
    let lane = Pool::default().lane(upstream, site.reach.tls.as_ref());
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    timeout(probe.timeout, ask(&lane, site, probe)).await.map_err(late)?
}

async fn ask(lane: &Lane, site: &Site, probe: &Probe<'_>) -> io::Result<StatusCode> {
    let host = site.upstream_host.clone().unwrap_or_else(|| site.host.to_string());
    let wrong = |_| io::Error::new(io::ErrorKind::InvalidInput, "the path or the host cannot be asked for");
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| wrong(()))?);
    headers.insert(header::USER_AGENT, HeaderValue::from_static("fedgate"));
    headers.extend(probe.fields.iter().cloned());
    let mut request = Request::new(Upload::none());
    *request.headers_mut() = headers;
    *request.uri_mut() = probe.path.parse::<Uri>().map_err(|_| wrong(()))?;
    let found = match lane.multiplexes() {
        true => lane.board(probe.timeout).await?,
        false => Found::Alone(lane.connect(probe.timeout, false).await?),
    };
    let answer = match found {
        Found::Alone(mut connection) => connection.sender.send_request(request).await,
        Found::Shared(mut ride) => {
            super::form::for_http2(&mut request, lane.scheme(), None).map_err(|_| wrong(()))?;
            ride.sender.send_request(request).await
        }
    };
    answer.map(|answer| answer.status()).map_err(io::Error::other)
}

/// The loop.
pub(in crate::gateway) struct Probes {
    pub(in crate::gateway) shared: Arc<Shared>,
    pub(in crate::gateway) options: Arc<Mutex<Options>>,
}

impl Probes {
    /// Asks every upstream as its product says, until the process ends; a reload begins anew. Without health checks nothing
    /// wakes up.
    pub(in crate::gateway) async fn run(self, kill: CancellationToken) {
        loop {
            // Dropped with all its tasks by the next round.
            let mut asking = JoinSet::new();
            for site in self.sites() {
                for upstream in &site.upstreams {
                    let standing = self.shared.upstreams.standing(&site.product.name, upstream);
                    if site.upstreams.len() == 1 {
                        // It may have been one of several before.
                        standing.worked();
                    }
                    match &site.reach.health {
                        Some(health) => drop(asking.spawn(keep_asking(
                            Arc::clone(&site),
                            upstream.clone(),
                            health.clone(),
                            standing,
                        ))),
                        // The checks that put it out are gone.
                        None => standing.checked(true),
                    }
                }
            }
            tokio::select! {
                () = kill.cancelled() => return,
                () = self.shared.upstreams.changed.notified() => {}
            }
        }
    }

    fn sites(&self) -> Vec<Arc<Site>> {
        let options = self.options.lock().unwrap_or_else(PoisonError::into_inner);
        options.sites.values().cloned().collect()
    }
}

async fn keep_asking(site: Arc<Site>, upstream: Upstream, health: Health, standing: Arc<Standing>) {
    let mut row = Row::default();
    loop {
        let question = Probe { path: &health.path, fields: Vec::new(), timeout: health.timeout };
        let answer = probe(&site, &upstream, &question).await;
        let passed = matches!(&answer, Ok(status) if status.as_u16() == health.status);
        if let Some(healthy) = row.count(passed, &health) {
            standing.checked(healthy);
            let product = &site.product.name;
            tracing::warn!(%product, %upstream, ?answer, healthy, "an upstream's health has changed");
        }
        sleep(health.every).await;
    }
}

/// Answers in a row, and what they come to.
#[derive(Default)]
struct Row {
    passed: bool,
    length: u32,
    is_out: bool,
}

impl Row {
    /// Whether it is healthy now, when that has changed.
    fn count(&mut self, passed: bool, health: &Health) -> Option<bool> {
        self.length = if self.passed == passed { self.length.saturating_add(1) } else { 1 };
        self.passed = passed;
        let wanted = if passed { health.passes } else { health.fails };
        let changes = self.length >= wanted && self.is_out == passed;
        self.is_out ^= changes;
        changes.then_some(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_row_change_it_and_a_single_one_does_not() {
        let health = Health {
            path: "/".into(),
            every: Duration::ZERO,
            timeout: Duration::ZERO,
            fails: 3,
            passes: 2,
            status: 200,
        };
        let mut row = Row::default();
        let said: Vec<Option<bool>> = "+--+---+-++-".chars().map(|one| row.count(one == '+', &health)).collect();
        let mut expected = vec![None; 12];
        expected[6] = Some(false);
        expected[10] = Some(true);
        assert_eq!(said, expected);
    }
}
