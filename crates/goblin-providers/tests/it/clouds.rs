//! Clouds known by name, each played by a server of a few lines: how it is asked, what becomes of its answers, and every
//! way it can fail before its first content.

use goblin_core::catalogue::Catalogue;
use goblin_core::chat::ChatRequest;
use goblin_core::event::{Parsed, Usage};
use goblin_core::maker::Maker;
use goblin_core::model::Capability;
use goblin_core::provider::{Health, ProviderError, ProviderHandle};
use goblin_core::wire::Dialect;
use goblin_providers::openai_compat::{Api, UpstreamSpec};
use serde_json::Value;

use crate::fake_upstream::{
    Asked, FakeUpstream, START, STOP, Step, answer, end, frame, json, question, response, said, say, soon,
    sse_head, text,
};

const KEY: &str = "s3cret-of-the-cloud";

fn model_of(maker: Maker) -> &'static str {
    match maker {
        Maker::OpenAi => "gpt-4o",
        Maker::Anthropic => "claude-sonnet-4-5",
        Maker::DeepSeek => "deepseek-chat",
        Maker::Gemini => "gemini-2.5-flash",
        Maker::Grok => "grok-4.7",
    }
}

/// What the cloud streams when all is well: "Hi there", and what it used.
fn good(maker: Maker) -> Vec<Step> {
    let events: Vec<String> = match maker {
        Maker::Anthropic => [
            r#"{"type":"message_start","message":{"usage":{"input_tokens":4,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi there"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
            r#"{"type":"message_stop"}"#,
        ]
        .map(str::to_owned)
        .to_vec(),
        Maker::Gemini => vec![
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi there"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2}}"#.to_owned(),
        ],
        _ => vec![
            START.to_owned(),
            text("Hi there"),
            STOP.to_owned(),
            r#"{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}"#.to_owned(),
            "[DONE]".to_owned(),
        ],
    };
    let frames = events.iter().map(|e| frame(e));
    [sse_head()].into_iter().chain(frames).chain([end()]).collect()
}

fn handle(upstream: &FakeUpstream, maker: Maker) -> ProviderHandle {
    let key = Some(KEY.to_owned().into());
    upstream.handle_with(UpstreamSpec::cloud(maker, upstream.url.clone(), key))
}

fn asking(maker: Maker) -> ChatRequest {
    ChatRequest {
        model: model_of(maker).to_owned(),
        ..question()
    }
}

#[tokio::test]
async fn each_is_asked_at_its_own_door_with_its_key_where_it_wants_it_and_its_answer_is_read() {
    for maker in Maker::ALL {
        let upstream = FakeUpstream::start(vec![good(maker)]).await;
        let handle = handle(&upstream, maker);
        let (events, outcome) = answer(&handle, asking(maker)).await;
        assert_eq!(
            (said(&events).as_str(), outcome),
            ("Hi there", Ok(())),
            "{maker:?}"
        );
        let usage = Usage {
            prompt_tokens: 4,
            completion_tokens: 2,
            ..Usage::default()
        };
        assert_eq!(events.last().unwrap().parsed, Parsed::Usage(usage), "{maker:?}");
        let asked = upstream.asked().remove(0);
        let (path, header) = match maker {
            Maker::Anthropic => ("/v1/messages", "x-api-key"),
            Maker::Gemini => (
                "/v1beta/models/gemini-2.5-flash:streamgeneratecontent?alt=sse",
                "x-goog-api-key",
            ),
            _ => ("/v1/chat/completions", "authorization"),
        };
        assert_eq!(asked.path(), path, "{maker:?}");
        let bearer = if header == "authorization" { "bearer " } else { "" };
        assert!(
            asked.head.contains(&format!("{header}: {bearer}{KEY}\r\n")),
            "{}",
            asked.head
        );
        let version = asked.head.contains("anthropic-version: 2023-06-01\r\n");
        assert_eq!(version, maker == Maker::Anthropic);
        assert!(!asked.path().contains(KEY), "no key stands in an address");
        assert!(!format!("{handle:?}").contains(KEY));
        assert!(!handle.local, "what it is asked leaves the operator's machines");
        let forwards = !matches!(maker, Maker::Anthropic | Maker::Gemini);
        assert_eq!(handle.forwards == Some(Dialect::OpenAi), forwards);
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(
            body.get("model").is_none(),
            maker == Maker::Gemini,
            "its model stands in the address"
        );
    }
}

/// What it is before its first content, by what the cloud does.
async fn failing(maker: Maker, script: Vec<Step>) -> ProviderError {
    let upstream = FakeUpstream::start(vec![script.clone()]).await;
    let (events, outcome) = answer(&handle(&upstream, maker), asking(maker)).await;
    assert_eq!(said(&events), "", "{maker:?} {script:?}");
    outcome.expect_err("no answer")
}

#[tokio::test]
async fn every_fault_before_the_first_content_is_an_error_of_which_another_model_can_make_up() {
    let error = r#"{"error":{"type":"server_error","status":"INTERNAL","code":500,"message":"boom"}}"#;
    let html = "<!DOCTYPE html><html>Sign in</html>";
    let half = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"a\":[{";
    for maker in Maker::ALL {
        let faults: Vec<(&str, Vec<Step>)> = vec![
            ("reset", vec![Step::Reset]),
            ("closed", vec![]),
            ("500", json("500 Internal Server Error", error)),
            (
                "502 page",
                response("502 Bad Gateway", "content-type: text/html\r\n", html),
            ),
            ("408", json("408 Request Timeout", error)),
            ("409", json("409 Conflict", error)),
            (
                "404 page",
                response("404 Not Found", "content-type: text/html\r\n", html),
            ),
            (
                "page with 200",
                response("200 OK", "content-type: text/html\r\n", html),
            ),
            (
                "page called JSON",
                response("200 OK", "content-type: application/json\r\n", html),
            ),
            (
                "page called a stream",
                response("200 OK", "content-type: text/event-stream\r\n", html),
            ),
            ("error with 200", json("200 OK", error)),
            ("error in the stream", vec![sse_head(), frame(error), end()]),
            ("empty 200", json("200 OK", "")),
            ("empty stream", vec![sse_head(), end()]),
            ("only [DONE]", vec![sse_head(), frame("[DONE]"), end()]),
            ("cut body", vec![say(half), Step::Reset]),
            ("cut stream", vec![sse_head(), Step::Reset]),
            ("noise", vec![sse_head(), frame("{oops"), end()]),
        ];
        for (what, script) in faults {
            let error = failing(maker, script).await;
            assert!(
                matches!(
                    error,
                    ProviderError::Unavailable { .. }
                        | ProviderError::Broken { .. }
                        | ProviderError::Interrupted { .. }
                ),
                "{maker:?} {what}: {error:?}"
            );
        }
    }
}

#[tokio::test]
async fn one_that_stalls_before_its_headers_or_its_first_content_is_given_up() {
    for maker in [Maker::OpenAi, Maker::Anthropic, Maker::Gemini] {
        let late = failing(maker, vec![Step::Stall]).await;
        assert!(
            matches!(late, ProviderError::Unavailable { .. }),
            "{maker:?} {late:?}"
        );
        let late = failing(maker, vec![sse_head(), Step::Stall]).await;
        assert!(
            matches!(late, ProviderError::Interrupted { .. }),
            "{maker:?} {late:?}"
        );
    }
}

#[tokio::test]
async fn quota_rate_limit_overload_key_and_request_are_told_apart() {
    let said = |status: &str, body: &str| {
        response(
            status,
            "content-type: application/json\r\nretry-after: 7\r\n",
            body,
        )
    };
    let wait = Some(std::time::Duration::from_secs(7));
    for (maker, script, expected) in [
        (
            Maker::OpenAi,
            said(
                "429 Too Many Requests",
                r#"{"error":{"message":"no credit","code":"insufficient_quota"}}"#,
            ),
            ProviderError::QuotaUsedUp,
        ),
        (
            Maker::OpenAi,
            said(
                "429 Too Many Requests",
                r#"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#,
            ),
            ProviderError::LimitReached { retry_after: wait },
        ),
        (
            Maker::DeepSeek,
            said(
                "402 Payment Required",
                r#"{"error":{"message":"Insufficient Balance"}}"#,
            ),
            ProviderError::QuotaUsedUp,
        ),
        (
            Maker::Anthropic,
            said(
                "529 Overloaded",
                r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            ),
            ProviderError::Overloaded { retry_after: wait },
        ),
        (
            Maker::Grok,
            said(
                "400 Bad Request",
                r#"{"code":"x","error":"Incorrect API key provided: xa***"}"#,
            ),
            ProviderError::Unauthorized,
        ),
        (
            Maker::Gemini,
            said(
                "404 Not Found",
                r#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#,
            ),
            ProviderError::ModelNotFound {
                model: model_of(Maker::Gemini).into(),
            },
        ),
    ] {
        assert_eq!(failing(maker, script).await, expected, "{maker:?}");
    }
}

fn list_of(maker: Maker) -> &'static str {
    match maker {
        Maker::Gemini => {
            r#"{"models":[{"name":"models/gemini-2.5-flash","inputTokenLimit":1000,"supportedGenerationMethods":["generateContent"]},
                {"name":"models/gemini-embedding-001","supportedGenerationMethods":["embedContent"]},
                {"name":"models/gemini-99-tts","supportedGenerationMethods":["generateContent"]}]}"#
        }
        Maker::Anthropic => {
            r#"{"data":[{"type":"model","id":"claude-sonnet-4-5-20250929","display_name":"x"}]}"#
        }
        _ => {
            r#"{"object":"list","data":[{"id":"gpt-4o"},{"id":"whisper-1"},{"id":"gpt-77"},{"id":"dall-e-3"}]}"#
        }
    }
}

#[tokio::test]
async fn its_models_are_those_it_lists_that_converse_with_what_is_known_of_them() {
    for (maker, expected) in [
        (Maker::OpenAi, vec!["gpt-4o", "gpt-77"]),
        (Maker::Anthropic, vec!["claude-sonnet-4-5-20250929"]),
        (Maker::Gemini, vec!["gemini-2.5-flash"]),
    ] {
        let upstream = FakeUpstream::answering(move |_: &Asked| json("200 OK", list_of(maker))).await;
        let handle = handle(&upstream, maker);
        let status = soon((handle.status)()).await;
        assert_eq!(status.health, Health::Ok);
        let names: Vec<&str> = status.models.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, expected);
        assert!(status.models[0].can(Capability::Vision) && status.models[0].can(Capability::Tools));
        assert!(status.models[0].context_window.is_some());
        soon((handle.status)()).await;
        assert_eq!(upstream.asked().len(), 1, "what it said is believed for a while");
    }
}

#[tokio::test]
async fn a_key_that_may_not_list_models_has_those_of_the_built_in_list_and_a_wrong_one_has_none() {
    let upstream = FakeUpstream::answering(|_: &Asked| {
        json(
            "403 Forbidden",
            r#"{"error":{"message":"Missing scopes: api.model.read"}}"#,
        )
    })
    .await;
    let status = soon((handle(&upstream, Maker::OpenAi).status)()).await;
    assert_eq!(status.health, Health::Ok);
    let known = Catalogue::embedded().find("openai", "gpt-4o").unwrap();
    let listed = status
        .models
        .iter()
        .find(|m| m.name == "gpt-4o")
        .expect("it is listed");
    assert_eq!(listed.context_window, known.context);

    for (maker, status, body) in [
        (
            Maker::OpenAi,
            "401 Unauthorized",
            r#"{"error":{"message":"Incorrect API key provided"}}"#,
        ),
        (
            Maker::Gemini,
            "400 Bad Request",
            r#"{"error":{"message":"no","details":[{"reason":"API_KEY_INVALID"}]}}"#,
        ),
    ] {
        let upstream = FakeUpstream::answering(move |_: &Asked| json(status, body)).await;
        let status = soon((handle(&upstream, maker).status)()).await;
        assert!(
            matches!(status.health, Health::Refused(_)) && status.models.is_empty(),
            "{maker:?} {status:?}"
        );
    }
    let upstream = FakeUpstream::answering(|_: &Asked| json("500 Internal Server Error", "{}")).await;
    let status = soon((handle(&upstream, Maker::Grok).status)()).await;
    assert!(matches!(status.health, Health::Broken(_)), "{status:?}");
}

#[tokio::test]
async fn nothing_is_sent_that_cannot_be_said_and_nothing_to_a_name_that_is_no_models() {
    let upstream = FakeUpstream::start(vec![good(Maker::Anthropic)]).await;
    let mut request = asking(Maker::Anthropic);
    request.sampling.seed = Some(4);
    let (_, outcome) = answer(&handle(&upstream, Maker::Anthropic), request).await;
    assert!(matches!(outcome, Err(ProviderError::Unsupported { param, .. }) if param == "seed"));
    let mut request = asking(Maker::Gemini);
    request.model = "../../v1/files".into();
    let (_, outcome) = answer(&handle(&upstream, Maker::Gemini), request).await;
    assert!(matches!(outcome, Err(ProviderError::ModelNotFound { .. })));
    assert!(upstream.asked().is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_in_the_middle_keeps_what_came_before() {
    let begun = |maker| match maker {
        Maker::Anthropic => vec![
            r#"{"type":"message_start","message":{}}"#.to_owned(),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#
                .to_owned(),
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"abc"}}"#
                .to_owned(),
        ],
        Maker::Gemini => vec![r#"{"candidates":[{"content":{"parts":[{"text":"abc"}]}}]}"#.to_owned()],
        _ => vec![text("abc")],
    };
    for maker in [Maker::OpenAi, Maker::Anthropic, Maker::Gemini] {
        for last in [Step::Reset, end(), Step::Stall] {
            let mut script = vec![sse_head()];
            script.extend(begun(maker).iter().map(|e| frame(e)));
            script.push(last.clone());
            let upstream = FakeUpstream::start(vec![script]).await;
            let (events, outcome) = answer(&handle(&upstream, maker), asking(maker)).await;
            assert_eq!(said(&events), "abc", "{maker:?} {last:?}");
            assert!(
                matches!(outcome, Err(ProviderError::Interrupted { .. })),
                "{maker:?} {last:?} {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn openai_is_asked_by_its_responses_where_the_operator_says_so() {
    let events = [
        r#"{"type":"response.created","response":{"status":"in_progress"}}"#,
        r#"{"type":"response.output_text.delta","output_index":0,"delta":"Hi there","logprobs":[]}"#,
        r#"{"type":"response.completed","response":{"status":"completed","output":[],"usage":{"input_tokens":4,"output_tokens":2}}}"#,
    ];
    let frames = events.iter().map(|e| frame(e));
    let good = [sse_head()].into_iter().chain(frames).chain([end()]).collect();
    let limited = json(
        "429 Too Many Requests",
        r#"{"error":{"message":"quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
    );
    let cut = vec![sse_head(), frame(events[0]), frame(events[1]), end()];
    let upstream = FakeUpstream::start(vec![good, limited, cut]).await;
    let key = Some(KEY.to_owned().into());
    let handle = upstream.handle_with(UpstreamSpec {
        api: Api::Responses,
        ..UpstreamSpec::cloud(Maker::OpenAi, upstream.url.clone(), key)
    });
    assert_eq!(handle.forwards, None, "chats are translated");
    let (events, outcome) = answer(&handle, asking(Maker::OpenAi)).await;
    assert_eq!((said(&events).as_str(), outcome), ("Hi there", Ok(())));
    let used = Usage {
        prompt_tokens: 4,
        completion_tokens: 2,
        ..Usage::default()
    };
    assert!(events.iter().any(|event| event.parsed == Parsed::Usage(used)));
    let (_, outcome) = answer(&handle, asking(Maker::OpenAi)).await;
    assert_eq!(outcome, Err(ProviderError::QuotaUsedUp));
    let (events, outcome) = answer(&handle, asking(Maker::OpenAi)).await;
    assert_eq!(said(&events), "Hi there");
    assert!(
        matches!(outcome, Err(ProviderError::Interrupted { .. })),
        "{outcome:?}"
    );
    for asked in upstream.asked() {
        assert!(asked.head.starts_with("post /v1/responses "), "{}", asked.head);
    }
}
