//! Checked answers, from the request to the last item: scripted models answer, scripted judges judge, and what happens
//! when is said by what caused it.

use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use goblin_core::error::ErrorCode;
use goblin_core::event::{ChatEvent, FinishReason, Parsed};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::owner::Owner;
use goblin_core::provider::ProviderError;
use goblin_core::screen::{Handling, ScreenSettings};
use goblin_core::trace::{Authority, StepOutcome, VerifyMode};
use goblin_core::turn_event::TurnEvent;
use goblin_dispatch::answer::AnswerItem;
use tokio::sync::mpsc::error::TryRecvError;

use crate::bench::{Bench, Client, SENTENCE, Setup, Verdict, judges};
use crate::chat_turns::{new_chat, question};
use crate::house::soon;

#[tokio::test]
async fn a_sure_and_safe_answer_is_given_and_everything_is_on_record() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    assert_eq!((client.text().as_str(), client.error.as_ref()), ("Yes.", None));
    assert_eq!(client.chosen(), ["up/phi3:3.8b"]);
    assert_eq!(client.finish(), Some(FinishReason::Stop));
    let trace = client.trace();
    assert_eq!(trace.steps.len(), 1);
    assert_eq!(trace.steps[0].outcome, StepOutcome::Accepted);
    assert_eq!((trace.steps[0].prompt_tokens, trace.steps[0].tokens), (7, 2));
    assert_eq!(trace.prompt_verdicts.len(), 1);
    // One question for each category of harm, and one about confidence.
    assert_eq!(trace.steps[0].verdicts.len(), 10);
    assert!(
        trace.steps[0]
            .verdicts
            .iter()
            .all(|v| v.authority == Authority::Grant)
    );
    let confidence = trace.confidence.unwrap();
    assert!((confidence.value - 0.9).abs() < 1e-9 && !confidence.calibrated);
    assert!((trace.safety.unwrap().probability.unwrap() - 0.95).abs() < 1e-9);
    assert_eq!((trace.cost_usd, trace.left_machine), (Some(0.0), false));
    assert_eq!(trace.verify, VerifyMode::Hold);
    assert!(trace.route.intent.is_some());
}

#[tokio::test]
async fn one_judge_of_both_is_asked_at_once_and_may_act_on_either() {
    let judges = JudgeSettings {
        confidence: vec!["judges/watch".to_owned()],
        ..judges()
    };
    let mut bench = Bench::new(Setup {
        judges,
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Yes.");
    call.finish();
    let asked = bench.question(&mut client).await;
    assert_eq!(asked.ids().len(), 10, "{:?}", asked.ids());
    asked.answer(Verdict::says(0.9));
    client.rest().await;
    let trace = client.trace();
    assert_eq!(trace.steps[0].outcome, StepOutcome::Accepted);
    assert_eq!(trace.steps[0].verdicts.len(), 10);
    for verdict in &trace.steps[0].verdicts {
        assert_eq!(verdict.authority, Authority::Grant, "{verdict:?}");
    }
}

#[tokio::test]
async fn the_answer_is_begun_at_once_and_shown_when_the_question_is_known_to_be_safe() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask("{\"verify\":\"optimistic\"}").await;
    let call = bench.call(&mut client).await;
    call.text("Hello");
    let asked = bench.question(&mut client).await;
    assert_eq!(asked.ids(), ["prompt"]);
    client.settle().await;
    assert_eq!(client.text(), "");
    asked.answer(Verdict::says(0.95));
    client.until_text("Hello").await;
    call.text(" there");
    client.until_text("Hello there").await;
}

#[tokio::test]
async fn a_question_that_is_not_safe_is_refused_and_its_answer_is_stopped() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask("{}").await;
    let call = bench.call(&mut client).await;
    call.text("Sure, first");
    bench.prompt(&mut client, 0.2).await;
    client.rest().await;
    assert!(client.error.is_none());
    assert_eq!(
        (client.text().as_str(), client.finish()),
        ("", Some(FinishReason::ContentFilter))
    );
    let refused = client.refused().unwrap();
    assert!(
        refused.rule.starts_with("safety:") && !refused.shown,
        "{refused:?}"
    );
    assert_eq!(bench.up.dropped.load(Ordering::SeqCst), 1);
    let trace = client.trace();
    assert_eq!(trace.steps[0].outcome, StepOutcome::Rejected);
    assert_eq!(trace.safety.unwrap().refused_by, Some(refused.rule));
}

#[tokio::test]
async fn a_window_is_given_when_its_verdict_is_in_and_no_sooner() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text(SENTENCE);
    call.text(" Five");
    let asked = bench.question(&mut client).await;
    assert_eq!(asked.ids(), ["transcript", "transcript (other order)"]);
    assert!(asked.shared().contains(SENTENCE) && !asked.shared().contains("Five"));
    client.settle().await;
    assert_eq!(client.text(), "");
    asked.answer(Verdict::says(0.99));
    client.until_text(SENTENCE).await;
    // The next window begins where this one ended, and its judge reads on.
    call.text(" six seven eight.");
    call.text(" Nine");
    let asked = bench.question(&mut client).await;
    assert!(asked.shared().contains("Five six seven eight."));
    asked.answer(Verdict::says(0.1));
    let asked = bench.question(&mut client).await;
    assert_eq!(
        asked.ids().len(),
        9,
        "not clearly safe: each category is asked for"
    );
    asked.answer(Verdict::says(0.1));
    client.rest().await;
    assert_eq!(client.text(), SENTENCE);
    assert_eq!(client.finish(), Some(FinishReason::ContentFilter));
    assert!(client.refused().unwrap().shown);
    assert_eq!(bench.up.dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_sure_enough_is_replaced_by_a_better_models_before_anybody_sees_it() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Maybe.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.3).await;
    let call = bench.call(&mut client).await;
    assert_eq!(call.request.model, "mistral:7b");
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.8).await;
    client.rest().await;
    assert_eq!((client.text().as_str(), client.error.as_ref()), ("Yes.", None));
    assert_eq!(client.chosen(), ["up/mistral:7b"]);
    let outcomes: Vec<StepOutcome> = client.trace().steps.iter().map(|s| s.outcome).collect();
    assert_eq!(outcomes, [StepOutcome::Escalated, StepOutcome::Accepted]);
}

#[tokio::test]
async fn a_client_that_takes_events_sees_the_better_answer_follow() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{\"events\":true}").await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut client, 0.99).await;
    client.until_text(SENTENCE).await;
    call.finish();
    bench.answer(&mut client, 0.97, 0.3).await;
    let call = bench.call(&mut client).await;
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.8).await;
    client.rest().await;
    assert_eq!(client.text(), "Yes.");
    assert_eq!(client.chosen(), ["up/phi3:3.8b", "up/mistral:7b"]);
    let superseded = client.items.iter().find_map(|item| match item {
        AnswerItem::Superseded(superseded) => Some(superseded.clone()),
        _ => None,
    });
    let superseded = superseded.unwrap();
    assert_eq!(
        (
            superseded.model.as_str(),
            superseded.by.as_str(),
            superseded.local
        ),
        ("up/phi3:3.8b", "up/mistral:7b", true)
    );
    assert!(!superseded.why.is_empty());
    let checking = |item: &&AnswerItem| matches!(item, AnswerItem::Checking(_));
    assert!(client.items.iter().any(|item| checking(&item)));
}

#[tokio::test]
async fn a_plain_client_that_has_seen_text_gets_that_answer_to_its_end() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut client, 0.99).await;
    client.until_text(SENTENCE).await;
    call.finish();
    bench.answer(&mut client, 0.97, 0.1).await;
    client.rest().await;
    assert_eq!(client.text(), format!("{SENTENCE} Five"));
    assert_eq!(client.finish(), Some(FinishReason::Stop));
    assert_eq!(client.trace().steps[0].outcome, StepOutcome::LowConfidence);
    assert_eq!(client.chosen(), ["up/phi3:3.8b"]);
    let others = |item: &AnswerItem| {
        matches!(
            item,
            AnswerItem::Checking(_) | AnswerItem::Superseded(_) | AnswerItem::Retracted(_)
        )
    };
    assert!(!client.items.iter().any(others), "it did not ask for such");
}

#[tokio::test]
async fn what_was_shown_of_an_unsafe_answer_is_taken_back_where_that_is_understood() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{\"events\":true,\"verify\":\"optimistic\"}").await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut client, 0.1).await;
    bench.question(&mut client).await.answer(Verdict::says(0.1));
    client.rest().await;
    assert_eq!(client.text(), "");
    let retracted = client.items.iter().any(|item| match item {
        AnswerItem::Retracted(retracted) => {
            retracted.model == "up/phi3:3.8b" && retracted.rule.starts_with("safety:")
        }
        _ => false,
    });
    assert!(retracted && !client.refused().unwrap().shown);
}

#[tokio::test]
async fn without_judges_every_token_is_given_at_once_and_the_trace_says_who_is_missing() {
    let mut bench = Bench::new(Setup {
        with_judges: false,
        ..Setup::default()
    })
    .await;
    let mut client = bench.ask("{}").await;
    let call = bench.call(&mut client).await;
    call.text("One");
    client.until_text("One").await;
    call.text(" two");
    client.until_text("One two").await;
    call.finish();
    client.rest().await;
    assert!(client.error.is_none());
    let trace = client.trace();
    assert_eq!(trace.steps[0].outcome, StepOutcome::Accepted);
    assert!(
        trace.notes.iter().any(|note| note.contains("judges/watch")),
        "{:?}",
        trace.notes
    );
    assert_eq!(trace.confidence, None);
}

#[tokio::test]
async fn a_required_judge_that_is_not_there_refuses_before_anything_is_asked() {
    let mut bench = Bench::new(Setup {
        with_judges: false,
        judges: JudgeSettings {
            require_judge: true,
            ..judges()
        },
        ..Setup::default()
    })
    .await;
    let mut client = bench.ask("{}").await;
    client.rest().await;
    assert_eq!(client.error.unwrap().code, ErrorCode::JudgeUnavailable);
    assert_eq!(client.items.len(), 0);
    assert!(matches!(bench.calls.try_recv(), Err(TryRecvError::Empty)));
}

#[tokio::test]
async fn a_safety_judge_that_fails_or_abstains_is_an_error_and_never_a_refusal() {
    for verdict in [
        Verdict::Fails,
        Verdict::Says {
            value: 0.99,
            mass: 0.4,
        },
        Verdict::says(f64::NAN),
    ] {
        let mut bench = Bench::new(Setup::default()).await;
        let mut client = bench.ask("{}").await;
        let call = bench.call(&mut client).await;
        call.text("Yes");
        bench.question(&mut client).await.answer(verdict);
        client.rest().await;
        assert_eq!(client.error.as_ref().unwrap().code, ErrorCode::JudgeUnavailable);
        assert_eq!(
            client.items.len(),
            0,
            "the error is the first thing that is heard"
        );
        assert_eq!(bench.up.dropped.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn a_safety_judge_that_fails_after_the_first_byte_ends_the_stream_with_its_error() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut client, 0.99).await;
    client.until_text(SENTENCE).await;
    call.text(" six seven eight.");
    call.text(" Nine");
    bench.question(&mut client).await.answer(Verdict::Fails);
    client.rest().await;
    assert_eq!(client.text(), SENTENCE);
    assert_eq!(client.error.as_ref().unwrap().code, ErrorCode::JudgeUnavailable);
    let failed = client.trace().steps[0]
        .verdicts
        .iter()
        .filter(|v| v.failed.is_some())
        .count();
    assert!(failed > 0);
}

#[tokio::test]
async fn a_judge_that_never_answers_has_failed_when_its_time_is_over() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask("{}").await;
    let asked = bench.question(&mut client).await;
    tokio::time::pause();
    client.rest().await;
    assert_eq!(client.error.unwrap().code, ErrorCode::JudgeUnavailable);
    drop(asked);
}

#[tokio::test]
async fn a_confidence_judge_that_fails_leads_to_a_better_model() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Yes.");
    call.finish();
    for _ in 0..2 {
        let asked = bench.question(&mut client).await;
        let fails = asked.ids() == ["correct_and_complete"];
        asked.answer(if fails {
            Verdict::Fails
        } else {
            Verdict::says(0.97)
        });
    }
    let call = bench.call(&mut client).await;
    assert_eq!(call.request.model, "mistral:7b");
    call.text("No.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    assert_eq!(client.text(), "No.");
}

#[tokio::test]
async fn nothing_leaves_when_it_may_not_and_what_leaves_is_counted() {
    for (local_only, escalates) in [(true, false), (false, true)] {
        let mut bench = Bench::new(Setup {
            cloud: vec!["elsewhere-large"],
            models: vec!["phi3:3.8b"],
            ..Setup::default()
        })
        .await;
        let mut client = bench.ask(&format!("{{\"local_only\":{local_only}}}")).await;
        bench.prompt(&mut client, 0.95).await;
        let call = bench.call(&mut client).await;
        call.text("Maybe.");
        call.finish();
        bench.answer(&mut client, 0.97, 0.5).await;
        if escalates {
            let call = soon(client.until(bench.cloud_calls.recv())).await.unwrap();
            call.text("Yes.");
            call.finish();
            // Of models elsewhere confidence is only recorded.
            bench.answer(&mut client, 0.97, 0.1).await;
        }
        client.rest().await;
        assert_eq!(client.text(), if escalates { "Yes." } else { "Maybe." });
        let trace = client.trace();
        assert_eq!(trace.left_machine, escalates);
        let sent: Vec<&str> = trace.sent.iter().map(|s| s.to.as_str()).collect();
        assert_eq!(sent, if escalates { vec!["cloud"] } else { vec![] });
        let marked = StepOutcome::LowConfidence;
        assert_eq!(trace.steps[0].outcome == marked, !escalates);
        assert!(bench.cloud_calls.try_recv().is_err());
    }
}

#[tokio::test]
async fn what_may_not_leave_is_left_out_of_what_a_model_elsewhere_reads() {
    let mut bench = Bench::new(Setup {
        cloud: vec!["elsewhere-large"],
        models: vec!["phi3:3.8b"],
        screen: ScreenSettings {
            personal: Handling::RedactAway,
            ..ScreenSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let mut client = bench
        .ask_about("{}", "Is DE89 3704 0044 0532 0130 00 mine?")
        .await;
    bench.prompt(&mut client, 0.95).await;
    let call = bench.call(&mut client).await;
    assert!(call.request.messages[0].joined_text().contains("0532"));
    call.text("Maybe.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.5).await;
    let call = soon(client.until(bench.cloud_calls.recv())).await.unwrap();
    assert!(!call.request.messages[0].joined_text().contains("0532"));
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    assert!(
        client
            .trace()
            .safety
            .unwrap()
            .found
            .iter()
            .any(|rule| rule.starts_with("check:"))
    );
}

#[tokio::test]
async fn no_more_models_are_asked_than_may() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{\"max_steps\":1}").await;
    call.text("Maybe.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.5).await;
    client.rest().await;
    assert_eq!(client.text(), "Maybe.");
    assert_eq!(client.trace().steps[0].outcome, StepOutcome::LowConfidence);
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn the_deadline_ends_it_and_stops_the_model() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{\"deadline_ms\":600000}").await;
    call.text("One");
    client.settle().await;
    tokio::time::pause();
    client.rest().await;
    assert_eq!(client.error.unwrap().code, ErrorCode::DeadlineExceeded);
    assert_eq!(bench.up.dropped.load(Ordering::SeqCst), 1);
}

fn tool_call(arguments: &str) -> ChatEvent {
    Parsed::ToolCall {
        index: 0,
        id: Some("c1".to_owned()),
        name: Some("weather".to_owned()),
        arguments: arguments.to_owned(),
    }
    .into()
}

#[tokio::test]
async fn a_tool_call_is_given_when_it_fits_and_a_better_model_asked_when_it_does_not() {
    let mut bench = Bench::new(Setup::default()).await;
    let tools = r#""tools":[{"type":"function","function":{"name":"weather","parameters":
        {"type":"object","required":["city"]}}}]"#;
    let mut client = bench.ask_with("{}", "Rain?", tools).await;
    bench.prompt(&mut client, 0.95).await;
    let call = bench.call(&mut client).await;
    let _ = call.answer.send(Ok(tool_call("{}")));
    call.finish();
    let call = bench.call(&mut client).await;
    assert_eq!(call.request.model, "mistral:7b");
    let _ = call.answer.send(Ok(tool_call(r#"{"city":"Oslo"}"#)));
    client.settle().await;
    assert_eq!(client.items.len(), 0, "it may still turn out not to fit");
    call.finish();
    client.rest().await;
    let given = client.items.iter().filter(|item| match item {
        AnswerItem::Event(event) => {
            matches!(&event.parsed, Parsed::ToolCall { arguments, .. } if arguments.contains("Oslo"))
        }
        _ => false,
    });
    assert_eq!(given.count(), 1);
    assert_eq!(client.chosen(), ["up/mistral:7b"]);
}

#[tokio::test]
async fn a_caller_who_leaves_stops_the_model_and_the_judges() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask("{}").await;
    let asked = bench.question(&mut client).await;
    let call = bench.call(&mut client).await;
    call.text("One");
    client.settle().await;
    drop(client);
    assert_eq!(bench.up.dropped.load(Ordering::SeqCst), 1);
    assert!(asked.is_dropped());
}

#[tokio::test]
async fn a_model_that_fails_is_followed_by_the_next_and_the_record_says_so() {
    let mut bench = Bench::new(Setup::default()).await;
    let (mut client, call) = bench.begun("{}").await;
    call.fail(ProviderError::Interrupted {
        reason: "cut".to_owned(),
    });
    drop(call);
    let call = bench.call(&mut client).await;
    assert_eq!(call.request.model, "mistral:7b");
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    assert_eq!(client.text(), "Yes.");
    assert_eq!(client.trace().steps[0].outcome, StepOutcome::Failed);
}

#[tokio::test]
async fn when_every_model_fails_the_first_reason_is_told_with_all_who_were_tried() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask("{}").await;
    bench.prompt(&mut client, 0.95).await;
    for _ in 0..2 {
        let call = bench.call(&mut client).await;
        call.fail(ProviderError::Interrupted {
            reason: "cut".to_owned(),
        });
    }
    client.rest().await;
    let error = client.error.unwrap();
    assert_eq!(error.code, ErrorCode::UpstreamFailed);
    assert!(error.message.contains("up/mistral:7b"), "{}", error.message);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_chosen_at_its_end() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask_unstreamed().await;
    bench.prompt(&mut client, 0.95).await;
    let call = bench.call(&mut client).await;
    call.text(SENTENCE);
    call.text(" Five");
    call.finish();
    bench.answer(&mut client, 0.97, 0.3).await;
    let call = bench.call(&mut client).await;
    call.text("Yes.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.9).await;
    client.rest().await;
    assert_eq!(client.text(), "Yes.");
    assert_eq!(client.trace().verify, VerifyMode::Final);
}

#[tokio::test]
async fn a_chats_turn_tells_its_page_what_happens_and_saves_the_better_answer() {
    let mut bench = Bench::new(Setup::default()).await;
    let chat = new_chat(&bench.house).await;
    let owner = Owner::local();
    let turn = bench
        .house
        .dispatch
        .create_turn(&owner, &chat.id, question("hi"))
        .await
        .unwrap();
    let mut nobody = Client::nobody();
    bench.prompt(&mut nobody, 0.95).await;
    let call = bench.call(&mut nobody).await;
    call.text(SENTENCE);
    call.text(" Five");
    bench.window(&mut nobody, 0.99).await;
    call.finish();
    bench.answer(&mut nobody, 0.97, 0.3).await;
    let call = bench.call(&mut nobody).await;
    call.text("Yes.");
    call.finish();
    bench.answer(&mut nobody, 0.97, 0.9).await;
    let mut events = bench.house.dispatch.turn_events(&owner, &turn, 0).await.unwrap();
    let (mut names, mut text) = (Vec::new(), String::new());
    while let Some((_, event)) = soon(events.next()).await {
        names.push(event.name());
        match &*event {
            TurnEvent::Delta(delta) => text.push_str(&delta.text),
            TurnEvent::Superseded(_) => text.clear(),
            TurnEvent::Done(saved) => assert_eq!(saved.turn.answer, "Yes."),
            _ => {}
        }
    }
    assert_eq!(text, "Yes.");
    let at = |name| {
        names
            .iter()
            .position(|n| *n == name)
            .unwrap_or_else(|| panic!("no {name}: {names:?}"))
    };
    assert!(at("checking") < at("delta") && at("delta") < at("superseded"));
    assert_eq!(names[names.len() - 2..], ["trace", "done"]);
}

#[tokio::test]
async fn a_model_addressed_by_its_name_is_checked_when_that_is_asked_for() {
    let mut bench = Bench::new(Setup::default()).await;
    let mut client = bench.ask_model("up/phi3:3.8b", "{}").await;
    let call = bench.call(&mut client).await;
    call.text("One");
    client.until_text("One").await;
    call.finish();
    client.rest().await;
    assert!(
        !client
            .items
            .iter()
            .any(|item| matches!(item, AnswerItem::Trace(_)))
    );

    let mut client = bench.ask_model("up/phi3:3.8b", "{\"verify\":\"final\"}").await;
    bench.prompt(&mut client, 0.95).await;
    let call = bench.call(&mut client).await;
    call.text("Maybe.");
    call.finish();
    bench.answer(&mut client, 0.97, 0.5).await;
    client.rest().await;
    assert_eq!(client.text(), "Maybe.");
    assert_eq!(client.trace().steps[0].outcome, StepOutcome::LowConfidence);
    assert!(bench.calls.try_recv().is_err(), "no other model is meant");
}

#[tokio::test]
async fn questions_to_one_judge_about_one_text_go_out_together() {
    let mut bench = Bench::new(Setup {
        judges: JudgeSettings {
            confidence: vec!["judges/watch".to_owned()],
            ..judges()
        },
        ..Setup::default()
    })
    .await;
    let (mut client, call) = bench.begun("{}").await;
    call.text("Yes.");
    call.finish();
    let asked = bench.question(&mut client).await;
    assert_eq!(asked.ids().len(), 10);
    asked.answer(Verdict::says(0.97));
    client.rest().await;
    assert_eq!(client.text(), "Yes.");
}
