//! The fault matrix: every way an upstream can fail, and the one error it becomes. Before the first content nothing may
//! have been said; after it what was said stays.

use std::time::Duration;

use goblin_core::provider::ProviderError;
use goblin_providers::openai_compat::Kind;

use crate::fake_upstream::{
    FakeUpstream, START, STOP, Step, answer, end, frame, good_stream, json, question, response, said, say,
    sse_head, text,
};

/// Plays `script` and gives the text said and the error.
async fn play(script: Vec<Step>) -> (String, ProviderError) {
    let upstream = FakeUpstream::start(vec![script.clone()]).await;
    let (events, outcome) = answer(&upstream.handle(Kind::Plain), question()).await;
    match outcome {
        Err(error) => (said(&events), error),
        Ok(()) => panic!("{script:?} was taken for an answer: {events:?}"),
    }
}

async fn unavailable(script: Vec<Step>, why: &str) {
    match play(script).await {
        (said, ProviderError::Unavailable { reason } | ProviderError::Broken { reason }) => {
            assert_eq!(said, "");
            assert!(reason.contains(why), "{reason}");
        }
        other => panic!("expected unavailable because of {why:?}, got {other:?}"),
    }
}

async fn interrupted(script: Vec<Step>, expected: &str, why: &str) {
    match play(script).await {
        (said, ProviderError::Interrupted { reason }) => {
            assert_eq!(said, expected);
            assert!(reason.contains(why), "{reason}");
        }
        other => panic!("expected an interruption because of {why:?}, got {other:?}"),
    }
}

fn five_frames() -> Vec<Step> {
    let mut steps = vec![sse_head(), frame(START)];
    steps.extend(["a", "b", "c", "d", "e"].iter().map(|w| frame(&text(w))));
    steps
}

fn then(mut steps: Vec<Step>, last: Step) -> Vec<Step> {
    steps.push(last);
    steps
}

#[tokio::test]
async fn connection_refused_names_the_address() {
    let upstream = FakeUpstream::start(vec![good_stream(&[])]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let spec = goblin_providers::openai_compat::UpstreamSpec::new(
        "up",
        goblin_net::Url::parse(&format!("http://{address}")).unwrap(),
        Kind::Plain,
    );
    let (_, outcome) = answer(&upstream.handle_with(spec), question()).await;
    let reason = format!("{address} refused the connection; nothing listens there");
    assert_eq!(outcome, Err(ProviderError::Unavailable { reason }));
}

#[tokio::test]
async fn connection_reset() {
    unavailable(vec![Step::Reset], "closed the connection").await;
    unavailable(vec![], "closed the connection").await;
}

#[tokio::test]
async fn http_500() {
    unavailable(
        json("500 Internal Server Error", r#"{"error":{"message":"boom"}}"#),
        "HTTP 500",
    )
    .await;
    unavailable(response("502 Bad Gateway", "", ""), "HTTP 502").await;
    unavailable(
        response("302 Found", "location: http://127.0.0.1:1/\r\n", ""),
        "HTTP 302",
    )
    .await;
}

#[tokio::test]
async fn http_429_and_503_say_when_to_come_back() {
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let script = response(
            status,
            "retry-after: 7\r\n",
            r#"{"error":{"message":"slow down"}}"#,
        );
        let wait = Some(Duration::from_secs(7));
        assert_eq!(
            play(script).await,
            (String::new(), ProviderError::Overloaded { retry_after: wait })
        );
    }
    let silent = play(response("429 Too Many Requests", "", "")).await;
    assert_eq!(
        silent,
        (String::new(), ProviderError::Overloaded { retry_after: None })
    );
}

#[tokio::test]
async fn a_503_that_does_not_say_busy_is_a_server_that_is_away() {
    for script in [
        response("503 Service Unavailable", "", "<html>no backend</html>"),
        json(
            "503 Service Unavailable",
            r#"{"error":{"message":"No model server answers.","code":"no_provider"}}"#,
        ),
    ] {
        unavailable(script, "HTTP 503").await;
    }
}

#[tokio::test]
async fn http_401_and_403() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let script = json(
            status,
            r#"{"error":{"message":"Incorrect API key provided: sk-abc"}}"#,
        );
        assert_eq!(play(script).await, (String::new(), ProviderError::Unauthorized));
    }
}

#[tokio::test]
async fn requests_the_upstream_calls_wrong_are_relayed_scrubbed() {
    let script = json(
        "400 Bad Request",
        r#"{"error":{"message":"`temperature` is wrong, see http://10.0.0.7/doc","code":"unsupported_value","param":"temperature"}}"#,
    );
    let rejected = ProviderError::Rejected {
        status: 400,
        code: Some("unsupported_value".into()),
        param: Some("temperature".into()),
        message: "`temperature` is wrong, see [hidden]".into(),
    };
    assert_eq!(play(script).await, (String::new(), rejected));
    let unknown = json(
        "404 Not Found",
        r#"{"error":{"message":"model 'm' not found, try pulling it first"}}"#,
    );
    assert_eq!(
        play(unknown).await,
        (String::new(), ProviderError::ModelNotFound { model: "m".into() })
    );
    unavailable(
        response(
            "404 Not Found",
            "content-type: text/html\r\n",
            "<html>nginx</html>",
        ),
        "HTTP 404",
    )
    .await;
}

#[tokio::test]
async fn no_headers() {
    unavailable(vec![Step::Stall], "did not begin its answer within 1 s").await;
}

#[tokio::test]
async fn html_with_status_200() {
    let page = "<!DOCTYPE html><html>Sign in</html>";
    unavailable(
        response("200 OK", "content-type: text/html\r\n", page),
        "`text/html`",
    )
    .await;
    interrupted(
        response("200 OK", "content-type: application/json\r\n", page),
        "",
        "not JSON",
    )
    .await;
    interrupted(
        response("200 OK", "content-type: text/event-stream\r\n", page),
        "",
        "without an answer",
    )
    .await;
    interrupted(response("200 OK", "", page), "", "without an answer").await;
}

#[tokio::test]
async fn an_error_with_status_200_as_json_and_in_the_stream() {
    unavailable(
        json("200 OK", r#"{"error":{"message":"boom","type":"server_error"}}"#),
        "boom",
    )
    .await;
    let in_band = |error: &str| vec![sse_head(), frame(START), frame(error), frame("[DONE]"), end()];
    unavailable(
        in_band(r#"{"error":{"message":"boom","type":"server_error"}}"#),
        "boom",
    )
    .await;
    let busy = play(in_band(r#"{"error":{"message":"slow down","code":429}}"#)).await;
    assert_eq!(
        busy,
        (String::new(), ProviderError::Overloaded { retry_after: None })
    );
}

#[tokio::test]
async fn an_empty_200() {
    interrupted(json("200 OK", ""), "", "empty").await;
    interrupted(vec![sse_head(), end()], "", "without an answer").await;
}

#[tokio::test]
async fn only_done() {
    interrupted(
        vec![sse_head(), frame("[DONE]"), end()],
        "",
        "[DONE] without an answer",
    )
    .await;
}

#[tokio::test]
async fn a_body_cut_before_its_first_content() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":[{";
    interrupted(vec![say(half), Step::Reset], "", "closed the connection").await;
    interrupted(vec![sse_head(), Step::Reset], "", "closed the connection").await;
    interrupted(
        vec![sse_head(), frame(START), Step::Reset],
        "",
        "closed the connection",
    )
    .await;
    // A server that frames by closing cannot say that it was cut; the missing end says it.
    let close_framed = say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"choices\"");
    interrupted(vec![close_framed], "", "without an answer").await;
}

#[tokio::test]
async fn a_body_that_stalls_before_its_first_content() {
    let half =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":[{";
    interrupted(vec![say(half), Step::Stall], "", "stalled").await;
    interrupted(vec![sse_head(), Step::Stall], "", "stalled").await;
}

#[tokio::test]
async fn a_stream_cut_after_five_frames_keeps_them() {
    interrupted(then(five_frames(), Step::Reset), "abcde", "closed the connection").await;
    interrupted(five_frames(), "abcde", "closed the connection").await;
    interrupted(then(five_frames(), end()), "abcde", "cut before the answer ended").await;
}

#[tokio::test]
async fn a_stream_that_stalls_after_five_frames_keeps_them() {
    interrupted(then(five_frames(), Step::Stall), "abcde", "stalled").await;
}

#[tokio::test]
async fn noise_in_the_middle_of_a_stream_keeps_what_came_before() {
    interrupted(then(five_frames(), frame("{oops")), "abcde", "not JSON").await;
    let failed = frame(r#"{"error":{"message":"boom","code":500}}"#);
    interrupted(then(five_frames(), failed), "abcde", "boom").await;
}

#[tokio::test]
async fn an_answer_that_was_complete_is_not_spoilt_by_how_its_connection_ends() {
    for last in [Step::Reset, Step::Stall, frame("[DONE]"), end()] {
        let steps = then(then(five_frames(), frame(STOP)), last);
        let upstream = FakeUpstream::start(vec![steps]).await;
        let (events, outcome) = answer(&upstream.handle(Kind::Plain), question()).await;
        assert_eq!((said(&events).as_str(), outcome), ("abcde", Ok(())));
    }
}
