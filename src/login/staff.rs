//! The first login with an invited address pins the account to its role (rule H3).

use super::world::{Visitor, World};
use crate::kernel::event::{Action, Actor, Outcome, Subject};
use crate::kernel::journal::{AdminChange, Batch, Change, Reach, RolePin};
use crate::kernel::model::Account;
use crate::kernel::proof::{Proof, Vouched};
use crate::kernel::standing::speaks_for;
use crate::kernel::values::{DirectoryName, EmailAddress};
use crate::orgs::roles::{Invitation, invitations, is_of_file};
use crate::store::Unavailable;

impl World {
    /// Adds the roles that this login takes up. Asks the store only about invited addresses.
    ///
    /// # Errors
    /// [`Unavailable`]: whether an invitation was taken up before cannot be said, so nobody logs in by it.
    pub(super) async fn take_up_roles(
        &self,
        visitor: &Visitor,
        account: &Account,
        proof: &Proof,
        batch: &mut Batch,
    ) -> Result<(), Unavailable> {
        let Some(email) = account.email.as_ref().filter(|_| account.email_verified) else { return Ok(()) };
        let invited = invitations(&self.orgs.effective(), email);
        if invited.is_empty() || proof.claims().email.as_ref() != Some(email) {
            return Ok(());
        }
        let taken = self.store.role_pins().await?;
        for Invitation { role, reach } in invited {
            let free = !taken.iter().any(|pin| pin.role == role && pin.reach == reach && pin.email == *email);
            if free && self.vouches(proof, email, reach == Reach::Everywhere) {
                let at = visitor.now;
                let mut pin = RolePin { role, reach, email: email.clone(), account: account.id, at, mac: [0; 32] };
                pin.mac = self.keys.mac_pin(&pin);
                self.tell_role(visitor, &pin, batch);
                batch.changes.push(Change::Admin(AdminChange::PinRole(pin)));
            }
        }
        Ok(())
    }

    /// Whether a proof is enough for a role: of the directory of the organization that holds the address's domain, or of the
    /// issuer with a verified address. For roles over the whole installation the domain must be one of the operator's file: no
    /// organization proves its way to them.
    fn vouches(&self, proof: &Proof, email: &EmailAddress, everywhere: bool) -> bool {
        let catalog = self.catalog.load();
        let Some(directory) = catalog.directories.get(&proof.claims().identity.directory) else { return false };
        match &directory.name {
            DirectoryName::Issuer => proof.claims().email_verified == Vouched::Yes,
            DirectoryName::Org(..) => {
                speaks_for(&catalog, directory, email).is_some()
                    && (!everywhere || is_of_file(&self.orgs.floor(), email))
            }
            DirectoryName::ThirdParty(_) | DirectoryName::Local(_) | DirectoryName::Here => false,
        }
    }

    fn tell_role(&self, visitor: &Visitor, pin: &RolePin, batch: &mut Batch) {
        let mut event = visitor.event(Action::RolePinned, Outcome::Success);
        event.actor = Some(Actor { kind: "person".to_owned(), id: Some(pin.account.to_string()), address: None });
        event.subject = Subject {
            account: Some(pin.account.to_string()),
            email: Some(pin.email.to_string()),
            ..Subject::default()
        };
        event.org = pin.reach.org().map(ToString::to_string);
        event.after = Some(serde_json::json!({ "role": pin.role.code(), "over": pin.reach.code() }));
        batch.events.push(event);
    }
}
