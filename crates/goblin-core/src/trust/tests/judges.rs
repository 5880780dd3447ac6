//! Judges that are absent, fail, are slow, abstain, only advise.

use super::*;
use crate::trust::calibration::{Calibration, EarlyExit, TokenWeights};

#[test]
fn a_failed_safety_judge_fails_closed_before_the_first_byte_and_after_it() {
    let nan = Heard::Probability {
        value: f64::NAN,
        mass: 1.0,
        category: None,
    };
    let abstains = Heard::Probability {
        value: 0.99,
        mass: 0.49,
        category: None,
    };
    let no_mass = Heard::Probability {
        value: 0.99,
        mass: f64::NAN,
        category: None,
    };
    let beyond = Heard::Probability {
        value: 1.5,
        mass: 1.0,
        category: None,
    };
    for heard in [Heard::Failed, nan, abstains, no_mass, beyond] {
        let mut play = Play::with(settings(), two(), Some(granted()), Form::default());
        play.on(Event::Asked);
        play.hear(|ask| *ask == Ask::Prompt, heard.clone());
        play.assert_failed(Failure::JudgeUnavailable, false);

        let mut play = Play::asked(settings(), two());
        play.say(0, "One two three four. Five six seven eight. Nine");
        play.window(0.99);
        let done = play.hear(is_window, heard.clone());
        assert!(done.contains(&Action::Cancel { rung: 0 }));
        play.assert_failed(Failure::JudgeUnavailable, true);
        assert_eq!(play.seen(), SENTENCE);

        let mut play = Play::asked(settings(), two());
        play.say(0, "Yes.");
        play.finish(0);
        play.confidence(0.9);
        play.hear(is_answer, heard);
        play.assert_failed(Failure::JudgeUnavailable, false);
        assert_eq!(play.seen(), "");
    }
}

#[test]
fn a_failed_confidence_judge_is_followed_by_the_next_one_that_may_act_then_by_a_better_model() {
    let rung = Rung {
        confidence: vec![granted(), granted(), advisory()],
        ..local("a", 0.5)
    };
    let mut play = Play::asked(settings(), vec![rung, local("b", 0.8)]);
    play.say(0, "Yes.");
    play.finish(0);
    play.answer_safety(0.99);
    let done = play.hear(is_confidence, Heard::Failed);
    let second = Ask::Confidence { rung: 0, judge: 1 };
    assert!(
        done.iter()
            .any(|a| matches!(a, Action::Ask { ask, .. } if *ask == second))
    );
    play.hear(is_confidence, Heard::Failed);
    assert_eq!(play.started(), [0, 1]);
    play.say(1, "No.");
    play.finish(1);
    play.answer_safety(0.99);
    play.hear(is_confidence, Heard::Failed);
    play.assert_finished(1, true);
    assert_eq!(play.seen(), "No.");
}

#[test]
fn a_judge_that_is_late_has_failed_and_its_answer_is_not_waited_for() {
    let mut play = Play::with(settings(), two(), Some(granted()), Form::default());
    play.on(Event::Asked);
    assert_eq!(play.cascade.wake_at(), Some(30_000));
    assert_eq!(play.at(29_999, Event::Tick), []);
    let done = play.at(30_000, Event::Tick);
    assert!(matches!(done[0], Action::Unask(_)));
    play.assert_failed(Failure::JudgeUnavailable, false);
    assert_eq!(play.cascade.wake_at(), None);
    let heard = probability(0.99);
    assert_eq!(play.on(Event::Judged { ask: AskId(0), heard }), []);
}

#[test]
fn advisory_verdicts_are_heard_and_change_nothing() {
    for (prompt, safety, sure) in [(0.0, 0.0, 0.0), (0.99, 0.01, 0.2), (f64::NAN, f64::NAN, f64::NAN)] {
        let rungs = vec![advised("a", 0.5), advised("b", 0.8)];
        let mut play = Play::with(settings(), rungs, Some(advisory()), Form::default());
        play.on(Event::Asked);
        play.say(0, "One two three four. Five");
        play.prompt(prompt);
        assert_eq!(play.seen(), "One two three four. Five");
        assert!(
            play.open(is_window).is_none(),
            "a window's verdict could do nothing"
        );
        play.finish(0);
        assert!(play.end().is_none(), "the record waits for its verdicts");
        play.answer_safety(safety);
        play.confidence(sure);
        play.assert_finished(0, false);
        assert_eq!(play.started(), [0]);
        let Some(End::Finished { confidence, .. }) = play.end() else {
            panic!()
        };
        assert_eq!(
            confidence.as_ref().map(|c| c.value),
            (!sure.is_nan()).then_some(sure)
        );
        let told = play.cascade.safety();
        assert_eq!(
            told.map(|s| s.authority),
            (!prompt.is_nan()).then_some(Authority::None)
        );
    }
}

#[test]
fn an_advisory_judge_that_fails_or_never_answers_only_ends_the_wait_for_it() {
    let mut play = Play::with(
        settings(),
        vec![advised("a", 0.5)],
        Some(advisory()),
        Form::default(),
    );
    play.on(Event::Asked);
    play.hear(|ask| *ask == Ask::Prompt, Heard::Failed);
    play.say(0, "Yes.");
    play.finish(0);
    assert_eq!(play.seen(), "Yes.");
    play.at(60_000, Event::Tick);
    play.assert_finished(0, false);
}

#[test]
fn an_absent_judge_turns_nothing_into_an_error_and_is_named() {
    let mut play = Play::unjudged(settings(), vec![unjudged("a", 0.5)], Form::default());
    let notes = play.done.iter().filter(|a| matches!(a, Action::Note(_))).count();
    assert_eq!(notes, 2, "{:?}", play.done);
    play.say(0, "Yes.");
    play.finish(0);
    play.assert_finished(0, false);
}

#[test]
fn a_required_judge_that_is_absent_or_may_not_act_refuses() {
    for judge in [None, Some(advisory())] {
        let strict = Settings {
            require_judge: true,
            ..settings()
        };
        let mut play = Play::with(strict, two(), judge, Form::default());
        play.on(Event::Asked);
        play.assert_failed(Failure::JudgeUnavailable, false);
        assert!(play.started().is_empty());
    }
}

#[test]
fn confidence_of_models_elsewhere_is_recorded_and_safety_acts() {
    let mut play = Play::asked(settings(), vec![cloud("a", 0.5), cloud("b", 0.9)]);
    play.say(0, "Yes.");
    play.finish(0);
    play.answer_safety(0.99);
    assert_eq!(play.seen(), "Yes.");
    play.confidence(0.01);
    play.assert_finished(0, false);

    let mut play = Play::asked(settings(), vec![cloud("a", 0.5)]);
    play.say(0, "Yes.");
    play.finish(0);
    play.answer_safety(0.1);
    assert!(matches!(play.end(), Some(End::Rejected { .. })));
}

#[test]
fn a_model_that_judges_itself_never_acts_on_confidence_and_may_on_safety() {
    let itself = Judge {
        authority: Authority::Grant,
        self_judged: true,
    };
    let rung = Rung {
        confidence: vec![itself],
        ..local("a", 0.5)
    };
    let mut play = Play::asked(settings(), vec![rung, local("b", 0.8)]);
    play.say(0, "Yes.");
    play.finish(0);
    play.confidence(0.0);
    assert_eq!(play.started(), [0]);
    play.answer_safety(0.1);
    assert!(matches!(play.end(), Some(End::Rejected { .. })));
}

#[test]
fn a_judge_that_can_only_write_words_is_as_absent() {
    let mut play = Play::with(settings(), two(), Some(granted()), Form::default());
    play.on(Event::Asked);
    play.say(0, "Yes.");
    play.hear(|ask| *ask == Ask::Prompt, Heard::Word);
    play.finish(0);
    assert!(play.open(is_answer).is_none());
    play.hear(is_confidence, Heard::Word);
    play.assert_finished(0, false);
    assert_eq!(play.seen(), "Yes.");
}

#[test]
fn a_judge_with_authority_for_one_kind_of_question_is_asked_that_kind() {
    let only = |quick, thorough| Rung {
        safety: Some(SafetyJudge { quick, thorough }),
        ..local("a", 0.5)
    };
    let depth_of = |rung| {
        let mut play = Play::asked(settings(), vec![rung]);
        play.say(0, "One two three four. Five");
        play.done.iter().find_map(|a| match a {
            Action::Ask {
                ask: Ask::Safety { depth, .. },
                ..
            } => Some(*depth),
            _ => None,
        })
    };
    assert_eq!(
        depth_of(only(Authority::None, Authority::Record)),
        Some(Depth::Thorough)
    );
    assert_eq!(
        depth_of(only(Authority::Record, Authority::None)),
        Some(Depth::Quick)
    );
    // The quick question decides alone where the others may not.
    let mut play = Play::asked(settings(), vec![only(Authority::Record, Authority::None)]);
    play.say(0, "One two three four. Five");
    play.window(0.75);
    assert_eq!(play.seen(), SENTENCE);
    play.say(0, "six seven eight. Nine");
    play.window(0.6);
    assert!(matches!(play.end(), Some(End::Rejected { .. })));
}

fn fitted(abort_below: f64) -> Calibration {
    Calibration {
        judge: 1.0,
        early: Some(EarlyExit {
            weights: TokenWeights {
                bias: 2.0,
                mean: 2.0,
                ..TokenWeights::default()
            },
            abort_below,
        }),
        ..Calibration::default()
    }
}

#[test]
fn an_unlikely_beginning_is_given_up_after_so_many_tokens_with_a_calibration_only() {
    for (calibration, gives_up) in [(Some(fitted(0.5)), true), (None, false)] {
        let rung = Rung {
            calibration,
            ..local("a", 0.5)
        };
        let mut play = Play::asked(settings(), vec![rung, local("b", 0.8)]);
        for i in 0..31 {
            play.said(0, likely(&format!(" w{i}"), -4.0));
        }
        assert_eq!(play.started(), [0]);
        let done = play.said(0, likely(" w", -4.0));
        assert_eq!(done.contains(&Action::Cancel { rung: 0 }), gives_up);
        assert_eq!(play.started().len(), if gives_up { 2 } else { 1 });
    }
}

#[test]
fn what_a_plain_client_has_seen_is_not_given_up() {
    let rung = Rung {
        calibration: Some(fitted(0.5)),
        ..local("a", 0.5)
    };
    let mut play = Play::asked(settings(), vec![rung, local("b", 0.8)]);
    for i in 0..8 {
        play.said(0, likely(&format!(" w{i}"), -4.0));
    }
    play.window(0.99);
    for i in 0..40 {
        play.said(0, likely(&format!(" w{i}"), -4.0));
    }
    assert_eq!(play.started(), [0]);
}

#[test]
fn a_calibrated_confidence_acts_whoever_judged() {
    let rung = Rung {
        confidence: vec![advisory()],
        calibration: Some(Calibration {
            judge: 1.0,
            ..Calibration::default()
        }),
        ..local("a", 0.5)
    };
    let mut play = Play::asked(settings(), vec![rung, local("b", 0.8)]);
    play.say(0, "Yes.");
    play.finish(0);
    play.answer_safety(0.99);
    play.confidence(0.3);
    assert_eq!(play.started(), [0, 1]);
}

#[test]
fn a_judge_that_always_says_yes_lets_everything_pass() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "One two three four. Five");
    play.window(1.0);
    play.finish(0);
    play.answer_safety(1.0);
    play.confidence(1.0);
    play.assert_finished(0, false);
}

#[test]
fn checks_inside_this_process_refuse_at_once_or_keep_things_here() {
    let found = |effect| {
        Event::Found(Found {
            about: About::Prompt,
            rule: "secret:key".to_owned(),
            effect,
        })
    };
    let mut play = Play::with(settings(), two(), None, Form::default());
    play.on(found(Effect::Refuse));
    play.on(Event::Asked);
    assert!(play.started().is_empty());
    assert!(matches!(play.end(), Some(End::Rejected { refusal, .. }) if refusal.rule() == "secret:key"));

    let mut play = Play::with(
        settings(),
        vec![cloud("a", 0.9), local("b", 0.5)],
        None,
        Form::default(),
    );
    play.on(found(Effect::KeepLocal));
    play.on(Event::Asked);
    assert_eq!(play.started(), [1]);
    assert_eq!(play.cascade.safety().unwrap().found, ["secret:key"]);

    let mut play = Play::asked(settings(), two());
    play.say(0, "Sure.");
    play.on(found(Effect::Refuse));
    assert!(matches!(play.end(), Some(End::Rejected { shown: false, .. })));
}
