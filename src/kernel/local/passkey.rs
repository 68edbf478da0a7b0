//! Passkeys: what a browser sends back of a ceremony, judged (Web Authentication Level 3 §7.1 and §7.2).
//!
//! The relying party is the login host, by its exact name (rule H6): a product host, also one below the same domain, never gets a
//! credential of ours. What is asked of every ceremony: the challenge and origin of this very one, no frame of another site, the
//! digest of our name, that the authenticator verified its person, and at a login a signature by the key that was enrolled, under a
//! counter that only rises. Attestation is not asked for: nobody is let in by the make of an authenticator, and a person's choice of
//! one is nobody's business.
//!
//! Deliberately absent: challenges (random, so an argument), where credentials rest, and the proof that is made of a [`Presence`]
//! (`judge`). A further kind of key is a variant in `passkey/key.rs`.

mod key;

use crate::kernel::model::{Factor, FactorKind};
use crate::kernel::oidc::json::strict;
use crate::kernel::values::{AccountId, FactorId, Origin};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use key::CredentialKey;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

pub use key::ALGORITHMS;

/// Bytes of a credential id (WebAuthn §4: at most 1023).
const HANDLE_LIMIT: usize = 1023;
/// Bytes of the client data, and of the whole answer as text: real ones have under 4 KiB.
const ANSWER_LIMIT: usize = 16 * 1024;

const USER_PRESENT: u8 = 1;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const CREDENTIAL_DATA: u8 = 1 << 6;
const EXTENSIONS: u8 = 1 << 7;

/// What is wrong with a ceremony's answer. One variant per check, so that an explanation can name it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PasskeyFault {
    /// Not the fields that our script sends, or too long.
    Shape,
    /// Client data of the other ceremony.
    Ceremony,
    /// Another challenge than this ceremony's.
    Challenge,
    /// Another origin than the login host's, or a frame of another one.
    Origin,
    /// For another relying party.
    RelyingParty,
    /// Nobody touched the authenticator.
    Presence,
    /// The authenticator did not verify its person.
    Verification,
    /// Said to be backed up by an authenticator that says it never is (§6.1.3).
    Backup,
    /// No key of a kind that was asked for.
    Key,
    /// Another credential than the one that is judged.
    Credential,
    /// The user handle is somebody else's.
    UserHandle,
    /// The signature does not hold.
    Signature,
    /// The counter did not rise: there may be a copy of the authenticator (§6.1.1).
    Counter,
}

impl PasskeyFault {
    /// The stable code in traces.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Shape => "passkey-shape",
            Self::Ceremony => "passkey-ceremony",
            Self::Challenge => "passkey-challenge",
            Self::Origin => "passkey-origin",
            Self::RelyingParty => "passkey-rp-id",
            Self::Presence => "passkey-user-presence",
            Self::Verification => "passkey-user-verification",
            Self::Backup => "passkey-backup-state",
            Self::Key => "passkey-key",
            Self::Credential => "passkey-credential",
            Self::UserHandle => "passkey-user-handle",
            Self::Signature => "passkey-signature",
            Self::Counter => "passkey-counter",
        }
    }
}

/// What one ceremony expects.
#[derive(Clone, Copy, Debug)]
pub struct Ceremony<'a> {
    /// The random bytes that were shown to the browser once.
    pub challenge: &'a [u8; 32],
    /// The login host: its name is the relying party's id, its origin the only one.
    pub login: &'a Origin,
}

/// A new credential that was judged. It has no signature: nothing is known of it but that a browser made it in this ceremony.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewPasskey {
    /// The credential's id.
    pub handle: Vec<u8>,
    /// The public key, as [`Factor::secret`] keeps it.
    pub key: Vec<u8>,
    /// Where its counter begins.
    pub counter: i64,
}

/// What a browser answered at a login, read and not yet judged.
#[derive(Clone, Debug)]
pub struct Assertion {
    handle: Vec<u8>,
    client_data: Vec<u8>,
    authenticator_data: Vec<u8>,
    signature: Vec<u8>,
    user_handle: Option<Vec<u8>>,
}

/// The person of a passkey was there and was verified by their authenticator. Made by [`Assertion::judge`] alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Presence {
    account: AccountId,
    factor: FactorId,
    counter: i64,
}

impl Presence {
    /// Whose passkey it was.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Which.
    pub fn factor(&self) -> FactorId {
        self.factor
    }

    /// Its counter from now on, to be stored in the commit that uses this.
    pub fn counter(&self) -> i64 {
        self.counter
    }
}

/// The person of a credential of the emergency door was there and was verified. Made by [`Assertion::judge_emergency`] alone, so
/// that no other passkey opens that door, and this one no other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EmergencyPresence(Presence);

impl EmergencyPresence {
    /// Whose it was.
    pub fn account(&self) -> AccountId {
        self.0.account
    }

    /// Its counter from now on, to be stored in the commit that uses this.
    pub fn counter(&self) -> i64 {
        self.0.counter
    }
}

/// The user handle of a person's credentials of one kind (§5.4.3). An authenticator keeps one discoverable credential for each relying
/// party and handle: with one handle for both, a passkey for a product would overwrite the one for emergencies, and the other way round.
pub fn user_handle(kind: FactorKind, account: AccountId) -> Vec<u8> {
    let prefix: &[u8] = match kind {
        FactorKind::Emergency => b"emergency",
        FactorKind::Totp | FactorKind::Passkey => b"",
    };
    [prefix, &account.to_bytes()].concat()
}

/// Judges a new credential (§7.1): JSON with `clientDataJSON` and `authenticatorData`, both base64url.
///
/// # Errors
/// The first check that failed.
pub fn register(answer: &str, ceremony: Ceremony<'_>) -> Result<NewPasskey, PasskeyFault> {
    let fields = read(answer)?;
    ceremony.judge_client(&part(&fields, "clientDataJSON")?, "webauthn.create")?;
    let bytes = part(&fields, "authenticatorData")?;
    let (data, rest) = AuthenticatorData::split(&bytes)?;
    data.judge(ceremony.login)?;
    if data.flags & CREDENTIAL_DATA == 0 {
        return Err(PasskeyFault::Key);
    }
    // §6.5.1: AAGUID, length of the id, id, key.
    let (_aaguid, rest) = rest.split_first_chunk::<16>().ok_or(PasskeyFault::Shape)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(PasskeyFault::Shape)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (handle, rest) = rest.split_at_checked(length).ok_or(PasskeyFault::Shape)?;
    let (_, after) = CredentialKey::split(rest).ok_or(PasskeyFault::Key)?;
    let key = rest.strip_suffix(after).unwrap_or_default();
    let may_follow = data.flags & EXTENSIONS != 0;
    if handle.is_empty() || handle.len() > HANDLE_LIMIT || (!after.is_empty() && !may_follow) {
        return Err(PasskeyFault::Shape);
    }
    Ok(NewPasskey { handle: handle.to_vec(), key: key.to_vec(), counter: data.counter })
}

impl Assertion {
    /// Reads JSON with `id`, `clientDataJSON`, `authenticatorData`, `signature` and, from credentials that were discovered,
    /// `userHandle`, all base64url.
    ///
    /// # Errors
    /// [`PasskeyFault::Shape`].
    pub fn parse(answer: &str) -> Result<Self, PasskeyFault> {
        let fields = read(answer)?;
        let handle = part(&fields, "id")?;
        if handle.is_empty() || handle.len() > HANDLE_LIMIT {
            return Err(PasskeyFault::Shape);
        }
        Ok(Self {
            handle,
            client_data: part(&fields, "clientDataJSON")?,
            authenticator_data: part(&fields, "authenticatorData")?,
            signature: part(&fields, "signature")?,
            user_handle: match fields.get("userHandle") {
                None | Some(Value::Null) => None,
                Some(_) => Some(part(&fields, "userHandle")?),
            },
        })
    }

    /// The credential that it says it is by.
    pub fn handle(&self) -> &[u8] {
        &self.handle
    }

    /// Whether it names its person itself, as a discovered credential must.
    pub fn names_its_person(&self) -> bool {
        self.user_handle.is_some()
    }

    /// Judges it by the credential that was enrolled (§7.2). `factor`'s row must be whole (its MAC held).
    ///
    /// # Errors
    /// The first check that failed.
    pub fn judge(&self, factor: &Factor, ceremony: Ceremony<'_>) -> Result<Presence, PasskeyFault> {
        self.judge_as(FactorKind::Passkey, factor, ceremony)
    }

    /// The same for a credential of the emergency door, and for no other.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn judge_emergency(&self, factor: &Factor, ceremony: Ceremony<'_>) -> Result<EmergencyPresence, PasskeyFault> {
        self.judge_as(FactorKind::Emergency, factor, ceremony).map(EmergencyPresence)
    }

    fn judge_as(&self, kind: FactorKind, factor: &Factor, ceremony: Ceremony<'_>) -> Result<Presence, PasskeyFault> {
        let is_it = factor.kind == kind && factor.handle.as_deref() == Some(self.handle.as_slice());
        require(is_it, PasskeyFault::Credential)?;
        let theirs = self.user_handle.as_ref().is_none_or(|handle| *handle == user_handle(kind, factor.account));
        require(theirs, PasskeyFault::UserHandle)?;
        ceremony.judge_client(&self.client_data, "webauthn.get")?;
        let (data, _) = AuthenticatorData::split(&self.authenticator_data)?;
        data.judge(ceremony.login)?;
        let key = CredentialKey::parse(&factor.secret).ok_or(PasskeyFault::Key)?;
        let signed = [self.authenticator_data.as_slice(), &sha256(&self.client_data)].concat();
        require(key.verify(&signed, &self.signature), PasskeyFault::Signature)?;
        // §7.2 step 22: authenticators without a counter say 0 for ever.
        let rises = data.counter > factor.counter || (data.counter == 0 && factor.counter == 0);
        require(rises, PasskeyFault::Counter)?;
        Ok(Presence { account: factor.account, factor: factor.id, counter: data.counter })
    }
}

impl Ceremony<'_> {
    /// §5.8.1: what the browser says of itself. It is signed, so a page cannot say otherwise.
    fn judge_client(&self, bytes: &[u8], kind: &str) -> Result<(), PasskeyFault> {
        let data = strict(bytes, ANSWER_LIMIT).map_err(|_| PasskeyFault::Shape)?;
        let text = |name: &str| data.get(name).and_then(Value::as_str);
        require(text("type") == Some(kind), PasskeyFault::Ceremony)?;
        let challenge = text("challenge").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).unwrap_or_default();
        require(challenge.ct_eq(self.challenge).into(), PasskeyFault::Challenge)?;
        require(text("origin") == Some(self.login.url().as_str()), PasskeyFault::Origin)?;
        let framed = data.get("crossOrigin").is_some_and(|value| *value != Value::Bool(false));
        require(!framed && data.get("topOrigin").is_none(), PasskeyFault::Origin)
    }
}

/// §6.1, without what may follow.
struct AuthenticatorData {
    relying_party: [u8; 32],
    flags: u8,
    counter: i64,
}

impl AuthenticatorData {
    fn split(bytes: &[u8]) -> Result<(Self, &[u8]), PasskeyFault> {
        let (relying_party, rest) = bytes.split_first_chunk::<32>().ok_or(PasskeyFault::Shape)?;
        let (flags, rest) = rest.split_first().ok_or(PasskeyFault::Shape)?;
        let (counter, rest) = rest.split_first_chunk::<4>().ok_or(PasskeyFault::Shape)?;
        let counter = i64::from(u32::from_be_bytes(*counter));
        Ok((Self { relying_party: *relying_party, flags: *flags, counter }, rest))
    }

    fn judge(&self, login: &Origin) -> Result<(), PasskeyFault> {
        let ours = sha256(login.host().as_bytes());
        require(self.relying_party.ct_eq(&ours).into(), PasskeyFault::RelyingParty)?;
        require(self.flags & USER_PRESENT != 0, PasskeyFault::Presence)?;
        require(self.flags & USER_VERIFIED != 0, PasskeyFault::Verification)?;
        require(self.flags & BACKUP_ELIGIBLE != 0 || self.flags & BACKED_UP == 0, PasskeyFault::Backup)
    }
}

fn require(holds: bool, otherwise: PasskeyFault) -> Result<(), PasskeyFault> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn read(answer: &str) -> Result<Value, PasskeyFault> {
    strict(answer.as_bytes(), ANSWER_LIMIT).map_err(|_| PasskeyFault::Shape)
}

fn part(fields: &Value, name: &str) -> Result<Vec<u8>, PasskeyFault> {
    let text = fields.get(name).and_then(Value::as_str).ok_or(PasskeyFault::Shape)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| PasskeyFault::Shape)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use tests::{emergency_of, presence_of};
