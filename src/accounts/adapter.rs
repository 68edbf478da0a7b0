//! Calls to the account adapters of products: one signed `POST` each, never sent twice, no redirect followed, a fixed time to answer.
//!
//! An answer either is what was agreed on or says nothing: whoever is asked about is let in by a right, signed yes alone.

use crate::entropy::random;
use crate::kernel::local::{
    AdapterAct, AdapterAnswer, AdapterCall, Claimant, Odd, Steps, Typed, by_adapter, done, owner, token_owner,
    verify_password,
};
use crate::kernel::model::Adapter;
use crate::kernel::values::{ProductName, Timestamp};
use crate::outbound::{Ask, Kind, Outbound, OutboundFault};
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use url::Url;
use zeroize::Zeroizing;

/// Calls under way to one product for strangers: a product that hashes one password in 50 ms on one core is a second behind with these.
const STRANGERS: usize = 24;
/// And for browsers that were let in before, which no flood of strangers keeps out (rule M14).
const KNOWN: usize = 8;

/// Calls under way to one product for API tokens that are new here, and for those that passed a moment ago.
const NEW_TOKENS: usize = 8;
const KNOWN_TOKENS: usize = 16;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Asks adapters. One per process.
pub struct Adapters {
    outbound: Outbound,
    lanes: Mutex<HashMap<ProductName, Lanes>>,
}

/// Room for calls to one product.
#[derive(Clone)]
struct Lanes {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
    /// Tokens that nobody has named an owner of, and those that passed a moment ago: a flood of the one takes no room of the other.
    new_tokens: Arc<Semaphore>,
    known_tokens: Arc<Semaphore>,
}

/// Why nothing is known about a password.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// As many calls as there is room for are under way; this one was not made.
    #[error("too many credentials are being checked by the product")]
    Busy,
    /// No connection to the adapter: it has not seen who is asked about, so this says nothing about anybody.
    #[error("the adapter cannot be reached: {0}")]
    Unreachable(String),
    /// The answer was late, broken or not what was agreed on. It may have to do with who is asked about: no page tells it apart from
    /// a wrong password (rule H18).
    #[error("the adapter's answer says nothing: {0}")]
    Odd(String),
    /// The password is right, for another user than the one whom the gateway knows by this address, or it knows nobody by it.
    #[error("the adapter knows the address as another user than the gateway does")]
    AnotherUser,
}

impl Adapters {
    /// Over the one HTTP client.
    pub fn new(outbound: Outbound) -> Self {
        Self { outbound, lanes: Mutex::default() }
    }

    /// Asks whether a password is right. `claimant` and `sub` are who would log in with it and their user id at the product;
    /// `known` whether the browser was let in before. `Ok(None)`: it is wrong.
    ///
    /// # Errors
    /// [`NoAnswer`]: nobody is let in.
    pub async fn verify_password(
        &self,
        (product, adapter): (&ProductName, &Adapter),
        (claimant, sub): (&Claimant, &str),
        (typed, known): (&Typed, bool),
        now: Timestamp,
    ) -> Result<Option<Steps>, NoAnswer> {
        let _room = self.room(product, known)?;
        let call = verify_password(&adapter.key, random(), (product, &claimant.email), typed, now);
        let id = call.id.clone();
        let answer = self.send(adapter, "verify_password", call).await?;
        by_adapter((claimant, sub), &adapter.key, &id, shown(&answer), now).map_err(|odd| match odd {
            Odd::AnotherUser => NoAnswer::AnotherUser,
            Odd::Status(_) | Odd::Signature | Odd::Shape | Odd::AnotherCall => NoAnswer::Odd(odd.to_string()),
        })
    }

    /// Asks whose API token this is: the user id at the product. `known` is whether it passed a moment ago. `Ok(None)`: nobody's.
    ///
    /// # Errors
    /// [`NoAnswer`]: it passes nowhere.
    pub async fn token_owner(
        &self,
        (product, adapter): (&ProductName, &Adapter),
        (authorization, known): (&str, bool),
        now: Timestamp,
    ) -> Result<Option<String>, NoAnswer> {
        let lanes = self.lanes(product);
        let lane = if known { lanes.known_tokens } else { lanes.new_tokens };
        let _room = lane.try_acquire_owned().map_err(|_| NoAnswer::Busy)?;
        let call = token_owner(&adapter.key, random(), product, authorization, now);
        let id = call.id.clone();
        let answer = self.send(adapter, "token_owner", call).await?;
        owner(&adapter.key, &id, shown(&answer)).map_err(|odd| NoAnswer::Odd(odd.to_string()))
    }

    /// Tells a product what became of one of its accounts. `id` is the same at each try.
    ///
    /// # Errors
    /// Why it is not known to have heard, for operators: it is told again.
    pub async fn tell(
        &self,
        (product, adapter): (&ProductName, &Adapter),
        (id, sub): (&str, &str),
        act: &AdapterAct,
        now: Timestamp,
    ) -> Result<(), String> {
        let call = act.call(&adapter.key, id, (product, sub), now);
        let answer = self.send(adapter, act.name(), call).await.map_err(|fault| fault.to_string())?;
        done(&adapter.key, id, shown(&answer)).map_err(|odd| odd.to_string())
    }

    fn room(&self, product: &ProductName, known: bool) -> Result<OwnedSemaphorePermit, NoAnswer> {
        let lanes = self.lanes(product);
        let lane = if known { lanes.known } else { lanes.strangers };
        lane.try_acquire_owned().map_err(|_| NoAnswer::Busy)
    }

    fn lanes(&self, product: &ProductName) -> Lanes {
        let mut all = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(product.clone()).or_insert_with(Lanes::new).clone()
    }

    async fn send(
        &self,
        adapter: &Adapter,
        name: &str,
        call: AdapterCall,
    ) -> Result<crate::outbound::Answer, NoAnswer> {
        let unusable = |what: &str| NoAnswer::Unreachable(what.to_owned());
        let socket = adapter.url.strip_prefix("unix:").map(Path::new);
        // Over a socket nobody is named: the program at its other end answers for all paths below `/`.
        let base = if socket.is_some() { "http://localhost" } else { &adapter.url };
        let named = Url::parse(base).map_err(|_| unusable("its address is no URL"))?;
        let url = Url::parse(&format!("{}/{name}", base.trim_end_matches('/')))
            .map_err(|_| unusable("its address is no URL"))?;
        let mut headers = HeaderMap::new();
        let fields =
            [(ID, &call.id), (IDEMPOTENCY_KEY, &call.id), (TIMESTAMP, &call.timestamp), (SIGNATURE, &call.signature)];
        for (name, value) in fields {
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| unusable("a call without its signature"))?);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let ask = Ask {
            kind: Kind::Operator { named },
            url: &url,
            method: Method::POST,
            headers,
            body: Bytes::from_owner(Wiped(call.body)),
            accept: "application/json",
        };
        let asked = async {
            match socket {
                Some(socket) => self.outbound.ask_socket(socket, ask).await,
                None => self.outbound.fetch(ask).await,
            }
        };
        match timeout(adapter.timeout, asked).await {
            Ok(Ok(answer)) => Ok(answer),
            Err(_) => Err(NoAnswer::Odd(OutboundFault::Deadline.to_string())),
            // Before anything was sent.
            Ok(Err(
                fault @ (OutboundFault::Address
                | OutboundFault::Name
                | OutboundFault::NotPublic
                | OutboundFault::Connect(_)
                | OutboundFault::Tls(_)),
            )) => Err(NoAnswer::Unreachable(fault.to_string())),
            Ok(Err(
                fault @ (OutboundFault::Deadline
                | OutboundFault::TooLarge
                | OutboundFault::Redirect
                | OutboundFault::Unsigned
                | OutboundFault::Protocol(_)),
            )) => Err(NoAnswer::Odd(fault.to_string())),
        }
    }
}

/// What the judges look at.
fn shown(answer: &crate::outbound::Answer) -> AdapterAnswer<'_> {
    let field = |name: &HeaderName| {
        let mut values = answer.headers.get_all(name).iter();
        // Said twice is not said.
        values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok()).unwrap_or("")
    };
    AdapterAnswer {
        status: answer.status.as_u16(),
        timestamp: field(&TIMESTAMP),
        signature: field(&SIGNATURE),
        body: &answer.body,
    }
}

impl Lanes {
    fn new() -> Self {
        let room = |calls| Arc::new(Semaphore::new(calls));
        Self {
            strangers: room(STRANGERS),
            known: room(KNOWN),
            new_tokens: room(NEW_TOKENS),
            known_tokens: room(KNOWN_TOKENS),
        }
    }
}

/// A body that is wiped once the client has let go of it.
struct Wiped(Zeroizing<Vec<u8>>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
