//! `goblin costs` as words of the command line.

use clap::Args;
use goblin_core::costs::month::Month;

/// What a month costs: hosts, providers, and what could cost less
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  goblin costs                                this month so far, and where it is going
  goblin costs --month 2026-10                a month that is over
  goblin costs --json | jq .forecast

What hosts cost is set in [costs] of goblin.toml. No goblin needs to run for this; one may.")]
pub(crate) struct Costs {
    /// The month, like 2026-11 (UTC); this one when left out
    #[arg(long, value_name = "YYYY-MM", value_parser = month)]
    pub(crate) month: Option<Month>,
    /// Print JSON: what `GET /api/costs` answers, in US dollars
    #[arg(long)]
    pub(crate) json: bool,
}

fn month(text: &str) -> Result<Month, String> {
    Month::parse(text).ok_or_else(|| "write it as a year and a month, for example 2026-11".to_owned())
}
