//! An answer's body → core events, and what is learnt from its end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use goblin_core::event::{ChatEvent, Spent};
use goblin_core::provider::{ChatStream, ProviderError};
use goblin_core::wire::ollama::{AnswerDecoder, LineSplitter};
use goblin_net::Body;

use super::context::Contexts;
use super::{Asked, in_answer};
use crate::rates::Rates;

/// How long the end of a body is awaited after the answer's last line.
const END_GRACE: Duration = Duration::from_millis(250);

/// An answer under way. Dropping it closes the connection.
pub(super) struct Answer {
    body: Option<Body>,
    splitter: LineSplitter,
    decoder: AnswerDecoder,
    asked: Asked,
    contexts: Arc<Contexts>,
    rates: Arc<Rates>,
    ready: VecDeque<ChatEvent>,
    failure: Option<ProviderError>,
}

impl Answer {
    pub(super) fn new(
        body: Body,
        decoder: AnswerDecoder,
        asked: Asked,
        contexts: Arc<Contexts>,
        rates: Arc<Rates>,
    ) -> Self {
        Self {
            body: Some(body),
            splitter: LineSplitter::new(),
            decoder,
            asked,
            contexts,
            rates,
            ready: VecDeque::new(),
            failure: None,
        }
    }

    pub(super) fn into_stream(self) -> ChatStream {
        Box::pin(futures_util::stream::unfold(self, |mut answer| async move {
            answer.next().await.map(|item| (item, answer))
        }))
    }

    /// The next event; an error is the last item.
    pub(super) async fn next(&mut self) -> Option<Result<ChatEvent, ProviderError>> {
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
            match self.body.as_mut()?.chunk().await {
                Some(Ok(piece)) => {
                    self.splitter.push(&piece);
                    self.take_lines();
                }
                Some(Err(error)) => self.end(in_answer(&error)),
                None => {
                    if let Some(rest) = std::mem::take(&mut self.splitter).rest() {
                        self.take_line(&rest);
                    }
                    if self.failure.is_none()
                        && let Err(cut) = self.decoder.finish()
                    {
                        self.end(cut);
                    }
                    self.body = None;
                }
            }
        }
    }

    /// What the answer cost, once it has ended.
    pub(super) fn spent(&self) -> Option<Spent> {
        self.decoder.spent()
    }

    fn end(&mut self, failure: ProviderError) {
        self.failure = Some(failure);
    }

    fn take_lines(&mut self) {
        while self.failure.is_none() {
            match self.splitter.next_line() {
                Some(Ok(line)) => self.take_line(&line),
                Some(Err(failure)) => self.end(failure),
                None => return,
            }
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        let over = self.decoder.spent().is_some();
        match self.decoder.decode(line) {
            Ok(events) => {
                if let Some(spent) = self.decoder.spent().filter(|_| !over)
                    && let Err(cut) = self.learn(&spent)
                {
                    // The end is not said: an answer to a cut prompt must not look whole.
                    self.end(cut);
                    return;
                }
                self.ready.extend(events);
            }
            Err(failure) => self.end(failure),
        }
    }

    /// Learns from the answer's end. A prompt that filled the context was cut.
    fn learn(&self, spent: &Spent) -> Result<(), ProviderError> {
        let (prompt_tokens, context_window) = (spent.usage.prompt_tokens, self.asked.plan.context_tokens);
        if prompt_tokens.saturating_add(1) >= context_window {
            return Err(ProviderError::ContextExceeded {
                prompt_tokens: self
                    .asked
                    .plan
                    .likely_tokens
                    .max(context_window.saturating_add(1)),
                context_window,
            });
        }
        self.contexts
            .measured(&self.asked.model, self.asked.bytes, prompt_tokens);
        self.rates.learn(spent);
        Ok(())
    }

    /// After the last line the body's end is awaited briefly: a body read to its end leaves a connection to use again.
    async fn let_end(&mut self) {
        if self.failure.is_none()
            && self.decoder.spent().is_some()
            && let Some(mut body) = self.body.take()
        {
            let rest = async { while let Some(Ok(_)) = body.chunk().await {} };
            // Whether it ends in time or not, the answer is complete.
            let _ended_in_time = tokio::time::timeout(END_GRACE, rest).await.is_ok();
        }
    }
}
