//! What the rows of the other files start from: one directory, one request, one answer.

use super::*;
use crate::kernel::model::{Directory, Protocol, SubjectSource};
use crate::kernel::values::{DirectoryId, DirectoryName, OrgName, Timestamp};
use std::time::Duration;

mod encrypted;
mod hostile;
mod judging;
mod messages;
mod opinion;
mod vectors;
mod world;

const IDP: &str = "https://idp.example/metadata";
const SP: &str = "https://id.example/saml/acme/metadata";
const ACS: &str = "https://id.example/saml/acme/acs";

/// Seconds after 2026-11-22T12:00:00Z, when the response was issued.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_348_800 + seconds)
}

fn directory() -> Directory {
    Directory {
        id: DirectoryId::from_bytes([1; 16]),
        name: DirectoryName::of_org(OrgName::parse("acme").unwrap(), "main").unwrap(),
        label: "Acme".into(),
        domains: Vec::new(),
        protocol: Protocol::Local,
        subject_source: SubjectSource("nameid".into()),
        groups_claim: None,
        members: None,
        scim: None,
        transmitter: None,
    }
}

fn connection() -> Connection {
    let mut mapping = Preset::Shibboleth.mapping();
    mapping.email.push("mail".into());
    Connection { provider: IDP.into(), entity_id: SP.into(), acs: ACS.into(), mapping, contexts: Vec::new() }
}

fn expected() -> Expected {
    Expected {
        directory: directory().id,
        request_id: "_request1".into(),
        left_at: at(-5),
        max_age: None,
        binding: connection().binding(),
    }
}
