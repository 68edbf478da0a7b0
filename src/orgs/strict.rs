//! What is stricter, key by key: one table for the floor of the file and for what a change gives away.

use super::document::Document;
use super::draft::DraftPolicy;
use super::loosen::What;
use crate::kernel::model::{Sso, ThirdPartyRule};
use std::time::Duration;

/// One key of a policy.
pub struct Key {
    /// Where it stands in `[org.NAME.policy]`.
    pub path: &'static [&'static str],
    /// What a change of it to something looser is called.
    pub what: What,
    /// Takes over what another policy says.
    pub copy: fn(&DraftPolicy, &mut DraftPolicy),
    /// Makes the second at least as strict as the first.
    pub tighten: fn(&DraftPolicy, &mut DraftPolicy),
    /// Whether the second gives away what the first demands.
    pub looser: fn(&DraftPolicy, &DraftPolicy) -> bool,
}

macro_rules! key {
    ($path:expr, $what:ident, $($field:ident).+, $stricter:expr) => {
        Key {
            path: $path,
            what: What::$what,
            copy: |from, to| to.$($field).+ = from.$($field).+.clone(),
            tighten: |floor, policy| policy.$($field).+ = $stricter(&floor.$($field).+, &policy.$($field).+),
            looser: |was, is| $stricter(&was.$($field).+, &is.$($field).+) != is.$($field).+,
        }
    };
}

/// All keys of a policy that can be stricter. One that is missing here could be loosened.
pub const KEYS: &[Key] = &[
    key!(&["sso"], SsoWeakened, sso, |one: &Sso, other: &Sso| if strength(*one) > strength(*other) {
        *one
    } else {
        *other
    }),
    Key {
        path: &["directory"],
        what: What::DirectoryChanged,
        copy: |from, to| to.directory.clone_from(&from.directory),
        // Which directory satisfies single sign-on is not more or less: what the first names, stays.
        tighten: |floor, policy| {
            if floor.directory.is_some() {
                policy.directory.clone_from(&floor.directory);
            }
        },
        // Where single sign-on is weakened that is what is said.
        looser: |was, is| was.sso == Sso::Enforced && is.sso == Sso::Enforced && was.directory != is.directory,
    },
    key!(&["session", "idle"], SessionsLonger, limits.idle, shorter),
    key!(&["session", "absolute"], SessionsLonger, limits.absolute, shorter),
    key!(&["third_party"], ThirdPartiesWidened, third_party, fewer),
    Key {
        path: &["require_amr"],
        what: What::AmrDropped,
        copy: |from, to| to.require_amr.clone_from(&from.require_amr),
        tighten: |floor, policy| {
            policy.require_amr.retain(|value| !floor.require_amr.contains(value));
            policy.require_amr.splice(0..0, floor.require_amr.iter().cloned());
        },
        looser: |was, is| was.require_amr.iter().any(|value| !is.require_amr.contains(value)),
    },
];

/// Makes a document's policy at least as strict as the file's: a key that the document does not write says what the file says.
pub fn over_floor(floor: &DraftPolicy, written: &Document, at: &[&str], policy: &mut DraftPolicy) {
    for key in KEYS {
        if written.has(&[at, key.path].concat()) {
            (key.tighten)(floor, policy);
        } else {
            (key.copy)(floor, policy);
        }
    }
    if !written.has(&[at, &["on_change"]].concat()) {
        policy.on_change = floor.on_change;
    }
}

/// What `is` gives away of what `was` demands.
pub fn looser(was: &DraftPolicy, is: &DraftPolicy) -> Vec<What> {
    let mut found: Vec<What> = KEYS.iter().filter(|key| (key.looser)(was, is)).map(|key| key.what).collect();
    found.dedup();
    found
}

fn strength(sso: Sso) -> u8 {
    match sso {
        Sso::Off => 0,
        Sso::Offered => 1,
        Sso::Enforced => 2,
    }
}

/// None is no limit.
fn shorter(one: &Option<Duration>, other: &Option<Duration>) -> Option<Duration> {
    one.iter().chain(other).min().copied()
}

fn fewer(one: &ThirdPartyRule, other: &ThirdPartyRule) -> ThirdPartyRule {
    match (one, other) {
        (ThirdPartyRule::None, _) | (_, ThirdPartyRule::None) => ThirdPartyRule::None,
        (ThirdPartyRule::Any, rule) | (rule, ThirdPartyRule::Any) => rule.clone(),
        (ThirdPartyRule::Only(names), ThirdPartyRule::Only(others)) => {
            ThirdPartyRule::Only(others.iter().filter(|name| names.contains(name)).cloned().collect())
        }
    }
}
