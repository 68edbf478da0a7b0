//! Keys from outside: what was made is accepted, and one thing changed is refused.

use super::*;

use crate::kernel::values::{AccountId, EmailAddress, OrgName, Origin, ProductName, ProductSessionId, Token};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;

mod credentials;
mod sessions;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn directory(byte: u8) -> DirectoryId {
    DirectoryId::from_bytes([byte; 16])
}

/// Fresh, distinct, reproducible bytes.
fn counting() -> impl FnMut() -> [u8; 32] {
    let mut count = 0_u8;
    move || {
        count += 1;
        [count; 32]
    }
}

fn rows(kek: &Kek) -> Vec<KeyRow> {
    Keys::missing(kek, &[], &Keys::wanted([directory(1), directory(2)]), NOW, &mut counting()).unwrap()
}

fn kek() -> Kek {
    Kek::new([0xA5; 32])
}

fn keys() -> Keys {
    Keys::open(&kek(), &rows(&kek())).unwrap()
}

/// The same keys and one more generation of a kind.
fn rotated(kind: Kind) -> Keys {
    let mut all = rows(&kek());
    let newest = all.iter().filter(|row| row.kind == kind.to_string()).map(|row| row.generation).max().unwrap();
    all.push(Keys::next(&kek(), kind, newest + 1, NOW, &mut || [0xEE; 32]).unwrap());
    Keys::open(&kek(), &all).unwrap()
}

#[test]
fn missing_rows_are_made_once() {
    let first = rows(&kek());
    assert_eq!(first.iter().filter(|row| row.kind == "assertion").count(), 2);
    assert_eq!(first.len(), 11);
    let again = Keys::missing(&kek(), &first, &Keys::wanted([directory(1), directory(2)]), NOW, &mut counting());
    assert_eq!(again.unwrap(), []);
}

#[test]
fn a_draw_that_is_no_scalar_is_drawn_again() {
    let mut draws = [[0xFF; 32], [0; 32], [3; 32]].into_iter();
    let row = Keys::next(&kek(), Kind::Assertion, 1, NOW, &mut || draws.next().unwrap()).unwrap();
    assert_eq!(kek().open_row("assertion", 1, &row.sealed).unwrap().as_slice(), [3; 32]);
}

#[test]
fn m23_a_row_opens_only_as_what_it_was_sealed() {
    let check = |change: &dyn Fn(&mut KeyRow)| {
        let mut all = rows(&kek());
        let row = all.iter_mut().find(|row| row.kind == "token").unwrap();
        change(row);
        assert!(Keys::open(&kek(), &all).is_err());
    };
    check(&|row| row.generation += 1);
    check(&|row| row.kind = "row".to_owned());
    check(&|row| row.sealed[20] ^= 1);
    check(&|row| row.sealed.truncate(11));
    check(&|row| row.sealed.clear());
    assert!(matches!(Keys::open(&Kek::new([1; 32]), &rows(&kek())), Err(KeyFault::Sealed { .. })));
    let without: Vec<KeyRow> = rows(&kek()).into_iter().filter(|row| row.kind != "csrf").collect();
    assert_eq!(Keys::open(&kek(), &without).err(), Some(KeyFault::Missing("csrf".to_owned())));
}

#[test]
fn h12_rows_hold_no_key_in_the_clear() {
    for (row, byte) in rows(&kek()).iter().zip(1_u8..) {
        assert!(!row.sealed.windows(8).any(|part| part == [byte; 8]), "{}", row.kind);
    }
}

#[test]
fn a_reload_reaches_every_clone_or_none() {
    let keys = keys();
    let clone = keys.clone();
    let before = keys.jwks().unwrap();
    assert!(clone.reopen(&Kek::new([1; 32]), &rows(&kek())).is_err());
    assert_eq!(keys.jwks().unwrap(), before);
    let other = Kek::new([2; 32]);
    let fresh = Keys::missing(&other, &[], &Keys::wanted([]), NOW, &mut || [9; 32]).unwrap();
    clone.reopen(&other, &fresh).unwrap();
    assert_ne!(keys.jwks().unwrap(), before);
}

#[test]
fn a_sealed_value_opens_only_for_its_purpose_and_place() {
    let keys = keys();
    let sealed = keys.seal(Purpose::Handover, b"id.example.com", b"code").unwrap();
    assert_eq!(sealed.len(), 4 + 29);
    let opens = |purpose, aad: &[u8], value: &[u8]| keys.unseal(purpose, aad, value).map(|plain| plain.to_vec());
    assert_eq!(opens(Purpose::Handover, b"id.example.com", &sealed), Some(b"code".to_vec()));
    for purpose in [Purpose::Flow, Purpose::LoginUnderWay, Purpose::LogoutHint, Purpose::Marker] {
        assert_eq!(opens(purpose, b"id.example.com", &sealed), None, "{purpose:?}");
    }
    assert_eq!(opens(Purpose::Handover, b"id.example.co", &sealed), None);
    for place in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[place] ^= 1;
        assert_eq!(opens(Purpose::Handover, b"id.example.com", &changed), None, "byte {place}");
        assert_eq!(opens(Purpose::Handover, b"id.example.com", &sealed[..place]), None, "length {place}");
    }
    assert_ne!(
        keys.seal(Purpose::Handover, b"", b"code").unwrap(),
        keys.seal(Purpose::Handover, b"", b"code").unwrap()
    );
}

#[test]
fn sealed_values_survive_one_rotation_and_die_with_their_key() {
    let sealed = keys().seal(Purpose::Flow, b"", b"f").unwrap();
    let after = rotated(Kind::Cookie);
    assert!(after.unseal(Purpose::Flow, b"", &sealed).is_some());
    let newer = after.seal(Purpose::Flow, b"", b"f").unwrap();
    assert_eq!(newer[0], 2);
    assert!(keys().unseal(Purpose::Flow, b"", &newer).is_none());
    // The byte that names the generation is no proof of it.
    let mut relabelled = newer;
    relabelled[0] = 1;
    assert!(after.unseal(Purpose::Flow, b"", &relabelled).is_none());
}

#[test]
fn m23_a_generation_is_more_than_the_byte_that_names_it() {
    let same = |generation| Keys::next(&kek(), Kind::Cookie, generation, NOW, &mut || [7; 32]).unwrap();
    let mut all: Vec<KeyRow> = rows(&kek()).into_iter().filter(|row| row.kind != "cookie").collect();
    all.extend([same(1), same(257), same(2)]);
    let keys = Keys::open(&kek(), &all).unwrap();
    // The newest is 257, which 1 shares its byte with.
    let mut sealed = keys.seal(Purpose::Flow, b"", b"f").unwrap();
    assert_eq!(sealed[0], 1);
    assert!(keys.unseal(Purpose::Flow, b"", &sealed).is_some());
    sealed[0] = 2;
    assert!(keys.unseal(Purpose::Flow, b"", &sealed).is_none());
}

#[test]
fn h12_a_session_is_found_by_a_keyed_hash() {
    let token = Token::new([7; 32]);
    let key = keys().session_key(&token);
    assert_ne!(key.0, crate::kernel::event::leaf_hash(token.bytes()));
    assert_ne!(key, keys().session_key(&Token::new([8; 32])));
    let after = rotated(Kind::Token);
    assert_ne!(after.session_key(&token), key);
    assert_eq!(after.earlier_session_keys(&token), [key]);
}

#[test]
fn a_csrf_token_is_good_for_one_binding() {
    let keys = keys();
    let token = keys.csrf(b"session a");
    assert!(keys.csrf_holds(b"session a", &token) && rotated(Kind::Csrf).csrf_holds(b"session a", &token));
    assert!(!keys.csrf_holds(b"session b", &token));
    for text in ["", "a", &token[1..], &format!("{token}="), &token.to_lowercase()] {
        assert!(!keys.csrf_holds(b"session a", text), "{text}");
    }
}

/// Header and claims of a JWS whose signature holds under one of the set's keys, found by `kid`.
fn verified(jws: &str, set: &str) -> (serde_json::Value, serde_json::Value) {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let header: serde_json::Value = serde_json::from_slice(&decode(header)).unwrap();
    let set: serde_json::Value = serde_json::from_str(set).unwrap();
    let jwk = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).expect("kid in the set");
    assert_eq!((&jwk["use"], &jwk["alg"], &jwk["kty"]), (&"sig".into(), &"ES256".into(), &"EC".into()));
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &decode(signature)).expect("the signature holds");
    (header, serde_json::from_slice(&decode(claims)).unwrap())
}

#[test]
fn m21_an_assertion_says_what_products_are_promised() {
    let (product, org) = (ProductName::parse("trello").unwrap(), OrgName::parse("acme").unwrap());
    let (login, host) = (Origin::parse("id.example.com").unwrap(), Origin::parse("trello.example.com:8443").unwrap());
    let email = EmailAddress::parse("ann@acme.com").unwrap();
    let claims = AssertionClaims {
        login: &login,
        product: &product,
        host: &host,
        sub: "u1",
        email: Some(&email),
        name: Some("Ann \"A\" Lee"),
        account: AccountId::from_bytes([3; 16]),
        org: Some(&org),
        groups: &["video".to_owned()],
        amr: &["mfa".to_owned()],
        auth_time: NOW,
        sid: ProductSessionId::from_bytes([1; 16]),
        now: NOW,
        lifetime: Duration::from_secs(3_600),
    };
    let keys = keys();
    let (header, body) = verified(&keys.mint(&claims).unwrap(), &keys.jwks().unwrap());
    assert_eq!((&header["alg"], &header["typ"]), (&"ES256".into(), &"fedgate+jwt".into()));
    let expected = serde_json::json!({
        "iss": "https://id.example.com", "aud": ["trello", "https://trello.example.com:8443"], "sub": "u1",
        "email": "ann@acme.com", "name": "Ann \"A\" Lee", "account": claims.account.to_string(), "org": "acme",
        "groups": ["video"], "amr": ["mfa"], "auth_time": 1_800_000_000, "sid": claims.sid.to_string(),
        "host": "trello.example.com:8443", "iat": 1_800_000_000, "exp": 1_800_000_300,
    });
    assert_eq!(body, expected);
    let bare = AssertionClaims { email: None, name: None, org: None, ..claims };
    let (_, body) = verified(&keys.mint(&bare).unwrap(), &keys.jwks().unwrap());
    assert!(["email", "name", "org"].iter().all(|name| body.get(name).is_none()));
}

#[test]
fn the_next_key_is_published_before_it_signs() {
    let (login, host) = (Origin::parse("id.example.com").unwrap(), Origin::parse("t.example.com").unwrap());
    let product = ProductName::parse("trello").unwrap();
    let claims = AssertionClaims {
        login: &login,
        product: &product,
        host: &host,
        sub: "u1",
        email: None,
        name: None,
        account: AccountId::from_bytes([3; 16]),
        org: None,
        groups: &[],
        amr: &[],
        auth_time: NOW,
        sid: ProductSessionId::from_bytes([1; 16]),
        now: NOW,
        lifetime: MAX_LIFETIME,
    };
    let (old_set, after) = (keys().jwks().unwrap(), rotated(Kind::Assertion));
    // A product with the set from before the rotation reads what is signed after it, and the other way round.
    verified(&after.mint(&claims).unwrap(), &old_set);
    verified(&keys().mint(&claims).unwrap(), &after.jwks().unwrap());
}

#[test]
fn h20_each_directory_has_its_own_client_key() {
    let keys = keys();
    let (one, two) = (keys.client_jwks(directory(1)).unwrap(), keys.client_jwks(directory(2)).unwrap());
    assert_ne!(one, two);
    let made = keys.client_assertion(directory(1), "https://idp.example/token", "0oa1", NOW, [1; 16]).unwrap();
    let (_, body) = verified(&made, &one);
    assert_eq!((&body["iss"], &body["sub"]), (&"0oa1".into(), &"0oa1".into()));
    assert_eq!((&body["aud"], &body["exp"]), (&"https://idp.example/token".into(), &1_800_000_120_i64.into()));
    assert!(keys.client_assertion(directory(3), "a", "b", NOW, [1; 16]).is_err());
    // Nor does it stand in the set for products.
    let kid = serde_json::from_str::<serde_json::Value>(&one).unwrap()["keys"][0]["kid"].clone();
    assert!(!keys.jwks().unwrap().contains(kid.as_str().unwrap()));
}

#[test]
fn a_kid_is_the_thumbprint() {
    // RFC 7638 over the set's own members, computed apart from the code above.
    let set: serde_json::Value = serde_json::from_str(&keys().jwks().unwrap()).unwrap();
    for key in set["keys"].as_array().unwrap() {
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, key["x"], key["y"]);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
        assert_eq!(key["kid"], URL_SAFE_NO_PAD.encode(digest));
    }
}

#[test]
fn a_checkpoints_signature_holds_under_the_public_key() {
    let (generation, signer) = keys().audit_signer();
    assert_eq!(generation, 1);
    let key = UnparsedPublicKey::new(&ED25519, signer.public_key());
    assert!(key.verify(b"note", &signer.sign(b"note").unwrap()).is_ok());
    assert!(key.verify(b"other", &signer.sign(b"note").unwrap()).is_err());
    let earlier = rotated(Kind::Audit).earlier_audit_signers();
    assert_eq!(earlier.iter().map(AuditSigner::public_key).collect::<Vec<_>>(), [signer.public_key()]);
}

#[test]
fn debug_shows_nothing() {
    let shown = format!("{:?} {:?} {:?}", keys(), kek(), keys().audit_signer().1);
    assert_eq!(shown, "Keys(…) Kek(…) AuditSigner(…)");
}

#[test]
fn the_key_file_is_made_once_and_read_in_three_spellings() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = std::env::temp_dir().join(format!("fedgate-kek-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("kek");
    let made = Kek::create(&path, [0x41; 32]).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(matches!(Kek::create(&path, [0x42; 32]), Err(KekFault::File(_))));
    let sealed = made.seal_row("token", 1, b"raw").unwrap();
    let reads = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        Kek::load(&path).ok().is_some_and(|kek| kek.open_row("token", 1, &sealed).is_some())
    };
    assert!(reads(&[0x41; 32]));
    assert!(reads(format!("{}\n", "41".repeat(32)).as_bytes()));
    assert!(reads(b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"));
    for wrong in
        [&b""[..], &[0x41; 31], &[0x41; 33], "zz".repeat(32).as_bytes(), &[0x41; 4096], "é".repeat(32).as_bytes()]
    {
        assert!(!reads(wrong));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
