//! From a request to work for the decode thread. Everything here may take long (templates, tokenizing,
//! grammars) and may fail because of what the caller sent, so it runs on a blocking thread and before
//! anything is allocated in the context.

use goblin_core::chat::{ChatRequest, Role, Sampling, ToolChoice};
use goblin_core::context_rule::CountMethod;
use goblin_core::id::Ids;
use goblin_core::provider::{ProviderError, TokenCount};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::answer::{Answer, Event};
use crate::constraint::grammar;
use crate::engine::Loaded;
use crate::output::{OutputParser, ToolStyle};
use crate::sampler::Sampler;
use crate::sequence::Token;
use crate::stop::StopFilter;
use crate::template::{Prompt, TemplateError};
use crate::vocabulary;

/// Most alternatives reported with each token (OpenAI's limit).
const MAX_TOP_LOGPROBS: u8 = 20;

/// An answer to be generated.
pub(crate) struct ChatJob {
    pub(crate) prompt: Vec<Token>,
    pub(crate) sampler: Sampler,
    pub(crate) answer: Answer,
    /// Most tokens to generate.
    pub(crate) max_tokens: u32,
    /// Write control tokens too (tool markers of some models are control tokens).
    pub(crate) special: bool,
    /// Held while the answer is generated: a free sequence.
    pub(crate) _permit: OwnedSemaphorePermit,
}

/// A request that is wrong.
pub(crate) fn rejected(param: &str, message: impl Into<String>) -> ProviderError {
    ProviderError::Rejected {
        status: 400,
        code: None,
        param: Some(param.to_owned()),
        message: message.into(),
    }
}

/// Counts the tokens of `request`'s prompt.
pub(crate) fn count(loaded: &Loaded, request: &ChatRequest) -> Result<TokenCount, ProviderError> {
    let (_, tokens) = prompt(loaded, request)?;
    Ok(TokenCount {
        prompt_tokens: number(tokens.len()),
        context_window: loaded.plan.context_tokens,
        method: CountMethod::Tokenizer,
    })
}

/// Prepares an answer and the channel it is read from.
pub(crate) fn chat(
    loaded: &Loaded,
    request: &ChatRequest,
    ids: Ids,
    permit: OwnedSemaphorePermit,
) -> Result<(ChatJob, mpsc::Receiver<Event>), ProviderError> {
    check_sampling(&request.sampling, loaded.vocabulary)?;
    let tools = offered_tools(loaded, request)?;
    let (written, tokens) = prompt(loaded, request)?;
    let prompt_tokens = number(tokens.len());
    let context_window = loaded.plan.context_tokens;
    if prompt_tokens >= context_window {
        return Err(ProviderError::ContextExceeded {
            prompt_tokens,
            context_window,
        });
    }
    let grammar = grammar(&loaded.model, request, tools)?;
    let room = context_window - prompt_tokens;
    let max_tokens = request.sampling.max_tokens.unwrap_or(room).min(room);
    // A token gives at most a few events; the channel holds them all, so that a slow reader never holds up
    // the other answers.
    let (sender, receiver) = mpsc::channel(max_tokens as usize * 3 + 16);
    let stop = StopFilter::new(request.sampling.stop.iter().cloned().chain(written.stops));
    let parser = OutputParser::new(tools, loaded.template.thinks(), written.thinking);
    let job = ChatJob {
        sampler: Sampler::new(&request.sampling, grammar, &tokens),
        prompt: tokens,
        answer: Answer::new(sender, stop, parser, ids),
        max_tokens,
        special: tools.is_some(),
        _permit: permit,
    };
    Ok((job, receiver))
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The prompt as text and as tokens.
fn prompt(loaded: &Loaded, request: &ChatRequest) -> Result<(Prompt, Vec<Token>), ProviderError> {
    if request.messages.is_empty() {
        return Err(rejected("messages", "There are no messages."));
    }
    if let Some(i) = request.messages.iter().position(|m| m.has_image()) {
        return Err(rejected(
            &format!("messages[{i}].content"),
            "This model reads text only; it cannot look at images.",
        ));
    }
    if let Some(i) = request.messages.iter().position(|m| m.has_file()) {
        return Err(rejected(
            &format!("messages[{i}].content"),
            "This model reads text only; it cannot read PDF files.",
        ));
    }
    let written = loaded
        .template
        .render(request, |text| loaded.controls.neutral(text))
        .map_err(|error| match error {
            TemplateError::Refused(why) => rejected(
                "messages",
                format!("The model's chat template refuses these messages: {why}."),
            ),
            TemplateError::Broken(why) => {
                tracing::warn!(%why, "the chat template failed");
                rejected(
                    "messages",
                    "The model's chat template cannot write these messages.",
                )
            }
        })?;
    let tokens = vocabulary::prompt_tokens(&loaded.model, &written.text)?;
    if tokens.is_empty() {
        return Err(rejected("messages", "The prompt is empty."));
    }
    Ok((written, tokens))
}

/// How to read tool calls in this answer; `None` when no tools are on offer.
fn offered_tools(loaded: &Loaded, request: &ChatRequest) -> Result<Option<ToolStyle>, ProviderError> {
    let mentioned = request
        .messages
        .iter()
        .any(|m| m.role == Role::Tool || !m.tool_calls.is_empty());
    if loaded.template.tools().is_none() && (mentioned || !request.tools.is_empty()) {
        let param = if request.tools.is_empty() {
            "messages"
        } else {
            "tools"
        };
        return Err(rejected(
            param,
            format!(
                "The model `{}` cannot call tools: its chat template has no form for them.",
                loaded.name
            ),
        ));
    }
    let offered = !request.tools.is_empty() && request.tool_choice != ToolChoice::None;
    if !offered && matches!(request.tool_choice, ToolChoice::Required | ToolChoice::Named(_)) {
        return Err(rejected(
            "tool_choice",
            "A tool is required, but none is offered.",
        ));
    }
    if let ToolChoice::Named(name) = &request.tool_choice
        && !request.tools.iter().any(|t| t.name == *name)
    {
        return Err(rejected(
            "tool_choice",
            "The required tool is not among the tools offered.",
        ));
    }
    Ok(loaded.template.tools().filter(|_| offered))
}

fn check_sampling(sampling: &Sampling, vocabulary: u32) -> Result<(), ProviderError> {
    let ranges: [(&str, Option<f32>, f32, f32); 6] = [
        ("temperature", sampling.temperature, 0.0, 2.0),
        ("top_p", sampling.top_p, 0.0, 1.0),
        ("min_p", sampling.min_p, 0.0, 1.0),
        ("presence_penalty", sampling.presence_penalty, -2.0, 2.0),
        ("frequency_penalty", sampling.frequency_penalty, -2.0, 2.0),
        ("repeat_penalty", sampling.repeat_penalty, 0.01, 10.0),
    ];
    for (name, value, least, most) in ranges {
        if let Some(value) = value
            && !(least..=most).contains(&value)
        {
            return Err(rejected(
                name,
                format!("{name} is {value}; {least} to {most} are possible."),
            ));
        }
    }
    if let Some((token, _)) = sampling
        .logit_bias
        .iter()
        .find(|(t, b)| *t >= vocabulary || !b.is_finite())
    {
        return Err(rejected(
            "logit_bias",
            format!("There is no token {token}; this model has {vocabulary}."),
        ));
    }
    if sampling.logprobs.is_some_and(|n| n > MAX_TOP_LOGPROBS) {
        return Err(rejected(
            "top_logprobs",
            format!("top_logprobs is at most {MAX_TOP_LOGPROBS}."),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param_of(result: Result<impl Sized, ProviderError>) -> String {
        match result {
            Err(ProviderError::Rejected {
                status: 400,
                param: Some(param),
                ..
            }) => param,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("accepted"),
        }
    }

    #[test]
    fn sampling_out_of_range_is_refused_by_name() {
        let all = [
            (
                Sampling {
                    temperature: Some(f32::NAN),
                    ..Sampling::default()
                },
                "temperature",
            ),
            (
                Sampling {
                    temperature: Some(99.0),
                    ..Sampling::default()
                },
                "temperature",
            ),
            (
                Sampling {
                    top_p: Some(-0.1),
                    ..Sampling::default()
                },
                "top_p",
            ),
            (
                Sampling {
                    repeat_penalty: Some(0.0),
                    ..Sampling::default()
                },
                "repeat_penalty",
            ),
            (
                Sampling {
                    logit_bias: vec![(100, 1.0)],
                    ..Sampling::default()
                },
                "logit_bias",
            ),
            (
                Sampling {
                    logprobs: Some(21),
                    ..Sampling::default()
                },
                "top_logprobs",
            ),
        ];
        for (sampling, name) in all {
            assert_eq!(param_of(check_sampling(&sampling, 100)), name);
        }
        assert!(
            check_sampling(
                &Sampling {
                    logit_bias: vec![(99, 1.0)],
                    ..Sampling::default()
                },
                100
            )
            .is_ok()
        );
    }
}
