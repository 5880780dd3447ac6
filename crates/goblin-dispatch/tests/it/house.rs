//! What the tests stand on: providers whose every event the test sends by hand, and a dispatch over a real store.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use goblin_core::chat::ChatRequest;
use goblin_core::clock::Clock;
use goblin_core::error::ApiError;
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::id::Ids;
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::owner::Owner;
use goblin_core::provider::{ChatStream, Health, ProviderError, ProviderHandle, ProviderStatus, TokenCount};
use goblin_core::wire::openai::parse_chat_request;
use goblin_dispatch::answer::{AnswerItem, AnswerStream, Ask, Who};
use goblin_dispatch::{Dispatch, Options, Parts};
use goblin_store::store::{Database, Store, StoreOptions};
use goblin_store::turn_log::{Limits, TurnLog};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Long enough for any machine; a test that needs it has hung.
pub(crate) const HANG: Duration = Duration::from_secs(20);

/// A provider the test drives.
#[derive(Clone)]
pub(crate) struct Scripted {
    id: &'static str,
    slots: Option<u32>,
    window: u32,
    /// Tokens a second it says it generates.
    decode: Option<f64>,
    models: Arc<Mutex<Vec<ModelInfo>>>,
    health: Arc<Mutex<Health>>,
    calls: mpsc::UnboundedSender<Call>,
    pub(crate) dropped: Arc<AtomicUsize>,
    /// How often tokens were counted.
    pub(crate) counts: Arc<AtomicUsize>,
    refuse: Arc<Mutex<Vec<ProviderError>>>,
}

/// A request that reached the provider, and the way to answer it.
pub(crate) struct Call {
    pub(crate) request: ChatRequest,
    pub(crate) answer: mpsc::UnboundedSender<Result<ChatEvent, ProviderError>>,
}

impl Call {
    pub(crate) fn text(&self, text: &str) {
        let _ = self.answer.send(Ok(Parsed::Text {
            text: text.to_owned(),
            logprobs: vec![],
        }
        .into()));
    }

    pub(crate) fn fail(&self, error: ProviderError) {
        let _ = self.answer.send(Err(error));
    }

    pub(crate) fn finish(self) {
        let usage = Usage {
            prompt_tokens: 7,
            completion_tokens: 2,
            cached_tokens: 3,
            reasoning_tokens: 0,
        };
        let _ = self.answer.send(Ok(Parsed::Finished {
            reason: FinishReason::Stop,
        }
        .into()));
        let _ = self.answer.send(Ok(Parsed::Usage(usage).into()));
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A model in memory that answers chats.
pub(crate) fn model(name: &str) -> ModelInfo {
    ModelInfo {
        state: ModelState::Loaded,
        ..ModelInfo::named(name)
    }
}

pub(crate) fn scripted(id: &'static str, slots: Option<u32>) -> (Scripted, mpsc::UnboundedReceiver<Call>) {
    let (calls, received) = mpsc::unbounded_channel();
    let dropped = Arc::default();
    (
        Scripted {
            id,
            slots,
            window: 4096,
            decode: None,
            models: Arc::new(Mutex::new(vec![model("small")])),
            health: Arc::new(Mutex::new(Health::Ok)),
            calls,
            dropped,
            counts: Arc::default(),
            refuse: Arc::default(),
        },
        received,
    )
}

impl Scripted {
    pub(crate) fn with_window(mut self, window: u32) -> Self {
        self.window = window;
        self
    }

    /// It says that it generates so many tokens a second.
    pub(crate) fn generating(mut self, tokens_per_second: f64) -> Self {
        self.decode = Some(tokens_per_second);
        self
    }

    /// From now on it offers these.
    pub(crate) fn offers(&self, models: Vec<ModelInfo>) {
        *self.models.lock().unwrap() = models;
    }

    /// From now on it is like this.
    pub(crate) fn is(&self, health: Health) {
        *self.health.lock().unwrap() = health;
    }

    /// The next request is answered with this error, the one after it with the next.
    pub(crate) fn refusing(self, errors: Vec<ProviderError>) -> Self {
        *self.refuse.lock().unwrap() = errors;
        self
    }

    /// Is no answer under way?
    pub(crate) fn is_free(&self) -> bool {
        self.dropped.load(Ordering::SeqCst) > 0
    }

    fn chat(&self, request: ChatRequest) -> Result<ChatStream, ProviderError> {
        if let Some(error) = self.refuse.lock().unwrap().pop() {
            return Err(error);
        }
        let (answer, mut events) = mpsc::unbounded_channel();
        let _ = self.calls.send(Call { request, answer });
        let guard = CountDrop(Arc::clone(&self.dropped));
        Ok(Box::pin(futures_util::stream::poll_fn(move |cx| {
            let _alive = &guard;
            events.poll_recv(cx)
        })))
    }

    fn status(&self) -> ProviderStatus {
        let mut models = self.models.lock().unwrap().clone();
        for model in &mut models {
            model.context_window = model.context_window.or(Some(self.window));
        }
        ProviderStatus {
            health: self.health.lock().unwrap().clone(),
            models,
            slots: self.slots,
            free_slots: None,
            decode_tokens_per_second: self.decode,
            prefill_tokens_per_second: None,
        }
    }

    /// Tokens are counted as words.
    fn count(&self, request: &ChatRequest) -> TokenCount {
        self.counts.fetch_add(1, Ordering::SeqCst);
        let words = request
            .messages
            .iter()
            .map(|m| m.joined_text().split_whitespace().count())
            .sum::<usize>();
        TokenCount {
            prompt_tokens: words as u32,
            context_window: self.window,
            method: goblin_core::context_rule::CountMethod::Tokenizer,
        }
    }

    pub(crate) fn handle(&self) -> ProviderHandle {
        let (chat, status, count) = (self.clone(), self.clone(), self.clone());
        ProviderHandle {
            count: Some(Arc::new(move |request| {
                let counted = count.count(&request);
                Box::pin(async move { Ok(counted) })
            })),
            ..ProviderHandle::new(
                self.id,
                true,
                Arc::new(move |request| {
                    let answer = chat.chat(request);
                    Box::pin(async move { answer })
                }),
                Arc::new(move || {
                    let status = status.status();
                    Box::pin(async move { status })
                }),
            )
        }
    }
}

/// A dispatch over a store in a folder of its own.
pub(crate) struct House {
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) store: Store,
    pub(crate) tracker: TaskTracker,
    pub(crate) draining: CancellationToken,
    folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn with(providers: Vec<ProviderHandle>, options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions {
            database: Database::File(folder.path().join("goblin.db")),
            clock: Clock::System,
            ids: Ids::Random,
        })
        .await
        .unwrap();
        let (tracker, draining) = (TaskTracker::new(), CancellationToken::new());
        let dispatch = Dispatch::new(Parts {
            store: Some(store.clone()),
            turn_log: TurnLog::memory(Clock::System, Limits::default()),
            clock: Clock::System,
            tracker: tracker.clone(),
            draining: draining.clone(),
            options,
        });
        dispatch.replace_providers(providers);
        Self {
            dispatch,
            store,
            tracker,
            draining,
            folder,
        }
    }

    /// Does something to the database behind the store's back.
    pub(crate) async fn sql(&self, statement: &'static str) {
        let mut connection = self.connection().await;
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }

    /// One number out of the database; waits until there is one.
    pub(crate) async fn number(&self, question: &'static str) -> i64 {
        let mut connection = self.connection().await;
        soon(async {
            loop {
                let found: Option<i64> = sqlx::query_scalar(question)
                    .fetch_optional(&mut connection)
                    .await
                    .unwrap();
                if let Some(found) = found {
                    return found;
                }
            }
        })
        .await
    }

    async fn connection(&self) -> sqlx::SqliteConnection {
        let file = self.folder.path().join("goblin.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        sqlx::ConnectOptions::connect(&options).await.unwrap()
    }

    pub(crate) async fn ask(&self, model: &str) -> Result<AnswerStream, ApiError> {
        let body =
            format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"hi"}}],"stream":true}}"#);
        let incoming = parse_chat_request(&Bytes::from(body)).unwrap();
        let ask = Ask {
            who: Who::owner(Owner::local()),
            door: "openai",
            request_id: "r1".into(),
            incoming,
            deadline: None,
        };
        self.dispatch.answer(ask).await
    }
}

pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, work).await.expect("hung")
}

/// Reads a whole answer: who was chosen, its text, and the error it ended with.
pub(crate) async fn read(mut stream: AnswerStream) -> (Option<String>, String, Option<ApiError>) {
    let (mut chosen, mut text) = (None, String::new());
    while let Some(item) = soon(stream.next()).await {
        match item {
            Ok(AnswerItem::Chosen { model_id, .. }) => chosen = Some(model_id),
            Ok(AnswerItem::Event(event)) => {
                if let Parsed::Text { text: more, .. } = event.parsed {
                    text.push_str(&more);
                }
            }
            // What is told beside the text, tests of checked answers read themselves.
            Ok(_) => {}
            Err(error) => return (chosen, text, Some(error)),
        }
    }
    (chosen, text, None)
}
