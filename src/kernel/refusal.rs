//! Every way to be turned away: a value with a stable code. What people read about it stands with the pages.
//!
//! A refusal is an answer; a fault (store down, bug) is an error and never looks like one of these.

use super::saml::SamlFault;

/// Why a person or a request is turned away. Codes are stable: logs, alerts and support articles hang on them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// B1: the reply of a provider does not hold; the detail is the judge's code.
    Proof(ProofFault),
    /// A provider's message about a logout does not hold: it ended nothing.
    Logout(SamlFault),
    /// The person pressed cancel at the provider, or the provider refused: its `error` parameter.
    RefusedAtProvider,
    /// The provider could not be reached or did not answer usably (A3, MSG-SSO-DOWN).
    ProviderUnavailable,
    /// B2a: the account's addresses lie in two organizations that both enforce.
    TwoOrganizations,
    /// B3: the directory may not speak for that address.
    Authority,
    /// B4: the policy does not allow this third party.
    ThirdParty,
    /// B5, B8: the account is not active.
    Inactive,
    /// B7: a password that is not right, or no account to be right for; one word for both.
    WrongPassword,
    /// The answer of an authenticator that does not hold, or no credential to hold it against; the detail is the judge's code.
    WrongPasskey,
    /// B6: the account belongs to the one account now; its local password is retired.
    PasswordDead,
    /// B9: our own second step is missing.
    SecondStep,
    /// B10: the local password is too old or too weak for the policy.
    NewPassword,
    /// M29: the policy does not let its people in from this network.
    Network,
    /// B16: the link is there, its account is not.
    BrokenLink,
    /// B17: the provider does not say that the address is verified.
    EmailProof,
    /// B18: several accounts could be meant.
    SeveralAccounts,
    /// B19: the account already belongs to another identity of that directory.
    Conflict,
    /// B22: the account there needs a proof of its own before it is linked.
    LocalProof,
    /// B23: the address was an account's that gave it up; the person chooses.
    GivenUp,
    /// B11: the product's accounts must move to the one account, and this one has not.
    MoveFirst,
    /// B25: there is no account and none may be made.
    NoAccount,
    /// The account may not enter this product.
    NotAllowed,
    /// The provider's proof lacks a required authentication method.
    WeakProof,
    /// The provider's session is older than this product allows, and it did not ask the person again (rule M6).
    StaleProof,
    /// Not under way: unknown, used, expired or another browser's login.
    NotUnderWay,
    /// The login keeps coming back to its start.
    Loop,
    /// An unsafe request that another site or a sibling product caused (rule H6).
    CrossSite,
    /// The path asks for a proof of just now, and the session's is older (rule M6).
    StepUp,
    /// No session, or none any more.
    LoginRequired,
    /// More than one credential, or one that we cannot map (rule C7).
    Credential,
    /// An app that the product does not have, or an answer to where it may not go (rule H16).
    UnknownApp,
    /// The path or host has no single meaning.
    Malformed,
    /// A form of more bytes than any of ours, or of a portal's, may have.
    TooLarge,
    /// Too many requests of this kind.
    TooMany,
}

/// What exactly is wrong with a provider's reply. One variant per check, so that an explanation can name it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ProofFault {
    /// The reply's parameters: missing, repeated, or both code and error.
    Parameters,
    /// RFC 9207 `iss` differs from the directory's issuer.
    IssuerParameter,
    /// Not a JWS in compact form, or not the JSON it must be, or repeated members.
    Shape,
    /// The algorithm is not one of the directory's.
    Algorithm,
    /// A header that must not be obeyed or is not understood (`crit`, `b64`, `zip`).
    Header,
    /// No key of the provider has this `kid`, or several could be meant.
    UnknownKey,
    /// The signature does not hold.
    Signature,
    /// `iss` differs.
    Issuer,
    /// `aud` does not name us, or names others without `azp`.
    Audience,
    /// `azp` is not us.
    AuthorizedParty,
    /// `exp` has passed.
    Expired,
    /// `iat` or `nbf` lies in the future, or `iat` too far back.
    IssuedAt,
    /// `nonce` differs or is missing.
    Nonce,
    /// `at_hash` differs.
    AccessTokenHash,
    /// `sub` is missing, empty or over 255 bytes.
    Subject,
    /// The user-info reply names another subject (OIDC Core §5.3.2).
    UserinfoSubject,
    /// `auth_time` is missing though asked for, in the future, or older than asked for.
    AuthTime,
    /// The provider is not the one this login left for (the configuration changed meanwhile, rule M4).
    Directory,
    /// A SAML response does not hold.
    Saml(SamlFault),
}

impl Refusal {
    /// The stable code, as in events and `ref` look-ups.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Proof(fault) => fault.code(),
            Self::Logout(fault) => fault.code(),
            Self::RefusedAtProvider => "refused-at-provider",
            Self::ProviderUnavailable => "provider-unavailable",
            Self::TwoOrganizations => "two-organizations",
            Self::Authority => "authority",
            Self::ThirdParty => "third-party",
            Self::Inactive => "inactive",
            Self::WrongPassword => "wrong-password",
            Self::WrongPasskey => "wrong-passkey",
            Self::PasswordDead => "password-dead",
            Self::SecondStep => "second-step-needed",
            Self::NewPassword => "new-password-needed",
            Self::Network => "network",
            Self::BrokenLink => "broken-link",
            Self::EmailProof => "email-not-verified",
            Self::SeveralAccounts => "several-accounts",
            Self::Conflict => "conflict",
            Self::LocalProof => "local-proof-needed",
            Self::GivenUp => "address-given-up",
            Self::MoveFirst => "move-needed",
            Self::NoAccount => "no-account",
            Self::NotAllowed => "not-allowed",
            Self::WeakProof => "weak-proof",
            Self::StaleProof => "stale-proof",
            Self::NotUnderWay => "not-under-way",
            Self::Loop => "loop",
            Self::CrossSite => "cross-site",
            Self::StepUp => "step-up-needed",
            Self::LoginRequired => "login-required",
            Self::Credential => "credential",
            Self::UnknownApp => "unknown-app",
            Self::Malformed => "malformed",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
        }
    }
}

impl ProofFault {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Parameters => "proof-parameters",
            Self::IssuerParameter => "proof-iss-parameter",
            Self::Shape => "proof-shape",
            Self::Algorithm => "proof-algorithm",
            Self::Header => "proof-header",
            Self::UnknownKey => "proof-unknown-key",
            Self::Signature => "proof-signature",
            Self::Issuer => "proof-issuer",
            Self::Audience => "proof-audience",
            Self::AuthorizedParty => "proof-azp",
            Self::Expired => "proof-expired",
            Self::IssuedAt => "proof-issued-at",
            Self::Nonce => "proof-nonce",
            Self::AccessTokenHash => "proof-at-hash",
            Self::Subject => "proof-subject",
            Self::UserinfoSubject => "proof-userinfo-subject",
            Self::AuthTime => "proof-auth-time",
            Self::Directory => "proof-directory",
            Self::Saml(fault) => fault.code(),
        }
    }
}
