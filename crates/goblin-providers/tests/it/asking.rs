//! Asking a real server, and reading all it says.

use futures_util::StreamExt;
use goblin_core::chat::ChatRequest;
use goblin_core::decide::{AnswerOption, Question};
use goblin_core::event::{FinishReason, Parsed, TokenLogprob, Usage};
use goblin_core::provider::{ChatStream, ProviderError, ProviderHandle};

use crate::process::within;

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) pieces: usize,
    pub(crate) logprobs: Vec<TokenLogprob>,
    pub(crate) finish: Option<FinishReason>,
    pub(crate) usage: Usage,
}

pub(crate) async fn collect(mut stream: ChatStream) -> Result<Answer, ProviderError> {
    let mut out = Answer::default();
    while let Some(event) = within(stream.next()).await {
        match event?.parsed {
            Parsed::Text { text, logprobs } => {
                out.text.push_str(&text);
                out.pieces += 1;
                out.logprobs.extend(logprobs);
            }
            Parsed::Finished { reason } => out.finish = Some(reason),
            Parsed::Usage(usage) => out.usage = usage,
            _ => {}
        }
    }
    Ok(out)
}

pub(crate) async fn answer(handle: &ProviderHandle, request: ChatRequest) -> Result<Answer, ProviderError> {
    collect(within((handle.chat)(request)).await?).await
}

/// Reads until the first text.
pub(crate) async fn first_text(stream: &mut ChatStream) {
    while let Some(event) = within(stream.next()).await {
        if event.expect("an event").parsed.is_content() {
            return;
        }
    }
    panic!("no text");
}

pub(crate) fn yes_or_no(id: &str, text: &str) -> Question {
    let option = |name: &str, spellings: [&str; 4]| AnswerOption {
        name: name.into(),
        spellings: spellings.map(String::from).to_vec(),
    };
    Question {
        id: id.into(),
        text: format!("{text} Answer Yes or No.<|im_end|>\n<|im_start|>assistant\n"),
        options: vec![
            option("yes", ["Yes", " Yes", "yes", " yes"]),
            option("no", ["No", " No", "no", " no"]),
        ],
        typed: None,
    }
}
