//! Two accounts of one person: the words of their page, and its paths on the login host.

use super::Site;
use super::forms::Fields;
use super::local::paths;
use super::render::form;
use crate::kernel::merging::Blocked;
use crate::language::Text;
use crate::login::{Answer, MergeAsks as Asked, MergeStep, Visitor};
use crate::pages::{Brand, Href, Merge, MergeAsks, Name};
use crate::web::PageRequest;

impl Site {
    /// `POST /login/merge` and `/login/merge/review`.
    pub(super) async fn post_merge(&self, request: &PageRequest, visitor: &Visitor, review: bool) -> Answer {
        let form = Fields::of_form(request);
        let sealed = (form.text("csrf"), form.text("to"));
        match review {
            true => self.login.confirm_merge(visitor, sealed.0, sealed.1).await,
            false => self.login.choose_merge(visitor, sealed, form.text("act")).await,
        }
    }
}

/// The page. `None` only when an address of ours does not parse.
pub(super) fn page(step: MergeStep, brand: Brand) -> Option<Merge> {
    let MergeStep { form: fields, asks, email, stays, provider, removed, stay } = step;
    let action = if matches!(asks, Asked::Review { .. }) { paths::MERGE_REVIEW } else { paths::MERGE };
    let asks = match asks {
        Asked::Offered { later } => MergeAsks::Offered { later },
        Asked::Blocked(why) => MergeAsks::Blocked(why_not(why)),
        Asked::Review { changed } => MergeAsks::Review { changed },
    };
    Some(Merge {
        brand,
        form: form(&fields, action)?,
        asks,
        email,
        stays,
        provider: Name::configured(&provider),
        removed,
        stay: Href::parse(&stay).ok()?,
    })
}

/// MSG-MERGE-BLOCKED.
const fn why_not(why: Blocked) -> Text {
    match why {
        Blocked::Product => Text::of("merge-not-product"),
        Blocked::Managed => Text::of("merge-not-managed"),
        Blocked::Enterprise => Text::of("merge-not-enterprise"),
        Blocked::Elsewhere => Text::of("merge-not-elsewhere"),
    }
}
