//! What an import says: its counts for people, and a line for each row.

use super::super::Screen;
use super::super::events::clean;
use crate::kernel::import::{ImportRow, RowFault};
use crate::login::import::Standing;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// What became, or would become, of a row.
#[derive(Clone, Debug)]
pub enum Row {
    /// It would be imported.
    New,
    /// It was, as this record.
    Made(String),
    /// Its id is there.
    Present,
    /// It was not.
    Refused {
        /// A stable name.
        code: &'static str,
        /// For people.
        why: String,
    },
}

impl Row {
    pub fn refused(code: &'static str, why: &str) -> Self {
        Self::Refused { code, why: why.to_owned() }
    }

    pub fn fault(fault: &RowFault) -> Self {
        Self::refused(fault.code(), &fault.to_string())
    }
}

/// What a file holds.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub rows: u64,
    /// Rows that can be imported.
    pub new: u64,
    /// Rows whose id is there.
    pub present: u64,
    /// Rows that cannot be, by why.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Of the new ones: with no proved address.
    pub unverified: u64,
    /// With more than one address.
    pub several_addresses: u64,
    /// With a hash.
    pub with_password: u64,
    /// Switched off at the product.
    pub off: u64,
    /// Known by an identity elsewhere.
    pub with_links: u64,
    /// Managed by each organization.
    pub organizations: BTreeMap<String, u64>,
    /// With proved addresses of two organizations: nobody enters by password before it is settled which one manages them (rule C3).
    pub two_organizations: u64,
    /// At each sub-domain that nobody holds of a domain that somebody holds.
    pub uncovered: BTreeMap<String, u64>,
}

impl Report {
    /// Counts a row.
    pub fn count(&mut self, row: Option<&ImportRow>, became: &Row, standing: Option<Standing>) {
        self.rows += 1;
        match became {
            Row::New | Row::Made(_) => self.new += 1,
            Row::Present => self.present += 1,
            Row::Refused { code, .. } => *self.refusals.entry(code).or_default() += 1,
        }
        let (Some(row), Some(standing), Row::New | Row::Made(_)) = (row, standing, became) else { return };
        self.unverified += u64::from(row.is_unverified());
        self.several_addresses += u64::from(row.addresses.len() > 1);
        self.with_password += u64::from(row.hash.is_some());
        self.off += u64::from(row.off);
        self.with_links += u64::from(!row.links.is_empty());
        self.two_organizations += u64::from(standing.orgs.len() > 1);
        for org in standing.orgs {
            *self.organizations.entry(org.to_string()).or_default() += 1;
        }
        for domain in standing.uncovered {
            *self.uncovered.entry(domain).or_default() += 1;
        }
    }

    /// Rows that cannot be imported.
    pub fn refused(&self) -> u64 {
        self.refusals.values().sum()
    }

    /// Tells it.
    ///
    /// # Errors
    /// The screen cannot be written to.
    pub fn tell(&self, json: bool, how: &str, screen: &mut Screen<'_>) -> io::Result<()> {
        if json {
            return writeln!(screen.out, "{}", json!(self));
        }
        let out = &mut *screen.out;
        writeln!(
            out,
            "{} rows: {} {how}, {} there already, {} refused",
            self.rows,
            self.new,
            self.present,
            self.refused()
        )?;
        for (code, count) in &self.refusals {
            writeln!(out, "  refused, {code}: {count}")?;
        }
        let facts = [
            ("with a password's hash", self.with_password),
            ("with several addresses", self.several_addresses),
            ("known at another provider", self.with_links),
            ("switched off", self.off),
            ("without a proved address", self.unverified),
            ("with addresses of two organizations", self.two_organizations),
        ];
        for (what, count) in facts.iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "  {what}: {count}")?;
        }
        for (org, count) in &self.organizations {
            writeln!(out, "  managed by {org}: {count}")?;
        }
        for (domain, count) in &self.uncovered {
            writeln!(out, "W-SUBDOMAIN {domain}: {count} people, and no organization holds it.")?;
        }
        Ok(())
    }
}

/// The file with a line for each row. It names people: only its owner may read it.
pub struct Outcomes(BufWriter<File>);

impl Outcomes {
    /// Opens it, cut to what an earlier run stands for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path, keep: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        if file.metadata()?.len() < keep {
            return Err(io::Error::other(
                "the file of outcomes is not the one that the earlier run wrote: name that one with --outcomes",
            ));
        }
        file.set_permissions(Permissions::from_mode(0o600))?;
        let mut outcomes = Self(BufWriter::new(file));
        outcomes.back_to(keep)?;
        Ok(outcomes)
    }

    /// Takes back what stands after this many bytes.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn back_to(&mut self, length: u64) -> io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().set_len(length)?;
        self.0.seek(SeekFrom::Start(length)).map(drop)
    }

    /// A row's line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, number: u64, row: Option<&ImportRow>, became: &Row) -> io::Result<()> {
        let id = row.map(|row| clean(&row.sub));
        let line = match became {
            Row::New => json!({ "row": number, "id": id, "outcome": "new" }),
            Row::Made(record) => json!({ "row": number, "id": id, "outcome": "made", "product_account": record }),
            Row::Present => json!({ "row": number, "id": id, "outcome": "present" }),
            Row::Refused { code, why } => {
                json!({ "row": number, "id": id, "outcome": "refused", "code": code, "why": clean(why) })
            }
        };
        writeln!(self.0, "{line}")
    }

    /// Makes what was written durable. Returns how long the file is.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&mut self) -> io::Result<u64> {
        self.0.flush()?;
        self.0.get_ref().sync_data()?;
        self.0.stream_position()
    }
}
