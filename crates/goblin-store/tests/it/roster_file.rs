//! Roster and keys as one file, and an Ollama's store.

use std::fs;
use std::path::{Path, PathBuf};

use goblin_core::clock::{Clock, Timestamp};
use goblin_store::data_dir::DataPaths;
use goblin_store::key_file::KeyFile;
use goblin_store::model_files::{ModelFiles, ModelFilesError, ModelSource, Origin, licence_beside};
use goblin_store::ollama_store;
use goblin_store::roster_file::{Restored, RoleEntry, RosterFile, RosterFileError};

const NOW: Timestamp = Timestamp(1_795_471_200_123);

struct Machine {
    dir: tempfile::TempDir,
    paths: DataPaths,
    models: ModelFiles,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = DataPaths::new(dir.path().join("data"));
        fs::create_dir_all(paths.models()).unwrap();
        let models = ModelFiles::new(&paths, Clock::manual(NOW));
        Self { dir, paths, models }
    }

    fn pull(&self, file: &str, name: &str, digest: &str) -> Result<PathBuf, ModelFilesError> {
        let path = self.models.folder().join(file);
        fs::write(&path, "GGUF").unwrap();
        let origin = Origin {
            reference: "gemma:2b".into(),
            sha256: digest.repeat(32),
            licence: Some("Gemma Terms".into()),
        };
        self.models.put_pulled(&path, name, origin).map(|m| m.path)
    }

    fn key(&self) {
        let text = format!(
            "[[keys]]\nname = 'laptop'\nid = 'abcdefgh'\nsha256 = '{}'\nscopes = ['infer']\ncreated_at = '2026-01-01T00:00:00Z'\n",
            "0a".repeat(32)
        );
        fs::write(self.paths.tier_keys(), text).unwrap();
    }

    fn take(&self) -> RosterFile {
        let role = RoleEntry {
            role: "safety".into(),
            model: "gemma:2b".into(),
            keep_alive_seconds: Some(60),
        };
        RosterFile::take(&self.paths, &self.paths.tier_keys(), vec![role], NOW).unwrap()
    }

    fn restore(&self, file: &RosterFile, force: bool) -> Result<Restored, RosterFileError> {
        file.restore(&self.paths, &self.paths.tier_keys(), force)
    }
}

#[test]
fn a_pulled_model_is_replaced_by_its_update_and_its_old_file_deleted() {
    let machine = Machine::new();
    let old = machine.pull("gemma-1.gguf", "gemma:2b", "aa").unwrap();
    fs::write(licence_beside(&old), "terms").unwrap();
    let new = machine.pull("gemma-2.gguf", "gemma:2b", "bb").unwrap();
    assert!(!old.exists() && !licence_beside(&old).exists() && new.exists());
    let all = machine.models.list().unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        (
            all[0].source,
            all[0].reference.as_deref(),
            all[0].licence.as_deref()
        ),
        (ModelSource::Pulled, Some("gemma:2b"), Some("Gemma Terms"))
    );
    let renamed = machine
        .models
        .add(&new, Some("guard"), None, ModelSource::Added)
        .unwrap();
    assert_eq!(
        (renamed.source, renamed.reference.as_deref()),
        (ModelSource::Pulled, Some("gemma:2b"))
    );
    let mine = machine.dir.path().join("mine.gguf");
    fs::write(&mine, "GGUF").unwrap();
    machine
        .models
        .add(&mine, Some("taken"), None, ModelSource::Added)
        .unwrap();
    assert!(matches!(
        machine.pull("x.gguf", "taken", "cc"),
        Err(ModelFilesError::NameTaken(_))
    ));
    assert!(mine.exists());
}

#[test]
fn a_backup_is_private_small_and_restored_on_another_machine() {
    let (here, there) = (Machine::new(), Machine::new());
    here.pull("gemma.gguf", "gemma:2b", "aa").unwrap();
    let outside = here.dir.path().join("mine.gguf");
    fs::write(&outside, "GGUF").unwrap();
    here.models.add(&outside, None, None, ModelSource::Added).unwrap();
    here.key();
    let file = here.dir.path().join("backup.toml");
    here.take().write(&file, false).unwrap();
    assert!(matches!(
        here.take().write(&file, false),
        Err(RosterFileError::Exists(_))
    ));
    here.take().write(&file, true).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let backup = RosterFile::read(&file).unwrap();
    assert_eq!((backup.made_at, backup.roles.len()), (NOW, 1));
    let restored = there.restore(&backup, false).unwrap();
    assert_eq!(restored, Restored { models: 2, keys: 1 });
    let all = there.models.list().unwrap();
    let paths: Vec<&Path> = all.iter().map(|m| m.path.as_path()).collect();
    assert_eq!(paths, [there.models.folder().join("gemma.gguf"), outside]);
    assert_eq!(all[0].size_bytes, None, "its weights are pulled again");
    assert_eq!(
        KeyFile::open(there.paths.tier_keys()).unwrap().keys()[0].name,
        "laptop"
    );
    let refused = there.restore(&backup, false).unwrap_err().to_string();
    assert!(
        refused.contains("2 models") && refused.contains("--force"),
        "{refused}"
    );
    assert_eq!(there.restore(&backup, true).unwrap(), restored);
    let left: Vec<_> = fs::read_dir(there.paths.root())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.contains("restoring"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_is_no_backup_or_has_bad_keys_changes_nothing() {
    let machine = Machine::new();
    machine.key();
    let before = fs::read(machine.paths.tier_keys()).unwrap();
    let file = machine.dir.path().join("backup.toml");
    machine.take().write(&file, false).unwrap();
    let good = fs::read_to_string(&file).unwrap();
    for (bad, says) in [
        ("not toml at all".to_owned(), "no backup"),
        ("a = 1".to_owned(), "no version"),
        (good.replace("version = 1", "version = 9"), "version 9"),
        (good.replace("[list]", "[lost]"), "no backup"),
    ] {
        fs::write(&file, bad).unwrap();
        let error = RosterFile::read(&file).unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("backup.toml"), "{error}");
    }
    fs::write(&file, good.replace(&"0a".repeat(32), "zz")).unwrap();
    let backup = RosterFile::read(&file).unwrap();
    let error = machine.restore(&backup, true).unwrap_err().to_string();
    assert!(error.contains("tier-keys.toml"), "{error}");
    assert_eq!(fs::read(machine.paths.tier_keys()).unwrap(), before);
    assert!(!machine.paths.roster().exists());
}

/// A model in an Ollama's store.
fn ollama_model(store: &Path, place: &str, digest: &str, media: &str) {
    let manifest = store.join("manifests").join(place);
    fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    fs::create_dir_all(store.join("blobs")).unwrap();
    let text = format!(
        r#"{{"schemaVersion":2,"config":{{}},"layers":[
            {{"mediaType":"application/vnd.ollama.image.{media}","digest":"sha256:{digest}","size":4}},
            {{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:{digest}","size":4}}]}}"#
    );
    fs::write(manifest, text).unwrap();
    // A digest that is none names no file.
    if digest.len() == 64 {
        fs::write(store.join(format!("blobs/sha256-{digest}")), "GGUF").unwrap();
    }
}

#[test]
fn an_ollamas_models_are_read_where_they_lie_and_what_is_broken_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    let (a, b) = ("aa".repeat(32), "bb".repeat(32));
    ollama_model(&first, "registry.ollama.ai/library/qwen2.5/3b", &a, "model");
    ollama_model(&first, "registry.ollama.ai/someone/tuned/latest", &b, "model");
    ollama_model(&first, "hf.co/Org/Repo/Q4_0", &b, "model");
    ollama_model(&first, "registry.ollama.ai/library/cloudy/latest", &b, "other");
    ollama_model(&second, "registry.ollama.ai/library/qwen2.5/3b", &b, "model");
    let broken = first.join("manifests/registry.ollama.ai/library/broken");
    fs::create_dir_all(&broken).unwrap();
    fs::write(broken.join("latest"), "{").unwrap();
    ollama_model(
        &first,
        "registry.ollama.ai/library/evil/latest",
        "../../../etc/passwd",
        "model",
    );

    let found = ollama_store::read(&[first.clone(), dir.path().join("absent"), second]);
    let names: Vec<&str> = found.models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(
        names,
        ["hf.co/Org/Repo:Q4_0", "qwen2.5:3b", "someone/tuned:latest"]
    );
    let qwen = found.find("qwen2.5:3b").unwrap();
    assert_eq!((&qwen.sha256, qwen.size_bytes), (&a, 4), "the first folder's");
    assert_eq!(qwen.path, first.join(format!("blobs/sha256-{a}")));
    assert!(found.find("someone/tuned").is_some() && found.find("qwen2.5").is_none());
    assert_eq!(found.problems.len(), 2, "{:?}", found.problems);
    for part in ["broken/latest", "no SHA-256"] {
        assert!(found.problems.concat().contains(part), "{:?}", found.problems);
    }
}
