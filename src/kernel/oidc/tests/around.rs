//! What is around the token: the memory of a departure, its address, the `iss` parameter, userinfo without a token, weak keys.

use super::*;

#[test]
fn c5_m4_the_directory_is_the_one_that_was_left_for() {
    check(|c| c.directory.id = DirectoryId::from_bytes([2; 16]), "proof-directory");
    let departed = directory();
    let expected = Expected::from_seed(&departed, REDIRECT, Seed::new([7; 32]), Timestamp::from_seconds(LEFT), None);
    let sealed = serde_json::to_vec(&expected).unwrap();
    assert!(sealed.len() <= 160, "{} bytes", sealed.len());
    let expected: Expected = serde_json::from_slice(&sealed).unwrap();
    assert_eq!(expected.holds(&departed, REDIRECT), Ok(()));
    assert_eq!(expected.holds(&departed, "https://id.example/login/callback"), Err(ProofFault::Directory));
    let mut changed = directory();
    if let Protocol::Oidc(settings) = &mut changed.protocol {
        settings.client_id = "another".into();
    }
    assert_eq!(expected.holds(&changed, REDIRECT), Err(ProofFault::Directory));
}

#[test]
fn userinfo_alone_verifies_nothing_that_it_does_not_say() {
    let endpoints = OauthEndpoints {
        authorize: "https://auth.example/authorize".into(),
        token: "https://auth.example/token".into(),
        userinfo: "https://api.example/me".into(),
        audience: Some("api.example".into()),
        sub_claim: "account_id".into(),
        email_claim: "email".into(),
        name_claim: "name".into(),
    };
    let judged = |body: &str, max_age: Option<Duration>| {
        let left_at = Timestamp::from_seconds(LEFT);
        let expected = Expected::from_seed(&directory(), REDIRECT, Seed::new([7; 32]), left_at, max_age);
        judge_userinfo(&directory(), &endpoints, &expected, body.as_bytes(), Timestamp::from_seconds(NOW))
    };
    let proof = judged(r#"{"account_id":"5b1","email":"ann@acme.com","name":"Ann"}"#, None).unwrap();
    assert_eq!(proof.claims().identity.subject, "5b1");
    assert_eq!(proof.claims().email_verified, Vouched::Silent);
    assert_eq!(judged(r#"{"sub":"5b1"}"#, None).unwrap_err(), ProofFault::Subject);
    assert_eq!(judged(r#"{"account_id":"a","account_id":"b"}"#, None).unwrap_err(), ProofFault::Shape);
    assert_eq!(judged(r#"{"account_id":"a"}"#, Some(Duration::ZERO)).unwrap_err(), ProofFault::AuthTime);
}

#[test]
fn weak_keys_are_not_keys() {
    let refused = |change: fn(&mut Value)| {
        let mut key = rsa_jwk();
        change(&mut key);
        assert!(KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).is_err());
    };
    refused(|key| key["n"] = json!(B64.encode([0xff; 255])));
    refused(|key| key["e"] = json!("AQ"));
    refused(|key| key["e"] = json!("Ag"));
    refused(|key| key["use"] = json!("enc"));
    refused(|key| key["kty"] = json!("oct"));
    refused(|key| key["alg"] = json!("RSA-OAEP"));
    let off_curve = json!({"kty": "EC", "crv": "P-256", "x": B64.encode([1; 32]), "y": B64.encode([1; 32])});
    assert!(KeySet::parse(json!({"keys": [off_curve]}).to_string().as_bytes()).is_err());
}

#[test]
fn a_departure_carries_what_the_reply_is_judged_by() {
    let seed = Seed::new([7; 32]);
    let endpoint = endpoint("https://op.example/auth?tenant=1", PlainHttp::Refused).unwrap();
    let departure = Departure {
        seed: &seed,
        redirect_uri: REDIRECT,
        login_hint: None,
        ui_locales: None,
        max_age: Some(Duration::from_secs(600)),
        prompt_login: true,
    };
    let url = depart(&directory(), &endpoint, &departure).unwrap();
    let pairs: std::collections::HashMap<_, _> = url.query_pairs().into_owned().collect();
    let verifier = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.verifier().expose().as_bytes());
    for (name, value) in [
        ("tenant", "1"),
        ("response_type", "code"),
        ("client_id", "us"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid email"),
        ("state", &seed.state()),
        ("nonce", &seed.nonce()),
        ("code_challenge", &B64.encode(verifier)),
        ("code_challenge_method", "S256"),
        ("max_age", "600"),
        ("prompt", "login"),
    ] {
        assert_eq!(pairs.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!(pairs.len(), 11);
    assert_eq!(seed.state().len(), 22);
}

#[test]
fn c5_the_iss_parameter_is_right_where_sent_and_there_where_promised() {
    let mut metadata = Metadata::parse(
        br#"{"issuer":"https://op.example","authorization_endpoint":"https://op.example/a","token_endpoint":"https://op.example/t","jwks_uri":"https://op.example/j"}"#,
        "https://op.example",
        PlainHttp::Refused,
    )
    .unwrap();
    assert_eq!(check_issuer(None, &metadata), Ok(()));
    assert_eq!(check_issuer(Some("https://op.example"), &metadata), Ok(()));
    assert_eq!(check_issuer(Some("https://evil.example"), &metadata), Err(ProofFault::IssuerParameter));
    metadata.sends_issuer = true;
    assert_eq!(check_issuer(None, &metadata), Err(ProofFault::IssuerParameter));
}
