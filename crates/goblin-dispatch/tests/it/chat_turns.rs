use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use goblin_core::conversation::{Chat, Parameters, Turn, TurnStatus};
use goblin_core::error::ErrorCode;
use goblin_core::origin::Origin;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderError;
use goblin_core::turn_event::TurnEvent;
use goblin_dispatch::Options;
use goblin_dispatch::chat_turn::{EditedTurn, NewTurn};
use goblin_store::chats::NewChat;
use goblin_store::turn_log::Events;

use crate::house::{Call, House, scripted, soon};

pub(crate) async fn new_chat(house: &House) -> Chat {
    house
        .store
        .insert_chat(&Owner::local(), NewChat::default())
        .await
        .unwrap()
}

pub(crate) fn question(content: &str) -> NewTurn {
    NewTurn {
        content: content.into(),
        ..NewTurn::default()
    }
}

async fn events(house: &House, turn: &str, after: u64) -> Events {
    house
        .dispatch
        .turn_events(&Owner::local(), turn, after)
        .await
        .unwrap()
}

async fn last_turn(mut events: Events) -> Turn {
    let mut last = None;
    while let Some((_, event)) = soon(events.next()).await {
        last = Some(event);
    }
    match last.as_deref() {
        Some(TurnEvent::Done(saved) | TurnEvent::Snapshot(saved)) => (*saved.turn).clone(),
        other => panic!("the stream ended with {other:?}"),
    }
}

/// The turn as it ended.
pub(crate) async fn last_turn_of(house: &House, turn: &str) -> Turn {
    last_turn(events(house, turn, 0).await).await
}

async fn ask_and_answer(
    house: &House,
    calls: &mut tokio::sync::mpsc::UnboundedReceiver<Call>,
    chat: &Chat,
    content: &str,
    answer: &str,
) -> Turn {
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question(content))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    call.text(answer);
    call.finish();
    last_turn(events(house, &id, 0).await).await
}

#[tokio::test]
async fn a_turn_is_streamed_saved_and_its_chat_titled() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let turn = ask_and_answer(&house, &mut calls, &chat, "What is a goblin?", "A small being.").await;
    assert_eq!(
        (turn.status, turn.answer.as_str()),
        (TurnStatus::Complete, "A small being.")
    );
    assert_eq!(
        (turn.model.as_deref(), turn.local),
        (Some("engine/small"), Some(true))
    );
    assert_eq!(
        turn.usage.map(|u| (u.total_tokens, u.cached_tokens)),
        Some((9, 3))
    );
    let chat = house
        .store
        .find_chat(&Owner::local(), &chat.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chat.title.as_deref(), Some("What is a goblin?"));
    assert_eq!(chat.head.as_deref(), Some(turn.id.as_str()));
}

#[tokio::test]
async fn a_reader_who_leaves_does_not_end_the_turn_and_one_who_returns_misses_nothing() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("go on"))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    let mut reader = events(&house, &id, 0).await;
    call.text("one ");
    let mut seen = 0;
    while seen < 2 {
        seen = soon(reader.next()).await.unwrap().0;
    }
    drop(reader);
    call.text("two");
    call.finish();
    let mut text = String::new();
    let mut rest = events(&house, &id, seen).await;
    let mut indexes = Vec::new();
    while let Some((index, event)) = soon(rest.next()).await {
        indexes.push(index);
        if let TurnEvent::Delta(delta) = &*event {
            text.push_str(&delta.text);
        }
    }
    assert_eq!(text, "two");
    assert_eq!(indexes.first(), Some(&(seen + 1)));
    assert_eq!(
        house
            .store
            .find_turn(&Owner::local(), &id)
            .await
            .unwrap()
            .unwrap()
            .answer,
        "one two"
    );
}

#[tokio::test]
async fn stop_keeps_what_was_there_and_frees_the_provider() {
    let (provider, mut calls) = scripted("engine", Some(1));
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("long one"))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    call.text("partial");
    let mut reader = events(&house, &id, 1).await;
    assert!(matches!(&*soon(reader.next()).await.unwrap().1, TurnEvent::Delta(d) if d.text == "partial"));
    let stopped = soon(house.dispatch.stop_turn(&Owner::local(), &id))
        .await
        .unwrap();
    assert_eq!(
        (stopped.status, stopped.answer.as_str()),
        (TurnStatus::Stopped, "partial")
    );
    assert_eq!(provider.dropped.load(Ordering::SeqCst), 1);
    let again = house.dispatch.stop_turn(&Owner::local(), &id).await.unwrap();
    assert_eq!(again, stopped);
}

#[tokio::test]
async fn a_failing_provider_makes_a_failed_turn_that_keeps_its_part() {
    let (provider, mut calls) = scripted("engine", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("q"))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    call.text("half");
    call.fail(ProviderError::Interrupted {
        reason: "10.1.2.3 reset".into(),
    });
    let turn = last_turn(events(&house, &id, 0).await).await;
    assert_eq!((turn.status, turn.answer.as_str()), (TurnStatus::Failed, "half"));
    let problem = turn.error.unwrap();
    assert_eq!(problem.code, "upstream_failed");
    assert!(!problem.detail.contains("10.1.2.3"));
}

#[tokio::test]
async fn open_turns_are_checkpointed_while_they_stream() {
    let (provider, mut calls) = scripted("engine", None);
    let options = Options {
        checkpoint_every: std::time::Duration::from_millis(5),
        ..Options::default()
    };
    let house = House::with(vec![provider.handle()], options).await;
    let chat = new_chat(&house).await;
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("q"))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    call.text("so far");
    soon(async {
        loop {
            let turn = house
                .store
                .find_turn(&Owner::local(), &id)
                .await
                .unwrap()
                .unwrap();
            if turn.answer == "so far" {
                assert_eq!(turn.status, TurnStatus::Streaming);
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(call);
}

#[tokio::test]
async fn regenerate_and_edit_make_siblings_and_the_model_sees_the_right_history() {
    let (provider, mut calls) = scripted("engine", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let first = ask_and_answer(&house, &mut calls, &chat, "first", "one").await;
    let second = ask_and_answer(&house, &mut calls, &chat, "second", "two").await;
    assert_eq!(second.parent.as_deref(), Some(first.id.as_str()));
    let edited = house
        .dispatch
        .edit_turn(
            &Owner::local(),
            &second.id,
            EditedTurn {
                content: "other".into(),
                ..EditedTurn::default()
            },
        )
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    let said: Vec<String> = call.request.messages.iter().map(|m| m.joined_text()).collect();
    assert_eq!(said, ["first", "one", "other"]);
    call.text("x");
    call.finish();
    let edited = last_turn(events(&house, &edited, 0).await).await;
    assert_eq!(edited.siblings, [second.id.clone(), edited.id.clone()]);
    let again = house
        .dispatch
        .regenerate_turn(&Owner::local(), &edited.id, None, Origin::default())
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    assert_eq!(call.request.messages.last().unwrap().joined_text(), "other");
    call.finish();
    assert_eq!(last_turn(events(&house, &again, 0).await).await.siblings.len(), 3);
}

#[tokio::test]
async fn a_chat_over_the_context_leaves_its_oldest_turns_out_and_says_how_many() {
    let (provider, mut calls) = scripted("engine", None);
    let provider = provider.with_window(100);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let parameters = Parameters {
        max_tokens: Some(10),
        ..Parameters::default()
    };
    let new = NewChat {
        parameters,
        ..NewChat::default()
    };
    let chat = house.store.insert_chat(&Owner::local(), new).await.unwrap();
    let long = "word ".repeat(30);
    for _ in 0..2 {
        assert_eq!(
            ask_and_answer(&house, &mut calls, &chat, &long, "yes")
                .await
                .left_out,
            0
        );
    }
    let third = ask_and_answer(&house, &mut calls, &chat, &long, "yes").await;
    assert_eq!(
        third.left_out, 1,
        "31 + 31 + 30 words and 10 for the answer do not fit into 100"
    );
    let too_long = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question(&"word ".repeat(120)))
        .await;
    let error = too_long.unwrap_err();
    assert_eq!(error.code, ErrorCode::ContextLengthExceeded);
    assert!(
        error.message.contains("120") && error.message.contains("100"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn draining_refuses_new_turns_and_waits_for_open_ones() {
    let (provider, mut calls) = scripted("engine", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let id = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("q"))
        .await
        .unwrap();
    let call = soon(calls.recv()).await.unwrap();
    house.draining.cancel();
    house.tracker.close();
    let refused = house
        .dispatch
        .create_turn(&Owner::local(), &chat.id, question("late"))
        .await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Unavailable);
    let mut idle = Box::pin(house.tracker.wait());
    assert!(futures_util::poll!(&mut idle).is_pending());
    call.text("end");
    call.finish();
    soon(idle).await;
    let turn = house
        .store
        .find_turn(&Owner::local(), &id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((turn.status, turn.answer.as_str()), (TurnStatus::Complete, "end"));
}

#[tokio::test]
async fn another_owner_can_neither_read_nor_stop_a_turn() {
    let (provider, mut calls) = scripted("engine", None);
    let house = House::with(vec![provider.handle()], Options::default()).await;
    let chat = new_chat(&house).await;
    let turn = ask_and_answer(&house, &mut calls, &chat, "q", "a").await;
    let other = Owner {
        tenant: "t2".into(),
        user: "u2".into(),
    };
    assert_eq!(
        house.dispatch.stop_turn(&other, &turn.id).await.unwrap_err().code,
        ErrorCode::NotFound
    );
    let read = house.dispatch.turn_events(&other, &turn.id, 0).await;
    assert_eq!(read.err().map(|e| e.code), Some(ErrorCode::NotFound));
}
