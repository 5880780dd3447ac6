//! `goblin models list | add | rm | show | suggest`.

use std::path::Path;

#[cfg(feature = "engine")]
use anyhow::Context;
use anyhow::bail;
use goblin_core::clock::Clock;
use goblin_core::model::{better_model_for, nearest};
use goblin_providers::registry::Reference;
use goblin_store::data_dir::DataPaths;
use goblin_store::model_files::{ModelFile, ModelFiles, ModelSource};
use goblin_store::ollama_store::{self, OllamaModel};
use serde_json::json;

use crate::cli::Models;
use crate::command::keys;
use crate::config::Config;
use crate::model_choice::{choose, commands, is_starter, list_models};
use crate::output::{Output, bytes, complain};
use crate::{machine, wiring};

/// Runs the command. `serve` is not among them: it does not end. Nor are those of the roster, which ask other servers.
///
/// # Errors
///
/// Sentences of the store and of the GGUF reader.
pub(crate) fn run(command: &Models, config: &Config, output: Output) -> anyhow::Result<()> {
    let files = ModelFiles::new(&DataPaths::new(&config.data_dir), Clock::System);
    match command {
        Models::Serve(_) | Models::Roster(_) => Ok(()),
        Models::Keys(command) => keys::run(command, config, output),
        Models::List { json } => list(&files, config, *json, output),
        Models::Add { path, name } => {
            let ollama = path.to_str().and_then(|p| p.strip_prefix("ollama:"));
            match ollama {
                Some(model) => add_from_ollama(&files, config, model, name.as_deref(), output),
                None => add(&files, config, &File::at(path), name.as_deref(), output),
            }
        }
        Models::Rm { name } => remove(&files, name, output),
        Models::Show { name, json } => show(&files, name, *json, output),
        Models::Suggest { json } => {
            suggest(&files, *json, output);
            Ok(())
        }
    }
}

fn source(model: &ModelFile) -> &'static str {
    match model.source {
        _ if is_starter(model) => "starter",
        ModelSource::Starter => "starter",
        ModelSource::Added => "added",
        ModelSource::Found => "found",
        ModelSource::Pulled => "pulled",
        ModelSource::OllamaStore => "ollama-store",
    }
}

/// What the Ollamas of this machine hold, but for what is in the list already.
fn in_ollama(all: &[ModelFile], config: &Config) -> Vec<OllamaModel> {
    let found = ollama_store::read(&config.registry.ollama_stores);
    for problem in &found.problems {
        complain(format_args!("note: {problem}"));
    }
    let listed = |m: &OllamaModel| all.iter().any(|a| a.path == m.path);
    found.models.into_iter().filter(|m| !listed(m)).collect()
}

fn list(files: &ModelFiles, config: &Config, as_json: bool, output: Output) -> anyhow::Result<()> {
    let all = list_models(files)?;
    let ollama = in_ollama(&all, config);
    let chosen = choose(&all, config, machine::memory_bytes()).map(|m| m.path);
    let used = |m: &ModelFile| chosen.as_ref() == Some(&m.path);
    if as_json {
        let listed = all.iter().map(|m| {
            json!({
                "name": m.name, "path": m.path, "size_bytes": m.size_bytes, "source": source(m),
                "added_at": m.added_at, "sha256": m.sha256, "used": used(m),
                "listed": true, "reference": m.reference, "licence": m.licence,
            })
        });
        let beside = ollama.iter().map(|m| {
            json!({
                "name": m.name, "path": m.path, "size_bytes": m.size_bytes, "source": "ollama-store",
                "sha256": m.sha256, "used": false, "listed": false,
            })
        });
        output.json(&listed.chain(beside).collect::<Vec<_>>());
    } else if all.is_empty() && ollama.is_empty() {
        output.line(format_args!(
            "{}\nFiles in {} are found by themselves.",
            wiring::NO_MODEL_HELP,
            files.folder().display()
        ));
    } else {
        let listed = all.iter().map(|m| listed_row(m, used(m)));
        let rows = listed.chain(ollama.iter().map(ollama_row)).collect();
        output.table(&["NAME", "SIZE", "SOURCE", "FILE", ""], rows);
    }
    Ok(())
}

fn listed_row(model: &ModelFile, used: bool) -> Vec<String> {
    let size = model.size_bytes;
    vec![
        model.name.clone(),
        size.map_or_else(|| "the file is gone".to_owned(), bytes),
        source(model).to_owned(),
        model.path.display().to_string(),
        if used { "loaded at the start" } else { "" }.to_owned(),
    ]
}

fn ollama_row(model: &OllamaModel) -> Vec<String> {
    vec![
        model.name.clone(),
        bytes(model.size_bytes),
        "ollama-store".to_owned(),
        model.path.display().to_string(),
        format!("for the engine: goblin models add ollama:{}", model.name),
    ]
}

/// A file to be added, and what is known of it.
#[cfg_attr(
    not(feature = "engine"),
    allow(dead_code, reason = "only a build with the engine adds files")
)]
struct File<'a> {
    path: &'a Path,
    sha256: Option<String>,
    source: ModelSource,
}

impl<'a> File<'a> {
    /// A file of the person's own.
    fn at(path: &'a Path) -> Self {
        Self {
            path,
            sha256: None,
            source: ModelSource::Added,
        }
    }
}

/// Takes a model of this machine's Ollama into the list, where it lies.
fn add_from_ollama(
    files: &ModelFiles,
    config: &Config,
    model: &str,
    name: Option<&str>,
    output: Output,
) -> anyhow::Result<()> {
    let found = ollama_store::read(&config.registry.ollama_stores);
    for problem in &found.problems {
        complain(format_args!("note: {problem}"));
    }
    let Some(held) = found.find(model) else {
        let stores = &config.registry.ollama_stores;
        let stores: Vec<String> = stores.iter().map(|s| s.display().to_string()).collect();
        let hint = nearest(model, found.models.iter().map(|m| m.name.as_str()));
        let hint = hint.map_or_else(String::new, |n| format!(" Did you mean `ollama:{n}`?"));
        bail!(
            "No Ollama of this machine has a model `{model}`.{hint} Looked in {}; `registry.ollama_models` or \
             OLLAMA_MODELS names another folder.",
            stores.join(" and ")
        );
    };
    let local = Reference::parse(&held.name).map(|r| r.local_name());
    let name = name.map(str::to_owned).or_else(|| local.ok());
    let file = File {
        path: &held.path,
        sha256: Some(held.sha256.clone()),
        source: ModelSource::OllamaStore,
    };
    add(files, config, &file, name.as_deref(), output)
}

#[cfg(feature = "engine")]
fn add(
    files: &ModelFiles,
    config: &Config,
    file: &File<'_>,
    name: Option<&str>,
    output: Output,
) -> anyhow::Result<()> {
    let info = goblin_engine::usable(file.path, None)
        .with_context(|| format!("{} was not added", file.path.display()))?;
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("{} cannot be made", config.data_dir.display()))?;
    let model = files.add(file.path, name, file.sha256.clone(), file.source)?;
    output.line(format_args!(
        "added `{}`: {} {}, {}",
        model.name,
        info.architecture,
        info.parameters,
        bytes(info.file_bytes)
    ));
    if info.embeds() {
        output.line("It makes embeddings and does not answer.");
    } else if info.chat_template.is_none() {
        output.line("It carries no chat template, so conversations are put to it as plain text.");
    }
    let used = list_models(files)
        .ok()
        .and_then(|all| choose(&all, config, machine::memory_bytes()));
    if used.is_some_and(|m| m.name == model.name) {
        output.line("The next start of `goblin up` loads it.");
    } else {
        output.line(format_args!(
            "It is on offer as `engine/{}`, also in a goblin that runs.",
            model.name
        ));
    }
    Ok(())
}

#[cfg(not(feature = "engine"))]
fn add(_: &ModelFiles, _: &Config, file: &File<'_>, _: Option<&str>, _: Output) -> anyhow::Result<()> {
    bail!(
        "{} was not added: this build has no engine that could use it.",
        file.path.display()
    )
}

fn remove(files: &ModelFiles, name: &str, output: Output) -> anyhow::Result<()> {
    must_exist(files, name)?;
    let removed = files.remove(name)?;
    let path = removed.model.path.display();
    if removed.file_deleted {
        output.line(format_args!("removed `{name}` and deleted {path}"));
    } else {
        output.line(format_args!("removed `{name}`; {path} is kept"));
    }
    Ok(())
}

fn must_exist(files: &ModelFiles, name: &str) -> anyhow::Result<ModelFile> {
    let all = list_models(files)?;
    if let Some(model) = all.iter().find(|m| m.name == name) {
        return Ok(model.clone());
    }
    let hint = nearest(name, all.iter().map(|m| m.name.as_str()));
    let hint = hint.map_or_else(
        || "`goblin models list` shows all.".to_owned(),
        |n| format!("Did you mean `{n}`?"),
    );
    bail!("There is no model `{name}`. {hint}")
}

#[cfg(feature = "engine")]
fn show(files: &ModelFiles, name: &str, as_json: bool, output: Output) -> anyhow::Result<()> {
    let path = match must_exist(files, name) {
        Ok(model) => model.path,
        Err(_) if Path::new(name).is_file() => Path::new(name).to_owned(),
        Err(error) => return Err(error),
    };
    let info = goblin_engine::gguf::inspect(&path).with_context(|| path.display().to_string())?;
    if as_json {
        output.json(&json!({
            "path": path, "name": info.name, "architecture": info.architecture, "parameters": info.parameters,
            "parameter_count": info.parameter_count, "quantisation": info.quantisation,
            "context_length": info.context_length, "vocabulary": info.vocabulary, "tensors": info.tensor_count,
            "size_bytes": info.file_bytes, "kv_bytes_per_token": info.kv_bytes_per_token,
            "chat_template": info.chat_template, "gguf_version": info.version,
        }));
        return Ok(());
    }
    let unknown = || "not said".to_owned();
    let rows = [
        ("file", path.display().to_string()),
        ("name", info.name.unwrap_or_else(unknown)),
        ("architecture", info.architecture),
        ("parameters", info.parameters),
        (
            "quantisation",
            info.quantisation.map_or_else(unknown, str::to_owned),
        ),
        (
            "context",
            info.context_length
                .map_or_else(unknown, |n| format!("{n} tokens")),
        ),
        ("vocabulary", format!("{} tokens", info.vocabulary)),
        ("size", bytes(info.file_bytes)),
        (
            "makes",
            if info.pooling.is_some() {
                "embeddings"
            } else {
                "answers"
            }
            .to_owned(),
        ),
        (
            "context memory",
            format!("{} per 1,000 tokens", bytes(info.kv_bytes_per_token * 1000)),
        ),
        (
            "chat template",
            if info.chat_template.is_some() { "yes" } else { "no" }.to_owned(),
        ),
    ];
    for (what, value) in rows {
        output.line(format_args!("{what:<16}{value}"));
    }
    Ok(())
}

#[cfg(not(feature = "engine"))]
fn show(files: &ModelFiles, name: &str, as_json: bool, output: Output) -> anyhow::Result<()> {
    let model = must_exist(files, name)?;
    if as_json {
        output.json(&json!({"path": model.path, "name": model.name, "size_bytes": model.size_bytes}));
    } else {
        output.line(format_args!(
            "file            {}\nThis build has no engine to look inside.",
            model.path.display()
        ));
    }
    Ok(())
}

fn suggest(files: &ModelFiles, as_json: bool, output: Output) {
    let memory = machine::memory_bytes();
    let better = better_model_for(memory);
    if as_json {
        let suggestion = better.map(|b| json!({"model": b.name, "commands": commands(b, files.folder())}));
        output.json(&json!({"memory_bytes": memory, "suggestion": suggestion}));
        return;
    }
    let Some(better) = better else {
        output.line(format_args!(
            "{} of memory is little: the starter model is the one that fits.",
            bytes(memory)
        ));
        return;
    };
    output.line(format_args!(
        "{} fits this machine's {} of memory:\n",
        better.name,
        bytes(memory)
    ));
    for command in commands(better, files.folder()) {
        output.line(format_args!("  {command}"));
    }
}
