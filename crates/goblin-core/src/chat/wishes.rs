//! What a request may go without: fields that say how an answer is made, and not what is asked or of what shape the answer
//! must be.

use super::ChatRequest;

/// What is done with a field that a model, or the way to it, cannot take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untranslated {
    /// The request is refused by the field's name.
    #[default]
    Refuse,
    /// A wish is left out and listed in the answer's header `x-goblin-dropped`; what is no wish is refused.
    Header,
}

/// Fields of OpenAI's dialects that no core word has and that are wishes.
const UNREAD_WISHES: [&str; 7] = [
    "verbosity",
    "text.verbosity",
    "service_tier",
    "store",
    "prediction",
    "reasoning.context",
    "reasoning.mode",
];

impl ChatRequest {
    /// Leaves the wish out that errors call `field`. `false`, and nothing is changed, where that is no wish (messages,
    /// files, tools, the answer's shape) or was not said.
    pub fn leave_out(&mut self, field: &str) -> bool {
        let s = &mut self.sampling;
        match field {
            "temperature" => s.temperature.take().is_some(),
            "top_p" => s.top_p.take().is_some(),
            "top_k" => s.top_k.take().is_some(),
            "min_p" => s.min_p.take().is_some(),
            "seed" => s.seed.take().is_some(),
            "stop" => !std::mem::take(&mut s.stop).is_empty(),
            "presence_penalty" => s.presence_penalty.take().is_some(),
            "frequency_penalty" => s.frequency_penalty.take().is_some(),
            "repeat_penalty" => s.repeat_penalty.take().is_some(),
            "logit_bias" => !std::mem::take(&mut s.logit_bias).is_empty(),
            "logprobs" | "top_logprobs" => s.logprobs.take().is_some(),
            "reasoning_effort" => self.think.take().is_some(),
            field if UNREAD_WISHES.contains(&field) => {
                let before = self.untranslated.len();
                self.untranslated.retain(|name| name != field);
                self.untranslated.len() < before
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Role, Sampling, Think};

    #[test]
    fn wishes_go_and_what_is_asked_stays() {
        let asked = ChatRequest {
            messages: vec![Message::text(Role::User, "hi")],
            parallel_tool_calls: Some(false),
            sampling: Sampling {
                seed: Some(1),
                stop: vec!["x".into()],
                logit_bias: vec![(1, 2.0)],
                logprobs: Some(0),
                ..Sampling::default()
            },
            think: Some(Think::High),
            untranslated: vec!["audio".into(), "store".into()],
            ..ChatRequest::default()
        };
        let mut left = asked.clone();
        for field in [
            "seed",
            "stop",
            "logit_bias",
            "logprobs",
            "reasoning_effort",
            "store",
        ] {
            assert!(left.leave_out(field), "{field}");
            assert!(!left.leave_out(field), "{field} is gone already");
        }
        assert_eq!(left.sampling, Sampling::default());
        assert_eq!(
            (left.think, &*left.untranslated),
            (None, &["audio".to_owned()][..])
        );
        for field in [
            "messages",
            "messages[0].content",
            "tools",
            "parallel_tool_calls",
            "response_format",
            "audio",
        ] {
            assert!(!left.leave_out(field), "{field}");
        }
        assert_eq!(left.messages, asked.messages);
        assert_eq!(left.parallel_tool_calls, Some(false));
    }
}
