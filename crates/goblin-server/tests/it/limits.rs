//! How often people, keys and addresses may ask, as clients are told; and what copies and a lost Redis do to it.

use goblin_auth::visit::Premises;
use goblin_server::rate::RateSettings;
use goblin_store::rate_limits::{RateLimiter, RedisLimiter, WithoutRedis};
use http::Method;
use serde_json::json;

use crate::client::Reply;
use crate::people::{PASSWORD, Person, app_with, by_program, guest, in_browser, owner};
use crate::provider::MODEL;
use crate::redis_server::RedisServer;
use crate::test_app::TestApp;

async fn limited(settings: RateSettings) -> TestApp {
    app_with(|setup| setup.limits = Some((settings, RateLimiter::memory(setup.clock.clone())))).await
}

fn number(reply: &Reply, name: &str) -> u64 {
    reply.header(name).parse().unwrap()
}

#[tokio::test]
async fn a_user_over_the_limit_is_told_when_to_come_back_and_then_let_through() {
    let app = limited(RateSettings {
        user_per_minute: Some(3),
        ..RateSettings::default()
    })
    .await;
    let owner = owner(&app).await;
    for left in [2, 1, 0] {
        let reply = owner.get(&app, "/api/chats").await;
        assert_eq!(reply.status, 200);
        assert_eq!(
            (
                number(&reply, "ratelimit-limit"),
                number(&reply, "ratelimit-remaining")
            ),
            (3, left)
        );
    }
    let mut refused = owner.get(&app, "/api/chats").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    let wait = number(&refused, "retry-after");
    assert_eq!((wait, number(&refused, "ratelimit-remaining")), (20, 0));
    assert_eq!(number(&refused, "ratelimit-reset"), 60);
    assert!(refused.text().await.contains("3 requests"));
    // Another's door, another's shape; another browser of the same user counts as the user.
    let mut refused = owner.get(&app, "/v1/models").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.json().await["error"]["code"], "rate_limited");
    let browser = Person::of(in_browser(&app, "owner@example.org", PASSWORD).await).await;
    assert_eq!(browser.get(&app, "/api/chats").await.status, 429);
    app.clock.advance_ms(20_000);
    assert_eq!(browser.get(&app, "/api/chats").await.status, 200);
    assert_eq!(app.get("/health").await.status, 200, "never counted");
}

#[tokio::test]
async fn a_key_has_its_own_bound_and_a_place_among_its_answers() {
    let app = limited(RateSettings {
        user_per_minute: Some(100),
        key_per_minute: Some(100),
        key_concurrent: Some(100),
        ..RateSettings::default()
    })
    .await;
    let owner = owner(&app).await;
    let body = json!({"name": "k", "requests_per_minute": 2, "concurrent": 1});
    let key = owner.post(&app, "/api/keys", &body).await.json().await["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let models = || {
        app.call(Method::GET, "/v1/models")
            .header("x-api-key", &key)
            .send()
    };
    let reply = models().await;
    assert_eq!(
        (reply.status.as_u16(), number(&reply, "ratelimit-limit")),
        (200, 2)
    );
    assert_eq!(models().await.status, 200);
    assert_eq!(models().await.status, 429);
    app.clock.advance_ms(60_000);

    // One answer under way; a second is refused until the first has ended.
    let ask = |text: &str| {
        let body = json!({"model": MODEL, "stream": true, "messages": [{"role": "user", "content": text}]});
        app.call(Method::POST, "/v1/chat/completions")
            .header("x-api-key", &key)
            .json(&body)
            .send()
    };
    let speak = async {
        let played = app.provider.played().await;
        played.say("One");
        played
    };
    let (first, played) = tokio::join!(ask("play"), speak);
    assert_eq!(first.status, 200);
    let mut refused = ask("hello").await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().await.contains("under way"));
    app.clock.advance_ms(60_000);
    assert_eq!(models().await.status, 200, "only answers are counted so");
    drop((first, played));
    app.clock.advance_ms(60_000);
    for _ in 0..1_000 {
        let again = ask("hello").await;
        if again.status == 200 {
            return;
        }
        app.clock.advance_ms(60_000);
        tokio::task::yield_now().await;
    }
    panic!("the place is not given back");
}

#[tokio::test]
async fn an_address_is_bounded_whoever_sends_and_only_a_trusted_proxy_says_which_it_is() {
    let app = app_with(|setup| {
        setup.premises = Premises {
            proxies: vec!["127.0.0.1".parse().unwrap()],
            ..Premises::default()
        };
        let settings = RateSettings {
            address_per_minute: Some(2),
            sign_ins_per_minute: Some(3),
            ..RateSettings::default()
        };
        setup.limits = Some((settings, RateLimiter::memory(setup.clock.clone())));
    })
    .await;
    owner(&app).await;
    let look = |from: &str| {
        app.call(Method::GET, "/v1/models")
            .header("x-forwarded-for", from)
            .send()
    };
    for status in [401, 401, 429] {
        assert_eq!(look("192.0.2.1").await.status, status);
    }
    assert_eq!(look("192.0.2.2").await.status, 401, "another address");
    assert_eq!(
        look("203.0.113.9, 192.0.2.1").await.status,
        429,
        "what a client claims counts for nothing"
    );
    // Signing in is counted apart, also when it succeeds, and its refusals have its shape.
    let sign_in = |from: &str| {
        let body = json!({"email": "owner@example.org", "password": PASSWORD});
        app.call(Method::POST, "/auth/login")
            .header("x-forwarded-for", from)
            .json(&body)
            .send()
    };
    for status in [200, 200, 200, 429] {
        assert_eq!(sign_in("192.0.2.1").await.status, status);
    }
    let mut refused = sign_in("192.0.2.1").await;
    assert!(number(&refused, "retry-after") > 0);
    assert!(refused.json().await["detail"].is_string());
    assert_eq!(sign_in("192.0.2.3").await.status, 200);
}

#[tokio::test]
async fn everybody_in_a_team_is_bounded_together() {
    let app = limited(RateSettings {
        team_per_minute: Some(6),
        ..RateSettings::default()
    })
    .await;
    let owner = owner(&app).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let email = format!("{name}@example.org");
        people.push(guest(&app, &owner, &email, "member").await);
    }
    let mut team = owner.post(&app, "/api/teams", &json!({"name": "Digging"})).await;
    let team = team.json().await["id"].as_str().unwrap().to_owned();
    for one in &people[..2] {
        let place = format!("/api/teams/{team}/members/{}", one.id);
        let added = owner
            .call(&app, Method::PUT, &place)
            .json(&json!({"role": "member"}));
        assert!(added.send().await.status.is_success());
    }
    let [ada, bob, eve] = people.as_slice() else {
        panic!()
    };
    for one in [ada, bob, ada, bob, ada, bob] {
        assert_eq!(one.get(&app, "/api/chats").await.status, 200);
    }
    let refused = ada.get(&app, "/api/chats").await;
    assert_eq!(refused.status, 429);
    assert_eq!(number(&refused, "ratelimit-limit"), 6);
    assert_eq!(bob.get(&app, "/api/chats").await.status, 429);
    assert_eq!(eve.get(&app, "/api/chats").await.status, 200, "in no team");
    app.clock.advance_ms(10_000);
    assert_eq!(bob.get(&app, "/api/chats").await.status, 200);
    assert_eq!(ada.get(&app, "/api/chats").await.status, 429);
}

#[tokio::test]
async fn two_copies_on_one_redis_count_together_and_without_it_do_as_they_are_told() {
    let mut server = RedisServer::start().await;
    let redis = || RateLimiter::Redis(RedisLimiter::new(server.address()).unwrap());
    let settings = RateSettings {
        address_per_minute: Some(3),
        sign_ins_per_minute: Some(1_000),
        sign_ins_without_redis: WithoutRedis::Refuse,
        ..RateSettings::default()
    };
    let (one, other) = (
        app_with(|setup| setup.limits = Some((settings, redis()))).await,
        app_with(|setup| setup.limits = Some((settings, redis()))).await,
    );
    owner(&one).await;
    owner(&other).await;
    let look = |app: &TestApp| app.call(Method::GET, "/v1/models").send();
    assert_eq!(look(&one).await.status, 401);
    assert_eq!(look(&other).await.status, 401);
    assert_eq!(look(&one).await.status, 401);
    assert_eq!(look(&other).await.status, 429, "together they are over");
    // Wrong passwords too: five of one address at one account, wherever they arrive.
    for (n, app) in [&one, &other].into_iter().cycle().take(7).enumerate() {
        let guess = by_program(app, "owner@example.org", "a wrong password").await;
        assert_eq!(guess.status, if n < 5 { 401 } else { 429 });
    }

    server.stop();
    let mut away = by_program(&one, "owner@example.org", PASSWORD).await;
    assert_eq!(away.status, 503);
    let text = away.text().await;
    assert!(
        !text.to_lowercase().contains("redis") && !text.contains("127.0.0.1"),
        "{text}"
    );
    // Counted here: the burst of a fresh start.
    for status in [401, 401, 401, 429] {
        assert_eq!(look(&one).await.status, status);
    }
}
