//! What a product says of its people when they are imported: one row read, bounded and judged, without a store.
//!
//! A row is hostile like any input: it may name an address that is somebody else's, cost a login's worth of hashing a thousand
//! times over (rule H18), or carry what a page would show. What it never does is link anybody by an address (§4 #32). An
//! identity by which the product knew the person stays theirs, and moves the account as the product's own login with it would (T09).

use super::values::{EmailAddress, EnterpriseName, Timestamp, legible};
use chrono::DateTime;
use serde::Deserialize;
use std::fmt;
use zeroize::Zeroizing;

/// The longest row in bytes, without its end of line.
pub const LONGEST_ROW: usize = 64 * 1024;
/// The most addresses of one person.
pub const MOST_ADDRESSES: usize = 20;
/// The most identities of one person.
const MOST_LINKS: usize = 16;
/// The longest user id of a product, in characters.
const LONGEST_ID: usize = 255;
/// The longest hash and the longest subject, in bytes.
const LONGEST_TEXT: usize = 1024;

/// One person of a product, as the product knows them.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// The product's own user id; it never changes (rule H19).
    pub sub: String,
    /// Its addresses, each once; at least one.
    pub addresses: Vec<ImportedAddress>,
    /// The name to show.
    pub name: Option<String>,
    /// The product's hash of the password.
    pub hash: Option<Hash>,
    /// When that password was set.
    pub password_set_at: Option<Timestamp>,
    /// Identities at other providers that the product knows the person by.
    pub links: Vec<ImportedLink>,
    /// Whether the person is switched off at the product.
    pub off: bool,
    /// The product's enterprise that the person belongs to.
    pub enterprise: Option<EnterpriseName>,
    /// When the product's account was made.
    pub created_at: Option<Timestamp>,
    /// When the person last used it.
    pub last_login_at: Option<Timestamp>,
}

/// A hash as the product wrote it. It shows nothing of itself.
#[derive(Clone)]
pub struct Hash(Zeroizing<String>);

impl Hash {
    /// The text, for the one that puts argon2id over it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hash(…)")
    }
}

/// An address of an imported person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportedAddress {
    /// The address.
    pub email: EmailAddress,
    /// Whether the product says that it was proved. Not said is not proved.
    pub verified: bool,
    /// When.
    pub verified_at: Option<Timestamp>,
    /// Whether it is the one that the product writes to.
    pub primary: bool,
    /// When it was added.
    pub added_at: Option<Timestamp>,
    /// When somebody last logged in with it.
    pub last_login_at: Option<Timestamp>,
}

/// An identity at another provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportedLink {
    /// The name of a `[third_party.NAME]`.
    pub provider: String,
    /// The `sub` that it knows the person by.
    pub subject: String,
}

/// Why a row is not imported.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RowFault {
    /// Longer than [`LONGEST_ROW`].
    #[error("longer than 64 KiB")]
    TooLong,
    /// No row: the JSON or CSV does not parse, or a member is unknown.
    #[error("{0}")]
    Shape(String),
    /// The user id.
    #[error("id: 1 to 255 characters without control characters")]
    Id,
    /// No address, or too many.
    #[error("emails: 1 to 20 addresses")]
    NoAddress,
    /// An address does not parse.
    #[error("{0:?} is not an address: write name@example.com, in ASCII before the @")]
    Address(String),
    /// An address twice.
    #[error("{0} stands there twice")]
    Twice(EmailAddress),
    /// More than one primary address.
    #[error("more than one primary address")]
    Primaries,
    /// The hash is longer than any.
    #[error("password_hash: longer than 1 KiB")]
    Hash,
    /// An identity.
    #[error("links: at most 16, each with a provider and a subject of 1 to 1024 bytes, one of each provider")]
    Link,
    /// An enterprise.
    #[error("enterprise: {0:?} is no name")]
    Enterprise(String),
    /// A time.
    #[error("{0:?} is not a time: write it like 2026-11-30T14:02:00Z")]
    Time(String),
}

impl RowFault {
    /// The stable name in outcomes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::Shape(_) => "shape",
            Self::Id => "id",
            Self::NoAddress => "no-address",
            Self::Address(_) => "address",
            Self::Twice(_) => "address-twice",
            Self::Primaries => "primaries",
            Self::Hash => "hash",
            Self::Link => "link",
            Self::Enterprise(_) => "enterprise",
            Self::Time(_) => "time",
        }
    }
}

/// A row of JSON lines as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    #[serde(default)]
    emails: Vec<WrittenAddress>,
    name: Option<String>,
    password_hash: Option<String>,
    password_set_at: Option<String>,
    #[serde(default)]
    links: Vec<WrittenLink>,
    status: Option<Status>,
    enterprise: Option<String>,
    created_at: Option<String>,
    last_login_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAddress {
    address: String,
    #[serde(default)]
    verified: bool,
    verified_at: Option<String>,
    #[serde(default)]
    primary: bool,
    added_at: Option<String>,
    last_login_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLink {
    provider: String,
    subject: String,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Off,
}

/// Reads a row of JSON lines.
///
/// # Errors
/// [`RowFault`] says what to write.
pub fn read_json(line: &str) -> Result<ImportRow, RowFault> {
    if line.len() > LONGEST_ROW {
        return Err(RowFault::TooLong);
    }
    // serde's text quotes what it found; a hash is never what it found, as texts are taken whole.
    let written: Written = serde_json::from_str(line).map_err(|why| RowFault::Shape(shape(&why)))?;
    written.read()
}

/// What is wrong, without the line's own words: they may be a password's hash in the wrong place.
fn shape(why: &serde_json::Error) -> String {
    match why.classify() {
        serde_json::error::Category::Data => {
            let text = why.to_string();
            let known = ["unknown field", "missing field", "duplicate field"].iter().any(|kind| text.starts_with(kind));
            let text: String = text.chars().take(200).collect();
            let column = why.column();
            if known { legible(&text) } else { format!("a member has the wrong type, before column {column}") }
        }
        _ => format!("not JSON, at column {}", why.column()),
    }
}

/// The columns of a CSV file with people, in the order of its header.
#[derive(Clone, Debug)]
pub struct Columns(Vec<Column>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Column {
    Id,
    Email,
    EmailVerified,
    Name,
    PasswordHash,
    PasswordSetAt,
    Status,
    Enterprise,
    CreatedAt,
    LastLoginAt,
    Link(String),
}

impl Columns {
    /// Reads the header. One person is one line with one address there; people with several need JSON lines.
    ///
    /// # Errors
    /// A sentence with what to write.
    pub fn of_header<'a>(header: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut columns = Vec::new();
        for name in header {
            let column = match name.trim() {
                "id" => Column::Id,
                "email" => Column::Email,
                "email_verified" => Column::EmailVerified,
                "name" => Column::Name,
                "password_hash" => Column::PasswordHash,
                "password_set_at" => Column::PasswordSetAt,
                "status" => Column::Status,
                "enterprise" => Column::Enterprise,
                "created_at" => Column::CreatedAt,
                "last_login_at" => Column::LastLoginAt,
                other => match other.strip_prefix("link.").filter(|provider| !provider.is_empty()) {
                    Some(provider) => Column::Link(provider.to_owned()),
                    None => return Err(format!("the column {:?} is unknown: {KNOWN}", legible(other))),
                },
            };
            if columns.contains(&column) {
                return Err(format!("the column {:?} stands there twice", legible(name)));
            }
            columns.push(column);
        }
        for (needed, name) in [(Column::Id, "id"), (Column::Email, "email")] {
            if !columns.contains(&needed) {
                return Err(format!("the first line needs the column {name:?}: {KNOWN}"));
            }
        }
        Ok(Self(columns))
    }

    /// Reads one record. An empty field says nothing.
    ///
    /// # Errors
    /// [`RowFault`] says what to write.
    pub fn read<'a>(&self, fields: impl Iterator<Item = &'a str> + Clone) -> Result<ImportRow, RowFault> {
        let found = fields.clone().count();
        if found != self.0.len() {
            return Err(RowFault::Shape(format!("{found} fields where the header has {}", self.0.len())));
        }
        let mut written = Written {
            id: String::new(),
            email: None,
            email_verified: false,
            emails: Vec::new(),
            name: None,
            password_hash: None,
            password_set_at: None,
            links: Vec::new(),
            status: None,
            enterprise: None,
            created_at: None,
            last_login_at: None,
        };
        for (column, field) in self.0.iter().zip(fields).filter(|(_, field)| !field.is_empty()) {
            let text = field.to_owned();
            match column {
                Column::Id => written.id = text,
                Column::Email => written.email = Some(text),
                Column::EmailVerified => written.email_verified = truth(field)?,
                Column::Name => written.name = Some(text),
                Column::PasswordHash => written.password_hash = Some(text),
                Column::PasswordSetAt => written.password_set_at = Some(text),
                Column::Status => {
                    written.status = Some(match field {
                        "active" => Status::Active,
                        "off" => Status::Off,
                        _ => return Err(RowFault::Shape("status: write active or off".to_owned())),
                    });
                }
                Column::Enterprise => written.enterprise = Some(text),
                Column::CreatedAt => written.created_at = Some(text),
                Column::LastLoginAt => written.last_login_at = Some(text),
                Column::Link(provider) => {
                    written.links.push(WrittenLink { provider: provider.clone(), subject: text });
                }
            }
        }
        written.read()
    }
}

const KNOWN: &str = "id, email, email_verified, name, password_hash, password_set_at, status, enterprise, created_at, last_login_at, \
                     link.PROVIDER";

/// Anything but a clear word is no proof of an address (§4 #1): it refuses the row, so that nobody is taken for unproved by a typo.
fn truth(field: &str) -> Result<bool, RowFault> {
    match field {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(RowFault::Shape("email_verified: write true or false".to_owned())),
    }
}

fn time(text: Option<String>) -> Result<Option<Timestamp>, RowFault> {
    text.map(|text| match DateTime::parse_from_rfc3339(&text) {
        Ok(time) => Ok(Timestamp::from_millis(time.timestamp_millis())),
        Err(_) => Err(RowFault::Time(text.chars().take(40).collect())),
    })
    .transpose()
}

impl Written {
    fn read(self) -> Result<ImportRow, RowFault> {
        let sound = (1..=LONGEST_ID).contains(&self.id.chars().count()) && !self.id.chars().any(char::is_control);
        if !sound {
            return Err(RowFault::Id);
        }
        let short = self.email.map(|address| WrittenAddress {
            address,
            verified: self.email_verified,
            verified_at: None,
            primary: self.emails.iter().all(|other| !other.primary),
            added_at: None,
            last_login_at: None,
        });
        let mut addresses: Vec<ImportedAddress> = Vec::new();
        for given in short.into_iter().chain(self.emails) {
            let address = given.read()?;
            if addresses.iter().any(|other| other.email == address.email) {
                return Err(RowFault::Twice(address.email));
            }
            addresses.push(address);
            if addresses.len() > MOST_ADDRESSES {
                return Err(RowFault::NoAddress);
            }
        }
        match addresses.iter().filter(|address| address.primary).count() {
            _ if addresses.is_empty() => return Err(RowFault::NoAddress),
            0 | 1 => {}
            _ => return Err(RowFault::Primaries),
        }
        let hash = self.password_hash.map(Zeroizing::new).filter(|hash| !hash.is_empty());
        if hash.as_ref().is_some_and(|hash| hash.len() > LONGEST_TEXT) {
            return Err(RowFault::Hash);
        }
        let mut links: Vec<ImportedLink> = Vec::new();
        for WrittenLink { provider, subject } in self.links {
            let sound = (1..=LONGEST_TEXT).contains(&subject.len()) && !subject.chars().any(char::is_control);
            if !sound || links.len() == MOST_LINKS || links.iter().any(|other| other.provider == provider) {
                return Err(RowFault::Link);
            }
            links.push(ImportedLink { provider, subject });
        }
        let enterprise = self.enterprise.as_deref().map(EnterpriseName::parse).transpose();
        let enterprise = enterprise.map_err(|_| {
            RowFault::Enterprise(self.enterprise.iter().flat_map(|name| name.chars()).take(80).collect())
        })?;
        Ok(ImportRow {
            sub: self.id,
            addresses,
            name: self.name,
            hash: hash.map(Hash),
            password_set_at: time(self.password_set_at)?,
            links,
            off: self.status == Some(Status::Off),
            enterprise,
            created_at: time(self.created_at)?,
            last_login_at: time(self.last_login_at)?,
        })
    }
}

impl WrittenAddress {
    fn read(self) -> Result<ImportedAddress, RowFault> {
        let email = EmailAddress::parse(&self.address)
            .map_err(|_| RowFault::Address(self.address.chars().take(80).collect()))?;
        Ok(ImportedAddress {
            email,
            verified: self.verified,
            verified_at: time(self.verified_at)?,
            primary: self.primary,
            added_at: time(self.added_at)?,
            last_login_at: time(self.last_login_at)?,
        })
    }
}

impl ImportRow {
    /// The address that the person is known by until they move (§3.5, without the issuer's): the proved primary one; else the proved
    /// one that was last logged in with; else the one proved last; else the proved one added first; without a proved one the primary,
    /// else the first by age. Ties are settled bytewise, so that two runs agree.
    pub fn live(&self) -> Option<&ImportedAddress> {
        let proved = || self.addresses.iter().filter(|address| address.verified);
        let latest = |time: fn(&ImportedAddress) -> Option<Timestamp>| {
            proved().filter(|one| time(one).is_some()).max_by(|one, other| {
                time(one).cmp(&time(other)).then_with(|| other.email.as_str().cmp(one.email.as_str()))
            })
        };
        let oldest = |one: &&ImportedAddress| (one.added_at.is_none(), one.added_at, one.email.as_str().to_owned());
        proved()
            .find(|address| address.primary)
            .or_else(|| latest(|one| one.last_login_at))
            .or_else(|| latest(|one| one.verified_at))
            .or_else(|| proved().min_by_key(oldest))
            .or_else(|| self.addresses.iter().find(|address| address.primary))
            .or_else(|| self.addresses.iter().min_by_key(oldest))
    }

    /// Whether nobody ever proved one of its addresses (rule B21).
    pub fn is_unverified(&self) -> bool {
        self.addresses.iter().all(|address| !address.verified)
    }
}

#[cfg(test)]
mod tests;
