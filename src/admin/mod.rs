//! The admin API: `/api/v1` on the login host, JSON, for programs (interface; threats M19).
//!
//! A request is admitted by exactly one bearer token: [`who`] says whose it is and what its owner's role allows, [`route`] is the one
//! table of what there is, [`call`] carries a request through both. A cookie never authenticates anything here, so there is nothing
//! for another site to forge. What somebody may not see answers as what does not exist. Every write is one commit with its event.
//! Deliberately absent: HTML, minting tokens, setting break-glass, replacing directories and changing keys, which need a person at
//! the gateway's machine ([`mint`] is reached by the control socket alone). To add a resource: a line in [`route::ROUTES`], its
//! shapes in `shapes`, a function in a file of its own.

mod access;
mod answer;
mod call;
pub mod console;
mod deletions;
mod directories;
mod domains;
mod enterprises;
mod events;
mod local;
pub mod mint;
mod openapi;
mod operate;
mod organizations;
mod people;
mod policies;
mod rate;
pub mod route;
mod scope;
mod sessions;
mod shapes;
pub mod token;
mod versions;
mod who;

pub use openapi::document;
pub use operate::Command;
pub use scope::Scope;

use crate::domains::Domains;
use crate::login::{Login, World};
use rate::Rates;
use std::sync::Arc;

/// The admin API.
pub struct Admin {
    login: Login,
    world: Arc<World>,
    domains: Arc<Domains>,
    rates: Rates,
}

impl Admin {
    /// Over logins, and what proves domains.
    pub fn new(login: Login, domains: Arc<Domains>) -> Self {
        Self { world: Arc::clone(login.world()), login, domains, rates: Rates::default() }
    }
}
