//! The scripted provider with every ability: it continues texts, makes vectors, decides, and changes its models.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, KeepAlive, Message, Purpose, Role};
use goblin_core::completion::CompletionRequest;
use goblin_core::decide::{DecideRequest, DecideResponse, Decision, OptionProbability};
use goblin_core::embed::{EmbedRequest, EmbedResponse};
use goblin_core::event::{ChatEvent, FinishReason, Parsed, Usage};
use goblin_core::manage::{Action, Outcome};
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::provider::{BoxFuture, ChatStream, ProviderError, ProviderHandle, ProviderStatus};
use serde_json::{Map, Value, json};

/// Gives `handle` every ability. Its model `parrot` has all of them, `mute` only answers chats.
pub(crate) fn able(handle: ProviderHandle) -> ProviderHandle {
    let (plain_chat, plain_status) = (Arc::clone(&handle.chat), Arc::clone(&handle.status));
    let blobs = Arc::new(Mutex::new(Vec::new()));
    ProviderHandle {
        chat: Arc::new(move |request| chat(&plain_chat, request)),
        complete: Some(Arc::new(complete)),
        embed: Some(Arc::new(embed)),
        decide: Some(Arc::new(decide)),
        makes_models: true,
        manage: Some(Arc::new(move |action| manage(Arc::clone(&blobs), action))),
        status: Arc::new(move || {
            let status = plain_status();
            Box::pin(async move { with_abilities(status.await) })
        }),
        ..handle
    }
}

fn with_abilities(mut status: ProviderStatus) -> ProviderStatus {
    let parrot = &mut status.models[0];
    parrot.capabilities = vec![
        Capability::Chat,
        Capability::Tools,
        Capability::Vision,
        Capability::Thinking,
        Capability::Complete,
        Capability::Logprobs,
        Capability::Decide,
        Capability::Embed,
        Capability::Grammar,
    ];
    parrot.family = Some("bird".into());
    parrot.quantization = Some("Q4_1".into());
    parrot.digest = Some("ab".repeat(32));
    parrot.memory_bytes = Some(200_000_000);
    status.models.push(ModelInfo::named("mute"));
    status
}

fn text(text: &str) -> Parsed {
    Parsed::Text {
        text: text.to_owned(),
        logprobs: Vec::new(),
    }
}

fn stream(events: impl IntoIterator<Item = Parsed>, reason: FinishReason) -> ChatStream {
    let usage = Usage {
        prompt_tokens: 5,
        completion_tokens: 3,
        ..Usage::default()
    };
    let ending = [Parsed::Finished { reason }, Parsed::Usage(usage)];
    let all: Vec<_> = events
        .into_iter()
        .chain(ending)
        .map(|parsed| Ok(ChatEvent::from(parsed)))
        .collect();
    Box::pin(futures_util::stream::iter(all))
}

/// What a question begins with decides: `weather` calls two tools after a thought, `echo` says what was asked
/// beside the messages; anything else is answered as by the plain provider.
fn chat(
    plain: &goblin_core::provider::ChatFn,
    request: ChatRequest,
) -> BoxFuture<Result<ChatStream, ProviderError>> {
    let asked = request.messages.iter().rev().find(|m| m.role == Role::User);
    let question = asked.map(Message::joined_text).unwrap_or_default();
    match question.split(' ').next().unwrap_or("") {
        "weather" => Box::pin(async { Ok(weather()) }),
        "echo" => {
            let echo = echo(&request);
            Box::pin(async move { Ok(stream([text(&echo)], FinishReason::Stop)) })
        }
        _ => plain(request),
    }
}

fn echo(request: &ChatRequest) -> String {
    let keep_alive = match request.keep_alive {
        None => "none".to_owned(),
        Some(KeepAlive::Forever) => "forever".to_owned(),
        Some(KeepAlive::For(time)) => format!("{}s", time.as_secs()),
    };
    let images = request.messages.iter().filter(|m| m.has_image()).count();
    json!({
        "verdict": request.purpose == Purpose::Verdict,
        "context": request.context_tokens,
        "most": request.sampling.max_tokens,
        "keep_alive": keep_alive,
        "images": images,
        "system": request.messages.first().filter(|m| m.role == Role::System).map(Message::joined_text),
    })
    .to_string()
}

fn weather() -> ChatStream {
    let call = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Parsed::ToolCall {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.to_owned(),
    };
    let events = [
        Parsed::Started,
        Parsed::Reasoning {
            text: "Two places.".to_owned(),
        },
        text("Let me "),
        text("look."),
        call(0, Some("call_a"), Some("get_weather"), "{\"city\":"),
        call(0, None, None, "\"Rome\"}"),
        call(1, Some("call_b"), Some("get_weather"), "{\"city\":\"Oslo\"}"),
    ];
    stream(events, FinishReason::ToolCalls)
}

fn complete(request: CompletionRequest) -> BoxFuture<Result<ChatStream, ProviderError>> {
    let more = format!("{}|{}", request.prompt, request.suffix.unwrap_or_default());
    Box::pin(async move { Ok(stream([text("more "), text(&more)], FinishReason::Length)) })
}

/// A vector of one dimension for each text: 1 for the first, -1 for the others.
fn embed(request: EmbedRequest) -> BoxFuture<Result<EmbedResponse, ProviderError>> {
    let vectors = (0..request.inputs.len())
        .map(|n| vec![if n == 0 { 1.0 } else { -1.0 }])
        .collect();
    Box::pin(async move {
        Ok(EmbedResponse {
            vectors,
            prompt_tokens: 4,
        })
    })
}

/// Every question's first option is taken at 0.75, the rest share 0.2.
fn decide(request: DecideRequest) -> BoxFuture<Result<DecideResponse, ProviderError>> {
    let decisions = request
        .questions
        .iter()
        .map(|question| {
            let others = question.options.len().max(2) - 1;
            let options = question
                .options
                .iter()
                .enumerate()
                .map(|(n, option)| OptionProbability {
                    name: option.name.clone(),
                    probability: if n == 0 { 0.75 } else { 0.2 / others as f64 },
                });
            Decision {
                id: question.id.clone(),
                options: options.collect(),
                mass: 0.95,
            }
        })
        .collect();
    Box::pin(async move {
        Ok(DecideResponse {
            decisions,
            ..DecideResponse::default()
        })
    })
}

type Blobs = Arc<Mutex<Vec<(String, usize)>>>;

fn manage(blobs: Blobs, action: Action) -> BoxFuture<Result<Outcome, ProviderError>> {
    Box::pin(async move {
        Ok(match action {
            Action::Show { model, .. } => {
                Outcome::Described(object(json!({"template": "T", "model": model})))
            }
            Action::Load { .. } | Action::Unload { .. } | Action::Copy { .. } => Outcome::Done,
            Action::Delete { model } if model == "parrot" => Outcome::Done,
            Action::Delete { model } => return Err(ProviderError::ModelNotFound { model }),
            Action::Pull { model } | Action::Push { model } => steps(&model)?,
            Action::Create { fields } => steps(fields["model"].as_str().unwrap_or_default())?,
            Action::HasBlob { digest } => {
                match blobs.lock().unwrap().iter().any(|(known, _)| *known == digest) {
                    true => Outcome::Done,
                    false => Outcome::Absent,
                }
            }
            Action::PutBlob { digest, mut body } => {
                let mut bytes = 0;
                while let Some(piece) = body.next().await {
                    let piece = piece.map_err(|e| ProviderError::Interrupted {
                        reason: e.to_string(),
                    })?;
                    bytes += piece.len();
                }
                blobs.lock().unwrap().push((digest, bytes));
                Outcome::Done
            }
        })
    })
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// `absent` fails at once, `broken` on its way; others succeed.
fn steps(model: &str) -> Result<Outcome, ProviderError> {
    let step = |status: &str| Ok(object(json!({"status": status})));
    let broken = ProviderError::Interrupted {
        reason: "10.0.0.7 closed".into(),
    };
    let steps = match model {
        "absent" => {
            return Err(ProviderError::ModelNotFound {
                model: model.to_owned(),
            });
        }
        "broken" => vec![step("pulling manifest"), Err(broken)],
        _ => vec![step("pulling manifest"), step("success")],
    };
    Ok(Outcome::Progress(Box::pin(futures_util::stream::iter(steps))))
}
