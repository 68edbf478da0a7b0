//! What decisions need to know of a product. What the data path needs stands in the gateway's own options.

use super::{Adapter, App, Limits, MigrationPlan, PasswordApi};
use crate::kernel::values::{EmailAddress, EnterpriseName, OrgName, Origin, ProductName};
use std::time::Duration;

/// A product behind the gateway.
#[derive(Clone, Debug)]
pub struct Product {
    /// The operator's name of it.
    pub name: ProductName,
    /// What people read; default the name with a capital letter.
    pub label: String,
    /// Its public origins: the first is canonical.
    pub hosts: Vec<Origin>,
    /// Who may enter.
    pub allow: Allow,
    /// Who may get an account by logging in.
    pub signup: Signup,
    /// Who checks local passwords.
    pub passwords: Passwords,
    /// Who is asked about passwords that the product keeps; without it nobody enters by one.
    pub adapter: Option<Adapter>,
    /// Its own JSON logins for apps.
    pub password_api: Vec<PasswordApi>,
    /// How far its local accounts are moved to the one account, and when that changes.
    pub migration: MigrationPlan,
    /// Session limits; the person's policy may be stricter.
    pub limits: Limits,
    /// How long an app stays logged in after its person authenticated, used or not; the person's policy may be stricter. None: as long as
    /// a browser.
    pub native: Option<Duration>,
    /// How long a personal token for it may live; the person's policy may be stricter. None: it takes none.
    pub token: Option<Duration>,
    /// Its own apps that people install.
    pub apps: Vec<App>,
    /// Companies that bought the product for their people, as the product knows them: they say who of their own may enter it.
    pub enterprises: Vec<Enterprise>,
    /// `#rrggbb` for its pages.
    pub colour: Option<[u8; 3]>,
    /// Further identity fields for products that read no JWT: field name and claim.
    pub identity_fields: Vec<(String, Claim)>,
    /// Paths that ask for a proof of just now; none where no path does.
    pub step_up: Option<StepUp>,
    /// What happens while the store is out, to sessions that are cached and not known to be ended (rule M2).
    pub on_store_outage: Outage,
}

impl Product {
    /// The enterprise of a name.
    pub fn enterprise(&self, name: &EnterpriseName) -> Option<&Enterprise> {
        self.enterprises.iter().find(|one| one.name == *name)
    }

    /// Whether it has an enterprise of a name.
    pub fn has_enterprise(&self, name: &EnterpriseName) -> bool {
        self.enterprise(name).is_some()
    }
}

/// A product's own enterprise (rows T20, T37): a second manager beside an organization, of access to this one product and of nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enterprise {
    /// The operator's name of it; unique in the product.
    pub name: EnterpriseName,
    /// What people read.
    pub label: String,
    /// Its administrators, invited by address (rule H3).
    pub admins: Vec<EmailAddress>,
    /// Whether accounts of its members may be merged into others (row L10).
    pub merging: bool,
}

/// Paths that ask for a proof of just now (rule M6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepUp {
    /// Each one path (`/billing`), or everything below one (`/admin/*`).
    pub paths: Vec<String>,
    /// How old the proof may be.
    pub within: Duration,
}

/// What may be copied into a field of the product's choice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// The product's own user id.
    Sub,
    /// The live address.
    Email,
    /// The name.
    Name,
    /// The account id.
    Account,
    /// The managing organization.
    Org,
    /// Groups, comma separated.
    Groups,
    /// Authentication methods, space separated.
    Amr,
}

/// What happens while the store is out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outage {
    /// Cached sessions stay for this long after the freshness lease lapsed; default 2 min.
    Grace(Duration),
    /// Nobody.
    Deny,
}

/// Who checks a product's local passwords.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Passwords {
    /// There are none.
    #[default]
    None,
    /// The gateway: they were imported, or set here.
    Here,
    /// The product, asked by its adapter.
    Product,
}

/// Who may enter: any of these. Everything empty means nobody; `everyone` stands for products whose file says so by
/// `signup = "open"` without an `allow`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Allow {
    /// Anybody whom the account rules admit.
    pub everyone: bool,
    /// People whom these organizations manage.
    pub orgs: Vec<OrgName>,
    /// People in these groups, as asserted by their organization's directory.
    pub groups: Vec<String>,
    /// These people, by proved address.
    pub people: Vec<EmailAddress>,
}

/// Who may get an account by a first login.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signup {
    /// People whom an organization that may enter manages, by its own directory.
    Org,
    /// Whoever proves an address.
    Open,
    /// Nobody.
    Closed,
}
