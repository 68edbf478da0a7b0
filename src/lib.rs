//! fedgate, an OIDC and SAML federation gateway.
pub mod audit;
pub mod clock;
pub mod demo;
pub mod entropy;
pub mod gateway;
pub mod kernel;
pub mod pages;
pub mod store;
pub mod web;
