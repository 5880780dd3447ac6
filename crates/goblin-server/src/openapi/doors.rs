//! What clients of other protocols send and get: OpenAI's older and newer endpoints, Anthropic's, Ollama's.

use goblin_core::error::ApiError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A text to be gone on with, as OpenAI's completions take it. What is not listed here is refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CompletionBody {
    /// `provider/model`, a bare model name, or `goblin` for the automatic choice.
    pub model: String,
    /// The text: a string, or an array of one.
    pub prompt: Value,
    /// What comes after the gap; only of a model that fills gaps.
    pub suffix: Option<String>,
    /// Put the prompt in front of the answer.
    pub echo: Option<bool>,
    /// Answer as a stream of events.
    pub stream: Option<bool>,
    /// `{"include_usage": true}`: one more chunk with the usage before the end.
    pub stream_options: Option<Value>,
    /// Most tokens of the answer, 1–1,000,000; 16 when absent.
    pub max_tokens: Option<u32>,
    /// 0–2.
    pub temperature: Option<f32>,
    /// 0–1.
    pub top_p: Option<f32>,
    /// The k likeliest tokens only; 0 = all.
    pub top_k: Option<u32>,
    /// 0–1, relative to the likeliest token.
    pub min_p: Option<f32>,
    /// -2–2.
    pub presence_penalty: Option<f32>,
    /// -2–2.
    pub frequency_penalty: Option<f32>,
    /// One text or up to 16 texts that end the answer.
    pub stop: Option<Value>,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
    /// Report each token's log-probability, with the n likeliest alternatives, 0–5.
    pub logprobs: Option<u32>,
    /// Must be 1.
    pub n: Option<u32>,
    /// Must be 1.
    pub best_of: Option<u32>,
    /// Who the end user is.
    pub user: Option<String>,
}

/// A text gone on with; in a stream each event is one of these with a piece of it, and `data: [DONE]` is the end.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Completion {
    /// Names the answer.
    pub id: String,
    /// `text_completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Who answered, `provider/model`.
    pub model: String,
    /// One choice: `index`, `text`, `finish_reason`, `logprobs`; none in the usage chunk.
    pub choices: Vec<Value>,
    /// `prompt_tokens`, `completion_tokens`, `total_tokens`.
    pub usage: Option<Value>,
}

/// A conversation to be answered, as OpenAI's Responses take it. What is not listed here and would change an answer is
/// refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResponseBody {
    /// `provider/model`, a bare model name, or `goblin` for the automatic choice.
    pub model: String,
    /// What a person says: a text; or the conversation: items `message`, `function_call`, `function_call_output` and
    /// `reasoning`, oldest first.
    pub input: Value,
    /// Instructions, in front of `input`.
    pub instructions: Option<String>,
    /// Answer as a stream of events.
    pub stream: Option<bool>,
    /// Most tokens of the answer, 1–1,000,000.
    pub max_output_tokens: Option<u32>,
    /// 0–2.
    pub temperature: Option<f32>,
    /// 0–1.
    pub top_p: Option<f32>,
    /// Report each token's log-probability with the n likeliest alternatives, 0–20.
    pub top_logprobs: Option<u32>,
    /// `message.output_text.logprobs`: report each token's log-probability.
    pub include: Option<Vec<String>>,
    /// Functions the model may call: `type` (`function`), `name`, `description`, `parameters`.
    pub tools: Option<Vec<Value>>,
    /// `auto`, `none`, `required`, or one function.
    pub tool_choice: Option<Value>,
    /// May several functions be called at once?
    pub parallel_tool_calls: Option<bool>,
    /// `format`: `text`, `json_object` or `json_schema`.
    pub text: Option<Value>,
    /// `effort`: `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`.
    pub reasoning: Option<Value>,
    /// Up to 16 texts by name, repeated in the response.
    pub metadata: Option<Value>,
    /// Keep the response, for as long as this server keeps them. False by default.
    pub store: Option<bool>,
    /// A kept response that this one goes on from.
    pub previous_response_id: Option<String>,
    /// Who the end user is.
    pub user: Option<String>,
}

/// A response, as OpenAI's Responses give it. It repeats most fields of its request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResponseObject {
    /// Names it. It is kept under that where `store` is true.
    pub id: String,
    /// `response`.
    pub object: String,
    /// Seconds since 1970.
    pub created_at: i64,
    /// `completed`, or `incomplete`.
    pub status: String,
    /// `max_output_tokens` or `content_filter`, of one that is incomplete.
    pub incomplete_details: Option<Value>,
    /// Who answered, `provider/model`.
    pub model: String,
    /// Items: `reasoning`, `message`, `function_call`.
    pub output: Vec<Value>,
    /// `input_tokens`, `output_tokens`, `total_tokens` and what of them was cached or reasoning.
    pub usage: Option<Value>,
    /// Is it kept?
    pub store: bool,
    /// The response it goes on from.
    pub previous_response_id: Option<String>,
    /// Of names like `goblin`: why the answer comes from where it comes from.
    pub goblin: Option<Value>,
}

/// A response is gone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResponseDeleted {
    /// Which.
    pub id: String,
    /// `response`.
    pub object: String,
    /// True.
    pub deleted: bool,
}

/// What a response answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct InputItems {
    /// `list`.
    pub object: String,
    /// Items: `message`, `function_call`, `function_call_output`, `reasoning`.
    pub data: Vec<Value>,
    /// The id of the first of them.
    pub first_id: Option<String>,
    /// The id of the last of them.
    pub last_id: Option<String>,
    /// Are there more?
    pub has_more: bool,
}

impl InputItems {
    /// A page of `items`, which come oldest first.
    ///
    /// # Errors
    /// `invalid_request` naming `after`, when none of the items has that id.
    pub(crate) fn page(
        mut items: Vec<Value>,
        newest_first: bool,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Self, ApiError> {
        if newest_first {
            items.reverse();
        }
        if let Some(after) = after {
            let at = items.iter().position(|item| item["id"] == after);
            let at = at.ok_or_else(|| ApiError::invalid("after", "`after` names none of these items."))?;
            items.drain(..=at);
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = items.len() > most;
        items.truncate(most);
        let id = |item: Option<&Value>| item.and_then(|item| item["id"].as_str()).map(str::to_owned);
        Ok(Self {
            object: "list".to_owned(),
            first_id: id(items.first()),
            last_id: id(items.last()),
            data: items,
            has_more,
        })
    }
}

/// Texts to be turned into vectors, as OpenAI's embeddings take them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EmbeddingsBody {
    /// `provider/model`, a bare model name, or `goblin` for any that can.
    pub model: String,
    /// A text, or up to 2,048 of them.
    pub input: Value,
    /// `float` or `base64`.
    pub encoding_format: Option<String>,
    /// Shorter vectors, of models that can.
    pub dimensions: Option<u32>,
    /// Who the end user is.
    pub user: Option<String>,
}

/// Vectors, one a text, in the order of the texts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Embeddings {
    /// `list`.
    pub object: String,
    /// Objects of `index` and `embedding`: numbers, or base64 of 32-bit little-endian floats.
    pub data: Vec<Value>,
    /// Who made them, `provider/model`.
    pub model: String,
    /// `prompt_tokens` and `total_tokens`.
    pub usage: Value,
}

/// A conversation to be answered, as Anthropic's Messages take it. Fields of that API that are not listed here and
/// change no answer are passed over.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageBody {
    /// `provider/model`, a bare model name, or `goblin` for the automatic choice.
    pub model: String,
    /// Most tokens of the answer, 1–1,000,000.
    pub max_tokens: u32,
    /// The conversation, oldest first: objects of `role` (`user` or `assistant`) and `content`.
    pub messages: Vec<Value>,
    /// Instructions: a text, or blocks of text.
    pub system: Option<Value>,
    /// Answer as a stream of events.
    pub stream: Option<bool>,
    /// 0–1.
    pub temperature: Option<f32>,
    /// 0–1.
    pub top_p: Option<f32>,
    /// The k likeliest tokens only.
    pub top_k: Option<u32>,
    /// Up to 16 texts that end the answer.
    pub stop_sequences: Option<Vec<String>>,
    /// Functions the model may call: `name`, `description`, `input_schema`.
    pub tools: Option<Vec<Value>>,
    /// `{"type": "auto|any|tool|none"}`.
    pub tool_choice: Option<Value>,
    /// `{"type": "enabled|adaptive|disabled"}`.
    pub thinking: Option<Value>,
    /// `effort`, and `format` of the type `json_schema`.
    pub output_config: Option<Value>,
    /// `{"user_id": …}`.
    pub metadata: Option<Value>,
}

/// An answer, as Anthropic's Messages give it. In a stream it comes as `message_start`, `content_block_…` and
/// `message_…` events, with `ping` in silence and `error` where it fails.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageAnswer {
    /// Names the answer.
    pub id: String,
    /// `message`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `assistant`.
    pub role: String,
    /// The name that was asked for.
    pub model: String,
    /// Blocks: `thinking`, `text`, `tool_use`.
    pub content: Vec<Value>,
    /// `end_turn`, `max_tokens`, `tool_use`, or `refusal` for an answer that is refused.
    pub stop_reason: String,
    /// `input_tokens`, `output_tokens`, `cache_read_input_tokens`, `cache_creation_input_tokens`.
    pub usage: Value,
}

/// A conversation whose tokens are to be counted: as a message, without `max_tokens`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CountBody {
    /// The model that would answer.
    pub model: String,
    /// The conversation.
    pub messages: Vec<Value>,
    /// Instructions.
    pub system: Option<Value>,
    /// Functions the model may call.
    pub tools: Option<Vec<Value>>,
}

/// How many tokens a conversation has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokensCounted {
    /// Tokens of the prompt. Of a model that cannot count, an estimate.
    pub input_tokens: u32,
}

/// An error at `/v1/messages`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnthropicError {
    /// `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `type`, `message`, and `param` where a field is at fault.
    pub error: Value,
}

/// A conversation to be answered, as Ollama takes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaChatBody {
    /// `provider/model`, a bare model name, or `goblin` for the automatic choice.
    pub model: String,
    /// The conversation, oldest first: `role`, `content`, `images`, `tool_calls`. Without any nothing is answered: the
    /// model is brought into memory, or with `keep_alive` 0 taken out of it.
    pub messages: Option<Vec<Value>>,
    /// Answer as lines of JSON; true when absent.
    pub stream: Option<bool>,
    /// Functions the model may call.
    pub tools: Option<Vec<Value>>,
    /// `json`, or a JSON schema.
    pub format: Option<Value>,
    /// How tokens are chosen, `num_ctx`, `num_predict` …
    pub options: Option<Value>,
    /// True, false, `low`, `medium` or `high`.
    pub think: Option<Value>,
    /// How long the model stays in memory: seconds, or a text like `5m`.
    pub keep_alive: Option<Value>,
}

/// A prompt to be answered, as Ollama takes it; gone on with as it stands with `raw` or `suffix`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaGenerateBody {
    /// As for `/api/chat`.
    pub model: String,
    /// The text. Without one nothing is answered, as for `/api/chat`.
    pub prompt: Option<String>,
    /// Instructions.
    pub system: Option<String>,
    /// What comes after the gap.
    pub suffix: Option<String>,
    /// No template around the prompt.
    pub raw: Option<bool>,
    /// Bytes of images in base64.
    pub images: Option<Vec<String>>,
    /// Answer as lines of JSON; true when absent.
    pub stream: Option<bool>,
    /// `json`, or a JSON schema.
    pub format: Option<Value>,
    /// How tokens are chosen, `num_ctx`, `num_predict` …
    pub options: Option<Value>,
    /// True, false, `low`, `medium` or `high`.
    pub think: Option<Value>,
    /// How long the model stays in memory.
    pub keep_alive: Option<Value>,
}

/// An answer, as Ollama gives it; in a stream each line is one of these with a piece, the last with `done` true.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaAnswer {
    /// The name that was asked for.
    pub model: String,
    /// When it was begun, RFC 3339.
    pub created_at: String,
    /// Of `/api/chat`: `role`, `content`, `thinking`, `tool_calls`.
    pub message: Option<Value>,
    /// Of `/api/generate`: the text.
    pub response: Option<String>,
    /// Is it the end?
    pub done: bool,
    /// `stop`, `length`, `load`, `unload`, or `content_filter` for an answer that is refused.
    pub done_reason: Option<String>,
    /// Tokens of the prompt, at the end.
    pub prompt_eval_count: Option<u32>,
    /// Tokens of the answer, at the end.
    pub eval_count: Option<u32>,
}

/// Texts to be turned into vectors, as Ollama takes them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaEmbedBody {
    /// `provider/model`, a bare model name, or `goblin` for any that can.
    pub model: String,
    /// A text, or up to 2,048 of them.
    pub input: Option<Value>,
    /// The one text, as older clients send it; they get `{"embedding": […]}`.
    pub prompt: Option<String>,
    /// May a text that is too long be cut? True when absent.
    pub truncate: Option<bool>,
    /// Shorter vectors, of models that can.
    pub dimensions: Option<u32>,
    /// How long the model stays in memory.
    pub keep_alive: Option<Value>,
}

/// Vectors, one a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaVectors {
    /// The name that was asked for.
    pub model: Option<String>,
    /// One vector a text, in the order of the texts.
    pub embeddings: Option<Vec<Vec<f32>>>,
    /// The one vector, for older clients.
    pub embedding: Option<Vec<f32>>,
    /// Tokens of all texts together.
    pub prompt_eval_count: Option<u32>,
}

/// Models, as Ollama lists them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaModels {
    /// `name`, `model`, `size`, `digest`, `details` …
    pub models: Vec<Value>,
}

/// A model that is asked about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaModelName {
    /// Its name.
    pub model: String,
}

/// A model, as Ollama describes it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaModel {
    /// `family`, `parameter_size`, `quantization_level` …
    pub details: Value,
    /// Its architecture and context length, where they are known.
    pub model_info: Value,
    /// `completion`, `tools`, `vision`, `thinking`, `embedding`.
    pub capabilities: Vec<String>,
}

/// Which version of Ollama's wire is spoken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaVersion {
    /// A version of Ollama, and ours behind a plus sign.
    pub version: String,
}

/// An error at Ollama's paths.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OllamaError {
    /// A sentence: what, the limit, the fix.
    pub error: String,
}
