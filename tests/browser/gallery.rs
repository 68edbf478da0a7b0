//! Every page that can be shown, with sample values: sound in light and dark, on phone and desk.

use std::path::PathBuf;
use std::process::Command;

use crate::support::answer::Answer;
use crate::support::browser::Browser;
use crate::support::upstream::Upstream;

/// The example that writes the pages; `cargo test` builds it beside the tests.
fn gallery() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
    profile.join("examples/pages")
}

#[tokio::test]
async fn every_page_is_sound_in_every_light_and_width() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let status = Command::new(gallery()).arg(folder.path()).status().expect("cargo has built examples/pages.rs");
    assert!(status.success());
    let (upstream, browser) = (Upstream::start(), Browser::start(&[]));
    let visitor = browser.person("visitor");
    let script = [("content-type", "text/javascript")];
    upstream.answer(fedgate::pages::SCRIPT_PATH, Answer::new(200, &script, fedgate::pages::SCRIPT));
    let mut findings = Vec::new();
    let mut pages = 0;
    for entry in std::fs::read_dir(folder.path()).expect("the folder") {
        let file = entry.expect("a readable folder").path();
        if file.extension().is_none_or(|extension| extension != "html") {
            continue;
        }
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        // A page that leads on by itself would be gone before anybody looked.
        let html = std::fs::read_to_string(&file).expect("HTML is text");
        let html = html.replace("http-equiv=\"refresh\"", "name=\"refresh\"").replace("document.forms[0].submit()", "");
        upstream.answer(&format!("/{name}"), Answer::new(200, &[("content-type", "text/html; charset=utf-8")], html));
        visitor.open(&format!("{}/{name}", upstream.url())).await;
        findings.extend(visitor.findings(&name).await);
        pages += 1;
    }
    assert!(pages > 5, "only {pages} pages in the gallery");
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
