//! What only the model tier answers: its state, exact counts, decisions and vectors.

use goblin_core::provider::Health;
use http::Method;
use serde_json::{Value, json};

use crate::allow_list::able_tier;
use crate::client::data;

#[tokio::test]
async fn the_status_names_every_instance_and_what_a_newcomer_has_to_expect() {
    let app = able_tier().await;
    let status = app.get("/v1/goblin/status").await.json().await;
    let parrot = &status["instances"][0];
    assert_eq!(
        (&parrot["provider"], &parrot["model"], &parrot["state"]),
        (&json!("fake"), &json!("parrot"), &json!("loaded"))
    );
    assert_eq!(
        (&parrot["queued"], &parrot["predicted_wait_ms"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(parrot["context_window"], 4096);
    app.provider
        .set_health(Health::Down("10.0.0.7:11434 refused".into()));
    let away = app.get("/v1/goblin/status").await.text().await;
    assert!(
        away.contains("\"down\"") && away.contains("cannot be reached") && !away.contains("10.0.0.7"),
        "{away}"
    );
}

#[tokio::test]
async fn tokens_are_counted_and_it_says_how() {
    let app = able_tier().await;
    let body = json!({"model": "parrot", "messages": [{"role": "user", "content": "hi"}]});
    let counted = app.post("/v1/goblin/tokenize", &body).await.json().await;
    let expected = json!({
        "model": "fake/parrot", "prompt_tokens": 5, "context_window": 4096, "method": "tokenizer",
    });
    assert_eq!(counted, expected);
}

#[tokio::test]
async fn questions_are_answered_with_probabilities() {
    let app = able_tier().await;
    let body = json!({
        "model": "parrot",
        "state": {"text": "hello"},
        "questions": {
            "kind": {"type": "noul", "instructions": "Is it kind?"},
            "mood": {"type": "choice", "instructions": "Which mood?", "criteria": {"glad": null, "sad": "not glad"}},
        },
    });
    let answered = app.post("/v1/systemone", &body).await.json().await;
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-6;
    // 0.75 of a mass of 0.95 went to the first option.
    let kind = answered["answers"]["kind"].to_string();
    assert!(kind.contains("0.789"), "{answered}");
    assert!(
        near(&answered["answers"]["mood"]["probabilities"]["glad"], 0.75 / 0.95),
        "{answered}"
    );
    assert_eq!(answered["answers"]["mood"]["choice"], "glad");

    let mut unable = body.clone();
    unable["model"] = json!("mute");
    let mut reply = app.post("/v1/systemone", &unable).await;
    assert_eq!(reply.status, 422);
    let said = reply.json().await;
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("probabilities"),
        "{said}"
    );
    let mut wrong = body;
    wrong["questions"]["kind"]["type"] = json!("essay");
    let said = app.post("/v1/systemone", &wrong).await.json().await;
    assert_eq!(said["error"]["param"], "questions.kind.type");
    assert_eq!(
        said["detail"][0]["loc"],
        json!(["body", "questions", "kind", "type"])
    );
}

#[tokio::test]
async fn texts_become_vectors_in_openais_shape() {
    let app = able_tier().await;
    let made = app
        .post("/v1/embeddings", &json!({"model": "parrot", "input": ["a", "b"]}))
        .await
        .json()
        .await;
    assert_eq!(
        (&made["data"][1]["embedding"], &made["data"][1]["index"]),
        (&json!([-1.0]), &json!(1))
    );
    assert_eq!(made["usage"]["prompt_tokens"], 4);
    let coded = json!({"model": "parrot", "input": "a", "encoding_format": "base64"});
    assert_eq!(
        app.post("/v1/embeddings", &coded).await.json().await["data"][0]["embedding"],
        "AACAPw=="
    );
    for (body, param) in [
        (json!({"model": "parrot"}), "input"),
        (json!({"model": "parrot", "input": []}), "input"),
        (json!({"model": "parrot", "input": [7]}), "input[0]"),
        (json!({"model": "mute", "input": "a"}), "model"),
    ] {
        let mut reply = app.post("/v1/embeddings", &body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.json().await["error"]["param"], param);
    }
}

#[tokio::test]
async fn a_verdict_is_marked_on_openais_door_and_nonsense_is_refused() {
    let app = able_tier().await;
    let body = json!({"model": "parrot", "messages": [{"role": "user", "content": "echo"}]});
    for (purpose, marked) in [("verdict", true), ("answer", false), ("", false)] {
        let call = app
            .call(Method::POST, "/v1/chat/completions")
            .header("x-goblin-purpose", purpose);
        let answer = call.json(&body).send().await.json().await;
        let echo: Value =
            serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
        assert_eq!(echo["verdict"], marked, "{purpose}");
    }
    let call = app
        .call(Method::POST, "/v1/chat/completions")
        .header("x-goblin-purpose", "fun");
    let mut refused = call.json(&body).send().await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json().await["error"]["param"], "x-goblin-purpose");
}

#[tokio::test]
async fn the_callers_deadline_holds_on_every_door() {
    let app = able_tier().await;
    let messages = json!([{"role": "user", "content": "play"}]);
    let doors = [
        (
            "/v1/chat/completions",
            json!({"model": "parrot", "messages": messages}),
        ),
        (
            "/v1/messages",
            json!({"model": "parrot", "max_tokens": 9, "messages": messages}),
        ),
        (
            "/api/chat",
            json!({"model": "parrot", "stream": false, "messages": messages}),
        ),
        (
            "/api/generate",
            json!({"model": "parrot", "stream": false, "prompt": "play"}),
        ),
    ];
    for (path, body) in doors {
        let call = app
            .call(Method::POST, path)
            .header("x-goblin-deadline-ms", "20")
            .json(&body);
        assert_eq!(call.send().await.status, 504, "{path}");
    }
}

#[tokio::test]
async fn openais_stream_says_the_same_as_the_whole_answer_tool_calls_included() {
    let app = able_tier().await;
    for question in ["hi", "weather in Rome"] {
        let mut body = json!({"model": "parrot", "messages": [{"role": "user", "content": question}]});
        let whole = app.post("/v1/chat/completions", &body).await.json().await;
        body["stream"] = json!(true);
        let mut events = app.post("/v1/chat/completions", &body).await.events().await;
        assert_eq!(events.pop().unwrap().data, "[DONE]");
        let chunks: Vec<Value> = events.iter().map(data).collect();
        let joined = |field: &str| -> String {
            let said = |c: &Value| c["choices"][0]["delta"][field].as_str().map(str::to_owned);
            chunks.iter().filter_map(said).collect()
        };
        let message = &whole["choices"][0]["message"];
        assert_eq!(joined("content"), message["content"].as_str().unwrap());
        assert_eq!(
            joined("reasoning_content"),
            message["reasoning_content"].as_str().unwrap_or_default()
        );
        let mut calls: Vec<Value> = Vec::new();
        let deltas = chunks
            .iter()
            .filter_map(|c| c["choices"][0]["delta"]["tool_calls"].as_array());
        for piece in deltas.flatten() {
            let at = piece["index"].as_u64().unwrap() as usize;
            if at == calls.len() {
                calls.push(json!({"id": piece["id"], "name": piece["function"]["name"], "arguments": ""}));
            }
            let so_far = calls[at]["arguments"].as_str().unwrap().to_owned();
            calls[at]["arguments"] = (so_far + piece["function"]["arguments"].as_str().unwrap()).into();
        }
        let none = Vec::new();
        let expected: Vec<Value> = message["tool_calls"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .map(|c| json!({"id": c["id"], "name": c["function"]["name"], "arguments": c["function"]["arguments"]}))
            .collect();
        assert_eq!(calls, expected, "{question}");
    }
}
