//! What a naive implementer gets wrong (behaviour §4), where it is decided here: one test for each, by its number.

use super::*;
use crate::kernel::standing;
use crate::kernel::values::EmailAddress;

/// A person whom the issuer proves, without a link.
fn unlinked(vouched: Vouched, of: &Account) -> Case {
    Case::candidate(ISSUER, of, C).with(|case| {
        case.claims.email_verified = vouched;
        case.candidates[0].identities.clear();
    })
}

#[test]
fn mistake_1_no_link_by_an_address_that_is_not_said_to_be_verified() {
    let ann = account(9, "ann@free.example");
    check(&unlinked(Vouched::Yes, &ann), "link");
    for vouched in [Vouched::No, Vouched::Silent] {
        check(&unlinked(vouched, &ann), "email-not-verified");
    }
}

#[test]
fn mistake_2_no_link_to_an_account_that_somebody_else_may_have_made_before() {
    let planted = Account { email_verified: false, ..account(9, "ann@free.example") };
    check(&unlinked(Vouched::Yes, &planted), "local-proof-needed");
    let local = unlinked(Vouched::Yes, &account(9, "ann@free.example"))
        .with(|case| case.candidates[0].product_account.as_mut().unwrap().state = ProductAccountState::Local);
    check(&local, "local-proof-needed");
}

#[test]
fn mistake_3_a_linked_subject_is_not_taken_over_by_who_bought_the_domain() {
    // The domain has another holder since yesterday; the old people's accounts are linked elsewhere and lay still.
    let old = NOW.minus(DAY * 400);
    let dormant = Account { last_login_at: Some(old), email_proved_at: Some(old), ..account(9, "ann@c.com") };
    let bought = |case: &mut Case| claim(&mut case.catalog, "c.com").claimed_at = NOW.minus(DAY);
    check(&Case::candidate(C, &dormant, ISSUER).with(bought), "local-proof-needed");
    let elsewhere = Case::linked(ISSUER, Some("other@free.example"), &account(9, "ann@free.example"));
    check(&elsewhere, "session");
}

#[test]
fn mistake_4_no_directory_asserts_another_organizations_domain() {
    check(&Case::stranger(C, Some("ann@d.com")), "authority");
}

#[test]
fn mistake_5_a_domain_is_that_very_name() {
    for address in ["ann@evilc.com", "ann@sub.c.com", "ann@c.com.evil.example"] {
        check(&Case::stranger(C, Some(address)), "authority");
    }
}

#[test]
fn mistakes_6_and_7_two_spellings_are_two_people() {
    // U+212A and U+0131 fold to k and i in some alphabets; tags and dots are other mailboxes.
    assert!(EmailAddress::parse("ann\u{212a}@c.com").is_err() && EmailAddress::parse("ann\u{131}@c.com").is_err());
    for other in ["ann+x@c.com", "a.nn@c.com"] {
        assert_ne!(email(other), email("ann@c.com"));
    }
    assert_ne!(EmailAddress::parse("ann@fa\u{df}.de").unwrap().domain().as_str(), "fass.de");
}

#[test]
fn mistake_8_what_the_first_page_did_not_offer_is_refused_when_it_comes_back() {
    let ann = account(9, "ann@a.com");
    check(&Case::linked(GOOGLE, Some("ann@a.com"), &ann), "go to 1");
    check(&Case::local(Method::Password, LOCAL, &ann, ProductAccountState::Local), "go to 1");
    check(&Case::local(Method::Reset, LOCAL, &ann, ProductAccountState::Local), "go to 1");
}

#[test]
fn mistake_9_a_provider_that_is_gone_is_no_reason_for_a_password() {
    let gone = |case: &mut Case| {
        case.catalog.directories.remove(&id(A));
    };
    let ann = account(9, "ann@a.com");
    check(&Case::local(Method::Password, LOCAL, &ann, ProductAccountState::Local).with(gone), "provider-unavailable");
    check(&Case::linked(ISSUER, Some("ann@a.com"), &ann).with(gone), "provider-unavailable");
}

#[test]
fn mistakes_10_and_11_who_is_switched_off_hears_it_after_the_proof_and_no_proof_switches_on() {
    let off = Account { status: AccountStatus::Deactivated, ..account(9, "ann@c.com") };
    check(&Case::linked(C, Some("ann@c.com"), &off), "inactive");
    check(&Case::candidate(C, &off, ISSUER), "inactive");
    // Without a proof nobody hears it: phase A is never told a status (its facts have none).
    check(
        &Case::local(Method::Password, LOCAL, &off, ProductAccountState::Local).with(|case| case.local.account = None),
        "no-account",
    );
}

#[test]
fn mistake_16_an_address_that_was_given_up_finds_nobody() {
    // The account's live address is another one now: a candidate by the old one is none.
    let case = Case::candidate(ISSUER, &account(9, "ann@free.example"), C)
        .with(|case| case.candidates[0].account.email = Some(email("new@free.example")));
    check(&case, "create");
}

#[test]
fn mistake_18_a_claim_does_not_manage_an_address_that_was_never_proved() {
    let squatter = Account { email_verified: false, ..account(9, "ann@c.com") };
    assert!(standing::proved_addresses(&squatter, &[]).is_empty());
    let only_theirs = |case: &mut Case| {
        case.product.as_mut().unwrap().allow = Allow { orgs: vec![org("c")], ..Allow::default() };
    };
    check(&Case::linked(ISSUER, None, &squatter).with(only_theirs), "not-allowed");
    // It gets no benefit, and no way round either.
    check(&Case::linked(ISSUER, None, &Account { email: Some(email("ann@a.com")), ..squatter }), "go to 1");
}

#[test]
fn mistake_22_another_address_of_the_same_subject_is_the_same_person() {
    let ann = account(9, "ann@c.com");
    check(&Case::linked(C, Some("renamed@c.com"), &ann), "session");
    assert_eq!(admitted(&Case::linked(C, Some("renamed@c.com"), &ann)).ignored_address, Some(email("renamed@c.com")));
}

#[test]
fn mistake_25_an_emergency_login_has_a_second_step_or_is_none() {
    let root = account(9, "root@a.com");
    let case = Case::local(Method::Emergency, HERE, &root, ProductAccountState::Linked)
        .policy("a", |policy| policy.break_glass = vec![email("root@a.com")]);
    check(&case, "second-step-needed");
    check(&case.stepped(&root), "session");
}

#[test]
fn mistake_29_a_product_switches_off_itself_and_nothing_else() {
    let ann = account(9, "ann@c.com");
    let off = |case: &mut Case| case.product_account.as_mut().unwrap().off = true;
    check(&Case::linked(C, None, &ann).with(off), "inactive");
    check(
        &Case::linked(C, None, &ann).with(off).with(|case| (case.product, case.product_account) = (None, None)),
        "session",
    );
}

#[test]
fn mistake_30_a_products_own_tokens_are_blocked_unless_somebody_says_otherwise() {
    assert_eq!(ApiTokens::default(), ApiTokens::Block);
}
