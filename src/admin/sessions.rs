//! Login sessions of a person whom the organization manages: seen, and ended.

use super::Admin;
use super::answer::{Problem, Reply};
use super::call::Call;
use super::people::unknown;
use super::shapes::{Page, Session};
use crate::kernel::event::Action;
use crate::kernel::journal::Batch;
use crate::kernel::model::{Account, LoginSession};
use crate::kernel::values::LoginSessionId;

/// Why a session ended, in events.
const REASON: &str = "revoked-by-admin";

impl Admin {
    pub(super) async fn list_sessions(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (person, limit) = (self.managed(call).await?, call.limit()?);
        let after = call.after(|text| LoginSessionId::parse(text).ok())?;
        let catalog = self.world.catalog.load();
        let mut found = self.world.store.login_sessions_of(person.id).await?;
        // Newest first; ids sort by age.
        found.sort_by_key(|session| std::cmp::Reverse(session.id));
        found.retain(|session| session.abs_at > call.request.now && after.is_none_or(|after| session.id < after));
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.id.to_string());
        let directory =
            |session: &LoginSession| catalog.directories.get(&session.directory).map(|known| known.name.to_string());
        let items: Vec<Session> = found.iter().map(|session| shown(session, directory(session))).collect();
        Reply::of(&Page { items, next })
    }

    pub(super) async fn end_sessions(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let person = self.managed(call).await?;
        let sessions = self.world.store.login_sessions_of(person.id).await?;
        self.end(call, &person, &sessions).await
    }

    pub(super) async fn end_session(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let person = self.managed(call).await?;
        let id = LoginSessionId::parse(call.name(1)?).map_err(|_| Problem::not_found())?;
        let mut sessions = self.world.store.login_sessions_of(person.id).await?;
        sessions.retain(|session| session.id == id);
        if sessions.is_empty() {
            return Err(Problem::not_found());
        }
        self.end(call, &person, &sessions).await
    }

    async fn end(&self, call: &Call<'_>, person: &Account, sessions: &[LoginSession]) -> Result<Reply, Problem> {
        let mut batch = Batch::default();
        for session in sessions {
            batch.end_login_session(session.id);
            let mut event = self.about(call, Action::SessionEnded, person)?;
            event.reason = Some(REASON.to_owned());
            event.txn = Some(session.id.to_string());
            batch.events.push(event);
        }
        if !batch.changes.is_empty() {
            self.world.store.commit(batch).await?;
        }
        Ok(Reply::done())
    }
}

fn shown(session: &LoginSession, directory: Option<String>) -> Session {
    Session {
        id: session.id.to_string(),
        method: session.method.code().to_owned(),
        directory: directory.unwrap_or_else(unknown),
        since: session.created_at.to_string(),
        last_seen: session.last_seen.to_string(),
        ends: session.abs_at.to_string(),
    }
}
