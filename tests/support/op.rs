//! The providers: npm `oidc-provider` (certified) and the hostile one.

use serde_json::{Value, json};

use super::authority::Authority;
use super::peer::Peer;

/// The certified provider, over TLS on `https://127.0.0.1:PORT` with a certificate of the test's authority.
///
/// Clients: `fedgate` (client_secret_basic), `fedgate-post`, `fedgate-es256`, `fedgate-public`; people: `tests/peers/op/people.mjs`.
pub struct Op {
    peer: Peer,
}

impl Op {
    pub fn start(authority: &Authority) -> Self {
        Self::start_with(authority, json!({}))
    }

    /// `options` as `tests/peers/op/server.mjs` lists them; TLS is added unless they say `"tls": null`.
    pub fn start_with(authority: &Authority, options: Value) -> Self {
        Self { peer: Peer::start("peers/op/server.mjs", &with_tls(authority, options)) }
    }

    pub fn issuer(&self) -> &str {
        self.peer.text("issuer")
    }

    /// The secret of every client that has one. It needs the escaping of RFC 6749 §2.3.1.
    pub fn client_secret(&self) -> &str {
        self.peer.text("client_secret")
    }

    /// Registers redirect URIs at every client.
    pub async fn allow_redirects(&self, uris: &[&str], after_logout: &[&str]) {
        self.peer.act("/redirects", json!({ "add": uris, "post_logout": after_logout })).await;
    }

    /// New signing keys; the old ones stay published only where `keep` says so.
    pub async fn rotate_keys(&self, keep: bool) {
        self.peer.act("/rotate", json!({ "keep": keep })).await;
    }

    /// A fault for one path (`tests/peers/common/faults.mjs`), null to take it back.
    pub async fn fault(&self, path: &str, fault: Value) {
        self.peer.act("/faults", json!({ path: fault })).await;
    }

    /// Claims to replace (null removes) in ID tokens and at userinfo, signed as ever.
    pub async fn mode(&self, id_token: Value, userinfo: Value) {
        self.peer.act("/mode", json!({ "id_token": id_token, "userinfo": userinfo })).await;
    }

    /// How often this "METHOD /path" was asked.
    pub async fn hits(&self, asked: &str) -> u64 {
        self.peer.act("/hits", json!({})).await[asked].as_u64().unwrap_or(0)
    }

    pub async fn act(&self, path: &str, body: Value) -> Value {
        self.peer.act(path, body).await
    }
}

/// The provider of a malicious organization. It logs `hostile-mallory` in without a form, as `behave` says.
pub struct Hostile {
    peer: Peer,
}

impl Hostile {
    pub fn start(authority: &Authority) -> Self {
        Self { peer: Peer::start("peers/hostile/server.mjs", &with_tls(authority, json!({}))) }
    }

    pub fn issuer(&self) -> &str {
        self.peer.text("issuer")
    }

    /// How it answers from now on: see the head of `tests/peers/hostile/server.mjs`. What is not said is honest.
    pub async fn behave(&self, behaviour: Value) {
        self.peer.act("/behave", behaviour).await;
    }

    pub async fn fault(&self, path: &str, fault: Value) {
        self.peer.act("/faults", json!({ path: fault })).await;
    }

    /// Every request it was sent, `{method, path, query, headers, body}` each, and forgets them.
    pub async fn seen(&self) -> Vec<Value> {
        self.peer.act("/seen", json!({ "reset": true })).await.as_array().cloned().unwrap_or_default()
    }

    /// The classes of ID tokens it can make, `good` among them.
    pub fn tokens(&self) -> Vec<String> {
        names(&self.peer.facts()["tokens"])
    }

    /// The kinds of discovery documents it can serve, `good` among them.
    pub fn discoveries(&self) -> Vec<String> {
        names(&self.peer.facts()["discoveries"])
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().expect("a list").iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn with_tls(authority: &Authority, mut options: Value) -> Value {
    if options.get("tls").is_none() {
        let leaf = authority.issue(&["127.0.0.1", "localhost", "op.example.test"]);
        options["tls"] = json!({ "cert": leaf.cert, "key": leaf.key });
    }
    options
}
