//! What a page of a second step asks, sealed into its form: worth something in the browser where the proof stands that it was asked for.

use crate::kernel::local::{SEED_BYTES, Seed};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::values::Timestamp;
use crate::keys::Purpose;
use crate::login::codec::{Reader, Writer};
use crate::login::ticket::Errand;
use crate::login::world::{Browser, Visitor, World};

/// What a page asks.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub made_at: Timestamp,
    /// Of the provider's proof ([`Standing::challenge`](crate::login::standing::Standing::challenge)).
    pub challenge: [u8; 32],
    /// Whose step it is, and of which of their epochs.
    pub whose: String,
    /// The link that goes on after it (B22); empty: the login itself.
    pub ticket: String,
    /// What the login is for.
    pub errand: Errand,
    pub stage: Stage,
}

/// How far it is.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// A code or a recovery code, or a passkey on another page.
    Code,
    /// An answer to this challenge, by a passkey that is enrolled.
    Passkey([u8; 32]),
    /// The digits of a mail, of which this is the keyed hash.
    Mailed([u8; 32]),
    /// The first code of a new app. The page was shown after the mailbox, or to somebody who is new.
    App(Seed),
    /// A new passkey, to this challenge.
    NewPasskey([u8; 32]),
}

impl Asked {
    fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().time(self.made_at).raw(&self.challenge).text(&self.whose).text(&self.ticket);
        let writer = self.errand.write(writer);
        let writer = match &self.stage {
            Stage::Code => writer.byte(0),
            Stage::Passkey(challenge) => writer.byte(1).raw(challenge),
            Stage::Mailed(hash) => writer.byte(2).raw(hash),
            Stage::App(seed) => writer.byte(3).raw(seed.bytes()),
            Stage::NewPasskey(challenge) => writer.byte(4).raw(challenge),
        };
        writer.done()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (made_at, challenge) = (reader.time()?, reader.raw()?);
        let (whose, ticket) = (reader.text()?.to_owned(), reader.text()?.to_owned());
        let errand = Errand::read(&mut reader)?;
        let stage = match reader.byte()? {
            0 => Stage::Code,
            1 => Stage::Passkey(reader.raw()?),
            2 => Stage::Mailed(reader.raw()?),
            3 => Stage::App(Seed::new(reader.raw::<SEED_BYTES>()?)),
            4 => Stage::NewPasskey(reader.raw()?),
            _ => return None,
        };
        reader.ended()?;
        Some(Self { made_at, challenge, whose, ticket, errand, stage })
    }
}

fn bound(browser: &Browser) -> Vec<u8> {
    format!("stepping {}", browser.value).into_bytes()
}

impl World {
    pub(super) fn seal_asked(&self, asked: &Asked, browser: &Browser) -> String {
        self.seal(Purpose::Local, &bound(browser), &asked.encode())
    }

    /// `None`: not ours, another browser's, or older than ten minutes.
    pub(super) fn open_asked(&self, visitor: &Visitor, text: &str) -> Option<Asked> {
        let asked = Asked::decode(&self.unseal(Purpose::Local, &bound(&Browser::of(visitor)), text)?)?;
        (visitor.now.since(asked.made_at) <= PROOF_LIFE).then_some(asked)
    }
}
