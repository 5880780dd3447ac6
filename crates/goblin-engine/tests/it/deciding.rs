//! Typed questions: the right probabilities, at the right cost, beside running chats.

use futures_util::StreamExt;
use goblin_core::decide::{AnswerOption, DecideRequest, DecideResponse, Frame, Question};
use goblin_core::event::Parsed;
use goblin_core::judge::Judges;
use goblin_core::judge::choose::Choosing;
use goblin_core::judge::questions::{QuestionSet, ask as ask_judge};
use goblin_core::judge::settings::JudgeSettings;
use goblin_core::judge::transcript::Transcript;
use goblin_core::provider::{ProviderError, ProviderHandle};
use goblin_core::route::Offer;
use goblin_core::trace::About;
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

/// What the chat template puts around a message of the user, and what a question reads with the same put around it by
/// a frame, are the same prompt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_turn_marks_is_read_as_the_chat_template_is() {
    let marked = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}\
                  {{ '<|im_start|>assistant\n' }}"
        .to_owned();
    let engine = start(EngineOptions {
        chat_template: Some(marked),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let question = "\nQuestion: Is the text about Paris?\nAnswer with yes or no.";
    let mut chat = ask(&format!("{SHARED}{question}"));
    chat.sampling.logprobs = Some(20);
    chat.sampling.max_tokens = Some(1);
    let chosen = answer(&handle, chat).await.unwrap().logprobs.remove(0);
    let top = chosen.top_logprobs.first().expect("a rival");
    let request = DecideRequest {
        model: STARTER.to_owned(),
        shared: SHARED.to_owned(),
        questions: vec![Question {
            id: "q".to_owned(),
            text: question.to_owned(),
            options: vec![option("top", &[&top.token])],
            typed: None,
        }],
        frame: Frame {
            before: "<|im_start|>user\n".to_owned(),
            after: "<|im_end|>\n<|im_start|>assistant\n".to_owned(),
            ..Frame::default()
        },
        ..DecideRequest::default()
    };
    let framed = decide(&handle, request.clone()).await.unwrap();
    let expected = f64::from(top.logprob).exp();
    let found = framed.decisions[0].mass;
    assert!((found - expected).abs() < 0.03, "{found}, expected {expected}");
    // The same marks written into the text are letters, unless they are said to be marks.
    let written = |marks: &[&str]| DecideRequest {
        shared: format!("<|im_start|>user\n{SHARED}"),
        frame: Frame {
            before: String::new(),
            after: "<|im_end|>\n<|im_start|>assistant\n".to_owned(),
            marks: marks.iter().map(|m| (*m).to_owned()).collect(),
            exact: false,
        },
        ..request.clone()
    };
    let tokens = |response: &DecideResponse| response.cost.shared_evaluated + response.cost.shared_cached;
    let letters = decide(&handle, written(&[])).await.unwrap();
    let marks = decide(&handle, written(&["<|im_start|>"])).await.unwrap();
    assert_eq!(tokens(&marks), tokens(&framed));
    assert!(
        tokens(&letters) > tokens(&framed),
        "a mark is one token, its letters are several"
    );
    engine.shutdown();
}

/// However many windows an answer is judged in, question and answer are evaluated about once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_answer_is_evaluated_once_for_all_its_windows() {
    let engine = start(EngineOptions {
        context_tokens: Some(2048),
        sequences: Some(1),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let settings = JudgeSettings {
        safety: vec![STARTER.to_owned()],
        confidence: vec![STARTER.to_owned()],
        ..JudgeSettings::default()
    };
    let status = (handle.status)().await;
    let offers: Vec<Offer> = status
        .models
        .into_iter()
        .map(|model| Offer {
            provider: handle.id.clone(),
            provider_local: true,
            health: status.health.clone(),
            model,
        })
        .collect();
    let judges = Judges::choose(&Choosing {
        offers: &offers,
        answerer: None,
        local_only: true,
        settings: &settings,
        records: &[],
    });
    let judge = judges.safety_judge().expect("a judge").clone();
    let mut transcript = Transcript::of_question("Tell me about Paris, its river and its towers.");
    let (mut evaluated, mut questions, mut whole) = (0, 0, 0);
    let ask_about = |transcript: &Transcript, about: About, sets: &[QuestionSet]| {
        let mut asked = ask_judge(&judge, &settings.categories, transcript, about, sets, None);
        assert_eq!(asked.len(), 1);
        let asked = asked.remove(0);
        assert!(!asked.partial, "the context holds all of it");
        let request = DecideRequest {
            model: STARTER.to_owned(),
            ..asked.request.clone()
        };
        (asked, request)
    };
    let (asked, request) = ask_about(&transcript, About::Prompt, &[QuestionSet::Prompt]);
    let response = decide(&handle, request).await.unwrap();
    evaluated += response.cost.shared_evaluated;
    assert_eq!(asked.verdicts(&judge, &response, 1).len(), 1);
    for window in 0..8 {
        transcript.push("Paris lies on the Seine, which comes from the east and runs past the islands. ");
        transcript
            .push("Its tallest building is the Eiffel Tower, built in 1889 for a fair & never taken down. ");
        let (asked, request) = ask_about(&transcript, About::Window(window), &[QuestionSet::Transcript]);
        let response = decide(&handle, request).await.unwrap();
        evaluated += response.cost.shared_evaluated;
        questions += response.cost.question_tokens;
        whole = response.cost.shared_evaluated + response.cost.shared_cached;
        let verdict = asked.verdicts(&judge, &response, 1).remove(0);
        assert!(verdict.mass > 0.0, "{verdict:?}");
    }
    let passes = f64::from(evaluated) / f64::from(whole);
    assert!(passes <= 1.1, "{evaluated} evaluated of a text of {whole} tokens");
    println!("{passes:.3} passes over {whole} tokens in 9 verdicts; {questions} tokens of questions");
    engine.shutdown();
}
