//! An answer on its way: bytes → events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use goblin_core::event::{ChatEvent, Parsed, Spent};
use goblin_core::provider::{ChatStream, ProviderError};
use goblin_core::wire::Dialect;
use goblin_core::wire::anthropic::EventDecoder;
use goblin_core::wire::gemini::ContentDecoder;
use goblin_core::wire::llama_cpp::CompletionDecoder;
use goblin_core::wire::openai::{ResponseDecoder, StreamDecoder, decode_completion};
use goblin_core::wire::sse::SseSplitter;
use goblin_net::Body;

use super::in_answer;
use crate::rates::Rates;

/// Most bytes of one event of a stream (4 MiB).
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of the body may follow the end of the answer, so that the connection can be used again.
const END_GRACE: Duration = Duration::from_millis(50);

/// How an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON document. With `keep_body` its bytes come first, as an opaque event.
    Whole {
        /// Are the bytes wanted?
        keep_body: bool,
    },
}

/// How an answer's payloads are read.
pub(crate) enum Words {
    /// A chat's.
    Chat(StreamDecoder),
    /// A continued text's.
    Text(CompletionDecoder),
    /// OpenAI's responses.
    Responses(ResponseDecoder),
    /// Anthropic's.
    Anthropic(EventDecoder),
    /// Gemini's.
    Gemini(ContentDecoder),
}

impl Words {
    /// An answer in one piece.
    fn decode_whole(&self, body: &[u8]) -> Result<Vec<ChatEvent>, ProviderError> {
        match self {
            Self::Chat(decoder) => decoder.clone().decode_whole(body),
            Self::Text(_) => decode_completion(body),
            Self::Responses(decoder) => decoder.clone().decode_whole(body),
            Self::Anthropic(decoder) => decoder.clone().decode_whole(body),
            Self::Gemini(decoder) => decoder.clone().decode_whole(body),
        }
    }

    fn decode(&mut self, data: &Bytes) -> Result<Vec<ChatEvent>, ProviderError> {
        match self {
            Self::Chat(decoder) => decoder.decode(data),
            Self::Text(decoder) => decoder.decode(data),
            Self::Responses(decoder) => decoder.decode(data),
            Self::Anthropic(decoder) => decoder.decode(data),
            Self::Gemini(decoder) => decoder.decode(data),
        }
    }

    /// What an answer is forwarded as.
    fn dialect(&self) -> Dialect {
        match self {
            Self::Anthropic(_) => Dialect::Anthropic,
            Self::Chat(_) | Self::Text(_) | Self::Responses(_) | Self::Gemini(_) => Dialect::OpenAi,
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Chat(decoder) => decoder.is_done(),
            Self::Text(decoder) => decoder.spent().is_some(),
            Self::Responses(decoder) => decoder.is_done(),
            Self::Anthropic(decoder) => decoder.is_done(),
            Self::Gemini(_) => false,
        }
    }

    fn finish(&self) -> Result<(), ProviderError> {
        match self {
            Self::Chat(decoder) => decoder.finish(),
            Self::Text(decoder) => decoder.finish(),
            Self::Responses(decoder) => decoder.finish(),
            Self::Anthropic(decoder) => decoder.finish(),
            Self::Gemini(decoder) => decoder.finish(),
        }
    }

    fn leftover(&mut self) -> Vec<ChatEvent> {
        match self {
            Self::Chat(decoder) => decoder.leftover(),
            Self::Text(_) | Self::Responses(_) => Vec::new(),
            Self::Anthropic(decoder) => decoder.leftover(),
            Self::Gemini(decoder) => decoder.leftover(),
        }
    }

    fn spent(&self) -> Option<Spent> {
        match self {
            Self::Chat(decoder) => decoder.spent(),
            Self::Text(decoder) => decoder.spent(),
            Self::Responses(_) | Self::Anthropic(_) | Self::Gemini(_) => None,
        }
    }
}

/// Reads an answer. Dropping it closes the upstream's connection.
pub(crate) struct Answer {
    /// `None` once the answer is over: then the connection is closed or back in the pool.
    body: Option<Body>,
    framing: Framing,
    splitter: SseSplitter,
    words: Words,
    rates: Option<Arc<Rates>>,
    ready: VecDeque<ChatEvent>,
    failure: Option<ProviderError>,
}

impl Answer {
    pub(crate) fn new(body: Body, framing: Framing, words: Words) -> Self {
        Self {
            body: Some(body),
            framing,
            splitter: SseSplitter::new(MAX_EVENT_BYTES),
            words,
            rates: None,
            ready: VecDeque::new(),
            failure: None,
        }
    }

    /// How fast it was is told to `rates` when it has ended.
    pub(crate) fn measured_by(mut self, rates: Arc<Rates>) -> Self {
        self.rates = Some(rates);
        self
    }

    pub(crate) fn into_stream(self) -> ChatStream {
        Box::pin(futures_util::stream::unfold(self, |mut answer| async move {
            answer.next().await.map(|item| (item, answer))
        }))
    }

    async fn next(&mut self) -> Option<Result<ChatEvent, ProviderError>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(failure) = self.failure.take() {
                self.body = None;
                return Some(Err(failure));
            }
            // Only now that all was handed on: nobody waits for what is already here.
            self.let_end().await;
            let body = self.body.as_mut()?;
            match self.framing {
                Framing::Whole { keep_body } => {
                    if let Some(body) = self.body.take() {
                        self.read_whole(body, keep_body).await;
                    }
                }
                Framing::Events => match body.chunk().await {
                    Some(Ok(piece)) => {
                        self.splitter.push(&piece);
                        self.take_events();
                    }
                    // An answer that was already complete is not spoilt by how its connection ended.
                    Some(Err(error)) => self.end(Some(in_answer(&error))),
                    None => self.end(None),
                },
            }
        }
    }

    fn take_events(&mut self) {
        while let Some(event) = self.splitter.next_event() {
            let decoded = match event {
                Ok(event) if event.data.trim_ascii().is_empty() => continue,
                Ok(event) => self.words.decode(&event.data),
                Err(error) => Err(ProviderError::Interrupted {
                    reason: error.to_string(),
                }),
            };
            match decoded {
                Ok(events) => self.ready.extend(events),
                Err(failure) => {
                    self.failure = Some(failure);
                    return;
                }
            }
        }
    }

    /// After `[DONE]` the body's end is awaited briefly: a body read to its end leaves a connection to use again.
    async fn let_end(&mut self) {
        if self.failure.is_none()
            && self.words.is_done()
            && let Some(mut body) = self.body.take()
        {
            self.measure();
            let rest = async { while let Some(Ok(_)) = body.chunk().await {} };
            // Whether it ends in time or not, the answer is complete.
            let _ended_in_time = tokio::time::timeout(END_GRACE, rest).await.is_ok();
        }
    }

    fn end(&mut self, failure: Option<ProviderError>) {
        self.body = None;
        if let Err(cut) = self.words.finish() {
            self.failure = Some(failure.unwrap_or(cut));
            return;
        }
        self.ready.extend(self.words.leftover());
        self.measure();
    }

    fn measure(&mut self) {
        if let (Some(rates), Some(spent)) = (self.rates.take(), self.words.spent()) {
            rates.learn(&spent);
        }
    }

    async fn read_whole(&mut self, body: Body, keep_body: bool) {
        let bytes = match body.collect().await {
            Ok(bytes) => bytes,
            Err(error) => {
                self.failure = Some(in_answer(&error));
                return;
            }
        };
        match self.words.decode_whole(&bytes) {
            Ok(events) => {
                if keep_body {
                    self.ready.push_back(whole_body(self.words.dialect(), bytes));
                }
                self.ready.extend(events);
            }
            Err(failure) => self.failure = Some(failure),
        }
    }
}

/// A whole answer, to be forwarded as it is.
fn whole_body(dialect: Dialect, bytes: Bytes) -> ChatEvent {
    ChatEvent {
        parsed: Parsed::Opaque,
        raw: Some((dialect, bytes)),
    }
}
