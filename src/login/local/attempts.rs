//! How often somebody may try, counted in the store for all nodes together (rule M14).
//!
//! A try counts in the bucket of the typed address and in that of the network it comes from (/24, /64). A browser that was let in
//! before has a bucket of its own instead: whoever floods an address keeps strangers out for a while, never its owner. A try is
//! counted before it is judged, so that a thousand at once are a thousand; but at the emergency door, where nothing can be guessed.

use super::super::Stop;
use super::super::world::{Visitor, World};
use super::device::Device;
use crate::kernel::journal::{Batch, Change, CredentialChange};
use crate::kernel::values::{AccountId, ProductName};
use crate::keys::Lookup;
use std::net::IpAddr;
use std::time::Duration;

/// What is tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Attempt {
    /// A password.
    Password,
    /// A second step.
    Second,
    /// A mail with a code.
    Mail,
}

/// Answers in a span from one network that did not hold at the emergency door.
const EMERGENCY: u32 = 10;

/// Tries of the digits of one mail.
const MAILED_TRIES: u32 = 5;

/// How long a bucket is filled before it empties.
const SPAN: Duration = Duration::from_secs(15 * 60);

impl Attempt {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::Password => b"password",
            Self::Second => b"second",
            Self::Mail => b"mail",
        }
    }

    /// Tries in a span by one address, or one known browser.
    const fn per_address(self) -> u32 {
        match self {
            Self::Password | Self::Second => 10,
            Self::Mail => 3,
        }
    }

    /// Tries in a span from one network: many people share one.
    const fn per_network(self) -> u32 {
        match self {
            Self::Password | Self::Second => 100,
            Self::Mail => 30,
        }
    }
}

impl World {
    /// Counts a try. `false`: there were too many, and this one is not judged.
    pub(super) async fn may_try(
        &self,
        attempt: Attempt,
        visitor: &Visitor,
        at: (&ProductName, &str),
        device: Option<&Device>,
    ) -> Result<bool, Stop> {
        let (product, address) = at;
        let bucket = |kind: &[u8], value: &[u8]| {
            self.keys.lookup(Lookup::Attempt, &[attempt.name(), kind, product.as_str().as_bytes(), value])
        };
        let buckets = match device {
            Some(device) => vec![(bucket(b"device", &device.id), attempt.per_address())],
            None => vec![
                (bucket(b"address", address.as_bytes()), attempt.per_address()),
                (bucket(b"network", &network(visitor.client)), attempt.per_network()),
            ],
        };
        self.count_tries(visitor, buckets).await
    }

    /// Counts a try of a second step on the login host, by whoever has just been proved by a provider to be its owner.
    pub(in crate::login) async fn may_step(&self, visitor: &Visitor, whose: &str) -> Result<bool, Stop> {
        let bucket = |kind: &[u8], value: &[u8]| {
            self.keys.lookup(Lookup::Attempt, &[Attempt::Second.name(), b"login host", kind, value])
        };
        let buckets = vec![
            (bucket(b"account", whose.as_bytes()), Attempt::Second.per_address()),
            (bucket(b"network", &network(visitor.client)), Attempt::Second.per_network()),
        ];
        self.count_tries(visitor, buckets).await
    }

    /// Counts a mail with a code for a first second step.
    pub(in crate::login) async fn may_mail_step(&self, visitor: &Visitor, account: AccountId) -> Result<bool, Stop> {
        let parts: [&[u8]; 4] = [Attempt::Mail.name(), b"login host", b"account", &account.to_bytes()];
        let bucket = self.keys.lookup(Lookup::Attempt, &parts);
        self.count_tries(visitor, vec![(bucket, Attempt::Mail.per_address())]).await
    }

    /// Counts a try of the digits of one mail, of which this is the hash.
    pub(in crate::login) async fn may_try_mailed(&self, visitor: &Visitor, hash: &[u8; 32]) -> Result<bool, Stop> {
        let bucket = self.keys.lookup(Lookup::Attempt, &[Attempt::Mail.name(), b"login host", b"digits", hash]);
        self.count_tries(visitor, vec![(bucket, MAILED_TRIES)]).await
    }

    async fn count_tries(&self, visitor: &Visitor, buckets: Vec<([u8; 32], u32)>) -> Result<bool, Stop> {
        let until = visitor.now.plus(SPAN);
        let count = |(bucket, _): &([u8; 32], u32)| {
            Change::Credential(CredentialChange::CountAttempt { bucket: *bucket, until })
        };
        let changes = buckets.iter().map(count).collect();
        self.store.commit(Batch { changes, ..Batch::default() }).await?;
        for (bucket, limit) in buckets {
            if self.store.attempts(&bucket, visitor.now).await? > limit {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Counts a mail that a person of this product asks for, by each of these names for it. `false`: there were too many.
    pub(in crate::login) async fn may_mail(
        &self,
        visitor: &Visitor,
        product: &ProductName,
        names: [&str; 2],
    ) -> Result<bool, Stop> {
        for name in names {
            if !self.may_try(Attempt::Mail, visitor, (product, name), None).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an answer at the emergency door is judged at all. Nobody guesses a signature: this is for noise, counts what did not hold,
    /// and is by network alone, so that no flood from elsewhere shuts the door (rule M14) and no number of good logins does.
    pub(in crate::login) async fn may_try_emergency(&self, visitor: &Visitor) -> Result<bool, Stop> {
        Ok(self.store.attempts(&self.emergency_bucket(visitor), visitor.now).await? < EMERGENCY)
    }

    /// Counts an answer that did not hold, before anybody is told so.
    pub(in crate::login) async fn count_emergency(&self, visitor: &Visitor) -> Result<(), Stop> {
        let (bucket, until) = (self.emergency_bucket(visitor), visitor.now.plus(SPAN));
        let changes = vec![Change::Credential(CredentialChange::CountAttempt { bucket, until })];
        self.store.commit(Batch { changes, ..Batch::default() }).await?;
        Ok(())
    }

    fn emergency_bucket(&self, visitor: &Visitor) -> [u8; 32] {
        self.keys.lookup(Lookup::Attempt, &[b"emergency", b"network", &network(visitor.client)])
    }
}

/// The network of an address: a /24, or the /64 that a provider gives one customer.
fn network(client: IpAddr) -> Vec<u8> {
    match client.to_canonical() {
        IpAddr::V4(address) => address.octets().into_iter().take(3).collect(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m14_networks_are_what_one_customer_has() {
        let check = |one: &str, other: &str, same: bool| {
            let parse = |text: &str| network(text.parse().unwrap());
            assert_eq!(parse(one) == parse(other), same, "{one} {other}");
        };
        check("192.0.2.1", "192.0.2.254", true);
        check("192.0.2.1", "192.0.3.1", false);
        check("::ffff:192.0.2.1", "192.0.2.9", true);
        check("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", true);
        check("2001:db8:1:2::1", "2001:db8:1:3::1", false);
    }
}
