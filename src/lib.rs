//! fedgate, an OIDC and SAML federation gateway.
pub mod clock;
pub mod entropy;
pub mod gateway;
pub mod idp;
pub mod kernel;
pub mod outbound;
pub mod store;
pub mod web;
