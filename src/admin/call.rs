//! A request, from its path to its answer: route, token, scope, organization, version, and then what the route does.

use super::answer::{Problem, Reply};
use super::route::{Found, Operation, Route, find};
use super::who::Who;
use super::{Admin, openapi};
use crate::entropy::random;
use crate::kernel::journal::Reach;
use crate::kernel::values::{EnterpriseName, OrgName, ProductName, Reference};
use crate::web::PageRequest;
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// At most this many of a list at once.
pub(super) const MOST: usize = 200;
/// This many where nothing is said.
const USUAL: usize = 50;

/// An admitted request.
pub(super) struct Call<'a> {
    pub request: &'a PageRequest,
    pub who: Who,
    /// The organization of the path.
    pub org: Option<OrgName>,
    /// The other names of the path, in order.
    pub names: Vec<String>,
    /// The parameters of the query.
    pub query: HashMap<String, String>,
    /// The version that a write was decided on.
    pub on: Option<u32>,
}

impl Call<'_> {
    /// The organization of the path.
    pub fn org(&self) -> Result<&OrgName, Problem> {
        self.org.as_ref().ok_or_else(Problem::not_found)
    }

    /// A name of the path after the organization.
    pub fn name(&self, place: usize) -> Result<&str, Problem> {
        self.names.get(place).map(String::as_str).ok_or_else(Problem::not_found)
    }

    /// The body.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let json = self.request.head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if json.is_none_or(|kind| kind.split(';').next().map(str::trim) != Some("application/json")) {
            let detail = "Send JSON with Content-Type: application/json.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
        }
        serde_json::from_slice(&self.request.body)
            .map_err(|why| Problem::invalid(format!("The body does not fit: {why}.")))
    }

    /// How many of a list are asked for.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.query.get("limit") {
            None => Ok(USUAL),
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=MOST).contains(limit))
                .ok_or_else(|| Problem::invalid(format!("`limit` is a whole number from 1 to {MOST}."))),
        }
    }

    /// Where a list goes on: what `next` of the page before said.
    pub fn after<T>(&self, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        match self.query.get("after") {
            None => Ok(None),
            Some(text) => {
                parse(text).map(Some).ok_or_else(|| Problem::invalid("`after` is the `next` of the page before."))
            }
        }
    }

    /// Whether a switch of the query is on.
    pub fn is_on(&self, name: &str) -> Result<bool, Problem> {
        match self.query.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::invalid(format!("`{name}` is true or false."))),
        }
    }
}

impl Admin {
    /// Answers a request below `/api/v1`.
    pub async fn answer(&self, request: &PageRequest) -> Response<Bytes> {
        let path = request.head.uri.path().strip_prefix("/api/v1").unwrap_or_default();
        if path == "/openapi.json" && matches!(request.head.method, Method::GET | Method::HEAD) {
            return Reply { status: StatusCode::OK, body: Some(openapi::document()), version: None }.response();
        }
        match self.carry(request, path).await {
            Ok(reply) => reply.response(),
            Err(problem) => {
                let reference = Reference::new(random());
                tracing::info!(code = problem.code, %reference, request = request.request_id, "the admin API refused");
                let allow = (problem.status == StatusCode::METHOD_NOT_ALLOWED).then(|| problem.detail.clone());
                let mut response = problem.response(reference, request.now);
                if let Some(allow) = allow.and_then(|allow| HeaderValue::from_str(&allow).ok()) {
                    response.headers_mut().insert(header::ALLOW, allow);
                }
                response
            }
        }
    }

    /// Who asks comes first: a stranger learns of no path whether it is there.
    async fn carry(&self, request: &PageRequest, path: &str) -> Result<Reply, Problem> {
        let who = self.admit(request).await?;
        let (route, names) = match find(&request.head.method, path) {
            Found::Route(route, names) => (route, names),
            Found::Methods(methods) => {
                let allow: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
                return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", allow.join(", ")));
            }
            Found::Nothing => return Err(Problem::not_found()),
        };
        let call = self.call(request, route, who, names)?;
        self.run(route.operation, call).await
    }

    /// Rights before anything is looked up: another organization's things are not there, whatever is asked of them.
    fn call<'a>(
        &self,
        request: &'a PageRequest,
        route: &Route,
        who: Who,
        mut names: Vec<String>,
    ) -> Result<Call<'a>, Problem> {
        let forbidden = || {
            let detail = format!("This needs the scope {}, and a role that has it.", route.scope.code());
            Problem::new(StatusCode::FORBIDDEN, "scope", detail)
        };
        let may = |place: Reach, is_there: bool| match is_there && who.sees(&place) {
            false => Err(Problem::not_found()),
            true if who.may_at(route.scope, &place) => Ok(()),
            true => Err(forbidden()),
        };
        let mut org = None;
        if route.path.starts_with("/organizations/{org}") {
            let name = OrgName::parse(&names.remove(0)).map_err(|_| Problem::not_found())?;
            let is_there = self.world.orgs.effective().orgs.iter().any(|known| known.name == name);
            may(Reach::Org(name.clone()), is_there)?;
            org = Some(name);
        } else if route.path.starts_with("/products/{product}/enterprises/{enterprise}") {
            let (product, enterprise) = enterprise(&names)?;
            let is_there = self.has_enterprise(&product, &enterprise);
            may(Reach::Enterprise(product, enterprise), is_there)?;
        } else if !who.may(route.scope) {
            return Err(forbidden());
        }
        let query = request.head.uri.query().unwrap_or_default();
        let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let on = if route.versioned { Some(version(request)?) } else { None };
        Ok(Call { request, who, org, names, query, on })
    }

    async fn run(&self, operation: Operation, call: Call<'_>) -> Result<Reply, Problem> {
        match operation {
            Operation::ListOrganizations => self.list_organizations(&call).await,
            Operation::CreateOrganization => self.create_organization(&call).await,
            Operation::ShowOrganization => self.show_organization(&call).await,
            Operation::PutOrganization => self.put_organization(&call).await,
            Operation::RemoveOrganization => self.remove_organization(&call).await,
            Operation::ListVersions => self.list_versions(&call).await,
            Operation::ShowVersion => self.show_version(&call).await,
            Operation::Revert => self.revert(&call).await,
            Operation::ListDomains => self.list_domains(&call).await,
            Operation::AddDomain => self.add_domain(&call).await,
            Operation::VerifyDomain => self.verify_domain(&call).await,
            Operation::ClaimDomain => self.claim_domain(&call).await,
            Operation::SettleDomain => self.settle_domain(&call).await,
            Operation::RemoveDomain => self.remove_domain(&call).await,
            Operation::ListDirectories => self.list_directories(&call).await,
            Operation::CreateDirectory => self.create_directory(&call).await,
            Operation::ShowDirectory => self.show_directory(&call),
            Operation::ReplaceDirectory => Err(Problem::step_up("replace a directory")),
            Operation::RemoveDirectory => Err(Problem::step_up("remove a directory")),
            Operation::ListPolicies => self.list_policies(&call).await,
            Operation::ShowPolicy => self.show_policy(&call).await,
            Operation::PutPolicy => self.put_policy(&call).await,
            Operation::RemovePolicy => self.remove_policy(&call).await,
            Operation::ListPeople => self.list_people(&call).await,
            Operation::ShowPerson => self.show_person(&call).await,
            Operation::Deactivate => self.switch(&call, false).await,
            Operation::Reactivate => self.switch(&call, true).await,
            Operation::DeletePerson => self.delete_person(&call).await,
            Operation::KeepPerson => self.keep_person(&call).await,
            Operation::ListSessions => self.list_sessions(&call).await,
            Operation::EndSessions => self.end_sessions(&call).await,
            Operation::EndSession => self.end_session(&call).await,
            Operation::CreateLocalAccount => self.create_local_account(&call).await,
            Operation::ShowAccess => self.show_access(&call).await,
            Operation::PutAccess => self.put_access(&call).await,
            Operation::ListMembers => self.list_members(&call).await,
            Operation::PutMember => self.put_member(&call).await,
            Operation::ShowMemberAccess => self.show_member_access(&call).await,
            Operation::PutMemberAccess => self.put_member_access(&call).await,
            Operation::AskToMove => self.ask_to_move(&call).await,
            Operation::SearchEvents => self.search_events(&call).await,
            Operation::Explain => self.explain(&call).await,
        }
    }
}

/// The product and the enterprise of a path.
pub(super) fn enterprise(names: &[String]) -> Result<(ProductName, EnterpriseName), Problem> {
    let [product, enterprise, ..] = names else { return Err(Problem::not_found()) };
    let product = ProductName::parse(product).map_err(|_| Problem::not_found())?;
    Ok((product, EnterpriseName::parse(enterprise).map_err(|_| Problem::not_found())?))
}

/// The version in `If-Match`: every write says what it was decided on, so that none is lost.
fn version(request: &PageRequest) -> Result<u32, Problem> {
    let missing = || {
        let detail = "Send If-Match with the ETag of what you read: a write says which version it was decided on.";
        Problem::new(StatusCode::PRECONDITION_REQUIRED, "if-match", detail)
    };
    let mut all = request.head.headers.get_all(header::IF_MATCH).iter();
    let only = all.next().filter(|_| all.next().is_none()).and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    only.trim().trim_matches('"').parse().map_err(|_| missing())
}
