//! What a person is asked or told about a kept request, and what a script is (rule H9).

use super::Site;
use super::render::{self, brand};
use crate::language::{Fact, Text, Unsaid};
use crate::pages::{Form, Href, Lost as LostPage, Page, Reader, Resend, Utc};
use crate::web::{Kept, Lost, Offer, Unsent};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

/// The page's path: its form is posted where it stands.
const PATH: &str = "/.fedgate/replay";

impl Site {
    /// Asks whether a kept request shall be sent now, or says why there is none.
    pub(super) fn replay_page(&self, offer: &Offer) -> Response<Bytes> {
        match page(offer) {
            Some(page) => render::html(
                self.pages.render(&page, &Reader { language: self.pages.choose(&offer.wishes), picker: None }),
                &[],
            ),
            None => {
                tracing::error!("a page could not be put together");
                render::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

fn page(offer: &Offer) -> Option<Page> {
    let brand = brand(&offer.product);
    Some(match &offer.request {
        Ok(unsent) => Page::Resend(resend(brand, unsent)?),
        Err(lost) => {
            let (what, can_do) = texts(*lost, Fact::shown(&offer.product.label));
            Page::Lost(LostPage { brand, what, can_do, back: Href::parse("/").ok()? })
        }
    })
}

fn resend(brand: crate::pages::Brand, unsent: &Unsent) -> Option<Resend> {
    let action = Href::parse(PATH).ok()?;
    Some(Resend {
        brand,
        form: Form { action, csrf: unsent.csrf.clone(), to: unsent.handle.clone() },
        method: unsent.method.clone(),
        path: unsent.path.clone(),
        size: unsent.size,
        at: Utc::from(unsent.at),
        failed: unsent.failed,
    })
}

/// Adds to a script's 401 whether its request was kept: `spooled`, and where it was not a sentence why.
pub(super) fn tell(problem: &mut Value, kept: Kept, say: impl Fn(&Text) -> Result<String, Unsaid>) {
    let Value::Object(fields) = problem else { return };
    fields.insert("spooled".to_owned(), Value::Bool(kept == Kept::Yes));
    if let Kept::No(lost) = kept
        && let Ok(text) = say(&texts(lost, Fact::Said(Text::of("the-product"))).0)
    {
        fields.insert("detail".to_owned(), Value::String(text));
    }
}

/// What happened, and what the person can do.
fn texts(lost: Lost, product: Fact) -> (Text, Text) {
    let (what, can_do) = match lost {
        Lost::TooLarge(_) => ("lost-too-large", "lost-do-again"),
        Lost::NoRoom => ("lost-no-room", "lost-do-again"),
        Lost::Gone => ("lost-gone", "lost-do-again"),
        Lost::Elsewhere => ("lost-elsewhere", "lost-do-again"),
        Lost::Another => ("lost-another", "lost-do-another"),
        Lost::Changed => ("lost-changed", "lost-do-again"),
        Lost::Sent => ("lost-sent", "lost-do-sent"),
    };
    let limit = if let Lost::TooLarge(limit) = lost { limit } else { 0 };
    (Text::of(what).and("product", product).and("limit", Fact::Bytes(limit)), Text::of(can_do))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_a_script_is_told_whether_its_request_was_kept() {
        let check = |kept, spooled: bool, detail: Option<&str>| {
            let mut problem = serde_json::json!({ "status": 401 });
            tell(&mut problem, kept, crate::language::in_english);
            assert_eq!(problem["spooled"], spooled);
            let said = problem["detail"].as_str();
            assert!(detail.is_none_or(|part| said.is_some_and(|said| said.contains(part))), "{said:?}");
            assert_eq!(said.is_some(), detail.is_some());
        };
        check(Kept::Yes, true, None);
        check(Kept::No(Lost::TooLarge(1024 * 1024)), false, Some("larger than the 1.0 MB"));
        check(Kept::No(Lost::NoRoom), false, Some("no room"));
    }
}
