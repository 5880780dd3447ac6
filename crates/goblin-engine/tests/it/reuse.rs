//! What was computed once is not computed again: counted in evaluated tokens.

use goblin_core::chat::{Message, Role};
use goblin_engine::EngineOptions;

use crate::models::{answer, ask, collect, options, start, starter_file};

const SYSTEM: &str = "You are a patient goblin who answers questions about caves, gold, mushrooms and lanterns. \
    You never lie, you keep your answers short, and you always say which of the four subjects you talk about.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_turn_of_a_chat_evaluates_only_what_is_new() {
    let engine = start(options(starter_file())).await;
    let handle = engine.handle();
    let mut request = ask("What is the capital of France?");
    request.messages.insert(0, Message::text(Role::System, SYSTEM));
    let first = answer(&handle, request.clone()).await.unwrap();
    assert_eq!(first.usage.cached_tokens, 0);
    let before = engine.counters();
    request.messages.push(Message::text(Role::Assistant, first.text));
    request.messages.push(Message::text(Role::User, "And of Italy?"));
    let second = answer(&handle, request).await.unwrap();
    let evaluated = engine.counters().prefill_tokens - before.prefill_tokens;
    assert_eq!(
        u64::from(second.usage.prompt_tokens - second.usage.cached_tokens),
        evaluated
    );
    // Everything of the first turn but at most the last token of its answer, which was never evaluated.
    let first_turn = first.usage.prompt_tokens + first.usage.completion_tokens - 1;
    assert!(
        second.usage.cached_tokens >= first_turn - 2,
        "{:?} after {:?}",
        second.usage,
        first.usage
    );
    assert!(evaluated < 20, "{evaluated}");
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_share_a_system_prompt_share_its_work_even_at_the_same_time() {
    let engine = start(EngineOptions {
        sequences: Some(8),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let mut streams = Vec::new();
    for i in 0..8 {
        let mut request = ask(&format!("Question number {i}: what is the number?"));
        request.messages.insert(0, Message::text(Role::System, SYSTEM));
        request.sampling.max_tokens = Some(4);
        streams.push((handle.chat)(request).await.unwrap());
    }
    let answers = futures_util::future::join_all(streams.into_iter().map(collect)).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    let counters = engine.counters();
    let all: u64 = answers.iter().map(|a| u64::from(a.usage.prompt_tokens)).sum();
    let cached: u64 = answers.iter().map(|a| u64::from(a.usage.cached_tokens)).sum();
    assert_eq!(counters.cached_tokens, cached);
    assert_eq!(counters.prefill_tokens, all - cached);
    assert_eq!(answers.iter().filter(|a| a.usage.cached_tokens == 0).count(), 1);
    assert!(
        answers.iter().filter(|a| a.usage.cached_tokens > 45).count() >= 7,
        "{answers:?}"
    );
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_chats_than_sequences_take_turns_and_stay_right() {
    let engine = start(EngineOptions {
        sequences: Some(2),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let mut first = Vec::new();
    for round in 0..2 {
        for i in 0..4 {
            let got = answer(&handle, ask(&format!("Write the number {i} as a word.")))
                .await
                .unwrap();
            if round == 0 {
                first.push(got.text);
            } else {
                assert_eq!(got.text, first[i], "an evicted chat answers otherwise");
            }
        }
    }
    engine.shutdown();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_that_rest_are_dropped_oldest_first_before_they_weigh_more_than_half_a_context() {
    let engine = start(EngineOptions {
        sequences: Some(6),
        ..options(starter_file())
    })
    .await;
    let handle = engine.handle();
    let asked = |i: usize| {
        let mut request = ask(&format!("Chat {i}: {}", format!("word{i} ").repeat(60)));
        request.messages.insert(
            0,
            Message::text(Role::System, format!("Chat number {i} has its own rules.")),
        );
        request.sampling.max_tokens = Some(1);
        request
    };
    for i in 0..5 {
        let got = answer(&handle, asked(i)).await.unwrap();
        let own = u64::from(got.usage.prompt_tokens);
        assert!(own > 120, "{own}");
        // Half of the 1,024 tokens, and the chat that spoke last.
        assert!(
            engine.counters().idle_tokens <= 512 + own,
            "{:?}",
            engine.counters()
        );
    }
    // The last is there still, the first is not.
    let last = answer(&handle, asked(4)).await.unwrap().usage;
    assert_eq!(last.cached_tokens, last.prompt_tokens - 1);
    let first = answer(&handle, asked(0)).await.unwrap().usage;
    assert!(first.cached_tokens < 20, "{first:?}");
    engine.shutdown();
}
