//! The login session of a request on the login host.

use super::cookies;
use super::world::{Visitor, World};
use super::{Login, Person, Stop};
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::Batch;
use crate::kernel::live::{Live as Standing, LoginFacts, login_live};
use crate::kernel::model::{Account, LinkedIdentity, LoginSession};
use crate::kernel::values::{EmailAddress, Reference, Token};

/// A live login session and its person, read from the store now.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub session: LoginSession,
    pub account: Account,
    pub identities: Vec<LinkedIdentity>,
    /// Proved addresses besides the live one (rule C3).
    pub further: Vec<EmailAddress>,
}

impl Current {
    pub(super) fn person(&self) -> Person {
        person(&self.account)
    }
}

/// Who to show for an account.
pub(super) fn person(account: &Account) -> Person {
    Person {
        name: account.name.clone().unwrap_or_default(),
        email: account.email.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

impl Login {
    /// The login session that the request's cookie names, if it lives.
    pub(super) async fn current(&self, visitor: &Visitor) -> Result<Option<Current>, Stop> {
        let token = visitor.cookies.one(cookies::SESSION).and_then(|text| Token::parse(text.as_bytes()));
        let Some(token) = token else { return Ok(None) };
        let key = self.world.keys.session_key(&token);
        let Some(session) = self.world.store.login_session(&key).await? else { return Ok(None) };
        self.resume(visitor, session).await
    }

    /// A login session's person, if the session is whole (rule H12) and lives (phase C). One that is good for one product alone is
    /// nobody's at the login host, and hands nothing over.
    pub(super) async fn resume(&self, visitor: &Visitor, session: LoginSession) -> Result<Option<Current>, Stop> {
        if session.confined_to.is_some() {
            return Ok(None);
        }
        if !self.world.keys.holds_login(&session) {
            self.world.violated(visitor, "login session").await?;
            return Ok(None);
        }
        let Some(account) = self.world.store.account(session.account).await? else { return Ok(None) };
        let catalog = self.world.catalog.load_full();
        let session = self.live.with_activity(session);
        let further = self.world.store.proved_addresses_of(account.id).await?;
        let facts =
            LoginFacts { now: visitor.now, catalog: &catalog, login: &session, account: &account, further: &further };
        if !matches!(login_live(&facts), Standing::Continue { .. }) {
            return Ok(None);
        }
        let identities = self.world.store.identities_of(account.id).await?;
        Ok(Some(Current { session, account, identities, further }))
    }
}

impl World {
    /// A stored row whose MAC does not hold: somebody wrote to the database (rule H12). It opens nothing, and is recorded.
    pub(super) async fn violated(&self, visitor: &Visitor, what: &str) -> Result<(), Stop> {
        let reference = Reference::new(random());
        tracing::error!(what, %reference, "a stored row's MAC does not hold");
        let mut event = visitor.event(Action::IntegrityViolated, Outcome::Refused).with_reference(reference);
        event.reason = Some(what.to_owned());
        self.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(())
    }
}
