//! `fedgate relink`: a change of provider. Links of an organization's people move to another of its directories, at each person's next
//! login or by a map; either can be taken back for 30 days.

use super::node::state;
use super::progress::Progress;
use super::stored::{self, Wrong};
use super::{Common, Screen, acquainted};
use crate::clock::Clock;
use crate::config::duration;
use crate::kernel::event::Actor;
use crate::kernel::journal::{Batch, Change};
use crate::kernel::values::{AccountId, EmailAddress, OrgName, Reference, RelinkId};
use crate::keys::Keys;
use crate::login::relinking::{Became, Relinker, Route, Unmoved, Whom};
use crate::store::Store;
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The longest line of a map, in bytes.
const LONGEST_LINE: usize = 4096;
/// The most lines of one map.
const LONGEST_MAP: usize = 2_000_000;

/// `fedgate relink`: links of an organization's people move to another of its directories.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  fedgate relink --org acme --from okta --to entra --dry-run\n  fedgate relink --org acme --from okta \
    --to entra --for 7d --loosen 7K3M-9QX2\n  fedgate relink --org acme --from okta --to entra --map people.csv --dry-run\n  fedgate \
    relink --undo 01KB3Z8Q4W9T5N7M2XJ6R0V1CD\n\nStatus 1: it was not confirmed, or not everybody was moved. docs/relink.md has the rest."
)]
pub struct Arguments {
    /// Whose people.
    #[arg(long, value_name = "ORG")]
    pub org: Option<String>,
    /// The directory with the links: its name in the configuration, or its id. Where both have one name, the connection that had it
    /// before.
    #[arg(long, value_name = "DIR", requires = "org")]
    pub from: Option<String>,
    /// The directory that takes them over.
    #[arg(long, value_name = "DIR", requires = "from")]
    pub to: Option<String>,
    /// Move them now, as this file says: CSV with the columns `account` or `email` or `old`, and `new`. Without it a window is opened, in
    /// which a person's next login moves theirs.
    #[arg(long, value_name = "CSV", requires = "to")]
    pub map: Option<PathBuf>,
    /// How long the window stands open, at most 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "7d", conflicts_with = "map")]
    pub length: String,
    /// One person alone, by address: also where the same provider made the person anew.
    #[arg(long, value_name = "EMAIL")]
    pub only: Option<String>,
    /// Say whom it concerns and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Confirms what a window gives away: the code that was printed.
    #[arg(long, value_name = "CODE")]
    pub loosen: Option<String>,
    /// List the changes of provider that can still be taken back.
    #[arg(long, conflicts_with_all = ["to", "close", "undo"])]
    pub list: bool,
    /// End a window now.
    #[arg(long, value_name = "ID", conflicts_with_all = ["org", "undo"])]
    pub close: Option<String>,
    /// Take a change back, of one person with --only: the old links stand again.
    #[arg(long, value_name = "ID", conflicts_with = "org")]
    pub undo: Option<String>,
}

/// Does it.
///
/// # Errors
/// Only when the screen cannot be written to.
pub fn run(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> io::Result<ExitCode> {
    let done = relink(arguments, common, screen);
    stored::finish(done, common, screen)
}

fn relink(arguments: &Arguments, common: &Common, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let store = stored::store(&config)?;
    let now = Clock::system().now();
    stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, None, now).await?;
        let keys = Keys::open(&state::kek(&config.key)?, &store.keys().await?)?;
        let uid = rustix::process::getuid().as_raw();
        let actor = Actor { kind: "operator".to_owned(), id: Some(format!("uid {uid}")), address: None };
        let relinker = Relinker::new((&*store, &keys), &catalog, actor, now);
        let work = Work { arguments, relinker: &relinker, store: &*store, json: common.json };
        let org = arguments.org.as_deref().map(OrgName::parse).transpose().map_err(|why| Wrong(why.to_string()))?;
        match (&arguments.close, &arguments.undo, &org, &arguments.to) {
            (Some(id), ..) => work.close(id, screen).await,
            (_, Some(id), ..) => work.undo(id, screen).await,
            (_, _, Some(org), Some(to)) => work.make(org, to, screen).await,
            _ if arguments.list => work.list(org.as_ref(), screen).await,
            _ => Err(Wrong("say what: --org O --from DIR --to DIR, --list, --close ID or --undo ID".to_owned())),
        }
    })
}

struct Work<'a> {
    arguments: &'a Arguments,
    relinker: &'a Relinker<'a>,
    store: &'a dyn Store,
    json: bool,
}

impl Work<'_> {
    async fn make(&self, org: &OrgName, to: &str, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let from = self.arguments.from.as_deref().unwrap_or_default();
        let only = self.only()?;
        let route = self.relinker.route(org, (from, to), only.as_ref()).await?;
        match &self.arguments.map {
            Some(map) => self.follow(&route, map, screen).await,
            None => self.open(&route, screen).await,
        }
    }

    fn only(&self) -> Result<Option<EmailAddress>, Wrong> {
        let parse = |text: &str| EmailAddress::parse(text).map_err(|why| Wrong(format!("{text:?}: {why}")));
        self.arguments.only.as_deref().map(parse).transpose()
    }

    /// A window hands accounts to whoever the new provider says has their address: whoever opens it reads that first.
    async fn open(&self, route: &Route, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let length = &self.arguments.length;
        let length = duration(length).ok_or_else(|| Wrong(format!("{length:?} is not a duration: write 7d")))?;
        let people = self.relinker.concerned(route).await?;
        let (from, to) = (self.relinker.name_of(route.from), route.to.name.to_string());
        let code = code(route, &self.arguments.length);
        let confirmed = self.arguments.loosen.as_deref() == Some(code.as_str());
        if self.arguments.dry_run || !confirmed {
            if self.json {
                let said =
                    json!({ "from": from, "to": to, "people": people, "for": self.arguments.length, "confirm": code });
                writeln!(screen.out, "{said}")?;
            } else {
                writeln!(screen.out, "From {from} to {to}, for {}: {people} people", self.arguments.length)?;
                writeln!(
                    screen.out,
                    "  Within it, whoever {to} says has the address of one of them gets the account, once. An address that was \
                     given to somebody else since hands the account to them. Each is written to, and it can be taken back for 30 \
                     days.\n  If that is meant, repeat it with --loosen {code}"
                )?;
            }
            return Ok(if self.arguments.dry_run { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let opened = self.relinker.open(route, length).await?;
        if self.json {
            let said = json!({ "id": opened.id.to_string(), "until": opened.until.to_string(), "people": people });
            writeln!(screen.out, "{said}")?;
        } else {
            writeln!(screen.out, "{}  {from} -> {to}, open until {}: {people} people", opened.id, opened.until)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn follow(&self, route: &Route, map: &Path, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let (lines, hash) = read(map)?;
        let subjects = match lines.iter().any(|line| matches!(line.whom, Named::Old(_))) {
            true => self.subjects(route).await?,
            false => HashMap::new(),
        };
        // One that was stopped goes on under its own id, so that all of it can be taken back by one.
        let mark = format!("relink.{}.{}.{hash}", route.from, route.to.id);
        let begun = self.store.setting(&mark).await?.and_then(|id| RelinkId::parse(&String::from_utf8(id).ok()?).ok());
        let relinking = match (self.arguments.dry_run, begun) {
            (true, _) => None,
            (false, Some(id)) => self.store.relinking(id).await?,
            (false, None) => None,
        };
        let relinking = match (self.arguments.dry_run, relinking) {
            (false, None) => {
                let begun = self.relinker.begin_map(route).await?;
                let value = begun.id.to_string().into_bytes();
                let batch = Batch { changes: vec![Change::PutSetting { name: mark, value }], ..Batch::default() };
                self.store.commit(batch).await.map_err(|why| Wrong(why.to_string()))?;
                Some(begun)
            }
            (_, relinking) => relinking,
        };
        let total = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let mut progress = Progress::new("people", total, 0);
        let mut counts = Counts::default();
        for (done, line) in lines.iter().enumerate() {
            let whom = match &line.whom {
                Named::Whom(whom) => Some(whom.clone()),
                Named::Old(subject) => subjects.get(subject).copied().map(Whom::Account),
            };
            let became = match &whom {
                Some(whom) => self.relinker.follow((route, relinking.as_ref()), (whom, &line.new)).await?,
                None => Became::Stays(Unmoved::NoLink),
            };
            counts.count(&became);
            if let Some(said) = self.said(line, &became) {
                writeln!(screen.out, "{said}")?;
            }
            progress.tell(u64::try_from(done + 1).unwrap_or(u64::MAX), screen)?;
        }
        progress.end(screen)?;
        let id = relinking.as_ref().map(|relinking| relinking.id.to_string());
        let Counts { moved, present, stays } = counts;
        if self.json {
            writeln!(screen.out, "{}", json!({ "id": id, "moved": moved, "present": present, "stays": stays }))?;
        } else {
            let would = if id.is_some() { "moved" } else { "would be moved" };
            writeln!(screen.out, "{moved} {would}, {present} there already, {stays} not")?;
            if let Some(id) = id {
                writeln!(screen.out, "To take it back within 30 days: fedgate relink --undo {id}")?;
            }
        }
        Ok(if stays == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// A person is named by line alone where the link moves as it should, unless it is only asked.
    fn said(&self, line: &Line, became: &Became) -> Option<String> {
        let what = match became {
            Became::Moved(account) if self.arguments.dry_run => format!("would be moved: {account}"),
            Became::Moved(_) | Became::Present(_) => return None,
            Became::Stays(why) => format!("stays: {why}"),
        };
        Some(match self.json {
            true => json!({ "line": line.number, "became": what }).to_string(),
            false => format!("line {}: {what}", line.number),
        })
    }

    /// Whose the old subjects are.
    async fn subjects(&self, route: &Route) -> Result<HashMap<String, AccountId>, Wrong> {
        let (mut found, mut after) = (HashMap::new(), None);
        loop {
            let page = self.store.identities_at(route.from, after, 500).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.account);
            for link in page {
                if found.insert(link.key.subject.clone(), link.account).is_some() {
                    return Err(Wrong(format!(
                        "the old subject {:?} is there twice, in two name spaces: name people by account or email",
                        link.key.subject
                    )));
                }
            }
        }
    }

    async fn list(&self, org: Option<&OrgName>, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let listed = self.relinker.list(org).await?;
        let mut rows = Vec::new();
        for (one, moved) in &listed {
            let (from, to) = (self.relinker.name_of(one.from), self.relinker.name_of(one.to));
            rows.push(json!({
                "id": one.id.to_string(), "org": one.org.to_string(), "from": from, "to": to,
                "opened": one.opened_at.to_string(), "until": one.until.to_string(), "by": one.by, "moved": moved,
                "only": one.only.map(|only| only.to_string()),
            }));
        }
        if self.json {
            writeln!(screen.out, "{}", json!({ "relinkings": rows }))?;
            return Ok(ExitCode::SUCCESS);
        }
        for row in &rows {
            let text = |name: &str| match row.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "everybody".to_owned(),
                Some(other) => other.to_string(),
            };
            writeln!(
                screen.out,
                "{}  {}  {} -> {}  until {}  {}  {} moved  by {}",
                text("id"),
                text("org"),
                text("from"),
                text("to"),
                text("until"),
                text("only"),
                text("moved"),
                text("by")
            )?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn close(&self, id: &str, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let closed = self.relinker.close(parsed(id)?).await?;
        match self.json {
            true => writeln!(screen.out, "{}", json!({ "closed": closed.id.to_string() }))?,
            false => writeln!(screen.out, "{} is closed; what it moved stays moved", closed.id)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn undo(&self, id: &str, screen: &mut Screen<'_>) -> Result<ExitCode, Wrong> {
        let only = self.only()?;
        let mut told = Vec::new();
        self.relinker.undo(parsed(id)?, only.as_ref(), |account, done| told.push((account, done))).await?;
        let stays = told.iter().filter(|(_, done)| done.is_err()).count();
        let lines: Vec<Value> = told
            .iter()
            .map(|(account, done)| json!({ "account": account.to_string(), "undone": done.is_ok(), "why": done.err() }))
            .collect();
        if self.json {
            writeln!(screen.out, "{}", json!({ "people": lines }))?;
        } else {
            for (account, why) in told.iter().filter_map(|(account, done)| Some((account, done.err()?))) {
                writeln!(screen.out, "{account} stays: {why}")?;
            }
            writeln!(screen.out, "{} taken back, {stays} not", told.len().saturating_sub(stays))?;
        }
        Ok(if stays == 0 && !told.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(Default)]
struct Counts {
    moved: u64,
    present: u64,
    stays: u64,
}

impl Counts {
    const fn count(&mut self, became: &Became) {
        match became {
            Became::Moved(_) => self.moved += 1,
            Became::Present(_) => self.present += 1,
            Became::Stays(_) => self.stays += 1,
        }
    }
}

fn parsed(id: &str) -> Result<RelinkId, Wrong> {
    RelinkId::parse(id)
        .map_err(|_| Wrong(format!("{id:?} is not the id of a change of provider: see fedgate relink --list")))
}

/// What must be repeated to open a window: of other people, or for another time, it is another code.
fn code(route: &Route, length: &str) -> String {
    let only = route.only.as_ref().map(|only| only.id.to_string()).unwrap_or_default();
    let said = format!("{}\n{}\n{}\n{only}\n{length}", route.org, route.from, route.to.id);
    let hash = digest(&SHA256, said.as_bytes());
    let mut short = [0; 5];
    short.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    Reference::new(short).to_string()
}

/// One line of a map.
#[derive(Debug, Eq, PartialEq)]
struct Line {
    number: u64,
    whom: Named,
    new: String,
}

#[derive(Debug, Eq, PartialEq)]
enum Named {
    Whom(Whom),
    /// By the subject in the old directory.
    Old(String),
}

/// Reads a map whole, so that nothing is moved by one that is not sound; and its SHA-256.
fn read(path: &Path) -> Result<(Vec<Line>, String), Wrong> {
    let unreadable = |why: &dyn std::fmt::Display| Wrong(format!("{} cannot be read: {why}", path.display()));
    let file = File::open(path).map_err(|why| unreadable(&why))?;
    let length = usize::try_from(file.metadata().map_err(|why| unreadable(&why))?.len()).unwrap_or(usize::MAX);
    if length > LONGEST_MAP * 128 {
        return Err(Wrong(format!("{} is longer than a map may be: split it", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|why| unreadable(&why))?;
    let hash = digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((lines(&bytes).map_err(|why| Wrong(format!("{}: {why}", path.display())))?, hash))
}

fn lines(bytes: &[u8]) -> Result<Vec<Line>, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|why| why.to_string())?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let new = column("new").ok_or("there is no column `new`")?;
    let by = ["account", "email", "old"].into_iter().filter_map(|name| Some((name, column(name)?)));
    let by: Vec<(&str, usize)> = by.collect();
    let (name, whom) = match by.as_slice() {
        [one] => *one,
        _ => return Err("exactly one of the columns `account`, `email` and `old` says who is meant".to_owned()),
    };
    let (mut lines, mut seen) = (Vec::new(), HashMap::new());
    for record in reader.records() {
        let record = record.map_err(|why| why.to_string())?;
        let number = record.position().map_or(0, csv::Position::line);
        let fault = |why: &str| format!("line {number}: {why}");
        if record.as_slice().len() > LONGEST_LINE {
            return Err(fault("longer than 4096 bytes"));
        }
        let field =
            |at: usize| record.get(at).filter(|field| !field.is_empty() && !field.chars().any(char::is_control));
        let (Some(whom), Some(new)) = (field(whom), field(new)) else {
            return Err(fault("a field is empty or has control characters"));
        };
        if new.len() > 255 {
            return Err(fault("a subject has at most 255 bytes"));
        }
        for one in [format!("whom {whom}"), format!("new {new}")] {
            if let Some(other) = seen.insert(one, number) {
                return Err(fault(&format!("says again what line {other} says")));
            }
        }
        let whom = match name {
            "account" => Named::Whom(Whom::Account(AccountId::parse(whom).map_err(|_| fault("not an account id"))?)),
            "email" => Named::Whom(Whom::Email(EmailAddress::parse(whom).map_err(|_| fault("not an address"))?)),
            _ => Named::Old(whom.to_owned()),
        };
        if lines.len() == LONGEST_MAP {
            return Err("more than 2,000,000 lines: split it".to_owned());
        }
        lines.push(Line { number, whom, new: new.to_owned() });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_whole_or_refused_with_its_line() {
        let read = lines(b"email, new\nann@acme.com, 00u1\nbob@acme.com, 00u2\n").unwrap();
        let ann = Whom::Email(EmailAddress::parse("ann@acme.com").unwrap());
        assert_eq!(read[0], Line { number: 2, whom: Named::Whom(ann), new: "00u1".to_owned() });
        assert_eq!(lines(b"old,new\nu-1,00u1\n").unwrap()[0].whom, Named::Old("u-1".to_owned()));
        for (map, why) in [
            ("email\nann@acme.com\n", "there is no column `new`"),
            ("new\nx\n", "exactly one of"),
            ("email,old,new\na@b.c,x,y\n", "exactly one of"),
            ("email,new\nann@acme.com,\n", "line 2: a field is empty"),
            ("email,new\nann@acme.com,x\nbob@acme.com,x\n", "line 3: says again what line 2 says"),
            ("email,new\nann@acme.com,x\nann@acme.com,y\n", "line 3: says again"),
            ("email,new\nann,x\n", "line 2: not an address"),
            ("account,new\n01,x\n", "line 2: not an account id"),
            ("email,new\nann@acme.com,\"a\u{7}b\"\n", "line 2: a field is empty or has control"),
            ("email,new\nann@acme.com,x,y\n", "line: 2"),
        ] {
            let said = lines(map.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{map:?}: {said}");
        }
    }
}
