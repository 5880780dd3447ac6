//! A provider whose answers a test decides: scripted by the question, or played by hand, piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use goblin_core::chat::{ChatRequest, Role};
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{
    BoxFuture, ChatStream, Health, ProviderError, ProviderHandle, ProviderStatus, TokenCount,
};
use tokio::sync::{mpsc, oneshot};

/// The model every test may ask for.
pub(crate) const MODEL: &str = "fake/parrot";

type Item = Result<ChatEvent, ProviderError>;

/// A request played by hand: the test is the model.
pub(crate) struct Played {
    pieces: mpsc::UnboundedSender<Item>,
    gone: oneshot::Receiver<()>,
}

impl Played {
    /// The model says `text`.
    pub(crate) fn say(&self, text: &str) {
        let parsed = Parsed::Text {
            text: text.to_owned(),
            logprobs: Vec::new(),
        };
        let _ = self.pieces.send(Ok(parsed.into()));
    }

    /// The model is done.
    pub(crate) fn finish(self) {
        for event in ending() {
            let _ = self.pieces.send(Ok(event.into()));
        }
    }

    /// The model's server breaks.
    pub(crate) fn fail(self, error: ProviderError) {
        let _ = self.pieces.send(Err(error));
    }

    /// Waits until whoever read the answer has dropped it.
    pub(crate) async fn dropped(self) {
        let _ = self.gone.await;
    }
}

/// The test's side of the provider.
pub(crate) struct Provider {
    played: tokio::sync::Mutex<mpsc::UnboundedReceiver<Played>>,
    health: Arc<Mutex<Health>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The next request whose question begins with `play`.
    pub(crate) async fn played(&self) -> Played {
        let next = async { self.played.lock().await.recv().await.unwrap() };
        tokio::time::timeout(Duration::from_secs(30), next)
            .await
            .expect("a request to play")
    }

    /// Has no further request to play come?
    pub(crate) fn none_played(&self) -> bool {
        self.played
            .try_lock()
            .is_ok_and(|mut played| played.try_recv().is_err())
    }

    /// From now on the provider says this of itself.
    pub(crate) fn set_health(&self, health: Health) {
        *self.health.lock().unwrap() = health;
    }
}

/// A provider `fake` with the model `parrot`. What a question begins with decides the answer:
/// `play` hands it to the test, `overload`, `unreachable` and `long` fail, `panic` panics; anything else is
/// answered with `Hello there.`.
pub(crate) fn scripted() -> (ProviderHandle, Provider) {
    let (send, played) = mpsc::unbounded_channel();
    let health = Arc::new(Mutex::new(Health::Ok));
    let said = Arc::clone(&health);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let handle = ProviderHandle {
        count: Some(Arc::new(|_| {
            Box::pin(async {
                Ok(TokenCount {
                    prompt_tokens: 5,
                    context_window: 4096,
                    method: goblin_core::context_rule::CountMethod::Tokenizer,
                })
            })
        })),
        ..ProviderHandle::new(
            "fake",
            true,
            Arc::new(move |request| {
                count.fetch_add(1, Ordering::SeqCst);
                answer(request, &send)
            }),
            Arc::new(move || {
                let health = said.lock().unwrap().clone();
                Box::pin(async move { status(health) })
            }),
        )
    };
    (
        handle,
        Provider {
            played: tokio::sync::Mutex::new(played),
            health,
            asked,
        },
    )
}

fn status(health: Health) -> ProviderStatus {
    let parrot = ModelInfo {
        state: ModelState::Loaded,
        context_window: Some(4096),
        size_bytes: Some(98_362_432),
        parameters: Some("135M".into()),
        starter: true,
        ..ModelInfo::named("parrot")
    };
    ProviderStatus {
        health,
        models: vec![parrot],
        slots: Some(8),
        free_slots: Some(8),
        decode_tokens_per_second: None,
        prefill_tokens_per_second: None,
    }
}

fn ending() -> [Parsed; 2] {
    let usage = Usage {
        prompt_tokens: 5,
        completion_tokens: 2,
        ..Usage::default()
    };
    [
        Parsed::Finished {
            reason: FinishReason::Stop,
        },
        Parsed::Usage(usage),
    ]
}

fn answer(
    request: ChatRequest,
    played: &mpsc::UnboundedSender<Played>,
) -> BoxFuture<Result<ChatStream, ProviderError>> {
    let asked = request.messages.iter().rev().find(|m| m.role == Role::User);
    let question = asked
        .map(goblin_core::chat::Message::joined_text)
        .unwrap_or_default();
    let result = match question.split(' ').next().unwrap_or("") {
        // In the stream: a refusal at its start is asked again for a moment when there should be a place.
        "overload" => {
            let full = ProviderError::Overloaded {
                retry_after: Some(Duration::from_secs(7)),
            };
            let items: [Item; 1] = [Err(full)];
            Ok(Box::pin(futures_util::stream::iter(items)) as ChatStream)
        }
        "unreachable" => Err(ProviderError::Unavailable {
            reason: "10.0.0.7:11434 refused sk-secret".into(),
        }),
        "long" => Err(ProviderError::ContextExceeded {
            prompt_tokens: 9000,
            context_window: 4096,
        }),
        "rejected" => Err(ProviderError::Rejected {
            status: 422,
            code: Some("unsupported_value".into()),
            param: Some("temperature".into()),
            message: "Too hot for this model.".into(),
        }),
        "panic" => panic!("the parrot fell off its perch: secret"),
        "play" => Ok(by_hand(played)),
        _ => Ok(whole("Hello there.")),
    };
    Box::pin(async move { result })
}

fn whole(text: &str) -> ChatStream {
    let (first, rest) = text.split_at(text.len() / 2);
    let text = |t: &str| Parsed::Text {
        text: t.to_owned(),
        logprobs: Vec::new(),
    };
    let events = [Parsed::Started, text(first), text(rest)]
        .into_iter()
        .chain(ending());
    let items: Vec<Item> = events.map(|parsed| Ok(parsed.into())).collect();
    Box::pin(futures_util::stream::iter(items))
}

fn by_hand(played: &mpsc::UnboundedSender<Played>) -> ChatStream {
    let (pieces, heard) = mpsc::unbounded_channel();
    let (went, gone) = oneshot::channel();
    let _ = played.send(Played { pieces, gone });
    Box::pin(Heard { heard, _went: went })
}

/// Dropping it tells the test.
struct Heard {
    heard: mpsc::UnboundedReceiver<Item>,
    _went: oneshot::Sender<()>,
}

impl Stream for Heard {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        self.heard.poll_recv(cx)
    }
}
