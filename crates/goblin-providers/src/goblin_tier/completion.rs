//! A text continued by the tier's `/api/generate`, whose lines become events.

use std::collections::VecDeque;

use goblin_core::completion::CompletionRequest;
use goblin_core::event::ChatEvent;
use goblin_core::provider::{ChatStream, ProviderError};
use goblin_core::wire::ollama::{AnswerDecoder, LineSplitter, PromptSize, encode_completion, upstream_error};
use goblin_net::Body;
use http::StatusCode;

use crate::openai_compat::{Upstream, before_answer, in_answer};
use crate::transport::Refused;

/// Asks for it.
///
/// # Errors
/// What failed before the answer began.
pub(super) async fn start(
    upstream: &Upstream,
    request: CompletionRequest,
) -> Result<ChatStream, ProviderError> {
    let path = upstream.base.path().trim_end_matches('/');
    let root = upstream.base.with_path(path.strip_suffix("/v1").unwrap_or(path));
    let body = encode_completion(&request)?;
    let outgoing = upstream.carrying(root.join("api/generate"), body, &request.origin, request.purpose);
    let response = upstream.net.send(outgoing).await.map_err(|e| before_answer(&e))?;
    if response.status != StatusCode::OK {
        let Refused {
            status,
            retry_after,
            body,
        } = Refused::read(response).await;
        return Err(upstream_error(
            status,
            &body,
            &request.model,
            retry_after,
            PromptSize::default(),
        ));
    }
    let lines = Lines {
        body: Some(response.body),
        splitter: LineSplitter::new(),
        decoder: AnswerDecoder::for_completion(&request.model, PromptSize::default()),
        ready: VecDeque::new(),
    };
    Ok(Box::pin(futures_util::stream::unfold(
        lines,
        |mut lines| async move {
            let item = lines.next().await.transpose()?;
            if item.is_err() {
                lines.body = None;
            }
            Some((item, lines))
        },
    )))
}

/// An answer under way. Dropping it closes the connection.
struct Lines {
    /// `None` once the answer is over.
    body: Option<Body>,
    splitter: LineSplitter,
    decoder: AnswerDecoder,
    ready: VecDeque<ChatEvent>,
}

impl Lines {
    /// The next event; nothing when the answer is over.
    async fn next(&mut self) -> Result<Option<ChatEvent>, ProviderError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(body) = self.body.as_mut() else {
                return Ok(None);
            };
            match body.chunk().await {
                Some(piece) => {
                    self.splitter.push(&piece.map_err(|e| in_answer(&e))?);
                    while let Some(line) = self.splitter.next_line() {
                        self.ready.extend(self.decoder.decode(&line?)?);
                    }
                }
                None => {
                    self.body = None;
                    if let Some(rest) = std::mem::take(&mut self.splitter).rest() {
                        self.ready.extend(self.decoder.decode(&rest)?);
                    }
                    self.decoder.finish()?;
                }
            }
        }
    }
}
