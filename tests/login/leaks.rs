//! What travels in the queries of a login is found nowhere afterwards (HANDOVER 7).

use http::StatusCode;

use crate::world::{World, location, sign_in, step};

#[tokio::test]
async fn handover_its_queries_reach_no_log_no_event_and_no_metric() {
    let mut world = World::prepare("", |file, _| file.table("[log]\naccess = \"stdout\"\nformat = \"text\"")).await;
    world.gateway.launch_with(&[("FEDGATE_LOG", "trace")]);
    world.gateway.wait_ready();
    let ann = world.browser();
    let form = world.to_provider(&ann, "ann@acme.example.test", &world.url("trello", "/page?secret=board")).await;
    let page = sign_in(&ann, form, "ann").await;
    assert_eq!(page.status, StatusCode::OK);
    // Refusals too: the reply again, a code in no browser of its own, an answer of the provider that is no login.
    let replies: Vec<_> = page.trace.iter().filter(|hop| hop.url.path().starts_with("/login/callback")).collect();
    ann.visit(replies[0].url.as_str()).await;
    world.browser().visit(replies[0].url.as_str()).await;
    let code = world.code(&ann, "loom").await;
    world.browser().visit(&code).await;
    ann.visit(&code).await;
    ann.forget(|cookie| cookie.domain.starts_with("loom") && cookie.name == "__Host-fedgate");
    let to = location(&step(&ann, &world.url("loom", "/.fedgate/login?return_to=%2F")).await);
    let refused = ann.visit(&to.replace("product=loom", "product=unknown")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.describe());

    let mut secrets: Vec<String> = Vec::new();
    let urls = page.trace.iter().map(|hop| hop.url.to_string()).chain([code, to]);
    for url in urls {
        let url = url::Url::parse(&url).expect("a URL");
        if url.host_str().is_some_and(|host| host.ends_with(".example.test")) {
            let named = url.query_pairs().filter(|(name, _)| ["c", "code", "state"].contains(&name.as_ref()));
            secrets.extend(named.map(|(_, value)| value.into_owned()));
        }
    }
    assert!(secrets.len() >= 4, "{secrets:?}");
    secrets.extend(["secret=board".to_owned()]);
    for cookie in ["trello", "loom", "id"].iter().flat_map(|host| ann.cookies(&format!("{host}.example.test"))) {
        if cookie.name == "__Host-fedgate" {
            secrets.push(cookie.value);
        }
    }

    let log = world.gateway.log();
    assert!(log.contains("/.fedgate/finish") || log.contains("/login/to"), "the log has access lines");
    let (_, metrics) = world.gateway.ops("/metrics").expect("metrics");
    world.database().execute_batch("PRAGMA wal_checkpoint").expect("a checkpoint");
    let file = |name: &str| std::fs::read(world.gateway.directory().join("state").join(name)).unwrap_or_default();
    let stored = [file("fedgate.db"), file("fedgate.db-wal")].concat();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log:\n{}", line_of(&log, secret));
        assert!(!metrics.contains(secret.as_str()), "{secret} is in the metrics");
        let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
    for address in ["ann@acme.example.test", "Ann Acme"] {
        assert!(!log.contains(address), "a person is in the log:\n{}", line_of(&log, address));
    }
}

fn line_of<'a>(log: &'a str, text: &str) -> &'a str {
    log.lines().find(|line| line.contains(text)).unwrap_or_default()
}
