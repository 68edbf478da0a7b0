//! The page of a person's own API tokens.

use super::href::Href;
use super::name::{Name, legible};
use super::page::{Brand, Form};
use super::utc::Utc;
use super::view;
use minijinja::{Value, context};
use zeroize::Zeroizing;

/// A person's own tokens, on the login host. Its form posts `act` (`confirm`; `read` or `full` and a product's name; `all`; `end` and a
/// token's id), `label` and `days`.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The login host.
    pub brand: Brand,
    /// The form.
    pub form: Form,
    /// Products for which one can be made, the value that names each, and for how many days at most.
    pub products: Vec<(Name, String, u64)>,
    /// Those that there are.
    pub tokens: Vec<Token>,
    /// The one that was made just now, shown this once.
    pub made: Option<Zeroizing<String>>,
    /// The person was proved just now; else one button asks for that.
    pub fresh: bool,
    /// What was asked for could not be made.
    pub failed: bool,
    /// The person's account page.
    pub account: Href,
}

/// A token as its person sees it.
#[derive(Clone, Debug)]
pub struct Token {
    /// Its id.
    pub id: String,
    /// What its person calls it.
    pub label: String,
    /// The product.
    pub product: Name,
    /// Whether it only reads.
    pub reads: bool,
    /// When it was used last.
    pub last_seen: Option<Utc>,
    /// When it ends.
    pub ends: Utc,
}

pub(super) fn tokens(page: &Tokens) -> Value {
    let product = |(name, value, days): &(Name, String, u64)| context! { name => name.shown(), value, days };
    context! {
        products => page.products.iter().map(product).collect::<Vec<_>>(),
        tokens => page.tokens.iter().map(token).collect::<Vec<_>>(),
        made => page.made.as_ref().map(|made| made.as_str()), fresh => page.fresh, failed => page.failed,
        form => view::form(&page.form), account => page.account.as_str(),
    }
}

fn token(token: &Token) -> Value {
    context! {
        id => token.id.as_str(), label => legible(&token.label), product => token.product.shown(), reads => token.reads,
        seen => token.last_seen.map(|at| at.0), seen_machine => token.last_seen.map(Utc::machine),
        ends => token.ends.0, ends_machine => token.ends.machine(),
    }
}
