//! `scim = { token_file = "…" }` of an organization's directory.

use super::Reader;
use super::values::text;
use crate::config::file::{Connection, Scim};
use crate::config::finding::Code;
use crate::kernel::model::Provisioner;
use crate::kernel::scim::token::ScimToken;

impl Reader<'_> {
    /// The provisioning client of a connection, if it has one.
    pub(super) fn provisioner(&mut self, written: &Connection) -> Option<Provisioner> {
        let scim = written.scim.as_ref()?;
        if self.at_run_time {
            let write = "remove it: the operator writes it into the file, with the token's file";
            self.say.not_yet(scim.span(), "scim of an organization's own document", write);
            return None;
        }
        let external_id_is_subject = match text(&scim.external_id) {
            None | Some("own") => false,
            Some("subject") if written.oidc.is_some() => true,
            Some(_) => {
                let write = "write external_id = \"own\", or \"subject\" where the directory has `oidc`";
                self.say.error(Code::Value, scim.external_id.as_ref()?.span(), "external_id is not that here", write);
                false
            }
        };
        let Some((secret, span)) = self.secret("token", &scim.token_file, &scim.token_env) else {
            let write = "write scim = { token_file = \"…\" } and put there what `fedgate scim-token` prints";
            self.missing(scim.span(), "scim", "token_file", write);
            return None;
        };
        let lines: Vec<&str> = secret.expose().lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let tokens: Vec<ScimToken> = lines.iter().filter_map(|line| ScimToken::read(line)).collect();
        // Without secrets (a check of the syntax) there is nothing to read.
        if self.world.is_some() && (tokens.len() != lines.len() || !(1..=2).contains(&tokens.len())) {
            let write = "put one token there, or two lines while one is changed for another, as `fedgate scim-token` prints them";
            self.say.error(Code::Value, span, "that holds no token of provisioning", write);
        }
        Some(Provisioner { tokens, external_id_is_subject })
    }

    /// Only organizations provision people.
    pub(super) fn no_provisioner(&mut self, place: &str, scim: Option<&crate::config::file::At<Scim>>) {
        if let Some(scim) = scim {
            let what = format!("{place} has `scim`, and only directories of organizations are provisioned");
            self.say.error(Code::Value, scim.span(), what, "remove it");
        }
    }
}
