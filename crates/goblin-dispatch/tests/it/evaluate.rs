//! Runs of labelled cases: kept answer by answer, gone on with, and refused where they are another run.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use goblin_core::clock::Timestamp;
use goblin_core::decide::{DecideCost, DecideRequest, DecideResponse, Decision, OptionProbability};
use goblin_core::eval::EvalSet;
use goblin_core::eval::cases::{JudgedCase, read_routing};
use goblin_core::eval::run::{FORM, JudgedLine, Lines, RunHeader, read_run};
use goblin_core::intent::Intent;
use goblin_core::judge::choose::Choosing;
use goblin_core::judge::questions::QuestionSet;
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::judge::{Judge, Judges};
use goblin_core::model::{Capability, ModelInfo};
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_dispatch::evaluate::{EvaluateError, Evaluating, JudgeAsked, RouterSays};
use goblin_dispatch::{Dispatch, Options};

use crate::house::{HANG, model, scripted, soon};
use crate::tier::{tier, who};

/// What the judge answers, one after the other: P(yes), or a failure.
type Script = Arc<Mutex<VecDeque<Result<f64, ProviderError>>>>;

fn away() -> ProviderError {
    ProviderError::Unavailable {
        reason: "refused".to_owned(),
    }
}

fn said(request: &DecideRequest, yes: f64) -> DecideResponse {
    let decision = |id: &str| Decision {
        id: id.to_owned(),
        options: [("yes", yes), ("no", 1.0 - yes)]
            .map(|(name, probability)| OptionProbability {
                name: name.to_owned(),
                probability,
            })
            .into(),
        mass: 1.0,
    };
    DecideResponse {
        decisions: request.questions.iter().map(|q| decision(&q.id)).collect(),
        cost: DecideCost {
            shared_evaluated: 40,
            shared_cached: 2,
            question_tokens: 9,
        },
        ..DecideResponse::default()
    }
}

struct Bench {
    dispatch: Arc<Dispatch>,
    judge: Judge,
    script: Script,
}

/// A dispatch with one judge that answers by `script`.
async fn bench(script: impl IntoIterator<Item = Result<f64, ProviderError>>) -> Bench {
    let script: Script = Arc::new(Mutex::new(script.into_iter().collect()));
    let (provider, _) = scripted("one", Some(1));
    provider.offers(vec![ModelInfo {
        capabilities: vec![Capability::Chat, Capability::Decide],
        ..model("judge")
    }]);
    let answers = Arc::clone(&script);
    let handle = ProviderHandle {
        decide: Some(Arc::new(move |request: DecideRequest| {
            let next = answers.lock().unwrap().pop_front().expect("no more answers");
            let answer = next.map(|yes| said(&request, yes));
            Box::pin(async move { answer })
        })),
        ..provider.handle()
    };
    let dispatch = tier(vec![handle], Options::default());
    let offers = dispatch.offers().await;
    let judges = Judges::choose(&Choosing {
        offers: &offers,
        answerer: None,
        local_only: false,
        settings: &JudgeSettings {
            safety: vec!["one/judge".to_owned()],
            ..JudgeSettings::default()
        },
        records: &[],
    });
    Bench {
        dispatch,
        judge: judges.safety_judge().expect("a judge").clone(),
        script,
    }
}

fn header() -> RunHeader {
    RunHeader {
        form: FORM,
        set: EvalSet::Xstest,
        cases_hash: "c".to_owned(),
        cases: 3,
        seed: 1,
        limit: None,
        subject: "one/judge".to_owned(),
        digest: None,
        quantisation: None,
        parameters: None,
        questions: Some("prompt".to_owned()),
        question_set_hash: None,
        questions_hash: "q".to_owned(),
        threshold: None,
        goblin: "0".to_owned(),
        started_at: Timestamp(0),
    }
}

fn cases() -> Vec<JudgedCase> {
    let case = |id: &str, good| JudgedCase {
        id: id.to_owned(),
        group: None,
        prompt: format!("Question {id}?"),
        answer: None,
        good,
    };
    vec![case("a", true), case("b", false), case("c", true)]
}

impl Bench {
    async fn ask(&self, path: &Path, cases: &[JudgedCase]) -> Vec<JudgedLine> {
        let asked = JudgeAsked {
            judge: self.judge.clone(),
            categories: JudgeSettings::default().categories.into(),
            set: QuestionSet::Prompt,
            limit: HANG,
            who: who("a"),
        };
        let mut run = Evaluating::open(path, header()).await.unwrap();
        let mut told = Vec::new();
        let tell = |line: &JudgedLine| told.push(line.clone());
        soon(run.judge(&self.dispatch, &asked, cases, tell))
            .await
            .unwrap();
        told
    }
}

fn kept(path: &Path) -> Vec<JudgedLine> {
    let run = read_run(&std::fs::read_to_string(path).unwrap()).unwrap();
    match run.lines {
        Lines::Judged(lines) => lines,
        Lines::Routed(lines) => panic!("{lines:?}"),
    }
}

#[tokio::test]
async fn every_answer_is_kept_with_what_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let bench = bench([Ok(0.9), Ok(0.25), Ok(0.5)]).await;
    let told = bench.ask(&path, &cases()).await;
    assert_eq!(kept(&path), told);
    let found: Vec<Option<f64>> = told.iter().map(|line| line.probability).collect();
    assert_eq!(found, [Some(0.9), Some(0.25), Some(0.5)]);
    let first = &told[0];
    assert_eq!(
        (first.evaluated_tokens, first.cached_tokens, first.question_tokens),
        (40, 2, 9)
    );
    assert!(first.good && !told[1].good);
    assert!(first.ms >= 0.0 && first.failed.is_none());
}

#[tokio::test]
async fn a_run_goes_on_where_it_was_and_asks_again_what_failed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let bench = bench([Ok(0.9), Err(away()), Ok(0.7), Ok(0.2)]).await;
    let first = bench.ask(&path, &cases()).await;
    assert!(
        first[1]
            .failed
            .as_ref()
            .is_some_and(|why| !why.contains("refused")),
        "{first:?}"
    );
    // As a process that was killed while it wrote leaves it.
    let cut = std::fs::read_to_string(&path).unwrap() + "{\"id\":\"x";
    std::fs::write(&path, cut).unwrap();
    let again = bench.ask(&path, &cases()).await;
    let asked: Vec<&str> = again.iter().map(|line| line.id.as_str()).collect();
    assert_eq!(asked, ["b"]);
    assert!(bench.script.lock().unwrap().is_empty());
    assert!(kept(&path).iter().all(|line| line.failed.is_none()));
    assert!(
        bench.ask(&path, &cases()).await.is_empty(),
        "nothing is left to ask"
    );
}

#[tokio::test]
async fn a_case_that_changed_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let bench = bench([Ok(0.9), Ok(0.25), Ok(0.5), Ok(0.1)]).await;
    bench.ask(&path, &cases()).await;
    let mut changed = cases();
    changed[2].prompt = "Something else?".to_owned();
    let again = bench.ask(&path, &changed).await;
    assert_eq!((again.len(), again[0].probability), (1, Some(0.1)));
}

#[tokio::test]
async fn an_answer_that_is_no_number_is_an_answer_without_a_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let bench = bench([Ok(f64::NAN), Ok(7.0), Ok(0.5)]).await;
    let told = bench.ask(&path, &cases()).await;
    let found: Vec<(Option<f64>, bool)> = told.iter().map(|l| (l.probability, l.failed.is_some())).collect();
    assert_eq!(found, [(None, false), (None, false), (Some(0.5), false)]);
    assert!(told[0].verdict().is_none());
}

#[tokio::test]
async fn another_run_and_what_is_no_run_are_refused_and_left_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    drop(Evaluating::open(&path, header()).await.unwrap());
    let before = std::fs::read_to_string(&path).unwrap();
    let mut other = header();
    other.questions_hash = "r".to_owned();
    let refused = Evaluating::open(&path, other).await.err().unwrap();
    assert!(matches!(refused, EvaluateError::Different { .. }), "{refused}");
    assert!(refused.to_string().contains("q there, r now"), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    std::fs::write(&path, "a shopping list\n").unwrap();
    let refused = Evaluating::open(&path, header()).await.err().unwrap();
    assert!(matches!(refused, EvaluateError::NotARun { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a shopping list\n");
}

#[tokio::test]
async fn the_router_is_asked_about_cases_with_an_intent_and_a_new_run_replaces_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.jsonl");
    let text = r#"{"id":"a","lang":"en","messages":[{"role":"user","content":"hi"}],"expect":{"intent":"chat"}}
{"id":"b","messages":[{"role":"user","content":"status?"}],"expect":{"role":"quick"}}"#;
    let cases = read_routing(text).unwrap();
    let mut header = header();
    header.set = EvalSet::Routing;
    for found in [Intent::Code, Intent::Chat] {
        let mut run = Evaluating::begin(&path, header.clone()).await.unwrap();
        let says = |_: &_| RouterSays {
            intent: found,
            confidence: 0.6,
            runner_up: None,
        };
        run.route(&cases, says).await.unwrap();
        let run = read_run(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let Lines::Routed(lines) = run.lines else {
            panic!("routed")
        };
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].id.as_str(), lines[0].found), ("a", found));
    }
}
