//! What a product is told about a person: the signed assertion and the plain fields beside it.

use crate::kernel::model::{Account, Catalog, Claim, LoginSession, Product, ProductAccount, ProductSession};
use crate::kernel::standing;
use crate::kernel::values::{OrgName, Timestamp};
use crate::keys::{AssertionClaims, Keys};
use http::{HeaderName, HeaderValue};
use std::sync::Arc;

/// A person as one product sees them.
#[derive(Clone, Debug)]
pub(super) struct Who {
    product: Arc<Product>,
    pub org: Option<OrgName>,
    claims: AssertionClaims,
}

impl Who {
    /// Put together from the rows of a session; `None` when the product is not configured any more.
    pub(super) fn new(
        catalog: &Catalog,
        session: &ProductSession,
        login: &LoginSession,
        account: &Account,
        record: &ProductAccount,
    ) -> Option<Self> {
        let product = Arc::clone(catalog.products.get(&session.product)?);
        let proved = standing::proved_addresses(account, &[]);
        let org = standing::managements(catalog, &proved).first().map(|held| held.org.name.clone());
        let claims = AssertionClaims {
            issuer: catalog.login.url(),
            product: session.product.clone(),
            host: session.host.clone(),
            sub: record.sub.clone(),
            email: proved.first().map(|email| (*email).clone()),
            name: account.name.clone(),
            account: account.id,
            org: org.clone(),
            groups: login.groups.clone(),
            amr: login.amr.clone(),
            auth_time: login.auth_time,
            sid: session.id,
        };
        Some(Self { product, org, claims })
    }

    fn claim(&self, claim: Claim) -> String {
        let claims = &self.claims;
        match claim {
            Claim::Sub => claims.sub.clone(),
            Claim::Email => claims.email.as_ref().map(ToString::to_string).unwrap_or_default(),
            Claim::Name => claims.name.clone().unwrap_or_default(),
            Claim::Account => claims.account.to_string(),
            Claim::Org => claims.org.as_ref().map(ToString::to_string).unwrap_or_default(),
            Claim::Groups => claims.groups.join(","),
            Claim::Amr => claims.amr.join(" "),
        }
    }
}

/// The fields beside the assertion, for products that read no JWT.
const PLAIN: [(&str, Claim); 6] = [
    ("x-fedgate-user", Claim::Sub),
    ("x-fedgate-email", Claim::Email),
    ("x-fedgate-name", Claim::Name),
    ("x-fedgate-account", Claim::Account),
    ("x-fedgate-org", Claim::Org),
    ("x-fedgate-groups", Claim::Groups),
];

/// All identity fields, with a fresh assertion. An empty claim sends no field.
pub(super) fn fields(keys: &Keys, who: &Who, now: Timestamp) -> Vec<(HeaderName, HeaderValue)> {
    let mut fields = Vec::with_capacity(PLAIN.len() + 1 + who.product.identity_fields.len());
    if let Ok(assertion) = HeaderValue::from_str(&keys.mint(&who.claims, now)) {
        fields.push((HeaderName::from_static("fedgate-assertion"), assertion));
    }
    let plain = PLAIN.iter().map(|(name, claim)| (HeaderName::from_static(name), *claim));
    let own = who.product.identity_fields.iter().filter_map(|(name, claim)| {
        HeaderName::from_bytes(name.as_bytes()).ok().map(|name| (name, *claim))
    });
    for (name, claim) in plain.chain(own) {
        // UTF-8 as it is; a control character would end the field, so it never gets there (rule M26).
        let text: String = who.claim(claim).chars().filter(|c| !c.is_control()).collect();
        match HeaderValue::from_bytes(text.as_bytes()) {
            Ok(value) if !text.is_empty() => fields.push((name, value)),
            Ok(_) | Err(_) => {}
        }
    }
    fields
}
