//! The configuration: defaults ← file ← environment ← flags, and the only reader of the environment.
//!
//! [`Written`] holds what was written and where; [`check()`] turns it into a usable [`Config`] or says everything
//! that is wrong with it at once.

mod check;
pub(crate) mod environment;
mod keys;
mod show;
#[cfg(test)]
mod tests;
mod written;

use crate::command::prices;

pub(crate) use check::{
    CloudServer, Config, GOOGLE_CALLBACK, LogFormat, Otlp, RoleModel, TelemetryConfig, UpstreamKind,
    UpstreamServer, UpstreamWay, check, is_public_address, is_public_url,
};
pub(crate) use environment::Environment;
pub(crate) use show::{print, schema};
pub(crate) use written::{Problem, Request, Written};

/// Reads and checks everything.
///
/// # Errors
///
/// All problems, each with its key, its place and what to do.
pub(crate) fn load(environment: &Environment, request: &Request) -> Result<Loaded, Vec<Problem>> {
    let mut written = Written::read(environment, request);
    let mut config = check(&mut written, environment)?;
    match prices::in_force(&config.data_dir) {
        Ok(list) => config.policy.catalogue = list,
        // Old prices are no reason not to start.
        Err(why) => written.notices.push(why),
    }
    Ok(Loaded {
        config,
        notices: written.notices,
    })
}

/// The variable by which the setting called `path` is given.
pub(crate) fn variable_of(path: &str) -> Option<&'static str> {
    keys::find(path)?.env.map(|short| short.name)
}

/// A usable configuration and what the operator should know about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// In force.
    pub(crate) config: Config,
    /// Old spellings, variables without effect.
    pub(crate) notices: Vec<String>,
}
