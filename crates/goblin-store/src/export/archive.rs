//! A ZIP archive (APPNOTE 6.3) written into memory, from where it is taken piece by piece.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};

use crate::error::StoreError;

/// Bytes that wait to be taken.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Vec<u8>>>);

impl Waiting {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Waiting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An archive on its way.
pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Waiting>>,
    waiting: Waiting,
}

impl Archive {
    pub(super) fn begin() -> Self {
        let waiting = Waiting::default();
        Self {
            zip: ZipWriter::new_stream(waiting.clone()),
            waiting,
        }
    }

    /// Begins a file; the one before ends. Names are made here, never taken as they are.
    pub(super) fn start(&mut self, name: &str) -> Result<(), StoreError> {
        let options = SimpleFileOptions::default().unix_permissions(0o600);
        self.zip.start_file(name, options).map_err(unwritable)
    }

    /// Adds to the file that was begun last.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.zip.write_all(bytes).map_err(|e| unwritable(e.into()))
    }

    /// A whole file.
    pub(super) fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.start(name)?;
        self.write(bytes)
    }

    /// What was written since it was called last.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.waiting.take()
    }

    /// Ends the archive, and takes what is left.
    pub(super) fn end(self) -> Result<Vec<u8>, StoreError> {
        self.zip.finish().map_err(unwritable)?;
        Ok(self.waiting.take())
    }
}

fn unwritable(error: ZipError) -> StoreError {
    StoreError::Unreadable(format!("the archive cannot be written: {error}"))
}
