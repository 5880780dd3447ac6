//! Readers that come late, leave, come back; writers that never wait for them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use goblin_core::clock::{Clock, Timestamp};
use goblin_core::turn_event::{Delta, Saved, TurnEvent};
use goblin_store::turn_log::{Events, Limits, TurnLog, TurnLogError};

use crate::desk::Desk;

const HANG: Duration = Duration::from_secs(60);

fn log(limits: Limits) -> (TurnLog, Clock) {
    let clock = Clock::manual(Timestamp(0));
    (TurnLog::memory(clock.clone(), limits), clock)
}

fn delta(text: &str) -> TurnEvent {
    TurnEvent::Delta(Delta { text: text.into() })
}

async fn done() -> TurnEvent {
    let desk = Desk::in_memory().await;
    let chat = desk.chat().await;
    TurnEvent::Done(Saved {
        turn: Box::new(desk.ask(&chat, Default::default(), "q").await),
    })
}

fn text(event: &TurnEvent) -> String {
    match event {
        TurnEvent::Delta(d) => d.text.clone(),
        other => other.name().to_owned(),
    }
}

async fn rest(events: Events) -> Vec<(u64, String)> {
    let all = events.map(|(n, e)| (n, text(&e))).collect();
    tokio::time::timeout(HANG, all).await.expect("the stream ends")
}

#[tokio::test]
async fn a_reader_gets_what_it_missed_then_what_comes_and_then_the_end() {
    let (log, _) = log(Limits::default());
    assert!(log.subscribe("t", 0).await.is_none());
    let writer = log.begin("t").unwrap();
    assert_eq!(writer.append(delta("a")), Ok(1));
    assert_eq!(writer.append(delta("b")), Ok(2));
    let mut early = log.subscribe("t", 0).await.unwrap();
    let behind = log.subscribe("t", 1).await.unwrap();
    assert_eq!(
        early.next().await.map(|(n, e)| (n, text(&e))),
        Some((1, "a".into()))
    );
    assert_eq!(
        early.next().await.map(|(n, e)| (n, text(&e))),
        Some((2, "b".into()))
    );
    assert!(early.next().now_or_never().is_none(), "nothing more for now");
    writer.append(delta("c")).unwrap();
    writer.append(done().await).unwrap();
    assert_eq!(rest(early).await, [(3, "c".into()), (4, "done".into())]);
    assert_eq!(
        rest(behind).await,
        [(2, "b".into()), (3, "c".into()), (4, "done".into())]
    );
    drop(writer);
    assert_eq!(
        rest(log.subscribe("t", 3).await.unwrap()).await,
        [(4, "done".into())]
    );
    assert_eq!(rest(log.subscribe("t", 4).await.unwrap()).await, []);
    assert_eq!(rest(log.subscribe("t", u64::MAX).await.unwrap()).await, []);
}

#[tokio::test]
async fn nothing_follows_the_last_event() {
    let (log, _) = log(Limits::default());
    let writer = log.begin("t").unwrap();
    assert_eq!(log.begin("t").err(), Some(TurnLogError::AlreadyBegun));
    writer.append(done().await).unwrap();
    assert_eq!(writer.append(delta("late")), Err(TurnLogError::Ended));
    assert_eq!(writer.append(done().await), Err(TurnLogError::Ended));
    assert_eq!(log.begin("t").err(), Some(TurnLogError::AlreadyBegun));
}

#[tokio::test]
async fn a_writer_that_dies_ends_its_readers() {
    let (log, _) = log(Limits::default());
    let writer = log.begin("t").unwrap();
    writer.append(delta("a")).unwrap();
    let reader = log.subscribe("t", 0).await.unwrap();
    let reading = tokio::task::JoinSet::from_iter([rest(reader)]);
    drop(writer);
    assert_eq!(reading.join_all().await, [vec![(1, "a".to_owned())]]);
    assert_eq!(log.open_turns(), 0);
}

#[tokio::test]
async fn a_full_log_takes_only_the_last_event() {
    let (log, _) = log(Limits {
        turn_events: 3,
        turn_bytes: 10,
        ..Limits::default()
    });
    let many = log.begin("many").unwrap();
    for _ in 0..3 {
        many.append(delta("x")).unwrap();
    }
    assert_eq!(many.append(delta("x")), Err(TurnLogError::Full));
    assert_eq!(many.append(done().await), Ok(4));
    let long = log.begin("long").unwrap();
    long.append(delta("123456")).unwrap();
    assert_eq!(long.append(delta("78901")), Err(TurnLogError::Full));
    assert_eq!(long.append(delta("7890")), Ok(2), "what still fits is taken");
}

#[tokio::test]
async fn ended_logs_are_kept_for_a_while_and_only_the_newest() {
    let (log, clock) = log(Limits {
        kept_turns: 2,
        kept_ms: 1000,
        ..Limits::default()
    });
    for turn in ["a", "b", "c"] {
        log.begin(turn).unwrap().append(done().await).unwrap();
    }
    assert!(log.subscribe("a", 0).await.is_none(), "only the newest two");
    let reading = log.subscribe("b", 0).await.unwrap();
    clock.advance_ms(999);
    assert!(log.subscribe("c", 0).await.is_some());
    clock.advance_ms(1);
    assert!(log.subscribe("c", 0).await.is_none(), "the time is over");
    assert_eq!(
        rest(reading).await,
        [(1, "done".into())],
        "who reads already reads to the end"
    );
}

#[tokio::test]
async fn ended_logs_together_are_bounded_in_bytes_and_running_ones_are_never_dropped() {
    let (log, clock) = log(Limits {
        kept_bytes: 10,
        open_turns: 2,
        ..Limits::default()
    });
    let running = log.begin("running").unwrap();
    running
        .append(delta("a long text that is not counted yet"))
        .unwrap();
    for turn in ["a", "b"] {
        log.begin(turn).unwrap().append(delta("123456")).unwrap();
    }
    clock.advance_ms(1_000_000);
    assert!(log.subscribe("a", 0).await.is_none());
    assert!(log.subscribe("running", 0).await.is_some());
    let second = log.begin("second").unwrap();
    assert_eq!(log.begin("third").err(), Some(TurnLogError::TooManyTurns));
    assert_eq!(log.open_turns(), 2);
    drop(second);
    assert!(log.begin("third").is_ok());
}

#[tokio::test]
async fn a_stop_reaches_the_runner_once_there_is_one() {
    let (log, _) = log(Limits::default());
    assert!(!log.request_stop("t").await);
    let writer = log.begin("t").unwrap();
    let other = log.begin("other").unwrap();
    let stopped = writer.stopped();
    assert!(!stopped.is_cancelled());
    assert!(log.request_stop("t").await && log.request_stop("t").await);
    tokio::time::timeout(HANG, stopped.cancelled()).await.unwrap();
    assert!(!other.stopped().is_cancelled());
    writer.append(done().await).unwrap();
    assert!(!log.request_stop("t").await, "what has ended cannot be stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_readers_see_every_event_in_order_while_one_of_them_never_reads() {
    const EVENTS: u64 = 5000;
    let (log, _) = log(Limits::default());
    let writer = log.begin("t").unwrap();
    let idle = log.subscribe("t", 0).await.unwrap();
    let mut readers = tokio::task::JoinSet::new();
    for after in 0..8 {
        let events = log.subscribe("t", after).await.unwrap();
        readers.spawn(async move { (after, rest(events).await) });
    }
    for n in 1..EVENTS {
        assert_eq!(writer.append(delta(&n.to_string())), Ok(n));
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    writer.append(done().await).unwrap();
    for (after, seen) in readers.join_all().await {
        let numbers: Vec<u64> = seen.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers, (after + 1..=EVENTS).collect::<Vec<_>>());
        assert!(seen.iter().take(seen.len() - 1).all(|(n, t)| *t == n.to_string()));
    }
    assert_eq!(rest(idle).await.len() as u64, EVENTS);
}

#[tokio::test]
async fn events_are_shared_not_copied() {
    let (log, _) = log(Limits::default());
    let writer = log.begin("t").unwrap();
    writer.append(delta("a")).unwrap();
    let first = log.subscribe("t", 0).await.unwrap().next().await.unwrap().1;
    let second = log.subscribe("t", 0).await.unwrap().next().await.unwrap().1;
    assert!(Arc::ptr_eq(&first, &second));
}
