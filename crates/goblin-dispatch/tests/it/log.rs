//! What is logged on a test's behalf.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;

/// Lines of JSON, collected while the guard of [`Lines::listen`] lives, on its thread.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Everything so far, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of the access log since the last time they were taken; all others are dropped.
    pub(crate) fn take_access(&self) -> Vec<Value> {
        let access = self.access();
        self.0.lock().unwrap().clear();
        access
    }

    /// The lines of the access log.
    pub(crate) fn access(&self) -> Vec<Value> {
        let mut lines = self.parsed();
        lines.retain(|line| line["target"] == "goblin::access");
        lines
    }

    /// The lines about the request with this id, with their targets: those of the access log, and all others.
    #[allow(dead_code, reason = "for the server's tests, which share this file")]
    pub(crate) fn about(&self, request_id: &str) -> (Vec<Value>, Vec<Value>) {
        self.parsed()
            .into_iter()
            .filter(|line| {
                line["fields"]["request_id"] == request_id || line["span"]["request_id"] == request_id
            })
            .partition(|line| line["target"] == "goblin::access")
    }

    fn parsed(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Begins to collect what this thread logs.
    pub(crate) fn listen(&self) -> Listening {
        static ONCE: Once = Once::new();
        // One for the whole process: subscribers that come and go beside each other lose lines while what is enabled is
        // worked out anew.
        ONCE.call_once(|| {
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_max_level(tracing::Level::INFO)
                .with_writer(|| ToListener)
                .finish();
            tracing::subscriber::set_global_default(subscriber).unwrap();
        });
        LISTENER.with(|listener| *listener.borrow_mut() = Some(self.clone()));
        Listening
    }
}

thread_local! {
    /// Who collects what this thread logs.
    static LISTENER: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// Writes to whoever listens on this thread.
struct ToListener;

impl Write for ToListener {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LISTENER.with(|listener| match &mut *listener.borrow_mut() {
            Some(lines) => lines.write(bytes),
            None => Ok(bytes.len()),
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Ends the collecting when it is dropped.
pub(crate) struct Listening;

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENER.with(|listener| *listener.borrow_mut() = None);
    }
}
