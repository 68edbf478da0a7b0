//! What a token may do at most, and which roles may do it.

use crate::kernel::journal::Role;

/// A power that a token may have.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Read organizations, their domains, directories, policies and versions.
    OrgsRead,
    /// Change them.
    OrgsWrite,
    /// Read people and their sessions.
    PeopleRead,
    /// Deactivate and reactivate people, end sessions, make local accounts.
    PeopleWrite,
    /// Read the audit log.
    AuditRead,
    /// Read the one line of an explanation.
    ExplainRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::OrgsRead, Self::OrgsWrite, Self::PeopleRead, Self::PeopleWrite, Self::AuditRead, Self::ExplainRead];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OrgsRead => "orgs:read",
            Self::OrgsWrite => "orgs:write",
            Self::PeopleRead => "people:read",
            Self::PeopleWrite => "people:write",
            Self::AuditRead => "audit:read",
            Self::ExplainRead => "explain:read",
        }
    }

    /// Reads the stable name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.code() == code)
    }

    /// Whether somebody in this role may have it (behaviour, Roles).
    pub const fn is_of(self, role: Role) -> bool {
        match role {
            Role::Operator | Role::Admin => true,
            Role::Auditor => matches!(self, Self::OrgsRead | Self::PeopleRead | Self::AuditRead | Self::ExplainRead),
            Role::Support => matches!(self, Self::ExplainRead),
            Role::Enterprise => matches!(self, Self::PeopleRead | Self::PeopleWrite),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m19_auditors_change_nothing_and_support_reads_one_line() {
        let of = |role| Scope::ALL.into_iter().filter(|scope| scope.is_of(role)).map(Scope::code).collect::<Vec<_>>();
        assert_eq!(of(Role::Operator).len(), 6);
        assert_eq!(of(Role::Admin).len(), 6);
        assert_eq!(of(Role::Auditor), ["orgs:read", "people:read", "audit:read", "explain:read"]);
        assert_eq!(of(Role::Support), ["explain:read"]);
        assert_eq!(of(Role::Enterprise), ["people:read", "people:write"]);
        assert!(Scope::ALL.into_iter().all(|scope| Scope::from_code(scope.code()) == Some(scope)));
    }
}
