//! What each fuzz target does with its input: a plain function, so that the tests run the same bodies on stable Rust
//! (`tests/gateway/fuzz.rs`). Each holds the gateway's own functions to what must be true of every input.
//!
//! A further target is a function here, a line in `BODIES`, a file in `fuzz_targets/` and a folder in `seeds/`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use fedgate::gateway::bodiless::{LARGEST, Read, read};
use fedgate::kernel::app::{BadAsk, DpopWanted, RefreshToken, judge_ask, judge_dpop};
use fedgate::kernel::model::{
    App, ClientAuth, Directory, OidcSettings, Protocol, Redirect, ResponseMode, SubjectSource,
};
use fedgate::kernel::oidc::{KeySet, SignalDoor, SignalKind, asked, judge_signal};
use fedgate::kernel::request::cookies::{self, Remaining, SessionCookie, SetCookie};
use fedgate::kernel::request::fields::{self, MappedNames};
use fedgate::kernel::request::forwarded;
use fedgate::kernel::request::intent::Declared;
use fedgate::kernel::request::path::NormalPath;
use fedgate::kernel::request::proxied::{Announced, MOST, Origin, PREFIX};
use fedgate::kernel::saml::{
    Connection, DecryptionKeys, Limits, LogoutMessage, NameId, Preset, ProviderMetadata, Received, SigningKeys, Trust,
    brought_certificates, decode_pasted, decode_post, decode_redirect, examine, pass,
};
use fedgate::kernel::scim::filter::Filter;
use fedgate::kernel::scim::patch::{Of, apply};
use fedgate::kernel::scim::path::Path;
use fedgate::kernel::scim::{person, schema};
use fedgate::kernel::values::{AppName, DirectoryId, DirectoryName, OrgName, Timestamp};
use http::{HeaderMap, HeaderValue, Method};
use std::sync::LazyLock;

/// A target's name and body.
pub type Body = (&'static str, fn(&[u8]));

/// All of them.
pub const BODIES: [Body; 15] = [
    ("saml", saml),
    ("saml_redirect", saml_redirect),
    ("saml_gate", saml_gate),
    ("saml_judge", saml_judge),
    ("proxied", proxied),
    ("forwarded", hops),
    ("paths", paths),
    ("cookies", cookies),
    ("set_cookies", set_cookies),
    ("fields", fields),
    ("heads", heads),
    ("bodiless", bodiless),
    ("scim", scim),
    ("signals", signals),
    ("apps", apps),
];

/// The provider's key of the vectors, which signed the seeds.
static SIGNER: LazyLock<SigningKeys> = LazyLock::new(|| {
    let vectors = [
        include_bytes!("../tests/peers/saml/vectors/rsa.crt.der").as_slice(),
        include_bytes!("../tests/peers/saml/vectors/p256.crt.der").as_slice(),
    ];
    SigningKeys::from_certificates(vectors).expect("two good certificates")
});

static OURS: LazyLock<DecryptionKeys> = LazyLock::new(|| {
    let key = include_bytes!("../tests/peers/saml/vectors/sp.key.der").as_slice();
    DecryptionKeys::from_pkcs8([key]).expect("a good key")
});

/// Nothing that a fuzzer makes of the seeds verifies and says anything else than they do: who the person is and which assertion,
/// byte for byte. Metadata, logouts and explanations are read along, for panics.
pub fn saml(input: &[u8]) {
    let trust = Trust { keys: &SIGNER, decryption: Some(&OURS), cbc: false };
    if let Ok(received) = Received::open(input, &trust) {
        let said = received.name_id().map(|name_id: &NameId| name_id.value.as_str());
        assert_eq!(said, Some("ann&<>A"));
        assert_eq!(received.assertion_id(), "_a1");
    }
    let _ = brought_certificates(input);
    let _ = LogoutMessage::from_post(input, true, &SIGNER);
    let plain = fedgate::kernel::oidc::PlainHttp::Refused;
    let _ = ProviderMetadata::read(input, None, None, plain, Timestamp::from_seconds(1_795_348_800));
    let signed = ProviderMetadata::read(input, None, Some(&SIGNER), plain, Timestamp::from_seconds(1_795_348_800));
    if let Ok(signed) = signed {
        assert_eq!(signed.entity_id, "https://idp.example/metadata");
    }
}

/// What the gate lets through is bounded, decoders never exceed their limit, and a document has one reading in base64.
pub fn saml_gate(input: &[u8]) {
    let limits = Limits::MESSAGE;
    if let Ok(body) = pass(input, limits) {
        assert!(body.len() <= limits.bytes && !body.contains('\0') && input.ends_with(body.as_bytes()));
        assert_eq!(pass(body.as_bytes(), limits), Ok(body), "what passed passes");
    }
    for decoded in [decode_post(input, limits), decode_redirect(input, limits), decode_pasted(input, limits)] {
        assert!(decoded.is_err() || decoded.is_ok_and(|bytes| !bytes.is_empty() && bytes.len() <= limits.bytes));
    }
    // A byte that is turned over makes another value or none.
    if let Ok(value) = decode_post(input, limits) {
        let mut other = input.to_vec();
        if let Some(byte) = other.iter_mut().find(|byte| byte.is_ascii_alphabetic()) {
            *byte ^= 0x20;
            assert_ne!(decode_post(&other, limits).as_deref(), Ok(value.as_slice()));
        }
    }
}

/// The first eight bytes are the time, the rest is a response. What is taken holds in every check and was signed, what is refused is
/// refused for a check that failed, and no explanation has a line that the message broke or turned around (rule M26).
pub fn saml_judge(input: &[u8]) {
    let Some((seconds, document)) = input.split_first_chunk() else { return };
    let now = Timestamp::from_seconds(i64::from_be_bytes(*seconds).rem_euclid(1 << 33));
    let trust = Trust { keys: &SIGNER, decryption: Some(&OURS), cbc: false };
    let name = DirectoryName::of_org(OrgName::parse("acme").expect("a name"), "main").expect("a name");
    let directory = Directory {
        id: DirectoryId::from_bytes([1; 16]),
        name,
        label: "Acme".into(),
        domains: Vec::new(),
        protocol: Protocol::Local,
        subject_source: SubjectSource("nameid".into()),
        groups_claim: None,
        members: None,
        scim: None,
        transmitter: None,
    };
    let connection = Connection {
        provider: "https://idp.example/metadata".into(),
        entity_id: "https://id.example/saml/acme/metadata".into(),
        acs: "https://id.example/saml/acme/acs".into(),
        mapping: Preset::Shibboleth.mapping(),
        contexts: Vec::new(),
    };
    let report = examine(&directory, &connection, &trust, document, now);
    assert_eq!(report.fault, report.checks.iter().find(|check| !check.holds).map(|check| check.fault));
    assert!(report.fault.is_some() || report.signed_by.is_some(), "good and signed by nobody");
    assert!(report.lines().iter().all(|line| !line.chars().any(char::is_control)), "{:?}", report.lines());
}

/// A query that verifies says what the seed's sender signed.
pub fn saml_redirect(input: &[u8]) {
    let Ok(query) = std::str::from_utf8(input) else { return };
    if let Ok(message) = LogoutMessage::from_redirect(query, &SIGNER) {
        assert_eq!(message.value().shell().id, "_l1");
    }
}

/// A path has one normal form, which is its own, and nothing strange is in it.
pub fn paths(input: &[u8]) {
    let Ok(target) = std::str::from_utf8(input) else { return };
    let Ok(path) = NormalPath::parse(target) else { return };
    let normal = path.target();
    assert!(
        normal.is_ascii()
            && normal.starts_with('/')
            && !normal.contains(['\0', '\r', '\n', ' ', '#'])
            && !path.path().contains('\\')
    );
    let again = NormalPath::parse(&normal).expect("a normal form is one");
    assert_eq!(again.target(), normal);
    assert!(again.unchanged() || again.path() == path.path());
    for segment in path.path().split('/').skip(1) {
        let name = segment.split(';').next().unwrap_or_default();
        assert!(!matches!(name, "." | ".."), "{normal}");
    }
    let lower = path.path().to_ascii_lowercase();
    for escape in ["%2f", "%5c", "%00", "%0d", "%0a", "%2e", "%61", "//"] {
        assert!(!lower.contains(escape), "{escape} in {normal}");
    }
    // What lies below a rule lies below it for whoever cuts at slashes.
    if path.is_below("/assets/") {
        assert_eq!(path.path().split('/').nth(1), Some("assets"));
        assert!(!path.path().contains(';'));
    }
}

/// Nothing of ours remains for the product, and what is not ours remains.
pub fn cookies(input: &[u8]) {
    let fields: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let session = cookies::session(fields.iter().copied());
    let mut others = Vec::new();
    for field in &fields {
        let rest = match cookies::without_ours(field) {
            Remaining::Unchanged => field.to_vec(),
            Remaining::Nothing => Vec::new(),
            Remaining::Others(rest) => rest,
        };
        assert!(rest.len() <= field.len() + field.iter().filter(|byte| **byte == b';').count());
        let lower = rest.to_ascii_lowercase();
        let ours = |pair: &[u8]| {
            let name: &[u8] = pair.trim_ascii();
            [&b"__host-fedgate"[..], b"__secure-fedgate", b"fedgate", b"=__host-fedgate"]
                .iter()
                .any(|o| name.starts_with(o))
        };
        assert!(!lower.split(|byte| *byte == b';').any(ours), "{:?}", String::from_utf8_lossy(&rest));
        others.push(rest);
    }
    assert_eq!(cookies::session(others.iter().map(Vec::as_slice)), SessionCookie::None);
    if matches!(session, SessionCookie::One(_)) {
        let twice: Vec<&[u8]> = fields.iter().chain(&fields).copied().collect();
        assert_eq!(cookies::session(twice.into_iter()), SessionCookie::Several);
    }
}

/// A product sets no cookie of ours, and none for another host.
pub fn set_cookies(input: &[u8]) {
    let changed = cookies::set_cookie(input, Some("example.com"));
    let SetCookie::HostOnly(kept) = &changed else { return };
    assert_eq!(cookies::set_cookie(kept, Some("example.com")), SetCookie::Unchanged);
    for attribute in kept.to_ascii_lowercase().split(|byte| *byte == b';').skip(1) {
        let attribute = attribute.trim_ascii();
        let name = attribute.split(|byte| *byte == b'=').next().unwrap_or_default();
        let own = attribute.ends_with(b"example.com");
        assert!(name.trim_ascii() != b"domain" || own, "{:?}", String::from_utf8_lossy(kept));
    }
}

/// Names fold, caches stay shut, and what reaches beyond this host is taken out of what a product says.
pub fn fields(input: &[u8]) {
    let mapped = MappedNames::new(["X-Auth-Name"].into_iter());
    let named: Vec<&[u8]> = fields::named_by_connection(input).collect();
    assert!(named.iter().all(|name| !name.contains(&b',')));
    let Ok(text) = std::str::from_utf8(input) else { return };
    let folded: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    if text.is_ascii()
        && ["x-fedgate", "fedgate", "x-forwarded", "x-auth-name"].iter().any(|ours| folded.starts_with(ours))
    {
        assert!(mapped.removes(text), "{text}");
    }
    if let Some(kept) = fields::private_cache_control(text) {
        assert_eq!(fields::private_cache_control(&kept), None, "{kept}");
        let lower = kept.to_ascii_lowercase();
        let opens =
            |part: &str| matches!(part.trim().split('=').next().unwrap_or_default().trim(), "public" | "s-maxage");
        assert!(!lower.split(',').any(opens), "{kept}");
    }
    if let Some(kept) = fields::clear_site_data(text) {
        assert!(!kept.contains('*') && !kept.contains("cookies"), "{kept}");
    }
    let _bound = fields::authenticates_connections(text);
}

/// What the gateway answers without hyper is one request that ends at the first empty line, with nothing in it that could mean a
/// body, another host or another end; and no part of it is one already.
pub fn bodiless(input: &[u8]) {
    let reads = |bytes: &[u8]| read(&Bytes::copy_from_slice(bytes), HeaderMap::new());
    let Read::Whole(head, length) = reads(input) else { return };
    let (own, behind) = input.split_at(length);
    let ends = |bytes: &[u8]| bytes.ends_with(b"\n\r\n") || bytes.ends_with(b"\n\n");
    let first = (1..=length).find(|end| ends(&input[..*end]));
    assert!(length <= LARGEST && first == Some(length), "{first:?} {length}");
    assert!(head.method == Method::GET || head.method == Method::HEAD);
    assert!(head.uri.path().starts_with('/') && head.uri.authority().is_none());
    for name in ["content-length", "transfer-encoding", "expect", "upgrade", "te", "trailer"] {
        assert!(!head.headers.contains_key(name), "{name}");
    }
    let stays = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"keep-alive");
    assert!(head.headers.get_all("connection").iter().all(stays));
    let others = [own, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", behind].concat();
    assert!(matches!(reads(&others), Read::Whole(_, same) if same == length), "what is behind changes nothing");
    for end in [length / 2, length - 1] {
        assert!(matches!(reads(&own[..end]), Read::Partial), "{end}");
    }
}

/// A head as the wire has it, through everything that is asked of it before a session is looked up.
pub fn heads(input: &[u8]) {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut slots);
    if !matches!(request.parse(input), Ok(httparse::Status::Complete(_))) {
        return;
    }
    if let Some(target) = request.path {
        paths(target.as_bytes());
    }
    let all = |name: &'static str| {
        request.headers.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
    };
    cookies(&all("cookie").collect::<Vec<_>>().join(&b'\n'));
    let text = |name| all(name).next().and_then(|value| std::str::from_utf8(value).ok());
    let declared = Declared {
        mode: text("sec-fetch-mode"),
        site: text("sec-fetch-site"),
        accept: text("accept"),
        origin: text("origin"),
        ..Declared::default()
    };
    let own = "https://trello.example.com";
    if declared.may_upgrade(own) {
        assert_eq!(declared.origin, Some(own));
    }
    if declared.is_same_origin(own, &[]) {
        assert!(declared.site == Some("same-origin") || (declared.site.is_none() && declared.origin == Some(own)));
    }
    for field in request.headers.iter() {
        fields(field.name.as_bytes());
        fields(field.value);
    }
}

/// The PROXY protocol's header is read to its announced end and no further, and names an address or nobody.
pub fn proxied(input: &[u8]) {
    let Some((prefix, rest)) = input.split_first_chunk::<PREFIX>() else { return };
    let Ok(announced) = Announced::parse(prefix) else { return };
    assert!(announced.length() <= MOST && prefix.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
    let Some(header) = rest.get(..announced.length()) else {
        assert!(announced.origin(rest).is_err(), "a header that was cut short");
        return;
    };
    if let Ok(Origin::Client(address)) = announced.origin(header) {
        assert_eq!(address, address.to_canonical());
        assert!(announced.length() >= 12);
    }
    if rest.len() > header.len() {
        assert!(announced.origin(rest).is_err(), "more than was announced");
    }
}

/// What trusted proxies say is read as a whole or not at all.
pub fn hops(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _one = forwarded::node(text);
    if let Some(hops) = forwarded::forwarded(text) {
        assert!(hops.len() <= text.split(',').count());
    }
}

/// The first line is a filter and a path, the rest a message that patches a user. What is read is printed as what reads back the same,
/// and what was patched stays in its one form and never says another id.
pub fn scim(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (line, message) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(serde_json::Value::Object(user)) = serde_json::from_str(r#"{"userName":"ann@acme.com","active":true}"#)
    else {
        return;
    };
    if let Ok(filter) = Filter::parse(line) {
        filter.holds(&user);
        let printed = filter.to_string();
        assert!(printed.len() > 1024 || Filter::parse(&printed).as_ref() == Ok(&filter), "{printed}");
    }
    if let Ok(path) = Path::parse(line) {
        let printed = path.to_string();
        assert!(printed.len() > 1024 || Path::parse(&printed).as_ref() == Ok(&path), "{printed}");
    }
    let Ok(serde_json::Value::Object(message)) = serde_json::from_str(message) else { return };
    let patched = apply(Of::User, ("own", &user), &message).and_then(|patched| schema::user(&patched));
    let Ok(patched) = patched else { return };
    assert!(["id", "meta", "groups"].iter().all(|ours| !patched.contains_key(*ours)), "{patched:?}");
    assert_eq!(schema::user(&patched).as_ref(), Ok(&patched), "its one form");
    assert!(person::read(&patched).is_err() || patched.contains_key("userName"));
}

/// A provider's key, the same in every run.
static PROVIDER: LazyLock<(Ed25519KeyPair, KeySet)> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let jwk = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"k","x":"{x}"}}]}}"#);
    (pair, KeySet::parse(jwk.as_bytes()).expect("a good set"))
});

/// The first line is a header, the rest is what the provider signed, or posted beside its token. What is heard was made for this door
/// by this issuer, within its time; one changed byte of it is heard at no door.
pub fn signals(input: &[u8]) {
    const DOOR: &str = "https://id.example/signals/acme";
    const NOW: i64 = 1_000_000;
    let settings = OidcSettings {
        issuer: "https://op.example".to_owned(),
        client_id: "us".to_owned(),
        client_auth: ClientAuth::None,
        scopes: Vec::new(),
        response_mode: ResponseMode::Query,
        algorithms: vec!["EdDSA".to_owned()],
        require_amr: Vec::new(),
        revalidate: None,
    };
    let Some(place) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (header, said) = (&input[..place], &input[place + 1..]);
    let _whom = asked(said, &settings.issuer);
    let (pair, keys) = &*PROVIDER;
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(said));
    let signature = pair.sign(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    let mut heard = 0;
    for kind in [SignalKind::Event, SignalKind::Logout, SignalKind::Revocation] {
        let door = SignalDoor { kind, address: DOOR };
        let judged = |token: &str| judge_signal(&settings, keys, door, token, Timestamp::from_seconds(NOW));
        let Ok(signal) = judged(&token) else { continue };
        heard += 1;
        let claims: serde_json::Value = serde_json::from_slice(said).expect("what is heard is JSON");
        assert_eq!(claims["iss"], "https://op.example");
        let audience = if kind == SignalKind::Logout { "us" } else { DOOR };
        assert!(claims["aud"] == audience || claims["aud"] == serde_json::json!([audience]), "{claims}");
        assert!(!signal.id.is_empty() && signal.issued.millis() / 1000 <= NOW + 600, "{signal:?}");
        assert!(signal.until >= Timestamp::from_seconds(NOW), "{signal:?}");
        let other = if said.contains(&b'a') { b'b' } else { b'a' };
        let forged = [said, &[other]].concat();
        let forged = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(forged));
        assert!(judged(&format!("{forged}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))).is_err());
    }
    assert!(heard <= 1, "one token passes at one kind of door");
}

/// An app's key.
static APP: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"));

/// What an app sends: the claims of a proof under its own good signature, a request by query, a refresh token. A proof that holds is for this
/// request and for now, an answer goes to a redirect of an app, and a token has one spelling.
#[expect(clippy::disallowed_methods, reason = "an app signs")]
pub fn apps(input: &[u8]) {
    const NOW: i64 = 1_000_000;
    let point = APP.public_key().as_ref();
    let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&point[range]);
    let jwk = serde_json::json!({ "kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65) });
    let header = serde_json::json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }).to_string();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(input));
    let signature = APP.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    let origin = fedgate::kernel::values::Origin::parse("board.example.com").expect("an origin");
    let now = Timestamp::from_seconds(NOW);
    let wanted = DpopWanted { method: "GET", origin: &origin, path: "/api/cards", token: None, now };
    if let Ok(held) = judge_dpop(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), &wanted) {
        let claims: serde_json::Value = serde_json::from_slice(input).expect("what holds is JSON");
        let issued = claims["iat"].as_f64().expect("a time");
        assert!(claims["htm"] == "GET" && (issued - 1_000_000.0).abs() < 122.0, "{claims}");
        assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()) && held.until >= now, "{claims}");
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = judge_dpop(text, &wanted);
    let redirects = ["com.example.board:/login", "http://127.0.0.1/cb", "https://app.example.net/login"];
    let redirects = redirects.map(|text| Redirect::parse(text).expect("a redirect")).to_vec();
    let known = [App { name: AppName::parse("phone").expect("a name"), label: "Phone".to_owned(), redirects }];
    let said: Vec<(String, String)> = url::form_urlencoded::parse(input).into_owned().collect();
    match judge_ask(&said, &known) {
        Ok(ask) => assert!(ask.redirect.holds(&ask.to) && is_own(&ask.to), "{}", ask.to),
        Err(BadAsk::Told { to, state, .. }) => assert!(is_own(&to) && state.is_none_or(|it| it.len() <= 512), "{to}"),
        Err(BadAsk::Nowhere) => {}
    }
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(*token.expose(), *text);
    }
}

/// Where an answer may go, said another way: text by text, and digits alone where a port may stand.
fn is_own(to: &str) -> bool {
    let port = to.strip_prefix("http://127.0.0.1").and_then(|rest| rest.strip_suffix("/cb"));
    let is_port = |text: &str| {
        text.is_empty()
            || text.strip_prefix(':').is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
    };
    ["com.example.board:/login", "https://app.example.net/login"].contains(&to) || port.is_some_and(is_port)
}
