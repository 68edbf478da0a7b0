//! The pure kernel: what a login is, without async, I/O, clock or randomness (times and random values are arguments).
//!
//! Values → model → evidence ([`proof`]) → decisions → what is recorded ([`journal`], [`event`]). A path that skips a check
//! does not compile: sessions are made from an admission, an admission from a proof, and only the judges here make a proof.

pub mod admit;
pub mod app;
pub mod certificate;
pub mod domain;
pub mod event;
pub mod foresee;
pub mod identify;
pub mod import;
pub mod journal;
mod linking;
pub mod live;
pub mod local;
pub mod merging;
pub mod migration;
pub mod model;
pub mod oidc;
pub mod profile;
pub mod proof;
pub mod refusal;
pub mod relink;
pub mod request;
pub mod saml;
pub mod scim;
pub mod standing;
pub mod values;
