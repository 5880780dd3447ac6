//! Everything a request can wish for beside its conversation, at every door, of every provider: it is told to the provider,
//! or refused by the name of its field. What is neither must stand in [`UNTOLD`], with the reason.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::heard::Words;
use super::{DOORS, Door, Goldens, PROVIDERS, World, ask, question};

/// A wish: its name in the list, what is merged into the body so that it makes sense, and then into that to wish it.
type Wish = (&'static str, Value, Value);

/// A wish that makes sense as it is.
fn just(name: &'static str, wish: Value) -> Wish {
    (name, json!({}), wish)
}

/// Wishes that need not reach a provider: at which doors (none: all), which, of which providers (none: all), and why.
const UNTOLD: &[(&str, &str, &[&str], &str)] = &[
    ("", "user", &["gemini", "deepseek", "ollama"], WHO),
    ("", "safety_identifier", &["gemini", "deepseek", "ollama"], WHO),
    ("/v1/messages", "metadata", &["gemini", "deepseek", "ollama"], WHO),
    ("/v1/chat/completions", "metadata", &[], "the client's own labels"),
    (
        "/v1/responses",
        "metadata",
        &[],
        "the client's own labels, repeated to it",
    ),
    ("", "prompt_cache_key", &[], CACHES),
    ("/v1/messages", "cache_control", &[], CACHES),
    (
        "/v1/messages",
        "service_tier",
        &[],
        "says which of Anthropic's queues",
    ),
    ("/v1/responses", "truncation", &[], "nothing is cut here"),
    (
        "/v1/responses",
        "max_tool_calls",
        &[],
        "counts tools that OpenAI runs",
    ),
    ("/v1/messages", "thinking", &["compatible"], NO_WORD),
    ("/api/chat", "think", &["compatible"], NO_WORD),
    ("/api/chat", "typical_p", &[], OPERATORS),
    ("/api/chat", "mirostat", &[], OPERATORS),
    ("/api/chat", "num_gpu", &[], OPERATORS),
    (
        "/api/chat",
        "num_ctx",
        &["ollama"],
        "one size for all requests of a model, or it is loaded anew",
    ),
    ("/api/chat", "num_ctx", &[], "its context holds more"),
    ("/api/chat", "keep_alive", &[], "it is in no memory of ours"),
];
const WHO: &str = "says who the end user is";
const CACHES: &str = "a hint for caches";
const NO_WORD: &str = "no common word for it";
const OPERATORS: &str = "the operator's to set";

fn schema() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false})
}

fn two_tools() -> Value {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    json!([tool("get_weather"), tool("other")])
}

fn of_openai() -> Vec<Wish> {
    let say = |name, part: Value| -> Wish {
        let text = json!({"type": "text", "text": "x"});
        let with = |parts: Value| json!({"messages": [{"role": "user", "content": parts}]});
        (name, with(json!([text])), with(json!([text, part])))
    };
    let named = json!({"type": "function", "function": {"name": "get_weather"}});
    vec![
        just("temperature", json!({"temperature": 0.3})),
        just("top_p", json!({"top_p": 0.5})),
        just("top_k", json!({"top_k": 5})),
        just("min_p", json!({"min_p": 0.1})),
        just("stop", json!({"stop": ["END"]})),
        just("seed", json!({"seed": 7})),
        just("n", json!({"n": 2})),
        just("logprobs", json!({"logprobs": true, "top_logprobs": 2})),
        just("frequency_penalty", json!({"frequency_penalty": 0.5})),
        just("presence_penalty", json!({"presence_penalty": 0.5})),
        just("logit_bias", json!({"logit_bias": {"5": 1}})),
        (
            "max_completion_tokens",
            json!({"max_tokens": null}),
            json!({"max_completion_tokens": 50}),
        ),
        (
            "JSON",
            json!({"tools": null}),
            json!({"response_format": {"type": "json_object"}}),
        ),
        (
            "JSON schema",
            json!({"tools": null}),
            json!({"response_format":
                {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema()}}}),
        ),
        just("tool_choice required", json!({"tool_choice": "required"})),
        (
            "tool_choice of one",
            json!({"tools": two_tools()}),
            json!({"tool_choice": named}),
        ),
        just("tool_choice none", json!({"tool_choice": "none"})),
        just("parallel_tool_calls", json!({"parallel_tool_calls": false})),
        (
            "reasoning_effort",
            json!({"max_tokens": 9000}),
            json!({"reasoning_effort": "low"}),
        ),
        just("user", json!({"user": "u-1"})),
        (
            "name of a message",
            json!({"messages": [{"role": "user", "content": "x"}]}),
            json!({"messages": [{"role": "user", "name": "eve", "content": "x"}]}),
        ),
        just("metadata", json!({"metadata": {"a": "b"}})),
        just("store", json!({"store": true})),
        just("service_tier", json!({"service_tier": "flex"})),
        just("verbosity", json!({"verbosity": "low"})),
        just("prompt_cache_key", json!({"prompt_cache_key": "k"})),
        just(
            "prediction",
            json!({"prediction": {"type": "content", "content": "x"}}),
        ),
        just(
            "audio",
            json!({"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}),
        ),
        just("web_search_options", json!({"web_search_options": {}})),
        say(
            "image by address",
            json!({"type": "image_url", "image_url": {"url": "https://images.example/a.png"}}),
        ),
        say(
            "file",
            json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}}),
        ),
        say(
            "audio said",
            json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
        ),
    ]
}

fn of_responses() -> Vec<Wish> {
    let say = |name, part: Value| -> Wish {
        let text = json!({"type": "input_text", "text": "x"});
        let with = |parts: Value| json!({"input": [{"role": "user", "content": parts}]});
        (name, with(json!([text])), with(json!([text, part])))
    };
    vec![
        just("temperature", json!({"temperature": 0.3})),
        just("top_p", json!({"top_p": 0.5})),
        just(
            "logprobs",
            json!({"top_logprobs": 2, "include": ["message.output_text.logprobs"]}),
        ),
        (
            "JSON",
            json!({"tools": null}),
            json!({"text": {"format": {"type": "json_object"}}}),
        ),
        (
            "JSON schema",
            json!({"tools": null}),
            json!({"text":
                {"format": {"type": "json_schema", "name": "s", "strict": true, "schema": schema()}}}),
        ),
        just("verbosity", json!({"text": {"verbosity": "low"}})),
        just("tool_choice required", json!({"tool_choice": "required"})),
        (
            "tool_choice of one",
            json!({"tools": [{"type": "function", "name": "get_weather"}, {"type": "function", "name": "other"}]}),
            json!({"tool_choice": {"type": "function", "name": "get_weather"}}),
        ),
        just("tool_choice none", json!({"tool_choice": "none"})),
        just("parallel_tool_calls", json!({"parallel_tool_calls": false})),
        (
            "reasoning",
            json!({"max_output_tokens": 9000}),
            json!({"reasoning": {"effort": "low"}}),
        ),
        just("user", json!({"user": "u-1"})),
        just("safety_identifier", json!({"safety_identifier": "u-1"})),
        just("prompt_cache_key", json!({"prompt_cache_key": "k"})),
        just("metadata", json!({"metadata": {"a": "b"}})),
        just("service_tier", json!({"service_tier": "flex"})),
        just("truncation", json!({"truncation": "auto"})),
        just("max_tool_calls", json!({"max_tool_calls": 3})),
        just("background", json!({"background": true})),
        just("conversation", json!({"conversation": "conv_1"})),
        just("prompt", json!({"prompt": {"id": "pmpt_1"}})),
        just("a tool of OpenAI's", json!({"tools": [{"type": "web_search"}]})),
        just(
            "a custom tool",
            json!({"tools": [{"type": "custom", "name": "c"}]}),
        ),
        say(
            "image by address",
            json!({"type": "input_image", "image_url": "https://images.example/a.png"}),
        ),
        say(
            "file",
            json!({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}),
        ),
    ]
}

fn of_messages() -> Vec<Wish> {
    let say = |name, part: Value| -> Wish {
        let text = json!({"type": "text", "text": "x"});
        let with = |parts: Value| json!({"messages": [{"role": "user", "content": parts}]});
        (name, with(json!([text])), with(json!([text, part])))
    };
    vec![
        just("temperature", json!({"temperature": 0.3})),
        just("top_p", json!({"top_p": 0.5})),
        just("top_k", json!({"top_k": 5})),
        just("stop_sequences", json!({"stop_sequences": ["END"]})),
        just("tool_choice any", json!({"tool_choice": {"type": "any"}})),
        (
            "tool_choice of one",
            json!({"tools": [{"name": "get_weather", "input_schema": {"type": "object"}},
                {"name": "other", "input_schema": {"type": "object"}}]}),
            json!({"tool_choice": {"type": "tool", "name": "get_weather"}}),
        ),
        just("tool_choice none", json!({"tool_choice": {"type": "none"}})),
        (
            "no parallel calls",
            json!({"tool_choice": {"type": "auto"}}),
            json!({"tool_choice": {"disable_parallel_tool_use": true}}),
        ),
        (
            "thinking",
            json!({"max_tokens": 9000}),
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ),
        just("metadata", json!({"metadata": {"user_id": "u-1"}})),
        just("service_tier", json!({"service_tier": "standard_only"})),
        (
            "cache_control",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "y"}]}]}),
            json!({"messages": [{"role": "user", "content":
                [{"type": "text", "text": "y", "cache_control": {"type": "ephemeral"}}]}]}),
        ),
        just("container", json!({"container": "c-1"})),
        just(
            "mcp_servers",
            json!({"mcp_servers": [{"type": "url", "url": "https://mcp.example", "name": "m"}]}),
        ),
        just(
            "a tool of Anthropic's",
            json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ),
        say(
            "image by address",
            json!({"type": "image", "source": {"type": "url", "url": "https://images.example/a.png"}}),
        ),
        say(
            "document",
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}}),
        ),
    ]
}

fn of_ollama() -> Vec<Wish> {
    vec![
        just("temperature", json!({"options": {"temperature": 0.3}})),
        just("top_p", json!({"options": {"top_p": 0.5}})),
        just("top_k", json!({"options": {"top_k": 5}})),
        just("min_p", json!({"options": {"min_p": 0.1}})),
        just("typical_p", json!({"options": {"typical_p": 0.5}})),
        just("repeat_penalty", json!({"options": {"repeat_penalty": 1.3}})),
        just("presence_penalty", json!({"options": {"presence_penalty": 0.5}})),
        just("seed", json!({"options": {"seed": 7}})),
        just("stop", json!({"options": {"stop": ["END"]}})),
        just("num_ctx", json!({"options": {"num_ctx": 2048}})),
        just("mirostat", json!({"options": {"mirostat": 2}})),
        just("num_gpu", json!({"options": {"num_gpu": 1}})),
        ("JSON", json!({"tools": null}), json!({"format": "json"})),
        ("JSON schema", json!({"tools": null}), json!({"format": schema()})),
        just("think", json!({"think": true})),
        just("keep_alive", json!({"keep_alive": "5m"})),
        just("logprobs", json!({"logprobs": true, "top_logprobs": 2})),
    ]
}

/// Puts `wish` into `body`; `null` takes a field out.
pub(super) fn merge(body: &mut Value, wish: &Value) {
    let (Value::Object(fields), Value::Object(wishes)) = (&mut *body, wish) else {
        *body = wish.clone();
        return;
    };
    for (name, wished) in wishes {
        match wished {
            Value::Null => drop(fields.remove(name)),
            wished => merge(fields.entry(name.clone()).or_insert_with(|| json!({})), wished),
        }
    }
}

/// What a provider is asked for this body, or the refusal.
async fn asked(world: &World, at: usize, door: &Door, body: &Value) -> Result<Value, String> {
    let (_, asked) = ask(world, (at, door), body, true).await?;
    Ok(serde_json::from_str(&asked.body).unwrap())
}

/// It reached nobody, and nothing was said of that.
const DROPPED: &str = "dropped without a word";

/// Does the wish reach the provider?
async fn cell(world: &World, at: usize, door: &Door, (name, context, wish): &Wish) -> String {
    let (provider, model, _) = PROVIDERS[at];
    let mut body = question("tool_call", door.words, &format!("{provider}/{model}"), true).unwrap();
    if door.words == Words::OpenAi {
        // Read here, and not forwarded as it is.
        body["goblin"] = json!({});
    }
    let mut without = body;
    merge(&mut without, context);
    let mut wishing = without.clone();
    merge(&mut wishing, wish);
    let with = match asked(world, at, door, &wishing).await {
        Ok(with) => with,
        Err(refused) => return refused,
    };
    let without = asked(world, at, door, &without).await;
    let without = without.unwrap_or_else(|refused| panic!("{name} of {provider}: {refused}"));
    if with != without {
        return "told".to_owned();
    }
    let known = UNTOLD.iter().find(|(path, wished, of, _)| {
        (*path == door.path || path.is_empty()) && wished == name && (of.is_empty() || of.contains(&provider))
    });
    known.map_or(DROPPED, |(.., why)| why).to_owned()
}

#[tokio::test]
async fn whatever_a_request_wishes_is_told_to_its_provider_or_refused_by_the_name_of_its_field() {
    let world = World::new("calls").await;
    let mut table = String::new();
    let providers: Vec<&str> = PROVIDERS.iter().map(|(name, ..)| *name).collect();
    for (path, wishes) in [
        ("/v1/chat/completions", of_openai()),
        ("/v1/responses", of_responses()),
        ("/v1/messages", of_messages()),
        ("/api/chat", of_ollama()),
    ] {
        let door = DOORS.iter().find(|door| door.path == path).unwrap();
        let (names, rule) = (providers.join(" | "), "|---".repeat(providers.len()));
        writeln!(table, "\n### {path}\n\n| wish | {names} |\n|---{rule}|").unwrap();
        for wish in &wishes {
            let mut cells = Vec::new();
            for at in 0..PROVIDERS.len() {
                cells.push(cell(&world, at, door, wish).await);
            }
            writeln!(table, "| {} | {} |", wish.0, cells.join(" | ")).unwrap();
        }
    }
    let dropped: Vec<&str> = table.lines().filter(|line| line.contains(DROPPED)).collect();
    assert!(dropped.is_empty(), "{}", dropped.join("\n"));
    let mut goldens = Goldens::new();
    goldens.compare("wishes.md", &format!("{TABLE}{table}"));
    goldens.finish();
}

const TABLE: &str = "# What a request can wish for, of every provider

Written by `whatever_a_request_wishes_is_told_to_its_provider_or_refused_by_the_name_of_its_field`, which fails when it is out
of date. At `/v1/chat/completions` what is forwarded untouched is left aside: there the provider itself judges.

* **told**: what the provider is asked says it.
* **400 `field`**: it cannot be told to this provider, and is refused by the name of the field. Nobody is asked.
* Anything else says why it need not be told.
";
