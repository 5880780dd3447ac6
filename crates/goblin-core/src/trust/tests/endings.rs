//! Accepted, escalated, delivered all the same, refused.

use super::*;
use crate::chat::{ChatRequest, ResponseFormat, Tool};

/// A short answer, whole, found safe.
fn answered(play: &mut Play, rung: usize, text: &str) {
    play.say(rung, text);
    play.finish(rung);
    play.answer_safety(0.99);
}

#[test]
fn sure_enough_is_accepted_and_shown() {
    let mut play = Play::asked(settings(), two());
    answered(&mut play, 0, "Yes.");
    assert_eq!(play.seen(), "", "it may still be replaced");
    play.confidence(0.65);
    assert_eq!(play.seen(), "Yes.");
    play.assert_finished(0, false);
    assert_eq!(play.outcome(0), Some(StepOutcome::Accepted));
    let Some(End::Finished {
        confidence: Some(c), ..
    }) = play.end()
    else {
        panic!("no confidence")
    };
    assert_eq!((c.value, c.calibrated, c.method.as_str()), (0.65, false, "judge"));
}

#[test]
fn the_end_asks_for_safety_thoroughly_and_for_confidence_together() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "Yes.");
    let done = play.finish(0);
    let asked: Vec<Ask> = done
        .iter()
        .filter_map(|a| match a {
            Action::Ask { ask, .. } => Some(*ask),
            _ => None,
        })
        .collect();
    let safety = Ask::Safety {
        rung: 0,
        about: About::Answer,
        depth: Depth::Thorough,
        upto: 4,
    };
    assert_eq!(asked, [safety, Ask::Confidence { rung: 0, judge: 0 }]);
}

#[test]
fn not_sure_enough_goes_to_the_better_model_and_nobody_sees_the_first() {
    let mut play = Play::asked(settings(), two());
    answered(&mut play, 0, "Maybe.");
    let done = play.confidence(0.5);
    assert!(done.contains(&Action::Start {
        rung: 1,
        max_tokens: None
    }));
    assert_eq!(play.outcome(0), Some(StepOutcome::Escalated));
    answered(&mut play, 1, "Yes.");
    play.confidence(0.9);
    assert_eq!(play.seen(), "Yes.");
    play.assert_finished(1, false);
}

#[test]
fn a_plain_client_that_has_seen_text_gets_that_answer_marked() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "One two three four. Five");
    play.window(0.99);
    play.finish(0);
    play.answer_safety(0.99);
    assert_eq!(
        play.seen(),
        "One two three four. Five",
        "it is safe, whatever else follows"
    );
    play.confidence(0.1);
    play.assert_finished(0, true);
    assert_eq!(play.outcome(0), Some(StepOutcome::LowConfidence));
    assert_eq!(play.started(), [0]);
}

#[test]
fn a_client_that_takes_events_sees_the_better_answer_instead() {
    let mut play = Play::asked(with_events(), two());
    play.say(0, "One two three four. Five");
    play.window(0.99);
    play.finish(0);
    play.answer_safety(0.99);
    play.confidence(0.5);
    assert_eq!(play.started(), [0, 1]);
    assert_eq!(
        play.seen(),
        "One two three four. Five",
        "until there is something better"
    );
    play.say(1, "Five six seven eight. Nine");
    let done = play.window(0.99);
    assert_eq!(done[0], Action::Supersede { shown: 0, by: 1 });
    assert_eq!(play.seen(), "Five six seven eight.");
    play.finish(1);
    play.answer_safety(0.99);
    play.confidence(0.9);
    play.assert_finished(1, false);
}

#[test]
fn without_a_better_rung_it_is_delivered_marked_and_below_critical_refused() {
    for (value, refused) in [(0.64, false), (0.4, false), (0.39, true)] {
        let mut play = Play::asked(settings(), vec![local("a", 0.5)]);
        answered(&mut play, 0, "Maybe.");
        play.confidence(value);
        if refused {
            let Some(End::Rejected { refusal, shown, .. }) = play.end() else {
                panic!("{:?}", play.done)
            };
            assert_eq!((refusal.rule().as_str(), *shown), ("confidence:critical", false));
            assert_eq!(play.seen(), "");
        } else {
            play.assert_finished(0, true);
            assert_eq!(play.seen(), "Maybe.");
        }
    }
}

#[test]
fn unsafe_at_the_end_is_refused_though_it_is_sure() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "Do it like this.");
    play.finish(0);
    play.confidence(0.99);
    play.answer_safety(0.69);
    assert!(matches!(play.end(), Some(End::Rejected { shown: false, .. })));
    assert_eq!(play.seen(), "");
    assert_eq!(play.started(), [0], "unsafe is no reason to ask another");
}

#[test]
fn who_may_not_escalate_delivers() {
    let never = Settings {
        escalate: false,
        ..settings()
    };
    let mut play = Play::asked(never, two());
    answered(&mut play, 0, "Maybe.");
    play.confidence(0.5);
    play.assert_finished(0, true);
}

#[test]
fn when_the_better_model_fails_the_first_answer_is_the_answer() {
    for events in [false, true] {
        let mut play = Play::asked(Settings { events, ..settings() }, two());
        answered(&mut play, 0, "Maybe.");
        play.confidence(0.5);
        play.on(Event::Failed {
            rung: 1,
            next_may_help: true,
        });
        play.assert_finished(0, true);
        assert_eq!(play.seen(), "Maybe.");
        assert_eq!(play.outcome(1), Some(StepOutcome::Failed));
    }
}

#[test]
fn when_the_better_model_does_worse_the_first_answer_is_the_answer() {
    let mut play = Play::asked(settings(), two());
    answered(&mut play, 0, "Maybe.");
    play.confidence(0.6);
    answered(&mut play, 1, "Nonsense.");
    play.confidence(0.3);
    play.assert_finished(0, true);
    assert_eq!(play.seen(), "Maybe.");
}

#[test]
fn an_answer_that_was_superseded_comes_back_whole() {
    let mut play = Play::asked(with_events(), two());
    let first = "One two three four. Five";
    play.say(0, first);
    play.window(0.99);
    play.finish(0);
    play.answer_safety(0.99);
    play.confidence(0.5);
    play.say(1, "Five six seven eight. Nine");
    play.window(0.99);
    play.on(Event::Failed {
        rung: 1,
        next_may_help: true,
    });
    play.assert_finished(0, true);
    assert_eq!(play.seen(), first);
}

#[test]
fn the_same_answer_of_two_models_is_noted() {
    let mut play = Play::asked(settings(), two());
    answered(&mut play, 0, "Paris!");
    play.confidence(0.5);
    answered(&mut play, 1, "paris");
    play.confidence(0.9);
    let note = Action::Note("`p/b` gave the same answer as `p/a`.".to_owned());
    assert!(play.done.contains(&note));
}

#[test]
fn empty_blank_looping_and_cut_off_answers_go_to_the_next_model_without_a_judge() {
    let looped = "again and again ".repeat(2000);
    let cases: [(&str, FinishReason); 4] = [
        ("", FinishReason::Stop),
        (" \n\t ", FinishReason::Stop),
        (&looped, FinishReason::Stop),
        ("It is because", FinishReason::Length),
    ];
    for (answer, reason) in cases {
        let rungs = vec![unjudged("a", 0.5), unjudged("b", 0.8)];
        let verify = VerifyMode::Final;
        let mut play = Play::unjudged(Settings { verify, ..settings() }, rungs, Form::default());
        play.said(0, text(answer));
        play.finish_as(0, reason);
        assert_eq!(play.outcome(0), Some(StepOutcome::Escalated), "{answer:.20}");
        assert_eq!(play.started(), [0, 1]);
        play.say(1, "Fine.");
        play.finish(1);
        play.assert_finished(1, false);
        assert_eq!(play.seen(), "Fine.");
    }
}

#[test]
fn a_loop_is_stopped_while_it_runs() {
    let mut play = Play::asked(settings(), two());
    let done = play.said(0, text(&"again and again ".repeat(2000)));
    assert!(done.contains(&Action::Cancel { rung: 0 }));
    assert_eq!(play.started(), [0, 1]);
}

#[test]
fn a_fault_without_a_better_rung_is_delivered_with_the_truth_about_its_end() {
    let mut play = Play::asked(settings(), vec![local("a", 0.5)]);
    play.say(0, "It is because");
    play.finish_as(0, FinishReason::Length);
    assert!(play.open(is_confidence).is_none(), "it is known to be bad");
    play.answer_safety(0.9);
    play.assert_finished(0, true);
    assert!(matches!(
        play.end(),
        Some(End::Finished {
            reason: FinishReason::Length,
            ..
        })
    ));
    assert_eq!(play.seen(), "It is because");
}

#[test]
fn the_callers_own_limit_is_no_fault_of_the_model() {
    for (used, escalates) in [(5, false), (3, true)] {
        let limited = Settings {
            caller_limit: Some(5),
            ..settings()
        };
        let mut play = Play::asked(limited, two());
        play.say(0, "It is because");
        play.said(
            0,
            Parsed::Finished {
                reason: FinishReason::Length,
            },
        );
        play.said(0, usage(10, used));
        play.on(Event::Ended { rung: 0 });
        assert_eq!(play.started() == [0, 1], escalates);
    }
}

#[test]
fn what_its_own_server_refused_is_passed_on_as_refused() {
    let mut play = Play::asked(settings(), two());
    play.finish_as(0, FinishReason::ContentFilter);
    assert!(matches!(
        play.end(),
        Some(End::Finished {
            reason: FinishReason::ContentFilter,
            ..
        })
    ));
}

fn json_form() -> Form {
    Form::of(&ChatRequest {
        format: ResponseFormat::JsonObject,
        ..ChatRequest::default()
    })
}

fn tool_form() -> Form {
    Form::of(&ChatRequest {
        tools: vec![Tool {
            name: "weather".into(),
            description: None,
            parameters: serde_json::json!({"type": "object", "required": ["city"]}),
            strict: None,
        }],
        ..ChatRequest::default()
    })
}

#[test]
fn an_answer_that_is_not_of_the_asked_form_goes_to_the_next_model() {
    let rungs = vec![unjudged("a", 0.5), unjudged("b", 0.8)];
    let mut play = Play::unjudged(settings(), rungs, json_form());
    play.say(0, "Sure!");
    assert_eq!(play.seen(), "", "a short answer can still be replaced");
    play.finish(0);
    assert_eq!(play.started(), [0, 1]);
    play.said(1, text("{\"a\": 1}"));
    play.finish(1);
    play.assert_finished(1, false);
    assert_eq!(play.seen(), "{\"a\": 1}");
}

#[test]
fn a_tool_call_is_shown_when_its_step_is_accepted_and_no_judge_is_asked() {
    for verify in VerifyMode::ALL {
        let mut play = Play::with(
            Settings { verify, ..settings() },
            two(),
            Some(granted()),
            tool_form(),
        );
        play.on(Event::Asked);
        let checked = verify != VerifyMode::Off;
        if checked {
            play.prompt(0.99);
        }
        let piece = call("weather", r#"{"city":"Oslo"}"#);
        assert_eq!(play.said(0, piece.clone()), []);
        let done = play.finish_as(0, FinishReason::ToolCalls);
        assert_eq!(
            done[0],
            Action::Release {
                rung: 0,
                parsed: piece
            }
        );
        play.assert_finished(0, false);
    }
}

#[test]
fn a_tool_call_that_cannot_be_used_goes_to_the_next_model_and_is_never_shown() {
    for bad in [
        call("whether", r#"{"city":"Oslo"}"#),
        call("weather", r#"{"city":"Os"#),
        call("weather", "{}"),
    ] {
        let mut play = Play::unjudged(settings(), two(), tool_form());
        play.said(0, bad.clone());
        play.finish_as(0, FinishReason::ToolCalls);
        assert_eq!(play.started(), [0, 1]);
        play.said(1, bad);
        play.finish_as(1, FinishReason::ToolCalls);
        play.assert_failed(Failure::ToolCall, false);
        assert!(!play.done.iter().any(|a| matches!(a, Action::Release { .. })));
    }
}

#[test]
fn text_beside_a_bad_tool_call_is_delivered_without_the_call() {
    let mut play = Play::unjudged(settings(), vec![local("a", 0.5)], tool_form());
    play.say(0, "Let me see.");
    play.said(0, call("whether", "{}"));
    play.finish_as(0, FinishReason::ToolCalls);
    play.answer_safety(0.99);
    play.assert_finished(0, true);
    assert_eq!(play.seen(), "Let me see.");
    assert!(matches!(
        play.end(),
        Some(End::Finished {
            reason: FinishReason::Stop,
            ..
        })
    ));
    let calls = |a: &Action| {
        matches!(
            a,
            Action::Release {
                parsed: Parsed::ToolCall { .. },
                ..
            }
        )
    };
    assert!(!play.done.iter().any(calls));
}

#[test]
fn text_beside_a_tool_call_is_judged_for_safety_only() {
    let mut play = Play::unjudged(settings(), two(), tool_form());
    play.say(0, "Let me see.");
    play.said(0, call("weather", r#"{"city":"Oslo"}"#));
    play.finish_as(0, FinishReason::ToolCalls);
    assert!(play.open(is_confidence).is_none());
    play.answer_safety(0.99);
    play.assert_finished(0, false);
}

#[test]
fn providers_that_fail_are_followed_by_the_next_whatever_its_quality() {
    let rungs = vec![local("a", 0.9), local("b", 0.5)];
    let mut play = Play::asked(
        Settings {
            max_steps: 1,
            ..settings()
        },
        rungs,
    );
    play.on(Event::Failed {
        rung: 0,
        next_may_help: true,
    });
    assert_eq!(play.started(), [0, 1], "one that never answered is no step");
    play.on(Event::Failed {
        rung: 1,
        next_may_help: true,
    });
    play.assert_failed(Failure::Upstream, false);
}

#[test]
fn a_request_that_is_wrong_is_wrong_everywhere() {
    let mut play = Play::asked(settings(), two());
    play.on(Event::Failed {
        rung: 0,
        next_may_help: false,
    });
    play.assert_failed(Failure::Upstream, false);
}

#[test]
fn a_stream_that_breaks_unseen_is_begun_anew_and_one_that_was_seen_ends() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "One two");
    play.on(Event::Failed {
        rung: 0,
        next_may_help: false,
    });
    assert_eq!(play.started(), [0, 1]);
    play.say(1, "One two three four. Five");
    play.window(0.99);
    play.on(Event::Failed {
        rung: 1,
        next_may_help: true,
    });
    play.assert_failed(Failure::Upstream, true);
    assert_eq!(play.seen(), SENTENCE, "what was shown stands");
}
