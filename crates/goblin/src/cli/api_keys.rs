//! `goblin keys`: the words of the backend's keys of the API.

use clap::{Args, Subcommand};
use goblin_core::api_key::{BudgetPeriod, MAX_KEY_NAME};
use goblin_store::key_file::Network;

use super::keys::{Expiry, expiry};

/// The backend's keys.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  goblin keys create ci                                      acts for the owner, may ask every model
  goblin keys create notebook --user ada@example.org --model 'goblin*' --expires 30d
  goblin keys create prometheus --scope read --from 10.0.0.9
  KEY=$(goblin keys create ci)                               into a pipe goes the key and nothing else
  goblin keys revoke 3kTMd8pQ                                a goblin that runs notices it within a second

People make keys of their own in the page. Only hashes are kept, so a lost key is replaced, not recovered.
The keys of a model tier are another thing: `goblin models keys`.

Exit codes: 0 done · 1 failed, for example no key of that id · 2 the command line is wrong")]
pub(crate) enum ApiKeys {
    /// Make a key and print it, this once
    Create(CreateApiKey),
    /// Every key: whose it is, what it may do, until when, and whether it is good; never the key itself
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a key back, for good
    Revoke {
        /// Its id, as `goblin keys list` shows it
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// What a new key is to be like.
#[derive(Args, Debug)]
pub(crate) struct CreateApiKey {
    /// Its name: who or what uses it
    #[arg(value_parser = name)]
    pub(crate) name: String,
    /// The e-mail address of the account it acts for. Without one: the first owner's
    #[arg(long, value_name = "E-MAIL")]
    pub(crate) user: Option<String>,
    /// What it may do: infer (ask models), embed (vectors) or read (lists and states, part of the others); may be
    /// repeated. Without one: infer and embed
    #[arg(long, value_name = "SCOPE", value_parser = ["infer", "embed", "read"])]
    pub(crate) scope: Vec<String>,
    /// A model it may ask, by the name requests give; a `*` at the end stands for any rest; may be repeated. Without one:
    /// every model
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// When it ends: 12h, 30d, or a date like 2027-01-31 (good to the end of that day, UTC). Without one: never
    #[arg(long, value_name = "TIME|DATE", value_parser = expiry)]
    pub(crate) expires: Option<Expiry>,
    /// Where it may be used from: an address or a network like 10.0.0.0/8; may be repeated. Without one: anywhere
    #[arg(long, value_name = "CIDR")]
    pub(crate) from: Vec<Network>,
    /// Most requests in any minute
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) requests_per_minute: Option<u32>,
    /// Most requests at once, streams included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) concurrent: Option<u32>,
    /// What it may spend in each period, in US dollars
    #[arg(long, value_name = "USD")]
    pub(crate) budget: Option<f64>,
    /// How often the budget begins anew: day, month or total (never)
    #[arg(long, value_name = "PERIOD", value_parser = period, default_value = "month", requires = "budget")]
    pub(crate) budget_period: BudgetPeriod,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn name(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_KEY_NAME).contains(&text.trim().chars().count());
    fits.then(|| text.to_owned())
        .ok_or_else(|| format!("a key's name is 1 to {MAX_KEY_NAME} characters"))
}

fn period(text: &str) -> Result<BudgetPeriod, String> {
    BudgetPeriod::parse(text).ok_or_else(|| "it must be day, month or total".to_owned())
}
