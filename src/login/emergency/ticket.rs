//! What the operator's link and the door's pages carry; each sealed.

use super::super::codec::{Reader, Writer};
use super::super::ticket::sha256;
use super::super::world::World;
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::values::{AccountId, EmailAddress, LoginSessionId, Timestamp};
use crate::keys::Purpose;
use std::time::Duration;

/// How long the operator's link is good: long enough to be handed over, too short to be found (rule M18).
pub(super) const LINK_LIFE: Duration = Duration::from_secs(15 * 60);
/// How long a page's challenge is good.
pub(super) const CHALLENGE_LIFE: Duration = Duration::from_secs(10 * 60);

const LINK: &[u8] = b"emergency link";

/// The operator lets this person enrol, or their own session by single sign-on does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Link {
    pub nonce: [u8; 16],
    pub account: AccountId,
    pub email: EmailAddress,
    pub made_at: Timestamp,
    /// The session that it is good in; none: whoever has the link.
    pub session: Option<LoginSessionId>,
}

impl Link {
    fn write(&self) -> Vec<u8> {
        let session = self.session.map(|session| session.to_string()).unwrap_or_default();
        let writer = Writer::default().raw(&self.nonce).raw(&self.account.to_bytes());
        writer.time(self.made_at).text(self.email.as_str()).text(&session).done()
    }

    /// Taken in the commit that enrols.
    pub(super) fn mark(&self) -> ReplayMark {
        ReplayMark { kind: MarkKind::Passkey, digest: sha256(&self.write()), until: self.made_at.plus(LINK_LIFE) }
    }
}

/// A page of the door: good in one browser, once.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub challenge: [u8; 32],
    pub shown_at: Timestamp,
    /// The sealed link; empty on the page of a login.
    pub link: String,
}

impl Shown {
    /// Taken in the commit that uses the challenge.
    pub(super) fn mark(&self) -> ReplayMark {
        let until = self.shown_at.plus(CHALLENGE_LIFE);
        ReplayMark { kind: MarkKind::Passkey, digest: sha256(&self.challenge), until }
    }
}

fn bound(browser: &str) -> Vec<u8> {
    format!("emergency shown {browser}").into_bytes()
}

impl World {
    pub(super) fn seal_emergency_link(&self, link: &Link) -> String {
        self.seal(Purpose::Local, LINK, &link.write())
    }

    /// `None`: not ours, or older than a quarter of an hour.
    pub(super) fn open_emergency_link(&self, text: &str, now: Timestamp) -> Option<Link> {
        let bytes = self.unseal(Purpose::Local, LINK, text)?;
        let mut reader = Reader::new(&bytes);
        let (nonce, account) = (reader.raw()?, AccountId::from_bytes(reader.raw()?));
        let made_at = reader.time()?;
        let email = EmailAddress::parse(reader.text()?).ok()?;
        let session = match reader.text()? {
            "" => None,
            session => Some(LoginSessionId::parse(session).ok()?),
        };
        reader.ended()?;
        (now.since(made_at) <= LINK_LIFE).then_some(Link { nonce, account, email, made_at, session })
    }

    pub(super) fn seal_emergency(&self, shown: &Shown, browser: &str) -> String {
        let bytes = Writer::default().raw(&shown.challenge).time(shown.shown_at).text(&shown.link).done();
        self.seal(Purpose::Local, &bound(browser), &bytes)
    }

    /// `None`: not ours, another browser's, or too old.
    pub(super) fn open_emergency(&self, text: &str, browser: &str, now: Timestamp) -> Option<Shown> {
        let bytes = self.unseal(Purpose::Local, &bound(browser), text)?;
        let mut reader = Reader::new(&bytes);
        let (challenge, shown_at) = (reader.raw()?, reader.time()?);
        let link = reader.text()?.to_owned();
        reader.ended()?;
        (now.since(shown_at) <= CHALLENGE_LIFE).then_some(Shown { challenge, shown_at, link })
    }
}
