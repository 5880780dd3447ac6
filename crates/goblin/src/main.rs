//! The binary: command line, configuration, wiring. Sees every room; nothing sees it.

mod accounts;
mod checks;
mod cli;
mod client;
mod clouds;
mod command;
mod config;
mod embedded;
mod judge_records;
mod machine;
mod memory;
mod model_choice;
mod notify;
mod output;
mod rates;
mod roster;
mod system;
mod telemetry;
mod up;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::cli::{Cli, Command, Models};
use crate::command::Interrupted;
use crate::config::{Config, Environment, Loaded};
use crate::notify::ServiceManager;
use crate::output::{Output, complain};
use crate::up::Mode;

/// Exit code: the command line or the configuration is wrong. clap uses the same.
const USAGE: u8 = 2;
/// Exit code: stopped by Ctrl-C (128 + SIGINT).
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    memory::set_up();
    if let Some(problem) = machine::cpu_problem() {
        complain(format_args!("error: {problem}."));
        return ExitCode::FAILURE;
    }
    let cli = Cli::parse();
    let environment = Environment::read();
    let output = Output::new(&environment);
    let request = cli.request();
    match &cli.command {
        Command::Config(command) => return command::config::run(command, &environment, &request, output),
        Command::Version { json } => {
            command::look::version(*json, output);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let loaded = match config::load(&environment, &request) {
        Ok(loaded) => loaded,
        Err(problems) => {
            for problem in problems {
                complain(format_args!("error: {problem}"));
            }
            return ExitCode::from(USAGE);
        }
    };
    match run(&cli.command, loaded, &environment, output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Interrupted>() => {
            complain(&error);
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            complain(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command. `Ok(false)`: it worked, and what it found is not well.
fn run(command: &Command, loaded: Loaded, environment: &Environment, output: Output) -> anyhow::Result<bool> {
    let Loaded { config, notices } = loaded;
    let mode = match command {
        Command::Up(_) => Some(Mode::Up),
        Command::Serve(_) => Some(Mode::Serve),
        Command::Models(Models::Serve(_)) => Some(Mode::Tier),
        _ => None,
    };
    if let Some(mode) = mode {
        let exports = telemetry::start_logging(&config, environment, mode)?;
        for notice in notices {
            tracing::warn!("{notice}");
        }
        let manager = ServiceManager::of(environment);
        return up::run(config, mode, manager, output, exports).map(|()| true);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(look(command, &config, output))
}

async fn look(command: &Command, config: &Config, output: Output) -> anyhow::Result<bool> {
    match command {
        Command::Users(command) => command::users::run(command, config, output).await,
        Command::Keys(command) => command::api_keys::run(command, config, output).await,
        Command::SigningKeys(command) => command::secrets::signing_keys(command, config, output).await,
        Command::Secrets(command) => command::secrets::secrets(command, config, output).await,
        Command::Status {
            json,
            watch,
            interval,
            url,
        } => match watch {
            true => {
                let every = Duration::from_secs(*interval);
                command::look::watch(config, url.as_deref(), every, *json, output).await
            }
            false => command::look::status(config, url.as_deref(), *json, output).await,
        },
        Command::Route {
            question,
            model,
            latency,
            local_only,
            json,
            url,
        } => {
            let asked = command::route::Asked {
                question,
                model,
                latency: latency.as_deref(),
                local_only: *local_only,
            };
            command::route::run(config, url.as_deref(), asked, *json, output).await
        }
        Command::Prices(command) => command::prices::run(command, config, output).await,
        Command::Costs(asked) => command::costs::run(asked, config, output).await,
        Command::Deploy(command) => command::deploy::run(command, output),
        Command::Trace(command) => command::trace::run(command, config, output).await,
        Command::Eval(command) => command::eval::run(command, config, output).await,
        Command::Healthcheck { tier, url } => command::look::healthcheck(config, *tier, url.as_deref()).await,
        Command::Doctor { json } => command::look::doctor(config, *json, output).await,
        Command::Backup(asked) => command::backup::take(asked, config, output).await,
        Command::Restore(asked) => command::backup::put_back(asked, config, output).await,
        Command::Migrate(command) => command::migrate::run(command, config, output).await,
        Command::Models(Models::Roster(command)) => command::roster::run(command, config, output).await,
        Command::Models(command) => command::models::run(command, config, output).map(|()| true),
        Command::Up(_) | Command::Serve(_) | Command::Config(_) | Command::Version { .. } => Ok(true),
    }
}
