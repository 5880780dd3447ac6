//! Words for fetching models and for the roster.

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};
use goblin_net::Url;
use goblin_providers::registry::Reference;

/// Fetching models, and the roster of the model tier.
#[derive(Debug, Subcommand)]
pub(crate) enum RosterCommand {
    /// Fetch models from a registry: resumed where it stopped, checked, then used where it lies
    #[command(after_help = "References:
  NAME[:TAG]                        Ollama's registry, for example gemma:2b
  NAMESPACE/NAME[:TAG]              the same, of someone else
  HOST/NAMESPACE/NAME[:TAG]         another registry
  hf.co/ORG/REPO[:QUANTISATION]     Hugging Face, for example hf.co/bartowski/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M
  hf:ORG/REPO/FILE.gguf             one file of it

Stopped with Ctrl-C or by a broken connection, the same command goes on where it stopped.")]
    Pull {
        /// What to fetch
        #[arg(value_name = "REFERENCE", value_parser = reference, required_unless_present = "roster")]
        references: Vec<Reference>,
        /// What is missing of the models of the roles ([tier.models])
        #[arg(long, conflicts_with_all = ["references", "name"])]
        roster: bool,
        /// Its name on this machine; without one, made from the reference
        #[arg(long)]
        name: Option<String>,
        /// Ask this registry or mirror instead of the configured one
        #[arg(long, value_name = "URL", value_parser = url)]
        registry: Option<Url>,
        /// Print progress as lines of JSON
        #[arg(long)]
        json: bool,
    },
    /// Which pulled models their registries have newer
    Outdated {
        /// Ask this registry or mirror instead of the configured one
        #[arg(long, value_name = "URL", value_parser = url)]
        registry: Option<Url>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch what is newer; the old file is deleted when the new one is in place
    Update {
        /// Only these; without any, every pulled model
        names: Vec<String>,
        /// Ask this registry or mirror instead of the configured one
        #[arg(long, value_name = "URL", value_parser = url)]
        registry: Option<Url>,
        /// Print progress as lines of JSON
        #[arg(long)]
        json: bool,
    },
    /// The roles of the model tier, and whether their models are here
    Roster {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// What the models of a running model tier are doing: loaded, waiting, memory, speed, predicted wait
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Ask this model tier instead of the configured one, for example http://127.0.0.1:8002
        #[arg(long, value_name = "URL", value_parser = url)]
        url: Option<Url>,
        /// Read the key from this file instead of LOCAL_LLM_API_KEY
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
    },
    /// Measure how fast the models are (of a running tier, else of this machine) and keep it for the forecasts
    Bench(Bench),
    /// Write roster, list of models and hashed keys into one small file
    Backup {
        /// The file
        file: PathBuf,
        /// Replace it if it is there
        #[arg(long)]
        force: bool,
    },
    /// Put back what `backup` wrote
    Restore {
        /// The file
        file: PathBuf,
        /// Replace the models and keys that are there
        #[arg(long)]
        force: bool,
    },
}

fn reference(text: &str) -> Result<Reference, String> {
    Reference::parse(text).map_err(|e| e.to_string())
}

fn url(text: &str) -> Result<Url, String> {
    Url::parse(text).map_err(|e| e.to_string())
}

/// What is measured, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct Bench {
    /// Only these, by name or as PROVIDER/MODEL; without any, every model that chats
    pub(crate) models: Vec<String>,
    /// Only the models of the roster
    #[arg(long, conflicts_with = "models")]
    pub(crate) roster: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Length of the long prompt, in tokens
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = value_parser!(u32).range(64..=32_768))]
    pub(crate) prompt_tokens: u32,
    /// Length of an answer, in tokens
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(8..=4_096))]
    pub(crate) tokens: u32,
    /// How often each is measured; the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=20))]
    pub(crate) repeat: u32,
    /// Ask this model tier instead of the configured one, for example http://127.0.0.1:8002
    #[arg(long, value_name = "URL", value_parser = url)]
    pub(crate) url: Option<Url>,
    /// Read the key from this file instead of LOCAL_LLM_API_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
}
