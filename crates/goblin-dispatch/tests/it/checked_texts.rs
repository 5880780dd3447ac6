//! The text of a checked answer: read again from anywhere, as long as may be, in any script, and without what may not
//! leave.

use std::sync::Arc;

use futures_util::StreamExt;
use goblin_core::owner::Owner;
use goblin_core::screen::{Handling, ScreenSettings};
use goblin_core::trace::StepOutcome;
use goblin_core::turn_event::TurnEvent;
use goblin_store::turn_log::Events;

use crate::bench::{Bench, Client, SENTENCE, Setup, Verdict};
use crate::chat_turns::{new_chat, question};
use crate::house::soon;

type Numbered = (u64, Arc<TurnEvent>);

async fn events(bench: &Bench, turn: &str, after: u64) -> Events {
    let (dispatch, owner) = (&bench.house.dispatch, Owner::local());
    dispatch.turn_events(&owner, turn, after).await.unwrap()
}

/// Every event of a turn behind index `after`, as it comes; a task of its own, so that it reads while things happen.
async fn reader(bench: &Bench, turn: &str, after: u64) -> tokio::task::JoinHandle<Vec<Numbered>> {
    let mut events = events(bench, turn, after).await;
    tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(event) = soon(events.next()).await {
            all.push(event);
        }
        all
    })
}

/// Index of the first event of this name, once there is one.
async fn index_of(bench: &Bench, turn: &str, name: &str) -> u64 {
    let mut events = events(bench, turn, 0).await;
    loop {
        let (index, event) = soon(events.next()).await.unwrap();
        if event.name() == name {
            return index;
        }
    }
}

fn named(events: &[Numbered]) -> Vec<(u64, String)> {
    let all = events.iter();
    all.map(|(index, event)| (*index, format!("{event:?}"))).collect()
}

#[tokio::test]
async fn who_comes_back_around_a_replacement_sees_what_one_who_stayed_sees() {
    let mut bench = Bench::new(Setup::default()).await;
    let chat = new_chat(&bench.house).await;
    let (dispatch, owner) = (&bench.house.dispatch, Owner::local());
    let turn = dispatch
        .create_turn(&owner, &chat.id, question("hi"))
        .await
        .unwrap();
    let stayed = reader(&bench, &turn, 0).await;
    let mut nobody = Client::nobody();
    bench.prompt(&mut nobody, 0.95).await;
    let call = bench.call(&mut nobody).await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut nobody, 0.99).await;
    call.finish();
    bench.answer(&mut nobody, 0.97, 0.3).await;
    let call = bench.call(&mut nobody).await;
    call.text("Five six seven eight.");
    call.text(" Nine");
    bench.window(&mut nobody, 0.99).await;
    let superseded = index_of(&bench, &turn, "superseded").await;
    // The better answer is half told.
    let mut back = Vec::new();
    for after in [superseded - 1, superseded, superseded + 1] {
        back.push((after, reader(&bench, &turn, after).await));
    }
    call.text(" ten.");
    call.finish();
    bench.answer(&mut nobody, 0.97, 0.9).await;

    let stayed = stayed.await.unwrap();
    for (after, back) in back {
        let seen = stayed.iter().filter(|(index, _)| *index > after).cloned();
        let seen: Vec<Numbered> = seen.collect();
        assert_eq!(named(&back.await.unwrap()), named(&seen), "after {after}");
    }
    let names: Vec<&str> = stayed.iter().map(|(_, event)| event.name()).collect();
    assert_eq!(names.iter().filter(|name| **name == "superseded").count(), 1);
    let mut text = String::new();
    for (_, event) in &stayed {
        match &**event {
            TurnEvent::Delta(delta) => text.push_str(&delta.text),
            TurnEvent::Superseded(_) => text.clear(),
            TurnEvent::Done(saved) => assert_eq!(saved.turn.answer, text),
            _ => {}
        }
    }
    assert_eq!(text, "Five six seven eight. Nine ten.");
}

#[tokio::test]
async fn an_answer_of_a_hundred_thousand_tokens_is_checked_to_its_end_and_loses_none() {
    let mut bench = Bench::new(Setup {
        judge_window: 1 << 20,
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    let mut whole = String::new();
    for number in 0..20_000 {
        // About five tokens each.
        let piece = format!("and then number {number} ");
        call.text(&piece);
        whole.push_str(&piece);
        if number % 20 == 0 {
            bench.catch_up(&mut client, Verdict::says(0.97)).await;
        }
    }
    call.finish();
    bench.answer_everything(&mut client, Verdict::says(0.97)).await;
    assert!(client.error.is_none(), "{:?}", client.error);
    assert!(client.text() == whole, "it is the same text");
    let trace = client.trace();
    assert_eq!(trace.steps[0].outcome, StepOutcome::Accepted);
    let verdicts = trace.steps[0].verdicts.len();
    assert!(verdicts > 1_000, "{verdicts} verdicts");
}

#[tokio::test]
async fn letters_of_several_bytes_are_never_cut_however_windows_fall() {
    let whole = "天空は青い€𝄞é".repeat(60);
    for size in [1, 7, whole.chars().count()] {
        let mut bench = Bench::new(Setup::default()).await;
        let (mut client, call) = bench.begun("{}").await;
        let letters: Vec<char> = whole.chars().collect();
        for piece in letters.chunks(size) {
            call.text(&piece.iter().collect::<String>());
            bench.catch_up(&mut client, Verdict::says(0.97)).await;
        }
        call.finish();
        bench.answer_everything(&mut client, Verdict::says(0.97)).await;
        assert!(client.error.is_none(), "{:?}", client.error);
        assert_eq!(client.text(), whole, "pieces of {size}");
        // What comes at once is asked about at once.
        let windows = client.trace().steps[0].verdicts.len() > 11;
        assert_eq!(windows, size < letters.len(), "pieces of {size}");
    }
}

#[tokio::test]
async fn judges_elsewhere_do_not_read_what_may_not_leave_of_an_answer_either() {
    let mut bench = Bench::new(Setup {
        judges_away: true,
        screen: ScreenSettings {
            personal: Handling::RedactAway,
            ..ScreenSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("It is for sure DE89 3704 0044");
    call.text(" 0532 0130 00, as you said.");
    call.text(" Then");
    let asked = bench.question(&mut client).await;
    assert!(asked.ids().contains(&"transcript"), "{:?}", asked.ids());
    let read = asked.shared().to_owned();
    asked.answer(Verdict::says(0.97));
    assert!(read.contains("It is for sure"), "{read}");
    assert!(!read.contains("3704"), "{read}");
    call.finish();
    let mut about_all = 0;
    while let Some(asked) = bench.question_or_end(&mut client).await {
        assert!(!asked.shared().contains("3704"), "{}", asked.shared());
        about_all += usize::from(asked.shared().contains("[iban left out], as you said."));
        asked.answer(Verdict::says(0.97));
    }
    assert!(about_all >= 2, "both judges read the end of it");
    let whole = "It is for sure DE89 3704 0044 0532 0130 00, as you said. Then";
    assert_eq!(client.text(), whole, "its reader is who asked");
}
