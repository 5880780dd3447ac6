//! The list of model files and the directory beside it.

use std::fs;
use std::path::PathBuf;

use goblin_core::clock::{Clock, Timestamp};
use goblin_store::data_dir::DataPaths;
use goblin_store::model_files::{ModelFiles, ModelFilesError, ModelSource};

struct Shelf {
    dir: tempfile::TempDir,
    models: ModelFiles,
}

impl Shelf {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let paths = DataPaths::new(dir.path().join("data"));
        fs::create_dir_all(paths.models()).unwrap();
        Self {
            models: ModelFiles::new(&paths, Clock::manual(Timestamp(7))),
            dir,
        }
    }

    fn file(&self, place: &str) -> PathBuf {
        let path = self.dir.path().join(place);
        fs::write(&path, "GGUF").unwrap();
        path
    }

    fn names(&self) -> Vec<String> {
        self.models.list().unwrap().into_iter().map(|m| m.name).collect()
    }
}

#[test]
fn a_file_elsewhere_is_listed_where_it_is_and_stays_when_forgotten() {
    let shelf = Shelf::new();
    let path = shelf.file("My Model.gguf");
    let added = shelf
        .models
        .add(&path, None, Some("ab".repeat(32)), ModelSource::Added)
        .unwrap();
    assert_eq!((added.name.as_str(), &added.path), ("my-model", &path));
    assert_eq!((added.added_at, added.size_bytes), (Some(Timestamp(7)), Some(4)));
    assert_eq!(shelf.models.list().unwrap(), std::slice::from_ref(&added));
    assert_eq!(shelf.models.find("my-model").unwrap(), Some(added.clone()));
    let removed = shelf.models.remove("my-model").unwrap();
    assert_eq!((removed.model, removed.file_deleted), (added, false));
    assert!(path.is_file() && shelf.names().is_empty());
}

#[test]
fn a_file_in_the_directory_is_listed_without_being_added_and_deleted_when_removed() {
    let shelf = Shelf::new();
    let path = shelf.file("data/models/Found-00001-of-00002.gguf");
    shelf.file("data/models/Found-00002-of-00002.gguf");
    shelf.file("data/models/half.gguf.part");
    assert_eq!(shelf.names(), ["found"]);
    let found = shelf.models.find("found").unwrap().unwrap();
    assert_eq!((found.source, found.added_at), (ModelSource::Found, None));

    let starter = shelf
        .models
        .add(&path, Some("starter"), None, ModelSource::Starter)
        .unwrap();
    assert_eq!(
        shelf.models.list().unwrap(),
        [starter],
        "added, it is listed once"
    );
    assert!(shelf.models.remove("starter").unwrap().file_deleted);
    assert!(!path.exists() && shelf.names().is_empty());
}

#[cfg(unix)]
#[test]
fn removing_a_link_in_the_directory_leaves_what_it_points_at() {
    let shelf = Shelf::new();
    let real = shelf.file("real.gguf");
    let link = shelf.models.folder().join("link.gguf");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(shelf.models.remove("link").unwrap().file_deleted);
    assert!(real.is_file() && !link.exists());
}

#[test]
fn names_are_unique_and_a_file_is_listed_once() {
    let shelf = Shelf::new();
    let (a, b) = (shelf.file("a.gguf"), shelf.file("b.gguf"));
    shelf
        .models
        .add(&a, Some("m:1"), None, ModelSource::Added)
        .unwrap();
    let taken = shelf.models.add(&b, Some("m:1"), None, ModelSource::Added);
    assert!(matches!(taken, Err(ModelFilesError::NameTaken(_))), "{taken:?}");
    shelf
        .models
        .add(&a, None, Some("cd".repeat(32)), ModelSource::Added)
        .unwrap();
    assert_eq!(shelf.names(), ["m:1"], "added again, it keeps its name");
    shelf
        .models
        .add(&a, Some("renamed"), None, ModelSource::Added)
        .unwrap();
    assert_eq!(shelf.names(), ["renamed"]);
    // Two found files that would share a name each get one.
    shelf.file("data/models/x.gguf");
    shelf.file("data/models/X.GGUF");
    assert_eq!(shelf.names(), ["renamed", "x", "x-2"]);
}

#[test]
fn what_is_missing_or_misnamed_is_refused_and_a_vanished_file_is_told() {
    let shelf = Shelf::new();
    let gone = shelf.dir.path().join("gone.gguf");
    assert!(matches!(
        shelf.models.add(&gone, None, None, ModelSource::Added),
        Err(ModelFilesError::NoSuchFile(_))
    ));
    let path = shelf.file("gone.gguf");
    for bad in ["", "Upper", "a/b", "../x", "-dash"] {
        let refused = shelf.models.add(&path, Some(bad), None, ModelSource::Added);
        assert!(matches!(refused, Err(ModelFilesError::BadName(_))), "{bad}");
    }
    shelf.models.add(&path, None, None, ModelSource::Added).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(shelf.models.list().unwrap()[0].size_bytes, None);
    assert!(!shelf.models.remove("gone").unwrap().file_deleted);
    assert!(matches!(
        shelf.models.remove("gone"),
        Err(ModelFilesError::NotFound(_))
    ));
}

#[test]
fn a_broken_list_is_named_and_left_as_it_is() {
    let shelf = Shelf::new();
    let path = shelf.file("a.gguf");
    let roster = shelf.dir.path().join("data/models.toml");
    fs::write(&roster, "models = 3").unwrap();
    for error in [
        shelf.models.list().unwrap_err(),
        shelf
            .models
            .add(&path, None, None, ModelSource::Added)
            .unwrap_err(),
    ] {
        assert!(error.to_string().contains("models.toml"), "{error}");
    }
    assert_eq!(fs::read_to_string(&roster).unwrap(), "models = 3");
}
