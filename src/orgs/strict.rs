//! What is stricter, key by key: one table for the floor of the file, for what a change gives away, and for policies whose members
//! somebody else names.

use super::draft::DraftPolicy;
use super::loosen::What;
use crate::kernel::model::{ApiTokens, Sso, ThirdPartyRule};
use crate::kernel::values::{EmailAddress, Network};
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
    key!("break_glass", EmergencyWidened, break_glass, both::<EmailAddress>),
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
            let inside: Vec<Network> = both(&floor.networks, &policy.networks);
            // None is everywhere: what has nothing in common with the floor is the floor.
            if !floor.networks.is_empty() {
                policy.networks = if inside.is_empty() { floor.networks.clone() } else { inside };
            }
        },
        looser: |was, is| {
            !was.networks.is_empty()
                && (is.networks.is_empty() || is.networks.iter().any(|network| !was.networks.contains(network)))
        },
    },
    key!("session", SessionsLonger, limits.idle, shorter),
    key!("session", SessionsLonger, limits.absolute, shorter),
    key!("session", SessionsLonger, native, shorter),
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
fn both<T: PartialEq + Clone>(one: &Vec<T>, other: &Vec<T>) -> Vec<T> {
    other.iter().filter(|item| one.contains(item)).cloned().collect()
}

fn fewer(one: &ThirdPartyRule, other: &ThirdPartyRule) -> ThirdPartyRule {
    match (one, other) {
        (ThirdPartyRule::None, _) | (_, ThirdPartyRule::None) => ThirdPartyRule::None,
        (ThirdPartyRule::Any, rule) | (rule, ThirdPartyRule::Any) => rule.clone(),
        (ThirdPartyRule::Only(names), ThirdPartyRule::Only(others)) => ThirdPartyRule::Only(both(names, others)),
    }
}
