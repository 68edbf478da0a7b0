//! Proofs that hold, and each way in which one does not.

#![expect(clippy::disallowed_methods, reason = "a test signs")]

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

struct App {
    pair: EcdsaKeyPair,
    header: Value,
    claims: Value,
}

fn app() -> App {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref().to_vec();
    let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) });
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
    let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"fga_token"));
    let claims = json!({
        "jti": "one", "htm": "GET", "htu": "https://board.example.com/api/cards", "iat": NOW.seconds(), "ath": ath,
    });
    App { pair, header, claims }
}

impl App {
    fn proof(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&self.header), part(&self.claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn judged(proof: &str) -> Result<DpopHeld, DpopFault> {
    let origin = Origin::parse("board.example.com").unwrap();
    let wanted = DpopWanted { method: "GET", origin: &origin, path: "/api/cards", token: Some("fga_token"), now: NOW };
    judge_dpop(proof, &wanted)
}

#[test]
fn a_proof_is_known_by_its_key() {
    let app = app();
    let held = judged(&app.proof()).unwrap();
    assert_eq!(held.until, NOW.plus(Duration::from_secs(121)));
    let mut next = app;
    next.claims["jti"] = json!("two");
    let other = judged(&next.proof()).unwrap();
    assert_eq!(other.key, held.key);
    assert_ne!(other.id, held.id);
    // Whoever sends more about the key sends the same key.
    next.header["jwk"]["kid"] = json!("x");
    assert_eq!(judged(&next.proof()).unwrap().key, held.key);
    assert_ne!(judged(&self::app().proof()).unwrap().key, held.key);
}

#[test]
fn the_thumbprint_is_that_of_rfc_7638() {
    // RFC 9449 §6.1 shows this key and its thumbprint.
    let jwk = json!({
        "kty": "EC", "crv": "P-256",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
    });
    let (_, thumbprint) = key_of(&jwk).unwrap();
    assert_eq!(Some(thumbprint), Thumbprint::parse("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
}

#[test]
fn h16_a_proof_is_for_one_request_one_token_and_now() {
    let changed = |name: &str, value: Value| {
        let mut app = app();
        app.claims[name] = value;
        judged(&app.proof()).map(|_| ())
    };
    for fine in [
        "https://BOARD.example.com:443/api/cards",
        "https://board.example.com/api/cards?x=1",
        "https://board.example.com/api/%63ards",
    ] {
        assert_eq!(changed("htu", json!(fine)), Ok(()), "{fine}");
    }
    for other in [
        "http://board.example.com/api/cards",
        "https://board.example.com/api/card",
        "https://board.example.com:8443/api/cards",
        "https://login.example.com/api/cards",
        "https://a@board.example.com/api/cards",
        "/api/cards",
    ] {
        assert_eq!(changed("htu", json!(other)), Err(DpopFault::Request), "{other}");
    }
    let now = NOW.seconds();
    for (name, value, fault) in [
        ("htm", json!("POST"), DpopFault::Request),
        ("htm", json!("get"), DpopFault::Request),
        ("htm", Value::Null, DpopFault::Request),
        ("iat", json!(now - 122), DpopFault::Time),
        ("iat", json!(now + 121), DpopFault::Time),
        ("iat", json!("now"), DpopFault::Time),
        ("iat", json!(1e300), DpopFault::Time),
        ("jti", json!(""), DpopFault::Id),
        ("jti", json!("x".repeat(257)), DpopFault::Id),
        ("jti", Value::Null, DpopFault::Id),
        ("ath", json!("x"), DpopFault::Token),
        ("ath", Value::Null, DpopFault::Token),
    ] {
        assert_eq!(changed(name, value.clone()), Err(fault), "{name} {value}");
    }
    for seconds in [now - 120, now + 120] {
        assert_eq!(changed("iat", json!(seconds)), Ok(()), "{seconds}");
    }
}

#[test]
fn h16_a_header_says_which_key_and_nothing_else() {
    let headed = |change: &dyn Fn(&mut Value)| {
        let mut app = app();
        change(&mut app.header);
        judged(&app.proof()).map(|_| ())
    };
    assert_eq!(headed(&|header| header["typ"] = json!("jwt")), Err(DpopFault::Header));
    assert_eq!(headed(&|header| header["alg"] = json!("none")), Err(DpopFault::Header));
    assert_eq!(headed(&|header| header["alg"] = json!("ES384")), Err(DpopFault::Header));
    assert_eq!(headed(&|header| header["crit"] = json!(["b64"])), Err(DpopFault::Header));
    assert_eq!(headed(&|header| header["jwk"] = Value::Null), Err(DpopFault::Key));
    assert_eq!(headed(&|header| header["jwk"]["d"] = json!("AA")), Err(DpopFault::Key));
    assert_eq!(headed(&|header| header["jwk"]["crv"] = json!("P-384")), Err(DpopFault::Key));
    assert_eq!(headed(&|header| header["jwk"] = json!({ "kty": "oct", "k": "AA" })), Err(DpopFault::Key));
    assert_eq!(
        headed(&|header| header["jwk"]["x"] = json!("A".repeat(43))),
        Err(DpopFault::Key),
        "no point of the curve"
    );
    let another = app();
    assert_eq!(headed(&|header| header["jwk"] = another.header["jwk"].clone()), Err(DpopFault::Signature));
}

#[test]
fn what_is_no_proof_is_refused() {
    let proof = app().proof();
    let cut = &proof[..proof.len() - 2];
    assert_eq!(judged(cut).map(|_| ()), Err(DpopFault::Signature));
    let doubled = {
        let app = app();
        let header = URL_SAFE_NO_PAD.encode(app.header.to_string());
        let claims = URL_SAFE_NO_PAD.encode(app.claims.to_string().replacen('{', "{\"jti\":\"two\",", 1));
        let signed = format!("{header}.{claims}");
        let signature = app.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    let long = format!("{proof}{}", "A".repeat(LIMIT));
    for odd in ["", "a.b", "a.b.c", "e30.e30.", &proof.replace('.', "-"), &format!("{proof}.x"), &doubled, &long] {
        assert!(judged(odd).is_err(), "{odd}");
    }
    assert_eq!(judged(&doubled), Err(DpopFault::Shape));
    assert_eq!(judged(&long), Err(DpopFault::Shape));
}
