//! What a product is told about a person: the signed assertion and the plain fields beside it.

use crate::kernel::model::{Account, Catalog, Claim, LoginSession, Product, ProductAccount, ProductSession};
use crate::kernel::standing;
use crate::kernel::values::{EmailAddress, OrgName, Origin, Timestamp};
use crate::keys::{AssertionClaims, KeyFault, Keys, MAX_LIFETIME};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// A person as one product sees them.
#[derive(Clone, Debug)]
pub(super) struct Who<'a> {
    pub product: Arc<Product>,
    pub org: Option<OrgName>,
    email: Option<&'a EmailAddress>,
    session: &'a ProductSession,
    login: &'a LoginSession,
    account: &'a Account,
    record: &'a ProductAccount,
}

impl<'a> Who<'a> {
    /// Put together from the rows of a session; `None` when the product is not configured any more.
    pub(super) fn new(
        catalog: &Catalog,
        session: &'a ProductSession,
        login: &'a LoginSession,
        account: &'a Account,
        record: &'a ProductAccount,
    ) -> Option<Self> {
        let product = Arc::clone(catalog.products.get(&session.product)?);
        // An address that was never proved is nobody's, and is told to no product.
        let proved = standing::proved_addresses(account, &[]);
        let org = standing::manager_of(catalog, &proved).cloned();
        Some(Self { product, org, email: proved.first().copied(), session, login, account, record })
    }

    fn claim(&self, claim: Claim) -> String {
        match claim {
            Claim::Sub => self.record.sub.clone(),
            Claim::Email => self.email.map(ToString::to_string).unwrap_or_default(),
            Claim::Name => self.account.name.clone().unwrap_or_default(),
            Claim::Account => self.account.id.to_string(),
            Claim::Org => self.org.as_ref().map(ToString::to_string).unwrap_or_default(),
            Claim::Groups => self.login.groups.join(","),
            Claim::Amr => self.login.amr.join(" "),
        }
    }

    fn assertion(&self, keys: &Keys, issuer: &Origin, now: Timestamp) -> Result<String, KeyFault> {
        keys.mint(&AssertionClaims {
            login: issuer,
            product: &self.session.product,
            host: &self.session.host,
            sub: &self.record.sub,
            email: self.email,
            name: self.account.name.as_deref(),
            account: self.account.id,
            org: self.org.as_ref(),
            groups: &self.login.groups,
            amr: &self.login.amr,
            auth_time: self.login.auth_time,
            sid: self.session.id,
            now,
            lifetime: MAX_LIFETIME,
        })
    }
}

const ASSERTION: HeaderName = HeaderName::from_static("fedgate-assertion");

/// The fields beside the assertion, for products that read no JWT; all are in [`crate::web::IDENTITY_FIELDS`].
const PLAIN: [(&str, Claim); 6] = [
    ("x-fedgate-user", Claim::Sub),
    ("x-fedgate-email", Claim::Email),
    ("x-fedgate-name", Claim::Name),
    ("x-fedgate-account", Claim::Account),
    ("x-fedgate-org", Claim::Org),
    ("x-fedgate-groups", Claim::Groups),
];

/// All identity fields, with a fresh assertion. An empty claim sends no field.
///
/// # Errors
/// [`KeyFault`] when no assertion can be signed: a product that reads it must not be asked without it.
pub(super) fn fields(
    keys: &Keys,
    issuer: &Origin,
    who: &Who<'_>,
    now: Timestamp,
) -> Result<Vec<(HeaderName, HeaderValue)>, KeyFault> {
    let assertion = who.assertion(keys, issuer, now)?;
    let plain = PLAIN.iter().map(|(name, claim)| (HeaderName::from_static(name), *claim));
    let own = who
        .product
        .identity_fields
        .iter()
        .filter_map(|(name, claim)| HeaderName::from_bytes(name.as_bytes()).ok().map(|name| (name, *claim)));
    let mut written = vec![(ASSERTION, assertion)];
    // UTF-8 as it is; a control character would end the field, so it never gets there (rule M26).
    let text = |claim| who.claim(claim).chars().filter(|c| !c.is_control()).collect::<String>();
    written.extend(plain.chain(own).map(|(name, claim)| (name, text(claim))).filter(|(_, text)| !text.is_empty()));
    packed(&written)
}

/// The same fields with the assertion renewed.
///
/// # Errors
/// As [`fields`].
pub(super) fn renewed(
    keys: &Keys,
    fields: &[(HeaderName, HeaderValue)],
    now: Timestamp,
) -> Result<Vec<(HeaderName, HeaderValue)>, KeyFault> {
    let said = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let again = |(name, value): &(HeaderName, HeaderValue)| match *name == ASSERTION {
        true => keys.renew(&said(value), now, MAX_LIFETIME).map(|assertion| (name.clone(), assertion)),
        false => Ok((name.clone(), said(value))),
    };
    packed(&fields.iter().map(again).collect::<Result<Vec<_>, _>>()?)
}

/// All values in one allocation: there are a million of these.
fn packed(written: &[(HeaderName, String)]) -> Result<Vec<(HeaderName, HeaderValue)>, KeyFault> {
    let all = Bytes::from(written.iter().map(|(_, text)| text.as_str()).collect::<String>());
    let mut at = 0;
    let mut fields = Vec::with_capacity(written.len());
    for (name, text) in written {
        let value = HeaderValue::from_maybe_shared(all.slice(at..at + text.len()));
        at += text.len();
        match value {
            Ok(value) => fields.push((name.clone(), value)),
            Err(_) if *name == ASSERTION => return Err(KeyFault::Crypto),
            // What is no field's value is left out, as an empty one is.
            Err(_) => {}
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::PLAIN;
    use crate::web::IDENTITY_FIELDS;

    #[test]
    fn the_list_of_identity_fields_is_what_is_sent() {
        let sent = std::iter::once("fedgate-assertion").chain(PLAIN.iter().map(|(name, _)| *name));
        assert!(sent.eq(IDENTITY_FIELDS.iter().map(|name| name.as_str())));
    }
}
