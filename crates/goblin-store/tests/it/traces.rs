//! Traces of answers and what readers said of them: found by their owner only, shown with their turns, gone in time.

use goblin_core::feedback::{FeedbackChange, Rating};
use goblin_core::owner::Owner;
use goblin_core::trace::{Authority, Confidence, Safety, Step, StepOutcome, Trace};
use goblin_store::error::StoreError;
use goblin_store::traces::NewTrace;
use goblin_store::turns::Parent;

use crate::desk::{Desk, complete, on_both};

on_both! {
    a_trace_is_kept_whole_and_shown_in_one_line_with_its_turn,
    a_trace_that_is_there_already_stays_as_it_is,
    traces_are_listed_newest_first_page_by_page,
    old_traces_go_and_young_ones_stay,
    what_a_reader_says_changes_field_by_field,
    only_another_answer_to_the_same_question_can_be_better,
    a_trace_outlives_its_chat_and_a_label_does_not,
    another_owner_sees_no_trace_and_labels_nothing,
}

/// A trace as of now, with one local step that was accepted.
pub(crate) fn trace(desk: &Desk, id: &str) -> Trace {
    Trace {
        trace_id: id.into(),
        created_at_ms: desk.clock.now().0,
        model: "goblin".into(),
        steps: vec![Step {
            model: "ollama/gemma:2b".into(),
            provider: "ollama".into(),
            local: true,
            started_ms: 2,
            first_token_ms: Some(40),
            ended_ms: Some(900),
            prompt_tokens: 20,
            tokens: 30,
            cost_usd: Some(0.000_001_5),
            verdicts: Vec::new(),
            tokens_probability: None,
            outcome: StepOutcome::Accepted,
            why: None,
        }],
        confidence: Some(Confidence {
            value: 0.81,
            calibrated: false,
            method: "judge".into(),
            authority: Authority::Grant,
            self_judged: false,
        }),
        cost_usd: Some(0.000_001_5),
        notes: vec!["No safety judge is there.".into()],
        ..Trace::default()
    }
}

fn of_turn(turn: &str, trace: Trace) -> NewTrace {
    NewTrace {
        request_id: turn.into(),
        turn: Some(turn.into()),
        trace,
    }
}

async fn a_trace_is_kept_whole_and_shown_in_one_line_with_its_turn(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "why?").await;
    assert_eq!(store.find_trace_of_turn(owner, &turn.id).await.unwrap(), None);
    let kept = trace(desk, "t-1");
    store
        .insert_trace(owner, &of_turn(&turn.id, kept.clone()))
        .await
        .unwrap();
    let ended = store
        .finish_turn(owner, complete(&turn, "so"), None)
        .await
        .unwrap();
    assert_eq!(ended.trace, Some(kept.summary()));
    assert_eq!(store.find_trace(owner, "t-1").await.unwrap(), Some(kept.clone()));
    assert_eq!(
        store.find_trace_of_turn(owner, &turn.id).await.unwrap(),
        Some(kept.clone())
    );
    let found = store.find_turn(owner, &turn.id).await.unwrap().unwrap();
    let page = store.list_branch(owner, &chat.id, None, 10).await.unwrap();
    for shown in [&found, &page.items[0]] {
        assert_eq!(shown.trace, Some(kept.summary()));
        assert_eq!(shown.feedback, None);
    }
    assert_eq!(store.find_trace(owner, "t-2").await.unwrap(), None);
}

async fn a_trace_that_is_there_already_stays_as_it_is(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let first = trace(desk, "t-1");
    let other = Trace {
        model: "other".into(),
        ..first.clone()
    };
    for trace in [first.clone(), other] {
        let new = NewTrace {
            trace,
            ..NewTrace::default()
        };
        store.insert_trace(owner, &new).await.unwrap();
    }
    assert_eq!(store.find_trace(owner, "t-1").await.unwrap(), Some(first));
}

async fn traces_are_listed_newest_first_page_by_page(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    for id in ["a", "b", "c"] {
        desk.clock.advance_ms(1);
        let refused = (id == "c").then(|| Safety {
            probability: Some(0.2),
            category: Some("harm".into()),
            authority: Authority::Record,
            found: Vec::new(),
            refused_by: Some("safety:harm".into()),
        });
        let new = NewTrace {
            trace: Trace {
                safety: refused,
                ..trace(desk, id)
            },
            ..NewTrace::default()
        };
        store.insert_trace(owner, &new).await.unwrap();
    }
    let page = store.list_traces(owner, None, 2).await.unwrap();
    let ids: Vec<&str> = page.items.iter().map(|line| &*line.trace_id).collect();
    assert_eq!(ids, ["c", "b"]);
    assert_eq!(page.items[0].outcome, StepOutcome::Rejected);
    assert_eq!(page.items[1].outcome, StepOutcome::Accepted);
    let rest = store
        .list_traces(owner, page.next_cursor.as_deref(), 2)
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.next_cursor), (1, None));
    assert!(matches!(
        store.list_traces(owner, Some("nonsense"), 2).await,
        Err(StoreError::InvalidCursor)
    ));
}

async fn old_traces_go_and_young_ones_stay(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let day = 86_400_000;
    // More than one piece of a sweep.
    for n in 0..501 {
        let new = NewTrace {
            trace: trace(desk, &format!("old-{n}")),
            ..NewTrace::default()
        };
        store.insert_trace(owner, &new).await.unwrap();
    }
    desk.clock.advance_ms(day + 1);
    let new = NewTrace {
        trace: trace(desk, "young"),
        ..NewTrace::default()
    };
    store.insert_trace(owner, &new).await.unwrap();
    assert_eq!(store.delete_old_traces(2).await.unwrap(), 0);
    assert_eq!(store.delete_old_traces(1).await.unwrap(), 501);
    assert_eq!(store.delete_old_traces(1).await.unwrap(), 0);
    assert_eq!(store.find_trace(owner, "old-0").await.unwrap(), None);
    assert!(store.find_trace(owner, "young").await.unwrap().is_some());
}

async fn what_a_reader_says_changes_field_by_field(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "why?").await;
    let up = FeedbackChange {
        rating: Some(Some(Rating::Up)),
        ..FeedbackChange::default()
    };
    let said = store.update_label(owner, &turn.id, up).await.unwrap();
    assert_eq!(
        (said.rating, said.comment.as_deref(), said.updated_at),
        (Some(Rating::Up), None, desk.clock.now())
    );
    let comment = FeedbackChange {
        comment: Some(Some("short \0 and good".into())),
        ..FeedbackChange::default()
    };
    let said = store.update_label(owner, &turn.id, comment).await.unwrap();
    assert_eq!(said.rating, Some(Rating::Up));
    assert_eq!(said.comment.as_deref(), Some("short \u{fffd} and good"));
    let found = store.find_turn(owner, &turn.id).await.unwrap().unwrap();
    assert_eq!(found.feedback, Some(said));
    desk.clock.advance_ms(5);
    let nothing = FeedbackChange {
        rating: Some(None),
        comment: Some(None),
        ..FeedbackChange::default()
    };
    let said = store.update_label(owner, &turn.id, nothing).await.unwrap();
    assert_eq!(
        (said.rating, said.comment, said.updated_at),
        (None, None, desk.clock.now())
    );
}

async fn only_another_answer_to_the_same_question_can_be_better(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "why?").await;
    let again = desk.ask(&chat, Parent::beside(&turn), "why?").await;
    let edited = desk.ask(&chat, Parent::beside(&turn), "how?").await;
    let below = desk.ask(&chat, Parent::Turn(turn.id.clone()), "why?").await;
    let elsewhere = desk.ask(&desk.chat().await, Parent::Root, "why?").await;
    let better = |id: &str| FeedbackChange {
        better_turn: Some(Some(id.to_owned())),
        ..FeedbackChange::default()
    };
    for other in [&turn.id, &edited.id, &below.id, &elsewhere.id, "no-such-turn"] {
        let refused = store.update_label(owner, &turn.id, better(other)).await;
        assert!(
            matches!(refused, Err(StoreError::NotSibling("better_turn"))),
            "{refused:?}"
        );
    }
    let second = FeedbackChange {
        second_opinion: Some(Some(edited.id)),
        ..FeedbackChange::default()
    };
    assert!(matches!(
        store.update_label(owner, &turn.id, second).await,
        Err(StoreError::NotSibling("second_opinion"))
    ));
    let said = store
        .update_label(owner, &turn.id, better(&again.id))
        .await
        .unwrap();
    assert_eq!(said.better_turn.as_ref(), Some(&again.id));
    let better = store.find_turn(owner, &again.id).await.unwrap().unwrap();
    let feedback = better.feedback.unwrap();
    assert_eq!((feedback.better_than, feedback.rating), (vec![turn.id], None));
}

async fn a_trace_outlives_its_chat_and_a_label_does_not(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "why?").await;
    store
        .insert_trace(owner, &of_turn(&turn.id, trace(desk, "t-1")))
        .await
        .unwrap();
    let up = FeedbackChange {
        rating: Some(Some(Rating::Up)),
        ..FeedbackChange::default()
    };
    store.update_label(owner, &turn.id, up.clone()).await.unwrap();
    store.delete_chat(owner, &chat.id).await.unwrap();
    assert!(matches!(
        store.update_label(owner, &turn.id, up).await,
        Err(StoreError::NotFound("turn"))
    ));
    desk.clock.advance_ms(goblin_store::chats::RESTORE_MS + 1);
    assert_eq!(store.purge_deleted().await.unwrap(), 1);
    assert!(store.find_trace(owner, "t-1").await.unwrap().is_some());
}

async fn another_owner_sees_no_trace_and_labels_nothing(desk: &Desk) {
    let (store, owner) = (&desk.store, &desk.owner);
    let chat = desk.chat().await;
    let turn = desk.ask(&chat, Parent::Head, "why?").await;
    store
        .insert_trace(owner, &of_turn(&turn.id, trace(desk, "t-1")))
        .await
        .unwrap();
    let stranger = Owner {
        user: "other".into(),
        ..Owner::local()
    };
    store.insert_owner(&stranger, None).await.unwrap();
    assert_eq!(store.find_trace(&stranger, "t-1").await.unwrap(), None);
    assert_eq!(store.find_trace_of_turn(&stranger, &turn.id).await.unwrap(), None);
    assert!(
        store
            .list_traces(&stranger, None, 10)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let refused = store
        .update_label(&stranger, &turn.id, FeedbackChange::default())
        .await;
    assert!(
        matches!(refused, Err(StoreError::NotFound("turn"))),
        "{refused:?}"
    );
}
