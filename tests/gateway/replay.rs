//! Requests of expired sessions (rule H9) on the data path: what is kept, who may send it, once, and what the product receives.

use super::support::*;
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use fedgate::clock::{Clock, TimeSource};
use fedgate::gateway::options::{BodySpool, Options, Site, Upstream};
use fedgate::kernel::model::StepUp;
use fedgate::kernel::values::{AccountId, ProductSessionId, Timestamp, Token};
use fedgate::web::{Ask, Expired, Replays, Taken};
use std::collections::{HashMap, HashSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the login would say.
#[derive(Default)]
pub struct Said {
    expired: Mutex<HashMap<[u8; 32], Expired>>,
    epochs: Mutex<HashMap<AccountId, u32>>,
    taken: Mutex<HashSet<[u8; 32]>>,
}

#[async_trait]
impl Replays for Said {
    async fn expired(&self, ask: &Ask<'_>) -> Option<Expired> {
        self.expired.lock().unwrap().get(ask.token.bytes()).copied()
    }

    async fn epoch(&self, account: AccountId) -> Option<u32> {
        self.epochs.lock().unwrap().get(&account).copied()
    }

    async fn take(&self, digest: [u8; 32], _: Timestamp) -> Taken {
        if self.taken.lock().unwrap().insert(digest) { Taken::First } else { Taken::Again }
    }

    fn seal(&self, bound: &[u8], bytes: &[u8]) -> Option<String> {
        Some(URL_SAFE_NO_PAD.encode([bound, &[0], bytes].concat()))
    }

    fn open(&self, bound: &[u8], text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.strip_prefix(bound)?.strip_prefix(&[0]).map(<[u8]>::to_vec)
    }
}

/// A request as the product received it: its head, and the SHA-256 of its body.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A product that reads bodies. `/late` is answered with a relative `Location`.
fn product() -> (SocketAddr, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, got) = (listener.local_addr().unwrap(), Got::default());
    let seen = Arc::clone(&got);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), seen) = (stream, Arc::clone(&seen)) else { continue };
            thread::spawn(move || {
                let (mut buffer, mut chunk) = (Vec::new(), [0; 65_536]);
                loop {
                    let end = buffer.windows(4).position(|four: &[u8]| four == b"\r\n\r\n");
                    let head = end.map(|end| String::from_utf8_lossy(&buffer[..end]).into_owned());
                    let length = head.as_deref().map_or(0, |head| field(head, "content-length").parse().unwrap_or(0));
                    if let (Some(end), Some(head)) = (end, head)
                        && buffer.len() >= end + 4 + length
                    {
                        let body: Vec<u8> = buffer.drain(..end + 4 + length).skip(end + 4).collect();
                        seen.lock().unwrap().push((head, digest(&SHA256, &body).as_ref().to_vec()));
                        let answer = "HTTP/1.1 303 See Other\r\nLocation: done?x=1\r\nContent-Length: 5\r\n\r\nsaved";
                        stream.write_all(answer.as_bytes()).unwrap();
                        continue;
                    }
                    match stream.read(&mut chunk) {
                        Ok(0) | Err(_) => return,
                        Ok(read) => buffer.extend_from_slice(&chunk[..read]),
                    }
                }
            });
        }
    });
    (address, got)
}

fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next().unwrap_or("")
}

/// A gateway, a product that reads bodies, and Ann, whose session 1 has expired and who logs in as session 2.
struct Scene {
    world: World,
    got: Got,
    /// What the browser sends: the expired session.
    old: String,
    /// After the login.
    new: String,
}

const ANN: u8 = 2;

fn scene(change: impl FnOnce(&mut Options, &mut Site)) -> Scene {
    scene_at(Clock::system(), change)
}

fn scene_at(clock: Clock, change: impl FnOnce(&mut Options, &mut Site)) -> Scene {
    let (address, got) = product();
    let world = world_at(clock, ok, |options, site| {
        site.upstreams = vec![Upstream::Http { host: address.ip().to_string(), port: address.port() }];
        change(options, site);
    });
    let old = expire(&world, 1);
    let (ann, new) = world.session(ANN);
    world.sessions.replays.epochs.lock().unwrap().insert(ann.account, 7);
    Scene { world, got, old, new }
}

/// An expired session of Ann, and its cookie.
fn expire(world: &World, seed: u8) -> String {
    let now = Timestamp::from_millis(1);
    let account = AccountId::mint(now, [ANN; 10]);
    let expired = Expired { sid: ProductSessionId::mint(now, [seed; 10]), account, epoch: 7 };
    let token = Token::new([seed; 32]);
    world.sessions.replays.expired.lock().unwrap().insert(*token.bytes(), expired);
    format!("__Host-fedgate={}", token.expose().as_str())
}

const FORM: [&str; 3] = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: same-origin", "Accept: text/html"];
const SCRIPT: [&str; 3] = ["Sec-Fetch-Mode: cors", "Sec-Fetch-Site: same-origin", "Accept: */*"];

impl Scene {
    /// Sends a request with a body.
    fn send(&self, line: &str, cookie: &str, fields: &[&str], body: &[u8]) -> Reply {
        let mut client = self.world.plain();
        let (length, cookie) = (format!("Content-Length: {}", body.len()), format!("Cookie: {cookie}"));
        client.send(&head(line, &[fields, &[length.as_str(), cookie.as_str()]].concat()));
        client.stream.write_all(body).unwrap();
        client.reply()
    }

    /// The request of the expired session, by a form; gives the handle and the cookie.
    fn keep(&self, body: &[u8]) -> (String, String) {
        handle(&self.send("POST /boards?x=1", &self.old, &FORM, body))
    }

    /// The page, as the person sees it after the login.
    fn page(&self, session: &str, (id, cookie): &(String, String)) -> String {
        let cookie = format!("Cookie: {session}; {cookie}");
        let fields = [&FORM[..], &[cookie.as_str()]].concat();
        self.world.ask(&format!("GET /.fedgate/replay?id={id}"), &fields).body
    }

    /// The click on the page's button.
    fn click(&self, session: &str, kept: &(String, String), act: &str) -> Reply {
        let page = self.page(session, kept);
        let form = page.split("to=").nth(1).map_or_else(|| format!("to={}", kept.0), |form| format!("to={form}"));
        self.post(session, kept, &format!("{form}&act={act}"), &FORM)
    }

    fn post(&self, session: &str, (_, cookie): &(String, String), form: &str, fields: &[&str]) -> Reply {
        let kind = ["Content-Type: application/x-www-form-urlencoded"];
        let cookies = format!("{session}; {cookie}; theirs=now");
        self.send("POST /.fedgate/replay", &cookies, &[fields, &kind].concat(), form.as_bytes())
    }

    fn got(&self) -> Vec<(String, Vec<u8>)> {
        self.got.lock().unwrap().clone()
    }

    /// Files in the spool, once there are so many: they are removed beside the requests.
    fn files(&self, count: usize) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        for _ in 0..500 {
            let entries = std::fs::read_dir(self.world.state.join("spool"));
            files = entries.map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect());
            files.retain(|file| !file.ends_with("node"));
            if files.len() == count {
                return files;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{files:?}");
    }
}

/// The handle in the address of the login, and the cookie.
fn handle(reply: &Reply) -> (String, String) {
    let id = reply.one("location").split("replay%3Fid%3D").nth(1).unwrap_or_default().to_owned();
    let set = reply.all("set-cookie").into_iter().find(|line| line.starts_with("__Host-fedgate-sent-"));
    let cookie = set.and_then(|line| line.split(';').next()).unwrap_or_default().to_owned();
    assert!(id.len() == 32 && !cookie.is_empty(), "{reply:?}");
    (id, cookie)
}

fn sha(body: &[u8]) -> Vec<u8> {
    digest(&SHA256, body).as_ref().to_vec()
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|place| u8::try_from(place * 7 % 251).unwrap()).collect()
}

#[test]
fn h9_a_form_of_an_expired_session_is_sent_after_one_click() {
    let scene = scene(|_, _| {});
    let whole = body(1024 * 1024);
    let sent = [
        &FORM[..],
        &[
            "Content-Type: application/json",
            "Content-Language: de",
            "Origin: https://trello.localhost",
            "Authorization: Bearer then",
            "If-Match: \"then\"",
            "Range: bytes=0-1",
        ],
    ]
    .concat();
    let reply = scene.send("POST /boards?x=1", &format!("{}; theirs=then", scene.old), &sent, &whole);
    assert_eq!(reply.status, 303, "{reply:?}");
    let kept = handle(&reply);
    let cookie = reply.one("set-cookie");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Max-Age=900"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!reply.head.contains("boards"), "the address of the login does not say what was sent");
    assert_eq!(scene.files(1).len(), 1);

    let page = scene.page(&scene.new, &kept);
    assert!(page.starts_with("offer POST /boards 1048576 failed=false to="), "{page}");
    assert_eq!(scene.got(), [], "nothing reaches the product without the click");

    let reply = scene.click(&scene.new, &kept, "send");
    assert_eq!((reply.status, reply.body.as_str()), (303, "saved"), "the product's own answer: {reply:?}");
    assert_eq!(reply.one("location"), "https://trello.localhost/done?x=1", "relative to the product's path");
    assert!(reply.all("set-cookie").iter().any(|line| line.starts_with(&kept.1[..28]) && line.contains("Max-Age=0")));
    let got = scene.got();
    let [(head, digest)] = got.as_slice() else { panic!("{got:?}") };
    assert_eq!(*digest, sha(&whole));
    assert!(head.starts_with("POST /boards?x=1 HTTP/1.1\r\n"), "{head}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-language", "de"),
        ("content-length", "1048576"),
        ("origin", "https://trello.localhost"),
        ("cookie", "theirs=now"),
        ("x-fedgate-user", "ann"),
        ("fedgate-assertion", "signed"),
        ("host", "trello.localhost"),
        ("authorization", ""),
        ("if-match", ""),
        ("range", ""),
        ("transfer-encoding", ""),
    ] {
        assert_eq!(field(head, name), value, "{name} in {head}");
    }
    scene.files(0);
}

#[test]
fn h9_only_this_hosts_own_requests_are_kept() {
    let scene = scene(|_, site| site.accept_from = vec!["https://admin.example.com".into()]);
    let check = |line: &str, fields: &[&str], kept: bool| {
        let reply = scene.send(line, &scene.old, &[&["Accept: text/html"], fields].concat(), b"x");
        let set = reply.one("set-cookie").starts_with("__Host-fedgate-sent-");
        assert_eq!(set, kept, "{line} {fields:?}: {reply:?}");
    };
    let (same, own) = ("Sec-Fetch-Site: same-origin", "Origin: https://trello.localhost");
    let navigate = "Sec-Fetch-Mode: navigate";
    check("POST /b", &[same, navigate], true);
    check("POST /b", &[own, navigate], true);
    check("POST /b", &[own, same, navigate], true);
    for method in ["PUT", "PATCH", "DELETE"] {
        check(&format!("{method} /b"), &[same, "Sec-Fetch-Mode: cors"], false); // a form is there already
    }
    check("POST /b", &[navigate], false); // neither
    check("POST /b", &["Sec-Fetch-Site: same-site", own, navigate], false);
    check("POST /b", &["Sec-Fetch-Site: cross-site", "Origin: https://evil.example", navigate], false);
    check("POST /b", &["Origin: https://loom.localhost", navigate], false);
    check("POST /b", &["Origin: null", navigate], false);
    // Accepted, but not this host's own page.
    check("POST /b", &["Sec-Fetch-Site: cross-site", "Origin: https://admin.example.com", navigate], false);
    check("GET /b", &[same, navigate], false);
    check("POST /login", &[same, navigate], false);
    check("POST /.fedgate/logout", &[same, navigate], false);
    scene.files(1);
    assert_eq!(scene.got(), []);
}

#[test]
fn h9_a_session_that_did_not_just_expire_keeps_nothing() {
    let scene = scene(|_, _| {});
    // Revoked, unknown, too old, of another host: the port says so.
    let token = Token::new([9; 32]);
    for cookie in [format!("__Host-fedgate={}", token.expose().as_str()), "theirs=1".to_owned()] {
        let reply = scene.send("POST /b", &cookie, &FORM, b"x");
        assert_eq!((reply.status, reply.one("location")), (303, "/.fedgate/login?return_to=/"), "{cookie}");
        assert_eq!(reply.one("set-cookie"), "");
    }
    scene.files(0);
    let off = self::scene(|_, site| site.spool.limit = 0);
    let reply = off.send("POST /b", &off.old, &FORM, b"x");
    assert_eq!((reply.status, reply.one("set-cookie")), (303, ""));
    off.files(0);
}

#[test]
fn h9_a_script_hears_401_with_the_way_to_its_request() {
    let scene = scene(|_, _| {});
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = scene.send(&format!("{method} /api/cards"), &scene.old, &SCRIPT, br#"{"name":"x"}"#);
        assert_eq!(reply.status, 401, "{reply:?}");
        let at = "login-required https://trello.localhost/.fedgate/login?return_to=/.fedgate/replay%3Fid%3D";
        assert!(reply.body.starts_with(at) && reply.body.ends_with(" Yes"), "{}", reply.body);
        let id = reply.body[at.len()..][..32].to_owned();
        let kept = (id, reply.one("set-cookie").split(';').next().unwrap().to_owned());
        let page = scene.page(&scene.new, &kept);
        assert!(page.starts_with(&format!("offer {method} /api/cards 12 ")), "{page}");
        assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved");
        let got = scene.got();
        let (head, digest) = got.last().unwrap();
        assert!(head.starts_with(&format!("{method} /api/cards ")), "{head}");
        assert_eq!(*digest, sha(br#"{"name":"x"}"#));
    }
    // Without a body there is none afterwards either.
    let reply = scene.send("DELETE /api/cards/1", &scene.old, &SCRIPT, b"");
    let id = reply.body.split("id%3D").nth(1).unwrap()[..32].to_owned();
    let kept = (id, reply.one("set-cookie").split(';').next().unwrap().to_owned());
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved");
    let got = scene.got();
    let (head, _) = got.last().unwrap();
    assert!(head.starts_with("DELETE /api/cards/1 ") && field(head, "content-length").is_empty(), "{head}");
}

#[test]
fn h9_over_the_limit_nothing_is_kept_and_the_page_says_so() {
    let scene = scene(|_, site| site.spool = BodySpool { limit: 100_000, version: None });
    let reply = scene.send("POST /b", &scene.old, &FORM, &body(100_001));
    assert_eq!((reply.status, reply.one("set-cookie")), (303, ""));
    assert_eq!(reply.one("location"), "/.fedgate/login?return_to=/.fedgate/replay%3Flost%3Dsize");
    // The length is not said before.
    let mut client = scene.world.plain();
    let cookie = format!("Cookie: {}", scene.old);
    client.send(&head("POST /b", &[&SCRIPT[..], &["Transfer-Encoding: chunked", &cookie]].concat()));
    for _ in 0..11 {
        client.send("2710\r\n");
        client.stream.write_all(&body(10_000)).unwrap();
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    let reply = client.reply();
    assert_eq!(reply.status, 401);
    assert!(reply.body.ends_with("No(TooLarge(100000))"), "{}", reply.body);
    scene.files(0);
    let cookie = format!("Cookie: {}", scene.new);
    let fields = [&FORM[..], &[cookie.as_str()]].concat();
    let page = scene.world.ask("GET /.fedgate/replay?lost=size", &fields);
    assert_eq!(page.body, "lost TooLarge(100000)");
    // Exactly the limit is kept.
    assert_eq!(scene.send("POST /b", &scene.old, &FORM, &body(100_000)).status, 303);
    scene.files(1);
}

#[test]
fn h9_a_request_is_sent_once_whoever_clicks_how_often() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"once");
    let page = scene.page(&scene.new, &kept);
    let form = format!("to={}&act=send", page.split("to=").nth(1).unwrap());
    let answers: Vec<String> = thread::scope(|scope| {
        let clicks: Vec<_> = (0..8).map(|_| scope.spawn(|| scene.post(&scene.new, &kept, &form, &FORM).body)).collect();
        clicks.into_iter().map(|click| click.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| *answer == "saved").count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| ["saved", "lost Sent", "lost Gone"].contains(&answer.as_str())), "{answers:?}");
    let again = scene.post(&scene.new, &kept, &form, &FORM);
    assert!(again.body.starts_with("lost "), "{again:?}");
    assert_eq!(scene.got().len(), 1);
}

#[test]
fn h9_a_mark_that_was_taken_elsewhere_stops_a_copy_of_the_file() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"once");
    let file = scene.files(1).remove(0);
    let copy = std::fs::read(&file).unwrap();
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved");
    scene.files(0);
    std::fs::write(&file, copy).unwrap();
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Sent");
    assert_eq!(scene.got().len(), 1);
}

#[test]
fn h9_another_persons_click_deletes_it() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"ann's");
    let (bob, cookie) = scene.world.session(3);
    scene.world.sessions.replays.epochs.lock().unwrap().insert(bob.account, 7);
    assert_eq!(scene.page(&cookie, &kept), "lost Another");
    scene.files(0);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Gone");
    assert_eq!(scene.got(), []);
}

#[test]
fn h9_a_changed_account_or_release_deletes_it() {
    let scene = scene(|_, site| site.spool.version = Some("1".into()));
    let ann = AccountId::mint(Timestamp::from_millis(1), [ANN; 10]);
    let kept = scene.keep(b"x");
    // A link, a merge or a changed password raises the epoch.
    scene.world.sessions.replays.epochs.lock().unwrap().insert(ann, 8);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Changed");
    scene.files(0);
    scene.world.sessions.replays.epochs.lock().unwrap().remove(&ann);
    let kept = scene.keep(b"x");
    assert_eq!(scene.click(&scene.new, &kept, "send").status, 503, "nobody can say");
    scene.files(1);
    scene.world.sessions.replays.epochs.lock().unwrap().insert(ann, 7);
    let reload = |change: fn(&mut Site)| {
        let mut options = scene.world.options.clone();
        for site in options.sites.values_mut() {
            change(Arc::make_mut(site));
        }
        scene.world.running.reload(options).unwrap();
    };
    reload(|site| site.spool.version = Some("2".into()));
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Changed");
    scene.files(0);
    // A path that has become a door is ours.
    let kept = scene.keep(b"x");
    reload(|site| {
        site.spool.version = Some("2".into());
        site.doors.signup = vec!["/boards".into()];
    });
    assert_eq!(scene.page(&scene.new, &kept), "lost Changed");
    scene.files(0);
    assert_eq!(scene.got(), []);
}

/// A clock that the test moves.
struct Hands(AtomicI64);

impl TimeSource for Hands {
    fn wall_millis(&self) -> i64 {
        1_795_312_327_000 + self.0.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }
}

#[test]
fn h9_after_fifteen_minutes_it_is_gone() {
    let hands = Arc::new(Hands(AtomicI64::new(0)));
    let scene = scene_at(Clock::from_source(Arc::<Hands>::clone(&hands)), |_, _| {});
    let kept = scene.keep(b"x");
    hands.0.store(15 * 60_000 - 1, Ordering::SeqCst);
    assert!(scene.page(&scene.new, &kept).starts_with("offer"));
    hands.0.store(15 * 60_000, Ordering::SeqCst);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Gone");
    scene.files(0);
    assert_eq!(scene.got(), []);
}

#[test]
fn h9_a_restart_keeps_it_and_another_node_says_that_it_is_lost() {
    let mut scene = scene(|_, _| {});
    let kept = scene.keep(b"x");
    scene.world.restart(Clock::system());
    assert!(scene.page(&scene.new, &kept).starts_with("offer POST /boards 1 "));
    // Another node has the same keys and another disk.
    std::fs::rename(scene.world.state.join("spool"), scene.world.state.join("elsewhere")).unwrap();
    scene.world.restart(Clock::system());
    assert_eq!(scene.page(&scene.new, &kept), "lost Elsewhere");
    std::fs::remove_dir_all(scene.world.state.join("spool")).unwrap_or_default();
    std::fs::rename(scene.world.state.join("elsewhere"), scene.world.state.join("spool")).unwrap();
    scene.world.restart(Clock::system());
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved");
}

#[test]
fn h9_a_handle_opens_in_its_own_browser_and_host_only() {
    let scene = scene(|_, site| site.also = vec![fedgate::kernel::values::Origin::parse("board.localhost").unwrap()]);
    let kept = scene.keep(b"secret words");
    let file = std::fs::read(scene.files(1).remove(0)).unwrap();
    assert!(!file.windows(6).any(|part| part == b"secret" || part == b"boards"), "a stolen disk has nothing");
    let (id, cookie) = kept.clone();
    assert_eq!(scene.page(&scene.new, &(id.clone(), "theirs=1".into())), "lost Gone", "without the cookie");
    assert_eq!(scene.page(&scene.new, &(id.clone(), format!("{cookie}; {cookie}"))), "lost Gone", "twice");
    let renamed = cookie.replace(&cookie[20..28], "00000000");
    let other = format!("00000000{}", &id[8..]);
    assert_eq!(scene.page(&scene.new, &(other, renamed)), "lost Gone", "another name");
    let fields = [FORM[0], FORM[1], FORM[2], &format!("Cookie: {}; {cookie}", scene.new)];
    let request = head(&format!("GET /.fedgate/replay?id={id}"), &fields).replacen(HOST, "board.localhost", 1);
    let mut client = scene.world.plain();
    client.send(&request);
    assert_eq!(client.reply().body, "lost Gone", "another host");
    assert!(scene.page(&scene.new, &kept).starts_with("offer"));
}

#[test]
fn h9_nothing_but_the_pages_own_click_sends_it() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"x");
    let page = scene.page(&scene.new, &kept);
    let form = format!("to={}&act=send", page.split("to=").nth(1).unwrap());
    let navigate = "Sec-Fetch-Mode: navigate";
    for (fields, form, status) in [
        (&["Sec-Fetch-Site: cross-site", navigate][..], form.clone(), 403),
        (&["Sec-Fetch-Site: same-site", navigate], form.clone(), 403),
        (&[navigate], form.clone(), 403),
        (&["Origin: https://evil.example", navigate], form.clone(), 403),
        (&SCRIPT, form.clone(), 403),
        (&FORM, format!("to={}&act=send", kept.0), 403),
        (&FORM, format!("to={}&act=send&csrf=00000000000000000000000000000000", kept.0), 403),
        (&FORM, form.replace("act=send", "act="), 400),
        (&FORM, format!("{form}&act=send"), 400),
        (&FORM, format!("{form}&to={}", kept.0), 200), // named twice: none
    ] {
        let reply = scene.post(&scene.new, &kept, &form, fields);
        assert_eq!(reply.status, status, "{fields:?} {form}: {reply:?}");
    }
    let cookie = format!("Cookie: {}; {}", scene.new, kept.1);
    for line in ["HEAD /.fedgate/replay?", "GET /.fedgate/replay?act=send&", "PUT /.fedgate/replay?"] {
        let line = format!("{line}{}", form.replace("to=", "id="));
        let mut client = scene.world.plain();
        client.send(&head(&line, &[&FORM[..], &[&cookie]].concat()));
        let head = client.head();
        assert!(head.contains(" 400 ") || line.starts_with("GET"), "{line}: {head}");
    }
    let worker = scene.world.ask("GET /.fedgate/replay", &[&FORM[..], &[&cookie, "Service-Worker: script"]].concat());
    assert_eq!(worker.status, 404);
    assert_eq!(scene.got(), []);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved", "and it is still there");
}

#[test]
fn h9_without_a_session_the_page_leads_to_the_login_and_back() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"x");
    let back = format!("/.fedgate/login?return_to=/.fedgate/replay%3Fid%3D{}", kept.0);
    let cookie = format!("Cookie: {}", kept.1);
    let fields = [&FORM[..], &[cookie.as_str()]].concat();
    let reply = scene.world.ask(&format!("GET /.fedgate/replay?id={}", kept.0), &fields);
    assert_eq!((reply.status, reply.one("location")), (303, back.as_str()));
    let reply = scene.post(&scene.old, &kept, &format!("to={}&act=send", kept.0), &FORM);
    assert_eq!((reply.status, reply.one("location")), (303, back.as_str()));
    // What phase C says of the new session holds here as everywhere.
    *scene.world.sessions.answer.lock().unwrap() =
        Some(fedgate::web::Admission::Refused(fedgate::kernel::refusal::Refusal::NotAllowed));
    let reply = scene.post(&scene.old, &kept, &format!("to={}&act=send", kept.0), &FORM);
    assert_eq!(reply.status, 403);
    assert_eq!(scene.got(), []);
}

#[test]
fn h9_a_login_that_lost_its_way_back_finds_it_by_the_cookie() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"x");
    let find = |cookies: &str| {
        let cookie = format!("Cookie: {}; {cookies}", scene.new);
        let reply = scene.world.ask("GET /.fedgate/replay", &[&FORM[..], &[cookie.as_str()]].concat());
        assert_eq!(reply.status, 303);
        reply.one("location").to_owned()
    };
    assert_eq!(find(&kept.1), format!("/.fedgate/replay?id={}", kept.0));
    assert_eq!(find("theirs=1"), "/");
    assert_eq!(find(&kept.1.replace("sent-", "sent-0")), "/");
}

#[test]
fn h9_discarded_is_gone() {
    let scene = scene(|_, _| {});
    let kept = scene.keep(b"x");
    let reply = scene.click(&scene.new, &kept, "discard");
    assert_eq!((reply.status, reply.one("location")), (303, "/"));
    assert!(reply.one("set-cookie").contains("Max-Age=0"));
    scene.files(0);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Gone");
    assert_eq!(scene.got(), []);
}

#[test]
fn h9_quotas_hold_for_sessions_and_accounts() {
    let scene = scene(|_, _| {});
    // Two tabs: the newer form stays, and no script pushes it out.
    let first = scene.keep(b"first");
    let second = scene.keep(b"second");
    assert_eq!(scene.page(&scene.new, &first), "lost Gone");
    let reply = scene.send("POST /ping", &scene.old, &SCRIPT, b"background");
    assert!(reply.body.ends_with("No(NoRoom)"), "{}", reply.body);
    assert!(scene.page(&scene.new, &second).starts_with("offer POST /boards 6 "));
    scene.files(1);
    // Three of one account, whichever its sessions.
    for (seed, kept) in [(11, true), (12, true), (13, false)] {
        let old = expire(&scene.world, seed);
        let reply = scene.send("POST /b", &old, &FORM, b"x");
        assert_eq!(!reply.one("set-cookie").is_empty(), kept, "{seed}");
        assert_eq!(reply.one("location").ends_with("lost%3Droom"), !kept, "{seed}");
    }
    scene.files(3);
}

#[test]
fn h9_a_product_that_cannot_be_reached_costs_nothing() {
    // A port on which nobody listens any more.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = vec![Upstream::Http { host: address.ip().to_string(), port: address.port() }];
    let scene = scene(move |_, site| site.upstreams = down);
    let kept = scene.keep(b"x");
    let reply = scene.click(&scene.new, &kept, "send");
    assert_eq!(reply.status, 303, "{reply:?}");
    assert_eq!(reply.one("location"), format!("/.fedgate/replay?id={}", kept.0));
    let cookie = reply.one("set-cookie").split(';').next().unwrap().to_owned();
    assert_ne!(cookie, kept.1);
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "lost Sent", "the handle of before is used");
    let kept = (kept.0, cookie);
    assert!(scene.page(&scene.new, &kept).contains("failed=true"));
    // The product is there again.
    let (address, got) = product();
    let mut options = scene.world.options.clone();
    for site in options.sites.values_mut() {
        Arc::make_mut(site).upstreams = vec![Upstream::Http { host: address.ip().to_string(), port: address.port() }];
    }
    scene.world.running.reload(options).unwrap();
    assert_eq!(scene.click(&scene.new, &kept, "send").body, "saved");
    assert_eq!(got.lock().unwrap().len(), 1);
    scene.files(0);
}

#[test]
fn h9_a_product_that_hangs_up_is_not_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            // It read the head, and may have acted on it.
            let _ = stream.unwrap().read(&mut [0; 4096]);
            *count.lock().unwrap() += 1;
        }
    });
    let hangs_up = vec![Upstream::Http { host: address.ip().to_string(), port: address.port() }];
    let scene = scene(move |_, site| site.upstreams = hangs_up);
    let kept = scene.keep(b"x");
    assert_eq!(scene.click(&scene.new, &kept, "send").status, 502);
    assert!(scene.click(&scene.new, &kept, "send").body.starts_with("lost "));
    assert_eq!(*asked.lock().unwrap(), 1);
    scene.files(0);
}

#[test]
fn h9_a_kept_request_to_a_path_that_asks_for_a_proof_comes_back_after_the_step() {
    let scene = scene(|_, site| {
        let within = Duration::from_secs(600);
        Arc::make_mut(&mut site.product).step_up = Some(StepUp { paths: vec!["/admin/*".to_owned()], within });
    });
    let kept = handle(&scene.send("POST /admin/users", &scene.old, &FORM, b"x"));
    let reply = scene.click(&scene.new, &kept, "send");
    let back = format!("/.fedgate/step-up?return_to=/.fedgate/replay%3Fid%3D{}", kept.0);
    assert_eq!((reply.status, reply.one("location")), (303, back.as_str()), "{reply:?}");
    assert_eq!(scene.got(), [], "the product saw nothing of it");
    *scene.world.proved_at.lock().unwrap() = Clock::system().now();
    let (_, stepped) = scene.world.session(ANN);
    assert_eq!(scene.click(&stepped, &kept, "send").body, "saved", "it is still there");
}
