//! `goblin eval`: its words.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, value_parser};
use goblin_core::eval::EvalSet;

/// How good judges and the router are.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  goblin eval run safety xstest --model gemma:2b           may gemma:2b judge whether something is safe?
  goblin eval run confidence --model phi3:3.8b --cases my-answers.jsonl
  goblin eval run xstest --model gemma:2b --limit 20       a quick look; which 20 follows from --seed
  goblin eval run routing                                  does the router know what questions are about?
  goblin eval report                                       figures, what they mean, and a page with plots
  goblin eval report --records                             and the records that give judges authority or take it away

Sets: safety and confidence (6 cases each, to show how it works), xstest (a fixed 100 of XSTest), xstest-all (all 450),
routing (492). With --cases FILE your own take their place, in the form of the files in `evals/` of the source.

Stopped with Ctrl-C, the same command goes on where it stopped.

Exit codes: 0 done · 1 failed, or some cases have no answer · 2 the command line is wrong · 130 interrupted")]
pub(crate) enum Eval {
    /// Ask models, or the router, about labelled cases, and keep every answer
    Run(EvalRun),
    /// Make figures of the answers: JSON, and a page with plots
    Report(EvalReport),
}

/// What is asked of whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalRun {
    /// What is evaluated
    #[arg(value_name = "SET", required = true, value_parser = eval_set())]
    pub(crate) sets: Vec<EvalSet>,
    /// A model that judges, by name or as PROVIDER/MODEL (may be repeated); not needed for routing
    #[arg(long = "model", value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// Your own cases in place of the set's, in the same form
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Option<PathBuf>,
    /// At most so many cases of each set
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) limit: Option<u32>,
    /// Decides which cases, where there is a limit
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Keep the answers here; without it, in `evals` of the data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is made of the answers.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalReport {
    /// Where the answers are; without it, `evals` of the data directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Write the records of judges too, one file each; runs that are too small make none. Without DIR, where goblin
    /// reads them at its next start (`judge-records` of the data directory)
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    pub(crate) records: Option<Option<PathBuf>>,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn eval_set() -> impl TypedValueParser<Value = EvalSet> {
    PossibleValuesParser::new(EvalSet::ALL.map(EvalSet::as_str))
        .try_map(|name| EvalSet::parse(&name).ok_or("there is no such set"))
}
