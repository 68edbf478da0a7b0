//! Phase C, one row each: what ends a session, in which order, and when the answer may change.

use super::*;
use crate::kernel::admit::world::*;
use crate::kernel::model::{
    AccountStatus, Allow, App, Limits, OnChange, Policy, SecondStep, Since, Sso, ThirdPartyRule, demand,
};
use crate::kernel::values::{AccountId, AppName, ProductAccountId, ProductName, ProductSessionId, SessionKey};
use std::sync::Arc;

mod tokens;

const MINUTE: Duration = Duration::from_secs(60);

/// A session of ann@c.com by c's own directory, an hour old, used just now.
#[derive(Clone)]
struct Case {
    now: Timestamp,
    catalog: Catalog,
    product: Product,
    login: LoginSession,
    session: ProductSession,
    account: Account,
    record: Option<ProductAccount>,
    further: Vec<EmailAddress>,
}

impl Case {
    fn of(directory: u8, address: &str) -> Self {
        let account = account(9, address);
        let login = login_session(&account, directory);
        let record = record(&account, ProductAccountState::Linked);
        let session = ProductSession {
            id: ProductSessionId::from_bytes([1; 16]),
            key: SessionKey([0; 32]),
            parent: login.id,
            product: record.product.clone(),
            host: product().hosts[0].clone(),
            account: account.id,
            product_account: record.id,
            created_at: login.created_at,
            last_seen: NOW,
            idle_millis: u64::MAX,
            abs_at: login.abs_at,
            account_epoch: 1,
            mac: [0; 32],
        };
        Self {
            now: NOW,
            catalog: catalog(),
            product: product(),
            login,
            session,
            account,
            record: Some(record),
            further: Vec::new(),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn policy(self, letter: &str, change: impl FnOnce(&mut Policy)) -> Self {
        self.with(|case| set_policy(&mut case.catalog, letter, change))
    }

    fn at(&self, now: Timestamp) -> Live {
        live(&LiveFacts {
            now,
            catalog: &self.catalog,
            product: &self.product,
            login: &self.login,
            session: &self.session,
            account: &self.account,
            product_account: self.record.as_ref(),
            further: &self.further,
        })
    }

    fn login_alone(&self) -> LoginLive {
        let (catalog, login, account) = (&self.catalog, &self.login, &self.account);
        login_live(&LoginFacts { now: self.now, catalog, login, account, further: &self.further })
    }

    fn word(&self) -> String {
        word(self.at(self.now))
    }
}

fn word(live: Live) -> String {
    match live {
        Live::Continue { .. } => "continue".to_owned(),
        Live::Login(why) => why.code().to_owned(),
        Live::End(refusal) => format!("end {}", refusal.code()),
    }
}

#[track_caller]
fn check(change: impl FnOnce(&mut Case), expected: &str) {
    assert_eq!(Case::of(C, "ann@c.com").with(change).word(), expected);
}

/// A change of the account that the row itself does not know of.
fn enforce(policy: &mut Policy) {
    policy.sso = Sso::Enforced;
    policy.changed_at = NOW;
}

/// A login session, for rules of files of their own.
pub(super) fn session() -> LoginSession {
    Case::of(C, "ann@c.com").login
}

#[test]
fn a_good_session_goes_on_until_its_first_limit() {
    let case = Case::of(C, "ann@c.com");
    assert_eq!(case.at(NOW), Live::Continue { until: NOW.plus(DAY) });
    let idle = Limits { idle: Some(MINUTE * 10), absolute: None };
    assert_eq!(
        case.clone().with(|case| case.product.limits = idle).at(NOW),
        Live::Continue { until: NOW.plus(MINUTE * 10) }
    );
    let short = case.with(|case| case.session.abs_at = NOW.plus(MINUTE));
    assert_eq!(short.at(NOW), Live::Continue { until: NOW.plus(MINUTE) });
    assert_eq!(word(short.at(NOW.plus(MINUTE))), "absolute");
}

#[test]
fn each_condition_alone() {
    check(|_| (), "continue");
    check(|case| case.session.parent = LoginSessionId::from_bytes([9; 16]), "mismatch");
    check(|case| case.session.account = AccountId::from_bytes([8; 16]), "mismatch");
    check(|case| case.account.id = AccountId::from_bytes([8; 16]), "mismatch");
    check(|case| case.session.product = ProductName::parse("loom").unwrap(), "mismatch");
    check(|case| case.session.product_account = ProductAccountId::from_bytes([8; 16]), "mismatch");
    check(|case| case.session.abs_at = NOW, "absolute");
    check(|case| case.login.abs_at = NOW, "absolute");
    check(|case| case.session.idle_millis = 0, "idle");
    check(|case| case.login.idle_millis = 0, "login-idle");
    check(|case| case.account.status = AccountStatus::Deactivated, "end inactive");
    check(|case| case.account.status = AccountStatus::PendingDelete(NOW), "end inactive");
    check(|case| case.account.status = AccountStatus::Deleted, "end inactive");
    check(|case| case.record = None, "end inactive");
    check(|case| case.record.as_mut().unwrap().off = true, "end inactive");
    check(|case| case.record.as_mut().unwrap().state = ProductAccountState::Closed, "end inactive");
    check(|case| case.record.as_mut().unwrap().state = ProductAccountState::Local, "end inactive");
    check(|case| case.session.account_epoch = 0, "epoch");
    check(|case| case.login.account_epoch = 0, "epoch");
    check(|case| case.account.epoch = 2, "epoch");
    check(|case| drop(case.catalog.directories.remove(&id(C))), "policy");
    check(|case| case.login.method = Method::Issuer, "policy");
    check(|case| case.catalog.products.clear(), "end not-allowed");
    check(|case| case.product.allow = Allow::default(), "end not-allowed");
    check(|case| case.product.allow = Allow { orgs: vec![org("c")], ..Allow::default() }, "continue");
}

#[test]
fn the_first_condition_is_the_answer() {
    // Each later one is true as well.
    let mut case =
        Case::of(ISSUER, "ann@c.com").policy("c", enforce).policy("c", |policy| policy.changed_at = NOW.minus(DAY));
    case.product.allow = Allow::default();
    case.session.account_epoch = 0;
    case.account.status = AccountStatus::Deactivated;
    case.session.abs_at = NOW;
    let mut words = vec![case.word()];
    case.session.abs_at = NOW.plus(DAY);
    words.push(case.word());
    case.account.status = AccountStatus::Active;
    words.push(case.word());
    case.session.account_epoch = 1;
    words.push(case.word());
    case.login.directory = id(C);
    case.login.method = Method::OrgSso;
    words.push(case.word());
    assert_eq!(words, ["absolute", "end inactive", "epoch", "policy", "end not-allowed"]);
}

#[test]
fn c2_a_session_goes_on_only_from_the_policys_directory() {
    for directory in DIRECTORIES {
        let old = |policy: &mut Policy| policy.changed_at = NOW.minus(MINUTE * 30);
        let case = Case::of(directory, "ann@a.com").policy("a", old);
        let expected = match directory {
            A => "continue",
            B | C | D => "manager",
            _ => "policy",
        };
        assert_eq!(case.word(), expected, "{directory}");
        assert_eq!(word(case.login_alone()), expected, "{directory}");
    }
}

#[test]
fn c2_a_former_managers_session_ends_at_once() {
    for sso in [Sso::Off, Sso::Offered, Sso::Enforced] {
        let moved = Case::of(B, "ann@a.com").policy("a", |policy| {
            policy.sso = sso;
            policy.changed_at = NOW;
        });
        assert_eq!(moved.word(), "manager");
    }
}

#[test]
fn c3_two_organizations_that_enforce_end_it() {
    let two = Case::of(A, "ann@a.com").with(|case| case.further = vec![email("ann@b.com")]);
    assert_eq!(two.word(), "manager");
    assert_eq!(two.policy("b", |policy| policy.sso = Sso::Offered).word(), "continue");
}

#[test]
fn a_stricter_policy_has_its_grace_and_then_bites() {
    let grace = MINUTE * 15;
    for change in [
        enforce,
        |policy: &mut Policy| policy.require_amr = vec!["mfa".to_owned()],
        |policy: &mut Policy| policy.third_party = ThirdPartyRule::None,
    ] {
        let case = Case::of(GOOGLE, "ann@c.com").policy("c", change).policy("c", |policy| policy.changed_at = NOW);
        assert_eq!(case.at(NOW), Live::Continue { until: NOW.plus(grace) });
        assert_eq!(word(case.at(NOW.plus(grace - Duration::from_millis(1)))), "continue");
        assert_eq!(word(case.at(NOW.plus(grace))), "policy");
    }
    // `immediate` is a grace of nothing.
    let none = OnChange::IMMEDIATE;
    let case = Case::of(ISSUER, "ann@c.com").policy("c", enforce).policy("c", |policy| policy.on_change = none);
    assert_eq!(case.word(), "policy");
    // A session from after the change was never let in by that policy.
    let later = Case::of(ISSUER, "ann@c.com").policy("c", enforce).with(|case| case.login.created_at = NOW);
    assert_eq!(later.word(), "policy");
    // The directory that the policy names goes on.
    assert_eq!(Case::of(C, "ann@c.com").policy("c", enforce).at(NOW), Live::Continue { until: NOW.plus(DAY) });
}

#[test]
fn on_change_next_login_leaves_live_sessions_to_the_limits_they_were_made_with() {
    let later = |policy: &mut Policy| policy.on_change = OnChange::NextLogin;
    let case = Case::of(ISSUER, "ann@c.com").policy("c", enforce).policy("c", later);
    let tight = case.clone().policy("c", |policy| policy.limits = Limits { idle: None, absolute: Some(MINUTE) });
    // Made before the change; one from after it is judged by the policy that held then.
    let set = |case: Case| case.policy("c", |policy| policy.changed_at = NOW);
    assert_eq!(set(case.clone()).word(), "continue");
    assert_eq!(set(tight.clone()).word(), "continue");
    assert_eq!(case.clone().with(|case| case.login.created_at = NOW).word(), "policy");
    let short = set(tight).with(|case| case.login.abs_at = NOW);
    assert_eq!(short.word(), "absolute");
}

#[test]
fn h15_a_required_second_step_is_asked_of_every_request_after_the_grace() {
    let required = |policy: &mut Policy| {
        (policy.second_step, policy.changed_at) = (SecondStep::Required, NOW);
    };
    let grace = MINUTE * 15;
    let case = Case::of(ISSUER, "ann@c.com").policy("c", required);
    assert_eq!(case.at(NOW), Live::Continue { until: NOW.plus(grace) });
    assert_eq!(word(case.at(NOW.plus(grace))), "second-step");
    assert_eq!(Case::of(C, "ann@c.com").policy("c", required).word(), "continue");
    let stepped = case.with(|case| case.login.stepped_at = Some(NOW));
    assert_eq!(word(stepped.at(NOW.plus(grace))), "continue");
    // Of people whom nobody manages at once: `[people]` has no grace.
    let people = |case: &mut Case| case.catalog.people.second_step = SecondStep::Required;
    assert_eq!(Case::of(ISSUER, "ann@free.example").with(people).word(), "second-step");
}

#[test]
fn b6_a_local_session_lives_only_while_the_account_is_local() {
    let local = Case::of(LOCAL, "ann@free.example");
    let state = |state| move |case: &mut Case| case.record.as_mut().unwrap().state = state;
    assert_eq!(local.clone().with(state(ProductAccountState::Local)).word(), "continue");
    assert_eq!(local.clone().with(state(ProductAccountState::Linked)).word(), "end inactive");
    assert_eq!(Case::of(ISSUER, "ann@free.example").with(state(ProductAccountState::Local)).word(), "end inactive");
    // It is good for its own product alone.
    let elsewhere = |case: &mut Case| case.login.confined_to = Some(ProductName::parse("loom").unwrap());
    assert_eq!(local.with(state(ProductAccountState::Local)).with(elsewhere).word(), "mismatch");
}

#[test]
fn h3_an_emergency_session_ends_when_the_policy_no_longer_names_its_person() {
    let case = Case::of(HERE, "ann@a.com").policy("a", |policy| policy.break_glass = vec![email("ann@a.com")]);
    assert_eq!(case.word(), "continue");
    let unnamed = case.clone().policy("a", |policy| policy.break_glass.clear());
    assert_eq!(unnamed.word(), "policy");
    // Whatever else the policy says, and at once: the name is what let the person in.
    for sso in [Sso::Off, Sso::Offered, Sso::Enforced] {
        for on_change in [OnChange::After { grace: DAY, spread: DAY }, OnChange::NextLogin] {
            let set = |policy: &mut Policy| {
                (policy.sso, policy.on_change, policy.changed_at) = (sso, on_change, NOW);
                policy.since = Since::from([(demand::SSO.to_owned(), NOW)]);
            };
            let named = case.clone().policy("a", set);
            assert_eq!((named.word(), word(named.login_alone())), ("continue".to_owned(), "continue".to_owned()));
            let unnamed = unnamed.clone().policy("a", set);
            assert_eq!((unnamed.word(), word(unnamed.login_alone())), ("policy".to_owned(), "policy".to_owned()));
        }
    }
    // Nobody manages the person any more: then nobody names them.
    let released = case.with(|case| drop(case.catalog.domains.remove(email("ann@a.com").domain())));
    assert_eq!(released.word(), "policy");
}

/// The session is an app's of the product, which stays logged in for thirty days.
fn of_app(case: &mut Case) {
    let app = AppName::parse("phone").unwrap();
    case.product.native = Some(DAY * 30);
    case.product.apps = vec![App { name: app.clone(), label: "Phone".to_owned(), redirects: Vec::new() }];
    case.login.grant = Some(Box::new(Grant { app, bound_to: None, turn: 0, turned_at: NOW }));
    case.login.confined_to = Some(case.product.name.clone());
    (case.login.abs_at, case.login.idle_millis) = (NOW.plus(DAY * 400), (DAY * 400).as_millis() as u64);
    (case.session.abs_at, case.session.idle_millis) = (NOW.plus(DAY * 400), (DAY * 400).as_millis() as u64);
    case.catalog.products.insert(case.product.name.clone(), Arc::new(case.product.clone()));
}

#[test]
fn h16_an_apps_session_has_limits_of_its_own_and_meets_the_policy_of_now() {
    let case = Case::of(C, "ann@c.com").with(of_app).policy("c", |policy| policy.native = Some(DAY * 20));
    let auth_time = case.login.auth_time;
    let last = |case: &Case, at: Timestamp| (word(case.at(at.minus(Duration::from_millis(1)))), word(case.at(at)));
    let gone = ("continue".to_owned(), "absolute".to_owned());
    assert_eq!(last(&case, auth_time.plus(DAY * 20)), gone, "the policy is stricter than the product");
    let looser = case.clone().policy("c", |policy| policy.native = Some(DAY * 90));
    assert_eq!(last(&looser, auth_time.plus(DAY * 30)), gone, "and the product than the policy");
    // Where the policy says nothing of apps they are as browsers.
    let unsaid = case.clone().policy("c", |policy| policy.native = None);
    assert_eq!(last(&unsaid, auth_time.plus(Bounds::DEFAULT.absolute)).1, "absolute");
    assert_eq!(case.login_alone(), Live::Continue { until: auth_time.plus(DAY * 20) });
    for (change, why) in [
        ((|case| case.product.apps.clear()) as fn(&mut Case), "app"),
        (|case| case.account.epoch += 1, "epoch"),
        (|case| case.account.status = AccountStatus::Deactivated, "end inactive"),
        (|case| case.catalog.directories.clear(), "policy"),
        (|case| case.record.as_mut().unwrap().state = ProductAccountState::Local, "end inactive"),
    ] {
        let word = case.clone().with(change).word();
        assert_eq!(word, why);
    }
    let homeless = case.clone().with(|case| drop(case.catalog.products.remove(&case.product.name.clone())));
    assert_eq!(word(homeless.login_alone()), "absolute");
}

#[test]
fn h16_a_session_in_the_grace_of_a_change_goes_on_and_lets_nothing_new_in() {
    let asked = |case: &Case| {
        let (catalog, login, account) = (&case.catalog, &case.login, &case.account);
        meets_policies(&LoginFacts { now: case.now, catalog, login, account, further: &case.further })
    };
    let case = Case::of(C, "ann@c.com");
    assert!(asked(&case));
    let changed = |policy: &mut Policy| {
        policy.require_amr = vec!["hwk".to_owned()];
        policy.changed_at = NOW;
        policy.since.insert(demand::amr("hwk"), NOW);
    };
    let in_grace = case.policy("c", changed);
    assert_eq!((in_grace.word().as_str(), asked(&in_grace)), ("continue", false));
}

#[test]
fn native_limits_are_the_policys_own() {
    let catalog = Case::of(C, "ann@c.com").policy("c", |policy| policy.native = Some(DAY * 30)).catalog;
    let address = email("ann@c.com");
    let managed = standing::managements(&catalog, &[&address], Groups::Unknown);
    let product = |native| Product { native, ..(**catalog.products.values().next().unwrap()).clone() };
    let flat = |span| Bounds { idle: span, absolute: span };
    assert_eq!(Bounds::of_app(&product(Some(DAY * 90)), &managed), flat(DAY * 30));
    assert_eq!(Bounds::of_app(&product(Some(DAY * 10)), &managed), flat(DAY * 10));
    assert_eq!(Bounds::of_app(&product(None), &managed), Bounds::of(&product(None).limits).stricter(flat(DAY * 30)));
    assert_eq!(Bounds::of_app(&product(Some(DAY * 90)), &[]), flat(DAY * 90));
    assert_eq!(Bounds::of_app(&product(None), &[]), Bounds::of(&product(None).limits));
}

#[test]
fn ends_are_spread_evenly_and_stay_where_they_are() {
    let change = OnChange::After { grace: MINUTE, spread: MINUTE * 100 };
    let end = |random: [u8; 4]| {
        let mut case =
            Case::of(ISSUER, "ann@c.com").policy("c", enforce).policy("c", |policy| policy.on_change = change);
        let mut bytes = [0; 16];
        bytes[12..].copy_from_slice(&random);
        case.login.id = LoginSessionId::from_bytes(bytes);
        case.session.parent = case.login.id;
        match case.at(NOW) {
            Live::Continue { until } => until.since(NOW),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end([0; 4]), MINUTE);
    assert_eq!(end([255; 4]), MINUTE * 101);
    assert_eq!(end([0x80, 0, 0, 0]).as_secs() / 60, 51);
    let forever = OnChange::After { grace: Duration::MAX, spread: Duration::MAX };
    let case = Case::of(ISSUER, "ann@c.com").policy("c", enforce).policy("c", |policy| policy.on_change = forever);
    assert_eq!(case.word(), "continue");
}

#[test]
fn handover_5_shortened_limits_bite_at_once() {
    let hour = |limits: &mut Limits| *limits = Limits { idle: None, absolute: Some(MINUTE * 60) };
    check(|case| hour(&mut case.product.limits), "absolute");
    check(|case| set_policy(&mut case.catalog, "c", |policy| hour(&mut policy.limits)), "absolute");
    let alone = Case::of(C, "ann@c.com").policy("c", |policy| hour(&mut policy.limits));
    assert_eq!(word(alone.login_alone()), "absolute");
    let used = |case: &mut Case| {
        case.session.last_seen = NOW.minus(MINUTE * 5);
        case.login.last_seen = NOW.minus(MINUTE * 5);
    };
    let idle = Limits { idle: Some(MINUTE * 5), absolute: None };
    let product = Case::of(C, "ann@c.com").with(used).with(|case| case.product.limits = idle);
    assert_eq!((product.word(), word(product.login_alone())), ("idle".to_owned(), "continue".to_owned()));
    let policy = Case::of(C, "ann@c.com").with(used).policy("c", |policy| policy.limits = idle);
    assert_eq!((policy.word(), word(policy.login_alone())), ("login-idle".to_owned(), "login-idle".to_owned()));
}

#[test]
fn handover_5_activity_in_one_product_keeps_the_parent_alive() {
    let idle = Limits { idle: Some(MINUTE * 15), absolute: None };
    // Used in this product, the parent's row lags behind.
    let here = Case::of(C, "ann@c.com")
        .policy("c", |policy| policy.limits = idle)
        .with(|case| case.login.last_seen = NOW.minus(MINUTE * 60));
    assert_eq!(here.word(), "continue");
    // Used in the other product: this child has ended and may be renewed silently.
    let there = Case::of(C, "ann@c.com")
        .policy("c", |policy| policy.limits = idle)
        .with(|case| case.session.last_seen = NOW.minus(MINUTE * 60));
    assert_eq!((there.word(), word(there.login_alone())), ("idle".to_owned(), "continue".to_owned()));
    // Used nowhere.
    let nowhere = there.with(|case| case.login.last_seen = NOW.minus(MINUTE * 60));
    assert_eq!(nowhere.word(), "login-idle");
}

#[test]
fn m7_a_third_party_session_from_before_the_claim_ends() {
    let case = Case::of(GOOGLE, "ann@c.com").with(|case| claim(&mut case.catalog, "c.com").claimed_at = NOW);
    assert_eq!(case.word(), "policy");
    assert_eq!(
        Case::of(ISSUER, "ann@c.com").with(|case| claim(&mut case.catalog, "c.com").claimed_at = NOW).word(),
        "continue"
    );
}

#[test]
fn groups_of_another_directory_open_nothing() {
    let video = |case: &mut Case| {
        case.product.allow = Allow { groups: vec!["video".to_owned()], ..Allow::default() };
        case.login.groups = vec!["video".to_owned()];
    };
    check(video, "continue");
    assert_eq!(Case::of(ISSUER, "ann@c.com").with(video).word(), "end not-allowed");
}

#[test]
fn phase_b_never_lets_in_what_phase_c_ends() {
    // Or a login would come back to its own start for ever.
    for (directory, address) in DIRECTORIES.into_iter().flat_map(|directory| {
        ["ann@a.com", "ann@c.com", "ann@d.com", "ann@free.example"].map(|address| (directory, address))
    }) {
        for (proved, sso) in
            [true, false].into_iter().flat_map(|p| [Sso::Off, Sso::Offered, Sso::Enforced].map(|s| (p, s)))
        {
            let known = Account { email_verified: proved, ..account(9, address) };
            let case = crate::kernel::admit::world::Case::linked(directory, Some(address), &known)
                .policy("a", |policy| policy.sso = sso);
            let fresh = Case::of(directory, address).policy("a", |policy| policy.sso = sso).with(|case| {
                case.account = known;
                case.login.created_at = NOW;
            });
            if case.word() == "session" {
                assert_eq!(fresh.word(), "continue", "{directory} {address} {proved} {sso:?}");
            }
        }
    }
}

#[test]
fn h9_only_time_alone_makes_a_session_expired() {
    let check = |change: fn(&mut Case), hours: u64, expected: bool| {
        let case = Case::of(C, "ann@c.com")
            .with(|case| {
                case.session.abs_at = NOW.plus(MINUTE);
                case.session.account_epoch = case.account.epoch;
            })
            .with(change);
        let now = NOW.plus(MINUTE).plus(Duration::from_secs(3600 * hours));
        let ended = expired(&LiveFacts {
            now,
            catalog: &case.catalog,
            product: &case.product,
            login: &case.login,
            session: &case.session,
            account: &case.account,
            product_account: case.record.as_ref(),
            further: &case.further,
        });
        assert_eq!(ended.is_some(), expected, "after {hours} h");
        assert!(ended.is_none_or(|ended| ended <= NOW.plus(MINUTE)));
    };
    check(|_| {}, 0, true);
    check(|_| {}, 24, true);
    check(|_| {}, 25, false);
    // By idleness, its own and the parent's.
    check(|case| (case.session.abs_at, case.session.idle_millis) = (NOW.plus(DAY), 60_000), 0, true);
    check(|case| (case.session.abs_at, case.login.idle_millis) = (NOW.plus(DAY), 60_000), 0, true);
    // It lives.
    check(|case| case.session.abs_at = NOW.plus(MINUTE * 2), 0, false);
    // Something else ended it as well.
    check(|case| case.account.status = AccountStatus::Deactivated, 0, false);
    check(|case| case.account.epoch += 1, 0, false);
    check(|case| case.product.allow = Allow::default(), 0, false);
    check(|case| case.record = None, 0, false);
    check(|case| case.session.parent = LoginSessionId::from_bytes([9; 16]), 0, false);
    check(|case| set_policy(&mut case.catalog, "c", |policy| policy.require_amr = vec!["mfa".into()]), 0, false);
}

#[test]
fn what_was_demanded_first_ends_a_session_first() {
    // Two values were demanded one after the other; the session has neither, and its provider's directory is the policy's.
    let since = |first: Duration, second: Duration| {
        let case = Case::of(A, "ann@a.com").policy("a", move |policy| {
            policy.require_amr = vec!["mfa".to_owned(), "hwk".to_owned()];
            policy.changed_at = NOW.minus(second);
            policy.since =
                Since::from([(demand::amr("mfa"), NOW.minus(first)), (demand::amr("hwk"), NOW.minus(second))]);
        });
        case.word()
    };
    assert_eq!(since(MINUTE * 14, MINUTE), "continue");
    assert_eq!(since(MINUTE * 15, MINUTE), "policy", "not a quarter of an hour after the second change");
}
