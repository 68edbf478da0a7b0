//! Passkeys: the ceremonies on the login host, between two visits at a product's door.
//!
//! The login host is the relying party (rule H6), so a ceremony is held there and nowhere else; what people prove by it is worth
//! something at the product whose door they came from, and there alone. So a login by passkey goes: door → `start` (sealed: where it
//! leads, which browser, what was proved so far) → ceremony → `back` (sealed, one use, a minute) → door, which decides as it does
//! about a password. Whoever gets hold of either of the two opens nothing: `back` is worth something in the browser that began at the
//! door, and `start` only together with the authenticator.
//!
//! - `ticket`: the sealed values. `ask`: the pages. `answer`: what a browser sends back of a ceremony. `enrol`: new credentials.
//! - `door`: the product host's side.
//!
//! The options of a first factor are the same for everybody: no credential is named, the browser offers what it has (rule H18).
//! Tries are not counted: there is nothing to guess, and a wrong answer costs less than a page.

mod answer;
mod ask;
mod door;
mod enrol;
mod ticket;

use super::super::handover::ProductHost;
use super::super::ticket::Target;
use super::super::world::World;
use super::super::{Answer, Stop};
use crate::login::{Step, Towards};

impl World {
    /// The product's side of a ticket: none where the configuration has the place no more.
    fn door_of(&self, target: &Target) -> Result<ProductHost, Stop> {
        let (product, host) = self.place(target).ok_or(Stop::refuse(crate::kernel::refusal::Refusal::Malformed))?;
        Ok(ProductHost { product, host, cookie_domain: None })
    }
}

/// On to another host after a form, by a page (rule M12).
fn leave(at: &ProductHost, url: String) -> Answer {
    let product = Some(std::sync::Arc::clone(&at.product));
    Answer::of(Step::Leave { towards: Towards::Product, provider: String::new(), url, product, by_form: true })
}
