//! What a product is told about a person: the signed assertion and the plain fields beside it.

use super::entry::Rows;
use crate::kernel::model::{Account, Catalog, Claim, LoginSession, Product, ProductAccount, ProductSession};
use crate::kernel::standing;
use crate::kernel::values::{EmailAddress, OrgName, Origin, Timestamp};
use crate::keys::{AssertionClaims, KeyFault, Keys, MAX_LIFETIME};
use crate::web::{FIELDS, Identity};
use http::HeaderName;
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
    pub(super) fn new(catalog: &Catalog, rows: &'a Rows) -> Option<Self> {
        let Rows { session, login, account, record, further } = rows;
        let product = Arc::clone(catalog.products.get(&session.product)?);
        // An address that was never proved is nobody's, and is told to no product.
        let proved = standing::proved_addresses(account, further);
        let org = standing::manager_of(catalog, &proved).cloned();
        let email = account.email.as_ref().filter(|_| account.email_verified);
        Some(Self { product, org, email, session, login, account, record })
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

/// The claims of the fields beside the assertion, for products that read no JWT, in the order of `IDENTITY_FIELDS`.
const PLAIN: [Claim; FIELDS - 1] = [Claim::Sub, Claim::Email, Claim::Name, Claim::Account, Claim::Org, Claim::Groups];

/// All identity fields, with a fresh assertion. An empty claim sends no field.
///
/// # Errors
/// [`KeyFault`] when no assertion can be signed: a product that reads it must not be asked without it.
pub(super) fn identity(keys: &Keys, issuer: &Origin, who: &Who<'_>, now: Timestamp) -> Result<Identity, KeyFault> {
    // UTF-8 as it is; a control character would end the field, so it never gets there (rule M26).
    let text = |claim| who.claim(claim).chars().filter(|c| !c.is_control()).collect::<String>();
    let mut said: [String; FIELDS] = Default::default();
    let [assertion, plain @ ..] = &mut said;
    *assertion = who.assertion(keys, issuer, now)?;
    for (said, claim) in plain.iter_mut().zip(PLAIN) {
        *said = text(claim);
    }
    let own = who.product.identity_fields.iter();
    let own = own.filter_map(|(name, claim)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, text(*claim))));
    Identity::new(&said, own.collect(), now).ok_or(KeyFault::Crypto)
}

/// The same with the assertion renewed.
///
/// # Errors
/// As [`identity`].
pub(super) fn renewed(keys: &Keys, known: &Identity, now: Timestamp) -> Result<Identity, KeyFault> {
    let assertion = keys.renew(known.assertion(), now, MAX_LIFETIME)?;
    known.renewed(&assertion, now).ok_or(KeyFault::Crypto)
}
