//! What a request says, read once: its path in one normal form, header names as a product could fold them, our cookies, and what
//! the browser meant by it. Pure text in, small values out.
//!
//! What proxies of ours say about a client is read here too; whether to believe it is the data path's judgement.
//!
//! Deliberately absent: `http` types, routing and options; the data path edits its headers with the judgements made here.

pub mod cookies;
pub mod fields;
pub mod forwarded;
pub mod intent;
pub mod path;
pub mod proxied;
