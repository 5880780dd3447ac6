//! What is logged on a test's behalf.

use std::io::Write;
use std::sync::{Arc, Mutex};

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
    /// Begins to collect.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let lines = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || lines.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The lines about the request with this id, with their targets: those of the access log, and all others.
    pub(crate) fn about(&self, request_id: &str) -> (Vec<Value>, Vec<Value>) {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| {
                line["fields"]["request_id"] == request_id || line["span"]["request_id"] == request_id
            })
            .partition(|line| line["target"] == "goblin::access")
    }
}
