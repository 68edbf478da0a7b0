//! Single logout messages of a provider (SAML Core §3.7, Profiles §4.4): signed always, whatever the binding.

use super::assertion::{NameId, name_id, time};
use super::connection::Connection;
use super::gate::Limits;
use super::keys::SigningKeys;
use super::redirect::open_redirect;
use super::shell::{PARTIAL_LOGOUT, SUCCESS, Shell};
use super::verify::{Signed, signed};
use super::xml::{Node, SAMLP, Tree, children, is, word};
use super::{SamlFault, judge};
use crate::kernel::journal::ReplayMark;
use crate::kernel::values::{DirectoryId, Timestamp};
use std::time::Duration;

/// How long a provider's message is good for where it does not say; the skew of clocks is inside.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// Allowed difference between the provider's clock and ours.
const SKEW: Duration = Duration::from_secs(60);
/// Sessions that one request may name.
const SESSIONS: usize = 64;

/// A provider's message about a logout.
#[derive(Clone, Debug)]
pub enum LogoutMessage {
    /// The provider ends sessions of a person.
    Request(LogoutRequest),
    /// The provider's answer to a request of ours.
    Response(Shell),
}

/// Whose sessions end, and which.
#[derive(Clone, Debug)]
pub struct LogoutRequest {
    /// The message's own fields.
    pub shell: Shell,
    /// `NotOnOrAfter`.
    pub not_on_or_after: Option<Timestamp>,
    /// The person, as named at login.
    pub name_id: NameId,
    /// The provider's sessions; none means all of that person.
    pub sessions: Vec<String>,
}

impl LogoutRequest {
    /// Whether a session is among those that it ends. One whose index nobody told us is: of two mistakes it is the harmless one.
    pub fn names(&self, session: Option<&str>) -> bool {
        self.sessions.is_empty() || session.is_none_or(|index| self.sessions.iter().any(|named| named == index))
    }
}

impl LogoutMessage {
    /// Verifies a query of the Redirect binding.
    ///
    /// # Errors
    /// Those of [`open_redirect`] and of a message's shape.
    pub fn from_redirect(query: &str, keys: &SigningKeys) -> Result<Signed<Self>, SamlFault> {
        Self::with_relay_state(query, keys).map(|(signed, _)| signed)
    }

    /// The same, and the RelayState that was signed with it.
    ///
    /// # Errors
    /// Those of [`Self::from_redirect`].
    pub fn with_relay_state(query: &str, keys: &SigningKeys) -> Result<(Signed<Self>, Option<String>), SamlFault> {
        let opened = open_redirect(query, keys)?;
        let relay_state = opened.value().relay_state.clone();
        let signed = opened.try_map(|message| {
            let tree = Tree::parse(&message.document, Limits::MESSAGE)?;
            Self::read(tree.root(), message.is_request)
        })?;
        Ok((signed, relay_state))
    }

    /// Verifies a document of the POST binding, which carries its signature inside.
    ///
    /// # Errors
    /// Those of an enveloped signature and of a message's shape.
    pub fn from_post(document: &[u8], is_request: bool, keys: &SigningKeys) -> Result<Signed<Self>, SamlFault> {
        let name = if is_request { "LogoutRequest" } else { "LogoutResponse" };
        signed(document, Limits::MESSAGE, keys, |root| is(root, SAMLP, name), |root| Self::read(root, is_request))
    }

    fn read(root: Node<'_>, is_request: bool) -> Result<Self, SamlFault> {
        if is_request {
            if !is(root, SAMLP, "LogoutRequest") {
                return Err(SamlFault::Root);
            }
            let sessions =
                children(root, SAMLP, "SessionIndex").take(SESSIONS + 1).map(|one| word(one).map(str::to_owned));
            let sessions: Vec<_> = sessions.collect::<Result<_, _>>()?;
            if sessions.len() > SESSIONS {
                return Err(SamlFault::Shape);
            }
            return Ok(Self::Request(LogoutRequest {
                shell: Shell::read(root, "LogoutRequest")?,
                not_on_or_after: time(root, "NotOnOrAfter")?,
                name_id: name_id(root)?.ok_or(SamlFault::Subject)?,
                sessions,
            }));
        }
        if !is(root, SAMLP, "LogoutResponse") {
            return Err(SamlFault::Root);
        }
        Shell::read(root, "LogoutResponse").map(Self::Response)
    }

    /// The message's own fields.
    pub fn shell(&self) -> &Shell {
        match self {
            Self::Request(request) => &request.shell,
            Self::Response(shell) => shell,
        }
    }

    /// Whether a provider says that somebody else may still have the person logged in (§3.2.2.2).
    pub fn is_partial(&self) -> bool {
        self.shell().status.iter().any(|status| status == PARTIAL_LOGOUT)
    }

    /// Whether it is from this directory's provider, for `address` of ours, and of now. `asked` is the id of our request that a
    /// response must answer.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        connection: &Connection,
        address: &str,
        asked: Option<&str>,
        now: Timestamp,
    ) -> Result<(), SamlFault> {
        let shell = self.shell();
        let must = |holds: bool, fault| if holds { Ok(()) } else { Err(fault) };
        must(shell.version == "2.0", SamlFault::Version)?;
        must(shell.issuer.as_deref() == Some(&connection.provider), SamlFault::Issuer)?;
        must(shell.destination.as_deref() == Some(address), SamlFault::Destination)?;
        let fresh = shell.issued <= now.plus(SKEW) && now < shell.issued.plus(GOOD_FOR);
        must(fresh, SamlFault::Issued)?;
        match self {
            Self::Request(request) => {
                must(request.not_on_or_after.is_none_or(|end| now < end.plus(SKEW)), SamlFault::Expired)
            }
            Self::Response(shell) => {
                must(asked.is_some() && shell.in_response_to.as_deref() == asked, SamlFault::InResponseTo)?;
                let is_success = shell.status.first().is_some_and(|status| status == SUCCESS);
                must(is_success || self.is_partial(), SamlFault::Status)
            }
        }
    }

    /// What is burnt: a message acts once (CVE-2025-31335).
    pub fn one_use(&self, directory: DirectoryId) -> ReplayMark {
        let shell = self.shell();
        judge::mark("logout", directory, &shell.id, shell.issued.plus(GOOD_FOR).plus(SKEW))
    }
}
