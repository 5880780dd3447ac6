//! Clients of others get their answers from the backend, with usage and a trace of each.

use goblin_core::owner::Owner;
use goblin_providers::openai_compat::Kind;
use goblin_store::usage::UsageRow;
use serde_json::{Value, json};

use crate::able::able;
use crate::checked::kept;
use crate::client::{Reply, guard};
use crate::doors::{Door, TRACE_ID};
use crate::fake_upstream::{self, FakeUpstream, answer};
use crate::provider::MODEL;
use crate::test_app::{Setup, TestApp};

async fn able_app() -> TestApp {
    TestApp::start(Setup {
        able,
        ..Setup::default()
    })
    .await
}

/// The usage of the request that was answered with `reply`, once it is kept.
async fn used(app: &TestApp, reply: &Reply) -> UsageRow {
    let id = reply.header("x-correlation-id").to_owned();
    let store = app.store.as_ref().unwrap();
    let found = async {
        loop {
            let page = store.list_usage(&Owner::local(), None, 100).await.unwrap();
            if let Some(row) = page.items.into_iter().find(|row| row.usage.request_id == id) {
                return row;
            }
            tokio::task::yield_now().await;
        }
    };
    guard(found).await
}

#[tokio::test]
async fn every_door_answers_whole_and_streamed_and_leaves_usage_and_a_trace() {
    let app = TestApp::local().await;
    for door in Door::ALL {
        for stream in [false, true] {
            let mut reply = app.post(door.path(), &door.ask(MODEL, "hi", stream)).await;
            assert_eq!(
                door.text(&mut reply, stream).await,
                "Hello there.",
                "{door:?} {stream}"
            );
            let trace = kept(&app, &reply).await;
            assert_eq!(
                (&trace["model"], &trace["steps"][0]["model"]),
                (&json!(MODEL), &json!(MODEL))
            );
            assert_eq!(trace["steps"][0]["outcome"], "accepted", "{door:?}");
            let row = used(&app, &reply).await.usage;
            assert_eq!(
                (row.door.as_str(), row.outcome.as_str()),
                (door.name(), "complete")
            );
            assert_eq!((row.tokens.prompt_tokens, row.tokens.completion_tokens), (5, 2));
            assert_eq!(row.local, Some(true));
        }
    }
}

#[tokio::test]
async fn vectors_leave_usage_and_a_trace_too() {
    let app = able_app().await;
    for (path, field) in [
        ("/v1/embeddings", "data"),
        ("/api/embed", "embeddings"),
        ("/api/embeddings", "embedding"),
    ] {
        let input = if path == "/api/embeddings" {
            "prompt"
        } else {
            "input"
        };
        for model in [MODEL, "goblin"] {
            let mut reply = app.post(path, &json!({"model": model, input: "hi"})).await;
            assert_eq!(reply.status, 200, "{path}");
            let trace = kept(&app, &reply).await;
            assert_eq!(
                (&trace["model"], &trace["steps"][0]["model"]),
                (&json!(model), &json!(MODEL))
            );
            let row = used(&app, &reply).await.usage;
            assert_eq!((row.door.as_str(), row.tokens.prompt_tokens), ("embed", 4));
            assert!(reply.json().await[field].is_array(), "{path}");
        }
        let mut refused = app.post(path, &json!({"model": "fake/mute", input: "hi"})).await;
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.header(TRACE_ID).is_empty(), "nobody was to be asked");
        let said = refused.text().await;
        assert!(said.contains("cannot make embeddings"), "{said}");
    }
}

#[tokio::test]
async fn calls_of_tools_come_in_each_clients_words_and_their_results_go_back() {
    let app = able_app().await;
    for stream in [false, true] {
        let mut reply = app
            .post("/v1/responses", &Door::Responses.ask(MODEL, "weather", stream))
            .await;
        let pieces = Door::Responses.pieces(&mut reply, stream).await;
        let whole = if stream {
            &pieces.last().unwrap()["response"]
        } else {
            &pieces[0]
        };
        let kinds: Vec<&str> = whole["output"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["type"].as_str())
            .collect();
        assert_eq!(kinds, ["reasoning", "message", "function_call", "function_call"]);
        assert_eq!(whole["status"], "completed");
        let mut items = whole["output"].as_array().unwrap().clone();
        for call in ["call_a", "call_b"] {
            items.push(json!({"type": "function_call_output", "call_id": call, "output": "Sun."}));
        }
        items.push(json!({"role": "user", "content": "echo"}));
        let mut again = app
            .post("/v1/responses", &json!({"model": MODEL, "input": items}))
            .await;
        let said = again.text().await;
        assert_eq!(again.status, 200, "{said}");
    }
    let message = app
        .post("/v1/messages", &Door::Messages.ask(MODEL, "weather", false))
        .await
        .json()
        .await;
    assert_eq!(message["stop_reason"], "tool_use");
    let results: Vec<Value> = ["call_a", "call_b"]
        .iter()
        .map(|call| json!({"type": "tool_result", "tool_use_id": call, "content": "Sun."}))
        .collect();
    let mut body = Door::Messages.ask(MODEL, "weather", false);
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": message["content"]}));
    messages.push(json!({"role": "user", "content": results}));
    assert_eq!(app.post("/v1/messages", &body).await.status, 200);
    let answered = app
        .post("/api/chat", &Door::Chat.ask(MODEL, "weather", false))
        .await
        .json()
        .await;
    assert_eq!(
        answered["message"]["tool_calls"][1]["function"]["arguments"]["city"],
        "Oslo"
    );
}

#[tokio::test]
async fn images_reach_the_model_and_one_at_a_private_address_opens_no_socket() {
    const PIXEL: &str = "iVBORw0KGgo=";
    let app = able_app().await;
    let inline = format!("data:image/png;base64,{PIXEL}");
    let responses = |url: &str| {
        let parts =
            json!([{"type": "input_text", "text": "echo"}, {"type": "input_image", "image_url": url}]);
        json!({"model": "fake/parrot", "input": [{"role": "user", "content": parts}]})
    };
    let messages = |source: Value| {
        let parts = json!([{"type": "text", "text": "echo"}, {"type": "image", "source": source}]);
        json!({"model": "fake/parrot", "max_tokens": 9, "messages": [{"role": "user", "content": parts}]})
    };
    let bytes = json!({"type": "base64", "media_type": "image/png", "data": PIXEL});
    let mut chat = Door::Chat.ask(MODEL, "echo", false);
    chat["messages"][0]["images"] = json!([PIXEL]);
    for (door, body) in [
        (Door::Responses, responses(&inline)),
        (Door::Messages, messages(bytes)),
        (Door::Chat, chat),
    ] {
        let mut reply = app.post(door.path(), &body).await;
        let echo: Value = serde_json::from_str(&door.text(&mut reply, false).await).unwrap();
        assert_eq!(echo["images"], 1, "{door:?}");
    }
    let victim = FakeUpstream::start(|_| fake_upstream::Reply::Reset).await;
    let url = format!("https://{}/a.png", victim.url.address());
    for (door, body) in [
        (Door::Responses, responses(&url)),
        (Door::Messages, messages(json!({"type": "url", "url": url}))),
    ] {
        let mut reply = app.post(door.path(), &body).await;
        assert_eq!(reply.status, 400, "{door:?}");
        let (message, _) = door.error(&reply.json().await);
        assert!(message.contains("`data:` URL"), "{message}");
    }
    assert_eq!(victim.touched(), (0, 0));
}

#[tokio::test]
async fn a_text_is_gone_on_with_where_the_model_can_and_answered_where_not() {
    let app = able_app().await;
    let mut body = Door::Completions.ask(MODEL, "Once", false);
    body["suffix"] = json!(" end.");
    let whole = app.post("/v1/completions", &body).await.json().await;
    assert_eq!(
        (&whole["object"], &whole["model"]),
        (&json!("text_completion"), &json!(MODEL))
    );
    assert_eq!(whole["choices"][0]["text"], "more Once| end.");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    assert_eq!(whole["usage"]["total_tokens"], 8);
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    body["echo"] = json!(true);
    body.as_object_mut().unwrap().remove("suffix");
    let mut reply = app.post("/v1/completions", &body).await;
    let pieces = Door::Completions.pieces(&mut reply, true).await;
    let text: String = pieces
        .iter()
        .filter_map(|p| p["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(text, "Oncemore Once|");
    assert_eq!(pieces.last().unwrap()["usage"]["completion_tokens"], 3);
    // What goblin chooses is checked, and only answers are.
    let body = Door::Completions.ask("goblin", "hi", false);
    let answered = app.post("/v1/completions", &body).await.json().await;
    assert_eq!(answered["choices"][0]["text"], "Hello there.");
    assert!(answered["goblin"]["trace_id"].is_string());
}

#[tokio::test]
async fn ollamas_clients_see_what_there_is_and_only_that_much() {
    let app = able_app().await;
    let tags = app.get("/api/tags").await.json().await;
    let names: Vec<&str> = tags["models"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["name"].as_str())
        .collect();
    assert!(names.contains(&"goblin") && names.contains(&MODEL), "{names:?}");
    let running = app.get("/api/ps").await.json().await;
    assert_eq!(running["models"][0]["name"], MODEL);
    let version = app.get("/api/version").await.json().await;
    assert!(version["version"].as_str().unwrap().contains("+goblin."));
    for name in [MODEL, "parrot", "fake/parrot:latest"] {
        let shown = app.post("/api/show", &json!({"model": name})).await.json().await;
        assert!(
            shown["capabilities"]
                .as_array()
                .unwrap()
                .contains(&json!("tools")),
            "{name}: {shown}"
        );
        assert_eq!(
            shown["template"], "",
            "what providers say of their files stays with them"
        );
    }
    let mut unknown = app.post("/api/show", &json!({"model": "parot"})).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.json().await["error"].is_string());
    // A name with a tag that clients put behind it.
    let mut reply = app
        .post("/api/chat", &Door::Chat.ask("goblin:latest", "hi", false))
        .await;
    assert_eq!(Door::Chat.text(&mut reply, false).await, "Hello there.");
    let mut reply = app
        .post("/api/chat", &Door::Chat.ask("fake/parrot:latest", "hi", false))
        .await;
    assert_eq!(Door::Chat.text(&mut reply, false).await, "Hello there.");
    // Into memory and out of it, by asking nothing.
    for (model, keep_alive, status) in [(MODEL, "5m", 200), (MODEL, "0", 200), ("goblin", "5m", 200)] {
        let body = json!({"model": model, "keep_alive": keep_alive});
        assert_eq!(app.post("/api/generate", &body).await.status, status, "{body}");
    }
    let mut refused = app
        .post("/api/chat", &json!({"model": "goblin", "keep_alive": 0}))
        .await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().await.contains("several models"));
    // The rest of /api is the page's.
    let other = app.get("/api/nothing").await;
    assert_eq!(
        (other.status.as_u16(), other.header("content-type")),
        (404, "application/problem+json")
    );
    assert_eq!(app.post("/api/pull", &json!({"model": "x"})).await.status, 404);
}

#[tokio::test]
async fn tokens_are_counted_without_an_answer() {
    let app = able_app().await;
    for model in [MODEL, "goblin"] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        let counted = app.post("/v1/messages/count_tokens", &body).await.json().await;
        assert_eq!(counted, json!({"input_tokens": 5}), "{model}");
    }
    let mut refused = app
        .post("/v1/messages/count_tokens", &json!({"model": MODEL}))
        .await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        Door::Messages.error(&refused.json().await).1.as_deref(),
        Some("messages")
    );
    assert_eq!(app.provider.asked(), 0);
}

#[tokio::test]
async fn a_model_of_an_ollama_answers_all_doors_over_its_own_wire() {
    let line = |text: &str, done: bool| {
        let mut object =
            json!({"model": "m", "message": {"role": "assistant", "content": text}, "done": done});
        if done {
            object["done_reason"] = json!("stop");
            object["prompt_eval_count"] = json!(4);
            object["eval_count"] = json!(2);
        }
        format!("{object}\n")
    };
    let said = line("Hel", false) + &line("lo", false) + &line("", true);
    let generated = said
        .replace("\"message\":{\"content\":", "\"response\":")
        .replace(",\"role\":\"assistant\"}", "");
    let upstream = FakeUpstream::start(move |asked| {
        let body = match asked.path() {
            "/api/generate" => &generated,
            _ => &said,
        };
        fake_upstream::Reply::Bytes(fake_upstream::cut("application/x-ndjson", body))
    })
    .await;
    let app = TestApp::start(Setup {
        upstreams: vec![upstream.handle(Kind::Ollama)],
        ..Setup::default()
    })
    .await;
    for door in Door::ALL {
        for stream in [false, true] {
            let body = door.ask("up/m:latest", "hi", stream);
            let mut reply = app.post(door.path(), &body).await;
            assert_eq!(door.text(&mut reply, stream).await, "Hello", "{door:?} {stream}");
        }
    }
    let asked: Vec<String> = upstream.questions().iter().map(|q| q.path().to_owned()).collect();
    assert_eq!(
        asked[..2],
        ["/api/generate", "/api/generate"],
        "a text is gone on with"
    );
    assert!(asked[2..].iter().all(|path| path == "/api/chat"), "{asked:?}");
    // Whatever is no answer is a failure in the door's words.
    let broken = FakeUpstream::start(|_| {
        fake_upstream::Reply::Bytes(answer("500 Oops", "application/json", r#"{"error":"x"}"#))
    })
    .await;
    let app = TestApp::start(Setup {
        upstreams: vec![broken.handle(Kind::Ollama)],
        ..Setup::default()
    })
    .await;
    for door in Door::ALL {
        let mut reply = app.post(door.path(), &door.ask("up/m:latest", "hi", false)).await;
        assert!(reply.status.is_server_error(), "{door:?}: {}", reply.status);
        door.error(&reply.json().await);
    }
}
