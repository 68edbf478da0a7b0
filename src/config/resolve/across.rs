//! Checks across sections: host names, sites, sub-domains, whether anybody can come in at all.

use super::Reader;
use super::values::each;
use crate::config::draft::{DraftDirectory, DraftOrg};
use crate::config::file::{File, Span};
use crate::config::finding::Code;
use crate::gateway::options::{Site, Upstream};
use crate::kernel::model::{Passwords, Sso};

impl Reader<'_> {
    /// Cookies ignore ports: two public origins on one host name would share them (rule H6).
    pub(super) fn same_names(&mut self) {
        for (at, (origin, span)) in self.hosts.iter().enumerate() {
            if let Some((other, _)) = self.hosts.iter().take(at).find(|(other, _)| other.host() == origin.host()) {
                let what = format!("{origin} and {other} are on one host name, and cookies ignore ports");
                let write = "give each public origin a host name of its own";
                self.say.error(Code::SameName, span.clone(), what, write);
            }
        }
    }

    /// The login host on the site of the products: what runs on a product can send requests that carry the login cookie.
    pub(super) fn same_site(&mut self, file: &File) {
        let Some(login) = &file.login else { return };
        let site = |host: &str| psl::domain_str(host).map(ToOwned::to_owned);
        let own = login.split(':').next().and_then(site);
        let login_span = login.span();
        let shared = self
            .hosts
            .iter()
            .filter(|(_, span)| *span != login_span)
            .any(|(origin, _)| own.is_some() && site(origin.host()) == own);
        if let (true, Some(own)) = (shared, own) {
            let what = format!(
                "the login host is on the same site as a product ({own}), so a product's scripts are its neighbours"
            );
            self.say.advice(
                Code::WSameSite,
                login_span,
                what,
                "where you can, give the login host a domain of its own: \"id.example.net\"",
            );
        }
    }

    /// Whoever may ask at `/.fedgate/auth` is told who is logged in, so somebody must be trusted to.
    pub(super) fn forward_auth(&mut self, file: &File) {
        let trusted = file.listen.as_ref().is_some_and(|listen| each(&listen.trusted_proxies).next().is_some());
        for (name, product) in &file.product.0 {
            if let Some(key) = product.forward_auth.as_ref().filter(|asked| ***asked && !trusted) {
                let what = format!("[product.{}] has `forward_auth`, and no proxy is trusted to ask", name.as_str());
                let write =
                    "write trusted_proxies = [\"10.0.0.7/32\"] under [listen] with the addresses of the proxy in front";
                self.say.error(Code::ForwardAuth, key.span(), what, write);
            }
        }
    }

    /// A login of a connection needs one that carries a request at a time.
    pub(super) fn connection_auth(&mut self, file: &File, sites: &[Site]) {
        let shares = |upstream: &Upstream| matches!(upstream, Upstream::H2c { .. } | Upstream::UnixH2c(_));
        for site in sites.iter().filter(|site| site.connection_auth && site.upstreams.iter().any(shares)) {
            let written = file.product.0.iter().find(|(name, _)| name.as_str() == site.product.name.as_str());
            if let Some(key) = written.and_then(|(_, product)| product.connection_auth.as_ref()) {
                let what =
                    "`connection_auth` and an upstream that speaks HTTP/2 alone, where all requests share a connection";
                let write = "write upstream = \"http://…\", \"https://…\" or \"unix:…\", or remove connection_auth";
                self.say.error(Code::ConnectionAuth, key.span(), what, write);
            }
        }
    }

    /// Addresses on a sub-domain that no organization holds, though the domain above it is held: probably meant to be.
    pub(super) fn sub_domains(&mut self) {
        for (address, span) in std::mem::take(&mut self.mentioned) {
            let domain = address.domain();
            if self.claimed.iter().any(|(held, _)| held == domain) {
                continue;
            }
            let above = self
                .claimed
                .iter()
                .find(|(held, _)| domain.as_str().strip_suffix(held.as_str()).is_some_and(|rest| rest.ends_with('.')));
            if let Some((held, org)) = above {
                let what = format!("{domain} is another domain than {held}: {address} belongs to no organization");
                let write = format!("add \"{domain}\" to `domains` of [org.{org}] if its people belong to it");
                self.say.warning(Code::WSubdomain, span, what, write);
            }
        }
    }

    /// A product whose people have no provider at all.
    pub(super) fn ways_in(&mut self, file: &File, orgs: &[DraftOrg], directories: &[DraftDirectory], sites: &[Site]) {
        // With errors, a missing provider may be one that could not be read.
        if self.say.has_errors() || self.misshapen {
            return;
        }
        let strangers = directories.iter().any(|directory| directory.org().is_none());
        let opens = |org: &DraftOrg| org.policy.sso != Sso::Off && !org.directories.is_empty();
        for site in sites {
            let allow = &site.product.allow;
            let nobody = !allow.everyone && allow.orgs.is_empty() && allow.groups.is_empty() && allow.people.is_empty();
            if nobody {
                let span = Self::named(file, site);
                let what = format!(
                    "nobody may enter [product.{}]: without `allow` it is for people of organizations, and there is none",
                    site.product.name
                );
                let write =
                    "write [org.NAME] with its domains and `sso`, or allow = { people = [\"ann@example.com\"] }";
                self.say.error(Code::NoWayIn, span, what, write);
                continue;
            }
            let names_one_of = |org: &DraftOrg| {
                org.domains.iter().any(|(domain, _)| allow.people.iter().any(|person| person.domain() == domain))
            };
            let by_org = orgs
                .iter()
                .filter(|org| opens(org))
                .any(|org| allow.orgs.contains(&org.name) || !allow.groups.is_empty() || names_one_of(org));
            let by_password = site.product.passwords != Passwords::None;
            if !by_org && !strangers && !by_password {
                let span = Self::named(file, site);
                let what = format!(
                    "nobody can log in to [product.{}]: no provider says who its people are",
                    site.product.name
                );
                let write = "write sso = { oidc = \"…\", client_id = \"…\", client_secret_file = \"…\" } in [org.NAME], or [issuer]";
                self.say.error(Code::NoWayIn, span, what, write);
            }
        }
    }

    /// Where a product is named.
    fn named(file: &File, site: &Site) -> Span {
        let written = file.product.0.iter().find(|(name, _)| name.as_str() == site.product.name.as_str());
        written.map_or(Self::top(), |(name, _)| name.span())
    }
}
