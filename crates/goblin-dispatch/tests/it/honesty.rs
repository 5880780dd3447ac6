//! What is told is true: contexts, loops, the access log, tokens used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use futures_util::StreamExt;
use goblin_core::chat::ChatRequest;
use goblin_core::error::ErrorCode;
use goblin_core::event::{FinishReason, Parsed};
use goblin_core::model::ModelInfo;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, Who};

use crate::house::{Call, House, model, read, scripted, soon};
use crate::log::Lines;
use crate::tier::{ask, saying, tier, who};

fn holding(tokens: u32) -> ModelInfo {
    ModelInfo {
        context_window: Some(tokens),
        ..model("small")
    }
}

#[tokio::test]
async fn a_prompt_over_the_context_is_refused_with_both_numbers_before_it_is_sent() {
    let (provider, mut calls) = scripted("one", Some(1));
    let provider = provider.with_window(512);
    let tier = tier(vec![provider.handle()], Options::default());
    let long = "word ".repeat(9000);
    let error = read(ask(&tier, "a", saying("small", &long)).await.unwrap())
        .await
        .2
        .unwrap();
    assert_eq!(error.code, ErrorCode::ContextLengthExceeded);
    assert!(
        error.message.contains("9000") && error.message.contains("512"),
        "{error}"
    );
    assert!(calls.try_recv().is_err(), "nothing was sent, so nothing was cut");
}

#[tokio::test]
async fn a_prompt_that_fits_in_any_case_is_not_counted() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let reader = tokio::spawn(read(ask(&tier, "a", saying("small", "hi")).await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.finish();
    soon(reader).await.unwrap();
    assert_eq!(provider.counts.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_prompt_too_long_for_one_server_goes_to_the_one_with_the_longer_context() {
    let (short, mut short_calls) = scripted("short", Some(1));
    let short = short.with_window(512);
    let (long, mut long_calls) = scripted("long", Some(1));
    long.offers(vec![holding(32_768)]);
    let long = long.with_window(32_768);
    let tier = tier(vec![short.handle(), long.handle()], Options::default());
    let reader = tokio::spawn(read(
        ask(&tier, "a", saying("small", &"word ".repeat(900)))
            .await
            .unwrap(),
    ));
    soon(long_calls.recv()).await.unwrap().finish();
    assert_eq!(soon(reader).await.unwrap().0.as_deref(), Some("long/small"));
    assert!(short_calls.try_recv().is_err());
}

fn loops(call: &Call) {
    call.text("It goes: ");
    for _ in 0..2000 {
        call.text("round ");
    }
}

#[tokio::test]
async fn a_stream_that_has_become_a_loop_is_stopped_with_a_reason() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let reader = tokio::spawn(read(ask(&tier, "a", saying("small", "hi")).await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    loops(&call);
    let (_, text, error) = soon(reader).await.unwrap();
    let error = error.unwrap();
    assert_eq!(
        (error.code, error.upstream_code.as_deref()),
        (ErrorCode::UpstreamFailed, Some("runaway"))
    );
    assert!(error.message.contains("the same 6 bytes"), "{error}");
    assert!(text.starts_with("It goes: round round "));
    assert!(call.answer.is_closed(), "the provider was told to stop");
}

#[tokio::test]
async fn an_answer_in_one_piece_that_has_become_a_loop_keeps_its_text_and_ends_for_length() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let request = ChatRequest {
        stream: false,
        ..saying("small", "hi")
    };
    let mut stream = ask(&tier, "a", request).await.unwrap();
    let reader = tokio::spawn(async move {
        let mut last = None;
        while let Some(item) = stream.next().await {
            last = Some(item);
        }
        last
    });
    let call = soon(calls.recv()).await.unwrap();
    loops(&call);
    let last = soon(reader).await.unwrap();
    let Some(Ok(AnswerItem::Event(event))) = last else {
        panic!("{last:?}");
    };
    let reason = FinishReason::Length;
    assert_eq!(event.parsed, Parsed::Finished { reason });
    assert!(call.answer.is_closed());
}

/// Collects JSON lines.
#[tokio::test]
async fn the_access_log_says_who_what_and_how_long_and_never_what_was_said() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let asking = Who {
        address: Some("192.0.2.7".parse().unwrap()),
        ..who("laptop")
    };
    let request = saying("small", "a very private question");
    let stream = tier
        .answer_request(asking, "tier", "r42".into(), request, None)
        .await
        .unwrap();
    let reader = tokio::spawn(read(stream));
    let call = soon(calls.recv()).await.unwrap();
    call.text("a very private answer");
    call.finish();
    soon(reader).await.unwrap();
    let refused = ask(&tier, "laptop", saying("small", &"word ".repeat(9000)))
        .await
        .unwrap();
    read(refused).await;
    let logged = lines.access();
    let fields = &logged[0]["fields"];
    for (name, value) in [
        ("key", "laptop"),
        ("address", "192.0.2.7"),
        ("door", "tier"),
        ("request_id", "r42"),
        ("model", "one/small"),
        ("outcome", "complete"),
    ] {
        assert_eq!(fields[name], value, "{fields}");
    }
    assert_eq!(
        (&fields["prompt_tokens"], &fields["completion_tokens"]),
        (&7.into(), &2.into())
    );
    assert!(
        fields["queue_ms"].is_u64() && fields["run_ms"].is_u64(),
        "{fields}"
    );
    assert_eq!(logged[1]["fields"]["outcome"], "failed");
    assert_eq!(logged[1]["fields"]["code"], "context_length_exceeded");
    assert_eq!(logged.len(), 2);
    let all = lines.text();
    assert!(!all.contains("private"), "{all}");
}

#[tokio::test]
async fn the_backend_writes_no_access_log() {
    let lines = Lines::default();
    let _listening = lines.listen();
    let (provider, mut calls) = scripted("one", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let reader = tokio::spawn(read(house.ask("small").await.unwrap()));
    soon(calls.recv()).await.unwrap().finish();
    soon(reader).await.unwrap();
    assert!(lines.access().is_empty());
}

#[tokio::test]
async fn whoever_counts_tokens_is_told_once_also_when_the_caller_leaves() {
    let (provider, mut calls) = scripted("one", Some(2));
    let tier = tier(vec![provider.handle()], Options::default());
    let (used, times) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let counting = || {
        let (used, times) = (Arc::clone(&used), Arc::clone(&times));
        Who {
            tokens: Some(Arc::new(move |tokens| {
                used.fetch_add(tokens, Ordering::SeqCst);
                times.fetch_add(1, Ordering::SeqCst);
            })),
            ..who("a")
        }
    };
    let whole = tier
        .answer_request(counting(), "tier", "r1".into(), saying("small", "hi"), None)
        .await;
    let reader = tokio::spawn(read(whole.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("hello");
    call.finish();
    soon(reader).await.unwrap();
    assert_eq!(
        (used.load(Ordering::SeqCst), times.load(Ordering::SeqCst)),
        (9, 1),
        "7 of the prompt, 2 made"
    );
    let left = tier
        .answer_request(counting(), "tier", "r2".into(), saying("small", "hi"), None)
        .await;
    let mut left = left.unwrap();
    let first = tokio::spawn(async move {
        left.next().await;
        left.next().await;
        left
    });
    soon(calls.recv()).await.unwrap().text("one");
    drop(soon(first).await.unwrap());
    assert_eq!(
        (used.load(Ordering::SeqCst), times.load(Ordering::SeqCst)),
        (11, 2),
        "its prompt, and one piece: a token each"
    );
}
