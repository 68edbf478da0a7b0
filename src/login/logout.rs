//! Signing out: of one product, or everywhere (HANDOVER 6). A GET shows a button; only a POST acts.

use super::answer::{Answer, Form, Step, Towards};
use super::codec::{Reader, Writer};
use super::cookies;
use super::current::{Current, person};
use super::handover::ProductHost;
use super::ticket::{CODE_LIFE, TARGET_LIFE};
use super::world::{Browser, Visitor};
use super::{Login, Stop};
use crate::entropy::random;
use crate::idp::EndSession;
use crate::kernel::event::{Action, Outcome, Subject};
use crate::kernel::journal::{Batch, Change};
use crate::kernel::model::{LoginSession, Product, ProductSession};
use crate::kernel::standing::{self, Entrant, Groups};
use crate::kernel::values::{AccountId, DirectoryId, LoginSessionId, Origin, Secret, Timestamp};
use crate::keys::Purpose;
use crate::store::{Conflict, NotCommitted};
use std::sync::Arc;

/// Sealed into the URL that leads from a product host to the login host after "everywhere", so that the provider can be told.
const GOODBYE: &[u8] = b"goodbye";

impl Login {
    /// `GET /.fedgate/logout`: the button.
    pub async fn confirm_product_logout(&self, visitor: &Visitor, at: &ProductHost) -> Answer {
        let answer = match self.product_session(visitor, at).await {
            Ok(Some(session)) => self.show_confirm(&session, at).await,
            Ok(None) => {
                Ok(Answer::of(Step::SignedOut { product: Some(signed_out(at)), everywhere: None, there: None }))
            }
            Err(stop) => Err(stop),
        };
        self.settle(visitor, None, answer).await
    }

    async fn show_confirm(&self, session: &ProductSession, at: &ProductHost) -> Result<Answer, Stop> {
        let account = self.world.store.account(session.account).await?;
        let person = account.as_ref().map(person).ok_or_else(|| Stop::Fault("a session without its account".into()))?;
        // A product host's own forms are told from other sites' by the same-origin rule alone (rule H6): its pages may post too.
        let form = Form { csrf: String::new(), to: String::new() };
        Ok(Answer::of(Step::ConfirmLogout { product: Some(at.product.clone()), person, form }))
    }

    /// `POST /.fedgate/logout`: ends this product's session, or with `everywhere` all of this person's in this browser.
    ///
    /// `to` is what the page after a product's logout carries, whose session is gone already.
    pub async fn leave_session(&self, visitor: &Visitor, at: &ProductHost, everywhere: bool, to: &str) -> Answer {
        // The cookie goes only when the session has ended: with the store out the person must be able to try again.
        let answer = self.try_leave(visitor, at, everywhere, to).await;
        let answer = answer.map(|answer| answer.with_cookie(cookies::expire(cookies::SESSION)));
        self.settle(visitor, None, answer).await
    }

    async fn try_leave(&self, visitor: &Visitor, at: &ProductHost, everywhere: bool, to: &str) -> Result<Answer, Stop> {
        let session = self.product_session(visitor, at).await?;
        let parent = session.as_ref().map(|session| session.parent).or_else(|| self.left_parent(visitor, at, to));
        if everywhere && let Some(parent) = parent {
            return self.leave_everywhere(visitor, at, parent).await;
        }
        let Some(session) = session else {
            return Ok(Answer::of(Step::SignedOut { product: Some(signed_out(at)), everywhere: None, there: None }));
        };
        let mut batch = Batch::default();
        batch.end_product_session(session.id);
        batch.changes.push(Change::AskBefore { session: session.parent, product: session.product.clone(), ask: true });
        batch.events.push(self.ended(visitor, session.account, Some(at), "logout"));
        self.commit_end(batch).await?;
        let bytes = [visitor.now.millis().to_be_bytes().as_slice(), &session.parent.to_bytes()].concat();
        let to = self.world.seal(Purpose::Goodbye, &parent_binding(at), &bytes);
        let everywhere = Some(Form { csrf: String::new(), to });
        // Whoever logs out comes back on purpose: that is no login that keeps starting over.
        let answer = Answer::of(Step::SignedOut { product: Some(signed_out(at)), everywhere, there: None });
        Ok(answer.with_cookie(cookies::expire(cookies::LAST)))
    }

    /// The login session that a product was left from a moment ago.
    fn left_parent(&self, visitor: &Visitor, at: &ProductHost, to: &str) -> Option<LoginSessionId> {
        let bytes = self.world.unseal(Purpose::Goodbye, &parent_binding(at), to)?;
        let (when, id) = bytes.split_first_chunk::<8>()?;
        let when = Timestamp::from_millis(i64::from_be_bytes(*when));
        let id = <[u8; 16]>::try_from(id).ok()?;
        (visitor.now.since(when) <= TARGET_LIFE).then(|| LoginSessionId::from_bytes(id))
    }

    async fn leave_everywhere(
        &self,
        visitor: &Visitor,
        at: &ProductHost,
        parent: LoginSessionId,
    ) -> Result<Answer, Stop> {
        let parent = self.world.store.login_session_by_id(parent).await?;
        let Some(parent) = parent.filter(|parent| self.world.keys.holds_login(parent)) else {
            return Ok(Answer::of(Step::signed_out(None)));
        };
        self.end_browser(visitor, &parent).await?;
        let sealed = self.goodbye(visitor, &parent);
        let login = self.world.catalog.load().login.url();
        Ok(Answer::of(Step::Leave {
            towards: Towards::Logout,
            provider: String::new(),
            url: format!("{login}/logout/complete?t={sealed}"),
            product: Some(at.product.clone()),
            by_form: true,
        }))
    }

    /// The product session of a request, read from the store.
    async fn product_session(&self, visitor: &Visitor, at: &ProductHost) -> Result<Option<ProductSession>, Stop> {
        let Some(key) = self.product_key(visitor) else { return Ok(None) };
        let session = self.world.store.product_session(&key).await?;
        Ok(session.filter(|session| {
            session.product == at.product.name && session.host == at.host && self.world.keys.holds_product(session)
        }))
    }

    /// `GET /logout` on the login host: the button, or the page that says there is nobody.
    pub async fn confirm_logout(&self, visitor: &Visitor) -> Answer {
        let answer = self.current(visitor).await.map(|current| match current {
            None => Answer::of(Step::signed_out(None)),
            Some(current) => {
                let browser = Browser::of(visitor);
                let form = self.form(visitor, None, &browser);
                let mut answer = Answer::of(Step::ConfirmLogout { product: None, person: current.person(), form });
                answer.cookies.extend(browser.cookie());
                answer
            }
        });
        self.settle(visitor, None, answer).await
    }

    /// `POST /logout` on the login host: everywhere.
    pub async fn logout(&self, visitor: &Visitor, csrf: &str) -> Answer {
        if !self.world.csrf_holds(visitor, csrf) {
            return self.confirm_logout(visitor).await;
        }
        let answer = self.try_logout(visitor).await;
        let answer = answer.map(|answer| answer.with_cookie(cookies::expire(cookies::SESSION)));
        self.settle(visitor, None, answer).await
    }

    async fn try_logout(&self, visitor: &Visitor) -> Result<Answer, Stop> {
        let Some(current) = self.current(visitor).await? else {
            return Ok(Answer::of(Step::signed_out(None)));
        };
        self.end_browser(visitor, &current.session).await?;
        let (directory, hint) = (current.session.directory, current.session.logout_hint.clone());
        Ok(self.provider_logout(visitor, directory, hint, true).await)
    }

    /// `GET /logout/complete`: after "everywhere" at a product the sessions have ended; the cookie goes, the provider is told.
    pub async fn complete_logout(&self, visitor: &Visitor, sealed: &str) -> Answer {
        // A stranger's link must not log anybody out (rule M11): who still has a session gets the button.
        match self.current(visitor).await {
            Ok(None) => {}
            Ok(Some(_)) => return self.confirm_logout(visitor).await,
            Err(stop) => return self.settle(visitor, None, Err(stop)).await,
        }
        let answer = match self.read_goodbye(visitor, sealed) {
            Some((directory, hint)) => self.provider_logout(visitor, directory, Some(hint), false).await,
            None => Answer::of(Step::signed_out(None)),
        };
        answer.with_cookie(cookies::expire(cookies::SESSION))
    }

    fn goodbye(&self, visitor: &Visitor, parent: &LoginSession) -> String {
        let hint = parent.logout_hint.as_deref().unwrap_or_default();
        let bytes = Writer::default().time(visitor.now).raw(&parent.directory.to_bytes()).raw(hint).done();
        self.world.seal(Purpose::Goodbye, GOODBYE, &bytes)
    }

    fn read_goodbye(&self, visitor: &Visitor, sealed: &str) -> Option<(DirectoryId, Vec<u8>)> {
        let bytes = self.world.unseal(Purpose::Goodbye, GOODBYE, sealed)?;
        let mut reader = Reader::new(&bytes);
        let (when, directory) = (reader.time()?, DirectoryId::from_bytes(reader.raw()?));
        (visitor.now.since(when) <= CODE_LIFE).then(|| (directory, reader.rest().to_vec()))
    }

    /// Tells the provider of a session that has ended: by SAML single logout, or RP-initiated logout, after which the provider
    /// returns to the fixed path `/logout/done` (HANDOVER 6).
    async fn provider_logout(
        &self,
        visitor: &Visitor,
        directory: DirectoryId,
        hint: Option<Vec<u8>>,
        by_form: bool,
    ) -> Answer {
        let signed_out = Answer::of(Step::signed_out(None));
        let Some(directory) = self.world.directory(directory) else { return signed_out };
        let hint =
            hint.and_then(|sealed| self.world.keys.unseal(Purpose::LogoutHint, &directory.id.to_bytes(), &sealed));
        if directory.protocol.saml().is_some() {
            return self.single_logout(visitor, &directory, hint.as_ref().map(|bytes| bytes.as_slice()), by_form).await;
        }
        let hint = hint.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).map(Secret::new);
        let back = format!("{}/logout/done", self.world.catalog.load().login.url());
        let state = crate::kernel::values::Reference::new(random()).to_string();
        let end = EndSession { id_token_hint: hint.as_ref(), post_logout_redirect_uri: &back, state: &state };
        match self.world.providers.end_session(&directory, &end) {
            Some(url) => Answer::of(Step::Leave {
                towards: Towards::Logout,
                provider: directory.label.clone(),
                url: url.into(),
                product: None,
                by_form,
            }),
            None => signed_out,
        }
    }

    /// `GET /logout/done`: back from the provider.
    pub fn logout_done(&self) -> Answer {
        Answer::of(Step::signed_out(None))
    }

    /// Ends all login sessions that this person has in the browser of this one, and with them their children.
    async fn end_browser(&self, visitor: &Visitor, session: &LoginSession) -> Result<(), Stop> {
        let mut batch = Batch::default();
        batch.end_login_session(session.id);
        let others = self.world.store.login_sessions_of(session.account).await?;
        for other in others.iter().filter(|other| other.id != session.id && other.browser == session.browser) {
            batch.end_login_session(other.id);
        }
        batch.events.push(self.ended(visitor, session.account, None, "logout-everywhere"));
        self.commit_end(batch).await
    }

    /// Commits an end. What has ended meanwhile is what was wanted.
    async fn commit_end(&self, batch: Batch) -> Result<(), Stop> {
        match self.world.store.commit(batch).await {
            Ok(_) | Err(NotCommitted::Conflict(Conflict::Ended)) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    fn ended(
        &self,
        visitor: &Visitor,
        account: AccountId,
        at: Option<&ProductHost>,
        why: &str,
    ) -> crate::kernel::event::AuditEvent {
        let mut event = visitor.event(Action::SessionEnded, Outcome::Success);
        event.subject = Subject { account: Some(account.to_string()), ..Subject::default() };
        event.product = at.map(|at| at.product.name.to_string());
        event.reason = Some(why.to_owned());
        event
    }

    /// The login host's own page.
    pub(super) fn show_home(&self, visitor: &Visitor, current: &Current, console: bool) -> Answer {
        let browser = Browser::of(visitor);
        let form = self.form(visitor, None, &browser);
        let catalog = self.world.catalog.load();
        let mut products: Vec<_> =
            catalog.products.values().filter(|product| self.may_enter(current, product)).cloned().collect();
        products.sort_by(|a, b| a.label.cmp(&b.label));
        let emergency = self.is_named_by_sign_on(current);
        let mut answer = Answer::of(Step::Home { person: current.person(), products, emergency, console, form });
        answer.cookies.extend(browser.cookie());
        answer
    }
}

impl Login {
    /// Whether a product's `allow` holds for the person of a login session; entering it decides again.
    fn may_enter(&self, current: &Current, product: &Product) -> bool {
        let catalog = self.world.catalog.load();
        let addresses = standing::proved_addresses(&current.account, &current.further);
        let asserted_by = catalog.directories.get(&current.session.directory).and_then(|directory| directory.org());
        let groups = Groups::of(asserted_by, &current.session.groups);
        let managed = standing::managements(&catalog, &addresses, groups);
        let entrant =
            Entrant { managed: &managed, addresses: &addresses, groups: &current.session.groups, asserted_by };
        entrant.may_enter(&product.allow)
    }
}

fn parent_binding(at: &ProductHost) -> Vec<u8> {
    format!("parent {}", at.host).into_bytes()
}

fn signed_out(at: &ProductHost) -> (Arc<Product>, Origin) {
    (at.product.clone(), at.host.clone())
}
