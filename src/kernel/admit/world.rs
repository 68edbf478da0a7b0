//! The configured world that the tests of all three decisions share: four organizations, the issuer, two third parties, a product.

use super::{Candidate, ComesFrom, Decision, Evidence, Facts, LinkFact, LocalFacts, Outcome, PasswordState, decide};
use crate::kernel::model::*;
use crate::kernel::proof::{Claims, Proof, SecondStepProof, Stepper, Vouched};
use crate::kernel::relink::Window;
use crate::kernel::values::*;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub(in crate::kernel) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(in crate::kernel) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// Directories by their one-byte ids. `A` to `D` belong to the organizations of the same letter.
pub(in crate::kernel) const A: u8 = 1;
pub(in crate::kernel) const B: u8 = 2;
pub(in crate::kernel) const C: u8 = 3;
pub(in crate::kernel) const D: u8 = 4;
pub(in crate::kernel) const ISSUER: u8 = 5;
pub(in crate::kernel) const GOOGLE: u8 = 6;
pub(in crate::kernel) const SLACK: u8 = 7;
/// The local accounts of the product, and the gateway's own credentials.
pub(in crate::kernel) const LOCAL: u8 = 8;
pub(in crate::kernel) const HERE: u8 = 9;
/// Those with a provider.
pub(in crate::kernel) const DIRECTORIES: [u8; 7] = [A, B, C, D, ISSUER, GOOGLE, SLACK];

pub(in crate::kernel) fn id(directory: u8) -> DirectoryId {
    DirectoryId::from_bytes([directory; 16])
}

pub(in crate::kernel) fn email(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

pub(in crate::kernel) fn org(name: &str) -> OrgName {
    OrgName::parse(name).unwrap()
}

fn protocol(issuer: &str) -> Protocol {
    Protocol::Oidc(OidcSettings {
        issuer: issuer.to_owned(),
        client_id: "client".to_owned(),
        client_auth: ClientAuth::None,
        scopes: Vec::new(),
        response_mode: ResponseMode::Query,
        algorithms: vec!["RS256".to_owned()],
        require_amr: Vec::new(),
        revalidate: None,
    })
}

fn directory(byte: u8, name: DirectoryName, domains: &[&str], issuer: &str) -> (DirectoryId, Arc<Directory>) {
    let directory = Directory {
        id: id(byte),
        label: name.to_string(),
        name,
        domains: domains.iter().map(|domain| DomainName::parse(domain).unwrap()).collect(),
        protocol: protocol(issuer),
        subject_source: SubjectSource("sub".to_owned()),
        groups_claim: None,
        members: None,
        scim: None,
        transmitter: None,
    };
    (directory.id, Arc::new(directory))
}

fn local(byte: u8, name: DirectoryName) -> (DirectoryId, Arc<Directory>) {
    let (id, mut directory) = directory(byte, name, &[], "");
    let made = Arc::make_mut(&mut directory);
    (made.protocol, made.subject_source) = (Protocol::Local, SubjectSource(ACCOUNT_SOURCE.to_owned()));
    (id, directory)
}

fn organization(letter: &str, byte: u8, sso: Sso) -> (OrgName, Arc<Organization>) {
    let policy = Policy {
        org: org(letter),
        name: PolicyName::default(),
        sso,
        directory: Some(id(byte)),
        limits: Limits::default(),
        native: None,
        token: None,
        third_party: ThirdPartyRule::Any,
        require_amr: Vec::new(),
        second_step: SecondStep::Optional,
        password: PasswordRule::default(),
        api_tokens: ApiTokens::Block,
        networks: Vec::new(),
        break_glass: Vec::new(),
        on_change: OnChange::default(),
        changed_at: NOW.minus(DAY * 30),
        since: Since::new(),
        epoch: 1,
    };
    let organization = Organization {
        name: org(letter),
        label: letter.to_uppercase(),
        directories: vec![id(byte)],
        policy,
        policies: Vec::new(),
        admins: Vec::new(),
        auditors: Vec::new(),
    };
    (org(letter), Arc::new(organization))
}

/// Organizations a and b enforce, c offers, d does not use single sign-on; each owns `LETTER.com`, claimed 200 days ago.
pub(in crate::kernel) fn catalog() -> Catalog {
    let letters = [("a", A, Sso::Enforced), ("b", B, Sso::Enforced), ("c", C, Sso::Offered), ("d", D, Sso::Off)];
    let mut directories: HashMap<_, _> = letters
        .iter()
        .map(|(letter, byte, _)| {
            let name = DirectoryName::of_org(org(letter), "main").unwrap();
            // All four share one issuer string: it must never matter (rule C1).
            directory(*byte, name, &[&format!("{letter}.com")], "https://idp.example")
        })
        .collect();
    let third = |name: &str| DirectoryName::ThirdParty(ThirdPartyName::parse(name).unwrap());
    directories.extend([
        directory(ISSUER, DirectoryName::Issuer, &[], "https://idp.example"),
        directory(GOOGLE, third("google"), &[], "https://accounts.google.com"),
        directory(SLACK, third("slack"), &[], "https://slack.com"),
        local(LOCAL, DirectoryName::Local(product().name)),
        local(HERE, DirectoryName::Here),
    ]);
    let domains = letters.iter().map(|(letter, byte, _)| {
        let claim = DomainClaim {
            org: org(letter),
            directory: Some(id(*byte)),
            claimed_at: NOW.minus(DAY * 200),
            suspended: false,
        };
        (DomainName::parse(&format!("{letter}.com")).unwrap(), claim)
    });
    let product = Arc::new(product());
    Catalog {
        version: 1,
        login: Origin::parse("id.example.com").unwrap(),
        products: HashMap::from([(product.name.clone(), product)]),
        orgs: letters.iter().map(|(letter, byte, sso)| organization(letter, *byte, *sso)).collect(),
        domains: domains.collect(),
        directory_names: directories.values().map(|directory| (directory.name.clone(), directory.id)).collect(),
        directories,
        issuer: Some(id(ISSUER)),
        third_parties: vec![id(GOOGLE), id(SLACK)],
        people: PeoplePolicy::default(),
        profile_url: None,
        reset_url: None,
    }
}

/// Open to everybody, so that only the rules under test object.
pub(in crate::kernel) fn product() -> Product {
    Product {
        name: ProductName::parse("trello").unwrap(),
        label: "Trello".to_owned(),
        hosts: vec![Origin::parse("trello.example.com").unwrap()],
        allow: Allow { everyone: true, ..Allow::default() },
        signup: Signup::Open,
        passwords: Passwords::None,
        adapter: None,
        password_api: Vec::new(),
        migration: MigrationPlan::default(),
        limits: Limits::default(),
        native: None,
        token: None,
        apps: Vec::new(),
        enterprises: Vec::new(),
        colour: None,
        identity_fields: Vec::new(),
        step_up: None,
        on_store_outage: Outage::Deny,
    }
}

impl Case {
    /// Changes an organization's policy.
    pub(in crate::kernel) fn policy(mut self, letter: &str, change: impl FnOnce(&mut Policy)) -> Self {
        set_policy(&mut self.catalog, letter, change);
        self
    }

    /// Changes anything.
    pub(in crate::kernel) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

pub(in crate::kernel) fn set_policy(catalog: &mut Catalog, letter: &str, change: impl FnOnce(&mut Policy)) {
    change(&mut Arc::make_mut(catalog.orgs.get_mut(&org(letter)).unwrap()).policy);
}

pub(in crate::kernel) fn claim<'a>(catalog: &'a mut Catalog, domain: &str) -> &'a mut DomainClaim {
    catalog.domains.get_mut(&DomainName::parse(domain).unwrap()).unwrap()
}

/// An active account, its address proved and used yesterday.
pub(in crate::kernel) fn account(byte: u8, address: &str) -> Account {
    Account {
        id: AccountId::from_bytes([byte; 16]),
        status: AccountStatus::Active,
        email: Some(email(address)),
        email_verified: true,
        email_proved_at: Some(NOW.minus(DAY)),
        name: None,
        epoch: 1,
        created_at: NOW.minus(DAY * 400),
        last_login_at: Some(NOW.minus(DAY)),
    }
}

pub(in crate::kernel) fn record(account: &Account, state: ProductAccountState) -> ProductAccount {
    ProductAccount {
        id: ProductAccountId::from_bytes(account.id.to_bytes()),
        product: ProductName::parse("trello").unwrap(),
        account: account.id,
        sub: format!("u{}", account.id),
        state,
        off: false,
        created_at: NOW.minus(DAY * 400),
        enterprise: None,
        off_by: None,
        asked_at: None,
    }
}

pub(in crate::kernel) fn link(account: &Account, directory: u8, subject: &str) -> LinkedIdentity {
    LinkedIdentity {
        key: IdentityKey {
            directory: id(directory),
            source: SubjectSource("sub".to_owned()),
            subject: subject.to_owned(),
        },
        account: account.id,
        by: LinkedBy::FirstLogin,
        linked_at: NOW.minus(DAY * 100),
        suspended: false,
    }
}

pub(in crate::kernel) fn method(directory: u8) -> Method {
    match directory {
        A | B | C | D => Method::OrgSso,
        ISSUER => Method::Issuer,
        LOCAL => Method::Password,
        HERE => Method::Emergency,
        _ => Method::ThirdParty,
    }
}

/// What a proof of subject `s` at this directory says; `email_verified: true` for all but organizations' directories.
pub(in crate::kernel) fn claims(directory: u8, address: Option<&str>) -> Claims {
    let method = method(directory);
    Claims {
        identity: IdentityKey {
            directory: id(directory),
            source: SubjectSource("sub".to_owned()),
            subject: "s".to_owned(),
        },
        method,
        email: address.map(email),
        email_verified: if method == Method::OrgSso { Vouched::Silent } else { Vouched::Yes },
        hosted_domain: None,
        name: Some("Ann".to_owned()),
        groups: Vec::new(),
        amr: Vec::new(),
        acr: None,
        auth_time: NOW,
        provider_session: None,
        name_id: None,
        id_token: None,
        refreshable: None,
        session_until: None,
    }
}

/// A login session of an account, made an hour ago by subject `s` at this directory.
pub(in crate::kernel) fn login_session(account: &Account, directory: u8) -> LoginSession {
    let made = NOW.minus(Duration::from_secs(3600));
    LoginSession {
        id: LoginSessionId::from_bytes([0; 16]),
        key: SessionKey([0; 32]),
        account: account.id,
        directory: id(directory),
        method: method(directory),
        amr: Vec::new(),
        groups: Vec::new(),
        auth_time: made,
        browser: [0; 16],
        provider_session: None,
        logout_hint: None,
        name_key: None,
        created_at: made,
        last_seen: NOW,
        idle_millis: u64::MAX,
        abs_at: made.plus(DAY * 365),
        account_epoch: account.epoch,
        ask_before: Vec::new(),
        confined_to: None,
        stepped_at: None,
        device: None,
        grant: None,
        personal: None,
        mac: [0; 32],
    }
}

/// One question to phase B.
#[derive(Clone)]
pub(in crate::kernel) struct Case {
    pub(in crate::kernel) catalog: Catalog,
    pub(in crate::kernel) product: Option<Product>,
    pub(in crate::kernel) claims: Claims,
    /// Stands for the claims where there is one.
    pub(in crate::kernel) session: Option<(LoginSession, Account, Vec<LinkedIdentity>)>,
    pub(in crate::kernel) linked: Option<LinkFact>,
    pub(in crate::kernel) candidates: Vec<Candidate>,
    pub(in crate::kernel) given_up: Option<Candidate>,
    pub(in crate::kernel) product_account: Option<ProductAccount>,
    pub(in crate::kernel) address_taken: Option<String>,
    pub(in crate::kernel) further: Vec<EmailAddress>,
    pub(in crate::kernel) windows: Vec<Window>,
    pub(in crate::kernel) buried: bool,
    pub(in crate::kernel) client: Option<IpAddr>,
    pub(in crate::kernel) local: LocalFacts,
}

impl Case {
    /// A proof of somebody unknown.
    pub(in crate::kernel) fn stranger(directory: u8, address: Option<&str>) -> Self {
        Self {
            catalog: catalog(),
            product: Some(product()),
            claims: claims(directory, address),
            session: None,
            linked: None,
            candidates: Vec::new(),
            given_up: None,
            product_account: None,
            address_taken: None,
            further: Vec::new(),
            windows: Vec::new(),
            buried: false,
            client: None,
            local: LocalFacts::default(),
        }
    }

    /// A credential of this account that is kept here, at the product or at the login host.
    pub(in crate::kernel) fn local(method: Method, at: u8, of: &Account, state: ProductAccountState) -> Self {
        let mut case = Self::stranger(at, None);
        case.claims.method = method;
        case.claims.identity.source = SubjectSource(ACCOUNT_SOURCE.to_owned());
        case.claims.identity.subject = of.id.to_string();
        case.local.account = Some(of.clone());
        case.local.password =
            (method == Method::Password).then(|| PasswordState { set_at: NOW.minus(DAY * 100), score: 4 });
        case.product_account = Some(record(of, state));
        case
    }

    /// The second step of this account is taken as well.
    pub(in crate::kernel) fn stepped(mut self, account: &Account) -> Self {
        self.local.step = Some(SecondStepProof::new(Stepper::Account(account.id), NOW));
        self
    }

    /// A proof by an identity that is linked to this account.
    pub(in crate::kernel) fn linked(directory: u8, address: Option<&str>, to: &Account) -> Self {
        let fact = LinkFact { link: link(to, directory, "s"), account: Some(to.clone()) };
        let known = Some(record(to, ProductAccountState::Linked));
        Self { linked: Some(fact), product_account: known, ..Self::stranger(directory, address) }
    }

    /// A proof that asserts the address of this account, which has one identity at `identity`.
    pub(in crate::kernel) fn candidate(directory: u8, of: &Account, identity: u8) -> Self {
        let address = of.email.as_ref().map(EmailAddress::as_str);
        Self::stranger(directory, address).with(|case| {
            case.candidates = vec![Candidate {
                account: of.clone(),
                identities: vec![link(of, identity, "other")],
                product_account: Some(record(of, ProductAccountState::Linked)),
                further: Vec::new(),
                enrolled: false,
            }];
        })
    }

    /// A login session that goes to the product.
    pub(in crate::kernel) fn session(directory: u8, of: &Account) -> Self {
        let session = (login_session(of, directory), of.clone(), vec![link(of, directory, "s")]);
        let known = Some(record(of, ProductAccountState::Linked));
        Self { session: Some(session), product_account: known, ..Self::stranger(directory, None) }
    }

    pub(in crate::kernel) fn decide(&self) -> Decision {
        let proof = Proof::new(self.claims.clone());
        let evidence = match &self.session {
            None => Evidence::Proof(&proof),
            Some((session, account, identities)) => Evidence::Session { session, account, identities },
        };
        decide(&Facts {
            now: NOW,
            catalog: &self.catalog,
            product: self.product.as_ref(),
            evidence,
            linked: self.linked.clone(),
            candidates: self.candidates.clone(),
            given_up: self.given_up.clone(),
            product_account: self.product_account.clone(),
            address_taken: self.address_taken.clone(),
            client: self.client.map_or(ComesFrom::Unknown, ComesFrom::Address),
            local: self.local.clone(),
            further: self.further.clone(),
            windows: self.windows.clone(),
            buried: self.buried,
        })
    }

    /// The outcome in a word or two: `session`, `link`, `create`, `go to 1`, or the refusal's code.
    pub(in crate::kernel) fn word(&self) -> String {
        word(&self.decide().outcome)
    }
}

pub(in crate::kernel) fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Session(_) => "session".to_owned(),
        Outcome::Link(_) => "link".to_owned(),
        Outcome::Create(_) => "create".to_owned(),
        Outcome::Reroute(directory) => format!("go to {}", directory.to_bytes()[0]),
        Outcome::Need(need) => need.refusal().code().to_owned(),
        Outcome::Refuse(refusal) => refusal.code().to_owned(),
    }
}
