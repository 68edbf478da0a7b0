//! Products that log connections in (NTLM, Negotiate): whoever gets such a connection is that person, so nobody else does (rule H8).

use super::support::*;
use std::collections::HashMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// Who is logged in on which connection, as such a product sees it.
static LOGGED_IN: Mutex<Option<HashMap<[SocketAddr; 2], String>>> = Mutex::new(None);

/// A product that knows people by their connection: `NTLM 1` is the first message, `NTLM 3 name` the last.
fn ntlm(head: &str, stream: &mut TcpStream) {
    let peer = [stream.peer_addr().unwrap(), stream.local_addr().unwrap()];
    let mut known = LOGGED_IN.lock().unwrap();
    let known = known.get_or_insert_default();
    let said =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("authorization: ntlm ").map(str::to_owned));
    if let Some(name) = said.as_deref().and_then(|said| said.strip_prefix("3 ")) {
        known.insert(peer, name.to_owned());
    }
    let reply = match (said.as_deref(), known.get(&peer)) {
        (Some("1"), _) => {
            "401 Unauthorized\r\nWWW-Authenticate: NTLM challenge\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
        (_, Some(name)) => format!("200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len()),
        (_, None) => {
            "401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n"
                .to_owned()
        }
    };
    // The gateway may be gone.
    let _ = stream.write_all(format!("HTTP/1.1 {reply}").as_bytes());
}

fn bound() -> World {
    world(ntlm, |_, site| site.connection_auth = true)
}

/// One request on this connection; status, challenges and body.
fn ask(client: &mut Client, cookie: &str, fields: &[&str]) -> (u16, usize, String) {
    let cookie = format!("Cookie: {cookie}");
    client.send(&head("GET /x", &[&[cookie.as_str()], fields].concat()));
    let reply = client.reply();
    (reply.status, reply.all("www-authenticate").len(), reply.body)
}

fn log_in(client: &mut Client, cookie: &str, name: &str) {
    assert_eq!(ask(client, cookie, &[]), (401, 2, String::new()));
    assert_eq!(ask(client, cookie, &["Authorization: NTLM 1"]), (401, 1, String::new()));
    assert_eq!(ask(client, cookie, &[&format!("Authorization: NTLM 3 {name}")]), (200, 0, name.to_owned()));
}

#[test]
fn h8_a_connection_that_a_product_logged_in_is_one_sessions_own() {
    let world = bound();
    let ((_, ann), (_, bob)) = (world.session(1), world.session(2));
    let (mut one, mut two) = (world.plain(), world.plain());
    log_in(&mut one, &ann, "ann");
    // Idle and ready, and still nobody else's: not of another person elsewhere, nor of another on the same client's connection.
    assert_eq!(ask(&mut two, &bob, &[]).0, 401);
    log_in(&mut two, &bob, "bob");
    for _ in 0..3 {
        assert_eq!(ask(&mut one, &ann, &[]), (200, 0, "ann".to_owned()));
        assert_eq!(ask(&mut two, &bob, &[]), (200, 0, "bob".to_owned()));
    }
    assert_eq!(world.seen.connections.load(Ordering::SeqCst), 2, "each is kept");
    assert_eq!(ask(&mut one, &bob, &[]).0, 401);
    assert_eq!(ask(&mut one, &ann, &[]).0, 401, "what she had there went with the other");
    assert_eq!(ask(&mut world.plain(), &ann, &[]).0, 401, "a new connection of hers begins anew");
}

#[test]
fn h8_nobody_without_a_session_meets_such_a_login() {
    let world = bound();
    let (_, ann) = world.session(1);
    let mut one = world.plain();
    log_in(&mut one, &ann, "ann");
    // Public and optional paths have the shared connections, no credential and no challenge.
    for path in ["/assets/a.css", "/share/1"] {
        one.send(&head(&format!("GET {path}"), &["Authorization: NTLM 3 eve"]));
        let reply = one.reply();
        assert_eq!((reply.status, reply.all("www-authenticate").len()), (401, 0), "{path}");
        assert!(!world.seen.last().to_lowercase().contains("authorization"), "{path}: {}", world.seen.last());
    }
    assert_eq!(ask(&mut one, &ann, &[]), (200, 0, "ann".to_owned()));
}

#[test]
fn c7_no_other_credential_passes_beside_a_session() {
    let world = bound();
    let (_, ann) = world.session(1);
    for credential in ["Basic b3RoZXI6cHc=", "Bearer x", "Basic eDp5, NTLM", "Digest username=\"other\""] {
        ask(&mut world.plain(), &ann, &[&format!("Authorization: {credential}")]);
        assert!(!world.seen.last().to_lowercase().contains("authorization"), "{credential}: {}", world.seen.last());
    }
    ask(&mut world.plain(), &ann, &["Authorization: NTLM 1", "Authorization: Basic eDp5"]);
    assert!(!world.seen.last().to_lowercase().contains("authorization"), "{}", world.seen.last());
}

#[test]
fn h8_where_connections_are_shared_they_cannot_be_logged_in() {
    let world = world(ntlm, |_, _| {});
    let (_, ann) = world.session(1);
    let mut one = world.plain();
    assert_eq!(ask(&mut one, &ann, &["Authorization: NTLM 3 ann"]), (401, 0, String::new()));
    assert_eq!(ask(&mut one, &ann, &[]), (401, 0, String::new()));
}
