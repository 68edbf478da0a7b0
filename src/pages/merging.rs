//! The pages for a person who has two accounts at one product. They name both, and say what stays and what goes.

use minijinja::{Value, context};

use super::href::Href;
use super::name::{Name, legible};
use super::page::{Brand, Form};
use super::view;
use crate::language::Text;

/// Two accounts. `POST` with the field `act` where there is something to choose.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The product.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// What is asked.
    pub asks: MergeAsks,
    /// The address that both have.
    pub email: String,
    /// The address of the account that stays.
    pub stays: String,
    /// What people call the provider that opens it.
    pub provider: Name,
    /// Addresses that log in no longer.
    pub removed: Vec<String>,
    /// Away, with nothing changed.
    pub stay: Href,
}

/// What is asked of a person who has two accounts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MergeAsks {
    /// `act`: `merge`, `apart`, and `later` where it may be.
    Offered {
        /// Whether it may be left for later.
        later: bool,
    },
    /// Why they cannot be made one; `act`: `apart`.
    Blocked(Text),
    /// The button merges them.
    Review {
        /// The facts changed since the page was shown: 409.
        changed: bool,
    },
}

impl Merge {
    /// The template and the status.
    pub(super) fn kind(&self) -> (&'static str, u16) {
        match self.asks {
            MergeAsks::Offered { .. } | MergeAsks::Blocked(_) => ("local/merge.html", 200),
            MergeAsks::Review { changed: false } => ("local/merge_review.html", 200),
            MergeAsks::Review { changed: true } => ("local/merge_review.html", 409),
        }
    }

    pub(super) fn values(&self) -> Value {
        let (later, blocked) = match &self.asks {
            MergeAsks::Offered { later } => (*later, None),
            MergeAsks::Blocked(why) => (false, Some(view::said(why))),
            MergeAsks::Review { .. } => (false, None),
        };
        context! {
            form => view::form(&self.form), email => legible(&self.email), stays => legible(&self.stays),
            provider => self.provider.shown(), later, blocked, changed => self.asks == MergeAsks::Review { changed: true },
            removed => self.removed.iter().map(|address| legible(address)).collect::<Vec<_>>(),
            stay => self.stay.as_str(),
        }
    }
}
