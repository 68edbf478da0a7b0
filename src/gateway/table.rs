//! Routing: an authority to a site, exactly. Compiled from [`Options`] once per core and reload; a request costs one hash.
//!
//! Deliberately absent: wildcards and a default site (rule M8).

use super::bounds::Patience;
use super::core::Shared;
use super::guard::load::Load;
use super::options::{Network, Options, PathRule, Site};
use super::upstream::{Group, Pool};
use crate::kernel::live::step_up::is_alike;
use crate::kernel::request::fields::MappedNames;
use crate::kernel::request::path::NormalPath;
use crate::kernel::values::Origin;
use crate::seeing::Meters;
use crate::web::{Door, Place};
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything that a core needs to route.
pub(super) struct Table {
    /// Its entries have it too, so that one can be told from a former table's.
    mark: Arc<()>,
    hosts: HashMap<String, Arc<Entry>>,
    pub(super) trusted: Vec<Network>,
    pub(super) access_log: bool,
    pub(super) proxy_protocol: bool,
    pub(super) patience: Patience,
    /// For whatever is no site's.
    pub(super) unknown: Meters,
}

/// One public origin.
pub(super) struct Entry {
    table: Arc<()>,
    pub(super) origin: Origin,
    /// As browsers write it in `Origin`.
    pub(super) url: String,
    /// As browsers write it in `Host`, and as upstreams receive it in `X-Forwarded-Host`.
    pub(super) authority: HeaderValue,
    pub(super) kind: Kind,
    pub(super) meters: Meters,
}

/// What is at an origin.
pub(super) enum Kind {
    Login,
    Product(Arc<Target>),
    /// The canonical origin's URL.
    Redirect(String),
}

/// A product as the data path serves it.
pub(super) struct Target {
    /// The paths of all its doors.
    pub doors: Arc<[String]>,
    pub(super) site: Arc<Site>,
    pub(super) mapped: MappedNames,
    pub(super) upstream_host: Option<HeaderValue>,
    /// Requests under way, with their limits.
    pub(super) load: Load,
    /// Where it is.
    pub(super) upstreams: Group,
}

/// Why an authority leads nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Misdirected {
    /// Not an authority at all.
    Malformed,
    /// Not one of ours, or another port of it.
    Unknown,
}

impl Table {
    /// For one core, which has this pool.
    pub(super) fn new(options: &Options, shared: &Shared, pool: &Pool) -> Self {
        let seeing = &shared.seeing;
        let (mark, mut hosts) = (Arc::new(()), HashMap::new());
        let mut add = |origin: &Origin, kind: Kind, meters: Meters| {
            let authority = origin.to_string();
            let Ok(value) = HeaderValue::from_str(&authority) else { return };
            let (table, origin) = (Arc::clone(&mark), origin.clone());
            let entry = Entry { table, url: origin.url(), authority: value, kind, meters, origin };
            hosts.insert(entry.origin.host().to_owned(), Arc::new(entry));
        };
        for (name, site) in &options.sites {
            let meters = seeing.meters(name.as_str());
            let target = Arc::new(Target {
                mapped: MappedNames::new(site.product.identity_fields.iter().map(|(field, _)| field.as_str())),
                upstream_host: site.upstream_host.as_deref().and_then(|host| HeaderValue::from_str(host).ok()),
                load: shared.guard.loads.of(name, site.in_flight),
                upstreams: Group::new(site, &shared.upstreams, pool),
                doors: site.doors.all().cloned().collect(),
                site: Arc::clone(site),
            });
            for origin in std::iter::once(&site.host).chain(&site.also) {
                add(origin, Kind::Product(Arc::clone(&target)), meters.clone());
            }
            for origin in &site.redirects {
                add(origin, Kind::Redirect(site.host.url()), meters.clone());
            }
        }
        add(&options.login, Kind::Login, seeing.meters("login"));
        Self {
            mark,
            hosts,
            trusted: options.listen.trusted_proxies.clone(),
            access_log: options.listen.access_log,
            proxy_protocol: options.listen.proxy_protocol,
            patience: options.listen.patience,
            unknown: seeing.meters("unknown"),
        }
    }

    /// Whether the entry is one of this table.
    pub(super) fn has(&self, entry: &Entry) -> bool {
        Arc::ptr_eq(&self.mark, &entry.table)
    }

    /// The origin that an authority names: host and port, both exactly.
    pub(super) fn find(&self, authority: &str) -> Result<&Arc<Entry>, Misdirected> {
        let (host, port) = split(authority)?;
        let entry = self.by_host(host)?;
        if entry.origin.port() == port.unwrap_or(443) { Ok(entry) } else { Err(Misdirected::Unknown) }
    }

    /// The origin on that host name, whatever the port: for redirects from plain HTTP.
    pub(super) fn find_host(&self, authority: &str) -> Result<&Arc<Entry>, Misdirected> {
        self.by_host(split(authority)?.0)
    }

    fn by_host(&self, host: &str) -> Result<&Arc<Entry>, Misdirected> {
        let found = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.hosts.get(&host.to_ascii_lowercase())
        } else {
            self.hosts.get(host)
        };
        found.ok_or(Misdirected::Unknown)
    }
}

/// Host and port of an authority (RFC 9110 §7.2), without userinfo.
fn split(authority: &str) -> Result<(&str, Option<u16>), Misdirected> {
    let named = |host: &str| {
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
    };
    if let Some(literal) = authority.strip_prefix('[') {
        return if literal.contains(']') { Err(Misdirected::Unknown) } else { Err(Misdirected::Malformed) };
    }
    match authority.split_once(':') {
        None if named(authority) => Ok((authority, None)),
        Some((host, port)) if named(host) && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            Ok((host, Some(port.parse().map_err(|_| Misdirected::Malformed)?)))
        }
        _ => Err(Misdirected::Malformed),
    }
}

impl Entry {
    /// Where pages are told that a request came in.
    pub(super) fn place(&self, target: Option<&Target>) -> Place {
        match target {
            None => Place::Login,
            Some(target) => Place::Product {
                product: Arc::clone(&target.site.product),
                host: self.origin.clone(),
                doors: Arc::clone(&target.doors),
                cookie_domain: target.site.cookie_domain.clone(),
            },
        }
    }
}

impl PathRule {
    /// Whether the path is under this rule.
    pub(super) fn holds(&self, path: &NormalPath<'_>) -> bool {
        match self {
            Self::Exact(exact) => path.is(exact),
            Self::Below(prefix) => path.is_below(prefix),
        }
    }
}

impl Target {
    /// Rule M10: a public path matches, has plain characters only, and is asked for by GET or HEAD. `/*` opens nothing.
    pub(super) fn is_public(&self, method: &http::Method, path: &NormalPath<'_>) -> bool {
        let safe = matches!(*method, http::Method::GET | http::Method::HEAD);
        let opens = |rule: &PathRule| match rule {
            PathRule::Below(prefix) if prefix == "/" => false,
            PathRule::Exact(exact) if exact == "/" => false,
            rule => rule.holds(path),
        };
        safe && path.is_plain() && self.site.public.iter().any(opens)
    }

    pub(super) fn is_optional(&self, path: &NormalPath<'_>) -> bool {
        self.site.optional.iter().any(|rule| rule.holds(path)) && !self.is_like_app_login(path)
    }

    /// Whether API tokens of the product's own pass there (rule C7). Never where people or apps log in.
    pub(super) fn is_api(&self, path: &NormalPath<'_>) -> bool {
        self.site.api.iter().any(|rule| rule.holds(path)) && !self.is_like_app_login(path)
    }

    /// Whether some server could take it for an app's login, whatever the method: nobody without a session comes to a login of the
    /// product's own that nobody has judged (rule B6).
    fn is_like_app_login(&self, path: &NormalPath<'_>) -> bool {
        self.site.product.password_api.iter().any(|api| is_alike(path.path(), &api.path))
    }

    /// Whether it is an app's login at a JSON path of the product's own (`password_api`).
    pub(super) fn is_app_login(&self, method: &http::Method, path: &NormalPath<'_>) -> bool {
        *method == http::Method::POST && self.site.product.password_api.iter().any(|api| path.is(&api.path))
    }

    pub(super) fn door(&self, path: &NormalPath<'_>) -> Option<Door> {
        let doors = &self.site.doors;
        let any = |paths: &[String]| paths.iter().any(|door| path.is(door));
        match () {
            () if any(&doors.login) => Some(Door::Login),
            () if any(&doors.logout) => Some(Door::Logout),
            () if any(&doors.reset) => Some(Door::Reset),
            () if any(&doors.signup) => Some(Door::Signup),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_host_and_port_and_nothing_else() {
        for (text, read) in [
            ("a.example", Ok(("a.example", None))),
            ("a.example:8443", Ok(("a.example", Some(8443)))),
            ("a.example:", Err(Misdirected::Malformed)),
            ("a.example:x", Err(Misdirected::Malformed)),
            ("a.example:99999", Err(Misdirected::Malformed)),
            ("u@a.example", Err(Misdirected::Malformed)),
            ("", Err(Misdirected::Malformed)),
            ("[::1]:80", Err(Misdirected::Unknown)),
            ("a.example/x", Err(Misdirected::Malformed)),
        ] {
            assert_eq!(split(text), read, "{text}");
        }
    }
}
