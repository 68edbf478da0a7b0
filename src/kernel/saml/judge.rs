//! The judge of SAML responses (SAML Core §2.5.1, Profiles §4.1.4.3): what a verified message must say, here and now.
//!
//! Every check is made and written down with what was expected and what came, and the first that fails names the refusal. Nothing
//! in the list can be replayed: no ids of assertions, no names of people, no signatures (rule M20). To add a check, add a line to
//! one of the functions here and a row in the tests.

use super::assertion::{Assertion, Confirmation, NameId};
use super::connection::{Connection, Expected};
use super::shell::SUCCESS;
use super::subject::{Subject, SubjectChoice, Warning};
use super::verify::Received;
use super::{EMAIL, SamlFault};
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::model::{Directory, IdentityKey, Method};
use crate::kernel::proof::{Claims, Proof, Vouched};
use crate::kernel::values::{DirectoryId, DirectoryName, EmailAddress, Timestamp, legible};
use aws_lc_rs::digest::{Context, SHA256};
use std::time::Duration;

/// Allowed difference between the provider's clock and ours, both ways.
const SKEW: Duration = Duration::from_secs(60);
/// How long an assertion id is remembered at most. Its request was taken long before, and requests die within minutes.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);
/// `…:cm:bearer` (SAML Profiles §3.3).
const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// Bytes of a SessionIndex that is remembered; real ones have under 100. A session with a longer one ends with any of its person's.
const SESSION_INDEX: usize = 256;
/// Characters of what came that a check shows.
const SHOWN: usize = 200;

/// What the caller burns in the store before it asks the judge: one assertion proves one login (rule M20). The digest is over the
/// directory's id too: ids of two directories never meet (rule C1). It is kept as long as the assertion could pass, an hour at
/// least and a day at most.
pub(super) fn one_use(directory: DirectoryId, assertion: &Assertion, now: Timestamp) -> ReplayMark {
    let confirmed = assertion.confirmations.iter().filter_map(|confirmation| confirmation.not_on_or_after);
    let conditions = assertion.conditions.as_ref().and_then(|conditions| conditions.not_on_or_after);
    let end = confirmed.chain(conditions).max().unwrap_or(assertion.issued).plus(SKEW);
    let until = end.clamp(now.plus(Duration::from_secs(60 * 60)), now.plus(REMEMBERED));
    mark("assertion", directory, &assertion.id, until)
}

/// A mark of something of one directory that is written down once a day.
pub fn daily(directory: DirectoryId, what: &str, now: Timestamp) -> ReplayMark {
    mark("daily", directory, what, now.plus(REMEMBERED))
}

/// A mark of something of one directory that is written down once until then.
pub fn remembered(directory: DirectoryId, what: &str, until: Timestamp) -> ReplayMark {
    mark("remembered", directory, what, until)
}

/// A mark of one message of one directory.
pub(super) fn mark(what: &str, directory: DirectoryId, id: &str, until: Timestamp) -> ReplayMark {
    let mut context = Context::new(&SHA256);
    context.update(format!("fedgate saml {what} {directory} ").as_bytes());
    context.update(id.as_bytes());
    let hash = context.finish();
    let digest = std::array::from_fn(|place| hash.as_ref().get(place).copied().unwrap_or(0));
    ReplayMark { kind: MarkKind::Assertion, digest, until }
}

/// One check: what had to be, what was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// What a failure is called.
    pub fault: SamlFault,
    /// What had to be there.
    pub expected: String,
    /// What was there, shortened.
    pub got: String,
    /// Whether it holds.
    pub holds: bool,
}

/// What became of a Response.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Every check that was made, in order.
    pub checks: Vec<Check>,
    /// What an administrator should know.
    pub warnings: Vec<Warning>,
    /// The proof, or the first check that failed.
    pub outcome: Result<Judged, SamlFault>,
}

/// A response that proves a login.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Who, for the decision.
    pub proof: Proof,
    /// The provider's session ends then, and ours with it.
    pub session_until: Option<Timestamp>,
    /// The NameID byte for byte, for a logout request.
    pub name_id: Option<NameId>,
}

/// Judges a verified Response that answers the request in `expected`. The caller has taken the login under way and burnt
/// [`Received::one_use`].
pub fn judge(
    directory: &Directory,
    connection: &Connection,
    expected: &Expected,
    received: &Received,
    now: Timestamp,
) -> Judgement {
    let mut checks = Checks { list: Vec::with_capacity(32), expected, connection, now };
    // Only an organization has a directory of this kind, and only the one that was left for, as it was then.
    let bound = expected.holds(directory.id, connection).is_ok() && matches!(directory.name, DirectoryName::Org(..));
    checks.must("directory", SamlFault::Directory, bound, "as it was at departure", shown_bool(bound));
    checks.message(received);
    checks.assertion(received.assertion.value());
    let subject = checks.subject(received.assertion.value());
    let fault = checks.list.iter().find(|check| !check.holds).map(|check| check.fault);
    let outcome = match (fault, subject) {
        (None, Some(subject)) => proved(directory, connection, received.assertion.value(), subject, now),
        (fault, _) => Err(fault.unwrap_or(SamlFault::Subject)),
    };
    let (outcome, warnings) = match outcome {
        Ok((judged, warning)) => (Ok(judged), warning.into_iter().collect()),
        Err(fault) => (Err(fault), Vec::new()),
    };
    Judgement { checks: checks.list, warnings, outcome }
}

struct Checks<'a> {
    list: Vec<Check>,
    expected: &'a Expected,
    connection: &'a Connection,
    now: Timestamp,
}

impl Checks<'_> {
    fn must(&mut self, name: &'static str, fault: SamlFault, holds: bool, expected: &str, got: &str) {
        let got = legible(&got.chars().take(SHOWN).collect::<String>());
        // What `fedgate saml check` expects it reads from the document.
        self.list.push(Check { name, fault, expected: legible(expected), got, holds });
    }

    fn equal(&mut self, name: &'static str, fault: SamlFault, expected: &str, got: Option<&str>) {
        self.must(name, fault, got == Some(expected), expected, got.unwrap_or("nothing"));
    }

    /// Not before `from`, not after now, the skew allowed both ways.
    fn between(&mut self, name: &'static str, fault: SamlFault, from: Timestamp, got: Timestamp) {
        // Times of providers are whole seconds often enough.
        let from = Timestamp::from_seconds(from.minus(SKEW).seconds());
        let to = self.now.plus(SKEW);
        self.must(name, fault, got >= from && got <= to, &format!("{from} to {to}"), &got.to_string());
    }

    /// Before `end`, the skew allowed; `needed` where no end is an error.
    fn before(&mut self, name: &'static str, fault: SamlFault, end: Option<Timestamp>, needed: bool) {
        let holds = end.map_or(!needed, |end| self.now < end.plus(SKEW));
        let got = end.map_or_else(|| "nothing".to_owned(), |end| end.to_string());
        self.must(name, fault, holds, &format!("after {}", self.now.minus(SKEW)), &got);
    }

    /// Not before `start`, the skew allowed.
    fn since(&mut self, name: &'static str, fault: SamlFault, start: Option<Timestamp>) {
        let holds = start.is_none_or(|start| start <= self.now.plus(SKEW));
        let got = start.map_or_else(|| "nothing".to_owned(), |start| start.to_string());
        self.must(name, fault, holds, &format!("at most {}", self.now.plus(SKEW)), &got);
    }

    /// The message around the assertion. Where it is not signed, what it says is still held against it.
    fn message(&mut self, received: &Received) {
        let (shell, connection, expected) = (&received.shell, self.connection, self.expected);
        self.equal("response version", SamlFault::Version, "2.0", Some(&shell.version));
        self.equal("status", SamlFault::Status, SUCCESS, shell.status.first().map(String::as_str));
        self.equal("destination", SamlFault::Destination, &connection.acs, shell.destination.as_deref());
        // Profiles §4.1.4.2: a signed message, or one around an encrypted assertion, must say who sent it.
        let needed = received.message_by.is_some() || received.encrypted;
        if needed || shell.issuer.is_some() {
            let issuer = shell.issuer.as_deref();
            self.equal("response issuer", SamlFault::ResponseIssuer, &connection.provider, issuer);
        }
        let in_response_to = shell.in_response_to.as_deref();
        let fault = if in_response_to.is_none() { SamlFault::Unsolicited } else { SamlFault::InResponseTo };
        self.equal("response to", fault, &expected.request_id, in_response_to);
        self.between("response issued", SamlFault::ResponseIssued, expected.left_at, shell.issued);
    }

    fn assertion(&mut self, assertion: &Assertion) {
        let connection = self.connection;
        self.equal("version", SamlFault::Version, "2.0", Some(&assertion.version));
        self.equal("issuer", SamlFault::Issuer, &connection.provider, Some(&assertion.issuer));
        self.between("issued", SamlFault::Issued, self.expected.left_at, assertion.issued);
        self.confirmation(&assertion.confirmations);
        self.conditions(assertion);
        self.authentication(assertion);
    }

    /// One bearer confirmation must hold in every point; where several are there, the one that does is shown, or the first.
    fn confirmation(&mut self, confirmations: &[Confirmation]) {
        let bearers: Vec<_> = confirmations.iter().filter(|one| one.method == BEARER).collect();
        let holds = |one: &&&Confirmation| {
            let mut trial = Checks { list: Vec::new(), ..*self };
            trial.bearer(one);
            trial.list.iter().all(|check| check.holds)
        };
        let chosen = bearers.iter().find(holds).or(bearers.first()).copied();
        let methods: Vec<&str> = confirmations.iter().map(|one| one.method.as_str()).collect();
        self.must("confirmation", SamlFault::Confirmation, chosen.is_some(), BEARER, &methods.join(", "));
        if let Some(chosen) = chosen {
            self.bearer(chosen);
        }
    }

    /// SAML Profiles §4.1.4.2, item 5 and §4.1.4.3.
    fn bearer(&mut self, one: &Confirmation) {
        let (connection, expected) = (self.connection, self.expected);
        self.equal("recipient", SamlFault::Recipient, &connection.acs, one.recipient.as_deref());
        let request = one.in_response_to.as_deref();
        self.equal("confirmation to", SamlFault::ConfirmationRequest, &expected.request_id, request);
        self.before("confirmation until", SamlFault::ConfirmationTime, one.not_on_or_after, true);
        let start = one.not_before.map_or_else(|| "nothing".to_owned(), |start| start.to_string());
        self.must("confirmation from", SamlFault::ConfirmationTime, one.not_before.is_none(), "nothing", &start);
    }

    /// SAML Core §2.5.1.
    fn conditions(&mut self, assertion: &Assertion) {
        let conditions = assertion.conditions.as_ref();
        let there = conditions.is_some();
        self.must("conditions", SamlFault::Conditions, there, "some", shown_bool(there));
        let Some(conditions) = conditions else { return };
        let unknown = conditions.unknown.join(", ");
        let got = if unknown.is_empty() { "none" } else { &unknown };
        self.must("unknown conditions", SamlFault::UnknownCondition, unknown.is_empty(), "none", got);
        self.since("valid from", SamlFault::NotBefore, conditions.not_before);
        self.before("valid until", SamlFault::Expired, conditions.not_on_or_after, true);
        let us = &self.connection.entity_id;
        let all = !conditions.audiences.is_empty() && conditions.audiences.iter().all(|named| named.contains(us));
        let named: Vec<String> = conditions.audiences.iter().map(|one| one.join(" or ")).collect();
        self.must("audience", SamlFault::Audience, all, us, &named.join(" and "));
    }

    /// SAML Core §2.7.2, rule M6.
    fn authentication(&mut self, assertion: &Assertion) {
        let count = assertion.authentications.len();
        self.must("authentication statements", SamlFault::AuthnStatement, count == 1, "1", &count.to_string());
        let Some(statement) = assertion.authentications.first() else { return };
        let from = self.expected.max_age.map_or(Timestamp::from_millis(0), |age| self.expected.left_at.minus(age));
        self.between("authenticated", SamlFault::AuthnInstant, from, statement.instant);
        // Without skew: our session ends then too, and one that is over would lead into a loop.
        let until = statement.session_not_on_or_after;
        let got = until.map_or_else(|| "nothing".to_owned(), |until| until.to_string());
        let lasts = until.is_none_or(|until| until > self.now);
        self.must("session until", SamlFault::SessionExpired, lasts, &format!("after {}", self.now), &got);
        let wanted = &self.connection.contexts;
        if !wanted.is_empty() {
            let class = statement.class.as_deref().unwrap_or("nothing");
            let fits = wanted.iter().any(|one| one == class);
            self.must("authentication context", SamlFault::AuthnContext, fits, &wanted.join(" or "), class);
        }
    }

    /// Whether there is a subject, never which.
    fn subject(&mut self, assertion: &Assertion) -> Option<Subject> {
        let subject = Subject::of(assertion, self.connection);
        let fault = subject.as_ref().err().copied().unwrap_or(SamlFault::Subject);
        let format = assertion.name_id.as_ref().map_or("no NameID", |name_id| name_id.format.as_str());
        let wanted = match &self.connection.mapping.subject {
            SubjectChoice::NameId(None) => "a stable NameID".to_owned(),
            SubjectChoice::NameId(Some(format)) => format!("a NameID of {format}"),
            SubjectChoice::Attribute(name) => format!("one value of the attribute {name}"),
        };
        self.must("subject", fault, subject.is_ok(), &wanted, format);
        subject.ok()
    }
}

const fn shown_bool(holds: bool) -> &'static str {
    if holds { "yes" } else { "no" }
}

/// Every check has held by now.
fn proved(
    directory: &Directory,
    connection: &Connection,
    assertion: &Assertion,
    subject: Subject,
    now: Timestamp,
) -> Result<(Judged, Option<Warning>), SamlFault> {
    let statement = assertion.authentications.first().ok_or(SamlFault::AuthnStatement)?;
    let mapping = &connection.mapping;
    let by_name_id = || {
        let name_id = assertion.name_id.as_ref().filter(|name_id| name_id.format == EMAIL)?;
        EmailAddress::parse(&name_id.value).ok()
    };
    let claims = Claims {
        identity: IdentityKey { directory: directory.id, source: subject.source, subject: subject.value },
        method: Method::OrgSso,
        email: mapping.email_of(&assertion.attributes).or_else(by_name_id),
        // SAML has no such claim: whether the directory may speak for the address is decided later (B17).
        email_verified: Vouched::Silent,
        hosted_domain: None,
        name: mapping.name_of(&assertion.attributes),
        groups: mapping.groups_of(&assertion.attributes),
        // What a policy asks for in `require_amr` is said here.
        amr: statement.class.iter().cloned().collect(),
        acr: statement.class.clone(),
        auth_time: statement.instant.min(now),
        provider_session: statement.session_index.clone().filter(|index| index.len() <= SESSION_INDEX),
        session_until: statement.session_not_on_or_after,
        id_token: None,
        refreshable: None,
        name_id: assertion.name_id.clone(),
    };
    let session_until = statement.session_not_on_or_after;
    let judged = Judged { proof: Proof::new(claims), session_until, name_id: assertion.name_id.clone() };
    Ok((judged, subject.warning))
}
