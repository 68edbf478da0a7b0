//! Where a link or a form on our pages may lead.

/// A target that is safe in `href`, `action` and a refresh: a path on this host, or an absolute http(s) URL. Never `javascript:`,
/// `data:` or a scheme-relative `//host`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Href(String);

/// The text is no path of this host and no http(s) URL.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a link leads to a path of this host or to an http(s) URL")]
pub struct NotAnHref;

impl Href {
    /// Parses a target. An absolute URL is written in the normal form of the URL standard; a path is kept as it is and must hold
    /// printable ASCII without spaces, quotes, backslashes or angle brackets.
    pub fn parse(text: &str) -> Result<Self, NotAnHref> {
        if !text.starts_with('/') {
            let url = url::Url::parse(text).map_err(|_| NotAnHref)?;
            return if matches!(url.scheme(), "https" | "http") { Ok(Self(url.into())) } else { Err(NotAnHref) };
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`".contains(&byte));
        if plain && !text.starts_with("//") { Ok(Self(text.to_owned())) } else { Err(NotAnHref) }
    }

    /// The target as it is written into the page (escaping is the template's).
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Href::parse(text).ok().as_ref().map(Href::as_str), expected, "{text}");
    }

    #[test]
    fn a_link_is_a_path_of_this_host_or_a_web_url() {
        check("/login?to=abc&x=1#top", Some("/login?to=abc&x=1#top"));
        check("https://acme.example/authorize?a=b;c", Some("https://acme.example/authorize?a=b;c"));
        check("HTTPS://Acme.example", Some("https://acme.example/"));
        for text in [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "/a b",
            "/a\"b",
            "/a\nb",
            "javascript:alert(1)",
            "data:,x",
            "mailto:a@b",
        ] {
            check(text, None);
        }
    }
}
