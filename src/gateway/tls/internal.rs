//! Our own CA, for trying things out and for networks without a public one (rule M17).
//!
//! People trust its root, so the root can sign for the configured names only, and its key is readable by us alone. Leaves live
//! in memory: one per host name, so that browsers never share a connection between products.

use super::{Pair, TlsFault};
use crate::kernel::values::Timestamp;
use chrono::{DateTime, Datelike as _, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// A leaf's life; renewed when a third is left.
const LEAF: Duration = Duration::from_secs(30 * 86_400);

/// The root's life.
const ROOT: Duration = Duration::from_secs(365 * 86_400);

/// The root's life where it speaks for `localhost` only: a demonstration's (rule M17).
const DEMO_ROOT: Duration = Duration::from_secs(30 * 86_400);

/// What the root was made for; beside it, because the certificate itself is only ever written.
#[derive(Deserialize, Serialize)]
struct Made {
    names: Vec<String>,
    until: i64,
}

/// A leaf for each host name, from the root in the state folder, which is made when it is missing, spent, or too narrow.
pub(super) fn certificates(state: &Path, hosts: &[String], now: Timestamp) -> Result<Vec<Pair>, TlsFault> {
    let wanted = subtrees(hosts);
    let key = match kept(state, &wanted, now) {
        Some(key) => key,
        None => make(state, &wanted, now)?,
    };
    let issuer = Issuer::new(root_params(&wanted, now, now.plus(ROOT)), key);
    hosts.iter().map(|host| leaf(host, &issuer, now)).collect()
}

/// The names that the root may sign below.
fn subtrees(hosts: &[String]) -> Vec<String> {
    let subtree = |host: &String| {
        if host == "localhost" || host.ends_with(".localhost") { "localhost".to_owned() } else { host.clone() }
    };
    let mut names: Vec<String> = hosts.iter().map(subtree).collect();
    names.sort();
    names.dedup();
    names
}

/// The root's key, if the root is there, covers the names, and outlives a leaf.
fn kept(state: &Path, wanted: &[String], now: Timestamp) -> Option<KeyPair> {
    let made: Made = serde_json::from_slice(&fs::read(state.join("ca.json")).ok()?).ok()?;
    let covers = wanted.iter().all(|name| made.names.contains(name));
    let lasts = made.until > now.plus(Duration::from_secs(86_400)).millis();
    if !covers || !lasts || !state.join("ca.pem").exists() {
        return None;
    }
    KeyPair::from_pem(&fs::read_to_string(state.join("ca.key")).ok()?).ok()
}

fn make(state: &Path, names: &[String], now: Timestamp) -> Result<KeyPair, TlsFault> {
    let fault = |error: &dyn std::fmt::Display| TlsFault::Internal(error.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| fault(&error))?;
    let life = if names.iter().all(|name| name == "localhost") { DEMO_ROOT } else { ROOT };
    let until = now.plus(life);
    let root = root_params(names, now, until).self_signed(&key).map_err(|error| fault(&error))?;
    let made = Made { names: names.to_vec(), until: until.millis() };
    let made = serde_json::to_vec(&made).map_err(|error| fault(&error))?;
    fs::create_dir_all(state).map_err(|error| fault(&error))?;
    write(&state.join("ca.key"), key.serialize_pem().as_bytes()).map_err(|error| fault(&error))?;
    write(&state.join("ca.pem"), root.pem().as_bytes()).map_err(|error| fault(&error))?;
    write(&state.join("ca.json"), &made).map_err(|error| fault(&error))?;
    tracing::info!(path = %state.join("ca.pem").display(), "made a new internal CA");
    Ok(key)
}

/// Writes a file that only we can read, from its first byte on, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    // What a crash left behind may have other permissions.
    if beside.exists() {
        fs::remove_file(&beside)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn root_params(names: &[String], now: Timestamp, until: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "fedgate internal CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: names.iter().map(|name| GeneralSubtree::DnsName(name.clone())).collect(),
        // A constraint on names says nothing about addresses.
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    });
    set_life(&mut params, now, until);
    params
}

fn leaf(host: &str, issuer: &Issuer<'_, KeyPair>, now: Timestamp) -> Result<Pair, TlsFault> {
    let fault = |error: rcgen::Error| TlsFault::Internal(error.to_string());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(fault)?;
    let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(fault)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "fedgate");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_life(&mut params, now, now.plus(LEAF));
    let certificate = params.signed_by(&key, issuer).map_err(fault)?;
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes())
        .map_err(|error| TlsFault::Internal(error.to_string()))?;
    Ok(Pair { chain: vec![certificate.der().clone()], key })
}

/// Whole days, a day early for clocks that are behind.
fn set_life(params: &mut CertificateParams, now: Timestamp, until: Timestamp) {
    let day = |time: Timestamp| {
        let date = DateTime::<Utc>::from_timestamp_millis(time.millis()).unwrap_or_default();
        let (month, day) = (u8::try_from(date.month()).unwrap_or(1), u8::try_from(date.day()).unwrap_or(1));
        rcgen::date_time_ymd(date.year(), month, day)
    };
    params.not_before = day(now.minus(Duration::from_secs(86_400)));
    params.not_after = day(until);
}
