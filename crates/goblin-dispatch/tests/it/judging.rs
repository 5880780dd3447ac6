//! Judges are asked through the gate, and what they say or fail to say becomes verdicts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use goblin_core::decide::{
    DecideCost, DecideMethod, DecideRequest, DecideResponse, Decision, OptionProbability,
};
use goblin_core::judge::choose::Choosing;
use goblin_core::judge::questions::QuestionSet;
use goblin_core::judge::settings::{JudgeSettings, default_categories};
use goblin_core::judge::transcript::Transcript;
use goblin_core::judge::{Judge, Judges};
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::origin::{Origin, Trace};
use goblin_core::provider::{BoxFuture, ProviderError, ProviderHandle};
use goblin_core::telemetry::span::Listener;
use goblin_core::trace::{About, Authority, Concern, Verdict};
use goblin_dispatch::judge::{Judged, Judging};
use goblin_dispatch::{Dispatch, Options};
use tokio::sync::Notify;

use crate::house::{Scripted, model, read, scripted, soon};
use crate::tier::{ask, saying, tier, who};

type Answer = Arc<dyn Fn(DecideRequest) -> BoxFuture<Result<DecideResponse, ProviderError>> + Send + Sync>;

/// A provider `up` that offers `gemma:2b`, which decides as `answer` does, and notes what it is asked.
fn deciding(answer: Answer) -> (Scripted, ProviderHandle, Arc<Mutex<Vec<DecideRequest>>>) {
    let (up, _) = scripted("up", Some(1));
    up.offers(vec![ModelInfo {
        capabilities: vec![Capability::Chat, Capability::Decide],
        ..model("gemma:2b")
    }]);
    let asked: Arc<Mutex<Vec<DecideRequest>>> = Arc::default();
    let notes = Arc::clone(&asked);
    let handle = ProviderHandle {
        decide: Some(Arc::new(move |request: DecideRequest| {
            notes.lock().unwrap().push(request.clone());
            answer(request)
        })),
        ..up.handle()
    };
    (up, handle, asked)
}

/// Puts this much on the first option of every question and the rest of the mass on the others.
fn says(first: f64, mass: f64) -> Answer {
    Arc::new(move |request| {
        let decisions = request.questions.iter().map(|question| {
            let others = (mass - first) / (question.options.len() - 1) as f64;
            let of = |(place, option): (usize, &goblin_core::decide::AnswerOption)| OptionProbability {
                name: option.name.clone(),
                probability: if place == 0 { first } else { others },
            };
            Decision {
                id: question.id.clone(),
                options: question.options.iter().enumerate().map(of).collect(),
                mass,
            }
        });
        let response = DecideResponse {
            decisions: decisions.collect(),
            cost: DecideCost {
                shared_evaluated: 40,
                shared_cached: 2,
                question_tokens: 9,
            },
            method: DecideMethod::Readout,
        };
        Box::pin(async move { Ok(response) })
    })
}

fn fails(error: ProviderError) -> Answer {
    Arc::new(move |_| {
        let error = error.clone();
        Box::pin(async move { Err(error) })
    })
}

async fn judge_of(dispatch: &Arc<Dispatch>) -> Judge {
    let offers = dispatch.offers().await;
    let settings = JudgeSettings::default();
    let judges = Judges::choose(&Choosing {
        offers: &offers,
        answerer: None,
        local_only: false,
        settings: &settings,
        records: &[],
    });
    judges.safety_judge().expect("a judge").clone()
}

async fn judged(dispatch: &Arc<Dispatch>, question: &str, sets: &[QuestionSet], limit: Duration) -> Judged {
    let mut transcript = Transcript::of_question(question);
    let prompt = sets == [QuestionSet::Prompt];
    if !prompt {
        transcript.push("It is blue.");
    }
    let judging = Judging {
        who: who("a"),
        judge: judge_of(dispatch).await,
        categories: default_categories().into(),
        transcript,
        about: if prompt { About::Prompt } else { About::Answer },
        sets: sets.to_vec(),
        limit,
        origin: Origin::default(),
    };
    soon(dispatch.judge(judging)).await
}

const LONG: Duration = Duration::from_secs(60);

fn only(judged: &Judged) -> &Verdict {
    assert_eq!(judged.verdicts.len(), 1, "{judged:?}");
    &judged.verdicts[0]
}

#[tokio::test]
async fn a_judge_says_how_safe_a_question_is_and_what_it_cost() {
    let (_up, handle, asked) = deciding(says(0.6, 0.8));
    let dispatch = tier(vec![handle], Options::default());
    let judged = judged(&dispatch, "Is the sky blue?", &[QuestionSet::Prompt], LONG).await;
    let verdict = only(&judged);
    assert!((verdict.probability.unwrap() - 0.75).abs() < 1e-9);
    assert_eq!((verdict.concern, verdict.about), (Concern::Safety, About::Prompt));
    assert_eq!(
        (verdict.model.as_str(), verdict.authority),
        ("up/gemma:2b", Authority::Grant)
    );
    assert_eq!(
        (
            verdict.evaluated_tokens,
            verdict.cached_tokens,
            verdict.question_tokens
        ),
        (40, 2, 9)
    );
    assert!(!judged.failed() && !judged.partial && judged.sent_bytes > 100);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].model, "gemma:2b", "as its provider knows it");
    assert_eq!(asked[0].frame.before, "<start_of_turn>user\n");
}

#[tokio::test]
async fn a_judge_is_told_the_trace_and_where_spans_are_told_its_question_is_one_of_it() {
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (spans, flags) in [(false, "01"), (true, "01"), (true, "00")] {
        let (_up, handle, asked) = deciding(says(0.6, 0.8));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let listener = Listener::new(move |span| hearing.lock().unwrap().push(span));
        let options = Options {
            spans: spans.then_some(listener),
            ..Options::default()
        };
        let dispatch = tier(vec![handle], options);
        let came_with = Trace::read(&parent.replace("-01", &format!("-{flags}")), None).unwrap();
        let judging = Judging {
            who: who("a"),
            judge: judge_of(&dispatch).await,
            categories: default_categories().into(),
            transcript: Transcript::of_question("hi"),
            about: About::Prompt,
            sets: vec![QuestionSet::Prompt],
            limit: LONG,
            origin: Origin {
                trace: Some(came_with.clone()),
                ..Origin::default()
            },
        };
        soon(dispatch.judge(judging)).await;
        let told = asked.lock().unwrap()[0].origin.trace.clone().unwrap();
        assert_eq!(told.trace_id(), came_with.trace_id());
        let passed_on = told == came_with;
        let is_told = spans && came_with.is_sampled();
        assert_eq!(passed_on, !is_told, "{spans} {flags}");
        let heard = heard.lock().unwrap();
        let Some(question) = heard.iter().find(|span| span.name == "judge") else {
            assert!(!is_told && heard.is_empty(), "{heard:?}");
            continue;
        };
        assert_eq!(question.parent.as_deref(), Some(came_with.span_id()));
        let about = ("goblin.judge.about", "prompt".into());
        assert!(is_told && question.attributes.contains(&about), "{question:?}");
        assert!(question.end_ns >= question.start_ns);
        let within = heard
            .iter()
            .find(|span| span.parent.as_deref() == Some(&*question.span_id));
        assert_eq!(
            within.map(|span| span.span_id.as_str()),
            Some(told.span_id()),
            "the request it made"
        );
    }
}

#[tokio::test]
async fn several_sets_go_out_as_one_request() {
    let (_up, handle, asked) = deciding(says(0.9, 1.0));
    let dispatch = tier(vec![handle], Options::default());
    let sets = [QuestionSet::Transcript, QuestionSet::Categories];
    let judged = judged(&dispatch, "Is the sky blue?", &sets, LONG).await;
    assert_eq!(judged.verdicts.len(), 10);
    assert_eq!(asked.lock().unwrap().len(), 1);
    assert!(judged.verdicts.iter().all(|v| v.failed.is_none()));
}

#[tokio::test]
async fn a_judge_that_fails_gives_verdicts_that_say_why_without_an_upstreams_words() {
    let (_up, handle, _) = deciding(fails(ProviderError::Broken {
        reason: "10.0.0.7 said boo".into(),
    }));
    let dispatch = tier(vec![handle], Options::default());
    let judged = judged(&dispatch, "hi", &[QuestionSet::Prompt], LONG).await;
    assert!(judged.failed());
    let verdict = only(&judged);
    assert_eq!(verdict.probability, None);
    assert_eq!(
        verdict.authority,
        Authority::Grant,
        "a failure of a judge that may act"
    );
    let why = verdict.failed.as_deref().unwrap();
    assert!(
        why.starts_with("no_provider: ") && !why.contains("boo") && !why.contains("10.0.0.7"),
        "{why}"
    );
}

#[tokio::test]
async fn too_little_mass_is_no_verdict() {
    let (_up, handle, _) = deciding(says(0.3, 0.4));
    let dispatch = tier(vec![handle], Options::default());
    let judged = judged(&dispatch, "hi", &[QuestionSet::Prompt], LONG).await;
    let verdict = only(&judged);
    assert_eq!((verdict.probability, verdict.mass), (None, 0.4));
    assert!(judged.failed());
}

#[tokio::test]
async fn a_judge_that_takes_too_long_is_given_up_and_its_question_dropped() {
    let dropped = Arc::new(Notify::new());
    struct Told(Arc<Notify>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let tell = Arc::clone(&dropped);
    let (_up, handle, _) = deciding(Arc::new(move |_| {
        let told = Told(Arc::clone(&tell));
        Box::pin(async move {
            let _told = told;
            std::future::pending().await
        })
    }));
    let dispatch = tier(vec![handle], Options::default());
    let judged = judged(&dispatch, "hi", &[QuestionSet::Prompt], Duration::from_millis(50)).await;
    let why = only(&judged).failed.clone().unwrap();
    assert!(why.starts_with("deadline_exceeded: "), "{why}");
    soon(dropped.notified()).await;
}

#[tokio::test]
async fn a_text_that_does_not_fit_is_judged_in_parts() {
    let seen: Arc<Mutex<Vec<usize>>> = Arc::default();
    let lengths = Arc::clone(&seen);
    let answer = says(0.9, 1.0);
    let (_up, handle, _) = deciding(Arc::new(move |request| {
        lengths.lock().unwrap().push(request.shared.len());
        match request.shared.len() > 6000 {
            true => Box::pin(async {
                Err(ProviderError::ContextExceeded {
                    prompt_tokens: 9000,
                    context_window: 4096,
                })
            }),
            false => answer(request),
        }
    }));
    let dispatch = tier(vec![handle], Options::default());
    let question = "words that go on and on. ".repeat(400);
    let judged = judged(&dispatch, &question, &[QuestionSet::Prompt], LONG).await;
    assert!(judged.partial);
    assert!(judged.verdicts.len() > 1, "one for each part");
    assert!(
        judged.verdicts.iter().all(|v| v.probability.is_some()),
        "{judged:?}"
    );
    assert!(seen.lock().unwrap()[0] > 6000);
}

#[tokio::test]
async fn a_judge_that_never_fits_says_so() {
    let (_up, handle, asked) = deciding(fails(ProviderError::ContextExceeded {
        prompt_tokens: 9000,
        context_window: 10,
    }));
    let dispatch = tier(vec![handle], Options::default());
    let question = "words that go on and on. ".repeat(400);
    let judged = judged(&dispatch, &question, &[QuestionSet::Prompt], LONG).await;
    assert!(judged.failed());
    let why = judged.verdicts[0].failed.clone().unwrap();
    assert!(why.contains("context"), "{why}");
    assert!(asked.lock().unwrap().len() <= 6, "there is an end to trying");
}

#[tokio::test]
async fn a_verdict_does_not_wait_behind_a_long_answer() {
    let (up, mut calls) = scripted("up", Some(2));
    up.offers(vec![ModelInfo {
        capabilities: vec![Capability::Chat, Capability::Decide],
        ..model("gemma:2b")
    }]);
    let answer = says(0.9, 1.0);
    let handle = ProviderHandle {
        decide: Some(Arc::new(move |request| answer(request))),
        ..up.handle()
    };
    let dispatch = tier(vec![handle], Options::default());
    // As many long answers as the model has places but the one that is kept.
    let first = tokio::spawn({
        let dispatch = Arc::clone(&dispatch);
        async move { read(ask(&dispatch, "a", saying("gemma:2b", "one")).await.unwrap()).await }
    });
    let running = soon(calls.recv()).await.expect("it is being answered");
    let judged = judged(&dispatch, "hi", &[QuestionSet::Prompt], LONG).await;
    assert!(only(&judged).probability.is_some());
    running.finish();
    let (_, _, error) = soon(first).await.unwrap();
    assert_eq!(error, None);
}
