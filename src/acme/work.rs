//! The course of things: take over what the store has, order what is due, one name after the other.

use super::account::account;
use super::due::{pause, renewal_at};
use super::fault::Fault;
use super::order::{Goods, Show, order};
use super::vault::{AnswerRecord, Certificate, Contents, Kept};
use super::{Acme, Challenge, Wanted};
use super::{advice, answer};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::values::{EventId, Timestamp};
use crate::store::Unavailable;
use crate::web::issued::Pair;
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How often a node looks whether another one has written something: one short read.
const LOOK: Duration = Duration::from_millis(500);

/// After this every node shows an answer.
const SHOWN: Duration = Duration::from_millis(700);

/// The whole of an order; shorter than a turn.
const ORDER: Duration = Duration::from_secs(110);

/// How long to wait for somebody else's turn to end.
const NOT_OUR_TURN: Duration = Duration::from_secs(15);

/// How a name that is due has fared.
#[derive(Default)]
struct Tries {
    failures: u32,
    /// Time since boot before which it is left alone.
    not_before: Duration,
}

impl Acme {
    /// Takes over what the store has, so that it is served from the first handshake on.
    ///
    /// # Errors
    /// [`Unavailable`] when the store does not answer.
    pub async fn read(&self) -> Result<(), Unavailable> {
        let contents = self.vault.read(self.clock.now()).await?;
        self.publish(&contents);
        self.contents.store(Arc::new(contents));
        Ok(())
    }

    /// Keeps every wanted certificate valid until it is stopped. Runs where no requests are served.
    pub async fn keep_valid(self: Arc<Self>, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.look() => {}
            () = self.renew() => {}
            () = self.take_advice() => {}
        }
    }

    /// Takes over what other nodes write, and what a reload wants.
    async fn look(&self) {
        let (mut known, mut wanted) = (None, self.wanted.load_full());
        loop {
            let current = self.wanted.load_full();
            match self.vault.marker().await {
                Ok(marker) if marker == known && Arc::ptr_eq(&current, &wanted) => {}
                Ok(marker) => match self.read().await {
                    Ok(()) => (known, wanted) = (marker, current),
                    Err(why) => tracing::warn!(%why, "certificates in the store cannot be read"),
                },
                Err(why) => tracing::debug!(%why, "the store does not say whether certificates changed"),
            }
            sleep(LOOK).await;
        }
    }

    /// Orders what is due.
    async fn renew(&self) {
        let (mut tries, mut wanted) = (HashMap::<String, Tries>::new(), self.wanted.load_full());
        loop {
            let current = self.wanted.load_full();
            if !Arc::ptr_eq(&current, &wanted) {
                tries.clear();
            }
            wanted = current;
            for host in &wanted.hosts {
                if !self.is_due(host, &wanted) {
                    tries.remove(host);
                } else if tries.get(host).is_none_or(|tries| tries.not_before <= self.clock.since_boot()) {
                    self.attempt(host, &wanted, tries.entry(host.clone()).or_default()).await;
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Asks the authority when it would like certificates to be renewed.
    async fn take_advice(&self) {
        loop {
            let (wanted, contents) = (self.wanted.load_full(), self.contents.load_full());
            self.advice.keep(&wanted.hosts);
            let own = wanted.hosts.iter().filter_map(|host| Some((host, contents.certificates.get(host)?)));
            for (host, kept) in own {
                let asks = kept.value.directory == wanted.options.directory.as_str();
                if asks && self.advice.is_old(host, kept.generation, self.clock.since_boot()) {
                    let said = match leaf(&kept.value) {
                        Some(leaf) => advice::ask(&wanted, &leaf, seed(&kept.value)).await,
                        None => Ok(None),
                    };
                    self.advice.note((host, kept.generation), said, self.clock.since_boot());
                }
            }
            sleep(LOOK).await;
        }
    }

    fn is_due(&self, host: &str, wanted: &Wanted) -> bool {
        let contents = self.contents.load();
        contents.certificates.get(host).is_none_or(|kept| {
            let certificate = &kept.value;
            let now = self.clock.now();
            certificate.directory != wanted.options.directory.as_str()
                || now >= renewal_at(certificate.issued_at, certificate.ends_at, seed(certificate))
                || self.advice.is_due(host, kept.generation, now)
        })
    }

    /// One attempt for one name, with everything that is said about it.
    async fn attempt(&self, host: &str, wanted: &Wanted, tries: &mut Tries) {
        let now = self.clock.now();
        match self.vault.take_turn(host, now).await {
            Ok(true) => {}
            Ok(false) => {
                tries.not_before = self.clock.since_boot() + NOT_OUR_TURN;
                return tracing::debug!(host, "its turn is taken, or the hour's tries are");
            }
            Err(why) => {
                tries.not_before = self.clock.since_boot() + NOT_OUR_TURN;
                return tracing::warn!(host, %why, "no certificate can be ordered");
            }
        }
        let place = usize::try_from(tries.failures).unwrap_or(0) % wanted.options.challenges.len().max(1);
        let challenge = wanted.options.challenges.get(place).copied().unwrap_or(Challenge::TlsAlpn);
        tracing::info!(host, challenge = challenge.name(), directory = %wanted.options.directory, "ordering a certificate");
        let goods = Goods { directory: wanted.options.directory.as_str(), host, challenge, now };
        let done = timeout(ORDER, self.fulfil(goods, wanted)).await.unwrap_or(Err(Fault::Slow));
        if let Err(why) = self.vault.drop_answers(host, now).await {
            tracing::warn!(host, %why, "the answer to a challenge could not be taken away");
        }
        if let Err(why) = self.vault.drop_spent(&self.contents.load_full(), &wanted.hosts, now).await {
            tracing::debug!(%why, "another node was faster, or the next order does it");
        }
        match done {
            Ok(ends_at) => tracing::info!(host, ends = %ends_at, "a certificate was issued"),
            Err(fault) => self.failed(host, &fault, tries).await,
        }
    }

    /// Orders, and keeps what came.
    async fn fulfil(&self, goods: Goods<'_>, wanted: &Wanted) -> Result<Timestamp, Fault> {
        let contents = self.vault.read(goods.now).await?;
        let account = account(&self.vault, &contents, wanted, goods.now).await?;
        let certificate = order(&account, goods, self).await?;
        let mut event = self.event(Action::CertificateIssued, Outcome::Success, goods.host);
        event.before = contents.certificates.get(goods.host).map(described);
        let ends_at = certificate.ends_at;
        event.after = Some(serde_json::json!({ "host": goods.host, "ends": ends_at.to_string() }));
        let before = contents.certificates.get(goods.host).map(|kept| kept.generation);
        self.vault.put_certificate(goods.host, &certificate, before, event).await?;
        // Before it is served: whoever meets the new certificate finds it in the numbers.
        self.tally.order("issued");
        self.read().await?;
        Ok(ends_at)
    }

    async fn failed(&self, host: &str, fault: &Fault, tries: &mut Tries) {
        tries.failures = tries.failures.saturating_add(1);
        let [seed] = random();
        let wait = pause(tries.failures, seed);
        tries.not_before = self.clock.since_boot() + wait;
        let old = self.contents.load().certificates.get(host).map(|kept| kept.value.ends_at.to_string());
        let old =
            old.map_or_else(|| "there is none: its handshakes are refused".to_owned(), |end| format!("until {end}"));
        tracing::error!(host, %fault, old, again_in_seconds = wait.as_secs(), "no certificate");
        let mut event = self.event(Action::CertificateFailed, Outcome::Failure, host);
        event.reason = Some(fault.code().to_owned());
        if let Err(why) = self.vault.record(event).await {
            tracing::warn!(host, %why, "a failed order could not be recorded");
        }
        if matches!(fault, Fault::AccountGone) {
            self.forget_account().await;
        }
        self.tally.order("failed");
    }

    /// The next attempt registers anew.
    async fn forget_account(&self) {
        let generation = self.contents.load().account.as_ref().map(|kept| kept.generation);
        let Some(generation) = generation else { return };
        if let Err(why) = self.vault.drop_account(generation).await {
            tracing::warn!(%why, "the old account could not be forgotten");
        }
    }

    fn event(&self, action: Action, outcome: Outcome, host: &str) -> AuditEvent {
        let now = self.clock.now();
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, action, outcome);
        event.after = Some(serde_json::json!({ "host": host }));
        event
    }

    /// Hands everything that is wanted to the data path.
    fn publish(&self, contents: &Contents) {
        let wanted = self.wanted.load();
        let found = |host: &String| Some((host.clone(), Arc::new(pair(&contents.certificates.get(host)?.value)?)));
        let pairs: HashMap<String, Arc<Pair>> = wanted.hosts.iter().filter_map(found).collect();
        let end = |host| contents.certificates.get(host).map(|kept: &Kept<Certificate>| kept.value.ends_at);
        self.tally.ends(wanted.hosts.iter().map(|host| (host, end(host))));
        if *self.issued.certificates() != pairs {
            self.issued.put_certificates(pairs);
        }
        self.show_answers(&contents.answers);
    }

    fn show_answers(&self, records: &[Kept<AnswerRecord>]) {
        let served = records.iter().filter_map(|kept| {
            let served = answer::served(&kept.value);
            served.inspect_err(|why| tracing::error!(host = kept.value.host, %why, "no answer can be shown")).ok()
        });
        self.issued.put_answers(served.collect());
    }
}

#[async_trait]
impl Show for Acme {
    async fn show(&self, record: AnswerRecord) -> Result<(), Fault> {
        // What cannot be shown must not be asked for: an authority counts failures.
        answer::served(&record)?;
        self.vault.put_answer(&record, self.clock.now()).await?;
        self.read().await?;
        sleep(SHOWN).await;
        Ok(())
    }
}

fn described(kept: &Kept<Certificate>) -> serde_json::Value {
    serde_json::json!({ "ends": kept.value.ends_at.to_string() })
}

/// The same on every node, and different for each certificate.
fn seed(certificate: &Certificate) -> u8 {
    digest(&SHA256, certificate.chain.as_bytes()).as_ref().first().copied().unwrap_or(0)
}

fn leaf(certificate: &Certificate) -> Option<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).next()?.ok()
}

/// What is served; it was checked when it came.
fn pair(certificate: &Certificate) -> Option<Pair> {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<_, _>>().ok()?;
    Some(Pair { chain, key: certificate.key.clone_key() })
}

#[cfg(test)]
mod tests;
