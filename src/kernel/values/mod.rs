//! The vocabulary: small values with one canonical spelling each.
//!
//! Everything here is parsed once, at the edge, and is then compared with `==`. Deliberately absent: clocks and randomness
//! (a [`Timestamp`] and random bytes are always arguments). A new kind of name or id is one line in `names.rs` or `ids.rs`.

mod device;
mod domain;
mod email;
mod ids;
mod language;
mod names;
mod network;
mod origin;
mod reference;
mod secret;
mod shown;
mod time;

pub use device::Device;
pub use domain::{DomainName, NotADomain};
pub use email::{EmailAddress, NotAnEmail};
pub use ids::{
    AccountId, ApiTokenId, DirectoryId, EventId, FactorId, LoginSessionId, MailId, MailboxProofId, MigrationId,
    NotAnId, ProductAccountId, ProductSessionId, RelinkId,
};
pub use language::{Language, NotALanguage, Wishes};
pub use names::{AppName, DirectoryName, EnterpriseName, NotAName, OrgName, PolicyName, ProductName, ThirdPartyName};
pub use network::Network;
pub use origin::{NotAnOrigin, Origin};
pub use reference::Reference;
pub use secret::{Secret, SessionKey, Token};
pub use shown::{Name, legible};
pub use time::Timestamp;
