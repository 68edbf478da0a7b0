//! `fedgate migrate phase`: a product's phase moves on at run time (row T08).

use super::super::node::state;
use super::super::stored::{self, Wrong};
use super::super::{Common, Screen, acquainted};
use super::census::Census;
use super::with_passwords;
use crate::clock::Clock;
use crate::entropy::random;
use crate::kernel::event::{Action, Actor, AuditEvent, Outcome};
use crate::kernel::journal::{Batch, Change, Revocation};
use crate::kernel::model::{Catalog, Deadline, MigrationPhase, MigrationPlan, Product};
use crate::kernel::values::{EventId, Timestamp};
use crate::keys::Keys;
use crate::orgs::phases::{Phases, SETTING};
use crate::store::NotCommitted;
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What was asked for.
pub(super) struct Wanted<'a> {
    pub product: &'a str,
    pub phase: &'a str,
    pub deadline: Option<&'a str>,
    pub force: bool,
    pub dry_run: bool,
}

pub(super) fn set(wanted: &Wanted<'_>, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = stored::store(&config)?;
    let now = Clock::system().now();
    stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let products = with_passwords(catalog.products.values().map(AsRef::as_ref), Some(wanted.product))?;
        let floor = with_passwords(config.catalog.products.iter().map(AsRef::as_ref), Some(wanted.product))?;
        let (Some(product), Some(floor)) = (products.first(), floor.first()) else {
            return Err(Wrong(format!("there is no product called {}", wanted.product)));
        };
        let keys = Keys::open(&state::kek(&config.key)?, &store.keys().await?)?;
        let read = store.setting(SETTING).await?;
        let mut phases = Phases::open(read.as_deref(), &keys)?;
        let asked = plan(wanted, product, now)?;
        possible(&catalog, &asked)?;
        let before = product.migration.clone();
        let after = if wanted.force { floor.migration.joined(&asked) } else { before.joined(&asked) };
        let is_back = !before.leads_to(&asked_from(&before, &asked), now);
        if is_back && !wanted.force {
            writeln!(
                screen.err,
                "that would be a step back: {} is {} (see --force)",
                product.name,
                spoken(&before, now)
            )?;
            return Ok(ExitCode::FAILURE);
        }
        let census = Census::of(&*store, &catalog, &product.name, None).await?;
        let (companies, proved, unproved) = (census.companies(), census.with_proved(), census.unproved);
        if !wanted.dry_run {
            phases.set(floor, if wanted.force { &asked } else { &after });
            let mut event = AuditEvent::new(EventId::mint(now, random()), now, Action::PhaseSet, Outcome::Success);
            event.actor = Some(Actor { kind: "operator".to_owned(), id: None, address: None });
            event.product = Some(product.name.to_string());
            event.reason = wanted.force.then(|| "force".to_owned());
            event.before = Some(written(&before));
            event.after = Some(json!({ "plan": written(&after), "version": phases.version }));
            let value = phases.seal(&keys)?;
            let changes = vec![Change::ReplaceSetting { name: SETTING.to_owned(), was: read, value }];
            let revocations = vec![Revocation::Phases];
            let batch = Batch { changes, revocations, events: vec![event], ..Batch::default() };
            // Of two operators at once the later one has counted people and read a phase that are no longer so.
            store.commit(batch).await.map_err(|why| match why {
                NotCommitted::Conflict(_) => Wrong(
                    "somebody else set a phase meanwhile: see where it stands (fedgate migrate status), and ask again"
                        .into(),
                ),
                NotCommitted::Unavailable(why) => why.into(),
            })?;
        }
        if common.json {
            let people = json!({ "companies": companies, "proved": proved, "unproved": unproved });
            let said = json!({ "product": product.name.to_string(), "dry_run": wanted.dry_run, "before": written(&before),
                               "after": written(&after), "people": people });
            writeln!(screen.out, "{said}")?;
        } else {
            let would = if wanted.dry_run { "would be" } else { "is" };
            writeln!(screen.out, "{} {would} {}", product.name, spoken(&after, now))?;
            writeln!(
                screen.out,
                "  people with a password: {proved} with a proved address, {unproved} without, {companies} of companies with a login of their own"
            )?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// The plan as it was asked for: at once, or from the end of a day on.
fn plan(wanted: &Wanted<'_>, product: &Product, now: Timestamp) -> Result<MigrationPlan, Wrong> {
    let phase = MigrationPhase::from_code(wanted.phase)
        .ok_or_else(|| Wrong(format!("{:?} is no phase: write off, optional or forced", wanted.phase)))?;
    let Some(day) = wanted.deadline else { return Ok(MigrationPlan::of(phase)) };
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().and_then(|date| date.succ_opt());
    let after = date.and_then(|date| date.and_hms_opt(0, 0, 0));
    let at = after.map(|after| Timestamp::from_seconds(after.and_utc().timestamp()));
    let at = at.ok_or_else(|| Wrong(format!("{day:?} is not a day: write 2026-12-31")))?;
    let until = if wanted.force { MigrationPhase::Off } else { product.migration.phase_at(now) };
    if at <= now {
        return Err(Wrong(format!("{day} has passed: leave --deadline out")));
    }
    if phase <= until {
        return Err(Wrong(format!("{} holds already: a deadline is for a later phase", until.code())));
    }
    Ok(MigrationPlan { phase: until, deadline: Some(Deadline { at, then: phase, remind: Vec::new() }) })
}

/// What was asked for beside a deadline that stands: without one of its own, that one goes on.
fn asked_from(before: &MigrationPlan, asked: &MigrationPlan) -> MigrationPlan {
    match &asked.deadline {
        Some(_) => asked.clone(),
        None => MigrationPlan { phase: asked.phase, deadline: before.deadline.clone() },
    }
}

/// What the file's reader refuses is refused here: nowhere to move to.
fn possible(catalog: &Catalog, asked: &MigrationPlan) -> Result<(), Wrong> {
    let last = asked.deadline.as_ref().map_or(asked.phase, |deadline| deadline.then);
    if last == MigrationPhase::Forced && catalog.issuer.is_none() {
        return Err(Wrong("nobody could log in: there is no [issuer] to move to".to_owned()));
    }
    Ok(())
}

fn written(plan: &MigrationPlan) -> Value {
    let deadline = plan.deadline.as_ref();
    let deadline = deadline.map(|it| json!({ "at": it.at.to_string(), "then": it.then.code() }));
    json!({ "phase": plan.phase.code(), "deadline": deadline })
}

fn spoken(plan: &MigrationPlan, now: Timestamp) -> String {
    let phase = plan.phase_at(now).code();
    match &plan.deadline {
        Some(deadline) if now < deadline.at => format!("{phase}, and {} from {} on", deadline.then.code(), deadline.at),
        Some(_) | None => phase.to_owned(),
    }
}
