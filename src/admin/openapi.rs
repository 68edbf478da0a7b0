//! The OpenAPI 3.1 document, from the table of routes and the shapes of bodies.

use super::route::{ROUTES, Route};
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(route.method.as_str().to_ascii_lowercase(), operation(route, &mut generator));
        }
    }
    let schemas = Value::Object(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "fedgate admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Bearer tokens of `fedgate token create`. A write names the version that it was decided on in If-Match; what it \
                            gives away is refused with a list and a code (E-LOOSER) until the code is sent as `confirm`. Each write is \
                            idempotent: sent again, it is stale or changes nothing.",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "bearerFormat": "fga_…" } },
            "schemas": schemas,
            "responses": {
                "Problem": {
                    "description": "Why it was not done.",
                    "content": { "application/problem+json": { "schema": problem() } }
                }
            }
        }
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let query = |name: &str, schema: Value| json!({ "name": name, "in": "query", "schema": schema });
    if route.is_list() {
        parameters.push(query("limit", json!({ "type": "integer", "minimum": 1, "maximum": super::call::MOST })));
        parameters.push(query("after", json!({ "type": "string" })));
    }
    for name in route.filters() {
        parameters.push(query(name, json!({ "type": "string" })));
    }
    if route.versioned {
        let what = "The ETag of what was read.";
        let schema = json!({ "type": "string" });
        parameters.push(
            json!({ "name": "If-Match", "in": "header", "required": true, "description": what, "schema": schema }),
        );
    }
    let content = |schema: Value| json!({ "application/json": { "schema": schema } });
    let (status, answer) = match route.answer {
        Some(answer) => {
            let body = content(answer(generator).to_value());
            (if route.creates() { "201" } else { "200" }, json!({ "description": "Done.", "content": body }))
        }
        None => ("204", json!({ "description": "Done." })),
    };
    let mut operation = json!({
        "operationId": format!("{:?}", route.operation),
        "summary": route.summary,
        "x-scope": route.scope.code(),
        "parameters": parameters,
        "responses": { status: answer, "default": { "$ref": "#/components/responses/Problem" } },
    });
    if let (Some(body), Some(object)) = (route.body, operation.as_object_mut()) {
        let body = json!({ "required": true, "content": content(body(generator).to_value()) });
        object.insert("requestBody".to_owned(), body);
    }
    operation
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457, with a reference that `fedgate audit search --ref` and the log know.",
        "required": ["type", "title", "status", "code", "detail", "ref", "time"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "Stable." },
            "detail": { "type": "string", "description": "What happened and what to do." },
            "ref": { "type": "string" },
            "time": { "type": "string" },
            "version": { "type": "integer", "description": "With `stale`: the version that holds." },
            "errors": { "type": "array", "items": { "type": "object" }, "description": "What is wrong, one by one, in the file's codes." },
            "loosens": { "type": "array", "items": { "type": "string" } },
            "people": {},
            "confirm": { "type": "string", "description": "With `E-LOOSER`: what to send as `confirm`." }
        }
    })
}
