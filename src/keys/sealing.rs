//! Sealing: AES-256-GCM-SIV, because nodes share a key and draw nonces without knowing of each other (rule H10).

use super::canonical::Canonical;
use super::{Generations, Keys, Raw};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

/// What a sealed value is for. One purpose never opens another's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Purpose {
    /// The cookie of a login under way on the login host (rule H10).
    LoginUnderWay,
    /// The flow cookie on a product host (HANDOVER 1).
    Flow,
    /// The one-time code of a handover (HANDOVER 3).
    Handover,
    /// The id_token that is kept as a hint for logout at the provider.
    LogoutHint,
    /// The marker of who was last here, on a product host (rule H8).
    Marker,
    /// Where a login leads, in the hidden field of our forms.
    Aim,
    /// What a logout still needs after the sessions have ended.
    Goodbye,
    /// The handle and key of a kept request, in a cookie of its product host (rule H9).
    Replay,
    /// The seed of a second step, in its row (rule H12).
    Seed,
    /// The code and the link of a letter that waits (rule H12).
    Outbox,
    /// A browser that one account was let in with (rule M14).
    Device,
    /// What a local login carries from page to page.
    Local,
    /// What an account that was put aside was logged in with (B21).
    Quarantine,
    /// What an app's login carries: the question that its person is asked, and the one-time code (rule H16).
    App,
    /// A provider's refresh token, in its row (rule H12).
    Refresh,
}

impl Purpose {
    const ALL: [Self; 15] = [
        Self::LoginUnderWay,
        Self::Flow,
        Self::Handover,
        Self::LogoutHint,
        Self::Marker,
        Self::Aim,
        Self::Goodbye,
        Self::Replay,
        Self::Seed,
        Self::Outbox,
        Self::Device,
        Self::Local,
        Self::Quarantine,
        Self::App,
        Self::Refresh,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::LoginUnderWay => "login-under-way",
            Self::Flow => "flow",
            Self::Handover => "handover",
            Self::LogoutHint => "logout-hint",
            Self::Marker => "marker",
            Self::Aim => "aim",
            Self::Goodbye => "goodbye",
            Self::Replay => "replay",
            Self::Seed => "seed",
            Self::Outbox => "outbox",
            Self::Device => "device",
            Self::Local => "local",
            Self::Quarantine => "quarantine",
            Self::App => "app",
            Self::Refresh => "refresh",
        }
    }
}

/// One generation's sealing keys, one per purpose.
pub(super) struct SealingKey(Vec<(Purpose, Aead)>);

/// A key that seals. The nonce stands before the ciphertext.
pub(super) struct Aead(RandomizedNonceKey);

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

/// HKDF-SHA-256 (RFC 5869) of a uniformly random key, for one named use.
pub(super) fn derive(raw: &[u8], info: &str) -> Option<Raw> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"fedgate keys 1").extract(raw);
    let mut derived: Raw = Zeroizing::new([0; 32]);
    prk.expand(&[info.as_bytes()], Length).ok()?.fill(derived.as_mut()).ok()?;
    Some(derived)
}

impl Aead {
    pub(super) fn new(raw: &Raw) -> Option<Self> {
        RandomizedNonceKey::new(&AES_256_GCM_SIV, raw.as_ref()).ok().map(Self)
    }

    pub(super) fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut body = plaintext.to_vec();
        let nonce = self.0.seal_in_place_append_tag(Aad::from(aad), &mut body).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Some(sealed)
    }

    pub(super) fn open(&self, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = self.0.open_in_place(nonce, Aad::from(aad), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

impl SealingKey {
    pub(super) fn new(raw: &Raw) -> Option<Self> {
        let of = |purpose: Purpose| Some((purpose, Aead::new(&derive(raw.as_ref(), purpose.name())?)?));
        Purpose::ALL.into_iter().map(of).collect::<Option<_>>().map(Self)
    }

    fn of(&self, purpose: Purpose) -> Option<&Aead> {
        self.0.iter().find(|(own, _)| *own == purpose).map(|(_, aead)| aead)
    }
}

/// What is authenticated beside the ciphertext: purpose, the caller's context, generation.
fn bound_to(purpose: Purpose, aad: &[u8], generation: u32) -> Vec<u8> {
    Canonical::new("fedgate seal 1").text(purpose.name()).bytes(aad).number(generation.into()).finish()
}

/// The byte that finds the key; the full generation is authenticated.
fn mark(generation: u32) -> u8 {
    let [.., low] = generation.to_be_bytes();
    low
}

impl Generations<SealingKey> {
    /// Seals under the newest key. Adds 29 bytes.
    pub(super) fn seal(&self, purpose: Purpose, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, super::KeyFault> {
        let (generation, key) = &self.newest;
        let aead = key.of(purpose).ok_or(super::KeyFault::Crypto)?;
        let body = aead.seal(&bound_to(purpose, aad, *generation), plaintext).ok_or(super::KeyFault::Crypto)?;
        let mut sealed = vec![mark(*generation)];
        sealed.extend(body);
        Ok(sealed)
    }

    /// Opens what [`Self::seal`] made under a generation that still lives.
    pub(super) fn unseal(&self, purpose: Purpose, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (marked, body) = sealed.split_first()?;
        let mut candidates = self.iter().filter(|(generation, _)| mark(*generation) == *marked);
        candidates.find_map(|(generation, key)| key.of(purpose)?.open(&bound_to(purpose, aad, *generation), body))
    }
}

impl Keys {
    /// Seals under the newest key. `aad` binds the value to where it belongs: cookie name, host. Adds 29 bytes.
    ///
    /// # Errors
    /// [`KeyFault::Crypto`](super::KeyFault::Crypto) when the library fails.
    pub fn seal(&self, purpose: Purpose, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, super::KeyFault> {
        self.ring.load().cookie.seal(purpose, aad, plaintext)
    }

    /// Opens what [`Keys::seal`] made for the same purpose and `aad` under a generation that still lives; else nothing.
    pub fn unseal(&self, purpose: Purpose, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.ring.load().cookie.unseal(purpose, aad, sealed)
    }
}
