//! Paths that ask for a proof of just now (rule M6): a person is led to the step, everybody else gets 401 and its address (rule H15).

use super::super::answer::{self, Answer};
use super::super::table::Target;
use super::{Step, asks_upgrade, declared};
use crate::kernel::live::step_up::is_fresh;
use crate::kernel::refusal::Refusal;
use crate::kernel::request::intent;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Wishes;
use crate::web::{LiveSession, Turned};
use http::{HeaderMap, Method, StatusCode, header};
use std::sync::Arc;

impl Target {
    /// Whether a path asks for it. Such a path is open to nobody without a session, whatever else stands in the file.
    pub(in crate::gateway) fn asks_step(&self, path: &NormalPath<'_>) -> bool {
        self.site.product.step_up.as_ref().is_some_and(|asked| asked.asks(path))
    }
}

impl Step<'_> {
    /// What a session is answered whose proof is too old for this path; `None`: the request goes on. After the step a person comes
    /// back to `return_to`, a path of this host.
    pub(in crate::gateway) fn step_up(
        &self,
        (method, headers): (&Method, &HeaderMap),
        (path, return_to): (&NormalPath<'_>, &str),
        target: &Arc<Target>,
        live: &LiveSession,
    ) -> Option<Answer> {
        let asked = target.site.product.step_up.as_ref().filter(|asked| asked.asks(path))?;
        // No grace for such paths: what is remembered may be over by now (rule M2).
        if !self.line.core.shared.sessions.is_current() {
            return Some(answer::unavailable(self.id()));
        }
        if is_fresh(live.proved_at(), asked.within, self.now) {
            return None;
        }
        let said = declared(headers);
        let by_person = said.is_navigation() && !headers.contains_key(header::AUTHORIZATION) && !asks_upgrade(headers);
        if !by_person {
            return Some(self.refuse_step(target));
        }
        let safe = intent::is_safe(method.as_str());
        let status = if safe { StatusCode::FOUND } else { StatusCode::SEE_OTHER };
        let login = super::login_path(return_to);
        let to = login.replacen("/.fedgate/login?", "/.fedgate/step-up?", 1);
        Some(answer::redirect(status, &to, self.id()))
    }

    fn refuse_step(&self, target: &Arc<Target>) -> Answer {
        let turned = Turned {
            refusal: Refusal::StepUp,
            product: Some(Arc::clone(&target.site.product)),
            page: false,
            login_url: Some(format!("{}/.fedgate/step-up", self.entry.url)),
            kept: None,
            client: self.client,
            request_id: self.id().to_owned(),
            now: self.now,
            // A script is answered: in English.
            wishes: Wishes::default(),
        };
        answer::page(self.line.core.shared.routes.refuse(turned))
    }
}
