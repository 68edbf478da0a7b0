//! What of a request is kept beside its body, and the head that it is sent again with.

use crate::kernel::request::path::NormalPath;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Uri};
use serde::{Deserialize, Serialize};

/// The head of a kept request, sealed before its body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Head {
    pub(super) method: String,
    /// Path and query in normal form.
    pub(super) target: String,
    /// `Content-*` and `Origin`.
    fields: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// What is kept of a request (rule H9): method, path, `Content-*`, and `Origin`, which stays. Never what was a credential or
    /// a condition of then.
    pub(super) fn of(parts: &Parts, path: &NormalPath<'_>) -> Self {
        let kept = |name: &HeaderName| describes_content(name) || *name == header::ORIGIN;
        let fields = parts.headers.iter().filter(|(name, _)| kept(name));
        Self {
            method: parts.method.as_str().to_owned(),
            target: path.target(),
            fields: fields.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
        }
    }

    /// Turns the head of the person's click into the head of the kept request: cookies, languages and whatever else says who
    /// asks are the click's; what the click said about its own form goes. `None` when the kept head is none.
    pub(super) fn replace(self, click: &mut Parts, size: u64) -> Option<()> {
        click.method = Method::from_bytes(self.method.as_bytes()).ok()?;
        click.uri = self.target.parse::<Uri>().ok()?;
        let headers = &mut click.headers;
        drop_all(headers, |name| describes_content(name) || is_of_then(name));
        for (name, value) in self.fields {
            let (name, value) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value));
            headers.append(name.ok()?, value.ok()?);
        }
        // A request without a body has no length to state (RFC 9110 §8.6), except where its method expects one.
        headers.remove(header::CONTENT_LENGTH);
        if size > 0 || click.method != Method::DELETE {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        }
        Some(())
    }
}

fn describes_content(name: &HeaderName) -> bool {
    name.as_str().starts_with("content-")
}

/// Credentials, conditions, ranges and framing: of the click they say nothing about the kept request (rule H9).
fn is_of_then(name: &HeaderName) -> bool {
    name.as_str().starts_with("if-")
        || [
            header::AUTHORIZATION,
            header::EXPECT,
            header::ORIGIN,
            header::RANGE,
            header::REFERER,
            header::TRAILER,
            header::TRANSFER_ENCODING,
            header::UPGRADE,
        ]
        .contains(name)
}

fn drop_all(headers: &mut HeaderMap, which: impl Fn(&HeaderName) -> bool) {
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| which(name)).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(fields: &[(&str, &str)]) -> Parts {
        let request = fields
            .iter()
            .fold(Request::builder().method("PUT").uri("/b"), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn h9_what_is_sent_again_and_what_is_not() {
        let then = parts(&[
            ("content-type", "application/json"),
            ("content-language", "en"),
            ("content-length", "77"),
            ("origin", "https://then"),
            ("authorization", "Bearer then"),
            ("cookie", "a=then"),
            ("if-match", "\"then\""),
            ("expect", "100-continue"),
            ("range", "bytes=0-1"),
            ("x-csrf", "then"),
        ]);
        let head = Head::of(&then, &NormalPath::parse("/boards/1?x=%20").unwrap());
        let mut click = parts(&[
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "12"),
            ("origin", "null"),
            ("cookie", "a=now"),
            ("accept", "text/html"),
            ("if-none-match", "now"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Basic now"),
        ]);
        head.replace(&mut click, 5).unwrap();
        let mut fields: Vec<_> =
            click.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        fields.sort_unstable();
        assert_eq!((click.method.as_str(), click.uri.to_string().as_str()), ("PUT", "/boards/1?x=%20"));
        assert_eq!(
            fields,
            [
                ("accept", "text/html"),
                ("content-language", "en"),
                ("content-length", "5"),
                ("content-type", "application/json"),
                ("cookie", "a=now"),
                ("origin", "https://then"),
            ]
        );
    }

    #[test]
    fn a_head_reads_back() {
        let head = Head::of(&parts(&[("content-type", "text/plain")]), &NormalPath::parse("/").unwrap());
        let text = serde_json::to_vec(&head).unwrap();
        assert_eq!(serde_json::from_slice::<Head>(&text).unwrap(), head);
    }
}
