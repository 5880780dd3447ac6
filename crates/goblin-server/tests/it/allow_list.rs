//! The model tier answers a list of methods and paths, each for whom it is meant, and nothing else.

use goblin_auth::keys::NewKeyOptions;
use goblin_auth::principal::Scope;
use goblin_server::app::Surface;
use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::able::able;
use crate::client::{Call, RawConnection, Reply};
use crate::test_app::{Setup, TestApp};

/// A digest of the right form.
pub(crate) const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One thing the tier answers: method, path, the scope it needs (none: no key), and a good body.
type Entry = (Method, String, Option<Scope>, Value);

/// What shows something: path.
const READS: [&str; 9] = [
    "/",
    "/api/version",
    "/api/tags",
    "/api/ps",
    "/v1/models",
    "/v1/models/parrot",
    "/models",
    "/metrics",
    "/v1/goblin/status",
];

/// What asks a model: path and a good body.
fn questions() -> [(&'static str, Value); 11] {
    let hi = json!([{"role": "user", "content": "hi"}]);
    let chat = json!({"model": "parrot", "messages": hi, "stream": false});
    let message = json!({"model": "parrot", "messages": hi, "max_tokens": 8});
    let kind = json!({"kind": {"type": "noul", "instructions": "Is it kind?"}});
    let decision = json!({"model": "parrot", "state": "hello", "questions": kind});
    let generate = json!({"model": "parrot", "prompt": "hi", "stream": false});
    [
        ("/v1/chat/completions", chat.clone()),
        ("/chat/completions", chat.clone()),
        ("/v1/messages", message.clone()),
        ("/v1/messages/count_tokens", message),
        ("/v1/systemone", decision),
        ("/v1/goblin/tokenize", chat.clone()),
        ("/api/chat", chat),
        ("/api/generate", generate),
        ("/v1/embeddings", json!({"model": "parrot", "input": "hi"})),
        ("/api/embed", json!({"model": "parrot", "input": ["hi", "ho"]})),
        ("/api/embeddings", json!({"model": "parrot", "prompt": "hi"})),
    ]
}

/// What changes which models there are: method, path and a good body.
fn changes() -> [(Method, String, Value); 7] {
    let named = json!({"model": "parrot", "stream": false});
    let made = json!({"model": "crow", "from": "parrot", "stream": false});
    let copied = json!({"source": "parrot", "destination": "crow"});
    let blob = format!("/api/blobs/{DIGEST}");
    [
        (Method::POST, "/api/pull".to_owned(), named.clone()),
        (Method::POST, "/api/push".to_owned(), named.clone()),
        (Method::POST, "/api/create".to_owned(), made),
        (Method::POST, "/api/copy".to_owned(), copied),
        (Method::POST, blob.clone(), Value::Null),
        (Method::HEAD, blob, Value::Null),
        (Method::DELETE, "/api/delete".to_owned(), named),
    ]
}

/// Everything the tier answers.
fn entries() -> Vec<Entry> {
    let open = ["/health", "/health/live"].map(|path| (Method::GET, path.to_owned(), None, Value::Null));
    let reads = READS.map(|path| (Method::GET, path.to_owned(), Some(Scope::Read), Value::Null));
    let shown = json!({"model": "parrot"});
    let mut all: Vec<Entry> = vec![(Method::POST, "/api/show".to_owned(), Some(Scope::Read), shown)];
    all.extend(open);
    all.extend(reads);
    all.extend(questions().map(|(path, body)| {
        let scope = if path.contains("/embed") {
            Scope::Embed
        } else {
            Scope::Infer
        };
        (Method::POST, path.to_owned(), Some(scope), body)
    }));
    all.extend(changes().map(|(method, path, body)| (method, path, Some(Scope::Admin), body)));
    all
}

/// The model tier whose provider can do everything.
pub(crate) async fn able_tier() -> TestApp {
    TestApp::start(Setup {
        surface: Surface::Tier,
        able,
        ..Setup::default()
    })
    .await
}

/// A key with this scope only.
pub(crate) fn key_with(app: &TestApp, scope: Scope) -> String {
    let options = NewKeyOptions::with_scopes([scope]);
    let made = app
        .tier
        .keys
        .make(scope.as_str(), options, &app.clock, &mut rand::rngs::OsRng);
    made.unwrap().key.expose_secret().to_owned()
}

async fn send(app: &TestApp, (method, path, _, body): &Entry, key: Option<&str>) -> Reply {
    let mut call = Call::new(app.address, method.clone(), path);
    if let Some(key) = key {
        call = call.header("x-api-key", key);
    }
    if !body.is_null() {
        call = call.json(body);
    }
    call.send().await
}

/// The sentence of an error, wherever this door says it.
fn sentence(path: &str, body: &Value) -> String {
    let at = match path {
        "/" => "/error",
        _ if path.starts_with("/api/") => "/error",
        _ if path.starts_with("/v1/") => "/error/message",
        _ => "/detail",
    };
    let said = body.pointer(at).and_then(Value::as_str);
    said.unwrap_or_else(|| panic!("{path}: {body}")).to_owned()
}

#[tokio::test]
async fn every_entry_answers_a_key_of_its_scope_and_no_weaker_one() {
    let app = able_tier().await;
    let keys = Scope::ALL.map(|scope| (scope, key_with(&app, scope)));
    for entry in entries() {
        let (method, path, needs, _) = &entry;
        for (scope, key) in &keys {
            let may = match needs {
                None | Some(Scope::Read) => true,
                Some(needed) => needed == scope || *scope == Scope::Admin,
            };
            let mut reply = send(&app, &entry, Some(key)).await;
            let status = reply.status.as_u16();
            if may {
                let good = [200, 201];
                assert!(
                    good.contains(&status),
                    "{method} {path} {scope:?}: {status} {}",
                    reply.text().await
                );
            } else {
                assert_eq!(status, 403, "{method} {path} {scope:?}");
                if *method != Method::HEAD {
                    let said = sentence(path, &reply.json().await);
                    let named = needs.map_or("", Scope::as_str);
                    assert!(said.contains(named), "{path}: {said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn without_a_key_only_health_answers_and_each_door_says_so_in_its_own_shape() {
    let app = able_tier().await;
    for entry in entries() {
        let (method, path, needs, _) = &entry;
        for key in [None, Some("wrong")] {
            let mut reply = send(&app, &entry, key).await;
            let expected = if needs.is_none() { 200 } else { 401 };
            assert_eq!(reply.status.as_u16(), expected, "{method} {path}");
            if expected == 401 && *method != Method::HEAD {
                let body = reply.json().await;
                assert!(sentence(path, &body).contains("key"), "{path}: {body}");
                let anthropic = path.starts_with("/v1/messages");
                assert_eq!(body["type"] == "error", anthropic, "{path}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_or_names_no_model_is_refused_with_the_field() {
    let app = able_tier().await;
    for (method, path, _, body) in entries().into_iter().filter(|(.., body)| !body.is_null()) {
        let admin = key_with(&app, Scope::Admin);
        let call = || Call::new(app.address, method.clone(), &path).header("x-api-key", &admin);
        let mut broken = call().bytes("{\"model\":").send().await;
        // Typed questions are refused as that format has it.
        let unread = if path == "/v1/systemone" { 422 } else { 400 };
        assert_eq!(broken.status.as_u16(), unread, "{path}");
        assert!(sentence(&path, &broken.json().await).contains("JSON"), "{path}");
        let field = if path == "/api/copy" { "source" } else { "model" };
        let mut nameless = body;
        nameless.as_object_mut().unwrap().remove(field);
        let mut refused = call().json(&nameless).send().await;
        let own = ["/chat/completions", "/v1/systemone"];
        let expected = if own.contains(&&*path) { 422 } else { 400 };
        assert_eq!(refused.status.as_u16(), expected, "{path}");
        let said = sentence(&path, &refused.json().await);
        assert!(said.contains(&format!("`{field}`")), "{path}: {said}");
        app.tier.keys.revoke("admin", &app.clock).unwrap();
        app.tier.keys.file().delete_key("admin").unwrap();
    }
}

/// Paths of Ollama, llama-server, our backend and others that the tier must not have.
const ELSEWHERE: [&str; 33] = [
    "/api",
    "/api/",
    "/api/chats",
    "/api/status",
    "/api/me",
    "/api/signout",
    "/api/blobs",
    "/api/blobs/",
    "/api/experimental/web_search",
    "/api/chat/completions",
    "/v1",
    "/v1/completions",
    "/v1/responses",
    "/v1/audio/transcriptions",
    "/v1/messages/batches",
    "/v1/goblin",
    "/v1/goblin/keys",
    "/completion",
    "/slots",
    "/props",
    "/tokenize",
    "/embedding",
    "/infill",
    "/lora-adapters",
    "/docs",
    "/openapi.json",
    "/config.json",
    "/health/all",
    "/index.html",
    "/models/load",
    "/models/parrot",
    "/admin",
    "/API/TAGS",
];

#[tokio::test]
async fn nothing_that_is_not_on_the_list_answers() {
    let app = able_tier().await;
    let key = key_with(&app, Scope::Admin);
    let listed = entries();
    let paths = listed.iter().map(|(_, path, ..)| path.as_str()).chain(ELSEWHERE);
    for path in paths {
        let answered: Vec<&Method> = listed
            .iter()
            .filter(|(_, p, ..)| p == path)
            .map(|(m, ..)| m)
            .collect();
        for name in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            let also_head = method == Method::HEAD && answered.contains(&&Method::GET);
            if also_head || answered.contains(&&method) {
                continue;
            }
            let call = Call::new(app.address, method.clone(), path).header("x-api-key", &key);
            let mut reply = call.send().await;
            let expected = if answered.is_empty() { 404 } else { 405 };
            assert_eq!(reply.status.as_u16(), expected, "{method} {path}");
            let allow = reply.header("allow").to_owned();
            assert!(
                answered.iter().all(|m| allow.contains(m.as_str())),
                "{method} {path}: {allow}"
            );
            if method != Method::HEAD {
                assert!(reply.json().await["error"] != Value::Null, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_where_get_is_without_a_body() {
    let app = able_tier().await;
    for path in ["/", "/api/tags", "/api/version"] {
        let mut head = app.call(Method::HEAD, path).send().await;
        assert_eq!(head.status.as_u16(), 200, "{path}");
        assert!(head.bytes().await.is_empty(), "{path}");
    }
    assert_eq!(app.get("/").await.text().await, "Ollama is running");
}

#[tokio::test]
async fn an_answer_that_leaves_the_body_unread_says_that_the_connection_ends() {
    let app = able_tier().await;
    let head = "POST /api/pull HTTP/1.1\r\nhost: tier\r\nx-api-key: wrong\r\ncontent-length: 9\r\n\r\n";
    let mut connection = RawConnection::open(app.address).await;
    connection.write(head).await;
    let answer = connection.read_some().await;
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"),
        "{answer}"
    );
    let mut read = app.post("/api/pull", &json!({"model": 7})).await;
    assert_eq!(read.status, 403);
    let mut asked = app
        .post("/v1/embeddings", &json!({"model": "parrot", "input": "a"}))
        .await;
    assert_eq!((asked.status.as_u16(), asked.header("connection")), (200, ""));
    assert!(read.text().await.contains("admin") && asked.text().await.contains("embedding"));
}
