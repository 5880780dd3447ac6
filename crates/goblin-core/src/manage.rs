//! Changing which models a provider has. Only for callers with the admin scope.
//!
//! The words are Ollama's (`docs/api.md`), because it is the provider that can do all of this.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use serde_json::{Map, Value};

use crate::chat::KeepAlive;
use crate::provider::{BoxFuture, ProviderError};

/// Bytes that arrive bit by bit, from a caller. An error ends them.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, std::io::Error>> + Send>>;

/// How far something is: JSON objects with `status`, and where known `digest`, `total` and `completed` in bytes.
/// The last one says `success`. Dropping it cancels the work.
pub type ProgressStream = Pin<Box<dyn Stream<Item = Result<Map<String, Value>, ProviderError>> + Send>>;

/// Does something to the models.
pub type ManageFn = Arc<dyn Fn(Action) -> BoxFuture<Result<Outcome, ProviderError>> + Send + Sync>;

/// What is to be done.
pub enum Action {
    /// Describe a model: Ollama's `show`.
    Show {
        /// Which.
        model: String,
        /// With tensors and tokens.
        verbose: bool,
    },
    /// Bring a model into memory.
    Load {
        /// Which.
        model: String,
        /// How long it stays there unused; `None` = the server's setting.
        keep_alive: Option<KeepAlive>,
    },
    /// Take a model out of memory.
    Unload {
        /// Which.
        model: String,
    },
    /// Fetch a model from its registry.
    Pull {
        /// Which.
        model: String,
    },
    /// Give a model to its registry.
    Push {
        /// Which.
        model: String,
    },
    /// Make a model from others or from blobs: the fields of Ollama's `create`.
    Create {
        /// The fields, `model` among them.
        fields: Map<String, Value>,
    },
    /// Give a model a second name.
    Copy {
        /// The name it has.
        source: String,
        /// The name it gets.
        destination: String,
    },
    /// Forget a model.
    Delete {
        /// Which.
        model: String,
    },
    /// Is this blob there?
    HasBlob {
        /// `sha256:` and 64 hexadecimal digits.
        digest: String,
    },
    /// Keep this blob.
    PutBlob {
        /// `sha256:` and 64 hexadecimal digits.
        digest: String,
        /// Its bytes.
        body: ByteStream,
    },
}

/// How it went.
pub enum Outcome {
    /// Done.
    Done,
    /// It is not there ([`Action::HasBlob`]).
    Absent,
    /// A description ([`Action::Show`]).
    Described(Map<String, Value>),
    /// It is under way.
    Progress(ProgressStream),
}
