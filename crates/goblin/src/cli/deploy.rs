//! `goblin deploy …` as words of the command line.

use std::path::PathBuf;

use clap::Subcommand;

/// Where goblin is deployed to.
#[derive(Debug, Subcommand)]
pub(crate) enum DeployCommand {
    /// Do the settings of page, backend and models agree? Nobody is asked, nothing is changed
    #[command(after_help = "Examples:
  goblin deploy check targets.toml            everything that does not agree, at once, each with what to do
  goblin deploy check targets.toml --json | jq '.mismatches[].key'

deploy/targets.example.toml shows what the file holds. The backend's settings are also read as the backend itself reads its
variables, so what it would refuse to start with is said here. A secret is given as it is, or as { file = \"PATH\" }; none is ever
printed.

Exit codes: 0 they agree · 1 they do not · 2 the command line is wrong")]
    Check {
        /// The settings of all three
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
