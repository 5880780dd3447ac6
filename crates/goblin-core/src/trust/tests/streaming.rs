//! What is shown when: the modes, windows, reasoning, the verdict about the question.

use super::*;

#[test]
fn generation_starts_at_once_and_waits_for_the_verdict_about_the_question() {
    let mut play = Play::with(
        Settings {
            verify: VerifyMode::Optimistic,
            ..settings()
        },
        two(),
        Some(granted()),
        Form::default(),
    );
    let first = play.on(Event::Asked);
    assert!(matches!(first[0], Action::Ask { ask: Ask::Prompt, .. }));
    assert!(matches!(first[1], Action::Start { rung: 0, .. }));
    assert_eq!(
        play.say(0, "Hello there"),
        [Action::Checking {
            about: About::Prompt,
            held_tokens: 1
        }],
        "once, not for every token"
    );
    assert_eq!(play.seen(), "");
    play.prompt(0.95);
    assert_eq!(play.seen(), "Hello there");
    play.say(0, "Hello");
    assert_eq!(play.seen(), "Hello thereHello");
}

#[test]
fn an_unsafe_question_is_refused_and_the_answer_to_it_is_stopped() {
    let mut play = Play::with(settings(), two(), Some(granted()), Form::default());
    play.on(Event::Asked);
    play.say(0, "Sure, take");
    let done = play.prompt(0.3);
    assert!(done.contains(&Action::Cancel { rung: 0 }));
    assert_eq!(play.seen(), "");
    assert_eq!(play.outcome(0), Some(StepOutcome::Rejected));
    let Some(End::Rejected { refusal, shown, .. }) = play.end() else {
        panic!("{:?}", play.done)
    };
    assert_eq!((refusal.rule().as_str(), *shown), ("safety:harm", false));
    let safety = play.cascade.safety().unwrap();
    assert_eq!(safety.refused_by.as_deref(), Some("safety:harm"));
    assert_eq!(safety.probability, Some(0.3));
}

#[test]
fn under_hold_a_window_is_shown_when_its_verdict_is_in() {
    let mut play = Play::asked(settings(), two());
    let done = play.say(0, "One two three four. Five six");
    let asked = done.iter().find_map(|action| match action {
        Action::Ask { ask, .. } => Some(*ask),
        _ => None,
    });
    let upto = SENTENCE.len();
    let (about, depth) = (About::Window(0), Depth::Quick);
    assert_eq!(
        asked,
        Some(Ask::Safety {
            rung: 0,
            about,
            depth,
            upto
        })
    );
    assert_eq!(&play.cascade.text()[..upto], SENTENCE);
    assert_eq!(play.seen(), "");
    let done = play.window(0.99);
    assert_eq!(play.seen(), SENTENCE);
    let next_waits = Action::Checking {
        about: About::Window(1),
        held_tokens: 2,
    };
    assert!(done.contains(&next_waits));
}

#[test]
fn a_slow_judge_is_asked_about_all_that_has_come_since_and_never_twice_at_once() {
    let mut play = Play::asked(settings(), two());
    let text = format!("{SENTENCE} ").repeat(5);
    let done = play.say(0, &text);
    assert_eq!(done.iter().filter(|a| matches!(a, Action::Ask { .. })).count(), 1);
    let done = play.window(0.99);
    let next = done.iter().find_map(|action| match action {
        Action::Ask {
            ask: Ask::Safety { about, upto, .. },
            ..
        } => Some((*about, *upto)),
        _ => None,
    });
    let (about, upto) = next.unwrap();
    // The fifth sentence ends when a space follows it.
    assert_eq!(about, About::Window(3));
    play.window(0.99);
    assert_eq!(play.seen().len(), upto);
    assert_eq!(play.seen(), text[..upto]);
}

#[test]
fn what_is_not_clearly_safe_is_asked_about_thoroughly() {
    let mut play = Play::asked(settings(), two());
    play.say(0, "One two three four. Five");
    let done = play.window(0.8);
    let thorough = |ask: &Ask| {
        matches!(
            ask,
            Ask::Safety {
                about: About::Window(0),
                depth: Depth::Thorough,
                ..
            }
        )
    };
    assert!(
        done.iter()
            .any(|a| matches!(a, Action::Ask { ask, .. } if thorough(ask)))
    );
    assert_eq!(play.seen(), "");
    play.hear(thorough, probability(0.75));
    assert_eq!(play.seen(), SENTENCE);
}

#[test]
fn an_unsafe_window_ends_a_plain_answer_and_is_taken_back_where_that_is_understood() {
    for events in [false, true] {
        let mut play = Play::asked(Settings { events, ..settings() }, two());
        play.say(0, "One two three four. Five six seven eight. Nine");
        play.window(0.99);
        assert_eq!(play.seen(), SENTENCE);
        play.window(0.2);
        let done = play.hear(is_window, probability(0.1));
        assert!(done.contains(&Action::Cancel { rung: 0 }));
        assert_eq!(done.contains(&Action::Retract { rung: 0 }), events);
        assert_eq!(play.seen(), if events { "" } else { SENTENCE });
        let Some(End::Rejected { shown, refusal, .. }) = play.end() else {
            panic!("{:?}", play.done)
        };
        assert_eq!(*shown, !events, "what is not taken back ends with content_filter");
        assert!(matches!(
            refusal,
            Refusal::Unsafe {
                about: About::Window(1),
                ..
            }
        ));
    }
}

#[test]
fn optimistic_shows_at_once_and_takes_back() {
    let mut play = Play::asked(
        Settings {
            verify: VerifyMode::Optimistic,
            ..with_events()
        },
        two(),
    );
    play.say(0, "One two three four. Five");
    assert_eq!(play.seen(), "One two three four. Five");
    play.window(0.2);
    play.hear(is_window, probability(0.1));
    assert_eq!(play.seen(), "");
    assert!(matches!(play.end(), Some(End::Rejected { shown: false, .. })));
}

#[test]
fn final_shows_nothing_before_the_end_and_then_everything() {
    let mut play = Play::asked(
        Settings {
            verify: VerifyMode::Final,
            ..settings()
        },
        two(),
    );
    let text = format!("{SENTENCE} ").repeat(20) + "End.";
    play.say(0, &text);
    assert!(play.open(is_window).is_none());
    play.finish(0);
    play.answer_safety(0.99);
    assert_eq!(play.seen(), "");
    play.confidence(0.9);
    assert_eq!(play.seen(), text);
    play.assert_finished(0, false);
}

#[test]
fn off_asks_nobody_and_shows_every_token() {
    let mut play = Play::with(
        Settings {
            verify: VerifyMode::Off,
            ..settings()
        },
        two(),
        Some(granted()),
        Form::default(),
    );
    play.on(Event::Asked);
    play.say(0, "One");
    assert_eq!(play.seen(), "One");
    play.say(0, SENTENCE);
    play.finish(0);
    play.assert_finished(0, false);
    assert!(!play.done.iter().any(|a| matches!(a, Action::Ask { .. })));
}

#[test]
fn reasoning_and_blank_beginnings_wait_for_the_answer_they_belong_to() {
    for verify in [VerifyMode::Off, VerifyMode::Optimistic] {
        let mut play = Play::unjudged(Settings { verify, ..settings() }, two(), Form::default());
        let thought = Parsed::Reasoning { text: "hm".into() };
        assert_eq!(play.said(0, thought.clone()), []);
        assert_eq!(play.said(0, text("\n\n")), []);
        let shown = play.said(0, text("Yes"));
        let released: Vec<&Parsed> = shown
            .iter()
            .filter_map(|a| match a {
                Action::Release { parsed, .. } => Some(parsed),
                _ => None,
            })
            .collect();
        assert_eq!(released, [&thought, &text("\n\n"), &text("Yes")]);
    }
}

#[test]
fn reasoning_is_not_judged() {
    let mut play = Play::asked(settings(), two());
    for _ in 0..50 {
        play.said(
            0,
            Parsed::Reasoning {
                text: "One two three four. ".into(),
            },
        );
    }
    assert!(play.open(is_window).is_none());
    assert_eq!(play.cascade.text(), "");
}

#[test]
fn where_no_judge_can_act_text_is_not_held() {
    for rung in [unjudged("a", 0.5), advised("a", 0.5)] {
        let mut play = Play::with(settings(), vec![rung], Some(advisory()), Form::default());
        play.on(Event::Asked);
        play.say(0, "One");
        assert_eq!(play.seen(), "One");
    }
}

#[test]
fn where_only_the_confidence_judge_can_act_whole_windows_are_shown() {
    let only = Rung {
        safety: None,
        ..local("a", 0.5)
    };
    let mut play = Play::unjudged(settings(), vec![only, local("b", 0.9)], Form::default());
    play.say(0, "One two three four.");
    assert_eq!(play.seen(), "", "until then a better answer may replace it");
    play.say(0, " Five");
    assert_eq!(play.seen(), SENTENCE);
}

#[test]
fn logprobs_stay_with_their_text() {
    let mut play = Play::asked(settings(), two());
    for word in ["One", " two", " three", " four", ".", " Five"] {
        play.said(0, likely(word, -0.5));
    }
    play.window(0.99);
    for action in &play.done {
        if let Action::Release {
            parsed: Parsed::Text { text, logprobs },
            ..
        } = action
        {
            assert_eq!(logprobs.len(), 1);
            assert_eq!(*text, logprobs[0].chosen.token);
        }
    }
    assert_eq!(play.seen(), SENTENCE);
}

#[test]
fn pieces_of_broken_characters_and_one_huge_piece_come_out_as_they_went_in() {
    let words: String = (0..500).map(|i| format!("word {i} and more. ")).collect();
    let huge = format!("{words} \u{fffd}\u{fffd} é😀。");
    let mut play = Play::asked(settings(), two());
    play.said(0, text("\u{fffd}"));
    play.said(0, text(&huge));
    play.finish(0);
    play.answer_safety(0.99);
    play.confidence(0.9);
    assert_eq!(play.seen(), format!("\u{fffd}{huge}"));
}

#[test]
fn a_hundred_thousand_tokens_are_shown_whole() {
    let mut play = Play::asked(Settings::default(), two());
    let mut whole = String::new();
    for i in 0..100_000 {
        let word = format!(" w{i}");
        whole.push_str(&word);
        play.said(0, text(&word));
        if i % 1000 == 999 {
            play.window(0.99);
        }
    }
    play.finish(0);
    play.answer_safety(0.99);
    play.confidence(0.9);
    assert_eq!(play.seen(), whole);
    play.assert_finished(0, false);
}
