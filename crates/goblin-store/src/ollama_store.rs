//! The models an installed Ollama holds, read where they lie.
//!
//! Ollama keeps `manifests/HOST/NAMESPACE/NAME/TAG` (a Docker manifest as JSON) and `blobs/sha256-DIGEST` below its
//! models folder (ollama's `server/modelpath.go`). Nothing is ever written there. Every call blocks on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The host and namespace Ollama leaves out of a name.
const USUAL: [&str; 2] = ["registry.ollama.ai", "library"];
/// Largest manifest that is read, in bytes.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;
/// Most entries looked at in one store.
const MAX_ENTRIES: usize = 10_000;

/// A model in an Ollama's store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OllamaModel {
    /// As Ollama calls it, with its tag: `qwen2.5:3b`, `someone/model:latest`.
    pub name: String,
    /// The GGUF, a file without an extension.
    pub path: PathBuf,
    /// SHA-256 as 64 hexadecimal digits, as the manifest says.
    pub sha256: String,
    /// Bytes on disk.
    pub size_bytes: u64,
}

/// What was found, and what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// By name.
    pub models: Vec<OllamaModel>,
    /// Sentences about folders and files that could not be read.
    pub problems: Vec<String>,
}

impl Found {
    /// The model Ollama calls `name`; without a tag, `latest` is meant.
    pub fn find(&self, name: &str) -> Option<&OllamaModel> {
        let tagged = if name.contains(':') {
            name.to_owned()
        } else {
            format!("{name}:latest")
        };
        self.models.iter().find(|m| m.name == tagged)
    }
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: String,
}

/// The models of every folder that is there. A model in two of them is the first one's.
pub fn read(folders: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for folder in folders {
        let mut walk = Walk {
            store: folder,
            left: MAX_ENTRIES,
            found: &mut found,
        };
        walk.folder(&folder.join("manifests"), &mut Vec::new());
    }
    found.models.sort_by(|a, b| a.name.cmp(&b.name));
    found.models.dedup_by(|a, b| a.name == b.name);
    found
}

struct Walk<'a> {
    store: &'a Path,
    left: usize,
    found: &'a mut Found,
}

impl Walk<'_> {
    /// Host, namespace, name: three folders deep, then a file for each tag.
    fn folder(&mut self, path: &Path, names: &mut Vec<String>) {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(e) => return self.problem(path, &e.to_string()),
        };
        for entry in entries {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return self.problem(path, &e.to_string()),
            };
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            names.push(name);
            if names.len() < 4 {
                if entry.path().is_dir() {
                    self.folder(&entry.path(), names);
                }
            } else if entry.path().is_file() {
                self.tag(&entry.path(), names);
            }
            names.pop();
        }
    }

    fn tag(&mut self, path: &Path, names: &[String]) {
        match self.model(path, names) {
            Ok(Some(model)) => self.found.models.push(model),
            // A cloud model, or one in another format: of no use here, and no fault.
            Ok(None) => {}
            Err(reason) => self.problem(path, &reason),
        }
    }

    fn model(&self, path: &Path, names: &[String]) -> Result<Option<OllamaModel>, String> {
        let [host, namespace, name, tag] = names else {
            return Ok(None);
        };
        let size = fs::metadata(path).map_err(|e| e.to_string())?.len();
        if size > MAX_MANIFEST_BYTES {
            return Err(format!("it is larger than {MAX_MANIFEST_BYTES} bytes"));
        }
        let text = fs::read(path).map_err(|e| e.to_string())?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|e| format!("it is no manifest: {e}"))?;
        let mut weights = manifest
            .layers
            .iter()
            .filter(|l| l.media_type == "application/vnd.ollama.image.model");
        let (Some(layer), None) = (weights.next(), weights.next()) else {
            return Ok(None);
        };
        let sha256 = layer
            .digest
            .strip_prefix("sha256:")
            .filter(|d| d.len() == 64 && d.bytes().all(|b| b.is_ascii_hexdigit()))
            .ok_or("its digest is no SHA-256")?;
        let blob = self.store.join("blobs").join(format!("sha256-{sha256}"));
        let size_bytes = fs::metadata(&blob)
            .map_err(|e| format!("its file {} cannot be used: {e}", blob.display()))?
            .len();
        let short = match [host.as_str(), namespace.as_str()] {
            usual if usual == USUAL => format!("{name}:{tag}"),
            [host, namespace] if host == USUAL[0] => format!("{namespace}/{name}:{tag}"),
            [host, namespace] => format!("{host}/{namespace}/{name}:{tag}"),
        };
        Ok(Some(OllamaModel {
            name: short,
            path: blob,
            sha256: sha256.to_owned(),
            size_bytes,
        }))
    }

    fn problem(&mut self, path: &Path, reason: &str) {
        self.found
            .problems
            .push(format!("{} cannot be read: {reason}.", path.display()));
    }
}
