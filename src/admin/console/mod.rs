//! What the console shows, and to whom: people, their time line, the log, organizations.
//!
//! The same rights as the API's (`scope`), held by a person instead of a token: whoever reads everything sees everybody, an
//! organization's admin and auditor see their own people and their own events, and everything else is not there for them. Deliberately
//! absent: who may enter at all (the login's), and HTML (the site's). A page is a line in [`PAGES`], which the golden test walks.

mod log;
mod organizations;
mod people;

pub use log::{Entry, Filter, Log, Story};
pub use organizations::Company;
pub use people::{Found, Portrait};

use super::Admin;
use super::scope::Scope;
use crate::kernel::event::AuditEvent;
use crate::kernel::journal::{Reach, Role};
use crate::kernel::model::Account;
use crate::kernel::values::OrgName;
use crate::login::Steward;
use crate::orgs::roles::Held;
use crate::store::{NotCommitted, Unavailable};

/// One page or form of the console.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConsolePage {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path; `{name}` is one segment.
    pub path: &'static str,
    /// What its reader's role must have.
    pub scope: Scope,
}

const fn page(method: &'static str, path: &'static str, scope: Scope) -> ConsolePage {
    ConsolePage { method, path, scope }
}

/// Everything that the console has, besides its door.
pub static PAGES: &[ConsolePage] = &[
    page("GET", "/admin/", Scope::ExplainRead),
    page("GET", "/admin/people", Scope::PeopleRead),
    page("GET", "/admin/people/{account}", Scope::PeopleRead),
    page("POST", "/admin/people/{account}/sessions", Scope::PeopleWrite),
    page("GET", "/admin/log", Scope::AuditRead),
    page("GET", "/admin/ref/{ref}", Scope::ExplainRead),
    page("GET", "/admin/organizations", Scope::OrgsRead),
    page("GET", "/admin/organizations/{org}", Scope::OrgsRead),
];

/// Why there is nothing to show.
#[derive(Debug)]
pub enum Nothing {
    /// Not there, or not theirs: nobody can tell which.
    NotHere,
    /// The store does not answer.
    Unavailable(Unavailable),
    /// Something of ours is wrong.
    Fault(String),
}

impl From<Unavailable> for Nothing {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

impl From<NotCommitted> for Nothing {
    fn from(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Unavailable(fault) => Self::Unavailable(fault),
            NotCommitted::Conflict(conflict) => Self::Fault(format!("{conflict:?}")),
        }
    }
}

/// The line of the table that a request is for.
pub fn page_of(method: &str, path: &str) -> Option<(&'static ConsolePage, Option<String>)> {
    let method = if method == "HEAD" { "GET" } else { method };
    PAGES.iter().filter(|page| page.method == method).find_map(|page| Some((page, matches(page.path, path)?)))
}

/// The one name that a path has, where it fits the pattern.
fn matches(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut name = None;
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(name),
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {
                name = Some(given.to_owned())
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

/// Whether any of the roles may do this somewhere.
pub fn may(roles: &[Held], scope: Scope) -> bool {
    roles.iter().any(|held| held.role != Role::Enterprise && scope.is_of(held.role))
}

/// Whether the roles may do this to all of the installation.
pub(super) fn may_everywhere(roles: &[Held], scope: Scope) -> bool {
    roles.iter().any(|held| held.reach == Reach::Everywhere && scope.is_of(held.role))
}

/// Whether the roles may do this to an organization.
pub(super) fn may_at(roles: &[Held], scope: Scope, org: &OrgName) -> bool {
    let place = Reach::Org(org.clone());
    roles.iter().any(|held| held.reach.covers(&place) && scope.is_of(held.role))
}

/// Whether an event may be read: an organization's by whoever reads that one, anything else by whoever reads everything.
pub(super) fn reads(roles: &[Held], scope: Scope, event: &AuditEvent) -> bool {
    let org = event.org.as_deref().and_then(|org| OrgName::parse(org).ok());
    may_everywhere(roles, scope) || org.is_some_and(|org| may_at(roles, scope, &org))
}

impl Admin {
    /// Whether the console's reader may do this to a person: those of an organization are the ones with an address in a domain of its
    /// that counts, as with the API.
    pub(super) fn may_with(&self, steward: &Steward, scope: Scope, account: &Account) -> bool {
        if may_everywhere(&steward.roles, scope) {
            return true;
        }
        let Some(email) = &account.email else { return false };
        let effective = self.world.orgs.effective();
        let mut own = effective.orgs.iter().filter(|org| may_at(&steward.roles, scope, &org.name));
        own.any(|org| org.has(email.domain()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::{Action, Outcome};
    use crate::kernel::values::{EventId, Timestamp};

    fn held(role: Role, reach: Reach) -> Vec<Held> {
        vec![Held { role, reach }]
    }

    fn event(org: Option<&str>) -> AuditEvent {
        let now = Timestamp::from_seconds(1);
        let mut event = AuditEvent::new(EventId::mint(now, [0; 10]), now, Action::LoginDenied, Outcome::Refused);
        event.org = org.map(ToOwned::to_owned);
        event
    }

    #[test]
    fn a_path_is_one_line_of_the_table() {
        let path = |method, path| page_of(method, path).map(|(page, name)| (page.path, name));
        assert_eq!(path("GET", "/admin/"), Some(("/admin/", None)));
        assert_eq!(path("HEAD", "/admin/people"), Some(("/admin/people", None)));
        assert_eq!(path("GET", "/admin/people/x"), Some(("/admin/people/{account}", Some("x".to_owned()))));
        for (method, wrong) in [
            ("POST", "/admin/people"),
            ("GET", "/admin"),
            ("GET", "/admin/people/"),
            ("GET", "/admin/people/x/sessions"),
            ("GET", "/admin/people/x/y/z"),
            ("DELETE", "/admin/"),
        ] {
            assert_eq!(path(method, wrong), None, "{method} {wrong}");
        }
    }

    #[test]
    fn an_event_of_nobodys_or_of_anothers_organization_is_not_an_admins_to_read() {
        let acme = || Reach::Org(OrgName::parse("acme").unwrap());
        let check = |roles: &[Held], expected: [bool; 3]| {
            let seen = [Some("acme"), Some("globex"), None].map(|org| reads(roles, Scope::AuditRead, &event(org)));
            assert_eq!(seen, expected, "{roles:?}");
        };
        check(&held(Role::Operator, Reach::Everywhere), [true, true, true]);
        check(&held(Role::Auditor, Reach::Everywhere), [true, true, true]);
        check(&held(Role::Admin, acme()), [true, false, false]);
        check(&held(Role::Auditor, acme()), [true, false, false]);
        check(&held(Role::Support, Reach::Everywhere), [false, false, false]);
        check(&[], [false, false, false]);
    }
}
