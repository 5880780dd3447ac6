//! A provider as a value: a struct of what it can do, filled in by wiring, so that a missing ability is visible.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use thiserror::Error;

use crate::chat::ChatRequest;
use crate::completion::CompletionRequest;
use crate::context_rule::CountMethod;
use crate::decide::{DecideRequest, DecideResponse};
use crate::embed::{EmbedRequest, EmbedResponse};
use crate::event::ChatEvent;
use crate::manage::ManageFn;
use crate::model::ModelInfo;
use crate::wire::Dialect;

/// The id of the provider inside this process.
pub const IN_PROCESS: &str = "engine";

/// A boxed future that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A model's answer. Dropping it cancels the work: an upstream's connection is closed, the engine stops
/// within one decode step.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent, ProviderError>> + Send>>;

/// Starts an answer.
pub type ChatFn = Arc<dyn Fn(ChatRequest) -> BoxFuture<Result<ChatStream, ProviderError>> + Send + Sync>;
/// Continues a text.
pub type CompleteFn =
    Arc<dyn Fn(CompletionRequest) -> BoxFuture<Result<ChatStream, ProviderError>> + Send + Sync>;
/// Makes embeddings.
pub type EmbedFn = Arc<dyn Fn(EmbedRequest) -> BoxFuture<Result<EmbedResponse, ProviderError>> + Send + Sync>;
/// Answers typed questions.
pub type DecideFn =
    Arc<dyn Fn(DecideRequest) -> BoxFuture<Result<DecideResponse, ProviderError>> + Send + Sync>;
/// Counts the tokens a request's prompt has, and says how.
pub type CountFn = Arc<dyn Fn(ChatRequest) -> BoxFuture<Result<TokenCount, ProviderError>> + Send + Sync>;
/// Says how the provider is; cheap enough for every request (providers cache what they must ask for).
pub type StatusFn = Arc<dyn Fn() -> BoxFuture<ProviderStatus> + Send + Sync>;

/// Why a provider could not (go on to) answer. `Display` is for operators and logs; public bodies are built
/// from the variant.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ProviderError {
    /// Not reachable.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// What was tried and what happened, for operators.
        reason: String,
    },
    /// It answers, but not with what was asked for: an error of its own, an error page, nothing behind it that works.
    #[error("broken: {reason}")]
    Broken {
        /// What it answered, for operators.
        reason: String,
    },
    /// Full: all sequences busy, 429, 503.
    #[error("overloaded")]
    Overloaded {
        /// When to come back, if known.
        retry_after: Option<Duration>,
    },
    /// Not full, but our key may do no more there for now: too many requests, or all it was granted is used up.
    #[error("our key has reached its limit there")]
    LimitReached {
        /// When to come back, if known.
        retry_after: Option<Duration>,
    },
    /// Our credentials were refused.
    #[error("the provider refused our credentials")]
    Unauthorized,
    /// The request is wrong; trying another provider of the same model would not help.
    #[error("rejected: {message}")]
    Rejected {
        /// 400, 404, 413 or 422.
        status: u16,
        /// OpenAI's `code`, when there is one.
        code: Option<String>,
        /// The field at fault.
        param: Option<String>,
        /// Scrubbed, fit for the caller.
        message: String,
    },
    /// What our account was granted there is used up; waiting does not help, its operator must pay or raise a limit.
    #[error("our account there has used up what it was granted")]
    QuotaUsedUp,
    /// This model, or this way to it, cannot take what was asked for; another may.
    #[error("cannot be asked that: {message}")]
    Unsupported {
        /// The field at fault.
        param: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// The prompt does not fit.
    #[error("the prompt has {prompt_tokens} tokens, the context holds {context_window}")]
    ContextExceeded {
        /// Tokens of the prompt.
        prompt_tokens: u32,
        /// Tokens the context holds.
        context_window: u32,
    },
    /// The model is not there.
    #[error("model {model} is not offered by this provider")]
    ModelNotFound {
        /// The name asked for.
        model: String,
    },
    /// The stream broke: cut, stalled or malformed.
    #[error("interrupted: {reason}")]
    Interrupted {
        /// What happened, for operators.
        reason: String,
    },
}

/// How many tokens a prompt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenCount {
    /// Tokens after the chat template.
    pub prompt_tokens: u32,
    /// Tokens the context holds, or can be made to hold.
    pub context_window: u32,
    /// How they were counted. Only [`CountMethod::Tokenizer`] is exact.
    pub method: CountMethod,
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderStatus {
    /// Does it answer?
    pub health: Health,
    /// The models it offers.
    pub models: Vec<ModelInfo>,
    /// Answers it can generate at once; `None` when unknown (no admission limit on our side).
    pub slots: Option<u32>,
    /// Of those, free now.
    pub free_slots: Option<u32>,
    /// Measured tokens per second of one stream, when known.
    pub decode_tokens_per_second: Option<f64>,
    /// Measured prompt tokens per second, when known.
    pub prefill_tokens_per_second: Option<f64>,
}

/// Does a provider answer?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Yes.
    Ok,
    /// Not yet: loading. The sentence says how far.
    Starting(String),
    /// It answers, but refuses this server's key. The sentence says which address.
    Refused(String),
    /// It answers, but nothing that could be used. The sentence says what.
    Broken(String),
    /// No. The sentence says which address failed and why.
    Down(String),
}

/// Who answers.
#[derive(Clone)]
pub struct ProviderHandle {
    /// Its name in `provider/model`.
    pub id: Arc<str>,
    /// Is it one of the operator's machines? Whether what is sent to one of its models stays there, the model says:
    /// [`ModelInfo::stays_local`].
    pub local: bool,
    /// Answers chats.
    pub chat: ChatFn,
    /// Continues texts.
    pub complete: Option<CompleteFn>,
    /// Makes embeddings.
    pub embed: Option<EmbedFn>,
    /// Answers typed questions.
    pub decide: Option<DecideFn>,
    /// Counts tokens.
    pub count: Option<CountFn>,
    /// Says what its models are like, brings them into memory and takes them out, and changes which there are.
    pub manage: Option<ManageFn>,
    /// Does [`Self::manage`] fetch and make new models? Others refuse that.
    pub makes_models: bool,
    /// Requests in this dialect are forwarded to it untouched.
    pub forwards: Option<Dialect>,
    /// Says how it is.
    pub status: StatusFn,
}

impl ProviderHandle {
    /// A provider that only answers chats; other abilities are filled in by struct update.
    pub fn new(id: impl Into<Arc<str>>, local: bool, chat: ChatFn, status: StatusFn) -> Self {
        Self {
            id: id.into(),
            local,
            chat,
            complete: None,
            embed: None,
            decide: None,
            count: None,
            manage: None,
            makes_models: false,
            forwards: None,
            status,
        }
    }
}

impl std::fmt::Debug for ProviderHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProviderHandle")
            .field("id", &self.id)
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}
