//! How letters read: a template each, filled with the facts of a row.
//!
//! A template is paragraphs between blank lines, the first of which is the subject: `[say: id]` is a message of the catalogue that is
//! given all facts (with ` where fact`: only where that one is not empty), `[code]`, `[link: id]` with its label's message, and
//! `[lines: fact]` what an admin wrote. No fact can make a paragraph, a code or a link. Both parts of a mail come from the same
//! paragraphs. Names and texts are made legible by their type; escaping in HTML is the frame's.

use super::letter::{Fact, Facts, Proof};
use crate::kernel::values::Language;
use crate::language::{Languages, Speaker, Unsaid};
use fluent_bundle::{FluentArgs, FluentValue};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use std::collections::HashMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Templates by kind.
const TEMPLATES: [(&str, &str); 27] = [
    ("managed", include_str!("templates/managed.txt")),
    ("address-retired", include_str!("templates/address-retired.txt")),
    ("moved", include_str!("templates/moved.txt")),
    ("merged", include_str!("templates/merged.txt")),
    ("deadline", include_str!("templates/deadline.txt")),
    ("move-requested", include_str!("templates/move-requested.txt")),
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
    ("relinked", include_str!("templates/relinked.txt")),
    ("password-changed", include_str!("templates/password-changed.txt")),
    ("sessions-ended", include_str!("templates/sessions-ended.txt")),
    ("token-made", include_str!("templates/token-made.txt")),
    ("set-up-code", include_str!("templates/set-up-code.txt")),
    ("set-up-reused", include_str!("templates/set-up-reused.txt")),
];

const FRAME: &str = include_str!("templates/frame.html");

/// The templates did not compile: a defect of the program, found when it starts.
#[derive(Debug, thiserror::Error)]
pub enum BadTemplate {
    /// The frame.
    #[error("a mail template does not compile: {0}")]
    Frame(#[from] minijinja::Error),
    /// A paragraph that is none.
    #[error("a mail template has text outside of the catalogue: {0}")]
    Paragraph(&'static str),
}

/// A row that cannot be made a mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRendered {
    /// A message.
    #[error(transparent)]
    Unsaid(#[from] Unsaid),
    /// The frame.
    #[error(transparent)]
    Frame(#[from] minijinja::Error),
    /// What the kind needs.
    #[error("the letter has no {0}")]
    Missing(&'static str),
}

/// The compiled templates.
pub struct Words {
    environment: Environment<'static>,
    kinds: HashMap<&'static str, Vec<Paragraph>>,
    languages: Arc<Languages>,
}

/// A paragraph of a template.
enum Paragraph {
    /// A message, and the fact without which it is left out.
    Said(&'static str, Option<&'static str>),
    /// What an admin wrote: a fact.
    Lines(&'static str),
    Code,
    /// Its label's message.
    Link(&'static str),
}

impl Paragraph {
    fn parse(text: &'static str) -> Option<Self> {
        let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
        match inner.split_once(": ") {
            None => (inner == "code").then_some(Self::Code),
            Some(("link", id)) => Some(Self::Link(id)),
            Some(("lines", fact)) => Some(Self::Lines(fact)),
            Some(("say", id)) => Some(match id.split_once(" where ") {
                Some((id, fact)) => Self::Said(id, Some(fact)),
                None => Self::Said(id, None),
            }),
            Some(_) => None,
        }
    }
}

impl NotRendered {
    /// What is wrong, without a word of what was filled in.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Unsaid(why) => why.to_string(),
            Self::Frame(why) => format!("{:?}", why.kind()),
            Self::Missing(what) => format!("no {what}"),
        }
    }
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
    Link { label: String, href: String },
}

impl Words {
    /// Compiles the templates.
    ///
    /// # Errors
    /// [`BadTemplate`].
    pub fn new(languages: Arc<Languages>) -> Result<Self, BadTemplate> {
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
            let paragraphs =
                source.trim().split("\n\n").map(|part| Paragraph::parse(part).ok_or(BadTemplate::Paragraph(part)));
            kinds.insert(kind, paragraphs.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Self { environment, kinds, languages })
    }

    /// Fills a letter in, in the recipient's language; `origin` is the login host's, `https://id.example.com`, where links lead.
    ///
    /// # Errors
    /// A kind of another version, or a fact that its messages ask for and the row lacks.
    pub(super) fn render(
        &self,
        (kind, facts): (&str, &Facts),
        proof: Option<&Proof>,
        (origin, language): (&str, &Language),
    ) -> Result<Rendered, NotRendered> {
        let speaker = self.languages.speaker(language);
        let paragraphs = self.kinds.get(kind).ok_or(NotRendered::Missing("template"))?;
        let given = given(facts, &speaker)?;
        let mut subject = None;
        let mut filled = Vec::new();
        for paragraph in paragraphs {
            match paragraph {
                Paragraph::Said(_, Some(fact)) if said_of(facts, fact).is_empty() => {}
                Paragraph::Said(id, _) => match speaker.say(id, &given)?.trim() {
                    "" => {}
                    first if subject.is_none() => subject = Some(first.to_owned()),
                    text => filled.push(Filled::Text(text.to_owned())),
                },
                Paragraph::Lines(fact) => match said_of(facts, fact).trim() {
                    "" => {}
                    lines => filled.push(Filled::Quote(lines.to_owned())),
                },
                Paragraph::Code => {
                    let proof = proof.ok_or(NotRendered::Missing("code"))?;
                    filled.push(Filled::Code(proof.code.expose().to_owned()));
                }
                Paragraph::Link(id) => {
                    let link = proof.and_then(|proof| proof.link.as_ref()).ok_or(NotRendered::Missing("link"))?;
                    let label = speaker.say(id, &given)?;
                    filled.push(Filled::Link { label, href: format!("{origin}{}", link.expose()) });
                }
            }
        }
        let subject = subject.ok_or(NotRendered::Missing("subject"))?;
        let foot = speaker.say("mail-foot", &[("origin", origin)].into_iter().collect())?;
        let paragraphs: Vec<Value> = filled.iter().map(Filled::value).collect();
        let html = context! {
            subject => subject.as_str(), paragraphs, foot => foot.as_str(),
            language => speaker.tag(), direction => speaker.direction(),
        };
        let html = Zeroizing::new(self.environment.get_template("frame.html")?.render(html)?);
        Ok(Rendered { subject, text: plain_text(&filled, &foot), html })
    }
}

/// What all messages of a letter are given: its facts, and by whom where that may be nobody.
fn given<'f>(facts: &'f Facts, speaker: &Speaker) -> Result<FluentArgs<'f>, Unsaid> {
    let mut given = FluentArgs::new();
    for (name, fact) in facts {
        let value = match fact {
            Fact::Time(millis) => FluentValue::from(speaker.minute(millis.div_euclid(1_000))?),
            // A count decides between one and many.
            Fact::Word(word) if name == "count" => FluentValue::try_number(word),
            fact => FluentValue::from(fact.text()),
        };
        given.set(name.as_str(), value);
    }
    let by = if said_of(facts, "org").is_empty() { "nobody" } else { "org" };
    given.set("by", by);
    Ok(given)
}

fn said_of(facts: &Facts, name: &str) -> String {
    facts.get(name).map(Fact::text).unwrap_or_default()
}

impl Filled {
    /// As the frame sees it.
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => context! { text },
            Self::Quote(quote) => context! { quote },
            Self::Code(code) => context! { code },
            Self::Link { label, href } => context! { link => context! { label => label.as_str(), href } },
        }
    }
}

/// The text part.
fn plain_text(paragraphs: &[Filled], foot: &str) -> Zeroizing<String> {
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
    text.push_str("-- \n");
    text.push_str(foot);
    text.push('\n');
    text
}
