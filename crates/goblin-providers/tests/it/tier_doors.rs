//! What a backend asks a model tier of our own beside chats, and what it makes of the answers and refusals.

use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::{ChatRequest, Purpose};
use goblin_core::completion::CompletionRequest;
use goblin_core::context_rule::CountMethod;
use goblin_core::decide::{
    AnswerOption, DecideCost, DecideMethod, DecideRequest, DecideResponse, Decision, Frame,
    OptionProbability, Question,
};
use goblin_core::embed::EmbedRequest;
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::origin::{Origin, Trace};
use goblin_core::provider::{ProviderError, TokenCount};
use goblin_core::wire::systemone;
use goblin_providers::openai_compat::Kind;

use crate::fake_upstream::{FakeUpstream, answer, good_stream, json, question, response, soon};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn origin() -> Origin {
    Origin {
        request_id: Some("r-1".into()),
        trace: Trace::read(PARENT, Some("a=b")),
        left: Some(Duration::from_millis(1500)),
    }
}

#[tokio::test]
async fn a_request_says_where_it_comes_from_and_servers_of_others_learn_its_trace_only() {
    for (kind, local) in [(Kind::GoblinTier, true), (Kind::Plain, false)] {
        let upstream = FakeUpstream::start(vec![good_stream(&["ok"])]).await;
        let handle = upstream.handle_with(goblin_providers::openai_compat::UpstreamSpec {
            local,
            ..goblin_providers::openai_compat::UpstreamSpec::new("up", upstream.url.clone(), kind)
        });
        let request = ChatRequest {
            origin: origin(),
            purpose: Purpose::Verdict,
            ..question()
        };
        assert_eq!(answer(&handle, request).await.1, Ok(()));
        let head = upstream.asked().remove(0).head;
        assert!(head.contains(&format!("traceparent: {PARENT}\r\n")), "{head}");
        assert!(head.contains("tracestate: a=b\r\n"), "{head}");
        for own in [
            "x-correlation-id: r-1\r\n",
            "x-goblin-deadline-ms: 1500\r\n",
            "x-goblin-purpose: verdict\r\n",
        ] {
            assert_eq!(head.contains(own), local, "{own} {head}");
        }
    }
}

#[tokio::test]
async fn work_nobody_asked_for_says_nothing_of_where_it_comes_from() {
    let upstream = FakeUpstream::start(vec![good_stream(&["ok"])]).await;
    assert_eq!(
        answer(&upstream.handle(Kind::GoblinTier), question()).await.1,
        Ok(())
    );
    let head = upstream.asked().remove(0).head;
    assert!(
        !head.contains("traceparent") && !head.contains("x-goblin"),
        "{head}"
    );
}

#[tokio::test]
async fn decisions_come_through_exactly_as_asked_and_with_what_they_cost() {
    let option = |name: &str, spellings: &[&str]| AnswerOption {
        name: name.into(),
        spellings: spellings.iter().map(|s| (*s).into()).collect(),
    };
    let asked = |id: &str, text: &str| Question {
        id: id.into(),
        text: text.into(),
        options: vec![option("no", &["No", " no"]), option("yes", &["Yes"])],
        typed: None,
    };
    // Two of one name: they are told apart by their place.
    let request = DecideRequest {
        model: "m".into(),
        shared: "The sky is blue.\n".into(),
        questions: vec![asked("q", "Is it? "), asked("q", "Is it not? ")],
        frame: Frame {
            before: "<|user|>".into(),
            ..Frame::default()
        },
        keep_alive: None,
        origin: origin(),
    };
    let decision = |yes: f64| Decision {
        id: "q".into(),
        options: vec![
            OptionProbability {
                name: "no".into(),
                probability: 0.25,
            },
            OptionProbability {
                name: "yes".into(),
                probability: yes,
            },
        ],
        mass: 0.25 + yes,
    };
    let told = DecideResponse {
        decisions: vec![decision(0.5), decision(0.125)],
        cost: DecideCost {
            shared_evaluated: 3,
            shared_cached: 9,
            question_tokens: 8,
        },
        method: DecideMethod::Readout,
    };
    let typed = systemone::SystemOneRequest::of_tokens(&request, &request.questions);
    let body = systemone::encode(&typed, "m", &told).to_string();
    let upstream = FakeUpstream::start(vec![json("200 OK", &body)]).await;
    let handle = upstream.handle(Kind::GoblinTier);
    let decide = handle.decide.as_ref().expect("decides");
    assert_eq!(soon(decide(request.clone())).await, Ok(told));
    let seen = upstream.asked().remove(0);
    assert!(seen.head.starts_with("post /v1/systemone "), "{}", seen.head);
    assert!(
        seen.head.contains("x-goblin-purpose: verdict\r\n"),
        "{}",
        seen.head
    );
    let read = systemone::parse(&seen.body.into())
        .expect("a tier reads it")
        .to_decide();
    assert_eq!(read.shared, request.shared);
    let texts: Vec<&str> = read.questions.iter().map(|q| q.text.as_str()).collect();
    assert_eq!(texts, ["Is it? ", "Is it not? "]);
    let options = |questions: &[Question]| questions.iter().map(|q| q.options.clone()).collect::<Vec<_>>();
    assert_eq!(options(&read.questions), options(&request.questions));
}

#[tokio::test]
async fn texts_are_embedded_and_counted_and_how_is_told_as_the_tier_tells_it() {
    let vectors = r#"{"data":[{"index":1,"embedding":[0.0,1.0]},{"index":0,"embedding":[1.0,0.0]}],
        "usage":{"prompt_tokens":5}}"#;
    let count = r#"{"model":"e/m","prompt_tokens":12,"context_window":512,"method":"measured_ratio"}"#;
    let upstream = FakeUpstream::start(vec![json("200 OK", vectors), json("200 OK", count)]).await;
    let handle = upstream.handle(Kind::GoblinTier);
    let request = EmbedRequest {
        model: "m".into(),
        inputs: vec!["a".into(), "b".into()],
        ..EmbedRequest::default()
    };
    let embed = handle.embed.as_ref().expect("embeds");
    let made = soon(embed(request)).await.expect("vectors");
    assert_eq!(
        (made.vectors, made.prompt_tokens),
        (vec![vec![1.0, 0.0], vec![0.0, 1.0]], 5)
    );
    let counts = handle.count.as_ref().expect("counts");
    let expected = TokenCount {
        prompt_tokens: 12,
        context_window: 512,
        method: CountMethod::MeasuredRatio,
    };
    assert_eq!(soon(counts(question())).await, Ok(expected));
    let paths: Vec<String> = upstream.asked().into_iter().map(|a| a.head).collect();
    assert!(paths[0].starts_with("post /v1/embeddings "), "{}", paths[0]);
    assert!(paths[1].starts_with("post /v1/goblin/tokenize "), "{}", paths[1]);
}

#[tokio::test]
async fn a_text_is_continued_line_by_line() {
    let lines = "{\"model\":\"m\",\"response\":\"blue\",\"done\":false}\n{\"model\":\"m\",\"response\":\"\",\
                 \"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":4,\"eval_count\":1}\n";
    let script = response("200 OK", "content-type: application/x-ndjson\r\n", lines);
    let upstream = FakeUpstream::start(vec![script]).await;
    let handle = upstream.handle(Kind::GoblinTier);
    let complete = handle.complete.as_ref().expect("completes");
    let request = CompletionRequest {
        model: "m".into(),
        prompt: "The sky is ".into(),
        ..CompletionRequest::default()
    };
    let stream = soon(complete(request)).await.expect("an answer");
    let events: Vec<_> = soon(stream.collect::<Vec<_>>()).await;
    let events: Vec<Parsed> = events.into_iter().map(|e| e.expect("an event").parsed).collect();
    let said = events
        .iter()
        .any(|e| matches!(e, Parsed::Text { text, .. } if text == "blue"));
    assert!(said, "{events:?}");
    let reason = FinishReason::Stop;
    assert!(events.contains(&Parsed::Finished { reason }), "{events:?}");
    let asked = upstream.asked().remove(0);
    assert!(asked.head.starts_with("post /api/generate "), "{}", asked.head);
    assert!(asked.body.contains("\"raw\":true"), "{}", asked.body);
}

#[tokio::test]
async fn a_refusal_of_the_tier_is_told_for_what_it_is() {
    let says = |code: &str, message: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"t","param":null,"code":"{code}"}}}}"#)
    };
    let wait = Duration::from_secs(7);
    let full =
        "The prompt has 900 tokens; this model's context holds 512 tokens of prompt and answer together.";
    let table = [
        (
            "429 Too Many Requests",
            says("rate_limited", "full"),
            ProviderError::Overloaded {
                retry_after: Some(wait),
            },
        ),
        (
            "503 Service Unavailable",
            says("unavailable", "late"),
            ProviderError::Overloaded {
                retry_after: Some(wait),
            },
        ),
        (
            "429 Too Many Requests",
            says("key_limit", "x"),
            ProviderError::LimitReached {
                retry_after: Some(wait),
            },
        ),
        (
            "429 Too Many Requests",
            says("insufficient_quota", "x"),
            ProviderError::LimitReached {
                retry_after: Some(wait),
            },
        ),
        (
            "401 Unauthorized",
            says("unauthorized", "x"),
            ProviderError::Unauthorized,
        ),
        (
            "404 Not Found",
            says("model_not_found", "x"),
            ProviderError::ModelNotFound { model: "m".into() },
        ),
        (
            "400 Bad Request",
            says("context_length_exceeded", full),
            ProviderError::ContextExceeded {
                prompt_tokens: 900,
                context_window: 512,
            },
        ),
    ];
    for (status, body, expected) in table {
        let headers = "content-type: application/json\r\nretry-after: 7\r\n";
        let upstream = FakeUpstream::start(vec![response(status, headers, &body)]).await;
        let outcome = answer(&upstream.handle(Kind::GoblinTier), question()).await.1;
        assert_eq!(outcome, Err(expected), "{status} {body}");
    }
    let away = says("no_provider", "nobody");
    let upstream = FakeUpstream::start(vec![json("503 Service Unavailable", &away)]).await;
    let outcome = answer(&upstream.handle(Kind::GoblinTier), question()).await.1;
    assert!(
        matches!(outcome, Err(ProviderError::Broken { .. })),
        "{outcome:?}"
    );
}
