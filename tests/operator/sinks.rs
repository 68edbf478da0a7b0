//! What a configured receiver of the audit log gets, while it is down, the gateway is killed, and both are up again.

use crate::ground::configuration;
use crate::provider::LightOp;
use crate::support::answer::Answer;
use crate::support::clock::Deadline;
use crate::support::gateway::Gateway;
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
