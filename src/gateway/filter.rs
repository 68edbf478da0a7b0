//! What a product may say to a browser (rules H6, H7, H8).

use super::table::Target;
use crate::kernel::request::{
    cookies::{self, SetCookie},
    fields,
};
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// One year. Without `includeSubDomains`: other hosts are not ours to speak for.
pub(super) const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Edits a response's head in place. `public` for responses that shared caches may keep (rule M10 paths); `bound` where the
/// connection that it came on is one session's own.
pub(super) fn clean(headers: &mut HeaderMap, target: &Target, public: bool, bound: bool) {
    let found = look(headers, public);
    strip(headers, &found);
    if found.cookies {
        clean_cookies(headers, target.site.cookie_domain.as_deref());
    }
    if found.clears {
        rewrite(headers, &CLEAR_SITE_DATA, |value| match fields::clear_site_data(value) {
            Some(kept) if kept == value => Change::Keep,
            Some(kept) => Change::Replace(kept),
            None => Change::Remove,
        });
    }
    if found.challenges && !bound {
        rewrite(headers, &header::WWW_AUTHENTICATE, |challenge| {
            if !bound && fields::authenticates_connections(challenge) { Change::Remove } else { Change::Keep }
        });
    }
    if !public {
        make_private(headers, found.caching);
    }
}

/// What one pass over the names saw: most responses have little of it, and need not be searched for each.
#[derive(Default)]
struct Found {
    connection: bool,
    cookies: bool,
    clears: bool,
    challenges: bool,
    caching: bool,
    doomed: Vec<HeaderName>,
}

fn look(headers: &HeaderMap, public: bool) -> Found {
    let mut found = Found::default();
    for name in headers.keys() {
        match *name {
            header::CONNECTION => found.connection = true,
            header::SET_COOKIE => found.cookies = true,
            header::WWW_AUTHENTICATE => found.challenges = true,
            header::CACHE_CONTROL => found.caching = true,
            _ => {
                let text = name.as_str();
                found.clears |= *name == CLEAR_SITE_DATA;
                let goes = fields::is_kept_from_browsers(text)
                    || fields::is_hop_by_hop(text)
                    || (!public && fields::opens_shared_caches(text));
                if goes {
                    found.doomed.push(name.clone());
                }
            }
        }
    }
    found
}

fn strip(headers: &mut HeaderMap, found: &Found) {
    let mut named: Vec<HeaderName> = Vec::new();
    if found.connection {
        for value in headers.get_all(header::CONNECTION) {
            let names = fields::named_by_connection(value.as_bytes());
            named.extend(names.filter_map(|name| HeaderName::from_bytes(name).ok()));
        }
        // Its length is how the answer is framed.
        named.retain(|name| *name != header::CONTENT_LENGTH);
        headers.remove(header::CONNECTION);
    }
    for name in named.iter().chain(&found.doomed) {
        headers.remove(name);
    }
}

fn clean_cookies(headers: &mut HeaderMap, owned: Option<&str>) {
    let unchanged = |value: &HeaderValue| cookies::set_cookie(value.as_bytes(), owned) == SetCookie::Unchanged;
    if headers.get_all(header::SET_COOKIE).iter().all(unchanged) {
        return;
    }
    let Entry::Occupied(entry) = headers.entry(header::SET_COOKIE) else { return };
    let (_, values) = entry.remove_entry_mult();
    let kept: Vec<HeaderValue> = values
        .filter_map(|value| match cookies::set_cookie(value.as_bytes(), owned) {
            SetCookie::Unchanged => Some(value),
            SetCookie::Removed => None,
            SetCookie::HostOnly(rest) => HeaderValue::from_bytes(&rest).ok(),
        })
        .collect();
    for value in kept {
        headers.append(header::SET_COOKIE, value);
    }
}

enum Change {
    Keep,
    Replace(String),
    Remove,
}

/// Judges each value of a field; what is not text is removed.
fn rewrite(headers: &mut HeaderMap, name: &HeaderName, judge: impl Fn(&str) -> Change) {
    if !headers.contains_key(name) {
        return;
    }
    let Entry::Occupied(entry) = headers.entry(name) else { return };
    let (_, values) = entry.remove_entry_mult();
    let kept: Vec<HeaderValue> = values
        .filter_map(|value| match judge(value.to_str().ok()?) {
            Change::Keep => Some(value),
            Change::Replace(text) => HeaderValue::try_from(text).ok(),
            Change::Remove => None,
        })
        .collect();
    for value in kept {
        headers.append(name.clone(), value);
    }
}

/// Rule H8: what was made for one person stays out of shared caches.
fn make_private(headers: &mut HeaderMap, says_something: bool) {
    if !says_something {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        return;
    }
    let mut fields = headers.get_all(header::CACHE_CONTROL).iter();
    let said = match (fields.next(), fields.next()) {
        (None, _) => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
            return;
        }
        (Some(one), None) => String::from_utf8_lossy(one.as_bytes()).into_owned(),
        (Some(_), Some(_)) => {
            let all: Vec<_> = headers.get_all(header::CACHE_CONTROL).iter().collect();
            all.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
        }
    };
    if let Some(private) = fields::private_cache_control(&said) {
        let value = HeaderValue::try_from(private).unwrap_or(HeaderValue::from_static("private, no-store"));
        headers.insert(header::CACHE_CONTROL, value);
    }
}
