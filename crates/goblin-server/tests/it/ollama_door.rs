//! Ollama's own wire on the model tier.

use std::time::Duration;

use goblin_core::provider::{Health, ProviderError};
use goblin_server::app::{ServerOptions, Surface};
use http::Method;
use serde_json::{Value, json};

use crate::able::able;
use crate::allow_list::{DIGEST, able_tier, key_with};
use crate::client::{Call, Reply, guard};
use crate::provider::Played;
use crate::test_app::{Setup, TestApp};

fn chat(question: &str, stream: bool) -> Value {
    json!({"model": "parrot", "stream": stream, "messages": [{"role": "user", "content": question}]})
}

fn generate(prompt: &str, stream: bool) -> Value {
    json!({"model": "parrot", "stream": stream, "prompt": prompt})
}

/// The lines of a whole body.
async fn lines(reply: &mut Reply) -> Vec<Value> {
    let text = reply.text().await;
    assert!(text.ends_with('\n'), "{text}");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn tier_with(change: impl FnOnce(&mut ServerOptions)) -> TestApp {
    let mut setup = Setup {
        surface: Surface::Tier,
        able,
        ..Setup::default()
    };
    change(&mut setup.options);
    TestApp::start(setup).await
}

/// A chat that the test answers by hand, streamed.
async fn begun(app: &TestApp) -> (Reply, Played) {
    let speak = async {
        let played = app.provider.played().await;
        played.say("One");
        played
    };
    let body = chat("play", true);
    tokio::join!(app.post("/api/chat", &body), speak)
}

#[tokio::test]
async fn a_stream_is_lines_and_says_the_same_as_the_whole_answer() {
    let app = able_tier().await;
    for question in ["hi", "weather in Rome"] {
        let mut reply = app.post("/api/chat", &chat(question, true)).await;
        assert_eq!(reply.header("content-type"), "application/x-ndjson");
        assert_eq!(reply.header("cache-control"), "no-store, no-transform");
        let all = lines(&mut reply).await;
        let (last, parts) = all.split_last().unwrap();
        assert!(
            parts
                .iter()
                .all(|line| line["done"] == false && line["model"] == "parrot"),
            "{parts:?}"
        );
        let joined = |field: &str| -> String {
            all.iter()
                .filter_map(|line| line["message"][field].as_str())
                .collect()
        };
        let calls: Vec<&Value> = all
            .iter()
            .filter_map(|line| line["message"]["tool_calls"].as_array())
            .flatten()
            .collect();

        let mut whole = app.post("/api/chat", &chat(question, false)).await;
        assert_eq!(whole.header("content-type"), "application/json");
        let whole = whole.json().await;
        assert_eq!(
            joined("content"),
            whole["message"]["content"].as_str().unwrap(),
            "{question}"
        );
        assert_eq!(
            joined("thinking"),
            whole["message"]["thinking"].as_str().unwrap_or_default()
        );
        assert_eq!(
            json!(calls),
            whole["message"].get("tool_calls").cloned().unwrap_or(json!([]))
        );
        for end in [last, &whole] {
            assert_eq!(
                (&end["done"], &end["done_reason"]),
                (&json!(true), &json!("stop")),
                "{end}"
            );
            assert_eq!(end["prompt_eval_count"], 5);
            assert!(end["total_duration"].as_u64().unwrap() > 0, "{end}");
        }
    }
}

#[tokio::test]
async fn tool_calls_arrive_whole_with_their_arguments_as_objects() {
    let app = able_tier().await;
    let answer = app
        .post("/api/chat", &chat("weather in Rome", false))
        .await
        .json()
        .await;
    let calls = answer["message"]["tool_calls"].as_array().unwrap();
    let said: Vec<_> = calls
        .iter()
        .map(|call| &call["function"]["arguments"]["city"])
        .collect();
    assert_eq!(said, ["Rome", "Oslo"]);
    assert_eq!(answer["message"]["thinking"], "Two places.");
}

#[tokio::test]
async fn a_text_is_answered_and_with_raw_or_a_suffix_continued() {
    let app = able_tier().await;
    let answered = app
        .post("/api/generate", &generate("hi", false))
        .await
        .json()
        .await;
    assert_eq!(
        (&answered["response"], &answered["done"]),
        (&json!("Hello there."), &json!(true))
    );
    let mut raw = generate("once", true);
    raw["raw"] = json!(true);
    let all = lines(&mut app.post("/api/generate", &raw).await).await;
    let text: String = all.iter().filter_map(|line| line["response"].as_str()).collect();
    assert_eq!(
        (text.as_str(), &all.last().unwrap()["done_reason"]),
        ("more once|", &json!("length"))
    );
    let mut gap = generate("once", false);
    gap["suffix"] = json!("end");
    assert_eq!(
        app.post("/api/generate", &gap).await.json().await["response"],
        "more once|end"
    );
}

#[tokio::test]
async fn a_model_is_loaded_and_unloaded_by_asking_nothing() {
    let app = able_tier().await;
    for (path, said) in [("/api/chat", "message"), ("/api/generate", "response")] {
        for (keep_alive, reason) in [(json!("5m"), "load"), (json!(0), "unload")] {
            let body = json!({"model": "parrot", "keep_alive": keep_alive});
            let mut reply = app.post(path, &body).await;
            assert_eq!(reply.status, 200, "{path} {reason}");
            let answer = reply.json().await;
            assert_eq!(
                (&answer["done"], &answer["done_reason"]),
                (&json!(true), &json!(reason)),
                "{answer}"
            );
            assert!(answer.get(said).is_some(), "{answer}");
        }
    }
}

#[tokio::test]
async fn what_a_request_asks_beside_its_text_reaches_the_model() {
    let app = able_tier().await;
    let mut body = chat("echo", false);
    body["messages"][0]["images"] = json!(["iVBORw0KGgo="]);
    body["options"] = json!({"num_ctx": 2048, "num_predict": 7});
    body["keep_alive"] = json!("10m");
    let call = app
        .call(Method::POST, "/api/chat")
        .header("x-goblin-purpose", "verdict")
        .json(&body);
    let answer = call.send().await.json().await;
    let echo: Value = serde_json::from_str(answer["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&echo["verdict"], &echo["context"], &echo["most"]),
        (&json!(true), &json!(2048), &json!(7))
    );
    assert_eq!(
        (&echo["keep_alive"], &echo["images"]),
        (&json!("600s"), &json!(1))
    );
}

#[tokio::test]
async fn a_field_that_is_out_of_bounds_is_named_with_its_limit() {
    let app = able_tier().await;
    let images = vec!["iVBORw0KGgo="; 65];
    let cases = [
        (json!({"options": {"num_ctx": 100_000_000}}), "options.num_ctx"),
        (
            json!({"options": {"num_predict": 5_000_000}}),
            "options.num_predict",
        ),
        (json!({"options": {"temperature": 99}}), "options.temperature"),
        (
            json!({"messages": [{"role": "user", "content": "hi", "images": images}]}),
            "images",
        ),
        (
            json!({"messages": [{"role": "robot", "content": "hi"}]}),
            "messages[0].role",
        ),
        (json!({"keep_alive": "soon"}), "keep_alive"),
        (json!({"stream": "yes"}), "stream"),
    ];
    for (fields, named) in cases {
        let mut body = chat("hi", false);
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let mut reply = app.post("/api/chat", &body).await;
        assert_eq!(reply.status, 400, "{named}");
        let said = reply.json().await;
        assert!(said["error"].as_str().unwrap().contains(named), "{named}: {said}");
        assert_eq!(said.as_object().unwrap().len(), 1, "{said}");
    }
    let wrong = app
        .call(Method::POST, "/api/chat")
        .header("x-goblin-purpose", "fun")
        .json(&chat("hi", false));
    let mut reply = wrong.send().await;
    assert_eq!(reply.status, 400);
    assert!(reply.text().await.contains("x-goblin-purpose"));
}

#[tokio::test]
async fn failures_have_the_status_of_the_table_and_ollamas_shape() {
    let app = able_tier().await;
    let cases = [
        ("overload", 429, "busy"),
        ("unreachable", 503, "cannot be reached"),
        ("long", 400, "9000 tokens"),
        ("rejected", 422, "Too hot"),
        ("panic", 500, "went wrong"),
    ];
    for (question, status, says) in cases {
        for stream in [false, true] {
            let mut reply = app.post("/api/chat", &chat(question, stream)).await;
            assert_eq!(reply.status.as_u16(), status, "{question}");
            let body = reply.json().await;
            let said = body["error"].as_str().unwrap();
            assert!(
                said.contains(says) && !said.contains("10.0.0.7"),
                "{question}: {said}"
            );
        }
    }
    let mut unknown = app
        .post("/api/chat", &json!({"model": "parot", "messages": []}))
        .await;
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.json().await["error"]
            .as_str()
            .unwrap()
            .contains("`parrot`")
    );
}

#[tokio::test]
async fn a_failure_in_the_stream_is_its_last_line() {
    let app = able_tier().await;
    let (mut reply, played) = begun(&app).await;
    played.fail(ProviderError::Interrupted {
        reason: "10.0.0.7 closed".into(),
    });
    let all = lines(&mut reply).await;
    assert_eq!(all[0]["message"]["content"], "One");
    let last = all.last().unwrap();
    assert!(
        last["error"].as_str().unwrap().contains("stopped in the middle"),
        "{last}"
    );
    assert!(all.iter().all(|line| line["done"] != true) && !last.to_string().contains("10.0.0.7"));
}

#[tokio::test]
async fn a_quiet_stream_sends_lines_that_say_nothing() {
    let app = tier_with(|options| {
        options.wait_for_first = Duration::from_millis(10);
        options.ping_every = Duration::from_millis(10);
    })
    .await;
    let mut reply = app.post("/api/chat", &chat("play", true)).await;
    let piece = reply.piece().await.unwrap();
    let line: Value = serde_json::from_slice(&piece).unwrap();
    assert_eq!(
        (&line["done"], &line["message"]["content"]),
        (&json!(false), &json!(""))
    );
    let played = app.provider.played().await;
    played.say("One");
    played.finish();
    let all = lines(&mut reply).await;
    let text: String = all
        .iter()
        .filter_map(|line| line["message"]["content"].as_str())
        .collect();
    assert_eq!(
        (text.as_str(), &all.last().unwrap()["done"]),
        ("One", &json!(true))
    );
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_answer_streamed_or_whole() {
    let app = able_tier().await;
    let (reply, played) = begun(&app).await;
    drop(reply);
    guard(played.dropped()).await;
    for (path, body) in [
        ("/api/chat", chat("play", false)),
        ("/api/generate", generate("play", false)),
    ] {
        let call = app.call(Method::POST, path).json(&body);
        let played = tokio::select! {
            _ = call.send() => panic!("nothing was answered yet"),
            played = app.provider.played() => played,
        };
        guard(played.dropped()).await;
    }
}

#[tokio::test]
async fn models_are_listed_described_and_shown_running() {
    let app = able_tier().await;
    let tags = app.get("/api/tags").await.json().await;
    let names: Vec<_> = tags["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["name"])
        .collect();
    assert_eq!(names, ["parrot", "mute"]);
    assert_eq!(tags["models"][0]["size"], 98_362_432);
    assert_eq!(tags["models"][0]["details"]["quantization_level"], "Q4_1");
    let running = app.get("/api/ps").await.json().await;
    assert_eq!(running["models"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &running["models"][0]["name"],
            &running["models"][0]["context_length"]
        ),
        (&json!("parrot"), &json!(4096))
    );
    for name in ["parrot", "fake/parrot", "parrot:latest"] {
        let shown = app.post("/api/show", &json!({"model": name})).await.json().await;
        assert_eq!(
            (&shown["template"], &shown["model"]),
            (&json!("T"), &json!("parrot")),
            "{name}"
        );
    }
    let version = app.get("/api/version").await.json().await;
    assert!(
        version["version"].as_str().unwrap().contains("goblin"),
        "{version}"
    );
}

#[tokio::test]
async fn a_provider_that_cannot_describe_a_model_is_spoken_for() {
    let app = TestApp::tier().await;
    let shown = app
        .post("/api/show", &json!({"model": "parrot"}))
        .await
        .json()
        .await;
    assert_eq!(shown["capabilities"], json!(["completion"]));
    assert_eq!(shown["details"]["parameter_size"], "135M");
    let mut missing = app.post("/api/show", &json!({"model": "parot"})).await;
    assert_eq!(missing.status, 404);
    assert!(
        missing.json().await["error"]
            .as_str()
            .unwrap()
            .contains("`parrot`")
    );
}

#[tokio::test]
async fn lists_are_refused_while_no_model_server_answers() {
    let app = able_tier().await;
    app.provider
        .set_health(Health::Down("10.0.0.7:11434 refused".into()));
    for path in ["/api/tags", "/api/ps"] {
        let mut reply = app.get(path).await;
        assert_eq!(reply.status, 503, "{path}");
        assert!(!reply.text().await.contains("10.0.0.7"));
    }
}

#[tokio::test]
async fn texts_become_vectors_or_the_refusal_names_models_that_can() {
    let app = able_tier().await;
    let both = app
        .post("/api/embed", &json!({"model": "parrot", "input": ["a", "b"]}))
        .await
        .json()
        .await;
    assert_eq!(
        (&both["embeddings"], &both["prompt_eval_count"]),
        (&json!([[1.0], [-1.0]]), &json!(4))
    );
    let old = app
        .post("/api/embeddings", &json!({"model": "parrot", "prompt": "a"}))
        .await
        .json()
        .await;
    assert_eq!(old, json!({"embedding": [1.0]}));
    let mut unable = app
        .post("/api/embed", &json!({"model": "mute", "input": "a"}))
        .await;
    assert_eq!(unable.status, 400);
    let said = unable.text().await;
    assert!(said.contains("embeddings") && said.contains("parrot"), "{said}");
}

fn admin(app: &TestApp, key: &str, method: Method, path: &str) -> Call {
    Call::new(app.address, method, path).header("x-api-key", key)
}

#[tokio::test]
async fn models_change_with_an_admin_key_and_progress_is_told() {
    let app = able_tier().await;
    let key = key_with(&app, goblin_auth::principal::Scope::Admin);
    for path in ["/api/pull", "/api/push", "/api/create"] {
        let call = |stream: bool, name: &str| {
            admin(&app, &key, Method::POST, path).json(&json!({"model": name, "stream": stream}))
        };
        let mut streamed = call(true, "parrot").send().await;
        assert_eq!(streamed.header("content-type"), "application/x-ndjson");
        assert_eq!(
            lines(&mut streamed).await,
            [
                json!({"status": "pulling manifest"}),
                json!({"status": "success"})
            ]
        );
        assert_eq!(
            call(false, "parrot").send().await.json().await,
            json!({"status": "success"}),
            "{path}"
        );
        for stream in [true, false] {
            assert_eq!(call(stream, "absent").send().await.status, 404, "{path}");
        }
        if path == "/api/push" {
            // What is not there cannot be given away.
            continue;
        }
        let broken = lines(&mut call(true, "broken").send().await).await;
        assert!(
            broken[1]["error"].is_string() && !broken[1].to_string().contains("10.0.0.7"),
            "{broken:?}"
        );
        assert_eq!(call(false, "broken").send().await.status, 502, "{path}");
    }
    let gone = admin(&app, &key, Method::DELETE, "/api/delete").json(&json!({"model": "crow"}));
    assert_eq!(gone.send().await.status, 404);
}

#[tokio::test]
async fn a_blob_is_taken_found_and_refused_when_its_name_is_no_digest() {
    let app = able_tier().await;
    let key = key_with(&app, goblin_auth::principal::Scope::Admin);
    let path = format!("/api/blobs/{DIGEST}");
    assert_eq!(admin(&app, &key, Method::HEAD, &path).send().await.status, 404);
    // More than any other body may have.
    let large = vec![b'x'; goblin_core::limits::MAX_BODY_BYTES + 1];
    let put = admin(&app, &key, Method::POST, &path).bytes(large);
    assert_eq!(put.send().await.status, 201);
    assert_eq!(admin(&app, &key, Method::HEAD, &path).send().await.status, 200);
    for name in [
        "sha256:00",
        "md5:e3b0c44298fc1c14",
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    ] {
        let mut wrong = admin(&app, &key, Method::POST, &format!("/api/blobs/{name}"))
            .send()
            .await;
        assert_eq!(wrong.status, 400, "{name}");
        assert!(wrong.text().await.contains("digest"), "{name}");
    }
}
