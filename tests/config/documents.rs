//! Documents of organizations: the same rules as the file, and the file as their floor.

use super::{SSO, config, with};
use fedgate::config::Documents;
use fedgate::kernel::model::{Sso, ThirdPartyRule};
use fedgate::kernel::values::{DirectoryName, DomainName, OrgName, Secret};
use fedgate::orgs::overlay::{Overlaid, overlay};
use fedgate::orgs::{Document, DraftOrg};
use serde_json::{Value, json};
use std::time::Duration;

/// Every domain that is asked for is held, except those that begin with `un`; every secret that is named is there but `…#9`.
fn laid(file: &str, documents: &[(&str, Value)]) -> Overlaid {
    let floor = config(file).catalog;
    let named = |(org, document): &(&str, Value)| {
        (OrgName::parse(org).unwrap(), Document::parse(&document.to_string()).unwrap())
    };
    let documents: Vec<_> = documents.iter().map(named).collect();
    let secrets = |name: &str| (!name.ends_with("#9")).then(|| Secret::new("s".to_owned()));
    overlay((&floor, &Documents), &documents, &secrets, &|_, domain: &DomainName| !domain.as_str().starts_with("un"))
}

fn org<'a>(laid: &'a Overlaid, name: &str) -> &'a DraftOrg {
    laid.draft.orgs.iter().find(|org| org.name.as_str() == name).expect("an organization")
}

fn domains(org: &DraftOrg) -> Vec<String> {
    let shown = |(domain, directory): &(DomainName, Option<DirectoryName>)| match directory {
        Some(directory) => format!("{domain} by {directory}"),
        None => domain.to_string(),
    };
    org.domains.iter().map(shown).collect()
}

fn codes(laid: &Overlaid) -> Vec<&'static str> {
    laid.broken.iter().flat_map(|(_, mistakes)| mistakes.iter().map(|mistake| mistake.code)).collect()
}

fn okta(client: &str) -> Value {
    json!({ "oidc": "https://globex.okta.example", "client_id": client, "client_secret": { "generation": 1 } })
}

#[test]
fn an_organization_of_the_store_alone_is_read_like_one_of_the_file() {
    let document = json!({
        "label": "Globex",
        "domains": ["globex.com", "unproved.com"],
        "directory": { "okta": okta("1") },
        "policy": { "sso": "enforced", "session": { "idle": "8h" }, "require_amr": ["mfa"] },
        "admins": ["it@globex.com"],
    });
    let laid = laid(&with("", SSO, ""), &[("globex", document)]);
    assert_eq!(codes(&laid), Vec::<&str>::new());
    let globex = org(&laid, "globex");
    assert_eq!(globex.label, "Globex");
    assert_eq!(domains(globex), ["globex.com by globex/okta"], "one that is not proved does not count");
    assert_eq!(globex.policy.sso, Sso::Enforced);
    assert_eq!(globex.policy.limits.idle, Some(Duration::from_secs(8 * 3600)));
    assert_eq!(globex.admins.len(), 1);
    let directory = laid.draft.directories.iter().find(|one| one.org() == Some(&globex.name)).unwrap();
    assert_eq!(directory.domains.len(), 1, "nor does its directory speak for it");
    assert_eq!(domains(org(&laid, "acme")), ["acme.com by acme"], "nobody else is touched");
}

#[test]
fn a_directory_without_a_policy_enforces_nothing_at_run_time() {
    let document = json!({ "domains": ["globex.com"], "directory": { "okta": okta("1") } });
    assert_eq!(org(&laid(&with("", SSO, ""), &[("globex", document)]), "globex").policy.sso, Sso::Off);
}

const FLOOR: &str = "[org.acme.policy]\nsso = \"offered\"\nthird_party = \"any\"\nrequire_amr = [\"mfa\"]\n\
                     session = { idle = \"8h\", absolute = \"30d\" }\n";

#[test]
fn the_file_is_the_floor_and_a_document_only_tightens() {
    let check = |policy: Value, sso: Sso, idle: u64, amr: &[&str], third_party: ThirdPartyRule| {
        let laid = laid(&with("", SSO, FLOOR), &[("acme", json!({ "policy": policy }))]);
        let acme = org(&laid, "acme");
        assert_eq!(codes(&laid), Vec::<&str>::new());
        assert_eq!(acme.policy.sso, sso, "{policy}");
        assert_eq!(acme.policy.limits.idle, Some(Duration::from_secs(idle * 3600)), "{policy}");
        // A session that is written is written whole: what it leaves out is the usual week.
        let days = if policy.get("session").is_some() { 7 } else { 30 };
        assert_eq!(acme.policy.limits.absolute, Some(Duration::from_secs(days * 86_400)), "{policy}");
        assert_eq!(acme.policy.require_amr, amr, "{policy}");
        assert_eq!(acme.policy.third_party, third_party, "{policy}");
        assert_eq!(domains(acme), ["acme.com by acme"]);
    };
    let any = ThirdPartyRule::Any;
    check(json!({}), Sso::Offered, 8, &["mfa"], any.clone());
    check(json!({ "sso": "enforced" }), Sso::Enforced, 8, &["mfa"], any.clone());
    check(json!({ "sso": "off" }), Sso::Offered, 8, &["mfa"], any.clone());
    check(json!({ "session": { "idle": "1h" } }), Sso::Offered, 1, &["mfa"], any.clone());
    check(json!({ "session": { "idle": "20h" } }), Sso::Offered, 8, &["mfa"], any.clone());
    check(json!({ "require_amr": ["hwk"] }), Sso::Offered, 8, &["mfa", "hwk"], any.clone());
    check(json!({ "require_amr": [] }), Sso::Offered, 8, &["mfa"], any);
    check(json!({ "third_party": "none" }), Sso::Offered, 8, &["mfa"], ThirdPartyRule::None);
}

#[test]
fn a_document_adds_beside_the_file() {
    let document = json!({
        "domains": ["acme.com", "acme.de"],
        "directory": { "okta": okta("1") },
        "admins": ["it@acme.com"],
    });
    let laid = laid(&with("", SSO, "[org.acme.policy]\nsso = \"offered\""), &[("acme", document)]);
    assert_eq!(codes(&laid), Vec::<&str>::new());
    let acme = org(&laid, "acme");
    assert_eq!(domains(acme), ["acme.com by acme", "acme.de by acme"]);
    let names: Vec<String> = acme.directories.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["acme", "acme/okta"]);
    assert_eq!(laid.draft.directories.iter().filter(|one| one.org() == Some(&acme.name)).count(), 2);
}

#[test]
fn what_is_wrong_with_a_document_shuts_its_organization_alone() {
    let check = |documents: &[(&str, Value)], expected: &[&str]| {
        let laid = laid(&with("", SSO, ""), documents);
        assert_eq!(codes(&laid), expected, "{documents:?}");
        for (broken, _) in &laid.broken {
            let policy = &org(&laid, broken.as_str()).policy;
            assert_eq!((policy.sso, &policy.directory), (Sso::Enforced, &None), "nobody enters");
        }
        laid
    };
    check(&[("globex", json!({ "domian": ["globex.com"] }))], &["E-UNKNOWN-KEY"]);
    check(&[("globex", json!({ "domains": ["gmail.com"] }))], &["E-DOMAIN"]);
    check(&[("globex", json!({ "domains": ["acme.com"] }))], &["E-DOMAIN-TWICE"]);
    check(&[("globex", json!({ "policy": { "sso": "enforced" } }))], &["E-POLICY"]);
    check(&[("globex", json!({ "label": "see https://evil.example" }))], &["E-VALUE"]);
    // Rule M16: nothing of this machine is named from outside.
    let file = json!({ "oidc": "https://x.example", "client_id": "1", "client_secret_file": "/etc/shadow" });
    check(&[("globex", json!({ "directory": { "okta": file } }))], &["E-UNKNOWN-KEY"]);
    let variable = json!({ "oidc": "https://x.example", "client_id": "1", "client_secret_env": "HOME" });
    check(&[("globex", json!({ "directory": { "okta": variable } }))], &["E-UNKNOWN-KEY"]);
    let lost = json!({ "oidc": "https://x.example", "client_id": "1", "client_secret": { "generation": 9 } });
    check(&[("globex", json!({ "directory": { "okta": lost } }))], &["E-SECRET-UNREADABLE"]);
    // Rule H20: one client, one directory, over all organizations.
    let laid = check(
        &[
            ("globex", json!({ "domains": ["globex.com"], "directory": { "okta": okta("1") } })),
            ("initech", json!({ "domains": ["initech.com"], "directory": { "okta": okta("1") } })),
        ],
        &["E-CLIENT-TWICE"],
    );
    assert_eq!(domains(org(&laid, "globex")), ["globex.com by globex/okta"]);
    assert_eq!(domains(org(&laid, "initech")), ["initech.com"], "it keeps what it holds, and nobody enters by it");
    // What an organization of the file proved at run time is shut with the rest: unmanaged it would be open to every other way.
    let laid = check(&[("acme", json!({ "domian": [], "domains": ["acme.de"] }))], &["E-UNKNOWN-KEY"]);
    assert_eq!(domains(org(&laid, "acme")), ["acme.com", "acme.de"]);
    // The file's own directory cannot be replaced by one of the same name (rule M19).
    let laid = check(&[("acme", json!({ "directory": { "main": okta("1") } }))], &["E-NAME-TWICE"]);
    assert_eq!(domains(org(&laid, "acme")), ["acme.com"]);
}

#[test]
fn mistake_22_no_document_enforces_a_directory_of_addresses_unless_that_is_meant() {
    let file = |more: &str| {
        let sso = SSO.replace(" }", &format!(", subject = \"email\"{more} }}"));
        with("", &sso, "[org.acme.policy]\nsso = \"offered\"")
    };
    let check = |file: &str, document: Value, expected: &[&str]| {
        assert_eq!(codes(&laid(file, &[("acme", document.clone())])), expected, "{document}");
    };
    let enforced = json!({ "policy": { "sso": "enforced" } });
    check(&file(""), json!({ "policy": { "sso": "offered" } }), &[]);
    check(&file(""), enforced.clone(), &["E-SUBJECT-EMAIL"]);
    check(&file(", i_know_subject_is_an_address = true"), enforced.clone(), &[]);
    check(&with("", SSO, ""), enforced, &[]);
    // One of its own, and a policy for some people alone.
    let own = |more: Value| {
        let mut directory = okta("1");
        directory["subject"] = json!("upn");
        directory.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "domains": ["globex.com"], "directory": { "okta": directory }, "policy": { "sso": "off" },
                "policies": { "pilot": { "members": { "people": ["ann@globex.com"] }, "sso": "enforced" } } })
    };
    let globex = |document: Value| codes(&laid(&with("", SSO, ""), &[("globex", document)]));
    assert_eq!(globex(own(json!({}))), ["E-SUBJECT-EMAIL"]);
    assert_eq!(globex(own(json!({ "i_know_subject_is_an_address": true }))), Vec::<&str>::new());
}
