//! Receivers over TLS: what they get by syslog, what counts as their word, and whom the gateway believes and shows itself to.

use super::receivers::hostile;
use super::siem::{Brought, End, Siem};
use super::sinks::{NODE, key, personal};
use super::*;
use crate::authority::{Authority, Leaf};
use fedgate::audit::{Format, People, SinkOptions, Waiting, Way, deliver};
use fedgate::kernel::values::Secret;
use fedgate::outbound::{Identity, LastWord, Outbound, OutboundOptions};
use serde_json::Value;

/// What a test has, and a gateway beside it.
struct Ground {
    folder: fixtures::Folder,
    authority: Authority,
    store: Arc<dyn Store>,
}

impl Ground {
    fn new() -> Self {
        let folder = fixtures::Folder::new();
        let store = open(folder.path());
        Self { folder, authority: Authority::new(), store }
    }

    fn siem(&self, name: &str, usually: End) -> Siem {
        Siem::start(&self.authority.issue(&[name]), &self.authority.ca_file(), false, usually)
    }

    fn deliver(&self, options: &SinkOptions) {
        self.deliver_with(options, Some(&self.authority), None);
    }

    /// Believing this authority, showing this certificate.
    fn deliver_with(&self, options: &SinkOptions, believed: Option<&Authority>, shown: Option<&Leaf>) {
        let read = |path: &Path| std::fs::read(path).unwrap();
        let outbound = Outbound::new(OutboundOptions {
            deadline: Some(Duration::from_secs(2)),
            extra_roots_pem: believed.map(|authority| read(&authority.ca_file())),
            identity: shown.map(|leaf| Identity::read(&read(&leaf.cert), &read(&leaf.key)).unwrap()),
            ..OutboundOptions::default()
        });
        let way = Way { outbound: outbound.unwrap(), clock: Clock::system(), host: "gateway-1".to_owned() };
        let sink = fedgate::audit::open(options.clone(), &key(), &way).unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        block_on(deliver(Arc::clone(&self.store), NODE.to_owned(), sink, Waiting::default(), stop));
    }
}

fn syslog(siem: &Siem) -> SinkOptions {
    SinkOptions::new(&format!("syslog+tls://localhost:{}", siem.port))
}

/// A message without its header, which must be this one.
fn text(message: &str, header: &str, data: &str) -> Value {
    let origin = format!("[origin software=\"fedgate\" swVersion=\"{}\"]", env!("CARGO_PKG_VERSION"));
    let (before, json) =
        message.split_once(&format!(" {origin}{data} ")).unwrap_or_else(|| panic!("{data}: {message}"));
    let [priority, time, rest] = before.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(format!("{priority} {rest}"), header);
    assert!(time.len() == "2026-11-24T02:00:00.123Z".len() && time.ends_with('Z'), "{time}");
    serde_json::from_str(json).unwrap()
}

fn positions(brought: &[Brought]) -> Vec<u64> {
    let messages = brought.iter().flat_map(Brought::messages);
    let json = messages.map(|message| message[message.find("\"] ").unwrap() + 3..].to_owned());
    json.filter_map(|json| serde_json::from_str::<Value>(&json).unwrap()["position"].as_u64()).collect()
}

#[test]
fn syslog_has_each_event_in_a_frame_of_its_own_and_a_checkpoint() {
    let ground = Ground::new();
    let siem = ground.siem("localhost", End::Signed);
    block_on(write(&ground.store, 0..700));
    block_on(async { log(&ground.store, 1).await.checkpoint().await }).unwrap();
    ground.deliver(&syslog(&siem));
    let brought = siem.take();
    assert!(positions(&brought).into_iter().eq(0..700));
    assert!(brought.iter().all(|one| one.protocol.is_none()), "HTTP is not what is spoken");
    let first = &brought[0].messages()[0];
    let event = text(first, "<110>1 gateway-1 fedgate - login.succeeded", "[meta sequenceId=\"1\"]");
    assert_eq!(event["event"]["action"], "login.succeeded", "{event}");
    let last = brought.last().unwrap().messages();
    let checkpoint = text(&last[0], "<110>1 gateway-1 fedgate - checkpoint", "");
    assert!(checkpoint["checkpoint"].as_str().unwrap().starts_with("id.example.com/audit\n700\n"), "{checkpoint}");
    // Nothing is new but for the new process, which says the checkpoint once.
    ground.deliver(&syslog(&siem));
    assert_eq!(positions(&siem.take()), [0; 0]);
}

#[test]
fn m26_nothing_in_an_event_ends_a_line_of_syslog() {
    for format in [Format::Own, Format::Ocsf] {
        let ground = Ground::new();
        let siem = ground.siem("localhost", End::Signed);
        let batch = Batch { events: vec![hostile(), personal()], ..Batch::default() };
        block_on(ground.store.commit(batch)).unwrap();
        ground.deliver(&SinkOptions { format, ..syslog(&siem) });
        let brought = siem.take();
        assert!(brought[0].bytes.iter().all(|byte| (b' '..=b'~').contains(byte)));
        let messages = brought[0].messages();
        assert_eq!(messages.len(), 2);
        let event = text(&messages[0], "<109>1 gateway-1 fedgate - login.denied", "[meta sequenceId=\"1\"]");
        let trace = event.pointer(if format == Format::Own { "/event/trace" } else { "/unmapped/trace" });
        assert_eq!(trace, Some(&serde_json::json!(hostile().trace)));
    }
}

#[test]
fn people_are_clear_in_syslog_unless_the_operator_wants_pseudonyms() {
    for (people, is_clear) in [(None, true), (Some(People::Clear), true), (Some(People::Pseudonym), false)] {
        let ground = Ground::new();
        let siem = ground.siem("localhost", End::Signed);
        block_on(ground.store.commit(Batch { events: vec![personal()], ..Batch::default() })).unwrap();
        ground.deliver(&SinkOptions { people, ..syslog(&siem) });
        let text = siem.take().remove(0).messages().remove(0);
        for word in ["ann@", "boss@", "192.0.2.77", "Browser"] {
            assert_eq!(text.contains(word), is_clear, "{word} {people:?} {text}");
        }
    }
}

#[test]
fn only_the_receivers_own_end_says_that_it_has_everything() {
    for (unusual, end, counts) in [
        (End::Signed, LastWord::Signed, true),
        (End::Closed, LastWord::Signed, false),
        (End::Early, LastWord::Signed, false),
        (End::Silent, LastWord::Signed, false),
        (End::Closed, LastWord::Unsigned, true),
        (End::Early, LastWord::Unsigned, false),
        (End::Silent, LastWord::Unsigned, false),
    ] {
        let ground = Ground::new();
        let (siem, row) = (ground.siem("localhost", End::Signed), format!("{unusual:?} {end:?}"));
        let options = SinkOptions { end, ..syslog(&siem) };
        // More than is read at once.
        block_on(ground.store.commit(Batch { events: vec![hostile()], ..Batch::default() })).unwrap();
        block_on(write(&ground.store, 1..3));
        siem.ends(unusual);
        ground.deliver(&options);
        let first = siem.take();
        // More comes, and the batch that may be there already stays the same one.
        block_on(write(&ground.store, 3..4));
        ground.deliver(&options);
        let again = siem.take();
        assert_eq!(positions(&again), if counts { vec![3] } else { vec![0, 1, 2, 3] }, "{row}");
        if let (false, Some(first)) = (counts, first.first()) {
            assert_eq!(first.bytes, again[0].bytes, "{row}: the same to the byte");
        }
    }
}

#[test]
fn nobody_else_gets_events_and_nothing_is_lost_meanwhile() {
    let ground = Ground::new();
    let (siem, stranger) = (ground.siem("localhost", End::Signed), ground.siem("siem.example.com", End::Signed));
    let other = Authority::new();
    block_on(write(&ground.store, 0..2));
    let url = syslog(&siem);
    ground.deliver_with(&url, None, None);
    ground.deliver_with(&url, Some(&other), None);
    ground.deliver_with(&syslog(&stranger), Some(&ground.authority), None);
    assert!(siem.take().is_empty() && stranger.take().is_empty(), "one that was not believed was told");
    ground.deliver(&url);
    assert_eq!(positions(&siem.take()), [0, 1]);
    drop(ground.folder);
}

#[test]
fn our_certificate_is_shown_where_it_is_asked_for() {
    let ground = Ground::new();
    let (leaf, ours) = (ground.authority.issue(&["localhost"]), ground.authority.issue(&["fedgate"]));
    let other = Authority::new();
    let foreign = other.issue(&["fedgate"]);
    let siem = Siem::start(&leaf, &ground.authority.ca_file(), true, End::Signed);
    block_on(write(&ground.store, 0..2));
    for shown in [None, Some(&foreign)] {
        ground.deliver_with(&syslog(&siem), Some(&ground.authority), shown);
        assert!(siem.take().is_empty(), "{shown:?}");
    }
    ground.deliver_with(&syslog(&siem), Some(&ground.authority), Some(&ours));
    let brought = siem.take();
    assert_eq!(positions(&brought), [0, 1]);
    assert!(brought[0].is_known);
    let (chain, key) = (std::fs::read(&ours.cert).unwrap(), std::fs::read(&foreign.key).unwrap());
    for (chain, key) in [(chain.as_slice(), key.as_slice()), (&key, &key), (&chain, &chain), (b"", b"")] {
        assert!(Identity::read(chain, key).is_err());
    }
}

#[test]
fn a_webhook_over_tls_is_believed_by_the_sinks_own_authority_alone() {
    let ground = Ground::new();
    let (siem, other) = (ground.siem("localhost", End::Answer), Authority::new());
    let token = Some(Secret::new("a key of a webhook that nobody else has".to_owned()));
    let url = format!("https://localhost:{}/audit", siem.port);
    let options = SinkOptions { token, ..SinkOptions::new(&url) };
    block_on(write(&ground.store, 0..2));
    for believed in [None, Some(&other)] {
        ground.deliver_with(&options, believed, None);
        assert!(siem.take().is_empty());
    }
    let ours = ground.authority.issue(&["fedgate"]);
    ground.deliver_with(&options, Some(&ground.authority), Some(&ours));
    let brought = siem.take();
    let request = String::from_utf8_lossy(&brought[0].bytes);
    assert!(request.starts_with("POST /audit HTTP/1.1\r\n") && brought[0].is_known, "{request}");
    assert_eq!(request.matches("\"position\":").count(), 2);
}
