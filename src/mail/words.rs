//! How letters read: a template each, filled with the facts of a row.
//!
//! A template is a subject line and paragraphs between blank lines. A paragraph is text of its own, `[code]`, or `[link: label]`; it
//! is cut out before anything is filled in, so that no fact can make a paragraph, a code or a link. Both parts of a mail come from
//! the same paragraphs. Names and texts are made legible by their type; escaping in HTML is the frame's.

use super::letter::{Facts, Proof};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Templates by kind.
const TEMPLATES: [(&str, &str); 24] = [
    ("managed", include_str!("templates/managed.txt")),
    ("address-retired", include_str!("templates/address-retired.txt")),
    ("moved", include_str!("templates/moved.txt")),
    ("merged", include_str!("templates/merged.txt")),
    ("deadline", include_str!("templates/deadline.txt")),
    ("address-change", include_str!("templates/address-change.txt")),
    ("deactivated", include_str!("templates/deactivated.txt")),
    ("deletion-scheduled", include_str!("templates/deletion-scheduled.txt")),
    ("key-expiry", include_str!("templates/key-expiry.txt")),
    ("provider-key", include_str!("templates/provider-key.txt")),
    ("domain", include_str!("templates/domain.txt")),
    ("step-proof", include_str!("templates/step-proof.txt")),
    ("break-glass", include_str!("templates/break-glass.txt")),
    ("announcement", include_str!("templates/announcement.txt")),
    ("reset", include_str!("templates/reset.txt")),
    ("mailbox-proof", include_str!("templates/mailbox-proof.txt")),
    ("factor-enrolled", include_str!("templates/factor-enrolled.txt")),
    ("factor-removed", include_str!("templates/factor-removed.txt")),
    ("owner-proof", include_str!("templates/owner-proof.txt")),
    ("quarantined", include_str!("templates/quarantined.txt")),
    ("password-changed", include_str!("templates/password-changed.txt")),
    ("sessions-ended", include_str!("templates/sessions-ended.txt")),
    ("set-up-code", include_str!("templates/set-up-code.txt")),
    ("set-up-reused", include_str!("templates/set-up-reused.txt")),
];

const FRAME: &str = include_str!("templates/frame.html");

/// The templates did not compile: a defect of the program, found when it starts.
#[derive(Debug, thiserror::Error)]
#[error("a mail template does not compile: {0}")]
pub struct BadTemplate(#[from] minijinja::Error);

/// The compiled templates.
pub struct Words {
    environment: Environment<'static>,
    kinds: HashMap<&'static str, Vec<Paragraph>>,
}

/// A paragraph of a template.
enum Paragraph {
    /// The name of its compiled text.
    Text(String),
    Code,
    /// Its label.
    Link(&'static str),
}

/// A mail without its envelope.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: Zeroizing<String>,
    pub(super) html: Zeroizing<String>,
}

/// A filled paragraph.
enum Filled {
    Text(String),
    Quote(String),
    Code(String),
    Link { label: &'static str, href: String },
}

impl Words {
    /// Compiles the templates.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn new() -> Result<Self, BadTemplate> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(
            |name| {
                if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
            },
        );
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.add_template("frame.html", FRAME)?;
        let mut kinds = HashMap::new();
        for (kind, source) in TEMPLATES {
            let mut paragraphs = Vec::new();
            for (number, part) in source.trim().split("\n\n").enumerate() {
                paragraphs.push(match part.trim() {
                    "[code]" => Paragraph::Code,
                    link if link.starts_with("[link: ") => {
                        Paragraph::Link(link.trim_start_matches("[link: ").trim_end_matches(']'))
                    }
                    text => {
                        let name = format!("{kind}.{number}");
                        environment.add_template_owned(name.clone(), text.replace('\n', " "))?;
                        Paragraph::Text(name)
                    }
                });
            }
            kinds.insert(kind, paragraphs);
        }
        Ok(Self { environment, kinds })
    }

    /// Fills a letter in; `origin` is the login host's, `https://id.example.com`, where links lead.
    ///
    /// # Errors
    /// A kind of another version, or a fact that its template asks for and the row lacks.
    pub(super) fn render(
        &self,
        (kind, facts): (&str, &Facts),
        proof: Option<&Proof>,
        origin: &str,
    ) -> Result<Rendered, minijinja::Error> {
        let missing = |what: &str| minijinja::Error::new(minijinja::ErrorKind::UndefinedError, what.to_owned());
        let paragraphs = self.kinds.get(kind).ok_or_else(|| missing("no template"))?;
        let facts: HashMap<&str, String> = facts.iter().map(|(name, fact)| (name.as_str(), fact.text())).collect();
        let mut subject = None;
        let mut filled = Vec::new();
        for paragraph in paragraphs {
            match paragraph {
                Paragraph::Text(name) => {
                    let text = self.environment.get_template(name)?.render(&facts)?;
                    match text.trim() {
                        "" => {}
                        first if subject.is_none() => subject = Some(first.to_owned()),
                        quote if quote.starts_with("> ") => filled.push(Filled::Quote(quote.to_owned())),
                        text => filled.push(Filled::Text(text.to_owned())),
                    }
                }
                Paragraph::Code => {
                    let proof = proof.ok_or_else(|| missing("no code"))?;
                    filled.push(Filled::Code(proof.code.expose().to_owned()));
                }
                Paragraph::Link(label) => {
                    let link = proof.and_then(|proof| proof.link.as_ref()).ok_or_else(|| missing("no link"))?;
                    filled.push(Filled::Link { label, href: format!("{origin}{}", link.expose()) });
                }
            }
        }
        let subject = subject.ok_or_else(|| missing("no subject"))?;
        let html = context! { subject => subject.as_str(), paragraphs => filled.iter().map(Filled::value).collect::<Vec<_>>(), origin };
        let html = Zeroizing::new(self.environment.get_template("frame.html")?.render(html)?);
        Ok(Rendered { subject, text: plain_text(&filled, origin), html })
    }
}

impl Filled {
    /// As the frame sees it.
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => context! { text },
            Self::Quote(quote) => context! { quote },
            Self::Code(code) => context! { code },
            Self::Link { label, href } => context! { link => context! { label => *label, href } },
        }
    }
}

/// The text part.
fn plain_text(paragraphs: &[Filled], origin: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    for paragraph in paragraphs {
        match paragraph {
            Filled::Text(words) | Filled::Quote(words) => text.push_str(words),
            Filled::Code(code) => {
                text.push_str("    ");
                text.push_str(code);
            }
            Filled::Link { label, href } => {
                text.push_str(label);
                text.push_str(":\n");
                text.push_str(href);
            }
        }
        text.push_str("\n\n");
    }
    text.push_str("-- \nSent by ");
    text.push_str(origin);
    text.push_str(" because of what happened to an account with this address. Nobody reads answers to it.\n");
    text
}
