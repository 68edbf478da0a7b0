//! `fedgate check`: everything that is wrong with a configuration, before it runs.

use super::authority::{self, Authority};
use super::online::{Asked, ask};
use super::upstreams::{Tried, try_products};
use super::{Common, Screen, WRONG};
use crate::clock::Clock;
use crate::config::{Config, DraftDirectory, Machine, Report, check_syntax, read};
use crate::idp::saml::opinion::{self, Standing};
use crate::store;
use clap::Args;
use serde_json::json;
use std::io;
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "Example:\n  fedgate check --config fedgate.toml\n  fedgate check --syntax --json\n  fedgate check --online\n\n\
                        Status 0: the file is good (there may be warnings); 1: a provider or a product is not; 2: the file is not used as it is."
)]
pub struct Arguments {
    /// The text alone: no secrets, no certificates, no network.
    #[arg(long)]
    pub syntax: bool,
    /// Ask every provider as well: its documents, keys, clock and certificate; try products that check the assertion, and the
    /// second opinion on SAML; and ask the authority of our own certificates.
    #[arg(long, conflicts_with = "syntax")]
    pub online: bool,
}

/// Checks and reports.
pub fn run(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let (path, text) = match common.text() {
        Ok(found) => found,
        Err(why) if common.json => {
            writeln!(screen.out, "{}", json!({ "good": false, "error": why }))?;
            return Ok(ExitCode::from(WRONG));
        }
        Err(why) => {
            writeln!(screen.err, "{why}")?;
            return Ok(ExitCode::from(WRONG));
        }
    };
    let (config, report) = match arguments.syntax {
        true => (None, check_syntax(&text, &path)),
        false => read(&text, &path, &Machine),
    };
    if let Some(config) = config.as_ref().filter(|_| arguments.online && !report.has_errors()) {
        return online(config, &report, (common, &path.display().to_string()), screen);
    }
    let uris = config.as_ref().map(redirect_uris).unwrap_or_default();
    let keys = config.as_ref().map(jwks_uris).unwrap_or_default();
    if common.json {
        let good = !report.has_errors();
        let shown = json!({ "good": good, "findings": report.json(), "redirect_uris": uris, "jwks_uris": keys });
        writeln!(screen.out, "{shown}")?;
    } else {
        show(&report, (&uris, &keys), &path.display().to_string(), screen)?;
    }
    Ok(if report.has_errors() { ExitCode::from(WRONG) } else { ExitCode::SUCCESS })
}

/// The file is good; now the providers and the authority.
fn online(config: &Config, report: &Report, named: (&Common, &str), screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let all = ask(config).and_then(|asked| Ok((asked, try_products(config)?, authority::ask(config)?)));
    let (asked, tried, authority) = match all {
        Ok(found) => found,
        Err(why) => {
            writeln!(screen.err, "error: {why}")?;
            return Ok(ExitCode::from(WRONG));
        }
    };
    let authority_is_good = authority.as_ref().is_none_or(Authority::is_good);
    let has_saml = config.catalog.directories.iter().any(|one| one.protocol.saml().is_some());
    let opinion = has_saml.then(|| opinion::tried(config.second_opinion, Clock::system()));
    let opinion_is_good = !matches!(opinion, Some(Standing::Broken(_)));
    let store = store::findings(config.store.expose(), &config.state).map_err(|why| why.to_string());
    let good = asked.iter().all(Asked::is_good)
        && tried.iter().all(Tried::is_good)
        && authority_is_good
        && opinion_is_good
        && store.is_ok();
    if named.0.json {
        let providers: Vec<_> = asked.iter().map(Asked::json).collect();
        let keys = jwks_uris(config);
        let products: Vec<_> = tried.iter().map(Tried::json).collect();
        let authority = authority.as_ref().map(Authority::json);
        let shown = json!({
            "good": good, "findings": report.json(), "providers": providers, "products": products, "jwks_uris": keys,
            "authority": authority,
            "store": match &store {
                Ok(findings) => json!({ "good": true, "findings": findings }),
                Err(why) => json!({ "good": false, "error": why }),
            },
            "second_opinion": opinion.as_ref().map(|found| json!({ "standing": found.code(), "says": found.to_string() })),
        });
        writeln!(screen.out, "{shown}")?;
    } else {
        show(report, (&[], &jwks_uris(config)), named.1, screen)?;
        writeln!(screen.out, "\nProviders, asked now:")?;
        for one in &asked {
            one.show(screen)?;
        }
        if !tried.is_empty() {
            writeln!(screen.out, "\nProducts that check the assertion, tried now:")?;
        }
        for one in &tried {
            one.show(screen)?;
        }
        if let Some(authority) = &authority {
            authority.show(screen)?;
        }
        if let Some(found) = &opinion {
            let mark = match found {
                Standing::Runs => "ok ",
                Standing::Broken(_) => "BAD",
                _ => "!! ",
            };
            writeln!(screen.out, "\nThe second opinion, tried now:\n  {mark} {found}")?;
        }
        show_store(config, &store, screen)?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the server of the store said; a file says nothing before a gateway opens it.
fn show_store(config: &Config, found: &Result<Vec<String>, String>, screen: &mut Screen<'_>) -> io::Result<()> {
    if config.store.expose().starts_with("sqlite:") {
        return Ok(());
    }
    writeln!(screen.out, "\nThe store, asked now:")?;
    match found {
        Ok(findings) if findings.is_empty() => writeln!(screen.out, "  ok  it answers"),
        Ok(findings) => findings.iter().try_for_each(|finding| writeln!(screen.out, "  !!  {finding}")),
        Err(why) => writeln!(screen.out, "  BAD {why}"),
    }
}

/// Directories, each with a URI.
type Uris = [(String, String)];

/// The findings, then redirect URIs and key addresses.
fn show(report: &Report, (uris, keys): (&Uris, &Uris), name: &str, screen: &mut Screen<'_>) -> io::Result<()> {
    let text = if screen.terminal { report.graphical(true, 120) } else { report.plain() };
    write!(screen.out, "{text}")?;
    if report.has_errors() {
        return writeln!(screen.out, "{name} has mistakes.");
    }
    writeln!(screen.out, "{name} is good.")?;
    if !uris.is_empty() {
        writeln!(screen.out, "\nRedirect URIs to register at the providers:")?;
    }
    for (directory, uri) in uris {
        writeln!(screen.out, "  {directory:<24} {uri}")?;
    }
    if !keys.is_empty() {
        writeln!(screen.out, "\nPublic keys of our clients, for the providers' jwks_uri:")?;
    }
    for (directory, uri) in keys {
        writeln!(screen.out, "  {directory:<24} {uri}")?;
    }
    Ok(())
}

/// Each directory has its own (rule C5).
fn redirect_uris(config: &Config) -> Vec<(String, String)> {
    let uri = |directory: &DraftDirectory| {
        (directory.name.to_string(), format!("{}{}", config.login.url(), directory.name.callback_path()))
    };
    config.catalog.directories.iter().filter(|directory| directory.name.is_provider()).map(uri).collect()
}

/// Each client that proves itself by a key has its own (rule H20).
fn jwks_uris(config: &Config) -> Vec<(String, String)> {
    let signs = |directory: &&DraftDirectory| {
        directory.protocol.settings().is_some_and(|settings| settings.client_auth.is_by_key())
    };
    let uri = |directory: &DraftDirectory| {
        (directory.name.to_string(), format!("{}{}", config.login.url(), directory.name.jwks_path()))
    };
    config.catalog.directories.iter().filter(signs).map(uri).collect()
}
