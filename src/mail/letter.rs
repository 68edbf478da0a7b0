//! What can be said. Each kind has typed facts, and a fact becomes text by its type alone, so that no name that somebody chose
//! reaches a mail as it is (rule M26).

use crate::kernel::values::{EmailAddress, Name, OrgName, ProductName, Secret, Timestamp, legible};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// A code, and where it may be used instead by a link.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The digits for the page that waits.
    pub code: Secret,
    /// A path of the login host with its query: `/login/reset?token=…`. Opening it must change nothing (rule H1).
    pub link: Option<Secret>,
}

/// A second step, or a first one without a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Factor {
    /// A passkey.
    Passkey,
    /// An authenticator app.
    Authenticator,
    /// Recovery codes.
    RecoveryCodes,
}

/// What is wrong with a domain, or was (N10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DomainTrouble {
    /// The proof was not found; nothing has changed yet. Suspended then.
    AtRisk(Timestamp),
    /// Not found for 14 days: nobody new. Lost then.
    Suspended(Timestamp),
    /// Not found for 44 days: the domain is nobody's.
    Lost,
    /// Found again.
    Recovered,
    /// Another organization proved it too. Nothing changes until the operator decides.
    Disputed,
    /// The operator decided for another organization.
    Settled,
}

/// One letter.
#[derive(Clone, Debug)]
pub enum Letter {
    /// N3: an organization manages the recipient's address now, or no longer.
    Managed {
        /// Which.
        org: OrgName,
        /// The address.
        address: EmailAddress,
        /// Now, or no longer.
        managed: bool,
    },
    /// N4: an address no longer logs in. The one that does is masked (rule M13).
    AddressRetired {
        /// At what.
        product: ProductName,
        /// The address that logs in.
        kept: EmailAddress,
    },
    /// N1, N2: the account at a product moved to the one account; to the kept address.
    Moved {
        /// At what.
        product: ProductName,
        /// What people call the provider.
        provider: String,
        /// The address that was kept.
        kept: EmailAddress,
        /// A login was enough for it (N2); else the person asked for it (N1).
        by_login: bool,
    },
    /// N12: the account at a product was given up in favour of the person's other one; to both accounts' addresses.
    Merged {
        /// At what.
        product: ProductName,
        /// What people call the provider that opens the account that is left.
        provider: String,
    },
    /// N12: an older account with the recipient's address was put aside (B21); to the newcomer.
    Quarantined {
        /// At what.
        product: ProductName,
        /// When.
        at: Timestamp,
    },
    /// The recipient's company changed its provider, and the account is opened by the new one; to the person (behaviour, Relink).
    Relinked {
        /// Whose people.
        org: OrgName,
        /// What people call the new provider.
        provider: String,
        /// When.
        at: Timestamp,
    },
    /// N8: the product's own passwords end.
    Deadline {
        /// Whose.
        product: ProductName,
        /// What people call the provider.
        provider: String,
        /// When.
        at: Timestamp,
        /// They have ended.
        passed: bool,
    },
    /// The product's enterprise asks its member to move (behaviour §3.7).
    MoveRequested {
        /// At what.
        product: ProductName,
        /// What people call the enterprise.
        enterprise: String,
        /// What people call the provider.
        provider: String,
    },
    /// N5: somebody asked to change the address; to the old and the new one.
    AddressChange {
        /// At what.
        product: ProductName,
        /// The address that was asked for.
        wanted: EmailAddress,
        /// When.
        at: Timestamp,
    },
    /// N6: the account was switched off.
    Deactivated {
        /// By whom; none: by the recipient or the operator.
        org: Option<OrgName>,
    },
    /// N7: the account will be deleted.
    DeletionScheduled {
        /// By whom; none: by the recipient or the operator.
        org: Option<OrgName>,
        /// When.
        at: Timestamp,
    },
    /// N9: a provider's key ends, or has ended; to admins.
    KeyExpiry {
        /// Whose.
        org: OrgName,
        /// The directory, as its admins call it.
        directory: String,
        /// When.
        at: Timestamp,
        /// It has ended.
        ended: bool,
    },
    /// A provider's metadata names a new signing key (rule M5); to admins.
    ProviderKey {
        /// Whose.
        org: OrgName,
        /// The directory, as its admins call it.
        directory: String,
        /// When it was first seen.
        at: Timestamp,
    },
    /// N10: a domain's proof; to admins, and the operator where he must decide.
    Domain {
        /// Whose.
        org: OrgName,
        /// Which.
        domain: String,
        /// What happened.
        trouble: DomainTrouble,
    },
    /// N11: an emergency login; to all admins.
    BreakGlass {
        /// Where.
        org: OrgName,
        /// Who.
        person: EmailAddress,
        /// When.
        at: Timestamp,
        /// From where.
        address: String,
    },
    /// N13: from then on people of a company log in through it.
    Announcement {
        /// Which.
        org: OrgName,
        /// From when.
        at: Timestamp,
        /// The admin's own text, up to 1,000 characters; empty for none.
        text: String,
    },
    /// A new password was asked for.
    Reset {
        /// For what.
        product: ProductName,
        /// The code and the link.
        proof: Proof,
        /// They work until then.
        until: Timestamp,
    },
    /// Shows that the recipient reads this mailbox.
    MailboxProof {
        /// For what.
        product: ProductName,
        /// The code and the link.
        proof: Proof,
        /// They work until then.
        until: Timestamp,
    },
    /// A code that shows that an account is the recipient's, before it is connected with somebody at a provider (B22). Both sides are
    /// named (rule H1), and there is no link: the code is typed where the connection began.
    OwnerProof {
        /// Of what.
        product: ProductName,
        /// What people call the provider.
        provider: String,
        /// Who asks, as the provider says.
        identity: String,
        /// The code alone; no link.
        proof: Proof,
        /// It works until then.
        until: Timestamp,
    },
    /// A second step was added.
    FactorEnrolled {
        /// Which.
        factor: Factor,
        /// When.
        at: Timestamp,
    },
    /// A second step was taken away.
    FactorRemoved {
        /// Which.
        factor: Factor,
        /// When.
        at: Timestamp,
    },
    /// The code for the first second step of who logs in by a provider.
    StepProof {
        /// The code alone; no link.
        proof: Proof,
        /// It works until then.
        until: Timestamp,
    },
    /// The password was changed.
    PasswordChanged {
        /// Of what.
        product: ProductName,
        /// When.
        at: Timestamp,
    },
    /// The person ended sessions of theirs on the account page.
    SessionsEnded {
        /// How many.
        count: u32,
        /// When.
        at: Timestamp,
    },
    /// The person made an API token on the account page.
    TokenMade {
        /// For what.
        product: ProductName,
        /// When.
        at: Timestamp,
    },
    /// The code without which a set-up link shows nothing (rule C4(2)).
    SetUpCode {
        /// Whose set-up.
        org: OrgName,
        /// The code alone; no link.
        proof: Proof,
        /// It works until then.
        until: Timestamp,
    },
    /// Somebody opened a set-up link that had been used (rule C4(1)).
    SetUpReused {
        /// Whose set-up.
        org: OrgName,
        /// When.
        at: Timestamp,
    },
}

/// A fact in a row. Its type decides how it reads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fact {
    /// The operator's name for a product.
    Product(String),
    /// A name that an organization has.
    Org(String),
    /// An address, a domain, a directory: shown in full, legible.
    Plain(String),
    /// Milliseconds since 1970.
    Time(i64),
    /// Which of the sentences.
    Word(String),
    /// Lines that an admin wrote.
    Lines(String),
}

/// The facts of a letter by name.
pub(super) type Facts = BTreeMap<String, Fact>;

/// Longest text of an admin, in characters.
const LONGEST: usize = 1_000;

/// News is not sent when it is older than this.
const NEWS: Duration = Duration::from_secs(3 * 86_400);

impl Letter {
    /// The stable name of the kind, which is the template's too.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Managed { .. } => "managed",
            Self::AddressRetired { .. } => "address-retired",
            Self::Moved { .. } => "moved",
            Self::Merged { .. } => "merged",
            Self::Quarantined { .. } => "quarantined",
            Self::Relinked { .. } => "relinked",
            Self::Deadline { .. } => "deadline",
            Self::MoveRequested { .. } => "move-requested",
            Self::AddressChange { .. } => "address-change",
            Self::Deactivated { .. } => "deactivated",
            Self::DeletionScheduled { .. } => "deletion-scheduled",
            Self::KeyExpiry { .. } => "key-expiry",
            Self::ProviderKey { .. } => "provider-key",
            Self::Domain { .. } => "domain",
            Self::BreakGlass { .. } => "break-glass",
            Self::Announcement { .. } => "announcement",
            Self::Reset { .. } => "reset",
            Self::MailboxProof { .. } => "mailbox-proof",
            Self::OwnerProof { .. } => "owner-proof",
            Self::FactorEnrolled { .. } => "factor-enrolled",
            Self::FactorRemoved { .. } => "factor-removed",
            Self::StepProof { .. } => "step-proof",
            Self::PasswordChanged { .. } => "password-changed",
            Self::SessionsEnded { .. } => "sessions-ended",
            Self::TokenMade { .. } => "token-made",
            Self::SetUpCode { .. } => "set-up-code",
            Self::SetUpReused { .. } => "set-up-reused",
        }
    }

    /// The secret part.
    pub(super) const fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Reset { proof, .. }
            | Self::MailboxProof { proof, .. }
            | Self::OwnerProof { proof, .. }
            | Self::StepProof { proof, .. }
            | Self::SetUpCode { proof, .. } => Some(proof),
            _ => None,
        }
    }

    /// When it is too late to send it: a code's end, or three days.
    pub(super) fn until(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Reset { until, .. }
            | Self::MailboxProof { until, .. }
            | Self::OwnerProof { until, .. }
            | Self::StepProof { until, .. }
            | Self::SetUpCode { until, .. } => *until,
            _ => now.plus(NEWS),
        }
    }

    /// What a row holds.
    pub(super) fn facts(&self) -> Facts {
        let facts: Vec<(&str, Fact)> = match self {
            Self::Managed { org, address, managed } => {
                vec![
                    ("org", of(org)),
                    ("address", plain(address)),
                    ("state", word(if *managed { "now" } else { "no" })),
                ]
            }
            Self::AddressRetired { product, kept } => vec![("product", at(product)), ("kept", plain(mask(kept)))],
            Self::Moved { product, provider, kept, by_login } => vec![
                ("product", at(product)),
                ("provider", plain(provider)),
                ("kept", plain(kept)),
                ("how", word(if *by_login { "login" } else { "asked" })),
            ],
            Self::Merged { product, provider } => vec![("product", at(product)), ("provider", plain(provider))],
            Self::Deadline { product, provider, at: time, passed } => vec![
                ("product", at(product)),
                ("provider", plain(provider)),
                ("at", when(*time)),
                ("state", word(if *passed { "passed" } else { "comes" })),
            ],
            Self::MoveRequested { product, enterprise, provider } => {
                vec![("product", at(product)), ("enterprise", plain(enterprise)), ("provider", plain(provider))]
            }
            Self::AddressChange { product, wanted, at: time } => {
                vec![("product", at(product)), ("wanted", plain(mask(wanted))), ("at", when(*time))]
            }
            Self::Deactivated { org } => vec![("org", by(org.as_ref()))],
            Self::DeletionScheduled { org, at: time } => vec![("org", by(org.as_ref())), ("at", when(*time))],
            Self::KeyExpiry { org, directory, at: time, ended } => vec![
                ("org", of(org)),
                ("directory", plain(directory)),
                ("at", when(*time)),
                ("state", word(if *ended { "ended" } else { "ends" })),
            ],
            Self::ProviderKey { org, directory, at: time } => {
                vec![("org", of(org)), ("directory", plain(directory)), ("at", when(*time))]
            }
            Self::Domain { org, domain, trouble } => trouble.facts(org, domain),
            Self::BreakGlass { org, person, at: time, address } => {
                vec![("org", of(org)), ("person", plain(person)), ("at", when(*time)), ("address", plain(address))]
            }
            Self::Announcement { org, at: time, text } => {
                let lines = Fact::Lines(text.chars().take(LONGEST).collect());
                vec![("org", of(org)), ("at", when(*time)), ("text", lines)]
            }
            Self::Reset { product, until, .. } | Self::MailboxProof { product, until, .. } => {
                vec![("product", at(product)), ("until", when(*until))]
            }
            Self::OwnerProof { product, provider, identity, until, .. } => vec![
                ("product", at(product)),
                ("provider", plain(provider)),
                ("identity", plain(identity)),
                ("until", when(*until)),
            ],
            Self::StepProof { until, .. } => vec![("until", when(*until))],
            Self::FactorEnrolled { factor, at: time } | Self::FactorRemoved { factor, at: time } => {
                vec![("factor", word(factor.words())), ("at", when(*time))]
            }
            Self::PasswordChanged { product, at: time }
            | Self::Quarantined { product, at: time }
            | Self::TokenMade { product, at: time } => {
                vec![("product", at(product)), ("at", when(*time))]
            }
            Self::SessionsEnded { count, at: time } => vec![("count", word(&count.to_string())), ("at", when(*time))],
            Self::Relinked { org, provider, at: time } => {
                vec![("org", of(org)), ("provider", plain(provider)), ("at", when(*time))]
            }
            Self::SetUpCode { org, until, .. } => vec![("org", of(org)), ("until", when(*until))],
            Self::SetUpReused { org, at: time } => vec![("org", of(org)), ("at", when(*time))],
        };
        facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect()
    }
}

impl DomainTrouble {
    fn facts(self, org: &OrgName, domain: &str) -> Vec<(&'static str, Fact)> {
        let mut facts = vec![("org", of(org)), ("domain", plain(domain))];
        let state = match self {
            Self::AtRisk(then) => {
                facts.push(("then", when(then)));
                "at-risk"
            }
            Self::Suspended(then) => {
                facts.push(("then", when(then)));
                "suspended"
            }
            Self::Lost => "lost",
            Self::Recovered => "recovered",
            Self::Disputed => "disputed",
            Self::Settled => "settled",
        };
        facts.push(("state", word(state)));
        facts
    }
}

impl Factor {
    /// Which of the sentences.
    const fn words(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Authenticator => "authenticator",
            Self::RecoveryCodes => "recovery-codes",
        }
    }
}

impl Fact {
    /// As it stands in the letter; a time is the language's to say.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Product(name) => Name::configured(&capitalized(name)).shown(),
            Self::Org(name) => Name::organization(name).shown(),
            Self::Plain(text) => legible(text),
            Self::Time(millis) => millis.to_string(),
            Self::Word(word) => word.clone(),
            Self::Lines(text) => text.trim().lines().map(|line| format!("> {}\n", legible(line))).collect(),
        }
    }
}

/// An address of which a stranger learns nothing new and its owner knows which it is: `a•••@g•••` (rule M13).
pub fn mask(address: &EmailAddress) -> String {
    let first = |text: &str| text.chars().next().unwrap_or('•');
    let local = address.as_str().split('@').next().unwrap_or_default();
    format!("{}•••@{}•••", first(local), first(address.domain().as_str()))
}

fn of(org: &OrgName) -> Fact {
    Fact::Org(org.to_string())
}

fn by(org: Option<&OrgName>) -> Fact {
    org.map_or_else(|| word(""), of)
}

fn at(product: &ProductName) -> Fact {
    Fact::Product(product.to_string())
}

fn plain(text: impl ToString) -> Fact {
    Fact::Plain(text.to_string())
}

fn when(time: Timestamp) -> Fact {
    Fact::Time(time.millis())
}

fn word(word: &str) -> Fact {
    Fact::Word(word.to_owned())
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
