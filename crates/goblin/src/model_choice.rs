//! Which model file the engine loads, and which better one is suggested.

use std::path::{Path, PathBuf};

use goblin_core::model::{BetterModel, better_model_for};
use goblin_core::status::Suggestion;
use goblin_store::model_files::{ModelFile, ModelFiles, ModelFilesError, ModelSource};

use crate::config::Config;
use crate::output::bytes;

/// File and size of the starter model, as `scripts/fetch_model.py` leaves it.
const STARTER_FILE: &str = "SmolLM2-135M-Instruct-Q4_1.gguf";
const STARTER_BYTES: u64 = 98_362_432;
/// Its name.
const STARTER_NAME: &str = "smollm2-135m-instruct";

/// Is this the small model that only shows that everything works?
pub(crate) fn is_starter(model: &ModelFile) -> bool {
    let named = model.path.file_name().is_some_and(|n| n == STARTER_FILE);
    model.source == ModelSource::Starter || (named && model.size_bytes == Some(STARTER_BYTES))
}

/// Every model of this machine. A starter model that lies in the folder is taken into the list under its own name,
/// where that can be written.
///
/// # Errors
///
/// When the list or the folder cannot be read.
pub(crate) fn list_models(files: &ModelFiles) -> Result<Vec<ModelFile>, ModelFilesError> {
    let all = files.list()?;
    let Some(found) = all
        .iter()
        .find(|m| m.source == ModelSource::Found && is_starter(m))
    else {
        return Ok(all);
    };
    match files.add(&found.path, Some(STARTER_NAME), None, ModelSource::Starter) {
        Ok(_) => files.list(),
        Err(_) => Ok(all),
    }
}

/// The model the engine loads: the configured one, else the default model's when the engine has it, else the
/// largest that leaves memory for its context, and the starter only when there is nothing else.
pub(crate) fn choose(all: &[ModelFile], config: &Config, memory_bytes: u64) -> Option<ModelFile> {
    if let Some(wanted) = &config.engine.model {
        return named(all, wanted).or_else(|| at_path(wanted));
    }
    let default = config
        .default_model
        .as_deref()
        .map(|m| m.strip_prefix("engine/").unwrap_or(m));
    if let Some(model) = default.and_then(|name| named(all, name)) {
        return Some(model);
    }
    let there = all.iter().filter(|m| m.size_bytes.is_some());
    there
        .max_by_key(|m| {
            let size = m.size_bytes.unwrap_or(0);
            let fits = size <= memory_bytes / 10 * 7;
            // Of those that do not fit, the smallest is the least wrong.
            (fits, !is_starter(m), if fits { size } else { u64::MAX - size })
        })
        .cloned()
}

fn named(all: &[ModelFile], name: &str) -> Option<ModelFile> {
    all.iter()
        .find(|m| m.name == name && m.size_bytes.is_some())
        .cloned()
}

/// A file that was never added, named by its path.
fn at_path(wanted: &str) -> Option<ModelFile> {
    let path = PathBuf::from(wanted);
    let size_bytes = std::fs::metadata(&path)
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    let stem = path
        .file_stem()?
        .to_string_lossy()
        .to_lowercase()
        .replace(' ', "-");
    let path = std::path::absolute(&path).unwrap_or(path);
    let source = ModelSource::Found;
    Some(ModelFile {
        name: stem,
        path,
        sha256: None,
        added_at: None,
        source,
        size_bytes: Some(size_bytes),
    })
}

/// A model worth having here, in place of a starter.
pub(crate) fn suggestion(memory_bytes: u64, models: &Path) -> Option<Suggestion> {
    let better = better_model_for(memory_bytes)?;
    Some(Suggestion {
        model: better.name.to_owned(),
        reason: format!("fits this machine's {} of memory", bytes(memory_bytes)),
        command: commands(better, models).join(" && "),
    })
}

/// What to run to have it.
pub(crate) fn commands(better: &BetterModel, models: &Path) -> [String; 2] {
    let file = models.join(better.file);
    let file = quoted(&file.to_string_lossy());
    let from = format!(
        "https://huggingface.co/{}/resolve/main/{}",
        better.repository, better.file
    );
    [
        format!("curl -L --fail --create-dirs -o {file} {from}"),
        format!("goblin models add {file}"),
    ]
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Request, load};

    fn model(name: &str, size: u64, source: ModelSource) -> ModelFile {
        let path = PathBuf::from(format!("/models/{name}.gguf"));
        ModelFile {
            name: name.into(),
            path,
            sha256: None,
            added_at: None,
            source,
            size_bytes: Some(size),
        }
    }

    fn config(settings: &[(&str, &str)]) -> Config {
        let flags = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned(), "--set".to_owned()))
            .collect();
        load(
            &Environment::of(&[("HOME", "/h")]),
            &Request {
                flags,
                ..Request::default()
            },
        )
        .unwrap()
        .config
    }

    #[test]
    fn the_largest_that_fits_is_loaded_and_the_starter_last() {
        let all = [
            model("starter", 500, ModelSource::Starter),
            model("small", 100, ModelSource::Added),
            model("middle", 600, ModelSource::Found),
            model("huge", 5000, ModelSource::Added),
        ];
        let of = |all: &[ModelFile], memory| choose(all, &config(&[]), memory).map(|m| m.name);
        assert_eq!(of(&all, 1000).as_deref(), Some("middle"));
        assert_eq!(of(&all[..2], 1000).as_deref(), Some("small"));
        assert_eq!(of(&all[..1], 1000).as_deref(), Some("starter"));
        assert_eq!(of(&all[3..], 1000).as_deref(), Some("huge"));
        assert_eq!(of(&[], 1000), None);
    }

    #[test]
    fn a_configured_model_is_that_one_or_none() {
        let all = [
            model("small", 100, ModelSource::Added),
            model("big", 600, ModelSource::Added),
        ];
        assert_eq!(
            choose(&all, &config(&[("engine.model", "small")]), 1000)
                .unwrap()
                .name,
            "small"
        );
        assert_eq!(
            choose(&all, &config(&[("models.default", "engine/small")]), 1000)
                .unwrap()
                .name,
            "small"
        );
        assert_eq!(choose(&all, &config(&[("engine.model", "absent")]), 1000), None);
    }

    #[test]
    fn the_commands_can_be_pasted_into_a_shell() {
        let better = better_model_for(24 << 30).unwrap();
        let [fetch, add] = commands(better, Path::new("/a b/models"));
        assert!(
            fetch.contains("-o '/a b/models/") && fetch.contains("https://huggingface.co/"),
            "{fetch}"
        );
        assert!(add.starts_with("goblin models add '/a b/models/"), "{add}");
    }
}
