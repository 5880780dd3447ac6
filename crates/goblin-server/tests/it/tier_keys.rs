//! Keys of the model tier: what each may do, how much, from where and until when.

use std::time::Duration;

use goblin_auth::bans::BanPolicy;
use goblin_auth::keys::{NewKey, NewKeyOptions};
use goblin_auth::principal::Scope;
use goblin_core::clock::Timestamp;
use goblin_server::app::Surface;
use goblin_store::key_file::KeyLimits;
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Call, Reply, guard};
use crate::test_app::{Setup, TestApp};

const CHAT: &str = "/v1/chat/completions";

impl TestApp {
    fn make(&self, name: &str, options: NewKeyOptions) -> NewKey {
        let keys = &self.tier.keys;
        keys.make(name, options, &self.clock, &mut rand::rngs::OsRng)
            .unwrap()
    }

    fn with(&self, key: &NewKey, method: Method, path: &str) -> Call {
        let bearer = format!("Bearer {}", key.key.expose_secret());
        Call::new(self.address, method, path).header("authorization", &bearer)
    }

    async fn look(&self, key: &NewKey) -> u16 {
        self.with(key, Method::GET, "/v1/models")
            .send()
            .await
            .status
            .as_u16()
    }

    async fn ask(&self, key: &NewKey) -> Reply {
        self.with(key, Method::POST, CHAT)
            .json(&question("hi"))
            .send()
            .await
    }
}

fn question(text: &str) -> Value {
    json!({"model": "parrot", "stream": text == "play", "messages": [{"role": "user", "content": text}]})
}

fn infer() -> NewKeyOptions {
    NewKeyOptions::with_scopes([Scope::Infer])
}

fn limited(change: impl FnOnce(&mut KeyLimits)) -> NewKeyOptions {
    let mut options = infer();
    change(&mut options.limits);
    options
}

/// Status, code, sentence and seconds to wait.
async fn refusal(mut reply: Reply) -> (u16, String, String, String) {
    let body = reply.json().await;
    let text = |field: &str| body["error"][field].as_str().unwrap_or_default().to_owned();
    let wait = reply.header("retry-after").to_owned();
    (reply.status.as_u16(), text("code"), text("message"), wait)
}

/// One key for every way to be refused, and what is said about it.
fn bad_keys(app: &TestApp) -> Vec<(&'static str, String, u16, &'static str, &'static str)> {
    let text = |key: &NewKey| key.key.expose_secret().to_owned();
    let revoked = app.make("revoked", infer());
    app.tier.keys.revoke("revoked", &app.clock).unwrap();
    let rotated = app.make("rotated", infer());
    let rng = &mut rand::rngs::OsRng;
    app.tier
        .keys
        .rotate("rotated", Duration::from_secs(1), &app.clock, rng)
        .unwrap();
    app.clock.advance_ms(1000);
    let expired = app.make(
        "expired",
        NewKeyOptions {
            expires_at: Some(app.clock.now()),
            ..infer()
        },
    );
    let elsewhere = app.make(
        "elsewhere",
        NewKeyOptions {
            from: vec!["192.0.2.0/24".parse().unwrap()],
            ..infer()
        },
    );
    let spent = app.make("spent", limited(|l| l.tokens_per_day = Some(10)));
    app.tier.meter.account(&"spent".into()).add(10);
    let nothing = app.make("nothing", NewKeyOptions::default());
    let mistyped = format!("{}!", &text(&spent)[..65]);
    vec![
        (
            "wrong",
            "somebody-elses-key".into(),
            401,
            "unauthorized",
            "not known here",
        ),
        ("mistyped", mistyped, 401, "unauthorized", "checksum"),
        (
            "unreadable",
            "two words".into(),
            401,
            "unauthorized",
            "cannot be read",
        ),
        (
            "revoked",
            text(&revoked),
            401,
            "unauthorized",
            "`revoked` was revoked",
        ),
        (
            "rotated away",
            text(&rotated),
            401,
            "unauthorized",
            "`rotated` was rotated",
        ),
        (
            "expired",
            text(&expired),
            401,
            "unauthorized",
            "`expired` expired at 2026-11-",
        ),
        (
            "from elsewhere",
            text(&elsewhere),
            403,
            "forbidden",
            "not be used from 127.0.0.1",
        ),
        (
            "without the scope",
            text(&nothing),
            403,
            "forbidden",
            "the scope `infer`",
        ),
        (
            "spent",
            text(&spent),
            429,
            "insufficient_quota",
            "`spent` has used 10 tokens today; its limit is 10",
        ),
    ]
}

#[tokio::test]
async fn every_bad_key_is_refused_with_its_status_code_and_sentence() {
    let app = TestApp::tier().await;
    for (name, key, status, code, says) in bad_keys(&app) {
        for path in [CHAT, "/chat/completions"] {
            for header in ["authorization", "x-api-key"] {
                let value = if header == "x-api-key" {
                    key.clone()
                } else {
                    format!("Bearer {key}")
                };
                let call = Call::new(app.address, Method::POST, path).header(header, &value);
                let mut reply = call.json(&question("hi")).send().await;
                let text = reply.text().await;
                let body: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    (reply.status.as_u16(), body["error"]["code"].as_str()),
                    (status, Some(code)),
                    "{name}"
                );
                assert!(text.contains(says) && !text.contains(&key), "{name}: {text}");
                assert_eq!(body["detail"].is_string(), path == "/chat/completions", "{name}");
                assert_eq!(
                    reply.header("www-authenticate") == "Bearer",
                    status == 401,
                    "{name}"
                );
                assert_eq!(!reply.header("retry-after").is_empty(), status == 429, "{name}");
            }
        }
    }
    let metrics = app.get("/metrics").await.text().await;
    for reason in ["unknown", "malformed", "revoked", "expired", "address", "scope"] {
        let line = format!("goblin_tier_refused_keys_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{reason}");
    }
}

#[tokio::test]
async fn two_different_keys_and_keys_in_the_address_are_refused_even_when_right() {
    let app = TestApp::tier().await;
    let key = app.make("laptop", infer());
    let right = key.key.expose_secret();
    let two = app
        .with(&key, Method::GET, "/v1/models")
        .header("x-api-key", "another");
    let (status, code, says, _) = refusal(two.send().await).await;
    assert_eq!((status, code.as_str()), (401, "unauthorized"));
    assert!(says.contains("two different keys"), "{says}");
    let same = app
        .with(&key, Method::GET, "/v1/models")
        .header("x-api-key", right);
    assert_eq!(same.send().await.status, 200);
    for field in [
        "key",
        "api_key",
        "apikey",
        "token",
        "access_token",
        "API_KEY",
        "%6Bey",
    ] {
        let path = format!("/v1/models?limit=1&{field}={right}");
        for call in [
            Call::new(app.address, Method::GET, &path),
            app.with(&key, Method::GET, &path),
        ] {
            let (status, code, says, _) = refusal(call.send().await).await;
            assert_eq!((status, code.as_str()), (401, "unauthorized"), "{field}");
            assert!(says.contains("x-api-key: KEY") && !says.contains(right), "{says}");
        }
    }
}

#[tokio::test]
async fn a_scope_opens_what_it_names_and_admin_opens_all() {
    let app = TestApp::tier().await;
    for (scope, looks, asks) in [
        (Scope::Read, 200, 403),
        (Scope::Embed, 200, 403),
        (Scope::Infer, 200, 200),
        (Scope::Admin, 200, 200),
    ] {
        let key = app.make(scope.as_str(), NewKeyOptions::with_scopes([scope]));
        let found = (app.look(&key).await, app.ask(&key).await.status.as_u16());
        assert_eq!(found, (looks, asks), "{scope:?}");
    }
}

#[tokio::test]
async fn requests_in_a_minute_are_bounded_and_the_wait_is_said() {
    let app = TestApp::tier().await;
    let key = app.make("batch", limited(|l| l.requests_per_minute = Some(2)));
    for _ in 0..2 {
        assert_eq!(app.ask(&key).await.status, 200);
    }
    let (status, code, says, wait) = refusal(app.ask(&key).await).await;
    assert_eq!((status, code.as_str()), (429, "key_limit"));
    assert!(
        says.contains("`batch`") && says.contains("limit of 2 requests in a minute"),
        "{says}"
    );
    assert_eq!(app.look(&key).await, 200, "lists are counted apart");
    let seconds: i64 = wait.parse().unwrap();
    assert!((1..=63).contains(&seconds), "{seconds}");
    app.clock.advance_ms(seconds * 1000);
    assert_eq!(
        app.ask(&key).await.status,
        200,
        "what was said about the wait is true"
    );
}

#[tokio::test]
async fn a_request_counts_as_under_way_until_its_stream_has_ended_or_its_client_left() {
    let app = TestApp::tier().await;
    let key = app.make("one", limited(|l| l.concurrent = Some(1)));
    for leaves in [false, true] {
        let speak = async {
            let played = app.provider.played().await;
            played.say("One");
            played
        };
        let call = app.with(&key, Method::POST, CHAT).json(&question("play"));
        let (mut reply, played) = tokio::join!(call.send(), speak);
        assert_eq!(reply.status, 200);
        let (status, code, says, wait) = refusal(app.ask(&key).await).await;
        assert_eq!((status, code.as_str(), wait.as_str()), (429, "key_limit", "1"));
        assert!(
            says.contains("`one`") && says.contains("limit of 1 requests under way"),
            "{says}"
        );
        assert_eq!(app.look(&key).await, 200, "looking is no load");
        assert_eq!(
            app.get("/v1/models").await.status,
            200,
            "another key is not concerned"
        );
        if leaves {
            drop(reply);
        } else {
            played.finish();
            reply.events().await;
            drop(reply);
        }
        let freed = async {
            while app.ask(&key).await.status != 200 {
                tokio::task::yield_now().await;
            }
        };
        guard(freed).await;
    }
}

#[tokio::test]
async fn the_tokens_of_a_day_end_with_a_quota_error_and_the_next_day_goes_on() {
    let app = TestApp::tier().await;
    let key = app.make("student", limited(|l| l.tokens_per_day = Some(1000)));
    let mut answered = app.ask(&key).await;
    assert_eq!(answered.status, 200);
    let used = answered.json().await["usage"]["total_tokens"].as_u64().unwrap();
    let counted = async {
        while app.tier.meter.tokens_today("student") != used {
            tokio::task::yield_now().await;
        }
    };
    guard(counted).await;
    app.tier.meter.account(&"student".into()).add(1200);
    let (status, code, says, wait) = refusal(app.ask(&key).await).await;
    assert_eq!((status, code.as_str()), (429, "insufficient_quota"));
    assert!(
        says.contains("`student`") && says.contains("limit is 1000"),
        "{says}"
    );
    assert_eq!(app.look(&key).await, 200, "lists cost no tokens");
    app.clock.advance_ms(wait.parse::<i64>().unwrap() * 1000);
    assert_eq!(app.ask(&key).await.status, 200);
}

#[tokio::test]
async fn keys_change_while_the_tier_runs() {
    let app = TestApp::tier().await;
    let old = app.make("backend", infer());
    let rng = &mut rand::rngs::OsRng;
    let day = Duration::from_secs(86_400);
    let new = app.tier.keys.rotate("backend", day, &app.clock, rng).unwrap();
    assert_eq!(
        (app.look(&old).await, app.look(&new).await),
        (200, 200),
        "both are good in the overlap"
    );
    app.clock.advance_ms(86_400_000);
    assert_eq!((app.look(&old).await, app.look(&new).await), (401, 200));
    app.tier.keys.revoke("backend", &app.clock).unwrap();
    assert_eq!(app.look(&new).await, 401);
}

#[tokio::test]
async fn whoever_tries_keys_from_this_machine_waits_longer_each_time_and_is_never_shut_out() {
    let slowest = Duration::from_millis(20);
    let app = TestApp::start(Setup {
        surface: Surface::Tier,
        bans: BanPolicy {
            slowest,
            ..BanPolicy::default()
        },
        ..Setup::default()
    })
    .await;
    for _ in 0..30 {
        let wrong = Call::new(app.address, Method::GET, "/v1/models").header("x-api-key", "guess");
        assert_eq!(wrong.send().await.status, 401);
    }
    assert_eq!(
        app.get("/v1/models").await.status,
        200,
        "a right key is answered at once"
    );
    assert!(
        app.get("/metrics")
            .await
            .text()
            .await
            .contains("goblin_tier_banned_addresses 0")
    );
    assert_eq!(app.clock.now(), Timestamp(1_795_471_200_000));
}
