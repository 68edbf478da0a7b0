//! A provider's proof that stands for ten minutes, sealed in the browser that brought it, while its person does what is missing: shows
//! that a record is theirs (`both_sides`), or takes a second step of ours (`stepping`).

use super::Login;
use super::codec::{Reader, Writer};
use super::cookies::{self, CrossSite};
use super::ticket::{Target, read_target, sha256, write_target};
use super::world::Visitor;
use crate::entropy::random;
use crate::kernel::journal::{MarkKind, ReplayMark};
use crate::kernel::migration::PROOF_LIFE;
use crate::kernel::proof::Proof;
use crate::kernel::values::Timestamp;
use crate::keys::{Lookup, Purpose};

/// What the cookie is bound to.
const STANDING: &[u8] = b"standing proof";
/// A proof with more groups than fit a cookie does not stand.
const LARGEST: usize = 3_500;

/// A provider's proof that waits in this browser.
pub(super) struct Standing {
    secret: [u8; 32],
    /// Where its person was going; none: to the login host itself.
    pub target: Option<Target>,
    /// What the provider proved.
    pub proof: Proof,
    /// When it was set down: it stands for ten minutes from then.
    pub made_at: Timestamp,
}

impl Standing {
    /// By what others name it: whoever has this has not the proof.
    pub(super) fn challenge(&self) -> [u8; 32] {
        sha256(&self.secret)
    }

    /// Taken in the commit that a login is made by: one proof makes one login.
    pub(super) fn mark(&self, visitor: &Visitor) -> ReplayMark {
        let digest = sha256(&[STANDING, &self.secret].concat());
        ReplayMark { kind: MarkKind::State, digest, until: visitor.now.plus(PROOF_LIFE) }
    }
}

impl Login {
    fn standing_key(&self) -> [u8; 32] {
        self.world.keys.lookup(Lookup::Steps, &[STANDING])
    }

    /// A cookie in which a provider's proof stands, and the digest of its secret. None where the proof is too large for one. A refresh token
    /// that makes it too large is left out: that login is not asked about again.
    pub(super) fn let_stand(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        proof: &Proof,
    ) -> Option<([u8; 32], String)> {
        let whole = self.try_to_stand(visitor, target, proof);
        if whole.is_some() || proof.claims().refreshable.is_none() {
            return whole;
        }
        tracing::warn!(directory = %proof.claims().identity.directory, "a refresh token is too large for a login with a second step");
        self.try_to_stand(visitor, target, &proof.without_refresh())
    }

    fn try_to_stand(&self, visitor: &Visitor, target: Option<&Target>, proof: &Proof) -> Option<([u8; 32], String)> {
        let secret: [u8; 32] = random();
        let text = proof.to_text(&self.standing_key(), &secret, visitor.now);
        let bytes = write_target(Writer::default().time(visitor.now).raw(&secret).text(&text), target).done();
        let sealed = self.world.seal(Purpose::LoginUnderWay, STANDING, &bytes);
        let cookie = cookies::set(cookies::STANDING, &sealed, Some(PROOF_LIFE), CrossSite::Lax);
        (sealed.len() <= LARGEST).then_some((sha256(&secret), cookie))
    }

    /// The proof that stands in this browser, if it is no older than ten minutes.
    pub(super) fn standing(&self, visitor: &Visitor) -> Option<Standing> {
        let sealed = visitor.cookies.one(cookies::STANDING)?;
        let bytes = self.world.unseal(Purpose::LoginUnderWay, STANDING, sealed)?;
        let mut reader = Reader::new(&bytes);
        let (made_at, secret) = (reader.time()?, reader.raw()?);
        let proof = Proof::open(reader.text()?, &self.standing_key(), &secret, visitor.now)?;
        let target = read_target(&mut reader)?;
        reader.ended()?;
        (visitor.now.since(made_at) <= PROOF_LIFE).then_some(Standing { secret, target, proof, made_at })
    }
}
