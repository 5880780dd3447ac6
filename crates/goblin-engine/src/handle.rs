//! The engine as the rest of goblin meets it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use goblin_core::chat::ChatRequest;
use goblin_core::decide::{DecideRequest, DecideResponse};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::event::Parsed;
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{
    ChatStream, DecideFn, EmbedFn, Health, ProviderError, ProviderHandle, ProviderStatus, TokenCount,
};
use tokio::sync::{mpsc, oneshot};

use crate::answer::Event;
use crate::decide::DecideJob;
use crate::embed::EmbedJob;
use crate::engine::{Loaded, Shared, State};
use crate::gguf::GgufInfo;
use crate::{PROVIDER_ID, decide, embed, prepare};

/// Work for the decode thread.
pub(crate) enum Job {
    Chat(Box<prepare::ChatJob>),
    Decide(Box<DecideJob>),
    Embed(Box<EmbedJob>),
    /// Nothing to do but to look whether to stop.
    Wake,
}

/// The handle of the engine behind `shared`.
pub(crate) fn handle(shared: &Arc<Shared>) -> ProviderHandle {
    let [for_chat, for_decide, for_embed, for_count, for_status] =
        std::array::from_fn(|_| Arc::clone(shared));
    let decide: DecideFn =
        Arc::new(move |request| Box::pin(decide_request(Arc::clone(&for_decide), request)));
    let embed: EmbedFn = Arc::new(move |request| Box::pin(embed_request(Arc::clone(&for_embed), request)));
    let can = capabilities(&shared.info, false);
    ProviderHandle {
        decide: can.contains(&Capability::Decide).then_some(decide),
        embed: can.contains(&Capability::Embed).then_some(embed),
        count: Some(Arc::new(move |request| {
            Box::pin(count(Arc::clone(&for_count), request))
        })),
        ..ProviderHandle::new(
            PROVIDER_ID,
            true,
            Arc::new(move |request| Box::pin(chat(Arc::clone(&for_chat), request))),
            Arc::new(move || {
                let status = status(&for_status);
                Box::pin(async move { status })
            }),
        )
    }
}

pub(crate) async fn chat(shared: Arc<Shared>, request: ChatRequest) -> Result<ChatStream, ProviderError> {
    let loaded = ready(&shared, &request.model)?;
    answers(&shared.info, &loaded.name)?;
    // The place first: a full engine should not spend time on a prompt it cannot take.
    let permit = Arc::clone(&shared.chat_places)
        .try_acquire_owned()
        .map_err(|_| ProviderError::Overloaded { retry_after: None })?;
    let ids = shared.ids.clone();
    let (job, receiver) = blocking(move || prepare::chat(&loaded, &request, ids, permit)).await?;
    submit(&shared, Job::Chat(Box::new(job)))?;
    Ok(Box::pin(Answering {
        receiver,
        over: false,
    }))
}

/// # Errors
/// When the model makes vectors and nothing else.
pub(crate) fn answers(info: &GgufInfo, name: &str) -> Result<(), ProviderError> {
    if !info.embeds() {
        return Ok(());
    }
    let message = format!("The model `{name}` makes embeddings; it does not answer. Choose another model.");
    Err(prepare::rejected("model", message))
}

/// # Errors
/// When the model does not make vectors.
pub(crate) fn embeds(info: &GgufInfo, name: &str) -> Result<(), ProviderError> {
    if info.embeds() {
        return Ok(());
    }
    let message = format!(
        "The model `{name}` makes no embeddings: its file names no way to make one vector of a text."
    );
    Err(prepare::rejected("model", message))
}

/// # Errors
/// When the model cannot go back in a text: it would evaluate the shared text anew for every question.
pub(crate) fn decides(rewinds: bool, name: &str) -> Result<(), ProviderError> {
    if rewinds {
        return Ok(());
    }
    let message = format!("The model `{name}` cannot answer typed questions: it cannot go back in a text.");
    Err(prepare::rejected("model", message))
}

pub(crate) async fn decide_request(
    shared: Arc<Shared>,
    request: DecideRequest,
) -> Result<DecideResponse, ProviderError> {
    let loaded = ready(&shared, &request.model)?;
    answers(&shared.info, &loaded.name)?;
    decides(loaded.rewinds, &loaded.name)?;
    let permit = Arc::clone(&shared.decide_places)
        .try_acquire_owned()
        .map_err(|_| ProviderError::Overloaded { retry_after: None })?;
    let (reply, answer) = oneshot::channel();
    let job = blocking(move || decide::prepare(&loaded, &request, reply, permit)).await?;
    submit(&shared, Job::Decide(Box::new(job)))?;
    answer.await.map_err(|_| stopped())?
}

pub(crate) async fn embed_request(
    shared: Arc<Shared>,
    request: EmbedRequest,
) -> Result<EmbedResponse, ProviderError> {
    let loaded = ready(&shared, &request.model)?;
    embeds(&shared.info, &loaded.name)?;
    let permit = Arc::clone(&shared.chat_places)
        .try_acquire_owned()
        .map_err(|_| ProviderError::Overloaded { retry_after: None })?;
    let (reply, answer) = oneshot::channel();
    let job = blocking(move || embed::prepare(&loaded, &request, reply, permit)).await?;
    submit(&shared, Job::Embed(Box::new(job)))?;
    answer.await.map_err(|_| stopped())?
}

pub(crate) async fn count(shared: Arc<Shared>, request: ChatRequest) -> Result<TokenCount, ProviderError> {
    let loaded = ready(&shared, &request.model)?;
    answers(&shared.info, &loaded.name)?;
    blocking(move || prepare::count(&loaded, &request)).await
}

/// Runs what takes long off the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ProviderError::Unavailable {
            reason: "preparing the request failed".to_owned(),
        })?
}

fn submit(shared: &Shared, job: Job) -> Result<(), ProviderError> {
    // The channel holds one job for each place and one to wake the thread, so it is full only when
    // something is very wrong.
    shared.jobs.try_send(job).map_err(|error| match error {
        std::sync::mpsc::TrySendError::Full(_) => ProviderError::Overloaded { retry_after: None },
        std::sync::mpsc::TrySendError::Disconnected(_) => stopped(),
    })
}

pub(crate) fn stopped() -> ProviderError {
    ProviderError::Interrupted {
        reason: "the engine stopped".to_owned(),
    }
}

/// The loaded model, if it is the one named.
fn ready(shared: &Shared, model: &str) -> Result<Arc<Loaded>, ProviderError> {
    if model != shared.options.name {
        return Err(ProviderError::ModelNotFound {
            model: model.to_owned(),
        });
    }
    let unavailable = |reason: String| Err(ProviderError::Unavailable { reason });
    match &*shared.state.borrow() {
        State::Ready(loaded) => Ok(Arc::clone(loaded)),
        State::Loading(_) => unavailable(loading(shared)),
        State::Failed(error) => unavailable(error.to_string()),
    }
}

pub(crate) fn loading(shared: &Shared) -> String {
    let done = match &*shared.state.borrow() {
        State::Loading(done) => *done,
        State::Ready(_) | State::Failed(_) => 1.0,
    };
    format!("{} is loading, {:.0} %", shared.options.name, done * 100.0)
}

/// What a model can do, by its file; `tools`: its template has a form for them.
pub(crate) fn capabilities(info: &GgufInfo, tools: bool) -> Vec<Capability> {
    if info.embeds() {
        return vec![Capability::Embed];
    }
    let mut can = vec![Capability::Chat, Capability::Logprobs, Capability::Grammar];
    if info.rewinds {
        can.push(Capability::Decide);
    }
    if tools {
        can.push(Capability::Tools);
    }
    can
}

fn status(shared: &Shared) -> ProviderStatus {
    let state = shared.state.borrow().clone();
    let (health, model_state, tools) = match &state {
        State::Ready(loaded) => (Health::Ok, ModelState::Loaded, loaded.template.tools().is_some()),
        State::Loading(_) => (Health::Starting(loading(shared)), ModelState::Loading, false),
        State::Failed(error) => (Health::Down(error.to_string()), ModelState::Down, false),
    };
    let capabilities = capabilities(&shared.info, tools);
    let is_ready = health == Health::Ok;
    ProviderStatus {
        health,
        models: vec![ModelInfo {
            state: model_state,
            context_window: Some(shared.plan.context_tokens),
            capabilities,
            size_bytes: Some(shared.info.file_bytes),
            parameters: Some(shared.info.parameters.clone()),
            starter: shared.options.starter,
            ..ModelInfo::named(shared.options.name.clone())
        }],
        slots: Some(shared.plan.sequences),
        free_slots: Some(if is_ready {
            u32::try_from(shared.chat_places.available_permits()).unwrap_or(0)
        } else {
            0
        }),
        decode_tokens_per_second: shared.counting.decode_rate(),
        prefill_tokens_per_second: shared.counting.prefill_rate(),
    }
}

/// The reading end of an answer. Dropping it cancels the answer.
struct Answering {
    receiver: mpsc::Receiver<Event>,
    over: bool,
}

impl Stream for Answering {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(event)) => {
                self.over |= match &event {
                    Ok(event) => matches!(event.parsed, Parsed::Finished { .. }),
                    Err(_) => true,
                };
                Poll::Ready(Some(event))
            }
            // The decode thread is gone without a word: an end the reader must not take for the answer's.
            Poll::Ready(None) if !self.over => {
                self.over = true;
                Poll::Ready(Some(Err(stopped())))
            }
            other => other,
        }
    }
}
