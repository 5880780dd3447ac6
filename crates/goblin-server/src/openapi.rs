//! The document at `/openapi.json`: its frame, the shapes only it names, and what the macros cannot say.

use goblin_auth::permission::key_scope;
use goblin_core::checks::CheckResult;
use goblin_core::conversation::{Chat, Parameters, Turn};
use goblin_core::error::ApiError;
use goblin_core::feedback::Rating;
use goblin_core::trace::summary::TraceSummary;
use http::Method;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Schema, SecurityRequirement,
};

pub mod accounts;
pub mod doors;
pub mod keys;
pub mod money;
mod streams;

/// A page of chats.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatPage {
    /// Newest first.
    pub items: Vec<Chat>,
    /// Give it back as `cursor` for the chats that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// A page of turns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TurnPage {
    /// Oldest first.
    pub items: Vec<Turn>,
    /// Are there turns above the first one?
    pub has_more: bool,
}

/// A page of traces.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TracePage {
    /// Newest first.
    pub items: Vec<TraceSummary>,
    /// Give it back as `cursor` for the traces that follow; null at the end.
    pub next_cursor: Option<String>,
}

/// What a reader says of an answer. An absent field stays, null takes it back; at least one is given.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FeedbackBody {
    /// The thumb.
    pub rating: Option<Rating>,
    /// Another answer to the same question that is better.
    pub better_turn: Option<String>,
    /// Another answer to the same question that was asked for to compare.
    pub second_opinion: Option<String>,
    /// In the reader's words, at most 4 KiB.
    pub comment: Option<String>,
}

/// A chat to be made. Every field may be absent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatBody {
    /// 1–200 characters; made from the first question when absent.
    pub title: Option<String>,
    /// The model to ask; absent = automatic.
    pub model: Option<String>,
    /// System prompt, at most 1 MiB.
    pub system: Option<String>,
    /// Sampling settings.
    pub parameters: Option<Parameters>,
    /// A name to group chats by, 1–200 characters.
    pub folder: Option<String>,
}

/// Changes to a chat: an absent field stays, null clears.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatChange {
    /// 1–200 characters.
    pub title: Option<String>,
    /// The model to ask.
    pub model: Option<String>,
    /// System prompt, at most 1 MiB.
    pub system: Option<String>,
    /// Sampling settings, replaced as a whole.
    pub parameters: Option<Parameters>,
    /// A name to group chats by.
    pub folder: Option<String>,
    /// Any turn of this chat; the newest leaf below it becomes the head.
    pub head: Option<String>,
}

/// A question.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TurnBody {
    /// The question, at most 1 MiB.
    pub content: String,
    /// Ids of files attached to it, in order, each once; at most 10.
    pub attachments: Option<Vec<String>>,
    /// The turn before; absent = the chat's head, null = a new first turn.
    pub parent: Option<String>,
    /// The model to ask, this time.
    pub model: Option<String>,
}

/// Another question in a turn's place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TurnEdit {
    /// The question, at most 1 MiB.
    pub content: String,
    /// Ids of its files, in order; absent = those of the question before.
    pub attachments: Option<Vec<String>>,
    /// The model to ask, this time.
    pub model: Option<String>,
}

/// Which model to ask.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelChoice {
    /// The model to ask, this time.
    pub model: Option<String>,
}

/// A conversation to be answered, as OpenAI's chat completions take it. Fields of that API that are not listed
/// here are accepted too.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatCompletionBody {
    /// `provider/model`, a bare model name, or `goblin` for the automatic choice.
    pub model: String,
    /// The conversation, oldest first; 1–10,000 messages of `role` and `content`.
    pub messages: Vec<Value>,
    /// Answer as a stream of events.
    pub stream: Option<bool>,
    /// `{"include_usage": true}`: one more chunk with the usage before the end.
    pub stream_options: Option<Value>,
    /// 0–2.
    pub temperature: Option<f32>,
    /// 0–1.
    pub top_p: Option<f32>,
    /// Most tokens of the answer, 1–1,000,000.
    pub max_tokens: Option<u32>,
    /// One text or up to 16 texts that end the answer.
    pub stop: Option<Value>,
    /// Makes sampling repeatable.
    pub seed: Option<u64>,
    /// Report each token's log-probability.
    pub logprobs: Option<bool>,
    /// With the n likeliest alternatives, 0–20.
    pub top_logprobs: Option<u32>,
    /// Functions the model may call.
    pub tools: Option<Vec<Value>>,
    /// `auto`, `none`, `required`, or one function.
    pub tool_choice: Option<Value>,
    /// `text`, `json_object` or `json_schema`.
    pub response_format: Option<Value>,
}

/// An answer, as OpenAI's chat completions give it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// Names the answer.
    pub id: String,
    /// `chat.completion`.
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Who answered, `provider/model`.
    pub model: String,
    /// One choice: `index`, `message`, `finish_reason`, `logprobs`.
    pub choices: Vec<Value>,
    /// `prompt_tokens`, `completion_tokens`, `total_tokens`.
    pub usage: Option<Value>,
}

/// A piece of a streamed answer; the stream ends with `data: [DONE]`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatCompletionChunk {
    /// Names the answer.
    pub id: String,
    /// `chat.completion.chunk`.
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Who answers, `provider/model`.
    pub model: String,
    /// One choice: `index`, `delta`, `finish_reason`, `logprobs`; none in the usage chunk.
    pub choices: Vec<Value>,
    /// Only in the usage chunk.
    pub usage: Option<Value>,
}

/// Typed questions about a text.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemOneBody {
    /// `provider/model`, a bare model name, `goblin`, or `jev-latest` for whichever can best.
    pub model: String,
    /// What the questions are about: a string, an object or an array.
    pub state: Value,
    /// 1–64 questions by name: `{"type": "noul|choice|score", "instructions", "criteria"}`. Of `noul` the criteria may
    /// be absent or `{"true": …, "false": …}`, of `choice` they are an object of 1–255 options with a description or
    /// null, of `score` a list of 2–10 levels from low to high.
    pub questions: Value,
}

/// Answers to typed questions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemOneAnswers {
    /// Who answered, `provider/model`.
    pub model: String,
    /// By the questions' names. `noul`: the probability of yes; `choice`: `choice`, `probabilities`, `confidence`;
    /// `score`: `score` (the expected level, from 0), `legend`, `probabilities`, `confidence`. All with `x_mass`.
    pub answers: Value,
    /// `input_tokens`, and `output_tokens`, which is 0.
    pub usage: Value,
}

/// An error at `/v1/systemone`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SystemOneError {
    /// Of a wrong request a list of `loc`, `msg` and `type`; else `error_type` and `message`.
    pub detail: Value,
    /// The same as under the rest of `/v1`.
    pub error: OpenAiErrorBody,
}

/// The models on offer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelList {
    /// `list`.
    pub object: String,
    /// The models.
    pub data: Vec<ModelObject>,
}

/// A model, as OpenAI's list has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ModelObject {
    /// `provider/model`.
    pub id: String,
    /// `model`.
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The provider.
    pub owned_by: String,
    /// What we know beyond that: context window, capabilities, state, size, places.
    pub goblin: Option<Value>,
}

/// An error under `/v1`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenAiError {
    /// What went wrong.
    pub error: OpenAiErrorBody,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenAiErrorBody {
    /// A sentence: what, the limit, the fix.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `server_error` …
    #[serde(rename = "type")]
    pub kind: String,
    /// The field at fault.
    pub param: Option<String>,
    /// One of a closed set a client may branch on.
    pub code: String,
}

/// An error on the paths old clients know.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LegacyError {
    /// A sentence: what, the limit, the fix.
    pub detail: String,
    /// The same as under `/v1`.
    pub error: OpenAiErrorBody,
}

/// Whether the server can take requests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthBody {
    /// `healthy`.
    pub status: String,
}

/// The outcome of every check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AllHealth {
    /// `healthy` or `degraded`.
    pub status: String,
    /// Each check by its name, and `providers` as a list. What was found and what to do is only told to
    /// admins.
    pub checks: Value,
}

/// Every check, with what is told to admins.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CheckList {
    /// Is the server shutting down?
    pub draining: bool,
    /// Each check.
    pub items: Vec<CheckResult>,
}

/// A question whose way is asked for. Every field of a chat completion is understood; these say where it goes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DryRunBody {
    /// The model asked for; absent = `goblin`.
    pub model: Option<String>,
    /// The conversation: objects with `role` and `content`.
    pub messages: Vec<Value>,
    /// What it is about, instead of what is read from it.
    pub intent: Option<goblin_core::intent::Intent>,
    /// `ultra_low`, `low`, `medium` or `high`.
    pub latency_target: Option<String>,
    /// A document the answer must use.
    pub context: Option<String>,
    /// Cheaper rather than better.
    pub cost_priority: Option<bool>,
    /// Our own options, among them `local_only` and `max_cost_usd`.
    pub goblin: Option<Value>,
}

/// The error for a path nobody answers.
pub(crate) fn no_such_path(path: &str) -> ApiError {
    let shown: String = path.chars().take(200).collect();
    let mut error = ApiError::not_found("path");
    error.message = format!("There is no path `{shown}`. GET /docs lists what there is.");
    error
}

/// The document before any path is in it.
pub(crate) fn frame() -> OpenApi {
    let local = ApiKeyValue::with_description(
        "Host",
        "Local mode: no credential. The request must come from this machine (a loopback `Host`, no foreign \
         `Origin`, no forwarding headers).",
    );
    let session = ApiKeyValue::with_description(
        "__Host-goblin-sid",
        "A browser's sign-in; over plain HTTP on this machine and in private networks the cookie is `goblin-sid`. What \
         changes something must come from goblin's own page (`Sec-Fetch-Site: same-origin`, or its `Origin`).",
    );
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The access token another program is given when it signs in, or, where `api_key` is listed too, a key of the \
             API (`gbl_live_…`).",
        ))
        .build();
    let api_key =
        ApiKeyValue::with_description("x-api-key", "A key of the API, as `POST /api/keys` makes them.");
    let info = InfoBuilder::new()
        .title("Goblin Assistant")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Chats, and the doors of other clients. Every response carries `X-Correlation-ID`; one sent with a \
             request is taken over.",
        ))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme("local", SecurityScheme::ApiKey(ApiKey::Header(local)))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(api_key)))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// The backend's document.
pub fn document() -> OpenApi {
    crate::routes::backend().1
}

/// The document as it is served and committed: indented JSON that ends with a line feed.
pub fn document_text() -> String {
    let mut document = serde_json::to_value(document()).unwrap_or_default();
    streams::describe_events(&mut document);
    streams::allow_several(&mut document);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// Adds the two other doors of the chat completion, whose errors have another shape.
pub(crate) fn add_doors(document: &mut OpenApi) {
    let doors = [
        ("/api/chat/completions", "create_chat_completion_api"),
        ("/chat/completions", "create_chat_completion_legacy"),
    ];
    let Some(original) = document
        .paths
        .paths
        .get("/v1/chat/completions")
        .and_then(|item| item.post.clone())
    else {
        return;
    };
    for (path, operation_id) in doors {
        let mut item = PathItem::default();
        item.post = Some(as_legacy(original.clone(), operation_id));
        document.paths.paths.insert(path.to_owned(), item);
    }
}

fn as_legacy(mut operation: Operation, operation_id: &str) -> Operation {
    operation.operation_id = Some(operation_id.to_owned());
    operation.tags = Some(vec!["Doors of older clients".to_owned()]);
    for (status, response) in &mut operation.responses.responses {
        if let (false, RefOr::T(response)) = (status.starts_with('2'), response) {
            let schema = Ref::from_schema_name("LegacyError");
            response
                .content
                .insert("application/json".to_owned(), Content::new(Some(schema)).into());
        }
    }
    operation
}

/// Whatever needs somebody takes a sign-in as well as local mode.
pub(crate) fn add_sign_ins(document: &mut OpenApi) {
    let named = |name: &str| SecurityRequirement::new(name, Vec::<String>::new());
    let local = named("local");
    for (path, item) in &mut document.paths.paths {
        // As the router knows it.
        let route = match path.as_str() {
            "/v1/models/{id}" => "/v1/models/{*id}",
            other => other,
        };
        let operations = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(security) = operation.as_mut().and_then(|o| o.security.as_mut()) else {
                continue;
            };
            if security.contains(&local) {
                security.extend(["session", "bearer"].map(named));
                security.extend(key_scope(&method, route).map(|_| named("api_key")));
            }
        }
    }
}

/// What our own answers always hold, null or not: clients need not ask whether a field is there.
const ALWAYS_WHOLE: &[&str] = &[
    "Account",
    "AccountPage",
    "ApiKey",
    "ApiKeyMade",
    "ApiKeyPage",
    "Attachment",
    "AuditCheck",
    "AuditEvent",
    "AuditPage",
    "Budget",
    "BudgetList",
    "BudgetState",
    "Chat",
    "ChatPage",
    "Feedback",
    "IdentityList",
    "IdentityView",
    "Invitation",
    "InvitationPage",
    "LinkAnswer",
    "MembersAnswer",
    "ModelStatus",
    "OpenAiErrorBody",
    "Outcomes",
    "PartStatus",
    "Passkey",
    "PasskeyCeremony",
    "PasskeyList",
    "Problem",
    "ProviderKeyList",
    "ProviderKeyState",
    "ProviderShown",
    "Session",
    "SessionPage",
    "SignInState",
    "Suggestion",
    "SystemStatus",
    "Team",
    "TeamMember",
    "TeamPage",
    "TracePage",
    "TraceSummary",
    "Turn",
    "TurnPage",
    "UpstreamStatus",
    "UsageItem",
    "UsageReport",
    "User",
];

/// Fields that are left out rather than null.
const MAY_BE_ABSENT: [&str; 1] = ["retry_after_seconds"];

/// Marks as required what is always there.
pub(crate) fn require_what_is_always_there(document: &mut OpenApi) {
    let Some(components) = &mut document.components else {
        return;
    };
    for name in ALWAYS_WHOLE.iter().copied() {
        if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut(name) {
            let all = object
                .properties
                .keys()
                .filter(|field| !MAY_BE_ABSENT.contains(&field.as_str()));
            object.required = all.cloned().collect();
        }
    }
}
