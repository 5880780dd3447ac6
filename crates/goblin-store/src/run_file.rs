//! A file that only grows, line by line: what a long piece of work has found so far. Stopped at any moment, it goes on
//! behind its last whole line. Every call blocks on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Larger files are not ours.
const MAX_BYTES: u64 = 256 << 20;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The disk refuses.
    #[error("{} cannot be used: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("Another goblin is writing {} right now. Wait for it, or stop it.", .0.display())]
    InUse(PathBuf),
    /// It is no file of lines.
    #[error("{} is no file this goblin writes: {reason}", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
}

/// The file, open for more. No other process can open it so until it is dropped.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
    file: File,
}

impl RunFile {
    /// Opens the file, or makes it, its folder included. Returns its whole lines, as one text, too; a last line without
    /// an end is cut off.
    ///
    /// # Errors
    /// When the disk refuses, another process has it, or it is not text.
    pub fn open(path: &Path) -> Result<(Self, String), RunFileError> {
        let disk = |source| RunFileError::Disk {
            path: path.to_owned(),
            source,
        };
        let not_ours = |reason| RunFileError::NotOurs {
            path: path.to_owned(),
            reason,
        };
        if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(disk)?;
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(disk)?;
        if !fs4::fs_std::FileExt::try_lock_exclusive(&file).map_err(disk)? {
            return Err(RunFileError::InUse(path.to_owned()));
        }
        if file.metadata().map_err(disk)?.len() > MAX_BYTES {
            return Err(not_ours("it is too large"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(disk)?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(whole);
        let text = String::from_utf8(bytes).map_err(|_| not_ours("it is not text"))?;
        file.set_len(text.len() as u64).map_err(disk)?;
        let path = path.to_owned();
        Ok((Self { path, file }, text))
    }

    /// Adds a line, which must hold no line end. It is there for whoever reads the file when this returns.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&self, line: &str) -> Result<(), RunFileError> {
        let whole = format!("{line}\n");
        (&self.file)
            .write_all(whole.as_bytes())
            .map_err(|source| RunFileError::Disk {
                path: self.path.clone(),
                source,
            })
    }

    /// Throws away what it holds.
    ///
    /// # Errors
    /// What the system says.
    pub fn clear(&self) -> Result<(), RunFileError> {
        self.file.set_len(0).map_err(|source| RunFileError::Disk {
            path: self.path.clone(),
            source,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_is_written_again_behind_the_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/run.jsonl");
        let (file, text) = RunFile::open(&path).unwrap();
        assert_eq!(text, "");
        file.append("{\"a\":1}").unwrap();
        drop(file);
        let mut cut = OpenOptions::new().append(true).open(&path).unwrap();
        cut.write_all("{\"b\":\"ä".as_bytes()).unwrap();
        let (file, text) = RunFile::open(&path).unwrap();
        assert_eq!(text, "{\"a\":1}\n");
        file.append("{\"c\":3}").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
        file.clear().unwrap();
        file.append("{}").unwrap();
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "{}\n");
    }

    #[test]
    fn two_writers_are_one_too_many_and_what_is_no_text_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.jsonl");
        let (first, _) = RunFile::open(&path).unwrap();
        assert!(matches!(RunFile::open(&path), Err(RunFileError::InUse(_))));
        drop(first);
        fs::write(&path, [0xff, 0xfe, b'\n']).unwrap();
        assert!(matches!(RunFile::open(&path), Err(RunFileError::NotOurs { .. })));
        assert_eq!(fs::read(&path).unwrap(), [0xff, 0xfe, b'\n']);
    }
}
