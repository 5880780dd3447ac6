//! Changing which models there are.

use std::time::Duration;

use bytes::Bytes;
use goblin_core::limits::MAX_JSON_DEPTH;
use goblin_core::manage::{Action, ByteStream, Outcome, ProgressStream};
use goblin_core::provider::ProviderError;
use goblin_core::wire::json::depth_within;
use goblin_core::wire::ollama::{LineSplitter, PromptSize, keep_alive_json, upstream_error};
use goblin_net::{Body, Response};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Server, in_answer};

/// Most time for a blob to be sent, or a model to be loaded.
const LONG: Duration = Duration::from_secs(3600);
/// Most time between two signs of progress: the checksum of a large model says nothing meanwhile.
const PROGRESS_IDLE: Duration = Duration::from_secs(900);
/// Most bytes of a description (64 MiB; with tokens it is large).
const MAX_DESCRIPTION_BYTES: usize = 64 * 1024 * 1024;

impl Server {
    pub(super) async fn manage(&self, action: Action) -> Result<Outcome, ProviderError> {
        match action {
            Action::Show { model, verbose } => {
                let response = self.tell(
                    Method::POST,
                    "api/show",
                    json!({"model": model, "verbose": verbose}),
                    &model,
                );
                let body = response.await?.body.collect().await.map_err(|e| in_answer(&e))?;
                object(&body).map(Outcome::Described)
            }
            Action::Load { model, keep_alive } => {
                let facts = self.facts(&model).await?;
                let prompt = super::Prompt::of_text(0, None, None);
                let (plan, _running) = self.contexts.plan(&model, &prompt, &facts)?;
                let options = json!({"num_ctx": plan.context_tokens});
                let mut body = json!({"model": model, "stream": false, "options": options});
                if let Some(keep) = keep_alive {
                    body["keep_alive"] = keep_alive_json(keep);
                }
                self.tell_done(Method::POST, "api/generate", body, &model).await
            }
            Action::Unload { model } => {
                let body = json!({"model": model, "stream": false, "keep_alive": 0});
                self.tell_done(Method::POST, "api/generate", body, &model).await
            }
            Action::Pull { model } => {
                self.watch("api/pull", json!({"model": model, "stream": true}), &model)
                    .await
            }
            Action::Push { model } => {
                self.watch("api/push", json!({"model": model, "stream": true}), &model)
                    .await
            }
            Action::Create { mut fields } => {
                fields.insert("stream".to_owned(), true.into());
                let model = fields
                    .get("model")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                self.watch("api/create", fields.into(), &model).await
            }
            Action::Copy { source, destination } => {
                let body = json!({"source": source, "destination": destination});
                self.tell_done(Method::POST, "api/copy", body, &source).await
            }
            Action::Delete { model } => {
                let body = json!({ "model": model });
                self.tell_done(Method::DELETE, "api/delete", body, &model).await
            }
            Action::HasBlob { digest } => {
                let path = format!("api/blobs/{digest}");
                let response = self.send(self.request(Method::HEAD, &path, Bytes::new())).await?;
                match response.status {
                    StatusCode::OK => Ok(Outcome::Done),
                    StatusCode::NOT_FOUND => Ok(Outcome::Absent),
                    _ => Err(self.refusal(response, "", PromptSize::default()).await),
                }
            }
            Action::PutBlob { digest, body } => self.put_blob(&digest, body).await,
        }
    }

    async fn put_blob(&self, digest: &str, body: ByteStream) -> Result<Outcome, ProviderError> {
        let mut request = self.request(Method::POST, &format!("api/blobs/{digest}"), Bytes::new());
        request.first_byte_timeout = Some(LONG);
        let sent = self.net.send_streaming(request, body).await;
        let response = sent.map_err(|e| self.before_answer(&e))?;
        match response.status {
            StatusCode::OK | StatusCode::CREATED => Ok(Outcome::Done),
            _ => Err(self.refusal(response, "", PromptSize::default()).await),
        }
    }

    /// Says something, and takes only 200 for an answer.
    async fn tell(
        &self,
        method: Method,
        path: &str,
        body: Value,
        model: &str,
    ) -> Result<Response, ProviderError> {
        self.refuse_cloud(model).await?;
        let mut request = self.request(method, path, body.to_string().into());
        request.first_byte_timeout = Some(LONG);
        request.idle_timeout = Some(PROGRESS_IDLE);
        request.max_body_bytes = Some(MAX_DESCRIPTION_BYTES);
        let response = self.send(request).await?;
        match response.status {
            StatusCode::OK => Ok(response),
            _ => Err(self.refusal(response, model, PromptSize::default()).await),
        }
    }

    async fn tell_done(
        &self,
        method: Method,
        path: &str,
        body: Value,
        model: &str,
    ) -> Result<Outcome, ProviderError> {
        let response = self.tell(method, path, body, model).await?;
        let body = response.body.collect().await.map_err(|e| in_answer(&e))?;
        // Some of these answer nothing at all.
        match object(&body) {
            Ok(said) if said.contains_key("error") => {
                Err(upstream_error(200, &body, model, None, PromptSize::default()))
            }
            _ => Ok(Outcome::Done),
        }
    }

    async fn watch(&self, path: &str, body: Value, model: &str) -> Result<Outcome, ProviderError> {
        let response = self.tell(Method::POST, path, body, model).await?;
        let progress = Progress {
            body: Some(response.body),
            splitter: LineSplitter::new(),
            model: model.to_owned(),
            done: false,
        };
        Ok(Outcome::Progress(progress.into_stream()))
    }
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ProviderError> {
    let read = depth_within(body, MAX_JSON_DEPTH).then(|| serde_json::from_slice(body).ok());
    read.flatten().ok_or_else(|| ProviderError::Interrupted {
        reason: "what the server said is no JSON object".to_owned(),
    })
}

/// Something under way. Dropping it closes the connection, upon which Ollama stops.
struct Progress {
    body: Option<Body>,
    splitter: LineSplitter,
    model: String,
    done: bool,
}

impl Progress {
    fn into_stream(self) -> ProgressStream {
        Box::pin(futures_util::stream::unfold(self, |mut progress| async move {
            progress.next().await.map(|item| (item, progress))
        }))
    }

    async fn next(&mut self) -> Option<Result<Map<String, Value>, ProviderError>> {
        let item = loop {
            if let Some(line) = self.splitter.next_line() {
                break line.and_then(|line| self.read(&line));
            }
            let next = self.body.as_mut()?.chunk().await;
            match next {
                Some(Ok(piece)) => self.splitter.push(&piece),
                Some(Err(error)) if !self.done => break Err(in_answer(&error)),
                None if !self.done => {
                    break Err(ProviderError::Interrupted {
                        reason: "the server stopped in the middle".to_owned(),
                    });
                }
                _ => {
                    self.body = None;
                    return None;
                }
            }
        };
        if item.is_err() {
            self.body = None;
            self.splitter = LineSplitter::new();
        }
        Some(item)
    }

    fn read(&mut self, line: &[u8]) -> Result<Map<String, Value>, ProviderError> {
        let said = object(line)?;
        if said.contains_key("error") {
            return Err(upstream_error(
                200,
                line,
                &self.model,
                None,
                PromptSize::default(),
            ));
        }
        self.done |= said.get("status").and_then(Value::as_str) == Some("success");
        Ok(said)
    }
}
