//! Calendar months (UTC), as money is counted by them.

use std::fmt;

use time::{Date, Month as Name, OffsetDateTime};

use crate::clock::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// A calendar month (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    /// 1 to 12.
    number: u8,
}

impl Month {
    /// The month a moment is in.
    pub fn of(at: Timestamp) -> Self {
        let day =
            OffsetDateTime::from_unix_timestamp(at.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self {
            year: day.year(),
            number: u8::from(day.month()),
        }
    }

    /// Reads `2026-11`, of the years 1970 to 9998; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, number) = text.split_once('-')?;
        let digits = |part: &str, many| part.len() == many && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(number, 2) {
            return None;
        }
        let month = Self {
            year: year.parse().ok()?,
            number: number.parse().ok()?,
        };
        let fits = (1970..=9998).contains(&month.year) && (1..=12).contains(&month.number);
        fits.then_some(month)
    }

    /// Its first moment.
    pub fn begins(self) -> Timestamp {
        let name = Name::try_from(self.number).unwrap_or(Name::January);
        let day = Date::from_calendar_date(self.year, name, 1).unwrap_or(Date::MIN);
        Timestamp(day.midnight().assume_utc().unix_timestamp().saturating_mul(1_000))
    }

    /// The first moment of the next one.
    pub fn ends(self) -> Timestamp {
        self.plus(1).begins()
    }

    /// How many days it has.
    pub fn days(self) -> u32 {
        u32::try_from((self.ends().0 - self.begins().0) / DAY_MS).unwrap_or(0)
    }

    /// The month so many later, or earlier.
    #[must_use]
    pub fn plus(self, months: i32) -> Self {
        let all = self.year * 12 + i32::from(self.number) - 1 + months;
        Self {
            year: all.div_euclid(12),
            number: u8::try_from(all.rem_euclid(12) + 1).unwrap_or(1),
        }
    }

    /// Its days, from the first on.
    pub fn each_day(self) -> impl Iterator<Item = Timestamp> {
        let first = self.begins();
        (0..i64::from(self.days())).map(move |day| first.plus_ms(day * DAY_MS))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.number)
    }
}

/// The day a moment is in, as `2026-11-27` (UTC).
pub fn day_text(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_written_and_counted() {
        for (text, days, next) in [
            ("2026-11", 30, "2026-12"),
            ("2026-12", 31, "2027-01"),
            ("2028-02", 29, "2028-03"),
            ("2026-02", 28, "2026-03"),
        ] {
            let month = Month::parse(text).unwrap();
            assert_eq!((month.to_string().as_str(), month.days()), (text, days));
            assert_eq!(month.plus(1).to_string(), next);
            assert_eq!(month.plus(1).plus(-1), month);
            assert_eq!(Month::of(month.begins()), month);
            assert_eq!(Month::of(month.ends().plus_ms(-1)), month);
            let last = month.each_day().last().unwrap();
            assert_eq!(day_text(last), format!("{text}-{days}"));
        }
    }

    #[test]
    fn what_is_no_month_is_none() {
        for text in [
            "",
            "2026",
            "2026-13",
            "2026-00",
            "26-11",
            "2026-1",
            "2026-11-01",
            "1969-01",
            "9999-01",
            "abcd-ef",
        ] {
            assert_eq!(Month::parse(text), None, "{text}");
        }
    }
}
