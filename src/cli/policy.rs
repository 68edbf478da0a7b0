//! `fedgate policy plan FILE`: what another configuration would do to people, before it does: who moves to single sign-on, who has
//! no identity at the provider, which addresses are in conflict, who would be locked out. The engine is that of the login.

use super::acquainted::{self, Asked};
use super::arguments::Policies;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::{Config, Machine, read};
use crate::kernel::foresee::{Certainty, Identity, Listed, Outlook, outlook};
use crate::kernel::model::{Catalog, Product};
use crate::kernel::standing::management;
use crate::kernel::values::{DomainName, EmailAddress, ProductName, Timestamp};
use crate::store::Store;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// People that are read from the store at a time.
const PAGE: usize = 500;
/// People that a text names of each kind; `--json` names all.
const NAMED: usize = 50;

/// Runs it.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Policies, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    if let Policies::Shadow { since } = arguments {
        return super::shadow::run(since.as_deref(), common, screen);
    }
    let Policies::Plan { file, people, product } = arguments else {
        return super::operate::policies(arguments, common, screen);
    };
    let done = plan(file, (people.as_deref(), product.as_deref()), common, screen);
    stored::finish(done, common, screen)
}

fn plan(
    file: &Path,
    (export, product): (Option<&Path>, Option<&str>),
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<ExitCode, Wrong> {
    let old = stored::configuration(common)?;
    let new = configuration(file)?;
    let export = export.map(|path| stored::file(path).and_then(|text| addresses(&text))).transpose()?;
    let products = products(&new, product)?;
    let now = Clock::system().now();
    let store = stored::store(&old)?;
    let found = stored::on_store(&store, async {
        let before = acquainted::catalog(&*store, &old.key, &old, None, now).await?;
        let after = acquainted::catalog(&*store, &old.key, &new, None, now).await?;
        let scope = Scope { store: &*store, before: &before, after: &after, export: export.as_ref(), now };
        scope.plan(&products).await
    })?;
    if common.json {
        writeln!(screen.out, "{}", found.json())?;
    } else {
        found.write(screen.out)?;
    }
    let fine = found.people.iter().all(|person| !person.outlook.is_locked_out() && person.outlook.conflict().is_none());
    Ok(if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The other file, its secrets read as `run` would.
fn configuration(path: &Path) -> Result<Config, Wrong> {
    let text = stored::file(path)?;
    let (config, report) = read(&text, path, &Machine);
    config.filter(|_| !report.has_errors()).ok_or_else(|| Wrong(report.plain()))
}

fn products(config: &Config, named: Option<&str>) -> Result<Vec<ProductName>, Wrong> {
    let all: Vec<ProductName> = config.catalog.products.iter().map(|product| product.name.clone()).collect();
    match named {
        None => Ok(all),
        Some(name) => match all.into_iter().find(|known| known.as_str() == name) {
            Some(found) => Ok(vec![found]),
            None => Err(Wrong(format!("there is no [product.{name}] in the new file"))),
        },
    }
}

/// The addresses of a provider's export: the column `email` (or `mail`, `userName`, `user_name`), or the only column.
fn addresses(text: &str) -> Result<BTreeSet<EmailAddress>, Wrong> {
    let mut lines = text.lines().map(|line| line.trim_start_matches('\u{feff}').trim()).filter(|line| !line.is_empty());
    let cells = |line: &str| {
        line.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"').to_owned()).collect::<Vec<_>>()
    };
    let Some(first) = lines.next() else { return Ok(BTreeSet::new()) };
    let head = cells(first);
    let is_address = |cell: &String| EmailAddress::parse(cell).is_ok();
    let names = ["email", "mail", "username", "user_name", "e-mail", "email address"];
    let column = head.iter().position(|cell| names.contains(&cell.to_ascii_lowercase().as_str()));
    let (column, headless) = match (column, head.iter().position(is_address)) {
        (Some(column), _) => (column, false),
        (None, Some(column)) => (column, true),
        (None, None) => return Err(Wrong("the export has no column `email`".to_owned())),
    };
    let rest = headless.then_some(first).into_iter().chain(lines);
    Ok(rest.filter_map(|line| EmailAddress::parse(cells(line).get(column)?).ok()).collect())
}

/// What is compared, and by whose word.
struct Scope<'a> {
    store: &'a dyn Store,
    before: &'a Catalog,
    after: &'a Catalog,
    export: Option<&'a BTreeSet<EmailAddress>>,
    now: Timestamp,
}

/// What would happen.
struct Plan {
    people: Vec<Planned>,
    /// Sub-domains that nobody holds, of domains that are held, and how many people are there.
    uncovered: BTreeMap<DomainName, u64>,
}

/// What would happen to one person at one product.
struct Planned {
    email: EmailAddress,
    product: ProductName,
    /// The organization that would manage them.
    org: Option<String>,
    /// The directory that they would be sent to.
    directory: Option<String>,
    emergency: bool,
    outlook: Outlook,
}

impl Scope<'_> {
    async fn plan(&self, products: &[ProductName]) -> Result<Plan, Wrong> {
        let mut plan = Plan { people: Vec::new(), uncovered: BTreeMap::new() };
        for email in self.everybody().await? {
            let domain = email.domain();
            if self.after.is_uncovered(domain) {
                *plan.uncovered.entry(domain.clone()).or_insert(0) += 1;
            }
            if !self.before.domains.contains_key(domain) && !self.after.domains.contains_key(domain) {
                continue;
            }
            for name in products {
                let Some(after) = self.after.products.get(name) else { continue };
                let before = self.before.products.get(name).unwrap_or(after);
                plan.people.push(self.person(&email, before, after).await?);
            }
        }
        Ok(plan)
    }

    /// Every address that the store knows or the export names.
    async fn everybody(&self) -> Result<BTreeSet<EmailAddress>, Wrong> {
        let mut found: BTreeSet<EmailAddress> = self.export.into_iter().flatten().cloned().collect();
        let mut last: Option<EmailAddress> = None;
        loop {
            let page = self.store.addresses(last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            last = page.last().cloned();
            found.extend(page);
            if is_last {
                return Ok(found);
            }
        }
    }

    async fn person(&self, email: &EmailAddress, before: &Product, after: &Product) -> Result<Planned, Wrong> {
        let asked = Asked::load(self.store, email.as_str(), after).await?;
        let listed = match self.export {
            None => Listed::Unknown,
            Some(export) if export.contains(email) => Listed::Yes,
            Some(_) => Listed::No,
        };
        let (was, is) = (asked.foresee(self.before, before, self.now), asked.foresee(self.after, after, self.now));
        let held = management(self.after, email);
        let outlook = outlook(&was, &is, listed);
        Ok(Planned {
            email: email.clone(),
            product: after.name.clone(),
            org: held.map(|held| held.org.name.to_string()),
            directory: outlook.moves_to.and_then(|id| self.after.directories.get(&id)).map(|one| one.name.to_string()),
            emergency: held.is_some_and(|held| held.breaks_glass(&[email])),
            outlook,
        })
    }
}

impl Plan {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let persons: BTreeSet<&EmailAddress> = self.people.iter().map(|person| &person.email).collect();
        writeln!(out, "{} people looked at.", persons.len())?;
        let mut orgs: BTreeMap<&str, Vec<&Planned>> = BTreeMap::new();
        for person in &self.people {
            orgs.entry(person.org.as_deref().unwrap_or("nobody's")).or_default().push(person);
        }
        for (org, people) in orgs {
            writeln!(out, "\n{org}")?;
            write_counts(&people, out)?;
        }
        self.write_named("Would be locked out", |person| person.outlook.is_locked_out(), out)?;
        self.write_named("In conflict", |person| person.outlook.conflict().is_some(), out)?;
        for (domain, count) in &self.uncovered {
            writeln!(out, "\nW-SUBDOMAIN {domain}: {count} people, and no organization holds it.")?;
        }
        Ok(())
    }

    fn write_named(&self, title: &str, which: impl Fn(&Planned) -> bool, out: &mut dyn Write) -> io::Result<()> {
        let found: Vec<&Planned> = self.people.iter().filter(|person| which(person)).collect();
        if found.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{title}:")?;
        for person in found.iter().take(NAMED) {
            let emergency = if person.emergency { ", has emergency access" } else { "" };
            writeln!(out, "  {}  {}: {}{emergency}", person.email, person.product, certainty(person.outlook.after))?;
        }
        match found.len().checked_sub(NAMED) {
            Some(more @ 1..) => writeln!(out, "  and {more} more: --json names all"),
            Some(0) | None => Ok(()),
        }
    }

    fn json(&self) -> Value {
        let people: Vec<Value> = self.people.iter().map(Planned::json).collect();
        let uncovered: Vec<Value> = self
            .uncovered
            .iter()
            .map(|(domain, count)| json!({ "code": "W-SUBDOMAIN", "domain": domain.as_str(), "people": count }))
            .collect();
        json!({ "people": people, "uncovered": uncovered })
    }
}

impl Planned {
    fn json(&self) -> Value {
        json!({
            "email": self.email.as_str(), "product": self.product.as_str(), "organization": self.org,
            "moves_to": self.directory, "identity": self.outlook.identity.map(identity),
            "before": certainty(self.outlook.before), "after": certainty(self.outlook.after),
            "locked_out": self.outlook.is_locked_out(), "conflict": self.outlook.conflict().map(|why| why.code()),
            "emergency": self.emergency,
        })
    }
}

/// Counts of people, each once: who enters one product and not another counts where it is worse.
fn write_counts(people: &[&Planned], out: &mut dyn Write) -> io::Result<()> {
    let count = |which: &dyn Fn(&Planned) -> bool| {
        people.iter().filter(|person| which(person)).map(|person| &person.email).collect::<BTreeSet<_>>().len()
    };
    let of = |wanted: Identity| count(&|person: &Planned| person.outlook.identity == Some(wanted));
    writeln!(out, "  move to single sign-on    {}", count(&|person| person.directory.is_some()))?;
    writeln!(
        out,
        "  identity at the provider  {} linked, {} in the export, {} missing, {} unknown",
        of(Identity::Linked),
        of(Identity::Listed),
        of(Identity::Missing),
        of(Identity::Unknown)
    )?;
    let unknown = count(&|person| person.outlook.after == Certainty::Unknown);
    writeln!(
        out,
        "  would be locked out       {}, unknown {unknown}",
        count(&|person| person.outlook.is_locked_out())
    )?;
    writeln!(out, "  in conflict               {}", count(&|person| person.outlook.conflict().is_some()))
}

fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Linked => "linked",
        Identity::Listed => "listed",
        Identity::Missing => "missing",
        Identity::Unknown => "unknown",
    }
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::In => "in",
        Certainty::Unknown => "unknown",
        Certainty::Out(Some(refusal)) => refusal.code(),
        Certainty::Out(None) => "no identity at the provider",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_read_by_its_head_or_by_its_only_addresses() {
        let read = |text: &str| addresses(text).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            read("id,Email,name\n1,\"ann@acme.com\",Ann\n2,BOB@acme.com,Bob\n"),
            ["ann@acme.com", "bob@acme.com"]
        );
        assert_eq!(read("\u{feff}userName;active\r\nann@acme.com;true\r\n"), ["ann@acme.com"]);
        assert_eq!(read("ann@acme.com\nnot an address\n"), ["ann@acme.com"]);
        assert!(read("").is_empty());
        assert!(addresses("id,name\n1,Ann\n").is_err());
    }
}
