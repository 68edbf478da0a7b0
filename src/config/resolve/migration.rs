//! `migration` of a product: how far its own passwords are given up for the one account, and when that changes by itself.

use super::Reader;
use super::values::{duration, each, text};
use crate::config::file::{At, Day, File, Migration as Written, Product};
use crate::config::finding::Code;
use crate::kernel::model::{Deadline, MigrationPhase, MigrationPlan};
use crate::kernel::values::{ProductName, Timestamp};
use chrono::NaiveDate;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);
/// When people are reminded of a deadline, unless the file says otherwise (N8).
const REMIND: [Duration; 3] = [DAY.saturating_mul(30), DAY.saturating_mul(7), DAY];

/// The word; the schema has refused every other.
fn phase(word: Option<&str>) -> MigrationPhase {
    match word {
        Some("optional") => MigrationPhase::Optional,
        Some("forced") => MigrationPhase::Forced,
        Some(_) | None => MigrationPhase::Off,
    }
}

impl Reader<'_> {
    /// The plan. What cannot be meant is an error: no day, nothing to move, nowhere to move to.
    pub(super) fn migration(&mut self, file: &File, name: &ProductName, product: &At<Product>) -> MigrationPlan {
        let Some(written) = &product.migration else { return MigrationPlan::default() };
        let now = phase(text(&written.phase));
        let plan = MigrationPlan { phase: now, deadline: self.deadline(written, now) };
        if !matches!(text(&product.passwords), Some("here" | "product")) {
            let what = format!("[product.{name}] has no passwords of its own: there is nobody to move");
            self.say.warning(Code::WNoEffect, written.span(), what, "write passwords = \"here\", or remove it");
        }
        let last = plan.deadline.as_ref().map_or(now, |deadline| deadline.then);
        if last == MigrationPhase::Forced && file.issuer.is_none() {
            let what = format!("nobody of [product.{name}] could log in: there is no account to move to");
            self.say.error(Code::Missing, written.span(), what, "write [issuer], or phase = \"off\"");
        }
        plan
    }

    fn deadline(&mut self, written: &At<Written>, now: MigrationPhase) -> Option<Deadline> {
        let remind = match &written.remind {
            None => REMIND.to_vec(),
            Some(_) => each(&written.remind).filter_map(|span| self.reminder(span)).collect(),
        };
        let Some(day) = &written.deadline else {
            let further = written.then.as_ref().map(At::span).or(written.remind.as_ref().map(At::span));
            if let Some(span) = further {
                let what = "`then` and `remind` are about a deadline, and there is none";
                self.say.warning(Code::WNoEffect, span, what, "write deadline = 2026-12-31");
            }
            return None;
        };
        let then = written.then.as_ref().map_or(MigrationPhase::Forced, |word| phase(Some(word.as_str())));
        if then <= now {
            let span = written.then.as_ref().map_or(day.span(), At::span);
            let write = "write a later phase for `then`, or remove the deadline";
            self.say.error(Code::Either, span, "the phase after the deadline holds before it already", write);
        }
        Some(Deadline { at: self.end_of(day)?, then, remind })
    }

    fn reminder(&mut self, written: &At<String>) -> Option<Duration> {
        let span = duration(written);
        if span.is_none() {
            let what = format!("{:?} is not a duration", written.as_str());
            self.say.error(Code::Duration, written.span(), what, "write whole days: \"30d\", \"7d\", \"1d\"");
        }
        span
    }

    /// The first moment after a day, UTC.
    fn end_of(&mut self, day: &At<Day>) -> Option<Timestamp> {
        let written = day.0;
        let date = written.date.filter(|_| written.time.is_none() && written.offset.is_none());
        let date = date.and_then(|date| NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into()));
        let after = date.and_then(|date| date.succ_opt()).and_then(|date| date.and_hms_opt(0, 0, 0));
        if after.is_none() {
            let what = format!("{written} is not a day");
            self.say.error(Code::Value, day.span(), what, "write deadline = 2026-12-31: the end of that day, UTC");
        }
        after.map(|after| Timestamp::from_seconds(after.and_utc().timestamp()))
    }
}
