//! An address that its mailbox proved, for a record whose own one shall not stay (rows T16, T19, T22).
//!
//! It opens nothing: a review carries it through the browser, under a MAC that is checked here, to the commit that keeps it. It is
//! worth nothing once anything of the account changed (§4 #17), and it is written down nowhere before that commit.

use super::judge::{BETWEEN, Shown, mailbox_holds};
use crate::kernel::model::{MailboxProof, MailboxPurpose};
use crate::kernel::values::{EmailAddress, ProductAccountId, Timestamp};
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Who reads this mailbox owned the record a moment ago.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProvedAddress {
    record: ProductAccountId,
    epoch: u32,
    at: Timestamp,
    email: EmailAddress,
}

/// Judges the answer to a mail that was sent for this purpose alone. `whose` is the record and its account's epoch as they are now,
/// `shown` and `browser` are as for a login by mail.
pub fn address_by_mailbox(
    whose: (ProductAccountId, u32),
    proof: &MailboxProof,
    shown: Shown<'_>,
    browser: &[u8; 16],
    now: Timestamp,
) -> Option<ProvedAddress> {
    let (record, epoch) = whose;
    let held = mailbox_holds(proof, whose, shown, browser, now);
    let email = proof.email.clone();
    (held && proof.purpose == MailboxPurpose::Address).then_some(ProvedAddress { record, epoch, at: now, email })
}

impl ProvedAddress {
    /// The address.
    pub fn email(&self) -> &EmailAddress {
        &self.email
    }

    /// When its mailbox proved it, if it is for this record and its account is as it was then.
    pub fn good_for(&self, record: ProductAccountId, epoch: u32) -> Option<Timestamp> {
        (self.record == record && self.epoch == epoch).then_some(self.at)
    }

    /// The text for an address of a page, under a key of the gateway. `bound` is the review that it belongs to.
    pub fn to_text(&self, key: &[u8; 32], bound: &[u8]) -> String {
        let body = format!("{}|{}|{}|{}", self.record, self.epoch, self.at.millis(), self.email);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound));
        format!("{}.{}", URL_SAFE_NO_PAD.encode(body), URL_SAFE_NO_PAD.encode(mac))
    }

    /// Reads [`Self::to_text`] back, no later than ten minutes after.
    pub fn open(text: &str, key: &[u8; 32], bound: &[u8], now: Timestamp) -> Option<Self> {
        let (body, mac) = text.get(..1024).unwrap_or(text).split_once('.')?;
        let body = String::from_utf8(URL_SAFE_NO_PAD.decode(body).ok()?).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), &mac_input(&body, bound), &mac).ok()?;
        let parts: Vec<&str> = body.splitn(4, '|').collect();
        let [record, epoch, at, email] = parts.as_slice() else { return None };
        let at = Timestamp::from_millis(at.parse().ok()?);
        let proved = Self {
            record: ProductAccountId::parse(record).ok()?,
            epoch: epoch.parse().ok()?,
            at,
            email: EmailAddress::parse(email).ok()?,
        };
        (at <= now && now.since(at) <= BETWEEN).then_some(proved)
    }
}

/// What the MAC covers: the body, and what it is bound to with its length before it. No text of another kind reads as one of these.
fn mac_input(body: &str, bound: &[u8]) -> Vec<u8> {
    let length = u64::try_from(bound.len()).unwrap_or(u64::MAX);
    [b"fedgate proved address 1".as_slice(), &length.to_be_bytes(), bound, body.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::local::{Claimant, by_mailbox};
    use crate::kernel::values::{AccountId, DirectoryId, MailboxProofId, ProductName};

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn record() -> ProductAccountId {
        ProductAccountId::from_bytes([3; 16])
    }

    fn proof() -> MailboxProof {
        MailboxProof {
            id: MailboxProofId::from_bytes([1; 16]),
            purpose: MailboxPurpose::Address,
            product: ProductName::parse("trello").unwrap(),
            product_account: Some(record()),
            email: EmailAddress::parse("new@free.example").unwrap(),
            code: [7; 32],
            link: [8; 32],
            browser: [9; 16],
            account_epoch: 4,
            created_at: Timestamp::from_seconds(900),
            expires_at: Timestamp::from_seconds(1_800),
            tries_left: 4,
            mac: [0; 32],
        }
    }

    fn judged(proof: &MailboxProof, (code, browser, epoch): ([u8; 32], [u8; 16], u32)) -> Option<ProvedAddress> {
        address_by_mailbox((record(), epoch), proof, Shown::Code(&[code]), &browser, NOW)
    }

    #[test]
    fn mistake_17_a_mailed_code_proves_an_address_once_the_purpose_the_browser_and_the_account_are_right() {
        let good = ([7; 32], [9; 16], 4);
        assert!(judged(&proof(), good).is_some());
        assert!(judged(&proof(), ([6; 32], [9; 16], 4)).is_none(), "another code");
        assert!(judged(&proof(), ([7; 32], [8; 16], 4)).is_none(), "another browser");
        assert!(judged(&proof(), ([7; 32], [9; 16], 5)).is_none(), "the account changed");
        let check = |change: &dyn Fn(&mut MailboxProof)| {
            let mut proof = proof();
            change(&mut proof);
            assert!(judged(&proof, good).is_none(), "{proof:?}");
        };
        check(&|proof| proof.purpose = MailboxPurpose::Reset);
        check(&|proof| proof.purpose = MailboxPurpose::Owner);
        check(&|proof| proof.product_account = None);
        check(&|proof| proof.product_account = Some(ProductAccountId::from_bytes([4; 16])));
        check(&|proof| proof.expires_at = NOW);
    }

    #[test]
    fn h1_a_mail_about_an_address_is_no_login_and_no_proof_of_a_record() {
        let claimant = Claimant {
            directory: DirectoryId::from_bytes([2; 16]),
            account: AccountId::from_bytes([5; 16]),
            record: record(),
            email: proof().email,
            email_verified: false,
            epoch: 4,
        };
        let shown: &[[u8; 32]] = &[[7; 32]];
        let asked = |purpose| {
            let proof = MailboxProof { purpose, ..proof() };
            by_mailbox(&claimant, &proof, Shown::Code(shown), &[9; 16], NOW).is_some()
        };
        assert!(asked(MailboxPurpose::Reset) && asked(MailboxPurpose::Owner));
        assert!(!asked(MailboxPurpose::Address));
    }

    #[test]
    fn what_was_proved_is_good_for_its_record_its_review_and_ten_minutes() {
        let proved = judged(&proof(), ([7; 32], [9; 16], 4)).unwrap();
        let text = proved.to_text(&[1; 32], b"review");
        let open = |text: &str, key: u8, bound: &[u8], now| ProvedAddress::open(text, &[key; 32], bound, now);
        assert_eq!(open(&text, 1, b"review", NOW).as_ref(), Some(&proved));
        assert_eq!(open(&text, 2, b"review", NOW), None, "another key");
        assert_eq!(open(&text, 1, b"another", NOW), None, "another review");
        assert_eq!(open(&text, 1, b"review", Timestamp::from_seconds(999)), None, "before it was made");
        assert_eq!(open(&text, 1, b"review", NOW.plus(BETWEEN)).as_ref(), Some(&proved));
        assert_eq!(open(&text, 1, b"review", Timestamp::from_seconds(1_601)), None, "too late");
        assert_eq!(proved.good_for(record(), 4), Some(NOW));
        assert_eq!(proved.good_for(record(), 5), None, "the account changed");
        assert_eq!(proved.good_for(ProductAccountId::from_bytes([4; 16]), 4), None, "another record");
    }
}
