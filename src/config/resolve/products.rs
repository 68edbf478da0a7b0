//! Products: what decisions know of them, and where they are.

use super::Reader;
use super::paths::For;
use super::values::{colour, each, label_of, text};
use crate::config::file::{Allow as WrittenAllow, At, File, Product as Written, Span, Text, WordOr};
use crate::config::finding::Code;
use crate::gateway::options::{PathRule, Site};
use crate::kernel::model::{Allow, MigrationPlan, Outage, Passwords, Product, Signup, StepUp};
use crate::kernel::values::{EmailAddress, OrgName, Origin, ProductName};
use http::uri::Authority;
use std::sync::Arc;
use std::time::Duration;

/// Rule M6: a proof of just now is ten minutes old at most, unless the file says otherwise.
const STEP_UP_WITHIN: Duration = Duration::from_secs(600);
/// Shorter is over before its page is read; longer is no step up.
const STEP_UP_BOUNDS: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(86_400);

/// Rule M2: cached sessions outlive the store by this much unless the file says otherwise.
const DEFAULT_GRACE: Duration = Duration::from_secs(120);

impl Reader<'_> {
    /// All of them.
    pub(super) fn products(&mut self, file: &File, orgs: &[OrgName]) -> Vec<Site> {
        let mut sites = Vec::new();
        for (name, product) in &file.product.0 {
            if let Some(product_name) = self.name(name, ProductName::parse) {
                let plan = self.migration(file, &product_name, product);
                sites.extend(self.product(product_name, product, (orgs, plan)));
            }
        }
        if file.product.0.is_empty() && !self.misshapen {
            let write = "write [product.NAME] with host = \"…\" and upstream = \"http://127.0.0.1:3000\"";
            self.say.error(Code::Missing, Self::top(), "there is no product to stand in front of", write);
        }
        sites
    }

    fn product(
        &mut self,
        name: ProductName,
        written: &At<Written>,
        (orgs, migration): (&[OrgName], MigrationPlan),
    ) -> Option<Site> {
        let place = format!("[product.{name}]");
        let (hosts, also) = self.hosts_of(&place, written);
        let upstreams = self.upstreams(&place, written);
        let reach = self.reach(written, &upstreams);
        let signup = match text(&written.signup) {
            Some("open") => Signup::Open,
            Some("closed") => Signup::Closed,
            _ => Signup::Org,
        };
        let allow = self.allow(&place, written, signup, orgs);
        let colour = written.colour.as_ref().and_then(|hex| self.colour(hex));
        let product = Product {
            label: self.label(&written.label, || label_of(name.as_str())),
            name,
            hosts: hosts.iter().chain(&also).cloned().collect(),
            allow,
            signup,
            passwords: Self::passwords(written.passwords.as_ref()),
            adapter: self.adapter(&place, written),
            password_api: self.password_api(&place, written),
            migration,
            limits: self.limits(written.session.as_ref()),
            native: written.session.as_ref().and_then(|session| self.native(session, None)),
            token: written.session.as_ref().and_then(|session| self.token(session, None)),
            apps: self.apps(&place, written),
            enterprises: self.enterprises(&place, written),
            colour,
            identity_fields: self.identity_fields(written),
            step_up: self.step_up(written),
            on_store_outage: self.outage(written),
        };
        let site = Site {
            host: hosts.first()?.clone(),
            also,
            redirects: hosts.iter().skip(1).cloned().collect(),
            upstreams,
            reach,
            upstream_host: self.upstream_host(&written.upstream_host),
            public: self.path_rules(&written.public, For::Public),
            optional: self.path_rules(&written.optional, For::Optional),
            doors: self.doors(written.doors.as_ref()),
            origins: self.web_origins(&written.origins),
            accept_from: self.web_origins(&written.accept_from),
            api: self.api(&place, written),
            keep_authorization: written.keep_authorization.unwrap_or(false),
            connection_auth: written.connection_auth.as_deref().copied().unwrap_or(false),
            forward_auth: written.forward_auth.as_deref().copied().unwrap_or(false),
            in_flight: self.in_flight(written.limits.as_ref()),
            cookie_domain: self.cookie_domain(written, hosts.first()),
            spool: self.body_spool(written),
            orgs: product.allow.orgs.clone(),
            product: Arc::new(product),
        };
        Some(site)
    }

    fn passwords(written: Option<&At<String>>) -> Passwords {
        match written.map(|word| word.as_str()) {
            Some("here") => Passwords::Here,
            Some("product") => Passwords::Product,
            // The schema has refused every word but `none`.
            Some(_) | None => Passwords::None,
        }
    }

    /// Where the product's own API tokens pass (rule C7). Nobody but the adapter can say whose they are.
    fn api(&mut self, place: &str, written: &At<Written>) -> Vec<PathRule> {
        let Some(api) = &written.api else { return Vec::new() };
        let place = format!("{place} api");
        if api.owner.is_none() {
            self.missing(api.span(), &place, "owner", "write owner = \"adapter\"");
        }
        if api.paths.is_none() {
            self.missing(api.span(), &place, "paths", "write paths = [\"/api/*\"]");
        }
        if written.adapter.is_none() {
            let write = "write adapter = { url = \"https://trello.internal/fedgate\", key_file = \"…\" }: it says whose a token is";
            self.missing(api.span(), &place, "adapter", write);
        }
        self.path_rules(&api.paths, For::Api)
    }

    fn hosts_of(&mut self, place: &str, written: &At<Written>) -> (Vec<Origin>, Vec<Origin>) {
        let listed = written.host.as_ref().map(|hosts| hosts.0.as_slice()).unwrap_or_default();
        if listed.is_empty() {
            self.missing(written.span(), place, "host", "write host = \"trello.example.com\"");
        }
        let read = |reader: &mut Self, text: &At<String>| {
            let origin = reader.origin(text)?;
            reader.hosts.push((origin.clone(), text.span()));
            Some(origin)
        };
        let hosts = listed.iter().filter_map(|text| read(self, text)).collect();
        let also = each(&written.also).filter_map(|text| read(self, text)).collect();
        (hosts, also)
    }

    /// A host as it stands in `Host`: a name or an address, and perhaps a port.
    fn upstream_host(&mut self, written: &Text) -> Option<String> {
        let written = written.as_ref()?;
        let host = Authority::try_from(written.as_str()).ok().filter(|host| !host.as_str().contains('@'));
        if host.is_none() {
            let what = format!("{:?} is not a host", written.as_str());
            self.say.error(
                Code::Origin,
                written.span(),
                what,
                "write a name, or a name and a port: \"trello.internal:3000\"",
            );
        }
        host.map(|host| host.to_string())
    }

    fn allow(&mut self, place: &str, written: &Written, signup: Signup, orgs: &[OrgName]) -> Allow {
        let Some(allow) = &written.allow else {
            return if signup == Signup::Open {
                self.everyone(place, written)
            } else if matches!(text(&written.passwords), Some("here" | "product")) {
                // Its own accounts decide: whoever has none gets none but by `signup`.
                Allow { everyone: true, ..Allow::default() }
            } else {
                Allow { orgs: orgs.to_vec(), ..Allow::default() }
            };
        };
        let people = self.emails(&allow.people);
        self.mentioned.extend(people.iter().cloned());
        let allow = Allow {
            everyone: false,
            orgs: self.allowed_orgs(allow, orgs),
            groups: each(&allow.groups).map(|group| group.to_string()).collect(),
            people: people.into_iter().map(|(address, _)| address).collect::<Vec<EmailAddress>>(),
        };
        self.somebody(place, written, &allow);
        allow
    }

    fn somebody(&mut self, place: &str, written: &Written, allow: &Allow) {
        if let (Some(list), true) =
            (&written.allow, allow.orgs.is_empty() && allow.groups.is_empty() && allow.people.is_empty())
            && !self.misshapen
            && !self.say.has_errors()
        {
            let write = "write allow = { orgs = [\"acme\"] }, or remove `allow` for everybody whom the file's organizations manage";
            self.say.error(Code::NoWayIn, list.span(), format!("`allow` of {place} lets nobody in"), write);
        }
    }

    /// `signup = "open"` without `allow`: whoever proves any address at a provider enters (E-OPEN).
    fn everyone(&mut self, place: &str, written: &Written) -> Allow {
        let meant = written.i_know_everyone_may_enter.unwrap_or(false);
        if let (Some(signup), true, false) = (&written.signup, self.strangers_log_in, meant) {
            let what = format!(
                "signup = \"open\" without `allow` lets everybody into {place} who has an account at the issuer or a third party"
            );
            let write =
                "write allow = { … } or signup = \"org\"; if everybody is meant: i_know_everyone_may_enter = true";
            self.say.error(Code::Open, signup.span(), what, write);
        }
        Allow { everyone: true, ..Allow::default() }
    }

    fn allowed_orgs(&mut self, allow: &WrittenAllow, orgs: &[OrgName]) -> Vec<OrgName> {
        let mut found = Vec::new();
        for written in each(&allow.orgs) {
            match orgs.iter().find(|org| org.as_str() == written.as_str()) {
                Some(org) => found.push(org.clone()),
                None => {
                    let known: Vec<&str> = orgs.iter().map(OrgName::as_str).collect();
                    let write = match crate::config::shape::nearest(written, &known) {
                        Some(near) => format!("did you mean \"{near}\"?"),
                        None => format!(
                            "write [org.{}] with its domains, or one of: {}",
                            written.as_str(),
                            known.join(", ")
                        ),
                    };
                    self.say.error(
                        Code::OrgUnknown,
                        written.span(),
                        format!("there is no [org.{}]", written.as_str()),
                        write,
                    );
                }
            }
        }
        found
    }

    fn colour(&mut self, hex: &At<String>) -> Option<[u8; 3]> {
        let parsed = colour(hex);
        if parsed.is_none() {
            self.say.error(
                Code::Colour,
                hex.span(),
                format!("{:?} is not a colour", hex.as_str()),
                "write colour = \"#0052cc\"",
            );
        }
        parsed
    }

    fn step_up(&mut self, written: &Written) -> Option<StepUp> {
        let asked = written.step_up.as_ref()?;
        let paths = self.path_texts(&asked.paths, For::StepUp);
        if asked.paths.is_none() {
            let write = "write step_up = { paths = [\"/admin/*\"] }";
            self.say.error(Code::Missing, asked.span(), "`step_up` names no paths", write);
        }
        let within = self.duration(&asked.within, STEP_UP_WITHIN);
        if !STEP_UP_BOUNDS.contains(&within) {
            let span = asked.within.as_ref().map(|within| within.span()).unwrap_or_default();
            let write = "write within = \"10m\": from a minute to a day";
            self.say.error(Code::Duration, span, "a proof of just now is one of the last minutes or hours", write);
        }
        Some(StepUp { paths, within })
    }

    fn outage(&mut self, written: &Written) -> Outage {
        let Some(outage) = &written.on_store_outage else { return Outage::Grace(DEFAULT_GRACE) };
        match &**outage {
            WordOr::Word(word) if word == "deny" => Outage::Deny,
            WordOr::Table(outage) => Outage::Grace(self.duration(&outage.grace, DEFAULT_GRACE)),
            WordOr::Word(_) | WordOr::List(_) => {
                let what = "on_store_outage is a table or \"deny\"";
                self.say.error(
                    Code::Value,
                    outage.span(),
                    what,
                    "write on_store_outage = { grace = \"2m\" } or \"deny\"",
                );
                Outage::Deny
            }
        }
    }
}

/// Spans and hosts of everything public, for the checks across sections.
pub type Hosts = Vec<(Origin, Span)>;
