//! Logging in with what a person proves to us: passwords at a product's own door, resets, second steps.
//!
//! - `door`: e-mail first on the product's host, the password page, the password.
//! - `enter`: a local proof → decision → confined login session → product session.
//! - `product`: passwords that the product keeps itself, judged by its adapter's word.
//! - `app`: a product's own JSON login for apps, passed on for people who may use a password.
//! - `known`: what the store knows of an address, for phases A and B.
//! - `second`: one-time codes and recovery codes. `passkey`: ceremonies with authenticators, on the login host. `security`: enrolling and changing them.
//! - `reset`: a new password by mail. `change`: setting one.
//! - `bench` runs password hashes on threads of its own, `attempts` counts tries across nodes, `device` knows a browser that was
//!   let in before, `slot` holds answers back to fixed moments, `breached` searches the operator's list.
//! - `create` makes local accounts.
//!
//! Deliberately absent: every rule about who may enter (the kernel decides), HTML and paths (one layer up).

mod answer;
mod app;
mod attempts;
mod bench;
mod breached;
mod change;
pub(in crate::login) mod create;
mod device;
mod door;
mod enter;
mod factors;
mod known;
mod passkey;
mod product;
mod prove;
mod reset;
mod retired;
mod second;
mod security;
mod slot;

pub(in crate::login) use reset::{LIFE, Secrets, TRIES};

pub use answer::{Asks, CeremonyFor, LocalPage, LocalStep, Said, Shown, Wrong};
pub use app::{AppEntry, AppRefused};
pub use bench::{Bench, Busy, Lane};
pub use breached::{BadList, Breached};
pub use create::{NewLocal, NotCreated};
pub use known::Shares;
pub(super) use security::FACTORS;
pub use slot::Slots;
