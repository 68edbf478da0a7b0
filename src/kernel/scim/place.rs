//! Whose account a provisioned user is (rule H4), and what a directory may do to it.
//!
//! A directory sees what it made or took on, and nothing else. An address names an account only where nobody of this directory ever
//! was behind it, it is active, no other directory keeps it, and every proved address of it is one that this directory may speak for.
//! Whoever was deleted here is out for good: who comes after them under the same address is somebody new (mistake 3).

use crate::kernel::model::{Account, AccountStatus, Catalog, Directory, LinkedIdentity};
use crate::kernel::standing::{manager_of, proved_addresses, speaks_for};
use crate::kernel::values::{AccountId, DirectoryId, EmailAddress, Timestamp};

/// What a directory keeps of one of its users.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Provisioned {
    /// Whose row it is; with `account` its key.
    pub directory: DirectoryId,
    /// The account, which is the resource's `id` as well.
    pub account: AccountId,
    /// `userName`, lower-cased; unique among the directory's users who are there.
    pub user_name: String,
    /// `externalId`; unique likewise.
    pub external_id: Option<String>,
    /// The attributes in their one form, as JSON.
    pub attributes: String,
    /// What the directory says last of whether the person may act.
    pub active: bool,
    /// The account's epoch right after this directory switched it off: as long as it is that, nobody else has touched its status
    /// since, and this directory may take its own word back.
    pub off_epoch: Option<u32>,
    /// Counts changes; the resource's ETag.
    pub version: u32,
    /// When it was made or taken on.
    pub created_at: Timestamp,
    /// The last change.
    pub changed_at: Timestamp,
    /// When the directory deleted it. The row stays, so that nobody is taken for whoever it was.
    pub deleted_at: Option<Timestamp>,
}

/// An account that an address might mean, with what decides about it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// Its links.
    pub identities: Vec<LinkedIdentity>,
    /// Its proved addresses besides its live one.
    pub further: Vec<EmailAddress>,
    /// What directories keep of it, deleted ones too.
    pub rows: Vec<Provisioned>,
}

/// What becomes of a user that is new to the directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Placed {
    /// A new account. These ones, which the directory deleted, give the address up for it.
    New(Vec<AccountId>),
    /// This account is the person's.
    Adopt(AccountId),
    /// Nobody's.
    Refused(Refused),
}

/// Why not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The address is in no domain that the directory may speak for (rule B3).
    Foreign,
    /// The address lives elsewhere: the admin is told (OVERLAP).
    Overlap(&'static str),
    /// The account, or the address, is an administrator's (rule H3): an alarm.
    Pinned,
}

/// Decides about a user that is new to the directory. `buried`: the address is of somebody who was deleted for good (rule H2).
pub fn place(
    catalog: &Catalog,
    directory: &Directory,
    email: &EmailAddress,
    (known, buried): (&[Known], bool),
) -> Placed {
    if speaks_for(catalog, directory, email).is_none() {
        return Placed::Refused(Refused::Foreign);
    }
    if buried {
        return Placed::Refused(Refused::Overlap("an account with this address was deleted for good"));
    }
    let mut gone = Vec::new();
    let mut there = Vec::new();
    for one in known.iter().filter(|one| one.account.status != AccountStatus::Deleted) {
        if gives_way(directory, one, email) { gone.push(one.account.id) } else { there.push(one) }
    }
    match there.as_slice() {
        [] => Placed::New(gone),
        [one] if gone.is_empty() => match may_adopt(catalog, directory, one, email) {
            Ok(()) => Placed::Adopt(one.account.id),
            Err(why) => Placed::Refused(Refused::Overlap(why)),
        },
        _ => Placed::Refused(Refused::Overlap("several accounts have this address")),
    }
}

/// Whether an account is one that this directory deleted and nobody else has touched since.
fn gives_way(directory: &Directory, one: &Known, email: &EmailAddress) -> bool {
    let deleted = one.rows.iter().any(|row| {
        row.directory == directory.id && row.deleted_at.is_some() && row.off_epoch == Some(one.account.epoch)
    });
    let held_elsewhere = one.rows.iter().any(|row| row.directory != directory.id && row.deleted_at.is_none());
    deleted
        && !held_elsewhere
        && one.account.status == AccountStatus::Deactivated
        && one.account.email.as_ref().is_none_or(|own| own == email)
        && one.further.iter().all(|further| further == email)
}

fn may_adopt(catalog: &Catalog, directory: &Directory, one: &Known, email: &EmailAddress) -> Result<(), &'static str> {
    let account = &one.account;
    if one.identities.iter().any(|link| link.key.directory == directory.id)
        || one.rows.iter().any(|row| row.directory == directory.id)
    {
        return Err("an account with this address is, or was, somebody of this directory");
    }
    if account.status != AccountStatus::Active {
        return Err("an account with this address is switched off");
    }
    if one.rows.iter().any(|row| row.deleted_at.is_none()) {
        return Err("another directory keeps an account with this address");
    }
    if !account.email_verified || account.email.as_ref() != Some(email) {
        return Err("an account has this address without having proved it");
    }
    match one.further.iter().all(|further| speaks_for(catalog, directory, further).is_some()) {
        true => Ok(()),
        false => Err("an account with this address has others that this directory may not speak for"),
    }
}

/// What decides about another address of one of the directory's users.
#[derive(Clone, Debug)]
pub struct Moves<'a> {
    /// The account as it is.
    pub account: &'a Account,
    /// Its proved addresses besides its live one.
    pub further: &'a [EmailAddress],
    /// Whether an administrator's role hangs on the account, or on the new address.
    pub pinned: bool,
    /// Whether anybody else has the address, at a product or anywhere, or had it until they were deleted for good.
    pub taken: bool,
    /// Whether a product still logs the account in by its address.
    pub has_own_login: bool,
}

/// Whether one of the directory's users may get another address.
///
/// # Errors
/// [`Refused`] says why not; nothing of the account changes then.
pub fn readdress(
    catalog: &Catalog,
    directory: &Directory,
    to: &EmailAddress,
    facts: &Moves<'_>,
) -> Result<(), Refused> {
    if facts.pinned {
        return Err(Refused::Pinned);
    }
    if speaks_for(catalog, directory, to).is_none() {
        return Err(Refused::Foreign);
    }
    if !manages(catalog, directory, facts.account, facts.further) {
        return Err(Refused::Overlap("the organization does not manage this account"));
    }
    if facts.taken {
        return Err(Refused::Overlap("the address is another account's"));
    }
    if facts.has_own_login {
        return Err(Refused::Overlap("a product still logs this account in by its address"));
    }
    Ok(())
}

/// Whether the directory's organization manages an account: only then does its word about the whole account count (row H4: nobody is
/// switched off by somebody else's provisioning).
pub fn manages(catalog: &Catalog, directory: &Directory, account: &Account, further: &[EmailAddress]) -> bool {
    let proved = proved_addresses(account, further);
    let manager = manager_of(catalog, &proved);
    manager.is_some() && manager == directory.org()
}

/// Whether a directory may switch an account on again: it switched it off itself, and nobody has touched its status since.
pub fn may_reactivate(row: &Provisioned, account: &Account) -> bool {
    account.status == AccountStatus::Deactivated && row.off_epoch == Some(account.epoch)
}
