//! What clients ask first: what this server can do, and what its resources have (RFC 7643 §5 to §7).

use super::answer::{Problem, Reply, list};
use super::call::Call;
use super::users::MOST;
use crate::kernel::scim::filter::{CORE, ENTERPRISE};
use crate::kernel::scim::schema;
use serde_json::{Value, json};

/// `/ServiceProviderConfig`.
pub(super) fn provider(call: &Call<'_>) -> Reply {
    Reply::of(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": MOST },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken", "name": "Bearer token", "description": "The token of the directory.", "primary": true,
        }],
        "meta": { "resourceType": "ServiceProviderConfig", "location": format!("{}/ServiceProviderConfig", call.base) },
    }))
}

/// `/Schemas` and one of them.
pub(super) fn schemas(call: &Call<'_>, which: &[&str]) -> Result<Reply, Problem> {
    let place = |mut one: Value| {
        let id = one.get("id").and_then(Value::as_str).unwrap_or_default();
        let location = format!("{}/Schemas/{id}", call.base);
        if let Some(table) = one.as_object_mut() {
            table.insert("meta".to_owned(), json!({ "resourceType": "Schema", "location": location }));
        }
        one
    };
    chosen(call, schema::schemas().into_iter().map(place).collect(), which)
}

/// `/ResourceTypes` and one of them.
pub(super) fn types(call: &Call<'_>, which: &[&str]) -> Result<Reply, Problem> {
    let kind = |name: &str, schema: &str, extensions: Value| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name, "name": name, "endpoint": format!("/{name}s"), "schema": schema, "schemaExtensions": extensions,
            "meta": { "resourceType": "ResourceType", "location": format!("{}/ResourceTypes/{name}", call.base) },
        })
    };
    let extension = json!([{ "schema": ENTERPRISE, "required": false }]);
    chosen(call, vec![kind("User", CORE[0], extension), kind("Group", CORE[1], json!([]))], which)
}

fn chosen(call: &Call<'_>, all: Vec<Value>, which: &[&str]) -> Result<Reply, Problem> {
    match which {
        // RFC 7644 §4: a filter here is refused, so that nobody takes the answer for a filtered one.
        [] if call.query.contains_key("filter") => {
            Err(Problem::new(http::StatusCode::FORBIDDEN, "This list is not filtered."))
        }
        [] => Ok(list(all.len(), 1, all)),
        [id] => all
            .into_iter()
            .find(|one| one.get("id").and_then(Value::as_str) == Some(*id))
            .map(Reply::of)
            .ok_or_else(Problem::not_found),
        _ => Err(Problem::not_found()),
    }
}
