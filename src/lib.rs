//! fedgate, an OIDC and SAML federation gateway.
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod gateway;
pub mod kernel;
pub mod store;
pub mod web;
