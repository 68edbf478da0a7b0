//! `/Users`: read, listed, made, changed, deleted. What a change does to an account is `act`'s.

use super::Scim;
use super::act::Facts;
use super::answer::{Problem, Reply, list, tag};
use super::call::Call;
use crate::kernel::model::{Account, AccountStatus};
use crate::kernel::scim::filter::{CORE, ENTERPRISE, Filter};
use crate::kernel::scim::patch::{Of, apply};
use crate::kernel::scim::place::Provisioned;
use crate::kernel::scim::{Attributes, Complaint, person, schema};
use crate::kernel::values::AccountId;
use crate::mail::NotQueued;
use crate::store::{NotCommitted, Unavailable, UserKey};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// Users of one answer, at most.
pub(super) const MOST: usize = 200;
/// Users that a filter is asked of, at most, where it names none by an id or a name.
const SCANNED: usize = 20_000;
/// How often a change is decided again because another was first.
const TRIES: usize = 4;

impl Scim {
    pub(super) async fn on_users(&self, call: &Call<'_>, which: &[&str]) -> Result<Reply, Problem> {
        let method = &call.request.head.method;
        match (method, which) {
            (&Method::GET, []) => self.list_users(call).await,
            (&Method::POST, []) => self.again(call, None).await,
            (&Method::GET, [id]) => {
                let (row, account) = self.user(call, id).await?;
                if call.has(row.version) {
                    return Ok(Reply { version: Some(row.version), ..Reply::empty(StatusCode::NOT_MODIFIED) });
                }
                self.shown(call, &row, &account).await
            }
            (&Method::PUT | &Method::PATCH | &Method::DELETE, [id]) => self.again(call, Some(id)).await,
            (_, [] | [_]) => Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "That cannot be done to users.")),
            _ => Err(Problem::not_found()),
        }
    }

    /// Decides and writes; of two that write at once the slower decides again.
    async fn again(&self, call: &Call<'_>, id: Option<&str>) -> Result<Reply, Problem> {
        for _ in 1..TRIES {
            match self.write_user(call, id).await {
                Err(Halt::Conflict) => {}
                Err(Halt::Problem(problem)) => return Err(problem),
                Ok(reply) => return Ok(reply),
            }
        }
        match self.write_user(call, id).await {
            Ok(reply) => Ok(reply),
            Err(Halt::Problem(problem)) => Err(problem),
            Err(Halt::Conflict) => {
                Err(Complaint::taken("Somebody else changed it at the same moment. Read it again.").into())
            }
        }
    }

    async fn write_user(&self, call: &Call<'_>, id: Option<&str>) -> Result<Reply, Halt> {
        let Some(id) = id else {
            let attributes = schema::user(&call.body()?).map_err(Problem::from)?;
            let (row, account) = self.create(call, attributes).await?;
            return Ok(self.shown(call, &row, &account).await?.created());
        };
        let (row, account) = self.user(call, id).await?;
        call.must_be(row.version)?;
        let before = attributes_of(&row)?;
        let method = &call.request.head.method;
        if *method == Method::DELETE {
            self.delete(call, Facts { row, account, before }).await?;
            return Ok(Reply::empty(StatusCode::NO_CONTENT));
        }
        let body = call.body()?;
        let given = match *method {
            Method::PATCH => apply(Of::User, (id, &before), &body).map_err(Problem::from)?,
            _ => body,
        };
        let after = schema::user(&given).map_err(Problem::from)?;
        let (row, account) = self.change(call, Facts { row, account, before }, after).await?;
        Ok(self.shown(call, &row, &account).await?)
    }

    /// A user of the directory: everybody else's is not there, and so is one whose account is gone.
    pub(super) async fn user(&self, call: &Call<'_>, id: &str) -> Result<(Provisioned, Account), Problem> {
        let id = AccountId::parse(id).map_err(|_| Problem::not_found())?;
        let row = self.world.store.provisioned(call.directory.id, UserKey::Account(id)).await?;
        let row = row.ok_or_else(Problem::not_found)?;
        let account = self.world.store.account(row.account).await?;
        let account = account.filter(|account| account.status != AccountStatus::Deleted);
        Ok((row, account.ok_or_else(Problem::not_found)?))
    }

    pub(super) async fn list_users(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (start, count) = call.page(MOST)?;
        let (store, directory) = (&self.world.store, call.directory.id);
        let Some(filter) = call.query.get("filter").map(|text| Filter::parse(text)).transpose()? else {
            let total = store.count_provisioned(directory).await?;
            let from = u64::try_from(start - 1).unwrap_or(u64::MAX);
            let rows = if count == 0 { Vec::new() } else { store.provisioned_users(directory, from, count).await? };
            let found = self.resources(call, rows).await?;
            return Ok(list(usize::try_from(total).unwrap_or(usize::MAX), start, found));
        };
        let found: Vec<Value> = self.filtered(call, &filter).await?;
        let total = found.len();
        let page = found.into_iter().skip(start - 1).take(count).map(|one| call.shaped(one)).collect();
        Ok(list(total, start, page))
    }

    /// What meets a filter: looked up where it names one user, else asked of each.
    async fn filtered(&self, call: &Call<'_>, filter: &Filter) -> Result<Vec<Value>, Problem> {
        let (store, directory) = (&self.world.store, call.directory.id);
        let name = filter.equal_to("userName").map(str::to_lowercase);
        let key = match (filter.equal_to("id"), &name, filter.equal_to("externalId")) {
            (Some(id), ..) => match AccountId::parse(id) {
                Ok(id) => Some(UserKey::Account(id)),
                Err(_) => return Ok(Vec::new()),
            },
            (_, Some(name), _) => Some(UserKey::UserName(name)),
            (.., Some(external_id)) => Some(UserKey::ExternalId(external_id)),
            _ => None,
        };
        let rows = match key {
            Some(key) => store.provisioned(directory, key).await?.into_iter().collect(),
            None if store.count_provisioned(directory).await? > SCANNED as u64 => {
                return Err(Complaint {
                    status: 400,
                    kind: Some("tooMany"),
                    detail: "Filter by userName, externalId or id.".to_owned(),
                }
                .into());
            }
            None => store.provisioned_users(directory, 0, SCANNED).await?,
        };
        let mut found = Vec::new();
        for row in rows {
            let Some(account) = self.living(&row).await? else { continue };
            let resource = self.resource(call, &row, &account).await?;
            if resource.as_object().is_some_and(|resource| filter.holds(resource)) {
                found.push(resource);
            }
        }
        Ok(found)
    }

    async fn living(&self, row: &Provisioned) -> Result<Option<Account>, Problem> {
        let account = self.world.store.account(row.account).await?;
        Ok(account.filter(|account| account.status != AccountStatus::Deleted))
    }

    async fn resources(&self, call: &Call<'_>, rows: Vec<Provisioned>) -> Result<Vec<Value>, Problem> {
        let mut found = Vec::new();
        for row in rows {
            if let Some(account) = self.living(&row).await? {
                found.push(call.shaped(self.resource(call, &row, &account).await?));
            }
        }
        Ok(found)
    }

    async fn shown(&self, call: &Call<'_>, row: &Provisioned, account: &Account) -> Result<Reply, Problem> {
        let resource = self.resource(call, row, account).await?;
        Ok(Reply::resource(call.shaped(resource), row.version))
    }

    /// What the directory said, and what holds: whether the person may act, and their groups.
    async fn resource(&self, call: &Call<'_>, row: &Provisioned, account: &Account) -> Result<Value, Problem> {
        let mut resource = attributes_of(row)?;
        let active = row.active && account.status == AccountStatus::Active;
        let extended = resource.contains_key(ENTERPRISE);
        let schemas = if extended { json!([CORE[0], ENTERPRISE]) } else { json!([CORE[0]]) };
        let (id, base) = (row.account.to_string(), &call.base);
        let meta = json!({
            "resourceType": "User", "created": row.created_at.to_string(), "lastModified": row.changed_at.to_string(),
            "location": format!("{base}/Users/{id}"), "version": tag(row.version),
        });
        if call.wants("groups") {
            let groups = self.world.store.provisioned_groups_of(call.directory.id, row.account).await?;
            let shown: Vec<Value> = groups
                .iter()
                .map(|group| {
                    json!({ "value": group.id.to_string(), "display": group.name, "$ref": format!("{base}/Groups/{}", group.id) })
                })
                .collect();
            if !shown.is_empty() {
                resource.insert("groups".to_owned(), shown.into());
            }
        }
        // What was never said is not shown, unless somebody else said otherwise.
        if resource.contains_key("active") || row.active != active {
            resource.insert("active".to_owned(), active.into());
        }
        for (name, value) in [("schemas", schemas), ("id", id.into()), ("meta", meta)] {
            resource.insert(name.to_owned(), value);
        }
        Ok(Value::Object(resource))
    }
}

/// What a row holds. A row that is none of ours is a damaged store, never a guess.
pub(super) fn attributes_of(row: &Provisioned) -> Result<Attributes, Problem> {
    match serde_json::from_str(&row.attributes) {
        Ok(Value::Object(attributes)) => Ok(attributes),
        _ => Err(Problem::fault(&"attributes of a provisioned user are damaged")),
    }
}

/// Reads the person in a row.
pub(super) fn person_of(attributes: &Attributes) -> Result<person::Person, Problem> {
    Ok(person::read(attributes)?)
}

/// Why a change stops.
#[derive(Debug)]
pub(super) enum Halt {
    /// It is not done.
    Problem(Problem),
    /// Another one was first: decide again.
    Conflict,
}

macro_rules! halts {
    ($($fault:ty),+) => {
        $(impl From<$fault> for Halt {
            fn from(fault: $fault) -> Self {
                Self::Problem(Problem::from(fault))
            }
        })+
    };
}

halts!(Problem, Complaint, Unavailable, NotQueued);

impl Halt {
    /// A conflict is decided again; an outage is told.
    pub(super) fn of_commit(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Conflict(_) => Self::Conflict,
            NotCommitted::Unavailable(fault) => Self::Problem(fault.into()),
        }
    }
}
