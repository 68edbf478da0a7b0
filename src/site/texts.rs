//! What people read when they are turned away: what happened, what they can do now, whom to ask. One arm per refusal.

use crate::kernel::refusal::Refusal;
use crate::kernel::saml::SamlFault;
use crate::login::Refused;
use http::StatusCode;

/// The sentences of a refusal page.
pub(super) struct Texts {
    pub status: StatusCode,
    pub title: String,
    pub what: String,
    pub can_do: &'static str,
    pub ask: &'static str,
    /// Whether only another account can help.
    pub other_account: bool,
}

const ASK_IT: &str = "Ask your organization’s IT team. Give them the reference below.";
const ASK_SUPPORT: &str = "Ask the product’s support. Give them the reference below.";

/// The store does not answer: title, what happened, what the person can do, whom to ask.
pub(super) const OUTAGE: (&str, &str, &str, &str) = (
    "Nobody can log in right now",
    "A part of the login service isn’t answering. People who are logged in already can go on for a while.",
    "Wait a minute and try again.",
    ASK_IT,
);

/// The status of a refusal.
pub(super) fn status(refusal: Refusal) -> StatusCode {
    match refusal {
        Refusal::LoginRequired | Refusal::StepUp | Refusal::Credential => StatusCode::UNAUTHORIZED,
        Refusal::ProviderUnavailable | Refusal::Logout(SamlFault::LogoutRate) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Malformed | Refusal::NotUnderWay | Refusal::Loop | Refusal::Proof(_) | Refusal::Logout(_) => {
            StatusCode::BAD_REQUEST
        }
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
pub fn title(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Proof(_) => "We couldn’t check that login",
        Refusal::Logout(_) => "We couldn’t check that logout",
        Refusal::RefusedAtProvider => "The login was not completed",
        Refusal::ProviderUnavailable => "The login service isn’t answering",
        Refusal::TwoOrganizations => "Two organizations manage this account",
        Refusal::Authority => "This login can’t be used for that address",
        Refusal::ThirdParty => "Your organization doesn’t allow this way in",
        Refusal::Inactive => "This account is not active",
        Refusal::WrongPassword => "That didn’t work",
        Refusal::WrongPasskey => "That passkey didn’t work",
        Refusal::PasswordDead => "This password is retired",
        Refusal::SecondStep => "A second step is needed",
        Refusal::NewPassword => "A new password is needed",
        Refusal::Network => "You can’t log in from here",
        Refusal::BrokenLink => "This login leads to no account",
        Refusal::EmailProof => "Your email address isn’t confirmed yet",
        Refusal::SeveralAccounts => "Several accounts use this address",
        Refusal::Conflict => "This account already has another login",
        Refusal::LocalProof => "There is already an account with this address",
        Refusal::GivenUp => "This address was another account’s",
        Refusal::MoveFirst => "Your account moves first",
        Refusal::NoAccount => "There is no account for this login",
        Refusal::NotAllowed => "You don’t have access",
        Refusal::WeakProof => "A second step is needed",
        Refusal::StaleProof => "Please log in afresh",
        Refusal::NotUnderWay => "This login is no longer under way",
        Refusal::Loop => "The login keeps coming back",
        Refusal::CrossSite => "That request came from another site",
        Refusal::StepUp => "Confirm that it’s you",
        Refusal::LoginRequired => "Log in first",
        Refusal::Credential => "That credential isn’t accepted here",
        Refusal::Malformed => "That address can’t be read",
        Refusal::TooLarge => "That form is too large",
        Refusal::TooMany => "Too many requests",
    }
}

/// All sentences of a refusal.
pub(super) fn of(refused: &Refused) -> Texts {
    let product = refused.product.as_ref().map_or("this product", |product| product.label.as_str());
    let provider = refused.provider.as_deref().unwrap_or("the login service");
    let (what, can_do, ask) = sentences(refused.refusal, product, provider);
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
        title: title(refused.refusal).to_owned(),
        what,
        can_do,
        ask,
        other_account,
    }
}

fn sentences(refusal: Refusal, product: &str, provider: &str) -> (String, &'static str, &'static str) {
    match refusal {
        Refusal::Proof(_) => (
            format!("The answer of {provider} didn’t pass our checks, so nobody was logged in."),
            "Try again. If it happens again, the set-up between the two services needs a look.",
            ASK_IT,
        ),
        Refusal::Logout(SamlFault::LogoutRate) => (
            format!("{provider} logs more people out than we can take care of at once. This message ended nothing."),
            "To be sure, log out here yourself.",
            ASK_IT,
        ),
        Refusal::Logout(_) => (
            format!(
                "{provider} asked us to log somebody out, in a message that didn’t pass our checks. It ended nothing."
            ),
            "To be sure, log out here yourself.",
            ASK_IT,
        ),
        Refusal::RefusedAtProvider => (
            format!("{provider} said that you cancelled, or that it won’t log you in."),
            "Try again, or use another account there.",
            ASK_IT,
        ),
        Refusal::ProviderUnavailable => (
            format!(
                "We asked {provider}, and it didn’t answer properly. People who are logged in already are not affected."
            ),
            "Wait a moment and try again.",
            ASK_IT,
        ),
        Refusal::TwoOrganizations => (
            "Addresses of this account belong to two organizations that both require their own login.".to_owned(),
            "An operator must settle which organization manages the account.",
            ASK_IT,
        ),
        Refusal::Authority => (
            format!("{provider} named an address that it may not speak for."),
            "Use the address that your organization gave you.",
            ASK_IT,
        ),
        Refusal::ThirdParty => (
            format!("Your organization’s policy doesn’t allow logging in through {provider}."),
            "Start again with your work address.",
            ASK_IT,
        ),
        Refusal::Inactive => (
            "You proved who you are, and the account is switched off.".to_owned(),
            "Your admin can switch it on again.",
            ASK_IT,
        ),
        Refusal::WrongPassword => (
            format!("If this address belonged to a {product} account, we’ve written to the addresses we know."),
            "Try again, or ask for a new password.",
            ASK_IT,
        ),
        Refusal::WrongPasskey => (
            "Your device’s answer didn’t hold, or the passkey was removed from this account.".to_owned(),
            "Try again, or log in another way.",
            ASK_IT,
        ),
        Refusal::PasswordDead => (
            format!("Your {product} account has moved to another login, and its old password opens nothing any more."),
            "Log in with the account it moved to.",
            ASK_SUPPORT,
        ),
        Refusal::SecondStep => (
            "You proved who you are, and one more step is required.".to_owned(),
            "Take or set up the second step, then try again.",
            ASK_IT,
        ),
        Refusal::NewPassword => (
            "Your password is older or weaker than the rules allow.".to_owned(),
            "Set a new one, then log in with it.",
            ASK_IT,
        ),
        Refusal::Network => (
            "Your organization’s policy only lets people in from its own networks.".to_owned(),
            "Connect to your organization’s network, then try again.",
            ASK_IT,
        ),
        Refusal::BrokenLink => (
            format!("{provider} knows you, but the account that this login belonged to is gone."),
            "Support can tell you what happened to it.",
            ASK_SUPPORT,
        ),
        Refusal::EmailProof => (
            format!("{provider} doesn’t say that your email address is confirmed, so we can’t use it."),
            "Confirm your address there, then try again.",
            ASK_SUPPORT,
        ),
        Refusal::SeveralAccounts => (
            "We can’t tell which one is yours, and won’t guess.".to_owned(),
            "Support can sort the accounts out.",
            ASK_SUPPORT,
        ),
        Refusal::Conflict => (
            "The account with your address belongs to another login, or the address is taken at the product."
                .to_owned(),
            "Log in the way you did before. If that isn’t possible, support can help.",
            ASK_SUPPORT,
        ),
        Refusal::LocalProof => (
            "It wasn’t made by this login, so we need a proof that it is yours before we connect them.".to_owned(),
            "Log in the way you did before.",
            ASK_SUPPORT,
        ),
        Refusal::GivenUp => (
            "An account had this address once and has another one now.".to_owned(),
            "If that account is yours, log in the way you did before.",
            ASK_SUPPORT,
        ),
        Refusal::MoveFirst => (
            format!("{product} accounts log in another way now, and yours has not moved yet."),
            "Open this in your browser and log in there: it leads you through the move.",
            ASK_SUPPORT,
        ),
        Refusal::NoAccount => (
            format!("Accounts for {product} aren’t made for everybody who logs in."),
            "Use the account that you were given.",
            ASK_IT,
        ),
        Refusal::NotAllowed => (
            format!("You are logged in, but your account may not enter {product}."),
            "Ask for access, or use another account.",
            ASK_IT,
        ),
        Refusal::WeakProof => (
            format!("Your organization requires a second step, and {provider} didn’t say that you did one."),
            "Set up a second step at your organization’s login, then try again.",
            ASK_IT,
        ),
        Refusal::StaleProof => (
            format!("{provider} answered from an old login instead of asking you."),
            "Log out there, then try again.",
            ASK_IT,
        ),
        Refusal::NotUnderWay => (
            "It was used already, took too long, or was begun in another browser.".to_owned(),
            "Begin again. Nothing was lost.",
            ASK_SUPPORT,
        ),
        Refusal::Loop => (
            "Your browser came back without what we had given it.".to_owned(),
            "Check that cookies are allowed and that the clock is right.",
            ASK_SUPPORT,
        ),
        Refusal::CrossSite => (
            "Only this site’s own pages may do that. Nothing was changed.".to_owned(),
            "Open the page itself and try there.",
            ASK_SUPPORT,
        ),
        Refusal::StepUp => (
            "This page asks for a proof of just now, and yours is older.".to_owned(),
            "Confirm that it’s you, or log in again.",
            ASK_SUPPORT,
        ),
        Refusal::LoginRequired => ("Nobody is logged in here.".to_owned(), "Log in to go on.", ASK_SUPPORT),
        Refusal::Credential => (
            "It carried no credential that we can check, or more than one.".to_owned(),
            "Log in in the browser.",
            ASK_SUPPORT,
        ),
        Refusal::Malformed => (
            "The address has no single meaning, or leads to a place that isn’t configured.".to_owned(),
            "Open the product’s own address.",
            ASK_SUPPORT,
        ),
        Refusal::TooLarge => (
            "Your browser brought more than a form may hold, so nothing of it was read.".to_owned(),
            "Open the product’s own address and log in from there.",
            ASK_IT,
        ),
        Refusal::TooMany => ("Too many requests came from here.".to_owned(), "Wait a minute.", ASK_SUPPORT),
    }
}
