//! Connections to SAML identity providers.

use super::Reader;
use super::connections::Whose;
use super::values::{each, text};
use crate::config::file::{At, Connection, File, Text};
use crate::config::finding::Code;
use crate::idp::saml::opinion::SecondOpinion;
use crate::kernel::model::{ExpiredKeys, MetadataAt, SamlSettings};
use crate::kernel::saml::{Mapping, NotSigningKeys, Preset, SigningKeys, SubjectChoice};
use crate::kernel::values::DirectoryName;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

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
        let metadata = self.metadata(saml);
        let signer = self.metadata_signer(&written.metadata_signer)?;
        Some(SamlSettings { metadata: metadata?, signer, mapping: mapping(written), contexts, expired_keys })
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

    /// Certificates in PEM, or a file of them where the operator writes it (rule M16); `None` for what cannot be used, which is said.
    fn metadata_signer(&mut self, written: &Text) -> Option<Option<SigningKeys>> {
        let Some(written) = written else { return Some(None) };
        let inline = written.trim_start().starts_with("-----BEGIN CERTIFICATE-----");
        let pem = match self.world {
            _ if inline => written.as_bytes().to_vec(),
            _ if self.at_run_time => {
                let write = "write the certificate itself: \"-----BEGIN CERTIFICATE-----…\"";
                self.say.error(Code::Value, written.span(), "`metadata_signer` is no certificate", write);
                return None;
            }
            // Checked without a machine: what its files hold is not known.
            None => return Some(None),
            Some(world) => {
                let path = self.path_of(written);
                match world.file(&path) {
                    Ok(bytes) => bytes,
                    Err(why) => {
                        let what = format!("{} cannot be read: {why}", path.display());
                        self.say.error(
                            Code::Value,
                            written.span(),
                            what,
                            "write the path of a PEM file of certificates",
                        );
                        return None;
                    }
                }
            }
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let keys = certificates.ok().map(|found| SigningKeys::from_certificates(found.iter().map(AsRef::as_ref)));
        match keys {
            Some(Ok(keys)) => Some(Some(keys)),
            Some(Err(_)) | None => {
                let what = format!("`metadata_signer` has {NotSigningKeys}");
                self.say.error(
                    Code::Value,
                    written.span(),
                    what,
                    "write the certificate of whoever signs the metadata",
                );
                None
            }
        }
    }

    /// Keys of SAML at a connection of another protocol.
    pub(super) fn only_of_saml(&mut self, written: &Connection) {
        for (value, key) in [
            (&written.preset, "preset"),
            (&written.expired_keys, "expired_keys"),
            (&written.metadata_signer, "metadata_signer"),
        ] {
            if let Some(value) = value {
                let what = format!("`{key}` does nothing without `saml`");
                self.say.warning(Code::WNoEffect, value.span(), what, "remove it");
            }
        }
    }

    /// Keys of the other protocols, which would seem to do something here.
    fn not_of_saml(&mut self, written: &Connection) {
        let named: [(&Text, &str); 6] = [
            (&written.client_id, "client_id"),
            (&written.client_secret_file, "client_secret_file"),
            (&written.client_secret_env, "client_secret_env"),
            (&written.client_auth, "client_auth"),
            (&written.response_mode, "response_mode"),
            (&written.revalidate, "revalidate"),
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
