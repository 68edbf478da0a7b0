//! A product's account adapter that keeps passwords of its own, checks the signature of every call, and answers as told: honestly,
//! late, never, too much, elsewhere, unsigned, about somebody else.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// What gateway and adapter share.
pub const ADAPTER_KEY: &str = "whsec_YWRhcHRlci1rZXktb2YtdGhpcnR5LXR3by1ieXRlcyE=";

/// How a call is answered.
#[derive(Clone, Debug, Default)]
pub enum Manner {
    /// As it is.
    #[default]
    Honest,
    /// As it is, after so many milliseconds for those it knows and so many for strangers.
    Late(u64, u64),
    /// Nothing at all, and the connection stays open.
    Silent,
    /// The connection ends before the answer does.
    Broken,
    /// "Right" for everybody, with this user id, rightly signed.
    Yes(&'static str),
    /// As it is, without a signature.
    Unsigned,
    /// "Right", signed with another key.
    Forged,
    /// "Right", rightly signed, to another call.
    AnotherCall,
    /// "Right", rightly signed, with this status and these further fields.
    Status(u16, &'static str),
    /// "Right" and a MiB of spaces, rightly signed.
    Huge,
    /// The call itself, sent back with its own signature.
    Echo,
    /// This body, rightly signed.
    Body(&'static str),
}

#[derive(Default)]
struct State {
    people: HashMap<String, (String, String)>,
    /// Values of `Authorization`, and whose they are.
    tokens: HashMap<String, String>,
    manner: Manner,
    /// The one call that is answered so; all others as it is. None: all are.
    only: Option<&'static str>,
    calls: Vec<Call>,
    faults: Vec<String>,
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Call {
    pub path: String,
    pub email: String,
    pub password: String,
    pub idempotency_key: String,
    /// All of it.
    pub body: Value,
}

/// A running adapter. Dropping it stops it.
pub struct Adapter {
    url: String,
    /// Where its socket is, if it listens on one.
    folder: Option<tempfile::TempDir>,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Adapter {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback");
        let url = format!("http://{}/fedgate", listener.local_addr().expect("bound"));
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Self::over(url, None, accept)
    }

    /// One behind a socket of this machine.
    pub fn at_socket() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("fedgate.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        Self::over(format!("unix:{}", path.display()), Some(folder), move || {
            listener.accept().map(|(stream, _)| stream)
        })
    }

    fn over<S: Read + Write + Send + 'static>(
        url: String,
        folder: Option<tempfile::TempDir>,
        accept: impl Fn() -> std::io::Result<S> + Send + 'static,
    ) -> Self {
        let (state, stop) = (Arc::<Mutex<State>>::default(), Arc::new(AtomicBool::new(false)));
        let (shared, ended) = (Arc::clone(&state), Arc::clone(&stop));
        std::thread::spawn(move || {
            loop {
                let accepted = accept();
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (accepted, Arc::clone(&shared)) else { continue };
                // A connection that breaks is the gateway's affair.
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, folder, state, stop }
    }

    /// For `adapter = { url = "…" }`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    pub fn person(&self, email: &str, password: &str, sub: &str) {
        lock(&self.state).people.insert(email.to_owned(), (password.to_owned(), sub.to_owned()));
    }

    /// An API token that the product gave out, as the value of `Authorization`; or took back.
    pub fn token(&self, authorization: &str, sub: Option<&str>) {
        let tokens = &mut lock(&self.state).tokens;
        match sub {
            Some(sub) => drop(tokens.insert(authorization.to_owned(), sub.to_owned())),
            None => drop(tokens.remove(authorization)),
        }
    }

    /// How calls are answered from now on.
    pub fn be(&self, manner: Manner) {
        let mut state = lock(&self.state);
        (state.manner, state.only) = (manner, None);
    }

    /// Says nothing to one kind of call, and answers all others as it is.
    pub fn hold(&self, only: &'static str) {
        let mut state = lock(&self.state);
        (state.manner, state.only) = (Manner::Silent, Some(only));
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }

    /// What was wrong with calls.
    pub fn faults(&self) -> Vec<String> {
        lock(&self.state).faults.clone()
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for a connection; it may have ended already.
        let _ = match &self.folder {
            Some(folder) => UnixStream::connect(folder.path().join("fedgate.sock")).map(drop),
            None => TcpStream::connect(self.url.trim_start_matches("http://").trim_end_matches("/fedgate")).map(drop),
        };
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("not poisoned")
}

fn serve(mut stream: impl Read + Write, state: &Mutex<State>) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read(&mut byte)? == 0 {
                return Ok(());
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let field = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
            found.next().unwrap_or_default()
        };
        let mut body = vec![0; field("content-length").parse().expect("a length")];
        stream.read_exact(&mut body)?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let signed = (field("webhook-id"), field("webhook-timestamp"), field("webhook-signature"));
        if field("idempotency-key") != signed.0 || !is_ours(&signed, &body) {
            lock(state).faults.push(format!("a call that is not signed: {head}"));
        }
        let (answer, wait, whole) = answer(state, path, &signed, &body);
        std::thread::sleep(wait);
        stream.write_all(&answer)?;
        if !whole {
            return Ok(());
        }
    }
}

fn key() -> hmac::Key {
    let bytes = STANDARD.decode(ADAPTER_KEY.trim_start_matches("whsec_")).expect("base64");
    hmac::Key::new(hmac::HMAC_SHA256, &bytes)
}

fn sign(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> String {
    let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    format!("v1,{}", STANDARD.encode(hmac::sign(key, &text)))
}

fn is_ours((id, timestamp, signature): &(String, String, String), body: &[u8]) -> bool {
    !id.is_empty() && *signature == sign(&key(), id, timestamp, body)
}

/// The bytes of the answer, how long to wait before them, and whether the connection goes on.
fn answer(
    state: &Mutex<State>,
    path: String,
    signed: &(String, String, String),
    body: &[u8],
) -> (Vec<u8>, Duration, bool) {
    let asked: Value = serde_json::from_slice(body).expect("JSON");
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let (email, password) = (text("email"), text("password"));
    let mut state = lock(state);
    let acts = ["set_auth_mode", "revoke_sessions", "set_profile", "merge", "close"];
    let is_act = acts.contains(&text("call").as_str());
    let agreed = ["/fedgate/", "/"].map(|base| format!("{base}{}", text("call")));
    let is_question = ["verify_password", "token_owner"].contains(&text("call").as_str());
    if !agreed.contains(&path) || !(is_act || is_question) {
        state.faults.push(format!("not the call that is agreed on: {path} {}", text("call")));
    }
    let known = state.people.get(&email).cloned();
    let call = Call { path, email, password: password.clone(), idempotency_key: signed.0.clone(), body: asked.clone() };
    state.calls.push(call);
    let id = signed.0.as_str();
    let honest = match &known {
        _ if is_act => json!({ "id": id, "done": true }),
        _ if text("call") == "token_owner" => json!({ "id": id, "owner": state.tokens.get(&text("authorization")) }),
        Some((right, sub)) if *right == password => json!({ "id": id, "right": true, "sub": sub }),
        _ => json!({ "id": id, "right": false }),
    };
    let sub = known.as_ref().map_or("nobody", |(_, sub)| sub.as_str());
    let yes = |sub: &str| json!({ "id": id, "right": true, "sub": sub }).to_string();
    let told = |body: &str| written(200, "", body.as_bytes(), &sign(&key(), id, "1800000000", body.as_bytes()));
    let now = Duration::ZERO;
    let manner = match state.only {
        Some(only) if text("call") != only => Manner::Honest,
        Some(_) | None => state.manner.clone(),
    };
    match manner {
        Manner::Honest => (told(&honest.to_string()), now, true),
        Manner::Late(those, strangers) => {
            let wait = if known.is_some() { those } else { strangers };
            (told(&honest.to_string()), Duration::from_millis(wait), true)
        }
        Manner::Silent => (Vec::new(), Duration::from_secs(30), false),
        Manner::Broken => (told(&honest.to_string())[..60].to_vec(), now, false),
        Manner::Yes(sub) => (told(&yes(sub)), now, true),
        Manner::Unsigned => (written(200, "", yes(sub).as_bytes(), ""), now, true),
        Manner::Forged => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, b"another key of thirty-two bytes!");
            let signature = sign(&key, id, "1800000000", yes(sub).as_bytes());
            (written(200, "", yes(sub).as_bytes(), &signature), now, true)
        }
        Manner::AnotherCall => (told(&yes(sub).replace(id, "another-call-than-this")), now, true),
        Manner::Status(status, fields) => {
            let signature = sign(&key(), id, "1800000000", yes(sub).as_bytes());
            (written(status, fields, yes(sub).as_bytes(), &signature), now, true)
        }
        Manner::Huge => (told(&format!("{}{}", yes(sub), " ".repeat(1024 * 1024))), now, true),
        Manner::Echo => (written(200, "", body, &signed.2).into_iter().collect(), now, true),
        Manner::Body(body) => (told(body), now, true),
    }
}

fn written(status: u16, fields: &str, body: &[u8], signature: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Told\r\ncontent-type: application/json\r\nwebhook-timestamp: 1800000000\r\n\
         webhook-signature: {signature}\r\n{fields}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
