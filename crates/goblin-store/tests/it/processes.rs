//! Several processes on one database, and those that are no more.

use goblin_core::conversation::TurnStatus;
use goblin_store::processes::SILENT_MS;
use goblin_store::turns::Parent;

use crate::desk::{Desk, complete, on_both_kept};

on_both_kept! {
    a_process_that_ends_well_is_not_waited_for,
    a_process_that_was_only_cut_off_for_a_while_still_saves_its_answer,
}

async fn a_process_that_ends_well_is_not_waited_for(desk: &Desk) {
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "q").await;
    let next = desk.reopened().await;
    desk.store.close().await;
    assert_eq!(next.store.count_others().await.unwrap(), 0);
    assert_eq!(next.store.mark_interrupted().await.unwrap(), 1);
    let cut = next
        .store
        .find_turn(&next.owner, &turn.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (cut.status, cut.finished_at),
        (TurnStatus::Incomplete, Some(desk.clock.now()))
    );
    assert_eq!(next.store.mark_interrupted().await.unwrap(), 0, "once");
}

async fn a_process_that_was_only_cut_off_for_a_while_still_saves_its_answer(desk: &Desk) {
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "q").await;
    desk.clock.advance_ms(SILENT_MS + 1);
    let next = desk.reopened().await;
    assert_eq!(next.store.mark_interrupted().await.unwrap(), 1);

    let end = complete(&turn, "the whole answer");
    let saved = desk
        .store
        .finish_turn(&desk.owner, end.clone(), Some(Default::default()))
        .await
        .unwrap();
    assert_eq!(
        (saved.status, saved.answer.as_str()),
        (TurnStatus::Complete, "the whole answer")
    );
    desk.store
        .finish_turn(&desk.owner, end, Some(Default::default()))
        .await
        .unwrap();
    let booked = desk.store.list_usage(&desk.owner, None, 10).await.unwrap().items;
    assert_eq!(booked.len(), 1, "what it used is booked once");
}

#[tokio::test]
async fn a_copy_that_starts_leaves_the_turns_of_a_running_one_alone() {
    let desk = Desk::on_postgres().await;
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "q").await;
    let newer = desk.reopened().await;
    assert_eq!(newer.store.count_others().await.unwrap(), 1);
    for _ in 0..4 {
        desk.clock.advance_ms(SILENT_MS / 2);
        desk.store.say_alive().await.unwrap();
        newer.store.say_alive().await.unwrap();
        assert_eq!(newer.store.mark_interrupted().await.unwrap(), 0);
    }
    let still = newer
        .store
        .find_turn(&desk.owner, &turn.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(still.status, TurnStatus::Streaming);

    desk.clock.advance_ms(SILENT_MS + 1);
    newer.store.say_alive().await.unwrap();
    assert_eq!(newer.store.mark_interrupted().await.unwrap(), 1);
    assert_eq!(newer.store.count_others().await.unwrap(), 0);
}
