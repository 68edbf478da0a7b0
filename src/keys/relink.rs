//! MACs of rows that let links move (rule H12).

use super::Keys;
use super::canonical::Canonical;
use crate::kernel::model::{IdentityKey, LinkedBy, Relinked, Relinking};

impl Keys {
    /// A change of provider with the MAC of the row that it will be.
    pub fn signed_relinking(&self, row: Relinking) -> Relinking {
        let mac = self.ring.load().row.newest().sign(&relinking_bytes(&row));
        Relinking { mac, ..row }
    }

    /// Whether the row of a change of provider is as it was written.
    pub fn holds_relinking(&self, row: &Relinking) -> bool {
        self.ring.load().row.holds(&relinking_bytes(row), &row.mac)
    }

    /// A link that was moved with the MAC of the row that it will be.
    pub fn signed_relinked(&self, row: Relinked) -> Relinked {
        let mac = self.ring.load().row.newest().sign(&relinked_bytes(&row));
        Relinked { mac, ..row }
    }

    /// Whether the row of a link that was moved is as it was written.
    pub fn holds_relinked(&self, row: &Relinked) -> bool {
        self.ring.load().row.holds(&relinked_bytes(row), &row.mac)
    }
}

// Both are destructured, so that a new field is a compile error here: cover it, or say why not.

fn relinking_bytes(row: &Relinking) -> Vec<u8> {
    let Relinking { id, org, from, to, only, opened_at, until, by, mac: _ } = row;
    Canonical::new("fedgate relinking 1")
        .bytes(&id.to_bytes())
        .text(org.as_str())
        .bytes(&from.to_bytes())
        .bytes(&to.to_bytes())
        .bytes(&only.map(|only| only.to_bytes().to_vec()).unwrap_or_default())
        .signed(opened_at.millis())
        .signed(until.millis())
        .text(by)
        .finish()
}

fn relinked_bytes(row: &Relinked) -> Vec<u8> {
    let Relinked { relinking, account, old, old_by, old_at, new, at, undone: _, mac: _ } = row;
    let how = match old_by {
        LinkedBy::FirstLogin => 0,
        LinkedBy::Authority => 1,
        LinkedBy::Import => 2,
        LinkedBy::Owner => 3,
        LinkedBy::Relink => 4,
    };
    let key = |bytes: Canonical, key: &IdentityKey| {
        bytes.bytes(&key.directory.to_bytes()).text(&key.source.0).text(&key.subject)
    };
    let bytes = Canonical::new("fedgate relinked 1").bytes(&relinking.to_bytes()).bytes(&account.to_bytes());
    key(key(bytes, old).number(how).signed(old_at.millis()), new).signed(at.millis()).finish()
}
