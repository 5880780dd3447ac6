use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A desk, one instance's terms, and a clock.
struct Room {
    desk: Desk,
    terms: Terms,
    now: Duration,
}

impl Room {
    fn with(slots: u32) -> Self {
        let terms = Terms {
            slots: Some(slots),
            max_waiting: 4,
            ..Terms::default()
        };
        Self {
            desk: Desk::default(),
            terms,
            now: at(1000),
        }
    }

    fn comes(&mut self, key: &str, verdict: bool) -> Result<Admitted, Refusal> {
        self.comes_for("m", key, verdict)
    }

    fn comes_for(&mut self, model: &str, key: &str, verdict: bool) -> Result<Admitted, Refusal> {
        let who = Newcomer {
            key: key.into(),
            verdict,
            work: Work::default(),
        };
        self.desk.arrive(&model.into(), &who, &self.terms, self.now)
    }

    fn ticket(&mut self, key: &str) -> Ticket {
        self.comes(key, false).unwrap().ticket
    }

    fn leaves(&mut self, ticket: Ticket) -> Vec<Ticket> {
        self.desk.leave(&"m".into(), ticket);
        self.desk.call(self.now)
    }

    fn call(&mut self) -> Vec<Ticket> {
        self.desk.call(self.now)
    }
}

#[test]
fn keys_take_turns_whoever_came_first() {
    let mut room = Room::with(1);
    let running = room.ticket("a");
    assert_eq!(room.call(), [running]);
    let (a2, a3, b1) = (room.ticket("a"), room.ticket("a"), room.ticket("b"));
    assert!(room.call().is_empty());
    assert_eq!(room.leaves(running), [a2]);
    assert_eq!(room.leaves(a2), [b1]);
    assert_eq!(room.leaves(b1), [a3]);
}

#[test]
fn a_waiter_that_leaves_frees_its_place_in_the_queue() {
    let mut room = Room::with(1);
    room.terms.max_waiting = 1;
    let running = room.ticket("a");
    room.call();
    let waiting = room.ticket("a");
    assert!(matches!(room.comes("a", false), Err(Refusal::Full(_))));
    assert!(room.leaves(waiting).is_empty());
    let next = room.ticket("a");
    assert_eq!(room.leaves(running), [next]);
}

#[test]
fn a_key_that_fills_the_queue_gives_way_to_another() {
    let mut room = Room::with(1);
    room.ticket("greedy");
    room.call();
    let waiting: Vec<Ticket> = (0..4).map(|_| room.ticket("greedy")).collect();
    assert!(matches!(room.comes("greedy", false), Err(Refusal::Full(_))));
    let modest = room.comes("modest", false).unwrap();
    assert_eq!(modest.displaced, Some(waiting[3]));
    assert_eq!(room.desk.load(&"m".into(), room.now).waiting, 4);
}

#[test]
fn a_place_is_kept_for_verdicts_once_they_are_used_and_not_for_ever() {
    let mut room = Room::with(2);
    let (a, b) = (room.ticket("a"), room.ticket("a"));
    assert_eq!(
        room.call(),
        [a, b],
        "nobody uses verdicts: both places are for answers"
    );
    let verdict = room.comes("a", true).unwrap().ticket;
    let waiting = room.ticket("b");
    assert!(room.call().is_empty());
    assert_eq!(room.leaves(a), [verdict], "a verdict goes before answers");
    assert!(room.leaves(verdict).is_empty(), "its place is kept for the next");
    let second = room.comes("a", true).unwrap();
    assert_eq!(second.forecast.wait, Duration::ZERO);
    assert_eq!(room.call(), [second.ticket]);
    room.leaves(second.ticket);
    room.now += VERDICTS_EXPECTED;
    assert_eq!(room.call(), [waiting], "nobody asks for verdicts any more");
}

#[test]
fn with_one_place_a_verdict_goes_before_the_answers_that_wait() {
    let mut room = Room::with(1);
    let running = room.ticket("a");
    room.call();
    room.ticket("a");
    let verdict = room.comes("b", true).unwrap().ticket;
    assert_eq!(room.leaves(running), [verdict]);
}

#[test]
fn verdicts_wait_for_verdicts_only_and_are_bounded() {
    let mut room = Room::with(1);
    room.terms.max_waiting = 1;
    room.ticket("a");
    room.call();
    assert!(room.comes("a", false).is_ok());
    assert!(
        room.comes("a", true).is_ok(),
        "the answers' queue is full, that of verdicts is not"
    );
    assert!(matches!(room.comes("a", true), Err(Refusal::Full(_))));
}

/// Ten seconds each: 100 tokens at 10 a second.
fn ten_seconds() -> Prior {
    Prior {
        prefill: Some(1e9),
        decode: Some(20.0),
        size_bytes: None,
    }
}

#[test]
fn the_forecast_adds_what_runs_and_who_is_ahead() {
    let mut room = Room::with(1);
    room.terms.prior = ten_seconds();
    room.ticket("a");
    room.call();
    room.now += at(4);
    let second = room.comes("a", false).unwrap();
    assert_eq!(second.forecast.wait, at(6));
    let third = room.comes("a", false).unwrap();
    assert_eq!(third.forecast.wait, at(16));
    let other_key = room.comes("b", false).unwrap();
    assert_eq!(
        other_key.forecast.wait,
        at(16),
        "after the second, before the third"
    );
    let verdict = room.comes("c", true).unwrap();
    assert_eq!(verdict.forecast.wait, at(6), "only what runs");
}

#[test]
fn a_forecast_beyond_the_deadline_is_refused_with_the_forecast() {
    let mut room = Room::with(1);
    room.terms.prior = ten_seconds();
    room.ticket("a");
    room.call();
    room.terms.deadline = Some(at(9));
    let Err(Refusal::TooLate(told)) = room.comes("a", false) else {
        panic!("it was let in");
    };
    assert_eq!(told.wait, at(10));
    assert_eq!(room.desk.load(&"m".into(), room.now).waiting, 0);
    room.terms.deadline = Some(at(11));
    assert!(room.comes("a", false).is_ok());
}

#[test]
fn a_slow_first_token_is_beyond_the_deadline_even_when_a_place_is_free() {
    let mut room = Room::with(1);
    room.terms.prior.prefill = Some(100.0);
    room.terms.deadline = Some(at(5));
    let who = |prompt_tokens| Newcomer {
        key: "a".into(),
        verdict: false,
        work: Work {
            prompt_tokens,
            ..Work::default()
        },
    };
    let model = "m".into();
    let refused = room.desk.arrive(&model, &who(1000), &room.terms, room.now);
    assert!(matches!(refused, Err(Refusal::TooLate(f)) if f.first_token == Some(at(10)) && f.wait.is_zero()));
    assert!(room.desk.arrive(&model, &who(100), &room.terms, room.now).is_ok());
}

#[test]
fn a_model_without_known_slots_is_measured_but_never_full() {
    let mut room = Room::with(1);
    room.terms.slots = None;
    room.terms.max_waiting = 0;
    for _ in 0..50 {
        let ticket = room.ticket("a");
        assert_eq!(room.call(), [ticket]);
    }
    assert_eq!(room.desk.load(&"m".into(), room.now).running, 50);
}

/// A desk whose provider was seen to hold one model at a time, `in` being the one.
fn crowded() -> Room {
    let mut room = Room::with(1);
    for model in ["out", "in"] {
        let ticket = room.comes_for(model, "a", false).unwrap().ticket;
        room.call();
        room.desk.leave(&model.into(), ticket);
        room.desk.look(&[model.into()]);
    }
    room
}

#[test]
fn requests_for_the_loaded_model_go_first() {
    let mut room = crowded();
    let running = room.comes_for("in", "a", false).unwrap().ticket;
    room.call();
    let swap = room.comes_for("out", "b", false).unwrap().ticket;
    let grouped = room.comes_for("in", "a", false).unwrap().ticket;
    assert!(
        room.call().is_empty(),
        "the other model's place is free, but it would have to be loaded"
    );
    room.desk.leave(&"in".into(), running);
    assert_eq!(room.call(), [grouped]);
    room.desk.leave(&"in".into(), grouped);
    assert_eq!(room.call(), [swap]);
    let waits = room.comes_for("in", "a", false).unwrap().ticket;
    assert!(room.call().is_empty(), "now the other one is out");
    room.desk.leave(&"out".into(), swap);
    assert_eq!(room.call(), [waits]);
}

#[test]
fn nobody_waits_for_ever_for_another_model() {
    let mut room = crowded();
    room.comes_for("in", "a", false).unwrap();
    room.call();
    let starved = room.comes_for("out", "b", false).unwrap();
    assert!(starved.forecast.wait <= SWAP_AFTER && starved.forecast.wait > Duration::ZERO);
    room.now += SWAP_AFTER - at(1);
    assert!(room.call().is_empty());
    room.now += at(1);
    assert_eq!(room.call(), [starved.ticket]);
}

#[test]
fn a_model_that_is_out_is_cold_and_one_that_just_answered_is_not() {
    let mut room = crowded();
    assert!(room.desk.is_cold(&"out".into(), false, room.now));
    assert!(room.desk.is_cold(&"in".into(), true, room.now));
    room.desk.began(&"in".into(), room.now);
    assert!(
        !room.desk.is_cold(&"in".into(), true, room.now),
        "the status is older than the answer"
    );
}

#[test]
fn a_failure_cools_an_instance_until_it_answers_again() {
    let mut room = Room::with(1);
    room.ticket("a");
    let model: Arc<str> = "m".into();
    room.desk.failed(&model, room.now);
    assert!(room.desk.load(&model, room.now).cooling);
    assert!(!room.desk.load(&model, room.now + COOL_DOWN).cooling);
    room.desk.began(&model, room.now);
    assert!(!room.desk.load(&model, room.now).cooling);
}

#[test]
fn the_providers_own_queue_counts_and_ours_is_not_counted_twice() {
    let mut room = Room::with(1);
    room.terms.prior = ten_seconds();
    room.ticket("a");
    room.call();
    // The provider was asked while ours ran there: it counts it too.
    let ours_only = QueueReport {
        running: 1,
        ours: 1,
        wait: at(10),
        ..QueueReport::default()
    };
    room.terms.queue = Some(ours_only);
    let told = room.comes("b", false).unwrap().forecast;
    assert_eq!((told.wait, told.elsewhere), (at(10), at(0)), "both say the same");
    room.now += at(4);
    room.terms.queue = Some(QueueReport {
        running: 1,
        queued: 3,
        ours: 2,
        wait: at(40),
        first_token: Some(at(2)),
        way: Duration::from_millis(5),
        age: at(1),
    });
    let told = room.comes("c", false).unwrap().forecast;
    assert_eq!(told.wait, at(39), "others are ahead of us there");
    assert_eq!(told.elsewhere, at(39) - at(16), "the wait here is part of it");
    let first = at(2) + Duration::from_millis(5);
    assert_eq!(told.first_token, Some(first), "nothing was measured here yet");
    let verdict = room.comes("c", true).unwrap().forecast;
    assert!(verdict.wait < at(10), "verdicts have a line of their own there");
}
