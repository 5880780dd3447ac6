//! What a good key sent and no model was asked for has its line in the model tier's access log, and exactly one.

use http::Method;
use serde_json::{Value, json};

use crate::allow_list::able_tier;
use crate::client::Reply;
use crate::log::Lines;

/// The lines of the access log about the request that was answered with `reply`.
fn lines_of(lines: &Lines, reply: &Reply) -> Vec<Value> {
    let id = reply.header("x-correlation-id");
    assert!(!id.is_empty());
    lines.about(id).0
}

#[tokio::test]
async fn a_body_that_cannot_be_read_or_is_refused_is_in_the_access_log_with_key_address_and_code() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let app = able_tier().await;
    let doors = [
        "/v1/chat/completions",
        "/chat/completions",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/embeddings",
        "/v1/systemone",
        "/v1/goblin/tokenize",
        "/api/chat",
        "/api/generate",
        "/api/embed",
        "/api/show",
    ];
    let bodies = [
        (b"{\"model\": ".to_vec(), "invalid_json"),
        (b"\xff\xfe".to_vec(), "invalid_json"),
        (br#"{"model": 7}"#.to_vec(), "invalid_request"),
        (vec![b' '; 11_000_000], "payload_too_large"),
    ];
    for door in doors {
        for (body, code) in &bodies {
            let reply = app.call(Method::POST, door).bytes(body.clone()).send().await;
            assert!(reply.status.is_client_error(), "{door} {code}: {}", reply.status);
            let found = lines_of(&lines, &reply);
            assert_eq!(found.len(), 1, "{door} {code}: {found:?}");
            let fields = &found[0]["fields"];
            let said = [&fields["address"], &fields["outcome"], &fields["code"]];
            assert_eq!(said, ["127.0.0.1", "refused", *code], "{door}: {fields}");
            assert!(
                fields["key"].as_str().is_some_and(|key| !key.is_empty()),
                "{door}: {fields}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_was_answered_or_refused_further_on_has_one_line_too() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let app = able_tier().await;
    let ask =
        |model: &str, text: &str| json!({"model": model, "messages": [{"role": "user", "content": text}]});
    for (body, outcome) in [
        (ask("parrot", "hi"), "complete"),
        (ask("parot", "hi"), "failed"),
        (ask("parrot", "unreachable"), "failed"),
    ] {
        let mut reply = app.post("/v1/chat/completions", &body).await;
        reply.bytes().await;
        let found = lines_of(&lines, &reply);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert_eq!(found[0]["fields"]["outcome"], outcome, "{body}");
    }
    // A wrong key is refused at the door, without a name.
    let wrong = app
        .call(Method::POST, "/v1/chat/completions")
        .header("authorization", "Bearer wrong")
        .bytes("{")
        .send()
        .await;
    let found = lines_of(&lines, &wrong);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["fields"]["code"], "unauthorized");
    assert!(found[0]["fields"]["key"].is_null(), "{found:?}");
}
