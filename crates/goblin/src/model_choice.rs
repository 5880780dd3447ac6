//! Which model file the engine loads first, and which better one is suggested.

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

/// The model the engine loads at its start: the first of [`candidates`] it can use.
pub(crate) fn choose(all: &[ModelFile], config: &Config, memory_bytes: u64) -> Option<ModelFile> {
    candidates(all, config, memory_bytes)
        .into_iter()
        .find(|model| problem(model).is_none())
}

/// The models the engine may load at its start, the best first. A configured one stands alone. Without it come the default
/// model's when the engine has it, then by size what leaves memory for its context, the starter after everything
/// else that fits.
pub(crate) fn candidates(all: &[ModelFile], config: &Config, memory_bytes: u64) -> Vec<ModelFile> {
    if config.engine.model.is_some() {
        return configured(all, config).into_iter().collect();
    }
    let default = config
        .default_model
        .as_deref()
        .map(|m| m.strip_prefix("engine/").unwrap_or(m));
    let mut there: Vec<ModelFile> = all.iter().filter(|m| m.size_bytes.is_some()).cloned().collect();
    there.sort_by_key(|m| {
        let size = m.size_bytes.unwrap_or(0);
        let fits = size <= memory_bytes / 10 * 7;
        let is_default = default == Some(m.name.as_str());
        // Of those that do not fit, the smallest is the least wrong.
        let by_size = if fits { size } else { u64::MAX - size };
        std::cmp::Reverse((is_default, fits, !is_starter(m), by_size))
    });
    there
}

/// The model the configuration names: one of the list, or a file by its path.
pub(crate) fn configured(all: &[ModelFile], config: &Config) -> Option<ModelFile> {
    let wanted = config.engine.model.as_ref()?;
    named(all, wanted).or_else(|| at_path(wanted))
}

/// Why the engine cannot answer with `model`, from its file alone; `None` when nothing speaks against it.
#[cfg(feature = "engine")]
pub(crate) fn problem(model: &ModelFile) -> Option<String> {
    match goblin_engine::usable(&model.path, None) {
        Err(error) => Some(error.to_string()),
        Ok(info) => info
            .embeds()
            .then(|| format!("it makes embeddings ({}) and does not answer", info.architecture)),
    }
}

/// This build cannot look inside.
#[cfg(not(feature = "engine"))]
pub(crate) fn problem(_: &ModelFile) -> Option<String> {
    None
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
        reference: None,
        licence: None,
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
            reference: None,
            licence: None,
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

    /// The names of the candidates, the best first.
    fn order(all: &[ModelFile], settings: &[(&str, &str)]) -> Vec<String> {
        let found = candidates(all, &config(settings), 1000);
        found.into_iter().map(|m| m.name).collect()
    }

    #[test]
    fn the_largest_that_fits_comes_first_and_the_starter_after_all_that_fit() {
        let all = [
            model("starter", 500, ModelSource::Starter),
            model("small", 100, ModelSource::Added),
            model("middle", 600, ModelSource::Found),
            model("huge", 5000, ModelSource::Added),
            model("vast", 6000, ModelSource::Added),
        ];
        assert_eq!(order(&all, &[]), ["middle", "small", "starter", "huge", "vast"]);
        assert_eq!(
            order(&all, &[("models.default", "engine/small")]),
            ["small", "middle", "starter", "huge", "vast"]
        );
        assert_eq!(order(&[], &[]), Vec::<String>::new());
    }

    #[test]
    fn a_configured_model_is_that_one_or_none() {
        let all = [
            model("small", 100, ModelSource::Added),
            model("big", 600, ModelSource::Added),
        ];
        assert_eq!(order(&all, &[("engine.model", "small")]), ["small"]);
        assert_eq!(order(&all, &[("engine.model", "absent")]), Vec::<String>::new());
    }

    #[cfg(feature = "engine")]
    #[test]
    fn a_file_the_engine_cannot_use_never_takes_the_place_of_one_it_can() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            ModelFile {
                path,
                ..model(name, 500 + bytes.len() as u64 % 100, ModelSource::Added)
            }
        };
        let works = file("works", &gguf("llama", "{{ messages }}"));
        let all = [
            file("page", b"<html>404</html>"),
            file("vectors", &gguf("nomic-bert", "{{ messages }}")),
            file("template", &gguf("llama", "{% if %}")),
            works,
        ];
        let chosen = choose(&all, &config(&[]), 10_000);
        assert_eq!(chosen.map(|m| m.name).as_deref(), Some("works"));
        assert_eq!(choose(&all[..3], &config(&[]), 10_000), None);
        assert!(problem(&all[1]).unwrap().contains("embeddings (nomic-bert)"));
    }

    /// The smallest header of a model that answers: one layer, one token, one tensor of one number.
    #[cfg(feature = "engine")]
    fn gguf(architecture: &str, template: &str) -> Vec<u8> {
        let text = |t: &str| [&(t.len() as u64).to_le_bytes(), t.as_bytes()].concat();
        let number = |n: u32| n.to_le_bytes().to_vec();
        let long = |n: u64| n.to_le_bytes().to_vec();
        [
            b"GGUF".to_vec(),
            number(3),
            long(1),
            long(4),
            // Types: 8 is a text, 4 a number, 9 an array.
            text("general.architecture"),
            number(8),
            text(architecture),
            text(&format!("{architecture}.block_count")),
            number(4),
            number(1),
            text("tokenizer.chat_template"),
            number(8),
            text(template),
            text("tokenizer.ggml.tokens"),
            number(9),
            number(8),
            long(1),
            text("a"),
            // The tensor: one dimension of one 32-bit number.
            text("t"),
            number(1),
            long(1),
            number(0),
            long(0),
            vec![0; 64],
        ]
        .concat()
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
