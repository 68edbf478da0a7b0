//! A response that would log somebody in, shown to the second verifier (rule H11).

use super::opinion::{Asked, SecondOpinion, Standing};
use super::provider::Provider;
use super::{Desk, SamlProviders};
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::model::Directory;
use crate::kernel::saml::{Received, SamlFault};
use crate::kernel::values::EventId;
use std::sync::Arc;

impl SamlProviders {
    /// How many logins get a second opinion from now on.
    pub fn second_opinion(&self, level: SecondOpinion) {
        self.0.opinions.set(level);
    }

    /// Starts the first process of the second opinion and says what holds, in the log too. Blocks: not for a request loop.
    pub fn try_second_opinion(&self) -> Standing {
        self.0.opinions.try_out()
    }
}

impl Desk {
    /// Has a second verifier look at a response that would log somebody in (rule H11).
    pub(super) async fn consult(
        &self,
        directory: &Directory,
        provider: &Provider,
        received: &Received,
    ) -> Result<(), SamlFault> {
        let exhibit = received.exhibit();
        let certificates = exhibit.certificates(&provider.metadata.keys).ok_or(SamlFault::NoSecondOpinion)?;
        let certificates = certificates.into_iter().map(<[u8]>::to_vec).collect();
        let slot = self.slot(directory.id);
        let _turn = slot.consulting.acquire().await.map_err(|_| SamlFault::NoSecondOpinion)?;
        let [draw] = random();
        let asked = self.opinions.ask(exhibit.document.clone(), certificates, draw).await;
        let differences = match asked.map_err(|_| SamlFault::NoSecondOpinion)? {
            Asked::Nobody => return Ok(()),
            Asked::Read(opinion) => received.differences(&opinion),
            Asked::Refused(why) => {
                tracing::error!(directory = %directory.name, why, "the second opinion refuses what was verified");
                vec!["signature"]
            }
        };
        if differences.is_empty() {
            return Ok(());
        }
        let opinions = Arc::clone(&self.opinions);
        self.background.spawn_blocking(move || opinions.dismiss());
        self.verifiers_differ(directory, provider, &differences).await;
        Err(SamlFault::SecondOpinion)
    }

    /// Writes down that two verifiers read one message differently: one of them is wrong, and somebody may know which.
    async fn verifiers_differ(&self, directory: &Directory, provider: &Provider, differences: &[&str]) {
        let now = self.clock.now();
        tracing::error!(directory = %directory.name, ?differences, "two verifiers read a SAML response differently");
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::VerifiersDiffer, Outcome::Refused);
        event.directory = Some(directory.name.to_string());
        event.org = directory.org().map(ToString::to_string);
        event.reason = Some(SamlFault::SecondOpinion.code().to_owned());
        event.after = Some(serde_json::json!({ "entity_id": provider.metadata.entity_id, "differences": differences }));
        let batch = Batch { events: vec![event], ..Batch::default() };
        // The login is refused whatever becomes of this, and the log has it.
        if let Err(fault) = self.store.commit(batch).await {
            tracing::error!(%fault, "that could not be recorded");
        }
    }
}
