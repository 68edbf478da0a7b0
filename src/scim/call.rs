//! A request, from its path to its answer: directory, token, rate, resource.

use super::Scim;
use super::answer::{Problem, Reply, tag};
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Client, Outcome, Subject};
use crate::kernel::model::{Account, Catalog, Directory};
use crate::kernel::oidc::json::strict;
use crate::kernel::scim::token::ScimToken;
use crate::kernel::scim::{Attributes, Complaint};
use crate::kernel::values::{DirectoryId, DirectoryName, EventId, OrgName, Timestamp};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// The most that a message may have; the data path reads no more either.
const LONGEST: usize = 64 * 1024;

/// An admitted request.
pub(super) struct Call<'a> {
    pub request: &'a PageRequest,
    pub catalog: Arc<Catalog>,
    pub directory: Arc<Directory>,
    pub org: OrgName,
    /// The address of the directory's resources, without a slash at its end.
    pub base: String,
    pub query: HashMap<String, String>,
}

impl Call<'_> {
    pub fn now(&self) -> Timestamp {
        self.request.now
    }

    /// The body: JSON in which nothing is said twice.
    pub fn body(&self) -> Result<Attributes, Problem> {
        let kind = self.request.head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
        if !kind.is_some_and(|kind| ["application/scim+json", "application/json"].contains(&kind)) {
            let detail = "Send Content-Type: application/scim+json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        match strict(&self.request.body, LONGEST) {
            Ok(Value::Object(body)) => Ok(body),
            _ => Err(Complaint::syntax("The body is no JSON object, or says something twice.").into()),
        }
    }

    /// Takes a search's message for the query that it stands for (RFC 7644 §3.4.3).
    fn search(&mut self) -> Result<(), Problem> {
        let wanted = self.body()?;
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(list) => Some(list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
            Value::Null | Value::Bool(_) | Value::Object(_) => None,
        };
        let asked = ["filter", "startIndex", "count", "attributes", "excludedAttributes"];
        let asked = asked.into_iter().filter_map(|name| Some((name.to_owned(), text(wanted.get(name)?)?)));
        self.query = asked.collect();
        Ok(())
    }

    /// `If-Match` names another version than this one (RFC 7644 §3.14).
    pub fn must_be(&self, version: u32) -> Result<(), Problem> {
        match self.names(header::IF_MATCH, version) {
            Some(false) => Err(Problem::stale()),
            Some(true) | None => Ok(()),
        }
    }

    /// Whether the client has this version (`If-None-Match`).
    pub fn has(&self, version: u32) -> bool {
        self.names(header::IF_NONE_MATCH, version) == Some(true)
    }

    fn names(&self, field: header::HeaderName, version: u32) -> Option<bool> {
        let own = tag(version);
        let is_own =
            |one: &str| one.trim() == "*" || one.trim().trim_start_matches("W/") == own.trim_start_matches("W/");
        let mut lines = self.request.head.headers.get_all(field).iter().peekable();
        lines.peek()?;
        Some(lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(is_own))
    }

    /// `startIndex` from 1 and `count` up to `most`, both bent into their range (RFC 7644 §3.4.2.4).
    pub fn page(&self, most: usize) -> Result<(usize, usize), Problem> {
        let number = |name: &str, usual: i64| match self.query.get(name) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| Complaint::value(format!("{name} is a whole number"))),
        };
        let most_signed = i64::try_from(most).unwrap_or(i64::MAX);
        let start = number("startIndex", 1)?.clamp(1, 1 << 31);
        let count = number("count", most_signed)?.clamp(0, most_signed);
        Ok((usize::try_from(start).unwrap_or(1), usize::try_from(count).unwrap_or(0)))
    }

    /// Whether the client wants an attribute of a resource (RFC 7644 §3.9).
    pub fn wants(&self, name: &str) -> bool {
        let lists = |query: &str| {
            let names = self.query.get(query)?;
            let is_it = |one: &str| one.rsplit(':').next().unwrap_or(one).trim().eq_ignore_ascii_case(name);
            Some(names.split(',').any(|one| is_it(one.split('.').next().unwrap_or(one))))
        };
        lists("attributes").unwrap_or(true) && !lists("excludedAttributes").unwrap_or(false)
    }

    /// A resource with what the client asked for.
    pub fn shaped(&self, mut resource: Value) -> Value {
        if let Some(table) = resource.as_object_mut() {
            table.retain(|name, _| ["schemas", "id", "meta"].contains(&name.as_str()) || self.wants(name));
        }
        resource
    }

    /// An event of this directory.
    pub fn event(&self, action: Action, outcome: Outcome) -> AuditEvent {
        let mut event = AuditEvent::new(EventId::mint(self.now(), random()), self.now(), action, outcome);
        let name = self.directory.name.to_string();
        event.actor = Some(Actor { kind: "directory".to_owned(), id: Some(name.clone()), address: None });
        event.org = Some(self.org.to_string());
        event.directory = Some(name);
        let ua = self.request.head.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let ua = ua.map(|text| text.chars().filter(|c| !c.is_control()).take(256).collect());
        event.client = Some(Client { ip: self.request.client.to_string(), ua });
        event.correlation = Some(self.request.request_id.clone());
        event
    }

    /// One about an account.
    pub fn about(&self, action: Action, account: &Account) -> AuditEvent {
        let mut event = self.event(action, Outcome::Success);
        event.subject = Subject {
            account: Some(account.id.to_string()),
            email: account.email.as_ref().map(ToString::to_string),
            ..Subject::default()
        };
        event
    }
}

impl Scim {
    /// Answers a request below `/scim/`.
    pub async fn answer(&self, request: &PageRequest) -> Response<Bytes> {
        match self.route(request).await {
            Ok(reply) => reply.response(),
            Err(problem) => problem.response(),
        }
    }

    async fn route(&self, request: &PageRequest) -> Result<Reply, Problem> {
        let path = request.head.uri.path();
        let (named, rest) = split(path).ok_or_else(Problem::not_found)?;
        let catalog = self.world.catalog.load_full();
        let found = find(&catalog, named);
        // A directory that is not there is answered as one whose token is wrong.
        let Some((directory, org)) = found.filter(|(directory, _)| self.is_shown(request, directory)) else {
            return Err(self.wrong_token(request));
        };
        if !self.rates.may_ask(directory.id, request.now) {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests. Wait a few seconds."));
        }
        if self.world.orgs.is_behind() || self.world.keys.is_behind() {
            // What is in force is known to be of before a change (rule M2).
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "What holds of organizations could not be read.",
            ));
        }
        let query = request.head.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let base = format!("{}/scim/{named}/v2", catalog.login.url());
        let mut call = Call { request, catalog, directory, org, base, query };
        let segments: Vec<&str> = rest.split('/').filter(|segment| !segment.is_empty()).collect();
        match (&request.head.method, segments.as_slice()) {
            (&Method::GET, ["ServiceProviderConfig" | "ServiceProviderConfigs"]) => {
                Ok(super::describe::provider(&call))
            }
            (&Method::GET, ["Schemas", which @ ..]) => super::describe::schemas(&call, which),
            (&Method::GET, ["ResourceTypes", which @ ..]) => super::describe::types(&call, which),
            (&Method::POST, [".search"]) => {
                call.search()?;
                self.list_all(call).await
            }
            (&Method::POST, ["Users", ".search"]) => {
                call.search()?;
                self.list_users(&call).await
            }
            (&Method::POST, ["Groups", ".search"]) => {
                call.search()?;
                self.list_groups(&call).await
            }
            (_, ["ServiceProviderConfig" | "ServiceProviderConfigs" | "Schemas" | "ResourceTypes", ..]) => {
                Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "That is only read."))
            }
            (_, ["Users", which @ ..]) => self.on_users(&call, which).await,
            (_, ["Groups", which @ ..]) => self.on_groups(&call, which).await,
            _ => Err(Problem::not_found()),
        }
    }

    /// Users, then groups, as one list (RFC 7644 §3.4.3 at the root).
    async fn list_all(&self, mut call: Call<'_>) -> Result<Reply, Problem> {
        let (start, count) = call.page(super::users::MOST)?;
        let parts = |reply: Reply| {
            let body = reply.body.unwrap_or_default();
            let total = body.get("totalResults").and_then(Value::as_u64).and_then(|total| usize::try_from(total).ok());
            let found = body.get("Resources").and_then(Value::as_array).cloned().unwrap_or_default();
            (total.unwrap_or(0), found)
        };
        let (users, mut found) = parts(self.list_users(&call).await?);
        call.query.insert("startIndex".to_owned(), start.saturating_sub(users).max(1).to_string());
        call.query.insert("count".to_owned(), count.saturating_sub(found.len()).to_string());
        let (groups, more) = parts(self.list_groups(&call).await?);
        found.extend(more);
        Ok(super::answer::list(users + groups, start, found))
    }

    /// Whether the request shows a token of the directory that is in force (rule C7: one credential, and no other).
    fn is_shown(&self, request: &PageRequest, directory: &Directory) -> bool {
        let Some(client) = &directory.scim else { return false };
        let Some(shown) = bearer(&request.head.headers).and_then(ScimToken::read) else { return false };
        let held: Vec<_> =
            client.tokens.iter().filter(|token| token.holds_at(request.now)).map(|token| &token.secret).collect();
        self.world.keys.is_scim_token(&shown.secret, directory.id, &held)
    }

    /// One answer for every reason, so that a token's fate is not told to whoever found it.
    fn wrong_token(&self, request: &PageRequest) -> Problem {
        match self.rates.may_be_wrong(request.client, request.now) {
            true => Problem::new(
                StatusCode::UNAUTHORIZED,
                "Send the bearer token of this directory, as it stands in its token_file.",
            ),
            false => Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens. Wait a minute."),
        }
    }
}

/// `/scim/acme/v2/Users` → `acme` and `/Users`. A directory's name has one segment or two, or is `directory/ID`.
fn split(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix("/scim/")?;
    let (at, _) = rest.match_indices("/v2").find(|(at, _)| matches!(rest.as_bytes().get(at + 3), None | Some(b'/')))?;
    let (named, after) = rest.split_at(at);
    let is_name = !named.is_empty() && named.split('/').count() <= 2;
    is_name.then_some((named, after.strip_prefix("/v2")?))
}

/// A directory of an organization, by its name or by our id.
fn find(catalog: &Catalog, named: &str) -> Option<(Arc<Directory>, OrgName)> {
    let by_id = named.strip_prefix("directory/").and_then(|id| DirectoryId::parse(id).ok());
    let id = by_id.or_else(|| {
        let (org, name) = named.split_once('/').unwrap_or((named, "main"));
        let name = DirectoryName::of_org(OrgName::parse(org).ok()?, name).ok()?;
        catalog.directory_names.get(&name).copied()
    })?;
    let directory = catalog.directories.get(&id)?;
    Some((Arc::clone(directory), directory.org()?.clone()))
}

/// The one bearer token of a request: another field of the same name makes it nobody's (rule C7).
fn bearer(fields: &HeaderMap) -> Option<&str> {
    let mut all = fields.get_all(header::AUTHORIZATION).iter();
    let only = all.next().filter(|_| all.next().is_none())?;
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_directory_and_what_is_asked_of_it() {
        let rows = [
            ("/scim/acme/v2/Users", Some(("acme", "/Users"))),
            ("/scim/acme/v2", Some(("acme", ""))),
            ("/scim/acme/okta/v2/Users/1", Some(("acme/okta", "/Users/1"))),
            ("/scim/acme/v2beta/v2/Users", Some(("acme/v2beta", "/Users"))),
            ("/scim/directory/01J/v2/Groups", Some(("directory/01J", "/Groups"))),
            ("/scim/a/b/c/v2/Users", None),
            ("/scim/v2/Users", None),
            ("/scim//v2/Users", None),
            ("/scim/acme/Users", None),
        ];
        for (path, expected) in rows {
            assert_eq!(split(path), expected, "{path}");
        }
    }
}
