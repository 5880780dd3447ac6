//! `goblin prices …` as words of the command line.

use std::path::PathBuf;

use clap::Subcommand;

/// What models of clouds cost.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  goblin prices list anthropic                what Anthropic's models cost, in US dollars a million tokens
  goblin prices list --json gpt-5 | jq .
  goblin prices update                        fetch a newer list; it is used from the next start on
  goblin prices update --file prices.json     the same from a file that was fetched elsewhere
  goblin prices reset                         back to the list this program was built with")]
pub(crate) enum PricesCommand {
    /// Prices in force, those of [prices] first
    List {
        /// Only models whose name holds this
        part: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Put a newer list in the place of the built-in one
    Update {
        /// Read this file instead of fetching one: LiteLLM's model_prices_and_context_window.json
        #[arg(long, value_name = "FILE", conflicts_with = "url")]
        file: Option<PathBuf>,
        /// Fetch it from here
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Forget the newer list
    Reset,
}
