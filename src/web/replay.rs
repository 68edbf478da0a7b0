//! A request of an expired session, kept until its person has logged in and clicked (rule H9): what the data path asks of the
//! login, and what it tells the pages.

use super::Ask;
use crate::kernel::model::Product;
use crate::kernel::values::{AccountId, ProductSessionId, Timestamp, Wishes};
use async_trait::async_trait;
use std::sync::Arc;

/// A session that ended by its limits alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expired {
    /// The session.
    pub sid: ProductSessionId,
    /// Whose it was.
    pub account: AccountId,
    /// The account's epoch: a link, a merge or a changed password raises it.
    pub epoch: u32,
}

/// Whether a kept request may be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// By this caller, and by nobody else ever.
    First,
    /// It was before.
    Again,
    /// The store does not answer.
    Unavailable,
}

/// What is asked about requests of expired sessions.
#[async_trait]
pub trait Replays: Send + Sync {
    /// The session of this cookie, if it is of this product and host and expired at most 24 h ago, and nothing else ended it:
    /// neither a logout nor a revocation nor the policy. `None` too when the store does not answer.
    async fn expired(&self, ask: &Ask<'_>) -> Option<Expired>;

    /// The account's epoch of now, from the store. `None`: no such account, not active, or no answer.
    async fn epoch(&self, account: AccountId) -> Option<u32>;

    /// Marks a kept request as sent, once in the whole cluster. `until` is when it dies anyway.
    async fn take(&self, digest: [u8; 32], until: Timestamp) -> Taken;

    /// Seals bytes for a cookie; `bound` is where the cookie belongs. `None` when the library fails.
    fn seal(&self, bound: &[u8], bytes: &[u8]) -> Option<String>;

    /// Opens what [`Self::seal`] made for the same place.
    fn open(&self, bound: &[u8], text: &str) -> Option<Vec<u8>>;
}

/// What became of a request that came with an expired session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It can be sent after the login.
    Yes,
    /// It cannot.
    No(Lost),
}

/// Why a request cannot be sent any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lost {
    /// It was larger than this product's limit, in bytes.
    TooLarge(u64),
    /// There is no room for it: the session's, the account's or the node's share is used up, or the disk failed.
    NoRoom,
    /// More than 15 minutes have passed, or this gateway or browser does not have it any more.
    Gone,
    /// Another gateway of the cluster has it.
    Elsewhere,
    /// It was another person's.
    Another,
    /// The account or the product is not what it was.
    Changed,
    /// It was sent before.
    Sent,
}

/// What a person is asked or told about a kept request.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The product.
    pub product: Arc<Product>,
    /// The request, or why there is none.
    pub request: Result<Unsent, Lost>,
    /// Which languages the request asks for.
    pub wishes: Wishes,
}

/// A request that waits for its person's click.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unsent {
    /// Which: sent back in the form's field `to`.
    pub handle: String,
    /// The form's token: sent back in the field `csrf`.
    pub csrf: String,
    /// `POST`.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Bytes of its body.
    pub size: u64,
    /// When it was first sent.
    pub at: Timestamp,
    /// A click before this one could not reach the product; nothing was sent.
    pub failed: bool,
}
