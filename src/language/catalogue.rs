//! Catalogues: one file of messages in one language, and what is wrong with it.

use super::Unsaid;
use crate::kernel::values::Language;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use fluent_syntax::parser::ParserError;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use unic_langid::{CharacterDirection, LanguageIdentifier};

/// Longest catalogue that is read, in bytes: ours have some 40 kB.
const LONGEST: usize = 1024 * 1024;

/// A catalogue that parsed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Catalogue {
    pub(super) language: Language,
    resource: Arc<FluentResource>,
    variables: BTreeMap<String, BTreeSet<String>>,
}

/// A catalogue that cannot be used, with every mistake in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the catalogue of {language} is not well formed: {}", shown(mistakes))]
pub struct BadCatalogue {
    /// Whose.
    pub language: Language,
    /// In the order of the file; never empty.
    pub mistakes: Vec<Mistake>,
}

/// What is wrong in a catalogue.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// Bytes from the beginning of the file.
    pub at: usize,
    /// From 1.
    pub line: usize,
    /// In the words of Fluent's parser.
    pub what: String,
}

/// What does no harm in a catalogue, and is not meant either.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Oddity {
    /// A message that nothing says.
    Unknown(String),
    /// A message speaks of what it is not given: it is said in English instead.
    Variable(String, String),
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: {}", self.line, self.what)
    }
}

impl fmt::Display for Oddity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(out, "nothing says the message {id}"),
            Self::Variable(id, name) => write!(out, "the message {id} is not given ${name}, so it is said in English"),
        }
    }
}

fn shown(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Catalogue {
    /// Parses a catalogue.
    ///
    /// # Errors
    /// [`BadCatalogue`] with every mistake, also for a message that stands in it twice or has no value.
    pub fn parse(language: &Language, source: &str) -> Result<Self, BadCatalogue> {
        let bad = |mistakes: Vec<Mistake>| BadCatalogue { language: language.clone(), mistakes };
        let mistake = |at: usize, what: String| Mistake { at, line: line_of(source, at), what };
        if source.len() > LONGEST {
            return Err(bad(vec![mistake(0, format!("a catalogue has at most {LONGEST} bytes"))]));
        }
        let resource = FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| {
            // The parser notices some mistakes only behind the message that they are in: its beginning is the place to look at.
            let place = |error: &ParserError| error.slice.as_ref().map_or(error.pos.start, |slice| slice.start);
            bad(errors.iter().map(|error| mistake(place(error), error.kind.to_string())).collect())
        })?;
        let mut variables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut mistakes = Vec::new();
        for entry in resource.entries() {
            let Entry::Message(message) = entry else { continue };
            let (id, mut found) = (message.id.name, BTreeSet::new());
            let at = source.match_indices(id).map(|(at, _)| at).find(|at| is_line_start(source, *at)).unwrap_or(0);
            match &message.value {
                Some(pattern) => gather(pattern, &mut found),
                None => mistakes.push(mistake(at, format!("the message {id} has no value"))),
            }
            if variables.insert(id.to_owned(), found).is_some() {
                mistakes.push(mistake(at, format!("the message {id} stands here and once more below")));
            }
        }
        if !mistakes.is_empty() {
            return Err(bad(mistakes));
        }
        Ok(Self { language: language.clone(), resource: Arc::new(resource), variables })
    }

    /// A catalogue of ours.
    ///
    /// # Errors
    /// [`BadCatalogue`]: a defect of the program, found when it starts.
    pub fn shipped(tag: &'static str, source: &str) -> Result<Self, BadCatalogue> {
        Self::parse(&Language::parse(tag).unwrap_or_else(|_| Language::english()), source)
    }

    /// Whose it is.
    pub fn language(&self) -> &Language {
        &self.language
    }

    /// Messages, and the variables that each speaks of.
    pub fn messages(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.variables
    }

    /// What is odd about it beside the English one.
    pub fn oddities(&self, english: &Self) -> Vec<Oddity> {
        let mut found = Vec::new();
        for (id, variables) in &self.variables {
            match english.variables.get(id) {
                None => found.push(Oddity::Unknown(id.clone())),
                Some(known) => {
                    let foreign = variables.difference(known).cloned();
                    found.extend(foreign.map(|name| Oddity::Variable(id.clone(), name)));
                }
            }
        }
        found
    }
}

fn line_of(source: &str, at: usize) -> usize {
    source.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn is_line_start(source: &str, at: usize) -> bool {
    at == 0 || source.as_bytes().get(at - 1) == Some(&b'\n')
}

fn gather(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            gather_expression(expression, found);
        }
    }
}

fn gather_expression(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Inline(inline) => gather_inline(inline, found),
        Expression::Select { selector, variants } => {
            gather_inline(selector, found);
            variants.iter().for_each(|variant| gather(&variant.value, found));
        }
    }
}

fn gather_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => gather_expression(expression, found),
        InlineExpression::FunctionReference { arguments, .. } => {
            arguments.positional.iter().for_each(|argument| gather_inline(argument, found));
            arguments.named.iter().for_each(|argument| gather_inline(&argument.value, found));
        }
        _ => {}
    }
}

/// A language that is spoken: its messages, ready to be filled in.
pub(super) struct Spoken {
    pub(super) language: Language,
    pub(super) name: String,
    pub(super) direction: &'static str,
    bundle: FluentBundle<Arc<FluentResource>>,
}

impl fmt::Debug for Spoken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Spoken").field(&self.language).finish()
    }
}

impl Spoken {
    pub(super) fn of(catalogue: &Catalogue) -> Result<Self, BadCatalogue> {
        let tag: LanguageIdentifier =
            catalogue.language.as_str().parse().map_err(|_| unusable(catalogue, "its tag"))?;
        let is_rtl = tag.character_direction() == CharacterDirection::RTL;
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // The marks around what is filled in are invisible and would be copied along with an address. Between left-to-right texts they
        // do nothing, since names and addresses are rid of everything that turns the direction (`legible`).
        bundle.set_use_isolating(is_rtl);
        bundle.add_resource(Arc::clone(&catalogue.resource)).map_err(|_| unusable(catalogue, "a message"))?;
        let mut spoken = Self {
            language: catalogue.language.clone(),
            name: catalogue.language.to_string(),
            direction: if is_rtl { "rtl" } else { "ltr" },
            bundle,
        };
        spoken.learn_name();
        Ok(spoken)
    }

    /// Messages of another catalogue of the same language go before those that are there.
    pub(super) fn overlay(&mut self, catalogue: &Catalogue) -> Result<(), BadCatalogue> {
        self.bundle.add_resource_overriding(Arc::clone(&catalogue.resource));
        self.learn_name();
        Ok(())
    }

    fn learn_name(&mut self) {
        if let Some(Ok(name)) = self.say("language-name", None) {
            self.name = name;
        }
    }

    /// `None` where the catalogue has no such message.
    pub(super) fn say(&self, id: &str, facts: Option<&FluentArgs<'_>>) -> Option<Result<String, Unsaid>> {
        let pattern = self.bundle.get_message(id)?.value()?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, facts, &mut errors).into_owned();
        Some(match errors.first() {
            None => Ok(text),
            Some(why) => Err(Unsaid { id: id.to_owned(), why: why.to_string() }),
        })
    }
}

fn unusable(catalogue: &Catalogue, what: &str) -> BadCatalogue {
    let what = format!("{what} cannot be used");
    BadCatalogue { language: catalogue.language.clone(), mistakes: vec![Mistake { at: 0, line: 1, what }] }
}
