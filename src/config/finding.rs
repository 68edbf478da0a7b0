//! What is wrong with a file: all of it, each with a stable code, a place and what to write instead.
//!
//! Codes are public and never change their meaning; to add one, add a line to [`Code`] and a row to the table of mistakes in
//! `tests/config/mistakes.rs`. Values of secrets are marked to be masked before any line of the file is shown.

use super::file::Span;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The class of a finding; stable.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As printed.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

codes! {
    /// Not TOML.
    Syntax = "E-SYNTAX",
    /// The file cannot be read.
    File = "E-FILE",
    /// No such key here.
    UnknownKey = "E-UNKNOWN-KEY",
    /// A top-level key below a table belongs to that table.
    TopLevelAfterTable = "E-TOP-LEVEL-AFTER-TABLE",
    /// `[policy]` at the top.
    PolicySection = "E-POLICY-SECTION",
    /// The wrong kind of value.
    Type = "E-TYPE",
    /// Not one of the words.
    Value = "E-VALUE",
    /// A key that must be there is not.
    Missing = "E-MISSING",
    /// Two keys that exclude each other.
    Either = "E-EITHER",
    /// Known, and not in this version.
    NotYet = "E-NOT-YET",
    /// Not a name.
    Name = "E-NAME",
    /// One name for two things that share paths.
    NameTwice = "E-NAME-TWICE",
    /// Not a public origin.
    Origin = "E-ORIGIN",
    /// Two public origins on one host name.
    SameName = "E-SAME-NAME",
    /// Not an address to listen on.
    Address = "E-ADDRESS",
    /// Not an address range.
    Network = "E-NETWORK",
    /// The plain listener without trusted proxies.
    Plain = "E-PLAIN",
    /// Logins of connections where requests share them.
    ConnectionAuth = "E-CONNECTION-AUTH",
    /// Forward-auth without trusted proxies.
    ForwardAuth = "E-FORWARD-AUTH",
    /// The PROXY protocol without trusted proxies.
    Proxy = "E-PROXY",
    /// Not a usable limit.
    Limit = "E-LIMIT",
    /// Certificates.
    Tls = "E-TLS",
    /// No certificate covers the login host.
    CertLogin = "E-CERT-LOGIN",
    /// Not a usable language or catalogue.
    Language = "E-LANGUAGE",
    /// Not a usable URL.
    Url = "E-URL",
    /// TLS to an upstream.
    UpstreamTls = "E-UPSTREAM-TLS",
    /// A password in a URL.
    SecretInUrl = "E-SECRET-IN-URL",
    /// A secret in the file.
    InlineSecret = "E-INLINE-SECRET",
    /// A secret that cannot be read.
    SecretUnreadable = "E-SECRET-UNREADABLE",
    /// Two issuers that differ by a slash.
    IssuerSlash = "E-ISSUER-SLASH",
    /// One client at one issuer for two directories.
    ClientTwice = "E-CLIENT-TWICE",
    /// `sso` beside `directory.*`.
    SsoAndDirectory = "E-SSO-AND-DIRECTORY",
    /// A policy that nobody could satisfy.
    Policy = "E-POLICY",
    /// A second default policy, or a policy for nobody.
    TwoDefaults = "E-TWO-DEFAULTS",
    /// A policy for groups that lifts a rule.
    LooseGroup = "E-LOOSE-GROUP",
    /// Not a domain that an organization can hold.
    Domain = "E-DOMAIN",
    /// A domain with two holders.
    DomainTwice = "E-DOMAIN-TWICE",
    /// Not an e-mail address.
    Email = "E-EMAIL",
    /// Mail in the clear to another machine.
    MailPlain = "E-MAIL-PLAIN",
    /// No such organization.
    OrgUnknown = "E-ORG-UNKNOWN",
    /// No such third party or directory.
    Unknown = "E-UNKNOWN-NAME",
    /// An enforced directory whose people are known by an address.
    SubjectEmail = "E-SUBJECT-EMAIL",
    /// A product that everybody could enter.
    Open = "E-OPEN",
    /// A product that nobody could enter.
    NoWayIn = "E-NO-WAY-IN",
    /// Not a path rule.
    Path = "E-PATH",
    /// Not a header field that may be set.
    Header = "E-HEADER",
    /// Not a redirect of an app.
    Redirect = "E-REDIRECT",
    /// An address or a name used as identity.
    EmailKey = "E-EMAIL-KEY",
    /// A cookie domain that the product does not own.
    CookieDomain = "E-COOKIE-DOMAIN",
    /// Not a duration.
    Duration = "E-DURATION",
    /// Not a size.
    Size = "E-SIZE",
    /// Not a colour.
    Colour = "E-COLOUR",
    /// A message in a catalogue that nothing says, or that speaks of what it is not given.
    WCatalogue = "W-CATALOGUE",
    /// An issuer that ends with a slash.
    WIssuerSlash = "W-ISSUER-SLASH",
    /// People on a sub-domain that no domain covers.
    WSubdomain = "W-SUBDOMAIN",
    /// A subject that changes.
    WSubjectEmail = "W-SUBJECT-EMAIL",
    /// An upstream that others may reach.
    WUpstreamOpen = "W-UPSTREAM-OPEN",
    /// A certificate does not cover a product.
    WCertProduct = "W-CERT-PRODUCT",
    /// Metrics for everybody.
    WOpsOpen = "W-OPS-OPEN",
    /// A domain whose directory does not satisfy the policy.
    WTwoDirectories = "W-TWO-DIRECTORIES",
    /// A key that has no effect.
    WNoEffect = "W-NO-EFFECT",
    /// The login host and products share a site.
    WSameSite = "W-SAME-SITE",
    /// No audit sink outside the store.
    WUnanchored = "W-UNANCHORED",
}

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// Probably not meant; said at each start.
    Warning,
    /// A recommendation; said by `check` only.
    Advice,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Its class.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Where in the file.
    pub span: Span,
    /// What is wrong.
    pub what: String,
    /// What to write.
    pub write: String,
}

/// Collects findings.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// All so far.
    pub list: Vec<Finding>,
    /// Bytes of the file that hold secrets and are never shown.
    pub masked: Vec<Span>,
}

impl Findings {
    /// The file cannot be used.
    pub fn error(&mut self, code: Code, span: Span, what: impl Into<String>, write: impl Into<String>) {
        self.push(Severity::Error, code, span, (what.into(), write.into()));
    }

    /// Probably not meant.
    pub fn warning(&mut self, code: Code, span: Span, what: impl Into<String>, write: impl Into<String>) {
        self.push(Severity::Warning, code, span, (what.into(), write.into()));
    }

    /// A recommendation.
    pub fn advice(&mut self, code: Code, span: Span, what: impl Into<String>, write: impl Into<String>) {
        self.push(Severity::Advice, code, span, (what.into(), write.into()));
    }

    /// Known, and not in this version: `what` is the key or setting, `write` what to do instead.
    pub fn not_yet(&mut self, span: Span, what: &str, write: &str) {
        self.error(Code::NotYet, span, format!("`{what}` is not in this version"), write);
    }

    /// Never show these bytes.
    pub fn mask(&mut self, span: Span) {
        self.masked.push(span);
    }

    /// Whether the file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    fn push(&mut self, severity: Severity, code: Code, span: Span, (what, write): (String, String)) {
        self.list.push(Finding { code, severity, span, what, write });
    }
}
