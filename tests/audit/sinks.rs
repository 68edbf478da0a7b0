//! The file of JSON lines across restarts, crashes and rotation.

use super::fixtures::Folder;
use super::*;
use fedgate::audit::{Format, OpenError, People, PseudonymKey, SinkOptions, Waiting, Way, deliver};
use fedgate::kernel::event::{Action, Actor, AuditEvent, Client, Outcome};
use fedgate::outbound::{Outbound, OutboundOptions};
use std::os::unix::fs::PermissionsExt as _;

fn options(folder: &Folder) -> SinkOptions {
    SinkOptions::new(&format!("jsonl:{}", folder.path().join("audit.jsonl").display()))
}

/// How receivers are reached.
pub fn way() -> Way {
    let outbound =
        Outbound::new(OutboundOptions { deadline: Some(Duration::from_secs(2)), ..OutboundOptions::default() });
    Way { outbound: outbound.unwrap(), clock: Clock::system(), host: "gateway-1".to_owned() }
}

fn opened(options: &SinkOptions) -> Result<Box<dyn fedgate::audit::Sink>, OpenError> {
    fedgate::audit::open(options.clone(), &key(), &way())
}

pub fn key() -> PseudonymKey {
    PseudonymKey::new(&[5; 32])
}

pub const NODE: &str = "one";

/// Opens the sink anew and hands it everything there is.
pub fn deliver_all(store: &Arc<dyn Store>, options: &SinkOptions) {
    deliver_at(NODE, store, options);
}

fn deliver_at(node: &str, store: &Arc<dyn Store>, options: &SinkOptions) {
    let sink = opened(options).unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    block_on(deliver(Arc::clone(store), node.to_owned(), sink, Waiting::default(), stop));
}

fn read(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path().join(name)).unwrap()
}

fn positions(text: &str) -> Vec<u64> {
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| line["position"].as_u64()).collect()
}

#[test]
fn a_restart_neither_loses_nor_doubles() {
    let folder = Folder::new();
    let (store, options) = (open(folder.path()), options(&folder));
    block_on(write(&store, 0..3));
    deliver_all(&store, &options);
    block_on(write(&store, 3..1100));
    block_on(async { log(&store, 1).await.checkpoint().await }).unwrap();
    deliver_all(&store, &options);
    let text = read(&folder, "audit.jsonl");
    assert!(positions(&text).into_iter().eq(0..1100));
    assert_eq!(text.matches("{\"checkpoint\":\"id.example.com/audit\\n1100\\n").count(), 1);
    let mode = std::fs::metadata(folder.path().join("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_crash_between_file_and_cursor_doubles_nothing_and_a_torn_line_is_written_again() {
    let folder = Folder::new();
    let (store, options) = (open(folder.path()), options(&folder));
    block_on(write(&store, 0..10));
    deliver_all(&store, &options);
    // The cursor as it was before, and half a line more in the file.
    let name = format!("audit.sink.{NODE}.{}", options.url);
    block_on(store.commit(fixtures::changes([Change::PutSetting { name, value: b"4".to_vec() }]))).unwrap();
    let torn = read(&folder, "audit.jsonl") + "{\"position\":10,\"eve";
    std::fs::write(folder.path().join("audit.jsonl"), torn).unwrap();
    block_on(write(&store, 10..12));
    deliver_all(&store, &options);
    assert!(positions(&read(&folder, "audit.jsonl")).into_iter().eq(0..12));
}

#[test]
fn h13_each_node_has_the_whole_log_in_its_file_of_the_same_path() {
    let folder = Folder::new();
    let (store, options) = (open(folder.path()), options(&folder));
    let path = folder.path().join("audit.jsonl");
    for (numbers, all) in [(0..10, 10), (10..20, 20)] {
        block_on(write(&store, numbers));
        for node in ["one", "other"] {
            // Its own machine's disk.
            let disk = folder.path().join(node);
            if disk.exists() {
                std::fs::rename(&disk, &path).unwrap();
            }
            deliver_at(node, &store, &options);
            assert!(positions(&read(&folder, "audit.jsonl")).into_iter().eq(0..all), "{node}");
            std::fs::rename(&path, &disk).unwrap();
        }
    }
}

#[test]
fn a_file_of_ocsf_neither_loses_nor_doubles_nor_names_anybody() {
    let folder = Folder::new();
    let (store, options) = (open(folder.path()), SinkOptions { format: Format::Ocsf, ..options(&folder) });
    let sequences = |text: &str| -> Vec<u64> {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter_map(|line| line.pointer("/metadata/sequence")?.as_u64()).collect()
    };
    block_on(store.commit(Batch { events: vec![personal()], ..Batch::default() })).unwrap();
    block_on(write(&store, 1..5));
    block_on(async { log(&store, 1).await.checkpoint().await }).unwrap();
    deliver_all(&store, &options);
    let text = read(&folder, "audit.jsonl");
    assert!(text.contains("\"class_uid\":3001") && text.contains(&key().pseudonym("ann@acme.com")), "{text}");
    assert!(!text.contains("ann@") && text.contains("{\"checkpoint\":"), "{text}");
    // The cursor as it was before, and half a line more in the file.
    let name = format!("audit.sink.{NODE}.{}", options.url);
    block_on(store.commit(fixtures::changes([Change::PutSetting { name, value: b"2".to_vec() }]))).unwrap();
    std::fs::write(folder.path().join("audit.jsonl"), text + "{\"activity_id\":1,\"metadata\":{\"seq").unwrap();
    block_on(write(&store, 5..7));
    deliver_all(&store, &options);
    assert!(sequences(&read(&folder, "audit.jsonl")).into_iter().eq(0..7));
}

#[test]
fn two_processes_never_write_one_file() {
    let folder = Folder::new();
    let options = options(&folder);
    let held = opened(&options).unwrap();
    let second = opened(&options);
    let Err(OpenError::File(_, why)) = second else { panic!("it was opened twice") };
    assert!(why.to_string().contains("another process"), "{why}");
    drop(held);
    opened(&options).unwrap();
}

#[test]
fn files_are_rotated_by_size_and_a_count_is_kept() {
    let folder = Folder::new();
    let store = open(folder.path());
    let options = SinkOptions { rotate_bytes: 1, keep: 2, ..options(&folder) };
    for number in 0..4 {
        block_on(write(&store, number..number + 1));
        deliver_all(&store, &options);
    }
    assert_eq!(positions(&read(&folder, "audit.jsonl")), [3]);
    assert_eq!(positions(&read(&folder, "audit.jsonl.1")), [2]);
    assert_eq!(positions(&read(&folder, "audit.jsonl.2")), [1]);
    assert!(!folder.path().join("audit.jsonl.3").exists());
    // Right after a rotation the last position stands in the file before.
    std::fs::write(folder.path().join("audit.jsonl"), "").unwrap();
    std::fs::rename(folder.path().join("audit.jsonl.1"), folder.path().join("kept")).unwrap();
    std::fs::write(folder.path().join("audit.jsonl.1"), read(&folder, "kept")).unwrap();
    let name = format!("audit.sink.{NODE}.{}", options.url);
    block_on(store.commit(fixtures::changes([Change::PutSetting { name, value: b"0".to_vec() }]))).unwrap();
    deliver_all(&store, &options);
    assert_eq!(positions(&read(&folder, "audit.jsonl")), [3]);
}

#[test]
fn a_file_of_another_log_is_not_continued() {
    let folder = Folder::new();
    let options = options(&folder);
    let (first, second) = (Folder::new(), Folder::new());
    let store = open(first.path());
    block_on(write(&store, 0..3));
    deliver_all(&store, &options);
    let before = read(&folder, "audit.jsonl");
    let store = open(second.path());
    block_on(write(&store, 7..12));
    deliver_all(&store, &options);
    assert_eq!(read(&folder, "audit.jsonl"), before);
    let cursor = block_on(store.setting(&format!("audit.sink.{NODE}.{}", options.url))).unwrap();
    assert_eq!(cursor, None, "the events still wait");
}

pub fn personal() -> AuditEvent {
    let mut one = AuditEvent { trace: vec!["B3 ann@acme.com -> pass".to_owned()], ..event(1) };
    (one.action, one.outcome) = (Action::AccountManaged, Outcome::Success);
    one.subject.email = Some("ann@acme.com".to_owned());
    one.actor = Some(Actor { kind: "person".to_owned(), id: None, address: Some("boss@acme.com".to_owned()) });
    one.client = Some(Client { ip: "192.0.2.77".to_owned(), ua: Some("Browser of Ann".to_owned()) });
    one.before = Some(serde_json::json!({ "name": "Ann Lee", "orgs": ["acme"], "old": { "email": ["ann@b.com"] } }));
    one
}

#[test]
fn people_are_pseudonyms_unless_the_operator_says_clear() {
    let folder = Folder::new();
    let store = open(folder.path());
    block_on(store.commit(Batch { events: vec![personal()], ..Batch::default() })).unwrap();
    deliver_all(&store, &options(&folder));
    let text = read(&folder, "audit.jsonl");
    for word in ["ann@", "boss@", "Ann", "192.0.2.77", "Browser"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    // The same person can be followed, and what is not personal stays.
    let ann = key().pseudonym("ann@acme.com");
    assert_eq!(text.matches(&ann).count(), 2, "{text}");
    assert!(
        text.contains("\"192.0.2.0\"") && text.contains("account.managed") && text.contains("[\"acme\"]"),
        "{text}"
    );

    let clear = SinkOptions { people: Some(People::Clear), ..options(&Folder::new()) };
    let path = folder.path().join("clear.jsonl");
    let clear = SinkOptions { url: format!("jsonl:{}", path.display()), ..clear };
    deliver_all(&store, &clear);
    let bytes = String::from_utf8(personal().bytes().unwrap()).unwrap();
    let (_, after_times) = bytes.split_once("\"action\"").unwrap();
    assert!(read(&folder, "clear.jsonl").contains(after_times));
}

#[test]
fn other_sinks_are_refused_by_name() {
    for url in ["", "jsonl:", "http://siem.example.com/", "otlp://", "syslog://host:514", "syslog+tls://host/path"] {
        let fault = opened(&SinkOptions::new(url)).map(|_| ()).unwrap_err();
        assert!(matches!(&fault, OpenError::Address(named) if named == url), "{fault}");
    }
}
