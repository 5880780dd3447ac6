//! How turns end when something goes wrong around them: the disk, the process, the chat, the caller.

use std::time::Duration;

use futures_util::StreamExt;
use goblin_core::chat::Role;
use goblin_core::conversation::{Chat, Turn, TurnStatus};
use goblin_core::error::ErrorCode;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderError;
use goblin_core::turn_event::TurnEvent;
use goblin_dispatch::Options;
use goblin_store::turns;

use crate::chat_turns::{new_chat, question};
use crate::house::{House, read, scripted, soon};

async fn ask(house: &House, chat: &Chat, content: &str) -> String {
    house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question(content))
        .await
        .unwrap()
}

/// The turn as its stream's last event tells it.
async fn ended(house: &House, turn: &str) -> Turn {
    let mut events = house
        .dispatch
        .turn_events(&Owner::local(), turn, 0)
        .await
        .unwrap();
    while let Some((_, event)) = soon(events.next()).await {
        if let TurnEvent::Done(saved) | TurnEvent::Snapshot(saved) = &*event {
            return (*saved.turn).clone();
        }
    }
    panic!("the stream ended without a last event");
}

async fn saved(house: &House, turn: &str) -> Turn {
    house
        .store
        .find_turn(&Owner::local(), turn)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn an_answer_that_cannot_be_saved_at_first_is_saved_when_the_database_works_again() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let turn = ask(&house, &chat, "go on").await;
    let call = soon(calls.recv()).await.unwrap();
    call.text("kept");
    house
        .sql("CREATE TRIGGER full BEFORE UPDATE OF status ON turns BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        .await;
    call.finish();
    // Saving has failed at least once when the answer is over and the turn still runs.
    soon(async {
        while !provider.is_free() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(saved(&house, &turn).await.status, TurnStatus::Streaming);
    house.sql("DROP TRIGGER full").await;
    let end = ended(&house, &turn).await;
    assert_eq!((end.status, end.answer.as_str()), (TurnStatus::Complete, "kept"));
    assert_eq!(saved(&house, &turn).await, end);
}

#[tokio::test]
async fn a_turn_nobody_answers_any_more_is_ended_by_whoever_looks_at_it() {
    let (provider, _calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let left = |content: &str| turns::NewTurn {
        chat: chat.id.clone(),
        content: content.into(),
        ..turns::NewTurn::default()
    };
    let owner = Owner::local();
    let (watched, _) = house.store.insert_turn(&owner, left("one")).await.unwrap();
    let (stopped, _) = house.store.insert_turn(&owner, left("two")).await.unwrap();
    assert_eq!(ended(&house, &watched.id).await.status, TurnStatus::Incomplete);
    let told = soon(house.dispatch.stop_turn(&owner, &stopped.id)).await.unwrap();
    assert_eq!(told.status, TurnStatus::Incomplete);
    assert_eq!(saved(&house, &stopped.id).await.status, TurnStatus::Incomplete);
}

#[tokio::test]
async fn the_end_of_the_process_keeps_what_running_turns_have() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let turn = ask(&house, &chat, "a long one").await;
    let call = soon(calls.recv()).await.unwrap();
    call.text("half");
    let mut events = house
        .dispatch
        .turn_events(&Owner::local(), &turn, 0)
        .await
        .unwrap();
    for _ in 0..2 {
        assert!(soon(events.next()).await.is_some());
    }
    house.draining.cancel();
    house.dispatch.cut_turns();
    let end = ended(&house, &turn).await;
    assert_eq!(
        (end.status, end.answer.as_str()),
        (TurnStatus::Incomplete, "half")
    );
    house.tracker.close();
    soon(house.tracker.wait()).await;
}

#[tokio::test]
async fn deleting_a_chat_stops_its_answer_and_books_what_it_used() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let owner = Owner::local();
    let chat = new_chat(&house).await;
    let turn = ask(&house, &chat, "a long one").await;
    let call = soon(calls.recv()).await.unwrap();
    call.text("one");
    let mut events = house.dispatch.turn_events(&owner, &turn, 1).await.unwrap();
    assert!(soon(events.next()).await.is_some());
    house.dispatch.delete_chat(&owner, &chat.id).await.unwrap();
    while soon(events.next()).await.is_some() {}
    assert!(provider.is_free(), "the provider was told to stop");
    house.store.restore_chat(&owner, &chat.id).await.unwrap();
    let kept = saved(&house, &turn).await;
    assert_eq!((kept.status, kept.answer.as_str()), (TurnStatus::Stopped, "one"));
    let used = house.number("SELECT completion_tokens FROM usage").await;
    assert_eq!(used, 1, "one piece, one token: the provider never counted");
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_turn_begins_does_not_lose_the_question() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let owner = Owner::local();
    let mut asking = Box::pin(
        house
            .dispatch
            .create_turn(&owner, &chat.id, question("still asked")),
    );
    // Looked at until the chat is found and the turn begins, then dropped.
    while house.tracker.len() < 2 {
        assert!(futures_util::poll!(&mut asking).is_pending());
        tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>())
            .await
            .unwrap_err();
    }
    drop(asking);
    let call = soon(calls.recv()).await.unwrap();
    assert_eq!(call.request.messages.last().unwrap().joined_text(), "still asked");
    call.finish();
}

#[tokio::test]
async fn a_question_without_an_answer_is_put_in_front_of_the_next_one() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let first = ask(&house, &chat, "first").await;
    let call = soon(calls.recv()).await.unwrap();
    soon(house.dispatch.stop_turn(&Owner::local(), &first))
        .await
        .unwrap();
    drop(call);
    ask(&house, &chat, "second").await;
    let call = soon(calls.recv()).await.unwrap();
    let said: Vec<_> = call
        .request
        .messages
        .iter()
        .map(|m| (m.role, m.joined_text()))
        .collect();
    assert_eq!(said, [(Role::User, "first\n\nsecond".to_owned())]);
    call.finish();
}

/// Every failure before the first content, and the error told in the end.
#[tokio::test]
async fn when_nobody_answers_the_first_reason_is_told_and_the_others_are_named() {
    let (first, _first_calls) = scripted("first", None);
    let first = first.refusing(vec![ProviderError::ContextExceeded {
        prompt_tokens: 9000,
        context_window: 4096,
    }]);
    let (second, _second_calls) = scripted("second", None);
    let second = second.refusing(vec![ProviderError::Unavailable {
        reason: "refused".into(),
    }]);
    let house = House::with(vec![first.handle(), second.handle()], Options::default()).await;
    let (_, _, error) = read(house.ask("goblin").await.unwrap()).await;
    let error = error.unwrap();
    assert_eq!(error.code, ErrorCode::ContextLengthExceeded);
    assert!(
        error.message.contains("9000") && error.message.contains("`second/small`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_provider_that_says_when_to_come_back_is_not_asked_again_at_once() {
    let (full, mut calls) = scripted("full", Some(2));
    let wait = Some(Duration::from_secs(7));
    let full = full.refusing(vec![ProviderError::Overloaded { retry_after: wait }]);
    let house = House::with(vec![full.handle()], Options::default()).await;
    let (_, _, error) = read(house.ask("full/small").await.unwrap()).await;
    assert_eq!(
        error.map(|e| (e.code, e.retry_after)),
        Some((ErrorCode::RateLimited, wait))
    );
    assert!(calls.try_recv().is_err(), "asked once only");
}
