//! Roles that were taken up, and tokens of the admin API.

use super::super::{Admins, Conflict, Unavailable};
use super::change::{At, Halt};
use super::organizations::count;
use super::{Read, Row, Tables, params, rows};
use crate::kernel::journal::{AdminChange, ApiToken, Reach, Role, RolePin};
use crate::kernel::values::{AccountId, ApiTokenId, EmailAddress, SessionKey};
use async_trait::async_trait;

const PIN: &str = "role, org, email, account, at, mac";
const TOKEN: &str = "id, key, owner, label, scopes, org, networks, created_at, expires_at, last_used, mac";

impl At<'_> {
    pub(super) fn admin(&self, change: &AdminChange) -> Result<(), Halt> {
        match change {
            AdminChange::PinRole(pin) => self.pin(pin),
            AdminChange::CreateToken(token) => self.create_token(token),
            AdminChange::EndToken(id) => self.any("DELETE FROM api_token WHERE id = ?", params![id.to_bytes()]),
            AdminChange::TokenUsed(id, at) => self.any(
                "UPDATE api_token SET last_used = ?2 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
                params![id.to_bytes(), at.millis()],
            ),
        }
    }

    fn pin(&self, pin: &RolePin) -> Result<(), Halt> {
        self.must(
            "INSERT INTO role_pin (role, org, email, account, at, mac) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                pin.role.code(),
                pin.reach.code().unwrap_or_default(),
                pin.email.as_str(),
                pin.account.to_bytes(),
                pin.at.millis(),
                pin.mac
            ],
            Conflict::Row,
        )
    }

    fn create_token(&self, token: &ApiToken) -> Result<(), Halt> {
        self.must(
            "INSERT INTO api_token (id, key, owner, label, scopes, org, networks, created_at, expires_at, last_used, mac)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![
                token.id.to_bytes(),
                token.key.0,
                token.owner.to_bytes(),
                token.label,
                rows::json(&token.scopes),
                token.reach.code(),
                rows::json(&token.networks),
                token.created_at.millis(),
                token.expires_at.millis(),
                token.last_used.map(crate::kernel::values::Timestamp::millis),
                token.mac
            ],
            Conflict::Row,
        )
    }
}

#[async_trait]
impl<D: Tables> Admins for D {
    async fn role_pins(&self) -> Result<Vec<RolePin>, Unavailable> {
        self.all(&format!("SELECT {PIN} FROM role_pin"), params![], pin).await
    }

    async fn role_pins_of(&self, account: AccountId) -> Result<Vec<RolePin>, Unavailable> {
        self.all(&format!("SELECT {PIN} FROM role_pin WHERE account = ?"), params![account.to_bytes()], pin).await
    }

    async fn api_token(&self, key: &SessionKey) -> Result<Option<ApiToken>, Unavailable> {
        self.one(&format!("SELECT {TOKEN} FROM api_token WHERE key = ?"), params![key.0], token).await
    }

    async fn api_tokens(&self, after: Option<ApiTokenId>, limit: usize) -> Result<Vec<ApiToken>, Unavailable> {
        let sql = format!("SELECT {TOKEN} FROM api_token WHERE id > ? ORDER BY id LIMIT ?");
        let after = after.map_or([0; 16], ApiTokenId::to_bytes);
        self.all(&sql, params![after, count(limit)], token).await
    }
}

fn reach(row: &Row<'_>, column: usize) -> Read<Reach> {
    let code = row.get::<Option<String>>(column)?.filter(|code| !code.is_empty());
    Reach::from_code(code.as_deref()).map_err(|fault| rows::damaged(column, fault.to_string()))
}

fn pin(row: &Row<'_>) -> Read<RolePin> {
    Ok(RolePin {
        role: rows::parsed(row, 0, |text| Role::from_code(text).ok_or("role"))?,
        reach: reach(row, 1)?,
        email: rows::parsed(row, 2, EmailAddress::parse)?,
        account: AccountId::from_bytes(row.get(3)?),
        at: rows::time(row, 4)?,
        mac: row.get(5)?,
    })
}

fn token(row: &Row<'_>) -> Read<ApiToken> {
    Ok(ApiToken {
        id: ApiTokenId::from_bytes(row.get(0)?),
        key: SessionKey(row.get(1)?),
        owner: AccountId::from_bytes(row.get(2)?),
        label: row.get(3)?,
        scopes: rows::list(row, 4)?,
        reach: reach(row, 5)?,
        networks: rows::list(row, 6)?,
        created_at: rows::time(row, 7)?,
        expires_at: rows::time(row, 8)?,
        last_used: rows::time_if_any(row, 9)?,
        mac: row.get(10)?,
    })
}
