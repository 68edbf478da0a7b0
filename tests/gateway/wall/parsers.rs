//! Whatever the gateway forwards means the same to other parsers as to us: requests are made up without shame, sent, and what
//! came out at the product's side is read again by httparse, by Node's llhttp and by Python's h11.

use super::judges::{Meaning, ask_batch, httparse_reads};
use super::*;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many requests are made up.
const REQUESTS: usize = 600;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"];

fn one_of(choices: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop::sample::select(choices).prop_map(str::to_owned)
}

fn target() -> impl Strategy<Value = String> + Clone {
    let plain = one_of(&[
        "a", "b", "board", "%20", "%c3%a9", "%2e", ";x=y", "%3b", "%252e", "?", "&", "=", "+", "@", ":", "*", "!", "~",
    ]);
    let strange = one_of(&[
        "..", ".", "%2f", "//", "\\", "%", "%zz", "'", "(", "|", "[", "{", "%00", "%0d%0a", "#", "\"", "<", "/assets/",
        "/share/",
    ]);
    let piece = prop_oneof![12 => plain, 1 => strange];
    let path = vec(prop_oneof![4 => piece, 1 => Just("/x/".to_owned())], 0..7)
        .prop_map(|pieces| format!("/{}", pieces.concat()));
    prop_oneof![12 => path.clone(), 1 => path.prop_map(|path| format!("http://trello.localhost{path}")), 1 => one_of(&["*", "a", ""])]
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        30 => one_of(&[
            "X-Own", "Accept", "Cookie", "Content-Type", "Range", "If-None-Match", "Priority", "Via", "Date", "Referer", "X_Own",
            "x.own", "X-Fedgate-User", "x_fedgate_user", "X-Real-IP", "TE", "Connection", "Keep-Alive", "Trailer", "Upgrade",
            "Expect", "Proxy-Connection", "Content_Length", "Transfer-Encoding", "Content-Length", "Host", "HTTP2-Settings",
        ]),
        6 => "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}",
        1 => one_of(&["", " ", "X Y", "X\0", "X:", "(x)", " X-Own"]),
    ];
    let colon = prop_oneof![20 => Just(":"), 9 => Just(": "), 1 => Just(" :"), 1 => Just(":\t"), 1 => Just("")];
    let value = prop_oneof![
        20 => "[ -~]{0,20}".prop_map(String::into_bytes),
        8 => one_of(&["close", "upgrade", "x-own", "keep-alive, x-own", "chunked", "identity", "5", "0", "gzip, chunked", "100-continue",
                      "trailers", "a=b; c=d", "a, b", "\"a;b\"", "h2c"]).prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..12),
        1 => one_of(&["a\r\n b", "a\rb", "a\nb", "a\0b", "\t a \t", "a\r\nX-Own: b"]).prop_map(String::into_bytes),
    ];
    let end = prop_oneof![40 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r")];
    (name, colon, value, end)
        .prop_map(|(name, colon, value, end)| [name.as_bytes(), colon.as_bytes(), &value, end.as_bytes()].concat())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let content = prop_oneof![vec(any::<u8>(), 0..40), Just(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n".to_vec())];
    let chunk = (content.clone(), one_of(&["", ";a", ";a=\"b\"", " ", ";\t"]), one_of(&["\r\n", "\r\n", "\r\n", "\n"]))
        .prop_map(|(content, extension, end)| {
            [format!("{:x}{extension}\r\n", content.len()).as_bytes(), &content, end.as_bytes()].concat()
        });
    let last = one_of(&["0\r\n\r\n", "0\r\n\r\n", "0\r\n\r\n", "00;x\r\n\r\n", "0\r\nX-Own: eve\r\n\r\n", "0\n\n"]);
    prop_oneof![
        4 => Just(b"\r\n".to_vec()),
        4 => content.prop_map(|content| [format!("Content-Length: {}\r\n\r\n", content.len()).as_bytes(), &content].concat()),
        4 => (vec(chunk.clone(), 0..4), last.clone()).prop_map(|(chunks, last)| {
            [&b"Transfer-Encoding: chunked\r\n\r\n"[..], &chunks.concat(), last.as_bytes()].concat()
        }),
        1 => (0_usize..9, vec(chunk, 0..3), last).prop_map(|(length, chunks, last)| {
            let head = format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n");
            [head.as_bytes(), &chunks.concat(), last.as_bytes()].concat()
        }),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![8 => one_of(&METHODS), 1 => "[A-Z!-]{1,8}"];
    (method, target(), vec(field(), 0..4), body()).prop_map(|(method, target, fields, body)| {
        [format!("{method} {target} HTTP/1.1\r\nBASE").as_bytes(), &fields.concat(), &body].concat()
    })
}

/// Everything that reached the product of requests made up from a fixed seed.
fn forwarded() -> Vec<Message> {
    let wall = Wall::new();
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let request = request();
    let mut all = Vec::new();
    for _ in 0..REQUESTS {
        let raw = request.new_tree(&mut runner).unwrap().current();
        // No more comes after it, so that nothing waits for a body that was announced too long.
        let mut client = wall.world.plain();
        client.stream.write_all(&wall.fill(&raw)).unwrap();
        let patience = std::time::Duration::from_millis(if ends(&raw) { 5_000 } else { 30 });
        client.stream.set_read_timeout(Some(patience)).unwrap();
        let head = client.head();
        assert!(!head.starts_with("HTTP/1.1 5"), "{:?}: {head}", String::from_utf8_lossy(&raw));
        drop(client);
        for message in wall.recorder.take() {
            let wrong = if message.whole { judge_made_up(&message) } else { None };
            assert!(wrong.is_none(), "{wrong:?}\n{:?}\n{message:?}", String::from_utf8_lossy(&raw));
            all.push(message);
        }
    }
    all
}

/// Whether the client has nothing more to say, as far as its last bytes tell.
fn ends(raw: &[u8]) -> bool {
    let fields = String::from_utf8_lossy(raw).to_lowercase();
    raw.ends_with(b"\r\n\r\n") && !fields.contains("expect") && !fields.contains("content-length")
}

fn judge_made_up(message: &Message) -> Option<&'static str> {
    let twice = |name: &str| message.head.lines().filter(|line| line.starts_with(name)).count() > 1;
    let once = ["host:", "content-length:", "transfer-encoding:", "x-fedgate-user:", "fedgate-assertion:"];
    if message.head.starts_with("unreadable") {
        return Some("two readings");
    }
    if once.iter().any(|name| twice(name)) {
        return Some("twice");
    }
    message.head.contains("__host-fedgate").then_some("our cookie")
}

#[test]
fn what_is_forwarded_means_the_same_to_three_other_parsers() {
    let messages: Vec<Message> = forwarded().into_iter().filter(|message| message.whole).collect();
    assert!(messages.len() > REQUESTS / 10, "{} of {REQUESTS} were forwarded", messages.len());
    let raws: Vec<&[u8]> = messages.iter().map(|message| &message.raw[..]).collect();
    let (node, python) = (ask_batch("node", &raws), ask_batch("python", &raws));
    for (place, message) in messages.iter().enumerate() {
        let ours: Meaning = httparse_reads(message);
        // Node knows a list of methods; to refuse the others is no other meaning.
        let foreign = !METHODS.contains(&&*ours.method) && node[place] == [Err("\"HPE_INVALID_METHOD\"".to_owned())];
        assert!(foreign || node[place] == [Ok(ours.clone())], "Node reads {:?} in {message:?}", node[place]);
        assert_eq!(python[place], [Ok(ours)], "h11 reads {message:?}");
    }
}

#[test]
fn the_judges_tell_two_readings_apart() {
    // A judge that finds nothing wrong with anything would be none.
    let two: &[u8] = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!";
    let more: &[u8] = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n";
    for judge in ["node", "python"] {
        let read = ask_batch(judge, &[two, more]);
        assert!(read[0].iter().any(Result::is_err), "{judge}: {:?}", read[0]);
        assert!(read[1].len() == 2, "{judge}: {:?}", read[1]);
    }
}
