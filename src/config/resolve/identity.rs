//! What a product learns of people besides the assertion, and which cookies it may set.

use super::Reader;
use crate::config::file::{At, Product as Written};
use crate::config::finding::Code;
use crate::gateway::options::Site;
use crate::kernel::model::Claim;
use crate::kernel::values::Origin;
use http::HeaderName;

/// Fields that carry meaning of their own; a mapping to them would undo a rule of the data path.
const NOT_FOR_IDENTITY: [&str; 16] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "fedgate-assertion",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

impl Reader<'_> {
    /// `headers`: identity fields for products that read no JWT.
    pub(super) fn identity_fields(&mut self, written: &Written) -> Vec<(String, Claim)> {
        let mut fields = Vec::new();
        for (name, claim) in &written.headers.0 {
            let field = HeaderName::from_bytes(name.as_bytes()).ok().map(|field| field.as_str().replace('_', "-"));
            let Some(field) =
                field.filter(|field| !NOT_FOR_IDENTITY.contains(&field.as_str()) && !field.starts_with("x-fedgate-"))
            else {
                let what = format!("{:?} is not a field that can carry an identity", name.as_str());
                self.say.error(
                    Code::Header,
                    name.span(),
                    what,
                    "write a field of the product's own, such as \"X-Forwarded-User\"",
                );
                continue;
            };
            let meant = written.i_know_email_is_not_identity.unwrap_or(false);
            match self.claim(claim) {
                Some(Claim::Email | Claim::Name) if !meant => self.email_key(claim),
                Some(claim) => fields.push((field, claim)),
                None => {}
            }
        }
        fields
    }

    fn email_key(&mut self, claim: &At<String>) {
        let what = format!(
            "`{}` changes and is given to somebody else: a product that knows people by it mixes them up",
            claim.as_str()
        );
        let write =
            "write \"sub\", the product's own user id; if it only shows it: i_know_email_is_not_identity = true";
        self.say.error(Code::EmailKey, claim.span(), what, write);
    }

    fn claim(&mut self, written: &At<String>) -> Option<Claim> {
        let claim = match written.as_str() {
            "sub" => Some(Claim::Sub),
            "email" => Some(Claim::Email),
            "name" => Some(Claim::Name),
            "account" => Some(Claim::Account),
            "org" => Some(Claim::Org),
            "groups" => Some(Claim::Groups),
            "amr" => Some(Claim::Amr),
            _ => None,
        };
        if claim.is_none() {
            let what = format!("{:?} is not a claim", written.as_str());
            self.say.error(
                Code::Value,
                written.span(),
                what,
                "write one of sub, email, name, account, org, groups, amr",
            );
        }
        claim
    }

    /// `cookie_domain`: a domain above the host; whether it is the product's own is judged when all hosts are known.
    pub(super) fn cookie_domain(&mut self, written: &Written, host: Option<&Origin>) -> Option<String> {
        let domain = written.cookie_domain.as_ref().filter(|word| word.as_str() != "off")?;
        let name = domain.trim_start_matches('.').to_lowercase();
        let host = host?;
        if !within(host.host(), &name) {
            let what = format!("{} is not in {name:?}, so it cannot set cookies for it", host.host());
            self.say.error(
                Code::CookieDomain,
                domain.span(),
                what,
                "write a domain that the host ends with, or \"off\"",
            );
            return None;
        }
        self.cookie_domains.push((name.clone(), host.host().to_owned(), domain.span()));
        Some(name)
    }

    /// A domain that somebody else lives in is not the product's own (rule H6).
    pub(super) fn cookie_domains_owned(&mut self, products: &[Site]) {
        for (domain, owner, span) in std::mem::take(&mut self.cookie_domains) {
            let mine = |host: &str| {
                products
                    .iter()
                    .any(|site| site.host.host() == owner && site.product.hosts.iter().any(|own| own.host() == host))
            };
            let neighbour =
                self.hosts.iter().map(|(origin, _)| origin.host()).find(|host| within(host, &domain) && !mine(host));
            let public = psl::domain(domain.as_bytes()).is_none();
            if let Some(neighbour) = neighbour {
                let what = format!("cookies for {domain} would reach {neighbour}, which is not this product");
                self.say.error(
                    Code::CookieDomain,
                    span,
                    what,
                    "write \"off\", or a domain in which only this product lives",
                );
            } else if public {
                let what = format!("{domain} is a public suffix");
                self.say.error(Code::CookieDomain, span, what, "write \"off\", or the product's own domain");
            }
        }
    }
}

fn within(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
