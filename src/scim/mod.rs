//! Provisioning: what a company's provider says about its people between logins (SCIM 2.0, RFC 7643, RFC 7644; rule H4).
//!
//! [`call`] reads a request: path, token, rate; `users` and `groups` are the resources, `act` what a change of a user does to an account,
//! `describe` what clients ask first, `answer` the forms of RFC 7644. A token belongs to one directory and sees what that directory made
//! or took on; everything else is not there. Deliberately absent: `/Bulk`, `/Me`, sorting, passwords, and any way to link, to give
//! rights or to loosen a policy.

mod act;
mod answer;
mod call;
mod describe;
mod groups;
mod rate;
mod users;

use crate::login::{Login, World};
use rate::Rates;
use std::sync::Arc;

/// Provisioning. One per process.
pub struct Scim {
    world: Arc<World>,
    rates: Rates,
}

impl Scim {
    /// Over logins.
    pub fn new(login: &Login) -> Self {
        Self { world: Arc::clone(login.world()), rates: Rates::default() }
    }
}
