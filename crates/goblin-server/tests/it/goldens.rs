//! The same conversations through every door to every kind of provider, streamed and whole: the client hears the same,
//! each provider is asked the same whatever the door was, and what cannot be said is refused by the name of its field.
//!
//! `tests/goldens` holds what is asked at the doors, what each provider answers, what each is then asked, and the list of
//! all of it. With `UPDATE=1` the last two are written anew: read what changed.

mod bad;
mod heard;
mod wishes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use goblin_core::maker::Maker;
use goblin_core::provider::ProviderHandle;
use goblin_core::wire::Dialect;
use goblin_providers::openai_compat::{Api, Kind, UpstreamSpec};
use serde_json::{Value, json};

use self::heard::{Heard, Words};
use crate::cloud_doors::{patient, patient_handle, spec};
use crate::fake_upstream::{Asked, FakeUpstream, MODEL, Reply, answer, cut, handle_on};
use crate::test_app::{Setup, TestApp};

/// A door as clients know it.
struct Door {
    path: &'static str,
    words: Words,
    /// Its dialect, where what is asked in it may be forwarded untouched.
    forwards: Option<Dialect>,
}

const DOORS: [Door; 7] = [
    Door {
        path: "/v1/chat/completions",
        words: Words::OpenAi,
        forwards: Some(Dialect::OpenAi),
    },
    Door {
        path: "/api/chat/completions",
        words: Words::OpenAi,
        forwards: None,
    },
    Door {
        path: "/v1/responses",
        words: Words::Responses,
        forwards: None,
    },
    Door {
        path: "/v1/messages",
        words: Words::Messages,
        forwards: Some(Dialect::Anthropic),
    },
    Door {
        path: "/v1/completions",
        words: Words::Completions,
        forwards: None,
    },
    Door {
        path: "/api/chat",
        words: Words::Ollama,
        forwards: None,
    },
    Door {
        path: "/api/generate",
        words: Words::Generate,
        forwards: None,
    },
];

/// The conversations, and what is answered to each.
const CONVERSATIONS: [(&str, &str); 5] = [
    ("chat", "text"),
    ("tool_call", "calls"),
    ("tool_result", "text"),
    ("image", "text"),
    ("file", "text"),
];

/// A kind of provider: its name here, its model, and what it is.
const PROVIDERS: [(&str, &str, Kind); 9] = [
    ("openai", "gpt-4o", Kind::Cloud(Maker::OpenAi)),
    ("anthropic", "claude-sonnet-4-5", Kind::Cloud(Maker::Anthropic)),
    ("gemini", "gemini-2.5-flash", Kind::Cloud(Maker::Gemini)),
    ("deepseek", "deepseek-chat", Kind::Cloud(Maker::DeepSeek)),
    ("grok", "grok-4-1-fast-non-reasoning", Kind::Cloud(Maker::Grok)),
    ("compatible", MODEL, Kind::Plain),
    ("tier", MODEL, Kind::GoblinTier),
    ("ollama", MODEL, Kind::Ollama),
    (BY_RESPONSES, "gpt-4o", Kind::Cloud(Maker::OpenAi)),
];

/// OpenAI, asked by its Responses.
const BY_RESPONSES: &str = "responses";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/goldens")
        .join(name)
}

fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(file(name)).ok()
}

/// What a door is asked, for this model; `None` where its words cannot say it.
fn question(conversation: &str, words: Words, model: &str, stream: bool) -> Option<Value> {
    let text = read(&format!("asks/{conversation}.{}.json", words.name()))?;
    let mut body: Value = serde_json::from_str(&text).unwrap();
    body["model"] = model.into();
    body["stream"] = stream.into();
    if stream && matches!(words, Words::OpenAi | Words::Completions) {
        body["stream_options"] = json!({"include_usage": true});
    }
    Some(body)
}

/// Was it asked for a stream? Gemini says so in the address.
fn wants_stream(asked: &Asked) -> bool {
    let body: Value = serde_json::from_str(&asked.body).unwrap_or_default();
    asked.path().contains("alt=sse") || body["stream"] == true
}

fn answered(provider: &str, said: &str, asked: &Asked) -> Reply {
    if asked.path() == "/api/generate" {
        let body = read("answers/ollama.continued.ndjson").unwrap();
        return Reply::Bytes(cut("application/x-ndjson", body));
    }
    let (kind, ending) = match (provider, wants_stream(asked)) {
        ("ollama", true) => ("application/x-ndjson", "ndjson"),
        (_, true) => ("text/event-stream", "sse"),
        (_, false) => ("application/json", "json"),
    };
    let name = format!("answers/{provider}.{said}.{ending}");
    let body = read(&name).unwrap_or_else(|| panic!("{name} is missing: {}", asked.head));
    Reply::Bytes(cut(kind, body))
}

/// A provider of one model, which gives this answer.
async fn upstream(provider: &'static str, model: &'static str, said: &'static str) -> FakeUpstream {
    FakeUpstream::start(move |asked| {
        if !asked.head.starts_with("get ") {
            return answered(provider, said, asked);
        }
        let list = match provider {
            "gemini" => {
                json!({"models": [{"name": format!("models/{model}"), "supportedGenerationMethods": ["generateContent"]}]})
            }
            _ => json!({"data": [{"id": model}]}),
        };
        Reply::Bytes(answer("200 OK", "application/json", &list.to_string()))
    })
    .await
}

fn handle(provider: &str, kind: Kind, upstream: &FakeUpstream) -> ProviderHandle {
    match kind {
        Kind::Cloud(maker) if provider == BY_RESPONSES => {
            let spec = UpstreamSpec {
                id: provider.to_owned(),
                api: Api::Responses,
                ..spec(maker, upstream)
            };
            patient(spec, Duration::from_secs(60))
        }
        Kind::Cloud(maker) => patient_handle(maker, upstream, Duration::from_secs(60)),
        kind => handle_on(UpstreamSpec::new(provider, upstream.url.clone(), kind)),
    }
}

/// All providers at one backend.
struct World {
    app: TestApp,
    upstreams: Vec<FakeUpstream>,
    forwards: Vec<Option<Dialect>>,
}

impl World {
    async fn new(said: &'static str) -> Self {
        let (mut upstreams, mut handles) = (Vec::new(), Vec::new());
        for (name, model, kind) in PROVIDERS {
            let upstream = upstream(name, model, said).await;
            handles.push(handle(name, kind, &upstream));
            upstreams.push(upstream);
        }
        let forwards = handles.iter().map(|handle| handle.forwards).collect();
        let app = TestApp::start(Setup {
            upstreams: handles,
            ..Setup::default()
        })
        .await;
        Self {
            app,
            upstreams,
            forwards,
        }
    }

    /// What a provider was asked so far.
    fn asked(&self, at: usize) -> Vec<Asked> {
        let mut asked = self.upstreams[at].questions();
        // Counting the tokens of a prompt is no question to a model.
        asked.retain(|one| one.head.starts_with("post ") && one.path() != "/v1/goblin/tokenize");
        asked
    }
}

/// The goldens that a test compares, or writes.
struct Goldens {
    update: bool,
    wrong: Vec<String>,
}

impl Goldens {
    #[allow(
        clippy::disallowed_methods,
        reason = "the switch that rewrites the goldens is for people"
    )]
    fn new() -> Self {
        Self {
            update: std::env::var_os("UPDATE").is_some(),
            wrong: Vec::new(),
        }
    }

    fn compare(&mut self, name: &str, actual: &str) {
        let actual = format!("{}\n", actual.trim_end());
        if self.update {
            std::fs::write(file(name), &actual).unwrap();
        }
        let expected = read(name).unwrap_or_default();
        if expected != actual {
            self.wrong
                .push(format!("{name} is\n{expected}\nand should be\n{actual}"));
        }
    }

    fn finish(self) {
        let all = self.wrong.join("\n");
        assert!(
            self.wrong.is_empty(),
            "{all}\nRun this test with UPDATE=1 and read what changes."
        );
    }
}

/// What came of asking, as the list says it.
async fn ask(
    world: &World,
    (at, door): (usize, &Door),
    body: &Value,
    stream: bool,
) -> Result<(Heard, Asked), String> {
    let before = world.asked(at).len();
    let mut reply = world.app.post(door.path, body).await;
    let asked = world.asked(at);
    if reply.status != 200 {
        assert_eq!(asked.len(), before, "who refuses asks nobody: {body}");
        let status = reply.status.as_u16();
        let said = reply.json().await;
        let param = door.words.param(&said).map(|param| format!("`{param}`"));
        // An error of Ollama's is one sentence, which may do without the field's name.
        let param = match door.words {
            Words::Ollama | Words::Generate => param.unwrap_or_else(|| "in words".to_owned()),
            _ => param.unwrap_or_else(|| panic!("{} {status} names no field: {said}", door.path)),
        };
        return Err(format!("{status} {param}"));
    }
    let heard = door.words.hear(&mut reply, stream).await;
    let mut asked = world.asked(at);
    assert_eq!(asked.len(), before + 1, "{} {body}", door.path);
    Ok((heard, asked.remove(before)))
}

fn expected(said: &str) -> Heard {
    let call = |city: &str| ("get_weather".to_owned(), json!({ "city": city }));
    match said {
        "calls" => Heard {
            calls: vec![call("Oslo"), call("Rome")],
            prompt_tokens: 40,
            completion_tokens: 30,
            finish: "tool_calls".to_owned(),
            ..Heard::default()
        },
        _ => Heard {
            text: "It is sunny.".to_owned(),
            prompt_tokens: 21,
            completion_tokens: 4,
            finish: "stop".to_owned(),
            ..Heard::default()
        },
    }
}

/// The cell of the list for one conversation at one door to one provider; what the provider is asked goes to `goldens`.
async fn cell(
    world: &World,
    (conversation, said): (&str, &str),
    (at, door): (usize, &Door),
    goldens: &mut Goldens,
) -> String {
    let (name, model, _) = PROVIDERS[at];
    let mut cells = Vec::new();
    for stream in [true, false] {
        let Some(body) = question(conversation, door.words, &format!("{name}/{model}"), stream) else {
            return "—".to_owned();
        };
        let (heard, asked) = match ask(world, (at, door), &body, stream).await {
            Ok(said) => said,
            Err(refused) => {
                cells.push(refused);
                continue;
            }
        };
        let case = format!("{conversation} at {} to {name}, stream: {stream}", door.path);
        assert_eq!(heard, expected(said), "{case}");
        let mut got: Value = serde_json::from_str(&asked.body).unwrap();
        if door.forwards.is_some() && door.forwards == world.forwards[at] {
            let mut own = body;
            own["model"] = model.into();
            assert_eq!(got, own, "{case}: forwarded untouched but for the model");
            cells.push("forwarded".to_owned());
            continue;
        }
        got["(asked at)"] = asked.path().into();
        // The name of a tool on its result, which only Ollama's clients say; its call has said it.
        let messages = got.get_mut("messages").and_then(Value::as_array_mut);
        for message in messages.into_iter().flatten() {
            if let Value::Object(message) = message
                && message.get("role").is_some_and(|role| role == "tool")
            {
                message.remove("name");
            }
        }
        got.sort_all_objects();
        let golden = serde_json::to_string_pretty(&got).unwrap();
        let (cell, file) = match asked.path() {
            "/api/generate" => ("continued", format!("asked/{conversation}.{name}.text.json")),
            _ => ("translated", format!("asked/{conversation}.{name}.json")),
        };
        goldens.compare(&file, &golden);
        cells.push(cell.to_owned());
    }
    cells.dedup();
    cells.join(", whole: ")
}

#[tokio::test]
async fn the_same_conversation_through_every_door_to_every_provider_is_the_same_streamed_and_whole() {
    let mut goldens = Goldens::new();
    let mut table = String::new();
    let mut worlds = BTreeMap::new();
    for said in ["text", "calls"] {
        worlds.insert(said, World::new(said).await);
    }
    for (conversation, said) in CONVERSATIONS {
        let doors: Vec<&str> = DOORS.iter().map(|door| door.path).collect();
        writeln!(
            table,
            "\n### {conversation}\n\n| provider | {} |\n|---{}|",
            doors.join(" | "),
            "|---".repeat(DOORS.len())
        )
        .unwrap();
        for (at, (name, model, _)) in PROVIDERS.into_iter().enumerate() {
            let mut cells = Vec::new();
            for door in &DOORS {
                cells.push(cell(&worlds[said], (conversation, said), (at, door), &mut goldens).await);
            }
            writeln!(table, "| {name} (`{model}`) | {} |", cells.join(" | ")).unwrap();
        }
    }
    goldens.compare("table.md", &format!("{TABLE}{table}"));
    goldens.finish();
}

const TABLE: &str = "# The same conversations, at every door, to every provider

Written by `the_same_conversation_through_every_door_to_every_provider_is_the_same_streamed_and_whole`, which fails when it
is out of date. Each cell was asked as a stream and whole, and its client heard the same: text, tool calls with their
arguments, tokens, and why it ended.

* **forwarded**: the provider gets the client's own body but for the model's name.
* **translated**: the provider gets what `asked/CONVERSATION.PROVIDER.json` says, the same from every door.
* **continued**: a model of one's own goes on with the text as it stands, without a template; the provider gets what
  `asked/CONVERSATION.PROVIDER.text.json` says.
* **400 `field`**: it cannot be told to this provider, and is refused by the name of the field. Nobody is asked.
* **—**: the door has no words for it.
";
