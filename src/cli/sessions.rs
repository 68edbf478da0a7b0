//! `fedgate sessions`: who is logged in, and the end of that, beside a gateway that may be running.

use super::arguments::{Sessions, Whose};
use super::events::clean;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::Config;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome, Subject};
use crate::kernel::journal::Batch;
use crate::kernel::model::{Account, LoginSession};
use crate::kernel::values::{DirectoryId, EmailAddress, EventId, OrgName, Timestamp};
use crate::store::Store;
use std::collections::HashMap;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

/// Sessions read at once, and ended in one commit.
const PAGE: usize = 500;

/// Runs what the arguments say.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Sessions, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = match arguments {
        Sessions::List(whose) => list(whose, common, screen),
        Sessions::Revoke(whose) => revoke(whose, common, screen),
    };
    stored::finish(done, common, screen)
}

/// A session with what is known about whose it is.
struct Found {
    session: LoginSession,
    account: Option<Account>,
    org: Option<OrgName>,
    directory: Option<String>,
}

/// Whom a command means.
enum Wanted {
    All,
    Person(EmailAddress),
    Org(OrgName),
}

impl Wanted {
    fn of(whose: &Whose, config: &Config) -> Result<Self, Wrong> {
        match (&whose.person, &whose.org) {
            (Some(person), _) => Ok(Self::Person(EmailAddress::parse(person)?)),
            (None, Some(org)) => match config.catalog.orgs.iter().find(|known| known.name.as_str() == org) {
                Some(known) => Ok(Self::Org(known.name.clone())),
                None => Err(Wrong(format!("the configuration has no organization `{}`", clean(org)))),
            },
            (None, None) => Ok(Self::All),
        }
    }

    fn means(&self, found: &Found) -> bool {
        match self {
            Self::All => true,
            Self::Person(person) => {
                found.account.as_ref().is_some_and(|account| account.email.as_ref() == Some(person))
            }
            Self::Org(org) => {
                let of_directory = found.directory.as_deref().and_then(|name| name.split('/').next());
                found.org.as_ref() == Some(org) || of_directory == Some(org.as_str())
            }
        }
    }
}

/// What sessions are looked up by.
struct Lookup<'a> {
    store: &'a Arc<dyn Store>,
    config: &'a Config,
    directories: HashMap<DirectoryId, String>,
    now: Timestamp,
}

impl<'a> Lookup<'a> {
    async fn new(store: &'a Arc<dyn Store>, config: &'a Config) -> Result<Self, Wrong> {
        let rows = store.directories().await?;
        let directories = rows.into_iter().map(|row| (row.id, row.name)).collect();
        Ok(Self { store, config, directories, now: Clock::system().now() })
    }

    /// All sessions that are meant, oldest first. Idle ones are among them: last activity is written late, so a session that looks
    /// idle here may be in use.
    async fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, Wrong> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.login_sessions(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.id);
            for session in page.into_iter().filter(|session| session.abs_at > self.now) {
                let one = self.look_up(session).await?;
                if wanted.means(&one) {
                    found.push(one);
                }
            }
        }
    }

    async fn look_up(&self, session: LoginSession) -> Result<Found, Wrong> {
        let account = self.store.account(session.account).await?;
        let email =
            account.as_ref().filter(|account| account.email_verified).and_then(|account| account.email.as_ref());
        let holds = |domains: &[(crate::kernel::values::DomainName, _)], email: &EmailAddress| {
            domains.iter().any(|(domain, _)| domain == email.domain())
        };
        let org = email.and_then(|email| self.config.catalog.orgs.iter().find(|org| holds(&org.domains, email)));
        let org = org.map(|org| org.name.clone());
        let directory = self.directories.get(&session.directory).cloned();
        Ok(Found { session, account, org, directory })
    }
}

fn list(whose: &Whose, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let wanted = Wanted::of(whose, &config)?;
    let store = stored::store(&config)?;
    let found = stored::on_store(&store, async { Lookup::new(&store, &config).await?.find(&wanted).await })?;
    if common.json {
        let sessions: Vec<_> = found.iter().map(Found::json).collect();
        writeln!(screen.out, "{}", serde_json::json!({ "sessions": sessions }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for one in &found {
        writeln!(screen.out, "{}", one.line())?;
    }
    writeln!(screen.out, "{} login sessions; last activity is up to a tenth of the idle limit late", found.len())?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(whose: &Whose, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let wanted = Wanted::of(whose, &config)?;
    if matches!(wanted, Wanted::All) {
        return Err(Wrong("whose? --person EMAIL or --org NAME".to_owned()));
    }
    let store = stored::store(&config)?;
    let ended = stored::on_store(&store, async {
        let lookup = Lookup::new(&store, &config).await?;
        let mut ended = Vec::new();
        // Once more after each round: a login that was under way may have made one meanwhile.
        loop {
            let found = lookup.find(&wanted).await?;
            if found.is_empty() {
                return Ok(ended);
            }
            end(&store, &found, Clock::system().now()).await?;
            ended.extend(found);
        }
    })?;
    if common.json {
        let sessions: Vec<_> = ended.iter().map(Found::json).collect();
        writeln!(screen.out, "{}", serde_json::json!({ "ended": ended.len(), "sessions": sessions }))?;
    } else {
        for one in &ended {
            writeln!(screen.out, "{}", one.line())?;
        }
        writeln!(screen.out, "{} login sessions ended, and all that hung on them", ended.len())?;
    }
    Ok(if ended.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Ends sessions, each with its event in the same commit.
async fn end(store: &Arc<dyn Store>, found: &[Found], now: Timestamp) -> Result<(), Wrong> {
    for some in found.chunks(PAGE) {
        let mut batch = Batch::default();
        for one in some {
            batch.end_login_session(one.session.id);
            batch.events.push(one.event(now));
        }
        store.commit(batch).await?;
    }
    Ok(())
}

impl Found {
    fn email(&self) -> Option<String> {
        self.account.as_ref().and_then(|account| account.email.as_ref()).map(ToString::to_string)
    }

    fn event(&self, now: Timestamp) -> AuditEvent {
        let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::SessionEnded, Outcome::Success);
        event.reason = Some("revoked-by-operator".to_owned());
        let user = rustix::process::getuid().as_raw();
        event.actor = Some(Actor { kind: "operator".to_owned(), id: Some(format!("uid {user}")), address: None });
        let account = Some(self.session.account.to_string());
        event.subject = Subject { account, email: self.email(), ..Subject::default() };
        event.org = self.org.as_ref().map(ToString::to_string);
        event.directory = self.directory.clone();
        event.txn = Some(self.session.id.to_string());
        event
    }

    fn json(&self) -> serde_json::Value {
        let session = &self.session;
        serde_json::json!({
            "id": session.id.to_string(),
            "account": session.account.to_string(),
            "email": self.email(),
            "org": self.org.as_ref().map(ToString::to_string),
            "directory": self.directory,
            "method": session.method.code(),
            "app": session.grant.as_ref().map(|grant| grant.app.to_string()),
            "product": session.confined_to.as_ref().map(ToString::to_string),
            "since": session.created_at.to_string(),
            "last_seen": session.last_seen.to_string(),
            "ends": session.abs_at.to_string(),
        })
    }

    fn line(&self) -> String {
        let known = |text: Option<String>| text.map_or_else(|| "unknown".to_owned(), |text| clean(&text));
        let session = &self.session;
        let product = session.confined_to.as_ref().map_or_else(String::new, |product| format!("  at {product} alone"));
        let app = session.grant.as_ref().map_or_else(String::new, |grant| format!("  by its app {}", grant.app));
        format!(
            "{}  {}  by {}{product}{app}  since {}  last seen {}  ends {}",
            session.id,
            known(self.email()),
            known(self.directory.clone()),
            session.created_at,
            session.last_seen,
            session.abs_at
        )
    }
}
