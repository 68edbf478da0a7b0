//! One language at work: what templates call to have a message said.

use super::{Fact, Languages, Text, Unsaid};
use fluent_bundle::{FluentArgs, FluentValue};
use minijinja::value::{Kwargs, Object, ValueKind, from_args};
use minijinja::{Error, ErrorKind, HtmlEscape, State, Value};
use std::fmt;
use std::sync::Arc;

/// Says messages in one language, and in English what that language lacks. In templates:
///
/// - `t("id", name=value)` says a message, `t(text)` a [`Text`]; both are escaped like any other text;
/// - `t.strong("id", "name", name=value)` is the same with that variable in `<strong>`;
/// - `t.day(second)`, `t.minute(second)`, `t.moment(second)` and `t.clock(second)` read a time, `t.bytes(count)` a size.
#[derive(Clone, Debug)]
pub struct Speaker {
    languages: Arc<Languages>,
    at: usize,
}

/// Stands for a marked-up variable while its message is put together; no text of ours or, once legible, of others has it.
const MARK: char = '\u{e000}';

impl Speaker {
    pub(super) fn new(languages: Arc<Languages>, at: usize) -> Self {
        Self { languages, at }
    }

    /// The tag for `lang`.
    pub fn tag(&self) -> &str {
        self.languages.spoken.get(self.at).map_or("en", |spoken| spoken.language.as_str())
    }

    /// The value for `dir`: `ltr` or `rtl`.
    pub fn direction(&self) -> &'static str {
        self.languages.spoken.get(self.at).map_or("ltr", |spoken| spoken.direction)
    }

    /// Says a message.
    ///
    /// # Errors
    /// [`Unsaid`], where English cannot say it either.
    pub fn say(&self, id: &str, facts: &FluentArgs<'_>) -> Result<String, Unsaid> {
        let said = |at: usize| self.languages.spoken.get(at).and_then(|spoken| spoken.say(id, Some(facts)));
        match said(self.at) {
            Some(Ok(text)) => return Ok(text),
            Some(Err(why)) if self.at != 0 => tracing::warn!(%why, language = self.tag(), "said in English instead"),
            _ => {}
        }
        said(0).unwrap_or_else(|| Err(Unsaid { id: id.to_owned(), why: "there is none".to_owned() }))
    }

    /// Says a [`Text`] with all that it speaks of.
    ///
    /// # Errors
    /// [`Unsaid`].
    pub fn text(&self, text: &Text) -> Result<String, Unsaid> {
        let mut facts = FluentArgs::new();
        for (name, fact) in &text.facts {
            let said = match fact {
                Fact::Shown(text) => text.clone(),
                Fact::Said(text) => self.text(text)?,
                Fact::Day(second) => self.day(*second)?,
                Fact::Bytes(count) => self.bytes(*count)?,
            };
            facts.set(*name, said);
        }
        self.say(text.id, &facts)
    }

    /// `22 Nov 2026`.
    ///
    /// # Errors
    /// [`Unsaid`], as of the others below.
    pub fn day(&self, second: i64) -> Result<String, Unsaid> {
        let Civil { year, month, day, .. } = Civil::of(second);
        let month = self.say(&format!("month-{month}"), &FluentArgs::new())?;
        let facts = [("day", day.to_string()), ("month", month), ("year", year.to_string())];
        self.say("date-day", &facts.into_iter().collect())
    }

    /// `01:52 UTC`.
    pub fn clock(&self, second: i64) -> Result<String, Unsaid> {
        self.say("date-clock", &[("clock", Civil::of(second).minute())].into_iter().collect())
    }

    /// `22 Nov 2026, 01:52 UTC`.
    pub fn minute(&self, second: i64) -> Result<String, Unsaid> {
        self.at_clock(second, Civil::of(second).minute())
    }

    /// `22 Nov 2026, 01:52:07 UTC`.
    pub fn moment(&self, second: i64) -> Result<String, Unsaid> {
        self.at_clock(second, Civil::of(second).clock)
    }

    fn at_clock(&self, second: i64, clock: String) -> Result<String, Unsaid> {
        self.say("date-moment", &[("day", self.day(second)?), ("clock", clock)].into_iter().collect())
    }

    /// A size in steps of 1,000: `17 bytes`, `2.1 kB`, `25.0 MB`. A limit of 1 MiB reads as 1.0 MB.
    pub fn bytes(&self, count: u64) -> Result<String, Unsaid> {
        let (id, unit) = match count {
            0..1_000 => {
                let count = FluentValue::from(u16::try_from(count).unwrap_or(u16::MAX));
                return self.say("size-bytes", &[("count", count)].into_iter().collect());
            }
            1_000..1_000_000 => ("size-kilobytes", 1_000),
            _ => ("size-megabytes", 1_000_000),
        };
        let facts = [("whole", (count / unit).to_string()), ("tenth", (count % unit * 10 / unit).to_string())];
        self.say(id, &facts.into_iter().collect())
    }

    /// Fills in what a template gave.
    fn facts(&self, given: &Kwargs) -> Result<FluentArgs<'static>, Error> {
        let mut facts = FluentArgs::new();
        for name in given.args() {
            let value: Value = given.get(name)?;
            let fact = match (value.downcast_object_ref::<Text>(), value.kind()) {
                (Some(text), _) => FluentValue::from(self.text(text).map_err(failed)?),
                (None, ValueKind::Number) => FluentValue::from(i64::try_from(value).unwrap_or(i64::MAX)),
                (None, ValueKind::String) => FluentValue::from(value.to_string()),
                (None, kind) => return Err(failed(format!("{name} is neither a text nor a number, but {kind}"))),
            };
            facts.set(name.to_owned(), fact);
        }
        Ok(facts)
    }

    fn called(&self, what: &Value, given: &Kwargs) -> Result<String, Error> {
        match (what.downcast_object_ref::<Text>(), what.as_str()) {
            (Some(text), _) => self.text(text).map_err(failed),
            (None, Some(id)) => self.say(id, &self.facts(given)?).map_err(failed),
            (None, None) => Err(failed("a message is named by its id")),
        }
    }

    /// One variable of a message in `<strong>`; everything in it is escaped.
    fn strong(&self, id: &str, name: &str, given: &Kwargs) -> Result<Value, Error> {
        let mut facts = self.facts(given)?;
        let inner: Value = given.get(name)?;
        facts.set(name.to_owned(), MARK.to_string());
        let text = self.say(id, &facts).map_err(failed)?;
        let (before, after) = text.split_once(MARK).unwrap_or((&text, ""));
        let inner = inner.to_string();
        let html = format!("{}<strong>{}</strong>{}", HtmlEscape(before), HtmlEscape(&inner), HtmlEscape(after));
        Ok(Value::from_safe_string(html))
    }
}

fn failed(why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.to_string())
}

impl Object for Speaker {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (what, given): (Value, Kwargs) = from_args(args)?;
        self.called(&what, &given).map(Value::from)
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        if method == "strong" {
            let (id, name, given): (&str, &str, Kwargs) = from_args(args)?;
            return self.strong(id, name, &given);
        }
        let said = match method {
            "day" => self.day(from_args::<(i64,)>(args)?.0),
            "minute" => self.minute(from_args::<(i64,)>(args)?.0),
            "moment" => self.moment(from_args::<(i64,)>(args)?.0),
            "clock" => self.clock(from_args::<(i64,)>(args)?.0),
            "bytes" => self.bytes(from_args::<(u64,)>(args)?.0),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        said.map(Value::from).map_err(failed)
    }
}

/// A second since 1970 on the calendar, in UTC. Years 1970 to 9999; others are clamped.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    clock: String,
}

/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;

impl Civil {
    /// The proleptic Gregorian calendar (Hinnant, "civil_from_days").
    fn of(second: i64) -> Self {
        let second = second.clamp(0, LAST);
        let days = second / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let (year, day) = (year_of_era + era * 400 + i64::from(month <= 2), of_year - (153 * shifted + 2) / 5 + 1);
        let of_day = second % 86_400;
        let clock = format!("{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
        Self { year, month, day, clock }
    }

    /// Hours and minutes.
    fn minute(&self) -> String {
        self.clock.get(..5).unwrap_or(&self.clock).to_owned()
    }
}
