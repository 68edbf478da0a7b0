//! What products are asked about their own accounts.
//!
//! - `adapter`: the calls to a product's account adapter. `verify_password` is the one that is made so far; a further call is a function
//!   beside it, its text and the judge of its answer in `kernel/local/adapter`.
//!
//! Deliberately absent: who may enter (the kernel decides), how often somebody may try and when an answer leaves (`login/local`).

mod adapter;

pub use adapter::{Adapters, NoAnswer};
