//! A model tier: a dispatch without a store, and requests that say who asks.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::chat::{ChatRequest, Message, Purpose, Role};
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderHandle;
use goblin_dispatch::answer::{AnswerStream, Who};
use goblin_dispatch::{Dispatch, Options, Parts};
use goblin_store::turn_log::{Limits, TurnLog};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) fn tier(providers: Vec<ProviderHandle>, options: Options) -> Arc<Dispatch> {
    let dispatch = Dispatch::new(Parts {
        store: None,
        turn_log: TurnLog::memory(Clock::System, Limits::default()),
        clock: Clock::System,
        tracker: TaskTracker::new(),
        draining: CancellationToken::new(),
        options,
    });
    dispatch.replace_providers(providers);
    dispatch
}

pub(crate) fn who(key: &str) -> Who {
    Who {
        key: Some(key.into()),
        ..Who::owner(Owner::local())
    }
}

pub(crate) fn saying(model: &str, text: &str) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::text(Role::User, text)],
        stream: true,
        ..ChatRequest::default()
    }
}

pub(crate) fn verdict(model: &str, text: &str) -> ChatRequest {
    ChatRequest {
        purpose: Purpose::Verdict,
        ..saying(model, text)
    }
}

pub(crate) async fn ask(
    dispatch: &Arc<Dispatch>,
    key: &str,
    request: ChatRequest,
) -> Result<AnswerStream, ApiError> {
    ask_within(dispatch, key, request, None).await
}

pub(crate) async fn ask_within(
    dispatch: &Arc<Dispatch>,
    key: &str,
    request: ChatRequest,
    deadline: Option<Duration>,
) -> Result<AnswerStream, ApiError> {
    dispatch
        .answer_request(who(key), "tier", "r1".to_owned(), request, deadline)
        .await
}
