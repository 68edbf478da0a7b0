//! People's own credentials in their tables: what a change writes, and the port's reads.

use super::super::{Conflict, Credentials, LocalShare, Unavailable};
use super::change::{At, Halt};
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::CredentialChange;
use crate::kernel::local::StoredPassword;
use crate::kernel::model::{
    Address, Factor, FactorKind, MailboxProof, MailboxPurpose, PasswordCredential, ProductAccount,
};
use crate::kernel::values::{
    AccountId, EmailAddress, FactorId, MailboxProofId, ProductAccountId, ProductName, Timestamp,
};
use async_trait::async_trait;

/// What a change meets that another batch was faster with.
const LOST: Conflict = Conflict::Credential;

impl At<'_> {
    /// Applies one change of a credential.
    pub(super) fn credential(&self, change: &CredentialChange) -> Result<(), Halt> {
        match change {
            CredentialChange::SetPassword(password) => self.set_password(password),
            CredentialChange::DropPassword(of) => {
                self.any("DELETE FROM password WHERE product_account = ?", params![of.to_bytes()])
            }
            CredentialChange::AddFactor(factor) => self.add_factor(factor),
            CredentialChange::DropFactor(account, id) => {
                let row = params![account.to_bytes(), id.to_bytes()];
                self.must("DELETE FROM factor WHERE account = ? AND id = ?", row, LOST)
            }
            CredentialChange::NameFactor(account, id, label) => {
                let row = params![account.to_bytes(), id.to_bytes(), label];
                self.must("UPDATE factor SET label = ?3 WHERE account = ?1 AND id = ?2", row, LOST)
            }
            CredentialChange::UseFactor { id, counter, at } => {
                let sql = "UPDATE factor SET counter = ?2, last_used_at = ?3
                           WHERE id = ?1 AND (counter < ?2 OR (kind IN ('passkey', 'emergency') AND counter = 0 AND ?2 = 0))";
                self.must(sql, params![id.to_bytes(), counter, at.millis()], LOST)
            }
            CredentialChange::PutRecoveryCodes(account, codes) => {
                self.any("DELETE FROM recovery_code WHERE account = ?", params![account.to_bytes()])?;
                let sql = "INSERT INTO recovery_code (account, code) VALUES (?, ?)";
                codes.iter().try_for_each(|code| self.any(sql, params![account.to_bytes(), code]))
            }
            CredentialChange::UseRecoveryCode(account, code) => {
                let row = params![account.to_bytes(), code];
                self.must("DELETE FROM recovery_code WHERE account = ? AND code = ?", row, LOST)
            }
            CredentialChange::BeginMailboxProof(proof) => self.begin_mailbox_proof(proof),
            CredentialChange::TryMailboxProof(id) => {
                let sql = "UPDATE mailbox_proof SET tries_left = tries_left - 1
                           WHERE id = ?1 AND tries_left > 0 AND expires_at > ?2";
                self.must(sql, params![id.to_bytes(), self.now.millis()], LOST)
            }
            CredentialChange::EndMailboxProof(id) => {
                self.must("DELETE FROM mailbox_proof WHERE id = ?", params![id.to_bytes()], LOST)
            }
            CredentialChange::EndMailboxProofsOf(of) => {
                self.any("DELETE FROM mailbox_proof WHERE product_account = ?", params![of.to_bytes()])
            }
            CredentialChange::PutAddress(address) => self.put_address(address),
            CredentialChange::DropAddress(of, email) => {
                let row = params![of.to_bytes(), email.as_str()];
                self.must("DELETE FROM address WHERE product_account = ? AND email = ?", row, LOST)
            }
            CredentialChange::CountAttempt { bucket, until } => self.any(
                "INSERT INTO attempt (bucket, count, until) VALUES (?1, 1, ?2)
                 ON CONFLICT (bucket) DO UPDATE SET
                     count = CASE WHEN attempt.until > ?3 THEN attempt.count + 1 ELSE 1 END,
                     until = CASE WHEN attempt.until > ?3 THEN attempt.until ELSE ?2 END",
                params![bucket, until.millis(), self.now.millis()],
            ),
        }
    }

    fn set_password(&self, p: &PasswordCredential) -> Result<(), Halt> {
        let row = params![p.product_account.to_bytes(), p.stored.to_text(), p.generation, p.set_at.millis(), p.mac];
        if p.generation == 1 {
            let sql = "INSERT INTO password (product_account, stored, generation, set_at, mac) VALUES (?, ?, ?, ?, ?)
                       ON CONFLICT DO NOTHING";
            return self.must(sql, row, LOST);
        }
        let sql = "UPDATE password SET stored = ?2, generation = ?3, set_at = ?4, mac = ?5
                   WHERE product_account = ?1 AND generation = ?3 - 1";
        self.must(sql, row, LOST)
    }

    fn add_factor(&self, f: &Factor) -> Result<(), Halt> {
        let row = params![
            f.id.to_bytes(),
            f.account.to_bytes(),
            f.kind.code(),
            f.label,
            f.secret,
            f.handle,
            f.counter,
            f.created_at.millis(),
            f.last_used_at.map(Timestamp::millis),
            f.mac,
        ];
        let sql =
            "INSERT INTO factor (id, account, kind, label, secret, handle, counter, created_at, last_used_at, mac)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        self.must(sql, row, LOST)
    }

    fn begin_mailbox_proof(&self, p: &MailboxProof) -> Result<(), Halt> {
        let row = params![
            p.id.to_bytes(),
            p.purpose.code(),
            p.product.as_str(),
            p.product_account.map(ProductAccountId::to_bytes),
            p.email.as_str(),
            p.code,
            p.link,
            p.browser,
            p.account_epoch,
            p.created_at.millis(),
            p.expires_at.millis(),
            p.tries_left,
            p.mac,
        ];
        let sql = "INSERT INTO mailbox_proof (id, purpose, product, product_account, email, code, link, browser,
                       account_epoch, created_at, expires_at, tries_left, mac)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
        self.must(sql, row, LOST)
    }

    fn put_address(&self, a: &Address) -> Result<(), Halt> {
        let row = params![
            a.product_account.to_bytes(),
            a.email.as_str(),
            a.verified,
            a.verified_at.map(Timestamp::millis),
            a.primary,
            a.added_at.millis(),
            a.last_login_at.map(Timestamp::millis),
        ];
        // The address of another record of the product is in the way: nothing is written over.
        let sql = "INSERT INTO address (product_account, product, email, verified, verified_at, is_primary, added_at,
                       last_login_at)
                   SELECT ?1, product, ?2, ?3, ?4, ?5, ?6, ?7 FROM product_account WHERE id = ?1
                   ON CONFLICT (product_account, email) DO UPDATE SET
                       verified = ?3, verified_at = ?4, is_primary = ?5, last_login_at = ?7";
        // What came before it has conflicts of its own.
        self.db.settle()?;
        match self.db.execute(sql, row) {
            Ok(0) | Err(Halt::Conflict(_)) => Err(Halt::Conflict(Conflict::Address)),
            Ok(_) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

fn password(row: &Row<'_>) -> Read<PasswordCredential> {
    Ok(PasswordCredential {
        product_account: ProductAccountId::from_bytes(row.get(0)?),
        stored: rows::parsed(row, 1, |text| StoredPassword::parse(text).ok_or("a password"))?,
        generation: row.get(2)?,
        set_at: rows::time(row, 3)?,
        mac: row.get(4)?,
    })
}

const FACTOR: &str = "id, account, kind, label, secret, handle, counter, created_at, last_used_at, mac";

fn factor(row: &Row<'_>) -> Read<Factor> {
    Ok(Factor {
        id: FactorId::from_bytes(row.get(0)?),
        account: AccountId::from_bytes(row.get(1)?),
        kind: rows::parsed(row, 2, |text| FactorKind::from_code(text).ok_or("a factor's kind"))?,
        label: row.get(3)?,
        secret: row.get(4)?,
        handle: row.get(5)?,
        counter: row.get(6)?,
        created_at: rows::time(row, 7)?,
        last_used_at: rows::time_if_any(row, 8)?,
        mac: row.get(9)?,
    })
}

const MAILBOX_PROOF: &str = "id, purpose, product, product_account, email, code, link, browser, account_epoch, created_at, \
     expires_at, tries_left, mac";

fn mailbox_proof(row: &Row<'_>) -> Read<MailboxProof> {
    Ok(MailboxProof {
        id: MailboxProofId::from_bytes(row.get(0)?),
        purpose: rows::parsed(row, 1, |text| MailboxPurpose::from_code(text).ok_or("a purpose"))?,
        product: rows::parsed(row, 2, ProductName::parse)?,
        product_account: row.get::<Option<[u8; 16]>>(3)?.map(ProductAccountId::from_bytes),
        email: rows::parsed(row, 4, EmailAddress::parse)?,
        code: row.get(5)?,
        link: row.get(6)?,
        browser: row.get(7)?,
        account_epoch: row.get(8)?,
        created_at: rows::time(row, 9)?,
        expires_at: rows::time(row, 10)?,
        tries_left: row.get(11)?,
        mac: row.get(12)?,
    })
}

fn address(row: &Row<'_>) -> Read<Address> {
    Ok(Address {
        product_account: ProductAccountId::from_bytes(row.get(0)?),
        email: rows::parsed(row, 1, EmailAddress::parse)?,
        verified: row.get(2)?,
        verified_at: rows::time_if_any(row, 3)?,
        primary: row.get(4)?,
        added_at: rows::time(row, 5)?,
        last_login_at: rows::time_if_any(row, 6)?,
    })
}

#[async_trait]
impl<D: Tables> Credentials for D {
    async fn password(&self, of: ProductAccountId) -> Result<Option<PasswordCredential>, Unavailable> {
        let sql = "SELECT product_account, stored, generation, set_at, mac FROM password WHERE product_account = ?";
        self.one(sql, params![of.to_bytes()], password).await
    }

    async fn factors_of(&self, account: AccountId) -> Result<Vec<Factor>, Unavailable> {
        let sql = format!("SELECT {FACTOR} FROM factor WHERE account = ? ORDER BY created_at, id");
        self.all(&sql, params![account.to_bytes()], factor).await
    }

    async fn factors_of_kind(&self, kind: FactorKind, limit: usize) -> Result<Vec<Factor>, Unavailable> {
        let sql = format!("SELECT {FACTOR} FROM factor WHERE kind = ? ORDER BY created_at, id LIMIT ?");
        self.all(&sql, params![kind.code(), i64::try_from(limit).unwrap_or(i64::MAX)], factor).await
    }

    async fn factor_by_handle(&self, handle: &[u8]) -> Result<Option<Factor>, Unavailable> {
        self.one(&format!("SELECT {FACTOR} FROM factor WHERE handle = ?"), params![handle], factor).await
    }

    async fn has_recovery_code(&self, account: AccountId, code: &[u8; 32]) -> Result<bool, Unavailable> {
        let sql = "SELECT 1 FROM recovery_code WHERE account = ? AND code = ?";
        Ok(self.one(sql, params![account.to_bytes(), code], |_| Ok(())).await?.is_some())
    }

    async fn recovery_codes_left(&self, account: AccountId) -> Result<u32, Unavailable> {
        let sql = "SELECT count(*) FROM recovery_code WHERE account = ?";
        Ok(self.one(sql, params![account.to_bytes()], |row| row.get(0)).await?.unwrap_or(0))
    }

    async fn mailbox_proof(&self, id: MailboxProofId) -> Result<Option<MailboxProof>, Unavailable> {
        let sql = format!("SELECT {MAILBOX_PROOF} FROM mailbox_proof WHERE id = ?");
        self.one(&sql, params![id.to_bytes()], mailbox_proof).await
    }

    async fn mailbox_proof_by_link(&self, link: &[u8; 32]) -> Result<Option<MailboxProof>, Unavailable> {
        self.one(&format!("SELECT {MAILBOX_PROOF} FROM mailbox_proof WHERE link = ?"), params![link], mailbox_proof)
            .await
    }

    async fn addresses_of(&self, of: ProductAccountId) -> Result<Vec<Address>, Unavailable> {
        let sql = "SELECT product_account, email, verified, verified_at, is_primary, added_at, last_login_at
                   FROM address WHERE product_account = ? ORDER BY is_primary DESC, added_at, email";
        self.all(sql, params![of.to_bytes()], address).await
    }

    async fn proved_addresses_of(&self, account: AccountId) -> Result<Vec<EmailAddress>, Unavailable> {
        let sql = "SELECT DISTINCT email FROM address
                   WHERE verified = 1 AND product_account IN (SELECT id FROM product_account WHERE account = ?)
                   ORDER BY email";
        self.all(sql, params![account.to_bytes()], |row| rows::parsed(row, 0, EmailAddress::parse)).await
    }

    async fn product_account_by_address(
        &self,
        product: &ProductName,
        email: &EmailAddress,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        let sql = format!(
            "SELECT {} FROM product_account
             WHERE id = (SELECT product_account FROM address WHERE product = ? AND email = ?)",
            rows::PRODUCT_ACCOUNT
        );
        self.one(&sql, params![product.as_str(), email.as_str()], rows::product_account).await
    }

    async fn product_account_by_sub(
        &self,
        product: &ProductName,
        sub: &str,
    ) -> Result<Option<ProductAccount>, Unavailable> {
        let sql = format!("SELECT {} FROM product_account WHERE product = ? AND sub = ?", rows::PRODUCT_ACCOUNT);
        self.one(&sql, params![product.as_str(), sub], rows::product_account).await
    }

    async fn attempts(&self, bucket: &[u8; 32], now: Timestamp) -> Result<u32, Unavailable> {
        let sql = "SELECT count FROM attempt WHERE bucket = ? AND until > ?";
        Ok(self.one(sql, params![bucket, now.millis()], |row| row.get(0)).await?.unwrap_or(0))
    }

    async fn local_share(&self, product: &ProductName) -> Result<LocalShare, Unavailable> {
        let sql = "SELECT count(*) FILTER (WHERE state IN ('local', 'migrating')), count(*) FROM product_account
                   WHERE product = ? AND state <> 'closed'";
        let share = self
            .one(sql, params![product.as_str()], |row| {
                let count = |column| row.get::<i64>(column).map(i64::cast_unsigned);
                Ok(LocalShare { local: count(0)?, all: count(1)? })
            })
            .await?;
        Ok(share.unwrap_or_default())
    }
}
