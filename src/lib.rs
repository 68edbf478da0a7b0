//! fedgate, an OIDC and SAML federation gateway.
pub mod clock;
pub mod entropy;
pub mod gateway;
pub mod kernel;
pub mod keys;
pub mod store;
pub mod web;
