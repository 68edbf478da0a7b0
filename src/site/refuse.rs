//! Refusals that no login is behind: of the data path, and of requests for our own pages that make no sense.

use super::render;
use super::{Site, texts};
use crate::audit::Sampled;
use crate::entropy::random;
use crate::kernel::event::{Action, AuditEvent, Client, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::refusal::Refusal;
use crate::kernel::values::{EventId, Language, Reference};
use crate::login::{Refused, Visitor};
use crate::pages::Reader;
use crate::web::{PageRequest, Place, Turned};
use bytes::Bytes;
use http::{Response, StatusCode};
use std::sync::Arc;

impl Site {
    /// Refuses a request for one of our own pages.
    pub(super) async fn refuse_request(
        &self,
        request: &PageRequest,
        visitor: &Visitor,
        refusal: Refusal,
    ) -> Response<Bytes> {
        self.turn_away(Turned {
            refusal,
            product: match &request.place {
                Place::Login => None,
                Place::Product { product, .. } => Some(Arc::clone(product)),
            },
            page: Self::wants_page(request),
            login_url: None,
            kept: None,
            client: visitor.client,
            request_id: visitor.request_id.clone(),
            now: visitor.now,
            wishes: visitor.wishes.clone(),
        })
    }

    pub(super) fn not_found(&self, request: &PageRequest) -> Response<Bytes> {
        tracing::debug!(path = request.head.uri.path(), "no such page of ours");
        render::empty(StatusCode::NOT_FOUND)
    }

    /// Records a refusal of the data path, sampled (rule M15), and renders it with its reference.
    pub(super) fn turn_away(&self, turned: Turned) -> Response<Bytes> {
        let reference = Reference::new(random());
        let world = self.login.world();
        // Asking for a login, or for a proof of just now, is no refusal worth an event: every first request of everybody is one.
        let is_news = !matches!(turned.refusal, Refusal::LoginRequired | Refusal::StepUp);
        if is_news && matches!(world.sampler.take(turned.refusal.code(), turned.client, turned.now), Sampled::Whole) {
            self.record(&turned, reference);
        }
        if !turned.page {
            let status = texts::status(turned.refusal);
            let title = self.pages.say(&texts::title(turned.refusal), &Language::english()).unwrap_or_default();
            let mut problem = serde_json::json!({
                    "type": "about:blank",
                    "title": title,
                    "status": status.as_u16(),
                    "code": turned.refusal.code(),
                    "ref": reference.to_string(),
                    "time": turned.now.to_string(),
                    "login_url": turned.login_url,
            });
            if let Some(kept) = turned.kept {
                super::replay::tell(&mut problem, kept, |text| self.pages.say(text, &Language::english()));
            }
            return render::problem(status, &problem);
        }
        let refused = Refused {
            refusal: turned.refusal,
            reference,
            at: turned.now,
            product: turned.product,
            provider: None,
            again: None,
            to: None,
        };
        let step = crate::login::Step::Refused(refused);
        let answer = crate::login::Answer { step, cookies: Vec::new(), clear_site: false };
        let reader = Reader { language: self.pages.choose(&turned.wishes), picker: None };
        self.respond_to(answer, render::At::Login, &reader)
    }

    /// Refusals of strangers are written beside the answer: nobody is admitted by one, so it need not wait.
    fn record(&self, turned: &Turned, reference: Reference) {
        let action = match turned.refusal {
            Refusal::Credential => Action::TokenBlocked,
            _ => Action::RequestRefused,
        };
        let id = EventId::mint(turned.now, random());
        let mut event = AuditEvent::new(id, turned.now, action, Outcome::Refused).with_reference(reference);
        event.reason = Some(turned.refusal.code().to_owned());
        event.product = turned.product.as_ref().map(|product| product.name.to_string());
        event.client = Some(Client { ip: turned.client.to_string(), ua: None });
        event.correlation = Some(turned.request_id.clone());
        let store = Arc::clone(&self.login.world().store);
        tokio::spawn(async move {
            if let Err(fault) = store.commit(Batch { events: vec![event], ..Batch::default() }).await {
                tracing::warn!(%fault, %reference, "a refusal could not be recorded");
            }
        });
    }
}
