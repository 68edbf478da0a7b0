//! One organization's document, beside the file that is in force and the documents before it.

use super::{Reader, Surroundings};
use crate::config::file::File;
use crate::config::finding::{Code, Findings};
use crate::kernel::values::{DirectoryName, DomainName, OrgName, ThirdPartyName};
use crate::orgs::{DraftCatalog, DraftDirectory, Read};
use std::path::Path;

/// What is taken already, by the file and by documents that were read before.
pub struct Beside {
    claimed: Vec<(DomainName, OrgName)>,
    clients: Vec<((String, String), String)>,
    third_parties: Vec<ThirdPartyName>,
}

impl Beside {
    /// What the file takes.
    pub fn of(floor: &DraftCatalog) -> Self {
        let mut beside = Self { claimed: Vec::new(), clients: Vec::new(), third_parties: Vec::new() };
        for org in &floor.orgs {
            beside.claimed.extend(org.domains.iter().map(|(domain, _)| (domain.clone(), org.name.clone())));
        }
        for directory in &floor.directories {
            beside.clients.extend(client(directory));
            if let DirectoryName::ThirdParty(name) = &directory.name {
                beside.third_parties.push(name.clone());
            }
        }
        beside
    }
}

fn client(directory: &DraftDirectory) -> Option<((String, String), String)> {
    let settings = directory.protocol.settings()?;
    Some(((settings.issuer.clone(), settings.client_id.clone()), directory.name.to_string()))
}

/// Reads a file that holds one `[org.NAME]`: a document. `None` when something is wrong with it.
pub fn document(
    file: &File,
    floor: &DraftCatalog,
    world: &dyn Surroundings,
    (beside, say): (&mut Beside, Findings),
) -> (Option<Read>, Findings) {
    let mut reader = Reader::new(say, Path::new(""), Some(world));
    let name = file.org.0.first().and_then(|(name, _)| OrgName::parse(name).ok());
    let of_file = |directory: &&DraftDirectory| name.is_some() && directory.org() == name.as_ref();
    reader.at_run_time = true;
    let below = floor.orgs.iter().find(|org| Some(&org.name) == name.as_ref());
    reader.below_policy = below.map(|org| org.policy.clone());
    reader.below = floor.directories.iter().filter(of_file).cloned().collect();
    reader.below_domains = beside.claimed.iter().filter(|(_, holder)| Some(holder) == name.as_ref()).cloned().collect();
    // Its own domains, of the file, are written in it again.
    reader.claimed = beside.claimed.iter().filter(|(_, holder)| Some(holder) != name.as_ref()).cloned().collect();
    reader.clients.clone_from(&beside.clients);
    reader.third_party_names.clone_from(&beside.third_parties);
    reader.strangers_log_in = floor.directories.iter().any(|directory| directory.org().is_none());
    if let Some((written, _)) = file.org.0.first()
        && beside.third_parties.iter().any(|third| third.as_str() == written.as_str())
    {
        let what = format!("{0} is a third party too: both would share /login/callback/{0}", written.as_str());
        reader.say.error(Code::NameTwice, written.span(), what, "give the organization another name");
    }
    let mut directories = Vec::new();
    let org = reader.orgs(file, &floor.people, &mut directories).pop();
    let read = org.filter(|_| !reader.say.has_errors()).map(|org| {
        beside.claimed.extend(org.domains.iter().map(|(domain, _)| (domain.clone(), org.name.clone())));
        beside.clients = std::mem::take(&mut reader.clients);
        Read { org, directories }
    });
    (read, reader.say)
}
