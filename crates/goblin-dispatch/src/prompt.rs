//! What a chat's model is shown: system prompt, earlier turns, the new question, files; and which old turns are left
//! out when the context is full. Never silently: the number left out is kept with the turn.

use goblin_core::attachment::Attachment;
use goblin_core::chat::{ChatRequest, Message, Role};
use goblin_core::context_rule::CountMethod;
use goblin_core::conversation::{Chat, Turn};
use goblin_core::error::ApiError;
use goblin_core::provider::{ProviderHandle, TokenCount};
use goblin_core::route::Offer;

use crate::attachments::Files;

/// Tokens kept free for the answer when the chat sets no `max_tokens`.
const ANSWER_ROOM: u32 = 512;

/// A request that fits, and how many of the oldest turns it does without.
pub(crate) struct Planned {
    pub(crate) request: ChatRequest,
    pub(crate) left_out: u32,
}

/// What somebody asks.
#[derive(Clone, Copy)]
pub(crate) struct Asks<'a> {
    pub(crate) text: &'a str,
    pub(crate) attachments: &'a [Attachment],
}

/// Everything a prompt is made of.
#[derive(Clone, Copy)]
pub(crate) struct Material<'a> {
    pub(crate) chat: &'a Chat,
    /// The turns before, oldest first.
    pub(crate) path: &'a [Turn],
    pub(crate) question: Asks<'a>,
    /// The files of all of these.
    pub(crate) files: &'a Files,
}

/// What is asked and not answered yet: text, and ids of files.
#[derive(Default)]
struct Asked {
    text: String,
    files: Vec<String>,
}

impl Asked {
    /// A question that was never answered is put in front of the next one: many templates refuse two messages of the
    /// same role in a row.
    fn add(&mut self, question: Asks<'_>) {
        if self.text != question.text {
            if !self.text.is_empty() {
                self.text.push_str("\n\n");
            }
            self.text.push_str(question.text);
        }
        for file in question.attachments {
            if !self.files.contains(&file.id) {
                self.files.push(file.id.clone());
            }
        }
    }

    fn into_message(self, files: &Files) -> Message {
        let mut message = Message::text(Role::User, self.text);
        let attached = self.files.iter().filter_map(|id| files.get(id).cloned());
        message.parts.extend(attached);
        message
    }
}

impl Material<'_> {
    /// The request for the question, without the oldest `skip` turns.
    pub(crate) fn request(&self, skip: usize) -> ChatRequest {
        let chat = self.chat;
        let mut messages = Vec::with_capacity(self.path.len() * 2 + 2);
        if let Some(system) = chat.system.as_deref().filter(|s| !s.is_empty()) {
            messages.push(Message::text(Role::System, system));
        }
        let mut asked = Asked::default();
        for turn in self.path.iter().skip(skip) {
            asked.add(Asks {
                text: &turn.content,
                attachments: &turn.attachments,
            });
            if !turn.answer.is_empty() {
                messages.push(std::mem::take(&mut asked).into_message(self.files));
                messages.push(Message::text(Role::Assistant, &turn.answer));
            }
        }
        asked.add(self.question);
        messages.push(asked.into_message(self.files));
        ChatRequest {
            messages,
            sampling: chat.parameters.to_sampling(),
            stream: true,
            session: Some(chat.id.clone()),
            ..ChatRequest::default()
        }
    }
}

/// Does a prompt of this size leave room for an answer?
fn fits(count: TokenCount, max_tokens: Option<u32>) -> bool {
    let room = max_tokens
        .unwrap_or(ANSWER_ROOM)
        .min(count.context_window / 4)
        .max(1);
    count.prompt_tokens.saturating_add(room) <= count.context_window
}

/// Counts a request for a candidate: exactly where the provider can, by bytes where it only says its context,
/// not at all where it says nothing.
async fn count(provider: &ProviderHandle, candidate: &Offer, request: &ChatRequest) -> Option<TokenCount> {
    if let Some(exact) = &provider.count {
        let mut asked = request.clone();
        asked.model.clone_from(&candidate.model.name);
        match exact(asked).await {
            Ok(count) => return Some(count),
            Err(error) => tracing::warn!(%error, model = candidate.id(), "tokens could not be counted"),
        }
    }
    let context_window = candidate.model.context_window?;
    let bytes: usize = request.messages.iter().map(|m| m.joined_text().len() + 16).sum();
    Some(TokenCount {
        prompt_tokens: u32::try_from(bytes / 3).unwrap_or(u32::MAX),
        context_window,
        method: CountMethod::Estimate,
    })
}

/// Plans the prompt for the first candidate that holds all of it, else for the first of all with the fewest old
/// turns left out (found by halving, so a long chat costs a handful of counts).
///
/// # Errors
/// `context_length_exceeded` when not even the question alone fits.
pub(crate) async fn plan(
    material: Material<'_>,
    rungs: &mut [(Offer, ProviderHandle)],
) -> Result<Planned, ApiError> {
    let Material { chat, path, .. } = material;
    let whole = material.request(0);
    for at in 0..rungs.len() {
        let (candidate, provider) = &rungs[at];
        if count(provider, candidate, &whole)
            .await
            .is_none_or(|c| fits(c, chat.parameters.max_tokens))
        {
            rungs[..=at].rotate_right(1);
            return Ok(Planned {
                request: whole,
                left_out: 0,
            });
        }
    }
    let Some((candidate, provider)) = rungs.first() else {
        return Ok(Planned {
            request: whole,
            left_out: 0,
        });
    };
    let bare = material.request(path.len());
    if let Some(least) = count(provider, candidate, &bare).await
        && least.prompt_tokens >= least.context_window
    {
        return Err(ApiError::context_length_exceeded(
            least.prompt_tokens,
            least.context_window,
        ));
    }
    let (mut too_few, mut enough) = (0, path.len());
    while enough - too_few > 1 {
        let middle = usize::midpoint(too_few, enough);
        let tried = material.request(middle);
        let ok = count(provider, candidate, &tried)
            .await
            .is_none_or(|c| fits(c, chat.parameters.max_tokens));
        if ok {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    let request = material.request(enough);
    Ok(Planned {
        request,
        left_out: u32::try_from(enough).unwrap_or(u32::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_an_answer_is_kept_free() {
        let count = |prompt_tokens| TokenCount {
            prompt_tokens,
            context_window: 4096,
            method: CountMethod::Tokenizer,
        };
        assert!(fits(count(3584), None));
        assert!(!fits(count(3585), None));
        assert!(fits(count(4000), Some(16)));
        assert!(
            !fits(count(3100), Some(100_000)),
            "at most a quarter is reserved, but that much is"
        );
    }
}
