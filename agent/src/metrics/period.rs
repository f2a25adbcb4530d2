//! Weeks and other stretches of whole days in the operator's time zone; what is measured over them is the store's.

use chrono::{Datelike, Days, NaiveDate, TimeDelta, Weekday};
use state::model::Time;

use crate::config::Zone;

/// Longest stretch that is measured, days.
const LONGEST: i64 = 3660;

/// A stretch of whole days: from the first instant of `first` up to the first instant of `end`, in its zone. A week with a
/// change to summer time in it has 167 hours, one with the change back 169.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// `2026-W47`, or `2026-11-01..2026-11-30` with both days in it.
    pub name: String,
    /// From, inclusive.
    pub since: Time,
    /// To, exclusive.
    pub until: Time,
    first: NaiveDate,
    end: NaiveDate,
    zone: Zone,
}

/// A period that can't be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPeriod {
    /// Not an ISO week.
    #[error("`{0}` is no ISO week: write it as 2026-W47")]
    Week(String),
    /// Ends before it begins, or is too long.
    #[error(
        "the period from {0} to {1} is none: the last day must not lie before the first, nor ten years after it"
    )]
    Days(NaiveDate, NaiveDate),
    /// Outside of the calendar.
    #[error("the calendar has no such time")]
    Calendar,
}

impl Stretch {
    /// An ISO week by its name, Monday to Sunday.
    ///
    /// # Errors
    /// [`BadPeriod`].
    pub fn week(name: &str, zone: Zone) -> Result<Self, BadPeriod> {
        let bad = || BadPeriod::Week(crate::text::oneline(name, 40));
        let (year, week) = name.trim().split_once("-W").ok_or_else(bad)?;
        let digits =
            |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(week, 2) {
            return Err(bad());
        }
        let (year, week) = (
            year.parse().map_err(|_| bad())?,
            week.parse().map_err(|_| bad())?,
        );
        let monday = NaiveDate::from_isoywd_opt(year, week, Weekday::Mon).ok_or_else(bad)?;
        Self::of_week(monday, zone)
    }

    /// The stretch from one day to another, both in it.
    ///
    /// # Errors
    /// [`BadPeriod`].
    pub fn days(from: NaiveDate, to: NaiveDate, zone: Zone) -> Result<Self, BadPeriod> {
        if to < from || (to - from).num_days() > LONGEST {
            return Err(BadPeriod::Days(from, to));
        }
        let end = to
            .checked_add_days(Days::new(1))
            .ok_or(BadPeriod::Calendar)?;
        Self::new(format!("{from}..{to}"), (from, end), zone)
    }

    /// The last week that was over at `now`.
    ///
    /// # Errors
    /// [`BadPeriod::Calendar`].
    pub fn last_week(now: Time, zone: Zone) -> Result<Self, BadPeriod> {
        let today = now.with_timezone(&zone.0).date_naive();
        let back = u64::from(today.weekday().num_days_from_monday()) + 7;
        let monday = today
            .checked_sub_days(Days::new(back))
            .ok_or(BadPeriod::Calendar)?;
        Self::of_week(monday, zone)
    }

    fn of_week(monday: NaiveDate, zone: Zone) -> Result<Self, BadPeriod> {
        let end = monday
            .checked_add_days(Days::new(7))
            .ok_or(BadPeriod::Calendar)?;
        Self::new(monday.format("%G-W%V").to_string(), (monday, end), zone)
    }

    fn new(
        name: String,
        (first, end): (NaiveDate, NaiveDate),
        zone: Zone,
    ) -> Result<Self, BadPeriod> {
        Ok(Self {
            name,
            since: zone.begins(first).ok_or(BadPeriod::Calendar)?,
            until: zone.begins(end).ok_or(BadPeriod::Calendar)?,
            first,
            end,
            zone,
        })
    }

    /// The stretch of as many days that ends where the `back`-th one before this begins; a week's are the weeks before it.
    #[must_use]
    pub fn before(&self, back: usize) -> Self {
        let days = (self.end - self.first).num_days();
        let shift = TimeDelta::days(days.saturating_mul(i64::try_from(back).unwrap_or(i64::MAX)));
        let (first, end) = (self.first - shift, self.end - shift);
        let name = match self.is_week() {
            true => first.format("%G-W%V").to_string(),
            false => format!("{first}..{}", end - TimeDelta::days(1)),
        };
        Self::new(name, (first, end), self.zone).unwrap_or_else(|_| self.clone())
    }

    /// Whether it is a week by the calendar.
    #[must_use]
    pub fn is_week(&self) -> bool {
        self.name.contains("-W")
    }

    /// Length in hours, summer time and all.
    #[must_use]
    pub fn hours(&self) -> i64 {
        (self.until - self.since).num_hours()
    }

    /// First and last day, both in it.
    #[must_use]
    pub fn dates(&self) -> (NaiveDate, NaiveDate) {
        (self.first, self.end - TimeDelta::days(1))
    }

    /// The zone its days are counted in.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn zone(name: &str) -> Zone {
        name.parse().unwrap()
    }

    #[test]
    fn weeks_begin_on_monday_in_their_zone() {
        for (week, at, since, until, hours) in [
            (
                "2026-W47",
                "UTC",
                "2026-11-16T00:00:00Z",
                "2026-11-23T00:00:00Z",
                168,
            ),
            (
                "2026-W47",
                "Asia/Kolkata",
                "2026-11-15T18:30:00Z",
                "2026-11-22T18:30:00Z",
                168,
            ),
            // The last week of a year reaches into the next one, and 2026 has 53 of them.
            (
                "2026-W53",
                "UTC",
                "2026-12-28T00:00:00Z",
                "2027-01-04T00:00:00Z",
                168,
            ),
            (
                "2026-W01",
                "UTC",
                "2025-12-29T00:00:00Z",
                "2026-01-05T00:00:00Z",
                168,
            ),
            // Summer time: an hour less, an hour more.
            (
                "2026-W13",
                "Europe/Berlin",
                "2026-03-22T23:00:00Z",
                "2026-03-29T22:00:00Z",
                167,
            ),
            (
                "2026-W43",
                "Europe/Berlin",
                "2026-10-18T22:00:00Z",
                "2026-10-25T23:00:00Z",
                169,
            ),
            (
                "2026-W10",
                "America/New_York",
                "2026-03-02T05:00:00Z",
                "2026-03-09T04:00:00Z",
                167,
            ),
        ] {
            let stretch = Stretch::week(week, zone(at)).unwrap();
            assert_eq!(stretch.name, week);
            assert_eq!(stretch.since, since.parse::<Time>().unwrap(), "{week} {at}");
            assert_eq!(stretch.until, until.parse::<Time>().unwrap(), "{week} {at}");
            assert_eq!(stretch.hours(), hours, "{week} {at}");
            // Stretches meet without a gap and without an overlap, summer time or not.
            let before = stretch.before(1);
            assert_eq!(before.until, stretch.since);
            assert_eq!(before, Stretch::week(&before.name, zone(at)).unwrap());
        }
    }

    #[test]
    fn a_midnight_that_does_not_come_and_one_that_comes_twice() {
        // Beirut changes to summer time at midnight: the Sunday begins at 01:00.
        let day: NaiveDate = "2026-03-29".parse().unwrap();
        let stretch = Stretch::days(day, day, zone("Asia/Beirut")).unwrap();
        assert_eq!(stretch.since.to_rfc3339(), "2026-03-28T22:00:00+00:00");
        assert_eq!(stretch.hours(), 23);
        // Havana changes back at 01:00 to midnight: it begins twice, and both hours count.
        let day: NaiveDate = "2026-11-01".parse().unwrap();
        let stretch = Stretch::days(day, day, zone("America/Havana")).unwrap();
        assert_eq!(stretch.since.to_rfc3339(), "2026-11-01T04:00:00+00:00");
        assert_eq!(stretch.hours(), 25);
        // Apia left out a whole day.
        let day: NaiveDate = "2011-12-30".parse().unwrap();
        let stretch = Stretch::days(day, day, zone("Pacific/Apia")).unwrap();
        assert_eq!(stretch.hours(), 0);
    }

    #[test]
    fn the_last_week_is_over() {
        for (now, at, week) in [
            ("2026-11-23T00:00:00Z", "UTC", "2026-W47"),
            ("2026-11-22T23:59:59Z", "UTC", "2026-W46"),
            ("2026-11-22T23:30:00Z", "Europe/Berlin", "2026-W47"),
            ("2026-11-23T04:59:00Z", "America/New_York", "2026-W46"),
        ] {
            let stretch = Stretch::last_week(now.parse().unwrap(), zone(at)).unwrap();
            assert_eq!(stretch.name, week, "{now} {at}");
        }
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for week in [
            "2026-47", "2026-W54", "2025-W53", "2026-W00", "2026-W7", "W47", "2026-W4x", "",
        ] {
            assert!(Stretch::week(week, zone("UTC")).is_err(), "{week}");
        }
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert!(Stretch::days(day("2026-02-02"), day("2026-02-01"), zone("UTC")).is_err());
        let month = Stretch::days(day("2026-02-01"), day("2026-02-28"), zone("UTC")).unwrap();
        assert_eq!(month.hours(), 28 * 24);
        assert_eq!(month.before(1).name, "2026-01-04..2026-01-31");
    }
}
