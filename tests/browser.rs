//! A real browser: Debian's Chromium, headless, over TLS with the internal authority.

#[expect(dead_code, reason = "no test binary uses all of the support")]
mod support;

#[path = "browser/ground.rs"]
mod ground;
