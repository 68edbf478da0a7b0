//! Phase C for a product's own API token: may the requests of its owner pass (rule C7)?
//!
//! A token is not a session: nobody proved anything with it here. It passes because the product says whose it is and every policy that
//! the owner is under says that such tokens pass; whoever ends the person, the record or the permission ends the token with it.

use super::whence::Whence;
use crate::kernel::model::{
    Account, ApiTokens, Catalog, Migration, MigrationStep, Product, ProductAccount, ProductAccountState,
};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::{self, Entrant, Groups, Management};
use crate::kernel::values::EmailAddress;

/// What is asked about the owner of a token.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// The configuration of now.
    pub catalog: &'a Catalog,
    /// The product whose token it is.
    pub product: &'a Product,
    /// The owner's record there, as the product named it.
    pub record: &'a ProductAccount,
    /// The account that it belongs to.
    pub account: &'a Account,
    /// As in [`LiveFacts::further`](super::LiveFacts::further).
    pub further: &'a [EmailAddress],
    /// How far the record's move has come, if it moves or has moved.
    pub migration: Option<&'a Migration>,
}

/// Whether requests with the token pass, and from where.
///
/// # Errors
/// Why they do not.
pub fn token_passes(facts: &TokenFacts<'_>) -> Result<Whence, Refusal> {
    let open = matches!(
        facts.record.state,
        ProductAccountState::Local | ProductAccountState::Migrating | ProductAccountState::Linked
    );
    if !open || !standing::is_active(facts.account, Some(facts.record)) {
        return Err(Refusal::Inactive);
    }
    // Committed, and the product has not said yet that the tokens of before are dead.
    let is_owed =
        facts.migration.is_some_and(|it| matches!(it.step, MigrationStep::SetAuthMode | MigrationStep::RevokeSessions));
    let governing = governing(facts);
    let blocks = |held: &Management<'_>| held.policy().api_tokens == ApiTokens::Block;
    if is_owed || governing.iter().any(blocks) {
        return Err(Refusal::Credential);
    }
    let entrant = Entrant {
        managed: &governing,
        addresses: &standing::proved_addresses(facts.account, facts.further),
        groups: &[],
        asserted_by: None,
    };
    if !entrant.may_enter(&facts.product.allow) {
        return Err(Refusal::NotAllowed);
    }
    Ok(Whence::of_policies(&governing))
}

/// As in phase B: an address that was never proved must not loosen anything.
fn governing<'a>(facts: &TokenFacts<'a>) -> Vec<Management<'a>> {
    let proved = standing::proved_addresses(facts.account, facts.further);
    if !proved.is_empty() {
        return standing::managements(facts.catalog, &proved, Groups::Unknown);
    }
    let claimed: Vec<&EmailAddress> = facts.account.email.iter().collect();
    standing::managements(facts.catalog, &claimed, Groups::Unknown)
}
