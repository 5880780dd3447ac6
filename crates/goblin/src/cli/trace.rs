//! `goblin trace …` as words of the command line.

use clap::Subcommand;

/// Why an answer came from where it came from.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  goblin trace list                           the newest answers, one line each
  goblin trace show 0199c1d2-…                by the id in `goblin.trace_id`, in the header x-goblin-trace-id,
                                              or of the turn; the page shows it under each answer
  goblin trace show --json 0199c1d2-… | jq .steps")]
pub(crate) enum TraceCommand {
    /// The whole trace: the ladder, each model's attempt, every verdict with the threshold it was compared with
    Show {
        /// The trace's id, or the turn's
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Ask this goblin instead of the configured one, for example http://127.0.0.1:8001
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// The newest traces, one line each
    List {
        /// How many, at most 200
        #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Ask this goblin instead of the configured one, for example http://127.0.0.1:8001
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
}
