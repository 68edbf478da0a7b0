//! fedgate, an OIDC and SAML federation gateway: a reverse proxy that takes over the login of the products behind it.
//!
//! # What a login is
//! request → product → session, or login → e-mail → **decide** → provider round trip → **judge** the reply → proof → account →
//! **decide** again → login session → handover → product session → upstream. Every later request asks **decide** once more. One
//! decision, three moments: A, an address is known; B, a proof came back; C, a live session.
//!
//! # The house
//! A file may use its own folder and lower numbers only; folders of one number do not know each other (`tests/layers.rs`).
//! ```text
//! kernel   [1] pure: values, model, proof, refusal, event, journal; identify (A), admit + linking (B), live (C), foresee; import;
//!              migration (which record may become what, which address stays); merging (two accounts of one
//!              person); relink (links that follow a company to another provider); profile (whose word a linked account
//!              follows); scim (filters, paths, whose account a provisioned user is);
//!              app (what a product's own app asks for, its key, its refresh token); oidc, local (passwords, passkeys, codes),
//!              request; saml: gate, XML, C14N, verify, decrypt, judge, what it writes
//! clock    [2] the one clock             entropy  [2] the one source of randomness
//! language [2] what people read, in their language: catalogues, parsed once; which is chosen
//! store    [3] the Store port; SQLite and PostgreSQL over one set of statements; one conformance suite defines the port
//! outbound [3] the one HTTP client       keys     [3] signing, sealing, MACs       web  [3] ports between data path and login
//! seeing   [3] metrics and logs        dns      [3] what name servers say, each asked alone
//! idp      [4] providers asked and cached; the second opinion on SAML, in a sandboxed process of its own
//! audit    [4] Merkle log, checkpoints, verification, sinks
//! orgs     [4] organizations at run time: their documents laid over the file, rows for what is named, what loosens
//! accounts [4] what products are asked about their own accounts: the adapter
//! mail     [4] letters queued with their fact, sent by SMTP or as files
//! login    [5] begin, finish, handover, step up, logout; live sessions, lease, revocation; account: a person's own; both_sides, review,
//!              another, moving, moved: from a product's password to the one account; merging: two accounts made one; profile:
//!              what changes later; deletion: 14 days, then a tombstone; import: people whom a product brings;
//!              relink, relinking: a company changed its provider;
//!              restoring: what happened since a backup is done again; shadow: what another file would have decided
//! domains  [5] domains of organizations: added, proved, checked every day, lost, settled
//! pages    [6] HTML from templates
//! admin    [6] the admin API: tokens, rights, organizations changed by programs
//! scim     [6] provisioning: what a company's provider says of its people between logins
//! site     [7] our own routes: HTTP ↔ login ↔ pages      gateway [7] the data path: listen, route, check, forward, streams
//! acme     [7] certificates from an authority: ordered, kept in the store, handed to the data path
//! demo     [8] sample products and a sample issuer
//! config   [9] File → Config, every mistake with its place
//! cli      [10] one file per command; `cli/node` puts a process together
//! ```
//!
//! # Invariants
//! - No session without an `Admitted`, no `Admitted` without a `Proof`, and only the judges in `kernel` make a `Proof`. A path that
//!   skips a check does not compile.
//! - Objections can only object: a new one can lock out but never let in; all are asked every time, and their trace is the whole
//!   answer to "why was this refused?". The linking decision cannot override an objection.
//! - An external identity is (directory id, subject source, subject), and the directory id is our own. Never an issuer string, an
//!   address or a kind of login in its place. E-mail routes, and only inside a domain that its organization holds.
//! - A request is admitted by exactly one credential that we can map to an account and put through the decision; what cannot be
//!   mapped does not reach the product. Headers that a client declares may change how a refusal looks, never whether.
//! - The neighbour is hostile: another tenant's admin and provider, a sibling product on the same site, this product's own
//!   responses, a mail scanner, a reader of our database or logs.
//! - Nothing from a reply is used before its pending login was taken (once, cluster-wide); it is accepted only if what was stored
//!   at departure and the current configuration both allow it.
//! - A login that was not recorded is not admitted: state, revocation row and audit event commit in one batch.
//! - A refusal is a value with a stable code; a fault is an error and shows its reference alone.
//! - A domain matches exactly, as an A-label. One normal form of host and path: what was matched is what is forwarded, else 400.
//! - No secret type has `Display` or `Serialize`; its `Debug` shows nothing.
//! - No global state, no process-default crypto provider, no feature flag that changes behaviour, no panic on outside input.
//! - Every outbound address that an organization can influence goes through `outbound`.

#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable))]

pub mod accounts;
pub mod acme;
pub mod admin;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod dns;
pub mod domains;
pub mod entropy;
pub mod gateway;
pub mod idp;
pub mod kernel;
pub mod keys;
pub mod language;
pub mod login;
pub mod mail;
pub mod orgs;
pub mod outbound;
pub mod pages;
pub mod scim;
pub mod seeing;
pub mod site;
pub mod store;
pub mod web;
