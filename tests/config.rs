//! The configuration from outside: what the short file means, and each class of mistake with its place and its remedy.
//!
//! `cargo test --test config mistake -- --nocapture` prints the list class → message.

use fedgate::config::{Code, Config, KeySource, LogFormat, Report, Severity, Surroundings, read};
use fedgate::gateway::options::Tls;
use fedgate::kernel::model::{Allow, ClientAuth, Outage, Protocol, Signup, Sso, ThirdPartyRule};
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
            Some("id.pem") => Ok(PAIR.0.as_bytes().to_vec()),
            Some("id.key") => Ok(PAIR.1.as_bytes().to_vec()),
            _ => Ok(b"s3cret\n".to_vec()),
        }
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
fn the_short_file_means_what_the_interface_says() {
    let config = config(&format!("{SHORT}{LISTEN}"));
    let product = &config.catalog.products[0];
    let org = &config.catalog.orgs[0];
    assert_eq!(config.login.to_string(), "id.example.com");
    assert_eq!(config.state, PathBuf::from("/var/lib/fedgate"));
    assert_eq!(config.key, KeySource::File("/var/lib/fedgate/kek".into()));
    assert_eq!(config.store, "sqlite:/var/lib/fedgate/fedgate.db");
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
    assert_eq!(org.policy.on_change.grace, Duration::from_secs(900));
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
fn without_tls_the_error_names_the_choices() {
    let (config, report) = load(SHORT);
    assert!(config.is_none());
    let finding = report.findings().iter().find(|finding| finding.code == Code::Tls).expect("E-TLS");
    for choice in ["tls = \"internal\"", "{ cert = ", "https = \"off\""] {
        assert!(finding.write.contains(choice), "{}", finding.write);
    }
}

/// A class of mistake: a file with it, where it is, and what is said.
struct Mistake {
    code: Code,
    /// Line and column that are pointed at.
    at: (usize, usize),
    text: String,
    /// Stands in what to write.
    write: &'static str,
}

/// A good file with lines for the product, for the organization, and sections at the end.
fn with(product: &str, org: &str, end: &str) -> String {
    format!(
        "login = \"id.example.net\"\n[listen]\ntls = \"internal\"\n[product.trello]\nhost = \"trello.example.com\"\n\
         upstream = \"http://127.0.0.1:3000\"\n{product}\n[org.acme]\ndomains = [\"acme.com\"]\n\
         {org}\n[[audit.sink]]\nurl = \"jsonl:/var/a\"\n{end}\n"
    )
}

/// The lines where `product`, `org` and `end` begin.
const PRODUCT: usize = 7;
const ORG: usize = 10;
const END: usize = 13;

const SSO: &str = "sso = { oidc = \"https://acme.okta.example\", client_id = \"0oa1\", client_secret_file = \"s\" }";
const CLIENT: &str = "client_id = \"c\", client_secret_file = \"s\" }";

fn row(code: Code, at: (usize, usize), text: String, write: &'static str) -> Mistake {
    Mistake { code, at, text, write }
}

fn replaced(code: Code, at: (usize, usize), (from, to): (&str, &str), write: &'static str) -> Mistake {
    let good = with("", SSO, "");
    assert!(good.contains(from), "{from}");
    row(code, at, good.replacen(from, to, 1), write)
}

fn in_product(code: Code, column: usize, line: &str, write: &'static str) -> Mistake {
    row(code, (PRODUCT, column), with(line, SSO, ""), write)
}

fn in_org(code: Code, column: usize, line: &str, write: &'static str) -> Mistake {
    row(code, (ORG, column), with("", line, ""), write)
}

fn at_end(code: Code, (line, column): (usize, usize), lines: &str, write: &'static str) -> Mistake {
    row(code, (END + line, column), with("", SSO, lines), write)
}

fn mistakes() -> Vec<Mistake> {
    let all = [mistakes_of_shape(), mistakes_of_the_gateway(), mistakes_of_people(), mistakes_of_products()];
    all.into_iter().flatten().collect()
}

fn mistakes_of_shape() -> Vec<Mistake> {
    use Code as C;
    vec![
        replaced(C::Syntax, (1, 9), ("\"id.example.net\"", "id.example.net"), "in quotes"),
        in_product(C::UnknownKey, 1, "hots = \"x.example.com\"", "did you mean `host`?"),
        in_org(C::UnknownKey, 9, "sso = { odic = \"https://a.example\" }", "did you mean `oidc`?"),
        at_end(C::UnknownKey, (0, 2), "[lisen]\nhttps = \"off\"", "did you mean `listen`?"),
        at_end(C::TopLevelAfterTable, (1, 1), "[log]\nstate = \"/srv\"", "above the first [table]"),
        at_end(C::PolicySection, (0, 2), "[policy]\nsso = \"off\"", "did you mean [people] or [org.NAME.policy]?"),
        in_product(C::Type, 11, "session = \"8h\"", "a table"),
        in_product(C::Type, 11, "public = [1]", "a text in quotes"),
        in_product(C::Value, 10, "signup = \"opn\"", "did you mean \"open\"?"),
        replaced(
            C::Missing,
            (4, 1),
            ("upstream = \"http://127.0.0.1:3000\"", ""),
            "upstream = \"http://127.0.0.1:3000\"",
        ),
        replaced(C::Missing, (1, 1), ("login = \"id.example.net\"", ""), "login = \"id.example.com\""),
        in_org(C::Missing, 7, "sso = { oidc = \"https://a.example\", client_secret_file = \"s\" }", "client_id = "),
        in_org(C::Missing, 7, "sso = { oidc = \"https://a.example\", client_id = \"c\" }", "client_secret_file = "),
        in_org(
            C::Either,
            97,
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_auth = \"none\", client_secret_file = \"s\" }",
            "client_auth = \"basic\"",
        ),
        replaced(C::NotYet, (3, 7), ("\"internal\"", "\"acme\""), "tls = \"internal\""),
        in_product(C::NotYet, 13, "passwords = \"here\"", "passwords = \"none\""),
        in_product(C::NotYet, 13, "migration = { phase = \"optional\", deadline = 2026-12-31 }", "remove it"),
        in_org(C::NotYet, 16, "sso = { saml = \"https://idp.example/metadata\" }", "write oidc = "),
        at_end(C::NotYet, (1, 7), "[store]\nurl = \"postgres://db/fedgate\"", "sqlite:fedgate.db"),
    ]
}

fn mistakes_of_the_gateway() -> Vec<Mistake> {
    use Code as C;
    let listen = |line: &str| format!("tls = \"internal\"\n{line}");
    let tls = "tls = \"internal\"";
    vec![
        replaced(C::Name, (4, 10), ("[product.trello]", "[product.Trello]"), "write `trello`"),
        replaced(C::Origin, (1, 9), ("\"id.example.net\"", "\"https://id.example.net/\""), "write \"id.example.net\""),
        replaced(C::SameName, (5, 8), ("\"trello.example.com\"", "\"id.example.net:8443\""), "a host name of its own"),
        replaced(C::Address, (4, 9), (tls, &listen("https = \":8443\"")), "0.0.0.0:8443"),
        replaced(C::Network, (4, 20), (tls, &listen("trusted_proxies = [\"0.0.0.0/0\"]")), "10.0.0.0/8"),
        replaced(C::Plain, (4, 9), (tls, &listen("plain = \"127.0.0.1:8080\"")), "trusted_proxies = ["),
        replaced(C::Tls, (2, 1), (tls, ""), "tls = { cert = "),
        replaced(
            C::CertLogin,
            (3, 7),
            ("\"internal\"", "{ cert = \"id.pem\", key = \"id.key\" }"),
            "subjectAltName lists id.example.net",
        ),
        in_org(C::Url, 16, &format!("sso = {{ oidc = \"http://a.example\", {CLIENT}"), "https://"),
        in_org(
            C::Url,
            16,
            &format!("sso = {{ oidc = \"https://a.example/.well-known/openid-configuration\", {CLIENT}"),
            "write \"https://a.example\"",
        ),
        replaced(C::Url, (6, 12), ("http://127.0.0.1:3000", "http://127.0.0.1:3000/app"), "http://127.0.0.1:3000\""),
        at_end(C::SecretInUrl, (1, 8), "[mail]\nsmtp = \"smtps://login:hunter2@mail.example.com\"", "password_file"),
        at_end(C::SecretInUrl, (1, 7), "[store]\nurl = \"postgres://fed:hunter2@db/fedgate\"", "url_file"),
        replaced(C::SecretInUrl, (6, 12), ("http://127.0.0.1:3000", "http://u:hunter2@127.0.0.1:3000"), "remove it"),
        in_org(
            C::InlineSecret,
            54,
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_secret = \"hunter2\" }",
            "write client_secret_file = \"…\" or client_secret_env = \"…\"",
        ),
        in_org(
            C::SecretUnreadable,
            75,
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_secret_file = \"missing\" }",
            "client_secret_file or client_secret_env",
        ),
    ]
}

fn mistakes_of_people() -> Vec<Mistake> {
    use Code as C;
    let client = "client_id = \"c\"\nclient_secret_file = \"s\"";
    vec![
        at_end(
            C::IssuerSlash,
            (1, 8),
            &format!("[third_party.g]\noidc = \"https://acme.okta.example/\"\n{client}"),
            "https://acme.okta.example/.well-known/openid-configuration",
        ),
        at_end(C::ClientTwice, (1, 7), &format!("[org.globex]\n{SSO}"), "a client of its own"),
        in_org(
            C::SsoAndDirectory,
            7,
            &format!("{SSO}\n[org.acme.directory.okta]\noidc = \"https://b.example\"\n{client}"),
            "[org.acme.directory.main]",
        ),
        row(
            C::NameTwice,
            (8, 6),
            with("", SSO, &format!("[third_party.acme]\noidc = \"https://g.example\"\n{client}")),
            "another name",
        ),
        at_end(C::Policy, (1, 1), "[org.globex]\n[org.globex.policy]\nsso = \"enforced\"", "sso = { oidc = "),
        at_end(C::Domain, (1, 12), "[org.globex]\ndomains = [\"gmail.com\"]", "the company's own domains"),
        at_end(C::Domain, (1, 12), "[org.globex]\ndomains = [\"co.uk\"]", "acme.co.uk"),
        at_end(C::Domain, (1, 12), "[org.globex]\ndomains = [\"*.globex.com\"]", "write each domain out"),
        at_end(C::DomainTwice, (1, 12), "[org.globex]\ndomains = [\"acme.com\"]", "one holder"),
        at_end(C::Email, (1, 14), "[admin]\noperators = [\"ops\"]", "name@domain"),
        at_end(C::Unknown, (1, 16), "[org.acme.policy]\nthird_party = [\"google\"]", "[third_party.NAME]"),
        row(C::NoWayIn, (4, 10), with("", "", ""), "sso = { oidc = "),
    ]
}

fn mistakes_of_products() -> Vec<Mistake> {
    use Code as C;
    let google =
        "[third_party.google]\noidc = \"https://accounts.google.com\"\nclient_id = \"c\"\nclient_secret_env = \"S\"";
    vec![
        in_product(C::OrgUnknown, 19, "allow = { orgs = [\"acmee\"] }", "did you mean \"acme\"?"),
        row(C::Open, (PRODUCT, 10), with("signup = \"open\"", SSO, google), "i_know_everyone_may_enter = true"),
        in_product(C::NoWayIn, 9, "allow = { orgs = [] }", "write allow = "),
        in_product(C::Path, 11, "public = [\"/\"]", "optional = [\"/\"]"),
        in_product(C::Path, 20, "doors = { login = [\"login\"] }", "write \"/login\""),
        in_product(C::Header, 13, "headers = { \"Cookie\" = \"sub\" }", "X-Forwarded-User"),
        in_product(
            C::EmailKey,
            34,
            "headers = { \"X-Forwarded-User\" = \"email\" }",
            "i_know_email_is_not_identity = true",
        ),
        in_product(C::CookieDomain, 17, "cookie_domain = \"example.org\"", "\"off\""),
        in_product(C::Duration, 20, "session = { idle = \"8 hours\" }", "\"8h\""),
        in_product(C::Size, 14, "body_spool = \"1MB\"", "\"1MiB\""),
        in_product(C::Colour, 10, "colour = \"blue\"", "#0052cc"),
    ]
}

#[test]
fn each_class_of_mistake_is_placed_and_says_what_to_write() {
    let mut failures = Vec::new();
    for mistake in mistakes() {
        let (config, report) = load(&mistake.text);
        let Some(found) = report.findings().iter().find(|finding| finding.code == mistake.code) else {
            failures.push(format!("{} is not found in\n{}\n{}", mistake.code.text(), mistake.text, report.plain()));
            continue;
        };
        let place = report.place(found);
        println!(
            "{:<24} {}:{}  {}\n{:<24} → {}",
            found.code.text(),
            place.line,
            place.column,
            found.what,
            "",
            found.write
        );
        let others =
            report.findings().iter().filter(|other| other.severity == Severity::Error && other.code != mistake.code);
        let others: Vec<&str> = others.map(|other| other.code.text()).collect();
        let placed = (place.line, place.column) == mistake.at;
        if config.is_some() || !placed || !found.write.contains(mistake.write) || !others.is_empty() {
            let wanted = (mistake.at, mistake.write);
            failures.push(format!("expected {wanted:?}, other errors {others:?}:\n{}", report.plain()));
        }
        for shown in [report.plain(), report.graphical(true, 100), report.json().to_string()] {
            assert!(!shown.contains("hunter2"), "a secret is shown:\n{shown}");
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n----\n"));
}

#[test]
fn each_error_code_has_a_row_in_the_table() {
    // E-FILE is about a file that is not there, which the command line tests.
    let rows: Vec<Code> = mistakes().iter().map(|mistake| mistake.code).collect();
    let without: Vec<&str> = Code::ALL.iter().filter(|code| !rows.contains(code)).map(|code| code.text()).collect();
    let errors: Vec<&str> = without.into_iter().filter(|code| code.starts_with("E-") && *code != "E-FILE").collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// The example reads its roots from a file that a test does not have: any certificate does.
struct Roots;

impl Surroundings for Roots {
    fn file(&self, path: &Path) -> Result<Vec<u8>, String> {
        if path.ends_with("private-roots.pem") { Ok(PAIR.0.as_bytes().to_vec()) } else { World.file(path) }
    }

    fn variable(&self, name: &str) -> Option<String> {
        World.variable(name)
    }
}

const EXAMPLE: &str = include_str!("../config/fedgate.example.toml");

#[test]
fn the_example_is_a_good_file() {
    let (config, report) = read(EXAMPLE, Path::new("/etc/fedgate/fedgate.toml"), &Roots);
    let config = config.unwrap_or_else(|| panic!("{}", report.plain()));
    assert!(report.findings().iter().all(|finding| finding.severity != Severity::Error), "{}", report.plain());
    assert_eq!((config.catalog.directories.len(), config.catalog.orgs.len()), (5, 2));
    assert_eq!(config.catalog.orgs[1].policy.require_amr, ["mfa"]);
    assert_eq!(config.sinks.len(), 1);
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
fn an_inline_table_may_stand_on_several_lines() {
    let text =
        format!("{SHORT}{LISTEN}").replacen("{ oidc", "{\n  oidc", 1).replacen(", client_id", ",\n  client_id", 1);
    assert_eq!(config(&text).catalog.directories.len(), 1);
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
    warns(&with("", &sso("subject = \"email\""), ""), Code::WSubjectEmail);
    warns(&good.replace("http://127.0.0.1:3000", "http://10.0.0.1:3000"), Code::WUpstreamOpen);
    warns(&good.replace("tls = ", "ops = \"0.0.0.0:9180\"\ntls = "), Code::WOpsOpen);
    warns(&good.replace("id.example.net", "id.example.com"), Code::WSameSite);
    warns(&format!("{SHORT}{LISTEN}"), Code::WUnanchored);
    warns(&with("", &sso("profile_url = \"https://a.example\""), ""), Code::WNoEffect);
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

mod loosening {
    use super::{SSO, config, with};
    use fedgate::config::{confirmation, loosened};

    #[track_caller]
    fn check(org: &str, end: &str, expected: &[&str]) {
        let base = with("", SSO, "[org.acme.policy]\nrequire_amr = [\"mfa\"]\nsession = { idle = \"8h\" }");
        let (old, new) = (config(&base), config(&with("", org, end)));
        let list: Vec<String> = loosened(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(list, expected);
        assert!(loosened(&old, &old).is_empty());
    }

    const POLICY: &str = "[org.acme.policy]\nrequire_amr = [\"mfa\"]\nsession = { idle = \"8h\" }";

    #[test]
    fn what_a_file_gives_away_is_listed() {
        check(SSO, POLICY, &[]);
        check(SSO, &format!("{POLICY}\nsso = \"offered\""), &["organization acme demands single sign-on less"]);
        check(SSO, &POLICY.replace("8h", "9h"), &["sessions of organization acme last longer"]);
        check(SSO, &POLICY.replace("\"mfa\"", ""), &["organization acme demands less in amr"]);
        check(SSO, &format!("{POLICY}\nthird_party = \"any\""), &["organization acme allows more third parties"]);
        let elsewhere = format!("[org.globex]\ndomains = [\"globex.com\"]\n{POLICY}");
        let old = config(&with("", SSO, &elsewhere));
        let gone = loosened(&old, &config(&with("", SSO, POLICY)));
        assert_eq!(gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["organization globex is removed"]);
        let fewer = loosened(&old, &config(&with("", SSO, &elsewhere.replace("[\"globex.com\"]", "[]"))));
        assert_eq!(
            fewer.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["organization globex no longer holds globex.com"]
        );
        assert_eq!(confirmation(&gone), confirmation(&gone.clone()));
        assert_ne!(confirmation(&gone), confirmation(&fewer));
        assert_eq!(confirmation(&gone).len(), 9);
    }
}

mod drafts {
    use super::{SSO, config, with};
    use fedgate::config::{fingerprint, policy_fingerprint};
    use fedgate::kernel::values::{DirectoryId, DomainName, Timestamp};

    #[test]
    fn c1_another_issuer_client_or_subject_is_another_directory() {
        let of = |sso: &str| fingerprint(&config(&with("", sso, "")).catalog.directories[0]);
        let before = of(SSO);
        assert_eq!(before, of(&SSO.replace("\"s\"", "\"other-secret\"")));
        for other in [
            SSO.replace("acme.okta.example", "acme.okta.test"),
            SSO.replace("0oa1", "0oa2"),
            SSO.replace(" }", ", subject = \"oid\" }"),
        ] {
            assert_ne!(before, of(&other), "{other}");
        }
    }

    #[test]
    fn a_policy_that_demands_something_else_has_another_fingerprint() {
        let of = |policy: &str| policy_fingerprint(&config(&with("", SSO, policy)).catalog.orgs[0].policy);
        let before = of("");
        assert_eq!(before, of("[org.acme.policy]\nsession = { idle = \"1h\" }"));
        for policy in ["sso = \"offered\"", "third_party = \"any\"", "require_amr = [\"mfa\"]"] {
            assert_ne!(before, of(&format!("[org.acme.policy]\n{policy}")), "{policy}");
        }
    }

    #[test]
    fn the_catalog_joins_the_file_and_the_store() {
        let id = DirectoryId::from_bytes([7; 16]);
        let at = Timestamp::from_millis;
        let catalog = config(&with("", SSO, "")).catalog.into_catalog(|_| id, |_, _| at(1), |_| (at(2), 3), 4);
        let claim = &catalog.domains[&DomainName::parse("acme.com").unwrap()];
        assert_eq!((claim.directory, claim.claimed_at), (Some(id), at(1)));
        let org = &catalog.orgs[&claim.org];
        assert_eq!((org.policy.directory, org.policy.changed_at, org.policy.epoch), (Some(id), at(2), 3));
        assert_eq!((catalog.version, catalog.directories[&id].id, catalog.issuer), (4, id, None));
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
