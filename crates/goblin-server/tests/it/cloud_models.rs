//! Models that an Ollama only hands on to Ollama's cloud: not there unless allowed, and then never called local,
//! through however many tiers. And what stays on the operator's machines opens no connection off them.

use std::time::Duration;

use goblin_core::owner::Owner;
use goblin_net::{HttpClient, NetOptions, Url};
use goblin_providers::openai_compat::{Kind, UpstreamSpec, build};
use goblin_server::app::Surface;
use serde_json::{Value, json};

use crate::checked;
use crate::client::data;
use crate::fake_upstream::{CLOUD_MODEL, FakeUpstream, MODEL, Reply, answer, handle_on};
use crate::test_app::{KEY, Setup, TestApp};

async fn ollama() -> FakeUpstream {
    let said = r#"{"message":{"content":"Hello"},"done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":1}"#;
    FakeUpstream::start(move |_| Reply::Bytes(answer("200 OK", "application/x-ndjson", said))).await
}

async fn tier_over(ollama: &FakeUpstream, allow_cloud: bool) -> TestApp {
    let spec = UpstreamSpec {
        allow_cloud,
        ..UpstreamSpec::ollama(ollama.url.clone())
    };
    TestApp::start(Setup {
        surface: Surface::Tier,
        upstreams: vec![handle_on(spec)],
        ..Setup::default()
    })
    .await
}

async fn backend_over(tier: &TestApp) -> TestApp {
    let url = Url::parse(&format!("http://{}", tier.address)).unwrap();
    let tier = UpstreamSpec::goblin_tier("tier", url, Some(KEY.to_owned().into()));
    TestApp::start(Setup {
        upstreams: vec![handle_on(tier)],
        ..Setup::default()
    })
    .await
}

/// `(name, local)` of every model of a list.
fn listed(list: &Value, at: &str) -> Vec<(String, Value)> {
    let models = list["data"].as_array().unwrap().iter();
    models
        .map(|m| (m["id"].as_str().unwrap().to_owned(), m["goblin"][at].clone()))
        .collect()
}

fn question(model: &str, local_only: bool) -> Value {
    let messages = json!([{"role": "user", "content": "hi"}]);
    json!({"model": model, "messages": messages, "goblin": {"local_only": local_only}})
}

#[tokio::test]
async fn a_cloud_model_that_is_not_allowed_is_not_there_and_nothing_is_sent_to_it() {
    let ollama = ollama().await;
    let tier = tier_over(&ollama, false).await;
    let list = tier.get("/v1/models").await.json().await;
    assert_eq!(listed(&list, "local"), [(MODEL.to_owned(), json!(true))]);
    for name in [CLOUD_MODEL.to_owned(), format!("ollama/{CLOUD_MODEL}")] {
        let mut reply = tier.post("/v1/chat/completions", &question(&name, false)).await;
        assert_eq!(reply.status, 404, "{name}");
        assert_eq!(reply.json().await["error"]["code"], "model_not_found");
    }
    assert!(ollama.questions().is_empty());
}

#[tokio::test]
async fn a_tier_says_of_an_allowed_cloud_model_that_it_leaves_its_machines() {
    let ollama = ollama().await;
    let tier = tier_over(&ollama, true).await;
    let list = tier.get("/v1/models").await.json().await;
    let expected = [
        (MODEL.to_owned(), json!(true)),
        (CLOUD_MODEL.to_owned(), json!(false)),
    ];
    assert_eq!(listed(&list, "local"), expected);
    let status = tier.get("/v1/goblin/status").await.json().await;
    let said: Vec<&Value> = status["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| &i["local"])
        .collect();
    assert_eq!(said, [&json!(true), &json!(false)]);
}

#[tokio::test]
async fn a_backend_behind_that_tier_knows_it_routes_by_it_and_records_it() {
    let ollama = ollama().await;
    let tier = tier_over(&ollama, true).await;
    let backend = backend_over(&tier).await;
    let far = format!("tier/{CLOUD_MODEL}");
    let list = backend.get("/v1/models").await.json().await;
    let expected = [
        ("goblin".to_owned(), json!(false)),
        ("goblin/fast".to_owned(), json!(false)),
        ("goblin/best".to_owned(), json!(false)),
        ("goblin/code".to_owned(), json!(false)),
        ("goblin/local".to_owned(), json!(true)),
        (format!("tier/{MODEL}"), json!(true)),
        (far.clone(), json!(false)),
    ];
    assert_eq!(listed(&list, "local"), expected);

    // Only local models are wanted: nothing of it reaches the Ollama.
    for (path, status) in [("/v1/chat/completions", 400), ("/api/chat/completions", 422)] {
        let mut refused = backend.post(path, &question(&far, true)).await;
        assert_eq!(refused.status, status);
        let error = refused.json().await["error"].clone();
        assert_eq!(error["param"], "goblin.local_only");
        let said = error["message"].to_string();
        assert!(
            said.contains("does not run on this operator's machines"),
            "{said}"
        );
    }
    assert!(ollama.questions().is_empty());
    let local = backend
        .post("/v1/chat/completions", &question("goblin/local", false))
        .await;
    assert_eq!(local.status, 200);
    let asked = ollama.questions();
    assert!(asked.len() == 1 && asked[0].body.contains(MODEL), "{asked:?}");

    // It is asked by name: the turn and the usage say that the question left.
    let chat = backend.chat(&json!({"model": far})).await;
    let events = backend
        .post(&format!("/api/chats/{chat}/turns"), &json!({"content": "hi"}))
        .await
        .events()
        .await;
    let turn = &data(events.last().unwrap())["turn"];
    assert_eq!(
        (&turn["model"], &turn["local"]),
        (&json!(far), &json!(false)),
        "{turn}"
    );
    let store = backend.store.as_ref().unwrap();
    let rows = store.list_usage(&Owner::local(), None, 10).await.unwrap();
    let kept: Vec<_> = rows
        .items
        .iter()
        .map(|row| (row.usage.model.clone().unwrap_or_default(), row.usage.local))
        .collect();
    assert!(kept.contains(&(CLOUD_MODEL.to_owned(), Some(false))), "{kept:?}");
}

/// A backend with models and judges here, and a server elsewhere whose state is never believed for long.
async fn backend_with(elsewhere: &FakeUpstream) -> TestApp {
    let spec = UpstreamSpec {
        local: false,
        status_ttl: Duration::ZERO,
        ..UpstreamSpec::new("cloud", elsewhere.url.clone(), Kind::Plain)
    };
    let net = HttpClient::build(NetOptions::default()).unwrap();
    let mut setup = checked::setup(Surface::Backend);
    setup.upstreams.push(build(spec, net).unwrap());
    TestApp::start(setup).await
}

#[tokio::test]
async fn what_stays_here_opens_no_connection_elsewhere_whichever_way_it_is_asked() {
    let elsewhere = FakeUpstream::start(|_| Reply::Reset).await;
    let backend = backend_with(&elsewhere).await;
    let touched = || elsewhere.touched();
    let openai = "/v1/chat/completions";
    let stream = |model: &str| {
        let messages = json!([{"role": "user", "content": "hi"}]);
        json!({"model": model, "messages": messages, "stream": true})
    };
    let decision = json!({"model": "judges/watch", "state": "hello",
        "questions": {"kind": {"type": "noul", "instructions": "Is it kind?"}}});

    // Nobody has asked it anything yet, so nobody knows what it has.
    for local_only in ["goblin/local", "up/phi3:3.8b"] {
        let answered = backend.post(openai, &question(local_only, true)).await;
        assert_eq!(
            (answered.status.as_u16(), touched()),
            (200, (0, 0)),
            "{local_only}"
        );
    }
    let mut contradicted = backend.post(openai, &question("cloud/m:latest", true)).await;
    assert_eq!((contradicted.status.as_u16(), touched()), (400, (0, 0)));
    assert_eq!(contradicted.json().await["error"]["param"], "goblin.local_only");

    // Whoever asks for `goblin` asks everybody how they are: what is watched here can be seen.
    let mut answered = backend.post(openai, &stream("goblin")).await;
    assert!(!answered.events().await.is_empty());
    let before = touched();
    assert!(before.0 > 0 && before.1 > 0, "{before:?}");

    for model in ["goblin/local", "up/phi3:3.8b"] {
        let mut answered = backend.post(openai, &stream(model)).await;
        assert!(answered.text().await.ends_with("data: [DONE]\n\n"));
        assert_eq!(touched(), before, "{model}");
        let chat = backend.chat(&json!({"model": model})).await;
        let path = format!("/api/chats/{chat}/turns");
        let events = backend
            .post(&path, &json!({"content": "hi"}))
            .await
            .events()
            .await;
        assert_eq!(data(events.last().unwrap())["turn"]["status"], "complete");
        assert_eq!(touched(), before, "{model}");
        let mut routed = backend.post("/api/route", &stream(model)).await;
        assert_eq!(routed.json().await["may_leave_machine"], false);
        assert_eq!(touched(), before, "{model}");
    }
    let mut routed = backend.post("/api/route", &question("goblin", true)).await;
    assert_eq!(routed.json().await["may_leave_machine"], false);
    let mut decided = backend.post("/v1/systemone", &decision).await;
    assert_eq!(decided.json().await["model"], "judges/watch");
    assert_eq!(touched(), before);

    let mut answered = backend.post(openai, &stream("goblin")).await;
    assert!(!answered.events().await.is_empty());
    assert!(touched().1 > before.1, "and it still can be seen");
}
