//! PDF files in requests: goblin asks models that read them and no others, and where there is none it says so.

use goblin_core::maker::Maker;
use goblin_providers::openai_compat::{Kind, UpstreamSpec};
use serde_json::{Value, json};

use crate::cloud_doors::{handle, healthy, posted, question, text_of};
use crate::fake_upstream::{FakeUpstream, MODEL, Reply, answer, handle_on};
use crate::test_app::{Setup, TestApp};

/// `%PDF-1.4` and no more: who is asked here is played.
const PDF: &str = "data:application/pdf;base64,JVBERi0xLjQK";

fn with_a_file(model: &str, stream: bool) -> Value {
    let mut body = question(model, stream);
    body["messages"][0]["content"] = json!([
        {"type": "text", "text": "What does it say?"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
    ]);
    body
}

/// A server of the operator's own, which would answer anything.
async fn own() -> FakeUpstream {
    FakeUpstream::start(|asked| match asked.head.starts_with("get ") {
        true => Reply::Bytes(answer(
            "200 OK",
            "application/json",
            &json!({"data": [{"id": MODEL}]}).to_string(),
        )),
        false => Reply::Bytes(answer("500 Internal Server Error", "application/json", "{}")),
    })
    .await
}

#[tokio::test]
async fn a_pdf_is_asked_of_the_model_that_reads_files_and_of_nobody_else() {
    let (near, deepseek, openai) = (
        own().await,
        healthy(Maker::DeepSeek).await,
        healthy(Maker::OpenAi).await,
    );
    let app = TestApp::start(Setup {
        upstreams: vec![
            handle_on(UpstreamSpec::new("near", near.url.clone(), Kind::Plain)),
            handle(Maker::DeepSeek, &deepseek),
            handle(Maker::OpenAi, &openai),
        ],
        ..Setup::default()
    })
    .await;
    for stream in [false, true] {
        assert_eq!(text_of(&app, &with_a_file("goblin/best", stream)).await, "Hello");
    }
    let asked = posted(&openai);
    assert_eq!(asked.len(), 2);
    for one in asked {
        let body: Value = serde_json::from_str(&one.body).unwrap();
        let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}});
        assert_eq!(body["messages"][0]["content"][1], file);
    }
    let told: Vec<_> = posted(&near).into_iter().chain(posted(&deepseek)).collect();
    assert!(told.iter().all(|one| !one.body.contains("JVBERi")), "{told:?}");
}

#[tokio::test]
async fn where_no_model_reads_files_the_request_is_refused_by_its_field_and_nobody_is_told_of_it() {
    let (near, deepseek) = (own().await, healthy(Maker::DeepSeek).await);
    let app = TestApp::start(Setup {
        upstreams: vec![
            handle_on(UpstreamSpec::new("near", near.url.clone(), Kind::Plain)),
            handle(Maker::DeepSeek, &deepseek),
        ],
        ..Setup::default()
    })
    .await;
    for (model, goblin) in [
        ("goblin", false),
        ("goblin/local", false),
        ("deepseek/deepseek-chat", true),
    ] {
        let mut body = with_a_file(model, false);
        if goblin {
            // Read here, and not forwarded as it is.
            body["goblin"] = json!({});
        }
        let mut reply = app.post("/v1/chat/completions", &body).await;
        assert_eq!(reply.status, 400, "{model}");
        let error = reply.json().await["error"].clone();
        assert_eq!(error["param"], "messages[0].content", "{model}: {error}");
        assert!(error["message"].as_str().unwrap().contains("PDF"), "{error}");
    }
    let told: Vec<_> = posted(&near).into_iter().chain(posted(&deepseek)).collect();
    assert!(told.iter().all(|one| !one.body.contains("JVBERi")), "{told:?}");
}
