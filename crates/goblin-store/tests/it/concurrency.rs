//! Many at once, and processes that end in the middle.

use std::time::Duration;

use goblin_core::clock::Clock;
use goblin_core::conversation::TurnStatus;
use goblin_core::id::Ids;
use goblin_core::owner::Owner;
use goblin_store::processes::SILENT_MS;
use goblin_store::store::{Store, StoreOptions};
use goblin_store::turns::{Checkpoint, NewTurn, Parent};
use tokio::task::JoinSet;

use crate::desk::{Desk, complete, on_both_kept};

on_both_kept! {
    questions_asked_at_once_in_one_chat_follow_each_other,
    fifty_writers_at_once_are_never_told_that_the_database_is_locked,
    what_was_checkpointed_survives_a_process_that_never_finished,
    a_write_given_up_in_the_middle_leaves_nothing_and_blocks_nobody,
    a_checkpoint_is_saved_for_all_its_turns_or_for_none,
}

/// Far longer than anything here takes.
pub(crate) const HANG: Duration = Duration::from_secs(120);

async fn fifty_writers_at_once_are_never_told_that_the_database_is_locked(desk: &Desk) {
    let open = || StoreOptions {
        database: desk.store.database().clone(),
        clock: Clock::System,
        ids: Ids::Random,
    };
    // Two stores, as two processes would be: within one, writers queue for the one connection anyway.
    let stores = [
        Store::open(open()).await.unwrap(),
        Store::open(open()).await.unwrap(),
    ];
    let mut writers = JoinSet::new();
    for n in 0..50 {
        let store = stores[n % 2].clone();
        writers.spawn(async move { write_a_chat(&store, n).await });
    }
    let all = tokio::time::timeout(HANG, writers.join_all()).await.unwrap();
    assert_eq!(all.len(), 50);
    let page = stores[0].list_chats(&Owner::local(), None, 200).await.unwrap();
    assert_eq!(page.items.len(), 50);
    assert_eq!(
        stores[1].mark_interrupted().await.unwrap(),
        0,
        "all have finished"
    );
}

async fn questions_asked_at_once_in_one_chat_follow_each_other(desk: &Desk) {
    let chat = desk.chat().await;
    let mut asking = JoinSet::new();
    for n in 0..20 {
        let (store, owner, chat) = (desk.store.clone(), desk.owner.clone(), chat.id.clone());
        asking.spawn(async move {
            let new = NewTurn {
                chat,
                content: n.to_string(),
                ..NewTurn::default()
            };
            store.insert_turn(&owner, new).await.unwrap();
        });
    }
    tokio::time::timeout(HANG, asking.join_all()).await.unwrap();
    let page = desk
        .store
        .list_branch(&desk.owner, &chat.id, None, 50)
        .await
        .unwrap();
    assert_eq!(page.items.len(), 20, "each found the one before it");
    assert!(page.items.iter().all(|turn| turn.siblings.len() == 1));
}

async fn write_a_chat(store: &Store, n: usize) {
    let owner = Owner::local();
    let chat = store.insert_chat(&owner, Default::default()).await.unwrap();
    for step in 0..4 {
        let new = NewTurn {
            chat: chat.id.clone(),
            content: format!("{n}.{step}"),
            ..NewTurn::default()
        };
        let (turn, _) = store.insert_turn(&owner, new).await.unwrap();
        let so_far = Checkpoint {
            turn: turn.id.clone(),
            answer: "…".into(),
            reasoning: None,
            ..Default::default()
        };
        store.checkpoint_turns(&[so_far]).await.unwrap();
        assert_eq!(
            store
                .list_branch(&owner, &chat.id, None, 10)
                .await
                .unwrap()
                .items
                .len(),
            step + 1
        );
        store
            .finish_turn(&owner, complete(&turn, "done"), Some(Default::default()))
            .await
            .unwrap();
    }
}

async fn what_was_checkpointed_survives_a_process_that_never_finished(desk: &Desk) {
    let chat = desk.chat().await;
    let done = desk.ask(&chat, Parent::Head, "one").await;
    desk.store
        .finish_turn(&desk.owner, complete(&done, "first"), None)
        .await
        .unwrap();
    let cut = desk.ask(&chat, Parent::Head, "two").await;
    let so_far = Checkpoint {
        turn: cut.id.clone(),
        answer: "half an ans".into(),
        reasoning: None,
        ..Default::default()
    };
    desk.store.checkpoint_turns(&[so_far]).await.unwrap();

    // The first store is still open, as a killed process leaves it; it has only been silent for long.
    desk.clock.advance_ms(SILENT_MS + 1);
    let next = desk.reopened().await;
    assert_eq!(next.store.mark_interrupted().await.unwrap(), 1);
    let page = next
        .store
        .list_branch(&next.owner, &chat.id, None, 10)
        .await
        .unwrap();
    assert_eq!(
        (page.items[0].status, page.items[0].answer.as_str()),
        (TurnStatus::Complete, "first")
    );
    assert_eq!(
        (page.items[1].status, page.items[1].answer.as_str()),
        (TurnStatus::Incomplete, "half an ans")
    );
    assert_eq!(page.items[1].content, "two");
}

async fn a_write_given_up_in_the_middle_leaves_nothing_and_blocks_nobody(desk: &Desk) {
    let chat = desk.chat().await;
    let (mut finished, mut abandoned) = (0, 0);
    for polls in 0..40 {
        let new = NewTurn {
            chat: chat.id.clone(),
            parent: Parent::Root,
            ..NewTurn::default()
        };
        let call = desk.store.insert_turn(&desk.owner, new);
        if polled_at_most(polls, call).await {
            finished += 1
        } else {
            abandoned += 1
        }
    }
    assert!(abandoned > 0, "some were given up");
    let turn = tokio::time::timeout(HANG, desk.ask(&chat, Parent::Root, "still works"))
        .await
        .unwrap();
    let chat = desk
        .store
        .find_chat(&desk.owner, &chat.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(chat.head.as_deref(), Some(&*turn.id));
    let saved = turn.siblings.len();
    assert!(
        (finished + 1..=41).contains(&saved),
        "{saved} saved, {finished} finished before the last"
    );
}

async fn a_checkpoint_is_saved_for_all_its_turns_or_for_none(desk: &Desk) {
    let chat = desk.chat().await;
    let mut turns = Vec::new();
    for n in 0..5 {
        turns.push(desk.ask(&chat, Parent::Root, &n.to_string()).await.id);
    }
    for polls in 0..30 {
        let so_far = |turn: &String| Checkpoint {
            turn: turn.clone(),
            answer: format!("after {polls}"),
            reasoning: None,
            ..Default::default()
        };
        let batch: Vec<_> = turns.iter().map(so_far).collect();
        polled_at_most(polls, desk.store.checkpoint_turns(&batch)).await;
        // As the next process finds it, whatever this one was doing.
        let next = desk.reopened().await;
        let mut answers = Vec::new();
        for turn in &turns {
            answers.push(
                next.store
                    .find_turn(&next.owner, turn)
                    .await
                    .unwrap()
                    .unwrap()
                    .answer,
            );
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "given up after {polls} polls: {answers:?}");
        next.store.close().await;
    }
}

/// Drives a future for so many wake-ups, then drops it; true when it finished.
pub(crate) async fn polled_at_most<F: Future>(polls: u32, future: F) -> bool {
    let mut future = std::pin::pin!(future);
    let mut left = polls;
    std::future::poll_fn(|cx| {
        if future.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(true);
        }
        if left == 0 {
            return std::task::Poll::Ready(false);
        }
        left -= 1;
        std::task::Poll::Pending
    })
    .await
}
