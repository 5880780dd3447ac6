use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::ChatRequest;
use goblin_core::error::{ApiError, ErrorCode};
use goblin_core::model::{ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError};
use goblin_dispatch::answer::AnswerStream;
use goblin_dispatch::{Dispatch, Options};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::house::{Call, model, read, scripted, soon};
use crate::tier::{ask, ask_within, saying, tier, verdict};

type Reading = JoinHandle<(Option<String>, String, Option<ApiError>)>;

/// Asks, and is certainly waiting or running when this returns.
async fn arrives(dispatch: &Arc<Dispatch>, key: &str, request: ChatRequest) -> Reading {
    let mut stream: AnswerStream = ask(dispatch, key, request).await.unwrap();
    let first = futures_util::poll!(stream.next());
    assert!(first.is_pending(), "nobody has answered yet");
    tokio::spawn(read(stream))
}

fn said(call: &Call) -> String {
    call.request.messages[0].joined_text()
}

async fn next(calls: &mut UnboundedReceiver<Call>) -> Call {
    soon(calls.recv()).await.unwrap()
}

fn done(call: Call) {
    call.text("done");
    call.finish();
}

fn unavailable() -> ProviderError {
    ProviderError::Unavailable {
        reason: "refused".into(),
    }
}

#[tokio::test]
async fn keys_take_turns_in_the_queue() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let mut readers = Vec::new();
    for text in ["a1", "a2", "a3", "b1"] {
        readers.push(arrives(&tier, &text[..1], saying("small", text)).await);
    }
    let mut order = Vec::new();
    for _ in 0..4 {
        let call = next(&mut calls).await;
        order.push(said(&call));
        done(call);
    }
    assert_eq!(
        order,
        ["a1", "a2", "b1", "a3"],
        "b came last and waited for one only"
    );
    for reader in readers {
        assert_eq!(reader.await.unwrap().2, None);
    }
}

#[tokio::test]
async fn a_key_cannot_fill_the_queue_for_others() {
    let (provider, mut calls) = scripted("one", Some(1));
    let options = Options {
        max_waiting: 2,
        ..Options::default()
    };
    let tier = tier(vec![provider.handle()], options);
    let _running = arrives(&tier, "a", saying("small", "a1")).await;
    let _first = arrives(&tier, "a", saying("small", "a2")).await;
    let last = arrives(&tier, "a", saying("small", "a3")).await;
    let _other = arrives(&tier, "b", saying("small", "b1")).await;
    let refused = soon(last).await.unwrap().2.unwrap();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after.is_some());
    done(next(&mut calls).await);
    let order = [said(&next(&mut calls).await)];
    assert_eq!(order, ["a2"]);
}

#[tokio::test]
async fn a_verdict_never_waits_behind_long_answers() {
    let (provider, mut calls) = scripted("one", Some(2));
    let tier = tier(vec![provider.handle()], Options::default());
    let first = arrives(&tier, "judge", verdict("small", "is it so?")).await;
    done(next(&mut calls).await);
    soon(first).await.unwrap();
    let _long = arrives(&tier, "a", saying("small", "long 1")).await;
    let _waits = arrives(&tier, "a", saying("small", "long 2")).await;
    let long = next(&mut calls).await;
    assert_eq!(said(&long), "long 1");
    let judged = arrives(&tier, "judge", verdict("small", "and this?")).await;
    let call = next(&mut calls).await;
    assert_eq!(said(&call), "and this?");
    done(call);
    assert_eq!(soon(judged).await.unwrap().2, None);
    assert!(
        calls.try_recv().is_err(),
        "the place stays free for the next verdict"
    );
}

#[tokio::test]
async fn a_verdict_goes_to_the_server_that_is_free() {
    let (busy, mut busy_calls) = scripted("busy", Some(1));
    let (free, mut free_calls) = scripted("free", Some(1));
    let tier = tier(vec![busy.handle(), free.handle()], Options::default());
    let _long = arrives(&tier, "a", saying("small", "long")).await;
    let long = next(&mut busy_calls).await;
    long.text("and so on");
    let _judged = arrives(&tier, "judge", verdict("small", "is it so?")).await;
    assert_eq!(said(&next(&mut free_calls).await), "is it so?");
    assert!(!long.answer.is_closed());
}

#[tokio::test]
async fn a_forecast_beyond_the_deadline_is_refused_at_once_and_says_so() {
    let (provider, mut calls) = scripted("slow", Some(1));
    let provider = provider.generating(1.0);
    let tier = tier(vec![provider.handle()], Options::default());
    let _running = arrives(&tier, "a", saying("small", "a long one")).await;
    let _call = next(&mut calls).await;
    let deadline = Some(Duration::from_secs(5));
    let stream = ask_within(&tier, "b", saying("small", "quick"), deadline)
        .await
        .unwrap();
    let error = read(stream).await.2.unwrap();
    assert_eq!((error.code, error.status(false)), (ErrorCode::Unavailable, 503));
    assert!(
        error.message.contains("would begin in about") && error.message.contains("allows 5.0 s"),
        "{error}"
    );
    assert!(
        error
            .retry_after
            .is_some_and(|wait| wait > Duration::from_secs(60)),
        "{error:?}"
    );
    assert!(calls.try_recv().is_err(), "the provider never heard of it");
    let patient = ask_within(
        &tier,
        "b",
        saying("small", "patient"),
        Some(Duration::from_secs(3600)),
    )
    .await;
    assert!(futures_util::poll!(patient.unwrap().next()).is_pending());
}

#[tokio::test]
async fn leaving_the_queue_never_reaches_the_provider_and_frees_the_place() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let running = arrives(&tier, "a", saying("small", "first")).await;
    let mut leaver = ask(&tier, "a", saying("small", "leaver")).await.unwrap();
    assert!(futures_util::poll!(leaver.next()).is_pending());
    assert_eq!(tier.tier_status().await.instances[0].queued, 1);
    drop(leaver);
    assert_eq!(tier.tier_status().await.instances[0].queued, 0);
    let _third = arrives(&tier, "a", saying("small", "third")).await;
    done(next(&mut calls).await);
    soon(running).await.unwrap();
    assert_eq!(said(&next(&mut calls).await), "third");
}

#[tokio::test]
async fn leaving_before_the_first_content_frees_the_place() {
    let (provider, mut calls) = scripted("one", Some(1));
    let tier = tier(vec![provider.handle()], Options::default());
    let mut leaver = ask(&tier, "a", saying("small", "leaver")).await.unwrap();
    assert!(futures_util::poll!(leaver.next()).is_pending());
    let call = next(&mut calls).await;
    drop(leaver);
    assert!(call.answer.is_closed(), "the provider's stream was dropped");
    assert_eq!(tier.tier_status().await.instances[0].running, 0);
}

#[tokio::test]
async fn servers_of_the_same_model_share_the_work() {
    let (left, mut left_calls) = scripted("left", Some(1));
    let (right, mut right_calls) = scripted("right", Some(1));
    let tier = tier(vec![left.handle(), right.handle()], Options::default());
    let one = arrives(&tier, "a", saying("small", "one")).await;
    let two = arrives(&tier, "a", saying("small", "two")).await;
    let first = next(&mut left_calls).await;
    assert_eq!(said(&first), "one");
    let call = next(&mut right_calls).await;
    assert_eq!(said(&call), "two");
    done(call);
    assert_eq!(soon(two).await.unwrap().0.as_deref(), Some("right/small"));
    assert!(!one.is_finished() && !first.answer.is_closed());
}

#[tokio::test]
async fn a_model_that_one_server_has_is_found_there() {
    let (left, _left_calls) = scripted("left", Some(1));
    let (right, mut right_calls) = scripted("right", Some(1));
    right.offers(vec![model("large:latest")]);
    let tier = tier(vec![left.handle(), right.handle()], Options::default());
    for name in ["large", "large:latest", "right/large"] {
        let reader = arrives(&tier, "a", saying(name, "hi")).await;
        done(next(&mut right_calls).await);
        assert_eq!(
            soon(reader).await.unwrap().0.as_deref(),
            Some("right/large:latest"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_conversation_stays_with_the_server_that_has_its_prefix_unless_that_is_busy() {
    let (left, mut left_calls) = scripted("left", Some(1));
    let (right, mut right_calls) = scripted("right", Some(1));
    let tier = tier(vec![left.handle(), right.handle()], Options::default());
    let busy = arrives(&tier, "a", saying("small", "other")).await;
    let other = next(&mut left_calls).await;
    let first = arrives(&tier, "a", saying("small", "my chat")).await;
    done(next(&mut right_calls).await);
    soon(first).await.unwrap();
    done(other);
    soon(busy).await.unwrap();
    let again = arrives(&tier, "a", saying("small", "my chat")).await;
    let call = next(&mut right_calls).await;
    assert!(
        left_calls.try_recv().is_err(),
        "both are free, and the right one has the prefix"
    );
    let meanwhile = arrives(&tier, "a", saying("small", "my chat")).await;
    done(next(&mut left_calls).await);
    soon(meanwhile).await.unwrap();
    done(call);
    soon(again).await.unwrap();
}

#[tokio::test]
async fn a_server_that_failed_a_moment_ago_is_asked_last() {
    let (bad, mut bad_calls) = scripted("bad", None);
    let bad = bad.refusing(vec![unavailable()]);
    let (good, mut good_calls) = scripted("good", None);
    let tier = tier(vec![bad.handle(), good.handle()], Options::default());
    for _ in 0..2 {
        let reader = arrives(&tier, "a", saying("small", "hi")).await;
        done(next(&mut good_calls).await);
        assert_eq!(soon(reader).await.unwrap().0.as_deref(), Some("good/small"));
    }
    assert!(bad_calls.try_recv().is_err());
}

#[tokio::test]
async fn of_several_tiers_the_dead_one_is_avoided_and_found_again() {
    let (first, mut first_calls) = scripted("tier", Some(1));
    let (second, mut second_calls) = scripted("tier-2", Some(1));
    second.offers(vec![model("small"), model("large")]);
    let tiers = tier(vec![first.handle(), second.handle()], Options::default());
    let chosen = async |calls: &mut UnboundedReceiver<Call>, name: &str, text: &str| {
        let reader = arrives(&tiers, "a", saying(name, text)).await;
        done(next(calls).await);
        soon(reader).await.unwrap().0.unwrap()
    };
    assert_eq!(chosen(&mut first_calls, "tier/small", "hi").await, "tier/small");
    assert_eq!(
        chosen(&mut second_calls, "tier-2/small", "ho").await,
        "tier-2/small"
    );
    assert_eq!(chosen(&mut second_calls, "large", "hi").await, "tier-2/large");

    first.is(Health::Down("10.0.0.7:8002 refused".into()));
    first.offers(vec![]);
    for text in ["one", "two"] {
        assert_eq!(chosen(&mut second_calls, "small", text).await, "tier-2/small");
    }
    let named = ask(&tiers, "a", saying("tier/small", "hi")).await.err().unwrap();
    assert_eq!(named.code, ErrorCode::NoProvider, "{named}");
    assert!(named.message.contains("`tier`"), "{named}");

    first.is(Health::Ok);
    first.offers(vec![model("small")]);
    let busy = arrives(&tiers, "a", saying("tier-2/small", "long")).await;
    let long = next(&mut second_calls).await;
    assert_eq!(chosen(&mut first_calls, "small", "three").await, "tier/small");
    done(long);
    soon(busy).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_frozen_provider_costs_its_caller_the_deadline_and_no_more() {
    let (frozen, mut calls) = scripted("frozen", Some(1));
    let tier = tier(vec![frozen.handle()], Options::default());
    let deadline = Some(Duration::from_secs(7));
    let stream = ask_within(&tier, "a", saying("small", "hi"), deadline)
        .await
        .unwrap();
    let error = read(stream).await.2.unwrap();
    assert_eq!(error.code, ErrorCode::DeadlineExceeded);
    assert!(error.message.contains("7 seconds"), "{error}");
    assert!(next(&mut calls).await.answer.is_closed());
    assert_eq!(frozen.dropped.load(Ordering::SeqCst), 1);
    assert_eq!(
        tier.tier_status().await.instances[0].running,
        0,
        "its place is free again"
    );
}

#[tokio::test]
async fn requests_are_grouped_by_the_model_that_is_loaded() {
    let (provider, mut calls) = scripted("one", Some(1));
    let loaded = |now: &str| {
        let of = |name: &str| ModelInfo {
            state: if name == now {
                ModelState::Loaded
            } else {
                ModelState::Available
            },
            ..model(name)
        };
        provider.offers(vec![of("a"), of("b")]);
    };
    let tier = tier(vec![provider.handle()], Options::default());
    // The server is seen to swap a for b: it does not hold both.
    for name in ["a", "b"] {
        loaded(name);
        let reader = arrives(&tier, "k", saying(name, name)).await;
        done(next(&mut calls).await);
        soon(reader).await.unwrap();
    }
    let _running = arrives(&tier, "k", saying("b", "b1")).await;
    let call = next(&mut calls).await;
    let _swap = arrives(&tier, "k", saying("a", "a1")).await;
    let _group = arrives(&tier, "k", saying("b", "b2")).await;
    assert!(calls.try_recv().is_err());
    done(call);
    let call = next(&mut calls).await;
    assert_eq!(said(&call), "b2");
    done(call);
    assert_eq!(said(&next(&mut calls).await), "a1");
}
