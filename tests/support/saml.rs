//! A company's SAML identity provider by another hand: npm `samlify`.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};

use super::authority::Authority;
use super::peer::Peer;

/// The provider, at `https://127.0.0.1:PORT`; people: `ann` and `bob` of `acme.example.test`, each with the password `NAME-pw`.
pub struct Idp {
    peer: Peer,
    _keys: tempfile::TempDir,
}

impl Idp {
    pub fn start(authority: &Authority) -> Self {
        Self::start_until(authority, 2050)
    }

    /// One whose signing certificate ends with the beginning of that year.
    pub fn start_until(authority: &Authority, year: i32) -> Self {
        let keys = tempfile::tempdir().expect("a temporary directory");
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
            let path = keys.path().join(name);
            std::fs::write(&path, text).expect("a writable directory");
            path
        };
        let (key, certificate) = (file("key.pem", key.serialize_pem()), file("cert.pem", certificate.pem()));
        let leaf = authority.issue(&["127.0.0.1"]);
        let options = json!({ "key": key, "cert": certificate, "tls": { "cert": leaf.cert, "key": leaf.key } });
        Self { peer: Peer::start("peers/saml/server.mjs", &options), _keys: keys }
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

    /// Who it answers: our metadata.
    pub async fn register(&self, metadata: &str) {
        self.peer.act("/sp", json!({ "metadata": metadata })).await;
    }

    /// What it says and how from now on; null takes it back.
    pub async fn mode(&self, changes: Value) {
        self.peer.act("/mode", changes).await;
    }
}
