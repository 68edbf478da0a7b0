//! Commands that the running gateway carries out, asked over its control socket: `token`, `policy history|revert`, `domain`, `org`.

use super::arguments::{Breakglass, DomainActs, Keys, Orgs, Policies, Quarantines, Tokens, Tombstones};
use super::events::clean;
use super::node::control::{ask, socket};
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::admin::Command;
use crate::config::duration;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::ExitCode;

/// `fedgate token`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn tokens(arguments: &Tokens, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        Tokens::Create { owner, scopes, org, enterprise, expires, label, networks } => match duration(expires) {
            Some(expires) => Ok(Command::TokenCreate {
                owner: owner.clone(),
                scopes: scopes.clone(),
                org: org.clone(),
                enterprise: enterprise.clone(),
                expires: expires.as_secs(),
                label: label.clone(),
                networks: networks.clone(),
            }),
            None => Err(Wrong(format!("{expires:?} is not a duration: write 30d"))),
        },
        Tokens::List => Ok(Command::TokenList),
        Tokens::Revoke { id } => Ok(Command::TokenRevoke { id: id.clone() }),
    };
    run(command, common, screen, |answer| match answer.get("token").and_then(Value::as_str) {
        Some(token) => vec![format!("{token}"), "It is shown this once; keep it where secrets are kept.".to_owned()],
        None => match answer.get("tokens").and_then(Value::as_array) {
            Some(tokens) => tokens
                .iter()
                .map(|one| line(one, &["id", "owner", "scopes", "over", "expires", "last_used", "label"]))
                .collect(),
            None => vec![line(answer, &["revoked"])],
        },
    })
}

/// `fedgate policy history|revert`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn policies(arguments: &Policies, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        Policies::History { org } => Ok(Command::PolicyHistory { org: org.clone() }),
        Policies::Revert { org, to, loosen, accept_lockout_risk } => Ok(Command::PolicyRevert {
            org: org.clone(),
            to: *to,
            loosen: loosen.clone(),
            accept_lockout: *accept_lockout_risk,
        }),
        Policies::Plan { .. } | Policies::Shadow { .. } => Err(Wrong("no gateway is asked for that".to_owned())),
    };
    run(command, common, screen, |answer| match answer.get("versions").and_then(Value::as_array) {
        Some(versions) => versions.iter().map(|one| line(one, &["version", "at", "what", "by"])).collect(),
        None => vec![line(answer, &["org", "version", "what"])],
    })
}

/// `fedgate domain list|settle|drop`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn domains(arguments: &DomainActs, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        DomainActs::List => Command::DomainList,
        DomainActs::Settle { domain, org, loosen } => {
            Command::DomainSettle { org: org.clone(), domain: domain.clone(), loosen: loosen.clone() }
        }
        DomainActs::Drop { domain, org } => Command::DomainDrop { org: org.clone(), domain: domain.clone() },
    };
    run(Ok(command), common, screen, |answer| match answer.get("domains").and_then(Value::as_array) {
        Some(domains) => domains.iter().map(|one| line(one, &["domain", "org", "state"])).collect(),
        None => vec![line(answer, &["domain", "dropped", "org", "state"])],
    })
}

/// `fedgate breakglass enrol|list|remove`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn breakglass(arguments: &Breakglass, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        Breakglass::Enrol { email } => Command::BreakglassEnrol { email: email.clone() },
        Breakglass::List => Command::BreakglassList,
        Breakglass::Remove { email } => Command::BreakglassRemove { email: email.clone() },
    };
    run(Ok(command), common, screen, |answer| {
        if let Some(link) = answer.get("link").and_then(Value::as_str) {
            return vec![link.to_owned(), "It is good once, for a quarter of an hour, for whoever has it.".to_owned()];
        }
        if let Some(enrolled) = answer.get("enrolled").and_then(Value::as_array) {
            let members = ["email", "state", "named_by", "label", "enrolled", "last_used"];
            return enrolled.iter().map(|one| line(one, &members)).collect();
        }
        let locked_out = answer.get("locked_out").and_then(Value::as_array).into_iter().flatten();
        let alarm = |org: &Value| {
            let org = clean(org.as_str().unwrap_or_default());
            format!("E-LOCKOUT: nobody can administer {org} any more but by its own provider: enrol somebody")
        };
        std::iter::once(line(answer, &["removed", "email"])).chain(locked_out.map(alarm)).collect()
    })
}

/// `fedgate quarantine list|undo|free`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn quarantines(arguments: &Quarantines, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        Quarantines::List => Command::QuarantineList,
        Quarantines::Undo { account } => Command::QuarantineUndo { account: account.clone() },
        Quarantines::Free { email, product } => {
            Command::QuarantineFree { email: email.clone(), product: product.clone() }
        }
    };
    run(Ok(command), common, screen, |answer| match answer.get("quarantined").and_then(Value::as_array) {
        Some(listed) => {
            let members = ["account", "email", "product", "at", "until", "by"];
            listed.iter().map(|one| line(one, &members)).collect()
        }
        None => vec![line(answer, &["restored", "freed", "email", "product", "sub"])],
    })
}

/// `fedgate tombstone show|lift`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn tombstones(arguments: &Tombstones, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let (command, lifts) = match arguments {
        Tombstones::Show { email } => (Command::TombstoneShow { email: email.clone() }, false),
        Tombstones::Lift { email } => (Command::TombstoneLift { email: email.clone() }, true),
    };
    run(Ok(command), common, screen, |answer| about_tombstone(answer, lifts))
}

/// Whom an address keeps out, or kept, and what is left to do at products.
fn about_tombstone(answer: &Value, lifted: bool) -> Vec<String> {
    let member = |name: &str| clean(answer.get(name).and_then(Value::as_str).unwrap_or_default());
    let email = member("email");
    if answer.get("tombstone").is_none_or(Value::is_null) {
        return vec![format!("{email} keeps nobody out.")];
    }
    let told = if lifted { "whoever had it may come anew; deleted was" } else { "kept out: deleted was" };
    let known_to = answer.get("known_to").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let freed = known_to.map(|product| {
        let product = clean(product);
        format!("{product} knows {email} under the old user id: fedgate quarantine free {email} --product {product}")
    });
    std::iter::once(format!("{email}: {told} {}", member("tombstone"))).chain(freed).collect()
}

/// `fedgate keys rotate`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn keys(arguments: &Keys, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let Keys::Rotate { directory, kind, compromised, kek } = arguments;
    let compromised = *compromised;
    if *kek {
        return run(Ok(Command::KeysSealAnew {}), common, screen, |answer| {
            let next = "Write the new key as key_file in the configuration of every gateway, without next_key_file, and restart each.";
            vec![line(answer, &["sealed_anew", "unreadable"]), next.to_owned()]
        });
    }
    if let Some(kind) = kind {
        let command = Command::KeysReplace { kind: kind.clone(), compromised };
        return run(Ok(command), common, screen, |answer| {
            vec![line(answer, &["kind", "made", "refused"]), dead(kind, compromised).to_owned()]
        });
    }
    let command = Command::KeysRotate { directory: directory.clone().unwrap_or_default(), compromised };
    run(Ok(command), common, screen, |answer| {
        let told = line(answer, &["directory", "generation", "signs_from", "old_until", "made", "refused"]);
        if let Some(keys) = answer.get("keys").and_then(Value::as_str) {
            let next = match compromised {
                true => format!("Nobody logs in by it until the provider has read {keys} again."),
                false => {
                    format!("The next key is announced at {keys}, and signs when this is said again: a day later, say.")
                }
            };
            return vec![told, next];
        }
        let metadata = answer.get("metadata").and_then(Value::as_str).unwrap_or_default();
        vec![told, format!("The provider must have read {metadata} again before the new key signs.")]
    })
}

/// What a replaced key means for people and products.
fn dead(kind: &str, compromised: bool) -> &'static str {
    match (kind, compromised) {
        ("assertion", false) => "The next key stands in /.well-known/jwks.json and signs from the next rotation on.",
        ("assertion", true) => {
            "Products fetch /.well-known/jwks.json again; one that keeps it for five minutes believes the old keys so long."
        }
        ("cookie", true) => {
            "Logins under way begin again; codes in letters that wait, and what could bring an account that was put aside back, are gone."
        }
        ("csrf", true) => "Forms that are open must be loaded again.",
        ("token", _) => {
            "Everybody logs in again, but for apps, which go on by their refresh tokens; tokens of the admin API are dead, and sinks write other pseudonyms."
        }
        _ => "What the key before made is believed until the next rotation.",
    }
}

/// `fedgate org show|put`.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn orgs(arguments: &Orgs, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let command = match arguments {
        Orgs::Show { org } => Ok(Command::OrgShow { org: org.clone() }),
        Orgs::Put { org, file, secrets, loosen, accept_lockout_risk } => {
            put(org, file, secrets).map(|(document, secrets)| Command::OrgPut {
                org: org.clone(),
                document,
                secrets,
                loosen: loosen.clone(),
                accept_lockout: *accept_lockout_risk,
            })
        }
    };
    run(command, common, screen, |answer| match answer.get("version") {
        Some(_) => vec![line(answer, &["org", "version", "what"])],
        None => vec![format!("{answer:#}")],
    })
}

type Put = (serde_json::Map<String, Value>, BTreeMap<String, String>);

fn put(_: &str, file: &Path, secrets: &[String]) -> Result<Put, Wrong> {
    let document = serde_json::from_str(&stored::file(file)?)?;
    let mut found = BTreeMap::new();
    for written in secrets {
        let (directory, path) =
            written.split_once('=').ok_or_else(|| Wrong("write --secret DIRECTORY=FILE".to_owned()))?;
        let secret = stored::file(Path::new(path))?;
        found.insert(directory.to_owned(), secret.trim_end_matches(['\n', '\r']).to_owned());
    }
    Ok((document, found))
}

fn run(
    command: Result<Command, Wrong>,
    common: &Common,
    screen: &mut Screen<'_>,
    lines: impl Fn(&Value) -> Vec<String>,
) -> io::Result<ExitCode> {
    let done = command.and_then(|command| {
        let config = stored::configuration(common)?;
        let path = socket(&config.state);
        let said = ask(&path, &format!("operate {}", serde_json::to_string(&command)?));
        let said = said.map_err(|why| Wrong(format!("no gateway answers at {}: {why}", path.display())))?;
        match said.split_once(' ') {
            Some(("ok", answer)) => Ok(Ok(serde_json::from_str::<Value>(answer.trim_end())?)),
            Some((_, why)) => Ok(Err(why.trim_end().to_owned())),
            None => Err(Wrong("the gateway closed the connection without an answer".to_owned())),
        }
    });
    match done {
        Ok(Ok(answer)) if common.json => writeln!(screen.out, "{answer}").map(|()| ExitCode::SUCCESS),
        Ok(Ok(answer)) => {
            for line in lines(&answer) {
                writeln!(screen.out, "{line}")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Ok(Err(why)) if common.json => {
            writeln!(screen.out, "{}", serde_json::json!({ "error": why }))?;
            Ok(ExitCode::FAILURE)
        }
        Ok(Err(why)) => writeln!(screen.err, "{why}").map(|()| ExitCode::FAILURE),
        Err(wrong) => stored::finish(Err(wrong), common, screen),
    }
}

/// Some members of an object, in one line that shows no control characters.
fn line(object: &Value, members: &[&str]) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => clean(text),
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(clean).collect::<Vec<_>>().join(","),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let shown: Vec<String> = members.iter().filter_map(|member| object.get(*member).map(text)).collect();
    shown.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn h2_a_tombstone_is_told_of_with_what_is_left_to_do() {
        let nobody = json!({ "email": "ann@acme.com", "tombstone": null });
        assert_eq!(about_tombstone(&nobody, false), ["ann@acme.com keeps nobody out."]);
        let ann = json!({ "email": "ann@acme.com", "tombstone": "01KB3Z", "known_to": ["trello"] });
        let [shown, lifted] = [false, true].map(|lifted| about_tombstone(&ann, lifted));
        assert_eq!(shown[0], "ann@acme.com: kept out: deleted was 01KB3Z");
        assert_eq!(lifted[0], "ann@acme.com: whoever had it may come anew; deleted was 01KB3Z");
        assert!(shown[1].ends_with("fedgate quarantine free ann@acme.com --product trello"), "{shown:?}");
    }
}
