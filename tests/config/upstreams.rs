//! What a product says about its upstreams, read.

use super::{SSO, config, load, with};
use fedgate::config::Code;
use fedgate::gateway::options::{Health, Site, Sizes, Timeouts};
use std::sync::Arc;
use std::time::Duration;

fn site(upstream: &str, lines: &str) -> Arc<Site> {
    let text = with(lines, SSO, "").replace("\"http://127.0.0.1:3000\"", upstream);
    config(&text).gateway.sites.values().next().expect("one site").clone()
}

#[test]
fn an_address_means_what_it_says() {
    for (written, read) in [
        ("http://10.0.0.1:3000", "http://10.0.0.1:3000"),
        ("http://trello.internal", "http://trello.internal:80"),
        ("https://trello.internal", "https://trello.internal:443"),
        ("https://[::1]:3443/", "https://[::1]:3443"),
        ("h2c://127.0.0.1:50051", "h2c://127.0.0.1:50051"),
        ("h2c://Trello.Internal:50051", "h2c://trello.internal:50051"),
        ("unix:/run/a.sock", "unix:/run/a.sock"),
        ("unix+h2c:/run/a.sock", "unix+h2c:/run/a.sock"),
    ] {
        assert_eq!(site(&format!("\"{written}\""), "").upstreams[0].to_string(), read);
    }
    let several = site("[\"http://127.0.0.1:1\", \"unix:/run/a.sock\"]", "");
    assert_eq!(several.upstreams.len(), 2);
}

#[test]
fn m22_an_upstream_is_closed_by_loopback_a_socket_our_certificate_or_the_product() {
    let tls = "upstream_tls = { cert = \"id.pem\", key = \"id.key\" }";
    for (upstream, lines, open) in [
        ("http://127.0.0.1:3000", "", false),
        ("h2c://[::1]:3000", "", false),
        ("unix:/run/a.sock", "", false),
        ("unix+h2c:/run/a.sock", "", false),
        ("https://trello.internal", tls, false),
        ("http://trello.internal", "verifies_assertion = true", false),
        ("https://trello.internal", "", true),
        ("https://trello.internal", "upstream_tls = { name = \"a.internal\" }", true),
        ("http://trello.internal", "", true),
        ("http://trello.internal\", \"https://trello.internal", tls, true),
        ("h2c://10.0.0.1:3000", "", true),
        ("https://localhost.example.com", "", true),
    ] {
        let text = with(lines, SSO, "").replace("\"http://127.0.0.1:3000\"", &format!("[\"{upstream}\"]"));
        let (config, report) = load(&text);
        assert!(config.is_some(), "{}", report.plain());
        let found = report.findings().iter().filter(|finding| finding.code == Code::WUpstreamOpen).count();
        assert_eq!(found, usize::from(open), "{upstream} {lines}");
    }
}

#[test]
fn limits_and_health_have_defaults_and_are_read() {
    let plain = site("\"http://127.0.0.1:1\"", "");
    assert_eq!((plain.reach.timeouts, plain.reach.sizes), (Timeouts::default(), Sizes::default()));
    assert!(plain.reach.health.is_none() && plain.reach.tls.is_none());
    let lines = "timeouts = { connect = \"1s\", upstream = \"2m\", idle = \"4s\", whole = \"5m\" }\n\
                 limits = { body = \"25MiB\", response = \"1GiB\" }\nhealth = { path = \"/up?full\" }\nverifies_assertion = true";
    let reach = site("\"https://127.0.0.1:1\"", lines).reach.clone();
    let seconds = Duration::from_secs;
    let timeouts = Timeouts {
        connect: seconds(1),
        upstream: seconds(120),
        upload: seconds(4),
        idle: seconds(4),
        whole: Some(seconds(300)),
    };
    assert_eq!((reach.timeouts, reach.sizes), (timeouts, Sizes { body: Some(25 << 20), response: Some(1 << 30) }));
    let health =
        Health { path: "/up?full".into(), every: seconds(10), timeout: seconds(2), fails: 3, passes: 1, status: 200 };
    assert_eq!(reach.health, Some(health));
    assert!(reach.verifies_assertion && reach.tls.is_some());
}
