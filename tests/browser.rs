//! A real browser: Debian's Chromium, headless, over TLS with the internal authority.

#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;

#[path = "browser/account.rs"]
mod account;
#[path = "browser/agent.rs"]
mod agent;
#[path = "browser/attacks.rs"]
mod attacks;
#[path = "login/doors.rs"]
#[expect(dead_code, reason = "the scenes of logins use the rest")]
mod doors;
#[path = "browser/gallery.rs"]
mod gallery;
#[path = "browser/ground.rs"]
mod ground;
#[path = "browser/hostile.rs"]
mod hostile;
#[path = "browser/journeys.rs"]
mod journeys;
#[path = "browser/passkeys.rs"]
mod passkeys;
#[path = "browser/replay.rs"]
mod replay;
#[path = "browser/saml.rs"]
mod saml;
#[path = "browser/world.rs"]
mod world;
