//! The proxy wall: one row per spelling and class of what clients have used to slip past proxies, as bytes.
//!
//! Every row says what the client gets and what the product may see. Whatever the row, these hold: no answer of ours is a 5xx;
//! the word `eve` in a field reaches no product, and `/smuggled` is nobody's request; the gateway's own identity fields reach
//! the product once; and the connection, if it lives on, answers the next request with that request's answer.
//!
//! A new class is a file here; a new spelling is a row.

mod authority;
mod cookies;
mod frames;
mod framing;
mod http2;
mod identity;
mod judges;
mod methods;
mod parsers;
mod paths;
mod recorder;
mod replies;
mod servers;
mod tunnels;
mod upgrade;

use self::recorder::{Message, Recorder, find};
use super::support::*;
use fedgate::gateway::options::{Options, Site, Upstream};
use std::io::Write as _;

/// A gateway with a session, and a product that keeps what it sees.
pub struct Wall {
    pub world: World,
    pub recorder: Recorder,
    pub cookie: String,
}

/// What came of a row.
#[derive(Debug)]
pub struct Outcome {
    /// The first reply's status; 0 when the connection ended without one.
    pub status: u16,
    pub reply: Reply,
    /// What the product saw of it.
    pub seen: Vec<Message>,
    /// Bytes that it sent to the product.
    pub bytes: usize,
    /// Whether another request could be made on the connection.
    pub lives: bool,
}

/// What the product may see of a row.
#[derive(Clone, Copy, Debug)]
pub enum Sees<'a> {
    /// No byte.
    Nothing,
    /// One request with each of these lines (lower case); the first is the beginning of its request line.
    Once(&'a [&'a str]),
    /// One request with this body.
    Body(&'a [u8]),
}

/// A row.
pub struct Row<'a> {
    pub name: &'a str,
    pub raw: Vec<u8>,
    pub status: u16,
    pub sees: Sees<'a>,
}

pub fn row<'a>(name: &'a str, raw: impl AsRef<[u8]>, status: u16, sees: Sees<'a>) -> Row<'a> {
    Row { name, raw: raw.as_ref().to_vec(), status, sees }
}

impl Wall {
    pub fn new() -> Self {
        Self::with(|_, _| {})
    }

    pub fn with(change: impl FnOnce(&mut Options, &mut Site)) -> Self {
        let recorder = Recorder::start();
        let at = recorder.address;
        let world = world(ok, |options, site| {
            site.upstreams = vec![Upstream::Http { host: at.ip().to_string(), port: at.port() }];
            change(options, site);
        });
        let (_, cookie) = world.session(1);
        Self { world, recorder, cookie }
    }

    /// The fields of an honest request with a session.
    pub fn base(&self) -> String {
        format!(
            "Host: {HOST}\r\nX-Forwarded-Proto: https\r\nCookie: {}\r\nSec-Fetch-Site: same-origin\r\n",
            self.cookie
        )
    }

    /// `BASE` in a row is the honest fields, `TOKEN` the session's cookie.
    pub fn fill(&self, raw: &[u8]) -> Vec<u8> {
        let mut raw = raw.to_vec();
        for (mark, text) in [(&b"BASE"[..], self.base()), (b"TOKEN", self.cookie.clone())] {
            while let Some(at) = find(&raw, mark) {
                raw.splice(at..at + mark.len(), text.bytes());
            }
        }
        raw
    }

    /// Sends bytes on a connection of their own, then an honest request. With `close` the client sends no more instead.
    pub fn send(&self, raw: &[u8], close: bool) -> Outcome {
        let before = self.recorder.bytes();
        let mut client = self.world.plain();
        client.stream.write_all(&self.fill(raw)).unwrap();
        if close {
            client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let reply = if raw.starts_with(b"HEAD ") { without_body(&mut client) } else { client.reply() };
        let next = self.fill(b"GET /sentinel HTTP/1.1\r\nBASE\r\n");
        let mut lives = !close && client.stream.write_all(&next).is_ok();
        if lives {
            let answer = client.reply();
            lives = answer.status != 0;
            assert!(
                !lives || answer.one("x-path") == "/sentinel",
                "the next answer is another's: {reply:?} {answer:?}"
            );
        }
        let mut bytes = self.recorder.bytes() - before;
        let mut seen = self.recorder.take();
        if lives {
            let last = seen.pop();
            assert_eq!(last.as_ref().map(Message::target), Some("/sentinel"), "{seen:?}");
            bytes -= last.map_or(0, |last| last.raw.len());
        }
        Outcome { status: reply.status, reply, seen, bytes, lives }
    }

    /// Runs rows, and says of all that are broken what was seen.
    pub fn check(&self, rows: &[Row<'_>]) {
        let mut broken = Vec::new();
        for row in rows {
            let outcome = self.send(&row.raw, false);
            if let Err(why) = judge(row, &outcome) {
                broken.push(format!("{}: {why}\n  {outcome:?}", row.name));
            }
        }
        assert!(broken.is_empty(), "{} of {} rows:\n{}", broken.len(), rows.len(), broken.join("\n"));
    }
}

/// A reply whose length is not its own.
fn without_body(client: &mut Client) -> Reply {
    let head = client.head();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head, body: String::new() }
}

fn judge(row: &Row<'_>, outcome: &Outcome) -> Result<(), String> {
    if outcome.status != row.status {
        return Err(format!("status {} instead of {}", outcome.status, row.status));
    }
    let pages = outcome.reply.all("set-cookie");
    if !pages.is_empty() {
        return Err("a session came of it".into());
    }
    judge_seen(&outcome.seen)?;
    let whole: Vec<&Message> = outcome.seen.iter().filter(|message| message.whole).collect();
    match (row.sees, &whole[..]) {
        (Sees::Nothing, _) if outcome.bytes == 0 => Ok(()),
        (Sees::Once(lines), [message]) => {
            let (first, rest) = lines.split_first().unwrap_or((&"", &[]));
            let wrong = rest.iter().find(|line| message.count(line) != 1);
            match wrong {
                _ if !message.head.starts_with(first) => Err(format!("not {first}")),
                Some(line) => Err(format!("{line} is there {} times", message.count(line))),
                None => Ok(()),
            }
        }
        (Sees::Body(body), [message]) if message.body == body => Ok(()),
        (sees, _) => Err(format!("the product saw {} bytes, {} requests, not {sees:?}", outcome.bytes, whole.len())),
    }
}

/// What no product may ever see, whatever the row.
pub fn judge_seen(seen: &[Message]) -> Result<(), String> {
    for message in seen {
        let raw = String::from_utf8_lossy(&message.raw).to_lowercase();
        let head = &message.head;
        for never in ["unreadable", "eve", "__host-fedgate", "\ngarbage"] {
            if head.contains(never) {
                return Err(format!("{never} reached the product"));
            }
        }
        if raw.lines().any(|line| line.ends_with(" http/1.1") && line.contains("/smuggled")) && message.body.is_empty()
        {
            return Err("the smuggled request reached the product".into());
        }
        let named = message.count("fedgate-assertion: signed") + message.count("x-fedgate-user: ann");
        if message.whole && named != 2 && !head.contains(" /assets/") && !head.contains(" /share/") {
            return Err(format!("the identity is there {named} times, not twice"));
        }
        for once in ["host:", "content-length:", "transfer-encoding:", "cookie:", "x-forwarded-for:"] {
            if head.lines().filter(|line| line.starts_with(once)).count() > 1 {
                return Err(format!("{once} is there more than once"));
            }
        }
    }
    Ok(())
}
