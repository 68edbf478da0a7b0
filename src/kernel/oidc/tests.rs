//! Each check of the judges alone, on tokens signed here. A row changes one thing in a login that would be proved.

use super::*;
use crate::kernel::model::{
    ClientAuth, Directory, Method, OauthEndpoints, OidcSettings, Protocol, ResponseMode, SubjectSource,
};
use crate::kernel::proof::{Proof, Vouched};
use crate::kernel::refusal::ProofFault;
use crate::kernel::values::{DirectoryId, DirectoryName, OrgName, Secret, Timestamp};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

const LEFT: i64 = 800;
const NOW: i64 = 830;
const REDIRECT: &str = "https://id.example/login/callback/acme";

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
static P256: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap());
static P384: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap());
static ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::generate().unwrap());

pub(super) static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(jwks().to_string().as_bytes()).unwrap());

fn ec(kid: &str, curve: &str, key: &EcdsaKeyPair) -> Value {
    let point = &key.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "kid": kid, "x": B64.encode(x), "y": B64.encode(y)})
}

fn rsa_jwk() -> Value {
    // RSAPublicKey of RFC 8017 §A.1.1 for 2048 bits: two headers and a zero, the modulus, a header, the exponent 65537.
    let der = RSA.public_key().as_ref();
    let (n, e) = (&der[9..265], &der[267..270]);
    json!({"kty": "RSA", "kid": "rsa", "use": "sig", "n": B64.encode(n), "e": B64.encode(e)})
}

fn jwks() -> Value {
    json!({"keys": [
        {"kty": "future", "kid": "odd"},
        {"kty": "RSA", "kid": "odd2", "n": 7},
        rsa_jwk(),
        ec("p256", "P-256", &P256),
        ec("p384", "P-384", &P384),
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": B64.encode(ED25519.public_key().as_ref())},
    ]})
}

#[expect(clippy::disallowed_methods, reason = "a signature of the test's own provider")]
fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let padding: &'static dyn signature::RsaEncoding = match algorithm {
        "RS256" => &signature::RSA_PKCS1_SHA256,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "ES256" => return P256.sign(&random, message).unwrap().as_ref().to_vec(),
        "ES384" => return P384.sign(&random, message).unwrap().as_ref().to_vec(),
        "EdDSA" => return ED25519.sign(message).as_ref().to_vec(),
        _ => return vec![0; 64],
    };
    let mut bytes = vec![0; RSA.public_modulus_len()];
    RSA.sign(padding, &random, message, &mut bytes).unwrap();
    bytes
}

/// A compact JWS of these.
pub(super) fn signed(header: &Value, payload: &str) -> String {
    let input = format!("{}.{}", B64.encode(header.to_string()), B64.encode(payload));
    let signature = sign(header["alg"].as_str().unwrap_or("none"), input.as_bytes());
    format!("{input}.{}", B64.encode(signature))
}

pub(super) fn directory() -> Directory {
    Directory {
        id: DirectoryId::from_bytes([1; 16]),
        name: DirectoryName::of_org(OrgName::parse("acme").unwrap(), "main").unwrap(),
        label: "Acme".into(),
        domains: Vec::new(),
        protocol: Protocol::Oidc(OidcSettings {
            issuer: "https://op.example".into(),
            client_id: "us".into(),
            client_auth: ClientAuth::None,
            scopes: vec!["openid".into(), "email".into()],
            response_mode: ResponseMode::Query,
            algorithms: ["RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA"].map(Into::into).to_vec(),
            require_amr: Vec::new(),
            revalidate: None,
        }),
        subject_source: SubjectSource("sub".into()),
        groups_claim: Some("groups".into()),
        members: None,
        scim: None,
        transmitter: None,
    }
}

mod around;

/// A login that is proved, until a row changes it.
struct Case {
    directory: Directory,
    header: Value,
    /// Replaces the payload's text, for what JSON values cannot hold.
    payload: Option<String>,
    claims: Value,
    jwks: Value,
    max_age: Option<Duration>,
    access_token: Option<&'static str>,
    userinfo: Option<Value>,
    /// Changes the finished token.
    token: fn(String) -> String,
    now: i64,
}

fn settings(case: &mut Case) -> &mut OidcSettings {
    match &mut case.directory.protocol {
        Protocol::Oidc(settings) | Protocol::Oauth2Userinfo(settings, _) => settings,
        Protocol::Saml(_) | Protocol::Local => unreachable!("made so above"),
    }
}

fn half_hash(text: &str) -> String {
    B64.encode(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref()[..16])
}

fn run(change: impl FnOnce(&mut Case)) -> Result<Proof, ProofFault> {
    let seed = Seed::new([7; 32]);
    let mut case = Case {
        directory: directory(),
        header: json!({"alg": "ES256", "kid": "p256", "typ": "JWT"}),
        payload: None,
        claims: json!({
            "iss": "https://op.example", "aud": "us", "sub": "ann", "nonce": seed.nonce(), "iat": 820, "exp": 1000,
            "email": "Ann@Acme.com", "email_verified": true, "name": "Ann", "amr": ["pwd", "mfa"], "groups": ["staff"],
        }),
        jwks: jwks(),
        max_age: None,
        access_token: Some("access"),
        userinfo: None,
        token: |token| token,
        now: NOW,
    };
    let departed = case.directory.clone();
    change(&mut case);
    let payload = case.payload.unwrap_or_else(|| case.claims.to_string());
    let input = format!("{}.{}", B64.encode(case.header.to_string()), B64.encode(payload));
    let signature = sign(case.header["alg"].as_str().unwrap_or("none"), input.as_bytes());
    let id_token = Secret::new((case.token)(format!("{input}.{}", B64.encode(signature))));
    let keys = KeySet::parse(case.jwks.to_string().as_bytes()).expect("the row's keys are usable");
    let expected = Expected::from_seed(&departed, REDIRECT, seed, Timestamp::from_seconds(LEFT), case.max_age);
    let access_token = case.access_token.map(|text| Secret::new(text.into()));
    let userinfo = case.userinfo.map(|value| value.to_string());
    let redeemed = Redeemed {
        id_token: &id_token,
        access_token: access_token.as_ref(),
        code: &Secret::new("code".into()),
        userinfo: userinfo.as_deref().map(str::as_bytes),
        refresh_token: None,
    };
    judge(&case.directory, &keys, &expected, &redeemed, Timestamp::from_seconds(case.now))
}

#[track_caller]
fn check(change: impl FnOnce(&mut Case), expected: &str) {
    let judged = run(change);
    assert_eq!(judged.as_ref().map_or_else(|fault| fault.code(), |_| "proved"), expected);
}

#[test]
fn a_whole_token_proves_who() {
    let proof = run(|_| ()).unwrap();
    let claims = proof.claims();
    assert_eq!(claims.identity.subject, "ann");
    assert_eq!(claims.identity.directory, DirectoryId::from_bytes([1; 16]));
    assert_eq!(claims.method, Method::OrgSso);
    assert_eq!(claims.email.as_ref().unwrap().as_str(), "ann@acme.com");
    assert_eq!(claims.email_verified, Vouched::Yes);
    assert_eq!((claims.amr.len(), claims.groups.as_slice()), (2, ["staff".to_owned()].as_slice()));
    assert_eq!(claims.auth_time, Timestamp::from_seconds(820));
}

#[test]
fn every_algorithm_of_the_directory_verifies() {
    for (algorithm, kid) in
        [("RS256", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("ES256", "p256"), ("ES384", "p384"), ("EdDSA", "ed")]
    {
        check(|c| c.header = json!({"alg": algorithm, "kid": kid}), "proved");
        check(
            |c| c.header = json!({"alg": algorithm}),
            if kid == "rsa" || kid == "ed" { "proved" } else { "proof-unknown-key" },
        );
    }
}

#[test]
fn jose_algorithms_are_fixed_at_set_up() {
    check(|c| c.header["alg"] = json!("none"), "proof-algorithm");
    check(|c| c.header["alg"] = json!("None"), "proof-algorithm");
    check(|c| c.header["alg"] = json!("HS256"), "proof-algorithm");
    check(|c| settings(c).algorithms = vec!["HS256".into(), "none".into()], "proof-algorithm");
    check(
        |c| {
            settings(c).algorithms = vec!["HS256".into()];
            c.header["alg"] = json!("HS256");
        },
        "proof-algorithm",
    );
    check(|c| settings(c).algorithms = vec!["RS256".into()], "proof-algorithm");
    check(|c| settings(c).algorithms.clear(), "proof-algorithm"); // RS256 alone where none is named
    check(|c| c.header["alg"] = json!("RSA-OAEP"), "proof-algorithm");
    check(|c| c.header = json!({"kid": "p256"}), "proof-algorithm");
    // An algorithm and a key that do not go together.
    check(|c| c.header = json!({"alg": "ES384", "kid": "p256"}), "proof-signature");
    check(|c| c.header = json!({"alg": "ES256", "kid": "rsa"}), "proof-unknown-key");
    check(|c| c.jwks["keys"][3]["alg"] = json!("ES384"), "proof-unknown-key");
}

#[test]
fn a_signature_must_hold() {
    check(|c| c.token = |token| format!("{}B", &token[..token.len() - 1]), "proof-shape"); // spare bits
    check(
        |c| c.token = |token| format!("{}.{}", token.rsplit_once('.').unwrap().0, B64.encode([0; 64])),
        "proof-signature",
    );
    check(|c| c.token = |token| format!("{}.", token.rsplit_once('.').unwrap().0), "proof-signature");
    check(
        |c| {
            c.jwks["keys"][3] =
                ec("p256", "P-256", &EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        },
        "proof-signature",
    );
    check(|c| c.header["kid"] = json!("unknown"), "proof-unknown-key");
    check(|c| c.jwks["keys"][3]["use"] = json!("enc"), "proof-unknown-key");
    check(|c| c.jwks["keys"][3]["key_ops"] = json!(["encrypt"]), "proof-unknown-key");
}

#[test]
fn keys_and_addresses_from_the_header_are_not_obeyed() {
    let stranger = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    check(
        |c| {
            c.header["jwk"] = ec("p256", "P-256", &stranger);
            c.header["jku"] = json!("https://evil.example/jwks");
            c.header["x5u"] = json!("https://evil.example/x");
        },
        "proved", // with the provider's own key
    );
    check(|c| c.header["kid"] = json!("../../etc/passwd"), "proof-unknown-key");
    check(|c| c.header["crit"] = json!(["exp"]), "proof-header");
    check(|c| c.header["b64"] = json!(false), "proof-header");
    check(|c| c.header["zip"] = json!("DEF"), "proof-header");
    check(|c| c.header["enc"] = json!("A128GCM"), "proof-header");
    check(|c| c.header["cty"] = json!("JWT"), "proof-header");
    check(|c| c.header["p2c"] = json!(1_000_000), "proof-header");
    check(|c| c.header["typ"] = json!("at+jwt"), "proof-header");
    check(|c| c.header["typ"] = json!("application/jwt"), "proved");
}

#[test]
fn a_token_has_one_shape() {
    check(|c| c.token = |token| format!("{token}.a.b"), "proof-shape");
    check(|c| c.token = |token| token.replacen('.', "=.", 1), "proof-shape");
    check(|c| c.token = |_| String::new(), "proof-shape");
    check(|c| c.token = |token| format!("{token}{}", "A".repeat(70_000)), "proof-shape");
    check(|c| c.payload = Some("[]".into()), "proof-shape");
    check(|c| c.payload = Some(c.claims.to_string().replacen('{', r#"{"sub":"bob","#, 1)), "proof-shape");
    check(|c| c.payload = Some(c.claims.to_string().replacen('{', r#"{"x":{"a":1,"a":2},"#, 1)), "proof-shape");
}

#[test]
fn issuer_audience_and_party() {
    check(|c| c.claims["iss"] = json!("https://op.example/"), "proof-issuer");
    check(|c| c.claims["iss"] = json!("https://evil.example"), "proof-issuer");
    check(|c| c.claims["aud"] = json!(["us"]), "proved");
    check(|c| c.claims["aud"] = json!([]), "proof-audience");
    check(|c| drop(c.claims.as_object_mut().unwrap().remove("aud")), "proof-audience");
    check(|c| c.claims["aud"] = json!("others"), "proof-audience");
    check(|c| c.claims["aud"] = json!(["us", "others"]), "proof-audience");
    check(|c| c.claims["azp"] = json!("others"), "proof-azp");
    check(|c| c.claims["azp"] = json!(["us"]), "proof-shape");
    check(|c| c.claims["azp"] = json!("us"), "proved");
    check(
        |c| {
            c.claims["aud"] = json!(["others", "us"]);
            c.claims["azp"] = json!("us");
        },
        "proved",
    );
}

#[test]
fn times_with_sixty_seconds_of_skew() {
    check(|c| c.claims["exp"] = json!(NOW - 59), "proved");
    check(|c| c.claims["exp"] = json!(NOW - 60), "proof-expired");
    check(|c| c.claims["exp"] = json!("1000"), "proof-shape");
    check(|c| drop(c.claims.as_object_mut().unwrap().remove("exp")), "proof-shape");
    check(|c| c.claims["iat"] = json!(NOW + 60), "proved");
    check(|c| c.claims["iat"] = json!(NOW + 61), "proof-issued-at");
    check(|c| c.claims["iat"] = json!(LEFT - 60), "proved");
    check(|c| c.claims["iat"] = json!(LEFT - 61), "proof-issued-at");
    check(|c| c.claims["nbf"] = json!(NOW + 60), "proved");
    check(|c| c.claims["nbf"] = json!(NOW + 61), "proof-issued-at");
    check(|c| c.claims["nbf"] = json!("x"), "proof-issued-at");
}

#[test]
fn nonce_hashes_and_subject() {
    check(|c| c.claims["nonce"] = json!("other"), "proof-nonce");
    check(|c| drop(c.claims.as_object_mut().unwrap().remove("nonce")), "proof-nonce");
    check(|c| c.claims["at_hash"] = json!(half_hash("access")), "proved");
    check(|c| c.claims["at_hash"] = json!(half_hash("other")), "proof-at-hash");
    check(|c| c.claims["c_hash"] = json!(half_hash("code")), "proved");
    check(|c| c.claims["c_hash"] = json!(half_hash("other")), "proof-at-hash");
    check(|c| c.claims["sub"] = json!(""), "proof-subject");
    check(|c| c.claims["sub"] = json!("a".repeat(255)), "proved");
    check(|c| c.claims["sub"] = json!("a".repeat(256)), "proof-subject");
    check(|c| c.claims["sub"] = json!("zo\u{eb}"), "proof-subject");
    check(|c| c.claims["sub"] = json!("a\nb"), "proof-subject");
    check(|c| c.claims["sub"] = json!(7), "proof-shape");
    check(|c| c.directory.subject_source = SubjectSource("oid".into()), "proof-subject");
}

#[test]
fn m6_a_fresh_proof_is_fresh_by_the_providers_own_word() {
    let asked = |c: &mut Case, auth_time: Value| {
        c.max_age = Some(Duration::from_secs(10));
        c.claims["auth_time"] = auth_time;
    };
    check(|c| asked(c, json!(LEFT - 70)), "proved");
    check(|c| asked(c, json!(LEFT - 71)), "proof-auth-time");
    check(|c| asked(c, json!(f64::from(810_u16) + 0.5)), "proved"); // some providers send fractions
    check(|c| asked(c, Value::Null), "proof-auth-time");
    check(|c| asked(c, json!(NOW + 61)), "proof-auth-time");
    check(|c| c.claims["auth_time"] = json!(1), "proved"); // nobody asked
    check(|c| c.claims["auth_time"] = json!(NOW + 61), "proof-auth-time");
}

#[test]
fn an_address_counts_as_verified_only_by_json_true() {
    let said = |change: fn(&mut Case)| run(change).unwrap().claims().email_verified;
    assert_eq!(said(|c| c.claims["email_verified"] = json!("true")), Vouched::No);
    assert_eq!(said(|c| c.claims["email_verified"] = json!("false")), Vouched::No);
    assert_eq!(said(|c| c.claims["email_verified"] = json!(false)), Vouched::No);
    assert_eq!(said(|c| drop(c.claims.as_object_mut().unwrap().remove("email_verified"))), Vouched::Silent);
    assert_eq!(run(|c| c.claims["email"] = json!("not an address")).unwrap().claims().email, None);
}

#[test]
fn odd_things_that_real_providers_send_are_read() {
    check(|c| c.claims["updated_at"] = json!("2026-01-01T00:00:00.000Z"), "proved");
    check(|c| c.claims["updated_at"] = json!(1_700_000_000.25), "proved");
    check(|c| c.claims["phone_number_verified"] = json!("true"), "proved");
    check(|c| c.claims["name"] = Value::Null, "proved");
    check(|c| c.claims["groups"] = json!({"not": "a list"}), "proved");
    check(|c| c.claims["https://vendor.example/x"] = json!([1, {"a": null}]), "proved");
    let proof = run(|c| c.claims["groups"] = json!("one")).unwrap();
    assert_eq!(proof.claims().groups, ["one"]);
}

#[test]
fn userinfo_fills_gaps_for_the_same_subject_alone() {
    let without_email = |c: &mut Case, userinfo: Value| {
        drop(c.claims.as_object_mut().unwrap().remove("email"));
        c.userinfo = Some(userinfo);
    };
    check(|c| without_email(c, json!({"sub": "bob", "email": "ann@acme.com"})), "proof-userinfo-subject");
    check(|c| without_email(c, json!({"email": "ann@acme.com"})), "proof-userinfo-subject");
    // The token's `email_verified` says nothing about the address that userinfo names.
    let proof = run(|c| without_email(c, json!({"sub": "ann", "email": "eve@acme.com"}))).unwrap();
    assert_eq!(proof.claims().email.as_ref().unwrap().as_str(), "eve@acme.com");
    assert_eq!(proof.claims().email_verified, Vouched::Silent);
    // The token's address wins.
    let proof = run(|c| c.userinfo = Some(json!({"sub": "ann", "email": "eve@acme.com"}))).unwrap();
    assert_eq!(proof.claims().email.as_ref().unwrap().as_str(), "ann@acme.com");
}

proptest::proptest! {
    #[test]
    fn no_token_panics(header in ".{0,40}", payload in ".{0,40}", tail: Vec<u8>, raw in ".{0,60}") {
        let forged = format!("{}.{}.{}", B64.encode(header), B64.encode(payload), B64.encode(&tail));
        for text in [forged, raw] {
            let expected = Expected::from_seed(&directory(), REDIRECT, Seed::new([7; 32]), Timestamp::from_seconds(0), None);
            let (id_token, code) = (Secret::new(text), Secret::new("c".into()));
            let redeemed = Redeemed { id_token: &id_token, access_token: None, code: &code, userinfo: Some(&tail), refresh_token: None };
            proptest::prop_assert!(judge(&directory(), &KEYS, &expected, &redeemed, Timestamp::from_seconds(NOW)).is_err());
        }
    }
}

#[test]
fn the_id_token_of_a_refresh_is_of_the_same_person_and_issuer_for_us() {
    let whole = json!({"iss": "https://op.example", "aud": "us", "sub": "ann", "iat": 900, "exp": 1200});
    let check = |change: Value, alg: &str, expected: &str| {
        let mut claims = whole.clone();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let mut case = directory();
        let Protocol::Oidc(settings) = &mut case.protocol else { unreachable!("made so above") };
        settings.algorithms = vec!["ES256".into()];
        let token = Secret::new(signed(&json!({"alg": alg, "kid": "p256"}), &claims.to_string()));
        let keys = KeySet::parse(jwks().to_string().as_bytes()).unwrap();
        let judged = judge_refresh(settings, &keys, &token, "ann", Timestamp::from_seconds(910));
        assert_eq!(judged.map_or_else(|fault| fault.code(), |()| "stands"), expected, "{change}");
    };
    check(json!({}), "ES256", "stands");
    // It need not be there, and where it is nothing hangs on it: no login left with one.
    check(json!({"nonce": "of before", "auth_time": 1}), "ES256", "stands");
    check(json!({"aud": ["us", "them"], "azp": "us"}), "ES256", "stands");
    for (change, alg, fault) in [
        (json!({"sub": "bob"}), "ES256", "proof-subject"),
        (json!({"sub": ""}), "ES256", "proof-subject"),
        (json!({"iss": "https://other.example"}), "ES256", "proof-issuer"),
        (json!({"aud": "them"}), "ES256", "proof-audience"),
        (json!({"aud": ["us", "them"]}), "ES256", "proof-audience"),
        (json!({"azp": "them"}), "ES256", "proof-azp"),
        (json!({"exp": 840}), "ES256", "proof-expired"),
        (json!({"iat": 1_000}), "ES256", "proof-issued-at"),
        (json!({}), "RS256", "proof-algorithm"),
    ] {
        check(change, alg, fault);
    }
}
