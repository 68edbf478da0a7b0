//! Keys that change, at the provider and with us, while people log in (M5, M23): no login is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::StatusCode;
use serde_json::json;

use crate::saml::Company;
use crate::support::authority::Authority;
use crate::support::saml::Idp;

async fn logs_in(company: &Company, login: &str) -> bool {
    let agent = company.browser();
    company.log_in(&agent, login).await;
    company.who(&agent).await.is_some()
}

/// Logs people in until it is told to stop; how many were, and how many were not.
async fn go_on(company: &Company, stop: &AtomicBool, done: &AtomicUsize) -> usize {
    let mut lost = 0;
    while !stop.load(Ordering::Acquire) {
        lost += usize::from(!logs_in(company, "bob").await);
        done.fetch_add(1, Ordering::AcqRel);
    }
    lost
}

#[tokio::test]
async fn m5_a_provider_rolls_its_key_over_and_no_login_is_lost_and_its_admins_are_told() {
    let authority = Authority::new();
    let idp = Idp::start_with(&authority, &[2050, 2051]);
    let company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let steps = async {
        let more = async |count: usize| {
            let from = done.load(Ordering::Acquire);
            while done.load(Ordering::Acquire) < from + count {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        more(1).await;
        // Both are published; then the second signs; then the first is gone.
        for mode in [json!({ "publish": [0, 1] }), json!({ "publish": [0, 1], "use": 1 }), json!({ "publish": [1] })] {
            company.idp.mode(mode).await;
            more(2).await;
        }
        stop.store(true, Ordering::Release);
    };
    let (lost, ()) = tokio::join!(go_on(&company, &stop, &done), steps);
    assert_eq!(lost, 0, "of {}", done.load(Ordering::Acquire));
    let keys = company.events("provider.keys");
    assert_eq!(keys.len(), 2, "the first key and the second: {keys:?}");
    // Her who administers the company, and nobody of the other company at the same provider.
    let folder = company.gateway.directory().join("state/outbox");
    let mut mails = Vec::new();
    crate::support::clock::eventually("a mail", std::time::Duration::from_secs(20), || {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        mails = files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect();
        !mails.is_empty()
    })
    .await;
    assert!(mails.iter().any(|mail| mail.contains("it@acme.example.test")), "{mails:?}");
    assert!(mails.iter().all(|mail| mail.contains("new key may sign logins")), "{mails:?}");
    assert!(mails.iter().all(|mail| !mail.contains("it@globex.example.test")), "{mails:?}");
}

#[tokio::test]
async fn n9_mistake_21_admins_are_told_once_that_a_certificate_has_ended() {
    let authority = Authority::new();
    let idp = Idp::start_with(&authority, &[2021]);
    let mut company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await;
    assert!(logs_in(&company, "ann").await);
    let folder = company.gateway.directory().join("state/outbox");
    let mails = move || -> Vec<String> {
        let files = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    };
    crate::support::clock::eventually("a mail", std::time::Duration::from_secs(20), || !mails().is_empty()).await;
    // What was read is read again, and nobody is told a second time.
    company.gateway.restart();
    company.idp.mode(json!({ "publish": [0] })).await;
    assert!(logs_in(&company, "bob").await);
    let told: Vec<_> =
        company.events("provider.keys").into_iter().filter(|event| event["reason"] == "end-told").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["after"]["told_days_before"], "0");
    let mails = mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("it@acme.example.test") && mails[0].contains("has expired"), "{mails:?}");
}

#[tokio::test]
async fn m5_metadata_that_its_signer_did_not_sign_is_not_used() {
    let authority = Authority::new();
    let idp = Idp::start_with(&authority, &[2050, 2021]);
    // The certificate of its signer has ended, which binds nobody.
    let keys = format!(", metadata_signer = \"{}\"", idp.certificate(1).display());
    let mut company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), &keys).await;
    for sign in [json!(null), json!(0), json!("changed")] {
        company.idp.mode(json!({ "sign_metadata": sign })).await;
        let page = company.depart().await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{sign}: {}", page.describe());
        // What could not be read is not asked for again at once.
        company.gateway.restart();
    }
    company.idp.mode(json!({ "sign_metadata": 1 })).await;
    assert!(logs_in(&company, "ann").await);
    // A new key in metadata that nobody signed is no key, and what was read before stays in use.
    company.idp.mode(json!({ "sign_metadata": null, "publish": [0, 1], "use": 1 })).await;
    assert!(!logs_in(&company, "ann").await);
    company.idp.mode(json!({ "use": 0 })).await;
    company.gateway.restart();
    assert!(logs_in(&company, "ann").await);
}

#[tokio::test]
async fn m23_our_keys_roll_over_and_no_login_is_lost() {
    let company = Company::open("").await;
    company.idp.mode(json!({ "sign": "assertion", "encrypt": true })).await;
    assert!(logs_in(&company, "ann").await);
    let page = company.browser().visit(&company.url("id", "/saml/acme/metadata")).await;
    let before = page.html().matches("<ds:X509Certificate>").count();

    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let steps = async {
        let more = async |count: usize| {
            let from = done.load(Ordering::Acquire);
            while done.load(Ordering::Acquire) < from + count {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        more(1).await;
        let (status, out, err) = company.gateway.command(&["keys", "rotate", "acme"]);
        assert!(status.success() && out.contains("acme") && out.contains('2'), "{out}{err}");
        // The provider still encrypts to the key that it knows, then to the one that is announced.
        more(2).await;
        company.introduce("acme").await;
        more(2).await;
        stop.store(true, Ordering::Release);
    };
    let (lost, ()) = tokio::join!(go_on(&company, &stop, &done), steps);
    assert_eq!(lost, 0, "of {}", done.load(Ordering::Acquire));
    let page = company.browser().visit(&company.url("id", "/saml/acme/metadata")).await;
    assert_eq!(page.html().matches("<ds:X509Certificate>").count(), before + 2, "both pairs are published");
    let (status, out, err) = company.gateway.command(&["keys", "rotate", "acme"]);
    assert!(!status.success() && format!("{out}{err}").contains("announced already"), "{out}{err}");
    let (status, out, err) = company.gateway.command(&["keys", "rotate", "nobody"]);
    assert!(!status.success() && format!("{out}{err}").contains("no directory"), "{out}{err}");

    // Stolen: the old keys sign and open nothing any more, and the provider must hear of the new ones.
    let (status, out, err) = company.gateway.command(&["keys", "rotate", "acme", "--compromised"]);
    assert!(status.success(), "{out}{err}");
    let agent = company.browser();
    let page = agent.visit(&company.url("trello", "/page")).await;
    let page = agent.submit(&page, "email", &[("email", "ann@acme.example.test")]).await;
    assert!(page.text().contains("the provider refuses"), "{}", page.describe());
    company.introduce("acme").await;
    assert!(logs_in(&company, "ann").await);
    let rotated = company.events("keys.rotated");
    assert!(rotated.iter().any(|event| event.to_string().contains("compromised")), "{rotated:?}");
}

#[tokio::test]
async fn our_metadata_is_signed_if_that_is_asked_for() {
    let company = Company::open("").await;
    let metadata = async |query: &str| {
        company.browser().visit(&company.url("id", &format!("/saml/acme/metadata{query}"))).await.html()
    };
    assert!(!metadata("").await.contains("SignatureValue"));
    let signed = metadata("?signed=true").await;
    assert!(signed.contains("<ds:SignatureValue>"), "{signed}");
    // Whoever reads it so logs people in as before.
    company.idp.register(&signed).await;
    assert!(logs_in(&company, "ann").await);
}

#[tokio::test]
async fn h17_a_key_that_a_provider_gave_up_since_the_backup_signs_no_login_after_a_restore() {
    let authority = Authority::new();
    let idp = Idp::start_with(&authority, &[2050, 2051]);
    let mut company = Company::with(authority, idp, |idp| idp.entity_id().to_owned(), "").await;
    company.idp.mode(json!({ "publish": [0, 1] })).await;
    assert!(logs_in(&company, "ann").await);
    let run = |company: &Company, arguments: &[&str], status: i32| {
        let (ended, out, err) = company.gateway.command(arguments);
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {out}{err}");
        format!("{out}{err}")
    };
    let backup = company.gateway.directory().join("backup").to_str().expect("text").to_owned();
    run(&company, &["backup", &backup], 0);
    // The first key was lost, and its provider gave it up. The gateway knows.
    company.idp.mode(json!({ "publish": [1], "use": 1 })).await;
    assert!(logs_in(&company, "bob").await);
    company.gateway.stop();
    let said = run(&company, &["restore", &backup, "--replace"], 1);
    let code = said.split("--open ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code").to_owned();
    company.gateway.launch();
    // Whoever found the key signs with it, while the provider's metadata cannot be had at first.
    company.idp.mode(json!({ "publish": [1], "use": 0 })).await;
    crate::support::clock::eventually("it answers", std::time::Duration::from_secs(20), || {
        company.gateway.command(&["restore", "--open", &code]).0.success()
    })
    .await;
    company.gateway.wait_ready();
    for person in ["ann", "bob"] {
        assert!(!logs_in(&company, person).await, "{person}: by a key of before the restore");
    }
    // By the key that counts people come as before, and whose metadata it is was not forgotten.
    company.idp.mode(json!({ "use": 1 })).await;
    assert!(logs_in(&company, "ann").await);
    let keys = company.events("provider.keys");
    assert_eq!(keys.len(), 1, "the first two, and none is new by a restore: {keys:?}");
}

#[tokio::test]
async fn m23_what_is_kept_of_a_provider_and_our_keys_there_outlive_the_key_that_sealed_them() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let metadata = folder.path().join("idp.xml");
    let idp = Idp::start(&authority);
    std::fs::write(&metadata, idp.metadata()).expect("a file");
    let place = metadata.display().to_string();
    let mut company = Company::with(authority, idp, |_| place.clone(), "").await;
    assert!(logs_in(&company, "ann").await);
    let ours = company.gateway.url("id", "/saml/acme/metadata");
    let certificates = async |company: &Company| {
        let page = company.browser().visit(&ours).await.html();
        let found = page.split("X509Certificate>").skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
        assert!(!found.is_empty(), "{page}");
        found
    };
    let before = certificates(&company).await;

    let next = folder.path().join("next").display().to_string();
    std::fs::write(&next, "6b".repeat(32)).expect("a file");
    company.gateway.configure(&company.file(&place).top(&format!("next_key_file = {next:?}")));
    company.gateway.restart();
    let (status, out, err) = company.gateway.command(&["keys", "rotate", "--kek"]);
    assert!(status.success(), "{out}{err}");
    // The old key is gone, and so is the provider's metadata but for what is kept of it.
    company.gateway.stop();
    std::fs::remove_file(company.gateway.directory().join("state/kek")).expect("a file");
    std::fs::remove_file(&metadata).expect("a file");
    company.gateway.configure(&company.file(&place).top(&format!("key_file = {next:?}")));
    company.gateway.restart();
    assert!(logs_in(&company, "ann").await, "{}", company.gateway.log());
    assert_eq!(certificates(&company).await, before, "our keys there are the same");
}
