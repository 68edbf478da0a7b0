//! Whom an event is about: what the log is searched by.

use super::AuditEvent;
use crate::kernel::values::{AccountId, EmailAddress};
use std::collections::BTreeSet;

/// A person, as events name them: by an address, by an account, or by both.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AboutPerson {
    /// The address.
    pub email: Option<String>,
    /// The account's id.
    pub account: Option<String>,
}

impl AboutPerson {
    /// Somebody of whom the address is known.
    pub fn at(email: &str) -> Self {
        // An address is written in one way in every event.
        let email = EmailAddress::parse(email).map_or_else(|_| email.to_owned(), |email| email.to_string());
        Self { email: Some(email), account: None }
    }

    /// What the index is asked for; one of the two twice where there is no other. `None`: nobody is named.
    pub fn keys(&self) -> Option<[String; 2]> {
        let (email, account) = (self.email.as_deref().map(by_email), self.account.as_deref().map(by_account));
        let one = email.clone().or_else(|| account.clone())?;
        Some([account.unwrap_or_else(|| one.clone()), email.unwrap_or(one)])
    }
}

impl AuditEvent {
    /// The keys of the index that lead to this event: whom it is about, and who did it.
    pub fn about(&self) -> BTreeSet<String> {
        let actor = self.actor.as_ref();
        let emails = [self.subject.email.as_deref(), actor.and_then(|actor| actor.address.as_deref())];
        let did = actor.and_then(|actor| actor.id.as_deref());
        // A token's id stands behind its owner's.
        let did = did.and_then(|id| id.split('/').next()).filter(|id| AccountId::parse(id).is_ok());
        let accounts = [self.subject.account.as_deref(), did];
        let emails = emails.into_iter().flatten().map(by_email);
        emails.chain(accounts.into_iter().flatten().map(by_account)).collect()
    }
}

fn by_email(email: &str) -> String {
    format!("e:{email}")
}

fn by_account(account: &str) -> String {
    format!("a:{account}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::{Action, Actor, Outcome, Subject};
    use crate::kernel::values::{EventId, Timestamp};

    const ANN: &str = "01KB3Z8Q4W9T5N7M2XJ6R0V1CD";

    #[test]
    fn an_event_is_led_to_by_whom_it_is_about_and_by_who_did_it() {
        let now = Timestamp::from_seconds(1);
        let mut event = AuditEvent::new(EventId::mint(now, [0; 10]), now, Action::LoginDenied, Outcome::Refused);
        assert!(event.about().is_empty());
        let email = Some("bob@acme.com".to_owned());
        event.subject = Subject { account: Some("b".to_owned()), product_account: Some("p".to_owned()), email };
        let by = |id: &str, address: Option<&str>| {
            let (id, address) = (Some(id.to_owned()), address.map(str::to_owned));
            Some(Actor { kind: "person".to_owned(), id, address })
        };
        event.actor = by(&format!("{ANN}/token 7"), Some("ann@acme.com"));
        let ann = format!("a:{ANN}");
        let keys = |event: &AuditEvent| event.about().into_iter().collect::<Vec<_>>();
        assert_eq!(keys(&event), [&ann, "a:b", "e:ann@acme.com", "e:bob@acme.com"]);
        event.actor = by("uid 0", None);
        assert_eq!(keys(&event), ["a:b", "e:bob@acme.com"]);
    }

    #[test]
    fn a_person_is_asked_for_by_what_is_known() {
        assert_eq!(AboutPerson::default().keys(), None);
        let ann = AboutPerson::at("Ann@ACME.com");
        assert_eq!(ann.keys(), Some(["e:ann@acme.com".to_owned(), "e:ann@acme.com".to_owned()]));
        let both = AboutPerson { account: Some("a".to_owned()), ..ann };
        assert_eq!(both.keys(), Some(["a:a".to_owned(), "e:ann@acme.com".to_owned()]));
        let account = AboutPerson { email: None, ..both };
        assert_eq!(account.keys(), Some(["a:a".to_owned(), "a:a".to_owned()]));
    }
}
