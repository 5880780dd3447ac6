//! An Ollama that behaves badly, or is of another version than the one at hand.

use std::time::Duration;

use goblin_core::chat::{ChatRequest, Message, Role};
use goblin_core::event::ChatEvent;
use goblin_core::provider::ProviderError;
use goblin_providers::openai_compat::{Kind, UpstreamSpec};

use crate::fake_upstream::{FakeUpstream, Step, answer, json, question, response, said};

const TAGS: &str = r#"{"models":[{"name":"m:latest","digest":"d"}]}"#;
const PS: &str = r#"{"models":[]}"#;
const SHOW: &str = r#"{"capabilities":["completion"],"model_info":{"llama.context_length":4096}}"#;
const WORD: &str = r#"{"message":{"role":"assistant","content":"Hi"},"done":false}"#;

/// What an answer to `request` becomes when a server of `version` gives `script` for it.
async fn answered(
    version: &str,
    script: Vec<Step>,
    request: ChatRequest,
) -> (Vec<ChatEvent>, Result<(), ProviderError>, usize) {
    let version = format!(r#"{{"version":"{version}"}}"#);
    let mut scripts = [TAGS, PS, &version, SHOW]
        .map(|body| json("200 OK", body))
        .to_vec();
    scripts.push(script);
    let upstream = FakeUpstream::start(scripts).await;
    let spec = UpstreamSpec {
        status_ttl: Duration::from_secs(3600),
        ..UpstreamSpec::new("up", upstream.url.clone(), Kind::Ollama)
    };
    let (events, end) = answer(&upstream.handle_with(spec), request).await;
    let chats = upstream
        .asked()
        .iter()
        .filter(|a| a.head.starts_with("post /api/chat "))
        .count();
    (events, end, chats)
}

fn lines(lines: &[&str]) -> Vec<Step> {
    let body = format!("{}\n", lines.join("\n"));
    response("200 OK", "content-type: application/x-ndjson\r\n", &body)
}

fn end_after(prompt_tokens: u32) -> String {
    format!(
        r#"{{"message":{{"content":""}},"done":true,"done_reason":"stop","prompt_eval_count":{prompt_tokens},"eval_count":1}}"#
    )
}

#[tokio::test]
async fn a_prompt_that_filled_the_context_was_cut_and_its_answer_does_not_end_as_if_it_were_whole() {
    let (events, end, _) = answered("0.17.4", lines(&[WORD, &end_after(4096)]), question()).await;
    assert_eq!(said(&events), "Hi");
    assert!(
        matches!(
            end,
            Err(ProviderError::ContextExceeded {
                context_window: 4096,
                ..
            })
        ),
        "{end:?}"
    );
    let (_, end, _) = answered("0.17.4", lines(&[WORD, &end_after(4000)]), question()).await;
    assert_eq!(end, Ok(()));
}

#[tokio::test]
async fn a_version_that_cuts_is_not_even_asked_when_the_prompt_may_not_fit() {
    let long = ChatRequest {
        messages: vec![Message::text(Role::User, "word ".repeat(2000))],
        ..question()
    };
    let fine = || lines(&[WORD, &end_after(2000)]);
    let (_, end, chats) = answered("0.9.6", fine(), long.clone()).await;
    assert!(
        matches!(
            end,
            Err(ProviderError::ContextExceeded {
                context_window: 4096,
                ..
            })
        ),
        "{end:?}"
    );
    assert_eq!(chats, 0);
    let (_, end, chats) = answered("0.17.4", fine(), long).await;
    assert_eq!((end, chats), (Ok(()), 1), "this one refuses by itself");
}

#[tokio::test]
async fn each_way_of_failing_has_its_own_error() {
    let broken = |e: &ProviderError| matches!(e, ProviderError::Broken { .. });
    let interrupted = |e: &ProviderError| matches!(e, ProviderError::Interrupted { .. });
    let full = |e: &ProviderError| matches!(e, ProviderError::Overloaded { .. });
    type Is<'a> = &'a dyn Fn(&ProviderError) -> bool;
    let busy = r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#;
    let failed = r#"{"error":"llama runner process has terminated"}"#;
    let table: [(&str, Vec<Step>, Is<'_>); 8] = [
        (
            "a page",
            response("200 OK", "content-type: text/html\r\n", "<html>"),
            &broken,
        ),
        (
            "a proxy's page",
            response("502 Bad Gateway", "", "<html>"),
            &broken,
        ),
        ("full", json("503 Service Unavailable", busy), &full),
        (
            "canceled",
            json("499 Unknown", r#"{"error":"request canceled"}"#),
            &full,
        ),
        ("an error in place of words", lines(&[failed]), &broken),
        ("an error after words", lines(&[WORD, failed]), &interrupted),
        ("nothing at all", lines(&[]), &interrupted),
        (
            "cut in a line",
            lines(&[WORD, "{\"message\":{\"con"]),
            &interrupted,
        ),
    ];
    for (name, script, is) in table {
        let (_, end, _) = answered("0.17.4", script, question()).await;
        assert!(end.as_ref().is_err_and(is), "{name}: {end:?}");
    }
}
