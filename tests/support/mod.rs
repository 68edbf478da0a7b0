//! What black-box tests stand on: real providers, a browser without a screen, the gateway as a process, products that remember.
//!
//! | file | what |
//! |---|---|
//! | `peer.rs` | a Node process that ends with its test; `op.rs`: the certified provider and the hostile one; `saml.rs`: a SAML provider |
//! | `agent.rs` | [`agent::UserAgent`]: cookies, redirects, forms and fetch metadata as Chromium does them |
//! | `intent.rs`, `cookies.rs`, `site.rs`, `html.rs`, `page.rs`, `wire.rs`, `websocket.rs` | what the agent is made of |
//! | `browser.rs` | Chromium, one context per person |
//! | `gateway.rs`, `configuration.rs` | the program under test, started from a file as an operator would |
//! | `upstream.rs`, `answer.rs`, `http1.rs` | a product that records every byte it is sent and answers as told |
//! | `adapter.rs` | a product's account adapter that answers as told |
//! | `pebble.rs` | a real ACME authority |
//! | `authenticator.rs` | passkeys in software, whose answers can be wrong in every field |
//! | `native.rs` | a product's own app: an OAuth client that holds a key |
//! | `siem.rs` | a collector of security events over TLS |
//! | `catcher.rs`, `names.rs` | a real SMTP server; real name servers |
//! | `authority.rs`, `clock.rs`, `ports.rs` | certificates, time, ports |
//!
//! Nothing here knows the crate: a test that needs its inside belongs in `src/`. A binary takes this module by
//! `#[expect(dead_code, reason = "…")] mod support;`, because none uses all of it.

pub mod adapter;
pub mod agent;
pub mod answer;
pub mod authenticator;
pub mod authority;
pub mod browser;
pub mod catcher;
pub mod clock;
pub mod configuration;
pub mod cookies;
pub mod gateway;
pub mod html;
pub mod http1;
pub mod intent;
pub mod names;
pub mod native;
pub mod op;
pub mod page;
pub mod pebble;
pub mod peer;
pub mod ports;
pub mod saml;
pub mod siem;
pub mod site;
pub mod totp;
pub mod upstream;
pub mod websocket;
pub mod wire;
