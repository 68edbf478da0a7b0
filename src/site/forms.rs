//! Fields of queries and forms: each once, bounded, or not at all.

use crate::web::PageRequest;
use http::header::CONTENT_TYPE;
use std::collections::HashMap;

/// Fields of one request.
#[derive(Debug, Default)]
pub(super) struct Fields(HashMap<String, Option<String>>);

impl Fields {
    /// The query.
    pub(super) fn of_query(request: &PageRequest) -> Self {
        Self::parse(request.head.uri.query().unwrap_or_default().as_bytes())
    }

    /// The body of an `application/x-www-form-urlencoded` request; empty for any other kind.
    pub(super) fn of_form(request: &PageRequest) -> Self {
        let kind = request.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_form = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/x-www-form-urlencoded");
        if is_form { Self::parse(&request.body) } else { Self::default() }
    }

    fn parse(bytes: &[u8]) -> Self {
        let mut fields: HashMap<String, Option<String>> = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(bytes).take(64) {
            // A name that comes twice counts as absent: two readers could take two different values (security: each once).
            let again = fields.contains_key(name.as_ref());
            fields.insert(name.into_owned(), (!again).then(|| value.into_owned()));
        }
        Self(fields)
    }

    /// A field's value; empty when it is absent or comes twice.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Option::as_deref).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_comes_twice_is_absent() {
        let fields = Fields::parse(b"a=1&b=2&a=3&c=%41+x&a=4");
        assert_eq!((fields.text("a"), fields.text("b"), fields.text("c"), fields.text("d")), ("", "2", "A x", ""));
    }
}
