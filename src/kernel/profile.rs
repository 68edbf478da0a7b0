//! Whose word about a name and an address an account follows after its first login (rows L09, T23).
//!
//! The account that people have everywhere is the issuer's: what it says of itself holds, as long as no organization manages either
//! address. A managed person's name is their organization's directory's to say; their address changes with the organization's own
//! tools, never by a login. What a third party says of a person is about the account over there (rules C2, C3).

use super::model::{Account, Catalog, Method};
use super::proof::{Claims, Vouched};
use super::standing::management;
use super::values::EmailAddress;

/// What a login changes of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Followed<'a> {
    /// The new name, as sent; none: it stays.
    pub name: Option<&'a str>,
    /// The new address; none: it stays. Whether it is free is for who has the store to say (§4 #31).
    pub email: Option<&'a EmailAddress>,
}

/// What of these claims the linked account follows.
pub fn follow<'a>(catalog: &Catalog, account: &Account, claims: &'a Claims) -> Followed<'a> {
    let live = account.email.as_ref().filter(|_| account.email_verified);
    let manager = live.and_then(|email| management(catalog, email)).map(|held| &held.org.name);
    let name = claims.name.as_deref();
    match claims.method {
        Method::Issuer if manager.is_none() => {
            let asserted = claims.email.as_ref().filter(|_| claims.email_verified == Vouched::Yes);
            let email = asserted.filter(|email| live.is_some_and(|live| live != *email));
            Followed { name, email: email.filter(|email| management(catalog, email).is_none()) }
        }
        Method::OrgSso => {
            let speaker = catalog.directories.get(&claims.identity.directory).and_then(|directory| directory.org());
            Followed { name: name.filter(|_| manager.is_some() && speaker == manager), email: None }
        }
        _ => Followed::default(),
    }
}
