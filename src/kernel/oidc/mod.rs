//! OpenID Connect and OAuth 2.0 as a pure matter: where to send a browser, and what a provider's reply proves.
//!
//! [`depart`] → the provider → [`reply`] → (the shell redeems the code) → [`judge`] or [`judge_userinfo`] → `Proof`. Keys,
//! documents, times and random values are arguments. openidconnect verifies the id_token's signature (over our keys), `iss`,
//! `aud`, `exp`, `nonce`, algorithm and type; what it leaves open is checked in `token.rs`, one check a line. [`judge_signal`]
//! reads what a provider says outside logins. Deliberately absent: the implicit and hybrid flows, encrypted tokens, symmetric signatures, keys from token headers, userinfo as a JWT.

mod claims;
mod depart;
mod expected;
pub mod json;
mod keys;
mod metadata;
mod reply;
mod signal;
#[cfg(test)]
mod tests;
mod token;
mod userinfo;

pub use depart::{Departure, depart};
pub use expected::{Expected, Seed, check_issuer, redirect_uri};
pub use keys::{KeySet, NotAKey, NotKeys, VerifyingKey};
pub use metadata::{Metadata, MetadataFault, PlainHttp, endpoint, is_loopback};
pub use reply::{CodeReply, Reply, reply};
pub use signal::stream as signal_stream;
pub use signal::{
    FOLLOWED, Fetched, Named, Settled, Signal, SignalDoor, SignalFault, SignalKind, Subject, What, asked, fetched,
    judge_signal, question,
};
pub use token::{REFRESH_LIMIT, Redeemed, judge, judge_refresh};
pub use userinfo::judge_userinfo;
