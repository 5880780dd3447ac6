//! How far a change of the models is, as Ollama's clients read it: lines, or only the last one.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use futures_util::stream::iter;
use goblin_core::error::ApiError;
use goblin_core::wire::ollama;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::app::App;
use crate::ndjson;

/// Steps of a change; an error is the last item.
pub(crate) type Steps = Pin<Box<dyn Stream<Item = Result<Map<String, Value>, ApiError>> + Send>>;

/// Answers with every step, or, without `stream`, with the last one. Dropping the response's body drops `steps`,
/// which ends the change.
///
/// # Errors
///
/// What failed before the first byte; 504 when a change that is not streamed takes too long.
pub(crate) async fn respond(app: &App, stream: bool, steps: Steps) -> Result<Response, ApiError> {
    if stream {
        lines(app, steps).await
    } else {
        last(app, steps).await
    }
}

async fn last(app: &App, mut steps: Steps) -> Result<Response, ApiError> {
    let limit = app.options.answer_timeout;
    let whole = async {
        let mut last = Map::new();
        while let Some(step) = steps.next().await {
            last = step?;
        }
        Ok(Json(last).into_response())
    };
    timeout(limit, whole).await.map_err(|_| {
        let seconds = limit.as_secs();
        ApiError::deadline_exceeded(format!(
            "It was not done within {seconds} seconds and has been stopped. Ask with `\"stream\": true`."
        ))
    })?
}

/// The status line waits for the first step, so that a failure before it has a status of its own.
async fn lines(app: &App, mut steps: Steps) -> Result<Response, ApiError> {
    let first = match timeout(app.options.wait_for_first, steps.next()).await {
        Err(_) => None,
        Ok(Some(step)) => Some(Ok(step?)),
        Ok(None) => None,
    };
    // Silence is filled by saying the last step again.
    let said = Arc::new(Mutex::new(ndjson::line(&json!({"status": "waiting"}))));
    let again = Arc::clone(&said);
    let lines = iter(first).chain(steps).map(line_of).inspect(move |line| {
        *said.lock().unwrap_or_else(PoisonError::into_inner) = line.clone();
    });
    let filler = move || again.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(ndjson::response(lines, app.options.ping_every, filler))
}

fn line_of(step: Result<Map<String, Value>, ApiError>) -> Bytes {
    match step {
        Ok(step) => ndjson::line(&step),
        Err(error) => {
            let (code, internal) = (error.code.as_str(), error.internal.as_deref());
            tracing::warn!(code, internal, "a change of the models failed on its way");
            ollama::error_line(&error)
        }
    }
}
