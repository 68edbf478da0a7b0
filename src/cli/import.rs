//! `fedgate import`: a product's people with their addresses and password hashes, read from a file row by row.
//!
//! The file is gone through twice: once to see what it holds, so that nothing is written of a file that is not sound as a whole, and
//! once to write it, in batches. Each batch carries how far the import came; the same file given again goes on from there.

mod report;
mod source;

use super::acquainted;
use super::node::state;
use super::progress::Progress;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::kernel::event::Actor;
use crate::kernel::import::{ImportRow, RowFault};
use crate::kernel::values::ProductName;
use crate::keys::Keys;
use crate::login::import::{Halted, Imported, Importer, Ledger, Look, Mark};
use crate::store::Store;
use report::{Outcomes, Report};
use serde::{Deserialize, Serialize};
use source::Rows;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Rows of one commit: few enough that a login beside it waits for milliseconds.
const BATCH: usize = 200;
/// More people without a proved address than this share, in hundredths, are not imported unasked (rule B21).
const UNVERIFIED: u64 = 5;

/// `fedgate import`: people of a product.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  fedgate import users.jsonl --product trello --dry-run\n\nA line: {\"id\": \"u-17\", \"email\": \
    \"ann@acme.com\", \"email_verified\": true, \"password_hash\": \"$2b$12$…\"}. A file *.csv has a header with these names.\n\
    docs/import.md has every member. Stopped in the middle, the same command goes on where it was.\n\nStatus 0: every row is in; \
    1: some rows are not, or nothing was written."
)]
pub struct Arguments {
    /// JSON lines, or CSV by its ending .csv.
    pub file: PathBuf,
    /// Whose people they are.
    #[arg(long, value_name = "NAME")]
    pub product: String,
    /// Say what would happen and write nothing but the outcomes.
    #[arg(long)]
    pub dry_run: bool,
    /// Import people none of whose addresses was ever proved, also where they are more than 5 % of the file: they prove one when they
    /// move to the one account.
    #[arg(long, value_name = "HOW", value_parser = ["prove"])]
    pub unverified: Option<String>,
    /// Where each row's outcome is written, a JSON line each [default: FILE.outcomes.jsonl, FILE.dry-run.jsonl for a dry run].
    #[arg(long, value_name = "FILE")]
    pub outcomes: Option<PathBuf>,
}

/// Imports.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = import(arguments, common, screen);
    stored::finish(done, common, screen)
}

/// How far an import of one file into one product came.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Reached {
    /// Rows that are dealt with.
    rows: u64,
    /// Rows of the file.
    of: u64,
    /// How long the file of outcomes is with theirs.
    outcomes: u64,
    made: u64,
    present: u64,
    refused: u64,
}

fn import(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let name = ProductName::parse(&arguments.product)
        .map_err(|why| Wrong(format!("{:?} is not the name of a product: {why}", arguments.product)))?;
    let store = stored::store(&config)?;
    let now = Clock::system().now();
    stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let product = catalog.products.get(&name);
        let product = product.ok_or_else(|| Wrong(format!("there is no [product.{name}] in the configuration")))?;
        let kek = state::kek(&config.key)?;
        let keys = Keys::open(&kek, &store.keys().await?)?;
        let importer = Importer::new((&*store, &keys), (&catalog, product), actor(), now).await?;
        let work = Work { arguments, importer: &importer, store: &*store, json: common.json };
        work.run(screen).await
    })
}

fn actor() -> Actor {
    let user = rustix::process::getuid().as_raw();
    Actor { kind: "operator".to_owned(), id: Some(format!("uid {user}")), address: None }
}

struct Work<'a> {
    arguments: &'a Arguments,
    importer: &'a Importer<'a>,
    store: &'a dyn Store,
    json: bool,
}

impl Work<'_> {
    async fn run(&self, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let same = |path: &Path| std::fs::canonicalize(path).ok();
        if same(&self.outcomes()).is_some_and(|outcomes| Some(outcomes) == same(&self.arguments.file)) {
            return Err(Wrong("--outcomes names the file that is imported".to_owned()));
        }
        let digest = source::digest(&self.arguments.file)?;
        let mark = format!("import.{}.{digest}", self.importer.product());
        if self.arguments.dry_run {
            let report = self.survey(screen).await?;
            report.tell(self.json, "would be imported", screen)?;
            let refused = self.is_too_unverified(&report, screen)?;
            return Ok(if refused || report.refused() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
        let before = self.store.setting(&mark).await?;
        let before: Option<Reached> = before.map(|value| serde_json::from_slice(&value)).transpose()?;
        // One that came to its end with rows refused begins anew: what they lacked may be there by now, and the others are present.
        let reached = match before.filter(|before| before.rows < before.of || before.refused == 0) {
            Some(reached) => {
                if !self.json {
                    writeln!(screen.err, "Going on after row {} of {}.", reached.rows, reached.of)?;
                }
                reached
            }
            None => {
                let report = self.survey(screen).await?;
                if !self.json {
                    report.tell(false, "to be imported", screen)?;
                }
                if self.is_too_unverified(&report, screen)? {
                    return Ok(ExitCode::FAILURE);
                }
                Reached { of: report.rows, ..Reached::default() }
            }
        };
        let reached = self.write(mark, reached, screen).await?;
        if self.json {
            writeln!(screen.out, "{}", serde_json::to_value(&reached)?)?;
        } else {
            let Reached { made, present, refused, .. } = reached;
            writeln!(screen.out, "{made} imported, {present} were there already, {refused} refused")?;
            writeln!(screen.out, "Each row's outcome: {}", self.outcomes().display())?;
        }
        Ok(if reached.refused > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn outcomes(&self) -> PathBuf {
        let beside = |ending: &str| {
            let mut name = self.arguments.file.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        match (&self.arguments.outcomes, self.arguments.dry_run) {
            (Some(named), _) => named.clone(),
            (None, true) => beside(".dry-run.jsonl"),
            (None, false) => beside(".outcomes.jsonl"),
        }
    }

    /// Rule B21: an import in which hardly anybody's address was proved would have the old owners quarantined by the thousand.
    fn is_too_unverified(&self, report: &Report, screen: &mut Screen<'_>) -> io::Result<bool> {
        let too_many = report.unverified * 100 > report.new * UNVERIFIED;
        let refused = too_many && self.arguments.unverified.is_none();
        if refused && !self.json {
            writeln!(
                screen.err,
                "{} of {} people have no proved address, more than {UNVERIFIED} %. Nothing was written.\n = export what your product \
                 knows of proved addresses (email_verified), or say --unverified=prove: each of them then proves one before moving",
                report.unverified, report.new,
            )?;
        }
        Ok(refused)
    }

    /// Goes through the file and writes nothing but, for a dry run, the outcomes.
    async fn survey(&self, screen: &mut Screen<'_>) -> Result<Report, Wrong> {
        let file = &self.arguments.file;
        let mut progress = Progress::new("bytes", std::fs::metadata(file).map_or(0, |about| about.len()), 0);
        let mut outcomes = self.arguments.dry_run.then(|| Outcomes::create(&self.outcomes(), 0)).transpose()?;
        let (mut report, mut twice) = (Report::default(), Twice::default());
        let mut rows = Rows::open(file)?;
        while let Some(row) = rows.next()? {
            let row = match row {
                Ok(row) => Ok(twice.judge(row)),
                Err(fault) => Err(fault),
            };
            let became = match &row {
                Err(fault) => report::Row::fault(fault),
                Ok((_, Some(code))) => report::Row::refused(code, "another row of the file has it"),
                Ok((row, None)) => match self.importer.look(row).await? {
                    Ok(Look::New) => report::Row::New,
                    Ok(Look::Present(_)) => report::Row::Present,
                    Err(why) => report::Row::refused(why.code(), &why.to_string()),
                },
            };
            let row = row.ok().map(|(row, _)| row);
            report.count(row.as_ref(), &became, row.as_ref().map(|row| self.importer.standing(row)));
            if let Some(outcomes) = &mut outcomes {
                outcomes.write(report.rows, row.as_ref(), &became)?;
            }
            progress.tell(rows.position(), screen)?;
        }
        if let Some(outcomes) = &mut outcomes {
            outcomes.keep()?;
        }
        progress.end(screen)?;
        Ok(report)
    }

    /// Writes what an earlier run has not.
    async fn write(&self, mark: String, reached: Reached, screen: &mut Screen<'_>) -> Result<Reached, Wrong> {
        let mut progress = Progress::new("rows", reached.of, reached.rows);
        let outcomes = Outcomes::create(&self.outcomes(), reached.outcomes)?;
        let mut rows = Rows::open(&self.arguments.file)?;
        for _ in 0..reached.rows {
            rows.next()?;
        }
        let mut book = Book { mark, outcomes, before: reached.clone(), after: reached, batch: Vec::new() };
        loop {
            let mut is_last = false;
            while book.batch.len() < BATCH && !is_last {
                match rows.next()? {
                    Some(row) => book.batch.push(row),
                    None => is_last = true,
                }
            }
            if !book.batch.is_empty() {
                let sound: Vec<ImportRow> = book.batch.iter().filter_map(|row| row.as_ref().ok()).cloned().collect();
                self.importer.write(&sound, &mut book).await.map_err(|halted| told(&halted))?;
                book.turn();
                progress.tell(book.after.rows, screen)?;
            }
            if is_last {
                progress.end(screen)?;
                return Ok(book.after);
            }
        }
    }
}

fn told(halted: &Halted) -> Wrong {
    Wrong(format!("{halted}\n = what was imported stays; the same command goes on from there"))
}

/// Where each row's outcome is written, and how far the import came with it.
struct Book {
    mark: String,
    outcomes: Outcomes,
    before: Reached,
    after: Reached,
    batch: Vec<Result<ImportRow, RowFault>>,
}

impl Book {
    /// The batch is committed: on to the next.
    fn turn(&mut self) {
        self.before = self.after.clone();
        self.batch.clear();
    }
}

impl Ledger for Book {
    fn keep(&mut self, became: &[Imported]) -> io::Result<Mark> {
        self.outcomes.back_to(self.before.outcomes)?;
        self.after = self.before.clone();
        let mut became = became.iter();
        for row in &self.batch {
            self.after.rows += 1;
            let outcome = match row {
                Err(fault) => report::Row::fault(fault),
                Ok(_) => match became.next() {
                    Some(Imported::Made(id)) => report::Row::Made(id.to_string()),
                    Some(Imported::Present(_)) => report::Row::Present,
                    Some(Imported::Refused(why)) => report::Row::refused(why.code(), &why.to_string()),
                    None => return Err(io::Error::other("a row without an outcome")),
                },
            };
            match outcome {
                report::Row::Made(_) | report::Row::New => self.after.made += 1,
                report::Row::Present => self.after.present += 1,
                report::Row::Refused { .. } => self.after.refused += 1,
            }
            self.outcomes.write(self.after.rows, row.as_ref().ok(), &outcome)?;
        }
        self.after.outcomes = self.outcomes.keep()?;
        Ok(Mark { name: self.mark.clone(), value: serde_json::to_vec(&self.after)? })
    }
}

/// What stands in the file twice, by 64 bits of each id and address: some twenty bytes a row.
#[derive(Default)]
struct Twice {
    hash: RandomState,
    seen: HashSet<u64>,
}

impl Twice {
    /// The row, and what of it an earlier row has.
    fn judge(&mut self, row: ImportRow) -> (ImportRow, Option<&'static str>) {
        if !self.seen.insert(self.hash.hash_one(("id", &row.sub))) {
            return (row, Some("id-twice"));
        }
        let is_new = |address: &crate::kernel::import::ImportedAddress| {
            self.seen.insert(self.hash.hash_one(("address", address.email.as_str())))
        };
        let news: Vec<bool> = row.addresses.iter().map(is_new).collect();
        let found = news.contains(&false).then_some("address-twice");
        (row, found)
    }
}
