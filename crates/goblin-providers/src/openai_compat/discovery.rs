//! How a server is and which models it offers, asked for when wanted and believed for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use goblin_core::provider::{Health, ProviderStatus};
use goblin_core::wire::openai::{ListedModels, parse_model_list};
use goblin_net::{NetError, Request, Response, Url};
use http::{Method, StatusCode};
use tokio::sync::Mutex;

use super::Upstream;

/// Most bytes of a list of models (4 MiB).
const MAX_LIST_BYTES: usize = 4 * 1024 * 1024;

/// Asks a server how it is, by one question at a time.
pub(super) struct Discovery {
    upstream: Arc<Upstream>,
    ttl: Duration,
    // Held while asking: whoever comes meanwhile waits and takes the same answer.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    last: Option<(Instant, ProviderStatus)>,
}

impl Discovery {
    pub(super) fn new(upstream: Arc<Upstream>, ttl: Duration) -> Self {
        Self {
            upstream,
            ttl,
            known: Mutex::new(Known::default()),
        }
    }

    pub(super) async fn status(&self) -> ProviderStatus {
        let mut known = self.known.lock().await;
        if let Some((asked_at, status)) = &known.last
            && asked_at.elapsed() < self.ttl
        {
            return status.clone();
        }
        let status = match self.upstream.list_models().await {
            Ok(listed) => answering(listed),
            Err(health) => not_answering(health),
        };
        known.last = Some((Instant::now(), status.clone()));
        status
    }
}

fn answering(listed: ListedModels) -> ProviderStatus {
    ProviderStatus {
        health: Health::Ok,
        models: listed.models,
        slots: listed.extras.slots,
        free_slots: listed.extras.free_slots,
        decode_tokens_per_second: listed.extras.decode_tokens_per_second,
        prefill_tokens_per_second: listed.extras.prefill_tokens_per_second,
    }
}

/// A 503: llama.cpp's server and our own tier say so while a model loads. Our tier says `no_provider` when nothing loads
/// and the model servers behind it are away.
async fn unavailable(address: &str, response: Response) -> Health {
    let body = response.body.collect().await.unwrap_or_default();
    let said: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if said["error"]["code"] == "no_provider" {
        Health::Broken(format!("{address} answers, but no model server behind it does"))
    } else {
        Health::Starting(format!("{address} is still loading its model"))
    }
}

pub(crate) fn not_answering(health: Health) -> ProviderStatus {
    ProviderStatus {
        health,
        ..answering(ListedModels::default())
    }
}

impl Upstream {
    pub(crate) async fn list_models(&self) -> Result<ListedModels, Health> {
        let body = self
            .ask(Method::GET, self.base.join("models"), Bytes::new())
            .await?;
        parse_model_list(&body)
            .map_err(|why| Health::Broken(format!("{} answers, but {why}", self.base.address())))
    }

    /// Asks a question about the server itself. What it says when it does not answer is for operators: it names the
    /// address and the cause.
    pub(crate) async fn ask(&self, method: Method, url: Url, body: Bytes) -> Result<Bytes, Health> {
        let response = self.question(method, url, body).await?;
        self.told(response).await
    }

    /// As [`Self::ask`]; `None` where the server has no such door, or was not started with it.
    pub(crate) async fn ask_if_there(&self, url: Url) -> Result<Option<Bytes>, Health> {
        let response = self.question(Method::GET, url, Bytes::new()).await?;
        match response.status {
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(None),
            _ => self.told(response).await.map(Some),
        }
    }

    /// Sends a question; any status is an answer.
    pub(crate) async fn question(&self, method: Method, url: Url, body: Bytes) -> Result<Response, Health> {
        let mut request = Request::new(method, url);
        request.headers = self.headers.clone();
        if !body.is_empty() {
            let json = http::HeaderValue::from_static("application/json");
            request.headers.insert(http::header::CONTENT_TYPE, json);
        }
        request.body = body;
        request.first_byte_timeout = Some(self.status_timeout);
        request.idle_timeout = Some(self.status_timeout);
        request.max_body_bytes = Some(MAX_LIST_BYTES);
        self.net.send(request).await.map_err(down)
    }

    async fn told(&self, response: Response) -> Result<Bytes, Health> {
        let (address, status) = (self.base.address(), response.status);
        match status {
            StatusCode::OK => response.body.collect().await.map_err(down),
            StatusCode::SERVICE_UNAVAILABLE => Err(unavailable(&address, response).await),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Health::Refused(format!(
                "{address} refused this server's key (HTTP {})",
                status.as_u16()
            ))),
            _ => Err(Health::Broken(format!(
                "{address} answered HTTP {} when asked for its models",
                status.as_u16()
            ))),
        }
    }
}

fn down(error: NetError) -> Health {
    Health::Down(error.to_string())
}
