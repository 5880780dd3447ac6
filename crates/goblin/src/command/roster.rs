//! `goblin models pull | update | outdated | roster | backup | restore`, as far as they are about more than one model.

use std::path::{Path, PathBuf};

use anyhow::bail;
use goblin_core::clock::Clock;
use goblin_core::model::nearest;
use goblin_net::Url;
use goblin_providers::registry::Reference;
use goblin_store::data_dir::DataPaths;
use goblin_store::model_files::{ModelFile, ModelFiles, ModelSource};
use goblin_store::ollama_store::{self, Found};
use goblin_store::roster_file::{RoleEntry, RosterFile};
use serde_json::json;

use crate::cli::RosterCommand;
use crate::command::pull::{Puller, Wish};
use crate::command::{bench, tier_status};
use crate::config::{Config, RoleModel};
use crate::model_choice::list_models;
use crate::output::{Output, complain};

/// Runs the command. `Ok(false)`: something failed, which has been said.
///
/// # Errors
///
/// A sentence with what to do.
pub(crate) async fn run(command: &RosterCommand, config: &Config, output: Output) -> anyhow::Result<bool> {
    let files = ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System);
    match command {
        RosterCommand::Pull {
            references,
            roster,
            name,
            registry,
            json,
        } => {
            let wishes = if *roster {
                missing(&files, config, *json, output)?
            } else {
                named(references, name.as_deref())?
            };
            Puller::new(config, registry.as_ref(), *json, output)?
                .pull(wishes)
                .await
        }
        RosterCommand::Outdated { registry, json } => {
            outdated(&files, config, registry.as_ref(), *json, output).await
        }
        RosterCommand::Update {
            names,
            registry,
            json,
        } => {
            let wishes = updates(&files, names)?;
            Puller::new(config, registry.as_ref(), *json, output)?
                .pull(wishes)
                .await
        }
        RosterCommand::Roster { json } => roster(&files, config, *json, output),
        RosterCommand::Status { json, url, key_file } => {
            tier_status::run(config, url.as_ref(), key_file.as_deref(), *json, output).await
        }
        RosterCommand::Bench(bench) => bench::run(bench, config, output).await,
        RosterCommand::Backup { file, force } => backup(config, file, *force, output),
        RosterCommand::Restore { file, force } => restore(config, file, *force, output),
    }
}

fn named(references: &[Reference], name: Option<&str>) -> anyhow::Result<Vec<Wish>> {
    if name.is_some() && references.len() > 1 {
        bail!("--name names one model; pull the others without it.");
    }
    let wish = |reference: &Reference| Wish {
        reference: reference.clone(),
        name: name.map(str::to_owned),
    };
    Ok(references.iter().map(wish).collect())
}

/// Where the model of a role is.
enum Place {
    Engine(String),
    Ollama,
    Missing,
}

impl Place {
    fn of(reference: &Reference, all: &[ModelFile], ollama: &Found) -> Self {
        let wanted = reference.to_string();
        let is_it = |m: &&ModelFile| {
            m.size_bytes.is_some()
                && (m.reference.as_ref() == Some(&wanted) || m.name == reference.local_name())
        };
        if let Some(model) = all.iter().find(is_it) {
            Self::Engine(model.name.clone())
        } else if ollama.find(&wanted).is_some() {
            Self::Ollama
        } else {
            Self::Missing
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Engine(name) => format!("here, as `{name}`"),
            Self::Ollama => "in an Ollama's store".to_owned(),
            Self::Missing => "missing".to_owned(),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Engine(_) => "here",
            Self::Ollama => "ollama",
            Self::Missing => "missing",
        }
    }
}

/// Each role and where its model is.
fn places<'a>(files: &ModelFiles, config: &'a Config) -> anyhow::Result<Vec<(&'a RoleModel, Place)>> {
    let all = list_models(files)?;
    let ollama = ollama_store::read(&config.registry.ollama_stores);
    Ok(config
        .roster
        .iter()
        .map(|role| (role, Place::of(&role.model, &all, &ollama)))
        .collect())
}

/// What is missing of the roster, each model once. Says what is not missing.
fn missing(files: &ModelFiles, config: &Config, as_json: bool, output: Output) -> anyhow::Result<Vec<Wish>> {
    let mut wishes: Vec<Wish> = Vec::new();
    for (role, place) in places(files, config)? {
        if let Place::Missing = place {
            if !wishes.iter().any(|w| w.reference == role.model) {
                wishes.push(Wish {
                    reference: role.model.clone(),
                    name: None,
                });
            }
        } else if as_json {
            output.line(
                json!({"status": place.word(), "role": role.role, "reference": role.model.to_string()}),
            );
        } else {
            output.line(format_args!(
                "{} (`{}`): {}",
                role.role,
                role.model,
                place.words()
            ));
        }
    }
    if wishes.is_empty() && !as_json {
        output.line("Nothing of the roster is missing.");
    }
    Ok(wishes)
}

fn roster(files: &ModelFiles, config: &Config, as_json: bool, output: Output) -> anyhow::Result<bool> {
    let places = places(files, config)?;
    if as_json {
        let rows: Vec<_> = places
            .iter()
            .map(|(role, place)| {
                json!({
                    "role": role.role, "model": role.model.to_string(), "state": place.word(),
                    "keep_alive_seconds": role.keep_alive.map(|k| k.as_secs()),
                })
            })
            .collect();
        output.json(&rows);
        return Ok(true);
    }
    let absent = places.iter().any(|(_, p)| matches!(p, Place::Missing));
    let rows = places.into_iter().map(|(role, place)| {
        let keep = role
            .keep_alive
            .map_or_else(|| "always".to_owned(), |k| format!("{} s", k.as_secs()));
        vec![role.role.to_owned(), role.model.to_string(), keep, place.words()]
    });
    output.table(&["ROLE", "MODEL", "STAYS", "STATE"], rows.collect());
    if absent {
        output.line("\nWhat is missing: goblin models pull --roster");
    }
    Ok(true)
}

/// Pulled models with the reference they are updated by.
fn pulled(files: &ModelFiles) -> anyhow::Result<Vec<(ModelFile, Reference)>> {
    let mut found = Vec::new();
    for model in list_models(files)? {
        let reference = model
            .reference
            .as_deref()
            .filter(|_| model.source == ModelSource::Pulled);
        match reference.map(Reference::parse) {
            Some(Ok(reference)) => found.push((model, reference)),
            Some(Err(error)) => complain(format_args!(
                "note: `{}` cannot be asked for: {error}",
                model.name
            )),
            None => {}
        }
    }
    Ok(found)
}

/// A pulled model beside what its registry has now.
struct Compared {
    model: ModelFile,
    reference: Reference,
    /// `current`, `outdated`, `gone` (its file), or `unknown` (the registry did not answer).
    state: &'static str,
    newest: Option<String>,
}

async fn compare(puller: &Puller, model: ModelFile, reference: Reference) -> Compared {
    let newest = match puller.look_up(&reference).await {
        Ok(offer) => Some(offer.weights.sha256),
        Err(error) => {
            complain(format_args!("error: `{reference}` was not compared: {error:#}"));
            None
        }
    };
    let state = match &newest {
        None => "unknown",
        Some(_) if model.size_bytes.is_none() => "gone",
        Some(_) if model.sha256 == newest => "current",
        Some(_) => "outdated",
    };
    Compared {
        model,
        reference,
        state,
        newest,
    }
}

async fn outdated(
    files: &ModelFiles,
    config: &Config,
    mirror: Option<&Url>,
    as_json: bool,
    output: Output,
) -> anyhow::Result<bool> {
    let puller = Puller::new(config, mirror, as_json, output)?;
    let mut all = Vec::new();
    for (model, reference) in pulled(files)? {
        all.push(compare(&puller, model, reference).await);
    }
    let all_known = all.iter().all(|c| c.state != "unknown");
    if as_json {
        let row = |c: &Compared| {
            json!({
                "name": c.model.name, "reference": c.reference.to_string(), "state": c.state,
                "sha256": c.model.sha256, "newest_sha256": c.newest,
            })
        };
        output.json(&all.iter().map(row).collect::<Vec<_>>());
        return Ok(all_known);
    }
    if all.is_empty() {
        output.line("No model was pulled from a registry.");
        return Ok(true);
    }
    let stale = all.iter().any(|c| matches!(c.state, "outdated" | "gone"));
    let short = |digest: Option<String>| digest.unwrap_or_default().chars().take(12).collect::<String>();
    let row = |c: Compared| {
        vec![
            c.model.name,
            c.reference.to_string(),
            c.state.to_owned(),
            short(c.model.sha256),
            short(c.newest),
        ]
    };
    let rows = all.into_iter().map(row).collect();
    output.table(&["NAME", "REFERENCE", "STATE", "HERE", "NEWEST"], rows);
    if stale {
        output.line("\nTo fetch what is newer: goblin models update");
    }
    Ok(all_known)
}

/// What `update` asks for: pulling skips what is current.
fn updates(files: &ModelFiles, names: &[String]) -> anyhow::Result<Vec<Wish>> {
    let all = pulled(files)?;
    for name in names {
        if !all.iter().any(|(m, _)| m.name == *name) {
            let hint = nearest(name, all.iter().map(|(m, _)| m.name.as_str()));
            let hint = hint.map_or_else(String::new, |n| format!(" Did you mean `{n}`?"));
            bail!(
                "`{name}` is no model that was pulled.{hint} `goblin models outdated` shows those that were."
            );
        }
    }
    let chosen = all
        .into_iter()
        .filter(|(m, _)| names.is_empty() || names.contains(&m.name));
    Ok(chosen
        .map(|(model, reference)| Wish {
            reference,
            name: Some(model.name),
        })
        .collect())
}

fn keys_file(config: &Config, paths: &DataPaths) -> PathBuf {
    config.tier.keys_file.clone().unwrap_or_else(|| paths.tier_keys())
}

fn roles(config: &Config) -> Vec<RoleEntry> {
    let role = |role: &RoleModel| RoleEntry {
        role: role.role.to_owned(),
        model: role.model.to_string(),
        keep_alive_seconds: role.keep_alive.map(|k| k.as_secs()),
    };
    config.roster.iter().map(role).collect()
}

fn backup(config: &Config, file: &Path, force: bool, output: Output) -> anyhow::Result<bool> {
    let paths = DataPaths::new(&config.data_dir);
    let backup = RosterFile::take(
        &paths,
        &keys_file(config, &paths),
        roles(config),
        Clock::System.now(),
    )?;
    backup.write(file, force)?;
    let counts = backup.counts();
    output.line(format_args!(
        "{}: {} roles, {} models in the list and {} keys (hashed). Weights are not in it.",
        file.display(),
        backup.roles.len(),
        counts.models,
        counts.keys
    ));
    Ok(true)
}

fn restore(config: &Config, file: &Path, force: bool, output: Output) -> anyhow::Result<bool> {
    let paths = DataPaths::new(&config.data_dir);
    let backup = RosterFile::read(file)?;
    let restored = backup.restore(&paths, &keys_file(config, &paths), force)?;
    output.line(format_args!(
        "restored {} models in the list and {} keys, as of {}",
        restored.models,
        restored.keys,
        backup.made_at.to_rfc3339()
    ));
    let files = ModelFiles::new(&paths, Clock::System);
    for model in list_models(&files)?.iter().filter(|m| m.size_bytes.is_none()) {
        let how = match &model.reference {
            Some(_) => format!("goblin models update {}", model.name),
            None => format!("its file {} is not on this machine", model.path.display()),
        };
        output.line(format_args!("  `{}` has no weights here: {how}", model.name));
    }
    let now = roles(config);
    for role in backup.roles.iter().filter(|r| !now.contains(r)) {
        let keep = role
            .keep_alive_seconds
            .map_or(-1, |s| i64::try_from(s).unwrap_or(i64::MAX));
        output.line(format_args!(
            "  goblin.toml says otherwise than the backup, which has:\n    [tier.models.{}]\n    model = \"{}\"\n    \
             keep_alive_seconds = {keep}",
            role.role, role.model
        ));
    }
    Ok(true)
}
