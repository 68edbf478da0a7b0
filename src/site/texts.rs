//! What people read when they are turned away: what happened, what they can do now, whom to ask. One arm per refusal.

use crate::kernel::refusal::Refusal;
use crate::kernel::saml::SamlFault;
use crate::language::{Fact, Text};
use crate::login::Refused;
use http::StatusCode;

/// The sentences of a refusal page.
pub(super) struct Texts {
    pub status: StatusCode,
    pub title: Text,
    pub what: Text,
    pub can_do: Text,
    pub ask: Text,
    /// Whether only another account can help.
    pub other_account: bool,
}

const ASK_IT: &str = "ask-it";
const ASK_SUPPORT: &str = "ask-support";

/// The store does not answer: title, what happened, what the person can do, whom to ask.
pub(super) const OUTAGE: [Text; 4] =
    [Text::of("refused-outage"), Text::of("refused-outage-what"), Text::of("refused-outage-do"), Text::of(ASK_IT)];

/// The status of a refusal.
pub(super) fn status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::LoginRequired | Refusal::StepUp | Refusal::Credential => StatusCode::UNAUTHORIZED,
        Refusal::ProviderUnavailable | Refusal::Logout(SamlFault::LogoutRate) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::UnknownApp
        | Refusal::Malformed
        | Refusal::NotUnderWay
        | Refusal::Loop
        | Refusal::Proof(_)
        | Refusal::Logout(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Conflict => StatusCode::CONFLICT,
        Refusal::RefusedAtProvider
        | Refusal::TwoOrganizations
        | Refusal::Authority
        | Refusal::ThirdParty
        | Refusal::Inactive
        | Refusal::WrongPassword
        | Refusal::WrongPasskey
        | Refusal::PasswordDead
        | Refusal::SecondStep
        | Refusal::NewPassword
        | Refusal::Network
        | Refusal::BrokenLink
        | Refusal::EmailProof
        | Refusal::SeveralAccounts
        | Refusal::LocalProof
        | Refusal::GivenUp
        | Refusal::MoveFirst
        | Refusal::NoAccount
        | Refusal::NotAllowed
        | Refusal::WeakProof
        | Refusal::StaleProof
        | Refusal::CrossSite => StatusCode::FORBIDDEN,
    }
}

/// The heading of a refusal.
pub(super) fn title(refusal: Refusal) -> Text {
    Text::of(heading(refusal))
}

/// The heading of a refusal in English, as an operator reads it.
pub fn refusal_title(refusal: Refusal) -> String {
    crate::language::in_english(&title(refusal)).unwrap_or_else(|_| refusal.code().to_owned())
}

const fn heading(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Proof(_) => "refused-proof",
        Refusal::Logout(_) => "refused-logout",
        Refusal::RefusedAtProvider => "refused-at-provider",
        Refusal::ProviderUnavailable => "refused-provider-unavailable",
        Refusal::TwoOrganizations => "refused-two-organizations",
        Refusal::Authority => "refused-authority",
        Refusal::ThirdParty => "refused-third-party",
        Refusal::Inactive => "refused-inactive",
        Refusal::WrongPassword => "refused-wrong-password",
        Refusal::WrongPasskey => "refused-wrong-passkey",
        Refusal::PasswordDead => "refused-password-dead",
        Refusal::SecondStep => "refused-second-step",
        Refusal::NewPassword => "refused-new-password",
        Refusal::Network => "refused-network",
        Refusal::BrokenLink => "refused-broken-link",
        Refusal::EmailProof => "refused-email-proof",
        Refusal::SeveralAccounts => "refused-several-accounts",
        Refusal::Conflict => "refused-conflict",
        Refusal::LocalProof => "refused-local-proof",
        Refusal::GivenUp => "refused-given-up",
        Refusal::MoveFirst => "refused-move-first",
        Refusal::NoAccount => "refused-no-account",
        Refusal::NotAllowed => "refused-not-allowed",
        Refusal::WeakProof => "refused-weak-proof",
        Refusal::StaleProof => "refused-stale-proof",
        Refusal::NotUnderWay => "refused-not-under-way",
        Refusal::Loop => "refused-loop",
        Refusal::CrossSite => "refused-cross-site",
        Refusal::StepUp => "refused-step-up",
        Refusal::LoginRequired => "refused-login-required",
        Refusal::Credential => "refused-credential",
        Refusal::UnknownApp => "refused-unknown-app",
        Refusal::Malformed => "refused-malformed",
        Refusal::TooLarge => "refused-too-large",
        Refusal::TooMany => "refused-too-many",
    }
}

/// All sentences of a refusal.
pub(super) fn of(refused: &Refused) -> Texts {
    let product = refused.product.as_ref();
    let product = product.map_or_else(|| Fact::Said(Text::of("this-product")), |product| Fact::shown(&product.label));
    let provider = refused.provider.as_deref();
    let provider = provider.map_or_else(|| Fact::Said(Text::of("login-service")), Fact::shown);
    let (what, can_do, ask) = sentences(refused.refusal);
    let other_account = matches!(
        refused.refusal,
        Refusal::NotAllowed
            | Refusal::NoAccount
            | Refusal::Inactive
            | Refusal::ThirdParty
            | Refusal::Authority
            | Refusal::EmailProof
            | Refusal::Conflict
            | Refusal::LocalProof
            | Refusal::GivenUp
    );
    Texts {
        status: status(refused.refusal),
        title: title(refused.refusal),
        what: Text::of(what).and("product", product).and("provider", provider),
        can_do: Text::of(can_do),
        ask: Text::of(ask),
        other_account,
    }
}

/// What happened, what the person can do now, whom to ask.
const fn sentences(refusal: Refusal) -> (&'static str, &'static str, &'static str) {
    match refusal {
        Refusal::Proof(_) => ("refused-proof-what", "refused-proof-do", ASK_IT),
        Refusal::Logout(SamlFault::LogoutRate) => ("refused-logout-rate-what", "refused-logout-do", ASK_IT),
        Refusal::Logout(_) => ("refused-logout-what", "refused-logout-do", ASK_IT),
        Refusal::RefusedAtProvider => ("refused-at-provider-what", "refused-at-provider-do", ASK_IT),
        Refusal::ProviderUnavailable => {
            ("refused-provider-unavailable-what", "refused-provider-unavailable-do", ASK_IT)
        }
        Refusal::TwoOrganizations => ("refused-two-organizations-what", "refused-two-organizations-do", ASK_IT),
        Refusal::Authority => ("refused-authority-what", "refused-authority-do", ASK_IT),
        Refusal::ThirdParty => ("refused-third-party-what", "refused-third-party-do", ASK_IT),
        Refusal::Inactive => ("refused-inactive-what", "refused-inactive-do", ASK_IT),
        Refusal::WrongPassword => ("refused-wrong-password-what", "refused-wrong-password-do", ASK_IT),
        Refusal::WrongPasskey => ("refused-wrong-passkey-what", "refused-wrong-passkey-do", ASK_IT),
        Refusal::PasswordDead => ("refused-password-dead-what", "refused-password-dead-do", ASK_SUPPORT),
        Refusal::SecondStep => ("refused-second-step-what", "refused-second-step-do", ASK_IT),
        Refusal::NewPassword => ("refused-new-password-what", "refused-new-password-do", ASK_IT),
        Refusal::Network => ("refused-network-what", "refused-network-do", ASK_IT),
        Refusal::BrokenLink => ("refused-broken-link-what", "refused-broken-link-do", ASK_SUPPORT),
        Refusal::EmailProof => ("refused-email-proof-what", "refused-email-proof-do", ASK_SUPPORT),
        Refusal::SeveralAccounts => ("refused-several-accounts-what", "refused-several-accounts-do", ASK_SUPPORT),
        Refusal::Conflict => ("refused-conflict-what", "refused-conflict-do", ASK_SUPPORT),
        Refusal::LocalProof => ("refused-local-proof-what", "refused-local-proof-do", ASK_SUPPORT),
        Refusal::GivenUp => ("refused-given-up-what", "refused-given-up-do", ASK_SUPPORT),
        Refusal::MoveFirst => ("refused-move-first-what", "refused-move-first-do", ASK_SUPPORT),
        Refusal::NoAccount => ("refused-no-account-what", "refused-no-account-do", ASK_IT),
        Refusal::NotAllowed => ("refused-not-allowed-what", "refused-not-allowed-do", ASK_IT),
        Refusal::WeakProof => ("refused-weak-proof-what", "refused-weak-proof-do", ASK_IT),
        Refusal::StaleProof => ("refused-stale-proof-what", "refused-stale-proof-do", ASK_IT),
        Refusal::NotUnderWay => ("refused-not-under-way-what", "refused-not-under-way-do", ASK_SUPPORT),
        Refusal::Loop => ("refused-loop-what", "refused-loop-do", ASK_SUPPORT),
        Refusal::CrossSite => ("refused-cross-site-what", "refused-cross-site-do", ASK_SUPPORT),
        Refusal::StepUp => ("refused-step-up-what", "refused-step-up-do", ASK_SUPPORT),
        Refusal::LoginRequired => ("refused-login-required-what", "refused-login-required-do", ASK_SUPPORT),
        Refusal::Credential => ("refused-credential-what", "refused-credential-do", ASK_SUPPORT),
        Refusal::UnknownApp => ("refused-unknown-app-what", "refused-unknown-app-do", ASK_SUPPORT),
        Refusal::Malformed => ("refused-malformed-what", "refused-malformed-do", ASK_SUPPORT),
        Refusal::TooLarge => ("refused-too-large-what", "refused-too-large-do", ASK_IT),
        Refusal::TooMany => ("refused-too-many-what", "refused-too-many-do", ASK_SUPPORT),
    }
}
