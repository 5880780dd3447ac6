//! Answers kept to be given again: the same story in memory and in a real Redis, and one that is away.

use std::sync::Arc;
use std::time::Duration;

use goblin_core::answer_cache::{Kept, Key, Scope, exact};
use goblin_core::chat::{ChatRequest, Message, Role};
use goblin_core::event::{FinishReason, Parsed};
use goblin_store::answer_cache::{AnswerCache, CacheLimits};

use crate::redis_server::RedisServer;

const LIMITS: CacheLimits = CacheLimits {
    keep: Duration::from_secs(60),
    bytes: 64 * 1024,
};

fn key(question: &str) -> Key {
    let request = ChatRequest {
        messages: vec![Message::text(Role::User, question)],
        ..ChatRequest::default()
    };
    let scope = Scope {
        tenant: "t",
        model: "m",
        terms: "",
    };
    exact(scope, &request).unwrap()
}

fn kept(text: &str) -> Arc<Kept> {
    let said = Parsed::Text {
        text: text.to_owned(),
        logprobs: Vec::new(),
    };
    let reason = FinishReason::Stop;
    Arc::new(Kept {
        model_id: "a/b".to_owned(),
        local: true,
        events: vec![Parsed::Started, said, Parsed::Finished { reason }],
        trace: None,
    })
}

async fn whole_story(cache: &AnswerCache) {
    assert_eq!(cache.get(&key("one")).await, None);
    cache.put(key("one"), kept("hi")).await;
    assert_eq!(cache.get(&key("one")).await, Some(kept("hi")));
    assert_eq!(cache.get(&key("two")).await, None);
    cache.put(key("one"), kept("hello")).await;
    assert_eq!(
        cache.get(&key("one")).await,
        Some(kept("hello")),
        "the later one holds"
    );
}

#[tokio::test]
async fn answers_are_kept_and_found_in_memory_within_a_bound() {
    let cache = AnswerCache::memory(LIMITS);
    whole_story(&cache).await;
    let AnswerCache::Memory(inner) = &cache else {
        panic!("it is in memory");
    };
    let long = "x".repeat(4096);
    for n in 0..100 {
        cache.put(key(&n.to_string()), kept(&long)).await;
    }
    inner.run_pending_tasks().await;
    assert!(inner.weighted_size() <= LIMITS.bytes, "{}", inner.weighted_size());
    assert!(inner.entry_count() > 0);
}

#[tokio::test]
async fn answers_are_kept_in_redis_for_every_copy_and_end_by_themselves() {
    let server = RedisServer::start().await;
    let cache = AnswerCache::redis(&server.address(), LIMITS).unwrap();
    whole_story(&cache).await;
    let other = AnswerCache::redis(&server.address(), LIMITS).unwrap();
    assert_eq!(other.get(&key("one")).await, Some(kept("hello")));
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let name = format!("goblin:answer:{}", key("one").to_hex());
    let left: i64 = redis::cmd("TTL")
        .arg(&name)
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((1..=60).contains(&left), "{left}");
    // What another release kept in other words is made anew.
    let _: () = redis::cmd("SET")
        .arg(&name)
        .arg("{\"old\":1}")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(cache.get(&key("one")).await, None);
}

#[tokio::test]
async fn a_redis_that_is_away_keeps_nobody_from_an_answer() {
    let mut server = RedisServer::start().await;
    let cache = AnswerCache::redis(&server.address(), LIMITS).unwrap();
    cache.put(key("one"), kept("hi")).await;
    server.stop();
    cache.put(key("two"), kept("hi")).await;
    assert_eq!(cache.get(&key("one")).await, None);
}
