//! Pages of the console: a heading, places to go, and blocks of facts, rows and searches. One template shows them all, so that each new
//! page is as sound on a telephone and to a screen reader as the first.

use super::href::Href;
use super::name::legible;
use super::page::{Form, Person};
use super::utc::Utc;
use super::view;
use crate::language::Text;
use minijinja::{Value, context};

/// Longest text of somebody else in one cell, in characters.
const LONGEST: usize = 300;

/// One page of the console.
#[derive(Clone, Debug)]
pub struct Console {
    /// HTTP status.
    pub status: u16,
    /// Who reads it.
    pub person: Person,
    /// Heading.
    pub title: Text,
    /// Where else to go; the flag: the reader is there.
    pub places: Vec<(Text, Href, bool)>,
    /// What was done a moment ago.
    pub done: Option<Text>,
    /// What is on it.
    pub blocks: Vec<Block>,
}

/// A part of a page.
#[derive(Clone, Debug)]
pub enum Block {
    /// Sentences.
    Said(Vec<Text>),
    /// `GET` with these fields: name, label, value.
    Search {
        /// Where.
        action: Href,
        /// Its fields.
        fields: Vec<(&'static str, Text, String)>,
        /// What the button says.
        label: Text,
    },
    /// Facts about one thing.
    Facts {
        /// Heading.
        title: Option<Text>,
        /// What is known.
        facts: Vec<(Text, Cell)>,
    },
    /// A list.
    Rows {
        /// The beginning of its id in the page; its place makes it the only one.
        id: &'static str,
        /// Heading.
        title: Text,
        /// What is said where there are none.
        empty: Text,
        /// What is listed.
        rows: Vec<Row>,
        /// Where it goes on.
        more: Option<Href>,
        /// The form of the rows' buttons, and what the button for all of them says and posts.
        form: Option<(Form, Option<(Text, String)>)>,
    },
    /// One button.
    Ask {
        /// What it is about.
        text: Text,
        /// The form.
        form: Form,
        /// What the button says.
        label: Text,
    },
}

/// One thing of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub head: Cell,
    /// Where more is said of it.
    pub href: Option<Href>,
    /// Its state, and whether that is bad news.
    pub tag: Option<(Text, bool)>,
    /// What is known.
    pub facts: Vec<(Text, Cell)>,
    /// A button: what it says, and what it posts as `act`.
    pub act: Option<(Text, String)>,
}

/// What is known of one thing.
#[derive(Clone, Debug)]
pub enum Cell {
    /// A message.
    Said(Text),
    /// A text of somebody else.
    Shown(String),
    /// A code of ours: a stable name, an id, a reference.
    Code(String),
    /// A moment.
    At(Utc),
    /// A text of somebody else, or a code, with more behind it.
    Link(String, Href),
    /// Nobody knows: said so, never left out and never 0.
    Unknown,
}

impl Cell {
    fn values(&self) -> Value {
        let cut = |text: &str| legible(text).chars().take(LONGEST).collect::<String>();
        match self {
            Self::Said(text) => context! { kind => "said", said => view::said(text) },
            Self::Shown(text) => context! { kind => "shown", text => cut(text) },
            Self::Code(text) => context! { kind => "code", text => cut(text) },
            Self::At(at) => context! { kind => "at", at => at.0, machine => at.machine() },
            Self::Link(text, href) => context! { kind => "link", text => cut(text), href => href.as_str() },
            Self::Unknown => context! { kind => "said", said => view::said(&Text::of("console-unknown")) },
        }
    }
}

impl Console {
    pub(super) fn values(&self) -> Value {
        let place = |(label, href, here): &(Text, Href, bool)| {
            context! { label => view::said(label), href => href.as_str(), here }
        };
        context! {
            person => view::person(&self.person), title => view::said(&self.title),
            places => self.places.iter().map(place).collect::<Vec<_>>(),
            done => self.done.as_ref().map(view::said),
            blocks => self.blocks.iter().map(Block::values).collect::<Vec<_>>(),
        }
    }
}

impl Block {
    fn values(&self) -> Value {
        match self {
            Self::Said(texts) => context! { kind => "said", texts => texts.iter().map(view::said).collect::<Vec<_>>() },
            Self::Search { action, fields, label } => {
                let field = |(name, label, value): &(&'static str, Text, String)| {
                    context! { name => *name, label => view::said(label), value => legible(value) }
                };
                let fields = fields.iter().map(field).collect::<Vec<_>>();
                context! { kind => "search", action => action.as_str(), fields, label => view::said(label) }
            }
            Self::Facts { title, facts } => {
                context! { kind => "facts", title => title.as_ref().map(view::said), facts => values(facts) }
            }
            Self::Rows { id, title, empty, rows, more, form } => {
                let all = form.as_ref().and_then(|(_, all)| all.as_ref());
                context! {
                    kind => "rows", id => *id, title => view::said(title), empty => view::said(empty),
                    rows => rows.iter().map(Row::values).collect::<Vec<_>>(),
                    more => more.as_ref().map(Href::as_str),
                    form => form.as_ref().map(|(form, _)| view::form(form)),
                    all => all.map(|(label, act)| context! { label => view::said(label), act }),
                }
            }
            Self::Ask { text, form, label } => {
                context! { kind => "ask", text => view::said(text), form => view::form(form), label => view::said(label) }
            }
        }
    }
}

impl Row {
    fn values(&self) -> Value {
        context! {
            head => self.head.values(), href => self.href.as_ref().map(Href::as_str),
            tag => self.tag.as_ref().map(|(text, bad)| context! { text => view::said(text), bad }),
            facts => values(&self.facts),
            act => self.act.as_ref().map(|(label, act)| context! { label => view::said(label), act }),
        }
    }
}

fn values(facts: &[(Text, Cell)]) -> Vec<Value> {
    facts.iter().map(|(label, cell)| context! { label => view::said(label), cell => cell.values() }).collect()
}
