//! The handle of a kept request: sealed into a cookie of the browser that sent it, with the file's key. Nothing else has the key,
//! so a stolen disk has nothing, and a lost cookie is erasure (rule H9).

use super::seal::Id;
use super::shelf::{LIFE, Name, hex, unhex};
use crate::kernel::values::{AccountId, Origin, ProductName, ProductSessionId, Timestamp};
use crate::web::Replays;
use aws_lc_rs::digest::{SHA256, digest};
use http::header::{COOKIE, HeaderMap, HeaderValue};

/// The cookie's name; the first eight digits of the id follow.
const COOKIE_NAME: &str = "__Host-fedgate-sent-";

/// How many of them are looked at; an account has three.
const COOKIES: usize = 8;

/// How often an upstream that could not be reached at all may be tried.
pub(super) const TRIES: u8 = 5;

/// A kept request: where it is, what opens it, and what it is bound to.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Ticket {
    pub(super) id: Id,
    pub(super) key: [u8; 32],
    /// The gateway that has it.
    pub(super) node: [u8; 8],
    pub(super) sid: ProductSessionId,
    pub(super) account: AccountId,
    pub(super) epoch: u32,
    /// Whether a form sent it, not a script.
    pub(super) form: bool,
    /// A digest of the product's release.
    pub(super) release: [u8; 8],
    pub(super) at: Timestamp,
    /// Bytes of the body.
    pub(super) size: u64,
    /// Bytes of the sealed head.
    pub(super) head: u32,
    /// How often it could not be sent.
    pub(super) tries: u8,
}

impl Ticket {
    pub(super) fn name(&self) -> Name {
        Name::new(self.id, (self.sid, self.account), self.form, self.at)
    }

    /// The handle in addresses and forms.
    pub(super) fn handle(&self) -> String {
        hex(&self.id)
    }

    /// The token of its forms. Only the page that we showed to this browser has it.
    pub(super) fn csrf(&self) -> String {
        let whole = digest(&SHA256, &[b"fedgate replay form ".as_slice(), &self.key].concat());
        hex(whole.as_ref().get(..16).unwrap_or_default())
    }

    /// What is marked as sent.
    pub(super) fn mark(&self) -> [u8; 32] {
        let mut mark = [0; 32];
        let whole = digest(&SHA256, &[b"fedgate replay ".as_slice(), &self.id, &[self.tries]].concat());
        for (to, from) in mark.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        mark
    }

    fn encode(&self) -> Vec<u8> {
        [
            self.id.as_slice(),
            &self.key,
            &self.node,
            &self.sid.to_bytes(),
            &self.account.to_bytes(),
            &self.epoch.to_be_bytes(),
            &[u8::from(self.form)],
            &self.release,
            &self.at.millis().to_be_bytes(),
            &self.size.to_be_bytes(),
            &self.head.to_be_bytes(),
            &[self.tries],
        ]
        .concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let ticket = Self {
            id: take(&mut rest)?,
            key: take(&mut rest)?,
            node: take(&mut rest)?,
            sid: ProductSessionId::from_bytes(take(&mut rest)?),
            account: AccountId::from_bytes(take(&mut rest)?),
            epoch: u32::from_be_bytes(take(&mut rest)?),
            form: take(&mut rest)? != [0],
            release: take(&mut rest)?,
            at: Timestamp::from_millis(i64::from_be_bytes(take(&mut rest)?)),
            size: u64::from_be_bytes(take(&mut rest)?),
            head: u32::from_be_bytes(take(&mut rest)?),
            tries: u8::from_be_bytes(take(&mut rest)?),
        };
        rest.is_empty().then_some(ticket)
    }

    /// The `Set-Cookie` value that gives it to the browser. The way back from the login host is a cross-site GET: Lax.
    pub(super) fn cookie(&self, replays: &dyn Replays, place: &Place<'_>) -> Option<HeaderValue> {
        let name = cookie_name(&self.id);
        let sealed = replays.seal(&place.bound(&name), &self.encode())?;
        let life = LIFE.as_secs();
        let text = format!("{name}={sealed}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={life}");
        HeaderValue::from_str(&text).ok()
    }

    /// The newest ticket that this browser has here: for a login that lost its way back.
    pub(super) fn newest(headers: &HeaderMap, replays: &dyn Replays, place: &Place<'_>) -> Option<Self> {
        let opened = pairs(headers).filter(|(name, _)| name.starts_with(COOKIE_NAME)).take(COOKIES).filter_map(
            |(name, value)| {
                let ticket = Self::decode(&replays.open(&place.bound(name), value)?)?;
                (cookie_name(&ticket.id) == name).then_some(ticket)
            },
        );
        opened.max_by_key(|ticket| ticket.at)
    }

    /// The handle's ticket, from the cookie of this browser that came exactly once.
    pub(super) fn find(handle: &str, headers: &HeaderMap, replays: &dyn Replays, place: &Place<'_>) -> Option<Self> {
        let id: Id = unhex(handle)?;
        let name = cookie_name(&id);
        let mut values = pairs(headers).filter(|(known, _)| *known == name).map(|(_, value)| value);
        let value = values.next().filter(|_| values.next().is_none())?;
        let ticket = Self::decode(&replays.open(&place.bound(&name), value)?)?;
        (ticket.id == id).then_some(ticket)
    }
}

/// Where a ticket belongs: what its cookie is bound to.
pub(super) struct Place<'a> {
    pub(super) product: &'a ProductName,
    pub(super) host: &'a Origin,
}

impl Place<'_> {
    fn bound(&self, name: &str) -> Vec<u8> {
        format!("{name} {} {}", self.product, self.host).into_bytes()
    }
}

/// What an operator's `version` is remembered as.
pub(super) fn release(version: Option<&str>) -> [u8; 8] {
    let mut short = [0; 8];
    for (to, from) in short.iter_mut().zip(digest(&SHA256, version.unwrap_or_default().as_bytes()).as_ref()) {
        *to = *from;
    }
    short
}

/// The `Set-Cookie` value that takes the cookie away.
pub(super) fn expire(id: &Id) -> Option<HeaderValue> {
    let text = format!("{}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0", cookie_name(id));
    HeaderValue::from_str(&text).ok()
}

/// All cookies of a request; HTTP/2 clients may send several fields.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let texts = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.trim(), value.trim()))
}

fn cookie_name(id: &Id) -> String {
    format!("{COOKIE_NAME}{}", hex(id.get(..4).unwrap_or_default()))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_whole_or_not_at_all() {
        let ticket = Ticket {
            id: [1; 16],
            key: [2; 32],
            node: [3; 8],
            sid: ProductSessionId::from_bytes([4; 16]),
            account: AccountId::from_bytes([5; 16]),
            epoch: 6,
            form: true,
            release: release(Some("7")),
            at: Timestamp::from_millis(8),
            size: 9,
            head: 10,
            tries: 11,
        };
        let bytes = ticket.encode();
        assert!(Ticket::decode(&bytes).is_some_and(|read| read == ticket));
        assert!(Ticket::decode(&bytes[1..]).is_none());
        assert!(Ticket::decode(&[bytes.as_slice(), &[0]].concat()).is_none());
        // Sealing adds 29 bytes and base64 a third.
        assert!((bytes.len() + 29).div_ceil(3) * 4 < 250, "{}", bytes.len());
        assert_ne!(ticket.mark(), Ticket { tries: 12, ..ticket.clone() }.mark());
        assert_ne!(release(None), release(Some("7")));
    }
}
