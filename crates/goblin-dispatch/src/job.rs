//! What an answer is asked for: a chat or a continued text, seen alike by everything that carries it out.

use goblin_core::chat::{ChatRequest, Part, Purpose, Role};
use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::{likely_tokens, prompt_bytes};
use goblin_core::money::{self, Asking};
use goblin_core::origin::Origin;
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};
use goblin_core::roster::Roster;
use goblin_core::route::Offer;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::gate::Visit;

/// Most tokens an image takes.
const MOST_OF_AN_IMAGE: u32 = 5_000;
/// Characters of a PDF's base64 to a token it takes at most: its pages are read as text and as pictures, but a page is
/// packed. Beside it counts what one picture does, for a file of one page.
const FILE_CHARS_PER_TOKEN: usize = 8;
/// Most tokens a template puts around one message or tool.
const MOST_AROUND_A_MESSAGE: u32 = 32;

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
            asked: None,
        }
    }

    /// What it is booked as at a model. No tokenizer makes more tokens than there are bytes.
    pub(crate) fn asking(&self, candidate: &Offer, visit: &Visit) -> Asking {
        let (bytes, around, asked) = match self {
            Self::Chat(request) => match unread(request) {
                Some((bytes, asked)) => (bytes, 0, asked),
                None => (visit.bytes, beside_the_text(request), Asked::one(visit.limit)),
            },
            Self::Complete(_) => (visit.bytes, MOST_AROUND_A_MESSAGE, Asked::one(visit.limit)),
        };
        Asking {
            model: candidate.id(),
            local: candidate.stays_local(),
            purpose: money::Purpose::Answer,
            prompt: visit.tokens.unwrap_or_else(|| likely_tokens(bytes, None)),
            most_prompt: around.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX)),
            most_answer: asked.most,
            answers: asked.answers,
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
                                Part::Image { url } | Part::File { url, .. } => url.hash(&mut hasher),
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

/// How much of an answer is asked for.
struct Asked {
    most: Option<u32>,
    answers: u32,
}

impl Asked {
    fn one(most: Option<u32>) -> Self {
        Self { most, answers: 1 }
    }
}

/// Of a request that nobody here could read, and that is forwarded as it is: its bytes, and what can be seen of how much
/// it asks for.
fn unread(request: &ChatRequest) -> Option<(usize, Asked)> {
    let (_, body) = request.raw.as_ref().filter(|_| request.messages.is_empty())?;
    let read = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let number = |field: &str| read[field].as_u64().map(|n| u32::try_from(n).unwrap_or(u32::MAX));
    let asked = Asked {
        most: number("max_completion_tokens").or_else(|| number("max_tokens")),
        answers: number("n").unwrap_or(1),
    };
    Some((body.len(), asked))
}

/// Most tokens of what templates put around messages and tools, of images and of files.
fn beside_the_text(request: &ChatRequest) -> u32 {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let of_part = |part: &Part| match part {
        Part::Text { .. } => 0,
        Part::Image { .. } => MOST_OF_AN_IMAGE,
        Part::File { url, .. } => {
            let read = u32::try_from(url.len() / FILE_CHARS_PER_TOKEN).unwrap_or(u32::MAX);
            read.saturating_add(MOST_OF_AN_IMAGE)
        }
    };
    let seen = parts.fold(0_u32, |sum, part| sum.saturating_add(of_part(part)));
    let pieces = request.messages.len() + request.tools.len() + 1;
    let of = |many: usize, each: u32| u32::try_from(many).unwrap_or(u32::MAX).saturating_mul(each);
    seen.saturating_add(of(pieces, MOST_AROUND_A_MESSAGE))
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
    fn of_a_request_nobody_read_every_byte_counts_and_every_answer() {
        let body = br#"{"model":"up/m","messages":[{"role":"user","content":"hi"}],"n":3,"max_tokens":7}"#;
        let request = ChatRequest {
            raw: Some((
                goblin_core::wire::Dialect::OpenAi,
                bytes::Bytes::from_static(body),
            )),
            ..ChatRequest::default()
        };
        let (bytes, asked) = unread(&request).unwrap();
        assert_eq!((bytes, asked.most, asked.answers), (body.len(), Some(7), 3));
        let read = ChatRequest {
            messages: vec![Message::text(Role::User, "hi")],
            ..request
        };
        assert!(unread(&read).is_none());
        assert_eq!(beside_the_text(&read), 2 * MOST_AROUND_A_MESSAGE);
        let mut with_a_file = read;
        with_a_file.messages[0].parts.push(Part::File {
            name: None,
            url: format!("data:application/pdf;base64,{}", "A".repeat(8_000)),
        });
        assert_eq!(
            beside_the_text(&with_a_file),
            1_003 + MOST_OF_AN_IMAGE + 2 * MOST_AROUND_A_MESSAGE
        );
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
