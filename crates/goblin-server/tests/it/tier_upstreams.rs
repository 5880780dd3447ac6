//! Real adapters between the tier's doors and servers that behave badly: what a client is told is true, and holds
//! nothing of what the server said.

use goblin_auth::keys::NewKeyOptions;
use goblin_auth::principal::Scope;
use goblin_core::provider::ProviderHandle;
use goblin_providers::openai_compat::Kind;
use goblin_server::app::Surface;
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::client::{Call, Reply as Answered};
use crate::fake_upstream::{Asked, FakeUpstream, MODEL, Reply, answer, cut};
use crate::test_app::{Setup, TestApp};

const DOORS: [&str; 3] = ["/v1/chat/completions", "/v1/messages", "/api/chat"];
/// Words of the upstream that no client may read.
const SECRET: &str = "words-of-the-upstream";

async fn tier_of(handle: ProviderHandle) -> TestApp {
    TestApp::start(Setup {
        surface: Surface::Tier,
        upstreams: vec![handle],
        ..Setup::default()
    })
    .await
}

fn question(stream: bool) -> Value {
    let messages = json!([{"role": "user", "content": "hi"}]);
    json!({"model": MODEL, "max_tokens": 8, "stream": stream, "messages": messages})
}

/// One way of failing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Refused,
    Reset,
    Page,
    ProxysPage,
    Loading,
    ErrorFirst,
    Nothing,
    CutAtOnce,
    LongLine,
    CutInLine,
    CutInLetter,
    ErrorLater,
}

use Fault::{
    CutAtOnce, CutInLetter, CutInLine, ErrorFirst, ErrorLater, Loading, LongLine, Nothing, Page, ProxysPage,
    Refused, Reset,
};

/// Fault, status, code and words; those of the last group only come after the first word.
const TABLE: [(Fault, u16, &str, &str); 12] = [
    (Refused, 503, "no_provider", "cannot be reached"),
    (Reset, 503, "no_provider", "cannot be reached"),
    (Page, 503, "no_provider", "answers, but cannot serve"),
    (ProxysPage, 503, "no_provider", "answers, but cannot serve"),
    (Loading, 503, "no_provider", "answers, but cannot serve"),
    (ErrorFirst, 503, "no_provider", "answers, but cannot serve"),
    (Nothing, 502, "upstream_failed", "could not be read"),
    (CutAtOnce, 502, "upstream_failed", "could not be read"),
    (LongLine, 502, "upstream_failed", "could not be read"),
    (CutInLine, 502, "upstream_failed", "could not be read"),
    (CutInLetter, 502, "upstream_failed", "could not be read"),
    (ErrorLater, 502, "upstream_failed", "could not be read"),
];

/// What the server does when asked, in the form the question was asked for.
fn play(fault: Fault, asked: &Asked) -> Reply {
    let ollama = asked.path().starts_with("/api/");
    let whole = asked.body.contains("\"stream\":false");
    let page = format!("<!doctype html><p>{SECRET} at 10.0.0.7");
    let failed = match ollama {
        true => format!(r#"{{"error":"{SECRET} has terminated"}}"#),
        false => format!(r#"{{"error":{{"message":"{SECRET}","code":500,"type":"server_error"}}}}"#),
    };
    let loading = match ollama {
        true => format!(r#"{{"error":"{SECRET}: loading model"}}"#),
        false => format!(
            r#"{{"error":{{"message":"Loading model {SECRET}","type":"unavailable_error","code":503}}}}"#
        ),
    };
    let (kind, before, word, after) = match (ollama, whole) {
        (true, _) => (
            "application/x-ndjson",
            "",
            r#"{"message":{"content":"Hel"},"done":false}"#,
            "\n",
        ),
        (false, false) => (
            "text/event-stream",
            "data: ",
            r#"{"choices":[{"index":0,"delta":{"content":"Hel"}}]}"#,
            "\n\n",
        ),
        (false, true) => ("application/json", "", "", ""),
    };
    let first = format!("{before}{word}{after}");
    let begun = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":""#;
    let open = if ollama {
        r#"{"message":{"content":""#
    } else {
        begun
    };
    let open = format!("{first}{before}{open}");
    Reply::Bytes(match fault {
        Refused | Reset => return Reply::Reset,
        Page => answer("200 OK", "text/html", &page),
        ProxysPage => answer("502 Bad Gateway", "text/html", &page),
        Loading => answer("503 Service Unavailable", "application/json", &loading),
        ErrorFirst => cut(kind, format!("{before}{failed}{after}")),
        Nothing => answer("200 OK", kind, ""),
        CutAtOnce => cut(kind, format!("{before}{{\"mess")),
        LongLine => cut(kind, format!("{before}{{\"x\":\"{}", "x".repeat(10_500_000))),
        CutInLine => cut(kind, open),
        CutInLetter => cut(kind, [open.as_bytes(), &"é".as_bytes()[..1]].concat()),
        ErrorLater if whole && !ollama => cut(kind, format!("{begun}Hel")),
        ErrorLater => cut(kind, format!("{first}{before}{failed}{after}")),
    })
}

/// The sentence of an error, wherever the door puts it, and its code where the door has codes.
fn told(body: &Value) -> (String, Option<String>) {
    let error = &body["error"];
    let said = error.as_str().or_else(|| error["message"].as_str());
    let code = error["code"].as_str().map(str::to_owned);
    (said.unwrap_or_default().to_owned(), code)
}

/// The last line of a stream that is JSON with an error.
fn last_error(stream: &str) -> Value {
    stream
        .lines()
        .rev()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line))
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|value| !value["error"].is_null())
        .unwrap_or_else(|| panic!("no error in {stream}"))
}

async fn fails_truly(kind: Kind, fault: Fault, status: u16, code: &str, words: &str) {
    let mut upstream = FakeUpstream::start(move |asked| play(fault, asked)).await;
    let app = tier_of(upstream.handle(kind)).await;
    assert_eq!(app.get("/v1/models").await.status, 200);
    if fault == Refused {
        upstream.die().await;
    }
    for door in DOORS {
        for stream in [true, false] {
            let about = format!("{kind:?} {fault:?} {door} stream: {stream}");
            let mut reply: Answered = app.post(door, &question(stream)).await;
            let text = reply.text().await;
            assert!(
                !text.contains(SECRET) && !text.contains("127.0.0.1") && !text.contains(&upstream.port()),
                "{about}: {text}"
            );
            let later = matches!(fault, CutInLine | CutInLetter | ErrorLater);
            let error = if stream && later {
                assert_eq!(reply.status, 200, "{about}: {text}");
                assert!(
                    text.contains("Hel") && !text.contains("[DONE]"),
                    "{about}: {text}"
                );
                last_error(&text)
            } else {
                assert_eq!(reply.status, status, "{about}: {text}");
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{about}: {e}: {text}"))
            };
            let (said, its_code) = told(&error);
            assert!(said.contains(words) && said.contains("up"), "{about}: {said}");
            if door == DOORS[0] {
                assert_eq!(its_code.as_deref(), Some(code), "{about}");
            }
        }
    }
}

#[tokio::test]
async fn every_fault_of_an_ollama_has_a_status_a_code_and_a_true_sentence_at_every_door() {
    for (fault, status, code, words) in TABLE {
        fails_truly(Kind::Ollama, fault, status, code, words).await;
    }
}

#[tokio::test]
async fn every_fault_of_an_openai_server_has_a_status_a_code_and_a_true_sentence_at_every_door() {
    for (fault, status, code, words) in TABLE {
        fails_truly(Kind::Plain, fault, status, code, words).await;
    }
}

#[tokio::test]
async fn a_server_that_was_never_there_is_not_a_model_that_is_not_there() {
    let mut gone = FakeUpstream::start(|_| Reply::Reset).await;
    gone.die().await;
    for kind in [Kind::Ollama, Kind::Plain, Kind::LlamaCpp, Kind::GoblinTier] {
        let app = tier_of(gone.handle(kind)).await;
        for door in DOORS {
            let mut reply = app.post(door, &question(false)).await;
            assert_eq!(reply.status, 503, "{kind:?} {door}");
            let (said, _) = told(&reply.json().await);
            assert!(
                said.contains("cannot be reached") && !said.contains(&gone.port()),
                "{said}"
            );
        }
    }
}

fn picture(door: &str, url: &str) -> Value {
    let part = match door {
        "/v1/messages" => json!({"type": "image", "source": {"type": "url", "url": url}}),
        _ => json!({"type": "image_url", "image_url": {"url": url}}),
    };
    let words = json!({"type": "text", "text": "What is this?"});
    json!({"model": MODEL, "max_tokens": 8, "messages": [{"role": "user", "content": [words, part]}]})
}

#[tokio::test]
async fn a_local_server_gets_an_images_bytes_and_never_an_address() {
    for kind in [Kind::GoblinTier, Kind::Ollama] {
        let upstream = FakeUpstream::start(|_| Reply::Reset).await;
        let app = tier_of(upstream.handle(kind)).await;
        let doors = [
            "/v1/chat/completions",
            "/chat/completions",
            "/v1/messages",
            "/v1/goblin/tokenize",
        ];
        for door in doors {
            // Untouched bytes, and with a field of ours: translated.
            for translated in [false, true] {
                let mut body = picture(door, "https://169.254.169.254/latest/meta-data");
                if translated && door != "/v1/messages" {
                    body["goblin"] = json!({});
                }
                let mut reply = app.post(door, &body).await;
                assert_eq!(
                    reply.status.as_u16(),
                    if door == "/chat/completions" { 422 } else { 400 },
                    "{door}"
                );
                let said = reply.json().await;
                assert!(said.to_string().contains("`data:` URL"), "{door}: {said}");
                if door == "/v1/chat/completions" {
                    assert_eq!(said["error"]["param"], "messages[0].content[1]");
                }
            }
        }
        assert_eq!(upstream.questions().len(), 0, "{kind:?}");
        let bytes = picture(DOORS[0], "data:image/png;base64,iVBORw0KGgo=");
        assert_eq!(app.post(DOORS[0], &bytes).await.status, 503);
        let asked = upstream.questions();
        let forwarded = |a: &&Asked| a.body.contains("iVBORw0KGgo=");
        assert!(!asked.is_empty(), "{kind:?}");
        assert_eq!(
            asked.iter().filter(forwarded).count(),
            asked.len(),
            "{kind:?}: {asked:?}"
        );
    }
}

/// What a request to `path` says that is meant for the tier alone.
const FOR_THE_TIER: [(&str, &str); 9] = [
    ("cookie", "sid=client"),
    ("forwarded", "for=192.0.2.1;host=evil.example"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-original-host", "evil.example"),
    ("x-host", "evil.example"),
    ("referer", "https://evil.example/"),
    ("sec-fetch-site", "cross-site"),
];

/// A key that may do everything.
fn admin_of(app: &TestApp) -> String {
    let all = [Scope::Infer, Scope::Embed, Scope::Read, Scope::Admin];
    let rng = &mut rand::rngs::OsRng;
    let options = NewKeyOptions::with_scopes(all);
    let made = app.tier.keys.make("admin", options, &app.clock, rng).unwrap();
    made.key.expose_secret().to_owned()
}

#[tokio::test]
async fn an_upstream_hears_our_own_host_and_nothing_of_the_clients_headers() {
    let decision = json!({"model": MODEL, "state": "hello",
        "questions": {"kind": {"type": "noul", "instructions": "Is it kind?"}}});
    let asked = [
        (Method::POST, "/v1/chat/completions", question(true)),
        (Method::POST, "/api/chat", question(false)),
        (Method::POST, "/v1/systemone", decision),
        (Method::POST, "/api/embed", json!({"model": MODEL, "input": "hi"})),
        (
            Method::POST,
            "/api/pull",
            json!({"model": "other", "stream": false}),
        ),
        (Method::DELETE, "/api/delete", json!({"model": MODEL})),
    ];
    for kind in [Kind::Ollama, Kind::Plain] {
        let upstream = FakeUpstream::start(|_| Reply::Reset).await;
        let app = tier_of(upstream.handle(kind)).await;
        let admin = admin_of(&app);
        for (method, path, body) in &asked {
            let mut call = Call::new(app.address, method.clone(), path).header("x-api-key", &admin);
            for (name, value) in FOR_THE_TIER {
                call = call.header(name, value);
            }
            let status = call.json(body).send().await.status.as_u16();
            assert!(![401, 403, 429].contains(&status), "{path}: {status}");
        }
        let with_origin = app
            .call(Method::POST, DOORS[0])
            .header("origin", "https://evil.example");
        assert_eq!(with_origin.json(&question(true)).send().await.status, 403);
        let heard = upstream.questions();
        let paths: Vec<&str> = heard.iter().map(Asked::path).collect();
        let expected: &[&str] = match kind {
            Kind::Ollama => &[
                "/api/chat",
                "/v1/systemone",
                "/api/embed",
                "/api/pull",
                "/api/delete",
            ],
            _ => &["/v1/chat/completions"],
        };
        assert!(
            expected.iter().all(|path| paths.contains(path)),
            "{kind:?}: {paths:?}"
        );
        let own = format!("host: {}", upstream.url.address());
        for asked in &heard {
            let hosts: Vec<&str> = asked.head.lines().filter(|l| l.starts_with("host:")).collect();
            assert_eq!(hosts, [own.as_str()], "{}", asked.head);
            assert!(!asked.head.contains("evil.example"), "{}", asked.head);
            let foreign = |line: &&str| {
                let name = line.split(':').next().unwrap_or_default();
                matches!(name, "origin" | "authorization" | "x-api-key")
                    || FOR_THE_TIER.iter().any(|(known, _)| *known == name)
            };
            assert_eq!(asked.head.lines().find(foreign), None, "{}", asked.head);
        }
    }
}
