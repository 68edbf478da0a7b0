//! B6: once an account belongs to the one account, its local credentials open nothing any more, even while the product would still
//! take them (rules T30, H21).
use super::{Facts, Objection, Rule};
use crate::kernel::model::ProductAccountState;
use crate::kernel::refusal::Refusal;

pub(super) const RULE: Rule = Rule { name: "B6 password-dead", objection };

fn objection(facts: &Facts<'_>) -> Option<Objection> {
    let dead = facts.record().is_some_and(|record| match record.state {
        ProductAccountState::Linked | ProductAccountState::Merged(_) => true,
        ProductAccountState::Local | ProductAccountState::Migrating | ProductAccountState::Closed => false,
    });
    (facts.method().is_local() && dead).then_some(Objection::Refuse(Refusal::PasswordDead))
}
