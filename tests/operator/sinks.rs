//! What a configured receiver of the audit log gets, while it is down, the gateway is killed, and both are up again.

use crate::ground::configuration;
use crate::provider::LightOp;
use crate::support::answer::Answer;
use crate::support::authority::Authority;
use crate::support::clock::Deadline;
use crate::support::gateway::Gateway;
use crate::support::siem::{Brought, End, Siem};
use crate::support::upstream::{Seen, Upstream};
use serde_json::Value;
use std::time::Duration;

const KEY: &str = "a key of a webhook that nobody else has";

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Deadline::after(Duration::from_secs(20));
    while !holds() {
        assert!(!patience.passed(), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn events(seen: &Seen) -> Vec<Value> {
    let lines = std::str::from_utf8(&seen.body).expect("text").lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["position"].is_u64()).collect()
}

#[test]
fn a_receiver_that_was_down_when_the_gateway_was_killed_has_every_event_once_both_are_up() {
    let (op, trello, loom, siem) = (LightOp::start(), Upstream::start(), Upstream::start(), Upstream::start());
    siem.answer("/audit", Answer::new(503, &[], "busy"));
    let url = format!("{}/audit", siem.url());
    let file = configuration(&op, &trello, &loom)
        .secret("{dir}/webhook.key", KEY)
        .table(&format!("[[audit.sink]]\nurl = \"{url}\"\ntoken_file = \"{{dir}}/webhook.key\""));
    let mut gateway = Gateway::start(&file);
    until("it was told", || siem.seen().iter().any(|seen| seen.sha256.is_some()));
    until("the refusal was logged", || gateway.log().contains("the audit log waits for its sink"));
    let metrics = gateway.ops("/metrics").expect("the ops listener answers").1;
    let failures = format!("fedgate_audit_sink_failures_total{{sink=\"{url}\"}} ");
    assert!(metrics.contains(&failures) && !metrics.contains(&format!("{failures}0")), "{metrics}");
    let before = siem.take().remove(0);
    gateway.kill();
    siem.answer("/audit", Answer::new(200, &[], ""));
    gateway.restart();
    until("every event came", || {
        let seen = siem.seen().into_iter().filter(|seen| seen.sha256.is_some());
        let got: Vec<Value> = seen.flat_map(|seen| events(&seen)).map(|line| line["event"].clone()).collect();
        !got.is_empty() && got == gateway.events()
    });
    // What may have been taken before came again as the same batch.
    let again = siem.seen().remove(0);
    assert_eq!((&again.body, again.head.first("webhook-id")), (&before.body, before.head.first("webhook-id")));
    assert!(!gateway.log().contains(KEY));
}

/// The events of a connection of syslog, and of one of a webhook.
fn of_syslog(brought: &Brought) -> Vec<Value> {
    let messages = brought.messages().into_iter();
    let json = messages.map(|message| message[message.find("\"] ").expect("structured data") + 3..].to_owned());
    let json = json.map(|json| serde_json::from_str::<Value>(&json).expect("JSON"));
    json.filter(|line| line["position"].is_u64()).map(|line| line["event"].clone()).collect()
}

fn of_webhook(brought: &Brought) -> Vec<Value> {
    let request = std::str::from_utf8(&brought.bytes).expect("text");
    let lines = request.split_once("\r\n\r\n").expect("a body").1.lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["position"].is_u64()).map(|line| line["event"].clone()).collect()
}

#[test]
fn receivers_over_tls_are_known_by_the_sinks_own_authority_and_know_us_by_our_certificate() {
    let (op, trello, loom, authority) = (LightOp::start(), Upstream::start(), Upstream::start(), Authority::new());
    let (leaf, ours, ca) = (authority.issue(&["localhost"]), authority.issue(&["fedgate"]), authority.ca_file());
    let syslog = Siem::start(&leaf, &ca, true, End::Signed);
    let webhook = Siem::start(&leaf, &ca, true, End::Answer);
    let believed = format!("ca_file = \"{}\"", ca.display());
    let shown = format!("cert = \"{}\"\nkey = \"{}\"", ours.cert.display(), ours.key.display());
    let by_syslog = format!("[[audit.sink]]\nurl = \"syslog+tls://localhost:{}\"", syslog.port);
    let by_webhook = format!("[[audit.sink]]\nurl = \"https://localhost:{}/\"", webhook.port);
    let by_webhook = format!("{by_webhook}\ntoken_file = \"{{dir}}/webhook.key\"");
    let file = || configuration(&op, &trello, &loom).secret("{dir}/webhook.key", KEY);
    // Neither knows the other.
    let mut gateway = Gateway::start(&file().table(&by_syslog).table(&by_webhook));
    until("both are refused", || gateway.log().matches("TLS failed").count() >= 2);
    assert!(syslog.seen().is_empty() && webhook.seen().is_empty());
    gateway.stop();
    let both = format!("{believed}\n{shown}");
    gateway.configure(&file().table(&format!("{by_syslog}\n{both}")).table(&format!("{by_webhook}\n{both}")));
    gateway.restart();
    until("every event came", || {
        let all = gateway.events();
        syslog.seen().iter().flat_map(of_syslog).collect::<Vec<_>>() == all
            && webhook.seen().iter().flat_map(of_webhook).collect::<Vec<_>>() == all
    });
    assert!(syslog.seen().iter().chain(&webhook.seen()).all(|brought| brought.is_known));
}
