//! Connections to providers: `[issuer]`, `[third_party.NAME]`, `sso` and `[org.NAME.directory.NAME]`.

use super::Reader;
use super::values::{each, text};
use crate::config::draft::DraftDirectory;
use crate::config::file::{At, Connection, Oauth2, Span};
use crate::config::finding::Code;
use crate::kernel::model::{ClientAuth, OauthEndpoints, OidcSettings, Protocol, ResponseMode, SubjectSource};
use crate::kernel::values::{DirectoryName, DomainName, EmailAddress, OrgName};
use std::time::Duration;
use url::Url;

/// Asymmetric algorithms only; `none` and the HMAC family would let a client secret, or nobody, sign.
const ALGORITHMS: [&str; 9] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];
const DEFAULT_ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
const DEFAULT_SCOPES: [&str; 3] = ["openid", "email", "profile"];
/// Claims that follow a person's address: a subject read from them changes hands (rule C1).
const ADDRESSES: [&str; 5] = ["email", "mail", "upn", "preferred_username", "unique_name"];
/// Attributes that are addresses by their object identifiers: `mail` (RFC 4524 §2.16) and `userPrincipalName`.
const ADDRESS_ATTRIBUTES: [&str; 2] = ["urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:1.2.840.113556.1.4.656"];

/// Whether a claim, or an attribute of SAML whatever it is called, is an address.
fn is_address(name: &str, saml: bool) -> bool {
    let last = name.rsplit(['/', ':']).next().unwrap_or(name).to_ascii_lowercase();
    ADDRESSES.contains(&name)
        || (saml
            && (ADDRESSES.contains(&last.as_str()) || ADDRESS_ATTRIBUTES.contains(&name) || last == "emailaddress"))
}

/// Whose connection it is.
pub struct Whose<'a> {
    /// What it will be called.
    pub name: DirectoryName,
    /// The section, as written.
    pub place: &'a str,
    /// What people read when the connection says nothing.
    pub label: String,
    /// The organization's domains.
    pub domains: Vec<DomainName>,
}

/// How often providers are asked, where what is written is no duration.
const REVALIDATE: Duration = Duration::from_secs(15 * 60);
/// The shortest and the longest time between two questions about a login.
const REVALIDATES: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

impl Reader<'_> {
    /// A connection, or what is wrong with it.
    pub(super) fn connection(&mut self, whose: Whose<'_>, written: &At<Connection>) -> Option<DraftDirectory> {
        let protocol = match &written.saml {
            Some(saml) => self.saml(&whose, written, saml).map(|settings| Protocol::Saml(Box::new(settings))),
            None => {
                self.only_of_saml(written);
                self.protocol(whose.place, written)
            }
        };
        let (subject_source, by_address) = self.subject(&whose.name, written);
        let domains = match &written.domains {
            Some(_) => self.served(written, &whose),
            None => whose.domains,
        };
        if let (false, Some(url)) = (whose.name == DirectoryName::Issuer, &written.profile_url) {
            self.say.warning(
                Code::WNoEffect,
                url.span(),
                "only [issuer] has a `profile_url`",
                "move it to [issuer], or remove it",
            );
        }
        let written_label = if written.label.is_some() { &written.label } else { &written.name };
        let label = self.label(written_label, || whose.label);
        let groups_claim = text(&written.groups).map(ToOwned::to_owned);
        let members = self.members_of(&whose.name, &domains, written);
        let scim = match &whose.name {
            DirectoryName::Org(..) => self.provisioner(written),
            _ => {
                self.no_provisioner(whose.place, written.scim.as_ref());
                None
            }
        };
        let transmitter = self.transmitter(written);
        let (name, protocol) = (whose.name, protocol?);
        let directory = DraftDirectory {
            name,
            label,
            domains,
            protocol,
            subject_source,
            by_address,
            groups_claim,
            members,
            scim,
            transmitter,
        };
        if directory.org().is_none() {
            // Nobody enforces the issuer or a third party.
            self.stable_subjects(std::slice::from_ref(&directory), &|_| false, &written.span());
        }
        self.only_client(&directory, written.span());
        Some(directory)
    }

    fn protocol(&mut self, place: &str, written: &At<Connection>) -> Option<Protocol> {
        match (&written.oidc, &written.oauth2) {
            (Some(_), Some(oauth2)) => {
                self.say.error(
                    Code::Either,
                    oauth2.span(),
                    format!("{place} has `oidc` and `oauth2`"),
                    "leave one of them",
                );
                None
            }
            (Some(oidc), None) => {
                let issuer = self.issuer(oidc);
                if issuer.is_some() {
                    self.issuers.push((oidc.to_string(), oidc.span()));
                }
                let settings = self.settings(place, written, issuer.unwrap_or_default());
                settings.map(Protocol::Oidc)
            }
            (None, Some(oauth2)) => self.oauth2(place, written, oauth2),
            (None, None) => {
                let write = "write oidc = \"https://…\", the issuer as its discovery document names it, or saml = \"https://…\", \
                             the address of its metadata";
                self.missing(written.span(), place, "oidc", write);
                None
            }
        }
    }

    fn oauth2(&mut self, place: &str, written: &At<Connection>, oauth2: &At<Oauth2>) -> Option<Protocol> {
        for (key, value) in [("authorize", &oauth2.authorize), ("token", &oauth2.token), ("userinfo", &oauth2.userinfo)]
        {
            if value.is_none() {
                let write = format!("write {key} = \"https://…\" from the provider's documentation");
                self.missing(oauth2.span(), &format!("{place} oauth2"), key, &write);
            }
        }
        let (authorize, token, userinfo) =
            (self.https(&oauth2.authorize), self.https(&oauth2.token), self.https(&oauth2.userinfo));
        let issuer =
            authorize.as_deref().and_then(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization());
        let mut settings = self.settings(place, written, issuer.unwrap_or_default())?;
        if written.scopes.is_none() {
            settings.scopes =
                text(&oauth2.scope).unwrap_or("").split_ascii_whitespace().map(ToOwned::to_owned).collect();
        }
        let named = |name: &crate::config::file::Text, default: &str| text(name).unwrap_or(default).to_owned();
        let endpoints = OauthEndpoints {
            authorize: authorize?,
            token: token?,
            userinfo: userinfo?,
            audience: text(&oauth2.audience).map(ToOwned::to_owned),
            sub_claim: named(&oauth2.claims.sub, "sub"),
            email_claim: named(&oauth2.claims.email, "email"),
            name_claim: named(&oauth2.claims.name, "name"),
        };
        Some(Protocol::Oauth2Userinfo(settings, endpoints))
    }

    fn settings(&mut self, place: &str, written: &At<Connection>, issuer: String) -> Option<OidcSettings> {
        let client_id = text(&written.client_id).filter(|id| !id.is_empty());
        if client_id.is_none() {
            self.missing(
                written.span(),
                place,
                "client_id",
                "write client_id = \"…\", as the provider shows it where the client is registered",
            );
        }
        let client_auth = self.client_auth(place, written);
        let mut scopes: Vec<String> = each(&written.scopes).map(|scope| scope.to_string()).collect();
        if written.scopes.is_none() {
            scopes = DEFAULT_SCOPES.map(ToOwned::to_owned).to_vec();
        } else if written.oidc.is_some() && !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".into());
        }
        let response_mode = match text(&written.response_mode) {
            Some("form_post") => ResponseMode::FormPost,
            _ => ResponseMode::Query,
        };
        Some(OidcSettings {
            issuer,
            client_id: client_id?.to_owned(),
            client_auth: client_auth?,
            scopes,
            response_mode,
            algorithms: self.algorithms(written),
            require_amr: each(&written.require_amr).map(|value| value.to_string()).collect(),
            revalidate: self.revalidate(written),
        })
    }

    /// How often the provider is asked about logins.
    fn revalidate(&mut self, written: &Connection) -> Option<Duration> {
        let span = written.revalidate.as_ref()?.span();
        let every = self.duration(&written.revalidate, REVALIDATE);
        if written.oidc.is_none() {
            let write = "remove it, or write oidc = \"https://…\": a provider is asked about a login by OpenID Connect's refresh token";
            self.say.error(Code::Value, span, "`revalidate` of a directory without `oidc`", write);
        } else if !REVALIDATES.contains(&every) {
            let what = format!("{:?} is not between 1s and 24h", text(&written.revalidate).unwrap_or_default());
            self.say.error(Code::Value, span, what, "write revalidate = \"15m\"");
        }
        Some(every)
    }

    fn client_auth(&mut self, place: &str, written: &At<Connection>) -> Option<ClientAuth> {
        let secret = self.secret("client_secret", &written.client_secret_file, &written.client_secret_env);
        let method = text(&written.client_auth).unwrap_or("basic");
        match (method, secret) {
            ("basic", Some((secret, _))) => Some(ClientAuth::Basic(secret)),
            ("post", Some((secret, _))) => Some(ClientAuth::Post(secret)),
            ("private_key_jwt", None) => Some(ClientAuth::PrivateKeyJwt),
            ("none", None) => Some(ClientAuth::None),
            (method @ ("private_key_jwt" | "none"), Some((_, span))) => {
                let what = format!("client_auth = \"{method}\" uses no secret");
                self.say.error(
                    Code::Either,
                    span,
                    what,
                    "remove the client_secret_… line, or write client_auth = \"basic\"",
                );
                None
            }
            (_, _) => {
                let written_both = written.client_secret_file.is_some() && written.client_secret_env.is_some();
                if !written_both {
                    let write = "write client_secret_file = \"…\" or client_secret_env = \"…\"; without a secret: \
                                 client_auth = \"private_key_jwt\", or \"none\" for a public client";
                    self.missing(written.span(), place, "client_secret_file", write);
                }
                None
            }
        }
    }

    fn algorithms(&mut self, written: &Connection) -> Vec<String> {
        let Some(listed) = &written.algorithms else { return DEFAULT_ALGORITHMS.map(ToOwned::to_owned).to_vec() };
        for algorithm in listed.iter().filter(|algorithm| !ALGORITHMS.contains(&algorithm.as_str())) {
            let what = format!("{:?} is not a signature algorithm that id_tokens may have here", algorithm.as_str());
            self.say.error(Code::Value, algorithm.span(), what, format!("write some of {}", ALGORITHMS.join(", ")));
        }
        if listed.is_empty() {
            self.say.error(
                Code::Value,
                listed.span(),
                "no signature would be accepted",
                "remove the line, or list algorithms",
            );
        }
        listed.iter().map(|algorithm| algorithm.to_string()).collect()
    }

    /// Where subjects are read from, and whether that is an address although nobody said that it is meant to be.
    fn subject(&mut self, name: &DirectoryName, written: &Connection) -> (SubjectSource, bool) {
        let from_reply = written.oauth2.as_ref().and_then(|oauth2| text(&oauth2.claims.sub));
        // Of SAML each assertion says which name space its subject is of.
        let usual = if written.saml.is_some() { "NameID" } else { "sub" };
        let source = SubjectSource(text(&written.subject).or(from_reply).unwrap_or(usual).to_owned());
        let Some(subject) = written.subject.as_ref().filter(|subject| is_address(subject, written.saml.is_some()))
        else {
            return (source, false);
        };
        self.addressed.push((name.clone(), subject.span()));
        (source, !written.i_know_subject_is_an_address.unwrap_or(false))
    }

    /// Subjects that are addresses (§4 #22): doubtful, and not enforced unless somebody said that it is meant. `at`: where the policies
    /// are written that enforce a directory which stands elsewhere.
    pub(super) fn stable_subjects(
        &mut self,
        directories: &[DraftDirectory],
        is_enforced: &dyn Fn(&DirectoryName) -> bool,
        at: &Span,
    ) {
        let write = "write a claim or attribute that never changes (Entra: \"oid\"; of SAML a persistent NameID)";
        for directory in directories {
            let place = self.addressed.iter().position(|(name, _)| *name == directory.name);
            let span = place.map(|place| self.addressed.swap_remove(place).1);
            let source = &directory.subject_source.0;
            let what = format!("`{source}` is an address: it changes, and the next person gets it");
            match span {
                span if directory.by_address && is_enforced(&directory.name) => {
                    let write = format!("{write}; if it is meant: i_know_subject_is_an_address = true");
                    self.say.error(Code::SubjectEmail, span.unwrap_or_else(|| at.clone()), what, write);
                }
                Some(span) => self.say.warning(Code::WSubjectEmail, span, what, write),
                None => {}
            }
        }
    }

    fn served(&mut self, written: &Connection, whose: &Whose<'_>) -> Vec<DomainName> {
        let mut served = Vec::new();
        for domain in each(&written.domains) {
            match DomainName::parse(domain) {
                Ok(name) if whose.domains.contains(&name) => served.push(name),
                _ => {
                    let what = format!("{:?} is not a domain of this organization", domain.as_str());
                    self.say.error(
                        Code::Domain,
                        domain.span(),
                        what,
                        "add it to `domains` of the organization, or remove it here",
                    );
                }
            }
        }
        served
    }

    /// People of the organization's domains, by address: before a login nothing else is known of anybody.
    fn members_of(
        &mut self,
        name: &DirectoryName,
        domains: &[DomainName],
        written: &Connection,
    ) -> Option<Vec<EmailAddress>> {
        let members = written.members.as_ref()?;
        if let Some(groups) = &members.groups {
            let write = "name them by `people`: whose groups they are is known only once they have logged in";
            self.say.not_yet(groups.span(), "members by groups", write);
        }
        let listed = self.emails(&members.people);
        if !matches!(name, DirectoryName::Org(..)) || (listed.is_empty() && members.groups.is_none()) {
            let what = "`members` says which people of an organization's domains use this directory, and names nobody";
            self.say.error(Code::Value, members.span(), what, "write members = { people = [\"ann@acme.com\"] }");
        }
        let mut found = Vec::new();
        for (address, span) in listed {
            if domains.contains(address.domain()) {
                found.push(address);
            } else {
                let what = format!("{address} is in no domain that this directory serves");
                self.say.error(Code::Domain, span, what, "write an address in one of its `domains`");
            }
        }
        Some(found)
    }

    /// One client at one issuer serves one directory (rule H20): otherwise a reply for one is a reply for the other.
    fn only_client(&mut self, directory: &DraftDirectory, span: Span) {
        let Some(settings) = directory.protocol.settings() else { return };
        let client = (settings.issuer.clone(), settings.client_id.clone());
        if let Some((_, other)) = self.clients.iter().find(|(known, _)| *known == client) {
            let own = directory.org().map(OrgName::as_str);
            let is_own = own.is_some_and(|own| other.split('/').next() == Some(own));
            // Who else is a customer here, and of which provider, is no organization's business.
            let what = if self.at_run_time && !is_own {
                format!("{} names a client at its issuer that cannot be used here", directory.name)
            } else {
                format!("{} and {other} are one client at one issuer", directory.name)
            };
            let write = "register a client of its own for each, and write its client_id";
            self.say.error(Code::ClientTwice, span, what, write);
        }
        self.clients.push((client, directory.name.to_string()));
    }

    /// Two issuers that differ by a slash at the end: one of them is a typing mistake.
    pub(super) fn issuer_slashes(&mut self) {
        let issuers = std::mem::take(&mut self.issuers);
        for (issuer, span) in issuers.iter().filter(|(issuer, _)| issuer.ends_with('/')) {
            let bare = issuer.trim_end_matches('/');
            if let Some((other, _)) = issuers.iter().find(|(other, _)| other == bare) {
                let what =
                    format!("this issuer and {other:?} differ by a slash, and issuers are compared byte for byte");
                let write = format!("write both as `issuer` in {bare}/.well-known/openid-configuration has it");
                self.say.error(Code::IssuerSlash, span.clone(), what, write);
            }
        }
    }
}
