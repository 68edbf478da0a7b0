//! A login, step by step: load → judge → decide → record → act.
//!
//! - `begin`: from a request without a session to the provider.
//! - `finish`: from the provider's reply to a login session.
//! - `handover`: from the login session to a product's own session.
//! - `step_up`: a proof of just now, in a session that lives.
//! - `stepping`: our own second step, of people who come from a provider; `standing`: their proof meanwhile.
//! - `both_sides`, `review`, `another`: a move that its person reviews, and the address that stays.
//! - `logout`: of one product, or everywhere; `single_logout`: at a SAML provider, and by one.
//! - `signal`: what a provider says without a browser: security events, logout tokens, Okta's Universal Logout.
//! - `local`: what people prove to us: passwords at products' own doors, resets, second steps.
//! - `account`: a person's own account: what it is, where it is logged in, and ending that.
//! - `console`: who may enter the console, and the proof that it asks for.
//! - `emergency`: the door for the day on which an organization's own provider keeps everybody out.
//! - `native`: products' own apps: the person is asked, a code, tokens that turn.
//! - `live`: the session check of the data path, with `entry`, `cache`, `lease`, `registry`, `watch` and the back-room loop that
//!   keeps them true.
//!
//! Deliberately absent: HTML, status codes and paths (one layer up), and every rule about who may enter (the kernel decides).
//! What is under way is sealed into the browser (`ticket`); the store is written only when somebody was proved.

mod account;
mod another;
mod answer;
mod backroom;
mod begin;
mod both_sides;
mod cache;
mod codec;
mod console;
mod cookies;
mod current;
mod deletion;
mod emergency;
mod entry;
mod facts;
mod finish;
mod handover;
mod health;
mod identity;
pub mod import;
mod lease;
mod live;
pub mod local;
mod logout;
mod merging;
mod moved;
mod moving;
mod native;
mod polling;
mod profile;
mod quarantine;
mod record;
mod registry;
mod relink;
pub mod relinking;
pub mod reminders;
pub mod restoring;
mod revalidating;
mod review;
mod rotation;
mod saml;
mod session;
mod shadow;
mod signal;
mod single_logout;
mod staff;
mod standing;
mod step_up;
mod stepping;
mod tally;
mod ticket;
mod tokens;
mod tombstone;
mod watch;
mod world;

pub use account::{
    About, AccountChange, AccountPage, AccountStep, Kind, Manager, Managers, Overview, OwnTokens, SecondStep, SeenBy,
    SeenSession, SeenToken, TokenWish, Told, Update,
};
pub use another::{AddressAsks, AddressStep};
pub use answer::{Answer, AskEmail, Choose, Form, Person, Refused, Step, There, Towards, Way};
pub use console::{CONSOLE, ConsoleStep, Door, Steward, not_here};
pub use cookies::{Cookies, LANGUAGE, SESSION, language as language_cookie, language_for_now};
pub use emergency::{EmergencyPage, EmergencyStep, Enrolled, NotPrepared, Removed};
pub use handover::ProductHost;
pub use lease::{FRESH, Lease};
pub use live::Live;
pub use merging::{MergeAsks, MergeStep};
pub use native::{AppStep, AppTokenAsk, AppTokens, TokenFault, TokenGrant, issuer};
pub use profile::InTheWay;
pub use session::clean_name;
pub use shadow::Shadow;
pub use signal::{Acted, Arrived as ArrivedSignal};
pub use stepping::{OwnSteps, SteppingPage, SteppingStep};
pub use tally::Tally;
pub use ticket::{FRESH_PROOF as JUST_NOW, Target};
pub use tombstone::Tombstone;
pub use world::{Visitor, World};

use crate::kernel::refusal::Refusal;
use crate::store::{NotCommitted, Unavailable};
use record::Circumstances;
use std::sync::Arc;

/// How often a decision is made again because another commit was first.
const TRIES: usize = 4;

/// Logins. Cheap to clone.
#[derive(Clone)]
pub struct Login {
    world: Arc<World>,
    live: Arc<Live>,
}

/// Why a step ends early.
#[derive(Debug)]
enum Stop {
    /// A rule says no.
    Refused(Refusal, Box<Circumstances>),
    /// The store does not answer: nobody is let in.
    Unavailable(Unavailable),
    /// A bug or a broken invariant.
    Fault(String),
}

impl Stop {
    fn refuse(refusal: Refusal) -> Self {
        Self::refused(refusal, Circumstances::default())
    }

    fn refused(refusal: Refusal, about: Circumstances) -> Self {
        Self::Refused(refusal, Box::new(about))
    }
}

impl From<Unavailable> for Stop {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

impl From<NotCommitted> for Stop {
    fn from(fault: NotCommitted) -> Self {
        match fault {
            NotCommitted::Unavailable(fault) => Self::Unavailable(fault),
            NotCommitted::Conflict(conflict) => Self::Fault(format!("a commit kept meeting {conflict:?}")),
        }
    }
}

impl Login {
    /// Logins over a world and its live sessions.
    pub fn new(world: Arc<World>, live: Arc<Live>) -> Self {
        Self { world, live }
    }

    /// What logins work on.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Turns an early end into its page: a refusal is recorded, a fault shows its reference alone.
    async fn settle(&self, visitor: &Visitor, target: Option<&Target>, answer: Result<Answer, Stop>) -> Answer {
        match answer {
            Ok(answer) => answer,
            Err(Stop::Refused(refusal, about)) => self.refused(visitor, refusal, target, *about).await,
            Err(Stop::Unavailable(fault)) => self.fault_page(visitor, &fault, true),
            Err(Stop::Fault(fault)) => self.fault_page(visitor, &fault, false),
        }
    }

    fn fault_page(&self, visitor: &Visitor, fault: &dyn std::fmt::Display, outage: bool) -> Answer {
        let (reference, at) = self.world.fault(visitor, fault);
        Answer::of(Step::Fault { reference, at, outage })
    }
}
