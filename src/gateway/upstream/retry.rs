//! When a request may be sent a second time: nothing of it was sent, or the upstream said that it did not begin, or it is
//! idempotent (RFC 9110 §9.2.2) without a body and no byte of an answer came. At most once after something was sent, and within
//! a budget for each product, so that retries do not multiply an outage.

use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// So many retries a second are always allowed; beyond, a fifth of the requests in flight.
const ALWAYS: u64 = 3;
const SHARE: u64 = 5;

/// The retries of one product in the current second: the second, and below it 32 bits of how many.
#[derive(Default)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    /// Takes one, if there is one left.
    pub(super) fn take(&self, now: Duration, in_flight: usize) -> bool {
        let second = now.as_secs() << 32;
        let most = ALWAYS.max(u64::try_from(in_flight).unwrap_or(u64::MAX) / SHARE).min(u64::from(u32::MAX));
        let next = |spent: u64| {
            let spent = if spent & !u64::from(u32::MAX) == second { spent } else { second };
            ((spent & u64::from(u32::MAX)) < most).then_some(spent + 1)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// A request without a body, kept to be sent once more.
pub(in crate::gateway) struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Spare {
    pub(in crate::gateway) fn of<B>(request: &Request<B>) -> Box<Self> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Box::new(Self { method, uri, headers: request.headers().clone() })
    }

    /// Whether sending it twice means what sending it once means.
    pub(in crate::gateway) fn is_idempotent(&self) -> bool {
        is_idempotent(&self.method)
    }

    pub(in crate::gateway) fn request<B>(self, body: B) -> Request<B> {
        let mut parts: Parts = Request::new(()).into_parts().0;
        (parts.method, parts.uri, parts.headers) = (self.method, self.uri, self.headers);
        Request::from_parts(parts, body)
    }
}

fn is_idempotent(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE].contains(method)
}

/// Whether the upstream says by HTTP/2 that it did not begin with the request: REFUSED_STREAM, or a GOAWAY whose last stream is
/// an earlier one (RFC 9113 §8.7). A GOAWAY with an error says nothing of the kind.
pub(in crate::gateway) fn was_not_begun(error: &(dyn std::error::Error + 'static)) -> bool {
    by_http2(error).is_some_and(|reset| {
        let refused = reset.is_reset() && reset.reason() == Some(h2::Reason::REFUSED_STREAM);
        let gone = reset.is_go_away() && reset.reason() == Some(h2::Reason::NO_ERROR);
        reset.is_remote() && (refused || gone)
    })
}

/// Whether the upstream ended this request's stream alone, or said goodbye in peace: its connections are well.
pub(in crate::gateway) fn was_stream_reset(error: &(dyn std::error::Error + 'static)) -> bool {
    was_not_begun(error) || by_http2(error).is_some_and(h2::Error::is_reset)
}

fn by_http2<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a h2::Error> {
    let mut next = Some(error);
    while let Some(one) = next {
        if let Some(found) = one.downcast_ref::<h2::Error>() {
            return Some(found);
        }
        next = one.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_a_second_or_a_fifth_of_what_is_in_flight() {
        for (in_flight, most) in [(0, 3), (15, 3), (100, 20)] {
            let budget = Budget::default();
            for second in [7, 8] {
                let now = Duration::from_secs(second);
                assert_eq!((0..50).filter(|_| budget.take(now, in_flight)).count(), most, "{in_flight}");
            }
        }
    }

    #[test]
    fn idempotent_methods_alone() {
        for (method, yes) in
            [("GET", true), ("PUT", true), ("DELETE", true), ("POST", false), ("PATCH", false), ("BREW", false)]
        {
            assert_eq!(is_idempotent(&method.parse().unwrap()), yes, "{method}");
        }
    }

    #[test]
    fn an_error_of_our_own_is_no_refusal() {
        let ours = h2::Error::from(h2::Reason::REFUSED_STREAM);
        assert!(!was_not_begun(&ours), "only the upstream can say so");
        assert!(!was_stream_reset(&std::io::Error::other("reset")));
    }
}
