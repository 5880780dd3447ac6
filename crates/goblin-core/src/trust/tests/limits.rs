//! Steps, time, money, machines; settings that contradict themselves.

use super::*;

/// A whole answer that is not sure enough.
fn unsure(play: &mut Play, rung: usize) {
    play.say(rung, "Maybe.");
    play.finish(rung);
    play.answer_safety(0.99);
    play.confidence(0.5);
}

#[test]
fn no_more_models_answer_than_may() {
    let rungs = vec![local("a", 0.5), local("b", 0.6), local("c", 0.7)];
    let mut play = Play::asked(
        Settings {
            max_steps: 2,
            ..settings()
        },
        rungs,
    );
    unsure(&mut play, 0);
    unsure(&mut play, 1);
    assert_eq!(play.started(), [0, 1]);
    assert!(matches!(play.end(), Some(End::Finished { low: Some(_), .. })));
}

#[test]
fn nothing_leaves_the_operators_machines_when_it_may_not() {
    let rungs = vec![cloud("x", 0.9), local("a", 0.5), cloud("y", 0.95)];
    let mut play = Play::asked(
        Settings {
            local_only: true,
            ..settings()
        },
        rungs,
    );
    unsure(&mut play, 1);
    assert_eq!(play.started(), [1]);
    play.assert_finished(1, true);
}

#[test]
fn local_models_are_asked_before_others_and_of_those_the_one_with_most_gain_for_its_cost() {
    let cheap = Rung {
        price: Some(Price {
            input_usd: 0.0001,
            output_usd: 0.0001,
        }),
        ..cloud("cheap", 0.85)
    };
    let unpriced = Rung {
        price: None,
        ..cloud("unpriced", 0.99)
    };
    let rungs = vec![
        local("a", 0.5),
        unpriced,
        cloud("dear", 0.95),
        cheap,
        local("b", 0.6),
    ];
    let mut play = Play::asked(settings(), rungs);
    unsure(&mut play, 0);
    unsure(&mut play, 4);
    assert_eq!(play.started(), [0, 4, 3]);
}

#[test]
fn another_server_of_the_same_model_and_a_weaker_model_are_no_better_rung() {
    let twin = Rung {
        id: "q/a".into(),
        ..local("a", 0.5)
    };
    let mut play = Play::asked(settings(), vec![local("a", 0.5), twin, local("weak", 0.3)]);
    unsure(&mut play, 0);
    assert_eq!(play.started(), [0]);
    play.assert_finished(0, true);
}

#[test]
fn under_a_limit_of_cost_rungs_without_a_price_are_left_out_and_said_so() {
    let unpriced = Rung {
        price: None,
        ..cloud("x", 0.9)
    };
    let rungs = vec![local("a", 0.5), unpriced];
    let mut play = Play::asked(
        Settings {
            max_cost_usd: Some(1.0),
            ..settings()
        },
        rungs,
    );
    let said = |a: &Action| matches!(a, Action::Note(note) if note.contains("no price"));
    assert!(play.done.iter().any(said), "{:?}", play.done);
    unsure(&mut play, 0);
    play.assert_finished(0, true);
}

#[test]
fn a_rung_may_use_as_many_tokens_as_there_is_money_for() {
    let limited = Settings {
        max_cost_usd: Some(0.115),
        ..settings()
    };
    // 10 tokens of prompt, 105 of answer.
    let mut play = Play::asked(limited, vec![cloud("a", 0.5), cloud("b", 0.9)]);
    assert!(play.done.contains(&Action::Start {
        rung: 0,
        max_tokens: Some(105)
    }));
    for i in 0..106 {
        play.said(0, text(&format!(" w{i}")));
    }
    assert!(play.done.contains(&Action::Cancel { rung: 0 }));
    assert_eq!(play.started(), [0], "nothing is left for another");
}

#[test]
fn who_cannot_be_paid_is_not_asked() {
    let limited = Settings {
        max_cost_usd: Some(0.01),
        ..settings()
    };
    let mut play = Play::asked(limited, vec![cloud("a", 0.5)]);
    play.assert_failed(Failure::NoRung, false);
    assert_eq!(play.cascade.spent_usd(), 0.0);
    play.on(Event::Tick);
}

#[test]
fn what_was_spent_is_what_the_server_counted() {
    let mut play = Play::asked(settings(), vec![cloud("a", 0.5)]);
    play.say(0, "Yes.");
    assert!(play.cascade.spent_usd() > 0.0);
    play.said(0, usage(100, 50));
    play.finish(0);
    assert!((play.cascade.spent_usd() - 0.15).abs() < 1e-9);
}

fn until(deadline_ms: u64) -> Settings {
    Settings {
        deadline_ms: Some(deadline_ms),
        ..settings()
    }
}

#[test]
fn the_deadline_ends_an_answer_that_is_not_whole() {
    let mut play = Play::asked(until(1000), two());
    assert_eq!(play.cascade.wake_at(), Some(1000));
    play.say(0, "One");
    let done = play.at(1000, Event::Tick);
    assert!(done.contains(&Action::Cancel { rung: 0 }));
    play.assert_failed(Failure::Deadline, false);
}

#[test]
fn the_deadline_delivers_what_is_whole_and_safe() {
    let mut play = Play::asked(until(1000), two());
    play.say(0, "Yes.");
    play.finish(0);
    play.answer_safety(0.99);
    play.at(1000, Event::Tick);
    play.assert_finished(0, true);
    assert_eq!(play.seen(), "Yes.");

    let mut play = Play::asked(until(1000), two());
    play.say(0, "Yes.");
    play.finish(0);
    play.confidence(0.9);
    play.at(1000, Event::Tick);
    play.assert_failed(Failure::Deadline, false);
    assert_eq!(play.seen(), "", "nobody said that it is safe");
}

#[test]
fn the_deadline_delivers_the_first_answer_when_the_better_one_is_not_there() {
    let mut play = Play::asked(until(1000), two());
    unsure(&mut play, 0);
    play.say(1, "One two");
    play.at(1001, Event::Tick);
    play.assert_finished(0, true);
    assert_eq!(play.seen(), "Maybe.");
    assert_eq!(play.outcome(1), Some(StepOutcome::Cancelled));
}

#[test]
fn who_would_begin_after_the_deadline_is_not_asked() {
    let slow = Rung {
        first_token_ms: Some(5000),
        ..local("b", 0.9)
    };
    let mut play = Play::asked(until(1000), vec![local("a", 0.5), slow.clone()]);
    unsure(&mut play, 0);
    play.assert_finished(0, true);
    let play = Play::asked_without_verdict(until(1000), vec![slow]);
    play.assert_failed(Failure::Deadline, false);
}

#[test]
fn an_answer_over_the_limit_of_bytes_is_cut_off() {
    let short = Settings {
        max_answer_bytes: 100,
        ..settings()
    };
    let mut play = Play::asked(short, vec![local("a", 0.5)]);
    for i in 0..60 {
        play.said(0, text(&format!(" w{i}")));
    }
    assert!(play.done.contains(&Action::Cancel { rung: 0 }));
    play.answer_safety(0.99);
    assert!(matches!(
        play.end(),
        Some(End::Finished {
            reason: FinishReason::Length,
            ..
        })
    ));
}

#[test]
fn a_caller_who_leaves_stops_everything() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "One two three four. Five");
    let done = play.on(Event::Left);
    assert!(done.contains(&Action::Cancel { rung: 0 }));
    assert!(done.iter().any(|a| matches!(a, Action::Unask(_))));
    assert_eq!(play.end(), Some(&End::Left));
    assert_eq!(play.say(0, "more"), []);
}

#[test]
fn settings_that_contradict_themselves_are_refused() {
    let refused =
        |settings, rungs| Cascade::new(settings, rungs, None, Arc::new(Form::default())).unwrap_err();
    let thresholds = |safety, confidence, critical| Settings {
        thresholds: Thresholds {
            safety,
            confidence,
            critical,
        },
        ..settings()
    };
    assert_eq!(refused(settings(), vec![]), SettingsError::NoRungs);
    let twice = vec![local("a", 0.5), local("b", 0.6), local("a", 0.5)];
    assert_eq!(refused(settings(), twice), SettingsError::Loop("p/a".into()));
    for (settings, name) in [
        (thresholds(1.1, 0.6, 0.4), "safety"),
        (thresholds(0.7, -0.1, 0.4), "confidence"),
        (thresholds(0.7, 0.6, f64::NAN), "critical"),
    ] {
        assert_eq!(refused(settings, two()), SettingsError::NotAProbability(name));
    }
    let local_only = Settings {
        local_only: true,
        ..settings()
    };
    assert_eq!(
        refused(local_only, vec![cloud("x", 0.9)]),
        SettingsError::NothingLocal
    );
    let no_steps = Settings {
        max_steps: 0,
        ..settings()
    };
    assert_eq!(refused(no_steps, two()), SettingsError::NoSteps);
    let no_money = Settings {
        max_cost_usd: Some(-1.0),
        ..settings()
    };
    assert_eq!(refused(no_money, two()), SettingsError::NotAnAmount);
}
