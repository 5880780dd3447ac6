//! Files only their owner may read, replaced as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to a new file beside `path` (mode 0600), forces it to disk and renames it into place: a
/// reader, or a start after a crash, sees the old content or the new, never a part. Root, who may, leaves it to
/// whoever had it: a command run with `sudo` does not take a file away from the user goblin runs as.
///
/// # Errors
/// What the system says; then `path` is as it was.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let temporary = temporary_beside(path)?;
    let written = write_new(&temporary, bytes).and_then(|()| {
        keep_owner(&temporary, path);
        fs::rename(&temporary, path)
    });
    if written.is_err() {
        // The first error is the one to tell; a file left over is only untidy.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    // The rename itself is on disk only once the directory is.
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives `file` to the owner of `like`, or of its folder while there is none. Only root can, and only then it is
/// needed, so a failure changes nothing.
#[cfg(unix)]
pub(crate) fn keep_owner(file: &Path, like: &Path) {
    use std::os::unix::fs::{MetadataExt, chown};
    let owner = |path: &Path| fs::metadata(path).ok().map(|m| (m.uid(), m.gid()));
    let wanted = owner(like).or_else(|| owner(like.parent()?));
    if let (Some((user, group)), Some((ours, _))) = (wanted, owner(file))
        && user != ours
    {
        let _ = chown(file, Some(user), Some(group));
    }
}

#[cfg(not(unix))]
pub(crate) fn keep_owner(_: &Path, _: &Path) {}

/// A hidden name beside `path`, of this process's own.
pub(crate) fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_readable_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_stays_its_owners_when_root_replaces_it() {
        use std::os::unix::fs::{MetadataExt, chown};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        write_private(&path, b"one").unwrap();
        // Anybody but root may not; then it is ours, before and after.
        let _ = chown(&path, Some(12_345), None);
        let owner = || fs::metadata(&path).unwrap().uid();
        let before = owner();
        write_private(&path, b"two").unwrap();
        assert_eq!((owner(), fs::read(&path).unwrap()), (before, b"two".to_vec()));
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), b"x").unwrap();
        assert!(write_private(&path, b"new").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
