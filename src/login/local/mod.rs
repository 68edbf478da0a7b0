//! Logging in with what a person proves to us: passwords at a product's own door, resets, second steps.
//!
//! `bench` runs password hashes on threads of its own,
//! `slot` holds answers back to fixed moments, `create` makes local accounts. Deliberately absent: every rule about
//! who may enter (the kernel decides), HTML and paths (one layer up).

mod bench;
mod breached;
mod create;
mod slot;

pub use bench::{Bench, Busy, Lane};
pub use breached::{BadList, Breached};
pub use create::{NewLocal, NotCreated};
pub use slot::Slots;
