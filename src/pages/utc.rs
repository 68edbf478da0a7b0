//! A moment, as programs read it; how people do is their language's (`language::Speaker`).

use crate::kernel::values::Timestamp;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds. Years 1970 to 9999; others are shown clamped.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Utc(pub i64);

impl From<Timestamp> for Utc {
    fn from(at: Timestamp) -> Self {
        Self(at.seconds())
    }
}

/// The last second of the year 9999.
const LAST: i64 = 253_402_300_799;

impl Utc {
    /// `2026-11-22T01:52:07Z` (RFC 3339).
    pub fn machine(self) -> String {
        let (year, month, day) = self.date();
        format!("{year:04}-{month:02}-{day:02}T{}Z", self.clock())
    }

    fn clock(self) -> String {
        let second = self.0.clamp(0, LAST) % 86_400;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// Year, month and day of the proleptic Gregorian calendar (Hinnant, "civil_from_days").
    fn date(self) -> (i64, i64, i64) {
        let days = self.0.clamp(0, LAST) / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_in_one_form() {
        for (seconds, machine) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_312_327, "2026-11-22T01:52:07Z"),
            (i64::MIN, "1970-01-01T00:00:00Z"),
            (i64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc(seconds).machine(), machine);
        }
    }
}
