//! `fedgate migrate run`: the reminders that are due, at once and to the end.

use super::super::node::state;
use super::super::progress::Progress;
use super::super::stored::{self, Wrong};
use super::super::{Common, Screen, acquainted};
use super::with_passwords;
use crate::clock::Clock;
use crate::kernel::model::{Product, Reminder};
use crate::keys::Keys;
use crate::login::reminders::{Reminders, Told};
use serde_json::{Value, json};
use std::process::ExitCode;

pub(super) fn remind(
    named: Option<&str>,
    dry_run: bool,
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = stored::store(&config)?;
    let now = Clock::system().now();
    stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let products = with_passwords(catalog.products.values().map(AsRef::as_ref), named)?;
        let keys = Keys::open(&state::kek(&config.key)?, &store.keys().await?)?;
        let reminders = Reminders::new(&*store, &keys, &catalog);
        for product in products {
            let told = match reminders.due(product, now) {
                None => None,
                Some(reminder) if dry_run => Some(reminders.foresee(product, reminder).await?),
                Some(reminder) => Some(to_the_end(&reminders, (product, reminder), common, screen).await?),
            };
            if common.json {
                let told = told.as_ref().map(spoken);
                writeln!(
                    screen.out,
                    "{}",
                    json!({ "product": product.name.to_string(), "dry_run": dry_run, "reminded": told })
                )?;
            } else {
                let said = told.as_ref().map_or_else(|| "nothing is due".to_owned(), sentence);
                let would = if dry_run && told.is_some() { "would come to: " } else { "" };
                writeln!(screen.out, "{}: {would}{said}", product.name)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn to_the_end(
    reminders: &Reminders<'_>,
    (product, reminder): (&Product, Reminder),
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<Told, Wrong> {
    let clock = Clock::system();
    let whole = reminders.foresee(product, reminder).await?;
    let mut progress: Option<Progress> = None;
    loop {
        let told = reminders.step(product, reminder, clock.now()).await?;
        if told.done {
            return Ok(told);
        }
        let done = told.letters + told.without;
        let progress = progress.get_or_insert_with(|| Progress::new("people", whole.letters + whole.without, done));
        if !common.json {
            progress.tell(done, screen)?;
        }
    }
}

/// How far a reminder came, in words.
pub(super) fn sentence(told: &Told) -> String {
    let days = told.reminder().before.as_secs() / 86_400;
    let which = match days {
        0 => "that the deadline has passed".to_owned(),
        1 => "1 day before the deadline".to_owned(),
        days => format!("{days} days before the deadline"),
    };
    let end = if told.done { "" } else { ", not yet to the end" };
    let (letters, without) = (told.letters, told.without);
    format!("reminder {which}: {letters} letters queued, {without} people whom none is for{end}")
}

/// The same for programs.
pub(super) fn spoken(told: &Told) -> Value {
    let reminder = told.reminder();
    json!({ "deadline": reminder.deadline.to_string(), "before_seconds": reminder.before.as_secs(),
            "letters": told.letters, "without": told.without, "done": told.done })
}
