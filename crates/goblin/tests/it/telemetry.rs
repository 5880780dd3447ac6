//! What others are told of two real processes, and of a page: what must be there is, what anybody wrote is not; and
//! who does not listen slows nobody down.

use serde_json::{Value, json};

use crate::model_server;
use crate::process::{Running, run, stderr, stdout, until};
use crate::sink::{Collector, Manner, attribute};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const BROWSER: &str = "00f067aa0ba902b7";
const MODEL: &str = "m:latest";

/// What must be found nowhere. The address is in the question too.
const PROMPT: &str = "canaryprompt";
const ANSWER: &str = "canaryanswer";
const ADDRESS: &str = "canary.person@example.org";
const KEY: &str = "canarykey-0123456789abcdef";

fn canaries() -> [&'static str; 4] {
    [PROMPT, ANSWER, ADDRESS, KEY]
}

fn question(model: &str) -> String {
    let said = format!("{PROMPT}: write to {ADDRESS}, my key is {KEY}");
    json!({"model": model, "messages": [{"role": "user", "content": said}]}).to_string()
}

fn traceparent() -> String {
    format!("00-{TRACE}-{BROWSER}-01")
}

/// Both processes, telling one collector everything, with canaries for keys.
struct Watched {
    collector: Collector,
    tier: Running,
    backend: Running,
    _home: tempfile::TempDir,
}

impl Watched {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let collector = Collector::start(Manner::Answers(200));
        let at = format!("http://{}", collector.address);
        let dsn = format!("http://publickey@{}/7", collector.address);
        let ollama = model_server::start_saying(ANSWER).to_string();
        let common = [
            ("LOCAL_LLM_API_KEY", KEY),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", at.as_str()),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=mine%20and%20yours"),
            ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
            ("SENTRY_DSN", dsn.as_str()),
        ];
        let of_tier = [&common[..], &[("OLLAMA_HOST", ollama.as_str())]].concat();
        let tier_home = home.path().join("tier");
        std::fs::create_dir_all(&tier_home).unwrap();
        let arguments = ["models", "serve", "--port", "0", "--set", "engine.enabled=false"];
        let tier = Running::start(&tier_home, &arguments, &of_tier);
        let tier_at = format!("http://{}", tier.address);
        let own = [
            ("LOCAL_LLM_PROXY_URL", tier_at.as_str()),
            ("POSTHOG_API_KEY", "phc_project"),
            ("POSTHOG_HOST", at.as_str()),
        ];
        let of_backend = [&common[..], &own].concat();
        let backend = Running::start(home.path(), &["serve", "--port", "0"], &of_backend);
        Self {
            collector,
            tier,
            backend,
            _home: home,
        }
    }

    fn ask(&self, model: &str, trace: &str) -> (u16, String) {
        let headers = [("traceparent", trace)];
        let body = question(model);
        self.backend.ask("POST", "/v1/chat/completions", &headers, &body)
    }

    /// The span of this service and name in the browser's trace, once it was told.
    fn span(&self, service: &str, name: &str) -> Value {
        until(&format!("{service} told of {name}"), || {
            let spans = self.collector.spans();
            let found = spans
                .into_iter()
                .find(|(by, span)| by == service && span["name"] == name && span["traceId"] == TRACE);
            found.map(|(_, span)| span)
        })
    }

    fn told_at(&self, path: &str, what: &str) -> String {
        until(&format!("{what} at {path}"), || {
            let told = self.collector.at(path).into_iter().map(|told| told.text());
            told.into_iter().find(|text| text.contains(what))
        })
    }

    /// Nothing that anybody wrote, and no key, is in anything that was told.
    fn check_canaries(&self) {
        for told in self.collector.told() {
            let all = format!("{}{}", told.head, told.text().to_lowercase());
            for canary in canaries() {
                assert!(!all.contains(canary), "{canary} in {} {all}", told.path);
            }
        }
    }
}

#[test]
fn a_question_is_one_trace_through_both_processes_and_nothing_anybody_wrote_is_in_it() {
    let watched = Watched::start();
    let model = format!("tier/{MODEL}");
    let (status, answer) = watched.ask(&model, &traceparent());
    assert_eq!(status, 200, "{answer} {}", watched.backend.logs());
    assert!(answer.contains(ANSWER));

    let came_in = watched.span("goblin-backend", "POST /v1/chat/completions");
    let went_out = watched.span("goblin-backend", &format!("chat {MODEL}"));
    let at_tier = watched.span("goblin-models", "POST /v1/chat/completions");
    let to_model = watched.span("goblin-models", &format!("chat {MODEL}"));
    let parents = [&came_in, &went_out, &at_tier, &to_model].map(|span| span["parentSpanId"].clone());
    let own = [&came_in, &went_out, &at_tier].map(|span| span["spanId"].clone());
    assert_eq!(parents[0], BROWSER);
    assert_eq!(parents[1..], own, "each is within the one before it");
    let kinds = [&came_in, &went_out, &at_tier, &to_model].map(|span| span["kind"].clone());
    assert_eq!(kinds, [2, 3, 2, 3]);
    assert_eq!(
        attribute(&came_in, "http.response.status_code")["intValue"],
        "200"
    );
    assert_eq!(
        attribute(&went_out, "gen_ai.provider.name")["stringValue"],
        "tier"
    );
    assert_eq!(attribute(&to_model, "gen_ai.request.model")["stringValue"], MODEL);
    assert_eq!(
        attribute(&to_model, "gen_ai.operation.name")["stringValue"],
        "chat"
    );
    assert_eq!(attribute(&to_model, "gen_ai.usage.input_tokens")["intValue"], "9");
    assert_eq!(
        attribute(&to_model, "gen_ai.response.finish_reasons")["arrayValue"]["values"][0]["stringValue"],
        "stop"
    );

    // A chat's turn is a span of its own between the two.
    let headers = [("traceparent", traceparent())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let (_, chat) = watched
        .backend
        .ask("POST", "/api/chats", &[], &json!({"model": model}).to_string());
    let chat: Value = serde_json::from_str(&chat).unwrap();
    let turns = format!("/api/chats/{}/turns", chat["id"].as_str().unwrap());
    let said = json!({"content": format!("{PROMPT} {ADDRESS}")}).to_string();
    let (status, _) = watched.backend.ask("POST", &turns, &headers, &said);
    assert_eq!(status, 200);
    let turn = watched.span("goblin-backend", "turn");
    let asked = watched.span("goblin-backend", "POST /api/chats/{id}/turns");
    assert_eq!(turn["parentSpanId"], asked["spanId"]);
    assert_eq!(attribute(&turn, "goblin.turn.status")["stringValue"], "complete");

    let measured = watched.told_at("/v1/metrics", "gen_ai.client.operation.duration");
    assert!(
        measured.contains("goblin_http_requests_total") && measured.contains("deployment.environment.name")
    );
    let with_header = watched.collector.at("/v1/traces");
    assert!(with_header[0].head.contains("x-collector-key: mine and yours"));
    watched.check_canaries();
}

#[test]
fn errors_and_events_are_told_without_what_anybody_wrote() {
    let watched = Watched::start();
    let (_, config) = watched.backend.ask("GET", "/config.json", &[], "");
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        config["telemetry"],
        json!({"errors": true, "events": true, "traces": 1.0})
    );
    let report = json!({
        "visit": "0198c4f2-1111-4000-8000-000000000001",
        "errors": [
            {"kind": "TypeError", "message": format!("{PROMPT} is not a function"), "page": "chat",
             "stack": format!("TypeError: {PROMPT}\n at {PROMPT} (https://x/assets/ChatPage-a1B2c3D4.js:3:14)")},
            {"kind": PROMPT, "message": format!("{ADDRESS} {KEY}"), "page": "other"},
        ],
        "events": [{"name": "question_asked", "page": "chat"}],
    });
    let (status, said) = watched
        .backend
        .ask("POST", "/api/telemetry", &[], &report.to_string());
    assert_eq!(status, 204, "{said}");
    let seen = watched.told_at("/api/7/envelope/", "ChatPage-a1B2c3D4.js");
    assert!(
        seen.contains("is not a function") && seen.contains("\"javascript\""),
        "{seen}"
    );
    watched.told_at("/api/7/envelope/", "(message withheld)");
    let done = watched.told_at("/batch/", "question_asked");
    assert!(done.contains("phc_project") && done.contains("0198c4f2-1111-4000-8000-000000000001"));

    // A failure of the server's own: its tier is gone.
    watched.tier.signal("KILL");
    until("the tier is known to be gone", || {
        let (status, _) = watched.ask(&format!("tier/{MODEL}"), &traceparent());
        (status >= 500).then_some(())
    });
    let failed = watched.told_at("/api/7/envelope/", "goblin_server::layers");
    assert!(
        failed.contains(TRACE) && failed.contains("/v1/chat/completions"),
        "{failed}"
    );
    let sentry = watched.collector.at("/api/7/envelope/");
    assert!(sentry[0].head.contains("sentry_key=publickey"));
    watched.check_canaries();
}

#[test]
fn nobody_is_told_anything_until_somebody_is_named() {
    let home = tempfile::tempdir().unwrap();
    let backend = Running::start(home.path(), &["serve", "--port", "0"], &[]);
    let (_, config) = backend.ask("GET", "/config.json", &[], "");
    assert_eq!(config, r#"{"api_origin":""}"#);
    let visit = json!({"visit": "0198c4f2-1111-4000-8000-000000000001"});
    let (status, _) = backend.ask("POST", "/api/telemetry", &[], &visit.to_string());
    assert_eq!(status, 204);
    let (_, metrics) = backend.ask("GET", "/metrics", &[], "");
    assert!(!metrics.contains("goblin_telemetry"), "{metrics}");
}

#[test]
fn doctor_says_who_is_told_and_who_does_not_take_it() {
    let home = tempfile::tempdir().unwrap();
    let found = |environment: &[(&str, &str)]| {
        let arguments = ["doctor", "--json", "--set", "upstream.discover=false"];
        let output = run(home.path(), &arguments, environment);
        let told = stdout(&output);
        let all: Value =
            serde_json::from_str(&told).unwrap_or_else(|e| panic!("{e}: {told} {}", stderr(&output)));
        let checks = all["checks"].as_array().or(all.as_array()).unwrap().clone();
        checks
            .into_iter()
            .find(|check| check["name"] == "telemetry")
            .unwrap()
    };
    assert_eq!(found(&[])["found"], "nobody is told anything");
    let takes = Collector::start(Manner::Answers(200));
    let at = format!("http://{}", takes.address);
    let key = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hidden-hidden");
    let well = found(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &at), key]);
    assert_eq!(well["state"], "ok", "{well}");
    assert!(
        well["found"]
            .as_str()
            .unwrap()
            .contains(&takes.address.to_string()),
        "{well}"
    );
    let refuses = Collector::start(Manner::Answers(401));
    let at = format!("http://{}", refuses.address);
    let ill = found(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &at), key]);
    assert_eq!(ill["state"], "degraded", "{ill}");
    assert!(
        ill["found"].as_str().unwrap().contains("it answered 401"),
        "{ill}"
    );
    assert!(!ill.to_string().contains("hidden"));
}

#[test]
fn half_set_variables_are_all_named_at_once_without_their_values() {
    let home = tempfile::tempdir().unwrap();
    let environment = [
        ("SENTRY_DSN", "https://hidden/1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hidden"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("POSTHOG_API_KEY", "phc_hidden"),
        ("POSTHOG_HOST", "eu.i.posthog.com"),
    ];
    let output = run(home.path(), &["config", "check"], &environment);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    let keys = [
        "sentry_dsn",
        "otlp_url",
        "otlp_headers",
        "otlp_protocol",
        "traces_sampler",
        "posthog_url",
    ];
    for key in keys {
        let times = said.matches(&format!("telemetry.{key} ")).count();
        assert_eq!(times, 1, "{key} in {said}");
    }
    assert!(!said.contains("hidden"), "{said}");
}

/// Of a metric of the collector of spans: the value of the line with this label.
fn counted(backend: &Running, name: &str, label: &str) -> f64 {
    let (_, metrics) = backend.ask("GET", "/metrics", &[], "");
    let lines = metrics.lines();
    let mut of = lines.filter(|line| {
        line.starts_with(name) && line.contains("sink=\"otlp_traces\"") && line.contains(label)
    });
    let value = of.next().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.unwrap_or(0.0)
}

#[test]
fn a_collector_that_hangs_or_refuses_slows_nothing_and_what_is_lost_is_counted() {
    const QUEUE: f64 = 4.0;
    for (manner, reason) in [(Manner::Hangs, "queue_full"), (Manner::Answers(500), "refused")] {
        let home = tempfile::tempdir().unwrap();
        let collector = Collector::start(manner);
        let at = format!("http://{}", collector.address);
        let dsn = format!("http://publickey@{}/7", collector.address);
        let ollama = model_server::start().to_string();
        let environment = [
            ("OLLAMA_HOST", ollama.as_str()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", at.as_str()),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "60000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "4"),
            ("SENTRY_DSN", dsn.as_str()),
        ];
        let mut backend = Running::start(home.path(), &["serve", "--port", "0"], &environment);
        let body = question(&format!("ollama/{MODEL}"));
        // Answers go on, whatever becomes of what is told of them.
        let lost = until("what is told is lost, and counted", || {
            let (status, answer) = backend.ask("POST", "/v1/chat/completions", &[], &body);
            assert_eq!(status, 200, "{answer}");
            let waiting = counted(&backend, "goblin_telemetry_queue_items", "");
            assert!(waiting <= QUEUE, "{waiting} wait");
            let lost = counted(&backend, "goblin_telemetry_lost_total", reason);
            (lost >= 8.0).then_some(lost)
        });
        assert!(lost >= 8.0);
        assert!(!collector.at("/v1/traces").is_empty(), "it was asked");
        backend.signal("TERM");
        assert_eq!(backend.wait(), Some(0), "{}", backend.logs());
        let told = backend.logs().matches("telemetry is not delivered").count();
        assert!(
            told <= 3,
            "once for each of those who do not listen: {}",
            backend.logs()
        );
    }
}

#[test]
fn a_log_that_nobody_reads_holds_no_request_up_and_what_is_lost_is_counted() {
    let home = tempfile::tempdir().unwrap();
    let mut backend = Running::start_unread(home.path(), &["serve", "--port", "0"], &[]);
    // A pipe holds 64 KiB, which are a few hundred lines.
    let lost = until("lines are lost", || {
        let (status, metrics) = backend.ask("GET", "/metrics", &[], "");
        assert_eq!(status, 200, "{metrics}");
        for _ in 0..50 {
            assert_eq!(backend.ask("GET", "/v1/models", &[], "").0, 200);
        }
        let line = metrics
            .lines()
            .find(|line| line.starts_with("goblin_log_lines_lost_total"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    });
    assert!(lost >= 1.0);
    backend.signal("TERM");
    assert_eq!(backend.wait(), Some(0), "and it ends as ever");
}
