//! `fedgate explain EMAIL`: what a login would come to, rule by rule, and one line that a support desk can read aloud.

use super::acquainted::{self, Asked};
use super::arguments::Explain;
use super::stored::{self, Wrong};
use super::{Common, Screen};
use crate::clock::Clock;
use crate::config::Config;
use crate::kernel::foresee::{Foreseen, Foresight, Verdict};
use crate::kernel::identify::Show;
use crate::kernel::model::{AccountStatus, Catalog, Method, Product, ProductAccountState, Sso};
use crate::kernel::standing::{Demand, Management, management};
use crate::kernel::values::{DirectoryId, EmailAddress, ProductName, Timestamp};
use crate::site::refusal_title;
use chrono::DateTime;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::process::ExitCode;

/// Explains a login.
pub(super) fn run(
    arguments: &Explain,
    email: &str,
    common: &Common,
    screen: &mut Screen<'_>,
) -> Result<ExitCode, Wrong> {
    let config = stored::configuration(common)?;
    let product = product(&config, arguments.product.as_deref())?;
    let now = Clock::system().now();
    let at = arguments.at.as_deref().map(time).transpose()?;
    let store = stored::store(&config)?;
    let (catalog, asked) = stored::on_store(&store, async {
        let catalog = acquainted::catalog(&*store, &config.key, &config, at, now).await?;
        let found = catalog.products.get(&product).ok_or_else(|| no_product(&product))?;
        let asked = Asked::load(&*store, email, found).await?;
        Ok((catalog, asked))
    })?;
    let found = catalog.products.get(&product).ok_or_else(|| no_product(&product))?;
    let told = Told { catalog: &catalog, product: found, asked: &asked, at: at.unwrap_or(now) };
    let foresight = asked.foresee(&catalog, found, told.at);
    if common.json {
        writeln!(screen.out, "{}", told.json(&foresight))?;
    } else {
        told.write(&foresight, screen.out)?;
    }
    let enters = foresight.ways.iter().any(|way| way.verdict.is_in());
    Ok(if enters { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn product(config: &Config, named: Option<&str>) -> Result<ProductName, Wrong> {
    match (named, config.catalog.products.as_slice()) {
        (Some(name), _) => {
            ProductName::parse(name).map_err(|why| Wrong(format!("{name:?} is not the name of a product: {why}")))
        }
        (None, [only]) => Ok(only.name.clone()),
        (None, products) => {
            let names: Vec<&str> = products.iter().map(|product| product.name.as_str()).collect();
            Err(Wrong(format!("say which product: --product {}", names.join(", --product "))))
        }
    }
}

fn no_product(name: &ProductName) -> Wrong {
    Wrong(format!("there is no [product.{name}] in the configuration"))
}

/// A time as people write it: RFC 3339.
pub(super) fn time(text: &str) -> Result<Timestamp, Wrong> {
    let parsed = DateTime::parse_from_rfc3339(text);
    parsed
        .map(|time| Timestamp::from_millis(time.timestamp_millis()))
        .map_err(|_| Wrong(format!("{text:?} is not a time: write it like 2026-11-30T14:02:00Z")))
}

/// What is told about.
struct Told<'a> {
    catalog: &'a Catalog,
    product: &'a Product,
    asked: &'a Asked,
    at: Timestamp,
}

impl Told<'_> {
    fn held(&self) -> Option<Management<'_>> {
        management(self.catalog, &EmailAddress::parse(&self.asked.typed).ok()?)
    }

    fn label(&self, directory: DirectoryId) -> String {
        self.catalog.directories.get(&directory).map_or_else(|| directory.to_string(), |one| one.label.clone())
    }

    fn name(&self, directory: DirectoryId) -> String {
        self.catalog.directories.get(&directory).map_or_else(|| directory.to_string(), |one| one.name.to_string())
    }

    fn write(&self, foresight: &Foresight, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} at {}, {}", self.asked.typed, self.product.name, self.at)?;
        for line in [self.domain(), self.policy()].into_iter().flatten() {
            writeln!(out, "  {line}")?;
        }
        for person in &self.asked.people {
            let links: Vec<String> = person.identities.iter().map(|link| self.name(link.key.directory)).collect();
            let links =
                if links.is_empty() { "linked nowhere".to_owned() } else { format!("linked in {}", links.join(", ")) };
            let record = person.product_account.as_ref().map_or("none", |record| state(record.state));
            writeln!(
                out,
                "  account   {}: {}, {links}, record here: {record}",
                person.account.id,
                status(person.account.status)
            )?;
        }
        if self.asked.people.is_empty() {
            writeln!(out, "  account   nobody is known by this address")?;
        }
        if let Some(asked) = &self.product.step_up {
            let (paths, minutes) = (asked.paths.join(", "), asked.within.as_secs() / 60);
            writeln!(
                out,
                "  step up   {paths}: a proof of the last {minutes} min (second step, passkey, or a fresh login at the provider)"
            )?;
        }
        writeln!(out, "  page      {}: {}", foresight.identified.row, self.page(&foresight.identified.show))?;
        for way in &foresight.ways {
            writeln!(out, "  {:<9} {}", self.way(way), self.verdict(way))?;
            for rule in &way.trace {
                writeln!(out, "              {rule}")?;
            }
        }
        writeln!(out, "\n{}", self.aloud(foresight))
    }

    fn domain(&self) -> Option<String> {
        let email = EmailAddress::parse(&self.asked.typed).ok()?;
        let domain = email.domain();
        Some(match self.held() {
            None => format!("domain    {domain}: no organization holds it"),
            Some(held) => {
                let suspended = if held.claim.suspended { ", suspended" } else { "" };
                format!("domain    {domain}: held by {} since {}{suspended}", held.org.name, held.claim.claimed_at)
            }
        })
    }

    fn policy(&self) -> Option<String> {
        let held = self.held()?;
        let stamp = held.stamp();
        Some(format!("policy    {} #{}: single sign-on {}", stamp.id, stamp.epoch, sso(held.policy().sso)))
    }

    fn page(&self, show: &Show) -> String {
        let ways = |ways: &crate::kernel::identify::Ways| {
            let named: Vec<String> = ways.first.iter().chain(&ways.others).map(|one| self.label(*one)).collect();
            named.join(", ")
        };
        match show {
            Show::Invalid => "not an address; the form again".to_owned(),
            Show::OrgSso(directory) => format!("straight to {}", self.label(*directory)),
            Show::SsoUnavailable => "single sign-on is required, and its provider is not set up".to_owned(),
            Show::Password(others) => format!("a password; or {}", ways(others)),
            Show::Ways(others) => format!("a choice of {}", ways(others)),
            Show::UseWorkAddress => "\"Use your work address\"".to_owned(),
        }
    }

    fn way(&self, way: &Foreseen) -> String {
        let known = if way.has_it { "" } else { " (not known to have it)" };
        format!("{} by {}{known}:", way.method.code(), self.name(way.directory))
    }

    fn verdict(&self, way: &Foreseen) -> String {
        match way.verdict {
            Verdict::Enters => "gets in".to_owned(),
            Verdict::Links => "is linked to the account, and gets in".to_owned(),
            Verdict::Creates => "gets a new account, and gets in".to_owned(),
            Verdict::GoesTo(directory) => format!("is sent to {}", self.label(directory)),
            Verdict::Needs(need) => format!("must do one thing more: {}", need.refusal().code()),
            Verdict::Refused(refusal) => format!("is turned away: {}", refusal.code()),
        }
    }

    /// The one line that a support desk can read aloud.
    fn aloud(&self, foresight: &Foresight) -> String {
        let (typed, product) = (&self.asked.typed, &self.product.label);
        match (&foresight.identified.show, foresight.demand) {
            (Show::Invalid, _) => format!("{typed:?} is not an e-mail address."),
            (_, Some(Demand::Unusable)) => {
                format!(
                    "The organization requires its own login, which is not set up: nobody with this address gets into {product}."
                )
            }
            (_, Some(Demand::Enforced(directory))) => self.aloud_enforced(foresight, directory),
            _ => self.aloud_open(foresight),
        }
    }

    fn aloud_enforced(&self, foresight: &Foresight, directory: DirectoryId) -> String {
        let (typed, product, label) = (&self.asked.typed, &self.product.label, self.label(directory));
        match foresight.ways.iter().find(|way| way.directory == directory) {
            Some(way) if way.verdict.is_in() && way.has_it => {
                format!("{typed} logs in through {label} and gets into {product}.")
            }
            Some(way) if way.verdict.is_in() => {
                format!(
                    "{typed} logs in through {label} and gets into {product}, if {label} knows this address: nobody has come from there with it yet."
                )
            }
            Some(way) => {
                format!("{typed} must log in through {label}, and is turned away then: {}.", self.because(way))
            }
            None => format!("{typed} must log in through {label}, which is not set up."),
        }
    }

    fn aloud_open(&self, foresight: &Foresight) -> String {
        let (typed, product) = (&self.asked.typed, &self.product.label);
        let open: Vec<&Foreseen> = foresight.ways.iter().filter(|way| way.verdict.is_in()).collect();
        let named = |way: &&Foreseen| match way.method {
            Method::Password | Method::Adapter => format!("their {product} password"),
            _ => self.label(way.directory),
        };
        let has: Vec<String> = open.iter().filter(|way| way.has_it).map(named).collect();
        let could: Vec<String> = open.iter().map(named).collect();
        match (has.is_empty(), could.is_empty(), foresight.ways.first()) {
            (false, ..) => format!("{typed} gets into {product} by {}.", has.join(" or ")),
            (true, false, _) => {
                format!("{typed} is not known to us yet, and would get into {product} by {}.", could.join(" or "))
            }
            (true, true, Some(way)) => format!("{typed} does not get into {product}: {}.", self.because(way)),
            (true, true, None) => format!("{typed} has no way into {product}: nothing is set up for this address."),
        }
    }

    fn because(&self, way: &Foreseen) -> String {
        match way.verdict {
            Verdict::Refused(refusal) => refusal_title(refusal),
            Verdict::GoesTo(directory) => format!("{} is required", self.label(directory)),
            Verdict::Enters | Verdict::Links | Verdict::Creates | Verdict::Needs(_) => {
                "nothing is in the way".to_owned()
            }
        }
    }

    fn json(&self, foresight: &Foresight) -> Value {
        let held = self.held();
        let people: Vec<Value> = self
            .asked
            .people
            .iter()
            .map(|person| {
                let links: Vec<String> = person.identities.iter().map(|link| self.name(link.key.directory)).collect();
                json!({
                    "id": person.account.id.to_string(), "status": status(person.account.status),
                    "email_verified": person.account.email_verified, "links": links,
                    "record": person.product_account.as_ref().map(|record| state(record.state)),
                })
            })
            .collect();
        let ways: Vec<Value> = foresight
            .ways
            .iter()
            .map(|way| {
                json!({
                    "directory": self.name(way.directory), "method": way.method.code(), "known_to_have_it": way.has_it,
                    "gets_in": way.verdict.is_in(), "verdict": self.verdict(way), "trace": way.trace,
                })
            })
            .collect();
        json!({
            "email": self.asked.typed, "product": self.product.name.as_str(), "at": self.at.to_string(),
            "organization": held.map(|held| held.org.name.as_str()),
            "policy": held.map(|held| json!({
                "id": held.stamp().id, "epoch": held.stamp().epoch, "sso": sso(held.policy().sso),
            })),
            "step_up": self.product.step_up.as_ref().map(|asked| json!({
                "paths": asked.paths, "within_seconds": asked.within.as_secs(),
            })),
            "page": { "row": foresight.identified.row, "shows": self.page(&foresight.identified.show) },
            "people": people, "ways": ways, "aloud": self.aloud(foresight),
        })
    }
}

fn sso(sso: Sso) -> &'static str {
    match sso {
        Sso::Off => "off",
        Sso::Offered => "offered",
        Sso::Enforced => "enforced",
    }
}

fn status(status: AccountStatus) -> &'static str {
    match status {
        AccountStatus::Active => "active",
        AccountStatus::Deactivated => "deactivated",
        AccountStatus::PendingDelete(_) => "to be deleted",
        AccountStatus::Quarantined => "put aside",
        AccountStatus::Deleted => "deleted",
    }
}

fn state(state: ProductAccountState) -> &'static str {
    match state {
        ProductAccountState::Local => "local",
        ProductAccountState::Migrating => "migrating",
        ProductAccountState::Linked => "linked",
        ProductAccountState::Merged(_) => "merged",
        ProductAccountState::Closed => "closed",
    }
}
