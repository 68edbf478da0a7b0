//! A certificate authority for one test: providers and upstreams get their certificates from it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// An authority whose certificate and leaves live in a temporary directory, PEM files all.
pub struct Authority {
    directory: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
    serial: AtomicU32,
}

/// The files of one leaf.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names, nothing to refuse");
        params.distinguished_name.push(DnType::CommonName, "fedgate test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("self-signed");
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).expect("a writable directory");
        Self { directory, issuer: Issuer::new(params, key), serial: AtomicU32::new(0) }
    }

    /// The authority's certificate, for `ca_file` and the agent's trust.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A leaf for these names or IP addresses.
    pub fn issue(&self, names: &[&str]) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names that a certificate can hold");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| self.directory.path().join(format!("leaf-{serial}.{kind}.pem"));
        let leaf = Leaf { cert: file("cert"), key: file("key") };
        write(&leaf.cert, &certificate.pem());
        write(&leaf.key, &key.serialize_pem());
        leaf
    }
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a writable directory");
}
