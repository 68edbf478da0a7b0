//! What a person is asked or told about a kept request, and what a script is (rule H9).

use super::Site;
use super::render::{self, brand};
use crate::pages::{Form, Href, Lost as LostPage, Page, Resend, Utc};
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
            Some(page) => render::html(self.pages.render(&page), &[]),
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
            let (what, can_do) = texts(*lost, &offer.product.label);
            Page::Lost(LostPage { brand, what, can_do: can_do.to_owned(), back: Href::parse("/").ok()? })
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
pub(super) fn tell(problem: &mut Value, kept: Kept) {
    let Value::Object(fields) = problem else { return };
    fields.insert("spooled".to_owned(), Value::Bool(kept == Kept::Yes));
    if let Kept::No(lost) = kept {
        fields.insert("detail".to_owned(), Value::String(texts(lost, "the product").0));
    }
}

/// What happened, and what the person can do.
fn texts(lost: Lost, product: &str) -> (String, &'static str) {
    const AGAIN: &str = "Go back to the page you came from and send it again.";
    match lost {
        Lost::TooLarge(limit) => {
            let limit = crate::pages::bytes(limit);
            (format!("Your session had ended, and it was larger than the {limit} that can be kept during a login."), AGAIN)
        }
        Lost::NoRoom => ("Your session had ended, and there was no room to keep it during the login.".to_owned(), AGAIN),
        Lost::Gone => (
            "It was kept for 15 minutes, only once, and only in the browser that sent it. It is not here any more.".to_owned(),
            AGAIN,
        ),
        Lost::Elsewhere => ("Another server had kept it, and it cannot be reached from here.".to_owned(), AGAIN),
        Lost::Another => (
            "It was kept for the person whose session had ended, and you logged in with another account. It was deleted."
                .to_owned(),
            "If it was yours, log in with the account you had, and send it again.",
        ),
        Lost::Changed => (
            format!("Since you sent it, your account or {product} has changed. It was deleted, so that it does no harm."),
            AGAIN,
        ),
        Lost::Sent => (
            format!("{product} has received it. It is sent once only."),
            "Look there first, before you send it again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h9_a_script_is_told_whether_its_request_was_kept() {
        let check = |kept, spooled: bool, detail: Option<&str>| {
            let mut problem = serde_json::json!({ "status": 401 });
            tell(&mut problem, kept);
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
