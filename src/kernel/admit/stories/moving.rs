//! Records that still have a password of their own: who moves them to the one account, and who must prove more first.

use super::*;
use crate::kernel::admit::{Candidate, Need};
use crate::kernel::model::{Deadline, MigrationPlan};
use crate::kernel::proof::OwnerProof;
use crate::kernel::values::EmailAddress;

fn phase(phase: MigrationPhase) -> impl Fn(&mut Case) {
    move |case| case.product.as_mut().unwrap().migration = MigrationPlan::of(phase)
}

fn optional(case: &mut Case) {
    phase(MigrationPhase::Optional)(case);
}

/// The record of the linked account, or of the one candidate, has a password.
fn has_password(case: &mut Case) {
    let record = case.product_account.as_mut().or_else(|| case.candidates.first_mut()?.product_account.as_mut());
    record.unwrap().state = ProductAccountState::Local;
}

/// A candidate with a password and no identity.
fn candidate(directory: u8, of: &Account) -> Case {
    Case::candidate(directory, of, C).with(|case| case.candidates[0].identities.clear()).with(has_password)
}

fn owner(of: &Account, epoch: u32, stepped: bool) -> impl Fn(&mut Case) {
    let proof = OwnerProof::new(of.id, record(of, ProductAccountState::Local).id, epoch, stepped.then_some(NOW));
    move |case| case.local.owner = Some(proof)
}

#[test]
fn b14_the_persons_own_identity_moves_the_record_with_a_fresh_proof() {
    let ann = account(9, "ann@free.example");
    let case = Case::linked(GOOGLE, None, &ann).with(has_password).with(optional);
    check(&case, "session");
    let terms = admitted(&case);
    assert_eq!((terms.moves, terms.link), (Some(Trigger::ThirdParty), None));
    check(&case.clone().with(phase(MigrationPhase::Off)), "local-proof-needed");
    let old = |case: &mut Case| case.claims.auth_time = NOW.minus(Duration::from_secs(601));
    check(&case.clone().with(old), "stale-proof");
    check(&Case::session(GOOGLE, &ann).with(has_password).with(optional), "stale-proof");
    check(&Case::session(GOOGLE, &ann).with(has_password), "local-proof-needed");
    // Whoever enrolled a second step is asked for it (H1).
    let enrolled = case.with(|case| case.local.enrolled = true);
    check(&enrolled, "local-proof-needed");
    check(&enrolled.clone().with(owner(&ann, 1, false)), "local-proof-needed");
    check(&enrolled.clone().with(owner(&ann, 1, true)), "session");
    // The step that was taken on the login host is that step; somebody else's is none.
    check(&enrolled.clone().stepped(&ann), "session");
    check(&enrolled.stepped(&account(8, "bob@free.example")), "local-proof-needed");
    // What moved already moves no more.
    assert_eq!(admitted(&Case::linked(GOOGLE, None, &ann).with(optional)).moves, None);
}

#[test]
fn b9_the_owners_second_step_at_the_door_is_the_one_that_a_policy_requires_while_nothing_changed() {
    let ann = account(9, "ann@gmail.com");
    let required = |case: &mut Case| case.catalog.people.second_step = SecondStep::Required;
    let case = candidate(GOOGLE, &ann).with(optional).with(required);
    let case = case.with(|case| case.candidates[0].account.email_verified = false);
    // What shows whose it is comes first, then the step.
    check(&case, "local-proof-needed");
    check(&case.clone().with(owner(&ann, 1, false)), "second-step-needed");
    check(&case.clone().with(owner(&ann, 1, true)), "link");
    assert_eq!(admitted(&case.clone().with(owner(&ann, 1, true))).proved.stepped_at, Some(NOW));
    check(&case.with(owner(&ann, 0, true)), "local-proof-needed");
    // An owner's proof of before the epoch rose is no step either, where nothing else asks for the owner.
    let linked = Case::linked(ISSUER, None, &ann).with(required);
    check(&linked.clone().with(owner(&ann, 1, true)), "session");
    check(&linked.with(owner(&ann, 0, true)), "second-step-needed");
}

#[test]
fn b20_b22_authority_moves_a_record_and_a_claim_alone_does_not() {
    let (free, gmail) = (account(9, "ann@free.example"), account(9, "ann@gmail.com"));
    let case = candidate(ISSUER, &free).with(optional);
    check(&case, "link");
    assert_eq!(admitted(&case).moves, Some(Trigger::ThirdParty));
    check(&candidate(ISSUER, &free), "local-proof-needed");
    check(&candidate(GOOGLE, &gmail).with(optional), "link");
    check(&candidate(GOOGLE, &free).with(optional), "local-proof-needed");
    check(&candidate(SLACK, &gmail).with(optional), "local-proof-needed");
    // Never verified (B21, §4 #2), or a second step enrolled (H1): authority is not enough.
    let unproved = Account { email_verified: false, ..free.clone() };
    check(&candidate(ISSUER, &unproved).with(optional), "local-proof-needed");
    let enrolled = |case: &mut Case| case.candidates[0].enrolled = true;
    check(&candidate(ISSUER, &free).with(optional).with(enrolled), "local-proof-needed");
    let silent = |case: &mut Case| case.claims.email_verified = Vouched::Silent;
    check(&candidate(ISSUER, &free).with(optional).with(silent), "email-not-verified");
}

#[test]
fn b21_what_never_proved_its_address_is_put_aside_by_authority_after_the_offer() {
    let ann = account(9, "ann@free.example");
    let unproved = Account { email_verified: false, ..ann.clone() };
    let open = |case: &mut Case| case.product.as_mut().unwrap().signup = Signup::Open;
    let said = |case: &mut Case| {
        case.local.disowned = Some(record(&account(9, "ann@free.example"), ProductAccountState::Local).id);
    };
    let case = candidate(ISSUER, &unproved).with(optional).with(open);
    // M25: asked first; whoever proves the old account has it.
    check(&case, "local-proof-needed");
    assert!(matches!(case.decide().outcome, Outcome::Need(Need::LocalProofOrNew)));
    let proved = case.clone().with(owner(&unproved, 1, false));
    check(&proved, "link");
    check(&proved.with(said), "link");
    let anew = case.with(said);
    check(&anew, "create");
    let terms = admitted(&anew);
    assert_eq!(terms.sets_aside.map(|old| old.id), Some(ann.id));
    assert!(matches!(terms.entry.map(|entry| entry.record), Some(Record::New)), "what it has stays its own");
    // Nothing of this makes anybody give way who proved anything, or to somebody without authority, or where nobody may begin anew.
    let keeps = |change: &dyn Fn(&mut Case)| check(&anew.clone().with(change), "local-proof-needed");
    keeps(&|case| case.candidates[0].further = vec![EmailAddress::parse("ann@other.example").unwrap()]);
    keeps(&|case| case.product.as_mut().unwrap().signup = Signup::Closed);
    keeps(&|case| case.local.disowned = None);
    keeps(&|case| case.local.disowned = Some(record(&account(8, "b@free.example"), ProductAccountState::Local).id));
    keeps(&|case| {
        case.candidates[0].product_account.as_mut().unwrap().state = ProductAccountState::Migrating;
    });
    keeps(&phase(MigrationPhase::Off));
    check(&candidate(ISSUER, &ann).with(optional).with(open).with(said), "link");
    check(&candidate(SLACK, &unproved).with(optional).with(open).with(said), "local-proof-needed");
    // A login that only the owner of the address can have made.
    let gmail = Account { email_verified: false, ..account(9, "ann@gmail.com") };
    let planted =
        |by: u8| move |case: &mut Case| case.candidates[0].identities = vec![link(&account(9, "a@b.c"), by, "s")];
    let anew_at_gmail = candidate(ISSUER, &gmail).with(optional).with(open).with(said);
    check(&anew_at_gmail.clone().with(planted(SLACK)), "create");
    check(&anew_at_gmail.with(planted(GOOGLE)), "local-proof-needed");
    // H2: whoever is switched off is never replaced.
    for status in [AccountStatus::Deactivated, AccountStatus::PendingDelete(NOW), AccountStatus::Deleted] {
        check(&anew.clone().with(|case| case.candidates[0].account.status = status), "inactive");
    }
    check(&anew.clone().with(|case| case.candidates[0].product_account.as_mut().unwrap().off = true), "inactive");
}

#[test]
fn b18_of_several_accounts_the_one_with_a_password_here_can_be_proved_and_no_other_is_spoken_of() {
    let (here, elsewhere) = (account(9, "ann@free.example"), account(8, "ann@free.example"));
    let several = |case: &mut Case| {
        let of = account(8, "ann@free.example");
        let further = Vec::new();
        case.candidates.push(Candidate {
            account: of,
            identities: Vec::new(),
            product_account: None,
            further,
            enrolled: false,
        });
    };
    let case = candidate(ISSUER, &here).with(optional).with(several);
    // Authority over the address does not tell which of them is meant.
    check(&case, "local-proof-needed");
    assert!(matches!(case.decide().outcome, Outcome::Need(Need::LocalProof)));
    let proved = case.clone().with(owner(&here, 1, false));
    check(&proved, "link");
    assert_eq!(admitted(&proved).link.unwrap().1, LinkedBy::Owner);
    assert!(matches!(admitted(&proved).person, Person::Known(account) if account.id == here.id));
    check(&case.clone().with(owner(&elsewhere, 1, false)), "local-proof-needed");
    let enrolled = case.clone().with(|case| case.candidates[0].enrolled = true);
    check(&enrolled.clone().with(owner(&here, 1, false)), "local-proof-needed");
    check(&enrolled.with(owner(&here, 1, true)), "link");
    // Two with a password here, or none: nobody can tell.
    let both = |case: &mut Case| {
        let record = record(&account(8, "ann@free.example"), ProductAccountState::Local);
        case.candidates[1].product_account = Some(record);
    };
    check(&proved.clone().with(both), "several-accounts");
    check(&proved.clone().with(|case| case.candidates[0].product_account = None), "several-accounts");
    check(&proved.clone().with(phase(MigrationPhase::Off)), "several-accounts");
    // H2: one that is switched off keeps the others out; B19: one of them is somebody of this directory already.
    check(&proved.clone().with(|case| case.candidates[1].account.status = AccountStatus::Deactivated), "inactive");
    let taken = |case: &mut Case| {
        case.candidates[1].identities = vec![link(&account(8, "ann@free.example"), ISSUER, "another")];
    };
    check(&proved.with(taken), "conflict");
}

#[test]
fn b23_an_address_that_was_given_up_is_nobodys_until_the_person_says_so() {
    let old = account(9, "kept@free.example");
    let open = |case: &mut Case| case.product.as_mut().unwrap().signup = Signup::Open;
    let given_up = |case: &mut Case| {
        let old = account(9, "kept@free.example");
        let record = Some(record(&old, ProductAccountState::Linked));
        let further = Vec::new();
        case.given_up =
            Some(Candidate { account: old, identities: Vec::new(), product_account: record, further, enrolled: false });
    };
    let stranger = Case::stranger(ISSUER, Some("ann@free.example")).with(open);
    check(&stranger, "create");
    let case = stranger.with(given_up);
    check(&case, "address-given-up");
    let said = |case: &mut Case| {
        case.local.disowned = Some(record(&account(9, "kept@free.example"), ProductAccountState::Linked).id);
    };
    let anew = case.clone().with(said);
    check(&anew, "create");
    assert!(admitted(&anew).sets_aside.is_none(), "the old one stays as it is");
    check(&case.clone().with(|case| case.product.as_mut().unwrap().signup = Signup::Closed), "no-account");
    // H2: by alias too.
    check(&anew.with(|case| case.given_up.as_mut().unwrap().account.status = AccountStatus::Deleted), "inactive");
    // A link, or somebody who has the address now, comes first.
    check(&Case::linked(ISSUER, Some("ann@free.example"), &old).with(given_up), "session");
    check(&candidate(ISSUER, &account(8, "ann@free.example")).with(optional).with(given_up), "link");
}

#[test]
fn b22_the_owners_proof_moves_what_the_provider_alone_does_not() {
    let (free, bob) = (account(9, "ann@free.example"), account(8, "bob@free.example"));
    let unproved = Account { email_verified: false, ..free.clone() };
    for (directory, of) in [(SLACK, &free), (GOOGLE, &free), (ISSUER, &unproved)] {
        let case = candidate(directory, of).with(optional);
        check(&case.clone().with(owner(of, 1, false)), "link");
        assert_eq!(admitted(&case.clone().with(owner(of, 1, false))).link.unwrap().1, LinkedBy::Owner);
        // Of somebody else, or of before the epoch rose (H14).
        check(&case.clone().with(owner(&bob, 1, false)), "local-proof-needed");
        check(&case.clone().with(owner(of, 0, false)), "local-proof-needed");
        let enrolled = case.with(|case| case.candidates[0].enrolled = true);
        check(&enrolled.clone().with(owner(of, 1, false)), "local-proof-needed");
        check(&enrolled.with(owner(of, 1, true)), "link");
    }
    // It proves the record; it does not make the provider's word about an address better (B17), nor opens another phase.
    let silent = |case: &mut Case| case.claims.email_verified = Vouched::No;
    check(&candidate(SLACK, &free).with(optional).with(owner(&free, 1, true)).with(silent), "email-not-verified");
    check(&candidate(SLACK, &free).with(owner(&free, 1, true)), "local-proof-needed");
}

#[test]
fn t35_a_company_that_enforces_sso_moves_its_people_whatever_the_phase() {
    let ann = account(9, "ann@a.com");
    for phase_of in [MigrationPhase::Off, MigrationPhase::Optional, MigrationPhase::Forced] {
        let linked = Case::linked(A, Some("ann@a.com"), &ann).with(has_password).with(phase(phase_of));
        assert_eq!(admitted(&linked).moves, Some(Trigger::OrgSso), "{phase_of:?}");
        let known = candidate(A, &ann).with(phase(phase_of));
        assert_eq!(admitted(&known).moves, Some(Trigger::OrgSso), "{phase_of:?}");
    }
    // Where it is only offered, the product's phase decides.
    let offered = candidate(C, &account(9, "ann@c.com"));
    check(&offered, "local-proof-needed");
    check(&offered.with(optional), "link");
}

#[test]
fn b11_where_everybody_must_move_no_local_credential_opens_the_product() {
    let ann = account(9, "ann@free.example");
    for method in Method::ALL.into_iter().filter(|method| method.is_local()) {
        for state in [ProductAccountState::Local, ProductAccountState::Migrating] {
            let case = Case::local(method, LOCAL, &ann, state).stepped(&ann);
            check(&case.clone().with(phase(MigrationPhase::Forced)), "move-needed");
            check(&case.with(optional), "session");
        }
    }
    // Another rule comes first (B2).
    let managed = Case::local(Method::Password, LOCAL, &account(9, "ann@a.com"), ProductAccountState::Local);
    check(&managed.with(phase(MigrationPhase::Forced)), "go to 1");
}

#[test]
fn t13_after_the_deadline_a_password_leads_to_the_move_and_nowhere_else() {
    let ann = account(9, "ann@free.example");
    let case = Case::local(Method::Password, LOCAL, &ann, ProductAccountState::Local).stepped(&ann);
    let until = |at: Timestamp| {
        let deadline = Deadline { at, then: MigrationPhase::Forced, remind: Vec::new() };
        let plan = MigrationPlan { phase: MigrationPhase::Optional, deadline: Some(deadline) };
        move |case: &mut Case| case.product.as_mut().unwrap().migration = plan.clone()
    };
    check(&case.clone().with(until(Timestamp::from_millis(NOW.millis() + 1))), "session");
    check(&case.with(until(NOW)), "move-needed");
}

#[test]
fn t13_nothing_is_linked_beforehand_and_the_first_login_at_the_issuer_commits() {
    let forced = phase(MigrationPhase::Forced);
    let ann = account(9, "ann@free.example");
    let first = || candidate(ISSUER, &ann).with(&forced);
    check(&first(), "link");
    let terms = admitted(&first());
    assert_eq!(
        (terms.moves, terms.link.map(|(key, _)| key.subject)),
        (Some(Trigger::ThirdParty), Some("s".to_owned()))
    );
    // Never by an address that either side has not proved.
    for vouched in [Vouched::No, Vouched::Silent] {
        check(&first().with(|case| case.claims.email_verified = vouched), "email-not-verified");
    }
    let unproved = |case: &mut Case| case.candidates[0].account.email_verified = false;
    check(&first().with(unproved), "local-proof-needed");
    // Nor one that she has no more: the claim is the address of now.
    let moved_on = |case: &mut Case| case.candidates[0].account.email = Some(email("ann.new@free.example"));
    assert_ne!(first().with(moved_on).word(), "link");
}

#[test]
fn t22_the_owner_of_a_record_may_come_under_an_address_that_it_never_had() {
    let ann = account(9, "ann@free.example");
    let other =
        || candidate(ISSUER, &ann).with(optional).with(|case| case.claims.email = Some(email("ann.new@free.example")));
    // The address alone names nobody.
    check(&other(), "create");
    let owned = || other().with(owner(&ann, 1, false));
    check(&owned(), "link");
    assert_eq!(admitted(&owned()).link.map(|(_, by)| by), Some(LinkedBy::Owner));
    check(&other().with(owner(&ann, 2, false)), "create");
    check(&other().with(owner(&account(8, "bob@free.example"), 1, false)), "create");
    for vouched in [Vouched::No, Vouched::Silent] {
        check(&owned().with(|case| case.claims.email_verified = vouched), "email-not-verified");
    }
    let enrolled = |case: &mut Case| case.candidates[0].enrolled = true;
    check(&owned().with(enrolled), "local-proof-needed");
    check(&other().with(owner(&ann, 1, true)).with(enrolled), "link");
    // A company's people go nowhere by their own word, on whichever side it manages them.
    let of_company = |case: &mut Case| case.candidates[0].account.email = Some(email("ann@d.com"));
    check(&owned().with(of_company), "conflict");
    let further = |case: &mut Case| case.candidates[0].further = vec![email("ann@d.com")];
    check(&owned().with(further), "conflict");
    let to_company = |case: &mut Case| case.claims.email = Some(email("ann@d.com"));
    check(&owned().with(to_company), "conflict");
    // What moved meanwhile is not moved again.
    let moved = |case: &mut Case| {
        case.candidates[0].product_account.as_mut().unwrap().state = ProductAccountState::Linked;
    };
    check(&owned().with(moved), "local-proof-needed");
}
