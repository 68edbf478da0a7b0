//! A cookie jar by RFC 6265bis as Chromium keeps it: host-only cookies, name prefixes, `Secure`, `SameSite`, expiry.
//!
//! Deliberately absent: partitioned cookies and the limits on how many a browser keeps.

use url::{Host, Url};

use super::site;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SameSite {
    None,
    Lax,
    Strict,
    /// No attribute: Lax, but for two minutes also sent with a cross-site POST navigation (Chromium).
    Unsaid,
}

#[derive(Clone, Debug)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    pub domain: String,
    pub host_only: bool,
    pub path: String,
    pub secure: bool,
    pub http_only: bool,
    pub same_site: SameSite,
    /// Unix seconds; none for a cookie of the browser's session.
    pub expires: Option<i64>,
    created: i64,
}

/// How a request stands to the page that made it, as far as cookies care.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub same_site: bool,
    /// A navigation of the whole tab, not a frame or a fetch.
    pub top_level: bool,
    pub safe_method: bool,
    pub now: i64,
}

#[derive(Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

const LAX_POST_SECONDS: i64 = 120;
const LARGEST: usize = 4096;

impl Jar {
    /// Takes one `Set-Cookie` line of a response from `url`; says whether it was kept (or expired something), for traces.
    pub fn set(&mut self, url: &Url, line: &str, context: Context) -> bool {
        let Some(cookie) = parse(url, line, context) else { return false };
        let overlaid = |old: &Cookie| {
            old.secure && !site::trustworthy(url) && old.name == cookie.name && old.matches_host(&cookie.domain)
        };
        if self.cookies.iter().any(overlaid) {
            return false;
        }
        let same = |old: &Cookie| {
            (&old.name, &old.domain, old.host_only, &old.path)
                == (&cookie.name, &cookie.domain, cookie.host_only, &cookie.path)
        };
        let created = self.cookies.iter().find(|old| same(old)).map_or(cookie.created, |old| old.created);
        self.cookies.retain(|old| !same(old));
        if cookie.expires.is_none_or(|at| at > context.now) {
            self.cookies.push(Cookie { created, ..cookie });
        }
        true
    }

    /// The `Cookie` header for a request to `url`: longer paths first, then older ones (§5.8.3).
    pub fn header(&mut self, url: &Url, context: Context) -> Option<String> {
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|at| at > context.now));
        let mut sent: Vec<&Cookie> = self.cookies.iter().filter(|cookie| cookie.goes_to(url, context)).collect();
        sent.sort_by_key(|cookie| (std::cmp::Reverse(cookie.path.len()), cookie.created));
        let pairs: Vec<String> = sent
            .iter()
            .map(|cookie| {
                if cookie.name.is_empty() { cookie.value.clone() } else { format!("{}={}", cookie.name, cookie.value) }
            })
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// What the jar holds for this host, for assertions and for carrying a stolen cookie elsewhere.
    pub fn of_host(&self, host: &str) -> Vec<Cookie> {
        self.cookies.iter().filter(|cookie| cookie.matches_host(host)).cloned().collect()
    }

    pub fn put(&mut self, cookie: Cookie) {
        self.cookies.push(cookie);
    }

    /// Forgets the cookies that `which` names; says how many.
    pub fn forget(&mut self, which: impl Fn(&Cookie) -> bool) -> usize {
        let before = self.cookies.len();
        self.cookies.retain(|cookie| !which(cookie));
        before - self.cookies.len()
    }
}

impl Cookie {
    fn matches_host(&self, host: &str) -> bool {
        host == self.domain || (!self.host_only && host.ends_with(&format!(".{}", self.domain)))
    }

    fn goes_to(&self, url: &Url, context: Context) -> bool {
        let path = url.path();
        let on_path = path == self.path
            || (path.starts_with(&self.path)
                && (self.path.ends_with('/') || path.as_bytes().get(self.path.len()) == Some(&b'/')));
        let navigation = context.top_level && context.safe_method;
        let fresh = context.now - self.created < LAX_POST_SECONDS;
        let site_allows = context.same_site
            || match self.same_site {
                SameSite::None => true,
                SameSite::Lax => navigation,
                SameSite::Unsaid => navigation || (context.top_level && fresh),
                SameSite::Strict => false,
            };
        self.matches_host(url.host_str().unwrap_or_default())
            && on_path
            && (!self.secure || site::trustworthy(url))
            && site_allows
    }
}

/// RFC 6265bis §5.6 and §5.7: none where the browser would drop the line.
fn parse(url: &Url, line: &str, context: Context) -> Option<Cookie> {
    if line.bytes().any(|byte| byte < 0x20 && byte != b'\t' || byte == 0x7f) {
        return None;
    }
    let mut parts = line.split(';');
    let pair = parts.next()?;
    let (name, value) = pair.split_once('=').map_or(("", pair.trim()), |(name, value)| (name.trim(), value.trim()));
    if name.len() + value.len() > LARGEST || (name.is_empty() && (value.is_empty() || prefixed(value))) {
        return None;
    }
    let host = url.host_str()?.to_owned();
    let mut cookie = Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        domain: host.clone(),
        host_only: true,
        path: default_path(url),
        secure: false,
        http_only: false,
        same_site: SameSite::Unsaid,
        expires: None,
        created: context.now,
    };
    let mut path_said = false;
    let mut by_max_age = None;
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "path" if value.starts_with('/') => {
                path_said = true;
                value.clone_into(&mut cookie.path);
            }
            "domain" if !value.is_empty() => widen(&mut cookie, url, value)?,
            "max-age" => {
                by_max_age =
                    value.parse::<i64>().ok().map(|seconds| context.now.saturating_add(seconds.max(0))).or(by_max_age)
            }
            "expires" => cookie.expires = http_date(value).or(cookie.expires),
            "samesite" => cookie.same_site = same_site(value),
            _ => {}
        }
    }
    cookie.expires = by_max_age.or(cookie.expires);
    let says_root = path_said && cookie.path == "/";
    let third_party = !context.same_site && !context.top_level && cookie.same_site != SameSite::None;
    (allowed(&cookie, url, says_root) && !third_party).then_some(cookie)
}

/// `Domain=`: the request's host must lie in it, and it must not be a public suffix. None refuses the cookie.
fn widen(cookie: &mut Cookie, url: &Url, value: &str) -> Option<()> {
    let domain = value.strip_prefix('.').unwrap_or(value).to_ascii_lowercase();
    let host = url.host_str()?;
    let within =
        host == domain || (host.ends_with(&format!(".{domain}")) && matches!(url.host(), Some(Host::Domain(_))));
    if !within || (site::registrable(&domain).is_none() && host != domain) {
        return None;
    }
    cookie.host_only = false;
    cookie.domain = domain;
    Some(())
}

fn allowed(cookie: &Cookie, url: &Url, says_root: bool) -> bool {
    let secure = cookie.secure && site::trustworthy(url);
    let name = cookie.name.to_ascii_lowercase();
    (!cookie.secure || site::trustworthy(url))
        && (!name.starts_with("__secure-") || secure)
        && (!name.starts_with("__host-") || (secure && cookie.host_only && says_root))
        && (cookie.same_site != SameSite::None || cookie.secure)
}

fn prefixed(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("__host-") || name.starts_with("__secure-")
}

fn same_site(value: &str) -> SameSite {
    match value.to_ascii_lowercase().as_str() {
        "none" => SameSite::None,
        "lax" => SameSite::Lax,
        "strict" => SameSite::Strict,
        _ => SameSite::Unsaid,
    }
}

fn default_path(url: &Url) -> String {
    match url.path().rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => url.path()[..end].to_owned(),
    }
}

/// `Wed, 21 Oct 2015 07:28:00 GMT` (with `-` for the blanks as well) to Unix seconds.
fn http_date(text: &str) -> Option<i64> {
    let text = text.replace('-', " ");
    let mut words = text.split_ascii_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok()?;
    let name = words.next()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = i64::try_from(months.iter().position(|known| known.eq_ignore_ascii_case(name))?).ok()? + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let clock: Vec<i64> = words.next()?.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else { return None };
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, in_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let in_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}
