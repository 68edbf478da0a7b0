//! Events in the form of OCSF, judged by the published schema in a program of others.

use super::fixtures::now;
use fedgate::audit::{Format, OCSF_VERSION, PseudonymKey, ocsf};
use fedgate::kernel::event::{Action, Actor, AuditEvent, Client, Outcome, PolicyStamp, Subject};
use fedgate::kernel::values::EventId;
use fedgate::store::LoggedEvent;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Every action there is, read from where they are declared: one that is added cannot be missing here.
fn actions() -> Vec<Action> {
    let source = include_str!("../../src/kernel/event.rs");
    let names = source.split("rename = \"").skip(1).filter_map(|rest| rest.split('"').next());
    let actions: Vec<Action> =
        names.filter(|name| name.contains('.')).map(|name| serde_json::from_value(json!(name)).unwrap()).collect();
    assert!(actions.len() > 90, "{}", actions.len());
    actions
}

fn bare(action: Action, outcome: Outcome) -> AuditEvent {
    AuditEvent::new(EventId::mint(now(), [7; 10]), now(), action, outcome)
}

/// With every member there is.
fn full(action: Action, kind: &str, email: &str, ip: &str) -> AuditEvent {
    let text = |text: &str| Some(text.to_owned());
    AuditEvent {
        reason: text("authority"),
        reference: text("7K3M-9QX2"),
        actor: Some(Actor { kind: kind.to_owned(), id: text("01KB3Z8Q4W9T5N7M2XJ6R0V1CD"), address: text(email) }),
        subject: Subject { account: text("a1"), product_account: text("p1"), email: text(email) },
        org: text("acme"),
        product: text("trello"),
        method: text("saml"),
        policy: Some(PolicyStamp { id: "acme".to_owned(), epoch: 3 }),
        directory: text("okta"),
        client: Some(Client { ip: ip.to_owned(), ua: text("Mozilla/5.0 \u{1b}[2J") }),
        txn: text("t1"),
        correlation: text("c1"),
        trace: vec!["B2: holds".to_owned()],
        before: Some(json!(null)),
        after: Some(json!({ "domain": "acme.com", "group": "g1", "id": "k1", "counts": { "code": 4 } })),
        ..bare(action, Outcome::Refused)
    }
}

/// Each action in each of the shapes that an event can have.
fn shapes(action: Action) -> Vec<AuditEvent> {
    let key = PseudonymKey::new(&[5; 32]);
    let person = full(action, "person", "ann@acme.com", "192.0.2.7");
    let nameless = AuditEvent {
        actor: Some(Actor { kind: "person".to_owned(), id: None, address: None }),
        subject: Subject { product_account: Some("p1".to_owned()), ..Subject::default() },
        ..bare(action, Outcome::Success)
    };
    vec![
        bare(action, Outcome::Success),
        bare(action, Outcome::Failure),
        key.hide(person.clone()),
        person,
        key.hide(full(action, "operator", "ann@acme.com", "2001:db8::1")),
        full(action, "operator", "jürgen@bücher.example", "::ffff:192.0.2.7"),
        full(action, "directory", "root@localhost", "no address"),
        full(action, "gateway", "\u{202e}@", ""),
        nameless,
    ]
}

fn judged(lines: &[u8]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Command::new(root.join("target/peers/venv/bin/python"))
        .arg(root.join("tests/peers/ocsf/check.py"))
        .arg(OCSF_VERSION)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("./tests/run --install installs ocsf-json-schema");
    judge.stdin.take().unwrap().write_all(lines).unwrap();
    let done = judge.wait_with_output().unwrap();
    serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
}

#[test]
fn h13_each_event_is_one_of_the_published_ocsf_schema() {
    let mut lines = Vec::new();
    let mut written = 0;
    for action in actions() {
        for event in shapes(action) {
            let logged = LoggedEvent { position: written, bytes: event.bytes().unwrap() };
            lines.extend(Format::Ocsf.line(&logged).unwrap());
            written += 1;
        }
    }
    let said = judged(&lines);
    assert_eq!(said["findings"], json!([]), "{said:#}");
    let good = said["good"].as_object().unwrap();
    assert_eq!(good.keys().collect::<Vec<_>>(), ["3001", "3002", "3003", "3004"]);
    assert_eq!(good.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), written, "it looked at all of them");
}

#[test]
fn the_judge_of_ocsf_finds_what_is_wrong() {
    let mut event = ocsf(0, &bare(Action::LoginSucceeded, Outcome::Success)).unwrap();
    event["activity_id"] = json!(55);
    event["user"] = json!({ "type_id": 0 });
    event["password"] = json!("x");
    let said = judged(event.to_string().as_bytes()).to_string();
    for part in ["activity_id: 55", "user: ", "'password'", "type_uid is not"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn h13_ocsf_of_a_hidden_event_names_nobody_and_of_a_clear_one_loses_nothing() {
    let clear = full(Action::LoginDenied, "person", "ann@acme.com", "192.0.2.7");
    let shown = ocsf(9, &clear).unwrap();
    assert_eq!(shown["user"]["email_addr"], "ann@acme.com");
    assert_eq!(shown["src_endpoint"]["ip"], "192.0.2.7");
    assert_eq!((&shown["status_code"], &shown["status_detail"]), (&json!("authority"), &json!("refused")));
    assert_eq!(shown["metadata"]["sequence"], 9);
    let time = chrono::DateTime::parse_from_rfc3339(&clear.time).unwrap();
    assert_eq!(shown["time"], time.timestamp_millis());
    let rest = ["ref", "method", "policy", "directory", "trace", "before", "after"];
    assert!(rest.iter().all(|name| shown["unmapped"].get(name).is_some()), "{shown:#}");
    let hidden = ocsf(9, &PseudonymKey::new(&[5; 32]).hide(clear)).unwrap().to_string();
    for part in ["ann@", "192.0.2.7", "Mozilla"] {
        assert!(!hidden.contains(part), "{part}: {hidden}");
    }
}

#[test]
fn an_event_whose_time_does_not_read_is_not_written_as_another() {
    let event = AuditEvent { time: "yesterday".to_owned(), ..bare(Action::LoginSucceeded, Outcome::Success) };
    assert!(ocsf(0, &event).is_err());
}
