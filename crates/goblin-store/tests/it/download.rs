//! Large files that arrive in pieces, and processes that die in between.

use std::fs;
use std::path::Path;

use goblin_store::download::{Begun, Download, DownloadError, Wanted, has_sha256};
use sha2::{Digest, Sha256};

const CONTENT: &[u8] =
    b"GGUF and then a hundred bytes of weights, more or less, which is enough to be cut anywhere.";

fn wanted() -> Wanted {
    Wanted {
        file_name: "model.gguf".into(),
        size_bytes: CONTENT.len() as u64,
        sha256: hex::encode(Sha256::digest(CONTENT)),
        source: "gemma:2b".into(),
    }
}

fn begin(folder: &Path, wanted: Wanted) -> Download {
    match Download::begin(folder, wanted).unwrap() {
        Begun::Partly(download) => *download,
        Begun::There(path) => panic!("{} is there", path.display()),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_cut_at_any_byte_is_resumed_there_and_ends_whole() {
    for cut in 0..=CONTENT.len() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("models");
        let mut first = begin(&folder, wanted());
        first.write(&CONTENT[..cut]).unwrap();
        drop(first);
        let mut second = begin(&folder, wanted());
        assert_eq!(second.received(), cut as u64);
        second.write(&CONTENT[cut..]).unwrap();
        let arrived = second.finish().unwrap();
        assert!(!folder.join("model.gguf").exists(), "not before it is accepted");
        assert_eq!(fs::read(arrived.path()).unwrap(), CONTENT);
        let place = arrived.accept().unwrap();
        assert_eq!(fs::read(&place).unwrap(), CONTENT);
        assert_eq!(names(&folder), ["model.gguf"]);
        let there = Download::begin(&folder, wanted()).unwrap();
        assert!(matches!(there, Begun::There(path) if path == place));
        assert_eq!(names(&folder), ["model.gguf"], "looking leaves nothing behind");
    }
}

#[test]
fn a_wrong_checksum_throws_everything_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut altered = CONTENT.to_vec();
    altered[40] ^= 1;
    let mut download = begin(dir.path(), wanted());
    download.write(&altered).unwrap();
    let error = download.finish().unwrap_err();
    assert!(
        matches!(&error, DownloadError::Checksum { expected, .. } if *expected == wanted().sha256),
        "{error}"
    );
    assert!(names(dir.path()).is_empty());
    assert!(has_sha256(CONTENT, &wanted().sha256) && !has_sha256(&altered, &wanted().sha256));
}

#[test]
fn too_little_stays_to_be_resumed_and_too_much_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut download = begin(dir.path(), wanted());
    download.write(&CONTENT[..10]).unwrap();
    let error = download.finish().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("Only 10 of {} bytes came.", CONTENT.len())
    );
    let mut download = begin(dir.path(), wanted());
    assert_eq!(download.received(), 10);
    assert!(matches!(
        download.write(CONTENT),
        Err(DownloadError::TooLong { .. })
    ));
    download.write(&CONTENT[10..]).unwrap();
    download.finish().unwrap().accept().unwrap();
}

#[test]
fn a_part_of_something_else_or_of_nothing_known_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.gguf.part"), "left by someone").unwrap();
    let mut download = begin(dir.path(), wanted());
    assert_eq!(download.received(), 0, "nothing says what it is");
    download.write(&CONTENT[..20]).unwrap();
    drop(download);
    let other = Wanted {
        sha256: "ab".repeat(32),
        ..wanted()
    };
    assert_eq!(
        begin(dir.path(), other).received(),
        0,
        "it was a part of another file"
    );
    fs::write(dir.path().join("model.gguf.part.json"), "{").unwrap();
    assert_eq!(begin(dir.path(), wanted()).received(), 0, "its state is damaged");
}

#[test]
fn a_download_can_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut download = begin(dir.path(), wanted());
    download.write(b"a server without ranges").unwrap();
    download.restart().unwrap();
    assert_eq!(download.received(), 0);
    download.write(CONTENT).unwrap();
    assert_eq!(
        fs::read(download.finish().unwrap().accept().unwrap()).unwrap(),
        CONTENT
    );
}

#[test]
fn one_file_is_fetched_by_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let first = begin(dir.path(), wanted());
    assert!(matches!(
        Download::begin(dir.path(), wanted()),
        Err(DownloadError::InUse(_))
    ));
    drop(first);
    begin(dir.path(), wanted());
}

#[test]
fn what_would_fill_the_disk_is_refused_before_a_byte_comes() {
    let dir = tempfile::tempdir().unwrap();
    let huge = Wanted {
        size_bytes: 1 << 60,
        ..wanted()
    };
    let error = Download::begin(dir.path(), huge).unwrap_err();
    assert!(
        matches!(error, DownloadError::NoSpace { needed, .. } if needed == 1 << 60),
        "{error}"
    );
}

#[test]
fn names_that_leave_the_folder_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["../out", "a/b", "", ".."] {
        let wanted = Wanted {
            file_name: name.into(),
            ..wanted()
        };
        let refused = Download::begin(&dir.path().join("in"), wanted);
        assert!(
            matches!(refused, Err(DownloadError::Disk { .. })),
            "{name}: {refused:?}"
        );
    }
    assert_eq!(names(dir.path()), ["in"]);
}
