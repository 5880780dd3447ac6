//! How a server's state and models are found out.

use std::time::Duration;

use futures_util::future::join_all;
use goblin_core::chat::ChatRequest;
use goblin_core::manage::Action;
use goblin_core::model::{Capability, ModelInfo, ModelState};
use goblin_core::provider::{Health, ProviderError};
use goblin_core::wire::openai::{ListExtras, ModelEntry, model_list};
use goblin_providers::openai_compat::{Kind, UpstreamSpec};

use crate::fake_upstream::{FakeUpstream, Step, answer, json, question, response, said, soon};

const LIST: &str = r#"{"object":"list","data":[{"id":"qwen","max_model_len":32768}]}"#;

fn asked_every_time(upstream: &FakeUpstream, kind: Kind) -> UpstreamSpec {
    UpstreamSpec {
        status_ttl: Duration::ZERO,
        ..UpstreamSpec::new("up", upstream.url.clone(), kind)
    }
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_question() {
    let upstream = FakeUpstream::start(vec![json("200 OK", LIST)]).await;
    let spec = UpstreamSpec {
        status_ttl: Duration::from_secs(3600),
        ..asked_every_time(&upstream, Kind::Plain)
    };
    let handle = upstream.handle_with(spec);
    let all = soon(join_all((0..20).map(|_| (handle.status)()))).await;
    assert!(
        all.iter()
            .all(|s| s.health == Health::Ok && s.models[0].name == "qwen")
    );
    assert_eq!(upstream.asked().len(), 1);
    assert!(upstream.asked()[0].head.starts_with("get /v1/models "));
}

#[tokio::test]
async fn a_server_that_comes_back_is_seen_without_a_restart() {
    let broken = response("500 Internal Server Error", "", "");
    let upstream = FakeUpstream::start(vec![broken, json("200 OK", LIST)]).await;
    let handle = upstream.handle_with(asked_every_time(&upstream, Kind::Plain));
    let down = soon((handle.status)()).await;
    assert_eq!(
        down.health,
        Health::Broken(format!(
            "{} answered HTTP 500 when asked for its models",
            upstream.url.address()
        ))
    );
    assert!(down.models.is_empty());
    assert_eq!(soon((handle.status)()).await.health, Health::Ok);
}

#[tokio::test]
async fn every_way_of_not_answering_names_the_address_and_the_cause() {
    for (script, why) in [
        (vec![Step::Stall], "did not begin its answer"),
        (vec![Step::Reset], "closed the connection"),
        (json("401 Unauthorized", "{}"), "refused this server's key"),
        (response("200 OK", "", "<html>"), "cannot be read"),
        (response("302 Found", "location: /login\r\n", ""), "HTTP 302"),
    ] {
        let upstream = FakeUpstream::start(vec![script]).await;
        match soon((upstream.handle(Kind::Plain).status)()).await.health {
            Health::Down(said) | Health::Refused(said) | Health::Broken(said) => {
                assert!(
                    said.contains(why) && said.contains(&upstream.url.address()),
                    "{said}"
                );
            }
            other => panic!("{why}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_loads_its_model_is_starting_and_not_down() {
    let loading = json(
        "503 Service Unavailable",
        r#"{"error":{"code":503,"message":"Loading model"}}"#,
    );
    let upstream = FakeUpstream::start(vec![loading]).await;
    let status = soon((upstream.handle(Kind::LlamaCpp).status)()).await;
    assert!(matches!(status.health, Health::Starting(_)), "{status:?}");
}

#[tokio::test]
async fn a_refused_key_is_told_from_a_server_that_is_away() {
    let refused = json("401 Unauthorized", "{}");
    let upstream = FakeUpstream::start(vec![refused]).await;
    let status = soon((upstream.handle(Kind::GoblinTier).status)()).await;
    assert!(matches!(status.health, Health::Refused(_)), "{status:?}");
}

#[tokio::test]
async fn a_tier_whose_model_servers_are_away_is_not_said_to_be_loading() {
    let nobody = json(
        "503 Service Unavailable",
        r#"{"error":{"message":"No model server answers.","code":"no_provider"}}"#,
    );
    let upstream = FakeUpstream::start(vec![nobody]).await;
    let status = soon((upstream.handle(Kind::GoblinTier).status)()).await;
    assert!(matches!(status.health, Health::Broken(_)), "{status:?}");
}

#[tokio::test]
async fn our_own_tier_says_what_its_models_can_do_and_how_busy_it_is() {
    let info = ModelInfo {
        state: ModelState::Loaded,
        context_window: Some(2048),
        capabilities: vec![Capability::Chat, Capability::Decide, Capability::Logprobs],
        size_bytes: Some(98_362_432),
        parameters: Some("135M".into()),
        starter: true,
        ..ModelInfo::named("smollm2")
    };
    let entry = ModelEntry {
        id: "smollm2",
        provider: "engine",
        local: true,
        info: &info,
    };
    let extras = ListExtras {
        slots: Some(4),
        free_slots: Some(1),
        decode_tokens_per_second: Some(60.5),
        prefill_tokens_per_second: Some(270.0),
    };
    let list = model_list(&[entry], Some(&extras)).to_string();
    let upstream = FakeUpstream::start(vec![json("200 OK", &list)]).await;
    let status = soon((upstream.handle(Kind::GoblinTier).status)()).await;
    assert_eq!(status.models, [info]);
    assert_eq!((status.slots, status.free_slots), (Some(4), Some(1)));
    assert_eq!(status.decode_tokens_per_second, Some(60.5));
}

const FAR: &str = r#"{"models":[
    {"name":"near:1b","digest":"d1","size":733363377},
    {"name":"gpt-oss:120b-cloud","digest":"d2","size":384},
    {"name":"mine","digest":"d3","remote_model":"glm-4.6","remote_host":"https://ollama.com:443"}]}"#;

/// An Ollama with two models in the cloud, one of them under a name of the user's own.
async fn with_cloud_models() -> FakeUpstream {
    FakeUpstream::answering(|asked| match asked.path() {
        "/api/tags" => json("200 OK", FAR),
        "/api/ps" => json("200 OK", r#"{"models":[]}"#),
        "/api/version" => json("200 OK", r#"{"version":"0.17.4"}"#),
        "/api/show" => json(
            "200 OK",
            r#"{"capabilities":["completion"],"model_info":{"x.context_length":131072}}"#,
        ),
        _ => json(
            "200 OK",
            r#"{"message":{"content":"far away"},"done":true,"done_reason":"stop"}"#,
        ),
    })
    .await
}

#[tokio::test]
async fn allowed_cloud_models_are_on_offer_and_never_local() {
    let upstream = with_cloud_models().await;
    let handle = upstream.handle_with(UpstreamSpec {
        allow_cloud: true,
        ..UpstreamSpec::ollama(upstream.url.clone())
    });
    let models = soon((handle.status)()).await.models;
    let found: Vec<_> = models
        .iter()
        .map(|m| (m.name.as_str(), m.stays_local(handle.local)))
        .collect();
    let expected = [("near:1b", true), ("gpt-oss:120b-cloud", false), ("mine", false)];
    assert_eq!(found, expected);
    let windows: Vec<_> = models.iter().map(|m| m.context_window).collect();
    assert_eq!(
        windows,
        [Some(16_384), Some(131_072), Some(131_072)],
        "a cloud's memory is not this machine's"
    );
    let request = ChatRequest {
        model: "mine".into(),
        ..question()
    };
    let (events, outcome) = answer(&handle, request).await;
    assert_eq!((said(&events).as_str(), outcome), ("far away", Ok(())));
}

#[tokio::test]
async fn a_cloud_model_under_another_name_is_not_asked_either() {
    let upstream = with_cloud_models().await;
    let handle = upstream.handle(Kind::Ollama);
    // Nobody has asked how the server is: the refusal may not depend on that.
    for name in ["mine", "mine:latest"] {
        let request = ChatRequest {
            model: name.into(),
            ..question()
        };
        let (_, outcome) = answer(&handle, request).await;
        let missing = ProviderError::ModelNotFound { model: name.into() };
        assert_eq!(outcome, Err(missing));
        let show = Action::Show {
            model: name.into(),
            verbose: false,
        };
        let manage = handle.manage.as_ref().expect("an Ollama's models can be managed");
        assert!(matches!(
            soon(manage(show)).await,
            Err(ProviderError::ModelNotFound { .. })
        ));
    }
    let near = ChatRequest {
        model: "near:1b".into(),
        ..question()
    };
    assert_eq!(answer(&handle, near).await.1, Ok(()));
    let asked: Vec<String> = upstream
        .asked()
        .iter()
        .filter(|a| a.path() == "/api/chat" || a.path() == "/api/show")
        .map(|a| a.body.clone())
        .collect();
    assert!(asked.iter().all(|body| body.contains("near:1b")), "{asked:?}");
}

#[tokio::test]
async fn ollama_is_asked_what_each_model_can_do_once_and_cloud_models_are_left_out() {
    let tags = r#"{"models":[
        {"name":"llava:7b","digest":"d1","size":4733363377,"details":{"parameter_size":"7B"}},
        {"name":"gpt-oss:120b-cloud","digest":"d2","size":384},
        {"name":"far:latest","digest":"d3","remote_host":"https://ollama.com"}]}"#;
    let show = r#"{"capabilities":["completion","vision","thinking"],"parameters":"stop \"x\"\nnum_ctx                        8192",
        "model_info":{"llama.context_length":4096}}"#;
    let (ps, version) = (r#"{"models":[]}"#, r#"{"version":"0.12.10"}"#);
    let scripts = [tags, ps, version, show, tags, ps, version];
    let scripts = scripts.map(|body| json("200 OK", body)).to_vec();
    let upstream = FakeUpstream::start(scripts).await;
    let handle = upstream.handle_with(asked_every_time(&upstream, Kind::Ollama));
    for _ in 0..2 {
        let status = soon((handle.status)()).await;
        assert_eq!(status.health, Health::Ok);
        assert_eq!(status.models.len(), 1, "{:?}", status.models);
        let model = &status.models[0];
        assert_eq!(
            (model.name.as_str(), model.parameters.as_deref()),
            ("llava:7b", Some("7B"))
        );
        assert_eq!(model.context_window, Some(4096));
        assert!(
            model.can(Capability::Vision) && model.can(Capability::Chat) && !model.can(Capability::Tools)
        );
        assert!(
            model.can(Capability::Thinking) && !model.can(Capability::Logprobs),
            "0.12.10 reports none"
        );
    }
    let paths: Vec<String> = upstream
        .asked()
        .iter()
        .map(|a| a.head.split_whitespace().nth(1).unwrap().to_owned())
        .collect();
    let round = ["/api/tags", "/api/ps", "/api/version"];
    let show = ["/api/show"].as_slice();
    assert_eq!(paths, [&round, show, &round].concat());
    assert_eq!(upstream.asked()[3].body, r#"{"model":"llava:7b"}"#);
}
