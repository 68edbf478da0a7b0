//! What a provisioned user does to an account: one batch with its event, its letter and its revocation (rules H3, H4; row L09).

use super::Scim;
use super::answer::Problem;
use super::call::Call;
use super::users::{Halt, person_of};
use crate::entropy::random;
use crate::kernel::event::{Action, Outcome};
use crate::kernel::journal::{Batch, Change, CredentialChange, ScimChange};
use crate::kernel::model::{Account, AccountStatus, IdentityKey, LinkedBy, LinkedIdentity};
use crate::kernel::scim::person::Person;
use crate::kernel::scim::place::{self, Known, Moves, Placed, Provisioned, Refused};
use crate::kernel::scim::{Attributes, Complaint};
use crate::kernel::values::{AccountId, EmailAddress};
use crate::login::{InTheWay, clean_name};
use crate::mail::{Letter, queue};
use crate::orgs::lockout::{self, is_of_file};
use crate::orgs::roles::invitations;
use crate::store::{Conflict, NotCommitted, UserKey};
use serde_json::{Value, json};

/// A user as it was read.
pub(super) struct Facts {
    pub row: Provisioned,
    pub account: Account,
    pub before: Attributes,
}

impl Scim {
    /// A user that is new to the directory: a new account, or one that it takes on.
    pub(super) async fn create(&self, call: &Call<'_>, attributes: Attributes) -> Result<(Provisioned, Account), Halt> {
        let person = person_of(&attributes)?;
        self.must_be_free(call, &person, None).await?;
        let known = self.known(&person.email).await?;
        let buried = self.world.is_buried_address(&person.email).await?;
        let mut batch = Batch::default();
        let (row, account) = match place::place(&call.catalog, &call.directory, &person.email, (&known, buried)) {
            Placed::New(gone) => {
                for one in known.iter().filter(|one| gone.contains(&one.account.id)) {
                    self.give_up(call, (&one.account, &person.email), &mut batch).await?;
                }
                self.begin(call, (&person, attributes), &mut batch)?
            }
            Placed::Adopt(id) => {
                let one = known.into_iter().find(|one| one.account.id == id).ok_or_else(Problem::not_found)?;
                self.adopt(call, (&person, attributes), one.account, &mut batch).await?
            }
            Placed::Refused(why) => return Err(self.refused(call, (why, None), &person.email).await?.into()),
        };
        match self.world.store.commit(batch).await {
            Ok(_) => Ok((row, account)),
            // The subject is somebody's already, who is not this user: nobody is moved by provisioning.
            Err(NotCommitted::Conflict(Conflict::Identity)) => {
                let why = Refused::Overlap("the subject is another account's");
                Err(self.refused(call, (why, None), &person.email).await?.into())
            }
            Err(fault) => Err(Halt::of_commit(fault)),
        }
    }

    /// A new account.
    fn begin(
        &self,
        call: &Call<'_>,
        (person, attributes): (&Person, Attributes),
        batch: &mut Batch,
    ) -> Result<(Provisioned, Account), Halt> {
        let now = call.now();
        let account = Account {
            id: AccountId::mint(now, random()),
            status: if person.active != Some(false) { AccountStatus::Active } else { AccountStatus::Deactivated },
            email: Some(person.email.clone()),
            // The directory has authority over the address (B17 is not for an organization's own directory).
            email_verified: true,
            email_proved_at: Some(now),
            name: person.name.as_deref().and_then(clean_name),
            epoch: 0,
            created_at: now,
            last_login_at: None,
        };
        let mut row = new_row(call, account.id, person, &attributes);
        row.off_epoch = (!row.active).then_some(account.epoch);
        batch.changes.push(Change::CreateAccount(account.clone()));
        batch.changes.push(Change::Scim(ScimChange::Add(row.clone())));
        if call.directory.scim.as_ref().is_some_and(|client| client.external_id_is_subject) {
            let subject = person.external_id.clone();
            let subject = subject.ok_or_else(|| {
                Complaint::value("externalId is missing: it is the subject of this directory's people")
            })?;
            let key =
                IdentityKey { directory: call.directory.id, source: call.directory.subject_source.clone(), subject };
            let by = LinkedBy::Authority;
            batch.changes.push(Change::Link(LinkedIdentity {
                key,
                account: account.id,
                by,
                linked_at: now,
                suspended: false,
            }));
        }
        let mut event = call.about(Action::ScimUserCreated, &account);
        event.after = Some(json!({ "user_name": row.user_name, "external_id": row.external_id, "active": row.active }));
        batch.events.push(event);
        Ok((row, account))
    }

    /// An account that was there, and that nobody of this directory ever was behind.
    async fn adopt(
        &self,
        call: &Call<'_>,
        (person, attributes): (&Person, Attributes),
        mut account: Account,
        batch: &mut Batch,
    ) -> Result<(Provisioned, Account), Halt> {
        let mut row = new_row(call, account.id, person, &attributes);
        let mut event = call.about(Action::ScimUserCreated, &account);
        event.after = Some(json!({ "user_name": row.user_name, "external_id": row.external_id, "adopted": true }));
        batch.events.push(event);
        let name = person.name.as_deref().and_then(clean_name).filter(|name| account.name.as_ref() != Some(name));
        if name.is_some() {
            self.world.settle_profile(call.now(), &mut account, (name, None), batch).await?;
        }
        if !row.active {
            self.switch_off(call, (&mut row, &mut account), Action::ScimUserDeactivated, batch).await?;
        }
        batch.changes.push(Change::Scim(ScimChange::Add(row.clone())));
        Ok((row, account))
    }

    /// Whoever this directory deleted gives the address up, in favour of somebody new (mistake 3: never the other way round).
    async fn give_up(
        &self,
        call: &Call<'_>,
        (account, email): (&Account, &EmailAddress),
        batch: &mut Batch,
    ) -> Result<(), Halt> {
        let mut event = call.about(Action::ScimUserUpdated, account);
        event.reason = Some("the address is somebody else's now".to_owned());
        batch.events.push(event);
        for product in call.catalog.products.values() {
            if let Some(record) = self.world.store.product_account(&product.name, account.id).await?
                && self.world.store.addresses_of(record.id).await?.iter().any(|address| address.email == *email)
            {
                batch.changes.push(Change::Credential(CredentialChange::DropAddress(record.id, email.clone())));
            }
        }
        let nobody = Account { email: None, email_verified: false, email_proved_at: None, ..account.clone() };
        batch.changes.push(Change::UpdateAccount(nobody));
        Ok(())
    }

    /// One of the directory's users, as it says them now.
    pub(super) async fn change(
        &self,
        call: &Call<'_>,
        facts: Facts,
        after: Attributes,
    ) -> Result<(Provisioned, Account), Halt> {
        let Facts { mut row, mut account, before } = facts;
        let (was, person) = (person_of(&before)?, person_of(&after)?);
        // To say nothing of it, or to take it away, changes nothing of whether somebody may act.
        let active = person.active.unwrap_or(row.active);
        if after == before && active == row.active && active == (account.status == AccountStatus::Active) {
            return Ok((row, account));
        }
        self.must_be_free(call, &person, Some(row.account)).await?;
        self.keeps_its_subject(call, (&row, &person))?;
        let turns_off = !active && row.active;
        let turns_on = active && account.status != AccountStatus::Active;
        let mut batch = Batch::default();
        let further = self.world.store.proved_addresses_of(account.id).await?;
        let managed = place::manages(&call.catalog, &call.directory, &account, &further);
        if turns_on && !(managed && place::may_reactivate(&row, &account)) {
            return Err(self.stays_off(call, &account).await?.into());
        }
        let moved = Some(&person.email) != account.email.as_ref() && (person.email != was.email || turns_on);
        let mut email = moved.then_some(&person.email);
        if let Some(to) = email
            && let Err(why) = self.may_readdress(call, (&account, &further), to).await?
        {
            let problem = self.refused(call, (why, Some(&account)), to).await?;
            // Ending somebody's access waits for nothing else of the message.
            if !turns_off {
                return Err(problem.into());
            }
            email = None;
        }
        let mut event = call.about(Action::ScimUserUpdated, &account);
        event.before = Some(said(&account, &before));
        let name = person.name.as_deref().and_then(clean_name);
        let name = name.filter(|name| managed && account.name.as_ref() != Some(name));
        if name.is_some() || email.is_some() {
            self.world.settle_profile(call.now(), &mut account, (name, email), &mut batch).await?;
        }
        event.after = Some(said(&account, &after));
        batch.events.push(event);
        (row.user_name, row.external_id) = (person.user_name, person.external_id);
        row.attributes = Value::Object(after).to_string();
        row.active = active;
        if turns_on {
            batch.set_account_status(account.id, AccountStatus::Active);
            (account.status, account.epoch) = (AccountStatus::Active, account.epoch.saturating_add(1));
            row.off_epoch = None;
            batch.events.push(call.about(Action::ScimUserReactivated, &account));
        }
        if turns_off {
            self.switch_off(call, (&mut row, &mut account), Action::ScimUserDeactivated, &mut batch).await?;
        }
        self.put(call, &mut row, &mut batch);
        self.world.store.commit(batch).await.map_err(Halt::of_commit)?;
        Ok((row, account))
    }

    /// A user that the directory deletes: unlinked there, out of its groups, and switched off where the organization manages the account.
    pub(super) async fn delete(&self, call: &Call<'_>, facts: Facts) -> Result<(), Halt> {
        let Facts { mut row, mut account, .. } = facts;
        let mut batch = Batch::default();
        self.switch_off(call, (&mut row, &mut account), Action::ScimUserDeleted, &mut batch).await?;
        batch.changes.push(Change::Scim(ScimChange::Unlink(account.id, call.directory.id)));
        batch.changes.push(Change::Scim(ScimChange::LeaveGroups(account.id, call.directory.id)));
        row.active = false;
        row.deleted_at = Some(call.now());
        self.put(call, &mut row, &mut batch);
        self.world.store.commit(batch).await.map_err(Halt::of_commit)?;
        Ok(())
    }

    fn put(&self, call: &Call<'_>, row: &mut Provisioned, batch: &mut Batch) {
        row.version = row.version.saturating_add(1);
        row.changed_at = call.now();
        batch.changes.push(Change::Scim(ScimChange::Put(row.clone())));
    }

    /// Ends everything of an account in this batch: of one that the organization manages all of it, with its letter (N6); of anybody else
    /// what this directory opened, because nobody is switched off by somebody else's provisioning (rule H4).
    async fn switch_off(
        &self,
        call: &Call<'_>,
        (row, account): (&mut Provisioned, &mut Account),
        action: Action,
        batch: &mut Batch,
    ) -> Result<(), Halt> {
        let further = self.world.store.proved_addresses_of(account.id).await?;
        let managed = place::manages(&call.catalog, &call.directory, account, &further);
        let mut event = call.about(action, account);
        // How long the answer to the provider took so far: the receipt of what "within a second" is counted from.
        let took = self.world.clock.now().since(call.now()).as_millis();
        event.after = Some(
            json!({ "managed": managed, "received_at": call.now().to_string(), "took_ms": u64::try_from(took).unwrap_or(u64::MAX) }),
        );
        batch.events.push(event);
        row.active = false;
        if !managed {
            for session in self.world.store.login_sessions_of(account.id).await? {
                if session.directory == call.directory.id {
                    batch.end_login_session(session.id);
                }
            }
            return Ok(());
        }
        if account.status != AccountStatus::Active {
            return Ok(());
        }
        self.tell_lockouts(call, account, batch).await?;
        batch.set_account_status(account.id, AccountStatus::Deactivated);
        (account.status, account.epoch) = (AccountStatus::Deactivated, account.epoch.saturating_add(1));
        row.off_epoch = Some(account.epoch);
        if let Some(email) = account.email.clone() {
            let letter = Letter::Deactivated { org: Some(call.org.clone()) };
            batch.changes.push(queue(&self.world.keys, call.now(), &[(email, letter)], Some(account.id))?);
        }
        Ok(())
    }

    /// The alarm for each organization that is left to its own provider: a hostile last admin must be endable, so it is no refusal (H3).
    async fn tell_lockouts(&self, call: &Call<'_>, account: &Account, batch: &mut Batch) -> Result<(), Halt> {
        let floor = self.world.orgs.floor();
        for org in self.world.orgs.effective().orgs.iter().filter(|org| !is_of_file(&floor, &org.name)) {
            if lockout::leaves_nobody(self.world.store.as_ref(), org, account.id).await? {
                let mut alarm = call.about(Action::OrganizationLockout, account);
                alarm.org = Some(org.name.to_string());
                alarm.reason = Some("the last admin who does not depend on its provider is switched off".to_owned());
                batch.events.push(alarm);
                tracing::error!(org = %org.name, "E-LOCKOUT: nobody can administer this organization any more but by its provider");
            }
        }
        Ok(())
    }

    /// No other user of the directory has the name or the external id.
    async fn must_be_free(&self, call: &Call<'_>, person: &Person, own: Option<AccountId>) -> Result<(), Problem> {
        let store = &self.world.store;
        let external_id = person.external_id.as_deref().map(UserKey::ExternalId);
        for key in [Some(UserKey::UserName(&person.user_name)), external_id].into_iter().flatten() {
            if store.provisioned(call.directory.id, key).await?.is_some_and(|row| Some(row.account) != own) {
                return Err(Complaint::taken("Another user of this directory has this userName or externalId.").into());
            }
        }
        Ok(())
    }

    /// Where `externalId` is the subject, it never becomes another: that would hand an account over (rule C1).
    fn keeps_its_subject(&self, call: &Call<'_>, (row, person): (&Provisioned, &Person)) -> Result<(), Problem> {
        let is_subject = call.directory.scim.as_ref().is_some_and(|client| client.external_id_is_subject);
        match is_subject && row.external_id != person.external_id {
            true => {
                Err(Complaint::refused("externalId is the subject of this directory's people, and never changes.")
                    .into())
            }
            false => Ok(()),
        }
    }

    async fn known(&self, email: &EmailAddress) -> Result<Vec<Known>, Problem> {
        let store = &self.world.store;
        let mut known = Vec::new();
        for account in store.accounts_by_email(email).await? {
            known.push(Known {
                identities: store.identities_of(account.id).await?,
                further: store.proved_addresses_of(account.id).await?,
                rows: store.provisioned_of(account.id).await?,
                account,
            });
        }
        Ok(known)
    }

    async fn may_readdress(
        &self,
        call: &Call<'_>,
        (account, further): (&Account, &[EmailAddress]),
        to: &EmailAddress,
    ) -> Result<Result<(), Refused>, Problem> {
        let store = &self.world.store;
        let pins = store.role_pins_of(account.id).await?;
        let invited = !invitations(&self.world.orgs.effective(), to).is_empty();
        let pinned = invited || pins.iter().any(|pin| self.world.keys.holds_pin(pin));
        let lives = store.accounts_by_email(to).await?;
        let lives = lives.iter().any(|other| other.id != account.id && other.status != AccountStatus::Deleted);
        let in_the_way = self.world.stands_in_the_way(account, to).await?;
        let taken = lives || in_the_way == Some(InTheWay::Anothers) || self.world.is_buried_address(to).await?;
        let has_own_login = in_the_way == Some(InTheWay::OwnLogin);
        let facts = Moves { account, further, pinned, taken, has_own_login };
        Ok(place::readdress(&call.catalog, &call.directory, to, &facts))
    }

    /// `active: true` for an account that somebody else switched off.
    async fn stays_off(&self, call: &Call<'_>, account: &Account) -> Result<Problem, Problem> {
        let mut event = call.about(Action::ScimRefused, account);
        event.outcome = Outcome::Refused;
        event.reason = Some("switched off by somebody else".to_owned());
        self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(Complaint::refused(
            "The account was not switched off by this directory. An admin of the organization switches it on.",
        )
        .into())
    }

    /// What the directory is told, after the admins' log was.
    async fn refused(
        &self,
        call: &Call<'_>,
        (why, account): (Refused, Option<&Account>),
        to: &EmailAddress,
    ) -> Result<Problem, Problem> {
        let (reason, complaint) = match why {
            Refused::Foreign => {
                ("FOREIGN-DOMAIN".to_owned(), Complaint::value("The address is in no domain of this directory."))
            }
            Refused::Overlap(why) => (
                format!("OVERLAP: {why}"),
                Complaint::taken("The address is in use by an account that this directory may not touch."),
            ),
            Refused::Pinned => {
                ("PINNED-ADMIN".to_owned(), Complaint::refused("The address of an administrator is not provisioned."))
            }
        };
        if why == Refused::Pinned {
            tracing::error!(directory = %call.directory.name, "provisioning tried to change the address of an administrator, or to one");
        }
        let mut event = match account {
            Some(account) => call.about(Action::ScimRefused, account),
            None => call.event(Action::ScimRefused, Outcome::Refused),
        };
        event.outcome = Outcome::Refused;
        event.reason = Some(reason);
        event.after = Some(json!({ "email": to.to_string() }));
        self.world.store.commit(Batch { events: vec![event], ..Batch::default() }).await?;
        Ok(complaint.into())
    }
}

fn new_row(call: &Call<'_>, account: AccountId, person: &Person, attributes: &Attributes) -> Provisioned {
    Provisioned {
        directory: call.directory.id,
        account,
        user_name: person.user_name.clone(),
        external_id: person.external_id.clone(),
        attributes: Value::Object(attributes.clone()).to_string(),
        active: person.active != Some(false),
        off_epoch: None,
        version: 1,
        created_at: call.now(),
        changed_at: call.now(),
        deleted_at: None,
    }
}

/// For events: what an account is made of, and no more of what was sent.
fn said(account: &Account, attributes: &Attributes) -> Value {
    let email = account.email.as_ref().map(ToString::to_string);
    json!({
        "email": email, "name": account.name, "user_name": attributes.get("userName"),
        "external_id": attributes.get("externalId"), "active": attributes.get("active"),
    })
}
