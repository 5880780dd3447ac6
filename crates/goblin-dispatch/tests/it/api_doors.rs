use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use goblin_core::error::ErrorCode;
use goblin_core::provider::ProviderError;
use goblin_dispatch::Options;
use goblin_dispatch::answer::{AnswerItem, Ask, Who};

use crate::house::{House, read, scripted, soon};

fn unavailable() -> ProviderError {
    ProviderError::Unavailable {
        reason: "refused".into(),
    }
}

#[tokio::test]
async fn a_failure_before_the_first_content_is_tried_on_the_next_candidate() {
    let (first, _calls) = scripted("first", None);
    let first = first.refusing(vec![unavailable()]);
    let (second, mut calls) = scripted("second", None);
    let house = House::with(vec![first.handle(), second.handle()], Options::default()).await;
    let reader = tokio::spawn(read(house.ask("goblin").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("hello");
    call.finish();
    assert_eq!(
        reader.await.unwrap(),
        (Some("second/small".into()), "hello".into(), None)
    );
}

#[tokio::test]
async fn a_stream_cut_before_its_first_content_is_tried_on_the_next_candidate() {
    let (first, mut first_calls) = scripted("first", None);
    let (second, mut calls) = scripted("second", None);
    let house = House::with(vec![first.handle(), second.handle()], Options::default()).await;
    let reader = tokio::spawn(read(house.ask("goblin").await.unwrap()));
    drop(soon(first_calls.recv()).await.unwrap());
    let call = soon(calls.recv()).await.unwrap();
    call.text("hello");
    call.finish();
    assert_eq!(reader.await.unwrap().0, Some("second/small".into()));
}

#[tokio::test]
async fn a_failure_after_the_first_content_ends_the_answer_with_an_error_and_no_second_answer() {
    let (first, mut calls) = scripted("first", None);
    let (second, mut other) = scripted("second", None);
    let house = House::with(vec![first.handle(), second.handle()], Options::default()).await;
    let reader = tokio::spawn(read(house.ask("goblin").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("hel");
    call.fail(ProviderError::Interrupted { reason: "cut".into() });
    let (chosen, text, error) = reader.await.unwrap();
    assert_eq!((chosen, text.as_str()), (Some("first/small".into()), "hel"));
    assert_eq!(error.unwrap().code, ErrorCode::UpstreamFailed);
    assert!(other.try_recv().is_err(), "the second provider was never asked");
}

#[tokio::test]
async fn a_model_asked_for_by_name_is_never_replaced_by_another() {
    let (first, _calls) = scripted("first", None);
    let first = first.refusing(vec![unavailable()]);
    let (second, mut other) = scripted("second", None);
    let house = House::with(vec![first.handle(), second.handle()], Options::default()).await;
    let (_, _, error) = read(house.ask("first/small").await.unwrap()).await;
    assert_eq!(error.unwrap().code, ErrorCode::NoProvider);
    assert!(other.try_recv().is_err());
}

#[tokio::test]
async fn leaving_drops_the_providers_stream_before_its_next_token() {
    let (provider, mut calls) = scripted("first", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let mut stream = house.ask("goblin").await.unwrap();
    let first = tokio::spawn(async move {
        let chosen = stream.next().await;
        (stream, chosen)
    });
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    let (stream, chosen) = soon(first).await.unwrap();
    assert!(matches!(chosen, Some(Ok(AnswerItem::Chosen { .. }))));
    drop(stream);
    assert_eq!(provider.dropped.load(Ordering::SeqCst), 1);
    assert!(call.answer.is_closed());
}

#[tokio::test]
async fn a_full_queue_refuses_with_a_time_to_come_back_and_a_freed_place_is_taken() {
    let (provider, mut calls) = scripted("first", Some(1));
    let house = House::with(
        vec![provider.handle()],
        Options {
            max_waiting: 1,
            ..Options::default()
        },
    )
    .await;
    let running = tokio::spawn(read(house.ask("goblin").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    let mut waiting = house.ask("goblin").await.unwrap();
    assert!(futures_util::poll!(waiting.next()).is_pending());
    let (_, _, refused) = read(house.ask("goblin").await.unwrap()).await;
    let refused = refused.unwrap();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.retry_after_seconds().is_some_and(|s| s >= 1));
    call.text("done");
    call.finish();
    running.await.unwrap();
    let reader = tokio::spawn(read(waiting));
    let call = soon(calls.recv()).await.unwrap();
    call.text("mine");
    call.finish();
    assert_eq!(reader.await.unwrap().1, "mine");
}

#[tokio::test]
async fn a_provider_still_clearing_a_place_is_asked_again_for_a_moment() {
    let (provider, mut calls) = scripted("first", Some(1));
    let full = ProviderError::Overloaded { retry_after: None };
    let provider = provider.refusing(vec![full.clone(), full]);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let reader = tokio::spawn(read(house.ask("goblin").await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("in");
    call.finish();
    assert_eq!(reader.await.unwrap().1, "in");
}

#[tokio::test]
async fn the_deadline_covers_the_whole_answer() {
    let (provider, mut calls) = scripted("first", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let body =
        br#"{"model":"goblin","stream":true,"messages":[{"role":"user","content":"hi"}],"goblin":{"deadline_ms":500}}"#;
    let incoming = goblin_core::wire::openai::parse_chat_request(&bytes::Bytes::from_static(body)).unwrap();
    let owner = goblin_core::owner::Owner::local();
    let ask = Ask {
        who: Who::owner(owner),
        door: "openai",
        request_id: "r".into(),
        incoming,
        deadline: None,
    };
    let reader = tokio::spawn(read(house.dispatch.answer(ask).await.unwrap()));
    let call = soon(calls.recv()).await.unwrap();
    call.text("slow");
    let (_, text, error) = reader.await.unwrap();
    assert_eq!(
        (text.as_str(), error.unwrap().code),
        ("slow", ErrorCode::DeadlineExceeded)
    );
    assert_eq!(provider.dropped.load(Ordering::SeqCst), 1);
}
