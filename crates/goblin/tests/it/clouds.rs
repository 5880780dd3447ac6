//! A cloud is given its key while goblin runs. The cloud is a server of a few lines that speaks Chat Completions as
//! OpenAI's API reference has it (<https://platform.openai.com/docs/api-reference/chat>); never run against the live service.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::process::{Running, until};

const FIRST: &str = "sk-canary-first-0001";
const SECOND: &str = "sk-canary-second-0002";

/// Answers the two keys, each with the last four characters of what it was sent.
fn cloud() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that hangs up is none of this server's business.
            let _served = answer(&stream);
        }
    });
    address
}

fn answer(mut stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut line, mut length, mut key) = (String::new(), 0, String::new());
    while reader.read_line(&mut line)? > 2 {
        let (name, said) = line.split_once(':').unwrap_or_default();
        match name.to_lowercase().as_str() {
            "content-length" => length = said.trim().parse().unwrap_or(0),
            "authorization" => said.trim().trim_start_matches("Bearer ").clone_into(&mut key),
            _ => {}
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let is_known = [FIRST, SECOND].contains(&key.as_str());
    let (status, kind, body) = match first.split(' ').nth(1).unwrap_or_default() {
        _ if !is_known => (
            "401 Unauthorized",
            "application/json",
            json!({"error": {"message": format!("Incorrect API key provided: {key}"), "code": "invalid_api_key"}})
                .to_string(),
        ),
        "/v1/models" => (
            "200 OK",
            "application/json",
            json!({"object": "list", "data": [
                {"id": "gpt-5", "object": "model", "owned_by": "openai"},
                {"id": "gpt-5-mini", "object": "model", "owned_by": "openai"},
            ]})
            .to_string(),
        ),
        "/v1/responses" => {
            let said = format!("responses, called with {}", &key[key.len() - 4..]);
            let part = json!({"type": "output_text", "text": said, "annotations": []});
            let item = json!({"type": "message", "role": "assistant", "status": "completed", "content": [part]});
            let delta = json!({"type": "response.output_text.delta", "output_index": 0, "delta": said});
            let response = json!({"status": "completed", "output": [item]});
            let end = json!({"type": "response.completed", "response": response});
            let events = format!(
                "event: response.output_text.delta\ndata: {delta}\n\nevent: response.completed\ndata: {end}\n\n"
            );
            ("200 OK", "text/event-stream", events)
        }
        _ => {
            let chunk = |delta: Value, finish: Value| {
                let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
                let chunk = json!({
                    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5", "choices": [choice],
                });
                format!("data: {chunk}\n\n")
            };
            let said = format!("called with {}", &key[key.len() - 4..]);
            let text = chunk(json!({"role": "assistant", "content": said}), Value::Null);
            let end = chunk(json!({}), json!("stop"));
            ("200 OK", "text/event-stream", format!("{text}{end}data: [DONE]\n\n"))
        }
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n");
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

fn put(goblin: &Running, body: &Value) -> Value {
    let (status, text) = goblin.ask("PUT", "/api/providers/openai", &[], &body.to_string());
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn ask(goblin: &Running) -> (u16, String) {
    let body = json!({
        "model": "openai/gpt-5", "stream": true, "messages": [{"role": "user", "content": "which key?"}],
    });
    goblin.ask("POST", "/v1/chat/completions", &[], &body.to_string())
}

fn openai(goblin: &Running) -> Value {
    let (status, text) = goblin.ask("GET", "/api/providers", &[], "");
    assert_eq!(status, 200, "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut items = all["items"].as_array().unwrap().iter();
    items.find(|item| item["id"] == "openai").unwrap().clone()
}

#[test]
fn a_key_is_used_replaced_and_forgotten_without_a_restart_and_no_log_has_it() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("http://{}/v1", cloud());
    let environment = [("OPENAI_BASE_URL", address.as_str()), ("LOG_LEVEL", "debug")];
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    assert_eq!(openai(&goblin)["health"], "no_key");
    let (status, said) = ask(&goblin);
    assert_eq!(status, 503, "{said}");
    assert!(said.contains("OPENAI_API_KEY"), "{said}");

    let state = put(&goblin, &json!({"key": FIRST}));
    assert_eq!(state["health"], "ok", "{state}");
    assert_eq!(
        (&state["last_four"], &state["base_url_set_by"]),
        (&json!("0001"), &json!("environment"))
    );
    let (status, said) = ask(&goblin);
    assert!(status == 200 && said.contains("called with 0001"), "{said}");

    // The old path does the same.
    let (status, said) = goblin.ask(
        "PUT",
        "/api/provider-keys/openai",
        &[],
        &json!({"key": SECOND}).to_string(),
    );
    assert_eq!(status, 200, "{said}");
    assert!(ask(&goblin).1.contains("called with 0002"));

    let state = put(&goblin, &json!({"shown_models": ["gpt-5-mini"]}));
    assert_eq!(state["models"].as_array().unwrap().len(), 2, "{state}");
    let (_, listed) = goblin.ask("GET", "/v1/models", &[], "");
    assert!(
        listed.contains("openai/gpt-5-mini") && !listed.contains("\"openai/gpt-5\""),
        "{listed}"
    );
    put(&goblin, &json!({"shown_models": null, "enabled": false}));
    assert_eq!(openai(&goblin)["health"], "off");
    assert_eq!(ask(&goblin).0, 503, "what is off is not asked");
    put(&goblin, &json!({"enabled": true}));
    assert_eq!(ask(&goblin).0, 200);

    put(&goblin, &json!({"key": "sk-canary-wrong-0003"}));
    let (status, tested) = goblin.ask("POST", "/api/providers/openai/test", &[], "{}");
    assert_eq!(status, 200, "{tested}");
    assert!(
        tested.contains("key_refused") && !tested.contains("canary"),
        "{tested}"
    );

    put(&goblin, &json!({"key": FIRST}));
    assert_eq!(goblin.ask("DELETE", "/api/providers/openai", &[], "").0, 204);
    assert_eq!(openai(&goblin)["health"], "no_key");
    assert_eq!(ask(&goblin).0, 503);
    let logs = goblin.logs();
    assert!(!logs.contains("sk-canary"), "{logs}");
}

#[test]
fn by_its_responses_a_cloud_is_set_up_tried_and_asked_as_by_chats() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("http://{}/v1", cloud());
    let environment = [
        ("OPENAI_BASE_URL", address.as_str()),
        ("GOBLIN_UPSTREAM__OPENAI_API", "responses"),
    ];
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    assert_eq!(put(&goblin, &json!({"key": FIRST}))["health"], "ok");
    let (status, said) = ask(&goblin);
    assert!(
        status == 200 && said.contains("responses, called with 0001"),
        "{said}"
    );
    let test = || {
        let (status, tested) = goblin.ask("POST", "/api/providers/openai/test", &[], "{}");
        assert_eq!(status, 200, "{tested}");
        serde_json::from_str::<Value>(&tested).unwrap()
    };
    let tested = test();
    assert_eq!((&tested["health"], &tested["models"]), (&json!("ok"), &json!(2)));
    put(&goblin, &json!({"key": "sk-canary-wrong-0003"}));
    assert_eq!(test()["health"], "key_refused");
}

#[test]
fn a_kept_key_outlives_a_restart_and_yields_to_that_of_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let address = format!("http://{}/v1", cloud());
    let mut environment = vec![("OPENAI_BASE_URL", address.as_str())];
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    put(&goblin, &json!({"key": FIRST}));
    drop(goblin);

    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    assert!(ask(&goblin).1.contains("called with 0001"));
    drop(goblin);

    environment.push(("OPENAI_API_KEY", SECOND));
    let goblin = Running::start(home.path(), &["serve", "--port", "0"], &environment);
    assert!(ask(&goblin).1.contains("called with 0002"));
    let state = openai(&goblin);
    assert_eq!(
        (&state["key_set_by"], &state["last_four"]),
        (&json!("environment"), &json!("0001"))
    );
    let (status, said) = goblin.ask(
        "PUT",
        "/api/providers/openai",
        &[],
        &json!({"key": FIRST}).to_string(),
    );
    assert_eq!(status, 409, "{said}");
    assert!(
        said.contains("OPENAI_API_KEY") && !said.contains("sk-canary"),
        "{said}"
    );
}

#[test]
fn what_one_copy_is_told_holds_on_the_other_within_seconds() {
    let place = crate::postgres::place();
    let address = format!("http://{}/v1", cloud());
    let environment = [
        ("DATABASE_URL", place.url.as_str()),
        ("OPENAI_BASE_URL", address.as_str()),
        // 32 zero bytes.
        (
            "SETTINGS_ENCRYPTION_KEY",
            "test:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ),
    ];
    let one = Running::start(place.home.path(), &["serve", "--port", "0"], &environment);
    let elsewhere = tempfile::tempdir().unwrap();
    let two = Running::start(elsewhere.path(), &["serve", "--port", "0"], &environment);
    assert_eq!(ask(&two).0, 503);
    put(&one, &json!({"key": FIRST}));
    until("the other copy has the key", || {
        ask(&two).1.contains("called with 0001").then_some(())
    });
    assert_eq!(one.ask("DELETE", "/api/providers/openai", &[], "").0, 204);
    until("the other copy has it no more", || {
        (ask(&two).0 == 503).then_some(())
    });
}
