//! What people prove to us instead of to a provider: passwords, passkeys, one-time codes, recovery codes.
//!
//! Pure: secrets, salts, times and what was stored are arguments. `password` has the one form in which passwords rest (argon2id,
//! over an imported hash where there was one), `imported` reads the hashes that products bring, `adapter` judges the answer of a product
//! that keeps its passwords itself, `app` reads what apps post, `strength` judges new passwords, `passkey` the answers of
//! authenticators, `totp` and `recovery` the other second steps; `judge` alone makes proofs of them, `second` of a second step beside a
//! provider's login, and `address` of a mailbox that becomes a record's address. Deliberately absent: where rows rest (`store`), how often somebody may try
//! (`login/local`), the cost of waiting (a bounded pool there). A further kind of imported hash is a variant of
//! [`imported::Scheme`].

mod adapter;
mod address;
mod app;
mod imported;
mod judge;
mod passkey;
mod password;
mod recovery;
mod second;
mod strength;
mod totp;

pub use adapter::{
    ANSWER_LIMIT, AdapterAct, AdapterAnswer, AdapterCall, Odd, by_adapter, done, owner, token_owner, verify_password,
};
pub use address::{ProvedAddress, address_by_mailbox};
pub use app::{APP_BODY, AppLogin, read_app_login};
pub use imported::{NotImportable, Scheme};
pub use judge::{Claimant, Shown, Steps, by_emergency, by_mailbox, by_passkey, by_password};
pub use passkey::{
    ALGORITHMS, Assertion, Ceremony, EmergencyPresence, NewPasskey, PasskeyFault, Presence, register, user_handle,
};
pub use password::{Salt, StoredPassword, TooLong, Typed};
pub use recovery::{RECOVERY_CODES, RecoveryCode};
pub use second::{second_by_code, second_by_first_code, second_by_new_passkey, second_by_passkey, second_by_recovery};
pub use strength::{BreachedRange, Weakness, weakness};
pub use totp::{SEED_BYTES, Seed, Step};
