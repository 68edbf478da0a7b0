//! Against a provider on loopback that rotates, breaks and lies on command, under a clock of the test's own.

mod op;

use super::*;
use crate::clock::TimeSource;
use crate::kernel::model::{ClientAuth, OauthEndpoints, OidcSettings, ResponseMode, SubjectSource};
use crate::kernel::oidc::Seed;
use crate::kernel::values::DirectoryName;
use crate::outbound::OutboundOptions;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use http::StatusCode;
use op::{Op, key, start};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

const REDIRECT: &str = "https://id.example/login/callback";
const START: i64 = 1_700_000_000;

/// A clock that stands until it is moved.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn forward(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl TimeSource for Hands {
    fn wall_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
    fn since_boot(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.wall_millis()).unwrap())
    }
}

struct Signer;

impl ClientAssertions for Signer {
    fn assertion(&self, directory: DirectoryId, audience: &str, client_id: &str, _: Timestamp) -> String {
        format!("{directory} {audience} {client_id}")
    }
}

/// A gateway's side of the story.
struct Here {
    op: Arc<Mutex<Op>>,
    hands: Hands,
    folder: PathBuf,
    providers: Providers,
    directory: Directory,
}

impl Here {
    async fn new() -> Self {
        let op = start().await;
        let hands = Hands(Arc::new(AtomicI64::new(START * 1000)));
        let folder = std::env::temp_dir().join(format!("fedgate-idp-{}", B64.encode(crate::entropy::random::<12>())));
        let issuer = op.lock().unwrap().issuer.clone();
        let directory = Directory {
            id: DirectoryId::from_bytes([1; 16]),
            name: DirectoryName::Issuer,
            label: "Account".into(),
            domains: Vec::new(),
            protocol: Protocol::Oidc(OidcSettings {
                issuer,
                client_id: "us".into(),
                client_auth: ClientAuth::None,
                scopes: vec!["openid".into()],
                response_mode: ResponseMode::Query,
                algorithms: vec!["ES256".into()],
                require_amr: Vec::new(),
                revalidate: None,
            }),
            subject_source: SubjectSource("sub".into()),
            groups_claim: None,
            members: None,
            scim: None,
            transmitter: None,
        };
        let providers = Self::providers(&hands, &folder, false);
        Self { op, hands, folder, providers, directory }
    }

    fn providers(hands: &Hands, folder: &std::path::Path, allow_demo: bool) -> Providers {
        let deadline = Some(Duration::from_millis(500));
        Providers::new(ProviderOptions {
            outbound: Outbound::new(OutboundOptions { deadline, ..OutboundOptions::default() }).unwrap(),
            cache_dir: folder.to_owned(),
            clock: Clock::from_source(Arc::new(hands.clone())),
            assertions: Arc::new(Signer),
            allow_demo,
            background: Handle::current(),
        })
    }

    fn set(&self, change: impl FnOnce(&mut Op)) {
        change(&mut self.op.lock().unwrap());
    }

    fn asked(&self, path: &str) -> usize {
        self.op.lock().unwrap().asked.get(path).copied().unwrap_or(0)
    }

    fn with_auth(&mut self, auth: ClientAuth) {
        if let Protocol::Oidc(settings) = &mut self.directory.protocol {
            settings.client_auth = auth;
        }
    }

    async fn depart(&self) -> Result<Url, ProviderUnavailable> {
        let seed = Seed::new([7; 32]);
        let departure = Departure {
            seed: &seed,
            redirect_uri: REDIRECT,
            login_hint: None,
            ui_locales: None,
            max_age: None,
            prompt_login: false,
        };
        self.providers.depart(&self.directory, &departure).await
    }

    async fn prove_with(&self, iss: Option<&str>) -> Result<Proof, Unproved> {
        let now = Timestamp::from_seconds(START);
        let expected = Expected::from_seed(&self.directory, REDIRECT, Seed::new([7; 32]), now, None);
        let reply = CodeReply { code: Secret::new("c0de".into()), state: "s".into(), iss: iss.map(str::to_owned) };
        let redeem = Redeem { reply: &reply, expected: &expected, redirect_uri: REDIRECT };
        self.providers.prove(&self.directory, redeem, now).await
    }

    async fn prove(&self) -> Result<Proof, Unproved> {
        self.prove_with(None).await
    }

    /// Waits, with logins arriving, until something behind them has happened.
    async fn eventually(&self, mut happened: impl FnMut() -> bool) {
        for _ in 0..200 {
            // Whether that login gets away is not the question here.
            let _ = self.depart().await;
            if happened() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never happened");
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        // The folder exists only where something was kept.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The login's ports are boxed and `Send`, so these must be.
fn sendable<T: Send>(future: T) -> T {
    future
}

#[tokio::test]
async fn a_code_is_redeemed_and_judged() {
    let here = Here::new().await;
    assert_eq!(here.depart().await.unwrap().path(), "/auth");
    drop(sendable(here.depart()));
    let proof = sendable(here.prove()).await.unwrap();
    assert_eq!(proof.claims().identity.subject, "ann");
    let (authorization, form) = here.op.lock().unwrap().redeemed.clone();
    assert_eq!(authorization, None);
    assert_eq!(form["code"], "c0de");
    assert_eq!(form["redirect_uri"], REDIRECT);
    assert_eq!(form["client_id"], "us");
    assert_eq!(form["code_verifier"], Seed::new([7; 32]).verifier().expose());
    assert_eq!(here.asked("/me"), 0); // the token said everything
}

#[tokio::test]
async fn every_kind_of_client_authentication() {
    let mut here = Here::new().await;
    here.with_auth(ClientAuth::Basic(Secret::new("p w:\u{e4}".into())));
    here.prove().await.unwrap();
    let (authorization, form) = here.op.lock().unwrap().redeemed.clone();
    let joined = base64::engine::general_purpose::STANDARD.encode("us:p+w%3A%C3%A4");
    assert_eq!(authorization, Some(format!("Basic {joined}")));
    assert!(!form.contains_key("client_secret") && !form.contains_key("client_id"));

    here.with_auth(ClientAuth::Post(Secret::new("pw".into())));
    here.prove().await.unwrap();
    let (authorization, form) = here.op.lock().unwrap().redeemed.clone();
    assert_eq!((authorization, form["client_secret"].as_str()), (None, "pw"));

    // H20: the directory's own key; the audience is the issuer, not an address out of a document.
    here.with_auth(ClientAuth::PrivateKeyJwt);
    here.prove().await.unwrap();
    let (_, form) = here.op.lock().unwrap().redeemed.clone();
    let issuer = here.op.lock().unwrap().issuer.clone();
    assert_eq!(form["client_assertion"], format!("{} {issuer} us", here.directory.id));
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
}

#[tokio::test]
async fn c5_a_code_goes_nowhere_before_directory_and_issuer_are_right() {
    let mut here = Here::new().await;
    let issuer = here.op.lock().unwrap().issuer.clone();
    let evil = here.prove_with(Some("https://evil.example")).await.unwrap_err();
    assert_eq!(evil, Unproved::Fault(ProofFault::IssuerParameter));
    here.prove_with(Some(&issuer)).await.unwrap();
    assert_eq!(here.asked("/token"), 1);
    // Promised and not sent.
    here.set(|op| op.discovery = json!({"authorization_response_iss_parameter_supported": true}));
    here.providers = Here::providers(&here.hands, &here.folder.join("other"), false);
    assert_eq!(here.prove().await.unwrap_err(), Unproved::Fault(ProofFault::IssuerParameter));
    // The directory changed between departure and reply (M4).
    let now = Timestamp::from_seconds(START);
    let expected = Expected::from_seed(&here.directory, REDIRECT, Seed::new([7; 32]), now, None);
    let reply = CodeReply { code: Secret::new("c0de".into()), state: "s".into(), iss: Some(issuer) };
    let redeem = Redeem { reply: &reply, expected: &expected, redirect_uri: "https://id.example/login/callback/x" };
    let fault = here.providers.prove(&here.directory, redeem, now).await.unwrap_err();
    assert_eq!(fault, Unproved::Fault(ProofFault::Directory));
    assert_eq!(here.asked("/token"), 1);
}

#[tokio::test]
async fn keys_that_rotate_in_mid_flight_are_fetched_once() {
    let here = Here::new().await;
    here.depart().await.unwrap();
    here.set(|op| (op.key, op.kid) = (key(), "2".into()));
    here.prove().await.unwrap();
    assert_eq!(here.asked("/jwks"), 2);
}

#[tokio::test]
async fn unknown_keys_cause_one_fetch_in_thirty_seconds() {
    let here = Here::new().await;
    here.set(|op| op.publishes = false);
    here.depart().await.unwrap();
    for _ in 0..5 {
        assert_eq!(here.prove().await.unwrap_err(), Unproved::Fault(ProofFault::UnknownKey));
    }
    assert_eq!(here.asked("/jwks"), 2);
    here.hands.forward(Duration::from_secs(31));
    here.prove().await.unwrap_err();
    assert_eq!(here.asked("/jwks"), 3);
}

#[tokio::test]
async fn fifty_departures_are_one_fetch() {
    let here = Arc::new(Here::new().await);
    here.set(|op| op.delay = Duration::from_millis(50));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let here = Arc::clone(&here);
        tasks.spawn(async move { here.depart().await.unwrap() });
    }
    tasks.join_all().await;
    assert_eq!((here.asked("/.well-known/openid-configuration"), here.asked("/jwks")), (1, 1));
}

#[tokio::test]
async fn old_documents_serve_while_they_are_fetched_and_for_a_day() {
    let here = Here::new().await;
    here.depart().await.unwrap();
    here.hands.forward(Duration::from_secs(299));
    here.depart().await.unwrap();
    assert_eq!(here.asked("/jwks"), 1);
    here.hands.forward(Duration::from_secs(2));
    here.depart().await.unwrap();
    here.eventually(|| here.asked("/jwks") == 2).await;

    here.set(|op| op.up = false);
    here.hands.forward(Duration::from_secs(23 * 3600));
    here.depart().await.unwrap();
    here.eventually(|| here.providers.health(&here.directory).unwrap().last_error.is_some()).await;
    here.hands.forward(Duration::from_secs(2 * 3600));
    here.depart().await.unwrap_err();
    let health = here.providers.health(&here.directory).unwrap();
    assert!(health.age.unwrap() > Duration::from_secs(24 * 3600) && health.last_ok.is_some());
    here.set(|op| op.up = true);
    here.depart().await.unwrap_err(); // left alone for a moment
    here.hands.forward(Duration::from_secs(11));
    here.depart().await.unwrap();
}

#[tokio::test]
async fn a_start_while_the_provider_is_down_serves_from_disk() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut here = Here::new().await;
    here.depart().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(&here.folder).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&here.folder).unwrap().permissions().mode() & 0o777, 0o700);

    here.set(|op| op.up = false);
    here.providers = Here::providers(&here.hands, &here.folder, false);
    here.depart().await.unwrap();
    here.hands.forward(Duration::from_secs(25 * 3600));
    here.providers = Here::providers(&here.hands, &here.folder, false);
    here.depart().await.unwrap_err();
    // A broken file is as if there was none.
    here.set(|op| op.up = true);
    std::fs::write(files[0].path(), b"{").unwrap();
    here.providers = Here::providers(&here.hands, &here.folder, false);
    here.depart().await.unwrap();
}

#[tokio::test]
async fn m17_the_sample_issuer_is_refused_at_each_refresh() {
    let mut here = Here::new().await;
    here.depart().await.unwrap();
    here.set(|op| op.discovery = json!({"fedgate_demo": true}));
    here.hands.forward(Duration::from_secs(301));
    here.depart().await.unwrap();
    here.eventually(|| here.providers.health(&here.directory).unwrap().last_error.is_some()).await;
    here.depart().await.unwrap_err();
    here.eventually(|| std::fs::read_dir(&here.folder).unwrap().count() == 0).await; // forgotten on disk, too
    here.providers = Here::providers(&here.hands, &here.folder.join("demo"), true);
    here.depart().await.unwrap();
}

#[tokio::test]
async fn a_slow_or_broken_provider_proves_nobody() {
    let here = Here::new().await;
    here.depart().await.unwrap();
    here.set(|op| op.token_status = StatusCode::BAD_REQUEST);
    let rejected = here.prove().await.unwrap_err();
    assert_eq!(rejected, Unproved::Rejected("invalid_grant".into()));
    assert_eq!(rejected.refusal(), Refusal::NotUnderWay);
    here.set(|op| op.token_status = StatusCode::FOUND);
    assert_eq!(here.prove().await.unwrap_err().refusal(), Refusal::ProviderUnavailable);
    here.set(|op| op.token_status = StatusCode::INTERNAL_SERVER_ERROR);
    assert!(matches!(here.prove().await.unwrap_err(), Unproved::Unavailable(_)));
    here.set(|op| (op.token_status, op.delay) = (StatusCode::OK, Duration::from_secs(2)));
    assert!(matches!(here.prove().await.unwrap_err(), Unproved::Unavailable(_)));
}

#[tokio::test]
async fn userinfo_is_asked_for_a_missing_address_and_must_name_the_same_subject() {
    let here = Here::new().await;
    here.set(|op| {
        op.claims = json!({"email": Value::Null});
        op.userinfo = json!({"sub": "bob", "email": "ann@acme.com"});
    });
    assert_eq!(here.prove().await.unwrap_err(), Unproved::Fault(ProofFault::UserinfoSubject));
    here.set(|op| op.userinfo["sub"] = json!("ann"));
    assert_eq!(here.prove().await.unwrap().claims().email.as_ref().unwrap().as_str(), "ann@acme.com");
}

#[tokio::test]
async fn a_provider_without_discovery_is_asked_for_the_person() {
    let mut here = Here::new().await;
    let issuer = here.op.lock().unwrap().issuer.clone();
    here.set(|op| op.userinfo = json!({"account_id": "5b1", "email": "ann@acme.com", "name": "Ann"}));
    let Protocol::Oidc(settings) = here.directory.protocol.clone() else { unreachable!("made so above") };
    let endpoints = OauthEndpoints {
        authorize: format!("{issuer}/authorize"),
        token: format!("{issuer}/token"),
        userinfo: format!("{issuer}/me"),
        audience: Some("api.example".into()),
        sub_claim: "account_id".into(),
        email_claim: "email".into(),
        name_claim: "name".into(),
    };
    here.directory.protocol = Protocol::Oauth2Userinfo(settings, endpoints);
    let url = here.depart().await.unwrap();
    let pairs: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!(
        (url.path(), pairs["audience"].as_str(), pairs.contains_key("nonce")),
        ("/authorize", "api.example", false)
    );
    let proof = here.prove().await.unwrap();
    assert_eq!(proof.claims().identity.subject, "5b1");
    assert_eq!(proof.claims().email_verified, crate::kernel::proof::Vouched::Silent);
    assert_eq!(here.asked("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn logout_at_the_provider_needs_no_network() {
    let here = Here::new().await;
    let hint = Secret::new("token".into());
    let end =
        EndSession { id_token_hint: Some(&hint), post_logout_redirect_uri: "https://id.example/logout", state: "s" };
    assert_eq!(here.providers.end_session(&here.directory, &end), None);
    here.depart().await.unwrap();
    here.set(|op| op.up = false);
    let url = here.providers.end_session(&here.directory, &end).unwrap();
    let pairs: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((url.path(), pairs.len(), pairs["id_token_hint"].as_str()), ("/end", 4, "token"));
}

#[tokio::test]
async fn check_online_says_what_is_there() {
    let here = Here::new().await;
    let report = here.providers.online(&here.directory).await;
    assert_eq!((report.usable, report.keys, report.certificate_ends), (Ok(()), Some(1), None));
    assert!(report.clock_offset.unwrap() > 0, "the test's clock stands in 2023");
    // Silence about client authentication means client_secret_basic, and here none is configured.
    assert_eq!(report.mismatches.len(), 1);
    here.set(|op| {
        op.discovery = json!({
            "token_endpoint_auth_methods_supported": ["none"],
            "id_token_signing_alg_values_supported": ["HS256"],
        });
    });
    let report = here.providers.online(&here.directory).await;
    assert_eq!(report.mismatches, ["it signs with HS256, and none of these is accepted here"]);
    here.set(|op| op.discovery = json!({"issuer": "https://other.example"}));
    assert!(here.providers.online(&here.directory).await.usable.is_err());
    here.set(|op| op.up = false);
    assert!(here.providers.online(&here.directory).await.usable.is_err());
}
