//! Each class of mistake: a file with it, where it is pointed at, what is said.

use super::{SSO, load, with};
use fedgate::config::{Code, Severity};

/// A class of mistake: a file with it, where it is, and what is said.
struct Mistake {
    code: Code,
    /// Line and column that are pointed at.
    at: (usize, usize),
    text: String,
    /// Stands in what to write.
    write: &'static str,
}

/// The lines where `product`, `org` and `end` begin.
const PRODUCT: usize = 7;
const ORG: usize = 10;
const END: usize = 13;

const GROUP: &str = "members = { groups = [\"pilot\"] }";
const LOOM: &str = "[product.loom]\nhost = \"loom.example.com\"\nupstream = \"unix:/run/loom.sock\"";
const MAIL: &str = "[mail]\nfrom = \"login@example.net\"\n";
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
        at_end(C::UnknownKey, (1, 1), "[outbound]\nca = \"roots.pem\"", "did you mean `ca_file`?"),
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
        in_product(
            C::Type,
            46,
            "migration = { phase = \"optional\", deadline = \"2026-12-31\" }",
            "a date without quotes",
        ),
        in_product(
            C::Value,
            60,
            "migration = { phase = \"off\", then = \"optional\", deadline = 2026-12-31T10:00:00Z }",
            "the end of that day",
        ),
        in_product(
            C::Either,
            42,
            "migration = { phase = \"optional\", then = \"optional\", deadline = 2026-12-31 }",
            "a later phase",
        ),
        in_product(
            C::Duration,
            67,
            "migration = { then = \"optional\", deadline = 2026-12-31, remind = [\"soon\"] }",
            "whole days",
        ),
        in_org(C::Url, 16, "sso = { saml = \"http://idp.example/metadata\" }", "write https://"),
        in_org(
            C::Either,
            55,
            "sso = { saml = \"https://idp.example/metadata\", oidc = \"https://a.example\" }",
            "leave one of them",
        ),
        in_org(
            C::Value,
            66,
            "sso = { saml = \"https://idp.example/metadata\", metadata_signer = \"missing.pem\" }",
            "whoever signs the metadata",
        ),
        in_org(
            C::Value,
            66,
            "sso = { saml = \"https://idp.example/metadata\", metadata_signer = \"-----BEGIN CERTIFICATE-----\" }",
            "whoever signs the metadata",
        ),
        at_end(
            C::Either,
            (1, 8),
            "[third_party.corp]\nsaml = \"https://idp.example/metadata\"",
            "move it to [org.NAME]",
        ),
        at_end(C::Missing, (1, 7), "[store]\nurl = \"postgres://fed@db/fedgate\"", "key_file"),
        at_end(C::Either, (1, 7), "[store]\nurl = \"sqlite:a.db\"\nurl_env = \"STORE\"", "leave one"),
    ]
}

fn mistakes_of_the_gateway() -> Vec<Mistake> {
    use Code as C;
    let listen = |line: &str| format!("tls = \"internal\"\n{line}");
    let tls = "tls = \"internal\"";
    let acme = |code, column, line: &str, write| {
        row(code, (END + 1, column), with("", SSO, &format!("[acme]\n{line}")).replace(tls, "tls = \"acme\""), write)
    };
    let language = |line: &str, column, write| {
        row(C::Language, (END + 1, column), with("", SSO, &format!("[languages]\n{line}")), write)
    };
    vec![
        replaced(C::Name, (4, 10), ("[product.trello]", "[product.Trello]"), "write `trello`"),
        replaced(C::Origin, (1, 9), ("\"id.example.net\"", "\"https://id.example.net/\""), "write \"id.example.net\""),
        replaced(C::SameName, (5, 8), ("\"trello.example.com\"", "\"id.example.net:8443\""), "a host name of its own"),
        replaced(C::Address, (4, 9), (tls, &listen("https = \":8443\"")), "0.0.0.0:8443"),
        replaced(C::Address, (4, 8), (tls, &listen("http = \"0.0.0.0:443\"")), "a port of its own"),
        language("default = \"fr\"", 11, "write default = \"de\""),
        language("catalogues = [\"texts.ftl\"]", 15, "name the file by its language"),
        language("catalogues = [\"fr.txt\"]", 15, "name the file by its language"),
        language("catalogues = [\"languages/es.ftl\"]", 15, "docs/languages.md"),
        language("catalogues = [\"languages/pt.ftl\"]", 15, "save it as UTF-8"),
        language("catalogues = [\"nowhere/\"]", 15, "put the catalogues there"),
        language("catalogues = [\"bare/\"]", 15, "name the file by its language"),
        language("catalogues = [\"twice/\"]", 15, "keep one of them"),
        language("catalogues = [\"languages/\", \"more/fr.ftl\"]", 29, "keep one of them"),
        replaced(C::Network, (4, 20), (tls, &listen("trusted_proxies = [\"0.0.0.0/0\"]")), "10.0.0.0/8"),
        replaced(C::Plain, (4, 9), (tls, &listen("plain = \"127.0.0.1:8080\"")), "trusted_proxies = ["),
        row(
            C::ConnectionAuth,
            (PRODUCT, 19),
            with("connection_auth = true", SSO, "").replace("http://127.0.0.1:3000", "h2c://127.0.0.1:3000"),
            "remove connection_auth",
        ),
        in_product(C::ForwardAuth, 16, "forward_auth = true", "trusted_proxies = ["),
        replaced(C::Proxy, (4, 18), (tls, &listen("proxy_protocol = \"required\"")), "trusted_proxies = ["),
        replaced(C::Limit, (4, 19), (tls, &listen("max_connections = 5")), "from 16 to 1000000"),
        replaced(C::Limit, (4, 30), (tls, &listen("max_connections_per_client = 30000")), "from 1 to 20000"),
        replaced(C::Limit, (4, 23), (tls, &listen("timeouts = { header = \"0s\" }")), "from \"1s\""),
        in_product(C::Limit, 24, "limits = { in_flight = -1 }", "from 1 to"),
        replaced(C::Tls, (3, 7), ("\"internal\"", "\"acne\""), "tls = { cert = "),
        row(
            C::Tls,
            (END + 1, 13),
            with("", SSO, "[acme]\nchallenge = \"http-01\"").replace(tls, "http = \"off\""),
            "http = \"0.0.0.0:80\"",
        ),
        row(
            C::Tls,
            (5, 8),
            with("", SSO, "").replace(tls, "").replace("trello.example.com", "trello.localhost"),
            "[acme] directory",
        ),
        acme(C::Url, 13, "directory = \"http://ca.example.net/\"", "https://acme-v02"),
        acme(C::Email, 12, "contact = [\"ops@example.net\"]", "mailto:ops@"),
        acme(C::Value, 13, "challenge = \"dns-01\"", "one of"),
        acme(C::Missing, 7, "eab = { kid = \"a\" }", "hmac_file"),
        acme(C::SecretUnreadable, 32, "eab = { kid = \"a\", hmac_file = \"s!\" }", "as the authority gave them"),
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
        replaced(C::Url, (6, 12), ("http://127.0.0.1:3000", "h2c://127.0.0.1:3000/app"), "h2c://127.0.0.1:3000\""),
        replaced(C::Url, (6, 12), ("http://127.0.0.1:3000", "ftp://127.0.0.1"), "unix+h2c:/path"),
        replaced(C::Url, (6, 12), ("http://127.0.0.1:3000", "unix+h2c:run/x.sock"), "unix+h2c:/run/product.sock"),
        tls_to_upstream("ca = \"missing\"", 23, "PEM file"),
        tls_to_upstream("ca = \"s\"", 23, "the authority's certificate"),
        tls_to_upstream("name = \"a b\"", 25, "name = \"trello.internal\""),
        tls_to_upstream("cert = \"id.pem\"", 16, "write both"),
        tls_to_upstream("cert = \"s\", key = \"id.key\"", 25, "the chain, leaf first"),
        tls_to_upstream("cert = \"id.pem\", key = \"s\"", 41, "the certificate's key"),
        at_end(C::Address, (1, 12), "[dns]\nservers = [\"resolver.example\"]", "9.9.9.9"),
        at_end(C::Either, (1, 23), "[dns]\nservers = [\"9.9.9.9\", \"system\"]", "addresses alone"),
        at_end(C::Value, (1, 10), "[dns]\nrecord = \"a=b\"", "atlassian-domain-verification"),
        at_end(C::MailPlain, (2, 8), &format!("{MAIL}smtp = \"smtp://mail.example.com\""), "smtps://user@"),
        at_end(C::Url, (2, 8), &format!("{MAIL}smtp = \"https://mail.example.com\""), "smtp+starttls://user@"),
        at_end(C::Url, (2, 8), &format!("{MAIL}smtp = \"smtps://mail.example.com/inbox\""), "smtps://user@"),
        at_end(C::Missing, (2, 8), &format!("{MAIL}smtp = \"smtps://login@mail.example.com\""), "password_file = "),
        at_end(C::Missing, (2, 17), &format!("{MAIL}password_file = \"s\""), "smtps://user@"),
        at_end(C::Missing, (0, 1), "[mail]\nsmtp = \"smtps://mail.example.com\"", "from = "),
        at_end(C::Email, (1, 8), "[mail]\nfrom = \"login\"", "login@example.com"),
        at_end(
            C::SecretInUrl,
            (2, 8),
            &format!("{MAIL}smtp = \"smtps://login:hunter2@mail.example.com\""),
            "password_file",
        ),
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
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_secret_file = \"empty\" }",
            "client_secret_file or client_secret_env",
        ),
        in_org(
            C::SecretUnreadable,
            74,
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_secret_env = \"MISSING\" }",
            "client_secret_file or client_secret_env",
        ),
        in_org(
            C::SecretUnreadable,
            75,
            "sso = { oidc = \"https://a.example\", client_id = \"c\", client_secret_file = \"missing\" }",
            "client_secret_file or client_secret_env",
        ),
    ]
}

/// An https upstream with this in `upstream_tls`, which has the mistake at that column.
fn tls_to_upstream(said: &str, column: usize, write: &'static str) -> Mistake {
    let text = with(&format!("upstream_tls = {{ {said} }}"), SSO, "");
    row(Code::UpstreamTls, (PRODUCT, column), text.replace("http://127.0.0.1:3000", "https://127.0.0.1"), write)
}

/// A product that keeps its passwords, with this in `adapter`, which has the mistake at that column.
fn at_product(code: Code, column: usize, said: &str, write: &'static str) -> Mistake {
    let lines = format!("adapter = {{ {said} }}\npasswords = \"product\"");
    row(code, (PRODUCT, column), with(&lines, SSO, ""), write)
}

/// A product whose apps log in by this, with the mistake at that column.
fn for_apps(code: Code, column: usize, said: &str, write: &'static str) -> Mistake {
    let lines = format!("password_api = [{{ {said} }}]\npasswords = \"here\"");
    row(code, (PRODUCT, column), with(&lines, SSO, ""), write)
}

fn mistakes_of_people() -> Vec<Mistake> {
    use Code as C;
    let client = "client_id = \"c\"\nclient_secret_file = \"s\"";
    vec![
        at_end(
            C::TwoDefaults,
            (0, 20),
            "[org.acme.policies.default]\nmembers = { people = [\"a@acme.com\"] }",
            "another name",
        ),
        at_end(C::TwoDefaults, (0, 1), "[org.acme.policies.pilot]\nsso = \"offered\"", "members = { people"),
        at_end(C::TwoDefaults, (1, 11), "[org.acme.policy]\nmembers = { people = [\"a@acme.com\"] }", "policies.NAME"),
        at_end(C::LooseGroup, (0, 1), &format!("[org.acme.policies.pilot]\n{GROUP}\nsso = \"offered\""), "by `people`"),
        at_end(
            C::LooseGroup,
            (0, 1),
            &format!("[org.acme.policies.pilot]\n{GROUP}\nsecond_step = \"off\""),
            "by `people`",
        ),
        at_end(C::NotYet, (1, 7), "[[audit.sink]]\nurl = \"kafka://host:9092\"", "url = \"https://…\""),
        at_end(
            C::Url,
            (1, 7),
            "[[audit.sink]]\nurl = \"syslog+tls://host:6514/path\"",
            "syslog+tls://siem.example.com:6514",
        ),
        at_end(C::Url, (1, 7), "[[audit.sink]]\nurl = \"syslog+tls:\"", "syslog+tls://siem.example.com:6514"),
        at_end(C::Url, (1, 7), "[[audit.sink]]\nurl = \"syslog://host:514\"", "syslog+tls://siem.example.com:6514"),
        at_end(C::SecretInUrl, (1, 7), "[[audit.sink]]\nurl = \"syslog+tls://host?token=hidden\"", "token_file = "),
        at_end(
            C::Either,
            (2, 14),
            "[[audit.sink]]\nurl = \"syslog+tls://host\"\ntoken_file = \"s\"",
            "write cert and key",
        ),
        at_end(C::Either, (2, 18), "[[audit.sink]]\nurl = \"otlp://host:4318\"\nunsigned_close = true", "remove it"),
        at_end(C::Either, (2, 18), "[[audit.sink]]\nurl = \"jsonl:/a\"\nunsigned_close = true", "remove it"),
        at_end(C::Either, (2, 8), "[[audit.sink]]\nurl = \"jsonl:/a\"\ncert = \"s\"", "remove it"),
        at_end(C::Tls, (2, 8), "[[audit.sink]]\nurl = \"syslog+tls://host\"\ncert = \"s\"", "write both"),
        at_end(C::Tls, (2, 7), "[[audit.sink]]\nurl = \"syslog+tls://host\"\nkey = \"s\"", "write both"),
        at_end(
            C::Tls,
            (2, 8),
            "[[audit.sink]]\nurl = \"syslog+tls://host\"\ncert = \"s\"\nkey = \"s\"",
            "that leaf's key",
        ),
        at_end(C::Url, (1, 7), "[[audit.sink]]\nurl = \"http://siem.example.com/\"", "http://127.0.0.1"),
        at_end(C::Missing, (1, 7), "[[audit.sink]]\nurl = \"https://siem.example.com/\"", "token_file = "),
        at_end(
            C::SecretInUrl,
            (1, 7),
            "[[audit.sink]]\nurl = \"https://siem.example.com/?key=hidden\"\ntoken_file = \"s\"",
            "token_file = ",
        ),
        at_end(C::SecretInUrl, (1, 7), "[[audit.sink]]\nurl = \"otlp://key@host:4318\"", "token_file = "),
        at_end(C::Either, (2, 14), "[[audit.sink]]\nurl = \"jsonl:/a\"\ntoken_file = \"s\"", "remove it"),
        replaced(
            C::SubjectEmail,
            (ORG, 101),
            ("client_secret_file = \"s\" }", "client_secret_file = \"s\", subject = \"email\" }"),
            "i_know_subject_is_an_address = true",
        ),
        at_end(
            C::NotYet,
            (1, 30),
            "[org.acme.policy]\npassword = { breached_file = \"list\" }",
            "in [people] password",
        ),
        at_end(C::Policy, (1, 16), "[org.acme.policy]\nbreak_glass = [\"root@other.com\"]", "one of its `domains`"),
        at_end(C::Value, (1, 13), "[org.acme.policy]\non_change = \"soon\"", "\"immediate\""),
        at_end(C::Limit, (1, 26), "[people]\npassword = { min_score = 5 }", "min_score = 3"),
        at_end(C::Duration, (1, 23), "[people]\npassword = { expire = \"0d\" }", "\"30d\""),
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
        in_product(C::Missing, 13, "passwords = \"product\"", "adapter = { url = "),
        in_product(C::Missing, 7, "api = { paths = [\"/api/*\"], owner = \"adapter\" }", "says whose a token is"),
        at_product(C::Missing, 11, "key_file = \"adapter-key\"", "https://trello.internal/fedgate"),
        at_product(C::Missing, 11, "url = \"https://t.internal/a\"", "key_file = "),
        at_product(
            C::Url,
            19,
            "url = \"http://10.0.0.1:3000/fedgate\", key_file = \"adapter-key\"",
            "http://127.0.0.1",
        ),
        at_product(C::Url, 19, "url = \"unix:fedgate.sock\", key_file = \"adapter-key\"", "its whole path"),
        at_product(C::Url, 19, "url = \"https://t.internal/a?b\", key_file = \"adapter-key\"", "up to the ?"),
        at_product(
            C::SecretInUrl,
            19,
            "url = \"https://u:hunter2@t.internal\", key_file = \"adapter-key\"",
            "key_file",
        ),
        at_product(C::SecretUnreadable, 54, "url = \"https://t.internal/a\", key_file = \"s\"", "openssl rand"),
        at_product(
            C::Limit,
            79,
            "url = \"https://t.internal/a\", key_file = \"adapter-key\", timeout = \"5s\"",
            "\"1s\" to \"4s\"",
        ),
        at_product(
            C::Url,
            81,
            "url = \"https://t.internal/a\", key_file = \"adapter-key\", reset_url = \"http://t.example/new\"",
            "https://",
        ),
        in_product(C::Redirect, 36, "app = [{ id = \"phone\", redirect = [\"http://localhost/cb\"] }]", "127.0.0.1"),
        in_product(
            C::Redirect,
            36,
            "app = [{ id = \"phone\", redirect = [\"board:/cb\"] }]",
            "com.example.board:/login",
        ),
        in_product(
            C::Redirect,
            36,
            "app = [{ id = \"phone\", redirect = [\"https://trello.example.com/cb\"] }]",
            "a host that only the app has claimed",
        ),
        in_product(C::Redirect, 35, "app = [{ id = \"phone\", redirect = [] }]", "redirect = ["),
        in_product(C::Missing, 8, "app = [{ id = \"phone\" }]", "redirect = ["),
        in_product(C::Missing, 8, "app = [{ redirect = [\"com.a:/cb\"] }]", "client_id"),
        in_product(C::Name, 15, "app = [{ id = \"Phone 1\", redirect = [\"com.a:/cb\"] }]", "phone-1"),
        in_product(
            C::NameTwice,
            48,
            "app = [{ id = \"a\", redirect = [\"com.a:/cb\"] }, { id = \"a\", redirect = [\"com.a:/b\"] }]",
            "an id of its own",
        ),
        in_product(C::Missing, 16, "password_api = [{ path = \"/1/auth\", email = \"/user\" }]", "passwords = "),
        for_apps(C::Missing, 17, "email = \"/user\"", "path = "),
        for_apps(C::Missing, 17, "path = \"/1/auth\"", "email = "),
        for_apps(C::Path, 26, "path = \"1/auth\", email = \"/user\"", "write \"/1/auth\""),
        for_apps(C::Value, 45, "path = \"/1/auth\", email = \"user\"", "write \"/user\""),
        for_apps(C::Value, 74, "path = \"/1/auth\", email = \"/user\", refuse = { status = 200 }", "400 to 499"),
        for_apps(C::Value, 72, "path = \"/1/auth\", email = \"/user\", refuse = { body = \"{text}\" }", "message"),
        in_product(C::OrgUnknown, 19, "allow = { orgs = [\"acmee\"] }", "did you mean \"acme\"?"),
        row(C::Open, (PRODUCT, 10), with("signup = \"open\"", SSO, google), "i_know_everyone_may_enter = true"),
        in_product(C::NoWayIn, 9, "allow = { orgs = [] }", "write allow = "),
        row(
            C::NoWayIn,
            (4, 10),
            with("", "", "[issuer]\noidc = \"https://a.example\"\nclient_id = \"c\"\nclient_auth = \"none\"")
                .replace("[org.acme]\ndomains = [\"acme.com\"]", ""),
            "[org.NAME]",
        ),
        in_product(C::Value, 9, "label = \"call https://evil.example\"", "without a URL"),
        in_product(C::Origin, 17, "upstream_host = \"a b\"", "trello.internal:3000"),
        in_product(C::Path, 11, "public = [\"/\"]", "optional = [\"/\"]"),
        in_product(C::Path, 20, "doors = { login = [\"login\"] }", "write \"/login\""),
        in_product(C::Path, 22, "step_up = { paths = [\"admin\"] }", "write \"/admin\""),
        in_product(C::Missing, 11, "step_up = { within = \"5m\" }", "paths = [\"/admin/*\"]"),
        in_product(C::Duration, 44, "step_up = { paths = [\"/admin/*\"], within = \"30s\" }", "from a minute to a day"),
        in_product(C::Header, 13, "headers = { \"Cookie\" = \"sub\" }", "X-Forwarded-User"),
        in_product(
            C::EmailKey,
            34,
            "headers = { \"X-Forwarded-User\" = \"email\" }",
            "i_know_email_is_not_identity = true",
        ),
        in_product(C::CookieDomain, 17, "cookie_domain = \"example.org\"", "\"off\""),
        row(
            C::CookieDomain,
            (PRODUCT, 17),
            with("cookie_domain = \"example.com\"", SSO, LOOM),
            "a domain in which only this product lives",
        ),
        in_product(C::Duration, 20, "session = { idle = \"8 hours\" }", "\"8h\""),
        in_product(C::Duration, 24, "timeouts = { connect = \"0s\" }", "\"1s\" or more"),
        in_product(C::Duration, 22, "timeouts = { whole = \"on\" }", "\"15m\""),
        in_product(C::Size, 19, "limits = { body = \"25MB\" }", "\"25MiB\""),
        in_product(C::Missing, 10, "health = { every = \"5s\" }", "health = { path = "),
        in_product(C::Path, 19, "health = { path = \"healthz\" }", "\"/healthz\""),
        in_product(C::Value, 37, "health = { path = \"/up\", fails =    0 }", "1 to 100"),
        in_product(C::Value, 35, "health = { path = \"/up\", status = 20 }", "200 or 204"),
        in_product(C::Size, 14, "body_spool = \"1MB\"", "\"1MiB\""),
        in_product(C::Size, 14, "body_spool = \"26MiB\"", "body_spool = \"25MiB\""),
        in_product(C::Value, 11, "version = \"\"", "version = \"2026.11\""),
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
