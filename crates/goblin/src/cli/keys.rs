//! `goblin models keys`: the words of the model tier's keys.

use std::time::Duration;

use clap::{Args, Subcommand};
use goblin_auth::principal::Scope;
use goblin_core::clock::Timestamp;
use goblin_core::model::nearest;
use goblin_store::key_file::Network;

/// The model tier's keys.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  goblin models keys create backend                          for a `goblin serve` elsewhere
  goblin models keys create prometheus --scope read --from 10.0.0.9
  goblin models keys create student --requests-per-minute 20 --tokens-per-day 200000 --expires 30d
  goblin models keys rotate backend                          a new secret; the old one works for 24 hours more
  goblin models keys rotate backend --overlap 0s             … or ends now, when it has leaked
  KEY=$(goblin models keys create ci)                        into a pipe goes the key and nothing else

A running tier notices every change within seconds; only hashes are kept, so a lost key is replaced, not recovered.

Exit codes: 0 done · 1 failed, for example no key of that name · 2 the command line is wrong")]
pub(crate) enum Keys {
    /// Make a key and print it, this once
    Create(CreateKey),
    /// Every key: what it may do, how much, until when, and whether it is good; never the key itself
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a key back; whoever uses it is told so
    Revoke {
        /// Its name, as `goblin models keys list` shows it
        name: String,
        /// Remove it from the list as well, so that its name is free again
        #[arg(long)]
        forget: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new secret and print it, this once; what it may do stays
    Rotate {
        /// Its name, as `goblin models keys list` shows it
        name: String,
        /// How long the old secret stays good: 90m, 24h, 7d; 0s ends it now, and those before it
        #[arg(long, value_name = "TIME", default_value = "24h", value_parser = overlap)]
        overlap: Duration,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What a new key is to be like.
#[derive(Args, Debug)]
pub(crate) struct CreateKey {
    /// Its name: who or what uses it
    pub(crate) name: String,
    /// What it may do: infer (ask models), embed (vectors), read (lists and status, part of all others) or admin
    /// (everything, also pull and delete models); may be repeated. Without one: infer and embed
    #[arg(long, value_name = "SCOPE", value_parser = scope)]
    pub(crate) scope: Vec<Scope>,
    /// Most requests in any minute; lists and status are not counted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Most requests at once, streams included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrent: Option<u32>,
    /// Most tokens of prompts and answers in a day (UTC)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tokens_per_day: Option<u64>,
    /// When it ends: 12h, 30d, or a date like 2027-01-31 (good to the end of that day, UTC). Without one: never
    #[arg(long, value_name = "TIME|DATE", value_parser = expiry)]
    pub(crate) expires: Option<Expiry>,
    /// Where it may be used from: an address or a network like 10.0.0.0/8; may be repeated. Without one: anywhere
    #[arg(long, value_name = "CIDR")]
    pub(crate) from: Vec<Network>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// When a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// So long after it was made.
    After(Duration),
    /// At a moment.
    At(Timestamp),
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::parse(text).ok_or_else(|| {
        let words = Scope::ALL.map(Scope::as_str);
        match nearest(text, words) {
            Some(word) => format!("there is no such scope. Did you mean `{word}`?"),
            None => format!("it must be one of {}", words.join(", ")),
        }
    })
}

/// A whole number and a unit.
fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    let unit = text.chars().next_back()?;
    let (_, seconds) = UNITS.into_iter().find(|(letter, _)| *letter == unit)?;
    let number = text.strip_suffix(unit)?;
    let plain = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| plain)?;
    Some(Duration::from_secs(number * seconds))
}

const MOST_OVERLAP: Duration = Duration::from_secs(90 * 86_400);

fn overlap(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Some(time) if time <= MOST_OVERLAP => Ok(time),
        Some(_) => Err("an overlap is at most 90d".to_owned()),
        None => Err("write it as a number and s, m, h, d or w, for example 24h".to_owned()),
    }
}

pub(super) fn expiry(text: &str) -> Result<Expiry, String> {
    let moment = |text: &str| Timestamp::parse_rfc3339(text);
    let end_of_day = || moment(&format!("{text}T00:00:00Z")).map(|day| day.plus_ms(86_400_000));
    match duration(text) {
        Some(time) if time.is_zero() => Err("it would end at once".to_owned()),
        Some(time) => Ok(Expiry::After(time)),
        None => end_of_day()
            .or_else(|| moment(text))
            .map(Expiry::At)
            .ok_or_else(|| "write it as a time like 12h or 30d, or as a date like 2027-01-31".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_a_number_and_a_unit() {
        for (text, seconds) in [
            ("0s", 0),
            ("90m", 5_400),
            ("24h", 86_400),
            ("30d", 2_592_000),
            ("2w", 1_209_600),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "d",
            "30",
            "-1d",
            "+1d",
            "1.5h",
            "30 d",
            "30D",
            "1y",
            "9999999999w",
            "١d",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
        assert!(overlap("91d").is_err() && overlap("90d").is_ok());
    }

    #[test]
    fn a_key_ends_after_a_time_or_with_the_last_moment_of_a_day() {
        let moment = |text: &str| Expiry::At(Timestamp::parse_rfc3339(text).unwrap());
        assert_eq!(expiry("30d"), Ok(Expiry::After(Duration::from_secs(2_592_000))));
        assert_eq!(expiry("2027-01-31"), Ok(moment("2027-02-01T00:00:00Z")));
        assert_eq!(
            expiry("2027-01-31T12:00:00+02:00"),
            Ok(moment("2027-01-31T10:00:00Z"))
        );
        for bad in ["0d", "tomorrow", "2027-02-30", "31.1.2027", ""] {
            assert!(expiry(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_mistyped_scope_is_corrected() {
        assert_eq!(scope("admin"), Ok(Scope::Admin));
        assert!(scope("infre").unwrap_err().contains("`infer`"));
        assert!(
            scope("everything at all")
                .unwrap_err()
                .contains("infer, embed, read, admin")
        );
    }
}
