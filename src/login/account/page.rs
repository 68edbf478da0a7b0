//! The account page, and the ways on from it to whoever changes an account.

use super::super::answer::{Answer, Person, Step, Towards};
use super::super::cookies::{self, CrossSite};
use super::super::current::person;
use super::super::handover::ProductHost;
use super::super::world::{Browser, Visitor};
use super::super::{Login, Stop};
use super::{AccountPage, AccountStep, Overview, Own};
use crate::kernel::model::ProductAccountState;

/// What a person wants to change about the account itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountChange {
    /// Name, address, picture.
    Profile,
    /// The password.
    Password,
}

impl Login {
    /// `GET /account`, and `/.fedgate/account` on a product host. `ended`: sessions were ended a moment ago.
    pub async fn account(&self, visitor: &Visitor, at: Option<&ProductHost>, ended: bool) -> Answer {
        let answer = match self.own_session(visitor, at).await {
            Ok(Some(own)) => self.account_page(visitor, at, &own, ended).await,
            Ok(None) => Ok(self.nobody_here(visitor, at).await),
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    /// Nobody is logged in: the login begins. On the login host the person comes back by the link on its first page.
    pub(in crate::login) async fn nobody_here(&self, visitor: &Visitor, at: Option<&ProductHost>) -> Answer {
        match at {
            None => self.home(visitor).await,
            Some(_) => Answer::of(Step::Go("/.fedgate/login?return_to=%2F".to_owned())),
        }
    }

    pub(super) async fn account_page(
        &self,
        visitor: &Visitor,
        at: Option<&ProductHost>,
        own: &Own,
        ended: bool,
    ) -> Result<Answer, Stop> {
        if at.is_some() && !own.is_confined() {
            // Who has a login session has one page, and it is on the login host.
            return Ok(Answer::of(Step::Go(format!("{}/account", self.world.catalog.load().login.url()))));
        }
        let about = self.about(visitor, at, own).await?;
        let (sessions, more) = self.sessions_seen(visitor, own).await?;
        let target = at.map(|at| self.door_target(at));
        let browser = Browser::of(visitor);
        let overview = Overview {
            form: self.form(visitor, target.as_ref(), &browser),
            person: self.person_of(own).await?,
            records: self.records_of(own).await?,
            logins: self.logins_of(own),
            about,
            sessions,
            more,
            ended,
        };
        let mut answer = account_answer(at, AccountPage::Overview(Box::new(overview)));
        answer.cookies.extend(browser.cookie());
        if at.is_none() {
            answer.cookies.push(self.acts_cookie(own));
        }
        Ok(answer)
    }

    /// The cookie that comes with nothing but pages of this host (rule H6).
    pub(in crate::login) fn acts_cookie(&self, own: &Own) -> String {
        let twin = self.world.keys.csrf(&twin_of(own));
        cookies::set(cookies::ACTS, &twin, None, CrossSite::Strict)
    }

    async fn person_of(&self, own: &Own) -> Result<Person, Stop> {
        let mut shown = person(&own.account);
        if shown.email.is_empty() {
            shown.email = self.address_of(own).await?.map(|email| email.to_string()).unwrap_or_default();
        }
        Ok(shown)
    }

    /// Products at which the person has a record, by name, and whether each still has a password of its own. A product's own host is
    /// told of no other product (rule H6).
    async fn records_of(&self, own: &Own) -> Result<Vec<(String, bool)>, Stop> {
        let catalog = self.world.catalog.load_full();
        let mut records = Vec::new();
        let only = own.session.confined_to.as_ref();
        for product in catalog.products.values().filter(|product| only.is_none_or(|only| *only == product.name)) {
            let record = self.world.store.product_account(&product.name, own.account.id).await?;
            match record.map(|record| record.state) {
                Some(ProductAccountState::Local | ProductAccountState::Migrating) => {
                    records.push((product.label.clone(), true));
                }
                Some(ProductAccountState::Linked) => records.push((product.label.clone(), false)),
                Some(ProductAccountState::Merged(_) | ProductAccountState::Closed) | None => {}
            }
        }
        records.sort();
        Ok(records)
    }

    /// Providers that are linked, oldest first. A suspended link opens nothing and is not shown as one that does.
    fn logins_of(&self, own: &Own) -> Vec<(String, crate::kernel::values::Timestamp)> {
        let live = own.identities.iter().filter(|link| !link.suspended);
        let named = live.filter_map(|link| {
            let directory = self.world.directory(link.key.directory)?;
            Some((directory.label.clone(), link.linked_at))
        });
        let mut logins: Vec<_> = named.collect();
        logins.sort_by_key(|(_, since)| *since);
        logins
    }

    /// `GET /account/profile` and `/account/password`: on to where that is changed. Who is managed asks an admin (row L06); the address is
    /// the configured one, whatever the request says (row T03).
    pub async fn change_elsewhere(&self, visitor: &Visitor, what: AccountChange) -> Answer {
        let answer = self.try_change_elsewhere(visitor, what).await;
        self.settle(visitor, None, answer).await
    }

    async fn try_change_elsewhere(&self, visitor: &Visitor, what: AccountChange) -> Result<Answer, Stop> {
        let Some(own) = self.own_session(visitor, None).await? else {
            return Ok(self.nobody_here(visitor, None).await);
        };
        let about = self.about(visitor, None, &own).await?;
        if let Some(manager) = about.manager {
            return Ok(account_answer(None, AccountPage::AskAdmin(manager)));
        }
        let url = match what {
            AccountChange::Profile => about.profile_url,
            AccountChange::Password => about.password_url,
        };
        Ok(match (url, about.issuer) {
            (Some(url), Some(provider)) => {
                Answer::of(Step::Leave { towards: Towards::Provider, provider, url, product: None, by_form: false })
            }
            _ => account_answer(None, AccountPage::NotFound),
        })
    }
}

/// What the cookie of acts is made of: this session and nothing else.
pub(super) fn twin_of(own: &Own) -> Vec<u8> {
    [b"acts".as_slice(), &own.session.id.to_bytes()].concat()
}

pub(in crate::login) fn account_answer(at: Option<&ProductHost>, page: AccountPage) -> Answer {
    let product = at.map(|at| std::sync::Arc::clone(&at.product));
    Answer::of(Step::Account(Box::new(AccountStep { product, page })))
}
