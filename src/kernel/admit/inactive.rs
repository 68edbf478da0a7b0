//! B5, B8: whoever is switched off stays out, by whatever door. Without a link every candidate is asked, tombstones too, before
//! any of them could be linked or a new account made beside them (rule H2, §4 #11).
use super::{Facts, Objection, Rule};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::is_active;

pub(super) const RULE: Rule = Rule { name: "B5 inactive", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let account = facts.account().is_none_or(|account| is_active(account, facts.product_account.as_ref()));
    let candidates = facts
        .candidates()
        .chain(facts.given_up())
        .all(|candidate| is_active(&candidate.account, candidate.product_account.as_ref()));
    // Nothing is linked and nobody made anew where somebody was deleted for good; who has an account of their own enters that.
    let stands = facts.buried && facts.account().is_none();
    (!(account && candidates) || stands).then_some(Objection::Refuse(Refusal::Inactive))
}
