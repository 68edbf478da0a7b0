//! `migration` of a product: how far its own passwords are given up for the one account.

use super::Reader;
use super::values::text;
use crate::config::file::{At, File, Migration as Written, Product};
use crate::config::finding::Code;
use crate::kernel::model::MigrationPhase;
use crate::kernel::values::ProductName;

/// The phase; the schema has refused every word but these.
pub(super) fn phase_of(written: Option<&At<Written>>) -> MigrationPhase {
    match written.and_then(|migration| text(&migration.phase)) {
        Some("optional") => MigrationPhase::Optional,
        Some("forced") => MigrationPhase::Forced,
        Some(_) | None => MigrationPhase::Off,
    }
}

impl Reader<'_> {
    /// What cannot be meant: nothing to move, nowhere to move to, or a key of a later version.
    pub(super) fn migration(&mut self, file: &File, name: &ProductName, product: &At<Product>) {
        let Some(written) = &product.migration else { return };
        let later = [(&written.deadline, "deadline"), (&written.then, "then"), (&written.remind, "remind")];
        for (value, key) in later {
            if let Some(value) = value {
                let write = "remove it, and write phase = \"forced\" on the day";
                self.say.not_yet(value.span(), &format!("migration.{key}"), write);
            }
        }
        if !matches!(text(&product.passwords), Some("here" | "product")) {
            let what = format!("[product.{name}] has no passwords of its own: there is nobody to move");
            self.say.warning(Code::WNoEffect, written.span(), what, "write passwords = \"here\", or remove it");
        }
        if phase_of(Some(written)) == MigrationPhase::Forced && file.issuer.is_none() {
            let what = format!("nobody of [product.{name}] could log in: there is no account to move to");
            self.say.error(Code::Missing, written.span(), what, "write [issuer], or phase = \"off\"");
        }
        self.no_dead_end(file, name, written);
    }

    /// Our own second step is asked for where passwords are typed, and the issuer's logins have no place to take it: whoever moved would
    /// be turned away for ever.
    fn no_dead_end(&mut self, file: &File, name: &ProductName, written: &At<Written>) {
        let phase = phase_of(Some(written));
        let people = file.people.as_ref().and_then(|people| people.second_step.as_ref());
        let Some(required) = people.filter(|word| word.as_str() == "required") else { return };
        match phase {
            MigrationPhase::Off => {}
            MigrationPhase::Optional => {
                let what = format!(
                    "nobody of [product.{name}] whom no organization manages can move: logins by [issuer] cannot take the second step that [people] requires"
                );
                let write = "write second_step = \"optional\" and let the issuer ask for one, or phase = \"off\"";
                self.say.warning(Code::WNoEffect, required.span(), what, write);
            }
            MigrationPhase::Forced => {
                let what = format!(
                    "people of [product.{name}] whom no organization manages could neither stay nor move: logins by [issuer] cannot take the second step that [people] requires"
                );
                let write = "write second_step = \"optional\" and let the issuer ask for one, or phase = \"off\"";
                self.say.error(Code::Either, required.span(), what, write);
            }
        }
    }
}
