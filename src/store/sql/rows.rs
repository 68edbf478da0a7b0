//! How values of the model stand in columns, both ways. A value that does not parse is a damaged file: an error, never a guess.

use super::{Damaged, Read, Row};
use crate::kernel::journal::Revocation;
use crate::kernel::model::{
    Account, AccountStatus, Grant, IdentityKey, LinkedBy, LinkedIdentity, LoginSession, Method, Personal,
    ProductAccount, ProductAccountState, ProductSession, Scope, Since, SubjectSource, Thumbprint, TokenLabel,
};
use crate::kernel::values::{
    AccountId, AppName, Device, DirectoryId, EmailAddress, EnterpriseName, LoginSessionId, OrgName, Origin,
    ProductAccountId, ProductName, ProductSessionId, SessionKey, Timestamp,
};
use std::collections::BTreeMap;

/// Reads a column's text through a parser.
pub(in crate::store) fn parsed<T, E: std::fmt::Display>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Read<T> {
    let text = row.text(column)?;
    parse(text).map_err(|fault| damaged(column, fault.to_string()))
}

/// As [`parsed`], of a column that may be empty.
pub(in crate::store) fn parsed_if_any<T, E: std::fmt::Display>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Read<Option<T>> {
    let text = row.get::<Option<String>>(column)?;
    text.map(|text| parse(&text).map_err(|fault| damaged(column, fault.to_string()))).transpose()
}

pub(super) fn damaged(column: usize, fault: String) -> Damaged {
    Damaged(format!("column {column}: {fault}"))
}

pub(in crate::store) fn time(row: &Row<'_>, column: usize) -> Read<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(in crate::store) fn time_if_any(row: &Row<'_>, column: usize) -> Read<Option<Timestamp>> {
    Ok(row.get::<Option<i64>>(column)?.map(Timestamp::from_millis))
}

pub(in crate::store) fn list(row: &Row<'_>, column: usize) -> Read<Vec<String>> {
    parsed(row, column, |text| serde_json::from_str(text))
}

/// Products as the column `ask_before` holds them.
pub(in crate::store) fn products(row: &Row<'_>, column: usize) -> Read<Vec<ProductName>> {
    let names = list(row, column)?;
    let products: Result<Vec<_>, _> = names.iter().map(|name| ProductName::parse(name)).collect();
    products.map_err(|fault| damaged(column, fault.to_string()))
}

/// Lists as JSON.
pub(in crate::store) fn json(list: &[String]) -> String {
    serde_json::Value::from(list).to_string()
}

/// Named times, as JSON.
pub(in crate::store) fn times_json(times: &Since) -> String {
    let millis: BTreeMap<&str, i64> = times.iter().map(|(name, time)| (name.as_str(), time.millis())).collect();
    serde_json::json!(millis).to_string()
}

/// Reads [`times_json`].
pub(in crate::store) fn times(row: &Row<'_>, column: usize) -> Read<Since> {
    let read = |text: &str| serde_json::from_str::<BTreeMap<String, i64>>(text);
    let millis = parsed(row, column, read)?;
    Ok(millis.into_iter().map(|(name, millis)| (name, Timestamp::from_millis(millis))).collect())
}

/// The column text of [`products`].
pub(in crate::store) fn products_json(list: &[ProductName]) -> String {
    json(&list.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Columns of [`account`].
pub(in crate::store) const ACCOUNT: &str =
    "id, status, delete_at, email, email_verified, email_proved_at, name, epoch, created_at, last_login_at";

pub(in crate::store) fn account(row: &Row<'_>) -> Read<Account> {
    let delete_at = time_if_any(row, 2)?;
    let status = parsed(row, 1, |text| match (text, delete_at) {
        ("active", _) => Ok(AccountStatus::Active),
        ("deactivated", _) => Ok(AccountStatus::Deactivated),
        ("pending_delete", Some(at)) => Ok(AccountStatus::PendingDelete(at)),
        ("quarantined", _) => Ok(AccountStatus::Quarantined),
        ("deleted", _) => Ok(AccountStatus::Deleted),
        _ => Err("account status"),
    })?;
    let has_email = !row.is_null(3)?;
    Ok(Account {
        id: AccountId::from_bytes(row.get(0)?),
        status,
        email: if has_email { Some(parsed(row, 3, EmailAddress::parse)?) } else { None },
        email_verified: row.get(4)?,
        email_proved_at: time_if_any(row, 5)?,
        name: row.get(6)?,
        epoch: row.get(7)?,
        created_at: time(row, 8)?,
        last_login_at: time_if_any(row, 9)?,
    })
}

/// The columns `status` and `delete_at`.
pub(in crate::store) fn status_columns(status: AccountStatus) -> (&'static str, Option<i64>) {
    match status {
        AccountStatus::Active => ("active", None),
        AccountStatus::Deactivated => ("deactivated", None),
        AccountStatus::PendingDelete(at) => ("pending_delete", Some(at.millis())),
        AccountStatus::Quarantined => ("quarantined", None),
        AccountStatus::Deleted => ("deleted", None),
    }
}

/// What an account was before its deletion was asked for.
pub(in crate::store) fn was(row: &Row<'_>, column: usize) -> Read<AccountStatus> {
    parsed(row, column, |text| match text {
        "active" => Ok(AccountStatus::Active),
        "deactivated" => Ok(AccountStatus::Deactivated),
        _ => Err("what an account was"),
    })
}

/// Columns of [`product_account`].
pub(in crate::store) const PRODUCT_ACCOUNT: &str = "id, product, account, sub, state, merged_into, off, created_at, \
    enterprise, off_by, asked_at";

pub(in crate::store) fn product_account(row: &Row<'_>) -> Read<ProductAccount> {
    Ok(ProductAccount {
        id: ProductAccountId::from_bytes(row.get(0)?),
        product: parsed(row, 1, ProductName::parse)?,
        account: AccountId::from_bytes(row.get(2)?),
        sub: row.get(3)?,
        state: state(row, 4, 5)?,
        off: row.get(6)?,
        created_at: time(row, 7)?,
        enterprise: parsed_if_any(row, 8, EnterpriseName::parse)?,
        off_by: parsed_if_any(row, 9, EnterpriseName::parse)?,
        asked_at: time_if_any(row, 10)?,
    })
}

/// Reads [`state_columns`].
pub(in crate::store) fn state(row: &Row<'_>, column: usize, survivor: usize) -> Read<ProductAccountState> {
    let merged_into = row.get::<Option<[u8; 16]>>(survivor)?.map(ProductAccountId::from_bytes);
    parsed(row, column, |text| match (text, merged_into) {
        ("local", _) => Ok(ProductAccountState::Local),
        ("migrating", _) => Ok(ProductAccountState::Migrating),
        ("linked", _) => Ok(ProductAccountState::Linked),
        ("merged", Some(survivor)) => Ok(ProductAccountState::Merged(survivor)),
        ("closed", _) => Ok(ProductAccountState::Closed),
        _ => Err("product account state"),
    })
}

/// The columns `state` and `merged_into`.
pub(in crate::store) fn state_columns(state: ProductAccountState) -> (&'static str, Option<[u8; 16]>) {
    match state {
        ProductAccountState::Local => ("local", None),
        ProductAccountState::Migrating => ("migrating", None),
        ProductAccountState::Linked => ("linked", None),
        ProductAccountState::Merged(survivor) => ("merged", Some(survivor.to_bytes())),
        ProductAccountState::Closed => ("closed", None),
    }
}

/// Columns of [`identity`].
pub(in crate::store) const IDENTITY: &str = "directory, source, subject, account, linked_by, linked_at, suspended";

pub(in crate::store) fn identity(row: &Row<'_>) -> Read<LinkedIdentity> {
    Ok(LinkedIdentity {
        key: IdentityKey {
            directory: DirectoryId::from_bytes(row.get(0)?),
            source: SubjectSource(row.get(1)?),
            subject: row.get(2)?,
        },
        account: AccountId::from_bytes(row.get(3)?),
        by: parsed(row, 4, |text| match text {
            "first_login" => Ok(LinkedBy::FirstLogin),
            "authority" => Ok(LinkedBy::Authority),
            "import" => Ok(LinkedBy::Import),
            "owner" => Ok(LinkedBy::Owner),
            "relink" => Ok(LinkedBy::Relink),
            _ => Err("origin of a link"),
        })?,
        linked_at: time(row, 5)?,
        suspended: row.get(6)?,
    })
}

/// Reads [`linked_by_column`].
pub(in crate::store) fn linked_by(row: &Row<'_>, column: usize) -> Read<LinkedBy> {
    parsed(row, column, |text| match text {
        "first_login" => Ok(LinkedBy::FirstLogin),
        "authority" => Ok(LinkedBy::Authority),
        "import" => Ok(LinkedBy::Import),
        "owner" => Ok(LinkedBy::Owner),
        "relink" => Ok(LinkedBy::Relink),
        _ => Err("origin of a link"),
    })
}

/// The column `linked_by`.
pub(in crate::store) fn linked_by_column(by: LinkedBy) -> &'static str {
    match by {
        LinkedBy::FirstLogin => "first_login",
        LinkedBy::Authority => "authority",
        LinkedBy::Import => "import",
        LinkedBy::Owner => "owner",
        LinkedBy::Relink => "relink",
    }
}

/// Columns of [`login_session`].
pub(in crate::store) const LOGIN_SESSION: &str = "id, key, account, directory, method, amr, groups, auth_time, browser, \
     provider_session, logout_hint, created_at, last_seen, idle_millis, abs_at, account_epoch, ask_before, mac, \
     confined_to, stepped_at, name_key, device, app, app_key, app_turn, app_turned_at, token_scope, token_label";

pub(in crate::store) fn login_session(row: &Row<'_>) -> Read<LoginSession> {
    Ok(LoginSession {
        id: LoginSessionId::from_bytes(row.get(0)?),
        key: SessionKey(row.get(1)?),
        account: AccountId::from_bytes(row.get(2)?),
        directory: DirectoryId::from_bytes(row.get(3)?),
        method: parsed(row, 4, |text| Method::from_code(text).ok_or("method"))?,
        amr: list(row, 5)?,
        groups: list(row, 6)?,
        auth_time: time(row, 7)?,
        browser: row.get(8)?,
        provider_session: row.get(9)?,
        logout_hint: row.get(10)?,
        created_at: time(row, 11)?,
        last_seen: time(row, 12)?,
        idle_millis: row.get::<i64>(13)?.cast_unsigned(),
        abs_at: time(row, 14)?,
        account_epoch: row.get(15)?,
        ask_before: products(row, 16)?,
        confined_to: match row.get::<Option<String>>(18)? {
            Some(_) => Some(parsed(row, 18, ProductName::parse)?),
            None => None,
        },
        stepped_at: row.get::<Option<i64>>(19)?.map(Timestamp::from_millis),
        name_key: row.get(20)?,
        device: row.get::<Option<String>>(21)?.map(|code| Device::from_code(&code)),
        grant: grant(row)?,
        personal: personal(row)?,
        mac: row.get(17)?,
    })
}

/// What makes a login session an app's, from column 22 on.
fn grant(row: &Row<'_>) -> Read<Option<Box<Grant>>> {
    if row.is_null(22)? {
        return Ok(None);
    }
    Ok(Some(Box::new(Grant {
        app: parsed(row, 22, AppName::parse)?,
        bound_to: row.get::<Option<[u8; 32]>>(23)?.map(Thumbprint),
        turn: row.get(24)?,
        turned_at: time(row, 25)?,
    })))
}

/// What makes a login session a personal token's, from column 26 on.
fn personal(row: &Row<'_>) -> Read<Option<Box<Personal>>> {
    if row.is_null(26)? {
        return Ok(None);
    }
    let scope = parsed(row, 26, |text| Scope::from_code(text).ok_or("scope"))?;
    Ok(Some(Box::new(Personal { label: parsed(row, 27, TokenLabel::parse)?, scope })))
}

/// Columns of [`product_session`].
pub(in crate::store) const PRODUCT_SESSION: &str = "id, key, parent, product, host, account, product_account, created_at, \
     last_seen, idle_millis, abs_at, account_epoch, mac";

pub(in crate::store) fn product_session(row: &Row<'_>) -> Read<ProductSession> {
    Ok(ProductSession {
        id: ProductSessionId::from_bytes(row.get(0)?),
        key: SessionKey(row.get(1)?),
        parent: LoginSessionId::from_bytes(row.get(2)?),
        product: parsed(row, 3, ProductName::parse)?,
        host: parsed(row, 4, Origin::parse)?,
        account: AccountId::from_bytes(row.get(5)?),
        product_account: ProductAccountId::from_bytes(row.get(6)?),
        created_at: time(row, 7)?,
        last_seen: time(row, 8)?,
        idle_millis: row.get::<i64>(9)?.cast_unsigned(),
        abs_at: time(row, 10)?,
        account_epoch: row.get(11)?,
        mac: row.get(12)?,
    })
}

/// Reads the columns `kind`, `subject` and `detail` from `first` on.
pub(in crate::store) fn revocation(row: &Row<'_>, first: usize) -> Read<Revocation> {
    let subject = first + 1;
    let kind: String = row.get(first)?;
    Ok(match kind.as_str() {
        "login_session" => Revocation::LoginSession(parsed(row, subject, LoginSessionId::parse)?),
        "product_session" => Revocation::ProductSession(parsed(row, subject, ProductSessionId::parse)?),
        "account" => Revocation::Account(parsed(row, subject, AccountId::parse)?),
        "provider_session" => Revocation::ProviderSession {
            directory: parsed(row, subject, DirectoryId::parse)?,
            sid: row.get(first + 2)?,
        },
        "organization" => Revocation::Organization(parsed(row, subject, OrgName::parse)?),
        "product" => Revocation::Product(parsed(row, subject, ProductName::parse)?),
        "keys" => Revocation::Keys,
        "phases" => Revocation::Phases,
        _ => return Err(damaged(first, format!("revocation of kind {kind}"))),
    })
}

/// The columns `kind`, `subject` and `detail`.
pub(in crate::store) fn revocation_columns(revocation: &Revocation) -> (&'static str, String, &str) {
    match revocation {
        Revocation::LoginSession(id) => ("login_session", id.to_string(), ""),
        Revocation::ProductSession(id) => ("product_session", id.to_string(), ""),
        Revocation::Account(id) => ("account", id.to_string(), ""),
        Revocation::ProviderSession { directory, sid } => ("provider_session", directory.to_string(), sid),
        Revocation::Organization(org) => ("organization", org.to_string(), ""),
        Revocation::Product(product) => ("product", product.to_string(), ""),
        Revocation::Keys => ("keys", String::new(), ""),
        Revocation::Phases => ("phases", String::new(), ""),
    }
}
