//! A browser that was let in before: a sealed cookie per account, which opens nothing and earns a bucket and a lane of its own
//! (rule M14).

use super::super::codec::{Reader, Writer};
use super::super::cookies::{self, CrossSite};
use super::super::world::{Visitor, World};
use crate::entropy::random;
use crate::kernel::values::{ProductAccountId, Timestamp};
use crate::keys::Purpose;
use std::time::Duration;

/// The cookie; a tag of the account follows, so that a family's browser knows each of them.
const DEVICE: &str = "__Host-fedgate-device-";
/// How long a browser is known.
const LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// A browser that one account logged in with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Device {
    /// Random; what its tries are counted by.
    pub id: [u8; 16],
}

fn name_of(account: ProductAccountId) -> String {
    let bytes = account.to_bytes();
    // The last bytes of an id are its random ones.
    bytes.iter().rev().take(4).fold(DEVICE.to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

impl World {
    /// Whether this browser was let in with this account before.
    pub(super) fn device(&self, visitor: &Visitor, account: ProductAccountId) -> Option<Device> {
        let name = name_of(account);
        let bytes = self.unseal(Purpose::Device, name.as_bytes(), visitor.cookies.one(&name)?)?;
        let mut reader = Reader::new(&bytes);
        let (whose, id, since) = (reader.raw::<16>()?, reader.raw()?, reader.time()?);
        reader.ended()?;
        let young = visitor.now.since(since) <= LIFE && since <= visitor.now.plus(Duration::from_secs(60));
        (whose == account.to_bytes() && young).then_some(Device { id })
    }

    /// The cookie after a success: a new one, so that a stolen copy of the old one shares nothing with it.
    pub(super) fn remember_device(&self, account: ProductAccountId, now: Timestamp) -> String {
        let name = name_of(account);
        let bytes = Writer::default().raw(&account.to_bytes()).raw(&random::<16>()).time(now).done();
        let value = self.seal(Purpose::Device, name.as_bytes(), &bytes);
        cookies::set(&name, &value, Some(LIFE), CrossSite::Lax)
    }
}
