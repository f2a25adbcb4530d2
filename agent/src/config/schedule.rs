//! Cron expressions as the settings write them: five fields, in UTC, weekdays by name; when one is due is its room's business.

use chrono::TimeDelta;

/// Reads a schedule. It is in UTC: in another zone the crate skips a time that the change to summer time leaves out, and
/// takes the hour that comes twice for two.
///
/// # Errors
/// Why it is none, in a sentence.
pub(super) fn schedule(at: &str) -> Result<cron::Schedule, String> {
    let fields: Vec<&str> = at.split_whitespace().collect();
    let &[_, _, _, _, weekday] = fields.as_slice() else {
        return Err(
            "needs five fields: minute, hour, day, month, weekday (`30 3 * * *`)".to_owned(),
        );
    };
    // The crate counts days of the week from Sunday = 1, every other cron from Sunday = 0.
    if weekday.contains(|c: char| c.is_ascii_digit()) {
        return Err("names days of the week, it does not number them: write Mon-Fri".to_owned());
    }
    let schedule: cron::Schedule = format!("0 {at}")
        .parse()
        .map_err(|e| format!("is no cron expression: {e}"))?;
    // One date of a leap year is asked for at most every eight years; years are looked at one by one.
    let from = chrono::DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    match schedule.after(&from).next() {
        Some(_) => Ok(schedule),
        None => Err("is a time that never comes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::schedule;

    #[test]
    fn a_schedule_is_five_fields_of_utc_that_come() {
        for (at, fault) in [
            ("30 3 * * *", None),
            ("*/15 0-6 * * Mon-Fri", None),
            ("0 4 29 2 *", None),
            ("30 3 * *", Some("five fields")),
            ("0 30 3 * * *", Some("five fields")),
            ("", Some("five fields")),
            // Sunday to the crate, Monday to whoever writes it.
            ("30 3 * * 1", Some("names days of the week")),
            ("30 25 * * *", Some("no cron expression")),
            ("30 3 30 2 *", Some("never comes")),
        ] {
            match (schedule(at), fault) {
                (Ok(_), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{at}: {why}"),
                (read, _) => panic!("{at}: {read:?}"),
            }
        }
    }
}
