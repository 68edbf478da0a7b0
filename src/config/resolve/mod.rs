//! From what is written to what it means: every name resolves, every default is filled in, everything wrong is said.
//!
//! One file per topic, each an `impl Reader`. A topic reports and carries on with something harmless; a file with an error is
//! never used. Deliberately absent: reading anything but secrets and certificates, and those only through [`Surroundings`].

mod acme;
mod across;
mod adapter;
mod apps;
mod bounds;
mod certificates;
mod connections;
mod dns;
mod document;
mod enterprises;
mod identity;
mod languages;
mod mail;
mod migration;
mod orgs;
mod password_api;
mod paths;
mod policies;
mod products;
mod saml;
mod scim;
mod secrets;
mod server;
mod signals;
mod sinks;
mod spool;
mod upstreams;
mod urls;
mod values;

pub use document::{Beside, document};
pub use values::duration;

use super::draft::{DraftCatalog, DraftDirectory, DraftOrg, DraftPolicy, local_directories};
use super::file::{At, File, Span};
use super::finding::{Code, Findings};
use super::{AuditSink, Config, KeySource, LogFormat, Outbound, PeopleIn, SinkPlace, Surroundings};
use crate::gateway::options::{Listen, Options, Site};
use crate::kernel::model::{Limits, Passwords};
use crate::kernel::values::{DirectoryName, DomainName, EmailAddress, NotAName, OrgName, Origin, ThirdPartyName};
use crate::orgs::roles::Staff;
use connections::Whose;
use rustls::pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use values::{label_of, text};

/// Where nothing is written: a day without a request, a week whatever happens (behaviour §1).
const DEFAULT_LIMITS: Limits =
    Limits { idle: Some(Duration::from_secs(86_400)), absolute: Some(Duration::from_secs(7 * 86_400)) };

/// What is known while a file is read.
pub struct Reader<'a> {
    say: Findings,
    /// Secrets and certificates; none in a check of the syntax.
    world: Option<&'a dyn Surroundings>,
    folder: &'a Path,
    state: PathBuf,
    /// Something of the file was of the wrong shape and taken out.
    misshapen: bool,
    hosts: products::Hosts,
    claimed: Vec<(DomainName, OrgName)>,
    /// Directories that the file gives the organization whose document is read; none while the file itself is.
    below: Vec<DraftDirectory>,
    /// And its domains of the file.
    below_domains: Vec<(DomainName, OrgName)>,
    /// And its default policy.
    below_policy: Option<DraftPolicy>,
    /// A document is read, and not the file.
    at_run_time: bool,
    mentioned: Vec<(EmailAddress, Span)>,
    /// Subjects of directories that are addresses.
    addressed: Vec<(DirectoryName, Span)>,
    third_party_names: Vec<ThirdPartyName>,
    /// Whether people whom no organization manages have a provider.
    strangers_log_in: bool,
    issuers: Vec<(String, Span)>,
    clients: Vec<((String, String), String)>,
    cookie_domains: Vec<(String, String, Span)>,
    leaves: Vec<CertificateDer<'static>>,
    tls_span: Option<Span>,
}

/// Reads the whole file. `None` when something is wrong with it.
pub fn resolve(
    file: &File,
    folder: &Path,
    world: Option<&dyn Surroundings>,
    say: Findings,
) -> (Option<Config>, Findings) {
    let mut reader = Reader::new(say, folder, world);
    reader.strangers_log_in = file.issuer.is_some() || !file.third_party.0.is_empty();
    reader.state = reader.path_of(text(&file.state).unwrap_or("/var/lib/fedgate"));
    let config = reader.config(file);
    let config = if reader.say.has_errors() { None } else { config };
    (config, reader.say)
}

impl<'a> Reader<'a> {
    /// Has read nothing yet.
    fn new(say: Findings, folder: &'a Path, world: Option<&'a dyn Surroundings>) -> Self {
        Self {
            misshapen: say.has_errors(),
            say,
            world,
            folder,
            state: PathBuf::new(),
            hosts: Vec::new(),
            claimed: Vec::new(),
            below: Vec::new(),
            below_domains: Vec::new(),
            below_policy: None,
            at_run_time: false,
            mentioned: Vec::new(),
            addressed: Vec::new(),
            third_party_names: Vec::new(),
            strangers_log_in: false,
            issuers: Vec::new(),
            clients: Vec::new(),
            cookie_domains: Vec::new(),
            leaves: Vec::new(),
            tls_span: None,
        }
    }
}

impl Reader<'_> {
    fn config(&mut self, file: &File) -> Option<Config> {
        let login = self.login(file);
        let listen = self.listen(file);
        let mut directories = self.providers(file);
        let people = self.people(file);
        let orgs = self.orgs(file, &people, &mut directories);
        let names: Vec<OrgName> = orgs.iter().map(|org| org.name.clone()).collect();
        let sites = self.products(file, &names);
        let staff = self.admin(file);
        let (key, store, outbound, sinks) = (self.keys(file), self.store(file), self.outbound(file), self.sinks(file));
        let issuer = file.issuer.as_ref();
        let profile_url = issuer.and_then(|issuer| self.https(&issuer.profile_url));
        let reset_url = issuer.and_then(|issuer| self.https(&issuer.reset_url));
        self.across(file, (&orgs, &directories, &sites));
        let acme = self.acme(file, &listen);
        let local = sites.iter().map(|site| &*site.product).filter(|product| product.passwords != Passwords::None);
        directories.extend(local_directories(local));
        let login = login?;
        let mail = self.mail(file, &login)?;
        let languages = self.languages(file);
        let dns = self.dns(file);
        Some(Config {
            login: login.clone(),
            state: self.state.clone(),
            key,
            store,
            log: Self::log_format(file),
            catalog: DraftCatalog {
                login: login.clone(),
                products: sites.iter().map(|site| site.product.clone()).collect(),
                orgs,
                staff,
                directories,
                people,
                profile_url,
                reset_url,
            },
            gateway: options(login, listen, sites),
            acme,
            mail,
            languages,
            dns,
            second_opinion: saml::second_opinion(file),
            breached: self.breached(file),
            shadow: file.shadow.as_ref().map(|path| self.path_of(path)),
            outbound,
            sinks,
        })
    }

    /// `[admin]`: who administers.
    fn admin(&mut self, file: &File) -> Staff {
        let Some(admin) = &file.admin else { return Staff::default() };
        let mut read = |written| {
            let people = self.emails(written);
            self.mentioned.extend(people.iter().cloned());
            people.into_iter().map(|(address, _)| address).collect()
        };
        Staff { operators: read(&admin.operators), auditors: read(&admin.auditors), support: read(&admin.support) }
    }

    /// What only shows when all sections are read.
    fn across(&mut self, file: &File, (orgs, directories, sites): (&[DraftOrg], &[DraftDirectory], &[Site])) {
        self.same_names();
        self.cookie_domains_owned(sites);
        self.covered(file.login.as_deref().and_then(|login| Origin::parse(login).ok()).as_ref().map(Origin::host));
        self.issuer_slashes();
        self.sub_domains();
        self.same_site(file);
        self.own_redirects(file);
        self.forward_auth(file);
        self.connection_auth(file, sites);
        self.reset_pages(file, sites);
        self.ways_in(file, orgs, directories, sites);
    }

    fn login(&mut self, file: &File) -> Option<Origin> {
        let Some(written) = &file.login else {
            let write = "write login = \"id.example.com\" above the first [table]";
            self.missing(Self::top(), "the file", "login", write);
            return None;
        };
        let login = self.origin(written)?;
        self.hosts.push((login.clone(), written.span()));
        Some(login)
    }

    /// The issuer and the third parties.
    fn providers(&mut self, file: &File) -> Vec<DraftDirectory> {
        let mut found = Vec::new();
        if let Some(issuer) = &file.issuer {
            let whose = Whose {
                name: DirectoryName::Issuer,
                place: "[issuer]",
                label: "your account".into(),
                domains: Vec::new(),
            };
            found.extend(self.connection(whose, issuer));
        }
        for (name, connection) in &file.third_party.0 {
            let Some(third) = self.name(name, ThirdPartyName::parse) else { continue };
            self.third_party_names.push(third.clone());
            let place = format!("[third_party.{third}]");
            let label = label_of(third.as_str());
            let whose = Whose { name: DirectoryName::ThirdParty(third), place: &place, label, domains: Vec::new() };
            found.extend(self.connection(whose, connection));
        }
        found
    }

    /// A name that the operator gives.
    fn name<N>(&mut self, written: &At<String>, parse: impl Fn(&str) -> Result<N, NotAName>) -> Option<N> {
        parse(written)
            .map_err(|why| {
                let lower: String = written
                    .to_lowercase()
                    .chars()
                    .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                    .take(40)
                    .collect();
                let write = if parse(&lower).is_ok() {
                    format!("write `{lower}`")
                } else {
                    "write another name, such as `acme`".into()
                };
                self.say.error(
                    Code::Name,
                    written.span(),
                    format!("{:?} cannot be a name: {why}", written.as_str()),
                    write,
                );
            })
            .ok()
    }

    /// The place for what is missing from the file as a whole.
    fn top() -> Span {
        0..0
    }
}

fn options(login: Origin, listen: Listen, sites: Vec<Site>) -> Options {
    let sites = sites.into_iter().map(|site| (site.product.name.clone(), Arc::new(site))).collect();
    Options { listen, login, sites, version: 0 }
}
