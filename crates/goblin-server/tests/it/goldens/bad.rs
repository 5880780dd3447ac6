//! Bad input by name, at every door: each case is refused in the door's own shape, by the field at fault where the shape has
//! a place for it, and nobody is asked.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::heard::Words;
use super::wishes::merge;
use super::{DOORS, Door, Goldens, PROVIDERS, World, question};
use crate::fake_upstream::{FakeUpstream, Reply};

/// Who is asked: a server of which nothing is known, so that nothing is refused on its behalf.
const AT: usize = 5;

/// What is merged into a body of this door, by case; `None` where the door has no words for it.
fn case(name: &str, words: Words, victim: &str) -> Option<Value> {
    let none = json!("none");
    let image = format!("https://{victim}/a.png");
    let said = |part: Value| json!([{"role": "user", "content": [part]}]);
    Some(match (name, words) {
        ("a schema that is none", Words::OpenAi) => {
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": none}}]})
        }
        ("a schema that is none", Words::Responses) => {
            json!({"tools": [{"type": "function", "name": "f", "parameters": none}]})
        }
        ("a schema that is none", Words::Messages) => json!({"tools": [{"name": "f", "input_schema": none}]}),
        ("a schema that is none", Words::Ollama) => {
            json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": none}}]})
        }
        ("an image at a private address", Words::OpenAi) => {
            json!({"messages": said(json!({"type": "image_url", "image_url": {"url": image}}))})
        }
        ("an image at a private address", Words::Responses) => {
            json!({"input": said(json!({"type": "input_image", "image_url": image}))})
        }
        ("an image at a private address", Words::Messages) => {
            json!({"messages": said(json!({"type": "image", "source": {"type": "url", "url": image}}))})
        }
        ("an image at a private address", Words::Ollama) => {
            json!({"messages": [{"role": "user", "content": "x", "images": [image]}]})
        }
        ("an image at a private address", Words::Generate) => json!({"images": [image]}),
        ("a choice of a tool that is not there", Words::OpenAi) => {
            json!({"tool_choice": {"type": "function", "function": {"name": "other"}}})
        }
        ("a choice of a tool that is not there", Words::Responses) => {
            json!({"tool_choice": {"type": "function", "name": "other"}})
        }
        ("a choice of a tool that is not there", Words::Messages) => {
            json!({"tool_choice": {"type": "tool", "name": "other"}})
        }
        ("a result without a call", Words::OpenAi) => {
            json!({"messages": [{"role": "tool", "content": "x"}]})
        }
        ("a result without a call", Words::Responses) => {
            json!({"input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]})
        }
        ("a result without a call", Words::Messages) => {
            json!({"messages": said(json!({"type": "tool_result", "tool_use_id": "a", "content": "x"}))})
        }
        ("a result without a call", Words::Ollama) => {
            json!({"messages": [{"role": "tool", "tool_call_id": "a", "content": "x"}]})
        }
        ("a role nobody has", Words::Responses) => json!({"input": [{"role": "robot", "content": "x"}]}),
        ("a role nobody has", Words::OpenAi | Words::Messages | Words::Ollama) => {
            json!({"messages": [{"role": "robot", "content": "x"}]})
        }
        ("a number as a string", Words::OpenAi | Words::Completions | Words::Messages) => {
            json!({"max_tokens": "5"})
        }
        ("a number as a string", Words::Responses) => json!({"max_output_tokens": "5"}),
        ("a number as a string", Words::Ollama | Words::Generate) => {
            json!({"options": {"num_predict": "5"}})
        }
        ("two limits that differ", Words::OpenAi) => json!({"max_tokens": 5, "max_completion_tokens": 6}),
        _ => return None,
    })
}

const CASES: [&str; 7] = [
    "a schema that is none",
    "an image at a private address",
    "a choice of a tool that is not there",
    "a result without a call",
    "a role nobody has",
    "a number as a string",
    "two limits that differ",
];

/// A body that this door takes.
fn good(door: &Door) -> Value {
    let (provider, model, _) = PROVIDERS[AT];
    let model = format!("{provider}/{model}");
    let tools = question("tool_call", door.words, &model, false);
    let mut body = tools
        .or_else(|| question("chat", door.words, &model, false))
        .unwrap();
    if door.words == Words::OpenAi {
        // Read here, and not forwarded as it is.
        body["goblin"] = json!({});
    }
    body
}

/// How a body is refused.
async fn refused(world: &World, door: &Door, body: impl Into<bytes::Bytes>) -> String {
    let call = world.app.call(http::Method::POST, door.path).bytes(body);
    let mut reply = call.header("content-type", "application/json").send().await;
    let (status, said) = (reply.status.as_u16(), reply.json().await);
    assert!((400..500).contains(&status), "{} {status}: {said}", door.path);
    let param = door.words.param(&said);
    format!(
        "{status} {}",
        param.map_or("in words".to_owned(), |param| format!("`{param}`"))
    )
}

#[tokio::test]
async fn bad_input_is_refused_at_every_door_by_its_name_and_nobody_is_asked() {
    let world = World::new("text").await;
    let victim = FakeUpstream::start(|_| Reply::Reset).await;
    let address = victim.url.address();
    let doors: Vec<&str> = DOORS.iter().map(|door| door.path).collect();
    let mut table = format!(
        "\n| case | {} |\n|---{}|\n",
        doors.join(" | "),
        "|---".repeat(DOORS.len())
    );
    for name in CASES {
        let mut cells = Vec::new();
        for door in &DOORS {
            cells.push(match case(name, door.words, &address) {
                None => "—".to_owned(),
                Some(bad) => {
                    let mut body = good(door);
                    merge(&mut body, &bad);
                    refused(&world, door, body.to_string()).await
                }
            });
        }
        writeln!(table, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    let (mut twice, mut large) = (Vec::new(), Vec::new());
    for door in &DOORS {
        let body = good(door).to_string();
        let again = body.replacen('{', "{\"model\":\"other\",", 1);
        twice.push(refused(&world, door, again).await);
        let image = format!("{{\"image\":\"{}\",", "A".repeat(50 << 20));
        large.push(refused(&world, door, body.replacen('{', &image, 1)).await);
    }
    writeln!(table, "| a field twice | {} |", twice.join(" | ")).unwrap();
    writeln!(table, "| an image of 50 MiB | {} |", large.join(" | ")).unwrap();
    assert_eq!(world.asked(AT).len(), 0);
    assert_eq!(victim.touched(), (0, 0), "no socket was opened");
    let mut goldens = Goldens::new();
    goldens.compare("bad_input.md", &format!("{TABLE}{table}"));
    goldens.finish();
}

const TABLE: &str = "# Bad input, at every door

Written by `bad_input_is_refused_at_every_door_by_its_name_and_nobody_is_asked`, which fails when it is out of date. Each cell
is the status and the field that the refusal names (`in words`: the shape has no place for it); **—**: the door has no words
for it. Aliases that lead back to themselves are refused at the start (`goblin-core/src/route/alias.rs`).
";
