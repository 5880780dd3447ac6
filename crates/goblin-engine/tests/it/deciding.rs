//! Typed questions: the right probabilities, at the right cost, beside running chats.

use futures_util::StreamExt;
use goblin_core::decide::{AnswerOption, DecideRequest, DecideResponse, Question};
use goblin_core::event::Parsed;
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_engine::EngineOptions;

use crate::models::{HANG, STARTER, answer, ask, options, param_of, start, starter, starter_file};

const SHARED: &str = "Below is a short text and a question about it.\n\nText: Paris is the capital of France. It lies on \
    the Seine, has two million inhabitants, and its tallest building is the Eiffel Tower.\n";

fn option(name: &str, spellings: &[&str]) -> AnswerOption {
    AnswerOption {
        name: name.to_owned(),
        spellings: spellings.iter().map(|s| (*s).to_owned()).collect(),
    }
}

fn yes_no(id: &str, text: &str) -> Question {
    Question {
        id: id.to_owned(),
        text: text.to_owned(),
        options: vec![option("yes", &[" Yes", " yes"]), option("no", &[" No", " no"])],
        typed: None,
    }
}

fn request(questions: usize) -> DecideRequest {
    let subjects = [
        "Paris",
        "Rome",
        "the Seine",
        "the Thames",
        "France",
        "gold",
        "towers",
        "mushrooms",
    ];
    let questions = (0..questions)
        .map(|i| {
            yes_no(
                &format!("q{i}"),
                &format!("Question: Is the text about {}?\nAnswer:", subjects[i % 8]),
            )
        })
        .collect();
    DecideRequest {
        model: STARTER.to_owned(),
        shared: SHARED.to_owned(),
        questions,
        ..DecideRequest::default()
    }
}

async fn decide(handle: &ProviderHandle, request: DecideRequest) -> Result<DecideResponse, ProviderError> {
    let asked = (handle.decide.as_ref().expect("the engine decides"))(request);
    tokio::time::timeout(HANG, asked)
        .await
        .expect("the decider hangs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_questions_branch_off_one_prefix_that_is_evaluated_once() {
    let engine = start(options(starter_file())).await;
    let handle = engine.handle();
    let first = decide(&handle, request(8)).await.unwrap();
    let counted = engine.counters();
    assert_eq!(first.decisions.len(), 8);
    assert!(
        first.cost.shared_evaluated > 30 && first.cost.shared_cached == 0,
        "{:?}",
        first.cost
    );
    assert_eq!(
        counted.evaluated_tokens,
        u64::from(first.cost.shared_evaluated + first.cost.question_tokens)
    );
    // The prefix in one step, all eight questions in another.
    assert_eq!(counted.decode_steps, 2);

    let second = decide(&handle, request(3)).await.unwrap();
    assert_eq!(second.cost.shared_evaluated, 0);
    assert_eq!(second.cost.shared_cached, first.cost.shared_evaluated);
    let evaluated = engine.counters().evaluated_tokens - counted.evaluated_tokens;
    assert_eq!(evaluated, u64::from(second.cost.question_tokens));
    for (a, b) in first.decisions.iter().zip(&second.decisions) {
        assert_eq!(a.id, b.id);
        for (x, y) in a.options.iter().zip(&b.options) {
            assert!((x.probability - y.probability).abs() < 0.02, "{a:?} {b:?}");
        }
    }

    // More questions than fit in one batch take several, and still evaluate the prefix only once.
    let many = decide(&handle, request(40)).await.unwrap();
    assert_eq!(many.decisions.len(), 40);
    assert_eq!(many.cost.shared_evaluated, 0);
    let (a, b) = (&many.decisions[0], &many.decisions[32]);
    assert!(
        (a.mass - b.mass).abs() < 0.02,
        "the same question in another wave: {a:?} {b:?}"
    );
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probabilities_are_those_of_a_chat_with_the_same_prompt() {
    // With this template the prompt is the message itself.
    let bare = "{% for m in messages %}{{ m.content }}{% endfor %}".to_owned();
    let engine = start(EngineOptions {
        chat_template: Some(bare),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let question = "Question: Is the text about Paris?\nAnswer:";
    let mut chat = ask(&format!("{SHARED}{question}"));
    chat.sampling.logprobs = Some(20);
    chat.sampling.max_tokens = Some(1);
    let chosen = answer(&handle, chat).await.unwrap().logprobs.remove(0);
    let options = chosen.top_logprobs.iter().take(3).enumerate();
    let options: Vec<AnswerOption> = options
        .map(|(i, t)| option(&i.to_string(), &[&t.token]))
        .collect();
    let asked = Question {
        id: "q".to_owned(),
        text: question.to_owned(),
        options,
        typed: None,
    };
    let request = DecideRequest {
        model: STARTER.to_owned(),
        shared: SHARED.to_owned(),
        questions: vec![asked],
        ..DecideRequest::default()
    };
    let response = decide(&handle, request).await.unwrap();
    // The chat had evaluated the text already, and its sequence's prefix is shared.
    assert_eq!(response.cost.shared_evaluated, 0, "{:?}", response.cost);
    for (option, top) in response.decisions[0].options.iter().zip(&chosen.top_logprobs) {
        let expected = f64::from(top.logprob).exp();
        assert!(
            (option.probability - expected).abs() < 0.02,
            "{option:?}, expected {expected}"
        );
    }
    let sum: f64 = response.decisions[0].options.iter().map(|o| o.probability).sum();
    assert!((response.decisions[0].mass - sum).abs() < 1e-9 && sum <= 1.0);
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_decider_works_while_every_sequence_is_busy() {
    let engine = start(EngineOptions {
        sequences: Some(1),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let mut running = ask("Go on");
    running.sampling.max_tokens = None;
    running.sampling.logit_bias = vec![(28, 100.0)];
    let mut stream = (handle.chat)(running).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let alone = decide(&handle, request(4)).await.unwrap();
    assert_eq!(alone.decisions.len(), 4);
    // The chat was not disturbed and goes on.
    let more = tokio::time::timeout(HANG, async {
        let mut tokens = 0;
        while let Some(event) = stream.next().await {
            let event = event.unwrap();
            assert!(!matches!(event.parsed, Parsed::Finished { .. }));
            tokens += 1;
            if tokens > 12 {
                break;
            }
        }
        tokens
    });
    assert_eq!(more.await.expect("the chat hangs"), 13);
    drop(stream);
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_a_text_of_its_own_reads_what_follows_the_shared_text() {
    let engine = starter().await;
    let shared = "The capital of France is".to_owned();
    let question = Question {
        id: "capital".to_owned(),
        text: String::new(),
        options: vec![option("paris", &[" Paris"]), option("rome", &[" Rome"])],
        typed: None,
    };
    let request = DecideRequest {
        model: STARTER.to_owned(),
        shared,
        questions: vec![question],
        ..DecideRequest::default()
    };
    let decision = decide(&engine, request).await.unwrap().decisions.remove(0);
    assert!(
        decision.options[0].probability > 10.0 * decision.options[1].probability,
        "{decision:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senseless_questions_are_refused_by_field() {
    let engine = starter().await;
    let mut none = request(1);
    none.questions.clear();
    assert_eq!(param_of(decide(&engine, none).await), "questions");
    let mut same = request(1);
    same.questions[0].options = vec![option("a", &[" Yes"]), option("b", &[" Yes"])];
    assert_eq!(param_of(decide(&engine, same).await), "questions[0].options");
    let mut empty = request(1);
    empty.questions[0].options[0].spellings.clear();
    assert_eq!(param_of(decide(&engine, empty).await), "questions[0].options");
    let mut long = request(1);
    long.shared = "goblin ".repeat(3000);
    assert!(matches!(
        decide(&engine, long).await,
        Err(ProviderError::ContextExceeded {
            context_window: 1024,
            ..
        })
    ));
    let mut other = request(1);
    other.model = "nobody".to_owned();
    assert!(matches!(
        decide(&engine, other).await,
        Err(ProviderError::ModelNotFound { .. })
    ));
}
