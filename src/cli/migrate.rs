//! `fedgate migrate`: how far each product's accounts have moved to the one account, what products have not heard yet, and who is told
//! of a deadline.

mod census;
mod phase;
mod run;

use super::arguments::Migrate;
use super::stored::{self, Wrong};
use super::{Common, Screen, acquainted};
use crate::clock::Clock;
use crate::kernel::model::{Migration, MigrationProgress, Passwords, Product, ProductAccountState};
use crate::kernel::values::{OrgName, Timestamp};
use crate::login::reminders::{Told, last};
use census::Census;
use run::{sentence, spoken};
use serde_json::{Value, json};
use std::io;
use std::process::ExitCode;

/// Moves that a product has not heard of, named at most.
const NAMED: usize = 50;

/// Runs it.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Migrate, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = match arguments {
        Migrate::Status { product, org } => status((product.as_deref(), org.as_deref()), common, screen),
        Migrate::Phase { product, phase, deadline, force, dry_run } => {
            let wanted =
                phase::Wanted { product, phase, deadline: deadline.as_deref(), force: *force, dry_run: *dry_run };
            phase::set(&wanted, common, screen)
        }
        Migrate::Run { product, dry_run } => run::remind(product.as_deref(), *dry_run, common, screen),
    };
    stored::finish(done, common, screen)
}

/// One product.
struct Found {
    name: String,
    phase: &'static str,
    /// When another phase begins, and which.
    deadline: Option<(Timestamp, &'static str)>,
    /// How far the last reminder came.
    told: Option<Told>,
    progress: MigrationProgress,
    stuck: Vec<Migration>,
    census: Census,
}

fn status(
    (named, org): (Option<&str>, Option<&str>),
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let now = Clock::system().now();
    let store = stored::store(&config)?;
    let no_such = |org| Wrong(format!("there is no organization called {org}"));
    let found = stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let products = with_passwords(catalog.products.values().map(AsRef::as_ref), named)?;
        let org = match org {
            Some(name) => Some(
                OrgName::parse(name).ok().filter(|org| catalog.orgs.contains_key(org)).ok_or_else(|| no_such(name))?,
            ),
            None => None,
        };
        let mut found = Vec::new();
        for product in products {
            found.push(Found {
                name: product.name.to_string(),
                phase: product.migration.phase_at(now).code(),
                deadline: product.migration.deadline.as_ref().map(|deadline| (deadline.at, deadline.then.code())),
                told: last(&*store, &product.name).await?,
                progress: store.migration_progress(&product.name).await?,
                stuck: store.migrations_stuck(&product.name, NAMED).await?,
                census: Census::of(&*store, &catalog, &product.name, org.as_ref()).await?,
            });
        }
        Ok(found)
    })?;
    for one in &found {
        if common.json {
            writeln!(screen.out, "{}", one.json())?;
        } else {
            one.write(screen, now)?;
        }
    }
    Ok(if found.iter().all(|one| one.stuck.is_empty()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The products that somebody could move from.
fn with_passwords<'p>(
    products: impl Iterator<Item = &'p Product>,
    named: Option<&str>,
) -> Result<Vec<&'p Product>, Wrong> {
    let products = products.filter(|product| product.passwords != Passwords::None);
    let products: Vec<&Product> =
        products.filter(|product| named.is_none_or(|name| product.name.as_str() == name)).collect();
    if products.is_empty() {
        let which = named.map_or_else(String::new, |name| format!(" called {name}"));
        return Err(Wrong(format!("there is no product{which} with passwords of its own")));
    }
    Ok(products)
}

impl Found {
    fn count(&self, state: fn(ProductAccountState) -> bool) -> u64 {
        self.progress.states.iter().filter(|(known, _)| state(*known)).map(|(_, count)| count).sum()
    }

    /// Accounts by state, in the order of the way. Who was put aside has no password any more, whatever the record's state says.
    fn counts(&self) -> [(&'static str, u64); 6] {
        let (local, migrating) = self.census.aside;
        [
            ("local", self.count(|state| state == ProductAccountState::Local).saturating_sub(local)),
            ("migrating", self.count(|state| state == ProductAccountState::Migrating).saturating_sub(migrating)),
            ("put aside", local + migrating),
            ("linked", self.count(|state| state == ProductAccountState::Linked)),
            ("merged", self.count(|state| matches!(state, ProductAccountState::Merged(_)))),
            ("closed", self.count(|state| state == ProductAccountState::Closed)),
        ]
    }

    fn json(&self) -> Value {
        let stuck = |one: &Migration| {
            json!({ "id": one.id.to_string(), "step": one.step.code(), "attempts": one.attempts, "fault": one.fault,
                    "since": one.committed_at.map(|at| at.to_string()) })
        };
        let states: serde_json::Map<String, Value> =
            self.counts().into_iter().map(|(state, count)| (state.replace(' ', "_"), json!(count))).collect();
        let deadline = self.deadline.map(|(at, then)| json!({ "at": at.to_string(), "then": then }));
        json!({
            "product": self.name, "phase": self.phase, "deadline": deadline, "reminded": self.told.as_ref().map(spoken),
            "accounts": states, "waiting": self.progress.waiting,
            "stuck": self.stuck.iter().map(stuck).collect::<Vec<_>>(),
            "people": self.census.people(), "organizations": self.census.organizations(), "still": self.census.still(),
        })
    }

    fn write(&self, screen: &mut Screen<'_>, now: Timestamp) -> io::Result<()> {
        let counts = self.counts().map(|(state, count)| format!("{count} {state}")).join(", ");
        writeln!(screen.out, "{} (phase {}): {counts}", self.name, self.phase)?;
        for line in self.census.lines() {
            writeln!(screen.out, "  {line}")?;
        }
        if let Some((at, then)) = self.deadline {
            let verb = if now < at { "becomes" } else { "became" };
            writeln!(screen.out, "  {verb} {then} at {at}")?;
        }
        if let Some(told) = &self.told {
            writeln!(screen.out, "  {}", sentence(told))?;
        }
        if let Some(oldest) = self.progress.oldest {
            let (waiting, seconds) = (self.progress.waiting, now.since(oldest).as_secs());
            writeln!(
                screen.out,
                "  {waiting} moves that the product has not heard of whole; the oldest for {seconds} s"
            )?;
        }
        for one in &self.stuck {
            let (step, fault) = (one.step.code(), one.fault.as_deref().unwrap_or("unknown"));
            writeln!(screen.out, "  {} is at {step} after {} tries: {fault}", one.id, one.attempts)?;
        }
        Ok(())
    }
}
