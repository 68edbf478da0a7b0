//! Logins from outside: the program under test, the certified provider, a hostile one, and a browser that does what Chromium does.
//! Named after the rules that they hold (HANDOVER, C1, C2, C5, H6, H10, M4, M6, M11, M12).

#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;

#[path = "login/account.rs"]
mod account;
#[path = "login/addresses.rs"]
mod addresses;
#[path = "login/api_tokens.rs"]
mod api_tokens;
#[path = "login/app_logins.rs"]
mod app_logins;
#[path = "login/conflicts.rs"]
mod conflicts;
#[path = "login/connections.rs"]
mod connections;
#[path = "login/content.rs"]
mod content;
#[path = "login/crashes.rs"]
mod crashes;
#[path = "login/deadlines.rs"]
mod deadlines;
#[path = "login/deletions.rs"]
mod deletions;
#[path = "login/doors.rs"]
mod doors;
#[path = "login/emergency.rs"]
mod emergency;
#[path = "login/faults.rs"]
mod faults;
#[path = "login/foreseen.rs"]
mod foreseen;
#[path = "login/handover.rs"]
mod handover;
#[path = "login/key_rotation.rs"]
mod key_rotation;
#[path = "login/languages.rs"]
mod languages;
#[path = "login/leaks.rs"]
mod leaks;
#[path = "login/limits.rs"]
mod limits;
#[path = "login/logout.rs"]
mod logout;
#[path = "login/merges.rs"]
mod merges;
#[path = "login/middleware.rs"]
mod middleware;
#[path = "login/minute.rs"]
mod minute;
#[path = "login/mix_up.rs"]
mod mix_up;
#[path = "login/moves.rs"]
mod moves;
#[path = "login/must_move.rs"]
mod must_move;
#[path = "login/native_apps.rs"]
mod native_apps;
#[path = "login/neighbours.rs"]
mod neighbours;
#[path = "login/passkeys.rs"]
mod passkeys;
#[path = "login/passwords.rs"]
mod passwords;
#[path = "login/personal_tokens.rs"]
mod personal_tokens;
#[path = "login/phases.rs"]
mod phases;
#[path = "login/policies.rs"]
mod policies;
#[path = "login/polls.rs"]
mod polls;
#[path = "login/product_passwords.rs"]
mod product_passwords;
#[path = "login/profiles.rs"]
mod profiles;
#[path = "operator/provider.rs"]
mod provider;
#[path = "login/provider_steps.rs"]
mod provider_steps;
#[path = "login/refreshes.rs"]
mod refreshes;
#[path = "login/relinks.rs"]
mod relinks;
#[path = "login/removed_addresses.rs"]
mod removed_addresses;
#[path = "login/replay.rs"]
mod replay;
#[path = "login/resets.rs"]
mod resets;
#[path = "login/restores.rs"]
mod restores;
#[path = "login/rows.rs"]
mod rows;
#[path = "login/run_time.rs"]
mod run_time;
#[path = "login/saml.rs"]
mod saml;
#[path = "login/saml_keys.rs"]
mod saml_keys;
#[path = "login/saml_logout.rs"]
mod saml_logout;
#[path = "login/saml_pysaml2.rs"]
mod saml_pysaml2;
#[path = "login/scim.rs"]
mod scim;
#[path = "login/second_steps.rs"]
mod second_steps;
#[path = "login/signal_streams.rs"]
mod signal_streams;
#[path = "login/signals.rs"]
mod signals;
#[path = "login/soak.rs"]
mod soak;
#[path = "login/step_ups.rs"]
mod step_ups;
#[path = "login/tabs.rs"]
mod tabs;
#[path = "login/third_parties.rs"]
mod third_parties;
#[path = "login/timing.rs"]
mod timing;
#[path = "login/under_way.rs"]
mod under_way;
#[path = "login/world.rs"]
mod world;
