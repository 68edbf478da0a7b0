//! A person writes while the session ends, logs in, and clicks once (rule H9), by a form and by a script.

use std::time::Duration;

use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::browser::Person;
use crate::support::clock::unix_seconds;
use crate::world::World;

const WORDS: &str = "An hour's work, “quoted” & kept";

/// The product's page: a form, and a script that saves by itself and knows what a 401 says.
const PAGE: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Write</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Write</h1>
<form method="post" action="/boards" enctype="multipart/form-data"><label>Words <textarea name="words"></textarea></label>
<button id="save">Save</button></form><button id="script" onclick="save()">Save by script</button></main><script>
async function save() {
  const words = document.querySelector('textarea').value;
  const answer = await fetch('/api/boards', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ words }),
  });
  if (answer.status === 401) {
    const problem = await answer.json();
    if (problem.spooled) location.href = problem.login_url;
  }
}
</script></body></html>"#;

fn html(text: &str) -> Answer {
    Answer::new(200, &[("content-type", "text/html; charset=utf-8")], text)
}

/// A day and an hour pass without a request; what a process has in memory knows better, so another one starts.
fn pass_a_day(world: &mut World) {
    let seen = (unix_seconds() - 25 * 3_600) * 1_000;
    let db = rusqlite::Connection::open(world.gateway.directory().join("state/fedgate.db")).expect("the database");
    db.busy_timeout(Duration::from_secs(5)).expect("a timeout");
    for table in ["product_session", "login_session"] {
        let changed = db.execute(&format!("UPDATE {table} SET last_seen = ?"), [seen]).expect("rows");
        assert!(changed > 0, "{table}");
    }
    drop(db);
    world.gateway.restart();
}

/// From the login host's first page to whatever awaits the person at the product.
async fn log_in_again(world: &World, ann: &Person<'_>) {
    ann.until("[name=email]").await;
    ann.fill(&[("[name=email]", "ann@acme.example.test")]).await;
    ann.press("form:has([name=email]) [type=submit]").await;
    let view = ann.until("[name=password], [name=act]").await;
    if view.url.starts_with(world.op.issuer()) {
        ann.fill(&[("[name=login]", "ann"), ("[name=password]", "ann-pw")]).await;
        ann.press("#signin").await;
    }
    ann.until("[name=act][value=send]").await;
}

#[tokio::test]
async fn h9_what_a_person_wrote_survives_the_login_by_form_and_by_script() {
    let mut world = World::build().await;
    world.trello.answer("/write", html(PAGE));
    world.trello.answer("/boards", Answer::new(303, &[("location", "saved")], ""));
    world.trello.answer("/saved", html("<!doctype html><html lang=en><title>Saved</title><h1 id=saved>Saved</h1>"));
    let write = world.url("trello", "/write");
    {
        let ann = world.browser.person("ann of replay");
        world.log_in(&ann, "ann", &write).await;
        ann.fill(&[("textarea", WORDS)]).await;
    }
    pass_a_day(&mut world);
    let ann = world.browser.person("ann of replay");
    ann.press("#save").await;
    log_in_again(&world, &ann).await;
    ann.assert_sound("replay").await;
    assert!(world.trello.seen().iter().all(|seen| seen.head.target != "/boards"), "nothing is sent without the click");
    ann.press("[name=act][value=send]").await;
    let view = ann.until("#saved").await;
    assert_eq!(view.url, world.url("trello", "/saved"), "the product's answer, relative to its own path: {view:?}");
    let seen = world.trello.last("/boards");
    assert!(String::from_utf8_lossy(&seen.body).contains(WORDS), "{seen:?}");
    assert_eq!(seen.head.first("x-fedgate-email"), Some("ann@acme.example.test"));
    assert_eq!(seen.head.first("origin"), Some(world.url("trello", "").trim_end_matches('/')));

    ann.open(&write).await;
    ann.fill(&[("textarea", WORDS)]).await;
    pass_a_day(&mut world);
    let ann = world.browser.person("ann of replay");
    ann.press("#script").await;
    log_in_again(&world, &ann).await;
    ann.press("[name=act][value=send]").await;
    ann.until("body").await;
    let seen = world.trello.last("/api/boards");
    let said: Value = serde_json::from_slice(&seen.body).expect("JSON");
    assert_eq!((said["words"].as_str(), seen.head.first("content-type")), (Some(WORDS), Some("application/json")));
    ann.leave().await;
}
