//! What a configuration hands on: fingerprints, the catalog, and what a new file gives away.

use super::{SSO, config, with};
use fedgate::config::{confirmation, fingerprint, loosened, policy_fingerprint};
use fedgate::kernel::values::{DirectoryId, DomainName, Timestamp};

#[track_caller]
fn check(org: &str, end: &str, expected: &[&str]) {
    let base = with("", SSO, "[org.acme.policy]\nrequire_amr = [\"mfa\"]\nsession = { idle = \"8h\" }");
    let (old, new) = (config(&base), config(&with("", org, end)));
    let list: Vec<String> = loosened(&old, &new).iter().map(ToString::to_string).collect();
    assert_eq!(list, expected);
    assert!(loosened(&old, &old).is_empty());
}

const POLICY: &str = "[org.acme.policy]\nrequire_amr = [\"mfa\"]\nsession = { idle = \"8h\" }";

#[test]
fn what_a_file_gives_away_is_listed() {
    check(SSO, POLICY, &[]);
    check(SSO, &format!("{POLICY}\nsso = \"offered\""), &["organization acme demands single sign-on less"]);
    check(SSO, &POLICY.replace("8h", "9h"), &["sessions of organization acme last longer"]);
    check(SSO, &POLICY.replace("\"mfa\"", ""), &["organization acme demands less in amr"]);
    check(SSO, &format!("{POLICY}\nthird_party = \"any\""), &["organization acme allows more third parties"]);
    let elsewhere = format!("[org.globex]\ndomains = [\"globex.com\"]\n{POLICY}");
    let old = config(&with("", SSO, &elsewhere));
    let gone = loosened(&old, &config(&with("", SSO, POLICY)));
    assert_eq!(gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["organization globex is removed"]);
    let fewer = loosened(&old, &config(&with("", SSO, &elsewhere.replace("[\"globex.com\"]", "[]"))));
    assert_eq!(
        fewer.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["organization globex no longer holds globex.com"]
    );
    assert_eq!(confirmation(&gone), confirmation(&gone.clone()));
    assert_ne!(confirmation(&gone), confirmation(&fewer));
    assert_eq!(confirmation(&gone).len(), 9);
}

#[test]
fn m5_whose_word_a_providers_keys_are_is_not_given_away_unsaid() {
    let signed = |by: &str| format!("metadata_signer = '''\n{}'''\n", by.trim_start());
    let of = |more: &str| format!("[org.acme.directory.idp]\nsaml = \"https://idp.acme.com/m\"\n{more}");
    let file = |more: &str| config(&with("", "", &of(more)));
    let [one, other] = [(); 2].map(|()| {
        let key = rcgen::KeyPair::generate().expect("a key");
        rcgen::CertificateParams::default().self_signed(&key).expect("self-signed").pem()
    });
    let list = |old: &str, new: &str| -> Vec<String> {
        loosened(&file(old), &file(new)).iter().map(ToString::to_string).collect()
    };
    let said = ["the metadata of acme/idp need not be signed by whom it was to be signed by"];
    assert_eq!(list(&signed(&one), ""), said);
    assert_eq!(list(&signed(&one), &signed(&other)), said);
    assert!(list(&signed(&one), &signed(&one)).is_empty());
    assert!(list("", &signed(&one)).is_empty());
    assert_eq!(list("expired_keys = \"refuse\"", ""), ["keys of acme/idp whose certificates have ended are taken"]);
    assert!(list("", "expired_keys = \"refuse\"").is_empty());
}

#[test]
fn c1_another_issuer_client_or_subject_is_another_directory() {
    let of = |sso: &str| fingerprint(&config(&with("", sso, "")).catalog.directories[0]);
    let before = of(SSO);
    assert_eq!(before, of(&SSO.replace("\"s\"", "\"other-secret\"")));
    for other in [
        SSO.replace("acme.okta.example", "acme.okta.test"),
        SSO.replace("0oa1", "0oa2"),
        SSO.replace(" }", ", subject = \"oid\" }"),
    ] {
        assert_ne!(before, of(&other), "{other}");
    }
}

#[test]
fn a_policy_that_demands_something_else_has_another_fingerprint() {
    let of = |policy: &str| policy_fingerprint(&config(&with("", SSO, policy)).catalog.orgs[0].policy);
    let before = of("");
    assert_eq!(before, of("[org.acme.policy]\nsession = { idle = \"1h\" }"));
    for policy in
        ["sso = \"offered\"", "third_party = \"any\"", "require_amr = [\"mfa\"]", "second_step = \"required\""]
    {
        assert_ne!(before, of(&format!("[org.acme.policy]\n{policy}")), "{policy}");
    }
}

#[test]
fn the_catalog_joins_the_file_and_the_store() {
    let id = DirectoryId::from_bytes([7; 16]);
    let at = Timestamp::from_millis;
    let catalog = config(&with("", SSO, "")).catalog.into_catalog(
        |_| id,
        |_, _| at(1),
        |_, _| (at(2), 3, std::collections::BTreeMap::new()),
        4,
    );
    let claim = &catalog.domains[&DomainName::parse("acme.com").unwrap()];
    assert_eq!((claim.directory, claim.claimed_at), (Some(id), at(1)));
    let org = &catalog.orgs[&claim.org];
    assert_eq!((org.policy.directory, org.policy.changed_at, org.policy.epoch), (Some(id), at(2), 3));
    assert_eq!((catalog.version, catalog.directories[&id].id, catalog.issuer), (4, id, None));
}
