//! The command line: what can be asked, and the words that teach it.

mod api_keys;
mod backup;
mod costs;
mod deploy;
mod eval;
mod keys;
mod prices;
mod roster;
mod secrets;
mod trace;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use goblin_core::account::Role;

use crate::config::Request;

pub(crate) use api_keys::{ApiKeys, CreateApiKey};
pub(crate) use backup::{Backup, Restore};
pub(crate) use costs::Costs;
pub(crate) use deploy::DeployCommand;
pub(crate) use eval::{Eval, EvalReport, EvalRun};
pub(crate) use keys::{CreateKey, Expiry, Keys};
pub(crate) use prices::PricesCommand;
pub(crate) use roster::{Bench, RosterCommand};
pub(crate) use secrets::{SecretsCommand, SigningKeysCommand};
pub(crate) use trace::TraceCommand;

const AFTER: &str = "\
Examples:
  goblin up                                   the page, the API and a model on this machine
  goblin up --port 9000 --set engine.threads=2
  goblin models pull qwen2.5:3b               fetch a model for this machine's engine
  goblin models add ./qwen2.5-1.5b-instruct-q4_k_m.gguf
  goblin models serve                         models only, behind a key, on port 8002
  LOCAL_LLM_PROXY_URL=http://10.0.0.7:8002 LOCAL_LLM_API_KEY=… goblin serve
  goblin doctor                               what is wrong, why, and what to do

Settings: `goblin config print --sources` shows each one and where it comes from.

Exit codes: 0 done · 1 failed · 2 the command line or the configuration is wrong ·
130 interrupted";

/// Your own assistant: page, API and models in one program.
#[derive(Debug, Parser)]
#[command(name = "goblin", version, after_help = AFTER, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Read this file instead of ~/.config/goblin/goblin.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one setting, for example --set engine.threads=2 (may be repeated)
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Keep chats, models and keys here
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How much is logged: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

/// What can be asked of accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Everybody with an account
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Invite somebody: prints the link by which they make their account, and sends it where mail is set up
    Invite {
        /// The e-mail address of whom it is for
        email: String,
        /// What they may do
        #[arg(long, value_enum, default_value_t = UserRole::Member)]
        role: UserRole,
    },
    /// Write everything kept of somebody into a ZIP archive: chats as Markdown, everything as JSON
    Export {
        /// The e-mail address of the account
        email: String,
        /// The file to be made
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// End an account for good and erase everything of it
    Delete {
        /// The e-mail address of the account
        email: String,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Make a link by which somebody sets another password: also for an owner who has forgotten it
    Reset {
        /// The e-mail address of the account
        email: String,
    },
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UserRole {
    /// Looks, asks nothing
    Viewer,
    /// Asks, and keeps chats
    Member,
    /// Lets members and viewers in and out
    Admin,
    /// Everything
    Owner,
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Viewer => Self::Viewer,
            UserRole::Member => Self::Member,
            UserRole::Admin => Self::Admin,
            UserRole::Owner => Self::Owner,
        }
    }
}

/// Where to listen.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Listen {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on; 0 takes any free one
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything on this machine: the page, the API, and a model inside the process
    Up(Listen),
    /// The backend alone: models come from other servers (LOCAL_LLM_PROXY_URL, OLLAMA_HOST, LLAMACPP_URL)
    Serve(Listen),
    /// The models of this machine
    #[command(subcommand)]
    Models(Models),
    /// People with accounts
    #[command(subcommand)]
    Users(Users),
    /// The keys programs call this backend with
    #[command(subcommand)]
    Keys(ApiKeys),
    /// The keys access tokens are signed with
    #[command(subcommand)]
    SigningKeys(SigningKeysCommand),
    /// The master keys secrets in the database are sealed with
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// The settings in force
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The database's schema
    #[command(subcommand)]
    Migrate(Migrate),
    /// Everything the database holds in one sealed file, while goblin runs
    Backup(Backup),
    /// Put what `goblin backup` wrote into the database, of either kind
    Restore(Restore),
    /// Why an answer came from where it came from
    #[command(subcommand)]
    Trace(TraceCommand),
    /// What models of clouds cost
    #[command(subcommand)]
    Prices(PricesCommand),
    Costs(Costs),
    /// The settings of three hosts against each other, before anything is pushed
    #[command(subcommand)]
    Deploy(DeployCommand),
    /// How good judges and the router are: ask them about labelled cases, and make a report
    #[command(subcommand)]
    Eval(Eval),
    /// How a running goblin is: its parts and its models
    #[command(after_help = "Examples:
  goblin status                               once; the exit code says whether something is down
  goblin status --watch                       again and again, until Ctrl-C
  goblin status --watch --interval 30 --json  one JSON object a line, for other programs")]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Look again and again, until Ctrl-C
        #[arg(long)]
        watch: bool,
        /// Seconds between two looks
        #[arg(long, value_name = "SECONDS", default_value_t = 2, requires = "watch",
              value_parser = clap::value_parser!(u64).range(1..=3_600))]
        interval: u64,
        /// Ask this goblin instead of the configured one, for example http://127.0.0.1:8001
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Which model a question would go to, and why; nobody is asked
    #[command(after_help = "Examples:
  goblin route 'Write a function that sorts a list'
  goblin route 'Hello' --model goblin/local --json")]
    Route {
        /// The question
        #[arg(value_name = "QUESTION")]
        question: String,
        /// The model asked for: goblin, goblin/fast, goblin/best, goblin/code, goblin/local, or one by name
        #[arg(long, default_value = "goblin")]
        model: String,
        /// How soon the first token is wanted: ultra_low, low, medium or high
        #[arg(long, value_name = "TARGET")]
        latency: Option<String>,
        /// Only models on your machines
        #[arg(long)]
        local_only: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Ask this goblin instead of the configured one, for example http://127.0.0.1:8001
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Is a goblin healthy? Says nothing when it is (exit code 0); for containers, which have no curl
    Healthcheck {
        /// The model tier instead of the backend
        #[arg(long)]
        tier: bool,
        /// Ask this goblin instead of the configured one, for example http://127.0.0.1:8001
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// Look for what is wrong on this machine, and say why and what to do
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The version, and what this build can do
    Version {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// The models of this machine.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  goblin models pull gemma:2b hf.co/bartowski/Qwen2.5-1.5B-Instruct-GGUF:Q4_K_M
  goblin models pull --roster                 what is missing of the models of the roles
  goblin models suggest                       a model that fits this machine, and the commands to get it
  goblin models add ./model.gguf --name chat  use a file where it is; nothing is copied
  goblin models rm chat                       forget it; a file outside goblin's folder is kept")]
pub(crate) enum Models {
    /// Serve this machine's models behind a key, for a `goblin serve` elsewhere
    Serve(Listen),
    /// Every model there is
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Use a GGUF file, or a model of this machine's Ollama: checks it, and remembers where it is
    Add {
        /// The file, or ollama:NAME[:TAG]
        path: PathBuf,
        /// Its name; without one, made from the file's
        #[arg(long)]
        name: Option<String>,
    },
    /// Forget a model; its file is deleted only if it lies in goblin's own folder of models
    Rm {
        /// Its name, as `goblin models list` shows it
        name: String,
    },
    /// What a model file says about itself
    Show {
        /// The model's name, or the path of a GGUF file
        name: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// A better model that fits this machine's memory, with the commands
    Suggest {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The keys of `goblin models serve`: who may use this machine's models, and how much
    #[command(subcommand)]
    Keys(Keys),
    #[command(flatten)]
    Roster(RosterCommand),
}

/// The settings in force.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Every setting in force; secrets are hidden
    Print {
        /// Print JSON instead of TOML
        #[arg(long)]
        json: bool,
        /// Say where each value comes from
        #[arg(long)]
        sources: bool,
    },
    /// Say everything that is wrong, with its place (exit code 2), or that all is well
    Check,
    /// The JSON Schema of goblin.toml, for editors; `x-environment` lists the variables, for hosts
    Schema,
}

/// The database's schema.
#[derive(Debug, Subcommand)]
pub(crate) enum Migrate {
    /// Apply what is missing
    Up {
        /// The last number to apply; without it, all
        #[arg(long, value_name = "NUMBER")]
        to: Option<i64>,
    },
    /// Take back the newest migration, or every one above a number; what their tables held is lost
    Down {
        /// The number that stays; 0 takes back all
        #[arg(long, value_name = "NUMBER")]
        to: Option<i64>,
        /// Yes, really: the data of the dropped tables is lost
        #[arg(long)]
        yes: bool,
    },
    /// Every migration, and whether the database has it
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare the migrations and every table, column, index and key with those of this release (exit code 1 when
    /// anything is missing or differs)
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or("write it as KEY=VALUE, for example engine.threads=2")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

impl Cli {
    /// How the layers of the configuration are to be read for this command.
    pub(crate) fn request(&self) -> Request {
        let mut request = Request {
            file: self.common.config.clone(),
            ..Request::default()
        };
        let section = match &self.command {
            Command::Models(Models::Serve(listen)) => {
                request.tier = true;
                Some(("tier", listen))
            }
            Command::Serve(listen) => {
                request.serve = true;
                Some(("server", listen))
            }
            Command::Up(listen) => Some(("server", listen)),
            Command::Healthcheck { tier, .. } => {
                request.tier = *tier;
                None
            }
            _ => None,
        };
        let mut flag =
            |path: String, value: String, name: &str| request.flags.push((path, value, name.to_owned()));
        for (key, value) in &self.common.set {
            flag(key.clone(), value.clone(), "--set");
        }
        if let Some(dir) = &self.common.data_dir {
            flag(
                "data.dir".to_owned(),
                dir.to_string_lossy().into_owned(),
                "--data-dir",
            );
        }
        if let Some(level) = &self.common.log_level {
            flag("log.level".to_owned(), level.clone(), "--log-level");
        }
        if let Some((section, listen)) = section {
            if let Some(host) = &listen.host {
                flag(format!("{section}.host"), host.clone(), "--host");
            }
            if let Some(port) = listen.port {
                flag(format!("{section}.port"), port.to_string(), "--port");
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_become_the_last_layer() {
        let cli = Cli::parse_from([
            "goblin",
            "models",
            "serve",
            "--port",
            "9",
            "--set",
            "engine.threads=2",
        ]);
        let request = cli.request();
        assert!(request.tier);
        let flags: Vec<_> = request
            .flags
            .iter()
            .map(|(k, v, _)| (k.as_str(), v.as_str()))
            .collect();
        assert_eq!(flags, [("engine.threads", "2"), ("tier.port", "9")]);
    }
}
