//! What a ceremony is begun with, what its page carries, and what it ends in; each sealed.

use super::super::super::codec::{Reader, Writer};
use super::super::super::ticket::{CODE_LIFE, TARGET_LIFE, Target, sha256};
use super::super::super::world::World;
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::local::Steps;
use crate::kernel::values::Timestamp;
use crate::keys::Purpose;
use std::time::Duration;

/// How long a page's challenge is good (WebAuthn §13.4.3 asks for randomness and one use; ten minutes is what a second step may
/// take after the first).
pub(super) const CHALLENGE_LIFE: Duration = Duration::from_secs(600);

const START: &[u8] = b"passkey start";
const BACK: &[u8] = b"passkey back";

/// What a ceremony is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Aim {
    /// The only step of a login.
    First,
    /// The second step of one.
    Second,
    /// A new credential.
    Enrol,
}

impl Aim {
    const ALL: [Self; 3] = [Self::First, Self::Second, Self::Enrol];

    const fn code(self) -> u8 {
        match self {
            Self::First => 1,
            Self::Second => 2,
            Self::Enrol => 3,
        }
    }
}

/// From a door to the login host.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub aim: Aim,
    pub target: Target,
    /// The digest of the door's browser cookie.
    pub browser: [u8; 16],
    pub made_at: Timestamp,
    /// The steps that were proved at the door, under their MAC; empty where none were.
    pub steps: String,
}

impl Start {
    fn write(&self) -> Vec<u8> {
        let writer = self.target.write(Writer::default().byte(self.aim.code()));
        writer.raw(&self.browser).time(self.made_at).text(&self.steps).done()
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let code = reader.byte()?;
        let aim = Aim::ALL.into_iter().find(|aim| aim.code() == code)?;
        let target = Target::read(reader)?;
        let (browser, made_at) = (reader.raw()?, reader.time()?);
        Some(Self { aim, target, browser, made_at, steps: reader.text()?.to_owned() })
    }

    /// What marks its one use, for those that have only one.
    pub(super) fn mark(&self) -> ReplayMark {
        ReplayMark { kind: MarkKind::Passkey, digest: sha256(&self.write()), until: self.made_at.plus(TARGET_LIFE) }
    }
}

/// What a ceremony's page carries: good in one browser of the login host, once.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub challenge: [u8; 32],
    pub shown_at: Timestamp,
    pub start: Start,
}

impl Shown {
    /// Taken in the commit that uses the challenge.
    pub(super) fn mark(&self) -> ReplayMark {
        let until = self.shown_at.plus(CHALLENGE_LIFE);
        ReplayMark { kind: MarkKind::Passkey, digest: sha256(&self.challenge), until }
    }
}

/// From the login host back to the door.
#[derive(Clone, Debug)]
pub(super) struct Back {
    pub jti: [u8; 16],
    pub target: Target,
    /// As in [`Start`].
    pub browser: [u8; 16],
    pub made_at: Timestamp,
    /// Everything that is proved by now.
    pub steps: String,
}

impl Back {
    pub(super) fn mark(&self) -> ReplayMark {
        ReplayMark { kind: MarkKind::Passkey, digest: sha256(&self.jti), until: self.made_at.plus(CODE_LIFE) }
    }
}

/// What steps on their way between the hosts are bound to.
fn bound(browser: &[u8; 16], way: &[u8]) -> Vec<u8> {
    [way, browser.as_slice()].concat()
}

impl World {
    pub(super) fn steps_text(&self, steps: &Steps, browser: &[u8; 16], way: Way) -> String {
        steps.to_text(&self.steps_key(), &bound(browser, way.name()))
    }

    pub(super) fn steps_of(&self, text: &str, browser: &[u8; 16], way: Way, now: Timestamp) -> Option<Steps> {
        Steps::open(text, &self.steps_key(), &bound(browser, way.name()), now)
    }

    pub(super) fn seal_start(&self, start: &Start) -> String {
        self.seal(Purpose::Local, START, &start.write())
    }

    /// `None`: not ours, or too old.
    pub(super) fn open_start(&self, text: &str, now: Timestamp) -> Option<Start> {
        let bytes = self.unseal(Purpose::Local, START, text)?;
        let mut reader = Reader::new(&bytes);
        let start = Start::read(&mut reader)?;
        reader.ended()?;
        (now.since(start.made_at) <= TARGET_LIFE).then_some(start)
    }

    /// `browser` is the login host's own cookie.
    pub(super) fn seal_shown(&self, shown: &Shown, browser: &str) -> String {
        let bytes = Writer::default().raw(&shown.challenge).time(shown.shown_at).raw(&shown.start.write()).done();
        self.seal(Purpose::Local, format!("passkey shown {browser}").as_bytes(), &bytes)
    }

    /// `None`: not ours, or another browser's. Whether it is too old the caller says: the person is asked again then.
    pub(super) fn open_shown(&self, text: &str, browser: &str) -> Option<Shown> {
        let bytes = self.unseal(Purpose::Local, format!("passkey shown {browser}").as_bytes(), text)?;
        let mut reader = Reader::new(&bytes);
        let (challenge, shown_at) = (reader.raw()?, reader.time()?);
        let start = Start::read(&mut reader)?;
        reader.ended()?;
        Some(Shown { challenge, shown_at, start })
    }

    pub(super) fn seal_back(&self, back: &Back) -> String {
        let writer = back.target.write(Writer::default().raw(&back.jti)).raw(&back.browser);
        self.seal(Purpose::Local, BACK, &writer.time(back.made_at).text(&back.steps).done())
    }

    /// `None`: not ours, or older than a minute.
    pub(super) fn open_back(&self, text: &str, now: Timestamp) -> Option<Back> {
        let bytes = self.unseal(Purpose::Local, BACK, text)?;
        let mut reader = Reader::new(&bytes);
        let jti = reader.raw()?;
        let target = Target::read(&mut reader)?;
        let (browser, made_at) = (reader.raw()?, reader.time()?);
        let steps = reader.text()?.to_owned();
        reader.ended()?;
        (now.since(made_at) <= CODE_LIFE).then_some(Back { jti, target, browser, made_at, steps })
    }
}

/// The direction in which steps travel: those of one are none of the other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    There,
    Back,
}

impl Way {
    const fn name(self) -> &'static [u8] {
        match self {
            Self::There => b"passkey there",
            Self::Back => b"passkey back",
        }
    }
}
