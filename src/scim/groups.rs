//! `/Groups`: who is in which group of the directory. Groups count for `allow`, for policies (which only tighten by them) and in
//! assertions from a person's next login on; where a group decides something, a change of who is in it ends the sessions of those whom
//! it concerns, so that the next login is at once.

use super::Scim;
use super::answer::{Problem, Reply, list, tag};
use super::call::Call;
use super::users::Halt;
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, ProvisionedGroup, ScimChange};
use crate::kernel::scim::filter::{CORE, Filter};
use crate::kernel::scim::patch::{Of, apply};
use crate::kernel::scim::{Attributes, Complaint, schema};
use crate::kernel::values::AccountId;
use crate::store::Unavailable;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Members of one group, at most.
const MEMBERS: usize = 10_000;
/// Groups of a directory, at most: a filter is asked of each.
const GROUPS: usize = 2_000;
/// Groups of one answer, at most.
const MOST: usize = 100;

impl Scim {
    pub(super) async fn on_groups(&self, call: &Call<'_>, which: &[&str]) -> Result<Reply, Problem> {
        let written = match (&call.request.head.method, which) {
            (&Method::GET, []) => return self.list_groups(call).await,
            (&Method::GET, [id]) => {
                let group = self.group(call, id).await?;
                if call.has(group.version) {
                    return Ok(Reply { version: Some(group.version), ..Reply::empty(StatusCode::NOT_MODIFIED) });
                }
                let shown = self.shown_group(call, &group).await?;
                return Ok(Reply::resource(call.shaped(shown), group.version));
            }
            (&Method::POST, []) => self.create_group(call).await,
            (&Method::PUT | &Method::PATCH, [id]) => self.change_group(call, id).await,
            (&Method::DELETE, [id]) => self.delete_group(call, id).await,
            (_, [] | [_]) => {
                return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "That cannot be done to groups."));
            }
            _ => return Err(Problem::not_found()),
        };
        written.map_err(|halt| match halt {
            Halt::Problem(problem) => problem,
            // The store knows why: another group has the name, a member is no user of the directory, or another change was first.
            Halt::Conflict => {
                Complaint::taken("Another group has this displayName or externalId, or it changed meanwhile.").into()
            }
        })
    }

    async fn group(&self, call: &Call<'_>, id: &str) -> Result<ProvisionedGroup, Problem> {
        let id = AccountId::parse(id).map_err(|_| Problem::not_found())?;
        let group = self.world.store.provisioned_group(call.directory.id, id).await?;
        group.ok_or_else(Problem::not_found)
    }

    async fn create_group(&self, call: &Call<'_>) -> Result<Reply, Halt> {
        let given = schema::group(&call.body()?, MEMBERS)?;
        if self.world.store.count_provisioned_groups(call.directory.id).await? >= GROUPS as u64 {
            return Err(Complaint::value(format!("a directory has at most {GROUPS} groups")).into());
        }
        let mut group = ProvisionedGroup {
            id: AccountId::mint(call.now(), random()),
            directory: call.directory.id,
            name: String::new(),
            external_id: None,
            version: 1,
            created_at: call.now(),
            changed_at: call.now(),
        };
        name(&mut group, &given);
        let members = self.members_of(call, &given).await?;
        let mut batch = Batch::default();
        batch.changes.push(Change::Scim(ScimChange::AddGroup(group.clone())));
        batch.changes.extend(members.iter().map(|member| Change::Scim(ScimChange::Join(group.id, *member))));
        self.tell(call, (Action::ScimGroupCreated, &group), [&members, &BTreeSet::new()], &mut batch);
        self.ask_again(call, &[&group.name], &members, &mut batch).await?;
        self.world.store.commit(batch).await.map_err(Halt::of_commit)?;
        let shown = self.shown_group(call, &group).await?;
        Ok(Reply::resource(call.shaped(shown), group.version).created())
    }

    async fn change_group(&self, call: &Call<'_>, id: &str) -> Result<Reply, Halt> {
        let before = self.group(call, id).await?;
        call.must_be(before.version)?;
        let was: BTreeSet<AccountId> =
            self.world.store.provisioned_members(before.id, MEMBERS).await?.into_iter().collect();
        let body = call.body()?;
        let given = match call.request.head.method {
            Method::PATCH => apply(Of::Group, (id, &attributes(&before, &was)), &body)?,
            _ => body,
        };
        let given = schema::group(&given, MEMBERS)?;
        let mut group = before.clone();
        name(&mut group, &given);
        let members = self.members_of(call, &given).await?;
        let came: BTreeSet<AccountId> = members.difference(&was).copied().collect();
        let went: BTreeSet<AccountId> = was.difference(&members).copied().collect();
        if group == before && came.is_empty() && went.is_empty() {
            let shown = self.shown_group(call, &group).await?;
            return Ok(Reply::resource(call.shaped(shown), group.version));
        }
        group.version = group.version.saturating_add(1);
        group.changed_at = call.now();
        let mut batch = Batch::default();
        batch.changes.push(Change::Scim(ScimChange::PutGroup(group.clone())));
        batch.changes.extend(came.iter().map(|member| Change::Scim(ScimChange::Join(group.id, *member))));
        batch.changes.extend(went.iter().map(|member| Change::Scim(ScimChange::Leave(group.id, *member))));
        self.tell(call, (Action::ScimGroupUpdated, &group), [&came, &went], &mut batch);
        let concerned = match group.name == before.name {
            true => came.union(&went).copied().collect(),
            false => was.union(&members).copied().collect(),
        };
        self.ask_again(call, &[&before.name, &group.name], &concerned, &mut batch).await?;
        self.world.store.commit(batch).await.map_err(Halt::of_commit)?;
        let shown = self.shown_group(call, &group).await?;
        Ok(Reply::resource(call.shaped(shown), group.version))
    }

    async fn delete_group(&self, call: &Call<'_>, id: &str) -> Result<Reply, Halt> {
        let group = self.group(call, id).await?;
        call.must_be(group.version)?;
        let was: BTreeSet<AccountId> =
            self.world.store.provisioned_members(group.id, MEMBERS).await?.into_iter().collect();
        let mut batch = Batch::default();
        batch.changes.push(Change::Scim(ScimChange::DropGroup(group.id)));
        self.tell(call, (Action::ScimGroupDeleted, &group), [&BTreeSet::new(), &was], &mut batch);
        self.ask_again(call, &[&group.name], &was, &mut batch).await?;
        self.world.store.commit(batch).await.map_err(Halt::of_commit)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// Who is named as a member: users of this directory, and nobody else's (rule H4).
    async fn members_of(&self, call: &Call<'_>, given: &Attributes) -> Result<BTreeSet<AccountId>, Halt> {
        let mut members = BTreeSet::new();
        for value in given.get("members").and_then(Value::as_array).into_iter().flatten() {
            let text = value.get("value").and_then(Value::as_str).unwrap_or_default();
            let id = self.user(call, text).await.map_err(|problem| match problem.0.status {
                404 => Problem::from(Complaint::value("A member is no user of this directory.")),
                _ => problem,
            });
            members.insert(id?.0.account);
        }
        Ok(members)
    }

    fn tell(
        &self,
        call: &Call<'_>,
        (action, group): (Action, &ProvisionedGroup),
        [came, went]: [&BTreeSet<AccountId>; 2],
        batch: &mut Batch,
    ) {
        let ids = |members: &BTreeSet<AccountId>| members.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut event = call.event(action, Outcome::Success);
        event.after = Some(json!({
            "group": group.id.to_string(), "name": group.name, "came": ids(came), "went": ids(went),
        }));
        batch.events.push(event);
    }

    /// Ends the sessions of people whose groups are others now, where one of these names decides who may enter or under which policy. Only
    /// sessions that this directory proved have groups of it: whoever another one logged in is none of its matter (rule H5).
    async fn ask_again(
        &self,
        call: &Call<'_>,
        names: &[&String],
        whom: &BTreeSet<AccountId>,
        batch: &mut Batch,
    ) -> Result<(), Unavailable> {
        let counts = |groups: &[String]| names.iter().any(|name| groups.contains(*name));
        let enters = call.catalog.products.values().any(|product| counts(&product.allow.groups));
        let org = call.catalog.orgs.get(&call.org);
        let governs = org.is_some_and(|org| org.policies.iter().any(|named| counts(&named.members.groups)));
        if !enters && !governs {
            return Ok(());
        }
        for account in whom {
            let sessions = self.world.store.login_sessions_of(*account).await?;
            for session in sessions.iter().filter(|session| session.directory == call.directory.id) {
                batch.end_login_session(session.id);
            }
        }
        Ok(())
    }

    pub(super) async fn list_groups(&self, call: &Call<'_>) -> Result<Reply, Problem> {
        let (start, count) = call.page(MOST)?;
        let filter = call.query.get("filter").map(|text| Filter::parse(text)).transpose()?;
        let mut found = Vec::new();
        for group in self.world.store.provisioned_groups(call.directory.id, 0, GROUPS).await? {
            // Who is in a group is read only of those that are shown, or where the filter asks for it.
            let asks = filter.as_ref().is_some_and(|filter| filter.to_string().contains("members"));
            let known = if asks { self.shown_group(call, &group).await? } else { bare(call, &group) };
            let meets = |filter: &Filter| known.as_object().is_some_and(|known| filter.holds(known));
            if filter.as_ref().is_none_or(meets) {
                found.push(group);
            }
        }
        let total = found.len();
        let mut page = Vec::new();
        for group in found.iter().skip(start - 1).take(count) {
            let shown = self.shown_group(call, group).await?;
            page.push(call.shaped(shown));
        }
        Ok(list(total, start, page))
    }

    async fn shown_group(&self, call: &Call<'_>, group: &ProvisionedGroup) -> Result<Value, Problem> {
        let mut shown = bare(call, group);
        if !call.wants("members") {
            return Ok(shown);
        }
        let members = self.world.store.provisioned_members(group.id, MEMBERS).await?;
        let members: Vec<Value> = members
            .iter()
            .map(|id| json!({ "value": id.to_string(), "$ref": format!("{}/Users/{id}", call.base) }))
            .collect();
        if let Some(table) = shown.as_object_mut().filter(|_| !members.is_empty()) {
            table.insert("members".to_owned(), members.into());
        }
        Ok(shown)
    }
}

fn bare(call: &Call<'_>, group: &ProvisionedGroup) -> Value {
    let mut shown = json!({
        "schemas": [CORE[1]], "id": group.id.to_string(), "displayName": group.name,
        "meta": {
            "resourceType": "Group", "created": group.created_at.to_string(), "lastModified": group.changed_at.to_string(),
            "location": format!("{}/Groups/{}", call.base, group.id), "version": tag(group.version),
        },
    });
    if let (Some(id), Some(table)) = (&group.external_id, shown.as_object_mut()) {
        table.insert("externalId".to_owned(), id.clone().into());
    }
    shown
}

/// A group in its one form, for a PATCH.
fn attributes(group: &ProvisionedGroup, members: &BTreeSet<AccountId>) -> Attributes {
    let mut attributes = Attributes::new();
    attributes.insert("displayName".to_owned(), group.name.clone().into());
    attributes.extend(group.external_id.clone().map(|id| ("externalId".to_owned(), id.into())));
    if !members.is_empty() {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id.to_string() })).collect();
        attributes.insert("members".to_owned(), members.into());
    }
    attributes
}

fn name(group: &mut ProvisionedGroup, given: &Attributes) {
    let text = |name: &str| given.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    group.name = text("displayName").unwrap_or_default();
    group.external_id = text("externalId");
}
