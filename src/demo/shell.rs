//! Templates, style sheets and the frame of headers that the sample servers' pages share.

use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::http::{Response, answer, text, with};
use crate::pages::Colour;

const TEMPLATES: [(&str, &str); 9] = [
    ("product.html", include_str!("templates/product.html")),
    ("board.html", include_str!("templates/board.html")),
    ("video.html", include_str!("templates/video.html")),
    ("issuer.html", include_str!("templates/issuer.html")),
    ("login.html", include_str!("templates/login.html")),
    ("message.html", include_str!("templates/message.html")),
    ("post.html", include_str!("templates/post.html")),
    ("saml_metadata.xml", include_str!("templates/saml_metadata.xml")),
    ("saml_response.xml", include_str!("templates/saml_response.xml")),
];

/// No `form-action`: a form's answer may redirect to another host (to the gateway at logout, to the client after a login),
/// which Chromium judges by that directive for the whole chain (rule M12).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; frame-ancestors 'none'";

/// The compiled templates of one sample server.
pub(super) struct Shell {
    templates: Environment<'static>,
    colours: String,
}

impl Shell {
    pub(super) fn new(colour: Colour) -> Result<Self, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        Ok(Self { templates, colours: format!(":root {{ --accent: {colour}; --on-accent: {}; }}\n", colour.ink()) })
    }

    /// A page that no cache keeps.
    pub(super) fn page(&self, status: StatusCode, template: &str, values: Value) -> Response {
        match self.templates.get_template(template).and_then(|template| template.render(values)) {
            Ok(body) => {
                let response = answer(status, "text/html; charset=utf-8", body);
                let response = with(with(response, CACHE_CONTROL, "no-store"), CONTENT_SECURITY_POLICY, POLICY);
                with(response, REFERRER_POLICY, "same-origin")
            }
            Err(error) => {
                tracing::error!(template, %error, "a sample page could not be rendered");
                text(StatusCode::INTERNAL_SERVER_ERROR, "this sample page is broken\n")
            }
        }
    }

    /// A document that is no page: XML, escaped as pages are. `None` is a defect of the template's, and logged.
    pub(super) fn document(&self, template: &str, values: Value) -> Option<String> {
        let rendered = self.templates.get_template(template).and_then(|template| template.render(values));
        rendered.map_err(|error| tracing::error!(template, %error, "a sample document could not be written")).ok()
    }

    /// A style sheet, headed by this server's colours.
    pub(super) fn style(&self, sheet: &str) -> Response {
        answer(StatusCode::OK, "text/css; charset=utf-8", format!("{}{sheet}", self.colours))
    }
}
