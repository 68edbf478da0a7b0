//! Connections to SAML identity providers.

use super::Reader;
use super::connections::Whose;
use super::values::{each, text};
use crate::config::file::{At, Connection, File, Text};
use crate::config::finding::Code;
use crate::idp::saml::opinion::SecondOpinion;
use crate::kernel::model::{ExpiredKeys, MetadataAt, SamlSettings};
use crate::kernel::saml::{Mapping, Preset, SubjectChoice};
use crate::kernel::values::DirectoryName;

/// `[saml]`. The shape check has refused every other word.
pub(super) fn second_opinion(file: &File) -> SecondOpinion {
    let written = file.saml.as_ref().and_then(|saml| saml.second_opinion.as_ref());
    match written.map(|word| word.as_str()) {
        Some("off") => SecondOpinion::Off,
        Some("sample") => SecondOpinion::Sample,
        _ => SecondOpinion::All,
    }
}

impl Reader<'_> {
    /// What a SAML connection says, or what is wrong with it.
    pub(super) fn saml(
        &mut self,
        whose: &Whose<'_>,
        written: &At<Connection>,
        saml: &At<String>,
    ) -> Option<SamlSettings> {
        if let Some(other) = written.oidc.as_ref().map(At::span).or(written.oauth2.as_ref().map(At::span)) {
            let what = format!("{} has `saml` and another protocol", whose.place);
            self.say.error(Code::Either, other, what, "leave one of them");
        }
        if !matches!(whose.name, DirectoryName::Org(..)) {
            let what = format!("{} is no organization: SAML providers speak for the people of one", whose.place);
            self.say.error(Code::Either, saml.span(), what, "move it to [org.NAME], or write oidc = \"https://…\"");
            return None;
        }
        self.not_of_saml(written);
        let expired_keys = match text(&written.expired_keys) {
            Some("refuse") => ExpiredKeys::Refuse,
            _ => ExpiredKeys::Warn,
        };
        let contexts = each(&written.require_amr).map(|value| value.to_string()).collect();
        Some(SamlSettings { metadata: self.metadata(saml)?, mapping: mapping(written), contexts, expired_keys })
    }

    /// An https address, or a file where the operator writes it (rule M16).
    fn metadata(&mut self, saml: &At<String>) -> Option<MetadataAt> {
        if saml.contains("://") {
            return self.https(&Some(saml.clone())).map(MetadataAt::Url);
        }
        if self.at_run_time {
            let what = format!("{:?} is not an https address", saml.as_str());
            self.say.error(Code::Url, saml.span(), what, "write the address of the provider's metadata: \"https://…\"");
            return None;
        }
        Some(MetadataAt::File(self.path_of(saml)))
    }

    /// Keys of SAML at a connection of another protocol.
    pub(super) fn only_of_saml(&mut self, written: &Connection) {
        for (value, key) in [(&written.preset, "preset"), (&written.expired_keys, "expired_keys")] {
            if let Some(value) = value {
                let what = format!("`{key}` does nothing without `saml`");
                self.say.warning(Code::WNoEffect, value.span(), what, "remove it");
            }
        }
    }

    /// Keys of the other protocols, which would seem to do something here.
    fn not_of_saml(&mut self, written: &Connection) {
        let named: [(&Text, &str); 5] = [
            (&written.client_id, "client_id"),
            (&written.client_secret_file, "client_secret_file"),
            (&written.client_secret_env, "client_secret_env"),
            (&written.client_auth, "client_auth"),
            (&written.response_mode, "response_mode"),
        ];
        let lists = [(&written.scopes, "scopes"), (&written.algorithms, "algorithms")];
        for (span, key) in lists.into_iter().filter_map(|(value, key)| Some((value.as_ref()?.span(), key))) {
            let what = format!("`{key}` does nothing with `saml`");
            self.say.warning(Code::WNoEffect, span, what, "remove it: SAML has none");
        }
        for (value, key) in named {
            if let Some(value) = value {
                let what = format!("`{key}` does nothing with `saml`");
                let write = "remove it: we are known at the provider by our metadata, /saml/DIRECTORY/metadata";
                self.say.warning(Code::WNoEffect, value.span(), what, write);
            }
        }
    }
}

/// The preset's names, or those that most providers send; `subject` and `groups` come before them.
fn mapping(written: &Connection) -> Mapping {
    let mut mapping = text(&written.preset).and_then(Preset::named).map_or_else(usual, Preset::mapping);
    if let Some(subject) = text(&written.subject) {
        mapping.subject = SubjectChoice::Attribute(subject.to_owned());
    }
    if let Some(groups) = text(&written.groups) {
        mapping.groups = vec![groups.to_owned()];
    }
    mapping
}

/// Without a preset: the NameID, whatever its format, and every usual name of an attribute.
fn usual() -> Mapping {
    let mut usual = Preset::Okta.mapping();
    for preset in Preset::ALL {
        let other = preset.mapping();
        for (known, more) in [
            (&mut usual.email, other.email),
            (&mut usual.name, other.name),
            (&mut usual.given_name, other.given_name),
            (&mut usual.family_name, other.family_name),
            (&mut usual.groups, other.groups),
        ] {
            for name in more {
                if !known.contains(&name) {
                    known.push(name);
                }
            }
        }
    }
    usual
}
