//! Refresh tokens: one holds at a time, and one that is used again ends all that came of the same login (RFC 9700 §4.14.2, rule H16).
//!
//! A token is made of its grant, its number and a MAC over both under a key outside the store: nothing is kept of it, an older one is
//! known for what it is, and whoever lost the answer to a refresh and asks once more gets the same answer.

use super::REFRESH;
use crate::kernel::model::{Grant, LoginSession, Method, MigrationPhase, Product, ProductAccount, ProductAccountState};
use crate::kernel::refusal::Refusal;
use crate::kernel::standing::Bounds;
use crate::kernel::values::{LoginSessionId, Timestamp};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// An app that did not hear the answer may use the token before once more, for so long. A thief who does so gets the owner's own next
/// token, and the second of the two to use it is found out.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// A refresh token, taken apart.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct RefreshToken {
    /// The app's login session.
    pub grant: LoginSessionId,
    /// Its number.
    pub turn: u32,
    /// The MAC over both.
    pub mac: [u8; 32],
}

impl RefreshToken {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(REFRESH)?).ok()?);
        let (grant, rest) = bytes.split_first_chunk::<16>()?;
        let (turn, mac) = rest.split_first_chunk::<4>()?;
        let mac = mac.try_into().ok()?;
        Some(Self { grant: LoginSessionId::from_bytes(*grant), turn: u32::from_be_bytes(*turn), mac })
    }

    /// The text for the app.
    pub fn expose(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(52));
        bytes.extend_from_slice(&self.grant.to_bytes());
        bytes.extend_from_slice(&self.turn.to_be_bytes());
        bytes.extend_from_slice(&self.mac);
        Zeroizing::new(format!("{REFRESH}{}", URL_SAFE_NO_PAD.encode(&*bytes)))
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// What a genuine token is, beside the one that holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// The one that holds: the next one takes its place.
    Next,
    /// The one before, whose answer may not have arrived: the one that holds is given once more.
    Again,
    /// Somebody has used it who should not have it.
    Reused,
}

/// Judges a genuine token's number.
pub fn turn(grant: &Grant, number: u32, now: Timestamp) -> Turn {
    let was_before = number.checked_add(1) == Some(grant.turn);
    match number {
        _ if number == grant.turn => Turn::Next,
        _ if was_before && now.since(grant.turned_at) <= LEEWAY => Turn::Again,
        _ => Turn::Reused,
    }
}

/// Whether a session may let an app in: the emergency door is for the day on which nothing else works, and leaves nothing behind (rule H3).
pub fn lets_apps_in(session: &LoginSession) -> bool {
    session.grant.is_none() && session.personal.is_none() && session.method != Method::Emergency
}

/// When an app's session ends whatever happens, made from a browser's: by the limits of apps, and not after the provider's own session
/// where that is what ends the browser's (SAML 2.0 Core §2.7.2, `SessionNotOnOrAfter`).
pub fn grant_ends(source: &LoginSession, (of_browser, of_app): (Bounds, Bounds)) -> Timestamp {
    let ends = source.auth_time.plus(of_app.absolute);
    let by_provider = source.abs_at < source.auth_time.plus(of_browser.absolute);
    if by_provider { ends.min(source.abs_at) } else { ends }
}

/// Whether an app may go on without its person, besides what is asked of every session (phase C): where passwords lead to the one account
/// and nowhere else by now, an app that was let in by one logs in again, and its person moves (B11).
///
/// # Errors
/// Why not.
pub fn may_refresh(
    product: &Product,
    record: &ProductAccount,
    session: &LoginSession,
    now: Timestamp,
) -> Result<(), Refusal> {
    let is_forced = product.migration.phase_at(now) == MigrationPhase::Forced;
    let is_local = matches!(record.state, ProductAccountState::Local | ProductAccountState::Migrating);
    if is_forced && is_local && session.method.is_local() { Err(Refusal::MoveFirst) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::admit::world::{C, NOW, account, login_session, product, record};
    use crate::kernel::model::MigrationPlan;
    use crate::kernel::values::AppName;

    #[test]
    fn a_token_reads_back_and_has_one_spelling() {
        let token = RefreshToken { grant: LoginSessionId::from_bytes([7; 16]), turn: 4_711, mac: [9; 32] };
        let text = token.expose();
        assert_eq!(RefreshToken::parse(&text), Some(token));
        let cut = &text[..text.len() - 1];
        for other in ["", "fgr_", cut, &text[4..], &format!("{}A", *text), &text.replace("fgr_", "fga_")] {
            assert_eq!(RefreshToken::parse(other), None, "{other}");
        }
        assert!(!format!("{token:?}").contains('9'));
    }

    #[test]
    fn h16_a_token_turns_once_and_who_lost_the_answer_may_ask_again_for_a_while() {
        let at = Timestamp::from_seconds(1_000);
        let grant = Grant { app: AppName::parse("phone").unwrap(), bound_to: None, turn: 5, turned_at: at };
        let judged = |number, seconds| turn(&grant, number, at.plus(Duration::from_secs(seconds)));
        assert_eq!(judged(5, 0), Turn::Next);
        assert_eq!(judged(5, 1_000_000), Turn::Next);
        assert_eq!((judged(4, 30), judged(4, 31)), (Turn::Again, Turn::Reused));
        assert_eq!((judged(3, 0), judged(0, 0)), (Turn::Reused, Turn::Reused));
        // A row that was put back: the token is younger than what the store says.
        assert_eq!((judged(6, 0), judged(u32::MAX, 0)), (Turn::Reused, Turn::Reused));
    }

    #[test]
    fn h16_an_app_outlives_its_browser_and_never_what_the_provider_said() {
        let account = account(9, "ann@c.com");
        let day = Duration::from_secs(86_400);
        let bounds = |days| Bounds { idle: day, absolute: day * days };
        let ends = |abs_days| {
            let mut source = login_session(&account, C);
            source.abs_at = source.auth_time.plus(day * abs_days);
            grant_ends(&source, (bounds(7), bounds(30))).since(source.auth_time)
        };
        assert_eq!(ends(7), day * 30);
        assert_eq!(ends(6), day * 6, "the provider's word was shorter");
    }

    #[test]
    fn h3_the_emergency_door_lets_no_app_in_nor_does_an_app() {
        let account = account(9, "ann@c.com");
        let session = |method| LoginSession { method, ..login_session(&account, C) };
        for method in Method::ALL {
            assert_eq!(lets_apps_in(&session(method)), method != Method::Emergency, "{method:?}");
        }
        let at = NOW;
        let grant = Grant { app: AppName::parse("phone").unwrap(), bound_to: None, turn: 0, turned_at: at };
        let of_app = LoginSession { grant: Some(Box::new(grant)), ..session(Method::OrgSso) };
        assert!(!lets_apps_in(&of_app));
    }

    #[test]
    fn b11_where_passwords_lead_to_the_one_account_an_app_that_came_by_one_logs_in_again() {
        let account = account(9, "ann@c.com");
        let session = |method| LoginSession { method, ..login_session(&account, C) };
        let product = |phase| Product { migration: MigrationPlan::of(phase), ..product() };
        let asked =
            |phase, state, method| may_refresh(&product(phase), &record(&account, state), &session(method), NOW);
        let (local, linked) = (ProductAccountState::Local, ProductAccountState::Linked);
        for method in [Method::Password, Method::Passkey, Method::Adapter] {
            assert_eq!(asked(MigrationPhase::Forced, local, method), Err(Refusal::MoveFirst), "{method:?}");
        }
        assert_eq!(asked(MigrationPhase::Optional, local, Method::Password), Ok(()));
        assert_eq!(asked(MigrationPhase::Forced, linked, Method::Issuer), Ok(()));
    }
}
