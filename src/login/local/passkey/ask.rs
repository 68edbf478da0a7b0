//! The pages of ceremonies, on the login host. They need our script; without it each says so and leads back to the door.

use super::super::super::answer::{Answer, Step};
use super::super::super::world::{Browser, Visitor};
use super::super::super::{Login, Stop};
use super::super::answer::{CeremonyFor, LocalPage};
use super::super::door::said_page;
use super::leave;
use super::ticket::{Aim, CHALLENGE_LIFE, Shown, Start, Way};
use crate::entropy::random;
use crate::kernel::local::{ALGORITHMS, user_handle};
use crate::kernel::model::FactorKind;
use crate::kernel::values::{AccountId, EmailAddress};
use crate::login::ticket::Errand;
use crate::store::Taken;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

impl Login {
    /// `GET /login/passkey`: asks for a passkey.
    pub async fn ask_passkey(&self, visitor: &Visitor, start: &str) -> Answer {
        match self.world.open_start(start, visitor.now).filter(|start| start.aim != Aim::Enrol) {
            Some(start) => {
                let answer = self.ceremony_page(visitor, &start, false).await;
                self.settle(visitor, Some(&start.target), answer).await
            }
            None => self.home(visitor).await,
        }
    }

    /// `GET /login/passkey/new`: asks for a new one. Looked at once: who finds the address later adds no credential of theirs to
    /// somebody else's account.
    pub async fn ask_new_passkey(&self, visitor: &Visitor, start: &str) -> Answer {
        let Some(start) = self.world.open_start(start, visitor.now).filter(|start| start.aim == Aim::Enrol) else {
            return self.home(visitor).await;
        };
        let answer = match self.world.store.take_once(start.mark()).await {
            Ok(Taken::First) => self.ceremony_page(visitor, &start, false).await,
            Ok(Taken::Again) => self.to_door(&start, "/.fedgate/security", false),
            Err(fault) => Err(fault.into()),
        };
        self.settle(visitor, Some(&start.target), answer).await
    }

    /// `POST /login/passkey/email`: an address was typed instead; the door goes on with it.
    pub async fn email_instead(&self, visitor: &Visitor, (csrf, to): (&str, &str), typed: &str) -> Answer {
        let Some(shown) = self.shown(visitor, csrf, to) else { return self.home(visitor).await };
        let path = self.other_way(visitor, &shown.start, EmailAddress::parse(typed).ok().as_ref());
        let answer = self.to_door(&shown.start, &path, true);
        self.settle(visitor, Some(&shown.start.target), answer).await
    }

    /// What a posted form of this browser carries.
    pub(super) fn shown(&self, visitor: &Visitor, csrf: &str, to: &str) -> Option<Shown> {
        let browser = Browser::of(visitor);
        self.world.open_shown(to, &browser.value).filter(|_| self.world.csrf_holds(visitor, csrf))
    }

    /// Back to the product, at this path.
    pub(super) fn to_door(&self, start: &Start, path: &str, by_form: bool) -> Result<Answer, Stop> {
        let at = self.world.door_of(&start.target)?;
        let url = format!("{}{path}", at.host.url());
        Ok(if by_form { leave(&at, url) } else { Answer::of(Step::Go(url)) })
    }

    /// The door's first page, with the address that was typed here if there is one.
    fn other_way(&self, visitor: &Visitor, start: &Start, typed: Option<&EmailAddress>) -> String {
        let to = self.world.seal_aim(Some(&start.target), visitor.now);
        let hint = typed.map(|email| format!("&hint={}", self.world.seal_hint(email, ("", Errand::None), visitor.now)));
        format!("/.fedgate/sign-in?to={to}{}", hint.unwrap_or_default())
    }

    /// The page, with a challenge of its own. `failed`: the last answer did not hold.
    pub(super) async fn ceremony_page(&self, visitor: &Visitor, start: &Start, failed: bool) -> Result<Answer, Stop> {
        let at = self.world.door_of(&start.target)?;
        let steps = match start.aim {
            Aim::First => None,
            Aim::Second | Aim::Enrol => {
                match self.world.steps_of(&start.steps, &start.browser, Way::There, visitor.now) {
                    Some(steps) => Some(steps),
                    None => return self.to_door(start, "/.fedgate/login?return_to=%2F", failed),
                }
            }
        };
        let browser = Browser::of(visitor);
        let shown = Shown { challenge: random(), shown_at: visitor.now, start: start.clone() };
        let mut form = self.form(visitor, None, &browser);
        form.to = self.world.seal_shown(&shown, &browser.value);
        let (ceremony, options) = match (start.aim, &steps) {
            (Aim::Enrol, Some(steps)) => (CeremonyFor::Enrol { email: steps.claimant().email.clone() }, {
                let claimant = steps.claimant();
                let whose = (claimant.account, claimant.email.as_str());
                self.creation(visitor, &at.product.label, &shown.challenge, whose).await?
            }),
            (_, Some(steps)) => {
                let handles = self.handles(visitor, steps.claimant().account).await?;
                (CeremonyFor::Second, self.request(&shown.challenge, &handles))
            }
            (_, None) => (CeremonyFor::First, self.request(&shown.challenge, &[])),
        };
        let other = match start.aim {
            Aim::Enrol => "/.fedgate/security".to_owned(),
            Aim::First | Aim::Second => self.other_way(visitor, start, None),
        };
        let other = format!("{}{other}", at.host.url());
        let options = options.to_string();
        let mut answer = said_page(&at, LocalPage::Passkey { form, ceremony, options, other, failed });
        answer.cookies.extend(browser.cookie());
        Ok(answer)
    }

    /// The credentials of a person, for an account that is known by now.
    pub(in crate::login) async fn handles(&self, visitor: &Visitor, account: AccountId) -> Result<Vec<Vec<u8>>, Stop> {
        let factors = self.world.factors(visitor, account).await?;
        let passkeys = factors.into_iter().filter(|factor| factor.kind == FactorKind::Passkey);
        Ok(passkeys.filter_map(|factor| factor.handle).collect())
    }

    /// `PublicKeyCredentialRequestOptions` (WebAuthn §5.5).
    pub(in crate::login) fn request(&self, challenge: &[u8; 32], handles: &[Vec<u8>]) -> Value {
        json!({
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "rpId": self.world.catalog.load().login.host(),
            "allowCredentials": listed(handles),
            "userVerification": "required",
            "timeout": millis(),
        })
    }

    /// `PublicKeyCredentialCreationOptions` (WebAuthn §5.4). The user handle is the account's id: random, and no address.
    pub(in crate::login) async fn creation(
        &self,
        visitor: &Visitor,
        label: &str,
        challenge: &[u8; 32],
        (account, email): (AccountId, &str),
    ) -> Result<Value, Stop> {
        let handles = self.handles(visitor, account).await?;
        let algorithms = ALGORITHMS.map(|number| json!({ "type": "public-key", "alg": number }));
        Ok(json!({
            "challenge": URL_SAFE_NO_PAD.encode(challenge),
            "rp": { "id": self.world.catalog.load().login.host(), "name": label },
            "user": {
                "id": URL_SAFE_NO_PAD.encode(user_handle(FactorKind::Passkey, account)),
                "name": email,
                "displayName": email,
            },
            "pubKeyCredParams": algorithms,
            "excludeCredentials": listed(&handles),
            "authenticatorSelection": { "residentKey": "preferred", "userVerification": "required" },
            "attestation": "none",
            "timeout": millis(),
        }))
    }
}

fn listed(handles: &[Vec<u8>]) -> Vec<Value> {
    handles.iter().map(|handle| json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(handle) })).collect()
}

fn millis() -> u64 {
    u64::try_from(CHALLENGE_LIFE.as_millis()).unwrap_or(u64::MAX)
}
