//! Audit events of a login: one place that fills the envelope.

use super::world::{Visitor, World};
use crate::audit::Sampled;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Client, Outcome, PolicyStamp, Subject};
use crate::kernel::journal::Batch;
use crate::kernel::model::Directory;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EventId, Reference, Timestamp};

impl Visitor {
    /// An event of this request.
    pub(super) fn event(&self, action: Action, outcome: Outcome) -> AuditEvent {
        let id = EventId::mint(self.now, random());
        let mut event = AuditEvent::new(id, self.now, action, outcome);
        // What this program does of itself comes from nowhere.
        if !self.client.is_unspecified() {
            event.client = Some(Client { ip: self.client.to_string(), ua: self.user_agent.clone() });
        }
        event.correlation = Some(self.request_id.clone());
        event
    }
}

/// What a refusal's event says besides its code.
#[derive(Clone, Debug, Default)]
pub(super) struct Circumstances {
    pub action: Option<Action>,
    pub subject: Subject,
    pub product: Option<String>,
    pub directory: Option<String>,
    /// What people call the directory.
    pub provider: Option<String>,
    pub method: Option<String>,
    pub org: Option<String>,
    pub policy: Option<PolicyStamp>,
    pub trace: Vec<String>,
    /// Whether a provider vouched for somebody, so that this is no stranger: such events are never sampled.
    pub known: bool,
}

impl Circumstances {
    /// A refusal in which a directory was involved.
    pub(super) fn of_directory(directory: &Directory) -> Self {
        Self {
            directory: Some(directory.name.to_string()),
            provider: Some(directory.label.clone()),
            org: directory.org().map(ToString::to_string),
            ..Self::default()
        }
    }
}

impl World {
    /// Records a refusal and returns the reference that the person gets to see.
    ///
    /// Refusals of strangers are sampled (rule M15), and a store that does not answer cannot hold a refusal up: nobody is
    /// admitted by one, so the log line is then all there is.
    pub(super) async fn record_refusal(&self, visitor: &Visitor, refusal: Refusal, about: Circumstances) -> Reference {
        let reference = Reference::new(random());
        self.tally.login_refused(refusal.code());
        let whole =
            about.known || matches!(self.sampler.take(refusal.code(), visitor.client, visitor.now), Sampled::Whole);
        tracing::info!(code = refusal.code(), %reference, request = visitor.request_id, "login refused");
        if whole {
            let mut event =
                visitor.event(about.action.unwrap_or(Action::LoginDenied), Outcome::Refused).with_reference(reference);
            event.reason = Some(refusal.code().to_owned());
            event.subject = about.subject;
            event.product = about.product;
            event.directory = about.directory;
            event.method = about.method;
            event.org = about.org;
            event.policy = about.policy;
            event.trace = about.trace;
            let batch = Batch { events: vec![event], ..Batch::default() };
            if let Err(fault) = self.store.commit(batch).await {
                tracing::warn!(%fault, %reference, "a refusal could not be recorded");
            }
        }
        reference
    }

    /// A fault: logged with the reference that the person sees, and nothing else is said.
    pub(super) fn fault(&self, visitor: &Visitor, fault: &dyn std::fmt::Display) -> (Reference, Timestamp) {
        let reference = Reference::new(random());
        tracing::error!(%fault, %reference, request = visitor.request_id, "login failed");
        self.tally.login_refused("fault");
        (reference, visitor.now)
    }
}
