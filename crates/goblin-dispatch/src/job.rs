//! What an answer is asked for: a chat or a continued text, seen alike by everything that carries it out.

use goblin_core::chat::{ChatRequest, Part, Purpose, Role};
use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::prompt_bytes;
use goblin_core::origin::Origin;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::roster::Roster;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::gate::Visit;

/// A request whose answer is a stream.
#[derive(Clone)]
pub(crate) enum Job {
    Chat(Box<ChatRequest>),
    Complete(Box<CompletionRequest>),
}

impl Job {
    /// What it brings to a gate.
    pub(crate) fn visit(&self, key: Arc<str>) -> Visit {
        let (purpose, bytes, limit) = match self {
            Self::Chat(r) => (r.purpose, prompt_bytes(r), r.sampling.max_tokens),
            Self::Complete(r) => {
                let bytes = r.prompt.len() + r.suffix.as_ref().map_or(0, String::len);
                (r.purpose, bytes, r.sampling.max_tokens)
            }
        };
        Visit {
            key,
            verdict: purpose == Purpose::Verdict,
            bytes,
            tokens: None,
            limit,
        }
    }

    /// Equal for requests that begin alike, so that one server's cached prefix serves them: the session where one is
    /// named, else everything up to and with the first question.
    pub(crate) fn session(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Chat(r) => match &r.session {
                Some(session) => session.hash(&mut hasher),
                None => {
                    for message in &r.messages {
                        for part in &message.parts {
                            match part {
                                Part::Text { text } => text.hash(&mut hasher),
                                Part::Image { url } => url.hash(&mut hasher),
                            }
                        }
                        if message.role == Role::User {
                            break;
                        }
                    }
                }
            },
            Self::Complete(r) => r
                .prompt
                .as_bytes()
                .get(..256)
                .unwrap_or(r.prompt.as_bytes())
                .hash(&mut hasher),
        }
        hasher.finish()
    }

    /// Are the caller's own bytes forwarded?
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self, Self::Chat(r) if r.raw.is_some())
    }

    /// Does the caller read the answer as it is made?
    pub(crate) fn is_streamed(&self) -> bool {
        match self {
            Self::Chat(r) => r.stream,
            Self::Complete(_) => true,
        }
    }

    /// Where it comes from.
    pub(crate) fn origin(&self) -> &Origin {
        match self {
            Self::Chat(r) => &r.origin,
            Self::Complete(r) => &r.origin,
        }
    }

    /// What is asked of a model, in the words of the conventions for generative AI.
    pub(crate) fn operation(&self) -> &'static str {
        match self {
            Self::Chat(_) => "chat",
            Self::Complete(_) => "text_completion",
        }
    }

    /// Asks `provider` for `model`, and says where the request comes from. The model stays in memory as long as
    /// its roles want when the caller does not say.
    pub(crate) async fn start(
        &self,
        provider: &ProviderHandle,
        model: &str,
        roster: &Roster,
        origin: Origin,
    ) -> Result<ChatStream, ProviderError> {
        match self {
            Self::Chat(request) => {
                let mut request = ChatRequest::clone(request);
                model.clone_into(&mut request.model);
                request.keep_alive = request.keep_alive.or_else(|| roster.keep_alive(model));
                request.origin = origin;
                (provider.chat)(request).await
            }
            Self::Complete(request) => {
                let Some(complete) = &provider.complete else {
                    return Err(ProviderError::Unavailable {
                        reason: "it cannot continue texts any more".to_owned(),
                    });
                };
                let mut request = CompletionRequest::clone(request);
                model.clone_into(&mut request.model);
                request.keep_alive = request.keep_alive.or_else(|| roster.keep_alive(model));
                request.origin = origin;
                complete(request).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin_core::chat::Message;

    fn chat(said: &[(Role, &str)]) -> Job {
        Job::Chat(Box::new(ChatRequest {
            messages: said
                .iter()
                .map(|(role, text)| Message::text(*role, *text))
                .collect(),
            ..ChatRequest::default()
        }))
    }

    #[test]
    fn a_conversation_that_goes_on_is_the_same_session() {
        let first = [(Role::System, "be kind"), (Role::User, "hello")];
        let mut later = first.to_vec();
        later.extend([(Role::Assistant, "hi"), (Role::User, "go on")]);
        assert_eq!(chat(&first).session(), chat(&later).session());
        assert_ne!(
            chat(&first).session(),
            chat(&[(Role::System, "be kind"), (Role::User, "bye")]).session()
        );
    }
}
