//! `goblin config print | check | schema`.

use std::process::ExitCode;

use crate::USAGE;
use crate::cli::ConfigCommand;
use crate::config::{Environment, Request, Written, check, print, schema};
use crate::output::{Output, complain};

/// Runs the command. Works with a broken configuration, which it is there to explain.
pub(crate) fn run(
    command: &ConfigCommand,
    environment: &Environment,
    request: &Request,
    output: Output,
) -> ExitCode {
    let mut written = Written::read(environment, request);
    match command {
        ConfigCommand::Schema => {
            output.json(&schema());
            ExitCode::SUCCESS
        }
        ConfigCommand::Print { json, sources } => {
            output.text(&print(&written, *json, *sources));
            report(&written, &[])
        }
        ConfigCommand::Check => {
            let outcome = check(&mut written, environment);
            if outcome.is_ok() {
                output.line("the configuration is good");
            }
            report(&written, &outcome.err().unwrap_or_default())
        }
    }
}

fn report(written: &Written, problems: &[crate::config::Problem]) -> ExitCode {
    for notice in &written.notices {
        complain(format_args!("note: {notice}"));
    }
    let all: Vec<_> = written.problems.iter().chain(problems).collect();
    for problem in &all {
        complain(format_args!("error: {problem}"));
    }
    if all.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(USAGE)
    }
}
