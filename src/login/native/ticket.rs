//! What an app's login is made of between its steps, sealed: nothing is stored before a code was redeemed.

use super::super::codec::{Reader, Writer};
use super::super::ticket::sha256;
use crate::kernel::app::AppAsk;
use crate::kernel::model::Thumbprint;
use crate::kernel::values::{AccountId, AppName, LoginSessionId, ProductAccountId, ProductSessionId, Timestamp};
use std::time::Duration;

/// How long a code lives (RFC 6749 §4.1.2 allows ten minutes; an app takes a second).
pub(super) const CODE_LIFE: Duration = Duration::from_secs(60);

/// What the page asks its person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Question {
    pub app: AppName,
    /// The redirect, with its port.
    pub to: String,
    pub state: Option<String>,
    pub challenge: [u8; 32],
    pub bound_to: Option<Thumbprint>,
    /// The product session that was asked.
    pub session: ProductSessionId,
    pub asked_at: Timestamp,
}

impl Question {
    pub(super) fn of(ask: &AppAsk<'_>, session: ProductSessionId, now: Timestamp) -> Self {
        Self {
            app: ask.app.name.clone(),
            to: ask.to.clone(),
            state: ask.state.clone(),
            challenge: ask.challenge,
            bound_to: ask.bound_to,
            session,
            asked_at: now,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().text(self.app.as_str()).text(&self.to);
        let writer = match &self.state {
            None => writer.byte(0),
            Some(state) => writer.byte(1).text(state),
        };
        write_key(writer.raw(&self.challenge), self.bound_to).raw(&self.session.to_bytes()).time(self.asked_at).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (app, to) = (AppName::parse(reader.text()?).ok()?, reader.text()?.to_owned());
        let state = match reader.byte()? {
            0 => None,
            1 => Some(reader.text()?.to_owned()),
            _ => return None,
        };
        let (challenge, bound_to) = (reader.raw()?, read_key(&mut reader)?);
        let (session, asked_at) = (ProductSessionId::from_bytes(reader.raw()?), reader.time()?);
        reader.ended()?;
        Some(Self { app, to, state, challenge, bound_to, session, asked_at })
    }
}

/// The one-time code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Code {
    pub jti: [u8; 16],
    /// The app's login session, once the code is redeemed: a second try ends it.
    pub grant: LoginSessionId,
    pub app: AppName,
    /// SHA-256 of the redirect.
    pub to: [u8; 32],
    pub challenge: [u8; 32],
    pub bound_to: Option<Thumbprint>,
    /// The login session of the person who let the app in.
    pub source: LoginSessionId,
    pub account: AccountId,
    pub product_account: ProductAccountId,
    pub epoch: u32,
    pub made_at: Timestamp,
}

impl Code {
    pub(super) fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().raw(&self.jti).raw(&self.grant.to_bytes()).text(self.app.as_str());
        let writer = write_key(writer.raw(&self.to).raw(&self.challenge), self.bound_to);
        let writer = writer.raw(&self.source.to_bytes()).raw(&self.account.to_bytes());
        writer.raw(&self.product_account.to_bytes()).number(self.epoch).time(self.made_at).done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (jti, grant) = (reader.raw()?, LoginSessionId::from_bytes(reader.raw()?));
        let app = AppName::parse(reader.text()?).ok()?;
        let (to, challenge, bound_to) = (reader.raw()?, reader.raw()?, read_key(&mut reader)?);
        let source = LoginSessionId::from_bytes(reader.raw()?);
        let account = AccountId::from_bytes(reader.raw()?);
        let product_account = ProductAccountId::from_bytes(reader.raw()?);
        let (epoch, made_at) = (reader.number()?, reader.time()?);
        reader.ended()?;
        Some(Self { jti, grant, app, to, challenge, bound_to, source, account, product_account, epoch, made_at })
    }
}

/// What a redirect is compared by.
pub(super) fn digest(to: &str) -> [u8; 32] {
    sha256(to.as_bytes())
}

fn write_key(writer: Writer, key: Option<Thumbprint>) -> Writer {
    match key {
        None => writer.byte(0),
        Some(key) => writer.byte(1).raw(&key.0),
    }
}

#[expect(clippy::option_option, reason = "there may be none, and it may not be readable")]
fn read_key(reader: &mut Reader<'_>) -> Option<Option<Thumbprint>> {
    match reader.byte()? {
        0 => Some(None),
        1 => reader.raw().map(|key| Some(Thumbprint(key))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_back_whole_or_not_at_all() {
        let app = AppName::parse("phone").unwrap();
        let at = Timestamp::from_millis(5);
        for (state, bound_to) in [(None, None), (Some("s".repeat(512)), Some(Thumbprint([3; 32])))] {
            let session = ProductSessionId::from_bytes([1; 16]);
            let to = format!("com.example.board:/{}", "l".repeat(230));
            let question =
                Question { app: app.clone(), to, state, challenge: [2; 32], bound_to, session, asked_at: at };
            let bytes = question.encode();
            assert!((bytes.len() + 29).div_ceil(3) * 4 < 4096, "it fits what is unsealed");
            assert_eq!(Question::decode(&bytes), Some(question));
            assert_eq!(Question::decode(&bytes[..bytes.len() - 1]), None);
            assert_eq!(Question::decode(&[bytes, vec![0]].concat()), None);
            let code = Code {
                jti: [1; 16],
                grant: LoginSessionId::from_bytes([2; 16]),
                app: app.clone(),
                to: digest("a"),
                challenge: [4; 32],
                bound_to,
                source: LoginSessionId::from_bytes([5; 16]),
                account: AccountId::from_bytes([6; 16]),
                product_account: ProductAccountId::from_bytes([7; 16]),
                epoch: 8,
                made_at: at,
            };
            let bytes = code.encode();
            assert_eq!(Code::decode(&bytes), Some(code));
            assert_eq!(Code::decode(&bytes[1..]), None);
        }
    }
}
