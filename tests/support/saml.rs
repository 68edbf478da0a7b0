//! A company's SAML identity provider by other hands: npm `samlify`, or PyPI `pysaml2`.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use super::authority::Authority;
use super::peer::Peer;

/// The provider, at `https://127.0.0.1:PORT`; people: `ann` and `bob` of `acme.example.test`, each with the password `NAME-pw`.
pub struct Idp {
    peer: Peer,
    keys: tempfile::TempDir,
}

impl Idp {
    pub fn start(authority: &Authority) -> Self {
        Self::start_until(authority, 2050)
    }

    /// The same people at one of `pysaml2`; what it can do says `tests/peers/saml/provider.py`.
    pub fn start_pysaml2(authority: &Authority) -> Self {
        let keys = tempfile::tempdir().expect("a temporary directory");
        let mut options = write_pair(keys.path(), 0, 2050);
        let leaf = authority.issue(&["127.0.0.1"]);
        options["tls"] = json!({ "cert": leaf.cert, "key": leaf.key });
        Self { peer: Peer::start("peers/saml/provider.py", &options), keys }
    }

    /// One whose signing certificate ends with the beginning of that year.
    pub fn start_until(authority: &Authority, year: i32) -> Self {
        Self::start_with(authority, &[year])
    }

    /// One with several keys, of which it publishes and uses the first until `mode` says otherwise; the years in which their
    /// certificates end.
    pub fn start_with(authority: &Authority, years: &[i32]) -> Self {
        let keys = tempfile::tempdir().expect("a temporary directory");
        let mut files = years.iter().enumerate().map(|(place, year)| write_pair(keys.path(), place, *year));
        let first = files.next().expect("a key");
        let more: Vec<Value> = files.collect();
        let leaf = authority.issue(&["127.0.0.1", "localhost"]);
        let tls = json!({ "cert": leaf.cert, "key": leaf.key });
        let options = json!({ "key": first["key"], "cert": first["cert"], "more": more, "tls": tls });
        Self { peer: Peer::start("peers/saml/server.mjs", &options), keys }
    }

    /// Where its metadata is, which is its entity id.
    pub fn entity_id(&self) -> &str {
        self.peer.text("entity_id")
    }

    pub fn base(&self) -> &str {
        self.peer.text("base")
    }

    /// Its metadata.
    pub fn metadata(&self) -> &str {
        self.peer.text("metadata")
    }

    /// The file with the certificate of one of its keys.
    pub fn certificate(&self, place: usize) -> std::path::PathBuf {
        self.keys.path().join(format!("cert-{place}.pem"))
    }

    /// Who it answers: our metadata.
    pub async fn register(&self, metadata: &str) {
        self.peer.act("/sp", json!({ "metadata": metadata })).await;
    }

    /// What it says and how from now on; null takes it back.
    pub async fn mode(&self, changes: Value) {
        self.peer.act("/mode", changes).await;
    }

    /// A LogoutRequest of its own, signed, that was not sent: `{url}`, or `{action, message}` of a form.
    pub async fn logout_request(&self, wanted: Value) -> Value {
        self.peer.act("/logout-request", wanted).await
    }

    /// A LogoutResponse of its own, signed, to a request with that id.
    pub async fn logout_response(&self, in_response_to: &str, relay_state: &str) -> String {
        let wanted = json!({ "in_response_to": in_response_to, "relay_state": relay_state });
        self.peer.act("/logout-response", wanted).await["url"].as_str().expect("a URL").to_owned()
    }

    /// The index of its newest session of a person.
    pub async fn session_index(&self, login: &str) -> String {
        let known = self.peer.act("/sessions", json!({})).await;
        let sessions = known["sessions"].as_array().expect("sessions");
        let mut of_person = sessions.iter().filter(|session| session["login"] == login);
        of_person.next_back().unwrap_or_else(|| panic!("{login}: {known}"))["index"]
            .as_str()
            .expect("a text")
            .to_owned()
    }

    /// What it read since it was asked last: `{logout_request}`, `{logout_response, relay_state}` and other requests.
    pub async fn seen(&self) -> Vec<Value> {
        self.peer.act("/seen", json!({})).await["seen"].as_array().expect("a list").clone()
    }
}

/// A key and its certificate as files of a folder.
fn write_pair(folder: &std::path::Path, place: usize, year: i32) -> Value {
    let der: Vec<u8> = {
        let key = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der<'_> = key.as_der().expect("DER");
        der.as_ref().to_vec()
    };
    let der = PrivatePkcs8KeyDer::from(der);
    let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_RSA_SHA256).expect("an RSA key");
    let mut params = rcgen::CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).expect("self-signed");
    let file = |name: &str, text: String| {
        let path = folder.join(format!("{name}-{place}.pem"));
        std::fs::write(&path, text).expect("a writable directory");
        path
    };
    json!({ "key": file("key", key.serialize_pem()), "cert": file("cert", certificate.pem()) })
}
