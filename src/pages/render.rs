//! From a page to the bytes and headers of its response.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::href::Href;
use super::page::Page;
use super::view;
use crate::kernel::values::{Language, Wishes};
use crate::language::{Languages, Text, Unsaid};
use std::sync::Arc;

const STYLE: &str = include_str!("templates/style.css");

/// Templates by name. All are HTML, so all are escaped.
const TEMPLATES: [(&str, &str); 40] = [
    ("base.html", include_str!("templates/base.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("email.html", include_str!("templates/email.html")),
    ("choice.html", include_str!("templates/choice.html")),
    ("hop.html", include_str!("templates/hop.html")),
    ("submit.html", include_str!("templates/submit.html")),
    ("signed_out.html", include_str!("templates/signed_out.html")),
    ("confirm_logout.html", include_str!("templates/confirm_logout.html")),
    ("reenter.html", include_str!("templates/reenter.html")),
    ("app.html", include_str!("templates/app.html")),
    ("refusal.html", include_str!("templates/refusal.html")),
    ("loop.html", include_str!("templates/loop.html")),
    ("fault.html", include_str!("templates/fault.html")),
    ("home.html", include_str!("templates/home.html")),
    ("account.html", include_str!("templates/account.html")),
    ("console.html", include_str!("templates/console.html")),
    ("resend.html", include_str!("templates/resend.html")),
    ("lost.html", include_str!("templates/lost.html")),
    ("local/password.html", include_str!("templates/local/password.html")),
    ("local/steps.html", include_str!("templates/local/steps.html")),
    ("local/tokens.html", include_str!("templates/local/tokens.html")),
    ("local/code.html", include_str!("templates/local/code.html")),
    ("local/ask_reset.html", include_str!("templates/local/ask_reset.html")),
    ("local/new_password.html", include_str!("templates/local/new_password.html")),
    ("local/opened.html", include_str!("templates/local/opened.html")),
    ("local/notice.html", include_str!("templates/local/notice.html")),
    ("local/enrol.html", include_str!("templates/local/enrol.html")),
    ("local/passkey.html", include_str!("templates/local/passkey.html")),
    ("local/recovery.html", include_str!("templates/local/recovery.html")),
    ("local/security.html", include_str!("templates/local/security.html")),
    ("local/move.html", include_str!("templates/local/move.html")),
    ("local/prove.html", include_str!("templates/local/prove.html")),
    ("local/confirm.html", include_str!("templates/local/confirm.html")),
    ("local/merge.html", include_str!("templates/local/merge.html")),
    ("local/merge_review.html", include_str!("templates/local/merge_review.html")),
    ("local/anew.html", include_str!("templates/local/anew.html")),
    ("local/review.html", include_str!("templates/local/review.html")),
    ("local/which_address.html", include_str!("templates/local/which_address.html")),
    ("local/address_code.html", include_str!("templates/local/address_code.html")),
    ("local/address_opened.html", include_str!("templates/local/address_opened.html")),
];

/// Posts the form of [`Page::Submit`], whose policy names this script by its digest. Without scripts the button does.
pub(super) const SUBMIT: &str = "document.forms[0].submit()";

/// Shown when a template fails: a defect of ours that a person must still be able to report.
const BROKEN: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Something went wrong</title></head>\
                      <body><main><h1>Something went wrong on our side</h1><p>Please try again.</p></main></body></html>";

/// The compiled templates. One value for the whole process; cheap to share behind an `Arc`.
pub struct Pages {
    languages: Arc<Languages>,
    templates: Environment<'static>,
    login_host: String,
    csp: String,
    /// What every page carries, and what a page with our own script does. Made once: they are the same for all.
    headers: HeaderMap,
    headers_with_script: HeaderMap,
    /// Those of a page whose form goes to a provider, by its scheme.
    headers_of_submit: HeaderMap,
    headers_of_plain_submit: HeaderMap,
}

/// Who reads a page.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Out of those that there are ([`Pages::choose`]); another reads English.
    pub language: Language,
    /// Where the page can be shown again in another language.
    pub picker: Option<Picker>,
}

/// How another language is picked: `POST` with the fields `language` and `back`.
#[derive(Clone, Debug)]
pub struct Picker {
    /// Sets the cookie.
    pub action: Href,
    /// Shows the same page again: a path of this host that may be asked for twice.
    pub back: Href,
}

impl Reader {
    /// Reads English and picks nothing.
    pub fn english() -> Self {
        Self { language: Language::english(), picker: None }
    }
}

/// A page, ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Html {
    /// HTTP status: 200, or the refusal's own.
    pub status: u16,
    /// The document, UTF-8.
    pub body: String,
    /// The fixed headers of the login host (rule H6) with this page's policy. HSTS is the listener's.
    pub headers: HeaderMap,
}

/// The templates did not compile: a defect of the program, found when it starts.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// A template.
    #[error("a page template does not compile: {0}")]
    Template(#[from] minijinja::Error),
    /// The policy.
    #[error("the content security policy does not fit a header: {0}")]
    Policy(#[from] http::header::InvalidHeaderValue),
}

impl Pages {
    /// Compiles the templates, whose messages are said in `languages`. `login_host` is the public name that people see at the foot
    /// of each page.
    ///
    /// # Errors
    /// [`BadTemplate`]: a defect of the program.
    pub fn new(login_host: &str, languages: Arc<Languages>) -> Result<Self, BadTemplate> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Html);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        for (name, source) in TEMPLATES {
            templates.add_template(name, source)?;
        }
        templates.add_global("style", Value::from_safe_string(STYLE.to_owned()));
        let csp = content_security_policy();
        let headers = fixed(&csp)?;
        let headers_with_script = fixed(&format!("{csp}; script-src 'self'"))?;
        let headers_of_submit = fixed(&submit_policy(&csp, "https:"))?;
        let headers_of_plain_submit = fixed(&submit_policy(&csp, "http:"))?;
        let login_host = login_host.to_owned();
        Ok(Self {
            languages,
            templates,
            login_host,
            csp,
            headers,
            headers_with_script,
            headers_of_submit,
            headers_of_plain_submit,
        })
    }

    /// Which of the languages a request's wishes lead to. Nothing else does (rule H18).
    pub fn choose(&self, wishes: &Wishes) -> Language {
        self.languages.choose(wishes)
    }

    /// Whether there are pages in a language.
    pub fn speaks(&self, language: &Language) -> bool {
        self.languages.speaks(language)
    }

    /// Says a message, for programs.
    ///
    /// # Errors
    /// [`Unsaid`]: a defect of ours.
    pub fn say(&self, text: &Text, language: &Language) -> Result<String, Unsaid> {
        self.languages.speaker(language).text(text)
    }

    fn picker(&self, picker: &Picker, now: &str) -> Value {
        let one = |(tag, name): (&Language, &str)| context! { tag => tag.as_str(), name, now => tag.as_str() == now };
        let languages: Vec<Value> = self.languages.all().map(one).collect();
        context! { action => picker.action.as_str(), back => picker.back.as_str(), languages }
    }

    /// Renders a page for its reader. A template that fails is logged and gives a 500 page of fixed text.
    pub fn render(&self, page: &Page, reader: &Reader) -> Html {
        let headers = match page {
            Page::Submit(page) if page.action.scheme() == "https" => self.headers_of_submit.clone(),
            Page::Submit(_) => self.headers_of_plain_submit.clone(),
            Page::App(page) => self.headers_towards(&page.goes_to),
            page if page.has_script() => self.headers_with_script.clone(),
            _ => self.headers.clone(),
        };
        let speaker = self.languages.speaker(&reader.language);
        // A page that goes on by itself is read by nobody, and its policy lets no form of ours be posted (rule M12).
        let stays = !matches!(page, Page::Submit(_) | Page::Hop(_));
        let has_choice = stays && self.languages.all().nth(1).is_some();
        let picker = reader.picker.as_ref().filter(|_| has_choice);
        let picker = picker.map(|picker| self.picker(picker, speaker.tag()));
        let view = view::of(page, &self.login_host, (speaker, picker));
        let rendered = self.templates.get_template(view.template).and_then(|template| template.render(view.values));
        match rendered {
            Ok(body) => Html { status: view.status, body, headers },
            Err(error) => {
                tracing::error!(template = view.template, %error, "a page could not be rendered");
                Html { status: 500, body: BROKEN.to_owned(), headers: self.headers.clone() }
            }
        }
    }

    /// Those of a page whose form may be answered by a redirect to one app, and to nowhere else (rule M12).
    fn headers_towards(&self, app: &url::Url) -> HeaderMap {
        let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:/[]".contains(&b));
        let source = match app.origin() {
            origin @ url::Origin::Tuple(..) => origin.ascii_serialization(),
            url::Origin::Opaque(_) => format!("{}:", app.scheme()),
        };
        let mut headers = self.headers.clone();
        let csp = self.csp.replace("form-action 'self'", &format!("form-action 'self' {source}"));
        if let (true, Ok(csp)) = (is_plain(&source), HeaderValue::from_str(&csp)) {
            headers.insert(http::header::CONTENT_SECURITY_POLICY, csp);
        }
        headers
    }

    /// The policy that every page without a script carries. Also right for the login host's answers without a page (redirects, 204).
    pub fn csp(&self) -> &str {
        &self.csp
    }
}

fn fixed(csp: &str) -> Result<HeaderMap, http::header::InvalidHeaderValue> {
    let mut headers = HeaderMap::with_capacity(FIXED.len() + 1);
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(csp)?);
    Ok(headers)
}

const FIXED: [(&str, &str); 8] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// The policy of a page that posts to a provider: its form leads to hosts of that scheme, and its one script runs.
///
/// Not to that one address: browsers hold `form-action` against each redirect that answers the form (rule M12), and a company's
/// provider may well send the browser on to its next host. What the form holds is meant for the provider, and nothing of others is in the page.
fn submit_policy(csp: &str, scheme: &str) -> String {
    let digest = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, SUBMIT.as_bytes()));
    format!("{}; script-src 'sha256-{digest}'", csp.replace("form-action 'self'", &format!("form-action {scheme}")))
}

/// Nothing may be loaded or run (but our own script on the pages of ceremonies); the one inline style sheet is named by its digest (CSP Level 3 §2.3.1); `data:` is for the icon.
/// `form-action 'self'` holds because no form of ours answers with a redirect to another host (rule M12).
fn content_security_policy() -> String {
    let digest = STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'; object-src 'none'"
    )
}
