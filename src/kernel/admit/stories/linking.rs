//! Attacks and everyday logins, one row each: what the linking decision does with an unopposed proof.

use super::*;

#[test]
fn c6_authority_links_only_what_was_in_use_under_the_claim() {
    let dormant = NOW.minus(DAY * 381);
    let rows: [(Option<Timestamp>, Option<Timestamp>, &str); 6] = [
        (Some(NOW), None, "link"),
        (None, Some(NOW), "link"),
        // Claimed 200 days ago: the 180 days before reach back to day 380.
        (Some(NOW.minus(DAY * 380)), None, "link"),
        (None, Some(NOW.minus(DAY * 380)), "link"),
        (Some(dormant), Some(dormant), "local-proof-needed"),
        (None, None, "local-proof-needed"),
    ];
    for (last_login_at, email_proved_at, expected) in rows {
        let ann = Account { last_login_at, email_proved_at, ..account(9, "ann@c.com") };
        check(&Case::candidate(C, &ann, ISSUER), expected);
        check(&Case::candidate(ISSUER, &ann, C), expected);
    }
    let unproved = Account { email_verified: false, ..account(9, "ann@c.com") };
    check(&Case::candidate(C, &unproved, ISSUER), "local-proof-needed");
}

#[test]
fn c6_third_parties_have_authority_at_gmail_only() {
    let (gmail, free) = (account(9, "ann@gmail.com"), account(9, "ann@free.example"));
    check(&Case::candidate(GOOGLE, &gmail, ISSUER), "link");
    check(&Case::candidate(GOOGLE, &free, ISSUER), "local-proof-needed");
    let hosted = |case: &mut Case| case.claims.hosted_domain = Some("free.example".to_owned());
    check(&Case::candidate(GOOGLE, &free, ISSUER).with(hosted), "local-proof-needed");
    check(&Case::candidate(SLACK, &gmail, ISSUER), "local-proof-needed");
    check(&Case::candidate(ISSUER, &free, GOOGLE).with(|case| case.candidates[0].identities.clear()), "link");
}

#[test]
fn c6_an_account_planted_by_a_third_party_is_not_linked() {
    check(&Case::candidate(C, &account(9, "ann@c.com"), SLACK), "local-proof-needed");
    check(&Case::candidate(ISSUER, &account(9, "ann@free.example"), GOOGLE), "local-proof-needed");
    check(&Case::candidate(ISSUER, &account(9, "ann@gmail.com"), GOOGLE), "link");
}

#[test]
fn b13_to_b25_the_linking_decision() {
    let ann = account(9, "ann@free.example");
    check(&Case::linked(ISSUER, None, &ann).with(|case| case.linked.as_mut().unwrap().account = None), "broken-link");
    let elsewhere = |case: &mut Case| case.linked.as_mut().unwrap().account = Some(account(8, "ann@free.example"));
    check(&Case::linked(ISSUER, None, &ann).with(elsewhere), "broken-link");
    for (vouched, expected) in
        [(Vouched::Yes, "create"), (Vouched::No, "email-not-verified"), (Vouched::Silent, "email-not-verified")]
    {
        check(
            &Case::stranger(ISSUER, Some("x@free.example")).with(|case| case.claims.email_verified = vouched),
            expected,
        );
    }
    check(&Case::stranger(ISSUER, None), "email-not-verified");
    let two = Case::candidate(ISSUER, &ann, C)
        .with(|case| case.candidates.extend(Case::candidate(ISSUER, &account(8, "ann@free.example"), C).candidates));
    check(&two, "several-accounts");
    check(&Case::candidate(ISSUER, &ann, ISSUER), "conflict");
    for state in [ProductAccountState::Local, ProductAccountState::Migrating] {
        let local = |case: &mut Case| case.candidates[0].product_account.as_mut().unwrap().state = state;
        check(
            &Case::candidate(ISSUER, &ann, C).with(|case| case.candidates[0].identities.clear()).with(local),
            "local-proof-needed",
        );
        let local = |case: &mut Case| case.product_account.as_mut().unwrap().state = state;
        check(&Case::linked(ISSUER, None, &ann).with(local), "local-proof-needed");
    }
    for (state, expected) in [
        (ProductAccountState::Merged(ProductAccountId::from_bytes([1; 16])), "conflict"),
        (ProductAccountState::Closed, "inactive"),
    ] {
        check(
            &Case::linked(ISSUER, None, &ann).with(|case| case.product_account.as_mut().unwrap().state = state),
            expected,
        );
    }
}

#[test]
fn b24_who_may_get_an_account() {
    // directory, address, signup, named in allow, outcome
    let rows = [
        (C, "x@c.com", Signup::Org, false, "create"),
        (C, "x@c.com", Signup::Closed, false, "no-account"),
        (D, "x@d.com", Signup::Open, false, "no-account"),
        (A, "x@a.com", Signup::Org, false, "create"),
        (ISSUER, "x@c.com", Signup::Org, false, "create"),
        (ISSUER, "x@free.example", Signup::Org, false, "no-account"),
        (ISSUER, "x@free.example", Signup::Org, true, "create"),
        (ISSUER, "x@free.example", Signup::Closed, true, "no-account"),
        (GOOGLE, "x@c.com", Signup::Org, false, "no-account"),
        (GOOGLE, "x@free.example", Signup::Org, true, "create"),
        (GOOGLE, "x@free.example", Signup::Open, false, "create"),
    ];
    for (directory, address, signup, named, expected) in rows {
        let set = |case: &mut Case| {
            let product = case.product.as_mut().unwrap();
            product.signup = signup;
            product.allow.people = if named { vec![email(address)] } else { Vec::new() };
        };
        check(&Case::stranger(directory, Some(address)).with(set), expected);
    }
    let no_product = |case: &mut Case| case.product = None;
    check(&Case::stranger(C, Some("x@c.com")).with(no_product), "create");
    check(&Case::stranger(ISSUER, Some("x@free.example")).with(no_product), "no-account");
    let suspended = |case: &mut Case| claim(&mut case.catalog, "c.com").suspended = true;
    check(&Case::stranger(ISSUER, Some("x@c.com")).with(suspended), "no-account");
    check(&Case::stranger(GOOGLE, Some("x@c.com")).with(suspended), "no-account");
}

#[test]
fn a_known_person_joins_a_product_as_its_signup_says() {
    let ann = account(9, "ann@free.example");
    for (signup, expected) in [(Signup::Open, "session"), (Signup::Org, "no-account"), (Signup::Closed, "no-account")] {
        let set = |case: &mut Case| {
            case.product_account = None;
            case.product.as_mut().unwrap().signup = signup;
        };
        check(&Case::linked(ISSUER, None, &ann).with(set), expected);
        check(&Case::session(ISSUER, &ann).with(set), expected);
    }
    let joins = Case::linked(ISSUER, None, &ann).with(|case| case.product_account = None);
    assert!(matches!(admitted(&joins).entry.unwrap().record, Record::New));
    // Somebody else's record is nobody's.
    let foreign = record(&account(8, "bob@free.example"), ProductAccountState::Linked);
    let case = Case::linked(ISSUER, None, &ann).with(|case| case.product_account = Some(foreign));
    assert!(matches!(admitted(&case).entry.unwrap().record, Record::New));
}

#[test]
fn h19_an_address_keeps_its_sub() {
    let ann = account(9, "ann@c.com");
    let taken = |sub: &str| {
        let sub = sub.to_owned();
        move |case: &mut Case| case.address_taken = Some(sub)
    };
    let own = record(&ann, ProductAccountState::Linked).sub;
    check(&Case::linked(C, None, &ann).with(taken(&own)), "session");
    check(&Case::linked(C, None, &ann).with(taken("other")), "conflict");
    check(&Case::candidate(C, &ann, ISSUER).with(taken(&own)), "link");
    check(&Case::candidate(C, &ann, ISSUER).with(taken("other")), "conflict");
    check(&Case::stranger(C, Some("new@c.com")).with(taken("other")), "conflict");
}
