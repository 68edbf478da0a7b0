//! A collector of security events over TLS: syslog as RFC 5425 frames it, or a webhook. It ends connections as it is told.

use super::authority::Leaf;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How it ends a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It reads to the end and says so within TLS.
    Signed,
    /// It reads to the end and closes the connection.
    Closed,
    /// It reads one byte and goes.
    Early,
    /// It reads everything and says nothing for three seconds.
    Silent,
    /// It reads a request of HTTP/1.1 and answers 204.
    Answer,
}

/// What one connection brought.
#[derive(Clone, Debug)]
pub struct Brought {
    pub bytes: Vec<u8>,
    /// Whether a certificate was shown that our authority signed.
    pub is_known: bool,
    /// What was spoken beneath, as the client offered it.
    pub protocol: Option<Vec<u8>>,
}

impl Brought {
    /// The messages in it, each by its length; nothing may be left over.
    pub fn messages(&self) -> Vec<String> {
        let (mut rest, mut messages) = (self.bytes.as_slice(), Vec::new());
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').expect("a length");
            let (length, frame) = rest.split_at(space);
            let length: usize = std::str::from_utf8(length).expect("digits").parse().expect("a length");
            let (message, after) = frame[1..].split_at(length);
            messages.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
            rest = after;
        }
        messages
    }
}

pub struct Siem {
    pub port: u16,
    got: Arc<Mutex<Vec<Brought>>>,
    ends: Arc<Mutex<VecDeque<End>>>,
}

impl Siem {
    /// Knows itself by this leaf and asks for certificates of the authority, demanding one if told so. It ends connections so.
    pub fn start(leaf: &Leaf, ca_file: &Path, demands: bool, usually: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let siem = Self { port, got: Arc::default(), ends: Arc::default() };
        let (got, ends) = (Arc::clone(&siem.got), Arc::clone(&siem.ends));
        let config = Arc::new(config(leaf, ca_file, demands));
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                let end = ends.lock().expect("no panic").pop_front().unwrap_or(usually);
                let (config, got) = (Arc::clone(&config), Arc::clone(&got));
                std::thread::spawn(move || serve(tcp, config, end, &got));
            }
        });
        siem
    }

    /// The next connection that nothing was said of ends so.
    pub fn ends(&self, end: End) {
        self.ends.lock().expect("no panic").push_back(end);
    }

    pub fn seen(&self) -> Vec<Brought> {
        self.got.lock().expect("no panic").clone()
    }

    pub fn take(&self) -> Vec<Brought> {
        std::mem::take(&mut self.got.lock().expect("no panic"))
    }
}

fn config(leaf: &Leaf, ca_file: &Path, demands: bool) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file).expect("an authority")).expect("usable");
    let known = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let known = if demands { known } else { known.allow_unauthenticated() };
    let chain = vec![CertificateDer::from_pem_file(&leaf.cert).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("a key");
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_client_cert_verifier(known.build().expect("a verifier"))
        .with_single_cert(chain, key)
        .expect("a key of that certificate");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn serve(tcp: TcpStream, config: Arc<ServerConfig>, end: End, got: &Mutex<Vec<Brought>>) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).expect("a connection"), tcp);
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let whole = loop {
        // A client that does not believe us leaves in the handshake.
        match stream.read(&mut chunk) {
            Ok(0) => break true,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            Err(why) if why.kind() == ErrorKind::UnexpectedEof => break false,
            Err(_) => return,
        }
        if end == End::Early || (end == End::Answer && is_whole(&bytes)) {
            break false;
        }
    };
    let (is_known, protocol) = (stream.conn.peer_certificates().is_some(), stream.conn.alpn_protocol());
    let brought = Brought { bytes, is_known, protocol: protocol.map(<[u8]>::to_vec) };
    match end {
        End::Early => return,
        End::Signed | End::Closed | End::Silent => assert!(whole, "the sender ended TLS"),
        End::Answer => {}
    }
    got.lock().expect("no panic").push(brought);
    match end {
        End::Signed => {
            stream.conn.send_close_notify();
            // Whoever hung up has stopped waiting.
            let _ = stream.flush();
        }
        End::Answer => {
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
        }
        End::Silent => std::thread::sleep(Duration::from_secs(3)),
        End::Closed | End::Early => {}
    }
}

/// Whether a request has come to its end.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let mut fields = head.lines().filter_map(|line| line.split_once(": "));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length")).expect("a length");
    body.len() >= length.1.parse().expect("a number")
}
