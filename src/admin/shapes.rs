//! What bodies look like. The schemas of these types are the API's documentation, so that it cannot say anything else.

use crate::orgs::change::People;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A part of a list.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Page<T> {
    /// What is listed.
    pub items: Vec<T>,
    /// What to send as `after` for the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An organization.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Organization {
    /// Its name, fixed.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Whether the operator's file names it: what stands there can only be tightened.
    pub in_file: bool,
    /// The version of its document; 0: it has none.
    pub version: u32,
    /// Domains that count now.
    pub domains: Vec<String>,
    /// Its directories.
    pub directories: Vec<String>,
    /// Addresses of its admins.
    pub admins: Vec<String>,
    /// Addresses of its auditors.
    pub auditors: Vec<String>,
    /// How many people it has here; `unknown` where nobody has logged in yet.
    #[schemars(schema_with = "count")]
    pub people: Value,
}

/// A new organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    /// 1 to 40 of a-z, 0-9 and -.
    pub name: String,
    /// What people read. Default: the name with a capital letter.
    #[serde(default)]
    pub label: Option<String>,
    /// Addresses of its admins: each is an invitation.
    #[serde(default)]
    pub admins: Vec<String>,
}

/// What of an organization is changed; what is absent stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganizationChange {
    /// What people read.
    #[serde(default)]
    pub label: Option<String>,
    /// Addresses of its admins.
    #[serde(default)]
    pub admins: Option<Vec<String>>,
    /// Addresses of its auditors.
    #[serde(default)]
    pub auditors: Option<Vec<String>>,
    /// The code that confirms what the change gives away.
    #[serde(default)]
    pub confirm: Option<String>,
}

/// One version of an organization.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Version {
    /// Its number.
    pub version: u32,
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// What was done.
    pub what: String,
    /// Whether the organization is removed by it.
    pub removed: bool,
    /// The document, where one version is asked for. Secrets never stand in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Value>,
}

/// Which version to bring back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revert {
    /// Its number. Default: the one before the newest.
    #[serde(default)]
    pub to: Option<u32>,
    /// The code that confirms what that gives away.
    #[serde(default)]
    pub confirm: Option<String>,
    /// Whether it may leave nobody who can administer the organization.
    #[serde(default)]
    pub accept_lockout_risk: bool,
}

/// A domain.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Domain {
    /// Its name, as an A-label.
    pub domain: String,
    /// `file` (stated by the operator), or the state of its proof.
    pub state: String,
    /// Whether it counts: its people are the organization's.
    pub counts: bool,
    /// The directory that its people use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Send it as If-Match with a removal; absent for the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// What was heard, one line for each that was asked, where a check was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heard: Vec<String>,
    /// What to publish to prove it, while that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Instructions>,
}

/// What proves a domain.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Instructions {
    /// A TXT record of this name, the domain itself …
    pub record_name: String,
    /// … with exactly this value; other records stay.
    pub value: String,
    /// Or a file at this address, with that value and nothing else in it.
    pub file: String,
    /// It has to be there before this.
    pub until: String,
}

/// A domain to ask for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDomain {
    /// The part after the @ of its people's addresses.
    pub domain: String,
    /// `auto` (default): held as soon as it is proved; `none`: held when somebody claims it then.
    #[serde(default)]
    pub claim: Option<String>,
}

/// A directory.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Directory {
    /// Its name within the organization.
    pub name: String,
    /// What people read.
    pub label: String,
    /// Whether the operator's file has it.
    pub in_file: bool,
    /// `oidc`, `oauth2` or `saml`.
    pub protocol: String,
    /// The issuer; not with SAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Our client identifier there; not with SAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The redirect URI to register there; not with SAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// With SAML: where the provider's metadata is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saml: Option<String>,
    /// With SAML: our entity id, which is the address of our metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// With SAML: where responses arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acs: Option<String>,
    /// With SAML: where logouts arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo: Option<String>,
    /// The domains that it speaks for now.
    pub domains: Vec<String>,
}

/// A directory to add.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDirectory {
    /// 1 to 40 of a-z, 0-9 and -.
    pub name: String,
    /// What people read. Default: the organization's.
    #[serde(default)]
    pub label: Option<String>,
    /// The OpenID Connect issuer, exactly as its discovery document writes it; https, port 443. This or `saml`.
    #[serde(default)]
    pub oidc: Option<String>,
    /// Our client identifier there; with `oidc`.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The address of the SAML provider's metadata; https, port 443. It is read before the directory is added.
    #[serde(default)]
    pub saml: Option<String>,
    /// With `saml`: whose attribute names are meant: `okta`, `entra`, `google`, `adfs`, `ping`, `shibboleth`, `simplesamlphp`,
    /// `keycloak`.
    #[serde(default)]
    pub preset: Option<String>,
    /// Our secret there; sealed at once, and never shown again.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub client_secret: Option<String>,
    /// `basic` (default), `post`, `private_key_jwt`, `none`.
    #[serde(default)]
    pub client_auth: Option<String>,
    /// The claim, or with `saml` the attribute, that names the person and never changes. Default `sub`, or the NameID.
    #[serde(default)]
    pub subject: Option<String>,
    /// The claim or attribute that lists groups.
    #[serde(default)]
    pub groups: Option<String>,
    /// Values that `amr` must carry.
    #[serde(default)]
    pub require_amr: Option<Vec<String>>,
    /// Domains that it serves. Default: all of the organization's.
    #[serde(default)]
    pub domains: Option<Vec<String>>,
}

/// A policy: what is written, and what holds with the operator's file below it.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Policy {
    /// `default`, or its name.
    pub name: String,
    /// What the organization's document writes, in the words of `[org.NAME.policy]`.
    pub written: Value,
    /// What holds now.
    pub in_force: InForce,
}

/// What a policy demands now.
#[derive(Debug, JsonSchema, Serialize)]
pub struct InForce {
    /// `off`, `offered` or `enforced`.
    pub sso: String,
    /// The directory that satisfies it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Seconds without a request after which a session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<u64>,
    /// Seconds after the login after which a session ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absolute: Option<u64>,
    /// Values that `amr` must carry.
    pub require_amr: Vec<String>,
}

/// What is made of a policy. `policy` has the words of `[org.NAME.policy]`, and for one with a name `members` too.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyWords {
    /// In the words of `[org.NAME.policy]` of the operator's file.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub policy: Value,
    /// The code that confirms what the change gives away.
    #[serde(default)]
    pub confirm: Option<String>,
    /// Whether it may leave nobody who can administer the organization.
    #[serde(default)]
    pub accept_lockout_risk: bool,
}

/// What a change does, or would do.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Changed {
    /// The version that holds after it.
    pub version: u32,
    /// Whether it was only looked at.
    pub dry_run: bool,
    /// What it gives away.
    pub loosens: Vec<String>,
    /// The code that confirms that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
    /// How many people the organization has here; `unknown` where nobody has logged in yet.
    #[schemars(schema_with = "count")]
    pub people: Value,
    /// What stands in its way besides that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A person.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Person {
    /// The account, fixed.
    pub account: String,
    /// The live address.
    pub email: String,
    /// Whether it was proved. Without that the organization manages nobody (and cannot change the account).
    pub verified: bool,
    /// The name, or `unknown`.
    pub name: String,
    /// `active`, `deactivated`, `pending_delete`, `quarantined` or `deleted`.
    pub status: String,
    /// The last login, or `unknown`.
    pub last_login: String,
    /// Send it as If-Match with a change.
    pub version: u32,
}

/// A local account to make. Without a hash the person begins with a reset.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLocalAccount {
    /// Its address.
    pub email: String,
    /// Whether the product has proved that address.
    pub verified: bool,
    /// The name to show.
    #[serde(default)]
    pub name: Option<String>,
    /// The product's hash of its password: argon2id, bcrypt, scrypt or PBKDF2; wrapped at once.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub hash: Option<String>,
    /// The product's own user id. Default: a minted one.
    #[serde(default)]
    pub sub: Option<String>,
}

/// A local account.
#[derive(Debug, JsonSchema, Serialize)]
pub struct LocalAccount {
    /// The product's record, fixed.
    pub id: String,
    /// The product.
    pub product: String,
    /// The person, fixed.
    pub account: String,
    /// What the product knows the person by, fixed.
    pub sub: String,
}

/// What a product says of one of its users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedAccess {
    /// What the product knows the person by.
    pub sub: String,
    /// Whether this product is closed to the person.
    pub off: bool,
}

/// A product's own word on one of its users.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Access {
    /// The product.
    pub product: String,
    /// What the product knows the person by.
    pub sub: String,
    /// The person, fixed.
    pub account: String,
    /// Whether this product is closed to the person.
    pub off: bool,
}

/// Whether a user of a product is to be a member of an enterprise.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WantedMember {
    /// What the product knows the person by.
    pub sub: String,
    /// Whether.
    pub member: bool,
}

/// A user of a product who belongs to an enterprise.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Member {
    /// What the product knows the person by.
    pub sub: String,
    /// The enterprise; none: a member no more.
    pub enterprise: Option<String>,
    /// The address that the person is known by.
    pub email: Option<String>,
    /// `local`, `migrating`, `linked`, `merged`, `closed`: whether the person still has a password of the product's.
    pub state: String,
    /// Whether the product is closed to the person.
    pub off: bool,
    /// Who may open it: `enterprise`, which closed it, or `product`.
    pub off_by: Option<String>,
    /// When the enterprise last asked the person to move.
    pub asked_at: Option<String>,
    /// When the person last logged in.
    pub last_login_at: Option<String>,
}

/// Who is asked to move to the one account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveRequest {
    /// What the product knows them by, 200 at most.
    pub subs: Vec<String>,
}

/// What came of that.
#[derive(Debug, JsonSchema, Serialize)]
pub struct MoveRequested {
    /// Who was asked now.
    pub asked: Vec<String>,
    /// Who has no password any more.
    pub moved: Vec<String>,
    /// Who was asked less than a week ago.
    pub asked_before: Vec<String>,
    /// Whom no letter reaches: no proved address, switched off, or their company's own login is what counts. The banner shows all the same.
    pub without_letter: Vec<String>,
    /// Who is no member.
    pub unknown: Vec<String>,
}

/// A login session.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// How the person was proved.
    pub method: String,
    /// By which directory, or `unknown`.
    pub directory: String,
    /// Since when.
    pub since: String,
    /// The last activity, up to a tenth of the idle limit late.
    pub last_seen: String,
    /// When it ends at the latest.
    pub ends: String,
}

/// An audit event as it stands in the log.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Event {
    /// Its place in the log.
    pub position: u64,
    /// The event.
    pub event: Value,
}

/// Why somebody was refused.
#[derive(Debug, JsonSchema, Serialize)]
pub struct Explanation {
    /// One line to read aloud.
    pub line: String,
}

/// A number of people: `unknown` where it is not known, never 0.
pub fn people(people: People) -> Value {
    match people {
        People::Known(count) => count.into(),
        People::Unknown => "unknown".into(),
    }
}

fn count(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "At least this many people, who have logged in here; `unknown` where nobody has.",
        "oneOf": [{ "type": "integer", "minimum": 1 }, { "const": "unknown" }]
    })
}
