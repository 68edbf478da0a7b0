//! What is stricter, key by key: one table for the floor of the file, for what a change gives away, and for policies whose members
//! somebody else names.

use super::draft::DraftPolicy;
use super::loosen::What;
use crate::kernel::model::{ApiTokens, OnChange, Sso, ThirdPartyRule};
use crate::kernel::values::EmailAddress;
use std::time::Duration;

/// One key of a policy.
pub struct Key {
    /// Its name in `[org.NAME.policy]`.
    pub name: &'static str,
    /// What a change of it to something looser is called.
    pub what: What,
    /// Makes the second at least as strict as the first.
    pub tighten: fn(&DraftPolicy, &mut DraftPolicy),
    /// Whether the second gives away what the first demands.
    pub looser: fn(&DraftPolicy, &DraftPolicy) -> bool,
}

macro_rules! key {
    ($name:literal, $what:ident, $($field:ident).+, $stricter:expr) => {
        Key {
            name: $name,
            what: What::$what,
            tighten: |floor, policy| policy.$($field).+ = $stricter(&floor.$($field).+, &policy.$($field).+),
            looser: |was, is| $stricter(&was.$($field).+, &is.$($field).+) != is.$($field).+,
        }
    };
}

/// All keys of a policy that can be stricter. One that is missing here could be loosened.
pub const KEYS: &[Key] = &[
    key!("sso", SsoWeakened, sso, |one: &Sso, other: &Sso| *one.max(other)),
    Key {
        name: "directory",
        what: What::DirectoryChanged,
        // Which directory satisfies single sign-on is not more or less: what the first names, stays.
        tighten: |floor, policy| {
            if floor.directory.is_some() {
                policy.directory.clone_from(&floor.directory);
            }
        },
        // Where single sign-on is weakened that is what is said.
        looser: |was, is| was.sso == Sso::Enforced && is.sso == Sso::Enforced && was.directory != is.directory,
    },
    key!("second_step", StepWeakened, second_step, |one: &_, other: &_| *std::cmp::max(one, other)),
    key!("break_glass", EmergencyWidened, break_glass, |one: &Vec<EmailAddress>, other: &Vec<EmailAddress>| both(
        one, other
    )),
    key!("third_party", ThirdPartiesWidened, third_party, fewer),
    Key {
        name: "require_amr",
        what: What::AmrDropped,
        tighten: |floor, policy| {
            policy.require_amr.retain(|value| !floor.require_amr.contains(value));
            policy.require_amr.splice(0..0, floor.require_amr.iter().cloned());
        },
        looser: |was, is| was.require_amr.iter().any(|value| !is.require_amr.contains(value)),
    },
    key!("api_tokens", TokensAllowed, api_tokens, |one: &ApiTokens, other: &ApiTokens| match (one, other) {
        (ApiTokens::Allow, ApiTokens::Allow) => ApiTokens::Allow,
        _ => ApiTokens::Block,
    }),
    Key {
        name: "networks",
        what: What::NetworksWidened,
        tighten: |floor, policy| {
            let mut inside = policy.networks.clone();
            inside.retain(|network| floor.networks.iter().any(|below| below.covers(network)));
            // None is everywhere: what has nothing in common with the floor is the floor.
            if !floor.networks.is_empty() {
                policy.networks = if inside.is_empty() { floor.networks.clone() } else { inside };
            }
        },
        looser: |was, is| {
            !was.networks.is_empty()
                && (is.networks.is_empty()
                    || !is.networks.iter().all(|network| was.networks.iter().any(|before| before.covers(network))))
        },
    },
    key!("session", SessionsLonger, limits.idle, shorter),
    key!("session", SessionsLonger, limits.absolute, shorter),
    key!("session", SessionsLonger, native, shorter),
    key!("session", SessionsLonger, token, shorter),
    key!("on_change", ChangesLater, on_change, |one: &OnChange, other: &OnChange| one.sooner(*other)),
    Key {
        name: "password",
        what: What::PasswordsWeaker,
        tighten: |floor, policy| policy.password = policy.password.stricter(floor.password),
        looser: |was, is| is.password.stricter(was.password) != is.password,
    },
];

/// Makes a policy at least as strict as the file's, key by key.
pub fn over_floor(floor: &DraftPolicy, policy: &mut DraftPolicy) {
    for key in KEYS {
        (key.tighten)(floor, policy);
    }
}

/// The keys in which `is` gives away what `was` demands.
pub fn looser<'a>(was: &'a DraftPolicy, is: &'a DraftPolicy) -> impl Iterator<Item = &'static Key> + 'a {
    KEYS.iter().filter(move |key| (key.looser)(was, is))
}

/// None is no limit.
fn shorter(one: &Option<Duration>, other: &Option<Duration>) -> Option<Duration> {
    one.iter().chain(other).min().copied()
}

/// What stands in both lists, in the second one's order.
fn both<T: PartialEq + Clone>(one: &[T], other: &[T]) -> Vec<T> {
    other.iter().filter(|item| one.contains(item)).cloned().collect()
}

fn fewer(one: &ThirdPartyRule, other: &ThirdPartyRule) -> ThirdPartyRule {
    match (one, other) {
        (ThirdPartyRule::None, _) | (_, ThirdPartyRule::None) => ThirdPartyRule::None,
        (ThirdPartyRule::Any, rule) | (rule, ThirdPartyRule::Any) => rule.clone(),
        (ThirdPartyRule::Only(names), ThirdPartyRule::Only(others)) => ThirdPartyRule::Only(both(names, others)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::model::{PasswordRule, SecondStep};
    use crate::kernel::values::{Network, OrgName, PolicyName, ThirdPartyName};
    use crate::orgs::DraftOrg;
    use proptest::prelude::*;

    fn any_policy() -> impl Strategy<Value = DraftPolicy> {
        let span = || prop::option::of((1_u64..5).prop_map(Duration::from_secs));
        let sso = prop::sample::select(vec![Sso::Off, Sso::Offered, Sso::Enforced]);
        let step = prop::sample::select(vec![SecondStep::Off, SecondStep::Optional, SecondStep::Required]);
        let names = || prop::sample::subsequence(vec!["a", "b", "c"], 0..=3);
        let third = prop_oneof![
            Just(ThirdPartyRule::None),
            Just(ThirdPartyRule::Any),
            names().prop_map(|names| {
                ThirdPartyRule::Only(names.into_iter().map(|name| ThirdPartyName::parse(name).unwrap()).collect())
            })
        ];
        let networks = prop::sample::subsequence(vec!["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1"], 0..=3);
        let glass = prop::sample::subsequence(vec!["a@acme.com", "b@acme.com"], 0..=2);
        let tokens = prop::sample::select(vec![ApiTokens::Allow, ApiTokens::Block]);
        let changes = prop_oneof![
            Just(OnChange::NextLogin),
            (0_u64..3, 0_u64..3).prop_map(|(grace, spread)| {
                OnChange::After { grace: Duration::from_secs(grace), spread: Duration::from_secs(spread) }
            })
        ];
        let limits = (span(), span(), span(), span(), 0_u8..5, span(), changes);
        (sso, step, third, names(), networks, glass, tokens, limits).prop_map(
            |(
                sso,
                second_step,
                third_party,
                amr,
                networks,
                glass,
                api_tokens,
                (idle, absolute, native, token, score, expire, on_change),
            )| {
                let mut policy = DraftOrg::shut(OrgName::parse("acme").unwrap(), Vec::new()).policy;
                policy.name = PolicyName::default();
                policy.sso = sso;
                policy.second_step = second_step;
                policy.third_party = third_party;
                policy.require_amr = amr.into_iter().map(ToOwned::to_owned).collect();
                policy.networks = networks.into_iter().map(|text| Network::parse(text).unwrap()).collect();
                policy.break_glass = glass.into_iter().map(|text| EmailAddress::parse(text).unwrap()).collect();
                policy.api_tokens = api_tokens;
                policy.limits.idle = idle;
                policy.limits.absolute = absolute;
                policy.native = native;
                policy.token = token;
                policy.password = PasswordRule { min_score: score, expire };
                policy.on_change = on_change;
                policy
            },
        )
    }

    #[test]
    fn a_network_inside_the_files_stays_and_one_outside_is_the_files() {
        let networks =
            |list: &[&str]| -> Vec<Network> { list.iter().map(|one| Network::parse(one).unwrap()).collect() };
        let of = |list: &[&str]| {
            let shut = DraftOrg::shut(OrgName::parse("acme").unwrap(), Vec::new()).policy;
            DraftPolicy { networks: networks(list), ..shut }
        };
        for (floor, written, laid) in [
            (vec!["10.0.0.0/8"], vec!["10.1.0.0/16"], vec!["10.1.0.0/16"]),
            (vec!["10.0.0.0/8"], vec!["10.1.0.0/16", "192.0.2.1"], vec!["10.1.0.0/16"]),
            (vec!["10.1.0.0/16"], vec!["10.0.0.0/8"], vec!["10.1.0.0/16"]),
            (vec!["10.0.0.0/8"], vec![], vec!["10.0.0.0/8"]),
            (vec![], vec!["192.0.2.1"], vec!["192.0.2.1"]),
        ] {
            let mut policy = of(&written);
            over_floor(&of(&floor), &mut policy);
            assert_eq!(policy.networks, networks(&laid), "{floor:?} {written:?}");
        }
        let loosens = |was: &[&str], is: &[&str]| looser(&of(was), &of(is)).any(|key| key.name == "networks");
        assert!(!loosens(&["10.0.0.0/8"], &["10.1.0.0/16"]), "narrower");
        assert!(loosens(&["10.1.0.0/16"], &["10.0.0.0/8"]) && loosens(&["10.1.0.0/16"], &[]));
    }

    #[test]
    fn a_change_that_meets_sessions_later_is_looser() {
        let of = |on_change| {
            let shut = DraftOrg::shut(OrgName::parse("acme").unwrap(), Vec::new()).policy;
            DraftPolicy { on_change, ..shut }
        };
        let minute = OnChange::After { grace: Duration::from_secs(60), spread: Duration::ZERO };
        let names = |was, is| looser(&of(was), &of(is)).map(|key| key.name).collect::<Vec<_>>();
        for (was, is) in [(OnChange::IMMEDIATE, minute), (minute, OnChange::NextLogin)] {
            assert_eq!((names(was, is), names(is, was)), (vec!["on_change"], vec![]), "{was:?} {is:?}");
            let mut laid = of(is);
            over_floor(&of(was), &mut laid);
            assert_eq!(laid.on_change, was, "the file's");
        }
    }

    proptest! {
        #[test]
        fn what_is_laid_over_the_floor_gives_nothing_of_it_away(floor in any_policy(), written in any_policy()) {
            let mut laid = written.clone();
            over_floor(&floor, &mut laid);
            prop_assert_eq!(looser(&floor, &laid).map(|key| key.name).collect::<Vec<_>>(), Vec::<&str>::new());
            // Nor of what was written: the floor only adds. (Networks that have nothing in common with it are the floor's.)
            let lost: Vec<&str> = looser(&written, &laid).map(|key| key.name).filter(|name| *name != "networks").collect();
            prop_assert_eq!(lost, Vec::<&str>::new());
            // Once is enough.
            let mut again = laid.clone();
            over_floor(&floor, &mut again);
            prop_assert_eq!(looser(&again, &laid).count(), 0);
        }
    }
}
