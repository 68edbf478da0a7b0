//! Every verb that administers, done to a person whose account has moved: none leads back to the password (row T10).

use std::collections::BTreeSet;

use fedgate::admin::route::{Operation, ROUTES, Route};

use super::*;

const ANN: &str = "ann@hooli.example.test";

/// What is done to Ann by a route; none where it only reads. No wildcard: a new operation says here what it would do to her.
fn done_to(operation: Operation, sub: &str) -> Option<Value> {
    use Operation as O;
    Some(match operation {
        O::ListOrganizations
        | O::ShowOrganization
        | O::ListVersions
        | O::ShowVersion
        | O::ListDomains
        | O::ListDirectories
        | O::ShowDirectory
        | O::ListPolicies
        | O::ShowPolicy
        | O::ListPeople
        | O::ShowPerson
        | O::ListSessions
        | O::ShowAccess
        | O::ListMembers
        | O::ShowMemberAccess
        | O::SearchEvents
        | O::Explain => return None,
        O::CreateOrganization => json!({ "name": "other" }),
        O::PutOrganization => json!({ "label": "Hooli 2" }),
        O::AddDomain => json!({ "domain": "third.example.test" }),
        O::CreateDirectory => {
            json!({ "name": "more", "oidc": "https://nobody.invalid", "client_id": "x", "client_secret": "a secret" })
        }
        O::PutPolicy => json!({ "policy": { "sso": "off" } }),
        // With a password of its own, under her own user id and under another.
        O::CreateLocalAccount => json!({ "email": ANN, "verified": true, "hash": HASH, "sub": sub }),
        O::PutAccess | O::PutMemberAccess => json!({ "sub": sub, "off": false }),
        O::PutMember => json!({ "sub": sub, "member": true }),
        O::AskToMove => json!({ "subs": [sub] }),
        O::Revert => json!({ "to": 1 }),
        O::RemoveOrganization
        | O::VerifyDomain
        | O::ClaimDomain
        | O::SettleDomain
        | O::RemoveDomain
        | O::ReplaceDirectory
        | O::RemoveDirectory
        | O::RemovePolicy
        | O::Deactivate
        | O::Reactivate
        | O::DeletePerson
        | O::KeepPerson
        | O::EndSessions
        | O::EndSession => Value::Null,
    })
}

/// What takes her organization or her account away comes last.
fn order(route: &Route) -> u8 {
    match route.operation {
        Operation::DeletePerson => 1,
        Operation::KeepPerson => 2,
        Operation::Reactivate => 3,
        Operation::RemovePolicy => 4,
        Operation::RemoveDomain => 5,
        Operation::RemoveOrganization => 6,
        _ => 0,
    }
}

/// Commands of the operator that say something of people or of the way to the one account.
const COMMANDS: &[&[&str]] = &[
    &["sessions", "revoke", "--person", ANN],
    &["quarantine", "free", ANN, "--product", "trello"],
    &["tombstone", "lift", ANN],
    &["breakglass", "remove", ANN],
    &["migrate", "run", "--product", "trello"],
    &["migrate", "phase", "trello", "off"],
    &["import", "{file}", "--product", "trello"],
    &["policy", "revert", "--org", "hooli", "--to", "1"],
];

/// Her password opens nothing, wherever it is typed, and her record is as it was: linked, with no password beside it.
async fn is_moved(scene: &Scene, what: &str) {
    // The provider of these scenes lets everybody in whom it is asked for: whoever went there was not let in by the password.
    let went_there = |page: &Page| page.journey().iter().any(|hop| hop.contains("127.0.0.1/authorize"));
    let agent = scene.agent();
    let page = scene.identify(&agent, ANN).await;
    if asks_password(&page) {
        let page = agent.submit(&page, "password", &[("password", PASSWORD)]).await;
        assert!(went_there(&page) || !scene.is_inside(&agent).await, "{what}: {}", page.describe());
    }
    // The form of somebody else's page, with her address.
    let thief = scene.agent();
    let page = scene.identify(&thief, "tom@free.example.test").await;
    let page = thief.submit(&page, "password", &[("email", ANN), ("password", PASSWORD)]).await;
    assert!(went_there(&page) || !scene.is_inside(&thief).await, "{what}: {}", page.describe());
    let read = "SELECT p.state, (SELECT count(*) FROM password w WHERE w.product_account = p.id) FROM product_account p
                WHERE p.sub = 'u-ann'";
    let found = scene.database().query_row(read, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)));
    assert_eq!(found.expect("her record"), ("linked".to_owned(), 0), "{what}");
}

#[tokio::test]
async fn t10_no_verb_of_those_who_administer_gives_a_password_back_to_who_has_moved() {
    let mut scene = Scene::start().await;
    for (email, sub) in [(ANN, "u-ann"), ("tom@free.example.test", "u-tom")] {
        let person = json!({ "email": email, "verified": true, "hash": HASH, "sub": sub });
        scene.api(Method::POST, "/products/trello/accounts", Some(person), None).await;
    }
    let ann = scene.agent();
    let page = scene.identify(&ann, ANN).await;
    ann.submit(&page, "password", &[("password", PASSWORD)]).await;
    assert!(scene.is_inside(&ann).await, "{}", page.describe());
    // Her company comes, and she goes its way.
    scene.hooli().await;
    scene.policy(json!({ "sso": "offered", "on_change": "immediate" })).await;
    let mut shown = Vec::new();
    scene.add("hooli.example.test", &mut shown).await;
    scene.verify("hooli.example.test").await;
    scene.an_hour_later();
    assert_eq!(scene.verify("hooli.example.test").await["state"], "claimed");
    // A directory may be enforced once somebody logged in by it.
    scene.somebody_by_the_directory().await;
    scene.policy(json!({ "sso": "enforced", "on_change": "immediate" })).await;
    let hers = scene.agent();
    let page = scene.identify(&hers, ANN).await;
    assert!(at_company(&page) && scene.is_inside(&hers).await, "{}", page.describe());
    is_moved(&scene, "moved").await;

    let people = scene.api(Method::GET, &format!("{HOOLI}/people"), None, None).await;
    let found = people["items"].as_array().into_iter().flatten().find(|one| one["email"] == ANN).expect("her");
    let account = found["account"].as_str().expect("an id").to_owned();
    let mut verbs: Vec<&Route> = ROUTES.iter().collect();
    verbs.sort_by_key(|route| order(route));
    let mut took = BTreeSet::new();
    for route in verbs {
        let Some(body) = done_to(route.operation, "u-ann") else { continue };
        let path = route.path.replace("{org}", "hooli").replace("{domain}", "hooli.example.test");
        let path = path.replace("{policy}", "default").replace("{directory}", "main").replace("{account}", &account);
        let path = path.replace("{product}", "trello").replace("{enterprise}", "bigco");
        let path = path.replace("{session}", "01KB3Z8Q4W9T5N7M2XJ6R0V1CD");
        let of = match path.strip_prefix("/organizations/") {
            Some(_) if path.contains("/people/") => format!("{HOOLI}/people/{account}"),
            Some(_) if path.contains("/domains/") => format!("{DOMAINS}/hooli.example.test"),
            _ => HOOLI.to_owned(),
        };
        let body = (!body.is_null()).then_some(body);
        // Where it has to be confirmed, it is.
        let tag = scene.tag(&of).await;
        let (mut status, mut said, _) = scene.send(route.method.clone(), &path, body.clone(), tag.clone()).await;
        if let Some(code) = said["confirm"].as_str() {
            let confirmed = body.clone().map(|mut body| {
                body["confirm"] = json!(code);
                body
            });
            let path = if confirmed.is_some() { path.clone() } else { format!("{path}?confirm={code}") };
            (status, said, _) = scene.send(route.method.clone(), &path, confirmed, tag).await;
        }
        assert!(!status.is_server_error(), "{} {path}: {said}", route.method);
        if status.is_success() {
            took.insert(format!("{:?}", route.operation));
        }
        is_moved(&scene, &format!("{} {path}: {status} {said}", route.method)).await;
        if route.operation == Operation::EndSession {
            commands(&scene).await;
        }
    }
    // What says something of a person did so, and was not refused for want of anything.
    for operation in [
        "PutOrganization",
        "PutPolicy",
        "Deactivate",
        "Reactivate",
        "DeletePerson",
        "KeepPerson",
        "EndSessions",
        "PutAccess",
        "PutMember",
        "PutMemberAccess",
        "RemoveDomain",
        "RemoveOrganization",
        "Revert",
    ] {
        assert!(took.contains(operation), "{operation} was refused: {took:?}");
    }
}

async fn commands(scene: &Scene) {
    let file = scene.gateway.directory().join("again.jsonl");
    let rows = [
        json!({ "id": "u-ann", "email": ANN, "email_verified": true, "password_hash": HASH }),
        json!({ "id": "u-other", "email": ANN, "email_verified": true, "password_hash": HASH }),
    ];
    std::fs::write(&file, rows.map(|row| row.to_string()).join("\n")).expect("a writable directory");
    for command in COMMANDS {
        let typed: Vec<&str> =
            command.iter().map(|word| if *word == "{file}" { file.to_str().expect("text") } else { *word }).collect();
        let (status, out, err) = scene.gateway.command(&typed);
        assert_ne!(status.code(), Some(2), "{typed:?} was not understood: {out}{err}");
        is_moved(scene, &format!("{typed:?}: {out}{err}")).await;
    }
}
