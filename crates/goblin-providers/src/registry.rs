//! Registries models are pulled from: looking a model up, and opening its files at any byte.
//!
//! Two protocols. Ollama's registry is a Docker registry (manifest version 2, schema 2) whose layers have media types of
//! their own (`application/vnd.ollama.image.model` …; ollama's `server/images.go`, `server/download.go`). Hugging Face
//! has an API of models (`/api/models/REPOSITORY?blobs=true`) and hands files out below `/resolve/REVISION/`, mostly
//! by redirect (huggingface_hub's `file_download.py`).
//!
//! Nothing is written here: what a body brings is the caller's to keep and to check against
//! [`RemoteFile::sha256`].

mod answers;
mod huggingface;
mod ollama;
mod reference;

use std::time::Duration;

use bytes::Bytes;
use goblin_net::{Body, HttpClient, NetError, Request, Response, Url};
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, RANGE, USER_AGENT};
use http::{HeaderValue, Method};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

pub use reference::{Choice, HuggingFaceName, OllamaName, Reference, ReferenceError};

/// Largest manifest or description of a repository, in bytes.
const MAX_DESCRIPTION: usize = 16 << 20;

/// Where the registries are.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// A registry that speaks Ollama's protocol, for references that name no host.
    pub ollama: Url,
    /// Hugging Face, or a mirror of it.
    pub huggingface: Url,
    /// Sent to `huggingface` only, never to a host it redirects to.
    pub huggingface_token: Option<SecretString>,
}

/// Why a model cannot be had. `Display` is a sentence with the address that was asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RegistryError {
    /// Nobody answers, or the answer broke off.
    #[error("{source}. Tried {url}")]
    Network {
        /// What was asked for, without a query.
        url: String,
        /// Why it failed.
        source: NetError,
    },
    /// It asks to come back later.
    #[error("{address} is busy (status {status}){}", later(*retry_after))]
    Busy {
        /// `host:port`.
        address: String,
        /// The status.
        status: u16,
        /// When to come back, if it said so.
        retry_after: Option<Duration>,
    },
    /// There is no such model.
    #[error("{address} has no {what}{hint}")]
    NotFound {
        /// `host:port`.
        address: String,
        /// What was asked for.
        what: String,
        /// What there is instead, beginning with a space or a full stop; empty when that is not known.
        hint: String,
    },
    /// It wants to know who asks.
    #[error("{address} does not give {what} to us (status {status}): {hint}")]
    Unauthorized {
        /// `host:port`.
        address: String,
        /// What was asked for.
        what: String,
        /// The status.
        status: u16,
        /// What to do.
        hint: &'static str,
    },
    /// What answers is no registry, or contradicts itself.
    #[error("{address} does not answer as a registry does: {reason}")]
    NotARegistry {
        /// `host:port`.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// The model is there, and of no use to the engine.
    #[error("{what} cannot be used: {reason}")]
    Unsupported {
        /// The model.
        what: String,
        /// Why.
        reason: String,
    },
}

impl RegistryError {
    /// Could the same request succeed in a moment?
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Network { source, .. } => {
                matches!(source, NetError::Timeout { .. } | NetError::Reset { .. })
            }
            _ => false,
        }
    }

    /// When to come back, if the registry said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

fn later(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| {
        format!("; it asks to come back in {} s", wait.as_secs())
    })
}

/// A file a registry hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where.
    pub url: Url,
    /// Its length in bytes.
    pub size_bytes: u64,
    /// SHA-256 as 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether Hugging Face's token belongs to this request.
    with_token: bool,
}

/// A model as its registry describes it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The reference in its one spelling.
    pub reference: String,
    /// The name it gets on this machine.
    pub name: String,
    /// The GGUF.
    pub weights: RemoteFile,
    /// The licence's name, where the registry tells it.
    pub licence: Option<String>,
    /// The licence's texts, where the registry has them. Each at most [`MAX_LICENCE_BYTES`].
    pub licence_texts: Vec<RemoteFile>,
}

/// Longest licence, in bytes.
pub const MAX_LICENCE_BYTES: u64 = 1 << 20;

/// A file that has begun to arrive.
#[derive(Debug)]
pub struct Opened {
    /// The byte its body begins with: the one asked for, or 0 where the server knows no ranges.
    pub start: u64,
    /// What follows, to the end of the file and not further.
    pub body: Body,
}

/// The registries. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Registry {
    client: HttpClient,
    options: RegistryOptions,
}

impl Registry {
    /// Asks nobody yet.
    pub fn new(client: HttpClient, options: RegistryOptions) -> Self {
        Self { client, options }
    }

    /// What the registry has under this reference now.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn look_up(&self, reference: &Reference) -> Result<Offer, RegistryError> {
        match reference {
            Reference::Ollama(name) => ollama::look_up(self, reference, name).await,
            Reference::HuggingFace(name) => huggingface::look_up(self, reference, name).await,
        }
    }

    /// Begins to fetch a file at byte `from`, which must be within it.
    ///
    /// # Errors
    /// [`RegistryError`]; [`RegistryError::NotARegistry`] also when the length is not the one that was announced.
    pub async fn open(&self, file: &RemoteFile, from: u64) -> Result<Opened, RegistryError> {
        let mut request = self.request(Method::GET, file.url.clone(), file.with_token);
        if from > 0 {
            let range = HeaderValue::try_from(format!("bytes={from}-"));
            // Digits are always fit for a header; without the range the whole file would come, which is right too.
            if let Ok(range) = range {
                request.headers.insert(RANGE, range);
            }
        }
        // All of it, because a server that knows no ranges sends all of it.
        request.max_body_bytes = Some(usize::try_from(file.size_bytes).unwrap_or(usize::MAX));
        let response = self.send(request, true).await?;
        let address = file.url.address();
        let response = answers::expect_success(response, &address, &file_at(&file.url))?;
        answers::refuse_pages(&response, &address)?;
        let start = answers::check_extent(&response, &address, from, file.size_bytes)?;
        Ok(Opened {
            start,
            body: response.body,
        })
    }

    /// A small file whole, for example a licence.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn read(&self, file: &RemoteFile) -> Result<Bytes, RegistryError> {
        let opened = self.open(file, 0).await?;
        let read = opened.body.collect().await;
        read.map_err(|source| RegistryError::Network {
            url: without_query(&file.url),
            source,
        })
    }

    fn request(&self, method: Method, url: Url, with_token: bool) -> Request {
        let mut request = Request::new(method, url);
        request.headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("goblin/", env!("CARGO_PKG_VERSION"))),
        );
        // A compressed body would have neither the length nor the ranges that are counted on.
        request
            .headers
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = self.options.huggingface_token.as_ref().filter(|_| with_token) {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
            // A token that fits no header is refused by the configuration's check; without it the answer is 401.
            if let Ok(mut value) = value {
                value.set_sensitive(true);
                request.headers.insert(AUTHORIZATION, value);
            }
        }
        request
    }

    async fn send(&self, request: Request, follow: bool) -> Result<Response, RegistryError> {
        let url = without_query(&request.url);
        let sent = if follow {
            self.client.send_following(request).await
        } else {
            self.client.send(request).await
        };
        sent.map_err(|source| RegistryError::Network { url, source })
    }

    /// Asks for a description: small, JSON.
    async fn describe(&self, mut request: Request) -> Result<Response, RegistryError> {
        request.max_body_bytes = Some(MAX_DESCRIPTION);
        self.send(request, true).await
    }
}

fn without_query(url: &Url) -> String {
    let text = url.to_string();
    text.split('?').next().unwrap_or_default().to_owned()
}

fn file_at(url: &Url) -> String {
    format!("file {}", url.path().rsplit('/').next().unwrap_or_default())
}
