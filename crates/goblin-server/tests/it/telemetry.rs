//! What the page reports of itself: who may, in which shape, how often; and what it is told of being wanted.

use std::sync::{Arc, Mutex};

use goblin_core::telemetry::page::PageReport;
use goblin_core::telemetry::sampler::{Pace, Sampler};
use goblin_core::telemetry::span::Listener;
use goblin_server::app::{PageReports, TellSpans};
use goblin_store::rate_limits::RateLimiter;
use http::Method;
use serde_json::{Value, json};

use crate::test_app::{Setup, TestApp};

const VISIT: &str = "0198c4f2-1111-4000-8000-000000000001";

fn report() -> Value {
    json!({"visit": VISIT, "events": [{"name": "question_asked", "page": "chat"}]})
}

type Told = Arc<Mutex<Vec<PageReport>>>;

/// A server where nobody is signed in, others can come, and reports are kept.
async fn listening() -> (TestApp, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let mut setup = Setup {
        public: true,
        ..Setup::default()
    };
    setup.options.spans = Sampler::parse("parentbased_traceidratio", 0.25).map(|sampler| TellSpans {
        sampler,
        pace: Arc::new(Pace::new(100)),
        listener: Listener::new(|_| ()),
    });
    setup.page_event = Some(PageReports {
        errors: false,
        events: true,
        limiter: RateLimiter::memory(setup.clock.clone()),
        forward: Arc::new(move |report| kept.lock().unwrap().push(report)),
    });
    (TestApp::start(setup).await, told)
}

#[tokio::test]
async fn a_page_reports_in_a_closed_shape_before_anybody_has_signed_in() {
    let (app, told) = listening().await;
    let config = app.get("/config.json").await.json().await;
    let wanted = json!({"errors": false, "events": true, "traces": 0.25});
    assert_eq!(config, json!({"api_origin": "", "telemetry": wanted}));
    assert_eq!(app.post("/api/telemetry", &report()).await.status, 204);
    assert_eq!(told.lock().unwrap()[0].visit, VISIT);
    for (wrong, field) in [
        (json!({"visit": "me@example.org"}), "visit"),
        (json!({"visit": VISIT, "prompt": "x"}), "prompt"),
        (
            json!({"visit": VISIT, "events": [{"name": "x", "page": "chat"}]}),
            "events[0]",
        ),
        (
            json!({"visit": VISIT, "errors": [{"kind": "Error"}]}),
            "errors[0]",
        ),
    ] {
        let mut reply = app.post("/api/telemetry", &wrong).await;
        assert_eq!(reply.status, 422, "{wrong}");
        assert_eq!(reply.json().await["param"], field);
    }
    let long = json!({"visit": VISIT, "errors": "x".repeat(40_000)});
    assert_eq!(app.post("/api/telemetry", &long).await.status, 413);
    assert_eq!(told.lock().unwrap().len(), 1, "what is wrong is told to nobody");
}

#[tokio::test]
async fn an_address_that_reports_too_often_is_refused_and_told_when_to_come_back() {
    let (app, told) = listening().await;
    let mut refused = None;
    for _ in 0..40 {
        let reply = app.post("/api/telemetry", &report()).await;
        match reply.status.as_u16() {
            204 => {}
            status => refused = Some((status, reply.header("retry-after").to_owned())),
        }
    }
    let (status, after) = refused.unwrap();
    assert_eq!(status, 429);
    assert!(after.parse::<u64>().unwrap() > 0, "{after}");
    assert_eq!(told.lock().unwrap().len(), 30);
}

#[tokio::test]
async fn another_page_cannot_report_with_a_browsers_cookie_and_nothing_is_wanted_unless_set_up() {
    let app = TestApp::local().await;
    assert_eq!(
        app.get("/config.json").await.json().await,
        json!({"api_origin": ""})
    );
    assert_eq!(app.post("/api/telemetry", &report()).await.status, 204);
    let foreign = app
        .call(Method::POST, "/api/telemetry")
        .header("origin", "https://elsewhere.example")
        .json(&report());
    assert_eq!(foreign.send().await.status, 403);
}
