//! What a connection remembers from one request to the next, because clients say the same again: where the last request went, and
//! what its cookies came to, and whose it was. Remembered is only what follows from the bytes alone; whether a session lives is
//! asked every time.
//!
//! Deliberately absent: a list of several. A connection that carries many clients or hosts reads each request anew.

use super::guard::caps::{Caps, Guest};
use super::table::{Entry, Table};
use crate::kernel::request::cookies::{self, Remaining, SessionCookie};
use crate::kernel::values::{SessionKey, Token};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::header::{COOKIE, HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// Longer cookies are read anew each time: what a connection holds stays small.
const LONGEST: usize = 4 * 1024;

/// The memory of one connection. Only its own core uses it, so the lock never waits.
#[derive(Default)]
pub(super) struct Recall(Mutex<Last>);

#[derive(Default)]
struct Last {
    place: Option<Arc<Entry>>,
    cookies: Option<Known>,
    guest: Option<(IpAddr, Arc<Guest>)>,
}

struct Known {
    field: Zeroizing<Vec<u8>>,
    cookies: Cookies,
}

/// What the `Cookie` fields of a request came to.
#[derive(Clone, Default)]
pub(super) struct Cookies {
    pub(super) session: SessionCookie,
    /// What finds the session, where the port told it.
    pub(super) key: Option<SessionKey>,
    /// What the product receives.
    pub(super) rest: Rest,
}

/// One `Cookie` field without ours; HTTP/2 clients may have split it (RFC 9113 §8.2.3).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Rest {
    /// There is one field at most, and none of ours in it.
    #[default]
    AsItCame,
    /// Nothing but ours was in it.
    Nothing,
    Others(HeaderValue),
}

impl Recall {
    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The origin that this connection's last request was for, if this one says the same and nothing was reloaded since.
    pub(super) fn place(&self, table: &Table, authority: &str) -> Option<Arc<Entry>> {
        let last = self.last();
        last.place.as_ref().filter(|entry| entry.authority == authority && table.has(entry)).map(Arc::clone)
    }

    /// Remembers where a request went; only what this connection may ask for (rule M8).
    pub(super) fn remember_place(&self, entry: &Arc<Entry>) {
        self.last().place = Some(Arc::clone(entry));
    }

    /// The client whom a trusted proxy names: looked up under a lock that all cores share, so the last one is kept.
    pub(super) fn guest(&self, client: IpAddr, caps: &Arc<Caps>) -> Arc<Guest> {
        let mut last = self.last();
        if let Some((_, guest)) = last.guest.as_ref().filter(|(known, _)| *known == client) {
            return Arc::clone(guest);
        }
        let guest = Arc::new(caps.guest(client));
        last.guest = Some((client, Arc::clone(&guest)));
        guest
    }

    /// Reads the cookies of a request; `key` says what finds a token's session.
    pub(super) fn cookies(&self, headers: &HeaderMap, key: impl Fn(&Token) -> Option<SessionKey>) -> Cookies {
        let fields = headers.get_all(COOKIE);
        let Some(first) = fields.iter().next() else { return Cookies::default() };
        let mut last = self.last();
        if let Some(known) = last.cookies.as_ref().filter(|known| known.is_said_by(first, fields.iter().skip(1))) {
            return known.cookies.clone();
        }
        let field = joined(first, fields.iter().skip(1));
        let session = cookies::session(std::iter::once(&*field));
        let key = if let SessionCookie::One(token) = &session { key(token) } else { None };
        let found = Cookies { session, key, rest: rest(&field, matches!(field, Cow::Owned(_))) };
        last.cookies = (found.key.is_some() && field.len() <= LONGEST)
            .then(|| Known { field: Zeroizing::new(field.into_owned()), cookies: found.clone() });
        found
    }

    /// The key led nowhere: it is made anew for the next request, under the keys of then.
    pub(super) fn forget_cookies(&self) {
        self.last().cookies = None;
    }
}

impl Known {
    /// Whether a request says the same, however it is split. In constant time: behind a proxy the next request may be somebody
    /// else's guess.
    fn is_said_by<'a>(&self, first: &HeaderValue, more: impl Iterator<Item = &'a HeaderValue>) -> bool {
        let Some((start, mut rest)) = self.field.split_at_checked(first.len()) else { return false };
        let mut same = verify_slices_are_equal(start, first.as_bytes()).is_ok();
        for value in more {
            let Some((part, after)) = rest.strip_prefix(b"; ").and_then(|rest| rest.split_at_checked(value.len()))
            else {
                return false;
            };
            same &= verify_slices_are_equal(part, value.as_bytes()).is_ok();
            rest = after;
        }
        same && rest.is_empty()
    }
}

/// What a product receives of a request's cookies.
pub(super) fn rest_of(headers: &HeaderMap) -> Rest {
    let fields = headers.get_all(COOKIE);
    let Some(first) = fields.iter().next() else { return Rest::AsItCame };
    let field = joined(first, fields.iter().skip(1));
    rest(&field, matches!(field, Cow::Owned(_)))
}

/// All fields as one; borrowed if there is one.
fn joined<'a>(first: &'a HeaderValue, more: impl Iterator<Item = &'a HeaderValue>) -> Cow<'a, [u8]> {
    let mut field = Cow::Borrowed(first.as_bytes());
    for value in more {
        let joined = field.to_mut();
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(value.as_bytes());
    }
    field
}

fn rest(field: &[u8], split: bool) -> Rest {
    let others = match cookies::without_ours(field) {
        Remaining::Unchanged if !split => return Rest::AsItCame,
        Remaining::Unchanged => field.to_vec(),
        Remaining::Nothing => return Rest::Nothing,
        Remaining::Others(others) => others,
    };
    HeaderValue::try_from(others).map_or(Rest::Nothing, Rest::Others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::bounds::Crowd;
    use std::cell::Cell;

    fn headers(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (COOKIE, HeaderValue::from_str(field).unwrap())).collect()
    }

    /// Reads `fields` after `before` on one connection: the session, what the product receives, and how many keys were made.
    fn read(before: &[&str], fields: &[&str]) -> (SessionCookie, Rest, u32) {
        let recall = Recall::default();
        let made = Cell::new(0);
        let key = |token: &Token| {
            made.set(made.get() + 1);
            Some(SessionKey(*token.bytes()))
        };
        if !before.is_empty() {
            recall.cookies(&headers(before), key);
        }
        let found = recall.cookies(&headers(fields), key);
        let fresh = Recall::default().cookies(&headers(fields), |token| Some(SessionKey(*token.bytes())));
        assert_eq!((&found.session, &found.rest, found.key), (&fresh.session, &fresh.rest, fresh.key), "{fields:?}");
        (found.session, found.rest, made.get())
    }

    fn cookie(fill: u8) -> (String, SessionCookie) {
        let token = Token::new([fill; 32]);
        (format!("__Host-fedgate={}", token.expose().as_str()), SessionCookie::One(token))
    }

    #[test]
    fn c7_what_was_said_before_changes_nothing() {
        let ((ann, is_ann), (ben, is_ben)) = (cookie(1), cookie(2));
        let with = |more: &str| format!("{ann}; {more}");
        for (before, fields, session, made) in [
            (vec![&*ann], vec![&*ann], &is_ann, 1),
            (vec![&*ann], vec![&*ben], &is_ben, 2),
            (vec![&*with("a=b")], vec![&*with("a=b")], &is_ann, 1),
            (vec![&*with("a=b")], vec![&*ann, "a=b"], &is_ann, 1),
            (vec![&*ann, "a=b"], vec![&*with("a=b")], &is_ann, 1),
            (vec![&*with("a=b")], vec![&*with("a=c")], &is_ann, 2),
            (vec![&*with("a=b")], vec![&*ann], &is_ann, 2),
            (vec![&*ann], vec![&*ann, "a=b"], &is_ann, 2),
            (vec![&*ann], vec![&*ann, &*ann], &SessionCookie::Several, 1),
            (vec![&*ann], vec!["a=b"], &SessionCookie::None, 1),
            (vec![&*ann], vec![], &SessionCookie::None, 1),
            (vec![&*ann], vec![""], &SessionCookie::None, 1),
        ] {
            let (found, _, keys) = read(&before, &fields);
            assert_eq!((&found, keys), (session, made), "{before:?} {fields:?}");
        }
    }

    #[test]
    fn c7_the_product_receives_one_field_without_ours() {
        let (ann, _) = cookie(1);
        let others = |text| Rest::Others(HeaderValue::from_static(text));
        for (fields, rest) in [
            (vec!["a=b"], Rest::AsItCame),
            (vec!["a=b", "c=d"], others("a=b; c=d")),
            (vec![&*ann], Rest::Nothing),
            (vec![&*ann, "a=b"], others("a=b")),
            (vec![], Rest::AsItCame),
        ] {
            assert_eq!(read(&[], &fields).1, rest, "{fields:?}");
            assert_eq!(read(&fields, &fields).1, rest, "{fields:?} again");
        }
    }

    #[test]
    fn m29_each_client_behind_a_proxy_is_counted_as_itself() {
        let (recall, caps) = (Recall::default(), Arc::new(Caps::new(Crowd::default())));
        let named = |last: u8| recall.guest([192, 0, 2, last].into(), &caps);
        let ann = named(1);
        assert!(Arc::ptr_eq(&ann, &named(1)));
        let ben = named(2);
        assert!(!Arc::ptr_eq(ann.client(), ben.client()));
        assert!(Arc::ptr_eq(ann.client(), named(1).client()), "known while a request of hers is under way");
        assert!(Arc::ptr_eq(ben.client(), caps.guest([192, 0, 2, 2].into()).client()), "the same for all connections");
    }

    #[test]
    fn what_a_connection_holds_is_bounded_and_can_be_forgotten() {
        let (ann, _) = cookie(1);
        let long = format!("{ann}; a={}", "b".repeat(LONGEST));
        assert_eq!(read(&[&long], &[&long]).2, 2, "read anew");
        let recall = Recall::default();
        let key = |token: &Token| Some(SessionKey(*token.bytes()));
        recall.cookies(&headers(&[&ann]), key);
        recall.forget_cookies();
        assert!(recall.last().cookies.is_none());
    }
}
