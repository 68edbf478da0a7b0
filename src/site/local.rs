//! Local logins as pages: what a step shows, in the words of the pages, and the paths of their forms under `/.fedgate/`.

use super::render::{brand, form};
use crate::kernel::local::Weakness;
use crate::language::Text;
use crate::login::local::{Asks, CeremonyFor, LocalPage, LocalStep, Said, Shown, Wrong};
use crate::login::{Form, Way as LoginWay};
use crate::pages::{
    Anew, AskReset, Ceremony, Code, CodeFrom, Enrol, Go, Href, Link, Local, Move, Name, NewPassword, Notice, Opened,
    Page, Passkey, Password, Prove, Recovery, Review, Security, Utc, Way,
};
use http::StatusCode;
use qrcodegen::{QrCode, QrCodeEcc};
use std::time::Duration;

/// Where a local login's forms go.
pub(super) mod paths {
    pub const SIGN_IN: &str = "/.fedgate/sign-in";
    pub const IDENTIFY: &str = "/.fedgate/identify";
    pub const DEPART: &str = "/.fedgate/depart";
    pub const PASSWORD: &str = "/.fedgate/password";
    pub const STEP: &str = "/.fedgate/step";
    pub const STEP_PASSKEY: &str = "/.fedgate/step/passkey";
    pub const STEP_UP_SECURITY: &str = "/.fedgate/step-up?for=security";
    pub const PASSKEY_BACK: &str = "/.fedgate/passkey";
    pub const RESET: &str = "/.fedgate/reset";
    pub const MAIL_CODE: &str = "/.fedgate/reset/code";
    pub const MAIL_LINK: &str = "/.fedgate/reset/link";
    pub const NEW_PASSWORD: &str = "/.fedgate/reset/password";
    pub const NOT_ME: &str = "/.fedgate/reset/not-me";
    pub const SECURITY: &str = "/.fedgate/security";
    pub const CHANGE: &str = "/.fedgate/security/password";
    pub const ENROL: &str = "/.fedgate/security/app";
    pub const MOVE: &str = "/.fedgate/move";
    pub const PROVE: &str = "/.fedgate/prove";
    pub const PROVE_MAIL: &str = "/.fedgate/prove/mail";
    pub const ANEW: &str = "/.fedgate/prove/anew";
    // On the login host.
    pub const LINK: &str = "/login/link";
    pub const MERGE: &str = "/login/merge";
    pub const MERGE_REVIEW: &str = "/login/merge/review";
    pub const PASSKEY_ANSWER: &str = "/login/passkey";
    pub const PASSKEY_EMAIL: &str = "/login/passkey/email";
    pub const PASSKEY_NEW: &str = "/login/passkey/new";
    pub const PASSKEY_DONE: &str = "/login/passkey/done";
}

/// The page of a step. `None` only when an address of ours does not parse.
pub(super) fn page(step: LocalStep) -> Option<Page> {
    let LocalStep { product, page } = step;
    let brand = brand(&product);
    let of_product = |id: &'static str| Text::of(id).with("product", &product.label);
    let local = match page {
        LocalPage::Password { form: fields, email, ways, passkey, failed } => Local::Password(Password {
            passkey: Href::parse(&passkey).ok()?,
            brand,
            form: form(&fields, paths::PASSWORD)?,
            ways_form: form(&fields, paths::DEPART)?,
            reset_form: form(&fields, paths::RESET)?,
            email: email.to_string(),
            change: Href::parse(&format!("{}?to={}", paths::SIGN_IN, fields.to)).ok()?,
            ways: ways.into_iter().map(way).collect(),
            failed,
        }),
        LocalPage::AppCode { form: fields, app, passkey, failed } => Local::Code(Code {
            brand,
            form: form(&fields, paths::STEP)?,
            from: if app { CodeFrom::App } else { CodeFrom::Recovery },
            passkey: if passkey { Some(form(&fields, paths::STEP_PASSKEY)?) } else { None },
            failed,
        }),
        LocalPage::MailCode { form: fields, failed } => Local::Code(Code {
            brand,
            form: form(&fields, paths::MAIL_CODE)?,
            from: CodeFrom::Mail,
            passkey: None,
            failed,
        }),
        LocalPage::AskReset { form: fields, invalid } => {
            Local::AskReset(AskReset { brand, form: form(&fields, paths::RESET)?, invalid })
        }
        LocalPage::NewPassword { form: fields, email, asks_current, wrong } => {
            let action = if asks_current { paths::CHANGE } else { paths::NEW_PASSWORD };
            let wrong = wrong.map(what_is_wrong);
            let email = email.to_string();
            Local::NewPassword(NewPassword { brand, form: form(&fields, action)?, email, asks_current, wrong })
        }
        LocalPage::Opened { go_on, not_me } => Local::Opened(Opened {
            brand,
            go_on: go_on
                .map(|fields: Form| form(&fields, paths::MAIL_LINK))
                .map_or(Some(None), |form| form.map(Some))?,
            not_me: form(&not_me, paths::NOT_ME)?,
        }),
        LocalPage::KeptByProduct { url } => {
            let (label, href, text) = match &url {
                Some(url) => ("kept-go", url.as_str(), "kept-text"),
                None => ("back-to-start", "/.fedgate/login?return_to=%2F", "kept-text-ask"),
            };
            let next = Link { label: Text::of(label), href: Href::parse(href).ok()? };
            // One text for everybody (MSG-RESET-AT-ORG stands in it): it says nothing about any address.
            let (title, text) = (of_product("kept-title"), of_product(text));
            Local::Notice(Notice { brand, status: StatusCode::OK.as_u16(), title, text, next })
        }
        LocalPage::Said(said) => {
            let (status, title, text, label, href) = sentence(said);
            let next = Link { label: of_product(label), href: Href::parse(href).ok()? };
            let (title, text) = (of_product(title), of_product(text));
            Local::Notice(Notice { brand, status: status.as_u16(), title, text, next })
        }
        LocalPage::Enrol { form: fields, uri, key, passkey, failed } => {
            let (form, qr, key) = (form(&fields, paths::ENROL)?, qr(&uri)?, grouped(&key));
            Local::Enrol(Enrol { brand, form, qr, key, passkey, failed })
        }
        LocalPage::Passkey { form: fields, ceremony, options, other, failed } => {
            let (ceremony, action) = match ceremony {
                CeremonyFor::First => {
                    (Ceremony::First { email_form: form(&fields, paths::PASSKEY_EMAIL)? }, paths::PASSKEY_ANSWER)
                }
                CeremonyFor::Second => (Ceremony::Second, paths::PASSKEY_ANSWER),
                CeremonyFor::Enrol { email } => (Ceremony::Enrol { email: email.to_string() }, paths::PASSKEY_NEW),
            };
            let (form, other) = (form(&fields, action)?, Href::parse(&other).ok()?);
            Local::Passkey(Passkey { brand, form, ceremony, options, other, failed })
        }
        LocalPage::Enrolled { next } => Local::Notice(Notice {
            brand,
            status: StatusCode::OK.as_u16(),
            title: Text::of("passkey-added"),
            text: Text::of("passkey-added-text"),
            next: Link { label: Text::of("on"), href: Href::parse(&next).ok()? },
        }),
        LocalPage::Recovery { codes, next } => {
            Local::Recovery(Recovery { brand, codes, next: Href::parse(&next).ok()? })
        }
        LocalPage::Move { form: fields, email, provider, must, ends } => Local::Move(Move {
            must,
            // The end of a day is the first moment of the next.
            last_day: ends.map(|at| Utc::from(at.minus(Duration::from_secs(1)))),
            stay: Href::parse("/").ok()?,
            brand,
            form: form(&fields, paths::MOVE)?,
            email: email.to_string(),
            provider: Name::configured(&provider),
        }),
        LocalPage::Prove { form: fields, email, provider, identity, shown, may_begin_anew, failed } => {
            Local::Prove(Prove {
                brand,
                anew: if may_begin_anew { Some(form(&fields, paths::ANEW)?) } else { None },
                form: form(&fields, paths::PROVE)?,
                email: email.to_string(),
                provider: Name::configured(&provider),
                identity,
                known: shown == Shown::Enough,
                first: shown == Shown::First,
                by_mail: form(&fields, paths::PROVE_MAIL)?,
                failed,
                stay: Href::parse("/").ok()?,
            })
        }
        LocalPage::Anew { form: fields, email, provider, identity, set_aside, changed, stay } => Local::Anew(Anew {
            brand,
            form: form(&fields, paths::LINK)?,
            email,
            provider: Name::configured(&provider),
            identity,
            set_aside,
            changed,
            stay: Href::parse(&stay).ok()?,
        }),
        LocalPage::Review { form: fields, kept, removed, provider, identity, work, another, changed, stay } => {
            Local::Review(Review {
                brand,
                form: form(&fields, paths::LINK)?,
                kept,
                removed,
                provider: Name::configured(&provider),
                identity,
                work: work.map(|org| Name::organization(&org)),
                another: another.map(|path| Href::parse(&path)).transpose().ok()?,
                changed,
                stay: Href::parse(&stay).ok()?,
            })
        }
        LocalPage::Address(step) => super::another::page(step, brand)?,
        LocalPage::Merge(step) => Local::Merge(super::merging::page(step, brand)?),
        LocalPage::AskAdmin(manager) => {
            return super::account::ask_admin(brand, &manager, super::account::HERE);
        }
        LocalPage::Security { form: fields, email, factors, recovery_left, proof, managed, last_stays, failed } => {
            Local::Security(Security {
                asks_code: proof != Asks::Nothing,
                passkey: match proof {
                    Asks::CodeOrPasskey => Some(Href::parse(paths::STEP_UP_SECURITY).ok()?),
                    Asks::Code | Asks::Nothing => None,
                },
                brand,
                email,
                factors,
                recovery_left,
                last_stays,
                failed,
                form: form(&fields, paths::SECURITY)?,
                password: if managed { None } else { Some(Href::parse(paths::CHANGE).ok()?) },
                account: Href::parse(super::account::HERE).ok()?,
                back: Href::parse("/").ok()?,
            })
        }
    };
    Some(Page::Local(Box::new(local)))
}

fn way(way: LoginWay) -> Way {
    let name = if way.first { Name::organization(&way.label) } else { Name::configured(&way.label) };
    Way { name, go: Go::Post(way.name), primary: way.first }
}

const fn what_is_wrong(wrong: Wrong) -> Text {
    Text::of(match wrong {
        Wrong::Weak(Weakness::Short) => "weak-short",
        Wrong::Weak(Weakness::Guessable) => "weak-guessable",
        Wrong::Weak(Weakness::Breached) => "weak-breached",
        Wrong::Length => "weak-length",
        Wrong::Current => "weak-current",
    })
}

/// Where a login begins again.
const AGAIN: &str = "/.fedgate/login?return_to=%2F";

/// Status, heading, text, and the label and address of the way on.
const fn sentence(said: Said) -> (StatusCode, &'static str, &'static str, &'static str, &'static str) {
    match said {
        Said::Changed => (StatusCode::OK, "said-changed", "said-changed-text", "log-in", AGAIN),
        Said::Ended => (StatusCode::OK, "said-ended", "said-ended-text", "on-to", "/"),
        Said::TooMany => (StatusCode::TOO_MANY_REQUESTS, "said-too-many", "said-too-many-text", "back-to-start", AGAIN),
        Said::Over => (StatusCode::BAD_REQUEST, "said-over", "said-over-text", "said-over-go", AGAIN),
        Said::EnrolmentOver => {
            (StatusCode::BAD_REQUEST, "said-enrolment-over", "said-enrolment-over-text", "back-to-start", "/")
        }
        Said::Busy => (StatusCode::SERVICE_UNAVAILABLE, "said-busy", "said-busy-text", "try-again", AGAIN),
        Said::Away => (StatusCode::SERVICE_UNAVAILABLE, "said-away", "said-away-text", "try-again", AGAIN),
        Said::NoSignup => (StatusCode::OK, "use-work-address", "said-no-signup-text", "log-in", AGAIN),
        Said::KeptElsewhere => {
            (StatusCode::FORBIDDEN, "said-kept-elsewhere", "said-kept-elsewhere-text", "log-in", AGAIN)
        }
    }
}

/// In groups of four, to be typed.
pub(super) fn grouped(key: &str) -> String {
    let digits: Vec<char> = key.chars().collect();
    digits.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// The size with its quiet zone, and a path over the dark modules.
pub(super) fn qr(text: &str) -> Option<(u32, String)> {
    const QUIET: i32 = 4;
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            path.push_str(&format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET));
        }
    }
    Some((u32::try_from(code.size() + 2 * QUIET).ok()?, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qr_code_has_its_finders_and_a_quiet_zone() {
        let (size, path) = qr("otpauth://totp/Board:ann%40acme.com?secret=GEZDGNBVGY3TQOJQ&issuer=Board").unwrap();
        assert!(size >= 29, "{size}");
        assert!(path.starts_with("M4 4h1v1h-1z"), "the corner of the first finder");
        assert!(!path.contains("M3 ") && !path.contains(" 3h"), "nothing in the quiet zone");
        assert_eq!(grouped("ABCDEFGHI"), "ABCD EFGH I");
    }
}
