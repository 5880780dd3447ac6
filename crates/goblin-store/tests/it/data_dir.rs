//! One process at a time in a data directory, and clear words when it cannot be used.

use goblin_store::data_dir::{DataDir, DataDirError};

#[test]
fn a_data_directory_is_made_private_and_held_by_one_at_a_time() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/new one");
    let first = DataDir::open(&path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
    assert!(first.paths().models().is_dir() && first.available_bytes().unwrap() > 0);

    let second = DataDir::open(&path).unwrap_err();
    assert!(matches!(&second, DataDirError::AlreadyInUse { pid, .. } if *pid == Some(std::process::id())));
    let sentence = second.to_string();
    assert!(
        sentence.contains(&std::process::id().to_string()) && sentence.contains("new one"),
        "{sentence}"
    );

    DataDir::open(&parent.path().join("other")).unwrap();
    drop(first);
    DataDir::open(&path).unwrap();
}

#[test]
fn a_lock_left_by_a_dead_process_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("goblin.lock"), "4194304\n").unwrap();
    let open = DataDir::open(dir.path()).unwrap();
    let pid = std::fs::read_to_string(open.paths().lock()).unwrap();
    assert_eq!(pid.trim(), std::process::id().to_string());
}

#[test]
fn an_unusable_place_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    // The last cannot be written by anyone, root included.
    for path in [file.clone(), file.join("below"), "/proc/goblin".into()] {
        let error = DataDir::open(&path).unwrap_err();
        assert!(
            matches!(
                error,
                DataDirError::Unusable { .. } | DataDirError::ReadOnly { .. }
            ),
            "{error:?}"
        );
        let sentence = error.to_string();
        assert!(
            sentence.contains(&*path.to_string_lossy()) && sentence.contains("hoose"),
            "{sentence}"
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"in the way");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_called_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write anyway; for it, the kernel's own read-only tree stands in.
    let for_root = std::fs::write(path.join("try"), "").is_ok();
    let path = if for_root { "/sys/kernel".into() } else { path };
    let error = DataDir::open(&path).unwrap_err();
    assert!(matches!(error, DataDirError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("read-only"), "{error}");
}
