//! The configuration from outside: what the short file means, and each class of mistake with its place and its remedy.
//!
//! `cargo test --test config mistake -- --nocapture` prints the list class → message.

mod documents;
mod drafts;
mod manifests;
mod mistakes;
mod reference;
mod upstreams;

use fedgate::acme::Challenge;
use fedgate::config::{Code, Config, KeySource, KeySources, LogFormat, Report, Severity, Surroundings, read};
use fedgate::gateway::options::Tls;
use fedgate::kernel::model::{
    Adapter, Allow, ClientAuth, OnChange, Outage, Passwords, Protocol, Signup, Sso, ThirdPartyRule,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

const SHORT: &str = r#"login = "id.example.com"                     # 7 lines: one product, one company, SSO, TLS

[product.trello]
host     = "trello.example.com"
upstream = "http://127.0.0.1:3000"

[org.acme]
domains = ["acme.com"]
sso     = { oidc = "https://acme.okta.example", client_id = "0oa1", client_secret_file = "/run/secrets/acme" }
"#;

const LISTEN: &str = "\n[listen]\ntls = \"internal\"\n";

/// Every secret is there, except files and variables named `missing`.
struct World;

impl Surroundings for World {
    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        match path.file_name().and_then(|name| name.to_str()) {
            Some("missing") => Err("no such file".into()),
            Some("empty") => Ok(b"\n".to_vec()),
            Some("store") => Ok(b"postgres://fedgate:s3cret@db.example.net/fedgate\n".to_vec()),
            Some("adapter-key") => Ok(b"a key of thirty-two bytes, and more\n".to_vec()),
            Some("fr.ftl") => Ok(b"language-name = Fran\xc3\xa7ais\nnobody-says = this\n".to_vec()),
            Some("da.ftl" | "pt-BR.ftl" | "pt-br.ftl") => Ok(b"language-name = Dansk\n".to_vec()),
            Some("pt.ftl") => Ok(b"continue = N\xe3o\n".to_vec()),
            Some("es.ftl") => Ok(b"continue = Seguir\n\nback = { $x\n".to_vec()),
            Some("acme-hmac") => Ok(b"c2VjcmV0\n".to_vec()),
            Some("id.pem" | "fedgate.chain.pem") => Ok(PAIR.0.as_bytes().to_vec()),
            Some("id.key" | "fedgate.key.pem") => Ok(PAIR.1.as_bytes().to_vec()),
            _ => Ok(b"s3cret\n".to_vec()),
        }
    }

    fn folder(&self, path: &Path) -> Result<Vec<String>, String> {
        let names: &[&str] = match path.file_name().and_then(|name| name.to_str()) {
            Some("languages") => &["fr.ftl", "README.md", ".de.ftl.swp", "da.ftl"],
            Some("twice") => &["pt-BR.ftl", "pt-br.ftl"],
            Some("bare") => &["README.md"],
            _ => return Err("no such folder".into()),
        };
        Ok(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name != "MISSING").then(|| "s3cret".to_owned())
    }
}

/// A certificate for other.example.net and its key.
static PAIR: std::sync::LazyLock<(String, String)> = std::sync::LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["other.example.net".to_owned()]).expect("rcgen signs");
    (made.cert.pem(), made.signing_key.serialize_pem())
});

fn load(text: &str) -> (Option<Config>, Report) {
    read(text, Path::new("fedgate.toml"), &World)
}

#[track_caller]
fn config(text: &str) -> Config {
    let (config, report) = load(text);
    config.unwrap_or_else(|| panic!("{}", report.plain()))
}

#[test]
fn a_mistake_in_a_catalogue_is_named_with_its_file_and_line() {
    let (_, report) = load(&with("", SSO, "[languages]\ncatalogues = [\"languages/es.ftl\"]"));
    assert!(report.plain().contains("languages/es.ftl, line 3: "), "{}", report.plain());
    let french = config(&with("", SSO, "[languages]\ndefault = \"fr\"\ncatalogues = [\"languages/fr.ftl\"]"));
    assert_eq!((french.languages.default.as_str(), french.languages.added.len()), ("fr", 1));
}

#[test]
fn a_folder_of_catalogues_is_every_catalogue_in_it() {
    let written = config(&with("", SSO, "[languages]\ndefault = \"da\"\ncatalogues = [\"languages/\"]"));
    let read: Vec<_> = written.languages.added.iter().map(|one| one.language().as_str()).collect();
    assert_eq!(read, ["da", "fr"], "in the order of their names, and nothing that is no catalogue");
}

#[test]
fn the_short_file_means_what_the_interface_says() {
    let config = config(&format!("{SHORT}{LISTEN}"));
    let product = &config.catalog.products[0];
    let org = &config.catalog.orgs[0];
    assert_eq!(config.login.to_string(), "id.example.com");
    assert_eq!(config.state, PathBuf::from("/var/lib/fedgate"));
    assert_eq!(config.key, KeySources { now: KeySource::File("/var/lib/fedgate/kek".into()), next: None });
    assert_eq!(config.store.expose(), "sqlite:/var/lib/fedgate/fedgate.db");
    assert_eq!(config.log, LogFormat::ByTerminal);
    let listen = &config.gateway.listen;
    assert!(!listen.access_log);
    let addresses = [listen.https, listen.http, listen.plain, listen.ops].map(|a| a.map(|a| a.to_string()));
    let expected = [Some("0.0.0.0:443"), Some("0.0.0.0:80"), None, Some("127.0.0.1:9180")];
    assert_eq!(addresses.each_ref().map(Option::as_deref), expected);
    assert_eq!((&listen.tls, listen.trusted_proxies.len()), (&Tls::Internal, 0));
    assert_eq!((product.label.as_str(), product.signup), ("Trello", Signup::Org));
    assert_eq!(product.allow, Allow { orgs: vec![org.name.clone()], ..Allow::default() });
    assert_eq!(product.on_store_outage, Outage::Grace(Duration::from_secs(120)));
    assert_eq!(product.limits.idle, Some(Duration::from_secs(86_400)));
    assert_eq!(product.limits.absolute, Some(Duration::from_secs(7 * 86_400)));
    assert!(product.identity_fields.is_empty());
    assert_eq!((org.label.as_str(), org.policy.sso), ("Acme", Sso::Enforced));
    assert_eq!(org.policy.directory, Some(org.directories[0].clone()));
    assert_eq!(org.policy.third_party, ThirdPartyRule::None);
    assert_eq!(org.policy.on_change, OnChange::default());
    assert_eq!(org.domains[0].1, org.policy.directory);
    let directory = &config.catalog.directories[0];
    assert_eq!(directory.name.callback_path(), "/login/callback/acme");
    assert_eq!((directory.label.as_str(), directory.subject_source.0.as_str()), ("Acme", "sub"));
    let Protocol::Oidc(settings) = &directory.protocol else { panic!("oidc") };
    assert_eq!((settings.issuer.as_str(), settings.client_id.as_str()), ("https://acme.okta.example", "0oa1"));
    assert_eq!(settings.scopes, ["openid", "email", "profile"]);
    assert!(matches!(&settings.client_auth, ClientAuth::Basic(secret) if secret.expose() == "s3cret"));
    let site = config.gateway.sites.values().next().expect("one site");
    assert!(!site.keep_authorization && site.public.is_empty() && site.cookie_domain.is_none());
}

#[test]
fn m23_the_key_that_is_to_follow_is_one_and_another() {
    let with = |lines: &str| load(&format!("{lines}\n{SHORT}{LISTEN}"));
    let source = |path: &str| KeySource::File(path.into());
    let keys = |lines: &str| with(lines).0.expect("a good file").key;
    let both = keys("key_file = \"/a\"\nnext_key_file = \"/b\"");
    assert_eq!(both, KeySources { now: source("/a"), next: Some(source("/b")) });
    let default = source("/var/lib/fedgate/kek");
    let next = Some(KeySource::Variable("B".to_owned()));
    assert_eq!(keys("next_key_env = \"B\""), KeySources { now: default, next });
    for (lines, says) in [
        ("next_key_file = \"/b\"\nnext_key_env = \"B\"", "`next_key_file` and `next_key_env` are both written"),
        ("key_file = \"/a\"\nnext_key_file = \"/a\"", "the one that is there"),
        ("next_key_file = \"/var/lib/fedgate/kek\"", "the one that is there"),
        ("key_env = \"A\"\nnext_key_env = \"A\"", "the one that is there"),
    ] {
        let report = with(lines).1;
        let found: Vec<_> = report.findings().iter().filter(|finding| finding.code == Code::Either).collect();
        assert!(found.len() == 1 && found[0].what.contains(says), "{lines}: {found:?}");
    }
}

#[test]
fn without_tls_certificates_are_ordered_from_the_default_authority() {
    let config = config(SHORT);
    let acme = config.acme.expect("a directory");
    assert_eq!(config.gateway.listen.tls, Tls::Acme);
    assert_eq!(acme.directory.as_str(), "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!(acme.challenges, [Challenge::TlsAlpn, Challenge::Http]);
    assert!(acme.contact.is_empty() && acme.external.is_none() && acme.ca_file.is_none());
    assert_eq!(config.gateway.host_names(), ["id.example.com", "trello.example.com"]);
}

#[test]
fn acme_as_written() {
    let lines = "[acme]\ndirectory = \"https://ca.internal:14000/dir\"\ncontact = [\"mailto:Ops@Example.net\"]\n\
                 challenge = \"http-01\"\neab = { kid = \"k1\", hmac_file = \"acme-hmac\" }";
    let local = with("", SSO, lines).replace("\"internal\"", "\"acme\"").replace("trello.example.com", "trello.test");
    let acme = config(&local).acme.expect("a directory");
    assert_eq!((acme.directory.as_str(), acme.challenges), ("https://ca.internal:14000/dir", vec![Challenge::Http]));
    assert_eq!(acme.contact, ["mailto:ops@example.net"]);
    assert_eq!(
        acme.external.map(|eab| (eab.kid.clone(), eab.key())),
        Some(("k1".to_owned(), Some(b"secret".to_vec())))
    );
    let off = local.replace("challenge = \"http-01\"", "").replace("[listen]", "[listen]\nhttp = \"off\"");
    assert_eq!(config(&off).acme.map(|acme| acme.challenges), Some(vec![Challenge::TlsAlpn]), "port 80 is not ours");
    assert!(config(&with("", SSO, "")).acme.is_none(), "nothing is ordered for other certificates");
}

/// A good file with lines for the product, for the organization, and sections at the end.
fn with(product: &str, org: &str, end: &str) -> String {
    format!(
        "login = \"id.example.net\"\n[listen]\ntls = \"internal\"\n[product.trello]\nhost = \"trello.example.com\"\n\
         upstream = \"http://127.0.0.1:3000\"\n{product}\n[org.acme]\ndomains = [\"acme.com\"]\n\
         {org}\n[[audit.sink]]\nurl = \"jsonl:/var/a\"\n{end}\n"
    )
}

const SSO: &str = "sso = { oidc = \"https://acme.okta.example\", client_id = \"0oa1\", client_secret_file = \"s\" }";

/// The example reads its roots from a file that a test does not have: any certificate does.
struct Roots;

impl Surroundings for Roots {
    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path.ends_with("private-roots.pem") { Ok(PAIR.0.as_bytes().to_vec()) } else { World.file(path) }
    }

    fn folder(&self, path: &Path) -> Result<Vec<String>, String> {
        World.folder(path)
    }

    fn variable(&self, name: &str) -> Option<String> {
        World.variable(name)
    }
}

const EXAMPLE: &str = include_str!("../../config/fedgate.example.toml");

#[test]
fn the_example_is_a_good_file() {
    let (config, report) = read(EXAMPLE, Path::new("/etc/fedgate/fedgate.toml"), &Roots);
    let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
    assert!(report.findings().iter().all(|finding| finding.severity != Severity::Error), "{}", report.plain());
    let providers = config.catalog.directories.iter().filter(|directory| directory.name.is_provider()).count();
    assert_eq!((providers, config.catalog.orgs.len()), (6, 3));
    let (members, pilot) = &config.catalog.orgs[1].policies[0];
    assert_eq!((members.people.len(), members.groups.as_slice()), (1, &["pilot".to_owned()][..]));
    // What a policy for some people does not say is as in the default one.
    assert_eq!((pilot.limits.idle, pilot.sso), (Some(Duration::from_secs(3600)), config.catalog.orgs[1].policy.sso));
    assert_eq!(pilot.require_amr, ["mfa"]);
    assert_eq!(config.catalog.orgs[1].policy.require_amr, ["mfa"]);
    assert_eq!(config.sinks.len(), 3);
}

#[test]
fn the_example_names_every_key_of_the_schema() {
    fn keys(schema: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) {
            for (key, value) in properties {
                assert!(value.get("description").is_some(), "`{key}` has no description");
                found.push(key.clone());
            }
        }
        match schema {
            serde_json::Value::Object(members) => members.values().for_each(|member| keys(member, found)),
            serde_json::Value::Array(members) => members.iter().for_each(|member| keys(member, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    keys(&fedgate::config::schema(), &mut found);
    assert!(found.len() > 80);
    // Each secret has a variable besides its file, which the example's head says once.
    let absent: Vec<&String> =
        found.iter().filter(|key| !key.ends_with("_env") && !EXAMPLE.contains(key.as_str())).collect();
    assert!(absent.is_empty(), "{absent:?}");
}

#[test]
fn no_secret_is_shown_by_debug() {
    let config = config(&format!("{SHORT}{LISTEN}"));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_directory_proves_itself_as_the_file_says() {
    let of = |auth: &str| {
        let sso = format!("sso = {{ oidc = \"https://a.example\", client_id = \"c\", {auth} }}");
        let settings = config(&with("", &sso, "")).catalog.directories[0].protocol.settings().unwrap().clone();
        format!("{:?}", settings.client_auth)
    };
    assert_eq!(of("client_secret_env = \"S\""), "Basic(Secret(…))");
    assert_eq!(of("client_auth = \"post\", client_secret_file = \"s\""), "Post(Secret(…))");
    assert_eq!(of("client_auth = \"private_key_jwt\""), "PrivateKeyJwt");
    assert_eq!(of("client_auth = \"none\""), "None");
}

#[test]
fn an_inline_table_may_stand_on_several_lines() {
    let text =
        format!("{SHORT}{LISTEN}").replacen("{ oidc", "{\n  oidc", 1).replacen(", client_id", ",\n  client_id", 1);
    assert_eq!(config(&text).catalog.directories.iter().filter(|one| one.name.is_provider()).count(), 1);
}

#[test]
fn all_mistakes_are_said_at_once_in_the_files_order() {
    let text = with("signup = \"opn\"\nsession = { idle = \"x\" }\npublic = [\"/\"]", "hots = 1", "");
    let (_, report) = load(&text);
    let codes: Vec<&str> = report.findings().iter().map(|finding| finding.code.text()).collect();
    assert_eq!(codes, ["E-VALUE", "E-DURATION", "E-PATH", "E-UNKNOWN-KEY"]);
}

#[track_caller]
fn warns(text: &str, code: Code) {
    let (config, report) = load(text);
    assert!(config.is_some(), "{}", report.plain());
    let found = report.findings().iter().find(|finding| finding.code == code);
    let found = found.unwrap_or_else(|| panic!("{} is not said\n{}", code.text(), report.plain()));
    println!("{:<24} {}\n{:<24} → {}", code.text(), found.what, "", found.write);
}

#[test]
fn doubtful_files_are_used_with_a_warning() {
    let sso = |more: &str| SSO.replace(" }", &format!(", {more} }}"));
    let good = with("", SSO, "");
    warns(&with("allow = { orgs = [\"acme\"], people = [\"ann@eu.acme.com\"] }", SSO, ""), Code::WSubdomain);
    warns(&good.replace("okta.example\"", "okta.example/\""), Code::WIssuerSlash);
    let offered = "[org.acme.policy]\nsso = \"offered\"";
    let meant = "i_know_subject_is_an_address = true";
    warns(&with("", &sso("subject = \"email\""), offered), Code::WSubjectEmail);
    warns(&with("", &sso(&format!("subject = \"email\", {meant}")), ""), Code::WSubjectEmail);
    // The same of SAML, whatever the attribute is called (mistake 22).
    for name in [
        "mail",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
    ] {
        let saml =
            |more: &str| format!("sso = {{ saml = \"https://idp.acme.com/metadata\", subject = \"{name}\"{more} }}");
        warns(&with("", &saml(""), offered), Code::WSubjectEmail);
        let (_, report) = load(&with("", &saml(""), ""));
        assert!(report.plain().contains("E-SUBJECT-EMAIL"), "enforced: {}", report.plain());
    }
    warns(&good.replace("[\"acme.com\"]", "[]"), Code::WNoEffect);
    for list in ["scopes = [\"openid\"]", "algorithms = [\"RS256\"]"] {
        let saml = format!("sso = {{ saml = \"https://idp.acme.com/metadata\", {list} }}");
        warns(&with("", &saml, ""), Code::WNoEffect);
    }
    warns(&good.replace("http://127.0.0.1:3000", "http://10.0.0.1:3000"), Code::WUpstreamOpen);
    warns(&good.replace("tls = ", "ops = \"0.0.0.0:9180\"\ntls = "), Code::WOpsOpen);
    warns(&good.replace("id.example.net", "id.example.com"), Code::WSameSite);
    warns(&format!("{SHORT}{LISTEN}"), Code::WUnanchored);
    warns(&with("", SSO, "[languages]\ncatalogues = [\"languages/fr.ftl\"]"), Code::WCatalogue);
    warns(&with("", SSO, "[acme]\ncontact = []"), Code::WNoEffect);
    warns(&with("", &sso("metadata_signer = \"federation.pem\""), ""), Code::WNoEffect);
    warns(&with("", &sso("profile_url = \"https://a.example\""), ""), Code::WNoEffect);
    let adapter =
        |more: &str| format!("adapter = {{ url = \"http://[::1]:3000/fedgate\", key_file = \"adapter-key\"{more} }}");
    warns(&with(&adapter(""), SSO, ""), Code::WNoEffect);
    let reset = adapter(", reset_url = \"https://trello.example.com/new\"");
    warns(&with(&format!("passwords = \"product\"\n{reset}"), SSO, ""), Code::WNoEffect);
    let covered = good.replace("\"internal\"", "{ cert = \"id.pem\", key = \"id.key\" }");
    warns(&covered.replace("id.example.net", "other.example.net"), Code::WCertProduct);
    let two = "[org.acme.directory.b]\noidc = \"https://b.example\"\nclient_id = \"c\"\nclient_auth = \"none\"\ndomains = [\"b.com\"]\n\
               [org.acme.directory.a]\noidc = \"https://a.example\"\nclient_id = \"c\"\nclient_auth = \"none\"\ndomains = [\"acme.com\"]";
    warns(&with("", two, "").replace("[\"acme.com\"]\n[org", "[\"acme.com\", \"b.com\"]\n[org"), Code::WTwoDirectories);
}

#[test]
fn plain_text_is_the_same_everywhere() {
    let (_, report) = load(&with("session = { idle = \"8 hours\" }", SSO, ""));
    let expected = "error[E-DURATION]: \"8 hours\" is not a duration\n  --> fedgate.toml:7:20\n7 | session = { idle = \"8 hours\" }\n  |                    ^^^^^^^^^\n  = write a whole number and a unit: \"15m\", \"8h\", \"7d\"\n\n";
    assert_eq!(report.plain(), expected);
}

#[test]
fn a_file_that_is_not_toml_shows_no_secret() {
    let text = format!("{SHORT}client_secret = \"hunter2\"\nurl = \"https://u:hunter2@a\"\nhost = \"\nx = 1\n");
    let (_, report) = load(&text);
    assert!(report.findings().iter().any(|finding| finding.code == Code::Syntax));
    for shown in [report.plain(), report.graphical(false, 80), report.json().to_string()] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let (_, report) = load("login = \"\u{202e}a\\u001b[2J\"\n\u{202e}k = 1\n");
    for shown in [report.plain(), report.graphical(false, 80)] {
        assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown:?}");
    }
}

#[test]
fn depth_is_bounded() {
    for text in ["a = ".to_owned() + &"[".repeat(100_000), "a.".repeat(100_000) + "b = 1", "{a=".repeat(100_000)] {
        assert!(load(&text).0.is_none());
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\n]{0,200}") {
        let (_, report) = load(&text);
        report.plain();
        report.graphical(false, 80);
        report.json();
    }

    #[test]
    fn no_damage_to_a_good_file_makes_it_panic(at in 0..EXAMPLE.len(), cut in 0..40_usize, put in "[\\PC\n\"=\\[\\]{}]{0,6}") {
        let end = (at + cut).min(EXAMPLE.len());
        let damaged = [EXAMPLE.as_bytes().get(..at), Some(put.as_bytes()), EXAMPLE.as_bytes().get(end..)].into_iter().flatten().collect::<Vec<_>>().concat();
        let text = String::from_utf8_lossy(&damaged).into_owned();
        let (config, report) = load(&text);
        proptest::prop_assert_eq!(config.is_none(), report.has_errors());
        report.plain();
        report.graphical(false, 80);
    }
}

#[test]
fn an_adapter_as_written() {
    let adapter = "adapter = { url = \"https://t.internal/fedgate\", key_file = \"adapter-key\", reset_url = \"https://trello.example.com/new\" }";
    let text = with(&format!("passwords = \"product\"\npublic = [\"/new\"]\n{adapter}"), SSO, "");
    let (read, report) = load(&text);
    assert!(report.findings().iter().all(|finding| finding.code != Code::WNoEffect), "{}", report.plain());
    let config = read.expect("usable");
    let product = &config.catalog.products[0];
    let adapter = product.adapter.as_ref().expect("an adapter");
    assert_eq!((product.passwords, adapter.url.as_str()), (Passwords::Product, "https://t.internal/fedgate"));
    assert_eq!(
        (adapter.timeout, adapter.reset_url.as_deref()),
        (Adapter::TIMEOUT, Some("https://trello.example.com/new"))
    );
    assert!(product.allow.everyone, "its own accounts decide");
    // The one client may ask it wherever it is, because the operator's file says so (rule M16).
    assert!(config.catalog.addresses().any(|address| address == "https://t.internal/fedgate"));
    assert!(!format!("{config:?}").contains("thirty-two bytes"), "no key is shown");
}

#[test]
fn logins_of_apps_as_written() {
    let api = "password_api = [{ path = \"/1/auth\", email = \"/user\", refuse = { status = 403, body = '{\"m\":\"{text}\"}' } }, \
               { path = \"/2/auth\", email = \"/login/email\", password = \"/login/secret\" }]";
    let config = config(&with(&format!("passwords = \"here\"\n{api}"), SSO, ""));
    let [one, two] = config.catalog.products[0].password_api.as_slice() else { panic!("two") };
    assert_eq!((one.path.as_str(), one.email.as_str(), one.password.as_str()), ("/1/auth", "/user", "/password"));
    assert_eq!((one.refuse.status, one.refuse.with("x").as_str()), (403, "{\"m\":\"x\"}"));
    assert_eq!((two.email.as_str(), two.password.as_str(), two.refuse.status), ("/login/email", "/login/secret", 401));
}
