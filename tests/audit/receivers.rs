//! Programs that events are sent to: what they get, and what they get again.

use super::sinks::{NODE, deliver_all, key, personal, way};
use super::*;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use fedgate::audit::{Format, People, SinkOptions, Waiting, deliver};
use fedgate::kernel::event::{Action, AuditEvent, Outcome};
use fedgate::kernel::values::{EventId, Secret};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

const TOKEN: &str = "9f8c0a52-5d7e-4d5f-8a0e-1f4a3c2b1d00";
const TAKEN: &str = "{\"text\":\"Success\",\"code\":0}";

/// One request, whole.
struct Request {
    head: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn field(&self, name: &str) -> &str {
        let mut found = self.head.iter().filter(|(other, _)| other == name);
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.head));
        assert!(found.next().is_none(), "{name} twice");
        value
    }

    /// One JSON value a line and nothing else.
    fn lines(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let lines = text.strip_suffix('\n').unwrap().split('\n');
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line:?}"))).collect()
    }

    fn positions(&self) -> Vec<u64> {
        self.lines().iter().filter_map(|line| line["position"].as_u64()).collect()
    }
}

/// Answers to come, status and body.
type Answers = VecDeque<Option<(u16, String)>>;

/// A receiver that answers as it is told, then takes everything. `None` ends the connection without a word.
struct Receiver {
    port: u16,
    got: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<Answers>>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let receiver = Self { port, got: Arc::default(), answers: Arc::default() };
        let (got, answers) = (Arc::clone(&receiver.got), Arc::clone(&receiver.answers));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &got, &answers);
            }
        });
        receiver
    }

    fn says(&self, answer: Option<(u16, &str)>) {
        self.answers.lock().unwrap().push_back(answer.map(|(status, body)| (status, body.to_owned())));
    }

    fn options(&self, path: &str, token: &str) -> SinkOptions {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        SinkOptions { token: Some(Secret::new(token.to_owned())), ..SinkOptions::new(&url) }
    }

    fn taken(&self) -> Vec<Request> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

fn serve(stream: TcpStream, got: &Mutex<Vec<Request>>, answers: &Mutex<Answers>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => head.push((name.to_ascii_lowercase(), value.to_owned())),
            None if line.trim_end().is_empty() => break,
            None => assert!(line.starts_with("POST "), "{line}"),
        }
    }
    let mut request = Request { head, body: Vec::new() };
    request.body.resize(request.field("content-length").parse().unwrap(), 0);
    reader.read_exact(&mut request.body).unwrap();
    got.lock().unwrap().push(request);
    let answer = answers.lock().unwrap().pop_front().unwrap_or_else(|| Some((200, TAKEN.to_owned())));
    let Some((status, body)) = answer else { return };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    (&stream).write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).unwrap();
}

const KEY: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// The signature as the Standard Webhooks specification defines it.
fn verify(request: &Request) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let (id, at) = (request.field("webhook-id"), request.field("webhook-timestamp"));
    let signed = [format!("{id}.{at}.").as_bytes(), &request.body].concat();
    let signature = request.field("webhook-signature").strip_prefix("v1,").unwrap();
    hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).unwrap();
    let age = Clock::system().now().seconds() - at.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
}

#[test]
fn a_webhook_gets_each_event_signed_and_a_checkpoint() {
    let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
    let (store, options) = (open(folder.path()), receiver.options("/audit", KEY));
    block_on(write(&store, 0..1100));
    block_on(async { log(&store, 1).await.checkpoint().await }).unwrap();
    deliver_all(&store, &options);
    let requests = receiver.taken();
    requests.iter().for_each(verify);
    let positions: Vec<u64> = requests.iter().flat_map(Request::positions).collect();
    assert!(positions.into_iter().eq(0..1100));
    let (last, before) = requests.split_last().unwrap();
    assert!(last.lines()[0]["checkpoint"].as_str().unwrap().starts_with("id.example.com/audit\n1100\n"));
    assert!(before.len() > 2 && before.iter().all(|request| request.body.len() <= 512 << 10));
    assert_eq!(last.field("content-type"), "application/x-ndjson");
    // Nothing is new.
    deliver_all(&store, &options);
    assert!(receiver.taken().iter().all(|request| request.positions().is_empty()));
}

#[test]
fn what_is_refused_or_not_answered_comes_again_the_same_and_nothing_is_lost() {
    let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
    let (store, options) = (open(folder.path()), receiver.options("/audit", KEY));
    let mut ids = Vec::new();
    for (number, answer) in [None, Some((503, "busy")), Some((403, "no")), Some((302, ""))].into_iter().enumerate() {
        let number = u64::try_from(number).unwrap();
        // More came meanwhile: the batch that may be there already is the same one all the same.
        block_on(write(&store, number..number + 1));
        receiver.says(answer);
        deliver_all(&store, &options);
        let requests = receiver.taken();
        assert_eq!(requests.len(), 1, "no tight loop");
        verify(&requests[0]);
        assert_eq!(requests[0].positions(), [0], "{answer:?}");
        ids.push(requests[0].field("webhook-id").to_owned());
    }
    deliver_all(&store, &options);
    let requests = receiver.taken();
    assert_eq!(requests.iter().map(Request::positions).collect::<Vec<_>>(), [vec![0], vec![1, 2, 3]]);
    ids.push(requests[0].field("webhook-id").to_owned());
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert_ne!(requests[1].field("webhook-id"), ids[0]);
}

#[test]
fn splunk_gets_events_in_its_envelope_and_only_its_own_word_counts() {
    let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
    let store = open(folder.path());
    let options = SinkOptions { format: Format::Ocsf, ..receiver.options("/services/collector/event", TOKEN) };
    block_on(write(&store, 0..2));
    for lie in ["", "<html>a proxy's page</html>", "{\"text\":\"Incorrect index\",\"code\":7}"] {
        receiver.says(Some((200, lie)));
        deliver_all(&store, &options);
        assert_eq!(receiver.taken().len(), 1, "{lie}");
    }
    deliver_all(&store, &options);
    let requests = receiver.taken();
    assert_eq!(requests.len(), 1, "taken at last, and not sent twice");
    assert_eq!(requests[0].field("authorization"), format!("Splunk {TOKEN}"));
    let lines = requests[0].lines();
    assert_eq!(lines.len(), 2);
    for (number, line) in lines.iter().enumerate() {
        assert_eq!((&line["host"], &line["sourcetype"]), (&"gateway-1".into(), &"fedgate:ocsf".into()));
        assert_eq!(line["event"]["metadata"]["sequence"], number);
        let millis = line["event"]["time"].as_i64().unwrap();
        assert_eq!(line["time"], format!("{}.{:03}", millis / 1000, millis % 1000));
    }
}

/// Texts that break out of lines, frames, quotes and terminals.
pub fn hostile() -> AuditEvent {
    let at = fixtures::now();
    let mut event = AuditEvent::new(EventId::mint(at, [9; 10]), at, Action::LoginDenied, Outcome::Refused);
    let text = "\r\n{\"position\":9,\"event\":{}}\n\0]\"\\\u{1b}[2J\u{202e}\u{2028}";
    event.trace = vec![text.to_owned(), "x".repeat(70 << 10)];
    event.subject.email = Some(format!("a{text}@acme.com"));
    event
}

#[test]
fn m26_no_text_in_an_event_makes_another_line_or_another_field() {
    for path in ["/audit", "/services/collector"] {
        let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
        let (store, options) = (open(folder.path()), receiver.options(path, KEY));
        block_on(store.commit(Batch { events: vec![hostile(), personal()], ..Batch::default() })).unwrap();
        deliver_all(&store, &options);
        let lines: Vec<Value> = receiver.taken().iter().flat_map(Request::lines).collect();
        assert_eq!(lines.len(), 2, "{path}");
        let event = lines[0].pointer(if path == "/audit" { "/event" } else { "/event/event" }).unwrap();
        assert_eq!(event["trace"], serde_json::json!(hostile().trace), "{path}");
        assert_eq!(event["subject"]["email"], serde_json::json!(hostile().subject.email), "{path}");
    }
}

#[test]
fn people_are_clear_unless_the_operator_wants_pseudonyms() {
    for (people, is_clear) in [(None, true), (Some(People::Clear), true), (Some(People::Pseudonym), false)] {
        for format in [Format::Own, Format::Ocsf] {
            let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
            let store = open(folder.path());
            let options = SinkOptions { people, format, ..receiver.options("/audit", KEY) };
            block_on(store.commit(Batch { events: vec![personal()], ..Batch::default() })).unwrap();
            deliver_all(&store, &options);
            let text = String::from_utf8(receiver.taken().remove(0).body).unwrap();
            for word in ["ann@", "boss@", "192.0.2.77", "Browser"] {
                assert_eq!(text.contains(word), is_clear, "{word} {people:?} {format:?} {text}");
            }
            assert_eq!(text.contains(&key().pseudonym("ann@acme.com")), !is_clear, "{text}");
        }
    }
}

#[test]
fn a_token_that_cannot_be_used_stops_the_start_and_is_never_shown() {
    let receiver = Receiver::start();
    let long = "x\n".repeat(20);
    for (path, token) in [("/audit", "short-secret"), ("/audit", "whsec_!!!"), ("/services/collector", long.as_str())] {
        let options = receiver.options(path, token);
        assert!(!format!("{options:?}").contains(token));
        let fault = fedgate::audit::open(options, &key(), &way()).map(|_| ()).unwrap_err().to_string();
        assert!(!fault.contains(token), "{fault}");
    }
    let none = SinkOptions { token: None, ..receiver.options("/audit", KEY) };
    assert!(fedgate::audit::open(none, &key(), &way()).is_err());
}

#[test]
fn a_receiver_that_is_down_gets_everything_once_it_is_up_and_is_left_alone_meanwhile() {
    let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
    let (store, options) = (open(folder.path()), receiver.options("/audit", KEY));
    receiver.says(Some((500, "")));
    block_on(async {
        write(&store, 0..3).await;
        let (stop, sink) = (CancellationToken::new(), fedgate::audit::open(options.clone(), &key(), &way()).unwrap());
        let task = deliver(Arc::clone(&store), NODE.to_owned(), sink, Waiting::default(), stop.clone());
        let task = tokio::spawn(task);
        let (clock, started) = (Clock::system(), Clock::system().now());
        while receiver.got.lock().unwrap().len() < 2 {
            assert!(clock.now().since(started) < Duration::from_secs(30), "nothing came again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(clock.now().since(started) > Duration::from_millis(2400), "it was asked again at once");
        stop.cancel();
        task.await.unwrap();
    });
    assert!(receiver.taken().iter().all(|request| request.positions() == [0, 1, 2]));
}

#[test]
fn a_collector_of_opentelemetry_gets_records_and_its_rejections_are_failures() {
    let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
    let store = open(folder.path());
    let url = format!("otlp://127.0.0.1:{}", receiver.port);
    let options = SinkOptions { token: None, ..SinkOptions::new(&url) };
    block_on(store.commit(Batch { events: vec![hostile(), personal()], ..Batch::default() })).unwrap();
    receiver.says(Some((200, "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\"full\"}}")));
    deliver_all(&store, &options);
    deliver_all(&store, &options);
    let requests = receiver.taken();
    assert_eq!(requests.len(), 2, "again, and then no more");
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[0].field("content-type"), "application/json");
    let sent: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let records = sent.pointer("/resourceLogs/0/scopeLogs/0/logRecords").unwrap().as_array().unwrap();
    assert_eq!(records.len(), 2);
    for (position, record) in records.iter().enumerate() {
        let body: Value = serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
        assert_eq!(body["position"], position);
        assert_eq!(record["attributes"][1]["value"]["intValue"], position.to_string());
        let nanos = record["timeUnixNano"].as_str().unwrap().strip_suffix("000000").unwrap();
        assert!(nanos.parse::<i64>().unwrap() > 1_700_000_000_000, "{nanos}");
        let event = if position == 0 { hostile() } else { personal() };
        assert_eq!(body["event"]["trace"], serde_json::json!(event.trace));
    }
}

#[test]
fn a_collector_that_took_a_part_gets_the_whole_again_however_it_says_so() {
    for (said, counts) in [
        ("{\"partialSuccess\":{\"rejectedLogRecords\":\"2\"}}", false),
        ("{\"partialSuccess\":{\"rejectedLogRecords\":2}}", false),
        ("{\"partialSuccess\":{\"rejectedLogRecords\":\"0\",\"errorMessage\":\"slow down\"}}", true),
        ("{\"partialSuccess\":{}}", true),
        ("{}", true),
        ("", true),
    ] {
        let (folder, receiver) = (fixtures::Folder::new(), Receiver::start());
        let store = open(folder.path());
        let options = SinkOptions { token: None, ..SinkOptions::new(&format!("otlp://127.0.0.1:{}", receiver.port)) };
        block_on(write(&store, 0..3));
        receiver.says(Some((200, said)));
        deliver_all(&store, &options);
        let first = receiver.taken();
        deliver_all(&store, &options);
        let again = receiver.taken();
        assert_eq!((first.len(), again.len()), (1, usize::from(!counts)), "{said}");
        assert!(again.iter().all(|request| request.body == first[0].body), "{said}: the same to the byte");
    }
}
