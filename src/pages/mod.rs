//! What a person sees on the login host: plain HTML pages that work without script, but for the one that asks an authenticator.
//!
//! Owned here: the templates and the one style sheet (`templates/`), the vocabulary of pages ([`Page`]), the rules for showing
//! foreign names ([`Name`]) and colours ([`Colour`]), and the response headers that every page carries ([`Html::headers`]).
//!
//! Deliberately absent: any decision (callers hand over facts and messages, which are said here in the reader's language), routes, cookies, CSRF tokens (they arrive as
//! opaque text), JavaScript (but `passkey`'s, which no browser can do without), external resources, and HSTS (the listener sets it, because only it knows about TLS).
//!
//! # Adding a page
//! One struct and one variant in `page.rs`, one template that extends `base.html`, one arm in `view.rs`, one row in the
//! list of samples (`examples/pages/samples.rs`), which the snapshots and the gallery for the browser tests share.

mod account;
mod address;
mod colour;
mod console;
mod href;
mod local;
mod merging;
mod moving;
mod name;
mod page;
mod passkey;
mod render;
#[cfg(test)]
mod tests;
mod tokens;
mod utc;
mod view;

pub use account::{Account, AccountWay, By, Device, Statement};
pub use address::{AddressCode, AddressOpened, WhichAddress};
pub use colour::{Colour, NotAColour};
pub use console::{Block, Cell, Console, Row};
pub use href::{Href, NotAnHref};
pub use local::{
    AskReset, Code, CodeFrom, Confirm, Enrol, Local, NewPassword, Notice, Opened, Password, Recovery, Security, Steps,
};
pub use merging::{Merge, MergeAsks};
pub use moving::{Anew, Move, Prove, Review};
pub use name::{Name, legible};
pub use page::{
    App, Brand, Choice, ConfirmLogout, Email, Fault, Form, Go, Home, Hop, Link, Loop, Lost, Page, Person, ProductLink,
    Reenter, Reference, Refusal, Resend, SignedOut, Submit, There, Towards, Way,
};
pub use passkey::{Ceremony, Passkey, SCRIPT, SCRIPT_PATH};
pub use render::{BadTemplate, Html, Pages, Picker, Reader};
pub use tokens::{Token, Tokens};
pub use utc::Utc;
