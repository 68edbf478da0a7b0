//! The one table of what the API has. Matching, rights, OpenAPI and the golden test all read it.

use super::scope::Scope;
use super::shapes;
use http::Method;
use schemars::{Schema, SchemaGenerator};

/// What a route does. One arm in `call` each.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Operation {
    /// Organizations that the caller sees.
    ListOrganizations,
    /// A new organization.
    CreateOrganization,
    /// One organization.
    ShowOrganization,
    /// Its name, admins and auditors.
    PutOrganization,
    /// The end of one.
    RemoveOrganization,
    /// Versions of its document.
    ListVersions,
    /// One version.
    ShowVersion,
    /// An earlier version, again.
    Revert,
    /// Its domains.
    ListDomains,
    /// A domain to prove.
    AddDomain,
    /// A look for the proof.
    VerifyDomain,
    /// A proved domain claimed.
    ClaimDomain,
    /// A dispute settled by the operator.
    SettleDomain,
    /// A domain given up.
    RemoveDomain,
    /// Its directories.
    ListDirectories,
    /// A directory more.
    CreateDirectory,
    /// One directory.
    ShowDirectory,
    /// Refused to every token (rule M19).
    ReplaceDirectory,
    /// Refused to every token (rule M19).
    RemoveDirectory,
    /// Its policies.
    ListPolicies,
    /// One policy.
    ShowPolicy,
    /// A policy made or changed.
    PutPolicy,
    /// A policy removed.
    RemovePolicy,
    /// Its people.
    ListPeople,
    /// One of them.
    ShowPerson,
    /// An account switched off.
    Deactivate,
    /// An account switched on.
    Reactivate,
    /// An account's end for good.
    DeletePerson,
    /// That taken back.
    KeepPerson,
    /// Sessions of a person.
    ListSessions,
    /// All of them ended.
    EndSessions,
    /// One of them ended.
    EndSession,
    /// A local account of a product.
    CreateLocalAccount,
    /// A product's word on a user of its own.
    ShowAccess,
    /// A product is closed to one of its users, or open again.
    PutAccess,
    /// Members of an enterprise of a product.
    ListMembers,
    /// A user of the product becomes a member, or is one no more.
    PutMember,
    /// An enterprise's word on a member of its own.
    ShowMemberAccess,
    /// The product is closed to a member, or open again.
    PutMemberAccess,
    /// Members are asked to move to the one account.
    AskToMove,
    /// Its audit events.
    SearchEvents,
    /// One line about a refusal.
    Explain,
}

/// A function that writes a shape's schema.
pub type Shape = fn(&mut SchemaGenerator) -> Schema;

/// One line of the table.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path below `/api/v1`; `{name}` is one segment.
    pub path: &'static str,
    /// What a token needs for it.
    pub scope: Scope,
    /// What it does.
    pub operation: Operation,
    /// For people.
    pub summary: &'static str,
    /// The body that it takes.
    pub body: Option<Shape>,
    /// The body that it answers with.
    pub answer: Option<Shape>,
    /// Whether it needs `If-Match`.
    pub versioned: bool,
}

const fn route(method: Method, path: &'static str, scope: Scope, operation: Operation, summary: &'static str) -> Route {
    Route { method, path, scope, operation, summary, body: None, answer: None, versioned: false }
}

impl Route {
    const fn takes(mut self, body: Shape) -> Self {
        self.body = Some(body);
        self
    }

    const fn answers(mut self, answer: Shape) -> Self {
        self.answer = Some(answer);
        self
    }

    const fn versioned(mut self) -> Self {
        self.versioned = true;
        self
    }

    /// Whether it answers part by part.
    pub const fn is_list(&self) -> bool {
        matches!(
            self.operation,
            Operation::ListOrganizations
                | Operation::ListVersions
                | Operation::ListDomains
                | Operation::ListDirectories
                | Operation::ListPolicies
                | Operation::ListPeople
                | Operation::ListSessions
                | Operation::ListMembers
                | Operation::SearchEvents
        )
    }

    /// Whether it makes something, which answers 201.
    pub const fn creates(&self) -> bool {
        matches!(
            self.operation,
            Operation::CreateOrganization
                | Operation::AddDomain
                | Operation::CreateDirectory
                | Operation::CreateLocalAccount
        )
    }

    /// Further parameters of its query.
    pub const fn filters(&self) -> &'static [&'static str] {
        match self.operation {
            Operation::PutPolicy => &["dry_run"],
            Operation::RemovePolicy
            | Operation::RemoveDomain
            | Operation::SettleDomain
            | Operation::RemoveOrganization => &["confirm"],
            Operation::SearchEvents => &["person", "action", "outcome", "since"],
            Operation::ShowAccess | Operation::ShowMemberAccess => &["sub"],
            _ => &[],
        }
    }
}

fn of<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const ORG: &str = "/organizations/{org}";
const MEMBERS: &str = "/products/{product}/enterprises/{enterprise}/members";
const MEMBER_ACCESS: &str = "/products/{product}/enterprises/{enterprise}/access";

/// Everything.
pub static ROUTES: &[Route] = &[
    route(
        Method::GET,
        "/organizations",
        Scope::OrgsRead,
        Operation::ListOrganizations,
        "Organizations that the token sees",
    )
    .answers(of::<shapes::Page<shapes::Organization>>),
    route(
        Method::POST,
        "/organizations",
        Scope::OrgsWrite,
        Operation::CreateOrganization,
        "Make an organization; operators only",
    )
    .takes(of::<shapes::NewOrganization>)
    .answers(of::<shapes::Organization>),
    route(Method::GET, ORG, Scope::OrgsRead, Operation::ShowOrganization, "An organization")
        .answers(of::<shapes::Organization>),
    route(Method::PATCH, ORG, Scope::OrgsWrite, Operation::PutOrganization, "Change its name, admins and auditors")
        .takes(of::<shapes::OrganizationChange>)
        .answers(of::<shapes::Organization>)
        .versioned(),
    route(Method::DELETE, ORG, Scope::OrgsWrite, Operation::RemoveOrganization, "Remove it; operators only")
        .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/versions",
        Scope::OrgsRead,
        Operation::ListVersions,
        "Every version, newest first",
    )
    .answers(of::<shapes::Page<shapes::Version>>),
    route(
        Method::GET,
        "/organizations/{org}/versions/{version}",
        Scope::OrgsRead,
        Operation::ShowVersion,
        "One version with its document",
    )
    .answers(of::<shapes::Version>),
    route(
        Method::POST,
        "/organizations/{org}/revert",
        Scope::OrgsWrite,
        Operation::Revert,
        "Bring an earlier version back",
    )
    .takes(of::<shapes::Revert>)
    .answers(of::<shapes::Organization>)
    .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/domains",
        Scope::OrgsRead,
        Operation::ListDomains,
        "Its domains and their state",
    )
    .answers(of::<shapes::Page<shapes::Domain>>),
    route(
        Method::POST,
        "/organizations/{org}/domains",
        Scope::OrgsWrite,
        Operation::AddDomain,
        "Ask for a domain: what to publish to prove it",
    )
    .takes(of::<shapes::NewDomain>)
    .answers(of::<shapes::Domain>),
    route(
        Method::POST,
        "/organizations/{org}/domains/{domain}/verify",
        Scope::OrgsWrite,
        Operation::VerifyDomain,
        "Look for the proof now",
    )
    .answers(of::<shapes::Domain>),
    route(
        Method::POST,
        "/organizations/{org}/domains/{domain}/claim",
        Scope::OrgsWrite,
        Operation::ClaimDomain,
        "Hold a domain that is proved",
    )
    .answers(of::<shapes::Domain>)
    .versioned(),
    route(
        Method::POST,
        "/organizations/{org}/domains/{domain}/settle",
        Scope::OrgsWrite,
        Operation::SettleDomain,
        "Settle a dispute: this organization holds the domain. Operators alone",
    )
    .answers(of::<shapes::Domain>)
    .versioned(),
    route(
        Method::DELETE,
        "/organizations/{org}/domains/{domain}",
        Scope::OrgsWrite,
        Operation::RemoveDomain,
        "Let a domain go",
    )
    .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/directories",
        Scope::OrgsRead,
        Operation::ListDirectories,
        "Its directories",
    )
    .answers(of::<shapes::Page<shapes::Directory>>),
    route(
        Method::POST,
        "/organizations/{org}/directories",
        Scope::OrgsWrite,
        Operation::CreateDirectory,
        "Add a directory",
    )
    .takes(of::<shapes::NewDirectory>)
    .answers(of::<shapes::Directory>)
    .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/directories/{directory}",
        Scope::OrgsRead,
        Operation::ShowDirectory,
        "One directory",
    )
    .answers(of::<shapes::Directory>),
    route(
        Method::PUT,
        "/organizations/{org}/directories/{directory}",
        Scope::OrgsWrite,
        Operation::ReplaceDirectory,
        "Not by a token",
    ),
    route(
        Method::DELETE,
        "/organizations/{org}/directories/{directory}",
        Scope::OrgsWrite,
        Operation::RemoveDirectory,
        "Not by a token",
    ),
    route(
        Method::GET,
        "/organizations/{org}/policies",
        Scope::OrgsRead,
        Operation::ListPolicies,
        "Its policies: `default`, then the others in order",
    )
    .answers(of::<shapes::Page<shapes::Policy>>),
    route(Method::GET, "/organizations/{org}/policies/{policy}", Scope::OrgsRead, Operation::ShowPolicy, "One policy")
        .answers(of::<shapes::Policy>),
    route(
        Method::PUT,
        "/organizations/{org}/policies/{policy}",
        Scope::OrgsWrite,
        Operation::PutPolicy,
        "Make or change a policy; `dry_run` says what would change",
    )
    .takes(of::<shapes::PolicyWords>)
    .answers(of::<shapes::Changed>)
    .versioned(),
    route(
        Method::DELETE,
        "/organizations/{org}/policies/{policy}",
        Scope::OrgsWrite,
        Operation::RemovePolicy,
        "Remove a policy",
    )
    .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/people",
        Scope::PeopleRead,
        Operation::ListPeople,
        "People whom it manages, as far as they are known here",
    )
    .answers(of::<shapes::Page<shapes::Person>>),
    route(
        Method::GET,
        "/organizations/{org}/people/{account}",
        Scope::PeopleRead,
        Operation::ShowPerson,
        "One of them",
    )
    .answers(of::<shapes::Person>),
    route(
        Method::POST,
        "/organizations/{org}/people/{account}/deactivate",
        Scope::PeopleWrite,
        Operation::Deactivate,
        "Switch an account off: its sessions end within a second",
    )
    .answers(of::<shapes::Person>)
    .versioned(),
    route(
        Method::POST,
        "/organizations/{org}/people/{account}/reactivate",
        Scope::PeopleWrite,
        Operation::Reactivate,
        "Switch it on again",
    )
    .answers(of::<shapes::Person>)
    .versioned(),
    route(
        Method::POST,
        "/organizations/{org}/people/{account}/delete",
        Scope::PeopleWrite,
        Operation::DeletePerson,
        "Delete an account in 14 days; switched off until then",
    )
    .answers(of::<shapes::Person>)
    .versioned(),
    route(
        Method::POST,
        "/organizations/{org}/people/{account}/cancel-deletion",
        Scope::PeopleWrite,
        Operation::KeepPerson,
        "Take a deletion back: the account is what it was before",
    )
    .answers(of::<shapes::Person>)
    .versioned(),
    route(
        Method::GET,
        "/organizations/{org}/people/{account}/sessions",
        Scope::PeopleRead,
        Operation::ListSessions,
        "Their login sessions, newest first",
    )
    .answers(of::<shapes::Page<shapes::Session>>),
    route(
        Method::DELETE,
        "/organizations/{org}/people/{account}/sessions",
        Scope::PeopleWrite,
        Operation::EndSessions,
        "End all of them",
    ),
    route(
        Method::DELETE,
        "/organizations/{org}/people/{account}/sessions/{session}",
        Scope::PeopleWrite,
        Operation::EndSession,
        "End one of them",
    ),
    route(
        Method::POST,
        "/products/{product}/accounts",
        Scope::PeopleWrite,
        Operation::CreateLocalAccount,
        "Make a local account; operators only",
    )
    .takes(of::<shapes::NewLocalAccount>)
    .answers(of::<shapes::LocalAccount>),
    route(
        Method::GET,
        "/products/{product}/access",
        Scope::PeopleRead,
        Operation::ShowAccess,
        "Whether the product is closed to one of its users, `sub` being its own user id; operators only",
    )
    .answers(of::<shapes::Access>),
    route(
        Method::PUT,
        "/products/{product}/access",
        Scope::PeopleWrite,
        Operation::PutAccess,
        "Close the product to one of its users, or open it: sessions there end within a second; operators only",
    )
    .takes(of::<shapes::WantedAccess>)
    .answers(of::<shapes::Access>),
    route(
        Method::GET,
        MEMBERS,
        Scope::PeopleRead,
        Operation::ListMembers,
        "Users of the product who belong to an enterprise",
    )
    .answers(of::<shapes::Page<shapes::Member>>),
    route(
        Method::PUT,
        MEMBERS,
        Scope::PeopleWrite,
        Operation::PutMember,
        "Make a user of the product a member, or no member any more; operators only",
    )
    .takes(of::<shapes::WantedMember>)
    .answers(of::<shapes::Member>),
    route(
        Method::GET,
        MEMBER_ACCESS,
        Scope::PeopleRead,
        Operation::ShowMemberAccess,
        "Whether the product is closed to a member, `sub` being the product's own user id",
    )
    .answers(of::<shapes::Access>),
    route(
        Method::PUT,
        MEMBER_ACCESS,
        Scope::PeopleWrite,
        Operation::PutMemberAccess,
        "Close the product to a member, or open it: sessions there end within a second",
    )
    .takes(of::<shapes::WantedAccess>)
    .answers(of::<shapes::Access>),
    route(
        Method::POST,
        "/products/{product}/enterprises/{enterprise}/move-requests",
        Scope::PeopleWrite,
        Operation::AskToMove,
        "Ask members who still have a password to move to the one account, by mail and banner; each once a week",
    )
    .takes(of::<shapes::MoveRequest>)
    .answers(of::<shapes::MoveRequested>),
    route(
        Method::GET,
        "/organizations/{org}/events",
        Scope::AuditRead,
        Operation::SearchEvents,
        "Its audit events, newest first",
    )
    .answers(of::<shapes::Page<shapes::Event>>),
    route(
        Method::GET,
        "/explanations/{ref}",
        Scope::ExplainRead,
        Operation::Explain,
        "Why somebody was refused, in one line to read aloud",
    )
    .answers(of::<shapes::Explanation>),
];

/// What a path means.
pub enum Found {
    /// This route, with the segments that stand for names, in order.
    Route(&'static Route, Vec<String>),
    /// The path is there, the method is not: these are.
    Methods(Vec<&'static Method>),
    /// Nothing.
    Nothing,
}

/// Finds the route of a path below `/api/v1`.
pub fn find(method: &Method, path: &str) -> Found {
    let mut methods = Vec::new();
    for route in ROUTES {
        let Some(names) = matches(route.path, path) else { continue };
        if route.method == *method {
            return Found::Route(route, names);
        }
        methods.push(&route.method);
    }
    if methods.is_empty() { Found::Nothing } else { Found::Methods(methods) }
}

fn matches(template: &str, path: &str) -> Option<Vec<String>> {
    let (mut names, mut given) = (Vec::new(), path.split('/'));
    for wanted in template.split('/') {
        let segment = given.next()?;
        match wanted.starts_with('{') {
            true if !segment.is_empty() && segment.len() <= 253 => names.push(segment.to_owned()),
            false if segment == wanted => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_route_segment_by_segment() {
        let check = |method: Method, path: &str, expected: Option<(Operation, &[&str])>| {
            let found = match find(&method, path) {
                Found::Route(route, names) => Some((route.operation, names)),
                Found::Methods(_) | Found::Nothing => None,
            };
            let expected =
                expected.map(|(operation, names)| (operation, names.iter().map(|n| (*n).to_owned()).collect()));
            assert_eq!(found, expected, "{method} {path}");
        };
        check(Method::GET, "/organizations", Some((Operation::ListOrganizations, &[])));
        check(Method::GET, "/organizations/acme", Some((Operation::ShowOrganization, &["acme"])));
        check(
            Method::POST,
            "/organizations/acme/domains/a.com/verify",
            Some((Operation::VerifyDomain, &["acme", "a.com"])),
        );
        for wrong in
            ["", "/", "/organizations/", "/organizations//domains", "/organizations/acme/", "/organizations/acme/x"]
        {
            check(Method::GET, wrong, None);
        }
        check(Method::TRACE, "/organizations", None);
    }

    #[test]
    fn no_two_routes_are_one() {
        let mut seen = std::collections::HashSet::new();
        for route in ROUTES {
            let shape: Vec<&str> = route.path.split('/').map(|s| if s.starts_with('{') { "{}" } else { s }).collect();
            assert!(seen.insert((route.method.clone(), shape)), "{} {}", route.method, route.path);
        }
    }
}
