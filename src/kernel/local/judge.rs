//! The judges of local proofs: they alone make a [`Proof`] from a password, a mailbox or a second step.
//!
//! A login in several pages carries its [`Steps`] in between through the browser, under a MAC that is checked here: no other layer
//! can say that a password was right.

use super::passkey::{EmergencyPresence, Presence};
use super::password::Typed;
use super::strength::score;
use super::totp::{Seed, Step};
use crate::kernel::admit::PasswordState;
use crate::kernel::live::step_up;
use crate::kernel::model::{
    ACCOUNT_SOURCE, IdentityKey, LoginSession, MailboxProof, MailboxPurpose, Method, PasswordCredential, SubjectSource,
};
use crate::kernel::proof::{Claims, OwnerProof, Proof, SecondStepProof, Stepper, Vouched};
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, LoginSessionId, ProductAccountId, Timestamp};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// How long the second step may take after the first.
pub(super) const BETWEEN: Duration = Duration::from_secs(10 * 60);

/// Who is said to log in, as the store has them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claimant {
    /// The product's own directory.
    pub directory: DirectoryId,
    /// The person.
    pub account: AccountId,
    /// The record at the product.
    pub record: ProductAccountId,
    /// The address that was typed, as it is stored.
    pub email: EmailAddress,
    /// Whether that address was ever proved.
    pub email_verified: bool,
    /// The account's epoch: what was proved before it rose is worth nothing (rule H14).
    pub epoch: u32,
}

/// What was right so far: the first step, and the second once it was. A proof is made of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Steps {
    claimant: Claimant,
    method: Method,
    amr: Vec<String>,
    at: Timestamp,
    password: Option<PasswordState>,
    stepped_at: Option<Timestamp>,
    /// The mailbox was proved by a mail that named both sides of a link (B22).
    for_link: bool,
    /// The session that they continue, and when its person authenticated.
    continues: Option<(LoginSessionId, Timestamp)>,
}

/// Judges a password. Costs one hash whatever comes out.
pub fn by_password(
    claimant: &Claimant,
    credential: &PasswordCredential,
    typed: &Typed,
    now: Timestamp,
) -> Option<Steps> {
    let right = credential.stored.is(typed) && credential.product_account == claimant.record;
    right.then(|| {
        let password = PasswordState { set_at: credential.set_at, score: score(typed, &claimant.email, &[]) };
        Steps { password: Some(password), ..first(claimant, Method::Password, "pwd", now) }
    })
}

/// A passkey as the only step: possession, and its person verified by the authenticator. `None` for somebody else's.
pub fn by_passkey(claimant: &Claimant, presence: &Presence, now: Timestamp) -> Option<Steps> {
    (presence.account() == claimant.account).then(|| {
        let amr = ["pop", "user", "mfa"].map(str::to_owned).to_vec();
        Steps { amr, ..first(claimant, Method::Passkey, "", now) }
    })
}

/// A credential of the emergency door: possession, and its person verified by the authenticator, which is the second step that an
/// emergency login must have (B9). `None` for somebody else's.
pub fn by_emergency(claimant: &Claimant, presence: &EmergencyPresence, now: Timestamp) -> Option<Steps> {
    (presence.account() == claimant.account).then(|| {
        let amr = ["pop", "user", "mfa"].map(str::to_owned).to_vec();
        Steps { amr, stepped_at: Some(now), ..first(claimant, Method::Emergency, "", now) }
    })
}

/// Judges the answer to a mailed proof: `shown` are the keyed hashes of what was typed or opened, under all living keys.
/// `browser` is the digest of the cookie of the browser that asks (rule H1). Any change of the account since ends it (§4 #17).
pub fn by_mailbox(
    claimant: &Claimant,
    proof: &MailboxProof,
    shown: Shown<'_>,
    browser: &[u8; 16],
    now: Timestamp,
) -> Option<Steps> {
    let held = mailbox_holds(proof, (claimant.record, claimant.epoch), shown, browser, now);
    // A mail about an address that shall be the record's says nothing about who may log in to it.
    (held && proof.purpose != MailboxPurpose::Address).then(|| Steps {
        for_link: proof.purpose == MailboxPurpose::Owner,
        ..first(claimant, Method::Reset, "email", now)
    })
}

/// Whether what is shown is what was mailed, in the browser that began, in time, for this record, whose account has not changed since.
pub(super) fn mailbox_holds(
    proof: &MailboxProof,
    (record, epoch): (ProductAccountId, u32),
    shown: Shown<'_>,
    browser: &[u8; 16],
    now: Timestamp,
) -> bool {
    let held = match shown {
        Shown::Code(hashes) => holds(&proof.code, hashes),
        Shown::Link(hashes) => holds(&proof.link, hashes),
    };
    let same_browser: bool = proof.browser.ct_eq(browser).into();
    let alive = now < proof.expires_at && proof.account_epoch == epoch;
    held && same_browser && alive && proof.product_account == Some(record)
}

/// What a person shows of a mail.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// The code's keyed hashes.
    Code(&'a [[u8; 32]]),
    /// The link's.
    Link(&'a [[u8; 32]]),
}

fn holds(stored: &[u8; 32], shown: &[[u8; 32]]) -> bool {
    shown.iter().fold(false, |held, hash| held | bool::from(hash.ct_eq(stored)))
}

fn first(claimant: &Claimant, method: Method, amr: &str, at: Timestamp) -> Steps {
    let amr = vec![amr.to_owned()];
    Steps {
        claimant: claimant.clone(),
        method,
        amr,
        at,
        password: None,
        stepped_at: None,
        for_link: false,
        continues: None,
    }
}

impl Steps {
    /// The product says that the password is right; only the judge of its signed answer calls this.
    pub(super) fn by_product(claimant: &Claimant, at: Timestamp) -> Self {
        first(claimant, Method::Adapter, "pwd", at)
    }

    /// The steps behind a session that was made of such, for a further one (rule M6). The session's MAC must have held; they are worth
    /// nothing once it has ended ([`Self::continues`]). `None` for somebody else's session, an older epoch's, or a provider's.
    pub fn of_session(claimant: &Claimant, session: &LoginSession, now: Timestamp) -> Option<Self> {
        let theirs = session.account == claimant.account
            && session.account_epoch == claimant.epoch
            && session.directory == claimant.directory;
        (theirs && session.method.is_local()).then(|| Self {
            amr: session.amr.clone(),
            continues: Some((session.id, session.auth_time)),
            ..first(claimant, session.method, "", now)
        })
    }

    /// The session that these continue: the one that they make takes its place.
    pub fn continues(&self) -> Option<LoginSessionId> {
        self.continues.map(|(session, _)| session)
    }

    /// Who.
    pub fn claimant(&self) -> &Claimant {
        &self.claimant
    }

    /// How.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The second step, once it was taken.
    pub fn second(&self) -> Option<SecondStepProof> {
        self.stepped_at.map(|at| SecondStepProof::new(Stepper::Account(self.claimant.account), at))
    }

    /// That the record is its owner's, for linking it (B22). A mailbox is such a proof only where the mail named both sides (rule H1);
    /// a session that lives is none.
    pub fn owner(&self) -> Option<OwnerProof> {
        let c = &self.claimant;
        let typed = matches!(self.method, Method::Password | Method::Adapter | Method::Passkey) || self.for_link;
        let stepped_at = self.stepped_at.or((self.method == Method::Passkey).then_some(self.at));
        (typed && self.continues.is_none()).then(|| OwnerProof::new(c.account, c.record, c.epoch, stepped_at))
    }

    /// What is known of the password that was typed.
    pub fn password(&self) -> Option<PasswordState> {
        self.password
    }

    /// These steps and a one-time code, and the step of time that is used up with it.
    pub fn with_code(&self, seed: &Seed, code: &str, last: Step, now: Timestamp) -> Option<(Self, Step)> {
        let used = seed.accepts(code, now, Some(last))?;
        Some((self.and("otp", now), used))
    }

    /// These steps and a recovery code: `shown` are its keyed hashes under all living keys, `stored` the one that the store has of
    /// them, which must be used up in the same commit.
    pub fn with_recovery(&self, shown: &[[u8; 32]], stored: &[u8; 32], now: Timestamp) -> Option<Self> {
        holds(stored, shown).then(|| self.and("recovery", now))
    }

    /// These steps and a passkey of the same person.
    pub fn with_passkey(&self, presence: &Presence, now: Timestamp) -> Option<Self> {
        (presence.account() == self.claimant.account).then(|| self.and("pop", now))
    }

    /// These steps and the one that a live session of the same person carries, if it is no older than `within`: a passkey as its only
    /// step is one as well. The session's MAC must have held.
    pub fn with_step_of(&self, session: &LoginSession, within: Duration, now: Timestamp) -> Option<Self> {
        let theirs = session.account == self.claimant.account
            && session.account_epoch == self.claimant.epoch
            && session.method.is_local();
        let proved = step_up::proved_at(session)
            .filter(|_| theirs && step_up::is_fresh(step_up::proved_at(session), within, now));
        proved.map(|at| Self { stepped_at: Some(at), ..self.clone() })
    }

    fn and(&self, second: &str, now: Timestamp) -> Self {
        let mut steps = self.clone();
        steps.stepped_at = Some(now);
        for said in [second, "mfa"] {
            if !steps.amr.iter().any(|known| known == said) {
                steps.amr.push(said.to_owned());
            }
        }
        steps
    }

    /// The proof.
    pub fn proof(&self) -> Proof {
        Proof::new(Claims {
            identity: IdentityKey {
                directory: self.claimant.directory,
                source: SubjectSource(ACCOUNT_SOURCE.to_owned()),
                subject: self.claimant.account.to_string(),
            },
            method: self.method,
            email: Some(self.claimant.email.clone()),
            email_verified: if self.claimant.email_verified { Vouched::Yes } else { Vouched::No },
            hosted_domain: None,
            name: None,
            groups: Vec::new(),
            amr: self.amr.clone(),
            acr: None,
            auth_time: self.continues.map_or(self.at, |(_, auth_time)| auth_time),
            provider_session: None,
            id_token: None,
            refreshable: None,
            name_id: None,
            session_until: None,
        })
    }

    /// The text for a hidden field, under a key of the gateway. `bound` is what it may be used for: browser, place.
    pub fn to_text(&self, key: &[u8; 32], bound: &[u8]) -> String {
        let c = &self.claimant;
        let time = |at: Option<Timestamp>| at.map(|at| at.millis().to_string()).unwrap_or_default();
        let body = [
            c.directory.to_string(),
            c.account.to_string(),
            c.record.to_string(),
            u8::from(c.email_verified).to_string(),
            c.epoch.to_string(),
            self.method.code().to_owned(),
            self.amr.join(" "),
            self.at.millis().to_string(),
            time(self.stepped_at),
            time(self.password.map(|password| password.set_at)),
            self.password.map(|password| password.score.to_string()).unwrap_or_default(),
            self.continues.map(|(session, _)| session.to_string()).unwrap_or_default(),
            time(self.continues.map(|(_, auth_time)| auth_time)),
            u8::from(self.for_link).to_string(),
            c.email.to_string(),
        ]
        .join("|");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound));
        format!("{}.{}", URL_SAFE_NO_PAD.encode(body), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Reads [`Self::to_text`] back, no later than ten minutes after.
    pub fn open(text: &str, key: &[u8; 32], bound: &[u8], now: Timestamp) -> Option<Self> {
        let (body, mac) = text.get(..4096).unwrap_or(text).split_once('.')?;
        let body = String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound), &mac).ok()?;
        let parts: Vec<&str> = body.splitn(15, '|').collect();
        let [
            directory,
            account,
            record,
            verified,
            epoch,
            method,
            amr,
            at,
            stepped,
            set_at,
            score,
            session,
            since,
            link,
            email,
        ] = parts.as_slice()
        else {
            return None;
        };
        let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
        let at = time(at)?;
        let claimant = Claimant {
            directory: DirectoryId::parse(directory).ok()?,
            account: AccountId::parse(account).ok()?,
            record: ProductAccountId::parse(record).ok()?,
            email: EmailAddress::parse(email).ok()?,
            email_verified: *verified == "1",
            epoch: epoch.parse().ok()?,
        };
        let step = Self {
            claimant,
            method: Method::from_code(method)?,
            amr: amr.split(' ').map(str::to_owned).collect(),
            at,
            stepped_at: time(stepped),
            for_link: *link == "1",
            continues: LoginSessionId::parse(session).ok().zip(time(since)),
            password: match (time(set_at), score.parse().ok()) {
                (Some(set_at), Some(score)) => Some(PasswordState { set_at, score }),
                _ => None,
            },
        };
        (at <= now && now.since(at) <= BETWEEN).then_some(step)
    }
}

/// What the MAC covers: the body, and what it is bound to with its length before it.
fn mac_input(body: &str, bound: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bound.len()).unwrap_or(u64::MAX);
    [b"fedgate local steps 1".as_slice(), &length.to_be_bytes(), bound, body.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::local::StoredPassword;
    use crate::kernel::values::{MailboxProofId, ProductName};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn claimant() -> Claimant {
        Claimant {
            directory: DirectoryId::from_bytes([1; 16]),
            account: AccountId::from_bytes([2; 16]),
            record: ProductAccountId::from_bytes([3; 16]),
            email: EmailAddress::parse("ann@acme.com").unwrap(),
            email_verified: true,
            epoch: 6,
        }
    }

    fn typed(text: &str) -> Typed {
        Typed::new(text.to_owned()).unwrap()
    }

    fn credential() -> PasswordCredential {
        PasswordCredential {
            product_account: ProductAccountId::from_bytes([3; 16]),
            stored: StoredPassword::of(&typed("right one"), [4; 16]).unwrap(),
            generation: 1,
            set_at: NOW,
            mac: [0; 32],
        }
    }

    fn proved() -> Steps {
        by_password(&claimant(), &credential(), &typed("right one"), NOW).unwrap()
    }

    #[test]
    fn h21_a_password_proves_the_account_that_it_belongs_to() {
        let proof = proved().proof();
        let claims = proof.claims();
        assert_eq!(claims.identity.directory, claimant().directory);
        assert_eq!(
            (claims.identity.source.0.as_str(), &claims.identity.subject),
            ("account", &claimant().account.to_string())
        );
        assert_eq!((claims.method, claims.amr.as_slice()), (Method::Password, ["pwd".to_owned()].as_slice()));
        assert_eq!(by_password(&claimant(), &credential(), &typed("wrong one"), NOW), None);
        let other = PasswordCredential { product_account: ProductAccountId::from_bytes([9; 16]), ..credential() };
        assert_eq!(by_password(&claimant(), &other, &typed("right one"), NOW), None, "somebody else's row");
    }

    #[test]
    fn a_second_step_is_added_once() {
        let seed = Seed::new([7; 20]);
        let step = NOW.seconds() / 30;
        let (both, used) = proved().with_code(&seed, &seed.code(step), step - 1, NOW).unwrap();
        assert_eq!(used, step);
        assert_eq!(both.second(), Some(SecondStepProof::new(Stepper::Account(claimant().account), NOW)));
        assert_eq!(proved().second(), None);
        assert_eq!(proved().password().map(|password| password.set_at), Some(NOW));
        assert_eq!(both.proof().claims().amr, ["pwd", "otp", "mfa"]);
        let (key, text) = ([5; 32], both.to_text(&[5; 32], b"browser"));
        assert_eq!(Steps::open(&text, &key, b"browser", NOW), Some(both));
        assert!(proved().with_code(&seed, &seed.code(step), step, NOW).is_none(), "used before");
        assert!(proved().with_code(&seed, "000000", 0, NOW).is_none());
        let recovered = proved().with_recovery(&[[1; 32], [2; 32]], &[2; 32], NOW).unwrap();
        assert!(recovered.second().is_some());
        assert_eq!(proved().with_recovery(&[[1; 32]], &[2; 32], NOW), None);
    }

    #[test]
    fn h21_a_passkey_is_a_proof_by_itself_and_a_second_step_of_its_own_person_alone() {
        let annes = super::super::passkey::presence_of(claimant().account);
        let alone = by_passkey(&claimant(), &annes, NOW).unwrap();
        assert_eq!((alone.method(), alone.second()), (Method::Passkey, None));
        assert_eq!(alone.proof().claims().amr, ["pop", "user", "mfa"]);
        let both = proved().with_passkey(&annes, NOW).unwrap();
        assert_eq!(both.proof().claims().amr, ["pwd", "pop", "mfa"]);
        assert!(both.second().is_some());
        let bobs = super::super::passkey::presence_of(AccountId::from_bytes([9; 16]));
        assert_eq!(by_passkey(&claimant(), &bobs, NOW), None);
        assert_eq!(proved().with_passkey(&bobs, NOW), None);
    }

    #[test]
    fn h3_an_emergency_proof_is_of_its_own_person_with_its_second_step() {
        let steps = by_emergency(&claimant(), &super::super::passkey::emergency_of(claimant().account), NOW).unwrap();
        assert_eq!((steps.method(), steps.password()), (Method::Emergency, None));
        assert_eq!(steps.second().map(|step| step.stepper().clone()), Some(Stepper::Account(claimant().account)));
        assert_eq!(steps.proof().claims().amr, ["pop", "user", "mfa"]);
        let another = super::super::passkey::emergency_of(AccountId::from_bytes([9; 16]));
        assert_eq!(by_emergency(&claimant(), &another, NOW), None);
    }

    #[test]
    fn a_first_step_comes_back_whole_in_time_and_where_it_belongs_or_not_at_all() {
        let (key, text) = ([5; 32], proved().to_text(&[5; 32], b"browser"));
        assert_eq!(Steps::open(&text, &key, b"browser", NOW), Some(proved()));
        assert_eq!(Steps::open(&text, &[6; 32], b"browser", NOW), None, "another key");
        assert_eq!(Steps::open(&text, &key, b"other", NOW), None, "another browser");
        assert_eq!(Steps::open(&text, &key, b"browser", NOW.plus(BETWEEN)), Some(proved()));
        assert_eq!(Steps::open(&text, &key, b"browser", NOW.plus(BETWEEN + Duration::from_millis(1))), None);
        assert_eq!(Steps::open(&text, &key, b"browser", NOW.minus(Duration::from_millis(1))), None);
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(Steps::open(&changed, &key, b"browser", NOW).is_none_or(|step| step == proved()), "{place}");
        }
    }

    #[test]
    fn h1_a_mailbox_proof_is_good_in_its_browser_before_its_time_and_before_any_change() {
        let check = |change: &dyn Fn(&mut MailboxProof), shown: [u8; 32], (browser, epoch): (u8, u32), good: bool| {
            let mut proof = MailboxProof {
                id: MailboxProofId::from_bytes([1; 16]),
                purpose: MailboxPurpose::Reset,
                product: ProductName::parse("board").unwrap(),
                product_account: Some(claimant().record),
                email: claimant().email,
                code: [8; 32],
                link: [9; 32],
                browser: [4; 16],
                account_epoch: 6,
                created_at: NOW,
                expires_at: NOW.plus(Duration::from_secs(1)),
                tries_left: 5,
                mac: [0; 32],
            };
            change(&mut proof);
            let who = Claimant { epoch, ..claimant() };
            let at = &[browser; 16];
            let step = by_mailbox(&who, &proof, Shown::Code(&[[0; 32], shown]), at, NOW);
            assert_eq!(step.is_some(), good, "{proof:?}");
            let named = proof.purpose == MailboxPurpose::Owner;
            assert!(step.as_ref().is_none_or(|step| step.method() == Method::Reset && step.owner().is_some() == named));
            let again = step.as_ref().map(|step| Steps::open(&step.to_text(&[5; 32], b""), &[5; 32], b"", NOW));
            assert_eq!(again, step.clone().map(Some), "as it was");
            assert!(by_mailbox(&who, &proof, Shown::Link(&[shown]), at, NOW).is_none(), "a code is no link");
        };
        check(&|_| (), [8; 32], (4, 6), true);
        check(&|proof| proof.purpose = MailboxPurpose::Owner, [8; 32], (4, 6), true);
        check(&|_| (), [7; 32], (4, 6), false);
        check(&|_| (), [8; 32], (5, 6), false);
        check(&|_| (), [8; 32], (4, 7), false);
        check(&|proof| proof.expires_at = NOW, [8; 32], (4, 6), false);
        check(&|proof| proof.product_account = None, [8; 32], (4, 6), false);
        check(&|proof| proof.product_account = Some(ProductAccountId::from_bytes([9; 16])), [8; 32], (4, 6), false);
    }
}
