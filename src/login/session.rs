//! Carrying an admission out: accounts, links, records at products and the login session, in one batch with their events.

use super::current::Current;
use super::moving::Moving;
use super::quarantine::Aside;
use super::record::Circumstances;
use super::stepping::Stepped;
use super::ticket::Target;
use super::world::{Browser, Visitor};
use super::{Login, Stop};
use crate::entropy::random;
use crate::idp::saml::LogoutHint;
use crate::kernel::admit::{Admitted, Person, Record};
use crate::kernel::event::{Action, AuditEvent, Outcome, Subject};
use crate::kernel::journal::mail::MailChange;
use crate::kernel::journal::{Batch, Change, ReplayMark};
use crate::kernel::model::{
    Account, AccountStatus, LinkedBy, LinkedIdentity, LoginSession, ProductAccount, ProductAccountState,
};
use crate::kernel::proof::Proof;
use crate::kernel::values::{AccountId, Device, DirectoryId, LoginSessionId, ProductAccountId, Token};
use crate::keys::Purpose;
use crate::store::{NotCommitted, Unavailable};

/// Names are kept to this many characters (rule M26).
const NAME_LIMIT: usize = 64;

/// What goes into a login's commit beside it.
#[derive(Clone, Default)]
pub(super) struct Along<'a> {
    /// The record moves to the one account.
    pub moving: Option<&'a Moving>,
    /// An account is put aside.
    pub aside: Option<&'a Aside>,
    /// What a second step used up, or what is enrolled by it for an account that the login makes.
    pub stepped: Option<&'a Stepped>,
    /// The standing proof that makes one login.
    pub mark: Option<ReplayMark>,
}

/// What a login made.
pub(super) struct Made {
    pub session: LoginSession,
    pub account: Account,
    pub record: Option<ProductAccount>,
    /// The new cookie; none where the browser keeps the session it has.
    pub token: Option<Token>,
}

impl Login {
    /// Writes a login down. The session is new, unless this browser already has one of the same person from the same proof:
    /// then fifty tabs that come back at once share it instead of ending each other's.
    pub(super) async fn commit_login(
        &self,
        visitor: &Visitor,
        admitted: &Admitted,
        proof: &Proof,
        (about, along): (Circumstances, Along<'_>),
    ) -> Result<Made, NotCommitted> {
        let Along { moving, aside, stepped, mark } = along;
        let mut batch = Batch { marks: mark.into_iter().collect(), ..Batch::default() };
        let mut account = self.write_account(visitor, admitted, moving, &mut batch);
        self.tell_relinked(visitor, (admitted, &account), &mut batch)?;
        if let Some(stepped) = stepped {
            batch.changes.extend(stepped.changes.iter().cloned());
            if let Some(first) = &stepped.first {
                self.write_first(visitor, (&account, first), &mut batch)?;
            }
        }
        if let Some(aside) = aside {
            let target = &proof.claims().identity;
            self.write_aside(visitor, (aside, &account), (admitted, target), &mut batch)?;
        }
        self.world.take_up_roles(visitor, &account, proof, &mut batch).await?;
        if let Person::Known(_) = &admitted.terms().person {
            self.world.follow_profile(visitor, (&mut account, moving.is_some()), proof, &mut batch).await?;
        }
        let mut record = self.write_record(visitor, admitted, &account, &mut batch);
        if let Some(moving) = moving {
            self.write_move(visitor, (moving, &account), &about, &mut batch)?;
            record = Some(moving.moved());
        }
        let present = self.current(visitor).await.ok().flatten();
        let same = present.as_ref().filter(|current| is_same_login(current, &account, admitted));
        let (session, token) = match same {
            Some(current) => (current.session.clone(), None),
            None => {
                if let Some(current) = &present {
                    batch.end_login_session(current.session.id);
                }
                let (session, token) = self.new_session(visitor, admitted, &account, proof);
                batch.changes.push(Change::CreateLoginSession(session.clone()));
                let grant = self.world.grant_of(&session, proof, visitor.now);
                batch.changes.extend(grant.map_err(|fault| NotCommitted::Unavailable(Unavailable(fault.to_string())))?);
                (session, Some(token))
            }
        };
        let mut event = self.success(visitor, &session, &account, about);
        let asserted = admitted.terms().ignored_address.as_ref();
        if let Some(ignored) = asserted.filter(|asserted| account.email.as_ref() != Some(*asserted)) {
            // Somebody who looks for the owner of that address finds who asserted it.
            event.after = Some(serde_json::json!({ "address_ignored": ignored.to_string() }));
        }
        batch.events.push(event);
        self.world.store.commit(batch).await?;
        self.world.tally.login_succeeded(session.method.code());
        Ok(Made { session, account, record, token })
    }

    /// The person, as the login leaves them. With a move, the account has the address that is kept, which is proved.
    pub(super) fn write_account(
        &self,
        visitor: &Visitor,
        admitted: &Admitted,
        moving: Option<&Moving>,
        batch: &mut Batch,
    ) -> Account {
        let terms = admitted.terms();
        let (mut account, is_new) = match &terms.person {
            Person::Known(account) => (account.clone(), false),
            Person::New(draft) => {
                let account = Account {
                    id: AccountId::mint(visitor.now, random()),
                    status: AccountStatus::Active,
                    email: Some(draft.email.clone()),
                    email_verified: true,
                    email_proved_at: Some(visitor.now),
                    name: draft.name.as_deref().and_then(clean_name),
                    epoch: 0,
                    created_at: visitor.now,
                    last_login_at: None,
                };
                (account, true)
            }
        };
        account.last_login_at = Some(visitor.now);
        if terms.proves_address {
            account.email_proved_at = Some(visitor.now);
            account.email_verified = true;
        }
        if let Some(moving) = moving {
            if account.email.as_ref() != Some(moving.kept()) {
                // When another address was proved says nothing about this one (rule C6).
                account.email_proved_at = moving.kept_since();
            }
            account.email = Some(moving.kept().clone());
            account.email_verified = true;
        }
        batch.changes.push(if is_new {
            Change::CreateAccount(account.clone())
        } else {
            Change::UpdateAccount(account.clone())
        });
        if is_new {
            batch.events.push(self.about_account(visitor, Action::JitCreated, &account, admitted));
        }
        if !visitor.wishes.wanted().is_empty() {
            let spoken = MailChange::Speaks { account: account.id, language: visitor.language.clone() };
            batch.changes.push(Change::Mail(spoken));
        }
        if let Some((key, by)) = &terms.link {
            let link = LinkedIdentity {
                key: key.clone(),
                account: account.id,
                by: if terms.relinks.is_some() { LinkedBy::Relink } else { *by },
                linked_at: visitor.now,
                suspended: false,
            };
            // The old one first: an account has one link in a directory.
            batch.changes.extend(self.let_go(visitor, admitted));
            batch.changes.push(Change::Link(link));
            if !is_new && terms.relinks.is_none() {
                batch.events.push(self.about_account(visitor, Action::IdentityLinked, &account, admitted));
            }
        }
        if !is_new && (terms.link.is_some() || moving.is_some()) {
            // Whoever was in this account before it was linked is out in the same commit (rule H14).
            batch.end_everything_of(account.id);
            account.epoch = account.epoch.saturating_add(1);
        }
        account
    }

    pub(super) fn write_record(
        &self,
        visitor: &Visitor,
        admitted: &Admitted,
        account: &Account,
        batch: &mut Batch,
    ) -> Option<ProductAccount> {
        let entry = admitted.terms().entry.as_ref()?;
        match &entry.record {
            Record::Known(record) => Some(record.clone()),
            Record::New => {
                let id = ProductAccountId::mint(visitor.now, random());
                let record = ProductAccount {
                    id,
                    product: entry.product.clone(),
                    account: account.id,
                    // Minted once, never an address, never used again (rule H19).
                    sub: format!("fg_{id}"),
                    state: ProductAccountState::Linked,
                    off: false,
                    created_at: visitor.now,
                    enterprise: None,
                    off_by: None,
                    asked_at: None,
                };
                batch.changes.push(Change::CreateProductAccount(record.clone()));
                Some(record)
            }
        }
    }

    pub(super) fn new_session(
        &self,
        visitor: &Visitor,
        admitted: &Admitted,
        account: &Account,
        proof: &Proof,
    ) -> (LoginSession, Token) {
        let terms = admitted.terms();
        let token = Token::new(random());
        let (hint, name_key) = self.for_logout(terms.proved.directory, proof);
        let absolute = terms.proved.auth_time.plus(terms.bounds.absolute);
        let until = proof.claims().session_until;
        let mut session = LoginSession {
            id: LoginSessionId::mint(visitor.now, random()),
            key: self.world.keys.session_key(&token),
            account: account.id,
            directory: terms.proved.directory,
            method: terms.proved.method,
            amr: terms.proved.amr.clone(),
            groups: terms.proved.groups.clone(),
            auth_time: terms.proved.auth_time,
            browser: Browser::of(visitor).digest(),
            provider_session: terms.proved.provider_session.clone(),
            logout_hint: hint,
            name_key,
            created_at: visitor.now,
            last_seen: visitor.now,
            idle_millis: u64::try_from(terms.bounds.idle.as_millis()).unwrap_or(u64::MAX),
            abs_at: until.map_or(absolute, |until| until.min(absolute)),
            account_epoch: account.epoch,
            ask_before: Vec::new(),
            confined_to: terms.confined_to.clone(),
            stepped_at: terms.proved.stepped_at,
            device: Some(Device::of(visitor.user_agent.as_deref().unwrap_or_default())),
            grant: None,
            personal: None,
            mac: [0; 32],
        };
        session.mac = self.world.keys.mac_login(&session);
        (session, token)
    }

    /// What a session keeps for logouts: what tells its provider whom to log out, sealed, and by what the provider's own finds it.
    fn for_logout(&self, directory: DirectoryId, proof: &Proof) -> (Option<Vec<u8>>, Option<[u8; 32]>) {
        let claims = proof.claims();
        let keys = &self.world.keys;
        // Without the hint the provider asks the person once more whether to log out; no reason to refuse a login.
        let seal = |hint: &[u8]| keys.seal(Purpose::LogoutHint, &directory.to_bytes(), hint).ok();
        match &claims.name_id {
            Some(name_id) => {
                let hint = LogoutHint::of(name_id, claims.provider_session.as_deref());
                let hint = hint.and_then(|hint| seal(&serde_json::to_vec(&hint).ok()?));
                (hint, Some(keys.name_key(directory, &name_id.value)))
            }
            None => (claims.id_token.as_ref().and_then(|hint| seal(hint.expose().as_bytes())), None),
        }
    }

    fn about_account(&self, visitor: &Visitor, action: Action, account: &Account, admitted: &Admitted) -> AuditEvent {
        let terms = admitted.terms();
        let mut event = visitor.event(action, Outcome::Success);
        event.subject = subject(account);
        event.org = terms.managed_by.as_ref().map(ToString::to_string);
        event.method = Some(terms.proved.method.code().to_owned());
        event.directory = self.world.directory(terms.proved.directory).map(|directory| directory.name.to_string());
        event.policy = terms.policy.clone();
        event
    }

    pub(super) fn success(
        &self,
        visitor: &Visitor,
        session: &LoginSession,
        account: &Account,
        about: Circumstances,
    ) -> AuditEvent {
        let mut event = visitor.event(Action::LoginSucceeded, Outcome::Success);
        event.subject = subject(account);
        event.product = about.product;
        event.directory = about.directory;
        event.method = about.method;
        event.org = about.org;
        event.trace = about.trace;
        event.txn = Some(session.id.to_string());
        event
    }

    /// A proof that was good, at the wrong door: recorded before the person is sent on.
    pub(super) async fn record_reroute(
        &self,
        visitor: &Visitor,
        target: Option<&Target>,
        about: Circumstances,
    ) -> Result<(), Stop> {
        let mut event = visitor.event(Action::LoginRerouted, Outcome::Refused);
        event.subject = about.subject;
        event.product = target.map(|target| target.product.to_string());
        event.directory = about.directory;
        event.method = about.method;
        event.org = about.org;
        event.trace = about.trace;
        self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(())
    }

    /// A product that the person of a live session may enter for the first time gets its record.
    pub(super) async fn ensure_record(
        &self,
        visitor: &Visitor,
        admitted: &Admitted,
        account: &Account,
    ) -> Result<Option<ProductAccount>, NotCommitted> {
        let mut batch = Batch::default();
        let record = self.write_record(visitor, admitted, account, &mut batch);
        if !batch.changes.is_empty() {
            self.world.store.commit(batch).await?;
        }
        Ok(record)
    }
}

/// Whether a session that the browser has stands for the very proof that came now.
fn is_same_login(current: &Current, account: &Account, admitted: &Admitted) -> bool {
    let proved = &admitted.terms().proved;
    let session = &current.session;
    admitted.terms().link.is_none()
        && admitted.terms().moves.is_none()
        && session.account == account.id
        && session.account_epoch == account.epoch
        && session.directory == proved.directory
        && session.auth_time == proved.auth_time
        && session.provider_session == proved.provider_session
        // A step that was just taken is told of by a session of its own.
        && proved.stepped_at.is_none_or(|at| session.stepped_at == Some(at))
}

pub(super) fn subject(account: &Account) -> Subject {
    Subject {
        account: Some(account.id.to_string()),
        product_account: None,
        email: account.email.as_ref().map(ToString::to_string),
    }
}

/// A name as it may be stored and shown: no control or invisible direction characters, 64 characters at most.
pub fn clean_name(text: &str) -> Option<String> {
    let is_bidi = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = text.chars().filter(|c| !c.is_control() && !is_bidi(*c)).take(NAME_LIMIT).collect();
    let name = name.trim().to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m26_names_lose_control_and_direction_characters() {
        assert_eq!(clean_name("  Ann\r\n Lee\u{202e} "), Some("Ann Lee".to_owned()));
        assert_eq!(clean_name("\u{7}\u{202e}"), None);
        assert_eq!(clean_name(&"a".repeat(100)).map(|name| name.len()), Some(64));
    }
}
