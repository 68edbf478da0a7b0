//! The audit log of an organization, and the one line of an explanation.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::scope::Scope;
use super::shapes::{Event, Explanation, Page};
use crate::kernel::event::{AboutPerson, AuditEvent};
use crate::kernel::journal::Reach;
use crate::kernel::values::OrgName;
use serde_json::Value;

/// Events that one request looks through at most; the answer then says where to go on.
const LOOKED_THROUGH: usize = 5_000;
/// Read at once.
const READ: usize = 500;

impl Admin {
    pub(super) async fn search_events(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (org, limit) = (call.org()?, call.limit()?);
        let mut before = call.after(|text| text.parse().ok())?.unwrap_or(u64::MAX);
        let person = call.query.get("person").map(|email| AboutPerson::at(email));
        let (mut items, mut looked) = (Vec::new(), 0);
        let mut more = true;
        while more && items.len() < limit && looked < LOOKED_THROUGH {
            let page = match &person {
                Some(person) => self.world.store.events_about(person, before, READ).await?,
                None => self.world.store.events_of_org(org, before, READ).await?,
            };
            more = page.len() == READ;
            for logged in page {
                if items.len() == limit {
                    more = true;
                    break;
                }
                (before, looked) = (logged.position, looked + 1);
                let event: Value = serde_json::from_slice(&logged.bytes).map_err(|why| Problem::fault(&why))?;
                // A person's events are found by the person alone: others' organizations are not this reader's.
                let is_here = event.get("org").and_then(Value::as_str) == Some(org.as_str());
                if is_here && is_wanted(&event, (call, person.as_ref())) {
                    items.push(Event { position: logged.position, event });
                }
            }
        }
        Reply::of(&Page { items, next: more.then(|| before.to_string()) })
    }

    /// By the reference of the page that the person saw.
    pub(super) async fn explain(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let reference = call.name(0)?.to_ascii_uppercase();
        let events = self.world.store.events_by_reference(&reference).await?;
        let seen = events.iter().find(|event| {
            let org = event.org.as_deref().and_then(|org| OrgName::parse(org).ok());
            match org {
                Some(org) => call.who.may_at(Scope::ExplainRead, &Reach::Org(org)),
                None => call.who.may_everywhere(Scope::ExplainRead),
            }
        });
        Reply::of(&Explanation { line: line(seen.ok_or_else(Problem::not_found)?) })
    }
}

fn is_wanted(event: &Value, (call, person): (&Call<'_>, Option<&AboutPerson>)) -> bool {
    let is = |path: &str, wanted: &str| event.pointer(path).and_then(Value::as_str) == Some(wanted);
    let says = |name: &str, path: &str| call.query.get(name).is_none_or(|wanted| is(path, wanted));
    let is_theirs =
        person.is_none_or(|person| person.email.as_deref().is_some_and(|email| is("/subject/email", email)));
    let since = call.query.get("since");
    let young =
        since.is_none_or(|since| event.get("time").and_then(Value::as_str).is_some_and(|time| time >= since.as_str()));
    is_theirs && says("action", "/action") && says("outcome", "/outcome") && young
}

/// Nothing of the person and nothing of the rules: what happened, when, and by which code the log knows more.
pub(super) fn line(event: &AuditEvent) -> String {
    let why = event.reason.as_deref().unwrap_or("no reason was recorded");
    let at = event.product.as_deref().map(|product| format!(" at {product}")).unwrap_or_default();
    let by =
        event.directory.as_deref().map(|directory| format!(", signing in through {directory}")).unwrap_or_default();
    let outcome = match event.outcome {
        crate::kernel::event::Outcome::Success => "was let in",
        crate::kernel::event::Outcome::Refused => "was refused",
        crate::kernel::event::Outcome::Failure => "met a fault",
    };
    format!("On {} the person {outcome}{at}{by}: {why}.", event.time)
}
